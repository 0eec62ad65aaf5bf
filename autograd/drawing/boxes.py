"""Turns a display graph into a figure: each node becomes a cell in a box, and each edge a wire, with their texts.

Space for every number is reserved from the start, so that the layout of a graph is the same before and after the
backward pass, and whichever paths are highlighted.
"""

from collections.abc import Iterable
from math import hypot, log10
from textwrap import wrap

from autograd.drawing.display_graph import Display, DisplayNode, clip, grouped
from autograd.drawing.figure import LINE_HEIGHT, NUMBER, PADDING, Box, Cell, Direction, Figure, Kind, Wire, text_width
from autograd.drawing.networks import Network, network_in
from autograd.notation import RAISED, derivative, indexed, number_text
from autograd.primitives import affine, dot, mul, power
from autograd.table import is_constant
from autograd.text import counted
from autograd.value import Value

INFIX = {"Σ": "+", "Π": "·", "×": "·", "÷": "/"}
FRACTIONS = {0.5: "½", 0.25: "¼", 0.75: "¾"}
LINE, MOST_LINES = 30, 4  # characters, and lines, of a formula in a box
DIGITS = 4
MOST_ROLES = 6
LEAST_SHARE = 0.02  # of the largest share; an edge that carries less shows no number
MOST_DETAILED = 13  # nodes in a picture; with more, groups do not list their contents
MOST_DEPTH = 3  # of nested formulas
MOST_WEIGHTS = 40  # shown on their wires; a larger network shows a weight only while the reader points at it


def make_figure(shown: Display, local_derivatives: bool = False, direction: Direction = "right") -> Figure:
    """Return the figure of a display graph, with local derivatives on all wires or only on highlighted ones."""
    network = Network({}, []) if local_derivatives else network_in(shown)  # a unit has no space for local derivatives
    cells = {node: _cell(node, shown) for node in shown.nodes if not node.members}
    box_of: dict[DisplayNode, Box] = {}
    weights = {w for unit in network.units.values() for w in unit.weights}
    lit = {end for edge in shown.edges if edge.share for end in (edge.tail, edge.head)} - {shown.source}
    for z, unit in network.units.items():
        box_of |= dict.fromkeys(unit.cells, _unit([cells[node] for node in unit.cells], z.name))
    if network.loss:
        box_of |= dict.fromkeys(network.loss, _rows([cells[node] for node in network.loss], shown.root.name))
    brief = len(shown.nodes) > MOST_DETAILED
    for node in shown.nodes:
        if node not in box_of and node not in weights:
            box_of[node] = _group(node, brief) if node.members else _single(node, cells[node], node in shown.outputs)
    for node, box in box_of.items():
        box.lit = box.lit or node in lit or node is shown.source
    wires = _wires(shown, network, cells, box_of, local_derivatives)
    captions = list(shown.captions)
    if shown.root.grad not in (None, 1.0) and len(shown.outputs) == 1:
        name = clip(shown.root.name)
        captions.append(
            f"the gradients do not come from a single {name}.backward(): {name}.grad is "
            f"{number_text(shown.root.grad)}, not 1"
        )
    if shown.source is not None:
        slope = derivative(clip(shown.root.name), clip(shown.source.name))
        has_groups = any(node.members for node in shown.nodes)
        number = f"its share of {slope}" if has_groups else "the derivative that it passes back"
        captions.append(f"on each edge: {number}; the wider the edge, the larger its share of {slope}")
    for box in box_of.values() if len(network.units) > 1 else ():
        box.heading = _heading(box)
    boxes = sorted(dict.fromkeys(box_of.values()), key=_rank)
    count = sum(box.count for box in boxes) + len(weights)
    title = "; ".join([f"Graph of {clip(shown.root.name, 60)}: {counted(count, 'node')}", *shown.captions[:1]])
    dense = len(weights) > MOST_WEIGHTS
    for wire in wires if dense else ():
        wire.width = wire.width if wire.share is not None else 0.7
    return Figure(boxes, wires, title, captions, shown.warnings, direction, dense)


def _heading(box: Box) -> str:
    """Return the heading of a column of a network."""
    _, layer, *_ = indexed(box.key) or ("", "")
    if box.kind == "unit" and layer:
        return f"layer {layer}"
    return "loss" if box.kind == "loss" else "input" if box.kind == "input" and layer == "0" else ""


def _rank(box: Box) -> tuple[bool, str, str, list[int]]:
    """Return a sort key: inputs come first, by layer, letter and index; others keep the order of the forward pass."""
    letter, layer, index, _ = (box.kind == "input" and indexed(box.key)) or ("", "", "", "")
    numbers = [int(i) for i in index.split(",") if i.isdigit()]
    return box.kind != "input", layer.zfill(3), letter, numbers


