"""Registers models and traces with ``autograd.draw``, which draws them as units connected by weights."""

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
    """Return the units and weights of a model's Linear layers. Raises ValueError unless these form a chain.

    >>> from nn import MLP
    >>> [len(layer) for layer in model_diagram(MLP(2, [3, 2])).layers]
    [2, 3, 2]
    """
    linear = [m for m in (model, *model.submodules().values()) if isinstance(m, Linear)]
    if not linear:
        raise ValueError(f"{model!r} has no Linear layer: a diagram needs at least one")
    for before, after in pairwise(linear):
        if after.n_in != before.n_out:
            raise ValueError(f"{after!r} cannot follow {before!r}: a diagram needs Linear layers that form a chain")
    sizes = [linear[0].n_in, *(layer.n_out for layer in linear)]
    layers = [[Unit(index_name("a", l, j)) for j in range(size)] for l, size in enumerate(sizes)]
    return Diagram(layers, [layer.W for layer in linear])


@diagram_of.register
def trace_diagram(trace: Trace) -> Diagram:
    """Return the units with the numbers of one example, including δ after ``loss.backward()``."""
    layers = [
        [_unit(l, j, z_j, a_j) for j, (z_j, a_j) in enumerate(zip(z or repeat(None), a))]
        for l, (z, a) in enumerate(zip(trace.z, trace.a))
    ]
    units = [[unit_of(z_j).parents for z_j in layer] for layer in trace.z[1:]]  # w₁ … wₙ, a₁ … aₙ and b, if any
    return Diagram(layers, [[list(parents[: len(parents) // 2]) for parents in layer] for layer in units])


def _unit(l: int, j: int, z: Value | None, a: Value) -> Unit:
    numbers = {"z": z.data} if z is not None else {}
    numbers["a"] = a.data
    # −0.0 marks a z that no backward pass has reached
    if z is not None and (z.grad or copysign(1.0, z.grad) > 0.0):
        numbers["δ"] = z.grad
    made_by = beneath(a)
    # dropout multiplies by a mask of 0
    is_dropped = made_by.operation is mul and any(not mask.parents and mask.data == 0.0 for mask in made_by.parents)
    return Unit(index_name("a", l, j), {index_name(letter, l, j): x for letter, x in numbers.items()}, is_dropped)


def unit_of(z: Value) -> Value:
    """Return the node w·a + b, or w·a, that computed z_j. Raises ValueError if another operation computed it."""
    made_by = beneath(z)
    if made_by.operation not in (affine, dot):
        name = called(z.name, "an unnamed z")
        found = f"was computed by {made_by.operation.name}" if made_by.operation else "is a leaf"
        raise ValueError(f"{name} {found}: it must be computed by affine or dot, as in Linear")
    return made_by
