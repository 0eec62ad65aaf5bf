"""Runs the examples of well-known scalar engines, and compares the numbers with theirs."""

import math
from random import Random

import numpy as np
import pytest

from autograd import Value

# of the functions below, run with micrograd 0.1.0, the lecture's class and the 200-line GPT's class in place of Value
IN_PLACE = [-26.125, 2.366028708134, 2.0666651404501, -0.124356127378, -0.0051280877269]
HINGE = [0.6575761716223, 0.5211659754435, 0.3403901283974, 0.2708036885341, 0.2533315246327, 0.2488511348788,
         3.74812783196, -0.0032550862617]  # fmt: skip
NEURON = [0.42189900525, 0.8220012293691, 0.8220012293691, 1.6440024587381, 0.2055003073423, 0.4110006146845,
          -0.8220012293691]  # fmt: skip
TRANSFORMER = [0.8602051611325, 1.792351629316, 0.655919295839, 1.0744549592504, 0.1529385834219, 0, 2, 1, 2, 1]


def close(numbers, expected):
    assert numbers == pytest.approx(expected, rel=1e-9, abs=1e-9)


def in_place_operators():
    p, q = Value(3), Value(-1.5)  # whole numbers too
    s = p * q - q**2
    s += 2 + s * p
    s -= (q - p).relu() + (p - q).relu() / 4
    t = 7.0 / s
    t *= 1 - s
    t += -t * 0.5 + 2 * p
    t.backward()
    return [s.data, t.data, p.grad, q.grad, s.grad]


def test_in_place_operators_make_new_nodes_and_keep_those_they_were_made_of():
    close(in_place_operators(), IN_PLACE)


def test_relu_passes_nothing_below_zero_nor_at_it():
    below, zero, above = Value(-2.0), Value(0), Value(2.0)
    (3 * below.relu() + zero.relu() ** 2 + zero.relu() + 3 * above.relu()).backward()
    assert [below.grad, zero.grad, above.grad] == [0.0, 0.0, 3.0]


def hinge_training(steps=6):
    rng, losses = Random(5), []
    X = np.array([[1.0, 0.2], [-0.5, 0.9], [0.3, -1.1], [-1.2, -0.4], [0.8, 0.8], [-0.1, 0.1]])
    y = np.array([1, 0, 1, 0, 1, 0]) * 2 - 1
    hidden = [([Value(rng.uniform(-1, 1)) for _ in range(2)], Value(0)) for _ in range(4)]
    out, bias = [Value(rng.uniform(-1, 1)) for _ in hidden], Value(0)
    weights = [*(w for row, b in hidden for w in (*row, b)), *out, bias]

    def score(x):
        a = [sum((w * x_i for w, x_i in zip(row, x)), b).relu() for row, b in hidden]
        return sum((w * a_j for w, a_j in zip(out, a)), bias)

    for k in range(steps):
        margins = [(1 + -label * score(list(map(Value, x)))).relu() for label, x in zip(y, X)]
        loss = sum(margins) * (1.0 / len(margins)) + 1e-2 * sum(w * w for w in weights)
        for w in weights:
            w.grad = 0
        loss.backward()
        for w in weights:
            w.data -= (1.0 - 0.9 * k / steps) * w.grad
        losses.append(loss.data)
    return [*losses, math.fsum(w.data for w in weights), math.fsum(w.grad for w in weights)]


def test_a_network_of_plain_lists_learns_from_numpys_labels_as_in_the_demo():
    close(hinge_training(), HINGE)


def neuron(nudge=0.0):
    x, w, b = [Value(0.5), Value(-1.0)], [Value(2.0 + nudge), Value(0.25)], Value(-0.3)
    z = x[0] * w[0] + x[1] * w[1] + b
    return z, [z, b, *x, *w]


def tanh_in_pieces():
    z, nodes = neuron()
    e = (2 * z).exp()
    (a := (e - 1) / (e + 1)).backward()
    return [a.data, *(v.grad for v in nodes)]


def test_tanh_put_together_of_exp_has_the_number_and_the_gradients_of_tanh():
    z, nodes = neuron()
    a = z.tanh()
    a.backward()
    close([a.data, *(v.grad for v in nodes)], NEURON)
    close(tanh_in_pieces(), NEURON)


def test_the_chain_rule_by_hand_gives_what_backward_gives():
    z, nodes = neuron()
    a = z.tanh()
    a.grad = 1.0
    for node in (a, z, z.parents[0], *z.parents[0].parents):  # from the output to the products
        for parent, local in zip(node.parents, node.local_derivatives):
            parent.grad += local * node.grad
    close([a.data, *(v.grad for v in nodes)], NEURON)


