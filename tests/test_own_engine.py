"""Tests of the student's engine: right and common wrong solutions to notebook 1, and the saved file."""

import linecache
import re

import nbformat
import pytest
from conftest import ROOT
from nbclient import NotebookClient
from test_notebooks import texts

from autograd import Value, adopt, check_engine
from nn.lecture import own_engine

NOTEBOOK = ROOT / "notebooks" / "01-the-chain-rule.ipynb"
ANSWER = re.compile(r"<summary>One way to write it</summary>\n\n```python\n(.*?)```", re.DOTALL)


def steps():
    """The cells of the engine, blank and filled with the answer below each, by the method that they ask for."""
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    for place, cell in enumerate(cells):
        if cell.cell_type == "code" and "\nclass Value" in f"\n{cell.source}":
            name = re.search(r"def (\w+)", cell.source)[1]
            source = cell.source
            if "..." in source:
                before, _, after = source.partition(f"    def {name}(")
                source = before + ANSWER.search(cells[place + 1].source)[1] + after.partition("...\n")[2]
            yield name, place, source


STEPS = {name: (place, source) for name, place, source in steps()}
ORDER = ["__init__", "__add__", "__mul__", "backward", "__pow__", "exp", "relu", "__neg__"]


def engine(last, *edits):
    """The class after a step, with a wrong line in it, as the notebook's cells make it."""
    module = {"__name__": "students"}
    for name in ORDER[: ORDER.index(last) + 1]:
        source = STEPS[name][1]
        for old, new in edits if name == last else ():
            assert source.count(old) == 1, (old, source)
            source = source.replace(old, new)
        file = f"<cell {name} {hash(source)}>"
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        exec(compile(source, file, "exec"), module)
    return module["Value"]


def test_the_notebook_asks_for_each_step_and_has_an_answer_to_it():
    assert [*STEPS] == ORDER
    assert not any("..." in source for _, source in STEPS.values())


RIGHT = {
    "__init__": "the constructor is right: a node stores its arguments, and its gradient starts at 0\n"
    "not written yet: __add__, __mul__, backward",
    "__add__": "+ is right: its numbers and local derivatives, in 16 programs\nnot written yet: __mul__, backward\n"
    "(until backward is written, check_engine runs the backward pass itself)",
    "backward": "right in all 336 programs so far: +, *, backward",
    "exp": "right in all 436 programs so far: +, *, **, exp, backward",
    "__neg__": "right in all 535 programs",
}


@pytest.mark.parametrize("last", RIGHT)
def test_each_step_says_what_is_right_so_far(last):
    verdict = check_engine(engine(last))
    assert str(verdict) == RIGHT[last]
    assert bool(verdict) == (last in ("backward", "exp", "__neg__")) and not verdict.bugs


