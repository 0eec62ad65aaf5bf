"""Scalar autodiff over a registry of operations: Node(value, inputs, op), .value, .grad, .backprop()."""

import math


class Operation:
    def __init__(self, name, forward, derivative):
        self.name = name
        self.forward = forward  # (*args) -> value
        self.derivative = derivative  # (value, *args) -> one partial derivative for each argument


OPERATIONS = {}


def register(name, forward, derivative):
    OPERATIONS[name] = Operation(name, forward, derivative)


def logistic(x):
    if x >= 0:
        return 1 / (1 + math.exp(-x))
    return math.exp(x) / (1 + math.exp(x))


def power_partials(y, a, b):
    return (b * a ** (b - 1) if b else 0.0, y * math.log(a) if a > 0 else 0.0)


register("add", lambda a, b: a + b, lambda y, a, b: (1.0, 1.0))
register("sub", lambda a, b: a - b, lambda y, a, b: (1.0, -1.0))
register("mul", lambda a, b: a * b, lambda y, a, b: (b, a))
register("div", lambda a, b: a / b, lambda y, a, b: (1 / b, -a / (b * b)))
register("pow", lambda a, b: a**b, power_partials)
register("neg", lambda a: -a, lambda y, a: (-1.0,))
register("exp", math.exp, lambda y, a: (y,))
register("log", math.log, lambda y, a: (1 / a,))
register("tanh", math.tanh, lambda y, a: (1 - y * y,))
register("sigmoid", logistic, lambda y, a: (y * (1 - y),))
register("relu", lambda a: max(a, 0.0), lambda y, a: (1.0 if a > 0 else 0.0,))


def lift(x):
    return x if isinstance(x, Node) else Node(x)


def apply(name, *operands):
    op = OPERATIONS[name]
    inputs = tuple(lift(x) for x in operands)
    args = tuple(i.value for i in inputs)
    return Node(op.forward(*args), inputs, op, args)


class Node:
    def __init__(self, value, inputs=(), op=None, args=()):
        self.value = value
        self.grad = 0.0
        self.inputs = inputs
        self.op = op
        self.saved = (value, *args)
        self.level = 1 + max(i.level for i in inputs) if inputs else 0

    def __repr__(self):
        return f"Node({self.op.name if self.op else 'leaf'}, value={self.value}, grad={self.grad})"

    def __add__(self, other):
        return apply("add", self, other)

    def __radd__(self, other):
        return apply("add", other, self)

    def __sub__(self, other):
        return apply("sub", self, other)

    def __rsub__(self, other):
        return apply("sub", other, self)

    def __mul__(self, other):
        return apply("mul", self, other)

    def __rmul__(self, other):
        return apply("mul", other, self)

    def __truediv__(self, other):
        return apply("div", self, other)

    def __rtruediv__(self, other):
        return apply("div", other, self)

    def __pow__(self, other):
        return apply("pow", self, other)

    def __rpow__(self, other):
        return apply("pow", other, self)

    def __neg__(self):
        return apply("neg", self)

    def exp(self):
        return apply("exp", self)

    def log(self):
        return apply("log", self)

    def tanh(self):
        return apply("tanh", self)

    def sigmoid(self):
        return apply("sigmoid", self)

    def relu(self):
        return apply("relu", self)

    def graph(self):
        """Every node below this one, the highest level first."""
        found, seen = [self], {self}
        for node in found:
            for i in node.inputs:
                if i not in seen:
                    seen.add(i)
                    found.append(i)
        return sorted(found, key=lambda node: node.level, reverse=True)

    def backprop(self):
        adjoint = {self: 1.0}
        for node in self.graph():
            g = adjoint.get(node, 0.0)
            if node.op is None:
                node.grad += g
                continue
            node.grad = g
            partials = node.op.derivative(*node.saved)
            for i, d in zip(node.inputs, partials):
                adjoint[i] = adjoint.get(i, 0.0) + g * d
