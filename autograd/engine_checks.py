"""Grades a scalar engine that somebody built: runs small programs on it and on Values, and names the bug they show.

The programs grow from one operation to many, and use only operations that smaller programs have found right. So the
first program that fails is the smallest, and which one it is tells the cause.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stdout
from io import StringIO
from multiprocessing import get_all_start_methods, get_context
from numbers import Real
from pathlib import Path
from time import monotonic
from typing import Any
from warnings import catch_warnings

from autograd import engine_programs as programs
from autograd.engine_bugs import BUGS, Bug, EngineVerdict
from autograd.engine_programs import FORMS, Probe, Subject, class_in, close, filled, right_numbers
from autograd.text import shown


def check_engine(
    engine: Any, timeout: float | None = None, backward: Callable[[Any], Any] | None = None
) -> EngineVerdict:
    """Grade a scalar engine by the class of its nodes, ``check_engine(Value)``, or by its file, "my_engine.py".

    engine      or a function that makes an input of a number
    timeout     run it in a process of its own, and end that after so many seconds
    backward    runs the backward pass from a node, where that has no usual name

    Tries what the engine offers: operators, numbers beside nodes, functions, second passes, data that change, a long
    chain. In pytest, ``assert verdict, verdict`` shows the text. Raises ValueError where a file has no class of
    nodes, or a node no number, gradient or backward pass under a usual name.

    >>> class Node:
    ...     def __init__(self, data, parents=()):
    ...         self.data, self.grad, self.parents = data, 0.0, parents
    ...     def __add__(self, other):
    ...         return Node(self.data + other.data, (self, other))
    ...     def backward(self, upstream=1.0):
    ...         self.grad = upstream
    ...         for parent in self.parents:
    ...             parent.backward(upstream)
    >>> check_engine(Node).bugs
    ['constant', 'overwrites', 'depth']
    """
    if timeout is None:
        return _verdict(engine, backward, lambda program: None)
    if not timeout > 0.0:
        raise ValueError(f"timeout = {timeout}: it needs to be a number of seconds > 0")
    context = get_context("fork" if "fork" in get_all_start_methods() else None)
    told, tell = context.Pipe(duplex=False)
    process = context.Process(target=_tell_verdict, args=(engine, backward, tell), daemon=True)
    with catch_warnings(action="ignore"):  # of a fork beside threads, which the child does not use
        process.start()
    tell.close()  # here, so that the pipe ends with the process
    last, until = "loading it", monotonic() + timeout
    try:
        while told.poll(max(0.0, until - monotonic())):
            last = told.recv()
            if isinstance(last, EngineVerdict):
                return last
            if isinstance(last, ValueError):
                raise last
        return EngineVerdict([Bug("endless", last, "it", f"has not ended after {timeout:g} seconds")])
    except EOFError:
        return EngineVerdict([Bug("exits", last, "it", "ends the process")])
    finally:
        process.kill()


def _tell_verdict(engine: Any, backward: Any, tell: Any) -> None:
    """In a process of its own: tell each program as it starts, and at last the verdict."""
    try:
        tell.send(_verdict(engine, backward, tell.send))
    except ValueError as error:
        tell.send(ValueError(str(error)))


def _verdict(engine: Any, backward: Any, tell: Callable[[str], None]) -> EngineVerdict:
    with redirect_stdout(StringIO()):  # an engine may print at each step
        try:
            make = class_in(Path(engine)) if isinstance(engine, (str, Path)) else engine
            return _Checks(Subject(make, backward), tell).verdict()
        except SystemExit:
            return EngineVerdict([Bug("exits", "loading it", "it", "ends the program")])


class _Checks:
    """The programs on one engine. ``wrong`` operations are used no further; ``keys`` says how each can be wrong."""

    def __init__(self, engine: Subject, tell: Callable[[str], None]) -> None:
        self.engine, self.tell, self.programs = engine, tell, 0
        self.found, self.wrong, self.keys = dict[str, Bug](), set[str](), dict[str, str]()
        for backward in reversed(engine.passes):  # beside a node's own step there may be the whole pass
            engine.backward = backward
            if not all(self.bug("rule", "G(x,y)", form) for form in [*engine.forms][:2]):
                break

    def verdict(self) -> EngineVerdict:
        """Run the programs, the smallest first."""
        simple = [form for form in ("{} + {}", "{}*{}") if form in self.engine.forms]
        for forms in (simple, [form for form in self.engine.forms if form not in simple]):
            right = [form for form in self.with_numbers(forms) if self.is_right(form)]
            silent = [bug for bug in self.found.values() if bug.gives == 0.0 and forms is simple and not right]
            if silent:
                return EngineVerdict([silent[0]._replace(key="order", words=BUGS["silent"])], self.programs)
            for form in right:
                for template, key in programs.INSIDE.items():
                    self.check(key, template, form)
            for template in programs.GRAPHS if forms is simple else ():
                self.check("order", template)
            for form in right:
                for template in programs.SAME if form.count("{}") == 2 and self.signs() else ():
                    self.check("lost-edge", template, form)
            for template in programs.tangled("lost-edge" not in self.found) if forms is simple else ():
                self.check("order", template)
        for template, passes in programs.AGAIN.items():
            for roots in passes.split():
                self.check("compounds", template, roots=roots)
        for form in self.keys:
            for changed in ("xy", "xyf") if self.engine.is_mutable else ():
                self.check("stale", "G(x,y)", form, changed=changed)
            if form in FORMS and f"__i{FORMS[form][0]}__" in self.engine.methods:
                self.check("mutates", "G(x,y)", form, in_place=form[2:-2].strip())
        self.wrong.clear()  # even with wrong numbers a chain shows whether it comes to its end
        for template in programs.chains():
            self.check("depth", template, at=(1.0, 1.0))
        return EngineVerdict([*self.found.values()], self.programs)

    def with_numbers(self, forms: Iterable[str]) -> Iterator[str]:
        """The operations, each followed by those with a number in place of an operand, if it is right without."""
        for form in forms:
            self.keys[form] = "rule"
            yield form
            method, methods = FORMS.get(form, ("",))[0], self.engine.methods
            for number in programs.NUMBERS if form.count("{}") == 2 and f"__{method}__" in methods else ():
                right, left = form.format("{}", number), form.format(number, "{}")
                if form not in self.wrong and method != "pow":
                    self.keys[right] = "constant"
                    yield right
                    self.wrong |= {number} if right in self.wrong else set()
                if not {form, number} & self.wrong and (method != "pow" or ("__rpow__" in methods and number != "0")):
                    self.keys[left] = "reflected"
                    yield left

    def is_right(self, form: str) -> bool:
        """Whether an operation is right by itself."""
        for at in zip(programs.POINTS, programs.POINTS[3:] + programs.POINTS[:3]):
            if form != "{}**{}" or at[0]:  # not everyone means the same by 0**y
                self.check(self.keys[form], "G(x,y)", form, at=at)
        return form not in self.wrong

    def signs(self) -> list[str]:
        """Those of + and * that are right so far."""
        usable = self.engine.forms.keys() - self.wrong
        return [sign for sign, form in (("+", "{} + {}"), ("*", "{}*{}")) if form in usable]

    def check(self, key: str, template: str, form: str = "", **options: Any) -> None:
        """Run a program, unless it uses what is wrong, and keep the first bug of each kind."""
        unclear = "order" in self.found and key in ("upstream", "overwrites", "order", "lost-edge", "compounds")
        whole = form if form in FORMS else re.sub(r"\d[\d.]*", "{}", form)  # x + y, of x + 2
        if {form, whole} & self.wrong or unclear or not (bug := self.bug(key, template, form, **options)):
            return
        self.wrong |= {form} if form else {"{} + {}", "{}*{}"} if bug.key == "overwrites" else set()
        may_follow = bug.key == "depth" or (bug.key == "rule" and "order" in self.found)  # from another bug
        if not may_follow or ".grad" not in bug.what:
            self.found.setdefault(bug.key, bug)

    def program(self, template: str, form: str, at: tuple[float, ...] = programs.AT, **options: Any) -> Probe:
        """The program of a template, with those of + and * that are right so far."""
        return Probe(filled(template, form, self.signs()), at, **options)

    def bug(self, key: str, template: str, form: str, **options: Any) -> Bug | None:
        """The bug that a program shows."""
        program = self.program(template, form, **options)
        if not (right := right_numbers(program)[2]):
            return None
        self.programs += 1
        self.tell(str(program))
        gives: Any = ""
        what, may_be = "it", [0.0]
        try:
            for what, gives in self.engine.numbers(program):
                may_be = [numbers[what.split()[0]] for numbers in right]
                is_number = isinstance(gives, Real)
                gives = float(gives) if is_number else f"is {shown(gives)}, but should be {may_be[0]:.6g}"
                if not is_number or not close(gives, *may_be):
                    break
            else:
                return None
        except SystemExit:
            return Bug("exits", str(program), "it", "ends the program")
        except Exception as error:
            if key == "compounds" and type(error) is RuntimeError:  # it refuses a further pass
                return None
            what, gives = "it", f"raises {type(error).__name__}: {error}"[:150]
        kind = "mutates" if ".data" in what else self.kind(key, template, form, what, gives)
        if kind == "overwrites" and not form:  # of GRAPHS
            what, gives, form = "b.grad", self.engine.read("grad", self.engine.nodes["b"]), "b*z"
            may_be = [right[0][what]]
        fault = "raises an error" if what == "it" else f"has a wrong {'value' if what == 'f' else 'derivative'}"
        rule = (getattr(self.engine.forms.get(form), "__doc__", "") or "").split("\n")[0].removesuffix(".")
        operator = re.sub(r"^[\d.]+", "{}", form)  # of 2 - x
        words = {
            "op": form.format("x", "y"), "x": what.split(".")[0], "fault": fault,
            "rule": re.split(r"[.,] (?=which|[A-Z])", rule)[0],
            "method": f"__r{FORMS[operator][0]}__" if operator != form else "a method such as __rsub__",
        }  # fmt: skip
        key = self.keys[form] if kind == "upstream" else kind
        return Bug(key, str(program), what, gives, may_be[0], BUGS[kind].format(**words))

    def kind(self, key: str, template: str, form: str, what: str, gives: Any) -> str:
        """Which bug it is, by the number that is wrong."""
        if isinstance(gives, str):
            plain = re.search("'(int|float)'( and)?", gives) if key == "rule" else None
            key = key if key != "upstream" else self.keys[form]
            return key if not plain else "reflected" if plain[2] else "constant"
        if key == "upstream":
            alone = right_numbers(self.program("G(x,y)", form))[2][0].get(what, 0.0)
            return key if close(gives, alone) else "order" if form == "{} + {}" else self.keys[form]
        if key == "overwrites":  # one share is lost, if what is left is that of x or of w where these are two nodes
            apart = self.program(template[::-1].replace("x", "w", 1)[::-1], form, at=programs.TWINS)
            shares = right_numbers(apart)[2][0]
            return key if close(gives, shares["x.grad"], shares["w.grad"]) else "order"
        is_shared = template == "b*z + b*w; b = x*y"  # then b has either the gradient z + w, or one of the two
        b = self.engine.read("grad", self.engine.nodes["b"]) if is_shared else None
        return "overwrites" if b and close(b, *programs.AT[2:]) else key
