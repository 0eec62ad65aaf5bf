"""A scalar autodiff engine in which each operation is a class with its own forward and backward."""

import math


class Op:
    def __init__(self, inputs):
        self.inputs = inputs

    @classmethod
    def apply(cls, *inputs):
        op = cls([x if isinstance(x, Scalar) else Scalar(x) for x in inputs])
        return Scalar(op.forward(*[x.data for x in op.inputs]), op)


class Add(Op):
    def forward(self, u, v):
        return u + v

    def backward(self, grad):
        for x in self.inputs:
            x.grad += grad


class Sub(Op):
    def forward(self, u, v):
        return u - v

    def backward(self, grad):
        a, b = self.inputs
        a.grad += grad
        b.grad -= grad


class Mul(Op):
    def forward(self, u, v):
        self.u, self.v = u, v
        return u * v

    def backward(self, grad):
        a, b = self.inputs
        a.grad += grad * self.v
        b.grad += grad * self.u


class Div(Op):
    def forward(self, u, v):
        self.ratio, self.v = u / v, v
        return self.ratio

    def backward(self, grad):
        a, b = self.inputs
        a.grad += grad / self.v
        b.grad -= grad * self.ratio / self.v


class Unary(Op):
    """An operation on one number: `rule` gives its value and its slope."""

    def forward(self, u):
        value, self.slope = self.rule(u)
        return value

    def backward(self, grad):
        self.inputs[0].grad += grad * self.slope


class Neg(Unary):
    def rule(self, u):
        return -u, -1.0


class Exp(Unary):
    def rule(self, u):
        return math.exp(u), math.exp(u)


class Log(Unary):
    def rule(self, u):
        return math.log(u), 1 / u


class Tanh(Unary):
    def rule(self, u):
        return math.tanh(u), 1 - math.tanh(u) ** 2


class Relu(Unary):
    def rule(self, u):
        return (u, 1.0) if u > 0 else (0.0, 0.0)


class Sin(Unary):
    def rule(self, u):
        return math.sin(u), math.cos(u)


def power(n):
    class Pow(Unary):
        def rule(self, u):
            return u**n, n * u ** (n - 1) if u or n >= 1 else math.inf if n else 0.0

    return Pow


class Scalar:
    def __init__(self, data, op=None):
        self.data = data
        self.grad = 0.0
        self.op = op  # the operation that made this number; None for a leaf

    def __repr__(self):
        return f"Scalar(data={self.data:.6g}, grad={self.grad:.6g})"

    __add__, __radd__ = (lambda a, b: Add.apply(a, b)), (lambda a, b: Add.apply(b, a))
    __sub__, __rsub__ = (lambda a, b: Sub.apply(a, b)), (lambda a, b: Sub.apply(b, a))
    __mul__, __rmul__ = (lambda a, b: Mul.apply(a, b)), (lambda a, b: Mul.apply(b, a))
    __truediv__, __rtruediv__ = (lambda a, b: Div.apply(a, b)), (lambda a, b: Div.apply(b, a))
    __neg__, exp, log = (lambda a: Neg.apply(a)), (lambda a: Exp.apply(a)), (lambda a: Log.apply(a))
    tanh, relu, sin = (lambda a: Tanh.apply(a)), (lambda a: Relu.apply(a)), (lambda a: Sin.apply(a))

    def __pow__(self, n):
        return (n * self.log()).exp() if isinstance(n, Scalar) else power(n).apply(self)

    def __rpow__(self, base):
        return Exp.apply(self * math.log(base))

    def order(self):
        """All nodes below this one, each behind its inputs: a depth-first search with a stack of its own."""
        order, seen, stack = [], set(), [(self, False)]
        while stack:
            node, finished = stack.pop()
            if finished:
                order.append(node)
            elif node not in seen:
                seen.add(node)
                stack.append((node, True))
                for source in node.op.inputs if node.op else ():
                    stack.append((source, False))
        return order

    def backward(self):
        """Set the gradient of each node below this one to d(self)/d(node), leaves too."""
        order = self.order()
        for node in order:
            node.grad = 0.0
        self.grad = 1.0
        for node in reversed(order):
            if node.op:
                node.op.backward(node.grad)
