"""Formats labelled matrices as text, HTML and LaTeX."""

import re
from collections.abc import Sequence
from html import escape
from itertools import zip_longest
from textwrap import wrap
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from autograd.mathml import aligned, framed
from autograd.notation import MINUS, latex_signs, latex_text, number_text
from autograd.text import printable

T = TypeVar("T")

WIDTH = 100
WIDEST = (WIDTH - 4) // 2  # maximum width of a matrix, so that two fit side by side
FILLING = "\u2008" + "\u2007" * 16  # a space as wide as a decimal point, and spaces as wide as digits
PLAIN = dict.fromkeys(map(ord, FILLING), " ")
CSS = """
.formulas mtable { font: .74em system-ui, sans-serif; font-variant-numeric: tabular-nums; margin: .2em .15em;
  border: solid currentColor; border-width: 0 1.5px; border-radius: .5em }
.formulas mtd { text-align: right; text-align: -webkit-right; padding: .2em .5em }
"""
LATEX_CELLS = {
    "⋮": r"\vdots", "…": r"\cdots", "⋱": r"\ddots", "NaN": r"\text{NaN}", "∞": r"\infty", "−∞": r"-\infty",
}  # fmt: skip


class Block(NamedTuple):
    """A matrix with a label; a vector is a column."""

    label: str
    matrix: NDArray[np.float64]

    def cells(self, most_columns: int = 7) -> list[list[str]]:
        """Return the numbers as strings, with dots in place of all but seven rows and ``most_columns`` columns."""
        matrix = self.matrix if self.matrix.ndim == 2 else self.matrix[:, None]
        dots: list[Any] = ["⋮"] * matrix.shape[1]
        shown = shortened(matrix.tolist(), 7, dots)
        rows = [shortened(row, most_columns, "⋱" if row is dots else "…") for row in shown]
        texts = [[x if isinstance(x, str) else number_text(x, 4) for x in row] for row in rows]
        return [list(row) for row in zip(*map(_pointed, zip(*texts)))]

    def text(self) -> list[str]:
        """Return the label and the lines of the matrix, padded to the same width."""
        for most_columns in (7, 5, 3):
            cells = [[printable(x.translate(PLAIN)) for x in row] for row in self.cells(most_columns)]
            widths = [max(map(len, column)) for column in zip(*cells)]
            lines = [" ".join(map(str.rjust, row, widths)) for row in cells]
            if len(lines[0]) + 2 <= WIDEST:
                break
        brackets = ["[]"] if len(lines) == 1 else ["⎡⎤", *["⎢⎥"] * (len(lines) - 2), "⎣⎦"]
        lines = [printable(self.label), *(edge[0] + line + edge[1] for edge, line in zip(brackets, lines))]
        width = max(map(len, lines))
        return [line.ljust(width) for line in lines]

    def mathml(self, role: str) -> str:
        """Return the matrix in brackets, in the colour of the role "value" or "gradient"."""
        rows = "".join(f"<mtr>{''.join(f'<mtd><mn>{x}</mn></mtd>' for x in row)}</mtr>" for row in self.cells())
        return f'<mstyle class="{role}"><mtable>{rows}</mtable></mstyle>'

    def latex(self) -> str:
        """Return the equation label = matrix."""
        rows = r" \\ ".join(" & ".join(map(_latex_cell, row)) for row in self.cells())
        label = re.sub(r"\w\.grad", r"\\texttt{\g<0>}", latex_signs(self.label.replace("ₐ", "_a")))
        return rf"{label} = \begin{{pmatrix}} {rows} \end{{pmatrix}}"


Section = tuple[str, list[Block], list[Block]]  # heading, vectors, and W with the two gradients to compare
Equations = tuple[str, list[tuple[str, list[str]]], str]  # heading, lines in MathML, comparison with the scalars


def as_text(title: str, sections: list[Section], sentences: list[str]) -> str:
    """Format the sections as lines of at most ``WIDTH`` characters."""
    lines = [title, ""]
    for heading, vectors, weights in sections:
        lines += [heading, *_packed(vectors), *_packed(weights), ""]
    for sentence in sentences:
        lines += wrap(printable(sentence), WIDTH)
    return printable("\n".join(lines))


def as_html(title: str, layers: list[Equations], sentences: list[str], plain: str) -> str:
    """Format the equations of each layer as MathML, followed by the comparison with the scalars."""
    parts = [f'<p class="title">{title}</p>']
    for heading, lines, check in layers:
        parts.append(f'<p class="title">{heading}</p>{aligned(lines, heading)}<p class="quiet">{check}</p>')
    parts += [f"<p>{escape(sentence)}</p>" for sentence in sentences]
    return framed("".join(parts), plain, CSS)


def as_latex(title: str, sections: list[Section], sentences: list[str]) -> str:
    """Format the sections as equations in rows of three, without the title."""
    rows = []
    for heading, *groups in sections:
        rows.append(latex_text(heading))
        for blocks in groups:
            rows += [r", \quad ".join(map(Block.latex, blocks[i : i + 3])) for i in range(0, len(blocks), 3)]
    rows += [latex_text(line) for sentence in sentences for line in wrap(sentence, 80)]
    return "$$\\begin{aligned}\n&" + " \\\\\n&".join(rows) + "\n\\end{aligned}$$"


def shortened(entries: list[T], most: int, dots: T) -> list[T]:
    """Return the entries or, if there are more than ``most``, those at both ends with dots between them."""
    edge = (most - 1) // 2
    return entries if len(entries) <= most else [*entries[:edge], dots, *entries[-edge:]]


def _packed(blocks: list[Block]) -> list[str]:
    """Arrange the blocks side by side; if not all fit, the last ones stay together, with earlier ones above them."""
    bands: list[list[list[str]]] = [[]]
    for lines in map(Block.text, reversed(blocks)):
        if sum(len(right[0]) + 2 for right in bands[0]) + 2 + len(lines[0]) > WIDTH:
            bands.insert(0, [])
        bands[0].insert(0, lines)
    return [
        "".join(f"  {line:{len(lines[0])}}" for line, lines in zip(row, band)).rstrip()
        for band in bands
        for row in zip_longest(*band, fillvalue="")
    ]


def _pointed(column: Sequence[str]) -> list[str]:
    """Pad the numbers of a column on the right so that their decimal points are aligned."""
    decimals = ["".join(x.partition(".")[1:]) for x in column]
    places = max(map(len, decimals)) if not any("e" in x for x in column) else 0
    return [x if x in LATEX_CELLS else x + FILLING[len(own) : places] for x, own in zip(column, decimals)]


def _latex_cell(cell: str) -> str:
    digits, e, exponent = cell.rstrip(FILLING).replace(MINUS, "-").partition("e")
    return LATEX_CELLS.get(cell) or (rf"{digits} \cdot 10^{{{exponent}}}" if e else digits)
