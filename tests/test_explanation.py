"""Tests that explain, paths and narrate write what the slides write, and that the terms add up to the gradient."""

import math
import re
import xml.etree.ElementTree as ElementTree
from random import Random

import pytest
from conftest import serious
from random_graphs import random_graph
from slides import net_232, xyz

from autograd import (
    GradientError,
    Value,
    exp,
    explain,
    functions,
    gradcheck,
    log,
    logsumexp,
    maximum,
    named,
    narrate,
    no_grad,
    paths,
    product,
    relu,
    sigmoid,
    sin,
    tanh,
)
from autograd.contributions import contributions
from autograd.explanation.formula_writer import TEXT
from autograd.explanation.wrapping import html_line
from autograd.graph import leaves
from autograd.primitives import POSITIVE
from autograd.staleness import changes
from autograd.table import CONDITION, CONSTANT, TABLE, Primitive
from nn import MLP, binary_cross_entropy, cross_entropy


def changed_since(root):
    return list(dict.fromkeys(x for suspects in changes(root) for x in suspects))


# ---- the slides -------------------------------------------------------------------------------------------------


def test_slide_baby_chain_rule_two_factors_of_sin_x_squared():
    x = Value(1.5, "x")
    u = named(u=x**2)
    found = explain(sin(u), wrt=x)
    assert str(found).splitlines()[:4] == [
        "∂f/∂x = ∂f/∂u ∂u/∂x",
        "      = cos(u)·2x",
        "      = cos(x²)·2x",
        "      = 2x cos(x²)",
    ]
    assert found.value == pytest.approx(-1.8845208681682175, rel=1e-15)


def test_slide_adult_chain_rule_keeps_the_term_that_is_zero():
    _, s, f = xyz()
    found = explain(f, wrt=s)
    assert [term.node.name for term in found.terms] == ["x", "y", "z"]
    assert [(term.upstream, term.local) for term in found.terms] == [(18.0, 0.0), (6.0, 2.0), (12.0, 1.0)]


def test_slide_f_equals_xyz_in_the_slides_order():
    r, s, f = xyz()
    f.backward()
    assert str(explain(f, wrt=s)) == (
        "∂f/∂s = ∂f/∂x ∂x/∂s + ∂f/∂y ∂y/∂s + ∂f/∂z ∂z/∂s\n"
        "      = yz·0 + xz·r + xy·1\n"
        "      = rs²·0 + rs·r + r²s·1\n"
        "      = 2r²s\n"
        "      = 0 + 12 + 12 = 24\n"
        "✓ backward 24   ✓ SymPy 24   ✓ finite difference 24"
    )
    assert str(explain(f, wrt=r)).splitlines()[1:5] == [
        "      = yz·1 + xz·s + xy·0",
        "      = rs²·1 + rs·s + r²s·0",
        "      = 2rs²",
        "      = 18 + 18 + 0 = 36",
    ]


def test_slide_f_equals_xyz_is_explained_alike_as_one_product_and_as_two():
    r, s, f = xyz()
    x, y, z = named(x=r, y=r * s, z=s)
    assert str(explain(named(f=product(x, y, z)), wrt=s)) == str(explain(f, wrt=s))


@pytest.mark.parametrize(("u", "derivative"), [(1.0, 24.0), (2.0, 768.0)])
def test_slide_r_and_s_depend_on_u(u, derivative):
    u = Value(u, "u")
    r, s = named(r=2 * u, s=u**2)
    x, y, z = named(x=r, y=r * s, z=s)
    found = explain(named(f=x * y * z), wrt=u, through=[r, s])
    assert str(found).splitlines()[:4] == [
        "∂f/∂u = ∂f/∂r ∂r/∂u + ∂f/∂s ∂s/∂u",
        "      = ∂f/∂r·2 + ∂f/∂s·2u",
        "      = 4u⁵·2 + 8u⁴·2u",
        "      = 24u⁵",
    ]
    assert found.value == derivative
    assert all(check.agrees for check in found.checks)


def test_slide_crux_what_lies_between_f_and_r_and_s_can_be_deleted():
    u = Value(2.0, "u")
    r, s = named(r=2 * u, s=u**2)
    x, y, z = named(x=r, y=r * s, z=s)
    with_xyz = explain(x * y * z, wrt=u, through=[r, s])
    without = explain(r**2 * s**2, wrt=u, through=[r, s])
    assert [term.product for term in with_xyz.terms] == pytest.approx([term.product for term in without.terms])


def test_slide_delta_of_the_hidden_layer_from_delta_of_the_output_layer():
    _, trace, L = net_232()
    found = explain(L, wrt=trace.z[1][1], through=trace.z[2])
    assert found.remarks == []  # to stop at z² was asked for
    assert str(found).splitlines()[:3] == [
        "δ¹_2 = ∂L/∂z¹_2 = ∂L/∂z²_1 ∂z²_1/∂z¹_2 + ∂L/∂z²_2 ∂z²_2/∂z¹_2",
        "                = δ²_1·w²_12 a¹_2(1 − a¹_2) + δ²_2·w²_22 a¹_2(1 − a¹_2)",
        "                = 0.021494 + 0.00564368 = 0.0271377",
    ]
    assert [term.product for term in found.terms] == pytest.approx(
        [0.02149404073763791, 0.00564368485257405], abs=1e-15
    )
    assert all(check.agrees for check in found.checks)


def test_slide_what_do_you_notice_a_weight_into_the_output_layer_touches_one_delta():
    model, trace, L = net_232()
    w = model.net.layers[2].W[0][1]
    assert paths(trace.z[2][1], w).count == 0
    assert paths(trace.z[2][0], w).count == 1
    assert explain(L, wrt=w, through=trace.z[2]).terms[1].local == 0.0


def test_tanh_prime_is_written_one_minus_a_squared():
    z = Value(0.3, "z")
    a = named(a=tanh(z))
    assert "1 − a²" in str(explain(a, wrt=z))


# ---- what is written adds up ------------------------------------------------------------------------------------


def enumerated(f, s):
    """The number of paths, walked one by one, the slow way."""
    return sum(enumerated(parent, s) for parent in f.parents) if f is not s else 1


