"""Where the nodes of a small graph stand: columns in the order of the computation, rows in which few edges cross.

Columns and rows are counted, not measured, so that the picture can run from left to right or from top to bottom.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from autograd.graph import topological_order
from autograd.sugiyama import Slot, align, joined, ordered
from autograd.value import Value

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


def positions(root: Value) -> Places:
    """Sugiyama's way: columns by distance, an edge's own slot in each column that it passes, barycentres.

    >>> r, s = Value(2.0), Value(3.0)
    >>> positions(r * s).nodes
    [(0, 0.0), (0, 1.0), (1, 0.5)]
    """
    order = topological_order(root)
    column = _columns(order)
    slot = {node: Slot(column[node], breadth=1.0) for node in order}
    columns: list[list[Slot]] = [[] for _ in range(column[root] + 1)]
    chains: list[list[list[Slot]]] = []
    for node in order:
        columns[column[node]].append(slot[node])
        chains.append([joined(slot[parent], slot[node], THIN) for parent in node.parents])
        for passing in chains[-1]:
            for thin in passing[1:-1]:
                columns[thin.layer].append(thin)
    columns = ordered(columns)
    align(columns)
    top = min(s.across - s.breadth / 2 for c in columns for s in c)
    bottom = max(s.across + s.breadth / 2 for c in columns for s in c)

    def place(s: Slot) -> tuple[int, float]:
        return s.layer, round(s.across - top - 0.5, 3)

    return Places(
        [place(slot[node]) for node in order],
        [[[place(s) for s in passing] for passing in of_node] for of_node in chains],
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
