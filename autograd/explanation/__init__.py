"""The chain rule written out: readers that say in words and formulas what ``backward`` multiplied and added."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from autograd.explanation.wrapping import check_values
from autograd.value import Value

if TYPE_CHECKING:
    from autograd.explanation.chain_rule import Explanation


def explain(f: Value, wrt: Value, through: Value | Sequence[Value] | None = None) -> Explanation:
    """Why ∂f/∂wrt is what it is: the chain rule's terms in symbols, filled in, simplified, in numbers, checked.

    wrt       the value s to differentiate with respect to: an input, or any value on the way
    through   the values v between which the sum is split; without it, the named values that f was computed
              from directly (∂f/∂v then holds the others fixed); with it, ∂f/∂v is all that arrives at v, which
              is δ where v is a z: what lies between f and v is not needed

    Raises TypeError for what is not a Value, ValueError for a ``through`` that f was not computed from.

    >>> from autograd import named
    >>> r, s = Value(2.0, "r"), Value(3.0, "s")
    >>> x, y, z = named(x=r, y=r * s, z=s)
    >>> f = named(f=x * y * z)
    >>> print(explain(f, wrt=s))
    ∂f/∂s = ∂f/∂x ∂x/∂s + ∂f/∂y ∂y/∂s + ∂f/∂z ∂z/∂s
          = yz·0 + xz·r + xy·1
          = rs²·0 + rs·r + r²s·1
          = 2r²s
          = 0 + 12 + 12 = 24
    ✓ backward 24   ✓ SymPy 24   ✓ finite difference 24
    """
    from autograd.explanation.chain_rule import Explanation  # with SymPy, which takes half a second to load

    check_values("explain", f=f, wrt=wrt)
    if through is not None:
        through = list(through) if isinstance(through, Iterable) else [through]
        check_values("explain", **{f"through[{i}]": v for i, v in enumerate(through)})
        through = [v for v in dict.fromkeys(through) if v is not wrt and v is not f]
    return Explanation(f, wrt, through)
