"""Tests of higher derivatives against the backward pass, finite differences, SymPy and closed forms."""

import math
from itertools import pairwise

import pytest
import sympy
from hypothesis import HealthCheck, assume, given, settings, strategies as st
from test_primitives import ENTRIES, operand_count, points

import autograd
from autograd import (
    DomainError,
    Value,
    exp,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    log,
    pow,
    record,
    relu,
    sigmoid,
    sin,
    softmax,
    sqrt,
    tanh,
    vjp,
)
from autograd.graph import topological_order
from autograd.number_systems import floats
from autograd.table import CONDITION, CONSTANT, TABLE

# each runs on Values, on SymPy's expressions and on floats: n is autograd, sympy or math
RULES_OF_ONE = {
    "sin": lambda n, u: n.sin(u),
    "cos": lambda n, u: n.cos(u),
    "tanh": lambda n, u: n.tanh(u),
    "exp(-u²)": lambda n, u: n.exp(-(u**2)),
    "log(2+u²)": lambda n, u: n.log(2 + u * u),
    "√(1+u²)": lambda n, u: n.sqrt(1 + u * u),
    "tanh³": lambda n, u: n.tanh(u) ** 3,
}
RULES_OF_TWO = {
    "+": lambda n, u, v: u + v,
    "-": lambda n, u, v: u - v,
    "×": lambda n, u, v: u * v,
    "÷": lambda n, u, v: u / (1 + v * v),
    "^": lambda n, u, v: (1.5 + u * u) ** (2 + n.tanh(v)),
}
EXPRESSIONS = st.recursive(
    st.sampled_from(["x", "y"]),
    lambda inner: (
        st.tuples(st.sampled_from(sorted(RULES_OF_ONE)), inner)
        | st.tuples(st.sampled_from(sorted(RULES_OF_TWO)), inner, inner)
    ),
    max_leaves=5,
)
NUMBERS = st.floats(-1.5, 1.5)


def run(expression, n, x, y):
    if isinstance(expression, str):
        return {"x": x, "y": y}[expression]
    rule, *operands = expression
    return {**RULES_OF_ONE, **RULES_OF_TWO}[rule](n, *(run(operand, n, x, y) for operand in operands))


def on_random_expressions(count):
    def decorate(test):
        quiet = [HealthCheck.too_slow]
        test = given(expression=EXPRESSIONS, at=st.tuples(NUMBERS, NUMBERS))(test)
        return settings(max_examples=count, deadline=None, derandomize=True, suppress_health_check=quiet)(test)

    return decorate


def backward_gradient(expression, *at):
    x, y = map(Value, at)
    run(expression, autograd, x, y).backward()
    return [x.grad, y.grad]


def numbers(rows):
    return [[entry.data for entry in row] for row in rows]


def close(expected, tolerance, scale=1.0):
    return pytest.approx(expected, rel=tolerance, abs=tolerance * scale)


def size(H):
    """What rounding is relative to: the largest entry, or 1."""
    return max(1.0, *(abs(h) for row in H for h in row))


@on_random_expressions(150)
def test_grad_equals_backward(expression, at):
    x, y = map(Value, at)
    f = run(expression, autograd, x, y)
    assert f.data == close(run(expression, math, *at), 1e-12)
    gradient = [g.data for g in grad(f, [x, y])]
    assert gradient == close(backward_gradient(expression, *at), 1e-12, size([gradient]))


@on_random_expressions(80)
def test_hessian_is_symmetric_and_the_slope_of_the_gradient(expression, at):
    x, y = map(Value, at)
    H = numbers(hessian(run(expression, autograd, x, y), [x, y]))
    assert H[0][1] == close(H[1][0], 1e-11, size(H))
    h = 1e-5
    for j in (0, 1):
        above, below = ([t + s * h * (i == j) for i, t in enumerate(at)] for s in (1, -1))
        high, low = backward_gradient(expression, *above), backward_gradient(expression, *below)
        slopes = [(a - b) / (2 * h) for a, b in zip(high, low)]
        # the central difference leaves h²/6 times the fourth derivative, which nested squares make large
        assert [H[0][j], H[1][j]] == close(slopes, 1e-5, size(H))


