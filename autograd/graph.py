"""The graph: nodes know their parents, and every question about it is a walk over them, never a recursion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
            stack += node.parents
    return order


def leaves(root: Value) -> list[Value]:
    """The inputs of ``root``, in the order of the forward pass: no parents, and no constant."""
    return [node for node in topological_order(root) if not node.parents and node.operation is None]


class Contribution(NamedTuple):
    """One step of the backward pass, ``parent.grad += upstream × local``, sent by ``node``."""

    node: Value
    parent: Value
    upstream: float
    local: float

    @property
    def amount(self) -> float:
        """upstream × local; 0 where nothing comes from upstream, even if the local is infinite."""
        return self.upstream * self.local if self.upstream else 0.0


def contributions(root: Value) -> Iterator[Contribution]:
    """What ``root.backward()`` added, in its order, read from the grads that it left."""
    for node in reversed(topological_order(root)):
        for parent, local in zip(node.parents, node.local_derivatives):
            yield Contribution(node, parent, node.grad, local)


def evaluate(root: Value, numbers: Any, leaf_numbers: Mapping[Value, Any]) -> dict[Value, Any]:
    """Every node's number, run again in another number system; leaves and constants not given are their data."""
    found: dict[Value, Any] = {}
    for node in topological_order(root):
        if node.parents and node.operation is not None:
            found[node], _ = node.operation.rule(numbers, *[found[parent] for parent in node.parents])
        else:
            found[node] = leaf_numbers.get(node, node.data)
    return found
