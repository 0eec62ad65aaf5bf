"""Wengert list: a tape of records with input indices and partial derivatives, walked in reverse."""

from __future__ import annotations

import math
from typing import NamedTuple


class Record(NamedTuple):
    op: str
    inputs: tuple[int, ...]
    partials: tuple[float, ...]


class Tape:
    """Everything that is computed is appended here, so an input always has a smaller index than its users."""

    def __init__(self):
        self.records: list[Record] = []
        self.adjoints: list[float] = []
        self.names: dict[int, str] = {}

    def push(self, op: str, value: float, inputs: tuple[int, ...] = (), partials: tuple[float, ...] = ()) -> Var:
        self.records.append(Record(op, inputs, partials))
        return Var(self, len(self.records) - 1, value)

    def var(self, value: float, name: str | None = None) -> Var:
        v = self.push("var", float(value))
        if name is not None:
            self.names[v.index] = name
        return v

    def gradient(self, output: Var) -> list[float]:
        self.adjoints = [0.0] * len(self.records)
        self.adjoints[output.index] = 1.0
        for i in range(output.index, -1, -1):
            adjoint = self.adjoints[i]
            if adjoint == 0.0:
                continue
            _, inputs, partials = self.records[i]
            for j, partial in zip(inputs, partials):
                self.adjoints[j] += partial * adjoint
        return self.adjoints


class Var:
    def __init__(self, tape: Tape, index: int, value: float):
        self.tape = tape
        self.index = index
        self.value = value

    @property
    def grad(self) -> float:
        return self.tape.adjoints[self.index] if self.index < len(self.tape.adjoints) else 0.0

    def _unary(self, op: str, value: float, partial: float) -> Var:
        return self.tape.push(op, value, (self.index,), (partial,))

    def _binary(self, op: str, other: Var, value: float, d_self: float, d_other: float) -> Var:
        return self.tape.push(op, value, (self.index, other.index), (d_self, d_other))

    def __add__(self, other: Var | float) -> Var:
        if isinstance(other, Var):
            return self._binary("add", other, self.value + other.value, 1.0, 1.0)
        return self._unary("add_const", self.value + other, 1.0)

    def __sub__(self, other: Var | float) -> Var:
        if isinstance(other, Var):
            return self._binary("sub", other, self.value - other.value, 1.0, -1.0)
        return self._unary("add_const", self.value - other, 1.0)

    def __mul__(self, other: Var | float) -> Var:
        if isinstance(other, Var):
            return self._binary("mul", other, self.value * other.value, other.value, self.value)
        return self._unary("scale", self.value * other, other)

    def __truediv__(self, other: Var) -> Var:
        quotient = self.value / other.value
        return self._binary("div", other, quotient, 1.0 / other.value, -quotient / other.value)

    __radd__ = __add__
    __rmul__ = __mul__

    def sin(self) -> Var:
        return self._unary("sin", math.sin(self.value), math.cos(self.value))

    def cos(self) -> Var:
        return self._unary("cos", math.cos(self.value), -math.sin(self.value))

    def log(self) -> Var:
        return self._unary("log", math.log(self.value), 1.0 / self.value)


def fma(a: Var, b: Var, c: Var) -> Var:
    """a * b + c in one record."""
    return a.tape.push("fma", a.value * b.value + c.value, (a.index, b.index, c.index), (b.value, a.value, 1.0))


TAPE = Tape()

# ---- for the tests
USE = {
    "leaf": lambda x: TAPE.var(x),
    "data": lambda node: node.value,
    "grad": lambda node: node.grad,
    "backward": lambda root: root.tape.gradient(root),
    "ops": {
        "add": lambda a, b: a + b,
        "sub": lambda a, b: a - b,
        "mul": lambda a, b: a * b,
        "div": lambda a, b: a / (b * b + 1.0),
        "add5": lambda a: a + 5.0,
        "sub1": lambda a: a - 1.0,
        "scale3": lambda a: 3.0 * a,
        "sin": lambda a: a.sin(),
        "cos": lambda a: a.cos(),
        "log": lambda a: (a * a + 1.0).log(),
        "fma": fma,
    },
}
