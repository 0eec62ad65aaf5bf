"""Scalar autodiff the Java way: interface, Operation objects, factory, getters, setters."""

import math
from abc import ABC, abstractmethod


class Operation(ABC):
    def __init__(self, *inputs):
        self._inputs = list(inputs)

    def getInputs(self):
        return self._inputs

    def getInputValues(self):
        return [scalar.getValue() for scalar in self._inputs]

    @abstractmethod
    def compute(self, *args):
        """Returns the value of the result."""

    @abstractmethod
    def computePartials(self, *args):
        """Returns the partial derivative by each input."""


class Add(Operation):
    def compute(self, x, y):
        return x + y

    def computePartials(self, x, y):
        return [1.0, 1.0]


class Subtract(Operation):
    def compute(self, x, y):
        return x - y

    def computePartials(self, x, y):
        return [1.0, -1.0]


class Multiply(Operation):
    def compute(self, x, y):
        return x * y

    def computePartials(self, x, y):
        return [y, x]


class Sigmoid(Operation):
    def compute(self, x):
        return (1.0 + math.tanh(x / 2.0)) / 2.0

    def computePartials(self, x):
        y = self.compute(x)
        return [y * (1.0 - y)]


class LeakyRelu(Operation):
    def compute(self, x):
        return x if x > 0 else 0.1 * x

    def computePartials(self, x):
        return [1.0 if x > 0 else 0.1]


class Scalar:
    def __init__(self, value, operation=None):
        self._value = value
        self._gradient = 0.0
        self._operation = operation

    def getValue(self):
        return self._value

    def getGradient(self):
        return self._gradient

    def setGradient(self, gradient):
        self._gradient = gradient

    def getOperation(self):
        return self._operation


class ScalarFactory:
    @staticmethod
    def create(value):
        return Scalar(float(value))

    @staticmethod
    def apply(operation):
        return Scalar(operation.compute(*operation.getInputValues()), operation)


class Backpropagator:
    def run(self, root):
        order, visited, stack = [], set(), [(root, False)]
        while stack:
            scalar, finished = stack.pop()
            if finished:
                order.append(scalar)
            elif scalar.getOperation() is not None and scalar not in visited:
                visited.add(scalar)
                stack.append((scalar, True))
                stack.extend((x, False) for x in scalar.getOperation().getInputs())
        root.setGradient(1.0)
        for scalar in reversed(order):
            operation = scalar.getOperation()
            partials = operation.computePartials(*operation.getInputValues())
            for x, partial in zip(operation.getInputs(), partials):
                x.setGradient(x.getGradient() + partial * scalar.getGradient())


# ---- for the tests
USE = {
    "leaf": lambda x: ScalarFactory.create(x),
    "data": lambda node: node.getValue(),
    "grad": lambda node: node.getGradient(),
    "backward": lambda root: Backpropagator().run(root),
    "ops": {
        "add": lambda a, b: ScalarFactory.apply(Add(a, b)),
        "multiply": lambda a, b: ScalarFactory.apply(Multiply(a, b)),
        "subtract": lambda a, b: ScalarFactory.apply(Subtract(a, b)),
        "half": lambda a: ScalarFactory.apply(Multiply(a, ScalarFactory.create(0.5))),
        "sigmoid": lambda a: ScalarFactory.apply(Sigmoid(a)),
        "leakyRelu": lambda a: ScalarFactory.apply(LeakyRelu(a)),
    },
}
