"""Where the nodes of a small graph stand: columns in the order of the computation, rows in which few edges cross.

Columns and rows are counted, not measured, so that the picture can run from left to right or from top to bottom.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from autograd.graph import topological_order
from autograd.value import Value

SWEEPS = 16
THIN = 0.5  # rows that an edge takes where it passes a column


class Places(NamedTuple):
    """Columns and rows, from 0 on.

    nodes    (column, row) of every node, in topological order
    routes   for every node and each of its operands, the (column, row) points that the edge passes, operand first
    size     the number of columns and rows
    """

    nodes: list[tuple[int, float]]
    routes: list[list[list[tuple[int, float]]]]
    size: tuple[int, float]


class Slot:
    """The place of a node, or of an edge on its way, in one column."""

    def __init__(self, column: int, breadth: float) -> None:
        self.column, self.breadth, self.row = column, breadth, 0.0
        self.before: list[Slot] = []
        self.after: list[Slot] = []


def positions(root: Value) -> Places:
    """Sugiyama's way: columns by distance, an edge's own slot in each column that it passes, barycentres.

    >>> r, s = Value(2.0), Value(3.0)
    >>> positions(r * s).nodes
    [(0, 0.0), (0, 1.0), (1, 0.5)]
    """
    order = topological_order(root)
    column = _columns(order)
    slot = {node: Slot(column[node], 1.0) for node in order}
    columns: list[list[Slot]] = [[] for _ in range(column[root] + 1)]
    chains: list[list[list[Slot]]] = []
    for node in order:
        columns[column[node]].append(slot[node])
        chains.append([])
        for parent in node.parents:
            passed = [Slot(c, THIN) for c in range(column[parent] + 1, column[node])]
            for thin in passed:
                columns[thin.column].append(thin)
            chain = [slot[parent], *passed, slot[node]]
            for x, y in pairwise(chain):
                x.after.append(y)
                y.before.append(x)
            chains[-1].append(chain)
    columns = _ordered(columns)
    _align(columns)
    top = min(s.row - s.breadth / 2 for c in columns for s in c)
    bottom = max(s.row + s.breadth / 2 for c in columns for s in c)

    def place(s: Slot) -> tuple[int, float]:
        return s.column, round(s.row - top - 0.5, 3)

    return Places(
        [place(slot[node]) for node in order],
        [[[place(s) for s in chain] for chain in of_node] for of_node in chains],
        (len(columns), round(bottom - top, 3)),
    )


def _columns(order: Sequence[Value]) -> dict[Value, int]:
    """One beyond the furthest operand; an input stands beside what first uses it."""
    column = dict.fromkeys(order, 0)
    for node in order:
        column[node] = max((column[parent] + 1 for parent in node.parents), default=0)
    nearest: dict[Value, int] = {}
    for node in order:
        for parent in node.parents:
            nearest[parent] = min(nearest.get(parent, column[node]), column[node])
    return {node: column[node] if node.parents or node not in nearest else nearest[node] - 1 for node in order}


def _ordered(columns: list[list[Slot]]) -> list[list[Slot]]:
    """The order in each column, by the mean place of the neighbours, there and back; the best of all sweeps."""
    best, fewest = columns, _crossings(columns)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        columns = [list(slots) for slots in columns]
        place = {s: float(i) for slots in columns for i, s in enumerate(slots)}
        for slots in columns[1:] if sweep % 2 == 0 else columns[-2::-1]:
            centre = {}
            for s in slots:
                near = s.before if sweep % 2 == 0 else s.after
                centre[s] = sum(place[x] for x in near) / len(near) if near else place[s]
            slots.sort(key=centre.__getitem__)
            place.update({s: float(i) for i, s in enumerate(slots)})
        crossings = _crossings(columns)
        if crossings < fewest:
            best, fewest = columns, crossings
    return best


def _crossings(columns: list[list[Slot]]) -> int:
    """How many pairs of edges cross between neighbouring columns."""
    crossings = 0
    for slots, following in pairwise(columns):
        place = {s: i for i, s in enumerate(following)}
        passed: list[int] = []
        for s in slots:
            ends = sorted(place[x] for x in s.after)
            crossings += sum(len(passed) - bisect_right(passed, end) for end in ends)
            for end in ends:
                insort(passed, end)
    return crossings


def _align(columns: list[list[Slot]]) -> None:
    """Move each slot towards its neighbours, in order and apart."""
    for slots in columns:
        _spread(slots, [0.0] * len(slots))
    for turn in range(SWEEPS):
        for slots in columns if turn % 2 == 0 else columns[::-1]:
            near = [[x.row for x in s.before + s.after] or [s.row] for s in slots]
            _spread(slots, [sum(rows) / len(rows) for rows in near])


def _spread(slots: list[Slot], wanted: list[float]) -> None:
    """The rows nearest to those wanted, by least squares, in which the slots keep their order and do not overlap."""
    offsets = [0.0]
    for above, below in pairwise(slots):
        offsets.append(offsets[-1] + (above.breadth + below.breadth) / 2)
    blocks: list[tuple[float, int]] = []  # pool adjacent violators: the sum of what is wanted, and how many
    for row, offset in zip(wanted, offsets):
        block = (row - offset, 1)
        while blocks and blocks[-1][0] / blocks[-1][1] >= block[0] / block[1]:
            total, count = blocks.pop()
            block = (block[0] + total, block[1] + count)
        blocks.append(block)
    starts = [total / count for total, count in blocks for _ in range(count)]
    for s, start, offset in zip(slots, starts, offsets):
        s.row = start + offset
