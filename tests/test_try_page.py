"""Tests of the Try-it page: Python's answers, the files that the build adds, and the page in Chromium, offline."""

import json
import re
import runpy
import shutil
import sys
import zipfile
from functools import partial
from unicodedata import normalize

import pytest
from conftest import AXE, ROOT

from autograd.colours import DARK, LIGHT
from autograd.parser import functions
from nn.lecture.exercises import EXERCISES, Course

FOLDER = ROOT / "docs" / "_static" / "try"
SLIDE = {"text": "f = x*y*z; x = r; y = r*s; z = s", "inputs": "r=2 s=3", "wrt": "s"}
LONG = 60_000  # milliseconds, of a busy machine

# ---- Python's side -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tryit():
    return runpy.run_path(str(FOLDER / "tryit.py"))


@pytest.fixture
def serve(tryit):
    """Sends a request as the page does; returns the items."""

    def items(**request):
        found = []
        tryit["serve"](json.dumps(request), lambda item: found.append(json.loads(item)))
        return found

    return items


@pytest.fixture
def run(serve):
    return lambda code: serve(task="cell", code=code)


def only(items):
    [item] = items
    return item


def test_the_slide_is_explained_drawn_and_walked(serve):
    first, explained, second, walked = serve(task="expression", **SLIDE)
    assert (first["text"], first["code"]) == ("The chain rule for ∂f/∂s", "explain(f, wrt=s).with_picture()")
    assert (second["text"], second["code"]) == ("Step through both passes", "walk(f)")
    assert explained["kind"] == "html" and "2r²s" in explained["text"] and explained["text"].count("✓") >= 3
    assert len(re.findall(r'class="[^"]*\blit\b', explained["text"])) > 3
    assert walked["kind"] == "page" and walked["text"].startswith("<!DOCTYPE html>")


def test_without_a_name_the_first_inputs_are_explained(serve):
    items = serve(task="expression", text="a*b*c*d*g", inputs="a=1, b=2; c = 3 d=4 g=5", wrt="")
    assert [item["text"] for item in items if item["kind"] == "caption"] == [
        *(f"The derivative ∂f/∂{x}" for x in "abcd"), "Step through both passes",
    ]  # fmt: skip
    assert [item["text"] for item in items if item["kind"] == "note"] == ["These are the first 4 of 5 inputs."]
    unused = serve(task="expression", text="f = a; g = a", inputs="a=1", wrt="")
    assert [item["text"] for item in unused if item["kind"] == "note"] == ["f comes first and does not use g."]


@pytest.mark.parametrize(("text", "inputs", "wrt", "steps"), [
    ("σ(w·x + b)", "w=1 x=2 b=3", "w", ["f = σ(z); z = w*x + b"]),
    ("a = sigmoid(w*x+b)", "w=1 x=2 b=3", "", ["a = sigmoid(z); z = w*x + b"]),
    ("f = x*exp(w)", "x=1 w=2", "w", ["f = x*z; z = exp(w)"]),
    ("f = x*exp(w)", "x=1 w=2", "x", []),  # no named step would depend on x
    ("f = x*y", "x=1 y=2", "", []),
    ("a = sigmoid(z); z = w*x + b", "w=1 x=2 b=3", "w", []),
])  # fmt: skip
def test_the_inner_part_can_be_named_to_see_the_chain_rule(serve, text, inputs, wrt, steps):
    items = serve(task="expression", text=text, inputs=inputs, wrt=wrt)
    assert [item["text"] for item in items if item["kind"] == "steps"] == steps
    for named in steps:
        first = serve(task="expression", text=named, inputs=inputs, wrt=wrt)[0]
        assert items[0]["text"].startswith("The derivative ∂") and first["text"].startswith("The chain rule for ∂")


@pytest.mark.parametrize(("request_", "message"), [
    ({"text": "f = log(p)", "inputs": "p=0", "wrt": ""}, r"log at p = 0\.0: needs p > 0$"),
    ({"text": "2x", "inputs": "", "wrt": ""}, r"column 2: write 2\*x for a product"),
    ({"text": "x*y", "inputs": "x=2", "wrt": ""}, r"y is not defined: give y=…"),
    ({"text": "x", "inputs": "x 2", "wrt": ""}, r"'x' is not an input: write NAME=NUMBER, as in r=2 or r=pi/6"),
    ({"text": "x", "inputs": "x=two", "wrt": ""}, r"x='two' is not a number"),
    ({"text": "x", "inputs": "x=2", "wrt": "y"}, r"^y is not a name in the expression.*: choose from x"),
])  # fmt: skip
def test_what_cannot_be_explained_is_one_message_of_the_library(serve, request_, message):
    error = only(serve(task="expression", **request_))
    assert error["kind"] == "error" and re.search(message, error["text"]) and "\n" not in error["text"]


