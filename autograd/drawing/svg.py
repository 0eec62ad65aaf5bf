"""The SVG: one picture for light and dark, whose every colour is doubled by a shape, a dash or a width.

Colours are set by rules under the picture's own id, so that pictures on one page cannot restyle each
other. The dark rules apply where the reader prefers dark, or where Jupyter says which theme it has.
"""

from hashlib import sha256
from html import escape

from autograd.colours import DARK, LIGHT
from autograd.drawing.figure import FONT_SIZE, INDEXED, LINE_HEIGHT, Box, Figure, Placement, Point, Wire, text_width
from autograd.text import text_name

MARGIN = 14.0
MOST_TITLE = 400

OUTLINES: dict[str, tuple[str, str]] = {  # fill and line
    "input": ("blue_fill", "blue"), "constant": ("canvas", "line"), "operation": ("box", "line"),
    "output": ("orange_fill", "orange"), "group": ("green_fill", "green"), "unit": ("blue_fill", "blue"),
    "dropped": ("canvas", "line"), "words": ("canvas", "canvas"),
}  # fmt: skip
STROKES: dict[str, str] = {
    "plain": "line", "lit": "vermilion", "faint": "faint", "positive": "blue", "negative": "vermilion",
}  # fmt: skip
SHAPES = {
    "text": f"font:{FONT_SIZE}px Helvetica,Arial,'DejaVu Sans',sans-serif",
    ".name": "font-weight:bold",
    ".sub": "font-size:75%",
    ".label": "paint-order:stroke;stroke-width:3px;stroke-linejoin:round",
    ".wire": "fill:none",
    ".constant,.dropped": "stroke-dasharray:4 3",
    ".box.lit": "stroke-width:3",
}
PAINTS = {
    ".canvas": "fill:{canvas}",
    "text": "fill:{ink}",
    ".muted": "fill:{muted}",
    ".label": "stroke:{canvas}",
    ".warning": "fill:{vermilion_ink};font-weight:bold",
    **{f".{kind}": f"fill:{{{fill}}};stroke:{{{line}}}" for kind, (fill, line) in OUTLINES.items()},
    ".cross": "stroke:{vermilion};stroke-width:2",
    **{f".wire.{stroke}": f"stroke:{{{colour}}}" for stroke, colour in STROKES.items()},
    **{f".tip.{stroke}": f"fill:{{{colour}}}" for stroke, colour in STROKES.items()},
    ".box.lit": "stroke:{vermilion}",
}


def svg(figure: Figure, placement: Placement) -> str:
    """The figure as a document that stands alone, in a page or in an image."""
    sentences = [("warning", text) for text in figure.warnings] + [("muted", text) for text in figure.captions]
    width = max([placement.width, *(text_width(text, style == "warning") for style, text in sentences)]) + 2 * MARGIN
    height = placement.height + 2 * MARGIN + (LINE_HEIGHT * len(sentences) + 6 if sentences else 0)
    left = (width - placement.width) / 2
    # what is lit lies on top
    drawn = sorted(zip(figure.wires, placement.routes), key=lambda pair: pair[0].stroke == "lit")
    wires = [_wire(wire, route.points, route.tip) for wire, route in drawn]
    labels = [_label(wire, route.label) for wire, route in drawn if wire.label and route.label]
    boxes = [_box(box, centre) for box, centre in zip(figure.boxes, placement.centres)]
    below = [
        f'<text class="{style}" x="{MARGIN}" y="{placement.height + 2 * MARGIN + LINE_HEIGHT * i + 10:g}">'
        f"{typeset(text)}</text>"
        for i, (style, text) in enumerate(sentences)
    ]
    body = "\n".join(
        ['<rect class="canvas" width="100%" height="100%" rx="6"/>', f'<g transform="translate({left:g} {MARGIN})">',
         *wires, *boxes, *labels, "</g>", *below]
    )  # fmt: skip
    title = escape(text_name(figure.title))
    # the same drawing always has the same id, so that a notebook that is run again does not change
    name = "draw-" + sha256(body.encode()).hexdigest()[:10]
    style = "\n".join([
        _rules(f"#{name}", SHAPES, {}) + _rules(f"#{name}", PAINTS, LIGHT),
        f"@media (prefers-color-scheme:dark){{{_rules(f'#{name}', PAINTS, DARK)}}}",
        _rules(f'[data-jp-theme-light="true"] #{name}', PAINTS, LIGHT),
        _rules(f'[data-jp-theme-light="false"] #{name}', PAINTS, DARK),
    ])  # fmt: skip
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" id="{name}" role="img" aria-label="{title}" '
        f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}">\n'
        f"<title>{title}</title>\n<style>{style}</style>\n{body}\n</svg>\n"
    )


