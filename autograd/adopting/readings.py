"""Matches each node of another engine to an entry of the table: its label suggests one, its numbers confirm it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import permutations
from math import inf, isclose, isfinite, nan
from typing import Any, NoReturn

from autograd.adopting.foreign import WORDS, Engine, known_as
from autograd.errors import situation
from autograd.graph import topological_order
from autograd.kinks import is_kink
from autograd.modes import collector_paused
from autograd.number_systems import floats
from autograd.operands import data_of
from autograd.primitives import abs as absolute, identity, neg, power
from autograd.staleness import rounding_of, same
from autograd.table import CONSTANT_NUMBER, REAL, TABLE, TABLE_MODULE, Primitive, is_constant
from autograd.text import called, shown
from autograd.value import Value, constant

STALE = """this number and its local derivatives, except with a constant that is not stored; if data of its parents \
changed after the forward pass, run that pass again first"""
Reading = tuple[Primitive, Sequence[Any], Sequence[float]]  # an entry, its operands and its local derivatives


def adopt(
    *nodes: Any, operations: Mapping[str, Callable[..., Any]] | None = None, compare: bool = True,
    numbers: bool = False, **more: Any,
) -> Any:  # fmt: skip
    """Convert the graph of another scalar engine to Values with its numbers and names, as in ``draw(adopt(loss))``.

    nodes         nodes of the other engine; each becomes one Value, whose ``origin`` is the node
    operations    the meaning of labels that the table does not have: {"cube": lambda x: x ** 3}
    compare       whether to compare the gradients with ours, if the other engine's backward pass has run
    numbers       whether leaves without a name are numbers in the expression, such as the 1 in 1/(1 + e⁻ᶻ)
    more          nodes whose Values receive these names, f, x = adopt(f=loss, x=x); or one of the keywords data,
                  grad, parents, operation, local_derivatives, name: the attribute that stores it, or a function of a
                  node, if the engine uses none of the usual names

    Each node is recomputed from its parents by an entry of the table, and must agree; this also finds the order of
    operands in a set. A node without a label matches the only entry that gives its number and its stored local
    derivatives. An operation that the table lacks stays opaque if its local derivatives are stored; ``record``
    refuses to run it.

    Raises TypeError for anything but a node of another engine, and a ValueError that names the first node whose
    operation is unknown or ambiguous, or whose gradient differs.

    >>> class Node:  # your own engine
    ...     def __init__(self, data, children=(), op=""):
    ...         self.data, self.grad, self._prev, self._op = data, 0.0, set(children), op
    ...     def __mul__(self, other):
    ...         return Node(self.data * other.data, (self, other), "*")
    >>> x = Node(3.0)
    >>> f, twin = adopt(f=x * x, x=x)
    >>> f.backward()
    >>> twin.name, twin.grad, twin.origin is x
    ('x', 6.0, True)
    """
    words = {word: given for word, given in more.items() if word in WORDS}
    named = {name: node for name, node in more.items() if name not in WORDS}
    nodes += tuple(named.values())
    for name, node in named.items():
        if type(node).__module__ == "builtins":
            raise TypeError(f"adopt({name}={node!r}): this is not a node; other keywords are {', '.join(WORDS)}")
    if not nodes or isinstance(nodes[0], Value) or type(nodes[0]).__module__ == "builtins":
        raise TypeError(f"adopt({', '.join(map(shown, nodes))}): give a node of another engine, as in adopt(loss)")
    for kind, word in words.items():
        if isinstance(word, str) and not hasattr(nodes[0], word):
            raise TypeError(f"adopt(…, {kind}={word!r}): {shown(nodes[0])} has no {word}")
    engine = Engine(nodes[0], words)
    for kind, node in [*(("data", node) for node in nodes), ("parents", nodes[0])]:
        if not (engine.word(kind, node) if kind == "data" else engine.names(kind, node) or engine.parents(node)):
            raise TypeError(
                f"adopt: {shown(node)} ({type(node).__name__}) has no {kind} under a usual name (an index into a "
                f"tape is not a node): name it with adopt(…, {kind}='its name'), or {kind}=a function of a node"
            )
    with collector_paused():
        adoption = Adoption(engine, nodes, operations or {})
        twins = [adoption.values[id(node)] for node in nodes]
        for twin, name in zip(reversed(twins), reversed(named)):
            twin.name = name
        if compare and engine.read("grad", nodes[0]) == 1.0:
            adoption.compare(twins[0])
    for value in adoption.values.values() if numbers else ():
        if not (value.name or value.parents):
            value.operation = CONSTANT_NUMBER
    return twins[0] if len(twins) == 1 else tuple(twins)


class Adopted(Value):
    """A Value converted from a node of another engine, its ``origin``, whose number was last read as ``known``."""

    __slots__ = ("engine", "known", "origin")

    def __init__(self, data: float, name: Any, engine: Engine, origin: Any) -> None:
        self._data, self.known, self.grad, self.engine, self.origin = data, data, 0.0, engine, origin
        self._x = self._dx = ()
        self._y = self._dy = self.operation = None
        self.name = name if name and isinstance(name, str) else None


class Opaque(Primitive):
    """An operation that is not in the table. It is known only at the numbers from which its node was computed."""

    def __init__(self, label: str, parents: Sequence[Value], y: float, slopes: Sequence[float]) -> None:
        at, remedy = [*map(data_of, parents)], _remedy(label)

        def rule(n: Any, *operands: Any) -> tuple[float, tuple[float, ...]]:
            if not all(isinstance(x, float) for x in operands):
                raise TypeError(f"{rule.__name__} is known at only one point; {remedy}")
            return y if [*operands] == at else nan, tuple(slopes)

        rule.__name__ = rule.__qualname__ = label or "opaque"
        super().__init__(rule, label or "?", (REAL,), remedy=remedy)


class Adoption:
    """The Values for the nodes of another engine, by the nodes' ids."""

    def __init__(self, engine: Engine, roots: Sequence[Any], operations: Mapping[str, Callable[..., Any]]) -> None:
        self.engine, self.operations = engine, operations
        self.values = values = dict[int, Any]()
        self.open: list[tuple[Adopted, str, list[Value], list[float], list[Reading]]] = []  # not identified yet
        self.proven: set[tuple[str, Primitive]] = set()  # what an unknown label means at some node
        self.unknown: set[tuple[str, int]] = set()  # (label, number of parents) of nodes that may match no entry
        nodes, parents_of = engine.graph(roots)
        before = dict[Any, Any]()  # the last entry by label, number of parents and their container
        columns = [engine.column(kind, nodes) for kind in ("data", "name", "operation")]
        for node, number, name, label in zip(nodes, *columns):
            number = number if number.__class__ is float else floats.number(number)
            value = values[id(node)] = Adopted(number, name, engine, node)
            if not (held := parents_of[id(node)]):
                if label.__class__ is str and label and known_as(label):
                    raise ValueError(
                        f"adopt: {_text(value)}, labelled {label!r}, has no parents: does it store them?"
                    )
                continue
            try:
                row = engine.in_order(node, held) if held.__class__ is set else held
                parents = [values[id(x)] for x in row]
            except KeyError:
                raise ValueError(
                    f"adopt: {shown(node)} is its own ancestor: give its parents with parents="
                ) from None
            case = label.__class__ is str and (label, len(parents), held.__class__)
            if entry := before.get(case):  # usually the same entry again, if it reproduces the number
                again, slopes = entry.rule(floats, *[x._data for x in parents])
                if again == number:
                    _take(value, entry, parents, slopes)
                    continue
            if self._read(value, parents, held) and case:
                before[case] = value.operation
        for value, label, parents, stored, fits in self.open:
            likely = [reading for reading in fits if (label, reading[0]) in self.proven]
            if len(likely) != 1 or (label, len(parents)) in self.unknown:
                likely = [(Opaque(label, parents, value.data, stored), parents, stored)]
            _take(value, *likely[0])

    def _read(self, value: Adopted, parents: list[Value], held: Any) -> bool:
        """Find a node's operation, or raise ValueError; return whether other nodes with its label may share it."""
        words = self.engine.labels(value.origin)
        label = next((word for word in words if word in self.operations or known_as(word)), words[0] if words else "")
        stored = None if isinstance(held, set) else self.engine.stored(value.origin, len(parents))  # it has no order
        if function := self.operations.get(label):
            if isinstance(held, set) and len(held) > 1:
                _refuse(
                    value,
                    parents,
                    label,
                    f"its parents are in a set, so their order is unknown to operations[{label!r}]",
                )
            made = function(*parents)
            if not (isinstance(made, Value) and same(made.data, value.data)):
                _refuse(value, parents, label, f"operations[{label!r}] gives {shown(made)}")
            _take(value, identity, (made,), (1.0,))
            return False
        known = known_as(label)
        for tier in self._tiers(known, value, parents, held, stored):
            if fits := _fits(tier, value, parents, stored):
                # equal slopes and constants mean the same function: x · y and y · x, but not other bounds of a clamp
                constants = [sorted(x.data for x in operands if is_constant(x)) for _, operands, _ in fits]
                first, *others = [[*_by_parent(parents, *fit[1:]), *c] for fit, c in zip(fits, constants)]
                if not all(len(first) == len(other) and all(map(same, first, other)) for other in others):
                    which = f"its numbers do not show which operand of {fits[0][0].name} is which"
                    _refuse(value, parents, label, which)
                _take(value, *fits[0])
                return fits[0][1] == parents and not stored and len(fits) == len(tier)
        if known:
            _refuse(value, parents, label, f"{known[0][0].name} does not give {STALE}")
        if not stored:
            _refuse(
                value, parents, label, "the table has no such operation, and the node stores no local derivatives"
            )
        self._read_by_numbers(value, label, parents, stored)
        return False

    def _tiers(
        self, known: Sequence[Any], value: Adopted, parents: list[Value], held: Any, stored: list[float] | None
    ) -> Iterator[list[tuple[Primitive, list[Any]]]]:
        """Yield lists of (entry, operands) with which a label's entries may compute a node, the likeliest first."""
        x, y, kept = parents[0].data, value.data, self.engine.kept(value.origin, [*map(data_of, parents)])
        others: dict[Primitive, list[Any]] = {entry: kept if c is None else [c] for entry, c in known}
        if is_merged := isinstance(held, (set, dict)):  # a set stores only one x of x · x; maximum(x, x) is x anyway
            others = {e: c if e.gate or e.takes_constants else [*c, *parents] for e, c in others.items()}
        for is_turned in (is_merged, True) if not is_merged or stored != [0.0] else ():  # x · x at 0 may be 0 · x
            yield [(entry, row) for entry in others for row in _rows(entry, parents, others[entry], is_turned)]
        if (
            stored and len(parents) == 1
        ):  # a constant that is not stored follows from the number and the local derivative
            dx = stored[0]
            exact = [y - x, x - y, x + y, dx, x * y, 1.0 / dx if dx else nan, x * dx / y if y else nan]
            lost = [float(f"{c:.12g}") for c in exact]
            few = [entry for entry in others if len(entry.letters) < 3]
            yield [(entry, row) for entry in few for row in _rows(entry, parents, others[entry] + lost, True)]

    def _read_by_numbers(self, value: Adopted, label: str, parents: list[Value], stored: list[float]) -> None:
        """Find the only entry that gives the number and the local derivatives of a node without a known label.

        An ambiguous node waits until other nodes with its label decide: a relu that gives x may be |x|. So do nodes
        with local derivatives of 0, and nodes that may be a sum or a product with a constant that is not stored.
        """
        n, x, y, dx = len(parents), parents[0].data, value.data, stored[0]
        ours = [e for e in TABLE.values() if e.rule.__module__ == TABLE_MODULE and e.variadic is (n > 2)]
        fits = _fits([(e, row) for e in ours for row in _rows(e, parents, [])], value, parents, stored, False)
        if n == 1 and y and not fits:
            fits = _fits([(power, [*parents, float(f"{x * dx / y:.12g}")])], value, parents, stored, False)
        if n == 2 and not fits and (stored == [1.0, 1.0] or same(stored[0] * stored[1], y)):
            _refuse(
                value,
                parents,
                label,
                f"its local derivatives suggest a sum or a product, which does not give {STALE}",
            )
        entries = {entry for entry, *_ in fits}
        is_step = n == 1 and not dx and (y != 0.0 or x >= 0.0)  # or x² at 0; 0 at a negative x is a relu
        if not fits or {neg, absolute} <= entries or (is_step and (x or y)):
            self.unknown.add((label, n))
        is_plain = n == 1 and dx and (dx == 1.0 or same(dx * x, y)) and entries != {neg}
        if len(fits) == 1 and not (is_plain or is_step) and (n == 1 or any(stored)):
            self.proven.add((label, fits[0][0]))
            if not fits[0][0].gate:
                return _take(value, *fits[0])
        self.open.append((value, label, parents, stored, [] if is_step else fits))

    def compare(self, root: Adopted) -> None:
        """Run our backward pass. Raises ValueError at the first of the other engine's gradients that differs."""
        root.backward()
        values = [*self.values.values()]
        theirs = self.engine.column("grad", [value.origin for value in values])
        # ignore the gradients of leaves if they were all reset to 0, as for the next step
        is_cleared = not any(grad for value, grad in zip(values, theirs) if value.operation is None)
        slack = 1e-12 * max(abs(value.grad) for value in values if isfinite(value.grad))
        for value, grad in zip(reversed(values), reversed(theirs)):
            right = value.grad
            is_left_out = value.operation is None and (is_cleared or not getattr(value.origin, "requires_grad", True))
            agrees = grad is None or isclose(grad, right, rel_tol=1e-9, abs_tol=slack) or same(grad, right)
            if not (agrees or is_left_out):
                numbers = f"is {float(grad)!r} in that engine, but {right!r} by the chain rule"
                raise ValueError(
                    f"adopt: the gradient of {_text(value, value.parents)} {numbers}: {_cause(value, grad, root)}; "
                    "adopt(…, compare=False) skips the comparison"
                )


