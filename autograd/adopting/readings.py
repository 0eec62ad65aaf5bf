"""Reads each node of another engine as an entry of the table: the label proposes, and the numbers decide."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import permutations, product
from math import inf, nan
from typing import Any, NoReturn

from autograd.adopting.foreign import Engine, known_as
from autograd.errors import situation
from autograd.kinks import is_kink
from autograd.number_systems import floats
from autograd.operands import data_of
from autograd.primitives import abs as absolute, detach, floor, greater, identity, neg, power, sign
from autograd.staleness import rounding_of, same
from autograd.table import REAL, TABLE, TABLE_MODULE, Primitive, is_constant
from autograd.text import called, shown
from autograd.value import Value, constant

STALE = """this number and its local derivatives, unless with a constant that is not kept; if numbers of its parents \
have changed since the forward pass, run it again first"""
Reading = tuple[Primitive, Sequence[Any], Sequence[float]]  # an entry, its operands and its local derivatives


class Adopted(Value):
    """A Value that was read from the graph of another engine; ``origin`` is its node there."""

    __slots__ = ("engine", "origin")

    def __init__(self, data: float, name: Any, engine: Engine, origin: Any) -> None:
        self._data, self.grad, self.engine, self.origin = data, 0.0, engine, origin
        self._x = self._dx = ()
        self._y = self._dy = self.operation = None
        self.name = name if name and isinstance(name, str) else None


class Opaque(Primitive):
    """An operation that the table does not have. It is known at the numbers that its node was computed from."""


class Adoption:
    """The Values for the nodes of another engine, by the ids of these."""

    def __init__(self, engine: Engine, roots: Sequence[Any], operations: Mapping[str, Callable[..., Any]]) -> None:
        self.engine, self.operations = engine, operations
        self.values = values = dict[int, Any]()
        self.open: list[tuple[Adopted, str, list[Value], list[float], list[Reading]]] = []  # nodes not read yet
        self.proven: set[tuple[str, Primitive]] = set()  # what a label that is not known means at some node
        self.unknown: set[tuple[str, int]] = set()  # labels and numbers of parents of what may be no entry at all
        stack, before, readers = [*roots], dict[Any, Any](), dict[type, Callable[[Any], Any]]()
        while stack:
            node = stack.pop()
            if node is None:  # all parents of the next node are done
                held, node = stack.pop(), stack.pop()
                del values[id(node)]  # it comes after them
            elif id(node) in values:
                continue
            elif held := engine.parents(node):
                values[id(node)] = None
                stack += (node, held, None)
                stack += held
                continue
            read = readers.get(node.__class__) or readers.setdefault(node.__class__, engine.reader(node))
            number, name, label = read(node)
            number = number if number.__class__ is float else floats.number(number)
            value = values[id(node)] = Adopted(number, name, engine, node)
            if not held:
                continue
            parents: list[Any] = [values[id(x)] for x in held]
            case = label.__class__ is str and (label, len(parents), held.__class__)
            if entry := before.get(case):  # mostly what the last node of this label was, and the number says it again
                again, slopes = entry.rule(floats, *[x._data for x in parents])
                if again == number:
                    _take(value, entry, parents, slopes)
                    continue
            if None in parents:
                raise ValueError(f"adopt: {shown(node)} is its own ancestor: say what its parents= are")
            if self._read(value, parents, label, held.__class__ is set) and case:
                before[case] = value.operation
        for value, label, parents, stored, fits in self.open:
            likely = [reading for reading in fits if (label, reading[0]) in self.proven]
            is_sure = len(likely) == 1 and (label, len(parents)) not in self.unknown
            _take(value, *(likely[0] if is_sure else (_opaque(label, parents, value.data, stored), parents, stored)))

    def _read(self, value: Adopted, parents: list[Value], operation: Any, is_set: bool) -> bool:
        """Find a node's operation, or raise ValueError; returns whether others of its label may be it too."""
        node, engine = value.origin, self.engine
        words = engine.labels(node, operation)
        label = next((word for word in words if word in self.operations or known_as(word)), words[0] if words else "")
        stored = None if is_set else engine.stored(node, len(parents))
        function = self.operations.get(label)
        known = [(function, None)] if isinstance(function, Primitive) else [] if function else known_as(label)
        for tier in self._tiers(known, value, parents, is_set or id(node) in engine.merged, stored):
            if fits := _fits(tier, value, parents, stored):
                entry, operands, slopes = fits[0]
                # one function, if slopes and constants are the same: x · y and y · x, but no other bound of a clamp
                first, *others = (_by_parent(parents, *reading[1:]) + _constants(reading) for reading in fits)
                if not all(len(first) == len(other) and all(map(same, first, other)) for other in others):
                    _refuse(value, parents, label, f"its numbers do not say which operand of {entry.name} is which")
                _take(value, entry, operands, slopes)
                is_alone = engine.beside or engine.word("local_derivatives", node)
                return operands == parents and not is_alone and (not is_set or len(fits) == len(tier))
        made = None
        for operands in _orders(parents) if function and not known else ():
            made = function(*operands)  # type: ignore[misc]
            if isinstance(made, Value) and same(made.data, value.data):
                _take(value, identity, (made,), (1.0,))
                return False
        if known:
            _refuse(value, parents, label, f"{known[0][0].name} does not give {STALE}")
        if function or not stored:
            gives = f"operations[{label!r}] gives {shown(made)}"
            nothing = "the table has no such operation, and the node no local derivatives"
            _refuse(value, parents, label, gives if function else nothing)
        self._read_by_numbers(value, label, parents, stored)
        return False

    def _tiers(
        self, known: Sequence[Any], value: Adopted, parents: list[Value], is_merged: bool, stored: list[float] | None
    ) -> Iterator[list[tuple[Primitive, Sequence[Any]]]]:
        """How the entries of a label may have made a node, as (entry, operands): the likeliest first."""
        n, x, y = len(parents), parents[0].data, value.data
        turned = [(entry, order) for entry, _ in known if _takes(entry, n) for order in _orders(parents)]
        whole = [(entry, parents) for entry, _ in known if _takes(entry, n)]
        short = [(entry, c, len(entry.letters) - n) for entry, c in known if len(entry.letters) > n]
        # x · x shows one x in a set; a gate has other operands of its own: clamp(x, x, x) is x too
        doubled = [e for e, _, count in short if is_merged and count == 1 and not (e.gate or e.takes_constants)]
        repeated = [(e, xs) for e in doubled for xs in product(parents, repeat=len(e.letters)) if {*xs} == {*parents}]
        node, at = value.origin, [*map(data_of, parents)]
        given = [[c] if c is not None else self.engine.kept(node, at, count) for _, c, count in short]
        completed = _completed(parents, short, given)
        yield (turned if is_merged else whole) + repeated + completed
        yield turned + [(e, parents) for e, _ in known if e.takes_constants and len(e.letters) == n]
        if stored and n == 1:  # a constant that is not kept follows from number and local derivative
            dx = stored[0]
            lost = [y - x, x - y, x + y, dx, x * y, 1.0 / dx if dx else nan, x * dx / y if y else nan]
            yield _completed(parents, short, [[float(f"{c:.12g}") for c in lost]] * len(short))

    def _read_by_numbers(self, value: Adopted, label: str, parents: list[Value], stored: list[float]) -> None:
        """Find the only entry that gives number and local derivatives, where no label says which.

        What may be several waits for what other nodes prove: an open relu, which gives x, may be |x|. So does what a
        sum or a product with a constant that is not kept may give too, and a local derivative of 0.
        """
        n, x, y, dx, fits = len(parents), parents[0].data, value.data, stored[0], list[Reading]()
        ours = [e for e in TABLE.values() if e.rule.__module__ == TABLE_MODULE and _takes(e, n)]
        for is_variadic in (False, True)[:n]:
            tier = [
                (e, parents) for e in ours if e.variadic is is_variadic and e not in (sign, floor, detach, greater)
            ]
            fits = fits or _fits(tier, value, parents, stored, False)
        if n == 1 and not fits and y and (p := float(f"{x * dx / y:.12g}")) != 1.0:
            fits = _fits([(power, (*parents, p))], value, parents, stored, False)
        if n == 2 and not fits and (stored == [1.0, 1.0] or same(stored[0] * stored[1], y)):
            _refuse(value, parents, label, f"a sum or a product, by its local derivatives, does not give {STALE}")
        entries, is_flat = {entry for entry, *_ in fits}, n == 1 and not dx
        if not fits or {neg, absolute} <= entries or (is_flat and y):
            self.unknown.add((label, n))
        if is_flat and x >= 0.0:
            fits = []  # x² has it at 0, and a step wherever it is not
        is_plain = n == 1 and dx and (dx == 1.0 or same(dx * x, y)) and entries != {neg}
        if len(fits) == 1 and not is_plain and (n == 1 or any(stored)):
            self.proven.add((label, fits[0][0]))
            if not fits[0][0].gate:
                return _take(value, *fits[0])
        self.open.append((value, label, parents, stored, fits))

    def compare(self, root: Adopted) -> None:
        """Run our backward pass, and hold their gradients against ours. ValueError naming the first that differs.

        Leaves whose gradients have been set to 0 since, as for the next step, do not count.
        """
        root.backward()
        values = [*self.values.values()]
        theirs = self.engine.column("grad", [value.origin for value in values])
        differing = [(value, grad) for value, grad in zip(values, theirs) if grad != value.grad and grad is not None]
        if differing:
            is_cleared = not any(grad for value, grad in zip(values, theirs) if not value.parents)
            slack = 1e-12 * max(abs(value.grad) for value in values if value.grad - value.grad == 0.0)
        for value, grad in reversed(differing):
            right = value.grad
            is_near = abs(grad - right) <= slack + 1e-9 * abs(right) < inf or same(grad, right)
            if is_near or (is_cleared and not value.parents):
                continue
            uses = [(node, node.grad * local) for node in values for x, local in node.edges if x is value]
            bent = [situation(x) for x, _ in uses if x.operation and is_kink(x.operation, [*map(data_of, x.parents)])]
            times = grad / right if right else 0.0
            is_multiple = 1.5 < times < inf and same(times, round(times))
            causes = {
                f"{' and '.join(bent)} is on a kink, where the derivative is a choice": bent,
                "nothing has arrived there, or it was set to 0 since": not grad,
                f"{times:g} times as much; was it not set to 0 before a further backward pass?": is_multiple,
                "is the derivative of the operation that uses it right?": len(uses) == 1,
                f"one of {len(uses)} contributions is all that is left; is there = where += is needed?": any(
                    same(share, grad) for _, share in uses
                ),
                "does every use of it add its contribution, before it passes its own gradient on?": True,
            }
            raise ValueError(
                f"adopt: the gradient of {_said(value)} is {grad!r} there, and {right!r} by the chain rule: "
                f"{next(cause for cause, holds in causes.items() if holds)}; "
                "adopt(…, compare=False) leaves theirs alone"
            )


