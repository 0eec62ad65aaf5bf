"""Replaces functions of the engine while a thread is inside ``detect_anomaly``, and restores them afterwards."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import Any


class Hooks:
    """Replaces attributes while at least one thread or asyncio task is inside ``hooked()``, and then restores them.

    hooks        (object, attribute, replacement) triples
    afterwards   called when the last thread or task has left
    """

    def __init__(self, *hooks: tuple[Any, str, Any], afterwards: Callable[[], None] = lambda: None) -> None:
        self.hooks, self.afterwards = hooks, afterwards
        self._depth: ContextVar[int] = ContextVar("depth", default=0)
        self._entered, self._originals, self._lock = 0, ExitStack(), Lock()

    @contextmanager
    def hooked(self) -> Iterator[None]:
        """Install the hooks inside the block; blocks nest."""
        with self._lock:
            if not self._entered:
                for home, name, hook in self.hooks:
                    self._originals.callback(setattr, home, name, vars(home)[name])
                    setattr(home, name, hook)
            self._entered += 1
        self._depth.set(self._depth.get() + 1)
        try:
            yield
        finally:
            self._depth.set(self._depth.get() - 1)
            with self._lock:
                self._entered -= 1
                if not self._entered:
                    self._originals.close()
                    self.afterwards()

    def is_inside(self) -> bool:
        """Return whether this thread or task is inside a block."""
        return self._depth.get() > 0
