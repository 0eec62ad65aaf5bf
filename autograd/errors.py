"""What can go wrong in the calculus, said in one line: the operation, its operands, the rule, the remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autograd.primitives import Primitive


class DomainError(ValueError, ArithmeticError):
    """Finite operands gave no finite value: outside the operation's domain, or an overflow.

    >>> from autograd import Value, log
    >>> log(Value(0.0, "p"))
    Traceback (most recent call last):
        ...
    autograd.errors.DomainError: log at p = 0.0: needs x > 0
    """


def complaint(primitive: Primitive, operands: list[float], names: Sequence[str | None], value: float) -> str:
    """Why these finite operands have no finite value."""
    letters = [f"x{i + 1}" for i in range(len(operands))] if primitive.variadic else primitive.letters
    at = [f"{name or letter} = {x!r}" for letter, name, x in zip(letters, names, operands)]
    where = f"{primitive.name} at {', '.join(at if len(at) <= 6 else [*at[:3], f'… {len(at) - 3} more'])}"
    broken = [
        domain.condition.format(x=letter)
        + (f" ({letter} is {name})" if name and name != letter and len(operands) > 1 else "")
        for domain, letter, name, x in zip(primitive.domains_of(len(operands)), letters, names, operands)
        if not domain.contains(x)
    ]
    if not broken and not primitive.defined_at(*operands):
        broken = [primitive.joint.condition] if primitive.joint else []
    if broken:
        return f"{where}: needs {' and '.join(broken)}" + (f"; {primitive.remedy}" if primitive.remedy else "")
    return f"{where}: overflow, the result {value!r} is beyond the largest float, 1.8e308"
