"""Tests of the course material: one source for both versions, nbgrader, JupyterLab in Chromium, and Pyodide."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import nbformat
import pytest
from conftest import ROOT, WEB
from nbclient import NotebookClient
from release import class_names, main, release, without_solution

from nn.lecture.exercises import EXERCISES, Course

COURSE = ROOT / "notebooks" / "exercises"
SOURCE, RELEASED = COURSE / "source" / "back-propagation" / "exercises.ipynb", COURSE / "exercises.ipynb"


HOSTILE = {  # what a student may write into the cell of an answer, and what the check then says
    "xyz": ("xyz = [1.0, 2.0", ""),  # a syntax error: there is no xyz
    "mul": ("def mul(x, y):\n    return x / 0, (y, x)", "ZeroDivisionError"),
    "backward": ("def backward(root):\n    while True:\n        pass", "did not end within"),
    "relu": ("def my_relu(z):\n    raise SystemExit", "raised SystemExit"),
    "bias": ("bias = 1 / 0", "Not answered yet"),
    "outer": ("weight_gradient = 3", "raised TypeError"),
    "softmax": ("def delta(z, label):\n    return delta(z, label)", "calls itself"),
    "sgd": ("import itertools\n\nsgd = itertools.count()", "more than 10,000 numbers"),
    "momentum": ("import sys\n\nsys.exit()", "Not answered yet"),
    "dropout": ("def dropout(a, keep, p, training):\n    print(a)\n    return a", "Not yet"),
    "batch_norm": (
        "import sys\n\n\ndef batch_norm(x, gamma, beta, epsilon):\n    print(x, file=sys.stderr)\n    return x",
        "Not yet",
    ),
    "evaluate": ("evaluate = 'two'", "contains the text"),
}  # fmt: skip


def executed(notebook):
    """A notebook after Run All, which stops at the first error of a cell that may not raise one."""
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": COURSE}})
    client.execute()
    return notebook


def read(path):
    return nbformat.read(path, as_version=4)


def role(cell):
    return cell.metadata.get("nbgrader", {}).get("grade_id", "")


def points(notebook):
    """The points that nbgrader gives for each exercise, by its own rule where it is installed."""
    found = {}
    for cell in notebook.cells:
        if role(cell).startswith("check-"):
            numbers = [o.data["text/plain"] for o in cell.outputs if o.output_type == "execute_result"]
            number = numbers[0] if numbers else 0.0 if [o for o in cell.outputs if o.output_type == "error"] else None
            assert not [o for o in cell.outputs if o.get("name") == "stderr"]
            found[role(cell).removeprefix("check-")] = float(number)
            with suppress(ImportError):
                from nbgrader.utils import determine_grade

                assert determine_grade(cell) == (float(number), cell.metadata.nbgrader["points"])
    return found


def answered(notebook, answers):
    """The notebook with other answers in the cells of these exercises."""
    for cell in notebook.cells:
        if role(cell).startswith("answer-") and (name := role(cell).removeprefix("answer-")) in answers:
            cell.source = f"{name} = None\n" * (not EXERCISES[name].is_code) + answers[name]
    return notebook


def solutions():
    return {role(c).removeprefix("answer-"): c.source for c in read(SOURCE).cells if role(c).startswith("answer-")}


# ---- one source, two versions ------------------------------------------------------------------------------------


def test_the_released_version_is_the_source_without_its_solutions():
    source, released = (json.loads(path.read_text(encoding="utf-8")) for path in (SOURCE, RELEASED))
    assert release(source) == released
    text = RELEASED.read_text(encoding="utf-8")
    assert "SOLUTION" not in text and "vectors[:, -1]" not in text


def test_the_text_is_that_of_the_definitions():
    source = json.loads(SOURCE.read_text(encoding="utf-8"))
    assert release(source, solutions=True) == source
    texts = {cell.metadata["exercise"]: cell.source for cell in read(RELEASED).cells if "exercise" in cell.metadata}
    assert [*texts] == [*EXERCISES]
    for name, exercise in EXERCISES.items():
        assert exercise.question(exercise.problem("ada")) in texts[name]
        assert all(f"\n\n{hint}\n\n</details>" in texts[name] for hint in exercise.hints)
        assert f"](../{exercise.notebook})" in texts[name] and (ROOT / "notebooks" / exercise.notebook).exists()


def test_formulas_are_written_in_latex_and_code_fits_on_a_printed_page():
    for cell in read(RELEASED).cells:
        if cell.cell_type == "code":
            assert max(map(len, cell.source.splitlines())) <= 66
        elif "exercise" in cell.metadata:
            prose = re.sub(r"`[^`]*`|^## .*$", "", cell.source, flags=re.MULTILINE)
            assert not re.search("[∂Σσδγβεμη√²]", prose), cell.source
            assert prose.count("$") % 2 == 0


def test_every_exercise_has_an_answer_and_a_check_that_are_graded():
    cells = read(SOURCE).cells
    code = "".join(cell.source for cell in cells if cell.cell_type == "code")
    for name in EXERCISES:
        [check] = [cell for cell in cells if role(cell) == f"check-{name}"]
        assert f'course.grade("{name}"' in code.replace("\n    ", "")
        assert f"points={check.metadata.nbgrader['points']})" in check.source
        assert f"answer-{name}" in map(role, cells)
    assert all("raises-exception" in cell.metadata.get("tags", []) for cell in cells if role(cell))


def test_the_solutions_get_every_point():
    notebook = executed(read(SOURCE))
    assert points(notebook) == {
        role(cell).removeprefix("check-"): cell.metadata.nbgrader["points"]
        for cell in notebook.cells if role(cell).startswith("check-")
    }  # fmt: skip


def test_what_is_not_answered_is_said_to_be_in_a_short_text_and_gets_no_points():
    notebook = executed(read(RELEASED))
    assert points(notebook) == dict.fromkeys(EXERCISES, 0.0)
    said = [o.data["text/html"] for cell in notebook.cells for o in cell.get("outputs", []) if "data" in o]
    assert sum("Not answered yet." in text for text in said) == len(EXERCISES)
    assert not [o for cell in notebook.cells for o in cell.get("outputs", []) if o.output_type == "error"]


@pytest.mark.slow
def test_half_of_the_solutions_get_half_of_the_points():
    half = [*EXERCISES][::2]
    found = points(executed(answered(read(RELEASED), {name: solutions()[name] for name in half})))
    assert {name for name, number in found.items() if number} == set(half)


@pytest.mark.slow
def test_half_of_the_lines_get_half_of_the_points():
    name = "batch_norm_backward"
    wrong = {"dvar = (": "dvar = -(", "dx = dxhat": "dx = 2 * dxhat", "dbeta = dy": "dbeta = x"}
    lines = solutions()[name]
    for line, instead in wrong.items():
        lines = lines.replace(line, instead)
    assert points(executed(answered(read(RELEASED), {name: lines})))[name] == 1.5


def test_whatever_an_answer_does_ends_in_a_short_text_and_all_cells_run():
    notebook = executed(answered(read(RELEASED), {name: code for name, (code, _) in HOSTILE.items()}))
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
    assert set(points(notebook).values()) == {0.0}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            assert len("\n".join(output.get("traceback", [])).splitlines()) <= 6, output
        if role(cell).removeprefix("check-") in HOSTILE:
            html = cell.outputs[-1].get("data", {}).get("text/html", "")
            assert HOSTILE[role(cell).removeprefix("check-")][1] in html
            assert len(re.sub("<[^>]+>", "", html)) < 900 or "<svg" in html or "<img" in html


# ---- whose numbers -----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_each_student_of_a_class_gets_a_file_with_the_numbers_of_the_name(tmp_path, capsys):
    (tmp_path / "names.txt").write_text('mara\n\nJosé "Pep" O\'Hara\n'.replace('"', "'"), encoding="utf-8")
    main([str(RELEASED), str(tmp_path / "class"), "--class", str(tmp_path / "names.txt")])
    assert capsys.readouterr().out == f"2 notebooks in {tmp_path / 'class'}/\n"
    assert {path.name for path in (tmp_path / "class").iterdir()} == {"mara", "José 'Pep' O'Hara"}
    mara = read(tmp_path / "class" / "mara" / "exercises.ipynb")
    text = "".join(cell.source for cell in mara.cells)
    assert "ada" not in re.findall(r"\w+", text)
    for exercise in EXERCISES.values():
        assert exercise.question(exercise.problem("mara")) in text
    main([str(SOURCE), str(tmp_path / "key.ipynb"), "--student", 'José "Pep" O\'Hara', "--solutions"])
    assert sum(points(executed(read(tmp_path / "key.ipynb"))).values()) == sum(
        points(executed(read(SOURCE))).values()
    )


def test_another_name_beside_the_old_text_is_said():
    course = Course("mara", text_of="ada")
    assert "The text of this file has the numbers of ada, but the check expects mara's." in repr(course)
    right = EXERCISES["bias"].right(EXERCISES["bias"].problem("ada"))
    assert "the numbers of ada" in str(course.check("bias", right))
    assert "the numbers of" not in repr(Course("ada", text_of="ada")) + repr(Course("ada"))


def test_marks_that_do_not_match_are_refused():
    for source in ("### BEGIN SOLUTION\nx = 1", "x = 1\n### END SOLUTION"):
        with pytest.raises(ValueError, match="without its"):
            without_solution(source)


@pytest.mark.parametrize("arguments", [[], ["only.ipynb"], ["missing.ipynb", "out.ipynb"]])
def test_a_release_that_cannot_be_made_is_one_line_and_status_2(arguments, refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert refused(main, *arguments).startswith("release: ")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("mara\n\nO/Brien", "line 3: 'O/Brien' cannot be the name of a folder: write it without"),
        ("Anne\nmara\nanne", "line 3: 'Anne' and 'anne' can be the same folder: make them differ"),
        ("Jos\N{LATIN SMALL LETTER E WITH ACUTE}\nJose\N{COMBINING ACUTE ACCENT}", "can be the same folder"),
        ("mara\nmara", "line 2: 'mara' and 'mara' can be the same folder"),
        (" \n", "contains no names: write one per line"),
    ],
)
def test_names_that_cannot_be_separate_folders_are_refused_by_name(names, said, refused, tmp_path):
    (tmp_path / "names.txt").write_text(names, encoding="utf-8")
    assert said in refused(main, RELEASED, tmp_path / "class", "--class", tmp_path / "names.txt")
    assert not (tmp_path / "class").exists()


def test_names_may_begin_with_a_byte_order_mark_but_must_be_utf_8(refused, tmp_path):
    (tmp_path / "names.txt").write_text("Zoë\n", encoding="utf-8-sig")
    assert class_names(tmp_path / "names.txt") == ["Zoë"]
    (tmp_path / "names.txt").write_text("Zoë\n", encoding="latin-1")
    said = refused(main, RELEASED, tmp_path / "class", "--class", tmp_path / "names.txt")
    assert "names.txt is not UTF-8: save it as UTF-8" in said


def test_a_key_without_solutions_is_refused(refused, tmp_path):
    assert "contains no solutions" in refused(main, RELEASED, tmp_path / "key.ipynb", "--solutions")
    assert not (tmp_path / "key.ipynb").exists()


def test_the_instructors_page_names_every_notebook_and_its_links_exist():
    page = (ROOT / "notebooks" / "TEACHING.md").read_text(encoding="utf-8")
    links = set(re.findall(r"\]\(([^)]+)\)", page))
    assert all((ROOT / "notebooks" / link.partition("#")[0]).exists() for link in links)
    assert {path.name for path in (ROOT / "notebooks").glob("*.ipynb")} <= links


def test_the_instructors_page_gives_every_slide_its_place():
    page = (ROOT / "notebooks" / "TEACHING.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| (\d[\d–, ]*) \| .+ \| (.+) \|$", page.partition("## Where each slide is")[2], re.MULTILINE
    )
    slides = []
    for numbers, _ in rows:
        for part in numbers.split(", "):
            first, _, last = part.partition("–")
            slides += range(int(first), int(last or first) + 1)
    assert sorted(slides) == list(range(1, 87))
    places = [place for _, where in rows for place in re.findall(r'\[\d, "(.+?)"\]\((.+?)\)', where)]
    assert len(places) > 30
    for heading, file in places:
        cells = json.loads((ROOT / "notebooks" / file).read_text(encoding="utf-8"))["cells"]
        assert any(f"## {heading}\n" in "".join(cell["source"]) + "\n" for cell in cells), (heading, file)


@pytest.mark.slow
def test_nbgrader_makes_the_same_release_and_grades_it(tmp_path):
    pytest.importorskip("nbgrader", reason="nbgrader grades here: pip install nbgrader")
    shutil.copytree(COURSE / "source", tmp_path / "source")
    shutil.copy(COURSE / "nbgrader_config.py", tmp_path)
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # nbgrader calls alembic
    environment = {**os.environ, "JUPYTER_CONFIG_DIR": str(tmp_path / "config"), "PATH": programs}

    def nbgrader(*arguments):
        subprocess.run(
            [sys.executable, "-m", "nbgrader", *arguments], check=True, cwd=tmp_path, env=environment,
            capture_output=True, text=True,
        )  # fmt: skip

    nbgrader("generate_assignment", "back-propagation")
    made = nbformat.read(tmp_path / "release" / "back-propagation" / "exercises.ipynb", as_version=4)
    ours = nbformat.read(RELEASED, as_version=4)
    assert [cell.source for cell in made.cells] == [cell.source for cell in ours.cells]

    half = answered(read(RELEASED), {name: solutions()[name] for name in [*EXERCISES][::2]})
    handed_in = {"solved": read(SOURCE), "untouched": read(RELEASED), "half": half}
    handed_in["hostile"] = answered(read(RELEASED), {name: code for name, (code, _) in HOSTILE.items()})
    for student, notebook in handed_in.items():
        folder = tmp_path / "submitted" / student / "back-propagation"
        folder.mkdir(parents=True)
        nbformat.write(notebook, folder / "exercises.ipynb")
    nbgrader("autograde", "back-propagation")
    nbgrader("export")
    rows = [line.split(",") for line in (tmp_path / "grades.csv").read_text(encoding="utf-8").splitlines()]
    student, score, most = (rows[0].index(name) for name in ("student_id", "score", "max_score"))
    grades = {row[student]: float(row[score]) for row in rows[1:]}
    [total] = {float(row[most]) for row in rows[1:]}
    expected = sum(cell.metadata.nbgrader["points"] for cell in half.cells if role(cell)[6:] in [*EXERCISES][::2])
    assert grades == {"solved": total, "untouched": 0.0, "half": expected, "hostile": 0.0}


@pytest.mark.slow
@pytest.mark.browser
def test_the_file_prints(tmp_path):
    nbconvert = pytest.importorskip("nbconvert", reason="nbconvert makes the page: pip install nbconvert")
    executable = shutil.which("chromium")
    if not executable:
        pytest.skip("there is no chromium on PATH: apt-get install chromium")
    page, _ = nbconvert.HTMLExporter(template_name="lab").from_filename(str(RELEASED))
    (tmp_path / "exercises.html").write_text(page, encoding="utf-8")
    subprocess.run(
        [executable, "--headless", "--no-sandbox", "--disable-gpu", f"--print-to-pdf={tmp_path / 'exercises.pdf'}",
         tmp_path / "exercises.html"], check=True, capture_output=True,
    )  # fmt: skip
    pages = re.findall(rb"/Type\s*/Page\b", (tmp_path / "exercises.pdf").read_bytes())
    assert 5 <= len(pages) <= 15


# ---- JupyterLab, in Chromium -------------------------------------------------------------------------------------


@pytest.fixture
def laboratory(tmp_path):
    """A JupyterLab on a copy of the notebooks: its address and the folder."""
    folder = tmp_path / "notebooks"
    shutil.copytree(ROOT / "notebooks", folder)
    settings = tmp_path / "settings" / "@jupyterlab"
    for plugin, text in {
        "notebook-extension/tracker": '{"windowingMode": "none"}',  # every cell is in the page
        "apputils-extension/notification": '{"fetchNews": "false", "checkForUpdates": false}',
    }.items():
        path = settings / f"{plugin}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "JUPYTERLAB_SETTINGS_DIR": str(tmp_path / "settings")}
    for what in ("CONFIG", "DATA", "RUNTIME"):
        environment[f"JUPYTER_{what}_DIR"] = str(tmp_path / what)
    environment["JUPYTERLAB_WORKSPACES_DIR"] = str(tmp_path / "workspaces")
    address = f"http://127.0.0.1:{port}"
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", str(folder), "--no-browser", f"--port={port}", "--allow-root",
             "--IdentityProvider.token=t"],
            cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            for _ in range(200):
                try:
                    urllib.request.urlopen(f"{address}/api/status?token=t").close()
                    break
                except OSError:
                    time.sleep(0.3)
            else:
                raise AssertionError((tmp_path / "log").read_text())
            yield address, folder
        finally:
            server.terminate()
            server.wait(30)


def run_all(page, address, path):
    """Open a notebook without outputs, run its cells, save it; returns the saved file's cells."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, path)
    page.goto(f"{address}/lab/tree/{path.name}?token=t&reset")  # without the notebooks that were open before
    page.wait_for_selector(".jp-Notebook .jp-CodeCell")
    # a kernel that only seems to be ready forgets what it is told: idle with work left to do, it is told again
    forgotten = 9
    for _ in range(150):
        page.wait_for_selector("#jp-main-statusbar :text('| Idle')")
        time.sleep(1)
        prompts = page.locator(".jp-Notebook .jp-CodeCell .jp-InputPrompt").all_text_contents()
        if not page.locator("#jp-main-statusbar :text('| Idle')").count():
            forgotten = 0
            continue
        page.keyboard.press("Control+s")
        time.sleep(1)
        with suppress(json.JSONDecodeError):  # it is written in place: half a file is no notebook yet
            cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
            if all(cell.get("execution_count", 1) for cell in cells):
                return cells
        forgotten += 1
        if forgotten == 10:
            forgotten = 0
            page.click(".lm-MenuBar-itemLabel:text-is('Run')")
            page.click("[data-command='runmenu:run-all']")
    seen = page.locator("#jp-main-statusbar, .jp-Dialog").all_text_contents()
    raise AssertionError(f"JupyterLab did not run and save all of {path.name}: {prompts}, {seen}")


