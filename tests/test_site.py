"""The documentation site: the API is complete, every link leads somewhere, and each page works for everybody."""

import ast
import inspect
import json
import re
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import accessible
import api_pages
import docstrings
import notebook_pages
import pytest
from conftest import ROOT, violations

import autograd
import nn
from autograd.colours import DARK, LIGHT

# ---- the API -----------------------------------------------------------------------------------------------------


def test_every_public_name_is_documented():
    functions = autograd._names_of(import_module("autograd.functions"))  # sum, abs and pow, which __all__ leaves out
    public = {f"autograd.{name}" for name in {*autograd.__all__, *functions}} | {f"nn.{name}" for name in nn.__all__}
    assert public - set(api_pages.documented()) == set()


def test_every_documented_name_exists_and_has_a_docstring():
    assert len(api_pages.documented()) > 200
    for name in api_pages.documented():
        assert api_pages.summary(api_pages.thing(name)), name


def imported(code: str) -> Iterator[str]:
    """The names that the code takes from below our packages, as in ``from nn.data import moons``."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and re.match(r"(autograd|nn)\.", node.module or ""):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "plots":
            yield f"nn.plots.{node.attr}"


def test_what_the_notebooks_use_is_documented():
    used = {
        name
        for path in notebook_pages.SOURCE.glob("*.ipynb")
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
        if cell["cell_type"] == "code"
        for name in imported(re.sub(r"^[%!].*", "", "".join(cell["source"]), flags=re.M))
    }
    ours = {name for name in used if not name.startswith("nn.lecture.")}  # the lecture's own numbers and claims
    assert len(ours) > 20
    documented = [api_pages.thing(name) for name in api_pages.documented()]
    assert {name for name in ours if not any(api_pages.thing(name) is about for about in documented)} == set()


@pytest.fixture(scope="module")
def pages(site):
    """The text of every page by its path."""
    return {
        path.relative_to(site).as_posix(): path.read_text(encoding="utf-8")
        for path in site.rglob("*.html")
        if "_static" not in path.parts
    }


def test_every_documented_name_has_its_anchor_on_its_page_and_a_line_in_the_index(pages):
    for name, page in api_pages.documented().items():
        assert f'id="{name}"' in pages[f"api/{page}.html"], name
        assert f'href="{page}.html#{name}"' in pages["api/index.html"], name


# ---- docstrings --------------------------------------------------------------------------------------------------


def words(text: str) -> str:
    return re.sub(r"[\s`_]+", "", text)


def every_docstring() -> Iterator[tuple[str, str]]:
    for name in api_pages.documented():
        about = api_pages.thing(name)
        yield name, inspect.getdoc(about) or ""
        if inspect.isclass(about):
            yield from ((f"{name}.{own}", inspect.getdoc(method)) for own, _, method in api_pages.members(about))


def test_no_word_of_a_docstring_is_lost():
    for name, text in every_docstring():
        shown = "\n".join(node.astext() for node in docstrings.content(text, lambda words: None))
        assert words(re.sub(r"^- ", "", text, flags=re.M)) == words(shown), name


@pytest.mark.parametrize(
    ("text", "formula"),
    [
        ("a = σ(z) = 1/(1 + e⁻ᶻ), with derivative a(1 − a).", "a = σ(z) = 1/(1 + e⁻ᶻ),"),
        ("½ λ Σ w² with λ = ``strength``; each w is pulled.", "½ λ Σ w²"),
        ("z_j = Σ_k w_jk a_k + b_j: one node.", "z_j = Σ_k w_jk a_k + b_j:"),
        ("max(0, 1 − y · score) for a target y.", "max(0, 1 − y · score)"),
        ("Every path from s to f; their sum is ∂f/∂s.", ""),
        ("The nodes of μ and σ² are named after their layer.", ""),
        ("x, but no less than ``low``.", ""),
    ],
)
def test_the_formula_that_begins_a_docstring_is_found(text, formula):
    assert docstrings.leading_formula(text) == formula


def test_arguments_examples_and_lists_are_what_they_are():
    text = """y_i = γ x̂_i + β, for each unit.

wrt       an input
engine    takes the steps:
  "eager"   node by node
  "auto"    whatever is
            faster
l1, l2    strengths

