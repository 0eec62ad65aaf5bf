"""Tests every entry of the table against finite differences, SymPy, PyTorch and every number system."""

import math
from itertools import islice, permutations

import numpy as np
import pytest
import sympy
from conftest import REFERENCES
from hypothesis import HealthCheck, assume, given, settings, strategies as st

from autograd import GradientError, Value, gradcheck
from autograd.kinks import is_kink
from autograd.number_systems import arrays, floats, symbols, values
from autograd.operands import number_of
from autograd.primitives import ABOVE_MINUS_ONE, UP_TO_ONE
from autograd.table import ANYWHERE, CONDITION, CONSTANT, REAL, TABLE, Domain, Primitive

ENTRIES = sorted(TABLE)


def close(a, b, tolerance=1e-9):
    return math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance)


def operand_count(entry):
    return entry.least + 2 * entry.step if entry.variadic else len(entry.letters)


def changed(entry, rule):
    """A twin of the entry, with another rule; a copy would be the entry itself."""
    twin = object.__new__(Primitive)
    vars(twin).update(vars(entry), rule=rule)
    return twin


def test_a_domain_is_that_of_the_value_unless_the_derivatives_is_asked_for():
    assert TABLE["sqrt"].domains_of(1)[0].contains(x=0.0)
    assert not TABLE["sqrt"].domains_of(1, derivative=True)[0].contains(x=0.0)


@pytest.mark.parametrize("condition", ["x ≥ 0", "x => 0", "x = 0", "x ! 0"])
def test_a_domain_with_an_unknown_sign_says_which_there_are(condition):
    with pytest.raises(ValueError, match=rf"Domain\('{condition}'\): compare with >, >=, ==, <, <=, !=, whole"):
        Domain(condition)


def test_a_bound_keeps_its_digits():
    assert Domain(">", 0.123456789).words(x="x") == "x > 0.123456789"
    assert not Domain(">", 0.123456789).contains(x=0.12345678)


def test_a_domain_of_letters_that_the_rule_does_not_have_is_refused():
    def rule(n, p, q):
        return p + q, (1.0, 1.0)

    with pytest.raises(TypeError, match="primitive rule: the domain of an operand must call it x, not p"):
        Primitive(rule, "+", (Domain("p > 0"), REAL))
    with pytest.raises(TypeError, match="primitive rule: the joint domain mentions r, which is not an operand"):
        Primitive(rule, "+", (REAL, REAL), joint=Domain("p > r"))


def test_joint_conditions_are_said_in_words():
    said = {name: entry.joint_words(entry.letters) for name, entry in TABLE.items() if entry.joint is not ANYWHERE}
    assert said == {
        "power": "x > 0, x = 0 with p ≥ 0, or x < 0 with a whole p",
        "pow": "y ≥ 0 where x = 0",
        "atan2": "x ≠ 0 or y ≠ 0",
        "clamp": "low ≤ high",
        "hypot": "an operand ≠ 0",
    }
    assert [d.words(x="x") for d in (UP_TO_ONE, ABOVE_MINUS_ONE, CONSTANT)] == [
        "−1 ≤ x ≤ 1",
        "x > −1",
        "x a constant",
    ]


@st.composite
def points(draw, entry):
    """Operands inside the domain of the derivatives."""
    number = st.floats(-3.0, 3.0).filter(lambda x: x == 0.0 or abs(x) > 0.05)
    at = []
    for domain in entry.domains_of(operand_count(entry), derivative=True):
        if domain is CONSTANT:
            at.append(draw(st.sampled_from([-2.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0])))
        elif domain is CONDITION:
            at.append(draw(st.sampled_from([0.0, 1.0])))
        else:
            # away from the domain's border, where slopes grow without bound
            at.append(
                draw(number.filter(lambda x, d=domain: all(d.contains(x=near) for near in (x - 0.05, x, x + 0.05))))
            )
    moving = [i for i, domain in enumerate(entry.domains_of(len(at))) if domain not in (CONSTANT, CONDITION)]
    near = [[x + step * (k == i) for k, x in enumerate(at)] for i in moving for step in (-0.05, 0.05)]
    assume(all(entry.defined_at(*x, derivative=True) for x in (at, *near)))
    return at


def on_the_table(test):
    quiet = [HealthCheck.filter_too_much, HealthCheck.too_slow]
    settled = settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=quiet)(test)
    return pytest.mark.parametrize("name", ENTRIES)(settled)


