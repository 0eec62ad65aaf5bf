"""Formulas as a number system: a rule of the table, run on letters, becomes a formula.

``javascript`` writes formulas for pages, ``compiled`` for the processor. Constants are plain floats, and operations
on floats only return floats. Sigmoid, softmax and similar functions are defined here once, as *forms*: formulas of
elementary functions, which a writer substitutes for them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from math import inf, nan
from typing import Any, SupportsFloat

from autograd.graph import topological_order

REDUCTIONS = ("total", "largest", "smallest", "norm")  # functions from a row to a number
LISTS = ("shares", "softmax")  # functions from a row, or from operands, to a list
TO_ONE = (*REDUCTIONS, "sum", "maximum", "minimum", "hypot", "logsumexp")


def _infix(sign: str, swapped: bool = False) -> Callable[[Any, Operand], Formula]:
    """Return an operator such as x + y on formulas; ``swapped`` for y + x if only x is a formula."""
    return lambda self, other: Formula(sign, *((other, self) if swapped else (self, other)))


class Formula:
    """A letter, or an operation on operands.

    name       the letter, a sign such as +, or a function
    operands   formulas and numbers; empty for a letter
    is_row     whether its value is a list of numbers: the letter of a row, or a formula computed from one

    >>> x, y = letters(2)
    >>> (x + 1.0).operands
    (x1, 1.0)
    """

    __slots__ = ("is_row", "name", "operands")
    is_row: bool

    def __init__(self, name: str, *operands: Operand, is_row: bool = False) -> None:
        self.name = name
        self.operands = tuple(x if isinstance(x, Formula) else float(x) for x in operands)
        self.is_row = is_row or (name not in TO_ONE and any(x.is_row for x in self.parents))

    @property
    def parents(self) -> list[Formula]:
        """The operands that are formulas; graph traversal expects this name."""
        return [x for x in self.operands if isinstance(x, Formula)]

    __add__, __radd__ = _infix("+"), _infix("+", swapped=True)
    __sub__, __rsub__ = _infix("-"), _infix("-", swapped=True)
    __mul__, __rmul__ = _infix("*"), _infix("*", swapped=True)
    __truediv__, __rtruediv__ = _infix("/"), _infix("/", swapped=True)
    __lt__, __le__, __gt__, __ge__ = map(_infix, ("<", "<=", ">", ">="))
    __eq__, __ne__ = _infix("==="), _infix("!==")  # type: ignore[assignment]

    def __pow__(self, p: Operand) -> Formula:
        return sqrt(self) if not isinstance(p, Formula) and p == 0.5 else power(self, p)

    def __rpow__(self, x: Operand) -> Formula:
        return power(x, self)

    def __neg__(self) -> Formula:
        return Formula("negative", self)

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        raise TypeError(f"a rule cannot branch on {self!r}: write n.where or n.heaviside")

    def __repr__(self) -> str:
        shown = ["…" if isinstance(x, Formula) and x.operands else f"{x!r}".removesuffix(".0") for x in self.operands]
        called = f"{self.name}({', '.join(shown)})" if self.name.isidentifier() else f" {self.name} ".join(shown)
        return called if self.operands else self.name


Operand = Formula | SupportsFloat


def letters(count: int) -> list[Formula]:
    """Return x1, x2, … as the operands of a rule."""
    return [Formula(f"x{i + 1}") for i in range(count)]


def operations(results: Iterable[Operand], without: Collection[Formula] = ()) -> list[Formula]:
    """Return every formula in the results, operands first; ``without`` leaves out formulas and their operands."""
    together: Any = Formula("", *results)
    order: list[Any] = topological_order(together, without)
    return order[:-1]


# ---- the elementary functions ---------------------------------------------------------------------------------


def _functions(names: str) -> Iterator[Callable[..., Formula]]:
    return (partial(Formula, name) for name in names.split())


abs, exp, log, log1p, log2, expm1, floor = _functions("abs exp log log1p log2 expm1 floor")
sin, cos, tan, asin, acos, atan, atan2 = _functions("sin cos tan asin acos atan atan2")
sinh, cosh, tanh, erf, erfc, root, power = _functions("sinh cosh tanh erf erfc root power")
total, largest, smallest, norm = _functions(" ".join(REDUCTIONS))
divide = _infix("/")


def where(condition: Operand, x: Operand, y: Operand) -> Operand:
    if isinstance(condition, Formula):
        return Formula("where", condition, x, y)
    return x if float(condition) else y


# ---- forms: functions that a rule calls by name, and their formulas ------------------------------------------------


def _sigmoid(z: Any) -> Operand:
    e = exp(-abs(z))  # the exponent is never positive, so nothing overflows
    return where(z >= 0.0, 1.0, e) / (1.0 + e)


larger: Callable[..., Formula]
smaller: Callable[..., Formula]

FORMS: dict[str, Callable[..., Operand]] = {
    "sqrt": lambda x: root(x) + 0.0,  # √−0 = 0, without the sign
    "detach": lambda x: x,
    "times": lambda x, y: where(y == 0.0, 0.0, x * y),
    "heaviside": lambda x, at_zero: where(x > 0.0, 1.0, where(x < 0.0, 0.0, where(x == 0.0, at_zero, nan))),
    "greater": lambda x, y: where(x > y, 1.0, where(x <= y, 0.0, nan)),
    "larger": lambda x, y: where(x >= y, x, where(y > x, y, nan)),
    "smaller": lambda x, y: where(x <= y, x, where(y < x, y, nan)),
    "clamp": lambda x, low, high: where(low <= high, smaller(larger(x, low), high), nan),
    "pow": lambda x, y: where(x < 0.0, nan, power(x, y)),
    "sigmoid": _sigmoid,
    "softplus": lambda z: larger(z, 0.0) + log1p(exp(-abs(z))),
}
sqrt, detach, times, heaviside, greater, larger, smaller, clamp, pow, sigmoid, softplus = _functions(" ".join(FORMS))


def _shares(x: Any) -> Operand:
    top: Any = largest(x)
    chosen: Any = where(top == top, where(x == top, 1.0, 0.0), nan)
    shares: Operand = chosen / total(chosen)
    return shares


def _powers(z: Any, top: Any) -> Any:
    """Return e^(z − top): 1 for the largest z, even if it is infinite; NaN if all are −∞."""
    return where(z == top, where(top > -inf, 1.0, nan), exp(z - top))


def _softmax(z: Any) -> Operand:
    e = _powers(z, largest(z))
    softmax: Operand = e / total(e)
    return softmax


def _logsumexp(z: Any) -> Operand:
    top: Any = largest(z)
    others = total(where(z == top, 0.0, exp(z - top)))  # small terms are added first
    ones = total(where(z == top, 1.0, 0.0))
    return where(top - top == 0.0, top + log(ones) + log1p(others / ones), top)


# functions of all operands as one row; a list, such as the softmax, is also a row
ROW_FORMS: dict[str, Callable[[Any], Operand]] = {
    "sum": total, "maximum": largest, "minimum": smallest, "hypot": norm,
    "shares": _shares, "softmax": _softmax, "logsumexp": _logsumexp,
}  # fmt: skip


def maximum(x: Operand, y: Operand, name: str = "maximum") -> Formula:
    """Return a maximum; a maximum of a maximum becomes one maximum of all operands."""
    return Formula(name, *(x.operands if isinstance(x, Formula) and x.name == name else [x]), y)


minimum = partial(maximum, name="minimum")


def sum(x: Iterable[Operand]) -> Formula:
    return Formula("sum", *x)


def hypot(x: Iterable[Operand]) -> Formula:
    return Formula("hypot", *x)


def shares(x: Sequence[Operand], name: str = "shares") -> list[Formula]:
    """Return the entries of a list that is computed once."""
    whole = Formula(name, *x)
    return [whole] if whole.is_row else [Formula("at", float(i), whole) for i in range(len(x))]


def logsumexp(z: Sequence[Operand]) -> tuple[Formula, list[Formula]]:
    return Formula("logsumexp", *z), shares(z, "softmax")
