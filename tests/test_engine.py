"""Tests of the engine: micrograd's published numbers, accumulation, depth, memory, errors, and lazy imports."""

import asyncio
import gc
import json
import multiprocessing
import operator
import pickle
import threading
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext

import numpy as np
import pytest
from conftest import ROOT, printed, python

from autograd import (
    AnomalyError,
    DomainError,
    Value,
    collector_paused,
    detect_anomaly,
    grad,
    jvp,
    log,
    no_grad,
    primitives,
    record,
    sqrt,
)
from autograd.graph import leaves, topological_order
from autograd.table import CONSTANT, REAL, TABLE, primitive
from autograd.value import constant


def test_micrograd_readme_example():
    a, b = Value(-4.0), Value(2.0)
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    g.backward()
    assert [f"{x:.4f}" for x in (g.data, a.grad, b.grad)] == ["24.7041", "138.8338", "645.5773"]


def test_micrograd_sanity_check():
    x = Value(-4.0)
    z = 2 * x + 2 + x
    q = z.relu() + z * x
    h = (z * z).relu()
    y = h + q + q * x
    y.backward()
    assert (y.data, x.grad) == (-20.0, 46.0)


def test_leaves_accumulate_and_interior_nodes_start_anew():
    x = Value(3.0)
    y = x * x
    f = y * y
    f.backward()
    first = x.grad, y.grad
    f.backward()
    assert (x.grad, y.grad) == (2 * first[0], first[1])


def test_until_backward_runs_every_grad_is_0():
    x = Value(3.0)
    f = x * x
    assert (x.grad, f.grad) == (0.0, 0.0)
    f.backward()
    assert (x.grad, f.grad) == (6.0, 1.0)


def test_backward_from_a_leaf_gives_it_1_each_time():
    x = Value(3.0)
    x.backward()
    x.backward()
    assert x.grad == 2.0


def test_nothing_from_upstream_times_an_infinite_derivative_is_nothing():
    x = Value(0.0)
    (sqrt(x) * 0.0).backward()
    assert x.grad == 0.0


def test_the_order_is_that_of_the_forward_pass_first_operand_first():
    x, y = Value(2.0), Value(3.0)
    p, q = x * y, y + 1.0
    f = p * q
    one = q.parents[1]
    assert topological_order(f) == [x, y, p, one, q, f]
    assert leaves(f) == [x, y]  # 1 is a number in the expression, and no input
    assert repr(one.operation) == "<primitive constant constant>"


def test_at_most_240_bytes_a_node():
    import tracemalloc

    for entry in TABLE.values():
        if entry.variadic or len(entry.letters) > 2:
            continue
        operands = [constant(0.7) if d is CONSTANT else Value(0.6) for d in entry.domains]
        nodes = [None] * 1000
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        for i in range(1000):
            nodes[i] = entry(*operands)
        for node in nodes:
            node.backward()
        size = (tracemalloc.get_traced_memory()[0] - before) / 1000
        tracemalloc.stop()
        assert size <= 240, f"{entry.name}: {size} bytes"


@pytest.mark.parametrize("thing", ["1", None, 1j, [1.0], np.array([1.0, 2.0])])
def test_what_is_no_real_number_is_a_type_error(thing):
    with pytest.raises(TypeError, match="one real number"):
        Value(thing)


def test_numpy_scalars_meet_values():
    assert isinstance(np.float64(2.0) * Value(3.0), Value)
    assert Value(np.float32(0.5)).data == 0.5


def test_comparisons_look_at_data_and_equality_at_identity():
    for compare in (operator.lt, operator.le, operator.gt, operator.ge):
        for x, y in ((1.0, 2.0), (2.0, 1.0), (1.0, 1.0)):
            assert compare(Value(x), Value(y)) == compare(Value(x), y) == compare(x, Value(y)) == compare(x, y)
    assert Value(1.0) != Value(1.0)
    assert Value(-0.5) and not Value(0.0)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: log(Value(0.0, "p")), "log at p = 0.0: needs p > 0"),
        (lambda: Value(1.0) / Value(0.0, "v"), "v = 0.0: needs v ≠ 0"),
        (lambda: Value(-2.0) ** Value(3.0), "constant exponent"),
        (lambda: Value(1e9).exp(), "overflow"),
        (lambda: Value(1e-200) ** -3, "overflow"),
        (lambda: Value(1e-200) ** Value(-3.0), "overflow"),
        (lambda: Value(0.0) ** -1, "x = 0 with p ≥ 0"),
    ],
)
def test_domain_errors_name_operation_operand_and_rule(make, words):
    with pytest.raises(DomainError) as error:
        make()
    assert words in str(error.value)


def test_a_process_pool_takes_table_functions_and_shows_the_errors_message():
    pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
    with pool, pytest.raises(DomainError) as raised:
        pool.submit(log, Value(0.0, "p")).result(timeout=60)
    assert str(raised.value) == "log at p = 0.0: needs p > 0"


def graph_on(x):
    """A root of a graph of two hundred nodes that ends in √x."""
    for _ in range(100):
        x = x * 1.0 + 0.0
    return sqrt(x)


