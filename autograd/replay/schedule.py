"""From a graph to a short list of array operations: what is equal, of one level and lies together is one group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from autograd import primitives
from autograd.replay.buffers import Memory, Step
from autograd.replay.flat_graph import Flat, Ints
from autograd.replay.matmuls import Grid, Rows, find_grids, find_rows, one_by_one
from autograd.replay.operations import Elementwise, Group, ManyOperands, Operation, Product, Tape
from autograd.replay.sums import FUSED, PLAIN, PRODUCT, SUM, Fused, fuse
from autograd.text import counted

FEW = 6  # nodes that lie apart: so many rules on floats are as fast as one on gathered arrays
# measured: with fewer operands in a group, on average, replay gains little, and planning costs tens of eager steps
OPERANDS_TO_PAY = 24


class Plan:
    """The groups of a graph, in the order in which they run, and the steps that run them; none for "eager"."""

    def __init__(self, flat: Flat, parameters: Ints, inputs: Sequence[Ints], engine: str = "auto") -> None:
        self.flat, size = flat, len(flat.nodes)
        is_parameter = np.zeros(size, dtype=bool)
        is_parameter[parameters] = True
        self.fused = fuse(flat, is_parameter)
        self.rows = find_rows(self.fused)
        self.memory = Memory(size, size)
        self.groups: list[Group] = []
        self.whole: set[int] = set()  # tensors of matrix products, and of what was computed from all of one
        self.inputs = self._place_leaves(parameters, inputs)
        level = find_levels(flat, self.fused, self.rows)
        memory = self.memory
        self.engine, self.reason = self._choose(engine, level)
        if self.engine == "replay":
            self._make_groups(level)
        else:
            memory.place(np.flatnonzero(flat.parents.arity > 0))
        known = np.flatnonzero(memory.slot >= 0)
        memory.values[memory.slot[known]] = flat.data[known]
        self.node_at = np.zeros(memory.used, dtype=np.int64)  # the node of each slot
        self.node_at[memory.slot[known]] = known
        self.root = int(memory.slot[size - 1])
        self.forward: list[Step] = [step for group in self.groups for step in group.forward()]
        self.backward = self._backward(late=False)
        self.late = self._backward(late=True)  # the gradients of the inputs, which no parameter needs

    def _choose(self, engine: str, level: Ints) -> tuple[str, str]:
        computed = self.flat.parents.arity > 0
        remaining = np.flatnonzero(computed & (self.fused.kind != FUSED))
        groups = len(np.unique(level[remaining] * len(self.flat.operations) + self.flat.code[remaining]))
        told = f"{counted(int(computed.sum()), 'operation')}, equal ones of one level in {counted(groups, 'group')}"
        if engine != "auto":
            return engine, f"{told}; as requested"
        if groups and len(self.flat.parents.items) >= OPERANDS_TO_PAY * groups:
            return "replay", told
        return "eager", f"{told}, which is too many to pay: the eager engine runs"

    def _backward(self, late: bool) -> list[Step]:
        steps = [step for group in reversed(self.groups) for step in group.backward(late)]
        clear = self.memory.clear()
        return [clear, *steps] if clear else steps

    def _place_leaves(self, parameters: Ints, inputs: Sequence[Ints]) -> list[Ints]:
        flat, memory = self.flat, self.memory
        constants = np.flatnonzero(flat.is_constant)
        firsts = np.unique(flat.parents.items[np.isin(flat.operands.items, constants)])  # equal ones are one
        memory.place(firsts)
        if flat.is_constant[-1]:
            memory.place(np.array([len(flat.nodes) - 1]))  # a loss that is a number
        memory.constants = memory.used
        memory.place(parameters, wanted=True)
        self.parameters = range(memory.constants, memory.used)  # their slots
        placed = [memory.place(nodes) for nodes in inputs]
        self.others = np.flatnonzero((flat.parents.arity == 0) & (memory.slot < 0) & ~flat.is_constant)
        memory.place(self.others)
        self.first_computed = memory.used
        return placed

    def _make_groups(self, level: Ints) -> None:
        """Level by level: what is alone is put on a tape, which runs before the arrays of its level."""
        flat, fused = self.flat, self.fused
        plain = np.flatnonzero((fused.kind == PLAIN) & (flat.parents.arity > 0))
        place = np.concatenate([np.arange(len(fused.sums)), np.arange(len(fused.products)), plain])
        classes: list[list[Any]] = [
            [level[fused.sums], SUM, fused.terms.arity, 0],
            [level[fused.products], PRODUCT, fused.w.arity, fused.singles.arity],
            [level[plain], PLAIN, flat.code[plain], flat.parents.arity[plain]],
        ]
        keys = np.concatenate([np.stack(np.broadcast_arrays(*some)) for some in classes], axis=1)
        tape: list[Operation] = []
        many: list[tuple[int, Ints]] = []
        now = 0
        for rows in equal_columns(keys):
            depth, kind = keys[:2, rows[0]].tolist()
            if depth > now and many:
                self._make(tape, many)
                tape, many = [], []
            now, members = depth, place[rows]
            alone = self._alone(kind, members)
            tape += alone
            if not alone:
                many.append((kind, members))
        self._make(tape, many)

    def _make(self, tape: list[Operation], many: list[tuple[int, Ints]]) -> None:
        """Groups of the tape and of what is many in one level."""
        if tape:
            self.groups.append(Tape(self.memory, tape))
        before = len(self.groups)
        make = {SUM: self._sums, PRODUCT: self._products, PLAIN: self._plain}
        for kind, members in many:
            make[kind](members)
        # the largest last: its gradients come first, and are written, not added
        self.groups[before:] = sorted(
            self.groups[before:], key=lambda group: group.nodes.size * (group.n if isinstance(group, Product) else 1)
        )

    def _alone(self, kind: int, members: Ints) -> list[Operation]:
        """What is equal in one level as operations by themselves, or [] where it is enough for arrays."""
        flat, fused, count = self.flat, self.fused, len(members)
        if count > FEW:
            return []
        if kind == SUM:
            primitive, nodes, operands = primitives.sum, fused.sums[members], [fused.terms[i] for i in members]
            few = count * len(operands[0]) <= FEW
        elif kind == PRODUCT:
            n, s = int(fused.w.arity[members[0]]), int(fused.singles.arity[members[0]])
            primitive, nodes = primitives.affine if s else primitives.dot, fused.products[members]
            operands = [fused.w[i] + fused.a[i] + fused.singles[i] for i in members]
            few = s < 2 and count * n <= FEW and (count == 1 or not self._has_weights(members))
        else:
            entry = flat.operations[flat.code[members[0]]]
            assert entry is not None
            primitive, nodes, operands = entry, members, [flat.parents[i] for i in members]
            many = entry.variadic and len(operands[0]) > 3
            few = count * len(operands[0]) <= FEW if many else count == 1 or not self._reads_a_layer(operands)
        return [Operation(i, primitive, some) for i, some in zip(nodes.tolist(), operands)] if few else []

    def _has_weights(self, members: Ints) -> bool:
        """Whether the w of one of these products are parameters: it may be a layer."""
        return any(all(self.memory.slot_at[i] in self.parameters for i in self.fused.w[k]) for k in members)

    def _reads_a_layer(self, operands: list[list[int]]) -> bool:
        """Whether one operand each comes from what was computed as a whole."""
        slots = [self.memory.slot_at[i] for some in operands for i in some if len(some) == 1]
        return any(slot >= 0 and int(self.memory.tensor[slot]) in self.whole for slot in slots)

    def _sums(self, members: Ints) -> None:
        columns = self.memory.slot[self.fused.terms.table(members)]
        self._many(self.fused.sums[members], columns, primitives.sum)

    def _products(self, members: Ints) -> None:
        """The products' groups; those of one factor each that make no matrix are left to the plain rules."""
        fused, rows = self.fused, self.rows
        grids, apart = find_grids(fused, rows, members)
        if len(grids) > 8:  # an incomplete cross product falls into many small ones
            grids, apart = [], members
        one_factor = fused.w.arity[members[0]] == 1
        for grid in grids:
            if not one_factor or min(grid.nodes.shape[1:]) > 1:
                self._product(grid)
        if one_factor:
            nodes = fused.products[members]
            left_over = nodes[self.memory.slot[nodes] < 0]
            if len(left_over):
                self._plain(left_over)
        elif len(apart):
            self._product(one_by_one(fused, rows, apart))

    def _product(self, grid: Grid) -> None:
        slot = self.memory.slot
        w, a = slot[grid.w], slot[grid.a]
        if grid.nodes.size == 1:  # the order of the terms is free: as they lie
            order = np.argsort(a[0, 0], kind="stable")
            w, a = w[..., order], a[..., order]
        blocks = np.argsort(a[:, 0, 0], kind="stable")
        rows = np.argsort(a[0, :, 0], kind="stable") if len(blocks) == 1 else slice(None)
        units = np.argsort(w[0, :, 0], kind="stable") if len(blocks) == 1 else slice(None)
        nodes = grid.nodes[blocks][:, rows][:, :, units]
        singles = [slot[single][blocks][:, rows][:, :, units] for single in grid.singles]
        self.groups.append(Product(self.memory, nodes, w[blocks][:, units], a[blocks][:, rows], singles))
        if nodes.size > 1:
            self.whole.add(len(self.memory.shapes) - 1)  # what was placed last

    def _plain(self, nodes: Ints) -> None:
        """Nodes of one level and operation, by where their operands lie."""
        flat = self.flat
        operation: Any = flat.operations[flat.code[nodes[0]]]
        columns = self.memory.slot[flat.parents.table(nodes)]
        if operation.variadic and columns.shape[1] > 3:
            self._many(nodes, columns, operation)
            return
        apart = []
        for members in equal_columns(self.memory.tensor[columns].T):
            if len(members) > FEW or self._is_whole(columns[members]):
                self._elementwise(nodes[members], columns[members], operation)
            else:
                apart.append(members)
        if not apart:
            return
        rest = np.concatenate(apart)
        if len(rest) > FEW:
            self._elementwise(nodes[rest], columns[rest], operation)
        else:
            some = [Operation(i, operation, flat.parents[i]) for i in nodes[rest].tolist()]
            self.groups.append(Tape(self.memory, some))

    def _many(self, nodes: Ints, columns: Ints, operation: Any) -> None:
        if operation.name in ("sum", "logsumexp"):
            columns = np.sort(columns, axis=1)  # these treat all operands alike
        order = np.argsort(columns[:, 0], kind="stable")
        self.groups.append(ManyOperands(self.memory, nodes[order], [columns[order]], operation))

    def _is_whole(self, columns: Ints) -> bool:
        """Whether the operand is all that a layer computed: g(Z) stays one step, however few units there are."""
        if columns.shape[1] != 1:
            return False
        tensor = int(self.memory.tensor[columns[0, 0]])
        return tensor in self.whole and len(columns) == int(np.prod(self.memory.shapes[tensor]))

    def _elementwise(self, nodes: Ints, columns: Ints, operation: Any) -> None:
        """Lay the results as the operand lies that differs from node to node, the one computed last if several do."""
        memory = self.memory
        full = [j for j in range(columns.shape[1]) if len(np.unique(columns[:, j])) == len(nodes)]
        leading = max(full, key=lambda j: int(columns[0, j])) if full else None
        order = np.lexsort(columns.T[::-1]) if leading is None else np.argsort(columns[:, leading], kind="stable")
        nodes, columns = nodes[order], columns[order]
        shape: tuple[int, ...] = nodes.shape
        if leading is not None:
            tensors = memory.tensor[columns[:, leading]]
            lying = memory.shapes[tensors[0]]
            if (tensors == tensors[0]).all() and int(np.prod(lying)) == len(nodes):  # all that lies there
                shape = lying
        whole = self._is_whole(columns)
        self.groups.append(
            Elementwise(memory, nodes.reshape(shape), [c.reshape(shape) for c in columns.T], operation)
        )
        if whole:
            self.whole.add(len(self.memory.shapes) - 1)  # what was placed last


