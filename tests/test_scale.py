"""Tests a million nodes, small stacks and many threads: graphs of any shape run backward and are freed completely."""

import copy
import gc
import pickle
import sys
import threading
import tracemalloc
from contextlib import nullcontext
from functools import partial
from random import Random

import pytest
from conftest import printed, python

from autograd import Value, collector_paused, leaky_relu, no_grad, sin, sum
from nn import MLP

N = 1_000_000


def chain(x, n):
    """x + n·0.5, one node after the other."""
    for _ in range(n):
        x = x + 0.5
    return x


def ladder(x, n):
    """Two rails whose rungs cross: (u, v) ← (½u + ½v, ½v + ½u), with ∂/∂x of both 1 at every rung."""
    u, v = x * 1.0, x * 1.0
    for _ in range(n // 6):
        u, v = 0.5 * u + 0.5 * v, 0.5 * v + 0.5 * u
    return u


def fan_in(x, n):
    """The sum of n nodes, each x + 0.5."""
    return sum([x + 0.5 for _ in range(n)])


def fan_out(x, n):
    """n nodes that read x, added one after the other."""
    total = Value(0.0)
    for _ in range(n // 2):
        total = total + x * 2.0
    return total


def skips(x, n):
    """Each node reads the one before and the one a hundred before: a long memory."""
    nodes = [x] * 100
    for k in range(n // 3):
        nodes.append(0.5 * nodes[-1] + 0.5 * nodes[-100])
        if k % 1000 == 0:
            del nodes[:-100]
    return nodes[-1]


# Python 3.13 itself frees what lies in one another thousands deep before it puts the rest aside, 3.11 and 3.12 fifty
SMALL_STACK = 1024 * (1024 if sys.version_info >= (3, 13) else 256)
SHAPES = [(chain, 1.0), (ladder, 1.0), (fan_in, float(N)), (fan_out, float(N)), (skips, 1.0)]


@pytest.mark.parametrize(
    ("shape", "slope"),
    [pytest.param(*case, marks=[pytest.mark.slow] * (case[0] is not chain)) for case in SHAPES],
    ids=lambda p: getattr(p, "__name__", None),
)
def test_a_million_nodes_of_any_shape_run_backward_and_are_freed_on_a_small_stack(shape, slope):
    grads = []

    def run():
        x = Value(1.0)
        with collector_paused():
            f = shape(x, N)
        f.backward()
        del f  # freed here, on the small stack
        grads.append(x.grad)

    limit, size = sys.getrecursionlimit(), threading.stack_size(SMALL_STACK)
    sys.setrecursionlimit(1000)  # Python's own; a test runner may have raised it
    try:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(size)
        sys.setrecursionlimit(limit)
    assert grads == [pytest.approx(slope, rel=1e-9)]  # a million roundings of 1e-16


def steps_of(function):
    """How many instructions of Python's machine a call takes: a measure of time that no other load can disturb."""
    count = 0

    def trace(frame, event, argument):
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("shape", [shape for shape, _ in SHAPES], ids=lambda p: p.__name__)
def test_building_and_backward_take_steps_in_proportion_to_the_nodes(shape):
    def run(n):
        f = shape(Value(1.0), n)
        return steps_of(f.backward), steps_of(lambda: shape(Value(1.0), n))

    run(100)  # Python 3.12 counts instructions of a function from its second traced call on
    # what does not depend on n, a few hundred steps, cancels in the differences
    once, twice, thrice = run(600), run(1200), run(1800)
    for a, b, c in zip(once, twice, thrice):
        assert c - b == pytest.approx(b - a, rel=0.02)  # where n is no multiple of the shape's period


def test_a_graph_is_freed_by_reference_counting_alone():
    x = Value(1.0)
    with collector_paused():
        gc.collect()
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            f = sin(ladder(x, 60_000))
            f.backward()
            held = tracemalloc.get_traced_memory()[0] - before
            del f
            left = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
    assert held > 60_000 * 50
    assert left < 10_000  # of some eleven million bytes


TRAINED = """
import gc, sys
from collections import Counter
from random import Random
from nn import MLP, SGD, Training, binary_cross_entropy
from nn.data import moons

data = moons(20, rng=Random(0))
model = MLP(2, [3, 1], rng=Random(1))
training = Training(model, binary_cross_entropy, SGD(model.parameters(), 0.1), data, rng=Random(2), batch_size=2,
                    progress=False, engine=sys.argv[1])

def objects_after(epochs):
    for i, record in enumerate(training, 1):
        training.records.clear()
        if i == epochs:
            break
    gc.collect()
    return Counter(type(thing).__name__ for thing in gc.get_objects())

early, late = objects_after(10), objects_after(100)  # of ten steps each
print(training.engine, {name: late[name] - early[name] for name in late if late[name] - early[name] > 20})
"""


@pytest.mark.parametrize("engine", ["eager", "replay"])
def test_a_thousand_training_steps_leave_no_more_behind_than_a_hundred(engine):
    # in an interpreter of its own, where nothing else comes and goes
    assert printed(TRAINED, engine).split(maxsplit=1) == [engine, "{}\n"]


def test_independent_graphs_in_eight_threads_are_exact():
    def work(seed, found):
        rng = Random(seed)
        numbers = []
        for _ in range(20):
            x, y = Value(rng.uniform(1.0, 2.0)), Value(rng.uniform(1.0, 2.0))
            f = x * y
            with collector_paused() if seed % 2 else nullcontext():
                for _ in range(50):
                    f = sin(f) * x + y
                    if seed % 3 == 0:
                        with no_grad():  # of this thread alone: the others go on recording
                            assert (f * x).parents == ()
                f.backward()
            numbers.append((f.data, x.grad, y.grad))
        found[seed] = numbers

    alone, together = {}, {}
    for seed in range(8):
        work(seed, alone)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # seconds: they take turns in the middle of everything
    try:
        threads = [threading.Thread(target=work, args=(seed, together)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert together == alone
    assert all(slopes != (0.0, 0.0) for numbers in alone.values() for _, *slopes in numbers)


COPIES = [copy.copy, copy.deepcopy, lambda thing: pickle.loads(pickle.dumps(thing))]


@pytest.mark.parametrize("duplicate", COPIES, ids=["copy", "deepcopy", "pickle"])
def test_a_leaf_is_copied_with_its_name_and_its_gradient(duplicate):
    x = Value(2.0, "x")
    (x * x).backward()
    twin = duplicate(x)
    assert twin is not x
    assert (twin.data, twin.name, twin.grad, twin.parents) == (2.0, "x", 4.0, ())


@pytest.mark.parametrize("duplicate", COPIES, ids=["copy", "deepcopy", "pickle"])
@pytest.mark.parametrize("depth", [1, 100_000])
def test_a_computed_value_refuses_to_be_copied_and_says_what_to_copy(duplicate, depth):
    f = chain(Value(1.0), depth)
    with pytest.raises(TypeError, match=r"was computed: copy its leaves"):
        duplicate(f)


def test_a_model_is_copied_deeply_and_learns_apart():
    model = MLP(2, [3, 1], dropout=0.5, batch_norm=True, rng=Random(0))
    model.batch([[1.0, 2.0], [0.5, 0.0]])
    twin = copy.deepcopy(model)
    assert twin.state_dict() == model.state_dict()
    assert not {id(p) for p in twin.parameters()} & {id(p) for p in model.parameters()}
    before = model.state_dict()
    for p in twin.parameters():
        p.data += 1.0
    assert model.state_dict() == before


def test_a_model_that_holds_table_functions_is_pickled_with_them():
    model = MLP(2, [3, 1], activation="tanh", batch_norm=True, rng=Random(0))
    twin, head = pickle.loads(pickle.dumps((model, partial(leaky_relu, slope=0.5))))
    output, expected = twin.eval()([0.5, -2.0]), model.eval()([0.5, -2.0])
    assert (output.data, output.operation) == (expected.data, expected.operation)
    assert head(-3.0).data == -1.5


DEEP = """
import sys
from autograd import Value, draw, explain, gradcheck, hessian, narrate, paths, record, sin, walk
sys.path.insert(0, "tests")
from test_scale import chain, fan_in, fan_out, ladder, skips

def inputs(x, n):
    for _ in range(n // 2):
        x = x + Value(0.5)
    return x

n, shapes = int(sys.argv[1]), [eval(name) for name in sys.argv[2:]]
x = Value(0.7, "x")
for shape in shapes:
    f = sin(shape(x, n))
    f.backward()
    readers = {
        "explain": lambda: (str(e := explain(f, wrt=x)), e.latex(), e._repr_html_()),
        "paths": lambda: str(paths(f, x)),
        "walked": lambda: next(iter(paths(f, x, most=10**9))) if shape is not ladder and shape is not skips else "",
        "narrate": lambda: str(narrate(f)),
        "draw": lambda: draw(f, wrt=x).svg,
        "fold": lambda: draw(f, fold=True).svg,
        "whole": lambda: draw(f, collapse=False).svg,
        "walk": lambda: walk(f),
        "record": lambda: str(record(f)),
        "gradcheck": lambda: gradcheck(lambda x: sin(shape(x, n // 10)), [0.7]),
        "hessian": lambda: hessian(f, [x]),
    }
    for name, read in readers.items():
        try:
            assert read() is not None
        except ValueError as error:  # a picture too large, or a derivative too small to measure
            assert "\\n" not in str(error) and len(str(error)) < 400, error
            print(shape.__name__, name, error)
print("read")
"""


def deep(n, *shapes):
    # a reader whose time grows with the square of the nodes takes minutes or hours; all of them together take 30 s
    done = python("-c", DEEP, n, *shapes, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    refused = {line.split()[1] for line in done.stdout.splitlines()[:-1]}
    assert refused <= {"fold", "whole", "walk"}, done.stdout


@pytest.mark.slow
def test_every_reader_answers_for_a_deep_graph_or_says_why_it_does_not():
    deep(5_000, "chain", "inputs", "fan_in", "fan_out")


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["chain", "inputs", "ladder", "fan_in", "fan_out", "skips"])
def test_every_reader_answers_for_a_hundred_thousand_nodes_or_says_why_it_does_not(shape):
    deep(100_000, shape)
