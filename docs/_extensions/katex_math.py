"""Typesets formulas with KaTeX during the build, so that the pages need no script and no network for them.

KaTeX comes from npm, as for the tests: ``npm install --prefix tests/web``.
"""

import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util import logging

HERE = Path(__file__).parent
MODULES = HERE.parent.parent / "tests" / "web" / "node_modules"
log = logging.getLogger(__name__)


class Katex:
    """A Node.js process that typesets formulas one at a time."""

    def __init__(self) -> None:
        if not shutil.which("node") or not (MODULES / "katex").is_dir():
            raise ExtensionError("formulas need node and KaTeX: npm install --prefix tests/web")
        self.process = subprocess.Popen(
            ["node", HERE / "katex.js"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8",
            env={**os.environ, "NODE_PATH": str(MODULES)},
        )  # fmt: skip

    def answer(self, tex: str, display: bool) -> dict[str, str]:
        """Typeset a formula and return its ``html``, or the ``error`` in it."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps({"tex": tex, "display": display}) + "\n")
        self.process.stdin.flush()
        answer: dict[str, str] = json.loads(self.process.stdout.readline())
        return answer

    def close(self) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@cache
def katex() -> Katex:
    return Katex()


@cache
def typeset(tex: str, display: bool) -> dict[str, str]:
    return katex().answer(tex, display)


def visit(writer: Any, node: nodes.Element, display: bool) -> None:
    answer = typeset(node.astext(), display)
    if "error" in answer:
        log.warning("%s in the formula %s", answer["error"], node.astext(), location=node)
    html = answer.get("html", "")
    writer.body.append(f'<div class="math" tabindex="0">{html}</div>' if display else html)
    raise nodes.SkipNode


def visit_inline(writer: Any, node: nodes.Element) -> None:
    visit(writer, node, "\\begin{" in node.astext())


def visit_display(writer: Any, node: nodes.Element) -> None:
    visit(writer, node, True)


def copy_files(app: Sphinx, error: Exception | None) -> None:
    """Put KaTeX's style sheet and its fonts into the site, and end the process."""
    if error is None and app.builder.format == "html":
        target = app.outdir / "_static" / "katex"
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(MODULES / "katex/dist/katex.min.css", target)
        shutil.copytree(
            MODULES / "katex/dist/fonts", target / "fonts", dirs_exist_ok=True,
            ignore=shutil.ignore_patterns("*.ttf", "*.woff"),
        )  # fmt: skip
    if katex.cache_info().currsize:
        katex().close()
        katex.cache_clear()
        typeset.cache_clear()


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer("katex", (visit_inline, None), (visit_display, None))
    app.add_css_file("katex/katex.min.css")
    app.connect("build-finished", copy_files)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
