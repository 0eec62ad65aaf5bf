"""The built-in layout: layers of boxes whose order crosses few wires (Sugiyama, Tagawa & Toda 1981), then positions.

Boxes stand in the even layers. Every wire passes each layer between its ends through a slot of its own, at least the
one odd layer after its tail, so that wires never cross a box, parallel wires part, and labels get a place.
"""

from autograd.drawing.figure import ARROW, LABEL_HEIGHT, Figure, Placement, Point, Route, Wire, text_width
from autograd.drawing.sugiyama import Slot, arranged, joined, layers_of

GAPS = (15.0, 14.0)  # between layers, and within them
MOST_APART = 14.0  # pixels between the ends of two wires at one box


def layered(figure: Figure, gaps: Point = GAPS) -> Placement:
    """Place every box and wire, so far apart; the same figure always gets the same places."""
    up = figure.direction == "up"
    index = {box: i for i, box in enumerate(figure.boxes)}
    ends = [(index[wire.tail], index[wire.head]) for wire in figure.wires]
    order = _order(len(index), ends)
    forward = [(tail, head) if order[tail] < order[head] else (head, tail) for tail, head in ends]
    layer_of = layers_of(list(order), forward)
    boxes = [Slot(2 * layer, *_turned(box.width, box.height, up)) for box, layer in zip(figure.boxes, layer_of)]
    chains = [joined(boxes[tail], boxes[head]) for tail, head in forward]
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


def _make_room(chain: list[Slot], wire: Wire, up: bool) -> None:
    """The label's place: beside the wire (above it, or to its right) in the slot nearest to the middle."""
    slot = chain[(len(chain) // 2) | 1]  # odd: no box stands in its layer
    slot.length, breadth = _turned(text_width(wire.label) + 8.0, LABEL_HEIGHT, up)
    slot.breadth = breadth + wire.width
    slot.line, slot.label = (-breadth / 2, wire.width / 2) if up else (breadth / 2, -wire.width / 2)


def _placed(boxes: list[Slot], chains: list[list[Slot]], turned: list[bool], up: bool, gaps: Point) -> Placement:
    """Layers become columns, chains become curves that run straight through columns and bend between them."""
    passing = [slot for chain in chains for slot in chain[1:-1]]
    layers, lowest, highest = arranged([*boxes, *passing], gaps[1])
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