@on_random_expressions(40)
def test_gradient_and_hessian_equal_sympys(expression, at):
    x, y = map(Value, at)
    f = run(expression, autograd, x, y)
    letters = sympy.symbols("x y", real=True)
    formula = run(expression, sympy, *letters)
    exactly = {letter: sympy.Float(number, 40) for letter, number in zip(letters, at)}
    first = [sympy.diff(formula, letter) for letter in letters]
    H = numbers(hessian(f, [x, y]))
    assert [g.data for g in grad(f, [x, y])] == close(
        [float(d.evalf(30, subs=exactly)) for d in first], 1e-11, size(H)
    )
    for row, slope in zip(H, first):
        expected = [float(sympy.diff(slope, letter).evalf(30, subs=exactly)) for letter in letters]
        assert row == close(expected, 1e-11, size(H))


@pytest.mark.parametrize("at", [-1.3, 0.4, 2.0])
@pytest.mark.parametrize(
    ("f", "third_derivative"),
    [
        (lambda x: sin(x * x), lambda x: -12 * x * math.sin(x**2) - 8 * x**3 * math.cos(x**2)),
        (lambda x: x**5, lambda x: 60 * x**2),
        (lambda x: exp(-(x**2) / 2), lambda x: (3 * x - x**3) * math.exp(-(x**2) / 2)),
        (lambda x: log(x * x), lambda x: 4 / x**3),
        (lambda x: 1 / x, lambda x: -6 / x**4),
        (tanh, lambda x: -2 * (1 - math.tanh(x) ** 2) * (1 - 3 * math.tanh(x) ** 2)),
        (sigmoid, lambda x: (1 - math.tanh(x / 2) ** 2) * (3 * math.tanh(x / 2) ** 2 - 1) / 8),
    ],
)
def test_third_derivatives_equal_their_closed_forms(f, third_derivative, at):
    x = Value(at)
    slope = f(x)
    for _ in range(3):
        [slope] = grad(slope, [x])
    assert slope.data == close(third_derivative(at), 1e-13, 10.0)


KINKED = {"abs", "clamp", "maximum", "minimum", "relu"}


@pytest.mark.parametrize("name", ENTRIES)
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_second_derivatives_are_the_slopes_of_the_local_derivatives(name, data):
    entry = TABLE[name]
    at = data.draw(points(entry))
    places = sorted([*at, 0.0] if name in KINKED else [])
    assume(all(b - a > 0.01 for a, b in pairwise(places)))  # at a kink there is no slope
    assume(name != "pow" or at[1] != 0.0)  # test_hessian_of_pow_where_the_exponent_is_0
    domains = entry.domains_of(operand_count(entry))
    moving = [i for i, domain in enumerate(domains) if domain not in (CONSTANT, CONDITION)]
    operands = [Value(x) if i in moving else x for i, x in enumerate(at)]
    inputs = [operands[i] for i in moving]
    H = numbers(hessian(entry(*operands), inputs))
    h = 1e-5
    for column, j in enumerate(moving):
        high, low = (entry.rule(floats, *[x + s * h * (i == j) for i, x in enumerate(at)])[1] for s in (1, -1))
        slopes = [(high[i] - low[i]) / (2 * h) for i in moving]
        # points are at least 0.05 from 0, where (h/0.05)² = 4e-8 is left of the steepest entry, the power
        assert [row[column] for row in H] == close(slopes, 1e-5, size(H))


def test_hessian_of_pow_where_the_exponent_is_0():
    x, y = Value(2.0), Value(0.0)
    # of xʸ at y = 0: ∂²/∂x² = y(y−1)xʸ⁻², ∂²/∂x∂y = xʸ⁻¹(1 + y log x), ∂²/∂y² = xʸ log²x
    assert numbers(hessian(pow(x, y), [x, y])) == [[0.0, 0.5], [0.5, close(math.log(2.0) ** 2, 1e-14)]]


def test_jacobian_of_softmax_is_p_times_delta_minus_p():
    z = [Value(x) for x in (0.3, -1.2, 2.0)]
    whole = sum(math.exp(x.data) for x in z)
    p = [math.exp(x.data) / whole for x in z]
    expected = [[p[i] * ((i == j) - p[j]) for j in range(3)] for i in range(3)]
    assert numbers(jacobian(softmax(z), z)) == [close(row, 1e-13) for row in expected]


