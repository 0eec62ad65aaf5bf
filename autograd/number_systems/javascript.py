"""JavaScript as a number system: a rule of the table, run on formulas, is written as a JavaScript function.

Constants enter as plain floats; what a rule does with floats alone stays a float. ``PRELUDE`` holds the elementary
functions, with the meaning that ``floats`` gives them; no rule stands in JavaScript.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, SupportsFloat

from autograd.graph import topological_order

PRELUDE = """\
const { abs, exp, expm1, floor, hypot, log, log1p, log2 } = Math;
const { acos, asin, atan, atan2, cos, cosh, sin, sinh, tan, tanh } = Math;
const sqrt = (x) => Math.sqrt(x) + 0; // √−0 = 0, without the sign
const times = (x, y) => (y === 0 ? 0 : x * y);
const sum = (...x) => x.reduce((total, term) => total + term, 0);
const heaviside = (x, atZero) => (x > 0 ? 1 : x < 0 ? 0 : x === 0 ? atZero : NaN);
const greater = (x, y) => (x > y ? 1 : x <= y ? 0 : NaN);
const negative = (x) => -x;
const detach = (x) => x;
const at = (i, list) => list[i];
// the share of each operand in the maximum
const shares = (...x) => {
  const largest = Math.max(...x);
  const count = x.filter((xi) => xi === largest).length;
  return x.map((xi) => (Number.isNaN(largest) ? NaN : xi === largest ? 1 / count : 0));
};
const clamp = (x, low, high) => (low <= high ? minimum(maximum(x, low), high) : NaN);
const maximum = (...x) => x.reduce((x, y) => (x >= y ? x : y > x ? y : NaN));
const minimum = (...x) => x.reduce((x, y) => (x <= y ? x : y < x ? y : NaN));
const where = (condition, x, y) => (Number(condition) !== 0 ? x : y);
// 1 to any power is 1, and so is (−1) to ±∞: IEEE 754 says so, Math.pow says NaN
const power = (x, p) => (x === 1 || (x === -1 && abs(p) === Infinity) ? 1 : Math.pow(x, p));
const pow = (x, y) => (x < 0 ? NaN : power(x, y));
// the exponents of these three are never positive, so nothing overflows
const sigmoid = (z) => (z >= 0 ? 1 / (1 + exp(-z)) : exp(z) / (1 + exp(z)));
const softplus = (z) => maximum(z, 0) + log1p(exp(-abs(z)));
// x² is cut in two, since exp would multiply its rounding
const bell = (x) => {
  const high = Math.fround(x);
  return x > 30 ? 0 : (exp(-high * high) * exp((high - x) * (high + x))) / sqrt(Math.PI);
};
// near 0 a series of positive terms for erf, further out a continued fraction for erfc
const erf = (x) => {
  if (x < 0) return -erf(-x);
  if (x >= 0.6) return 1 - erfc(x);
  let term = 2 * x, total = term;
  for (let n = 1; term > 1e-17 * total; n++) total += term *= (2 * x * x) / (2 * n + 1);
  return bell(x) * total;
};
const erfc = (x) => {
  if (x < 0) return 2 - erfc(-x);
  if (x < 0.6) return 1 - erf(x);
  let below = x;
  for (let n = 600; n > 0; n--) below = x + n / 2 / below;
  return x === Infinity ? 0 : bell(x) / below;
};
const logsumexp = (...z) => {
  const largest = Math.max(...z);
  const e = z.map((zj) => exp(zj - largest));
  e.splice(z.indexOf(largest), 1);
  return Number.isFinite(largest) ? largest + log1p(sum(...e)) : largest;
};
const softmax = (...z) => {
  const largest = Math.max(...z);
  if (largest === Infinity) return shares(...z);
  const e = z.map((zj) => exp(zj - largest));
  const total = sum(...e);
  return e.map((ej) => ej / total);
};
"""


def _infix(sign: str, swapped: bool = False) -> Callable[[Any, Operand], Formula]:
    """x + y as an expression; swapped for y + x where only x is one."""
    return lambda self, other: Formula(sign, *((other, self) if swapped else (self, other)))


class Formula:
    """A letter, or an operation on operands.

    name       the letter, a sign such as +, or a function of the prelude
    operands   formulas and numbers; empty for a letter

    >>> x, y = letters(2)
    >>> x + 1.0, exp(x) < y
    (x1 + 1, … < x2)
    """

    __slots__ = ("name", "operands")

    def __init__(self, name: str, *operands: Operand) -> None:
        self.name = name
        self.operands = tuple(x if isinstance(x, Formula) else float(x) for x in operands)

    @property
    def parents(self) -> list[Formula]:
        """The operands that are formulas, under the name by which a graph is traversed."""
        return [x for x in self.operands if isinstance(x, Formula)]

    __add__, __radd__ = _infix("+"), _infix("+", swapped=True)
    __sub__, __rsub__ = _infix("-"), _infix("-", swapped=True)
    __mul__, __rmul__ = _infix("*"), _infix("*", swapped=True)
    __truediv__, __rtruediv__ = _infix("/"), _infix("/", swapped=True)
    __lt__, __le__, __gt__, __ge__ = map(_infix, ("<", "<=", ">", ">="))
    __eq__, __ne__ = _infix("==="), _infix("!==")  # type: ignore[assignment]

    def __neg__(self) -> Formula:
        return Formula("negative", self)

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        raise TypeError(f"a rule cannot branch on {self!r}: write n.where or n.heaviside")

    def __repr__(self) -> str:
        return self.source(dict.fromkeys((x for x in self.parents if x.operands), "…"))

    def source(self, names: Mapping[Formula, str]) -> str:
        """The operation in JavaScript, on operands by their names, and on letters and numbers."""
        if not self.operands:
            return self.name
        operands = [_named(x, names) for x in self.operands]
        return f"{self.name}({', '.join(operands)})" if self.name.isidentifier() else f" {self.name} ".join(operands)


Operand = Formula | SupportsFloat


def _named(x: Operand, names: Mapping[Formula, str]) -> str:
    return names.get(x, x.name) if isinstance(x, Formula) else number(x)


def letters(count: int) -> list[Formula]:
    """x1, x2, …: the operands of a rule."""
    return [Formula(f"x{i + 1}") for i in range(count)]


def function(value: Operand, local_derivatives: Sequence[Operand], operands: Sequence[Formula]) -> str:
    """What a rule returned as the source of ``(x1, x2) => [value, [local derivatives]]``.

    Each operation is a statement, so that Python's order of computation is kept without brackets, and what is used
    more than once is computed once.

    >>> x, y = letters(2)
    >>> function(x, (1.0,), [x])
    '(x1) => { return [x1, [1]]; }'
    >>> a = sigmoid(x)
    >>> function(a, [a * (1.0 - a)], [x])
    '(x1) => { const t1 = sigmoid(x1); const t2 = 1 - t1; const t3 = t1 * t2; return [t1, [t3]]; }'
    """
    names: dict[Formula, str] = {}
    statements = []
    for e in operations([value, *local_derivatives]):
        if e.operands:
            source, names[e] = e.source(names), f"t{len(names) + 1}"
            statements.append(f"const {names[e]} = {source};")
    result, *locals_ = (_named(x, names) for x in (value, *local_derivatives))
    statements.append(f"return [{result}, [{', '.join(locals_)}]];")
    return f"({', '.join(x.name for x in operands)}) => {{ {' '.join(statements)} }}"


def operations(results: Iterable[Operand]) -> list[Formula]:
    """Every expression that the results are made of, operands first."""
    together: Any = Formula("", *results)
    order: list[Any] = topological_order(together)
    return order[:-1]


def number(x: SupportsFloat) -> str:
    """A number as JavaScript writes it."""
    return repr(float(x)).removesuffix(".0").replace("inf", "Infinity").replace("nan", "NaN")


# ---- the elementary functions ---------------------------------------------------------------------------------


def _functions(names: str) -> Iterator[Callable[..., Formula]]:
    return (partial(Formula, name) for name in names.split())


abs, exp, log, log1p, log2, expm1, sqrt, floor = _functions("abs exp log log1p log2 expm1 sqrt floor")
sin, cos, tan, asin, acos, atan, atan2 = _functions("sin cos tan asin acos atan atan2")
sinh, cosh, tanh, erf, erfc, sigmoid, softplus = _functions("sinh cosh tanh erf erfc sigmoid softplus")
clamp, detach, times, power, pow, heaviside, greater = _functions("clamp detach times power pow heaviside greater")
divide = _infix("/")


def maximum(x: Operand, y: Operand, name: str = "maximum") -> Formula:
    """A maximum of a maximum is one of more operands."""
    return Formula(name, *(x.operands if isinstance(x, Formula) and x.name == name else [x]), y)


minimum = partial(maximum, name="minimum")


def where(condition: Operand, x: Operand, y: Operand) -> Operand:
    if isinstance(condition, Formula):
        return Formula("where", condition, x, y)
    return x if float(condition) else y


def shares(x: Sequence[Operand], name: str = "shares") -> list[Formula]:
    """The entries of a list that is computed once."""
    whole = Formula(name, *x)
    return [Formula("at", float(i), whole) for i in range(len(x))]


def sum(x: Iterable[Operand]) -> Formula:
    return Formula("sum", *x)


def hypot(x: Iterable[Operand]) -> Formula:
    return Formula("hypot", *x)


def logsumexp(z: Sequence[Operand]) -> tuple[Formula, list[Formula]]:
    return Formula("logsumexp", *z), shares(z, "softmax")
