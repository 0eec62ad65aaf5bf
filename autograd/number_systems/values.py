"""Values as a number system: the rules build graphs, so that derivatives can be differentiated again.

Constants enter as plain floats; what a rule does with floats alone stays a float.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from autograd import primitives
from autograd.number_systems import floats
from autograd.primitives import (
    abs,
    atan,
    cos,
    cosh,
    div,
    erfc,
    exp,
    expm1,
    log,
    log1p,
    maximum,
    minimum,
    sigmoid,
    sin,
    sinh,
    softplus,
    sqrt,
    tan,
    tanh,
)
from autograd.value import Operand, Value

__all__ = [
    "abs", "atan", "cos", "cosh", "divide", "erfc", "exp", "expm1", "log", "log1p", "maximum", "minimum", "sigmoid",
    "sin", "sinh", "softplus", "sqrt", "tan", "tanh",
]  # fmt: skip

divide = div


def heaviside(x: Operand, at_zero: float) -> float:
    """A step is flat on both sides: a number, with no derivative of its own."""
    return floats.heaviside(float(x), at_zero)


def where(condition: Operand, x: Operand, y: Operand) -> Operand:
    return x if condition else y


def sum(x: Iterable[Operand]) -> Value:
    return primitives.sum(*x)


def power(x: Operand, p: float) -> Operand:
    return primitives.power(x, p) if isinstance(x, Value) else floats.power(float(x), p)


def pow(x: Operand, y: Operand) -> Operand:
    return primitives.pow(x, y) if isinstance(y, Value) else power(x, float(y))


def logsumexp(z: Sequence[Operand]) -> Value:
    return primitives.logsumexp(*z)
