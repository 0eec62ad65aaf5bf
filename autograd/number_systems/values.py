"""Values as a number system: the rules build graphs, so that derivatives can be differentiated again.

Constants are plain floats, and operations on floats only return floats.
"""

from collections.abc import Sequence
from math import inf
from typing import Any

from autograd import primitives
from autograd.node import Node
from autograd.number_systems import floats
from autograd.primitives import detach, exp, greater, maximum, sum
from autograd.table import REAL, TABLE, Primitive
from autograd.value import Operand, Value, apply


class Lenient(Primitive):
    """An entry for use in local derivatives, where an infinity is not a fault, because a closed gate may stop it."""

    def __init__(self, entry: Primitive) -> None:
        vars(self).update(vars(entry))

    def check_fault(self, node: Node) -> None:
        """Accept any number."""


_div, _power, _pow = Lenient(primitives.div), Lenient(primitives.power), Lenient(primitives.pow)
_times = Primitive(lambda n, x, y: (n.times(x, y), (y, x)), "×", (REAL, REAL), gate=True, factors="all")
_gated = Primitive(
    lambda n, x, y: (n.where(x, n.times(x, y), 0.0), (y, x)), "×", (REAL, REAL), gate=True, factors="all"
)
_times.name = _gated.name = "mul"


def __getattr__(name: str) -> Any:
    """Return the table's entry, a function on Values, for names that this module does not define."""
    if name in TABLE:
        return TABLE[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def where(condition: Operand, x: Operand, y: Operand) -> Operand:
    if isinstance(condition, Value):  # a node, so that a recorded derivative decides again in each run
        return apply(primitives.where, condition, x, y)
    return x if condition else y


def shares(x: Sequence[Operand]) -> list[Value]:
    """Return 1 − [m > xᵢ] for the maximum m, divided by the number of operands that equal m."""
    largest = maximum(*x)
    chosen = [1.0 - greater(largest, x_i) for x_i in x]
    return [x_i / sum(chosen) for x_i in chosen]


def times(x: Operand, y: Operand) -> Value:
    """Return x y, but 0 if y is 0, even for an infinite or undefined x, which then receives no derivative."""
    return apply(_times, x, y)


def gated(x: Operand, y: Operand) -> Value:
    """Return x y, but 0 if either is 0."""
    return apply(_gated, x, y)


def divide(x: Operand, y: Operand) -> Value:
    return apply(_div, x, y)


def power(x: Operand, p: float) -> Operand:
    return apply(_power, x, p) if isinstance(x, Value) else floats.power(floats.number(x), p)


def pow(x: Operand, y: Operand) -> Operand:
    return apply(_pow, x, y) if isinstance(y, Value) else power(x, floats.number(y))


def logsumexp(z: Sequence[Operand]) -> tuple[Value, list[Value]]:
    """Return log Σ eᶻ and its derivatives eᶻʲ/Σ eᶻᵏ, after subtracting the largest z."""
    largest = detach(maximum(*z))
    if largest.data == inf:  # inf − inf is undefined, but the limit exists
        return primitives.logsumexp(*z), shares(z)
    e = [exp(z_j - largest) for z_j in z]
    total = sum(e)
    return primitives.logsumexp(*z), [e_j / total for e_j in e]
