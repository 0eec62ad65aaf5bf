"""Finds what slipped between two lines: the one change of the wrong line that would make it true.

The changes come in the order in which people make the slips: a sign, a path, a factor 2, an index, σ for σ′ … A
change is tried at the points where the lines were compared, so no algebra has to recognise it. Where no single one
helps, the same search runs on each term alone; and where that finds nothing, the wrong term is named.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations, product
from typing import NamedTuple

from autograd.contributions import gradients
from autograd.notation import number_text
from autograd.parser import CONSTANTS
from nn.lecture.handwriting import Tree, one, show
from nn.lecture.worlds import Number, World

ONE, TWO, HALF = ("num", 1.0, "1"), ("num", 2.0, "2"), ("inv", ("num", 2.0, "2"))
MOST_NAMES, MOST_PLACES = 60, 250
UNNAMED = re.compile("v[₀₁₂₃₄₅₆₇₈₉]+")
ACTIVATIONS = ("σ", "sigmoid", "tanh", "relu", "softplus", "elu", "gelu", "silu", "leaky_relu")
INVERSE = {
    "term too many": "term missing", "term missing": "term too many", "factor too many": "factor missing",
    "factor missing": "factor too many", "sum for product": "product for sum", "product for sum": "sum for product",
    "slope forgotten": "factor too many", "upstream forgotten": "factor too many", "path forgotten": "term too many",
    "inner derivative forgotten": "factor too many", "weight forgotten": "factor too many",
}  # fmt: skip
Put = Callable[[Tree], Tree]


class Mending(NamedTuple):
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


def settled(tree: Tree) -> Tree:
    """The tree in which new names are names."""
    kind = "name" if tree[0] == "new" else tree[0]
    return (kind, *(settled(x) if isinstance(x, tuple) else x for x in tree[1:]))


def minus(x: Tree) -> Tree:
    """−x."""
    return x[1] if x[0] == "-" else ("-", x)


def times(x: Tree, factor: Tree) -> Tree:
    """x · factor, where a minus stays in front."""
    return ("-", times(x[1], factor)) if x[0] == "-" else ("·", x, factor)


class SlipSearch:
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
        self.names = [name for name in world.names if name not in CONSTANTS and not UNNAMED.fullmatch(name)]
        self.names = self.names[:MOST_NAMES]
        self.slopes: dict[Tree, Tree] = {  # σ′(z) of each a = σ(z)
            name_of[x]: ("call", x.operation.name, 1, name_of[x.parents[0]])
            for x in name_of
            if x.operation and len(x.parents) == 1 and name_of.get(x.parents[0], ("", ""))[1] in world.activations
        }
        self.paths: dict[Tree, Tree] = {}  # through each value between f and s, and through each operand of f
        self.arity = 0  # how many operands of f depend on s
        if self.wrt and self.of[0] == "name":
            f, s = point.nodes[self.of[1]], point.nodes[self.wrt[1]]
            for v in gradients(f):
                if name_of.get(v, self.wrt) == self.wrt or v is f or UNNAMED.fullmatch(name_of[v][1]):
                    continue
                is_operand = point.derivative(f, v, "direct") != 0.0
                self.arity += is_operand and s in gradients(v)
                if is_operand or s in gradients(v):
                    self.paths[name_of[v]] = (
                        "·",
                        ("d", self.of, name_of[v], "total"),
                        ("d", name_of[v], self.wrt, "total"),
                    )

    def find(self, wrong: Tree) -> Mending | None:
        """The first change that makes the formula right."""
        if len([*places(wrong)]) + len([*places(self.before)]) > MOST_PLACES:
            return None
        backward = next((slip for slip in self._changes(wrong) if self._is_right(slip.mended)), None)
        return backward or self._forward(wrong) or self._termwise(wrong)

    def _forward(self, wrong: Tree) -> Mending | None:
        """A change of the line before that gives the wrong one, which was simplified at the same time."""
        target = self.world.numbers(wrong)
        changes = self._changes(self.before) if len(self.chain) > 1 else ()
        for slip in changes:
            if self.world.agree(slip.mended, target):
                words = f"It follows from {show(slip.mended)}, not from {show(self.before)}."
                return Mending(INVERSE.get(slip.name, slip.name), words, self.before)
        return None

    def _is_right(self, tree: Tree) -> bool:
        return self.world.agree(tree, self.target)

    def _changes(self, wrong: Tree) -> Iterator[Mending]:
        every = [x for x in places(wrong) if x.around[0] != "d" or x.tree[0] == "name"]
        terms = [x for x in every if x.around[0] in ("", "+") and x.tree[0] != "+"]
        whole = [x for x in every if x.around[0] == "" and x.tree[0] == "+"]
        inner = [x for x in every if x.tree[0] == "+" and x.around[0] in ("*", "·", "^")]
        spots = [*terms, *inner, *whole]
        for x, put, _ in spots:
            yield Mending("sign", f"The sign of {show(x)} is wrong.", put(minus(x)))
        if len(self.chain) == 1:
            there = [
                t
                for t in (wrong[1:] if wrong[0] == "+" else (wrong,))
                if any(x and x[0] for x in self.world.numbers(t))
            ]
            if len(there) < self.arity:
                yield from self._paths(wrong)
        for x, put, _ in [*whole, *terms]:
            yield Mending("factor 2", f"{show(x)} is half of what it should be.", put(times(x, TWO)))
            yield Mending("factor 2", f"{show(x)} is twice what it should be.", put(times(x, HALF)))
        yield from self._names(wrong, every, near=True)
        yield from self._exchanged(wrong)
        sums = [x for x in every if x.tree[0] == "+"]
        for x, put, _ in sums:
            yield Mending("sum for product", f"Along a path the factors multiply: {show(x)}.", put(("·", *x[1:])))
        for x, put, _ in sums:
            for i, term in enumerate(x[1:], 1):
                rest = one("+", [*x[1:i], *x[i + 1 :]])
                is_zero = term[0] == "·" and any(factor[0] == "num" for factor in term[1:])
                name, words = (
                    ("wrong local derivative", "should be 0") if is_zero else ("term too many", "is too much")
                )
                yield Mending(name, f"The term {show(term)} {words}.", put(rest))
        for x, put, _ in sums:
            if len(x) % 2:
                pairs = [("·", *x[i : i + 2]) for i in range(1, len(x), 2)]
                yield Mending(
                    "sum for product", f"Along a path the factors multiply: {show(x)}.", put(one("+", pairs))
                )
            for i in range(1, len(x) - 1):
                tree = one("+", [*x[1:i], ("·", *x[i : i + 2]), *x[i + 2 :]])
                yield Mending("sum for product", f"Along a path the factors multiply: {show(x)}.", put(tree))
        yield from self._local(every)
        yield from self._paths(wrong)
        yield from self._lost_terms(every)
        yield from self._factors(wrong, [*whole, *terms])
        yield from self._sums(every)
        yield from self._definitions(wrong)
        yield from self._names(wrong, every, near=False)
        yield from self._functions(every)
        for v in self.names if self.wrt else ():
            d = ("d", self.of, ("name", v), "total")
            if v != self.world.root and self.world.agree(wrong, self.world.numbers(d)):
                yield Mending("another derivative", f"This is {show(d)}.", self.before)
        for x, y in combinations([("name", v) for v in self.names if ("name", v) in atoms(wrong)][:5], 2):
            tree = substitute(substitute(substitute(wrong, x, ("new", y[1])), y, x), ("new", y[1]), y)
            yield Mending("wrong name", f"{x[1]} and {y[1]} are exchanged.", tree)

    def _paths(self, wrong: Tree) -> Iterator[Mending]:
        for v, term in sorted(self.paths.items(), key=lambda x: (x[1][1] in atoms(wrong), x[0][1][0] != "z")):
            yield Mending("path forgotten", f"The path through {v[1]} is missing: {show(term)}.", ("+", wrong, term))

    def _names(self, wrong: Tree, every: Iterable[Place], near: bool) -> Iterator[Mending]:
        """Another name in one place or in all: first one that looks like it, then any."""
        for again, same in product((False, True), (True, False)):
            for x, put, around in every:
                if x[0] == "d" and len(x) > 4:  # δ
                    for y in self.names:
                        new = (*x[:2], ("name", y), *x[3:])
                        if near and re.match(r"z[^\w]|z[⁰¹²³⁴⁵⁶⁷⁸⁹]", y):
                            yield Mending("wrong index", f"{show(x)} stands where {show(new)} belongs.", put(new))
                if x[0] != "name":
                    continue
                for y in self.names:
                    turned = x[1][0] == y[0] and sorted(x[1]) == sorted(y)
                    alike = (x[1][0] == y[0] or x[1][1:] == y[1:]) and len(x[1]) > 2
                    if (
                        y == x[1]
                        or alike != near
                        or same != ((x[1] in self.world.leaves) == (y in self.world.leaves))
                    ):
                        continue
                    name = (
                        "a for z in σ′" if around[0] == "call" and around[2] and (x[1][0], y[0]) == ("a", "z")
                        else "z for a" if (x[1][0], y[0]) == ("z", "a")
                        else "transposed weight" if turned and x[1][0] in "wW"
                        else "wrong index" if near and x[1][0] == y[0]
                        else "definition substituted wrongly" if self._substitutes(wrong) else "wrong name"
                    )  # fmt: skip
                    mended = substitute(wrong, x, ("name", y)) if again else put(("name", y))
                    yield Mending(
                        name, f"{x[1]} stands where {y} belongs, in {show(around if around[0] else x)}.", mended
                    )

    def _exchanged(self, wrong: Tree) -> Iterator[Mending]:
        """Two indices in each other's place, as in δ_k a_j for δ_j a_k."""
        for i, j in ("12", "13", "23", "14", "24", "34"):
            tree = wrong
            swap = str.maketrans(i + j, j + i)
            for x in {x for x, _, around in places(wrong) if x[0] == "name" and "_" in x[1]}:
                letter, _, below = x[1].partition("_")
                tree = substitute(tree, x, ("new", f"{letter}_{below.translate(swap)}"))
            yield Mending("wrong index", f"The indices {i} and {j} are exchanged.", settled(tree))

    def _substitutes(self, wrong: Tree) -> bool:
        """Whether the step puts definitions in the place of names."""
        return any(x[0] == "name" and x[1] not in self.world.leaves for x in atoms(self.before) - atoms(wrong))

    def _local(self, every: Iterable[Place]) -> Iterator[Mending]:
        """σ for σ′, exponents, numbers, and factors that are too many."""
        for a, slope in self.slopes.items():
            beside: Tree = ("+", ONE, ("-", a))
            other = "is the slope of another function."
            for form in (("*", a, beside), ("+", ONE, ("-", ("^", a, TWO)))):
                numbers = self.world.numbers(form)
                for x, put, _ in every:
                    if x[0] in ("*", "·", "+") and a in atoms(x) and self.world.agree(x, numbers):
                        yield Mending("wrong local derivative", f"{show(x)} {other}", put(slope))
            for x, put, _ in every:
                if x[0] == "*" and {a, beside} <= {*x[1:]}:  # among other factors
                    new = one("*", [slope, *(factor for factor in x[1:] if factor not in (a, beside))])
                    yield Mending("wrong local derivative", f"{show(('*', a, beside))} {other}", put(new))
        for x, put, around in every:
            if x[0] == "call" and x[1] in ("sin", "cos"):
                partner: Tree = ("call", "cos" if x[1] == "sin" else "sin", *x[2:])
                for new in (partner, minus(partner)):
                    yield Mending("wrong local derivative", f"{show(x)} stands where {show(new)} belongs.", put(new))
            elif x[0] == "call" and len(x) == 4:
                new = ("call", x[1], 1 - min(x[2], 1), x[3])
                name = "slope forgotten" if not x[2] and x[1] in ACTIVATIONS else "wrong local derivative"
                yield Mending(name, f"{show(x)} stands where {show(new)} belongs.", put(new))
                if x[2] and x[3][0] == "call":
                    yield Mending(
                        "a for z in σ′", f"In {show(x)} the slope is not taken at z.", put((*x[:3], x[3][3]))
                    )
            if x[0] == "^" and not atoms(x[2]):
                for by in (-1.0, 1.0):
                    new = ("^", x[1], ("+", x[2], ("num", by, number_text(by))))
                    yield Mending("exponent", f"The exponent of {show(x)} is off by one.", put(new))
            if x[0] == "name" and around[0] not in ("d", "^"):
                yield Mending(
                    "exponent",
                    f"{x[1]} stands where {x[1]}² belongs, in {show(around if around[0] else x)}.",
                    put(("^", x, TWO)),
                )
            if x[0] == "num" and around[0] != "^":
                for value in (0.0, 1.0, -1.0, 2.0, 3.0, 0.5):
                    new = ("num", value, number_text(value))
                    yield Mending("wrong local derivative", f"{show(x)} stands where {show(new)} belongs.", put(new))
            if x[0] in ("*", "·"):
                for i, factor in enumerate(x[1:], 1):
                    if factor[:2] in (("num", 0.0), ("num", 1.0)):
                        continue
                    rest = [*x[1:i], *x[i + 1 :]]
                    name = (
                        "factor 2"
                        if show(factor) in ("2", "½", "1/2")
                        else "exponent"
                        if factor in rest
                        else "factor too many"
                    )
                    yield Mending(name, f"In {show(x)} the factor {show(factor)} is too much.", put(one(x[0], rest)))

    def _lost_terms(self, every: Iterable[Place]) -> Iterator[Mending]:
        """A term of the line before that is missing."""
        lost = [t for x in places(self.before) if x.tree[0] == "+" for t in x.tree[1:]]
        for x, put, around in every:
            if x[0] not in ("num", "d") and around[0] in ("", "*", "·", "-"):
                for term in lost:
                    yield Mending("term missing", f"The term {show(term)} is missing.", put(("+", x, term)))

    def _factors(self, wrong: Tree, spots: Iterable[Place]) -> Iterator[Mending]:
        """A factor that is missing in the whole, or in one term."""
        more: dict[Tree, str] = dict.fromkeys(
            (x.tree for t in self.chain for x in places(t) if x.tree[0] == "call" and x.tree[2]), "slope forgotten"
        )
        for slope in self.slopes.values():
            more[slope] = "slope forgotten" if slope[1] in ACTIVATIONS else "inner derivative forgotten"
        more |= {("+", ONE, ("-", ("name", v))): "slope forgotten" for v in self.names if v[0] == "a"}
        for x in (x.tree for tree in (wrong, *self.chain) for x in places(tree)):
            for inside in x[3:] if x[0] == "call" else x[1:] if x[0] == "^" else ():
                if self.wrt and inside != self.wrt and atoms(inside):
                    more.setdefault(("d", inside, self.wrt, "total"), "inner derivative forgotten")
        more |= {path[2]: "inner derivative forgotten" for path in self.paths.values()}
        for v in self.names:
            if ("name", v) in self.paths or v[0] == "z":
                more.setdefault(("d", self.root, ("name", v), "total", "δ"), "upstream forgotten")
        for x, _, around in places(self.before):
            if around[0] in ("*", "·") and x[0] != "num":
                more.setdefault(x, "upstream forgotten" if x[0] == "d" and x[1] == self.root else "factor missing")
            if around[0] == "^" and x[0] == "num":
                more.setdefault(x, f"factor {show(x)}")
        more |= {("name", v): "weight forgotten" if v[0] == "w" else "factor missing" for v in self.names}
        more.setdefault(("num", 3.0, "3"), "factor 3")
        for factor, name in more.items():
            for x, put, _ in spots:
                if ("+", ONE, ("-", factor)) in [place.tree for place in places(x)]:
                    name = "slope forgotten"
                elif name == "factor missing":
                    name = "exponent" if factor in atoms(x) else name
                    name = (
                        "definition substituted wrongly" if factor[0] == "name" and self._substitutes(wrong) else name
                    )
                yield Mending(name, f"{show(x)} lacks the factor {show(factor, within=1)}.", put(times(x, factor)))

    def _sums(self, every: Iterable[Place]) -> Iterator[Mending]:
        for x, put, _ in every:
            parts = x[1:]
            if x[0] in ("*", "·"):
                if all(p[0] == "*" for p in parts):
                    yield Mending("product for sum", f"The paths add: {show(x)}.", put(("+", *parts)))
                for i in range(len(parts) - 1):
                    tree = one(x[0], [*parts[:i], ("+", *parts[i : i + 2]), *parts[i + 2 :]])
                    yield Mending("product for sum", f"The paths add: {show(x)}.", put(tree))
                flat = [f for p in parts for f in (p[1:] if p[0] == "*" else (p,))]
                cuts = [[one("·", flat[:i]), one("·", flat[i:])] for i in range(1, len(flat))]
                for option in [flat, *cuts, [one("·", flat[i : i + 2]) for i in range(0, len(flat), 2)]]:
                    yield Mending("product for sum", f"The paths add: {show(x)}.", put(one("+", option)))

    def _functions(self, every: Iterable[Place]) -> Iterator[Mending]:
        """Another function, or a factor on the wrong side of a fraction."""
        for x, put, _ in every:
            news: list[Tree] = []
            if x[0] == "call" and len(x) == 4:
                names = ("sin", "cos", "tan", "exp", "log", "tanh", "σ", "relu", "sinh", "cosh", "sqrt")
                plain = [("call", name, primes, x[3]) for name in names for primes in (0, 1)]
                news = [*plain, ("inv", x[3]), *map(minus, plain)]
            elif x[0] == "d" and x[1][0] == "name" and x[1] != x[2]:
                new = ("d", x[2], x[1], "total")
                yield Mending("upside down", f"{show(x)} is upside down.", put(new))
            if x[0] not in ("num", "d", "-", "+"):
                news.append(x[1] if x[0] == "inv" else ("inv", x))
            for new in news:
                yield Mending("wrong local derivative", f"{show(x)} stands where {show(new)} belongs.", put(new))

    def _definitions(self, wrong: Tree) -> Iterator[Mending]:
        """The formula before, with something that is not y in the place of y: is it the wrong one?"""
        leaves: list[Tree] = [("name", x) for x in self.world.leaves[:5]]
        options = [*leaves, *((op, x, y) for op in "*+" for x, y in product(leaves, repeat=2))]
        target = self.world.numbers(wrong)
        for x, put, around in places(self.before):
            if x[0] == "name" and around[0] != "d" and x[1] not in self.world.leaves:
                for new in options:
                    if any(self.world.agree(t, target) for t in (put(new), substitute(self.before, x, new))):
                        yield Mending(
                            "definition substituted wrongly",
                            f"{show(new)} is put in the place of {x[1]}.",
                            self.before,
                        )

    def _termwise(self, wrong: Tree) -> Mending | None:
        """A slip of one kind in several terms; at last, the term that is wrong."""
        terms: list[Tree] = list(wrong[1:]) if wrong[0] == "+" else [wrong]
        if wrong[0] in ("*", "·") and [x[0] for x in wrong[1:]].count("+") == 1:
            i = next(i for i, x in enumerate(wrong) if x[0] == "+" and i)
            terms = [(*wrong[:i], term, *wrong[i + 1 :]) for term in wrong[i][1:]]
        before: tuple[Tree, ...] = self.before[1:] if self.before[0] == "+" else (self.before,)
        goals: dict[Tree, list[Number]] = {t: self.world.numbers(t) for t in (*before, *self.paths.values())}
        rest: list[Tree] = []
        for term in terms:
            if match := next((t for t in goals if self.world.agree(term, goals[t])), None):
                del goals[match]
            else:
                rest.append(term)
        found: list[
            dict[str, list[tuple[Mending, Tree]]]
        ] = []  # for each term, by name: a slip, and the goal it reaches
        for term in rest:
            found.append({})
            for slip in self._changes(term):
                for goal in (t for t in goals if self.world.agree(slip.mended, goals[t])):
                    found[-1].setdefault(slip.name, []).append((slip, goal))
        for name in found[0] if found else ():
            slips: list[Mending] = []
            used: set[Tree] = set()
            for options in found:
                for slip, goal in [(s, g) for s, g in options.get(name, []) if g not in used][:1]:
                    slips.append(slip)
                    used.add(goal)
            right = [term for term in terms if term not in rest]
            if len(slips) == len(rest) and self._is_right(one("+", [*right, *(slip.mended for slip in slips)])):
                return slips[0]
        wrong_term = next((t for t in rest if any(x and x[0] for x in self.world.numbers(t))), None)
        return (
            Mending("a term", f"Look at the term {show(wrong_term)}.", wrong)
            if wrong_term and len(terms) > 1
            else None
        )
