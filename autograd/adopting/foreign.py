"""What other scalar engines call things: where a node keeps its number, its gradient, its parents, its operation."""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from enum import Enum
from functools import cache
from inspect import isfunction, ismethod
from itertools import chain, islice
from numbers import Real
from operator import attrgetter
from typing import Any

from autograd.table import TABLE, Primitive

Word = str | Callable[[Any], Any] | None

# the likeliest first; a leading _ or m_ does not count
WORDS = {
    "data": "data value val item number num scalar primal v x",
    "grad": "grad gradient adjoint adj bar derivative deriv dv g d",
    "parents": "prev children parents inputs operands args arguments deps dependencies sources srcs edges "
    "predecessors incoming creators ctx context grad_fn creator operation op",
    "operation": "op operation kind opcode op_name func function fn sym symbol grad_fn creator ctx context",
    "local_derivatives": "local_derivatives local_grads local_gradients locals partials derivatives derivs",
    "name": "label name tag",
}
COUNTERS = {
    "id",
    "uid",
    "index",
    "idx",
    "serial",
    "count",
    "order",
    "depth",
    "level",
    "generation",
    "version",
    "rank",
}
KNOWN_AS = {
    "add": "+ plus radd shift", "sub": "- minus rsub subtract", "mul": "* times rmul multiply scale",
    "abs": "absolute", "div": "/ divide rdiv truediv rtruediv", "neg": "- negate negative minus",
    "pow": "** rpow", "log": "ln", "power": "** pow square:2 squared:2 cube:3 reciprocal:-1 inverse:-1",
    "maximum": "max", "minimum": "min", "atan": "arctan", "asin": "arcsin", "acos": "arccos", "sigmoid": "logistic",
    "identity": "pos", "product": "prod", "affine": "fma", "silu": "swish", "clamp": "clip",
    "log_sigmoid": "logsigmoid",
}  # fmt: skip
CONTAINERS = (tuple, list, set, frozenset, deque)
MOST = 16  # how much to look at in an attribute that may lead to a whole tape


