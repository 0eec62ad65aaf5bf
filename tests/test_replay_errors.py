"""Tests of the errors of a replay: frozen decisions, wrong feeds, and undefined values."""

import math
import random

import numpy as np
import pytest

from autograd import DomainError, Value, functions as F, no_grad, primitive, record
from autograd.replay.program import _rounding
from autograd.table import REAL, TABLE
from autograd.value import constant
from nn import MLP, SGD, mean_squared_error, training_on

# ---- what a recording keeps, and how it is seen ---------------------------------------------------------------


def decided(x, w):
    return w * x if x > 1.0 else w - x


def on_the_other_side(x, w):
    return w * F.log(x) if x > 1.0 else w - x  # at x ≤ 0 the recorded side has no number


def asked(x, w):
    return w * x if x else w - x


def largest(x, w):
    return max(x, w) * 2.0


def read(x, w):
    return w * x.data + x


def copied(x, w):
    return w * Value(x.data)


def detached(x, w):
    with no_grad():
        scale = x * x
    return F.sin(w * scale)


def sloped(x, w):
    return w * F.relu(x).local_derivatives[0] + x


def repeated(x, w):
    for _ in range(int(x.data)):
        w = F.sin(w)
    return w + x


def shortened(x, w):
    return F.sin(w + x) if x > 1.0 else w + x


FROZEN = [
    (
        decided,
        2.0,
        0.5,
        "mul at w = 3.0, x = 0.5, which is 1.5, in the program, but sub at w = 3.0, x = 0.5, which is 2.5,",
    ),
    (on_the_other_side, 2.0, -1.0, "log at x = -1.0, which is nan, in the program, but sub at w = 3.0"),
    (
        asked,
        2.0,
        0.0,
        "mul at w = 3.0, x = 0.0, which is 0.0, in the program, but sub at w = 3.0, x = 0.0, which is 3.0,",
    ),
    (largest, 1.0, 5.0, "w = 3.0 in the program, but x = 5.0"),
    (read, 2.0, 0.5, "the constant = 2.0 in the program, but the constant = 0.5"),
    (copied, 2.0, 0.5, "a leaf = 2.0 in the program, but a leaf = 0.5"),
    (detached, 2.0, 0.5, "the constant = 4.0 in the program, but the constant = 0.25"),
    (sloped, 2.0, -1.0, "the constant = 1.0 in the program, but the constant = 0.0"),
    (repeated, 2.0, 3.0, "x = 3.0 in the program, but sin at x = 0.1406"),
    (shortened, 2.0, 0.5, "sin at add(w, x) = 3.5, which is -0.35078322768961984, in the program, but no further"),
    (shortened, 0.5, 2.0, "no further node in the program, but sin at add(w, x) = 5.0"),
]


@pytest.mark.parametrize("engine", ["replay", "eager"])
@pytest.mark.parametrize(("function", "recorded_at", "at", "said"), FROZEN)
def test_compare_names_the_first_node_that_a_recording_has_frozen(function, recorded_at, at, said, engine):
    x, w = Value(recorded_at, "x"), Value(2.0, "w")
    program = record(function(x, w), inputs=[x], parameters=[w], engine=engine)
    w.data = 3.0  # no decision
    assert program.compare(function(x, w))
    x.data = at
    with pytest.raises(ValueError, match="in the fresh graph: a replay keeps decisions and numbers read") as caught:
        program.compare(function(x, w))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_a_program_reads_in_each_run_is_no_difference():
    rng = random.Random(0)
    model = MLP(3, [8, 2], rng=rng)
    X, c = [[Value(rng.gauss(0, 1)) for _ in range(3)] for _ in range(9)], Value(0.5, "c")

    def loss():
        return F.sum([F.exp(c * z) for x in model.batch(X) for z in x])

    program = record(loss(), inputs=[X], parameters=model.parameters(), engine="replay")
    for leaf in (*(x_k for x in X for x_k in x), *model.parameters(), c):
        leaf.data += rng.gauss(0, 0.5)
    fresh = loss()
    assert program.compare(fresh) is True
    assert program.loss == pytest.approx(fresh.data, rel=1e-12)  # the program ran at these numbers


