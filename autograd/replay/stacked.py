"""Operands stacked in one array, as a number system: a rule of many operands gets them as one, and adds along axis 0.

It serves the rules that treat all operands alike, Σ and logΣexp: what they say of one z_j holds for the whole stack.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy import exp

from autograd.number_systems.arrays import Array

__all__ = ["exp"]


def sum(x: Iterable[Array]) -> Array:
    """x₁ + … + xₙ of the rows of the one array in ``x``."""
    [stack] = x
    total: Array = np.add.reduce(stack, axis=0)
    return total


def logsumexp(z: Sequence[Array]) -> Array:
    """log(eᶻ¹ + … + eᶻⁿ) of the rows of the one array in ``z``."""
    [stack] = z
    largest = np.maximum.reduce(stack, axis=0)
    shift = np.where(np.isfinite(largest), largest, 0.0)  # −∞ − −∞ would be NaN
    total: Array = shift + np.log(np.add.reduce(np.exp(stack - shift), axis=0))
    return total
