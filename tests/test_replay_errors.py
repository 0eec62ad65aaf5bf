"""What a replay refuses, and what it says: recorded decisions, wrong feeds, faults of calculus."""

import math
import random
from pathlib import Path

import numpy as np
import pytest

from autograd import DomainError, Value, no_grad, record
from autograd import functions as F
from autograd.value import constant
from nn import MLP, SGD, BatchNorm, Dropout, Linear, Sequential, cross_entropy, hinge, mean_squared_error

HERE = Path(__file__).name


def line_of(text):
    """The line of this file that holds the text."""
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    [found] = [i for i, line in enumerate(lines, 1) if line.endswith(text)]
    return found


def refused(function, text, *arguments):
    """The message of the refusal, which names this file and the line with the text."""
    with pytest.raises(ValueError) as error:
        record(function)(*arguments)
    assert f"{HERE}, line {line_of(text)}: " in str(error.value)
    return str(error.value)


# ---- what would be frozen -------------------------------------------------------------------------------------


def compared(x):
    return x * 2.0 if x > 0.0 else -x  # a comparison


def less(x):
    return x * 2.0 if x <= 5.0 else -x  # the other comparison


def asked(x):
    return x * 2.0 if x else -x  # a bool


def turned_into_a_float(x):
    return x * float(x)  # a float


def read(x):
    return x * x.data  # a read


def mathematics(x):
    return x * math.sin(x)  # sin of a float


def largest(x):
    return max(x) * 2.0  # the largest


def equal(x):
    return x * 2.0 if x == 1.0 else -x  # equality


def in_a_set(x):
    return x * 2.0 if x in (1.0, 2.0) else -x  # membership


def written(x):
    x.data = 3.0  # a write
    return x * x


@pytest.mark.parametrize(
    ("function", "text", "argument", "words"),
    [
        (compared, "# a comparison", 1.0, "compares a Value"),
        (less, "# the other comparison", 1.0, "compares a Value"),
        (asked, "# a bool", 1.0, "asks whether a Value is 0"),
        (turned_into_a_float, "# a float", 1.0, "makes a Value a float"),
        (read, "# a read", 1.0, "reads the data of a Value"),
        (mathematics, "# sin of a float", 1.0, "makes a Value a float"),
        (largest, "# the largest", [1.0, 2.0], "compares a Value"),
        (equal, "# equality", 1.0, "compares a Value with 1.0"),
        (in_a_set, "# membership", 1.0, "compares a Value with 1.0"),
        (written, "# a write", 1.0, "sets the data of a Value"),
    ],
)
def test_a_decision_by_a_number_is_refused_with_file_and_line(function, text, argument, words):
    assert words in refused(function, text, argument)


def test_a_parameter_is_watched_as_the_arguments_are():
    w = Value(2.0, "w")

    def clipped(x):
        return x * min(w, 1.0)  # the smaller

    assert "compares w" in refused(clipped, "# the smaller", 1.0)


@pytest.mark.parametrize("draw", ["random", "gauss", "uniform", "randint", "choice", "sample", "module"])
def test_a_number_drawn_inside_is_refused(draw):
    rng = random.Random(0)
    ways = {
        "random": lambda: rng.random(),
        "gauss": lambda: rng.gauss(0.0, 1.0),
        "uniform": lambda: rng.uniform(0.0, 1.0),
        "randint": lambda: rng.randint(1, 1),  # drawn, though nothing differs
        "choice": lambda: rng.choice([2.0]),
        "sample": lambda: rng.sample([2.0], 1)[0],
        "module": lambda: random.random(),
    }
    number = ways[draw]

    def noisy(x):
        return x * number()

    with pytest.raises(ValueError, match=r"test_replay_errors\.py, line \d+: the recorded function draws a random"):
        record(noisy)(1.0)
    assert 0.0 <= rng.random() < 1.0 and 0.0 <= random.random() < 1.0  # generators are as before


def test_a_generator_that_is_not_pythons_is_noticed_in_the_second_run():
    rng = np.random.default_rng(0)

    def noisy(x):
        return x * rng.random()  # noise

    def masked(x):
        mask = Value(rng.random(), "m")  # a mask
        return x * mask

    assert "the constant 0.6" in refused(noisy, "# noise", 1.0)
    assert "the leaf m, 0.0" in refused(masked, "# a mask", 1.0)