FAULTS = {  # each raises an error with a graph behind it
    "forward": (DomainError, lambda x: log(graph_on(x))),
    "grad": (DomainError, lambda x: grad(graph_on(x), x)),
    "jvp": (DomainError, lambda x: jvp(graph_on(x), x, 1.0)),
    "anomaly": (AnomalyError, lambda x: graph_on(x).backward()),
    "replay": (DomainError, lambda x: record(log(graph_on(x + 1.0)), inputs=[x], engine="replay")([-1.0])),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_caught_error_travels_and_keeps_no_value_alive(name):
    kind, fail = FAULTS[name]

    def values_alive():
        return sum(type(thing) is Value for thing in gc.get_objects())

    gc.collect()
    before = values_alive()
    with collector_paused():  # so that a cycle would stay
        for _ in range(3):
            message = ""
            try:
                with detect_anomaly() if kind is AnomalyError else nullcontext():
                    fail(Value(0.0, "x"))
            except kind as error:
                message = str(error)
                copies = [
                    pickle.loads(pickle.dumps(error, protocol)) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
                ]
                assert {type(copy) for copy in copies} == {kind} and {str(copy) for copy in copies} == {message}
            assert "= 0.0" in message
        assert values_alive() == before


def test_no_grad_nests_and_survives_exceptions():
    x = Value(2.0)
    with no_grad():
        with pytest.raises(ZeroDivisionError), no_grad():
            raise ZeroDivisionError
        assert (x * x).parents == ()
    assert (x * x).parents == (x, x)


def test_no_grad_holds_for_its_own_thread_alone():
    x, inside, done, seen = Value(2.0), threading.Event(), threading.Event(), []

    def other():
        seen.append((x * x).parents)
        with no_grad():
            inside.set()
            done.wait(timeout=10.0)
            seen.append((x * x).parents)

    thread = threading.Thread(target=other)
    with no_grad():
        thread.start()
        assert inside.wait(timeout=10.0)
    seen.append((x * x).parents)
    done.set()
    thread.join()
    assert seen == [(x, x), (x, x), ()]


def test_no_grad_holds_for_its_own_task_and_for_those_started_inside_until_it_is_left():
    x, seen = Value(2.0), {}

    def look(name):
        seen[name] = len((x * x).parents)

    async def child(left):
        look("child")
        await left.wait()
        look("child, later")

    async def task(entered, left):
        with no_grad():
            started = asyncio.create_task(child(left))
            entered.set()
            await asyncio.sleep(0.0)
            look("inside")
        look("after")
        left.set()
        await started

    async def main():
        entered, left = asyncio.Event(), asyncio.Event()
        running = asyncio.create_task(task(entered, left))
        await entered.wait()
        look("beside")
        with no_grad():  # so that somebody is inside all the time
            await running

    asyncio.run(main())
    # the task was started outside of main's block
    assert seen == {"beside": 2, "child": 0, "inside": 0, "after": 2, "child, later": 2}


def test_a_generator_that_yields_inside_no_grad_shares_it_with_its_caller_until_it_goes_on():
    x = Value(2.0)

    def twice():
        with no_grad():
            yield x * x
        yield x * x

    steps = twice()
    assert next(steps).parents == () and (x * x).parents == ()
    assert next(steps).parents == (x, x) and (x * x).parents == (x, x)


def test_a_generator_closed_in_another_thread_leaves_that_thread_recording():
    x, seen = Value(2.0), []

    def forever():
        with no_grad():
            while True:
                yield

    steps = forever()
    next(steps)

    def close():
        steps.close()
        with no_grad():
            seen.append((x * x).parents)
        seen.append((x * x).parents)

    with no_grad():
        thread = threading.Thread(target=close)
        thread.start()
        thread.join()
        assert (x * x).parents == ()
    assert seen == [(), (x, x)]
    assert (x * x).parents == (x, x)


class Model:
    @no_grad
    def predict(self, x):
        return x * x

    @no_grad()
    def score(self, x, n=3):
        return self.predict(x) if n == 0 else self.score(x * x, n - 1)

    @staticmethod
    @no_grad
    def fails(x):
        raise ZeroDivisionError


def test_no_grad_decorates_with_and_without_brackets():
    x, model = Value(1.5), Model()
    assert model.predict(x).parents == model.score(x, n=2).parents == ()
    assert model.predict(x).data == 2.25 and Model.predict.__name__ == "predict"
    with pytest.raises(ZeroDivisionError):
        model.fails(x)
    assert (x * x).parents == (x, x)


def test_no_grad_refuses_to_decorate_what_runs_after_its_call():
    def generator(x):
        yield x

    async def coroutine(x):
        return x

    async def asynchronous_generator(x):
        yield x

    for function in (generator, coroutine, asynchronous_generator):
        for decorate in (no_grad, no_grad()):
            with pytest.raises(TypeError, match=f"would end before {function.__name__} runs: write `with no_grad"):
                decorate(function)


def test_collector_paused_restores_what_was():
    assert gc.isenabled()
    with collector_paused():
        with collector_paused():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: log(1.0, 2.0), "log takes 1 operand, not 2"),
        (lambda: primitives.sum([]), "sum takes 1, 2, … operands, in lists of equal length, not 0"),
        (lambda: primitives.dot(1.0, 2.0, 3.0), "dot takes 2, 4, … operands, in lists of equal length, not 3"),
        (
            lambda: primitives.dot([1.0, 2.0], [3.0]),
            "dot takes 2, 4, … operands, in lists of equal length, not 3 in lists of 1 and 2",
        ),
        (
            lambda: primitives.dot([1.0, 2.0, 3.0], [4.0]),
            "dot takes 2, 4, … operands, in lists of equal length, not 4 in lists of 1 and 3",
        ),
        (lambda: primitives.affine([1.0], [2.0]), "affine takes 3, 5, … operands, in lists of equal length, not 2"),
        (
            lambda: primitives.power(2.0, Value(3.0)),
            "power: p = Value(3.0, grad=0.0) must be a constant, not a Value",
        ),
        (lambda: primitive("f", REAL)(lambda n, x, y: (x, (1.0, 0.0))), "1 domain for the operands x, y;"),
    ],
)
def test_operands_of_another_number_or_kind_are_refused(make, words):
    with pytest.raises(TypeError) as error:
        make()
    assert words in str(error.value)


