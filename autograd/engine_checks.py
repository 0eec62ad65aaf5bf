"""Grades a user's scalar engine: runs small programs on it and on Values, and names the bug that they reveal.

The programs grow from one operation to many, and use only operations that were right in smaller programs. The first
program that fails is therefore the smallest, and it indicates the cause. An engine may also be unfinished: methods
with an empty body count as not written yet, and a missing backward pass is replaced by a sweep over the parents and
local derivatives that nodes store.
"""

import ctypes
import linecache
import operator
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout, suppress
from dis import get_instructions
from functools import cache, partial
from inspect import getmembers_static, isclass, isfunction, signature
from io import StringIO
from itertools import product
from math import isclose, isfinite
from multiprocessing import get_context
from multiprocessing.connection import Connection
from numbers import Real
from pathlib import Path
from random import Random
from runpy import run_path
from threading import Thread
from time import monotonic, sleep
from traceback import walk_stack, walk_tb
from types import CodeType
from typing import Any, NamedTuple
from warnings import catch_warnings

from autograd import primitives
from autograd.adopting.foreign import WORDS, Engine, known_as
from autograd.errors import DomainError
from autograd.kinks import kinks
from autograd.table import TABLE, Primitive
from autograd.text import clipped, counted, printable, shown
from autograd.value import Value

# the first sentence of each text names the bug, and the others point to its cause
BUGS = {
    "rule": "{op} is wrong on its own. {rule}Nudge an operand by a small h: how many times h is the change in {op}?",
    "upstream": "the derivative of {op} is right on its own but wrong inside an expression. The backward step must "
    "multiply it by the gradient of the result, which is no longer 1. Which line of {op} does that?",
    "passes": "the backward pass is wrong, although {op} has the right local derivatives. For each edge, the pass "
    "must add the node's gradient times the local derivative to the parent's gradient. Which factor or sign differs?",
    "restarts": "the backward pass sets the gradient of every node that it visits to 1. Only ∂f/∂f is 1, at the node "
    "where the pass begins. Does the function that sets grad to 1 call itself for the parents?",
    "overwrites": "a gradient is set with = instead of accumulated with +=. Two contributions arrive at one node "
    "here, and one is lost. Which line of the backward step sets a gradient with =, instead of adding to it?",
    "order": "a node passes its gradient on too early, too often or not at all. A node must pass its gradient on "
    "exactly once, after all nodes that use it have passed on theirs. In which order does the pass visit them?",
    "lost-edge": "an operation counts only one operand if both are the same node. Each of the two operands must add "
    "to the node's gradient. Where does a set, a dictionary or a comparison of nodes merge the two?",
    "twice": "{twice} passes its gradient on twice. A node must pass its gradient on once, when it is complete. Is "
    "the node in the list twice, and which line should prevent that?",
    "compounds": "a second pass starts with the old gradients between f and its inputs. Where should they become 0?",
    "constant": "{op} is wrong with a plain number. Which line converts a number, such as 2, 2.5 or 0, to a node?",
    "reflected": "{op} is wrong if the number is on the left. Python then calls the node's {method}. Is this method "
    "defined, and does it use the number as the left operand?",
    "stale": "the backward pass reads data that changed after the forward pass. Which .data does the backward step "
    "of {op} read, and where could the forward step store it?",
    "mutates": "the data or gradient of an operand changes. An operation may only read its operands and create a new "
    "node, and a backward pass may change only gradients. Which line assigns to .data or .grad of an operand?",
    "depth": "a function calls itself once per node, and Python stops at about 1,000 nested calls. This f is a chain "
    "of 1,501 operations. Which function is it, and how could a loop over a list of nodes do the same?",
    "returns": "{op} does not return a node. An operation creates a new node and returns it. What does {op} return?",
    "keeps": "{op} creates a node that does not record how it was computed. It needs its parents, and one local "
    "derivative for each of them, in the same order. What does {op} pass to the constructor?",
    "comma": "{op} passes a single object where a one-element tuple is needed. In Python, (self) is just self, "
    "whereas (self,) is a tuple. Where is a comma missing, after the parent or after its local derivative?",
    "recursion": "{function} calls itself endlessly. Inside an operation, x + y on nodes calls that operation "
    "again, whereas x.data + y.data adds numbers. Which line of {function} leads back to it?",
    "exits": "the code ends the program. Which line calls exit() or raises SystemExit?",
    "endless": "the code does not stop. Which loop never ends? Without a timeout, Ctrl+C shows the line.",
}
POINTS = (0.9, -1.5, 2.0, 3.0, 0.5, -0.3, 0.1, -4.0, 9.0, -13.0, 30.0, -40.0)
# (bug that the program shows, template), in which x ? y represents any operation
INSIDE = (
    ("upstream", "b = x ? y; f = b * z"),
    ("overwrites", "b = x ? y; c = x ? z; f = b + c"),
    ("overwrites", "b = y ? x; c = z ? x; f = b + c"),
    ("overwrites", "a = x * y; b = a ? z; c = a ? w; f = b + c"),
)
SAME = tuple(("lost-edge", x) for x in ("f = x ? x", "b = x * y; f = b ? b", "b = x * y; c = x * y; f = b ? c"))
LIMITS = ("compounds", "stale", "depth")  # micrograd has them too
MAY_RAISE = {"compounds": RuntimeError, "stale": AttributeError}  # an engine may refuse a second pass, or new data
Steps = tuple[tuple[str, str, tuple[str, ...]], ...]  # a program's names, forms of operations, and operands
POWERS = {f"{{}}**{p}": p for p in (2, 3, -1, 0.5)}
# form in programs: (method, entry of the table); an engine may define later operators in terms of earlier ones
FORMS: dict[str, tuple[str, Primitive]] = {
    "{} + {}": ("add", primitives.add), "{}*{}": ("mul", primitives.mul), "-{}": ("neg", primitives.neg),
    "{} - {}": ("sub", primitives.sub), **dict.fromkeys(POWERS, ("pow", primitives.power)),
    "{}**{}": ("pow", primitives.pow), "{}/{}": ("truediv", primitives.div), "abs({})": ("abs", primitives.abs),
}  # fmt: skip
IN_PLACE = {form: f"{{}}; f {form[2:-2].strip()}= {{}}" for form in ("{} + {}", "{} - {}", "{}*{}", "{}/{}")}
OPERATORS: dict[str, Callable[..., Any]] = {
    **{in_place: getattr(operator, f"i{FORMS[form][0]}") for form, in_place in IN_PLACE.items()},
    **{form: getattr(operator, name) for form, (name, _) in FORMS.items()},
    **{form: lambda x, p=p: x**p for form, p in POWERS.items()},
}
BACKWARD = ("backward", "backprop", "back_propagate", "backpropagate", "backward_pass", "run_backward", "propagate")
NUMBERS = {"2": 2, "2.5": 2.5, "0": 0}  # operands that are plain numbers
AT = (0.6, 0.7, 1.7, 0.9)  # x, y, z and w
KNOWN = {"__init__", *BACKWARD, *(f"__{r}{name}__" for name, _ in FORMS.values() for r in ("", "r")), *TABLE}
ELEMENTARY = ("+", "*", "-", "/", "**", "exp", "relu")  # students find these derivatives themselves
PATIENCE = 5.0  # time limit in seconds for one program; each takes a few milliseconds


