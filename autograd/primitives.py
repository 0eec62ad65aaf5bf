"""The table of derivatives: one entry per function, with its value beside its local derivatives.

A rule is a plain function ``rule(n, *operands) -> (value, local_derivatives)``. ``n`` is a number system: the same
lines run on floats (the eager engine), NumPy arrays, SymPy expressions, Values (second derivatives) and JavaScript.
No rule uses ``if``: it calls ``n.where`` or ``n.heaviside``, and guards the *argument* of the branch that is not
taken, because both branches run. The decorator states where value and local derivatives are defined: the square
root of 0 is 0, but its local derivative there is infinite.

On floats, a result is accurate to four units in the last place unless the rule says otherwise.
"""

from functools import reduce
from itertools import accumulate
from operator import mul as times

from autograd.table import CONDITION, CONSTANT, REAL, Domain, primitive

POSITIVE, NONNEGATIVE, NONZERO = Domain(">", 0.0), Domain(">=", 0.0), Domain("!=", 0.0)
ABOVE_MINUS_ONE, UP_TO_ONE, WITHIN_ONE = Domain(">", -1.0), Domain("-1 <= x <= 1"), Domain("-1 < x < 1")

# ---- one operand ----------------------------------------------------------------------------------------------


@primitive("=", REAL)
def identity(n, x):
    """x itself as a new node: the slide's ``x = r``.

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
    """The angle in (−π/2, π/2) whose tangent is x; derivative 1/(1 + x²), accurate to 1e−308."""
    return n.atan(x), (n.divide(1.0, 1.0 + x * x),)


@primitive("sinh", REAL)
def sinh(n, x):
    """(eˣ − e⁻ˣ)/2; derivative cosh x."""
    return n.sinh(x), (n.cosh(x),)


@primitive("cosh", REAL)
def cosh(n, x):
    """(eˣ + e⁻ˣ)/2; derivative sinh x."""
    return n.cosh(x), (n.sinh(x),)


@primitive("tanh", REAL, flat="saturated")
def tanh(n, z):
    """a = tanh z; derivative 1 − a², which is accurate to 4e−16 and is 0 if a rounds to 1."""
    a = n.tanh(z)
    return a, (1.0 - a * a,)


@primitive("σ", REAL, flat="saturated")
def sigmoid(n, z):
    """a = σ(z) = 1/(1 + e⁻ᶻ); derivative a(1 − a), which is accurate to 4e−16 and is 0 if a rounds to 1.

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
    """log(1 + eᶻ), a smooth relu; derivative σ(z)."""
    return n.softplus(z), (n.sigmoid(z),)


@primitive("relu", REAL, gate=True, flat="off")
def relu(n, z):
    """max(z, 0); derivative 1 for z > 0, else 0."""
    # relu′(0) = 0: any value in [0, 1] is a subgradient; PyTorch chooses this one
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
    """z for z > 0, else eᶻ − 1; derivative 1 for z > 0, else eᶻ.

    Source: Clevert, Unterthiner & Hochreiter 2016, with α = 1.
    """
    below = n.minimum(z, 0.0)
    return n.maximum(z, 0.0) + n.expm1(below), (n.exp(below),)


@primitive("silu", REAL)
def silu(n, z):
    """z σ(z), also called swish, 0 at −∞; derivative σ(z) (1 + z (1 − σ(z))), which is accurate to 1e−14.

    Source: Elfwing, Uchibe & Doya 2018.
    """
    s = n.sigmoid(z)
    return n.times(z, s), (n.times(1.0 + n.times(z, 1.0 - s), s),)


@primitive("erf", REAL)
def erf(n, x):
    """2/√π ∫₀ˣ e^(−t²) dt; derivative 2/√π e^(−x²), which loses x² units in the last place."""
    return n.erf(x), (1.1283791670955126 * n.exp(-(x * x)),)


@primitive("erfc", REAL)
def erfc(n, x):
    """1 − erf x, exact to rounding if small; derivative −2/√π e^(−x²), which loses x² units in the last place."""
    return n.erfc(x), (-1.1283791670955126 * n.exp(-(x * x)),)


@primitive("gelu", REAL)
def gelu(n, z):
    """z Φ(z) with the standard normal CDF Φ(z) = ½ erfc(−z/√2), 0 at −∞; derivative Φ(z) + z φ(z), φ = Φ′.

    Both lose z² units in the last place for z < 0, because −z/√2 rounds and its square is an exponent.
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
    """−1, 0 or 1 if x is negative, zero or positive; derivative 0."""
    return 2.0 * n.heaviside(x, 0.5) - 1.0, (0.0,)


@primitive("floor", REAL, gate=True)
def floor(n, x):
    """The largest integer that is not greater than x; derivative 0."""
    return n.floor(x), (0.0,)


@primitive("detach", REAL, gate=True)
def detach(n, x):
    """x, with derivative 0: the backward pass ends here. A recorded loss computes it again in each run.

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