@pytest.mark.parametrize("block", [pytest.param(i, marks=[pytest.mark.slow] * (i > 2)) for i in range(10)])
def test_terms_and_paths_of_random_graphs_sum_to_the_gradient(block):
    for seed in range(100 * block, 100 * block + 100):
        f, inputs = random_graph(seed)
        f.backward()
        s = Random(seed).choice(inputs)
        found = explain(f, wrt=s)
        ways = paths(f, s, most=20_000)
        assert sum(term.product for term in found.terms) == pytest.approx(s.grad, rel=1e-9, abs=1e-9)
        assert sum(path.product for path in ways) == pytest.approx(s.grad, rel=1e-9, abs=1e-9)
        assert ways.count == enumerated(f, s) == len(list(ways))
        for check in found.checks:
            assert check.agrees or check.value is None, (seed, check, found.value)
        assert found.checks[2].value == pytest.approx(s.grad, rel=1e-6, abs=1e-6)


def test_most_random_graphs_are_checked_by_sympy_too():
    checked = sum(explain(*pair(seed)).checks[1].value is not None for seed in range(60))
    assert checked >= 50


def pair(seed):
    f, inputs = random_graph(seed)
    return f, inputs[0]


def test_terms_through_any_values_and_past_them_sum_to_the_gradient():
    for seed in range(200):
        f, inputs = random_graph(seed, names=0.6)
        nodes = {c.node for c in contributions(f)} - {f}
        through = Random(seed).sample(sorted(nodes, key=lambda x: x.data), k=min(3, len(nodes)))
        found = explain(f, wrt=inputs[0], through=through)
        f.backward()
        assert sum(term.product for term in found.terms) == pytest.approx(inputs[0].grad, rel=1e-9, abs=1e-9)


# ---- checks that can fail ---------------------------------------------------------------------------------------


FAULTS = {"1.01 times": lambda d: 1.01 * d, "negated": lambda d: -d, "zeroed": lambda d: 0.0 * d}


POINTS = {("clamp", 0): [0.5, 0.1, 0.9], ("clamp", 1): [0.1, 0.5, 0.9], ("clamp", 2): [1.2, 0.5, 0.9]}
FLAT = {"sign", "floor", "detach", "heaviside", "greater"}  # whose derivative is 0 everywhere, by definition


def at_a_smooth_point(entry, chosen):
    """Operands at which the derivative with respect to the chosen one is not 0."""
    count = entry.least + entry.step if entry.variadic else len(entry.letters)
    larger = entry.name != "minimum"
    numbers = [1.2 if (i == chosen) == larger else 0.7 + 0.1 * i for i in range(count)]
    if not entry.defined_at(*numbers):  # asin and acos end at 1
        numbers = [0.5 * x for x in numbers]
    return [
        float(domain is not CONDITION or chosen == 1) if domain in (CONSTANT, CONDITION) else Value(x, f"x{i}")
        for i, (domain, x) in enumerate(zip(entry.domains_of(count), POINTS.get((entry.name, chosen), numbers)))
    ]


def operands_with_a_derivative():
    for entry in [entry for name, entry in TABLE.items() if name not in FLAT]:
        count = entry.least + entry.step if entry.variadic else len(entry.letters)
        for i, domain in enumerate(entry.domains_of(count)):
            if domain not in (CONSTANT, CONDITION):
                yield entry.name, i


@pytest.mark.parametrize(("name", "i"), list(operands_with_a_derivative()))
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_planted_fault_turns_the_ticks_red(name, i, fault, monkeypatch):
    entry = TABLE[name]
    operands = at_a_smooth_point(entry, i)
    assert [check.agrees for check in explain(entry(*operands), wrt=operands[i]).checks] == [True] * 3
    true_rule = entry.rule

    def wrong(n, *operands):
        value, locals_ = true_rule(n, *operands)
        return value, (*locals_[:i], fault(locals_[i]), *locals_[i + 1 :])

    monkeypatch.setattr(entry, "rule", wrong)
    found = explain(entry(*operands), wrt=operands[i])
    assert [check.agrees for check in found.checks] == [True, False, False]
    assert str(found).count("✗") == 2


KINKS = [
    (abs, 0.0, "a kink of |·| at x = 0: the slope is −1 to the left and 1 to the right; 0 was chosen"),
    (relu, 0.0, "a kink of relu at x = 0: the slope is 0 to the left and 1 to the right; 0 was chosen"),
    (lambda x: relu(1e-9 * x) + 1.0, 0.0, "the slope is 0 to the left and 1e−9 to the right; 0 was chosen"),
    (lambda x: maximum(x, 3.0 * x), 0.0, "a kink of max at x = 0: the slope is 1 to the left and 3 to the right"),
    (lambda x: maximum(x, 1e5), 1e5, "the slope is 0 to the left and 1 to the right; 0.5 was chosen"),
    (lambda x: functions.clamp(x, -1.0, 1.0), -1.0, "the slope is 0 to the left and 1 to the right; 0.5 was chosen"),
    (lambda x: relu(x) - relu(-x), 0.0, "the slope is 1 to the left and 1 to the right; 0 was chosen"),
    (lambda x: relu(relu(x) * x + relu(-x)), 0.0, "the slope is −1 to the left and 0 to the right; 0 was chosen"),
    (lambda x: functions.sqrt(relu(x)), 0.0, "the slope is 0 to the left and ∞ to the right; 0 was chosen"),
    (lambda x: maximum(x, 2.0 * x, 3.0 * x), 0.0, "the slope is 1 to the left and 3 to the right; 2 was chosen"),
    (lambda x: functions.floor(x) * x, 3.0, "a jump of floor at x = 3: there is no slope; 3 was chosen"),
    (lambda x: functions.greater(x, 1.0) * x, 1.0, "a jump of > at x = 1: there is no slope; 0 was chosen"),
    (lambda x: functions.where(x, 3.0, 5.0), 0.0, "a jump of where at x = 0: there is no slope; 0 was chosen"),
    (lambda x: functions.where(x, x * 5.0, x), 0.0, "the slope is 5 to the left and 5 to the right; 1 was chosen"),
]


