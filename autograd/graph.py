"""Traverses the graph: its topological order, its leaves, and the backward sweep that every reader uses."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, TypeVar

from autograd.node import Node

N = TypeVar("N", bound=Node)
T = TypeVar("T")  # a node of any graph


def topological_order(root: N, without: Collection[N] = ()) -> list[N]:
    """Return every node that ``root`` was computed from, each after its parents; the root comes last.

    without   nodes to leave out, together with the nodes that only they were computed from
    """
    order: list[N] = []
    seen = set(without)
    stack: list[Any] = [root]  # instead of recursion, so that a graph may be as deep as memory allows
    while stack:
        node = stack.pop()
        if node is None:  # all parents of the next node of the stack are done
            order.append(stack.pop())
        elif node not in seen:
            seen.add(node)
            stack += (node, None)
            parents = node.parents[::-1]  # the first operand comes first
            stack += parents if len(parents) < 3 else [x for x in parents if x not in seen]
    return order


def leaves(root: N) -> list[N]:
    """Return the inputs of ``root`` in forward order: nodes that no operation created, excluding constants."""
    return [node for node in topological_order(root) if node.operation is None]


def carried(node: N, upstream: float) -> list[tuple[N, float, float]]:
    """Return (parent, local derivative, upstream · local derivative) for each parent, as ``backward`` computes them.

    The product is 0 if the upstream is 0 or a gate has not chosen the operand: 0 · ∞ is then 0, not NaN.
    """
    gate = node.operation is not None and node.operation.gate
    return [(x, local, upstream * local if upstream and (local or not gate) else 0.0) for x, local in node.edges]


def sweep(order: Sequence[T], total: dict[T, Any], carry: Callable[..., Any] = carried) -> Iterator[tuple[T, Any]]:
    """Run the backward sweep: yield each node of ``order``, last first, with the edges to its parents.

    total   a ``defaultdict`` of each node's sum of contributions; the caller sets the root's, the sweep the others
    """
    for node in reversed(order):
        if node in total:
            edges = carry(node, total[node])
            for parent, _, product in edges:
                total[parent] += product
            yield node, edges
