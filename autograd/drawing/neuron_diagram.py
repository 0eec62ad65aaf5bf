"""The lecture's neuron diagram: circles in layers, edges by the weight's sign and size, z, a and δ inside."""

from collections.abc import Mapping, Sequence
from itertools import product
from math import hypot

from autograd.drawing.figure import Box, Figure, Placement, Point, Route, Stroke, Wire
from autograd.neurons import Diagram, Unit
from autograd.notation import number_text
from autograd.text import counted, text_name

MOST_UNITS, FIRST, LAST = 10, 4, 2  # a wider layer shows its first and last units
RADIUS, FULL_RADIUS = 24.0, 52.0
HEADING = 26.0


def neuron_figure(diagram: Diagram) -> tuple[Figure, Placement]:
    """Boxes and wires, and their places in columns. ValueError where weights and layers do not fit."""
    sizes = [len(layer) for layer in diagram.layers]
    for l, (before, after, W) in enumerate(zip(sizes, sizes[1:], diagram.weights), start=1):
        if len(W) != after or any(len(row) != before for row in W):
            raise ValueError(f"layer {l} has {after} units that read {before}: its W needs as many rows and columns")
    if len(diagram.weights) != len(sizes) - 1:
        raise ValueError(f"{len(sizes)} layers and {len(diagram.weights)} matrices: each but the input needs one")
    radius = FULL_RADIUS if any(unit.numbers for layer in diagram.layers for unit in layer) else RADIUS
    columns = [_column(layer, radius) for layer in diagram.layers]
    pitch, apart = 2.0 * radius + 14.0, 2.0 * radius + 110.0
    height = HEADING + max(map(len, columns)) * pitch
    places: dict[Box, Point] = {}
    for l, (layer, column) in enumerate(zip(diagram.layers, columns)):
        x = apart * (l + 0.5)
        name = f"layer {l}" + ", output" * (l == len(columns) - 1) if l else "input"
        places[Box(name, "words", f"  {counted(len(layer), 'unit')}", title=name, count=0)] = (x, 0.5 * HEADING)
        for i, box in enumerate(column.values()):
            places[box] = (x, (height + HEADING - len(column) * pitch) / 2 + (i + 0.5) * pitch)
    largest = max((abs(w.data) for W in diagram.weights for row in W for w in row), default=0.0)
    wires = _wires(diagram, columns, largest)
    routes = [_straight(places[wire.tail], places[wire.head], radius) for wire in wires]
    legend = [f"solid: w > 0;  dashed: w < 0;  width: |w|, up to {number_text(largest, 3)}"]
    legend += ["crossed out: dropped"] * any(unit.dropped for layer in diagram.layers for unit in layer)
    legend += ["wide layers: first and last units"] * (max(sizes) > MOST_UNITS)
    title = f"Neural network {'-'.join(map(str, sizes))}"
    figure = Figure(list(places), wires, title, [";  ".join(legend)], fixed=True)
    return figure, Placement(apart * len(columns), height, list(places.values()), routes, "columns")


def _column(layer: Sequence[Unit], radius: float) -> dict[int, Box]:
    """The circles of a layer by the index of their unit; between first and last units, −1 for all the others."""
    n = len(layer)
    shown = range(n) if n <= MOST_UNITS else [*range(FIRST), -1, *range(n - LAST, n)]
    count = n - FIRST - LAST
    title = f"{count:,} units that are not drawn"
    others = Box("", "words", lines=["⋮", f"{count:,} more"], title=title, count=count)
    return {i: _circle(layer[i], radius) if i >= 0 else others for i in shown}


def _circle(unit: Unit, radius: float) -> Box:
    lines = [f"{name} = {number_text(x, 3)}" for name, x in unit.numbers.items()]
    about = "\n".join([unit.name, *(f"{name} = {x!r}" for name, x in unit.numbers.items())])
    return Box(
        "" if lines else unit.name, "dropped" if unit.dropped else "unit", lines=lines,
        title=about + ("\ndropped" if unit.dropped else ""), width=2.0 * radius, height=2.0 * radius,
    )  # fmt: skip


def _wires(diagram: Diagram, columns: Sequence[Mapping[int, Box]], largest: float) -> list[Wire]:
    """One for each weight between two circles; what leaves a dropped unit is faint."""
    wires: list[Wire] = []
    for before, after, W in zip(columns, columns[1:], diagram.weights):
        for (j, head), (k, tail) in product(after.items(), before.items()):
            if j >= 0 and k >= 0:
                w = W[j][k]
                name = text_name(w.name or "w")
                title = f"{name} = {w.data!r}" + (f"\n∂L/∂{name} = {w.grad!r}" if w.grad else "")
                faint = "dropped" in (tail.kind, head.kind) or not w.data
                stroke: Stroke = "faint" if faint else "positive" if w.data > 0.0 else "negative"
                width = 0.8 + 4.2 * abs(w.data) / (largest or 1.0)
                wires.append(Wire(tail, head, "", title, stroke, w.data < 0.0, width))
    return wires


def _straight(start: Point, end: Point, radius: float) -> Route:
    dx, dy = end[0] - start[0], end[1] - start[1]
    x, y = radius * dx / hypot(dx, dy), radius * dy / hypot(dx, dy)
    first, last = (start[0] + x, start[1] + y), (end[0] - x, end[1] - y)
    return Route([first, first, last, last], last, None)
