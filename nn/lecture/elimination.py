"""Draws the graph of the elimination game: nodes, and edges with their local derivatives, given as a dictionary.

Removing a node joins each incoming edge with each outgoing edge; notebook 1 plays the game node by node.
"""

from collections.abc import Mapping

from autograd.drawing.figure import PADDING, Box, Figure, Wire, text_width
from autograd.drawing.formats import Drawing
from autograd.drawing.layered import layered
from autograd.notation import number_text
from autograd.text import counted


def draw_edges(edges: Mapping[tuple[str, str], float]) -> Drawing:
    """Draw {(tail, head): ∂head/∂tail} with the tails on the left and each derivative on its edge.

    >>> draw_edges({("x", "f"): 2.0})
    <Graph of f: 2 nodes, 1 edge>
    """
    names = dict.fromkeys(name for edge in edges for name in edge)
    tails, heads = {tail for tail, _ in edges}, {head for _, head in edges}
    boxes = {
        name: Box(
            "input" if name not in heads else "output" if name not in tails else "operation",
            width=max(40.0, text_width(name) + 2 * PADDING), height=34.0, lines=[name], key=name,
        )
        for name in names
    }  # fmt: skip
    wires = [
        Wire(boxes[tail], boxes[head], local=number_text(local, 4), title=f"∂{head}/∂{tail} = {number_text(local)}")
        for (tail, head), local in edges.items()
    ]
    ends = ", ".join(name for name in names if name not in tails)
    title = f"Graph of {ends}: {counted(len(boxes), 'node')}, {counted(len(wires), 'edge')}"
    figure = Figure([*boxes.values()], wires, title, [])
    return Drawing(figure, layered(figure))
