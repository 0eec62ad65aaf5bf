"""Tells ``autograd.draw`` how to draw a model, or the trace of one example through it: as units and weights."""

from __future__ import annotations

from itertools import pairwise
from math import copysign

from autograd.neurons import Diagram, Unit, diagram_of
from autograd.primitives import affine, dot, mul
from autograd.text import called
from autograd.value import Value
from nn.layers import Linear
from nn.module import Module, Trace, beneath, index_name


@diagram_of.register
def model_diagram(model: Module) -> Diagram:
    """The units and weights of a model's Linear layers. ValueError if there are none, or if they do not form a chain.

    >>> from nn import MLP
    >>> [len(layer) for layer in model_diagram(MLP(2, [3, 2])).layers]
    [2, 3, 2]
    """
    linear = [m for m in (model, *model.submodules().values()) if isinstance(m, Linear)]
    if not linear:
        raise ValueError(f"{model!r} has no Linear layer: there are no neurons to draw")
    for before, after in pairwise(linear):
        if after.n_in != before.n_out:
            raise ValueError(f"{after!r} cannot follow {before!r}: a diagram needs layers that form a chain")
    sizes = [linear[0].n_in, *(layer.n_out for layer in linear)]
    layers = [[Unit(index_name("a", l, j)) for j in range(size)] for l, size in enumerate(sizes)]
    return Diagram(layers, [layer.W for layer in linear])


@diagram_of.register
def trace_diagram(trace: Trace) -> Diagram:
    """The units of one example with its numbers, including δ once ``loss.backward()`` has run."""
    layers = [[_unit(0, j, None, a_j) for j, a_j in enumerate(trace.a[0])]]
    for l in range(1, len(trace.z)):
        layers.append([_unit(l, j, z_j, a_j) for j, (z_j, a_j) in enumerate(zip(trace.z[l], trace.a[l]))])
    units = [[unit_of(z_j).parents for z_j in layer] for layer in trace.z[1:]]  # w₁ … wₙ, a₁ … aₙ and b, if any
    return Diagram(layers, [[list(parents[: len(parents) // 2]) for parents in layer] for layer in units])


def _unit(l: int, j: int, z: Value | None, a: Value) -> Unit:
    numbers = {index_name("a", l, j): a.data}
    if z is not None:
        numbers = {index_name("z", l, j): z.data, **numbers}
        if z.grad or copysign(1.0, z.grad) > 0.0:  # a trace marks z that no backward pass has reached with −0.0
            numbers[index_name("δ", l, j)] = z.grad
    return Unit(index_name("a", l, j), numbers, _dropped(a))


def _dropped(a: Value) -> bool:
    """Whether a unit's value was multiplied by a dropout mask of 0."""
    made_by = beneath(a)
    return made_by.operation is mul and any(not mask.parents and mask.data == 0.0 for mask in made_by.parents)


def unit_of(z: Value) -> Value:
    """The node w·a + b, or w·a, that made a z_j. ValueError if another operation made it."""
    made_by = beneath(z)
    if made_by.operation not in (affine, dot):
        by = made_by.operation.name if made_by.operation else "nothing"
        raise ValueError(f"{called(z.name, 'a z without a name')} is made by {by}, not by affine or dot as in Linear")
    return made_by
