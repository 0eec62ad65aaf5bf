"""SymPy expressions as a number system: the rules print the formulas of the slides.

Operands are expressions over real symbols. What has a name of its own in print (σ, softplus, log Σ exp) keeps it;
SymPy differentiates and evaluates its formula.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

import sympy
from sympy import acos, asin, atan, atan2, cos, erf, erfc, exp, log, sin, sqrt, tan

Expression = Any  # SymPy ships no types

__all__ = ["acos", "asin", "atan", "atan2", "cos", "erf", "erfc", "exp", "log", "sin", "sqrt", "tan"]


def number(x: float) -> Expression:
    """A constant: whole numbers and halves, quarters, eighths exactly, others as the float that they are.

    Large ones too: SymPy has as many digits of (x/2)¹⁰⁰⁰⁰⁰⁰⁰⁰⁰'s coefficient as it is given exactly.
    """
    exact = -1e4 < x < 1e4 and Fraction(x).denominator <= 8
    return sympy.Rational(Fraction(x)) if exact else sympy.Float(x)


def tidy(expression: Any) -> Expression:
    """The expression with its constants as ``number`` writes them: rules say 1.0 − a, the slides 1 − a."""
    expression = sympy.sympify(expression)
    return expression.xreplace({x: number(float(x)) for x in expression.atoms(sympy.Float)})


class Spelled(sympy.Function):  # type: ignore[misc]
    """A function that is printed by its name, and differentiated and evaluated by its formula."""

    is_real = True  # else SymPy multiplies out what it stands in, to see whether it is

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


class sinh(Spelled):
    """(eˣ − e⁻ˣ)/2."""

    def formula(self) -> Expression:
        return (sympy.exp(self.args[0]) - sympy.exp(-self.args[0])) / 2


class cosh(Spelled):
    """(eˣ + e⁻ˣ)/2."""

    def formula(self) -> Expression:
        return (sympy.exp(self.args[0]) + sympy.exp(-self.args[0])) / 2


class tanh(Spelled):
    """1 − 2/(e²ᶻ + 1)."""

    def formula(self) -> Expression:
        return 1 - 2 / (sympy.exp(2 * self.args[0]) + 1)


class softplus(Spelled):
    """log(1 + eᶻ)."""

    def formula(self) -> Expression:
        return sympy.log(1 + sympy.exp(self.args[0]))


class log_sum_exp(Spelled):
    """log Σ eᶻ."""

    def formula(self) -> Expression:
        return sympy.log(sympy.Add(*map(sympy.exp, self.args)))


class Decision(sympy.Function):  # type: ignore[misc]
    """A function with kinks or jumps, decided where its operands are numbers.

    SymPy's own try to decide what symbols leave open, and multiply out what they stand in to find out.
    """

    is_real = True

    @classmethod
    def eval(cls, *x: Expression) -> Expression | None:
        return sympy.sympify(cls.decided(*x)) if all(x_i.is_Number for x_i in x) else None

    @staticmethod
    def decided(*x: Expression) -> Expression:
        """The value for numbers, SymPy's or mpmath's."""
        raise NotImplementedError

    def fdiff(self, argindex: int = 1) -> Expression:
        return self.slopes(*self.args)[argindex - 1]

    def slopes(self, *x: Expression) -> Sequence[Expression]:
        """The derivatives, away from kinks and jumps."""
        return [sympy.S.Zero] * len(x)


class heaviside(Decision):
    """0 left of zero, 1 right of it, ``at_zero`` in between."""

    @staticmethod
    def decided(x: Expression, at_zero: Expression) -> Expression:
        return at_zero if not x else int(bool(x > 0))


class abs(Decision):
    """|x|."""

    @staticmethod
    def decided(x: Expression) -> Expression:
        return x if x >= 0 else -x

    def slopes(self, x: Expression) -> Sequence[Expression]:
        return [2 * heaviside(x, sympy.S.Half) - 1]


class maximum(Decision):
    """The larger."""

    @staticmethod
    def decided(*x: Expression) -> Expression:
        return max(x)

    def slopes(self, x: Expression, y: Expression) -> Sequence[Expression]:
        return heaviside(x - y, sympy.S.Half), heaviside(y - x, sympy.S.Half)


class minimum(Decision):
    """The smaller."""

    @staticmethod
    def decided(*x: Expression) -> Expression:
        return min(x)

    def slopes(self, x: Expression, y: Expression) -> Sequence[Expression]:
        return heaviside(y - x, sympy.S.Half), heaviside(x - y, sympy.S.Half)


class where(Decision):
    """x where the condition is not 0, else y."""

    @classmethod
    def eval(cls, condition: Expression, x: Expression, y: Expression) -> Expression | None:
        return cls.decided(condition, x, y) if condition.is_Number else None

    @staticmethod
    def decided(condition: Expression, x: Expression, y: Expression) -> Expression:
        return x if condition else y

    def slopes(self, condition: Expression, x: Expression, y: Expression) -> Sequence[Expression]:
        return sympy.S.Zero, where(condition, sympy.S.One, sympy.S.Zero), where(condition, sympy.S.Zero, sympy.S.One)


class floor(Decision):
    """The largest whole number that is at most x."""

    @staticmethod
    def decided(x: Expression) -> Expression:
        return int(x) - bool(int(x) > x)


class detach(Decision):
    """x, with derivative 0."""

    @staticmethod
    def decided(x: Expression) -> Expression:
        return x


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
