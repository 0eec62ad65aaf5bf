"""What makes a film small enough for one page: numbers of four digits, whole numbers on a scale, even choices."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEVELS = 9999  # of a quantised number: what is largest on its scale has four digits


def evenly(n: int, most: int) -> list[int]:
    """At most that many of the places 0 … n − 1, at even distances; the first and the last are among them.

    >>> evenly(10, 4), evenly(3, 4), evenly(5, 1)
    ([0, 3, 6, 9], [0, 1, 2], [0])
    """
    if n <= most:
        return list(range(n))
    return [round(i * (n - 1) / (most - 1)) for i in range(most)] if most > 1 else [0]


def rows_and_columns(rows: int, columns: int, most: int) -> tuple[list[int], list[int]]:
    """Evenly chosen rows and columns of a matrix, with at most that many numbers (four are always left).

    >>> [len(chosen) for chosen in rows_and_columns(50, 784, 4000)]
    [16, 250]
    """
    wide = columns if rows * columns <= most else min(columns, max(2, int(sqrt(most * columns / rows))))
    return evenly(rows, max(2, most // wide)), evenly(columns, wide)


def digits(x: float) -> float | None:
    """The number to four digits; None, JSON's null, for NaN and the infinities.

    >>> digits(0.123456), digits(float("nan"))
    (0.1235, None)
    """
    return float(f"{x:.4g}") if isfinite(x) else None


def quantised(frames: Sequence[Array], *, together: bool = True) -> dict[str, Any]:
    """Numbers as whole numbers from −9999 to 9999, times a ``step`` for each frame.

    together   one scale for all frames, so that they can be compared; else each frame has its own

    The error is at most half a step: 1/20,000 of the largest number on the scale. ∞ counts as the largest float.

    >>> quantised([np.array([0.5, -1.0])])
    {'steps': [0.00010001], 'numbers': [[5000, -9999]]}
    """
    finite = [np.nan_to_num(np.asarray(frame, float).ravel()) for frame in frames]
    sizes = [float(np.max(np.abs(frame), initial=0.0)) for frame in finite]
    if together:
        sizes = [max(sizes)] * len(sizes)
    steps = [float(f"{size / LEVELS:.6g}") for size in sizes]
    numbers = [np.rint(frame / (step or 1.0)).astype(int).tolist() for frame, step in zip(finite, steps)]
    return {"steps": steps, "numbers": numbers}
