"""Tests of the pages generated from the code: they are complete, and their numbers agree with the code."""

import doctest
import math
import re
import shutil
import sys

import pytest
import sympy
from conftest import ROOT, python
from test_documentation import missing_names, missing_paths

from autograd.explanation.algebra import number
from autograd.number_systems import floats
from autograd.table import CONSTANT, REAL, TABLE, Domain, primitive

DOCS = ROOT / "docs"
sys.path[:0] = [str(DOCS), str(DOCS / "_extensions")]

import curves  # noqa: E402  (the folders have to be found first)
import make_pictures  # noqa: E402
import primitive_facts as facts  # noqa: E402

PI = facts.PI
STEPS = ["sign", "floor", "detach", "heaviside", "greater"]  # whose derivative is 0 by definition
SLOW = {"pixels.svg", "batch.svg"}  # seconds
CONF = f"""
import sys
from docutils import nodes
sys.path[:0] = [{str(ROOT)!r}, {str(DOCS / "_extensions")!r}]
extensions = ["myst_parser", "primitives_page", "house", "live_pages"]
myst_heading_anchors, html_theme, html_static_path = 4, "furo", ["_static"]
html_math_renderer, suppress_warnings = "plain", ["myst.xref_missing"]


def formula(writer, node):
    writer.body.append(writer.encode(node.astext()))
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer("plain", (formula, None), (formula, None))
"""
GALLERY = """# Gallery

```python
from autograd import Value, draw, named

x = Value(3.0, "x")
draw(named(y=x * x))
```

![y = xx](gallery/square.svg)

```python
from autograd import Value, named, walk

x = Value(3.0, "x")
walk(named(y=x * x))
```

![Both passes of y = xx](gallery/walked.svg)

```python
from autograd import draw
from nn import MLP

draw(MLP(2, [3, 1], rng=0)([0.5, 1.0]), collapse=True)
```

![A group](gallery/group.svg)
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The drawn pages, built by Sphinx alone: {name: HTML}, and the folder."""
    reason = "the pages are built by Sphinx: pip install -e '.[docs]'"
    for package in ("sphinx", "myst_parser", "furo"):
        pytest.importorskip(package, reason=reason)
    home = tmp_path_factory.mktemp("site")
    source, built = home / "docs", home / "built"
    shutil.copytree(DOCS / "_static", source / "_static")
    # what literalinclude reads beside docs/
    shutil.copytree(ROOT / "autograd", home / "autograd", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("primitives.md", "how_it_works.md", "lab.md", "one_page.py"):
        shutil.copy(DOCS / name, source / name)
    (source / "gallery.md").write_text(GALLERY, encoding="utf-8")
    (source / "conf.py").write_text(CONF, encoding="utf-8")
    names = ["primitives", "how_it_works", "lab", "gallery"]
    toctree = "\n".join(["# Pages", "", "```{toctree}", *names, "```", ""])
    (source / "index.md").write_text(toctree, encoding="utf-8")
    done = python("-m", "sphinx", "-W", "-q", source, built)
    assert (done.returncode, done.stderr) == (0, "")
    return {name: (built / f"{name}.html").read_text(encoding="utf-8") for name in names}, built


# ---- the table --------------------------------------------------------------------------------------------------

on_the_table = pytest.mark.parametrize("name", TABLE)


def plotted(svg):
    """{class: the points of its path, in pixels} and the window of the plot."""
    window = [float(x) for x in re.search(r'data-window="([^"]+)"', svg)[1].split()]
    paths = {
        kind: [tuple(map(float, point.split(","))) for point in re.findall(r"[ML]([-\d.]+,[-\d.]+)", path)]
        for kind, path in re.findall(r'<path class="(value|grad)" d="([^"]*)"', svg)
    }
    return paths, window


def numbers_of(point, window):
    """The (x, y) of a point in pixels."""
    low, high, bottom, top = window
    width = curves.WIDTH - curves.LEFT - curves.RIGHT
    height = curves.HEIGHT - curves.TOP - curves.BOTTOM
    x = low + (point[0] - curves.LEFT) / width * (high - low)
    return x, top - (point[1] - curves.TOP) / height * (top - bottom)


@on_the_table
def test_the_curves_are_the_tables_numbers(name):
    for panel in curves.panels(TABLE[name]):
        paths, window = plotted(curves.svg(panel, "key"))
        steps = [(window[1] - window[0]) / 2e4, (window[3] - window[2]) / 1e4]  # a hundredth of a pixel
        for kind, curve in (("value", panel.value), ("grad", panel.derivative)):
            assert len(paths[kind]) > 1
            for point in paths[kind]:
                x, y = numbers_of(point, window)
                if window[2] - 1.0 < y < window[3] + 1.0:  # one far outside is drawn nearer
                    around = [curve(x + shift) for shift in (-3.0 * steps[0], 0.0, 3.0 * steps[0])]
                    around = [z for z in around if math.isfinite(z)]
                    assert around and min(around) - steps[1] <= y <= max(around) + steps[1], (kind, x, y)


@pytest.mark.parametrize("name", [name for name in TABLE if name not in STEPS])
def test_the_orange_curve_is_the_slope_of_the_blue_one(name):
    for panel in curves.panels(TABLE[name]):
        low, high = panel.interval()
        kinks, h = panel.kinks(low, high), 1e-5
        tried = 0
        for i in range(1, 40):
            x = low + (high - low) * (i + 0.137) / 41
            found, slope = panel.derivative(x), (panel.value(x + h) - panel.value(x - h)) / (2.0 * h)
            if math.isfinite(found) and math.isfinite(slope) and not any(abs(x - kink) < 1e-3 for kink in kinks):
                assert found == pytest.approx(slope, rel=1e-5, abs=1e-7)
                tried += 1
        assert tried > 10


@pytest.mark.parametrize("name", STEPS)
def test_the_orange_curve_of_a_step_lies_on_the_axis(name):
    for panel in curves.panels(TABLE[name]):
        paths, window = plotted(curves.svg(panel, "key"))
        assert {round(numbers_of(point, window)[1], 2) for point in paths["grad"]} == {0.0}


@on_the_table
def test_the_formulas_have_the_numbers_of_the_rule(name):
    entry = TABLE[name]
    letters = curves.operand_letters(entry)
    for at in curves.examples(entry):
        value, slopes = entry.rule(floats, *at)
        symbols = {sympy.Symbol(letter, real=True): sympy.Float(x) for letter, x in zip(letters, at)}
        found = [
            float(number(formula, symbols | {PI: sympy.Float(math.pi, 30)})) for formula in facts.formulas(entry)
        ]
        assert found == pytest.approx([value, *slopes], rel=1e-12, abs=1e-15)
    moving = [domain for domain in entry.domains_of(len(letters)) if domain is not CONSTANT]
    assert len(facts.latex_lines(entry)) == 1 + len(moving)


def test_floats_are_written_as_mathematics_writes_them():
    lines = {name: " ".join(facts.latex_lines(TABLE[name])) for name in TABLE}
    assert not {name for name, latex in lines.items() if re.search(r"\d\.\d", latex)}
    assert r"\frac{2}{\sqrt{\pi}" in lines["erf"] and r"\log\left(2\right)" in lines["log2"]


KINKS = {
    "abs": "x = 0", "relu": "z = 0", "sign": "x = 0", "floor": "every whole x", "heaviside": "x = 0",
    "greater": "x = y", "where": "c = 0", "clamp": "x = low or x = high", "maximum": "x₁ = x₂",
    "minimum": "x₁ = x₂", "hypot": "x₁ = x₂ = 0", "atan2": "y = 0 and x ≤ 0",
}  # fmt: skip


@on_the_table
def test_kinks_are_found_and_put_into_words(name):
    found = facts.kinks(TABLE[name])
    assert (found.places if found else None) == KINKS.get(name)


def test_the_derivative_that_is_taken_at_a_kink_is_told():
    taken = {name: facts.kinks(TABLE[name]).taken for name in KINKS}
    assert taken["relu"] == "at z = 0 the slopes are 0 and 1, and the derivative is 0"
    assert taken["abs"] == "at x = 0 the slopes are −1 and 1, and the derivative is 0"
    assert taken["maximum"] == "at x₁ = 0, x₂ = 0 the derivatives are 0.5 and 0.5"
    assert taken["floor"].startswith("the value jumps at x = 0")


def test_domains_are_told_for_the_value_and_for_the_derivative():
    def words(name):
        return facts.domain_words(TABLE[name]), facts.domain_words(TABLE[name], derivative=True)

    assert words("sin") == ("everywhere", "everywhere")
    assert words("sqrt") == ("x ≥ 0", "x > 0")
    assert words("asin") == ("−1 ≤ x ≤ 1", "−1 < x < 1")
    assert words("hypot") == ("everywhere", "an operand ≠ 0")
    assert words("clamp") == ("low ≤ high", "low ≤ high")


def test_every_entry_has_its_group_and_no_group_names_another():
    grouped = facts.groups()
    assert sorted(entry.name for entries in grouped.values() for entry in entries) == sorted(TABLE)
    assert {name for names in facts.GROUPS.values() for name in names} <= set(TABLE)
    assert facts.OTHERS not in grouped


@pytest.fixture
def planted():
    """Three operations of a user's own: of one operand, of any number, and one that runs on floats alone."""

    @primitive("cbrt", Domain(">", 0.0))
    def cbrt_planted(n, x):
        """The cube root of x."""
        y = n.power(x, 1.0 / 3.0)
        return y, (n.divide(y, 3.0 * x),)

    @primitive("ΣΠ", REAL)
    def mean_planted(n, *x):
        """The mean of all operands."""
        return n.sum(x) * (1.0 / len(x)), (1.0 / len(x),) * len(x)

    @primitive("fsin", REAL)
    def sine_planted(n, x):
        """The sine, by Python's own function."""
        return math.sin(float(x)), (math.cos(float(x)),)

    yield [cbrt_planted, mean_planted, sine_planted]
    for entry in (cbrt_planted, mean_planted, sine_planted):
        del TABLE[entry.name]


def test_a_planted_operation_appears_too(planted):
    grouped = facts.groups()
    assert [entry.name for entry in grouped[facts.OTHERS]] == ["cbrt_planted", "sine_planted"]
    assert grouped[facts.SEVERAL][-1].name == "mean_planted"
    for entry in planted:
        assert facts.summary(entry).startswith("The ") and facts.worked_example(entry, curves.examples(entry)[0])
        [panel, *_] = curves.panels(entry)
        paths, _ = plotted(curves.svg(panel, "key"))
        assert len(paths["value"]) > 1 and len(paths["grad"]) > 1
    assert [bool(facts.latex_lines(entry)) for entry in planted] == [True, True, False]


def test_the_page_has_a_card_with_formula_and_picture_for_every_entry(site):
    html = site[0]["primitives"]
    cards = re.split(r'<section class="primitive" id="primitive-', html)[1:]
    assert [card.partition('"')[0] for card in cards] == [e.name for es in facts.groups().values() for e in es]
    for card in cards:
        entry = TABLE[card.partition('"')[0]]
        assert card.count('class="curve"') == len(curves.panels(entry)) == card.count('"curve" role="img"')
        assert r"\begin{aligned}" in card and "Defined" in card and "Example" in card
        assert ("Kinks" in card) == (entry.name in KINKS) and ("Gate" in card) == entry.gate
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1280])
def test_the_filter_leaves_the_cards_that_contain_the_words(site, visit, width):
    page = visit(site[1] / "primitives.html", width=width)
    assert page.locator(".primitive:visible").count() == len(TABLE)
    page.get_by_label("Filter").fill("sigmoid")
    names = page.locator(".primitive:visible h3 code").all_text_contents()
    assert names[0] == "sigmoid" and len(names) < 5
    assert page.locator(".primitives:visible").count() == page.locator(".filter span").count() == 1
    assert page.locator(".filter span").inner_text() == f"{len(names)} of {len(TABLE)}"
    page.get_by_label("Filter").fill("")
    assert page.locator(".primitive:visible").count() == len(TABLE)
    assert page.evaluate("document.documentElement.scrollWidth") == width


