"""Grades a scalar engine that somebody built: runs small programs on it and on Values, and names the bug they show.

The programs grow from one operation to many, and use only operations that smaller programs have found right. So the
first program that fails is the smallest, and which one it is tells the cause.
"""

import operator
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout, suppress
from functools import cache, partial
from inspect import getmembers_static, isclass, isfunction, signature
from io import StringIO
from itertools import product
from math import isclose, isfinite
from multiprocessing import TimeoutError, get_all_start_methods, get_context
from numbers import Real
from pathlib import Path
from random import Random
from runpy import run_path
from typing import Any, NamedTuple
from warnings import catch_warnings

from autograd import primitives
from autograd.adopting.foreign import Engine, known_as
from autograd.errors import DomainError
from autograd.kinks import kinks
from autograd.table import TABLE, Primitive
from autograd.text import clipped, printable, shown
from autograd.value import Value

# what each bug is, in its first sentence, and what leads to its cause
BUGS = {
    "rule": "{op} is wrong by itself. Its rule: {rule}. Which sign, factor or case of the code differs from it?",
    "upstream": "the derivative of {op} is right by itself, and wrong inside an expression. There, the backward step "
    "has to multiply it by the gradient of the result, which is not 1. Where does {op} multiply by it?",
    "overwrites": "a gradient is set with = instead of added to with +=. Two contributions arrive at one node here, "
    "and one is lost. Which line assigns to a gradient with =, in {op}, for all operations, or for inputs alone?",
    "order": "a node passes its gradient on too early, too often or not at all. It must pass it on exactly once, "
    "after all nodes that use it have passed on theirs. In which order does the pass visit the nodes of this f?",
    "lost-edge": "an operation counts only one operand if both are the same node. Each of the two adds to the node's "
    "gradient. Where does a set, a dictionary or a comparison of nodes merge the two?",
    "compounds": "a further pass starts with the old gradients between f and its inputs. Where are they set to 0?",
    "constant": "{op} goes wrong with a plain number. Which line makes a node of any number, such as 2, 2.5 and 0?",
    "reflected": "{op} goes wrong, where the number is on the left. For that, Python calls {method} of the node. Is "
    "it defined, and does it take the number as the left operand?",
    "stale": "the backward pass reads data that changed after the forward pass. Which .data does the backward step "
    "of {op} look up, and where could the forward step store them?",
    "mutates": "a number of an operand changes, which an operation may only read. An operation makes a new node, and "
    "a backward pass changes only gradients. Which line assigns to the number, or to .data or .grad of an operand?",
    "depth": "a function calls itself once per node, and Python stops at about 1,000 nested calls. This f is a chain "
    "of 1,501 operations. Which function is it, and how would a loop over a list of nodes do the same?",
    "exits": "the code ends the program. Which line does so, by exit() or SystemExit?",
    "endless": "the code does not come to an end. Which loop is it? Without a timeout, Ctrl+C shows its line.",
}
POINTS = (0.9, -1.5, 2.0, 3.0, 0.5, -0.3, 0.1, -4.0, 9.0, -13.0, 30.0, -40.0)
# templates by what they show, in which x ? y stands for any operation
INSIDE = (
    ("upstream", "b = x ? y; f = b * z"),
    ("overwrites", "b = x ? y; c = x ? z; f = b + c"),
    ("overwrites", "b = y ? x; c = z ? x; f = b + c"),
    ("overwrites", "a = x * y; b = a ? z; c = a ? w; f = b + c"),
)
SAME = tuple(("lost-edge", x) for x in ("f = x ? x", "b = x * y; f = b ? b", "b = x * y; c = x * y; f = b ? c"))
MAY_RAISE = {"compounds": RuntimeError, "stale": AttributeError}  # an engine that refuses a pass, or other data
Steps = tuple[tuple[str, str, tuple[str, ...]], ...]  # of a program: a name, the form of an operation, its operands
POWERS = {f"{{}}**{p}": p for p in (2, 3, -1, 0.5)}
# how programs write each operator, its method, and its entry; an engine may use earlier ones in later ones
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
NUMBERS = {"2": 2, "2.5": 2.5, "0": 0}  # beside a node
AT = (0.6, 0.7, 1.7, 0.9)  # x, y, z and w


