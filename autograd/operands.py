"""Converts operands of an expression that are not Values: numbers of any type, and lists of operands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from operator import attrgetter
from typing import Any

from autograd.node import Node
from autograd.number_systems import floats

data_of = attrgetter("_data")  # map(data_of, nodes) is twice as fast as reading each node's data
NOT_LISTS = (str, bytes, bytearray, Mapping, Set)  # text is not a number, and the last two have no reliable order


def number_of(operand: Any) -> float:
    """Return the number of a node, or another number as a float."""
    return operand._data if isinstance(operand, Node) else floats.number(operand)


def listed(operand: Any) -> list[Any] | None:
    """Return the operands in a list, an array, a Series, a generator or a map; None for a single operand."""
    is_list = isinstance(operand, Iterable) and not isinstance(operand, NOT_LISTS)
    return list(operand) if is_list and len(getattr(operand, "shape", (0,))) == 1 else None  # not for a matrix


def plain(number: Any) -> float:
    """Return the number of an operand that is not a Value."""
    if isinstance(number, Node):
        raise TypeError(f"{number!r} is already a Value: write v.data for its number, or +v for a new node")
    return floats.number(number)


def stranger(operand: object) -> Any:
    """Return NotImplemented, so that an operand such as an array handles it; re-raise for built-in types."""
    if type(operand).__module__ == "builtins":
        raise
    return NotImplemented
