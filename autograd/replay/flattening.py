"""A graph of objects becomes a few flat arrays of integers: every later question is one NumPy operation on them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd.graph import topological_order
from autograd.primitives import CONSTANT_NUMBER, Primitive
from autograd.value import Value, data_of

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Flat:
    """The graph as arrays; a node is its place in the topological order."""

    nodes: list[Value]  # the root is the last of them
    place_of: dict[Value, int]
    operations: list[Primitive | None]  # the primitives that occur, None for leaves
    code: Ints  # which of these made each node
    start: Ints  # the operands of node i are ``parents[start[i] : start[i + 1]]``
    parents: Ints  # equal constants are one: each stands for the first of its number
    operands: Ints  # the same before that
    data: NDArray[np.float64]  # the numbers of the forward pass that was recorded

    @cached_property
    def arity(self) -> Ints:
        """How many operands each node has."""
        return np.diff(self.start)

    @cached_property
    def owner(self) -> Ints:
        """The node whose operand each entry of ``parents`` is."""
        return np.repeat(np.arange(len(self.nodes)), self.arity)

    def parents_of(self, i: int) -> list[int]:
        """The operands of node i."""
        found: list[int] = self.parents[self.start[i] : self.start[i + 1]].tolist()
        return found

    def made_by(self, *entries: Primitive) -> Bools:
        """Which nodes one of these entries of the table has made."""
        return np.array([operation in entries for operation in self.operations], dtype=bool)[self.code]

    @cached_property
    def is_constant(self) -> Bools:
        """Which nodes are numbers in an expression."""
        return self.made_by(CONSTANT_NUMBER)


def flatten(root: Value, leaves: Iterable[Value] = ()) -> Flat:
    """The graph of ``root``; leaves that it does not use are put before it.

    >>> x = Value(3.0)
    >>> flat = flatten(x * x)
    >>> flat.parents.tolist(), flat.start.tolist()
    ([0, 0], [0, 0, 2])
    """
    nodes = topological_order(root)
    used = set(nodes)
    nodes = [*(leaf for leaf in dict.fromkeys(leaves) if leaf not in used), *nodes]
    place_of = dict(zip(nodes, range(len(nodes))))
    operands = [node.parents for node in nodes]
    start = np.zeros(len(nodes) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, operands), np.int64, len(nodes)), out=start[1:])
    parents = np.fromiter(map(place_of.__getitem__, chain.from_iterable(operands)), np.int64, start[-1])
    codes: dict[Any, int] = {}
    code = np.fromiter((codes.setdefault(node.operation, len(codes)) for node in nodes), np.int64, len(nodes))
    data = np.fromiter(map(data_of, nodes), np.float64, len(nodes))
    flat = Flat(nodes, place_of, list(codes), code, start, parents, parents, data)
    constants = np.flatnonzero(flat.is_constant)
    _, first, of_each = np.unique(data[constants].view(np.int64), return_index=True, return_inverse=True)
    same = np.arange(len(nodes))
    same[constants] = constants[first][of_each]
    return replace(flat, parents=same[parents])
