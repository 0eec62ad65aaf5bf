"""Tests of ``detect_anomaly``: it names the first non-finite number, with its operation, operands and line."""

import asyncio
import math
import threading
from contextlib import nullcontext
from pathlib import Path
from random import Random

import pytest

from autograd import (
    AnomalyError,
    DomainError,
    Value,
    detect_anomaly,
    functions as F,
    no_grad,
    record,
    source_lines,
    sqrt,
    value,
)
from autograd.anomaly import first_anomaly
from autograd.table import Primitive
from nn import MLP, SGD, BatchNorm, Linear, Module, Sequential, Training, binary_cross_entropy, mean_squared_error
from nn.data import batches, moons

HERE = Path(__file__).name
nan, inf = math.nan, math.inf


def line_of(text):
    """The line of this file that ends with the text."""
    source = Path(__file__).read_text(encoding="utf-8").splitlines()
    [found] = [i for i, line in enumerate(source, 1) if line.endswith(text)]
    return found


def found(run, text, kind=AnomalyError):
    """What is said of the anomaly, after file, line and code; the line is that which ends with the text."""
    with pytest.raises(kind) as caught, detect_anomaly():
        run()
    assert type(caught.value) is kind
    place, said = str(caught.value).split(f"{text}`: ", 1)
    assert place.split(", `")[0].endswith(f"{HERE}, line {line_of(text)}")
    return said


# ---- eager ----------------------------------------------------------------------------------------------------


def nan_leaf():
    x = Value(nan, "x")  # a leaf
    w = Value(2.0, "w")
    y = w * x  # what uses it
    return F.exp(y + 1.0)


def test_a_leaf_that_is_nan_is_named_with_the_operation_that_meets_it_and_both_lines():
    said = found(nan_leaf, "# what uses it")
    assert said.startswith("mul at w = 2.0, x = nan: the result is nan because the leaf x, created in ")
    assert f"{HERE}, line {line_of('# a leaf')}, `x = Value(nan" in said
    assert said.endswith("is nan; give it a finite number")


def infinite_constant():
    x = Value(2.0, "x")
    return x * inf - x * inf  # twice


def test_the_first_is_named_and_not_what_comes_of_it():
    # inf − inf would be NaN: the product is what went wrong
    assert "the result is inf because the constant y" in found(infinite_constant, "# twice")


def of_many():
    x = [Value(float(i)) for i in range(40)]
    x[33].data = nan
    return F.dot(x[:20], x[20:])  # of many


def test_one_of_many_operands_is_named_where_the_message_does_not_list_them_all():
    assert "the leaf x34, created in" in found(of_many, "# of many")


def outside_its_domain():
    p = Value(1.0, "p")
    return F.log(p - 1.0)  # log 0


def too_large():
    x = Value(1e200, "x")
    y = x * x  # x²
    return y - y


def test_a_domain_error_tells_its_line_and_stays_one():
    assert found(outside_its_domain, "# log 0", DomainError) == "log at x = 0.0: needs x > 0"
    assert found(too_large, "# x²", DomainError).startswith("mul at x = 1e+200, x = 1e+200: overflow, the result inf")


def root_of_zero():
    x = Value(0.0, "x")
    y = sqrt(x)  # √0
    L = 2.0 * y
    L.backward()


def test_an_infinite_local_derivative_that_is_used_is_named_by_its_rule():
    said = found(root_of_zero, "# √0")
    assert said == "sqrt at x = 0.0: the local derivative with respect to x is inf; a finite one needs x > 0"


def flat_at_zero():
    x = Value(0.0, "x")
    (sqrt(x) ** 2).backward()
    assert x.grad == 0.0


def test_an_infinite_local_derivative_with_nothing_from_upstream_is_no_anomaly():
    with detect_anomaly():
        flat_at_zero()  # 2√0 = 0 comes from upstream


def small_divisor():
    u = Value(1e-200, "u")
    (1.0 / u).backward()  # a slope of −1/u²


def test_a_local_derivative_that_overflows_is_named_as_such():
    # the quotient 1e200 is finite, −1/u² = −1e400 is not
    said = found(small_divisor, "# a slope of −1/u²")
    assert said == "div at x = 1.0, u = 1e-200: the local derivative with respect to u is -inf; an overflow " \
        "beyond the largest float, 1.8e308"  # fmt: skip


