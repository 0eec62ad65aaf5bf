"""Tests that the compiled engine agrees with the eager engine on any graph, and says what it does not support."""

import math
import os
import re
import shutil
import subprocess
import sys
from ctypes import CFUNCTYPE, c_int64, c_void_p
from itertools import chain, cycle, pairwise, product, repeat
from pathlib import Path
from random import Random

import numpy as np
import pytest
from conftest import ROOT, printed, python
from random_programs import random_program
from test_javascript import FEW, grid, operand_count

from autograd import DomainError, Value, functions as F, primitive, record
from autograd.graph import leaves, topological_order
from autograd.number_systems import floats
from autograd.replay.program import Program
from autograd.table import CONSTANT, REAL, TABLE
from autograd.value import constant
from nn import SGD, Adam, AdamW, RMSprop, replaying, training_on
from nn.optim import exponential, linear

pytest.importorskip("llvmlite", reason="the compiled engine is an extra: pip install 'chainrule[fast]'")

from autograd.compiled import assembly, kernels, library, machine, planning
from autograd.compiled.kernels import ALONE, BY_COLUMNS, BY_ROWS, ONE_BY_ONE, Shape, has_rows

CLOSE = 1e-13  # of all that is added up

# ---- equal to the eager engine ----------------------------------------------------------------------------------


def value_bounds(nodes):
    """How far the number of each node may be off: rounding of what it adds up, and what its operands were off."""
    off = {}
    for node in nodes:
        edges = node.edges if node.operation is not TABLE["detach"] else [(*node.parents, 1.0)]
        carried = sum(abs(local) * (off[x] + CLOSE * abs(x.data)) for x, local in edges)
        off[node] = carried + CLOSE * abs(node.data) if node.parents else 0.0
    return off


def gradient_bounds(nodes, bends):
    """The same for gradients: rounding of each contribution, and what its upstream and local derivative were off."""
    off = dict.fromkeys(nodes, 0.0)
    for node in reversed(nodes):
        upstream = abs(node.grad)
        for (x, local), bend in zip(node.edges, bends(node)):
            off[x] += abs(local) * (off[node] + CLOSE * upstream) + bend * (off[node] + upstream)
    return off


def bends(off):
    """For a node, how far each of its local derivatives may be off, as each operand may be."""

    def of_node(node):
        numbers, total = [x.data for x in node.parents], [0.0] * len(node.parents)
        for i, x in enumerate(node.parents):
            if x.operation is None or x.parents:
                moved = numbers.copy()
                moved[i] += off[x] + CLOSE * abs(x.data)
                _, locals_ = node.operation.rule(floats, *moved)
                total = [t + abs(there - here) for t, there, (_, here) in zip(total, locals_, node.edges)]
        return total

    return of_node


def assert_equals_eager(program, loss):
    """Hold each node of the latest run against a fresh graph after its backward pass."""
    nodes, recorded = topological_order(loss), topological_order(program.root)
    assert [x.operation for x in nodes] == [x.operation for x in recorded]
    off = value_bounds(nodes)
    for node, mine in zip(nodes, recorded):
        assert abs(program.value(mine) - node.data) <= off[node], node
    twin = dict(zip(recorded, nodes))
    # the parameters' as the passes leave them: to read that of another node runs all instructions back
    trained = [*zip(program.parameters, program.gradient_array.tolist())]
    assert not any(x for p, x in trained if p not in twin)  # the loss does not use them
    found = [(twin[p], x) for p, x in trained if p in twin]
    found += [(node, program.gradient(mine)) for node, mine in zip(nodes, recorded)]
    for bound in (lambda node: repeat(0.0), bends(off)):  # the second is larger, and takes longer
        allowed = gradient_bounds(nodes, bound)
        wrong = [node for node, gradient in found if abs(gradient - node.grad) > allowed[node]]
        if not wrong:
            break
    assert not wrong


def backward(loss):
    for leaf in leaves(loss):
        leaf.grad = 0.0
    loss.backward()
    return loss


def check_random_program(seed, feeds=5, copies=0):
    rng = Random(f"feeds {seed}")
    some = random_program(seed, copies)
    some.move(rng)
    program = record(some.build(), some.inputs, some.parameters, engine="compiled")
    for _ in range(feeds):
        fed = some.move(rng)
        loss = backward(some.build())
        assert program(fed) == program.value(program.root)
        assert_equals_eager(program, loss)
    return program


@pytest.fixture
def no_fallback(monkeypatch):
    """What is compiled may not hand over to the graph."""
    monkeypatch.setattr(Program, "run_in_graph", lambda program: pytest.fail("it ran in the graph"))


@pytest.mark.parametrize("start", range(0, 200, 50))
def test_random_programs_equal_the_eager_engine_in_every_node(start, no_fallback):
    for seed in range(start, start + 50):
        check_random_program(seed)


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 40))])
def test_hundreds_of_copies_equal_the_eager_engine_in_every_node(seed, no_fallback):
    check_random_program(f"wide {seed}", feeds=1, copies=300)


@pytest.mark.slow
@pytest.mark.parametrize("start", range(0, 10_000, 500))
def test_ten_thousand_random_programs_equal_the_eager_engine_in_every_node(start, no_fallback):
    for seed in range(start, start + 500):
        check_random_program(f"slow {seed}")


def test_random_programs_have_every_primitive_layout_and_kind_of_matrix(monkeypatch):
    asked, products = set(), []
    monkeypatch.setattr(planning, "kernel", lambda shape: asked.add(shape) or library.kernel(shape))
    write = planning._Writer.product
    monkeypatch.setattr(
        planning._Writer, "product", lambda self, *grid: products.append(grid[1:]) or write(self, *grid)
    )
    for seed in range(200):
        some = random_program(seed)
        record(some.build(), some.inputs, some.parameters, engine="compiled")
    assert {shape.entry.name for shape in asked} == set(TABLE)
    for layouts in ((ONE_BY_ONE, ALONE), (BY_COLUMNS,)):
        assert {s.entry.name for s in asked if s.layout in layouts} == set(TABLE)
    assert {s.entry.name for s in asked if s.layout == BY_ROWS} == {e.name for e in TABLE.values() if has_rows(e)}
    assert {len(singles) for *_, singles in products} >= {0, 1, 2}
    assert any(min(Z.shape) > 1 for Z, *_ in products) and any(Z.size == 1 for Z, *_ in products)


def test_a_value_that_is_read_first_leaves_the_gradients_right():
    w, x, y = Value(5.0), Value(2.0), Value(3.0)

    def build():
        return F.sum([w * w, F.sin(x * y) * 0.5 + (x * y + x) + y])

    for engine in ("compiled", "replay"):
        program = record(build(), [x, y], [w], engine=engine)
        program([2.0, 3.0])
        nodes = topological_order(program.root)
        _ = [program.value(node) for node in nodes]
        expected = [node.grad for node in topological_order(backward(build()))]
        assert [program.gradient(node) for node in nodes] == pytest.approx(expected, rel=1e-12)


def test_to_values_and_compare_and_texts_are_those_of_other_engines():
    for seed in range(0, 60, 3):
        some = random_program(seed)
        some.move(Random(seed))
        program, arrays = (
            record(some.build(), some.inputs, some.parameters, engine) for engine in ("compiled", "replay")
        )
        told, expected = ([x for x in str(p).splitlines() if x.startswith(" ")] for p in (program, arrays))
        assert told == expected and repr(program.layers) == repr(arrays.layers)
        fed = some.move(Random(f"other {seed}"))
        program(fed)
        assert program.compare(some.build())
        program.to_values()
        for mine, node in zip(topological_order(program.root), topological_order(backward(some.build()))):
            if node.parents:
                assert (mine.data, mine.grad, mine.local_derivatives) == (
                    node.data,
                    node.grad,
                    node.local_derivatives,
                )


