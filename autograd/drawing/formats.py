"""A drawing in every format: it shows itself in a notebook, is saved as a file, or handed over as Graphviz.

SVG, HTML and Mermaid need nothing. PNG and PDF are Graphviz's own rendering of ``to_dot()``: the same boxes, words
and colours, in its fonts and laid out by it. ``draw_dot`` writes the graph as micrograd's notebook draws it.
"""

from base64 import b64encode
from collections.abc import Callable
from html import escape
from importlib import import_module
from pathlib import Path
from typing import Any, final

from autograd.colours import DARK, LIGHT
from autograd.drawing.engines import Unavailable, run_graphviz
from autograd.drawing.figure import RANKDIR, Figure, Kind, Placement, plain
from autograd.drawing.svg import OUTLINES, STROKES, svg
from autograd.files import write_whole
from autograd.graph import topological_order
from autograd.text import printable, text_name
from autograd.value import Value

LEGIBLE = 0.7  # of the full size
# a backslash and what Graphviz would read as an entity; in records its separators too
ESCAPES = str.maketrans({"\\": r"\\", "&": "&amp;"})
RECORD_ESCAPES = str.maketrans({c: f"\\{c}" for c in "\\{}|<> "} | {"&": "&amp;"})
DASHED = ("constant", "dropped")
PLAIN = ("box", "[", "]")
SHAPES: dict[Kind, tuple[str, str, str]] = {  # for Graphviz, and what encloses a label in Mermaid
    "input": ("box", "([", "])"),
    "output": ("box", "[[", "]]"),
    "group": ("box", "[[", "]]"),
    "unit": ("circle", "((", "))"),
    "dropped": ("circle", "((", "))"),
    "words": ("plaintext", "[", "]"),
}


@final
class Drawing:
    """A picture of a graph or a network. In a notebook it shows itself.

    figure      its boxes, wires and captions
    placement   where they stand
    engine      what gave the positions: dot, pygraphviz or built-in; columns for a network
    svg         the picture as text
    """

    def __init__(self, figure: Figure, placement: Placement) -> None:
        self.figure, self.placement = figure, placement
        self.engine = placement.engine
        self.svg = svg(figure, placement)

    def __repr__(self) -> str:
        return printable(f"<{text_name(self.figure.title)}; placed by {self.engine}>")

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_html_(self) -> str:
        """An image, which a notebook shows before it is trusted, too; it follows Jupyter's theme."""
        name = self.svg.partition('id="')[2].partition('"')[0]
        themes = f'[data-jp-theme-light="true"] .{name}{{color-scheme:light}}'
        themes += f'[data-jp-theme-light="false"] .{name}{{color-scheme:dark}}'
        source = f"data:image/svg+xml;base64,{b64encode(self.svg.encode()).decode()}"
        words = escape(text_name(self.figure.title))
        picture = f'<img class="{name}" alt="{words}" style="{self._scaling()}" src="{source}">'
        return f'<style>{themes}</style><div style="overflow-x:auto">{picture}</div>'

    def to_dot(self) -> Any:
        """A ``graphviz.Digraph`` to restyle. Raises ImportError, which says what to install, without the package."""
        return digraph(self.figure, self.placement)

    def save(self, path: str | Path) -> Path:
        """Write .svg, .html, .md (Mermaid), .dot, .png or .pdf, as the name ends, and return the path.

        Raises ValueError for another ending; ImportError or RuntimeError, which say what to install, where .dot lacks
        the graphviz package, or .png and .pdf lack Graphviz itself.
        """
        path = Path(path)
        writers: dict[str, Callable[[], str | bytes]] = {
            ".svg": lambda: self.svg,
            ".html": self._page,
            ".md": lambda: mermaid(self.figure),
            ".dot": lambda: str(self.to_dot().source),
            ".png": lambda: self._rendered("png"),
            ".pdf": lambda: self._rendered("pdf"),
        }
        if path.suffix not in writers:
            raise ValueError(f"{path.name}: a drawing is saved as {', '.join(writers)}")
        content = writers[path.suffix]()
        write_whole(path, content.encode() if isinstance(content, str) else content)
        return path

    def _scaling(self) -> str:
        """As wide as the page, but no smaller than can be read: beyond that it scrolls."""
        width = float(self.svg.partition('width="')[2].partition('"')[0])
        return f"max-width:max(100%,{LEGIBLE * width:.0f}px);height:auto"

    def _page(self) -> str:
        canvas = f"body{{margin:1rem;background:{LIGHT['canvas']}}}"
        dark = f"@media (prefers-color-scheme:dark){{body{{background:{DARK['canvas']}}}}}"
        return (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">'
            f"<title>{escape(text_name(self.figure.title))}</title>"
            f"<style>{canvas}{dark}svg{{{self._scaling()}}}</style></head>\n<body>{self.svg}</body></html>\n"
        )

    def _rendered(self, format: str) -> bytes:
        graph = self.to_dot()
        if format == "png":
            graph.attr(dpi="144")
        try:
            return run_graphviz(graph.source, format, graph.engine)[0]
        except Unavailable as error:
            raise RuntimeError(f".{format} is rendered by Graphviz: {error}; .svg and .html need nothing") from None


