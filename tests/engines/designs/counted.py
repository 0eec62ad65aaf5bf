"""A scalar autodiff engine that counts: a node passes its gradient on as soon as no consumer of it is pending."""

import math
from dataclasses import dataclass, field


@dataclass(eq=False)
class Node:
    val: float
    grad: float = 0.0
    edges: tuple = field(default=(), repr=False)  # pairs (input, derivative with respect to it)

    def __add__(self, other):
        other = as_node(other)
        return Node(self.val + other.val, edges=((self, 1.0), (other, 1.0)))

    def __sub__(self, other):
        other = as_node(other)
        return Node(self.val - other.val, edges=((self, 1.0), (other, -1.0)))

    def __mul__(self, other):
        other = as_node(other)
        return Node(self.val * other.val, edges=((self, other.val), (other, self.val)))

    def __truediv__(self, other):
        other = as_node(other)
        out = self.val / other.val
        return Node(out, edges=((self, 1 / other.val), (other, -out / other.val)))

    def __pow__(self, other):
        if isinstance(other, Node):
            return (other * self.log()).exp()
        if other == 0:
            return Node(1.0, edges=((self, 0.0),))
        slope = math.inf if self.val == 0 and other < 1 else other * self.val ** (other - 1)
        return Node(self.val**other, edges=((self, slope),))

    def __neg__(self):
        return Node(-self.val, edges=((self, -1.0),))

    def __abs__(self):
        return Node(abs(self.val), edges=((self, math.copysign(1.0, self.val) if self.val else 0.0),))

    __radd__ = __add__
    __rmul__ = __mul__

    def __rsub__(self, other):
        return as_node(other) - self

    def __rtruediv__(self, other):
        return as_node(other) / self

    def __rpow__(self, other):
        return as_node(other) ** self

    def exp(self):
        out = math.exp(self.val)
        return Node(out, edges=((self, out),))

    def log(self):
        return Node(math.log(self.val), edges=((self, 1 / self.val),))

    def tanh(self):
        out = math.tanh(self.val)
        return Node(out, edges=((self, 1 - out * out),))

    def relu(self):
        on = self.val > 0
        return Node(self.val if on else 0.0, edges=((self, 1.0 if on else 0.0),))

    def consumers(self):
        """For each node below this one: how many edges lead to it."""
        pending, todo = {self: 0}, [self]
        while todo:
            for source, _ in todo.pop().edges:
                if source not in pending:
                    pending[source] = 0
                    todo.append(source)
                pending[source] += 1
        return pending

    def backward(self):
        """Add d(self)/d(leaf) to the gradient of each leaf; an inner node has the gradient of the last pass."""
        pending = self.consumers()
        arrived = {self: 1.0}
        ready = [self]
        while ready:
            node = ready.pop()
            g = arrived[node]
            node.grad = g if node.edges else node.grad + g
            for source, slope in node.edges:
                arrived[source] = arrived.get(source, 0.0) + g * slope
                pending[source] -= 1
                if pending[source] == 0:
                    ready.append(source)


def as_node(x):
    return x if isinstance(x, Node) else Node(x)


def sin(x):
    x = as_node(x)
    return Node(math.sin(x.val), edges=((x, math.cos(x.val)),))


def sqrt(x):
    x = as_node(x)
    root = math.sqrt(x.val)
    return Node(root, edges=((x, 0.5 / root if root else math.inf),))


def sigmoid(x):
    """1 / (1 + exp(-x)), without overflow on either side."""
    x = as_node(x)
    small = math.exp(-abs(x.val))
    out = 1 / (1 + small) if x.val >= 0 else small / (1 + small)
    return Node(out, edges=((x, out * (1 - out)),))
