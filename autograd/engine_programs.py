"""What ``check_engine`` runs: operations one by one, then small graphs of them, on somebody's engine and on Values.

A template is the text of a program, in which G(x,y) is an operation, and F(x,y) is one in brackets.
"""

import operator
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from inspect import isclass, isfunction, signature
from math import isclose, isfinite
from numbers import Real
from pathlib import Path
from random import Random
from runpy import run_path
from typing import Any, NamedTuple

from autograd import primitives
from autograd.adopting.foreign import Engine, known_as
from autograd.errors import DomainError
from autograd.graph import topological_order
from autograd.kinks import kinks
from autograd.parser import Definitions, ExpressionError
from autograd.table import Primitive, is_constant
from autograd.text import clipped, shown
from autograd.value import Value

# how programs write each operation, its method, and its entry; an engine may use earlier operations in later ones
FORMS: dict[str, tuple[str, Primitive]] = {
    "{} + {}": ("add", primitives.add), "{}*{}": ("mul", primitives.mul), "-{}": ("neg", primitives.neg),
    "{} - {}": ("sub", primitives.sub), "exp({})": ("", primitives.exp), "log({})": ("", primitives.log),
    **{f"{{}}**{p}": ("pow", primitives.power) for p in (2, 3, -1, 0.5)}, "{}**{}": ("pow", primitives.pow),
    "{}/{}": ("truediv", primitives.div), "abs({})": ("abs", primitives.abs),
}  # fmt: skip
BACKWARD = ("backward", "backprop", "back_propagate", "backpropagate", "backward_pass", "run_backward", "propagate")
VARIANTS = {"gelu", "detach", "identity", "floor", "sign"}  # not everyone means the same by these
NUMBERS = ("2", "2.5", "0")  # beside a node
AT = (0.6, 0.7, 1.7, 0.9)  # x, y, z and w
TWINS = (0.6, 0.7, 1.7, 0.6)  # where x and w are equal
POINTS = (0.9, -1.5, 2.0, 3.0, 0.5, -0.3, 0.1, -4.0, 9.0, -13.0, 30.0, -40.0, 0.0)
INSIDE = {"F(x,y)*z": "upstream", "F(x,y) + F(x,z)": "overwrites", "F(y,x) + F(z,x)": "overwrites"}
SAME = ("G(x,x)", "G(b,b); b = x*y", "G(b,c); b = x*y; c = x*y")
GRAPHS = (  # in which nodes are used twice, or are no part of f
    "x + y*z", "(x + y*z)*w", "x + (y*z + w)", "b*z + b*w; b = x*y", "b + c; c = b + z; b = x*y",
    "c + b; c = b + z; b = x*y", "b + z; c = b*w; b = x*y", "x*y; c = x*z",
)  # fmt: skip
# with the roots of the passes
AGAIN = {"c*z; c = b + z; b = x*y": "ff fff cf bf fc fb", "b*z; c = b + z; b = x*y": "cf fc"}


def tangled(twice: bool) -> Iterator[str]:
    """Random graphs, in which each node adds or multiplies two of the four before it, or ``twice`` the same one."""
    yield from ("b*c; c = b*b; b = x*y", "c*b; c = b*b; b = x*y") if twice else ()
    rng, draw = Random(0), Random.choices if twice else Random.sample
    for size in (3, 4, 5, 6, 8, 10) * 12:
        names = [*"xyzw", *(f"a{k}" for k in range(size))]
        steps = [f"{a} = {rng.choice('+*').join(draw(rng, names[k : k + 4], k=2))}" for k, a in enumerate(names[4:])]
        yield "; ".join(reversed(steps)).partition(" = ")[2]


def chains() -> Iterator[str]:
    """Chains of 1,536 additions, which go on at the left operand or at the right one."""
    for step in ("{}" + " + y" * 48, "y + (" * 48 + "{}" + ")" * 48):
        steps = [f"a{k} = {step.format(f'a{k + 1}' if k < 31 else 'x')}" for k in range(32)]
        yield "; ".join(steps).removeprefix("a0 = ")


