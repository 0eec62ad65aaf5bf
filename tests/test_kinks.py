"""Tests that kinks are found exactly where slopes or values differ on the two sides, over the whole table."""

import itertools
import math

import pytest

from autograd import Value, functions as F, primitive
from autograd.kinks import is_kink, kinks
from autograd.number_systems import floats
from autograd.table import CONSTANT, REAL, TABLE

H = 1e-6
KINKED = {
    "relu", "abs", "sign", "floor", "atan2", "heaviside", "greater", "where", "clamp", "maximum", "minimum", "hypot",
}  # fmt: skip


def points(entry):
    """Operands that tie with 0, with whole numbers and with each other, and such that do not."""
    count = (
        entry.least + (2 if entry.least + entry.step < 4 else 1) * entry.step
        if entry.variadic
        else len(entry.letters)
    )
    few = [-1.0, 0.0, 0.5, 1.0] if count <= 3 else [0.0, 1.0]
    return [at for at in itertools.product(few, repeat=count) if entry.defined_at(*at)]


def value(entry, at):
    """NaN outside of the domain."""
    return entry.rule(floats, *at)[0] if entry.defined_at(*at) else math.nan


def has_two_sides(entry, at, i):
    """Whether value or slope differ left and right of operand i; None for an infinite slope, or only one side."""
    here = value(entry, at)
    left, right = (value(entry, [*at[:i], at[i] + side * H, *at[i + 1 :]]) for side in (-1, 1))
    if not math.isfinite(left + right + entry.rule(floats, *at)[1][i]):
        return None
    jumps = max(abs(left - here), abs(right - here)) > 1e-3
    return jumps or abs((right - here) - (here - left)) / H > 1e-3


@pytest.mark.parametrize("name", TABLE)
def test_a_kink_is_where_the_two_sides_differ(name):
    entry = TABLE[name]
    found = set()
    for at in points(entry):
        domains = entry.domains_of(len(at))
        for i, domain in enumerate(domains):
            expected = has_two_sides(entry, at, i) if domain is not CONSTANT else None
            if expected is not None:
                only_i = ["x" if k == i else None for k in range(len(at))]
                assert is_kink(entry, at, only_i) == expected, (at, i)
                assert not expected or is_kink(entry, at), at
                found.add(expected)
    assert found == ({True, False} if name in KINKED else {False})


def test_what_does_not_move_has_no_kink():
    for name, at in (("relu", [0.0]), ("greater", [1.0, 1.0]), ("hypot", [0.0, 0.0]), ("where", [0.0, 1.0, 2.0])):
        assert is_kink(TABLE[name], at) and not is_kink(TABLE[name], at, [None] * len(at))
    assert not is_kink(TABLE["maximum"], [1.0, 1.0, 0.0], [None, None, "x"])
    assert is_kink(TABLE["maximum"], [1.0, 1.0, 1.0], [None, "x", None])


def test_operands_that_move_together_tie_without_a_kink():
    assert is_kink(TABLE["maximum"], [1.0, 1.0], ["x", "y"])
    assert not is_kink(TABLE["maximum"], [1.0, 1.0], ["x", "x"])
    assert not is_kink(TABLE["clamp"], [1.0, 1.0, 1.0], ["x", None, None])


def test_the_kinks_of_a_graph_are_its_nodes_that_sit_on_one_and_move():
    x, y = Value(0.0, "x"), Value(1.0, "y")
    corner, tie, jump = F.relu(x), F.maximum(y, 1.0), F.floor(y)
    smooth = F.relu(x * x) + F.maximum(x, x) + F.elu(x) + F.relu(0.0) * x + F.where(x > 1.0, x, y)
    f = corner + tie + jump + smooth
    assert kinks(f) == [corner, tie, jump]
    assert kinks(f, [x]) == [corner]
    assert kinks(f, [y]) == [tie, jump]
    assert kinks(f, []) == []


def test_nothing_moves_behind_a_shut_gate():
    x = Value(-1.0)
    assert kinks(F.maximum(F.relu(x), 0.0)) == []
    x = Value(0.0)
    decision = F.greater(x, 0.0)
    assert kinks(F.where(decision, x, -x)) == [decision]
    inner = F.relu(x)
    outer = inner.relu()
    assert kinks(inner * 2.0 + outer, [inner]) == [outer]


def test_an_own_primitive_is_judged_by_its_rule():
    @primitive("hinge", REAL)
    def own_hinge(n, y):
        return n.maximum(0.0, 1.0 - y), (-n.heaviside(1.0 - y, 0.0),)

    @primitive("huber", REAL)
    def own_huber(n, x):
        """x²/2 within ±1, else |x| − ½: its slope has no jump."""
        far = n.greater(n.abs(x), 1.0)
        return n.where(far, n.abs(x) - 0.5, 0.5 * x * x), (n.minimum(n.maximum(x, -1.0), 1.0),)

    @primitive("switched", REAL, REAL)
    def own_switched(n, x, y):
        return n.heaviside(x, 0.5) * y, (0.0, n.heaviside(x, 0.5))

    @primitive("steps", REAL)
    def own_steps(n, x):
        return n.floor(2.0 * x), (0.0,)

    try:
        assert [is_kink(own_hinge, [y]) for y in (0.0, 1.0, 2.0)] == [False, True, False]
        assert [is_kink(own_huber, [x]) for x in (-1.0, 0.0, 1.0, 3.0)] == [False] * 4
        assert [is_kink(own_steps, [x]) for x in (0.25, 0.5, 1.0)] == [False, True, True]
        assert is_kink(own_switched, [0.0, 1.0], ["x", None])
        assert not is_kink(own_switched, [0.0, 1.0], [None, "y"])
    finally:
        for entry in (own_hinge, own_huber, own_switched, own_steps):
            del TABLE[entry.name]