def _rules(scope: str, rules: dict[str, str], palette: dict[str, str]) -> str:
    return "".join(
        ",".join(f"{scope} {part}" for part in selector.split(",")) + "{" + rule.format_map(palette) + "}"
        for selector, rule in rules.items()
    )


def typeset(text: str) -> str:
    """Text for SVG: escaped, the index of w²_13 lowered.

    >>> typeset("∂f/∂w²_13 < 0")
    '∂f/∂w²<tspan class="sub" dy="3">13</tspan><tspan dy="-3"> &lt; 0</tspan>'
    """
    # an index ends one run of words and begins another; the first run needs no element, and an empty one does not
    runs = INDEXED.sub(r'\1</tspan><tspan class="sub" dy="3">\2</tspan><tspan dy="-3">', escape(text)) + "</tspan>"
    return runs.replace("</tspan>", "", 1).replace('<tspan dy="-3"></tspan>', "")


def _hover(title: str) -> str:
    lines = "\n".join(text_name(line) for line in title.split("\n"))
    return f"<title>{escape(lines if len(lines) <= MOST_TITLE else lines[:MOST_TITLE] + '…')}</title>"


def _wire(wire: Wire, points: list[Point], tip: Point) -> str:
    pair = "{0[0]:.1f},{0[1]:.1f}".format
    path = f"M{pair(points[0])}" + ("C" + " ".join(map(pair, points[1:])))
    dash = ' stroke-dasharray="7 4"' if wire.dashed else ""
    line = f'<path class="wire {wire.stroke}" d="{path}" stroke-width="{wire.width:.2f}"{dash}/>'
    (x, y), (end_x, end_y) = tip, points[-1]
    spread = 0.5 + wire.width / 14
    dx, dy = (x - end_x) * spread, (y - end_y) * spread
    head = f"M{pair(tip)}L{pair((end_x - dy, end_y + dx))}L{pair((end_x + dy, end_y - dx))}Z"
    arrow = f'<path class="tip {wire.stroke}" d="{head}"/>' if tip != points[-1] else ""
    return f"<g>{_hover(wire.title)}{line}{arrow}</g>"


def _label(wire: Wire, centre: Point) -> str:
    x, y = centre
    style = "label" if wire.stroke == "lit" else "label muted"
    return f'<text class="{style}" x="{x:.1f}" y="{y + 4.5:.1f}" text-anchor="middle">{typeset(wire.label)}</text>'


def _box(box: Box, centre: Point) -> str:
    x, y = centre
    lines = [typeset(line) for line in box.lines]
    if box.name or box.formula:
        name = f'<tspan class="name">{typeset(box.name)}</tspan>' if box.name else ""
        formula = f'<tspan class="muted">{typeset(box.formula)}</tspan>' if box.formula else ""
        lines.insert(0, name + formula)
    top = y - LINE_HEIGHT * len(lines) / 2
    halo = ' class="label"' if box.kind == "dropped" else ""
    texts = [
        f'<text{halo} x="{x:.1f}" y="{top + LINE_HEIGHT * i + 13.5:.1f}" text-anchor="middle">{line}</text>'
        for i, line in enumerate(lines)
    ]
    return f'<g class="node">{_hover(box.title)}{_outline(box, x, y)}{"".join(texts)}</g>'


def _outline(box: Box, x: float, y: float) -> str:
    style = f"box {box.kind}{' lit' if box.lit else ''}"
    if box.kind == "words":
        return ""
    if box.kind in ("unit", "dropped"):
        r = box.width / 2
        d = 0.7 * r
        cross = f"M{x - d:.1f},{y - d:.1f}L{x + d:.1f},{y + d:.1f}M{x - d:.1f},{y + d:.1f}L{x + d:.1f},{y - d:.1f}"
        crossed = f'<path class="cross" d="{cross}"/>' if box.kind == "dropped" else ""
        return f'<circle class="{style}" cx="{x:.1f}" cy="{y:.1f}" r="{r:g}"/>{crossed}'
    corner = {"input": min(box.height / 2, 16.0), "constant": 2.0}.get(box.kind, 5.0)

    def rectangle(shift: float = 0.0, inset: float = 0.0, style: str = style) -> str:
        left, top = x - box.width / 2 + shift + inset, y - box.height / 2 - shift + inset
        size = f'width="{box.width - 2 * inset:g}" height="{box.height - 2 * inset:g}"'
        return f'<rect class="{style}" x="{left:.1f}" y="{top:.1f}" {size} rx="{corner - inset:g}"/>'

    if box.kind == "group":  # a pile
        return rectangle(5.0) + rectangle(2.5) + rectangle()
    return rectangle() + (rectangle(inset=3.0, style="box output") if box.kind == "output" else "")
