"""What is asked of a SymPy expression: its size, its number, its shortest form.

SymPy works in time, and to sizes, that no timer bounds well: (x + y)¹⁵⁰ multiplied out, x¹⁰⁰⁰ + x² as a list of
coefficients, shared parts written out as a tree. So the size of each result is known before the work is begun.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, prod
from typing import Any

import mpmath
import sympy

from autograd.number_systems.symbols import Decision, Expression, Spelled

LARGEST = 30  # operations in a formula that a reader still takes in
DENSEST = 300  # coefficients of a polynomial, zeros among them, that SymPy is given to factor
BITS = 2400  # of a number: any sum of floats is exact
HUGE, HUGE_BITS = 1e6, 1100  # an exponent of which the fraction needs bits of its own


def operations(expression: Expression) -> float:
    """How many operations the expression has, written out as a tree; ∞ where a number is no float."""
    found: dict[Expression, float] = {}
    for e in _parts(expression, lambda e: e.args):
        if e.args:
            found[e] = sum(found[part] for part in e.args) + max(len(e.args) - 1, 1)
        elif e.is_Rational:  # SymPy has exact ones of a million digits
            found[e] = 0 if max(int(e.p).bit_length(), e.q.bit_length()) <= 1000 else inf
        else:
            found[e] = inf if e.is_Float and e and not 0.0 < abs(float(e)) < inf else 0
    return found[expression]


def shortest(expression: Expression) -> Expression:
    """The shortest of a few forms; ``sympy.simplify`` tries many more, for seconds."""
    forms = [expression, sympy.factor_terms(expression)]
    if _density(expression) <= DENSEST:
        forms += [sympy.expand(expression), sympy.factor(expression), sympy.cancel(expression)]
    return min(forms, key=sympy.count_ops)


def _density(expression: Expression) -> float:
    """How many coefficients the expression has as a polynomial in all its parts: of x¹⁰⁰⁰ + x², 1001."""
    return prod(degree + 1 for degree in _degrees(expression).values())


def _degrees(e: Expression) -> dict[Expression, float]:
    """Up to which power each part occurs when products and powers are multiplied out."""
    if e.is_Number:
        return {} if e.is_Rational else {e: 1e9}  # SymPy factors no floats well
    base, exponent = e.as_base_exp()
    if not e.args or (base is e and not (e.is_Add or e.is_Mul)):
        inside = [{e: 1.0}, *map(_degrees, e.args)]
        return _joined(inside, max) if not isinstance(e, Decision) else {e: 1e9}
    if base is e:
        return _joined(list(map(_degrees, e.args)), max if e.is_Add else lambda x, y: x + y)
    found = []
    for term in sympy.Add.make_args(exponent):
        times, power = term.as_coeff_Mul()
        times = abs(float(times)) * times.q if times.is_Rational and times.q <= 2 else 1e9
        below = _degrees(base) if power == 1 else {base**power: 1.0}
        found.append({part: times * degree for part, degree in below.items()})
    return _joined(found, lambda x, y: x + y)


def _joined(several: list[dict[Expression, float]], join: Callable[[float, float], float]) -> dict[Expression, float]:
    found: dict[Expression, float] = {}
    for degrees in several:
        for part, degree in degrees.items():
            found[part] = join(found[part], degree) if part in found else degree
    return found


def number(expression: Expression, at: dict[Expression, Any]) -> Any:
    """The expression's number, free of rounding, its symbols being those of ``at``; NaN where it has no real one."""
    expression = sympy.sympify(expression)
    with mpmath.workprec(BITS):
        found = dict(at)
        for e in _parts(expression, _operands):
            if e not in found:
                try:
                    value = _computed(e, [found[part] for part in _operands(e)])
                except (ArithmeticError, AttributeError, ValueError):  # 1/0 in a branch that is not taken, say
                    value = mpmath.nan
                found[e] = mpmath.nan if isinstance(value, mpmath.mpc) else value
        return found[expression]


def _operands(e: Expression) -> tuple[Expression, ...]:
    return (e.formula(),) if isinstance(e, Spelled) else e.args


def _computed(e: Expression, x: list[Any]) -> Any:
    """One operation on numbers."""
    if not e.args:
        return mpmath.mpf(e._as_mpf_val(mpmath.mp.prec))
    if isinstance(e, Decision):
        return e.decided(*x)
    if isinstance(e, Spelled):
        return x[0]
    if e.is_Add or e.is_Mul:
        return mpmath.fsum(x) if e.is_Add else mpmath.fprod(x)
    if e.is_Pow:
        base, exponent = x
        if base == 0 or abs(exponent) < HUGE:
            return mpmath.power(base, exponent)
        with mpmath.extraprec(HUGE_BITS):  # p is even, odd or, where the base is negative, no exponent
            sign = 1 if base > 0 or exponent % 2 == 0 else -1 if exponent % 2 == 1 else mpmath.nan
            return sign * _exp(exponent * mpmath.log(abs(base)))
    return _exp(*x) if isinstance(e, sympy.exp) else getattr(mpmath, type(e).__name__)(*x)


def _exp(x: Any) -> Any:
    """eˣ as 2ⁿ eʳ where mpmath would multiply for long."""
    if abs(x) < HUGE:
        return mpmath.exp(x)
    with mpmath.extraprec(HUGE_BITS):
        n = mpmath.floor(x / mpmath.ln2)
        return mpmath.ldexp(mpmath.exp(x - n * mpmath.ln2), int(n))


def _parts(expression: Expression, operands: Callable[[Expression], Any]) -> Any:
    """Every different part of the expression once, operands first; never a recursion."""
    stack, seen = [expression], set()
    while stack:
        e = stack[-1]
        below = [part for part in operands(e) if part not in seen] if e not in seen else []
        if below:
            stack += below
        else:
            stack.pop()
            if e not in seen:
                seen.add(e)
                yield e
