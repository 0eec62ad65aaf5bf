"""Groups of equal operations: steps that compute their values, and steps that pass gradients to their operands.

Elementwise groups run the table's rules on arrays. A matrix product Z = A Wᵀ + b with δ = ∂L/∂Z passes back
∂L/∂W = δᵀ A, ∂L/∂A = δ W and ∂L/∂b, the sum of δ over the rows.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from autograd import primitives
from autograd.number_systems import floats
from autograd.number_systems.arrays import Array
from autograd.replay.buffers import Compute, Memory, Step
from autograd.replay.fast_arrays import quick, stacked
from autograd.replay.flat_graph import Ints
from autograd.table import Primitive

ALONG_AXIS = (primitives.sum, primitives.logsumexp)  # they treat all operands alike
Operation = tuple[int, Primitive, list[int]]  # a node's index, its primitive, the indices of its operands


class Group(ABC):
    """Equal operations of one level."""

    nodes: Ints  # the indices of their results in the graph, in the shape of their block
    out: Ints  # their slots
    columns: list[Ints]  # the slots of each operand
    operation: Primitive
    counts: Counter[str]  # of operations by name, for a program's text
    n = 1  # multiplications per result
    kept: list[Any]  # the local derivatives of the latest run

    def __init__(self, memory: Memory, nodes: Ints, columns: list[Ints], operation: Primitive, name: str) -> None:
        self.memory, self.nodes, self.columns, self.operation = memory, nodes, columns, operation
        self.counts = Counter({name: nodes.size})
        first = memory.used
        self.out = memory.place(nodes, wanted=any(memory.wanted[column].any() for column in columns))
        block = slice(first, memory.used)
        self.value, self.gradient = (x[block].reshape(nodes.shape) for x in (memory.values, memory.gradients))

    @abstractmethod
    def forward(self) -> list[Step]:
        """Return the steps that compute the values."""

    @abstractmethod
    def backward(self, late: bool) -> list[Step]:
        """Return the steps that add to the operands' gradients, or if ``late``, to those that no parameter needs."""

    def rule_step(self, system: Any, operands: Sequence[Any]) -> Step:
        """Run the rule once on arrays; return the step that runs it again and keeps the local derivatives."""
        rule, out = self.operation.rule, self.value
        try:
            with np.errstate(all="ignore"):
                _, local_derivatives = rule(system, *operands)
        except (TypeError, ValueError, AttributeError) as error:
            raise TypeError(
                f"primitive {self.operation.name}: its rule cannot run on arrays ({error}); use the functions of "
                "its number system, such as n.exp instead of math.exp and n.where instead of if"
            ) from None
        kept = self.kept = list(local_derivatives)

        def run() -> None:
            value, kept[:] = rule(system, *operands)
            out[...] = value

        return run


class Tape(Group):
    """Runs the rules of nodes on floats, one by one. A node may read an earlier one."""

    def __init__(self, memory: Memory, operations: list[Operation]) -> None:
        self.memory, self.columns, self.kept = memory, [], []
        self.counts = Counter(primitive.name for _, primitive, _ in operations)
        self.nodes = np.array([node for node, _, _ in operations])
        self.out = memory.place(self.nodes)
        slot, wanted = memory.slot_at, memory.wanted_at
        self.tape: list[tuple[Callable[..., Any], int, list[int]]] = []  # rule, slot, slots of the operands
        for node, primitive, operands in operations:
            places = [slot[i] for i in operands]
            wanted[slot[node]] = any(wanted[i] for i in places)
            self.tape.append((primitive.rule, slot[node], places))

    def forward(self) -> list[Step]:
        values, kept = self.memory.value_at, self.kept
        keep = kept.append
        # most rules have one or two operands: a branch for each makes a tape a third faster
        tape = [(rule, out, places[0], places[-1], len(places), places) for rule, out, places in self.tape]

        def run() -> None:
            kept.clear()
            for rule, out, i, j, count, places in tape:
                if count == 1:
                    values[out], local = rule(floats, values[i])
                elif count == 2:
                    values[out], local = rule(floats, values[i], values[j])
                else:
                    values[out], local = rule(floats, *[values[i] for i in places])
                keep(local)

        return [run]

    def backward(self, late: bool) -> list[Step]:
        gradients, written, wanted = self.memory.gradient_at, self.memory.written_at, self.memory.wanted_at
        kept, constants = self.kept, self.memory.constants
        edges = []
        for k, (_, out, places) in reversed([*enumerate(self.tape)]):
            for j, place in enumerate(places):
                if place >= constants and wanted[place] != late:
                    edges.append((out, k, j, place, not written[place]))
                    written[place] = True

        def run() -> None:
            for out, k, j, place, fresh in edges:
                upstream = gradients[out]
                share = upstream * kept[k][j] if upstream else 0.0
                gradients[place] = share if fresh else gradients[place] + share

        return [run] if edges else []