def test_a_number_that_is_assigned_counts_when_its_expression_is_computed_again():
    assert (neuron(1e-6)[0].tanh().data - NEURON[0]) / 1e-6 == pytest.approx(NEURON[5], abs=1e-6)
    a, b, c = Value(2.0), Value(-3.0), Value(10.0)
    (a * b + c).backward()
    for leaf in (a, b, c):
        leaf.data += 0.01 * leaf.grad
    close([(a * b + c).data], [4.1394])


def test_a_search_through_the_parents_finds_every_node_and_edge_once():
    nodes, edges = set(), set()

    def visit(v):
        if v not in nodes:
            nodes.add(v)
            edges.update((parent, v) for parent in v.parents)
            for parent in v.parents:
                visit(parent)

    y = neuron()[0].tanh()
    visit(y + y)
    assert (len(nodes), len(edges)) == (11, 10)


def softmax(z):
    largest = max(z_i.data for z_i in z)
    powers = [(z_i - largest).exp() for z_i in z]
    total = sum(powers)
    return [p / total for p in powers]


def scaled(x):
    scale = (sum(x_i * x_i for x_i in x) / len(x) + 1e-5) ** -0.5
    return [x_i * scale for x_i in x]


class Transformer:
    """A block of two heads that look back at the keys and values before them; it reads three letters, 0 to 2."""

    def __init__(self):
        rng = Random(7)
        rows = {"letter": 3, "place": 5, "q": 4, "k": 4, "v": 4, "o": 4, "up": 8, "out": 3}
        self.W = {name: [[Value(rng.gauss(0, 0.4)) for _ in range(4)] for _ in range(n)] for name, n in rows.items()}
        self.W["down"] = [[Value(0.0) for _ in range(8)] for _ in range(4)]
        self.weights = [w for matrix in self.W.values() for row in matrix for w in row]

    def times(self, name, x):
        return [sum(w * x_i for w, x_i in zip(row, x)) for row in self.W[name]]

    def __call__(self, letter, place, keys, values):
        x = scaled([a + b for a, b in zip(self.W["letter"][letter], self.W["place"][place])])
        (q, k, v), a = (self.times(name, scaled(x)) for name in "qkv"), []
        keys.append(k)
        values.append(v)
        for head in (slice(0, 2), slice(2, 4)):
            weights = softmax([sum(a * b for a, b in zip(q[head], k[head])) / 2**0.5 for k in keys])
            a += [sum(p * v_j for p, v_j in zip(weights, column)) for column in zip(*(v[head] for v in values))]
        x = [a + b for a, b in zip(self.times("o", a), x)]
        x = [a + b for a, b in zip(self.times("down", [z.relu() ** 2 for z in self.times("up", scaled(x))]), x)]
        return softmax(self.times("out", x))

    def losses(self, text):
        keys, values = [], []
        return [-self(text[i], i, keys, values)[text[i + 1]].log() for i in range(len(text) - 1)]


def transformer_training():
    model, numbers, sampler = Transformer(), [], Random(3)
    m, v = [0.0] * len(model.weights), [0.0] * len(model.weights)
    for step, text in enumerate([[0, 1, 2, 1, 0], [0, 2, 2, 0], [0, 1, 2, 1, 0], [0, 2, 2, 0]], 1):
        losses = model.losses(text)
        loss = (1 / len(losses)) * sum(losses)
        loss.backward()
        for i, w in enumerate(model.weights):  # Adam
            m[i], v[i] = 0.85 * m[i] + 0.15 * w.grad, 0.99 * v[i] + 0.01 * w.grad**2
            w.data -= 0.05 * (m[i] / (1 - 0.85**step)) / ((v[i] / (1 - 0.99**step)) ** 0.5 + 1e-8)
            w.grad = 0
        numbers.append(loss.data)
    numbers.append(math.fsum(w.data for w in model.weights))
    keys, values, letter = [], [], 0
    for place in range(5):
        letter = sampler.choices(range(3), [p.data for p in model(letter, place, keys, values)])[0]
        numbers.append(letter)
    return numbers


def test_a_transformer_of_scalars_learns_and_writes_as_on_its_own_engine():
    close(transformer_training(), TRANSFORMER)


def test_backward_from_each_loss_of_a_shared_graph_adds_up_to_backward_from_their_sum():
    one, each = Transformer(), Transformer()
    sum(one.losses([0, 1, 2, 1])).backward()
    for loss in each.losses([0, 1, 2, 1]):  # they share keys and values
        loss.backward()
    close([w.grad for w in each.weights], [w.grad for w in one.weights])