class EngineVerdict(NamedTuple):
    """What is wrong with an engine, in words by key, the likeliest cause first. True where nothing is."""

    found: dict[str, str]
    programs: int = 0  # that were run

    @property
    def bugs(self) -> list[str]:
        """The keys of what is wrong."""
        return [*self.found]

    def __bool__(self) -> bool:
        return not self.found

    def __repr__(self) -> str:
        return printable("\n\n".join(self.found.values()) or f"right in all {self.programs} programs")


def check_engine(
    engine: Any, timeout: float | None = None, backward: Callable[[Any], Any] | None = None
) -> EngineVerdict:
    """Grade a scalar engine by the class of its nodes, ``check_engine(Value)``, or by its file, "my_engine.py".

    engine      or a function that makes an input of a number
    timeout     run a file, or what pickle takes, in a process of its own, and end that after so many seconds
    backward    runs the backward pass from a node, where that has no usual name

    Tries what the engine offers: operators, numbers beside nodes, functions, second passes, data that change, a long
    chain. In pytest, ``assert verdict, verdict`` shows the text. Raises ValueError where a file has no class of
    nodes, or a node no number, gradient or backward pass under a usual name.
    """
    if timeout is not None:
        context = get_context("fork" if "fork" in get_all_start_methods() else None)
        with catch_warnings(action="ignore"), context.Pool(1) as pool:  # of a fork beside threads
            try:
                return pool.apply_async(check_engine, (engine, None, backward)).get(timeout)
            except TimeoutError:
                return EngineVerdict({"endless": f"endless: {BUGS['endless']} It ran for {timeout:g} seconds."})
    with redirect_stdout(StringIO()):  # an engine may print at each step
        try:
            make = engine if callable(engine) else class_in(engine)
            return _Checks(Subject(make, backward)).verdict()
        except SystemExit:
            return EngineVerdict({"exits": f"exits: {BUGS['exits']} It did so before any program ran."})


class Subject:
    """Somebody's engine. Its ``forms`` are its operations, as programs write them, each with its entry."""

    def __init__(self, make: Any, backward: Callable[[Any], Any] | None = None) -> None:
        try:
            leaf = make(2.0)
            if getattr(leaf, "requires_grad", None) is False:
                leaf = (make := partial(make, requires_grad=True))(2.0)
        except Exception as error:
            raise ValueError(f"{error!r}: give a function that makes a node of one number, lambda x: …") from error
        self.make, self.words, self.node = make, Engine(leaf), type(leaf)
        methods = {name: f for name, f in getmembers_static(self.node) if f is not vars(float).get(name)}
        beside = next((f.__globals__ for f in methods.values() if isfunction(f)), {})
        usual: list[Any] = [backward, *(f[name] for f in (beside, methods) for name in BACKWARD if name in f)]
        self.operations, self.backward = {**OPERATORS}, next(filter(callable, usual), usual[0])
        for what in ("data", "grad", "backward"):
            if not (self.backward if what == "backward" else self.words.word(what, leaf)):
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
        self.forms = {form: forms[form] for form in sorted(offered, key="{}**{}".__eq__)}  # it may use exp and log

    def _offers(self, form: str, is_method: bool) -> bool:
        """Whether an operation takes nodes and gives one, as a function of plain numbers does not."""
        is_meant = is_method or (form in FORMS and form != "{}**{}")  # if it raises or forgets to return, a bug
        with suppress(Exception):
            node = self.operations[form](*(self.make(x) for x in AT[: form.count("{}")]))
            is_meant |= bool(self.words.word("grad", node)) and isinstance(self.words.read("data", node), Real)
        return is_meant

    def run(self, steps: Steps, at: Sequence[float], roots: str, changed: str = "") -> dict[str, Any]:
        """The nodes of a program, after data ``changed`` to −7 and a backward pass from each of the roots."""
        used = {x for _, _, operands in steps for x in operands}
        nodes: dict[str, Any] = {x: self.make(number) for x, number in zip("xyzw", at) if x in used}
        for name, form, operands in steps:
            nodes[name] = self.operations[form](*(nodes[x] if x in nodes else NUMBERS[x] for x in operands))
        for x in changed:
            setattr(nodes[x], str(self.words.word("data", nodes[x])), -7.0)
        for root in roots:
            self.backward(nodes[root])
        return nodes

    def numbers(self, nodes: dict[str, Any]) -> dict[str, Any]:
        """The data and the gradients of nodes."""
        data = {f"{x}.data": self.words.read("data", node) for x, node in nodes.items()}
        return data | {f"{x}.grad": self.words.read("grad", node) or 0.0 for x, node in nodes.items()}