def _wires(
    shown: Display, network: Network, cells: dict[DisplayNode, Cell], box_of: dict[DisplayNode, Box],
    local_derivatives: bool,
) -> list[Wire]:  # fmt: skip
    largest = max((abs(edge.share) for edge in shown.edges if edge.share is not None), default=0.0) or 1.0
    wires: list[Wire] = []
    for edge in shown.edges:
        unit = network.units.get(edge.head)
        if edge.tail not in box_of:
            continue  # a weight's edge belongs to the wire that shows the weight
        wire = Wire(box_of[edge.tail], box_of[edge.head])
        wires.append(wire)
        is_grouped = bool(edge.tail.members or edge.head.members)
        if is_grouped:
            wire.title, wire.width = counted(edge.count, "edge"), 1.3 + 0.6 * log10(edge.count)
        else:
            head, tail = (clip(node.name, 10) or "×" for node in (edge.head, edge.tail))
            wire.edges, wire.title = (edge.name,), f"∂{head}/∂{tail} = {number_text(edge.local)}"
        node, _, operand = edge.name.partition(":")
        if wire.tail is wire.head:
            wire.ends = (cells[edge.tail], cells[edge.head])
        elif unit and (k := int(operand or 0) - len(unit.weights)) >= 0:
            weight = unit.weights[k]
            wire.weight, cells[weight].lit = cells[weight], weight is shown.source
            wire.edges += (f"{node}:{k}",)
        if edge.share:
            wire.back, wire.share, wire.width = True, edge.share / largest, 1.8 + 4.2 * abs(edge.share / largest)
            carried = edge.share if is_grouped else edge.product  # between groups, only shares can be added
            wire.carried = number_text(carried, DIGITS) if abs(edge.share) >= LEAST_SHARE * largest else ""
            wire.title += f"\npasses back {number_text(carried)}"
        elif shown.source is not None or (edge.head.grad is not None and not edge.head.grad * edge.local):
            wire.idle, wire.width = True, 0.8
        if (local_derivatives or wire.carried) and not is_grouped:
            wire.local, wire.brief = number_text(edge.local, DIGITS), not local_derivatives
            if wire.carried:
                wire.given = number_text(edge.given, DIGITS)
                wire.local = f"({wire.local})" if edge.local < 0.0 else wire.local
    return wires


def _cell(node: DisplayNode, shown: Display) -> Cell:
    value, constant = node.value, node.value is not None and is_constant(node.value)
    formula = node.formula if value is None or node.formula else _formula(value, shown) if value.parents else ""
    plain = formula.replace("\u00a0", " ")
    title = [node.name + (f" = {plain}" if formula and node.name else plain), f"data {node.data!r}"]
    title += [f"grad {node.grad!r}"] if node.grad is not None else []
    lines = wrap(formula, LINE, break_long_words=False) if formula else []
    if len(lines) > MOST_LINES:
        lines = [*lines[: MOST_LINES - 2], "⋯", lines[-1]]
    grad = None if constant else "" if node.grad is None else number_text(node.grad, DIGITS)
    name = "" if constant else clip(node.name, 24)
    return Cell(name, lines, number_text(node.data, DIGITS), grad, "\n".join(title), node.index)


def _single(node: DisplayNode, cell: Cell, is_output: bool) -> Box:
    value = node.value
    leaf = value is not None and not value.parents
    kind: Kind = "constant" if cell.grad is None else "output" if is_output else "input" if leaf else "operation"
    first, *more = cell.formula or [""]
    beside = text_width(cell.name, 15) + (text_width(" = ") if cell.name and cell.formula else 0)
    width = max(NUMBER, beside + text_width(first), *map(text_width, (*more, cell.data))) + 2 * PADDING
    lines = max(len(cell.formula), bool(cell.name)) + 1 + (cell.grad is not None)
    return Box(kind, round(width), lines * LINE_HEIGHT + PADDING, [cell], key=node.name or cell.data)


def _unit(cells: list[Cell], z: str) -> Box:
    """Return a box with the cells side by side, such as b, z and a."""
    widths = [max(NUMBER, text_width(cell.name, 15), text_width(cell.data)) + 12.0 for cell in cells]
    left = -sum(widths) / 2
    for cell, width in zip(cells, widths):
        cell.formula, cell.across = [], left + width / 2
        left += width
    return Box("unit", round(sum(widths) + 16.0), 3 * LINE_HEIGHT + PADDING, cells, key=z, count=len(cells))


def _rows(cells: list[Cell], name: str, title: str = "") -> Box:
    """Return a box with one cell in each line, below the title."""
    names = (text_width(cell.name, 15) + text_width(" = " + " ".join(cell.formula), 14) for cell in cells)
    data = max([NUMBER, *(text_width(cell.data) for cell in cells)])
    grad = max([NUMBER, *(text_width(cell.grad or "") for cell in cells)])
    words = max(names, default=-data - grad)
    width = max(words + data + grad, text_width(title, 14)) + 2 * PADDING
    height = (len(cells) + bool(title)) * LINE_HEIGHT
    for i, cell in enumerate(cells, start=bool(title)):
        cell.down, cell.across = (i + 0.5) * LINE_HEIGHT - height / 2, width / 2 - PADDING - grad
    lines = [title] if title else []
    return Box("loss", round(width), height + PADDING, cells, lines, key=name, count=len(cells))


