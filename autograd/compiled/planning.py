"""Turns a graph into instructions: equal operations that do not depend on each other become one loop.

1. ``fuse`` turns sums of products into single nodes, as for arrays. Each remaining node has a list of operands.
2. The level of a node is one more than the highest level of its operands. Products of one level whose rows meet
   become matrix products; other nodes of one level, entry and number of operands become a loop. Slots are in
   this order.
3. ``index`` contains the slots of all operands, loop by loop, in the layout that the loop's kernel reads.
"""

from collections.abc import Callable, Iterator, Sequence
from ctypes import CFUNCTYPE, addressof, c_int64, c_void_p
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autograd import primitives
from autograd.compiled.kernels import ALONE, BY_COLUMNS, BY_ROWS, MOST_LETTERS, ONE_BY_ONE, Shape, has_rows
from autograd.compiled.library import address, find_blas, kernel
from autograd.compiled.machine import LARGE, Step
from autograd.number_systems.arrays import Array
from autograd.replay.buffers import strided
from autograd.replay.flat_graph import Flat, Ints, Ragged
from autograd.replay.matmuls import find_grids, find_rows
from autograd.replay.schedule import equal_columns
from autograd.replay.sums import FUSED, PLAIN, Fused, fuse
from autograd.table import CONSTANT, Primitive
from autograd.text import counted

Int32s = NDArray[np.int32]
FOR_COLUMNS = 8  # results; with at least this many, a loop over arrays is faster than one over nodes
MOST_CONSTANTS = 8  # different exponents with their own kernels; if there are more, they are operands
FOR_PRODUCT = 32  # multiplications of a matrix product; smaller ones are separate sums
LAYOUTS = (ONE_BY_ONE, BY_COLUMNS, BY_ROWS)
MULTIPLYING, COPYING = range(2)  # the first kernels of each program


class Reads(NamedTuple):
    """The nodes that remain after fusing, and their operands."""

    nodes: Ints  # in the graph's order
    operands: Ragged  # of each node of the graph, except for fused nodes and for constants in kernels
    what: Ints  # for each of ``nodes``, its index in ``shapes``
    shapes: list[tuple[Primitive, int, tuple[str | None, ...]]]  # entry, number of operands, constants among them


class Grid(NamedTuple):
    """A matrix product Z = A Wᵀ + the singles, as nodes."""

    Z: Ints  # (c, r)
    W: Ints  # (r, n)
    A: Ints  # (c, n)
    singles: Ints  # (number, c, r)


class Slots:
    """The numbers of all remaining nodes, by slot, and space for the copies of matrix products."""

    def __init__(self, slot: Ints, constants: int, used: int, size: int) -> None:
        self.slot, self.constants, self.used = slot, constants, used
        self.values: Array = np.zeros(size)
        self.gradients: Array = np.zeros(size)
        self.value_at: Any = memoryview(self.values)  # type: ignore[arg-type]
        self.gradient_at: Any = memoryview(self.gradients)  # type: ignore[arg-type]


