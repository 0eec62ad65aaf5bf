"""JavaScript as a number system: a rule of the table, run on these expressions, writes its own source.

An expression is a letter, or an operation on expressions and numbers. Constants enter as plain floats; what a rule
does with floats alone stays a float. ``PRELUDE`` holds the elementary functions, with the meaning that ``floats``
gives them; no rule stands in JavaScript.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from typing import Any, SupportsFloat

PRELUDE = """\
const { abs, atan, cos, cosh, exp, expm1, log, log1p, sin, sinh, tan, tanh } = Math;
const sqrt = (x) => Math.sqrt(x) + 0; // √−0 = 0, without the sign
const divide = (x, y) => x / y;
const floorDivide = (x, y) => Math.floor(x / y);
const sum = (...x) => x.reduce((total, term) => total + term, 0);
const heaviside = (x, atZero) => (x > 0 ? 1 : x < 0 ? 0 : x === 0 ? atZero : NaN);
const maximum = (x, y) => (x >= y ? x : y > x ? y : NaN);
const minimum = (x, y) => (x <= y ? x : y < x ? y : NaN);
const where = (condition, x, y) => (condition !== 0 ? x : y);
// 1 to any power is 1, and so is (−1) to ±∞: IEEE 754 says so, Math.pow says NaN
const power = (x, p) => (x === 1 || (x === -1 && abs(p) === Infinity) ? 1 : Math.pow(x, p));
const pow = (x, y) => (x < 0 ? NaN : power(x, y));
// the exponents of these three are never positive, so nothing overflows
const sigmoid = (z) => (z >= 0 ? 1 / (1 + exp(-z)) : exp(z) / (1 + exp(z)));
const softplus = (z) => maximum(z, 0) + log1p(exp(-abs(z)));
// near 0 a series of positive terms for erf, further out a continued fraction for erfc; x² is cut in two, since
// exp would multiply its rounding
const erfc = (x) => {
  if (x < 0) return 2 - erfc(-x);
  const high = Math.fround(x);
  const scale = x > 30 ? 0 : (exp(-high * high) * exp((high - x) * (high + x))) / sqrt(Math.PI);
  if (x < 0.6) {
    let term = 2 * x, total = term;
    for (let n = 1; term > 1e-17 * total; n++) total += term *= (2 * x * x) / (2 * n + 1);
    return 1 - scale * total;
  }
  let below = x;
  for (let n = 600; n > 0; n--) below = x + n / 2 / below;
  return x === Infinity ? 0 : scale / below;
};
const logsumexp = (...z) => {
  const largest = Math.max(...z);
  return Number.isFinite(largest) ? largest + log(sum(...z.map((zj) => exp(zj - largest)))) : largest;
};
"""

COMPARISONS = ("<", "<=", ">", ">=", "===", "!==")
BINDING = dict.fromkeys(COMPARISONS, 1) | {"+": 2, "-": 2, "*": 3, "/": 3, "negative": 4}
ATOM = 5  # letters and calls hold together most tightly
MOST_QUESTIONS = 8  # comparisons one after another in a condition

_answers: ContextVar[tuple[bool, ...]] = ContextVar("_answers", default=())
_asked: ContextVar[list[Expression]] = ContextVar("_asked")


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

    def __add__(self, other: Operand) -> Expression:
        return Expression("+", self, other)

    def __radd__(self, other: Operand) -> Expression:
        return Expression("+", other, self)

    def __sub__(self, other: Operand) -> Expression:
        return Expression("-", self, other)

    def __rsub__(self, other: Operand) -> Expression:
        return Expression("-", other, self)

    def __mul__(self, other: Operand) -> Expression:
        return Expression("*", self, other)

    def __rmul__(self, other: Operand) -> Expression:
        return Expression("*", other, self)

    def __truediv__(self, other: Operand) -> Expression:
        return Expression("/", self, other)

    def __rtruediv__(self, other: Operand) -> Expression:
        return Expression("/", other, self)

    def __floordiv__(self, other: Operand) -> Expression:
        return Expression("floorDivide", self, other)

    def __neg__(self) -> Expression:
        return Expression("negative", self)

    def __lt__(self, other: Operand) -> Expression:
        return Expression("<", self, other)

    def __le__(self, other: Operand) -> Expression:
        return Expression("<=", self, other)

    def __gt__(self, other: Operand) -> Expression:
        return Expression(">", self, other)

    def __ge__(self, other: Operand) -> Expression:
        return Expression(">=", self, other)

    def __eq__(self, other: Operand) -> Expression:  # type: ignore[override]
        return Expression("===", self, other)

    def __ne__(self, other: Operand) -> Expression:  # type: ignore[override]
        return Expression("!==", self, other)

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        """Only ``condition`` may ask this: a rule has no number to decide with."""
        asked = _asked.get(None)
        if asked is None:
            raise TypeError(f"a rule asks no `if`, and here one asks {self!r}: write n.where or n.heaviside")
        asked.append(self)
        if len(asked) > len(_answers.get()):
            raise _Undecided
        return _answers.get()[len(asked) - 1]

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
    return f"({', '.join(x.name for x in operands)}) => {_decided(test, operands, ())}"


def _decided(test: Callable[..., Any], operands: Sequence[Expression], answers: tuple[bool, ...]) -> str:
    """The test's outcome where its comparisons turn out as ``answers`` says; a choice where it asks for one more."""
    given, asked = _answers.set(answers), _asked.set([])
    try:
        outcome = test(*operands)
    except _Undecided:
        question = _asked.get()[-1]
    else:
        for question, answer in zip(_asked.get(), answers):
            outcome = answer if outcome is question else outcome  # `x and y` gives back x where x is false
        if isinstance(outcome, bool):
            return "true" if outcome else "false"
        if isinstance(outcome, Expression) and outcome.name in COMPARISONS:
            return repr(outcome)
        raise TypeError(f"a condition gives true or false, not {outcome!r}")
    finally:
        _answers.reset(given)
        _asked.reset(asked)
    if len(answers) == MOST_QUESTIONS:
        raise TypeError(f"a condition of more than {MOST_QUESTIONS} comparisons one after another")
    yes, no = (_decided(test, operands, (*answers, answer)) for answer in (True, False))
    return f"({question!r} ? {yes} : {no})"


