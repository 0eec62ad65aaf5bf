# ruff: noqa: E731
"""Reverse-mode autodiff, as short as it gets: a V is a number, its gradient, and (parent, pull-back) pairs."""

from itertools import count
from math import cos, exp, log, sin, tanh

clock = count()


def wrap(o):
    return o if isinstance(o, V) else V(o)


class V:
    def __init__(s, data, edges=()):
        s.data, s.grad, s.edges, s.born = data, 0.0, edges, next(clock)

    def __repr__(s):
        return f"V({s.data}, {s.grad})"

    def _f(s, y, d):
        return V(y, ((s, lambda g: g * d),))

    def __add__(s, o):
        o = wrap(o)
        return V(s.data + o.data, ((s, lambda g: g), (o, lambda g: g)))

    def __mul__(s, o):
        a, b = s.data, (o := wrap(o)).data
        return V(a * b, ((s, lambda g: g * b), (o, lambda g: g * a)))

    def __pow__(s, n):
        return s._f(s.data**n, n * s.data ** (n - 1) if n else 0.0)

    def exp(s):
        return s._f(exp(s.data), exp(s.data))

    def log(s):
        return s._f(log(s.data), 1 / s.data)

    def sin(s):
        return s._f(sin(s.data), cos(s.data))

    def tanh(s):
        return s._f(tanh(s.data), 1 - tanh(s.data) ** 2)

    def sigmoid(s):
        y = 0.5 + 0.5 * tanh(0.5 * s.data)
        return s._f(y, y * (1 - y))

    def relu(s):
        return s._f(max(s.data, 0.0), float(s.data > 0))

    def __abs__(s):
        return s._f(abs(s.data), (s.data > 0) - (s.data < 0))

    __neg__ = lambda s: s * -1
    __sub__ = lambda s, o: s + -o
    __truediv__ = lambda s, o: s * wrap(o) ** -1
    __radd__ = lambda s, o: s + o
    __rmul__ = lambda s, o: s * o
    __rsub__ = lambda s, o: -s + o
    __rtruediv__ = lambda s, o: s**-1 * o

    def backward(s):
        todo, seen = [s], {s}
        for n in todo:
            new = {p for p, _ in n.edges} - seen
            seen |= new
            todo += new
        todo.sort(key=lambda n: -n.born)  # whoever was born later is used by nobody older
        for n in todo:
            n.grad = 0.0 if n.edges else n.grad
        s.grad += 1.0
        for n in todo:
            for p, f in n.edges:
                p.grad += f(n.grad)
