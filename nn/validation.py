"""Validates arguments early, and suggests our name when given one from PyTorch, Keras, scikit-learn or micrograd."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import wraps
from inspect import signature
from math import inf, isfinite
from operator import index
from random import Random
from typing import TYPE_CHECKING, Any, NoReturn, SupportsIndex, TypeVar, cast

from autograd.number_systems import floats

F = TypeVar("F", bound=Callable[..., Any])
N = TypeVar("N", int, float)

# another library's name: our names; the first one that the class or function has is suggested
NAMES = {
    "act": "activation", "BatchNorm1d": "BatchNorm",
    "BCEWithLogitsLoss": "binary_cross_entropy", "bias": "b", "children": "submodules",
    "clip_grad_norm_": "clip_norm", "criterion": "loss", "CrossEntropyLoss": "cross_entropy", "data": "training",
    "Dense": "Linear", "dropout_rate": "dropout", "eps": "epsilon", "get_weights": "state_dict",
    "hidden_sizes": "n_units", "history": "records", "in_features": "n_in", "input": "z a score", "input_dim": "n_in",
    "Layer": "Linear", "loss_fn": "loss", "lr": "learning_rate", "max_norm": "largest", "modules": "submodules",
    "MSELoss": "mean_squared_error", "n_components": "components", "n_epochs": "epochs", "n_samples": "n",
    "negative_slope": "slope", "Neuron": "Linear", "nin": "n_in", "nout": "n_out", "nouts": "n_units",
    "num_epochs": "epochs", "num_features": "n", "out_features": "n_out", "param_groups": "groups",
    "params": "parameters", "random_state": "rng", "rate": "p", "requires_grad_": "freeze", "rho": "alpha",
    "running_mean": "mu_", "running_var": "sigma2_", "sample_weight": "weights", "seed": "rng",
    "set_weights": "load_state_dict", "StandardScaler": "Standardize", "target": "y", "test_size": "fractions",
    "trainable_weights": "parameters", "units": "n_out n_units", "validation_data": "validation",
    "verbose": "progress", "weight": "W", "weights": "W parameters", "y_pred": "z a score", "y_true": "target y",
}  # fmt: skip
TRAIN = "iterate over nn.Training(model, loss, optimizer, data)"
REMEDIES = {
    "BCELoss": "use binary_cross_entropy, which expects logits, and no final sigmoid",
    **dict.fromkeys(("Conv2d", "LayerNorm"), "subclass nn.Module, as in CONTRIBUTING.md"),
    "DataLoader": "nn.Training takes an nn.Dataset and a batch_size", "lr": "pass it to the optimiser",
    **dict.fromkeys(("Softmax", "functional"), "use autograd.softmax; cross_entropy expects logits"),
    **dict.fromkeys(("StepLR", "lr_scheduler"), "pass a schedule such as nn.optim.step as the learning rate"),
    "register_forward_hook": "model.trace(x) returns all z and a", "beta1": "pass both as betas",
    "bias": "pass it to Linear: Linear(2, 1, bias=False)", "compile": TRAIN,
    **dict.fromkeys(("cuda", "device", "to"), "all numbers are Python floats on the CPU"), "fit": TRAIN,
    "from_logits": "it always expects logits", "label_smoothing": "pass a probability for each unit as the target",
    **dict.fromkeys(("ModuleDict", "ModuleList", "ParameterList"), "assign a plain list or dict to an attribute"),
    "Parameter": "use autograd.Value", "predict": "use nn.predict(model, X)",
    "reduction": "nn.losses.mean_loss takes the mean",
    "register_buffer": "assign a list of floats to an attribute whose name ends in _",
    "save": "use nn.checkpoint.save", "score": "use nn.accuracy(model, data) or nn.r2(model, data)",
    "shuffle": "every epoch visits the examples in a new random order",
}  # fmt: skip


def unknown_name(owner: str, name: str, known: Collection[str]) -> str:
    """Return the error message for a name that the owner lacks; a name from another library gets ours as a hint.

    >>> unknown_name("SGD", "lr", ["learning_rate", "momentum"])
    'SGD has no lr: it is called learning_rate'
    """
    ours = [word for word in NAMES.get(name, "").split() if word in known]
    remedy = f"it is called {ours[0]}" if ours else REMEDIES.get(name)
    return f"{owner} has no {name}" + (f": {remedy}" if remedy else "")


def _check_keywords(owner: str, function: Callable[..., Any], keywords: Mapping[str, Any]) -> None:
    """Raise TypeError for a keyword from another library, and suggest ours."""
    if theirs := keywords.keys() & (NAMES.keys() | REMEDIES.keys()):
        known = signature(function).parameters
        if any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values()):
            return
        for name in sorted(theirs - known.keys()):
            raise TypeError(unknown_name(owner, name, known))


class ChecksKeywords:
    """Base class whose constructor suggests our keyword when it is given another library's."""

    if not TYPE_CHECKING:  # a type checker would accept any argument

        def __new__(cls, *arguments, **keywords):
            _check_keywords(cls.__name__, cls.__init__, keywords)
            # object.__init__ accepts any arguments if a class defines __new__
            if cls.__init__ is object.__init__ and (arguments or keywords):
                raise TypeError(f"{cls.__name__} takes no arguments")
            return super().__new__(cls)


