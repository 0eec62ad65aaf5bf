"""The functions that a user calls on Values: the whole table, and what is composed of its entries."""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt as root
from typing import TYPE_CHECKING, Any

from autograd import primitives
from autograd.operands import listed, number_of
from autograd.table import TABLE as TABLE, Primitive
from autograd.text import shown
from autograd.value import Operand, Value, apply

if TYPE_CHECKING:

    class Function(Primitive):
        """An entry of the table as a user calls it."""

        def __call__(self, *operands: Operand | Iterable[Operand]) -> Value:
            raise NotImplementedError

    def __getattr__(name: str) -> Function: ...

else:
    from autograd.primitives import *  # noqa: F403


def named(**values: Operand) -> Any:
    """Name values by keyword and return them in that order; one keyword returns the value itself.

    A name stays: a value that has one gets an identity node on top for the new name, the slide's x = r.
    Names are labels, never keys.

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
    """(x₁ + … + xₙ)/n. ValueError for no operands.

    >>> mean([Value(1.0), Value(3.0)]).data
    2.0
    """
    x = _operands("mean", x)
    return apply(primitives.sum, *x) * (1.0 / len(x))


def std(x: Iterable[Operand], correction: int = 1) -> Value:
    """√(Σ (xᵢ − mean x)²/(n − correction)), the standard deviation; derivative 0 where all are equal.

    correction   1 for a sample, as in PyTorch and pandas; 0 for a whole population, as in NumPy

    >>> std([Value(1.0), Value(3.0)], correction=0).data
    1.0
    """
    x = _operands("std", x, at_least=correction + 1)
    middle = mean(x)
    return norm([x_i - middle for x_i in x]) * (1.0 / root(len(x) - correction))


def norm(x: Iterable[Operand]) -> Value:
    """√(x₁² + … + xₙ²), without overflow; the derivative at the origin is 0.

    >>> norm([Value(3.0), Value(4.0)]).data
    5.0
    """
    return apply(primitives.hypot, *_operands("norm", x))


def softmax(z: Iterable[Operand]) -> list[Value]:
    """pⱼ = eᶻʲ / Σₖ eᶻᵏ, computed as exp(log_softmax z); a list of n Values.

    >>> [round(p.data, 12) for p in softmax([Value(0.0), Value(0.0)])]
    [0.5, 0.5]
    """
    return [log_p.exp() for log_p in log_softmax(z)]


def log_softmax(z: Iterable[Operand]) -> list[Value]:
    """log pⱼ = zⱼ − log Σₖ eᶻᵏ; a list of n Values. Large logits lose no digits: their maximum is taken off first.

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
        raise TypeError(f"{name} of {shown(x)}: it takes a list of numbers or Values")
    if len(operands) < at_least:
        raise ValueError(f"{name} of {len(operands) or 'no'} operands: it needs at least {at_least or 'one'}")
    return operands


def leaky_relu(z: Any, slope: float = 0.01) -> Value:
    """z for z > 0, ``slope`` · z else; the derivative at 0 is ``slope``.

    >>> leaky_relu(Value(-2.0), slope=0.5).data
    -1.0
    """
    slope = slope if isinstance(slope, Value) else number_of(slope)
    positive = apply(primitives.relu, z)
    return apply(primitives.mul, slope, z) + (1.0 - slope) * positive if slope else positive
