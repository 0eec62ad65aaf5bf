"""While a function is recorded, whatever would freeze a number of this one run is refused, with file and line.

A graph keeps what was computed, not what was decided: ``if x > 0``, ``float(x)`` and ``x.data`` leave no node. For
the time of the recording, and in its thread alone, Value's comparisons and its numbers look at who is asking, and
Python's random generators at who is drawing. What the function reads by name from outside is compared in each call.
"""

from __future__ import annotations

import dis
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import RLock, get_ident
from types import CellType, CodeType, FrameType, FunctionType
from typing import Any, NamedTuple

from autograd import value
from autograd.lines import Lines, outside, remembering_lines
from autograd.value import Value

# these read ``data`` only to hand it to the engine beside the Value that it belongs to
READS_FOR_THE_ENGINE = {"nn.layers", "nn.activations"}
_lock = RLock()
_absent = object()


@contextmanager
def watching(may_draw: bool = False) -> Iterator[Lines]:
    """Inside, what asks a Value for its number is a ValueError; gives the lines where nodes are made.

    may_draw   whether random numbers may be drawn: by one who feeds them anew
    """
    with _lock, remembering_lines() as lines:
        here = vars(Value)
        watched: list[tuple[Any, str, Any]] = [
            (Value, "data", _watched_data(here["data"])),
            (Value, "__eq__", _watched_equality()),
            *((Value, name, _refusing(here[name], how)) for name, how in ASKING.items()),
            *((Value, name, _watched_read(here[name], how)) for name, how in READING.items()),
        ]
        if not may_draw:
            watched += [(home, name, _no_draw(getattr(home, name))) for home, name in DRAWING]
        originals = [(home, name, vars(home).get(name, _absent)) for home, name, _ in watched]
        try:
            for home, name, thing in watched:
                setattr(home, name, thing)
            yield lines
        finally:
            for home, name, thing in originals:
                if thing is _absent:
                    delattr(home, name)
                else:
                    setattr(home, name, thing)


ASKING = {
    "__bool__": "asks whether {x} is 0",
    "__float__": "makes {x} a float",
    "__lt__": "compares {x}",
    "__le__": "compares {x}",
    "__gt__": "compares {x}",
    "__ge__": "compares {x}",
}
READING = {
    "grad": "reads the gradient of {x}",
    "local_derivatives": "reads the local derivatives of {x}",
    "edges": "reads the local derivatives of {x}",
}
# all other methods of a generator, and functions of the module, come down to these
DRAWING = [(home, name) for home in (random.Random, random) for name in ("random", "getrandbits")]


def refusal(frame: FrameType | None, what: str, remedy: str = "") -> ValueError:
    """The error for what the user's code does in this frame, or in the one that called the engine."""
    file, line = outside(frame)
    remedy = remedy or "Decide inside the graph, with where, maximum or relu, or outside of the function"
    return ValueError(
        f"{file}, line {line}: the recorded function {what}, and every replay would take this run's answer. {remedy}"
    )


def _refusing(original: Any, how: str) -> Callable[..., Any]:
    thread = get_ident()

    def asked(self: Value, *other: Any) -> Any:
        if get_ident() == thread and not _is_ours(sys._getframe(1)):
            raise refusal(sys._getframe(1), how.format(x=self.name or "a Value"))
        return original(self, *other)

    return asked


def _watched_read(original: Any, how: str) -> property:
    thread = get_ident()

    def read(self: Value) -> Any:
        if get_ident() == thread and not _is_ours(sys._getframe(1)):
            raise refusal(sys._getframe(1), how.format(x=self.name or "a Value"))
        return original.__get__(self)

    return property(read, original.__set__)


