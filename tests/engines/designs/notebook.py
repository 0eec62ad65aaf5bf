"""A scalar autodiff engine, grown cell by cell in a notebook and saved as a script."""

# %% [1] the bare class
import math


class Value:
    def __init__(self, data, _children=(), _op=""):
        self.data = data
        self.grad = 0.0
        self._prev = tuple(_children)
        self._op = _op
        self._backward = lambda: None

    def __repr__(self):
        return f"Value(data={self.data}, grad={self.grad})"


# %% [2] plain numbers become constants
def to_value(x):
    return x if isinstance(x, Value) else Value(x)


# %% [3] addition
def _add(self, other):
    other = to_value(other)
    out = Value(self.data + other.data, (self, other), "+")

    def _backward():
        self.grad += out.grad
        other.grad += out.grad

    out._backward = _backward
    return out


Value.__add__ = _add
Value.__radd__ = lambda self, other: self + other


# %% [4] multiplication
def _mul(self, other):
    other = to_value(other)
    a, b = self.data, other.data
    out = Value(a * b, (self, other), "*")

    def _backward():
        self.grad += b * out.grad
        other.grad += a * out.grad

    out._backward = _backward
    return out


Value.__mul__ = _mul
Value.__rmul__ = lambda self, other: self * other

# %% [5] minus
Value.__neg__ = lambda self: self * -1
Value.__sub__ = lambda self, other: self + (-to_value(other))
Value.__rsub__ = lambda self, other: to_value(other) - self


# %% [6] powers with a fixed exponent
def _pow(self, n):
    assert isinstance(n, (int, float)), "only numbers as exponents"
    slope = n * self.data ** (n - 1) if n != 0 else 0.0
    out = Value(self.data**n, (self,), f"**{n}")

    def _backward():
        self.grad += slope * out.grad

    out._backward = _backward
    return out


Value.__pow__ = _pow

# %% [7] division
Value.__truediv__ = lambda self, other: self * to_value(other) ** -1
Value.__rtruediv__ = lambda self, other: to_value(other) / self


# %% [8] exp
def _exp(self):
    e = math.exp(self.data)
    out = Value(e, (self,), "exp")

    def _backward():
        self.grad += e * out.grad

    out._backward = _backward
    return out


Value.exp = _exp


# %% [9] tanh, relu
def _tanh(self):
    t = math.tanh(self.data)
    out = Value(t, (self,), "tanh")

    def _backward():
        self.grad += (1 - t * t) * out.grad

    out._backward = _backward
    return out


def _relu(self):
    on = self.data > 0
    out = Value(self.data if on else 0.0, (self,), "relu")

    def _backward():
        self.grad += on * out.grad

    out._backward = _backward
    return out


Value.tanh, Value.relu = _tanh, _relu


# %% [10] the backward pass
def _topo(root):
    topo, visited, stack = [], {root}, [(root, iter(root._prev))]
    while stack:
        node, children = stack[-1]
        child = next((c for c in children if c not in visited), None)
        if child is None:
            topo.append(node)
            stack.pop()
        else:
            visited.add(child)
            stack.append((child, iter(child._prev)))
    return topo


def _run_backward(self):
    topo = _topo(self)
    for node in topo:
        if node._prev:
            node.grad = 0.0
    self.grad += 1.0
    for node in reversed(topo):
        node._backward()


Value.backward = _run_backward
