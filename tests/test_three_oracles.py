"""Tests that three ways to a derivative agree on random graphs of the whole table, each within its rounding errors.

The direct way is a difference quotient of the rules' values at 80 digits, without any local derivative. The reverse
way is ``backward``, ``grad`` and ``hessian``, and the forward way ``jvp`` and ``hvp``. The graphs themselves
determine the tolerance: each operation may be off by some units in the last place, and the absolute values of its
contributions to a result are added up.
"""

import sys
from functools import cache
from random import Random
from types import SimpleNamespace

import mpmath
import pytest
from mpmath import mp, mpf, workdps
from random_graphs import DIFFERENTIATED, table_plan

from autograd import Value, grad, hessian, hvp, jvp
from autograd.graph import topological_order
from autograd.table import CONDITION, CONSTANT, TABLE

UNITS = 4.0 * sys.float_info.epsilon  # of one operation
DIGITS, STEP = 80, mpf(10) ** -20
QUOTIENT = 1e-30  # how far a difference quotient may be off: its terms are of the order STEP²


# ---- the direct way ---------------------------------------------------------------------------------------------


def logsumexp(z):
    return mp.log(mp.fsum(map(mp.exp, z))), [mpf(0)] * len(z)


class Exactly(SimpleNamespace):
    """mpmath's numbers as a number system; what has mpmath's own name is mpmath's function."""

    def __getattr__(self, name):
        return getattr(mpmath, name)


EXACTLY = Exactly(
    abs=mp.fabs,
    times=lambda x, y: x * y,
    divide=lambda x, y: mpf(x) / y,
    power=lambda x, p: mpf(x) ** int(p) if p == int(p) else mpf(x) ** p,
    pow=lambda x, y: mpf(x) ** y,
    log2=lambda x: mp.log(x) / mp.log(2),
    hypot=lambda x: mp.sqrt(mp.fsum(x_i * x_i for x_i in x)),
    sigmoid=lambda z: 1 / (1 + mp.exp(-z)),
    softplus=lambda z: mp.log1p(mp.exp(z)),
    sum=lambda x: mp.fsum(x),
    where=lambda c, x, y: x if c else y,
    heaviside=lambda x, at_zero: mpf(x > 0) if x else mpf(at_zero),
    greater=lambda x, y: mpf(x > y),
    maximum=max,
    minimum=min,
    clamp=lambda x, low, high: min(max(x, low), high),
    shares=lambda x: [mpf(0)] * len(x),  # of local derivatives, which take no part
    logsumexp=logsumexp,
)


def exactly(name, operands):
    return TABLE[name].rule(EXACTLY, *operands)[0]


def difference(f, at, *directions):
    """∂ⁿf along each of the directions in turn, by central differences."""
    if not directions:
        return f(at)
    [v, *others] = directions
    high, low = ([x + side * STEP * v_i for x, v_i in zip(at, v)] for side in (1, -1))
    return (difference(f, high, *others) - difference(f, low, *others)) / (2 * STEP)


class Direct:
    """Value, gradient, slope along v, and how the gradient changes along v, all from values alone."""

    def __init__(self, plan, v):
        with workdps(DIGITS):
            at, v = [mpf(x) for x in plan.at], [mpf(x) for x in v]
            units = [[mpf(i == j) for j in range(len(at))] for i in range(len(at))]
            f = lambda x: plan.of(exactly, x)  # noqa: E731
            self.value = float(f(at))
            self.gradient = [float(difference(f, at, e)) for e in units]
            self.slope = float(difference(f, at, v))
            self.bend = [float(difference(f, at, v, e)) for e in units]


# ---- the other two, and how far they may be off ------------------------------------------------------------------


def ours(name, operands):
    return TABLE[name](*operands)


def rounding(found):
    """How much of a result may be rounding: Σ |∂result/∂node · node| units, to first order."""
    order = topological_order(found)
    for node in order:
        node.grad = 0.0
    found.backward()
    return UNITS * sum(abs(node.grad * node.data) for node in order)


def direction(plan, seed):
    rng = Random(f"direction {seed}")
    return [rng.choice([-1.0, 1.0]) * rng.uniform(0.5, 1.5) for _ in plan.at]


