"""SymPy expressions as a number system: the rules return the formulas of the slides.

Operands are expressions over real symbols. Functions with a name in print (σ, softplus, log Σ exp) are written by
that name; SymPy differentiates and evaluates their formulas.
"""

import operator
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any

import sympy
from sympy import acos, asin, atan, atan2, cos, erf, erfc, exp, log, sin, sqrt, tan

Expression = Any  # SymPy ships no types

__all__ = ["acos", "asin", "atan", "atan2", "cos", "erf", "erfc", "exp", "log", "sin", "sqrt", "tan"]
times, divide, power = operator.mul, operator.truediv, operator.pow
pow = power


def number(x: float) -> Expression:
    """Return a constant: small integers, halves, quarters and eighths exactly, all others as floats.

    An exact large number could take SymPy millions of digits, as in the coefficient of (x/2)¹⁰⁰⁰⁰⁰⁰⁰⁰⁰.
    """
    exact = -1e4 < x < 1e4 and Fraction(x).denominator <= 8
    return sympy.Rational(Fraction(x)) if exact else sympy.Float(x)


def tidy(expression: Any) -> Expression:
    """Return the expression with its constants converted by ``number``: 1.0 − a becomes 1 − a, as on the slides."""
    expression = sympy.sympify(expression)
    return expression.xreplace({x: number(float(x)) for x in expression.atoms(sympy.Float)})


class Spelled(sympy.Function):  # type: ignore[misc]
    """A function that is printed by name, but differentiated and evaluated by its formula."""

    is_real = True  # otherwise SymPy expands the expression around it to find out

    formula: Callable[..., Expression]

    def fdiff(self, argindex: int = 1) -> Expression:
        letters = sympy.symbols(f"x:{len(self.args)}", real=True)
        slope = self.formula(*letters).diff(letters[argindex - 1])
        return slope.xreplace(dict(zip(letters, self.args)))

    def _eval_evalf(self, precision: int) -> Expression:
        return self.formula(*self.args)._eval_evalf(precision)


def _spelled(name: str, formula: Callable[..., Expression]) -> Any:
    formula.__doc__ = f"Return {name} in SymPy's own functions."
    return type(name, (Spelled,), {"formula": staticmethod(formula), "__doc__": f"{name}, with its formula."})


sigmoid = _spelled("sigmoid", lambda z: 1 / (1 + sympy.exp(-z)))
softplus = _spelled("softplus", lambda z: sympy.log(1 + sympy.exp(z)))
log_sum_exp = _spelled("logsumexp", lambda *z: sympy.log(sympy.Add(*map(sympy.exp, z))))
sinh = _spelled("sinh", lambda x: (sympy.exp(x) - sympy.exp(-x)) / 2)
cosh = _spelled("cosh", lambda x: (sympy.exp(x) + sympy.exp(-x)) / 2)
tanh = _spelled("tanh", lambda z: 1 - 2 / (sympy.exp(2 * z) + 1))


class Decision(sympy.Function):  # type: ignore[misc]
    """A function with kinks or jumps, which is evaluated only if its operands are numbers.

    SymPy's own functions try to decide cases that symbols leave open, and expand expressions to do so.
    """

    is_real = True
    decided: Callable[..., Any]
    _slopes: Callable[..., Any]
    _first: int  # how many of the operands decide; 0 for all

    @classmethod
    def eval(cls, *x: Expression) -> Expression | None:
        """Return the value if the operands decide it, else None, which leaves the function unevaluated."""
        is_decided = all(x_i.is_Number for x_i in x[: cls._first or None])
        return sympy.sympify(cls.decided(*x)) if is_decided else None

    def fdiff(self, argindex: int = 1) -> Expression:
        """Return the derivative, away from kinks and jumps."""
        return sympy.sympify(self._slopes(*self.args)[argindex - 1])


def _decision(
    name: str, decided: Callable[..., Any], slopes: Callable[..., Any] = lambda *x: [0] * len(x), first: int = 0
) -> Any:
    decided.__doc__ = "Return the value for numbers of SymPy or mpmath."
    members = {"decided": staticmethod(decided), "_slopes": staticmethod(slopes), "_first": first}
    return type(name, (Decision,), {**members, "__doc__": f"{name}, evaluated if its operands are numbers."})


def _step(x: Expression) -> Expression:
    return heaviside(x, sympy.S.Half)


heaviside = _decision("heaviside", lambda x, at_zero: int(bool(x > 0)) if x else at_zero)
abs = _decision("abs", lambda x: x if x >= 0 else -x, lambda x: [2 * _step(x) - 1])
maximum = _decision("maximum", lambda *x: max(x), lambda x, y: [_step(x - y), _step(y - x)])
minimum = _decision("minimum", lambda *x: min(x), lambda x, y: [_step(y - x), _step(x - y)])
where: Any = _decision(
    "where", lambda c, x, y: x if c else y, lambda c, x, y: [0, where(c, 1, 0), where(c, 0, 1)], first=1
)


def _clamp_slopes(x: Expression, low: Expression, high: Expression) -> list[Expression]:
    below = _step(high - x)
    of_x = _step(x - low) * below * greater(high, low)
    return [of_x, below - of_x, 1 - below]


clamp = _decision("clamp", lambda x, low, high: min(max(x, low), high), _clamp_slopes)
floor = _decision("floor", lambda x: int(x) - bool(int(x) > x))
detach = _decision("detach", lambda x: x)


def logsumexp(z: Sequence[Expression]) -> tuple[Expression, tuple[Expression, ...]]:
    value = log_sum_exp(*z)
    return value, tuple(sympy.exp(z_j - value) for z_j in z)


def greater(x: Expression, y: Expression) -> Expression:
    return heaviside(x - y, 0)


def shares(x: Sequence[Expression]) -> list[Expression]:
    """Return for each operand the product of [x_i > x_j] over the others; for two, [x > y] and 1 − [x > y]."""
    if len(x) == 2:
        first = heaviside(x[0] - x[1], sympy.S.Half)
        return [first, 1 - first]
    chosen = [sympy.Mul(*(heaviside(x_i - x_j, sympy.S.Half) for x_j in x if x_j != x_i)) for x_i in x]
    return [of_i / list(x).count(x_i) for x_i, of_i in zip(x, chosen)]


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