# ---- the house --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def house():
    pytest.importorskip("sphinx", reason="the directive is Sphinx's: pip install -e '.[docs]'")
    import house

    return house


def test_the_house_has_every_module_in_one_room(house):
    modules = house.read()
    files = [path for package in house.PACKAGES for path in (ROOT / package).rglob("*.py")]
    assert len(modules) == len(files) > 100
    rooms = house.rooms(modules)
    assert sorted(m.name for room in rooms.values() for m in room.modules) == sorted(modules)
    assert all(module.line.endswith((".", ":")) or module.line for module in modules.values())
    assert {"autograd.drawing", "nn.lecture", "engine", "training"} <= set(rooms)
    engine = {module.name for module in rooms["engine"].modules}
    assert {"autograd.value", "autograd.node", "autograd.table", "autograd.primitives"} <= engine


def test_every_arrow_is_an_import_and_every_import_follows_from_arrows(house):
    rooms = house.rooms(house.read())
    arrows = house.arrows(rooms)
    assert all(rooms[high].needs[low] for high, low in arrows)
    below = {key: {low for high, low in arrows if high == key} for key in rooms}

    def reach(key):
        return below[key].union(*map(reach, below[key]))

    for room in rooms.values():
        for low in room.needs:
            assert low in reach(room.key) or room.key in reach(low), (room.key, low)
        assert room.key not in reach(room.key)
    for high, low in arrows:  # none follows from the others
        assert not any(low in reach(other) for other in below[high] - {low})


