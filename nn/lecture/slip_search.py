"""Finds the slip between two lines: the one change of the wrong line that would make it true.

If one factor was replaced by another, the two are compared first. Then changes are tried, the most frequent slips
first: a sign, a path, a factor 2, an index, σ for σ′ … Each is evaluated at the points where the lines were compared,
so no computer algebra is needed. If no single change helps, the search examines each term separately.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain as joined, combinations, product
from typing import NamedTuple

from autograd.contributions import gradients
from autograd.notation import number_text
from autograd.parser import CONSTANTS
from nn.lecture.handwriting import Tree, one, show
from nn.lecture.worlds import Number, World

ZERO, ONE, TWO, THREE = (("num", float(i), str(i)) for i in range(4))
HALF = ("inv", TWO)
MOST_NAMES, MOST_PLACES = 60, 250
UNNAMED = re.compile("v[₀₁₂₃₄₅₆₇₈₉]+")
ACTIVATIONS = ("σ", "sigmoid", "tanh", "relu", "softplus", "elu", "gelu", "silu", "leaky_relu")
FUNCTIONS = ("sin", "cos", "tan", "exp", "log", "tanh", "σ", "relu", "sinh", "cosh", "sqrt")
INVERSE = {"extra term": "term missing", "extra factor": "factor missing", "sum for product": "product for sum"}
INVERSE |= {b: a for a, b in INVERSE.items()} | {"path forgotten": "extra term"}
INVERSE |= {f"{x} forgotten": "extra factor" for x in ("slope", "upstream", "inner derivative", "weight")}
WRONG_RULES = {  # that students use to differentiate f
    "inner derivative forgotten": "The derivative of the inner function is missing.",
    "inner derivative inside": "The inner derivative is a factor: it does not belong inside the function.",
    "inner derivative inside, and outside": "The inner derivative does not belong inside the function.",
    "power rule": "The power rule applies to a fixed exponent, xⁿ; here the exponent varies.",
    "power rule, and inside": "The power rule applies to a fixed exponent, xⁿ; here the exponent varies.",
    "product of derivatives": "You multiplied the derivatives of the factors: differentiate one factor at a time.",
}
ADDS, MULTIPLIES = "The paths add: {}.", "Along a path the factors multiply: {}."
Put = Callable[[Tree], Tree]


class Slip(NamedTuple):
    """A slip's name, the line without it, and a sentence about some formulas."""

    name: str
    repaired: Tree
    sentence: str
    formulas: tuple[Tree, ...] = ()

    def __str__(self) -> str:
        return self.sentence.format(*map(show, self.formulas))


class Place(NamedTuple):
    """A part of a tree, a function that replaces it, and the tree around it."""

    tree: Tree
    put: Put
    around: Tree

    def swap(self, name: str, new: Tree, repaired: Tree | None = None) -> Slip:
        """Return the slip that replacing this part by a new one corrects."""
        text = "{} should be {}" + (", in {}." if self.around[0] else ".")
        return Slip(name, repaired or self.put(new), text, (self.tree, new, *[self.around] * bool(self.around[0])))


def places(tree: Tree, put: Put = lambda x: x, around: Tree = ("",)) -> Iterator[Place]:
    """Yield every part of a tree, from the outside in."""
    yield Place(tree, put, around)
    for i, x in enumerate(tree):
        if isinstance(x, tuple):
            yield from places(x, lambda new, i=i: put((*tree[:i], new, *tree[i + 1 :])), tree)  # type: ignore[misc]


def atoms(tree: Tree) -> set[Tree]:
    """Return the names and the derivatives in a tree."""
    return {tree} if tree[0] in ("name", "d") else set().union(*(atoms(x) for x in tree if isinstance(x, tuple)))


def substitute(tree: Tree, *pairs: tuple[Tree, Tree]) -> Tree:
    """Return the tree with every old part replaced by the new one, all at the same time."""
    for old, new in pairs:
        if tree == old:
            return new
    return tuple(substitute(x, *pairs) if isinstance(x, tuple) else x for x in tree)


def total(f: Tree, x: Tree) -> Tree:
    """Return ∂f/∂x."""
    return ("d", f, x, "total")


