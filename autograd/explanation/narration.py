"""Narrates the backward pass, one sentence per contribution, and explains why a gradient is 0, tiny or huge."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from autograd.contributions import Contribution, contributions
from autograd.explanation.wrapping import TextResult, check_values, paragraphs
from autograd.graph import topological_order
from autograd.notation import labels, number_text, symbol
from autograd.staleness import changed_lines, changes
from autograd.table import is_constant
from autograd.text import text_name
from autograd.value import Value

SHOWN, MOST_VERDICTS = 18, 8  # the most sentences and verdicts in the text
MASK = re.compile(r"m[⁰¹²³⁴⁵⁶⁷⁸⁹]*_[\d,]+")  # the names of Dropout's masks
SATURATED = 1e-3  # a smaller slope of σ or tanh is called saturated
HUGE = 1e3  # a gradient or local derivative of at least this size is called huge


class Sentence(NamedTuple):
    """A sentence about one contribution."""

    contribution: Contribution
    total: float  # the parent's gradient after this contribution
    remark: str  # why the contribution is 0, tiny or huge; empty otherwise
    text: str


def narrate(L: Value, wrt: Value | None = None) -> Narration:
    """Narrate the backward pass from L, one contribution at a time; with ``wrt``, only contributions to that value.

    Verdicts at the end state why an input's gradient is 0 (a relu that is off, a dropped unit, a saturated σ, no
    path), and which factor made a gradient huge. Numbers come from the recorded local derivatives; ``grad`` is
    neither read nor changed. Raises TypeError for an argument that is not a Value.

    >>> w, x = Value(-2.0, "w"), Value(3.0, "x")
    >>> print(narrate((w * x).relu()))
    the backward pass starts at f: ∂f/∂f = 1
    1. v₁ receives 1 · 0 = 0 from f = relu(v₁): relu is off at −6
    2. w receives 0 · 3 = 0 from v₁ = w × x: nothing arrives at v₁
    3. x receives 0 · −2 = 0 from v₁ = w × x: nothing arrives at v₁
    ∂f/∂w = 0: relu is off at −6
    ∂f/∂x = 0: relu is off at −6
    """
    check_values("narrate", L=L, wrt=L if wrt is None else wrt)
    return Narration(L, wrt)


class Narration(TextResult):
    """The result of ``narrate``: iterates over each ``Sentence``, and prints as text.

    sentences   in the order of the backward pass
    verdicts    (value, why) for each input whose gradient is 0, tiny or huge
    """

    def __init__(self, L: Value, wrt: Value | None) -> None:
        order = topological_order(L)
        self.L, self.wrt = L, wrt
        self.name = labels(order, L)
        suspects = changes(L, order)
        self._changed = {x for some in suspects for x in some}
        self._warning = changed_lines(suspects, self.name.__getitem__, L)
        self.sentences: list[Sentence] = []
        self.total = defaultdict(float, {L: 1.0})
        self._why: dict[Value, str] = {}  # why a gradient is 0
        self._steepest: dict[Value, Contribution] = {}  # with the largest local derivative between L and the value
        self._arrived = defaultdict[Value, list[Contribution]](list)
        for c in contributions(L, order=order):
            if not is_constant(c.parent):
                self._arrived[c.parent].append(c)
                self.total[c.parent] += c.product
                self._note(c)
                self.sentences.append(self._sentence(c))
        inputs = [x for x in order if x.operation is None] if wrt is None else [wrt]
        self.verdicts = [(x, why) for x in inputs if (why := self._verdict(x))]

    def __iter__(self) -> Iterator[Sentence]:
        return iter(self.sentences)

    def __len__(self) -> int:
        return len(self.sentences)

    def _note(self, c: Contribution) -> None:
        """Record what could make the parent's gradient 0 or huge."""
        if c.product == 0.0:
            self._why.setdefault(c.parent, self._remark(c) if c.upstream else self._why.get(c.node, ""))
        before = self._steepest.get(c.node)
        steepest = c if before is None or abs(c.local) >= abs(before.local) else before
        if c.parent not in self._steepest or abs(steepest.local) > abs(self._steepest[c.parent].local):
            self._steepest[c.parent] = steepest

    def _sentence(self, c: Contribution) -> Sentence:
        parent, node = self.name[c.parent], self.name[c.node]
        product = f"{number_text(c.upstream)} · {number_text(c.local)} = {number_text(c.product)}"
        total, remark = self.total[c.parent], self._remark(c)
        now = "" if total == c.product else f"; its gradient is now {number_text(total)}"
        text = f"{parent} receives {product} from {node} = {self._formula(c.node)}{now}{': ' * bool(remark)}{remark}"
        return Sentence(c, total, remark, text)

    def _remark(self, c: Contribution) -> str:
        """Return why the contribution is 0, tiny or huge; empty otherwise."""
        operation = c.node.operation
        if c.upstream == 0.0 or operation is None:
            return f"nothing arrives at {self.name[c.node]}"
        at, slope = self._at(c.parent), number_text(c.local)
        if operation.flat == "saturated" and abs(c.local) < SATURATED:
            return f"{operation.name} is saturated{at} (its slope is {slope})"
        if abs(c.local) >= HUGE:
            return f"{operation.name} is steep here, with a local derivative of {slope}"
        if c.product and c.local:
            return ""
        if operation.gate and any(c.node.local_derivatives):
            return f"{operation.name} chose another operand"
        if (other := _zero_factor(c.node, c.parent)) is not None:
            dropped = " (the unit was dropped)" if MASK.fullmatch(other.name or "") else ""
            return f"it is multiplied by {self.name[other]}{'' if is_constant(other) else ' = 0'}{dropped}"
        return f"{operation.name} is {operation.flat}{at}"

    def _at(self, x: Value) -> str:
        """Return the operand of a function as text; empty if it changed since the forward pass."""
        return "" if x in self._changed else f" at {number_text(x.data)}"

    def _verdict(self, x: Value) -> str:
        if x not in self.name:
            return "no path leads to it"
        total = self.total[x]
        if total != total:
            c = self._steepest[x]
            return f"∞ · 0 is not a number: {self._formula(c.node)} has no finite derivative{self._at(c.parent)}"
        if total == 0.0:
            cancel = any(c.product for c in self._arrived[x])
            return "its contributions cancel" if cancel else self._why.get(x, "")
        if abs(total) < HUGE:
            return self._tiny(x) if abs(total) < SATURATED else ""
        c = self._steepest[x]
        if abs(c.local) < HUGE:
            return "it is a product of many factors above 1, none of them huge"
        return (
            f"the largest factor is ∂{self.name[c.node]}/∂{self.name[c.parent]} = {number_text(c.local)}, "
            f"where {self.name[c.node]} = {self._formula(c.node)}"
        )

    def _tiny(self, x: Value) -> str:
        """Return a remark on the first saturated operation on the path that contributes most to x."""
        while self._arrived[x]:
            c = max(self._arrived[x], key=lambda c: abs(c.product))
            if "saturated" in (remark := self._remark(c)):
                return remark
            x = c.node
        return ""

    def _formula(self, node: Value) -> str:
        """Return the node's operation with its operands."""
        sign, count = symbol(node), len(node.parents)
        # label only the operands that are shown, because this formula is written once per operand
        operands = [self.name[parent] for parent in node.parents[: 3 if count > 6 else count]]
        if count > 6:
            operands.append(f"… {count - 3} more")
        if len(operands) == 2 and len(sign) == 1:
            return f"{operands[0]} {sign} {operands[1]}"
        return operands[0] if sign == "=" else f"{sign}({', '.join(operands)})"

    def __str__(self) -> str:
        f = self.name[self.L]
        chosen = [s for s in self.sentences if self.wrt is None or s.contribution.parent is self.wrt]
        lines = self._warning + [f"the backward pass starts at {f}: ∂{f}/∂{f} = 1"] * (self.wrt is None)
        lines += [f"{i}. {sentence.text}" for i, sentence in enumerate(chosen[:SHOWN], start=1)]
        if len(chosen) > SHOWN:
            lines.append(
                f"… {len(chosen) - SHOWN} more; narrate(L, wrt=…) narrates only the contributions to one value"
            )
        for x, why in self.verdicts[:MOST_VERDICTS]:
            name = self.name.get(x) or text_name(x.name or "the value")
            lines.append(f"∂{f}/∂{name} = {number_text(self.total[x])}: {why}")
        if len(self.verdicts) > MOST_VERDICTS:
            lines.append(f"… {len(self.verdicts) - MOST_VERDICTS} more gradients that are 0, tiny or huge")
        return "\n".join(paragraphs(lines, 3))


def _zero_factor(node: Value, x: Value) -> Value | None:
    """Return the first operand that is 0 and by which the node multiplies x, or None."""
    if node.operation is None or not node.operation.factors:
        return None
    others = node.parents
    if node.operation.factors == "pairs":  # w₁ … wₙ, a₁ … aₙ, and perhaps b: the partner of wᵢ is aᵢ, b has none
        n, i = len(node.parents) // 2, node.parents.index(x)
        others = (node.parents[(i + n) % (2 * n)],) if i < 2 * n else ()
    return next((y for y in others if y is not x and y.data == 0.0), None)