def test_a_cell_prints_and_displays_in_order(run):
    items = run("import sys\nprint(1)\ndisplay(2)\nprint(3, file=sys.stderr)\nprint(4, end='')\n'five'")
    assert [(item["kind"], item["text"]) for item in items] == [
        ("stdout", "1\n"), ("result", "2"), ("stderr", "3\n"), ("stdout", "4"), ("result", "'five'"),
    ]  # fmt: skip
    assert run("x = 1\nNone") == run("") == []


def test_the_last_line_is_displayed_as_in_a_notebook(run):
    kinds = {
        "from autograd import Value, draw\ndraw(Value(2.0) * 3)": "html",
        "from nn.lecture.exercises import Course\nCourse('ada').ask('xyz')": "markdown",
        "import sympy\nsympy.Symbol('x') ** 2": "markdown",
        "class S:\n    _repr_svg_ = lambda self: '<svg/>'\nS()": "html",
        "class N:\n    _repr_html_ = lambda self: None\n    __repr__ = lambda self: 'n'\nN()": "result",
        "class C:\n    def _repr_html_(self): return ''\nC": "result",
    }
    assert {code: only(run(code))["kind"] for code in kinds} == kinds


def test_every_run_is_a_module_of_its_own(run):
    run("leftover = 1")
    assert only(run("leftover"))["text"] == "NameError: name 'leftover' is not defined"
    code = "from dataclasses import dataclass\n@dataclass\nclass A: x: int\nimport __main__\n(A(1), __main__.A is A)"
    assert only(run(code))["text"] == "(A(x=1), True)"
    assert "A" not in vars(sys.modules["__main__"]) and input.__module__ == "builtins"


def test_long_output_ends_in_a_sentence(run):
    text = "".join(item["text"] for item in run("for i in range(100_000): print(i)"))
    assert len(text) < 101_000 and text.endswith("Only the first 100,000 characters are shown.\n")
    items = run("for i in range(60): display(i)")
    assert len(items) == 51 and items[-1]["text"] == "Only the first 50 outputs are shown."


@pytest.mark.parametrize(("code", "text", "line"), [
    ("x = 1\ndef g(x):\n    return 1 / x\ng(0)", "ZeroDivisionError: division by zero", 3),
    ("from autograd import Value, log\n\nlog(Value(0.0, 'p'))", "DomainError: log at p = 0.0: needs p > 0", 3),
    ("a = 1\ndef f(:\n    pass", "SyntaxError: invalid syntax", 2),
    ("def f(n): return f(n + 1)\nf(1)", "RecursionError: maximum recursion depth exceeded", 1),
    ("1\nexit()", "The code ended the program, with exit() or SystemExit.", 2),
    ("input('?')", "RuntimeError: input() cannot ask on this page: write the text into the code", 1),
    ("import nowhere", "ModuleNotFoundError: No module named 'nowhere'. Packages cannot be installed on", 1),
    ("class E(Exception): pass\nraise E", "E", 2),
    ("class E(Exception):\n    def __str__(self): 1 / 0\nraise E", "E: <exception str() failed>", 3),
    ("error = ValueError('a')\nerror.add_note('b')\nraise error", "ValueError: a", 3),
])  # fmt: skip
def test_an_error_begins_with_its_last_line_and_the_line_of_the_cell(run, code, text, line):
    error = run(code)[-1]
    assert error["kind"] == "error" and error["text"].startswith(text) and error["line"] == line
    assert error["code"] == code.splitlines()[line - 1].strip()
    assert 'File "cell"' in error["trace"] and "exec(compile" not in error["trace"]  # from the cell on


def test_the_anomaly_of_a_cell_names_its_line(run):
    code = "from autograd import *\nx = Value(0.0)\nwith detect_anomaly():\n    y = sqrt(x)\n    y.backward()"
    assert "cell, line 4, `y = sqrt(x)`" in run(code)[-1]["text"]