def steep():
    x, w = Value(1e-308, "x"), Value(0.0, "w")
    y = (w + x) * 1e200  # the outer factor
    z = y * 1e200  # the inner factor
    z.backward()
    return w


def test_a_gradient_that_overflows_is_named_where_it_does():
    # δ of (w + x) is 1e200 · 1e200, and what the sum passes on is not the first
    said = found(steep, "# the outer factor")
    assert said.startswith(
        "mul at add(w, x) = 1e-308, y = 1e+200: the gradient of add(w, x) overflows: 1e+200 · 1e+200"
    )


def test_infinity_times_zero_names_the_infinity():
    x, zero = Value(1e-308, "x"), Value(0.0, "zero")
    u = zero * x  # its local derivative by x is 0
    y = u * 1e200 * 1e200
    y.backward()
    assert math.isnan(x.grad)  # inf · 0

    def again():
        u = zero * x
        y = u * 1e200  # after it comes 0
        (y * 1e200).backward()

    x.grad = zero.grad = 0.0
    assert "the gradient of mul(zero, x) overflows: 1e+200 · 1e+200" in found(again, "# after it comes 0")


def test_a_sum_of_gradients_that_overflows_is_named_with_what_was_there():
    w = Value(1.0, "w")

    def twice():
        (w * 1e308).backward()
        (w * 1e308).backward()  # once more

    said = found(twice, "# once more")
    assert said.startswith("mul at w = 1.0, y = 1e+308: the gradient of w overflows: 1e+308 + 1.0 · 1e+308 is beyond")
    assert w.grad == 1e308  # as the first backward left it


def test_a_gradient_that_was_not_finite_before_is_told_from_one_that_overflows():
    w = Value(1.0, "w")
    w.grad = nan

    def go_on():
        (w * 2.0).backward()  # on top of NaN

    assert found(go_on, "# on top of NaN").endswith("the gradient of w is already nan; set it to 0.0 before backward")


def test_no_gradient_has_changed_where_an_anomaly_is_found():
    x, w = Value(0.0, "x"), Value(1.0, "w")
    with pytest.raises(AnomalyError), detect_anomaly():
        (w * 3.0 + sqrt(x)).backward()
    assert (w.grad, x.grad) == (0.0, 0.0)


def test_an_infinity_that_does_no_harm_is_no_anomaly():
    with detect_anomaly():
        x = Value(1.0, "x")
        y = F.minimum(x, inf) + F.logsumexp([x, Value(-inf)])
        y.backward()
    assert (y.data, x.grad) == (2.0, 2.0)


def test_what_was_made_before_says_so():
    x = Value(nan, "x")
    y = x * 2.0
    with pytest.raises(AnomalyError) as caught, detect_anomaly():
        y.backward()
    assert str(caught.value).startswith(
        "created before detect_anomaly(): mul at x = nan, y = 2.0: the result is nan because"
    )
    assert caught.value.node is y


def test_without_a_graph_it_is_found_too():
    def blind():
        with no_grad():
            x = Value(nan, "x")
            return x + 1.0  # no graph

    assert "the leaf x" in found(blind, "# no graph")


def test_the_search_itself_names_the_node_and_needs_no_context():
    x = Value(0.0, "x")
    root = sqrt(x)
    anomaly = first_anomaly(3.0 * root)
    assert isinstance(anomaly, AnomalyError) and anomaly.node is root
    assert str(anomaly) == "sqrt at x = 0.0: the local derivative with respect to x is inf; a finite one needs x > 0"
    assert first_anomaly(x * 2.0) is None and x.grad == 0.0
    assert str(first_anomaly(Value(inf, "L"))) == "L = inf: give it a finite number"


# ---- the context ------------------------------------------------------------------------------------------------


def engine():
    """The parts of the engine that the context puts others in place of."""
    return (
        vars(Value)["__init__"], vars(Value)["backward"], vars(Primitive)["check_fault"], vars(value)["_new"],
        vars(value)["_record"],
    )  # fmt: skip


def test_outside_nothing_is_left_of_it():
    before = engine()
    with detect_anomaly():
        assert engine() != before
        with detect_anomaly():
            x = Value(2.0)
        assert engine() != before
        with pytest.raises(ZeroDivisionError), detect_anomaly():
            1 / 0  # noqa: B018
        with pytest.raises(AnomalyError):
            x * nan
    assert engine() == before and not source_lines._made_in
    with pytest.raises(DomainError), detect_anomaly():
        F.log(x - 2.0)
    assert engine() == before and not source_lines._made_in
    assert math.isnan((x * nan).data)  # follows IEEE 754 as before
    with pytest.raises(DomainError) as caught:
        F.log(x - 2.0)
    assert str(caught.value) == "log at x = 0.0: needs x > 0"