class Probe(NamedTuple):
    """A text that defines f, the numbers for x, y, z and w, and what is done with it.

    roots      where backward passes start, one after another
    changed    the nodes whose data become −7 between the forward and the backward pass
    in_place   the + of x += y, which takes the place of x + y
    """

    text: str
    at: tuple[float, ...]
    roots: str = "f"
    changed: str = ""
    in_place: str = ""

    def __str__(self) -> str:
        inputs = {x: number for x, number in zip("xyzw", self.at) if re.search(rf"\b{x}\b", self.text)}
        changed = [x for x in self.changed if x in inputs or x == "f"]
        text = clipped(self.text, 40 if len(self.text) > 1000 else 200)
        if self.in_place:
            text = f"x; f {self.in_place}= y"
        change = f", then {'.data = '.join(changed)}.data = -7, then backward" * bool(changed)
        passes = f", backward from {', then from '.join(self.roots)}" * (self.roots != "f")
        at = ", ".join(f"{x} = {number:g}" for x, number in inputs.items())
        return f"f = {text}   at {at}{change}{passes}"


def filled(template: str, form: str, signs: Sequence[str]) -> str:
    """The program of a template for an operation, in which + and * are these signs; "" if it has none of them."""
    if {*"+*"} & {*template} and not signs:
        return ""
    text = template.replace("+", signs[0]).replace("*", signs[-1]) if signs else template
    text = re.sub(r"F\((.),(.)\)", "G(\\1,\\2)" if form.endswith(")") else "(G(\\1,\\2))", text)
    return re.sub(r"G\((.),(.)\)", lambda m: form.format(m[1], m[2]), text)


@cache
def right_numbers(program: Probe) -> tuple[dict[str, Value], list[Value], list[dict[str, float]]]:
    """The named nodes, all nodes, and the numbers that are right at the end; none where f has a kink or no value.

    A leaf's gradient may be the sum of those of the passes, or that of the last one.
    """
    found: list[dict[str, float]] = []
    try:
        definitions = Definitions(f"f = {program.text}")
        for roots in (program.roots, program.roots[-1]):
            nodes = definitions.at(**{x: number for x, number in zip("xyzw", program.at) if x in definitions.inputs})
            for root in roots:
                nodes[root].backward()
            numbers = {f"{x}.data": node.data for x, node in nodes.items()}
            found.append({"f": nodes["f"].data} | numbers | {f"{x}.grad": node.grad for x, node in nodes.items()})
    except (DomainError, ExpressionError):  # no value at this point, or no sign to write it with
        return {}, [], []
    every = [*dict.fromkeys(node for root in nodes.values() for node in topological_order(root))]
    return nodes, every, found if all(map(isfinite, found[0].values())) and not kinks(nodes["f"]) else []


def close(number: Any, *others: float) -> bool:
    """Whether a number is one of the others, up to rounding."""
    return any(isclose(number, x, rel_tol=1e-5, abs_tol=1e-5) for x in others)


