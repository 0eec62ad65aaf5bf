"""Tests the code on the documentation's pages: every recipe runs as printed, and all doctests pass.

These tests import nothing from the repository, so they also test an installed package: pytest tests/test_recipes.py
"""

import ast
import csv
import doctest
import json
import math
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest

DOCS = Path(__file__).parent.parent / "docs"
PAGE = (DOCS / "recipes.md").read_text(encoding="utf-8")
MADE = {"_build", "notebooks"}  # by the site's build
WITH_DOCTESTS = [
    page.as_posix()
    for page in sorted(path.relative_to(DOCS) for path in DOCS.rglob("*.md"))
    if page.parts[0] not in MADE and ">>> " in (DOCS / page).read_text(encoding="utf-8")
]
EXTRAS = {"datasets": "sklearn", "fast": "llvmlite", "plot": "matplotlib", "render": "resvg_py", "tables": "pandas"}
FLOWERS = "petal,colour,species\n" + "\n".join(
    f"{length:.1f},{'red' if k % 2 else 'blue'},{'rose' if length > 3.0 else 'violet'}"
    for k, length in enumerate(1.0 + 0.1 * i for i in range(41))
)
ENGINE = """
class Value:
    def __init__(self, data, _children=(), _op=""):
        self.data, self.grad, self._prev, self._op = data, 0.0, set(_children), _op
        self._backward = lambda: None
    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data + other.data, (self, other), "+")
        def back():
            self.grad += out.grad
            other.grad += out.grad
        out._backward = back
        return out
    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data * other.data, (self, other), "*")
        def back():
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad
        out._backward = back
        return out
    __radd__, __rmul__ = __add__, __mul__
    def backward(self):
        order, seen = [], set()
        def visit(node):
            if node not in seen:
                seen.add(node)
                for parent in node._prev:
                    visit(parent)
                order.append(node)
        visit(self)
        self.grad = 1.0
        for node in reversed(order):
            node._backward()
"""
CLASS = DOCS.parent / "notebooks" / "exercises"
HANDED_IN = "submitted/Mara Müller/back-propagation/exercises.ipynb"
GIVEN = {  # what lies in the folder before a recipe runs
    "Give a class its own exercises, and mark them": {
        **{
            path.relative_to(CLASS).as_posix(): path.read_text(encoding="utf-8")
            for path in [*CLASS.glob("*.py"), *CLASS.rglob("exercises.ipynb")]
        },
        "names.txt": "Mara Müller\nJosé O'Hara\n",
        HANDED_IN: (CLASS / "source" / "back-propagation" / "exercises.ipynb").read_text(encoding="utf-8"),
    },
    "Train on a CSV file": {"flowers.csv": FLOWERS},
    "Train without Python code": {"flowers.csv": FLOWERS, "new.csv": "petal,colour\n1.2,red\n4.9,blue\n"},
    "Use another engine's graph here": {"micrograd/__init__.py": "", "micrograd/engine.py": ENGINE},
    "Grade an engine": {"my_engine.py": ENGINE.replace("grad +=", "grad =")},
}


class Recipe(NamedTuple):
    text: str
    language: str
    code: str


def recipes(page):
    found = re.findall(r"^### (.+)\n\n((?:.+\n)+)\n```(\w+)\n((?:(?!```).*\n)+)```\n", page, re.M)
    return {title: Recipe(text, language, code) for title, text, language, code in found}


RECIPES, START = recipes(PAGE), PAGE.split("```")[1].removeprefix("python\n")
CHECKS = {}


def check(title):
    """Registers the assertions about what the recipe of this title has done."""

    def register(function):
        CHECKS[title] = function
        return function

    return register


def start():
    """The names of the page's first block."""
    names = {}
    exec(START, names)
    return names


def state(model):
    return [p.data for p in model.parameters()]


