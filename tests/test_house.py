"""Tests of the structure: which module may import which, names, and missing or foreign packages."""

import ast
import importlib
import inspect
import os
import random
import re
import shutil
from collections import Counter

import numpy as np
import pytest
from conftest import ROOT, printed, python

import nn
from autograd import Value
from autograd.colours import custom_properties
from autograd.table import TABLE
from nn import MLP, SGD, Training, binary_cross_entropy
from nn.data import moons

FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in ("autograd", "nn")
    for path in sorted((ROOT / package).rglob("*.py"))
}
on_every_module = pytest.mark.parametrize("module", FILES)

# named from inside autograd; a number system counts as plain unless it is made of Values
PLAIN_SYSTEMS = {m.removeprefix("autograd.") for m in FILES if "number_systems." in m} - {"number_systems.values"}
CALCULUS = {"primitives", "table", "operands", "graph", "errors", "text", "node", *PLAIN_SYSTEMS}
SHARED_BY_READERS = {"contributions", "staleness", "kinks", "source_lines", "notation", "mathml", "neurons", "pages"}
FOR_ALL = {"colours", "finite_differences", "files", "instrument", "modes"}
READER = CALCULUS | {"value", "functions", "number_systems.values", *FOR_ALL, *SHARED_BY_READERS}
MAY_IMPORT = {
    **{module: set() for module in ("text", "node", *FOR_ALL)},
    "graph": {"node"},
    **{module: {"text"} for module in PLAIN_SYSTEMS},
    "number_systems.expressions": {"graph"},
    "number_systems.javascript": {"number_systems.expressions"},
    "number_systems.javascript_loops": {"number_systems.expressions", "number_systems.javascript"},
    "operands": {"node", "number_systems.floats"},
    "errors": {"node", "operands", "text"},
    "table": {"errors", "node", "number_systems.floats", "operands", "text"},
    "primitives": {"table"},
    "value": CALCULUS | {"modes"},
    "number_systems.values": {"value", "node", "table", "primitives", "number_systems.floats"},
    "functions": {"value", "table", "primitives", "operands", "text"},
    **dict.fromkeys(SHARED_BY_READERS, CALCULUS | {"value", "functions", *FOR_ALL}),
    "mathml": {"colours", "notation", "text"},
}
STAND_ON = {  # the readers that stand on another
    "walking": {f"drawing.{part}" for part in ("animation", "boxes", "display_graph", "figure", "layered", "svg")},
    "explanation.illustrated": {"drawing"},
    "replay.program": {"adopting.readings", "compiled.planning"},
    "compiled.planning": {f"replay.{part}" for part in ("buffers", "flat_graph", "matmuls", "schedule", "sums")},
    "engine_checks": {"adopting.foreign"},
}
KNOW_NO_VALUE = {"nn.validation", "nn.init", "nn.data", "nn.preprocessing", "nn.backprop"}
KNOW_NO_VALUE |= {"autograd.number_systems.floats"}

# they put together what the others offer
FRONTS = {"autograd", "autograd.__main__", "nn", "nn.__main__"}

# the wings of nn: modules of layers and losses, and the folders; whatever is not named here belongs to training
LAYERS = {
    "activations", "backprop", "batch_norm", "data", "diagram", "dropout", "init", "interchange", "layers", "losses",
    "matrices", "matrix_writing", "module", "optim", "penalties", "preprocessing", "validation",
}  # fmt: skip
MAY_STAND_ON = {
    "layers": {"layers"},
    "training": {"layers", "training"},
    "cli": {"layers", "training", "cli"},
    "lecture": {"layers", "training", "lecture"},
    "laboratory": {"layers", "training", "laboratory"},
}


def wing(module):
    """Which of ``MAY_STAND_ON`` a module of nn belongs to."""
    room = module.split(".")[1]
    return "layers" if room in LAYERS else room if room in MAY_STAND_ON else "training"


