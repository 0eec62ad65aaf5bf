"""What can go wrong in the calculus, said in one line: the operation, its operands, the rule, the remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autograd.primitives import Primitive
    from autograd.value import Value


MOST_NAME = 50  # characters of a name in an error


class DomainError(ValueError, ArithmeticError):
    """Finite operands gave no finite value: outside the operation's domain, or an overflow.

    node    the one at fault, where it was one; its graph can be drawn

    >>> from autograd import Value, log
    >>> log(Value(0.0, "p"))
    Traceback (most recent call last):
        ...
    autograd.errors.DomainError: log at p = 0.0: needs x > 0
    """

    node: Value | None = None


class AnomalyError(ValueError, ArithmeticError):
    """Somebody asked for finite numbers, and an operand, a local derivative or a gradient is NaN or infinite.

    node    the one where it was met, whose operation and operands are named
    """

    node: Value | None = None


def text_name(name: str) -> str:
    """The name on one line: what cannot be printed is written as Python would, ``\\\\n``.

    >>> text_name("two\\nlines"), text_name("w²_13")
    ('two\\\\nlines', 'w²_13')
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def clipped(words: str, most: int = 20) -> str:
    """The words, or their beginning where they are long."""
    return words if len(words) <= most else words[: most - 1] + "…"


def called(name: str | None, otherwise: str) -> str:
    """The name as an error says it: on one line, and short; ``otherwise`` where there is none."""
    return clipped(text_name(name), MOST_NAME) if name else otherwise


def situation(primitive: Primitive, operands: list[float], names: Sequence[str | None]) -> str:
    """The operation and its operands: ``log at p = 0.0``."""
    at = [
        f"{called(name, letter)} = {x!r}" for letter, name, x in zip(letters_of(primitive, operands), names, operands)
    ]
    return f"{primitive.name} at {', '.join(at if len(at) <= 6 else [*at[:3], f'… {len(at) - 3} more'])}"


def letters_of(primitive: Primitive, operands: Sequence[object]) -> Sequence[str]:
    """What to call operands that have no name: the rule's own letters, or x1, x2, …"""
    return [f"x{i + 1}" for i in range(len(operands))] if primitive.variadic else primitive.letters


def broken_rule(
    primitive: Primitive, operands: list[float], names: Sequence[str | None], derivative: bool = False
) -> str:
    """``needs x > 0``, where these operands are outside the domain of the value, or of the derivatives; or empty."""
    broken = [
        domain.condition.format(x=letter)
        + (f" ({letter} is {called(name, letter)})" if name and name != letter and len(operands) > 1 else "")
        for domain, letter, name, x in zip(
            primitive.domains_of(len(operands), derivative), letters_of(primitive, operands), names, operands
        )
        if not domain.contains(x)
    ]
    if not broken and not primitive.defined_at(*operands, derivative=derivative):
        broken = [primitive.joint.condition] if primitive.joint else []
    return f"needs {' and '.join(broken)}" if broken else ""


def complaint(primitive: Primitive, operands: list[float], names: Sequence[str | None], value: float) -> str:
    """Why these finite operands have no finite value."""
    where, needs = situation(primitive, operands, names), broken_rule(primitive, operands, names)
    if needs:
        return f"{where}: {needs}" + (f"; {primitive.remedy}" if primitive.remedy else "")
    return f"{where}: overflow, the result {value!r} is beyond the largest float, 1.8e308"
