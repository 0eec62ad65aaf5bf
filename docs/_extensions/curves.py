"""Draws an entry of the table as small SVG pictures: the value in blue, its derivative in orange."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise, permutations
from math import copysign, dist, floor, isfinite

from autograd.kinks import is_kink
from autograd.notation import lowered, number_text
from autograd.number_systems import floats
from autograd.table import CONSTANT, Primitive

WIDTH, HEIGHT = 240.0, 170.0
LEFT, RIGHT, TOP, BOTTOM = 30.0, 14.0, 24.0, 20.0  # margins of the plot
SAMPLES = 256
REACH, HIGHEST, SHARE = (4.0, 2.0, 1.0), 6.0, 0.8  # the widest range in which this share of the numbers is not higher
JUMP = 0.05  # a difference between neighbours that remains when their distance is halved until it vanishes
NEAR = 0.12  # the largest error of a simplified curve, in pixels
NUMBERS = (1.0, 2.0, 0.5, -1.0, 3.0)  # for the operands, in the first order in which the entry is defined
EXAMPLES = {  # entries for which other numbers show more
    "power": ((1.0, 2.0), (1.0, 3.0), (1.0, 0.5), (1.0, -1.0)),
    "pow": ((2.0, 1.5),),
    "heaviside": ((1.0, 0.5),),
    "clamp": ((0.5, -1.0, 2.0),),
    "where": ((1.0, 2.0, -1.0),),
}
Point = tuple[float, float]


def operand_letters(entry: Primitive) -> list[str]:
    """Return the operands of the entry by their names in formulas; an n-ary entry has two or three of a kind."""
    if not entry.variadic:
        return list(entry.letters)
    letter = entry.letters[0]
    if entry.factors != "pairs":
        return [f"{letter}_{i}" for i in range(1, max(3, entry.least) + 1)]
    # wab: each w with its a, and b
    return [f"{kind}_{i}" for kind in letter[:2] for i in (1, 2)] + list(letter[2:])


def examples(entry: Primitive) -> Sequence[tuple[float, ...]]:
    """Return numbers for the operands at which the entry is defined."""
    count = len(operand_letters(entry))
    numbers = NUMBERS[: max(count, 4)] if count <= len(NUMBERS) else NUMBERS * count
    orders = permutations(numbers, count) if count <= len(NUMBERS) else iter([numbers[:count]])
    found = (at for at in orders if entry.defined_at(*at, derivative=True))
    return EXAMPLES.get(entry.name) or [next(found)]


@dataclass(frozen=True)
class Panel:
    """A plot in which one operand of an entry varies and the others are fixed.

    at   the operands; the varying one is replaced
    """

    entry: Primitive
    moving: int
    at: tuple[float, ...]

    def operands(self, x: float) -> list[float]:
        """Return the operands when the varying one is x."""
        return [*self.at[: self.moving], x, *self.at[self.moving + 1 :]]

    def value(self, x: float) -> float:
        """Return the value at x, or NaN if it does not exist."""
        return self._run(x, derivative=False)

    def derivative(self, x: float) -> float:
        """Return the local derivative with respect to the varying operand, or NaN if it does not exist."""
        return self._run(x, derivative=True)

    def _run(self, x: float, derivative: bool) -> float:
        operands = self.operands(x)
        if not self.entry.defined_at(*operands, derivative=derivative):
            return float("nan")
        value, local_derivatives = self.entry.rule(floats, *operands)
        return float(local_derivatives[self.moving] if derivative else value)

    def kinks(self, low: float, high: float) -> list[float]:
        """Return the kinks and jumps between low and high; candidates are multiples of ¼ and the other operands."""
        quarters = [i / 4 for i in range(floor(4 * low), floor(4 * high) + 1)]
        movers = ["x" if i == self.moving else None for i in range(len(self.at))]
        inside = sorted(x for x in {*quarters, *self.at} if low <= x <= high)
        return [
            x for x in inside
            if isfinite(self.value(x)) and is_kink(self.entry, self.operands(x), movers)
        ]  # fmt: skip

    def interval(self) -> Point:
        """Return the range of the varying operand: the widest in which most values stay low, within the domain."""
        for reach in REACH:
            xs = [reach * (2 * i / SAMPLES - 1) for i in range(SAMPLES + 1)]
            defined = [x for x in xs if isfinite(self.value(x))]
            numbers = [y for x in defined for y in (self.value(x), self.derivative(x)) if isfinite(y)]
            if sum(abs(y) <= HIGHEST for y in numbers) >= SHARE * len(numbers):
                break
        step = 2 * reach / SAMPLES  # to the edge of the domain, which may be excluded
        return max(-reach, _rounded(defined[0] - step)), min(reach, _rounded(defined[-1] + step))

    def fixed_words(self) -> str:
        """Return the fixed operands as text: y = 2."""
        letters = operand_letters(self.entry)
        return ", ".join(
            f"{lowered(letter)} = {number_text(x)}"
            for i, (letter, x) in enumerate(zip(letters, self.at))
            if i != self.moving
        )


def panels(entry: Primitive) -> list[Panel]:
    """Return a panel for each operand, or for the first of each kind in an n-ary entry."""
    letters, domains = operand_letters(entry), entry.domains_of(len(operand_letters(entry)))
    shown = [
        i for i, letter in enumerate(letters)
        if domains[i] is not CONSTANT and not (entry.variadic and letter.partition("_")[2] not in ("", "1"))
    ]  # fmt: skip
    return [Panel(entry, i, tuple(at)) for at in examples(entry) for i in shown]


def _rounded(x: float) -> float:
    """Return an edge of the domain, which the samples have bracketed within one step."""
    return round(x * 16) / 16


def pieces(panel: Panel, kind: str, low: float, high: float) -> list[list[Point]]:
    """Return the points of a curve ("value" or "derivative"), in pieces between jumps and gaps."""
    function = getattr(panel, kind)
    xs = [low + (high - low) * i / SAMPLES for i in range(SAMPLES + 1)]
    found: list[list[Point]] = [[]]
    for x, after in pairwise([*xs, xs[-1]]):
        y = function(x)
        if isfinite(y):
            found[-1].append((x, y))
        elif found[-1]:
            found.append([])
        if isfinite(y) and isfinite(function(after)) and (ends := _jump(function, x, after)):
            found[-1].append(ends[0])
            found.append([ends[1]])
    return [piece for piece in found if len(piece) > 1]


def _jump(function: Callable[[float], float], low: float, high: float) -> tuple[Point, Point] | None:
    """Return the points of the curve on both sides of a jump between low and high, if there is one."""
    before, after = function(low), function(high)
    if abs(after - before) <= JUMP:
        return None
    for _ in range(40):
        middle = (low + high) / 2
        y = function(middle)
        if not isfinite(y):
            break
        if abs(y - before) >= abs(after - y):
            high, after = middle, y
        else:
            low, before = middle, y
    return ((low, before), (high, after)) if abs(after - before) > JUMP else None


@dataclass(frozen=True)
class Frame:
    """Maps numbers to pixels of a plot."""

    x: Point
    y: Point

    def place(self, point: Point) -> Point:
        """Return the pixel position of a point; a point far above or below the plot is moved close to it."""
        (low, high), (bottom, top) = self.x, self.y
        far = 3 * (top - bottom)
        y = min(max(point[1], bottom - far), top + far)
        return (
            LEFT + (point[0] - low) / (high - low) * (WIDTH - LEFT - RIGHT),
            TOP + (top - y) / (top - bottom) * (HEIGHT - TOP - BOTTOM),
        )


def frame(panel: Panel) -> Frame:
    """Return a plot whose range covers the axis and both curves, up to ``HIGHEST``."""
    low, high = panel.interval()
    shown = [y for kind in ("value", "derivative") for piece in pieces(panel, kind, low, high) for _, y in piece]
    bottom, top = (copysign(min(abs(y), HIGHEST), y) for y in (min([0.0, *shown]), max([0.0, *shown])))
    if top - bottom < 1.0:
        bottom, top = (bottom - 1.0, top) if bottom < 0.0 == top else (bottom, bottom + 1.0)
    margin = 0.06 * (top - bottom)
    return Frame((low, high), (bottom - margin, top + margin))


def ticks(low: float, high: float) -> list[float]:
    """Return at most five round numbers between low and high, including 0 if it is in the range."""
    step = next(step for step in (0.25, 0.5, 1.0, 2.0, 4.0, 8.0) if (high - low) / step <= 5)
    first = -floor(-low / step)
    return [i * step for i in range(first, floor(high / step) + 1)]


def simplified(points: Sequence[Point]) -> list[Point]:
    """Return a simplified curve that stays within ``NEAR`` pixels of the points (Ramer, Douglas & Peucker)."""
    kept, stack = {0, len(points) - 1}, [(0, len(points) - 1)]
    while stack:
        first, last = stack.pop()
        (x, y), (x_end, y_end) = points[first], points[last]
        length = dist(points[first], points[last]) or 1.0
        away = [
            abs((x_end - x) * (points[i][1] - y) - (y_end - y) * (points[i][0] - x)) / length
            for i in range(first + 1, last)
        ]
        if away and max(away) > NEAR:
            middle = first + 1 + away.index(max(away))
            kept.add(middle)
            stack += [(first, middle), (middle, last)]
    return [points[i] for i in sorted(kept)]


def svg(panel: Panel, key: str) -> str:
    """Return the picture of a panel; ``key`` makes the id of its clipping path unique on the page."""
    plot = frame(panel)
    (low, high), (bottom, top) = plot.x, plot.y
    letter = lowered(operand_letters(panel.entry)[panel.moving])
    words = f"{panel.entry.name} for {letter} from {number_text(low)} to {number_text(high)}"
    words += f", {fixed}" if (fixed := panel.fixed_words()) else ""
    attributes = f'class="curve" role="img" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" aria-label="{escape(words)}"'
    window = " ".join(f"{number:.12g}" for number in (low, high, bottom, top))
    return "".join([
        f'<svg {attributes} data-window="{window}"><clipPath id="{key}">{_rectangle()}</clipPath>',
        *_axes(plot, letter, fixed), f'<g clip-path="url(#{key})">', *_curves(panel, plot), "</g></svg>",
    ])  # fmt: skip


def _rectangle() -> str:
    width, height = WIDTH - LEFT - RIGHT + 8, HEIGHT - TOP - BOTTOM + 8
    return f'<rect x="{LEFT - 4:g}" y="{TOP - 4:g}" width="{width:g}" height="{height:g}"/>'


def _axes(plot: Frame, letter: str, fixed: str) -> Iterator[str]:
    (low, high), (bottom, top) = plot.x, plot.y
    ends = [(x, 0.0) for x in (low, high)] + [(0.0, y) for y in (bottom, top)] * (low <= 0.0 <= high)
    for start, end in zip(ends[::2], ends[1::2]):
        (x, y), (x_end, y_end) = plot.place(start), plot.place(end)
        yield f'<path class="axis" d="M{x:.1f},{y:.1f}L{x_end:.1f},{y_end:.1f}"/>'
    for x in ticks(low, high):
        across = plot.place((x, 0.0))[0]
        yield f'<text class="tick" x="{across:.1f}" y="{HEIGHT - 5:g}" text-anchor="middle">{number_text(x)}</text>'
    for y in ticks(bottom, top):
        down = plot.place((low, y))[1]
        yield f'<text class="tick" x="{LEFT - 6:g}" y="{down + 3.5:.1f}" text-anchor="end">{number_text(y)}</text>'
    down = plot.place((high, 0.0))[1]
    beside = f'x="{WIDTH - RIGHT + 4:g}" y="{down + 4:.1f}"'
    above = f'x="{WIDTH - 1:g}" y="{down - 5:.1f}" text-anchor="end"'
    yield f'<text class="letter" {beside if len(letter) <= 2 else above}>{letter}</text>'
    yield f'<text class="fixed" x="{WIDTH - RIGHT:g}" y="11" text-anchor="end">{escape(fixed)}</text>' * bool(fixed)


def _curves(panel: Panel, plot: Frame) -> Iterator[str]:
    """Draw both curves, and at each kink a dot for the value and one for the subgradient that the rule takes."""
    for kind, name in (("value", "value"), ("derivative", "grad")):
        drawn = [simplified([*map(plot.place, piece)]) for piece in pieces(panel, kind, *plot.x)]
        path = "".join(f"M{'L'.join(f'{x:.2f},{y:.2f}' for x, y in piece)}" for piece in drawn)
        yield f'<path class="{name}" d="{path}"/>'
        for x in panel.kinks(*plot.x):
            if isfinite(y := getattr(panel, kind)(x)):
                across, down = plot.place((x, y))
                yield f'<circle class="{name}" cx="{across:.2f}" cy="{down:.2f}" r="3"/>'
