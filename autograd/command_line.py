"""Shared by all command lines: one-line errors with exit status 2, and output that suits any terminal or pipe."""

import argparse
import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import NoReturn

from autograd.text import clipped, text_name


class OneLineParser(argparse.ArgumentParser):
    """Reports an invalid argument in one line and exits with status 2."""

    def error(self, message: str) -> NoReturn:
        """Report an invalid argument; called by argparse."""
        fail(f"{clipped(message, 200)} ({self.prog} --help)", self.prog)


@contextmanager
def command_line(program: str, hint: str = "") -> Iterator[None]:
    """Report an error raised inside the block in one line, without a traceback.

    program   the command as the user types it, ``python -m autograd``
    hint      text to append to each error

    Raises SystemExit with status 2 after an error, 130 after Ctrl-C, and 1, silently, if the reader closed the pipe.
    """
    for stream in (sys.stdout, sys.stderr):  # no print may fail because the encoding lacks a character
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="chainrule")
    try:
        yield
        sys.stdout.flush()
    except (ValueError, ArithmeticError, ImportError, OSError) as error:
        if _is_closed_pipe(error):  # for example, `head` has read enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # otherwise the flush at exit fails too
            raise SystemExit(1) from None
        name, reason = getattr(error, "filename", None), getattr(error, "strerror", None)
        message = f"{name}: {reason}" if name and reason else str(error)
        fail(f"{message} {hint}".rstrip(), program)
    except KeyboardInterrupt as error:
        print(file=sys.stderr)  # end the line on which the terminal shows ^C
        fail(str(error) or "interrupted", program, 130)


def _is_closed_pipe(error: Exception) -> bool:
    """Return whether the reader of a pipe has closed it; Windows then raises a plain OSError."""
    invalid = isinstance(error, OSError) and error.errno == errno.EINVAL and error.filename is None
    return isinstance(error, BrokenPipeError) or (os.name == "nt" and invalid)


def fail(message: str, program: str, status: int = 2) -> NoReturn:
    """Print the message after the program's short name (``autograd``), and exit with the status."""
    name = program.removeprefix("python ").removeprefix("-m ").split()[0].removesuffix(".py")
    warn(f"{name}: {text_name(message)}")
    raise SystemExit(status)


def warn(message: str) -> None:
    """Print to stderr, because stdout may be redirected to a file."""
    print("\n".join(map(text_name, message.split("\n"))), file=sys.stderr)