def minus(x: Tree) -> Tree:
    """Return −x."""
    return x[1] if x[0] == "-" else ("-", x)


def times(x: Tree, factor: Tree) -> Tree:
    """Return x · factor, keeping a minus sign in front."""
    return ("-", times(x[1], factor)) if x[0] == "-" else ("·", x, factor)


def operands(tree: Tree, kinds: Sequence[str]) -> list[Tree]:
    """Return the terms of a sum or the factors of a product, through brackets; otherwise the tree itself."""
    return [y for x in tree[1:] for y in operands(x, kinds)] if tree[0] in kinds else [tree]


class SlipSearch:
    """Searches for the slip between the last formula of a chain, which is right, and a wrong one.

    chain   the formulas from ∂f/∂s, where the lines start, to the right formula
    """

    def __init__(self, world: World, chain: Sequence[Tree]) -> None:
        self.world, self.before, self.chain = world, chain[-1], chain
        self.root: Tree = ("name", world.root)
        _, self.of, self.wrt, *_ = chain[0] if chain[0][0] == "d" else ("", self.root, None)
        self.target = world.numbers(self.before)
        point = world.points[-1]
        name_of = {x: ("name", name) for name, x in point.nodes.items()}
        self.names = [x for x in world.names if x not in CONSTANTS and not UNNAMED.fullmatch(x)][:MOST_NAMES]
        self.slopes: dict[Tree, Tree] = {  # σ′(z) for each a = σ(z)
            name_of[x]: ("call", x.operation.name, 1, name_of[x.parents[0]])
            for x in name_of
            if x.operation and len(x.parents) == 1 and name_of.get(x.parents[0], ("", ""))[1] in world.activations
        }
        self.paths: dict[Tree, Tree] = {}  # through each value between f and s, and through each operand of f
        self.arity = 0  # the number of operands of f that depend on s
        if self.wrt and self.of[0] == "name":
            f, s = point.nodes[self.of[1]], point.nodes[self.wrt[1]]
            for v, name in ((v, name_of[v]) for v in gradients(f) if v in name_of and v not in (f, s)):
                if not UNNAMED.fullmatch(name[1]):
                    is_operand, leads = point.derivative(f, v, "direct") != 0.0, s in gradients(v)
                    self.arity += is_operand and leads
                    if is_operand or leads:
                        self.paths[name] = ("·", total(self.of, name), total(name, self.wrt))

    def find(self, wrong: Tree) -> Slip | None:
        """Return the first change that makes the formula right."""
        if len([*places(wrong)]) + len([*places(self.before)]) > MOST_PLACES:
            return None
        if wrong[:2] == ("num", 0.0):
            if len(self.chain) > 1 or not self.wrt:
                return None
            text = "It is not 0: {} depends on {}" + ", through {}." * bool(self.paths)
            return Slip("dependence forgotten", self.before, text, (*self.chain[0][1:3], *[*self.paths][-1:]))
        found = self._in_place(*self._differing(self.before, wrong)) or self._first(wrong, self.target)
        if found or len(self.chain) == 1:
            return found or self._termwise(wrong)
        # the same slip in the line before, which was simplified at the same time
        if slip := self._first(self.before, self.world.numbers(wrong)):
            text = "It follows from {}, not from {}."
            return Slip(INVERSE.get(slip.name, slip.name), self.before, text, (slip.repaired, self.before))
        return self._termwise(wrong)

    def _first(self, tree: Tree, target: Sequence[Number]) -> Slip | None:
        """Return the first change that gives the formula these numbers."""
        return next((slip for slip in self._changes(tree) if self.world.agree(slip.repaired, target)), None)

    def _differing(self, old: Tree, new: Tree) -> tuple[Tree, Tree]:
        """Return the smallest parts in which two formulas of the same structure differ."""
        kinds = next((kinds for kinds in ("+", "-", "*·") if old[0] in kinds and new[0] in kinds), "")
        for here, there in ((old[1:], new[1:]), (operands(old, kinds), operands(new, kinds))) if kinds else ():
            if len(here) == len(there):
                pairs = [(x, y) for x, y in zip(here, there) if not self.world.agree(y, self.world.numbers(x))]
                return self._differing(*pairs[0]) if len(pairs) == 1 else (old, new)
        return old, new

    def _in_place(self, old: Tree, new: Tree) -> Slip | None:
        """Return the slip if a name or a derivative of the line before was replaced."""
        if old[0] == new[0] == "name" and (old[1] in self.world.leaves) == (new[1] in self.world.leaves):
            near = old[1][0] == new[1][0] or old[1][1:] == new[1][1:] != ""
            return None if near else Slip("wrong name", old, "{1} replaces {0}.", (old, new))
        if old[0] != "d" or len(old) > 4 or old == self.before or any(x[0] == "d" for x in atoms(new)):
            return None
        numbers = self.world.numbers(old)
        every = [*places(new)]
        spots = [x for x in every if x.around[0] in ("", "+") or x.tree[0] == "+"]
        changes = joined(self._scaled(spots), self._local(every))
        found = next((slip for slip in changes if self.world.agree(slip.repaired, numbers)), None)
        keeps = found and found.name not in ("wrong name", "extra factor")
        return found if keeps else Slip("wrong local derivative", old, "{1} is not {0}.", (old, new))

    def _scaled(self, spots: Iterable[Place]) -> Iterator[Slip]:
        for x, put, _ in spots:
            yield Slip("sign", put(minus(x)), "The sign of {} is wrong.", (x,))
        for x, put, _ in spots:
            yield Slip("factor 2", put(times(x, TWO)), "{} is half of its right value.", (x,))
            yield Slip("factor 2", put(times(x, HALF)), "{} is twice its right value.", (x,))

    def _changes(self, wrong: Tree) -> Iterator[Slip]:
        every = [x for x in places(wrong) if x.around[0] != "d" or x.tree[0] == "name"]
        terms = [x for x in every if x.around[0] in ("", "+") and x.tree[0] != "+"]
        whole = [x for x in every if x.around[0] == "" and x.tree[0] == "+"]
        inner = [x for x in every if x.tree[0] == "+" and x.around[0] in ("*", "·", "^")]
        shown = [t for t in operands(wrong, "+") if any(x and x[0] for x in self.world.numbers(t))]
        if len(self.chain) == 1 and len(shown) < self.arity:
            yield from self._paths(wrong)
        yield from self._scaled([*whole, *terms, *inner])
        yield from self._names(wrong, every, near=True)
        yield from self._mapped(wrong)
        yield from self._sums([x for x in every if x.tree[0] == "+"])
        yield from self._wrong_rules(wrong)
        yield from self._local(every)
        yield from self._paths(wrong)
        for term in (t for x in places(self.before) if x.tree[0] == "+" for t in x.tree[1:]):
            for x, put, around in every:
                if x[0] not in ("num", "d") and around[0] in ("", "*", "·", "-"):
                    yield Slip("term missing", put(("+", x, term)), "The term {} is missing.", (term,))
        yield from self._factors(wrong, [*whole, *terms])
        yield from self._products(every)
        yield from self._definitions(wrong)
        yield from self._names(wrong, every, near=False)
        yield from self._functions(every)
        names: list[Tree] = [("name", v) for v in self.names]
        for v in names if self.wrt else ():
            if v != self.root and self.world.agree(wrong, self.world.numbers(total(self.of, v))):
                yield Slip("another derivative", self.before, "This is {}.", (total(self.of, v),))
        for x, y in combinations([v for v in names if v in atoms(wrong)][:5], 2):
            yield Slip("wrong name", substitute(wrong, (x, y), (y, x)), "{} and {} are swapped.", (x, y))
        if self.wrt and len(self.chain) == 1 and self.world.agree(wrong, self.world.numbers(self.of)):
            yield Slip("not differentiated", self.before, "This is {} itself, not its derivative.", (self.of,))

    def _paths(self, wrong: Tree) -> Iterator[Slip]:
        for v, term in sorted(self.paths.items(), key=lambda x: (x[1][1] in atoms(wrong), x[0][1][0] != "z")):
            text = "The path through {} is missing: {}."
            yield Slip("path forgotten", ("+", wrong, term), text, (v, term))

    def _names(self, wrong: Tree, every: Iterable[Place], near: bool) -> Iterator[Slip]:
        """Yield another name in one place or in all; ``near`` restricts it to similar names."""
        substituted = any(x[0] == "name" and x[1] not in self.world.leaves for x in atoms(self.before) - atoms(wrong))
        for again, same, place in product((False, True), (True, False), every):
            x, _, around = place
            if near and x[0] == "d" and len(x) > 4:  # δ
                for y in (y for y in self.names if re.match(r"z[^\w]|z[⁰¹²³⁴⁵⁶⁷⁸⁹]", y)):
                    yield place.swap("wrong index", (*x[:2], ("name", y), *x[3:]))
            for y in self.names if x[0] == "name" else ():
                letters = x[1][0] + y[0]
                inner = [v not in self.world.leaves for v in (x[1], y)]
                alike = (letters[0] == letters[1] or x[1][1:] == y[1:]) and len(x[1]) > 2
                alike |= all(inner) and len(x[1] + y) == 2 and len(self.chain) == 1 and around[0] != "d"
                if y == x[1] or alike != near or same != (inner[0] == inner[1]):
                    continue
                name = (
                    "a for z in σ′" if around[0] == "call" and around[2] and letters == "az"
                    else "z for a" if letters == "za"
                    else "transposed weight" if letters in ("ww", "WW") and sorted(x[1]) == sorted(y)
                    else "wrong index" if near and letters[0] == letters[1]
                    else "definition substituted wrongly" if substituted else "wrong name"
                )  # fmt: skip
                new: Tree = ("name", y)
                yield place.swap(name, new, substitute(wrong, (x, new)) if again else None)

    def _mapped(self, wrong: Tree) -> Iterator[Slip]:
        """Yield changes of all names: two indices swapped, a for δ."""
        names = {x for x, _, _ in places(wrong) if x[0] == "name" and "_" in x[1]}
        for i, j in ("12", "13", "23", "14", "24", "34"):
            swap = str.maketrans(i + j, j + i)
            pairs = [(x, ("name", f"{a}_{b.translate(swap)}")) for x in names for a, b in [x[1].split("_", 1)]]
            yield Slip("wrong index", substitute(wrong, *pairs), f"The indices {i} and {j} are swapped.")
        for letter in "az":
            units = [x for x in names if x[1][0] == letter and "z" + x[1][1:] in self.names]
            deltas = [(x, ("d", self.root, ("name", "z" + x[1][1:]), "total", "δ")) for x in units]
            for some in (deltas, *([x] for x in deltas)) if deltas else ():
                yield Slip(f"{letter} for δ", substitute(wrong, *some), "{} should be {}.", some[0])

    def _sums(self, sums: Iterable[Place]) -> Iterator[Slip]:
        """Yield + for ·, and extra terms."""
        for x, put, _ in sums:
            factors = [operands(t, "*·") for t in x[1:]]
            shared = [f for f in factors[0] if all(f in some and len(some) > 1 for some in factors)]
            options: list[list[Tree]] = [[("·", *x[1:])]]
            options += [[("·", *x[1:], *[("inv", f)] * (len(x) - 2))] for f in shared]
            options += [[("·", *x[i : i + 2]) for i in range(1, len(x), 2)]] if len(x) % 2 else []
            options += [[*x[1:i], ("·", *x[i : i + 2]), *x[i + 2 :]] for i in range(1, len(x) - 1)]
            for new in options:
                yield Slip("sum for product", put(one("+", new)), MULTIPLIES, (x,))
        for x, put, _ in sums:
            for i, term in enumerate(x[1:], 1):
                is_zero = term[0] == "·" and any(factor[0] == "num" for factor in term[1:])
                name = "wrong local derivative" if is_zero else "extra term"
                text = "The term {} should be 0." if is_zero else "The term {} does not belong here."
                yield Slip(name, put(one("+", [*x[1:i], *x[i + 1 :]])), text, (term,))

    def _products(self, every: Iterable[Place]) -> Iterator[Slip]:
        """Yield · for +."""
        for x, put, _ in every:
            if x[0] not in ("*", "·"):
                continue
            flat = operands(x, "*·")
            size = min(len(flat), 9)
            options: list[Tree] = [("+", *x[1:])] if all(p[0] == "*" for p in x[1:]) else []
            for i, j, k in combinations(range(size + 1), 3):
                path = ("+", one("·", flat[i:j]), one("·", flat[j:k]))
                options.append(one("·", [*flat[:i], path, *flat[k:]]))
            options += [("+", *flat), one("+", [one("·", flat[i : i + 2]) for i in range(0, len(flat), 2)])]
            for new in options:
                yield Slip("product for sum", put(new), ADDS, (x,))

    def _local(self, every: Sequence[Place]) -> Iterator[Slip]:
        """Yield σ for σ′, exponents, numbers, and extra factors."""
        for a, slope in self.slopes.items():
            beside: Tree = ("+", ONE, ("-", a))
            forms = [self.world.numbers(x) for x in (("*", a, beside), ("+", ONE, ("-", ("^", a, TWO))))]
            for x, put, _ in every:
                rest = [factor for factor in x[1:] if factor not in (a, beside)]
                is_among = x[0] == "*" and len(rest) == len(x) - 3 and {a, beside} <= {*x[1:]}
                if is_among or (x[0] in "*·+" and a in atoms(x) and any(self.world.agree(x, n) for n in forms)):
                    new = one("*", [slope, *rest]) if is_among else slope
                    yield Slip("wrong local derivative", put(new), "{} is the slope of another function.", (x,))
        for place in every:
            x, put, around = place
            if x[0] == "call" and x[1] in ("sin", "cos"):
                partner: Tree = ("call", "cos" if x[1] == "sin" else "sin", *x[2:])
                yield from (place.swap("wrong local derivative", new) for new in (partner, minus(partner)))
            elif x[0] == "call" and len(x) == 4:
                name = "slope forgotten" if not x[2] and x[1] in ACTIVATIONS else "wrong local derivative"
                yield place.swap(name, ("call", x[1], 1 - min(x[2], 1), x[3]))
                if x[2] and x[3][0] == "call":
                    yield place.swap("a for z in σ′", (*x[:3], x[3][3]))
            if x[0] == "^" and not atoms(x[2]):
                power = self.world.numbers(x[2])[0]
                for p in (power[0] - 1, power[0] + 1, power[0] / 2, power[0] - 2) if power else ():
                    new = ("^", x[1], ("num", p, number_text(p)))
                    yield place.swap("exponent", x[1] if p == 1.0 else new)
            if x[0] == "name" and around[0] not in ("d", "^"):
                yield place.swap("exponent", ("^", x, TWO))
            if x[0] == "num" and around[0] != "^":
                for i in (0.0, 1.0, -1.0, 2.0, 3.0, 0.5):
                    yield place.swap("wrong local derivative", ("num", i, number_text(i)))
            for i, factor in enumerate(x[1:], 1) if x[0] in ("*", "·") else ():
                if factor not in (ZERO, ONE):
                    rest = [*x[1:i], *x[i + 1 :]]
                    is_2 = show(factor) in ("2", "½", "1/2")
                    name = "factor 2" if is_2 else "exponent" if factor in rest else "extra factor"
                    yield Slip(name, put(one(x[0], rest)), "In {} the factor {} does not belong.", (x, factor))
        for place in every:
            if place.tree[0] in ("call", "inv") or (place.tree[0] == "+" and place.around[0] == "inv"):
                yield place.swap("exponent", ("^", place.tree, TWO))

    def _factors(self, wrong: Tree, spots: Iterable[Place]) -> Iterator[Slip]:
        """Yield a factor that is missing in the whole line or in one term."""
        slopes = [x.tree for t in self.chain for x in places(t) if x.tree[0] == "call" and x.tree[2]]
        more: dict[Tree, str] = dict.fromkeys(slopes, "slope forgotten")
        for slope in self.slopes.values():
            more[slope] = "slope forgotten" if slope[1] in ACTIVATIONS else "inner derivative forgotten"
        more |= {("+", ONE, ("-", ("name", v))): "slope forgotten" for v in self.names if v[0] == "a"}
        for x in (x.tree for tree in (wrong, *self.chain) for x in places(tree)):
            for inside in x[3:] if x[0] == "call" else x[1:] if x[0] == "^" else ():
                if self.wrt and inside != self.wrt and atoms(inside):
                    more.setdefault(total(inside, self.wrt), "inner derivative forgotten")
        more |= {path[2]: "inner derivative forgotten" for path in self.paths.values()}
        for v in self.names:
            if ("name", v) in self.paths or v[0] == "z":
                more.setdefault(("d", self.root, ("name", v), "total", "δ"), "upstream forgotten")
        for x, _, around in places(self.before):
            if around[0] in ("*", "·") and x[0] != "num":
                more.setdefault(x, "upstream forgotten" if x[0] == "d" and x[1] == self.root else "factor missing")
            if around[0] == "^" and x[0] == "num":
                more.setdefault(x, f"factor {show(x)}")
        names: list[Tree] = [("name", v) for v in self.names if v != self.world.root]
        more |= {v: "weight forgotten" if v[1][0] == "w" else "factor missing" for v in names}
        more |= {THREE: "factor 3", self.root: "factor missing"}
        gone = any(x[0] == "name" and x[1] not in self.world.leaves for x in atoms(self.before) - atoms(wrong))
        for factor, name in more.items():
            for x, put, _ in spots:
                if ("+", ONE, ("-", factor)) in [place.tree for place in places(x)]:
                    name = "slope forgotten"
                elif name == "factor missing" and gone and factor[0] == "name":
                    name = "definition substituted wrongly"
                elif name == "factor missing" and factor in atoms(x):
                    plain = [y for y in operands(x, "*·-") if y != ONE and y[0] not in ("inv", "call")]
                    name = "exponent" if plain else name
                yield Slip(name, put(times(x, factor)), "{} lacks the factor {}.", (x, ("·", factor)))

    def _functions(self, every: Iterable[Place]) -> Iterator[Slip]:
        """Yield another function, or a factor on the wrong side of a fraction."""
        for place in every:
            x, _, around = place
            news: list[Tree] = []
            if x[0] == "call" and len(x) == 4:
                plain = [("call", name, primes, x[3]) for name in FUNCTIONS for primes in (0, 1)]
                news = [*plain, ("inv", x[3]), *map(minus, plain)]
            elif x[0] == "d" and x[1][0] == "name" and x[1] != x[2]:
                yield place.swap("upside down", total(x[2], x[1]))
            if x[0] not in ("num", "d", "-", "+") or (x[0] == "+" and around[0] in ("*", "·", "inv")):
                news.append(x[1] if x[0] == "inv" else ("inv", x))
            yield from (place.swap("wrong local derivative", new) for new in news)

    def _definitions(self, wrong: Tree) -> Iterator[Slip]:
        """Yield wrong substitutions in the line before that give the wrong line."""
        leaves: list[Tree] = [("name", x) for x in self.world.leaves[:5]]
        options = [*leaves, *((op, x, y) for op in "*+" for x, y in product(leaves, repeat=2))]
        target = self.world.numbers(wrong)
        for x, put, around in places(self.before):
            for inside in places(x) if x[0] in ("inv", "^", "call") else ():
                if inside.tree[0] == "+":
                    new = ("+", *map(inside.put, inside.tree[1:]))
                    for split in (put(new), substitute(self.before, (("·", ONE, x), new))):
                        if self.world.agree(split, target):
                            yield Slip("split sum", self.before, "{} is not {}.", (x, new))
            if x[0] == "name" and around[0] != "d" and x[1] not in self.world.leaves:
                for new in options:
                    if any(self.world.agree(t, target) for t in (put(new), substitute(self.before, (x, new)))):
                        text = "{} replaces {}."
                        yield Slip("definition substituted wrongly", self.before, text, (new, x))

    def _wrong_rules(self, wrong: Tree) -> Iterator[Slip]:
        """Yield f differentiated with a wrong rule, before or after substituting all definitions."""
        formulas, target = self.world.formulas, self.world.numbers(wrong)
        is_start = self.wrt and len(self.chain) == 1 and atoms(wrong) and any(x and x[0] for x in target)
        tried = [formulas[self.of[1]]] if is_start and self.of[1] in formulas else []
        while tried and tried[-1] not in tried[:-1] and len([*places(tried[-1])]) < MOST_PLACES:
            tried.append(substitute(tried[-1], *((("name", v), x) for v, x in formulas.items())))
        for formula, rule in product(tried[:-1], WRONG_RULES):
            if self.world.agree(self._slope(formula, rule), target):
                yield Slip(rule.partition(",")[0], self.before, WRONG_RULES[rule])

    def _slope(self, tree: Tree, rule: str) -> Tree:
        """Differentiate a formula with this rule."""
        kind, *parts = tree
        if self.wrt is None or not atoms(tree):
            return ZERO
        if kind in ("+", "-"):
            return (kind, *(self._slope(x, rule) for x in parts))
        if kind in ("*", "·"):
            slopes = [self._slope(x, rule) if atoms(x) else x for x in parts]
            if rule == "product of derivatives":
                return (kind, *(("inv", self._slope(x[1], rule)) if x[0] == "inv" and atoms(x) else y
                                for x, y in zip(parts, slopes)))  # fmt: skip
            return one("+", [(kind, *parts[:i], y, *parts[i + 1 :]) for i, y in enumerate(slopes) if atoms(parts[i])])
        if kind == "inv" or tree[:3] == ("call", "exp", 0):
            kind, parts = "^", [parts[0], ("-", ONE)] if kind == "inv" else [("const", "e"), parts[2]]
        if kind == "call" and len(parts) == 3:
            outer: Put = lambda u: ("call", parts[0], 1, u)  # noqa: E731
        elif kind == "^" and not atoms(parts[1]):
            outer = lambda u: ("·", parts[1], ("^", u, ("+", parts[1], ("-", ONE))))  # noqa: E731
        elif kind == "^" and not atoms(parts[0]):
            outer = lambda u: ("·", ("^", parts[0], u), ("call", "log", 0, parts[0]))  # noqa: E731
        else:
            return total(tree, self.wrt)
        inside = next(x for x in parts if isinstance(x, tuple) and atoms(x))
        slope = self._slope(inside, rule)
        if rule.startswith("power rule") and inside == parts[1]:
            put: Tree = ("·", inside, ("^", parts[0], ("+", inside, ("-", ONE))))
            return put if "," in rule else ("·", put, slope)
        is_power = kind == "^" and inside == parts[0]  # for a square, 2u′ means that the upstream is missing
        if inside == self.wrt or "inner" not in rule or (is_power and "inside" in rule):
            return ("·", outer(inside), slope)
        put = outer(slope if "inside" in rule else inside)
        return ("·", put, slope) if "outside" in rule else put

    def _termwise(self, wrong: Tree) -> Slip | None:
        """Return a slip of one kind in several terms or, if there is none, the term that is wrong."""
        terms: list[Tree] = list(wrong[1:]) if wrong[0] == "+" else [wrong]
        if wrong[0] in ("*", "·") and [x[0] for x in wrong[1:]].count("+") == 1:
            i = next(i for i, x in enumerate(wrong) if x[0] == "+" and i)
            terms = [(*wrong[:i], term, *wrong[i + 1 :]) for term in wrong[i][1:]]
        before: tuple[Tree, ...] = self.before[1:] if self.before[0] == "+" else (self.before,)
        goals = {t: self.world.numbers(t) for t in (*before, *self.paths.values())}
        rest: list[Tree] = []
        for term in terms:
            if match := next((t for t in goals if self.world.agree(term, goals[t])), None):
                del goals[match]
            else:
                rest.append(term)
        found: list[dict[str, list[tuple[Slip, Tree]]]] = []  # by term and name: slips, and the goals they reach
        for term in rest:
            found.append({})
            for slip in self._changes(term):
                for goal in (t for t in goals if self.world.agree(slip.repaired, goals[t])):
                    found[-1].setdefault(slip.name, []).append((slip, goal))
        right = [term for term in terms if term not in rest]
        for name in found[0] if found else ():
            slips: dict[Tree, Slip] = {}  # by the goal
            for options in found:
                slips |= dict([(goal, slip) for slip, goal in options.get(name, []) if goal not in slips][:1])
            repaired = one("+", [*right, *(slip.repaired for slip in slips.values())])
            if len(slips) == len(rest) and self.world.agree(repaired, self.target):
                return next(iter(slips.values()))
        wrongs = [t for t in rest if any(x and x[0] for x in self.world.numbers(t))] if len(terms) > 1 else []
        return Slip("a term", wrong, "Look at the term {}.", (wrongs[0],)) if wrongs else None
