"""Replaces functions of the engine while a thread is inside ``detect_anomaly``, and restores them afterwards."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import Any


class Hooks:
    """Replaces attributes while at least one thread or asyncio task is inside. Nests; restores what was.

    hooks        (home, attribute, what it is inside)
    afterwards   called when the last has left
    """

    def __init__(self, *hooks: tuple[Any, str, Any], afterwards: Callable[[], None] = lambda: None) -> None:
        self.hooks, self.afterwards = hooks, afterwards
        self._depth: ContextVar[int] = ContextVar("depth", default=0)
        self._entered, self._originals, self._lock = 0, ExitStack(), Lock()

    @contextmanager
    def hooked(self) -> Iterator[None]:
        """Inside, the hooks are in their places."""
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
        """Whether this thread or task is."""
        return self._depth.get() > 0