def run(code):
    """Run a recipe, after the page's first block if it uses its names; returns names, last value and last remark."""
    tree = ast.parse(code)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    names = start() if used & {"data", "model", "sgd", "training"} else {}
    value = error = None
    *first, last = tree.body
    is_shown = isinstance(last, ast.Expr)
    try:
        exec(compile(ast.Module(first if is_shown else tree.body, []), "recipe.py", "exec"), names)
        if is_shown:
            value = eval(compile(ast.Expression(last.value), "recipe.py", "eval"), names)
    except ArithmeticError as raised:
        if "detect_anomaly" not in code:  # the recipe about an error
            raise
        error = raised
    _, _, remark = code.splitlines()[-1].partition("  # ")
    assert not remark or repr(value) == remark
    return SimpleNamespace(**names, value=value, error=error)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder to work in; what a recipe imports from it, adds to the table or plots is removed afterwards."""
    from autograd.table import TABLE

    before = set(TABLE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    yield tmp_path
    for name in set(TABLE) - before:
        del TABLE[name]
    for name in [name for name in sys.modules if name.split(".")[0] in ("micrograd", "my_engine")]:
        del sys.modules[name]
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")


def without_extras(monkeypatch):
    """Imports of what only an extra installs fail."""
    roots = {*EXTRAS.values(), "PIL", "platformdirs", "scipy", "typst"}
    for name in {*roots, *(name for name in sys.modules if name.split(".")[0] in roots)}:
        monkeypatch.setitem(sys.modules, name, None)


def slow_with_nbgrader(title):
    return pytest.param(title, marks=pytest.mark.slow) if "nbgrader" in RECIPES[title].code else title


@pytest.mark.parametrize("title", [slow_with_nbgrader(title) for title in RECIPES])
def test_a_recipe_does_what_it_says(title, folder, monkeypatch, capsys):
    recipe = RECIPES[title]
    needed = re.findall(r"needs\sthe\s`(\w+)`\sextra", recipe.text)
    for extra in needed:
        pytest.importorskip(EXTRAS[extra], reason=f"this recipe needs the extra {extra}")
    if "nbgrader" in recipe.code:
        pytest.importorskip("nbgrader", reason="nbgrader marks here: pip install nbgrader")
    if not needed:
        without_extras(monkeypatch)
    for name, text in GIVEN.get(title, {}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    if recipe.language == "sh":
        CHECKS[title]([command(line) for line in recipe.code.splitlines()], folder)
        return
    done = run(recipe.code)
    CHECKS[title](done, folder, capsys.readouterr().out)


def command(line, **environment):
    """The output of a command, which has to end well."""
    program, *words = shlex.split(line)
    assert program in ("python", "nbgrader")
    words[:0] = ["-m", "nbgrader"] if program == "nbgrader" else []
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # nbgrader calls alembic
    settings = {**os.environ, "PYTHONIOENCODING": "utf-8", "PATH": programs, **environment}
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, encoding=settings["PYTHONIOENCODING"], env=settings
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# ---- the page ----------------------------------------------------------------------------------------------------


def test_every_recipe_has_a_check_at_most_six_lines_and_two_sentences():
    assert list(RECIPES) == re.findall(r"^### (.+)$", PAGE, re.M)  # each was read
    assert set(CHECKS) == set(RECIPES)
    assert len(RECIPES) >= 20
    for title, recipe in {"the first block": Recipe("", "python", START), **RECIPES}.items():
        lines = [line for line in recipe.code.splitlines() if line]
        assert len(lines) <= 6, title
        assert max(map(len, lines)) <= 88, title  # what the page shows without scrolling
        assert len(re.findall(r"\.(?=\s)", recipe.text)) <= 2, title


def test_the_index_lists_every_recipe_once_in_the_order_of_the_page():
    listed = re.findall(r"^- \[(.+?)\]\(#(.+?)\): \w", PAGE, re.M)
    assert [title for title, _ in listed] == list(RECIPES)
    for title, anchor in listed:
        assert anchor == re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", WITH_DOCTESTS)
def test_the_examples_of_a_page_print_what_it_shows(page, folder, capsys):
    text = (DOCS / page).read_text(encoding="utf-8")
    if "import pyplot" in text:
        pytest.importorskip("matplotlib", reason="this page plots: it needs the extra plot")
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    failed, tried = doctest.testfile(str(DOCS / page), module_relative=False, encoding="utf-8", optionflags=flags)
    assert not failed, capsys.readouterr().out
    assert tried == text.count(">>> ")


def test_a_result_that_is_not_the_one_on_the_page_is_noticed():
    assert run("x = 2\nx + 1  # 3\n").value == 3
    with pytest.raises(AssertionError):
        run("x = 2\nx + 1  # 4\n")


# ---- derivatives -------------------------------------------------------------------------------------------------


@check("Get the gradient of a function")
def _(done, folder, printed):
    assert (done.x.grad, done.y.grad) == (3.0 + 1.0 / 2.0, 2.0)


@check("Clear gradients")
def _(done, folder, printed):
    (done.w * done.w).backward()
    assert done.w.grad == 12.0  # uncleared, they add up


@check("Compute without a graph")
def _(done, folder, printed):
    assert (done.x * done.x).parents == (done.x, done.x)  # outside, a graph again


@check("Get second derivatives")
def _(done, folder, printed):
    assert done.jvp(done.f, [done.x, done.y], [1.0, 10.0]).data == 12.0 + 40.0


@check("Check a gradient numerically")
def _(done, folder, printed):
    from autograd import GradientError

    with pytest.raises(GradientError, match="kink"):
        done.gradcheck(abs, at=[0.0])


@check("Find the source of a NaN")
def _(done, folder, printed):
    assert type(done.error).__name__ == "AnomalyError"
    assert "line 5" in str(done.error) and "sqrt at x = 0.0" in str(done.error)


@check("Add an operation")
def _(done, folder, printed):
    from autograd import Value, explain, gradcheck

    assert gradcheck(done.cube, [1.7])
    x = Value(2.0, "x")
    f = done.cube(x)
    f.backward()
    assert x.grad == 12.0 and "✗" not in str(explain(f, wrt=x))


@check("Use NumPy arrays of Values")
def _(done, folder, printed):
    slope = [1.0 - math.tanh(z) ** 2 for z in (0.1 * 0.5 - 0.2, 0.3 * 0.5 + 0.4)]
    for row, s in zip(done.dW.tolist(), slope):
        assert row == pytest.approx([0.5 * s, -s])


# ---- explanations and pictures -----------------------------------------------------------------------------------


@check("Write a derivation out")
def _(done, folder, printed):
    assert "yz·0 + xz·r + xy·1" in printed and "12 + 12 = 24" in printed
    assert r"\frac{\partial f}{\partial s}" in printed and r"\begin{aligned}" in printed
    assert "<svg" in done.explain(done.f, wrt=done.s).with_picture()._repr_html_()


@check("Make a picture for slides")
def _(done, folder, printed):
    picture = (folder / "a.svg").read_text(encoding="utf-8")
    assert picture.startswith("<svg") and "0.7616" in picture and "0.2099871" in picture  # tanh 1, and ∂a/∂x
    with pytest.raises(ImportError, match="render"):
        done.draw(done.a).save("a.png")  # the extras are hidden here


@check("Make an animation")
def _(done, folder, printed):
    assert "<animate" in (folder / "a.svg").read_text(encoding="utf-8")
    assert [path.name for path in done.pictures][:2] == ["step-01.svg", "step-02.svg"]
    assert all("<svg" in path.read_text(encoding="utf-8") for path in done.pictures)


@check("Make an interactive page")
def _(done, folder, printed):
    page = (folder / "a.html").read_text(encoding="utf-8")
    assert "const PREDICTING = true" in page and "default-src 'none'" in page  # it may load nothing


@check("See z, a and δ of one example")
def _(done, folder, printed):
    z, a, delta = done.value
    assert [z_j.name for z_j in z[:2]] == ["z¹_1", "z¹_2"]
    assert [a_j.data for a_j in a] == [math.tanh(z_j.data) for z_j in z]
    assert delta == [z_j.grad for z_j in z]
    last = 1.0 / (1.0 + math.exp(-done.trace.z[2][0].data)) - 1.0  # σ(z) − y
    assert done.trace.delta[2] == pytest.approx([last])


@check("Show the pass as matrices")
def _(done, folder, printed):
    assert done.form.layers[1].dW[2].tolist() == [w.grad for w in done.model.net[0].W[2]]


@check("Draw a network")
def _(done, folder, printed):
    for name in ("trace", "model"):
        picture = (folder / f"{name}.svg").read_text(encoding="utf-8")
        assert "Neural network 2-8-1" in picture
        assert ("δ" in picture) == (name == "trace")
    loss = done.binary_cross_entropy(done.model([0.5, -1.0]), 1)
    assert "<svg" in done.draw(loss, open="layer 2").svg


@check("Explain a gradient in words")
def _(done, folder, printed):
    assert done.w.grad == 0.0 and "0" in printed and "relu" in printed.lower()
    assert [path.product for path in done.paths(done.f, done.w)] == [0.0]


@check("Get plain ASCII output")
def _(done, folder, printed):
    code = RECIPES["Get plain ASCII output"].code
    ascii_only = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    assert "dL/dw^2_13 = sum delta" in command(shlex.join(["python", "-c", code]), **ascii_only)
    with pytest.raises(AssertionError, match="UnicodeEncodeError"):
        command(shlex.join(["python", "-c", re.sub(r"sys.stdout.*", "", code)]), **ascii_only)


# ---- parts of one's own ------------------------------------------------------------------------------------------


@check("Write your own training loop")
def _(done, folder, printed):
    same = start()
    training = done.Training(
        same["model"], done.binary_cross_entropy, same["sgd"], same["data"], epochs=20, batch_size=100
    )
    assert [record.loss for record in training][-1] == pytest.approx(done.loss.data)
    assert state(done.model) == pytest.approx(state(same["model"]))


@check("Write your own loss")
def _(done, folder, printed):
    assert done.training.loss is done.distance
    assert done.records[-1].loss < 0.6 * done.records[0].loss
    assert done.records[-1].accuracy > 0.8


@check("Set weights by hand")
def _(done, folder, printed):
    from nn import MLP

    assert [[w.data for w in row] for row in done.layer.W] == [[0.5, 2.0]]
    assert MLP(2, [8, 1], init="xavier_uniform", rng=0).parameters()


@check("Write your own layer")
def _(done, folder, printed):
    from nn import Linear, Sequential

    model = Sequential(Linear(2, 8, rng=0), done.Scale(8), Linear(8, 1, rng=0))
    assert len(model.parameters()) == 24 + 8 + 9
    model[1].gain[0].data = 2.0
    z = Linear(2, 8, rng=0)([1.0, -1.0])
    assert [y.data for y in model[1](z)] == [2.0 * z[0].data, *(z_k.data for z_k in z[1:])]


@check("Write your own optimiser")
def _(done, folder, printed):
    from autograd import Value

    w = Value(1.0)
    optimizer = done.Momentum([w], learning_rate=0.1)
    for _ in range(2):
        w.grad = 1.0
        optimizer.step()
    assert w.data == pytest.approx(1.0 - 0.1 * 1.0 - 0.1 * 1.9)


# ---- data and training -------------------------------------------------------------------------------------------


@check("Train on lists or arrays")
def _(done, folder, printed):
    np = pytest.importorskip("numpy")
    again = done.Dataset(np.array(done.data.X), np.array(["same", "other", "other", "same"]))
    assert (again.X, again.y, again.classes) == (done.data.X, done.data.y, done.data.classes)


@check("Train on a CSV file")
def _(done, folder, printed):
    assert done.data.features == ["petal", "colour=blue", "colour=red"]
    assert done.data.classes == ["rose", "violet"] and len(done.data.y) == 41
    assert done.records[-1].accuracy > 0.9


@check("Use a ready data set")
def _(done, folder, printed):
    inner = [math.hypot(*x) for x, label in zip(done.points.X, done.points.y) if label == 0]
    assert sum(inner) / 100 == pytest.approx(0.5, abs=0.03)
    assert {pixel for image in done.images.X for pixel in image} <= {k / 16 for k in range(17)}


@check("Do a regression")
def _(done, folder, printed):
    rmse, r2, [predicted] = done.value
    assert rmse < 0.2 and r2 > 0.9 and abs(predicted - math.sin(1.0)) < 0.2


@check("Split and standardise the data")
def _(done, folder, printed):
    for column in zip(*done.parts.training.X):
        assert sum(column) / 60 == pytest.approx(0.0, abs=1e-12)
        assert sum(x * x for x in column) / 60 == pytest.approx(1.0)
    mean, std = done.standardize.mean_, done.standardize.std_
    assert done.new[0] == pytest.approx([(0.5 - mean[0]) / std[0], (-1.0 - mean[1]) / std[1]])


@check("Weight the examples")
def _(done, folder, printed):
    plain = start()
    records = list(done.Training(plain["model"], done.binary_cross_entropy, plain["sgd"], plain["data"], rng=0))
    assert len(records) == len(done.records) == 50
    weighted, unweighted = (sum(model(x).data for x in done.data.X) for model in (done.model, plain["model"]))
    assert weighted > unweighted + 10.0  # logits, which are positive for the second class


@check("Change the learning rate during training")
def _(done, folder, printed):
    done.model(done.data.X[0]).backward()
    done.sgd.step()
    assert done.sgd.learning_rate == 0.01
    done.sgd.step()
    assert done.sgd.learning_rate == 0.02


@check("Prevent overfitting")
def _(done, folder, printed):
    losses = [record.validation_loss for record in done.records]
    assert done.training.best[0].validation_loss == min(losses)
    assert len(losses) == 50 or "patience" in done.reason


@check("Freeze layers")
def _(done, folder, printed):
    first, last = ([w.data for w in layer.W[0]] for layer in (done.model.net[0], done.model.net[2]))
    [_] = done.Training(done.model, done.binary_cross_entropy, done.sgd, done.data, epochs=1)
    assert [w.data for w in done.model.net[0].W[0]] == first
    assert [w.data for w in done.model.net[2].W[0]] != last
    body, head = done.model.net[2].W[0][:4], done.model.net[2].W[0][4:]
    groups = done.SGD([{"parameters": body, "learning_rate": 0.01}, {"parameters": head}], 0.1).groups
    assert [group.learning_rate for group in groups] == [0.01, 0.1]


@check("Use dropout and batch normalisation")
def _(done, folder, printed):
    assert repr(done.value) == "Sequential(Linear(2, 8), BatchNorm(8), ReLU(), Dropout(0.2), Linear(8, 1))"
    assert len(done.outputs) == 100 and not done.model.training
    assert done.one.data == done.model(done.data.X[0]).data  # evaluation drops nothing


@check("Get probabilities")
def _(done, folder, printed):
    assert done.p == pytest.approx(1.0 / (1.0 + math.exp(-done.model([0.5, -1.0]).data)))
    assert len(done.value) == 3 and sum(done.value) == pytest.approx(1.0)


@check("Measure accuracy and see the mistakes")
def _(done, folder, printed):
    share, matrix = done.value
    pairs = list(zip(done.data.y, done.labels))
    assert matrix == [[pairs.count((i, j)) for j in (0, 1)] for i in (0, 1)]
    assert share == sum(y == label for y, label in pairs) / 100 > 0.92


@check("Plot a run")
def _(done, folder, printed):
    assert (folder / "run.png").read_bytes().startswith(b"\x89PNG")
    assert [done.left.get_xlabel(), done.left.get_ylabel()] == ["epoch", "mean loss"]
    assert [done.right.get_xlabel(), done.right.get_ylabel()] == ["x₁", "x₂"]
    assert done.left.lines[0].get_ydata().tolist() == [record.loss for record in done.records]


@check("Find out why it does not learn")
def _(done, folder, printed):
    assert printed.startswith("learning rate too low")
    assert len(done.layers) == 20 and len(done.layers[0]) == 2


@check("Make a run reproducible")
def _(done, folder, printed):
    assert done.run(done.MLP(2, [4, 1], rng=3)) != done.run(done.MLP(2, [4, 1], rng=2))


@check("Train faster")
def _(done, folder, printed):
    engine, reason = done.value
    assert engine == "replay" and reason and len(done.records) == 50


@check("Record your own loop")
def _(done, folder, printed):
    first = 2.0 - 0.01 * 2.0 * (2.0 * 4.0 - 6.0) * 4.0
    assert done.loss == pytest.approx((first - 1.0) ** 2)
    assert done.w.data == pytest.approx(first - 0.01 * 2.0 * (first - 1.0))


# ---- weights in and out ------------------------------------------------------------------------------------------


@check("Save and load a model")
def _(done, folder, printed):
    content = (folder / "moons.safetensors").read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])  # the format's own layout
    assert header["net.layers.0.W"]["shape"] == [8, 2]


@check("Stop and resume a training")
def _(done, folder, printed):
    fresh, again = start(), start()
    uninterrupted = list(fresh["training"])
    done.checkpoint.load_training(again["training"], "half.safetensors")
    assert [record.epoch for record in again["training"]] == list(range(11, 21))
    assert repr(again["training"].records) == repr(uninterrupted)  # NaN included
    assert again["model"].state_dict() == fresh["model"].state_dict()


@check("Exchange weights with PyTorch")
def _(done, folder, printed):
    assert done.value == {"0.weight": (8, 2), "0.bias": (8,), "2.weight": (1, 8), "2.bias": (1,)}
    assert done.model.net[0].W[3][1].data == 0.5 * start()["model"].net[0].W[3][1].data


@check("Get gradients as arrays")
def _(done, folder, printed):
    array = done.numpy_gradients(done.model)["0.weight"]
    assert array[1, 0] == done.model.named_parameters()["w¹_21"].grad != 0.0


# ---- teaching, and other engines ---------------------------------------------------------------------------------


@check("Use another engine's graph here")
def _(done, folder, printed):
    assert type(done.x).__module__ == "micrograd.engine"
    assert printed.startswith("∂f/∂x = 3x² + 1\n") and "= 13" in printed


@check("Grade an engine")
def _(done, folder, printed):
    is_right, bugs = done.value
    assert not is_right and bugs[0] == "overwrites" and "=" in printed
    right = {}
    exec(ENGINE, right)
    assert "overwrites" not in done.check_engine(right["Value"]).bugs


@check("Mark a derivation")
def _(done, folder, printed):
    assert "✓ 1" in printed and "✗ 2" in printed and "sign" in printed


@check("Make a lab for a class")
def _(done, folder, printed):
    page = (folder / "lab.html").read_text(encoding="utf-8")
    assert "Which unit turns first?" in page and page.count("<html") == 1


@check("Give exercises to students")
def _(done, folder, printed):
    assert f"at $r = {done.r:g}$, $s = {done.s:g}$" in printed
    assert not done.feedback and done.feedback.mistake.name == "one path only"
    problems = [done.Course(name).problem("xyz") for name in ("ada", "ben", "cleo", "dana")]
    assert any(problem != problems[0] for problem in problems)


@check("Give a class its own exercises, and mark them")
def _(outputs, folder):
    assert outputs[0] == "2 notebooks in class/\n"
    assert {path.parent.name for path in (folder / "class").rglob("*.ipynb")} == {"Mara Müller", "José O'Hara"}
    [row] = csv.DictReader((folder / "grades.csv").read_text(encoding="utf-8").splitlines())
    assert row["student_id"] == "Mara Müller" and row["score"] == row["max_score"] == "31.0"
    assert (folder / HANDED_IN.replace("submitted", "feedback")).with_suffix(".html").exists()


# ---- command line ------------------------------------------------------------------------------------------------


@check("Differentiate without Python code")
def _(outputs, folder):
    assert "∂f/∂s = ∂f/∂x ∂x/∂s + ∂f/∂y ∂y/∂s + ∂f/∂z ∂z/∂s" in outputs[0] and "∂f/∂r =" not in outputs[0]
    assert "<script" in (folder / "a.html").read_text(encoding="utf-8")


@check("Train without Python code")
def _(outputs, folder):
    for name in ("moons", "flowers"):
        lines = (folder / "runs" / name / "records.jsonl").read_text(encoding="utf-8").splitlines()
        assert len(lines) == 20 and json.loads(lines[-1])["epoch"] == 20
    assert [row["prediction"] for row in csv.DictReader(outputs[2].splitlines())] == ["violet", "rose"]