def test_both_pictures_show_every_room_with_its_line(house):
    rooms = house.rooms(house.read())
    for picture in (house.picture(rooms), house.column(rooms)):
        links = re.findall(r'<a href="#room-([\w-]+)">', picture)
        assert sorted(links) == sorted(key.replace(".", "-") for key in rooms)
        words = re.sub(r"<[^>]+>", " ", picture)
        for room in rooms.values():
            assert room.title in words and room.line.split()[0] in words
        assert picture.count('class="tip') == len(house.arrows(rooms))


def test_a_planted_module_and_a_planted_import_appear(house, tmp_path):
    for package in house.PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "autograd/drawing/planted.py").write_text(
        '"""Plants a module. And more."""\nimport nn.lecture.slides\n'
    )
    (tmp_path / "autograd/cellar/").mkdir()
    (tmp_path / "autograd/cellar/__init__.py").write_text('"""A cellar under ``all``."""\n')
    (tmp_path / "autograd/cellar/wine.py").write_text('"""Wine."""\nif TYPE_CHECKING:\n    import nn\n')
    modules = house.read(tmp_path)
    assert modules["autograd.drawing.planted"].line == "Plants a module."
    assert modules["autograd.cellar.wine"].imports == set()
    rooms = house.rooms(modules)
    assert rooms["autograd.cellar"].line == "A cellar under all."
    assert rooms["autograd.drawing"].needs["nn.lecture"] == 1
    assert "room-autograd-cellar" in house.picture(rooms) and "planted" in house.listed(rooms)


