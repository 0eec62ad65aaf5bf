"""Collapses large graphs into groups, by layer and then by neuron, which can be opened by name.

Names determine the groups: w²_13, b²_1, z²_1 and a²_1 belong to unit 1 of layer 2. A node without such a name belongs
to the latest layer among its operands, so that the unnamed z and a of a mini-batch find their neuron through their
weights. A graph without such names is grouped by level, that is distance from the inputs, and then by operation.
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
MOST_MIXED = 50  # nodes of different kinds in one group; a larger one has a subgroup for each kind
Place = tuple[str, ...]  # the groups that contain a node, the outermost first
Unit = tuple[int, str]  # a layer and a unit in it; "" for a node that several units share


class Groups:
    """The groups of a display graph, computed once for all its pictures; with one group open, at most 400 boxes.

    around   for the name of a group or of a node, the groups that contain it, the outermost first
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
        # the innermost group of each node, or the node itself if no group contains it
        inmost = {node: chain[-1] if chain else node for node, chain in chains.items()}
        self._chain = {inner: chains[node] for node, inner in inmost.items()}
        self._inside = grouped((inner, node) for node, inner in inmost.items())
        self._between = grouped(((inmost[edge.tail], inmost[edge.head]), edge) for edge in shown.edges)
        self._sums = [_sum(*ends, edges) for ends, edges in self._between.items()]

    @property
    def names(self) -> list[str]:
        """The names of all groups, outer groups first."""
        return sorted(self._groups, key=lambda name: len(self.around[name]))

    def collapsed(self, opened: Sequence[str], alone: bool = False) -> Display:
        """Return the graph with one node for each closed group; the name of a node opens the groups that contain it.

        alone   combine many groups beside the open one into a single group, "rest of layer 2"

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
        for outer, inner_groups in beside.items():
            if len(inner_groups) > MOST_BESIDE:
                members = [node for inner in inner_groups for node in self._inside[inner]]
                rest = DisplayNode(f"rest of {outer.name}", members=members, rows=[])
                closed |= dict.fromkeys(inner_groups, rest)
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
        groups = [node for node in nodes if node.members]
        largest = max(groups, key=lambda group: len(group.members)).name if groups else ""
        caption = f"{counted(len(self.shown.nodes), 'node')} in {counted(len(groups), 'group')}"
        caption += f", {single:,} of them ungrouped" if (single := len(nodes) - len(groups)) else ""
        caption += f"; open={largest!r} shows the nodes inside" if groups else ""
        return replace(self.shown, nodes=nodes, edges=ordered, captions=[*self.shown.captions, caption])

    def _place(self, node: DisplayNode) -> int:
        return self._position[node.members[0] if node.members else node]


def _sum(tail: DisplayNode, head: DisplayNode, edges: list[Edge]) -> Edge:
    """Combine all edges from one group to another into one, with the sum of their shares of ∂f/∂s."""
    shares = [edge.share for edge in edges if edge.share is not None]
    one = Edge(tail, head, edges[0].local, product=sum(shares), count=sum(edge.count for edge in edges))
    one.share = one.product if shares else None
    return one


def _split(nodes: list[DisplayNode], places: dict[DisplayNode, Place], depth: int, room: int) -> None:
    """Divide groups with more members than a picture can show into numbered parts, as few as possible."""
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
    """Return the layer and unit of each node that has them, by its name or else by its operands."""
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
    """Return the groups of each node: inputs, a layer and a neuron, or the loss, which follows the last layer."""
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
        else:  # a target, a dropout mask or a number belongs to the group of the node that uses it
            places[node] = places[first_user[node]]
    return places


def _by_level(shown: Display, operands: dict[DisplayNode, list[DisplayNode]]) -> dict[DisplayNode, Place]:
    """Return the groups of each node: a band of levels, and in it an operation."""
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
    """Divide a large innermost group, such as a neuron in a mini-batch, into groups of all w, all z, and so on."""
    for place, nodes in grouped((places[node], node) for node in shown.nodes).items():
        roles = {node: role_of(node) for node in nodes}
        if len(set(roles.values())) > 1 and len(nodes) > MOST_MIXED:
            places |= {node: (*place, f"{place[-1]}, {role}") for node, role in roles.items()}
