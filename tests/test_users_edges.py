"""Tests of common pitfalls: arrays as operands, math.exp, a closed gate, a caught error, a changed input."""

import builtins
import gc
import math
import operator
import pickle
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from conftest import printed

import autograd
import nn
from autograd import (
    Value,
    collector_paused,
    detect_anomaly,
    draw,
    explain,
    functions as F,
    grad,
    gradcheck,
    hessian,
    jacobian,
    narrate,
    no_grad,
    paths,
    record,
    walk,
)
from autograd.contributions import gradients
from autograd.table import REAL, TABLE, primitive

INF, NAN = math.inf, math.nan


# ---- leaving the graph ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "leave",
    [math.exp, math.sqrt, math.floor, math.ceil, math.trunc, float, int, round, complex, lambda x: round(x, 2)],
)
def test_a_value_that_would_leave_the_graph_names_both_ways_out(leave):
    with pytest.raises(TypeError, match=r"x\.data for the number, or autograd\.exp\(x\) to stay in the graph"):
        leave(Value(1.5, "w"))


def test_numpy_makes_no_floats_of_values():
    with pytest.raises(TypeError, match=r"x\.data"):
        np.array([Value(1.0)], dtype=float)
    with pytest.raises(TypeError, match=r"x\.data"):
        np.float64(Value(1.0))


def test_a_value_is_formatted_like_its_number():
    assert f"{Value(2.34567):.2f} {Value(0.25):.0%} {Value(1e-9):g}" == "2.35 25% 1e-09"
    assert f"{Value(2.0)}" == repr(Value(2.0))


def test_comparisons_and_truth_read_data():
    x = Value(2.0)
    assert x > 1 and x >= np.float64(2.0) and x < Value(3.0) and x <= Fraction(2) and bool(x)
    assert not Value(0.0)
    with pytest.raises(TypeError, match="a Value is one real number"):
        _ = x < "3"


# ---- operands -------------------------------------------------------------------------------------------------


class Series:
    """Something like a pandas Series: a labelled array."""

    def __init__(self, *x):
        self.x = x

    def __iter__(self):
        return iter(self.x)


LISTS = [list, tuple, np.array, Series, iter, lambda x: map(float, x), lambda x: (x_i for x_i in x), np.float32]
LISTS = [*LISTS[:3], lambda x: Series(*x), *LISTS[4:7], lambda x: np.array(x, np.float32), lambda x: map(Value, x)]


@pytest.mark.parametrize("of", LISTS)
def test_every_n_ary_function_takes_lists_of_any_kind(of):
    x = [3.0, 4.0]
    assert F.product(2.0, of(x)).data == 24.0
    assert F.sum(of(x)).data == 7.0
    assert F.dot([Value(2.0), Value(3.0)], of(x)).data == 18.0
    assert F.affine(of(x), [1.0, 1.0], 0.5).data == 7.5
    assert F.logsumexp(of(x)).data == pytest.approx(math.log(math.exp(3.0) + math.exp(4.0)))
    assert F.maximum(of(x)).data == 4.0 and F.minimum(of(x), -1.0).data == -1.0
    assert F.hypot(of(x)).data == F.norm(of(x)).data == 5.0
    assert F.mean(of(x)).data == 3.5
    assert F.std(of(x), correction=0).data == 0.5
    assert [p.data for p in F.softmax(of([0.0, 0.0]))] == [0.5, 0.5]
    assert [p.data for p in F.log_softmax(of([0.0, 0.0]))] == [-math.log(2.0)] * 2


def test_operands_in_generators_stay_in_the_graph():
    z = [Value(0.0), Value(1.0)]
    p = F.softmax(v for v in z)
    assert [round(p_j.data, 8) for p_j in p] == [0.26894142, 0.73105858]
    p[1].backward()
    assert [z_j.grad for z_j in z] == pytest.approx([-0.19661193, 0.19661193])


def test_zero_dimensional_arrays_are_numbers():
    assert F.product(np.array(3.0), 2.0).data == F.product([np.array(3.0), np.int8(2)]).data == 6.0
    assert (Value(2.0) * np.array(3.0)).data == (np.array(3.0) * Value(2.0)).data == 6.0


