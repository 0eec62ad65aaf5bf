"""Value as in the short GPT: slots, and each node keeps its children and the local gradients towards them."""

import math


class Value:
    __slots__ = ("_children", "_local_grads", "data", "grad")

    def __init__(self, data, children=(), local_grads=()):
        self.data = data
        self.grad = 0
        self._children = children
        self._local_grads = local_grads

    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data + other.data, (self, other), (1, 1))

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    def __pow__(self, other):
        if not isinstance(other, (int, float)):
            return NotImplemented
        if other == 0:
            local = 0
        elif self.data == 0 and other < 1:
            local = math.inf
        else:
            local = other * self.data ** (other - 1)
        return Value(self.data**other, (self,), (local,))

    def __truediv__(self, other):
        return self * other**-1

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + (-other)

    def __radd__(self, other):
        return self + other

    def __rmul__(self, other):
        return self * other

    def __rsub__(self, other):
        return -self + other

    def __rtruediv__(self, other):
        return self**-1 * other

    def __rpow__(self, other):
        return (self * math.log(other)).exp()

    def __repr__(self):
        return f"Value({self.data}, grad={self.grad})"

    def log(self):
        return Value(math.log(self.data), (self,), (1 / self.data,))

    def exp(self):
        e = math.exp(self.data)
        return Value(e, (self,), (e,))

    def sqrt(self):
        root = math.sqrt(self.data)
        return Value(root, (self,), (0.5 / root if root else math.inf,))

    def relu(self):
        return Value(max(0, self.data), (self,), (float(self.data > 0),))

    def backward(self):
        topo = []
        visited = {self}
        stack = [(self, iter(self._children))]
        while stack:
            v, rest = stack[-1]
            for child in rest:
                if child not in visited:
                    visited.add(child)
                    stack.append((child, iter(child._children)))
                    break
            else:
                topo.append(v)
                stack.pop()
        for v in topo:
            if v._children:
                v.grad = 0
        self.grad += 1
        for v in reversed(topo):
            for child, local_grad in zip(v._children, v._local_grads):
                child.grad += local_grad * v.grad