def test_what_was_decided_when_it_was_recorded_is_named():
    x = Value(2.0, "x")
    program = record(3.0 * x if x > 0.0 else 5.0 * x, [x], engine="compiled")
    x.data = -2.0
    with pytest.raises(
        ValueError, match=r"the constant = 3\.0 in the program, but the constant = 5\.0 in the fresh graph"
    ):
        program.compare(5.0 * x)


@pytest.mark.parametrize("engine", ["compiled", "auto"])
def test_a_long_chain_and_a_wide_sum_are_the_eager_engines(engine, no_fallback):
    x = [Value(0.3 + 0.001 * i) for i in range(10)]

    def build():
        chain_of = x[0]
        for i in range(10_000):
            chain_of = F.tanh(chain_of * x[i % 10] + x[0]) if i % 2 else F.sin(chain_of + x[i % 7])
        return chain_of + F.sum([F.exp(-a) * b for a in x for b in x] * 20)

    program = record(build(), [x[:5]], x[5:], engine=engine)
    for numbers in ([0.5, -0.4, 0.3, -0.2, 0.1], [0.9, 0.8, 0.7, 0.6, 0.5]):
        for leaf, number in zip(x, numbers):
            leaf.data = number
        loss = backward(build())
        assert program([numbers]) == pytest.approx(loss.data, rel=1e-12)
        assert [*map(program.gradient, x)] == pytest.approx([leaf.grad for leaf in x], rel=1e-11)


@pytest.mark.parametrize("name", [name for name, entry in TABLE.items() if entry.variadic])
def test_hundreds_of_operands_are_the_eager_engines_or_refused(name):
    x = [Value(1.0 + 1e-4 * i) for i in range(501 if name == "affine" else 500)]
    loss = backward(TABLE[name](*x))
    program = record(loss, [x])
    if not has_rows(TABLE[name]):
        with pytest.raises(
            TypeError, match=f"{name} has 500 operands, more than the 100.*: record with engine='auto'"
        ):
            record(loss, [x], engine="compiled")
    assert program.engine == ("compiled" if has_rows(TABLE[name]) else "replay")
    assert program() == pytest.approx(loss.data, rel=1e-12)
    assert [*map(program.gradient, x)] == pytest.approx([leaf.grad for leaf in x], rel=1e-11)


# ---- kinks and ties ---------------------------------------------------------------------------------------------

# small whole numbers stay exact, so ties are ties
DECIDING = [
    lambda a, b, c: F.relu(a),
    lambda a, b, c: abs(a),
    lambda a, b, c: F.sign(a),
    lambda a, b, c: F.floor(a),
    lambda a, b, c: F.heaviside(a, 0.5),
    lambda a, b, c: F.heaviside(a, 0.0),
    lambda a, b, c: F.greater(a, b),
    lambda a, b, c: F.where(a, b, c),
    lambda a, b, c: F.where(F.greater(a, b), b, c),
    lambda a, b, c: F.clamp(a, -1.0, 1.0),
    lambda a, b, c: F.clamp(a, F.minimum(b, c), F.maximum(b, c)),
    lambda a, b, c: F.maximum(a, b),
    lambda a, b, c: F.maximum(a, b, c, a * 1.0, 0.0),
    lambda a, b, c: F.minimum(a, b, c),
    lambda a, b, c: F.minimum(*[a, b, c] * 4),
    lambda a, b, c: F.elu(F.maximum(a, 0.0)),
    lambda a, b, c: F.hypot(a),
    lambda a, b, c: F.hypot(a * 0.0, b * 0.0, a - a),
    lambda a, b, c: F.power(a, 2.0),
    lambda a, b, c: F.power(a, 0.0),
    lambda a, b, c: a - b,
    lambda a, b, c: a * b - c,
    lambda a, b, c: F.detach(a),
]


@pytest.mark.parametrize("copies", [1, 2, 9])
def test_at_a_tie_or_kink_the_same_subgradient_is_chosen(copies):
    def row(seed, pool):
        rng = Random(seed)
        for _ in range(8):
            x = rng.choice(DECIDING)(*(rng.choice(pool[-6:]) for _ in range(3)))
            pool.append(F.clamp(x, -4.0, 4.0) if rng.random() < 0.5 else F.maximum(F.minimum(x, 3.0), -3.0))
        return F.sum(pool[3:])

    for seed in range(60):
        inputs = [[Value(1.0) for _ in range(3)] for _ in range(copies)]
        rng = Random(f"numbers {seed}")
        program = record(F.sum([row(seed, list(some)) for some in inputs]), [inputs], engine="compiled")
        for _ in range(3):
            fed = [[rng.choice([-2.0, -1.0, 0.0, 0.0, 1.0, 2.0]) for _ in range(3)] for _ in range(copies)]
            for x, number in zip(chain(*inputs), chain(*fed)):
                x.data = number
            loss = backward(F.sum([row(seed, list(some)) for some in inputs]))
            assert program([fed]) == loss.data
            gradients = [program.gradient(x) for some in inputs for x in some]
            assert gradients == pytest.approx([x.grad for some in inputs for x in some], rel=1e-12, abs=1e-12)


SMOOTH = [name for name, entry in TABLE.items() if len(entry.letters) == 1 and not entry.variadic and not entry.gate]


@pytest.mark.parametrize("name", SMOOTH)
def test_equal_operands_have_equal_results_in_every_loop(name):
    """So that ties of computed numbers are ties, wherever the loop has their places."""
    leaves = [Value(0.5) for _ in range(20)]
    many = [TABLE[name](x) for x in leaves[:11]]
    few = [TABLE[name](F.identity(x)) for x in leaves[11:14]]
    more = [TABLE[name](F.identity(+x)) for x in leaves[14:]]
    program = record(F.maximum(*many, *few, *more), [leaves], engine="compiled")
    rng = Random(name)
    for _ in range(30):
        program([[rng.uniform(0.05, 0.95)] * 20])
        assert len({program.value(node) for node in [*many, *few, *more]}) == 1
        assert len({program.gradient(x) for x in leaves}) == 1


# ---- special values ---------------------------------------------------------------------------------------------

EXPONENTS = [0.0, 1.0, -1.0, 0.5, -0.5, 2.0, 3.0, -2.0, -3.0, 1 / 3, 2.25, -7.0, 10.0, 710.0, 1e6 + 0.25, math.inf]


def constants_of(entry):
    """The numbers that take the place of CONSTANT operands, None for the others; one list per kernel."""
    choices = [EXPONENTS if domain is CONSTANT else [None] for domain in entry.domains]
    return [*product(*choices)] if entry.takes_constants else [()]


def kernel_constants_of(entry):
    """The same, and none: of many constants, none is written into a kernel."""
    return [*constants_of(entry), ()] if entry.takes_constants else [()]


def with_constants(constants, operands):
    """All operands, for those that are not constants."""
    rest = iter(operands)
    return [next(rest) if c is None else c for c in constants] if constants else [*operands]


def points_of(entry, constants):
    """The grid of special operands, without those for which a kernel is written."""
    free = constants.count(None) if constants else operand_count(entry)
    return grid(free)


def scales(name, at, numbers):
    """What 1e-15 is relative to. ``at`` has a row for each point."""
    magnitude = np.abs(np.where(np.isfinite(numbers), numbers, 0.0))
    finite = np.abs(np.where(np.isfinite(at), at, 0.0))
    if name in ("tanh", "sigmoid", "silu"):  # local derivatives with 1 − a, which are right to 4e−16, and 1e−14
        magnitude = np.maximum(magnitude, 10.0 if name == "silu" else 1.0)
    elif name == "logsumexp":
        magnitude = magnitude * np.maximum(1.0, finite.max(axis=1, keepdims=True))
    elif name in ("sum", "dot", "affine"):
        half = at.shape[1] // 2
        with np.errstate(all="ignore"):
            terms = finite if name == "sum" else np.abs(finite[:, :half] * finite[:, half : 2 * half])
        magnitude = np.maximum(magnitude, terms.sum(axis=1, keepdims=True))
        if name == "affine":
            magnitude = np.maximum(magnitude, finite[:, -1:])
    return magnitude


