"""The built-in layout: puts boxes in layers and routes wires with few crossings (Sugiyama, Tagawa & Toda 1981).

Boxes are in the even layers. Every wire has its own slot in each layer between its ends, which include at least the
odd layer after its tail, so that no wire crosses a box, parallel wires stay apart, and labels have space.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from autograd.drawing.display_graph import grouped
from autograd.drawing.figure import ARROW, FONT_SIZE, LINE_HEIGHT, NUMBER, WEIGHT, Figure
from autograd.drawing.sugiyama import THIN, Slot, arranged, joined, layers_of, straighten

COLUMN = 1058  # the width in pixels that a notebook has for a picture
LEAST_SIZE = 11  # of readable text
GAP, DENSE_GAP = 14.0, 120.0  # between layers; within a layer, always GAP
CURVE = 18.0  # before and after a weight
MOST_APART = 14.0  # pixels between the ends of two wires at one box
Point = tuple[float, float]


class Route(NamedTuple):
    """The route of a wire: Bézier segments of three points each, with space for an arrowhead at either end."""

    start: Point
    points: list[Point]
    tip: Point
    label: Point


class Placement(NamedTuple):
    """The positions of a figure: centres of its boxes and routes of its wires, in their order; y grows downwards."""

    width: float
    height: float
    centres: list[Point]
    routes: list[Route]

    @property
    def scale(self) -> float:
        """The scale at which a notebook's column shows the figure."""
        return min(1.0, COLUMN / (self.width + 28.0))

    @property
    def is_small(self) -> bool:
        """Whether its text is unreadable at that scale."""
        return self.scale * FONT_SIZE < LEAST_SIZE


def placed(figure: Figure) -> Placement:
    """Lay out a figure in its direction, or upwards if it is then larger in a notebook's column."""
    found = layered(figure)
    if figure.direction == "right" and found.is_small:
        turned = layered(replace(figure, direction="up"))
        if turned.scale > found.scale:
            figure.direction = "up"
            return turned
    return found


def stacked(figures: Sequence[Figure]) -> tuple[Figure, Placement]:
    """Combine figures with the same columns into one, each below the previous one."""
    whole, (width, height, centres, routes) = figures[0], layered(figures[0])
    for figure in figures[1:]:
        below, shift = layered(figure), height + 2.0 * LINE_HEIGHT
        centres += [(x, y + shift) for x, y in below.centres]
        for start, points, tip, label in below.routes:
            first, *middle, last, centre = [(x, y + shift) for x, y in (start, *points, tip, label)]
            routes.append(Route(first, middle, last, centre))
        width, height = max(width, below.width), shift + below.height
        captions = [f"forward: {whole.captions[0]}", *figure.captions]
        whole = replace(whole, boxes=whole.boxes + figure.boxes, wires=whole.wires + figure.wires, captions=captions)
    return whole, Placement(width, height, centres, routes)


def larger(placed: Iterable[tuple[Figure, Placement]], room: Point) -> tuple[Figure, Placement]:
    """Return the layout that is larger in this space."""
    return max(placed, key=lambda pair: min(room[0] / pair[1].width, room[1] / pair[1].height))