@pytest.mark.parametrize("seed", range(5))
def test_the_mask_of_one_unit_is_refused_even_where_it_would_be_the_same_again(seed):
    model = Sequential(Linear(2, 1), Dropout(0.5, rng=random.Random(seed)))
    with pytest.raises(ValueError, match=r"test_replay_errors\.py, line \d+: .* draws a random number"):
        record(lambda x: F.sum(model(x)))([1.0, 2.0])
    model.eval()
    assert record(lambda x: F.sum(model(x)))([1.0, 2.0]) == F.sum(model([1.0, 2.0])).data


@pytest.mark.parametrize("at", [3.0, 0.0, 1.0])
def test_a_number_computed_without_a_graph_is_refused(at):
    def detached(x):
        with no_grad():
            scale = x * x  # not through the graph
        return F.sqrt(1.0 + x) * scale

    assert "computes inside no_grad" in refused(detached, "# not through the graph", at)


@pytest.mark.parametrize("at", [3.0, -2.0, 0.0, 1e-9, [0.0, 1.0, -1.0, 1e6], [1e-160, 0.0]])
def test_a_copy_of_a_number_is_refused_wherever_it_is_recorded(at):
    def copied(x):
        x = x if isinstance(x, list) else [x]
        return F.sum([x_i * Value(x_i) for x_i in x])  # a copy

    assert "when the recorded function ran again" in refused(copied, "# a copy", at)


def test_a_copy_is_noticed_at_the_edge_of_a_domain_too():
    def copied(x, y):
        edge = F.sqrt(1.0 - x) + F.sqrt(y)
        return edge + Value(x)  # at an edge

    refused(copied, "# at an edge", 1.0, 0.0)
    assert record(lambda x, y: F.sqrt(1.0 - x) + F.sqrt(y))(1.0, 0.0) == 0.0


@pytest.mark.parametrize("place", range(9))
def test_a_copy_of_any_one_of_many_numbers_is_refused(place):
    def copied(x):
        return F.sum(x) * Value(x[place])  # a copy of one

    refused(copied, "# a copy of one", [1.0, -2.0, 3.0] * 3)


def test_at_edges_of_several_domains_a_way_beside_is_found():
    for function, at in [
        (lambda x, y: F.sqrt(1.0 - x) + F.sqrt(1.0 + y), (1.0, -1.0)),
        (lambda x, y: F.sqrt(1.0 - x) + F.sqrt(-y), (1.0, 0.0)),
        (lambda x: F.sqrt(x) + F.sqrt(1e-9 - x), (5e-10,)),
    ]:
        assert record(function)(*at) == function(*map(Value, at)).data


def test_a_function_that_is_defined_at_one_point_alone_cannot_be_checked():
    with pytest.raises(ValueError, match=r"whichever way, as sqrt at .*: needs x ≥ 0: .* record it at other numbers"):
        record(lambda x: F.sqrt(-abs(x)))(0.0)


def graded(x):
    y = F.relu(x)
    y.backward()
    return y * x.grad  # a gradient


def sloped(x):
    return x * F.relu(x).local_derivatives[0]  # a slope


def test_derivatives_of_this_run_are_refused():
    assert "reads the gradient of" in refused(graded, "# a gradient", 1.0)
    assert "reads the local derivatives of" in refused(sloped, "# a slope", 1.0)


scale, wave, weight = 2.0, F.sin, Value(2.0, "w")


def scaled(x):
    return helped(x) * scale  # a global


def helped(x):
    return wave(x) * weight  # names of a helper


@pytest.mark.parametrize(
    ("name", "new", "words", "text"),
    [
        ("scale", 3.0, "scale was 2.0 when the function was recorded and is 3.0 now", "# a global"),
        ("wave", F.cos, "wave is another Primitive than when the function was recorded", "# names of a helper"),
        ("weight", Value(2.0), "weight is another Value than", "# names of a helper"),
    ],
)
def test_a_global_that_means_something_else_by_now_is_refused(name, new, words, text, monkeypatch):
    recorded = record(scaled)
    assert recorded(1.0) == recorded(1.0) == math.sin(1.0) * 2.0 * 2.0
    monkeypatch.setitem(globals(), name, new)
    with pytest.raises(ValueError, match=f"line {line_of(text)}: {words}"):
        recorded(1.0)
    monkeypatch.undo()
    assert recorded(1.0) == math.sin(1.0) * 4.0