def test_only_the_thread_that_opened_it_is_looked_at():
    outcomes = {}

    def elsewhere():
        outcomes["there"] = (Value(nan) * 2.0).data
        x = Value(0.0)
        sqrt(x).backward()
        outcomes["gradient"] = x.grad

    with detect_anomaly():
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert math.isnan(outcomes["there"]) and outcomes["gradient"] == inf


def test_only_the_task_that_opened_it_is_looked_at():
    found = {}

    async def inside(entered, leave):
        with detect_anomaly():
            entered.set()
            await leave.wait()
            with pytest.raises(AnomalyError):
                Value(nan) * 2.0

    async def main():
        entered, leave = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(inside(entered, leave))
        await entered.wait()
        found["beside"] = (Value(nan) * 2.0).data
        leave.set()
        await task

    asyncio.run(main())
    assert math.isnan(found["beside"])


def test_threads_that_overlap_each_keep_their_own():
    before, entered, leave, caught = engine(), threading.Event(), threading.Event(), []

    def other():
        with detect_anomaly():
            entered.set()
            leave.wait(10)
            try:
                sqrt(Value(0.0, "there")).backward()
            except AnomalyError as error:
                caught.append(str(error))

    thread = threading.Thread(target=other)
    with detect_anomaly():
        thread.start()
        assert entered.wait(10)
    assert math.isnan((Value(nan) * 2.0).data)  # this thread is outside again
    leave.set()
    thread.join()
    assert ["sqrt at there = 0.0" in error and HERE in error for error in caught] == [True]
    assert engine() == before


def test_a_line_is_never_told_of_a_node_that_took_the_place_in_memory_of_another():
    with detect_anomaly():
        for _ in range(100):
            assert Value(1.0) * 2.0  # made and freed: later nodes take their places
        x = Value(nan, "x")
        with pytest.raises(AnomalyError) as caught:
            x + 1.0  # where others were
    assert f"line {line_of('# where others were')}, " in str(caught.value)


def test_a_long_training_keeps_no_graph_alive():
    with detect_anomaly():
        w = Value(1.0)
        known = []
        for _ in range(5):
            for _ in range(100):
                (w * 2.0 + 1.0).backward()
            known.append(len(source_lines._made_in))
    assert known[-1] == known[0]  # freed nodes' places in memory are used again


# ---- replayed ---------------------------------------------------------------------------------------------------


def rows():
    w = [Value(1.0, f"w{i}") for i in range(9)]
    x = [Value(1.0 + i, f"x{i}") for i in range(9)]
    return w, x, F.sum([sqrt(w_i * x_i) for w_i, x_i in zip(w, x)])  # the whole loss


@pytest.mark.parametrize("engine", ["replay", "eager"])
def test_a_replay_names_the_line_where_its_node_was_recorded(engine):
    with detect_anomaly():
        w, x, loss = rows()
        program = record(loss, [x], w, engine=engine)
        assert program([[4.0] * 9]) == 18.0
        numbers = [1.0] * 9

        def run(i, number):
            return lambda: program([[*numbers[:i], number, *numbers[i + 1 :]]])

        said = found(run(4, nan), "# the whole loss")
        assert said.startswith("mul at w4 = 1.0, x4 = nan: the result is nan because the leaf x4, created in ")
        said = found(run(7, -2.0), "# the whole loss", DomainError)
        assert said == "sqrt at x = -2.0: needs x ≥ 0"
        said = found(run(2, 0.0), "# the whole loss")
        assert said == "sqrt at x = 0.0: the local derivative with respect to x is inf; a finite one needs x > 0"
        assert program([[4.0] * 9]) == 18.0
    assert math.isnan(program([[*numbers[:8], nan]]))  # outside, IEEE 754 again


