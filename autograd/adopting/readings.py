"""Reads each node of another engine as an entry of the table: the label proposes, and the numbers decide."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import permutations
from math import inf, nan
from typing import Any, NoReturn

from autograd.adopting.foreign import Engine, known_as
from autograd.errors import situation
from autograd.graph import topological_order
from autograd.kinks import is_kink
from autograd.number_systems import floats
from autograd.operands import data_of
from autograd.primitives import abs as absolute, identity, neg, power
from autograd.staleness import rounding_of, same
from autograd.table import REAL, TABLE, TABLE_MODULE, Primitive, is_constant
from autograd.text import called, shown
from autograd.value import Value, constant

STALE = """this number and its local derivatives, unless with a constant that is not kept; if numbers of its parents \
have changed since the forward pass, run it again first"""
Reading = tuple[Primitive, Sequence[Any], Sequence[float]]  # an entry, its operands and its local derivatives


class Adopted(Value):
    """A Value that was read from the graph of another engine.

    origin    its node there
    known     the number that this had when it was read or written last
    """

    __slots__ = ("engine", "known", "origin")

    def __init__(self, data: float, name: Any, engine: Engine, origin: Any) -> None:
        self._data, self.known, self.grad, self.engine, self.origin = data, data, 0.0, engine, origin
        self._x = self._dx = ()
        self._y = self._dy = self.operation = None
        self.name = name if name and isinstance(name, str) else None

    def write_back(self, data: float, grad: float) -> None:
        """Put a number and a gradient into the origin, if it has one. TypeError where they cannot be set."""
        for kind, number in (("data", data), ("grad", grad)):
            try:
                if word := self.engine.word(kind, self.origin):
                    setattr(self.origin, word, number)  # type: ignore[arg-type]
            except (AttributeError, TypeError) as error:
                name = type(self.origin).__name__
                raise TypeError(f"write_back: the {kind} of a {name} cannot be set: {error}") from None
        self.known = data


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
        nodes, parents_of = engine.graph(roots)
        before = dict[Any, Any]()  # by label, number and container of parents, what the last such node was
        columns = [engine.column(kind, nodes) for kind in ("data", "name", "operation")]
        for node, number, name, label in zip(nodes, *columns):
            number = number if number.__class__ is float else floats.number(number)
            value = values[id(node)] = Adopted(number, name, engine, node)
            if not (held := parents_of[id(node)]):
                continue
            try:
                parents = [values[id(x)] for x in held]
            except KeyError:
                raise ValueError(f"adopt: {shown(node)} is its own ancestor: say what its parents= are") from None
            case = label.__class__ is str and (label, len(parents), held.__class__)
            if entry := before.get(case):  # mostly the same again, if it gives the number
                again, slopes = entry.rule(floats, *[x._data for x in parents])
                if again == number:
                    _take(value, entry, parents, slopes)
                    continue
            if self._read(value, parents, held) and case:
                before[case] = value.operation
        for value, label, parents, stored, fits in self.open:
            likely = [reading for reading in fits if (label, reading[0]) in self.proven]
            is_sure = len(likely) == 1 and (label, len(parents)) not in self.unknown
            _take(value, *(likely[0] if is_sure else (_opaque(label, parents, value.data, stored), parents, stored)))

    def _read(self, value: Adopted, parents: list[Value], held: Any) -> bool:
        """Find a node's operation, or raise ValueError; returns whether others of its label may be it too."""
        node, engine, words = value.origin, self.engine, self.engine.labels(value.origin)
        label = next((word for word in words if word in self.operations or known_as(word)), words[0] if words else "")
        stored = None if isinstance(held, set) else engine.stored(node, len(parents))  # which has no order
        function = self.operations.get(label)
        known = [(function, None)] if isinstance(function, Primitive) else [] if function else known_as(label)
        for tier in self._tiers(known, value, parents, isinstance(held, (set, dict)), stored):
            if fits := _fits(tier, value, parents, stored):
                # one function, if slopes and constants are the same: x · y and y · x, but no other bound of a clamp
                first, *others = (
                    [*_by_parent(parents, operands, slopes), *sorted(x.data for x in operands if is_constant(x))]
                    for _, operands, slopes in fits
                )
                if not all(len(first) == len(other) and all(map(same, first, other)) for other in others):
                    which = f"its numbers do not say which operand of {fits[0][0].name} is which"
                    _refuse(value, parents, label, which)
                _take(value, *fits[0])
                is_alone = engine.beside or engine.word("local_derivatives", node)
                is_sure = not isinstance(held, set) or len(fits) == len(tier)
                return fits[0][1] == parents and not is_alone and is_sure
        if function and not known:
            results = [function(*operands) for operands in _orders(parents)]
            made = next((x for x in results if isinstance(x, Value) and same(x.data, value.data)), None)
            if made is None:
                _refuse(value, parents, label, f"operations[{label!r}] gives {shown(results[0])}")
            _take(value, identity, (made,), (1.0,))
        elif known:
            _refuse(value, parents, label, f"{known[0][0].name} does not give {STALE}")
        elif not stored:
            _refuse(value, parents, label, "the table has no such operation, and the node no local derivatives")
        else:
            self._read_by_numbers(value, label, parents, stored)
        return False

    def _tiers(
        self, known: Sequence[Any], value: Adopted, parents: list[Value], is_merged: bool, stored: list[float] | None
    ) -> Iterator[list[tuple[Primitive, Sequence[Any]]]]:
        """How the entries of a label may have made a node, as (entry, operands): the likeliest first."""
        x, y, at = parents[0].data, value.data, [*map(data_of, parents)]
        others, lost = dict[Primitive, list[Any]](), list[float]()
        if stored and len(parents) == 1:  # a constant that is not kept follows from number and local derivative
            dx = stored[0]
            lost = [y - x, x - y, x + y, dx, x * y, 1.0 / dx if dx else nan, x * dx / y if y else nan]
            lost = [float(f"{c:.12g}") for c in lost]
        for entry, c in known:
            count = len(entry.letters) - len(parents)
            others[entry] = [c] if c is not None else self.engine.kept(value.origin, at, count) if count > 0 else []
            if is_merged and count == 1 and not (entry.gate or entry.takes_constants):
                others[entry] += parents  # x · x shows one x in a set; clamp(x, x, x) is x too
        for is_turned in (is_merged, True) if not is_merged or stored != [0.0] else ():  # x · x at 0 may be 0 · x
            yield [(entry, row) for entry in others for row in _rows(entry, parents, others[entry], is_turned)]
        few = [entry for entry in others if len(entry.letters) < 3]
        yield [(entry, row) for entry in few for row in _rows(entry, parents, others[entry] + lost, True)]

    def _read_by_numbers(self, value: Adopted, label: str, parents: list[Value], stored: list[float]) -> None:
        """Find the only entry that gives number and local derivatives, where no label says which.

        What may be several waits for what other nodes prove: an open relu, which gives x, may be |x|. So does what a
        sum or a product with a constant that is not kept may give too, and a local derivative of 0.
        """
        n, x, y, dx = len(parents), parents[0].data, value.data, stored[0]
        ours = [entry for entry in TABLE.values() if entry.rule.__module__ == TABLE_MODULE]
        rows = [(entry, row) for entry in ours for row in _rows(entry, parents, [])]
        tiers = [[row for row in rows if row[0].variadic is is_variadic] for is_variadic in (False, True)[:n]]
        if n == 1 and y and (p := float(f"{x * dx / y:.12g}")) != 1.0:
            tiers.append([(power, [*parents, p])])
        fits = next(filter(None, (_fits(tier, value, parents, stored, False) for tier in tiers)), [])
        if n == 2 and not fits and (stored == [1.0, 1.0] or same(stored[0] * stored[1], y)):
            _refuse(value, parents, label, f"a sum or a product, by its local derivatives, does not give {STALE}")
        entries, is_flat = {entry for entry, *_ in fits}, n == 1 and not dx
        if not fits or {neg, absolute} <= entries or (is_flat and (y or x > 0.0)):
            self.unknown.add((label, n))
        is_plain = n == 1 and dx and (dx == 1.0 or same(dx * x, y)) and entries != {neg}
        if is_flat and (y or x >= 0.0):
            fits = []  # a step, or x² at 0; what is 0 below 0 is a relu
        elif len(fits) == 1 and not is_plain and (n == 1 or any(stored)):
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
            if not (is_near or (is_cleared and not value.parents)):
                raise ValueError(
                    f"adopt: the gradient of {_said(value, value.parents)} is {grad!r} there, and {right!r} by the "
                    f"chain rule: {_cause(value, grad, root)}; adopt(…, compare=False) leaves theirs alone"
                )


