"""The same derivative found by other roads: SymPy from the composed value, and a measured slope."""

from __future__ import annotations

from collections.abc import Sequence
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
    """

    def __init__(self, f: Value, s: Value, dependent: Sequence[Value]) -> None:
        self.f, self.s, self.dependent = f, s, dependent

    def along(self, numbers: Any, x: Any) -> Any:
        """f at s = x, in any number system."""
        found = {self.s: x}
        for node in self.dependent:
            operands = [found[p] if p in found else numbers.number(p.data) for p in node.parents]
            found[node] = node.operation.rule(numbers, *operands)[0] if node.operation else node.data
        return found[self.f] if self.f in found else numbers.number(self.f.data)

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
        return Check("SymPy", float(found), close(float(found), derivative, 1e-6))

    def by_difference(self, derivative: float) -> Check:
        """A central difference, which may be off by what curvature and rounding make of it."""
        name = "finite difference"
        found = slope(lambda x: float(self.along(floats, x)), self.s.data)
        scale = max(1.0, abs(found.central))
        if found.is_kink:
            return Check(name, None, False, KINK)
        if not found.error <= 1e-2 * scale:
            return Check(name, None, False, "too steep to measure")
        return Check(name, found.central, abs(found.central - derivative) <= 1e-6 * scale + found.error)


def close(x: float, y: float, tolerance: float = 1e-9) -> bool:
    """Equal but for rounding in the order of the sum."""
    return x == y or (x != x and y != y) or abs(x - y) <= tolerance * max(1.0, abs(x), abs(y))