class CompiledPlan:
    """The instructions of a graph, and a call that runs them; has the attributes of ``Plan`` that ``Program`` uses.

    Raises TypeError for a rule that cannot be compiled.
    """

    engine = "compiled"

    def __init__(self, flat: Flat, parameters: Ints, inputs: Sequence[Ints]) -> None:
        if not flat.parents.arity.any():
            raise TypeError(f"{flat.nodes[-1]!r} is a leaf: there is nothing to compute")
        size = len(flat.nodes)
        self.flat, self.inputs = flat, inputs
        fused = fuse(flat, np.isin(np.arange(size), parameters))
        reads = _reads(flat, fused)
        level, wanted = np.zeros((2, size), np.int32)
        wanted[parameters] = 1
        _levels_of(reads.operands, level, wanted)
        # slots: constants, parameters, inputs, other leaves, then the results, loop by loop
        self.slot, self.used = np.full(size, -1, np.int32), 0
        constants = self._place(np.unique(flat.parents.items[flat.is_constant[flat.parents.items]]))
        self.parameters = range(constants, self._place(parameters))
        for some in inputs:
            self._place(some)
        self.others = np.flatnonzero((flat.parents.arity == 0) & (self.slot < 0) & ~flat.is_constant)
        self.first_computed = self._place(self.others)
        rank = np.where(self.slot >= 0, self.slot, self.used + np.arange(size))
        rank[flat.is_constant] = -1
        nodes, grids = reads.nodes, [*_find_products(fused, level, rank)]
        # nodes of a loop are in the order of the operand that was computed last; a product is row by row
        loop, place = reads.what, np.zeros(len(nodes), np.int64)
        some = np.flatnonzero(reads.operands.arity[nodes])
        if len(some):
            place[some] = np.maximum.reduceat(rank[reads.operands.items], reads.operands.start[nodes[some]])
        for i, grid in enumerate(grids, start=len(reads.shapes)):
            in_grid = np.searchsorted(nodes, grid.Z.ravel())
            loop[in_grid], place[in_grid] = i, np.arange(grid.Z.size)
        order = np.lexsort((place, loop, level[nodes]))
        nodes, loop = nodes[order], loop[order]
        self._place(nodes)
        # from here on, nodes are represented by slots
        wanted_slots = np.zeros(self.used, bool)
        wanted_slots[self.slot[wanted > 0]] = True
        lists = Ragged(reads.operands.arity, self.slot[reads.operands.items].astype(np.int32))
        starts = np.flatnonzero(np.diff(np.stack([level[nodes], loop]), prepend=-1).any(axis=0))
        if any(grid.Z.size * grid.W.shape[1] >= LARGE for grid in grids):
            find_blas()
        writer = _Writer(wanted_slots, max([grid.W.size for grid in grids], default=0))
        writer.loops(reads.shapes, lists, nodes, loop, starts, self.first_computed)
        place_of = dict(zip(loop[starts].tolist(), range(len(starts))))
        for i, grid in enumerate(grids, start=len(reads.shapes)):
            writer.product(place_of[i], *(self.slot[x] for x in grid))
        self._finish(writer, constants)

    def _place(self, nodes: Ints) -> int:
        """Give the nodes the next slots, and return the slot after them."""
        self.slot[nodes] = np.arange(self.used, self.used + len(nodes))
        self.used += len(nodes)
        return self.used

    def _finish(self, writer: "_Writer", constants: int) -> None:
        size = len(self.flat.nodes)
        self.memory = memory = Slots(self.slot, constants, self.used, writer.used)
        self.node_at = np.empty(self.used, np.int32)  # the node of each slot
        placed = np.flatnonzero(self.slot >= 0)
        self.node_at[self.slot[placed]] = placed
        memory.values[: self.used] = self.flat.data[self.node_at]
        self.root = int(self.slot[size - 1])
        forward, backward, late = writer.instructions()
        if np.array_equal(forward, late):
            late = forward
        self.passes = forward, late if np.array_equal(backward, late) else backward
        self.index, self.tables = np.concatenate(writer.index), np.array(writer.kernels).T.copy()
        self.reason = f"{counted(self.used - self.first_computed, 'number')} in {counted(len(forward), 'loop')}"
        self.run = self.call()
        self.late = [self.call(late=late)]

    def call(self, groups: Any = (), late: Int32s | None = None) -> Callable[[], bool]:
        """Return a call that runs both passes, and returns whether all numbers were finite.

        groups   updates of parameters after the passes: an array of ``machine.Update``
        late     the instructions of a backward pass that runs without a forward pass
        """
        (forward, backward), memory = self.passes, self.memory
        backward = backward if late is None else late
        arrays = forward, self.tables[0], backward, self.tables[1], memory.values, memory.gradients, self.index
        to, to_table, back, back_table, values, gradients, index = (x.ctypes.data for x in arrays)
        step = Step(
            to, len(forward) if late is None else 0, to_table, back, len(backward), back_table, values, gradients,
            index, len(memory.values), memory.constants, memory.used - memory.constants, len(self.parameters),
            self.root, addressof(groups) if groups else None, len(groups),
        )  # fmt: skip
        function, place = _function("step", 1, 0), addressof(step)

        def run(kept: Any = (step, arrays, groups)) -> bool:
            return not function(place)

        return run


@cache
def _function(name: str, pointers: int, numbers: int) -> Any:
    """Return a function of the machine."""
    return CFUNCTYPE(c_int64, *[c_void_p] * pointers, *[c_int64] * numbers)(address(f"chainrule_{name}"))


def _levels_of(operands: Ragged, level: Int32s, wanted: Int32s) -> None:
    """Compute in place the level of each node, 0 for leaves, and whether it is or depends on a parameter."""
    _function("levels", 4, 1)(*(x.ctypes.data for x in (operands.start, operands.items, level, wanted)), len(level))


