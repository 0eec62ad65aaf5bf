"""A training step as one call, which copies the parameters in, runs both passes, and updates the parameters."""

from collections.abc import Callable, Sequence

import numpy as np

from autograd.compiled.assembly import Function
from autograd.compiled.library import address, loaded
from autograd.compiled.machine import Update
from autograd.compiled.planning import CompiledPlan
from autograd.number_systems.arrays import Array
from autograd.number_systems.expressions import Formula, Operand, operations


def update_loop(results: Sequence[Operand], own: Sequence[Formula], options: Sequence[Formula]) -> int:
    """Return the address of the loop that updates a group of parameters.

    results   formulas of the new parameter, then of its new state
    own       letters of the parameter, of its state and, last, of its gradient
    options   letters of options that change from step to step, such as the learning rate
    """
    code = Function("{name}", ["numbers", "gradient", "moved", "options"], ["n"], noalias=True)
    (numbers, gradient, moved, given), [n] = code.pointers, code.numbers
    code.letters |= {x: code.load(given, k) for k, x in enumerate(options)}
    inside = set(own)
    for e in operations(results):
        if inside.isdisjoint(e.parents) and e not in inside:
            code.value(e)  # once, outside the loop
        else:
            inside.add(e)
    with code.loop(n) as i:
        rows = [i + n * k for k in range(len(results))]
        code.letters |= {x: code.load(numbers, row) for x, row in zip(own, rows)}
        code.letters[own[-1]] = code.load(gradient, i)
        for result, row in zip([code.number(e) for e in results], rows):
            code.store(result, moved, row)
    return address(loaded("update", code.text(), code.called))


def training_step(plan: CompiledPlan, loops: Sequence[int], numbers: Sequence[Array]) -> Callable[..., bool]:
    """Return a call that runs a plan and updates its parameters, in consecutive groups.

    loops     for each group, the address of its ``update_loop``
    numbers   for each group, an array of its parameters and, row by row, of their states, which is updated in place

    The call takes the options of each group, and returns whether all numbers were finite; if not, it changes nothing.
    """
    options, moved = [np.zeros(2) for _ in loops], [np.empty_like(array) for array in numbers]
    ends = plan.parameters.start + np.cumsum([array.shape[1] for array in numbers])
    groups = (Update * len(loops))()
    for i, (loop, array, end) in enumerate(zip(loops, numbers, ends.tolist())):
        places = (x.ctypes.data for x in (array, moved[i], options[i]))
        groups[i] = Update(loop, end - array.shape[1], array.shape[1], *places, array.size)
    run = plan.call(groups)

    def step(*given: tuple[float, float], kept: object = (numbers, moved)) -> bool:
        for some, now in zip(options, given):
            some[:] = now
        return run()

    return step
