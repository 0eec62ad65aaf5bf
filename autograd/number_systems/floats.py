"""Python floats as a number system, on which the eager engine runs the rules.

Every function follows IEEE 754: a value that does not exist is NaN or infinite, and no function raises. The caller of
the rule, ``autograd.value.apply``, checks the result and raises an error that names the operation and its operands.
Sigmoid, softplus and logsumexp are defined here in their stable forms.
"""

from __future__ import annotations

import math
import sys
from builtins import sum as _sum
from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from math import atan as atan, atan2 as atan2, erf as erf, erfc as erfc, fabs as abs, tanh as tanh
from typing import Any, SupportsFloat

from autograd.text import shown

nan, inf = math.nan, math.inf


class _Zero(float):
    """A start value that makes Python 3.12's ``sum`` add as in 3.11, without compensating for rounding."""


if sys.version_info >= (3, 12):
    _ZERO = _Zero()

    def sum(x: Iterable[float]) -> float:
        """Return x₁ + x₂ + … from left to right: the same on every Python, in half the time of ``math.fsum``."""
        return _sum(x, _ZERO) + 0.0

else:
    sum = _sum


def number(thing: Any) -> float:
    """Convert one real number (int, bool, Fraction, Decimal, NumPy scalar) to float. Raises TypeError otherwise."""
    try:
        if isinstance(thing, (float, int)):
            return float(thing)
        kind = getattr(getattr(thing, "dtype", None), "kind", "f")  # NumPy has text, dates and complex numbers too
        if kind == "O" and thing.shape == ():
            return number(thing.item())
        is_one = kind in "biuf" and not getattr(thing, "shape", ()) and not isinstance(thing, (str, complex))
        if is_one and isinstance(thing, SupportsFloat):
            return float(thing)
    except (TypeError, ValueError):  # it is not a number, or its __float__ raises
        pass
    except OverflowError:
        raise ValueError("the integer is beyond the largest float, 1.8e308, and a Value holds a float") from None
    raise TypeError(
        f"a Value is one real number, not {shown(thing)} ({type(thing).__name__}); "
        "create one Value for each number of a list or an array"
    )


def _ieee(function: Callable[[float], float], pole: float = nan) -> Callable[[float], float]:
    """Return a function that returns −∞ at the pole, NaN for any other ValueError, and ∞ for an OverflowError."""

    def run(x: float) -> float:
        try:
            return function(x)
        except ValueError:
            return -inf if x == pole else nan
        except OverflowError:
            return inf

    return run


exp, expm1, cosh, sin, cos, tan = map(_ieee, (math.exp, math.expm1, math.cosh, math.sin, math.cos, math.tan))
asin, acos = map(_ieee, (math.asin, math.acos))
log, log2, log1p = _ieee(math.log, pole=0.0), _ieee(math.log2, pole=0.0), _ieee(math.log1p, pole=-1.0)


def sqrt(x: float) -> float:
    return math.sqrt(x) + 0.0 if x >= 0.0 else nan  # √−0 = 0, without the sign: the slope 1/(2√x) is +∞ there


def floor(x: float) -> float:
    return x // 1.0 if x - x == 0.0 else x


def detach(x: float) -> float:
    return x


def hypot(x: Sequence[float]) -> float:
    return math.hypot(*x)


def sinh(x: float) -> float:
    try:
        return math.sinh(x)
    except OverflowError:
        return math.copysign(inf, x)


def sigmoid(z: float) -> float:
    # the exponent is never positive, so nothing overflows
    if z >= 0.0:
        return 1.0 / (1.0 + math.exp(-z))
    e = math.exp(z)
    return e / (1.0 + e)


def softplus(z: float) -> float:
    return max(z, 0.0) + math.log1p(math.exp(-abs(z)))


def heaviside(x: float, at_zero: float) -> float:
    """Return 0 for x < 0, 1 for x > 0, ``at_zero`` for x = 0."""
    if x > 0.0:
        return 1.0
    if x < 0.0:
        return 0.0
    return at_zero if x == 0.0 else nan


def greater(x: float, y: float) -> float:
    return 1.0 if x > y else 0.0 if x <= y else nan


def shares(x: Sequence[float]) -> list[float]:
    """Return each operand's share in the maximum: 1 for the largest, equal shares in a tie."""
    largest = reduce(maximum, x)
    if largest != largest:
        return [nan] * len(x)
    share = 1.0 / x.count(largest)
    return [share if x_i == largest else 0.0 for x_i in x]


def clamp(x: float, low: float, high: float) -> float:
    return minimum(maximum(x, low), high) if low <= high else nan


def maximum(x: float, y: float) -> float:
    return x if x >= y else y if y > x else nan


def minimum(x: float, y: float) -> float:
    return x if x <= y else y if y < x else nan


def where(condition: float, x: float, y: float) -> float:
    return x if condition else y


def divide(x: float, y: float) -> float:
    try:
        return x / y
    except ZeroDivisionError:
        if x == 0.0 or x != x:
            return nan
        return math.copysign(inf, x) * math.copysign(1.0, y)


def times(x: float, y: float) -> float:
    """Return x y, but 0 if y is 0, even for an infinite x."""
    return x * y if y else 0.0


def power(x: float, p: float) -> float:
    """Return xᵖ for a constant p; a negative base needs an integer exponent."""
    try:
        return math.pow(x, p)
    except OverflowError:
        return -inf if x < 0.0 and math.fmod(p, 2.0) else inf  # p is an even or odd integer
    except ValueError:
        if x == 0.0:  # and p < 0
            return math.copysign(inf, x) if math.fabs(math.fmod(p, 2.0)) == 1.0 else inf  # exact, unlike %
        return nan


def pow(x: float, y: float) -> float:
    """Return xʸ for x ≥ 0."""
    return nan if x < 0.0 else power(x, y)


def logsumexp(z: Sequence[float]) -> tuple[float, Sequence[float]]:
    """Return log Σ eᶻ, exact to rounding even if one eᶻ is nearly the whole sum, and its derivatives, the softmax."""
    largest = max(z)
    if largest - largest != 0.0:
        value = nan if any(z_j != z_j for z_j in z) else largest
        return value, shares(z) if value == inf else [nan] * len(z)
    e = [math.exp(z_j - largest) for z_j in z]
    total = sum(e)
    softmax = [e_j / total for e_j in e]
    e.remove(1.0)  # the largest
    return largest + math.log1p(sum(e)), softmax
