"""Defines the directive ``house``: the packages as rooms that import from each other, and a list of all modules."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from textwrap import wrap

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from autograd.drawing.figure import LINE_HEIGHT, PADDING, Box, Figure, Wire, text_width
from autograd.drawing.layered import layered
from autograd.drawing.svg import style_sheet, svg

ROOT = Path(__file__).parent.parent.parent
TITLE = "The rooms of autograd and nn: each arrow leads to a room that is imported"
PACKAGES = ("autograd", "nn")
ENGINE, LOOP = "autograd.value", "nn.training"  # these split the modules of their packages into two parts
DOORS = {name for package in PACKAGES for name in (package, f"{package}.__main__")}
TITLES = {  # of the rooms that are not folders
    "doors": ("front doors", "What a user imports, and both command lines."),
    "engine": ("nodes and the table", "Nodes, the calculus, and the backward pass: all that differentiation needs."),
    "shared": ("shared by readers", "What an edge carries back, names and numbers, kinks, colours, pages."),
    "readers": ("small readers", "Readers of one file each, such as gradcheck, grad and detect_anomaly."),
    "network": ("layers", "What a network is made of, and its matrices."),
    "training": (
        "training",
        "Data, losses, optimisers, the training loop, and the metrics, plots and diagnoses of a run.",
    ),
}
LINE = 23  # characters per line in a room
NARROW, LANE, TEXT = 236.0, 11.0, 12.0  # on a phone: the width of a room and of an arrow's lane, the size of the type


@dataclass
class Module:
    """A module: its name, its purpose, and the modules that it imports at run time."""

    name: str
    line: str
    imports: set[str] = field(default_factory=set)


@dataclass
class Room:
    """Modules that belong together.

    needs   the rooms from which they import, with the number of imports
    """

    key: str
    title: str
    line: str
    modules: list[Module]
    needs: Counter[str] = field(default_factory=Counter)


def read(root: Path = ROOT) -> dict[str, Module]:
    """Return all modules of both packages."""
    paths = {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
        for package in PACKAGES
        for path in sorted((root / package).rglob("*.py"))
    }
    modules = {}
    for name, path in paths.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        modules[name] = Module(name, first_sentence(ast.get_docstring(tree) or ""))
        is_package = path.name == "__init__.py"
        modules[name].imports = {x for x in imported(tree, name, is_package, paths) if x in paths} - {name}
    return modules


def imported(tree: ast.AST, module: str, is_package: bool, known: dict[str, Path]) -> Iterator[str]:
    """Return the modules that the source imports, also in functions, but not those only for annotations."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            node = ast.Module(node.orelse, [])
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = module.split(".")[: len(module.split(".")) - node.level + is_package] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            yield from (inner if (inner := f"{base}.{a.name}") in known else base for a in node.names)
        else:
            yield from imported(node, module, is_package, known)


def first_sentence(docstring: str) -> str:
    """Return the first sentence of a docstring, without the marks of code."""
    first = " ".join(docstring.partition("\n\n")[0].split())
    return re.split(r"(?<=[.?])\s", first)[0].replace("``", "")


def reached(modules: dict[str, Module], start: str) -> set[str]:
    """Return the modules that ``start`` imports, directly or through others."""
    found: set[str] = set()
    stack = [start]
    while stack:
        new = modules[stack.pop()].imports - found
        found |= new
        stack += new
    return found


def rooms(modules: dict[str, Module]) -> dict[str, Room]:
    """Return the rooms: one for each folder; the other modules are grouped by imports in both directions."""
    key = {name: _room(name, modules) for name in modules}
    users = {name: [x for x in modules if name in modules[x].imports and key[x] != "doors"] for name in modules}
    for name in modules:
        if key[name] == "shared" and not any(x.startswith("autograd") for x in users[name]):
            key[name] = "readers"

    def serves_training(name: str) -> bool:
        homes = {key[x] for x in users[name]}
        return key[name] == "network" and "training" in homes and "network" not in homes

    while moved := [*filter(serves_training, modules)]:
        key |= dict.fromkeys(moved, "training")
    house: dict[str, Room] = {}
    for name, module in modules.items():
        title, line = TITLES.get(key[name]) or (key[name], modules[key[name]].line)
        house.setdefault(key[name], Room(key[name], title, line, [])).modules.append(module)
    for room in house.values():
        needed = [key[x] for module in room.modules for x in module.imports]
        room.needs.update(other for other in needed if other not in (room.key, "doors"))
    return house


def _room(name: str, modules: dict[str, Module]) -> str:
    """Return the folder of a module, or the part of its package to which it belongs."""
    folder = ".".join(name.split(".")[:2])
    if name in DOORS:
        return "doors"
    if any(other.startswith(f"{folder}.") for other in modules):
        return folder
    if name.startswith("nn."):
        return "training" if LOOP in reached(modules, name) | {name} else "network"
    return "engine" if name in reached(modules, ENGINE) | {ENGINE} else "shared"


def arrows(house: dict[str, Room]) -> list[tuple[str, str]]:
    """Return the pairs (upper, lower) of rooms to join by an arrow, without those implied by two other arrows.

    If two rooms import from each other, the arrow shows the direction with more imports.
    """
    below: dict[str, set[str]] = {key: set() for key in house}

    def reach(key: str) -> set[str]:
        return below[key].union(*map(reach, below[key]))

    edges = sorted((-count, room.key, low) for room in house.values() for low, count in room.needs.items())
    for _, high, low in edges:
        if high not in reach(low):
            below[high].add(low)
    return [(key, low) for key in below for low in sorted(below[key]) if not any(low in reach(x) for x in below[key])]


