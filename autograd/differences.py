"""The slope of a function, measured: what a derivative that was computed by the rules is compared with."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

STEP = 6e-6  # balances truncation (h²) against rounding (1e-16/h)


class Slope(NamedTuple):
    """A central difference, with the one-sided differences that it is the mean of."""

    central: float
    left: float
    right: float
    h: float
    rounding: float

    @property
    def is_kink(self) -> bool:
        """Whether the slopes to the left and to the right differ by more than curvature and rounding explain."""
        scale = max(abs(self.left), abs(self.right), 1e-3)
        return abs(self.right - self.left) > 1e-3 * scale + 4.0 * self.rounding / self.h


def slope(function: Callable[[float], float], at: float, step: float = STEP) -> Slope:
    """The central difference of ``function``: (f(x + h) − f(x − h)) / 2h, where h = step · max(1, |x|)."""
    h = step * max(1.0, abs(at))
    low, middle, high = function(at - h), function(at), function(at + h)
    rounding = 2.3e-16 * max(abs(low), abs(middle), abs(high))
    return Slope((high - low) / (2.0 * h), (middle - low) / h, (high - middle) / h, h, rounding)
