"""Parameter updates on arrays: trains a recorded program without touching a node between the steps.

Parameters, gradients and the optimiser's memory are arrays until something reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

import numpy as np

from autograd.number_systems.arrays import Array
from autograd.operands import data_of
from autograd.replay.buffers import is_finite
from autograd.replay.program import Program, bring_up_to_date, holders
from autograd.value import Value
from nn.optim import Optimizer


@contextmanager
def training_on(program: Program, optimizer: Optimizer) -> Iterator[Callable[..., float]]:
    """Train a recorded program: ``step(feeds)`` runs it, moves each parameter and returns the loss before the update.

    Parameters, gradients and the optimiser's memory are written back when the block ends, however it ends. Inside it,
    other programs on these parameters and ``to_values`` see their present numbers; ``data`` is up to date after one
    of those has run. ``step(feeds, program=other)`` runs another program, recorded for feeds of another shape.

    optimizer    one of ``nn.optim`` over the program's parameters, in the same order

    Raises ValueError for other parameters, DomainError as the optimiser's own ``step`` does.

    >>> from autograd import record
    >>> from nn import SGD
    >>> w, x = Value(2.0, "w"), Value(1.0, "x")
    >>> program = record((w * x) ** 2, inputs=[x], parameters=[w])
    >>> with training_on(program, SGD([w], 0.25)) as step:
    ...     step([1.0]), step([1.0])
    (4.0, 1.0)
    >>> w.data
    0.5
    """
    arrays = _Arrays(program, optimizer)
    holders.append(arrays.write_back)
    try:
        yield arrays.step
    finally:
        holders.remove(arrays.write_back)
        arrays.write_back(optimizer.parameters)


class _Arrays:
    """The numbers that are handed from program to program.

    A program keeps the parameters that it ran with until it runs again: its numbers can be read after a step too.
    """

    def __init__(self, program: Program, optimizer: Optimizer) -> None:
        self.program, self.optimizer = program, optimizer
        self.latest: Program | None = None  # the one that ran last
        self.is_ahead = False  # whether the arrays hold newer numbers than the Values
        self.parameters: Array = np.zeros(0)
        self.memory: list[tuple[Array, ...]] = []  # for each group, one array per number of a parameter's state

    def step(
        self, feeds: Sequence[Any] = (), change: Callable[[Array], None] | None = None, program: Program | None = None
    ) -> float:
        """One update; DomainError, with no parameter moved, where one would not be finite.

        change   edits the array of gradients in place before the parameters move, as clipping does
        """
        program, optimizer = program or self.program, self.optimizer
        if program is not self.latest and program.parameters != optimizer.parameters:
            raise ValueError(
                f"the optimiser moves {len(optimizer.parameters)} parameters and {len(program.parameters)} were "
                "recorded, or in another order: record with parameters=optimizer.parameters"
            )
        program.feed(feeds)
        program.read_others()
        if not self.is_ahead:
            self._read()
        w = program.parameter_array
        np.copyto(w, self.parameters)
        before = optimizer.progress
        with np.errstate(all="ignore"):
            loss = program.run()
            self.latest = program
            if change is not None:
                change(program.gradient_array)
            optimizer.begin_step()
            moved, new = self._update(w, program.gradient_array)
            finite = is_finite(moved) and all(map(is_finite, chain.from_iterable(new)))
        if not finite:
            optimizer.progress = before
            self.is_ahead = True  # with this step's gradients
            self.write_back(optimizer.parameters)
            optimizer.step()  # raises the error that names the parameter
        self.parameters, self.memory, self.is_ahead = moved, new, True
        return loss

    def _read(self) -> None:
        bring_up_to_date(self.optimizer.parameters)  # another training may hold them
        self.parameters = np.array([*map(data_of, self.optimizer.parameters)])
        self.memory = [tuple(map(np.array, zip(*group.states))) for group in self.optimizer.groups]

    def _update(self, w: Array, gradient: Array) -> tuple[Array, list[tuple[Array, ...]]]:
        groups = self.optimizer.groups
        if len(groups) == 1:
            moved, new = groups[0].update(w, gradient, self.memory[0])
            return moved, [new]
        ends = np.cumsum([len(group.parameters) for group in groups])[:-1]
        parts = zip(groups, np.split(w, ends), np.split(gradient, ends), self.memory)
        every, memory = zip(*(group.update(w, g, states) for group, w, g, states in parts))
        return np.concatenate(every), list(memory)

    def write_back(self, leaves: Collection[Value]) -> None:
        """Where some of these leaves are ours: all numbers to their Values, which the next step reads again."""
        if not self.is_ahead or set(leaves).isdisjoint(self.optimizer.parameters):
            return
        assert self.latest is not None
        gradients = self.latest.gradient_array.tolist()
        for p, x, gradient in zip(self.optimizer.parameters, self.parameters.tolist(), gradients):
            p._data, p.grad = x, gradient  # floats already
        for group, columns in zip(self.optimizer.groups, self.memory):
            if columns:
                group.states = list(zip(*(column.tolist() for column in columns)))
        self.is_ahead = False
