"""Runs a student's code so that every failure becomes one sentence and an infinite loop stops after a few seconds.

A second thread watches the clock and raises an exception in the first one, repeatedly if the code catches it. A
browser has no threads: there, a trace function checks the clock before every instruction. Neither can interrupt a
single call into C.
"""

import dis
import io
import sys
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from sys import gettrace, settrace
from threading import Event, Thread, get_ident
from time import monotonic, process_time
from types import FrameType
from typing import Any

from autograd.text import clipped, text_name

MOST_WORDS = 300  # characters of an error that the student's code raised
MOST_PRINTED = 2_000  # characters that it may print
WALL = 3.0  # code that waits instead of computing may take this many times its limit


class NoAnswer(Exception):
    """Raised if an answer cannot be compared. The message continues "Your function" or "Your answer"."""


class Stopped(BaseException):
    """Raised if the code takes too long. It is not an Exception, which the code might catch."""


class Insistent(Stopped):
    """Raised by the second thread; if the code catches it, its next line raises Stopped again.

    It is instantiated in the thread that catches it, at the moment of catching, so the next line is in the handler.
    """

    def __init__(self) -> None:
        def stop(frame: FrameType, event: str, argument: object) -> Any:
            if event == "line":
                raise Stopped
            return stop

        frame: FrameType | None = sys._getframe(1)
        settrace(lambda frame, event, argument: None)
        while frame and frame.f_code is not _limited.__code__:
            frame.f_trace, frame = stop, frame.f_back


class Printer(io.TextIOBase):
    """Passes on printed text up to a limit and discards the rest."""

    def __init__(self, out: Any) -> None:
        self.out, self.left = out, MOST_PRINTED

    def write(self, text: str) -> int:
        """Print as much of the text as the limit allows."""
        if self.left > 0:
            self.out.write(text[: self.left] + (" …\n" if len(text) > self.left else ""))
        self.left -= len(text)
        return len(text)

    def flush(self) -> None:
        """Flush the underlying stream."""
        self.out.flush()


def guarded(seconds: float, function: Callable[..., Any], *arguments: Any) -> Any:
    """Return what the function returns. NotImplementedError and NoAnswer propagate; other errors become NoAnswer.

    Ctrl-C on the keyboard propagates too, but a KeyboardInterrupt that the code raises does not.
    """
    try:
        with redirect_stdout(Printer(sys.stdout)):
            return _limited(seconds, function, *arguments)
    except (NoAnswer, NotImplementedError):
        raise
    except Stopped:
        raise NoAnswer(f"did not end within {seconds:g} seconds: does it contain an infinite loop?") from None
    except RecursionError:
        raise NoAnswer("calls itself, or contains itself, indefinitely") from None
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and not _was_raised(error):
            raise
        raise NoAnswer(raised(error)) from None


def raised(error: BaseException) -> str:
    """Describe an exception from the student's code on one line."""
    words = ""
    with suppress(Exception):  # str(error) may itself raise
        words = clipped(text_name(str(error)), MOST_WORDS)
    return f"raised {type(error).__name__}{': ' if words else ''}{words}"


def _limited(seconds: float, function: Callable[..., Any], *arguments: Any) -> Any:
    end, late = process_time() + seconds, monotonic() + WALL * seconds
    over, before = Event(), gettrace()

    def is_late() -> bool:
        return process_time() > end or monotonic() > late

    try:
        watching = _watch(get_ident(), over, is_late)
    except (ImportError, RuntimeError):  # a browser has no threads
        return _traced(is_late, function, *arguments)
    try:
        return function(*arguments)
    finally:
        while True:
            try:
                over.set()
                watching.join()
                settrace(before)
                break
            except Stopped:  # raised just before the watching thread saw ``over``
                continue


def _watch(thread: int, over: Event, is_late: Callable[[], bool]) -> Thread:
    """Raise Insistent in a thread once it is late, repeatedly until it ends."""
    import ctypes

    def watch() -> None:
        while not over.wait(0.1):
            if is_late():
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(Insistent))

    watching = Thread(target=watch, daemon=True)
    watching.start()
    return watching


def _traced(is_late: Callable[[], bool], function: Callable[..., Any], *arguments: Any) -> Any:
    def watch(frame: FrameType, event: str, argument: object) -> Any:
        frame.f_trace_opcodes = True  # a loop on one line is one line event
        if is_late():
            raise Stopped
        return watch

    before = gettrace()
    settrace(watch)
    try:
        return function(*arguments)
    finally:
        settrace(before)


def _was_raised(error: BaseException) -> bool:
    """Return whether a ``raise`` statement, not a signal, made the error."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return trace is not None and dis.opname[trace.tb_frame.f_code.co_code[trace.tb_lasti]] == "RAISE_VARARGS"