class EngineVerdict(NamedTuple):
    """The bugs of an engine: texts by key, the likeliest cause first. True if the engine is right and complete."""

    found: dict[str, str]
    programs: int = 0  # the number of programs run
    right: tuple[str, ...] = ()  # sentences about an unfinished engine
    missing: tuple[str, ...] = ()  # methods that are not written yet

    @property
    def bugs(self) -> list[str]:
        """The keys of the bugs found."""
        return [*self.found]

    def __bool__(self) -> bool:
        return not self.found and not self.missing

    def __repr__(self) -> str:
        if self.found:
            limits = ", ".join(key for key in self.found if key in LIMITS)
            note = f"micrograd has the same limits, which rarely matter in its lessons: {limits}" if limits else ""
            return printable("\n\n".join(filter(None, ["\n".join(self.right), *self.found.values(), note])))
        lines = [*self.right] or [f"right in all {self.programs} programs"] * bool(self.programs or not self.missing)
        lines += [f"not written yet: {', '.join(self.missing)}"] * bool(self.missing)
        if self.programs and "backward" in self.missing:
            lines.append("(until backward is written, check_engine runs the backward pass itself)")
        return printable("\n".join(lines))


def check_engine(
    engine: Any, timeout: float | None = None, backward: Callable[[Any], Any] | None = None
) -> EngineVerdict:
    """Grade a scalar engine, given the class of its nodes, ``check_engine(Value)``, or its file, "my_engine.py".

    engine      the class, a file, or a function that creates an input from a number
    timeout     seconds after which the check, run in a separate process, is stopped; on a system without fork, a
                class is checked in this process, and the limit applies to each program
    backward    a function that runs the backward pass from a node, if the engine's own has an unusual name

    The programs test what the engine offers: operators, numbers mixed with nodes, functions, repeated backward
    passes, changed data, a long chain. For an unfinished class, the verdict states what is right so far and what is
    not written yet: a method with an empty body (``...``), or the backward pass. In pytest, ``assert verdict,
    verdict`` shows the text.
    Raises ValueError if a file cannot be loaded, or if a function creates nodes without a number, a gradient or a
    backward pass under a usual name.
    """
    can_fork = sys.platform == "linux"  # macOS has fork too, but its own libraries may crash after it
    if timeout is not None and (can_fork or not callable(engine)):
        return _in_a_process("fork" if can_fork else "spawn", engine, backward, timeout)
    with redirect_stdout(StringIO()):  # an engine may print in each step
        return _Watch(engine, backward, timeout or PATIENCE).verdict()


