"""Values as a number system: the rules build graphs, so that derivatives can be differentiated again.

Constants enter as plain floats; what a rule does with floats alone stays a float.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf
from typing import Any

from autograd import primitives
from autograd.number_systems import floats
from autograd.primitives import REAL, TABLE, Primitive, detach, div, exp, greater, maximum
from autograd.value import Operand, Value, apply

divide = div


def __getattr__(name: str) -> Any:
    """What is not defined here is the table's own: its entries are functions on Values."""
    if name in TABLE:
        return TABLE[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def where(condition: Operand, x: Operand, y: Operand) -> Operand:
    if isinstance(condition, Value):  # a node, so that a recorded derivative decides in each run
        return primitives.where(condition, x, y)
    return x if condition else y


def sum(x: Iterable[Operand]) -> Value:
    return primitives.sum(*x)


def hypot(x: Sequence[Operand]) -> Value:
    return primitives.hypot(*x)


def shares(x: Sequence[Operand]) -> list[Value]:
    """1 less [m > xᵢ] for the maximum m, divided by how many are as large."""
    largest = maximum(*x)
    chosen = [1.0 - greater(largest, x_i) for x_i in x]
    return [x_i / sum(chosen) for x_i in chosen]


def times(x: Operand, y: Operand) -> Value:
    """x y, but 0 where y is, even for an infinite or undefined x; a node, so that it is right in each run."""
    return apply(_times, x, y)


_times = Primitive(lambda n, x, y: (n.times(x, y), (y, x)), "×", (REAL, REAL))


def power(x: Operand, p: float) -> Operand:
    return primitives.power(x, p) if isinstance(x, Value) else floats.power(floats.number(x), p)


def pow(x: Operand, y: Operand) -> Operand:
    return primitives.pow(x, y) if isinstance(y, Value) else power(x, floats.number(y))


def logsumexp(z: Sequence[Operand]) -> tuple[Value, list[Value]]:
    """The derivatives are eᶻʲ/Σ eᶻᵏ, each z less the largest of them first."""
    largest = detach(maximum(*z))
    if largest.data == inf:  # inf − inf is undefined, the limit is not
        return primitives.logsumexp(*z), shares(z)
    e = [exp(z_j - largest) for z_j in z]
    total = sum(e)
    return primitives.logsumexp(*z), [e_j / total for e_j in e]
