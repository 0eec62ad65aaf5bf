"""JavaScript as a number system: a rule of the table, run on these expressions, writes its own source.

An expression is a letter, or an operation on expressions and numbers. Constants enter as plain floats; what a rule
does with floats alone stays a float. ``PRELUDE`` holds the elementary functions, with the meaning that ``floats``
gives them; no rule stands in JavaScript.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from typing import Any, SupportsFloat

from autograd.graph import topological_order

PRELUDE = """\
const { abs, exp, expm1, floor, hypot, log, log1p, log2 } = Math;
const { acos, asin, atan, atan2, cos, cosh, sin, sinh, tan, tanh } = Math;
const sqrt = (x) => Math.sqrt(x) + 0; // √−0 = 0, without the sign
const times = (x, y) => (y === 0 ? 0 : x * y);
const floorDivide = (x, y) => Math.floor(x / y);
const sum = (...x) => x.reduce((total, term) => total + term, 0);
const heaviside = (x, atZero) => (x > 0 ? 1 : x < 0 ? 0 : x === 0 ? atZero : NaN);
const greater = (x, y) => (x > y ? 1 : x <= y ? 0 : NaN);
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
const where = (condition, x, y) => (condition !== 0 ? x : y);
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

COMPARISONS = ("<", "<=", ">", ">=", "===", "!==")
BINDING = dict.fromkeys(COMPARISONS, 1) | {"+": 2, "-": 2, "*": 3, "/": 3, "negative": 4}
ATOM = 5  # letters and calls hold together most tightly
MOST_QUESTIONS = 8  # comparisons one after another in a condition

_answers: ContextVar[dict[str, bool] | None] = ContextVar("_answers", default=None)  # while a condition is run


def _infix(name: str, swapped: bool = False) -> Callable[[Any, Operand], Expression]:
    """x + y as an expression; swapped for y + x where only x is one."""
    return lambda self, other: Expression(name, *((other, self) if swapped else (self, other)))


class Expression:
    """A letter, or an operation on operands.

    name       the letter, an operator of ``BINDING``, or a function of the prelude
    operands   expressions and numbers; none for a letter

    >>> x, y = letters(2)
    >>> x - (y + 1.0) / x
    x1 - (x2 + 1) / x1
    """

    __slots__ = ("name", "operands")

    def __init__(self, name: str, *operands: Operand) -> None:
        self.name = name
        self.operands = tuple(x if isinstance(x, Expression) else float(x) for x in operands)

    @property
    def parents(self) -> list[Expression]:
        """The operands that are expressions: the name by which a graph is walked."""
        return [x for x in self.operands if isinstance(x, Expression)]

    __add__, __radd__ = _infix("+"), _infix("+", swapped=True)
    __sub__, __rsub__ = _infix("-"), _infix("-", swapped=True)
    __mul__, __rmul__ = _infix("*"), _infix("*", swapped=True)
    __truediv__, __rtruediv__ = _infix("/"), _infix("/", swapped=True)
    __floordiv__ = _infix("floorDivide")
    __lt__, __le__, __gt__, __ge__ = map(_infix, ("<", "<=", ">", ">="))
    __eq__, __ne__ = _infix("==="), _infix("!==")  # type: ignore[assignment]

    def __neg__(self) -> Expression:
        return Expression("negative", self)

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        """Only ``condition`` may ask this: a rule has no number to decide with."""
        answers, question = _answers.get(), repr(self)
        if answers is None:
            raise TypeError(f"a rule asks no `if`, and here one asks {question}: write n.where or n.heaviside")
        if question not in answers:
            raise _Undecided(question)
        return answers[question]

    def __repr__(self) -> str:
        return _texts([self], inline=True)[1][0]


Operand = Expression | SupportsFloat


class _Undecided(Exception):
    """A comparison was asked to which no answer is given yet."""


def letters(count: int) -> list[Expression]:
    """x1, x2, …: the operands of a rule."""
    return [Expression(f"x{i + 1}") for i in range(count)]


def function(value: Operand, local_derivatives: Sequence[Operand], operands: Sequence[Expression]) -> str:
    """What a rule returned as the source of ``(x1, x2) => [value, [local derivatives]]``.

    What is used more than once is computed once.

    >>> x, y = letters(2)
    >>> function(x * y, (y, x), [x, y])
    '(x1, x2) => [x1 * x2, [x2, x1]]'
    >>> a = sigmoid(x)
    >>> function(a, [a * (1.0 - a)], [x])
    '(x1) => { const t1 = sigmoid(x1); return [t1, [t1 * (1 - t1)]]; }'
    """
    statements, [written, *locals_] = _texts([value, *local_derivatives])
    result = f"[{written}, [{', '.join(locals_)}]]"
    body = f"{{ {' '.join(statements)} return {result}; }}" if statements else result
    return f"({', '.join(x.name for x in operands)}) => {body}"


def condition(test: Callable[..., Any], operands: Sequence[Expression]) -> str:
    """A Python test on numbers, such as a domain's, as the source of a JavaScript function.

    It is run once for each way in which its comparisons can turn out. Raises TypeError where it asks something
    else than comparisons, or too many of them.

    >>> condition(lambda x: x > 0.0, letters(1))
    '(x1) => x1 > 0'
    >>> condition(lambda x: -1.0 < x < 1.0, letters(1))
    '(x1) => (x1 > -1 ? x1 < 1 : false)'
    """
    return f"({', '.join(x.name for x in operands)}) => {_decided(test, operands, {})}"


