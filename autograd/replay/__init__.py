"""Replay: a graph of scalars, recorded once, runs again as a short list of array operations.

The scalars stay what they are. Their graph is flattened to integers, equal operations of one level become one
operation on arrays, and a cross product of rows becomes the matrix product that the lecture writes for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from autograd.graph import leaves
from autograd.table import is_constant
from autograd.value import Value

if TYPE_CHECKING:
    from autograd.replay.program import Program


def record(
    loss: Value, inputs: Sequence[Any] = (), parameters: Sequence[Value] | None = None, engine: str = "auto"
) -> Program:
    """Record the graph of a loss, to run it again with other numbers at the speed of arrays.

    A graph holds what was computed, not what was decided. In each run the inputs are fed, and the parameters and all
    other leaves are read as they are then; constants, decisions (``if x > 0``) and numbers taken from ``.data`` stay
    as they were. ``program.compare(loss)`` checks a program against a freshly built graph.

    loss         a Value, computed from leaves; where its shape varies, keep one program per shape in a dict
    inputs       leaves, or lists (of lists) of leaves, that are fed numbers in each run
    parameters   leaves whose gradients are wanted; by default all that are not inputs
    engine       "auto" runs the eager engine where groups are too small to pay; "replay" and "eager" insist

    Raises TypeError for a loss that is not a Value, ValueError for inputs and parameters that are not leaves or are
    given twice.

    >>> w, x, y = Value(2.0, "w"), Value(3.0, "x"), Value(5.0, "y")
    >>> program = record((w * x - y) ** 2, inputs=[x, y], parameters=[w])
    >>> program([4.0, 6.0]), program.gradient(w)
    (4.0, 16.0)
    """
    from autograd.replay.program import Program, check_leaves, check_loss, entries  # NumPy comes here

    if engine not in ("auto", "replay", "eager"):
        raise ValueError(f"engine {engine!r}: there are auto, replay and eager")
    check_loss("record", loss)
    if is_constant(loss):
        raise ValueError(f"the loss {loss!r} has no graph, as if computed inside no_grad(): compute it outside")
    inputs = [inputs] if isinstance(inputs, Value) else list(inputs)
    fed = [leaf for tensor in inputs for leaf in entries(tensor)]
    given = set(fed)
    parameters = [x for x in leaves(loss) if x not in given] if parameters is None else list(parameters)
    check_leaves(fed, parameters)
    return Program(loss, inputs, parameters, engine)