class Fit:
    """A loss that is a method."""

    rate = 2.0

    def __init__(self):
        self.calls, self.model = 0, MLP(1, [1], dropout=0.5, rng=random.Random(0)).eval()

    def loss(self, x):
        return self.model(x) ** 2 * self.rate  # of its own object


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda fit: setattr(fit, "rate", 3.0), "self.rate was 2.0 when the function was recorded and is 3.0 now"),
        (lambda fit: fit.model.train(), "self.model.training was False when the function was recorded and is True"),
        (lambda fit: setattr(fit, "model", MLP(1, [1])), "self.model is another MLP"),
    ],
)
def test_what_a_method_reads_from_its_object_is_compared(change, words):
    fit = Fit()
    recorded = record(fit.loss)
    first = recorded([1.0])
    fit.calls += 1  # which the method does not read
    assert recorded([1.0]) == first
    change(fit)
    with pytest.raises(ValueError, match=f"line {line_of('# of its own object')}: {words}"):
        recorded([1.0])


def test_a_model_that_a_function_names_is_in_the_mode_that_was_recorded():
    model = MLP(1, [4, 1], dropout=0.5, rng=random.Random(0)).eval()
    recorded = record(lambda x: model(x) ** 2)
    assert recorded([1.0]) == recorded([1.0])
    model.train()
    with pytest.raises(ValueError, match=r"model\.training was False"):
        recorded([1.0])


def test_a_variable_around_the_function_is_compared_in_every_call_and_step():
    w, rate, runs = Value(1.0), 2.0, 0

    def loss(x):
        nonlocal runs
        runs += 1  # what it sets itself is its own affair
        return F.sum([w * rate * x_i for x_i in x])

    recorded = record(loss, parameters=[w])
    assert recorded([1.0]) == recorded([1.0]) == 2.0
    assert recorded([1.0, 1.0]) == 4.0
    assert recorded([1.0]) == 2.0
    rate = 2.0 * 1.0  # the same number
    assert recorded([1.0]) == 2.0
    rate = 5.0
    with pytest.raises(ValueError, match=r"rate was 2\.0 when the function was recorded and is 5\.0 now"):
        recorded([1.0])
    with pytest.raises(ValueError, match="rate was"), recorded.training(SGD([w], 0.5)) as step:
        step([[1.0]])
    assert recorded([1.0, 1.0, 1.0]) == 15.0  # of a new shape: recorded now
    assert w.data == 1.0 and runs == 6


def test_a_state_that_changes_from_run_to_run_is_refused():
    calls = []

    def counted(x):
        calls.append(x)
        return x * len(calls)  # how often

    assert "the constant 1.0 was 2.0" in refused(counted, "# how often", 1.0)


def test_a_graph_that_changes_from_run_to_run_is_refused():
    calls = []

    def alternating(x):
        calls.append(x)
        return F.sin(x) if len(calls) % 2 else F.cos(x)  # in turns

    assert "sin was cos" in refused(alternating, "# in turns", 1.0)


def test_a_graph_that_grows_is_refused():
    calls = []

    def growing(x):
        calls.append(x)
        y = x
        for _ in calls:
            y = F.sin(y)
        return y

    with pytest.raises(ValueError, match="run again, the recorded function made"):
        record(growing)(1.0)


def test_a_label_that_chooses_a_unit_is_refused_and_one_that_is_multiplied_is_fed():
    model = MLP(2, [1], rng=random.Random(0))
    recorded = record(lambda x, y: hinge(model(x), y))
    for y in (1.0, -1.0):
        assert recorded([1.0, 2.0], y) == hinge(model([1.0, 2.0]), y).data
    with pytest.raises(ValueError, match="label"):
        record(lambda z, y: cross_entropy(z, y))([1.0, 2.0], 1.0)


