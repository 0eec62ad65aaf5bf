"""The same derivative found by other roads: SymPy from the composed value, and a measured slope."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any, NamedTuple

import sympy

from autograd.differences import slope
from autograd.number_systems import floats, symbols
from autograd.value import Value

MOST_OPERATIONS = 200  # that SymPy is asked to differentiate
KINK = "a kink, where the derivative is a matter of choice"


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
    gross       the sum over all paths of the sizes of their products
    """

    def __init__(self, f: Value, s: Value, dependent: Sequence[Value], gross: float) -> None:
        self.f, self.s, self.dependent, self.gross = f, s, dependent, gross

    def along(self, numbers: Any, x: Any) -> Any:
        """f at s = x, in any number system."""
        found = {self.s: x}
        for node in self.dependent:
            operands = [found[p] if p in found else numbers.number(p.data) for p in node.parents]
            found[node] = node.operation.rule(numbers, *operands)[0] if node.operation else node.data
        return found[self.f] if self.f in found else numbers.number(self.f.data)

    def kinks(self) -> list[Value]:
        """The values on the way that sit on a kink or a jump, where the derivative is a matter of choice."""
        moving = {self.s, *self.dependent}
        found = []
        for node in self.dependent:
            operation, x = node.operation.name if node.operation else "", node.parents
            at_zero = operation in ("relu", "abs") or (operation == "where" and x[0] in moving)
            is_tie = operation in ("maximum", "minimum") and x[0] is not x[1] and x[0].data == x[1].data
            if is_tie or (at_zero and x[0].data == 0.0):
                found.append(node)
        return found

    def judged(self, check: Check) -> Check:
        """The check, or why it says nothing: where it disagrees on a kink, neither need be wrong."""
        return check if check.agrees or not self.kinks() else Check(check.name, None, False, KINK)

    def by_sympy(self, derivative: float) -> Check:
        """SymPy's derivative of the composed value; the table's local derivatives have no part in it."""
        operations = {self.s: 0}
        for node in self.dependent:
            below = sum(operations.get(parent, 0) for parent in node.parents)
            operations[node] = min(below + max(len(node.parents) - 1, 1), 10**9)
        if operations.get(self.f, 0) > MOST_OPERATIONS:
            return Check("SymPy", None, False, "too large")
        s = sympy.Symbol("s", real=True)
        found = sympy.N(sympy.diff(self.along(symbols, s), s).subs(s, sympy.Float(self.s.data)))
        if not (found.is_real and found.is_finite):
            return Check("SymPy", None, False, "it finds no finite number")
        return self.judged(Check("SymPy", float(found), close(float(found), derivative, self.gross, 1e-6)))

    def by_difference(self, derivative: float) -> Check:
        """A central difference, which may be off by what curvature and rounding make of it."""
        name = "finite difference"
        if not isfinite(derivative):
            return Check(name, None, False, "the derivative is not finite")
        found = slope(lambda x: float(self.along(floats, x)), self.s.data)
        size = max(abs(found.central), abs(derivative))
        agrees = abs(found.central - derivative) <= 1e-6 * size + found.error
        if agrees and (found.error <= 1e-2 * size or not derivative):
            return Check(name, found.central, True)
        if self.kinks():
            return Check(name, None, False, KINK)
        if not found.error <= 1e-2 * size:
            why = "too steep" if abs(found.central) > 1.0 or found.error != found.error else "too small beside f"
            return Check(name, None, False, f"{why} to measure")
        return Check(name, found.central, agrees)


def close(x: float, y: float, gross: float, tolerance: float = 1e-9) -> bool:
    """Equal but for rounding; ``gross`` is the sizes of all terms, which may cancel, added up. NaN equals nothing."""
    return x == y or abs(x - y) <= max(tolerance * max(abs(x), abs(y)), 1e-12 * gross)