SUM = "return Value(self.data + other.data, (self, other), (1.0, 1.0))"
PRODUCT = "(other.data, self.data)"
POWER = "(exponent * self.data ** (exponent - 1),)"
WRONG = [
    ("__init__", "self.grad = 0.0", "grad = 0.0", "the node has no grad"),
    ("__init__", "self.grad = 0.0", "self.grad = data", "grad is 2, but should be 0"),
    ("__init__", "self.data = data", "data = data", "the node has no data"),
    ("__init__", "self.parents = parents", "self.parents = ()", "node.parents is not what the constructor was given"),
    ("__init__", "        self.local_derivatives = local_derivatives\n", "", "the node has no local_derivatives"),
    ("__init__", "self.parents = parents", "self.parents = ...", "not written yet: __init__"),
    ("__add__", SUM, "Value(self.data + other.data, (self, other), (1.0, 1.0))", "f is None, but should be a node"),
    ("__add__", SUM, "return self.data + other.data", "f is 3.9, but should be a node"),
    ("__add__", SUM, SUM.replace("self.data + other.data", "self + other"), "recursion: __add__ calls itself"),
    ("__add__", SUM, "return Value(self.data + other.data)", "does not record how it was computed"),
    ("__add__", "(1.0, 1.0)", "(1.0,)", "f has 2 parents and 1 local derivative"),
    ("__add__", "(1.0, 1.0)", "(self.data, other.data)", "the local derivative ∂f/∂x is 0.9, but should be 1"),
    ("__add__", SUM, "return Valeu(self.data + other.data)", "NameError: name 'Valeu' is not defined"),
    ("__add__", SUM, "return Value(..., ..., ...)", "not written yet: __add__, __mul__, backward"),
    ("__add__", SUM, "while True: pass", "endless: "),
    ("__mul__", PRODUCT, "(self.data, other.data)", "The two local derivatives are swapped"),
    ("__mul__", PRODUCT, "(1.0, 1.0)", "the local derivative ∂f/∂x is 1, but should be 3"),
    ("__mul__", PRODUCT, "(other, self)", "f has nodes as local derivatives"),
    ("__mul__", "self.data * other.data", "self.data + other.data", "f.data is 3.9, but should be 2.7"),
    ("backward", "grad += ", "grad = ", "a gradient is set with = instead of accumulated with +="),
    ("backward", "in reversed(order)", "in order", "order: a node passes its gradient on too early"),
    ("backward", "        self.grad = 1.0\n", "", "f.grad is still 0. Which line sets it to 1"),
    ("backward", "node.grad * local", "local", "the backward pass is wrong, although x + y has the right"),
    ("backward", "node.grad * local", "node.grad", "the backward pass is wrong, although x*y has the right"),
    ("backward", "grad += node", "grad -= node", "the backward pass is wrong, although x + y has the right"),
    ("backward", "node.grad = 0.0", "pass", "starts with the old gradients between f and its inputs"),
    ("backward", "zip(node.parents, node.local_derivatives)",
     "dict(zip(node.parents, node.local_derivatives)).items()", "counts only one operand if both are the same"),
    ("backward", "stack.pop()] = True", "stack[-1]] = True", "endless: "),
    ("backward", "self.grad = 1.0", "self.data = 1.0", "mutates: the data or gradient of an operand changes"),
    ("backward", "grad += node.grad * local", "grad += node.grad * local; parent.backward()",
     "sets the gradient of every node that it visits to 1"),
    ("__pow__", POWER, "(exponent * self.data ** exponent,)", "rule: x**2 is wrong on its own"),
    ("__pow__", POWER, "(-exponent * self.data ** (exponent - 1),)", "Does f rise or fall as the operand grows?"),
    ("__pow__", POWER, "(exponent * self.data ** (exponent - 1))", "Where is a comma missing"),
    ("__pow__", "(self,)", "(self)", "keeps: x**2 passes a single object where a one-element tuple is needed"),
    ("exp", "(e,))", "e)", "Where is a comma missing"),
    ("exp", "(self,), (e,)", "(self,), (self.data,)", "how many times h is the change in exp(x)?"),
    ("exp", "(e,))", "(1.0,))", "rule: exp(x) is wrong on its own"),
    ("exp", "return Value(e", "Value(e", "f is None, but should be a node"),
    ("relu", "1.0 if self.data > 0 else 0.0", "1.0", "rule: relu(x) is wrong on its own"),
    ("relu", "max(self.data, 0.0)", "abs(self.data)", "f.data is 1.5, but should be 0"),
    ("relu", "max(self.data, 0.0)", "maks(self.data, 0.0)", "The message says what Python could not do"),
]  # fmt: skip


@pytest.mark.parametrize(("last", "old", "new", "words"), WRONG)
def test_a_usual_mistake_is_named_at_its_step(last, old, new, words, monkeypatch):
    if words.startswith("endless"):
        monkeypatch.setattr("autograd.engine_checks.PATIENCE", 0.5)
    verdict = check_engine(engine(last, (old, new)))
    assert words in str(verdict) and not verdict


