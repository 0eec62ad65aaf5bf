"""What every command line here shares: one-line errors with exit status 2, and output on any terminal and pipe."""

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
    """Reports an argument that it cannot read in one line and exits with status 2."""

    def error(self, message: str) -> NoReturn:
        """What argparse calls for such an argument."""
        fail(f"{clipped(message, 200)} ({self.prog} --help)", self.prog)


@contextmanager
def command_line(program: str, hint: str = "") -> Iterator[None]:
    """Runs a command: its errors end in one line and an exit status, never in a traceback.

    program   how it is called, ``python -m autograd``
    hint      what to add to each error

    Raises SystemExit: 2 after an error, 130 after Ctrl-C, and 1, silently, where the reader of the output has left.
    """
    for stream in (sys.stdout, sys.stderr):  # from here on, nothing that is printed fails for want of a sign
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="chainrule")
    try:
        yield
        sys.stdout.flush()
    except (ValueError, ArithmeticError, ImportError, OSError) as error:
        if _is_closed_pipe(error):  # as `head` closes it when it has read enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the flush at exit fails once more
            raise SystemExit(1) from None
        name, reason = getattr(error, "filename", None), getattr(error, "strerror", None)
        message = f"{name}: {reason}" if name and reason else str(error)
        fail(f"{message} {hint}".rstrip(), program)
    except KeyboardInterrupt as error:
        print(file=sys.stderr)  # behind the ^C of the terminal
        fail(str(error) or "interrupted", program, 130)


def _is_closed_pipe(error: Exception) -> bool:
    """Whether nobody reads the output any more, for which Windows has no error of its own."""
    invalid = isinstance(error, OSError) and error.errno == errno.EINVAL and error.filename is None
    return isinstance(error, BrokenPipeError) or (os.name == "nt" and invalid)


def fail(message: str, program: str, status: int = 2) -> NoReturn:
    """Print one line after the program's name, ``autograd`` of ``python -m autograd``, and exit with the status."""
    name = program.removeprefix("python ").removeprefix("-m ").split()[0].removesuffix(".py")
    warn(f"{name}: {text_name(message)}")
    raise SystemExit(status)


def warn(message: str) -> None:
    """Print to stderr, since stdout may be redirected into a file."""
    print("\n".join(map(text_name, message.split("\n"))), file=sys.stderr)
