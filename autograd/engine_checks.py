"""Grades a scalar engine that somebody built: runs small programs on it and on Values, and names the bug they show.

The programs grow from one operation to many, and use only operations that smaller programs have found right. So the
first program that fails is the smallest, and which one it is tells the cause.
"""

import re
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from io import StringIO
from itertools import product
from math import isclose
from multiprocessing import TimeoutError, get_all_start_methods, get_context
from numbers import Real
from typing import Any, NamedTuple
from warnings import catch_warnings

from autograd import primitives
from autograd.engine_programs import AT, FORMS, IN_PLACE, NUMBERS, Subject, class_in, graphs, right_numbers
from autograd.text import clipped, printable, shown

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
                self.check_alone(form)
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

    def check_alone(self, form: str) -> None:
        """Run an operation by itself, then with a number in place of an operand."""
        for at in zip(POINTS, POINTS[3:] + POINTS[:3]):
            self.check("rule", "f = x ? y", form, at)
        numbers = [*NUMBERS] if form in FORMS and form.count("{}") == 2 else []
        is_reflected = form != "{}**{}" or hasattr(self.engine.node, "__rpow__")
        if all(self.check("constant", f"f = x ? {number}", form) for number in numbers) and is_reflected:
            for number in numbers[:2]:  # not everyone means the same by 0**x
                self.check("reflected", f"f = {number} ? x", form)

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
        rule = re.split(r"\.?\n|[.,] (?=which|[A-Z])", getattr(self.engine.forms.get(form), "__doc__", None) or "")[
            0
        ].rstrip(".")
        words = BUGS[key].format(op=op, rule=rule, method=f"__r{FORMS.get(form, ('',))[0]}__").partition(". ")
        key = "rule" if key == "upstream" else key
        self.found.setdefault(key, f"{key}: {words[0]}\n  {program}\n  {shows}\n  {words[2]}")
        return False


def _is_one_of(number: Any, others: Sequence[float]) -> bool:
    """Whether it is one of these numbers, up to rounding."""
    return isinstance(number, Real) and any(isclose(number, x, rel_tol=1e-5, abs_tol=1e-5) for x in others)
