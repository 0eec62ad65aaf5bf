"""Writes figures as SVG, for files, notebooks and pages, in light and dark.

Each node is a group with ``data-node``, its index in the graph's topological order; each edge is one with
``data-edge``, such as 6:0 for the first operand of node 6. Pages and formulas find them by these attributes.
"""

import re
from functools import cache
from html import escape
from itertools import pairwise
from math import dist, isqrt

from autograd.colours import custom_properties
from autograd.drawing import figure as sizes
from autograd.drawing.display_graph import grouped
from autograd.drawing.figure import LINE_HEIGHT, PADDING, PIXEL, Box, Cell, Figure, Wire, text_width, typeset
from autograd.drawing.layered import Placement, Point, Route, halfway
from autograd.notation import derivative
from autograd.pages import own_file
from autograd.text import clipped, text_name

MARGIN, HEADING = 14.0, 24.0
MOST_TITLE = 400
PAIR = "{0[0]:.1f},{0[1]:.1f}".format
SEAM = -19.0  # between a weight's name and its numbers
MOST_SIGNS = 24  # shown on the widest wires


def svg(figure: Figure, placement: Placement, *, live: bool = False) -> str:
    """Return the figure as a standalone document, for a page or an image.

    live   for a page that shows one step at a time: with arrowheads at both ends of a wire, and without the style
    """
    sentences = [("heavy", text) for text in figure.warnings] + [("quiet", text) for text in figure.captions]
    headed = figure.boxes if figure.direction == "right" else []
    columns = grouped((box.heading, x) for box, (x, _) in zip(headed, placement.centres) if box.heading)
    headings = {words: sum(x) / len(x) for words, x in columns.items()}
    above_columns = [_text("quiet", x, -HEADING / 2 - 2, typeset(words)) for words, x in headings.items()]
    above = HEADING if headings else 0.0
    reach = [2 * abs(x - placement.width / 2) + text_width(words) for words, x in headings.items()]
    width = max([placement.width, *reach, *(text_width(text) for _, text in sentences)]) + 2 * MARGIN
    height = placement.height + 2 * MARGIN + above
    below = []
    for style, text in sentences:
        below.append(f'<text class="start {style}" x="{MARGIN:g}" y="{height + 8:g}">{typeset(text)}</text>')
        height += LINE_HEIGHT
    height += 6 if sentences else 0
    pairs = zip(figure.wires, placement.routes)
    drawn = sorted(pairs, key=lambda pair: abs(pair[0].share or 0.0))  # the widest on top
    boxes = [_box(box, centre) for box, centre in zip(figure.boxes, placement.centres)]
    weights = [_weight(wire, route, figure.dense, live) for wire, route in drawn if wire.weight]
    title = escape(text_name(figure.title))
    style = "" if live else f"<style>{style_sheet()}</style>\n"
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" class="picture" role="img" aria-label="{title}" '
        f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}">',
        f'<title>{title}</title>\n{style}<rect class="paper" width="100%" height="100%" rx="6"/>',
        f'<g transform="translate({(width - placement.width) / 2:g} {MARGIN + above:g})">',
        '<g class="edges">', *(_edge(wire, route, live) for wire, route in drawn), "</g>",
        '<g class="boxes">', *boxes, "</g>",
        '<g class="weights">', *weights, *above_columns, "</g>",
        '<g class="locals">', *_locals(drawn, figure, placement, live), "</g>", "</g>",
        *below, "</svg>\n",
    ])  # fmt: skip


@cache
def style_sheet() -> str:
    """Return the style of all pictures, minified."""
    rules = re.sub(r"/\*.*?\*/|\n", "", own_file("picture.css", "autograd.drawing"))
    return custom_properties(".picture") + re.sub(r"\s*([{};:,]) *", r"\1", rules).replace(";}", "}")


def _hover(title: str) -> str:
    lines = "\n".join(map(text_name, title.split("\n")))
    return f"<title>{escape(clipped(lines, MOST_TITLE + 1))}</title>"