class Engine:
    """Reads the nodes of another engine by the usual words.

    told    the caller's own words by the kinds in ``WORDS``: an attribute, or a function of a node
    """

    def __init__(self, root: Any, told: Mapping[str, Word] | None = None) -> None:
        self.told = told or {}
        self.base = next(c for c in reversed(type(root).__mro__) if c.__module__ not in ("builtins", "abc", "typing"))
        self.beside: dict[int, list[float]] = {}  # local derivatives that stand beside the parents, by the node's id
        self.merged: set[int] = set()  # ids of nodes whose parents were in a set or a dict, each once
        self._words: dict[tuple[str, type], Word] = {}
        self._parents: dict[type, Word] = {}  # the words for these
        self._names: dict[type, dict[str, str]] = {}
        self._classes: set[type] = set()  # of nodes
        self._root_word = ""  # for the parents of the root; it comes first for all others

    def names(self, kind: str, thing: Any) -> list[str]:
        """The attributes that have a usual name for this kind, the likeliest first."""
        if type(thing) not in self._names:
            self._names[type(thing)] = {_plain(name): name for name in reversed(dir(thing)) if name[:2] != "__"}
        names = self._names[type(thing)]
        return [names[word] for word in WORDS[kind].split() if word in names]

    def word(self, kind: str, node: Any) -> Word:
        """What the class of this node calls it: an attribute, or a function of the node; None if it has no word."""

        def is_right(name: str) -> bool:
            thing = getattr(node, name, None)
            is_number_there = is_number(thing) or (kind == "grad" and thing is None)
            return is_number_there == (kind in ("data", "grad")) and not ismethod(thing)

        key = kind, type(node)
        if key not in self._words:
            self._words[key] = self.told.get(kind) or next(filter(is_right, self.names(kind, node)), None)
        return self._words[key]

    def read(self, kind: str, node: Any) -> Any:
        """What a node holds under the word for this kind; None where it has no word."""
        word = self.word(kind, node)
        return getattr(node, word, None) if isinstance(word, str) else word(node) if word else None

    def column(self, kind: str, nodes: Sequence[Any]) -> list[Any]:
        """``read`` for many nodes."""
        words = {self.word(kind, node) for node in {type(node): node for node in nodes}.values()}
        word = words.pop()
        with suppress(AttributeError):  # a slot may be empty
            if not words and (isinstance(word, str) or not word):
                return [*map(attrgetter(word), nodes)] if word else [None] * len(nodes)
        return [self.read(kind, node) for node in nodes]

    def reader(self, node: Any) -> Callable[[Any], Any]:
        """What reads number, name and operation from the nodes of this node's class."""
        data, name, operation = (self.word(kind, node) for kind in ("data", "name", "operation"))
        words = [word for word in (data, name or data, operation) if isinstance(word, str)]  # no number is a name
        if len(words) == 3 and all("__slots__" not in vars(kind) for kind in type(node).__mro__[:-1]):
            return attrgetter(*words)
        return lambda node: [self.read(kind, node) for kind in ("data", "name", "operation")]  # a slot may be empty

    def is_node(self, thing: Any) -> bool:
        """Whether it is a node of this engine: it has a number, and a gradient or the class of the root."""

        def has(kind: str) -> bool:
            word = self.word(kind, thing)
            return hasattr(thing, word) if isinstance(word, str) else bool(word) and isinstance(thing, self.base)

        return not is_number(thing) and has("data") and (isinstance(thing, self.base) or has("grad"))

    def parents(self, node: Any) -> Any:
        """What a node was computed from."""
        word = self._parents.get(node.__class__) or self._word_for_parents(node)
        held = getattr(node, word, None) if word.__class__ is str else word(node) if word else None  # type: ignore
        if held.__class__ in (tuple, list, set) and self._classes.issuperset(map(type, held)):
            return held
        found = [x for x in self.held(held) if x is not node]
        nodes = [x for x in found if not is_number(x)]
        self._classes.update(map(type, nodes))
        is_flat = isinstance(held, CONTAINERS) and any(map(self.is_node, held))
        if len(found) == 2 * len(nodes) and not is_flat:  # a number stands beside each parent
            self.beside[id(node)] = [float(x) for x in found if is_number(x)]
        if isinstance(held, (Set, Mapping)):
            self.merged.add(id(node))
        return nodes

    def _word_for_parents(self, node: Any) -> Word:
        """A usual attribute that leads to nodes, else those that are nodes, as left and right, else any."""

        def leads(name: str) -> bool:
            held = getattr(node, name, None)
            found = [*islice(self.held(held), MOST)]
            is_tape = any(x is node for x in found) and not isfunction(held)  # it holds the node itself too
            return not is_tape and any(x is not node and not is_number(x) for x in found)

        def direct(node: Any) -> list[Any]:
            things = [getattr(node, name, None) for name in fields(node)]
            return [x for x in things if x is not node and self.is_node(x)]

        usual = sorted(self.names("parents", node), key=lambda name: _plain(name) != self._root_word)
        of_root = [name for name in usual[:1] if _plain(name) == self._root_word]
        word = self.told.get("parents") or next(chain(of_root, filter(leads, usual)), None)
        word = word or (direct if direct(node) else next(filter(leads, fields(node)), None))
        if word:  # a class without one may be that of leaves
            self._parents[type(node)] = word
            self._root_word = self._root_word or (_plain(word) if isinstance(word, str) else "")
        return word

    def stored(self, node: Any, count: int) -> list[float] | None:
        """The local derivatives that a node keeps, one for each of its parents."""
        held = () if id(node) in self.beside else self.held(self.read("local_derivatives", node))
        found = self.beside.get(id(node)) or [float(x) for x in held if is_number(x)]
        return found if found and len(found) == count else None

    def kept(self, node: Any, operands: Sequence[float], count: int) -> list[float]:
        """Numbers that a node keeps beside its own, its gradient and its local derivatives, as ``count`` constants.

        Those of its operands count where there are not enough others; one in a backward function is an operand then.
        """
        known, found = {*COUNTERS, *(self.word(kind, node) for kind in ("data", "grad", "local_derivatives"))}, []
        for name in fields(node):
            thing = getattr(node, name, None) if not known & {name, _plain(name)} else None
            numbers = [float(x) for x in islice(self.held(thing, everywhere=True), MOST) if is_number(x)]
            found += [x for x in numbers if x not in operands or count > 1 or not isfunction(thing)]
        others = dict.fromkeys(x for x in found if x not in operands)
        return [*others] if len(others) >= count else [*dict.fromkeys(found)]

    def held(self, thing: Any, everywhere: bool = False) -> Iterator[Any]:
        """The nodes and numbers in containers, objects and closures, in order.

        everywhere    of an operation that has operands, not these alone
        """
        stack, seen = [iter((thing,))], dict[int, Any]()
        while stack:
            for thing in stack[-1]:
                if is_number(thing) or self.is_node(thing):
                    yield thing
                elif id(thing) not in seen and not isinstance(thing, (str, type, Enum)):
                    seen[id(thing)] = thing
                    stack.append(iter(self._inside(thing, everywhere)))
                    break
            else:
                stack.pop()

    def _inside(self, thing: Any, everywhere: bool) -> Iterable[Any]:
        if isinstance(thing, (Mapping, *CONTAINERS)):
            return thing.items() if isinstance(thing, Mapping) else thing
        if isfunction(thing):
            cells = zip(thing.__code__.co_freevars, thing.__closure__ or ())
            return [cell.cell_contents for name, cell in sorted(cells, key=lambda pair: pair[0] != "self")]
        operands = [] if everywhere else self.names("parents", thing)[:1]
        things = [getattr(thing, name, None) for name in operands or fields(thing)]
        return sorted(things, key=lambda x: not (is_number(x) or self.is_node(x)))  # of an edge, first its own

    def labels(self, node: Any, operation: Any) -> list[str]:
        """What may name an operation: what the node says, its backward function, its class; the likeliest first."""
        words: list[Any] = [operation] if operation.__class__ in (str, int) else []
        if operation is not None and not words:
            words = [getattr(operation, "name", None), getattr(operation, "__name__", type(operation).__name__)]
        functions = [getattr(getattr(node, name, None), "__qualname__", "") for name in fields(node)]
        words += [name.split(".<locals>")[-2] for name in functions if ".<locals>" in name]  # Value.__mul__
        words += [type(node).__name__] * (type(node) is not self.base)
        return [str(word) for word in words if word not in (None, "", "<lambda>")]