def plain_texts(cells):
    found = []
    for cell in cells:
        for output in cell.get("outputs", []):
            text = output.get("text") or output.get("data", {}).get("text/plain", "")
            found.append("".join(text))
    return [text for text in found if text]  # a hidden output begins with one that has no plain text


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.filterwarnings("ignore:unclosed")  # of the server's probes while it starts
def test_notebooks_are_opened_run_and_walked_in_jupyterlab(laboratory):
    pytest.importorskip("jupyterlab", reason="the notebooks are opened in JupyterLab: pip install jupyterlab")
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright drives Chromium: pip install playwright"
    )
    executable = shutil.which("chromium")
    if not executable:
        pytest.skip("there is no chromium on PATH: apt-get install chromium")
    address, folder = laboratory
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(240_000)  # a busy machine
        for name in ("01-the-chain-rule.ipynb", "03-from-scalars-to-matrices.ipynb"):
            cells = run_all(page, address, folder / name)
            assert not [o for cell in cells for o in cell.get("outputs", []) if o["output_type"] == "error"]
            committed = json.loads((ROOT / "notebooks" / name).read_text(encoding="utf-8"))["cells"]
            assert plain_texts(cells) == plain_texts(committed)
            if name.startswith("01"):
                frame = page.frame_locator(".jp-OutputArea iframe").first
                counter = frame.locator("body").inner_text()
                frame.get_by_role("button", name="Next").click()
                assert frame.locator("body").inner_text() != counter
        # Run All of the exercises, with answers that raise, exit and never end, runs to the last cell
        nbformat.write(
            answered(read(RELEASED), {n: code for n, (code, _) in HOSTILE.items()}), folder / "hostile.ipynb"
        )
        cells = run_all(page, address, folder / "hostile.ipynb")
        assert all(cell["execution_count"] for cell in cells if cell["cell_type"] == "code")
        assert set(points(read(folder / "hostile.ipynb")).values()) == {0.0}
        assert page.locator(".jp-OutputArea .MathJax, mjx-container").count() > 20
        browser.close()


