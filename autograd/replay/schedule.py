"""Turns a graph into a short list of array operations: groups of equal nodes, level by level."""

from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np

from autograd import primitives
from autograd.replay.buffers import Memory, Step
from autograd.replay.flat_graph import Flat, Ints
from autograd.replay.matmuls import ProductGrid, Rows, find_grids, find_rows, make_grid
from autograd.replay.operations import ALONG_AXIS, Elementwise, Group, ManyOperands, Operation, Product, Tape
from autograd.replay.sums import FUSED, PLAIN, PRODUCT, SUM, Fused, fuse
from autograd.table import Primitive
from autograd.text import counted

FEW = 6  # nodes with scattered operands: this many rules on floats are as fast as one on gathered arrays
# measured: with fewer operands per group on average, replay gains little, but planning costs tens of eager steps
OPERANDS_TO_PAY = 24


class Plan:
    """The groups of a graph and the steps that run them, in order; there are none if the engine is "eager"."""

    def __init__(self, flat: Flat, parameters: Ints, inputs: Sequence[Ints], engine: str = "auto") -> None:
        self.flat, size = flat, len(flat.nodes)
        self.fused = fuse(flat, np.isin(np.arange(size), parameters))
        self.rows = find_rows(self.fused)
        self.memory = memory = Memory(size, size)
        self.groups: list[Group] = []
        self.whole: set[int] = set()  # tensors of matrix products, and those computed from a whole one
        # constants get the first slots, followed by parameters, inputs and other leaves
        memory.place(np.unique(flat.parents.items[flat.is_constant[flat.parents.items]]))
        memory.constants = memory.used
        memory.place(parameters, wanted=True)
        self.parameters = range(memory.constants, memory.used)  # their slots
        for nodes in inputs:
            memory.place(nodes)
        self.others = np.flatnonzero((flat.parents.arity == 0) & (memory.slot < 0) & ~flat.is_constant)
        memory.place(self.others)
        self.inputs, self.first_computed = inputs, memory.used
        level = find_levels(flat, self.fused, self.rows)
        self.engine, self.reason = self._choose(engine, level)
        if self.engine == "replay":
            self._make_groups(level)
        else:
            memory.place(np.flatnonzero(flat.parents.arity > 0))
        self.node_at = np.argsort(memory.slot, kind="stable")[size - memory.used :]  # the node of each slot
        memory.values[: memory.used] = flat.data[self.node_at]
        self.root = int(memory.slot[size - 1])
        self.forward: list[Step] = [step for group in self.groups for step in group.forward()]
        self.backward = self._backward(late=False)
        self.late = self._backward(late=True)  # the gradients of the inputs, which no parameter needs

    def _choose(self, engine: str, level: Ints) -> tuple[str, str]:
        """Return the engine and the reason. The overhead of a group equals the cost of some operands."""
        computed = self.flat.parents.arity > 0
        remaining = np.flatnonzero(computed & (self.fused.kind != FUSED))
        # nodes of one level and operation have the same number here, because they roughly form one group
        groups = len(np.unique(level[remaining] * len(self.flat.operations) + self.flat.code[remaining]))
        size = f"{counted(int(computed.sum()), 'operation')} in {counted(groups, 'group')} by kind and level"
        if engine != "auto":
            return engine, f"{size}; as requested"
        if groups and len(self.flat.parents.items) >= OPERANDS_TO_PAY * groups:
            return "replay", size
        return "eager", f"{size}, too many for arrays to be faster: the eager engine runs"

    def _backward(self, late: bool) -> list[Step]:
        """Return the steps of the backward pass or, if ``late``, the steps for the gradients of the inputs."""
        steps = [step for group in reversed(self.groups) for step in group.backward(late)]
        return [*self.memory.clear(), *steps]

    def _make_groups(self, level: Ints) -> None:
        """Level by level, put small sets of equal nodes on a tape, and make groups of large ones, after the tape."""
        flat, fused = self.flat, self.fused
        # nodes with the same four numbers are equal; ``place`` is a node's index among those of its kind
        alike = np.stack([level, fused.kind, flat.code, flat.parents.arity])
        alike[2:, fused.sums] = fused.terms.arity, np.zeros_like(fused.sums)
        alike[2:, fused.products] = fused.w.arity, fused.singles.arity
        place = np.arange(len(flat.nodes))
        place[fused.sums], place[fused.products] = np.arange(len(fused.sums)), np.arange(len(fused.products))
        remaining = np.flatnonzero((fused.kind != FUSED) & (flat.parents.arity > 0))
        tape: list[Operation] = []
        many: list[tuple[int, Ints]] = []
        latest = 0
        for columns in equal_columns(alike[:, remaining]):
            depth, kind = alike[:2, remaining[columns[0]]].tolist()
            if depth > latest and many:  # the nodes that follow may read these
                self._make(tape, many)
                tape, many = [], []
            latest, members = depth, place[remaining[columns]]
            if len(members) <= FEW and self._is_for_the_tape(kind, members):
                tape += self._operations(kind, members)
            else:
                many.append((kind, members))
        self._make(tape, many)

    def _make(self, tape: list[Operation], many: list[tuple[int, Ints]]) -> None:
        """Make a group of the tape, then the groups of one level."""
        if tape:
            self.groups.append(Tape(self.memory, tape))
        before = len(self.groups)
        for kind, members in many:
            if kind == PRODUCT:
                self._products(members)
            elif kind == SUM:
                self._many(
                    self.fused.sums[members], self.memory.slot[self.fused.terms.table(members)], primitives.sum
                )
            else:
                self._plain(members)
        # the largest is last, so that its gradients come first and are written instead of added
        self.groups[before:] = sorted(self.groups[before:], key=lambda group: group.nodes.size * group.n)

    def _operations(self, kind: int, members: Ints) -> Iterator[Operation]:
        """Yield nodes of one kind, one by one."""
        flat, fused = self.flat, self.fused
        for i in members.tolist():
            if kind == SUM:
                yield int(fused.sums[i]), primitives.sum, fused.terms[i]
            elif kind == PRODUCT:
                singles = fused.singles[i]
                primitive = primitives.affine if singles else primitives.dot
                yield int(fused.products[i]), primitive, fused.w[i] + fused.a[i] + singles
            else:
                yield i, flat.operation(i), flat.parents[i]

    def _is_for_the_tape(self, kind: int, members: Ints) -> bool:
        """Return whether these few equal nodes run faster on floats than as an array, and are not part of a layer."""
        flat, fused, memory, count = self.flat, self.fused, self.memory, len(members)
        if kind == SUM:
            return count * int(fused.terms.arity[members[0]]) <= FEW
        if kind == PRODUCT:
            if fused.singles.arity[members[0]] > 1 or count * int(fused.w.arity[members[0]]) > FEW:
                return False
            # if all w are parameters, it is part of a layer
            return count == 1 or not any(
                all(memory.slot_at[i] in self.parameters for i in fused.w[k]) for k in members
            )
        arity = int(flat.parents.arity[members[0]])
        if flat.operation(members[0]).variadic and arity > 3:
            return count * arity <= FEW
        if count == 1 or arity > 1:
            return True
        slots = memory.slot[flat.parents.table(members)]  # is the operand part of a whole tensor?
        return self.whole.isdisjoint(memory.tensor[slots[slots >= 0]].tolist())

    def _products(self, members: Ints) -> None:
        """Make matrix products. Products in no grid become a batch of dot products or, with one pair, w·a."""
        fused, rows = self.fused, self.rows
        grids, apart = find_grids(fused, rows, members)
        if len(grids) > 8:  # an incomplete cross product breaks up into many small grids
            grids, apart = [], members
        one_pair = fused.w.arity[members[0]] == 1
        for grid in grids:
            if not one_pair or min(grid.nodes.shape[1:]) > 1:  # w aᵀ with a single row on one side is elementwise
                self._product(grid)
        if one_pair:
            nodes = fused.products[members]
            left_over = nodes[self.memory.slot[nodes] < 0]
            if len(left_over):
                self._plain(left_over)
        elif len(apart):
            w, a = rows.w[apart][:, None], rows.a[apart][:, None]
            self._product(make_grid(fused, rows, apart[:, None, None], w, a))

    def _product(self, grid: ProductGrid) -> None:
        """Make one matrix product, with its blocks, rows and units in the order of their operands' slots."""
        slot = self.memory.slot
        w, a = slot[grid.w], slot[grid.a]
        if grid.nodes.size == 1:  # one dot product: its pairs may be in any order
            order = np.argsort(a[0, 0], kind="stable")
            w, a = w[..., order], a[..., order]
        blocks = np.argsort(a[:, 0, 0], kind="stable")
        rows, units = (
            np.argsort(side[0, :, 0], kind="stable") if len(blocks) == 1 else np.arange(side.shape[1])
            for side in (a, w)
        )
        place = np.ix_(blocks, rows, units)  # (blocks, c, r), like the results
        singles = [slot[single][place] for single in grid.singles]
        if grid.nodes.size > 1:
            self.whole.add(len(self.memory.shapes))  # the number of its tensor
        self.groups.append(
            Product(self.memory, grid.nodes[place], w[np.ix_(blocks, units)], a[np.ix_(blocks, rows)], singles)
        )

    def _plain(self, nodes: Ints) -> None:
        """Make groups of nodes of one level and operation, one for each combination of the operands' tensors."""
        operation = self.flat.operation(nodes[0])
        columns = self.memory.slot[self.flat.parents.table(nodes)]
        if operation.variadic and columns.shape[1] > 3:
            self._many(nodes, columns, operation)
            return
        rest: list[int] = []
        for members in equal_columns(self.memory.tensor[columns].T):
            if len(members) > FEW or self._is_whole(columns[members]):
                self._elementwise(nodes[members], columns[members], operation)
            else:
                rest += members.tolist()
        if len(rest) > FEW:
            self._elementwise(nodes[rest], columns[rest], operation)
        elif rest:
            self.groups.append(Tape(self.memory, [*self._operations(PLAIN, nodes[rest])]))

    def _many(self, nodes: Ints, columns: Ints, operation: Primitive) -> None:
        """Make one group of nodes with many operands, sorted by their first operands."""
        if operation in ALONG_AXIS:
            columns = np.sort(columns, axis=1)
        order = np.argsort(columns[:, 0], kind="stable")
        name = f"{operation.symbol} of {columns.shape[1]}"
        self.groups.append(ManyOperands(self.memory, nodes[order], [columns[order]], operation, name))

    def _is_whole(self, columns: Ints) -> bool:
        """Return whether the operand is the whole result of a layer: g(Z) stays one step, however few its units."""
        tensor, size = int(self.memory.tensor[columns[0, 0]]), columns.shape
        return tensor in self.whole and size == (np.prod(self.memory.shapes[tensor]), 1)

    def _elementwise(self, nodes: Ints, columns: Ints, operation: Primitive) -> None:
        """Make a group, laid out like the operand computed last of those that differ from node to node."""
        memory = self.memory
        # operands that differ for each result; in their order, at least these are read as a view
        full = [j for j in range(columns.shape[1]) if len(np.unique(columns[:, j])) == len(nodes)]
        leading = max(full, key=lambda j: int(columns[0, j])) if full else None
        order = np.lexsort(columns.T[::-1]) if leading is None else np.argsort(columns[:, leading], kind="stable")
        nodes, columns = nodes[order], columns[order]
        shape: tuple[int, ...] = nodes.shape
        if leading is not None:
            tensors = memory.tensor[columns[:, leading]]
            whole = memory.shapes[tensors[0]]
            if (tensors == tensors[0]).all() and int(np.prod(whole)) == len(nodes):
                shape = whole
        if self._is_whole(columns):
            self.whole.add(len(memory.shapes))
        operands = [column.reshape(shape) for column in columns.T]
        self.groups.append(Elementwise(memory, nodes.reshape(shape), operands, operation, operation.name))


