"""Fixes accessibility problems in the pages of Furo, MyST-NB and viewcode, for keyboards and screen readers."""

import re
from typing import Any

from sphinx.application import Sphinx

MENDED = (
    # landmarks need different names
    (r'<aside class="sidebar-drawer">', '<aside class="sidebar-drawer" aria-label="Pages">'),
    (r'<aside class="toc-drawer', '<aside aria-label="On this page" class="toc-drawer'),
    # the search page has no heading
    (r'<div id="search-results">', '<h1>Search</h1><div id="search-results">'),
    # scrollable elements must be reachable by keyboard
    (r"<pre>", '<pre tabindex="0">'),
    (r'<div class="output text_html">', '<div class="output text_html" tabindex="0">'),
    (r'<div class="table-wrapper', '<div tabindex="0" class="table-wrapper'),
    # the blank line at the end of an example
    (r"\s+</pre>", "\n</pre>"),
    # the name of a control must start with its visible label
    (r' aria-label="Toggle hidden content"', ""),
    # the name of a test breaks after an underscore, not inside a word
    (r'(?<=<span class="pre">)test_\w+\.py::\w+', lambda name: re.sub("::|_", r"\g<0><wbr>", name[0])),
    # an empty corner of a table is not a header, nor is a formula, which has no plain text
    (r"<th[^>]*>(?:<p></p>|\s)*</th>", "<td></td>"),
    (r"<th[^>]*>(<p><span class=\"katex\">(?:(?!</th>).)*</span></p>)</th>", r'<td class="head">\1</td>'),
)


def accessible(html: str) -> str:
    for found, mended in MENDED:
        html = re.sub(found, mended, html)
    return html


def offer(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    context["accessible"] = accessible


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", offer)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