def assert_close(name, at, found, expected, signs=True):
    """Equal to some units in the last place, a row for each point; special numbers are the same."""
    at, found, expected = (np.asarray(x, float).reshape(len(at), -1) for x in (at, found, expected))
    special = ~np.isfinite(found) | ~np.isfinite(expected)
    with np.errstate(all="ignore"):
        close = np.abs(found - expected) <= 4e-15 * scales(name, at, expected) + 5e-324
    same = np.where(special, (found == expected) | (np.isnan(found) & np.isnan(expected)), close)
    if signs:
        same &= (found != 0.0) | (expected != 0.0) | (np.signbit(found) == np.signbit(expected))
    bad = np.argwhere(~same)
    assert not len(bad), [(at[i], found[i], expected[i]) for i, _ in bad[:5].tolist()]


def eager_outcome(entry, operands):
    """The value and the gradients of all but constants, or the error's words."""
    nodes = [x if isinstance(x, Value) else constant(x) for x in operands]
    try:
        node = entry(*nodes)
        backward(node)
    except DomainError as error:
        return str(error)
    return node.data, [x.grad for x in nodes if x.operation is None]


@pytest.mark.parametrize(
    ("engine", "fed"),
    [("compiled", False), ("compiled", True), pytest.param("replay", False, marks=pytest.mark.slow)],
)
@pytest.mark.parametrize("name", TABLE)
def test_one_node_of_special_operands_is_the_eager_engines(name, engine, fed):
    """Both as parameters and as inputs, whose gradients are computed when they are read."""
    entry = TABLE[name]
    for constants in constants_of(entry):
        x = [Value(0.5) for _ in (points_of(entry, constants)[0])]
        operands = with_constants(constants, x)
        program = record(entry(*operands), [x] if fed else [], [] if fed else x, engine=engine)
        at, found, expected = [], [], []
        for point in points_of(entry, constants):
            for leaf, number in zip(x, point):
                leaf.data = number
            outcome = eager_outcome(entry, operands)
            try:
                mine = program([point]) if fed else program()
            except DomainError as error:
                assert str(error) == outcome
                continue
            assert not isinstance(outcome, str), (point, mine)
            at.append(point)
            found.append([mine, *(program.gradient(leaf) for leaf in x)])
            expected.append([outcome[0], *outcome[1]])
        found, expected = np.array(found), np.array(expected)
        assert_close(name, at, found[:, 0], expected[:, 0])
        assert_close(name, at, found[:, 1:], expected[:, 1:], signs=False)


def test_many_constants_are_the_eager_engines(no_fallback):
    x = [Value(0.3 + 0.1 * i) for i in range(40)]

    def build():
        powers = [a ** (0.5 * i - 10.0) for i, a in enumerate(x)]
        return F.sum(powers + [F.heaviside(a - 1.0, 0.01 * i) * a for i, a in enumerate(x)] + [a**2.0 for a in x])

    program = record(build(), [], x, engine="compiled")
    program()
    assert_equals_eager(program, backward(build()))


@pytest.mark.parametrize("name", TABLE)
def test_many_nodes_of_special_operands_are_the_eager_engines(name, no_fallback):
    entry = TABLE[name]
    for constants in constants_of(entry)[:8]:
        at, expected = [], []
        for point in points_of(entry, constants):
            outcome = eager_outcome(entry, with_constants(constants, map(Value, point)))
            numbers = [] if isinstance(outcome, str) else [outcome[0], *outcome[1], *point]
            if numbers and all(abs(x) < 1e150 for x in numbers):  # so is the sum of their squares
                at.append(point)
                expected.append([outcome[0], *outcome[1]])
        x = [[Value(0.5) for _ in point] for point in at]
        nodes = [entry(*with_constants(constants, some)) for some in x]
        program = record(F.sum(nodes), [], [*chain(*x)], engine="compiled")
        for some, point in zip(x, at):
            for leaf, number in zip(some, point):
                leaf.data = number
        program()
        expected = np.array(expected)
        assert_close(name, at, [program.value(node) for node in nodes], expected[:, 0])
        assert_close(name, at, [[*map(program.gradient, some)] for some in x], expected[:, 1:], signs=False)


# ---- kernels ----------------------------------------------------------------------------------------------------

KERNEL = CFUNCTYPE(None, c_void_p, c_void_p, c_void_p, c_int64, c_int64)


