"""Generates seeded random losses for tests of recorded programs: copies of a function, rows and matrices."""

from collections.abc import Callable
from itertools import chain
from random import Random
from typing import Any, NamedTuple

from random_graphs import EVERY_STEP

from autograd import Value, functions as F

ARITIES = [1, 2, 3, 4, 6, 8, 9, 10, 17, 40]


class RandomProgram(NamedTuple):
    """A loss of random structure. With numbers in [−2, 2] in the leaves, all nodes but the last sums lie there."""

    build: Callable[[], Value]  # the same graph from the present numbers of the leaves
    inputs: list[list[Value]]
    parameters: list[Value]
    others: list[Value]  # leaves that are neither

    def move(self, rng: Random) -> list[list[float]]:
        """Give all leaves new numbers; returns those of the inputs, to feed."""
        for leaf in chain(self.parameters, self.others, *self.inputs):
            leaf.data = rng.uniform(-2.0, 2.0)
        return [[x.data for x in some] for some in self.inputs]


def random_program(seed: object, copies: int = 0) -> RandomProgram:
    """One to twelve copies of a random function of own inputs and shared parameters; some leaves are not used."""
    rng = Random(f"program {seed}")
    inputs = [[Value(0.5) for _ in range(3)] for _ in range(copies or rng.choice([1, 1, 1, 2, 3, 8, 9, 12]))]
    parameters, others = [Value(0.5) for _ in range(rng.randint(1, 12))], [Value(0.5) for _ in range(2)]
    add: Any = rng.choice([F.sum, F.mean, lambda x: sum(x), lambda x: F.dot(x, parameters[:1] * len(x))])

    def build() -> Value:
        made = [_copy(Random(f"copy {seed}"), own, parameters, others) for own in inputs]
        loss: Value = add([x for some in made for x in some])
        return loss

    return RandomProgram(build, inputs, parameters, others)


def _copy(rng: Random, own: list[Value], parameters: list[Value], others: list[Value]) -> list[Value]:
    leaves = [*own[: rng.randint(1, 3)], rng.choice(parameters), rng.choice(others)]
    pool = list(leaves)
    for _ in range(rng.randint(2, 7)):
        a, b, c = (rng.choice(pool[-5:]) for _ in range(3))
        kind = rng.random()
        if kind < 0.65:
            pool.append(rng.choice(EVERY_STEP)(F, a, b, c))
        elif kind < 0.85:
            n = rng.choice(ARITIES)
            # of two nodes with one number, as x and +x, rounding would decide which is the largest; leaves differ
            x = [rng.choice([*leaves, rng.uniform(-2.0, 2.0)]) for _ in range(n)]
            y = [rng.choice([*pool, rng.uniform(-2.0, 2.0)]) for _ in range(n)]
            pool.append(rng.choice(MANY)(n, x, y, a * 0.9 + 0.137))
        else:
            pool += _layer(rng, pool, parameters)
    return pool[-3:]


MANY = [
    lambda n, x, y, a: F.maximum(*x, a),
    lambda n, x, y, a: F.minimum(*x, a),
    lambda n, x, y, a: F.hypot(*x, *y, 0.3) * (0.5 / n),
    lambda n, x, y, a: F.sum(y) * (1.0 / n),
    lambda n, x, y, a: F.product(*y) * 2.0 ** (1 - n),
    lambda n, x, y, a: F.logsumexp(y) * (1.0 / n),
    lambda n, x, y, a: F.dot(x, y) * (0.5 / n),
    lambda n, x, y, a: F.affine(y, y, a) * (0.3 / n),
    lambda n, x, y, a: sum(x_i * y_i for x_i, y_i in zip(x, y)) * (0.5 / n),
]


def _layer(rng: Random, pool: list[Value], parameters: list[Value]) -> list[Value]:
    """Units of the latest numbers, with rows of parameters that may share some of them."""
    n, units, start = rng.randint(1, min(6, len(pool))), rng.randint(1, 4), rng.randrange(99)
    weights = [parameters[(start + i) % len(parameters)] for i in range(n + units)]
    a, skipped = pool[-n:], rng.choice(pool)
    z: Any = rng.choice([
        lambda w, b: F.affine(w, a, b),
        lambda w, b: F.dot(w, a) + b,
        lambda w, b: sum((w_i * a_i for w_i, a_i in zip(w, a)), b),
        lambda w, b: F.affine(w, a, b) + skipped,
    ])  # fmt: skip
    return [F.tanh(z(weights[i : i + n], weights[i + n]) * (0.3 / n)) for i in range(units)]