@primitive("×", REAL, REAL, factors="all")
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
    joint=Domain("x > 0", "x == 0 with p >= 0", "x < 0 with whole p"),
)  # fmt: skip
def power(n, x, p):
    """xᵖ with a constant exponent p; derivative p xᵖ⁻¹. No logarithm is computed.

    The derivative loses log x units in the last place if p − 1 is rounded. It needs |x| ≥ 6e−309 for |p| < 1, since
    xᵖ⁻¹ overflows otherwise, and |p| < 2⁵³ for x < 0, since a larger float cannot tell whether p − 1 is odd.

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
    joint=Domain("y >= 0 where x == 0"),
    remedy="for a negative base, write a constant exponent, as in x ** 3",
)  # fmt: skip
def pow(n, x, y):
    """xʸ for x ≥ 0 and a Value y; derivatives y xʸ⁻¹, as accurate as ``power``'s, and xʸ log x, 0 at x = 0."""
    value = n.pow(x, y)
    logarithm = n.log(n.where(x, x, 1.0))
    exponent = n.where(x, y - 1.0, n.where(y, y - 1.0, 1.0))  # x = y = 0: no 0 · 0⁻¹
    return value, (y * n.pow(x, exponent), value * logarithm)


@primitive("atan2", REAL, REAL, joint=Domain("x != 0", "y != 0", derivative=True))
def atan2(n, y, x):
    """The angle of the point (x, y), in [−π, π]; ∂/∂y = x/(x² + y²), ∂/∂x = −y/(x² + y²).

    >>> from autograd import Value
    >>> atan2(Value(1.0), Value(0.0)).local_derivatives
    (0.0, -1.0)
    """
    r = n.hypot((x, y))
    return n.atan2(y, x), (n.divide(n.divide(x, r), r), -n.divide(n.divide(y, r), r))


@primitive("[>0]", REAL, CONSTANT, gate=True)
def heaviside(n, x, at_zero):
    """1 for x > 0, 0 for x < 0, the constant ``at_zero`` at x = 0; derivative 0.

    >>> from autograd import Value
    >>> heaviside(Value(0.0), 0.5).data
    0.5
    """
    return n.heaviside(x, at_zero), (0.0, 0.0)


@primitive(">", REAL, REAL, gate=True)
def greater(n, x, y):
    """1 if x > y, else 0, as a node, so that a recorded loss compares again in each run; derivatives 0.

    >>> from autograd import Value
    >>> greater(Value(2.0), 1.0).data
    1.0
    """
    return n.greater(x, y), (0.0, 0.0)


@primitive("where", CONDITION, REAL, REAL, gate=True)
def where(n, c, x, y):
    """x if c is not 0, else y; the operand that is not chosen has derivative 0.

    Python computes both operands first, so the one that is not chosen must be defined too: for √x at x > 0, write
    ``where(x > 0, sqrt(maximum(x, 1e-300)), 0.0)``, which guards the argument. ``x > 0`` is decided once, while
    recording; ``greater(x, 0.0)`` is a node, evaluated in each run of a recorded loss.

    >>> from autograd import Value
    >>> where(Value(2.0) > 1.0, Value(3.0), Value(4.0)).data
    3.0
    """
    return n.where(c, x, y), (0.0, n.where(c, 1.0, 0.0), n.where(c, 0.0, 1.0))


@primitive("clamp", REAL, REAL, REAL, joint=Domain("low <= high"), gate=True)
def clamp(n, x, low, high):
    """x, limited to [``low``, ``high``]; derivative ½ at either bound, 0 if the bounds are equal.

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
    """The largest of x₁ … xₙ; derivative 1 for the largest, shared equally in a tie.

    >>> from autograd import Value
    >>> x, y = Value(1.0), Value(1.0)
    >>> maximum(x, y).backward()
    >>> x.grad, y.grad
    (0.5, 0.5)
    """
    return reduce(n.maximum, x), tuple(n.shares(x))


@primitive("min", REAL, gate=True)
def minimum(n, *x):
    """The smallest of x₁ … xₙ; derivative 1 for the smallest, shared equally in a tie."""
    return reduce(n.minimum, x), tuple(n.shares([-x_i for x_i in x]))


@primitive("√Σ²", REAL, joint=Domain("x != 0", derivative=True))
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
    """x₁ + … + xₙ as one node; every derivative is 1.

    >>> from autograd import Value
    >>> sum([Value(1.0), 2.0, 3.0]).data
    6.0
    """
    return n.sum(x), (1.0,) * len(x)


@primitive("Π", REAL, factors="all")
def product(n, *x):
    """x₁ ⋯ xₙ as one node; the derivative with respect to xᵢ is the product of the others.

    >>> from autograd import Value
    >>> product(Value(2.0), Value(6.0), Value(3.0)).local_derivatives
    (18.0, 6.0, 12.0)
    """
    # prefix times suffix products, never value / xᵢ, which fails at xᵢ = 0
    before = list(accumulate(x, times, initial=1.0))
    after = list(accumulate(reversed(x), times, initial=1.0))
    return before[-1], tuple(before[i] * after[len(x) - 1 - i] for i in range(len(x)))


@primitive("·", REAL, least=2, step=2, factors="pairs")
def dot(n, *wa):
    """w₁a₁ + … + wₙaₙ for operands w₁…wₙ, a₁…aₙ; ∂/∂wₖ = aₖ, ∂/∂aₖ = wₖ.

    >>> from autograd import Value
    >>> dot([Value(1.0), Value(2.0)], [3.0, 4.0]).data
    11.0
    """
    w, a = wa[: len(wa) // 2], wa[len(wa) // 2 :]
    return n.sum(map(times, w, a)), a + w


@primitive("Σwa+b", REAL, least=3, step=2, factors="pairs")
def affine(n, *wab):
    """z = w₁a₁ + … + wₙaₙ + b for operands w₁…wₙ, a₁…aₙ, b; ∂z/∂wₖ = aₖ, ∂z/∂aₖ = wₖ, ∂z/∂b = 1.

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