@pytest.mark.parametrize(("function", "at", "words"), KINKS)
def test_a_kink_or_a_jump_is_said_with_its_slopes_and_what_was_chosen_and_nothing_is_ticked(function, at, words):
    x = Value(at, "x")
    text = str(explain(function(x), wrt=x))
    kind = "jump" if "jump" in words else "kink"
    assert words in text and f"– backward, SymPy, finite difference not checked: a {kind}" in text
    assert "✓" not in text and "✗" not in text


@pytest.mark.parametrize(
    ("function", "at", "derivative"),
    [
        (lambda x: relu(x) ** 2, 0.0, 0.0),
        (lambda x: x * abs(x), 0.0, 0.0),
        (lambda x: maximum(x, +x), 2.0, 1.0),
        (lambda x: functions.elu(x), 0.0, 1.0),
        (lambda x: abs(x - 1.0) + x, 1.0 + 2**-52, 2.0),
    ],
)
def test_beside_a_kink_and_where_it_makes_no_corner_the_derivative_is_ticked(function, at, derivative):
    x = Value(at, "x")
    found = explain(function(x), wrt=x)
    assert found.value == derivative and "kink" not in str(found)
    assert [check.agrees for check in found.checks[:2]] == [True] * 2


@pytest.mark.parametrize(
    ("function", "at", "ticks"),
    [
        (
            lambda x: sin(1e300 * x),
            1.0,
            "✓ backward −5.75386e299   ✓ SymPy −5.75386e299   – finite difference not checked: cannot be resolved",
        ),
        # 1e20 (1 − tanh² 20) is 1699.3417; a float has no digit left of it
        (
            lambda x: 1e20 * tanh(x),
            20.0,
            "✓ backward 0   ✓ finite difference 0   – SymPy not checked: rounding dominates",
        ),
        (lambda x: (x + 1e16) - 1e16, 1.0, "✓ SymPy 1   – finite difference not checked: cannot be resolved"),
        # the sum of these floats is 2.8e-17, and 5.6e-17 after rounding
        (lambda x: (x + 0.1 + 0.2 - 0.3) ** 2, 0.0, "– SymPy, finite difference not checked: rounding dominates"),
        (lambda x: x**3, 0.0, "✓ backward 0   ✓ SymPy 0   ✓ finite difference"),
        (lambda x: (x - 1.0) ** 3, 1.0, "✓ backward 0   ✓ SymPy 0   ✓ finite difference"),
        (functions.sqrt, 0.0, "– backward, SymPy, finite difference not checked: the derivative is not finite"),
        (lambda x: functions.exp(-x) * 1e300, 800.0, "– SymPy not checked: rounding dominates"),  # it is −3.7e-48
        (lambda x: functions.sqrt(relu(x)), -1.0, "✓ backward 0   ✓ SymPy 0   ✓ finite difference 0"),
        (lambda x: functions.sqrt(functions.where(x > 1, x, 0.0)), 0.5, "✓ backward 0"),
        (lambda x: functions.sqrt(functions.clamp(x, 0.0, 1.0)), -2.0, "✓ backward 0   ✓ SymPy 0"),
        (lambda x: x * functions.detach(x), 3.0, "✓ backward 3   ✓ SymPy 3   ✓ finite difference 3"),
        (lambda x: functions.floor(x) * x, 2.5, "✓ backward 2   ✓ SymPy 2   ✓ finite difference 2"),
        (lambda x: tanh(x) ** 1e300, 1.0, "✓ backward 0   ✓ SymPy 0   ✓ finite difference 0"),
    ],
)
def test_ticks_tell_what_each_road_can_see(function, at, ticks):
    x = Value(at, "x")
    assert ticks in str(explain(function(x), wrt=x))


def test_what_is_too_large_for_sympy_is_said_to_be_unchecked():
    x = Value(0.5, "x")
    checks = explain(chained(x, 1001), wrt=x).checks
    assert (checks[1].value, checks[1].remark) == (None, "too large")
    assert checks[2].agrees


# ---- what the reader is told ------------------------------------------------------------------------------------


def test_an_input_that_changed_since_is_said_so_at_the_top():
    _, s, f = xyz()
    s.data = 5.0
    found = explain(f, wrt=s)
    assert str(found).splitlines()[0] == "s changed since f was computed: run the forward pass again"
    assert found.value == 24.0
    assert "✗" not in str(found)


def test_exactly_the_values_that_changed_are_named():
    model, _, L = net_232()
    parameters = model.parameters()
    for seed in range(50):
        rng = Random(seed)
        chosen = rng.sample(parameters, k=rng.randint(1, 3))
        before = [p.data for p in chosen]
        for p in chosen:
            p.data += rng.uniform(0.1, 1.0)
        assert set(changed_since(L)) >= set(chosen)
        if len(chosen) == 1:
            assert changed_since(L) == chosen
        for p, data in zip(chosen, before):
            p.data = data
    assert changed_since(L) == []


def test_gradients_of_other_passes_in_grad_are_pointed_out():
    _, s, f = xyz()
    f.backward()
    f.backward()
    assert "s.grad is 48" in str(explain(f, wrt=s))


def test_no_path_is_said_in_words():
    _, _, f = xyz()
    found = explain(f, wrt=Value(1.0, "q"))
    assert found.value == 0.0 and "no path leads from q to f" in str(found)


@pytest.mark.parametrize(
    "make", [lambda f, s: explain(f, "s"), lambda f, s: paths(f, 3.0), lambda f, s: narrate(24.0)]
)
def test_what_is_no_value_is_refused(make):
    _, s, f = xyz()
    with pytest.raises(TypeError, match="is not a Value"):
        make(f, s)


def test_through_a_value_that_is_not_in_the_graph_is_refused():
    _, s, f = xyz()
    with pytest.raises(ValueError, match="which f does not depend on"):
        explain(f, wrt=s, through=Value(1.0, "q"))


def large_networks():
    rng = Random(0)
    moons = MLP(2, [16, 16, 1], activation="tanh", rng=rng)
    yield moons, [0.3, 0.4], lambda a: binary_cross_entropy(a, 1)
    yield (
        MLP(784, [50, 10], activation="tanh", rng=rng),
        [rng.random() for _ in range(784)],
        lambda z: cross_entropy(z, 3),
    )


