"""``walk``: one page on which a student steps through both passes, predicts numbers and changes inputs.

The graph is told to the page as data (``telling``), its rules as JavaScript that the table itself has written; the
page's own script, in the files beside this one, knows no derivative.
"""

from __future__ import annotations

from html import escape
from typing import ClassVar, final

from autograd.contributions import gradients
from autograd.errors import clipped
from autograd.graph import topological_order
from autograd.notation import is_constant
from autograd.number_systems import javascript
from autograd.pages import Page, own_file, script, written
from autograd.text import counted, printable
from autograd.value import Value
from autograd.walking.picture import Picture, positions
from autograd.walking.telling import Told

MOST_NODES, MOST_BYTES = 500, 2_000_000
SCRIPTS = ("numbers.js", "passes.js", "judging.js", "steering.js")  # no page is needed to run these


def walk(f: Value, *, predict: bool = False) -> Walk:
    """A page that steps through the forward and the backward pass of f, one contribution at a time.

    predict   begin with every number hidden: the student types it, and the page names the likely slip

    Where an input changed since f was computed, the page runs the forward pass again and says so.
    Raises TypeError for what is no Value, ValueError for more than 500 nodes or a page beyond 2 MB, TypeError for a
    rule that JavaScript cannot run, DomainError where changed inputs have no value.

    >>> r, s = Value(2.0, "r"), Value(3.0, "s")
    >>> walk(r * s)
    <walk through f: 3 nodes>
    """
    if not isinstance(f, Value):
        raise TypeError(f"walk takes the Value whose passes it shows, not {f!r} ({type(f).__name__})")
    return Walk(f, predict)


@final
class Walk(Page):
    """What ``walk`` made. In a notebook it shows itself."""

    kind: ClassVar[str] = "a walk"
    height: ClassVar[int] = 640

    def __init__(self, f: Value, predict: bool = False) -> None:
        count = len(topological_order(f))
        if count > MOST_NODES:
            raise ValueError(
                f"walk: {count:,} nodes; a page that can be walked has at most {MOST_NODES}: "
                "walk(node) for a part of it, a smaller network, or draw(f), which collapses what is large"
            )
        self._told = Told(f)
        self._name, self._count = self._told.names[f], count
        self._grads = gradients(f)
        label = 'role="group" aria-label="Nodes; arrows up and down move between them"'
        places = positions(f)
        pictures = [Picture(self._told, places, down) for down in (False, True)]
        # as wide as there is room; the style sheet says between which parts of its own width
        wide, tall = (picture.svg(f'style="--width:{picture.width}px" {label}') for picture in pictures)
        self._wide = pictures[0]
        self.page = written(
            "walk", self.title(), _file("page.html"), _file("picture.css") + _file("page.css"),
            "\n".join([program(self._told), f"const PREDICTING = {script(predict)};", _file("page.js")]),
            changed=escape(self._told.changed), hidden="" if self._told.changed else " hidden", wide=wide, tall=tall,
        )  # fmt: skip
        if len(self.page.encode()) > MOST_BYTES:
            raise ValueError(
                f"walk: the page takes {len(self.page.encode()):,} bytes, more than {MOST_BYTES:,}: "
                "walk(node) for a part of the graph, or fewer operands in one node"
            )

    def __repr__(self) -> str:
        return printable(f"<walk through {clipped(self._name)}: {counted(self._count, 'node')}>")

    def title(self) -> str:
        return f"Both passes of {clipped(self._name)}"

    def invitation(self) -> str:
        return f"The graph of {clipped(self._name)}; trust the notebook to walk through it"

    def image(self) -> str:
        """The picture alone, at the end of both passes."""
        grads = [None if is_constant(x) or self._told.changed else self._grads[x] for x in self._told.order]
        size = f'xmlns="http://www.w3.org/2000/svg" width="{self._wide.width}" height="{self._wide.height}"'
        style = f"<style>{escape(_file('picture.css'), quote=False)}</style>"
        return self._wide.svg(size, grads).replace("<g>", f"{style}<g>", 1)


def program(told: Told) -> str:
    """The script but for the page itself: the table's rules, the graph, both passes, the judging of predictions."""
    parts = [
        "// The rules, as the table wrote them, on the elementary functions.",
        f"const RULES = (() => {{\n{javascript.PRELUDE}return {told.rules};\n}})();",
        f"const GRAPH = {script(told.graph)};",
        "GRAPH.rules = GRAPH.rules.map((words, i) => ({ ...words, ...RULES[i] }));",
    ]
    return "\n".join([*parts, *map(_file, SCRIPTS)])


def _file(name: str) -> str:
    return own_file(name, "autograd.walking")
