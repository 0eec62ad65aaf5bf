"""Provides the points at which two formulas are compared; the engine computes their values and derivatives."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import product
from math import isfinite
from random import Random
from typing import Any

from autograd import primitives
from autograd.contributions import gradients
from autograd.functions import named
from autograd.graph import topological_order
from autograd.notation import SUPERSCRIPTS, labels
from autograd.parser import CONSTANTS, Definitions, functions
from autograd.table import is_constant
from autograd.text import clipped
from autograd.value import Value, apply
from nn.lecture.handwriting import Reader, Tree, Unreadable, spellings, typed
from nn.losses import half_squared_error
from nn.module import Trace

Number = tuple[float, float] | None  # a number and the largest intermediate result; None if it is undefined
Build = Callable[[Mapping[str, float]], dict[str, Value]]
SIZES = ((-2.0, 2.0), (0.3, 2.0), (0.05, 0.95), (-2.0, 2.0), (-6.0, 6.0), (-1.0, 1.0), (1.1, 4.0), (-0.1, 0.1))
NICE = (2.0, 3.0, 5.0, 4.0, 7.0, 6.0)
MOST_POINTS, MOST_NODES = 12, 3000
DIGITS, ROUNDING = 1e-9, 1e-13  # relative to the number, and to the largest intermediate result
LAYER = "([⁰¹²³⁴⁵⁶⁷⁸⁹]+)"
NONE: Mapping[Tree, float] = {}


class Point:
    """Every named value for certain inputs, with the derivatives between them."""

    def __init__(self, nodes: dict[str, Value]) -> None:
        self.nodes, self._functions = nodes, functions()
        self._gradients: dict[tuple[Value, str], dict[Value, float]] = {}
        self._numbers: dict[Tree, Number] = {}

    def derivative(self, f: Any, x: Value, way: str) -> float:
        """Return ∂f/∂x over all paths; if ``way`` is "direct", without those through other named values."""
        if not isinstance(f, Value):
            return 0.0
        if (f, way) not in self._gradients:
            held = [v for v in self.nodes.values() if v is not f] if way == "direct" else []
            self._gradients[f, way] = gradients(f, held)
        return self._gradients[f, way].get(x, 0.0)

    def number(self, tree: Tree, fixed: Mapping[Tree, float] = NONE) -> Number:
        """Evaluate a formula in which some names or derivatives have ``fixed`` numbers."""
        if fixed or tree not in self._numbers:
            peak, found = [0.0], None
            with suppress(ValueError, ArithmeticError, TypeError, KeyError):
                found = float(self._compute(tree, peak, fixed, False)), peak[0]
            if fixed:
                return found
            self._numbers[tree] = found
        return self._numbers[tree]

    def _compute(self, tree: Tree, peak: list[float], fixed: Mapping[Tree, float], as_node: bool) -> Any:
        if tree in fixed:
            return fixed[tree]
        kind, *parts = tree
        found: Any
        if kind in ("name", "num", "const"):
            found = parts[0] if kind == "num" else CONSTANTS[parts[0]] if kind == "const" else self.nodes[parts[0]]
            found = found if as_node else getattr(found, "data", found)
        elif kind == "d":
            f = self._compute(parts[0], peak, fixed, True)
            found = self.derivative(f, self.nodes[parts[1][1]], parts[2])
        elif kind == "call":
            operands = [self._compute(x, peak, fixed, as_node) for x in parts[2:]]
            if parts[1]:
                operands = [Value(getattr(x, "data", x)) for x in operands]
            found = self._functions[parts[0]](*operands)
            for _ in range(parts[1]):  # σ′; a Reader refuses second derivatives
                found = gradients(found)[operands[0]]
            found = found if as_node else getattr(found, "data", found)
        else:
            found, *others = [self._compute(x, [0.0] if kind == "^" else peak, fixed, as_node) for x in parts]
            if kind in ("-", "inv"):
                found = -found if kind == "-" else 1.0 / found
            for x in others:
                found = found + x if kind == "+" else found**x if kind == "^" else found * x
        if not isfinite(size := abs(getattr(found, "data", found))):
            raise OverflowError
        peak[0] = max(peak[0], size)
        return found


class World:
    """The subject of a derivation: the words that its lines may use, and the points.

    root, leaves, names   the names of the function, of the inputs, and of all values
    own                   the point with the graph's own numbers, if it has numbers
    """

    def __init__(self, where: Any, numbers: Mapping[str, float], vary_targets: bool = False) -> None:
        if isinstance(where, str):
            definitions = Definitions(where)
            self.root, self.leaves = definitions.name, list(definitions.inputs)
            build: Build = lambda at: definitions.at(**at)  # noqa: E731
        else:
            build = self._rebuilt(where, vary_targets)
        self.own = Point(build(numbers)) if numbers or not isinstance(where, str) else None
        self.points = [self.own] if self.own else []
        rng = Random(23)
        tries = [{x: NICE[i % 6] / scale for i, x in enumerate(self.leaves)} for scale in (1.0, 10.0)]
        tries += [{x: round(rng.uniform(*size), 2) or 0.37 for x in self.leaves} for size in SIZES * 12]
        for at in tries:
            try:
                self.points += [Point(build(at))] if len(self.points) < MOST_POINTS else []
            except (ValueError, ArithmeticError):  # outside a domain
                continue
        if not self.points:
            raise ValueError("mark: the definitions have no value at any of the numbers tried: check their domains")
        self.names = list(nodes := self.points[0].nodes)
        name_of = {x: name for name, x in nodes.items()}
        self.activations = {  # by the name of their z
            name_of[x.parents[0]]: x.operation.name
            for x in name_of
            if x.operation and len(x.parents) == 1 and x.parents[0] in name_of
            if x.operation not in (primitives.identity, primitives.neg)
        }
        self.words = dict(self._words())
        self.formulas: dict[str, Tree] = {}  # by the name that the text defines
        for part in re.split("[;\n]", where) if isinstance(where, str) else ():
            with suppress(Unreadable):
                name = part.partition("=")[0].strip() if "=" in part else self.root
                self.formulas[name] = Reader(self.words).readings(typed(part.rpartition("=")[2]))[0]

    def _rebuilt(self, where: Any, vary_targets: bool) -> Build:
        """Return a function that recomputes a graph with other leaves and, if they vary, other targets y_j."""
        if isinstance(where, Trace):
            y = [Value(0.5, f"y_{j + 1}") for j in range(len(where.a[-1]))]
            where = named(L=half_squared_error(where.output, y if isinstance(where.output, list) else y[0]))
        elif not isinstance(where, Value):
            expected = "definitions, such as 'f = x*y; x = r', a Value or the trace of a network"
            raise TypeError(f"mark takes {expected}, not {clipped(repr(where))}")
        if len(order := topological_order(where)) > MOST_NODES:
            most = f"mark takes graphs of at most {MOST_NODES:,} nodes"
            raise ValueError(f"{most}, not {len(order):,}: pass only the part that the lines are about")
        name_of = {x: name for x, name in labels(order, where).items() if not is_constant(x)}
        self.root = name_of.setdefault(where, "f")
        targets: dict[Value, str] = {}
        for x in order:
            pairs = (x.parents, x.parents[::-1]) if x.operation is primitives.sub else ()
            for y_j, a in pairs:
                if is_constant(y_j) and (m := re.fullmatch(f"a{LAYER}_(\\d+)", a.name or "")):
                    targets[y_j] = f"y_{m[2]}"
        name_of |= {y: name for y, name in targets.items() if name not in name_of.values()}
        self.leaves = [name_of[x] for x in order if x.operation is None or (vary_targets and x in targets)]

        def build(at: Mapping[str, float]) -> dict[str, Value]:
            new: dict[Value, Value] = {}
            for x in order:
                if x.parents and x.operation:
                    new[x] = apply(x.operation, *(new[parent] for parent in x.parents))
                else:
                    new[x] = Value(at.get(name_of[x], x.data)) if x in name_of else x
            return {name: new[x] for x, name in name_of.items()}

        return build

    def _words(self) -> Iterator[tuple[str, Tree]]:
        """Yield each word with its meaning; later meanings win."""
        root: Tree = ("name", self.root)
        targets = [name for name in self.names if re.fullmatch(r"y_\d+", name)]
        found = {m[1] for name in self.names if (m := re.fullmatch(f"z{LAYER}_.*", name))}
        layers = sorted(found, key=lambda layer: int(layer.translate(SUPERSCRIPTS)))
        if self.root == "f":
            yield "L", root
        short = [name for name in self.names if len(name) == 1]
        for f, x in product(short, repeat=2):  # f_x
            yield f"{f}_{x}", ("d", ("name", f), ("name", x), "total")
        for name in targets:
            yield from ((word, ("name", name)) for word in (f"t_{name[2:]}", *["y"] * (len(targets) == 1)))
        for name in self.names:
            meant: list[tuple[str, Tree]] = [(name, ("name", name))]
            if m := re.fullmatch(f"z{LAYER}_[\\d,]+", name):
                delta: Tree = ("d", root, ("name", name), "total", "δ")
                meant += [(f"δ{name[1:]}", delta), (f"d{name[1:]}", delta)]
            for letter, layer in (("x", "⁰"), ("ŷ", layers[-1] if layers else "-")):
                if (m := re.fullmatch(f"a{layer}_(.*)", name)) and f"{letter}_{m[1]}" not in self.names:
                    is_only = f"a{layer}_2" not in self.names
                    meant += [(word, ("name", name)) for word in (f"{letter}_{m[1]}", *[letter] * is_only)]
            for word, tree in meant:
                for spelled in spellings(word):
                    yield spelled, tree
                    for i in (1, 2) if len(layers) > 1 else ():  # δᴸ_1, aᴸ⁻¹_1
                        if f"{layers[-i]}_" in word:
                            yield re.sub(r"\^\(\d+\)", ("", "^(L)", "^(L-1)")[i], spelled), tree

    def numbers(self, tree: Tree, fixed: Mapping[Tree, float] = NONE) -> list[Number]:
        """Evaluate a formula at each point."""
        return [at.number(tree, fixed) for at in self.points]

    def agree(self, tree: Tree, target: Sequence[Number], within: float = 0.0) -> bool:
        """Return whether a formula has these numbers at every point that counts, and whether enough points count.

        A point does not count if either number is undefined or if cancellation leaves too few digits. The graph's
        own numbers do not count either, because they may be at a kink.
        """
        met = tried = 0
        for at, there in zip(self.points, target):
            if there is None or (at is self.own and len(self.points) >= 4):
                continue
            tried += 1
            if here := at.number(tree):
                apart, peak = abs(here[0] - there[0]), max(here[1], there[1])
                if apart <= DIGITS * max(abs(here[0]), abs(there[0])) + ROUNDING * peak + within:
                    met += 1
                elif apart > DIGITS * peak:
                    return False
        return met >= min(3, tried) > 0
