"""gradcheck: the local derivatives against the slope of the function itself, measured by central differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from autograd.differences import STEP, slope
from autograd.number_systems import floats
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
    tolerance   allowed difference, relative to the larger of 1 and the slope

    Returns True. Raises GradientError, which says which argument failed and by how much, and calls a kink a kink:
    there the derivative is a matter of choice.

    >>> from autograd import tanh, relu
    >>> gradcheck(lambda x, y: tanh(x * y), [0.5, -2.0])
    True
    >>> gradcheck(relu, [0.0])
    Traceback (most recent call last):
        ...
    autograd.checking.GradientError: relu has a kink at z = 0.0: the slope is 0.0 to the left and 1.0 to the right, \
so there is no derivative to check; 0.0 was chosen
    """
    point = [float(x) for x in at]
    derivatives, name, letters = _derivatives(function, point, [getattr(x, "name", None) for x in at])
    for i, derivative in enumerate(derivatives):
        if derivative is None:
            continue

        def along(x: float, i: int = i) -> float:
            return _number(function, [*point[:i], x, *point[i + 1 :]])

        measured = slope(along, point[i], step)
        where = f"{letters[i]} = {point[i]!r}"
        if measured.is_kink:
            raise GradientError(
                f"{name} has a kink at {where}: the slope is {measured.left:.6} to the left and "
                f"{measured.right:.6} to the right, so there is no derivative to check; {derivative!r} was chosen"
            )
        allowed = tolerance * max(1.0, abs(measured.central)) + measured.error
        if not abs(derivative - measured.central) <= allowed:
            raise GradientError(
                f"{name}: the derivative with respect to argument {i + 1}, {where}, is {derivative!r}, but the "
                f"central difference is {measured.central:.9}: off by {abs(derivative - measured.central):.3}, "
                f"and {allowed:.1} is allowed"
            )
    return True


def _derivatives(
    function: Function | Primitive, point: list[float], names: list[str | None]
) -> tuple[list[float | None], str, list[str]]:
    """The derivatives to check (None where an operand has none), and how to speak of function and arguments."""
    if isinstance(function, Primitive):
        many = [f"x{i + 1}" for i in range(len(point))] if function.variadic else list(function.letters)
        domains = function.domains_of(len(point))
        _, local_derivatives = function.rule(floats, *point)
        found = [None if d in (CONSTANT, CONDITION) else float(x) for d, x in zip(domains, local_derivatives)]
        return found, function.name, many
    arguments = [Value(x, name) for x, name in zip(point, names)]
    result = function(*arguments)
    if not isinstance(result, Value):
        raise TypeError(
            f"gradcheck: the function returned {result!r}, not one Value; return the Value to differentiate"
        )
    result.backward()
    letters = [name or f"argument {i + 1}" for i, name in enumerate(names)]
    return [x.grad for x in arguments], getattr(function, "__name__", "the function"), letters


def _number(function: Function | Primitive, point: list[float]) -> float:
    if isinstance(function, Primitive):
        return float(function.rule(floats, *point)[0])
    with no_grad():
        return function(*map(Value, point)).data