def at_run_time(node):
    """Every node below, but for what stands under ``if TYPE_CHECKING``."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            child = ast.Module(child.orelse, [])
        yield child
        yield from at_run_time(child)


def imports(source, module, is_package=False, nodes=at_run_time):
    """The modules of ours that the source imports anywhere; a package's front for a name that it exports."""
    found = set()
    for node in nodes(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = module.split(".")[: len(module.split(".")) - node.level + is_package] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            found |= {f"{base}.{a.name}" if f"{base}.{a.name}" in FILES else base for a in node.names}
    return {name for name in found if name.split(".")[0] in ("autograd", "nn")}


def is_allowed(module, target):
    if module in FRONTS:
        return not (module.startswith("autograd") and target.startswith("nn"))
    if module.startswith("nn."):
        if module in KNOW_NO_VALUE:
            return target in KNOW_NO_VALUE - {module}
        return not target.startswith("nn.") or wing(target) in MAY_STAND_ON[wing(module)]
    module, target = module.removeprefix("autograd."), target.removeprefix("autograd.")
    if module in MAY_IMPORT:
        return target in MAY_IMPORT[module]
    # whatever is not named above is a reader; one that is a folder imports within itself
    if target in STAND_ON.get(module, ()):
        return True
    own_folder = (ROOT / "autograd" / module.split(".")[0]).is_dir()
    return target in READER or (own_folder and target.split(".")[0] == module.split(".")[0])


# with those for annotations
IMPORTED = {
    module: imports(path.read_text(encoding="utf-8"), module, path.name == "__init__.py", nodes=ast.walk)
    for module, path in FILES.items()
}


@on_every_module
def test_imports_go_one_way(module):
    path = FILES[module]
    found = imports(path.read_text(encoding="utf-8"), module, path.name == "__init__.py")
    if module == "nn.backprop":  # the oracle: it shares nothing with what it judges
        assert not found
    assert not {target for target in found if not is_allowed(module, target)}


def test_imports_are_seen_in_functions_and_relative_ones_but_not_under_type_checking():
    source = """
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from autograd.checking import gradcheck
else:
    from autograd import Value
def late():
    import nn.data, os
    from . import graph
    from .number_systems import floats
"""
    expected = {"autograd", "nn.data", "autograd.graph", "autograd.number_systems.floats"}
    assert imports(source, "autograd.value") == expected
    assert imports("from .value import Value", "autograd", is_package=True) == {"autograd.value"}


@pytest.mark.parametrize(
    ("module", "target"),
    [
        ("autograd.graph", "autograd.value"),
        ("autograd.value", "autograd.number_systems.values"),
        ("autograd.checking", "autograd.higher_order"),
        ("autograd.drawing.display_graph", "autograd.explanation.formula_writer"),
        ("autograd.notation", "autograd.explanation.formula_writer"),
        ("autograd.higher_order", "autograd"),
        ("autograd.__main__", "nn.data"),
        ("nn.data", "autograd.value"),
        ("nn.preprocessing", "nn.layers"),
        ("nn.losses", "nn.training"),
        ("nn.batch_norm", "nn.plots"),
        ("nn.training", "nn.cli.runs"),
        ("nn.replaying", "nn.lecture.claims"),
        ("nn.cli.runs", "nn.lecture.claims"),
        ("nn.lecture.claims.trials", "nn.cli.csv_tables"),
    ],
)
def test_what_the_house_forbids_is_seen(module, target):
    assert not is_allowed(module, target)


def below(graph, module):
    """The modules that the module imports, directly or through others."""
    stack, found = [module], set()
    while stack:
        new = graph.get(stack.pop(), set()) - found
        found |= new
        stack += new
    return found


def circles(graph):
    """The sets of modules that import each other, directly or through others."""
    reached = {module: below(graph, module) for module in graph}
    mutual = {frozenset(m for m in found if module in reached.get(m, ())) for module, found in reached.items()}
    return mutual - {frozenset()}


def test_a_circle_is_seen():
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set(), "e": {"a", "e"}}
    assert circles(graph) == {frozenset("bc"), frozenset("e")}


def test_no_modules_import_each_other_but_training_and_replaying():
    assert circles(IMPORTED) == {frozenset({"nn.training", "nn.replaying"})}


@pytest.mark.parametrize("module", [module for module in FILES if module.split(".")[0] == "autograd"])
def test_the_engine_names_no_module_of_nn(module):
    assert not re.search(r"\bnn\b", FILES[module].read_text(encoding="utf-8"))


