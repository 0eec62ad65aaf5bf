"""Generates seeded random scalar graphs for tests of every reader, and random functions for any kind of number."""

from random import Random
from typing import Any, NamedTuple

from autograd import Value, named
from autograd.functions import affine, cos, exp, product, sigmoid, sin, softplus, sum, tanh
from autograd.number_systems import floats
from autograd.table import CONDITION, CONSTANT, TABLE, Domain, Primitive

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


DIFFERENTIATED = sorted(TABLE.keys() - {"detach"})  # whose derivative is 0, and not its value's


class Step(NamedTuple):
    """An entry of the table on numbers, or on inputs and earlier steps by their position."""

    name: str
    operands: list[float | int]  # a float is a number, an int a position


class Plan(NamedTuple):
    """A random function of the whole table, smooth around ``at``; ``of`` computes it on any kind of number."""

    at: list[float]
    steps: list[Step]

    def of(self, run: Any, inputs: list[Any]) -> Any:
        """The last step's result. ``run(name, operands)`` runs an entry."""
        pool = list(inputs)
        for name, operands in self.steps:
            pool.append(run(name, [pool[x] if isinstance(x, int) else x for x in operands]))
        return pool[-1]


def table_plan(seed: object, last: str | None = None) -> Plan:
    """Two to four inputs and three to seven entries, each where its domain has it and away from its kinks.

    An operand is an earlier value, moved by α x + β to where the entry can be differentiated; so a new entry of the
    table takes part as soon as it is there. ``last`` names the entry that comes last.
    """
    rng = Random(f"plan {seed}")
    at = [rng.uniform(-2.0, 2.0) for _ in range(rng.randint(2, 4))]
    pool, steps, unused = list(at), [], {*range(len(at))}

    def add(name: str, operands: list[float | int]) -> int:
        value, _ = TABLE[name].rule(floats, *[pool[x] if isinstance(x, int) else x for x in operands])
        unused.difference_update(x for x in operands if isinstance(x, int))
        unused.add(len(pool))
        pool.append(value)
        steps.append(Step(name, operands))
        return len(pool) - 1

    names = [rng.choice(DIFFERENTIATED) for _ in range(rng.randint(3, 7))]
    for name in [*names[1:], last or names[0]]:
        domains, point = smooth_point(name, rng)
        operands: list[float | int] = []
        for domain, x in zip(domains, point):
            if domain is CONSTANT or (domain is CONDITION and x == 0.0):
                operands.append(x)
            else:
                source, scale = rng.randrange(len(pool)), rng.choice([-1.0, 1.0]) * rng.uniform(0.3, 1.2)
                source = add("mul", [source, scale])
                operands.append(add("add", [source, x - pool[source]]))
        add(name, operands)
    # times an input, or a wrong sign of a slope would be squared away in the second derivative
    ends = [add("mul", [add("sin", [end]), rng.randrange(len(at))]) for end in sorted(unused)]
    add("sum", [*ends])
    return Plan(at, steps)


def smooth_point(name: str, rng: Random) -> tuple[tuple[Domain, ...], list[float]]:
    """Operands at which value and local derivatives are of moderate size, and so they are all around."""
    entry = TABLE[name]
    count = entry.least + rng.randint(0, 2) * entry.step if entry.variadic else len(entry.letters)
    domains = entry.domains_of(count, derivative=True)
    for _ in range(10_000):
        point = [
            rng.choice([-2.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0]) if domain is CONSTANT
            else rng.choice([0.0, 1.0]) if domain is CONDITION
            else rng.uniform(-2.5, 2.5)
            for domain in domains
        ]  # fmt: skip
        if _is_smooth(entry, domains, point):
            return domains, point
    raise AssertionError(f"{name} has no point in [−2.5, 2.5] where it is smooth")


def _is_smooth(entry: Primitive, domains: tuple[Domain, ...], point: list[float]) -> bool:
    """Whether nothing jumps within 0.01 of any operand that moves."""
    moved = [point]
    for i, domain in enumerate(domains):
        if domain is not CONSTANT and not (domain is CONDITION and point[i] == 0.0):
            moved += [[x + step * (j == i) for j, x in enumerate(point)] for step in (-0.01, 0.01)]
    if not all(entry.defined_at(*x, derivative=True) for x in moved):
        return False
    [here, *around] = [[value, *locals_] for value, locals_ in (entry.rule(floats, *x) for x in moved)]
    return all(abs(x) <= 8.0 for x in here) and all(
        abs(x - y) <= 0.25 for there in around for x, y in zip(here, there)
    )
