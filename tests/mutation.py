"""Tests the tests: changes the engine in one small place at a time, and expects a test to fail.

    python tests/mutation.py                        every module of SUITES, all changes
    python tests/mutation.py autograd.value --most 100
    python tests/mutation.py --list                 the number of changes

Each change is tried in a forked process, where the changed code replaces the module's. It is judged by the module's
doctests and by the tests named for it in SUITES: first the tests with the name of the changed function, then those
that have detected most changes, then the fastest. A change that no test detects is printed as a survivor. It needs a
test that detects it or, if both versions compute the same, two lines in ``mutation-survivors.txt``: the change and
the reason. The exit status is 1 while a survivor is unexplained.

Existing tools are unsuitable: mutmut skips decorated functions, and every rule of the table is one; cosmic-ray starts
an interpreter for each change, and the table alone has two hundred.
"""

from __future__ import annotations

import argparse
import ast
import copy
import gc
import importlib
import importlib.util
import json
import os
import random
import re
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from inspect import CO_OPTIMIZED
from itertools import islice
from pathlib import Path
from types import CodeType, FunctionType
from typing import IO, Any

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy comes: a forked process has no other threads

import mpmath  # noqa: F401  (loaded once here, so that no child pays for it)
import numpy  # noqa: F401
import pytest
import sympy  # noqa: F401
from hypothesis import Phase, settings
from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent
EXPLAINED = Path(__file__).with_name("mutation-survivors.txt")
CALCULUS = [
    "test_primitives.py", "test_special_values.py", "test_engine.py", "test_references.py", "test_higher.py",
    "test_state_machine.py", "test_scale.py::test_a_leaf_is_copied_with_its_name_and_its_gradient",
    "test_scale.py::test_a_computed_value_refuses_to_be_copied_and_says_what_to_copy",
]  # fmt: skip
REPLAY = ["test_replay.py", "test_replay_errors.py", "test_engines.py"]
LAYERS = ["test_network.py", "test_backprop.py", "test_references.py", "test_dropout_and_batchnorm.py"]
NUMBERS = CALCULUS[:3]
SUITES = {
    "autograd.primitives": NUMBERS,
    "autograd.table": [*CALCULUS, "test_users_edges.py"],
    "autograd.node": CALCULUS,
    "autograd.operands": [*CALCULUS, "test_users_edges.py", "test_any_call.py"],
    "autograd.value": CALCULUS,
    "autograd.graph": CALCULUS,
    "autograd.number_systems.floats": NUMBERS,
    "autograd.number_systems.arrays": NUMBERS,
    **{
        f"autograd.replay.{path.stem}": REPLAY
        for path in sorted((ROOT / "autograd" / "replay").glob("*.py"))
        if path.stem not in ("__init__", "summary")
    },
    "nn.layers": LAYERS,
    "nn.batch_norm": LAYERS,
    "nn.dropout": LAYERS,
    "nn.penalties": ["test_training.py"],
}
SECONDS, BYTES = 20, 4 * 2**30  # a change that makes a test run for ever, or fill the memory, is noticed as well
LONG = 2.0  # a test of more seconds judges only the function whose name it bears: it has quicker sisters
# these start an interpreter of their own, which would not see the change, or take seconds where quicker ones judge
ELSEWHERE = (
    "import_loads_twelve", "bad_options_get_one_line", "one_line_and_status_2", "a_run_writes_picture",
    "the_command_line_says_which_engine", "test_second_derivatives", "a_million_nodes", "240_bytes", "of_a_millionth",
)  # fmt: skip
SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip


# that a test is red is all that is asked: no smaller example of it
settings.register_profile("mutation", phases=[Phase.explicit, Phase.generate], database=None)
settings.load_profile("mutation")


def places(tree: ast.Module) -> list[int]:
    """Where the tree can be changed; what a message says and what a type says stay."""
    return [i for i, node in enumerate(_computing(tree)) if _can_change(node)]


def changed(tree: ast.Module, place: int) -> ast.Module:
    """A copy of the tree with one small change."""
    tree = copy.deepcopy(tree)
    _change(next(islice(_computing(tree), place, None)))
    return tree


