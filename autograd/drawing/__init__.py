"""``draw``: draws a graph or a network, and saves it as SVG, PNG, PDF, HTML, Graphviz or Mermaid.

A display graph (``display_graph``, ``grouping``) becomes a figure of boxes and wires (``networks``, ``boxes``), as
does a ``neuron_diagram``. The layout (``layered``, ``sugiyama``) positions them, and each format writes them.
"""

from collections.abc import Sequence

from autograd.drawing.boxes import make_figure
from autograd.drawing.display_graph import display, folded, highlighted, ordered, unfolded, without_constants
from autograd.drawing.figure import Direction
from autograd.drawing.formats import Drawing as Drawing, draw_dot as draw_dot
from autograd.drawing.grouping import Groups
from autograd.drawing.layered import layered, placed, stacked
from autograd.drawing.neuron_diagram import neuron_figures
from autograd.modes import collector_paused
from autograd.neurons import Diagram as Diagram, Unit as Unit, diagram_of as diagram_of
from autograd.table import is_constant
from autograd.text import elsewhere
from autograd.value import Value

COLLAPSED_FROM = 200  # nodes; graphs with at least this many collapse, unless collapse=False
MOST_BOXES = 400


def draw(
    f: object, wrt: Value | None = None, *, local_derivatives: bool = False, fold: bool = False,
    unfold: bool | Sequence[Value] = False, constants: bool = False, collapse: bool | None = None,
    open: str | Sequence[str] = (), direction: Direction | None = None,
) -> Drawing:  # fmt: skip
    """Draw the graph that f was computed by; or, for a model or a trace, the lecture's diagram of its neurons.

    Each node shows its name, its formula, its data in blue and, once ``f.backward()`` has run, its gradient in
    orange. A network has its weights on its edges. For a list of values, the graph of all of them is drawn.

    wrt                 highlights the paths that carry ∂f/∂wrt back, and lists their products
    local_derivatives   writes them on every edge, not only on highlighted ones
    fold                shows only inputs and named values: the tree of the chain rule
    unfold              shows z nodes as · and +: True for all of them, or a list of nodes
    constants           shows constants in boxes, not only in the formulas
    collapse            groups nodes by layer and neuron, or by level and operation; by default, for 200 nodes or more
    open                the names of groups to open, or of nodes whose groups to open
    direction           "right", or "up" with f above its operands; by default, whichever is easier to read

    Raises ValueError for a picture of more than 400 boxes, and for a value or name that is not in the graph;
    TypeError for an object that cannot be drawn.

    >>> x = Value(3.0, "x")
    >>> y = x + x
    >>> draw(y, wrt=x)
    <Graph of f: 2 nodes; ∂f/∂x = 2, over 2 paths>
    """
    roots = [f] if isinstance(f, Value) else list(f) if isinstance(f, list | tuple) else []
    if not roots or not all(isinstance(root, Value) for root in roots):
        options = wrt, local_derivatives, fold, unfold, constants, collapse, open, direction
        if options != (None, False, False, False, False, None, (), None):
            raise TypeError(
                "draw: options apply only to the graph of a Value, as in draw(loss, wrt=w), not to a model"
            )
        return Drawing(*stacked(neuron_figures(diagram_of(f))))
    if not isinstance(wrt, Value | None):
        raise TypeError(f"draw: wrt must be a Value, not {wrt!r}{elsewhere(wrt)}")
    if wrt is not None and len(roots) > 1:
        raise ValueError(
            "draw: wrt needs a single output, but f is a list: draw one output at a time, as in draw(f[0], wrt=x)"
        )
    if direction not in ("right", "up", None):
        raise ValueError(f"direction {direction!r}: choose 'right' or 'up'")
    opened = [open] if isinstance(open, str) else list(open)
    with collector_paused():
        order = ordered(roots)
        collapses = bool(collapse or opened) or (collapse is None and len(order) >= COLLAPSED_FROM)
        if not (collapses or fold):  # check before doing the work
            _check(len(order) if constants else sum(not is_constant(node) for node in order))
        shown = display(roots, order)
        shown = unfolded(shown, None if unfold is True else unfold) if unfold else shown
        shown = folded(shown, keep=wrt) if fold else shown
        shown = highlighted(shown, wrt) if wrt is not None else shown
        groups = Groups(shown) if collapses else None
        if groups:
            shown = groups.collapsed(opened)
        elif not constants:
            shown = without_constants(shown)
        _check(len(shown.nodes))
        figure = make_figure(shown, local_derivatives, direction or "right")
        placement = placed(figure) if direction is None else layered(figure)
        return Drawing(figure, placement, groups, local_derivatives, roots[0] if len(roots) == 1 else None)


def _check(boxes: int) -> None:
    if boxes > MOST_BOXES:
        raise ValueError(
            f"{boxes:,} boxes are more than the {MOST_BOXES:,} that a picture can show: use draw(f, collapse=True), "
            "open fewer groups, use draw(f, fold=True) for named values only, or draw(node) for a part of the graph"
        )