MOONS, DIGITS = large_networks()


@pytest.mark.parametrize(
    ("model", "x", "loss"), [MOONS, pytest.param(*DIGITS, marks=pytest.mark.slow)], ids=["moons", "784-50-10"]
)
def test_networks_are_explained_in_thirty_lines_of_a_hundred_columns(model, x, loss):
    trace = model.trace(x)
    L = named(L=loss(trace.output))
    L.backward()
    plain = loss(model(x))
    weight = model.net.layers[0].W[3][1]
    cases = [
        (explain(L, wrt=weight), weight.grad),
        (explain(L, wrt=trace.z[1][2]), trace.delta[1][2]),
        (explain(L, wrt=trace.a[0][1], through=trace.z[1]), trace.a[0][1].grad),
        (explain(plain, wrt=weight), weight.grad),
    ]
    for found, gradient in cases:
        lines = str(found).splitlines()
        assert len(lines) <= 30 and max(map(len, lines)) <= 100
        assert sum(term.product for term in found.terms) == pytest.approx(gradient, rel=1e-9)
        assert "✗" not in str(found) and found.checks[2].agrees
    assert re.search(r"… \d+ more, summing to", str(cases[2][0]))


# ---- paths and narration ----------------------------------------------------------------------------------------


def test_too_many_paths_are_counted_and_not_walked():
    x = Value(1.0, "x")
    f = x
    for _ in range(3000):
        f = f + f
        f.data = 1.0  # only the counting matters here
    found = paths(f, x)
    assert found.count == 2**3000 and found.edges == 6000
    assert "10^903" in str(found)
    with pytest.raises(ValueError, match="more than most = 1000"):
        next(iter(found))


def test_one_backward_sweep_needs_fewer_products_than_a_forward_sweep_for_each_input():
    inputs = [Value(1.0, f"x{i}") for i in range(10)]
    f = product(inputs) * 2.0
    found = paths(f, inputs[0])
    assert found.sweeps == (10, 12, 10 + 10)
    assert "Forward sweeps, one per input (10), take 20 in all." in " ".join(str(found).split())


@pytest.mark.parametrize(
    "shut", [relu, lambda x: functions.where(x > 0, x, 0.0), lambda x: functions.clamp(x, 0.0, 5.0)]
)
def test_what_is_told_agrees_with_backward_where_a_gate_is_shut_and_upstream_is_infinite(shut):
    x = Value(-1.0, "x")
    f = named(f=functions.sqrt(shut(x)) + x)
    f.backward()
    told = narrate(f)
    assert x.grad == explain(f, x).value == told.total[x] == 1.0
    assert "NaN" not in f"{told} {paths(f, x)} {explain(f, x)}"
    assert sum(path.product for path in paths(f, x)) == 1.0
    assert [term.product for term in explain(f, x, through=f.parents).terms] == [0.0, 1.0]


def test_factors_stand_in_the_direction_of_their_path():
    s = Value(2.0, "s")
    u = named(u=s**2)
    v = named(v=3.0 * u)
    text = str(paths(named(f=v * 5.0), s))
    assert "  s → u → v → f   4 · 3 · 5 = 60" in text


def test_narration_is_the_backward_pass():
    for seed in range(100):
        f, inputs = random_graph(seed)
        told = narrate(f)
        f.backward()
        last = {sentence.contribution.parent: sentence.total for sentence in told}
        assert all(last[x] == pytest.approx(x.grad, rel=1e-12) for x in inputs)


def test_narration_says_why_a_gradient_is_zero_or_huge():
    w, x, m = Value(-2.0, "w"), Value(3.0, "x"), Value(0.0, "m_1")
    assert ("w", "relu is off at −6") in verdicts(narrate(relu(w * x)))
    assert ("x", "it is multiplied by m_1 = 0 (the unit was dropped)") in verdicts(narrate(x * m))
    assert "saturated at 36" in dict(verdicts(narrate(sigmoid(x * 12.0))))["x"]
    assert "chose another operand" in dict(verdicts(narrate(maximum(w, x))))["w"]
    assert dict(verdicts(narrate(x - x)))["x"] == "its contributions cancel"
    assert dict(verdicts(narrate(w * 2.0, wrt=x)))["x"] == "no path leads to it"
    t = Value(1e-6, "t")
    assert "the largest factor is ∂f/∂t = 1000000, where f = " in dict(verdicts(narrate(log(t))))["t"]


def test_a_new_operation_is_narrated_as_its_entry_says():
    gate = Primitive(lambda n, x: (n.maximum(x, 0.0), (n.heaviside(x, 0.0),)), "valve", (POSITIVE,), flat="shut")
    twice = Primitive(lambda n, x, y: (2.0 * x * y, (2.0 * y, 2.0 * x)), "2×", (POSITIVE,) * 2, factors="all")
    x, y = Value(-1.0, "x"), Value(0.0, "y")
    assert dict(verdicts(narrate(gate(x))))["x"] == f"{gate.name} is shut at −1"
    assert dict(verdicts(narrate(twice(x, y))))["x"] == "it is multiplied by y = 0"


def test_of_two_sums_of_products_the_zero_factor_that_is_named_is_the_own_one():
    w, v, a, c, b = (Value(x, name) for x, name in ((1.0, "w"), (0.0, "v"), (0.0, "a"), (2.0, "c"), (0.0, "b")))
    found = dict(verdicts(narrate(functions.affine([w, v], [a, c], b))))
    assert found == {"w": "it is multiplied by a = 0", "c": "it is multiplied by v = 0"}


@pytest.mark.parametrize(
    ("function", "at", "why"), [(exp, -400.0, "exp is flat at −400"), (sigmoid, -400.0, "its slope is 1.91517e−174")]
)
def test_a_product_that_underflows_has_a_reason_too(function, at, why):
    x = Value(at, "x")
    assert why in dict(verdicts(narrate(function(x) * 1e-200)))["x"]


@pytest.mark.parametrize("through", [3, [3], "y", [["y"]]])
def test_values_between_that_are_no_values_are_named(through):
    x = Value(1.0, "x")
    with pytest.raises(TypeError, match=r"explain: through\[0\] = .* is not a Value"):
        explain(exp(x), wrt=x, through=through)


