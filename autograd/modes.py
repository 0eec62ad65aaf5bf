"""Modes of the engine: no graph recorded, the cycle collector paused, infinities let through."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import ContextDecorator, contextmanager
from contextvars import ContextVar
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from typing import Any, ClassVar

faults_wait: ContextVar[bool] = ContextVar("faults_wait", default=False)  # in ``higher``: infinities may meet a gate

entered: list[None] = []  # one for each no_grad that is not left yet: while it is empty, no node looks at its context


class no_grad(ContextDecorator):
    """Inside, operations compute numbers and record no graph; also as a decorator, ``@no_grad``. Nests.

    It holds for this thread or asyncio task alone. A generator shares the context of its caller: what is inside when
    it yields is inside for the caller too, until the generator goes on.

    >>> from autograd import Value
    >>> x = Value(3.0)
    >>> with no_grad():
    ...     y = x * x
    >>> y.data, y.parents
    (9.0, ())
    """

    depth: ClassVar[ContextVar[int]] = ContextVar("depth", default=0)

    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:
        if function is None:
            return super().__new__(cls)
        return cls()(function)

    def __call__(self, function: Any) -> Any:
        """The function, with no graph recorded inside. TypeError for one whose body runs after its call."""
        if isgeneratorfunction(function) or iscoroutinefunction(function) or isasyncgenfunction(function):
            raise TypeError(
                f"no_grad would be left before {function.__name__} runs: write `with no_grad():` inside it"
            )
        return super().__call__(function)

    def __enter__(self) -> None:
        entered.append(None)
        no_grad.depth.set(no_grad.depth.get() + 1)

    def __exit__(self, *fault: object) -> None:
        no_grad.depth.set(no_grad.depth.get() - 1)
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