def _text(kind: str, x: float, y: float, words: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{words}</text>'


def _path(points: list[Point]) -> str:
    return f"M{PAIR(points[0])}C{' '.join(map(PAIR, points[1:]))}"


def _edge(wire: Wire, route: Route, live: bool) -> str:
    """Write a wire; if a weight is on it, its last piece is a second edge."""
    inside, lit = wire.tail is wire.head, wire.weight is not None and wire.weight.lit
    kinds = ["edge", "inner" * inside, "lit" * (wire.share is not None), "idle" * wire.idle, wire.sign]
    ahead = f'<path class="tip ahead" d="{_head(route.points[-1], route.tip, wire.width)}"/>'
    back = f'<path class="tip back" d="{_head(route.points[0], route.start, wire.width)}"/>'
    tips = ahead + back if live else "" if inside or lit else back if wire.back else ahead
    way = _path(route.points)
    way = f"M{PAIR(route.start)}L{way[1:]}" if live or not wire.back else way
    way += f"L{PAIR(route.tip)}" if live or wire.back else ""
    name = f' data-edge="{wire.edges[0]}"' if wire.edges and wire.edges[0] else ""
    found = (
        f'<g class="{" ".join(filter(None, kinds))}"{name}>{_hover(wire.title)}'
        f'<path class="wire" d="{way}" stroke-width="{wire.width:.2f}"/>{tips}</g>'
    )
    if len(wire.edges) > 1:
        piece = _last_piece(route)
        width = 6.0 if lit else 1.8
        line = f'<path class="wire" d="{_path(piece)}" stroke-width="{width:g}"/>'
        (x, y), towards = piece[0], next(p for p in (*piece[1:], route.start) if p != piece[0])
        part = sizes.ARROW / dist(piece[0], towards)
        base = x + part * (towards[0] - x), y + part * (towards[1] - y)
        head = f'<path class="tip" d="{_head(base, (x, y), width)}"/>' if lit else ""
        found += f'<g class="edge inner{" lit" * lit}" data-edge="{wire.edges[1]}">{line}{head}</g>'
    return found


def _head(base: Point, tip: Point, width: float) -> str:
    """Write a triangle at the end of a wire, wider than the wire."""
    spread = 0.45 + 0.16 * width
    dx, dy = (tip[0] - base[0]) * spread, (tip[1] - base[1]) * spread
    ends = tip, (base[0] - dy, base[1] + dx), (base[0] + dy, base[1] - dx)
    return f"M{'L'.join(map(PAIR, ends))}Z"


def _last_piece(route: Route) -> list[Point]:
    """Return the route from the label to the end: whole segments, or the second half of a single one."""
    points = route.points
    if len(points) > 4:
        x, y = route.label
        middle = min(range(0, len(points) - 3, 3), key=lambda i: abs(points[i][0] - x) + abs(points[i][1] - y))
        return [*points[middle:-1], route.tip]
    levels = [points]
    while len(levels[-1]) > 1:  # de Casteljau
        levels.append([((a + c) / 2, (b + d) / 2) for (a, b), (c, d) in zip(levels[-1], levels[-1][1:])])
    return [level[-1] for level in reversed(levels)]


def _locals(drawn: list[tuple[Wire, Route]], figure: Figure, placement: Placement, live: bool) -> list[str]:
    """Write the numbers and signs on the wires, each where it overlaps boxes and other texts the least."""
    taken = [(*centre, box.width, box.height) for box, centre in zip(figure.boxes, placement.centres)]
    taken += [(*route.label, *sizes.WEIGHT) for wire, route in drawn if wire.weight and not figure.dense]
    signed = {wire for wire, _ in sorted(drawn, key=lambda pair: -pair[0].width)[:MOST_SIGNS]}
    found = []
    for wire, route in drawn:
        if wire.tail is wire.head:
            continue
        local = f"{wire.given} · {wire.local}".lstrip() + " = " * bool(wire.carried) if wire.local else ""
        # the space between two columns of boxes
        room = sizes.NUMBER if figure.direction == "up" else abs(route.tip[0] - route.start[0])
        if wire.brief and text_width(local + wire.carried) > room:
            local = ""
        sign = {"plus": "+", "minus": "−"}.get(wire.sign, "") if wire in signed else ""
        words = local + wire.carried + sign
        if not words and not live:
            continue
        # a sign is on its wire, near the end from which it comes; a number may be beside the wire
        middle, shifts = (0.75 if wire.back else 0.25, (0.0,)) if sign else (0.5, (0.0, -9.0, 9.0))
        width = text_width(words) + 6.0 if words else sizes.NUMBER
        tries = (halfway(route.points, middle + aside) for aside in (0.0, -0.1, 0.1, -0.2, 0.2, 0.05, -0.05))
        places = [(x, y + shift, width, 16.0) for x, y in tries for shift in shifts]
        covered = [sum(_overlap(place, other) for other in taken) for place in places]
        x, y, *_ = place = places[covered.index(min(covered))]
        if sign and min(covered):
            continue
        taken += [place] * bool(words)
        edge = f' data-edge="{wire.edges[0]}"' if wire.edges else ""
        kind = "on-wire" if sign else "local on-wire" if live else "local"
        plate = (
            f'<rect class="paper" x="{x - width / 2:.1f}" y="{y - 8:.1f}" width="{width:.1f}" height="16" rx="4"/>'
        )
        carried = f'<tspan class="carried">{wire.carried}</tspan>' if wire.carried else ""
        text = f'<text class="{kind}"{edge} x="{x:.1f}" y="{y + 4.5:.1f}">{local}{carried}{sign}</text>'
        found.append(text if live or sign else plate + text)
    return found


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Return the area that two rectangles, given as centre and size, have in common."""
    sides = [(a[i + 2] + b[i + 2]) / 2 - abs(a[i] - b[i]) for i in (0, 1)]
    return max(0.0, sides[0]) * max(0.0, sides[1])


def _weight(wire: Wire, route: Route, dense: bool, live: bool) -> str:
    """Write a weight on its wire, with its gradient below; in a dense figure it is hidden until it is selected."""
    assert wire.weight is not None
    (width, height), (x, y), cell = sizes.WEIGHT, route.label, wire.weight
    state = " asked" * dense + " lit" * cell.lit
    first, name = -3.5 if live or cell.grad else 4.5, f'<tspan class="formula">{typeset(cell.name)}</tspan>'
    left = right = width / 2
    if dense:  # no other text is beside it
        left, right = max(left, text_width(cell.name, 14) + 8.0 - SEAM), SEAM + sizes.NUMBER + 7.0
    return (
        f'<g class="node weight{state}" data-node="{cell.node}" transform="translate({x:.1f} {y:.1f})">'
        f'{_hover(cell.title)}<rect class="outline" x="{-left:g}" y="{-height / 2:g}" width="{left + right:g}" '
        f'height="{height:g}" rx="5"/>{_text("words end", SEAM - 3, first, name)}'
        f"{_text('data start', SEAM + 3, first, cell.data)}{_text('grad start', SEAM + 3, 12.5, _slope(cell))}</g>"
    )


def _slope(cell: Cell) -> str:
    """Write the gradient after ∂ or, for a z of the lecture, δ."""
    grad = cell.grad or ""
    return grad if grad[:1] in ("", "‖") else f"{derivative('', cell.name)[0]} {grad}"


def _box(box: Box, centre: Point) -> str:
    width, height = box.width, box.height
    kind = f"box {box.kind}" + " lit" * box.lit
    radius = height / 2 if box.kind in ("unit", "dropped") else min(height / 2, 16.0) if box.kind == "input" else 5.0
    outline = ""
    for shift in (5.0, 2.5, 0.0) if box.kind == "group" else () if box.kind == "words" else (0.0,):
        left, top = -width / 2 + shift, -height / 2 - shift
        colour = "value" if box.cells and box.cells[0].data else "grad"
        ring = f' style="stroke:var(--{colour});stroke-width:{0.8 + 4.2 * box.ring:.1f}px"' if box.ring else ""
        size = f'width="{width:g}" height="{height:g}" rx="{radius:g}"'
        outline += f'<rect class="outline" x="{left:g}" y="{top:g}" {size}{ring}/>'
    inside = []
    for a, b in pairwise(box.cells) if box.kind == "unit" else ():
        x, reach = (a.across + b.across) / 2, height / 2 - 10
        inside.append(f'<line class="rule" x1="{x:.1f}" x2="{x:.1f}" y1="{-reach:g}" y2="{reach:g}"/>')
    top = -LINE_HEIGHT * (len(box.lines) + len(box.cells) * (box.kind == "group")) / 2 + 13.5
    for i, line in enumerate(box.lines):
        inside.append(_text("quiet" if i else "heavy", 0, top + LINE_HEIGHT * i, typeset(line)))
    inside += _tile(box)
    inside += [_row(box, cell) if box.kind in ("loss", "group") else _cell(box, cell) for cell in box.cells]
    hover = _hover(box.title) if box.title else ""
    place = f"translate({centre[0]:.1f} {centre[1]:.1f})"
    key = escape(text_name(box.key))
    return f'<g class="{kind}" data-box="{key}" transform="{place}">{hover}{outline}{"".join(inside)}</g>'


def _tile(box: Box) -> list[str]:
    """Write the weights into a unit as an image, at its left."""
    side, largest = isqrt(len(box.tile)), max(map(abs, box.tile), default=0.0) or 1.0
    left, top = PADDING - box.width / 2, -side * PIXEL / 2
    return [
        f'<rect class="{"plus" if w > 0.0 else "minus"}" x="{left + PIXEL * (i % side):.1f}" '
        f'y="{top + PIXEL * (i // side):.1f}" width="{PIXEL:g}" height="{PIXEL:g}" opacity="{abs(w) / largest:.2f}"/>'
        for i, w in enumerate(box.tile)
    ]


def _node(cell: Cell, texts: str) -> str:
    index = f' data-node="{cell.node}"' if cell.node is not None else ""
    return f'<g class="node"{index}>{_hover(cell.title)}{texts}</g>'


def _first_line(cell: Cell, formula: str) -> str:
    """Write name and formula as parts of one line."""
    name = f'<tspan class="name">{typeset(cell.name)}</tspan>' if cell.name else ""
    raised = ' dy="-3"' if 'dy="3"' in name and not name.endswith('dy="-3"></tspan></tspan>') else ""
    equals = " = " if cell.name and formula else ""
    return name + (f'<tspan class="formula"{raised}>{equals}{typeset(formula)}</tspan>' if formula else "")


def _cell(box: Box, cell: Cell) -> str:
    """Write name and formula, the data below, and the gradient below that."""
    first, *more = cell.formula or [""]
    lines = [("words", _first_line(cell, first))] if cell.name or first else []
    lines += [("words", f'<tspan class="formula">{typeset(line)}</tspan>') for line in more]
    lines += [("data", cell.data)] if cell.data else []
    if cell.grad is not None:
        lines.append(("grad", cell.grad if cell.name.startswith("δ") else _slope(cell)))
    x = cell.across + isqrt(len(box.tile)) * PIXEL / 2
    y = -LINE_HEIGHT * (len(lines) + (box.kind == "dropped")) / 2 + 13.5
    texts = [_text(kind, x, y + LINE_HEIGHT * i, words) for i, (kind, words) in enumerate(lines)]
    if box.kind == "dropped" and cell is box.cells[0]:
        texts.append(_text("quiet", 0, y + LINE_HEIGHT * len(texts), "dropped"))
    return _node(cell, "".join(texts))


def _row(box: Box, cell: Cell) -> str:
    """Write name and formula, data and gradient in one line."""
    left, right, y = PADDING - box.width / 2, box.width / 2 - PADDING, cell.down + 4.5
    texts = _text("words start", left, y, _first_line(cell, " ".join(cell.formula)))
    texts += _text("data end", cell.across, y, cell.data) + _text("grad end", right, y, _slope(cell))
    return _node(cell, texts)