def test_a_comparison_forgives_rounding_and_no_more():
    x = [Value(1.0 + 0.1 * i, f"x{i}") for i in range(9)]

    def loss():  # sums of 2e9 that round by some 1e-6 each, and a sine that passes that on
        return F.sin(1e7 * sum(x_i * x_i for x_i in x) * 10.0)

    program = record(loss(), inputs=[x], engine="replay")
    for x_i in x:
        x_i.data += 0.37
    fresh = loss()
    assert program.compare(fresh)
    other = F.sin(fresh.parents[0])
    other.data += 1e-2
    with pytest.raises(ValueError, match="sin at "):
        program.compare(other)


def test_leaves_and_constants_have_to_agree_in_every_digit():
    x = Value(1.0, "x")
    for recorded, now in [(1.0, 1.0 + 2.0**-52), (float("nan"), 1.0), (1.0, float("nan"))]:
        program = record(copied(Value(recorded), x))
        assert program.compare(copied(Value(recorded), x))  # NaN is NaN
        with pytest.raises(ValueError, match=f"a leaf = {recorded!r} in the program, but a leaf = {now!r}"):
            program.compare(copied(Value(now), x))


def test_what_operands_may_be_off_by_is_passed_on_by_the_local_derivatives():
    x, y = Value(3.0), Value(-4.0)
    own = _rounding(x * y, [0.0, 0.0])
    assert 0.0 < own < 1e-13
    assert _rounding(x * y, [0.5, 0.25]) == pytest.approx(4.0 * 0.5 + 3.0 * 0.25, rel=1e-12)
    assert _rounding(F.sqrt(Value(0.0)), [0.0]) == 0.0  # ∞ · 0
    assert _rounding(x, []) == 0.0


def test_where_both_have_no_number_at_the_same_node_its_error_is_raised():
    x = Value(2.0, "x")
    loss = F.log(x)
    program = record(loss, [x])
    x.data = -1.0
    with pytest.raises(DomainError, match=r"log at x = -1\.0"):
        program.compare(loss)


def plain(x):
    return x * x


@pytest.mark.parametrize("thing", [plain, lambda x: x, F.sin, MLP(1, [1])])
def test_a_function_is_not_recorded_and_the_error_says_what_to_write(thing):
    name = getattr(thing, "__name__", "MLP")
    remedy = rf"not the function {name}: call it on leaves and record the result, {name}\(x\); for several shapes"
    with pytest.raises(TypeError, match=remedy):
        record(thing)
    with pytest.raises(TypeError, match="compare takes a loss, not the function"):
        record(Value(1.0) * 2.0).compare(thing)


@pytest.mark.parametrize("thing", [2.0, [Value(1.0)], None, "x"])
def test_what_is_not_a_loss_is_refused(thing):
    with pytest.raises(TypeError, match="takes a loss, a Value computed from leaves, not"):
        record(thing)


