"""Writes matrices under their names as text for a terminal, as HTML and as LaTeX."""

import re
from html import escape
from itertools import zip_longest
from math import isfinite
from textwrap import wrap
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from autograd.notation import latex_signs, latex_text
from autograd.text import printable

T = TypeVar("T")

WIDTH = 100
WIDEST = (WIDTH - 4) // 2  # a matrix, so that two stand side by side after the margin

# text and brackets take the page's colour, light or dark; without a doctype, tables inherit only what is listed here
CSS = """
.nn-matrix-form { color: inherit; overflow-x: auto; font-variant-numeric: tabular-nums }
.nn-matrix-form p { margin: .9em 0 .3em }
.nn-matrix-form div { display: flex; flex-wrap: wrap; gap: .4em 1.4em; align-items: flex-start }
.nn-matrix-form figure { margin: 0 }
.nn-matrix-form table { border: solid currentColor; border-width: 0 1.5px; border-radius: .5em;
  border-collapse: separate; border-spacing: 0; margin: .2em 0; background: none;
  color: inherit; font: inherit }
.nn-matrix-form tr { background: none !important }
.nn-matrix-form td { border: 0; padding: .05em .5em; text-align: right; color: inherit; white-space: nowrap }
"""
LATEX_CELLS = {
    "⋮": r"\vdots", "…": r"\cdots", "⋱": r"\ddots", "nan": r"\text{NaN}", "inf": r"\infty", "-inf": r"-\infty",
}  # fmt: skip


class Block(NamedTuple):
    """A matrix under its name; a vector is a column."""

    label: str
    matrix: NDArray[np.float64]

    def cells(self, most_columns: int = 7) -> list[list[str]]:
        """The numbers as strings of one format, seven rows at most, with dots for what is left out."""
        dots: list[Any] = ["⋮"] * self.matrix.shape[1]
        shown = shortened(self.matrix.tolist(), 7, dots)
        rows = [shortened(row, most_columns, "⋱" if row is dots else "…") for row in shown]
        sizes = [abs(x) for row in rows for x in row if isinstance(x, float) and x and isfinite(x)] or [1.0]
        style = ".6f" if max(sizes) < 100.0 and min(sizes) >= 1e-4 else ".3e"
        # an exact 0 stands out
        return [[x if isinstance(x, str) else f"{x:{style}}" if x else "0" for x in row] for row in rows]

    def text(self) -> list[str]:
        """The label and, under it, the lines of the matrix, all of one width."""
        for most_columns in (7, 5, 3):
            cells = [list(map(printable, row)) for row in self.cells(most_columns)]
            widths = [max(map(len, column)) for column in zip(*cells)]
            lines = [" ".join(map(str.rjust, row, widths)) for row in cells]
            if len(lines[0]) + 2 <= WIDEST:
                break
        brackets = ["[]"] if len(lines) == 1 else ["⎡⎤", *["⎢⎥"] * (len(lines) - 2), "⎣⎦"]
        lines = [printable(self.label), *(edge[0] + line + edge[1] for edge, line in zip(brackets, lines))]
        width = max(map(len, lines))
        return [line.ljust(width) for line in lines]

    def html(self) -> str:
        """A figure with a table, which a screen reader calls by the label."""
        label = escape(self.label)
        rows = "".join(f"<tr>{''.join(f'<td>{x}</td>' for x in row)}</tr>" for row in self.cells())
        return f'<figure><figcaption>{label}</figcaption><table aria-label="{label}">{rows}</table></figure>'

    def latex(self) -> str:
        """An equation, with the label on its left side."""
        label = re.sub(r"\w\.grad", r"\\texttt{\g<0>}", latex_signs(self.label))
        rows = r" \\ ".join(" & ".join(map(_latex_cell, row)) for row in self.cells())
        return rf"{label} = \begin{{pmatrix}} {rows} \end{{pmatrix}}"


Section = tuple[str, list[Block], list[Block]]  # heading, vectors, and W with the two that are compared


def as_text(title: str, sections: list[Section], sentences: list[str]) -> str:
    """Lines of at most ``WIDTH`` characters."""
    lines = [title, ""]
    for heading, vectors, weights in sections:
        lines += [heading, *_packed(vectors), *_packed(weights), ""]
    for sentence in sentences:
        lines += wrap(printable(sentence), WIDTH)
    return printable("\n".join(lines))


def as_html(title: str, sections: list[Section], sentences: list[str]) -> str:
    """A part of a page, with its own style."""
    parts = [f"<style>{CSS}</style>", _paragraph(title)]
    for heading, vectors, (W, *compared) in sections:
        parts += [_paragraph(heading), f"<div>{''.join(map(Block.html, vectors))}</div>"]
        parts.append(f"<div>{W.html()}<div>{''.join(map(Block.html, compared))}</div></div>")
    parts += map(_paragraph, sentences)
    return f'<div class="nn-matrix-form">{"".join(parts)}</div>'


def as_latex(title: str, sections: list[Section], sentences: list[str]) -> str:
    """Equations in rows of three; the title stays with the text."""
    rows = []
    for heading, *groups in sections:
        rows.append(latex_text(heading))
        for blocks in groups:
            equations = [*map(Block.latex, blocks)]
            rows += [r", \quad ".join(equations[i : i + 3]) for i in range(0, len(equations), 3)]
    rows += [latex_text(line) for sentence in sentences for line in wrap(sentence, 80)]
    return "$$\\begin{aligned}\n&" + " \\\\\n&".join(rows) + "\n\\end{aligned}$$"


def shortened(entries: list[T], most: int, dots: T) -> list[T]:
    """The entries; of more than ``most``, those at both ends with dots between them."""
    edge = (most - 1) // 2
    return entries if len(entries) <= most else [*entries[:edge], dots, *entries[-edge:]]


def _packed(blocks: list[Block]) -> list[str]:
    """The blocks side by side; where not all of them fit, the first ones go above, so that pairs stay together."""
    bands: list[list[list[str]]] = [[]]
    for lines in map(Block.text, reversed(blocks)):
        if sum(len(right[0]) + 2 for right in bands[0]) + 2 + len(lines[0]) > WIDTH:
            bands.insert(0, [])
        bands[0].insert(0, lines)
    printed = []
    for band in bands:
        widths = [len(lines[0]) for lines in band]
        for row in zip_longest(*band, fillvalue=""):
            printed.append(("  " + "  ".join(map(str.ljust, row, widths))).rstrip())
    return printed


def _paragraph(sentence: str) -> str:
    return f"<p>{escape(sentence)}</p>"


def _latex_cell(cell: str) -> str:
    digits, e, exponent = cell.partition("e")
    return LATEX_CELLS.get(cell) or (rf"{digits} \cdot 10^{{{int(exponent)}}}" if e else digits)