def _in_a_process(method: str, engine: Any, backward: Callable[[Any], Any] | None, seconds: float) -> EngineVerdict:
    context: Any = get_context(method)
    answers, sender = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(sender, engine, backward), daemon=True)
    with catch_warnings(action="ignore"):  # about a fork of a process with threads
        process.start()
    sender.close()  # this copy, so that recv raises EOFError once the process ends
    started = False
    try:
        started = answers.recv()
        if not answers.poll(seconds):
            return EngineVerdict({"endless": f"endless: {BUGS['endless']} It ran for {seconds:g} seconds."})
        answer = answers.recv()
    except EOFError:
        if started:
            return EngineVerdict({"exits": f"exits: {BUGS['exits']} It ended the whole process."})
        remedy = 'put the call below `if __name__ == "__main__":`, because the process imports this script again'
        raise RuntimeError(f"the process that runs the check could not be started: {remedy}") from None
    finally:
        process.kill()
        process.join()
    if isinstance(answer, EngineVerdict):
        return answer
    raise answer


def _answer(sender: Connection, engine: Any, backward: Callable[[Any], Any] | None) -> None:
    """Run in the process: report that it has started, then send the verdict or the error."""
    sender.send(True)
    try:
        answer: object = check_engine(engine, None, backward)
    except Exception as error:
        answer = error
    try:
        sender.send(answer)
    except Exception:  # the error cannot be pickled
        sender.send(ValueError(f"{answer}"))


class _Watch:
    """Runs a check in a thread, and stops it when one of its programs takes too long.

    Not every system can send a notebook's class to another process, but all can stop a thread that runs Python code.
    """

    def __init__(self, engine: Any, backward: Callable[[Any], Any] | None, seconds: float) -> None:
        self.engine, self.backward, self.seconds = engine, backward, seconds
        self.program, self.since = "", monotonic()
        self.result: EngineVerdict | BaseException = RuntimeError("the check was stopped")
        self.thread = Thread(target=self._run, daemon=True)

    def begin(self, program: str) -> None:
        """Start a program's time limit."""
        self.program, self.since = program, monotonic()

    def verdict(self) -> EngineVerdict:
        try:
            self.thread.start()
        except RuntimeError:  # a browser has no threads
            self._run()
        try:
            while self.thread.is_alive():
                self.thread.join(0.05)
                if monotonic() - self.since > self.seconds:
                    return EngineVerdict({"endless": self._endless()})
        finally:
            stop = ctypes.py_object(KeyboardInterrupt)
            for _ in range(20 if self.thread.is_alive() else 0):  # its code may catch the first exceptions
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.thread.ident or 0), stop)
                self.thread.join(0.05)
        if isinstance(self.result, EngineVerdict):
            return self.result
        raise self.result

    def _run(self) -> None:
        try:
            self.result = self._grade()
        except SystemExit:
            self.result = EngineVerdict({"exits": f"exits: {BUGS['exits']} It happened before any program ran."})
        except BaseException as error:
            self.result = error

    def _grade(self) -> EngineVerdict:
        make = self.engine if callable(self.engine) else class_in(self.engine)
        if isclass(make) and (unfit := constructed(make)) is not None:
            return unfit
        try:
            subject = Subject(make, self.backward)
        except Exception as error:
            if not isclass(make):
                raise
            return EngineVerdict({"constructor": f"constructor: {clipped(f'{error}', 200)}"})
        return _Checks(subject, self.begin).verdict()

    def _endless(self) -> str:
        """Return a text that names the program that did not end and the line that it was running."""
        name = getattr(self.engine, "__module__", "checked") if callable(self.engine) else "checked"
        stacks = []
        for _ in range(5):
            sleep(0.01)
            stacks.append([frame for frame, _ in walk_stack(sys._current_frames().get(self.thread.ident or 0))][::-1])
        lasting = [frames[0] for frames in zip(*stacks) if all(frame is frames[0] for frame in frames)]
        own, where = [frame for frame in lasting if frame.f_globals.get("__name__") == name], ""
        if own:  # the innermost lasting frame contains the loop
            line = linecache.getline(own[-1].f_code.co_filename, own[-1].f_lineno, own[-1].f_globals).strip()
            where = f", in {own[-1].f_code.co_name}" + f" at the line: {line}" * bool(line)
        lines = f"endless: {BUGS['endless'].partition('. ')[0]}", self.program or "while it was loaded"
        still = f"after {self.seconds:g} seconds it is still running{where}"
        return "\n  ".join((*lines, still, "Which loop is it, and what should end it?"))


