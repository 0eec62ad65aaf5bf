"""Finds the first NaN or infinity, and the line of the user's code that computed it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import isfinite

from autograd.contributions import Contribution, contributions
from autograd.errors import AnomalyError, DomainError, broken_rule, complaint, situation, words_for
from autograd.graph import leaves, topological_order
from autograd.instrument import Hooks
from autograd.source_lines import REMEMBERING, forget, place
from autograd.table import Primitive, is_constant
from autograd.text import called
from autograd.value import Value

Anomaly = AnomalyError | DomainError


@contextmanager
def detect_anomaly() -> Iterator[None]:
    """Raise an error at the first NaN or infinity that this thread computes inside the block, and name its line.

    A DomainError names its line too. A NaN or infinity in the inputs propagates according to IEEE 754 outside the
    block; inside, AnomalyError is raised at the first result that is not finite either. ``backward`` raises
    AnomalyError, before any ``grad`` changes, if a local derivative that it uses is infinite or a gradient overflows.
    A recorded loss is replayed as usual; its graph is searched only if one of its numbers, or a gradient of its
    parameters, is not finite. Blocks nest.

    >>> from autograd import sqrt
    >>> x = Value(0.0, "x")
    >>> with detect_anomaly():
    ...     L = 2.0 * sqrt(x)
    ...     L.backward()
    Traceback (most recent call last):
        ...
    autograd.errors.AnomalyError: ...sqrt at x = 0.0: the local derivative with respect to x is inf; a finite one \
needs x > 0
    """
    with _hooks.hooked():
        yield


def first_anomaly(root: Value, grads: Mapping[Value, float] | None = None) -> Anomaly | None:
    """Return the error for the first number in ``root``'s graph that is not finite, or None. Changes no ``grad``.

    Values are checked first, in forward order, then the products and sums of the backward pass. A leaf that is not
    finite is an error only if it is the root or a result computed from it is not finite: an infinite bound of a clamp
    is harmless.
    grads   the gradients that the leaves already have (default: 0)
    """
    order = topological_order(root)
    for node in order:
        if not isfinite(node.data) and (node.parents or node is root):
            return _in_value(node)
    total, first = dict(grads or {}), None
    for step in contributions(root, order=order):
        before = total.get(step.parent, 0.0)
        total[step.parent] = before + step.product
        if first is None and step.upstream and not (isfinite(step.local) and isfinite(total[step.parent])):
            first = step, before
    # a closed gate may stop the anomaly before it reaches a leaf
    arrives = not all(isfinite(total.get(x, 0.0)) for x in order if x.operation is None)
    return _in_contribution(*first) if first and arrives else None


def _in_value(node: Value) -> Anomaly:
    if node.operation is None or not node.parents:
        return _error(AnomalyError, node, f"{called(node.name, 'a leaf')} = {node.data!r}: give it a finite number")
    for i, x in enumerate(node.parents):
        if not isfinite(x.data):
            what = "constant" if is_constant(x) else "leaf"
            made = f", created in {place(x)}," if place(x) else ""
            cause = f"the {what} {words_for(node)[i]}{made} is {x.data!r}"
            result = f"{situation(node)}: the result is {node.data!r}"
            return _error(AnomalyError, node, f"{result} because {cause}; give it a finite number")
    return _error(DomainError, node, complaint(node))


def _in_contribution(step: Contribution, before: float) -> Anomaly:
    node = step.node
    [i, *_] = [i for i, (x, local) in enumerate(node.edges) if x is step.parent and local is step.local]
    x = words_for(node)[i]
    if not isfinite(step.local):
        rule = broken_rule(node, derivative=True)
        why = f"a finite one {rule}" if rule else "an overflow beyond the largest float, 1.8e308"
        fault = f"the local derivative with respect to {x} is {step.local!r}; {why}"
    elif not isfinite(before):
        fault = f"the gradient of {x} is already {before!r}; set it to 0.0 before backward"
    else:
        sum_so_far = f"{before!r} + " if before else ""
        product = f"{sum_so_far}{step.upstream!r} · {step.local!r}"
        fault = f"the gradient of {x} overflows: {product} is beyond the largest float, 1.8e308"
    return _error(AnomalyError, node, f"{situation(node)}: {fault}")


def _error(kind: type[AnomalyError] | type[DomainError], node: Value, text: str) -> Anomaly:
    if _hooks.is_inside():
        text = f"{place(node) or 'created before detect_anomaly()'}: {text}"
    return kind(text, node)


_check_fault, _backward = Primitive.check_fault, Value.backward


def _check_every_fault(self: Primitive, node: Value) -> None:
    """Replace ``check_fault``: look for the first anomaly in the graph of a node that is not finite."""
    if _hooks.is_inside():
        _raise(first_anomaly(node))
    _check_fault(self, node)


def _backward_if_finite(self: Value) -> None:
    if _hooks.is_inside():
        _raise(first_anomaly(self, {leaf: leaf.grad for leaf in leaves(self)}))
    _backward(self)


def _raise(anomaly: Anomaly | None) -> None:
    try:
        if anomaly is not None:
            raise anomaly
    finally:
        del anomaly  # a frame that refers to its own error keeps it and the graph alive until the collector runs


CHECKING = ((Primitive, "check_fault", _check_every_fault), (Value, "backward", _backward_if_finite))
_hooks = Hooks(*REMEMBERING, *CHECKING, afterwards=forget)
