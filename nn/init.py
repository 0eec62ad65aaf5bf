"""Weight initialisers: random, so that units differ, and scaled, so that signals keep their size.

The backward pass multiplies δ by W and g′ at each layer, and the scale of the first weights decides whether these
products shrink or grow. Each initialiser returns the rows of W as floats, of shape (to, from), and takes a seed or a
``random.Random``. ``partial(normal, std=0.1)`` sets an option for a layer's ``init``.
"""

from collections.abc import Callable
from functools import partial
from math import sqrt
from random import Random

from nn.validation import generator, in_range

Matrix = list[list[float]]
Rng = Random | int | None
Initializer = Callable[[int, int, Random], Matrix]
_check = partial(in_range, at_least=0.0, what="the scale of initial weights")


def zero(n_in: int, n_out: int, rng: Rng) -> Matrix:
    """Return zero weights; all units of a layer are then equal, and stay equal during training."""
    return constant(n_in, n_out, rng, 0.0)


def constant(n_in: int, n_out: int, rng: Rng, value: float = 0.1) -> Matrix:
    """Return weights that are all ``value``; as with ``zero``, all units of a layer stay equal."""
    value = in_range("value", value, what="an initial weight")
    return [[value] * n_in for _ in range(n_out)]


def uniform(n_in: int, n_out: int, rng: Rng, limit: float = 1.0) -> Matrix:
    """Draw weights uniformly from [−limit, limit]."""
    rng, limit = generator(rng), _check("limit", limit)
    return [[rng.uniform(-limit, limit) for _ in range(n_in)] for _ in range(n_out)]


def normal(n_in: int, n_out: int, rng: Rng, std: float = 1.0) -> Matrix:
    """Draw weights from the normal distribution with mean 0 and standard deviation ``std``."""
    rng, std = generator(rng), _check("std", std)
    return [[rng.gauss(0.0, std) for _ in range(n_in)] for _ in range(n_out)]


def xavier_uniform(n_in: int, n_out: int, rng: Rng, gain: float = 1.0) -> Matrix:
    """Draw uniformly from [−r, r], r = gain √(6/(n_in + n_out)), for σ and tanh. Source: Glorot & Bengio 2010."""
    return uniform(n_in, n_out, rng, _check("gain", gain) * sqrt(6.0 / (n_in + n_out)))


def xavier_normal(n_in: int, n_out: int, rng: Rng, gain: float = 1.0) -> Matrix:
    """Draw from N(0, σ²) with σ = gain √(2/(n_in + n_out)). Source: Glorot & Bengio 2010."""
    return normal(n_in, n_out, rng, _check("gain", gain) * sqrt(2.0 / (n_in + n_out)))


def he_uniform(n_in: int, n_out: int, rng: Rng, gain: float = sqrt(2.0)) -> Matrix:
    """Draw uniformly from [−r, r] with r = gain √(3/n_in), √(6/n_in) for relu. Source: He et al. 2015."""
    return uniform(n_in, n_out, rng, _check("gain", gain) * sqrt(3.0 / n_in))


def he_normal(n_in: int, n_out: int, rng: Rng, gain: float = sqrt(2.0)) -> Matrix:
    """Draw from N(0, σ²) with σ = gain/√n_in, √(2/n_in) for relu. Source: He et al. 2015."""
    return normal(n_in, n_out, rng, _check("gain", gain) / sqrt(n_in))


def gain(activation: str, slope: float = 0.01) -> float:
    """Return the factor on the weights that compensates for how much the activation shrinks its inputs.

    √2 for relu, which halves the mean square; √(2/(1 + slope²)) for leaky_relu; 5/3 for tanh; 1 for sigmoid and
    linear; √2 for elu, gelu, silu and softplus, which approach relu for large z, and for log_sigmoid, which mirrors
    softplus. Source: He et al. 2015; PyTorch's ``calculate_gain``, except for the last five. Raises ValueError for an
    unknown activation.

    >>> gain("tanh"), gain("relu") == 2**0.5
    (1.6666666666666667, True)
    """
    gains = dict.fromkeys(("elu", "gelu", "log_sigmoid", "relu", "silu", "softplus"), sqrt(2.0))
    gains |= {"leaky_relu": sqrt(2.0 / (1.0 + slope * slope)), "linear": 1.0, "sigmoid": 1.0, "tanh": 5.0 / 3.0}
    if activation not in gains:
        raise ValueError(f"activation {activation!r} has no known gain: choose one of {', '.join(sorted(gains))}")
    return gains[activation]


BY_NAME: dict[str, Initializer] = {
    init.__name__: init
    for init in (constant, he_normal, he_uniform, normal, uniform, xavier_normal, xavier_uniform, zero)
}


def initializer(init: str | Initializer) -> Initializer:
    """Return the initialiser with this name, or the function itself. Raises ValueError for an unknown name.

    >>> initializer("constant")(2, 1, 0)
    [[0.1, 0.1]]
    """
    if callable(init):
        return init
    if init not in BY_NAME:
        raise ValueError(f"unknown init {init!r}: choose one of {', '.join(BY_NAME)}")
    return BY_NAME[init]
