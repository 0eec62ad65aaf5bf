"""Finds the network in a graph: its units, their weights, and the loss.

A z = Σ w a + b is a unit, together with its bias and its activation, if its weights are inputs that no other node
uses. Networks are then drawn as on the slides, with weights on the edges; other graphs keep a box for each input.
"""

from collections.abc import Iterator
from typing import NamedTuple

from autograd.drawing.display_graph import Display, DisplayNode, grouped
from autograd.notation import indexed
from autograd.primitives import affine, dot
from autograd.table import is_constant

MOST_ROWS = 12  # scalars of a loss in one box


class Neuron(NamedTuple):
    """The nodes in one unit, including z and a, and the weights of its operands."""

    cells: list[DisplayNode]
    weights: list[DisplayNode]


class Network(NamedTuple):
    """Units by their z, in forward order, and the nodes of the loss, its value last."""

    units: dict[DisplayNode, Neuron]
    loss: list[DisplayNode]


def network_in(shown: Display) -> Network:
    """Return the units and the loss of a graph; a graph without units has no loss."""
    into, users = shown.into(), grouped((edge.tail, edge.head) for edge in shown.edges)
    units: dict[DisplayNode, Neuron] = {}
    for z in shown.nodes:
        operands = [edge.tail for edge in into.get(z, ())]
        if z.value is None or z.value.operation not in (affine, dot) or any(x.members for x in operands):
            continue
        n = len(z.value.parents) // 2
        weights, bias = operands[:n], operands[2 * n :]
        # if an a is a constant, or was folded away, its weight has no wire
        is_whole = [x.value for x in operands[: 2 * n]] == [*z.value.parents[: 2 * n]]
        if is_whole and all(_is_own(leaf, users) for leaf in (*weights, *bias)):
            cells = [*bias, z]
            for node in _activation(z, users):  # with inputs that only it uses, such as a dropout mask
                cells += [*(edge.tail for edge in into[node] if _is_own(edge.tail, users)), node]
            units[z] = Neuron(cells, weights)
    inside = {node for unit in units.values() for node in unit.cells}
    loss: list[DisplayNode] = []
    for node in reversed(shown.nodes) if units else ():
        after = users.get(node, [])
        if node in into and node not in inside and (after or node is shown.root) and all(x in loss for x in after):
            loss.insert(0, node)
    return Network(units, loss if 1 < len(loss) <= MOST_ROWS and shown.root in loss else [])


def _is_own(leaf: DisplayNode, users: dict[DisplayNode, list[DisplayNode]]) -> bool:
    """Return whether the leaf is an input that is used exactly once."""
    value = leaf.value
    return value is not None and not value.parents and not is_constant(value) and len(users[leaf]) == 1


def _activation(z: DisplayNode, users: dict[DisplayNode, list[DisplayNode]]) -> Iterator[DisplayNode]:
    """Yield the nodes after z, each the only user of the one before, up to the unit's a."""
    node = z
    while len(after := users.get(node, [])) == 1 and (value := after[0].value) is not None:
        of_z, of_next = indexed(z.name), indexed(after[0].name)
        is_a = of_z and of_next and of_next[0] == "a" and of_next[1:] == of_z[1:]
        if not is_a and (node is not z or len(value.parents) > 1):
            return
        node = after[0]
        yield node
        if is_a:
            return
