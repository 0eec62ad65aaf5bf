"""Where the nodes of a small graph stand: columns in the order of the computation, rows in which few edges cross.

Columns and rows are counted, not measured, so that the picture can run from left to right or from top to bottom.
"""

from __future__ import annotations

from typing import NamedTuple

from autograd.graph import topological_order
from autograd.sugiyama import Slot, arranged, joined, layers_of
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
    index = {node: i for i, node in enumerate(order)}
    parents = [[index[parent] for parent in node.parents] for node in order]
    layers = layers_of(len(order), [(parent, i) for i, operands in enumerate(parents) for parent in operands])
    boxes = [Slot(layer, breadth=1.0) for layer in layers]
    chains = [[joined(boxes[parent], box, THIN) for parent in operands] for box, operands in zip(boxes, parents)]
    passing = [[slot for chain in into for slot in chain[1:-1]] for into in chains]
    columns, top, bottom = arranged([slot for box, thin in zip(boxes, passing) for slot in (box, *thin)])

    def place(slot: Slot) -> tuple[int, float]:
        return slot.layer, round(slot.across - top - 0.5, 3)

    routes = [[[place(slot) for slot in chain] for chain in into] for into in chains]
    return Places([place(box) for box in boxes], routes, (len(columns), round(bottom - top, 3)))