def is_blank(function: Any) -> bool:
    """Return whether a method is not written yet: its body is pass, has ``...`` or raises NotImplementedError."""
    code = getattr(function, "__code__", None)
    if not isinstance(code, CodeType):
        return False
    flat = [x for constant in code.co_consts for x in (constant if isinstance(constant, tuple) else (constant,))]
    steps = [step for step in get_instructions(code) if step.opname not in ("RESUME", "NOP", "RETURN_VALUE")]
    is_empty = len(steps) == 1 and steps[0].opname in ("LOAD_CONST", "RETURN_CONST") and steps[0].argval is None
    return is_empty or ... in flat or code.co_names == ("NotImplementedError",)


def constructed(cls: type) -> EngineVerdict | None:
    """Return a verdict on the constructor; None if a node stores its number, a gradient of 0, and its arguments."""
    lost = next(_lost(cls), None)
    is_written = any("__init__" in vars(c) for c in cls.__mro__[:-1])
    if is_blank(getattr(cls, "__init__", None)) or (lost and not is_written):
        return EngineVerdict({}, missing=("__init__",))
    if not lost:
        return None
    lines = "constructor: a node does not store what it needs", *lost, "Which line of __init__ sets it?"
    return EngineVerdict({"constructor": "\n  ".join(lines)})


def _lost(cls: type) -> Iterator[tuple[str, str]]:
    """Yield (call, evidence) for everything that a constructor should store but does not."""
    name, parts = cls.__name__, ["parents", "local_derivatives"]
    made = f"node = {name}(2.0)"
    try:
        node = cls(2.0)
        reader = Engine(node)
        for what in ("data", "grad"):
            if not reader.word(what, node):
                yield made, f"the node has no {what} under a usual name"
        if (data := reader.read("data", node)) != 2.0:
            yield made, f"the node's data is {shown(data)}, but should be 2"
        if isinstance(grad := reader.read("grad", node), Real) and grad != 0:
            yield made, f"the node's grad is {grad:g}, but should be 0, because nothing has been passed back yet"
        names = [*signature(cls).parameters][1:]
        if len(names) != 2 or [kind for x in names for kind in parts if x in WORDS[kind].split()] != parts:
            return
        made = f"a, b = {name}(2.0), {name}(3.0); node = {name}(6.0, (a, b), (3.0, 2.0))"
        given = (cls(2.0), cls(3.0)), (3.0, 2.0)
        node = cls(6.0, *given)
        for x, things in zip(names, given):
            held = getattr(node, x, getattr(node, f"_{x}", None))
            if held is None:
                yield made, f"the node has no {x}"
            elif isinstance(held, (tuple, list)) and [*map(id, held)] != [*map(id, things)]:
                yield made, f"node.{x} is not what the constructor was given"
    except Exception as error:
        yield made, _raised(error)


def _raised(error: BaseException) -> str:
    return f"it raises {clipped(f'{type(error).__name__}: {error}', 150)}"


