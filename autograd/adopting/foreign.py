"""Finds where the nodes of another scalar engine store their number, gradient, parents and operation."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from enum import Enum
from functools import cache
from inspect import isfunction, ismethod
from itertools import chain
from numbers import Real
from types import FunctionType
from typing import Any

from autograd.table import TABLE, Primitive

Word = str | Callable[[Any], Any] | None

# usual names, the likeliest first; _prev, _Value__prev and m_prev are read as prev
WORDS = {
    "data": "data value val item number num scalar primal v x",
    "grad": "grad gradient adjoint adj bar derivative deriv dv g d",
    "parents": "prev children parents inputs operands args arguments deps dependencies sources srcs edges "
    "predecessors incoming creators ctx context grad_fn creator operation op",
    "operation": "op operation kind opcode op_name func function fn sym symbol grad_fn creator ctx context",
    "local_derivatives": "local_derivatives local_grads local_gradients locals partials derivatives derivs",
    "constants": "params extra saved_values saved constants constant const exponent power factor bounds ctx context",
    "name": "label name tag",
}
KNOWN_AS = {
    "add": "+ plus radd shift", "sub": "- minus rsub subtract", "mul": "* times rmul multiply scale",
    "div": "/ divide rdiv truediv rtruediv", "neg": "- negate negative minus", "abs": "absolute", "pow": "** rpow",
    "power": "** pow", "log": "ln", "maximum": "max", "minimum": "min", "sigmoid": "logistic", "identity": "pos",
    "product": "prod", "affine": "fma", "silu": "swish", "clamp": "clip", "log_sigmoid": "logsigmoid",
}  # fmt: skip
POWERS = {"square": "**2", "squared": "**2", "cube": "**3", "reciprocal": "**-1", "inverse": "**-1"}
CONTAINERS = (tuple, list, set, frozenset, deque)
MOST = 16  # an attribute that leads to more nodes, and is not a container, is a whole tape


class Engine:
    """Reads the nodes of another engine by the usual names; ``given`` replaces them for some kinds in ``WORDS``."""

    def __init__(self, root: Any, given: Mapping[str, Word] | None = None) -> None:
        self.given = given or {}
        self.base = next(c for c in reversed(type(root).__mro__) if c.__module__ not in ("builtins", "abc", "typing"))
        self.beside: dict[int, list[float]] = {}  # local derivatives stored beside the parents, by node id
        self._names: dict[type, dict[str, str]] = {}
        self._words: dict[tuple[str, type], Word] = {}
        self._functions: dict[type, str] = {}  # the attribute of the backward function, or an empty string
        self._classes: set[type] = set()  # of nodes

    def names(self, kind: str, thing: Any) -> list[str]:
        """Return the attributes that have a usual name for this kind, the likeliest first."""
        if type(thing) not in self._names:
            own = [name for name in reversed(dir(thing)) if name[:2] != "__"]
            self._names[type(thing)] = {re.sub(r"^_\w*__|^_?(m_)?", "", name).lower(): name for name in own}
        names = self._names[type(thing)]
        return [names[word] for word in WORDS[kind].split() if word in names]

    def word(self, kind: str, node: Any) -> Word:
        """Return how to read this kind from nodes of this class: an attribute, a function of the node, or None."""
        key = kind, type(node)
        if key not in self._words:
            words: list[Word] = [*self.names(kind, node)]
            words += (self._direct, *_fields(node)) if kind == "parents" else ()
            suiting = (word for word in words if self._suits(kind, _at(word, node), node))
            word = self.given.get(kind) or next(suiting, None)
            if kind == "parents" and not word:
                return None  # this node may be a leaf
            self._words[key] = word
        return self._words[key]

    def _suits(self, kind: str, thing: Any, node: Any) -> bool:
        if kind == "parents":
            found = [x for x in self._held(thing) if not is_number(x)]
            is_tape = any(x is node for x in found) or (len(found) > MOST and not isinstance(thing, CONTAINERS))
            return bool(found) and not is_tape
        is_number_there = is_number(thing) or (kind == "grad" and thing is None)
        return is_number_there == (kind in ("data", "grad")) and not ismethod(thing)

    def _direct(self, node: Any) -> list[Any]:
        """Return the attributes that are nodes themselves, such as left and right."""
        return [x for name in _fields(node) if self.is_node(x := getattr(node, name, None)) and x is not node]

    def read(self, kind: str, node: Any) -> Any:
        """Return what a node stores for this kind; None if its class does not have it."""
        return _at(self.word(kind, node), node)

    def column(self, kind: str, nodes: Sequence[Any]) -> list[Any]:
        """Return ``read`` for many nodes."""
        words = {type(node): self.word(kind, node) for node in dict(zip(map(type, nodes), nodes)).values()}
        return [_at(words[type(node)], node) for node in nodes]

    def is_node(self, thing: Any) -> bool:
        """Return whether this is a node of the engine: it has a number, and a gradient or the root's class."""
        data, grad = (self.word(kind, thing) for kind in ("data", "grad"))
        if isinstance(thing, self.base):
            return data is not None
        return all(isinstance(word, str) and hasattr(thing, word) for word in (data, grad))

    def graph(self, roots: Iterable[Any]) -> tuple[list[Any], dict[int, Any]]:
        """Return all nodes, each after its parents, and the parents of each node by its id."""
        order, parents, stack = list[Any](), dict[int, Any](), [*roots]
        while stack:
            node = stack.pop()
            if node is None:  # all parents of the next node are done
                order.append(stack.pop())
            elif id(node) not in parents:
                parents[id(node)] = held = self.parents(node)
                stack += (node, None)
                stack += held
        return order, parents

    def parents(self, node: Any) -> Any:
        """Return a node's parents: in a set or a dict if each is stored only once; a set has no order."""
        word = self._words.get(("parents", node.__class__)) or self.word("parents", node)
        held = getattr(node, word, None) if word.__class__ is str else _at(word, node)
        if held.__class__ in (tuple, list, set) and self._classes.issuperset(map(type, held)):
            return held
        found = [x for x in self._held(held) if x is not node]
        nodes = [x for x in found if not is_number(x)]
        self._classes.update(map(type, nodes))
        is_flat = isinstance(held, (*CONTAINERS, Mapping)) and any(map(self.is_node, held))
        if len(found) == 2 * len(nodes) and not (is_flat and isinstance(held, CONTAINERS)):
            self.beside[id(node)] = [float(x) for x in found if is_number(x)]
        is_merged = is_flat and isinstance(held, (Set, Mapping))
        return nodes if not is_merged else {*nodes} if isinstance(held, Set) else dict.fromkeys(nodes)

    def in_order(self, node: Any, held: Any) -> Any:
        """Return the parents in a set in order: the one that the backward function calls self comes first."""
        word = self._functions.get(node.__class__)
        if word is None:
            word = next((name for name in _fields(node) if isfunction(getattr(node, name, None))), "")
            self._functions[type(node)] = word
        function = getattr(node, word, None)
        if len(held) != 2 or function.__class__ is not FunctionType or "self" not in function.__code__.co_freevars:
            return held
        x, y = held
        me = function.__closure__[function.__code__.co_freevars.index("self")].cell_contents  # type: ignore[index]
        return (x, y) if x is me else (y, x)

    def stored(self, node: Any, count: int) -> list[float] | None:
        """Return the local derivatives that a node stores, one for each of its parents, or None."""
        held = self.read("local_derivatives", node)
        is_plain = isinstance(held, (tuple, list)) and all(isinstance(x, Real) for x in held)  # including True
        found = self.beside.get(id(node)) or ([*map(float, held)] if is_plain else self._numbers(held))
        return found if found and len(found) == count else None

    def kept(self, node: Any, operands: Sequence[float]) -> list[float]:
        """Return the numbers that a node, its operation or its backward function stores as constants."""
        homes = node, self.read("operation", node)
        found = [getattr(home, name, None) for home in homes for name in self.names("constants", home)]
        cells = [cell.cell_contents for function in _functions(node) for cell in function.__closure__ or ()]
        held = [float(x) for x in cells if is_number(x)]
        return self._numbers(found) + ([x for x in held if x not in operands] or held)

    def labels(self, node: Any) -> list[str]:
        """Return possible names of a node's operation: from the node, then its backward function, then its class."""
        operation = self.read("operation", node)
        words = [
            operation,
            getattr(operation, "name", None),
            getattr(operation, "__name__", type(operation).__name__),
        ]
        words = words[:1] if isinstance(operation, str) else words[1:] if operation is not None else []
        words += [f.__qualname__.split(".<locals>")[-2] for f in _functions(node) if ".<locals>" in f.__qualname__]
        words += [type(node).__name__] * (type(node) is not self.base)
        return [word for word in words if isinstance(word, str) and word not in ("", "<lambda>")]

    def _numbers(self, thing: Any) -> list[float]:
        return [float(x) for x in self._held(thing) if is_number(x)]

    def _held(self, thing: Any) -> Iterator[Any]:
        """Yield the nodes and numbers in containers and objects, in order; only the operands if an object has any."""
        stack, seen = [thing], dict[int, Any]()
        while stack:
            thing = stack.pop()
            if is_number(thing) or self.is_node(thing):
                yield thing
            elif id(thing) not in seen and not isinstance(thing, (str, type, Enum)):
                seen[id(thing)] = thing
                inside = thing.items() if isinstance(thing, Mapping) else thing
                if not isinstance(thing, (Mapping, *CONTAINERS)):
                    names = self.names("parents", thing)[:1] or _fields(thing)
                    things = [
                        getattr(thing, name, None) for name in names
                    ]  # an edge's own fields come before the next edge
                    inside = sorted(things, key=lambda x: not (is_number(x) or self.is_node(x)))
                stack += reversed([*inside])


