"""The graph's picture: boxes and edges as SVG, placed by the drawings' built-in layout; the page marks each step."""

from collections.abc import Sequence
from html import escape

from autograd.drawing.figure import Box, Figure, Point, Route, Wire
from autograd.drawing.layered import layered
from autograd.notation import INDEXED, number_text
from autograd.text import clipped
from autograd.walking.page_data import GraphData

WIDTH, HEIGHT, MARGIN = 122, 66, 10  # of a box; around all
ALONG, ACROSS, APART = 30.0, 4.0, 12  # from layer to layer; between what lies side by side, and more around a box
ROOM = 13  # characters of name and operation in a box


class Picture:
    """One way to lay the graph out: ``down`` from top to bottom, else from left to right."""

    def __init__(self, graph: GraphData, down: bool) -> None:
        self.nodes, self.rules = graph.json["nodes"], graph.json["rules"]
        self.labels = [graph.names[x] for x in graph.order]
        self.down = down
        width, height = (WIDTH + APART, HEIGHT) if down else (WIDTH, HEIGHT + APART)
        boxes = [Box("", "operation", width=width, height=height) for _ in self.nodes]
        operands = [(i, k, parent) for i, x in enumerate(self.nodes) for k, parent in enumerate(x.get("parents", ()))]
        wires = [Wire(boxes[parent], boxes[i]) for i, _, parent in operands]
        figure = Figure(boxes, wires, "", [], direction="up" if down else "right")
        self.placement = layered(figure, (0.7 * ALONG if down else ALONG, ACROSS))
        self.edges = [f"{i}:{k}" for i, k, _ in operands]
        self.width = round(self.placement.width + 2 * MARGIN)
        self.height = round(self.placement.height + 2 * MARGIN)

    def _place(self, point: Point) -> Point:
        """Pixels from the left and from the top."""
        x, y = point
        return MARGIN + x, MARGIN + (self.placement.height - y if self.down else y)

    def svg(self, attributes: str = "", grads: Sequence[float | None] = ()) -> str:
        """The whole picture; ``grads`` as far as it is to show them."""
        boxes = [self._box(i, grads[i] if grads else None) for i in range(len(self.nodes))]
        edges = map(self._edge, self.edges, self.placement.routes)
        return (
            f'<svg class="picture" viewBox="0 0 {self.width} {self.height}" {attributes}>'
            f"<g>{''.join(edges)}</g><g>{''.join(boxes)}</g></svg>"
        )

    def _box(self, i: int, grad: float | None) -> str:
        node = self.nodes[i]
        x, y = self._place(self.placement.centres[i])
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

    def _edge(self, name: str, route: Route) -> str:
        """A curve with an arrow at either end, of which the page shows one."""
        joints = route.points[::3]
        x, y = self._place(joints[len(joints) // 6 * 3 + 1])  # between two columns, in the middle of the way
        path = f"M{self._xy(route.points[0])}C{' '.join(map(self._xy, route.points[1:]))}L{self._xy(route.tip)}"
        return (
            f'<g class="edge" data-edge="{name}"><path class="wire" d="{path}"/>'
            f'<path class="tip ahead" d="{self._tip(route.tip, -8)}"/>'
            f'<path class="tip back" d="{self._tip(route.points[0], 8)}"/>'
            f'<text class="local" x="{x:.1f}" y="{y:.1f}" dy="-5"/></g>'
        )

    def _xy(self, point: Point) -> str:
        return "{:.1f} {:.1f}".format(*self._place(point))

    def _tip(self, point: Point, length: float) -> str:
        """A triangle that points to this place from ``length`` beyond."""
        x, y = self._place(point)
        ends = [(-4, length), (4, length)] if self.down else [(length, -4), (length, 4)]
        return f"M{x:.1f} {y:.1f}" + "".join(f"L{x + dx:.1f} {y + dy:.1f}" for dx, dy in ends) + "Z"


def _sides(inset: float) -> str:
    """The sides of a box, or of a rectangle inside it."""
    x, y = WIDTH / 2 - inset, HEIGHT / 2 - inset
    return f'x="{-x:g}" y="{-y:g}" width="{2 * x:g}" height="{2 * y:g}"'


def _name(label: str) -> str:
    match = INDEXED.fullmatch(label)
    if not match or not match[3]:
        return escape(label)
    letter, above, below, primes = match.groups()
    return f'{letter}{above}<tspan class="below" dy="3">{below.lstrip("_")}</tspan><tspan dy="-3">{primes}</tspan>'
