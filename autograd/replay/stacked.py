"""Operands stacked in one array, as a number system: a rule of many operands gets them as one, and adds along axis 0.

It serves the rules that treat all operands alike, Σ and logΣexp: what they say of one z_j holds for the whole stack.
As in ``quick``, all is finite.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from numpy import exp

from autograd.number_systems.arrays import Array

__all__ = ["exp"]


def sum(x: Iterable[Array]) -> Array:
    """x₁ + … + xₙ of the rows of the one array in ``x``."""
    [stack] = x
    return ones(len(stack)) @ stack


def logsumexp(z: Sequence[Array]) -> Array:
    """log(eᶻ¹ + … + eᶻⁿ) of the rows of the one array in ``z``."""
    [stack] = z
    largest: Array = np.maximum.reduce(stack, axis=0)
    return largest + np.log(ones(len(stack)) @ np.exp(stack - largest))


@lru_cache(maxsize=32)
def ones(n: int) -> Array:
    """A row of ones: multiplied by it, a stack is added up several times faster than by ``np.sum``."""
    return np.ones(n)
