"""Tests of ``check_engine``: it names planted bugs, accepts correct engines, and shows what to change."""

import json
import re
import sys
import types

import pytest
from conftest import ROOT, python

import nn.__main__
from autograd import Value, check_engine, engine_checks
from autograd.engine_checks import BUGS

DESIGNS = ROOT / "tests" / "engines" / "designs"
PLANTED = json.loads((DESIGNS / "bugs.json").read_text(encoding="utf-8"))
IN_EVERY_RUN = ["captured", "locals", "pairs", "taped", "classes", "counted"]
CASES = [
    pytest.param(
        design, bug, id=f"{design}-{k}-{bug['key']}", marks=() if design in IN_EVERY_RUN else pytest.mark.slow
    )
    for design, planted in PLANTED.items()
    for k, bug in enumerate(planted["bugs"])
]


def source_of(design, bug=None):
    source = (DESIGNS / f"{design}.py").read_text(encoding="utf-8")
    for old, new in bug["edits"] if bug else ():
        assert source.count(old) == 1
        source = source.replace(old, new)
    return source


def class_of(source, name="Value"):
    module = types.ModuleType("students")
    exec(source, module.__dict__)
    return vars(module)[name]


@pytest.mark.parametrize(("design", "bug"), CASES)
def test_a_planted_bug_is_named_first_and_shown(design, bug):
    verdict = check_engine(class_of(source_of(design, bug), PLANTED[design]["class"]))
    assert not verdict
    assert verdict.bugs[0] == bug["key"], f"{bug['what']}\n{verdict}"
    heading, program, shows, question = str(verdict).split("\n\n")[0].split("\n")
    assert heading.startswith(f"{bug['key']}: ") and re.match("  [a-h] = ", program) and question.endswith("?")
    assert ", but should be " in shows or " raises " in shows


@pytest.mark.parametrize("design", PLANTED)
def test_a_right_design_is_accused_of_nothing(design):
    verdict = check_engine(class_of(source_of(design), PLANTED[design]["class"]))
    assert verdict and verdict.bugs == [], verdict
    assert str(verdict).startswith("right in all ")


def test_our_own_engine_is_accused_of_nothing():
    assert check_engine(Value), check_engine(Value)


def test_every_key_is_planted_in_the_quick_tests():
    planted = {bug["key"] for design in IN_EVERY_RUN for bug in PLANTED[design]["bugs"]}
    assert planted == BUGS.keys() - {
        "upstream", "exits", "endless", "returns", "keeps", "recursion", "passes", "twice", "comma", "restarts"
    }  # fmt: skip


class Plain:
    """Addition and multiplication, right for one pass through a tree; each test below changes a little of it."""

    def __init__(self, data, pairs=()):
        self.data, self.grad, self.pairs = data, 0.0, pairs

    def __add__(self, other):
        return type(self)(self.data + other.data, [(self, 1.0), (other, 1.0)])

    def __mul__(self, other):
        return type(self)(self.data * other.data, [(self, other.data), (other, self.data)])

    def backward(self, upstream=1.0):
        self.grad += upstream
        for parent, slope in self.pairs:
            parent.backward(upstream * slope)


def test_the_text_names_the_operation_its_derivative_the_point_and_both_numbers():
    text = str(check_engine(class_of(source_of("captured").replace("(1.0 - t * t)", "(1.0 - t)"))))
    assert text.split("\n")[:3] == [
        "rule: tanh(x) is wrong on its own",
        "  f = tanh(x)   at x = 0.9",
        "  x.grad is 0.283702, but should be 0.486917",
    ]
    assert "derivative 1 − a². " in text


@pytest.mark.parametrize(("design", "number"), [("captured", 6), ("locals", 5), ("pairs", 4), ("counted", 5)])
def test_a_number_on_the_left_names_the_method_that_python_calls(design, number):
    verdict = check_engine(class_of(source_of(design, PLANTED[design]["bugs"][number]), PLANTED[design]["class"]))
    assert verdict.bugs == ["reflected"]
    method = {"captured": "__rsub__", "locals": "__rtruediv__", "pairs": "__rmul__", "counted": "__radd__"}[design]
    assert f"Python then calls the node's {method}" in str(verdict)