def test_grad_with_respect_to_an_inner_node_and_to_a_stranger():
    x, stranger = Value(0.7), Value(5.0)
    square = x * x
    f = sin(square) + square
    to_square, to_itself, to_stranger = grad(f, [square, f, stranger])
    assert to_square.data == close(math.cos(0.49) + 1.0, 1e-15)
    assert (to_itself.data, to_stranger.data) == (1.0, 0.0)


def test_a_gradient_can_itself_be_trained_on():
    x, y = Value(0.6), Value(-0.4)
    f = sin(x * y) + x**3
    gradient, H = grad(f, [x, y]), numbers(hessian(f, [x, y]))
    (gradient[0] ** 2 + gradient[1] ** 2).backward()
    # ∇|g|² = 2 H g
    assert [x.grad, y.grad] == close([2 * sum(h * g.data for h, g in zip(row, gradient)) for row in H], 1e-13)


def test_grad_and_hessian_touch_no_grad():
    x, y = Value(0.6), Value(-0.4)
    f = tanh(x * y) + sin(x) ** 2
    nodes = topological_order(f)
    for i, node in enumerate(nodes):
        node.grad = 100.0 + i
    grad(f, [x, y])
    hessian(f, [x, y])
    assert [node.grad for node in nodes] == [100.0 + i for i in range(len(nodes))]


# ---- forward mode ---------------------------------------------------------------------------------------------

DIRECTION = [1.0, -0.7, 0.3, 1.9, -1.1, 0.6, 0.2]


def derivatives_at(name, at):
    """An entry squared (so that its slope matters twice), its inputs, and the fitting part of DIRECTION."""
    domains = TABLE[name].domains_of(len(at))
    operands = [x if domain in (CONSTANT, CONDITION) else Value(x) for x, domain in zip(at, domains)]
    inputs = [x for x in operands if isinstance(x, Value)]
    y = TABLE[name](*operands)
    return y * y + y, inputs, DIRECTION[: len(inputs)]


@pytest.mark.parametrize("name", ENTRIES)
@settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_forward_mode_agrees_with_backward_on_the_whole_table(name, data):
    f, inputs, v = derivatives_at(name, data.draw(points(TABLE[name])))
    f.backward()
    gradient = [x.grad for x in inputs]
    scale = max(map(abs, gradient))
    assert jvp(f, inputs, v).data == close(sum(g * v_i for g, v_i in zip(gradient, v)), 1e-13, 10.0 * scale)
    assert [g.data for g in vjp([f, f], inputs, [2.0, -1.5])] == close([0.5 * g for g in gradient], 1e-13, scale)


@pytest.mark.parametrize("name", ENTRIES)
@settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_the_hessian_times_a_direction_needs_no_hessian(name, data):
    f, inputs, v = derivatives_at(name, data.draw(points(TABLE[name])))
    H = numbers(hessian(f, inputs))
    expected = [sum(h * v_j for h, v_j in zip(row, v)) for row in H]
    assert [x.data for x in hvp(f, inputs, v)] == close(expected, 1e-12, 10.0 * size(H))


@on_random_expressions(60)
def test_forward_mode_gives_the_columns_of_the_jacobian(expression, at):
    x, y = map(Value, at)
    f = run(expression, autograd, x, y)
    outputs = [f, f * x, sin(f)]
    J = numbers(jacobian(outputs, [x, y]))
    for j, unit in enumerate(([1.0, 0.0], [0.0, 1.0])):
        assert [rate.data for rate in jvp(outputs, [x, y], unit)] == close([row[j] for row in J], 1e-12, size(J))


@pytest.mark.parametrize(
    ("f", "at"),
    [
        (lambda x, y: sqrt(relu(x)) + y, (-1.0, 2.0)),
        (lambda x, y: autograd.maximum(sqrt(x), 1.0) * y, (0.0, 2.0)),
        (lambda x, y: sqrt(autograd.clamp(x, 0.0, 5.0)) * y, (-1.0, 2.0)),
        (lambda x, y: relu(x) ** 0.5 * relu(x) ** 0.25 + sin(y), (-2.0, 0.5)),
    ],
)
def test_every_mode_gives_0_where_a_gate_is_shut_beside_an_infinite_slope(f, at):
    x, y = map(Value, at)
    z = f(x, y)
    z.backward()
    expected = [x.grad, y.grad]
    assert all(map(math.isfinite, expected)) and expected[0] == 0.0
    assert [g.data for g in grad(z, [x, y])] == [g.data for g in vjp(z, [x, y], 1.0)] == expected
    assert [jvp(z, [x, y], unit).data for unit in ([1, 0], [0, 1], [2, 3])] == [0.0, expected[1], 3 * expected[1]]
    assert [row[0] for row in numbers(hessian(z, [x, y]))] == [h.data for h in hvp(z, [x, y], [1, 0])] == [0.0, 0.0]


