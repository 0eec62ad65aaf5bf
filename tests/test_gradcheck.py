"""Tests of gradcheck and its measured slope, on the slope's scale and within the accuracy of a measurement."""

from itertools import count
from math import cos, sin

import pytest

import autograd
from autograd import GradientError, Value, floor, gradcheck, relu, sqrt, tanh, where
from autograd.finite_differences import slope
from autograd.table import REAL, Primitive


def wrong(size, factor=-1.0):
    """size · sin x, with ``factor`` times its derivative."""
    return Primitive(lambda n, x: (size * n.sin(x), (factor * size * n.cos(x),)), "w", (REAL,))


@pytest.mark.parametrize("size", [1e-30, 2e-7, 1.0, 1e9])
@pytest.mark.parametrize("factor", [-1.0, 0.0, 1.001])
def test_a_wrong_slope_is_an_error_at_every_size(size, factor):
    with pytest.raises(GradientError, match="central difference"):
        gradcheck(wrong(size, factor), [0.5])
    assert gradcheck(wrong(size, 1.0), [0.5])


@pytest.mark.parametrize("at", [1e-3, 0.5, 1.0])
def test_a_small_wrong_slope_beside_a_large_value_is_an_error(at):
    with pytest.raises(GradientError, match="central difference"):
        gradcheck(lambda x: wrong(2e-7)(x) + 1.0, [at])


def test_a_random_function_is_called_so():
    drawn = count()
    with pytest.raises(GradientError, match=r"is not deterministic: it returned 0.0 and then 1.0 at the same point"):
        gradcheck(lambda x: x * float(next(drawn)), [1.0])


# with the seeds 53 and 98 the first two sums of 30 units are equal; one unit has only two different sums
@pytest.mark.parametrize(("units", "seed"), [(30, 0), (30, 53), (30, 98), *((1, seed) for seed in range(8))])
def test_dropout_is_called_random(units, seed):
    from nn.dropout import Dropout

    dropout = Dropout(0.5, rng=seed)
    with pytest.raises(GradientError, match="is not deterministic"):
        gradcheck(lambda *x: autograd.sum(dropout(list(x))), [1.0 + i for i in range(units)])


@pytest.mark.parametrize(
    ("function", "at", "words"),
    [
        (relu, 0.0, "the slope is 0.0 to the left and 1.0 to the right"),
        (lambda x: relu(1e-9 * x), 0.0, "the slope is 0.0 to the left and 1e-09 to the right"),
        (lambda x: 1e-9 * relu(x) + 1.0, 0.0, "has a kink"),
        (lambda x: relu(x) * 1e-20 + 1.0, 0.0, "the slope is 0.0 to the left and 1e-20 to the right"),
        (lambda x: where(x, 3.0, 5.0), 0.0, "has a jump at argument 1 = 0.0"),
        (floor, 3.0, "has a jump at x = 3.0"),
        (lambda x: x if x > 0 else 2.0 * x, 0.0, "the slope is 2.0 to the left and 1.0 to the right"),  # Python's own
    ],
)
def test_a_kink_is_seen_at_every_scale(function, at, words):
    with pytest.raises(GradientError, match=words):
        gradcheck(function, [at])


def test_what_cannot_be_measured_is_not_called_wrong():
    with pytest.raises(GradientError, match=r"changes too fast at .* to be measured"):
        gradcheck(lambda x: autograd.sin(1e300 * x), [1.0])


@pytest.mark.parametrize(
    ("function", "at"),
    [
        (sqrt, 1e-300),  # a step of 6e-6 leads out of the domain
        (lambda x: autograd.log(x), 1e-9),
        (lambda x: x**3, 1e-160),
        (lambda x: relu(x) ** 2, 0.0),
        (tanh, 25.0),
        (lambda x: (x + 1e16) - 1e16, 1.0),
        (lambda x: autograd.sin(1e9 * x), 0.0),
    ],
)
def test_right_derivatives_pass_at_every_scale(function, at):
    assert gradcheck(function, [at])


def test_the_slope_of_a_function_that_is_mostly_rounding_says_how_far_it_may_be_off():
    noisy = slope(lambda x: (sin(x) + 1e10) - 1e10, 1.0, rounding=2e-6)
    assert abs(noisy.central - cos(1.0)) <= noisy.error
    assert slope(sin, 1.0).error < 1e-9


def test_a_value_as_point_gives_its_name():
    with pytest.raises(GradientError, match=r"has a kink at z = 0.0"):
        gradcheck(lambda z: abs(z), [Value(0.0, "z")])
