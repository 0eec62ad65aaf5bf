"""Turns a graph of objects into a few flat arrays of integers, so that planning can use NumPy."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autograd.graph import topological_order
from autograd.operands import data_of
from autograd.table import CONSTANT_NUMBER, Primitive
from autograd.value import Value

Ints = NDArray[np.signedinteger[Any]]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Ragged:
    """Lists of different lengths, one after the other: list i is ``items[start[i] : start[i + 1]]``."""

    arity: Ints  # the length of each list
    items: Ints

    @cached_property
    def start(self) -> Ints:
        """The index where each list starts, and where the last one ends."""
        return np.append(0, np.cumsum(self.arity)).astype(np.int32)

    def __getitem__(self, i: int) -> list[int]:
        found: list[int] = self.items[self.start[i] : self.start[i + 1]].tolist()
        return found

    def __iter__(self) -> Iterator[list[int]]:
        items = self.items.tolist()
        return (items[start:end] for start, end in pairwise(self.start.tolist()))

    def table(self, of: Ints) -> Ints:
        """Return lists of equal length as an array, with the shape of ``of`` and a last axis for the items."""
        return self.items[self.start[of][..., None] + np.arange(self.arity[of.flat[0]])]


class Places:
    """The index of each node, found by its identity, in 12 bytes per node; a dict would take 80."""

    def __init__(self, nodes: list[Value]) -> None:
        self._nodes, identities = nodes, np.fromiter(map(id, nodes), np.int64, len(nodes))
        self._order = np.argsort(identities).astype(np.int32)
        self._sorted = identities[self._order]

    def __contains__(self, node: object) -> bool:
        return self._nodes[self[node]] is node

    def __getitem__(self, node: object) -> int:
        """Return the index of a node, or any index if the node is absent."""
        return int(self._order[self._sorted.searchsorted(id(node)) % len(self._order)])

    def of(self, nodes: Iterable[Value]) -> Ints:
        """Return the indices of nodes that are present."""
        return self._order[self._sorted.searchsorted([*map(id, nodes)])]


class Flat(NamedTuple):
    """The graph as arrays; a node is represented by its index in the topological order."""

    nodes: list[Value]  # the last one is the root
    place_of: Places
    operations: list[Any]  # the primitives that occur, None for leaves
    code: Ints  # for each node, the index of its operation
    parents: Ragged  # the operands of each node; equal constants are replaced by the first of them
    data: NDArray[np.float64]  # the numbers at the time of recording
    is_constant: Bools  # which nodes are plain numbers in an expression

    def operation(self, node: int) -> Primitive:
        """Return the entry of the table that made a node, which must not be a leaf."""
        entry: Primitive = self.operations[self.code[node]]
        return entry

    def made_by(self, *entries: Primitive) -> Bools:
        """Return which nodes were made by one of these entries of the table."""
        return np.array([operation in entries for operation in self.operations], dtype=bool)[self.code]


def flatten(root: Value, leaves: Iterable[Value] = (), order: list[Value] | None = None) -> Flat:
    """Return the graph of ``root``, after the ``leaves`` that it does not use.

    order    ``topological_order(root)``, if it is known already

    >>> x = Value(3.0)
    >>> list(flatten(x * x).parents)
    [[], [0, 0]]
    """
    nodes = order or topological_order(root)
    used = set(nodes)
    nodes = [*(leaf for leaf in dict.fromkeys(leaves) if leaf not in used), *nodes]
    places = dict(zip(nodes, range(len(nodes))))
    lists = [node.parents for node in nodes]
    arity = np.fromiter(map(len, lists), np.int32, len(nodes))
    parents = np.fromiter(map(places.__getitem__, chain.from_iterable(lists)), np.int32, arity.sum())
    operations = [node.operation for node in nodes]
    codes: dict[Any, int] = {operation: i for i, operation in enumerate(dict.fromkeys(operations))}
    code = np.fromiter(map(codes.__getitem__, operations), np.int16, len(nodes))
    data = np.fromiter(map(data_of, nodes), np.float64, len(nodes))
    is_constant = code == codes.get(CONSTANT_NUMBER)
    constants = np.flatnonzero(is_constant)
    _, first, of_each = np.unique(data[constants].view(np.int64), return_index=True, return_inverse=True)
    same = np.arange(len(nodes), dtype=np.int32)  # for each constant, the first one with its bits
    same[constants] = constants[first][of_each]
    return Flat(nodes, Places(nodes), list(codes), code, Ragged(arity, same[parents]), data, is_constant)