def disagreements(plan, v, direct):
    """{(way, found, expected, bound)} where two ways are further apart than rounding takes them."""
    inputs = [Value(x) for x in plan.at]
    f = plan.of(ours, inputs)
    f.backward()
    gradient = [x.grad for x in inputs]
    slopes, slope, bends = grad(f, inputs), jvp(f, inputs, v), hvp(f, inputs, v)
    H = [[entry.data for entry in row] for row in hessian(f, inputs)]
    along = sum(x * v_i for x, v_i in zip(slopes, v))
    pairs = [
        ("value", f.data, direct.value, rounding(f)),
        ("forward", slope.data, direct.slope, rounding(slope)),
        ("forward and reverse", slope.data, along.data, rounding(slope) + rounding(along)),
    ]
    for i in range(len(inputs)):
        bound = rounding(slopes[i])
        pairs.append(("reverse", gradient[i], direct.gradient[i], bound))
        pairs.append(("reverse again", slopes[i].data, direct.gradient[i], bound))
        bound = rounding(bends[i])
        pairs.append(("hvp", bends[i].data, direct.bend[i], bound))
        pairs.append(("hessian", sum(h * v_j for h, v_j in zip(H[i], v)), direct.bend[i], 2.0 * bound))
    return {pair for pair in pairs if not abs(pair[1] - pair[2]) <= pair[3] + QUOTIENT}


def disagreeing(seeds):
    found = {}
    for seed in seeds:
        plan = table_plan(seed)
        v = direction(plan, seed)
        if off := disagreements(plan, v, Direct(plan, v)):
            found[seed] = off
    return found


# ---- they agree --------------------------------------------------------------------------------------------------


def test_the_three_agree_on_60_graphs():
    assert disagreeing(range(60)) == {}


@pytest.mark.slow
@pytest.mark.parametrize("block", range(10))
def test_the_three_agree_on_5000_graphs(block):
    assert disagreeing(range(500 * block, 500 * block + 500)) == {}


def test_the_graphs_use_every_entry_with_every_number_of_operands_and_every_operand_of_it():
    """The inputs reach each operand, and the last step each entry, so that no local derivative goes unseen."""
    seen = {name: set() for name in DIFFERENTIATED}
    for seed in range(1000):
        plan = table_plan(seed)
        for name, operands in plan.steps:
            seen[name].update(i for i, x in enumerate(operands) if isinstance(x, int))
    for name, positions in seen.items():
        domains = TABLE[name].domains_of(1 if TABLE[name].variadic else len(TABLE[name].letters))
        assert positions >= {i for i, domain in enumerate(domains) if domain is not CONSTANT}, name


# ---- and a fault turns them red ----------------------------------------------------------------------------------


def faulty(rule, spoil):
    def spoilt(n, *operands):
        value, locals_ = rule(n, *operands)
        return value, tuple(spoil(list(locals_)))

    return spoilt


def negated(i):
    return lambda locals_: [-x if k == i else x for k, x in enumerate(locals_)]


def doubled(i):
    return lambda locals_: [2.0 * x if k == i else x for k, x in enumerate(locals_)]


def exchanged(i):
    return lambda locals_: [*locals_[:i], *reversed(locals_[i : i + 2]), *locals_[i + 2 :]]


def raised(i):
    return lambda locals_: [x + 1.0 if k == i else x for k, x in enumerate(locals_)]


@cache
def witnesses(name):
    """Graphs that end in the entry, and what is right for them."""
    found = []
    for k in range(12):
        plan = table_plan(f"{name} {k}", name)
        v = direction(plan, f"{name} {k}")
        found.append((plan, v, Direct(plan, v)))
    return found


def unseen(name, kind, monkeypatch):
    """The faults of this kind in an entry's local derivatives that one of the ways does not see."""
    entry, missed = TABLE[name], {}
    rule = entry.rule
    domains = entry.domains_of(entry.least + entry.step if entry.variadic else len(entry.letters))
    for i in range(len(domains) - (kind is exchanged)):
        if {*domains[i : i + 1 + (kind is exchanged)]} & {CONSTANT, CONDITION}:
            continue  # no derivative leaves there
        reds = set()
        monkeypatch.setattr(entry, "rule", faulty(rule, kind(i)))
        for plan, v, direct in witnesses(name):
            reds |= {way for way, *_ in disagreements(plan, v, direct)}
            if {"reverse", "reverse again", "forward", "hvp", "hessian"} <= reds:
                break
        else:
            missed[i] = reds
        monkeypatch.undo()
    return missed


ZERO = {"sign", "floor", "heaviside", "greater"}  # derivatives of 0, which no sign and no factor changes
EQUAL = {"add", "sum"}  # derivatives of 1 for each operand
FAULTS = [
    # one fault of each entry at once, and the other kinds in the slow tier
    pytest.param(
        kind,
        name,
        id=f"{name} {kind.__name__}",
        marks=[pytest.mark.slow] * (kind is not (raised if name in ZERO else negated)),
    )
    for kind, without in ((negated, ZERO), (doubled, ZERO), (exchanged, ZERO | EQUAL), (raised, set()))
    for name in DIFFERENTIATED
    if name not in without
]


@pytest.mark.parametrize(("kind", "name"), FAULTS)
def test_a_fault_in_any_local_derivative_turns_each_way_red(kind, name, monkeypatch):
    assert unseen(name, kind, monkeypatch) == {}