def through_kernel(shape, operands, upstream, scattered=None):
    """Values, and what was added to the gradients of the operands, a row for each result.

    scattered   a generator that shuffles the slots; else the first operands lie beside each other, then the second
    """
    count, arity = operands.shape
    values, gradients = np.full(operands.size + count, 7.0), np.full(operands.size + count, 0.0)
    slots = np.arange(operands.size, dtype=np.int32).reshape(arity, count).T
    if scattered is not None:
        slots = scattered.permutation(slots.ravel()).reshape(count, arity)
    values[slots], gradients[operands.size :] = operands, upstream
    if shape.layout == BY_COLUMNS:
        index = [*(slots[0] if scattered is None else [-1] * arity), *slots.T.ravel()]
    elif shape.layout == BY_ROWS:
        entry = shape.entry
        index = [(arity - entry.least + entry.step) // entry.step, *slots.ravel()]
    else:
        index = slots.ravel()
    index = np.array(index, np.int32)
    for address in library.kernel(shape):
        KERNEL(address)(*(x.ctypes.data for x in (values, gradients, index)), operands.size, count)
    assert (gradients[operands.size :] == upstream).all() and (values[slots] == operands)[operands == operands].all()
    return values[operands.size :], gradients[slots]


def check_kernel(shape, points, counts, expected):
    """Runs the kernel on some points at a time, dense and scattered; upstreams are powers of two, which are exact."""
    entry, rng = shape.entry, np.random.default_rng(len(points))
    at, values, locals_ = expected
    for count in counts:
        for scattered in (None, rng):
            which = rng.integers(0, len(at), count) if count < len(at) else np.arange(count) % len(at)
            upstream = rng.choice([1.0, -1.0, 0.5], count)
            value, share = through_kernel(shape, at[which], upstream, scattered)
            assert_close(entry.name, at[which], value, values[which])
            with np.errstate(all="ignore"):
                given = np.where(locals_[which] == 0.0, 0.0, locals_[which] * upstream[:, None])
            assert_close(entry.name, at[which], share, given, signs=False)


def by_rule(entry, constants, points):
    at, values, locals_ = [], [], []
    for point in points:
        value, slopes = entry.rule(floats, *with_constants(constants, point))
        at.append(point)
        values.append(value)
        locals_.append([dx for dx, c in zip(slopes, constants or repeat(None)) if c is None])
    return np.array(at), np.array(values, float), np.array(locals_, float)


@pytest.mark.parametrize("name", TABLE)
def test_a_kernel_equals_its_rule_in_chunks_and_one_by_one(name):
    entry = TABLE[name]
    for constants in kernel_constants_of(entry):
        points = points_of(entry, constants)
        expected = by_rule(entry, constants, points)
        arity = len(constants) or len(points[0])
        few, many = (1, 7, len(points)), (1, 8, 255, 256, 257, 1500)
        for layout, counts in ((ONE_BY_ONE, few), (ALONE, few), (BY_COLUMNS, many)):
            texts = tuple(c if c is None else c.hex() for c in constants)
            check_kernel(Shape(entry, arity, texts, layout), points, counts, expected)


@pytest.mark.parametrize("name", [name for name, entry in TABLE.items() if entry.variadic])
def test_kernels_of_every_number_of_operands_equal_the_rule(name):
    entry, rng = TABLE[name], np.random.default_rng(7)
    for arity in range(entry.least, 20, entry.step):
        points = [*rng.uniform(-2.0, 2.0, (20, arity)), *(rng.choice(FEW, arity) for _ in range(20))]
        expected = by_rule(entry, (), [tuple(map(float, point)) for point in points])
        layouts = (ONE_BY_ONE, BY_COLUMNS) if arity <= kernels.MOST_LETTERS else (ONE_BY_ONE,)
        for layout in layouts:
            check_kernel(Shape(entry, arity, (), layout), points, (1, 9, 40), expected)


@pytest.mark.parametrize("name", [name for name, entry in TABLE.items() if has_rows(entry)])
def test_a_kernel_of_rows_equals_its_rule_for_every_length(name):
    entry, rng = TABLE[name], np.random.default_rng(8)
    for arity in range(entry.least, 301, entry.step * (1 if entry.step > 1 else 3)):
        points = [*rng.uniform(-2.0, 2.0, (3, arity)), *(rng.choice(FEW, arity) for _ in range(3))]
        expected = by_rule(entry, (), [tuple(map(float, point)) for point in points])
        check_kernel(Shape(entry, 0, (), BY_ROWS), points, (1, 6), expected)


EXACT = {  # operands at which a result has no rounding
    "exp": [0.0], "expm1": [0.0], "log": [1.0], "log1p": [0.0], "log2": [2.0**i for i in range(-5, 30)],
    "sin": [0.0], "cos": [0.0, -0.0], "tan": [0.0], "asin": [0.0], "acos": [1.0], "atan": [0.0], "sinh": [0.0],
    "cosh": [0.0], "tanh": [0.0, 30.0], "sigmoid": [0.0], "erf": [0.0, 10.0], "erfc": [0.0],
    "sqrt": [i * i for i in range(30)], "pow": [(x, p) for x in range(1, 12) for p in range(10)],
    "hypot": [(3, 4), (5, 12), (8, 15)],
}  # fmt: skip


@pytest.mark.parametrize("layout", [ONE_BY_ONE, ALONE, BY_COLUMNS])
@pytest.mark.parametrize("name", EXACT)
def test_what_is_exact_stays_exact(name, layout):
    at = np.array(EXACT[name], float).reshape(len(EXACT[name]), -1)
    found, _ = through_kernel(Shape(TABLE[name], at.shape[1], (), layout), at, 1.0)
    assert found.tolist() == [TABLE[name].rule(floats, *x)[0] for x in at.tolist()]


# ---- entries of a user's own ------------------------------------------------------------------------------------


@pytest.fixture
def own():
    """``primitive`` for entries that are gone at the end."""
    known = set(TABLE)
    yield primitive
    for name in set(TABLE) - known:
        del TABLE[name]


def assert_all_engines_agree(build, numbers, engine="compiled"):
    x = [Value(number) for number in numbers]
    program = record(build(x), [x], engine=engine)
    loss = backward(build(x))
    assert program([numbers]) == pytest.approx(loss.data, rel=1e-13)
    assert [*map(program.gradient, x)] == pytest.approx([leaf.grad for leaf in x], rel=1e-13)
    return program


@pytest.mark.parametrize("many", [1, 9])
def test_an_entry_of_ones_own_works_at_once(own, many):
    @own("x e^x y", REAL, REAL)
    def mixed(n, x, y):
        e = n.exp(x)
        return x * e * y, ((1.0 + x) * e * y, x * e)

    assert_all_engines_agree(
        lambda x: F.sum([mixed(a, b) for a, b in pairwise(x)]), [0.1 * i for i in range(many + 1)]
    )


@pytest.mark.parametrize("many", [2, 8, 9, 30])
def test_an_entry_of_ones_own_may_count_its_operands_and_know_their_places(own, many):
    @own("mean", REAL)
    def average(n, *x):
        return n.sum(x) / len(x), (1.0 / len(x),) * len(x)

    @own("Σix", REAL)
    def ramp(n, *x):
        return n.sum([(i + 1.0) * a for i, a in enumerate(x)]), tuple(i + 1.0 for i in range(len(x)))

    numbers = [0.3 * i - 1.0 for i in range(many)]
    assert_all_engines_agree(lambda x: average(*x) * ramp(*x), numbers)


def test_an_entry_may_have_any_name_and_be_written_again(own):
    for factor in (2.0, 3.0, 2.0):
        TABLE.pop("größe", None)
        TABLE.pop("<lambda>", None)

        def größe(n, x):
            return factor * x * x, (2.0 * factor * x,)  # noqa: B023

        grown, unnamed = own("g", REAL)(größe), own("λ", REAL)(lambda n, x: (factor * x, (factor,)))  # noqa: B023
        assert_all_engines_agree(lambda x: grown(x[0]) + unnamed(x[1]), [1.5, 2.5])  # noqa: B023


def test_an_entry_of_constants_alone_is_a_number(own):
    @own("k", CONSTANT)
    def twice(n, p):
        return 2.0 * p, (0.0,)

    assert_all_engines_agree(lambda x: x[0] * twice(3.0) + twice(4.0), [1.5])


UNCOMPILED = {
    "math.exp": lambda n, x: (math.exp(x), (math.exp(x),)),
    "a branch": lambda n, x: (x, (1.0,)) if x > 0.0 else (2.0 * x, (2.0,)),
    "a method of float": lambda n, x: (x * (1.0 + x.is_integer()), (1.0,)),
    "float": lambda n, x: (2.0 * float(x), (2.0,)),
    "a name of floats alone": lambda n, x: (n.math.sqrt(x), (0.5 / n.math.sqrt(x),)),
}


@pytest.mark.parametrize("kind", UNCOMPILED)
def test_a_rule_that_formulas_cannot_run_is_refused_or_left_to_another_engine(own, kind):
    rule = UNCOMPILED[kind]
    rule.__name__ = "strange"
    strange = own("?", REAL)(rule)
    x = [Value(0.5 + 0.01 * i) for i in range(600)]
    loss = F.sum([F.sin(a) for a in x]) + strange(x[0])
    with pytest.raises(TypeError, match=r"engine 'compiled': .*strange.*: record with engine='auto'"):
        record(loss, [x], engine="compiled")
    program = record(loss, [x])
    assert program.engine in ("replay", "eager")
    assert program([[a.data for a in x]]) == pytest.approx(loss.data, rel=1e-13)
    assert record(F.sum([F.sin(a) for a in x]), [x]).engine == "compiled"


def test_a_loss_that_is_a_leaf_is_refused_or_left_to_another_engine():
    with pytest.raises(TypeError, match=r"engine 'compiled': .*leaf.*: record with engine='auto'"):
        record(Value(3.0), engine="compiled")
    assert record(Value(3.0), parameters=[Value(1.0) for _ in range(900)])() == 3.0


# ---- matrix products --------------------------------------------------------------------------------------------

SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 40]
PRODUCT = ("chainrule_product_f", "chainrule_product_b")


def check_product(c, r, n, rng, w_gap=0, a_step=None, singles=0, shared=False, wants=(1, 1), same=False):
    """Z = A Wᵀ + Σ s with whole numbers, which are exact; NumPy has the last word.

    w_gap    slots between rows of W
    a_step   from row to row of A; below n they overlap
    shared   whether each single is one row, as a bias
    same     whether W is A
    """
    w_row, a_row = n + w_gap, n if a_step is None else a_step
    w, a = 3, 3 if same else 3 + r * w_row + 2
    end = max(w + r * w_row, a + (c - 1) * a_row + n) + 1
    of_singles = [(end + k * c * r, 0 if shared else r) for k in range(singles)]
    out = end + singles * c * r
    room = out + c * r
    values = np.concatenate([rng.integers(-4, 5, room).astype(float), np.full(r * n, np.nan)])
    gradients = rng.integers(-4, 5, room + r * n).astype(float)
    index = [c, r, n, w, w_row, a, a_row, *wants, room, singles, *(x for s in of_singles for x in s)]
    assert len(index) == len(machine.PRODUCT) + 2 * singles
    index = np.array(index, np.int32)
    W, A = (
        first + np.arange(rows)[:, None] * row + np.arange(n) for first, rows, row in ((w, r, w_row), (a, c, a_row))
    )
    Z = out + np.arange(c * r).reshape(c, r)
    S = [first + np.arange(c)[:, None] * row + np.arange(r) for first, row in of_singles]
    expected, given = values.copy(), gradients.copy()
    expected[Z] = values[A] @ values[W].T + sum(values[s] for s in S)
    delta = gradients[Z]
    for s in S:
        np.add.at(given, s, delta)
    if wants[0]:
        np.add.at(given, W, delta.T @ values[A])
    if wants[1]:
        np.add.at(given, A, delta @ values[W])
    for name in PRODUCT:
        KERNEL(library.address(name))(*(x.ctypes.data for x in (values, gradients, index)), out, 1)
    shape = f"c {c}, r {r}, n {n}"
    assert np.array_equal(values[:room], expected[:room]), shape
    assert np.array_equal(gradients, given), shape


