"""Tells ``autograd.draw`` how to draw a model, or the trace of one example through it: as units and weights."""

from itertools import pairwise, repeat
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
    layers = [
        [_unit(l, j, z_j, a_j) for j, (z_j, a_j) in enumerate(zip(z or repeat(None), a))]
        for l, (z, a) in enumerate(zip(trace.z, trace.a))
    ]
    units = [[unit_of(z_j).parents for z_j in layer] for layer in trace.z[1:]]  # w₁ … wₙ, a₁ … aₙ and b, if any
    return Diagram(layers, [[list(parents[: len(parents) // 2]) for parents in layer] for layer in units])


def _unit(l: int, j: int, z: Value | None, a: Value) -> Unit:
    numbers = {"z": z.data} if z is not None else {}
    numbers["a"] = a.data
    # a trace marks z that no backward pass has reached with −0.0
    if z is not None and (z.grad or copysign(1.0, z.grad) > 0.0):
        numbers["δ"] = z.grad
    made_by = beneath(a)
    # times 0 from a dropout mask
    is_dropped = made_by.operation is mul and any(not mask.parents and mask.data == 0.0 for mask in made_by.parents)
    return Unit(index_name("a", l, j), {index_name(letter, l, j): x for letter, x in numbers.items()}, is_dropped)


def unit_of(z: Value) -> Value:
    """The node w·a + b, or w·a, that made a z_j. ValueError if another operation made it."""
    made_by = beneath(z)
    if made_by.operation not in (affine, dot):
        by = made_by.operation.name if made_by.operation else "nothing"
        raise ValueError(f"{called(z.name, 'a z without a name')} is made by {by}, not by affine or dot as in Linear")
    return made_by
