"""Value whose backward() works out all gradients in a dict by id, and writes them to .grad when all are known."""

import itertools
import math

serial_numbers = itertools.count()


def lift(x):
    return x if isinstance(x, Value) else Value(x)


class Value:
    def __init__(self, data, parents=()):
        self.data = data
        self.grad = 0.0
        self._parents = list(parents)  # (parent, local derivative)
        self._serial = next(serial_numbers)  # a parent always has a smaller one

    def __repr__(self):
        return f"Value(data={self.data}, grad={self.grad})"

    def __add__(self, other):
        other = lift(other)
        return Value(self.data + other.data, [(self, 1.0), (other, 1.0)])

    def __sub__(self, other):
        other = lift(other)
        return Value(self.data - other.data, [(self, 1.0), (other, -1.0)])

    def __mul__(self, other):
        other = lift(other)
        return Value(self.data * other.data, [(self, other.data), (other, self.data)])

    def __truediv__(self, other):
        if not isinstance(other, Value):
            return Value(self.data / other, [(self, 1.0 / other)])
        return Value(self.data / other.data, [(self, 1.0 / other.data), (other, -self.data / other.data**2)])

    def __pow__(self, n):
        if not isinstance(n, Value):
            return Value(self.data**n, [(self, n * self.data ** (n - 1) if n != 0 else 0.0)])
        power = self.data**n.data
        slope = power * math.log(self.data) if self.data > 0 else math.nan
        return Value(power, [(self, n.data * self.data ** (n.data - 1)), (n, slope)])

    def __neg__(self):
        return Value(-self.data, [(self, -1.0)])

    def __radd__(self, other):
        return self + other

    def __rsub__(self, other):
        return lift(other) - self

    def __rmul__(self, other):
        return self * other

    def __rtruediv__(self, other):
        return lift(other) / self

    def __rpow__(self, other):
        return lift(other) ** self

    def __abs__(self):
        slope = 1.0 if self.data > 0 else -1.0 if self.data < 0 else 0.0
        return Value(abs(self.data), [(self, slope)])

    def abs(self):
        return self.__abs__()

    def exp(self):
        e = math.exp(self.data)
        return Value(e, [(self, e)])

    def sin(self):
        return Value(math.sin(self.data), [(self, math.cos(self.data))])

    def tanh(self):
        t = math.tanh(self.data)
        return Value(t, [(self, 1.0 - t * t)])

    def sigmoid(self):
        s = 0.5 * (1.0 + math.tanh(0.5 * self.data))
        return Value(s, [(self, s * (1.0 - s))])

    def backward(self):
        nodes, known = [self], {id(self)}
        for node in nodes:  # the list grows while it is walked
            for parent, _ in node._parents:
                if id(parent) not in known:
                    known.add(id(parent))
                    nodes.append(parent)
        nodes.sort(key=lambda node: node._serial, reverse=True)

        grads = {id(node): 0.0 for node in nodes}
        grads[id(self)] = 1.0
        for node in nodes:
            for parent, local in node._parents:
                grads[id(parent)] += local * grads[id(node)]

        for node in nodes:
            if node._parents:
                node.grad = grads[id(node)]
            else:
                node.grad += grads[id(node)]
