"""Training on arrays: parameters, gradients and the optimiser's memory are arrays until something reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd.number_systems.arrays import Array
from autograd.operands import data_of
from autograd.replay.buffers import is_finite
from autograd.value import Value

if TYPE_CHECKING:
    from autograd.replay.program import Program


@contextmanager
def training(optimizer: Any, program_for: Callable[[Sequence[Any]], Program]) -> Iterator[Callable[..., float]]:
    """``Program.training`` with a program for each shape of a mini-batch, which is chosen by the feeds.

    Whatever was raised inside, parameters, gradients and the optimiser's memory are written back.
    """
    state = _Training(optimizer, program_for)
    _open.append(state)
    try:
        yield state.step
    finally:
        _open.remove(state)
        state.write_back()


def write_back(leaves: Iterable[Value]) -> None:
    """Let the trainings that are going on write back what they hold of these leaves, before somebody reads them."""
    for state in tuple(_open):  # other threads open and close theirs
        if state.is_ahead and not set(leaves).isdisjoint(state.optimizer.parameters):
            state.write_back()


class _Training:
    """The arrays of a training, handed from program to program.

    A program keeps the parameters that it ran with until it runs again: its numbers can be read after a step too.
    """

    def __init__(self, optimizer: Any, program_for: Callable[[Sequence[Any]], Program]) -> None:
        self.optimizer, self.program_for = optimizer, program_for
        self.program: Program | None = None
        self.is_ahead = False  # whether the arrays hold newer numbers than the Values
        self.parameters: Array = np.zeros(0)
        self.memory: list[tuple[Array, ...]] = []  # of each group a column for each number

    def step(self, feeds: Sequence[Any] = (), change: Callable[[Array], None] | None = None) -> float:
        """One update; DomainError, with no parameter moved, where one would not be finite.

        change   what is done to the array of gradients in place before the parameters move, as clipping
        """
        program, optimizer = self.program_for(feeds), self.optimizer
        if program is not self.program and program.parameters != optimizer.parameters:
            raise ValueError(
                f"the optimiser moves {len(optimizer.parameters)} parameters and {len(program.parameters)} were "
                "recorded, or in another order: record with parameters=optimizer.parameters"
            )
        self.program = program
        program.feed(feeds)
        if program.others:
            program.read_others()
        if not self.is_ahead:
            self._read()
        w = program.parameter_array
        np.copyto(w, self.parameters)
        before = optimizer.progress
        with np.errstate(all="ignore"):
            loss = program.replay() if program.engine == "replay" else program.run_in_graph()
            if change is not None:
                change(program.gradient_array)
            optimizer.begin_step()
            moved, new = self._update(w, program.gradient_array)
            finite = is_finite(moved) and all(map(is_finite, chain.from_iterable(new)))
        if not finite:
            optimizer.progress = before
            self.is_ahead = True  # with this step's gradients
            self.write_back()
            optimizer.step()  # says which parameter it is
        self.parameters, self.memory, self.is_ahead = moved, new, True
        return loss

    def _read(self) -> None:
        write_back(self.optimizer.parameters)  # another training may hold them
        self.parameters = np.array([*map(data_of, self.optimizer.parameters)])
        self.memory = [tuple(map(np.array, zip(*group.states))) for group in self.optimizer.groups]

    def _update(self, w: Array, gradient: Array) -> tuple[Array, list[tuple[Array, ...]]]:
        groups = self.optimizer.groups
        if len(groups) == 1:
            moved, new = groups[0].update(w, gradient, self.memory[0])
            return moved, [new]
        ends = np.cumsum([len(group.parameters) for group in groups])[:-1]
        parts = zip(groups, np.split(w, ends), np.split(gradient, ends), self.memory)
        every, memory = zip(*(group.update(*part) for group, *part in parts))
        return np.concatenate(every), list(memory)

    def write_back(self) -> None:
        """Numbers and gradients to the Values, rows of memory to the optimiser; the next step reads them again."""
        if not self.is_ahead:
            return
        assert self.program is not None  # it has run
        for p, x in zip(self.optimizer.parameters, self.parameters.tolist()):
            p._data = x  # a float already
        for group, columns in zip(self.optimizer.groups, self.memory):
            if columns:
                group.states = list(zip(*(column.tolist() for column in columns)))
        self.program.write_gradients()
        self.is_ahead = False


_open: list[_Training] = []  # the trainings that are going on