def verdicts(narration):
    return [(x.name, why) for x, why in narration.verdicts]


# ---- every format -----------------------------------------------------------------------------------------------


def test_two_values_of_one_name_are_told_apart():
    x, other = Value(2.0, "x"), Value(3.0, "x")
    assert str(explain(x * other, wrt=x)).splitlines()[0] == "∂f/∂x = x′"
    assert str(explain(x * other, wrt=other)).splitlines()[0] == "∂f/∂x′ = x"


def test_a_comma_between_two_names_is_not_lowered_with_an_index():
    assert html_line("as far as z²_1, z²_2, w¹_1,12") == (
        "as far as z²<sub>1</sub>, z²<sub>2</sub>, w¹<sub>1,12</sub>"
    )


def test_a_notebook_gets_latex_and_html():
    _, s, f = xyz()
    found = explain(f, wrt=s)
    assert found._repr_latex_().startswith("$$") and r"\frac{\partial f}{\partial x}" in found.latex()
    assert "yz·0 + xz·r + xy·1" in found._repr_html_()  # for where MathML and styles are dropped
    assert math.isclose(found.value, 24.0)


def test_html_has_fractions_and_names_the_edges_of_each_factor():
    _, s, f = xyz()
    root = ElementTree.fromstring(f"<div>{explain(f, wrt=s).html()}</div>")
    found = [*root.iter("mstyle")]
    marks = [(e.get("class"), e.get("data-edge") or e.get("data-edges"), "".join(e.itertext())) for e in found]
    # r, x = r, s, y = rs, v₁ = xy, z = s, f = v₁z
    assert marks[1:7] == [
        ("upstream zero", "4:0 6:0", "∂f∂x"), ("local zero", None, "∂x∂s"), ("upstream", "4:1 6:0", "∂f∂y"),
        ("local", "3:1", "∂y∂s"), ("upstream", "6:1", "∂f∂z"), ("local", "5:0", "∂z∂s"),
    ]  # fmt: skip
    assert ("local", "3:1", "r") in marks and ("product", "4:1 6:0 3:1", "12") in marks
    assert marks[-1] == ("result", None, "24") and found[-1].get("data-node") == "2"
    # text, LaTeX and HTML have the same lines
    assert len(root.findall("div/div")) == 2 * len(explain(f, wrt=s).lines(TEXT))


def test_a_sum_starts_with_a_positive_term():
    x, y = Value(2.0, "x"), Value(3.0, "y")
    assert str(explain((x.relu() - y) ** 2.0 / 2.0, wrt=x)).splitlines()[0] == "∂f/∂x = [x > 0](max(x, 0) − y)"


def test_html_gives_delta_and_sums_that_are_left_out():
    x = Value(1.0, "x")
    f = sum([named(**{f"v_{i}": x * (i - 3.0)}) ** 2 for i in range(9)])
    text = re.sub("<[^>]*>", "", explain(f, wrt=x).html())
    assert "… 5 more, summing to\xa020 =138" in text and "(−6x)·(−3)" in text


def test_picture_and_formulas_name_the_same_edges(tmp_path):
    _, s, f = xyz()
    found = explain(f, wrt=s).with_picture()
    html = found._repr_html_()
    assert str(found) == repr(found) == str(explain(f, wrt=s))
    assert "<script" not in html and found.drawing.svg.strip() in html
    for place in ("4:1", "6:0", "3:1", "6:1", "5:0", "4:0"):
        assert html.count('<g class="edge') and f'&:has(svg [data-edge="{place}"]:hover' in html, place
    assert found.save(tmp_path / "f.html").read_text().count("<h1>") == 1
    with pytest.raises(ValueError, match=r"saved as \.html"):
        found.save(tmp_path / "f.svg")


def test_a_large_picture_does_not_glow():
    x = Value(0.5, "x")
    f = x
    for _ in range(150):
        f = tanh(f * 1.1)
    assert "&:has(svg [data-edge" not in explain(f, wrt=x).with_picture()._repr_html_()