def test_a_rule_of_1_4_7_operands_takes_no_other_number():
    @primitive("Σ³", REAL, least=1, step=3)
    def in_threes(n, *x):
        return n.sum(x), (1.0,) * len(x)

    try:
        assert [in_threes(*[1.0] * k).data for k in (1, 4, 7)] == [1.0, 4.0, 7.0]
        for k in (0, 2, 3, 5):
            with pytest.raises(
                TypeError, match=f"in_threes takes 1, 4, … operands, in lists of equal length, not {k}"
            ):
                in_threes(*[1.0] * k)
    finally:
        del TABLE["in_threes"]


def test_a_name_that_the_table_has_is_refused_and_its_entry_stays():
    before = TABLE["exp"]
    with pytest.raises(ValueError, match="primitive exp is already in the table"):

        @primitive("e", REAL)
        def exp(n, x):
            return x, (1.0,)

    assert TABLE["exp"] is before


def test_a_domain_is_told_with_its_condition_on_all_operands_together():
    power, pow = TABLE["power"], TABLE["pow"]
    for p, at_0, below in ((2.0, True, True), (0.0, True, True), (0.5, True, False), (-1.0, False, True)):
        assert [power.defined_at(x, p) for x in (3.0, 0.0, -3.0)] == [True, at_0, below]
        assert [pow.defined_at(x, p) for x in (3.0, 0.0, -3.0)] == [True, at_0, False]
    assert [TABLE["log1p"].defined_at(x) for x in (-1.1, -1.0, -0.9)] == [False, False, True]


def test_a_strangers_primitive_is_one_entry():
    @primitive("cosh", REAL)
    def cosh_of_a_stranger(n, x):
        up, down = n.exp(x), n.exp(-x)
        return 0.5 * (up + down), (0.5 * (up - down),)

    try:
        x = Value(1.0)
        cosh_of_a_stranger(x).backward()
        assert x.grad == pytest.approx(1.1752011936438014, abs=1e-15)
    finally:
        del TABLE["cosh_of_a_stranger"]


def test_import_loads_twelve_modules_and_nothing_heavy():
    code = "import sys, json, autograd; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(printed(code))
    assert len([m for m in loaded if m.split(".")[0] == "autograd"]) <= 12
    assert not {"numpy", "sympy", "graphviz", "matplotlib"} & set(loaded)


def test_value_and_graph_stay_within_300_lines_beside_the_methods_that_are_entries():
    lines = [len((ROOT / "autograd" / name).read_text().splitlines()) for name in ("value.py", "graph.py")]
    assert sum(lines) - len(vars(Value).keys() & TABLE.keys()) <= 300


def test_bad_options_get_one_line_and_status_2():
    for options in (
        ["nowhere"],
        ["moons", "--learning-rate", "-1"],
        ["moons", "--epochs", "0"],
        ["moons", "--hidden", "0"],
    ):
        done = python("-m", "nn", *options)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1, done.stderr


def test_a_star_import_brings_the_functions_and_leaves_pythons_own_alone():
    scope = {}
    exec("from autograd import *", scope)
    assert {"Value", "named", "explain", "draw", "walk", "maximum", "where", "relu", "no_grad"} <= set(scope)
    assert not {"sum", "abs", "pow"} & set(scope)


@pytest.mark.parametrize("name", [5, 1.0, ["x"]])
def test_a_name_is_text(name):
    with pytest.raises(TypeError, match="a name must be text"):
        Value(1.0, name)


@pytest.mark.parametrize("name", sorted(vars(Value).keys() & TABLE.keys()))
def test_a_method_is_called_and_explained_as_its_entry_of_the_table(name):
    run = getattr(Value, name)
    assert run.__name__ == name
    assert run.__doc__ and TABLE[name].__doc__.startswith(run.__doc__)
    x = Value(0.5)
    y = run(x)
    assert (y.operation, y.parents) == (TABLE[name], (x,))
