"""The graph's picture: boxes and edges as SVG, in which the page lights what each step is about.

Each box shows a name and an operation, its number, its gradient. What a colour says, a shape or a dash says too.
Places are columns and rows, so that one layout runs from left to right and from top to bottom.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import pairwise
from typing import NamedTuple

from autograd.errors import clipped
from autograd.graph import topological_order
from autograd.notation import INDEXED, number_text
from autograd.sugiyama import Slot, arranged, fanned, joined, layers_of
from autograd.value import Value
from autograd.walking.telling import Told

WIDTH, HEIGHT, MARGIN = 122, 66, 10  # of a box; around all
ALONG, ACROSS = 78, 16  # between boxes: in the direction of the computation, and beside each other
ROOM = 13  # characters of name and operation in a box
THIN = 0.5  # rows that an edge takes where it passes a column


class Places(NamedTuple):
    """Columns and rows, from 0 on."""

    nodes: list[tuple[int, float]]  # in topological order
    routes: list[list[list[tuple[int, float]]]]  # for each operand of each node, what the edge passes, operand first
    size: tuple[int, float]  # how many columns and rows


def positions(root: Value) -> Places:
    """Sugiyama's way: columns by distance, an edge's own slot in each column that it passes, barycentres.

    >>> r, s = Value(2.0), Value(3.0)
    >>> positions(r * s).nodes
    [(0, 0.0), (0, 1.0), (1, 0.5)]
    """
    order = topological_order(root)
    index = {node: i for i, node in enumerate(order)}
    parents = [[index[parent] for parent in node.parents] for node in order]
    layers = layers_of(len(order), [(parent, i) for i, operands in enumerate(parents) for parent in operands])
    boxes = [Slot(layer, breadth=1.0) for layer in layers]
    chains = [[joined(boxes[parent], box, THIN) for parent in operands] for box, operands in zip(boxes, parents)]
    passing = [[slot for chain in into for slot in chain[1:-1]] for into in chains]
    columns, top, bottom = arranged([slot for box, thin in zip(boxes, passing) for slot in (box, *thin)])

    def place(slot: Slot) -> tuple[int, float]:
        return slot.layer, round(slot.across - top - 0.5, 3)

    routes = [[[place(slot) for slot in chain] for chain in into] for into in chains]
    return Places([place(box) for box in boxes], routes, (len(columns), round(bottom - top, 3)))


class Point(NamedTuple):
    """Pixels along the computation and across it."""

    along: float
    across: float


class Picture:
    """One way to lay the graph out: ``down`` from top to bottom, else from left to right."""

    def __init__(self, told: Told, places: Places, down: bool) -> None:
        self.nodes, self.rules = told.graph["nodes"], told.graph["rules"]
        self.labels = [told.names[x] for x in told.order]
        self.places, self.down = places, down
        self.length, self.breadth = (HEIGHT, WIDTH) if down else (WIDTH, HEIGHT)  # of a box, along and across
        self.gap = ALONG * 0.7 if down else ALONG
        columns, rows = places.size
        along = 2 * MARGIN + columns * (self.length + self.gap) - self.gap
        across = 2 * MARGIN + rows * (self.breadth + ACROSS) - ACROSS
        self.width, self.height = map(round, self._turned(along, across))

    def _turned(self, along: float, across: float) -> tuple[float, float]:
        """x and y."""
        return (across, along) if self.down else (along, across)

    def _point(self, place: tuple[float, float]) -> Point:
        column, row = place
        along = MARGIN + self.length / 2 + column * (self.length + self.gap)
        return Point(along, MARGIN + self.breadth / 2 + row * (self.breadth + ACROSS))

    def svg(self, attributes: str = "", grads: Sequence[float | None] = ()) -> str:
        """The whole picture; ``grads`` as far as it is to show them."""
        boxes = [self._box(i, grads[i] if grads else None) for i in range(len(self.nodes))]
        return (
            f'<svg class="picture" viewBox="0 0 {self.width} {self.height}" {attributes}>'
            f"<g>{''.join(self._edges())}</g><g>{''.join(boxes)}</g></svg>"
        )

    def _box(self, i: int, grad: float | None) -> str:
        node = self.nodes[i]
        x, y = self._turned(*self._point(self.places.nodes[i]))
        symbol = clipped(self.rules[node["rule"]]["symbol"], ROOM - 3) if "rule" in node else ""
        kind = "output" if i == len(self.nodes) - 1 else node["kind"]
        name = "" if kind == "constant" else _name(clipped(self.labels[i], ROOM - len(symbol)))
        radius = {"input": 20, "output": 0}.get(kind, 6)
        rim = '<rect class="rim" ' + _sides(4) + "/>" if kind == "output" else ""
        data = number_text(float(node["data"]))
        left = -WIDTH / 2 + (14 if kind == "input" else 10)
        return (
            f'<g class="node {kind}" data-node="{i}" transform="translate({x:g} {y:g})">'
            f"<title>{escape(clipped(self.labels[i], 400))}</title>"
            f'<rect class="box" {_sides(0)} rx="{radius}"/>{rim}'
            f'<text class="name" x="{left:g}" y="-16">{name}</text> '
            f'<text class="symbol" x="{WIDTH / 2 - 10:g}" y="-16">{escape(symbol)}</text> '
            f'<text class="data" y="6">{data}</text> '
            f'<text class="grad" y="24">{"" if grad is None else "∂ " + number_text(grad)}</text></g>'
        )

    def _edges(self) -> list[str]:
        """A curve for each operand of each node, with an arrow at either end, of which the page shows one."""
        ends = [(node, k, route) for node, routes in enumerate(self.places.routes) for k, route in enumerate(routes)]
        room = 0.7 * self.breadth
        out = fanned([(self.nodes[node]["parents"][k], route[1][1]) for node, k, route in ends], lambda _: room)
        into = fanned([(node, route[-2][1]) for node, _, route in ends], lambda _: room)
        return [
            self._edge(f"{node}:{k}", [self._point(place) for place in route], out[i], into[i])
            for i, (node, k, route) in enumerate(ends)
        ]

    def _edge(self, name: str, points: list[Point], out: float, into: float) -> str:
        half = self.length / 2
        points[0] = Point(points[0].along, points[0].across + out)
        points[-1] = Point(points[-1].along, points[-1].across + into)
        path, middle = "", ""
        for i, (p, q) in enumerate(pairwise(points)):
            start, end = p.along + half, q.along - half
            bend = (start + end) / 2
            path += f"{'L' if path else 'M'}{self._xy(start, p.across)}C{self._xy(bend, p.across)} "
            path += f"{self._xy(bend, q.across)} {self._xy(end, q.across)}"
            if i <= (len(points) - 2) / 2:
                middle = self._xy(bend, (p.across + q.across) / 2)
        x, y = middle.split()
        ahead = self._tip(points[-1].along - half, points[-1].across, -8)
        back = self._tip(points[0].along + half, points[0].across, 8)
        return (
            f'<g class="edge" data-edge="{name}"><path class="wire" d="{path}"/>'
            f'<path class="tip ahead" d="{ahead}"/><path class="tip back" d="{back}"/>'
            f'<text class="local" x="{x}" y="{y}" dy="-5"/></g>'
        )

    def _xy(self, along: float, across: float) -> str:
        return "{:.1f} {:.1f}".format(*self._turned(along, across))

    def _tip(self, along: float, across: float, length: float) -> str:
        """A triangle that points to this place from ``length`` beyond."""
        beyond = along + length
        return f"M{self._xy(along, across)}L{self._xy(beyond, across - 4)}L{self._xy(beyond, across + 4)}Z"


def _sides(inset: float) -> str:
    """The sides of a box, or of a rectangle inside it."""
    x, y = WIDTH / 2 - inset, HEIGHT / 2 - inset
    return f'x="{-x:g}" y="{-y:g}" width="{2 * x:g}" height="{2 * y:g}"'


def _name(label: str) -> str:
    """The name with its index lowered."""
    match = INDEXED.fullmatch(label)
    below = (match and match[3]) or ""
    if not match or not below:
        return escape(label)
    head, tail = label[: match.start(3)], label[match.end(3) :]
    lowered = f'<tspan class="below" dy="3">{escape(below.lstrip("_"))}</tspan>'
    return escape(head) + lowered + (f'<tspan dy="-3">{escape(tail)}</tspan>' if tail else "")
