"""One slotted subclass per operation with forward and backward methods, operands in left / right or arg."""

import math


class Node:
    __slots__ = ("grad", "value")

    def __init__(self, value):
        self.value = value
        self.grad = 0.0

    def operands(self):
        return ()

    def backward(self):
        pass

    def __add__(self, other):
        return Add(self, as_node(other))

    def __mul__(self, other):
        return Mul(self, as_node(other))

    def __sub__(self, other):
        return Add(self, as_node(other) * -1.0)


class Leaf(Node):
    __slots__ = ()


class Unary(Node):
    __slots__ = ("arg",)

    def __init__(self, arg):
        self.arg = arg
        super().__init__(self.forward())

    def operands(self):
        return (self.arg,)


class Binary(Node):
    __slots__ = ("left", "right")

    def __init__(self, left, right):
        self.left, self.right = left, right
        super().__init__(self.forward())

    def operands(self):
        return (self.left, self.right)


class Add(Binary):
    __slots__ = ()

    def forward(self):
        return self.left.value + self.right.value

    def backward(self):
        self.left.grad += self.grad
        self.right.grad += self.grad


class Mul(Binary):
    __slots__ = ()

    def forward(self):
        return self.left.value * self.right.value

    def backward(self):
        self.left.grad += self.grad * self.right.value
        self.right.grad += self.grad * self.left.value


class Tanh(Unary):
    __slots__ = ()

    def forward(self):
        return math.tanh(self.arg.value)

    def backward(self):
        self.arg.grad += self.grad * (1.0 - self.value * self.value)


class Softplus(Unary):
    __slots__ = ()

    def forward(self):
        return max(self.arg.value, 0.0) + math.log1p(math.exp(-abs(self.arg.value)))

    def backward(self):
        self.arg.grad += self.grad * math.exp(self.arg.value - self.value)


def as_node(x):
    return x if isinstance(x, Node) else Leaf(x)


def backpropagate(root):
    order, seen, stack = [], set(), [(root, False)]
    while stack:
        node, finished = stack.pop()
        if finished:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            node.grad = 0.0
            stack += [(node, True), *((operand, False) for operand in node.operands())]
    root.grad = 1.0
    for node in reversed(order):
        node.backward()


# ---- for the tests
USE = {
    "leaf": lambda x: Leaf(x),
    "data": lambda node: node.value,
    "grad": lambda node: node.grad,
    "backward": backpropagate,
    "ops": {
        "add": lambda a, b: a + b,
        "sub": lambda a, b: a - b,
        "mul": lambda a, b: a * b,
        "add5": lambda a: a + 5,
        "tanh": lambda a: Tanh(a),
        "softplus": lambda a: Softplus(a),
    },
}
