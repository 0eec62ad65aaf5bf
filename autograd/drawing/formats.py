"""A drawing and its formats: it displays itself in a notebook, is saved as a file, or becomes a Graphviz graph.

SVG, HTML and Mermaid need no other package; PNG and PDF are rendered from the SVG. ``to_dot()`` passes the same
boxes, texts and colours to Graphviz, which computes a new layout; ``draw_dot`` draws as micrograd's notebook does.
"""

from base64 import b64encode
from collections.abc import Callable
from copy import copy
from functools import partial
from html import escape
from pathlib import Path
from typing import Any, final
from warnings import warn

from autograd.colours import LIGHT
from autograd.drawing.animation import animated
from autograd.drawing.figure import Box, Figure, Wire, plain
from autograd.drawing.grouping import Groups
from autograd.drawing.layered import Placement
from autograd.drawing.raster import gif, needed, pdf, png
from autograd.drawing.scenes import graph_page
from autograd.drawing.svg import svg
from autograd.files import write_whole
from autograd.graph import topological_order
from autograd.text import counted, printable, text_name
from autograd.value import Value

THEMES = '[data-jp-theme-light="true"] .drawing{color-scheme:light}'
THEMES += '[data-jp-theme-light="false"] .drawing{color-scheme:dark}'
MOST_MOVING = 60  # boxes of an animation
MERMAID_CHARACTERS, MERMAID_EDGES = 50_000, 500  # default limits of viewers, GitHub's included
FEWER_MARKS = 4_000  # in the scenes that a notebook stores
# Graphviz interprets backslashes and entities, and in records also separators
ESCAPES = str.maketrans({"\\": r"\\", "&": "&amp;"})
RECORD_ESCAPES = str.maketrans({c: f"\\{c}" for c in "\\{}|<> "} | {"&": "&amp;"})
RANKDIR = {"right": "LR", "up": "BT"}  # the directions in Graphviz and Mermaid
ROUND, DOUBLE = ("([", "])"), ("[[", "]]")  # around a label in Mermaid
SHAPES = {"input": ROUND, "unit": ROUND, "dropped": ROUND, "output": DOUBLE, "group": DOUBLE}
graphviz = partial(needed, "graphviz", "DOT needs the graphviz package", "graphviz")


