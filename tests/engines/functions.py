"""Scalar autodiff with plain functions only: add(x, y), tanh(x), backward(root); a node remembers the function."""

import math


class Node:
    __slots__ = ("args", "extra", "fn", "grad", "name", "value")

    def __init__(self, value, fn=None, args=(), extra=(), name=""):
        self.value = value
        self.grad = 0.0
        self.fn = fn
        self.args = args
        self.extra = extra
        self.name = name


def variable(value, name=""):
    return Node(float(value), name=name)


def constant(value):
    return Node(float(value), name=str(value))


def add(x, y):
    return Node(x.value + y.value, add, (x, y))


def sub(x, y):
    return Node(x.value - y.value, sub, (x, y))


def mul(x, y):
    return Node(x.value * y.value, mul, (x, y))


def scale(x, factor):
    return Node(x.value * factor, scale, (x,), (factor,))


def power(x, n):
    return Node(x.value**n, power, (x,), (n,))


def exp(x):
    return Node(math.exp(x.value), exp, (x,))


def tanh(x):
    return Node(math.tanh(x.value), tanh, (x,))


def sigmoid(x):
    return Node(0.5 * (1.0 + math.tanh(0.5 * x.value)), sigmoid, (x,))


def dot(xs, ys):
    return Node(sum(x.value * y.value for x, y in zip(xs, ys, strict=True)), dot, (*xs, *ys))


def _dot_partials(z, *values):
    half = len(values) // 2
    return values[half:] + values[:half]


# result, values of the arguments, extra numbers -> one partial derivative for each argument
PARTIALS = {
    add: lambda z, x, y: (1.0, 1.0),
    sub: lambda z, x, y: (1.0, -1.0),
    mul: lambda z, x, y: (y, x),
    scale: lambda z, x, factor: (factor,),
    power: lambda z, x, n: (n * x ** (n - 1) if n else 0.0,),
    exp: lambda z, x: (z,),
    tanh: lambda z, x: (1.0 - z * z,),
    sigmoid: lambda z, x: (z * (1.0 - z),),
    dot: _dot_partials,
}


def sort_nodes(root):
    """All nodes below root, each after its arguments."""
    order, seen = [], {id(root)}
    stack = [(root, iter(root.args))]
    while stack:
        node, rest = stack[-1]
        for arg in rest:
            if id(arg) not in seen:
                seen.add(id(arg))
                stack.append((arg, iter(arg.args)))
                break
        else:
            order.append(node)
            stack.pop()
    return order


def backward(root):
    order = sort_nodes(root)
    for node in order:
        node.grad = 0.0
    root.grad = 1.0
    for node in reversed(order):
        if node.fn is None:
            continue
        partials = PARTIALS[node.fn](node.value, *(arg.value for arg in node.args), *node.extra)
        for arg, partial in zip(node.args, partials):
            arg.grad += node.grad * partial


# ---- for the tests
USE = {
    "leaf": lambda x: variable(x),
    "data": lambda node: node.value,
    "grad": lambda node: node.grad,
    "backward": lambda root: backward(root),
    "ops": {
        "add": lambda a, b: add(a, b),
        "sub": lambda a, b: sub(a, b),
        "mul": lambda a, b: mul(a, b),
        "add5": lambda a: add(a, constant(5)),
        "rsub1": lambda a: sub(constant(1), a),
        "neg": lambda a: scale(a, -1.0),
        "pow3": lambda a: power(a, 3),
        "exp": lambda a: exp(tanh(a)),
        "tanh": lambda a: tanh(a),
        "sigmoid": lambda a: sigmoid(a),
        "dot2": lambda a, b, c, d: dot([a, b], [c, d]),
    },
}
