"""Orders the layers of a graph so that few edges cross, and then positions the nodes in that order.

Nodes are in layers, and an edge has its own slot in each layer that it passes (Sugiyama, Tagawa & Toda 1981).
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from math import inf

from autograd.drawing.display_graph import grouped

SWEEPS, ALIGNMENTS = 24, 16
MOST_MOVES = 200_000  # of slots in all sweeps
THIN = 4.0  # the breadth of an edge that passes a layer


@dataclass(eq=False, slots=True)
class Slot:
    """The space of a box, or of a passing edge, in one layer."""

    layer: int
    length: float = 0.0  # along the layers' axis
    breadth: float = 0.0  # across it
    across: float = 0.0  # the position of its middle
    before: list[Slot] = field(default_factory=list)
    after: list[Slot] = field(default_factory=list)


def layers_of(order: Sequence[int], edges: Sequence[tuple[int, int]]) -> list[int]:
    """Return the layer of each node: after all its tails, or if it has none, just before its nearest head.

    order   the numbers of the nodes, tails before heads

    >>> layers_of([0, 1, 3, 2], [(0, 1), (1, 2), (3, 2)])
    [0, 1, 2, 1]
    """
    tails, heads = grouped((head, tail) for tail, head in edges), grouped(edges)
    layer = [0] * len(order)
    for i in order:
        layer[i] = max((layer[tail] + 1 for tail in tails.get(i, ())), default=0)
    least = {tail: min(layer[head] for head in found) - 1 for tail, found in heads.items()}
    return [x if i in tails else least.get(i, 0) for i, x in enumerate(layer)]


def joined(tail: Slot, head: Slot) -> list[Slot]:
    """Connect tail and head by a thin slot in each layer between them, and return all slots."""
    slots = [tail, *(Slot(layer, breadth=THIN) for layer in range(tail.layer + 1, head.layer)), head]
    for before, after in pairwise(slots):
        before.after.append(after)
        after.before.append(before)
    return slots


def arranged(slots: Sequence[Slot], gap: float) -> tuple[list[list[Slot]], float, float]:
    """Set ``across`` of each slot; return the layers in order, and the lowest and highest end of a slot."""
    in_layer = grouped((slot.layer, slot) for slot in slots)
    layers = _ordered([in_layer.get(i, []) for i in range(1 + max(in_layer))])
    _align(layers, gap)
    lowest = min(slot.across - slot.breadth / 2 for slot in slots)
    return layers, lowest, max(slot.across + slot.breadth / 2 for slot in slots)


def _ordered(layers: list[list[Slot]]) -> list[list[Slot]]:
    """Order each layer by barycentres, in sweeps back and forth; return the best order found."""
    best, fewest = layers, _crossings(layers)
    sweeps = min(SWEEPS, MOST_MOVES // sum(map(len, layers)))
    for sweep in range(sweeps):
        if not fewest:
            break
        backward = sweep % 2 == 1
        layers = [list(layer) for layer in layers]
        position = {slot: i for layer in layers for i, slot in enumerate(layer)}
        for layer in reversed(layers[:-1]) if backward else layers[1:]:
            beside = {slot: slot.after if backward else slot.before for slot in layer}
            centre = {x: _mean([position[other] for other in near], position[x]) for x, near in beside.items()}
            layer.sort(key=centre.__getitem__)
            position.update({slot: i for i, slot in enumerate(layer)})
        crossings = _crossings(layers)
        if crossings < fewest:
            best, fewest = layers, crossings
    return best


def _mean(numbers: Sequence[float], otherwise: float) -> float:
    return sum(numbers) / len(numbers) if numbers else otherwise


def _crossings(layers: list[list[Slot]]) -> int:
    """Return the number of pairs of edges that cross between neighbouring layers."""
    crossings = 0
    for layer, following in pairwise(layers):
        position = {slot: i for i, slot in enumerate(following)}
        passed: list[int] = []
        for slot in layer:
            ends = sorted(position[after] for after in slot.after)
            crossings += sum(len(passed) - bisect_right(passed, end) for end in ends)
            for end in ends:
                insort(passed, end)
    return crossings


def _align(layers: list[list[Slot]], gap: float) -> None:
    """Move each slot towards its neighbours in adjacent layers, in order and at least ``gap`` apart."""
    for layer in layers:
        _spread(layer, [0.0] * len(layer), gap)
    for turn in range(ALIGNMENTS):
        for layer in layers if turn % 2 == 0 else reversed(layers):
            wanted = [_mean([other.across for other in x.before + x.after], x.across) for x in layer]
            _spread(layer, wanted, gap)


def _spread(layer: list[Slot], wanted: list[float], gap: float) -> None:
    """Set the positions nearest to those wanted, by least squares, that keep the order and the gap."""
    apart = ((slot.breadth + after.breadth) / 2 + gap for slot, after in pairwise(layer))
    offsets = list(accumulate(apart, initial=0.0))
    blocks: list[tuple[float, int]] = []  # of pool adjacent violators: the sum and the size of each
    for place, distance in zip(wanted, offsets):
        total, size = place - distance, 1
        while blocks and blocks[-1][0] / blocks[-1][1] >= total / size:
            before = blocks.pop()
            total, size = before[0] + total, before[1] + size
        blocks.append((total, size))
    starts = [sum_ / size for sum_, size in blocks for _ in range(size)]
    for slot, start, distance in zip(layer, starts, offsets):
        slot.across = start + distance


def straighten(chains: Sequence[list[Slot]], layers: list[list[Slot]], gap: float) -> None:
    """Align the slots of each edge as far as their neighbours leave space, in as few pieces as possible."""
    above = {slot: after for layer in layers for slot, after in pairwise(layer)}
    below = {after: slot for slot, after in above.items()}

    def level(slots: list[Slot]) -> None:
        least, most = -inf, inf
        for slot in slots:
            if before := below.get(slot):
                least = max(least, before.across + (before.breadth + slot.breadth) / 2 + gap)
            if after := above.get(slot):
                most = min(most, after.across - (after.breadth + slot.breadth) / 2 - gap)
        if least <= most:
            across = min(max(sum(slot.across for slot in slots) / len(slots), least), most)
            for slot in slots:
                slot.across = across
        elif len(slots) > 1:
            level(slots[: len(slots) // 2])
            level(slots[len(slots) // 2 :])

    for slots in sorted(chains, key=len, reverse=True):
        if len(slots) > 1:
            level(slots)
