"""Measures the slope of a function by finite differences, to check a derivative that the rules computed."""

from collections.abc import Callable
from math import inf
from typing import NamedTuple

STEP = 6e-6  # balances truncation (h²) against rounding (1e-16/h)
LAST_DIGIT, TINIEST = 2.3e-16, 5e-324  # the spacing of floats at 1, rounded up; the smallest positive float


class Slope(NamedTuple):
    """A central difference, with estimates of its quality."""

    central: float  # (f(x + h) − f(x − h)) / 2h
    left: float  # (f(x) − f(x − h)) / h
    right: float  # (f(x + h) − f(x)) / h
    is_kink: bool  # left and right differ, and do not converge as h shrinks, as those of a smooth curve would
    error: float  # of the central difference, from rounding and curvature
    is_resolved: bool  # f exceeds its rounding error, and a finer step agrees, so f does not oscillate in between

    def allowed(self, derivative: float, tolerance: float) -> float:
        """Return the allowed difference: ``tolerance`` times the larger of the two derivatives, plus the error."""
        return tolerance * max(abs(self.central), abs(derivative)) + self.error


def slope(function: Callable[[float], float], at: float, step: float = STEP, rounding: float = 0.0) -> Slope:
    """Return the central difference of ``function`` with h = step · max(1, |x|), compared with a second one at h/2.

    If the two disagree, the slope changes within h: smaller steps are tried, and the best result is returned.
    rounding   the rounding error of a value of the function, if it exceeds the last digit
    """
    middle, first = function(at), step * max(1.0, abs(at))
    found = _measured(function, at, middle, first, rounding)
    for h in (1e-3 * first, 1e-6 * first, 1e-2 * abs(at), step * abs(at)):
        if not found.is_kink and found.error <= 1e-7 * abs(found.central):
            break
        if at + h != at:
            finer = _measured(function, at, middle, h, rounding)
            worst = 0.1 * abs(found.right - found.left)  # only a step that would show a kink may rule it out
            is_better = finer.error < worst if found.is_kink else _badness(finer) < _badness(found)
            if is_better and not finer.is_kink:
                found = finer
    return found


def _badness(found: Slope) -> tuple[float, float]:
    """Return the relative and the absolute error of the central difference; NaN counts as infinite."""
    if found.error != found.error:
        return inf, inf
    return min(found.error / abs(found.central), 1.0) if found.central else 1.0, found.error


def _measured(function: Callable[[float], float], at: float, middle: float, h: float, rounding: float) -> Slope:
    def differences(h: float) -> tuple[float, float, float, float]:
        low, high = at - h, at + h
        below, above = function(low), function(high)
        size = max(abs(below), abs(middle), abs(above))
        left, right = (middle - below) / (at - low), (above - middle) / (high - at)
        return (above - below) / (high - low), left, right, size

    central, left, right, _ = differences(h)
    finer, inner_left, inner_right, size = differences(0.5 * h)
    noise = max(rounding, LAST_DIGIT * size, TINIEST) / (0.5 * h)
    gap, inner_gap = abs(right - left), abs(inner_right - inner_left)
    is_kink = gap > 1e-3 * max(abs(left), abs(right)) + 4.0 * noise and inner_gap > 0.75 * gap
    bend = 4.0 * abs(central - finer)
    is_resolved = not is_kink and rounding <= 1e-2 * size and bend <= 1e-2 * abs(central) + 4.0 * noise
    return Slope(central, left, right, is_kink, bend + noise, is_resolved)
