"""NumPy arrays as a number system: the rules run on many nodes at once.

The functions follow IEEE 754, as in ``floats``; callers set ``np.errstate`` and check the results.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from operator import add

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

divide, exp, expm1, floor, log, log1p, log2 = np.divide, np.exp, np.expm1, np.floor, np.log, np.log1p, np.log2
sin, cos, tan, asin, acos, atan, atan2 = np.sin, np.cos, np.tan, np.arcsin, np.arccos, np.arctan, np.arctan2
sinh, cosh, tanh, heaviside, maximum, minimum = np.sinh, np.cosh, np.tanh, np.heaviside, np.maximum, np.minimum
abs = np.abs


def sum(x: Iterable[Array]) -> Array:
    return reduce(add, x)


def sqrt(x: Array) -> Array:
    return np.sqrt(x) + 0.0  # √−0 = 0, as in ``floats``


def sigmoid(z: Array) -> Array:
    e = np.exp(-np.abs(z))  # the exponent is never positive, so nothing overflows
    return np.where(z >= 0.0, 1.0, e) / (1.0 + e)


def softplus(z: Array) -> Array:
    return np.logaddexp(0.0, z)  # log(e⁰ + eᶻ)


def _each(function: Callable[[float], float]) -> Callable[[Array], Array]:
    """Return a function of arrays that NumPy lacks; it calls ``function`` on each number."""
    return lambda x: np.fromiter(map(function, np.ravel(x).tolist()), np.float64, np.size(x)).reshape(np.shape(x))


erf, erfc = map(_each, (math.erf, math.erfc))


def detach(x: Array) -> Array:
    return x


def greater(x: ArrayLike, y: ArrayLike) -> Array:
    return np.where(np.isnan(x) | np.isnan(y), np.nan, np.greater(x, y))


def shares(x: Sequence[ArrayLike]) -> list[Array]:
    """Return each operand's share in the maximum: 1 for the largest, equal shares in a tie."""
    largest = reduce(np.maximum, x)
    chosen = [np.where(np.isnan(largest), np.nan, np.equal(x_i, largest)) for x_i in x]
    count = sum(chosen)
    return [x_i / count for x_i in chosen]


def clamp(x: Array, low: ArrayLike, high: ArrayLike) -> Array:
    return np.where(np.greater(low, high), np.nan, np.minimum(np.maximum(x, low), high))


def hypot(x: Sequence[Array]) -> Array:
    return reduce(np.hypot, x, np.zeros(()))  # |x| for one operand


def where(condition: ArrayLike, x: ArrayLike, y: ArrayLike) -> Array:
    return np.where(np.not_equal(condition, 0.0), x, y)


def times(x: Array, y: Array) -> Array:
    """Return x y, but 0 where y is 0, even for an infinite x."""
    return np.where(np.equal(y, 0.0), 0.0, x * y)


def power(x: Array, p: ArrayLike) -> Array:
    return np.power(x, np.asarray(p, dtype=np.float64))


def pow(x: Array, y: Array) -> Array:
    return np.where(np.less(x, 0.0), np.nan, power(x, y))  # NaN, not NaN⁰ = 1


def logsumexp(z: Sequence[Array]) -> tuple[Array, Sequence[Array]]:
    """Return log Σ eᶻ and the softmax, as in ``floats``: the largest terms are counted, the others added by log1p."""
    largest = reduce(np.maximum, z)
    shift = np.where(np.isfinite(largest), largest, 0.0)  # −∞ − −∞ would be NaN
    e = [np.exp(z_j - shift) for z_j in z]
    count, total = sum([np.equal(e_j, 1.0).astype(np.float64) for e_j in e]), sum(e)
    others = sum([np.where(np.equal(e_j, 1.0), 0.0, e_j) for e_j in e])
    value = np.where(np.isfinite(largest), shift + np.log(count) + np.log1p(others / count), largest)
    softmax = [e_j / total for e_j in e]
    if np.isposinf(largest).any():
        softmax = [np.where(np.isposinf(largest), share, p) for share, p in zip(shares(z), softmax)]
    return value, softmax
