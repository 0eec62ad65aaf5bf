"""The graph: nodes know their parents, and every question about it is a walk over them, never a recursion."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autograd.value import Value


def topological_order(root: Value, without: Collection[Value] = ()) -> list[Value]:
    """Every node that ``root`` was computed from, parents before what is computed from them; the root comes last.

    ``without`` these nodes, and what they alone were computed from.
    """
    order: list[Value] = []
    seen = set(without)
    stack: list[Any] = [root]
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


def leaves(root: Value) -> list[Value]:
    """The inputs of ``root``, in the order of the forward pass: what no operation made, and no constant."""
    return [node for node in topological_order(root) if node.operation is None]


def carried(node: Value, upstream: float) -> Iterator[tuple[Value, float, float]]:
    """(parent, local derivative, upstream · local derivative) for each parent, as ``backward`` has it.

    Where nothing comes from upstream, nothing is carried, even times an infinite local derivative; where upstream is
    infinite or NaN, nothing is carried to an operand that a gate has not chosen.
    """
    shut = upstream - upstream != 0.0 and node.operation is not None and node.operation.gate
    for parent, local in node.edges:
        yield parent, local, upstream * local if upstream and (local or not shut) else 0.0
