"""Expressions that are evaluated when they are made and sorted when first differentiated: .val, .adj, .backward().

Each backward pass starts from clean adjoints, for leaves too: they hold the gradient of the last pass.
"""

import math


def expr(x):
    return x if isinstance(x, Expr) else Expr(x)


def make(fn, rule, *operands):
    args = tuple(expr(x) for x in operands)
    return Expr(fn(*[a.val for a in args]), args, rule)


class Expr:
    def __init__(self, val, args=(), rule=None):
        self.val = val
        self.adj = 0.0
        self.args = args
        self.partials = rule(*[a.val for a in args]) if rule else ()
        self._sorted = None

    def __repr__(self):
        return f"Expr(val={self.val}, adj={self.adj})"

    def __add__(self, other):
        return make(lambda a, b: a + b, lambda a, b: (1.0, 1.0), self, other)

    def __radd__(self, other):
        return expr(other) + self

    def __sub__(self, other):
        return make(lambda a, b: a - b, lambda a, b: (1.0, -1.0), self, other)

    def __rsub__(self, other):
        return expr(other) - self

    def __mul__(self, other):
        return make(lambda a, b: a * b, lambda a, b: (b, a), self, other)

    def __rmul__(self, other):
        return expr(other) * self

    def __truediv__(self, other):
        return make(lambda a, b: a / b, lambda a, b: (1 / b, -a / b**2), self, other)

    def __rtruediv__(self, other):
        return expr(other) / self

    def __pow__(self, n):
        return make(lambda a: a**n, lambda a: (n * a ** (n - 1) if n else 0.0,), self)

    def __neg__(self):
        return make(lambda a: -a, lambda a: (-1.0,), self)

    def __abs__(self):
        return make(abs, lambda a: ((a > 0) - (a < 0),), self)

    def exp(self):
        return make(math.exp, lambda a: (math.exp(a),), self)

    def log(self):
        return make(math.log, lambda a: (1 / a,), self)

    def tanh(self):
        return make(math.tanh, lambda a: (1 - math.tanh(a) ** 2,), self)

    def sqrt(self):
        return make(math.sqrt, lambda a: (0.5 / math.sqrt(a) if a else math.inf,), self)

    def relu(self):
        return make(lambda a: max(a, 0.0), lambda a: (1.0 if a > 0 else 0.0,), self)

    def _sort(self):
        """Children before parents; worked out once, since the graph below a node never changes."""
        order, done, stack = [], set(), [self]
        while stack:
            node = stack[-1]
            if node in done:
                stack.pop()
                continue
            waiting = [a for a in node.args if a not in done]
            if waiting:
                stack.extend(waiting)
            else:
                stack.pop()
                done.add(node)
                order.append(node)
        return order

    def backward(self):
        if self._sorted is None:
            self._sorted = self._sort()
        for node in self._sorted:
            node.adj = 0.0
        self.adj = 1.0
        for node in reversed(self._sorted):
            for arg, partial in zip(node.args, node.partials):
                arg.adj += node.adj * partial