@pytest.mark.parametrize(
    "number", [2, True, 2.5, Fraction(1, 2), Decimal("0.25"), np.float32(0.5), np.int8(3), np.bool_(1)]
)
def test_real_numbers_of_every_kind_are_operands(number):
    as_float = float(number)
    for f in (operator.add, operator.sub, operator.mul, operator.truediv, operator.pow):
        left, right = f(Value(3.0), number), f(number, Value(3.0))
        assert (left.data, right.data) == (f(3.0, as_float), f(as_float, 3.0))
        assert type(left.data) is type(right.data) is float


@pytest.mark.parametrize(
    "thing",
    [1j, np.complex64(1), np.complex128(2 + 5j), "2", np.str_("2"), b"2", None, [1.0], {"a": 1.0}, object(),
     np.datetime64("2020"), np.array([1.0, 2.0]), Value],
)  # fmt: skip
def test_what_is_no_real_number_is_no_value(thing):
    with pytest.raises(TypeError, match="a Value is one real number"):
        Value(thing)
    with pytest.raises(TypeError):
        F.exp(thing)
    x = Value(1.0)
    with pytest.raises(TypeError, match="a Value is one real number"):
        x.data = thing
    assert x.data == 1.0
    if not isinstance(thing, np.ndarray):
        for f in (operator.add, operator.sub, operator.mul, operator.truediv, operator.lt):
            with pytest.raises(TypeError):
                f(x, thing)


class Table:
    """Like a pandas DataFrame: two-dimensional, and its labels are what it iterates over."""

    shape = (1, 2)

    def __iter__(self):
        return iter([0, 1])


def test_text_mappings_and_tables_are_no_lists_of_operands():
    for thing in ("12", b"12", {1.0: 2.0}, {1.0, 2.0}, Table(), np.ones((2, 2))):
        for function in (F.sum, F.mean, F.softmax, F.norm, F.maximum):
            with pytest.raises(TypeError):
                function(thing)


def test_whole_numbers_beyond_all_floats_are_named():
    with pytest.raises(ValueError, match="beyond the largest float"):
        Value(1.0) + 10**400


def test_arrays_of_values_compute_element_by_element():
    W = np.array([[Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)]])
    x = np.array([Value(0.5), Value(-0.5)])
    a = np.tanh(W @ x)
    assert [type(a_j) for a_j in a] == [Value, Value]
    a.sum().backward()
    slope = 1.0 - math.tanh(-0.5) ** 2
    assert [[w.grad for w in row] for row in W] == [[0.5 * slope, -0.5 * slope]] * 2
    assert [y.data for y in Value(2.0) * np.array([1.0, 3.0])] == [2.0, 6.0]
    assert [y.data for y in np.array([1.0, 3.0]) - Value(2.0)] == [-1.0, 1.0]
    assert [y.data for y in Value(2.0) ** np.array([1.0, 3.0])] == [2.0, 8.0]
    assert list(np.array([1.0, 3.0]) > Value(2.0)) == list(Value(2.0) < np.array([1.0, 3.0])) == [False, True]


class Metres:
    """A stranger with arithmetic of its own."""

    def __radd__(self, other):
        return "added to metres"

    __rsub__ = __rmul__ = __rtruediv__ = __rpow__ = __radd__

    def __gt__(self, other):
        return "compared with metres"


def test_the_reflected_operator_of_a_stranger_is_asked():
    x = Value(1.0)
    for f in (operator.add, operator.sub, operator.mul, operator.truediv, operator.pow):
        assert f(x, Metres()) == "added to metres"
    assert (x < Metres()) == "compared with metres"


def test_a_subclass_of_value_is_an_operand():
    class Named(Value):
        __slots__ = ()

    w = Named(3.0, "w")
    (w * 2.0 + w).backward()
    assert w.grad == 3.0


@pytest.mark.parametrize("number", [np.float32(0.1), np.float64(0.1), np.array(0.5), 2, Fraction(1, 4)])
def test_assigned_data_is_a_float(number):
    w = Value(1.0)
    w.data = number
    assert type(w.data) is float and w.data == float(number)
    assert type((w * 2.0).data) is float


def test_a_value_as_data_says_what_to_write():
    v = Value(2.0, "v")
    with pytest.raises(TypeError, match=r"write v\.data for its number, or \+v for a new node"):
        Value(v)
    with pytest.raises(TypeError, match=r"write v\.data"):
        v.data = Value(3.0)


