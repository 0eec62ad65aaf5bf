"""The one sentence of back propagation, as data: each node gives each parent its upstream times its local derivative.

Every reader that explains, draws or walks the backward pass takes it from here. Nothing here touches ``grad``.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import groupby
from typing import Any, Literal, NamedTuple

from autograd.graph import carried, sweep, topological_order
from autograd.table import is_constant
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


class Moment(NamedTuple):
    """One step of both passes: a value is computed, the root receives its 1, or a contribution arrives."""

    phase: Literal["forward", "seed", "backward"]
    node: int  # what is computed, or gives: its place in topological order
    receiver: int  # what is computed, or receives
    level: int  # how many come before, where all that can happen at once does
    edge: str = ""  # what a contribution passes: 6:0 for the first operand of node 6
    given: Contribution | None = None


def moments(root: Value, order: Sequence[Value] | None = None) -> list[Moment]:
    """Both passes step by step, in the order of ``forward`` and ``backward``; constants receive nothing.

    >>> x = Value(3.0, "x")
    >>> [(moment.phase, moment.edge) for moment in moments(x * x)]
    [('forward', ''), ('seed', ''), ('backward', '1:0'), ('backward', '1:1')]
    """
    order = order or topological_order(root)
    place = {x: i for i, x in enumerate(order)}
    level: dict[Value, int] = {}
    for x in order:
        level[x] = 1 + max((level[parent] for parent in x.parents), default=-1)
    found = [Moment("forward", i, i, level[x]) for x, i in place.items() if x.parents]
    found.append(Moment("seed", place[root], place[root], level[root] + 1))
    far = {root: level[root] + 2}
    for x, given in groupby(contributions(root, order), lambda c: c.node):
        for k, c in enumerate(given):
            if not is_constant(c.parent):
                far[c.parent] = max(far.get(c.parent, 0), far[x] + 1)
                found.append(Moment("backward", place[x], place[c.parent], far[x], f"{place[x]}:{k}", c))
    return found
