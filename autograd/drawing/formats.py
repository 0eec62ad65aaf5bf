"""A drawing in every format: it shows itself in a notebook, is saved as a file, or handed over as Graphviz.

SVG, HTML and Mermaid need nothing; PNG and PDF are the SVG, rendered. ``to_dot()`` gives the same boxes, words and
colours to Graphviz, which lays them out itself; ``draw_dot`` writes the graph as micrograd's notebook draws it.
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
MERMAID_CHARACTERS, MERMAID_EDGES = 50_000, 500  # what GitHub's and others' viewers draw, unless they are configured
FEWER_MARKS = 4_000  # in the scenes that a notebook keeps
# a backslash and what Graphviz would read as an entity; in records its separators too
ESCAPES = str.maketrans({"\\": r"\\", "&": "&amp;"})
RECORD_ESCAPES = str.maketrans({c: f"\\{c}" for c in "\\{}|<> "} | {"&": "&amp;"})
RANKDIR = {"right": "LR", "up": "BT"}  # what Graphviz and Mermaid call the directions
ROUND, DOUBLE = ("([", "])"), ("[[", "]]")  # what encloses a label in Mermaid
SHAPES = {"input": ROUND, "unit": ROUND, "dropped": ROUND, "output": DOUBLE, "group": DOUBLE}
graphviz = partial(needed, "graphviz", "DOT is written by the graphviz package", "graphviz")


@final
class Drawing:
    """A picture of a graph or a network. In a notebook it shows itself.

    figure      its boxes, wires and captions
    placement   where they stand
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
        """An image, which a notebook shows before it is trusted, too; in a viewer where its type is too small."""
        if self.placement.is_small and not self._moves:
            return self._page(marks=FEWER_MARKS)._repr_html_()
        source = f"data:image/svg+xml;base64,{b64encode(self.svg.encode()).decode()}"
        words = escape(text_name(self.figure.title))
        image = f'<img class="drawing" alt="{words}" style="max-width:100%;height:auto" src="{source}">'
        return f"<style>{THEMES}</style>{image}"

    def animate(self) -> "Drawing":
        """Both passes in motion, to be saved as .svg or .gif; gradients show whether or not ``backward`` has run.

        Raises ValueError for a drawing that does not show each node of one Value, for one of more than 60 boxes, and
        where inputs have changed since the Value was computed.
        """
        is_lit = any(wire.back for wire in self.figure.wires)
        if self._root is None or is_lit or len(self.figure.boxes) > MOST_MOVING:
            reason = (
                "the graph of one Value moves, not a model or several outputs" if self._root is None
                else "the paths from wrt are lit already" if is_lit
                else f"at most {MOST_MOVING} boxes move, and here are {len(self.figure.boxes):,}"
            )  # fmt: skip
            raise ValueError(f"animate: {reason}: draw(f).animate(), draw(node).animate() for a part, or walk(f)")
        moving = copy(self)
        moving.svg, moving._moves = animated(self._root, svg(self.figure, self.placement, live=True)), True
        return moving

    def to_dot(self) -> Any:
        """A ``graphviz.Digraph`` to restyle. Raises ImportError, which says what to install, without the package."""
        return digraph(self.figure)

    def save(self, path: str | Path) -> Path:
        """Write .svg, .html (.gif of an animation), .md (Mermaid), .dot, .png or .pdf, and return the path.

        Raises ValueError for another ending; ImportError or RuntimeError, which say what to install, where .dot lacks
        the graphviz package, .png, .pdf or .gif the extra ``render`` or a font. Warns of a .md that few viewers draw.
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
            remedy = "; draw(f).animate() makes a .gif" if ending == ".gif" else ""
            raise ValueError(f"{path.name}: a drawing is saved as {', '.join(writers)}{remedy}")
        content = writers[ending]()
        write_whole(path, content.encode() if isinstance(content, str) else content)
        return path


def label(*lines: str) -> Any:
    """Lines for a label, in which nothing is a command to Graphviz, not even <…> around it all."""
    return graphviz().nohtml(r"\n".join(line.translate(ESCAPES) for line in lines))


def _words(wire: Wire) -> str:
    """What stands on a wire: a weight, a local derivative, what it carries back."""
    weight = f"{wire.weight.name} = {wire.weight.data}" if wire.weight else ""
    return weight + (f" · {wire.local}" if wire.local else "") + (f" = {wire.carried}" if wire.carried else "")


def _outline(box: Box) -> str:
    return LIGHT["grad" if box.lit else "edge" if box.kind in ("constant", "dropped") else "ink"]


def _stroke(wire: Wire) -> str:
    return LIGHT["grad" if wire.share is not None else wire.sign or "edge"]


def digraph(figure: Figure) -> Any:
    """The same boxes, words and colours, for Graphviz to lay out."""
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
            names[wire.tail], names[wire.head], label=label(plain(_words(wire))), color=_stroke(wire),
            penwidth=f"{wire.width:.2f}", dir="back" if wire.back else "forward",
            arrowhead="none" if figure.dense else "normal",
        )  # fmt: skip
    if sentences := figure.sentences():
        graph.attr(label=label(*sentences), fontname="Helvetica", fontsize="11")
    return graph


def mermaid(figure: Figure) -> str:
    """A flowchart in a fenced block, and the sentences below it as paragraphs."""
    index = {box: i for i, box in enumerate(figure.boxes) if box.kind != "words"}  # words alone would float about
    lines, wires = ["```mermaid", f"flowchart {RANKDIR[figure.direction]}"], figure.between()
    for box, i in index.items():
        before, after = SHAPES.get(box.kind, ("[", "]"))
        lines.append(f'  n{i}{before}"{"<br>".join(map(mermaid_text, box.text_lines()))}"{after}')
    line = "---" if figure.dense else "-->"
    for wire in wires:
        label = f'|"{mermaid_text(plain(words))}"|' if (words := _words(wire)) else ""
        lines.append(f"  n{index[wire.tail]} {line}{label} n{index[wire.head]}")
    fill, ink = LIGHT["fill"], LIGHT["ink"]
    lines += [f"  style n{i} fill:{fill},stroke:{_outline(box)},color:{ink}" for box, i in index.items()]
    lines += [f"  linkStyle {i} stroke:{_stroke(x)},stroke-width:{x.width:.1f}px" for i, x in enumerate(wires)]
    chart = "\n".join([*lines, "```"])
    if len(chart) > MERMAID_CHARACTERS or len(wires) > MERMAID_EDGES:
        warn(
            f"{len(chart):,} characters and {counted(len(wires), 'edge')}: viewers of Mermaid, GitHub's too, draw at "
            f"most {MERMAID_CHARACTERS:,} characters and {MERMAID_EDGES} edges; save as .svg, or "
            "draw(f, collapse=True)", stacklevel=4,
        )  # fmt: skip
    return chart + "".join(f"\n\n{markdown_text(text)}" for text in figure.sentences()) + "\n"


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


def draw_dot(f: Value, format: str = "svg", rankdir: str = "LR") -> Any:
    """The graph as micrograd's notebook draws it: records of label, data and grad, and a node for each operation.

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