def test_how_it_works_includes_the_source_and_lists_every_module(site, house):
    html = site[0]["how_it_works"]
    words = re.sub(r"<[^>]+>", "", html)
    assert "parent.grad += upstream * local" in words and "n.sigmoid(z)" in words and "rng = Random(1)" in words
    assert {f"<code>{name}</code>" for name in house.read()} <= set(re.findall(r"<code>[^<]+</code>", html))
    targets = set(re.findall(r'href="#([\w-]+)"', html)) - {""}
    assert targets <= set(re.findall(r'id="([\w-]+)"', html))


def test_the_examples_of_how_it_works_print_what_they_say():
    result = doctest.testfile(str(DOCS / "how_it_works.md"), module_relative=False)
    assert result.failed == 0 < result.attempted


@pytest.mark.browser
def test_the_house_has_one_picture_at_each_width_and_its_words_are_readable(site, visit):
    for width, kind in ((1280, "wide"), (360, "narrow")):
        page = visit(site[1] / "how_it_works.html", width=width)
        picture = page.locator(".house:visible")
        assert picture.count() == 1 and kind in picture.get_attribute("class")
        sizes = picture.evaluate(
            """e => [...e.querySelectorAll("text")].map((t) => t.getBoundingClientRect().height / 1.2)"""
        )
        assert min(sizes) >= 9.5, min(sizes)
        overflows = picture.evaluate(
            """e => [...e.querySelectorAll("a")].filter((a) => {
              const box = a.querySelector("rect").getBoundingClientRect();
              return [...a.querySelectorAll("text")].some((t) => t.getBoundingClientRect().right > box.right + 0.5
                || t.getBoundingClientRect().left < box.left - 0.5); }).map((a) => a.textContent)"""
        )
        assert overflows == []
        assert page.evaluate("document.documentElement.scrollWidth") == width