def exchanged(source):
    """The classes and modules whose attributes the source sets; a module may complete its own classes as it loads."""
    tree = ast.parse(source)
    imported = {
        alias.asname or alias.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
        if (getattr(node, "module", None) or alias.name).split(".")[0] in ("autograd", "nn")
    }
    classes = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)} | {"cls", "type(self)"}
    in_functions = {node for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for node in ast.walk(f)}
    for node in ast.walk(tree):
        home = ""
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, (ast.Store, ast.Del)):
            home = ast.unparse(node.value)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("setattr", "delattr"):
            home = ast.unparse(node.args[0])
        elif isinstance(node, ast.Name) and node.id == "setattr" and node in in_functions:
            yield node.id  # of what a variable holds
        if home.split(".")[0] in imported or (home in classes and node in in_functions):
            yield home


# nodes of another engine, not ours
SETS_FOREIGN_NODES = {"autograd.replay.program", "autograd.engine_checks"}


@on_every_module
def test_nothing_of_the_engine_is_exchanged_at_run_time_but_by_instrument(module):
    found = set(exchanged(FILES[module].read_text(encoding="utf-8")))
    found -= {"setattr"} if module in SETS_FOREIGN_NODES else set()
    assert bool(found) == (module == "autograd.instrument")


@pytest.mark.parametrize(
    ("source", "home"),
    [
        ("from autograd import value\nvalue._new = None", "value"),
        ("from autograd import Value\nsetattr(Value, 'tanh', None)", "Value"),
        ("def f():\n    from autograd.value import Value\n    del Value.tanh", "Value"),
        ("import nn.optim\nnn.optim.SGD.update = None", "nn.optim.SGD"),
        ("class A: pass\ndef f(): A.b = 1", "A"),
        ("class A:\n    def f(self): type(self).b = 1", "type(self)"),
        ("def f(home, name): setattr(home, name, 1)", "setattr"),
    ],
)
def test_an_exchange_is_seen(source, home):
    assert list(exchanged(source)) == [home]
    assert not list(exchanged("class A: pass\nsetattr(A, 'b', 1)\na = A()\na.b = 1"))


def backward_sums(source):
    """Loops over something reversed that add up by key, as a backward sweep does."""
    for loop in ast.walk(ast.parse(source)):
        if isinstance(loop, ast.For) and ast.unparse(loop.iter).startswith("reversed("):
            for node in ast.walk(loop):
                adds = isinstance(node, ast.AugAssign) or (
                    isinstance(node, ast.Assign) and isinstance(node.value, ast.BinOp)
                )
                target = node.target if isinstance(node, ast.AugAssign) else node.targets[0] if adds else None
                if isinstance(target, ast.Subscript):
                    yield ast.unparse(node)


@on_every_module
def test_every_backward_sweep_is_that_of_the_graph(module):
    found = list(backward_sums(FILES[module].read_text(encoding="utf-8")))
    assert found == (["total[parent] += product"] if module == "autograd.graph" else [])


def test_a_backward_sweep_is_seen():
    loop = "for edge in reversed(edges):\n    "
    assert list(backward_sums(loop + "up[edge.tail] = up.get(edge.tail, 0.0) + edge.carries(up[edge.head])"))
    assert list(backward_sums(loop + "if edge:\n        up[edge.tail] += 1.0"))
    assert not list(backward_sums(loop + "first[edge.tail] = edge.head"))


@on_every_module
def test_no_operation_is_recognised_by_its_name(module):
    comparisons = [
        ast.unparse(node)
        for node in ast.walk(ast.parse(FILES[module].read_text(encoding="utf-8")))
        if isinstance(node, ast.Compare) and re.search(r"\b(operation|primitive)\.name$", ast.unparse(node.left))
    ]
    assert not comparisons  # compare with the entry, or ask it for a property


def test_every_wing_names_modules_that_exist():
    assert {f"nn.{module}" for module in LAYERS} <= FILES.keys()
    assert {wing(module) for module in FILES if module.count(".") and module.startswith("nn.")} == set(MAY_STAND_ON)


def test_no_two_modules_have_one_name():
    names = [module.rpartition(".")[2] for module in FILES if not module.endswith("__main__")]
    assert not [name for name, count in Counter(names).items() if count > 1]


def test_no_two_public_classes_have_one_name():
    names = [
        node.name
        for module, path in FILES.items()
        if module != "nn.lecture.own_engine"  # its Value is the students' own, which takes the place of ours
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]
    assert not [name for name, count in Counter(names).items() if count > 1]


