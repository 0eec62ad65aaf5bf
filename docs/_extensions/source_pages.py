"""Shows the source: a page for each module of which something is documented, and a link beside each signature."""

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import api_pages
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

from autograd.table import Primitive


def place(about: Any) -> tuple[str, int] | None:
    """The module and the line where an object begins, or None for what was not written as a definition."""
    if isinstance(about, Primitive):
        about = about.rule
    about = inspect.unwrap(getattr(about, "fget", None) or getattr(about, "func", None) or about)
    try:
        return about.__module__, inspect.getsourcelines(about)[1]
    except (AttributeError, OSError, TypeError):
        return None


def add_links(app: Sphinx, doctree: nodes.document) -> None:
    for signature in doctree.findall(addnodes.desc_signature):
        if not signature.get("module"):
            continue
        own, _, member = signature["fullname"].partition(".")
        about = api_pages.thing(f"{signature['module']}.{own}")
        if member:
            about = next(found for name, _, found in api_pages.members(about) if name == member)
        if found := place(about):
            module, line = found
            page = app.builder.get_relative_uri(app.env.docname, f"_modules/{module}")
            words = nodes.inline("", "[source]", classes=["viewcode-link"])
            signature += nodes.reference("", "", words, internal=True, refuri=f"{page}#line-{line}")


def pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """The source of each module to which a link can lead; a line has the anchor ``line-12``."""
    abouts = [api_pages.thing(name) for name in api_pages.documented()]
    abouts += [method for about in abouts if inspect.isclass(about) for _, _, method in api_pages.members(about)]
    for module in sorted({found[0] for about in abouts if (found := place(about))}):
        code = inspect.getsource(import_module(module))
        body = app.builder.highlighter.highlight_block(code, "python", lineanchors="line")  # type: ignore[attr-defined]
        body = re.sub(r'<a id="(line-\d+)" [^>]*></a>', r'<span id="\1"></span>', body)  # a link has words
        context = {"title": module, "body": f"<h1>Source of <code>{module}</code></h1>{body}", "parents": []}
        yield f"_modules/{module}", context, "page.html"


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-read", add_links)
    app.connect("html-collect-pages", pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
