"""Python floats as a number system: what the eager engine runs the rules on.

Every function follows IEEE 754: where a value does not exist it is NaN or infinite, and nothing is raised here.
Whoever ran the rule looks at the result and names the fault (``autograd.value.apply``).
The stable forms of sigmoid, softplus and logsumexp stand here once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from math import atan, erfc, tanh
from math import cos as _cos
from math import sin as _sin
from typing import Any, SupportsFloat

__all__ = ["atan", "erfc", "sum", "tanh"]

sum = sum
nan, inf = math.nan, math.inf


def number(thing: Any) -> float:
    """One real number as a float: int, bool, Fraction, a NumPy scalar. TypeError for anything else."""
    if isinstance(thing, (float, int)):
        return float(thing)
    if isinstance(thing, SupportsFloat) and not getattr(thing, "shape", ()):  # an array is not one number
        return float(thing)
    raise TypeError(
        f"a Value is one real number, not {thing!r} ({type(thing).__name__}); "
        "make one Value for each number of a list or an array"
    )


def exp(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return inf


def log(x: float) -> float:
    if x > 0.0:
        return math.log(x)
    return -inf if x == 0.0 else nan


def log1p(x: float) -> float:
    if x > -1.0:
        return math.log1p(x)
    return -inf if x == -1.0 else nan


def expm1(x: float) -> float:
    try:
        return math.expm1(x)
    except OverflowError:
        return inf


def sqrt(x: float) -> float:
    return math.sqrt(x) + 0.0 if x >= 0.0 else nan  # √−0 = 0, without the sign: the slope 1/(2√x) is +∞ there


def sin(x: float) -> float:
    return _sin(x) if x - x == 0.0 else nan


def cos(x: float) -> float:
    return _cos(x) if x - x == 0.0 else nan


def tan(x: float) -> float:
    return math.tan(x) if x - x == 0.0 else nan


def sinh(x: float) -> float:
    try:
        return math.sinh(x)
    except OverflowError:
        return math.copysign(inf, x)


def cosh(x: float) -> float:
    try:
        return math.cosh(x)
    except OverflowError:
        return inf


def sigmoid(z: float) -> float:
    # the exponent is never positive, so nothing overflows
    if z >= 0.0:
        return 1.0 / (1.0 + math.exp(-z))
    e = math.exp(z)
    return e / (1.0 + e)


def softplus(z: float) -> float:
    return max(z, 0.0) + math.log1p(math.exp(-math.fabs(z)))


def abs(x: float) -> float:
    return math.fabs(x)


def heaviside(x: float, at_zero: float) -> float:
    """0 left of zero, 1 right of it, ``at_zero`` in between."""
    if x > 0.0:
        return 1.0
    if x < 0.0:
        return 0.0
    return at_zero if x == 0.0 else nan


def maximum(x: float, y: float) -> float:
    if x >= y:
        return x
    return y if y > x else nan


def minimum(x: float, y: float) -> float:
    if x <= y:
        return x
    return y if y < x else nan


def where(condition: float, x: float, y: float) -> float:
    return x if condition else y


def divide(x: float, y: float) -> float:
    try:
        return x / y
    except ZeroDivisionError:
        if x == 0.0 or x != x:
            return nan
        return math.copysign(inf, x) * math.copysign(1.0, y)


def power(x: float, p: float) -> float:
    """xᵖ for a constant p: a negative base takes a whole exponent."""
    try:
        return math.pow(x, p)
    except OverflowError:
        return -inf if x < 0.0 and math.fmod(p, 2.0) else inf  # p is whole: even, or odd
    except ValueError:
        if x == 0.0:  # and p < 0
            return math.copysign(inf, x) if math.fabs(math.fmod(p, 2.0)) == 1.0 else inf  # exact, as % is not
        return nan


def pow(x: float, y: float) -> float:
    """xʸ for x ≥ 0."""
    return nan if x < 0.0 else power(x, y)


def logsumexp(z: Sequence[float]) -> float:
    largest = max(z)
    if largest - largest != 0.0:
        return nan if any(z_j != z_j for z_j in z) else largest
    return largest + math.log(sum([math.exp(z_j - largest) for z_j in z]))
