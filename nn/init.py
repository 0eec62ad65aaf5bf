"""Initializes weights, as plain numbers: random, so that units differ, and scaled, so that signals keep their size.

The backward pass multiplies δ by a W and a g′ for each layer; the size of the first weights decides whether those
products shrink, stay or grow. Each function returns the rows of W, shape (to, from), and takes a seed or a
``random.Random``; ``partial(normal, std=0.1)`` fixes an option for a layer's ``init``.
"""

from collections.abc import Callable
from functools import partial
from math import sqrt
from random import Random

from nn.validation import generator, in_range

Matrix = list[list[float]]
Rng = Random | int | None
Initializer = Callable[[int, int, Random], Matrix]
_check = partial(in_range, at_least=0.0, what="the size of first weights")


def zero(n_in: int, n_out: int, rng: Rng) -> Matrix:
    """Every weight 0: all units of a layer are equal, and stay equal in training."""
    return constant(n_in, n_out, rng, 0.0)


def constant(n_in: int, n_out: int, rng: Rng, value: float = 0.1) -> Matrix:
    """Every weight ``value``: the units of a layer stay the same, as from ``zero``."""
    value = in_range("value", value, what="a first weight")
    return [[value] * n_in for _ in range(n_out)]


def uniform(n_in: int, n_out: int, rng: Rng, limit: float = 1.0) -> Matrix:
    """Every weight uniform in ±limit."""
    rng, limit = generator(rng), _check("limit", limit)
    return [[rng.uniform(-limit, limit) for _ in range(n_in)] for _ in range(n_out)]


def normal(n_in: int, n_out: int, rng: Rng, std: float = 1.0) -> Matrix:
    """Every weight normal with mean 0 and standard deviation ``std``."""
    rng, std = generator(rng), _check("std", std)
    return [[rng.gauss(0.0, std) for _ in range(n_in)] for _ in range(n_out)]


def xavier_uniform(n_in: int, n_out: int, rng: Rng, gain: float = 1.0) -> Matrix:
    """Uniform in ± gain √(6/(n_in + n_out)), for σ and tanh. Source: Glorot & Bengio 2010."""
    return uniform(n_in, n_out, rng, _check("gain", gain) * sqrt(6.0 / (n_in + n_out)))


def xavier_normal(n_in: int, n_out: int, rng: Rng, gain: float = 1.0) -> Matrix:
    """Normal with standard deviation gain √(2/(n_in + n_out)). Source: Glorot & Bengio 2010."""
    return normal(n_in, n_out, rng, _check("gain", gain) * sqrt(2.0 / (n_in + n_out)))


def he_uniform(n_in: int, n_out: int, rng: Rng, gain: float = sqrt(2.0)) -> Matrix:
    """Uniform in ± gain √(3/n_in), which is √(6/n_in) for relu. Source: He et al. 2015."""
    return uniform(n_in, n_out, rng, _check("gain", gain) * sqrt(3.0 / n_in))


def he_normal(n_in: int, n_out: int, rng: Rng, gain: float = sqrt(2.0)) -> Matrix:
    """Normal with standard deviation gain/√n_in, which is √(2/n_in) for relu. Source: He et al. 2015."""
    return normal(n_in, n_out, rng, _check("gain", gain) / sqrt(n_in))


def gain(activation: str, slope: float = 0.01) -> float:
    """The factor by which weights make up for what the activation takes from the size of its inputs.

    √2 for relu, which halves the mean square; √(2/(1 + slope²)) for leaky_relu; 5/3 for tanh; 1 for sigmoid and
    linear; √2 for elu, gelu, silu and softplus, which are relu for large z, and for log_sigmoid, their mirror image.
    Source: He et al. 2015; PyTorch's ``calculate_gain``, which has none for the last five. Raises ValueError for an
    activation without a gain.

    >>> gain("tanh"), gain("relu") == 2**0.5
    (1.6666666666666667, True)
    """
    gains = dict.fromkeys(("elu", "gelu", "log_sigmoid", "relu", "silu", "softplus"), sqrt(2.0))
    gains |= {"leaky_relu": sqrt(2.0 / (1.0 + slope * slope)), "linear": 1.0, "sigmoid": 1.0, "tanh": 5.0 / 3.0}
    if activation not in gains:
        raise ValueError(f"no gain is known for the activation {activation!r}: there are {', '.join(sorted(gains))}")
    return gains[activation]


BY_NAME: dict[str, Initializer] = {
    init.__name__: init
    for init in (constant, he_normal, he_uniform, normal, uniform, xavier_normal, xavier_uniform, zero)
}


def initializer(init: str | Initializer) -> Initializer:
    """The initializer of that name, or the function itself. ValueError, which lists the names, for another.

    >>> initializer("constant")(2, 1, 0)
    [[0.1, 0.1]]
    """
    if callable(init):
        return init
    if init not in BY_NAME:
        raise ValueError(f"init {init!r}: there are {', '.join(BY_NAME)}")
    return BY_NAME[init]