def test_no_module_has_the_name_of_a_public_function():
    # in a fresh interpreter, where no import has put a module into the function's place yet
    code = """
import autograd, inspect
from autograd import functions
print(*{n for home in (autograd, functions) for n in dir(home) if not inspect.ismodule(getattr(home, n))})
"""
    public = {"autograd": set(printed(code).split()), "nn": set(nn.__all__)}
    assert {"Value", "gradcheck", "named", "tanh"} <= public["autograd"]
    clashes = {m for m in FILES if m.count(".") == 1 and m.split(".")[1] in public[m.split(".")[0]]}
    assert not {m for m in clashes if not m.endswith("__")}


def test_the_first_rule_stands_on_the_first_screen():
    lines = FILES["autograd.primitives"].read_text(encoding="utf-8").splitlines()
    assert next(i for i, line in enumerate(lines, 1) if line.startswith("@primitive")) < 40


def test_the_ground_floor_is_at_most_340_lines():
    floor = [FILES[f"autograd.{name}"].read_text(encoding="utf-8") for name in ("node", "value", "graph")]
    methods = sum(source.count(" = method(primitives.") for source in floor)  # a new operation may add one
    assert methods >= 30
    assert sum(len(source.splitlines()) for source in floor) - methods <= 310


def test_backward_is_at_most_15_lines():
    assert len(inspect.getsource(Value.backward).splitlines()) <= 15


def test_the_engine_needs_the_standard_library_alone(tmp_path):
    code = """
import sys
blocked = "graphviz matplotlib numpy pandas pygraphviz safetensors sklearn sympy tqdm".split()
sys.modules.update(dict.fromkeys(blocked))  # None there: the import raises ImportError
from autograd import Value, grad, gradcheck, log, named, product
x, y = Value(2.0), Value(3.0)
f = named(f=log(product(x, y, x)))
f.backward()
assert gradcheck(lambda x, y: log(product(x, y, x)), [2.0, 3.0])
assert not any(sys.modules[name] for name in blocked)
print(x.grad, grad(grad(f, [x])[0], [x])[0].data)
"""
    # log x²y: the derivatives are 2/x and −2/x²
    assert printed(code, cwd=tmp_path).split() == ["1.0", "-0.5"]


COMMANDS = [("-c", "import autograd"), ("-c", "import nn"), ("-m", "autograd"), ("-m", "nn", "moons")]
# where HIPS has overwritten our front, only what it does not have can notice
SURVIVORS = [c for c in COMMANDS if "nn" in c[1] or (c[0] == "-m" and "autograd.__main__" in FILES)]


@pytest.mark.parametrize(
    ("overwritten", "command"), [*((False, c) for c in COMMANDS), *((True, c) for c in SURVIVORS)]
)
def test_hips_autograd_in_the_same_folder_is_noticed_and_the_mending_said(tmp_path, overwritten, command):
    for package in ("autograd", "nn"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "autograd/tracer.py").touch()
    if overwritten:
        (tmp_path / "autograd/__init__.py").write_text("")
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    done = python(*command, cwd=tmp_path, PYTHONPATH=path, PYTHONDONTWRITEBYTECODE="1")
    assert done.returncode != 0
    assert "autograd (HIPS) and chainrule are installed over each other" in done.stderr
    assert "pip uninstall --yes autograd chainrule" in done.stderr.splitlines()[-1]


def undocumented(module):
    """The public functions, classes and methods made in the module that no docstring explains."""
    # Value.tanh and floats.tanh are the table's tanh, which says what it is; floats explains what else there is
    of_table = module == "autograd.value" or ".number_systems." in module
    said_in_the_table = {*TABLE, "divide", "shares", "times"} if of_table else set()
    home = importlib.import_module(module)
    if not home.__doc__:
        yield module
    for name, thing in vars(home).items():
        if name.startswith("_") or getattr(thing, "__module__", None) != module:
            continue
        own = [(name, thing)]
        if inspect.isclass(thing):
            own += [(n, getattr(thing, n)) for n in vars(thing) if inspect.isroutine(getattr(thing, n, None))]
            own += [(n, x) for n, x in vars(thing).items() if isinstance(x, property)]
        for n, x in own:
            if inspect.isclass(x) or inspect.isroutine(x) or isinstance(x, property):
                text = inspect.getdoc(x) or ""
                by_the_machine = text.startswith(f"{n}(")  # what NamedTuple and dataclass write
                if not n.startswith("_") and n not in said_in_the_table and (not text or by_the_machine):
                    yield f"{name}.{n}" if x is not thing else name


