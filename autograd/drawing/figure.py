"""The figure: boxes with their cells and the wires between them, which the layout places and the formats write."""

import re
from dataclasses import dataclass, field
from html import escape
from typing import Literal
from unicodedata import category, east_asian_width, normalize

from autograd.notation import LOWERED

Kind = Literal["input", "constant", "operation", "output", "unit", "dropped", "loss", "group", "words"]
Direction = Literal["right", "up"]

FONT_SIZE = 13
LINE_HEIGHT, PADDING = 18, 9
PIXEL = 5.0  # of a tile
NUMBER = 90.0  # the room of a number with four digits, kept where it is not known yet
ARROW = 7.0
WEIGHT = (NUMBER + 32.0, 2.0 * 15.0 + 6.0)  # of a weight on its wire, its gradient below it
EM = dict.fromkeys("fijlrtI.,:;'|!()[]{} ·/⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉", 0.42) | dict.fromkeys("w−=+×÷<>~≤≥∞→#&½", 0.85)
EM |= dict.fromkeys("mMW@%—…", 1.0)
# w²_13, whose 13 is lowered, and v₁ likewise
INDEXED = re.compile(
    r"(?<![^\W₀₁₂₃₄₅₆₇₈₉⁰¹²³⁴⁵⁶⁷⁸⁹])((?![₀₁₂₃₄₅₆₇₈₉⁰¹²³⁴⁵⁶⁷⁸⁹])[^\W\d_]\u0302?[⁰¹²³⁴⁵⁶⁷⁸⁹]*)"
    r"(?:_(\d+(?:,\d+)*|[A-Za-z\d]+)(?![^\W²])|([₀₁₂₃₄₅₆₇₈₉]+))"
)


@dataclass(eq=False, slots=True)
class Cell:
    """The words of one node: its name and formula, its data and its gradient; ``title`` is shown on hovering."""

    name: str = ""
    formula: list[str] = field(default_factory=list)  # its lines; the first stands beside the name
    data: str = ""
    grad: str | None = None  # None where a node has none, "" where it is not known yet
    title: str = ""
    node: int | None = None  # the place in the graph's topological order
    across: float = 0.0  # the centre, from the box's
    down: float = 0.0
    lit: bool = False  # of a weight


@dataclass(eq=False, slots=True)
class Box:
    """What stands at one place: the cells of one or more nodes, or lines of plain words."""

    kind: Kind
    width: float
    height: float
    cells: list[Cell] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)  # of a group or of words; the first is its name
    title: str = ""
    key: str = ""  # the same in every picture of a graph
    lit: bool = False
    count: int = 1  # how many nodes of the graph it stands for
    heading: str = ""  # of its column
    layer: int | None = None  # where it has to stand
    ring: float = 0.0  # of the largest a, or δ, in the picture
    tile: list[float] = field(default_factory=list)  # weights, as a square image

    def text_lines(self) -> list[str]:
        """All words, for formats that know only lines of plain text."""
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
    """A line from one box to another, or with ``weight`` through the cell of a weight, or inside one box.

    edges    data-edge of the wire, and of its last piece, from the weight to the box
    local    the local derivative, written on it; ``carried``, what it carries back
    share    of the largest that is carried in the picture, which its width shows; None: not lit
    """

    tail: Box
    head: Box
    edges: tuple[str, ...] = ()
    local: str = ""
    given: str = ""  # what arrives at its head, which the local derivative is multiplied by
    carried: str = ""
    brief: bool = False  # leaves the local derivative out where there is no room
    title: str = ""
    weight: Cell | None = None
    share: float | None = None
    width: float = 1.3
    idle: bool = False  # carries nothing
    back: bool = False  # points back, as the backward pass does
    sign: Literal["", "plus", "minus"] = ""
    ends: tuple[Cell, ...] = ()  # of a wire inside a box


@dataclass
class Figure:
    """Boxes and wires in forward order, and the sentences below.

    dense   columns of units with no room on the wires between them
    """

    boxes: list[Box]
    wires: list[Wire]
    title: str
    captions: list[str]
    warnings: list[str] = field(default_factory=list)
    direction: Direction = "right"
    dense: bool = False

    def between(self) -> list[Wire]:
        """The wires that lead from one box to another."""
        return [wire for wire in self.wires if wire.tail is not wire.head]

    def sentences(self) -> list[str]:
        """What stands below, warnings first, as plain text."""
        return [plain(text) for text in (*self.warnings, *self.captions)]


def plain(text: str) -> str:
    """Text without typesetting, w²_13 as w²₁₃; letters cannot be lowered there, so a_b stays as it is."""
    return INDEXED.sub(lambda m: m[0] if m[3] or m[2][0].isalpha() else m[1] + m[2].translate(LOWERED), text)


def typeset(text: str) -> str:
    """Text for SVG: escaped, the index of w²_13 lowered.

    >>> typeset("∂f/∂w²_13 < 0")
    '∂f/∂w²<tspan class="sub" dy="3">13</tspan><tspan dy="-3"> &lt; 0</tspan>'
    """
    # an index ends one run of words and begins another; the first run needs no element, and an empty one does not
    lower = '{}</tspan><tspan class="sub" dy="3">{}</tspan><tspan dy="-3">'.format
    runs = INDEXED.sub(lambda m: lower(m[1], m[2] or normalize("NFKC", m[3])), escape(text)) + "</tspan>"
    return runs.replace("</tspan>", "", 1).replace('<tspan dy="-3"></tspan>', "")


def text_width(text: str, size: float = FONT_SIZE) -> float:
    """No less than what the text takes in the widest of the usual fonts (DejaVu, Verdana)."""
    return sum(map(_em, INDEXED.sub(lambda m: m[1] + (m[2] or m[3]), text))) * size


def _em(c: str) -> float:
    if category(c) in ("Cf", "Mn"):
        return 0.0
    is_wide = ord(c) > 0xFFFF or east_asian_width(c) in "WF"
    return EM.get(c, 1.4 if is_wide else 0.8 if c.isupper() else 0.65)