@pytest.mark.parametrize("f", [lambda x: sqrt(x**2), lambda x: (x**3) ** (1 / 3), lambda x: sqrt(x * x * x)])
def test_no_mode_makes_0_of_a_slope_that_does_not_exist(f):
    x = Value(0.0)
    y = f(x)
    y.backward()
    assert not math.isfinite(x.grad)
    for derivative in (grad, hessian, lambda y, x: jvp(y, x, 1.0), lambda y, x: vjp(y, x, 2.0)):
        with pytest.raises(DomainError, match="no finite derivative of"):
            derivative(y, x)


def test_what_does_not_move_needs_no_slope():
    x, y = Value(0.0), Value(2.0)
    assert jvp(sqrt(x) + y * y, [x, y], [0.0, 1.0]).data == jvp(sqrt(x) + y * y, [y], [1.0]).data == 4.0
    with pytest.raises(DomainError, match=r"sqrt at x = 0\.0: needs x > 0"):
        jvp(sqrt(x) + y * y, [x, y], [1e-9, 1.0])


def test_inner_nodes_and_repeated_ones_move_as_the_jacobian_says():
    x = Value(3.0)
    u = x * x
    f = sin(u) * x
    along = [1.0, 10.0, 100.0]
    J = [g.data for g in grad(f, [x, u, x])]
    assert jvp(f, [x, u, x], along).data == close(sum(d * v for d, v in zip(J, along)), 1e-14)


@pytest.mark.parametrize("first", [0.3, 3.0])
@pytest.mark.parametrize("at", [-2.0, -0.5, 0.7, 2.5])
def test_a_recorded_derivative_is_right_at_other_inputs(first, at):
    def derivatives(x, w):
        y = relu(x) * x * w + sqrt(relu(x - 1.0)) + relu(x) ** 0.5 + tanh(x * w) ** 3
        slope = jvp(relu(x) * x * w + sin(x * w) ** 3, [x, w], [1.0, 2.0])
        terms = [slope * slope, *hvp(y, [x, w], [1.0, -1.0]), *vjp([y, slope], [x], [1.0, 0.5]), hessian(y, w)]
        return autograd.functions.sum(terms)

    x, w = Value(first), Value(1.5)
    program = record(derivatives(x, w), inputs=[x], parameters=[w], engine="replay")
    x_then, w_then = Value(at), Value(1.5)
    expected = derivatives(x_then, w_then)
    expected.backward()
    assert program([at]) == close(expected.data, 1e-12)
    assert program.gradient(x) == close(x_then.grad, 1e-11)
    assert program.gradient(w) == close(w_then.grad, 1e-11)


def test_a_recorded_derivative_that_does_not_exist_is_named():
    x = Value(4.0)
    program = record(grad(sqrt(x), x), inputs=[x], engine="replay")
    assert program([1.0]) == 0.5
    with pytest.raises(DomainError, match=r"div at x = 0\.5, y = 0\.0: needs y ≠ 0"):
        program([0.0])
    assert program([16.0]) == 0.125


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x: jvp(x * x, [x], [1.0, 2.0]), "jvp: direction has 2 numbers for 1 input; give one for each input"),
        (lambda x: vjp([x * x], [x], []), "vjp: weights has 0 numbers for 1 output; give one for each output"),
        (lambda x: jvp(2.0, [x], [1.0]), r"jvp takes a Value or a list of Values, not 2\.0"),
        (lambda x: hvp(x * x, [2.0], [1.0]), r"hvp takes a Value or a list of Values, not 2\.0"),
        (lambda x: jvp(x * x, x, "1"), "one real number"),
    ],
)
def test_what_forward_mode_cannot_take_is_named(call, words):
    with pytest.raises((TypeError, ValueError), match=words):
        call(Value(2.0))
