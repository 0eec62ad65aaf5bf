"""Validates arguments early, and translates names of PyTorch, Keras, scikit-learn and micrograd into ours."""

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

# our names by theirs: the first that the class or the function has
NAMES = {
    "act": "activation", "BatchNorm1d": "BatchNorm", "BCELoss": "binary_cross_entropy",
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
TRAINS = "for record in nn.Training(model, loss, optimizer, data) trains"
REMEDIES = {
    "beta1": "give both as betas", "bias": "Linear has it: Linear(2, 1, bias=False)", "compile": TRAINS,
    "cuda": "its numbers are Python's floats", "device": "its numbers are Python's floats", "fit": TRAINS,
    "from_logits": "it always reads logits", "label_smoothing": "give a share for each unit as target",
    **dict.fromkeys(("ModuleDict", "ModuleList", "ParameterList"), "a list or dict in an attribute is searched"),
    "Parameter": "it is an autograd.Value", "predict": "nn.predict(model, X) does",
    "reduction": "nn.losses.mean_loss takes the mean", "register_buffer": "assign a list to an attribute as mu_",
    "save": "nn.checkpoint.save does", "score": "nn.accuracy(model, data) or nn.r2(model, data) does",
    "shuffle": "each epoch has a new order", "to": "it has no device",
}  # fmt: skip


def in_our_words(owner: str, name: str, known: Collection[str]) -> str:
    """The sentence that the owner lacks this name, with our name for it if another library uses it.

    >>> in_our_words("SGD", "lr", ["learning_rate", "momentum"])
    'SGD has no lr: it is called learning_rate'
    """
    ours = [word for word in NAMES.get(name, "").split() if word in known]
    remedy = f"it is called {ours[0]}" if ours else REMEDIES.get(name)
    return f"{owner} has no {name}" + (f": {remedy}" if remedy else "")


def _check_keywords(owner: str, function: Callable[..., Any], keywords: Mapping[str, Any]) -> None:
    """TypeError for an argument under another library's name."""
    if theirs := keywords.keys() & (NAMES.keys() | REMEDIES.keys()):
        known = signature(function).parameters
        if any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values()):
            return
        for name in sorted(theirs - known.keys()):
            raise TypeError(in_our_words(owner, name, known))


class Constructed:
    """A class whose constructor names our argument in the error for another library's."""

    if not TYPE_CHECKING:  # a type checker would accept any argument

        def __new__(cls, *arguments, **keywords):
            _check_keywords(cls.__name__, cls.__init__, keywords)
            if cls.__init__ is object.__init__ and (arguments or keywords):  # which accepts all beside a __new__
                raise TypeError(f"{cls.__name__} takes no arguments")
            return super().__new__(cls)


class Answering(Constructed):
    """A ``Constructed`` class whose instances do so for attributes, which makes every access a little slower."""

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            raise AttributeError(in_our_words(type(self).__name__, name, dir(self)), name=name, obj=self)


class Theirs:
    """An attribute that another library has, for a class whose attribute access must stay fast."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: object, owner: type) -> NoReturn:
        raise AttributeError(in_our_words(owner.__name__, self.name, dir(owner) + list(vars(instance or owner))))

    def __set__(self, instance: object, number: object) -> NoReturn:
        self.__get__(instance, type(instance))


def answering(function: F) -> F:
    """Decorates a function so that it names our argument in the error for another library's."""

    @wraps(function)
    def answer(*arguments: Any, **keywords: Any) -> Any:
        if keywords:
            _check_keywords(function.__name__, function, keywords)
        return function(*arguments, **keywords)

    return cast("F", answer)


def in_range(
    name: str, number: float, above: float = -inf, at_least: float = -inf, below: float = inf, at_most: float = inf,
    what: str = "it",
) -> float:  # fmt: skip
    """The number as a float. ValueError unless it is finite and within the bounds; TypeError for other types.

    what   what the error calls the number

    >>> in_range("p", 1.5, at_least=0.0, at_most=1.0, what="a probability")
    Traceback (most recent call last):
        ...
    ValueError: p = 1.5: a probability needs to be finite and ≥ 0 and ≤ 1
    """
    x = _as_float(name, number, what, "a number")
    if not (isfinite(x) and above < x < below and at_least <= x <= at_most):
        signs = {">": above, "≥": at_least, "<": below, "≤": at_most}
        rule = " and ".join(["finite", *(f"{sign} {bound:g}" for sign, bound in signs.items() if isfinite(bound))])
        raise ValueError(f"{name} = {number!r}: {what} needs to be {rule}")
    return x


def whole(name: str, number: float) -> int:
    """The number as an int. ValueError unless it is whole and at least 1; TypeError for other types."""
    x = _as_float(name, number, "it", "a whole number of at least 1")
    if not (isfinite(x) and x == int(x) and x >= 1):
        raise ValueError(f"{name} = {number!r}: it needs to be a whole number of at least 1")
    return int(x)


def optional(check: Callable[..., N], name: str, number: Any, **bounds: float) -> N | None:
    """None, or what ``in_range`` or ``whole`` makes of the number.

    >>> optional(whole, "patience", 3.0), optional(whole, "patience", None)
    (3, None)
    """
    return None if number is None else check(name, number, **bounds)


def generator(rng: Random | int | None) -> Random:
    """The ``random.Random`` itself, one seeded with an int, or a fresh one for None. TypeError for other types.

    >>> generator(0).random() == Random(0).random()
    True
    """
    if rng is None:
        return Random()
    if isinstance(rng, SupportsIndex) and not isinstance(rng, bool):
        return Random(index(rng))
    if not isinstance(rng, Random):
        raise TypeError(f"rng = {rng!r}: it needs to be a seed such as 0, a random.Random, or None")
    return rng


def _as_float(name: str, number: object, what: str, kind: str) -> float:
    try:
        return floats.number(number)
    except ValueError:  # beyond the largest float
        return inf
    except TypeError:
        raise TypeError(f"{name} = {number!r}: {what} needs to be {kind}") from None
