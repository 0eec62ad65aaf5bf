"""Tests that replayed array operations give the eager engine's numbers, however the graph was written."""

import math
import random
import re
import sys
import tracemalloc
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from random_graphs import random_graph

from autograd import Value, explain, functions as F, grad, primitive, record
from autograd.graph import topological_order
from autograd.replay import buffers, operations, schedule, summary
from autograd.replay.fast_arrays import quick
from autograd.replay.program import holders
from autograd.replay.sums import FUSED, PLAIN, PRODUCT, SUM
from autograd.table import CONSTANT, REAL, TABLE
from autograd.value import constant
from nn import (
    MLP,
    SGD,
    Adam,
    BatchNorm,
    Dropout,
    Linear,
    ReLU,
    RMSprop,
    Sequential,
    Sigmoid,
    Softplus,
    Tanh,
    binary_cross_entropy,
    half_squared_error,
    l1_penalty,
    l2_penalty,
    mean_squared_error,
    training_on,
)
from nn.activations import BY_NAME, Identity, LeakyReLU
from nn.layers import weights
from nn.losses import mean_loss

# sums are added up in another order, and matrix products in BLAS's: some rounding errors of the largest number
CLOSE = 1e-12


def flat(tensor):
    return [tensor] if isinstance(tensor, Value) else [x for row in tensor for x in flat(row)]


def leaves_of(numbers):
    return Value(numbers) if isinstance(numbers, float) else [leaves_of(row) for row in numbers]


def normal(rng, *shape):
    return rng.gauss(0.0, 1.0) if not shape else [normal(rng, *shape[1:]) for _ in range(shape[0])]


def eager(build, leaves):
    """A fresh graph from the same leaves, with its backward pass; all (operation, value, gradient) in order."""
    for leaf in leaves:
        leaf.grad = 0.0
    loss = build()
    loss.backward()
    return [(node.operation, node.data, node.grad) for node in topological_order(loss)]


def assert_replays(build, inputs, parameters, feeds, engine="replay", every_node=True):
    """Record ``build()``, feed other numbers, and compare every scalar with a fresh eager run on these numbers."""
    loss = build()
    program = record(loss, inputs, parameters, engine=engine)
    assert program.engine == engine
    nodes = topological_order(loss)
    program()  # what this run leaves behind is not to be seen in the next
    assert [program.value(node) for node in nodes[:9]] == pytest.approx([node.data for node in nodes[:9]], rel=1e-9)
    assert program(feeds) == program.value(loss)
    shown = nodes if every_node else [node for node in nodes if not node.parents and node.operation is None]
    found = {node: (program.value(node), program.gradient(node)) for node in shown}
    for leaf, x in zip(flat(inputs), np.concatenate([np.ravel(feed) for feed in feeds] or [[]])):
        leaf.data = float(x)
    expected = eager(build, {*flat(inputs), *parameters, *(node for node in nodes if node.operation is None)})
    assert [node.operation for node in nodes] == [operation for operation, _, _ in expected]
    largest = {}
    for operation, value, gradient in expected:
        top = largest.setdefault(operation, [1e-300, 1e-300])
        top[:] = max(top[0], abs(value)), max(top[1], abs(gradient))
    for node, (operation, value, gradient) in zip(nodes, expected):
        if node in found:
            top = largest[operation]
            assert found[node][0] == pytest.approx(value, abs=CLOSE * top[0], rel=0)
            assert found[node][1] == pytest.approx(gradient, abs=CLOSE * top[1], rel=0)
    return program


# ---- every primitive ------------------------------------------------------------------------------------------


def operands_of(entry, rng, count):
    """Operands inside the domains of value and derivative; a constant where the table wants one."""
    while True:
        numbers = [rng.uniform(-2.0, 2.0) for _ in range(count)]
        domains = entry.domains_of(count)
        numbers = [3.0 if d is CONSTANT and rng.random() < 0.5 else x for d, x in zip(domains, numbers)]
        if entry.defined_at(*numbers) and entry.defined_at(*numbers, derivative=True):
            return [constant(x) if d is CONSTANT else Value(x) for d, x in zip(domains, numbers)]


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("many", [1, 9])
def test_every_primitive_alone_and_in_a_group(name, many):
    entry, rng = TABLE[name], random.Random(name)
    counts = [entry.least, entry.least + entry.step, entry.least + 4 * entry.step] if entry.variadic else [0]
    for n in counts:
        count = n or len(entry.letters)
        operands = [operands_of(entry, rng, count) for _ in range(many)]
        upstream = leaves_of(normal(rng, many))

        def build(operands=operands, upstream=upstream):
            return F.sum([F.sin(entry(*some)) * u for some, u in zip(operands, upstream)])

        leaves = [x for some in operands for x in some if x.operation is None]
        feeds = [[x.data for x in operands_of(entry, rng, count) if x.operation is None] for _ in range(many)]
        if any(x.operation is not None for some in operands for x in some):
            feeds = [[abs(x.data) + 0.1 for x in some if x.operation is None] for some in operands]
        inputs = [[x for x in some if x.operation is None] for some in operands]
        assert_replays(build, [inputs], upstream, [feeds])
        assert_replays(build, [], [*leaves, *upstream], [])


# ---- random graphs --------------------------------------------------------------------------------------------


def replay_random_graph(seed):
    _, inputs = random_graph(seed, steps=20)
    rng = random.Random(seed)
    assert_replays(lambda: random_graph_again(seed, inputs), [inputs[:1]], inputs[1:], [[rng.uniform(-1.5, 1.5)]])


def random_graph_again(seed, inputs):
    """The same function of the same inputs: its steps, as the generator writes them, on a graph of its own."""
    f, own = random_graph(seed, steps=20)
    place = dict(zip(own, inputs))
    for node in topological_order(f):
        if node.parents:
            place[node] = node.operation(*(place.get(p, p) for p in node.parents))
    return place[f]


@pytest.mark.parametrize("start", range(0, 100, 20))
def test_random_graphs(start):
    for seed in range(start, start + 20):
        replay_random_graph(seed)


@pytest.mark.slow
@pytest.mark.parametrize("start", range(100, 500, 100))
def test_more_random_graphs(start):
    for seed in range(start, start + 100):
        replay_random_graph(seed)


def wide_graph(seed):
    """Lists of Values combined as a whole: views, gathers, broadcasts, cross products, in each notation."""
    rng = random.Random(seed)
    n, m = rng.randint(2, 9), rng.randint(2, 9)
    parameters = leaves_of(normal(rng, n))
    rows = [leaves_of(normal(rng, n)) for _ in range(m)]
    inputs = leaves_of(normal(rng, m, n))
    plan = [(rng.randrange(12), rng.random(), rng.randrange(10**6)) for _ in range(rng.randint(2, 7))]

    def build():
        batch = inputs
        tail = []
        for kind, coin, salt in plan:
            own = random.Random(salt)
            if kind == 0:
                batch = [[F.tanh(x) for x in example] for example in batch]
            elif kind == 1:
                batch = [[x * p for x, p in zip(example, parameters)] for example in batch]
            elif kind == 2:
                batch = [[F.dot(row, example) for row in rows[:n]] + example[len(rows[:n]) :] for example in batch]
            elif kind == 3:
                batch = [[sum(x * w for w, x in zip(row, x_)) + parameters[0] for row in rows] for x_ in batch]
                batch = [(example * n)[:n] for example in batch]
            elif kind == 4:
                batch = [[F.affine(row, example, p) for row, p in zip(rows, parameters)] for example in batch]
                batch = [(example * n)[:n] for example in batch]
            elif kind == 5:
                batch = [own.sample(example, n) for example in batch]
            elif kind == 6:
                batch = [[x - F.logsumexp(example) for x in example] for example in batch]
            elif kind == 7:
                means = [F.mean(column) for column in zip(*batch)]
                batch = [[x - mu for x, mu in zip(example, means)] for example in batch]
            elif kind == 8:
                tail += [x for example in batch for x in example if own.random() < 0.4]
            elif kind == 9:
                flat_batch = [x for example in batch for x in example]
                tail.append(F.dot(flat_batch, flat_batch) * 0.1)
            elif kind == 10:
                batch = [[F.sigmoid(x) / (2.0 + y * y) for x, y in zip(example, example[::-1])] for example in batch]
            else:
                first = batch[0]
                batch = [[F.relu(x) if coin < 0.5 else F.maximum(x, y) for x, y in zip(x_, first)] for x_ in batch]
            batch = [[F.sin(x) if abs(x.data) > 50.0 else x for x in example] for example in batch]
        return sum([F.sin(x) for example in batch for x in example] + tail) * 0.5

    feeds = [[x.data for x in example] for example in inputs]
    return build, [inputs], [*parameters, *flat(rows)], [feeds]


@pytest.mark.parametrize("start", range(0, 120, 20))
def test_wide_random_graphs(start):
    for seed in range(start, start + 20):
        build, inputs, parameters, feeds = wide_graph(seed)
        assert_replays(build, inputs, parameters, feeds, every_node=seed % 4 == 0)


# ---- networks -------------------------------------------------------------------------------------------------


def cross_entropy_one_hot(z, one_hot):
    return F.logsumexp(z) - F.dot(one_hot, z)


def hinge_of_leaf(score, y):
    return F.relu(1.0 - y * score)


def network(model, loss, rng, examples=6, n_in=3, targets=()):
    """build, inputs, parameters, feeds of the mean loss of a model from nn."""
    X, Y = leaves_of(normal(rng, examples, n_in)), leaves_of(normal(rng, examples, *targets))

    def build():
        outputs = model.batch(X)
        return F.mean([loss(output, y) for output, y in zip(outputs, Y)])

    return build, [X, Y], model.parameters(), [normal(rng, examples, n_in), normal(rng, examples, *targets)]