def _reads(flat: Flat, fused: Fused) -> Reads:
    size, entries = len(flat.nodes), [*flat.operations, primitives.sum, primitives.dot, primitives.affine]
    of_sum = len(flat.operations)
    kept = np.ones(len(flat.parents.items), bool)  # all operands except for the constants in kernels
    written: dict[int, Any] = {}  # for entries with constants: their positions, distinct rows, and each node's row
    for i, entry in enumerate(flat.operations):
        if entry is not None and entry.takes_constants:
            places = [j for j, domain in enumerate(entry.domains) if domain is CONSTANT]
            slots = flat.parents.start[np.flatnonzero(flat.code == i)][:, None] + places
            bits = flat.data[flat.parents.items[slots]].view(np.int64)
            rows, which = np.unique(bits, axis=0, return_inverse=True)
            if len(rows) <= MOST_CONSTANTS:
                kept[slots] = False
                written[i] = places, rows.view(np.float64).tolist(), which.ravel()
    arity = flat.parents.arity - np.bincount(np.repeat(np.arange(size), flat.parents.arity)[~kept], minlength=size)
    parents = Ragged(arity, flat.parents.items[kept])
    code, arity = flat.code.copy(), np.where(fused.kind == FUSED, 0, arity)
    code[fused.sums], arity[fused.sums] = of_sum, fused.terms.arity
    code[fused.products] = of_sum + 1 + (fused.singles.arity > 0)
    arity[fused.products] = fused.w.arity + fused.a.arity + fused.singles.arity
    operands = Ragged(arity, np.empty(int(arity.sum()), np.int32))
    plain = np.flatnonzero((fused.kind == PLAIN) & (flat.parents.arity > 0))
    copy_lists(operands.items, operands.start[plain], parents, plain)
    copy_lists(operands.items, operands.start[fused.sums], fused.terms)
    begin = operands.start[fused.products]
    for part in (fused.w, fused.a, fused.singles):
        copy_lists(operands.items, begin, part)
        begin = begin + part.arity
    nodes = np.flatnonzero((fused.kind != FUSED) & (flat.parents.arity > 0))
    shapes: list[Any] = []
    what = np.zeros(size, np.int64)
    keys = np.stack([code[nodes], arity[nodes]])
    for same in equal_columns(keys):
        i, n = keys[:, same[0]].tolist()
        what[nodes[same]] = len(shapes)
        if i in written:
            places, rows, which = written[i]
            what[nodes[same]] += which
            for row in rows:
                constants = {j: x.hex() for j, x in zip(places, row)}
                shapes.append((entries[i], n + len(places), tuple(map(constants.get, range(n + len(places))))))
        else:
            shapes.append((entries[i], n, ()))
    return Reads(nodes, operands, what[nodes], shapes)


def copy_lists(into: NDArray[Any], begin: Ints, lists: Ragged, which: Ints | None = None) -> None:
    """Copy lists to their positions in an array."""
    n, start = lists.arity, lists.start[:-1]
    if which is not None:
        n, start = n[which], start[which]
    ramp = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n)
    into[np.repeat(begin, n) + ramp] = lists.items[np.repeat(start, n) + ramp]


def _find_products(fused: Fused, level: Int32s, rank: Ints) -> Iterator[Grid]:
    """Yield the matrix products, with the rows of A and W in the order of their first operands."""
    rows, sizes = find_rows(fused), fused.w.arity
    for members in equal_columns(np.stack([level[fused.products], sizes, fused.singles.arity])):
        n, singles = int(sizes[members[0]]), int(fused.singles.arity[members[0]])
        if n * len(members) < FOR_PRODUCT and singles < 2:
            continue
        grids, apart = find_grids(fused, rows, members)
        left_over = [apart]
        for blocks in grids:
            for nodes, w, a, s in zip(blocks.nodes, blocks.w, blocks.a, np.moveaxis(blocks.singles, 1, 0)):
                c, r = nodes.shape
                if (min(c, r) > 1 or n >= 16) and c * r * n >= FOR_PRODUCT:
                    place = np.ix_(np.argsort(rank[a[:, 0]], kind="stable"), np.argsort(rank[w[:, 0]], kind="stable"))
                    yield Grid(nodes[place], w[place[1][0]], a[place[0][:, 0]], s[:, *place])
                elif singles > 1:
                    left_over.append(np.searchsorted(fused.products, nodes.ravel()))
        for i in np.concatenate(left_over).tolist() if singles > 1 else ():  # no entry adds two singles
            w, a, s = (np.array([side[i]]) for side in (fused.w, fused.a, fused.singles))
            yield Grid(fused.products[[[i]]], w, a, s.T[..., None])