def _no_draw(original: Any) -> Callable[..., Any]:
    thread = get_ident()

    def draw(*arguments: Any) -> Any:
        if get_ident() == thread:
            frame: FrameType | None = sys._getframe(1)
            while frame and frame.f_globals.get("__name__") == "random":
                frame = frame.f_back
            raise refusal(frame, "draws a random number", "Draw outside of the function, and give it")
        return original(*arguments)

    return draw


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
            if thread in value._not_recording:
                raise refusal(frame, "computes inside no_grad", "Compute in the graph, or outside of the function")
        slot.__set__(self, number)

    return property(read, write)


def _is_ours(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).startswith("autograd.")


# ---- what a function reads by name ------------------------------------------------------------------------------


class Name(NamedTuple):
    """A name outside of a function: where it is read, what it means, and what it meant when it was recorded."""

    name: str
    place: str
    present: Callable[[], Any]
    recorded: Any

    def check(self) -> None:
        """ValueError where it means something else by now."""
        now, then = self.present(), self.recorded
        if now is then or (isinstance(now, (int, float, str)) and now == then):
            return
        if isinstance(now, (int, float, str)) and isinstance(then, (int, float, str)):
            what = f"was {then!r} when the function was recorded and is {now!r} now"
        else:
            what = f"is another {type(now).__name__} than when the function was recorded"
        raise ValueError(
            f"{self.place}: {self.name} {what}, and a replay would take the first for ever. Give it as an argument, "
            "or record anew"
        )


def read_by_name(function: Callable[..., Any]) -> list[Name]:
    """What a function, and those of its module that it calls, read by name from outside: ``scale``, ``self.rate``.

    Names that the function sets itself are left out. Of an object it is compared which one it is, and its mode of
    training if it has one; not what else is in it.
    """
    functions, found = [getattr(function, "__func__", function)], []
    for some in functions:  # which grows
        if not isinstance(some, FunctionType):
            continue
        code, roots = some.__code__, dict(zip(some.__code__.co_freevars, some.__closure__ or ()))
        if some is not function and some is functions[0]:  # a method
            roots[code.co_varnames[0]] = CellType(getattr(function, "__self__", None))
        steps = list(_steps(code))
        own = {step.argval for step in steps if step.opname.startswith(("STORE_GLOBAL", "STORE_DEREF"))}
        seen: set[str] = set()
        for i, step in enumerate(steps):
            present: Callable[[], Any]
            path = step.argval
            if path in own:
                continue
            if step.opname == "LOAD_GLOBAL":
                present = partial(some.__globals__.get, path)
            elif step.opname.startswith(("LOAD_DEREF", "LOAD_CLOSURE", "LOAD_FAST")) and path in roots:
                present = partial(_contents, roots[path])
            else:
                continue
            names = [(path, present)]
            for after in steps[i + 1 :]:
                if not after.opname.startswith(("LOAD_ATTR", "LOAD_METHOD")):
                    break
                names.append((f"{names[-1][0]}.{after.argval}", partial(_attribute, names[-1][1], after.argval)))
            line = step.positions.lineno if step.positions else code.co_firstlineno
            for path, present in names:
                thing = present()
                if thing is _absent:
                    break
                mode = [(f"{path}.training", partial(_attribute, present, "training"))]
                for one, what in [(path, present), *(mode if mode[0][1]() is not _absent else [])]:
                    if one not in seen:
                        seen.add(one)
                        found.append(Name(one, f"{code.co_filename}, line {line}", what, what()))
                if getattr(thing, "__globals__", None) is some.__globals__ and thing not in functions:
                    functions.append(thing)
    return found


def _steps(code: CodeType) -> Iterator[dis.Instruction]:
    """The instructions of a function and of those inside it."""
    yield from dis.get_instructions(code)
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _steps(inner)


def _attribute(owner: Callable[[], Any], name: str) -> Any:
    """What is in the object itself under this name, or a number of its class; nothing that would be computed."""
    thing = owner()
    found = getattr(thing, "__dict__", {}).get(name, _absent)
    if found is _absent:
        found = getattr(type(thing), name, _absent)
        return found if isinstance(found, (int, float, str)) else _absent
    return found


def _contents(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # nothing yet
        return None
