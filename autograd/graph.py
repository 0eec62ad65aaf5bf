"""The graph: nodes know their parents, and every question about it is a walk over them, never a recursion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autograd.value import Value


def topological_order(root: Value) -> list[Value]:
    """Every node that ``root`` was computed from, parents before what is computed from them; the root comes last."""
    order: list[Value] = []
    seen: set[Value] = set()
    stack: list[Any] = [root]
    while stack:
        node = stack.pop()
        if node is None:  # everything above the next node of the stack is done
            order.append(stack.pop())
        elif node not in seen:
            seen.add(node)
            stack += (node, None)
            stack += node.parents[::-1]  # the first operand comes first
    return order


def leaves(root: Value) -> list[Value]:
    """The inputs of ``root``, in the order of the forward pass: what no operation made, and no constant."""
    return [node for node in topological_order(root) if node.operation is None]
