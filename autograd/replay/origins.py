"""The nodes of another engine that a recorded graph was adopted from: reads their numbers, and writes them back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from autograd.adopting.readings import Adopted, Opaque
from autograd.errors import situation
from autograd.graph import topological_order
from autograd.number_systems import floats
from autograd.value import Value


def twins_in(root: Value) -> dict[int, Adopted]:
    """The Values of an adopted graph by the id of their origin. ValueError for an operation that cannot run again."""
    adopted = {id(node.origin): node for node in topological_order(root) if isinstance(node, Adopted)}
    for node in adopted.values():
        if isinstance(node.operation, Opaque):
            raise ValueError(
                f"{situation(node)}: the table does not have this operation, so it cannot run again; "
                f"{node.operation.remedy}"
            )
    return adopted


class Origins:
    """The leaves of an adopted graph whose numbers the other engine may change; other leaves do not count."""

    def __init__(self, leaves: Iterable[Value]) -> None:
        self.leaves = [leaf for leaf in leaves if isinstance(leaf, Adopted)]
        self.origins = [leaf.origin for leaf in self.leaves]
        self.known = self._numbers()

    def _numbers(self) -> list[Any]:
        return self.leaves[0].engine.column("data", self.origins) if self.leaves else []

    def read(self) -> None:
        """Take over the numbers that have changed there since the last time."""
        known, self.known = self.known, self._numbers()
        if known == self.known:
            return
        for leaf, before, now in zip(self.leaves, known, self.known):
            if now != before:
                leaf.data = floats.number(now)

    def write(self, nodes: Iterable[tuple[Adopted, float, float]]) -> None:
        """Put the number and the gradient of each Value into its origin. TypeError where these cannot be set."""
        for node, data, grad in nodes:
            for kind, number in (("data", data), ("grad", grad)):
                word = node.engine.word(kind, node.origin)
                try:
                    if word:  # a node without a gradient takes none
                        setattr(node.origin, word, number)  # type: ignore[arg-type]
                except (AttributeError, TypeError) as error:
                    name = type(node.origin).__name__
                    raise TypeError(f"write_back: the {kind} of a {name} cannot be set: {error}") from None
        self.known = self._numbers()
