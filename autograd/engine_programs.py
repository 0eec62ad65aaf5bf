"""Runs small programs on a scalar engine that somebody built, and on Values, which give the right numbers."""

import operator
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from inspect import getmembers_static, isclass, isfunction, signature
from math import isfinite
from numbers import Real
from pathlib import Path
from random import Random
from runpy import run_path
from typing import Any

from autograd import primitives
from autograd.adopting.foreign import Engine, known_as
from autograd.errors import DomainError
from autograd.kinks import kinks
from autograd.table import TABLE, Primitive
from autograd.text import shown
from autograd.value import Value

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
        try:
            node = self.operations[form](*(self.make(x) for x in AT[: form.count("{}")]))
        except Exception:  # a bug to be found, unless the engine may not mean it for nodes
            return is_method or (form in FORMS and form != "{}**{}")
        is_node = bool(self.words.word("grad", node)) and isinstance(self.words.read("data", node), Real)
        return is_node or is_method or (form in FORMS and form != "{}**{}")  # a return may be forgotten

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
