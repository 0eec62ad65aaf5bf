"""Finds values that changed after a graph was computed from them, so that no result mixes two forward passes."""

from collections.abc import Callable, Iterable, Sequence
from math import inf

from autograd.graph import topological_order
from autograd.number_systems import floats
from autograd.table import is_constant
from autograd.text import called
from autograd.value import Value

MOST_STEPS = 60  # of Newton's method, which takes about five if it converges


def refuse_changed(root: Value, order: Sequence[Value] | None = None) -> None:
    """Raise ValueError if ``changes`` finds any value, since a result would mix two forward passes."""

    def name(x: Value) -> str:
        return called(x.name, "f" if x is root else "an unnamed value")

    for warning in changed_lines(changes(root, order), name, root, "compute it again first"):
        raise ValueError(warning)


def changed_lines(
    changed: list[list[Value]], name: Callable[[Value], str], root: Value, remedy: str = "run the forward pass again"
) -> list[str]:
    """Return a warning if values ``changed`` since ``root`` was computed: a list of one line, or an empty list."""
    names = list(dict.fromkeys(" or ".join(map(name, some[:3])) + " …" * (len(some) > 3) for some in changed))
    some = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return [f"{some} changed since {name(root)} was computed: {remedy}"] if names else []


def changes(root: Value, order: Sequence[Value] | None = None) -> list[list[Value]]:
    """Return the values whose ``data`` changed after the graph of ``root`` was computed, in forward order.

    Each list has one value, or several if the numbers do not show which of them changed, such as x and b of x + b.
    Each node's value is compared with the value that its rule gives for the current data. A changed operand is found
    from local derivatives that reveal its old value, as those of a product do, or else by solving the rule for it.

    order   the graph's topological order, if already known

    >>> w, x = Value(2.0, "w"), Value(3.0, "x")
    >>> L = w * x
    >>> w.data = 2.5
    >>> changes(L) == [[w]]
    True
    """
    disagreeing: list[Value] = []
    unchanged: set[Value] = set()  # nodes that agree with their rules, and the operands that they depend on
    for node in order or topological_order(root):
        if not node.parents:
            continue
        if _agrees(node, [x.data for x in node.parents]):
            unchanged |= {node, *(parent for parent, local in node.edges if local)}
        else:
            disagreeing.append(node)
    found = [some for node in disagreeing for some in _suspects(node, unchanged)]
    known = {some[0] for some in found if len(some) == 1}
    # another node may show which of several values changed
    return [some for some in found if len(some) == 1 or not known & set(some)]


def _suspects(node: Value, unchanged: set[Value]) -> list[list[Value]]:
    """Return the changed values that make ``node`` disagree with its rule; alternatives share a list."""
    assert node.operation is not None
    now = [x.data for x in node.parents]
    _, present = node.operation.rule(floats, *now)
    # the local derivatives of a product are its other operands: one that differs is the old number of an operand
    old = {p: r for p, r in zip(present, node.local_derivatives) if not same(p, r)}
    then = [old.get(x, x) for x in now]
    shown = list(dict.fromkeys(x for x, before, after in zip(node.parents, then, now) if before != after))
    if shown and _agrees(node, then):
        return [[x] for x in shown]
    # operands that no local derivative reveals, such as b in w·a + b, or x in exp x
    hidden = [x for x in dict.fromkeys(node.parents) if x not in unchanged and not is_constant(x)]
    suspects = [x for x in hidden if _explains(node, x, then)]
    if suspects:
        return [*([x] for x in shown), [x for x in suspects if not x.parents] or suspects]
    if shown or not old:
        return [[x] for x in shown if not x.parents] or [[x] for x in shown] or [[node]]
    return [[x for x in hidden if not x.parents] or hidden or [node]]


def _explains(node: Value, x: Value, operands: list[float]) -> bool:
    """Return whether some other number for x reproduces what the node recorded, using the damped Newton method."""
    assert node.operation is not None
    at, off, step = operands, inf, 0.0
    for _ in range(MOST_STEPS):
        moved = [y + step if parent is x else y for parent, y in zip(node.parents, at)]
        value, slopes = node.operation.rule(floats, *moved)
        if step and _agrees(node, moved):
            return True
        if abs(node.data - value) < off:
            at, off = moved, abs(node.data - value)
            slope = sum(d for parent, d in zip(node.parents, slopes) if parent is x)
            step = (node.data - value) / slope if slope else 0.0
        else:
            step *= 0.5
    return False


def _agrees(node: Value, operands: list[float]) -> bool:
    """Return whether the node's rule at these operands gives the recorded numbers, up to rounding."""
    assert node.operation is not None
    value, local_derivatives = node.operation.rule(floats, *operands)
    rounding = rounding_of(local_derivatives, operands)
    return same(value, node.data, rounding) and all(map(same, local_derivatives, node.local_derivatives))


def rounding_of(local_derivatives: Iterable[float], operands: Iterable[float]) -> float:
    """Return how far two values computed from the same operands may differ, given that large terms may cancel."""
    terms = sum(abs(local * x) for local, x in zip(local_derivatives, operands))
    return 1e-11 * terms if terms < inf else 0.0


def same(x: float, y: float, rounding: float = 1e-15) -> bool:
    """Return whether x and y are equal up to the last digits; NaN equals NaN."""
    return x == y or abs(x - y) <= max(1e-11 * max(abs(x), abs(y)), rounding) < inf or (x != x and y != y)
