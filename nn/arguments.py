"""What a setting needs to be: a number that is none, or outside its bounds, is named before it reaches any node."""

from __future__ import annotations

from math import inf, isfinite
from typing import SupportsFloat


def in_range(
    name: str, number: float, above: float = -inf, at_least: float = -inf, below: float = inf, at_most: float = inf,
    what: str = "it",
) -> float:  # fmt: skip
    """The number as a float, if it is finite and within the bounds.

    what   the number in words, for the error

    Raises ValueError, TypeError for what is no number.

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
    """The number as an int, if it is whole and at least 1. Raises ValueError, TypeError for what is no number."""
    x = _as_float(name, number, "it", "a whole number of at least 1")
    if not (isfinite(x) and x == int(x) and x >= 1):
        raise ValueError(f"{name} = {number!r}: it needs to be a whole number of at least 1")
    return int(x)


def _as_float(name: str, number: object, what: str, kind: str) -> float:
    if not isinstance(number, SupportsFloat):
        raise TypeError(f"{name} = {number!r}: {what} needs to be {kind}")
    try:
        return float(number)
    except OverflowError:  # as of 10 ** 400
        return inf
