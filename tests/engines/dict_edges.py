"""Scalar autodiff with weighted edges: a dict from parent to local derivative, filled in while going forward."""

import math


class Node:
    def __init__(self, x, sym="", *edges):
        self.x = x
        self.g = 0.0
        self.sym = sym
        self.edges = {}
        for parent, d in edges:
            self.edges[parent] = self.edges.get(parent, 0.0) + d  # x * x is one edge of weight 2x

    def __repr__(self):
        return f"Node({self.x:.4f}, {self.sym or 'leaf'}, g={self.g:.4f})"

    def __add__(self, other):
        if isinstance(other, Node):
            return Node(self.x + other.x, "+", (self, 1.0), (other, 1.0))
        return Node(self.x + other, "+", (self, 1.0))

    def __sub__(self, other):
        if isinstance(other, Node):
            return Node(self.x - other.x, "−", (self, 1.0), (other, -1.0))
        return Node(self.x - other, "−", (self, 1.0))

    def __rsub__(self, number):
        return Node(number - self.x, "−", (self, -1.0))

    def __mul__(self, other):
        if isinstance(other, Node):
            return Node(self.x * other.x, "×", (self, other.x), (other, self.x))
        return Node(self.x * other, "×", (self, other))

    def __truediv__(self, other):
        if isinstance(other, Node):
            q = self.x / other.x
            return Node(q, "÷", (self, 1.0 / other.x), (other, -q / other.x))
        return Node(self.x / other, "÷", (self, 1.0 / other))

    def __rtruediv__(self, number):
        return Node(number / self.x, "÷", (self, -number / self.x**2))

    def __pow__(self, n):
        return Node(self.x**n, f"^{n}", (self, n * self.x ** (n - 1) if n else 0.0))

    def __neg__(self):
        return Node(-self.x, "−", (self, -1.0))

    def __abs__(self):
        return Node(abs(self.x), "|·|", (self, math.copysign(1.0, self.x)))

    __radd__ = __add__
    __rmul__ = __mul__

    def sigmoid(self):
        s = 0.5 + 0.5 * math.tanh(self.x / 2)
        return Node(s, "σ", (self, s * (1 - s)))

    def sin(self):
        return Node(math.sin(self.x), "sin", (self, math.cos(self.x)))

    def exp(self):
        e = math.exp(self.x)
        return Node(e, "exp", (self, e))

    def log(self):
        return Node(math.log(self.x), "ln", (self, 1.0 / self.x))

    def backprop(self):
        # how many edges lead into each node from above
        waiting, todo = {self: 0}, [self]
        while todo:
            for parent in todo.pop().edges:
                if parent not in waiting:
                    waiting[parent] = 0
                    todo.append(parent)
                waiting[parent] += 1
        for node in waiting:
            node.g = 0.0
        self.g = 1.0
        todo = [self]
        while todo:
            node = todo.pop()
            for parent, d in node.edges.items():
                parent.g += d * node.g
                waiting[parent] -= 1
                if not waiting[parent]:
                    todo.append(parent)


def maximum(a, b):
    left = a.x >= b.x
    return Node(a.x if left else b.x, "max", (a, float(left)), (b, float(not left)))


def average(*nodes):
    return Node(sum(n.x for n in nodes) / len(nodes), "Ø", *((n, 1 / len(nodes)) for n in nodes))


# ---- for the tests
USE = {
    "leaf": lambda x: Node(x),
    "data": lambda node: node.x,
    "grad": lambda node: node.g,
    "backward": lambda root: root.backprop(),
    "ops": {
        "add": lambda a, b: a + b,
        "sub": lambda a, b: a - b,
        "mul": lambda a, b: a * b,
        "div": lambda a, b: a / (b * b + 1),
        "neg": lambda a: -a,
        "abs": lambda a: abs(a),
        "add5": lambda a: a + 5,
        "sub2": lambda a: a - 2,
        "rsub1": lambda a: 1 - a,
        "triple": lambda a: 3 * a,
        "half": lambda a: a / 2,
        "rdiv2": lambda a: 2 / (a**2 + 1),
        "square": lambda a: a**2,
        "pow3": lambda a: a**3,
        "sigmoid": lambda a: a.sigmoid(),
        "sin": lambda a: a.sin(),
        "exp": lambda a: a.sin().exp(),
        "log": lambda a: (a * a + 1).log(),
        "max": lambda a, b: maximum(a, b),
        "average3": lambda a, b, c: average(a, b, c),
    },
}