@final
class Drawing:
    """A picture of a graph or a network, which displays itself in a notebook.

    figure      its boxes, wires and captions
    placement   their positions
    svg         the picture as text
    """

    def __init__(
        self, figure: Figure, placement: Placement, groups: Groups | None = None, local_derivatives: bool = False,
        root: Value | None = None,
    ) -> None:  # fmt: skip
        self.figure, self.placement, self._root, self._moves = figure, placement, root, False
        self._page = partial(graph_page, figure, placement, groups, local_derivatives)
        self.svg = svg(figure, placement)

    def __repr__(self) -> str:
        return printable(f"<{text_name(self.figure.title)}>")

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_html_(self) -> str:
        """Return an image, which even an untrusted notebook shows, or a zoomable page if its text is too small."""
        if self.placement.is_small and not self._moves:
            return self._page(marks=FEWER_MARKS)._repr_html_()
        source = f"data:image/svg+xml;base64,{b64encode(self.svg.encode()).decode()}"
        words = escape(text_name(self.figure.title))
        image = f'<img class="drawing" alt="{words}" style="max-width:100%;height:auto" src="{source}">'
        return f"<style>{THEMES}</style>{image}"

    def animate(self) -> "Drawing":
        """Return an animation of both passes, for .svg or .gif; ``backward`` need not have run.

        Raises ValueError if the drawing does not show each node of a single Value, if it has more than 60 boxes, or
        if inputs have changed since the Value was computed.
        """
        is_lit = any(wire.back for wire in self.figure.wires)
        if self._root is None or is_lit or len(self.figure.boxes) > MOST_MOVING:
            reason = (
                "only the graph of a single Value can move, not a model or several outputs" if self._root is None
                else "the paths from wrt are highlighted" if is_lit
                else f"{len(self.figure.boxes):,} boxes are more than the limit of {MOST_MOVING}"
            )  # fmt: skip
            raise ValueError(f"animate: {reason}: use draw(f).animate(), draw(node).animate() for a part, or walk(f)")
        moving = copy(self)
        moving.svg, moving._moves = animated(self._root, svg(self.figure, self.placement, live=True)), True
        return moving

    def to_dot(self) -> Any:
        """Return a ``graphviz.Digraph``, which can be restyled. Raises ImportError without the graphviz package."""
        return digraph(self.figure)

    def save(self, path: str | Path) -> Path:
        """Write .svg, .html (.gif for an animation), .md (Mermaid), .dot, .png or .pdf, and return the path.

        Raises ValueError for any other file extension. Raises ImportError without the graphviz package (.dot) or the
        ``render`` extra (.png, .pdf, .gif), and RuntimeError without a font; each says what to install. Warns if a
        .md is too large for most viewers.
        """
        path = Path(path)
        writers: dict[str, Callable[[], str | bytes]] = {
            ".svg": lambda: self.svg,
            ".html": lambda: self._page().page,
            ".md": lambda: mermaid(self.figure),
            ".dot": lambda: str(self.to_dot().source),
            ".png": lambda: png(self.svg),
            ".pdf": lambda: pdf(self.svg),
            ".gif": lambda: gif(self.svg),
        }
        writers.pop(".html" if self._moves else ".gif")
        if (ending := path.suffix.lower()) not in writers:
            remedy = "; only draw(f).animate() can be saved as .gif" if ending == ".gif" else ""
            raise ValueError(f"{path.name}: a drawing can be saved as {', '.join(writers)}{remedy}")
        content = writers[ending]()
        write_whole(path, content.encode() if isinstance(content, str) else content)
        return path


def label(*lines: str) -> Any:
    """Join lines into a label that Graphviz takes literally, even if <…> encloses it."""
    return graphviz().nohtml(r"\n".join(line.translate(ESCAPES) for line in lines))


def _wire_text(wire: Wire) -> str:
    """Return the text on a wire: a weight, a local derivative, and the contribution that it carries back."""
    weight = f"{wire.weight.name} = {wire.weight.data}" if wire.weight else ""
    return weight + (f" · {wire.local}" if wire.local else "") + (f" = {wire.carried}" if wire.carried else "")


def _outline(box: Box) -> str:
    return LIGHT["grad" if box.lit else "edge" if box.kind in ("constant", "dropped") else "ink"]


def _stroke(wire: Wire) -> str:
    return LIGHT["grad" if wire.share is not None else wire.sign or "edge"]


def digraph(figure: Figure) -> Any:
    """Return a Graphviz graph with the same boxes, texts and colours, but without positions."""
    graph = graphviz().Digraph()
    graph.attr(rankdir=RANKDIR[figure.direction], bgcolor=LIGHT["paper"])
    graph.attr("node", fontname="Helvetica", fontsize="11")
    graph.attr("edge", fontname="Helvetica", fontsize="10", arrowsize="0.7")
    names = {box: f"n{i}" for i, box in enumerate(figure.boxes)}
    for box in figure.boxes:
        graph.node(
            names[box], label(*box.text_lines()), shape="plaintext" if box.kind == "words" else "box",
            style="filled" + ",rounded" * (box.kind in ("input", "unit")), fillcolor=LIGHT["fill"],
            color=_outline(box), fontcolor=LIGHT["ink"], penwidth="2.5" if box.lit else "1",
            peripheries="0" if box.kind == "words" else "2" if box.kind in ("output", "group") else "1",
        )  # fmt: skip
    for wire in figure.between():
        graph.edge(
            names[wire.tail], names[wire.head], label=label(plain(_wire_text(wire))), color=_stroke(wire),
            penwidth=f"{wire.width:.2f}", dir="back" if wire.back else "forward",
            arrowhead="none" if figure.dense else "normal",
        )  # fmt: skip
    if sentences := figure.sentences():
        graph.attr(label=label(*sentences), fontname="Helvetica", fontsize="11")
    return graph


