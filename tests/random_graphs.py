"""Seeded random scalar graphs, for tests of every reader; and random functions of any kind of number."""

from random import Random
from typing import Any

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


# Each function of the table once. ``n`` holds functions of the table's names, on Values, tensors or mpmath's numbers.
# Operands in [−2, 2] give a result in [−2, 2]; no kink lies where two ways of rounding could fall on two sides of it,
# as they would of a − b = 0.
EVERY_STEP = [
    lambda n, a, b, c: n.identity(a),
    lambda n, a, b, c: n.neg(a),
    lambda n, a, b, c: n.exp(a) * 0.25,
    lambda n, a, b, c: n.log(0.5 + a * a),
    lambda n, a, b, c: n.log1p(a * b * 0.2),
    lambda n, a, b, c: n.expm1(a) * 0.25,
    lambda n, a, b, c: n.sqrt(0.1 + a * a) * 0.9,
    lambda n, a, b, c: n.log2(0.5 + a * a * 0.75),
    lambda n, a, b, c: n.sin(a),
    lambda n, a, b, c: n.cos(a),
    lambda n, a, b, c: n.tan(a * 0.5),
    lambda n, a, b, c: n.atan(a),
    lambda n, a, b, c: n.asin(a * 0.4),
    lambda n, a, b, c: n.acos(a * 0.4) * 0.8,
    lambda n, a, b, c: n.sinh(a) * 0.5,
    lambda n, a, b, c: n.cosh(a) * 0.5,
    lambda n, a, b, c: n.tanh(a),
    lambda n, a, b, c: n.sigmoid(a),
    lambda n, a, b, c: n.softplus(a) * 0.9,
    lambda n, a, b, c: n.relu(a - 0.137),
    lambda n, a, b, c: n.log_sigmoid(a) * 0.9,
    lambda n, a, b, c: n.elu(a),
    lambda n, a, b, c: n.silu(a),
    lambda n, a, b, c: n.erf(a),
    lambda n, a, b, c: n.erfc(a),
    lambda n, a, b, c: n.gelu(a),
    lambda n, a, b, c: n.abs(a + 0.137) * 0.9,
    lambda n, a, b, c: n.sign(a + 0.137),
    lambda n, a, b, c: n.floor(a * 0.9 + 0.137),
    lambda n, a, b, c: n.detach(a),
    lambda n, a, b, c: n.add(a, b) * 0.5,
    lambda n, a, b, c: n.sub(a, b) * 0.5,
    lambda n, a, b, c: n.mul(a, b) * 0.5,
    lambda n, a, b, c: n.div(a, 1.0 + b * b),
    lambda n, a, b, c: n.power(a, 3.0) * 0.25,
    lambda n, a, b, c: n.power(1.0 + a * a, -1.5),
    lambda n, a, b, c: n.pow(0.5 + a * a * 0.25, b) * 0.5,
    lambda n, a, b, c: n.atan2(a, 0.3 + b * b),
    lambda n, a, b, c: n.heaviside(a - 0.137, 0.5),
    lambda n, a, b, c: n.greater(a, b * 0.9 + 0.137),
    lambda n, a, b, c: n.clamp(a, b * 0.2 - 0.937, c * 0.2 + 0.863),
    lambda n, a, b, c: n.maximum(a, b * 0.9 + 0.137),
    lambda n, a, b, c: n.maximum(a, b * 0.9 + 0.137, c * 0.8 - 0.237),
    lambda n, a, b, c: n.minimum(a, b * 0.9 + 0.137),
    lambda n, a, b, c: n.where(n.relu(c - 0.137), a, b),
    lambda n, a, b, c: n.hypot(a, b, 0.3) * 0.7,
    lambda n, a, b, c: n.sum(a, b, c) * 0.3,
    lambda n, a, b, c: n.product(a, b, c) * 0.25,
    lambda n, a, b, c: n.dot(a, b, c, a) * 0.25,
    lambda n, a, b, c: n.affine(a, b, c, a, b) * 0.2,
    lambda n, a, b, c: n.logsumexp(a, b, c) * 0.6,
]


def random_point(seed: int) -> list[float]:
    """Two to four inputs for ``random_function``."""
    rng = Random(f"inputs {seed}")
    return [rng.uniform(-2.0, 2.0) for _ in range(rng.randint(2, 4))]


def random_function(seed: int, n: Any, inputs: list[Any]) -> Any:
    """f(inputs), made of 3 to 15 steps; what is computed last counts, and so does each input."""
    rng = Random(seed)
    pool = list(inputs)
    for _ in range(rng.randint(3, 15)):
        operands = [rng.choice(pool[-6:]) for _ in range(3)]
        pool.append(rng.choice(EVERY_STEP)(n, *operands))
    f = pool[-1]
    for x in inputs:
        f = f + 0.1 * x * pool[-2]
    return f
