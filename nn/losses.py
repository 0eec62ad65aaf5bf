"""Loss functions, which measure the error of one example as a single Value, the root of the backward pass.

A loss takes (output, target). The output is a list of Values, or a single Value if the model has one unit. The target
is a number, which the loss validates, or a leaf, whose numbers the caller validates. The loss of a mini-batch is the
mean over its examples. The decorator ``outputs_are`` declares how a loss interprets the outputs of a model.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from math import fsum, isclose, isfinite
from typing import Any, SupportsFloat, SupportsInt, TypeVar

from autograd.functions import dot, log_sigmoid, logsumexp, mean, relu, softplus, sum
from autograd.value import Value
from nn.data import one_hot
from nn.validation import checks_keywords

Output = Value | Sequence[Value]
Loss = Callable[[Any, Any], Value]
L = TypeVar("L", bound=Loss)

# kinds of outputs, with the two labels of a single output unit; for numbers, the labels depend on the targets
OUTPUTS: dict[str, tuple[int, ...]] = {"logits": (0, 1), "probabilities": (0, 1), "scores": (-1, 1), "numbers": ()}


def outputs_are(kind: str) -> Callable[[L], L]:
    """Declare how a loss interprets the outputs of a model, which determines accuracy, predictions and plots.

    "logits"          a single unit above 0 predicts the label 1; among several units, the largest is predicted
    "probabilities"   a single unit above ½ predicts the label 1
    "scores"          the sign of a single unit predicts the label −1 or +1
    "numbers"         a single unit predicts the nearest label; without labels, the task is a regression

    Training also works without this declaration, but reports no metrics. Raises ValueError for an unknown kind.

    >>> @outputs_are("numbers")
    ... def absolute_error(a, y):
    ...     return abs(y - a)
    >>> absolute_error.outputs
    'numbers'
    """
    if kind not in OUTPUTS:
        raise ValueError(f"unknown kind of outputs {kind!r}: choose one of {', '.join(OUTPUTS)}")

    def declare(loss: L) -> L:
        loss.outputs = kind  # type: ignore[attr-defined]
        return loss

    return declare


def without_options(loss: Loss) -> Any:
    """Return the function that a ``partial`` wraps, unless the partial itself declares its outputs."""
    while isinstance(loss, partial) and "outputs" not in vars(loss):
        loss = loss.func
    return loss


@outputs_are("numbers")
@checks_keywords
def half_squared_error(a: Output, y: Any) -> Value:
    """Return ½ Σ_j (y_j − a_j)², the loss on the slides, with ∂L/∂a_j = a_j − y_j.

    >>> half_squared_error([Value(0.0), Value(3.0)], [1.0, 1.0]).data
    2.5
    """
    return 0.5 * sum(_squares(a, y))


@outputs_are("numbers")
@checks_keywords
def mean_squared_error(a: Output, y: Any) -> Value:
    """Return 1/n Σ_j (y_j − a_j)² over the n output units.

    >>> mean_squared_error([Value(0.0), Value(3.0)], [1.0, 1.0]).data
    2.5
    """
    return mean(_squares(a, y))


@outputs_are("logits")
@checks_keywords
def cross_entropy(z: Sequence[Value], target: Any) -> Value:
    """Return −log softmax(z)_y = log(1 + Σ_k≠y exp(z_k − z_y)) for logits z.

    target   a label y, or a probability t_k for each unit, which gives −Σ_k t_k log softmax(z)_k

    Working with differences of logits keeps small losses accurate. Raises ValueError for a single unit, whose softmax
    is always 1, for a label without a unit, and for probabilities that are negative or do not sum to 1.

    >>> z = [Value(0.0), Value(0.0)]
    >>> round(cross_entropy(z, 1).data, 12), round(cross_entropy(z, [0.0, 1.0]).data, 12)
    (0.69314718056, 0.69314718056)
    >>> print(f"{cross_entropy([Value(1e8), Value(1e8 - 20.0)], 0).data:.12e}")
    2.061153620314e-09
    """
    units = units_of(z)
    n = len(units)
    if n == 1:
        remedy = "use binary_cross_entropy, or one unit per class"
        raise ValueError(f"cross_entropy got 1 output unit, whose softmax is always 1: {remedy}")
    probabilities = _probabilities(target, n) if isinstance(target, Iterable) else []
    if any(isinstance(t, Value) for t in probabilities):  # a replay needs the same graph for every target
        z_y = dot(probabilities, units)
        return logsumexp([z_k - z_y for z_k in units])
    y = probabilities.index(max(probabilities)) if probabilities else _label(target, n)
    differences = [0.0 if k == y else z_k - units[y] for k, z_k in enumerate(units)]
    loss: Value = logsumexp(differences)
    rest = [(t_k, d_k) for k, (t_k, d_k) in enumerate(zip(probabilities, differences)) if t_k and k != y]
    return loss - dot(*zip(*rest)) if rest else loss


@outputs_are("logits")
@checks_keywords
def binary_cross_entropy(z: Output, y: Any) -> Value:
    """Return −y log σ(z) − (1 − y) log(1 − σ(z)) for the logit z of a single unit and y in [0, 1].

    Computing it as softplus(z) for y = 0 and softplus(−z) for y = 1 keeps small losses accurate.

    >>> round(binary_cross_entropy(Value(0.0), 1).data, 12), binary_cross_entropy(Value(40.0), 1).data
    (0.69314718056, 4.248354255291589e-18)
    """
    z = _one_unit("binary_cross_entropy", z)
    if isinstance(y, Value):
        return dot([1.0 - y, -y], [softplus(z), log_sigmoid(z)])
    if not isinstance(y, SupportsFloat) or not 0.0 <= (p := float(y)) <= 1.0:
        raise ValueError(f"binary_cross_entropy got the target {y!r}: it must be a number from 0 to 1")
    loss, rest = (softplus(-z), 1.0 - p) if p >= 0.5 else (softplus(z), -p)
    return loss + rest * z if rest else loss


@outputs_are("scores")
@checks_keywords
def hinge(score: Output, y: Any) -> Value:
    """Return max(0, 1 − y · score) for a target y of −1 or +1 and a single output unit.

    >>> hinge(Value(0.25), -1).data
    1.25
    """
    score = _one_unit("hinge", score)
    if not isinstance(y, Value) and y not in (-1, 1):
        raise ValueError(f"hinge got the target {y!r}: it must be −1 or +1")
    return relu(1.0 - y * score)


def mean_loss(
    loss: Loss, outputs: Sequence[Any], targets: Sequence[Any], weights: Sequence[Any] | None = None
) -> Value:
    """Return 1/m Σ w L over m ≥ 1 examples, with weights w = 1 by default. Raises ValueError for unequal lengths."""
    m = len(outputs)
    if m != len(targets) or not m:
        raise ValueError(
            f"{m} outputs and {len(targets)} targets do not match: pass one target per output, and at least one"
        )
    losses = [loss(output, y) for output, y in zip(outputs, targets)]
    return mean(losses) if weights is None else dot(weights, losses) / m


def units_of(output: Any) -> list[Any]:
    """Return the units of an output, or the numbers of a target, as a list, even if there is only one."""
    return list(output) if isinstance(output, Iterable) else [output]


def to_feed(loss: Loss, targets: Sequence[Any], output: Output) -> tuple[Loss, Sequence[Any]]:
    """Return the loss and its targets in a form that gives all labels the same graph, with targets as leaves.

    output   the output of one example, which gives the number of units

    >>> to_feed(cross_entropy, [1, 0], [Value(0.0), Value(0.0)])[1]
    [[0.0, 1.0], [1.0, 0.0]]
    """
    if loss is cross_entropy:
        n = len(units_of(output))
        return loss, [list(t) if isinstance(t, Iterable) else one_hot(t, n) for t in targets]
    if loss is binary_cross_entropy and all(y in (0, 1) for y in targets):
        name = "binary_cross_entropy"
        return lambda z, sign: softplus(sign * _one_unit(name, z)), [1.0 - 2.0 * y for y in targets]
    return loss, targets


LOSSES = (binary_cross_entropy, cross_entropy, half_squared_error, hinge, mean_squared_error)
BY_NAME: dict[str, Loss] = {loss.__name__: loss for loss in LOSSES}


def _label(label: Any, n: int) -> int:
    if type(label) is int and 0 <= label < n:  # a shortcut: the checks below take as long as creating a node
        return label
    if not isinstance(label, SupportsInt) or label != label or int(label) != label or not 0 <= label < n:
        raise ValueError(f"label {label!r} is out of range: {n} output units have the labels 0 … {n - 1}")
    return int(label)


def _probabilities(target: Iterable[Any], n: int) -> list[Any]:
    probabilities = list(target)
    good = [isinstance(t, Value) or (isinstance(t, SupportsFloat) and float(t) >= 0.0) for t in probabilities]
    fed = any(isinstance(t, Value) for t in probabilities)
    if len(probabilities) != n or not all(good) or not (fed or isclose(fsum(probabilities), 1.0, rel_tol=1e-9)):
        rule = f"{n} output units need {n} probabilities ≥ 0 that sum to 1"
        raise ValueError(f"cross_entropy got the target {probabilities!r}: {rule}")
    return probabilities


def _one_unit(loss: str, output: Output) -> Value:
    units: list[Value] = units_of(output)
    if len(units) != 1:
        raise ValueError(f"{loss} got {len(units)} output units: it needs one; use cross_entropy for several classes")
    return units[0]


def _squares(a: Output, y: Any) -> list[Value]:
    units, targets = units_of(a), units_of(y)
    if (n := len(units)) != len(targets):
        raise ValueError(f"{n} output units, but {len(targets)} targets: a squared error needs one target per unit")
    for y_j in targets:
        if not isinstance(y_j, Value) and not (isinstance(y_j, SupportsFloat) and isfinite(y_j)):
            raise ValueError(f"a squared error got the target {y_j!r}: it must be a finite number")
    return [(y_j - a_j) ** 2 for a_j, y_j in zip(units, targets)]