def call(entry: Primitive) -> str:
    """How programs write a function of the table."""
    return f"{entry.name}({', '.join('{}' for _ in entry.letters)})"


OURS = Subject(Value)
OURS.operations |= {call(entry): entry for entry in TABLE.values()}


@cache
def right_numbers(steps: Steps, at: Sequence[float] = AT, roots: str = "f") -> list[dict[str, float]]:
    """The numbers that are right after a program; none where f has a kink or no value.

    There are two choices: an input's gradient may be the sum of those of the passes, or that of the last one.
    """
    try:
        nodes = [OURS.run(steps, at, passes) for passes in (roots, roots[-1])]
    except DomainError:
        return []
    numbers = [OURS.numbers(each) for each in nodes]
    return numbers if all(map(isfinite, numbers[0].values())) and not kinks(nodes[0]["f"]) else []


def graphs(twice: bool) -> Iterator[tuple[str, str]]:
    """Random graphs, the small ones first. Each node joins two of the four before it, or the same one ``twice``."""
    rng = Random(0)
    draw = rng.choices if twice else rng.sample
    for size in sorted([*range(2, 9)] * 20):
        names = ["x", "y", "z", "w", *"abcdegh"[: size - 1], "f"]
        steps = [f" {rng.choice('+*')} ".join(draw(names[k : k + 4], k=2)) for k in range(size)]
        yield "order", "; ".join(f"{name} = {step}" for name, step in zip(names[4:], steps))


