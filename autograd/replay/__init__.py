"""Replay: a graph of scalars, recorded once, runs again as a short list of array operations.

The scalars stay what they are. Their graph is flattened to integers, equal operations of one level become one
operation on arrays, and a cross product of rows becomes the matrix product that the lecture writes for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, overload

from autograd.replay.program import Program, check_leaves, remaining_leaves
from autograd.replay.recording import Recording
from autograd.value import Value

__all__ = ["Program", "Recording", "record"]


@overload
def record(
    loss: Value, inputs: Sequence[Any] = (), parameters: Sequence[Value] | None = None, engine: str = "auto"
) -> Program: ...


@overload
def record(
    loss: Callable[..., Value], *, parameters: Sequence[Value] | None = None, engine: str = "auto"
) -> Recording: ...


def record(
    loss: Value | Callable[..., Value],
    inputs: Sequence[Any] = (),
    parameters: Sequence[Value] | None = None,
    engine: str = "auto",
) -> Program | Recording:
    """Record a loss, to run it again with other numbers at the speed of arrays.

    loss         a Value, already computed from leaves; or a function that computes it, which is recorded anew for
                 each shape of its arguments
    inputs       what is fed anew in each run: leaves, or lists (of lists) of leaves; of a function, its arguments
    parameters   leaves whose gradients are wanted; without them, all that are no inputs
    engine       "auto" lets the eager engine run where groups are too small to pay; "replay" and "eager" insist

    Raises ValueError for inputs and parameters that are no leaves, or are given twice; of a function, for what a
    replay would freeze: a decision by a Value's number, one drawn inside or computed inside no_grad, a name outside,
    as ``scale`` or ``self.rate``, that means something else by now. What lies deeper in lists and objects, as the
    averages of a BatchNorm, is as it was recorded.

    >>> w, x, y = Value(2.0, "w"), Value(3.0, "x"), Value(5.0, "y")
    >>> program = record((w * x - y) ** 2, inputs=[x, y], parameters=[w])
    >>> program([4.0, 6.0]), program.gradient(w)
    (4.0, 16.0)

    >>> program = record(lambda x, y: (w * x - y) ** 2)
    >>> program(4.0, 6.0), program.gradient(w)
    (4.0, 16.0)
    """
    if engine not in ("auto", "replay", "eager"):
        raise ValueError(f"engine {engine!r}: there are auto, replay and eager")
    if not isinstance(loss, Value):
        if inputs:
            raise TypeError("inputs of a function are its arguments: give them when you call what is recorded")
        return Recording(loss, parameters, engine)
    inputs = list(inputs)
    parameters = remaining_leaves(loss, inputs) if parameters is None else list(parameters)
    check_leaves(inputs, parameters)
    return Program(loss, inputs, parameters, engine)
