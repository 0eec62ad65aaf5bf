"""The calculus: one entry per function, its value beside its local derivatives.

A rule is a plain function ``rule(n, *operands) -> (value, local_derivatives)`` that does not know what a
number is. ``n`` is a number system: the same lines run on floats (the eager engine), NumPy arrays, SymPy
expressions and Values (second derivatives). No rule asks ``if``: it calls ``n.where`` or ``n.heaviside``, and
guards the *argument* of the branch that is not taken, because both branches run.

Each entry also states where it is defined. The domain of the value and that of the derivative are stated
apart: the square root of 0 is 0, but its local derivative there is infinite.

On floats a result is right to four units in its last place. Rules are written to be read, and where one loses
more by that, it says so; ``tests/test_special_values.py`` holds each to its word.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate
from math import isfinite
from operator import mul as times
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from autograd.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from autograd.value import Operand, Value

    Rule = Callable[..., tuple[Any, tuple[Any, ...]]]


class Domain(NamedTuple):
    """Where operand ``{x}`` may lie, or all together, by the rule's letters in braces: in words, and as a test.

    derivative   whether a condition on all together is one on the derivatives alone
    """

    condition: str
    contains: Callable[..., bool]
    derivative: bool = False


REAL = Domain("{x} real", lambda x: True)
POSITIVE = Domain("{x} > 0", lambda x: x > 0.0)
NONNEGATIVE = Domain("{x} ≥ 0", lambda x: x >= 0.0)
ABOVE_MINUS_ONE = Domain("{x} > −1", lambda x: x > -1.0)
NONZERO = Domain("{x} ≠ 0", lambda x: x != 0.0)
UP_TO_ONE = Domain("−1 ≤ {x} ≤ 1", lambda x: -1.0 <= x <= 1.0)
WITHIN_ONE = Domain("−1 < {x} < 1", lambda x: -1.0 < x < 1.0)
CONSTANT = Domain("{x} a constant", lambda x: True)  # no Value enters here, so no derivative leaves
CONDITION = Domain("{x} true (not 0) or false (0)", lambda x: True)
ANYWHERE = Domain("", lambda *operands: True)  # where all may lie together, unless a rule says otherwise

TABLE: dict[str, Primitive] = {}


@dataclass(eq=False, repr=False)
class Primitive:
    """One entry of the table. Called on Values or numbers, it records a node.

    name                 the rule's own name; the key in ``TABLE``
    letters              the rule's names of its operands, as the messages use them
    derivative_domains   where the local derivatives are finite too; all else is as ``primitive`` was given it
    """

    # how a call records a node, and reads an operand's number: `autograd.value` puts its functions here
    record: ClassVar[Callable[..., Any]]
    number_of: ClassVar[Callable[..., float]]

    rule: Rule
    symbol: str
    domains: tuple[Domain, ...]
    derivative: tuple[Domain, ...] = ()
    joint: Domain = ANYWHERE
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

    def __call__(self, *operands: Operand | Iterable[Operand]) -> Value:
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

    def _recorded(self, operands: Sequence[Any]) -> Value:
        if self.__module__ != __name__:  # a rule of the user's own, which may return something else each time
            self._prove([Primitive.number_of(x) for x in operands])
        node: Value = Primitive.record(self, *operands)
        if node.data.__class__ is not float:  # a rule of the user's own that returns whole numbers, or NumPy's
            node.data = node.data
        return node

    def _prove(self, operands: list[float]) -> None:
        """TypeError for a rule that does not return one value and a local derivative for each operand."""
        from autograd.number_systems import floats

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

    def _check_constants(self, node: Value) -> None:
        for letter, domain, parent in zip(self.letters, self.domains, node.parents):
            if domain is CONSTANT and parent.operation is not CONSTANT_NUMBER:
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

    def defined_at(self, *operands: float, derivative: bool = False) -> bool:
        """Whether the value (or with ``derivative`` the local derivatives too) exists at these operands."""
        domains = self.domains_of(len(operands), derivative)
        alone = all(domain.contains(x) for domain, x in zip(domains, operands))
        return alone and ((self.joint.derivative and not derivative) or self.joint.contains(*operands))

    def check_fault(self, node: Value) -> None:
        """Raise DomainError for a node that is not finite, unless an operand was not finite before."""
        from autograd.errors import DomainError, complaint  # loaded only when it is needed

        if all(isfinite(x.data) for x in node.parents):
            # no name for the error here: it would keep itself, and the graph, alive until the collector runs
            raise DomainError(complaint(node), node)


def listed(operand: Any) -> list[Any] | None:
    """The operands that a list, an array, a Series, a generator or a map holds; None for what is one operand."""
    is_list = isinstance(operand, Iterable) and not isinstance(operand, NOT_LISTS)
    return list(operand) if is_list and len(getattr(operand, "shape", (0,))) == 1 else None  # a table has two


NOT_LISTS = (str, bytes, bytearray, Mapping, Set)  # text is no number, and these two have no order to rely on

CONSTANT_NUMBER = Primitive(lambda n: (0.0, ()), "constant", ())  # marks a number in an expression; never run


def primitive(
    symbol: str, *domains: Domain, derivative: tuple[Domain, ...] = (), joint: Domain = ANYWHERE, remedy: str = "",
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
    >>> from autograd.primitives import REAL, TABLE
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


# ---- one operand ----------------------------------------------------------------------------------------------


@primitive("=", REAL)
def identity(n, x):
    """The value itself, as a node of its own: the slide's ``x = r``.

    >>> from autograd import Value
    >>> r = Value(2.0, "r")
    >>> (+r) is r, (+r).data
    (False, 2.0)
    """
    return x, (1.0,)


@primitive("−", REAL)
def neg(n, x):
    """−x, with derivative −1."""
    return -x, (-1.0,)


@primitive("exp", REAL)
def exp(n, x):
    """eˣ, its own derivative.

    >>> from autograd import Value
    >>> exp(Value(0.0)).data
    1.0
    """
    y = n.exp(x)
    return y, (y,)


@primitive("log", POSITIVE)
def log(n, x):
    """Natural logarithm, for x > 0; derivative 1/x."""
    return n.log(x), (n.divide(1.0, x),)


@primitive("log1p", ABOVE_MINUS_ONE)
def log1p(n, x):
    """log(1 + x) for x > −1, exact to rounding near 0; derivative 1/(1 + x)."""
    return n.log1p(x), (n.divide(1.0, 1.0 + x),)


@primitive("expm1", REAL)
def expm1(n, x):
    """eˣ − 1, exact to rounding near 0; derivative eˣ."""
    return n.expm1(x), (n.exp(x),)


@primitive("√", NONNEGATIVE, derivative=(POSITIVE,))
def sqrt(n, x):
    """√x, for x ≥ 0; derivative 1/(2√x), infinite at 0."""
    y = n.sqrt(x)
    return y, (n.divide(0.5, y),)


@primitive("log₂", POSITIVE)
def log2(n, x):
    """Logarithm to the base 2, for x > 0; derivative 1/(x log 2)."""
    return n.log2(x), (n.divide(1.4426950408889634, x),)


@primitive("sin", REAL)
def sin(n, x):
    """sin x, x in radians; derivative cos x."""
    return n.sin(x), (n.cos(x),)


@primitive("cos", REAL)
def cos(n, x):
    """cos x, x in radians; derivative −sin x."""
    return n.cos(x), (-n.sin(x),)


@primitive("tan", REAL)
def tan(n, x):
    """tan x, x in radians; derivative 1 + tan² x."""
    y = n.tan(x)
    return y, (1.0 + y * y,)


@primitive("asin", UP_TO_ONE, derivative=(WITHIN_ONE,))
def asin(n, x):
    """The angle in [−π/2, π/2] whose sine is x, for |x| ≤ 1; derivative 1/√(1 − x²), infinite at ±1."""
    return n.asin(x), (n.divide(1.0, n.sqrt((1.0 - x) * (1.0 + x))),)


@primitive("acos", UP_TO_ONE, derivative=(WITHIN_ONE,))
def acos(n, x):
    """The angle in [0, π] whose cosine is x, for |x| ≤ 1; derivative −1/√(1 − x²), infinite at ±1."""
    return n.acos(x), (-n.divide(1.0, n.sqrt((1.0 - x) * (1.0 + x))),)


@primitive("atan", REAL)
def atan(n, x):
    """The angle in (−π/2, π/2) whose tangent is x; derivative 1/(1 + x²), right to 1e−308."""
    return n.atan(x), (n.divide(1.0, 1.0 + x * x),)


@primitive("sinh", REAL)
def sinh(n, x):
    """(eˣ − e⁻ˣ)/2; derivative cosh x."""
    return n.sinh(x), (n.cosh(x),)


@primitive("cosh", REAL)
def cosh(n, x):
    """(eˣ + e⁻ˣ)/2; derivative sinh x."""
    return n.cosh(x), (n.sinh(x),)


@primitive("tanh", REAL)
def tanh(n, z):
    """a = tanh z, with derivative 1 − a², which is right to 4e−16: where a rounds to 1, to 0."""
    a = n.tanh(z)
    return a, (1.0 - a * a,)


@primitive("σ", REAL)
def sigmoid(n, z):
    """a = σ(z) = 1/(1 + e⁻ᶻ), with derivative a(1 − a), which is right to 4e−16: where a rounds to 1, to 0.

    >>> from autograd import Value
    >>> z = Value(0.0)
    >>> a = sigmoid(z)
    >>> a.backward()
    >>> a.data, z.grad
    (0.5, 0.25)
    """
    a = n.sigmoid(z)
    return a, (a * (1.0 - a),)


@primitive("softplus", REAL)
def softplus(n, z):
    """log(1 + eᶻ), the smooth relu; derivative σ(z)."""
    return n.softplus(z), (n.sigmoid(z),)


@primitive("relu", REAL, gate=True)
def relu(n, z):
    """max(z, 0); derivative 1 for z > 0, else 0."""
    # relu′(0) = 0: any value in [0, 1] is a subgradient; PyTorch takes this one
    return n.maximum(z, 0.0), (n.heaviside(z, 0.0),)


@primitive("logσ", REAL)
def log_sigmoid(n, z):
    """log σ(z) = −softplus(−z), which does not overflow; derivative σ(−z).

    >>> from autograd import Value
    >>> log_sigmoid(Value(-800.0)).data
    -800.0
    """
    return -n.softplus(-z), (n.sigmoid(-z),)


@primitive("elu", REAL)
def elu(n, z):
    """z for z > 0, else eᶻ − 1; derivative 1, else eᶻ.

    Source: Clevert, Unterthiner & Hochreiter 2016, with α = 1.
    """
    below = n.minimum(z, 0.0)
    return n.maximum(z, 0.0) + n.expm1(below), (n.exp(below),)


@primitive("silu", REAL)
def silu(n, z):
    """z σ(z), also called swish, 0 at −∞; derivative σ(z) (1 + z (1 − σ(z))), which is right to 1e−14.

    Source: Elfwing, Uchibe & Doya 2018.
    """
    s = n.sigmoid(z)
    return n.times(z, s), (n.times(1.0 + n.times(z, 1.0 - s), s),)


@primitive("erf", REAL)
def erf(n, x):
    """2/√π ∫₀ˣ e^(−t²) dt; derivative 2/√π e^(−x²), which loses x² units."""
    return n.erf(x), (1.1283791670955126 * n.exp(-(x * x)),)


@primitive("erfc", REAL)
def erfc(n, x):
    """1 − erf x, exact to rounding where it is small; derivative −2/√π e^(−x²), which loses x² units."""
    return n.erfc(x), (-1.1283791670955126 * n.exp(-(x * x)),)


@primitive("gelu", REAL)
def gelu(n, z):
    """z Φ(z) with the normal distribution's Φ(z) = ½ erfc(−z/√2), 0 at −∞; derivative Φ(z) + z φ(z), φ = Φ′.

    Both lose z² units where z < 0: −z/√2 rounds, and its square is an exponent.
    Source: Hendrycks & Gimpel 2016, without their approximations.
    """
    share = 0.5 * n.erfc(-0.7071067811865476 * z)
    return n.times(z, share), (share + n.times(z, 0.3989422804014327 * n.exp(-0.5 * (z * z))),)


@primitive("|·|", REAL)
def abs(n, x):
    """|x|; derivative sign x, and 0 at the kink."""
    return n.abs(x), (2.0 * n.heaviside(x, 0.5) - 1.0,)


@primitive("sign", REAL, gate=True)
def sign(n, x):
    """−1, 0 or 1, as x is negative, 0 or positive; derivative 0."""
    return 2.0 * n.heaviside(x, 0.5) - 1.0, (0.0,)


@primitive("floor", REAL, gate=True)
def floor(n, x):
    """The largest whole number that is at most x; derivative 0."""
    return n.floor(x), (0.0,)


@primitive("detach", REAL, gate=True)
def detach(n, x):
    """x, and derivative 0: the backward pass ends here. A recorded loss computes it again in each run.

    >>> from autograd import Value
    >>> x = Value(3.0)
    >>> (x * detach(x)).backward()
    >>> x.grad
    3.0
    """
    return n.detach(x), (0.0,)


# ---- two or three operands ------------------------------------------------------------------------------------


@primitive("+", REAL, REAL)
def add(n, x, y):
    """x + y, with derivatives 1 and 1."""
    return x + y, (1.0, 1.0)


@primitive("−", REAL, REAL)
def sub(n, x, y):
    """x − y, with derivatives 1 and −1."""
    return x - y, (1.0, -1.0)


@primitive("×", REAL, REAL)
def mul(n, x, y):
    """x y, with derivatives y and x."""
    return x * y, (y, x)


@primitive("÷", REAL, NONZERO)
def div(n, x, y):
    """x / y for y ≠ 0, with derivatives 1/y and −x/y²."""
    quotient = n.divide(x, y)
    return quotient, (n.divide(1.0, y), -n.divide(quotient, y))


@primitive(
    "^", REAL, CONSTANT,
    derivative=(NONZERO, CONSTANT),
    joint=Domain(
        "{x} > 0, {x} = 0 with {p} ≥ 0, or {x} < 0 with a whole {p}",
        lambda x, p: p == p // 1.0 if x < 0.0 else x > 0.0 or p >= 0.0,
    ),
)  # fmt: skip
def power(n, x, p):
    """xᵖ with a constant exponent p; derivative p xᵖ⁻¹. It never touches a logarithm.

    The derivative loses log x units where p − 1 is rounded. It needs |x| ≥ 6e−309 for |p| < 1, where xᵖ⁻¹ overflows
    otherwise, and |p| < 2⁵³ for x < 0: beyond, a float does not know whether p − 1 is odd.

    >>> from autograd import Value
    >>> x = Value(-2.0)
    >>> y = x ** 3
    >>> y.backward()
    >>> y.data, x.grad
    (-8.0, 12.0)
    """
    return n.power(x, p), (p * n.power(x, n.where(p, p - 1.0, 0.0)), 0.0)  # p = 0: no 0 · 0⁻¹, no 0 · ∞


@primitive(
    "^", NONNEGATIVE, REAL,
    derivative=(POSITIVE, REAL),
    joint=Domain("{y} ≥ 0 where {x} = 0", lambda x, y: x > 0.0 or y >= 0.0),
    remedy="for a negative base write a constant exponent, as in x ** 3",
)  # fmt: skip
def pow(n, x, y):
    """xʸ for x ≥ 0, both of them Values; derivatives y xʸ⁻¹ and xʸ log x (0 at x = 0).

    What is said of ``power``'s derivative is true of y xʸ⁻¹.
    """
    value = n.pow(x, y)
    logarithm = n.log(n.where(x, x, 1.0))
    exponent = n.where(x, y - 1.0, n.where(y, y - 1.0, 1.0))  # x = y = 0: no 0 · 0⁻¹
    return value, (y * n.pow(x, exponent), value * logarithm)


@primitive("atan2", REAL, REAL, joint=Domain("{x} ≠ 0 or {y} ≠ 0", lambda y, x: x != 0.0 or y != 0.0, True))
def atan2(n, y, x):
    """The angle of the point (x, y), in [−π, π]; derivatives x/(x² + y²) for y and −y/(x² + y²) for x.

    >>> from autograd import Value
    >>> atan2(Value(1.0), Value(0.0)).local_derivatives
    (0.0, -1.0)
    """
    r = n.hypot((x, y))
    return n.atan2(y, x), (n.divide(n.divide(x, r), r), -n.divide(n.divide(y, r), r))


@primitive("[>0]", REAL, CONSTANT, gate=True)
def heaviside(n, x, at_zero):
    """1 for x > 0, 0 for x < 0, the constant ``at_zero`` in between; derivative 0.

    >>> from autograd import Value
    >>> heaviside(Value(0.0), 0.5).data
    0.5
    """
    return n.heaviside(x, at_zero), (0.0, 0.0)


@primitive(">", REAL, REAL, gate=True)
def greater(n, x, y):
    """1 where x > y, else 0, as a node: a comparison that a recorded loss makes again in each run; derivatives 0.

    >>> from autograd import Value
    >>> greater(Value(2.0), 1.0).data
    1.0
    """
    return n.greater(x, y), (0.0, 0.0)


@primitive("where", CONDITION, REAL, REAL, gate=True)
def where(n, c, x, y):
    """x where c is not 0, else y; the one that is not chosen gets derivative 0.

    Python computes both before it chooses, so what is not chosen has to exist as well: for √x where x > 0 write
    ``where(x > 0, sqrt(maximum(x, 1e-300)), 0.0)``, which guards the argument. ``x > 0`` decides once;
    ``greater(x, 0.0)`` is a node, evaluated in each run of a recorded loss.

    >>> from autograd import Value
    >>> where(Value(2.0) > 1.0, Value(3.0), Value(4.0)).data
    3.0
    """
    return n.where(c, x, y), (0.0, n.where(c, 1.0, 0.0), n.where(c, 0.0, 1.0))


@primitive("clamp", REAL, REAL, REAL, joint=Domain("{low} ≤ {high}", lambda x, low, high: low <= high), gate=True)
def clamp(n, x, low, high):
    """x, but no less than ``low`` and no more than ``high``; derivative ½ at either bound, 0 where these are equal.

    >>> from autograd import Value
    >>> clamp(Value(3.0), -1.0, 1.0).data
    1.0
    """
    of_x, _ = n.shares((x, low))
    of_high, below = n.shares((-high, -x))
    dx = of_x * below * n.greater(high, low)
    return n.clamp(x, low, high), (dx, below - dx, of_high)


# ---- n operands -----------------------------------------------------------------------------------------------


@primitive("max", REAL, gate=True)
def maximum(n, *x):
    """The largest of x₁ … xₙ; its derivative is 1 for the largest, and shared equally in a tie.

    >>> from autograd import Value
    >>> x, y = Value(1.0), Value(1.0)
    >>> maximum(x, y).backward()
    >>> x.grad, y.grad
    (0.5, 0.5)
    """
    return reduce(n.maximum, x), tuple(n.shares(x))


@primitive("min", REAL, gate=True)
def minimum(n, *x):
    """The smallest of x₁ … xₙ; its derivative is 1 for the smallest, and shared equally in a tie."""
    return reduce(n.minimum, x), tuple(n.shares([-x_i for x_i in x]))


@primitive("√Σ²", REAL, joint=Domain("an operand ≠ 0", lambda *x: any(x), True))
def hypot(n, *x):
    """√(x₁² + … + xₙ²), the length of a vector, without overflow; derivatives xᵢ/√(…), and 0 at the origin.

    >>> from autograd import Value
    >>> hypot(Value(3.0), Value(4.0)).local_derivatives
    (0.6, 0.8)
    """
    length = n.hypot(x)
    guarded = n.where(length, length, 1.0)
    return length, tuple(n.divide(x_i, guarded) for x_i in x)


@primitive("Σ", REAL)
def sum(n, *x):
    """x₁ + … + xₙ as one node, with every derivative 1.

    >>> from autograd import Value
    >>> sum([Value(1.0), 2.0, 3.0]).data
    6.0
    """
    return n.sum(x), (1.0,) * len(x)


@primitive("Π", REAL)
def product(n, *x):
    """x₁ ⋯ xₙ as one node; the derivative for xᵢ is the product of the others.

    >>> from autograd import Value
    >>> product(Value(2.0), Value(6.0), Value(3.0)).local_derivatives
    (18.0, 6.0, 12.0)
    """
    # prefix times suffix products, never value / xᵢ, which fails at xᵢ = 0
    before = list(accumulate(x, times, initial=1.0))
    after = list(accumulate(reversed(x), times, initial=1.0))
    return before[-1], tuple(before[i] * after[len(x) - 1 - i] for i in range(len(x)))


@primitive("·", REAL, least=2, step=2)
def dot(n, *wa):
    """w₁a₁ + … + wₙaₙ of the operands w₁…wₙ, a₁…aₙ; ∂/∂wₖ = aₖ, ∂/∂aₖ = wₖ.

    >>> from autograd import Value
    >>> dot([Value(1.0), Value(2.0)], [3.0, 4.0]).data
    11.0
    """
    w, a = wa[: len(wa) // 2], wa[len(wa) // 2 :]
    return n.sum(map(times, w, a)), a + w


@primitive("Σwa+b", REAL, least=3, step=2)
def affine(n, *wab):
    """z = w₁a₁ + … + wₙaₙ + b of w₁…wₙ, a₁…aₙ, b: one unit of a layer; ∂z/∂wₖ = aₖ, ∂z/∂aₖ = wₖ, ∂z/∂b = 1.

    >>> from autograd import Value
    >>> w, a, b = [Value(1.0), Value(2.0)], [3.0, 4.0], Value(0.5)
    >>> affine(w, a, b).data
    11.5
    """
    w, a, b = wab[: len(wab) // 2], wab[len(wab) // 2 : -1], wab[-1]
    return n.sum(map(times, w, a)) + b, (*a, *w, 1.0)


@primitive("logΣexp", REAL)
def logsumexp(n, *z):
    """log(eᶻ¹ + … + eᶻⁿ), computed without overflow; the derivatives are the softmax of z.

    >>> from autograd import Value
    >>> logsumexp(Value(1000.0), Value(1000.0)).data
    1000.6931471805599
    """
    value, softmax = n.logsumexp(z)
    return value, tuple(softmax)
