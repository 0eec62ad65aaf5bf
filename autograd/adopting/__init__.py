"""``adopt``: reads the graph of somebody else's scalar engine into Values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from autograd.adopting.foreign import Engine, Word
from autograd.adopting.readings import Adoption
from autograd.modes import collector_paused
from autograd.text import shown
from autograd.value import Value


def adopt(
    *nodes: Any, operations: Mapping[str, Callable[..., Any]] | None = None, compare: bool = True, data: Word = None,
    grad: Word = None, parents: Word = None, operation: Word = None, local_derivatives: Word = None,
    name: Word = None, **named: Any,
) -> Any:  # fmt: skip
    """The graph of another scalar engine as Values of the same numbers and names, as in ``draw(adopt(loss))``.

    nodes         of the other engine; one Value comes back for each, and ``origin`` leads from a Value to its node
    named         nodes whose Values get these names: f, x = adopt(f=loss, x=x)
    operations    what a label means that the table does not know: {"cube": lambda x: x ** 3}
    compare       whether to hold its gradients against ours, if its backward pass has run
    data, grad, parents, operation, local_derivatives, name
                  the attribute that holds it, or a function of a node, where the usual words do not lead there

    Each node is computed again from its parents by an entry of the table, and has to agree. The label proposes the
    entry; without a label, the only entry that gives number and stored local derivatives is taken. The order of
    operands, and the second x of x · x, are found in the same way if parents are kept in a set. An operation that the
    table does not have stays opaque if its local derivatives are stored: ``record`` refuses to run it.

    Raises TypeError for what is no such node, ValueError naming the first node that stays unknown or ambiguous, or
    whose gradient differs.

    >>> class Node:  # an engine of one's own
    ...     def __init__(self, data, children=(), op=""):
    ...         self.data, self.grad, self._prev, self._op = data, 0.0, set(children), op
    ...     def __mul__(self, other):
    ...         return Node(self.data * other.data, (self, other), "*")
    >>> x = Node(3.0)
    >>> f, twin = adopt(f=x * x, x=x)
    >>> f.backward()
    >>> twin.name, twin.grad, twin.origin is x
    ('x', 6.0, True)
    """
    nodes += tuple(named.values())
    if not nodes or isinstance(nodes[0], Value) or type(nodes[0]).__module__ == "builtins":
        raise TypeError(f"adopt({', '.join(map(shown, nodes))}): give a node of another engine, as in adopt(loss)")
    told = {"data": data, "grad": grad, "parents": parents, "operation": operation, "name": name}
    engine = Engine(nodes[0], told | {"local_derivatives": local_derivatives})
    for kind, node in [*(("data", node) for node in nodes), ("parents", nodes[0])]:
        if not (engine.word(kind, node) if kind == "data" else engine.names(kind, node) or engine.parents(node)):
            raise TypeError(
                f"adopt: {shown(node)} ({type(node).__name__}) has no {kind} under a usual name, and indices into a "
                f"tape lead to no nodes: adopt(…, {kind}='its name') says it, or {kind}=a function of a node"
            )
    with collector_paused():
        adoption = Adoption(engine, nodes, operations or {})
        twins = [adoption.values[id(node)] for node in nodes]
        for twin, label in zip(reversed(twins), reversed(named)):
            twin.name = label
        if compare and engine.read("grad", nodes[0]) == 1.0:
            adoption.compare(twins[0])
    return twins[0] if len(twins) == 1 else tuple(twins)
