"""``gradcheck``: compares derivatives with the slope of the function itself, measured by central differences."""

from collections.abc import Callable, Iterable
from math import inf, nan

from autograd.errors import DomainError
from autograd.finite_differences import LAST_DIGIT, STEP, slope
from autograd.graph import topological_order
from autograd.kinks import kinks, sides
from autograd.modes import no_grad, recording
from autograd.number_systems.floats import number
from autograd.table import CONDITION, CONSTANT, Primitive
from autograd.value import Operand, Value

TOLERANCE = 1e-6  # a hundred times the truncation and rounding error that remains
CALLS = 8  # a random function may return equal results at first, and its slopes would then look like a kink


class GradientError(AssertionError):
    """Raised if a derivative differs from the slope of its function, or if there is no slope to compare it with."""


@recording
def gradcheck(
    function: Callable[..., Value], at: Iterable[Operand] | Operand, *, tolerance: float = TOLERANCE,
    step: float = STEP,
) -> bool:  # fmt: skip
    """Check every derivative of ``function`` at the point ``at`` against a central difference.

    function    a function of as many Values as ``at`` has numbers that returns one Value, or an entry of the table
    tolerance   allowed difference relative to the slope, in addition to the error of the measured slope

    Returns True. Raises GradientError if a derivative is wrong (the message names the argument and the difference),
    if the function has a kink or a jump there (its derivative is then a choice), or if it is not deterministic.

    >>> from autograd import tanh, relu
    >>> gradcheck(lambda x, y: tanh(x * y), [0.5, -2.0])
    True
    >>> gradcheck(relu, [0.0])
    Traceback (most recent call last):
        ...
    autograd.checking.GradientError: relu has a kink at z = 0.0: the slope is 0.0 to the left and 1.0 to the right, \
so there is no derivative to check; 0.0 was chosen
    """
    at = list(at) if isinstance(at, Iterable) else [at]
    names = [getattr(x, "name", None) for x in at]
    point = [number(x.data if isinstance(x, Value) else x) for x in at]
    name, fixed = getattr(function, "__name__", "the function"), set()
    if isinstance(function, Primitive):
        fixed = {i for i, domain in enumerate(function.domains_of(len(point))) if domain in (CONSTANT, CONDITION)}
        names = [f"x{i + 1}" for i in range(len(point))] if function.variadic else list(function.letters)

    def called(point: list[float]) -> tuple[list[Value | float], Value]:
        arguments = [x if i in fixed else Value(x, name) for i, (x, name) in enumerate(zip(point, names))]
        return arguments, function(*arguments)

    def along(x: float) -> float:
        try:
            with no_grad():
                return called([*point[:i], x, *point[i + 1 :]])[1].data
        except DomainError:  # the step left the domain; a smaller one may stay inside
            return nan

    arguments, result = called(point)
    if not isinstance(result, Value):
        raise TypeError(
            f"gradcheck: the function returned {result!r}, not a single Value; return the Value to differentiate"
        )
    for _ in range(CALLS):
        with no_grad():
            again = called(point)[1].data
        if result.data != again and again == again:
            raise GradientError(
                f"{name} is not deterministic: it returned {result.data!r} and then {again!r} at the same point, so "
                "it has no slope to compare with; seed it so that each call draws the same random numbers"
            )
    result.backward()
    sizes = [abs(x.grad * x.data) for x in topological_order(result) if x.parents and x.data]
    rounding = LAST_DIGIT * sum(size for size in sizes if size < inf)  # an infinity stops at a closed gate
    for i, x in enumerate(arguments):
        if isinstance(x, float):
            continue
        measured = slope(along, point[i], step, rounding)
        ties = kinks(result, [x], touched=True)
        left, right = sides(result, x) if ties else (measured.left, measured.right)
        no_slope = f"so there is no derivative to check; {x.grad!r} was chosen"
        where = f"{names[i] or f'argument {i + 1}'} = {point[i]!r}"
        off, allowed = abs(x.grad - measured.central), measured.allowed(x.grad, tolerance)
        if ties and left + right != left + right:
            raise GradientError(f"{name} has a jump at {where}, {no_slope}")
        apart = max(abs(left - x.grad), abs(right - x.grad))
        if apart > 1e-3 * abs(right - left) + 1e-6 * abs(x.grad) if ties else measured.is_kink:
            slopes = f"the slope is {left:.6} to the left and {right:.6} to the right"
            raise GradientError(f"{name} has a kink at {where}: {slopes}, {no_slope}")
        if off > allowed and not measured.is_resolved:
            raise GradientError(
                f"{name} changes too fast at {where} to be measured: smaller steps give different slopes, so there "
                f"is nothing to compare {x.grad!r} with; choose another point or a smaller step"
            )
        if not off <= allowed:
            raise GradientError(
                f"{name}: the derivative with respect to argument {i + 1}, {where}, is {x.grad!r}, but the central "
                f"difference is {measured.central:.9}: off by {off:.3}, but at most {allowed:.1} is allowed"
            )
    return True
