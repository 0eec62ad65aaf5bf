"""Tests that the documentation is true: its code runs as written, and every path and module that it names exists."""

import ast
import importlib
import inspect
import os
import re
import shutil
import sys
import types

import pytest
from conftest import ROOT, python


def run(*arguments, cwd=ROOT):
    """Run a Python that imports the packages in ``cwd``, and measure no coverage there."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("COV")]:
            patch.delenv(name)
        return python(*arguments, cwd=cwd, timeout=300, PYTHONPATH=str(cwd), PYTHONDONTWRITEBYTECODE="1")


def test_one_page_trains_moons_from_a_product_in_at_most_150_lines():
    page = ROOT / "docs" / "one_page.py"
    assert len(page.read_text(encoding="utf-8").splitlines()) <= 150
    done = run(str(page))
    assert done.stderr == ""
    losses = [float(loss) for loss in re.findall(r"epoch .+ loss (\S+)", done.stdout)]
    assert len(losses) == 11
    assert losses[-1] < 0.1 * losses[0]
    learned, unseen = map(float, re.findall(r"([\d.]+)% of", done.stdout))
    assert learned == 100.0
    assert unseen > 98.0
    assert float(re.search(r"class 1 with probability (\S+)", done.stdout)[1]) > 0.95


# ---- what the documents name exists ------------------------------------------------------------------------------


README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_readme_has_at_most_120_lines():
    assert len(README.splitlines()) <= 120


def test_the_ten_lines_on_the_readmes_first_screen_print_what_it_shows_below_them(tmp_path):
    code, shown = re.search(r"```python\n(from autograd.*?)```\n\n```\n(.*?)```", README, re.S).groups()
    assert len(code.splitlines()) == 10
    done = python("-c", code, cwd=tmp_path)
    assert (done.stdout, done.stderr) == (shown, "")
    assert "over 2 paths" in (tmp_path / "f.svg").read_text(encoding="utf-8")
    assert "<script" in (tmp_path / "f.html").read_text(encoding="utf-8")


def test_the_four_lines_about_another_engine_run_with_an_engine_like_micrograd(monkeypatch, capsys):
    code = re.search(r"```python\n(from micrograd.*?)```", README, re.S)[1]
    assert len([line for line in code.splitlines() if line]) == 4
    monkeypatch.setitem(sys.modules, "micrograd", types.ModuleType("micrograd"))
    monkeypatch.setitem(sys.modules, "micrograd.engine", importlib.import_module("engines.closures"))
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out.splitlines() == [
        "∂f/∂x = 3x² + 1", "      = 13", "✓ backward 13   ✓ SymPy 13   ✓ finite difference 13"
    ]  # fmt: skip


SITE = "docs/_build/html"  # which run.py docs makes
MADE = ["__pycache__", "node_modules", ".ipynb_checkpoints", ".venv-replay", "_build", "notebooks"]  # by programs
DOCUMENTS = [
    "README.md",
    "CONTRIBUTING.md",
    "docs/coming_from/lectures.md",
    "docs/coming_from/micrograd.md",
    "docs/coming_from/pytorch.md",
    "docs/command_line.md",
    "docs/first_five_minutes.md",
    "docs/glossary.md",
    "docs/promises.md",
    "docs/recipes.md",
    "docs/record.md",
    "benchmarks/replay.md",
    "notebooks/TEACHING.md",
]
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
FOLDER = r"(?:autograd|benchmarks|docs|exercises|nn|notebooks|tests)"
PATH = re.compile(rf"(?<![\w./]){FOLDER}/[\w./-]*[\w/]|(?<![\w./])test_\w+\.py")
DOTTED = re.compile(r"(?<![\w./])(?:autograd|nn)(?:\.\w+)+")
CODE_BLOCK = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
on_every_document = pytest.mark.parametrize("document", DOCUMENTS)


def missing_paths(text, folder):
    """The links, paths and test files in the text that are neither in its folder nor at the root nor in tests/."""
    links = {link.removeprefix("/") for link in LINK.findall(text)}  # from the root of the site, and of GitHub's
    named = {*links, *PATH.findall(text)} - {file for file, _ in NEW_FILE.findall(text)} - {SITE}
    return {path for path in named if not any((home / path).exists() for home in (folder, ROOT, ROOT / "tests"))}


def missing_names(text):
    """The modules and the names in modules that the running text mentions and that cannot be imported."""
    return {name for name in DOTTED.findall(CODE_BLOCK.sub("", text)) if not is_importable(name)}


def is_importable(name):
    found, *rest = name.split(".")
    thing = importlib.import_module(found)
    for word in rest:
        found += f".{word}"
        if hasattr(thing, word):
            thing = getattr(thing, word)
        elif inspect.ismodule(thing) and importlib.util.find_spec(found):
            thing = importlib.import_module(found)
        else:
            return False
    return True


@on_every_document
def test_every_path_and_link_exists(document):
    path = ROOT / document
    assert not missing_paths(path.read_text(encoding="utf-8"), path.parent)


@on_every_document
def test_every_dotted_name_can_be_imported(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    if document.endswith("pytorch.md"):
        text = re.sub(r"^\|.*?\| ", "", text, flags=re.M)  # its tables begin with PyTorch's own nn.Linear
    assert not missing_names(text)


def test_no_promise_is_made_twice():
    page = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
    tests = [row.split(" | ")[-1] for row in page.splitlines() if "::test_" in row and row.startswith("|")]
    assert len(tests) == len(set(tests)) > 40


def test_what_does_not_exist_is_found():
    text = "`autograd/gone.py`, [a page](docs/gone.md), `test_gone.py::test_x`, `nn.gone`, `autograd.Value.gone`"
    assert missing_paths(text, ROOT) == {"autograd/gone.py", "docs/gone.md", "test_gone.py"}
    assert missing_names(text) == {"nn.gone", "autograd.Value.gone"}
    fine = (
        "`autograd/value.py`, [a page](promises.md), `tests/test_house.py`, `nn.optim.cosine`, `autograd.Value.grad`"
    )
    assert not missing_paths(fine, ROOT / "docs") and not missing_names(fine)


def test_the_tree_of_contributing_has_every_folder():
    tree = section("What is where").split("```")[1]
    folders, above = set(), []
    for line in tree.strip().splitlines():
        name, depth = line.split()[0], (len(line) - len(line.lstrip())) // 2
        assert len(line.split()) > 2, f"{name} has no description"
        above = [*above[:depth], name]
        folders.add("".join(above))
    existing = {
        f"{folder.relative_to(ROOT).as_posix()}/"
        for top in (name for name in folders if name.count("/") == 1)
        for folder in (ROOT / top, *(ROOT / top).rglob("*/"))
        if not set(MADE) & set(folder.relative_to(ROOT).parts[1:])
    }
    copies = ("notebooks/exercises/source/", "docs/notebooks/")
    assert folders == {folder for folder in existing if not folder.startswith(copies)}


PACKAGES = sorted(
    {path.parent.relative_to(ROOT).as_posix() for top in ("autograd", "nn") for path in (ROOT / top).rglob("*.py")}
)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_says_in_one_line_what_it_holds(package):
    tree = ast.parse((ROOT / package / "__init__.py").read_text(encoding="utf-8"))
    first_line, _, rest = (ast.get_docstring(tree) or "").partition("\n")
    assert len(first_line.split()) > 5 and first_line.endswith(".")
    assert not rest or rest.startswith("\n")


# ---- CONTRIBUTING's recipes --------------------------------------------------------------------------------------

CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
RECIPES = ["Add an operation", "Add a layer", "Add a loss", "Add a reader"]
ADDITION = re.compile(r"In `([^`]+)`,\s(above|below)\s`([^`]+)`:\n\n```(?:python)?\n(.*?)```", re.DOTALL)
REPLACEMENT = re.compile(r"In `([^`]+)`,\sreplace\s`([^`]+)`\swith\s`([^`]+)`")
NEW_FILE = re.compile(r"A new file, `([^`]+)`:\n\n```python\n(.*?)```", re.DOTALL)
COMMANDS = re.compile(r"```sh\n(.*?)```", re.DOTALL)


def section(title):
    return CONTRIBUTING.partition(f"## {title}\n")[2].partition("\n## ")[0]


def only(things):
    [thing] = things
    return thing


def follow(recipe, root):
    """Do in the copy at ``root`` what the recipe says, step by step; returns how many steps it has."""
    additions, replacements, new_files = (step.findall(recipe) for step in (ADDITION, REPLACEMENT, NEW_FILE))
    for file, code in new_files:
        assert not (root / file).exists()
        (root / file).write_text(code, encoding="utf-8")
    for file, where, anchor, code in additions:
        lines = (root / file).read_text(encoding="utf-8").splitlines(keepends=True)
        places = [i for i, line in enumerate(lines) if line.lstrip().startswith(anchor)]
        assert len(places) == 1, f"{len(places)} lines of {file} begin with {anchor}"
        lines.insert(places[0] + (where == "below"), code)
        (root / file).write_text("".join(lines), encoding="utf-8")
    for file, old, new in replacements:
        source = (root / file).read_text(encoding="utf-8")
        assert source.count(old) == 1, f"{file} has {old} {source.count(old)} times"
        (root / file).write_text(source.replace(old, new), encoding="utf-8")
    return len(additions) + len(replacements) + len(new_files)


@pytest.fixture(scope="module")
def extended(tmp_path_factory):
    """A copy of the project in which all four recipes have been followed."""
    root = tmp_path_factory.mktemp("extended")
    for name in ("autograd", "nn", "tests", "notebooks", "docs"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns(*MADE))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, root)
    for title in RECIPES:
        recipe = section(title)
        blocks = recipe.count("```") // 2 - recipe.count("```sh")
        assert follow(recipe, root) == blocks + recipe.count(", replace `") > 2  # every step was understood
    assert run("-m", "ruff", "format", ".", cwd=root).returncode == 0
    return root


@pytest.mark.slow  # that every step fits the files of today is checked by ``extended`` in the quick tests as well
@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_of_contributing_works_as_it_is_written(title, extended):
    for command in only(COMMANDS.findall(section(title))).splitlines():
        program, *arguments = command.split()
        assert program in (".venv/bin/python", ".venv/bin/ruff")
        module = ["-m", "ruff"] if program.endswith("ruff") else []
        done = run(*module, *arguments, cwd=extended)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 2
    assert "failed" not in done.stdout


def test_what_the_recipes_add_is_formatted_and_has_no_lint(extended):
    done = run("-m", "ruff", "check", ".", cwd=extended)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_what_the_recipes_add_is_typed(extended):
    done = run("-m", "mypy", "--strict", "--cache-dir", str(extended / "cache"), cwd=extended)
    assert done.returncode == 0, done.stdout
