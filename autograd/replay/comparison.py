"""Compares a program with a fresh graph of the same loss, node by node, and names the first that differs."""

from __future__ import annotations

from collections.abc import Callable
from itertools import zip_longest
from math import isclose, isfinite

from autograd.errors import situation
from autograd.graph import topological_order
from autograd.table import is_constant
from autograd.text import called
from autograd.value import Value

EPSILON = 2.0**-52


def check_same(root: Value, number_of: Callable[[Value], float], fresh: Value) -> None:
    """Raise ValueError naming the first node of the recorded graph that differs from that of the fresh one.

    number_of   the program's number of a recorded node

    Two nodes are the same if one operation made them from the same operands and their numbers agree up to rounding:
    each of n terms rounds once, and local derivatives pass on the rounding errors of the operands.
    """
    twin: dict[Value, Value] = {}  # for each fresh node, the recorded one
    off: dict[Value, float] = {}
    for node, other in zip_longest(topological_order(root), topological_order(fresh)):
        if node is not None and other is not None and node.operation is other.operation:
            twin[other], off[other] = node, _rounding(other, [off[p] for p in other.parents])
            if node.parents == tuple(map(twin.get, other.parents)):
                number, expected = number_of(node), other.data
                both_nan = number != number and expected != expected
                if both_nan or isclose(number, expected, rel_tol=0.0, abs_tol=off[other]):
                    continue
        raise ValueError(
            f"{_named(node, number_of)} in the program and {_named(other, lambda x: x.data)} in the fresh graph: "
            "a replay keeps what was decided or read from .data. Decide inside the graph (greater, where, maximum), "
            "make the number a leaf, or record each graph"
        )


def _rounding(node: Value, off: list[float]) -> float:
    """How far apart two computations of a node may be if those of its operands are ``off`` by so much."""
    edges = [(abs(local), abs(x.data), error) for (x, local), error in zip(node.edges, off)]
    terms = sum(local * x for local, x, _ in edges if isfinite(local))
    own = EPSILON * (8 + len(edges)) * (abs(node.data) + terms) if edges else 0.0
    return own + sum(local * error for local, _, error in edges if error)


def _named(node: Value | None, number_of: Callable[[Value], float]) -> str:
    """``L = mul at w = 2.0, x = 3.0, which is 6.0``."""
    if node is None:
        return "nothing more"
    number = number_of(node)
    if node.operation is None or not node.parents:
        return f"{'the constant' if is_constant(node) else called(node.name, 'a leaf')} = {number!r}"
    name = f"{called(node.name, '')} = " if node.name else ""
    return f"{name}{situation(node, number_of)}, which is {number!r},"
