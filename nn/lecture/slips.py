"""Finds what slipped between two lines: the one change of the wrong line that would make it true.

The changes come in the order in which people make the slips: a sign, a path, a factor 2, an index, σ for σ′ … A change
is tried at the points where the lines were compared, so no algebra has to recognise it. Where no single change helps,
the same search runs on each term alone; and where that finds nothing, the wrong term is named.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple

from autograd.contributions import gradients
from autograd.notation import number_text
from autograd.parser import functions
from nn.lecture.handwriting import Tree, one, show
from nn.lecture.worlds import Number, World

ONE, TWO, HALF = ("num", 1.0, "1"), ("num", 2.0, "2"), ("inv", ("num", 2.0, "2"))
MOST_NAMES = 60
Put = Callable[[Tree], Tree]


class Slip(NamedTuple):
    """A name, a sentence, and the line without the slip."""

    name: str
    sentence: str
    mended: Tree


class Place(NamedTuple):
    """A part of a tree, what puts another part there, and the tree around it."""

    tree: Tree
    put: Put
    around: Tree


def places(tree: Tree, put: Put = lambda x: x, around: Tree = ("",)) -> Iterator[Place]:
    """Every part of a tree, from outside to inside."""
    yield Place(tree, put, around)
    for i, x in enumerate(tree):
        if isinstance(x, tuple):
            yield from places(x, lambda new, i=i: put((*tree[:i], new, *tree[i + 1 :])), tree)  # type: ignore[misc]


def atoms(tree: Tree) -> set[Tree]:
    """The names and the derivatives in a tree."""
    return {tree} if tree[0] in ("name", "d") else set().union(*(atoms(x) for x in tree if isinstance(x, tuple)))


def substitute(tree: Tree, old: Tree, new: Tree) -> Tree:
    """The tree with every ``old`` replaced."""
    return new if tree == old else tuple(substitute(x, old, new) if isinstance(x, tuple) else x for x in tree)


def minus(x: Tree) -> Tree:
    """−x."""
    return x[1] if x[0] == "-" else ("-", x)


def times(x: Tree, factor: Tree) -> Tree:
    """x · factor, where a minus stays in front."""
    return ("-", times(x[1], factor)) if x[0] == "-" else ("·", x, factor)


class Diagnosis:
    """The search between the formula ``before``, which is right, and a wrong one.

    chain   the formulas from ∂f/∂s, where the lines start, to ``before``
    """

    def __init__(self, world: World, chain: Sequence[Tree]) -> None:
        self.world, self.before, self.chain = world, chain[-1], chain
        self.root: Tree = ("name", world.root)
        _, self.of, self.wrt, *_ = chain[0] if chain[0][0] == "d" else ("", self.root, None)
        self.target = world.numbers(self.before)
        point = world.points[-1]
        name_of = {x: ("name", name) for name, x in point.nodes.items()}
        self.names = [name for name in world.names if name not in ("e", "pi", "π")][:MOST_NAMES]
        self.slopes: list[Tree] = [  # σ′(z) of each a = σ(z)
            ("call", x.operation.name, 1, name_of[x.parents[0]])
            for x in name_of
            if x.operation and len(x.parents) == 1 and x.parents[0] in name_of and x.operation.name in functions()
        ]
        self.slopes = [x for x in self.slopes if x[1] not in ("identity", "neg")]
        self.between: list[Tree] = []  # what lies on the paths
        if self.wrt and self.of[0] == "name":
            f, s = point.nodes[self.of[1]], point.nodes[self.wrt[1]]
            from_f = gradients(f)
            self.between = [name_of[v] for v in from_f if v in name_of and v not in (f, s) and s in gradients(v)]
        self.paths = {v: ("·", ("d", self.of, v, "total"), ("d", v, self.wrt, "total")) for v in self.between}

    def find(self, wrong: Tree) -> Slip | None:
        """The first change that makes the formula right."""
        return next((slip for slip in self._changes(wrong) if self._is_right(slip.mended)), None) or self._termwise(wrong)

    def _is_right(self, tree: Tree) -> bool:
        return self.world.agree(tree, self.target)

    @property
    def _arity(self) -> int:
        """How many of the values that f is computed from directly depend on s."""
        direct = [v for v in self.between if any(x and x[0] for x in self.world.numbers(("d", self.of, v, "direct")))]
        return len(direct)

    def _changes(self, wrong: Tree) -> Iterator[Slip]:
        every = [x for x in places(wrong) if x.around[0] != "d" or x.tree[0] == "name"]
        terms = [x for x in every if x.around[0] in ("", "+") and x.tree[0] != "+"]
        whole = [x for x in every if x.around[0] == "" and x.tree[0] == "+"]
        inner = [x for x in every if x.tree[0] == "+" and x.around[0] in ("*", "·", "^")]
        spots = [*terms, *inner, *whole]
        for x, put, _ in spots:
            yield Slip("sign", f"The sign of {show(x)} is wrong.", put(minus(x)))
        if len(self.chain) == 1:
            there = [t for t in (wrong[1:] if wrong[0] == "+" else (wrong,)) if any(x and x[0] for x in self.world.numbers(t))]
            if len(there) < self._arity:
                yield from self._paths(wrong)
        for x, put, _ in [*whole, *terms]:
            yield Slip("factor 2", f"{show(x)} is half of what it should be.", put(times(x, TWO)))
            yield Slip("factor 2", f"{show(x)} is twice what it should be.", put(times(x, HALF)))
        yield from self._names(wrong, every, near=True)
        sums = [x for x in every if x.tree[0] == "+"]
        for x, put, _ in sums:
            yield Slip("sum for product", f"Along a path the factors multiply: {show(x)}.", put(("·", *x[1:])))
        for x, put, _ in sums:
            for i, term in enumerate(x[1:], 1):
                rest = one("+", [*x[1:i], *x[i + 1 :]])
                yield Slip("term too many", f"The term {show(term)} is too much.", put(rest))
        for x, put, _ in sums:
            for i in range(1, len(x) - 1):
                tree = one("+", [*x[1:i], ("·", *x[i : i + 2]), *x[i + 2 :]])
                yield Slip("sum for product", f"Along a path the factors multiply: {show(x)}.", put(tree))
        yield from self._local(every)
        yield from self._paths(wrong)
        yield from self._lost_terms(every)
        yield from self._factors(wrong, [*whole, *terms])
        yield from self._sums(every)
        yield from self._definitions(wrong)
        yield from self._names(wrong, every, near=False)
        yield from self._functions(every)

    def _paths(self, wrong: Tree) -> Iterator[Slip]:
        for v, term in sorted(self.paths.items(), key=lambda path: path[1][1] in atoms(wrong)):
            yield Slip("path forgotten", f"The path through {v[1]} is missing: {show(term)}.", ("+", wrong, term))

    def _names(self, wrong: Tree, every: Iterable[Place], near: bool) -> Iterator[Slip]:
        """Another name in one place or in all: first one that looks like it, then any."""
        for again in (False, True):
            for x, put, around in every:
                if x[0] == "d" and len(x) > 4:  # δ
                    for y in self.names:
                        new = (*x[:2], ("name", y), *x[3:])
                        if near and re.match(r"z[^\w]|z[⁰¹²³⁴⁵⁶⁷⁸⁹]", y):
                            yield Slip("wrong index", f"{show(x)} stands where {show(new)} belongs.", put(new))
                if x[0] != "name":
                    continue
                for y in self.names:
                    turned = x[1][0] == y[0] and sorted(x[1]) == sorted(y)
                    alike = (x[1][0] == y[0] or x[1][1:] == y[1:]) and len(x[1]) > 2
                    if y == x[1] or alike != near:
                        continue
                    name = (
                        "a for z in σ′" if around[0] == "call" and around[2] and (x[1][0], y[0]) == ("a", "z")
                        else "transposed weight" if turned and x[1][0] in "wW"
                        else "wrong index" if near and x[1][0] == y[0]
                        else "definition substituted wrongly" if self._substitutes(wrong) else "wrong name"
                    )  # fmt: skip
                    mended = substitute(wrong, x, ("name", y)) if again else put(("name", y))
                    yield Slip(name, f"{x[1]} stands where {y} belongs, in {show(around if around[0] else x)}.", mended)

    def _substitutes(self, wrong: Tree) -> bool:
        """Whether the step puts definitions in the place of names."""
        return any(x[0] == "name" and x[1] not in self.world.leaves for x in atoms(self.before) - atoms(wrong))

    def _local(self, every: Iterable[Place]) -> Iterator[Slip]:
        """σ for σ′, exponents, numbers, and factors that are too many."""
        for x, put, around in every:
            if x[0] == "call" and x[1] in ("sin", "cos"):
                other = ("call", "cos" if x[1] == "sin" else "sin", *x[2:])
                for new in (other, minus(other)):
                    yield Slip("wrong local derivative", f"{show(x)} stands where {show(new)} belongs.", put(new))
            elif x[0] == "call" and len(x) == 4:
                new = ("call", x[1], 1 - min(x[2], 1), x[3])
                name = "wrong local derivative" if x[2] else "slope forgotten"
                yield Slip(name, f"{show(x)} stands where {show(new)} belongs.", put(new))
                if x[2] and x[3][0] == "call":
                    yield Slip("a for z in σ′", f"In {show(x)} the slope is not taken at z.", put((*x[:3], x[3][3])))
            if x[0] == "^" and not atoms(x[2]):
                for by in (-1.0, 1.0):
                    new = ("^", x[1], ("+", x[2], ("num", by, number_text(by))))
                    yield Slip("exponent", f"The exponent of {show(x)} is off by one.", put(new))
            if x[0] == "name" and around[0] not in ("d", "^"):
                yield Slip("exponent", f"{x[1]} stands where {x[1]}² belongs, in {show(around if around[0] else x)}.", put(("^", x, TWO)))
            if x[0] == "num" and around[0] != "^":
                for value in (0.0, 1.0, -1.0, 2.0, 3.0, 0.5):
                    new = ("num", value, number_text(value))
                    yield Slip("wrong local derivative", f"{show(x)} stands where {show(new)} belongs.", put(new))
            if x[0] in ("*", "·"):
                for i, factor in enumerate(x[1:], 1):
                    if factor[:2] in (("num", 0.0), ("num", 1.0)):
                        continue
                    rest = [*x[1:i], *x[i + 1 :]]
                    name = "factor 2" if show(factor) in ("2", "½", "1/2") else "exponent" if factor in rest else "factor too many"
                    yield Slip(name, f"In {show(x)} the factor {show(factor)} is too much.", put(one(x[0], rest)))

    def _lost_terms(self, every: Iterable[Place]) -> Iterator[Slip]:
        """A term of the line before that is missing."""
        lost = [t for x in places(self.before) if x.tree[0] == "+" for t in x.tree[1:]]
        for x, put, around in every:
            if x[0] not in ("num", "d") and around[0] in ("", "*", "·", "-"):
                for term in lost:
                    yield Slip("term missing", f"The term {show(term)} is missing.", put(("+", x, term)))

    def _factors(self, wrong: Tree, spots: Iterable[Place]) -> Iterator[Slip]:
        """A factor that is missing in the whole, or in one term."""
        more: dict[Tree, str] = dict.fromkeys((x.tree for t in self.chain for x in places(t) if x.tree[0] == "call" and x.tree[2]), "slope forgotten")
        more |= dict.fromkeys(self.slopes, "slope forgotten")
        more |= {("+", ONE, ("-", ("name", v))): "slope forgotten" for v in self.names if v[0] == "a"}
        for x in (x.tree for tree in (wrong, *self.chain) for x in places(tree)):
            inside = x[3] if x[0] == "call" else x[1] if x[0] == "^" else None
            if inside and self.wrt and inside != self.wrt:
                more.setdefault(("d", inside, self.wrt, "total"), "inner derivative forgotten")
        for v in self.names:
            if ("name", v) in self.between or v[0] == "z":
                more.setdefault(("d", self.root, ("name", v), "total", "δ"), "upstream forgotten")
        for x, _, around in places(self.before):
            if around[0] in ("*", "·") and x[0] != "num":
                more.setdefault(x, "upstream forgotten" if x[0] == "d" and x[1] == self.root else "factor missing")
            if around[0] == "^" and x[0] == "num":
                more.setdefault(x, f"factor {show(x)}")
        more |= {("name", v): "weight forgotten" if v[0] == "w" else "factor missing" for v in self.names}
        for factor, name in more.items():
            for x, put, _ in spots:
                if name == "factor missing":
                    name = "exponent" if factor in atoms(x) else name
                    name = "definition substituted wrongly" if factor[0] == "name" and self._substitutes(wrong) else name
                yield Slip(name, f"{show(x)} lacks the factor {show(factor, within=1)}.", put(times(x, factor)))

    def _sums(self, every: Iterable[Place]) -> Iterator[Slip]:
        for x, put, _ in every:
            parts = x[1:]
            if x[0] in ("*", "·"):
                if all(p[0] == "*" for p in parts):
                    yield Slip("product for sum", f"The paths add: {show(x)}.", put(("+", *parts)))
                flat = [f for p in parts for f in (p[1:] if p[0] == "*" else (p,))]
                cuts = [[one("·", flat[:i]), one("·", flat[i:])] for i in range(1, len(flat))]
                for option in [flat, *cuts, [one("·", flat[i : i + 2]) for i in range(0, len(flat), 2)]]:
                    yield Slip("product for sum", f"The paths add: {show(x)}.", put(one("+", option)))

    def _functions(self, every: Iterable[Place]) -> Iterator[Slip]:
        """Another function, or a factor on the wrong side of a fraction."""
        for x, put, _ in every:
            news: list[Tree] = []
            if x[0] == "call" and len(x) == 4:
                names = ("sin", "cos", "tan", "exp", "log", "tanh", "σ", "relu", "sinh", "cosh", "sqrt")
                plain = [("call", name, primes, x[3]) for name in names for primes in (0, 1)]
                news = [*plain, ("inv", x[3]), *map(minus, plain)]
            elif x[0] == "d" and x[1][0] == "name" and x[1] != x[2]:
                new = ("d", x[2], x[1], "total")
                yield Slip("upside down", f"{show(x)} is upside down.", put(new))
            if x[0] not in ("num", "d", "-", "+"):
                news.append(x[1] if x[0] == "inv" else ("inv", x))
            for new in news:
                yield Slip("wrong local derivative", f"{show(x)} stands where {show(new)} belongs.", put(new))

    def _definitions(self, wrong: Tree) -> Iterator[Slip]:
        """The formula before, with something that is not y in the place of y: is it the wrong one?"""
        leaves: list[Tree] = [("name", x) for x in self.world.leaves[:5]]
        options = [*leaves, *((op, x, y) for op in "*+" for x, y in product(leaves, repeat=2))]
        target = self.world.numbers(wrong)
        for x, put, _ in places(self.before):
            if x[0] == "name" and x[1] not in self.world.leaves:
                for new in options:
                    if any(self.world.agree(t, target) for t in (put(new), substitute(self.before, x, new))):
                        yield Slip("definition substituted wrongly", f"{x[1]} is not {show(new)}.", self.before)

    def _termwise(self, wrong: Tree) -> Slip | None:
        """A slip of one kind in several terms; at last, the term that is wrong."""
        terms: list[Tree] = list(wrong[1:]) if wrong[0] == "+" else [wrong]
        before: tuple[Tree, ...] = self.before[1:] if self.before[0] == "+" else (self.before,)
        goals: dict[Tree, list[Number]] = {t: self.world.numbers(t) for t in (*before, *self.paths.values())}
        mended, slips, lost = [], [], []

        def taken(tree: Tree) -> bool:
            match = next((t for t in goals if self.world.agree(tree, goals[t])), None)
            return bool(match and goals.pop(match))

        rest = [term for term in terms if not taken(term)]
        for term in rest:
            slip = next((slip for slip in self._changes(term) if taken(slip.mended)), None)
            (slips if slip else lost).append(slip or term)
            mended.append(slip.mended if slip else term)
        if slips and not lost and self._is_right(one("+", [*(t for t in terms if t not in rest), *mended])):
            return slips[0]
        wrong_terms: Any = lost or rest
        return Slip("a term", f"Look at the term {show(wrong_terms[0])}.", wrong) if len(rest) < len(terms) and rest else None
