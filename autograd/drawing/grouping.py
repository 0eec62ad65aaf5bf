"""Big graphs as groups that can be opened by name: by layer, then by neuron, in the lecture's letters.

Names tell: w²_13, b²_1, z²_1 and a²_1 belong to unit 1 of layer 2. What has no such name belongs with the latest
layer among its operands, so that the unnamed z and a of a mini-batch find their neuron through their weights. A graph
without such names is grouped by level, its distance from the inputs, and then by operation.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from math import ceil

from autograd.drawing.display_graph import Display, DisplayNode, Edge
from autograd.notation import RAISED, SUPERSCRIPTS
from autograd.primitives import mul

LECTURE_NAME = re.compile(r"([^\W\d_])([⁰¹²³⁴⁵⁶⁷⁸⁹]+)_(\d+(?:,\d+)*)")
BANDS = 12  # of levels, at most
Place = tuple[str, ...]  # the groups that a node is in, the outermost first
Unit = tuple[int, str]  # a layer and a unit in it; "" for what several units share


def collapsed(shown: Display, opened: Sequence[str]) -> Display:
    """One node for each group that is not opened. ValueError for a name that is neither a group's nor a node's."""
    operands = {node: [edge.tail for edge in edges] for node, edges in shown.into().items()}
    units = _units(shown, operands)
    places = _by_layer(shown, operands, units) if units else _by_level(shown, operands)
    open_groups = _open_groups(shown, places, opened)
    members: dict[str, list[DisplayNode]] = {}
    for node in shown.nodes:
        closed = next((group for group in places[node] if group not in open_groups), None)
        if closed is not None and node is not shown.source:
            members.setdefault(closed, []).append(node)
    groups = {name: DisplayNode(name, members=nodes) for name, nodes in members.items() if len(nodes) > 1}
    seen_as = {node: node for node in shown.nodes} | {x: group for group in groups.values() for x in group.members}
    alone = len(shown.nodes) - sum(len(group.members) for group in groups.values())
    largest = max(groups, key=lambda name: len(groups[name].members), default="")
    told = f"{len(shown.nodes):,} nodes in {len(groups)} groups" + (f", {alone:,} of them alone" if alone else "")
    captions = [*shown.captions, told + f"; open={largest!r} shows what is inside" * bool(groups)]
    nodes = list(dict.fromkeys(seen_as.values()))
    return replace(shown, nodes=nodes, edges=_merged(shown.edges, seen_as), captions=captions)


def _merged(edges: list[Edge], seen_as: dict[DisplayNode, DisplayNode]) -> list[Edge]:
    """Edges between what is seen: all from one group to another as one."""
    merged: dict[Edge | tuple[DisplayNode, DisplayNode], Edge] = {}
    for edge in edges:
        tail, head = seen_as[edge.tail], seen_as[edge.head]
        if not (tail.members or head.members):
            merged[edge] = edge
        elif tail is not head:
            one = merged.setdefault((tail, head), Edge(tail, head, edge.local, count=0))
            one.count += 1
            if edge.share is not None:
                one.share = edge.share + (one.share or 0.0)
    return list(merged.values())


def _open_groups(shown: Display, places: dict[DisplayNode, Place], opened: Sequence[str]) -> set[str]:
    """The groups to open, with those around them; a node's name opens the groups that it is in."""
    around = {node.name: places[node] for node in reversed(shown.nodes)}
    for place in set(places.values()):
        around.update({group: place[: i + 1] for i, group in enumerate(place)})
    for name in opened:
        if name not in around:
            outermost = ", ".join(dict.fromkeys(places[node][0] for node in shown.nodes))
            raise ValueError(f"open={name!r}: no group or node has this name; the groups are {outermost}")
    return {group for name in opened for group in around[name]}


def _units(shown: Display, operands: dict[DisplayNode, list[DisplayNode]]) -> dict[DisplayNode, Unit]:
    """The layer and unit of every node that has one: by its own name, else by its operands."""
    units: dict[DisplayNode, Unit] = {}
    for node in shown.nodes:
        match = _lecture_name(node)
        above = [units[x] for x in operands.get(node, ()) if x in units]
        if match:
            letter, layer, indices = match.groups()
            matrix = letter == "w" and "," not in indices  # w²_13 leads from unit 3 to unit 1; z²_13 is unit 13
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
        band = f"level {level}" if height == 1 else f"levels {first} to {first + height - 1}"
        operation = node.value.operation if node.value is not None else mul
        places[node] = (band, f"{band}, {operation.symbol if operation else 'inputs'}")
    return places