def _take(value: Adopted, entry: Primitive, operands: Sequence[Value], slopes: Sequence[float]) -> None:
    value.operation = entry
    if len(operands) == 2:
        value._x, value._y = operands
        value._dx, value._dy = slopes
    else:  # one is in the node itself, more than two are in a tuple
        value._x, value._dx = (tuple(operands), tuple(slopes)) if operands[1:] else (operands[0], slopes[0])


def _fits(
    tier: Iterable[tuple[Primitive, Sequence[Any]]], value: Adopted, parents: list[Value], stored: list[float] | None,
    is_known: bool = True,
) -> list[Reading]:  # fmt: skip
    """The readings that give a node's number, and its local derivatives if these are stored.

    is_known    whether the label says so: then a derivative on a kink is a choice, and a number near 0 may be rounded
    """
    found, theirs = list[Reading](), _by_parent(parents, parents, stored or ())
    for entry, given in tier:
        operands = [x if isinstance(x, Value) else constant(x) for x in given]
        numbers = [*map(data_of, operands)]
        number, slopes = entry.rule(floats, *numbers)
        if same(number, value.data, rounding_of(slopes, numbers) + 1e-15 * is_known):
            agrees = not stored or all(map(same, _by_parent(parents, operands, slopes), theirs))
            if agrees or (is_known and is_kink(entry, numbers)):
                found.append((entry, operands, slopes))
    return found


