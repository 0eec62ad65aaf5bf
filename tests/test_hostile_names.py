"""Tests names with a meaning in HTML, LaTeX, DOT, a terminal or a spreadsheet: every format treats them as text."""

import csv
import json
import math
import os
import re
import shutil
import subprocess
import warnings
from base64 import b64decode
from functools import partial
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from random import Random
from urllib.parse import unquote_to_bytes
from xml.etree import ElementTree

import pytest
from conftest import WEB, python

from autograd import Value, detect_anomaly, draw, explain, named, narrate, paths, record, walk
from autograd.drawing.formats import draw_dot
from autograd.functions import log, product, sqrt, sum, tanh
from autograd.higher_order import grad
from autograd.notation import EXPONENTS, SIGNS, labels
from autograd.parser import Definitions
from nn import MLP, SGD, Training, cross_entropy, lab, plots
from nn.cli.csv_tables import read_table
from nn.data import Dataset, Split
from nn.lecture.exercises import Course

KATEX = WEB / "katex.js"
# each attack raises this flag where it succeeds in a page
HTML = [
    "<script>window.hacked = 1</script>", '"><img src=x onerror=window.hacked=1>', "'><svg/onload=window.hacked=1>",
    "</script><script>window.hacked = 1</script>", "</title></style></textarea><script>window.hacked=1</script>",
    "<!--", "-->", "]]>", "&amp;", "&lt;b&gt;", "<b>b</b>", "${window.hacked = 1}", "`${window.hacked = 1}`",
    "{{id}}", "javascript:window.hacked=1", "[a](javascript:window.hacked=1)", "__proto__", "constructor", "toString",
]  # fmt: skip
LATEX = ["\\input{/etc/passwd}", "$x$", "$\\nope$", "$", "%", "_", "^", "a_b^c", "~", "#", "\\", "{", "}", "}{"]
INVISIBLE = ["a\nb", "a\rb", "a\0b", "a\x85b", "a\u2028b", "\x1b[31mred", "\x07", "\ud800", "\u202eabc", "a\u200bb"]
OTHERS = [
    "{0}", "{x!r}", "%s", "%(x)d", "\\N", "\\G", "<<b>x</b>>", "x|y", "```", "=1+1", "+1", "-1", "@SUM(A1)", "12",
    "None", "lambda", "f", "v1", "∂", "x″", "pi", "E", "😀", "שלום", "日本", " ", "", "L" * 10_000,
    "L" * 10_000 + "²_13",
]  # fmt: skip
NAMES = [*HTML, *LATEX, *INVISIBLE, *OTHERS]
HARMLESS = ["q", "w²_1,13", "x′", "q" * 10_000, "two words", "`code`"]
MOST_ERROR = 400  # characters


