"""The functions that a user calls on Values: the whole table, and what is composed of its entries.

The table's functions of many operands take them one by one or as a list: ``product(x, y, z)``,
``product([x, y, z])``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autograd.primitives import *  # noqa: F403  (every entry of the table is a function on Values)
from autograd.primitives import exp, logsumexp, maximum, minimum, relu, sum
from autograd.value import Operand, Value


def named(**values: Operand) -> Any:
    """Name values by keyword and return them in that order; one keyword returns the value itself.

    A name stays: a value that has one gets an identity node on top for the new name, the slide's x = r.
    Names are labels, never keys.

    >>> r, s = Value(2.0, "r"), Value(3.0, "s")
    >>> x, y = named(x=r, y=r * s)
    >>> x.parents == (r,), y.name
    (True, 'y')
    """
    nodes = []
    for name, value in values.items():
        node = value if isinstance(value, Value) else Value(value)
        node = node if node.name is None else +node
        node.name = name
        nodes.append(node)
    return nodes[0] if len(nodes) == 1 else tuple(nodes)


def mean(x: Sequence[Operand]) -> Value:
    """(x₁ + … + xₙ)/n of a list. ValueError for an empty one.

    >>> mean([Value(1.0), Value(3.0)]).data
    2.0
    """
    if not len(x):
        raise ValueError("mean of no operands: it needs at least one")
    return sum(x) * (1.0 / len(x))


def softmax(z: Sequence[Operand]) -> list[Value]:
    """pⱼ = eᶻʲ / Σₖ eᶻᵏ, computed as exp(zⱼ − logsumexp z); a list of n Values.

    >>> [p.data for p in softmax([Value(0.0), Value(0.0)])]
    [0.5, 0.5]
    """
    normaliser = logsumexp(z)
    return [exp(z_j - normaliser) for z_j in z]


def clamp(x: Operand, low: Operand, high: Operand) -> Value:
    """x, but no less than ``low`` and no more than ``high``; derivative ½ at either bound, where two are equal.

    Raises ValueError where ``low`` is above ``high``.

    >>> clamp(Value(3.0), -1.0, 1.0).data
    1.0
    """
    if float(low) > float(high):
        raise ValueError(f"clamp between {float(low)!r} and {float(high)!r}: the lower bound comes first")
    return minimum(maximum(x, low), high)


def leaky_relu(z: Value, slope: float = 0.01) -> Value:
    """z for z > 0, ``slope`` · z else; the derivative at 0 is ``slope``.

    >>> leaky_relu(Value(-2.0), slope=0.5).data
    -1.0
    """
    return slope * z + (1.0 - slope) * relu(z)