def _group(group: DisplayNode, brief: bool) -> Box:
    """Return a box with the number of nodes and, unless ``brief``, a row for each letter or operation."""
    group.rows = _group_rows(group) if group.rows is None else group.rows
    title = f"{clip(group.name, 24)} · {counted(len(group.members), 'node')}"
    box = _rows([Cell(name, [], data, grad) for name, data, grad in group.rows if not brief], group.name, title)
    box.kind, box.count = "group", len(group.members)
    box.title = "\n".join([title, *(f"{name}: {data},  {grad}".rstrip(", ") for name, data, grad in group.rows)])
    return box


def _group_rows(group: DisplayNode) -> list[tuple[str, str, str]]:
    """Return for each letter or operation the number of nodes, the range of their data, and their gradients' norm."""
    roles = grouped((role_of(node), node) for node in group.members)
    # letters such as z, w and b come before operations
    ranked = sorted(roles.items(), key=lambda item: (len(item[0]) > 1 or not item[0].isalpha(), -len(item[1])))
    if len(ranked) > MOST_ROLES:
        rest = [node for _, nodes in ranked[MOST_ROLES - 1 :] for node in nodes]
        ranked = [*ranked[: MOST_ROLES - 1], ("others", rest)]
    rows = []
    for role, nodes in ranked:
        low, high = min(n.data for n in nodes), max(n.data for n in nodes)
        reach = number_text(low, 3) + (f" … {number_text(high, 3)}" if low < high else "")
        grads = [n.grad for n in nodes if n.grad is not None]
        rows.append((f"{len(nodes):,} {role}", reach, f"‖∂‖ {number_text(hypot(*grads), 2)}" if grads else ""))
    return rows


def role_of(node: DisplayNode) -> str:
    """Return the letter of a name from the lecture, the symbol of the operation, or the kind of leaf."""
    value = node.value
    if value is None:
        return "×"
    if value.name and value.name[1:2] and value.name[1] in "⁰¹²³⁴⁵⁶⁷⁸⁹":
        return value.name[0]
    if is_constant(value):
        return "constants"
    if value.operation is None:
        return "inputs"
    return "z" if value.operation is affine else value.operation.symbol


def _formula(value: Value, shown: Display, depth: int = 0) -> str:
    """Write the operation with the names of its operands, as in ``x · y``; constants are numbers."""
    assert value.operation is not None
    entry, symbol, parents = value.operation, value.operation.symbol, value.parents
    sign = INFIX.get(symbol, symbol)
    function = sign[0].isalpha() or (entry.variadic and symbol not in INFIX) or symbol in ("=", "|·|")
    n = len(parents) // 2 if entry in (affine, dot) else 0
    # the sign beside each operand; for affine and dot, the sign in the products
    outer = ["·"] * 2 * n + ["" if n or function else sign] * (len(parents) - 2 * n)
    names = [_operand(x, shown, depth, outer[i], first=not i) for i, x in enumerate(parents)]
    if n:
        products = [f"{w}\u00a0{a}" if w != a else f"{w}²" for w, a in zip(names[:n], names[n : 2 * n])]
        return _joined("+", [*products, *names[2 * n :]])
    if entry is power and number_text(exponent := parents[1].data).lstrip("−").isdigit():
        return names[0] + number_text(exponent).replace("−", "-").translate(RAISED)
    if entry is mul and any(name in FRACTIONS.values() for name in names):
        return "\u00a0".join(sorted(names, key=lambda name: name not in FRACTIONS.values()))
    if symbol in ("=", "|·|"):
        return symbol.replace("=", "·").replace("·", names[0])
    if function:
        return f"{sign}({', '.join(names)})"
    return _joined(sign, names) if len(names) > 1 else names[0] if entry.variadic else sign + names[0]


def _joined(sign: str, operands: Iterable[str]) -> str:
    """Join operands so that a line can break before + and −, but never inside a product."""
    return f" {sign}\u00a0".join(operands) if sign in "+−" else f"\u00a0{sign}\u00a0".join(operands)


def _operand(x: Value, shown: Display, depth: int, sign: str, first: bool) -> str:
    """Write an operand's name, or its formula, in brackets if it needs them beside ``sign``."""
    if is_constant(x):
        return FRACTIONS.get(x.data, number_text(x.data, DIGITS))
    while x in shown.hidden and x.operation is not None and x.operation.variadic and len(x.parents) == 1:
        x = x.parents[0]
    if x not in shown.hidden:
        return clip(shown.names[x], 12)
    inner = _formula(x, shown, depth + 1) if depth < MOST_DEPTH else "…"
    own = INFIX.get(x.operation.symbol, x.operation.symbol) if x.operation else ""
    is_sum = x.operation in (affine, dot)
    is_loose = is_sum or (own in ("+", "−", "·", "/") and not (first and own == sign))
    return f"({inner})" if sign and is_loose else inner
