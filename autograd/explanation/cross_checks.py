"""Checks a derivative against SymPy and against a finite difference; neither uses the table's local derivatives."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf, isfinite
from typing import Any, NamedTuple

import mpmath
import sympy

from autograd.explanation.algebra import BITS, number, written
from autograd.finite_differences import slope
from autograd.number_systems import floats, symbols
from autograd.value import Value

MOST_VALUES, MOST_OPERANDS = 1000, 100  # in a graph that is computed without rounding
TOLERANCE = 1e-6  # relative; derivatives that differ by more do not agree


class Check(NamedTuple):
    """The outcome of one check."""

    name: str
    value: float | None = None  # the derivative that was found; None if the check was not made
    agrees: bool = False  # whether it is the derivative that was explained
    remark: str = ""  # why the check was not made


@dataclass(eq=False)
class Restriction:
    """f as a function of the single value s; values that do not depend on s keep their data."""

    f: Value
    s: Value
    dependent: Sequence[Any]  # the values that depend on s, in forward order
    magnitude: float  # the sum of the absolute products of all paths
    derivative: float  # the derivative to check

    def along(self, x: float) -> float:
        """Return f at s = x, as the engine computes it."""
        found = {self.s: x}
        for node in self.dependent:
            found[node] = node.operation.rule(floats, *[found.get(p, p.data) for p in node.parents])[0]
        return found.get(self.f, self.f.data)

    def exact(self, by_sympy: bool) -> float:
        """Return the derivative without rounding, from SymPy's derivative of each operation or from the table's."""
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

    @cached_property
    def why_not(self) -> str:
        """The reason why f cannot be computed without rounding; empty if it can."""
        if len(self.dependent) > MOST_VALUES or any(len(x.parents) > MOST_OPERANDS for x in self.dependent):
            return "too large"
        kinds = {(x.operation, len(x.parents)) for x in self.dependent}
        are_written = all(written(kind, *sympy.symbols(f"x:{n}", real=True)) for kind, n in kinds)
        return "" if are_written else "a rule works only on floats"

    def by_sympy(self) -> Check:
        """Compare with the chain rule applied to SymPy's derivative of each operation's value."""
        if self.why_not:
            return Check("SymPy", remark=self.why_not)
        found = self.exact(by_sympy=True)
        if not isfinite(found):
            return Check("SymPy", remark="its result is not finite")
        return self._check("SymPy", found, close(found, self.derivative, self.magnitude, TOLERANCE))

    def by_difference(self, rounding: float, other: Check) -> Check:
        """Compare with a central difference. ``rounding`` is f's error, ``other`` SymPy's more accurate check."""
        name, found = "finite difference", slope(self.along, self.s.data, rounding=rounding)
        resolved = found.is_resolved and found.error <= 1e-2 * max(abs(found.central), abs(self.derivative))
        resolved |= not self.derivative and not found.is_kink and abs(found.central) <= found.error
        allowed = found.allowed(self.derivative, TOLERANCE) + 1e-12 * self.magnitude
        agrees = abs(found.central - self.derivative) <= allowed
        if not resolved or (other.value is not None and other.agrees != agrees):
            return Check(name, remark="cannot be resolved")
        return self._check(name, found.central, agrees)

    def _check(self, name: str, found: float, agrees: bool) -> Check:
        """Return the outcome; undecided if the table's rules without rounding give a different derivative too."""
        if agrees or self.why_not or close(self.derivative, self.exact(by_sympy=False), 0.0, TOLERANCE):
            return Check(name, found, agrees)
        return Check(name, remark="rounding dominates")


def close(x: float, y: float, magnitude: float, tolerance: float = 1e-9) -> bool:
    """Return whether x equals y up to rounding; ``magnitude`` is the sum of the absolute terms. NaN never is."""
    return x == y or abs(x - y) <= max(tolerance * max(abs(x), abs(y)), 1e-12 * magnitude) < inf