@pytest.mark.browser
@pytest.mark.parametrize(("scheme", "width"), [("light", 1058), ("dark", 360)])
def test_in_a_browser_a_factor_and_its_edges_glow_together(visit, tmp_path, scheme, width):
    _, s, f = xyz()
    page = visit(explain(f, wrt=s).with_picture().save(tmp_path / "f.html"), width, 800, scheme)
    assert not serious(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    opacity = "place => getComputedStyle(document.querySelector(`svg [data-edge='${place}']`)).opacity"
    page.locator(".upstream", has_text="y").first.hover()  # ∂f/∂y, along v₁
    assert [page.evaluate(opacity, place) for place in ("4:1", "6:0", "6:1", "3:1")] == ["1", "1", "0.15", "0.15"]
    washed = """() => [...document.querySelectorAll("math *")].map((e) => [getComputedStyle(e), e.textContent])
      .filter(([style]) => style.backgroundColor !== "rgba(0, 0, 0, 0)").map(([, text]) => text)"""
    assert page.evaluate(washed) == ["∂f∂y", "xz", "rs"]
    page.locator("svg [data-edge='5:0'] .tip").hover()
    assert page.evaluate(washed) == ["∂z∂s", "1", "1", "12"]
    page.locator("svg .box", has_text="z = s").locator(".outline").hover(position={"x": 4, "y": 4})
    assert page.evaluate(washed) == ["∂f∂z", "xy", "r2s"]


def test_what_is_not_finite_is_not_called_wrong():
    n, x = Value(math.nan, "n"), Value(2.0, "x")
    assert "✗" not in str(explain(n * x, wrt=x)) and "f is not finite" in str(explain(n * x, wrt=x))


def test_a_function_of_thousands_of_operands_is_not_written_out():
    many = [Value(0.001 * i, f"q{i}") for i in range(5000)]
    text = str(explain(logsumexp(many), wrt=many[3]))
    assert (
        text.startswith("∂f/∂q3 = 6.80744e−6\nnot written out")
        and "∂f/∂f" not in text
        and "✓ finite difference" in text
    )


def test_a_condition_is_written_as_a_comparison():
    x, y = Value(1.0, "x"), Value(2.0, "y")
    assert str(explain(maximum(x, y), wrt=y)).splitlines()[0] == "∂f/∂y = 1 − [x > y]"
    assert str(explain(relu(x), wrt=x)).splitlines()[0] == "∂f/∂x = [x > 0]"


def test_a_high_power_of_a_sum_is_not_multiplied_out():
    x, y = Value(0.1, "x"), Value(0.2, "y")
    assert str(explain((x + y + 1.0) ** 150, wrt=x)).startswith("∂f/∂x = 150(x + y + 1)¹⁴⁹")


def repeated(step, n, x):
    for _ in range(n):
        x = step(x)
    return x


@pytest.mark.parametrize(
    ("function", "at", "first"),
    [
        (lambda s: s**1000 + s**2, 0.99, "∂f/∂s = 1000s⁹⁹⁹ + 2s"),
        (lambda s: functions.exp(-1e9 * s), 0.5, "∂f/∂s = −1000000000 f"),
        (lambda s: functions.exp(-1e9 * s) + s**7, 0.5, "∂f/∂s = 7s⁶ − 1000000000/exp(1000000000 s)"),
        (lambda s: (s * 0.5) ** 1e9, 1.5, "∂f/∂s = ∂f/∂v₁ ∂v₁/∂s"),
        (lambda s: (s * 0.5) ** 9999, 1.9, "∂f/∂s = ∂f/∂v₁ ∂v₁/∂s"),
        (lambda s: (1e-300 - s) * (s + 3.0), 0.96, "∂f/∂s = "),
        (lambda s: 1.0 / (s**-1000 + s), 0.99, "∂f/∂s = "),
        (lambda s: s ** (1 / 1024) + s, 0.99, "∂f/∂s = "),
        (lambda s: repeated(lambda x: (x * 0.5) ** 2, 60, s), 1.5, "∂f/∂s = "),
        (lambda s: repeated(lambda x: (x * 0.5) ** 1000, 3, s), 1.5, "∂f/∂s = "),
        (lambda s: repeated(functions.silu, 40, s), 1.5, "∂f/∂s = "),
        (lambda s: repeated(lambda x: x * x, 60, named(half=s * 0.5)), 0.0, "∂f/∂s = "),
        (lambda s: repeated(lambda x: named(y=x + x * x), 60, s * 0.5), 0.0, "∂y′59/∂s = "),
        (lambda s: repeated(lambda x: s**x, 30, s + 1.0), 1.07, "∂f/∂s = "),
        (lambda s: repeated(lambda x: s / (1.0 + x), 95, s), 1.07, "∂f/∂s = "),
        (lambda s: repeated(lambda x: abs(x - 1.0), 60, s), 1.07, "∂f/∂s = "),
        (lambda s: repeated(lambda x: maximum(x * x, functions.log1p(s) ** s), 30, s), 0.7, "∂f/∂s = "),
        (lambda s: tanh(functions.log1p(s) + (s - relu(s - 3.0)) ** 40), 0.7, "∂f/∂s = "),
    ],
)
def test_a_form_that_would_be_dense_or_huge_stays_as_it_is(function, at, first):
    s = Value(at, "s")
    found = explain(function(s), wrt=s)
    assert str(found).startswith(first) and len(str(found)) < 1500 and "✗" not in str(found) + found.latex()


def test_a_quotient_of_a_power_with_a_named_exponent_is_written():
    x, y = Value(2.0, "x"), Value(3.0, "y")
    found = explain(0.5 / x**y, wrt=x)
    assert "✗" not in str(found) and found.latex()


# ---- where calculus is a matter of choice, numbers are extreme, or the graph is stale ---------------------------


FAULTY_LOG = Primitive(lambda n, x: (n.log(x), (1.001 * n.divide(1.0, x),)), "log", (POSITIVE,))


def chained(x, n):
    for _ in range(n):
        x = functions.sin(x)
    return x


def last(explanation):
    return str(explanation).split("\n", 1)[1]


@pytest.mark.parametrize("exponent", [functions.sigmoid(1.0), functions.exp(1.0) - 1.0])
def test_a_constant_exponent_that_is_a_formula_is_written(exponent):
    a = Value(3.0, "a")
    found = explain(a**exponent, wrt=a)
    assert "✗" not in str(found) and found.value == pytest.approx(exponent.data * 3.0 ** (exponent.data - 1.0))


def test_infinity_times_zero_is_named_and_never_ticked():
    x = Value(0.0, "x")
    f = functions.sqrt(x * 0.0) + x
    text = "∞ · 0 is not a number: √ has no finite derivative at v₁ = 0"
    assert text in str(explain(f, wrt=x)) and "✓ backward" not in str(explain(f, wrt=x))
    assert "∂f/∂x = NaN: ∞ · 0 is not a number" in str(narrate(f))


def test_what_changed_is_said_first_by_every_reader_and_nothing_false_after_it():
    w = Value(-2.0, "w")
    g = functions.relu(w)
    w.data = 2.0
    first = "w changed since f was computed: run the forward pass again"
    for found in (explain(g, wrt=w), narrate(g), paths(g, w)):
        assert str(found).splitlines()[0] == first
    assert "at 2" not in str(narrate(g))
    assert first in explain(g, wrt=w).latex()


@pytest.mark.parametrize(
    ("build", "spoil", "named_first"),
    [
        (lambda x, w, b: x + b, lambda x, w, b, f: setattr(b, "data", 5.0), "x or b changed"),
        (lambda x, w, b: functions.sum([x, b]), lambda x, w, b, f: setattr(b, "data", 5.0), "x or b changed"),
        (lambda x, w, b: x * w + w, lambda x, w, b, f: setattr(f, "data", 100.0), "f changed"),
        (lambda x, w, b: x * w + w, lambda x, w, b, f: setattr(w, "data", 4.0), "w changed"),
        (lambda x, w, b: x * w + b, lambda x, w, b, f: setattr(b, "data", 4.0), "b changed"),
        (lambda x, w, b: functions.affine(w, x, b), lambda x, w, b, f: setattr(b, "data", 4.0), "b changed"),
    ],
)
def test_the_value_that_changed_is_named_and_no_other(build, spoil, named_first):
    x, w, b = Value(2.0, "x"), Value(3.0, "w"), Value(1.0, "b")
    f = named(f=build(x, w, b))
    spoil(x, w, b, f)
    assert str(explain(f, wrt=x)).startswith(f"{named_first} since f was computed")


UNARY = [name for name, entry in TABLE.items() if not entry.variadic and len(entry.letters) == 1]


@pytest.mark.parametrize("name", [name for name in UNARY if name not in FLAT])
def test_the_input_of_a_function_is_named_however_far_it_went(name):
    for later in (0.25, 0.9) if name in ("asin", "acos") else (0.25, 3.0, 30.0):
        x, y = Value(0.7, "x"), Value(0.5, "y")
        L = named(L=TABLE[name](x))
        loss = L * y
        x.data = later
        assert str(explain(L, x)).startswith("x changed since L was computed")
        assert changed_since(loss) == [x]


def test_a_result_that_was_set_is_named_itself_also_where_an_operand_could_explain_its_value():
    x = Value(2.0, "x")
    L = named(L=functions.exp(x))
    L.data = 100.0
    assert changed_since(L) == [L]


def test_an_interior_value_that_was_set_is_named_itself():
    x, w = Value(2.0, "x"), Value(3.0, "w")
    y = named(y=x * w)
    g = named(g=y * y)
    y.data = 0.0
    assert [v.name for v in changed_since(g)] == ["y"]


@pytest.mark.parametrize("size", [1e-12, 1e-6, 1.0, 1e6, 1e12])
def test_a_change_is_seen_at_every_scale(size):
    q = Value(size, "q")
    f = named(f=q * q)
    assert "✗" not in str(explain(f, wrt=q)) and "not checked" not in str(explain(f, wrt=q))
    q.data = 3.0 * size
    assert changed_since(f) == [q]


@pytest.mark.parametrize(
    ("function", "at"),
    [
        (lambda x: functions.where(x, x * 5.0, x), 0.0),
        (lambda x: functions.where(x, 3.0, x), 0.0),
        (lambda x: functions.relu(x) - functions.relu(-x), 0.0),
        (lambda x: functions.maximum(x, functions.minimum(x, 0.0)), 0.0),
        (lambda x: abs(functions.sin(x)), 0.0),
    ],
)
def test_on_a_kink_or_a_jump_another_road_may_differ_and_is_not_called_wrong(function, at):
    x = Value(at, "x")
    assert "✗" not in str(explain(function(x), wrt=x))


@pytest.mark.parametrize(
    ("function", "at"),
    [
        (functions.sin, 1e6),
        (functions.sin, 1e8),
        (lambda q: 1.0 / q, 1e-9),
        (functions.relu, 1e-7),
        (lambda q: functions.sin(q * 1047197.55), 1.0),
        (functions.log, 1e-7),
        (functions.sqrt, 2e-6),
        (functions.exp, -30.0),
    ],
)
def test_a_smooth_function_is_measured_however_steep_or_fast_it_is(function, at):
    q = Value(at, "q")
    [*_, measured] = explain(function(q), wrt=q).checks
    assert measured.agrees and measured.value == pytest.approx(explain(function(q), wrt=q).value, rel=1e-3)


def test_a_fault_is_still_seen_where_steps_are_chosen():
    q = Value(1e-7, "q")
    assert str(explain(FAULTY_LOG(q), wrt=q)).count("✗") == 2


def test_an_infinite_derivative_is_not_measured():
    q = Value(1e-200, "q")
    assert "finite difference not checked" in str(explain(1.0 / q, wrt=q))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda x, y: functions.maximum(x, y),
            "a kink of max at x = 1: the slope is 0 to the left and 1 to the right; 0.5 was chosen",
        ),
        (lambda x, y: abs(x - y), "sign(x − y)"),
    ],
)
def test_a_formula_says_what_it_is_at_its_tie(make, words):
    x, y = Value(1.0, "x"), Value(1.0, "y")
    assert words in str(explain(make(x, y), wrt=x))


