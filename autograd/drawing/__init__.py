"""``draw``: draws a graph or a network, and saves it as SVG, PNG, PDF, HTML, Graphviz or Mermaid.

A display graph (``display_graph``, ``grouping``) is dressed (``networks``, ``boxes``) as a figure of boxes and wires;
a ``neuron_diagram`` is one too. The layout places it (``layered``, ``sugiyama``), and each format writes it.
"""

from collections.abc import Sequence

from autograd.drawing.boxes import dressed
from autograd.drawing.display_graph import display, folded, lit, ordered, unfolded, without_constants
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

COLLAPSED_FROM = 200  # nodes; a graph of as many collapses unless collapse=False
MOST_BOXES = 400


def draw(
    f: object, wrt: Value | None = None, *, local_derivatives: bool = False, fold: bool = False,
    unfold: bool | Sequence[Value] = False, constants: bool = False, collapse: bool | None = None,
    open: str | Sequence[str] = (), direction: Direction | None = None,
) -> Drawing:  # fmt: skip
    """The graph that f was computed by; or, of a model or a trace, the lecture's diagram of its neurons.

    Every node shows its name, formula, data in blue and, once ``f.backward()`` has run, its gradient in orange. A
    network has its weights on its edges. A list of values shows the graph of all of them.

    wrt                 lights the paths that carry ∂f/∂wrt back, and tells their products
    local_derivatives   written on every edge, not only on lit ones
    fold                only inputs and named values: the chain rule's tree
    unfold              z nodes as · and +: all with True, or those given
    constants           in boxes of their own, not only in the formulas
    collapse            groups, by layer and neuron or by level and operation; None: from 200 nodes on
    open                names of groups, or of nodes, whose inside is shown
    direction           "right", or "up": f above what it was computed from; None: whichever is read more easily

    Raises ValueError for a picture of more than 400 boxes, and for a value or name that is not in the graph;
    TypeError for what cannot be drawn.

    >>> x = Value(3.0, "x")
    >>> y = x + x
    >>> draw(y, wrt=x)
    <Graph of f: 2 nodes; ∂f/∂x = 2, over 2 paths>
    """
    roots = [f] if isinstance(f, Value) else list(f) if isinstance(f, list | tuple) else []
    if not roots or not all(isinstance(root, Value) for root in roots):
        options = wrt, local_derivatives, fold, unfold, constants, collapse, open, direction
        if options != (None, False, False, False, False, None, (), None):
            raise TypeError("the options of draw are for the graph of a Value: draw(loss, wrt=w); a model has none")
        return Drawing(*stacked(neuron_figures(diagram_of(f))))
    if not isinstance(wrt, Value | None):
        raise TypeError(f"draw: wrt = {wrt!r} is not a Value{elsewhere(wrt)}")
    if wrt is not None and len(roots) > 1:
        raise ValueError("draw: wrt lights the paths to one output, and f is a list: draw(f[0], wrt=x), and so on")
    if direction not in ("right", "up", None):
        raise ValueError(f"direction {direction!r}: there are right and up")
    opened = [open] if isinstance(open, str) else list(open)
    with collector_paused():
        order = ordered(roots)
        collapses = bool(collapse or opened) or (collapse is None and len(order) >= COLLAPSED_FROM)
        if not (collapses or fold):  # before the work
            _check(len(order) if constants else sum(not is_constant(node) for node in order))
        shown = display(roots, order)
        shown = unfolded(shown, None if unfold is True else unfold) if unfold else shown
        shown = folded(shown, keep=wrt) if fold else shown
        shown = lit(shown, wrt) if wrt is not None else shown
        groups = Groups(shown) if collapses else None
        if groups:
            shown = groups.collapsed(opened)
        elif not constants:
            shown = without_constants(shown)
        _check(len(shown.nodes))
        figure = dressed(shown, local_derivatives, direction or "right")
        placement = placed(figure) if direction is None else layered(figure)
        return Drawing(figure, placement, groups, local_derivatives, roots[0] if len(roots) == 1 else None)


def _check(boxes: int) -> None:
    if boxes > MOST_BOXES:
        raise ValueError(
            f"{boxes:,} boxes in one picture: at most {MOST_BOXES:,} are drawn; see groups with "
            "draw(f, collapse=True), fewer of them opened, only named values with draw(f, fold=True), or a part of "
            "the graph with draw(node)"
        )