Text that mentions ``Dataset.check``.
Raises ValueError for ``wrt``.

- one
- two

>>> 1 + 1
2

>>> 2 + 2
4"""
    formula, arguments, prose, raises, bullets, example = docstrings.content(text, lambda name: None)
    assert formula[0]["classes"] == ["formula"] and formula[0].astext() == "yi = γ x̂i + β,"
    assert [item[0].astext() for item in arguments] == ["wrt", "engine", "l1, l2"]
    assert [item[0].astext() for item in arguments[1][1][1]] == ['"eager"', '"auto"']
    assert arguments[1][1][1][1][1].astext() == "whatever is faster"
    assert prose.astext() == "Text that mentions Dataset.check." and raises.astext().startswith("Raises")
    assert [item.astext() for item in bullets] == ["one", "two"]
    assert example["language"] == "pycon" and example.astext() == ">>> 1 + 1\n2\n\n>>> 2 + 2\n4"


def test_what_a_docstring_names_is_linked_if_it_has_a_page():
    assert api_pages.reference("Dataset.check")["reftarget"] == "nn.Dataset.check"
    assert api_pages.reference("nn.optim.cosine")["reftarget"] == "nn.optim.cosine"
    assert api_pages.reference("MLP")["reftarget"] == "nn.MLP"
    assert api_pages.reference("through") is None and api_pages.reference("x = r") is None


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("autograd.affine", "(w, a, b)"),
        ("autograd.maximum", "(*x)"),
        ("autograd.explain", "(f: Value, wrt: Value, through: Value | Sequence[Value] | None = None) -> Explanation"),
        ("nn.optim.constant", "(rate: float) -> Schedule"),
    ],
)
def test_signatures_are_as_one_calls_them(name, shown):
    assert api_pages.signature(api_pages.thing(name)) == shown


def test_no_signature_shows_an_address_in_memory_or_a_module_path(pages):
    for page, html in pages.items():
        for signature in re.findall(r'<dt class="sig.*?</dt>', html, re.S):
            text = re.sub(r"<[^>]+>", "", signature)
            assert not re.search(r"0x[0-9a-f]{6}|&lt;|~\w", text), (page, text)


# ---- notebooks ---------------------------------------------------------------------------------------------------


def test_links_of_notebooks_lead_to_their_pages_and_to_plain_text_where_there_is_none():
    folder = notebook_pages.SOURCE
    for text, shown in {
        "[4](04-training.ipynb#x)": "[4](04-training.ipynb#x)",
        "[all](../docs/promises.md)": "[all](../promises.md)",
        "[code](../nn/optim.py)": "code",
        "[gone](nowhere.ipynb)": "[gone](nowhere.ipynb)",  # which the build then complains about
        "[web](https://arxiv.org/abs/1412.6980)": "[web](https://arxiv.org/abs/1412.6980)",
    }.items():
        assert notebook_pages.relinked(text, folder, Path("notebooks/page.ipynb")) == shown
    up = notebook_pages.relinked(
        "[1](../01-the-chain-rule.ipynb)", folder / "exercises", Path("notebooks/exercises/e")
    )
    assert up == "[1](../01-the-chain-rule.ipynb)"
    from_docs = notebook_pages.relinked("[1](../notebooks/06-dropout.ipynb)", notebook_pages.DOCS, Path("a.md"))
    assert from_docs == "[1](notebooks/06-dropout.ipynb)"


def test_the_name_of_a_test_breaks_only_between_words():
    shown = '<code><span class="pre">test_site.py::test_x</span></code> <span class="pre">a_name</span>'
    assert accessible.accessible(shown) == shown.replace(
        "test_site.py::test_x", "test_<wbr>site.py::<wbr>test_<wbr>x"
    )


def test_answers_are_hidden_and_plots_described(pages):
    html = pages["notebooks/04-training.html"]
    source = json.loads((ROOT / "notebooks" / "04-training.ipynb").read_text(encoding="utf-8"))
    hidden = [cell for cell in source["cells"] if cell["metadata"].get("jupyter", {}).get("outputs_hidden")]
    assert len(hidden) == html.count("<summary>\n<p") == html.count("Show the answer") > 5
    assert "The answer:" not in html
    plots = re.findall(r"<img [^>]*\.png[^>]*>", html)
    assert plots and all('alt="Plot drawn by ' in plot for plot in plots)


# ---- links -------------------------------------------------------------------------------------------------------


class Links(HTMLParser):
    """The ids of a page, what it links to, and what it loads."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.titles = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        got = {name: value or "" for name, value in attributes}
        self.titles += tag == "h1"
        self.ids |= {got[name] for name in ("id", "name") if name in got}
        if tag == "a" and "href" in got:
            self.links.append(got["href"])
        elif tag == "link" and got.get("rel") in ("stylesheet", "icon", "shortcut icon", "preload"):
            self.loads.append(got["href"])
        elif "src" in got:
            self.loads.append(got["src"])