class Subject:
    """A user's engine. ``forms`` maps its operations, as programs write them, to entries of the table."""

    def __init__(self, make: Any, backward: Callable[[Any], Any] | None = None) -> None:
        try:
            leaf = make(2.0)
            if getattr(leaf, "requires_grad", None) is False:
                leaf = (make := partial(make, requires_grad=True))(2.0)
        except Exception as error:
            raise ValueError(f"{error!r}: give a function that makes a node from one number, lambda x: …") from error
        self.make, self.reader, self.node = make, Engine(leaf), type(leaf)
        methods = {name: f for name, f in getmembers_static(self.node) if f is not vars(float).get(name)}
        self.blank = [name for name, f in methods.items() if is_blank(f)]
        methods = {name: f for name, f in methods.items() if name not in self.blank}
        beside = next((f.__globals__ for f in methods.values() if isfunction(f)), {})
        usual: list[Any] = [backward, *(f[name] for f in (beside, methods) for name in BACKWARD if name in f)]
        self.operations, self.backward = {**OPERATORS}, next(filter(callable, usual), usual[0])
        self.is_unfinished = self.backward is None and isclass(make)
        if self.is_unfinished:
            self.backward = self.sweep
        self.is_reflecting = any(name[:3] == "__r" and f"__{name[3:]}" in methods for name in methods)
        for what in ("data", "grad", "backward"):
            if not (self.backward if what == "backward" else self.reader.word(what, leaf)):
                raise ValueError(f"{shown(leaf)} ({self.node.__name__}) has no {what} under a usual name")
        forms = {form: entry for form, (name, entry) in FORMS.items() if f"__{name}__" in methods}
        for name, f in (*methods.items(), *beside.items()):
            is_own = isfunction(f) and f.__module__ == self.node.__module__ and name[:2] != "__"
            for entry, _ in known_as(name) if is_own else ():
                is_alike = len(entry.letters) == len(signature(f).parameters) <= 2 and entry.name != "gelu"
                if is_alike and entry not in forms.values():
                    forms[call(entry)] = entry
                    self.operations[call(entry)] = f
        offered = [form for form, entry in forms.items() if self._offers(form, entry.name in methods)]
        self.forms = {form: forms[form] for form in sorted(offered, key="{}**{}".__eq__)}  # may use exp and log

    def _offers(self, form: str, is_method: bool) -> bool:
        """Return whether an operation takes nodes and returns one, unlike a function of plain numbers."""
        is_meant = is_method or (form in FORMS and form != "{}**{}")  # even if it raises or returns None: a bug
        with suppress(Exception):
            node = self.operations[form](*(self.make(x) for x in AT[: form.count("{}")]))
            is_meant |= bool(self.reader.word("grad", node)) and isinstance(self.reader.read("data", node), Real)
        return is_meant

    def run(self, steps: Steps, at: Sequence[float], roots: str, changed: str = "") -> dict[str, Any]:
        """Run a program, set the data of ``changed`` to −7, run backward from each root, and return the nodes."""
        used = {x for _, _, operands in steps for x in operands}
        nodes: dict[str, Any] = {x: self.make(number) for x, number in zip("xyzw", at) if x in used}
        for name, form, operands in steps:
            result = self.operations[form](*(nodes[x] if x in nodes else NUMBERS[x] for x in operands))
            if result is None or (isinstance(result, Real) and not self.reader.is_node(result)):
                raise _Unfit("returns", f"{name} is {shown(result)}, but should be a node")
            nodes[name] = result
        for x in changed:
            setattr(nodes[x], str(self.reader.word("data", nodes[x])), -7.0)
        for root in roots:
            self.backward(nodes[root])
        return nodes

    def sweep(self, root: Any) -> None:
        """Run a backward pass over the parents and the local derivatives that nodes store."""
        order, parents = self.reader.graph([root])
        grad = str(self.reader.word("grad", root))
        for node in order:
            setattr(node, grad, float(node is root))
        for node in reversed(order):
            held = [*parents[id(node)]]
            slopes = self.reader.stored(node, len(held))
            if node is root and not (held and slopes):
                kept = self.reader.read("local_derivatives", node)
                kept = [*kept] if isinstance(kept, (tuple, list)) else [kept] * (kept is not None)
                has = f"{counted(len(held), 'parent')} and {counted(len(kept), 'local derivative')}"
                if any(map(self.reader.is_node, kept)):
                    has = "nodes as local derivatives"
                elif not held:
                    has = "no parents"
                raise _Unfit(
                    "keeps", f"f has {has}, but should have one parent and one local derivative for each operand"
                )
            for parent, slope in zip(held, slopes or ()):
                setattr(parent, grad, getattr(parent, grad) + getattr(node, grad) * slope)

    def passed_twice(self, steps: Steps, at: Sequence[float]) -> str:
        """Return the nodes that pass their gradient on more than once, as far as writes to gradients reveal it."""
        nodes, writes = self.run(steps, at, ""), Counter[int]()
        grad = self.reader.word("grad", nodes["f"])
        kind: Any = type(nodes["f"])

        def counting(node: Any, name: str, new: Any) -> None:
            writes[id(node)] += name == grad and new not in (0, getattr(node, name, None))
            kind.__setattr__(node, name, new)

        with suppress(Exception):
            watched = type(kind.__name__, (kind,), {"__setattr__": counting, "__slots__": ()})
            for node in nodes.values():
                node.__class__ = watched
            self.backward(nodes["f"])
        uses = Counter(x for _, _, operands in steps for x in operands)
        more = {x for x, node in nodes.items() if writes[id(node)] > uses[x]} - {"f"}
        return " or ".join(name for name, _, operands in steps if more.issuperset(operands))

    def numbers(self, nodes: dict[str, Any]) -> dict[str, Any]:
        """Return the data and the gradients of nodes."""
        data = {f"{x}.data": self.reader.read("data", node) for x, node in nodes.items()}
        return data | {f"{x}.grad": self.reader.read("grad", node) or 0.0 for x, node in nodes.items()}


