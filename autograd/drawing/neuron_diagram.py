"""The lecture's neuron diagram: a column of units for each layer, with wires between them.

There are two figures. In the forward figure, the width of wires shows |w| and that of rings |a|; in the backward
figure, once δ is known, |∂L/∂w| and |δ|. Colours show signs.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from math import isqrt

from autograd.drawing.figure import LINE_HEIGHT, NUMBER, PADDING, PIXEL, Box, Cell, Figure, Kind, Wire, text_width
from autograd.neurons import Diagram, Unit
from autograd.notation import number_text
from autograd.text import counted, text_name
from autograd.value import Value

MOST_UNITS, FIRST, LAST = 10, 4, 2  # a wider layer shows its first and last units
MANY = 60  # wires; more are drawn thinner
LEAST_TILE = 16  # inputs in a square; from here on, units of the first layer show their weights as an image


def neuron_figures(diagram: Diagram) -> list[Figure]:
    """Return the forward figure, and the backward one if δ is known. Raises ValueError if shapes do not match."""
    sizes = [len(layer) for layer in diagram.layers]
    for l, (before, after, W) in enumerate(zip(sizes, sizes[1:], diagram.weights), start=1):
        if len(W) != after or any(len(row) != before for row in W):
            raise ValueError(
                f"layer {l}: W must be {after} × {before}, for {counted(after, 'unit')} with "
                f"{counted(before, 'input')}"
            )
    if len(diagram.weights) != len(sizes) - 1:
        raise ValueError(f"{len(sizes)} layers need {len(sizes) - 1} matrices of weights, not {len(diagram.weights)}")
    forward = _figure(diagram, is_backward=False)
    known = any(name.startswith("δ") for layer in diagram.layers for unit in layer for name in unit.numbers)
    return [forward, _figure(diagram, is_backward=True)] if known else [forward]


def _figure(diagram: Diagram, is_backward: bool) -> Figure:
    layers, sizes = diagram.layers, [len(layer) for layer in diagram.layers]
    is_tiled = sizes[0] >= LEAST_TILE and isqrt(sizes[0]) ** 2 == sizes[0] and len(sizes) > 1
    columns = [_column(layer, is_backward) for layer in layers]
    for l, column in enumerate(columns):
        heading = f"layer {l}" + ", output" * (l == len(sizes) - 1) if l else "input"
        for box in column.values():
            box.layer, box.heading = l, f"{heading}, {counted(sizes[l], 'unit')}"
    if is_tiled:
        side = isqrt(sizes[0])
        image = Box("words", 90.0, 40.0, [], [f"{side} × {side}", "inputs"], heading="input", layer=0, count=sizes[0])
        columns[0] = {-1: image}
        for i, box in columns[1].items():
            if i >= 0:
                box.tile = [_number(w, is_backward) for w in diagram.weights[0][i]]
                box.width, box.height = box.width + side * PIXEL, max(box.height, side * PIXEL + PADDING)
    wires, largest = _wires(diagram, columns, is_backward)
    if is_tiled:
        wires += [Wire(image, box, width=0.8, idle=True) for i, box in columns[1].items() if i >= 0]
    width, ring = ("|∂L/∂w|", "|δ|") if is_backward else ("|w|", "|a|")
    legend = [f"width: {width}, up to {number_text(largest, 3)}", "purple and +: positive; green and −: negative"]
    legend += [f"ring: {ring}"] * any(unit.numbers for layer in layers for unit in layer)
    legend += ["wide layers: first and last units"] * any(-1 in column for column in columns[is_tiled:])
    boxes = [box for column in columns for box in column.values()]
    widest = max(box.ring for box in boxes) or 1.0
    for box in boxes:
        box.ring /= widest
    title = f"Neural network {'-'.join(map(str, sizes))}"
    caption = ("backward: " if is_backward else "") + "; ".join(legend)
    return Figure(boxes, wires, title, [caption], dense=True)


def _number(w: Value, is_backward: bool) -> float:
    return w.grad if is_backward else w.data


def _column(layer: Sequence[Unit], is_backward: bool) -> dict[int, Box]:
    """Return the boxes of a layer by the index of their unit; −1 is the box for all units that are not drawn."""
    n, more = len(layer), len(layer) - FIRST - LAST
    shown = range(n) if n <= MOST_UNITS else [*range(FIRST), -1, *range(n - LAST, n)]
    others = Box("words", 80.0, 40.0, [], ["⋮", f"{more:,} more"], f"{more:,} units that are not drawn", count=more)
    return {i: _unit(layer[i], is_backward) if i >= 0 else others for i in shown}


def _unit(unit: Unit, is_backward: bool) -> Box:
    """Return a box with a cell for each number: z and a forward, δ backward; or for the unit's name."""
    title = "\n".join([unit.name, *(f"{name} = {x!r}" for name, x in unit.numbers.items())])
    cells = []
    for name, x in unit.numbers.items():
        if name.startswith("δ") is is_backward:
            written = number_text(x, 3)
            cells.append(Cell(name, [], "" if is_backward else written, written if is_backward else None, title))
    ring = next((x for name, x in unit.numbers.items() if name[0] == ("δ" if is_backward else "a")), 0.0)
    cells = cells or [Cell(unit.name, title=title)]
    width = max(text_width(unit.name, 15) + 8.0, NUMBER - 12.0 if unit.numbers else 0.0)
    for i, cell in enumerate(cells):
        cell.across = (i - (len(cells) - 1) / 2) * width
    height = ((2 if unit.numbers else 1) + unit.dropped) * LINE_HEIGHT + PADDING
    width = max(1, sum(name[0] != "δ" for name in unit.numbers)) * width + 16.0  # the same in both figures
    kind: Kind = "dropped" if unit.dropped else "unit"
    return Box(kind, round(width), height, cells, key=unit.name, ring=abs(ring))


def _wires(diagram: Diagram, columns: Sequence[Mapping[int, Box]], is_backward: bool) -> tuple[list[Wire], float]:
    """Return a wire for each weight between drawn units, and the largest number; wires of dropped units are thin."""
    numbers = [abs(_number(w, is_backward)) for W in diagram.weights for row in W for w in row]
    largest = max(numbers, default=0.0)
    widest = 4.2 if len(numbers) <= MANY else 2.2
    wires: list[Wire] = []
    for before, after, W in zip(columns, columns[1:], diagram.weights):
        for (j, head), (k, tail) in product(after.items(), before.items()):
            if j >= 0 and k >= 0:
                w, x = W[j][k], _number(W[j][k], is_backward)
                name = text_name(w.name or "w")
                title = f"{name} = {w.data!r}" + (f"\n∂L/∂{name} = {w.grad!r}" if w.grad else "")
                wire = Wire(tail, head, title=title, width=0.8, idle=True, back=is_backward)
                if x and "dropped" not in (tail.kind, head.kind):
                    wire.idle, wire.sign = False, "plus" if x > 0.0 else "minus"
                    wire.width += widest * abs(x) / largest
                wires.append(wire)
    return wires, largest
