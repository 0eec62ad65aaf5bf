"""Prints how many seconds this process takes for its first program, or for all kernels; ``replay.py`` starts it."""

import json
import sys
import time

from graphs import GPT

from autograd.functions import TABLE


def seconds_of_kernels() -> tuple[int, float]:
    """Those of every entry of the table, in each layout, for the least number of operands: how many, and seconds."""
    start = time.perf_counter()
    from autograd.compiled.kernels import BY_COLUMNS, BY_ROWS, ONE_BY_ONE, Shape, has_rows
    from autograd.compiled.library import kernel
    from autograd.table import CONSTANT

    shapes = []
    for entry in TABLE.values():
        arity = entry.least if entry.variadic else len(entry.domains)
        constants = tuple(3.0 if domain is CONSTANT else None for domain in entry.domains)
        constants = constants if CONSTANT in entry.domains else ()
        shapes += [Shape(entry, arity, constants, layout) for layout in (ONE_BY_ONE, BY_COLUMNS)]
        shapes += [Shape(entry, 0, (), BY_ROWS)] if entry.variadic and has_rows(entry) else []
    for shape in shapes:
        kernel(shape)
    return len(shapes), time.perf_counter() - start


def seconds_of_recording() -> float:
    """From the graph of the GPT to a program that has run, imports included."""
    model = GPT()
    start = time.perf_counter()
    model.record("compiled")()
    return time.perf_counter() - start


if __name__ == "__main__":
    print(json.dumps(seconds_of_kernels() if sys.argv[1:] == ["kernels"] else seconds_of_recording()))