class _Unfit(Exception):
    """Raised with the key of the bug and the evidence, if a program cannot continue with a result."""


def call(entry: Primitive) -> str:
    """Return the form in which programs call a function of the table."""
    return f"{entry.name}({', '.join('{}' for _ in entry.letters)})"


OURS = Subject(Value)
OURS.operations |= {call(entry): entry for entry in TABLE.values()}


@cache
def right_numbers(steps: Steps, at: Sequence[float] = AT, roots: str = "f") -> list[dict[str, float]]:
    """Return the right numbers after a program; an empty list if f has a kink or no value.

    Two results are right: the gradients of inputs may be summed over the passes, or be those of the last pass only.
    """
    try:
        nodes = [OURS.run(steps, at, passes) for passes in (roots, roots[-1])]
    except DomainError:
        return []
    numbers = [OURS.numbers(each) for each in nodes]
    return numbers if all(map(isfinite, numbers[0].values())) and not kinks(nodes[0]["f"]) else []


def graphs(twice: bool) -> Iterator[tuple[str, str]]:
    """Yield random graphs, small ones first. Each node combines two of the four before it, or one ``twice``."""
    rng = Random(0)
    draw = rng.choices if twice else rng.sample
    for size in sorted([*range(2, 9)] * 20):
        names = ["x", "y", "z", "w", *"abcdegh"[: size - 1], "f"]
        steps = [f" {rng.choice('+*')} ".join(draw(names[k : k + 4], k=2)) for k in range(size)]
        yield "order", "; ".join(f"{name} = {step}" for name, step in zip(names[4:], steps))


