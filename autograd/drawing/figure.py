"""The figure: boxes with cells, and wires between them. The layout positions them, and the formats write them."""

import re
from dataclasses import dataclass, field
from html import escape
from math import fsum
from typing import Literal
from unicodedata import category, east_asian_width, normalize

from autograd.notation import LOWERED

Kind = Literal["input", "constant", "operation", "output", "unit", "dropped", "loss", "group", "words"]
Direction = Literal["right", "up"]

FONT_SIZE = 13
LINE_HEIGHT, PADDING = 18, 9
PIXEL = 5.0  # of a tile
NUMBER = 90.0  # the width of a number with four digits, reserved until the number is known
ARROW = 7.0
WEIGHT = (NUMBER + 32.0, 2.0 * 15.0 + 6.0)  # of a weight on its wire, with the gradient below
EM = dict.fromkeys("fijlrtI.,:;'|!()[]{} ·/⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉", 0.42) | dict.fromkeys("w−=+×÷<>~≤≥∞→#&½", 0.85)
EM |= dict.fromkeys("mMW@%—…", 1.0)
# names with an index, which is lowered, such as w²_13 and v₁
INDEXED = re.compile(
    r"(?<![^\W₀₁₂₃₄₅₆₇₈₉⁰¹²³⁴⁵⁶⁷⁸⁹])((?![₀₁₂₃₄₅₆₇₈₉⁰¹²³⁴⁵⁶⁷⁸⁹])[^\W\d_]\u0302?[⁰¹²³⁴⁵⁶⁷⁸⁹]*)"
    r"(?:_(\d+(?:,\d+)*|[A-Za-z\d]+)(?![^\W²])|([₀₁₂₃₄₅₆₇₈₉]+))"
)


@dataclass(eq=False, slots=True)
class Cell:
    """The texts of one node: its name and formula, its data and its gradient; ``title`` is shown on hover."""

    name: str = ""
    formula: list[str] = field(default_factory=list)  # lines; the first is beside the name
    data: str = ""
    grad: str | None = None  # None if the node has none, "" if it is not known yet
    title: str = ""
    node: int | None = None  # its index in the graph's topological order
    across: float = 0.0  # its centre, relative to the centre of the box
    down: float = 0.0
    lit: bool = False  # whether a weight is highlighted


@dataclass(eq=False, slots=True)
class Box:
    """A box: the cells of one or more nodes, or lines of plain text."""

    kind: Kind
    width: float
    height: float
    cells: list[Cell] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)  # of a group or of plain text; the first is its name
    title: str = ""
    key: str = ""  # the same in every picture of a graph
    lit: bool = False  # whether it is highlighted
    count: int = 1  # the number of the graph's nodes that it represents
    heading: str = ""  # of its column
    layer: int | None = None  # in which it must be placed
    ring: float = 0.0  # |a| or |δ|, relative to the largest in the picture
    tile: list[float] = field(default_factory=list)  # weights, as a square image

    def text_lines(self) -> list[str]:
        """Return all texts, for formats that support only lines of plain text."""
        lines = [*self.lines, "dropped" if self.kind == "dropped" else ""]
        for cell in self.cells:
            equals = " = " if cell.name and cell.formula else ""
            first = cell.name + equals + " ".join(cell.formula)
            data = f"{cell.name} = {cell.data}" if self.kind in ("unit", "input") else f"= {cell.data}"
            both = self.kind in ("unit", "input") or not first
            lines += ([] if both else [first]) + [data if first else cell.data, f"∂ {cell.grad}" if cell.grad else ""]
        return [plain(line) for line in lines if line]


@dataclass(eq=False, slots=True)
class Wire:
    """A line from one box to another, through the cell of its ``weight`` if it has one, or inside one box.

    edges    data-edge of the wire, and of its last piece, from the weight to the box
    local    the local derivative, written on the wire; ``carried`` is the contribution that it carries back
    share    of the derivative, relative to the largest in the picture; None if the wire is not highlighted
    """

    tail: Box
    head: Box
    edges: tuple[str, ...] = ()
    local: str = ""
    given: str = ""  # the upstream gradient, by which the local derivative is multiplied
    carried: str = ""
    brief: bool = False  # omits the local derivative if space is short
    title: str = ""
    weight: Cell | None = None
    share: float | None = None
    width: float = 1.3
    idle: bool = False  # carries nothing
    back: bool = False  # whether its arrowhead points back
    sign: Literal["", "plus", "minus"] = ""
    ends: tuple[Cell, ...] = ()  # of a wire inside a box


@dataclass
class Figure:
    """Boxes and wires in forward order, and the sentences below them.

    dense   whether these are columns of units, without space for text on the wires
    """

    boxes: list[Box]
    wires: list[Wire]
    title: str
    captions: list[str]
    warnings: list[str] = field(default_factory=list)
    direction: Direction = "right"
    dense: bool = False

    def between(self) -> list[Wire]:
        """Return the wires between different boxes."""
        return [wire for wire in self.wires if wire.tail is not wire.head]

    def sentences(self) -> list[str]:
        """Return the sentences below the boxes as plain text, warnings first."""
        return [plain(text) for text in (*self.warnings, *self.captions)]


def plain(text: str) -> str:
    """Return text without markup: w²_13 becomes w²₁₃, but a_b stays, because Unicode has few lowered letters."""
    return INDEXED.sub(lambda m: m[0] if m[3] or m[2][0].isalpha() else m[1] + m[2].translate(LOWERED), text)


def typeset(text: str) -> str:
    """Return text for SVG: escaped, and with the index of w²_13 lowered.

    >>> typeset("∂f/∂w²_13 < 0")
    '∂f/∂w²<tspan class="sub" dy="3">13</tspan><tspan dy="-3"> &lt; 0</tspan>'
    """
    # each index ends a run of text and begins another; the first run needs no element, and empty ones are removed
    lower = '{}</tspan><tspan class="sub" dy="3">{}</tspan><tspan dy="-3">'.format
    runs = INDEXED.sub(lambda m: lower(m[1], m[2] or normalize("NFKC", m[3])), escape(text)) + "</tspan>"
    return runs.replace("</tspan>", "", 1).replace('<tspan dy="-3"></tspan>', "")


def text_width(text: str, size: float = FONT_SIZE) -> float:
    """Return an upper bound of the width of the text in common fonts, of which DejaVu and Verdana are the widest.

    ``fsum`` rounds alike on every version of Python; from 3.12 on, ``sum`` differs from earlier ones.
    """
    return fsum(map(_em, INDEXED.sub(lambda m: m[1] + (m[2] or m[3]), text))) * size


def _em(c: str) -> float:
    if category(c) in ("Cf", "Mn"):
        return 0.0
    is_wide = ord(c) > 0xFFFF or east_asian_width(c) in "WF"
    return EM.get(c, 1.4 if is_wide else 0.8 if c.isupper() else 0.65)
