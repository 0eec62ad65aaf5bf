"""What may stand beside a Value in an expression: a number of any kind, and a list of operands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from operator import attrgetter
from typing import Any

from autograd.node import Node
from autograd.number_systems import floats

data_of = attrgetter("_data")  # of many nodes, map(data_of, nodes) is twice as fast as reading their data
NOT_LISTS = (str, bytes, bytearray, Mapping, Set)  # text is not a number, and the last two have no order to rely on


def number_of(operand: Any) -> float:
    """The number of a node, or of anything else that is one."""
    return operand._data if isinstance(operand, Node) else floats.number(operand)


def listed(operand: Any) -> list[Any] | None:
    """The operands that a list, an array, a Series, a generator or a map holds; None for what is one operand."""
    is_list = isinstance(operand, Iterable) and not isinstance(operand, NOT_LISTS)
    return list(operand) if is_list and len(getattr(operand, "shape", (0,))) == 1 else None  # a table has two


def plain(number: Any) -> float:
    """The number of an operand that is not a Value yet."""
    if isinstance(number, Node):
        raise TypeError(f"{number!r} is a Value already: write v.data for its number, or +v for a node of its own")
    return floats.number(number)


def stranger(operand: object) -> Any:
    """Leave an operand that is not a number, such as an array, to its own class; raise for Python's own types."""
    if type(operand).__module__ == "builtins":
        raise
    return NotImplemented
