"""A million nodes, small stacks, many threads: graphs of any shape run backward and are freed, with nothing left."""

import copy
import gc
import pickle
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path
from random import Random

import pytest

from autograd import Value, collector_paused, sin, sum
from nn import MLP

ROOT = Path(__file__).parent.parent
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


SHAPES = [(chain, 1.0), (ladder, 1.0), (fan_in, float(N)), (fan_out, float(N)), (skips, 1.0)]


@pytest.mark.parametrize(("shape", "slope"), SHAPES, ids=lambda p: getattr(p, "__name__", None))
def test_a_million_nodes_of_any_shape_run_backward_and_are_freed_at_the_default_recursion_limit(shape, slope):
    x = Value(1.0)
    with collector_paused():
        f = shape(x, N)
    f.backward()
    assert x.grad == pytest.approx(slope, rel=1e-9)  # a million roundings of 1e-16
    del f


@pytest.mark.parametrize("shape", [chain, ladder, skips], ids=lambda p: p.__name__)
def test_a_thread_with_a_stack_of_256_kilobytes_is_enough(shape):
    grads = []

    def run():
        x = Value(1.0)
        f = shape(x, N // 4)
        f.backward()
        del f  # freed here, on the small stack
        grads.append(x.grad)

    size = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(size)
    assert grads == [pytest.approx(1.0, rel=1e-9)]


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
import gc
from collections import Counter
from random import Random
from nn import MLP, SGD, Training, binary_cross_entropy
from nn.data import moons

data = moons(20, rng=Random(0))
model = MLP(2, [3, 1], rng=Random(1))
training = Training(model, binary_cross_entropy, SGD(model.parameters(), 0.1), data, rng=Random(2))

def objects_after(steps):
    for _ in range(steps):
        training.step(data.X[:2], data.y[:2])
    gc.collect()
    return Counter(type(thing).__name__ for thing in gc.get_objects())

early, late = objects_after(100), objects_after(1000)
print({name: late[name] - early[name] for name in late if late[name] - early[name] > 20})
"""


def test_a_thousand_training_steps_leave_no_more_behind_than_a_hundred():
    # in an interpreter of its own, where nothing else comes and goes
    done = subprocess.run([sys.executable, "-c", TRAINED], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "{}"


def test_independent_graphs_in_eight_threads_are_exact():
    def work(seed, found):
        rng = Random(seed)
        numbers = []
        for _ in range(20):
            x, y = Value(rng.uniform(1.0, 2.0)), Value(rng.uniform(1.0, 2.0))
            f = x * y
            for _ in range(50):
                f = sin(f) * x + y
            f.backward()
            numbers.append((f.data, x.grad, y.grad))
        found[seed] = numbers

    alone, together = {}, {}
    for seed in range(8):
        work(seed, alone)
    threads = [threading.Thread(target=work, args=(seed, together)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone


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
