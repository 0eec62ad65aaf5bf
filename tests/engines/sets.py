"""Parents kept in a set, a label per operation, closures for the chain rule; - and / are operations of their own."""

import math
from itertools import count

_serial = count()


class Scalar:
    def __init__(self, value, parents=(), op=None):
        self.value = float(value)
        self.grad = 0.0
        self.parents = set(parents)
        self.op = op
        self.id = next(_serial)
        self._grad_fn = None

    @staticmethod
    def wrap(x):
        return x if isinstance(x, Scalar) else Scalar(x)

    def __add__(self, other):
        other = Scalar.wrap(other)
        out = Scalar(self.value + other.value, {self, other}, "add")

        def grad_fn(g):
            self.grad += g
            other.grad += g

        out._grad_fn = grad_fn
        return out

    def __sub__(self, other):
        other = Scalar.wrap(other)
        out = Scalar(self.value - other.value, {self, other}, "sub")

        def grad_fn(g):
            self.grad += g
            other.grad -= g

        out._grad_fn = grad_fn
        return out

    def __mul__(self, other):
        other = Scalar.wrap(other)
        out = Scalar(self.value * other.value, {self, other}, "mul")

        def grad_fn(g):
            self.grad += g * other.value
            other.grad += g * self.value

        out._grad_fn = grad_fn
        return out

    def __truediv__(self, other):
        other = Scalar.wrap(other)
        out = Scalar(self.value / other.value, {self, other}, "div")

        def grad_fn(g):
            self.grad += g / other.value
            other.grad -= g * out.value / other.value

        out._grad_fn = grad_fn
        return out

    def __radd__(self, other):
        return Scalar(other) + self

    def __rsub__(self, other):
        return Scalar(other) - self

    def __rmul__(self, other):
        return Scalar(other) * self

    def __rtruediv__(self, other):
        return Scalar(other) / self

    def sqrt(self):
        out = Scalar(math.sqrt(self.value), {self}, "sqrt")

        def grad_fn(g):
            self.grad += g / (2 * out.value)

        out._grad_fn = grad_fn
        return out

    def clamp(self, low, high):
        out = Scalar(min(max(self.value, low), high), {self}, "clamp")

        def grad_fn(g):
            if low < self.value < high:
                self.grad += g

        out._grad_fn = grad_fn
        return out

    def backward(self):
        reachable, frontier = {self}, [self]
        while frontier:
            new = frontier.pop().parents - reachable
            reachable |= new
            frontier.extend(new)
        # parents are always created before their children, so the ids give the order
        nodes = sorted(reachable, key=lambda node: node.id, reverse=True)
        for node in nodes:
            node.grad = 0.0
        self.grad = 1.0
        for node in nodes:
            if node._grad_fn is not None:
                node._grad_fn(node.grad)


# ---- for the tests
USE = {
    "leaf": lambda x: Scalar(x),
    "data": lambda node: node.value,
    "grad": lambda node: node.grad,
    "backward": lambda root: root.backward(),
    "ops": {
        "add": lambda a, b: a + b,
        "sub": lambda a, b: a - b,
        "mul": lambda a, b: a * b,
        "div": lambda a, b: a / (b * b + 1),
        "add5": lambda a: a + 5,
        "rsub1": lambda a: 1 - a,
        "rdiv2": lambda a: 2 / (1 + a * a),
        "sqrt": lambda a: (a * a + 1).sqrt(),
        "clamp": lambda a: a.clamp(-1.5, 1.5),
    },
}