def test_numpy_alone_is_refused_in_one_sentence(tryit):
    finder = tryit["NumPyFinder"]()
    assert finder.find_spec("numpy_", None) is None
    with pytest.raises(ImportError, match=r"^NumPy is not available on this page"):
        finder.find_spec("numpy", None)


def test_exercises_are_asked_and_checked_with_the_students_numbers(serve):
    question = only(serve(task="ask", exercise="xyz", student="eva"))
    assert question["text"] == Course("eva").ask("xyz") and len(question["hints"]) == 3
    p = Course("eva").problem("xyz")
    r, s = p["r"], p["s"]
    check = partial(
        serve, task="check", exercise="xyz", student="eva", answer="xyz", stub="xyz = None  # [∂f/∂r, ∂f/∂s]"
    )
    wrong = only(check(code=f"xyz = [{r * s * s}, {r * r * s}]"))
    assert not wrong["right"] and "one path only" in wrong["text"]
    right, shown = check(code=f"xyz = [2 * {r} * {s}**2, 2 * {r}**2 * {s}]")
    assert right == {"kind": "feedback", "right": True, "text": "Right."} and "✓ SymPy" in shown["text"]
    bare, shown = check(code=f"2\n[{2 * r * s * s}, {2 * r * r * s}]")
    assert bare["right"] and "✓ SymPy" in shown["text"]
    assert "one path only" in only(check(code=f"[{r * s * s}, {r * r * s}]"))["text"]
    form = "The answer is missing. Write into the answer box: `xyz = …  # [∂f/∂r, ∂f/∂s]`"
    assert only(check(code="abc = 1"))["text"] == only(check(code=""))["text"] == form
    stub = "def xyz(x, y):\n    raise NotImplementedError"
    assert only(check(code="abc = 1", stub=stub))["text"].endswith("`def xyz(x, y):`")
    assert only(check(code="xyz = 1 / 0"))["kind"] == "error"
    assert only(check(code="xyz = None"))["text"] == "Not answered yet."


# ---- What the build makes ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def extension():
    pytest.importorskip("sphinx", reason="Sphinx builds the page: pip install '.[docs]'")
    return runpy.run_path(str(ROOT / "docs" / "_extensions" / "try_page.py"))


@pytest.fixture(scope="module")
def made(site):
    return json.loads((site / "_static/try/made.js").read_text("utf-8").removeprefix("window.TRY = ").rstrip(";\n"))


def test_the_page_asks_the_exercises_of_two_notebooks(made):
    assert [x["name"] for x in made["exercises"]] == [
        name for name, exercise in EXERCISES.items() if exercise.notebook[:2] in ("01", "02")
    ]
    for exercise in made["exercises"]:
        assert exercise["answer"] in exercise["stub"] and "YOUR CODE" not in exercise["stub"]
        namespace = {}
        exec(exercise["stub"], namespace)  # an answer that is not written yet
        assert (
            Course("ada").check(exercise["name"], namespace[exercise["answer"]]).text.startswith("Not answered yet.")
        )


def test_the_archives_are_this_copy_and_the_installed_sympy(site, made):
    folder = site / "_static/try"
    names = {}
    for archive in made["archives"]:
        with zipfile.ZipFile(folder / archive) as file:
            names[archive.split("/")[-1].split("-")[0].removesuffix(".zip")] = set(file.namelist())
            if "chainrule" in archive:
                assert file.read("autograd/value.py") == (ROOT / "autograd/value.py").read_bytes()
    own = {path.relative_to(ROOT).as_posix() for top in ("autograd", "nn") for path in (ROOT / top).rglob("*.py")}
    assert own <= names["chainrule"]
    assert {"sympy/__init__.py", "sympy/core/add.py"} <= names["sympy"] and "mpmath/libmp/libmpf.py" in names[
        "mpmath"
    ]
    assert not any("/tests/" in name for name in names["sympy"] | names["mpmath"])
    fetched = [*(folder / "pyodide").iterdir(), *(folder / "packages").iterdir()]
    assert made["bytes"] == sum(path.stat().st_size for path in fetched)


def test_without_npm_one_line_says_what_to_do(extension, tmp_path, monkeypatch):
    monkeypatch.setitem(extension["modules"].__globals__, "WEB", tmp_path)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(Exception, match=r"^the Try-it page needs Pyodide and KaTeX: npm install --prefix tests/web$"):
        extension["modules"]()


# ---- The page in Chromium ------------------------------------------------------------------------------------------


