"""Defines graphs without large matrices: a chain and a random graph, which CasADi also runs, and a tiny GPT."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from measuring import Step

import autograd
import nn
from autograd import Value, collector_paused, dot, exp, log, maximum, record, relu

LEAVES = 64
Build = Callable[[int, list[Any], Any], Any]  # operations, leaves, and the module that has tanh, sin …


def chain(operations: int, x: list[Any], f: Any) -> Any:
    """Apply h + x, × (1 + x), tanh and sin in turn; x is so small that gradients neither vanish nor explode."""
    h, factors = x[0], [1.0 + x_i for x_i in x]
    for k in range(operations // 4):
        h = f.sin(f.tanh((h + x[k % LEAVES]) * factors[k * 7 % LEAVES]))
    return h


def random_graph(operations: int, x: list[Any], f: Any) -> Any:
    """Return the mean of the unused nodes of a random graph, in which each node uses one or two earlier ones."""
    rng = random.Random(0)
    one, two = (f.tanh, f.sin, f.cos, f.atan), (lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b)
    nodes, bounded, taken = [1e3 * x_i for x_i in x], list(range(len(x))), set()
    for k in range(len(nodes), len(nodes) + operations):
        kind = rng.randrange(len(one) + len(two))
        if kind < len(one):
            places = [rng.randrange(k)]
            nodes.append(one[kind](nodes[places[0]]))
            bounded.append(k)
        else:  # only nodes within ±2, so that no number grows without bound
            places = [bounded[rng.randrange(len(bounded))] for _ in range(2)]
            nodes.append(two[kind - len(one)](*(nodes[i] for i in places)))
        taken.update(places)
    free = [node for i, node in enumerate(nodes) if i not in taken]
    return sum(free) * (1.0 / len(free))


def network(operations: int, x: list[Any], f: Any) -> Any:
    """Return the mean squared output of a 2-16-1 tanh network, on one example per 112 operations."""
    rng, hidden, losses = random.Random(0), [x[i : i + 3] for i in range(0, 48, 3)], []
    for _ in range(max(1, operations // 112)):
        a, b = rng.uniform(-1.0, 1.0), rng.uniform(-1.0, 1.0)
        output = sum(v * f.tanh(w * a + u * b + c) for v, (w, u, c) in zip(x[48:], hidden))
        losses.append(output * output)
    return sum(losses) * (1.0 / len(losses))


GRAPHS: dict[str, Build] = {"chain": chain, "random graph": random_graph, "network": network}


def numbers() -> list[float]:
    rng = random.Random(1)
    return [rng.uniform(-1e-3, 1e-3) for _ in range(LEAVES)]


class Ours:
    """A graph of Values, which is rebuilt and differentiated at each step, or recorded."""

    def __init__(self, build: Build, operations: int) -> None:
        self.build, self.operations = build, operations
        self.x = [Value(x) for x in numbers()]

    def graph(self) -> Value:
        with collector_paused():
            return self.build(self.operations, self.x, autograd)

    def eager(self) -> float:
        with collector_paused():
            loss = self.graph()
            for x in self.x:
                x.grad = 0.0
            loss.backward()
            return loss.data

    def record(self, engine: str) -> Any:
        return record(self.graph(), parameters=self.x, engine=engine)


class CasADi:
    """The same graph as an SX function of CasADi for value and gradient, called in its fastest way."""

    def __init__(self, build: Build, operations: int) -> None:
        import casadi as ca

        x = ca.SX.sym("x", LEAVES)
        f = build(operations, ca.vertsplit(x), ca)
        self.function = ca.Function("f", [x], [f, ca.densify(ca.gradient(f, x))])
        self.x, self.value, self.gradient = np.array(numbers()), np.zeros(1), np.zeros(LEAVES)
        self.buffer, self._run = self.function.buffer()
        self.buffer.set_arg(0, memoryview(self.x))
        self.buffer.set_res(0, memoryview(self.value))
        self.buffer.set_res(1, memoryview(self.gradient))

    def __call__(self) -> float:
        self._run()
        return float(self.value[0])


# ---- a GPT of one layer --------------------------------------------------------------------------------------------

WIDTH, HEADS, LETTERS = 16, 4, 27
DOCUMENT = [0, 8, 5, 12, 9, 21, 13, 19, 1, 0]  # nine letters, each of which predicts the next


class GPT:
    """A GPT with embeddings, RMS norm, causal attention, a perceptron and Adam, in which every number is a Value."""

    def __init__(self) -> None:
        rng = random.Random(0)

        def matrix(rows: int, columns: int) -> list[list[Value]]:
            return [[Value(rng.gauss(0.0, 0.2)) for _ in range(columns)] for _ in range(rows)]

        self.token, self.position = matrix(LETTERS, WIDTH), matrix(len(DOCUMENT) - 1, WIDTH)
        self.query, self.key, self.value, self.out = (matrix(WIDTH, WIDTH) for _ in range(4))
        self.up, self.down, self.head = matrix(4 * WIDTH, WIDTH), matrix(WIDTH, 4 * WIDTH), matrix(LETTERS, WIDTH)
        self.parameters = [p for some in vars(self).values() for row in some for p in row]
        self.optimizer = nn.Adam(self.parameters, 0.01)

    def loss(self) -> Value:
        keys: list[list[Value]] = []
        values: list[list[Value]] = []
        losses = []
        for t, (token, target) in enumerate(pairwise(DOCUMENT)):
            x = [a + b for a, b in zip(self.token[token], self.position[t])]
            z = normalised(x)
            query = times(self.query, z)
            keys.append(times(self.key, z))
            values.append(times(self.value, z))
            mixed: list[Value] = []
            for h in range(0, WIDTH, WIDTH // HEADS):
                part = slice(h, h + WIDTH // HEADS)
                weights = softmax([dot(query[part], k[part]) * 0.5 for k in keys])  # 1/√4
                mixed += [dot(weights, column) for column in zip(*(v[part] for v in values))]
            x = [a + b for a, b in zip(x, times(self.out, mixed))]
            hidden = [relu(a) for a in times(self.up, normalised(x))]
            x = [a + b for a, b in zip(x, times(self.down, hidden))]
            losses.append(-log(softmax(times(self.head, x))[target]))
        return sum(losses) * (1.0 / len(losses))

    def eager(self) -> float:
        with collector_paused():
            loss = self.loss()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            return loss.data

    def record(self, engine: str) -> Any:
        with collector_paused():
            loss = self.loss()
        return record(loss, parameters=self.parameters, engine=engine)

    def replayed(self, engine: str) -> Step:
        """Return the step of a program, which owns the parameter arrays until the process ends."""
        return nn.training_on(self.record(engine), self.optimizer).__enter__()


def times(W: list[list[Value]], x: list[Value]) -> list[Value]:
    return [dot(row, x) for row in W]


def normalised(x: list[Value]) -> list[Value]:
    scale = (dot(x, x) * (1.0 / len(x)) + 1e-5) ** -0.5
    return [a * scale for a in x]


def softmax(z: list[Value]) -> list[Value]:
    largest = maximum(*z).detach() if len(z) > 1 else z[0].detach()
    powers = [exp(a - largest) for a in z]
    total = sum(powers)
    return [power / total for power in powers]
