"""What an entry of the table is: a rule, its symbol, where it is defined, and how a call of it records a node."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from operator import eq, ge, gt, le, lt, ne
from typing import Any, NamedTuple, TypeVar

from autograd.errors import DomainError, complaint
from autograd.node import Node
from autograd.number_systems import floats
from autograd.operands import listed, number_of
from autograd.text import printable

Rule = Callable[..., tuple[Any, tuple[Any, ...]]]
F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


class Comparison(NamedTuple):
    """A condition on x, perhaps with a bound y: in the words of messages, as a test, and in JavaScript."""

    words: str
    holds: Callable[[Any, Any], bool]
    javascript: str


COMPARISONS = {
    ">": Comparison("{x} > {y}", gt, "{x} > {y}"),
    ">=": Comparison("{x} ≥ {y}", ge, "{x} >= {y}"),
    "<": Comparison("{x} < {y}", lt, "{x} < {y}"),
    "<=": Comparison("{x} ≤ {y}", le, "{x} <= {y}"),
    "==": Comparison("{x} = {y}", eq, "{x} === {y}"),
    "!=": Comparison("{x} ≠ {y}", ne, "{x} !== {y}"),
    "whole": Comparison("a whole {x}", lambda x, _: x % 1.0 == 0.0, "{x} % 1 === 0"),
    "real": Comparison("{x} real", lambda x, _: True, "true"),
    "constant": Comparison("{x} a constant", lambda x, _: True, "true"),
    "condition": Comparison("{x} true (not 0) or false (0)", lambda x, _: True, "true"),
}


@dataclass(frozen=True)
class Domain:
    """Where an operand may lie: ``Domain(">", 0.0)``, ``Domain("whole")``, ``Domain("<", 1.0, low=0.0)``: 0 < x < 1.

    sign    a key of ``COMPARISONS``; ValueError for anything else
    bound   a number, or in a ``Joint`` the letter of another operand
    low     the bound on the other side

    The methods take the operand (its name, its number) and, for a bound that is a letter, all operands by letter.

    >>> unit = Domain("<", 1.0, low=0.0)
    >>> unit.words("p"), unit.contains(0.5), unit.javascript("x1")
    ('0 < p < 1', True, '0.0 < x1 && x1 < 1.0')
    """

    sign: str
    bound: float | str = 0.0
    low: float | None = None

    def __post_init__(self) -> None:
        if self.sign not in COMPARISONS:
            raise ValueError(f"Domain({self.sign!r}): the sign needs to be one of {', '.join(COMPARISONS)}")

    def words(self, x: str, names: Mapping[Any, str] = {}) -> str:
        """The condition in the words of messages."""
        words, bound = COMPARISONS[self.sign].words, names.get(self.bound) or _number(self.bound)
        return words.format(x=x if self.low is None else words.format(x=_number(self.low), y=x), y=bound)

    def contains(self, x: float, numbers: Mapping[Any, float] = {}) -> bool:
        """Whether the condition holds."""
        holds = COMPARISONS[self.sign].holds
        return holds(x, numbers.get(self.bound, self.bound)) and (self.low is None or holds(self.low, x))

    def javascript(self, x: str, names: Mapping[Any, str] = {}) -> str:
        """The same test in JavaScript."""
        test = COMPARISONS[self.sign].javascript
        low = "" if self.low is None else test.format(x=self.low, y=x) + " && "
        return low + test.format(x=x, y=names.get(self.bound, self.bound))


def _number(x: float | str) -> str:
    return f"{x:g}".replace("-", "−")


class Joint:
    """Where operands may lie together: in the domains of at least one alternative.

    alternatives   domains by the rule's letters
    where          the condition binds only operands in these domains
    derivative     whether only the local derivatives need it

    The methods take ``Primitive.by_letter`` of the operands.

    >>> Joint({"x": POSITIVE}, {"x": Domain("==", 0.0), "p": Domain("whole")}).words([{"x": "x", "p": "p"}])
    'x > 0 or x = 0 with a whole p'
    """

    def __init__(
        self, *alternatives: Mapping[str, Domain], where: Mapping[str, Domain] = {}, derivative: bool = False
    ) -> None:
        self.alternatives, self.where, self.derivative = alternatives, where, derivative

    def words(self, names: Sequence[Mapping[str, str]]) -> str:
        """The condition in the words of messages."""
        *others, last = map(" with ".join, _read(Domain.words, self.alternatives, names))
        either = f"{', '.join(others)}{',' if len(others) > 1 else ''} or {last}" if others else last
        return " where ".join([either, *_read(Domain.words, [self.where], names)[0]])

    def contains(self, numbers: Sequence[Mapping[str, float]]) -> bool:
        """Whether the condition holds."""
        is_bound = all(_read(Domain.contains, [self.where], numbers)[0])
        return not is_bound or any(map(all, _read(Domain.contains, self.alternatives, numbers)))

    def javascript(self, names: Sequence[Mapping[str, str]]) -> str:
        """The same test in JavaScript."""
        outside = [f"!({test})" for test in _read(Domain.javascript, [self.where], names)[0]]
        inside = [" && ".join(tests) or "true" for tests in _read(Domain.javascript, self.alternatives, names)]
        return " || ".join([*outside, *inside])


def _read(
    reading: Callable[..., T], alternatives: Iterable[Mapping[str, Domain]], operands: Sequence[Mapping[str, Any]]
) -> list[list[T]]:
    """For each alternative, the readings of its domains."""
    return [[reading(domain, at[x], at) for x, domain in row.items()] for at in operands for row in alternatives]


REAL, CONDITION = Domain("real"), Domain("condition")
CONSTANT = Domain("constant")  # no Value enters here, so no derivative leaves
POSITIVE, NONNEGATIVE, NONZERO = Domain(">", 0.0), Domain(">=", 0.0), Domain("!=", 0.0)
ABOVE_MINUS_ONE, UP_TO_ONE, WITHIN_ONE = Domain(">", -1.0), Domain("<=", 1.0, low=-1.0), Domain("<", 1.0, low=-1.0)
ANYWHERE = Joint({})  # where all operands may lie together, unless a rule says otherwise

TABLE: dict[str, Primitive] = {}
TABLE_MODULE = "autograd.primitives"  # where the rules of the table stand

_recorders: list[Callable[..., Any]] = []  # what a call records its node with


def recorder(function: F) -> F:
    """Decorates the function that every call of an entry records its node with: ``autograd.value.apply``."""
    _recorders.append(function)
    return function


@dataclass(eq=False, repr=False)
class Primitive:
    """One entry of the table. Called on Values or numbers, it records a node.

    name                 the rule's own name; the key in ``TABLE``
    letters              the rule's names of its operands, as the messages use them
    derivative_domains   where the local derivatives are finite too; all else is as ``primitive`` was given it
    """

    rule: Rule
    symbol: str
    domains: tuple[Domain, ...]
    derivative: tuple[Domain, ...] = ()
    joint: Joint = ANYWHERE
    remedy: str = ""
    gate: bool = False
    least: int = 1
    step: int = 1

    def __post_init__(self) -> None:
        rule, code = self.rule, self.rule.__code__
        self.__wrapped__, self.name, self.__name__ = rule, rule.__name__, rule.__name__
        self.__doc__, self.__module__, self.__qualname__ = rule.__doc__, rule.__module__, rule.__qualname__
        self.derivative_domains = self.derivative or self.domains
        self.variadic = bool(code.co_flags & 0x04)  # the rule takes *operands
        self.letters = code.co_varnames[1 : code.co_argcount + self.variadic]
        self.takes_constants = any(domain is CONSTANT for domain in self.domains)
        if len(self.domains) != len(self.letters):
            raise TypeError(
                f"primitive {self.name}: {len(self.domains)} domains for the operands {', '.join(self.letters)}; "
                "state one for each operand (an n-ary rule states one for all)"
            )

    def __call__(self, *operands: Any) -> Any:
        """Record a node. Operands come one by one, or in lists of the same length: ``affine(w, a, b)``."""
        if not self.variadic:
            if len(operands) != len(self.letters):
                raise TypeError(f"{self.name} of {len(operands)} operands: it takes {len(self.letters)}")
            node = self._recorded(operands)
            if self.takes_constants:
                self._check_constants(node)
            return node
        flat: list[Any] = []
        lengths = set()
        for operand in operands:
            many = listed(operand)
            if many is None:
                flat.append(operand)
            else:
                lengths.add(len(many))
                flat.extend(many)
        if len(lengths) > 1 or len(flat) < self.least or (len(flat) - self.least) % self.step:
            lists = f" in lists of {' and '.join(map(str, sorted(lengths)))}" if len(lengths) > 1 else ""
            raise TypeError(
                f"{self.name} of {len(flat)} operands{lists}: it takes {self.least}, {self.least + self.step}, …, "
                "in lists of the same length"
            )
        return self._recorded(flat)

    def _recorded(self, operands: Sequence[Any]) -> Any:
        if self.__module__ != TABLE_MODULE:  # a rule of the user's own, which may return something else each time
            self._prove([number_of(x) for x in operands])
        [record] = _recorders
        node = record(self, *operands)
        if node.data.__class__ is not float:  # a rule of the user's own that returns whole numbers, or NumPy's
            node.data = node.data
        return node

    def _prove(self, operands: list[float]) -> None:
        """TypeError for a rule that does not return one value and a local derivative for each operand."""
        returned = self.rule(floats, *operands)
        is_pair = isinstance(returned, tuple) and len(returned) == 2 and isinstance(returned[1], tuple)
        numbers = (returned[0], *returned[1]) if is_pair else ()
        if len(numbers) != 1 + len(operands) or not all(isinstance(x, (float, int)) for x in numbers):
            local_derivatives = ", ".join(f"∂/∂{letter}" for letter in self.letters)
            raise TypeError(
                f"primitive {self.name} returned {returned!r} for {len(operands)} operands: it needs to return "
                f"(value, ({local_derivatives},)), floats with a local derivative for each operand"
            )

    def __reduce__(self) -> str:  # pickled and copied by name, as a function is
        return self.__qualname__

    def _check_constants(self, node: Node) -> None:
        for letter, domain, parent in zip(self.letters, self.domains, node.parents):
            if domain is CONSTANT and not is_constant(parent):
                raise TypeError(
                    f"{self.name}: {letter} = {parent!r} is a Value, and no derivative would leave it; give a plain "
                    "number, or write x ** y for an exponent that is a Value"
                )

    def __repr__(self) -> str:
        return printable(f"<primitive {self.name} {self.symbol}>")

    def domains_of(self, count: int, derivative: bool = False) -> tuple[Domain, ...]:
        """The domain of each of ``count`` operands."""
        domains = self.derivative_domains if derivative else self.domains
        return domains * count if self.variadic else domains

    def by_letter(self, operands: Iterable[T]) -> list[dict[str, T]]:
        """The operands by the rule's letters; of an n-ary rule, which has one letter, one after another."""
        rows = [[x] for x in operands] if self.variadic else [operands]
        return [dict(zip(self.letters, row)) for row in rows]

    def joint_condition(self, names: Iterable[str]) -> str:
        """The joint condition in words, on operands of these names."""
        return self.joint.words(self.by_letter(["an operand"] if self.variadic else names))

    def defined_at(self, *operands: float, derivative: bool = False) -> bool:
        """Whether the value (or with ``derivative`` the local derivatives too) exists at these operands."""
        domains = self.domains_of(len(operands), derivative)
        alone = all(domain.contains(x) for domain, x in zip(domains, operands))
        is_free = self.joint.derivative and not derivative
        return alone and (is_free or self.joint.contains(self.by_letter(operands)))

    def check_fault(self, node: Node) -> None:
        """Raise DomainError for a node that is not finite, unless an operand was not finite before."""
        if all(isfinite(x._data) for x in node.parents):
            # no name for the error here: it would keep itself, and the graph, alive until the collector runs
            raise DomainError(complaint(node), node)