def test_matrix_products_of_all_kinds_of_shapes_are_numpys():
    rng = np.random.default_rng(0)
    for c, r, n in product(SIZES, SIZES, SIZES):
        check_product(c, r, n, rng)


@pytest.mark.slow
def test_matrix_products_of_all_shapes_are_numpys():
    rng = np.random.default_rng(1)
    for c, r, n in product(range(1, 41), range(1, 41), range(1, 41)):
        check_product(c, r, n, rng, singles=(c + r + n) % 3)


@pytest.mark.parametrize(
    "how",
    [
        {"w_gap": 3}, {"a_step": 0}, {"a_step": 1}, {"a_step": 2}, {"singles": 1}, {"singles": 2, "shared": True},
        {"singles": 3, "w_gap": 1}, {"same": True}, {"wants": (0, 1)}, {"wants": (1, 0)},
        {"wants": (0, 0), "singles": 1},
    ],
    ids=str,
)  # fmt: skip
def test_matrix_products_of_rows_apart_overlapping_or_shared_are_numpys(how):
    rng = np.random.default_rng(2)
    for c, r, n in product([1, 2, 3, 4, 5, 8, 17], [1, 2, 5, 16, 19], [1, 2, 6, 9, 23]):
        check_product(c, r, n, rng, **how)


@pytest.mark.parametrize(
    ("shape", "how"),
    [
        ((200, 200, 200), {}), ((300, 100, 150), {"singles": 2}), ((200, 200, 200), {"w_gap": 3}),
        ((200, 200, 200), {"same": True}), ((200, 200, 200), {"a_step": 0}), ((200, 200, 200), {"a_step": 1}),
        ((200, 200, 200), {"a_step": 150}), ((2100, 1, 2000), {}),
        ((2500, 2, 900), {"a_step": 7, "wants": (0, 1)}), ((2500, 2, 900), {"w_gap": 1}), ((2, 2500, 900), {}),
    ],
    ids=str,
)  # fmt: skip
def test_large_matrix_products_by_blas_are_numpys(shape, how):
    pytest.importorskip("scipy", reason="large products are SciPy's, where it is installed: pip install scipy")
    library.find_blas()
    check_product(*shape, np.random.default_rng(4), **how)


def test_rows_of_equal_numbers_have_equal_products():
    rng = np.random.default_rng(3)
    for c, r, n in product([1, 3, 4, 7, 40], [1, 2, 4, 16, 17, 31], [3, 17, 40]):
        values = np.zeros(r * n + c * n + c * r + r * n)
        values[: r * n], values[r * n : (r + c) * n] = np.tile(rng.normal(size=n), r), np.tile(rng.normal(size=n), c)
        out = (r + c) * n
        index = np.array([c, r, n, 0, n, r * n, n, 1, 1, out + c * r, 0], np.int32)
        gradients = np.zeros_like(values)
        KERNEL(library.address(PRODUCT[0]))(*(x.ctypes.data for x in (values, gradients, index)), out, 1)
        assert len(set(values[out : out + c * r])) == 1


ROWS = {  # how the rows of W and A of a recorded product lie among the leaves
    "as they were made": lambda rng, rows: rows,
    "in another order": lambda rng, rows: rng.sample(rows, len(rows)),
    "columns shuffled": lambda rng, rows: (
        [[row[j] for j in rng.sample(range(len(row)), len(row))] for row in rows[:1]] + rows[1:]
    ),
    "transposed": lambda rng, rows: [list(column) for column in zip(*rows)],
    "windows that overlap": lambda rng, rows: [[*chain(*rows)][i : i + len(rows[0])] for i in range(len(rows))],
    "one row for all": lambda rng, rows: [rows[0]] * len(rows),
}


@pytest.mark.parametrize("lie_a", ROWS)
@pytest.mark.parametrize("lie_w", ROWS)
def test_recorded_products_of_leaves_wherever_they_lie_are_numpys(lie_w, lie_a, no_fallback):
    rng = Random(f"{lie_w} {lie_a}")
    shapes = [(1, 2, 3), (5, 5, 5), (2, 9, 4), (9, 4, 9), (4, 17, 3), (5, 5, 5), (6, 6, 6)]
    for (c, r, n), write in zip(shapes, cycle(["affine", "dot", "+ and ×", "two more"])):
        leaves = [[[Value(rng.uniform(-2, 2)) for _ in range(n)] for _ in range(rows)] for rows in (r, c)]
        W, A = ROWS[lie_w](rng, leaves[0]), ROWS[lie_a](rng, leaves[1])
        if len(W[0]) != len(A[0]):
            continue
        b = [Value(rng.uniform(-2, 2)) for _ in W]
        s = [[Value(rng.uniform(-2, 2)) for _ in W] for _ in A]

        def unit(i, j, W=W, A=A, b=b, s=s, write=write):
            if write == "affine":
                return F.affine(W[j], A[i], b[j])
            if write == "dot":
                return F.dot(W[j], A[i])
            z = sum((w * a for w, a in zip(W[j], A[i])), b[j])
            return z if write == "+ and ×" else z + s[i][j] + s[0][j]

        units = [[unit(i, j) for j in range(len(W))] for i in range(len(A))]
        upstream = [[Value(rng.uniform(-2, 2)) for _ in W] for _ in A]
        loss = F.sum([z * u for some, us in zip(units, upstream) for z, u in zip(some, us)])
        program = record(loss, [leaves[1], upstream], [x for row in leaves[0] for x in row], engine="compiled")
        program()
        backward(loss)
        assert_equals_eager(program, loss)
        numbers = [np.array([[x.data for x in row] for row in M]) for M in (W, A)]
        Z = numbers[1] @ numbers[0].T
        if write != "dot":
            Z += [x.data for x in b]
        if write == "two more":
            Z += np.array([[x.data for x in row] for row in s]) + [x.data for x in s[0]]
        assert np.allclose([[program.value(z) for z in some] for some in units], Z, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 7, 40])
def test_the_sum_of_squares_of_a_row_has_the_gradient_2w(n):
    w = [Value(0.3 * i - 1.0) for i in range(n)]
    program = assert_all_engines_agree(lambda w: F.dot(w, w), [x.data for x in w])
    assert record(F.sum([x * x for x in w]), [], w, engine="compiled")() == pytest.approx(sum(x.data**2 for x in w))
    assert program.engine == "compiled"


# ---- planted faults ---------------------------------------------------------------------------------------------


def in_text(old, new, of=None):
    """A fault in the text of the kernels of one entry, of the machine, or of all kernels."""

    def plant(patch):
        def faulty(described, self, name, source, called, width):
            wanted = of in (None, name) and (name == "machine") == (of == "machine")
            return described(self, name, re.sub(old, new, source) if wanted else source, called, width)

        in_function(library._Compiler, "described", faulty)(patch)

    return plant


