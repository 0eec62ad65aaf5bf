"""Tests each primitive on special numbers: ±0, the smallest and the largest, ±∞, NaN, and its kinks and domain edges.

The expected values are computed independently: for finite operands by mpmath, with enough digits to lose nothing, and
rounded once; for other operands according to IEEE 754. Four engines must agree with them: the eager one, replay (for
a single node, and in a group of its kind), the rules run on Values, and the browser's JavaScript.
"""

import itertools
import math
import sys
from functools import cache

import mpmath
import numpy as np
import pytest
from mpmath import mp, mpf
from test_javascript import node, source_of

from autograd import DomainError, Value, functions as F, grad, hessian, record
from autograd.kinks import is_kink
from autograd.number_systems import arrays, floats
from autograd.table import CONSTANT, TABLE

INF, NAN, EPSILON, TINIEST = math.inf, math.nan, sys.float_info.epsilon, 5e-324
ZEROS = [0.0, -0.0]
GRID = [*ZEROS, *(s * x for x in (5e-324, 1e-308, 1e-200, 1.0, 1e200, 1.7e308, INF) for s in (1.0, -1.0)), NAN]
# where something begins to round to 0 or to 1, to underflow or to overflow: e^709.78, cosh 710.47, e^−745.13, …
EDGES = [0.5, 1e-9, 1e-16, 5.0, 20.0, 26.5, 30.0, 37.0, 38.0, 100.0, 709.7, 709.8, 710.4, 710.5, 745.0, 746.0, 800.0]
EDGES = [s * x for x in [*EDGES, 1000.0, 1e16, 1.3e154, 1.4e154] for s in (1.0, -1.0)]
OWN = {  # and what one function alone finds special
    "log1p": [math.nextafter(-1.0, 0.0), math.nextafter(-1.0, -2.0)],
    "tan": [math.pi / 2, -math.pi / 2, 11.0, 1e22],
    "sin": [math.pi, 1e22],
    "cos": [math.pi / 2, 1e22],
    "silu": [-1.2784645427610738],  # where the derivative is 0
    "gelu": [-0.7517915246935645],
}
PAIR = [*GRID, 2.0, 3.0, -3.0, 0.5]
POWERS = [*PAIR, -1e-16, 1 / 3, 2.0**53 - 1.0]
FEW = [0.0, -0.0, 5e-324, -1e-200, 1.0, -3.0, 1e200, -1.7e308, INF, -INF, NAN]
CONDITIONS = [0.0, -0.0, 5e-324, -1.0, 1e200, -INF, NAN]


def points(name):
    if name in ("power", "pow"):
        return list(itertools.product(PAIR, POWERS))
    if name in ("clamp", "maximum", "minimum", "hypot"):
        return list(itertools.product(FEW, repeat=3))
    if name == "where":
        return list(itertools.product(CONDITIONS, FEW, FEW))
    if name in ("product", "affine"):
        return list(itertools.product(FEW, repeat=3))
    if name == "dot":
        return [(x, y, z, 0.5 * x) for x, y, z in itertools.product(FEW, repeat=3)]
    if name == "logsumexp":  # also where one term is nearly the whole sum, and far from 0
        dominated = [(0.0, -40.0), (-40.0, 0.0), (3.0, -300.0), (1e15, 1e15 + 2.0), (-0.6931471805599453,) * 2]
        return list(itertools.product(PAIR, repeat=2)) + dominated
    if name == "sum" or len(TABLE[name].letters) == 2:
        return list(itertools.product(PAIR, repeat=2))
    return [(x,) for x in (*GRID, *EDGES, *OWN.get(name, ()))]


# ---- what is right on finite operands -------------------------------------------------------------------------


def step(x, at_zero):
    return mpf(1) if x > 0 else mpf(0) if x < 0 else mpf(at_zero)


def sigma(z):
    return 1 / (1 + mp.exp(-z))


def normal_share(z):
    return _normal_share(max(min(z, 45), -45), mp.dps)  # beyond ±45 it rounds to 0 and to 1


@cache
def _normal_share(z, digits):
    return mp.erfc(-z / mp.sqrt(2)) / 2


def density(z):
    return mp.exp(-z * z / 2) / mp.sqrt(2 * mp.pi)


def power(x, p):
    if x == 0:  # the slope from the right
        value = mpf(1) if p == 0 else mpf(0) if p > 0 else mp.inf
        return value, [mpf(0) if p == 0 or p > 1 else mpf(1) if p == 1 else mp.sign(p) * mp.inf, mpf(0)]
    return x**p, [p * x ** (p - 1), mpf(0)]


def pow_(x, y):
    value, [dx, _] = power(x, y)
    return value, [dx, value * mp.log(x) if x else mpf(0)]


