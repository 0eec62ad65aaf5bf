"""Replay: a graph of scalars, recorded once, runs again as a short list of array operations.

The scalars stay what they are. Their graph is flattened to integers, equal operations of one level become one
operation on arrays, and a cross product of rows becomes the matrix product that the lecture writes for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autograd.replay.program import Program, check_leaves, remaining_leaves
from autograd.value import Value

__all__ = ["Program", "record"]


def record(
    loss: Value, inputs: Sequence[Any] = (), parameters: Sequence[Value] | None = None, engine: str = "auto"
) -> Program:
    """Record the graph of a loss, to run it again with other numbers at the speed of arrays.

    loss         a Value, already computed from leaves
    inputs       what is fed anew in each run: leaves, or lists (of lists) of leaves
    parameters   leaves whose gradients are wanted; without them, all that are no inputs. Other leaves keep their
                 numbers, as constants do
    engine       "auto" lets the eager engine run where groups are too small to pay; "replay" and "eager" insist

    Raises ValueError for inputs and parameters that are no leaves, or are given twice.

    >>> w, x, y = Value(2.0, "w"), Value(3.0, "x"), Value(5.0, "y")
    >>> program = record((w * x - y) ** 2, inputs=[x, y], parameters=[w])
    >>> program([4.0, 6.0]), program.gradient(w)
    (4.0, 16.0)
    """
    if engine not in ("auto", "replay", "eager"):
        raise ValueError(f"engine {engine!r}: there are auto, replay and eager")
    inputs = list(inputs)
    if parameters is None:
        parameters = remaining_leaves(loss, inputs)
    parameters = list(parameters)
    check_leaves(inputs, parameters)
    return Program(loss, inputs, parameters, engine)
