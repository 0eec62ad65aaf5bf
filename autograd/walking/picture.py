"""The graph's picture: boxes and edges as SVG, in which the page lights what each step is about.

Each box shows a name and an operation, its number, its gradient. What a colour says, a shape or a dash says too.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import pairwise
from typing import NamedTuple

from autograd.errors import clipped
from autograd.notation import INDEXED, number_text
from autograd.sugiyama import fanned
from autograd.walking.places import Places
from autograd.walking.telling import Told

WIDTH, HEIGHT, MARGIN = 122, 66, 10  # of a box; around all
ALONG, ACROSS = 78, 16  # between boxes: in the direction of the computation, and beside each other
ROOM = 13  # characters of name and operation in a box


class Point(NamedTuple):
    """Pixels from the upper left corner."""

    x: float
    y: float


class Picture:
    """One way to lay the graph out: ``down`` from top to bottom, else from left to right."""

    def __init__(self, told: Told, places: Places, down: bool) -> None:
        self.nodes, self.rules = told.graph["nodes"], told.graph["rules"]
        self.labels = [told.names[x] for x in told.order]
        self.places, self.down = places, down
        columns, rows = places.size
        self.width = round(2 * MARGIN + (rows if down else columns) * self._pitch.x - self._gaps.x)
        self.height = round(2 * MARGIN + (columns if down else rows) * self._pitch.y - self._gaps.y)

    @property
    def _gaps(self) -> Point:
        return Point(ACROSS, ALONG * 0.7) if self.down else Point(ALONG, ACROSS)

    @property
    def _pitch(self) -> Point:
        return Point(WIDTH + self._gaps.x, HEIGHT + self._gaps.y)

    def _point(self, place: tuple[float, float]) -> Point:
        column, row = place
        across, along = (row, column) if self.down else (column, row)
        return Point(MARGIN + WIDTH / 2 + across * self._pitch.x, MARGIN + HEIGHT / 2 + along * self._pitch.y)

    def svg(self, attributes: str = "", grads: Sequence[float | None] = ()) -> str:
        """The whole picture; ``grads`` as far as it is to show them."""
        boxes = [self._box(i, grads[i] if grads else None) for i in range(len(self.nodes))]
        return (
            f'<svg class="picture" viewBox="0 0 {self.width} {self.height}" {attributes}>'
            f"<g>{''.join(self._edges())}</g><g>{''.join(boxes)}</g></svg>"
        )

    def _box(self, i: int, grad: float | None) -> str:
        node = self.nodes[i]
        x, y = self._point(self.places.nodes[i])
        symbol = self.rules[node["rule"]]["symbol"] if "rule" in node else ""
        symbol = clipped(symbol, ROOM - 3)
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
        ends = [
            (node, operand, route)
            for node, routes in enumerate(self.places.routes)
            for operand, route in enumerate(routes)
        ]
        room = 0.7 * (WIDTH if self.down else HEIGHT)
        out = fanned([(self.nodes[node]["parents"][k], route[1][1]) for node, k, route in ends], lambda _: room)
        into = fanned([(node, route[-2][1]) for node, _, route in ends], lambda _: room)
        return [
            self._edge(node, operand, [self._point(place) for place in route], out[i], into[i])
            for i, (node, operand, route) in enumerate(ends)
        ]

    def _edge(self, node: int, operand: int, points: Sequence[Point], out: float, into: float) -> str:
        half = (HEIGHT if self.down else WIDTH) / 2
        turned = [Point(p.y, p.x) if self.down else p for p in points]  # x runs along the computation
        turned[0] = Point(turned[0].x, turned[0].y + out)
        turned[-1] = Point(turned[-1].x, turned[-1].y + into)
        path, middle = "", Point(0, 0)
        for i, (p, q) in enumerate(pairwise(turned)):
            start, end = Point(p.x + half, p.y), Point(q.x - half, q.y)
            bend = (start.x + end.x) / 2
            path += f"{'L' if path else 'M'}{self._xy(start)}C{self._xy(Point(bend, start.y))} "
            path += f"{self._xy(Point(bend, end.y))} {self._xy(end)}"
            if i <= (len(turned) - 2) / 2:
                middle = Point(bend, (start.y + end.y) / 2)
        first, last = Point(turned[0].x + half, turned[0].y), Point(turned[-1].x - half, turned[-1].y)
        x, y = self._xy(middle).split()
        return (
            f'<g class="edge" data-edge="{node}:{operand}"><path class="wire" d="{path}"/>'
            f'<path class="tip ahead" d="{self._tip(last, -8)}"/><path class="tip back" d="{self._tip(first, 8)}"/>'
            f'<text class="local" x="{x}" y="{y}" dy="-5"/></g>'
        )

    def _xy(self, p: Point) -> str:
        return f"{p.y:.1f} {p.x:.1f}" if self.down else f"{p.x:.1f} {p.y:.1f}"

    def _tip(self, p: Point, length: float) -> str:
        """A triangle that points to ``p`` from ``length`` beyond."""
        sides = [p, Point(p.x + length, p.y - 4), Point(p.x + length, p.y + 4)]
        return "M" + "L".join(map(self._xy, sides)) + "Z"


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
