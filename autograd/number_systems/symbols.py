"""SymPy expressions as a number system: the rules print the formulas of the slides.

Operands are expressions over real symbols. Numbers that are whole are shown as integers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sympy
from sympy import Abs as abs
from sympy import Heaviside as heaviside
from sympy import Max as maximum
from sympy import Min as minimum
from sympy import cos, exp, log, sin, sqrt, tanh

Expression = Any  # SymPy ships no types

__all__ = ["abs", "cos", "exp", "heaviside", "log", "maximum", "minimum", "sin", "sqrt", "tanh"]


def number(x: float) -> Expression:
    """A constant: whole numbers exactly, others as the float that they are."""
    return sympy.Integer(int(x)) if x == x // 1.0 and -1e15 < x < 1e15 else sympy.Float(x)


def sum(x: Iterable[Expression]) -> Expression:
    return sympy.Add(*x)


def sigmoid(z: Expression) -> Expression:
    return 1 / (1 + sympy.exp(-z))


def softplus(z: Expression) -> Expression:
    return sympy.log(1 + sympy.exp(z))


def where(condition: Expression, x: Expression, y: Expression) -> Expression:
    return sympy.Piecewise((x, sympy.Ne(condition, 0)), (y, True))


def divide(x: Expression, y: Expression) -> Expression:
    return x / y


def power(x: Expression, p: Expression) -> Expression:
    return x**p


pow = power


def logsumexp(z: Sequence[Expression]) -> Expression:
    return sympy.log(sympy.Add(*map(sympy.exp, z)))
