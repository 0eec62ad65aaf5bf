"""A group is many equal operations at once: how it runs forward, and what it gives back to its operands.

Elementwise groups run the table's rules on arrays. Of a matrix product Z = A Wᵀ + b, with δ = ∂L/∂Z, flow back
∂L/∂W = δᵀ A, ∂L/∂A = δ W and ∂L/∂b, the sum of δ over the rows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from autograd.number_systems import floats
from autograd.number_systems.arrays import Array
from autograd.primitives import Primitive
from autograd.replay import quick, stacked
from autograd.replay.flattening import Ints
from autograd.replay.memory import Memory, Step


class Group(ABC):
    """Equal operations of one level.

    nodes     the places of their results in the graph, in the shape in which they lie
    out       their slots
    columns   the slots of each operand
    """

    def __init__(self, memory: Memory, nodes: Ints, columns: list[Ints], operation: Primitive | None) -> None:
        self.memory, self.nodes, self.operation = memory, nodes, operation
        self.columns = columns
        wanted = any(bool(memory.wanted[column].any()) for column in columns)
        self.out = memory.place(nodes, wanted)
        value, gradient = memory.view(memory.values, self.out), memory.view(memory.gradients, self.out)
        assert value is not None and gradient is not None
        self.value, self.gradient = value, gradient

    @abstractmethod
    def forward(self) -> list[Step]:
        """What computes the values."""

    @abstractmethod
    def backward(self, late: bool) -> list[Step]:
        """What gives the operands their share; ``late``: those that no parameter needs, else the others."""

    def is_due(self, column: Ints, late: bool) -> bool:
        """Whether this operand's gradient is computed now; that of constants never is."""
        if column.max() < self.memory.constants:
            return False
        return bool(self.memory.wanted[column].any()) != late


class Scalar(Group):
    """One node alone: its rule on floats, as in the eager engine."""

    def forward(self) -> list[Step]:
        assert self.operation is not None
        rule, places = self.operation.rule, [int(column.flat[0]) for column in self.columns]
        values, out = self.memory.value_at, int(self.out.flat[0])
        self.kept: list[Any] = [None]
        kept = self.kept
        if len(places) == 1:
            [i] = places

            def run() -> None:
                values[out], kept[0] = rule(floats, values[i])
        elif len(places) == 2:
            i, j = places

            def run() -> None:
                values[out], kept[0] = rule(floats, values[i], values[j])
        else:

            def run() -> None:
                values[out], kept[0] = rule(floats, *[values[i] for i in places])

        return [run]

    def backward(self, late: bool) -> list[Step]:
        memory, kept = self.memory, self.kept
        gradients, out = memory.gradient_at, int(self.out.flat[0])
        due = []
        for j, column in enumerate(self.columns):
            if self.is_due(column, late):
                place = int(column.flat[0])
                due.append((j, place, not memory.written[place]))
                memory.written[place] = True
        if not due:
            return []
        if len(due) == 1:
            [(only, there, new)] = due

            def run_one() -> None:
                upstream = gradients[out]
                share = upstream * kept[0][only] if upstream else 0.0
                gradients[there] = share if new else gradients[there] + share

            return [run_one]

        def run() -> None:
            upstream = gradients[out]
            for j, place, fresh in due:
                share = upstream * kept[0][j] if upstream else 0.0
                gradients[place] = share if fresh else gradients[place] + share

        return [run]


class Elementwise(Group):
    """One rule on arrays, an array for each operand."""

    def forward(self) -> list[Step]:
        assert self.operation is not None
        steps: list[Step] = []
        operands = [self._operand(column, steps) for column in self.columns]
        rule, out = self.operation.rule, self.value
        with np.errstate(all="ignore"):
            _, local_derivatives = rule(quick, *operands)
        self.kept = list(local_derivatives)
        kept = self.kept

        def run() -> None:
            value, kept[:] = rule(quick, *operands)
            out[...] = value

        return [*steps, run]

    def _operand(self, column: Ints, steps: list[Step]) -> Any:
        if column.max() < self.memory.constants:
            numbers = self.memory.values[column]
            first = float(numbers.flat[0])
            return first if (numbers == first).all() else numbers
        return self.memory.read(column, steps)

    def backward(self, late: bool) -> list[Step]:
        steps: list[Step] = []
        for j, column in enumerate(self.columns):
            if self.is_due(column, late):
                steps += give(self.memory, column, self.gradient, self.kept, j)
        return steps


def give(memory: Memory, column: Ints, gradient: Array, kept: list[Any], j: int) -> list[Step]:
    """Steps that add upstream times the local derivative ``kept[j]`` to the operand's gradient."""
    local = kept[j]
    if isinstance(local, float):  # a rule without ``if`` gives the same number every time
        if local == 0.0:
            return []
        if local == 1.0:
            return memory.add(column, np.broadcast_to(gradient, column.shape), None)
    return memory.add(column, None, lambda out: np.multiply(gradient, kept[j], out=out))


