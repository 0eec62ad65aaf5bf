"""From a graph to a short list of array operations: what is equal, of one level and lies together is one group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autograd.replay.flattening import Bools, Flat, Ints
from autograd.replay.fusing import FUSED, PLAIN, fuse
from autograd.replay.groups import Elementwise, Group, ManyOperands, Product, Scalar
from autograd.replay.levels import find_levels
from autograd.replay.memory import Memory, Step
from autograd.replay.products import Grid, find_grids, find_rows, one_by_one

FEW = 6  # nodes that lie apart: so many rules on floats are as fast as one on gathered arrays


# measured: with fewer operands in a group, on average, replay gains little, and planning costs tens of eager steps
OPERANDS_TO_PAY = 24


class Plan:
    """The groups of a graph, in the order in which they run, and the steps that run them.

    engine    "replay", or "eager" where the groups are too small to pay; then there are none
    reason    why, in words
    late      the steps of the backward pass that no parameter needs: the gradients of the inputs
    """

    def __init__(self, flat: Flat, parameters: Ints, inputs: Sequence[Ints], engine: str = "auto") -> None:
        self.flat, size = flat, len(flat.nodes)
        is_parameter = np.zeros(size, dtype=bool)
        is_parameter[parameters] = True
        declared = is_parameter.copy()
        for nodes in inputs:
            declared[nodes] = True
        self.fused = fuse(flat, is_parameter)
        self.rows = find_rows(self.fused, size)
        self.memory = Memory(size, size)
        self.groups: list[Group] = []
        self.whole: set[int] = set()  # tensors of matrix products, and of what was computed from all of one
        self.inputs = self._place_leaves(parameters, inputs, declared)
        level = find_levels(flat, self.fused, self.rows)
        memory = self.memory
        self.engine, self.reason = self._choose(engine, level)
        if self.engine == "replay":
            self._make_groups(level)
        else:
            memory.place(np.flatnonzero(flat.arity > 0))
        known = memory.slot >= 0
        memory.values[memory.slot[known]] = flat.data[known]
        self.root = int(memory.slot[size - 1])
        self.forward: list[Step] = [step for group in self.groups for step in group.forward()]
        self.backward = self._backward(late=False)
        self.late = self._backward(late=True)

    def _choose(self, engine: str, level: Ints) -> tuple[str, str]:
        remaining = np.flatnonzero((self.fused.kind != FUSED) & (self.flat.arity > 0))
        key = np.stack([level[remaining], self.flat.code[remaining]], axis=1)
        groups = len(np.unique(key, axis=0))
        operations = int((self.flat.arity > 0).sum())
        told = f"{counted(operations, 'operation')}, equal ones of one level in {counted(groups, 'group')}"
        if engine != "auto":
            return engine, f"{told}; as requested"
        if groups and len(self.flat.operands) >= OPERANDS_TO_PAY * groups:
            return "replay", told
        return "eager", f"{told}, which is too many to pay: the eager engine runs"

    def _backward(self, late: bool) -> list[Step]:
        steps = [step for group in reversed(self.groups) for step in group.backward(late)]
        clear = self.memory.clear()
        return [clear, *steps] if clear else steps

    def _place_leaves(self, parameters: Ints, inputs: Sequence[Ints], declared: Bools) -> list[Ints]:
        flat, memory = self.flat, self.memory
        constants = np.flatnonzero(flat.is_constant())
        firsts = np.unique(flat.parents[np.isin(flat.operands, constants)])  # equal ones are one
        memory.place(firsts)
        if flat.is_constant()[-1]:
            memory.place(np.array([len(flat.nodes) - 1]))  # a loss that is a number
        memory.constants = memory.used
        self.parameters = memory.place(parameters, wanted=True)
        placed = [memory.place(nodes) for nodes in inputs]
        leaf = (flat.arity == 0) & ~declared & ~flat.is_constant()
        self.others = np.flatnonzero(leaf)
        memory.place(self.others)
        self.first_computed = memory.used
        return placed

    def _make_groups(self, level: Ints) -> None:
        flat, fused = self.flat, self.fused
        products = fused.products
        at_level: dict[int, list[Ints]] = {}
        for members in equal_rows(np.stack([level[products], fused.w.arity, fused.singles.arity], axis=1)):
            at_level.setdefault(int(level[products[members[0]]]), []).append(members)
        sums: dict[int, list[Ints]] = {}
        for members in equal_rows(np.stack([level[fused.sums], fused.terms.arity], axis=1)):
            sums.setdefault(int(level[fused.sums[members[0]]]), []).append(members)
        plain = np.flatnonzero((fused.kind == PLAIN) & (flat.arity > 0))
        others = _by_level(level[plain])
        for depth in range(1, int(level.max(initial=0)) + 1):
            before = len(self.groups)
            for members in sums.get(depth, []):
                self._sums(members)
            leftover = [plain[others[depth]]] if depth in others else []
            for members in at_level.get(depth, []):
                leftover += self._products(members)
            if leftover:
                self._plain(np.concatenate(leftover))
            here = self.groups[before:]  # the largest last: its gradients come first, and are written, not added
            self.groups[before:] = sorted(here, key=lambda group: _work(group))

    def _sums(self, members: Ints) -> None:
        from autograd import primitives

        terms = self.fused.terms
        entries = terms.start[members][:, None] + np.arange(terms.arity[members[0]])
        self._many(self.fused.sums[members], self.memory.slot[terms.items[entries]], primitives.sum)

    def _products(self, members: Ints) -> list[Ints]:
        """Make the products' groups; those of length 1 that make no matrix are left to the plain rules."""
        fused, rows = self.fused, self.rows
        short = fused.w.arity[members[0]] == 1
        grids, apart = find_grids(fused, rows, members)
        if len(grids) > 8:  # an incomplete cross product falls into many small ones
            grids, apart = [], members
        if short:
            left_over = fused.products[members]
            for grid in grids:
                if min(grid.nodes.shape[1:]) > 1:
                    self._product(grid)
                    left_over = np.setdiff1d(left_over, grid.nodes)
            return [left_over]
        for grid in grids:
            self._product(grid)
        if len(apart):
            self._product(one_by_one(fused, rows, apart))
        return []

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
            self._is_one()

    def _plain(self, nodes: Ints) -> None:
        """Group nodes of one level by their operation and by where their operands lie."""
        flat = self.flat
        for members in equal_rows(np.stack([flat.code[nodes], flat.arity[nodes]], axis=1)):
            some = nodes[members]
            operation: Any = flat.operations[flat.code[some[0]]]
            k = int(flat.arity[some[0]])
            columns = self.memory.slot[flat.parents[flat.start[some][:, None] + np.arange(k)]]
            if operation.variadic and k > 3:
                self._many(some, columns, operation)
            else:
                self._elementwise(some, columns, operation)

    def _many(self, nodes: Ints, columns: Ints, operation: Any) -> None:
        if len(nodes) * columns.shape[1] <= FEW:
            self._scalars(nodes, columns, operation)
            return
        if operation.name in ("sum", "logsumexp"):
            columns = np.sort(columns, axis=1)  # these treat all operands alike
        order = np.argsort(columns[:, 0], kind="stable")
        self.groups.append(ManyOperands(self.memory, nodes[order], [columns[order]], operation))

    def _elementwise(self, nodes: Ints, columns: Ints, operation: Any) -> None:
        tensors = self.memory.tensor[columns]
        apart = []
        for members in equal_rows(tensors):
            if len(members) > FEW or self._is_whole(columns[members]):
                self._one_elementwise(nodes[members], columns[members], operation)
            else:
                apart.append(members)
        if apart:
            rest = np.concatenate(apart)
            if len(rest) <= FEW:
                self._scalars(nodes[rest], columns[rest], operation)
            else:
                self._one_elementwise(nodes[rest], columns[rest], operation)

    def _is_whole(self, columns: Ints) -> bool:
        """Whether the operand is all that a layer computed: g(Z) stays one step, however few units there are."""
        if columns.shape[1] != 1:
            return False
        tensor = int(self.memory.tensor[columns[0, 0]])
        return tensor in self.whole and len(columns) == int(np.prod(self.memory.shapes[tensor]))

    def _scalars(self, nodes: Ints, columns: Ints, operation: Any) -> None:
        for node, places in zip(nodes, columns):
            self.groups.append(Scalar(self.memory, np.array([node]), list(places[:, None]), operation))

    def _one_elementwise(self, nodes: Ints, columns: Ints, operation: Any) -> None:
        """Lay the results as the operand lies that differs from node to node, the one computed last if several do."""
        memory = self.memory
        full = [j for j in range(columns.shape[1]) if len(np.unique(columns[:, j])) == len(nodes)]
        leading = max(full, key=lambda j: int(columns[0, j])) if full else None
        order = np.lexsort(columns.T[::-1]) if leading is None else np.argsort(columns[:, leading], kind="stable")
        nodes, columns = nodes[order], columns[order]
        shape: tuple[int, ...] = nodes.shape
        if leading is not None:
            tensor = int(memory.tensor[columns[0, leading]])
            first, lying = memory.first[tensor], memory.shapes[tensor]
            if columns[0, leading] == first and columns[-1, leading] == first + len(nodes) - 1:
                shape = lying if int(np.prod(lying)) == len(nodes) else shape
        whole = self._is_whole(columns)
        self.groups.append(
            Elementwise(memory, nodes.reshape(shape), [c.reshape(shape) for c in columns.T], operation)
        )
        if whole:
            self._is_one()

    def _is_one(self) -> None:
        """What was placed last is a layer's."""
        self.whole.add(len(self.memory.shapes) - 1)


def counted(number: int, what: str) -> str:
    """``1 group``, ``1,200 groups``."""
    return f"{number:,} {what}{'s' * (number != 1)}"


def equal_rows(keys: Any) -> list[Ints]:
    """The places of equal rows, list by list."""
    if not len(keys):
        return []
    order = np.lexsort(keys.T[::-1])
    ends = np.flatnonzero((np.diff(keys[order], axis=0) != 0).any(axis=1)) + 1
    return [np.sort(some) for some in np.split(order, ends)]


def _by_level(level: Ints) -> dict[int, Ints]:
    return {int(level[some[0]]): some for some in equal_rows(level[:, None])}


def _work(group: Group) -> int:
    return int(group.nodes.size) * (group.n if isinstance(group, Product) else 1)
