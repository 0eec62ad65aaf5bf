"""Scalar with a tape behind it: each operation writes down a Step in the current Graph.

    x = Scalar(2.0)
    y = (x * x).tanh()
    y.backward()            # x.grad

With nothing said, everything goes to one Graph that lasts as long as the program; `with Graph():` opens a fresh one.
"""

import math


class Step:
    def __init__(self, out, inputs, partials):
        self.out, self.inputs, self.partials = out, inputs, partials


class Graph:
    open_graphs = []  # noqa: RUF012

    def __init__(self):
        self.steps = []

    def __enter__(self):
        Graph.open_graphs.append(self)
        return self

    def __exit__(self, *error):
        Graph.open_graphs.pop()

    @staticmethod
    def record(data, inputs, partials):
        graph = Graph.open_graphs[-1]
        for s in inputs:
            if s.graph not in (None, graph):
                raise ValueError("this Scalar was computed in another Graph")
        out = Scalar(data)
        out.graph, out.position = graph, len(graph.steps)
        graph.steps.append(Step(out, inputs, partials))
        return out

    def leading_to(self, position):
        """The steps that the result of step `position` depends on, the latest first."""
        found, wanted = [], {position}
        while wanted:
            if position in wanted:
                wanted.remove(position)
                found.append(self.steps[position])
                wanted.update(s.position for s in self.steps[position].inputs if s.graph is not None)
            position -= 1
        return found


Graph.open_graphs.append(Graph())


def lift(x):
    return x if isinstance(x, Scalar) else Scalar(x)


class Scalar:
    def __init__(self, data):
        self.data = float(data)
        self.grad = 0.0
        self.graph = self.position = None

    def __repr__(self):
        return f"Scalar({self.data:.6g}, grad={self.grad:.6g})"

    def __add__(self, other):
        other = lift(other)
        return Graph.record(self.data + other.data, [self, other], [1.0, 1.0])

    def __sub__(self, other):
        other = lift(other)
        return Graph.record(self.data - other.data, [self, other], [1.0, -1.0])

    def __mul__(self, other):
        other = lift(other)
        return Graph.record(self.data * other.data, [self, other], [other.data, self.data])

    def __truediv__(self, other):
        other = lift(other)
        q = self.data / other.data
        return Graph.record(q, [self, other], [1.0 / other.data, -q / other.data])

    def __pow__(self, n):
        if isinstance(n, Scalar):
            y = self.data**n.data
            slope = y * math.log(self.data) if self.data > 0 else math.nan
            return Graph.record(y, [self, n], [n.data * self.data ** (n.data - 1), slope])
        return Graph.record(self.data**n, [self], [n * self.data ** (n - 1) if n != 0 else 0.0])

    def __neg__(self):
        return Graph.record(-self.data, [self], [-1.0])

    __radd__ = __add__

    def __rmul__(self, other):
        return self * other

    def __rsub__(self, other):
        return lift(other) - self

    def __rtruediv__(self, other):
        return lift(other) / self

    def __rpow__(self, other):
        return lift(other) ** self

    def exp(self):
        y = math.exp(self.data)
        return Graph.record(y, [self], [y])

    def tanh(self):
        y = math.tanh(self.data)
        return Graph.record(y, [self], [1.0 - y * y])

    def sigmoid(self):
        if self.data >= 0:
            y = 1.0 / (1.0 + math.exp(-self.data))
            return Graph.record(y, [self], [y * (1.0 - y)])
        e = math.exp(self.data)
        y = e / (1.0 + e)
        return Graph.record(y, [self], [y * (1.0 - y)])

    def sin(self):
        return Graph.record(math.sin(self.data), [self], [math.cos(self.data)])

    def backward(self):
        steps = self.graph.leading_to(self.position) if self.graph is not None else []
        for step in steps:
            step.out.grad = 0.0
        self.grad += 1.0
        for step in steps:
            for s, partial in zip(step.inputs, step.partials):
                s.grad += partial * step.out.grad
