"""A function of numbers is recorded when a new shape comes, and replayed when it is known.

It is run twice, the second time at a point nearby: what differs between the two graphs would have been frozen.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from autograd.errors import DomainError
from autograd.graph import topological_order
from autograd.lines import Lines
from autograd.notation import is_constant
from autograd.replay.program import Program, check_leaves, remaining_leaves
from autograd.replay.training import training
from autograd.replay.watching import Name, read_by_name, watching
from autograd.value import Value, collector_paused

NEARBY = 1e-7  # far enough to be seen in every digit that was frozen, near enough to stay in the domains
# which way: of a number, away from 0 or towards it, and of a 0; then relative to the smallest numbers too. The next
# is tried where the one before leaves a domain
WAYS = [(away, from_zero, least) for least in (1.0, 1e-200) for from_zero in (1, -1) for away in (1, -1)]


class Recording:
    """What ``record`` makes of a function; see there.

    programs   one for each shape of arguments that came, the one used last at the end
    limit      how many are kept
    """

    def __init__(
        self, function: Callable[..., Value], parameters: Sequence[Value] | None, engine: str, limit: int = 8
    ) -> None:
        self.function, self.engine, self.limit = function, engine, limit
        self.parameters = parameters if parameters is None else list(parameters)
        self.programs: OrderedDict[tuple[tuple[int, ...], ...], Program] = OrderedDict()
        self._names: dict[Program, list[Name]] = {}

    def __call__(self, *arguments: Any) -> float:
        """Loss and gradients for numbers, or lists (of lists) of them; the function gets Values of the same shape.

        Raises ValueError, naming file and line, where the function does what a replay could not repeat.
        """
        numbers = _arrays(arguments)
        for program in self.programs.values():
            if program.trained_by is not None:
                program.trained_by.write_back()
        return self.program_for(numbers)(numbers)

    def program_for(self, arguments: Sequence[Any]) -> Program:
        """The program for arguments of these shapes, recorded now if they are new."""
        shapes = tuple(np.shape(argument) for argument in arguments)
        if shapes in self.programs:
            self.programs.move_to_end(shapes)
            program = self.programs[shapes]
            for name in self._names[program]:
                name.check()
            return program
        program = self._record(_arrays(arguments))
        self.programs[shapes] = program
        self._names[program] = read_by_name(self.function)
        if len(self.programs) > self.limit:
            _, oldest = self.programs.popitem(last=False)
            del self._names[oldest]
        return program

    @property
    def latest(self) -> Program:
        """The program that ran last. Raises RuntimeError before the first call."""
        if not self.programs:
            raise RuntimeError("nothing is recorded yet: call it first")
        return next(reversed(self.programs.values()))

    def gradient(self, leaf: Value) -> float:
        """∂L/∂leaf in the latest run."""
        return self.latest.gradient(leaf)

    def value(self, node: Value) -> float:
        """The number of any node of the latest program's graph."""
        return self.latest.value(node)

    def to_values(self) -> None:
        """Write the latest run into its graph."""
        self.latest.to_values()

    def training(self, optimizer: Any) -> AbstractContextManager[Callable[..., float]]:
        """As a program's ``training``; each shape of the feeds has its program, and all share the parameters."""
        return training(optimizer, self.program_for)

    def __str__(self) -> str:
        return "\n\n".join(map(str, self.programs.values())) or "nothing is recorded yet"

    def _record(self, arguments: list[Any]) -> Program:
        inputs = [_leaves(argument) for argument in arguments]
        fed = {x: x.data for tensor in inputs for x in _flat(tensor)}

        def run() -> Value:
            return self.function(*inputs)

        with collector_paused():
            loss, lines = run_watched(run)
            parameters = remaining_leaves(loss, inputs) if self.parameters is None else self.parameters
            check_leaves(inputs, parameters)
            again = set(run_nearby(run, {**fed, **{p: p.data for p in parameters}}, loss, lines))
            if self.parameters is None:
                parameters = [p for p in parameters if p in again]  # not what is made inside, each time anew
        return Program(loss, inputs, parameters, self.engine, again=run)


def run_watched(run: Callable[[], Value], may_draw: bool = False) -> tuple[Value, Lines]:
    """The loss that ``run`` computes, and the lines where its nodes were made; ValueError for what would freeze."""
    with watching(may_draw) as lines:
        loss = run()
    if not isinstance(loss, Value):
        raise TypeError(f"the recorded function returned {loss!r}: it needs to return the loss, a Value")
    return loss, lines


def run_nearby(
    run: Callable[[], Value], leaves: dict[Value, float], loss: Value, lines: Lines, may_draw: bool = False
) -> list[Value]:
    """The graph of a second run, its leaves moved a little. ValueError for another one, or other constants."""
    try:
        for away, from_zero, least in WAYS:
            for i, (leaf, x) in enumerate(leaves.items()):
                way = away if x > 0.0 else -away if x < 0.0 else from_zero
                leaf.data = x + way * NEARBY * (1 + i % 7) * max(abs(x), least)
            try:
                again, _ = run_watched(run, may_draw)
                break
            except DomainError as error:
                fault = error
        else:
            raise ValueError(
                f"a little beside these numbers there is another fault whichever way, as {fault}: what the function "
                "freezes cannot be seen there; record it at other numbers first"
            )
    finally:
        for leaf, x in leaves.items():
            leaf.data = x
    second = topological_order(again)
    _refuse_differences(topological_order(loss), second, lines)
    return second


def _refuse_differences(first: list[Value], second: list[Value], lines: Lines) -> None:
    place = dict(zip(first, range(len(first))))
    place_again = dict(zip(second, range(len(second))))
    for node, other in zip(first, second):
        operands = [place[p] for p in node.parents]
        if node.operation is not other.operation or operands != [place_again[p] for p in other.parents]:
            raise ValueError(
                f"{lines.place(node)}: run again, the recorded function made another graph from here on: "
                f"{_word(node)} was {_word(other)}. What is counted belongs outside, given as an argument"
            )
        if not node.parents and node is not other and node.data != other.data and node.data == node.data:
            what = "the constant" if is_constant(node) else f"the leaf {node.name or 'without a name'},"
            raise ValueError(
                f"{lines.place(node)}: {what} {node.data!r} was {other.data!r} when the recorded function ran again, "
                "and a replay would take the first for ever. Give it as an argument, or compute it from Values"
            )
    if len(first) != len(second):
        raise ValueError(
            f"run again, the recorded function made {len(second):,} nodes instead of {len(first):,}: what it decides "
            "by anything but its arguments, a replay cannot repeat"
        )


def _word(node: Value) -> str:
    return node.operation.name if node.operation is not None else "a leaf"


def _arrays(arguments: Sequence[Any]) -> list[Any]:
    arrays = []
    for i, argument in enumerate(arguments):
        try:
            array = np.asarray(argument)
            if array.dtype.kind not in "biuf":
                raise TypeError(f"{argument!r}")
            arrays.append(array.astype(np.float64))
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"argument {i} holds rows of different lengths, or what is no number: give a number, or a list of "
                f"equally long lists of numbers ({error})"
            ) from None
    return arrays


def _leaves(numbers: Any) -> Any:
    return [_leaves(row) for row in numbers] if np.ndim(numbers) else Value(float(numbers))


def _flat(tensor: Any) -> list[Value]:
    return [tensor] if isinstance(tensor, Value) else [x for row in tensor for x in _flat(row)]