def test_a_node_in_between_that_keeps_the_last_gradient_alone_is_named():
    verdict = check_engine(class_of(source_of("recursive_free", PLANTED["recursive_free"]["bugs"][0]), "Num"))
    assert verdict.bugs[0] == "overwrites" and "  a = x*y; b = a + z; c = a + w; f = b + c" in str(verdict)


def test_a_forgotten_gradient_from_above_is_a_rule_of_its_own_text():
    source = source_of("captured").replace("s * (1.0 - s) * out.grad", "s * (1.0 - s)")
    text = str(check_engine(class_of(source)))
    assert text.startswith("rule: the derivative of sigmoid(x) is right on its own")
    assert "b = sigmoid(x); f = b*z" in text


def test_a_backward_pass_that_passes_nothing_on_is_one_bug():
    class Silent(Plain):
        def backward(self):
            self.grad = 1.0

    verdict = check_engine(Silent)
    assert verdict.bugs == ["order"]


def test_a_bug_of_one_operation_does_not_hide_another_kind():
    source = source_of("captured").replace("return Value(other) - self", "return self - other")
    source = source.replace("(1.0 - t * t)", "(1.0 - t)").replace(
        "self.grad += slope * out.grad", "self.grad = slope * out.grad"
    )
    assert set(check_engine(class_of(source)).bugs) == {"reflected", "rule", "overwrites"}


def test_a_bug_of_the_backward_pass_is_not_repeated_for_numbers_beside_nodes():
    source = source_of("gpt").replace("child.grad += local_grad * v.grad", "child.grad += local_grad")
    assert check_engine(class_of(source)).bugs == ["rule"]


def test_an_operation_that_is_not_offered_is_no_bug():
    class Few(Plain):
        def __add__(self, other):
            return super().__add__(other if isinstance(other, Few) else Few(other))

        def __mul__(self, other):
            return super().__mul__(other if isinstance(other, Few) else Few(other))

        __radd__, __rmul__ = __add__, __mul__

    assert check_engine(Few).bugs == ["depth"]


def changed(*edits):
    source = source_of("captured")
    for old, new in edits:
        assert old in source
        source = source.replace(old, new)
    return class_of(source)


BY_ID = [("elif node not in visited", "elif id(node) not in visited"), ("visited.add(node)", "visited.add(id(node))")]
BEFORE_REPR = "    def __repr__"
EQUAL = """    def __eq__(self, other):
        return self.data == other.data

    __hash__ = object.__hash__

"""
FLOAT = """class Value(float):
    def __new__(cls, data, *more):
        return super().__new__(cls, data)
"""
BESIDE = """    def backward(self):
        run(self)


def tanh(x):
    return x._unary(math.tanh(x.data), 1 - math.tanh(x.data) ** 2, "tanh")


def log1p(x):  # of a number
    return math.log1p(x)


def run(self):
    if True:"""
STRANGE = {
    "prints": [("def __mul__(self, other):\n", "def __mul__(self, other):\n        print('times')\n")],
    "whole numbers": [("self.grad = 0.0", "self.grad = 0"), ("self.grad += 1.0", "self.grad += 1")],
    "numpy scalars": [("import math", "import math, numpy"), ("self.data = data", "self.data = numpy.float64(data)")],
    "other names": [(".data", ".value"), (".grad", ".gradient")],
    "unhashable": [*BY_ID, (BEFORE_REPR, f"    __hash__ = None\n\n{BEFORE_REPR}")],
    "equal by number": [*BY_ID, (BEFORE_REPR, EQUAL + BEFORE_REPR)],
    "a float": [*BY_ID, ("class Value:\n", FLOAT)],
    "functions beside it": [("    def backward(self):", BESIDE)],
    "read-only data": [
        ("self.data = data", "self._data = data"),
        (BEFORE_REPR, f"    data = property(lambda self: self._data)\n\n{BEFORE_REPR}"),
    ],
    "refuses a further pass": [
        (
            "        self.grad += 1.0\n",
            "        self.grad += 1.0\n        if self.label:\n            raise RuntimeError('again')\n",
        ),
        ("            node._backward()\n", "            node._backward()\n            node.label = 'done'\n"),
    ],
    "scales by a number": [
        (BEFORE_REPR, f"    def multiply(self, c):\n        return self * float(c)\n\n{BEFORE_REPR}")
    ],
    "no gradient yet": [
        ("self.grad = 0.0\n        self.label", "self.grad = None\n        self.label"),
        (
            "self.grad += 1.0\n",
            "[setattr(node, 'grad', node.grad or 0.0) for node in topo]\n        self.grad += 1.0\n",
        ),
    ],
}


