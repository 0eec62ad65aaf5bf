"""The number system of replay's elementwise groups: that of arrays, where it may be quicker since all is finite.

A run whose numbers are not all finite is left to the graph, so NaN and ±∞ need no care here.
"""

from __future__ import annotations

import numpy as np
from numpy import arctan as atan
from numpy import cos, cosh, divide, exp, expm1, log, log1p, maximum, minimum, sin, sinh, tan, tanh

from autograd.number_systems.arrays import Array, abs, erfc, logsumexp, pow, power, sigmoid, sqrt, sum, where

__all__ = [
    "abs", "atan", "cos", "cosh", "divide", "erfc", "exp", "expm1", "heaviside", "log", "log1p", "logsumexp",
    "maximum", "minimum", "pow", "power", "sigmoid", "sin", "sinh", "softplus", "sqrt", "sum", "tan", "tanh", "where",
]  # fmt: skip


def softplus(z: Array) -> Array:
    """log(e⁰ + eᶻ), which NumPy has as one function."""
    return np.logaddexp(0.0, z)


def heaviside(x: Array, at_zero: float) -> Array:
    """0 left of zero, 1 right of it, ``at_zero`` in between: a comparison is twice as fast as NumPy's own.

    >>> heaviside(np.array([-1.0, 0.0, 2.0]), 1.0).tolist()
    [0.0, 1.0, 1.0]
    """
    if at_zero == 0.0:
        return np.greater(x, 0.0).astype(np.float64)
    return np.heaviside(x, at_zero)
