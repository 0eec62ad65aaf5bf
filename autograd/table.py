"""Defines an entry of the table: its rule, its symbol, its domains, and the call that records a node."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import isfinite
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Literal, TypeVar

from autograd.errors import DomainError, complaint
from autograd.node import Node
from autograd.number_systems import floats
from autograd.operands import listed, number_of
from autograd.text import counted, printable

Rule = Callable[..., tuple[Any, tuple[Any, ...]]]
T = TypeVar("T")

# the comparisons of a domain: in messages, as a test, and in JavaScript
SIGNS: dict[str, tuple[str, Callable[[float, float], bool], str]] = {
    ">": (">", gt, "{} > {}"), ">=": ("≥", ge, "{} >= {}"), "==": ("=", eq, "{} === {}"),
    "<": ("<", lt, "{} < {}"), "<=": ("≤", le, "{} <= {}"), "!=": ("≠", ne, "{} !== {}"),
    "whole": ("a whole", lambda x, _: x % 1.0 == 0.0, "{} % 1 === 0"),
}  # fmt: skip


class Domain:
    """A condition on one operand x, ``Domain(">", 0.0)``, or on several operands, ``Domain("low <= high")``.

    alternatives   at least one must be true: "x > 0", "-1 <= x <= 1", "whole p", "x == 0 with p >= 0" for both, or
                   "y >= 0 where x == 0", which is also true for any other x; "x real", without a sign, is always true
    derivative     whether only the local derivatives need the condition

    The methods take operands as keywords, named by the rule's letters. Raises ValueError for a sign not in ``SIGNS``.

    >>> domain = Domain("x > 0", "x == 0 with whole p")
    >>> domain.words(x="base", p="n"), domain.contains(x=0.0, p=0.5), domain.javascript(x="x1", p="x2")
    ('base > 0 or base = 0 with a whole n', False, 'x1 > 0 || x1 === 0 && x2 % 1 === 0')
    """

    def __init__(self, *alternatives: str | float, derivative: bool = False) -> None:
        if alternatives[0] in SIGNS:
            alternatives = (f"x {alternatives[0]} {alternatives[1]!r}".removesuffix(".0"),)
        self.alternatives, self.derivative = list(map(str, alternatives)), derivative
        self.tests = [test for alternative in self.alternatives for test in _tests(alternative)]
        self.letters = {z for test in self.tests for x, _, y in test for z in (x, y) if z.isidentifier()}

    def words(self, /, **names: str) -> str:
        """Return the condition as messages state it."""
        spelled = names | {sign: words for sign, (words, _, _) in SIGNS.items()}
        *others, last = [" ".join(spelled.get(z, z.replace("-", "−")) for z in x.split()) for x in self.alternatives]
        return f"{', '.join(others)}{',' if len(others) > 1 else ''} or {last}" if others else last

    def contains(self, /, **numbers: float) -> bool:
        """Return whether the condition is true."""
        return any(
            all(SIGNS[sign][1](*(numbers[z] if z in numbers else float(z) for z in (x, y))) for x, sign, y in test)
            for test in self.tests
        )

    def javascript(self, /, **names: str) -> str:
        """Return the condition in JavaScript."""
        return " || ".join(
            " && ".join(SIGNS[sign][2].format(names.get(x, x), names.get(y, y)) for x, sign, y in test) or "true"
            for test in self.tests
        )


def _tests(alternative: str) -> list[list[tuple[str, str, str]]]:
    """Return the comparisons (x, sign, y) of an alternative; "A where B" becomes two, A and the opposite of B."""
    needed, _, where = alternative.partition(" where ")
    tests = []
    for part in [needed, where.replace("==", "!=")] if where else [needed]:
        words = ["", *part.split(), ""]
        if any(set(word) & set("<>=!≤≥≠") and word not in SIGNS for word in words):
            raise ValueError(f"Domain({alternative!r}): compare with {', '.join(SIGNS)}")
        read = [(x, sign, y) for x, sign, y in zip(words, words[1:], words[2:]) if sign in SIGNS]
        tests.append([(y if sign == "whole" else x, sign, y) for x, sign, y in read])
    return tests


REAL, CONDITION = Domain("x real"), Domain("x true (not 0) or false (0)")
CONSTANT = Domain("x a constant")  # an operand without a derivative, which must not be a Value
ANYWHERE = Domain("anywhere")  # the default joint domain

TABLE: dict[str, Primitive] = {}
TABLE_MODULE = "autograd.primitives"  # defines the built-in rules

_recorders: list[Any] = []


def recorder(function: T) -> T:
    """Register the function that records the node of each call of an entry: ``autograd.value.apply``."""
    _recorders.append(function)
    return function


@dataclass(eq=False, repr=False)
class Primitive:
    """One entry of the table. Called on Values or numbers, it records a node.

    name                 the rule's name and the key in ``TABLE``
    letters              the rule's names for its operands, as used in messages
    derivative_domains   where the local derivatives are finite too; for other attributes see ``primitive``
    """

    rule: Rule
    symbol: str
    domains: tuple[Domain, ...]
    derivative: tuple[Domain, ...] = ()
    joint: Domain = ANYWHERE
    remedy: str = ""
    gate: bool = False
    least: int = 1
    step: int = 1
    factors: Literal["", "all", "pairs"] = ""
    flat: str = "flat"

    def __post_init__(self) -> None:
        rule, code = self.rule, self.rule.__code__
        self.__wrapped__, self.name, self.__name__ = rule, rule.__name__, rule.__name__
        self.__doc__, self.__module__, self.__qualname__ = rule.__doc__, rule.__module__, rule.__qualname__
        self.derivative_domains = self.derivative or self.domains
        self.variadic = bool(code.co_flags & 0x04)  # the rule takes *operands
        self.letters = code.co_varnames[1 : code.co_argcount + self.variadic]
        self.takes_constants = CONSTANT in self.domains
        about = f"primitive {self.name}:"
        if len(self.domains) != len(self.letters):
            given = f"{counted(len(self.domains), 'domain')} for the operands {', '.join(self.letters)}"
            raise TypeError(f"{about} {given}; give one for each operand (one for all operands of an n-ary rule)")
        if unknown := set().union(*(d.letters - {"x"} for d in self.derivative_domains + self.domains)):
            raise TypeError(f"{about} the domain of an operand must call it x, not {', '.join(unknown)}")
        if unknown := self.joint.letters - set(self.letters):
            raise TypeError(f"{about} the joint domain mentions {', '.join(unknown)}, which is not an operand")

    def __call__(self, *operands: Any) -> Any:
        """Record a node. Operands are passed one by one or in lists of equal length: ``affine(w, a, b)``."""
        if self.variadic:
            operands = self._unpacked(operands)
        elif len(operands) != len(self.letters):
            raise TypeError(f"{self.name} takes {counted(len(self.letters), 'operand')}, not {len(operands)}")
        if self.__module__ != TABLE_MODULE:  # a user's rule, which may return something different in each call
            self._prove([number_of(x) for x in operands])
        [record] = _recorders
        node = record(self, *operands)
        if node.data.__class__ is not float:  # a user's rule may return ints or NumPy scalars
            node.data = node.data
        if self.takes_constants:
            for letter, domain, parent in zip(self.letters, self.domains, node.parents):
                if domain is CONSTANT and not is_constant(parent):
                    remedy = "give a plain number, or write x ** y for an exponent that is a Value"
                    raise TypeError(f"{self.name}: {letter} = {parent!r} must be a constant, not a Value; {remedy}")
        return node

    def _unpacked(self, operands: Iterable[Any]) -> Any:
        flat: list[Any] = []
        lengths = set()
        for operand in operands:
            if (many := listed(operand)) is None:
                flat.append(operand)
            else:
                lengths.add(len(many))
                flat += many
        if len(lengths) > 1 or len(flat) < self.least or (len(flat) - self.least) % self.step:
            of = f" in lists of {' and '.join(map(str, sorted(lengths)))}" if len(lengths) > 1 else ""
            takes = f"{self.least}, {self.least + self.step}, … operands, in lists of equal length"
            raise TypeError(f"{self.name} takes {takes}, not {len(flat)}{of}")
        return flat

    def _prove(self, operands: list[float]) -> None:
        """Raise TypeError if the rule does not return a value and one local derivative per operand."""
        returned = self.rule(floats, *operands)
        is_pair = isinstance(returned, tuple) and len(returned) == 2 and isinstance(returned[1], tuple)
        numbers = (returned[0], *returned[1]) if is_pair else ()
        if len(numbers) != 1 + len(operands) or not all(isinstance(x, (float, int)) for x in numbers):
            local_derivatives = ", ".join(f"∂/∂{letter}" for letter in self.letters)
            raise TypeError(
                f"primitive {self.name} returned {returned!r} for {len(operands)} operands: it must return "
                f"(value, ({local_derivatives},)), a float for the value and one for each local derivative"
            )

    def __reduce__(self) -> str:  # pickled and copied by name, as a function is
        return self.__qualname__

    def __repr__(self) -> str:
        return printable(f"<primitive {self.name} {self.symbol}>")

    def domains_of(self, count: int, derivative: bool = False) -> tuple[Domain, ...]:
        """Return the domain of each of ``count`` operands."""
        domains = self.derivative_domains if derivative else self.domains
        return domains * count if self.variadic else domains

    def by_letter(self, operands: Iterable[T]) -> list[dict[str, T]]:
        """Return the operands by the rule's letters; an n-ary rule has one letter, and so one dict per operand."""
        return [dict(zip(self.letters, row)) for row in ([[x] for x in operands] if self.variadic else [operands])]

    def defined_at(self, *operands: float, derivative: bool = False) -> bool:
        """Return whether the value (with ``derivative``, also each local derivative) exists at these operands."""
        domains = self.domains_of(len(operands), derivative)
        alone = all(domain.contains(x=x) for domain, x in zip(domains, operands))
        return alone and ((self.joint.derivative and not derivative) or self.joined_at(*operands))

    def joint_words(self, names: Iterable[str]) -> str:
        """Return the joint condition as messages state it, for operands of these names."""
        return self.joint.words(**self.by_letter(["an operand"] if self.variadic else names)[0])

    def joined_at(self, *operands: float) -> bool:
        """Return whether the joint condition is true."""
        return any(self.joint.contains(**numbers) for numbers in self.by_letter(operands))

    def check_fault(self, node: Node) -> None:
        """Raise DomainError for a node that is not finite, unless one of its operands is not finite either."""
        if all(isfinite(x._data) for x in node.parents):
            # a local name for the error would keep it and the graph alive until the collector runs
            raise DomainError(complaint(node), node)