@pytest.mark.parametrize("edits", STRANGE.values(), ids=STRANGE)
def test_a_right_engine_of_an_unusual_kind_is_accused_of_nothing(edits, capsys):
    assert not check_engine(changed(*edits)).bugs
    assert capsys.readouterr().out == ""


def test_functions_in_place_of_operators_are_found():
    source = """
class Node:
    def __init__(self, val, edges=()):
        self.val, self.adj, self.edges = val, 0.0, edges
def add(x, y):
    return Node(x.val + y.val, [(x, 1.0), (y, 1.0)])
def multiply(x, y):
    return Node(x.val * y.val, [(x, y.val), (y, y.val)])
def backprop(root):
    order, stack = {}, [(root, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order[id(node)] = node
        elif id(node) not in order:
            stack += [(node, True), *((parent, False) for parent, _ in node.edges)]
            node.adj = 0.0
    root.adj = 1.0
    for node in reversed(order.values()):
        for parent, slope in node.edges:
            parent.adj += slope * node.adj
"""
    assert check_engine(class_of(source, "Node")).bugs == ["rule"]
    assert not check_engine(class_of(source.replace("(y, y.val)", "(y, x.val)"), "Node")).bugs


def test_a_function_that_makes_no_node_is_refused_with_the_reason():
    with pytest.raises(ValueError, match="give a function that makes a node from one number"):
        check_engine(lambda x, y: x)
    with pytest.raises(ValueError, match="has no backward under a usual name"):
        check_engine(lambda x: Plainest(x))


class Plainest:
    def __init__(self, data):
        self.data, self.grad = data, 0.0


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda self, data: None, "not written yet: __init__"),
        (lambda self, data: vars(self).update(data=data), "the node has no grad under a usual name"),
        (lambda self, data: vars(self).update(value=0.0, grad=0.0), "the node's data is 0.0, but should be 2"),
        (lambda self, data: vars(self).update(data=data, grad=1.0), "the node's grad is 1, but should be 0"),
        (lambda self, data: 1 / 0, "it raises ZeroDivisionError: division by zero"),
        (lambda self: vars(self).update(data=0.0, grad=0.0), "it raises TypeError"),
        (lambda self, data: vars(self).update(data=data, grad=0.0), "not written yet: __add__, __mul__, backward"),
    ],
)
def test_a_constructor_alone_is_judged_without_a_traceback(make, words):
    verdict = check_engine(type("Value", (), {"__init__": make}))
    assert words in str(verdict) and not verdict


def test_a_backward_pass_under_another_name_can_be_given():
    cls = class_of(source_of("captured").replace("def backward", "def go_back"))
    assert check_engine(cls, backward=lambda root: root.go_back())


ENDLESS = source_of("captured").replace("        for node in reversed(topo):", "        while topo:")
EXITS = source_of("captured").replace(
    "        for node in reversed(topo):", "        raise SystemExit(3)\n        for node in topo:"
)


def written(folder, source, name="my_engine.py"):
    path = folder / name
    path.write_text(source, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["my_engine.py", "nn.py", "autograd.py", "random.py"])
