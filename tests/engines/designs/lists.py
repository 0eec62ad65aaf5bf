"""Scalar autodiff with two parallel lists at each node: its parents, and the derivatives with respect to them."""

import math


class Value:
    def __init__(self, data, parents=None, grads_wrt=None):
        self.data = data
        self.grad = 0.0
        self.parents = parents or []
        self.grads_wrt = grads_wrt or []

    def __repr__(self):
        return f"Value({self.data}, grad={self.grad})"

    @staticmethod
    def const(x):
        return x if isinstance(x, Value) else Value(x)

    def __add__(self, other):
        other = Value.const(other)
        return Value(self.data + other.data, [self, other], [1.0, 1.0])

    def __radd__(self, other):
        return self + other

    def __neg__(self):
        return Value(-self.data, [self], [-1.0])

    def __sub__(self, other):
        other = Value.const(other)
        return Value(self.data - other.data, [self, other], [1.0, -1.0])

    def __rsub__(self, other):
        return Value(other - self.data, [self], [-1.0])

    def __mul__(self, other):
        other = Value.const(other)
        return Value(self.data * other.data, [self, other], [other.data, self.data])

    def __rmul__(self, other):
        return self * other

    def __truediv__(self, other):
        other = Value.const(other)
        q = self.data / other.data
        return Value(q, [self, other], [1 / other.data, -q / other.data])

    def __rtruediv__(self, other):
        q = other / self.data
        return Value(q, [self], [-q / self.data])

    def __pow__(self, n):
        if isinstance(n, Value):
            return (self.log() * n).exp()
        return Value(self.data**n, [self], [n * self.data ** (n - 1) if n else 0.0])

    def __abs__(self):
        sign = (self.data > 0) - (self.data < 0)
        return Value(abs(self.data), [self], [sign])

    def exp(self):
        e = math.exp(self.data)
        return Value(e, [self], [e])

    def log(self):
        return Value(math.log(self.data), [self], [1 / self.data])

    def sqrt(self):
        r = math.sqrt(self.data)
        return Value(r, [self], [0.5 / r if r else math.inf])

    def sin(self):
        return Value(math.sin(self.data), [self], [math.cos(self.data)])

    def relu(self):
        return Value(max(0.0, self.data), [self], [float(self.data > 0)])

    def backward(self):
        # how many edges lead from the result to each node
        found, indegree = [self], {id(self): 0}
        for node in found:
            for p in node.parents:
                if id(p) not in indegree:
                    indegree[id(p)] = 0
                    found.append(p)
                indegree[id(p)] += 1
        # gradients inside the graph are of this pass only, leaves collect
        for node in found:
            if node.parents:
                node.grad = 0.0
        self.grad += 1.0
        ready = [self]
        while ready:
            node = ready.pop()
            for p, d in zip(node.parents, node.grads_wrt):
                p.grad += d * node.grad
                indegree[id(p)] -= 1
                if indegree[id(p)] == 0:
                    ready.append(p)