@on_every_module
def test_everything_public_says_what_it_is(module):
    assert not list(undocumented(module))


FORBIDDEN = {"eval", "exec", "pickle", "marshal", "shelve", "setrecursionlimit"}


def forbidden(source):
    """Words of the source that run text, unpickle files or change the interpreter for everyone."""
    tree = ast.parse(source)
    pausing = [
        node
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef) and function.name == "collector_paused"
        for node in ast.walk(function)
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in FORBIDDEN:
            yield node.id
        elif isinstance(node, ast.Attribute) and node.attr == "setrecursionlimit":
            yield node.attr
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            words = {getattr(node, "module", None), *(alias.name for alias in node.names)}
            yield from words & (FORBIDDEN | {"disable"})
        elif isinstance(node, ast.Attribute) and ast.unparse(node) == "gc.disable" and node not in pausing:
            yield "gc.disable"


@on_every_module
def test_nothing_is_evaluated_unpickled_or_switched_off_for_everyone(module):
    assert not list(forbidden(FILES[module].read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("f = eval", "eval"),
        ("exec('x = 1')", "exec"),
        ("import pickle", "pickle"),
        ("from pickle import loads", "pickle"),
        ("import sys\nsys.setrecursionlimit(9)", "setrecursionlimit"),
        ("from gc import disable", "disable"),
        ("import gc\ndef f(): gc.disable()", "gc.disable"),
    ],
)
def test_the_forbidden_is_seen(source, word):
    assert list(forbidden(source)) == [word]
    assert not list(forbidden("def collector_paused(): gc.disable()\nmodel.eval()"))


def test_every_colour_stands_in_the_one_table():
    hexadecimal = re.compile(r"#[0-9a-fA-F]{6}\b|#[0-9a-fA-F]{3}\b")
    stray = {
        str(path.relative_to(ROOT)): found
        for package in ("autograd", "nn")
        for path in (ROOT / package).rglob("*.*")
        if path.suffix in (".py", ".css", ".js", ".html")
        and path.name != "colours.py"
        and (found := hexadecimal.findall(path.read_text(encoding="utf-8")))
    }
    assert not stray


def test_every_custom_property_of_a_page_is_set():
    sheets = [ROOT / "autograd/pages/page.css", *(ROOT / "autograd/walking").glob("*.css")]
    css = "".join(path.read_text(encoding="utf-8") for path in sheets)
    set_in_css = set(re.findall(r"--[\w-]+(?=:)", css + custom_properties()))
    set_by_the_page = {"--turn", "--at", "--size"}
    assert set(re.findall(r"var\((--[\w-]+)", css)) <= set_in_css | set_by_the_page


def test_every_promise_has_a_rung_and_is_kept_by_a_test_that_exists():
    page = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| promise")]
    assert len(rows) > 90
    rungs = Counter()
    for row in rows:
        _, promise, rung, keepers, _ = re.split(r"(?<!\\)\|", row)
        named = re.findall(r"`(test_\w+\.py)::(\w+)`", keepers)
        assert promise.strip() and named, row
        for file, test in named:
            source = (ROOT / "tests" / file).read_text(encoding="utf-8")
            assert re.search(rf"^(def {test}\(|{test} = )", source, re.MULTILINE), f"{file}::{test}"
        rungs[rung.strip()] += 1
        assert "trusted" not in rung or not keepers.strip().startswith("`"), f"on whom? {row}"
    explained = re.findall(r"^### (.+)$", page.partition("## Gradients")[0], re.MULTILINE)
    assert {f"[{name.lower()}](#{name.lower().replace(' ', '-')})" for name in explained} == set(rungs)
    assert min(rungs.values()) > 5


def test_no_global_generator_is_read_or_moved():
    def all_that_is_random():
        data = moons(20)
        model = MLP(2, [3, 1], dropout=0.5)
        list(Training(model, binary_cross_entropy, SGD(model.parameters(), 0.1), data, epochs=1, progress=False))
        return model.state_dict()

    random.seed(0)
    np.random.seed(0)
    before = random.getstate(), np.random.get_state()[1].tolist()
    first = all_that_is_random()
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before
    random.seed(0)
    np.random.seed(0)
    assert all_that_is_random() != first  # a seed of the global ones decides nothing
