"""The figure as ``graphviz.Digraph``, to restyle or to render; and the one that micrograd's notebook draws."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from autograd.colours import LIGHT
from autograd.drawing.figure import RANKDIR, Box, Figure, Placement, plain
from autograd.drawing.svg import OUTLINES, STROKES
from autograd.graph import topological_order
from autograd.text import text_name
from autograd.value import Value

# a backslash and what Graphviz would read as an entity; in records its separators too
ESCAPES = str.maketrans({"\\": r"\\", "&": "&amp;"})
RECORD_ESCAPES = str.maketrans({c: f"\\{c}" for c in "\\{}|<> "} | {"&": "&amp;"})
SHAPES = {"unit": "circle", "dropped": "circle", "words": "plaintext", "output": "box"}


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
        pinned = {}
        if figure.fixed:  # neato keeps a position with an exclamation mark; its y grows upwards
            pinned = {"pos": f"{x / 72:.3f},{(placement.height - y) / 72:.3f}!", "fixedsize": "true"}
            pinned |= {"width": f"{box.width / 72:.3f}", "height": f"{box.height / 72:.3f}"}
        graph.node(names[box], label=label(*box.text_lines()), **_style(box), **pinned)
    for wire in figure.wires:
        graph.edge(
            names[wire.tail], names[wire.head], label=label(plain(wire.label)), color=LIGHT[STROKES[wire.stroke]],
            penwidth=f"{wire.width:.2f}", style="dashed" if wire.dashed else "solid",
            arrowhead="none" if figure.fixed else "normal",
        )  # fmt: skip
    if sentences := [plain(text) for text in (*figure.warnings, *figure.captions)]:
        graph.attr(label=label(*sentences), fontname="Helvetica", fontsize="11")
    return graph


def _style(box: Box) -> dict[str, str]:
    fill, line = OUTLINES[box.kind]
    dashed = box.kind in ("constant", "dropped")
    return {
        "shape": SHAPES.get(box.kind, "box"),
        "style": "filled" + ",rounded" * (box.kind == "input") + ",dashed" * dashed,
        "fillcolor": LIGHT[fill],
        "color": LIGHT["vermilion" if box.lit else line],
        "fontcolor": LIGHT["ink"],
        "penwidth": "2.5" if box.lit else "1",
        "peripheries": "0" if box.kind == "words" else "2" if box.kind in ("output", "group") else "1",
    }


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