LOSSES = {
    "half_squared_error": (half_squared_error, [2], (2,)),
    "mean_squared_error": (mean_squared_error, [2], (2,)),
    "cross_entropy": (cross_entropy_one_hot, [3], (3,)),
    "hinge": (hinge_of_leaf, [1], ()),
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", sorted(BY_NAME))
def test_every_activation_with_every_loss(loss, activation):
    function, out, targets = LOSSES[loss]
    rng = random.Random(loss + activation)
    model = MLP(3, [5, 4, *out], activation=activation, rng=rng)
    assert_replays(*network(model, function, rng, targets=targets))


def test_binary_cross_entropy_with_labels_as_they_stand():
    rng = random.Random(5)
    model = MLP(3, [4, 1], activation="tanh", rng=rng)
    X = leaves_of(normal(rng, 7, 3))
    y = [i % 2 for i in range(7)]

    def build():
        return mean_loss(binary_cross_entropy, model.batch(X), y)

    assert_replays(build, [X], model.parameters(), [normal(rng, 7, 3)])


def test_batch_normalisation_in_training_and_evaluation():
    rng = random.Random(1)
    model = Sequential(Linear(3, 4, rng=rng), BatchNorm(4), ReLU(), Linear(4, 2, rng=rng))
    assert_replays(*network(model, half_squared_error, rng, examples=8, targets=(2,)))
    model.eval()
    assert_replays(*network(model, half_squared_error, rng, examples=8, targets=(2,)))


def test_dropout_with_masks_fed_anew():
    rng = random.Random(2)
    dropout = Dropout(0.5, rng)
    hidden, output = Linear(3, 8, rng=rng), Linear(8, 1, rng=rng)
    X = leaves_of(normal(rng, 6, 3))
    parameters = [*hidden.parameters(), *output.parameters()]
    masks = leaves_of([[1.0] * 8] * 6)

    def build():
        A = [[F.tanh(z) for z in example] for example in hidden.batch(X)]
        dropped = [[a * m for a, m in zip(example, mask)] for example, mask in zip(A, masks)]
        return F.mean([z**2 for [z] in output.batch(dropped)])

    feeds = [normal(rng, 6, 3), [[dropout.sample() for _ in range(8)] for _ in range(6)]]
    assert_replays(build, [X, masks], parameters, feeds)


def test_the_masks_that_a_dropout_layer_drew_are_inputs():
    rng = random.Random(3)
    model = MLP(3, [6, 1], dropout=0.5, rng=rng)
    X = leaves_of(normal(rng, 5, 3))
    dropout = next(m for m in model.submodules().values() if isinstance(m, Dropout))
    loss = F.mean([z**2 for z in model.batch(X)])
    masks = list(dropout.masks)
    program = record(loss, [X, masks], model.parameters())
    program([normal(rng, 5, 3), [0.0] * len(masks)])
    # every hidden unit is dropped: the output is its bias, and the loss its square
    bias = model.net.layers[-1].b[0]
    assert program.loss == pytest.approx(bias.data**2, abs=1e-15)
    assert program.gradient(model.net.layers[0].W[0][0]) == 0.0


@pytest.mark.parametrize("penalty", [l1_penalty, l2_penalty])
def test_penalties(penalty):
    rng = random.Random(4)
    model = MLP(3, [5, 1], activation="tanh", rng=rng)
    X = leaves_of(normal(rng, 6, 3))

    def build():
        return F.mean([z * z for z in model.batch(X)]) + penalty(weights(model), 0.01)

    assert_replays(build, [X], model.parameters(), [normal(rng, 6, 3)])


class Neuron:
    """micrograd's."""

    def __init__(self, n, rng):
        self.w, self.b = [Value(rng.uniform(-1, 1)) for _ in range(n)], Value(0.1)

    def __call__(self, x):
        return sum((wi * xi for wi, xi in zip(self.w, x)), self.b)


def micrograd_network(rng, sizes=(2, 8, 8, 1), examples=12):
    layers = [[Neuron(n, rng) for _ in range(out)] for n, out in pairwise(sizes)]
    X, y = leaves_of(normal(rng, examples, sizes[0])), leaves_of(normal(rng, examples))
    parameters = [p for layer in layers for neuron in layer for p in (*neuron.w, neuron.b)]

    def score(x):
        for layer in layers[:-1]:
            x = [neuron(x).relu() for neuron in layer]
        return layers[-1][0](x)

    def build():
        losses = [(1 + -yi * score(x)).relu() for x, yi in zip(X, y)]
        return sum(losses) * (1.0 / len(losses)) + 1e-4 * sum(p * p for p in parameters)

    return build, [X, y], parameters, [normal(rng, examples, sizes[0]), normal(rng, examples)]


def test_microgradlike_code():
    program = assert_replays(*micrograd_network(random.Random(6)))
    shapes = [layer.shapes["W"] for layer in program.layers]
    assert shapes == [(8, 2), (8, 8), (1, 8)]


@pytest.mark.parametrize(
    "make",
    [
        lambda p: SGD(p, 0.05),
        lambda p: SGD(p, lambda t: 0.05 / (1 + t), momentum=0.9, weight_decay=0.01, nesterov=True),
        lambda p: Adam(p, 0.01),
        lambda p: RMSprop(p, 0.01, momentum=0.5),
    ],
)
def test_fifty_training_steps(make):
    rng = random.Random(8)
    first, second = (MLP(3, [8, 6, 2], activation="tanh", rng=random.Random(9)) for _ in range(2))
    batches = [(normal(rng, 10, 3), normal(rng, 10, 2)) for _ in range(50)]
    optimizer = make(first.parameters())
    expected = []
    for X, Y in batches:
        loss = mean_loss(half_squared_error, first.batch(X), Y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        expected.append(loss.data)
    build, inputs, parameters, _ = network(second, half_squared_error, rng, examples=10, targets=(2,))
    program, replayed = record(build(), inputs, parameters), make(parameters)
    assert program.engine in ("compiled", "replay")
    with training_on(program, replayed) as step:
        losses = [step(batch) for batch in batches]
    # rounding errors of 1e-16 grow with the steps, as any disturbance of a training does
    assert losses == pytest.approx(expected, abs=1e-9)
    assert [p.data for p in parameters] == pytest.approx([p.data for p in first.parameters()], abs=1e-9)
    assert [p.grad for p in parameters] == pytest.approx([p.grad for p in first.parameters()], abs=1e-9)
    assert np.array(replayed.states) == pytest.approx(np.array(optimizer.states), abs=1e-9)
    assert (replayed.steps, replayed.learning_rate) == (optimizer.steps, optimizer.learning_rate)


@pytest.mark.parametrize("layer", [Identity(), LeakyReLU(0.2), ReLU(), Sigmoid(), Softplus(), Tanh()])
def test_every_activation_layer(layer):
    rng = random.Random(11)
    X = leaves_of(normal(rng, 5, 3))
    assert_replays(lambda: F.sum([a * a for x in layer.batch(X) for a in x]), [X], [], [normal(rng, 5, 3)])


# ---- what is found --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "write",
    [
        lambda w, x, b: F.affine(w, x, b),
        lambda w, x, b: F.dot(w, x) + b,
        lambda w, x, b: b + F.dot(x, w),
        lambda w, x, b: sum(wi * xi for wi, xi in zip(w, x)) + b,
        lambda w, x, b: sum((xi * wi for wi, xi in zip(w, x)), b),
        lambda w, x, b: F.sum([wi * xi for wi, xi in zip(w, x)]) + b,
        lambda w, x, b: w[0] * x[0] + w[1] * x[1] + w[2] * x[2] + w[3] * x[3] + b,
        lambda w, x, b: b + (w[0] * x[0] + x[1] * w[1]) + (w[2] * x[2] + w[3] * x[3]),
    ],
)
def test_one_matrix_product_however_it_is_written(write):
    rng = random.Random(12)
    W, b, X = leaves_of(normal(rng, 5, 4)), leaves_of(normal(rng, 5)), leaves_of(normal(rng, 7, 4))

    def build():
        return F.sum([F.tanh(write(w, x, b_j)) for x in X for w, b_j in zip(W, b)])

    program = assert_replays(build, [X], [*flat(W), *b], [normal(rng, 7, 4)])
    assert [(layer.shapes["W"], layer.shapes["A"]) for layer in program.layers] == [((5, 4), (7, 4))]
    assert len(program.plan.groups) == 3  # the product, tanh, the sum


def test_numbers_that_are_added_count_whatever_they_are():
    rng = random.Random(31)
    W, X = leaves_of(normal(rng, 5, 4)), leaves_of(normal(rng, 7, 4))
    for number in (0.0, -0.0, 1.0, -1.0, 2.5):

        def build(number=number):
            Z = [[sum((w_k * x_k for w_k, x_k in zip(w, x)), number) for w in W] for x in X]
            return F.sum([F.tanh(z) for example in Z for z in example]) + sum([number, *X[0], number])

        assert_replays(build, [X], flat(W), [normal(rng, 7, 4)])


def test_what_is_added_to_a_product_may_be_computed_after_its_factors():
    rng = random.Random(32)
    W, X, c = leaves_of(normal(rng, 5, 4)), leaves_of(normal(rng, 7, 4)), leaves_of(normal(rng, 5))

    def build():
        b = c
        for _ in range(4):
            b = [F.sin(b_j) for b_j in b]
        return F.sum([F.tanh(F.affine(w, x, b_j)) for x in X for w, b_j in zip(W, b)])

    assert_replays(build, [X], [*flat(W), *c], [normal(rng, 7, 4)])


def test_what_skips_a_layer_is_added_beside_the_bias():
    rng = random.Random(36)
    W, b, X = leaves_of(normal(rng, 4, 4)), leaves_of(normal(rng, 4)), leaves_of(normal(rng, 6, 4))

    def build():
        Z = [[F.affine(w, x, b_j) + x_j for w, b_j, x_j in zip(W, b, x)] for x in X]
        return F.sum([F.tanh(z) for example in Z for z in example])

    program = assert_replays(build, [X], [*flat(W), *b], [normal(rng, 6, 4)])
    assert len(program.plan.groups) == 3  # the product with both, tanh, the sum


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_rows_that_meet_themselves_and_each_other(n):
    rng = random.Random(42)
    X = leaves_of(normal(rng, n, 8))
    assert_replays(lambda: F.sum([F.sin(F.dot(x, y)) for x in X for y in X]), [X], [], [normal(rng, n, 8)])
    assert_replays(lambda: F.sum([F.sin(F.dot(x, y)) for x in X for y in X]), [], flat(X), [])


def test_a_whole_cross_product_with_some_pairs_twice():
    rng = random.Random(33)
    W, X = leaves_of(normal(rng, 4, 3)), leaves_of(normal(rng, 5, 3))
    pairs = [(w, x) for x in X for w in W] + [(W[1], X[2]), (W[3], X[0]), (W[1], X[2])]
    program = assert_replays(lambda: F.sum([F.sin(F.dot(w, x)) for w, x in pairs]), [X], flat(W), [normal(rng, 5, 3)])
    assert [layer.shapes["Z"] for layer in program.layers] == [(4, 5)]


def test_two_layers_that_are_added_stay_two_layers():
    rng = random.Random(34)
    W, U, H, X = (leaves_of(normal(rng, *shape)) for shape in [(4, 4), (4, 3), (6, 4), (6, 3)])

    def build():
        Z = [[F.dot(w, h) + F.dot(u, x) for w, u in zip(W, U)] for h, x in zip(H, X)]
        return F.sum([F.tanh(z) for example in Z for z in example])

    program = assert_replays(build, [H, X], flat([W, U]), [normal(rng, 6, 4), normal(rng, 6, 3)])
    assert sorted(layer.shapes["W"] for layer in program.layers) == [(4, 3), (4, 4)]


def test_a_recurrent_network_is_a_product_for_each_time_step():
    rng = random.Random(13)
    W, U, X = leaves_of(normal(rng, 4, 4)), leaves_of(normal(rng, 4, 3)), leaves_of(normal(rng, 6, 5, 3))

    def build():
        H = [[F.tanh(F.dot(u, x[0])) for u in U] for x in X]
        for t in range(1, 5):
            H = [[F.tanh(F.dot(w, h) + F.dot(u, x[t])) for w, u in zip(W, U)] for h, x in zip(H, X)]
        return F.sum(flat(H))

    assert_replays(build, [X], [*flat(W), *flat(U)], [normal(rng, 6, 5, 3)])


def test_an_incomplete_cross_product_is_still_right():
    rng = random.Random(14)
    W, X = leaves_of(normal(rng, 6, 3)), leaves_of(normal(rng, 6, 3))
    some = [(w, x) for i, w in enumerate(W) for j, x in enumerate(X) if i <= j] + [(W[0], X[0])]
    assert_replays(lambda: F.sum([F.sin(F.dot(w, x)) for w, x in some]), [X], flat(W), [normal(rng, 6, 3)])


@pytest.mark.parametrize(("units", "examples"), [(2, 1), (1, 2), (4, 1), (1, 4)])
def test_groups_of_units_that_read_rows_of_their_own_are_one_step(units, examples):
    rng = random.Random(35)
    W, X = leaves_of(normal(rng, 3, units, 4)), leaves_of(normal(rng, 3, examples, 4))
    b = leaves_of(normal(rng, units))

    def build():
        Z = [F.affine(w, x, b_j) for W_k, X_k in zip(W, X) for x in X_k for w, b_j in zip(W_k, b)]
        return F.sum([F.tanh(z) for z in Z])

    program = assert_replays(build, [X], [*flat(W), *b], [normal(rng, 3, examples, 4)])
    assert program.plan.groups[0].nodes.shape == (3, max(units, examples))


def test_of_two_factors_that_are_alike_the_one_written_first_is_w():
    rng = random.Random(37)
    H, K = leaves_of(normal(rng, 4, 3)), leaves_of(normal(rng, 5, 3))
    loss = F.sum([F.sin(F.dot(h, k)) for h in H for k in K])
    for inputs, parameters in [([H, K], []), ([], flat([H, K]))]:
        program = record(loss, inputs, parameters, engine="replay")
        slots = [program.memory.slot[program.flat.place_of[h]] for h in flat(H)]
        assert set(program.plan.groups[0].columns[0].flat) == set(slots)


def test_a_layer_of_few_units_is_one_step_too():
    rng = random.Random(40)
    W, x = leaves_of(normal(rng, 3, 4)), leaves_of(normal(rng, 4))

    def build():
        return F.sum([F.sin(F.tanh(F.dot(w, x))) for w in W])

    program = assert_replays(build, [x], flat(W), [normal(rng, 4)])
    assert [len(group.nodes) for group in program.plan.groups] == [3, 3, 3, 1]


@pytest.mark.parametrize("shape", [(2, 2), (3, 2), (2, 3)])
def test_a_layer_of_so_few_weights_that_floats_were_as_fast_is_told_as_a_layer(shape):
    rng = random.Random(43)
    W, x = leaves_of(normal(rng, *shape)), leaves_of(normal(rng, shape[1]))
    program = assert_replays(lambda: F.sum([F.tanh(F.dot(w, x)) for w in W]), [x], flat(W), [normal(rng, shape[1])])
    assert [layer.shapes["W"] for layer in program.layers] == [shape]


@pytest.mark.parametrize("many", [1, 9])
def test_a_primitive_of_ones_own_whose_operands_are_not_alike(many):
    @primitive("±", REAL)
    def alternating(n, *x):
        signs = [(-1.0) ** i for i in range(len(x))]
        return n.sum([sign * n.exp(x_i) for sign, x_i in zip(signs, x)]), tuple(
            sign * n.exp(x_i) for sign, x_i in zip(signs, x)
        )

    try:
        rng = random.Random(44)
        X = leaves_of(normal(rng, many, 5))
        order = [rng.sample(x, 5) for x in X]
        assert_replays(lambda: F.sum([alternating(*x) for x in order]), [X], [], [normal(rng, many, 5)])
    finally:
        del TABLE["alternating"]


def test_a_layer_of_one_input_is_a_matrix_product_too():
    rng = random.Random(41)
    w, b, x = leaves_of(normal(rng, 5)), leaves_of(normal(rng, 5)), leaves_of(normal(rng, 6))

    def build():
        return F.sum([F.tanh(F.affine([w_j], [x_i], b_j)) for x_i in x for w_j, b_j in zip(w, b)])

    program = assert_replays(build, [x], [*w, *b], [normal(rng, 6)])
    assert [layer.shapes["W"] for layer in program.layers] == [(5, 1)]


def test_a_convolution_reads_overlapping_windows():
    rng = random.Random(15)
    W, x = leaves_of(normal(rng, 3, 4)), leaves_of(normal(rng, 12))

    def build():
        windows = [x[i : i + 4] for i in range(9)]
        return F.sum([F.relu(F.dot(w, window)) for w in W for window in windows])

    assert_replays(build, [x], flat(W), [normal(rng, 12)])


def test_contributions_are_added_up_wherever_their_operand_was_read():
    """In a row, in steps, apart, along axes that read the same number, in windows that overlap; as in np.add.at."""
    block = np.arange(24).reshape(2, 3, 4)
    spread = [
        np.broadcast_to(block[tuple(slice(0, 1) if axis in axes else slice(None) for axis in range(3))], (2, 3, 4))
        for axes in [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)]
    ]
    flat_ones = [
        np.arange(3, 9),
        np.arange(0, 12, 2),
        np.full(5, 2),
        np.full(2, 3),
        np.array([1]),
        np.arange(7, 2, -1),
    ]
    two = [block[0], block[1].T, block[:, 1], np.arange(6)[:, None] + np.arange(3), block[:, :1, 0], block[0, 1:2]]
    two += [np.broadcast_to(np.arange(n), (m, n)) for m, n in [(2, 3), (3, 2), (1, 4), (4, 1), (3, 3)]]
    two += [array.T for array in two]
    apart = [np.array(some) for some in ([4, 1, 7], [4, 1, 4, 7, 1], [[5, 9], [9, 2]], [[8, 3], [1, 22]])]
    patterns = [block, *spread, *flat_ones, *two, *apart]
    rng = random.Random(38)
    for _ in range(300):
        place, steps, expected = buffers.Memory(24, 24), [], np.zeros(24)
        before = place.gradients[:] = normal(rng, 24)  # of the last run
        for index in rng.choices(patterns, k=rng.randint(1, 4)):
            given = np.reshape(normal(rng, index.size), index.shape)
            np.add.at(expected, index, given)
            if rng.random() < 0.5:
                steps += place.add(index, given, late=True)
            else:
                steps += place.add(index, lambda out, given=given: np.copyto(out, given), late=True)
        for step in [*place.clear(), *steps]:
            step()
        expected[~place.written] = np.array(before)[~place.written]
        assert place.gradients == pytest.approx(expected, abs=1e-14)  # of numbers around 1
        assert place.clear() == []


