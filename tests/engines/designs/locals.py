"""A scalar autodiff engine that keeps, per node, its children and the local derivatives as plain numbers."""

import math


def _lift(x):
    return x if isinstance(x, Value) else Value(x)


def _power_slopes(a, b, power):
    """The derivatives of a ** b by a and by b."""
    if b == 0:
        by_base = 0.0
    elif a == 0:
        by_base = 0.0 if b > 1 else 1.0 if b == 1 else math.inf
    else:
        by_base = b * a ** (b - 1)
    return by_base, power * math.log(a) if a > 0 else 0.0


class Value:
    __slots__ = ("_children", "_local_grads", "data", "grad")

    def __init__(self, data, children=(), local_grads=()):
        self.data = data
        self.grad = 0.0
        self._children = children
        self._local_grads = local_grads

    def __repr__(self):
        return f"Value({self.data}, grad={self.grad})"

    def __add__(self, other):
        other = _lift(other)
        return Value(self.data + other.data, (self, other), (1.0, 1.0))

    __radd__ = __add__

    def __sub__(self, other):
        other = _lift(other)
        return Value(self.data - other.data, (self, other), (1.0, -1.0))

    def __rsub__(self, other):
        return _lift(other) - self

    def __neg__(self):
        return Value(-self.data, (self,), (-1.0,))

    def __mul__(self, other):
        other = _lift(other)
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    __rmul__ = __mul__

    def __truediv__(self, other):
        other = _lift(other)
        ratio = self.data / other.data
        return Value(ratio, (self, other), (1.0 / other.data, -ratio / other.data))

    def __rtruediv__(self, other):
        return _lift(other) / self

    def __pow__(self, other):
        other = _lift(other)
        power = self.data**other.data
        return Value(power, (self, other), _power_slopes(self.data, other.data, power))

    def __rpow__(self, other):
        return _lift(other) ** self

    def __abs__(self):
        sign = (self.data > 0) - (self.data < 0)
        return Value(abs(self.data), (self,), (float(sign),))

    def exp(self):
        e = math.exp(self.data)
        return Value(e, (self,), (e,))

    def log(self):
        return Value(math.log(self.data), (self,), (1.0 / self.data,))

    def sqrt(self):
        root = math.sqrt(self.data)
        return Value(root, (self,), (0.5 / root if root else math.inf,))

    def sin(self):
        return Value(math.sin(self.data), (self,), (math.cos(self.data),))

    def tanh(self):
        t = math.tanh(self.data)
        return Value(t, (self,), (1.0 - t * t,))

    def sigmoid(self):
        e = math.exp(-abs(self.data))
        s = (1.0 if self.data >= 0 else e) / (1.0 + e)
        return Value(s, (self,), (s * (1.0 - s),))

    def relu(self):
        active = self.data > 0
        return Value(self.data if active else 0.0, (self,), (1.0 if active else 0.0,))

    def backward(self):
        """The gradient of this node for every node below it; an earlier pass leaves no trace."""
        waiting = {self: 0}  # how many gradients each node has yet to receive
        stack = [self]
        while stack:
            for child in stack.pop()._children:
                if child not in waiting:
                    waiting[child] = 0
                    stack.append(child)
                waiting[child] += 1
        for node in waiting:
            node.grad = 0.0
        self.grad = 1.0
        ready = [self]
        while ready:
            node = ready.pop()
            for child, local in zip(node._children, node._local_grads):
                child.grad += local * node.grad
                waiting[child] -= 1
                if waiting[child] == 0:
                    ready.append(child)