def _cause(value: Adopted, grad: float, root: Value) -> str:
    """What makes a gradient wrong most often, by the numbers."""
    uses = [(node, node.grad * local) for node in topological_order(root) for x, local in node.edges if x is value]
    for node, _ in uses:
        if node.operation and is_kink(node.operation, [*map(data_of, node.parents)]):
            return f"{situation(node)} is on a kink, where the derivative is a choice"
    if not grad:
        return "nothing has arrived there, or it was set to 0 since"
    times = grad / value.grad if value.grad else 0.0
    if 1.5 < times < inf and same(times, round(times)):
        return f"{times:g} times as much; was it not set to 0 before a further backward pass?"
    if len(uses) == 1:
        return "is the derivative of the operation that uses it right?"
    if any(same(share, grad) for _, share in uses):
        return f"one of {len(uses)} contributions is all that is left; is there = where += is needed?"
    return "does every use of it add its contribution, before it passes its own gradient on?"


def refresh(leaves: Sequence[Adopted]) -> None:
    """Take over the numbers that have changed in the origins since they were read or written."""
    numbers = leaves[0].engine.column("data", [leaf.origin for leaf in leaves]) if leaves else []
    for leaf, number in zip(leaves, numbers):
        if number != leaf.known:
            leaf.data = leaf.known = floats.number(number)


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