def test_what_was_fused_away_has_no_slot_and_is_still_read():
    x, y = Value(2.0), Value(3.0)
    W = leaves_of(normal(random.Random(0), 8, 2))
    inside = [w[0] * x for w in W]
    loss = F.sum([F.tanh(p + w[1] * y) for p, w in zip(inside, W)])
    program = record(loss, [x, y], flat(W), engine="replay")
    program([0.5, -1.0])
    assert program.memory.used < len(program.flat.nodes)
    for p, w in zip(inside, W):
        z = w[0].data * 0.5 - w[1].data
        assert program.memory.slot[program.flat.place_of[p]] == -1
        assert program.value(p) == w[0].data * 0.5
        assert program.gradient(p) == pytest.approx(1.0 - np.tanh(z) ** 2, abs=1e-15)
    program([0.25, 1.0])
    assert [program.value(p) for p in inside] == [w[0].data * 0.25 for w in W]


def test_to_values_makes_the_graph_as_if_it_had_been_computed_with_these_numbers():
    build, inputs, parameters, feeds = micrograd_network(random.Random(16))
    loss = build()
    program = record(loss, inputs, parameters)
    program(feeds)
    program.to_values()
    found = [(n.data, n.grad, n.local_derivatives) for n in topological_order(loss)]
    for leaf in [*flat(inputs), *parameters]:
        leaf.grad = 0.0
    again = build()
    again.backward()
    for (value, gradient, locals_), node in zip(found, topological_order(again)):
        assert value == pytest.approx(node.data, abs=CLOSE)
        assert gradient == pytest.approx(node.grad, abs=CLOSE)
        assert locals_ == pytest.approx(node.local_derivatives, abs=CLOSE)