def layered(figure: Figure) -> Placement:
    """Lay out every box and wire; equal figures have equal layouts."""
    up = figure.direction == "up"
    index = {box: i for i, box in enumerate(figure.boxes)}
    between = figure.between()
    ends = [(index[wire.tail], index[wire.head]) for wire in between]
    order = _order(len(index), ends)
    forward = [(tail, head) if order[tail] < order[head] else (head, tail) for tail, head in ends]
    # boxes are in the even layers; a dense figure has no odd layers
    step, boxes = 1 if figure.dense else 2, []
    for box, layer in zip(figure.boxes, layers_of(list(order), forward)):
        boxes.append(Slot(step * (layer if box.layer is None else box.layer), *_turned(box.width, box.height, up)))
    chains = [joined(boxes[tail], boxes[head]) for tail, head in forward]
    for wire, chain in zip(between, chains) if not figure.dense else ():
        slot = chain[(len(chain) // 2) | 1]  # nearest to the middle; odd, because odd layers contain no boxes
        if wire.weight:
            slot.length, slot.breadth = _turned(*WEIGHT, up)
            slot.length += 2.0 * CURVE
        else:  # space for a number
            slot.length = LINE_HEIGHT if up else 0.75 * NUMBER
    return _placed(figure, boxes, chains, [before != after for before, after in zip(ends, forward)])


def _turned(width: float, height: float, up: bool) -> tuple[float, float]:
    """Return (length along the layers' axis, breadth across it)."""
    return (height, width) if up else (width, height)


def _order(count: int, ends: list[tuple[int, int]]) -> dict[int, int]:
    """Return each box's index in a topological order, sorted by it; cycles of groups that use each other are cut."""
    into: list[list[int]] = [[] for _ in range(count)]
    for tail, head in ends:
        into[head].append(tail)
    position: dict[int, int] = {}
    seen: set[int] = set()
    stack = list(range(count))
    while stack:
        i = stack.pop()
        if i < 0:  # all predecessors of ~i are done
            position[~i] = len(position)
        elif i not in seen:
            seen.add(i)
            stack += (~i, *into[i])
    return position


def _placed(figure: Figure, boxes: list[Slot], chains: list[list[Slot]], turned: list[bool]) -> Placement:
    """Turn layers into columns, and chains into curves that run straight through columns and bend between them."""
    up = figure.direction == "up"
    passing = [chain[1:-1] for chain in chains]
    layers, lowest, highest = arranged([*boxes, *(slot for slots in passing for slot in slots)], GAP)
    straighten(passing, layers, GAP)
    gap, widening, widest = (DENSE_GAP, 0.12, 240.0) if figure.dense else (GAP, 0.03, 8.0 if up else 20.0)
    columns: list[tuple[float, float]] = []
    along = 0.0
    for layer in layers:
        length = max(slot.length for slot in layer)
        columns.append((along, along + length))
        along += length + gap + min(widening * (highest - lowest), widest)
    length = columns[-1][1]

    def middle(slot: Slot) -> float:
        return sum(columns[slot.layer]) / 2

    def point(x: float, y: float) -> Point:
        return (y - lowest, length - x) if up else (x, y - lowest)

    apart = {slot: 0.0 if box.kind in ("unit", "dropped") else MOST_APART for box, slot in zip(figure.boxes, boxes)}
    tails, heads = (_ports([(c[end], c[beside]) for c in chains], apart) for end, beside in ((0, 1), (-1, -2)))
    routes = []
    for (tail, *slots, head), out, into, backward in zip(chains, tails, heads, turned):
        stations = [(middle(tail) + tail.length / 2, columns[tail.layer][1], out)]
        weight: Point | None = None
        for slot in slots:
            x, half = middle(slot), slot.length / 2 - CURVE
            if slot.layer % 2 == 0 or figure.dense:  # past the boxes of a layer
                stations.append((*columns[slot.layer], slot.across))
            elif slot.breadth > THIN:  # through a weight
                stations.append((x - half, x + half, slot.across))
                weight = point(x, slot.across)
        stations.append((columns[head.layer][0], middle(head) - head.length / 2, into))
        start, *points, tip = [point(*p) for p in _curve(stations, backward)]
        routes.append(Route(start, points, tip, weight or halfway(points)))
    centres = [point(middle(box), box.across) for box in boxes]
    return Placement(*_turned(length, highest - lowest, up), centres, _with_inner(figure, centres, routes))


def halfway(points: list[Point], part: float = 0.5) -> Point:
    """Return the point at a fraction of the route, by the parameter of its Bézier segments."""
    segments = (len(points) - 1) // 3
    i = min(int(part * segments), segments - 1)
    t = part * segments - i
    a, b, c, d = points[3 * i : 3 * i + 4]
    weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
    x, y = (sum(w * p[axis] for w, p in zip(weights, (a, b, c, d))) for axis in (0, 1))
    return x, y


def _with_inner(figure: Figure, centres: list[Point], routes: list[Route]) -> list[Route]:
    """Return a route for every wire; wires inside a box run straight from cell to cell."""
    centre_of, found = dict(zip(figure.boxes, centres)), dict(zip(figure.between(), routes))
    for wire in figure.wires:
        if wire.ends:
            x, y = centre_of[wire.tail]
            start, end = ((x + cell.across, y + cell.down) for cell in wire.ends)
            found[wire] = Route(start, [start, start, end, end], end, halfway([start, start, end, end]))
    return [found[wire] for wire in figure.wires]


def _ports(ends: list[tuple[Slot, Slot]], apart: dict[Slot, float]) -> list[float]:
    """Return where each chain meets its box: side by side, in the order of the chains' next slots."""
    beside = grouped((box, (following.across, i)) for i, (box, following) in enumerate(ends))
    ports = [0.0] * len(ends)
    for box, chains in beside.items():
        step = min(apart[box], 0.8 * box.breadth / len(chains))
        for place, (_, i) in enumerate(sorted(chains)):
            ports[i] = box.across + step * (place - (len(chains) - 1) / 2)
    return ports


def _curve(stations: list[tuple[float, float, float]], backward: bool) -> list[Point]:
    """Return the start, Bézier points through (from, to, across) of each station, and the tip."""
    points: list[Point] = []
    leaving = 0.0
    for i, (start, end, across) in enumerate(stations):
        slope = 0.0
        if 0 < i < len(stations) - 1 and start == end:  # a layer without length: pass smoothly
            (_, x, y), (x_after, _, y_after) = stations[i - 1], stations[i + 1]
            into, out = (across - y) / (start - x), (y_after - across) / (x_after - start)
            slope = 2.0 * min(into, out, key=abs) if into * out > 0.0 else 0.0
            slope = min(slope, (into + out) / 2, key=abs)
        if points:
            (x, y), half = points[-1], (start - points[-1][0]) / 2
            points += [(x + half, y + half * leaving), (start - half, across - half * slope)]
        points.append((start, across))
        if end > start:
            points += [(start, across), (end, across), (end, across)]
        leaving = slope
    if backward:
        points.reverse()
    first, last, inwards = points[0], points[-1], -ARROW if backward else ARROW
    points[0], points[-1] = (first[0] + inwards, first[1]), (last[0] - inwards, last[1])
    return [first, *points, last]
