"""Bare autograd as in the 200-line GPT: children and local gradients in two tuples, no operation label."""

import math


class Value:
    __slots__ = ("_children", "_local_grads", "data", "grad")

    def __init__(self, data, children=(), local_grads=()):
        self.data = data  # scalar computed in the forward pass
        self.grad = 0  # derivative of the loss w.r.t. this node
        self._children = children  # what this node was computed from
        self._local_grads = local_grads  # derivative of this node w.r.t. each child

    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data + other.data, (self, other), (1, 1))

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    def __pow__(self, n):
        return Value(self.data**n, (self,), (n * self.data ** (n - 1),))

    def log(self):
        return Value(math.log(self.data), (self,), (1 / self.data,))

    def exp(self):
        e = math.exp(self.data)
        return Value(e, (self,), (e,))

    def relu(self):
        return Value(max(0, self.data), (self,), (float(self.data > 0),))

    def __neg__(self):
        return self * -1

    def __radd__(self, other):
        return self + other

    def __sub__(self, other):
        return self + (-other)

    def __rsub__(self, other):
        return other + (-self)

    def __rmul__(self, other):
        return self * other

    def __truediv__(self, other):
        return self * other**-1

    def __rtruediv__(self, other):
        return other * self**-1

    def backward(self):
        order = []
        seen = {self}
        path = [(self, iter(self._children))]
        while path:
            node, rest = path[-1]
            child = next(rest, None)
            if child is None:
                order.append(node)
                path.pop()
            elif child not in seen:
                seen.add(child)
                path.append((child, iter(child._children)))
        self.grad = 1
        for v in reversed(order):
            for child, local_grad in zip(v._children, v._local_grads):
                child.grad += local_grad * v.grad


def mean(values):
    """Average of several values as a single node."""
    n = len(values)
    return Value(sum(v.data for v in values) / n, tuple(values), (1 / n,) * n)


# ---- for the tests
USE = {
    "leaf": lambda x: Value(x),
    "data": lambda node: node.data,
    "grad": lambda node: float(node.grad),
    "backward": lambda root: root.backward(),
    "ops": {
        "add": lambda a, b: a + b,
        "sub": lambda a, b: a - b,
        "mul": lambda a, b: a * b,
        "div": lambda a, b: a / (b * b + 1),
        "neg": lambda a: -a,
        "add5": lambda a: a + 5,
        "rsub1": lambda a: 1 - a,
        "half": lambda a: a / 2,
        "rdiv3": lambda a: 3 / (a * a + 1),
        "square": lambda a: a**2,
        "pow3": lambda a: a**3,
        "sqrt": lambda a: (a * a + 1) ** 0.5,
        "log": lambda a: (a * a + 1).log(),
        "exp": lambda a: (-(a * a)).exp(),
        "relu": lambda a: a.relu(),
        "mean2": lambda a, b: mean([a, b]),
        "mean3": lambda a, b, c: mean([a, b, c]),
    },
}