@pytest.mark.parametrize("engine", ["replay", "eager"])
def test_an_overflow_in_a_replayed_backward_pass_is_named_where_it_arose(engine):
    w = [Value(1.0, f"w{i}") for i in range(9)]
    s = Value(1.0, "s")

    def build():
        return F.sum([w_i * 1e-200 * s * 1e200 for w_i in w])  # scaled up and down

    with detect_anomaly():
        program = record(build(), [s], w, engine=engine)
        for w_i in w:
            w_i.data = 1e-200
        program([1.0])
        said = found(lambda: program([1e200]), "# scaled up and down")
    # 1e200 from the last factor times s: beyond the largest float before 1e-200 brings it back
    assert said.startswith("mul at x = ") and "overflows: 1e+200 · 1e+200" in said


# ---- training ---------------------------------------------------------------------------------------------------

ENGINES = ("eager", "replay")


def stopped(engine, *, spoil=None, rate=0.1, loss=binary_cross_entropy, model=None, detect=False, **options):
    """The error that stops a training on 40 points, and the training."""
    data, validation = moons(40, rng=Random(1)), moons(10, rng=Random(2))
    model = model or MLP(2, [8, 1], rng=Random(0), **options)
    training = Training(
        model, loss, SGD(model.parameters(), rate), data, validation, epochs=30, rng=Random(3), progress=False,
        engine=engine,
    )  # fmt: skip
    if spoil:  # data that are not finite before are refused when a Training is made
        role, place = spoil
        {"training": data, "validation": validation}[role].X[place][1] = nan
    with pytest.raises(ArithmeticError) as caught, detect_anomaly() if detect else nullcontext():
        for _ in training:
            pass
    return caught.value, training


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "options", [{}, {"batch_norm": True}, {"dropout": 0.5}], ids=["plain", "batch_norm", "dropout"]
)
def test_training_stops_at_a_nan_in_the_data_and_names_example_and_node(engine, options):
    error, training = stopped(engine, spoil=("training", 17), **options)
    assert training.engine == engine and type(error) is AnomalyError
    said = str(error)
    assert said.startswith("example 18 of the training data, counted from 1: ") and "affine at w¹_11 = " in said
    features = training.training.features
    assert f"{features[1]} = nan" in said and said.endswith(f"{features[1]} is nan; give it a finite number")
    assert training.stopped == f"by an error in epoch 1: {said}"
    assert all(math.isfinite(p.data) for p in training.model.parameters())
    # as many steps as batches came before the one with example 17
    order = list(range(40))
    generator = Random(3)
    generator.shuffle(order)
    assert training.optimizer.steps == order.index(17) // 10


@pytest.mark.parametrize("engine", ENGINES)
def test_a_loss_that_is_nan_stops_training_though_every_gradient_is_finite(engine):
    data = moons(40, rng=Random(1))
    model = MLP(2, [8, 1], rng=Random(0))
    training = Training(
        model, lambda a, y: a - y, SGD(model.parameters(), 0.1), data, batch_size=40, progress=False, engine=engine
    )
    data.y[17] = nan  # a Dataset that is made with it, or a Training, would refuse it
    with pytest.raises(AnomalyError) as caught:
        list(training)
    assert training.engine == engine and training.optimizer.steps == 0
    assert str(caught.value).startswith("example 18 of the training data, counted from 1: sub at x = ")
    assert "y is nan; give it a finite number" in str(caught.value)


@pytest.mark.parametrize("engine", ENGINES)
def test_where_a_layer_mixes_the_examples_the_one_whose_number_is_nan_is_named(engine):
    model = Sequential(BatchNorm(2), Linear(2, 8, rng=Random(0)), Linear(8, 1, rng=Random(0)))
    error, _ = stopped(engine, spoil=("training", 17), model=model)
    assert str(error).startswith("example 18 of the training data, counted from 1: ") and "sum at " in str(error)


def test_a_replay_that_failed_before_is_not_blamed_again():
    _, training = stopped("replay", spoil=("training", 17), loss=lambda a, y: (a - y) ** 2 * 1e3)
    training.optimizer.learning_rate = 1e308
    following = Random()
    following.setstate(training.rng.getstate())
    assert 17 not in next(batches(40, 10, following))  # the first step finds finite numbers
    with pytest.raises(DomainError, match="no parameter was updated"):
        list(training)


@pytest.mark.parametrize("engine", ENGINES)
def test_inside_detect_anomaly_training_names_the_line_as_well(engine):
    error, _ = stopped(engine, spoil=("training", 17), detect=True)
    said = str(error)
    assert said.startswith("example 18 of the training data, counted from 1: ")
    assert f"{HERE}, line {line_of('for _ in training:')}, `for _ in training:`: affine at w¹_11" in said


