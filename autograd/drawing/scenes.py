"""Builds the page of a drawing: a viewer with a search, in which groups open and close without Python.

The page contains a scene for each group, which is the picture with that group open, as compressed SVG.
"""

from base64 import b64encode
from dataclasses import replace
from html import escape
from zlib import compress

from autograd.drawing.boxes import make_figure
from autograd.drawing.figure import Figure, plain
from autograd.drawing.grouping import Groups
from autograd.drawing.layered import COLUMN, Placement, larger, layered
from autograd.drawing.svg import style_sheet, svg
from autograd.pages import Page, script, written
from autograd.text import text_name

MOST_MARKS, MOST_BYTES = 45_000, 3_000_000  # of all scenes: boxes and wires, and their size
MOST_WIRES = 2_000  # in one scene
MOST_TRIED = 20  # boxes of a scene that is laid out in both directions
WINDOW = (1240.0, 680.0)
ISOLATES = dict.fromkeys(map(ord, "\u2068\u2069"))  # around right-to-left names in a picture
MOST_NAMES = 300_000  # characters


def graph_page(
    figure: Figure, placement: Placement, groups: Groups | None = None, local_derivatives: bool = False,
    marks: int = MOST_MARKS,
) -> Page:  # fmt: skip
    """Return the page of a drawing.

    groups   of its graph, if it is collapsed; a click can open as many as ``marks`` allows
    """
    title = plain(text_name(figure.title.partition(";")[0]))
    bare = _bare(figure, placement)
    sentences = [("warning", text) for text in figure.warnings] + [("", text) for text in figure.captions]
    captions = "".join(
        f'<p class="{kind}">{escape(plain(text_name(text.translate(ISOLATES))))}</p>' for kind, text in sentences
    )
    scenes = _scenes(groups, local_derivatives, marks) if groups else []
    code = f"const SCENES = new Map({script(scenes)});\nconst NAMES = {script(_names(groups) if groups else [])};\n"
    page = written("draw", title, "autograd.drawing", code, style_sheet(), picture=bare, captions=captions)
    height = min(640, max(320, round(COLUMN * placement.height / placement.width) + 160))
    invitation = f"{title}; trust the notebook to zoom and to search"
    return Page(title, "a drawing", title, page, svg(figure, placement), invitation, height)


def _bare(figure: Figure, placement: Placement) -> str:
    """Return the picture without the captions, warnings and style that the page contains."""
    whole = svg(replace(figure, captions=[], warnings=[]), placement)
    return whole.replace(f"<style>{style_sheet()}</style>\n", "", 1)


def _scenes(groups: Groups, local_derivatives: bool, marks: int) -> list[tuple[str, tuple[list[str], str]]]:
    """Return for each group, up to the limits, its name, the groups that contain it, and its picture."""
    scenes: list[tuple[str, tuple[list[str], str]]] = []
    room = MOST_BYTES
    for name in groups.names:
        shown = groups.collapsed([name], alone=True)
        if len(shown.edges) > MOST_WIRES:
            continue
        if (marks := marks - len(shown.nodes) - len(shown.edges)) < 0:
            break
        packed = b64encode(compress(_fitted(make_figure(shown, local_derivatives)).encode())).decode()
        if (room := room - len(packed)) < 0:
            break
        scenes.append((text_name(name), ([text_name(outer) for outer in groups.around[name]], packed)))
    return scenes


def _fitted(figure: Figure) -> str:
    """Return the picture in the direction that a window shows larger; large pictures always go to the right."""
    figures = [figure, replace(figure, direction="up")] if len(figure.boxes) <= MOST_TRIED else [figure]
    return _bare(*larger([(each, layered(each)) for each in figures], WINDOW))


def _names(groups: Groups) -> list[tuple[tuple[str, ...], str]]:
    """Return the names in each innermost group, after the groups that contain it."""
    found: dict[tuple[str, ...], list[str]] = {}
    room = MOST_NAMES
    for node in groups.shown.nodes:
        if node.value is not None and node.value.name and (room := room - len(node.name) - 1) >= 0:
            found.setdefault(groups.around[node.name], []).append(text_name(node.name))
    return [(tuple(map(text_name, place)), "\n".join(names)) for place, names in found.items()]