def operations(results: Iterable[Operand]) -> list[Expression]:
    """Every expression that the results are made of, operands first; a walk, never a recursion."""
    order: list[Expression] = []
    seen: set[Expression] = set()
    stack: list[Any] = [x for x in results if isinstance(x, Expression)][::-1]
    while stack:
        e = stack.pop()
        if e is None:  # everything above the next expression of the stack is done
            order.append(stack.pop())
        elif e not in seen:
            seen.add(e)
            stack += (e, None)
            stack += [x for x in e.operands if isinstance(x, Expression)][::-1]
    return order


def _texts(results: Sequence[Operand], inline: bool = False) -> tuple[list[str], list[str]]:
    """Statements that compute what is used more than once, and the results."""
    order = operations(results)
    uses = dict.fromkeys(order, 0)
    for x in [*results, *(x for e in order for x in e.operands)]:
        if isinstance(x, Expression):
            uses[x] += 1
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
    return (
        f"{text(x, binding)} {e.name} {text(y, binding + 1)}",
        binding,
    )  # a + (b + c) rounds otherwise than a + b + c


def number(x: SupportsFloat) -> tuple[str, int]:
    """A number as a literal, and how tightly that holds together."""
    x = float(x)
    if x - x != 0.0:
        return "NaN" if x != x else "Infinity" if x > 0.0 else "-Infinity", ATOM if not x < 0.0 else BINDING[
            "negative"
        ]
    source = repr(x).removesuffix(".0")
    return source, BINDING["negative"] if source.startswith("-") else ATOM


# ---- the elementary functions ---------------------------------------------------------------------------------


def exp(x: Operand) -> Expression:
    return Expression("exp", x)


def log(x: Operand) -> Expression:
    return Expression("log", x)


def sqrt(x: Operand) -> Expression:
    return Expression("sqrt", x)


def sin(x: Operand) -> Expression:
    return Expression("sin", x)


def cos(x: Operand) -> Expression:
    return Expression("cos", x)


def tanh(x: Operand) -> Expression:
    return Expression("tanh", x)


def tan(x: Operand) -> Expression:
    return Expression("tan", x)


def atan(x: Operand) -> Expression:
    return Expression("atan", x)


def sinh(x: Operand) -> Expression:
    return Expression("sinh", x)


def cosh(x: Operand) -> Expression:
    return Expression("cosh", x)


def log1p(x: Operand) -> Expression:
    return Expression("log1p", x)


def expm1(x: Operand) -> Expression:
    return Expression("expm1", x)


def erfc(x: Operand) -> Expression:
    return Expression("erfc", x)


def sigmoid(z: Operand) -> Expression:
    return Expression("sigmoid", z)


def softplus(z: Operand) -> Expression:
    return Expression("softplus", z)


def abs(x: Operand) -> Expression:
    return Expression("abs", x)


def heaviside(x: Operand, at_zero: float) -> Expression:
    """0 left of zero, 1 right of it, ``at_zero`` in between."""
    return Expression("heaviside", x, at_zero)


def maximum(x: Operand, y: Operand) -> Expression:
    return Expression("maximum", x, y)


def minimum(x: Operand, y: Operand) -> Expression:
    return Expression("minimum", x, y)


def where(condition: Operand, x: Operand, y: Operand) -> Operand:
    if isinstance(condition, Expression):
        return Expression("where", condition, x, y)
    return x if float(condition) else y


def divide(x: Operand, y: Operand) -> Expression:
    return Expression("divide", x, y)


def power(x: Operand, p: Operand) -> Expression:
    return Expression("power", x, p)


def pow(x: Operand, y: Operand) -> Expression:
    return Expression("pow", x, y)


def sum(x: Iterable[Operand]) -> Expression:
    return Expression("sum", *x)


def logsumexp(z: Iterable[Operand]) -> Expression:
    return Expression("logsumexp", *z)
