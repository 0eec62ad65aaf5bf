"""Makes the gallery and the lab interactive: runs the gallery's code, and builds a page for each lesson."""

import re
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

from autograd.drawing.figure import plain
from docs.make_pictures import BLOCK, Example
from nn.laboratory import lab
from nn.laboratory.lessons import lessons
from nn.laboratory.recording import Situation

HEIGHT = 640  # pixels of a drawing's page


def lab_lessons() -> dict[str, list[Situation]]:
    """Return the situations of each lesson by its title."""
    found: dict[str, list[Situation]] = {}
    for situation in lessons():
        found.setdefault(situation.words["title"].partition(" / ")[0], []).append(situation)
    return found


def drawn_from_code(app: Sphinx, env: BuildEnvironment, *_: set[str]) -> list[str]:
    """Return the pages that are built anew each time, because they show what the code does now."""
    return sorted({"gallery", "how_it_works", "lab", "primitives"} & env.found_docs)


def file_name(title: str) -> str:
    """Return the file name for a title, such as why-hidden-layers.html."""
    return "-".join(re.findall(r"[a-z0-9]+", title.lower().replace("'", ""))) + ".html"


def shown(example: Example, folder: Path) -> str:
    """Return the result of an example as HTML, and save its page, if it has one, in the folder."""
    if "plots." in example.code:  # a Matplotlib plot is shown as committed
        return ""
    thing = example.run()
    page = folder / f"{example.file.partition('.')[0]}.html"
    if not getattr(thing, "_moves", False):  # an animation is its own file
        thing.save(page)
    groups = [box for box in thing.figure.boxes if box.kind == "group"] if hasattr(thing, "figure") else []
    html = framed(page, example.words) if groups else thing._repr_html_()
    link = f'<p><a href="gallery/{page.name}">Open as a page</a></p>' if page.exists() else ""
    return f'<div class="live" role="group" tabindex="0" aria-label="{escape(example.words)}">{html}</div>{link}'


def framed(page: Path, title: str) -> str:
    """Return a sandboxed frame with a page, which is loaded when it comes into view."""
    rights = 'sandbox="allow-scripts allow-downloads allow-forms" loading="lazy"'
    return f'<iframe {rights} title="{escape(title)}" height="{HEIGHT}" src="gallery/{page.name}"></iframe>'


def fill_gallery(app: Sphinx, docname: str, source: list[str]) -> None:
    """Replace the saved pictures in the gallery by the results of its code."""
    if docname != "gallery" or app.builder.format != "html":
        return
    folder = app.outdir / "gallery"
    folder.mkdir(parents=True, exist_ok=True)

    def live(match: re.Match[str]) -> str:
        example = Example(**match.groupdict())
        html = shown(example, folder)
        code = match[0][: match[0].rindex("![")]
        return f"{code}````{{raw}} html\n{html}\n````" if html else match[0]

    source[0] = BLOCK.sub(live, source[0])


class Lab(SphinxDirective):
    """The directive ``lab``: the first lesson, and a link to the page of each; the build saves the pages."""

    outdir: Path  # the folder of the built site

    def run(self) -> list[nodes.Node]:
        """Return the HTML of the first lesson and of the list of all lessons."""
        folder = self.outdir / "lab"
        folder.mkdir(parents=True, exist_ok=True)
        items = []
        for title, situations in lab_lessons().items():
            page = lab(situations)
            page.save(folder / file_name(title))
            link = f'<a href="lab/{file_name(title)}">{escape(title)}</a>'
            items.append(f"<dt>{link}</dt><dd>{escape(plain(str(situations[0].words['question'])))}</dd>")
            if len(items) == 1:
                first = f'<div class="live">{page._repr_html_()}</div>'
        html = f'{first}<h2 id="lessons">The lessons</h2><dl class="lessons">{"".join(items)}</dl>'
        return [nodes.raw("", html, format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive, and run the gallery's code when its page is read."""
    app.connect("env-get-outdated", drawn_from_code)
    app.connect("source-read", fill_gallery)
    app.add_directive("lab", Lab)
    Lab.outdir = Path(app.outdir)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