def test_a_zero_factor_is_no_dropped_unit_unless_it_is_a_mask():
    told = str(narrate(Value(0.0, "mass") * Value(2.0, "x")))
    assert "multiplied by mass = 0" in told and "dropped" not in told
    assert "the unit was dropped" in str(narrate(Value(0.0, "m¹_2") * Value(2.0, "a")))


def test_a_zero_among_many_is_named_by_its_own_partner():
    w, a = (
        [Value(1.0, "w1"), Value(2.0, "w2"), Value(3.0, "w3")],
        [Value(4.0, "a1"), Value(0.0, "a2"), Value(5.0, "a3")],
    )
    assert "w2 receives 1 · 0 = 0 from f = ·(w1, w2, w3, a1, a2, a3): it is multiplied by a2 = 0" in str(
        narrate(functions.dot(w, a))
    )


def test_where_no_path_leads_the_names_stay_and_nothing_breaks():
    x, other = Value(2.0, "x"), Value(1.0, "other")
    found = explain(x * 2.0, wrt=other)
    assert found.simplified is None and str(found).startswith("∂f/∂other = 0\nno path leads from other to f")
    with no_grad():
        f = x * 3.0
    assert "f has no graph: it was computed inside no_grad, or is a number" in str(explain(f, wrt=x))


def test_where_nothing_leads_from_a_cut_to_s_its_term_is_0_whatever_arrives():
    v, x = Value(0.0, "v"), Value(2.0, "x")
    u = v * 1.0
    found = explain(functions.sqrt(u) / x, wrt=x, through=[u])
    assert found.value == 0.0 and "NaN" not in str(found) and "Infinity" not in str(found)


def test_latex_says_what_disagrees_and_what_was_not_checked():
    x = Value(0.0, "x")
    assert "not checked" in explain(functions.relu(x) - functions.relu(-x), wrt=x).latex()
    q = Value(1.0, "q")
    assert explain(FAULTY_LOG(q), wrt=q).latex().count("✗") == 2


