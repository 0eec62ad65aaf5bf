"""``walk``: a page on which students step through both passes, predict numbers and change inputs.

The page gets the graph as data (``page_data``), its rules as JavaScript that the table itself has written; the
page's own script, in the files beside this one, knows no derivative.
"""

from functools import partial
from html import escape

from autograd.colours import custom_properties
from autograd.contributions import gradients
from autograd.graph import topological_order
from autograd.number_systems import javascript
from autograd.pages import Page, own_file, script, written
from autograd.table import is_constant
from autograd.text import clipped, counted, elsewhere
from autograd.value import Value
from autograd.walking.page_data import GraphData
from autograd.walking.picture import Picture

MOST_NODES, MOST_BYTES = 500, 2_000_000
_file = partial(own_file, package="autograd.walking")
SCRIPTS = ("numbers.js", "passes.js", "grading.js", "navigation.js")  # no page is needed to run these


def walk(f: Value, *, predict: bool = False) -> Page:
    """A page that steps through the forward and the backward pass of f, one contribution at a time.

    predict   begin with every number hidden: the student types it, and the page names the likely slip

    Where an input changed since f was computed, the page runs the forward pass again and says so.
    Raises TypeError for an argument that is not a Value, ValueError for more than 500 nodes or a page
    beyond 2 MB, TypeError for a rule that JavaScript cannot run, DomainError where changed inputs have no value.

    >>> r, s = Value(2.0, "r"), Value(3.0, "s")
    >>> walk(r * s)
    <walk through f: 3 nodes>
    """
    if not isinstance(f, Value):
        raise TypeError(f"walk takes the Value whose passes it shows, not {f!r} ({type(f).__name__}){elsewhere(f)}")
    order = topological_order(f)
    if (count := len(order)) > MOST_NODES:
        raise ValueError(
            f"walk: {count:,} nodes; a page that can be walked has at most {MOST_NODES}: "
            "walk(node) for a part of it, a smaller network, or draw(f), which collapses what is large"
        )
    graph = GraphData(order)
    name = clipped(graph.names[f])
    title = f"Both passes of {name}"
    label = 'role="group" aria-label="Nodes; arrows up and down move between them"'
    pictures = [Picture(graph, down) for down in (False, True)]
    # as wide as there is room; the style sheet says between which parts of its own width
    wide, tall = (picture.svg(f'style="--width:{picture.width}px" {label}') for picture in pictures)
    page = written(
        "walk", title, "autograd.walking",
        f"{program(graph)}\nconst PREDICTING = {script(predict)};\n", _file("picture.css"),
        changed=escape(graph.changed), hidden="" if graph.changed else " hidden", wide=wide, tall=tall,
    )  # fmt: skip
    if len(page.encode()) > MOST_BYTES:
        raise ValueError(
            f"walk: the page takes {len(page.encode()):,} bytes, more than {MOST_BYTES:,}: "
            "walk(node) for a part of the graph, or fewer operands in one node"
        )
    invitation = f"The graph of {name}; trust the notebook to walk through it"
    known = f"walk through {name}: {counted(count, 'node')}"
    return Page(known, "a walk", title, page, _image(graph, pictures[0]), invitation, height=640)


def _image(graph: GraphData, picture: Picture) -> str:
    """The picture alone, at the end of both passes."""
    grads = gradients(graph.order[-1], order=graph.order)
    shown = [None if is_constant(x) or graph.changed else grads[x] for x in graph.order]
    size = f'xmlns="http://www.w3.org/2000/svg" width="{picture.width}" height="{picture.height}"'
    style = f"<style>{escape(custom_properties() + _file('picture.css'), quote=False)}</style>"
    return picture.svg(size, shown).replace("<g>", f"{style}<g>", 1)


def program(graph: GraphData) -> str:
    """The script but for the page itself: the table's rules, the graph, both passes, the judging of predictions."""
    parts = [
        "// The rules, as the table wrote them, on the elementary functions.",
        f"const RULES = (() => {{\n{javascript.PRELUDE}return {graph.rules};\n}})();",
        f"const GRAPH = {script(graph.json)};",
        "GRAPH.rules = GRAPH.rules.map((words, i) => ({ ...words, ...RULES[i] }));",
    ]
    return "\n".join([*parts, *map(_file, SCRIPTS)])