# ---- Pyodide -----------------------------------------------------------------------------------------------------

PROGRAM = """
import sys
from autograd import Value, draw, explain, named, walk
r, s = Value(2.0, "r"), Value(3.0, "s")
x, y, z = named(x=r, y=r * s, z=s)
f = named(f=x * y * z)
f.backward()
print(sys.platform, r.grad, s.grad)
print(explain(f, wrt=s))
drawing = draw(f, wrt=s)
print(drawing, "<svg" in drawing._repr_html_() or "<img" in drawing._repr_html_(), len(walk(f).page) > 10_000)
from random import Random
from nn import MLP, half_squared_error
trace = MLP(2, [3, 2], activation="sigmoid", rng=Random(0)).trace([0.5, -1.0])
half_squared_error(trace.output, [1.0, 0.0]).backward()
print(len(trace.delta[1]))
from nn.lecture.exercises import Course
print(Course("ada").check("mul", lambda x, y: (x * y, (x, y))).mistake.name)
"""


def zipped(path, *folders):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for folder in folders:
            for file in sorted(folder.rglob("*")):
                if file.is_file() and not {"__pycache__", "tests"} & set(file.parts):
                    archive.write(file, file.relative_to(folder.parent))
    return path


@pytest.mark.slow
def test_the_pure_python_wheel_runs_in_pyodide(tmp_path):
    if not shutil.which("node") or not (WEB / "node_modules" / "pyodide").is_dir():
        pytest.skip("Pyodide runs in node: npm install --prefix tests/web")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", tmp_path, ROOT],
        check=True,
    )  # fmt: skip
    [wheel] = tmp_path.glob("chainrule-*-py3-none-any.whl")
    # SymPy as Pyodide brings it: its packages, unpacked
    sympy = zipped(tmp_path / "sympy.whl", *(Path(find_spec(name).origin).parent for name in ("sympy", "mpmath")))
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    done = subprocess.run(
        ["node", WEB / "pyodide.mjs", tmp_path / "program.py", wheel, sympy], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = done.stdout.splitlines()
    assert lines[0] == "emscripten 36.0 24.0"
    assert "      = yz·0 + xz·r + xy·1" in lines and "✓ backward 24   ✓ SymPy 24   ✓ finite difference 24" in lines
    assert lines[-3] == "<Graph of f: 7 nodes; ∂f/∂s = 24, over 2 paths> True True"
    assert lines[-2:] == ["3", "each operand's own number"]
