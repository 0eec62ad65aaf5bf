"""The one sentence of back propagation, as data: each node gives each parent its upstream times its local derivative.

Every reader that explains, draws or walks the backward pass takes it from here. Nothing here touches ``grad``.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple

from autograd.graph import carried, sweep, topological_order
from autograd.value import Value


class Contribution(NamedTuple):
    """What the edge from a value back to one of its operands carries: ∂L/∂parent += ∂L/∂node · ∂node/∂parent."""

    node: Value
    parent: Value
    upstream: float  # ∂L/∂node
    local: float  # ∂node/∂parent, as the node recorded it
    product: float  # upstream · local; 0 where nothing comes from upstream, or a gate is shut


def contributions(root: Value, order: Sequence[Value] | None = None) -> Iterator[Contribution]:
    """Every contribution of the backward pass from ``root``, in its order; summed by parent they are the gradients.

    order   ``topological_order(root)``, where it is known already

    >>> x = Value(3.0, "x")
    >>> [c.product for c in contributions(x * x)]
    [3.0, 3.0]
    """
    total = defaultdict(float, {root: 1.0})
    for node, edges in sweep(order or topological_order(root), total):
        for parent, local, product in edges:
            yield Contribution(node, parent, total[node], local, product)


def gradients(
    root: Value, without: Collection[Value] = (), order: Sequence[Value] | None = None,
    carry: Callable[..., Any] = carried,
) -> dict[Value, float]:  # fmt: skip
    """∂root/∂node for every node of the graph: the contributions summed, or what ``carry`` gives in their place.

    without   values where the pass ends: they receive, and give nothing
    """
    total = defaultdict(float, {root: 1.0})
    for _ in sweep(order or topological_order(root, without), total, carry):
        pass
    return dict(total)