def test_a_gradient_of_float32_or_none_does_not_spoil_the_sum():
    w = Value(0.1)
    w.grad = np.float32(0.0)
    (w * 0.1).backward()
    assert type(w.grad) is float and w.grad == 0.1
    w.grad = None
    with pytest.raises(TypeError, match="a Value is one real number, not None"):
        (w * 0.1).backward()


@pytest.mark.parametrize(
    ("use", "ours"),
    [(lambda x: x.item(), r"x\.data"), (lambda x: x.numpy(), r"x\.data"), (lambda x: x.children, r"x\.parents"),
     (lambda x: x.grad_fn, r"x\.operation"), (lambda x: setattr(x, "value", 1.0), r"x\.data")],
)  # fmt: skip
def test_attributes_from_elsewhere_are_answered_with_ours(use, ours):
    with pytest.raises(AttributeError, match=f"a Value has no .*: write {ours}"):
        use(Value(1.0))


class Foreign:
    """A node of another engine."""

    data, grad = 2.0, 0.0


@pytest.mark.parametrize(
    "use",
    [draw, walk, narrate, lambda node: explain(Value(1.0), node), lambda node: paths(node, Value(1.0)),
     lambda node: draw(Value(1.0), wrt=node)],
)  # fmt: skip
def test_a_reader_of_a_node_of_another_engine_says_how_it_becomes_a_value(use):
    with pytest.raises(TypeError, match=r"not (a Value)?.*; adopt\(…\) converts a node of another engine"):
        use(Foreign())


def test_arguments_from_elsewhere_are_answered_with_ours():
    with pytest.raises(TypeError, match=r"a Value has no requires_grad: write `with no_grad\(\):`"):
        Value(2.0, requires_grad=True)


def test_every_entry_of_one_operand_is_a_method():
    by_operator = {"identity", "neg"}
    for name, entry in TABLE.items():
        if len(entry.letters) == 1 and not entry.variadic and name not in by_operator:
            x, y = Value(0.5), Value(0.5)
            assert getattr(x, name)().operation is entry
            assert getattr(x, name)().data == getattr(F, name)(y).data


def test_importing_every_name_loads_nothing_heavy():
    code = (
        "from autograd import *; import sys; assert explain and draw and record and walk;"
        "print(sorted({'numpy', 'sympy', 'graphviz', 'matplotlib', 'nn'} & set(sys.modules)))"
    )
    assert printed(code).strip() == "[]"


# ---- gates ----------------------------------------------------------------------------------------------------

SHUT = {  # functions that are constant near x, under a square root of 0
    "relu": (lambda x: F.sqrt(F.relu(x)), -1.0),
    "relu at its kink": (lambda x: F.sqrt(F.relu(x)), 0.0),
    "where, decided by Python": (lambda x: F.sqrt(F.where(x > 1, x, 0.0)), 0.5),
    "where, decided in the graph": (lambda x: F.sqrt(F.where(F.greater(x, 1.0), x, 0.0)), 0.5),
    "maximum": (lambda x: F.sqrt(F.maximum(x, 0.0)), -2.0),
    "minimum": (lambda x: F.sqrt(-F.minimum(x, 0.0)), 2.0),
    "clamp": (lambda x: F.sqrt(F.clamp(x, 0.0, 1.0)), -1.0),
    "detach": (lambda x: F.sqrt(F.detach(x)), 0.0),
    "heaviside": (lambda x: F.sqrt(F.heaviside(x, 0.5)), -1.0),
    "greater": (lambda x: F.sqrt(F.greater(x, 2.0)), 1.0),
    "floor": (lambda x: F.sqrt(F.floor(x)), 0.5),
    "two gates": (lambda x: F.sqrt(F.relu(F.maximum(x, -3.0))), -1.0),
    "a power": (lambda x: F.relu(x) ** 0.5, -1.0),
    "a norm": (lambda x: F.relu(x) ** (1 / 3) + F.sqrt(F.relu(2.0 * x)), -1.0),
}


