"""Where in the user's code each node is made: its file and line, remembered while ``REMEMBERING`` is hooked in.

Otherwise nothing here runs. The line of each new node is kept, whichever thread makes it, until ``forget``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from linecache import getline
from threading import Lock
from types import FrameType
from typing import Any

from autograd import value
from autograd.value import Value


class Hooks:
    """Replaces attributes while at least one thread or asyncio task is inside. Nests; restores what was.

    hooks        (home, attribute, what it is inside)
    afterwards   called when the last has left
    """

    def __init__(self, *hooks: tuple[Any, str, Any], afterwards: Callable[[], None] = lambda: None) -> None:
        self.hooks, self.afterwards = hooks, afterwards
        self._depth: ContextVar[int] = ContextVar("depth", default=0)
        self._entered = 0
        self._originals = ExitStack()
        self._lock = Lock()

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


# by id: so no graph is kept alive, and a new node at an old one's address overwrites what was said of it
_made_in: dict[int, tuple[str, int]] = {}


def place(node: Value) -> str:
    """File, line and what is written there, ``file.py, line 12, `y = log(x)```; empty where it is not known."""
    if id(node) not in _made_in:
        return ""
    file, line = _made_in[id(node)]
    code = getline(file, line).strip()
    return (f"{file}, line {line}" if file else "a line that is not known") + (f", `{code}`" if code else "")


def outside(frame: FrameType | None) -> tuple[str, int]:
    """File and line of the nearest caller that is neither engine nor network library."""
    while frame is not None:
        if str(frame.f_globals.get("__name__")).split(".")[0] not in ("autograd", "nn"):
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
    return "the engine", 0


_new, _init = value._new, Value.__init__


def _new_with_line(of: type) -> Any:
    node = _new(of)
    _made_in[id(node)] = outside(sys._getframe(1))
    return node


def _init_with_line(self: Value, *arguments: Any, **options: Any) -> None:
    _made_in[id(self)] = outside(sys._getframe(1))
    _init(self, *arguments, **options)


REMEMBERING = ((value, "_new", _new_with_line), (Value, "__init__", _init_with_line))
forget = _made_in.clear
