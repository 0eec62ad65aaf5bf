"""Stores all values in one array and all gradients in another, which are read and written through views.

Operands in equally spaced slots are a strided view, which copies nothing; others are gathered. The first contribution
to a gradient is written to its slot, and the others are added.
"""

from collections.abc import Callable
from functools import partial
from math import isfinite
from typing import Any

import numpy as np

from autograd.number_systems.arrays import Array
from autograd.replay.flat_graph import Ints

Step = Callable[[], object]  # usually a partial of a NumPy function, without a Python frame in between
Compute = Callable[[Array], object]
_numbers: Any = memoryview  # also of floats and bools, which its type does not declare


def strided(index: Ints) -> tuple[int, ...] | None:
    """Return the step along each axis, if it is constant: index[i, j] = index[0, 0] + i · step_0 + j · step_1.

    >>> strided(np.array([[3, 5], [4, 6]]))
    (1, 2)
    >>> strided(np.array([1, 2, 4])) is None
    True
    """
    if not index.size:
        return None
    first, axes = int(index.flat[0]), range(index.ndim)
    steps = tuple(int(index.take(1, axis).flat[0]) - first if index.shape[axis] > 1 else 0 for axis in axes)
    expected = first + sum(map(np.multiply, steps, np.ix_(*map(np.arange, index.shape))))
    return steps if np.array_equal(expected, index) else None


def is_finite(array: Array) -> bool:
    """Return whether all numbers are finite: true if their sum of squares is finite; if not, each is tested.

    >>> with np.errstate(over="ignore"):  # as in a run
    ...     is_finite(np.array([1e200, -1e200])), is_finite(np.array([1e200, -np.inf]))
    (True, False)
    """
    return isfinite(np.dot(array, array)) or bool(np.isfinite(array).all())


class Memory:
    """The two arrays, the slot of each node, and the gradients that the steps planned so far have written."""

    def __init__(self, nodes: int, slots: int) -> None:
        self.values: Array = np.zeros(slots)
        self.gradients: Array = np.zeros(slots)
        # the same numbers as floats: reading one from a memoryview is faster than from an array
        self.value_at, self.gradient_at = _numbers(self.values), _numbers(self.gradients)
        self.slot: Ints = np.full(nodes, -1)  # of each node; −1 if it has none
        self.tensor: Ints = np.full(slots, -1)  # of each slot, the block that contains it
        self.shapes: list[tuple[int, ...]] = []  # of those blocks
        self.used = 0
        self.constants = 0  # the number of slots at the beginning, which never change
        # for each slot: whether a parameter needs its gradient, whether a step writes it, whether it must be set to 0
        self.wanted, self.written, self.to_clear = np.zeros((3, slots), dtype=bool)
        self.slot_at, self.wanted_at, self.written_at = map(_numbers, (self.slot, self.wanted, self.written))

    def place(self, nodes: Ints, wanted: bool = False) -> Ints:
        """Give the nodes the next slots, as a block of their shape, and return the slots."""
        index = np.arange(self.used, self.used + nodes.size).reshape(nodes.shape)
        self.slot[nodes] = index
        self.tensor[index] = len(self.shapes)
        self.wanted[index] = wanted
        self.shapes.append(nodes.shape)
        self.used += nodes.size
        return index

    def view(self, buffer: Array, index: Ints) -> Array | None:
        """Return these slots of values or gradients as a view, or None if they are not equally spaced."""
        steps = strided(index)
        if steps is None:
            return None
        return np.ndarray(index.shape, np.float64, buffer, 8 * int(index.flat[0]), [8 * step for step in steps])

    def read(self, index: Ints, steps: list[Step]) -> Array:
        """Return the values in these slots. If they must be gathered, append a step that gathers them."""
        view = self.view(self.values, index)
        if view is not None:
            return view
        values, gathered = self.values, self.values[index]
        if index.max() >= self.constants:
            steps.append(lambda: np.take(values, index, out=gathered, mode="clip"))
        return gathered

    def clear(self) -> list[Step]:
        """Return the step that sets slots to 0 before others add to them, if there are any; forget these slots."""
        places = np.flatnonzero(self.to_clear)
        self.to_clear[:] = False
        view = self.view(self.gradients, places)
        if view is not None:
            return [partial(view.fill, 0.0)]
        return [partial(self.gradients.__setitem__, places, 0.0)] if places.size else []

    def add(self, index: Ints, given: Array | Compute, late: bool) -> list[Step]:
        """Return steps that add to the gradients of these slots, if this pass computes them; constants have none.

        given   an array that will contain the contribution, or a function that writes it into an array
        late    whether this is the pass for gradients that no parameter needs
        """
        if index.max() < self.constants or self.wanted[index].any() == late:
            return []
        strides = strided(index)
        # an axis whose step is 0 reads one number many times, so its contributions are summed
        repeated = tuple(axis for axis, n in enumerate(index.shape) if strides and n > 1 and strides[axis] == 0)
        # the slots without repetitions, which are a view if they are all different
        once = np.asarray(index[tuple(0 if axis in repeated else slice(None) for axis in range(index.ndim))])
        view = self.view(self.gradients, once) if np.unique(once).size == once.size else None
        steps: list[Step] = []
        if view is None or repeated:
            if not isinstance(given, np.ndarray):
                compute, given = given, np.empty(index.shape)
                steps = [partial(compute, given)]
            if view is None:
                return [*steps, self._scattered(index, given)]
            given = _summed(given, repeated)
        fresh = self._note(once)
        if isinstance(given, np.ndarray):
            return [partial(view.__setitem__, ..., given) if fresh else partial(np.add, view, given, view)]
        if fresh:
            return [*steps, partial(given, view)]
        buffer = np.empty_like(view)  # in the view's memory order, so that both are traversed alike
        return [*steps, partial(given, buffer), partial(np.add, view, buffer, view)]

    def _scattered(self, index: Ints, given: Array) -> Step:
        """Return the step for slots in any order: contributions are sorted by slot, and summed for each slot."""
        gradients, flat = self.gradients, index.ravel()
        order = np.argsort(flat, kind="stable")
        places, starts = np.unique(flat[order], return_index=True)
        total: Callable[[], Array] = lambda: np.add.reduceat(given.ravel()[order], starts)  # noqa: E731
        if places.size == flat.size:
            places, total = flat, given.ravel
        if self._note(places):
            return lambda: gradients.__setitem__(places, total())
        return lambda: gradients.__setitem__(places, gradients[places] + total())

    def _note(self, index: Ints) -> bool:
        """Mark these slots as written; return whether all are new. If only some are, the new ones must be cleared."""
        new = index[~self.written[index]]
        fresh = new.size == index.size
        self.to_clear[new] = not fresh
        self.written[index] = True
        return fresh


def _summed(given: Array, axes: tuple[int, ...]) -> Compute:
    """Return a function that sums along axes; for a matrix, a product with ones is several times faster."""
    if given.ndim == 2 and len(axes) == 1:
        ones = np.ones(given.shape[axes[0]])
        return partial(np.matmul, *((ones, given) if axes == (0,) else (given, ones)))
    return lambda out: np.add.reduce(given, axis=axes, out=out)
