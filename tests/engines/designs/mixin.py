"""Tensor0, a tensor of rank nought: arithmetic from a mixin, autodiff from a base, constants by decorators."""

import functools
import math
from numbers import Real


def with_constants(method):
    """The other operand may be a plain number."""

    @functools.wraps(method)
    def wrapped(self, other):
        if isinstance(other, Real):
            other = type(self)(other)
        elif not isinstance(other, AutodiffBase):
            return NotImplemented
        return method(self, other)

    return wrapped


def swapped(method):
    """The same operation with its operands the other way round."""

    @with_constants
    def wrapped(self, other):
        return method(other, self)

    return wrapped


class AutodiffBase:
    def __init__(self, data, edges=()):
        self.data = data
        self.grad = 0.0
        self.edges = tuple(edges)  # pairs (parent, local derivative)

    def __repr__(self):
        return f"{type(self).__name__}({self.data}, grad={self.grad})"

    def _receive(self, g):
        self.grad += g

    def _send(self):
        for parent, local in self.edges:
            parent._receive(local * self.grad)

    def _order(self):
        order, seen, stack = [], set(), [(self, False)]
        while stack:
            node, finished = stack.pop()
            if finished:
                order.append(node)
            elif node not in seen:
                seen.add(node)
                stack.append((node, True))
                stack.extend((parent, False) for parent, _ in node.edges)
        return order[::-1]

    def backward(self):
        order = self._order()
        for node in order:
            if node.edges:
                node.grad = 0.0
        self._receive(1.0)
        for node in order:
            node._send()


class ArithmeticMixin:
    def _new(self, data, *edges):
        return type(self)(data, edges)

    @with_constants
    def __add__(self, other):
        return self._new(self.data + other.data, (self, 1.0), (other, 1.0))

    @with_constants
    def __sub__(self, other):
        return self._new(self.data - other.data, (self, 1.0), (other, -1.0))

    @with_constants
    def __mul__(self, other):
        return self._new(self.data * other.data, (self, other.data), (other, self.data))

    @with_constants
    def __truediv__(self, other):
        a, b = self.data, other.data
        return self._new(a / b, (self, 1 / b), (other, -a / b**2))

    @with_constants
    def __pow__(self, other):
        a, n = self.data, other.data
        y = a**n
        return self._new(y, (self, n * a ** (n - 1) if n else 0.0), (other, y * math.log(a) if a > 0 else 0.0))

    __radd__ = swapped(__add__)
    __rsub__ = swapped(__sub__)
    __rmul__ = swapped(__mul__)
    __rtruediv__ = swapped(__truediv__)
    __rpow__ = swapped(__pow__)

    def __neg__(self):
        return self._new(-self.data, (self, -1.0))

    def __abs__(self):
        return self._new(abs(self.data), (self, math.copysign(1.0, self.data) if self.data else 0.0))

    def exp(self):
        e = math.exp(self.data)
        return self._new(e, (self, e))

    def log(self):
        return self._new(math.log(self.data), (self, 1 / self.data))

    def sin(self):
        return self._new(math.sin(self.data), (self, math.cos(self.data)))

    def tanh(self):
        t = math.tanh(self.data)
        return self._new(t, (self, 1 - t**2))

    def relu(self):
        return self._new(self.data if self.data > 0 else 0.0, (self, 1.0 if self.data > 0 else 0.0))


class Tensor0(ArithmeticMixin, AutodiffBase):
    """A number that knows where it came from."""