def is_number(thing: Any) -> bool:
    """Return whether this is a plain number."""
    return isinstance(thing, Real) and not isinstance(thing, bool)


def _fields(thing: Any) -> list[str]:
    slots = chain.from_iterable(getattr(c, "__slots__", ()) for c in reversed(type(thing).__mro__))
    return [name for name in (*slots, *getattr(thing, "__dict__", ())) if name[:2] != "__"]


def _functions(node: Any) -> list[Any]:
    return [f for name in _fields(node) if isfunction(f := getattr(node, name, None))]


def _at(word: Word, node: Any) -> Any:
    return getattr(node, word, None) if isinstance(word, str) else word(node) if word else None


@cache
def known_as(label: str) -> list[tuple[Primitive, float | None]]:
    """Return the entries that a label may mean, with the number in it: "**2", "pow(2)", "MulBackward", "ReLU"."""
    words = {e: {e.name, e.symbol.lower(), *KNOWN_AS.get(e.name, "").split()} for e in TABLE.values()}
    name = label.lower().split(".")[-1].strip("_ ").replace("−1", "-1").replace("arc", "a")
    short = re.sub(r"_?(backward\d*|function|node|op|fn|const|constant)$", "", name)
    for spelling in (name, short):
        if found := [(entry, None) for entry in words if spelling in words[entry]]:
            return [*found]
    number = re.fullmatch(r"(?:[a-z](?=\W))?(\D+?)[\s(_]*([-+]?\d+\.?\d*(?:e[-+]?\d+)?)\)?", POWERS.get(short, name))
    return [(e, float(number[2])) for e in words if number and e.takes_constants and number[1] in words[e]]
