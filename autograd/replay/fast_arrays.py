"""Number systems on arrays that assume finite numbers; if a number is not finite, the graph itself runs instead."""

from collections.abc import Sequence
from functools import lru_cache
from types import ModuleType

import numpy as np

from autograd.number_systems import arrays
from autograd.number_systems.arrays import Array


def heaviside(x: Array, at_zero: float) -> Array:
    """Return 0 for x < 0, 1 for x > 0, and ``at_zero`` for 0; a comparison is twice as fast as NumPy's function.

    >>> heaviside(np.array([-1.0, 0.0, 2.0]), 1.0).tolist()
    [0.0, 1.0, 1.0]
    """
    if not isinstance(at_zero, np.ndarray) and at_zero == 0.0:
        return np.greater(x, 0.0).astype(np.float64)
    return np.heaviside(x, at_zero)


def stacked_logsumexp(z: Sequence[Array]) -> tuple[Array, tuple[Array]]:
    """Return log(eᶻ¹ + … + eᶻⁿ) over the rows of the single array in ``z``, and the softmax as one array.

    The error is up to 2e−16 of the largest |z| or 1: for a sum near 1, ``floats`` is more accurate, with log1p.
    """
    [stack] = z
    largest: Array = np.maximum.reduce(stack, axis=0)
    e = np.exp(stack - largest)
    total = ones(len(stack)) @ e
    return largest + np.log(total), (e / total,)


@lru_cache(maxsize=32)
def ones(n: int) -> Array:
    """Return a row of ones; multiplying a stack by it is several times faster than ``np.sum``."""
    return np.ones(n)


quick, stacked = ModuleType("quick"), ModuleType("stacked")  # Python reads attributes of modules fastest
vars(quick).update(vars(arrays) | {"heaviside": heaviside, "times": np.multiply})
# Σ and logΣexp treat all operands alike, so their rules also work on all z_j stacked in one array
vars(stacked).update(sum=lambda x: ones(len(x[0])) @ x[0], logsumexp=stacked_logsumexp)
