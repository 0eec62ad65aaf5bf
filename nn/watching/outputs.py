"""A model's outputs at thousands of points: the graph of one example, its rules run on arrays of examples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autograd.graph import topological_order
from autograd.modes import collector_paused
from autograd.number_systems import arrays
from autograd.value import Value
from nn.evaluation import numbers_of, outputs_of, units_of
from nn.module import Module, evaluating

Array = NDArray[np.float64]


def outputs_at(model: Module, X: Sequence[Sequence[float]]) -> Array:
    """What the model makes of each example in evaluation mode: one row for each output unit, one column for each x.

    Layers of this package do the same with every example, so that the first one's graph stands for all. A module of
    the user's own may look at its numbers and decide: with one, each example has a graph of its own.
    """
    modules = (model, *model.submodules().values())
    if all(type(module).__module__.startswith("nn.") for module in modules):
        with evaluating(model), collector_paused(), np.errstate(all="ignore"):
            return _on_arrays(model, np.asarray(X, float).T)
    return np.asarray(numbers_of(outputs_of(model, X))).T


def _on_arrays(model: Module, columns: Array) -> Array:
    inputs = [Value(float(column[0])) for column in columns]
    units = units_of(model(inputs))
    found: dict[Value, Array | float] = dict(zip(inputs, columns))
    for unit in units:
        for node in topological_order(unit):
            if node not in found:
                found[node] = node.data
                if node.operation and node.parents:  # a leaf keeps its number
                    found[node], _ = node.operation.rule(arrays, *(found[parent] for parent in node.parents))
    return np.stack([np.broadcast_to(np.asarray(found[unit]), columns.shape[1:]) for unit in units])
