"""Reverse-mode AD in the words of the AD literature: primal, adjoint, inputs, kind, pullback."""

import itertools
import math

_serial = itertools.count()


class Var:
    def __init__(self, primal, inputs=(), kind="input", pullback=None, tag=None):
        self.primal = float(primal)
        self.adjoint = 0.0
        self.inputs = tuple(inputs)
        self.kind = kind
        self.pullback = pullback  # adjoint of the result -> adjoints of the inputs
        self.tag = tag
        self.serial = next(_serial)

    def __repr__(self):
        who = self.tag or f"%{self.serial}"
        return f"<{who} {self.kind} primal={self.primal:.6g} adjoint={self.adjoint:.6g}>"

    def __add__(self, other):
        other = lift(other)
        return Var(self.primal + other.primal, (self, other), "add", lambda bar: (bar, bar))

    def __sub__(self, other):
        other = lift(other)
        return Var(self.primal - other.primal, (self, other), "sub", lambda bar: (bar, -bar))

    def __mul__(self, other):
        other = lift(other)
        u, v = self.primal, other.primal
        return Var(u * v, (self, other), "mul", lambda bar: (bar * v, bar * u))

    def __truediv__(self, other):
        other = lift(other)
        u, v = self.primal, other.primal
        return Var(u / v, (self, other), "div", lambda bar: (bar / v, -bar * u / (v * v)))

    def __neg__(self):
        return Var(-self.primal, (self,), "neg", lambda bar: (-bar,))

    __radd__ = __add__
    __rmul__ = __mul__

    def __rsub__(self, other):
        return lift(other) - self

    def __rtruediv__(self, other):
        return lift(other) / self

    def propagate(self):
        """The reverse sweep: everything this variable depends on, youngest first."""
        reached = {self.serial: self}
        pending = [self]
        while pending:
            for source in pending.pop().inputs:
                if source.serial not in reached:
                    reached[source.serial] = source
                    pending.append(source)
        for var in reached.values():
            var.adjoint = 0.0
        self.adjoint = 1.0
        for serial in sorted(reached, reverse=True):
            var = reached[serial]
            if var.pullback is not None:
                for source, bar in zip(var.inputs, var.pullback(var.adjoint)):
                    source.adjoint += bar


def lift(x):
    return x if isinstance(x, Var) else Var(x, kind="const")


def sin(x):
    slope = math.cos(x.primal)
    return Var(math.sin(x.primal), (x,), "sin", lambda bar: (bar * slope,))


def cos(x):
    slope = -math.sin(x.primal)
    return Var(math.cos(x.primal), (x,), "cos", lambda bar: (bar * slope,))


def exp(x):
    y = math.exp(x.primal)
    return Var(y, (x,), "exp", lambda bar: (bar * y,))


def log(x):
    return Var(math.log(x.primal), (x,), "log", lambda bar: (bar / x.primal,))


def sqrt(x):
    y = math.sqrt(x.primal)
    return Var(y, (x,), "sqrt", lambda bar: (bar / (2.0 * y),))


def fma(x, y, z):
    """x * y + z in one step."""
    u, v = x.primal, y.primal
    return Var(u * v + z.primal, (x, y, z), "fma", lambda bar: (bar * v, bar * u, bar))


# ---- for the tests
USE = {
    "leaf": lambda x: Var(x),
    "data": lambda node: node.primal,
    "grad": lambda node: node.adjoint,
    "backward": lambda root: root.propagate(),
    "ops": {
        "add": lambda a, b: a + b,
        "sub": lambda a, b: a - b,
        "mul": lambda a, b: a * b,
        "div": lambda a, b: a / (b * b + 1),
        "neg": lambda a: -a,
        "add5": lambda a: a + 5,
        "rsub1": lambda a: 1 - a,
        "double": lambda a: 2 * a,
        "half": lambda a: a / 2,
        "rdiv3": lambda a: 3 / (a * a + 1),
        "sin": lambda a: sin(a),
        "cos": lambda a: cos(a),
        "exp": lambda a: exp(sin(a)),
        "log": lambda a: log(a * a + 1),
        "sqrt": lambda a: sqrt(a * a + 1),
        "fma": lambda a, b, c: fma(a, b, c),
    },
}