@pytest.mark.parametrize(
    "tell",
    [
        lambda: paths(long := chained(Value(1.0, "x"), 3000), leaves(long)[0]),
        lambda: narrate(chained(Value(1.0, "x"), 3000)),
        lambda: narrate(functions.exp(Value(60.0, "k"))),
        lambda: narrate(functions.exp(Value(1.0, "k" * 300))),
        lambda: narrate(functions.sum([Value(0.0, f"x{i}") * Value(0.0, f"y{i}") for i in range(50)])),
        lambda: paths(functions.sum([(x := Value(1.0, "x")) * 2.0 for _ in range(30)]), x),
    ],
)
def test_what_is_told_fits_30_lines_of_100_columns(tell):
    lines = str(tell()).split("\n")
    assert len(lines) <= 30 and max(map(len, lines)) <= 100
    assert not any(line != line.rstrip() for line in lines)


def test_what_arrives_at_one_value_is_told_also_where_the_value_is_0():
    x, w = Value(0.0, "x"), Value(1.0, "w")
    told = str(narrate((x * w).relu() + w, wrt=x))
    assert "∂f/∂w" not in told


@pytest.mark.parametrize(
    ("function", "at", "first"),
    [
        (lambda x: functions.sqrt(x**2), -3.0, "∂f/∂x = x/|x|"),
        (lambda x: (x**3) ** (1 / 3), 2.0, "∂f/∂x = x²/(x³)^0.666667"),
        (lambda x: 3.0 * x**2, 2.0, "∂f/∂x = 6x"),
    ],
)
def test_absolute_values_and_factors_of_1_are_written_as_a_reader_would(function, at, first):
    x = Value(at, "x")
    text = str(explain(function(x), wrt=x))
    assert text.startswith(first) and text.count("✓") == 3


def test_constants_and_conditions_are_written_as_a_reader_would():
    p, c, a = Value(0.5, "p"), Value(1.0, "c"), Value(0.0, "a")
    assert "Exp1" not in str(explain(functions.logsumexp([p, p + 1.0]), wrt=p))
    assert "where(" not in str(explain(a ** Value(2.0, "y"), wrt=a))
    assert "∂f/∂p = 2p" in str(explain(functions.where(c, p * p, p), wrt=p))


def test_through_takes_values_and_not_their_names():
    p = Value(1.0, "p")
    with pytest.raises(TypeError, match=r"through\[0\] = 'p' is not a Value"):
        explain(p * 2.0, wrt=p, through=["p"])


SMOOTH_AT_A_TIE = {
    "leaky_relu of slope 1": (lambda x: functions.leaky_relu(x, 1.0), 0.0, 1.0),
    "Huber's loss": (lambda x: functions.where(functions.greater(abs(x), 1.0), abs(x) - 0.5, 0.5 * x * x), 1.0, 1.0),
    "two branches that meet": (lambda x: functions.where(functions.greater(x, 1.0), x * x, 2.0 * x - 1.0), 1.0, 2.0),
    "a cubic with its sign": (lambda x: functions.sign(x) * x**3, 0.0, 0.0),
    "relu of a square": (lambda x: functions.relu(x * x), 0.0, 0.0),
}


@pytest.mark.parametrize("name", SMOOTH_AT_A_TIE)
def test_a_tie_at_which_both_sides_agree_is_no_kink(name):
    function, at, slope = SMOOTH_AT_A_TIE[name]
    x = Value(at, "x")
    text = str(explain(function(x), x))
    assert "kink" not in text and "jump" not in text and f"✓ backward {slope:g}" in text
    assert gradcheck(function, [at])


BROKEN_WHERE_IT_IS_TOUCHED = {
    "√relu(x²) is |x|": (lambda x: functions.sqrt(functions.relu(x * x)), "kink"),
    "floor(1 − x²) leaves 1": (lambda x: functions.floor(1.0 - x * x), "jump"),
    "sign(x²) leaves 0": (lambda x: functions.sign(x * x), "jump"),
    "leaky_relu": (functions.leaky_relu, "kink"),
}


@pytest.mark.parametrize("name", BROKEN_WHERE_IT_IS_TOUCHED)
def test_a_kink_that_is_only_touched_is_one_where_the_sides_differ(name):
    function, kind = BROKEN_WHERE_IT_IS_TOUCHED[name]
    x = Value(0.0, "x")
    assert f"not checked: a {kind}" in str(explain(function(x), x))
    with pytest.raises(GradientError, match=f"has a {kind}"):
        gradcheck(function, [0.0])


def test_equal_operands_and_equal_bounds_have_one_slope_in_every_tick():
    x = Value(2.0, "x")
    for y, slope in ((maximum(x, x, x), 1), (maximum(x, x, x, x) * x, 4), (functions.clamp(x, 2.0, 2.0), 0)):
        text = str(explain(y, x))
        assert "✗" not in text and f"= {slope}\n✓ backward {slope}" in text


@pytest.mark.parametrize(
    "rule", [lambda n, x: (math.sin(x), (math.cos(x),)), lambda n, x: (x * x, (2.0 * x,)) if x > 1.0 else (x, (1.0,))]
)
def test_a_rule_for_floats_alone_is_explained_without_sympy(rule):
    x = Value(0.5, "x")
    text = str(explain(2.0 * Primitive(rule, "own", (TABLE["exp"].domains[0],))(x), x))
    assert "✓ backward" in text and "✓ finite difference" in text and "✗" not in text
    assert "SymPy not checked: a rule works only on floats" in text


def test_printing_an_explanation_changes_neither_its_text_nor_its_html():
    _, s, f = xyz()
    f.backward()
    explanation = explain(f, wrt=s)
    html, text = explanation._repr_html_(), str(explanation)
    assert (explanation._repr_html_(), str(explanation), "alert" in html) == (html, text, False)


def test_an_input_without_a_name_has_the_same_label_in_formulas_narration_and_paths():
    r, s, unnamed = Value(2.0, "r"), Value(3.0, "s"), Value(1.0)
    f = named(f=(r * unnamed) * (r * s) * s)
    f.backward()
    assert "2r²s v₁" in str(explain(f, wrt=s))
    assert "from v₂ = r × v₁" in str(narrate(f)) and "s → v₃ → v₄ → f" in str(paths(f, s))
