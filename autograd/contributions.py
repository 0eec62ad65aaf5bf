"""The one sentence of back propagation, as data: each node gives each parent its upstream times its local derivative.

Every reader that tells, draws or walks the backward pass reads it from here. Nothing here touches ``grad``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from autograd.graph import topological_order
from autograd.number_systems import floats
from autograd.value import Value


class Contribution(NamedTuple):
    """What one edge carries: ∂L/∂parent += ∂L/∂node · ∂node/∂parent.

    node, parent   the edge, from the value back to one of its operands
    upstream       ∂L/∂node
    local          ∂node/∂parent, as the node recorded it
    """

    node: Value
    parent: Value
    upstream: float
    local: float

    @property
    def product(self) -> float:
        """upstream · local; 0 where nothing comes from upstream, whatever the local derivative."""
        return self.upstream * self.local if self.upstream else 0.0


def contributions(root: Value) -> Iterator[Contribution]:
    """Every contribution of the backward pass from ``root``, in its order; summed by parent they are the gradients.

    >>> x = Value(3.0, "x")
    >>> [c.product for c in contributions(x * x)]
    [3.0, 3.0]
    """
    total = {root: 1.0}
    for node in reversed(topological_order(root)):
        upstream = total[node]
        for parent, local in node.edges:
            step = Contribution(node, parent, upstream, local)
            total[parent] = total.get(parent, 0.0) + step.product
            yield step


def gradients(root: Value) -> dict[Value, float]:
    """∂root/∂node for every node of the graph: the contributions summed, without a record of each."""
    total = {root: 1.0}
    for node in reversed(topological_order(root)):
        upstream = total[node]
        for parent, local in node.edges:
            total[parent] = total.get(parent, 0.0) + (upstream * local if upstream else 0.0)
    return total


def changed_since(root: Value) -> list[Value]:
    """The values whose ``data`` is no longer what the graph of ``root`` was computed with, in forward order.

    Each node is compared with its rule at the present data, and the operands that explain a difference are named.

    >>> w, x = Value(2.0, "w"), Value(3.0, "x")
    >>> L = w * x
    >>> w.data = 2.5
    >>> [value.name for value in changed_since(L)]
    ['w']
    """
    changed: dict[Value, None] = {}
    for node in topological_order(root):
        if node.operation is not None and node.parents and not _agrees(node, [x.data for x in node.parents]):
            changed.update(dict.fromkeys(_culprits(node)))
    return list(changed)


def _agrees(node: Value, operands: list[float]) -> bool:
    """Whether the node's rule at these operands gives the numbers that the node recorded."""
    assert node.operation is not None
    value, local_derivatives = node.operation.rule(floats, *operands)
    return all(map(_same, (value, *local_derivatives), (node.data, *node.local_derivatives)))


def _culprits(node: Value) -> list[Value]:
    """The operands that are no longer what ``node`` was computed with."""
    assert node.operation is not None
    now = [x.data for x in node.parents]
    value, present = node.operation.rule(floats, *now)
    # the local derivatives of a product are its other operands: where one differs, the old operand can be read there
    old = {p: r for p, r in zip(present, node.local_derivatives) if not _same(p, r)}
    then = [old.get(x, x) for x in now]
    found = {x for x, before, after in zip(node.parents, then, now) if before != after}
    if found and _agrees(node, then):
        return list(found)
    value, slopes = node.operation.rule(floats, *then)
    leaves = [x for x in dict.fromkeys(node.parents) if not x.parents and x.operation is None]
    for x in leaves or node.parents:  # what no local derivative shows, as the b of w·a + b: one Newton step back
        slope = sum(d for parent, d in zip(node.parents, slopes) if parent is x)
        if slope:
            before = x.data + (node.data - value) / slope
            if _agrees(node, [before if parent is x else y for parent, y in zip(node.parents, then)]):
                return [*found, x]
    return list(found) or leaves or list(node.parents)


def _same(x: float, y: float) -> bool:
    """Equal up to the last digits; NaN equals NaN."""
    return x == y or abs(x - y) <= 1e-11 * max(abs(x), abs(y), 1.0) or (x != x and y != y)