def _by_parent(parents: Sequence[Value], operands: Sequence[Value], slopes: Sequence[float]) -> list[float]:
    """The local derivative for each parent, which may be several of the operands."""
    return [sum([dx for x, dx in zip(operands, slopes) if x is parent]) for parent in parents]


def _constants(reading: Reading) -> list[float]:
    return sorted(x.data for x in reading[1] if is_constant(x))


def _takes(entry: Primitive, n: int) -> bool:
    if entry.variadic:
        return n >= entry.least and (n - entry.least) % entry.step == 0
    return len(entry.letters) == n and not entry.takes_constants


def _orders(parents: list[Value]) -> list[Sequence[Value]]:
    """The orders that operands may have; of many, as they stand and x₁ y₁ x₂ y₂ … as x₁ x₂ … y₁ y₂ …."""
    return [*permutations(parents)] if len(parents) < 4 else [parents, parents[::2] + parents[1::2]]


def _completed(parents: list[Value], short: Iterable[Any], numbers: Iterable[list[float]]) -> list[Any]:
    """Entries that take more operands than there are parents, with some of these numbers for the others."""
    found = [(e, c) for (e, _, count), some in zip(short, numbers) for c in permutations(some, count)]
    turned = [(e, (*c, *parents)) for e, c in found if len(c) == 1 and not e.takes_constants]
    return [(e, (*parents, *c)) for e, c in found] + turned


def _said(value: Adopted) -> str:
    """``y = 6.0 of x1 = 3.0, x2 = 2.0``."""
    of = f" of {situation(value).partition(' at ')[2]}" if value.parents else ""
    return f"{called(value.name, 'the node')} = {value.data!r}{of}"


def _refuse(value: Adopted, parents: list[Value], label: str, why: str) -> NoReturn:
    opaque = _opaque(label, parents, value.data, [])
    _take(value, opaque, parents, [0.0] * len(parents))
    raise ValueError(f"adopt: {_said(value)}, labelled {label!r}: {why}; {opaque.remedy}")


def _opaque(label: str, parents: list[Value], y: float, slopes: list[float]) -> Opaque:
    remedy = f"operations={{{label!r}: a function of Values}}" if label else "operation=a function that labels a node"
    remedy = f"adopt(…, {remedy}) says what it is"
    at = [*map(data_of, parents)]

    def rule(n: Any, *operands: Any) -> tuple[float, tuple[float, ...]]:
        if not all(isinstance(x, float) for x in operands):
            raise TypeError(f"{rule.__name__} is known at one point alone; {remedy}")
        return y if [*operands] == at else nan, tuple(slopes)

    rule.__name__ = rule.__qualname__ = label or "opaque"
    return Opaque(rule, label or "?", (REAL,), remedy=remedy)
