"""The built-in layout: layers of boxes whose order crosses few wires (Sugiyama, Tagawa & Toda 1981), then positions.

Boxes stand in the even layers. Every wire passes each layer between its ends through a slot of its own, at least the
one odd layer after its tail, so that wires never cross a box, parallel wires part, and labels get a place.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

from autograd.drawing.figure import ARROW, LABEL_HEIGHT, Figure, Placement, Point, Route, Wire, text_width

GAPS = (15.0, 14.0)  # between layers, and within them
MOST_APART = 14.0  # pixels between the ends of two wires at one box
SWEEPS, ALIGNMENTS = 24, 16
MOST_MOVES = 200_000  # of slots in all sweeps
THIN = 4.0  # what a wire takes across where it passes a layer


@dataclass(eq=False, slots=True)
class Slot:
    """The place of a box, or of a wire on its way, in one layer."""

    layer: int
    length: float = 0.0  # along the layers' axis
    breadth: float = 0.0  # across it
    across: float = 0.0  # where its middle is
    line: float = 0.0  # how far from there the wire lies, and its label
    label: float = 0.0
    before: list[Slot] = field(default_factory=list)
    after: list[Slot] = field(default_factory=list)


def layered(figure: Figure, gaps: Point = GAPS) -> Placement:
    """Place every box and wire, so far apart; the same figure always gets the same places."""
    up = figure.direction == "up"
    index = {box: i for i, box in enumerate(figure.boxes)}
    ends = [(index[wire.tail], index[wire.head]) for wire in figure.wires]
    order = _order(len(index), ends)
    forward = [(tail, head) if order[tail] < order[head] else (head, tail) for tail, head in ends]
    layer_of = _layers(order, forward)
    boxes = [Slot(2 * layer, *_turned(box.width, box.height, up)) for box, layer in zip(figure.boxes, layer_of)]
    chains = [_chain(boxes[tail], boxes[head]) for tail, head in forward]
    for wire, chain in zip(figure.wires, chains):
        if wire.label:
            _make_room(chain, wire, up)
    return _placed(boxes, chains, [before != after for before, after in zip(ends, forward)], up, gaps)


def _turned(width: float, height: float, up: bool) -> tuple[float, float]:
    """(length along the layers' axis, breadth across it)."""
    return (height, width) if up else (width, height)


def _order(count: int, ends: list[tuple[int, int]]) -> dict[int, int]:
    """Each box's place in a topological order, and in that order; groups may use each other, which closes cycles."""
    into: list[list[int]] = [[] for _ in range(count)]
    for tail, head in ends:
        into[head].append(tail)
    position: dict[int, int] = {}
    seen: set[int] = set()
    stack = list(range(count))
    while stack:
        i = stack.pop()
        if i < 0:  # all that leads to ~i is done
            position[~i] = len(position)
        elif i not in seen:
            seen.add(i)
            stack += (~i, *into[i])
    return position


def _layers(order: dict[int, int], edges: list[tuple[int, int]]) -> list[int]:
    """The layer of each box: beyond all its tails; a box without tails next to its nearest head."""
    layer = [0] * len(order)
    for tail, head in sorted(edges, key=lambda edge: order[edge[0]]):
        layer[head] = max(layer[head], layer[tail] + 1)
    nearest: dict[int, int] = {}
    for tail, head in edges:
        nearest[tail] = min(nearest.get(tail, layer[head]), layer[head])
    return [own or nearest.get(i, 1) - 1 for i, own in enumerate(layer)]


def _chain(tail: Slot, head: Slot) -> list[Slot]:
    """From tail to head, one thin slot in each layer between."""
    slots = [tail, *(Slot(layer, breadth=THIN) for layer in range(tail.layer + 1, head.layer)), head]
    for before, after in pairwise(slots):
        before.after.append(after)
        after.before.append(before)
    return slots


def _make_room(chain: list[Slot], wire: Wire, up: bool) -> None:
    """The label's place: beside the wire (above it, or to its right) in the slot nearest to the middle."""
    slot = chain[(len(chain) // 2) | 1]  # odd: no box stands in its layer
    slot.length, breadth = _turned(text_width(wire.label) + 8.0, LABEL_HEIGHT, up)
    slot.breadth = breadth + wire.width
    slot.line, slot.label = (-breadth / 2, wire.width / 2) if up else (breadth / 2, -wire.width / 2)


def _placed(boxes: list[Slot], chains: list[list[Slot]], turned: list[bool], up: bool, gaps: Point) -> Placement:
    """Layers become columns, chains become curves that run straight through columns and bend between them."""
    slots = [*boxes, *(slot for chain in chains for slot in chain[1:-1])]
    layers: list[list[Slot]] = [[] for _ in range(1 + max(slot.layer for slot in slots))]
    for slot in slots:
        layers[slot.layer].append(slot)
    layers = _ordered(layers)
    _align(layers, gaps[1])
    lowest = min(slot.across - slot.breadth / 2 for slot in slots)
    highest = max(slot.across + slot.breadth / 2 for slot in slots)
    columns: list[tuple[float, float]] = []
    along = 0.0
    for layer in layers:
        length = max(slot.length for slot in layer)
        columns.append((along, along + length))
        along += length + gaps[0] + min(25.0, 0.03 * (highest - lowest))
    length = columns[-1][1]

    def middle(slot: Slot) -> float:
        return sum(columns[slot.layer]) / 2

    def point(x: float, y: float) -> Point:
        return (y - lowest, length - x) if up else (x, y - lowest)

    tails, heads = (_ports([(chain[end], chain[beside]) for chain in chains]) for end, beside in ((0, 1), (-1, -2)))
    routes = []
    for chain, out, into, backward in zip(chains, tails, heads, turned):
        stations = [(middle(chain[0]) + chain[0].length / 2, columns[chain[0].layer][1], out)]
        for slot in chain[1:-1]:
            x, half = middle(slot), slot.length / 2
            ends = columns[slot.layer] if slot.layer % 2 == 0 else (x - half, x + half)
            stations.append((*ends, slot.across + slot.line))
        stations.append((columns[chain[-1].layer][0], middle(chain[-1]) - chain[-1].length / 2, into))
        *points, tip = [point(*p) for p in _curve(stations, backward)]
        label = next((slot for slot in chain[1:-1] if slot.length), None)
        centre = point(middle(label), label.across + label.label) if label else None
        routes.append(Route(points, tip, centre))
    width, height = _turned(length, highest - lowest, up)
    return Placement(width, height, [point(middle(box), box.across) for box in boxes], routes, "built-in")


def _ordered(layers: list[list[Slot]]) -> list[list[Slot]]:
    """The order in each layer, by barycentres, there and back; the best of all sweeps."""
    best, fewest = layers, _crossings(layers)
    sweeps = min(SWEEPS, MOST_MOVES // sum(map(len, layers)))
    for sweep in range(sweeps):
        if not fewest:
            break
        backward = sweep % 2 == 1
        layers = [list(layer) for layer in layers]
        position = {slot: i for layer in layers for i, slot in enumerate(layer)}
        for layer in reversed(layers[:-1]) if backward else layers[1:]:
            centre = {}
            for slot in layer:
                near = slot.after if backward else slot.before
                centre[slot] = sum(position[other] for other in near) / len(near) if near else position[slot]
            layer.sort(key=centre.__getitem__)
            position.update({slot: i for i, slot in enumerate(layer)})
        crossings = _crossings(layers)
        if crossings < fewest:
            best, fewest = layers, crossings
    return best


def _crossings(layers: list[list[Slot]]) -> int:
    """How many pairs of wires cross between neighbouring layers."""
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
    """Move each slot towards its neighbours in the layers beside it, in order and at least ``gap`` apart."""
    for layer in layers:
        _spread(layer, [0.0] * len(layer), gap)
    for turn in range(ALIGNMENTS):
        for layer in layers if turn % 2 == 0 else reversed(layers):
            wanted = []
            for slot in layer:
                near = [other.across + other.line for other in slot.before + slot.after]
                wanted.append(sum(near) / len(near) - slot.line if near else slot.across)
            _spread(layer, wanted, gap)


def _spread(layer: list[Slot], wanted: list[float], gap: float) -> None:
    """The places nearest to those wanted, by least squares, that keep the order and do not overlap."""
    apart = ((slot.breadth + after.breadth) / 2 + gap for slot, after in pairwise(layer))
    offsets = list(accumulate(apart, initial=0.0))
    blocks: list[tuple[float, int]] = []  # pool adjacent violators: the sum and the size of each
    for place, distance in zip(wanted, offsets):
        block = (place - distance, 1)
        while blocks and blocks[-1][0] / blocks[-1][1] >= block[0] / block[1]:
            before = blocks.pop()
            block = (before[0] + block[0], before[1] + block[1])
        blocks.append(block)
    starts = [sum_ / size for sum_, size in blocks for _ in range(size)]
    for slot, start, distance in zip(layer, starts, offsets):
        slot.across = start + distance


def _ports(ends: list[tuple[Slot, Slot]]) -> list[float]:
    """Where each chain meets the box at its end: side by side across it, in the order of the slots that come next."""
    beside: dict[Slot, list[tuple[float, int]]] = {}
    for i, (box, following) in enumerate(ends):
        beside.setdefault(box, []).append((following.across + following.line, i))
    ports = [0.0] * len(ends)
    for box, chains in beside.items():
        step = min(MOST_APART, 0.8 * box.breadth / len(chains))
        for place, (_, i) in enumerate(sorted(chains)):
            ports[i] = box.across + step * (place - (len(chains) - 1) / 2)
    return ports


def _curve(stations: list[tuple[float, float, float]], backward: bool) -> list[Point]:
    """Bézier points through (from, to, across) of each station, and at the end the tip of the arrow."""
    points: list[Point] = []
    leaving = 0.0
    for i, (start, end, across) in enumerate(stations):
        slope = 0.0
        if 0 < i < len(stations) - 1 and start == end:  # nothing beside it: pass without a bend
            (_, x, y), (x_after, _, y_after) = stations[i - 1], stations[i + 1]
            into, out = (across - y) / (start - x), (y_after - across) / (x_after - start)
            slope = 2.0 * min(into, out, key=abs) if into * out > 0.0 else 0.0
            slope = min(slope, (into + out) / 2, key=abs)
        if points:
            (x, y), half = points[-1], (start - points[-1][0]) / 2
            points += [(x + half, y + half * leaving), (start - half, across - half * slope), (start, across)]
        else:
            points.append((start, across))
        if end > start:
            points += [(start, across), (end, across), (end, across)]
        leaving = slope
    if backward:
        points.reverse()
    tip = points[-1]
    points[-1] = (tip[0] + (ARROW if backward else -ARROW), tip[1])
    return [*points, tip]