@pytest.mark.parametrize("name", SHUT)
def test_nothing_passes_a_shut_gate_whoever_reads_the_graph(name):
    function, at = SHUT[name]
    x = Value(at, "x")
    y = function(x)
    y.backward()
    assert x.grad == 0.0
    assert gradients(y)[x] == 0.0
    assert grad(y, x).data == 0.0
    assert hessian(y, x).data == 0.0
    assert autograd.jvp(y, x, 1.0).data == 0.0
    assert "NaN" not in str(narrate(y)) and "NaN" not in draw(y, wrt=x).svg
    assert "✗" not in str(explain(y, x))
    with detect_anomaly():
        function(Value(at, "x")).backward()
    w = Value(2.0, "w")
    program = record(w * y, inputs=[x], parameters=[w], engine="replay")
    assert program([at]) == 2.0 * y.data
    assert program.gradient(x) == 0.0


UNDEFINED = {  # here nothing is shut: the slope does not exist
    "√x²": (lambda x: F.sqrt(x**2), 0.0),
    "√(x·x)": (lambda x: F.sqrt(x * x), 0.0),
    "√|x|": (lambda x: F.sqrt(abs(x)), 0.0),
    "cube root of a cube": (lambda x: (x**3) ** (1 / 3), 0.0),
    "√(1 − cos x)": (lambda x: F.sqrt(1.0 - F.cos(x)), 0.0),
}


@pytest.mark.parametrize("name", UNDEFINED)
def test_an_undefined_slope_never_becomes_0(name):
    function, at = UNDEFINED[name]
    x = Value(at, "x")
    y = function(x)
    y.backward()
    assert not math.isfinite(x.grad)
    with pytest.raises(autograd.DomainError, match="no finite derivative of"):
        grad(y, x)
    with pytest.raises(autograd.AnomalyError, match="the local derivative"), detect_anomaly():
        function(x).backward()
    assert "NaN" in draw(y, wrt=x).svg
    x.grad = 0.0
    w = Value(2.0, "w")
    program = record(w * y, inputs=[x], parameters=[w], engine="replay")
    program([at])
    assert not math.isfinite(program.gradient(x))


def test_an_undefined_local_derivative_that_is_multiplied_by_nothing_does_no_harm():
    x, y = Value(0.0, "x"), Value(0.0, "y")
    f = F.sqrt(x) * y
    assert [d.data for d in grad(f, [x, y])] == [0.0, 0.0]
    f.backward()
    assert (x.grad, y.grad) == (0.0, 0.0)


def test_second_derivatives_know_which_side_was_chosen_when_they_are_run_again():
    x, w = Value(2.0), Value(1.0)
    program = record(grad(F.relu(x) * x * w, x) ** 2, inputs=[x], parameters=[w], engine="replay")
    assert [program([at]) for at in (2.0, -2.0, 3.0, -1.0)] == [16.0, 0.0, 36.0, 0.0]
    x = Value(0.5)
    program = record(grad(F.where(F.greater(x, 1.0), x**3, x**2), x), inputs=[x], engine="replay")
    assert [program([at]) for at in (0.5, 2.0)] == [1.0, 12.0]


def test_a_wrong_slope_is_found_beside_an_infinite_one_that_a_gate_stops():
    @primitive("x²", REAL)
    def bad_square(n, x):
        return x * x, (-5.0 * x,)

    try:
        with pytest.raises(autograd.GradientError, match="off by"):
            gradcheck(lambda x, y: F.sqrt(1.0 - F.minimum(x, 1.0)) + bad_square(y), [2.0, 3.0])
    finally:
        del TABLE["bad_square"]
    assert gradcheck(lambda x, y: F.asin(F.clamp(x, -1.0, 1.0)) * y, [2.0, 3.0])


def test_one_number_or_one_value_needs_no_list():
    assert gradcheck(F.tanh, 0.5) and gradcheck(lambda x: x * x, Value(3.0))
    x = Value(2.0)
    assert record(x * x, inputs=x)([3.0]) == 9.0


def test_derivatives_inside_no_grad_are_those_outside():
    x = Value(3.0)
    y = x**3
    with no_grad():
        assert grad(y, x).data == autograd.vjp(y, x, 1.0).data == autograd.jvp(y, x, 1.0).data == 27.0
        assert hessian(y, x).data == autograd.hvp(y, x, 1.0).data == grad(grad(y, x), x).data == 18.0
        assert gradcheck(lambda v: v**3, [2.0])
        assert (x * x).parents == ()
        with pytest.raises(
            ValueError, match=r"constant without a graph: compute it from leaves, outside no_grad\(\)"
        ):
            record(x**3, inputs=[x])


