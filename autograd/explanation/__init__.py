"""Explains derivatives: writes out the chain rule in symbols and in numbers, and checks the result.

Theory of operation
===================

The input is a value f with its graph, and a value s that f was computed from. The output is ∂f/∂s as a sum over the
values v between them, Σ ∂f/∂v ∂v/∂s (``explain``), as a sum over paths (``paths``), or as the steps of the backward
pass (``narrate``). Every number comes from the local derivatives recorded in the graph; every formula comes from the
table's rules, run on symbols. The steps, in order:

1. ``formulas``        gives each input and each named value a symbol. An unnamed value folds into the named value
                       that it feeds. ``direct(f, v)`` is ∂f/∂v with the other named operands of f held fixed,
                       ``total(v, s)`` is ∂v/∂s along all paths; ``in_inputs`` replaces all symbols but inputs.
2. ``algebra``         measures each formula, drops those of more than 30 operations, and shortens the final sum.
3. ``chain_rule``      chooses the values v: those of ``through``, or else the named values that f was computed from
                       directly; s itself represents the paths that meet no other v. If f is one formula in s that is
                       too large to write, the v are the values computed from s directly. Each term is a pair of
                       factors, ∂f/∂v and ∂v/∂s; the lines show symbols, named values, inputs, the sum and numbers.
4. ``path_sums``       finds the edges on the paths from s to f, along which steps 1 and 3 multiply; it also counts
                       and lists the paths.
5. ``cross_checks``    compares the sum with SymPy's derivatives and with a finite difference of f; step 3 compares it
                       with the gradient of the backward pass.
6. ``formula_writer``  writes a formula as the slides do, in text, LaTeX or MathML; ``wrapping`` breaks it into lines.
                       In MathML, each factor names its edges in the graph, as the picture does; ``illustrated``
                       shows both, and highlights them together.
7. ``narration``       uses no formulas: it writes a sentence for each contribution of the backward pass.

Worked by hand for f = x y with y = x²: f depends on x directly and through y, so there are two terms.

>>> from autograd import Value, named, paths
>>> from autograd.explanation.algebra import shortest
>>> from autograd.explanation.formula_writer import TEXT
>>> from autograd.explanation.formulas import Formulas
>>> x = Value(2.0, "x")
>>> y = named(y=x * x)
>>> f = named(f=x * y)
>>> formulas = Formulas(f)
>>> direct, upstream, local = formulas.direct(f, x), formulas.direct(f, y), formulas.total(y, x)
>>> direct, upstream, local                                  # 1. [∂f/∂x], ∂f/∂y, ∂y/∂x
(y, x, 2*x)
>>> formulas.in_inputs(direct)
x**2
>>> total = shortest(formulas.in_inputs(direct) + upstream * local)   # 2. x² + x·2x
>>> total
3*x**2
>>> explanation = explain(f, wrt=x)                          # 3.
>>> [(term.node.name, term.upstream, term.local) for term in explanation.terms]
[('x', 4.0, 1.0), ('y', 2.0, 4.0)]
>>> [path.product for path in paths(f, x)]                   # 4. x → f, and x → y → f by either factor of x·x
[4.0, 4.0, 4.0]
>>> [(check.name, check.agrees) for check in explanation.checks]   # 5.
[('backward', True), ('SymPy', True), ('finite difference', True)]
>>> TEXT(total)                                              # 6.
'3x²'
>>> print(explanation)
∂f/∂x = [∂f/∂x] + ∂f/∂y ∂y/∂x
      = y + x·2x
      = x² + x·2x
      = 3x²
      = 4 + 8 = 12
[∂f/∂x]: only x varies; the values of the other terms are held fixed
✓ backward 12   ✓ SymPy 12   ✓ finite difference 12
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from autograd.explanation.wrapping import check_values
from autograd.value import Value

if TYPE_CHECKING:
    from autograd.explanation.chain_rule import Explanation


def explain(f: Value, wrt: Value, through: Value | Sequence[Value] | None = None) -> Explanation:
    """Explain ∂f/∂wrt as a sum of terms of the chain rule, in symbols and numbers, with three checks of the result.

    In a notebook, ``explain(f, wrt=s).with_picture()`` shows the graph above the formulas.

    wrt       an input, or any value between it and f
    through   the values v that the sum runs over. By default, these are the named values that f was computed from
              directly, and ∂f/∂v keeps the others fixed. If given, ∂f/∂v is the whole gradient that arrives at v
              (δ if v is a z), whatever lies between f and v

    Raises TypeError for an argument that is not a Value, ValueError for a ``through`` that f does not depend on.

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
    from autograd.explanation.chain_rule import Explanation  # loads SymPy, which takes half a second

    check_values("explain", f=f, wrt=wrt)
    if through is not None:
        through = list(through) if isinstance(through, Iterable) else [through]
        check_values("explain", **{f"through[{i}]": v for i, v in enumerate(through)})
        through = [v for v in dict.fromkeys(through) if v is not wrt and v is not f]
    return Explanation(f, wrt, through)