def mermaid(figure: Figure) -> str:
    """Return a flowchart in a fenced block, followed by the sentences as paragraphs."""
    index = {box: i for i, box in enumerate(figure.boxes) if box.kind != "words"}  # no edge would hold these in place
    lines, wires = ["```mermaid", f"flowchart {RANKDIR[figure.direction]}"], figure.between()
    for box, i in index.items():
        before, after = SHAPES.get(box.kind, ("[", "]"))
        lines.append(f'  n{i}{before}"{"<br>".join(map(mermaid_text, box.text_lines()))}"{after}')
    line = "---" if figure.dense else "-->"
    for wire in wires:
        label = f'|"{mermaid_text(plain(words))}"|' if (words := _wire_text(wire)) else ""
        lines.append(f"  n{index[wire.tail]} {line}{label} n{index[wire.head]}")
    fill, ink = LIGHT["fill"], LIGHT["ink"]
    lines += [f"  style n{i} fill:{fill},stroke:{_outline(box)},color:{ink}" for box, i in index.items()]
    lines += [f"  linkStyle {i} stroke:{_stroke(x)},stroke-width:{x.width:.1f}px" for i, x in enumerate(wires)]
    chart = "\n".join([*lines, "```"])
    if len(chart) > MERMAID_CHARACTERS or len(wires) > MERMAID_EDGES:
        warn(
            f"{len(chart):,} characters and {counted(len(wires), 'edge')}: Mermaid viewers, including GitHub's, draw "
            f"at most {MERMAID_CHARACTERS:,} characters and {MERMAID_EDGES} edges; save as .svg, or use "
            "draw(f, collapse=True)", stacklevel=4,
        )  # fmt: skip
    return chart + "".join(f"\n\n{markdown_text(text)}" for text in figure.sentences()) + "\n"


def mermaid_text(text: str) -> str:
    """Escape text for a quoted label: characters that could end it, or be read as HTML or Markdown, become numbers.

    >>> mermaid_text('say "<b>"')
    'say #34;#60;b#62;#34;'
    """
    words = "".join(c if c.isalnum() or c in " =.,/()" or ord(c) > 127 else f"#{ord(c)};" for c in text)
    return words.replace("#92;", "#92;\u2060")  # Mermaid would read even this, before an n, as a line break


def markdown_text(text: str) -> str:
    """Escape the characters of a paragraph that Markdown or HTML would interpret."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]()<>#+-.!|&$~" else c for c in text)


def draw_dot(f: Value, format: str = "svg", rankdir: str = "LR") -> Any:
    """Draw the graph in the style of micrograd's notebook: records of label, data and grad, and a node per operation.

    Returns a ``graphviz.Digraph``. Raises ImportError without the graphviz package.

    >>> x = Value(3.0, "x")
    >>> draw_dot(x * x).source.count("->")
    3
    """
    graph = graphviz().Digraph(format=format, graph_attr={"rankdir": rankdir})
    ids = {node: f"n{i}" for i, node in enumerate(topological_order(f))}
    for node, name in ids.items():
        words = text_name(node.name or "").translate(RECORD_ESCAPES)
        record = f"{{ {words} | data {node.data:.4f} | grad {node.grad:.4f} }}"
        graph.node(name, label=graphviz().nohtml(record), shape="record")
        if node.parents and node.operation is not None:
            graph.node(f"{name}_op", label=label(node.operation.symbol))
            graph.edge(f"{name}_op", name)
            for parent in node.parents:
                graph.edge(ids[parent], f"{name}_op")
    return graph