# ---- stale graphs, own primitives, errors ---------------------------------------------------------------------


@pytest.mark.parametrize("differentiate", [grad, jacobian, hessian, lambda f, x: autograd.jvp(f, x, [1.0])])
def test_a_graph_whose_inputs_changed_is_not_differentiated(differentiate):
    u = Value(1.0, "u")
    f = u * u * u
    u.data = 2.0
    with pytest.raises(ValueError, match=r"^u changed since f was computed"):
        differentiate(f, [u])
    u.data = 1.0
    differentiate(f, [u])


def test_one_value_is_enough_for_every_derivative():
    x = Value(2.0, "x")
    assert grad(x**3, x).data == jacobian(x**3, x).data == 12.0
    assert hessian(x**3, x).data == 12.0
    with pytest.raises(TypeError, match=r"grad takes a Value or a list of Values, not 2\.0"):
        grad(x**3, 2.0)


BROKEN = {
    "too few": (lambda n, x, y: (x * y, (y,)), r"two_\w+ returned \(6\.0, \(3\.0,\)\) for 2 operands"),
    "too many": (lambda n, x, y: (x * y, (y, x, 0.0)), r"returned \(6\.0, \(3\.0, 2\.0, 0\.0\)\) for 2"),
    "none": (lambda n, x, y: x * y, r"6\.0 for 2 operands: it must return \(value, \(∂/∂x, ∂/∂y,\)\)"),
    "one number": (lambda n, x, y: (x * y, y), r"returned \(6\.0, 3\.0\)"),
    "text": (lambda n, x, y: ("6", (y, x)), r"returned \('6', \(3\.0, 2\.0\)\)"),
    "None": (lambda n, x, y: None, r"returned None"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_an_own_primitive_that_returns_something_else_is_named_at_its_first_use(what):
    rule, said = BROKEN[what]
    rule.__name__ = "two_" + what.replace(" ", "_")
    entry = primitive("t", REAL, REAL)(rule)
    try:
        with pytest.raises(TypeError, match=said):
            entry(Value(2.0), Value(3.0))
    finally:
        del TABLE[entry.name]


def test_a_whole_number_that_an_own_primitive_returns_is_a_float():
    @primitive("1", REAL)
    def one(n, x):
        return 1, (0,)

    try:
        assert type(one(2.0).data) is float
    finally:
        del TABLE["one"]


def test_an_own_primitive_is_held_to_its_promise_in_each_call():
    @primitive("t", REAL, REAL)
    def sometimes(n, x, y):
        return (x * y, (y, x)) if x < 5 else (x * y, (y,))

    try:
        sometimes(2.0, 3.0)
        with pytest.raises(TypeError, match=r"sometimes returned \(18\.0, \(3\.0,\)\) for 2"):
            sometimes(6.0, 3.0)
    finally:
        del TABLE["sometimes"]


@pytest.mark.parametrize("feed", [None, "1", [Value(1.0)], 1j])
def test_a_feed_is_numbers(feed):
    x = Value(2.0)
    program = record(x * x, inputs=[x])
    with pytest.raises(TypeError):
        program([feed])
    assert program([3.0]) == 9.0


def test_messages_speak_in_the_users_names_only():
    x = Value(-2.0, "x")
    for compute, said in (
        (lambda: F.log(F.relu(x)), "log at relu(x) = 0.0: needs relu(x) > 0"),
        (lambda: F.sqrt(1.0 + x), "sqrt at add(1, x) = -1.0: needs add(1, x) ≥ 0"),
        (lambda: F.log(+Value(0.0, "p")), "log at x = 0.0: needs x > 0"),
    ):
        with pytest.raises(autograd.DomainError) as caught:
            compute()
        assert str(caught.value) == said
    with pytest.raises(autograd.DomainError) as caught:
        Value(1.0, "y") / Value(0.0, "x")
    assert str(caught.value) == "div at y = 1.0, x = 0.0: needs x ≠ 0"
    with pytest.raises(autograd.DomainError) as caught:
        Value(1.0, "y") / 0.0
    assert str(caught.value) == "div at y = 1.0, operand 2 = 0.0: needs operand 2 ≠ 0"
    with pytest.raises(autograd.DomainError) as caught:
        Value(-8.0, "p") ** 0.5
    assert "needs p > 0, p = 0 with operand 2 ≥ 0, or p < 0 with a whole operand 2" in str(caught.value)


def values_alive():
    return builtins.sum(type(x) is tuple and len(x) > 0 and type(x[0]) is Value for x in gc.get_objects())


@pytest.mark.parametrize("around", [collector_paused, detect_anomaly])
def test_a_caught_error_keeps_no_graph_alive(around):
    gc.collect()
    gc.disable()
    try:
        before = values_alive()
        for _ in range(20):
            with around():
                try:
                    x = F.sum([Value(1.0) * 2.0 for _ in range(50)])
                    F.log(x - x)
                except autograd.DomainError:
                    pass
            del x
        assert values_alive() == before
    finally:
        gc.enable()


def test_errors_travel_with_their_message():
    with pytest.raises(autograd.DomainError) as caught:
        F.log(Value(0.0, "p"))
    copy = pickle.loads(pickle.dumps(caught.value))
    assert type(copy) is autograd.DomainError and str(copy) == str(caught.value)
    assert pickle.loads(pickle.dumps(F.exp)) is F.exp


# ---- the same numbers on every Python -------------------------------------------------------------------------


def test_sums_are_added_from_left_to_right_on_every_python():
    tenths = [0.1] * 10
    assert F.sum(tenths).data == F.dot(tenths, [1.0] * 10).data == 0.9999999999999999
    assert F.affine(tenths, [1.0] * 10, 0.0).data == 0.9999999999999999
    assert F.sum([1e16, 1.0, -1e16]).data == 0.0


@pytest.mark.parametrize("thing", [3, Value, None.__class__])
def test_no_grad_decorates_functions_only(thing):
    with pytest.raises(TypeError, match="no_grad cannot decorate"):
        no_grad(thing)


# ---- corners --------------------------------------------------------------------------------------------------


def test_softmax_of_huge_logits_keeps_its_digits():
    assert [p.data for p in F.softmax([1e16, 1e16])] == [0.5, 0.5]
    z = [Value(1e16), Value(1e16), Value(1e16)]
    F.softmax(z)[0].backward()
    assert [z_j.grad for z_j in z] == pytest.approx([2 / 9, -1 / 9, -1 / 9], rel=1e-15)
    assert [log_p.data for log_p in F.log_softmax([Value(1e8), Value(1e8 - 20.0)])] == pytest.approx(
        [-2.061153620314381e-09, -20.000000002061153], rel=1e-14
    )


def test_cross_entropies_of_sure_predictions_are_not_0():
    assert nn.cross_entropy([Value(1e8), Value(1e8 - 20.0)], 0).data == pytest.approx(
        2.061153620314381e-09, rel=1e-14
    )
    assert nn.cross_entropy([Value(-40.0), Value(0.0), Value(-41.0)], 1).data == pytest.approx(
        5.811185871e-18, rel=1e-9
    )  # log(1 + e⁻⁴⁰ + e⁻⁴¹)
    assert nn.binary_cross_entropy(Value(40.0), 1).data == pytest.approx(4.248354255291589e-18, rel=1e-14)
    assert nn.binary_cross_entropy(Value(-40.0), 0).data == pytest.approx(4.248354255291589e-18, rel=1e-14)


@pytest.mark.parametrize(
    ("slope", "z", "value", "grad_"), [(0.0, INF, INF, 1.0), (0.0, -INF, 0.0, 0.0), (0.5, INF, INF, 1.0)]
)
def test_leaky_relu_at_infinity(slope, z, value, grad_):
    z = Value(z)
    a = F.leaky_relu(z, slope)
    a.backward()
    assert (a.data, z.grad) == (value, grad_)


def test_a_power_of_0_is_flat_everywhere():
    for at in (INF, -INF, 0.0, 3.0):
        x = Value(at)
        y = x**0
        y.backward()
        assert (y.data, x.grad) == (1.0, 0.0)


@pytest.mark.parametrize("name", ["atan", "erf", "erfc", "gelu", "tanh", "sigmoid"])
def test_second_derivatives_of_what_levels_off_are_0_far_out(name):
    for at in (1e155, -1e160, 1e300):
        assert hessian(getattr(F, name)(x := Value(at)), x).data == 0.0
