"""Var, and a class for each operation: forward() keeps what backward() needs; Var.backward() calls the latter."""

import heapq
import itertools
import math


class Operation:
    """One application of an operation: called on Vars (or numbers), it gives the Var of the result."""

    def __call__(self, *operands):
        self.inputs = [v if isinstance(v, Var) else Var(v) for v in operands]
        return Var(self.forward(*(v.value for v in self.inputs)), self)


class Add(Operation):
    def forward(self, a, b):
        return a + b

    def backward(self, upstream):
        return upstream, upstream


class Sub(Operation):
    def forward(self, a, b):
        return a - b

    def backward(self, upstream):
        return upstream, -upstream


class Mul(Operation):
    def forward(self, a, b):
        self.a, self.b = a, b
        return a * b

    def backward(self, upstream):
        return upstream * self.b, upstream * self.a


class Div(Operation):
    def forward(self, a, b):
        self.a, self.b = a, b
        return a / b

    def backward(self, upstream):
        return upstream / self.b, -upstream * self.a / (self.b * self.b)


class Pow(Operation):
    def __init__(self, exponent):
        self.exponent = exponent

    def forward(self, a):
        self.a = a
        return a**self.exponent

    def backward(self, upstream):
        n = self.exponent
        return ((upstream * n * self.a ** (n - 1) if n else 0.0),)


class Tanh(Operation):
    def forward(self, a):
        self.t = math.tanh(a)
        return self.t

    def backward(self, upstream):
        return (upstream * (1 - self.t**2),)


class Exp(Operation):
    def forward(self, a):
        self.e = math.exp(a)
        return self.e

    def backward(self, upstream):
        return (upstream * self.e,)


class Log(Operation):
    def forward(self, a):
        self.a = a
        return math.log(a)

    def backward(self, upstream):
        return (upstream / self.a,)


class Abs(Operation):
    def forward(self, a):
        self.sign = (a > 0) - (a < 0)
        return abs(a)

    def backward(self, upstream):
        return (upstream * self.sign,)


class Var:
    numbers = itertools.count()

    def __init__(self, value, creator=None):
        self.value = value
        self.gradient = 0.0
        self.creator = creator
        self.number = next(Var.numbers)
        self.rank = 1 + max(v.rank for v in creator.inputs) if creator else 0

    def __add__(self, other):
        return Add()(self, other)

    def __sub__(self, other):
        return Sub()(self, other)

    def __mul__(self, other):
        return Mul()(self, other)

    def __truediv__(self, other):
        return Div()(self, other)

    def __radd__(self, other):
        return Add()(other, self)

    def __rsub__(self, other):
        return Sub()(other, self)

    def __rmul__(self, other):
        return Mul()(other, self)

    def __rtruediv__(self, other):
        return Div()(other, self)

    def __pow__(self, n):
        return Pow(n)(self) if isinstance(n, (int, float)) else NotImplemented

    def __rpow__(self, other):
        return Exp()(self * math.log(other))

    def __neg__(self):
        return Mul()(self, -1.0)

    def __abs__(self):
        return Abs()(self)

    def abs(self):
        return Abs()(self)

    def tanh(self):
        return Tanh()(self)

    def exp(self):
        return Exp()(self)

    def log(self):
        return Log()(self)

    def backward(self):
        """Farthest from the leaves first: when a Var is taken, all that use it have been taken before."""
        if self.creator is None:
            self.gradient += 1.0
            return
        self.gradient = 1.0
        heap, met = [(-self.rank, self.number, self)], {self}
        while heap:
            var = heapq.heappop(heap)[2]
            for v, g in zip(var.creator.inputs, var.creator.backward(var.gradient)):
                if v.creator is None:
                    v.gradient += g
                    continue
                if v not in met:
                    met.add(v)
                    v.gradient = 0.0
                    heapq.heappush(heap, (-v.rank, v.number, v))
                v.gradient += g
