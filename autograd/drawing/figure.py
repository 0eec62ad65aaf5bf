"""The figure: boxes with their words and wires with their strokes, which layouts place and formats write."""

import re
from dataclasses import dataclass, field
from typing import Literal, NamedTuple
from unicodedata import category, east_asian_width

from autograd.notation import LOWERED

Kind = Literal["input", "constant", "operation", "output", "group", "unit", "dropped", "words"]
Stroke = Literal["plain", "lit", "faint", "positive", "negative"]
Direction = Literal["right", "up"]
RANKDIR = {"right": "LR", "up": "BT"}  # what Graphviz and Mermaid call them

FONT_SIZE, LINE_HEIGHT, PADDING = 13, 18, 9
LABEL_HEIGHT, ARROW = 18, 7.0
EM = dict.fromkeys("fijlrtI.,:;'|!()[]{} ·/⁰¹²³⁴⁵⁶⁷⁸⁹", 0.42) | dict.fromkeys("w−=+×÷<>~≤≥∞→#&", 0.85)
EM |= dict.fromkeys("mMW@%—…", 1.0)
INDEXED = re.compile(r"(?<!\w)([^\W\d_][⁰¹²³⁴⁵⁶⁷⁸⁹]*)_(\d+(?:,\d+)*|[A-Za-z\d]+)(?!\w)")  # w²_13, whose 13 is lowered


@dataclass(eq=False, slots=True)
class Box:
    """What stands at one place: a bold name, the formula beside it, lines below; ``title`` is shown on hovering."""

    name: str
    kind: Kind
    formula: str = ""
    lines: list[str] = field(default_factory=list)
    title: str = ""
    lit: bool = False
    count: int = 1  # how many nodes of the graph it stands for
    width: float = 0.0
    height: float = 0.0

    def __post_init__(self) -> None:
        if not self.width:
            widths = [text_width(self.name, bold=True) + text_width(self.formula), *map(text_width, self.lines)]
            self.width = round(max(widths) + 2 * PADDING)
            self.height = LINE_HEIGHT * (bool(self.name or self.formula) + len(self.lines)) + PADDING

    def text_lines(self) -> list[str]:
        """All words, for formats that know only lines of plain text."""
        lines = [self.name + self.formula, *self.lines, "dropped" if self.kind == "dropped" else ""]
        return [plain(line) for line in lines if line]


@dataclass(eq=False, slots=True)
class Wire:
    """A line from one box to another; ``dashed`` says that what it carries is negative."""

    tail: Box
    head: Box
    label: str = ""
    title: str = ""
    stroke: Stroke = "plain"
    dashed: bool = False
    width: float = 1.3


@dataclass
class Figure:
    """Boxes and wires in forward order, and the sentences below; ``fixed`` where places are part of the sense."""

    boxes: list[Box]
    wires: list[Wire]
    title: str
    captions: list[str]
    warnings: list[str] = field(default_factory=list)
    direction: Direction = "right"
    fixed: bool = False

    def sentences(self) -> list[str]:
        """What stands below, warnings first, as plain text."""
        return [plain(text) for text in (*self.warnings, *self.captions)]


Point = tuple[float, float]


class Route(NamedTuple):
    """A wire's way: a start and three points for each Bézier segment; the arrow's tip beyond; the label's centre."""

    points: list[Point]
    tip: Point
    label: Point | None


class Placement(NamedTuple):
    """Where all of a figure stands: box centres and routes in its order; y grows downwards."""

    width: float
    height: float
    centres: list[Point]
    routes: list[Route]
    engine: str


def plain(text: str) -> str:
    """Text without typesetting, w²_13 as w²₁₃; letters cannot be lowered there, so a_b stays as it is."""
    return INDEXED.sub(lambda m: m[0] if m[2][0].isalpha() else m[1] + m[2].translate(LOWERED), text)


def text_width(text: str, bold: bool = False) -> float:
    """No less than what the text takes in the widest of the usual sans-serif fonts (DejaVu, Verdana)."""
    return sum(map(_em, INDEXED.sub(r"\1\2", text))) * FONT_SIZE * (1.12 if bold else 1.0)


def _em(c: str) -> float:
    if category(c) in ("Cf", "Mn"):
        return 0.0
    if c in EM:
        return EM[c]
    if ord(c) > 0xFFFF or east_asian_width(c) in "WF":
        return 1.4
    return 0.8 if c.isupper() else 0.65
