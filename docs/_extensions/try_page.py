"""Adds the files of the Try-it page to the site: Pyodide, SymPy, and a wheel of this copy of chainrule.

Pyodide and KaTeX come from npm, as for the tests; SymPy is the installed version. The open page loads nothing from
other sites, and the build needs no network once npm has run.
"""

import json
import re
import runpy
import shutil
import subprocess
import zipfile
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

from hatchling.builders.wheel import WheelBuilder
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

ROOT = Path(__file__).parents[2]
WEB = ROOT / "tests" / "web"
PYODIDE = ("pyodide.js", "pyodide.asm.js", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json")
NOTEBOOKS = ("01", "02")  # the page asks the exercises of these notebooks
STUDENT = "ada"
FIRST = {
    "text": "f = x*y*z; x = r; y = r*s; z = s",
    "inputs": "r=2 s=3",
    "wrt": "s",
}  # the initial content of the page


def modules() -> Path:
    """Return the folder of npm's packages. Raises ExtensionError if they cannot be installed."""
    folder = WEB / "node_modules"
    if not (folder / "pyodide").is_dir() or not (folder / "katex").is_dir():
        npm = shutil.which("npm")  # npm.cmd on Windows
        install = [npm or "npm", "install", "--no-audit", "--no-fund", "--prefix", str(WEB)]
        if not npm or subprocess.run(install, capture_output=True).returncode:
            raise ExtensionError("the Try-it page needs Pyodide and KaTeX: npm install --prefix tests/web")
    return folder


def packages(folder: Path) -> list[Path]:
    """Write archives of SymPy and mpmath, without their tests, and chainrule's wheel into this folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("chainrule-*.whl"):
        old.unlink()
    for name in ("sympy", "mpmath"):
        spec = find_spec(name)
        assert spec and spec.origin
        source, archive = Path(spec.origin).parent, folder / f"{name}.zip"
        if not archive.exists() or archive.stat().st_mtime < Path(spec.origin).stat().st_mtime:
            with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as files:
                for file in sorted(source.rglob("*.py")):
                    if not {"tests", "benchmarks"} & set(file.relative_to(source).parts):
                        files.write(file, file.relative_to(source.parent))
    wheel = next(WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"]))
    return [folder / "sympy.zip", folder / "mpmath.zip", Path(wheel)]


def exercises() -> list[dict[str, Any]]:
    """Return the name, title, text and hints of each exercise, and its initial code from the notebook."""
    from nn.lecture.exercises import EXERCISES, Course

    notebook = json.loads((ROOT / "notebooks/exercises/exercises.ipynb").read_text("utf-8"))
    code = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    found = []
    for stub, check in pairwise(code):
        graded = re.match(r'course\.grade\("(\w+)", (\w+),', check)
        if graded and EXERCISES[graded[1]].notebook.startswith(NOTEBOOKS):
            exercise, course = EXERCISES[graded[1]], Course(STUDENT)
            found.append({
                "name": exercise.name, "title": exercise.title, "answer": graded[2],
                "stub": re.sub(r"\n *# YOUR CODE HERE", "", stub).replace("\n\n\n", "\n\n"),
                "text": course.ask(exercise.name), "hints": [course.hint(exercise.name) for _ in exercise.hints],
            })  # fmt: skip
    return found


def first_answer(folder: Path) -> list[dict[str, Any]]:
    """Return the answer to the initial content of the page, computed during the build."""
    items: list[dict[str, Any]] = []
    tryit = runpy.run_path(str(folder / "tryit.py"))
    tryit["serve"](json.dumps({"task": "expression", **FIRST}), lambda item: items.append(json.loads(item)))
    return items


def fill(folder: Path) -> None:
    """Write all files of the page into its folder on the site."""
    npm, pyodide = modules(), folder / "pyodide"
    pyodide.mkdir(parents=True, exist_ok=True)
    files = [shutil.copy2(npm / "pyodide" / name, pyodide) for name in PYODIDE]
    shutil.copy2(npm / "katex/dist/katex.min.js", folder)
    archives = packages(folder / "packages")
    from autograd.parser import functions

    made = {
        "archives": [path.relative_to(folder).as_posix() for path in archives],
        "bytes": sum(Path(path).stat().st_size for path in (*files, *archives)),
        "student": STUDENT, "functions": sorted(functions()), "exercises": exercises(), "first": first_answer(folder),
    }  # fmt: skip
    (folder / "made.js").write_text(f"window.TRY = {json.dumps(made)};\n", encoding="utf-8")


def finish(app: Sphinx, error: Exception | None) -> None:
    if error is None and app.builder.format == "html":
        fill(app.outdir / "_static" / "try")


def add_files(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    if page == "try":
        app.add_css_file("try/try.css")
        app.add_js_file("try/try.js", loading_method="defer")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", add_files)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