def graphviz() -> Any:
    """The package. Raises ImportError, which says what to install, without it."""
    try:
        return import_module("graphviz")
    except ImportError:
        raise ImportError("DOT is written by the graphviz package: pip install graphviz") from None


def label(*lines: str) -> Any:
    """Lines for a label, in which nothing is a command to Graphviz, not even <…> around it all."""
    return graphviz().nohtml(r"\n".join(line.translate(ESCAPES) for line in lines))


def digraph(figure: Figure, placement: Placement) -> Any:
    """The same boxes, words, colours and dashes; positions only where they are part of the sense."""
    graph = graphviz().Digraph(engine="neato" if figure.fixed else "dot")
    graph.attr(rankdir=RANKDIR[figure.direction], bgcolor=LIGHT["canvas"])
    graph.attr("node", fontname="Helvetica", fontsize="11")
    graph.attr("edge", fontname="Helvetica", fontsize="10", arrowsize="0.7")
    names = {box: f"n{i}" for i, box in enumerate(figure.boxes)}
    for box, (x, y) in zip(figure.boxes, placement.centres):
        fill, line = OUTLINES[box.kind]
        look = {
            "shape": SHAPES.get(box.kind, PLAIN)[0],
            "style": "filled" + ",rounded" * (box.kind == "input") + ",dashed" * (box.kind in DASHED),
            "fillcolor": LIGHT[fill],
            "color": LIGHT["vermilion" if box.lit else line],
            "fontcolor": LIGHT["ink"],
            "penwidth": "2.5" if box.lit else "1",
            "peripheries": "0" if box.kind == "words" else "2" if box.kind in ("output", "group") else "1",
        }
        if figure.fixed:  # neato keeps a position with an exclamation mark; its y grows upwards
            look |= {"pos": f"{x / 72:.3f},{(placement.height - y) / 72:.3f}!", "fixedsize": "true"}
            look |= {"width": f"{box.width / 72:.3f}", "height": f"{box.height / 72:.3f}"}
        graph.node(names[box], label=label(*box.text_lines()), **look)
    for wire in figure.wires:
        graph.edge(
            names[wire.tail], names[wire.head], label=label(plain(wire.label)), color=LIGHT[STROKES[wire.stroke]],
            penwidth=f"{wire.width:.2f}", style="dashed" if wire.dashed else "solid",
            arrowhead="none" if figure.fixed else "normal",
        )  # fmt: skip
    if sentences := figure.sentences():
        graph.attr(label=label(*sentences), fontname="Helvetica", fontsize="11")
    return graph


def mermaid(figure: Figure) -> str:
    """A flowchart in a fenced block, and the sentences below it as paragraphs."""
    index = {box: i for i, box in enumerate(figure.boxes) if box.kind != "words"}  # words alone would float about
    lines = ["```mermaid", f"flowchart {RANKDIR[figure.direction]}"]
    for box, i in index.items():
        _, before, after = SHAPES.get(box.kind, PLAIN)
        lines.append(f'  n{i}{before}"{"<br>".join(map(mermaid_text, box.text_lines()))}"{after}')
    line = "---" if figure.fixed else "-->"
    for wire in figure.wires:
        label = f'|"{mermaid_text(plain(wire.label))}"|' if wire.label else ""
        lines.append(f"  n{index[wire.tail]} {line}{label} n{index[wire.head]}")
    for box, i in index.items():
        fill, outline = OUTLINES[box.kind]
        dash = ",stroke-dasharray:4 3" if box.kind in DASHED else ""
        stroke = LIGHT["vermilion" if box.lit else outline]
        lines.append(f"  style n{i} fill:{LIGHT[fill]},stroke:{stroke},color:{LIGHT['ink']}{dash}")
    for i, wire in enumerate(figure.wires):
        dash = ",stroke-dasharray:7 4" if wire.dashed else ""
        lines.append(f"  linkStyle {i} stroke:{LIGHT[STROKES[wire.stroke]]},stroke-width:{wire.width:.1f}px{dash}")
    return "\n".join([*lines, "```", *(f"\n{markdown_text(text)}" for text in figure.sentences())]) + "\n"


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