def logsumexp(*z):
    e = [mp.exp(z_j - max(z)) for z_j in z]
    return max(z) + mp.log(mp.fsum(e)), [e_j / mp.fsum(e) for e_j in e]


def share(x, count):
    """Of each operand in the maximum of all, as ``count`` of them share it."""
    return [mpf(x_i == max(x)) / count for x_i in x]


def maximum(*x):
    return max(x), share(x, x.count(max(x)))


def minimum(*x):
    value, shares = maximum(*(-x_i for x_i in x))
    return -value, shares


def clamp(x, low, high):
    of_x = mpf(0) if low == high else (step(x - low, 0.5) if high > low else 0) * step(high - x, 0.5)
    of_high = step(x - high, 0.5)
    return min(max(x, low), high), [
        of_x,
        1 - of_x - of_high,
        of_high,
    ]  # all three moved together, it moves as they do


def hypot(*x):
    length = mp.sqrt(mp.fsum(x_i * x_i for x_i in x))
    return length, [x_i / length if length else mpf(0) for x_i in x]


def atan2(y, x):
    r2 = x * x + y * y
    return mp.atan2(y, x), [x / r2, -y / r2] if r2 else [mp.nan, mp.nan]


def dot(*wa):
    w, a = wa[: len(wa) // 2], wa[len(wa) // 2 :]
    return mp.fdot(w, a), [*a, *w]


def one(value, slope):
    """A function of one operand and its derivative."""
    return lambda x: (value(x), [mpf(slope(x))])


EXACT = {
    "identity": one(lambda x: x, lambda x: 1),
    "neg": one(lambda x: -x, lambda x: -1),
    "exp": one(mp.exp, mp.exp),
    "log": one(mp.log, lambda x: 1 / x),
    "log1p": one(mp.log1p, lambda x: 1 / (1 + x)),
    "expm1": one(mp.expm1, mp.exp),
    "sqrt": one(mp.sqrt, lambda x: 1 / (2 * mp.sqrt(x)) if x else mp.inf),
    "log2": one(lambda x: mp.log(x) / mp.log(2), lambda x: 1 / (x * mp.log(2))),
    "asin": one(mp.asin, lambda x: 1 / mp.sqrt(1 - x * x) if abs(x) < 1 else mp.inf),
    "acos": one(mp.acos, lambda x: -1 / mp.sqrt(1 - x * x) if abs(x) < 1 else -mp.inf),
    "sin": one(mp.sin, mp.cos),
    "cos": one(mp.cos, lambda x: -mp.sin(x)),
    "tan": one(mp.tan, lambda x: 1 / mp.cos(x) ** 2),
    "atan": one(mp.atan, lambda x: 1 / (1 + x * x)),
    "sinh": one(mp.sinh, mp.cosh),
    "cosh": one(mp.cosh, mp.sinh),
    "tanh": one(mp.tanh, lambda z: 1 / mp.cosh(z) ** 2),
    "sigmoid": one(sigma, lambda z: sigma(z) * sigma(-z)),
    "softplus": one(lambda z: mp.log1p(mp.exp(z)), sigma),
    "relu": one(lambda z: max(z, mpf(0)), lambda z: step(z, 0)),
    "log_sigmoid": one(lambda z: -mp.log1p(mp.exp(-z)), lambda z: sigma(-z)),
    "elu": one(lambda z: z if z > 0 else mp.expm1(z), lambda z: 1 if z > 0 else mp.exp(z)),
    "silu": one(lambda z: z * sigma(z), lambda z: sigma(z) * (1 + z * sigma(-z))),
    "erf": one(lambda x: mp.erf(max(min(x, 30), -30)), lambda x: 2 * mp.exp(-x * x) / mp.sqrt(mp.pi)),
    "erfc": one(lambda x: 2 * normal_share(-mp.sqrt(2) * x), lambda x: -2 * mp.exp(-x * x) / mp.sqrt(mp.pi)),
    "gelu": one(lambda z: z * normal_share(z), lambda z: normal_share(z) + z * density(z)),
    "sign": one(lambda x: 2 * step(x, 0.5) - 1, lambda x: 0),
    "floor": one(mp.floor, lambda x: 0),
    "detach": one(lambda x: x, lambda x: 0),
    "abs": one(abs, lambda x: 2 * step(x, 0.5) - 1),
    "add": lambda x, y: (x + y, [mpf(1), mpf(1)]),
    "sub": lambda x, y: (x - y, [mpf(1), mpf(-1)]),
    "mul": lambda x, y: (x * y, [y, x]),
    "div": lambda x, y: (x / y, [1 / y, -x / y**2]),
    "power": power,
    "pow": pow_,
    "atan2": atan2,
    "heaviside": lambda x, at_zero: (step(x, at_zero), [mpf(0), mpf(0)]),
    "greater": lambda x, y: (step(x - y, 0), [mpf(0), mpf(0)]),
    "clamp": clamp,
    "maximum": maximum,
    "minimum": minimum,
    "hypot": hypot,
    "where": lambda c, x, y: (x if c else y, [mpf(0), mpf(bool(c)), mpf(not c)]),
    "sum": lambda *x: (mp.fsum(x), [mpf(1) for _ in x]),
    "product": lambda *x: (mp.fprod(x), [mp.fprod(x[:i] + x[i + 1 :]) for i in range(len(x))]),
    "dot": dot,
    "affine": lambda *wab: (dot(*wab[:-1])[0] + wab[-1], [*dot(*wab[:-1])[1], mpf(1)]),
    "logsumexp": logsumexp,
}  # fmt: skip


def parts_fit(name, at):
    """Whether every partial result of a sum or product is a float too; what runs in order loses those that are not.

    w a + b with w a = ∞ is an overflow even where b would bring it back, and x y z = 0 · z where x y underflows.
    """
    x = [mpf(x) for x in at]
    if name == "product":
        parts = [mp.fprod(x[i:j]) for i in range(len(x)) for j in range(i + 1, len(x) + 1)]
        return all(part == 0 or 2.3e-308 < abs(part) < 1.7e308 or part in x for part in parts)
    if name in ("dot", "affine"):
        return all(abs(w * a) < 1.7e308 for w, a in zip(x, x[len(x) // 2 :]))
    return True


# ---- what IEEE 754 makes of operands that are not finite ------------------------------------------------------

AT_INFINITY = {  # value and slope at −∞, value and slope at ∞
    "identity": (-INF, 1.0, INF, 1.0), "neg": (INF, -1.0, -INF, -1.0), "exp": (0.0, 0.0, INF, INF),
    "log": (NAN, 0.0, INF, 0.0), "log2": (NAN, 0.0, INF, 0.0), "log1p": (NAN, 0.0, INF, 0.0),
    "expm1": (-1.0, 0.0, INF, INF),
    "sqrt": (NAN, NAN, INF, 0.0), "asin": (NAN,) * 4, "acos": (NAN,) * 4, "sin": (NAN,) * 4, "cos": (NAN,) * 4,
    "tan": (NAN,) * 4,
    "atan": (-math.pi / 2, 0.0, math.pi / 2, 0.0), "sinh": (-INF, INF, INF, INF), "cosh": (INF, -INF, INF, INF),
    "tanh": (-1.0, 0.0, 1.0, 0.0), "sigmoid": (0.0, 0.0, 1.0, 0.0), "softplus": (0.0, 0.0, INF, 1.0),
    "relu": (0.0, 0.0, INF, 1.0), "log_sigmoid": (-INF, 1.0, 0.0, 0.0), "elu": (-1.0, 0.0, INF, 1.0),
    "silu": (0.0, 0.0, INF, 1.0), "gelu": (0.0, 0.0, INF, 1.0),
    "erf": (-1.0, 0.0, 1.0, 0.0), "sign": (-1.0, 0.0, 1.0, 0.0), "floor": (-INF, 0.0, INF, 0.0),
    "detach": (-INF, 0.0, INF, 0.0),
    "erfc": (2.0, 0.0, 0.0, 0.0), "abs": (INF, -1.0, INF, 1.0),
}  # fmt: skip


def ieee_power(x, p):
    return x**p, [p * x ** (p - 1.0) if p else 0.0, 0.0]


def ieee_pow(x, y):
    if x < 0.0:
        return NAN, [NAN, NAN]
    value, exponent = x**y, y - 1.0 if x or y else 1.0
    return value, [y * x**exponent, value * (np.log(x) if x else 0.0)]


def ieee_largest(sign, *x):
    """Of x, or of −x."""
    value = np.maximum.reduce([sign * x_i for x_i in x])
    count = sum(sign * x_i == value for x_i in x)
    return sign * value, [float(sign * x_i == value) / count if count else NAN for x_i in x]


def ieee_clamp(x, low, high):
    of_x, _ = ieee_largest(1.0, x, low)[1]
    of_high, below = ieee_largest(-1.0, high, x)[1]
    of_x *= below * (float(high > low) if high == high and low == low else NAN)
    return np.minimum(np.maximum(x, low), high) if low <= high else NAN, [of_x, below - of_x, of_high]


def ieee_hypot(*x):
    length = INF if any(map(math.isinf, x)) else NAN
    return length, [x_i / length for x_i in x]


def ieee_product(*x):
    ones = [*x[:0], 1.0]
    before = [np.multiply.reduce([*ones, *x[:i]]) for i in range(len(x) + 1)]
    after = [np.multiply.reduce([*ones, *x[:i:-1]]) for i in range(len(x))]
    return before[-1], [b * a for b, a in zip(before, after)]


def ieee_dot(*wa):
    w, a = wa[: len(wa) // 2], wa[len(wa) // 2 :]
    return np.add.reduce([x * y for x, y in zip(w, a)]), [*a, *w]


def ieee_logsumexp(*z):
    value = np.logaddexp.reduce(z)
    if value == INF:
        return ieee_largest(1.0, *z)
    return value, [np.exp(z_j - value) for z_j in z]


IEEE = {
    "add": lambda x, y: (x + y, [1.0, 1.0]),
    "sub": lambda x, y: (x - y, [1.0, -1.0]),
    "mul": lambda x, y: (x * y, [y, x]),
    "div": lambda x, y: (x / y, [1.0 / y, -(x / y) / y]),
    "power": ieee_power,
    "pow": ieee_pow,
    "atan2": lambda y, x: (np.arctan2(y, x), [t / np.hypot(x, y) / np.hypot(x, y) for t in (x, -y)]),
    "heaviside": lambda x, at_zero: (np.heaviside(x, at_zero), [0.0, 0.0]),
    "greater": lambda x, y: (float(x > y) if x == x and y == y else NAN, [0.0, 0.0]),
    "clamp": ieee_clamp,
    "maximum": lambda *x: ieee_largest(1.0, *x),
    "minimum": lambda *x: ieee_largest(-1.0, *x),
    "hypot": ieee_hypot,
    "where": lambda c, x, y: (x if c else y, [0.0, float(bool(c)), float(not c)]),
    "sum": lambda *x: (np.add.reduce(x), [1.0] * len(x)),
    "product": ieee_product,
    "dot": ieee_dot,
    "affine": lambda *wab: (ieee_dot(*wab[:-1])[0] + wab[-1], [*ieee_dot(*wab[:-1])[1], 1.0]),
    "logsumexp": ieee_logsumexp,
}  # fmt: skip


# ---- what is right, and how far an engine may be off ----------------------------------------------------------


def is_undefined(name, at):
    """Whether these finite operands lie outside the domain, said once more: by hand, not by the table."""
    x = at[0]
    if name in ("log", "log2", "log1p", "sqrt"):
        return x < 0.0 if name == "sqrt" else x <= (-1.0 if name == "log1p" else 0.0)
    if name in ("asin", "acos"):
        return abs(x) > 1.0
    if name == "clamp":
        return at[1] > at[2]
    if name == "div":
        return at[1] == 0.0
    if name in ("power", "pow"):
        return (x == 0.0 and at[1] < 0.0) or (x < 0.0 and (name == "pow" or at[1] != math.floor(at[1])))
    return False


@cache
def right(name):
    """(operands, value, local derivatives) at each point; the value is None where there has to be a DomainError."""
    return [found for at in points(name) if (found := right_at(name, at)) is not None]


def right_at(name, at):
    entry = TABLE[name]
    if all(map(math.isfinite, at)):
        if not parts_fit(name, at):
            return None
        if is_undefined(name, at):
            return at, None, None
        with mpmath.workdps(100):
            value, locals_ = EXACT[name](*map(mpf, at))
            value, *locals_ = map(float, (value, *locals_))
        if name == "atan2" and at[0] == 0.0:  # mpmath knows no −0
            value = math.atan2(*at)
        return (at, value, locals_) if math.isfinite(value) else (at, None, None)
    if name in AT_INFINITY:
        if at[0] != at[0]:
            constant = name in ("identity", "neg", "sign", "floor", "detach")
            return at, NAN, [AT_INFINITY[name][1] if constant else NAN]
        value, slope = AT_INFINITY[name][2 * (at[0] > 0.0) :][:2]
        return at, value, [slope]
    with np.errstate(all="ignore"):
        value, locals_ = IEEE[name](*map(np.float64, at))
    assert len(locals_) == len(at), entry
    return at, float(value), [float(x) for x in locals_]


def allowed(name, i, at, expected):
    """How far a result (0: the value, 1 …: a local derivative) may be off, beside four units in its last place.

    Four units, since exp, sin, erfc … are each library's own. What is added here is what the rules promise: they
    are written to be read, and lose what their formula loses.
    """
    if not all(map(math.isfinite, at)):
        return 0.0
    size = max([1.0, *map(abs, at)])
    if name in ("tanh", "sigmoid") and i == 1:
        return 2.0 * EPSILON  # 1 − a² and a(1 − a) where a is almost 1
    if name == "silu":
        # z multiplies the rounding of 1 − σ, until that is 0; and of σ where it is below 2.2e−308
        return (EPSILON * (2.0 + min(size, 40.0)) if i else 0.0) + size * TINIEST
    if name in ("erf", "erfc", "gelu"):
        # e^(−x²): the rounding of x² is an error of the exponent; gelu's two terms have almost the same size
        x = size if size < 50.0 else 0.0
        terms = x * math.exp(-0.5 * x * x) if name == "gelu" and at[0] < 0.0 else abs(expected)
        return 4.0 * (1.0 + x * x) * EPSILON * terms + size * TINIEST
    if name in ("power", "pow") and i == 1:
        # p − 1 rounds, and log x multiplies that
        return 2.0 * EPSILON * (1.0 + abs(math.log(abs(at[0]) or 1.0))) * abs(expected)
    if name in ("atan", "atan2") and i > 0:
        return 1e-308 if size > 1e154 else 0.0  # x², or √(x² + y²), overflows
    if name == "logsumexp":
        # the value is the largest and what is added to it; in the softmax a difference, 745 at most, is an exponent
        return 2.0 * EPSILON * (abs(max(at)) if i == 0 else min(size, 745.0) * expected)
    if name in ("dot", "affine") and i == 0:
        return EPSILON * max(abs(w * a) for w, a in zip(at, at[len(at) // 2 :]))  # products round before they cancel
    return 0.0


def is_out_of_reach(name, i, at):
    """Where floats cannot follow the formula in the table, and a stable one would be unreadable."""
    x, p = at[0], at[-1]
    if name in ("power", "pow") and i == 1 and abs(x) < 5.6e-309 and abs(p) < 1.0:
        return True  # xᵖ⁻¹ overflows though p xᵖ⁻¹ need not; at −0 its infinity has the sign of 1/−0
    if name == "power" and i == 1 and x < 0.0 and abs(p) >= 2.0**53:
        return True  # p − 1 is no float: whether it is odd is lost
    # a length that small has lost its digits
    return name in ("hypot", "atan2") and i > 0 and 0.0 < math.hypot(*at) < 2.3e-308


def fault(name, case, found):
    """What is wrong with (value, local derivatives), None standing for a DomainError; None where it is right."""
    at, value, locals_ = case
    if found is None or value is None:
        return None if found is value else f"{name} at {at}: {found}, and it should be {value}"
    for i, (x, expected) in enumerate(zip((found[0], *found[1]), (value, *locals_), strict=True)):
        if all(map(math.isfinite, at)) and is_out_of_reach(name, i, at):
            continue
        if math.isfinite(expected) and math.isfinite(x):
            good = abs(x - expected) <= 4.0 * max(math.ulp(expected), math.ulp(x)) + allowed(name, i, at, expected)
        else:
            good = x == expected or (x != x and expected != expected)
        if not good:
            return f"{name} at {at}, result {i}: {x!r}, and it should be {expected!r}"
    return None


def faults(name, run):
    """Every point at which ``run`` is wrong."""
    return [said for case in right(name) if (said := fault(name, case, run(case[0])))]


# ---- the engines ----------------------------------------------------------------------------------------------


def leaves(name, at):
    """Operands of a call: Values, and plain numbers where the table wants a constant."""
    domains = TABLE[name].domains_of(len(at))
    return [x if domain is CONSTANT else Value(x) for domain, x in zip(domains, at)]


def eager(name, at):
    operands = leaves(name, at)
    try:
        result = TABLE[name](*operands)
    except DomainError:
        return None
    result.backward()
    for x, local in zip(operands, result.local_derivatives):
        assert not isinstance(x, Value) or x.grad == local or (x.grad != x.grad and local != local)
    return result.data, result.local_derivatives


@pytest.mark.parametrize("name", TABLE)
def test_eager(name):
    assert faults(name, lambda at: eager(name, at)) == []


def differentiated_again(name, at):
    """The same, with local derivatives that have graphs of their own."""
    operands = leaves(name, at)
    try:
        result = TABLE[name](*operands)
    except DomainError:
        return None
    inputs = [x for x in operands if isinstance(x, Value)]
    try:
        slopes = iter([slope.data for slope in grad(result, inputs)])
    except DomainError:
        assert not all(map(math.isfinite, result.local_derivatives)), (name, at)
        return result.data, result.local_derivatives
    return result.data, [next(slopes) if isinstance(x, Value) else 0.0 for x in operands]


@pytest.mark.parametrize("name", TABLE)
def test_differentiated_again(name):
    assert faults(name, lambda at: differentiated_again(name, at)) == []


@pytest.fixture(scope="module")
def in_javascript():
    """Every entry at every point, from one node process."""
    cases = [(name, [at for at, _, _ in right(name)]) for name in TABLE]
    found = node([(source_of(TABLE[name], count=len(at[0])), at) for name, at in cases])
    return {name: dict(zip(map(repr, at), results)) for (name, at), results in zip(cases, found)}


@pytest.mark.parametrize("name", TABLE)
def test_in_the_browsers_javascript(name, in_javascript):
    def run(at):
        value, locals_ = in_javascript[name][repr(at)]
        # the page itself says where finite operands gave no finite value: tests/test_walking.py
        return None if all(map(math.isfinite, at)) and not math.isfinite(value) else (value, locals_)

    assert faults(name, run) == []


@pytest.mark.parametrize("others", [0, 8])
@pytest.mark.parametrize("name", TABLE)
def test_replayed(name, others):
    """Alone a node runs on floats; among eight of its kind, in a group of arrays."""
    programs = {}
    [fine, *_] = (x for x in (1.0, 0.5) if not is_undefined(name, [x] * len(points(name)[0])))

    def run(at):
        domains = TABLE[name].domains_of(len(at))
        frozen = tuple(x for x, domain in zip(at, domains) if domain is CONSTANT)
        key = repr(frozen)
        if key not in programs:
            rows = [leaves(name, [fine] * (len(at) - len(frozen)) + list(frozen)) for _ in range(1 + others)]
            inputs = [[x for x in row if isinstance(x, Value)] for row in rows]
            upstream = [Value(float(not i)) for i in range(1 + others)]
            nodes = [TABLE[name](*row) for row in rows]
            f = nodes[0] if not others else F.dot(nodes, upstream)
            programs[key] = record(f, [inputs], upstream if others else [], engine="replay"), inputs, nodes[0]
        program, inputs, result = programs[key]
        given = [x for x, domain in zip(at, domains) if domain is not CONSTANT]
        try:
            program([[given] + [[fine] * len(given)] * others])
        except DomainError as replayed:
            with pytest.raises(DomainError) as eagerly:
                TABLE[name](*leaves(name, at))
            assert str(replayed) == str(eagerly.value)
            return None
        slopes = iter([program.gradient(x) for x in inputs[0]])
        return program.value(result), [0.0 if domain is CONSTANT else next(slopes) for domain in domains]

    assert faults(name, run) == []


# ---- second derivatives ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", AT_INFINITY)
def test_second_derivatives(name):
    checked = 0
    for at, value, locals_ in right(name):
        if value is None or not all(map(math.isfinite, (*at, *locals_))) or (name == "elu" and at[0] == 0.0):
            continue  # there elu's second derivative jumps
        with mpmath.workdps(720):  # a difference over 10^−340, which keeps 380 digits of a slope near 1
            h, exactly = mpf(10) ** -340, mpf(at[0])
            high, low = (EXACT[name](exactly + side * h)[1][0] for side in (1, -1))
            expected = float((high - low) / (2 * h))
        if is_kink(TABLE[name], at) and not math.isfinite(expected):
            continue
        x = Value(at[0])
        try:
            [[found]] = hessian(TABLE[name](x), [x])
        except DomainError:
            assert not math.isfinite(expected), at
            continue
        # 1 − a and 1 − σ round where a and σ are almost 1; silu multiplies that by z, up to 38
        assert found.data == pytest.approx(expected, rel=1e-13, abs=40 * EPSILON), at
        checked += 1
    assert checked > 2  # a domain of 0 < x < 1 has three


# ---- by name --------------------------------------------------------------------------------------------------


def locals_of(result):
    return list(result.local_derivatives)


def test_a_quotient_of_the_tiniest_numbers_is_a_real_division():
    x, y = Value(3e-200), Value(1.5e-200)
    quotient = x / y  # x · y⁻¹ would do as well; x · y / y² would not: y² is 0
    quotient.backward()
    assert quotient.data == 2.0
    assert (x.grad, y.grad) == pytest.approx((1 / 1.5e-200, -2.0 / 1.5e-200), rel=1e-15)
    assert (Value(5e-324) / 5e-324).data == 1.0
    assert (Value(1e308) / 10.0).data == 1e307


def test_whole_powers_of_zero_and_of_negative_numbers():
    for p, value, slope in ((0, 1.0, 0.0), (1, 0.0, 1.0), (2, 0.0, 0.0), (3, 0.0, 0.0)):
        x = Value(0.0)
        power = x**p
        power.backward()
        assert (power.data, x.grad) == (value, slope)
    x = Value(-2.0)
    cube = x**3
    cube.backward()
    assert (cube.data, x.grad, (Value(-2.0) ** -1).data) == (-8.0, 12.0, -0.5)
    assert locals_of(Value(0.0) ** Value(0.0)) == [0.0, 0.0]
    with pytest.raises(DomainError, match="write a constant exponent"):
        Value(-2.0) ** Value(3.0)


@pytest.mark.parametrize("name", ["exp", "expm1", "log", "log1p", "sqrt", "sinh", "cosh", "divide", "power", "pow"])
def test_where_finite_numbers_give_no_finite_one_it_is_ieee_754s_to_the_sign(name):
    at = itertools.product(PAIR, POWERS) if name in ("divide", "power", "pow") else [(x,) for x in (*GRID, *EDGES)]
    for x in at:
        with np.errstate(all="ignore"):
            expected = float(getattr(arrays, name)(*x))
        if all(map(math.isfinite, x)) and not math.isfinite(expected):
            assert repr(getattr(floats, name)(*x)) == repr(expected), x


def test_the_root_of_minus_zero_has_no_sign_so_that_the_slope_there_is_plus_infinity():
    for system in (floats, arrays):
        assert math.copysign(1.0, system.sqrt(-0.0)) == 1.0


@pytest.mark.parametrize("zero", ZEROS)
def test_products_with_zeros_keep_the_product_of_the_others(zero):
    assert locals_of(F.product(zero, Value(2.0), 3.0)) == [6.0, 0.0, 0.0]
    assert locals_of(F.product(zero, Value(2.0), 0.0)) == [0.0, 0.0, 0.0]
    assert locals_of(F.product(Value(1e200), zero, 1e-200, 7.0)) == pytest.approx([0.0, 7.0, 0.0, 0.0], rel=1e-15)


@pytest.mark.parametrize(
    ("function", "z", "value", "slope"),
    [
        (F.sigmoid, 800.0, 1.0, 0.0),
        (F.sigmoid, -800.0, 0.0, 0.0),
        (F.softplus, 800.0, 800.0, 1.0),
        (F.softplus, -800.0, 0.0, 0.0),
        (F.log_sigmoid, -800.0, -800.0, 1.0),
        (F.tanh, 1000.0, 1.0, 0.0),
        (F.tanh, -1000.0, -1.0, 0.0),
        (F.silu, -800.0, 0.0, 0.0),
        (F.gelu, -1000.0, 0.0, 0.0),
        (F.gelu, 1000.0, 1000.0, 1.0),
        (F.elu, -1000.0, -1.0, 0.0),
    ],
)
def test_saturated_functions(function, z, value, slope):
    z = Value(z)
    a = function(z)
    a.backward()
    assert (a.data, z.grad) == (value, slope)


def test_logsumexp_with_minus_infinity():
    assert F.logsumexp(Value(-INF), 2.0).data == 2.0
    assert locals_of(F.logsumexp(Value(-INF), 2.0)) == [0.0, 1.0]
    nothing = F.logsumexp(Value(-INF), -INF)
    assert nothing.data == -INF
    assert all(map(math.isnan, nothing.local_derivatives))  # the softmax of nothing: 0/0
    assert F.logsumexp(Value(-1e308), -1e308).data == -1e308


def test_ties_share_the_derivative():
    ties = [(1.0, 1.0), (0.0, -0.0), (-1.7e308, -1.7e308), (5e-324, 5e-324), (INF, INF), (-INF, -INF)]
    for x, y in ties:
        assert locals_of(F.maximum(Value(x), y)) == locals_of(F.minimum(Value(x), y)) == [0.5, 0.5]
    assert locals_of(F.maximum(INF, Value(1.0), INF, INF)) == [1 / 3, 0.0, 1 / 3, 1 / 3]
    assert locals_of(F.minimum(-INF, Value(1.0), -INF)) == [0.5, 0.0, 0.5]
    assert locals_of(F.clamp(Value(INF), 0.0, INF)) == [0.5, 0.0, 0.5]
    assert locals_of(F.logsumexp(Value(INF), INF, 0.0)) == [0.5, 0.5, 0.0]
    x = Value(3.0)
    F.maximum(x, x).backward()
    assert x.grad == 1.0


def test_a_clamp_between_equal_bounds_does_not_move_with_its_operand():
    for x in (0.0, 1.0, 2.0):
        x = Value(x)
        y = F.clamp(x, 1.0, 1.0)
        y.backward()
        assert (y.data, x.grad) == (1.0, 0.0)


@pytest.mark.parametrize("x", [0.0, -3.0, 1e308, 5e-324, INF, -INF])
def test_the_power_0_is_1_with_derivative_0_whatever_the_base(x):
    x = Value(x)
    one = x**0
    one.backward()
    assert (one.data, x.grad, hessian(one, x).data) == (1.0, 0.0, 0.0)


def test_softmax_of_huge_logits_keeps_their_differences():
    for logits, expected in (
        ([1e16, 1e16], [0.5, 0.5]),
        ([1e300, 1e300], [0.5, 0.5]),
        ([-1e16, -1e16], [0.5, 0.5]),
        ([1e15, 1e15 + 2.0], [1.0 / (1.0 + math.exp(2.0)), 1.0 / (1.0 + math.exp(-2.0))]),
        ([0.0, -INF], [1.0, 0.0]),
    ):
        z = [Value(z_j) for z_j in logits]
        p = F.softmax(z)
        assert [p_j.data for p_j in p] == pytest.approx(expected, rel=1e-15)
        p[0].backward()
        slope = expected[0] * expected[1]
        assert [z_j.grad for z_j in z] == pytest.approx([slope, -slope], rel=1e-15)
        assert locals_of(F.logsumexp(z)) == pytest.approx(expected, rel=1e-15)


AT_BOTH_ENDS = {  # value and derivative at −∞, value and derivative at ∞: the limits
    "relu": (F.relu, (0.0, 0.0), (INF, 1.0)),
    "leaky_relu of slope 0": (lambda z: F.leaky_relu(z, 0.0), (0.0, 0.0), (INF, 1.0)),
    "leaky_relu of slope ½": (lambda z: F.leaky_relu(z, 0.5), (-INF, 0.5), (INF, 1.0)),
    "elu": (F.elu, (-1.0, 0.0), (INF, 1.0)),
    "silu": (F.silu, (0.0, 0.0), (INF, 1.0)),
    "gelu": (F.gelu, (0.0, 0.0), (INF, 1.0)),
    "softplus": (F.softplus, (0.0, 0.0), (INF, 1.0)),
    "log_sigmoid": (F.log_sigmoid, (-INF, 1.0), (0.0, 0.0)),
    "sigmoid": (F.sigmoid, (0.0, 0.0), (1.0, 0.0)),
    "tanh": (F.tanh, (-1.0, 0.0), (1.0, 0.0)),
}


@pytest.mark.parametrize("name", AT_BOTH_ENDS)
def test_activations_have_their_limits_at_infinity(name):
    function, *expected = AT_BOTH_ENDS[name]
    for end, (value, slope) in zip((-INF, INF), expected):
        z = Value(end)
        a = function(z)
        a.backward()
        assert (a.data, z.grad, grad(a, z).data) == (value, slope, slope)


@pytest.mark.parametrize("name", ["atan", "erf", "erfc", "gelu", "silu", "tanh", "softplus"])
@pytest.mark.parametrize("x", [1e155, -1e160, 1e300])
def test_far_out_where_x_squared_overflows_the_second_derivative_is_0(name, x):
    x = Value(x)
    assert hessian(TABLE[name](x), x).data == 0.0


ODD = ["identity", "log1p", "expm1", "sin", "tan", "atan", "sinh", "tanh", "silu", "gelu"]


def test_odd_functions_and_products_keep_the_sign_of_zero(in_javascript):
    def sign(x):
        return math.copysign(1.0, x)

    for engine in (eager, lambda name, at: in_javascript[name][repr(at)]):
        for zero in ZEROS:
            for name in ODD:
                assert sign(engine(name, (zero,))[0]) == sign(zero), name
            assert sign(engine("neg", (zero,))[0]) == -sign(zero)
            assert sign(engine("sqrt", (zero,))[0]) == sign(engine("abs", (zero,))[0]) == 1.0
            for x in (1.0, -1.0, 1e200, -INF):
                product, quotient = (engine(name, at)[0] for name, at in (("mul", (zero, 1.0)), ("div", (1.0, x))))
                assert (sign(product), sign(quotient)) == (sign(zero), sign(x))


# ---- where ----------------------------------------------------------------------------------------------------

LOST = {  # a branch that is not chosen: its local derivative there is infinite, or NaN
    "√x at 0": (lambda x: F.sqrt(x), 0.0),
    "x^½ at 0": (lambda x: x**0.5, 0.0),
    "√x · x at 0": (lambda x: F.sqrt(x) * x, 0.0),
    "x − ∞": (lambda x: F.sin(x * INF), 1.0),
    "1/x² at the tiniest": (lambda x: 1.0 / x, 1e-200),
}


@pytest.mark.parametrize("name", LOST)
@pytest.mark.parametrize("many", [1, 9])
def test_where_gives_the_branch_not_chosen_exactly_0(name, many):
    lost, at = LOST[name]
    leaves = [Value(at) for _ in range(many)]
    f = F.sum([F.where(0.0, lost(x), 3.0 * x) + F.where(1.0, x, lost(x)) for x in leaves])
    f.backward()
    assert [x.grad for x in leaves] == [4.0] * many
    assert [slope.data for slope in grad(f, leaves)] == [4.0] * many
    for inputs, parameters in (([leaves], []), ([], leaves)):
        program = record(f, inputs, parameters, engine="replay")
        program()
        assert [program.gradient(x) for x in leaves] == [4.0] * many


# ---- the tests are tested -------------------------------------------------------------------------------------


def test_a_fault_of_a_millionth_in_any_result_is_seen():
    for name in TABLE:
        for i in range(1 + len(points(name)[0])):

            def spoilt(at, name=name, i=i):
                found = eager(name, at)
                results = found and [found[0], *found[1]]
                if results:
                    results[i] = results[i] * (1.0 + 1e-6) + 1e-300
                return results and (results[0], results[1:])

            assert faults(name, spoilt), (name, i)
        assert faults(name, lambda at: None) and faults(name, lambda at: (1.0, [1.0] * len(at)))
