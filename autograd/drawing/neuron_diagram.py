"""The lecture's neuron diagram: a column of units for each layer, the wires between them as wide as their weights."""

from collections.abc import Mapping, Sequence
from itertools import product

from autograd.drawing.figure import LINE_HEIGHT, PADDING, Box, Figure, Wire, text_width
from autograd.neurons import Diagram, Unit
from autograd.notation import number_text
from autograd.text import counted, text_name

MOST_UNITS, FIRST, LAST = 10, 4, 2  # a wider layer shows its first and last units
PLAIN = 44.0  # the width of a unit without numbers


def neuron_figure(diagram: Diagram) -> Figure:
    """Boxes in columns and the wires between them. ValueError where weights and layers do not fit."""
    sizes = [len(layer) for layer in diagram.layers]
    for l, (before, after, W) in enumerate(zip(sizes, sizes[1:], diagram.weights), start=1):
        if len(W) != after or any(len(row) != before for row in W):
            raise ValueError(f"layer {l} has {after} units that read {before}: its W needs as many rows and columns")
    if len(diagram.weights) != len(sizes) - 1:
        raise ValueError(f"{len(sizes)} layers and {len(diagram.weights)} matrices: each but the input needs one")
    columns = []
    for l, layer in enumerate(diagram.layers):
        name = f"layer {l}" + ", output" * (l == len(sizes) - 1) if l else "input"
        columns.append(_column(layer, f"{name}, {counted(len(layer), 'unit')}"))
    largest = max((abs(w.data) for W in diagram.weights for row in W for w in row), default=0.0)
    legend = [f"width: |w|, up to {number_text(largest, 3)}; purple and +: w > 0, green and −: w < 0"]
    legend += ["faint: dropped"] * any(unit.dropped for layer in diagram.layers for unit in layer)
    legend += ["wide layers: first and last units"] * (max(sizes) > MOST_UNITS)
    boxes = [box for column in columns for box in column.values()]
    title = f"Neural network {'-'.join(map(str, sizes))}"
    return Figure(boxes, _wires(diagram, columns, largest), title, ["; ".join(legend)], dense=True)


def _column(layer: Sequence[Unit], heading: str) -> dict[int, Box]:
    """The boxes of a layer by the index of their unit; between first and last units, −1 for all the others."""
    n = len(layer)
    shown = range(n) if n <= MOST_UNITS else [*range(FIRST), -1, *range(n - LAST, n)]
    count = n - FIRST - LAST
    others = Box(
        "words", 80.0, 40.0, [], ["⋮", f"{count:,} more"], f"{count:,} units that are not drawn", count=count
    )
    column = {i: _unit(layer[i]) if i >= 0 else others for i in shown}
    for box in column.values():
        box.heading = heading
    return column


def _unit(unit: Unit) -> Box:
    about = "\n".join([unit.name, *(f"{name} = {x!r}" for name, x in unit.numbers.items())])
    title = about + ("\ndropped" if unit.dropped else "")
    lines = [f"{name} = {number_text(x, 3)}" for name, x in unit.numbers.items()]
    width = max(map(text_width, lines or [unit.name])) + 2 * PADDING
    height = LINE_HEIGHT * max(1, len(lines)) + PADDING
    return Box(
        "dropped" if unit.dropped else "unit", round(width), height, [], lines or [unit.name], title, unit.name
    )


def _wires(diagram: Diagram, columns: Sequence[Mapping[int, Box]], largest: float) -> list[Wire]:
    """One for each weight between two units; what leaves a dropped unit is faint."""
    wires: list[Wire] = []
    for before, after, W in zip(columns, columns[1:], diagram.weights):
        for (j, head), (k, tail) in product(after.items(), before.items()):
            if j >= 0 and k >= 0:
                w = W[j][k]
                name = text_name(w.name or "w")
                title = f"{name} = {w.data!r}" + (f"\n∂L/∂{name} = {w.grad!r}" if w.grad else "")
                wire = Wire(tail, head, title=title, width=0.8 + 4.2 * abs(w.data) / (largest or 1.0))
                wire.idle = "dropped" in (tail.kind, head.kind) or not w.data
                wire.sign = "" if wire.idle else "plus" if w.data > 0.0 else "minus"
                wires.append(wire)
    return wires