@pytest.mark.parametrize("engine", ENGINES)
def test_training_that_overflows_names_the_same_example_and_the_remedy(engine):
    error, training = stopped(engine, rate=1e60, loss=mean_squared_error)
    assert type(error) is DomainError and training.engine == engine
    model, place = training.model, int(str(error).split()[1])
    x = training.training.X[place - 1]
    with pytest.raises(DomainError) as alone:  # the example by itself, at the weights that were left
        mean_squared_error(model(x), training.training.y[place - 1])
    assert str(error) == (
        f"example {place} of the training data, counted from 1: {alone.value}; "
        "try a lower learning rate, or clip the gradients"
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_a_gradient_that_overflows_names_its_example_and_nothing_moves(engine):
    def scaled():
        model = MLP(2, [8, 1], rng=Random(0), activation="tanh")
        for p in model.parameters():
            p.data *= 1e-160 if p.name.startswith(("w¹", "b¹")) else 1e160
        return model

    def steep(a, y):
        return (a - y) ** 2 * 1e200  # (a − y) of about 1 has a δ of 1e200, times 1e160 at the next layer

    model = scaled()
    before = model.state_dict()
    error, training = stopped(engine, model=model, loss=steep)
    assert training.engine == engine and type(error) is AnomalyError
    assert "the gradient of " in str(error) and " overflows: " in str(error)
    assert str(error).startswith("example ") and "affine at w²_11 = " in str(error)
    assert str(error).endswith("; try a lower learning rate, or clip the gradients")
    assert model.state_dict() == before and training.optimizer.steps == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_an_update_that_overflows_after_finite_gradients_is_told_by_the_optimiser(engine):
    error, training = stopped(engine, rate=1e308, loss=lambda a, y: (a - y) ** 2 * 1e3)
    assert training.engine == engine and "no parameter was updated" in str(error)
    assert training.optimizer.steps == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_a_validation_loss_that_is_not_finite_stops_training_and_names_its_example(engine):
    error, training = stopped(engine, spoil=("validation", 4))
    assert training.engine == engine
    assert str(error).startswith("example 5 of the validation data, counted from 1: affine at w¹_11 = ")
    assert training.optimizer.steps == 4  # the epoch's four steps were sound


class Rooted(Module):
    """A layer of one's own that leaves its domain for one example."""

    def forward(self, x):
        return [sqrt(x_j + 1.3) for x_j in x]


@pytest.mark.parametrize("engine", ENGINES)
def test_an_example_outside_a_layers_domain_is_named_and_no_learning_rate_blamed(engine):
    data = moons(40, rng=Random(1))
    worst = min(range(40), key=lambda i: min(data.X[i]))
    assert min(data.X[worst]) > -1.3  # the data are sound, and one example is moved
    data.X[worst][0] = -2.0
    model = Sequential(Rooted(), Linear(2, 1, rng=Random(0)))
    training = Training(
        model, lambda z, y: binary_cross_entropy(z[0], y), SGD(model.parameters(), 0.1), data, epochs=2,
        batch_size=10, rng=Random(3), progress=False, engine=engine,
    )  # fmt: skip
    with pytest.raises(DomainError) as caught:
        list(training)
    x = -2.0 + 1.3
    said = f"example {worst + 1} of the training data, counted from 1: sqrt at x = {x!r}: needs x ≥ 0"
    assert str(caught.value) == said and said in training.stopped


def test_what_depends_on_several_examples_names_them():
    model = MLP(1, [1], rng=Random(0), output="linear")
    data = moons(12, rng=Random(1))
    data = data._replace(X=[[1e200 if i % 2 else 1.0] for i in range(12)])
    training = Training(model, lambda a, y: a * 1e108, SGD(model.parameters(), 0.1), data, progress=False)
    model.load_state_dict({path: [[1.0]] if "W" in path else [0.0] for path in model.state_dict()})
    with pytest.raises(DomainError) as caught:
        training.step(data.X, data.y)
    # each loss is 1e308 or 1e108; their sum is too large, and no example alone
    assert str(caught.value).startswith(
        "examples 1, 2, 3, 4, 5 and 7 more of the mini-batch, counted from 1: sum at x1 = 1e+108, x2 = 1e+308"
    )
