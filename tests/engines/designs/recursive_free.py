"""Num over a graph of Nodes and Edges; backward() counts the consumers of each Node and works through a queue."""

import math
from collections import deque
from dataclasses import dataclass


class Node:
    def __init__(self, edges=()):
        self.edges = tuple(edges)
        self.grad = 0.0


@dataclass(frozen=True)
class Edge:
    target: Node
    weight: float


class Num:
    def __init__(self, data, edges=()):
        self.data = data
        self.node = Node(edges)

    @property
    def grad(self):
        return self.node.grad

    @grad.setter
    def grad(self, value):
        self.node.grad = value

    def __repr__(self):
        return f"Num({self.data}, grad={self.grad})"

    def __add__(self, other):
        other = lift(other)
        return Num(self.data + other.data, [Edge(self.node, 1.0), Edge(other.node, 1.0)])

    def __sub__(self, other):
        other = lift(other)
        return Num(self.data - other.data, [Edge(self.node, 1.0), Edge(other.node, -1.0)])

    def __mul__(self, other):
        other = lift(other)
        return Num(self.data * other.data, [Edge(self.node, other.data), Edge(other.node, self.data)])

    def __truediv__(self, other):
        other = lift(other)
        quotient = self.data / other.data
        return Num(quotient, [Edge(self.node, 1.0 / other.data), Edge(other.node, -quotient / other.data)])

    def __pow__(self, n):
        slope = n * self.data ** (n - 1) if n != 0 else 0.0
        return Num(self.data**n, [Edge(self.node, slope)])

    def __neg__(self):
        return Num(-self.data, [Edge(self.node, -1.0)])

    def __radd__(self, other):
        return lift(other) + self

    def __rsub__(self, other):
        return lift(other) - self

    def __rmul__(self, other):
        return lift(other) * self

    def __rtruediv__(self, other):
        return lift(other) / self

    def __rpow__(self, other):
        return exp(self * math.log(other))

    def backward(self):
        # first walk: how many edges lead to each node, and nothing left over from an earlier pass
        consumers = {self.node: 0}
        todo = [self.node]
        while todo:
            node = todo.pop()
            if node.edges:
                node.grad = 0.0
            for edge in node.edges:
                if edge.target not in consumers:
                    consumers[edge.target] = 0
                    todo.append(edge.target)
                consumers[edge.target] += 1

        # second walk: a node has its turn when its last consumer has had it
        self.node.grad += 1.0
        queue = deque([self.node])
        while queue:
            node = queue.popleft()
            for edge in node.edges:
                edge.target.grad += edge.weight * node.grad
                consumers[edge.target] -= 1
                if consumers[edge.target] == 0:
                    queue.append(edge.target)


def lift(x):
    return x if isinstance(x, Num) else Num(x)


def exp(x):
    x = lift(x)
    value = math.exp(x.data)
    return Num(value, [Edge(x.node, value)])


def log(x):
    x = lift(x)
    return Num(math.log(x.data), [Edge(x.node, 1.0 / x.data)])


def tanh(x):
    x = lift(x)
    value = math.tanh(x.data)
    return Num(value, [Edge(x.node, 1.0 - value * value)])


def relu(x):
    x = lift(x)
    return Num(x.data, [Edge(x.node, 1.0)]) if x.data > 0 else Num(0.0, [Edge(x.node, 0.0)])
