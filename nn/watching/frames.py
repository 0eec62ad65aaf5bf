"""The frames of a film: what a model was after an epoch, measured with the weights of then."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autograd.graph import topological_order
from autograd.modes import collector_paused
from autograd.number_systems import arrays
from autograd.value import Value
from nn.data import Dataset
from nn.diagnostics import linear_layers, traced, unchanged
from nn.evaluation import numbers_of, outputs_of
from nn.layers import MLP, Sequential
from nn.losses import units_of
from nn.module import Module, evaluating, numbers
from nn.training import Training

Array = NDArray[np.float64]

STEPS = 41  # points of the grid along each side


class Layer(NamedTuple):
    """A layer l at an epoch: its parameters; aˡ and δˡ of the examples, one row for each."""

    W: Array
    b: Array
    a: Array
    delta: Array


class Frame(NamedTuple):
    """The model after an epoch.

    layers      of l = 1 … L
    examples    the output units of each of the examples
    outputs     on the grid, or for the data of the confusion matrix or the fit: a row for each output unit
    """

    layers: list[Layer]
    examples: list[list[float]]
    outputs: Array


class Grid(NamedTuple):
    """A grid around points of a line or a plane, of STEPS points along each side, row by row from below."""

    low: list[float]
    high: list[float]
    points: list[list[float]]

    @classmethod
    def around(cls, X: Sequence[Sequence[float]]) -> Grid:
        """With a margin of an eighth on each side."""
        sides = [(min(column), max(column)) for column in zip(*X)]
        low = [a - ((b - a) / 8.0 or 1.0) for a, b in sides]
        high = [b + ((b - a) / 8.0 or 1.0) for a, b in sides]
        ticks = [[a + (b - a) * i / (STEPS - 1) for i in range(STEPS)] for a, b in zip(low, high)]
        return cls(low, high, [list(reversed(point)) for point in product(*reversed(ticks))])


def frames(
    training: Training, history: Sequence[Any], chosen: Sequence[int], examples: Dataset, points: Any
) -> Iterator[Frame]:
    """A frame for each of the chosen states, with the outputs at ``points`` and the trace of ``examples``.

    Raises ValueError for a state that does not fit the model.
    """
    model = training.model
    assert isinstance(model, (MLP, Sequential))
    with unchanged(model):
        for place in chosen:
            try:
                model.load_state_dict(history[place])
                traces, _ = traced(model, training.loss, examples)
                deltas = [trace.delta for trace in traces]
                layers = [
                    Layer(
                        np.array(numbers(linear.W)),
                        np.array(numbers(linear.b) or [0.0] * linear.n_out),  # without a bias
                        np.array([numbers(trace.a[l]) for trace in traces]),
                        np.array([delta[l] for delta in deltas]),
                    )
                    for l, linear in enumerate(linear_layers(model), 1)
                ]
                yield Frame(layers, numbers_of(trace.output for trace in traces), outputs_at(model, points))
            except (ValueError, TypeError) as error:
                raise ValueError(
                    f"history[{place}], of epoch {training.records[place].epoch}, cannot be shown: {error}; "
                    "append model.state_dict() of the same model after each record"
                ) from error


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