class Elementwise(Group):
    """Runs one rule on arrays, with one array per operand."""

    def forward(self) -> list[Step]:
        steps: list[Step] = []
        operands: list[Any] = [self.memory.read(column, steps) for column in self.columns]
        for j, (column, numbers) in enumerate(zip(self.columns, operands)):
            if column.max() < self.memory.constants and (numbers == numbers.flat[0]).all():
                operands[j] = float(numbers.flat[0])
        return [*steps, self.rule_step(quick, operands)]

    def backward(self, late: bool) -> list[Step]:
        shares = [share(self.gradient, self.kept, j, column.shape) for j, column in enumerate(self.columns)]
        return [step for column, s in zip(self.columns, shares) for step in self.memory.add(column, s, late)]


def share(gradient: Array, kept: list[Any], j: int, shape: tuple[int, ...]) -> Array | Compute:
    """Return the contribution to an operand of this shape: upstream times the local derivative ``kept[j]``."""
    if isinstance(kept[j], float) and kept[j] == 1.0:  # rules do not branch, so it is 1 in every run
        return np.broadcast_to(gradient, shape)
    return lambda out: np.multiply(gradient, kept[j], out=out)


class ManyOperands(Group):
    """Runs a rule with many operands: Σ and logΣexp along an axis, others with one array per operand."""

    def forward(self) -> list[Step]:
        steps: list[Step] = []
        self.columns = [np.ascontiguousarray(self.columns[0].T)]  # (operands, results)
        operands = self.memory.read(self.columns[0], steps)
        self.along_axis = self.operation in ALONG_AXIS
        step = self.rule_step(stacked, [operands]) if self.along_axis else self.rule_step(quick, list(operands))
        return [*steps, step]

    def backward(self, late: bool) -> list[Step]:
        [column], gradient, kept = self.columns, self.gradient, self.kept

        def compute(out: Array) -> None:
            for row, local in zip(out, kept):
                np.multiply(gradient, local, out=row)

        return self.memory.add(column, share(gradient, kept, 0, column.shape) if self.along_axis else compute, late)


class Product(Group):
    """Z = A Wᵀ + b in blocks; ``columns`` are the slots of W (blocks, r, n), A (blocks, c, n) and the added terms."""

    def __init__(self, memory: Memory, nodes: Ints, w: Ints, a: Ints, singles: list[Ints]) -> None:
        self.blocks, self.c, self.r = nodes.shape
        self.n = w.shape[-1]
        shape = tuple(size for size in nodes.shape if size > 1) or (1,)
        columns = [w, a, *(s.reshape(shape) for s in singles)]
        super().__init__(memory, nodes.reshape(shape), columns, primitives.affine, f"Σ of {self.n} products")

    def forward(self) -> list[Step]:
        steps: list[Step] = []
        self.W, self.A, *singles = [self.memory.read(column, steps) for column in self.columns]
        Z = self.value.reshape(self.blocks, self.c, self.r)
        steps.append(partial(np.matmul, self.A, self.W.swapaxes(1, 2), Z))
        return [*steps, *(partial(np.add, self.value, single, self.value) for single in singles)]

    def backward(self, late: bool) -> list[Step]:
        w, a, *singles = self.columns
        W, A, delta = self.W, self.A, self.gradient.reshape(self.blocks, self.c, self.r)
        shares: list[tuple[Ints, Array | Compute]] = [(single, self.gradient) for single in singles]
        if self.c == self.r == 1 and np.array_equal(w, a):  # Σ w² has the derivative 2w
            shares.append((w, lambda out: np.multiply(2.0 * delta, W, out=out)))
        else:
            shares += (w, partial(np.matmul, delta.swapaxes(1, 2), A)), (a, partial(np.matmul, delta, W))
        return [step for column, share in shares for step in self.memory.add(column, share, late)]