def in_function(owner, name, change):
    """``change(function, *arguments)`` in the place of a function."""

    def plant(patch):
        function = getattr(owner, name)
        patch.setattr(owner, name, lambda *arguments, **options: change(function, *arguments, **options))

    return plant


def in_rule(change):
    """The operands that get a gradient, with their local derivatives, are others."""
    return in_function(kernels, "_run", lambda run, *given: (r := run(*given))._replace(given=change(r.given)))


def after(owner, name, change):
    """``change`` spoils what a function has done to its arguments."""
    return in_function(owner, name, lambda function, *given: (function(*given), change(*given))[0])


def some_unwanted(operands, level, wanted):
    wanted[np.flatnonzero(level)[::2]] = 0


def with_others(shape):
    return shape._replace(constants=tuple(c and (float.fromhex(c) + 1.0).hex() for c in shape.constants))


def some_too_early(operands, level, wanted):
    np.minimum(level, 3, out=level)


FAULTS = {
    "the sign of x − y": in_text("fsub", "fadd", of="sub"),
    "the sign of −x": in_text("fneg double", "fadd double 0.0,", of="neg"),
    "a comparison": in_text("fcmp oge", "fcmp ole", of="maximum"),
    "upstream is missing": in_function(
        assembly.Function, "share", lambda share, code, upstream, local, k=None: code.number(local, k)
    ),
    "an operand is lost": in_rule(lambda given: given[: max(1, len(given) - 1)]),
    "operands take each other's local derivative": in_rule(
        lambda given: [(x, local) for (x, _), (_, local) in zip(given, given[::-1])]
    ),
    "a gradient is written, not added": in_function(
        assembly.Function, "add_to", lambda add_to, code, array, i, x: code.store(x, array, i)
    ),
    "one by one, the second operand is the first": in_text(
        r"add i64 (.*), 1(\n.*getelementptr i32)", r"add i64 \1, 0\2"
    ),
    "the second column is the first": in_text(r"mul i64 %count, %\w+", "mul i64 %count, 0", of="machine"),
    "the end of a chunk is left out": in_text(r"i64 256\)", "i64 7)", of="machine"),
    "arrays are mixed up": in_text(r"select (.*), (ptr.*), (ptr.*)", r"select \1, \3, \2", of="machine"),
    "gradients are not set to 0": in_text(r"i8 0, i64 %\w+", "i8 0, i64 0", of="machine"),
    "a tile forgets its sum": in_text(
        r"(fmuladd\.v\d+f64\(<\d+ x double> %\w+, (<\d+ x double> %\w+), )<\d+ x double> %\w+", r"\1\2", of="machine"
    ),
    "a product without what is added": in_function(
        planning._Writer, "product", lambda write, *given: write(*given[:-1], given[-1][:0])
    ),
    "a product that nobody wants": in_function(planning._Writer, "_is_wanted", lambda wanted, self, slots: False),
    "wanted nodes are not": after(planning, "_levels_of", some_unwanted),
    "nodes before their operands": after(planning, "_levels_of", some_too_early),
    "another constant": in_function(planning, "kernel", lambda kernel, shape: kernel(with_others(shape))),
}  # fmt: skip


def forget():
    for cached in (library.compiler, library.find_blas, library._written, planning._function):
        cached.cache_clear()
    replaying._loops.clear()  # whose addresses were the compiler's


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """Nothing is compiled yet, and what is compiled here is gone at the end."""
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path))
    forget()
    yield
    monkeypatch.undo()
    forget()


SAMPLE = (
    "upstream is missing", "an operand is lost", "the second column is the first", "wanted nodes are not",
    "gradients are not set to 0", "a product that nobody wants", "a tile forgets its sum",
)  # fmt: skip


@pytest.mark.parametrize("fault", [f if f in SAMPLE else pytest.param(f, marks=pytest.mark.slow) for f in FAULTS])
def test_a_planted_fault_is_seen(fault, fresh, monkeypatch, no_fallback):
    FAULTS[fault](monkeypatch)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        for seed in range(25):
            check_random_program(seed, feeds=2)


@pytest.mark.slow
@pytest.mark.parametrize("width", [0, 4])
def test_processors_with_narrow_vectors_and_with_none_give_the_same(width, fresh, monkeypatch, no_fallback):
    start = library._Compiler.__init__

    def narrow(compiler):
        start(compiler)
        compiler.width = min(width, compiler.width)

    monkeypatch.setattr(library._Compiler, "__init__", narrow)
    for seed in range(6):
        check_random_program(seed, feeds=2)
    for name in ("tanh", "exp", "atan2"):
        entry = TABLE[name]
        expected = by_rule(entry, (), grid(operand_count(entry)))
        check_kernel(Shape(entry, operand_count(entry), (), BY_COLUMNS), (), (9, 300), expected)


# ---- the cache --------------------------------------------------------------------------------------------------

TRAINED = """
import sys
from autograd import Value, record, functions as F
from autograd.compiled import library
from nn import Adam, training_on

if "forbid" in sys.argv:
    library._Compiler._compiled = lambda *_: sys.exit("compiled again")
w = [Value(0.1 * i) for i in range(12)]
x = [Value(0.5) for _ in range(12)]
loss = F.sum([F.tanh(a * b) + F.softplus(a) for a, b in zip(w, x)]) + F.logsumexp(w)
program = record(loss, [x], w, engine="compiled")
print(program([[0.3 * i for i in range(12)]]), [program.gradient(a) for a in w])
with training_on(program, Adam(w, 0.1)) as step:
    print([step() for _ in range(3)])
"""


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A cache folder with what TRAINED needs, and what it prints."""
    folder = tmp_path_factory.mktemp("cache")
    return folder, printed(TRAINED, CHAINRULE_CACHE=str(folder))


def truncate(file):
    file.write_bytes(file.read_bytes()[:-100])


def flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 4
    file.write_bytes(content)


def make_folder(file):
    file.unlink()
    file.mkdir()


def forget_checksum(file):
    file.write_bytes(file.read_bytes()[32:])


CORRUPTIONS = {  # of a file
    "truncated": truncate, "a bit flipped": flip, "empty": lambda file: file.write_bytes(b""),
    "text": lambda file: file.write_text("hello"), "no checksum": forget_checksum, "folders": make_folder,
    "gone": Path.unlink,
}  # fmt: skip


def test_a_filled_cache_is_used_and_nothing_is_compiled(filled):
    folder, expected = filled
    assert printed(TRAINED, "forbid", CHAINRULE_CACHE=str(folder)) == expected
    assert {file.suffix for file in folder.iterdir()} == {".o"}


def test_a_cold_cache_compiles(filled, tmp_path):
    done = python("-c", TRAINED, "forbid", CHAINRULE_CACHE=str(tmp_path / "new" / "folder"))
    assert (done.returncode, done.stderr) == (1, "compiled again\n")


@pytest.mark.parametrize("start", [0, *(pytest.param(i, marks=pytest.mark.slow) for i in range(1, 7))])
def test_what_is_damaged_in_the_cache_is_compiled_again(start, filled, tmp_path):
    """The files are damaged in turn in all ways, beginning with another."""
    folder, expected = filled
    shutil.copytree(folder, copy := tmp_path / "copy")
    ways = [*CORRUPTIONS.values()]
    for i, file in enumerate(sorted(copy.iterdir()), start):
        ways[i % len(ways)](file)
    assert printed(TRAINED, CHAINRULE_CACHE=str(copy)) == expected
    for file in copy.iterdir():
        if file.is_dir():
            file.rmdir()
            shutil.copy(folder / file.name, file)
    assert printed(TRAINED, "forbid", CHAINRULE_CACHE=str(copy)) == expected
    assert {file.name for file in copy.iterdir()} == {file.name for file in folder.iterdir()}


@pytest.mark.parametrize("where", ["read-only", "a file", "below a file", "empty name"])
def test_where_nothing_can_be_kept_everything_works(where, filled, tmp_path):
    _, expected = filled
    place = tmp_path / "place"
    if where == "read-only":
        if os.name == "nt":
            pytest.skip("on Windows, files can be written to a folder that is read-only")
        place.mkdir(mode=0o500)
        command = PROTECTED + TRAINED if os.geteuid() == 0 else TRAINED  # root may write anywhere
    else:
        place.write_text("")
        command = TRAINED
    given = {"a file": str(place), "below a file": str(place / "below"), "empty name": ""}.get(where, str(place))
    assert printed(command, CHAINRULE_CACHE=given, XDG_CACHE_HOME=str(tmp_path / "home")) == expected
    if where == "read-only":
        assert not [*place.iterdir()]


PROTECTED = """
import os
def refuse(*arguments, **options):
    raise PermissionError(13, "Permission denied")
