"""Scalar autodiff on dataclass nodes: an Enum says which operation, one function knows all the local derivatives."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum, auto


class Op(Enum):
    LEAF = auto()
    CONST = auto()
    ADD = auto()
    MUL = auto()
    POW = auto()
    TANH = auto()
    CLAMP = auto()
    MEAN = auto()


@dataclass(eq=False)
class Node:
    value: float
    op: Op = Op.LEAF
    children: list[Node] = field(default_factory=list, repr=False)
    params: tuple[float, ...] = ()  # the exponent of POW, the bounds of CLAMP
    grad: float = 0.0
    name: str = ""

    def __add__(self, other: Node | float) -> Node:
        other = as_node(other)
        return Node(self.value + other.value, Op.ADD, [self, other])

    def __mul__(self, other: Node | float) -> Node:
        other = as_node(other)
        return Node(self.value * other.value, Op.MUL, [self, other])

    def __pow__(self, exponent: float) -> Node:
        return Node(self.value**exponent, Op.POW, [self], params=(exponent,))

    def __neg__(self) -> Node:
        return self * -1.0

    def __sub__(self, other: Node | float) -> Node:
        return self + (-as_node(other))

    def __rsub__(self, other: float) -> Node:
        return as_node(other) + (-self)

    __radd__ = __add__
    __rmul__ = __mul__

    def tanh(self) -> Node:
        return Node(math.tanh(self.value), Op.TANH, [self])

    def clamp(self, low: float, high: float) -> Node:
        return Node(min(max(self.value, low), high), Op.CLAMP, [self], params=(low, high))


def as_node(x: Node | float) -> Node:
    return x if isinstance(x, Node) else Node(float(x), Op.CONST)


def mean(*nodes: Node) -> Node:
    return Node(sum(n.value for n in nodes) / len(nodes), Op.MEAN, list(nodes))


def local_grads(node: Node) -> list[float]:
    """d node / d child, one for each child."""
    xs = [child.value for child in node.children]
    match node.op:
        case Op.ADD:
            return [1.0, 1.0]
        case Op.MUL:
            return [xs[1], xs[0]]
        case Op.POW:
            (n,) = node.params
            return [n * xs[0] ** (n - 1) if n != 0 else 0.0]
        case Op.TANH:
            return [1.0 - node.value**2]
        case Op.CLAMP:
            low, high = node.params
            return [1.0 if low <= xs[0] <= high else 0.0]
        case Op.MEAN:
            return [1.0 / len(xs)] * len(xs)
    return []


def topological(root: Node) -> list[Node]:
    order, seen, stack = [], set(), [(root, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((child, False) for child in node.children)
    return order


def backward(root: Node) -> None:
    root.grad = 1.0
    for node in reversed(topological(root)):
        for child, d in zip(node.children, local_grads(node)):
            child.grad += d * node.grad


# ---- for the tests
USE = {
    "leaf": lambda x: Node(x),
    "data": lambda node: node.value,
    "grad": lambda node: node.grad,
    "backward": lambda root: backward(root),
    "ops": {
        "add": lambda a, b: a + b,
        "sub": lambda a, b: a - b,
        "mul": lambda a, b: a * b,
        "neg": lambda a: -a,
        "add5": lambda a: a + 5,
        "rsub1": lambda a: 1 - a,
        "square": lambda a: a**2,
        "pow3": lambda a: a**3,
        "sqrt": lambda a: (a * a + 1) ** 0.5,
        "tanh": lambda a: a.tanh(),
        "clamp": lambda a: a.clamp(-1.5, 1.5),
        "mean3": lambda a, b, c: mean(a, b, c),
        "mean4": lambda a, b, c, d: mean(a, b, c, d),
    },
}