def class_in(file: str | Path) -> type:
    """Return the class of nodes in a file: Value, or else the likeliest class, preferably one defined in the file."""
    sys.path.insert(0, str(Path(file).parent))  # it may import neighbouring files
    try:
        classes: list[type] = [object, *filter(isclass, run_path(str(file), run_name="checked").values())]
        found = max(classes, key=lambda c: (c.__name__ == "Value", hasattr(c, "__add__"), c.__module__ == "checked"))
    except Exception as error:
        raise ValueError(f"{file} cannot be loaded: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(Path(file).parent))
    if found is object:
        raise ValueError(f"{file} has no class: give a function that makes a node from one number, lambda x: …")
    return found


class _Checks:
    """Runs the programs on one engine, without those that use an operation already known to be ``wrong``."""

    def __init__(self, engine: Subject, begin: Callable[[str], None]) -> None:
        self.engine, self.begin, self.programs = engine, begin, 0
        self.found, self.wrong = dict[str, str](), set[str | None]({None})
        entries = {primitives.add: "+", primitives.mul: "*"}
        self.signs = {entries[entry]: form for form, entry in engine.forms.items() if entry in entries}

    def verdict(self) -> EngineVerdict:
        """Run the programs, the smallest first."""
        missing = [name for name in self.engine.blank if name in KNOWN]
        if self.engine.is_unfinished:
            right = self.so_far()
            basic = [x for x in ("__add__", "__mul__") if x in missing or not hasattr(self.engine.node, x)]
            missing = [*basic, *missing, "backward"]
        else:
            self.all()
            signs = ", ".join(dict.fromkeys(map(_sign, self.engine.forms)))
            is_part = missing or not self.engine.is_reflecting  # methods of later steps are not listed
            right = [f"right in all {self.programs} programs so far: {signs}, backward"]
            right *= bool(is_part and not self.found)
        return EngineVerdict(self.found, self.programs, tuple(right), tuple(dict.fromkeys(missing)))

    def so_far(self) -> list[str]:
        """Check an engine without a backward pass, one operation at a time; return what is right."""
        right = dict[str, int]()
        for form in self.engine.forms:
            before = self.programs
            if self.operation(form) and self.check("mutates", "f = x ? y", form, is_again=True):
                right[_sign(form)] = right.get(_sign(form), 0) + self.programs - before
        for (key, template), form in product(SAME, self.engine.forms):
            self.check(key, template, form)
        if not self.found and not self.engine.forms:
            return ["the constructor is right: a node stores its arguments, and its gradient starts at 0"]
        return [f"{sign} is right: its numbers and local derivatives, in {n} programs" for sign, n in right.items()]

    def operation(self, form: str) -> bool:
        """Try a single operation at many points, and with plain numbers. Return False if a program shows a bug."""
        is_right = all(self.check("rule", "f = x ? y", form, at) for at in zip(POINTS, POINTS[3:] + POINTS[:3]))
        numbers = [*NUMBERS] if form in FORMS and form.count("{}") == 2 else []
        is_right &= (is_beside := all(self.check("constant", f"f = x ? {number}", form) for number in numbers))
        if is_beside and self.engine.is_reflecting and (form != "{}**{}" or hasattr(self.engine.node, "__rpow__")):
            for number in numbers[:2]:  # conventions for 0**x differ
                is_right &= self.check("reflected", f"f = {number} ? x", form)
        return is_right

    def all(self) -> None:
        """Run every program, unless an operation or the order is wrong."""
        simple = [*self.signs.values()]
        others = [form for form in self.engine.forms if form not in simple]
        for forms, apart, twice in (simple, graphs(twice=False), graphs(twice=True)), (others, (), ()):
            for form in forms:
                self.operation(form)
            for programs, used in (INSIDE, forms), (apart, [""]), (SAME, forms), (twice, [""]):
                for (key, template), form in product(programs, used):
                    self.check(key, template, form)
            if {"order", "restarts"} & self.found.keys():  # no gradient can be trusted
                return
        for roots in ("ff", "cf", "bf", "fc", "fb"):
            self.check("compounds", "b = x * y; c = b + z; f = c * z", roots=roots)
        for form in self.engine.forms:
            self.check("mutates", "f = x ? y", form, is_again=True)
            self.check("stale", "f = x ? y", form, changed="xyf" if form.count("{}") == 2 else "xf")
            if form in IN_PLACE and form not in self.wrong:
                self.check("mutates", "f = x ? y", IN_PLACE[form])
        self.check("depth", f"f = x + y{'; f = f + y' * 1500}")

    def check(
        self, key: str, template: str, form: str = "", at: Sequence[float] = AT, roots: str = "f", changed: str = "",
        is_again: bool = False,
    ) -> bool:  # fmt: skip
        """Run a program unless it uses a wrong operation, and record the first bug of each kind.

        changed     nodes whose data are set to −7 before the backward pass
        is_again    run the last operation again after the pass, which should change nothing

        Returns False if the program shows a bug.
        """
        forms = self.signs | {"?": form}
        if self.wrong & {form, *(forms.get(sign) for sign in "+*" if f" {sign} " in template)}:
            return True
        found = re.findall(r"(\w) = (\S+) (\S+) ([^\s;]+)", template)
        steps = tuple((name, forms[op], (x, y)[: forms[op].count("{}")]) for name, x, op, y in found)
        if not (right := right_numbers(steps, at, roots)):
            return True
        text = clipped("; ".join(f"{name} = {form.format(*operands)}" for name, form, operands in steps), 120)
        inputs = ", ".join(f"{x} = {number:g}" for x, number in zip("xyzw", at) if f"{x}.data" in right[0])
        change = f", then {'.data = '.join(changed)}.data = -7" * bool(changed)
        passes = f", backward from {', then from '.join(roots)}" * bool(changed or roots != "f")
        program = f"{text}   at {inputs}{change}{passes}" + ", backward, and f again" * is_again
        self.programs += 1
        self.begin(program)
        function = hint = twice = ""
        try:
            nodes = self.engine.run(steps, at, roots, changed)
            if is_again:
                self.engine.operations[form](*(nodes[x] for x in steps[-1][2]))
            numbers = self.engine.numbers(nodes)
        except (Exception, SystemExit) as error:
            if isinstance(error, MAY_RAISE.get(key, ())):
                return True
            key = "exits" if isinstance(error, SystemExit) else key
            shows = _raised(error)
            if isinstance(error, RecursionError) and key == "rule":
                key, function = "recursion", [*walk_tb(error.__traceback__)][-1][0].f_code.co_name
            elif isinstance(error, _Unfit):
                key, shows = error.args
            elif isinstance(error, TypeError) and re.search("not iterable|support iteration", str(error)):
                key = "comma" if form.count("{}") == 1 and key == "rule" else key
            elif key == "rule":
                hint = "The message says what Python could not do. Which line of the code tries to do it?"
        else:
            compared = [x for x in right[0] if (x[0] in "xyzw" if ".grad" in x else not changed)]
            what = next((x for x in compared if not _agrees(x, numbers, right)), None)
            if what is None:
                return True
            gives, should = numbers[what], right[0][what]
            number = f"{gives:.6g}" if isinstance(gives, Real) else shown(gives)
            shows = f"{what} is {number}, but should be {should:.6g}"
            arrived = "a.grad" in right[0] and _agrees("a.grad", numbers, right[:1])
            is_more = isinstance(gives, Real) and abs(float(gives)) > abs(should)
            is_silent = form == self.signs.get("+") and gives == 0.0 and key in ("rule", "upstream")
            is_late = what == "f.data" and not is_again and self.is_right(steps, at, right, "f.data")
            if what.endswith(".data") and (what != "f.data" or is_late):
                key = "mutates"
            elif is_silent or (key == "overwrites" and (arrived or is_more)):
                key = "order"
                if numbers["f.grad"] == 0:
                    hint = "After the pass, f.grad is still 0. Which line sets it to 1 before the pass begins?"
            elif (
                key in ("rule", "upstream")
                and what.endswith(".grad")
                and not self.engine.is_unfinished
                and self.is_right(steps, at, right)
            ):
                is_one = all(numbers[x] == 1 for x in right[0] if x[0] in "xyzw" and x.endswith(".grad"))
                key = "restarts" if is_one and calls_itself(self.engine.backward) else "passes"
            if self.engine.is_unfinished and what.endswith(".grad"):
                shows = shows.replace(what, f"the local derivative ∂f/∂{what[0]}", 1)
                x, y = ("x.grad", "y.grad") if "y.grad" in right[0] else (what, what)
                if key == "rule" and x != y and all(numbers[a] == right[0][b] for a, b in ((x, y), (y, x))):
                    hint = "The two local derivatives are swapped: the first one belongs to x, the second to y."
            if key == "rule":
                hint = hint or _slip(what, gives, should, right[0]["f.data"])
            elif key == "order" and not hint and (twice := self.engine.passed_twice(steps, at)):
                key = "twice"
        has_number = key in ("constant", "reflected")
        if key in ("order", "twice", "restarts"):
            self.wrong |= {*self.signs.values()}
        elif not has_number:
            self.wrong |= {form} - {""}
        op = text.removeprefix("f = ") if has_number else form.format("x", "y")
        rule = ("" if _sign(form) in ELEMENTARY else getattr(self.engine.forms.get(form), "__doc__", None)) or ""
        rule = re.sub("^(.+)$", r"Its rule: \1. ", re.split(r"\.?\n|[.,] (?=which|[A-Z])", rule)[0].rstrip("."))
        method = f"__r{FORMS.get(form, ('',))[0]}__"
        bug = BUGS[key].format(op=op, rule=rule, method=method, function=function, twice=twice)
        heading, _, question = bug.partition(". ")
        key = {"upstream": "rule", "passes": "rule", "twice": "order", "comma": "keeps"}.get(key, key)
        if (
            key not in ("order", "lost-edge") or "overwrites" not in self.found
        ):  # an overwritten gradient may be the cause
            self.found.setdefault(key, f"{key}: {heading}\n  {program}\n  {shows}\n  {hint or question}")
        return False

    def is_right(self, steps: Steps, at: Sequence[float], right: list[dict[str, float]], what: str = ".grad") -> bool:
        """Return whether the data are right before a backward pass, or the gradients after our own sweep."""
        with suppress(Exception):
            nodes = self.engine.run(steps, at, "")
            if what == ".grad":
                self.engine.sweep(nodes["f"])
            numbers = self.engine.numbers(nodes)
            return all(_agrees(x, numbers, right) for x in right[0] if x.endswith(what))
        return False


def calls_itself(function: Any) -> bool:
    """Return whether a function or method uses its own name."""
    return function.__name__ in getattr(getattr(function, "__code__", None), "co_names", ())


def _sign(form: str) -> str:
    """Return the sign or the name of an operation: + for x + y, exp for exp(x)."""
    return re.sub(r"\{\}|\(.*|[\d., ]", "", form).rstrip("-") or "-"


def _slip(what: str, gives: Any, should: float, data: float) -> str:
    """Return a question about an operation's wrong number; empty if its cause is not clear."""
    if not isinstance(gives, Real):
        return ""
    if what == "f.data":
        return "This is the value of f, not a derivative. Which line computes it?"
    if isclose(gives, -should):
        return "The magnitude is right. Does f rise or fall as the operand grows?"
    if isclose(gives, data):
        return "This is the value of f. How fast does f change?"
    return ""


def _agrees(what: str, numbers: dict[str, Any], right: Sequence[dict[str, float]]) -> bool:
    """Return whether a number is one of the right ones, up to rounding."""
    number = numbers[what]
    return isinstance(number, Real) and any(isclose(number, each[what], rel_tol=1e-5, abs_tol=1e-5) for each in right)