class SuggestsNames(ChecksKeywords):
    """Base class that also suggests our name for a missing attribute, at a small cost per access."""

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            raise AttributeError(unknown_name(type(self).__name__, name, dir(self)), name=name, obj=self)


class ForeignName:
    """An attribute name from another library, for a class in which ``__getattr__`` would be too slow."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: object, owner: type) -> NoReturn:
        raise AttributeError(unknown_name(owner.__name__, self.name, dir(owner) + list(vars(instance or owner))))

    def __set__(self, instance: object, number: object) -> NoReturn:
        self.__get__(instance, type(instance))


def checks_keywords(function: F) -> F:
    """Decorate a function so that it suggests our keyword when it is given another library's."""

    @wraps(function)
    def checked(*arguments: Any, **keywords: Any) -> Any:
        if keywords:
            _check_keywords(function.__name__, function, keywords)
        return function(*arguments, **keywords)

    return cast("F", checked)


def in_range(
    name: str, number: float, above: float = -inf, at_least: float = -inf, below: float = inf, at_most: float = inf,
    what: str = "it",
) -> float:  # fmt: skip
    """Return the number as a float.

    what   description of the number in the error message

    Raises ValueError unless it is finite and within the bounds, and TypeError for other types.

    >>> in_range("p", 1.5, at_least=0.0, at_most=1.0, what="a probability")
    Traceback (most recent call last):
        ...
    ValueError: p = 1.5: a probability must be finite, ≥ 0 and ≤ 1
    """
    x = _as_float(name, number, what, "a number")
    if not (isfinite(x) and above < x < below and at_least <= x <= at_most):
        signs = {">": above, "≥": at_least, "<": below, "≤": at_most}
        *rules, last = "finite", *(f"{sign} {bound:g}" for sign, bound in signs.items() if isfinite(bound))
        rule = f"{', '.join(rules)} and {last}" if rules else last
        raise ValueError(f"{name} = {number!r}: {what} must be {rule}")
    return x


def whole(name: str, number: float) -> int:
    """Return the number as an int. Raises ValueError unless it is at least 1 and whole, TypeError for other types."""
    x = _as_float(name, number, "it", "a positive integer")
    if not (isfinite(x) and x == int(x) and x >= 1):
        raise ValueError(f"{name} = {number!r}: it must be a positive integer")
    return int(x)


def optional(check: Callable[..., N], name: str, number: Any, **bounds: float) -> N | None:
    """Return None for None, or else the number after validation by ``in_range`` or ``whole``.

    >>> optional(whole, "patience", 3.0), optional(whole, "patience", None)
    (3, None)
    """
    return None if number is None else check(name, number, **bounds)


def generator(rng: Random | int | None) -> Random:
    """Return the given ``random.Random``, one seeded with an int, or for None a randomly seeded one.

    Raises TypeError for other types.

    >>> generator(0).random() == Random(0).random()
    True
    """
    if rng is None:
        return Random()
    if isinstance(rng, SupportsIndex) and not isinstance(rng, bool):
        return Random(index(rng))
    if not isinstance(rng, Random):
        raise TypeError(f"rng = {rng!r}: it must be a seed such as 0, a random.Random, or None")
    return rng


def _as_float(name: str, number: object, what: str, kind: str) -> float:
    try:
        return floats.number(number)
    except ValueError:  # beyond the largest float
        return inf
    except TypeError:
        raise TypeError(f"{name} = {number!r}: {what} must be {kind}") from None