def fields(thing: Any) -> list[str]:
    """The attributes that an object itself holds, in order."""
    slots = chain.from_iterable(getattr(c, "__slots__", ()) for c in reversed(type(thing).__mro__))
    return [name for name in (*slots, *getattr(thing, "__dict__", ())) if name[:2] != "__"]


def is_number(thing: Any) -> bool:
    """Whether it is a plain number."""
    return isinstance(thing, Real) and not isinstance(thing, bool)


@cache
def _plain(name: str) -> str:
    """A name as ``WORDS`` has it: ``_prev``, ``_Value__prev`` and ``m_prev`` are prev."""
    return re.sub(r"^_\w*__|^_?(m_)?", "", name).lower()


@cache
def known_as(label: str) -> list[tuple[Primitive, float | None]]:
    """The entries of the table that a label may mean, and a number in it: "**2", "pow(2)", "MulBackward", "ReLU"."""
    named = defaultdict[str, list[tuple[Primitive, float | None]]](list)
    for entry in TABLE.values():
        for word in {entry.name, entry.symbol.lower(), *KNOWN_AS.get(entry.name, "").split()}:
            word, _, number = word.partition(":")
            named[word].append((entry, float(number) if number else None))
    name = label.lower().split(".")[-1].strip("_ ").replace("−1", "-1")
    short = re.sub(r"_?(backward\d*|function|node|op|fn|const|constant)$", "", name)
    found = re.fullmatch(r"(?:[a-z](?=\W))?(\D+?)[\s(_]*([-+]?\d+\.?\d*(?:e[-+]?\d+)?)\)?", name)
    numbered = named[found[1]] if found and name not in named and short not in named else []
    return named[name] or named[short] or [(e, float(found[2])) for e, _ in numbered if found and e.takes_constants]