def test_explain_reads_replayed_numbers():
    r, s = Value(2.0, "r"), Value(3.0, "s")
    f = F.product(r, r * s, s)
    program = record(f, [r, s])
    program([3.0, 1.0])
    program.to_values()
    assert f.data == 9.0  # r² s²
    assert "18" in str(explain(f, wrt=s))  # 2 r² s
    assert (r.grad, s.grad) == (6.0, 18.0)


def test_parameters_keep_the_numbers_that_their_values_have():
    w, x = Value(2.0), Value(3.0)
    program = record(w * x, inputs=[x], parameters=[w])
    assert program([5.0]) == 10.0
    w.data = 7.0
    assert program([5.0]) == 35.0
    assert program() == 35.0


def test_one_parameter_that_meets_many_inputs_is_read_anew():
    w, x = Value(2.0), leaves_of([float(i) for i in range(9)])
    program = record(F.sum([F.relu(w * x_i) for x_i in x]), [x], [w], engine="replay")
    assert program() == 72.0
    w.data = 3.0
    assert program() == 108.0
    assert program.gradient(w) == 36.0


def test_a_parameter_that_lies_among_constants_is_read_anew():
    w, x = Value(2.0), leaves_of([float(i) for i in range(9)])
    factors = [w, 2.0, 5.0, w, w, 5.0, w, 2.0, w]
    program = record(F.sum([F.relu(f * x_i) for f, x_i in zip(factors, x)]), [x], [w], engine="replay")
    assert program() == 2.0 * 21.0 + 2.0 * 8.0 + 5.0 * 7.0
    w.data = 3.0
    assert program() == 3.0 * 21.0 + 2.0 * 8.0 + 5.0 * 7.0
    assert program.gradient(w) == 21.0


@pytest.mark.parametrize("engine", ["replay", "eager"])
def test_leaves_that_are_neither_are_read_anew_too(engine):
    w, x, c = Value(2.0), Value(3.0), Value(4.0)
    program = record(w * x * c, inputs=[x], parameters=[w], engine=engine)
    assert program([5.0]) == 40.0
    assert program.gradient(c) == 10.0
    c.data = 7.0
    assert program([5.0]) == 70.0
    assert program.gradient(w) == 35.0


def one_layer():
    """Σ tanh(w · x + w₁ x₁): its products are fused; program, inputs, parameters, feeds."""
    rng = random.Random(30)
    W, X = leaves_of(normal(rng, 5, 4)), leaves_of(normal(rng, 6, 4))
    inside = [[w[0] * x[0] for w in W] for x in X]
    loss = F.sum([F.tanh(F.dot(w, x) + p) for x, row in zip(X, inside) for w, p in zip(W, row)])
    return record(loss, [X], flat(W), engine="replay"), loss, X, W, inside, [normal(rng, 6, 4)]


def test_after_a_step_every_scalar_is_still_that_of_the_run_before_the_update():
    program, _, X, W, inside, feeds = one_layer()
    before = [w.data for w in flat(W)]
    program(feeds)
    nodes = [*flat(X), *flat(W), *flat(inside)]
    expected = [(program.value(node), program.gradient(node)) for node in nodes]
    with training_on(program, SGD(flat(W), 0.5)) as step:
        step(feeds)
        assert [(program.value(node), program.gradient(node)) for node in nodes] == expected
    assert [(program.value(node), program.gradient(node)) for node in nodes] == expected
    gradient = [program.gradient(w) for w in flat(W)]
    assert [w.data for w in flat(W)] == [w - 0.5 * g for w, g in zip(before, gradient)]


def test_to_values_takes_no_update_back():
    program, loss, _, W, _, feeds = one_layer()
    with training_on(program, SGD(flat(W), 0.5)) as step:
        step(feeds)
        step(feeds)
    moved = [w.data for w in flat(W)]
    program.to_values()
    assert [w.data for w in flat(W)] == moved
    rows = [[w.data for w in row] for row in W]
    z = np.array(feeds[0]) @ np.array(rows).T + np.outer(np.array(feeds[0])[:, 0], np.array(rows)[:, 0])
    assert loss.data == pytest.approx(np.tanh(z).sum(), abs=1e-13)  # of the present weights, to rounding
    W[0][0].data += 1.0
    program.to_values()
    assert W[0][0].data == moved[0] + 1.0


def two_programs():
    """w·w Σ x of three w, for one x and for two."""
    w, x = leaves_of([1.0] * 3), leaves_of([1.0] * 2)
    programs = [record(F.dot(w, w) * F.sum(x[:n]), [x[:n]], w, engine="replay") for n in (1, 2)]
    return w, programs


def test_other_programs_see_present_parameters_inside_a_training():
    w, (one, two) = two_programs()
    with training_on(one, SGD(w, 0.25)) as step:
        step([[1.0]])  # each w becomes 1 − 0.25 · 2
        assert one([[1.0]]) == 0.75
        assert two([[1.0, 1.0]]) == 1.5
        assert (two.value(w[0]), two.gradient(w[0])) == (0.5, 2.0)
        assert step([[1.0]]) == 0.75
        two.to_values()
        assert [w_i.data for w_i in w] == [two.value(w_i) for w_i in w] == [0.25] * 3
        assert two.root.data == 3 * 0.25**2 * 2.0
        step([[1.0]])
        one.to_values()
        assert one.root.data == 3 * 0.125**2
    assert [w_i.data for w_i in w] == [0.125] * 3


def test_a_loss_recorded_inside_a_training_is_that_of_the_present_parameters():
    w, (one, _) = two_programs()
    with training_on(one, SGD(w, 0.25)) as step:
        step([[1.0]])
        for engine in ("replay", "eager"):
            unread = record(F.sum(w), parameters=w, engine=engine)
            assert unread.value(unread.root) == 1.5
            assert record(F.sum(w), parameters=w, engine=engine)() == 1.5
            assert record(F.sum(w), inputs=[w], engine=engine)() == 1.5
            assert record(F.sum(w) * 2.0, parameters=[], engine=engine)() == 3.0
        step([[1.0]])
        assert unread() == 0.75
        assert unread.compare(F.sum(w))


def test_a_training_is_left_alone_by_programs_on_other_parameters_and_when_it_is_over():
    w, (one, _) = two_programs()
    v = Value(5.0)
    other = record(v * v, parameters=[v])
    with pytest.raises(KeyError), training_on(one, SGD(w, 0.25)) as step:
        step([[1.0]])
        assert other() == 25.0
        assert w[0].data == 1.0  # still in arrays
        raise KeyError
    assert w[0].data == 0.5
    assert holders == []


def test_two_trainings_of_the_same_parameters_take_turns():
    w, (one, two) = two_programs()
    first, second = SGD(w, 0.25, momentum=0.5), SGD(w, 0.0625)
    with training_on(one, first) as step, training_on(two, second) as other_step:
        step([[1.0]])  # to ½
        assert other_step([[1.0, 1.0]]) == 1.5  # ∂ = 4w: to ½ − 2/16
        assert step([[1.0]]) == 3 * 0.375**2  # velocity ½ · 2 + 0.75: to 0.375 − 1.75/4
        other_step([[0.0, 0.0]])
    assert [w_i.data for w_i in w] == [0.375 - 0.4375] * 3
    assert (first.steps, second.steps) == (2, 2)
    assert first.states == [(1.75,)] * 3


def test_inside_a_training_the_other_leaves_are_read_in_each_step():
    w, x, c = Value(2.0), Value(3.0), Value(4.0)
    program = record(w * x * c, inputs=[x], parameters=[w], engine="replay")
    with training_on(program, SGD([w], 0.0625)) as step:
        assert step([1.0]) == 8.0
        c.data = 8.0
        assert step([1.0]) == (2.0 - 4.0 * 0.0625) * 8.0


def test_after_a_training_each_program_reads_the_parameters_as_they_are():
    w, (one, two) = two_programs()
    with training_on(one, SGD(w, 0.25)) as step:
        step([[1.0]])
        step([[1.0, 1.0]], program=two)
    for w_i in w:
        w_i.data = 2.0
    assert one([[1.0]]) == 12.0
    assert two([[1.0, 1.0]]) == 24.0
    assert [w_i.data for w_i in w] == [2.0] * 3


def test_a_training_begins_with_the_other_leaves_as_they_are():
    w, x, c = Value(2.0), Value(3.0), Value(4.0)
    program = record(w * x * c, inputs=[x], parameters=[w], engine="replay")
    c.data = 7.0
    with training_on(program, SGD([w], 0.0625)) as step:
        assert step([5.0]) == 70.0
    assert w.data == 2.0 - 0.0625 * 35.0


# ---- where it does not pay, and where numbers are not finite ---------------------------------------------------


