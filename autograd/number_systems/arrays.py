"""NumPy arrays as a number system: the rules run on many nodes at once.

The functions are IEEE 754's, as in ``floats``; callers hold ``np.errstate`` and look at the results.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import reduce
from operator import add

import numpy as np
from numpy import arctan as atan
from numpy import cos, cosh, divide, exp, expm1, heaviside, log, log1p, maximum, minimum, sin, sinh, tan, tanh
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

__all__ = [
    "atan", "cos", "cosh", "divide", "exp", "expm1", "heaviside", "log", "log1p", "maximum", "minimum", "sin", "sinh",
    "tan", "tanh",
]  # fmt: skip


def sum(x: Iterable[Array]) -> Array:
    return reduce(add, x)


def sqrt(x: Array) -> Array:
    return np.sqrt(x) + 0.0  # √−0 = 0, as in ``floats``


def sigmoid(z: Array) -> Array:
    e = np.exp(-np.abs(z))  # the exponent is never positive, so nothing overflows
    return np.where(z >= 0.0, 1.0, e) / (1.0 + e)


def softplus(z: Array) -> Array:
    return np.maximum(z, 0.0) + np.log1p(np.exp(-np.abs(z)))


def erfc(x: Array) -> Array:
    """Number by number: NumPy has none."""
    return np.fromiter(map(math.erfc, np.ravel(x).tolist()), np.float64, np.size(x)).reshape(np.shape(x))


def abs(x: Array) -> Array:
    return np.abs(x)


def where(condition: ArrayLike, x: ArrayLike, y: ArrayLike) -> Array:
    return np.where(np.not_equal(condition, 0.0), x, y)


def power(x: Array, p: ArrayLike) -> Array:
    return np.power(x, np.asarray(p, dtype=np.float64))


def pow(x: Array, y: Array) -> Array:
    return np.where(np.less(x, 0.0), np.nan, power(x, y))  # not NaN⁰, which is 1


def logsumexp(z: Sequence[Array]) -> Array:
    largest = reduce(np.maximum, z)
    shift = np.where(np.isfinite(largest), largest, 0.0)  # −∞ − −∞ would be NaN
    return shift + np.log(sum(np.exp(z_j - shift) for z_j in z))