@pytest.mark.parametrize("last", ["__add__", "__mul__", "__pow__", "exp", "relu"])
def test_a_wrong_derivative_is_not_answered_with_the_right_one(last):
    _, old, new, _ = next(
        x for x in WRONG if x[0] == last and ("∂f/∂x is" in x[3] or "rule:" in x[3] or "swapped" in x[3])
    )
    assert "Its rule" not in str(check_engine(engine(last, (old, new))))


def listing(*lines):
    """The class whose backward pass lists nodes in this way."""
    source = STEPS["backward"][1]
    old = source[source.index("        order, stack") : source.index("        for node in order:")]
    return engine("backward", (old, "".join(f"        {line}\n" for line in lines)))


RECIPE = (
    "order, stack = [], [self]",
    "while stack:",
    "    missing = [parent for parent in stack[-1].parents if parent not in order]",
    "    if missing:",
    "        stack.extend(missing)",
    "    else:",
    "        node = stack.pop()",
)


def test_a_list_that_holds_a_node_twice_is_named_with_the_node():
    verdict = check_engine(listing(*RECIPE, "        order.append(node)"))
    assert verdict.bugs == ["order"] and str(verdict).startswith(
        "order: a passes its gradient on twice\n  a = x + y; b = a*z; "
    )
    assert not check_engine(listing(*RECIPE, "        if node not in order:", "            order.append(node)")).bugs


def test_a_lost_contribution_is_not_blamed_on_the_order_too():
    assert check_engine(engine("backward", ("grad += ", "grad = "))).bugs == ["overwrites"]


def test_what_is_right_is_still_said_beside_a_mistake():
    text = str(check_engine(engine("__mul__", (PRODUCT, "(self.data, other.data)"))))
    assert text.startswith("+ is right: its numbers and local derivatives, in 16 programs\n\nrule: x*y is wrong")


def test_the_blanks_run_without_an_error_and_say_that_they_are_blank():
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    assert not any(output.output_type == "error" for cell in cells for output in cell.get("outputs", []))
    assert all(texts(cells[place]) == "not written yet: __init__" for place, _ in STEPS.values())