def picture(house: dict[str, Room]) -> str:
    """Draw the rooms with our own layered drawing; each arrow leads from a room to one that it imports from."""
    boxes = {}
    for room in house.values():
        lines = [room.title, *wrap(room.line.rstrip("."), LINE)]
        width = max(text_width(line) for line in lines) + 2 * PADDING
        boxes[room.key] = Box("operation", width, LINE_HEIGHT * len(lines) + 2 * PADDING, lines=lines, key=room.key)
    wires = [Wire(boxes[low], boxes[high], back=True) for high, low in arrows(house)]
    figure = Figure([*boxes.values()], wires, TITLE, [], direction="up")
    drawn = svg(figure, layered(figure)).replace(f"<style>{style_sheet()}</style>\n", "", 1)
    lines = drawn.replace('role="img"', 'role="group"').splitlines()  # it contains links
    return "\n".join(_linked(line) for line in lines)


def _linked(line: str) -> str:
    """Return a line of the drawing; the line of a box links to its room in the list."""
    box = re.match(r'<g class="box [^>]*data-box="([^"]+)"', line)
    return f'<a href="#{anchor(box[1])}">{line}</a>' if box else line


def column(house: dict[str, Room]) -> str:
    """Draw the same for a phone: the rooms in one column, and the arrows in lanes next to them."""
    wires = arrows(house)
    order = sorted(house, key=lambda key: _height(key, wires), reverse=True)
    parts, middle, y = [], {}, 1.0
    for key in order:
        lines = wrap(house[key].line.rstrip("."), 30)
        height = 17.0 * (len(lines) + 1) + 12.0
        words = "".join(
            f'<text class="start {"quiet" if i else "heavy"}" x="10" y="{y + 18 + 17 * i:g}">{escape(line)}</text>'
            for i, line in enumerate([house[key].title, *lines])
        )
        outline = f'<rect class="outline" x="1" y="{y:g}" width="{NARROW:g}" height="{height:g}" rx="5"/>'
        parts.append(f'<a href="#{anchor(key)}">{outline}{words}</a>')
        middle[key] = y, height
        y += height + 12.0
    ends = {key: iter(_spread(*middle[key], sum(key in wire for wire in wires))) for key in order}
    place = {key: i for i, key in enumerate(order)}
    lanes: list[float] = []  # where each lane is free again
    for high, low in sorted(wires, key=lambda wire: (place[wire[0]], place[wire[1]])):
        start, end = next(ends[high]), next(ends[low])
        lane = next((i for i, free in enumerate(lanes) if free < start), len(lanes))
        lanes[lane : lane + 1] = [end]
        x = NARROW + 14.0 + LANE * lane
        path = f"M{NARROW + 1:g},{start:g}H{x - 5:g}q5,0 5,5V{end - 5:g}q0,5 -5,5H{NARROW + 8:g}"
        tip = f"M{NARROW + 1:g},{end:g}l8,-4v8z"
        parts.append(f'<path class="wire" d="{path}"/><path class="tip" d="{tip}"/>')
    width = NARROW + 20.0 + LANE * len(lanes)
    head = f'<svg class="picture" role="group" aria-label="{TITLE}" viewBox="0 0 {width:g} {y:g}">'
    return "\n".join([head, *parts, "</svg>"])


def _spread(top: float, height: float, count: int) -> list[float]:
    """Return the positions of arrow ends at the side of a room."""
    return [top + height * (i + 1) / (count + 1) for i in range(count)]


def _height(key: str, wires: list[tuple[str, str]]) -> int:
    """Return the length of the longest chain of rooms below the room."""
    return max((1 + _height(low, wires) for high, low in wires if high == key), default=0)


def anchor(key: str) -> str:
    """Return the id of a room in the list."""
    return f"room-{key.replace('.', '-')}"


def listed(house: dict[str, Room]) -> str:
    """Return all rooms as HTML, with their modules and the purpose of each."""
    parts = []
    for room in house.values():
        modules = "".join(
            f"<dt><code>{escape(module.name)}</code></dt><dd>{escape(module.line)}</dd>" for module in room.modules
        )
        below = ", ".join(
            f'<a href="#{anchor(other)}">{escape(house[other].title)}</a>' for other in sorted(room.needs)
        )
        needs = f"<p>Imports from {below}.</p>" if below else "<p>Imports from no other room.</p>"
        summary = f"<summary><b>{escape(room.title)}</b> <span>{escape(room.line)}</span></summary>"
        parts.append(f'<details id="{anchor(room.key)}">{summary}{needs}<dl>{modules}</dl></details>')
    return f'<div class="rooms">{"".join(parts)}</div>'


class House(SphinxDirective):
    """The directive ``house``: the picture, wide and narrow, and the list of all rooms."""

    def run(self) -> list[nodes.Node]:
        """Return the pictures and the list as one piece of HTML."""
        house = rooms(read())
        css = style_sheet()[style_sheet().index(".picture text") :]  # the page defines the colours
        wide, narrow = picture(house), column(house)
        pictures = f'<div class="house wide">{wide}</div><div class="house narrow">{narrow}</div>'
        return [nodes.raw("", f"<style>{css}</style>{pictures}{listed(house)}", format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("house", House)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