def _decided(test: Callable[..., Any], operands: Sequence[Expression], answers: dict[str, bool]) -> str:
    """The test's outcome where its comparisons turn out as ``answers`` says; a choice where it asks for one more."""
    outside = _answers.set(answers)
    try:
        outcome = test(*operands)
    except _Undecided as undecided:
        if len(answers) == MOST_QUESTIONS:
            raise TypeError(f"a condition of more than {MOST_QUESTIONS} comparisons one after another") from None
        [question] = undecided.args
        yes, no = (_decided(test, operands, answers | {question: answer}) for answer in (True, False))
        return f"({question} ? {yes} : {no})"
    finally:
        _answers.reset(outside)
    outcome = answers.get(repr(outcome), outcome)  # `x and y` gives back x where x is false
    if isinstance(outcome, bool):
        return "true" if outcome else "false"
    if isinstance(outcome, Expression) and outcome.name in COMPARISONS:
        return repr(outcome)
    raise TypeError(f"a condition gives true or false, not {outcome!r}")


def operations(results: Iterable[Operand]) -> list[Expression]:
    """Every expression that the results are made of, operands first."""
    together: Any = Expression("", *results)
    order: list[Any] = topological_order(together)
    return order[:-1]


def _texts(results: Sequence[Operand], inline: bool = False) -> tuple[list[str], list[str]]:
    """Statements that compute what is used more than once, and the results."""
    order = operations(results)
    uses = Counter(x for e in [*order, Expression("", *results)] for x in e.parents)
    written: dict[Expression, tuple[str, int]] = {}
    statements: list[str] = []

    def text(x: Operand, least: int = 0) -> str:
        source, binding = written[x] if isinstance(x, Expression) else number(x)
        return source if binding >= least else f"({source})"

    for e in order:
        written[e] = _operation(e, text)
        if e.operands and uses[e] > 1 and not inline:
            name = f"t{len(statements) + 1}"
            statements.append(f"const {name} = {written[e][0]};")
            written[e] = name, ATOM
    return statements, [text(x) for x in results]


def _operation(e: Expression, text: Callable[..., str]) -> tuple[str, int]:
    """One operation on operands that are written already, and how tightly it holds together."""
    binding = BINDING.get(e.name, ATOM)
    if not e.operands:
        return e.name, ATOM
    if e.name == "negative":
        return f"-{text(e.operands[0], ATOM)}", binding
    if binding == ATOM:
        return f"{e.name}({', '.join(map(text, e.operands))})", ATOM
    x, y = e.operands
    # a + (b + c) rounds otherwise than a + b + c
    return f"{text(x, binding)} {e.name} {text(y, binding + 1)}", binding


def number(x: SupportsFloat) -> tuple[str, int]:
    """A number as a literal, and how tightly that holds together."""
    source = repr(float(x)).removesuffix(".0").replace("inf", "Infinity").replace("nan", "NaN")
    return source, BINDING["negative"] if source.startswith("-") else ATOM


# ---- the elementary functions ---------------------------------------------------------------------------------


def _function(name: str) -> Callable[..., Expression]:
    return lambda *operands: Expression(name, *operands)


abs, exp, log, log1p, log2, expm1, sqrt = map(_function, ("abs", "exp", "log", "log1p", "log2", "expm1", "sqrt"))
sin, cos, tan, asin, acos, atan, atan2 = map(_function, ("sin", "cos", "tan", "asin", "acos", "atan", "atan2"))
sinh, cosh, tanh, erf, erfc, floor = map(_function, ("sinh", "cosh", "tanh", "erf", "erfc", "floor"))
sigmoid, softplus, heaviside, greater = map(_function, ("sigmoid", "softplus", "heaviside", "greater"))
clamp, detach, times, power, pow = map(_function, ("clamp", "detach", "times", "power", "pow"))
divide = _infix("/")


def maximum(x: Operand, y: Operand, name: str = "maximum") -> Expression:
    """A maximum of a maximum is one of more operands."""
    return Expression(name, *(x.operands if isinstance(x, Expression) and x.name == name else [x]), y)


def minimum(x: Operand, y: Operand) -> Expression:
    return maximum(x, y, "minimum")


def where(condition: Operand, x: Operand, y: Operand) -> Operand:
    if isinstance(condition, Expression):
        return Expression("where", condition, x, y)
    return x if float(condition) else y


def shares(x: Sequence[Operand], name: str = "shares") -> list[Expression]:
    """The entries of a list that is computed once."""
    whole = Expression(name, *x)
    return [Expression("at", float(i), whole) for i in range(len(x))]


def sum(x: Iterable[Operand]) -> Expression:
    return Expression("sum", *x)


def hypot(x: Iterable[Operand]) -> Expression:
    return Expression("hypot", *x)


def logsumexp(z: Sequence[Operand]) -> tuple[Expression, list[Expression]]:
    return Expression("logsumexp", *z), shares(z, "softmax")
