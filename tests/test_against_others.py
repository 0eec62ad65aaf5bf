"""Tests random graphs of the whole table: 2,000 against PyTorch's stored numbers, 500 against mpmath at 50 digits.

Two ways of computing do not agree bit for bit, so the graph itself determines the tolerance: each operation may be
off by some units in the last place, and ∂f/∂node gives the effect on f.
"""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from mpmath import mpf, workdps
from random_graphs import EVERY_STEP, random_function, random_point
from test_special_values import EXACT

from autograd import Value, grad
from autograd.graph import topological_order
from autograd.table import TABLE

STORED = (Path(__file__).parent / "references/random_graphs.txt").read_text().splitlines()[1:]
ULPS = 4.0 * sys.float_info.epsilon  # of one operation: libraries' functions differ by units in the last place
WORST = 200.0  # the largest conditioning of a gradient that is met here
OURS = SimpleNamespace(**TABLE)
EXACTLY = SimpleNamespace(**{name: lambda *x, f=f: f(*x)[0] for name, f in EXACT.items()})
EXACTLY.detach = lambda x: mpf(float(x))  # a step of the difference is too small to show in a float: the slope is 0


def graph(seed):
    """f, its inputs, and f's gradient by the backward pass."""
    inputs = [Value(x) for x in random_point(seed)]
    f = random_function(seed, OURS, inputs)
    f.backward()
    return f, inputs, [x.grad for x in inputs]


def conditioning(f):
    """Σ |∂f/∂node · node|: how much of a relative error in each operation arrives in f, to first order."""
    f.backward()
    return sum(abs(node.grad * node.data) for node in topological_order(f))


def test_the_random_graphs_use_every_entry_of_the_table():
    counts = dict.fromkeys(TABLE, 0)
    for seed in range(250):
        for node in topological_order(graph(seed)[0]):
            if node.parents:
                counts[node.operation.name] += 1
    assert [name for name, count in counts.items() if count < 10] == []
    assert len(EVERY_STEP) >= len(TABLE)


def differs_from_pytorch(seed):
    expected, *expected_gradient = map(float, STORED[seed].split())
    f, _, gradient = graph(seed)
    # both may be off; of ∂f/∂x the conditioning is measured below, and dear
    same = abs(f.data - expected) <= 2 * ULPS * conditioning(f)
    return not same or any(abs(x - y) > 2 * ULPS * WORST for x, y in zip(gradient, expected_gradient, strict=True))


def test_2000_graphs_equal_pytorch():
    assert len(STORED) == 2000
    assert [seed for seed in range(2000) if differs_from_pytorch(seed)] == []


@pytest.mark.parametrize("name", sorted(TABLE))
def test_a_local_derivative_that_is_off_by_1e_9_differs_from_pytorch(name, monkeypatch):
    rule = TABLE[name].rule

    def faulty(n, *operands):
        value, locals_ = rule(n, *operands)
        return value, tuple(x * (1.0 + 1e-9) or 1e-9 for x in locals_)

    monkeypatch.setattr(TABLE[name], "rule", faulty)
    assert any(differs_from_pytorch(seed) for seed in range(300))


def central_difference(seed, at, i):
    """∂f/∂xᵢ to some 25 of 50 digits: h² is 1e−40 and rounding 1e−50/h."""
    h = mpf(10) ** -20
    high, low = ([x + side * h * (j == i) for j, x in enumerate(at)] for side in (1, -1))
    return float((random_function(seed, EXACTLY, high) - random_function(seed, EXACTLY, low)) / (2 * h))


def test_500_graphs_equal_mpmath_at_50_digits():
    for seed in range(10_000, 10_500):
        f, inputs, gradient = graph(seed)
        with workdps(50):
            at = [mpf(x) for x in random_point(seed)]
            exact = float(random_function(seed, EXACTLY, at))
            slopes = [central_difference(seed, at, i) for i in range(len(at))]
        assert f.data == pytest.approx(exact, rel=0, abs=ULPS * conditioning(f)), seed
        for found, slope, expected in zip(gradient, grad(f, inputs), slopes, strict=True):
            # ∂f/∂x as a graph of its own: the operations of both passes, each with what its error does to ∂f/∂x
            condition = conditioning(slope)
            assert found == pytest.approx(expected, rel=0, abs=ULPS * condition), seed
            assert condition < WORST