def class_in(file: Path) -> type:
    """The class of nodes in a file: Value, or the likeliest, rather one of its own than one that it imports."""
    folder, known = file.resolve().parent, {*sys.modules}
    sys.path.insert(0, str(folder))  # it may import its neighbours
    try:
        classes = [c for c in run_path(str(file), run_name="checked").values() if isclass(c)]
    except Exception as error:
        raise ValueError(f"{file} cannot be loaded: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(folder))
        for name in {*sys.modules} - known:  # another file may have neighbours of the same name
            if Path(getattr(sys.modules[name], "__file__", None) or "").parent == folder:
                del sys.modules[name]
    if not classes:
        raise ValueError(f"{file} defines no class: it needs that of the nodes, such as Value")
    return max(classes, key=lambda c: (c.__name__ == "Value", hasattr(c, "__add__"), c.__module__ == "checked"))


class Subject:
    """Somebody's engine: how to make a node, run a backward pass, and the operations that it has.

    forms      its operations, as FORMS writes them, and their entries
    methods    of the class of its nodes, whose data may be set if it ``is_mutable``
    nodes      those of the last program, by name
    passes     what may be its backward pass; ``backward`` is the one in use
    """

    def __init__(self, make: Any, backward: Callable[[Any], Any] | None) -> None:
        try:
            leaf = make(2.0)
            if getattr(leaf, "requires_grad", None) is False:
                leaf = (make := partial(make, requires_grad=True))(2.0)
        except Exception as error:
            fault = f"check_engine: {shown(make)}(2.0) raises {type(error).__name__}: {error}"
            raise ValueError(f"{fault}; give a function that makes a node of one number, lambda x: …") from error
        self.make, self.nodes, of = make, dict[str, Any](), type(leaf)
        self.words = Engine(leaf)
        own = [name for name in dir(of) if getattr(of, name, None) is not getattr(float, name, None)]
        self.methods = {name: getattr(of, name) for name in own}
        beside = next((f.__globals__ for f in self.methods.values() if isfunction(f)), {})
        usual = [names[word] for word in BACKWARD for names in (self.methods, beside) if word in names]
        self.passes: list[Callable[[Any], Any]] = [backward] if backward else usual
        for what in ("data", "grad", "backward"):
            is_the_number = what == "data" and isinstance(leaf, float)
            if not (is_the_number or (self.passes if what == "backward" else self.words.word(what, leaf))):
                raise ValueError(f"check_engine: {shown(leaf)} ({of.__name__}) has no {what} under a usual name")
        self.backward = self.passes[0]
        try:
            setattr(leaf, str(self.words.word("data", leaf)), 2.0)
            self.is_mutable = self.read("data", leaf) == 2.0
        except (AttributeError, TypeError):
            self.is_mutable = False
        has = {entry: name for name, entry in FORMS.values() if f"__{name}__" in self.methods}
        self.theirs = {entry: getattr(operator, name) for entry, name in has.items()}
        if not self.makes_node(operator.pow, primitives.pow):
            self.theirs.pop(primitives.pow, None)
        for name, f in (beside | self.methods).items():
            is_own = isfunction(f) and f.__module__ == of.__module__ and name[:2] != "__"
            for entry, _ in known_as(name) if is_own else ():
                if self.makes_node(f, entry, name == entry.name and name in self.methods):
                    self.theirs.setdefault(entry, f)
        calls = {f"{e.name}({', '.join(['{}'] * len(e.letters))})": e for e in self.theirs}
        known = {form: entry for form, (_, entry) in FORMS.items() if entry in self.theirs}
        self.forms = known | {call: entry for call, entry in calls.items() if entry not in known.values()}

    def read(self, kind: str, node: Any) -> Any:
        """The data or the gradient of a node; a node that is a float may be its own data."""
        found = self.words.read(kind, node) if self.words.word(kind, node) else None
        return float(node) if found is None and kind == "data" and isinstance(node, float) else found

    def makes_node(self, f: Callable[..., Any], entry: Primitive, if_it_raises: bool = False) -> bool:
        """Whether f makes a node of an entry's operands, as a function of plain numbers does not."""
        count = len(entry.letters)
        if entry.variadic or entry.name in VARIANTS or not count == len(signature(f).parameters) <= 2:
            return False
        try:
            node = f(*(self.make(0.9) for _ in range(count)))
            return bool(self.words.word("grad", node)) and isinstance(self.read("data", node), Real)
        except Exception:
            return if_it_raises

    def numbers(self, program: Probe) -> Iterator[tuple[str, Any]]:
        """What a program gives, one after another: leaves' data, f, their gradients, and all data afterwards."""
        named, every, _ = right_numbers(program)
        made: dict[Value, Any] = {}
        for node in every:
            if is_constant(node):
                made[node] = int(node.data) if node.data.is_integer() else node.data
            elif node.operation:
                f = self.theirs[node.operation]
                f = getattr(operator, f"i{f.__name__}") if program.in_place else f
                made[node] = f(*(made[x] for x in node.parents))
            else:
                made[node] = self.make(node.data)
        read, self.nodes = self.read, {x: made[node] for x, node in named.items()}
        leaves = [x for x in named if not named[x].operation]
        yield from ((f"{x}.data", read("data", self.nodes[x])) for x in leaves)
        yield "f", read("data", self.nodes["f"])
        for x in filter(named.__contains__, program.changed):
            setattr(self.nodes[x], str(self.words.word("data", self.nodes[x])), -7.0)
        for root in program.roots:
            self.backward(self.nodes[root])
        yield from ((f"{x}.grad", read("grad", self.nodes[x]) or 0.0) for x in leaves)
        if not program.changed:
            yield from ((f"{x}.data after the backward pass", read("data", self.nodes[x])) for x in named)
