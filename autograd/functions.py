"""The functions on Values: every entry of the table, and functions composed of its entries."""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt as root
from typing import TYPE_CHECKING, Any

from autograd import primitives
from autograd.operands import listed, number_of
from autograd.table import TABLE as TABLE, Primitive
from autograd.text import counted, shown
from autograd.value import Operand, Value, apply

if TYPE_CHECKING:

    class Function(Primitive):
        """An entry of the table, as called by a user."""

        def __call__(self, *operands: Operand | Iterable[Operand]) -> Value:
            raise NotImplementedError

    def __getattr__(name: str) -> Function: ...

else:
    from autograd.primitives import *  # noqa: F403


def named(**values: Operand) -> Any:
    """Name values by keyword and return them in the same order, as a tuple if there is more than one.

    A value that already has a name keeps it, and the new name is given to an identity node on top of it, as in
    x = r on the slide. Names are labels, never keys.

    >>> r, s = Value(2.0, "r"), Value(3.0, "s")
    >>> x, y = named(x=r, y=r * s)
    >>> x.parents == (r,), y.name
    (True, 'y')
    """
    nodes = []
    for name, value in values.items():
        node = value if isinstance(value, Value) else Value(value)
        node = node if node.name is None else +node
        node.name = name
        nodes.append(node)
    return nodes[0] if len(nodes) == 1 else tuple(nodes)


def mean(x: Iterable[Operand]) -> Value:
    """Return (x₁ + … + xₙ)/n. Raises ValueError for an empty list.

    >>> mean([Value(1.0), Value(3.0)]).data
    2.0
    """
    x = _operands("mean", x)
    return apply(primitives.sum, *x) * (1.0 / len(x))


def std(x: Iterable[Operand], correction: int = 1) -> Value:
    """Return √(Σ (xᵢ − mean x)²/(n − correction)), the standard deviation; its derivative is 0 if all xᵢ are equal.

    correction   1 for a sample, as in PyTorch and pandas; 0 for a whole population, as in NumPy

    >>> std([Value(1.0), Value(3.0)], correction=0).data
    1.0
    """
    x = _operands("std", x, at_least=correction + 1)
    middle = mean(x)
    return norm([x_i - middle for x_i in x]) * (1.0 / root(len(x) - correction))


def norm(x: Iterable[Operand]) -> Value:
    """Return √(x₁² + … + xₙ²), computed without overflow; the derivative at the origin is 0.

    >>> norm([Value(3.0), Value(4.0)]).data
    5.0
    """
    return apply(primitives.hypot, *_operands("norm", x))


def softmax(z: Iterable[Operand]) -> list[Value]:
    """Return the list of all pⱼ = eᶻʲ / Σₖ eᶻᵏ, computed as exp(log_softmax z).

    >>> [round(p.data, 12) for p in softmax([Value(0.0), Value(0.0)])]
    [0.5, 0.5]
    """
    return [log_p.exp() for log_p in log_softmax(z)]


def log_softmax(z: Iterable[Operand]) -> list[Value]:
    """Return the list of all log pⱼ = zⱼ − log Σₖ eᶻᵏ.

    Large logits lose no digits, because their maximum is subtracted first.

    >>> [round(log_p.data, 6) for log_p in log_softmax([Value(0.0), Value(1000.0)])]
    [-1000.0, 0.0]
    """
    z = _operands("softmax", z)
    largest = apply(primitives.maximum, *z).detach()
    less = [apply(primitives.sub, z_j, largest) for z_j in z]
    normaliser = apply(primitives.logsumexp, *less)
    return [z_j - normaliser for z_j in less]


def _operands(name: str, x: Any, at_least: int = 1) -> list[Any]:
    operands = listed(x)
    if operands is None:
        raise TypeError(f"{name} takes a list of numbers or Values, not {shown(x)}")
    if len(operands) < at_least:
        raise ValueError(f"{name} needs at least {counted(at_least, 'operand')}, not {len(operands)}")
    return operands


def leaky_relu(z: Any, slope: float = 0.01) -> Value:
    """Return z for z > 0, else ``slope`` · z; the derivative at 0 is ``slope``.

    >>> leaky_relu(Value(-2.0), slope=0.5).data
    -1.0
    """
    slope = slope if isinstance(slope, Value) else number_of(slope)
    positive = apply(primitives.relu, z)
    return apply(primitives.mul, slope, z) + (1.0 - slope) * positive if slope else positive