import autograd.files, pathlib
autograd.files.os.replace = refuse
"""


def test_the_folder_is_the_users_by_default(filled, tmp_path):
    _, expected = filled
    home = tmp_path / "home"
    done = printed(
        f"import os; del os.environ['CHAINRULE_CACHE']\n{TRAINED}", CHAINRULE_CACHE="", XDG_CACHE_HOME=str(home)
    )
    assert done == expected
    assert {file.suffix for file in (home / "chainrule").iterdir()} == {".o"}


def test_two_processes_fill_one_cache_at_once(filled, tmp_path):
    _, expected = filled
    environment = os.environ | {"PYTHONPATH": str(ROOT), "CHAINRULE_CACHE": str(tmp_path)}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", TRAINED], stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT
        )
        for _ in range(2)
    ]
    assert [process.communicate()[0] for process in both] == [expected, expected]
    assert printed(TRAINED, "forbid", CHAINRULE_CACHE=str(tmp_path)) == expected


THREADS = """
import threading
from autograd import Value, record, functions as F

def work(k):
    x = [Value(0.1 * i + k) for i in range(30)]
    loss = F.sum([F.tanh(a) * F.exp(-a) if (i + k) % 2 else F.cos(a) / (2.0 + a * a) for i, a in enumerate(x)])
    program = record(loss, [x], engine="compiled")
    loss.backward()
    right[k] = abs(program() - loss.data) < 1e-12 and all(abs(program.gradient(a) - a.grad) < 1e-12 for a in x)

right = {}
threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(right == dict.fromkeys(range(8), True))
"""


def test_threads_may_record_at_once(tmp_path):
    for _ in ("cold", "warm"):
        assert printed(THREADS, CHAINRULE_CACHE=str(tmp_path)) == "True\n"


# ---- without the extra ------------------------------------------------------------------------------------------

ABSENT = """
import sys
from autograd import Value, record, sin, functions as F
x = [Value(0.1 * i) for i in range(400)]
loss = F.sum([sin(a) * a for a in x])
program = record(loss, [x])
print(program.engine, abs(program() - loss.data) < 1e-12)
try:
    record(loss, [x], engine="compiled")
except ImportError as error:
    print(error)
"""


def is_as_before(said):
    first, error = said.splitlines()
    return first == "replay True" and "engine 'compiled'" in error and "pip install 'chainrule[fast]'" in error


@pytest.mark.parametrize("missing", ["llvmlite", "platformdirs"])
def test_without_the_extra_a_recording_is_replayed_and_the_remedy_is_named(missing):
    assert is_as_before(printed(f"import sys; sys.modules['{missing}'] = None\n{ABSENT}"))


def test_a_compiler_that_does_not_load_is_as_good_as_none(tmp_path):
    (tmp_path / "llvmlite").mkdir()
    (tmp_path / "llvmlite" / "__init__.py").write_text("raise OSError('no shared object file')")
    code = ABSENT.replace("ImportError", "Exception")
    first, _ = printed(code, PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}").splitlines()
    assert first == "replay True"


@pytest.fixture(scope="module")
def package_without(tmp_path_factory):
    """A copy of both packages without the folder of the compiled engine."""
    copy = tmp_path_factory.mktemp("without")
    for name in ("autograd", "nn"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("compiled", "__pycache__"))
    return copy


def test_the_folder_can_be_deleted(package_without):
    where = "import autograd; assert autograd.__file__.startswith(sys.argv[1]), autograd.__file__\n"
    code = f"import sys\n{where}{ABSENT}"
    assert is_as_before(printed(code, package_without, cwd=package_without, PYTHONPATH=str(package_without)))


def test_importing_and_recording_little_loads_no_compiler():
    code = """
