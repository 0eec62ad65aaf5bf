"""The slope of a function, measured: what a derivative that was computed by the rules is compared with."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import NamedTuple

STEP = 6e-6  # balances truncation (h²) against rounding (1e-16/h)


class Slope(NamedTuple):
    """A central difference, with what it takes to judge it.

    central    (f(x + h) − f(x − h)) / 2h
    left       (f(x) − f(x − h)) / h
    right      (f(x + h) − f(x)) / h
    is_kink    whether left and right differ, and do not come closer as h shrinks, as curvature makes them do
    error      what rounding and curvature may make of the central difference
    """

    central: float
    left: float
    right: float
    is_kink: bool
    error: float


def slope(function: Callable[[float], float], at: float, step: float = STEP) -> Slope:
    """The central difference of ``function`` with h = step · max(1, |x|), judged by a second one with h/2.

    Where the two do not agree, the function bends within h: smaller steps are tried, and the best is returned.
    """
    middle = function(at)
    found = _measured(function, at, middle, step * max(1.0, abs(at)))
    smaller = [1e-3 * step * max(1.0, abs(at)), 1e-6 * step * max(1.0, abs(at)), 1e-2 * abs(at), step * abs(at)]
    for h in smaller:
        if not found.is_kink and found.error <= 1e-7 * abs(found.central):
            break
        if h:
            finer = _measured(function, at, middle, h)
            if _badness(finer) < _badness(found):
                found = finer
    return found


def _measured(function: Callable[[float], float], at: float, middle: float, h: float) -> Slope:
    def differences(h: float) -> tuple[float, float, float, float]:
        low, high = function(at - h), function(at + h)
        left, right = (middle - low) / h, (high - middle) / h
        rounding = 2.3e-16 * (max(abs(low), abs(middle), abs(high)) + abs(at) * max(abs(left), abs(right))) / h
        return (high - low) / (2.0 * h), left, right, rounding

    central, left, right, _ = differences(h)
    finer, inner_left, inner_right, rounding = differences(0.5 * h)
    gap, inner_gap = abs(right - left), abs(inner_right - inner_left)
    scale = max(abs(left), abs(right), 1e-3)
    is_kink = gap > 1e-3 * scale + 4.0 * rounding and inner_gap > 0.75 * gap
    return Slope(central, left, right, is_kink, 4.0 * abs(central - finer) + rounding)


def _badness(found: Slope) -> float:
    """How far the central difference may be off, as a share of it; a kink is worse than anything else."""
    share = found.error / abs(found.central) if found.central else found.error
    return share if share == share and not found.is_kink else inf