def test_a_chain_is_left_to_the_eager_engine_which_gives_the_same(monkeypatch):
    monkeypatch.setattr("autograd.replay.program.EDGES_TO_COMPILE", math.inf)  # as without the compiled engine
    x = y = Value(0.5)
    for _ in range(300):
        y = F.sin(y) + x
    program = record(y, [x], [])
    assert program.engine == "eager"
    assert "eager" in program.reason
    loss = program([0.25])
    z = 0.25
    for _ in range(300):
        z = np.sin(z) + 0.25
    assert loss == pytest.approx(z, abs=1e-12)
    replayed = record(y, [x], [], engine="replay")
    replayed([0.25])
    assert program.gradient(x) == pytest.approx(replayed.gradient(x), abs=1e-12)
    assert replayed.value(x) == 0.25


def chain_of_four(n):
    x = y = Value(0.5)
    for _ in range(n // 4):
        y = F.sin(F.tanh((y + 0.25) * x))
    return y


def ragged(n):
    """Each node reads others anywhere before it: sums and products of all lengths, one or a few to a level."""
    rng = random.Random(0)
    nodes = leaves_of(normal(rng, 10))
    makers = [
        lambda x, y: x + y,
        lambda x, y: x * y,
        lambda x, y: F.tanh(x),
        lambda x, y: F.sum([x, y, x * y, F.sin(y)]),
        lambda x, y: F.dot([x, y], [y, x]),
        lambda x, y: F.logsumexp([x, y, x - y]),
    ]
    while len(nodes) < n // 2:
        x, y = rng.choice(nodes[-30:]), rng.choice(nodes)
        nodes.append(F.sin(rng.choice(makers)(x, y)))
    return F.sum(nodes[-30:])


def recurrent(n):
    w, x, y = leaves_of([0.3] * 4), leaves_of([0.1] * 3), Value(0.5)
    for _ in range(n // 2):
        y = F.tanh(F.dot(w, [y, *x]))
    return y


def deep_network(n):
    """Layers of four units and two examples, whose weights are their own."""
    A = leaves_of([[0.1] * 4] * 2)
    for _ in range(n // 16):
        W, b = leaves_of([[0.2] * 4] * 4), leaves_of([0.1] * 4)
        A = [[F.tanh(F.affine(w, a, b_j)) for w, b_j in zip(W, b)] for a in A]
    return F.sum(flat(A))


def deep_and_wide(n):
    x = leaves_of([0.1 * i for i in range(8)])
    for _ in range(n // 16):
        x = [F.sin(y * x_i) for x_i, y in zip(x, x[::-1])]
    return F.sum(x)


def work_of(function):
    """Calls, of Python's functions and of C's, and bytes allocated: measures of time that no other load disturbs."""
    calls = allocated = before = 0

    def note(frame, event, argument):
        nonlocal calls, allocated, before
        calls += event in ("call", "c_call")
        now, peak = tracemalloc.get_traced_memory()
        allocated += max(peak - before, 0)
        tracemalloc.reset_peak()
        before = now

    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    sys.setprofile(note)
    try:
        kept = function()
    finally:
        sys.setprofile(None)
        tracemalloc.stop()
    del kept
    return calls, allocated


@pytest.mark.parametrize(
    "shape",
    [
        deep_and_wide,
        *(pytest.param(s, marks=pytest.mark.slow) for s in (chain_of_four, ragged, recurrent, deep_network)),
    ],
)
def test_planning_running_and_telling_take_work_in_proportion_to_the_graph(shape):
    def run(loss):
        program = record(loss, engine="replay")
        program()
        str(program)
        program.to_values()
        return program

    run(shape(64))  # imports
    once, twice, thrice = (work_of(lambda n=n: run(shape(n))) for n in (600, 1200, 1800))
    for a, b, c in zip(once, twice, thrice):
        # a part of n² makes the second difference up to 5/3 of the first; dicts grow in jumps
        assert c - b <= 1.08 * (b - a)


@pytest.mark.parametrize("shape", [chain_of_four, ragged, recurrent, deep_network, deep_and_wide])
@pytest.mark.parametrize("n", [64, 320])
def test_deep_graphs_give_the_numbers_of_the_eager_engine(shape, n):
    loss = shape(n)
    nodes = topological_order(loss)
    leaves = [node for node in nodes if node.operation is None]
    loss.backward()
    expected = [(node.data, node.grad) for node in nodes]
    for parameters in (leaves, leaves[::2], []):
        program = record(loss, [[leaf] for leaf in leaves if leaf not in parameters], parameters, engine="replay")
        assert program() == pytest.approx(loss.data, rel=CLOSE)
        found = [(program.value(node), program.gradient(node)) for node in nodes]
        assert np.array(found) == pytest.approx(np.array(expected), rel=1e-11, abs=1e-13)  # hundreds of roundings


def test_every_number_is_there_where_the_eager_engine_runs():
    assert_replays(*micrograd_network(random.Random(39), sizes=(2, 3, 1), examples=4), engine="eager")
    build, inputs, parameters, feeds = wide_graph(3)
    assert_replays(build, inputs, parameters, feeds, engine="eager")
    x = Value(0.5)
    y = F.sin(x)
    program = record(y, [x], engine="eager")
    assert program([0.0]) == 0.0
    assert program.gradient(x) == program.gradient(y) == 1.0


@pytest.mark.parametrize("engine", ["replay", "eager"])
def test_a_loss_without_a_graph_is_refused(engine):
    with pytest.raises(ValueError, match="is a constant without a graph"):
        record(constant(3.0), [Value(2.0)], engine=engine)


def test_a_network_is_replayed():
    build, inputs, parameters, _ = micrograd_network(random.Random(17))
    assert record(build(), inputs, parameters).engine in ("compiled", "replay")


def test_the_reason_counts_operations_and_groups():
    w, x = leaves_of([1.0] * 9), leaves_of([2.0] * 9)
    deep = x[0]
    for _ in range(6):
        deep = F.sin(deep)
    for loss, counts in [
        (F.sum([F.tanh(x_i) for x_i in x]), "10 operations in 2 groups by kind and level"),
        (F.sum([w_i * x_i for w_i, x_i in zip(w, x)]), "10 operations in 1 group by kind and level"),
        (deep + F.tanh(x[0]), "8 operations in 8 groups by kind and level"),
        (F.tanh(x[0]), "1 operation in 1 group by kind and level"),
        (x[0], "0 operations in 0 groups by kind and level"),
    ]:
        assert record(loss, [x], w, engine="replay").reason == f"{counts}; as requested"
    assert record(x[0], [x]).engine == "eager"


def test_nothing_from_upstream_times_an_infinite_derivative_is_nothing():
    x, c = leaves_of([4.0] * 8), leaves_of([1.0] * 8)
    loss = F.sum([F.sqrt(x_i) * c_i for x_i, c_i in zip(x, c)])
    program = record(loss, [c], x, engine="replay")
    for x_i in x:
        x_i.data = 0.0
    program([[0.0] * 8])
    assert [program.gradient(x_i) for x_i in x] == [0.0] * 8
    program([[1.0] + [0.0] * 7])
    assert [program.gradient(x_i) for x_i in x] == [np.inf] + [0.0] * 7


def root_of(choose):
    """√ of what a gate has not chosen, or has."""
    return lambda x, w: F.sqrt(choose(x)) * w


GATED = {
    "relu": root_of(F.relu),
    "maximum": root_of(lambda x: F.maximum(x, 0.0)),
    "minimum": root_of(lambda x: -F.minimum(-x, 0.0)),
    "where": root_of(lambda x: F.where(F.relu(x), x, 0.0)),
    "clamp": root_of(lambda x: F.clamp(x, 0.0, 9.0)),
    "the largest of three": root_of(lambda x: F.maximum(x, 0.0, -5.0)),
    "greater": root_of(lambda x: F.where(F.greater(x, 0.0), x, 0.0)),
    "a power": lambda x, w: F.relu(x) ** 0.5 * w,
    "in a dot product": lambda x, w: F.dot([F.sqrt(F.relu(x)), x], [w, w]),
    "behind a sum": lambda x, w: F.sqrt(F.relu(x) + F.relu(x) + F.relu(x)) * w,
    "two gates": lambda x, w: F.sqrt(F.relu(F.relu(x))) * w,
}


@pytest.mark.parametrize("count", [1, 3, 9])
@pytest.mark.parametrize("form", GATED)
def test_what_a_gate_has_not_chosen_gets_nothing_from_an_infinite_upstream(form, count):
    x, w = leaves_of([1.0 + i for i in range(count)]), leaves_of([0.5] * count)
    loss = F.sum([GATED[form](x_i, w_i) for x_i, w_i in zip(x, w)])
    for parameters in ([*x, *w], w, []):
        inputs = [leaf for leaf in (*x, *w) if leaf not in parameters]
        program = record(loss, [[leaf] for leaf in inputs], parameters, engine="replay")
        for leaf in x:
            leaf.data = -1.0  # every gate is shut
        program([[leaf.data] for leaf in inputs])
        beside = form == "in a dot product"  # x·w, which no gate shuts
        assert [program.gradient(x_i) for x_i in x] == [0.5 if beside else 0.0] * count
        assert [program.gradient(w_i) for w_i in w] == [-1.0 if beside else 0.0] * count


@pytest.mark.parametrize("count", [1, 9])
@pytest.mark.parametrize("inside", [lambda x: x**2, lambda x: x * x, lambda x: 0.0 * x], ids=["x²", "x·x", "0·x"])
def test_an_undefined_derivative_behind_no_gate_stays_not_finite(inside, count):
    x = leaves_of([1.0] * count)
    loss = F.sum([F.sqrt(inside(x_i) + 0.0) for x_i in x])
    program = record(loss, [], x, engine="replay")
    for x_i in x:
        x_i.data = 0.0
    program()
    assert all(np.isnan(program.gradient(x_i)) for x_i in x)


def test_a_step_too_takes_nothing_from_nothing_times_an_infinite_derivative():
    x = leaves_of([0.0] * 8)
    program = record(F.sum([F.relu(-F.sqrt(x_i)) + x_i for x_i in x]), [], x, engine="replay")
    with training_on(program, SGD(x, 0.5)) as step:
        assert step() == 0.0
    assert [x_i.data for x_i in x] == [-0.5] * 8  # sqrt′(0) = ∞, times relu′(0) = 0, and 1
    assert [x_i.grad for x_i in x] == [1.0] * 8


def test_nothing_from_upstream_is_nothing_for_inputs_too():
    x, w = leaves_of([4.0] * 8), leaves_of([1.0] * 8)
    program = record(F.sum([w_i * F.relu(-F.sqrt(x_i)) for w_i, x_i in zip(w, x)]), [x], w, engine="replay")
    with training_on(program, SGD(w, 0.5)) as step:
        step([[0.0] * 8])
    w[0].data = 5.0
    assert [program.gradient(x_i) for x_i in x] == [0.0] * 8  # sqrt′(0) = ∞, times relu′(0) = 0
    assert w[0].data == 5.0


KINKED = {
    "relu": lambda x: F.relu(x) * x,
    "|x|": lambda x: abs(x) * x,
    "maximum": lambda x: F.maximum(x, 0.3 * x) * x,
    "minimum": lambda x: F.minimum(x, 1.0) * x,
    "clamp": lambda x: F.clamp(x, -1.0, 1.0) * x,
    "leaky_relu": lambda x: F.leaky_relu(x, 0.1) * x,
    "elu": lambda x: F.elu(x),
    "where": lambda x: F.where(F.relu(x), x * x, 3.0 * x),
    "greater": lambda x: F.where(F.greater(x, 0.1), x * x, 3.0 * x),
    "heaviside": lambda x: F.heaviside(x, 0.5) * x * x,
    "sign": lambda x: F.sign(x) * x * x,
    "maximum of three": lambda x: F.maximum(x, 0.1, -x) * x,
}


@pytest.mark.parametrize("engine", ["replay", "eager"])
@pytest.mark.parametrize("count", [1, 9])
@pytest.mark.parametrize("form", KINKED)
def test_a_recorded_gradient_decides_again_in_each_run(form, count, engine):
    f = KINKED[form]
    x, w = leaves_of([2.0] * count), leaves_of([0.5] * count)

    def build():
        gradients = grad(F.sum([f(x_i) * w_i for x_i, w_i in zip(x, w)]), x)
        return F.sum([g * g for g in gradients])

    program = record(build(), [x], w, engine=engine)
    for at in (-2.0, 2.0, 0.5, -0.25):
        for x_i in x:
            x_i.data = at
        fresh = build()
        assert program([[at] * count]) == pytest.approx(fresh.data, rel=CLOSE)
        assert program.compare(fresh)
        for w_i in w:
            w_i.grad = 0.0
        fresh.backward()
        assert [program.gradient(w_i) for w_i in w] == pytest.approx([w_i.grad for w_i in w], rel=CLOSE)
    if form == "relu":
        assert program([[-2.0] * count]) == 0.0


def test_a_gradient_penalty_on_a_relu_network_is_that_of_each_batch():
    rng = random.Random(7)
    model = MLP(3, [8, 8, 1], activation="relu", rng=rng)
    X = leaves_of(normal(rng, 6, 3))

    def build():
        slopes = grad(F.sum(flat(model.batch(X))), flat(X))
        return F.mean([(F.sqrt(F.dot(s, s)) - 1.0) ** 2 for s in (slopes[i : i + 3] for i in range(0, 18, 3))])

    program = record(build(), [X], model.parameters(), engine="replay")
    found = []
    for _ in range(3):
        feed = normal(rng, 6, 3)
        found.append(program([feed]))
        for leaf, x in zip(flat(X), np.ravel(feed)):
            leaf.data = float(x)
        fresh = build()
        assert found[-1] == pytest.approx(fresh.data, rel=1e-11)  # some hundred roundings
        for p in model.parameters():
            p.grad = 0.0
        fresh.backward()
        expected = [p.grad for p in model.parameters()]
        assert [program.gradient(p) for p in model.parameters()] == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert len(set(found)) == 3


def test_what_is_fed_may_be_infinite_as_in_the_eager_engine():
    x = leaves_of([1.0] * 8)
    program = record(F.sum([F.tanh(x_i) for x_i in x]), [x], engine="replay")
    assert program([[np.inf] * 8]) == 8.0


def test_the_numbers_of_many_nodes_are_read_at_once():
    x = leaves_of(normal(random.Random(0), 9))
    hidden = [F.tanh(x_i) for x_i in x]
    fused = [h * x_i for h, x_i in zip(hidden, x)]
    program = record(sum(fused), [x], engine="replay")
    read, read_fused = program.reader(hidden), program.reader(fused)
    feed = np.linspace(-1.0, 1.0, 9)
    program([feed])
    assert read() == pytest.approx(np.tanh(feed), abs=1e-15)
    assert read_fused() == pytest.approx(feed * np.tanh(feed), abs=1e-15)


# ---- what is told ---------------------------------------------------------------------------------------------

TOLD = """\
  Z¹ = W¹ A⁰ᵀ + b¹         W¹ 3×2, A⁰ 5×2, Z¹ 3×5
  A¹ = σ(Z¹)
  Z² = W² A¹ + b²          W² 2×3, A¹ 3×5, Z² 2×5
  A² = σ(Z²)
back
  δ² = ∂L/∂A² ⊙ σ′(Z²)     δ² 2×5
  ∂L/∂W² = δ² (A¹)ᵀ,  ∂L/∂b² = δ² 1
  δ¹ = (W²)ᵀ δ² ⊙ σ′(Z¹)   δ¹ 3×5
  ∂L/∂W¹ = δ¹ A⁰,  ∂L/∂b¹ = δ¹ 1"""


def two_three_two(activation="sigmoid"):
    rng = random.Random(0)
    model = MLP(2, [3, 2], activation=activation, output=activation, rng=rng)
    build, inputs, parameters, _ = network(model, half_squared_error, rng, examples=5, n_in=2, targets=(2,))
    return model, build, inputs, parameters


def test_the_slides_matrices_are_told_in_the_lectures_letters():
    _, build, inputs, parameters = two_three_two()
    program = record(build(), inputs, parameters, engine="replay")
    told = str(program).splitlines()
    assert told[1:10] == TOLD.splitlines()
    assert not any("sigmoid" in line for line in told)  # what stands above is not counted again
    assert told[-1].startswith("17 parameters, 20 inputs; ")
    assert told[0].startswith("replay: ")
    first, second = program.layers
    assert first.shapes == {"W": (3, 2), "A": (5, 2), "Z": (3, 5), "δ": (3, 5), "b": (3,)}
    assert second.shapes == {"W": (2, 3), "A": (3, 5), "Z": (2, 5), "δ": (2, 5), "b": (2,)}
    assert (first.activation, second.activation) == ("sigmoid", "sigmoid")


def test_the_matrices_that_are_told_give_the_numbers_that_were_replayed():
    model, build, inputs, parameters = two_three_two("tanh")
    loss = build()
    program = record(loss, inputs, parameters, engine="replay")
    program()
    first, second = model.net.layers[0], model.net.layers[2]
    W1, W2 = (np.array([[w.data for w in row] for row in layer.W]) for layer in (first, second))
    b1, b2 = (np.array([[b.data] for b in layer.b]) for layer in (first, second))
    A0, Y = (np.array([[x.data for x in row] for row in tensor]) for tensor in inputs)
    A1 = np.tanh(W1 @ A0.T + b1)
    A2 = np.tanh(W2 @ A1 + b2)
    delta2 = (A2 - Y.T) / 5.0 * (1.0 - A2**2)
    delta1 = W2.T @ delta2 * (1.0 - A1**2)
    gradient = lambda nodes: np.array([[program.gradient(w) for w in row] for row in nodes])  # noqa: E731
    assert gradient(second.W) == pytest.approx(delta2 @ A1.T, abs=1e-15)
    assert gradient(first.W) == pytest.approx(delta1 @ A0, abs=1e-15)
    assert gradient([first.b])[0] == pytest.approx(delta1.sum(axis=1), abs=1e-15)


def test_what_else_uses_a_parameter_or_a_unit_is_not_hidden():
    model, build, inputs, parameters = two_three_two()
    penalised = record(build() + l2_penalty(weights(model), 0.1), inputs, parameters, engine="replay")
    assert penalised.layers[0].gradients == ("∂L/∂W¹ = δ¹ A⁰ + …", "∂L/∂b¹ = δ¹ 1")
    X = inputs[0]
    hidden, output = model.net.layers[0], model.net.layers[2]
    A = [[F.tanh(z) for z in example] for example in hidden.batch(X)]
    skipped = F.sum([z * z for example in output.batch(A) for z in example] + [a for example in A for a in example])
    program = record(skipped, [X], parameters, engine="replay")
    assert program.layers[0].delta == "δ¹ = ∂L/∂Z¹"


def test_unnamed_weights_are_counted_and_names_of_ones_own_are_kept():
    rng = random.Random(1)
    U = [[Value(rng.random(), f"u_{j}{k}") for k in range(3)] for j in range(4)]
    V = leaves_of(normal(rng, 2, 4))
    X = [[Value(rng.random(), f"x_{k}") for k in range(3)] for _ in range(6)]
    H = [[F.dot(u, x) for u in U] for x in X]
    loss = F.sum([F.tanh(F.dot(v, h)) for h in H for v in V])
    program = record(loss, [X], [*flat(U), *flat(V)], engine="replay")
    assert [layer.forward for layer in program.layers] == ["Z¹ = U Xᵀ", "Z² = W² A¹"]
    assert [layer.delta for layer in program.layers] == ["δ¹ = (W²)ᵀ δ²", "δ² = ∂L/∂A² ⊙ tanh′(Z²)"]


def test_an_activation_of_two_operations_is_not_called_by_the_first():
    rng = random.Random(2)
    model = MLP(2, [4, 1], activation="leaky_relu", rng=rng)  # relu(z) − α relu(−z)
    build, inputs, parameters, _ = network(model, half_squared_error, rng, examples=3, n_in=2, targets=(1,))
    program = record(build(), inputs, parameters, engine="replay")
    assert program.layers[0].activation == "" and program.layers[0].delta == "δ¹ = ∂L/∂Z¹"
    assert "δ¹ 4×3, from the operations below" in str(program) and "as arrays, outside the layers: 12 relu" in str(
        program
    )


def test_html_has_the_same_lines_in_mathml():
    _, build, inputs, parameters = two_three_two()
    html = record(build(), inputs, parameters, engine="replay")._repr_html_()
    text = re.sub("<[^>]*>", "", html.partition('<div hidden="hidden">')[2])
    assert "δ2=∂L∂A2⊙σ′(Z2)" in text and "∂L∂W2=δ2(A1)T" in text and "W² 2×3, A¹ 3×5, Z² 2×5" in text
    assert "one by one" in text
    assert "<math" not in record(Value(1.0) * 2.0)._repr_html_()


def test_latex_has_the_same_lines():
    _, build, inputs, parameters = two_three_two()
    latex = record(build(), inputs, parameters, engine="replay")._repr_latex_()
    assert r"Z^{1} &= W^{1} (A^{0})^{T} + b^{1}" in latex
    assert r"\delta ^{1} &= (W^{2})^{T} \delta ^{2} \odot  \sigma ^{\prime }(Z^{1})" in latex
    assert latex.count("{") == latex.count("}")
    assert record(Value(1.0) * 2.0)._repr_latex_() == r"$\text{no matrix product}$"


# ---- what is told is true: the formulas are computed from the matrices that they name ---------------------------


def matrices(program):
    """The numbers of each letter that the layers are told in."""
    layers, found = program.layers, summary._find(program.plan)
    program.gradient(program.root)  # the late steps too
    values, gradients = program.memory.values, program.memory.gradients
    arrays = {}
    for place, (layer, some) in enumerate(zip(layers, found)):
        group = some.group
        w, a = group.columns[0][0], group.columns[1][0]
        z = group.out.reshape(group.c, group.r).T
        parts = {"W": w, "A": a if some.source is None else a.T, "Z": z, "δ": z}
        if some.bias is not None:
            parts["b"] = some.bias
        for key, slots in parts.items():
            assert slots.shape == layer.shapes[key]
            array = (gradients if key == "δ" else values)[slots]
            array = array[:, None] if key == "b" else array
            assert np.array_equal(arrays.setdefault(layer.letters[key], array), array)
            if key in "WbZ":
                of = gradients[slots]
                arrays[f"∂L/∂{layer.letters[key]}"] = of[:, None] if key == "b" else of
        users, steps = summary._behind(program.plan, found, place)
        if layer.activation and not users:
            slot_of = dict(zip(steps[0].columns[0].ravel().tolist(), steps[0].out.ravel().tolist()))
            a = np.array([[slot_of[slot] for slot in row] for row in z.tolist()])
            arrays["A" + layer.letters["Z"][1:]], arrays["∂L/∂A" + layer.letters["Z"][1:]] = values[a], gradients[a]
    return arrays


def computed(formula, arrays):
    """A product like (W²)ᵀ δ² ⊙ tanh′(Z¹), or a sum of such."""
    total = 0.0
    for term in formula.split(" + "):
        whole = 1.0
        for factor in term.split(" ⊙ "):
            if "′(" in factor:
                name, z = factor[:-1].split("′(")
                [rule] = [entry.rule for entry in TABLE.values() if name in (entry.symbol, entry.name)]
                whole = whole * rule(quick, arrays[z])[1][0]
                continue
            product = None
            for token in factor.split():
                letter = token.rstrip("ᵀ").strip("()")
                matrix = np.ones((product.shape[1], 1)) if letter == "1" else arrays[letter]
                matrix = matrix.T if token.endswith("ᵀ") else matrix
                product = matrix if product is None else product @ matrix
            whole = whole * product
        total = total + whole
    return total


def told_networks():
    """Hidden layers that feed the next one in many ways: name, loss, inputs, parameters."""
    rng = random.Random(40)
    X, W1, U1, W2, V = (leaves_of(normal(rng, *shape)) for shape in [(5, 3), (6, 3), (6, 3), (2, 6), (2, 9)])
    b, c, W3, S, M = (leaves_of(normal(rng, *shape)) for shape in [(6,), (6,), (2, 3), (3, 3), (5, 6)])
    Z, Y = ([[F.affine(w, x, b_j) for w, b_j in zip(W, b)] for x in X] for W in (W1, U1))
    A = [[F.tanh(z) for z in example] for example in Z]

    def head(W, A):
        A = [list(a) for a in A]
        return F.sum([F.sin(F.dot(w, a)) for a in A for w in W])

    def pairs(f, A, B):
        return [[f(x, y) for x, y in zip(a, b)] for a, b in zip(A, B)]

    H = X
    for _ in range(3):
        H = [[F.tanh(F.affine(s, h, b_j)) for s, b_j in zip(S, b)] for h in H]
    mixed = [[F.tanh(z) if j < 3 else F.relu(z) for j, z in enumerate(z_)] for z_ in Z]
    networks = {
        "plain": head(W2, A),
        "two kinds of units": head(W2, mixed),
        "units beside the inputs": head(V, [a + x for a, x in zip(A, X)]),
        "a mask": head(W2, pairs(lambda z, m: z * m, Z, M)),
        "squares": head(W2, [[z**2 for z in z_] for z_ in Z]),
        "a factor": head(W2, [[2.0 * z for z in z_] for z_ in Z]),
        "two layers added": head(W2, pairs(lambda z, y: F.tanh(z + y), Z, Y)),
        "a gate": head(W2, pairs(lambda z, y: F.sigmoid(z) * y, Z, Y)),
        "a way around": head(W2, pairs(lambda a, z: a + z, A, Z)),
        "some of the units": head(W3, [a[:3] for a in A]) + F.sum([a[4] for a in A]),
        "units turned round": head(W2, [a[::-1] for a in A]),
        "examples turned round": head(W2, A[::-1]) + F.sum(A[0]),
        "two heads": head(W2, A) + head([w[::-1] for w in W2], A) * 2.0,
        "one layer three times": F.sum(flat(H)),
        "tied": F.sum([F.dot(w, a) ** 2 for a in A for w in map(list, zip(*W1))]),
        "one bias for all": F.sum([F.tanh(F.dot(w, x) + b[0]) for x in X for w in W1]),
        "an input as bias": F.sum([F.tanh(F.dot(w, x) + x[0]) for x in X for w in W1]),
        "two biases": F.sum([F.tanh(F.dot(w, x) + b_j + c_j) for x in X for w, b_j, c_j in zip(W1, b, c)]),
        "a bias and a number": F.sum([F.tanh(F.dot(w, x) + b_j + 0.5) for x in X for w, b_j in zip(W1, b)]),
        "identity": head(W2, [[+z for z in z_] for z_ in Z]),
    }
    return networks, [X, M], [*flat([W1, U1, W2, V, W3, S]), *b, *c]


# of each network: how many activations and how many δ by the next layer's are to be told, where that is so
CLAIMS = {"plain": (2, 1), "identity": (1, 1), "one layer three times": (3, 2), "tied": (1, 1)}
CLAIMS |= {"units turned round": (1, 0), "two kinds of units": (1, 0), "units beside the inputs": (1, 0)}


def test_what_is_told_of_a_network_is_what_its_numbers_say():
    networks, inputs, parameters = told_networks()
    for name, loss in networks.items():
        program = record(loss, inputs, parameters, engine="replay")
        program()
        layers, arrays = program.layers, matrices(program)
        assert layers, name
        told = [layer.forward for layer in layers] + [g for layer in layers for g in layer.gradients]
        told += [layer.delta for layer in layers]
        sure = [line for line in told if "…" not in line]
        for line in sure:
            left, right = line.split(" = ")
            assert arrays[left] == pytest.approx(computed(right, arrays), rel=0, abs=1e-12), (name, line)
        for layer in layers:
            Z = layer.letters["Z"]
            if layer.activation:
                value, _ = TABLE[layer.activation].rule(quick, arrays[Z])
                assert np.array_equal(arrays["A" + Z[1:]], value), (name, layer.activation)
        claims = sum(bool(layer.activation) for layer in layers), sum("∂" not in layer.delta for layer in layers)
        assert claims == CLAIMS.get(name, claims), name


def test_what_is_added_beside_a_bias_is_hinted_at():
    networks, inputs, parameters = told_networks()
    forward = {
        name: record(loss, inputs, parameters, engine="replay").layers[0].forward for name, loss in networks.items()
    }
    assert forward["plain"] == "Z¹ = W¹ A⁰ᵀ + b¹"
    assert forward["a bias and a number"] == "Z¹ = W¹ A⁰ᵀ + b¹ + …"
    for name in ("one bias for all", "an input as bias", "two biases"):
        assert forward[name] == "Z¹ = W¹ A⁰ᵀ + …"


def test_weights_that_several_layers_share_have_one_letter():
    networks, inputs, parameters = told_networks()
    layers = record(networks["one layer three times"], inputs, parameters, engine="replay").layers
    assert [layer.forward for layer in layers] == ["Z¹ = W¹ A⁰ᵀ + b¹", "Z² = W¹ A¹ + b¹", "Z³ = W¹ A² + b¹"]
    assert layers[0].gradients == ("∂L/∂W¹ = δ¹ A⁰ + …", "∂L/∂b¹ = δ¹ 1 + …")


# ---- planted faults -------------------------------------------------------------------------------------------


def without_the_last_single(fuse):
    def faulty(*arguments):
        fused = fuse(*arguments)
        items = fused.singles.items.copy()
        items[: len(items) // 2] = items[len(items) // 2 :][: len(items) // 2]
        return fused._replace(singles=replace(fused.singles, items=items))

    return faulty


def with_two_factors_swapped(fuse):
    def faulty(*arguments):
        fused = fuse(*arguments)
        items = fused.w.items.copy()
        items[0], items[1] = items[1], items[0]
        return fused._replace(w=replace(fused.w, items=items))

    return faulty


def one_level_too_low(find_levels):
    def faulty(*arguments):
        level = find_levels(*arguments)
        return np.where(level == level.max() - 1, level - 1, level)

    return faulty


def rows_that_forget_their_order(find_rows):
    def faulty(fused):
        rows = find_rows(fused)
        return rows._replace(w=rows.w[::-1].copy())

    return faulty


FAULTS = {
    "a bias of another unit": (schedule, "fuse", without_the_last_single),
    "factors paired wrongly": (schedule, "fuse", with_two_factors_swapped),
    "a level too low": (schedule, "find_levels", one_level_too_low),
    "rows mixed up": (schedule, "find_rows", rows_that_forget_their_order),
    "written instead of added": (buffers.Memory, "_note", lambda _: lambda self, index: True),
    "repeated places written once": (
        buffers.Memory,
        "_scattered",
        lambda _: lambda self, index, given: lambda: self.gradients.__setitem__(index, given),
    ),
    "not added up along a repeated axis": (
        buffers,
        "_summed",
        lambda _: lambda given, axes: lambda out: np.copyto(out, given.take(0, axes[0]).reshape(out.shape)),
    ),
    "a local derivative left out": (operations, "share", lambda _: lambda gradient, kept, j, shape: gradient),
    "a shifted view": (buffers, "strided", lambda strided: lambda index: strided(index[::-1])),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_seen(fault, monkeypatch):
    home, name, make_faulty = FAULTS[fault]
    monkeypatch.setattr(home, name, make_faulty(getattr(home, name)))
    with pytest.raises((AssertionError, IndexError, ValueError, KeyError)):
        assert_replays(*micrograd_network(random.Random(6), sizes=(2, 4, 4, 1), examples=7), every_node=False)
        for seed in range(12):
            build, inputs, parameters, feeds = wide_graph(seed)
            assert_replays(build, inputs, parameters, feeds, every_node=False)


# ---- the rules of the theory of operation, worked by hand -------------------------------------------------------


def fused(loss, inputs, parameters=None):
    """The kind of each node, and what the sums hold: w, a, singles, terms."""
    program = record(loss, inputs, parameters, engine="replay")
    nodes, found = program.flat.nodes, program.plan.fused
    kinds = {node: {PRODUCT: "×", SUM: "Σ"}.get(kind, "") for node, kind in zip(nodes, found.kind.tolist())}
    lists = (found.w, found.a, found.singles, found.terms)
    return kinds, [[[nodes[i] for i in items] for items in some] for some in lists]


def test_a_sum_becomes_a_product_from_eight_pairs_in_trees_of_equally_many():
    for examples, expected in ((3, "Σ"), (4, "×")):  # 2 · 3 < 8, 2 · 4 = 8
        w, x = leaves_of([1.0, 2.0, 3.0]), leaves_of([[1.0, 2.0]] * examples)
        z = [w[0] * a + w[1] * b + w[2] for a, b in x]
        kinds, _ = fused(F.sum([F.tanh(z_i) for z_i in z]), [x])
        assert {kinds[z_i] for z_i in z} == {expected}


def test_trees_of_another_number_of_pairs_do_not_count():
    w, x = leaves_of([1.0, 2.0]), leaves_of([1.0] * 8)
    z = [w[0] * a + w[1] * b for a, b in pairwise(x[:4])]
    y = w[0] * x[0] + w[0] * x[1] + w[0] * x[2]
    kinds, _ = fused(F.sum([F.tanh(z_i) for z_i in [*z, y]]), [x])
    assert [kinds[z_i] for z_i in [*z, y]] == [
        "",
        "",
        "",
        "Σ",
    ]  # 2 · 3 and 3 · 1; a sum of two terms stays an addition


def test_what_is_inside_a_product_and_in_which_order():
    w, x, b = leaves_of([1.0] * 9), leaves_of([1.0] * 9), Value(3.0)
    shared = w[0] * x[0]
    z = F.dot(w[1:], x[1:]) + 0.0 + x[0] * w[0] + b + shared
    kinds, (first, second, singles, _) = fused(F.tanh(z) * shared, [x], [*w, b])
    assert kinds[z] == "×"
    assert kinds[shared] == ""
    assert first == [[w[0], *w[1:]]]  # parameters, and the pair of the multiplication before those of the dot
    assert second == [[x[0], *x[1:]]]
    assert singles == [[b, shared]]  # read twice, it is no pair; 0 is dropped


def test_two_dots_that_are_added_stay_two():
    w, x = leaves_of([1.0] * 8), leaves_of([1.0] * 8)
    u, v = F.dot(w[:4], x[:4]), F.affine(x[4:7], w[4:7], w[7])
    kinds, (first, _, singles, terms) = fused(F.tanh(u + v + x[7]), [x], w)
    assert (kinds[u], kinds[v]) == ("×", "×")
    assert first == [w[:4], w[4:7]]
    assert singles == [[], [w[7]]]
    assert terms == [[u, v, x[7]]]


def by_the_rules(flat, weights):
    """What the rules a to e make of a graph, one node after the other: kinds, and w, a, singles and terms by node."""
    nodes, operands = range(len(flat.nodes)), list(flat.parents)
    made_by = [getattr(flat.operations[code], "name", "") for code in flat.code.tolist()]
    adds, dots = ({i for i in nodes if made_by[i] in names} for names in ({"add", "sum"}, {"dot", "affine"}))
    readers = {i: [j for j in nodes for k in operands[j] if k == i] for i in nodes}
    into = {i: read[0] for i, read in readers.items() if len(read) == 1 and read[0] in adds}  # rule a

    def top(i):
        return top(into[i]) if i in into else i

    terms = {i: [] for i in adds if i not in into}
    for i in sorted(adds):
        terms[top(i)] += [k for k in operands[i] if not (k in adds and k in into)]
    inside = {}  # rule b
    for t, some in terms.items():
        members = [k for k in some if k in into]
        only = [k for k in members if k in dots]
        inside[t] = [k for k in members if made_by[k] == "mul"] + (only if len(only) == 1 else [])
    pairs = {t: sum(len(operands[k]) // 2 for k in some) for t, some in inside.items()}
    kinds = dict.fromkeys(nodes, PLAIN) | dict.fromkeys(dots, PRODUCT)
    for t, n in pairs.items():  # rules c and d
        if n >= 2 and n * list(pairs.values()).count(n) >= 8:
            kinds |= dict.fromkeys(inside[t], FUSED) | {t: PRODUCT}
        elif len(terms[t]) >= 3:
            kinds[t] = SUM
        if kinds[t] != PLAIN:
            kinds |= {i: FUSED for i in adds if i in into and top(i) == t}
    contents = {}
    for t in nodes:  # rule e
        dot = [k for k in inside.get(t, [t] if t in dots else []) if k in dots]
        w, a = [], []
        for k in [*(k for k in inside.get(t, []) if k not in dots), *dot]:
            n = len(operands[k]) // 2
            for first, second in zip(operands[k][:n], operands[k][n : 2 * n]):
                swapped = second in weights and first not in weights
                w.append(second if swapped else first)
                a.append(first if swapped else second)
        singles = [k for k in terms.get(t, []) if kinds[k] != FUSED]
        singles = [k for k in singles if not (flat.is_constant[k] and flat.data[k] == 0.0)]
        singles += [operands[k][-1] for k in dot if made_by[k] == "affine"] if kinds[t] == PRODUCT else []
        if kinds[t] in (PRODUCT, SUM):
            contents[t] = (w, a, singles) if kinds[t] == PRODUCT else singles
    return kinds, contents


TERMS = [
    lambda w, x, y: w[0] * x[0],
    lambda w, x, y: x[1] * w[1],
    lambda w, x, y: x[0] * x[0],
    lambda w, x, y: 2.0 * y,
    lambda w, x, y: y + x[1],
    lambda w, x, y: y + 0.0,
    lambda w, x, y: y + y,
    lambda w, x, y: F.sum([y]),
    lambda w, x, y: w[2] - y,
    lambda w, x, y: F.tanh(y),
    lambda w, x, y: F.dot(x, w[:2]),
    lambda w, x, y: F.affine(w[:2], x, w[2]),
    lambda w, x, y: y * y,
]


@pytest.mark.parametrize("seed", range(60))
def test_fuse_follows_the_rules_of_the_theory_of_operation(seed):
    rng = random.Random(seed)
    chosen = [(rng.choice(TERMS), rng.random() < 0.7) for _ in range(rng.randint(2, 9))]
    w, X = leaves_of(normal(rng, 3)), leaves_of(normal(rng, rng.choice((1, 2, 4)), 2))

    def build(x):
        y = w[0] * x[1]
        for make, adds in chosen:
            y = y + make(w, x, y) if adds else make(w, x, y) + x[0]
        return F.tanh(y)

    program = record(sum(build(x) for x in X), [X], w, engine="replay")
    found, flat = program.plan.fused, program.flat
    kinds, contents = by_the_rules(flat, {flat.place_of[w_i] for w_i in w})
    assert dict(enumerate(found.kind.tolist())) == kinds
    assert (
        dict(zip(found.products.tolist(), zip(found.w, found.a, found.singles)))
        | dict(zip(found.sums.tolist(), found.terms))
        == contents
    )
