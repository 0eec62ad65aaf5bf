"""Modes of the engine: compute without a graph, pause the cycle collector, let infinities pass."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from typing import Any, ClassVar

# if set, operations record infinities and NaNs without raising, because a closed gate may stop them later
faults_wait: ContextVar[bool] = ContextVar("faults_wait", default=False)

entered: list[None] = []  # one entry per active no_grad block; if empty, operations skip the context variable


class no_grad:
    """Context manager or decorator, ``@no_grad``: operations compute numbers but record no graph. Blocks nest.

    It applies to this thread or asyncio task, and to tasks started inside it. A generator shares the context of its
    caller: if it yields inside a block, the block also applies to the caller until the generator leaves it.

    >>> from autograd import Value
    >>> x = Value(3.0)
    >>> with no_grad():
    ...     y = x * x
    >>> y.data, y.parents
    (9.0, ())
    """

    # the innermost block: a list that contains only the enclosing block, or nothing once the block has been left
    depth: ClassVar[ContextVar[Any]] = ContextVar("depth", default=())

    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:
        return super().__new__(cls) if function is None else no_grad()(function)

    def __init__(self) -> None:
        self._blocks: list[list[Any]] = []

    def __call__(self, function: Any) -> Any:
        """Decorate a function. Raises TypeError for a generator or a coroutine, whose body runs after the call."""
        if isinstance(function, type) or not callable(function):
            raise TypeError(
                f"no_grad cannot decorate {function!r}: write `with no_grad():`, or @no_grad above a function"
            )
        if isgeneratorfunction(function) or iscoroutinefunction(function) or isasyncgenfunction(function):
            name = getattr(function, "__name__", function)
            raise TypeError(f"no_grad would end before {name} runs: write `with no_grad():` inside it")

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
        if no_grad.depth.get() is block:  # false if a generator is closed in another thread or task
            no_grad.depth.set(outer)
        entered.pop()


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause Python's cycle collector, since a graph has no cycles; then restore its state. Blocks nest."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def holding(mode: ContextVar[Any], setting: Any) -> Iterator[None]:
    """Set the mode inside a ``with`` block or a decorated function."""
    token = mode.set(setting)
    try:
        yield
    finally:
        mode.reset(token)


# decorator for functions that compute derivatives, which record a graph even inside ``no_grad``
recording = holding(no_grad.depth, ())
