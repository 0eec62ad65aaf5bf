"""Modes of the engine: no graph recorded, the cycle collector paused, infinities let through."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from typing import Any, ClassVar

# where it is set, operations record infinities and NaNs without raising: a shut gate may stop them later
faults_wait: ContextVar[bool] = ContextVar("faults_wait", default=False)

entered: list[None] = []  # one for each no_grad that is not left yet: while it is empty, no node looks at its context


class no_grad:
    """Inside, operations compute numbers and record no graph; also as a decorator, ``@no_grad``. Nests.

    It holds for this thread or asyncio task, and for tasks that are started inside it, until it is left. A generator
    shares the context of its caller: what is inside when it yields is inside for the caller too, until it goes on.

    >>> from autograd import Value
    >>> x = Value(3.0)
    >>> with no_grad():
    ...     y = x * x
    >>> y.data, y.parents
    (9.0, ())
    """

    # the innermost block: a list that holds the one around it, and is empty once it has been left, by whomever
    depth: ClassVar[ContextVar[Any]] = ContextVar("depth", default=())

    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:
        return super().__new__(cls) if function is None else no_grad()(function)

    def __init__(self) -> None:
        self._blocks: list[list[Any]] = []

    def __call__(self, function: Any) -> Any:
        """The function, with no graph recorded inside. TypeError for one whose body runs after its call."""
        if isinstance(function, type) or not callable(function):
            raise TypeError(f"no_grad of {function!r}: write `with no_grad():`, or @no_grad above a function")
        if isgeneratorfunction(function) or iscoroutinefunction(function) or isasyncgenfunction(function):
            name = getattr(function, "__name__", function)
            raise TypeError(f"no_grad would be left before {name} runs: write `with no_grad():` inside it")

        @wraps(function)
        def without_graph(*operands: Any, **options: Any) -> Any:
            with no_grad():
                return function(*operands, **options)

        return without_graph

    def __enter__(self) -> None:
        entered.append(None)
        self._blocks.append([no_grad.depth.get()])
        no_grad.depth.set(self._blocks[-1])

    def __exit__(self, *fault: object) -> None:
        block = self._blocks.pop()
        outer = block.pop()
        if no_grad.depth.get() is block:  # not where a generator is closed in another thread or task
            no_grad.depth.set(outer)
        entered.pop()


@contextmanager
def collector_paused() -> Iterator[None]:
    """Inside, Python's cycle collector rests: a graph has no cycles to find. Nests; restores what was."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def holding(mode: ContextVar[Any], setting: Any) -> Iterator[None]:
    """Inside, the mode has this setting; also as a decorator."""
    token = mode.set(setting)
    try:
        yield
    finally:
        mode.reset(token)


# decorates what computes derivatives: it records its graph inside ``no_grad`` too
recording = holding(no_grad.depth, ())
