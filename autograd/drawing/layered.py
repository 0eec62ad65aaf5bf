"""The built-in layout: layers of boxes whose order crosses few wires (Sugiyama, Tagawa & Toda 1981), then positions.

Boxes stand in the even layers. Every wire passes each layer between its ends through a slot of its own, at least the
one odd layer after its tail, so that wires never cross a box, parallel wires part, and labels get a place.
"""

from __future__ import annotations

from autograd.drawing.figure import ARROW, LABEL_HEIGHT, Figure, Placement, Point, Route, Wire, text_width
from autograd.sugiyama import Slot, align, joined, ordered

GAP_ALONG, GAP_ACROSS = 15.0, 14.0
THIN = 4.0  # what a wire takes across where it passes a layer


def layered(figure: Figure) -> Placement:
    """Place every box and wire; the same figure always gets the same places."""
    up = figure.direction == "up"
    index = {box: i for i, box in enumerate(figure.boxes)}
    ends = [(index[wire.tail], index[wire.head]) for wire in figure.wires]
    forward = _acyclic(len(index), ends)
    layer_of = _layers(len(index), forward)
    boxes = [Slot(2 * layer, *_turned(box.width, box.height, up)) for box, layer in zip(figure.boxes, layer_of)]
    chains: list[list[Slot]] = []
    for wire, (tail, head) in zip(figure.wires, forward):
        chains.append(joined(boxes[tail], boxes[head], THIN))
        if wire.label:
            _make_room(chains[-1], wire, up)
    layers: list[list[Slot]] = [[] for _ in range(2 * max(layer_of) + 1)]
    for slot in [*boxes, *(slot for chain in chains for slot in chain[1:-1])]:
        layers[slot.layer].append(slot)
    layers = ordered(layers)
    align(layers, GAP_ACROSS)
    return _placed(layers, boxes, chains, [before != after for before, after in zip(ends, forward)], up)


def _turned(width: float, height: float, up: bool) -> tuple[float, float]:
    """(length along the layers' axis, breadth across it)."""
    return (height, width) if up else (width, height)


def _acyclic(count: int, ends: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The wires, those turned round that close a cycle: groups may use each other."""
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
    return [(tail, head) if position[tail] < position[head] else (head, tail) for tail, head in ends]


def _layers(count: int, forward: list[tuple[int, int]]) -> list[int]:
    """The layer of each box: beyond all its tails; a box without tails next to its nearest head."""
    into: list[list[int]] = [[] for _ in range(count)]
    onward: list[list[int]] = [[] for _ in range(count)]
    for tail, head in forward:
        into[head].append(tail)
        onward[tail].append(head)
    layer, waiting = [0] * count, [len(tails) for tails in into]
    ready = [i for i in range(count) if not into[i]]
    for i in ready:  # grows while it is walked
        for head in onward[i]:
            layer[head] = max(layer[head], layer[i] + 1)
            waiting[head] -= 1
            if not waiting[head]:
                ready.append(head)
    for i in range(count):
        if onward[i] and not into[i]:
            layer[i] = min(layer[head] for head in onward[i]) - 1
    return layer


def _make_room(chain: list[Slot], wire: Wire, up: bool) -> None:
    """The label's place: beside the wire (above it, or to its right) in the slot nearest to the middle."""
    slot = chain[(len(chain) // 2) | 1]  # odd: no box stands in its layer
    slot.length, breadth = _turned(text_width(wire.label) + 8.0, LABEL_HEIGHT, up)
    slot.breadth = breadth + wire.width
    slot.line, slot.label = (-breadth / 2, wire.width / 2) if up else (breadth / 2, -wire.width / 2)


def _placed(
    layers: list[list[Slot]], boxes: list[Slot], chains: list[list[Slot]], turned: list[bool], up: bool
) -> Placement:
    """Layers become columns, chains become curves that run straight through columns and bend between them."""
    lowest = min(slot.across - slot.breadth / 2 for layer in layers for slot in layer)
    breadth = max(slot.across + slot.breadth / 2 for layer in layers for slot in layer) - lowest
    columns: list[tuple[float, float]] = []
    along = 0.0
    for layer in layers:
        length = max(slot.length for slot in layer)
        columns.append((along, along + length))
        along += length + GAP_ALONG + min(25.0, 0.03 * breadth)
    length = columns[-1][1]

    def point(x: float, y: float) -> Point:
        return (y - lowest, length - x) if up else (x, y - lowest)

    ports = _ports(chains)
    routes = []
    for chain, (out, into), backward in zip(chains, ports, turned):
        stations = [(_middle(columns, chain[0]) + chain[0].length / 2, columns[chain[0].layer][1], out)]
        for slot in chain[1:-1]:
            middle, half = _middle(columns, slot), slot.length / 2
            ends = columns[slot.layer] if slot.layer % 2 == 0 else (middle - half, middle + half)
            stations.append((*ends, slot.across + slot.line))
        stations += [(columns[chain[-1].layer][0], _middle(columns, chain[-1]) - chain[-1].length / 2, into)]
        curve = _curve(stations, backward)
        label = next((slot for slot in chain[1:-1] if slot.length), None)
        routes.append(
            Route(
                [point(*p) for p in curve[:-1]],
                point(*curve[-1]),
                point(_middle(columns, label), label.across + label.label) if label else None,
            )
        )
    width, height = (breadth, length) if up else (length, breadth)
    return Placement(width, height, [point(_middle(columns, b), b.across) for b in boxes], routes, "built-in")


def _middle(columns: list[tuple[float, float]], slot: Slot) -> float:
    return sum(columns[slot.layer]) / 2


def _ports(chains: list[list[Slot]]) -> list[tuple[float, float]]:
    """Where each chain leaves its tail and reaches its head: side by side, in the order of where they go."""
    out: dict[Slot, list[tuple[float, int]]] = {}
    into: dict[Slot, list[tuple[float, int]]] = {}
    for i, chain in enumerate(chains):
        out.setdefault(chain[0], []).append((chain[1].across + chain[1].line, i))
        into.setdefault(chain[-1], []).append((chain[-2].across + chain[-2].line, i))
    at: list[dict[int, float]] = []
    for side in (out, into):
        at.append({})
        for slot, wires in side.items():
            step = min(14.0, 0.8 * slot.breadth / len(wires))
            for place, (_, i) in enumerate(sorted(wires)):
                at[-1][i] = slot.across + step * (place - (len(wires) - 1) / 2)
    return [(at[0][i], at[1][i]) for i in range(len(chains))]


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
