"""Neural networks as plain data for ``autograd.draw``; a network library registers a function that returns them.

This is a separate module so that registering does not load the drawing code.
"""

from collections.abc import Mapping, Sequence
from functools import singledispatch
from typing import NamedTuple

from autograd.text import elsewhere
from autograd.value import Value


class Unit(NamedTuple):
    """One neuron: its name, and its known numbers (z, a, δ) by name."""

    name: str
    numbers: Mapping[str, float] = {}
    dropped: bool = False


class Diagram(NamedTuple):
    """The units and weights of a network.

    layers    the units of each layer, the input layer first
    weights   rows of W for each layer after the input: weights[l][j][k] leads from unit k to unit j of layer l + 1
    """

    layers: Sequence[Sequence[Unit]]
    weights: Sequence[Sequence[Sequence[Value]]]


@singledispatch
def diagram_of(network: object) -> Diagram:
    """Return a network's diagram, using the function registered for its class. Raises TypeError for other classes.

    >>> class Perceptron:
    ...     w = [Value(1.0, "w₁"), Value(-2.0, "w₂")]
    >>> @diagram_of.register
    ... def perceptron_diagram(network: Perceptron) -> Diagram:
    ...     return Diagram([[Unit("x₁"), Unit("x₂")], [Unit("y")]], [[network.w]])
    >>> from autograd import draw
    >>> draw(Perceptron())
    <Neural network 2-1>
    """
    if isinstance(network, Diagram):
        return network
    what = f"{network!r} ({type(network).__name__}){elsewhere(network)}"
    raise TypeError(f"draw takes a Value, a model or a trace, not {what}")
