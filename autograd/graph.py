"""Walks over the graph: the order of the passes, the leaves, and the backward sweep that every reader runs on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, TypeVar

from autograd.node import Node

N = TypeVar("N", bound=Node)
T = TypeVar("T")  # a node of any graph


def topological_order(root: N, without: Collection[N] = ()) -> list[N]:
    """Every node that ``root`` was computed from, parents before what is computed from them; the root comes last.

    ``without`` these nodes, and what they alone were computed from.
    """
    order: list[N] = []
    seen = set(without)
    stack: list[Any] = [root]  # and no recursion, so a graph may be as deep as memory allows
    while stack:
        node = stack.pop()
        if node is None:  # everything above the next node of the stack is done
            order.append(stack.pop())
        elif node not in seen:
            seen.add(node)
            stack += (node, None)
            parents = node.parents[::-1]  # the first operand comes first
            stack += parents if len(parents) < 3 else [x for x in parents if x not in seen]
    return order


def leaves(root: N) -> list[N]:
    """The inputs of ``root``, in the order of the forward pass: nodes that no operation made, constants left out."""
    return [node for node in topological_order(root) if node.operation is None]


def carried(node: N, upstream: float) -> list[tuple[N, float, float]]:
    """(parent, local derivative, upstream · local derivative) for each parent, as ``backward`` multiplies them.

    Where the upstream is 0, or a gate has not chosen the operand, 0 is carried: there 0 · ∞ is 0, not NaN.
    """
    gate = node.operation is not None and node.operation.gate
    return [(x, local, upstream * local if upstream and (local or not gate) else 0.0) for x, local in node.edges]


def sweep(order: Sequence[T], total: dict[T, Any], carry: Callable[..., Any] = carried) -> Iterator[tuple[T, Any]]:
    """The backward sweep: yields each node with what it carries to its parents, from the end of ``order``.

    total   a ``defaultdict`` of what arrives at each node; the caller sets the root's, the sweep adds up the others
    """
    for node in reversed(order):
        if node in total:
            edges = carry(node, total[node])
            for parent, _, product in edges:
                total[parent] += product
            yield node, edges