def _cause(value: Adopted, grad: float, root: Value) -> str:
    """Return the likeliest cause of a wrong gradient."""
    uses = [(node, node.grad * local) for node in topological_order(root) for x, local in node.edges if x is value]
    for node, _ in uses:
        if node.operation and is_kink(node.operation, [*map(data_of, node.parents)]):
            return f"{situation(node)} is at a kink, where the derivative is a choice"
    if not grad:
        return "no contribution has arrived, or it was reset to 0 afterwards"
    times = grad / value.grad if value.grad else 0.0
    if 1.5 < times < inf and same(times, round(times)):
        return f"it is {times:g} times as large; was it not reset to 0 before a second backward pass?"
    if len(uses) == 1:
        return "is the derivative of the operation that uses it right?"
    if any(same(share, grad) for _, share in uses):
        return f"only one of {len(uses)} contributions is left; is the gradient set with = instead of +=?"
    return "does every operation that uses it add its contribution before it passes its gradient on?"


def _take(value: Adopted, entry: Primitive, operands: Sequence[Value], slopes: Sequence[float]) -> None:
    value.operation = entry
    if len(operands) == 2:
        value._x, value._y = operands
        value._dx, value._dy = slopes
    else:  # a single parent is stored directly, more than two in a tuple
        value._x, value._dx = (tuple(operands), tuple(slopes)) if operands[1:] else (operands[0], slopes[0])