def class_in(file: str | Path) -> type:
    """The class of nodes in a file: Value, or the likeliest, rather one of its own than one that it imports."""
    sys.path.insert(0, str(Path(file).parent))  # it may import its neighbours
    try:
        classes: list[type] = [object, *filter(isclass, run_path(str(file), run_name="checked").values())]
        return max(classes, key=lambda c: (c.__name__ == "Value", hasattr(c, "__add__"), c.__module__ == "checked"))
    except Exception as error:
        raise ValueError(f"{file} cannot be loaded: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(Path(file).parent))


class _Checks:
    """The programs on one engine. Those of an operation that is ``wrong`` are run no further."""

    def __init__(self, engine: Subject) -> None:
        self.engine, self.programs = engine, 0
        self.found, self.wrong = dict[str, str](), set[str | None]({None})
        entries = {primitives.add: "+", primitives.mul: "*"}
        self.signs = {entries[entry]: form for form, entry in engine.forms.items() if entry in entries}

    def verdict(self) -> EngineVerdict:
        """Run the programs, the smallest first."""
        simple = [*self.signs.values()]
        others = [form for form in self.engine.forms if form not in simple]
        for forms, apart, twice in (simple, graphs(twice=False), graphs(twice=True)), (others, (), ()):
            for form in forms:
                for at in zip(POINTS, POINTS[3:] + POINTS[:3]):
                    self.check("rule", "f = x ? y", form, at)
                numbers = [*NUMBERS] if form in FORMS and form.count("{}") == 2 else []
                is_reflected = form != "{}**{}" or hasattr(self.engine.node, "__rpow__")
                if all(self.check("constant", f"f = x ? {number}", form) for number in numbers) and is_reflected:
                    for number in numbers[:2]:  # not everyone means the same by 0**x
                        self.check("reflected", f"f = {number} ? x", form)
            for programs, used in (INSIDE, forms), (apart, [""]), (SAME, forms), (twice, [""]):
                for (key, template), form in product(programs, used):
                    self.check(key, template, form)
            if "order" in self.found:  # no gradient can be trusted
                return EngineVerdict(self.found, self.programs)
        for roots in ("ff", "cf", "bf", "fc", "fb"):
            self.check("compounds", "b = x * y; c = b + z; f = c * z", roots=roots)
        for form in self.engine.forms:
            self.check("mutates", "f = x ? y", form, is_again=True)
            self.check("stale", "f = x ? y", form, changed="xyf" if form.count("{}") == 2 else "xf")
            if form in IN_PLACE and form not in self.wrong:
                self.check("mutates", "f = x ? y", IN_PLACE[form])
        self.check("depth", f"f = x + y{'; f = f + y' * 1500}")
        return EngineVerdict(self.found, self.programs)

    def check(
        self, key: str, template: str, form: str = "", at: Sequence[float] = AT, roots: str = "f", changed: str = "",
        is_again: bool = False,
    ) -> bool:  # fmt: skip
        """Run a program, unless it uses what is wrong, and keep the first bug of each kind. False if it shows one.

        changed     nodes whose data become −7 before the backward pass
        is_again    whether the last operation runs once more after it, and should change nothing
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
        try:
            nodes = self.engine.run(steps, at, roots, changed)
            if is_again:
                self.engine.operations[form](*(nodes[x] for x in steps[-1][2]))
            numbers = self.engine.numbers(nodes)
        except (Exception, SystemExit) as error:
            if isinstance(error, MAY_RAISE.get(key, ())):
                return True
            key = "exits" if isinstance(error, SystemExit) else key
            shows = f"it raises {clipped(f'{type(error).__name__}: {error}', 150)}"
        else:
            compared = [x for x in right[0] if (x[0] in "xyzw" if ".grad" in x else not changed)]
            wrong = [x for x in compared if not _is_one_of(numbers[x], [each[x] for each in right])]
            if not wrong:
                return True
            what, gives, should = wrong[0], numbers[wrong[0]], right[0][wrong[0]]
            number = f"{gives:.6g}" if isinstance(gives, Real) else shown(gives)
            shows = f"{what} is {number}, but should be {should:.6g}"
            arrived = "a.grad" in right[0] and _is_one_of(numbers["a.grad"], [right[0]["a.grad"]])
            is_more = isinstance(gives, Real) and abs(float(gives)) > abs(should)
            is_silent = form == self.signs.get("+") and gives == 0.0 and key in ("rule", "upstream")
            if what.endswith(".data") and what != "f.data":
                key = "mutates"
            elif is_silent or (key == "overwrites" and (arrived or is_more)):
                key = "order"
        has_number = key in ("constant", "reflected")
        self.wrong |= {*self.signs.values()} if key == "order" else set() if has_number else {form} - {""}
        op = text.removeprefix("f = ") if has_number else form.format("x", "y")
        rule = getattr(self.engine.forms.get(form), "__doc__", None) or ""
        rule = re.split(r"\.?\n|[.,] (?=which|[A-Z])", rule)[0].rstrip(".")
        words = BUGS[key].format(op=op, rule=rule, method=f"__r{FORMS.get(form, ('',))[0]}__").partition(". ")
        key = "rule" if key == "upstream" else key
        self.found.setdefault(key, f"{key}: {words[0]}\n  {program}\n  {shows}\n  {words[2]}")
        return False


def _is_one_of(number: Any, others: Sequence[float]) -> bool:
    """Whether it is one of these numbers, up to rounding."""
    return isinstance(number, Real) and any(isclose(number, x, rel_tol=1e-5, abs_tol=1e-5) for x in others)
