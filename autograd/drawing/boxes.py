"""The display graph in words and strokes: what each box says, and how each edge is drawn."""

from math import hypot, log10

from autograd.drawing.display_graph import Display, DisplayNode, Edge, clip
from autograd.drawing.figure import Box, Direction, Figure, Wire
from autograd.notation import derivative, number_text
from autograd.primitives import affine
from autograd.table import is_constant
from autograd.text import counted
from autograd.value import Value

INFIX = {"Σ": "+", "Π": "×"}
MOST_FORMULA, MOST_OPERANDS = 30, 8
MOST_ROLES = 6


def dressed(shown: Display, local_derivatives: bool, direction: Direction) -> Figure:
    """A figure of the display graph; with ``local_derivatives`` they stand on every edge, else on lit ones."""
    on_path = {end for edge in shown.edges if edge.share is not None for end in (edge.tail, edge.head)}
    box_of = {node: _box(shown, node, node in on_path or node is shown.source) for node in shown.nodes}
    largest = max((abs(edge.share) for edge in shown.edges if edge.share is not None), default=0.0) or 1.0
    wires = [_wire(edge, box_of[edge.tail], box_of[edge.head], local_derivatives) for edge in shown.edges]
    for edge, wire in zip(shown.edges, wires):
        if edge.share is not None:  # as wide as its part of the largest share, its local derivative written on it
            carries = f"carries {number_text(edge.share)}"
            grouped = "group" in (wire.tail.kind, wire.head.kind)
            wire.label = f"{wire.title}, {carries}" if grouped else wire.title
            wire.title = f"{wire.title}\n{carries}"
            wire.stroke, wire.dashed, wire.width = "lit", edge.share < 0.0, 1.8 + 4.2 * abs(edge.share / largest)
        elif shown.source is not None:
            wire.stroke = "faint"
    captions = list(shown.captions)
    if shown.source is not None:
        captions.append("the wider an edge, the more of it passes there; dashed: negative")
    count = sum(box.count for box in box_of.values())
    title = "; ".join([f"Graph of {clip(shown.root.name, 60)}: {counted(count, 'node')}", *shown.captions[:1]])
    return Figure(list(box_of.values()), wires, title, captions, shown.warnings, direction)


def _box(shown: Display, node: DisplayNode, lit: bool) -> Box:
    if node.members:
        return _group(node, lit)
    value, data = node.value, number_text(node.data)
    if value is not None and is_constant(value):
        return Box("", "constant", data, title=f"constant {node.data!r}", lit=lit)
    name = clip(node.name, 24)
    grad, facts = [], [f"data {node.data!r}"]
    if node.grad is not None:
        root = shown.root
        # plainly ``grad`` where either has no name of its own, or the pass began elsewhere
        is_named = root.value is not None and root.value.name is not None and root.grad == 1.0 and node.name
        slope = derivative(clip(root.name), clip(node.name)) if is_named else "grad"
        grad = [f"{slope} = {number_text(node.grad)}"]
        facts.append(f"grad {node.grad!r}")
    if value is not None and not value.parents:
        return Box(name, "input", f" = {data}", grad, "\n".join([node.name, *facts]), lit)
    formula = node.formula if value is None or node.formula else _formula(value, shown)
    first_line = f" = {formula}" if name else formula
    title = "\n".join([node.name + first_line, *facts])
    return Box(name, "output" if node is shown.root else "operation", first_line, [f"= {data}", *grad], title, lit)


def _group(group: DisplayNode, lit: bool) -> Box:
    """How many nodes, and one line for each letter or operation: how many, their data's range, their grads' norm."""
    roles: dict[str, list[DisplayNode]] = {}
    for node in group.members:
        roles.setdefault(_role(node), []).append(node)
    # z, w, b before what only operations name
    ranked = sorted(roles.items(), key=lambda item: (len(item[0]) > 1 or not item[0].isalpha(), -len(item[1])))
    if len(ranked) > MOST_ROLES:
        rest = [node for _, nodes in ranked[MOST_ROLES - 1 :] for node in nodes]
        ranked = [*ranked[: MOST_ROLES - 1], ("others", rest)]
    lines = []
    for role, nodes in ranked:
        low, high = min(n.data for n in nodes), max(n.data for n in nodes)
        reach = number_text(low, 3) + (f" … {number_text(high, 3)}" if low < high else "")
        grads = [n.grad for n in nodes if n.grad is not None]
        norm = f",  ‖grad‖ {number_text(hypot(*grads), 2)}" if grads else ""
        lines.append(f"{len(nodes):,} {role}: {reach}{norm}")
    words = f"  {counted(len(group.members), 'node')}"
    title = "\n".join([group.name + words, *lines])
    return Box(clip(group.name, 24), "group", words, lines, title, lit, len(group.members))


def _role(node: DisplayNode) -> str:
    """The letter of a lecture's name, the symbol of an operation, or what kind of leaf it is."""
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
    """``x × y``: the operation on the names of its operands; its symbol alone where that is too long."""
    assert value.operation is not None
    symbol = value.operation.symbol
    if len(value.parents) > MOST_OPERANDS or (value.operation.variadic and symbol not in INFIX):
        return symbol
    sign = INFIX.get(symbol, symbol)
    function = sign[0].isalpha() or symbol in ("=", "|·|")
    operands: list[str] = []
    for parent in value.parents:
        if parent not in shown.hidden or is_constant(parent):
            operands.append(clip(shown.names[parent], 12))
        else:  # folded away: its formula stands for it
            inner = _formula(parent, shown, depth + 1) if depth < 3 else "…"
            same = sign in ("×", "+") and not operands and parent.operation is value.operation
            operands.append(inner if function or same or " " not in inner else f"({inner})")
    if symbol in ("=", "|·|"):
        formula = symbol.replace("=", "·").replace("·", operands[0])
    elif function:
        formula = f"{sign}({', '.join(operands)})"
    else:
        formula = f" {sign} ".join(operands) if len(operands) > 1 else sign + operands[0]
    return formula if len(formula) <= MOST_FORMULA else "…" if depth else symbol


def _wire(edge: Edge, tail: Box, head: Box, local_derivatives: bool) -> Wire:
    if edge.tail.members or edge.head.members:
        label = counted(edge.count, "edge")
        return Wire(tail, head, label, label, width=1.3 + 0.6 * log10(edge.count))
    names = [clip(node.name, 10) or "×" for node in (edge.head, edge.tail)]
    slope = f"∂{names[0]}/∂{names[1]} = {number_text(edge.local)}"
    return Wire(tail, head, slope if local_derivatives and tail.kind != "constant" else "", slope)