class ManyOperands(Group):
    """Rules of many operands: Σ and logΣexp along an axis, others with an array for each operand."""

    def forward(self) -> list[Step]:
        from autograd import primitives

        assert self.operation is not None
        steps: list[Step] = []
        self.columns = [np.ascontiguousarray(self.columns[0].T)]  # (operands, results)
        operands = self.memory.read(self.columns[0], steps)
        rule, out = self.operation.rule, self.value
        self.along_axis = self.operation in (primitives.sum, primitives.logsumexp)
        system: Any = stacked if self.along_axis else quick
        given = [operands] if self.along_axis else list(operands)
        with np.errstate(all="ignore"):
            _, local_derivatives = rule(system, *given)
        self.kept = list(local_derivatives)
        kept = self.kept

        def run() -> None:
            value, kept[:] = rule(system, *given)
            out[...] = value

        return [*steps, run]

    def backward(self, late: bool) -> list[Step]:
        [column] = self.columns
        if not self.is_due(column, late):
            return []
        gradient, kept = self.gradient, self.kept
        if self.along_axis:
            return give(self.memory, column, gradient, kept, 0)

        def compute(out: Array) -> None:
            for share, local in zip(out, kept):
                np.multiply(gradient, local, out=share)

        return self.memory.add(column, None, compute)


class Product(Group):
    """Z = A Wᵀ + b for rows of A and W: ``columns`` are W (blocks, r, n), A (blocks, c, n) and what is added."""

    def __init__(self, memory: Memory, nodes: Ints, w: Ints, a: Ints, singles: list[Ints]) -> None:
        self.blocks, self.c, self.r = nodes.shape
        self.n = w.shape[-1]
        lying = tuple(size for size in nodes.shape if size > 1) or (1,)
        super().__init__(memory, nodes.reshape(lying), [w, a, *(s.reshape(lying) for s in singles)], None)

    def forward(self) -> list[Step]:
        steps: list[Step] = []
        w, a = self.columns[:2]
        if self.blocks == 1:
            w, a = w[0], a[0]
        W, A, out = self.memory.read(w, steps), self.memory.read(a, steps), self.value
        self.W, self.A = W, A
        if self.blocks == self.c == self.r == 1:
            w1, a1, z0 = W[0], A[0], out.reshape(())
            steps.append(partial(np.matmul, w1, a1, z0))
        elif self.blocks == 1:
            Wt, Z = W.T, out.reshape(self.c, self.r)
            steps.append(partial(np.matmul, A, Wt, Z))
        elif self.c == self.r == 1:
            w2, a2 = W[:, 0], A[:, 0]
            steps.append(lambda: np.einsum("bn,bn->b", w2, a2, out=out))
        else:
            Wts, Zs = W.swapaxes(1, 2), out.reshape(self.blocks, self.c, self.r)
            steps.append(partial(np.matmul, A, Wts, Zs))
        for column in self.columns[2:]:
            single = self.memory.read(column, steps)
            steps.append(partial(np.add, out, single, out))
        return steps

    def backward(self, late: bool) -> list[Step]:
        memory = self.memory
        steps: list[Step] = []
        w, a = self.columns[:2]
        W, A = self.W, self.A
        if self.blocks == 1:
            w, a = w[0], a[0]
        delta: Array = self.gradient.reshape((self.blocks, self.c, self.r)[self.blocks == 1 :])
        for column in self.columns[2:]:
            if self.is_due(column, late):
                steps += memory.add(column, self.gradient, None)
        first: Callable[[Array], object]
        second: Callable[[Array], object]
        if self.c == self.r == 1:
            if np.array_equal(w, a):  # Σ w²: its derivative is 2w
                return [*steps, *(memory.add(w, None, self._times(W, 2.0)) if self.is_due(w, late) else [])]
            first, second = self._times(A, 1.0), self._times(W, 1.0)
        else:
            delta_t = delta.swapaxes(-1, -2)
            first, second = partial(np.matmul, delta_t, A), partial(np.matmul, delta, W)
        if self.is_due(w, late):
            steps += memory.add(w, None, first)
        if self.is_due(a, late):
            steps += memory.add(a, None, second)
        return steps

    def _times(self, rows: Array, factor: float) -> Callable[[Array], object]:
        """factor · δ of each block times its one row."""
        if self.blocks == 1:  # a number times an array
            gradients, place = self.memory.gradient_at, int(self.out.flat[0])
            return lambda out: np.multiply(factor * gradients[place], rows, out=out)
        delta = self.gradient.reshape(-1, 1, 1)
        if factor == 1.0:
            return partial(np.multiply, delta, rows)
        return lambda out: np.multiply(factor * delta, rows, out=out)