def broken(address: str, page: str, site: Path, parsed: dict[str, Links]) -> str:
    """What is wrong with a link on a page, in words; an empty string if it leads somewhere."""
    parts = urlsplit(address)
    if parts.scheme in ("http", "https", "mailto", "data"):
        return ""
    target = (site / page).parent.joinpath(unquote(parts.path)).resolve() if parts.path else (site / page).resolve()
    if not target.is_file() or not target.is_relative_to(site.resolve()):
        return "there is no such file"
    other = parsed.get(target.relative_to(site.resolve()).as_posix())
    if parts.fragment and other and unquote(parts.fragment) not in other.ids:
        return "there is no such anchor"
    return ""


@pytest.fixture(scope="module")
def parsed(pages):
    return {page: Links(html) for page, html in pages.items()}


def test_every_link_picture_and_anchor_leads_somewhere(site, parsed):
    assert len(parsed) > 60
    found = [
        (page, address, wrong)
        for page, links in parsed.items()
        for address in (*links.links, *links.loads)
        if (wrong := broken(address, page, site, parsed))
    ]
    assert found == []


def test_a_planted_dead_link_is_found(site, parsed):
    assert broken("nowhere.html", "index.html", site, parsed) == "there is no such file"
    assert broken("recipes.html#nowhere", "index.html", site, parsed) == "there is no such anchor"
    assert broken("../../conf.py", "index.html", site, parsed) == "there is no such file"
    assert broken("api/index.html", "index.html", site, parsed) == broken("#", "index.html", site, parsed) == ""


def test_nothing_is_loaded_from_another_machine(site, parsed):
    assert [
        (p, a) for p, links in parsed.items() for a in links.loads if urlsplit(a).scheme in ("http", "https")
    ] == []
    for path in [*site.rglob("*.css"), *site.rglob("*.html")]:
        text = path.read_text(encoding="utf-8")
        assert not re.findall(r"@import[^;]*https?:|url\(['\"]?https?:", text), path


def test_every_page_has_one_title(parsed):
    assert {page: links.titles for page, links in parsed.items() if links.titles != 1} == {}


# ---- in Chromium -------------------------------------------------------------------------------------------------

SOME = ["index.html", "api/layers.html", "notebooks/07-preprocessing.html", "promises.html", "search.html"]
WINDOWS = [(1280, "light"), (360, "dark")]
OTHER_WINDOWS = [(1280, "dark"), (360, "light")]


@pytest.fixture
def browse(chromium: Any, served: str) -> Iterator[Any]:
    """Opens pages of the site. Nothing may go wrong on them, and no request may leave this origin."""
    complaints: list[str] = []
    opened = []

    def browsed(path: str, width: int = 1280, scheme: str = "light") -> Any:
        if not opened:
            page = chromium.new_page()
            page.on(
                "console",
                lambda message: (
                    message.type == "error"
                    and "favicon.ico" not in message.location["url"]  # a page that is one file has none
                    and complaints.append(message.text)
                ),
            )
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))
            page.on(
                "request",
                lambda request: (
                    request.url.startswith((served, "data:", "blob:", "about:")) or complaints.append(request.url)
                ),
            )
            opened.append(page)
        [page] = opened
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.goto(f"{served}/{path}")
        return page

    yield browsed
    for page in opened:
        page.close()
    assert complaints == []


def complaints_about(page: Any, width: int) -> list[Any]:
    """What axe finds, whatever its impact, and how far the page can be scrolled sideways."""
    found: list[Any] = list(violations(page))
    # Furo lets the column of the text scroll, so that the window never seems too narrow
    wide = page.evaluate("Math.max(...[...document.querySelectorAll('html, .content')].map((e) => e.scrollWidth))")
    return found + ([f"{wide} pixels wide"] if wide > width else [])