def _fits(
    tier: Sequence[Any], value: Adopted, parents: list[Value], stored: list[float] | None, is_known: bool = True
) -> list[Reading]:
    """Return the readings that give a node's number, and its local derivatives if these are stored."""
    found, theirs = list[Reading](), _by_parent(parents, parents, stored or ())
    for entry, row in tier:
        operands = [x if isinstance(x, Value) else constant(x) for x in row]
        numbers = [*map(data_of, operands)]
        number, slopes = entry.rule(floats, *numbers)
        if same(number, value.data, rounding_of(slopes, numbers) + 1e-15 * is_known):
            agrees = not stored or all(map(same, _by_parent(parents, operands, slopes), theirs))
            if agrees or (is_known and is_kink(entry, numbers)):  # the derivative is a choice
                found.append((entry, operands, slopes))
    return found


def _by_parent(parents: Sequence[Value], operands: Sequence[Value], slopes: Sequence[float]) -> list[float]:
    """Return the local derivative of each parent, which may occur several times among the operands."""
    return [sum([dx for x, dx in zip(operands, slopes) if x is parent]) for parent in parents]


def _rows(entry: Primitive, parents: list[Value], others: list[Any], turned: bool = False) -> Iterator[list[Any]]:
    """Yield the operands that an entry may have had: the parents, with some of ``others`` for missing operands."""
    n, missing = len(parents), len(entry.letters) - len(parents)
    if entry.variadic:
        missing = 0 if n >= entry.least and (n - entry.least) % entry.step == 0 else -1
    if missing < 0 or (not missing and entry.takes_constants):
        return
    for some in permutations(others, missing):
        row = [*parents, *some]
        if entry.takes_constants or missing > 1 or not (turned or missing):  # the bounds of a clamp have fixed places
            yield row
        else:  # many operands only in the given order, and x₁ y₁ x₂ y₂ … as x₁ x₂ … y₁ y₂ …
            yield from map(list, permutations(row)) if len(row) < 4 else [row, row[::2] + row[1::2]]


def _text(value: Adopted, parents: Sequence[Value] = ()) -> str:
    """Return a node as text: ``y = 6.0 from x1 = 3.0, x2 = 2.0``."""
    operands = ", ".join(f"{called(x.name, f'x{i}')} = {x.data!r}" for i, x in enumerate(parents, 1))
    return f"{called(value.name, 'the node')} = {value.data!r}{' from ' * bool(operands)}{operands}"


def _refuse(value: Adopted, parents: list[Value], label: str, why: str) -> NoReturn:
    raise ValueError(f"adopt: {_text(value, parents)}, labelled {label!r}: {why}; {_remedy(label)}")


def _remedy(label: str) -> str:
    remedy = f"operations={{{label!r}: a function of Values}}" if label else "operation=a function that labels a node"
    return f"define it with adopt(…, {remedy})"