def _rows(entry: Primitive, parents: list[Value], others: Iterable[Any], turned: bool = False) -> Iterator[Any]:
    """The operands that an entry may have had: the parents, and some of the others for those that are missing."""
    n = len(parents)
    if entry.variadic:
        if n >= entry.least and (n - entry.least) % entry.step == 0:
            yield from _orders(parents) if turned else [parents]
    elif n < len(entry.letters) or (n == len(entry.letters) and not entry.takes_constants):
        for some in permutations(others, len(entry.letters) - n):
            row = [*parents, *some]
            is_free = len(some) == 1 or (turned and not some)  # of two, as the bounds of a clamp, each has its place
            yield from _orders(row) if is_free and not entry.takes_constants else [row]


def _orders(operands: list[Any]) -> list[list[Any]]:
    """The orders that operands may have; of many, as they stand and x₁ y₁ x₂ y₂ … as x₁ x₂ … y₁ y₂ …."""
    few = [*map(list, permutations(operands))] if len(operands) < 4 else []
    return few or [operands, operands[::2] + operands[1::2]]


def _said(value: Adopted, parents: Iterable[Value]) -> str:
    """``y = 6.0 of x1 = 3.0, x2 = 2.0``."""
    of = ", ".join(f"{called(x.name, f'x{i}')} = {x.data!r}" for i, x in enumerate(parents, 1))
    return f"{called(value.name, 'the node')} = {value.data!r}{' of ' * bool(of)}{of}"


def _refuse(value: Adopted, parents: list[Value], label: str, why: str) -> NoReturn:
    raise ValueError(f"adopt: {_said(value, parents)}, labelled {label!r}: {why}; {_remedy(label)}")


def _remedy(label: str) -> str:
    remedy = f"operations={{{label!r}: a function of Values}}" if label else "operation=a function that labels a node"
    return f"adopt(…, {remedy}) says what it is"


def _opaque(label: str, parents: list[Value], y: float, slopes: list[float]) -> Opaque:
    at, remedy = [*map(data_of, parents)], _remedy(label)

    def rule(n: Any, *operands: Any) -> tuple[float, tuple[float, ...]]:
        if not all(isinstance(x, float) for x in operands):
            raise TypeError(f"{rule.__name__} is known at one point alone; {remedy}")
        return y if [*operands] == at else nan, tuple(slopes)

    rule.__name__ = rule.__qualname__ = label or "opaque"
    return Opaque(rule, label or "?", (REAL,), remedy=remedy)
