"""Splits a derivative into the terms of the chain rule, ∂f/∂s = Σ ∂f/∂v ∂v/∂s, and writes them out."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import cached_property
from math import inf, isfinite
from typing import TYPE_CHECKING, NamedTuple

import sympy

from autograd import mathml
from autograd.contributions import contributions, gradients
from autograd.explanation.algebra import LARGEST, readable, shortest
from autograd.explanation.cross_checks import Check, Restriction, close
from autograd.explanation.formula_writer import LATEX, MATHML, PRODUCT, TEXT, Notation
from autograd.explanation.formulas import Formulas
from autograd.explanation.path_sums import edges_between
from autograd.explanation.wrapping import TextResult, html_line, paragraphs, rows, wrapped
from autograd.finite_differences import LAST_DIGIT
from autograd.graph import carried
from autograd.kinks import kinks, sides
from autograd.notation import derivative, number_text, symbol
from autograd.number_systems import symbols
from autograd.number_systems.symbols import Expression
from autograd.primitives import detach
from autograd.staleness import changed_lines, changes, same
from autograd.table import is_constant
from autograd.text import printable, text_name
from autograd.value import Value

if TYPE_CHECKING:
    from autograd.explanation.illustrated import IllustratedExplanation

MOST_LETTERS = 6  # a factor with more is easier to read as ∂f/∂v than as a formula
SHOWN = 6  # if there are more terms, the four largest and the sum of the others are shown
MOST_NODES = 200  # in a graph whose edges are highlighted together with the formulas


class Term(NamedTuple):
    """One product of the chain rule's sum: ∂f/∂v · ∂v/∂s."""

    node: Value  # v; s itself for the paths that meet no other v
    upstream: float  # ∂f/∂v, from the recorded local derivatives
    local: float  # ∂v/∂s

    @property
    def product(self) -> float:
        """∂f/∂v · ∂v/∂s; 0 if either factor is 0, even if the other is infinite."""
        return self.upstream * self.local if self.upstream and self.local else 0.0