def shown(name):
    """The name as a reader should see it: printable characters as they are, others as Python writes them."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in name)


def graph(name):
    """x with the name, and f with x on two paths, one through a node whose name ends with it."""
    x, y = Value(2.0, name), Value(3.0, "y")
    f = named(f=named(**{"z " + name: tanh(x * y)}) * x)
    f.backward()
    return x, f


def layers(name):
    """A program of two neurons whose weights have the name."""
    rng = Random(0)
    W = [[Value(rng.random(), name) for _ in range(3)] for _ in range(4)]
    X = [[Value(rng.random()) for _ in range(3)] for _ in range(6)]
    loss = sum([tanh(sum([w_k * x_k for w_k, x_k in zip(w, x)])) for w in W for x in X])
    return record(loss, [X], [w_k for w in W for w_k in w], engine="replay")


def network(name):
    """The trace of a network, one of whose weights has the name."""
    model = MLP(2, [2, 1], rng=Random(0))
    model.net.layers[0].W[0][0].name = name
    return model.trace([1.0, 2.0])


def verdict(name):
    """What is said of an answer whose code raises an error of this name."""

    def answer(*_):
        raise ValueError(name)

    return Course("ada").check("mul", answer)


# ---- text -------------------------------------------------------------------------------------------------------

TEXTS = {
    "repr": lambda name: repr(Value(1.0, name)),
    "explain": lambda name: str(explain(*graph(name)[::-1])),
    "paths": lambda name: str(paths(*graph(name)[::-1])),
    "narrate": lambda name: str(narrate(graph(name)[1])),
    "draw": lambda name: repr(draw(named(**{"f" + name: graph(name)[1] * 1.0}))),
    "walk": lambda name: repr(walk(named(**{"f" + name: graph(name)[1] * 1.0}))),
    "program": lambda name: str(layers(name)),
}


@pytest.mark.parametrize("text", TEXTS)
def test_no_name_sends_a_terminal_anything_but_words(text):
    for name in NAMES:
        written = TEXTS[text](name)
        assert all(line.isprintable() for line in written.split("\n")), repr(name)
        if text in ("explain", "paths", "narrate"):
            assert shown(name)[:60] in written, repr(name)


def in_expression(name):
    Definitions("x").at(**{name: 1.0})


def in_anomaly(name):
    with detect_anomaly():
        Value(math.inf, name) * 2.0


def in_slope(name):
    with detect_anomaly():
        sqrt(Value(0.0, name)).backward()


def in_second_derivative(name):
    x = Value(0.0, name)
    grad(sqrt(x), [x])


ERRORS = {
    "value": lambda name: log(Value(-1.0, name)),
    "two operands": lambda name: Value(1.0, name) / Value(0.0, name),
    "replay": lambda name: record(log(x := Value(1.0, name)), [x])([-1.0]),
    "anomaly": in_anomaly,
    "slope": in_slope,
    "second derivative": in_second_derivative,
    "draw": lambda name: draw(graph(name)[1], wrt=Value(1.0, name)),
    "expression": in_expression,
    "state": lambda name: MLP(1, [1]).load_state_dict({name: 1.0}),
}


@pytest.mark.parametrize("where", ERRORS)
def test_an_error_names_what_is_at_fault_in_one_short_line(where):
    for name in NAMES:
        with pytest.raises((ValueError, ArithmeticError)) as error:
            ERRORS[where](name)
        message = str(error.value).replace(os.path.dirname(__file__), "")  # wherever the checkout is
        assert message.isprintable() and len(message) < MOST_ERROR, repr(name)
        assert shown(name)[:49] in message


def test_labels_that_look_alike_are_told_apart():
    for names in (["x", "x", "x′"], ["x′", "x", "x"], ["a\nb", "a\\nb"], ["v1", "", "v1"], ["x"] * 6, ["f", ""]):
        values = [Value(1.0, name or None) for name in names]
        found = list(labels([*values, root := product(values)], root).values())
        assert len(set(found)) == len(found), found


# ---- LaTeX ------------------------------------------------------------------------------------------------------


def commands(latex):
    return set(re.findall(r"\\(?:[A-Za-z]+|.)", latex))


@pytest.mark.skipif(
    not (shutil.which("node") and (KATEX.parent / "node_modules" / "katex").exists()),
    reason="KaTeX is not installed: npm install --prefix tests/web",
)
def test_latex_has_no_command_that_a_name_brought_and_katex_accepts_it():
    def formulas(name):
        x, f = graph(name)
        return [explain(f, wrt=x).latex(), layers(name)._repr_latex_().strip("$")]

    ours = {command for name in HARMLESS for latex in formulas(name) for command in commands(latex)}
    signs = [*SIGNS.values(), *EXPONENTS.values()]
    ours |= {r"\lambda", r"\pi", r"\text", *commands(" ".join(signs)), *(f"\\{c}" for c in "{}$&#_%")}
    written = [latex for name in [*NAMES, *HARMLESS] for latex in formulas(name)]
    for latex in written:
        assert commands(latex) <= ours, commands(latex) - ours
        assert "$" not in latex.replace(r"\$", "")
    short = [latex for latex in written if len(latex) < 3_000]  # KaTeX takes seconds for ten thousand letters
    done = subprocess.run(["node", KATEX], input=json.dumps(short), capture_output=True, text=True, check=True)
    assert set(json.loads(done.stdout)) == {""}


# ---- HTML and SVG -----------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """Every element with the names of its attributes, and the text, also of frames and images inside."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.text, self.scripts = set(), "", 0
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.scripts += tag == "script"
        self.elements |= {(tag, attribute) for attribute, _ in attributes} | {(tag, "")}
        for attribute, value in attributes:
            if attribute == "srcdoc":
                self._add(Page(value))
            elif value and value.startswith("data:"):
                kind, _, content = value.partition(",")
                image = b64decode(content) if kind.endswith("base64") else unquote_to_bytes(content)
                self._add(Picture(image.decode()))

    def handle_data(self, data):
        self.text += data

    def handle_comment(self, data):
        self.elements.add(("comment", ""))

    def _add(self, inside):
        self.elements |= inside.elements
        self.text += inside.text
        self.scripts += inside.scripts


