"""First weights, as plain numbers: random, so that units differ, and scaled, so that layers neither fade nor blow up.

Each function returns the rows of W, shape (to, from), and takes any ``random.Random``.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from random import Random

Matrix = list[list[float]]
Initializer = Callable[[int, int, Random], Matrix]


def uniform(n_in: int, n_out: int, rng: Random, limit: float) -> Matrix:
    """Every weight uniform in ±limit."""
    return [[rng.uniform(-limit, limit) for _ in range(n_in)] for _ in range(n_out)]


def normal(n_in: int, n_out: int, rng: Random, std: float) -> Matrix:
    """Every weight normal with mean 0 and standard deviation ``std``."""
    return [[rng.gauss(0.0, std) for _ in range(n_in)] for _ in range(n_out)]


def xavier_uniform(n_in: int, n_out: int, rng: Random) -> Matrix:
    """Uniform in ±√(6/(n_in + n_out)), for σ and tanh. Source: Glorot & Bengio 2010."""
    return uniform(n_in, n_out, rng, sqrt(6.0 / (n_in + n_out)))


def xavier_normal(n_in: int, n_out: int, rng: Random) -> Matrix:
    """Normal with standard deviation √(2/(n_in + n_out)). Source: Glorot & Bengio 2010."""
    return normal(n_in, n_out, rng, sqrt(2.0 / (n_in + n_out)))


def he_uniform(n_in: int, n_out: int, rng: Random) -> Matrix:
    """Uniform in ±√(6/n_in), for relu. Source: He et al. 2015."""
    return uniform(n_in, n_out, rng, sqrt(6.0 / n_in))


def he_normal(n_in: int, n_out: int, rng: Random) -> Matrix:
    """Normal with standard deviation √(2/n_in), for relu. Source: He et al. 2015."""
    return normal(n_in, n_out, rng, sqrt(2.0 / n_in))