import sys, autograd, nn, nn.replaying
from autograd import Value, record
x = Value(2.0)
assert record(x * x, [x]).engine in ("eager", "replay")
print([name for name in sys.modules if name.startswith(("llvmlite", "platformdirs", "autograd.compiled"))])
"""
    assert printed(code) == "[]\n"


def test_nothing_imports_the_compiled_engine_when_it_is_loaded():
    importing = [
        f"{file.relative_to(ROOT)}: {line.strip()}"
        for package in ("autograd", "nn")
        for file in (ROOT / package).rglob("*.py")
        if "compiled" not in file.parts
        for line in file.read_text().splitlines()
        if line.lstrip().startswith(("import ", "from ")) and ("compiled" in line or "llvmlite" in line)
        if line == line.lstrip()
    ]
    assert importing == []


@pytest.mark.slow
def test_the_tests_of_replay_pass_without_the_folder(package_without):
    shutil.copytree(
        ROOT / "tests",
        package_without / "tests",
        ignore=shutil.ignore_patterns("web", "__pycache__", "test_compiled.py"),
    )
    shutil.copy(ROOT / "pyproject.toml", package_without)
    words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_replay.py", "tests/test_replay_errors.py"]
    done = python(*words, cwd=package_without, PYTHONPATH=str(package_without))
    assert done.returncode == 0, done.stdout[-3000:]


# ---- training ---------------------------------------------------------------------------------------------------


def groups(parameters, *options):
    """The first three, the next, all others."""
    parts = parameters[:3], parameters[3:4], parameters[4:]
    return [{"parameters": part, **given} for part, given in zip(parts, ({}, *options))]


OPTIMIZERS = {
    "SGD": lambda p: SGD(p, 0.05),
    "momentum": lambda p: SGD(p, 0.05, momentum=0.9),
    "Nesterov": lambda p: SGD(p, 0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    "weight decay": lambda p: SGD(p, 0.05, weight_decay=0.1),
    "RMSprop": lambda p: RMSprop(p, 0.01),
    "RMSprop with momentum": lambda p: RMSprop(p, 0.01, alpha=0.9, momentum=0.5, weight_decay=0.01),
    "Adam": lambda p: Adam(p, 0.02),
    "Adam with decay": lambda p: Adam(p, 0.02, betas=(0.8, 0.99), epsilon=1e-6, weight_decay=0.1),
    "AdamW": lambda p: AdamW(p, 0.02, weight_decay=0.1),
    "a schedule": lambda p: SGD(p, linear(0.1, 0.0, steps=40), momentum=0.5),
    "Adam on a schedule": lambda p: Adam(p, exponential(0.05, 0.95)),
    "groups": lambda p: SGD(groups(p, {"learning_rate": 0.01, "weight_decay": 0.1}, {}), 0.05),
    "groups of Adam": lambda p: Adam(groups(p, {"betas": (0.5, 0.9)}, {"learning_rate": linear(0.1, 0, 50)}), 0.02),
}  # fmt: skip


def regression(examples, seed=0):
    """A loss on some examples, which reads every parameter."""
    rng = Random(seed)
    w = [Value(rng.uniform(-1.0, 1.0), f"w{i}") for i in range(9)]

    def build(X, y):
        def unit(x):
            hidden = [F.tanh(F.affine(w[3 * j : 3 * j + 2], x, w[3 * j + 2])) for j in range(2)]
            return F.affine(w[6:8], hidden, w[8])

        return F.mean([(unit(x) - y_i) ** 2 for x, y_i in zip(X, y)])

    def sample(n):
        X = [[rng.uniform(-1.0, 1.0) for _ in range(2)] for _ in range(n)]
        return X, [x[0] * x[1] for x in X]

    def program(n):
        X, y = [[Value(0.1), Value(0.2)] for _ in range(n)], [Value(0.3) for _ in range(n)]
        return record(build(X, y), [X, y], w, engine="compiled")

    return w, build, sample, [program(n) for n in examples]


def eager_step(optimizer, loss):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.data


def state_of(w, optimizer):
    states = [x for group in optimizer.groups for row in group.states for x in row]
    return [
        *(p.data for p in w),
        *(p.grad for p in w),
        *states,
        optimizer.steps,
        *(g.learning_rate for g in optimizer.groups),
    ]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_fifty_steps_are_the_eager_loops(name):
    """Programs of two shapes share the optimiser; so do two blocks."""
    w, _, sample, (small, large) = regression([4, 10])
    v, build, *_ = regression([])
    optimizer, eager = OPTIMIZERS[name](w), OPTIMIZERS[name](v)
    batches = [sample(10 if i % 3 else 4) for i in range(50)]
    expected = [eager_step(eager, build(*batch)) for batch in batches]
    found = []
    for some in (batches[:20], batches[20:]):
        with training_on(small, optimizer) as step:
            found += [step(batch, program=large if len(batch[1]) == 10 else small) for batch in some]
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-12)
    assert state_of(w, optimizer) == pytest.approx(state_of(v, eager), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_update_that_is_not_finite_names_the_parameter_and_moves_none(name):
    w = [Value(0.5, f"w{i}") for i in range(9)]
    x = [Value(1.0) for _ in range(9)]
    program = record(F.sum([a * a * b for a, b in zip(w, x)]), [x], w, engine="compiled")
    optimizer = OPTIMIZERS[name](w)
    v = [Value(0.5, f"w{i}") for i in range(9)]
    twin = OPTIMIZERS[name](v)
    feeds = [1.0, -2.0, *[0.5] * 7]
    huge = [*feeds[:4], 1e308, *feeds[5:]]

    def loss(feeds):
        return F.sum([a * a * b for a, b in zip(v, feeds)])

    with training_on(program, optimizer) as step:
        step([feeds])
        eager_step(twin, loss(feeds))
        for group in (*optimizer.groups, *twin.groups):
            group.schedule, group.learning_rate = None, 1e10
        with pytest.raises(DomainError) as expected:
            eager_step(twin, loss(huge))
        with pytest.raises(DomainError) as found:
            step([huge])
        assert str(found.value) == str(expected.value)
        assert state_of(w, optimizer) == pytest.approx(state_of(v, twin), rel=1e-12)
        assert step([feeds]) == pytest.approx(eager_step(twin, loss(feeds)), rel=1e-12)
    assert state_of(w, optimizer) == pytest.approx(state_of(v, twin), rel=1e-12)


def test_a_fault_of_calculus_in_a_step_names_the_node_and_moves_nothing():
    w, x = Value(1.0, "w"), Value(1.0, "x")
    program = record(F.log(w * x), [x], [w], engine="compiled")
    optimizer = SGD([w], 0.5, momentum=0.5)
    with training_on(program, optimizer) as step:
        step([1.0])
        with pytest.raises(DomainError, match="log"):
            step([-1.0])
        assert (w.data, optimizer.steps) == (0.5, 1)
        step([2.0])
    assert (w.data, optimizer.steps) == (0.5 - 0.5 * (0.5 * 1.0 + 1.0 / 0.5), 2)


@pytest.mark.parametrize("scale", [1e-160, 1e160])
def test_numbers_whose_squares_overflow_or_vanish_are_moved_like_others(scale):
    w, x = [Value(scale * (i + 1)) for i in range(4)], [Value(1.0) for _ in range(4)]
    program = record(F.dot(w, x), [x], w, engine="compiled")
    with training_on(program, SGD(w, 0.5 * scale)) as step:
        assert step([[1.0, 0.0, 2.0, -1.0]]) == pytest.approx(3.0 * scale)
    assert [p.data / scale for p in w] == pytest.approx([0.5, 2.0, 2.0, 4.5])


def test_options_that_change_inside_a_block_count_from_the_next_step_on():
    w, _, sample, (program,) = regression([4])
    v, build, *_ = regression([])
    optimizer, eager = SGD(w, 0.05), SGD(v, 0.05)
    changes = [
        ("weight_decay", 0.1),
        ("learning_rate", 0.01),
        ("momentum", 0.9),
        ("nesterov", True),
        ("momentum", 0.5),
    ]
    with training_on(program, optimizer) as step:
        for name, number in changes:
            batch = sample(4)
            assert step(batch) == pytest.approx(eager_step(eager, build(*batch)), rel=1e-12)
            setattr(optimizer, name, number)
            setattr(eager, name, number)
        assert step(batch) == pytest.approx(eager_step(eager, build(*batch)), rel=1e-12)
    assert state_of(w, optimizer) == pytest.approx(state_of(v, eager), rel=1e-12)


def test_an_attribute_of_ones_own_on_an_optimiser_changes_no_step():
    w, _, sample, (program,) = regression([4])
    v, build, *_ = regression([])
    optimizer, eager = SGD(w, 0.05), SGD(v, 0.05)
    optimizer.losses = []
    with training_on(program, optimizer) as step:
        for batch in [sample(4) for _ in range(3)]:
            optimizer.losses.append(step(batch))
            assert optimizer.losses[-1] == pytest.approx(eager_step(eager, build(*batch)), rel=1e-12)


def test_an_optimiser_of_ones_own_is_run_as_it_is():
    class Signed(SGD):
        def update(self, w, gradient, state):
            return w - self.learning_rate * np.sign(gradient), ()

    w, _, sample, (program,) = regression([4])
    before = [p.data for p in w]
    with training_on(program, Signed(w, 0.25)) as step:
        step(sample(4))
    assert [abs(p.data - x) for p, x in zip(w, before)] == pytest.approx([0.25] * 9)


def test_what_is_read_after_a_step_is_that_of_the_run_before_the_update():
    def run(engine):
        rng = Random(2)
        w, k = [Value(rng.uniform(-1.0, 1.0)) for _ in range(12)], Value(0.7)
        X = [[Value(0.1) for _ in range(3)] for _ in range(9)]
        z = [[F.dot(w[3 * j : 3 * j + 3], x) * k for j in range(4)] for x in X]
        program, read = record(F.mean([F.tanh(a) ** 2 for row in z for a in row]), [X], w, engine=engine), []
        with training_on(program, Adam(w, 0.1)) as step:
            for i in range(4):
                read.append(step([[[rng.uniform(-1.0, 1.0) for _ in range(3)] for _ in range(9)]]))
                k.data = 0.7 + 0.1 * i  # from the next step on
                nodes = [z[3][2], w[0], X[2][1], k]
                read += [f(node) for f in (program.value, program.gradient) for node in nodes]
        return read

    assert run("compiled") == pytest.approx(run("eager"), rel=1e-12, abs=1e-14)


def test_numbers_can_be_read_and_set_between_steps():
    w, _, sample, (program,) = regression([4])
    v, build, *_ = regression([])
    optimizer, eager = Adam(w, 0.02), Adam(v, 0.02)
    with training_on(program, optimizer) as step:
        for i in range(6):
            batch = sample(4)
            assert step(batch) == pytest.approx(eager_step(eager, build(*batch)), rel=1e-12)
            assert [program.gradient(p) for p in w] == pytest.approx([p.grad for p in v], rel=1e-11, abs=1e-13)
            if i == 3:
                program.to_values()
                assert [p.data for p in w] == pytest.approx([p.data for p in v], rel=1e-12)
                w[0].data = v[0].data = 0.25
    assert [p.data for p in w] == pytest.approx([p.data for p in v], rel=1e-12)
