"""Remembers which line of the user's code creates each node, while the hooks ``REMEMBERING`` are installed.

The lines of nodes from all threads are kept until ``forget()``. Without the hooks, no code in this file runs.
"""

import sys
from linecache import getline
from types import FrameType
from typing import Any

from autograd import value
from autograd.value import Value

# packages whose lines are not the user's; a package built on the engine adds its own name
LIBRARIES = {"autograd"}

# by id, so that no graph is kept alive; a new node at the address of an old one overwrites its entry
_made_in: dict[int, tuple[str, int]] = {}


def place(node: Value) -> str:
    """Return where a node was created, ``file.py, line 12, `y = log(x)```; empty if this is not known."""
    if id(node) not in _made_in:
        return ""
    file, line = _made_in[id(node)]
    code = getline(file, line).strip()
    return (f"{file}, line {line}" if file else "an unknown line") + (f", `{code}`" if code else "")


def outside(frame: FrameType | None) -> tuple[str, int]:
    """Return the file and line of the nearest caller outside the ``LIBRARIES``."""
    while frame is not None:
        if str(frame.f_globals.get("__name__")).split(".")[0] not in LIBRARIES:
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
