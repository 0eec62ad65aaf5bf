"""Activation functions a = g(z): one node per unit, with the local derivative g′(z) from the table of primitives."""

from typing import ClassVar

from autograd import functions, primitives
from autograd.table import Primitive
from autograd.value import Value, unary
from nn.module import Module
from nn.validation import in_range


class Activation(Module):
    """Base class of layers that apply a primitive g of one operand to each unit."""

    primitive: ClassVar[Primitive]

    def forward(self, x: list[Value]) -> list[Value]:
        return [unary(self.primitive, z) for z in x]


class ELU(Activation):
    """g(z) = z for z > 0, else eᶻ − 1."""

    primitive = primitives.elu


class GELU(Activation):
    """g(z) = z Φ(z) with the exact standard normal CDF Φ.

    >>> [round(a.data, 4) for a in GELU()([-1.0, 2.0])]
    [-0.1587, 1.9545]
    """

    primitive = primitives.gelu


class Identity(Activation):
    """g(z) = z, as a separate node."""

    primitive = primitives.identity


class ReLU(Activation):
    """g(z) = max(z, 0).

    >>> [a.data for a in ReLU()([-1.0, 2.0])]
    [0.0, 2.0]
    """

    primitive = primitives.relu


class LeakyReLU(Activation):
    """g(z) = z for z > 0, else ``slope`` · z."""

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = in_range("slope", slope)

    def forward(self, x: list[Value]) -> list[Value]:
        return [functions.leaky_relu(z, self.slope) for z in x]


class LogSigmoid(Activation):
    """g(z) = log σ(z)."""

    primitive = primitives.log_sigmoid


class SiLU(Activation):
    """g(z) = z σ(z)."""

    primitive = primitives.silu


class Sigmoid(Activation):
    """g(z) = σ(z) = 1/(1 + e⁻ᶻ), with g′(z) = a(1 − a)."""

    primitive = primitives.sigmoid


class Softplus(Activation):
    """g(z) = log(1 + eᶻ)."""

    primitive = primitives.softplus


class Tanh(Activation):
    """g(z) = tanh z, with g′(z) = 1 − a²."""

    primitive = primitives.tanh


ELEMENTARY = (ELU, GELU, LogSigmoid, ReLU, SiLU, Sigmoid, Softplus, Tanh)
BY_NAME: dict[str, type[Activation]] = {g.primitive.name: g for g in ELEMENTARY}
BY_NAME |= {"leaky_relu": LeakyReLU, "linear": Identity}


def activation(name: str) -> Activation:
    """Return the activation with this name. Raises ValueError for an unknown name; it lists the known ones."""
    if name not in BY_NAME:
        raise ValueError(f"unknown activation {name!r}: choose one of {', '.join(sorted(BY_NAME))}")
    return BY_NAME[name]()
