"""Seeded random scalar graphs, for tests of every reader."""

from random import Random

from autograd import Value, named
from autograd.functions import affine, cos, exp, product, sigmoid, sin, softplus, sum, tanh

STEPS = [
    lambda a, b, c: a + b,
    lambda a, b, c: a - b,
    lambda a, b, c: a * b,
    lambda a, b, c: a / (2.0 + b * b),
    lambda a, b, c: a**2,
    lambda a, b, c: -a,
    lambda a, b, c: sin(a),
    lambda a, b, c: cos(a) * 0.5,
    lambda a, b, c: tanh(a),
    lambda a, b, c: sigmoid(a),
    lambda a, b, c: softplus(a),
    lambda a, b, c: exp(-(a * a)),
    lambda a, b, c: product(a, b, c),
    lambda a, b, c: sum([a, b, c]),
    lambda a, b, c: affine([a, b], [c, a], b),
]


def random_graph(seed: int, steps: int = 8, names: float = 0.4) -> tuple[Value, list[Value]]:
    """A smooth function of two to four inputs, (f, inputs): every input leads to f, values stay of moderate size."""
    rng = Random(seed)
    inputs = [Value(rng.uniform(-1.5, 1.5), f"x{i}") for i in range(rng.randint(2, 4))]
    pool = list(inputs)
    for step in range(rng.randint(2, steps)):
        node = rng.choice(STEPS)(*(rng.choice(pool) for _ in range(3)))
        if abs(node.data) > 20.0:
            node = tanh(node)
        if rng.random() < names and node.name is None and node.parents:
            node = named(**{f"h{step}": node})
        pool.append(node)
    f = named(f=sum([tanh(node) for node in pool[len(inputs) :] if rng.random() < 0.5] + inputs))
    return f, inputs
