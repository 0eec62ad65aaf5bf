"""While a function is recorded, whatever would freeze a number of this one run is refused, with file and line.

A graph keeps what was computed, not what was decided: ``if x > 0``, ``float(x)`` and ``x.data`` leave no node. For
the time of the recording, and in its thread alone, Value's comparisons and its ``data`` look at who is asking.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import RLock, get_ident
from types import FrameType
from typing import Any

from autograd.lines import Lines, outside, remembering_lines
from autograd.value import Value

# these read ``data`` only to hand it to the engine beside the Value that it belongs to
READS_FOR_THE_ENGINE = {"nn.layers", "nn.activations"}
_lock = RLock()
_absent = object()


@contextmanager
def watching() -> Iterator[Lines]:
    """Inside, what asks a Value for its number is a ValueError; gives the lines where nodes are made."""
    with _lock, remembering_lines() as lines:
        originals = {name: vars(Value).get(name, _absent) for name in ("data", "__eq__", *ASKING)}
        watched: dict[str, Any] = {name: _refusing(name, originals[name], how) for name, how in ASKING.items()}
        watched |= {"data": _watched_data(originals["data"]), "__eq__": _watched_equality()}
        try:
            for name, method in watched.items():
                setattr(Value, name, method)
            yield lines
        finally:
            for name, method in originals.items():
                if method is _absent:
                    delattr(Value, name)
                else:
                    setattr(Value, name, method)


ASKING = {
    "__bool__": "asks whether {x} is 0",
    "__float__": "makes {x} a float",
    "__lt__": "compares {x}",
    "__le__": "compares {x}",
    "__gt__": "compares {x}",
    "__ge__": "compares {x}",
}


def refusal(frame: FrameType | None, what: str) -> ValueError:
    """The error for what the user's code does in this frame, or in the one that called the engine."""
    file, line = outside(frame)
    return ValueError(
        f"{file}, line {line}: the recorded function {what}, and every replay would take this run's answer. Decide "
        "inside the graph, with where, maximum or relu, or outside of the function"
    )


def _refusing(name: str, original: Any, how: str) -> Callable[..., Any]:
    thread = get_ident()

    def asked(self: Value, *other: Any) -> Any:
        if get_ident() == thread and not _is_ours(sys._getframe(1)):
            raise refusal(sys._getframe(1), how.format(x=self.name or "a Value"))
        return original(self, *other)

    return asked


def _watched_equality() -> Callable[[Value, Any], Any]:
    """Values are equal where they are the same; compared with a number, they never are, whatever their own."""
    thread = get_ident()

    def equal(self: Value, other: Any) -> Any:
        if get_ident() == thread and isinstance(other, (int, float)):
            raise refusal(sys._getframe(1), f"compares {self.name or 'a Value'} with {other!r}")
        return NotImplemented

    return equal


def _watched_data(slot: Any) -> property:
    thread = get_ident()

    def read(self: Value) -> Any:
        if get_ident() == thread:
            frame = sys._getframe(1)
            if not _is_ours(frame) and frame.f_globals.get("__name__") not in READS_FOR_THE_ENGINE:
                raise refusal(frame, f"reads the data of {self.name or 'a Value'}")
        return slot.__get__(self)

    def write(self: Value, number: float) -> None:
        if get_ident() == thread:
            frame = sys._getframe(1)
            if not _is_ours(frame):
                raise refusal(frame, f"sets the data of {self.name or 'a Value'}")
        slot.__set__(self, number)

    return property(read, write)


def _is_ours(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).startswith("autograd.")