class Picture:
    """The same of an SVG that stands alone, read by an XML parser."""

    def __init__(self, svg):
        root = ElementTree.fromstring(svg)
        tags = {e: e.tag.removeprefix("{http://www.w3.org/2000/svg}") for e in root.iter()}
        self.elements = {("svg " + tag, attribute) for e, tag in tags.items() for attribute in ["", *e.attrib]}
        self.text = "".join(root.itertext())
        self.scripts = [*tags.values()].count("script")


PAGES = {
    "explain": lambda name: Page(explain(*graph(name)[::-1])._repr_html_()),
    "paths": lambda name: Page(paths(*graph(name)[::-1])._repr_html_()),
    "narrate": lambda name: Page(narrate(graph(name)[1])._repr_html_()),
    "draw": lambda name: Page(draw(*graph(name)[::-1])._repr_html_()),
    "svg": lambda name: Picture(draw(*graph(name)[::-1]).svg),
    "walk": lambda name: Page(walk(graph(name)[1])._repr_html_()),
    "program": lambda name: Page(layers(name)._repr_html_()),
    "network": lambda name: Page(draw(network(name))._repr_html_()),
    "verdict": lambda name: Page(verdict(name)._repr_html_()),
}
# MathML without attributes
IN_NAMES = {(tag, "") for tag in ("mi", "mn", "mo", "mrow", "msub", "msubsup", "msup", "mtext")}
TELLS = {"explain", "paths", "narrate", "draw", "svg", "walk", "network"}  # the name in full, if only on hovering


@pytest.mark.parametrize("kind", PAGES)
def test_a_name_adds_no_element_and_no_attribute_and_stands_in_the_text(kind):
    harmless = [PAGES[kind](name) for name in HARMLESS]
    elements = set().union(*(page.elements for page in harmless))
    for name in NAMES:
        page = PAGES[kind](name)
        assert page.elements <= elements | IN_NAMES, (name[:60], page.elements - elements)
        assert page.scripts == harmless[0].scripts
        if kind in TELLS:
            assert shown(name)[:60] in page.text.replace("\xa0", " "), repr(name)


@pytest.mark.skipif(not shutil.which("dot"), reason="Graphviz's dot is not on PATH")
def test_graphviz_reads_every_name_as_words():
    values = [Value(float(i + 1), name) for i, name in enumerate(NAMES)]
    f = named(f=product(values))
    f.backward()
    for source in (draw(f, collapse=False).to_dot().source, draw_dot(f).source):
        done = subprocess.run(["dot", "-Tjson"], input=source.encode(), capture_output=True, check=True)
        assert not done.stderr
        found = " ".join(op["text"] for op in operations(json.loads(done.stdout)) if op["op"] == "T")
        for name in NAMES:
            assert shown(name)[:9] in re.sub("[\xa0\u2068\u2069]", " ", found).replace("  ", " "), repr(name)


def operations(graph):
    """What Graphviz draws, from its JSON."""
    for part in [graph, *graph.get("objects", ()), *graph.get("edges", ())]:
        for key in ("_draw_", "_ldraw_"):
            yield from part.get(key, ())


# ---- a run: matplotlib, JSON, CSV, the command line ------------------------------------------------------


def run(classes, features):
    """A training of one epoch on two numbers and these classes."""
    rng = Random(0)
    y = [i % len(classes) for i in range(2 * len(classes))]
    data = Dataset([[rng.random(), rng.random()] for _ in y], y, classes, features)
    model = MLP(2, [len(classes)], rng=rng)
    training = Training(model, cross_entropy, SGD(model.parameters(), 0.1), data, data, epochs=1, rng=rng,
                        progress=False)  # fmt: skip
    list(training)
    return training, Split(data, data, data)