# ---- gallery and lab --------------------------------------------------------------------------------------------


def test_every_block_of_the_gallery_is_an_example_with_its_own_picture():
    page = (DOCS / "gallery.md").read_text(encoding="utf-8")
    examples = make_pictures.examples()
    assert page.count("```python") == len(examples) > 15
    assert len({example.file for example in examples}) == len(examples)
    assert all(len(example.words) > 10 for example in examples)


@pytest.mark.parametrize(
    "example",
    [
        pytest.param(example, id=example.file, marks=[pytest.mark.slow] * (example.file in SLOW))
        for example in make_pictures.examples()
        if example.file.endswith(".svg")
    ],
)
def test_a_picture_of_the_gallery_is_what_its_code_draws(example, tmp_path):
    make_pictures.save(example.run(), tmp_path / example.file)
    saved = (DOCS / "gallery" / example.file).read_text(encoding="utf-8")
    assert (tmp_path / example.file).read_text(encoding="utf-8") == saved, "python docs/make_pictures.py"


def test_the_gallery_shows_on_the_site_what_its_code_makes(site):
    html, folder = site[0]["gallery"], site[1] / "gallery"
    assert sorted(path.name for path in folder.iterdir()) == ["group.html", "square.html", "walked.html"]
    assert html.count('<div class="live" role="group" tabindex="0"') == 3 and "gallery/square.svg" not in html
    frames = re.findall(r"<iframe ([^>]*)>", html)
    assert len(frames) == 2 and all(
        'sandbox="allow-scripts allow-downloads allow-forms"' in frame for frame in frames
    )
    assert "srcdoc=" in frames[0] and 'src="gallery/group.html"' in frames[1]
    links = re.findall(r'<a href="(gallery/\w+\.html)">', html)
    assert links == ["gallery/square.html", "gallery/walked.html", "gallery/group.html"]


def test_the_lab_has_a_page_for_every_lesson_and_shows_the_first(site):
    from live_pages import file_name, lab_lessons

    html, built = site[0]["lab"], site[1]
    links = re.findall(r'<dt><a href="(lab/[\w-]+\.html)">', html)
    assert links == [f"lab/{file_name(title)}" for title in lab_lessons()] and len(set(links)) == 8
    assert all((built / link).stat().st_size > 100_000 for link in links)
    assert html.count("<iframe ") == 1 and len(html) < 600_000


@pytest.mark.browser
def test_walk_and_lab_run_inside_the_page(site, visit):
    page = visit(site[1] / "gallery.html", width=1280, height=2000)
    frame = page.frame_locator("iframe").first
    frame.locator("[id$='-next']").click()
    frame.locator("[id$='-next']").click()
    assert frame.locator("[id$='-phase']").inner_text() == "Seed"  # after the one step forward of y = xx
    page = visit(site[1] / "lab.html", width=1280, height=1200)
    frame = page.frame_locator("iframe")
    frame.get_by_role("button", name="Update", exact=True).click()
    assert "update 1" in frame.locator("body").inner_text()


def test_the_dark_and_the_light_switch_reach_the_frames():
    css = (DOCS / "_static" / "drawn.css").read_text(encoding="utf-8")
    for scheme in ("light", "dark"):
        assert re.search(rf'body\[data-theme="{scheme}"\] \.live [^}}]*color-scheme: {scheme}', css)


@pytest.mark.parametrize("page", ["gallery", "how_it_works", "lab", "primitives"])
def test_the_texts_name_only_what_exists(page):
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    assert not missing_paths(text, DOCS) and not missing_names(text)
