"""Big graphs as groups that can be opened by name: by layer, then by neuron, in the lecture's letters.

Names tell: w²_13, b²_1, z²_1 and a²_1 belong to unit 1 of layer 2. What has no such name belongs with the latest
layer among its operands, so that the unnamed z and a of a mini-batch find their neuron through their weights. A graph
without such names is grouped by level, its distance from the inputs, and then by operation.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from math import ceil

from autograd.drawing.boxes import role_of
from autograd.drawing.display_graph import Display, DisplayNode, Edge, grouped
from autograd.notation import RAISED, SUPERSCRIPTS
from autograd.primitives import mul
from autograd.text import counted

LECTURE_NAME = re.compile(r"([^\W\d_]\u0302?)([⁰¹²³⁴⁵⁶⁷⁸⁹]+)_(\d+(?:,\d+)*)²?")
BANDS = 12  # of levels, at most
MOST_SHOWN = 400
MOST_BESIDE = 30  # innermost groups
MOST_MIXED = 50  # of different kinds in one group; each kind of more is a group of its own
Place = tuple[str, ...]  # the groups that a node is in, the outermost first
Unit = tuple[int, str]  # a layer and a unit in it; "" for what several units share


class Groups:
    """The groups of a display graph, found once for all its pictures; 400 boxes or less where one group is opened.

    around   the groups that a group, or a node by its name, is in, the outermost first
    """

    def __init__(self, shown: Display) -> None:
        operands = {node: [edge.tail for edge in edges] for node, edges in shown.into().items()}
        units = _units(shown, operands)
        places = _by_layer(shown, operands, units) if units else _by_level(shown, operands)
        _by_role(shown, places)
        if shown.source is not None:
            places[shown.source] = ()
        _split(shown.nodes, places, 0, MOST_SHOWN)
        self.shown, self.around = shown, {node.name: places[node] for node in reversed(shown.nodes)}
        members = grouped((name, node) for node in shown.nodes for name in places[node])
        for place in dict.fromkeys(places.values()):
            self.around |= {name: place[:i] for i, name in enumerate(place, 1)}
        self._groups = {name: DisplayNode(name, members=nodes) for name, nodes in members.items() if len(nodes) > 1}
        self._position = {node: i for i, node in enumerate(shown.nodes)}
        chains = {node: [self._groups[name] for name in places[node] if name in self._groups] for node in shown.nodes}
        # the graph in its innermost groups, and nodes that are in none
        inmost = {node: chain[-1] if chain else node for node, chain in chains.items()}
        self._chain = {inner: chains[node] for node, inner in inmost.items()}
        self._inside = grouped((inner, node) for node, inner in inmost.items())
        self._between = grouped(((inmost[edge.tail], inmost[edge.head]), edge) for edge in shown.edges)
        self._sums = [_sum(*ends, edges) for ends, edges in self._between.items()]

    @property
    def names(self) -> list[str]:
        """All groups, those before that are around others."""
        return sorted(self._groups, key=lambda name: len(self.around[name]))

    def collapsed(self, opened: Sequence[str], alone: bool = False) -> Display:
        """One node for each group but those opened and those around them; a node's name opens what it is in.

        alone   of many groups beside the one that is opened, one group is made: "rest of layer 2"

        Raises ValueError for a name that is neither a group's nor a node's.
        """
        for name in opened:
            if name not in self.around:
                outermost = ", ".join(dict.fromkeys(place[0] for place in self.around.values() if place))
                raise ValueError(f"open={name!r}: no group or node has this name; the groups are {outermost}")
        open_groups = {group for name in opened for group in self.around[name]}
        closed: dict[DisplayNode, DisplayNode | None] = {}
        beside: dict[DisplayNode, list[DisplayNode]] = {}
        for inner, chain in self._chain.items():
            closed[inner] = next((group for group in chain if group.name not in open_groups), None)
            around = [group for group in chain if group.name in open_groups]
            if alone and around and around[-1].name not in opened:
                beside.setdefault(around[-1], []).append(inner)
        for outer, groups in beside.items():
            if len(groups) > MOST_BESIDE:
                members = [node for inner in groups for node in self._inside[inner]]
                rest = DisplayNode(f"rest of {outer.name}", members=members, rows=[])
                closed |= dict.fromkeys(groups, rest)
        seen = {node for inner, group in closed.items() for node in ([group] if group else self._inside[inner])}
        nodes = sorted(seen, key=self._place)
        edges: list[Edge] = []
        merging: list[tuple[tuple[DisplayNode, DisplayNode], Edge]] = []
        for one, (ends, each) in zip(self._sums, self._between.items()):
            tail, head = closed[ends[0]], closed[ends[1]]
            if tail is None and head is None:
                edges += each
            elif tail is not head:
                parts = [one] if tail and head else each
                merging += [((tail or edge.tail, head or edge.head), edge) for edge in parts]
        edges += [_sum(*ends, parts) for ends, parts in grouped(merging).items()]
        ordered = sorted(edges, key=lambda edge: self._place(edge.head))
        shut = [node for node in nodes if node.members]
        largest = max(shut, key=lambda group: len(group.members)).name if shut else ""
        told = f"{counted(len(self.shown.nodes), 'node')} in {counted(len(shut), 'group')}"
        told += f", {single:,} of them alone" if (single := len(nodes) - len(shut)) else ""
        told += f"; open={largest!r} shows what is inside" if shut else ""
        return replace(self.shown, nodes=nodes, edges=ordered, captions=[*self.shown.captions, told])

    def _place(self, node: DisplayNode) -> int:
        return self._position[node.members[0] if node.members else node]


def _sum(tail: DisplayNode, head: DisplayNode, edges: list[Edge]) -> Edge:
    """All edges from one group to another as one, which carries what they carry of ∂f/∂s."""
    shares = [edge.share for edge in edges if edge.share is not None]
    one = Edge(tail, head, edges[0].local, product=sum(shares), count=sum(edge.count for edge in edges))
    one.share = one.product if shares else None
    return one


def _split(nodes: list[DisplayNode], places: dict[DisplayNode, Place], depth: int, room: int) -> None:
    """Put what has more members than a picture has room for into numbered parts, as few as will do."""
    inside = grouped((places[node][depth] if len(places[node]) > depth else node, node) for node in nodes)
    count, room = len(inside), max(room, 4)
    if count > room:
        parts = next((k for k in range(2, room) if k - 1 + ceil(count / k) <= room), room // 2)
        for i, node in ((i * parts // count, node) for i, group in enumerate(inside.values()) for node in group):
            outer, inner = places[node][:depth], places[node][depth:]
            places[node] = (*outer, ", ".join((*outer[-1:], f"part {i + 1}")), *inner)
        _split(nodes, places, depth, room)
    else:
        for group in inside.values():
            if len(group) > 1:
                _split(group, places, depth + 1, room - count + 1)


def _units(shown: Display, operands: dict[DisplayNode, list[DisplayNode]]) -> dict[DisplayNode, Unit]:
    """The layer and unit of every node that has one: by its own name, else by its operands."""
    units: dict[DisplayNode, Unit] = {}
    for node in shown.nodes:
        match = _lecture_name(node)
        above = [units[x] for x in operands.get(node, ()) if x in units]
        if match:
            letter, layer, indices = match.groups()
            matrix = letter in ("w", "x̂") and "," not in indices  # w²_13 leads from unit 3 to 1; z²_13 is unit 13
            units[node] = (int(layer.translate(SUPERSCRIPTS)), indices[0] if matrix else indices.split(",")[0])
        elif above:
            latest = max(layer for layer, _ in above)
            found = {unit for layer, unit in above if layer == latest}
            units[node] = (latest, found.pop() if len(found) == 1 else "")
    return units


def _lecture_name(node: DisplayNode) -> re.Match[str] | None:
    return LECTURE_NAME.fullmatch(node.value.name or "") if node.value is not None else None


def _by_layer(
    shown: Display, operands: dict[DisplayNode, list[DisplayNode]], units: dict[DisplayNode, Unit]
) -> dict[DisplayNode, Place]:
    """Inputs, layers of neurons, and the loss: what is computed from the last layer without a weight of its own."""
    last = max(layer for layer, _ in units.values())
    loss = shown.root.name if shown.root.value is not None and shown.root.value.name else "loss"
    weighed = {n for n, above in operands.items() if any(x in units and x not in operands for x in above)}
    first_user = {edge.tail: edge.head for edge in reversed(shown.edges)}
    places: dict[DisplayNode, Place] = {}
    for node in reversed(shown.nodes):
        layer, unit = units.get(node, (0, ""))
        if layer == last and node not in weighed and not _lecture_name(node):
            places[node] = (loss,)
        elif layer:
            z = f"z{str(layer).translate(RAISED)}_{unit}"
            places[node] = (f"layer {layer}", z if unit else f"layer {layer}, shared")
        elif node in units or node not in first_user or first_user[node] in weighed:
            places[node] = ("inputs",)
        else:  # a target, a dropout mask, a number: it belongs with what uses it
            places[node] = places[first_user[node]]
    return places


def _by_level(shown: Display, operands: dict[DisplayNode, list[DisplayNode]]) -> dict[DisplayNode, Place]:
    """Bands of levels, and in each band one group for each operation."""
    levels: dict[DisplayNode, int] = {}
    for node in shown.nodes:
        levels[node] = 1 + max((levels[x] for x in operands.get(node, ())), default=-1)
    height = ceil((levels[shown.root] + 1) / BANDS)
    places: dict[DisplayNode, Place] = {}
    for node, level in levels.items():
        first = level - level % height
        band = f"level {level}" if height == 1 else f"levels {first} to {min(first + height - 1, levels[shown.root])}"
        operation = node.value.operation if node.value is not None else mul
        places[node] = (band, f"{band}, {operation.symbol if operation else 'inputs'}")
    return places


def _by_role(shown: Display, places: dict[DisplayNode, Place]) -> None:
    """In a large innermost group, as a neuron in a mini-batch, one group for all w, one for all z, and so on."""
    for place, nodes in grouped((places[node], node) for node in shown.nodes).items():
        roles = {node: role_of(node) for node in nodes}
        if len(set(roles.values())) > 1 and len(nodes) > MOST_MIXED:
            places |= {node: (*place, f"{place[-1]}, {role}") for node, role in roles.items()}