def test_one_program_for_each_shape_trains_as_the_eager_engine_does():
    rng = random.Random(1)
    first, second = (MLP(3, [6, 2], activation="tanh", rng=random.Random(2)) for _ in range(2))
    sizes = [8, 8, 3] * 5  # the last mini-batch of an epoch is smaller
    batches = [[[[rng.gauss(0, 1) for _ in range(k)] for _ in range(n)] for k in (3, 2)] for n in sizes]

    def loss_of(model, X, Y):
        return F.mean([mean_squared_error(a, y) for a, y in zip(model.batch(X), Y)])

    optimizer, expected = SGD(first.parameters(), 0.1, momentum=0.5), []
    for X, Y in batches:
        loss = loss_of(first, X, Y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        expected.append(loss.data)
    programs = {}
    for n in (3, 8):
        X, Y = ([[Value(0.0) for _ in range(k)] for _ in range(n)] for k in (3, 2))
        programs[n] = record(loss_of(second, X, Y), [X, Y], second.parameters(), engine="replay")
    with training_on(programs[8], SGD(second.parameters(), 0.1, momentum=0.5)) as step:
        losses = [step([X, Y], program=programs[len(X)]) for X, Y in batches]
    # rounding alone, over fifteen steps
    assert losses == pytest.approx(expected, abs=1e-12)
    assert [p.data for p in second.parameters()] == pytest.approx([p.data for p in first.parameters()], abs=1e-12)
    p, q = first.parameters()[0], second.parameters()[0]
    assert programs[3].gradient(q) == pytest.approx(p.grad, abs=1e-12)


# ---- wrong arguments ------------------------------------------------------------------------------------------


def test_inputs_and_parameters_are_leaves_each_given_once():
    x, w = Value(1.0, "x"), Value(2.0, "w")
    y = x * w
    with pytest.raises(ValueError, match="was made by mul: only leaves"):
        record(y, inputs=[y])
    with pytest.raises(ValueError, match="is a constant"):
        record(y, inputs=[constant(2.0)])
    with pytest.raises(ValueError, match="given twice"):
        record(y, inputs=[x], parameters=[w, x])
    with pytest.raises(TypeError, match="a list of inputs"):
        record(y, inputs=[2.0])
    with pytest.raises(TypeError, match="is neither a Value nor a node from which"):
        record(y, parameters=[2.0])
    with pytest.raises(ValueError, match="rows of different shapes"):
        record(y, inputs=[[[x], [w, Value(1.0)]]])
    with pytest.raises(ValueError, match="choose one of auto, compiled, replay, eager"):
        record(y, engine="fast")


@pytest.mark.parametrize("engine", ["replay", "eager"])
def test_feeds_of_another_shape_are_refused_and_nothing_is_fed(engine):
    x, y, w = Value(1.0), [Value(2.0), Value(3.0)], Value(2.0)
    program = record(w * x * y[0] * y[1], inputs=[x, y], parameters=[w], engine=engine)
    for feeds, words in [
        ([5.0], "1 feeds for 2 inputs"),
        ([5.0, [1.0]], r"feeds\[1\] has the shape \(1,\), but inputs\[1\] was recorded with \(2,\)"),
        ([5.0, 1.0], "has the shape"),
    ]:
        with pytest.raises(ValueError, match=words):
            program(feeds)
    assert program() == 12.0


def test_gradients_before_a_run_and_of_strangers_are_errors():
    x = Value(1.0)
    program = record(x * x)
    with pytest.raises(RuntimeError, match="the program has not run"):
        program.gradient(x)
    with pytest.raises(ValueError, match="not in the recorded graph"):
        program.value(Value(2.0))


def test_an_optimiser_of_other_parameters_is_refused():
    w, v = Value(1.0), Value(2.0)
    program = record(w * v)
    with (
        pytest.raises(ValueError, match="recorded ones, in the same order"),
        training_on(program, SGD([v, w], 0.1)) as step,
    ):
        step()


# ---- faults of calculus ---------------------------------------------------------------------------------------


def message(run):
    with pytest.raises(DomainError) as error:
        run()
    return str(error.value)


@pytest.mark.parametrize("engine", ["replay", "eager"])
def test_a_domain_error_names_the_node_that_the_eager_engine_names(engine):
    x = [Value(1.0 + i, f"x{i}") for i in range(9)]
    w = Value(1.0, "w")

    def build():
        return F.sum([F.log(w * F.sqrt(x_i)) for x_i in x])

    program = record(build(), [x], [w], engine=engine)
    numbers = [1.0] * 9
    numbers[4] = -2.0
    found = message(lambda: program([numbers]))
    x[4].data = -2.0
    assert found == message(build) == "sqrt at x4 = -2.0: needs x4 ≥ 0"


@pytest.mark.parametrize("engine", ["replay", "eager"])
@pytest.mark.parametrize("count", [1, 9])
def test_bounds_that_cross_are_refused_as_the_eager_engine_does(engine, count):
    x, low, high = ([Value(start + i, f"{name}{i}") for i in range(count)] for name, start in zip("xlh", (0, -9, 9)))

    def build():
        return F.sum([F.clamp(x_i, l, h) for x_i, l, h in zip(x, low, high)])

    program = record(build(), [low], x, engine=engine)
    feed = [-9.0] * count
    feed[-1] = 20.0
    found = message(lambda: program([feed]))
    low[-1].data = 20.0
    assert found == message(build)
    assert found.startswith(f"clamp at x{count - 1} = ")
    assert program([[-9.0] * count]) == sum(range(count))


def test_a_fault_inside_what_was_fused_away_is_named():
    W = [[Value(1.0, f"w_{j}{k}") for k in range(3)] for j in range(4)]
    x = [Value(1.0, f"x{k}") for k in range(3)]

    def build():
        return F.sum([F.tanh(sum(w * x_k for w, x_k in zip(row, x))) for row in W])

    program = record(build(), [x], engine="replay")
    W[2][1].data = 1e300
    found = message(lambda: program([[1.0, 1e300, 1.0]]))
    x[1].data = 1e300
    assert found == message(build)
    assert found.startswith("mul at w_21 = 1e+300, x1 = 1e+300: overflow")


def test_a_domain_error_in_training_leaves_parameters_as_they_were_before_the_step():
    w = [Value(1.0, f"w{i}") for i in range(8)]
    x = Value(1.0, "x")
    program = record(F.sum([F.log(w_i * x) for w_i in w]), [x], w, engine="replay")
    optimizer = SGD(w, 0.5)
    with pytest.raises(DomainError, match=r"log at mul\(w0, x\) = -1\.5"), training_on(program, optimizer) as step:
        step([1.0])  # each w becomes 1 − 0.5 · 1/w = 0.5
        step([-3.0])
    assert [w_i.data for w_i in w] == [0.5] * 8
    assert optimizer.steps == 1


def test_an_update_that_is_not_finite_names_its_parameter_and_moves_none():
    w = [Value(1.0, f"w{i}") for i in range(8)]
    x = [Value(1.0) for _ in w]
    program = record(F.dot(w, x), [x], w, engine="replay")
    optimizer = SGD(w, 1e10)
    words = r"w3 = 1\.0 with the gradient -1e\+300 would become inf"
    with pytest.raises(DomainError, match=words), training_on(program, optimizer) as step:
        step([[0.0] * 3 + [-1e300] + [0.0] * 4])
    assert [w_i.data for w_i in w] == [1.0] * 8
    assert optimizer.steps == 0


def test_an_update_that_is_not_finite_is_judged_by_the_gradients_of_its_own_step():
    w, x = Value(1.0, "w"), Value(1.0)
    program = record(w * x, inputs=[x], parameters=[w], engine="replay")
    optimizer = SGD([w], lambda t: 0.25 if t == 0 else 1e308)
    words = r"w = 0\.5 with the gradient 1000\.0 would become -inf"
    with pytest.raises(DomainError, match=words), training_on(program, optimizer) as step:
        step([2.0])
        step([1e3])
    assert (w.data, optimizer.steps) == (0.5, 1)


def test_large_numbers_that_are_finite_are_no_fault():
    x = [Value(1.0) for _ in range(9)]
    program = record(F.sum([x_i * 1e200 for x_i in x]), [x], engine="replay")
    assert program([np.full(9, 2.0)]) == pytest.approx(1.8e201, rel=1e-15)


@pytest.mark.parametrize("engine", ["auto", "replay"])
def test_what_is_detached_passes_its_rounding_on_to_compare(engine):
    rng = random.Random(5)
    for _ in range(12):
        W = [[Value(rng.gauss(0.0, 1.0)) for _ in range(8)] for _ in range(5)]
        X = [[Value(rng.gauss(0.0, 1.0)) for _ in range(8)] for _ in range(20)]
        loss = F.sum([-F.log_softmax([sum(w * x_i for w, x_i in zip(row, x)) for row in W])[0] for x in X])
        assert record(loss, inputs=[X], engine=engine).compare(loss)


@pytest.fixture
def of_floats_alone():
    """A primitive whose rule calls Python's own functions."""

    @primitive("½x²", REAL)
    def half_square(n, x):
        return 0.5 * math.pow(x, 2.0), (float(x),)

    yield half_square
    del TABLE["half_square"]


def test_a_rule_of_floats_alone_is_left_to_the_eager_engine_or_named(of_floats_alone):
    x = [Value(0.1 * i) for i in range(300)]
    loss = F.sum([of_floats_alone(x_i) * x_i for x_i in x])
    program = record(loss, [x])
    assert program.engine == "eager" and "primitive half_square: its rule cannot run on arrays" in program.reason
    assert program([[2.0] * 300]) == 300 * 4.0
    with pytest.raises(
        TypeError, match=r"primitive half_square: its rule cannot run on arrays .*n\.exp instead of math\.exp"
    ):
        record(loss, [x], engine="replay")
