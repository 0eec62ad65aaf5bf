"""A scalar autodiff engine with a tape: each node is recorded as it is made, backward walks the record in reverse."""

import math


class Tape:
    """All nodes in the order in which they were made, so that a node always stands behind its inputs."""

    def __init__(self):
        self.nodes = []

    def record(self, node):
        node.index = len(self.nodes)
        self.nodes.append(node)

    def back_from(self, last):
        """The nodes that `last` depends on, from last to first; stops when none is wanted any more."""
        wanted = {last.index}
        at = last.index
        while wanted:
            if at in wanted:
                wanted.remove(at)
                node = self.nodes[at]
                wanted.update(source.index for source in node.inputs)
                yield node
            at -= 1


TAPE = Tape()


def lift(x):
    return x if isinstance(x, Value) else Value(x)


def power_slope(base, exponent):
    if exponent == 0:
        return 0.0
    if base == 0 and exponent < 1:
        return math.inf
    return exponent * base ** (exponent - 1)


class Value:
    """A number with a gradient; `pull` turns the gradient of the node into one part for each of its inputs."""

    def __init__(self, data, inputs=(), pull=None):
        self.data = data
        self.grad = 0.0
        self.inputs = inputs
        self.pull = pull
        TAPE.record(self)

    def __repr__(self):
        return f"Value({self.data}, grad={self.grad})"

    def __add__(self, other):
        other = lift(other)
        return Value(self.data + other.data, (self, other), lambda g: (g, g))

    def __sub__(self, other):
        other = lift(other)
        return Value(self.data - other.data, (self, other), lambda g: (g, -g))

    def __mul__(self, other):
        other = lift(other)
        a, b = self.data, other.data
        return Value(a * b, (self, other), lambda g: (g * b, g * a))

    def __truediv__(self, other):
        other = lift(other)
        a, b = self.data, other.data
        return Value(a / b, (self, other), lambda g: (g / b, -g * a / (b * b)))

    def __pow__(self, other):
        if isinstance(other, Value):
            return (other * self.log()).exp()
        a, n = self.data, other
        slope = power_slope(a, n)
        return Value(a**n, (self,), lambda g: (g * slope,))

    def __neg__(self):
        return Value(-self.data, (self,), lambda g: (-g,))

    def __radd__(self, other):
        return lift(other) + self

    def __rsub__(self, other):
        return lift(other) - self

    def __rmul__(self, other):
        return lift(other) * self

    def __rtruediv__(self, other):
        return lift(other) / self

    def __rpow__(self, other):
        return lift(other) ** self

    def exp(self):
        e = math.exp(self.data)
        return Value(e, (self,), lambda g: (g * e,))

    def log(self):
        a = self.data
        return Value(math.log(a), (self,), lambda g: (g / a,))

    def tanh(self):
        t = math.tanh(self.data)
        return Value(t, (self,), lambda g: (g * (1 - t * t),))

    def relu(self):
        a = self.data
        return Value(a if a > 0 else 0.0, (self,), lambda g: (g if a > 0 else 0.0,))

    def sin(self):
        a = self.data
        return Value(math.sin(a), (self,), lambda g: (g * math.cos(a),))

    def backward(self):
        """Add d(self)/d(leaf) to the gradient of each leaf; inner nodes get the gradient of this pass alone."""
        nodes = list(TAPE.back_from(self))
        for node in nodes:
            if node.pull:
                node.grad = 0.0
        self.grad = self.grad + 1.0 if self.pull is None else 1.0
        for node in nodes:
            if node.pull:
                for source, part in zip(node.inputs, node.pull(node.grad)):
                    source.grad += part