def complaints_in(browse: Any, paths: Iterable[str], width: int, scheme: str) -> dict[str, list[Any]]:
    found = {path: complaints_about(browse(path, width, scheme), width) for path in paths}
    return {path: complaints for path, complaints in found.items() if complaints}


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), WINDOWS)
def test_pages_fit_and_are_accessible(browse, width, scheme):
    assert complaints_in(browse, SOME, width, scheme) == {}


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), WINDOWS + OTHER_WINDOWS)
def test_all_pages_fit_and_are_accessible(browse, pages, width, scheme):
    sources = sorted(path for path in pages if path.startswith("_modules/"))
    paths = (set(pages) - set(sources[3:])) if (width, scheme) in WINDOWS else SOME
    assert complaints_in(browse, sorted(paths), width, scheme) == {}


@pytest.mark.browser
def test_a_planted_fault_is_found(browse):
    page = browse("index.html", 360)
    page.evaluate("document.querySelector('article').append(new Image())")
    assert [name for name, _ in violations(page)] == ["image-alt"]
    page.evaluate("document.querySelector('article').innerHTML += '<p style=\"width: 900px\">wide</p>'")
    assert "pixels wide" in str(complaints_about(page, 360))


FIRST = {
    "log_softmax": "api/functions.html#autograd.log_softmax",
    "explain": "api/explain.html#autograd.explain",
    "clip_norm": "api/optimisers.html#nn.clip_norm",
    "patience": "api/training.html#nn.Training-patience",
    "micrograd": "coming_from/micrograd.html#index-0",
    "momentum": "api/optimisers.html#index-0",
}


def search(page: Any, folder: str, query: str) -> list[str]:
    """The addresses of what the search finds, the best first, relative to the site."""
    page.goto(f"{folder}/search.html?q={query}")
    page.wait_for_selector("#search-results .search-summary:not(:empty)")
    page.wait_for_function("document.querySelector('#search-results h2')?.innerText !== 'Searching'")
    return [link.get_attribute("href") for link in page.query_selector_all("#search-results li > a")]


@pytest.mark.browser
@pytest.mark.parametrize("served_by", ["a server", "a folder"])
def test_the_search_finds_object_names_first_without_the_network(chromium, served, site, served_by):
    folder = served if served_by == "a server" else site.as_uri()
    with chromium.new_page() as page:
        assert {query: search(page, folder, query)[0] for query in FIRST} == FIRST
        assert any(
            address.startswith("api/optimisers.html#nn.SGD") for address in search(page, folder, "momentum")[:4]
        )


@pytest.mark.browser
def test_pictures_and_pages_in_frames_follow_the_switch(chromium, served):
    is_dark = "matchMedia('(prefers-color-scheme: dark)').matches"
    # Playwright would otherwise emulate one scheme in all frames
    with chromium.new_page(color_scheme="null") as page:
        page.goto(f"{served}/notebooks/01-the-chain-rule.html")
        frame = page.frames[1]
        seen = {}
        for _ in range(3):
            page.click(".theme-toggle-content button")
            scheme = page.evaluate("document.body.dataset.theme")
            page.wait_for_timeout(200)
            seen[scheme] = (
                page.evaluate("getComputedStyle(document.querySelector('img.drawing')).colorScheme"),
                page.evaluate("getComputedStyle(document.body).getPropertyValue('--paper')"),
                frame.evaluate(is_dark),
            )
    assert seen["light"] == ("light", LIGHT["paper"], False)
    assert seen["dark"] == ("dark", DARK["paper"], True)
    assert set(seen) == {"light", "dark", "auto"}


@pytest.mark.browser
def test_an_answer_opens_and_a_walk_takes_a_step(browse):
    page = browse("notebooks/01-the-chain-rule.html")
    answer = page.locator("details.hide").first
    assert not answer.locator(".cell_output").is_visible()
    answer.locator("summary").click()
    assert answer.inner_text().strip().endswith("0.036009")
    frame = page.frame_locator("iframe").first
    before = frame.locator("main").inner_text()
    frame.locator("[id$=next]").click()
    assert frame.locator("main").inner_text() != before
