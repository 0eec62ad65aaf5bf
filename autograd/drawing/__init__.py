"""``draw``: draws a graph or a network, and saves it as SVG, PNG, PDF, HTML, Graphviz or Mermaid.

A display graph (``display_graph``, ``grouping``) or a ``neuron_diagram`` becomes a figure of boxes and wires, which
an engine places (``engines``, ``layered``) and each format writes.
"""

from collections.abc import Sequence

from autograd.drawing.boxes import dressed
from autograd.drawing.display_graph import display, folded, lit, unfolded
from autograd.drawing.engines import placed
from autograd.drawing.figure import Direction
from autograd.drawing.formats import Drawing as Drawing, draw_dot as draw_dot
from autograd.drawing.grouping import collapsed
from autograd.drawing.neuron_diagram import neuron_figure
from autograd.modes import collector_paused
from autograd.neurons import Diagram as Diagram, Unit as Unit, diagram_of as diagram_of
from autograd.text import elsewhere
from autograd.value import Value

COLLAPSED_FROM = 200  # nodes; a graph of as many collapses unless collapse=False
MOST_BOXES = 1_000
NO_OPTIONS = (None, False, False, False, None, (), "right", None)


def draw(
    f: object, wrt: Value | None = None, *, local_derivatives: bool = False, fold: bool = False,
    unfold: bool | Sequence[Value] = False, collapse: bool | None = None, open: str | Sequence[str] = (),
    direction: Direction = "right", engine: str | None = None,
) -> Drawing:  # fmt: skip
    """The graph that f was computed by; or, of a model or a trace, the lecture's diagram of its neurons.

    Every node shows its name, operation, data and, once ``f.backward()`` has run, its gradient.

    wrt                 lights the paths that carry ∂f/∂wrt, and tells their products
    local_derivatives   written on every edge, not only on lit ones
    fold                only inputs and named values: the chain rule's tree
    unfold              z nodes as × and +: all with True, or those given
    collapse            groups, by layer and neuron or by level and operation; None: from 200 nodes on
    open                names of groups, or of nodes, whose inside is shown
    direction           "right", or "up": f above what it was computed from
    engine              "dot", "pygraphviz", "built-in"; None: the first that there is

    Raises ValueError for a picture of more than 1,000 boxes, and for a value or name that is not in the graph;
    TypeError for what cannot be drawn.

    >>> x = Value(3.0, "x")
    >>> y = x + x
    >>> draw(y, wrt=x, engine="built-in")
    <Graph of v1: 2 nodes; ∂v1/∂x = 2, over 2 paths; placed by built-in>
    """
    if not isinstance(f, Value):
        if (wrt, local_derivatives, fold, unfold, collapse, open, direction, engine) != NO_OPTIONS:
            raise TypeError("the options of draw are for the graph of a Value: draw(loss, wrt=w); a model has none")
        return Drawing(*neuron_figure(diagram_of(f)))
    if not isinstance(wrt, Value | None):
        raise TypeError(f"draw: wrt = {wrt!r} is not a Value{elsewhere(wrt)}")
    if direction not in ("right", "up"):
        raise ValueError(f"direction {direction!r}: there are right and up")
    opened = [open] if isinstance(open, str) else list(open)
    with collector_paused():
        shown = display(f)
        if unfold:
            shown = unfolded(shown, None if unfold is True else unfold)
        if fold:
            shown = folded(shown, keep=wrt)
        if wrt is not None:
            shown = lit(shown, wrt)
        if collapse or opened or (collapse is None and len(shown.nodes) >= COLLAPSED_FROM):
            shown = collapsed(shown, opened)
    if len(shown.nodes) > MOST_BOXES:
        raise ValueError(
            f"{len(shown.nodes):,} boxes in one picture: at most {MOST_BOXES:,} are drawn; see "
            "groups with draw(f, collapse=True), fewer of them opened, only named values with draw(f, fold=True), "
            "or a part of the graph with draw(node)"
        )
    figure = dressed(shown, local_derivatives, direction)
    return Drawing(figure, placed(figure, engine))
