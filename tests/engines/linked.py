"""Port of a small C engine: each node heads a linked list of edges to its parents, the sweep counts uses."""

import math
from enum import Enum

Kind = Enum("Kind", "LEAF ADD SUB MUL SCALE ABS MAX SIGMOID DOT")


class Edge:
    __slots__ = ("deriv", "next", "parent")

    def __init__(self, parent, deriv, next_edge):
        self.parent = parent
        self.deriv = deriv  # d child / d parent
        self.next = next_edge


class Node:
    __slots__ = ("adj", "first", "kind", "name", "uses", "val")

    def __init__(self, val, kind=Kind.LEAF, name=None):
        self.kind = kind
        self.val = float(val)
        self.adj = 0.0
        self.first = None  # head of the edge list
        self.uses = 0  # scratch of the backward sweep, zero outside of it
        self.name = name

    def link(self, parent, deriv):
        self.first = Edge(parent, deriv, self.first)

    def edges(self):
        edge = self.first
        while edge is not None:
            yield edge
            edge = edge.next

    def __add__(self, other):
        return add(self, other)

    def __sub__(self, other):
        return sub(self, other)

    def __mul__(self, other):
        return mul(self, other) if isinstance(other, Node) else scale(self, other)


def _node(kind, val, *links):
    node = Node(val, kind)
    for parent, deriv in links:
        node.link(parent, deriv)
    return node


def add(a, b):
    return _node(Kind.ADD, a.val + b.val, (a, 1.0), (b, 1.0))


def sub(a, b):
    return _node(Kind.SUB, a.val - b.val, (a, 1.0), (b, -1.0))


def mul(a, b):
    return _node(Kind.MUL, a.val * b.val, (a, b.val), (b, a.val))


def scale(a, c):
    return _node(Kind.SCALE, a.val * c, (a, float(c)))


def absolute(a):
    return _node(Kind.ABS, abs(a.val), (a, -1.0 if a.val < 0 else 1.0))


def maximum(a, b):
    a_wins = a.val >= b.val
    return _node(Kind.MAX, max(a.val, b.val), (a, float(a_wins)), (b, float(not a_wins)))


def sigmoid(a):
    s = 0.5 * (1.0 + math.tanh(0.5 * a.val))
    return _node(Kind.SIGMOID, s, (a, s * (1.0 - s)))


def dot(xs, ys):
    node = Node(sum(x.val * y.val for x, y in zip(xs, ys)), Kind.DOT)
    for x, y in zip(xs, ys):
        node.link(x, y.val)
        node.link(y, x.val)
    return node


def backprop(root):
    todo = [root]
    while todo:
        for edge in todo.pop().edges():
            if edge.parent.uses == 0:
                edge.parent.adj = 0.0
                todo.append(edge.parent)
            edge.parent.uses += 1
    root.adj = 1.0
    ready = [root]
    while ready:
        node = ready.pop()
        for edge in node.edges():
            edge.parent.adj += edge.deriv * node.adj
            edge.parent.uses -= 1
            if edge.parent.uses == 0:
                ready.append(edge.parent)


# ---- for the tests
USE = {
    "leaf": lambda x: Node(x),
    "data": lambda node: node.val,
    "grad": lambda node: node.adj,
    "backward": backprop,
    "ops": {
        "add": lambda a, b: a + b,
        "sub": lambda a, b: a - b,
        "mul": lambda a, b: a * b,
        "neg": lambda a: a * -1,
        "scale3": lambda a: a * 3,
        "abs": absolute,
        "max": maximum,
        "sigmoid": sigmoid,
        "dot2": lambda a, b, c, d: dot([a, b], [c, d]),
    },
}
