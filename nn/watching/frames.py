"""The frames of a film: what a model was after an epoch, measured with the weights of then and put back as it was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autograd.functions import sum
from autograd.modes import collector_paused
from nn.data import Dataset
from nn.evaluation import numbers_of
from nn.layers import MLP, Linear, Sequential
from nn.module import evaluating, numbers
from nn.training import Training
from nn.watching.outputs import outputs_at

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
    traced = [layer for layer in (model.net if isinstance(model, MLP) else model).layers if isinstance(layer, Linear)]
    with unchanged(model), evaluating(model):
        for place in chosen:
            try:
                model.load_state_dict(history[place])
                with collector_paused():
                    traces = model.trace_batch(examples.X)
                    # in evaluation mode the examples meet nowhere, so the sum of their losses keeps their δ apart
                    sum([training.loss(trace.output, y) for trace, y in zip(traces, examples.y)]).backward()
                deltas = [trace.delta for trace in traces]
                layers = [
                    Layer(
                        np.array(numbers(linear.W)),
                        np.array(numbers(linear.b) or [0.0] * linear.n_out),  # without a bias
                        np.array([numbers(trace.a[l]) for trace in traces]),
                        np.array([delta[l] for delta in deltas]),
                    )
                    for l, linear in enumerate(traced, 1)
                ]
                yield Frame(layers, numbers_of(trace.output for trace in traces), outputs_at(model, points))
            except (ValueError, TypeError) as error:
                raise ValueError(
                    f"history[{place}], of epoch {training.records[place].epoch}, cannot be shown: {error}; "
                    "append model.state_dict() of the same model after each record"
                ) from error


@contextmanager
def unchanged(model: MLP | Sequential) -> Iterator[None]:
    """Afterwards every parameter, gradient and statistic is what it was, to the last bit, whatever was raised."""
    parameters = [(p, p.data, p.grad) for p in model.parameters()]
    statistics = [(buffer, buffer.copy()) for buffer in model.buffers().values()]
    try:
        yield
    finally:
        for p, data, grad in parameters:  # a run that has blown up holds numbers that no state may have
            p.data, p.grad = data, grad
        for buffer, old in statistics:
            buffer[:] = old
