"""Measures, evaluates and shortens SymPy expressions in bounded time.

SymPy can run for minutes on short formulas, for example if it expands (x + y)¹⁵⁰, lists the coefficients of
x¹⁰⁰⁰ + x², or writes out shared parts as a tree. Each function here thus bounds the size of its result first.
"""

from math import comb, inf
from typing import Any

import mpmath
import sympy

from autograd.number_systems import symbols
from autograd.number_systems.symbols import Decision, Expression, Spelled
from autograd.table import Primitive

LARGEST = 30  # operations in a formula that is still readable
DENSEST = 300  # coefficients of a polynomial that SymPy may factor, including zeros
BITS = 2400  # of precision, so that any sum of floats is exact
HUGE, HUGE_BITS = 1e6, 1100  # larger exponents need this many more bits for their fraction


def readable(expression: Expression | None) -> Expression | None:
    """Return the expression; None if it has more than ``LARGEST`` operations."""
    is_given = expression is not None
    return expression if is_given and sum(map(_cost, sympy.preorder_traversal(expression))) <= LARGEST else None


def _cost(e: Expression) -> float:
    """Return the number of operations without those of its operands; ∞ for a number beyond the floats."""
    if e.is_Rational:  # may have a million digits
        return 0 if max(int(e.p).bit_length(), e.q.bit_length()) <= 1000 else inf
    if e.is_Float:
        return 0 if not e or 0.0 < abs(float(e)) < inf else inf
    return max(len(e.args) - 1, 1) if e.args else 0


def shortest(expression: Expression) -> Expression:
    """Return the shortest of a few forms; ``sympy.simplify`` tries many more, which takes seconds."""
    forms = [expression, sympy.factor_terms(expression)]
    variables, degree = len(expression.atoms(sympy.Symbol, sympy.Function)), _degree(expression)
    if degree < inf and comb(int(degree) + variables, variables) <= DENSEST:
        forms += [sympy.expand(expression), sympy.factor(expression), sympy.cancel(expression)]
    return min(forms, key=sympy.count_ops)


def _degree(e: Expression) -> float:
    """Return the degree of the expression as an expanded polynomial; ∞ if SymPy should not try to expand it."""
    if e.is_Float or isinstance(e, Decision):
        return inf
    if e.is_Add or e.is_Mul:
        return (max if e.is_Add else sum)(map(_degree, e.args))
    base, exponent = e.as_base_exp()
    if base is e:
        return 0 if e.is_Number else 1 + sum(map(_degree, e.args))
    degree = 0.0
    for term in sympy.Add.make_args(exponent):
        times, power = term.as_coeff_Mul()
        below = _degree(base) if power == 1 else 1 + _degree(power)
        degree += below * abs(float(times)) * times.q if times.is_Rational and times.q <= 2 else inf
    return degree


def number(expression: Any, at: dict[Expression, Any]) -> Any:
    """Return the expression's value without rounding, at the numbers ``at`` of its symbols; NaN if it is not real."""
    with mpmath.workprec(BITS):
        return _number(sympy.sympify(expression), at)


def _number(e: Expression, at: dict[Expression, Any]) -> Any:
    if e in at:
        return at[e]
    x = [_number(part, at) for part in e.args]
    try:
        value = _computed(e, x) if x else mpmath.mpf(e._as_mpf_val(BITS))
    except (ArithmeticError, AttributeError, ValueError):  # for example, 1/0 in a branch that is not taken
        return mpmath.nan
    return mpmath.nan if isinstance(value, mpmath.mpc) else value


def _computed(e: Expression, x: list[Any]) -> Any:
    """Return the result of one operation on numbers."""
    if isinstance(e, Decision):
        return e.decided(*x)
    if isinstance(e, Spelled):
        letters = sympy.symbols(f"x:{len(x)}", real=True)
        return _number(e.formula(*letters), dict(zip(letters, x)))
    if e.is_Add or e.is_Mul:
        return mpmath.fsum(x) if e.is_Add else mpmath.fprod(x)
    if e.is_Pow:
        base, exponent = x
        if base == 0 or abs(exponent) < HUGE:
            return mpmath.power(base, exponent)
        with mpmath.extraprec(HUGE_BITS):  # a negative base needs a whole exponent, even or odd
            sign = 1 if base > 0 or exponent % 2 == 0 else -1 if exponent % 2 == 1 else mpmath.nan
            return sign * _exp(exponent * mpmath.log(abs(base)))
    name = type(e).__name__
    return _exp(*x) if name == "exp" else abs(*x) if name == "Abs" else getattr(mpmath, name)(*x)


def _exp(x: Any) -> Any:
    """Return eˣ; if |x| is large, as 2ⁿ eʳ, which mpmath computes faster."""
    if abs(x) < HUGE:
        return mpmath.exp(x)
    with mpmath.extraprec(HUGE_BITS):
        n = mpmath.floor(x / mpmath.ln2)
        return mpmath.ldexp(mpmath.exp(x - n * mpmath.ln2), int(n))


def written(operation: Primitive, *operands: Expression) -> tuple[Any, Any] | None:
    """Return the result of a rule on expressions; None for a rule that needs floats, as for ``math.sin``."""
    try:
        return operation.rule(symbols, *operands)
    except TypeError:
        return None
