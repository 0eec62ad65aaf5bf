"""Activations a = g(z), applied to each unit: one node each, with the local derivative g′(z) from the table."""

from __future__ import annotations

from abc import abstractmethod

from autograd import functions
from autograd.value import Value
from nn.module import Module


class Activation(Module):
    """A function g of one number, applied to each unit of a layer."""

    @abstractmethod
    def g(self, z: Value) -> Value:
        """a = g(z) for one unit."""

    def forward(self, x: list[Value]) -> list[Value]:
        return [self.g(z) for z in x]


class Identity(Activation):
    """g(z) = z, as a node of its own."""

    def g(self, z: Value) -> Value:
        return +z


class ReLU(Activation):
    """g(z) = max(z, 0).

    >>> [a.data for a in ReLU()([-1.0, 2.0])]
    [0.0, 2.0]
    """

    def g(self, z: Value) -> Value:
        return functions.relu(z)


class LeakyReLU(Activation):
    """g(z) = z for z > 0, else ``slope`` · z."""

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = slope

    def g(self, z: Value) -> Value:
        return functions.leaky_relu(z, self.slope)


class Sigmoid(Activation):
    """g(z) = σ(z) = 1/(1 + e⁻ᶻ), with g′(z) = a(1 − a)."""

    def g(self, z: Value) -> Value:
        return functions.sigmoid(z)


class Softplus(Activation):
    """g(z) = log(1 + eᶻ)."""

    def g(self, z: Value) -> Value:
        return functions.softplus(z)


class Tanh(Activation):
    """g(z) = tanh z, with g′(z) = 1 − a²."""

    def g(self, z: Value) -> Value:
        return functions.tanh(z)


BY_NAME: dict[str, type[Activation]] = {
    "leaky_relu": LeakyReLU,
    "linear": Identity,
    "relu": ReLU,
    "sigmoid": Sigmoid,
    "softplus": Softplus,
    "tanh": Tanh,
}


def activation(name: str) -> Activation:
    """The activation of that name. Raises ValueError, which lists the names."""
    if name not in BY_NAME:
        raise ValueError(f"activation {name!r}: there are {', '.join(sorted(BY_NAME))}")
    return BY_NAME[name]()