def test_a_file_may_have_any_name_several_classes_and_a_neighbour(tmp_path, name, capsys):
    written(tmp_path, "from math import tanh as flat\n", "neighbour_of_mine.py")
    neuron = "class Neuron:\n    def __init__(self, n):\n        pass\n\n\n"
    path = written(tmp_path, f"import neighbour_of_mine, random\n{neuron}{source_of('captured')}", name)
    before = sys.path[:]
    nn.__main__.main(["check", str(path)])
    assert capsys.readouterr().out.startswith("right in all ") and sys.path == before


def test_an_endless_loop_is_a_verdict(tmp_path):
    verdict = check_engine(written(tmp_path, ENDLESS), timeout=0.5)
    assert verdict.bugs == ["endless"] and str(verdict).endswith("It ran for 0.5 seconds.")


def test_the_end_of_the_program_is_a_verdict(tmp_path):
    assert check_engine(class_of(EXITS)).bugs[0] == "exits"
    assert check_engine(written(tmp_path, EXITS), timeout=60.0).bugs[0] == "exits"


def test_a_process_of_its_own_gives_the_same_verdict(tmp_path):
    path = written(tmp_path, source_of("captured", PLANTED["captured"]["bugs"][0]))
    assert str(check_engine(path, timeout=60.0)) == str(check_engine(path))
    assert check_engine(Value, timeout=60.0)


def test_a_bug_is_exit_status_1_and_the_text_on_stdout(tmp_path, capsys):
    path = written(tmp_path, source_of("pairs", PLANTED["pairs"]["bugs"][5]))
    with pytest.raises(SystemExit) as left:
        nn.__main__.main(["check", str(path), "--timeout", "60"])
    assert left.value.code == 1
    assert capsys.readouterr().out.startswith("rule: x/y is wrong on its own\n  f = x/y   at ")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def f(:", "cannot be loaded: SyntaxError"),
        ("x = 1", "give a function that makes a node from one number"),
        ("import no_such_module_of_mine", "cannot be loaded: ModuleNotFoundError"),
    ],
)
@pytest.mark.parametrize("more", [[], ["--timeout", "60"]])
def test_a_file_without_an_engine_is_one_line_and_status_2(tmp_path, refused, source, words, more):
    assert words in refused(nn.__main__.main, "check", written(tmp_path, source), *more)
    assert "cannot be loaded" in refused(nn.__main__.main, "check", tmp_path / "none.py", *more)


def test_an_endless_loop_in_a_class_of_ones_own_is_named_with_its_line(tmp_path, monkeypatch):
    monkeypatch.setattr(engine_checks, "PATIENCE", 0.3)
    path = written(tmp_path, ENDLESS)
    assert "still running, in backward at the line: " in str(check_engine(path))
    catches = """while topo:
            try:
                pass
            except BaseException:
                pass
            continue"""
    stubborn = ENDLESS.replace("while topo:", catches)
    assert check_engine(class_of(stubborn)).bugs == ["endless"]


@pytest.mark.slow
def test_an_assertion_in_pytest_shows_the_text(tmp_path):
    lines = "from autograd import check_engine", "verdict = check_engine(Value)", "assert verdict, verdict"
    test = "\n    ".join(["\ndef test_it():", *lines])
    path = written(tmp_path, source_of("captured", PLANTED["captured"]["bugs"][6]) + test, "test_mine.py")
    done = python("-m", "pytest", "-q", "-p", "no:cacheprovider", path, cwd=tmp_path)
    assert done.returncode == 1
    assert "reflected: 2 - x is wrong" in done.stdout and "f.data is -1.4, but should be 1.4" in done.stdout


def test_a_class_of_the_main_module_is_graded_in_a_process_of_its_own(tmp_path):
    lines = "\n\nfrom autograd import check_engine\nprint(check_engine(Value, timeout=60.0))\n"
    done = python(written(tmp_path, source_of("captured") + lines))
    assert (done.stdout[:13], done.stderr) == ("right in all ", "")