@pytest.fixture
def visit(chromium, served):
    """Opens the page. At the end no request may have left its server, and nothing may have gone wrong."""
    complaints, contexts = [], []

    def route(route):
        if route.request.url.startswith((f"{served}/", "data:", "blob:")):
            route.continue_()
        else:
            complaints.append(route.request.url)
            route.abort()

    def opened(path="/try.html", width=1200, scheme="light", missing="favicon.ico"):
        context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        context.route("**/*", route)
        page = context.new_page()
        page.set_default_timeout(LONG)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console", lambda m: m.location["url"].endswith((missing, "favicon.ico")) or complaints.append(m.text)
        )
        page.goto(served + path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not complaints


def violations(frame, within="article, body:not(:has(article))"):
    """What axe finds in the article of the page, or in a frame, of any impact."""
    if not AXE.exists():
        pytest.skip("there is no axe-core in tests/web: npm install --prefix tests/web")
    frame.add_script_tag(path=AXE)
    found = frame.evaluate(
        "async (within) => (await axe.run(within, { resultTypes: ['violations'] })).violations", within
    )
    return [(v["id"], [node["html"][:200] for node in v["nodes"]]) for v in found]


def frames(page, panel="expression"):
    """The frames of a panel's output, once they are loaded."""
    elements = page.locator(f"[data-task={panel}] .try-output iframe, #{panel} .try-output iframe")
    elements.first.wait_for()
    found = [element.content_frame() for element in elements.element_handles()]
    for frame in found:
        frame.wait_for_load_state()
    return found


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_and_has_no_violation(visit, width, scheme):
    page = visit(width=width, scheme=scheme)
    explained, walked = frames(page)
    page.wait_for_function("document.querySelector('.fitted').offsetHeight > 300")
    for frame in (page, explained, walked):
        assert violations(frame) == []
        assert frame.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert explained.evaluate("document.documentElement.scrollHeight <= innerHeight")


@pytest.mark.browser
def test_the_frames_follow_the_switch_of_the_site(visit):
    page = visit(scheme="null")  # an emulated scheme would reach the frames past the switch
    for theme, colours in (("dark", DARK), ("light", LIGHT)):
        page.evaluate("theme => document.body.dataset.theme = theme", theme)
        red, green, blue = bytes.fromhex(colours["fill"][1:])
        for frame in frames(page):
            frame.wait_for_function(
                "fill => getComputedStyle(document.querySelector('.picture .outline')).fill === fill",
                arg=f"rgb({red}, {green}, {blue})", polling=50,
            )  # fmt: skip


@pytest.mark.browser
def test_before_python_is_loaded_the_slide_is_there_and_can_be_walked(visit):
    page = visit()
    explained, walked = frames(page)
    assert "✓ backward 24" in explained.inner_text("body") and explained.locator("svg .lit").count() > 3
    before = walked.inner_text("body")
    walked.get_by_role("button", name="Next").first.click()
    assert walked.inner_text("body") != before
    assert explained.evaluate("origin") == walked.evaluate("origin") == "null"  # neither reaches the site
    assert page.locator(".try-size").inner_text() in ("16", "17", "18", "19", "20")


@pytest.mark.browser
def test_the_address_fills_the_fields_and_runs_nothing(visit):
    page = visit("/try.html#f=f+%3D+a%2Bb&at=a%3D1+b%3D2&wrt=b")
    values = [page.input_value(f"[name={name}]") for name in ("f", "at", "wrt")]
    assert values == ["f = a+b", "a=1 b=2", "b"]
    assert not page.locator("[data-task=expression] .try-output > *").count() and not page.workers


@pytest.mark.browser
def test_the_cell_is_written_with_the_keyboard_alone(visit):
    page = visit()
    area = page.locator("#python textarea")
    area.fill("")
    area.press_sequentially("if x:\n")
    page.keyboard.press("Tab")
    area.press_sequentially("y\n")
    page.keyboard.press("Shift+Tab")
    assert area.input_value() == "if x:\n        y\n    "
    page.keyboard.press("Control+a")
    page.keyboard.press("Shift+Tab")
    assert area.input_value() == "if x:\n    y\n"
    page.keyboard.press("Control+z")
    assert area.input_value() == "if x:\n        y\n    "
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Run"
    assert page.locator("#python .try-lines span").count() == 3


@pytest.mark.browser
def test_hints_come_one_by_one_and_an_answer_is_kept(visit):
    page = visit()
    for shown in (1, 2, 3):
        page.get_by_role("button", name="Show a hint").click()
        assert page.locator(".try-question li").count() == shown
    assert page.get_by_role("button", name="Show a hint").count() == 0
    page.fill("#exercise textarea", "xyz = [1, 2]")
    for name in [option.get_attribute("value") for option in page.locator("select option").all()]:
        page.select_option("select", name)
        assert page.locator(".try-question").inner_text().strip() and "$" not in page.inner_text(".try-question")
        assert page.locator(".try-question .katex-error").count() == 0
    page.select_option("select", "xyz")
    assert page.input_value("#exercise textarea") == "xyz = [1, 2]"


@pytest.mark.browser
def test_every_function_of_the_table_is_listed(visit):
    page = visit()
    page.click("summary >> text=Functions")
    assert page.inner_text(".try-functions").split() == sorted(functions())


@pytest.mark.browser
def test_from_a_file_the_page_says_what_it_needs(chromium, site):
    with chromium.new_page() as page:
        page.goto((site / "try.html").as_uri())
        page.click("#python .try-run")
        assert "python3 run.py docs --serve" in page.inner_text("#python .try-status")


def finished(page, panel):
    """Waits until a run has ended; returns its output as text."""
    page.wait_for_function("p => document.querySelector(p + ' .try-stop').hidden", arg=panel)
    return page.inner_text(f"{panel} .try-output")


def cell(page, code, panel="#python"):
    page.fill(f"{panel} textarea", code)
    page.press(f"{panel} textarea", "Control+Enter")
    return finished(page, panel)


@pytest.mark.slow
@pytest.mark.browser
def test_python_runs_in_the_page_without_a_network(visit):
    page = visit()

    # an expression, explained, drawn and walked
    page.fill("[name=f]", "g = x*y*z; x = r; y = r*s; z = s")
    page.press("[name=f]", "Enter")
    page.wait_for_selector("progress:visible")
    finished(page, "[data-task=expression]")
    explained, walked = frames(page)
    text = explained.inner_text("body")
    assert all(tick in text for tick in ("✓ backward 24", "✓ SymPy 24", "✓ finite difference 24"))
    assert (
        "2r2s" in "".join(explained.locator("math").all_text_contents()) and explained.locator("svg .lit").count() > 3
    )
    before = walked.inner_text("body")
    walked.get_by_role("button", name="Next").first.click()
    assert walked.inner_text("body") != before
    assert "#f=g+%3D+x*y*z" in page.url

    # an inner part is named; meanwhile the old result is dim, and its heading is not shown
    page.fill("[name=f]", "a = sigmoid(w*x + b)")
    page.fill("[name=at]", "w=0.5 x=2 b=-2")
    page.fill("[name=wrt]", "w")
    page.evaluate("""() => {
      window.dimmed = [];
      const output = document.querySelector(".try-output");
      new MutationObserver(() => dimmed.push([output.classList.contains("stale"), output.innerText]))
        .observe(output, { attributes: true, childList: true });
    }""")
    page.press("[name=f]", "Enter")
    assert "The derivative ∂a/∂w" in finished(page, "[data-task=expression]")
    assert page.evaluate("dimmed[0][0] && !dimmed[0][1].includes('∂f/∂s') && !dimmed.at(-1)[0]")
    page.click(".try-steps")
    assert "The chain rule for ∂a/∂w" in finished(page, "[data-task=expression]")
    assert page.input_value("[name=f]") == "a = sigmoid(z); z = w*x + b" and "z+%3D+w*x" in page.url

    # the examples
    examples = {
        "softmax and cross-entropy": "The chain rule for ∂L/∂z_1", "a neuron": "explain(a, wrt=w)",
        "relu at its kink": "explain(f, wrt=x)", "log of 0": "log at p = 0.0: needs p > 0",
    }  # fmt: skip
    for name, text in examples.items():
        page.get_by_role("link", name=name, exact=True).click()
        said = finished(page, "[data-task=expression]")
        assert text in said and "Traceback" not in said
    page.go_back()
    assert page.input_value("[name=f]") == "f = relu(x)"

    # a cell
    assert cell(page, "print('spam')\n6 * 7").split() == ["spam", "42"]
    assert cell(page, "a = 1\n\na / 0").splitlines()[0] == "ZeroDivisionError: division by zero"
    assert "Line 3: a / 0" in page.inner_text("#python .try-output")
    assert page.locator("#python .try-lines .wrong").all_text_contents() == ["3"]
    cell(page, "from autograd import Value, draw\ndraw(Value(2.0, 'x') * 3)")
    [drawn] = frames(page, "python")
    assert drawn.locator("img").get_attribute("src").startswith("data:image/svg+xml")
    intruder = "<script>try { parent.document.body.remove() } catch { document.body.append('refused') }</script>"
    cell(page, f"class X:\n    _repr_html_ = lambda self: {intruder!r}\nX()")
    assert frames(page, "python")[0].inner_text("body") == "refused"
    for code in (
        "import numpy",
        "from autograd import *\nrecord(Value(1.0) * 2)",
        "from nn import Training, plots, lab\nlab()",
    ):
        said = cell(page, code).splitlines()[0]
        assert said.startswith("NumPy is not available on this page.")

    # an engine with a bug, and without
    said = cell(page, page.input_value("#engine textarea"), "#engine")
    assert "overwrites: a gradient is set with = instead of accumulated with +=" in said and said.count("?") == 1
    mended = page.input_value("#engine textarea").replace("parent.grad = node", "parent.grad += node")
    assert cell(page, mended, "#engine").startswith("right in all ")

    # an exercise with one's own numbers
    page.fill("[name=student]", "eva")
    page.press("[name=student]", "Tab")
    finished(page, "#exercise")
    assert page.locator(".try-whose").is_hidden()
    r, s = (Course("eva").problem("xyz")[name] for name in "rs")
    asked = re.sub(r"\s", "", normalize("NFKC", page.inner_text(".try-question")))  # its letters are mathematical
    assert f"r={r},s={s}." in asked
    assert "one path only" in cell(page, f"xyz = [{r * s * s}, {r * r * s}]", "#exercise")
    assert cell(page, f"xyz = [{2 * r * s * s}, {2 * r * r * s}]", "#exercise").startswith("✓ Right.")
    assert "✓ SymPy" in frames(page, "exercise")[0].inner_text("body")
    assert violations(page) == []

    # the name and its question are kept
    asked = page.inner_text(".try-question")
    page.reload()
    assert (page.input_value("[name=student]"), page.inner_text(".try-question")) == ("eva", asked)
    assert page.locator(".try-whose").is_hidden() and not page.workers

    # an endless loop, and the run after it
    page.fill("#python textarea", "n = 0\nwhile True:\n    n += 1\n    if n % 100_000 == 0: print(n)")
    page.click("#python .try-run")
    page.wait_for_selector("#python .try-output .stdout")
    page.click("#python .try-stop")
    assert page.inner_text("#python .try-status") == "Stopped. Python has been restarted."
    assert cell(page, "'next'") == "'next'"


@pytest.mark.browser
def test_a_question_remains_until_the_next_is_there_also_without_storage(visit):
    page = visit("/index.html", missing="worker.js")
    page.context.route("**/worker.js", lambda route: None)  # Python never comes
    page.add_init_script("""for (const name of ["getItem", "setItem"]) {
      const real = Storage.prototype[name];
      Storage.prototype[name] = function (key, ...rest) {
        if (key === "chainrule-try") throw new Error("refused");
        return real.call(this, key, ...rest);
      };
    }""")
    page.goto(page.url.replace("index.html", "try.html"))
    before = page.inner_text(".try-question")
    page.fill("[name=student]", "eva")
    page.press("[name=student]", "Tab")
    assert page.inner_text(".try-question") == before and "xyz" in before
    assert page.inner_text(".try-whose") == "These numbers are ada's. Yours are loading."
    assert page.inner_text("#exercise .try-status") == "Loading your numbers (Loading Python)"
    page.click("#exercise .try-stop")
    page.fill("[name=student]", "ada")
    page.press("[name=student]", "Tab")
    assert page.locator(".try-whose").is_hidden()


@pytest.mark.slow
@pytest.mark.browser
def test_a_file_that_is_missing_is_named(visit, made):
    wheel = made["archives"][-1]
    page = visit(missing=wheel)
    page.context.route(f"**/{wheel}", lambda route: route.fulfill(status=404))
    assert f"{wheel} could not be loaded from this site (404)" in cell(page, "1")
    assert page.inner_text("#python .try-status") == "Python has stopped. It starts again with the next run."
    page.context.unroute(f"**/{wheel}")
    assert cell(page, "'next'") == "'next'"