CONSTANT_NUMBER = Primitive(lambda n: (0.0, ()), "constant", ())  # marks a number in an expression; never run


def is_constant(node: Node) -> bool:
    """Whether the node is a number in an expression."""
    return node.operation is CONSTANT_NUMBER


def primitive(
    symbol: str, *domains: Domain, derivative: tuple[Domain, ...] = (), joint: Joint = ANYWHERE, remedy: str = "",
    gate: bool = False, least: int = 1, step: int = 1,
) -> Callable[[Rule], Primitive]:  # fmt: skip
    """Put a rule into the table; what comes back is the function on Values.

    symbol        how texts and drawings write the operation: × σ Σ
    domains       one for each operand of the rule (one for all, where it takes ``*operands``)
    derivative    the domains of the local derivatives, where they are smaller
    joint         a condition on all operands together
    remedy        what to write instead where a domain is broken
    gate          whether a local derivative of 0 means "not chosen", as relu's: it stops even an infinite upstream
    least, step   an n-ary rule takes ``least`` operands, or ``step`` more, or 2 ``step`` more …

    Raises TypeError if the domains do not match the operands, ValueError if the name is taken.

    >>> from autograd import Value, primitive
    >>> from autograd.table import REAL, TABLE
    >>> @primitive("x²", REAL)
    ... def square(n, x):
    ...     return x * x, (2.0 * x,)
    >>> x = Value(3.0)
    >>> square(x).backward()
    >>> x.grad
    6.0
    >>> del TABLE["square"]
    """

    def register(rule: Rule) -> Primitive:
        entry = Primitive(rule, symbol, domains, derivative, joint, remedy, gate, least, step)
        if entry.name in TABLE:
            raise ValueError(f"primitive {entry.name}: the table has one already; choose another name")
        TABLE[entry.name] = entry
        return entry

    return register