def find_levels(flat: Flat, fused: Fused, rows: Rows) -> Ints:
    """Return the level of each remaining node; leaves have level 0.

    The level of a row is computed once, however many products contain it, which makes this fast for networks.
    """
    level = [0] * len(flat.nodes)
    row_level = cache(lambda row: max([level[p] for p in rows.content[row].tolist()]))
    # of products and sums, in the order in which the loop meets their nodes
    products, terms = zip(rows.w.tolist(), rows.a.tolist(), fused.singles), iter(fused.terms)
    kind, start, parents = fused.kind.tolist(), flat.parents.start.tolist(), flat.parents.items.tolist()
    for node in np.flatnonzero((fused.kind != FUSED) & (flat.parents.arity > 0)).tolist():
        if kind[node] == PRODUCT:
            w, a, singles = next(products)
            below = [row_level(w), row_level(a), *[level[p] for p in singles]]
        else:
            operands = next(terms) if kind[node] == SUM else parents[start[node] : start[node + 1]]
            below = [level[p] for p in operands]
        level[node] = 1 + max(below)
    return np.array(level)


def equal_columns(keys: Ints) -> list[Ints]:
    """Return, for each distinct column of ``keys`` in ascending order, the indices where it occurs.

    >>> [places.tolist() for places in equal_columns(np.array([[1, 0, 1], [5, 5, 5]]))]
    [[1], [0, 2]]
    """
    order = np.lexsort(keys[::-1])
    ends = np.flatnonzero(np.diff(keys[:, order]).any(axis=0)) + 1
    return np.split(order, ends) if order.size else []