class Explanation(TextResult):
    """The result of ``explain``: prints as text, and shows as a formula in a notebook.

    terms     the terms of the chain rule; their products add up to ``value``
    shown     the terms that are written out
    value     ∂f/∂wrt, from the recorded local derivatives
    changed   values whose ``data`` changed since f was computed
    checks    the value compared with backward, SymPy and a finite difference
    """

    def __init__(self, f: Value, wrt: Value, through: list[Value] | None) -> None:
        self.f, self.wrt, self._chosen = f, wrt, through is not None
        self.formulas = Formulas(f, [wrt, *(through or ())])
        suspects = changes(f, self.formulas.order)
        self.changed = list(dict.fromkeys(x for some in suspects for x in some))
        self._warning = changed_lines(suspects, self.formulas.label, f)
        self._gradients = gradients(f, order=self.formulas.order)
        for v in through or ():
            if v not in self._gradients:
                raise ValueError(
                    f"explain: through contains {v!r}, which f does not depend on; pass intermediate values of f"
                )
        # in direct terms, ∂f/∂v keeps the other v fixed; otherwise it is the whole gradient that arrives at v
        self.terms, self._is_direct = self._find_terms(through)
        # the paths of a term avoid the other v
        self._stops = set() if self._is_direct else {term.node for term in self.terms} - {wrt}
        self.value = sum(term.product for term in self.terms)
        self.shown = self.terms
        if len(self.terms) > SHOWN:
            largest = sorted((term for term in self.terms if term.product), key=lambda term: -abs(term.product))[:4]
            self.shown = sorted(largest or self.terms[:4], key=self.terms.index)
        self._left_out = len(self.terms) - len(self.shown)
        # if f depends on wrt only directly, there is no sum to write
        self._is_alone = [term.node for term in self.terms] == [wrt]

    def _find_terms(self, through: list[Value] | None) -> tuple[list[Term], bool]:
        """Return the terms, and whether they are direct."""
        if self.wrt not in self._gradients:
            return [], False
        if through is None:
            if direct := self._terms_below_f():
                return direct, True
            through = [x for x in self.formulas.order if self.wrt in x.parents and x is not self.f]
        local = self._forward(set(through))  # only along the paths from wrt to v
        terms = [Term(v, self._gradients[v], local.get(v, 0.0)) for v in through]
        others = [Term(self.wrt, local[self.f], 1.0)] if self.f in local else []  # along the paths that meet no v
        return terms + others, False

    def _terms_below_f(self) -> list[Term]:
        """Return the terms through the named values that f was computed from directly."""
        named = self.formulas.operands(self.f)
        upstream, from_wrt = gradients(self.f, without=named), self._forward()
        between = [v for v in named if v is self.wrt or v.parents]
        if all(v is self.wrt or v not in from_wrt for v in between):
            # no value between depends on wrt, so f can only be a formula in the inputs
            if self.wrt not in between or self.formulas.direct(self.f, self.wrt) is None:
                return []
            between = [self.wrt]
        return [Term(v, upstream[v], from_wrt.get(v, 0.0)) for v in between]

    def _forward(self, stops: Collection[Value] = ()) -> dict[Value, float]:
        """Return ∂x/∂wrt for each x that depends on wrt, along paths that end at the first of ``stops`` they meet."""
        found = {self.wrt: 1.0}
        for x in self.formulas.order:
            from_wrt = [(parent, local) for parent, local in x.edges if parent in found and parent not in stops]
            if from_wrt and x.operation is not detach:
                found[x] = sum(local * found[parent] if found[parent] else 0.0 for parent, local in from_wrt)
        return found

    def lines(self, write: Notation) -> list[list[str]]:
        """Return the right-hand sides in the order of the slides, each in pieces between which a line may break."""
        if not self.terms:
            return [[write.number(0.0)]]
        sums = [
            self._rule(write),
            self._products(write, self._factors, MOST_LETTERS),  # in the named values
            self._products(write, self._composed or (), inf),  # in the inputs
        ]
        rest = [write.words(f"… {self._left_out} more")] * bool(self._left_out)
        found = [[first, *(f"+ {piece}" for piece in others + rest)] for first, *others in filter(None, sums)]
        if self.simplified is not None:
            found.append([write(self.simplified)])
        found.append(self._numbers(write))
        plain = [re.sub("</?mstyle[^>]*>", "", "\n".join(pieces)) for pieces in found]
        return [pieces for i, pieces in enumerate(found) if plain[i] not in plain[:i]]

    def _rule(self, write: Notation) -> list[str]:
        """Return ∂f/∂v ∂v/∂s for each term."""
        if self._is_alone:
            return []
        pieces = []
        for term, (above, below, _) in zip(self.shown, self._marks(write)):
            upstream = above.format(self._partial(write, self.f, term.node))
            local = write.apart + below.format(self._partial(write, term.node, self.wrt))
            pieces.append(f"[{upstream}]" if term.node is self.wrt else upstream + local)
        return pieces

    def _products(self, write: Notation, pairs: Sequence[tuple[Expression, Expression]], most: float) -> list[str]:
        """Return each pair of factors as a product; a factor with more than ``most`` letters stays a symbol."""

        def factor(formula: Expression | None, f: Value, x: Value, delta: bool) -> str:
            is_short = formula is not None and len(formula.free_symbols) <= most
            return write.bracketed(formula, PRODUCT) if is_short else self._partial(write, f, x, delta)

        if self._is_alone:
            formulas = [formula for formula, _ in pairs if formula is not None]
            return [write(formula) for formula in formulas if len(formula.free_symbols) <= most]
        pieces = []
        for term, (upstream, local), (above, below, _) in zip(self.shown, pairs, self._marks(write)):
            first = above.format(factor(upstream, self.f, term.node, not self._is_direct))
            second = write.times + below.format(factor(local, term.node, self.wrt, False))
            pieces.append(first if term.node is self.wrt else first + second)
        return pieces

    def _numbers(self, write: Notation) -> list[str]:
        """Return 0 + 12 + 12 = 24, or for a single term the product of its two factors."""
        result = self._mark(write, "result", [], self.wrt).format(write.number(self.value))
        value, marks = f"= {result}", self._marks(write)
        if self._is_alone:
            return [result]
        if len(self.terms) == 1:
            [term], [(above, below, _)] = self.terms, marks
            local = ("({})" if term.local < 0.0 else "{}").format(below.format(write.number(term.local)))
            return [f"{above.format(write.number(term.upstream))}{write.times}{local} {value}"]
        pieces: list[str] = []
        for term, (_, _, whole) in zip(self.shown, marks):
            sign = (f"{write.minus} " if pieces else write.minus) if term.product < 0.0 else "+ " if pieces else ""
            pieces.append(sign + whole.format(write.number(abs(term.product))))
        if self._left_out:
            rest = self.value - sum(term.product for term in self.shown)
            pieces.append(f"+ {write.words(f'… {self._left_out} more, summing to')} {write.number(rest)}")
        return [*pieces[:-1], f"{pieces[-1]} {value}"]

    def _marks(self, write: Notation) -> list[list[str]]:
        """Return the markup around ∂f/∂v, ∂v/∂s and their product, for each shown term."""
        near = self.formulas.operands(self.f) if self._is_direct else ()
        found = []
        for term in self.shown:
            above = self._edges(term.node, self.f, self._stops if term.node is self.wrt else near)
            below = self._edges(self.wrt, term.node, self._stops)
            kinds = ("upstream", above, term.node), ("local", below, None), ("product", above + below, None)
            zero = "" if term.product else " zero"
            found.append([self._mark(write, role + zero, edges, node) for role, edges, node in kinds])
        return found

    def _edges(self, s: Value, f: Value, avoiding: Collection[Value]) -> list[str]:
        """Return the edges from s to f as named in pictures: ``6:0`` is the first operand of the graph's node 6."""
        order = self.formulas.order
        edges = edges_between(s, f, order, avoiding) if len(order) <= MOST_NODES else []
        return [f"{order.index(x)}:{i}" for x, i, _ in edges]

    def _mark(self, write: Notation, role: str, edges: Sequence[str], node: Value | None) -> str:
        """Return the markup around a factor: in MathML, its role, edges and node."""
        names = f' data-edge{"s" * (len(edges) > 1)}="{" ".join(edges)}"' if edges else ""
        names += f' data-node="{self.formulas.order.index(node)}"' if node in self._gradients else ""
        return f'<mstyle class="{role}"{names}>{{}}</mstyle>' if write is MATHML else "{}"

    @cached_property
    def _factors(self) -> list[tuple[Expression | None, Expression | None]]:
        """∂f/∂v and ∂v/∂s of each shown term as formulas in the named values; None if a factor stays a symbol."""
        found = []
        for v in (term.node for term in self.shown):
            upstream = None  # the gradient that arrives at v stays a symbol
            if self._is_direct:
                upstream = self.formulas.direct(self.f, v)
            elif v is self.wrt:
                upstream = self.formulas.total(self.f, v, self._stops)
            found.append((upstream, self.formulas.total(v, self.wrt, self._stops)))
        return found

    @cached_property
    def _composed(self) -> list[tuple[Expression, Expression]] | None:
        """The factors in terms of the inputs; None if any of them is too large."""
        found = []
        for term, (upstream, local) in zip(self.shown, self._factors):
            if upstream is None and not self._is_direct:
                upstream = self.formulas.total(self.f, term.node)
            found.append((readable(self.formulas.in_inputs(upstream)), readable(self.formulas.in_inputs(local))))
            if None in found[-1]:
                return None
        return found

    @cached_property
    def simplified(self) -> Expression | None:
        """The sum in the inputs, in its shortest form; None if it is too large, or if terms are left out."""
        if not self._composed or self._left_out:
            return None
        total = readable(symbols.tidy(sympy.Add(*(upstream * local for upstream, local in self._composed))))
        return None if total is None else shortest(total)

    def _partial(self, write: Notation, f: Value, x: Value, delta: bool = False) -> str:
        is_loss = not set(self.formulas.label(self.f)) & set("⁰¹²³⁴⁵⁶⁷⁸⁹")  # a z of another layer is not a loss
        return write.partial(self.formulas.label(f), self.formulas.label(x), delta and is_loss)

    @cached_property
    def remarks(self) -> list[str]:
        """Sentences that a reader needs in addition to the lines."""
        name, found = self.formulas.label, []
        if is_constant(self.f):
            return ["f has no graph: it was computed inside no_grad, or is a number"]
        if not self.terms:
            return [f"no path leads from {text_name(self.wrt.name or 'the value')} to {name(self.f)}"]
        f, s = name(self.f), name(self.wrt)
        if self.wrt in (term.node for term in self.terms) and not self._is_alone:
            found.append(f"[{derivative(f, s)}]: only {s} varies; the values of the other terms are held fixed")
        between = [term.node for term in self.shown if term.node is not self.wrt]
        for v in between:
            if not v.name:
                formula = self.formulas.value(v, in_inputs=False)
                many = f"{symbol(v)} of {len(v.parents)} operands"
                found.append(f"where {name(v)} = {many if formula is None else TEXT(formula)}")
        if self._composed is None and not self._chosen:  # ``through`` says where to stop
            written = "not expanded further: in terms of the inputs" if between else "not written out:"
            found.append(f"{written} it would take more than {LARGEST} operations")
        found += [self._kink] if self._kink else []
        arrived = self._gradients[self.wrt]
        if arrived != arrived and isfinite(self.f.data):
            steep = next(c for c in contributions(self.f, order=self.formulas.order) if not isfinite(c.local))
            at = f"{name(steep.parent)} = {number_text(steep.parent.data)}"
            found.append(f"∞ · 0 is not a number: {symbol(steep.node)} has no finite derivative at {at}")
        elif self.f.grad and not (same(self.wrt.grad, arrived) or close(self.wrt.grad, self.value, self._magnitude)):
            grad = f"{s}.grad is {number_text(self.wrt.grad)}"
            found.append(f"{grad}: it was changed after backward(), or includes another backward pass")
        return found

    @cached_property
    def _kink(self) -> str:
        """A sentence about the kink or jump of f at wrt; empty if f has a derivative."""
        ties = [] if self.changed else kinks(self.f, [self.wrt], touched=True, order=self.formulas.order)
        left, right = sides(self.f, self.wrt) if ties else (self.value, self.value)
        if not ties or all(close(slope, self.value, self._magnitude, 1e-3) for slope in (left, right)):
            return ""
        place = f"of {symbol(ties[0])} at {self.formulas.label(self.wrt)} = {number_text(self.wrt.data)}"
        chosen = f"{number_text(self.value)} was chosen"
        if left + right != left + right:
            return f"a jump {place}: there is no slope; {chosen}"
        slopes = f"the slope is {number_text(left)} to the left and {number_text(right)} to the right"
        return f"a kink {place}: {slopes}; {chosen}"

    @cached_property
    def _magnitude(self) -> float:
        """The sum of the absolute products of all paths, which bounds the rounding error."""
        return gradients(
            self.f, order=self.formulas.order,
            carry=lambda node, arriving: [(x, local, abs(product)) for x, local, product in carried(node, arriving)],
        ).get(self.wrt, 0.0)  # fmt: skip

    @cached_property
    def checks(self) -> list[Check]:
        """The value compared with the backward pass, SymPy's derivatives and a finite difference."""
        arrived = self._gradients.get(self.wrt, 0.0)
        why = (
            "the inputs changed" if self.changed
            else "f is not finite" if not isfinite(self.f.data)
            else "the derivative is not finite" if not isfinite(self.value + arrived)
            else self._kink[:6]  # a kink, a jump
        )  # fmt: skip
        if why:
            return [Check(name, remark=why) for name in ("backward", "SymPy", "finite difference")]
        dependent = list(self._forward())[1:]
        restriction = Restriction(self.f, self.wrt, dependent, self._magnitude, self.value)
        by_sympy = restriction.by_sympy()
        rounding = LAST_DIGIT * sum(abs(self._gradients[x] * x.data) for x in dependent if x.data)
        backward = Check("backward", arrived, close(arrived, self.value, self._magnitude))
        return [backward, by_sympy, restriction.by_difference(rounding, by_sympy)]

    @property
    def _ticks(self) -> list[str]:
        """The checks in words; checks omitted for the same reason share one entry."""
        made = [f"{'✗✓'[c.agrees]} {c.name} {number_text(c.value)}" for c in self.checks if c.value is not None]
        names = {
            why: ", ".join(c.name for c in self.checks if c.remark == why) for _, _, _, why in self.checks if why
        }
        return made + [f"– {unchecked} not checked: {why}" for why, unchecked in names.items()]

    def _left(self, write: Notation) -> str:
        mark = self._mark(write, "gradient", [], self.wrt)
        plain, delta = (mark.format(self._partial(write, self.f, self.wrt, d)) for d in (False, True))
        return plain if plain == delta else f"{delta} = {plain}"

    def __str__(self) -> str:
        left = printable(self._left(TEXT))
        text = [*self._warning]
        for i, pieces in enumerate(self.lines(TEXT)):
            text += wrapped(pieces, f"{left} = " if i == 0 else " " * len(left) + " = ")
        return "\n".join([*text, *paragraphs(self.remarks, 2), *wrapped(self._ticks, "", " " * 3)])

    def latex(self) -> str:
        """Return the lines in LaTeX, as an ``aligned`` block without dollar signs."""
        lines = ["&= " + r" \\ & \quad ".join(rows(pieces)) for pieces in self.lines(LATEX)]
        doubts = [words for words in self._ticks if not words.startswith("✓")]
        lines += [f"& {LATEX.words(words)}" for words in [*self._warning, *self.remarks, *doubts]]
        body = " \\\\\n".join(lines)
        return f"\\begin{{aligned}}\n{self._left(LATEX)} {body}\n\\end{{aligned}}"

    def _repr_latex_(self) -> str:
        return f"$$\n{self.latex()}\n$$"

    def _repr_html_(self) -> str:
        return mathml.framed(self.html(), str(self))

    def with_picture(self) -> IllustratedExplanation:
        """Return the graph with the paths that carry ∂f/∂wrt above the formulas, highlighting factors with edges."""
        from autograd.explanation.illustrated import IllustratedExplanation  # loads the drawing code

        return IllustratedExplanation(self.f, self.wrt, self.html(), str(self))

    def html(self) -> str:
        """Return the lines in MathML, the remarks and the checks, without styles."""
        left = self._left(MATHML)
        # a line may also break before its result
        lines = [" \n".join(pieces).replace(" = <mstyle", " \n= <mstyle") for pieces in self.lines(MATHML)]
        rows = [(left * (i == 0), f"= {line}".split("\n")) for i, line in enumerate(lines)]
        above = "".join(f"<p role='alert'>⚠ {html_line(line)}</p>" for line in self._warning)
        below = "".join(f"<p>{html_line(remark)}</p>" for remark in self.remarks)
        ticks = " ".join(f'<span class="tick">{html_line(tick)}</span>' for tick in self._ticks)
        return f'{above}{mathml.aligned(rows, "The chain rule")}{below}<p class="quiet">{ticks}</p>'