def _computing(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that compute, in a fixed order: no annotations, no strings, nothing that is raised."""
    for field, child in ast.iter_fields(node):
        if field in ("returns", "annotation"):
            continue
        for part in child if isinstance(child, list) else [child]:
            if not isinstance(part, ast.AST) or isinstance(
                part, (ast.Raise, ast.JoinedStr, ast.Import, ast.ImportFrom)
            ):
                continue
            if isinstance(part, ast.If) and ast.unparse(part.test).endswith("TYPE_CHECKING"):
                continue
            yield part
            yield from _computing(part)


def _can_change(node: ast.AST) -> bool:
    match node:
        case ast.BinOp(op=op) | ast.AugAssign(op=op):
            return type(op) in SWAPS
        case ast.Constant(value=bool() | int() | float()) | ast.UnaryOp(op=ast.USub() | ast.Not()):
            return True
        case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
            return not isinstance(test, (ast.Compare, ast.BoolOp, ast.UnaryOp))  # which are changed themselves
        case ast.BoolOp() | ast.Compare() | ast.Expr(value=ast.Call()):
            return True
    return False


def _change(node: Any) -> None:
    match node:
        case ast.BinOp() | ast.AugAssign() | ast.BoolOp():
            node.op = SWAPS[type(node.op)]()
        case ast.Compare():
            node.ops[0] = SWAPS[type(node.ops[0])]()
        case ast.Constant(value=bool()):
            node.value = not node.value
        case ast.Constant():
            node.value += 1
        case ast.UnaryOp(op=ast.USub()):
            node.op = ast.UAdd()
        case ast.UnaryOp():
            node.operand = ast.UnaryOp(ast.Not(), node.operand)
        case ast.If() | ast.IfExp() | ast.While():
            node.test = ast.UnaryOp(ast.Not(), node.test)
        case ast.Expr():
            node.value = ast.Constant(None)


class Changed:
    """An importer that gives one module from a changed tree."""

    def __init__(self, module: str, tree: ast.Module) -> None:
        self.module, self.code = module, code_of(module, tree)

    def find_spec(self, name: str, path: object = None, target: object = None) -> object:
        if name != self.module:
            return None
        return importlib.util.spec_from_file_location(name, path_of(name), loader=self)

    def create_module(self, spec: object) -> None:
        return None

    def exec_module(self, module: object) -> None:
        exec(self.code, vars(module))


def path_of(module: str) -> Path:
    return ROOT.joinpath(*module.split(".")).with_suffix(".py")


def code_of(module: str, tree: ast.Module) -> CodeType:
    return compile(ast.fix_missing_locations(tree), str(path_of(module)), "exec")


def differing(old: CodeType, new: CodeType) -> list[tuple[CodeType, CodeType]]:
    """The code of each function that is not the same in both; of the module or a class, what it does itself."""
    inner, changed_inner = ([c for c in code.co_consts if isinstance(c, CodeType)] for code in (old, new))
    if len(inner) != len(changed_inner):
        return [(old, new)]
    found = [pair for codes in zip(inner, changed_inner) for pair in differing(*codes)]
    plain, changed_plain = (repr([c for c in code.co_consts if not isinstance(c, CodeType)]) for code in (old, new))
    itself = plain != changed_plain or old.co_code != new.co_code
    return found + [(old, new)] * (itself or bool(found and old.co_flags & CO_OPTIMIZED))


class Judge:
    """A plugin of pytest: once the tests are collected, each change is tried in a process forked from here.

    The functions that a change changes are given its code, which takes no import and no collecting. Where that would
    not do, since the change is outside functions or in one that an import runs, ``None`` is told for True or False.
    """

    def __init__(self, code: CodeType, ran: set[CodeType], changes: list[Any], seconds: dict[str, float], tell: Any):
        self.code, self.ran, self.changes, self.seconds, self.tell = code, ran, changes, seconds, tell
        self.kills: Counter[str] = Counter()
        self.took: dict[str, float] = {}
        self.killer: str | None = None

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.functions: dict[CodeType, list[FunctionType]] = {}
        for thing in gc.get_objects():
            if isinstance(thing, FunctionType) and thing.__code__.co_filename == self.code.co_filename:
                self.functions.setdefault(thing.__code__, []).append(thing)
        for change in self.changes if not session.testsfailed else ():  # by the collecting
            near, codes = change or ("", [])
            if any(old in self.ran or not old.co_flags & CO_OPTIMIZED for old, _ in codes):
                print(json.dumps(None), file=self.tell, flush=True)
                continue
            status, (took, killer) = in_a_fork(partial(self.run, near, codes, list(session.items)))
            self.kills[killer] += 1
            print(json.dumps([status != 0, took]), file=self.tell, flush=True)
        return True

    def run(self, near: str, codes: list[tuple[CodeType, CodeType]], items: list[pytest.Item], tell: IO[str]) -> int:
        for old, new in codes:
            for function in self.functions.get(old, []):
                function.__code__ = new
        if self.seconds:
            items = [x for x in items if is_near(x, near) or self.seconds.get(x.nodeid, 0.0) < LONG]
        items.sort(key=lambda x: (not is_near(x, near), -self.kills[x.nodeid], self.seconds.get(x.nodeid, 0.0)))
        for item, following in zip(items, [*items[1:], None]):
            signal.alarm(round(SECONDS + 5 * self.seconds.get(item.nodeid, 5 * SECONDS)))  # ends the process
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self.killer is not None:
                break
        json.dump([self.took, self.killer], tell)
        return int(self.killer is not None)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.took[report.nodeid] = self.took.get(report.nodeid, 0.0) + report.duration
        if report.failed:
            self.killer = report.nodeid


def is_near(item: pytest.Item, name: str) -> bool:
    """Whether the test bears the name of the function that was changed."""
    return name in re.split(r"\W", item.nodeid)


def in_a_fork(run: Callable[[IO[str]], int]) -> tuple[int, Any]:
    """The exit status of a forked process that runs ``run``, and what it told."""
    with tempfile.TemporaryFile("w+") as told:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                status = run(told)
                told.flush()
            finally:
                os._exit(status)
        status = os.waitpid(child, 0)[1]
        told.seek(0)
        return status, json.loads(told.read() or "[{}, null]")


def verdicts(module: str, tree: ast.Module, changes: list[Any], seconds: dict[str, float]) -> Iterator[Any]:
    """For each change [whether a test turns red, or never ends; what tests took], or None: see Judge.

    The tests import the module from ``tree``; where that or collecting them fails, nothing is given.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            nothing = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(nothing, stream)
            resource.setrlimit(resource.RLIMIT_DATA, (BYTES, BYTES))
            importer, ran = Changed(module, tree), set()
            sys.meta_path.insert(0, importer)
            sys.setprofile(lambda frame, event, argument: ran.add(frame.f_code))
            importlib.import_module(module)
            sys.setprofile(None)
            for change in changes:
                if change:
                    change[1] = differing(importer.code, change[1])
            options = ["--tb=no", "-p", "no:cacheprovider", "-p", "no:xdist"]
            options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
            options += ["-k", " and ".join(f"not {name}" for name in ELSEWHERE)]
            tests = [path_of(module), *(ROOT / "tests" / name for name in SUITES[module])]
            judge = Judge(importer.code, ran, changes, seconds, os.fdopen(writing, "w"))
            pytest.main([*options, *map(str, tests)], plugins=[judge])
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        yield from map(json.loads, told)
    os.waitpid(child, 0)


def is_noticed(module: str, tree: ast.Module, near: str, seconds: dict[str, float]) -> bool:
    """Whether a test turns red, or never ends, or nothing can be imported, with the module made of ``tree``."""
    return next(verdicts(module, tree, [[near, code_of(module, tree)]], seconds), [True])[0]


def function_at(tree: ast.Module, place: int) -> str:
    """The name of the function or class of the module where the change is."""
    line = next(islice(_computing(tree), place, None)).lineno  # type: ignore[attr-defined]
    names = [
        node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.lineno <= line
    ]
    return names[-1] if names else ""


def describe(module: str, before: ast.Module, after: ast.Module) -> str:
    """``module: the line → the changed line``, which stays the same when lines above come and go."""
    old, new = ast.unparse(before).splitlines(), ast.unparse(after).splitlines()
    differing = [(a.strip(), b.strip()) for a, b in zip(old, new) if a != b][:1] or [("", "a line less")]
    return f"{module}: {differing[0][0]} → {differing[0][1]}"


def explained() -> dict[str, str]:
    """The survivors that compute the same, each with its reason on the line below."""
    if not EXPLAINED.exists():
        return {}
    lines = [line for line in EXPLAINED.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
    return dict(zip(lines[::2], (line.strip() for line in lines[1::2])))


def main() -> int:
    # not autograd's parser: the package is imported for the first time with the changed module in it
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", choices=[*SUITES, []], metavar="MODULE", help=", ".join(SUITES))
    parser.add_argument("--most", type=int, help="of each module, as many changes as this, drawn with seed 0")
    parser.add_argument("--list", action="store_true", help="only count")
    options = parser.parse_args()
    reasons, alive, tried = explained(), [], 0
    took: dict[tuple[str, ...], dict[str, float]] = {}  # by each test of a suite, nothing being changed
    for module in options.modules or SUITES:
        tree = ast.parse(path_of(module).read_text(encoding="utf-8"))
        found = places(tree)
        if options.list:
            print(f"{len(found):5} {module}")
            continue
        suite = tuple(SUITES[module])
        if suite not in took:
            red, took[suite] = next(verdicts(module, tree, [None], {}), (True, {}))
        seconds = took[suite]
        if red:
            print(f"{module}: its tests are red without any change: mend them first")
            return 1
        if options.most is not None:
            found = random.Random(0).sample(found, min(options.most, len(found)))
        start, survivors = time.monotonic(), 0
        changes = [(function_at(tree, place), changed(tree, place)) for place in found]
        quick = verdicts(module, tree, [[near, code_of(module, other)] for near, other in changes], seconds)
        for (near, other), verdict in tqdm(zip(changes, quick), desc=module, total=len(found), disable=None):
            noticed = is_noticed(module, other, near, seconds) if verdict is None else verdict[0]
            if not noticed:
                survivors += 1
                text = describe(module, tree, other)
                if text not in reasons:
                    alive.append(text)
                print(text, f"   (explained: {reasons[text]})" if text in reasons else "   SURVIVES", flush=True)
        tried += len(found)
        print(f"{module}: {len(found)} changes, {survivors} survive, {time.monotonic() - start:.0f} s", flush=True)
    if not options.list:
        print(f"{tried} changes; {len(alive)} survive without an explanation")
    return int(bool(alive))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    os.chdir(ROOT)
    sys.exit(main())
