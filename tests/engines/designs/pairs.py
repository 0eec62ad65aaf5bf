"""A scalar autodiff engine: each Var holds a list of (parent, local derivative) pairs, functions stand beside it."""

import itertools
import math

_serials = itertools.count()


class Var:
    def __init__(self, value, pairs=()):
        self.value = value
        self.grad = 0.0
        self._pairs = list(pairs)
        self._serial = next(_serials)  # a node is always younger than its parents

    def __repr__(self):
        return f"Var({self.value}, grad={self.grad})"

    def __add__(self, other):
        return _node(self.value + _number(other), (self, 1.0), (other, 1.0))

    def __sub__(self, other):
        return _node(self.value - _number(other), (self, 1.0), (other, -1.0))

    def __mul__(self, other):
        a, b = self.value, _number(other)
        return _node(a * b, (self, b), (other, a))

    def __truediv__(self, other):
        a, b = self.value, _number(other)
        return _node(a / b, (self, 1.0 / b), (other, -a / b**2))

    def __pow__(self, other):
        return _power(self, other)

    def __neg__(self):
        return _node(-self.value, (self, -1.0))

    def __abs__(self):
        return _node(abs(self.value), (self, math.copysign(1.0, self.value) if self.value else 0.0))

    __radd__ = __add__
    __rmul__ = __mul__

    def __rsub__(self, other):
        return _node(other - self.value, (self, -1.0))

    def __rtruediv__(self, other):
        return Var(other) / self

    def __rpow__(self, other):
        return _power(other, self)

    def _reachable(self):
        """All nodes this one was made from, and itself, the youngest first."""
        seen, stack = {self}, [self]
        while stack:
            for parent, _ in stack.pop()._pairs:
                if parent not in seen:
                    seen.add(parent)
                    stack.append(parent)
        return sorted(seen, key=lambda var: var._serial, reverse=True)

    def backward(self):
        """Adds the derivatives of this node to the grad of every node it was made from."""
        order = self._reachable()
        adjoint = dict.fromkeys(order, 0.0)
        adjoint[self] = 1.0
        for var in order:
            g = adjoint[var]
            var.grad += g
            for parent, slope in var._pairs:
                adjoint[parent] += slope * g


def _number(x):
    return x.value if isinstance(x, Var) else x


def _node(value, *pairs):
    """A new node; plain numbers among the operands need no gradient."""
    return Var(value, [(parent, slope) for parent, slope in pairs if isinstance(parent, Var)])


def _power(base, exponent):
    a, b = _number(base), _number(exponent)
    value = a**b
    if b == 0:
        by_base = 0.0
    elif a == 0 and b < 1:
        by_base = math.inf
    else:
        by_base = b * a ** (b - 1)
    by_exponent = value * math.log(a) if a > 0 else 0.0
    return _node(value, (base, by_base), (exponent, by_exponent))


def exp(x):
    e = math.exp(_number(x))
    return _node(e, (x, e))


def log(x):
    a = _number(x)
    return _node(math.log(a), (x, 1.0 / a))


def tanh(x):
    t = math.tanh(_number(x))
    return _node(t, (x, 1.0 - t * t))


def sigmoid(x):
    e = math.exp(-abs(_number(x)))
    s = (1.0 if _number(x) >= 0 else e) / (1.0 + e)
    return _node(s, (x, s * (1.0 - s)))


def relu(x):
    a = _number(x)
    return _node(a, (x, 1.0)) if a > 0 else _node(0.0, (x, 0.0))


def sin(x):
    a = _number(x)
    return _node(math.sin(a), (x, math.cos(a)))


def sqrt(x):
    root = math.sqrt(_number(x))
    return _node(root, (x, 0.5 / root if root else math.inf))
