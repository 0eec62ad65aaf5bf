"""SymPy expressions as a number system: the rules print the formulas of the slides.

Operands are expressions over real symbols. What has a name of its own in print (σ, softplus, log Σ exp) keeps it;
SymPy differentiates and evaluates its formula.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

import sympy
from sympy import Abs as abs
from sympy import Heaviside as heaviside
from sympy import Max as maximum
from sympy import Min as minimum
from sympy import acos, asin, atan, atan2, cos, cosh, erf, erfc, exp, log, sin, sinh, sqrt, tan, tanh

Expression = Any  # SymPy ships no types

__all__ = [
    "abs", "acos", "asin", "atan", "atan2", "cos", "cosh", "erf", "erfc", "exp", "heaviside", "log",
    "maximum", "minimum", "sin", "sinh", "sqrt", "tan", "tanh",
]  # fmt: skip


def number(x: float) -> Expression:
    """A constant: whole numbers and halves, quarters, eighths exactly, others as the float that they are."""
    exact = -1e15 < x < 1e15 and Fraction(x).denominator <= 8
    return sympy.Rational(Fraction(x)) if exact else sympy.Float(x)


def tidy(expression: Any) -> Expression:
    """The expression with its constants as ``number`` writes them: rules say 1.0 − a, the slides 1 − a."""
    expression = sympy.sympify(expression)
    return expression.xreplace({x: number(float(x)) for x in expression.atoms(sympy.Float)})


class Spelled(sympy.Function):  # type: ignore[misc]
    """A function that is printed by its name, and differentiated and evaluated by its formula."""

    def formula(self) -> Expression:
        """The function of its arguments in SymPy's own functions."""
        raise NotImplementedError

    def fdiff(self, argindex: int = 1) -> Expression:
        letters = sympy.symbols(f"x:{len(self.args)}", real=True)
        slope = type(self)(*letters).formula().diff(letters[argindex - 1])
        return slope.xreplace(dict(zip(letters, self.args)))

    def _eval_evalf(self, precision: int) -> Expression:
        return self.formula()._eval_evalf(precision)


class sigmoid(Spelled):
    """σ(z) = 1/(1 + e⁻ᶻ)."""

    def formula(self) -> Expression:
        return 1 / (1 + sympy.exp(-self.args[0]))


class softplus(Spelled):
    """log(1 + eᶻ)."""

    def formula(self) -> Expression:
        return sympy.log(1 + sympy.exp(self.args[0]))


class log_sum_exp(Spelled):
    """log Σ eᶻ."""

    def formula(self) -> Expression:
        return sympy.log(sympy.Add(*map(sympy.exp, self.args)))


class floor(Spelled):
    """⌊x⌋, with derivative 0, which SymPy leaves open."""

    def formula(self) -> Expression:
        return sympy.floor(self.args[0])

    def fdiff(self, argindex: int = 1) -> Expression:
        return sympy.S.Zero


class detach(floor):
    """x, with derivative 0."""

    def formula(self) -> Expression:
        return self.args[0]


def logsumexp(z: Sequence[Expression]) -> tuple[Expression, tuple[Expression, ...]]:
    value = log_sum_exp(*z)
    return value, tuple(sympy.exp(z_j - value) for z_j in z)


def greater(x: Expression, y: Expression) -> Expression:
    return heaviside(x - y, 0)


def shares(x: Sequence[Expression]) -> list[Expression]:
    """Of each operand, the product of [x_i > x_j] over the others; of two, the second is 1 less the first."""
    if len(x) == 2:
        first = heaviside(x[0] - x[1], sympy.S.Half)
        return [first, 1 - first]
    return [sympy.Mul(*(heaviside(x_i - x_j, sympy.S.Half) for x_j in x if x_j is not x_i)) for x_i in x]


def clamp(x: Expression, low: Expression, high: Expression) -> Expression:
    return minimum(maximum(x, low), high)


def hypot(x: Sequence[Expression]) -> Expression:
    return sympy.sqrt(sympy.Add(*(x_i**2 for x_i in x)))


def sum(x: Iterable[Expression]) -> Expression:
    return sympy.Add(*x)


def where(condition: Expression, x: Expression, y: Expression) -> Expression:
    return sympy.Piecewise((x, sympy.Ne(condition, 0)), (y, True))


def log2(x: Expression) -> Expression:
    return sympy.log(x) / sympy.log(2)


def log1p(x: Expression) -> Expression:
    return sympy.log(1 + x)


def expm1(x: Expression) -> Expression:
    return sympy.exp(x) - 1


def times(x: Expression, y: Expression) -> Expression:
    """x y."""
    return x * y


def divide(x: Expression, y: Expression) -> Expression:
    return x / y


def power(x: Expression, p: Expression) -> Expression:
    return x**p


pow = power