def find_levels(flat: Flat, fused: Fused, rows: Rows) -> Ints:
    """The level of each node that remains; leaves are at 0.

    A row is looked at once, however many products it is in: that is what makes this short for networks.
    """
    level = [0] * len(flat.nodes)
    row_level: dict[int, int] = {}
    # both in the order of their nodes
    products, sums = zip(rows.w.tolist(), rows.a.tolist(), fused.singles), iter(fused.terms)
    kind, start, parents = fused.kind.tolist(), flat.parents.start.tolist(), flat.parents.items.tolist()
    for node in np.flatnonzero((fused.kind != FUSED) & (flat.parents.arity > 0)).tolist():
        below = 0
        if kind[node] == PRODUCT:
            w, a, operands = next(products)
            for row in (w, a):
                if row not in row_level:
                    row_level[row] = max([level[p] for p in rows.content[row].tolist()])
            below = max(row_level[w], row_level[a])
        elif kind[node] == SUM:
            operands = next(sums)
        else:
            operands = parents[start[node] : start[node + 1]]
        for p in operands:
            below = max(below, level[p])
        level[node] = below + 1
    return np.array(level)


def equal_columns(keys: Any) -> Iterator[Ints]:
    """The places of equal columns of ``keys``, in the order of the columns.

    >>> [places.tolist() for places in equal_columns(np.array([[1, 0, 1], [5, 5, 5]]))]
    [[1], [0, 2]]
    """
    order = np.lexsort(keys[::-1])
    ends = np.flatnonzero((np.diff(keys[:, order]) != 0).any(axis=0)) + 1
    for start, end in pairwise([0, *ends.tolist(), len(order)] if len(order) else []):
        yield order[start:end]