class _Writer:
    """Writes the index, and an instruction (kernel, begin, first slot, count) for each loop."""

    def __init__(self, wanted: NDArray[np.bool_], room: int) -> None:
        self.wanted, self.room = wanted, len(wanted)  # space to transpose a matrix; copies follow
        self.used = self.room + room
        self.index: list[Int32s] = []
        self.products: list[tuple[Any, ...]] = []  # index of the loop; instructions forward, backward, late

    def loops(self, shapes: list[Any], lists: Ragged, nodes: Ints, loop: Ints, starts: Ints, first_slot: int) -> None:
        """Write all loops at once, but leave those of matrix products empty."""
        counts, what = np.diff(starts, append=len(nodes)), loop[starts]
        arity = np.where(what < len(shapes), lists.arity[nodes[starts]], 0)
        has_row = np.array([has_rows(entry) for entry, *_ in shapes] + [False])
        layout = np.where(
            arity > MOST_LETTERS, 2 * has_row[np.minimum(what, len(shapes))], (counts >= FOR_COLUMNS) & (arity > 0)
        )
        head = np.choose(layout, [np.zeros_like(arity), arity, np.ones_like(arity)])
        end = np.cumsum(head + counts * arity)
        begin = end - counts * arity
        index = np.zeros(int(end[-1]), np.int32)
        kept = np.repeat(arity > 0, counts)
        within = np.arange(len(nodes)) - np.repeat(starts, counts)
        copy_lists(index, (np.repeat(begin, counts) + within * np.repeat(arity, counts))[kept], lists, nodes[kept])
        for i in np.flatnonzero(layout == 1).tolist():
            columns = index[begin[i] : end[i]].reshape(counts[i], arity[i]).T.copy()
            index[begin[i] : end[i]] = columns.ravel()
            follow = (columns == columns[:, :1] + np.arange(counts[i])).all(axis=1)
            index[begin[i] - arity[i] : begin[i]] = np.where(follow, columns[:, 0], -1)
        for i in np.flatnonzero(layout == 2).tolist():
            entry = shapes[what[i]][0]
            index[begin[i] - 1] = (arity[i] - (entry.least - entry.step)) // entry.step
        kinds, kernel_of = np.unique(what * len(LAYOUTS) + layout, return_inverse=True)
        wanted = [Shape(primitives.identity, 1, (), BY_COLUMNS)]  # for copies; also a placeholder for products
        in_vectors = {shapes[k // len(LAYOUTS)][0] for k in kinds.tolist() if k % len(LAYOUTS)}
        for kind in kinds.tolist():
            k, of_layout = divmod(kind, len(LAYOUTS))
            entry, n, constants = shapes[k] if k < len(shapes) else (primitives.identity, 1, ())
            lies = LAYOUTS[of_layout] if of_layout or entry in in_vectors else ALONE
            wanted.append(Shape(entry, 0 if lies == BY_ROWS else n, constants, lies))
        product = address("chainrule_product_f"), address("chainrule_product_b")
        self.kernels = [product, *map(kernel, wanted)]
        fields = [2 + kernel_of.ravel(), begin - head, first_slot + starts, counts]
        self.table = np.stack(fields, axis=1).astype(np.int32)
        self.is_loop = what < len(shapes)
        self.is_wanted = np.logical_or.reduceat(self.wanted[first_slot:], starts)
        self.index.append(index)
        self.end = len(index)

    def product(self, before: int, Z: Ints, W: Ints, A: Ints, singles: Ints) -> None:
        """Write a matrix product, and copies of matrices that are not stored row by row."""
        (c, r), n = Z.shape, W.shape[1]
        copies: list[list[int]] = []
        copies_back: list[list[int]] = []

        def rowwise(slots: Ints) -> tuple[int, int]:
            """Return the first slot and the distance of rows, of these slots or of their copies."""
            steps = strided(slots)
            if steps is not None and (slots.shape[1] == 1 or steps[1] == 1) and steps[0] >= 0:
                return int(slots[0, 0]), steps[0]
            copies.append([COPYING, self._append(-1, *slots.ravel().tolist()), self.used, slots.size])
            copies_back.extend(copies[-1:] if self._is_wanted(slots) else ())
            self.used += slots.size
            return self.used - slots.size, slots.shape[1]

        head = [c, r, n, *rowwise(W), *rowwise(A)]
        tail = [self.room, len(singles), *(x for slots in singles for x in rowwise(slots))]
        begin = self._append(*head, self._is_wanted(W), self._is_wanted(A), *tail)
        all_wanted = self._append(*head, 1, 1, *tail)
        now, late = ([MULTIPLYING, begin, int(Z[0, 0]), 1] for begin in (begin, all_wanted))
        back = [now] if self.wanted[Z[0, 0]] else []
        self.products.append((before, [*copies, now], [*copies_back, *back], [*copies, late]))

    def _is_wanted(self, slots: Ints) -> bool:
        return bool(self.wanted[slots].any())

    def _append(self, *numbers: int) -> int:
        """Append numbers to the index, and return their position."""
        self.index.append(np.array(numbers, np.int32))
        self.end += len(numbers)
        return self.end - len(numbers)

    def instructions(self) -> Iterator[Int32s]:
        """Yield three lists of instructions: forward, backward for the parameters, and backward for all leaves."""
        for part, kept in ((1, self.is_loop), (2, self.is_loop & self.is_wanted), (3, self.is_loop)):
            rows = [(product[0], row) for product in self.products for row in product[part]]
            places = [place for place, _ in rows]
            table = np.insert(self.table, places, [row for _, row in rows], axis=0) if rows else self.table
            yield np.ascontiguousarray(table[np.insert(kept, places, True)], np.int32)