def test_batch_normalisation_in_training_would_not_keep_its_averages():
    model = Sequential(Linear(2, 2), BatchNorm(2))
    with pytest.raises(ValueError, match="reads the data of var¹_1"):
        record(lambda X: F.sum([a * a for example in model.batch(X) for a in example]))([[1.0, 2.0], [3.0, 5.0]])


def test_after_a_refusal_values_are_as_before():
    before = {name: vars(Value).get(name) for name in ("data", "__eq__", "__bool__", "__float__", "__lt__")}
    x = Value(2.0)
    with pytest.raises(ValueError, match="compares"):
        record(compared)(1.0)
    assert {name: vars(Value).get(name) for name in before} == before
    assert (x > 1.0, float(x), bool(x), x.data, x == 2.0) == (True, 2.0, True, 2.0, False)


def test_what_is_no_loss_is_refused():
    with pytest.raises(TypeError, match="needs to return the loss"):
        record(lambda x: [x])(1.0)
    with pytest.raises(TypeError, match="inputs of a function are its arguments"):
        record(lambda x: x, inputs=[Value(1.0)])


# ---- functions ------------------------------------------------------------------------------------------------


def test_a_function_is_recorded_once_for_each_shape_and_few_shapes_are_kept():
    w, runs = Value(2.0), []

    def loss(x):
        runs.append(len(x))
        return F.sum([w * x_i for x_i in x])

    program = record(loss)
    for _ in range(3):
        assert program([1.0, 2.0]) == 6.0
        assert program([1.0, 2.0, 4.0]) == 14.0
    assert runs == [2, 2, 3, 3]  # once to record, once to compare
    for n in range(1, 20):
        assert program([1.0] * n) == 2.0 * n
    assert len(program.programs) == program.limit == 8


def test_a_function_of_a_model_trains_as_the_eager_engine_does():
    rng = random.Random(1)
    first, second = (MLP(3, [6, 2], activation="tanh", rng=random.Random(2)) for _ in range(2))
    sizes = [8, 8, 3] * 5  # the last mini-batch of an epoch is smaller
    batches = [[[[rng.gauss(0, 1) for _ in range(k)] for _ in range(n)] for k in (3, 2)] for n in sizes]

    def loss_of(model):
        return lambda X, Y: F.mean([mean_squared_error(a, y) for a, y in zip(model.batch(X), Y)])

    optimizer, expected = SGD(first.parameters(), 0.1, momentum=0.5), []
    for X, Y in batches:
        loss = loss_of(first)(X, Y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        expected.append(loss.data)
    program = record(loss_of(second), parameters=second.parameters())
    with program.training(SGD(second.parameters(), 0.1, momentum=0.5)) as step:
        losses = [step(batch) for batch in batches]
    # rounding alone, over fifteen steps
    assert losses == pytest.approx(expected, abs=1e-12)
    assert [p.data for p in second.parameters()] == pytest.approx([p.data for p in first.parameters()], abs=1e-12)
    assert len(program.programs) == 2
    assert program.gradient(second.parameters()[0]) == pytest.approx(first.parameters()[0].grad, abs=1e-12)


def test_without_parameters_every_other_leaf_is_one():
    w, b = Value(2.0), Value(1.0)
    program = record(lambda x: w * x + b)
    assert program(3.0) == 7.0
    assert (program.gradient(w), program.gradient(b)) == (3.0, 1.0)
    assert program.latest.parameters == [w, b]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([[1.0], [1.0, 2.0]],), "argument 0 holds rows of different lengths, or what is no number"),
        ((1.0, "abc"), "argument 1 holds rows of different lengths, or what is no number"),
        ((1.0, None), "argument 1 holds rows of different lengths, or what is no number"),
        (([1j],), "argument 0 holds rows of different lengths, or what is no number"),
    ],
)
def test_arguments_are_numbers_and_lists_of_equal_lists_of_them(arguments, words):
    with pytest.raises(ValueError, match=words):
        record(lambda *x: x[0])(*arguments)


def test_a_function_too_has_leaves_for_parameters():
    w = Value(2.0)
    with pytest.raises(ValueError, match="was made by mul: only leaves"):
        record(lambda x: w * x, parameters=[w * w])(3.0)


