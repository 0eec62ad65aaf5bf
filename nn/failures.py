"""Adds the number of the failing example to the error of a training step.

The example is found by following the parents of the failing node back to the inputs.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import isfinite
from typing import Any

from autograd.anomaly import first_anomaly
from autograd.errors import AnomalyError
from autograd.graph import topological_order
from autograd.modes import collector_paused
from autograd.value import Value
from nn.data import Dataset
from nn.losses import Loss, mean_loss
from nn.module import Module, evaluating, lift


@contextmanager
def naming_example(
    X: Sequence[Sequence[Value]], places: Sequence[int], data: str, features: Sequence[str] = (),
    graph: Callable[[], Value | None] = lambda: None,
) -> Iterator[None]:  # fmt: skip
    """Add the example and the failing node to the message of an ArithmeticError raised inside the block.

    X          nodes of the inputs, which are named after the ``features``
    places     index of each example in the data set called ``data``
    graph      returns the root of the graph or None; it is searched if the error has no node, as in an optimiser
    """
    for x in X:
        for x_k, feature in zip(x, features):
            x_k.name = feature
    try:
        yield
    except ArithmeticError as error:
        found: Any = error
        if getattr(error, "node", None) is None and (root := graph()) is not None:
            found = first_anomaly(root)
        node = getattr(found, "node", None)
        if node is None:
            raise
        rule, operands = node.operation, [x.data for x in node.parents]
        overflow = rule and all(map(isfinite, operands)) and rule.defined_at(*operands, derivative=True)
        remedy = "; try a lower learning rate, or clip the gradients" if overflow else ""
        found.args = (f"{_which(node, X, places, data)}{found}{remedy}",)
        if found is error:
            raise
        raise found from None


def refuse_infinite(loss: float) -> None:
    """Raise AnomalyError if the loss is not finite."""
    if not isfinite(loss):
        raise AnomalyError(f"the loss is {loss!r}: it must be finite")


def failing_example(model: Module, loss: Loss, data: Dataset, called: str) -> ArithmeticError | None:
    """Return the error of the first example whose own loss in evaluation mode is not finite, or None."""
    with evaluating(model), collector_paused():
        for place, (x, y) in enumerate(zip(data.X, data.y)):
            example, root = lift(x), None
            try:
                with naming_example([example], [place], called, data.features, lambda: root):  # noqa: B023
                    root = mean_loss(loss, model.batch([example]), [y])
                    refuse_infinite(root.data)
            except ArithmeticError as error:
                return error
    return None


def _which(node: Value, X: Sequence[Sequence[Value]], places: Sequence[int], data: str) -> str:
    """Name the examples that the node's non-finite operands, or else the node itself, depend on."""
    example = {x_k: place + 1 for x, place in zip(X, places) for x_k in x}
    for ends in ([x for x in node.parents if not isfinite(x.data)], [node]):
        found = sorted({example[x] for end in ends for x in topological_order(end) if x in example})
        if found:
            more = f" and {len(found) - 5} more" if len(found) > 5 else ""
            many = f"s {', '.join(map(str, found[:5]))}{more}" if len(found) > 1 else f" {found[0]}"
            return f"example{many} of the {data}, counted from 1: "
    return ""
