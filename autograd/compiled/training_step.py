"""A step of training as one call: the parameters are copied in, both passes run, and the update moves them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from autograd.compiled.assembly import Function
from autograd.compiled.library import address, loaded
from autograd.compiled.machine import UPDATE
from autograd.compiled.planning import CompiledPlan
from autograd.number_systems.arrays import Array
from autograd.number_systems.expressions import Formula, Operand, operations


@dataclass(frozen=True, eq=False)
class Update:
    """How a group of parameters moves: formulas of what each parameter has, and of the options of all."""

    results: Sequence[Operand]  # the new parameter, then its new state
    own: Sequence[Formula]  # letters of the parameter, of its state, and last of its gradient
    options: Sequence[Formula]  # letters of what differs from step to step, as the learning rate

    @cached_property
    def place(self) -> int:
        """Where the loop over parameters begins."""
        code = Function("{name}", ["numbers", "gradient", "moved", "options"], ["n"], noalias=True)
        (numbers, gradient, moved, options), [n] = code.pointers, code.numbers
        code.letters |= {x: code.load(options, k) for k, x in enumerate(self.options)}
        inside = set(self.own)
        for e in operations(self.results):
            if inside.isdisjoint(e.parents) and e not in inside:
                code.value(e)  # once, outside of the loop
            else:
                inside.add(e)
        with code.loop(n) as i:
            rows = [i + n * k for k in range(len(self.results))]
            code.letters |= {x: code.load(numbers, row) for x, row in zip(self.own, rows)}
            code.letters[self.own[-1]] = code.load(gradient, i)
            for result, row in zip([code.number(e) for e in self.results], rows):
                code.store(result, moved, row)
        return address(loaded("update", code.text(), code.called))


class TrainingStep:
    """One call that runs a plan and moves its parameters, in groups that follow each other.

    numbers   for each group an array of its parameters and, row by row, of their states; the call moves them in place
    options   for each group an array of the options' numbers, which the caller sets before each call
    """

    def __init__(self, plan: CompiledPlan, updates: Sequence[Update], numbers: Sequence[Array]) -> None:
        self.options = [np.zeros(len(update.options)) for update in updates]
        moved = [np.empty_like(array) for array in numbers]
        first, rows = plan.parameters.start, []
        for update, array, room, options in zip(updates, numbers, moved, self.options):
            n = array.shape[1]
            rows.append((update.place, first, n, *(x.ctypes.data for x in (array, room, options)), array.size))
            first += n
        self._call = plan.call(np.array(rows, np.int64).reshape(-1, len(UPDATE)))
        self._kept = numbers, moved  # what the addresses are of

    def __call__(self) -> bool:
        """Whether all numbers were finite; if not, nothing has moved."""
        return self._call()