def test_matplotlib_takes_no_name_for_a_formula_and_leaves_none_out(monkeypatch):
    cbook = pytest.importorskip("matplotlib.cbook")
    figures = []
    monkeypatch.setattr(plots, "write_png", lambda figure, path: figures.append(figure))
    rare = {"שלום", "😀", "日本"}  # not in every font of matplotlib's own, which warns of that
    names = [name for name in NAMES if name not in rare]
    for some in (names[i::4] for i in range(4)):
        training, data = run(some, ["$\\nope$", "_"])
        points = training.training.X
        for X in (points, [[*x, 0.0] for x in points]):  # boundary, and confusion matrix
            model = training.model if len(X[0]) == 2 else MLP(3, [len(some)], rng=Random(0))
            parts = Split(*(part._replace(X=X) for part in data))
            plots.picture(Path("unused.png"), model, parts, training.records, "$\\nope$_" * 99)
            right = figures[-1].axes[1]
            legend = right.get_legend()
            texts = [text.get_text() for text in (legend.get_texts() if legend else right.get_yticklabels())]
            assert len(texts) == len(some) * (2 if legend else 1)
            assert not any(cbook.is_math_text(text) for text in [*texts, right.get_xlabel(), right.get_ylabel()])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            figures[-1].savefig(BytesIO(), format="png")


def test_a_lab_is_told_every_name_as_data():
    classes = [name for name in NAMES if len(name) < 30 and name]
    features = ["</script>", "\u202e\ud800"]
    page, harmless = (lab_of(*names).page for names in ((classes, features), (["a", "b"], ["c", "d"])))
    read = Page(page)
    assert read.elements == Page(harmless).elements and read.scripts == 2
    [data] = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)
    [told] = json.loads(data)["situations"]
    assert told["task"]["classes"] == [shown(name) for name in classes]
    assert told["features"] == ["</script>", r"\u202e\ud800"]


def lab_of(classes, features):
    """A lab of these names, one of which is also its title."""
    training, _ = run(classes, features)
    return lab(training.model, training.training, cross_entropy, batch_size=4, rng=0, title=classes[0])


command = partial(python, "-W", "error", encoding=None)