def test_a_functions_latest_run_is_written_into_its_graph():
    w = Value(2.0)
    recorded = record(lambda x: w * x * x, parameters=[w], engine="replay")
    recorded(1.0)
    recorded(3.0)
    recorded.to_values()
    assert (recorded.latest.root.data, w.grad) == (18.0, 9.0)


def test_nothing_recorded_yet_says_so():
    program = record(lambda x: x)
    with pytest.raises(RuntimeError, match="call it first"):
        program.gradient(Value(1.0))


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
    with pytest.raises(TypeError, match="is no Value"):
        record(y, parameters=[2.0])
    with pytest.raises(ValueError, match="rows of different shapes"):
        record(y, inputs=[[[x], [w, Value(1.0)]]])
    with pytest.raises(ValueError, match="there are auto, replay and eager"):
        record(y, engine="fast")


@pytest.mark.parametrize("engine", ["replay", "eager"])
def test_feeds_of_another_shape_are_refused_and_nothing_is_fed(engine):
    x, y, w = Value(1.0), [Value(2.0), Value(3.0)], Value(2.0)
    program = record(w * x * y[0] * y[1], inputs=[x, y], parameters=[w], engine=engine)
    for feeds, words in [
        ([5.0], "1 feeds for 2 inputs"),
        ([5.0, [1.0]], r"feeds\[1\] has the shape \(1,\) and inputs\[1\] was recorded with \(2,\)"),
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
    with pytest.raises(ValueError, match="not in the graph"):
        program.value(Value(2.0))


def test_an_optimiser_of_other_parameters_is_refused():
    w, v = Value(1.0), Value(2.0)
    program = record(w * v)
    with pytest.raises(ValueError, match="or in another order"), program.training(SGD([v, w], 0.1)) as step:
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
    assert found == message(build) == "sqrt at x4 = -2.0: needs x ≥ 0"


@pytest.mark.parametrize("engine", ["replay", "eager"])
def test_of_several_faults_the_one_that_the_function_meets_first_is_named(engine):
    w = [Value(1.0, f"w{i}") for i in range(9)]

    def loss(x):
        first = [F.exp(w_i * x_i) for w_i, x_i in zip(w, x)]  # all of one layer
        second = [F.log(a - 1.0) for a in first]  # then all of the next: in the graph, 0 of both comes before 1
        return F.sum(second)

    recorded = record(loss, engine=engine)
    recorded([1.0] * 9)
    feed = [0.0, 1e9] + [1.0] * 7  # log(exp(0) − 1) and exp(1e9)
    x = [Value(x_i) for x_i in feed]
    found = message(lambda: recorded(feed))
    assert found == message(lambda: loss(x))
    assert found.startswith("exp at x = 1000000000.0: overflow")
    assert recorded([1.0] * 9) == pytest.approx(9.0 * math.log(math.e - 1.0), rel=1e-12)  # rounding of nine terms


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
    with pytest.raises(DomainError, match=r"log at x = -1\.5"), program.training(optimizer) as step:
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
    with pytest.raises(DomainError, match=words), program.training(optimizer) as step:
        step([[0.0] * 3 + [-1e300] + [0.0] * 4])
    assert [w_i.data for w_i in w] == [1.0] * 8
    assert optimizer.steps == 0


def test_an_update_that_is_not_finite_is_judged_by_the_gradients_of_its_own_step():
    w, x = Value(1.0, "w"), Value(1.0)
    program = record(w * x, inputs=[x], parameters=[w], engine="replay")
    optimizer = SGD([w], lambda t: 0.25 if t == 0 else 1e308)
    words = r"w = 0\.5 with the gradient 1000\.0 would become -inf"
    with pytest.raises(DomainError, match=words), program.training(optimizer) as step:
        step([2.0])
        step([1e3])
    assert (w.data, optimizer.steps) == (0.5, 1)


def test_large_numbers_that_are_finite_are_no_fault():
    x = [Value(1.0) for _ in range(9)]
    program = record(F.sum([x_i * 1e200 for x_i in x]), [x], engine="replay")
    assert program([np.full(9, 2.0)]) == pytest.approx(1.8e201, rel=1e-15)
