"""Breaks formulas and sentences into lines of text, and writes lines of HTML."""

import re
import textwrap
from collections.abc import Iterable
from html import escape

from autograd.text import elsewhere, printable
from autograd.value import Value

WIDTH = 100  # columns
GIVE = "; give the Value, not its number or name"
NO_BREAK = "\xa0"  # a space at which a line does not break


def wrapped(pieces: list[str], start: str, apart: str = " ") -> list[str]:
    """Join the pieces into lines of at most ``WIDTH`` columns. ``start`` comes first; the other lines are indented.

    >>> wrapped(["yz·0", "+ xz·r"], "∂f/∂s = ")
    ['∂f/∂s = yz·0 + xz·r']
    """
    start, *pieces = (printable(text).replace(" ", NO_BREAK) for text in (start, *pieces))
    indent, text = " " * len(start), start + apart.join(pieces)
    lines = textwrap.wrap(text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    # a single piece may be longer than a line
    return paragraphs((line.replace(NO_BREAK, " ") for line in lines), min(len(start), 40))


def paragraphs(lines: Iterable[str], indent: int) -> list[str]:
    """Wrap the lines at ``WIDTH`` columns, with continuation lines indented."""
    below = " " * indent
    return [part for line in lines for part in textwrap.wrap(printable(line), WIDTH, subsequent_indent=below)]


def rows(pieces: list[str]) -> list[str]:
    """Join the pieces into rows of four."""
    return [" ".join(pieces[i : i + 4]) for i in range(0, len(pieces), 4)]


def html_line(text: str) -> str:
    """Return the text in HTML, with the indices of names as subscripts."""
    return re.sub(r"_(\d+(?:,\d+)*)", r"<sub>\1</sub>", escape(text))


def check_values(function: str, **nodes: object) -> None:
    """Raise TypeError for an argument that is not a Value."""
    for role, node in nodes.items():
        if not isinstance(node, Value):
            raise TypeError(f"{function}: {role} = {node!r} is not a Value{elsewhere(node) or GIVE}")


class TextResult:
    """Base class of results that print as text, also in a notebook."""

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"