@pytest.mark.slow
def test_a_run_on_a_hostile_table_prints_words_and_its_predictions_give_each_cell_back(tmp_path):
    columns = ["=1+1", "<script>", "$\\nope$", "\x1b[31mred", "two\nlines", "δ\u202eabc", "{0}", "_x", "L" * 5000]
    classes = ["=cmd|' /C calc'!A0", "</script><b>$x$", "\x1b[31mé\u202e"]
    rng = Random(0)
    rows = [[f"{rng.gauss(i % 3, 1.0):.3f}" for _ in columns] + [classes[i % 3]] for i in range(30)]
    source, folder = tmp_path / "$x$ _\x1b[31m.csv", tmp_path / "run\n\x1b[31m"
    with open(source, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([[*columns, "@class"], *rows])
    ascii_only = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    options = ["--target", "@class", "--epochs", "1", "--out", folder]
    done = command("-m", "nn", source, *options, **ascii_only)
    assert (done.returncode, done.stderr) == (0, b"")
    assert all(line.isprintable() for line in done.stdout.decode("ascii").split("\n"))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert [column[0] for column in config["schema"]["columns"]] == columns
    assert all(json.loads(line)["epoch"] == 1 for line in (folder / "records.jsonl").read_text().splitlines())
    weights = (folder / "weights.safetensors").read_bytes()
    header = json.loads(weights[8 : 8 + int.from_bytes(weights[:8], "little")])
    assert json.loads(header["__metadata__"]["config"])["schema"] == config["schema"]
    # cells are data: what a spreadsheet takes for a formula is given back as it came
    assert command("-m", "nn", "predict", folder, source, "--out", tmp_path / "out.csv").returncode == 0
    table = read_table(tmp_path / "out.csv").written
    assert list(table.columns) == [*columns, "@class", "prediction", "probability"]
    assert table[[*columns, "@class"]].values.tolist() == rows
    assert set(table["prediction"]) <= set(classes)
    printed = command("-m", "nn", "predict", folder, source, **ascii_only)
    assert (printed.returncode, printed.stdout) == (2, b"") and b"--out FILE.csv" in printed.stderr
    listed = command("-m", "nn", "claims", "--list", **ascii_only)
    assert listed.returncode == 0 and listed.stdout.isascii()
    for wrong in ([source, "--target", "\x1b[31m\nclass"], ["predict", folder, folder], ["no\n\x1b[31m"]):
        failed = command("-m", "nn", *wrong)
        assert failed.returncode == 2 and failed.stdout == b""
        assert failed.stderr.decode().rstrip("\n").isprintable()


# ---- a browser --------------------------------------------------------------------------------------------------


@pytest.mark.browser
def test_in_a_trusted_notebook_nothing_runs_and_nothing_is_asked_for(chromium, tmp_path):
    shown_in_notebook = [lab_of(HTML, HTML[:2])._repr_html_()]
    for name in [*HTML, *INVISIBLE, "$x$"]:
        x, f = graph(name)
        outputs = [explain(f, wrt=x), paths(f, x), narrate(f), draw(f, wrt=x), verdict(name)]
        shown_in_notebook += [output._repr_html_() for output in outputs]
        shown_in_notebook += [draw(f, wrt=x).svg]
    for i in range(0, len(HTML), 3):  # each frame runs a page of its own
        shown_in_notebook.append(walk(product([Value(1.5, name) for name in HTML[i : i + 3]]) * 1.0)._repr_html_())
    start = '<!DOCTYPE html><meta charset="utf-8"><title>notebook</title>'
    (tmp_path / "notebook.html").write_text(start + "<hr>".join(shown_in_notebook), encoding="utf-8")
    (tmp_path / "open.html").write_text(start + "".join(HTML), encoding="utf-8")  # what is not escaped is noticed
    found = {}
    for file in ("notebook.html", "open.html"):
        requests, complaints, page = [], [], chromium.new_page()
        page.on("request", lambda request, to=requests: to.append(request.url))
        page.on("pageerror", lambda error, to=complaints: to.append(str(error)))
        page.on("console", lambda message, to=complaints: to.append(message.text))
        page.on("dialog", lambda dialog, to=complaints: (to.append(dialog.message), dialog.dismiss()))
        page.goto((tmp_path / file).as_uri())
        page.wait_for_load_state("networkidle")
        for frame in page.frames[1:]:
            frame.evaluate("document.querySelector('[id$=-next], [id$=-update]').click()")
        hacked = [frame.evaluate("'hacked' in window") for frame in page.frames]
        outside = [url for url in requests if not url.startswith(("data:", "about:")) and file not in url]
        found[file] = any(hacked), bool(outside), complaints, page.locator("body").inner_text()
    assert found["open.html"][:2] == (True, True)
    assert found["notebook.html"][:3] == (False, False, [])
    for name in [*HTML, *INVISIBLE]:
        assert f"∂f/∂{shown(name)}" in found["notebook.html"][3], repr(name)


@pytest.mark.browser
def test_what_is_touched_in_a_lab_is_told_its_name_as_text(visit, tmp_path):
    training, _ = run(HTML[:3], HTML[1:3])
    for p, name in zip(training.model.parameters(), HTML):
        p.name = name
    page = visit(lab(training.model, training.training, cross_entropy, rng=0).save(tmp_path / "lab.html"))
    line, unit = page.locator("[id$='-line']"), page.locator("[id$='-network'] [tabindex]").last
    drawn = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    page.evaluate(drawn)
    page.locator("[id$='-plane']").click(position={"x": 9, "y": 9})
    page.evaluate(drawn)
    assert "<img" in line.inner_text()
    for k in range(3):
        unit.click(force=True)
        page.evaluate(drawn)
        page.locator("[id$='-touched'] button").nth(k).click()
        page.evaluate(drawn)
        assert "predicts" in line.inner_text()
    assert page.locator("img, b, script:not([type]) ~ script").count() == 0
    assert not page.evaluate("'hacked' in window")
