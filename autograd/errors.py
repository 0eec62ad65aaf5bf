"""Errors about numbers and derivatives; each message names operation, operands, rule and remedy in one line."""

from __future__ import annotations

import re
from collections.abc import Callable
from os.path import dirname, exists
from typing import Any, NoReturn

from autograd.node import Node
from autograd.operands import data_of
from autograd.text import called, printable

# HIPS autograd has no errors.py, so it cannot overwrite this file, and every import of the packages runs it
if exists(dirname(__file__) + "/tracer.py"):
    raise ImportError(
        "the packages autograd (HIPS) and chainrule are installed over each other: both are imported as `autograd`; "
        "fix it with `pip uninstall --yes autograd chainrule` and then `pip install chainrule`"
    )


class Fault(ValueError, ArithmeticError):
    """Base class of errors about numbers that are not finite. Pickles its message but not the graph."""

    def __init__(self, message: str, node: Any = None) -> None:
        super().__init__(message)
        self.node = node

    def __str__(self) -> str:
        return printable(super().__str__())

    def __reduce__(self) -> Any:
        return type(self), self.args


class DomainError(Fault):
    """Raised if finite operands give no finite value: they are outside the domain, or the result overflows.

    node    the node at fault, whose graph can be drawn, or None

    >>> from autograd import Value, log
    >>> log(Value(0.0, "p"))
    Traceback (most recent call last):
        ...
    autograd.errors.DomainError: log at p = 0.0: needs p > 0
    """


class AnomalyError(Fault):
    """Raised inside ``detect_anomaly`` if an operand, a local derivative or a gradient is NaN or infinite.

    node    the node at which the fault was found; the message names its operation and operands
    """


REPLACEMENTS = {
    "requires_grad": "`with no_grad():` around code that needs no graph; every leaf has a gradient",
    "zero_grad": "x.grad = 0.0; an optimiser has zero_grad()",
    **dict.fromkeys(("item", "value", "numpy"), "x.data"),
    **dict.fromkeys(("children", "prev"), "x.parents"),
    **dict.fromkeys(("op", "grad_fn"), "x.operation"),
    "local_grads": "x.local_derivatives",
}  # attributes of other engines, and what to write instead


def _symbol(node: Node) -> str:
    return node.operation.symbol if node.parents else ""


def _one_step(node: Node) -> None:
    for parent, local in node.edges:
        parent.grad += local * node.grad


MICROGRAD: dict[str, Any] = {
    "label": vars(Node)["name"],
    **dict.fromkeys(("_prev", "_children"), Node.parents),
    "_local_grads": Node.local_derivatives,
    "_op": property(_symbol, doc="The operation's symbol; empty for a leaf."),
    "_backward": _one_step,
}  # micrograd's names, which work here too, so that its notebooks run unchanged


def name_among(name: str | None, label: str | None = None, **unknown: Any) -> str | None:
    """Return the name given to a constructor as ``name`` or ``label``. Raises TypeError for any other keyword."""
    if unknown:
        raise TypeError("; ".join(map(called_here, unknown)))
    return label if name is None else name


def called_here(name: str) -> str:
    """Return what to write instead of an attribute that a Value does not have."""
    return f"a Value has no {name}" + (f": write {REPLACEMENTS[name]}" if name in REPLACEMENTS else "")


class Elsewhere:
    """An attribute of other engines; using it raises an AttributeError that says what to write instead."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, node: Node | None, owner: object) -> NoReturn:
        raise AttributeError(called_here(self.name))

    __set__ = __get__


def situation(node: Node, number_of: Callable[[Any], float] = data_of) -> str:
    """Return a node's operation and operands, ``log at p = 0.0``; ``number_of`` returns the number of an operand."""
    at = [f"{word} = {number_of(x)!r}" for word, x in zip(words_for(node), node.parents)]
    return f"{node.operation.name} at {', '.join(at if len(at) <= 6 else [*at[:3], f'… {len(at) - 3} more'])}"


def words_for(node: Node) -> list[str]:
    """Return words for a node's operands: their names, or else the rule's letters.

    If a letter is also the name of a value nearby, an unnamed operand is described by its operation, relu(x).
    """
    entry, near = node.operation, list(node.parents)
    for x in near:  # `near` grows inside the loop
        near += x.parents if len(near) < 100 else ()
    numbered = [f"x{i + 1}" for i in range(len(node.parents))]
    clashes = {x.name for x in near} & {*entry.letters, *numbered}
    names = [x.name or (_described(x) if clashes and x.operation and x.parents else None) for x in node.parents]
    taken = set(re.findall(r"\w+", " ".join(filter(None, names))))
    return [
        called(name, "") if name else f"operand {i + 1}" if letter in taken else letter
        for i, (name, letter) in enumerate(zip(names, numbered if entry.variadic else entry.letters))
    ]


def _described(node: Node) -> str:
    given = [x.name or ("…" if x.operation is None or x.parents else f"{x._data:g}") for x in node.parents[:3]]
    given += ["…"] * (len(node.parents) > 3)
    return f"{node.operation.name}({', '.join(given)})"


def broken_rule(node: Node, derivative: bool = False, number_of: Callable[[Any], float] = data_of) -> str:
    """Return ``needs p > 0`` if a node's operands are outside the domain of its value, or of its local derivatives.

    Returns an empty string if they are inside the domain.
    """
    entry, operands, words = node.operation, [*map(number_of, node.parents)], words_for(node)
    broken = [
        domain.words(x=word)
        for domain, word, x in zip(entry.domains_of(len(operands), derivative), words, operands)
        if not domain.contains(x=x)
    ]
    if not broken and not entry.defined_at(*operands, derivative=derivative):
        broken = [entry.joint_words(words)]
    return f"needs {' and '.join(broken)}" if broken else ""


def complaint(node: Node, number_of: Callable[[Any], float] = data_of) -> str:
    """Return why a node with finite operands has no finite value."""
    where, needs, remedy = situation(node, number_of), broken_rule(node, number_of=number_of), node.operation.remedy
    if needs:
        return f"{where}: {needs}" + (f"; {remedy}" if remedy else "")
    return f"{where}: overflow, the result {number_of(node)!r} is beyond the largest float, 1.8e308"
