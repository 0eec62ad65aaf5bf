"""Finds kinks and jumps, where the slope or the value differs on the two sides and the derivative is a choice.

No list of operations is needed: a rule is run with its ties broken in every way, and different results show a kink.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from math import copysign, inf, nan
from typing import Any

from autograd.graph import topological_order
from autograd.number_systems import floats
from autograd.table import CONDITION, Primitive
from autograd.value import Value


class _Fixed(float):
    """An operand that does not move, so its ties are not broken."""


class _TieBreaker:
    """The number system ``floats``, except that the ``winner``-th of up to ``ties`` tied numbers is the largest."""

    winner, ties = 0, 1

    def __getattr__(self, name: str) -> Any:
        return getattr(floats, name)

    def wins(self, i: int, ties: int = 2) -> float:
        self.ties = max(self.ties, ties)
        return float(i == self.winner % ties)

    def heaviside(self, x: float, at_zero: float) -> float:
        return self.wins(0) if x == 0.0 and type(x) is not _Fixed else floats.heaviside(x, at_zero)

    def greater(self, x: float, y: float) -> float:
        still = type(x) is type(y) is _Fixed
        return self.wins(0) if x == y and not still else floats.greater(x, y)

    def floor(self, x: float) -> float:
        return floats.floor(x) - (self.wins(1) if x == floats.floor(x) and type(x) is not _Fixed else 0.0)

    def atan2(self, y: float, x: float) -> float:
        is_cut = y == 0.0 and x < 0.0 and type(y) is not _Fixed  # the angle is π on one side, −π on the other
        return floats.atan2(copysign(0.0, self.wins(0) - 0.5) if is_cut else y, x)

    def shares(self, x: Sequence[float]) -> list[float]:
        tied = [i for i, share in enumerate(floats.shares(x)) if share > 0.0]
        return [self.wins(tied.index(i), len(tied)) if i in tied else 0.0 for i in range(len(x))]


def is_kink(primitive: Primitive, operands: Sequence[float], movers: Iterable[Hashable] | None = None) -> bool:
    """Return whether the rule has a kink or a jump at these operands, as relu has at 0 and floor at whole numbers.

    movers   the input that moves each operand, or None if it is fixed (default: each operand moves independently)
    """
    movers = list(range(len(operands)) if movers is None else movers)
    moves, joint = any(mover is not None for mover in movers), primitive.joint
    if not moves or (joint.derivative and not primitive.joined_at(*operands)):
        return moves  # the slope of hypot at the origin depends on the direction
    n, results = _TieBreaker(), []
    while n.winner < n.ties:
        given = zip(operands, movers, primitive.domains_of(len(operands)))
        at = [_Fixed(x) if m is None else n.wins(0) if d is CONDITION and x == 0.0 else x for x, m, d in given]
        value, local_derivatives = primitive.rule(n, *at)
        slopes: Counter[Hashable] = Counter()
        for mover, local in zip(movers, local_derivatives):
            slopes[mover] += local
        del slopes[None]
        results.append((value, slopes))
        n.winner += 1
    return any(result != results[0] for result in results)


def kinks(
    root: Value, inputs: Iterable[Value] | None = None, touched: bool = False, order: Sequence[Value] | None = None
) -> list[Value]:
    """Return the nodes of ``root``'s graph that are at a kink, in forward order.

    inputs    the values that move (default: every leaf); a movement ends where a local derivative is 0
    touched   include kinks that are only touched, as by x² in √relu(x²) at 0; ``sides`` decides whether they matter
    order     the graph's topological order, if already known

    >>> x = Value(0.0)
    >>> f = x.relu() + (x * x).relu()  # x² only touches 0: not a kink
    >>> kinks(f) == [f.parents[0]]
    True
    """
    order, found = order or topological_order(root), []
    moving = {node for node in order if node.operation is None} if inputs is None else set(inputs)
    for node in order:
        movers = [x if x in moving else None for x in node.parents]
        if node.operation is not None and is_kink(node.operation, [x.data for x in node.parents], movers):
            found.append(node)
        turns = touched and node.operation is not None and not node.operation.gate
        if any((local or turns) and x in moving for x, local in node.edges):
            moving.add(node)
    return found


def sides(f: Value, s: Value) -> tuple[float, float]:
    """Return the slopes of f to the left and to the right of s, by running the rules close to s; NaN if f jumps.

    >>> x = Value(0.0)
    >>> sides(abs(x), x)
    (-1.0, 1.0)
    """
    step = 1e-6 * (abs(s.data) or 1.0)
    return _slope(f, s, -step), _slope(f, s, step)


def _slope(f: Value, s: Value, step: float) -> float:
    (far, leap), (near, _), (nearest, _) = (_beside(f, s, share * step) for share in (1.0, 0.5, 0.25))
    if abs(leap) > 10.0 * abs(far * step) + 1e-6 * (abs(f.data) + abs(leap)) + abs(step):
        return nan
    if abs(nearest) > 1.1 * abs(near) > 1.2 * abs(far):
        return copysign(inf, nearest)
    slope = (8.0 * nearest - 6.0 * near + far) / 3.0  # extrapolated to a step of 0
    return 0.0 if abs(slope) < 1e-3 * abs(far) else slope


def _beside(f: Value, s: Value, step: float) -> tuple[float, float]:
    """Return the derivative of f with respect to s at s + step, and the change of f from s to s + step."""
    data, rates = {s: s.data + step}, {s: 1.0}
    for node in topological_order(f):
        if node is s or node.operation is None or not any(x in rates for x in node.parents):
            continue
        value, local_derivatives = node.operation.rule(floats, *[data.get(x, x.data) for x in node.parents])
        moves = [rates.get(x, 0.0) for x in node.parents]
        data[node], rates[node] = value, sum(local * move for local, move in zip(local_derivatives, moves) if move)
    return rates.get(f, 0.0), data.get(f, f.data) - f.data