CONSTANT_NUMBER = Primitive(lambda n: (0.0, ()), "constant", ())  # marks a number in an expression; never run
CONSTANT_NUMBER.name = "constant"


def is_constant(node: Node) -> bool:
    """Return whether the node is a number in an expression."""
    return node.operation is CONSTANT_NUMBER


def primitive(
    symbol: str, *domains: Domain, derivative: tuple[Domain, ...] = (), joint: Domain = ANYWHERE, remedy: str = "",
    gate: bool = False, least: int = 1, step: int = 1, factors: Literal["", "all", "pairs"] = "", flat: str = "flat",
) -> Callable[[Rule], Primitive]:  # fmt: skip
    """Decorator that adds a rule to the table and returns the function on Values.

    symbol        the operation's symbol in texts and drawings: × σ Σ
    domains       one for each operand of the rule (one for all if it takes ``*operands``)
    derivative    the domains of the local derivatives, if they are smaller
    joint         a condition on all operands together
    remedy        what to write instead, for the error message if operands are outside the domain
    gate          whether a local derivative of 0 means "not chosen", as in relu; it stops even an infinite upstream
    factors       the operands that are multiplied with each other: "all", or "pairs" for each w with its a
    flat          the word that describes the operation where its slope is 0: flat, off or saturated
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
        entry = Primitive(rule, symbol, domains, derivative, joint, remedy, gate, least, step, factors, flat)
        if entry.name in TABLE:
            raise ValueError(f"primitive {entry.name} is already in the table; choose another name")
        TABLE[entry.name] = entry
        return entry

    return register
