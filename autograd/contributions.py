"""The backward pass as data: each node passes its upstream gradient times a local derivative to each parent.

Every reader that explains, draws or walks the backward pass uses these functions. They change no ``grad``.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import groupby
from typing import Any, Literal, NamedTuple

from autograd.graph import carried, sweep, topological_order
from autograd.table import is_constant
from autograd.value import Value


class Contribution(NamedTuple):
    """The product that an edge carries from a node back to a parent: ∂L/∂parent += ∂L/∂node · ∂node/∂parent."""

    node: Value
    parent: Value
    upstream: float  # ∂L/∂node
    local: float  # ∂node/∂parent, as recorded in the node
    product: float  # upstream · local; 0 if the upstream is 0 or a gate is closed


def contributions(root: Value, order: Sequence[Value] | None = None) -> Iterator[Contribution]:
    """Yield each contribution of the backward pass from ``root`` in order; a node's gradient is the sum of its own.

    order   ``topological_order(root)``, if already known

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
    """Return ∂root/∂node for every node of the graph: the sum of its contributions.

    without   nodes at which the pass ends: they receive contributions but pass none on
    carry     computes the contributions of a node
    """
    total = defaultdict(float, {root: 1.0})
    for _ in sweep(order or topological_order(root, without), total, carry):
        pass
    return dict(total)


class Moment(NamedTuple):
    """One step of either pass: a value is computed, the root's gradient is set to 1, or a contribution arrives."""

    phase: Literal["forward", "seed", "backward"]
    node: int  # the node that is computed or passes a contribution on, as an index in topological order
    receiver: int  # the node that is computed or receives the contribution
    level: int  # the number of earlier rounds, if independent moments share a round
    edge: str = ""  # the edge of a contribution: 6:0 for the first operand of node 6
    given: Contribution | None = None


def moments(root: Value, order: Sequence[Value] | None = None) -> list[Moment]:
    """Return the steps of both passes in the order in which they run; constants receive no contributions.

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