def test_the_notebook_with_its_own_answers_saves_an_engine_that_loads(tmp_path, monkeypatch, capsys):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for place, source in STEPS.values():
        notebook.cells[place].source = source
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": tmp_path}}).execute()
    said = [texts(notebook.cells[place]) for place, _ in STEPS.values()]
    assert said[-1] == RIGHT["__neg__"] and not any(": x" in text or "\n\n" in text for text in said)
    reward = next(cell for cell in notebook.cells if "own_engine.save" in cell.source)
    assert "This notebook uses your own engine: my_engine.py" in texts(reward)
    assert texts(reward).endswith("(36.0, 24.0)")
    monkeypatch.chdir(tmp_path)
    Value = own_engine.load()
    says = r"This notebook uses your own engine: my_engine.py, \d+ lines, right in all 535 programs.\n"
    assert re.fullmatch(says, capsys.readouterr().out)
    r, s = Value(2.0), Value(3.0)
    f = r * (r * s) * s
    f.backward()
    assert (r.grad, s.grad, adopt(f).data) == (36.0, 24.0, 36.0)
    assert "class Value:" in (tmp_path / "my_engine.py").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (None, "There is no my_engine.py here yet"),
        ("def f(:", "my_engine.py cannot be read"),
        ("raise SystemExit", "my_engine.py cannot be read"),
        (
            "class Value:\n    def __init__(self, data): ...",
            "my_engine.py still lacks __init__, __add__, __mul__, backward, ",
        ),
    ],
)
def test_without_a_right_engine_the_finished_one_is_loaded(source, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    if source:
        (tmp_path / "my_engine.py").write_text(source, encoding="utf-8")
    assert own_engine.load() is own_engine.Value
    said = capsys.readouterr().out
    assert says in said and said.endswith("so this notebook uses the finished engine of notebook 1.\n")


def test_what_is_not_right_is_neither_saved_over_what_is_nor_loaded(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "my_engine.py"
    file.write_text("# an older one\n")
    own_engine.save(engine("__neg__", ("return self * -1", "return self * 1")))
    assert "not saved yet" in (said := capsys.readouterr().out) and "rule: -x is wrong" in said
    for library in (Value, type("Value", (Value,), {})):
        own_engine.save(library)
        assert "this class is the library's Value" in capsys.readouterr().out
    assert file.read_text() == "# an older one\n"
    file.write_text(own_engine._text_of(engine("__neg__", ("return self * -1", "return self * 1"))))
    assert own_engine.load() is own_engine.Value and "my_engine.py is incorrect (rule)" in capsys.readouterr().out


def test_a_backward_that_sets_1_in_every_call_is_named():
    recursive = """    def backward(self):
        self.grad = 1.0
        for parent, local in zip(self.parents, self.local_derivatives):
            parent.grad += self.grad * local
            parent.backward()
"""
    source = STEPS["backward"][1]
    start = source[source.index("    def backward") :].split("\n\n\n")[0] + "\n"
    verdict = check_engine(engine("backward", (start, recursive)))
    assert verdict.bugs == ["restarts"] and "Does the function that sets grad to 1 call itself" in str(verdict)


RECURSIVE = """    def backward(self):
        def list_parents_first(node):
            if node not in order:
                for parent in node.parents:
                    list_parents_first(parent)
                order.append(node)

        order = []
        list_parents_first(self)
"""


def test_an_engine_that_calls_itself_for_each_node_is_told_its_depth_and_used(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    source = STEPS["backward"][1]
    start = source[source.index("    def backward") : source.index("        for node in order:")]
    wrong = engine("backward", (start, RECURSIVE))
    assert check_engine(wrong).bugs == ["depth"]
    finished = type("Value", (own_engine.Value,), {"backward": wrong.backward})
    own_engine.save(finished)
    Value = own_engine.load()
    assert "lines, correct up to a depth of about 1,000 operations.\n" in capsys.readouterr().out
    x = Value(3.0)
    (x * x + 1).backward()
    assert x.grad == 6.0


def test_a_local_derivative_may_be_true_or_false():
    Value = engine("relu", ("1.0 if self.data > 0 else 0.0", "self.data > 0"))
    x, y = Value(2.0), Value(-3.0)
    f = x.relu() + y.relu() * x
    f.backward()
    assert not check_engine(Value).bugs and adopt(f).data == 2.0


def test_a_class_of_many_steps_becomes_one_with_what_its_methods_use(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    module = {"__name__": "students"}
    source = """
import math as m
from math import exp
LEAST = 0.0
def node(x):
    return x if isinstance(x, Value) else Value(x)
class Value(Value):
    def __add__(self, other):
        other = node(other)
        return Value(self.data + other.data, (self, other), (1.0, 1.0))
    __radd__ = __add__
    def exp(self):
        return Value(exp(self.data), (self,), (m.exp(self.data),))
    @property
    def is_positive(self):
        return self.data > LEAST
"""
    file = "<many steps>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    module["Value"] = own_engine.Value
    exec(compile(source, file, "exec"), module)
    own_engine.save(module["Value"])
    text = (tmp_path / "my_engine.py").read_text(encoding="utf-8")
    assert "Checked again as a file: right in all 535 programs." in capsys.readouterr().out
    for line in (
        "import math as m\n",
        "from math import exp\n",
        "LEAST = 0.0\n",
        "\ndef node(x):",
        "__radd__ = __add__",
    ):
        assert text.count(line) == 1
    assert "    @property\n    def is_positive" in text and text.count("class Value") == 1


def test_nothing_is_saved_while_a_method_is_blank(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    own_engine.save(engine("__mul__"))
    own_engine.save(type("Value", (own_engine.Value,), {"__module__": "nowhere", "exp": eval("lambda self: self")}))
    said = capsys.readouterr().out
    assert said.startswith("Your engine is not saved yet. It still lacks backward, __pow__, exp, relu, ") and not [
        *tmp_path.iterdir()
    ]
    assert "Python cannot show the source" in said