@on_the_table
@given(data=st.data())
def test_local_derivatives_are_the_slopes(name, data):
    at = data.draw(points(TABLE[name]))
    if name == "detach":  # whose purpose is another derivative than its slope
        assert TABLE[name].rule(floats, *at) == (at[0], (0.0,))
        return
    try:
        assert gradcheck(TABLE[name], at)
    except GradientError as error:
        assume("kink" not in str(error) and "jump" not in str(error))
        raise


@on_the_table
@given(data=st.data())
def test_number_systems_agree(name, data):
    entry = TABLE[name]
    at = data.draw(points(entry))
    value, locals_ = entry.rule(floats, *at)
    with np.errstate(all="ignore"):
        array, array_locals = entry.rule(arrays, *[np.full(3, x) for x in at])
    assert all(close(x, value) for x in np.broadcast_to(array, 3))
    assert all(close(float(np.broadcast_to(a, 3)[0]), b) for a, b in zip(array_locals, locals_))
    domains = entry.domains_of(len(at))
    operands = [x if d in (CONSTANT, CONDITION) else Value(x) for d, x in zip(domains, at)]
    node, node_locals = entry.rule(values, *operands)
    assert close(number_of(node), value)
    assert all(close(number_of(a), b) for a, b in zip(node_locals, locals_))


@on_the_table
@given(data=st.data())
def test_symbols_differentiate_to_the_local_derivatives(name, data):
    entry = TABLE[name]
    at = data.draw(points(entry))
    domains = entry.domains_of(len(at))
    letters = [
        symbols.number(x) if d in (CONSTANT, CONDITION) else sympy.Symbol(f"x{i}", real=True)
        for i, (d, x) in enumerate(zip(domains, at))
    ]
    numbers = {s: sympy.Float(x) for s, x in zip(letters, at) if isinstance(s, sympy.Symbol)}
    value, locals_ = entry.rule(symbols, *letters)
    expected, expected_locals = entry.rule(floats, *at)
    assert close(float(sympy.sympify(value).subs(numbers)), expected, 1e-7)
    at_kink = is_kink(entry, at, [letter if isinstance(letter, sympy.Symbol) else None for letter in letters])
    for symbol, local, number in zip(letters, locals_, expected_locals):
        if not (at_kink and entry.variadic):  # the formula of a tie is that of two
            assert close(float(sympy.sympify(local).subs(numbers)), number, 1e-7)
        if isinstance(symbol, sympy.Symbol) and not at_kink:
            assert close(float(sympy.diff(sympy.sympify(value), symbol).subs(numbers)), number, 1e-7)


def matches_pytorch(entry):
    for case in REFERENCES["primitives"][entry.name]:
        value, locals_ = entry.rule(floats, *case["at"])
        if not close(value, case["value"], 1e-12):
            return False
        if not all(close(a, b, 1e-12) for a, b in zip(locals_, case["locals"])):
            return False
    return True


@pytest.mark.parametrize("name", sorted(REFERENCES["primitives"]))
def test_values_and_derivatives_equal_pytorch(name):
    assert matches_pytorch(TABLE[name])


FAULTS = {"times 1.01": lambda x: 1.01 * x, "negated": lambda x: -x, "zeroed": lambda x: 0.0 * x}
PLANTED = [
    (name, i, fault)
    for name in ENTRIES
    for i, domain in enumerate(TABLE[name].domains_of(operand_count(TABLE[name])))
    # where no derivative leaves there is none to spoil; what is always 0 stays it
    if domain not in (CONSTANT, CONDITION) and name not in ("sign", "floor", "detach", "heaviside", "greater")
    for fault in FAULTS
]


@pytest.mark.parametrize(("name", "i", "fault"), PLANTED)
def test_planted_fault_turns_gradcheck_and_pytorch_red(name, i, fault):
    def faulty(n, *operands):
        value, locals_ = TABLE[name].rule(n, *operands)
        return value, tuple(FAULTS[fault](x) if k == i else x for k, x in enumerate(locals_))

    entry = changed(TABLE[name], faulty)
    reds = 0
    fractions = [0.7, 1.3, 0.4, 0.9, 1.6, 0.55, 1.1]
    count = operand_count(entry)
    for at in (
        *islice(permutations(fractions[:count]), 6),
        [*fractions[count - 1 :: -1]],
        [0.0, *fractions[: count - 1]],
    ):
        if entry.defined_at(*at, derivative=True):
            try:
                gradcheck(entry, at)
            except GradientError as error:
                reds += "kink" not in str(error) and "jump" not in str(error)
    assert reds, f"gradcheck did not see {name}'s derivative {i} {fault}"
    if i < max((len(case["at"]) for case in REFERENCES["primitives"].get(name, ())), default=0):
        assert not matches_pytorch(entry)
