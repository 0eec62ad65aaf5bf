"""gradcheck: the local derivatives against the slope of the function itself, measured by central differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import nan

from autograd.differences import LAST_DIGIT, STEP, slope
from autograd.errors import DomainError
from autograd.graph import topological_order
from autograd.number_systems import floats
from autograd.number_systems.floats import number
from autograd.primitives import CONDITION, CONSTANT, Primitive
from autograd.value import Operand, Value, no_grad

Function = Callable[..., Value]

TOLERANCE = 1e-6  # a hundred times what is left of truncation and rounding


class GradientError(AssertionError):
    """A derivative is not the slope of its function, or there is no slope to compare it with."""


def gradcheck(
    function: Function | Primitive,
    at: Sequence[Operand],
    tolerance: float = TOLERANCE,
    step: float = STEP,
) -> bool:
    """Check every derivative of ``function`` at the point ``at`` against a central difference.

    function    takes as many Values as ``at`` has numbers and returns one; or an entry of the table, whose
                local derivatives are then checked alone
    tolerance   allowed difference, relative to the slope, beside what rounding and curvature make of the measured one

    Returns True. Raises GradientError, which says which argument failed and by how much, calls a kink a kink (there
    the derivative is a matter of choice), and names a function that does not give the same number twice.

    >>> from autograd import tanh, relu
    >>> gradcheck(lambda x, y: tanh(x * y), [0.5, -2.0])
    True
    >>> gradcheck(relu, [0.0])
    Traceback (most recent call last):
        ...
    autograd.checking.GradientError: relu has a kink at z = 0.0: the slope is 0.0 to the left and 1.0 to the right, \
so there is no derivative to check; 0.0 was chosen
    """
    point = [number(x.data if isinstance(x, Value) else x) for x in at]
    derivatives, name, letters, rounding = _derivatives(function, point, [getattr(x, "name", None) for x in at])
    once, again = _number(function, point), _number(function, point)
    if once != again and once == once:
        raise GradientError(
            f"{name} is not deterministic: it returned {once!r} and then {again!r} at the same point, so it has no "
            "slope to compare with; let it draw the same random numbers at each call"
        )
    for i, derivative in enumerate(derivatives):
        if derivative is None:
            continue

        def along(x: float, i: int = i) -> float:
            return _number(function, [*point[:i], x, *point[i + 1 :]])

        measured = slope(along, point[i], step, rounding)
        where = f"{letters[i]} = {point[i]!r}"
        if measured.is_kink:
            raise GradientError(
                f"{name} has a kink at {where}: the slope is {measured.left:.6} to the left and "
                f"{measured.right:.6} to the right, so there is no derivative to check; {derivative!r} was chosen"
            )
        off, allowed = abs(derivative - measured.central), measured.allowed(derivative, tolerance)
        if off > allowed and not measured.is_resolved:
            raise GradientError(
                f"{name} changes too fast at {where} to be measured: smaller steps give other slopes, so there is "
                f"nothing to compare {derivative!r} with; choose another point, or a smaller step"
            )
        if not off <= allowed:
            raise GradientError(
                f"{name}: the derivative with respect to argument {i + 1}, {where}, is {derivative!r}, but the "
                f"central difference is {measured.central:.9}: off by {off:.3}, and {allowed:.1} is allowed"
            )
    return True


def _derivatives(
    function: Function | Primitive, point: list[float], names: list[str | None]
) -> tuple[list[float | None], str, list[str], float]:
    """The derivatives to check (None: an operand has none), what to call function and arguments, f's rounding."""
    if isinstance(function, Primitive):
        many = [f"x{i + 1}" for i in range(len(point))] if function.variadic else list(function.letters)
        domains = function.domains_of(len(point))
        _, local_derivatives = function.rule(floats, *point)
        found = [None if d in (CONSTANT, CONDITION) else float(x) for d, x in zip(domains, local_derivatives)]
        return found, function.name, many, 0.0
    arguments = [Value(x, name) for x, name in zip(point, names)]
    result = function(*arguments)
    if not isinstance(result, Value):
        raise TypeError(
            f"gradcheck: the function returned {result!r}, not one Value; return the Value to differentiate"
        )
    result.backward()
    letters = [name or f"argument {i + 1}" for i, name in enumerate(names)]
    name = getattr(function, "__name__", "the function")
    rounding = LAST_DIGIT * sum(abs(x.grad * x.data) for x in topological_order(result) if x.parents)
    return [x.grad for x in arguments], name, letters, rounding


def _number(function: Function | Primitive, point: list[float]) -> float:
    if isinstance(function, Primitive):
        return float(function.rule(floats, *point)[0])
    try:
        with no_grad():
            return function(*map(Value, point)).data
    except DomainError:  # the step led out of the domain: a smaller one may not
        return nan
