"""The same derivative found by other roads: SymPy's derivatives of each operation's value, and a measured slope."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import inf, isfinite
from typing import Any, NamedTuple

import mpmath
import sympy

from autograd.explanation.algebra import BITS, number, written
from autograd.finite_differences import slope
from autograd.number_systems import floats, symbols
from autograd.value import Value

MOST_VALUES, MOST_OPERANDS = 1000, 100  # that are computed without rounding
TOLERANCE = 1e-6  # of a derivative; what is farther off is another one
ROUNDING = "rounding decides"


class Check(NamedTuple):
    """One other road.

    value     what was found; None where it was not checked
    agrees    whether it is the derivative that was explained
    remark    why it was not checked
    """

    name: str
    value: float | None
    agrees: bool
    remark: str = ""


class Road:
    """f as a function of one value s alone, everything that does not depend on s held at its data.

    dependent   the values that depend on s, in forward order
    magnitude   the sum over all paths of the sizes of their products
    """

    def __init__(self, f: Value, s: Value, dependent: Sequence[Any], magnitude: float) -> None:
        self.f, self.s, self.dependent, self.magnitude = f, s, dependent, magnitude

    def along(self, x: float) -> float:
        """f at s = x, as the engine computes it."""
        found = {self.s: x}
        for node in self.dependent:
            found[node] = node.operation.rule(floats, *[found.get(p, p.data) for p in node.parents])[0]
        return found.get(self.f, self.f.data)

    def exact(self, by_sympy: bool) -> float:
        """The derivative without rounding: by SymPy's derivatives of each operation's value, or by the table's."""
        found: dict[Value, tuple[Any, Any]] = {self.s: (mpmath.mpf(self.s.data), 1)}
        formulas: dict[Any, tuple[Any, Any, Any]] = {}
        with mpmath.workprec(BITS):
            for node in self.dependent:
                operands = [found.get(p) or (mpmath.mpf(p.data), 0) for p in node.parents]
                fixed = [x if node.operation.takes_constants and not rate else None for x, rate in operands]
                kind = node.operation, *fixed
                if kind not in formulas:
                    letters = [sympy.Symbol(f"x{i}", real=True) for i in range(len(operands))]
                    known = [s if x is None else symbols.number(float(x)) for s, x in zip(letters, fixed)]
                    value, slopes = node.operation.rule(symbols, *known)
                    formulas[kind] = letters, value, [sympy.diff(value, s) for s in letters] if by_sympy else slopes
                letters, value, slopes = formulas[kind]
                at = dict(zip(letters, (x for x, _ in operands)))
                steps = [number(slope, at) * rate for slope, (_, rate) in zip(slopes, operands) if rate]
                found[node] = number(value, at), mpmath.fsum(steps)
        return float(found[self.f][1]) if self.f in found else 0.0

    def is_rounded(self, derivative: float) -> bool:
        """Whether the table's rules, run without rounding, give another derivative."""
        return not self.why_not and not close(derivative, self.exact(by_sympy=False), 0.0, TOLERANCE)

    @cached_property
    def why_not(self) -> str:
        """Why nothing can be computed without rounding; empty where it can."""
        if len(self.dependent) > MOST_VALUES or any(len(x.parents) > MOST_OPERANDS for x in self.dependent):
            return "too large"
        kinds = {(x.operation, len(x.parents)) for x in self.dependent}
        are_written = all(written(kind, *sympy.symbols(f"x:{n}", real=True)) for kind, n in kinds)
        return "" if are_written else "a rule is written for floats alone"

    def by_sympy(self, derivative: float) -> Check:
        """The chain rule with SymPy's derivatives of each value; the table's local derivatives have no part in it."""
        if self.why_not:
            return Check("SymPy", None, False, self.why_not)
        found = self.exact(by_sympy=True)
        if not isfinite(found):
            return Check("SymPy", None, False, "it finds no finite number")
        agrees = close(found, derivative, self.magnitude, TOLERANCE)
        if not agrees and self.is_rounded(derivative):
            return Check("SymPy", None, False, ROUNDING)
        return Check("SymPy", found, agrees)

    def by_difference(self, derivative: float, rounding: float, other: Check) -> Check:
        """A central difference, which may be off by what curvature and rounding make of it.

        rounding   how far f may be off
        other      SymPy's answer, which is the more exact
        """
        name, found = "finite difference", slope(self.along, self.s.data, rounding=rounding)
        off, allowed = abs(found.central - derivative), found.allowed(derivative, TOLERANCE) + 1e-12 * self.magnitude
        sure = found.is_resolved and found.error <= 1e-2 * max(abs(found.central), abs(derivative))
        sure = sure or (not derivative and not found.is_kink and abs(found.central) <= found.error)
        agrees = off <= allowed
        if not sure or (other.value is not None and other.agrees != agrees):
            return Check(name, None, False, "cannot be resolved")
        if not agrees and self.is_rounded(derivative):
            return Check(name, None, False, ROUNDING)
        return Check(name, found.central, agrees)


def close(x: float, y: float, magnitude: float, tolerance: float = 1e-9) -> bool:
    """Equal but for rounding; ``magnitude`` is the sum of the sizes of all terms. NaN equals nothing."""
    return x == y or abs(x - y) <= max(tolerance * max(abs(x), abs(y)), 1e-12 * magnitude) < inf
