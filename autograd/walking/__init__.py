"""``walk``: a page on which students step through both passes, predict numbers and change inputs.

The page contains the graph as data (``page_data``), with its rules as JavaScript generated from the table. The
scripts in this folder contain no derivatives.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from html import escape
from pathlib import Path
from typing import Any, final

from autograd.contributions import gradients
from autograd.drawing.animation import step_pictures
from autograd.drawing.boxes import make_figure
from autograd.drawing.display_graph import display, without_constants
from autograd.drawing.figure import Figure
from autograd.drawing.layered import Placement, larger, layered
from autograd.drawing.svg import style_sheet, svg
from autograd.files import write_whole
from autograd.graph import topological_order
from autograd.number_systems import javascript
from autograd.pages import Page, own_file, script, written
from autograd.text import clipped, counted, elsewhere
from autograd.value import Value
from autograd.walking.page_data import GraphData

MOST_NODES, MOST_BYTES = 500, 2_000_000
SLIDE = (16.0, 9.0)
_file = partial(own_file, package="autograd.walking")
SCRIPTS = ("passes.js", "grading.js", "navigation.js")  # these run without a page


@final
@dataclass(frozen=True, repr=False)
class Walkthrough(Page):
    """The page, which can also be saved as a series of pictures."""

    root: Value

    def frames(self, folder: str | Path) -> list[Path]:
        """Write step-01.svg and so on, one for each step, and return the paths. Creates the folder if necessary.

        Raises ValueError for more than 200 steps, or if an input has changed since the graph was computed.
        """
        live = svg(*larger(_placed(topological_order(self.root)), SLIDE), live=True)
        pictures = list(step_pictures(self.root, live))
        Path(folder).mkdir(parents=True, exist_ok=True)
        digits = max(2, len(str(len(pictures))))
        paths = [Path(folder, f"step-{i:0{digits}}.svg") for i, _ in enumerate(pictures, 1)]
        for path, picture in zip(paths, pictures):
            write_whole(path, picture.encode())
        return paths


def walk(f: Value, *, predict: bool = False) -> Walkthrough:
    """Return a page that steps through the forward and the backward pass of f, one contribution at a time.

    predict   start with every number hidden: the student types each one, and the page names the likely mistake

    If an input has changed since f was computed, the page runs the forward pass again and says so. Raises TypeError
    for an argument that is not a Value and for a rule that JavaScript cannot run, ValueError for more than 500 nodes
    or a page larger than 2 MB, and DomainError if f is undefined for changed inputs.

    >>> r, s = Value(2.0, "r"), Value(3.0, "s")
    >>> walk(r * s)
    <walk through f: 3 nodes>
    """
    if not isinstance(f, Value):
        raise TypeError(f"walk takes a Value, not {f!r} ({type(f).__name__}){elsewhere(f)}")
    order = topological_order(f)
    if (count := len(order)) > MOST_NODES:
        raise ValueError(
            f"walk: {count:,} nodes are more than the limit of {MOST_NODES}: use walk(node) for a part of the graph, "
            "a smaller network, or draw(f), which collapses large graphs"
        )
    graph = GraphData(order)
    name = clipped(graph.names[f])
    title = f"Both passes of {name}"
    wide, tall = (svg(*placed, live=True) for placed in _placed(order))
    page = written(
        "walk", title, "autograd.walking",
        f"{program(graph)}\nconst PREDICTING = {script(predict)};\n{_file('phases.js')}", style_sheet(),
        changed=escape(graph.changed), hidden="" if graph.changed else " hidden", wide=wide, tall=tall,
    )  # fmt: skip
    if len(page.encode()) > MOST_BYTES:
        raise ValueError(
            f"walk: the page has {len(page.encode()):,} bytes, more than the limit of {MOST_BYTES:,}: "
            "use walk(node) for a part of the graph, or nodes with fewer operands"
        )
    invitation = f"The graph of {name}; trust the notebook to walk through it"
    known = f"walk through {name}: {counted(count, 'node')}"
    grads = {} if graph.changed else gradients(f, order=order)
    image = svg(*larger(_placed(order, grads), SLIDE))  # at the end of both passes
    return Walkthrough(known, "a walk", title, page, image, invitation, height=640, root=f)


def _placed(order: Sequence[Value], grads: Mapping[Any, float] = {}) -> list[tuple[Figure, Placement]]:
    """Lay out the graph to the right and upwards, with the gradients that are given."""
    shown = without_constants(display(order[-1:], order))
    for node in shown.nodes:
        node.grad = grads.get(node.value)
    right = replace(make_figure(shown), warnings=[], direction="right")
    return [(figure, layered(figure)) for figure in (right, replace(right, direction="up"))]


def program(graph: GraphData) -> str:
    """Return the script without the page: the rules, the graph, both passes, and the grading of predictions."""
    parts = [
        "// The rules, generated from the table, on the elementary functions.",
        f"const RULES = (() => {{\n{javascript.PRELUDE}return {graph.rules};\n}})();",
        f"const GRAPH = {script(graph.json)};",
        "GRAPH.rules = GRAPH.rules.map((words, i) => ({ ...words, ...RULES[i] }));",
    ]
    return "\n".join([*parts, own_file("numbers.js"), *map(_file, SCRIPTS)])
