"""The figure as Mermaid, which GitHub and many notebooks draw from Markdown."""

from __future__ import annotations

from autograd.colours import LIGHT
from autograd.drawing.figure import RANKDIR, Figure, Kind, plain
from autograd.drawing.svg import OUTLINES, STROKES

SHAPES: dict[Kind, tuple[str, str]] = {
    "input": ("([", "])"),
    "output": ("[[", "]]"),
    "group": ("[[", "]]"),
    "unit": ("((", "))"),
    "dropped": ("((", "))"),
}


def mermaid(figure: Figure) -> str:
    """A flowchart in a fenced block, and the sentences below it as paragraphs."""
    index = {box: i for i, box in enumerate(figure.boxes) if box.kind != "words"}  # words alone would float about
    lines = ["```mermaid", f"flowchart {RANKDIR[figure.direction]}"]
    for box, i in index.items():
        before, after = SHAPES.get(box.kind, ("[", "]"))
        lines.append(f'  n{i}{before}"{"<br>".join(map(mermaid_text, box.text_lines()))}"{after}')
    line = "---" if figure.fixed else "-->"
    for wire in figure.wires:
        label = f'|"{mermaid_text(plain(wire.label))}"|' if wire.label else ""
        lines.append(f"  n{index[wire.tail]} {line}{label} n{index[wire.head]}")
    for box, i in index.items():
        fill, outline = OUTLINES[box.kind]
        dash = ",stroke-dasharray:4 3" if box.kind in ("constant", "dropped") else ""
        stroke = LIGHT["vermilion" if box.lit else outline]
        lines.append(f"  style n{i} fill:{LIGHT[fill]},stroke:{stroke},color:{LIGHT['ink']}{dash}")
    for i, wire in enumerate(figure.wires):
        dash = ",stroke-dasharray:7 4" if wire.dashed else ""
        lines.append(f"  linkStyle {i} stroke:{LIGHT[STROKES[wire.stroke]]},stroke-width:{wire.width:.1f}px{dash}")
    sentences = [plain(text) for text in (*figure.warnings, *figure.captions)]
    return "\n".join([*lines, "```", *(f"\n{markdown_text(text)}" for text in sentences)]) + "\n"


def mermaid_text(text: str) -> str:
    """Words for a quoted label: every character that could end it, or be read as HTML or Markdown, by its number.

    >>> mermaid_text('say "<b>"')
    'say #34;#60;b#62;#34;'
    """
    words = "".join(c if c.isalnum() or c in " =.,/()" or ord(c) > 127 else f"#{ord(c)};" for c in text)
    return words.replace("#92;", "#92;\u2060")  # Mermaid takes even this backslash, before an n, for a new line


def markdown_text(text: str) -> str:
    """Words for a paragraph: what Markdown or HTML would read is escaped."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]()<>#+-.!|&$~" else c for c in text)
