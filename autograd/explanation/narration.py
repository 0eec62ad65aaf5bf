"""narrate: the backward pass told in its order, a sentence for each contribution, and why a gradient is 0 or huge."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from autograd.contributions import Contribution, contributions
from autograd.explanation.wrapping import Told, check_values, paragraphs
from autograd.graph import leaves, topological_order
from autograd.notation import labels, number_text
from autograd.staleness import changed_lines, changes
from autograd.table import is_constant
from autograd.text import text_name
from autograd.value import Value

SHOWN, MOST_VERDICTS = 18, 8  # sentences and verdicts in the text
MASK = re.compile(r"m[⁰¹²³⁴⁵⁶⁷⁸⁹]*_[\d,]+")  # what Dropout calls its leaves
SATURATED = 1e-3  # σ and tanh are called saturated where their slope is smaller
HUGE = 1e3  # a gradient or a local derivative is called huge from here on


class Sentence(NamedTuple):
    """One contribution, told.

    contribution   node, parent, upstream, local
    total          the parent's gradient with this contribution added
    remark         why it is 0, tiny or huge; empty where there is nothing to say
    text           the sentence
    """

    contribution: Contribution
    total: float
    remark: str
    text: str


def narrate(L: Value, wrt: Value | None = None) -> Narration:
    """Tell the backward pass from L, contribution by contribution; with ``wrt`` only what arrives at that value.

    At the end it says of each input whose gradient is 0 why: a relu that is off, a unit that was dropped, a
    saturated σ, no path; and of each huge one which factor made it so. Numbers come from the recorded local
    derivatives; no ``grad`` is read or changed.

    >>> w, x = Value(-2.0, "w"), Value(3.0, "x")
    >>> print(narrate((w * x).relu()))
    the backward pass starts at f: ∂f/∂f = 1
    1. v1 receives 1 · 0 = 0 from f = relu(v1): relu is off at −6
    2. w receives 0 · 3 = 0 from v1 = w × x: nothing arrives at v1
    3. x receives 0 · −2 = 0 from v1 = w × x: nothing arrives at v1
    ∂f/∂w = 0: relu is off at −6
    ∂f/∂x = 0: relu is off at −6
    """
    check_values("narrate", L=L, wrt=L if wrt is None else wrt)
    return Narration(L, wrt)


class Narration(Told):
    """What ``narrate`` tells: iterate over it for each ``Sentence``; prints as text.

    sentences   in the order of the backward pass
    verdicts    (value, why its gradient is 0 or huge) for each input of which there is something to say
    """

    def __init__(self, L: Value, wrt: Value | None) -> None:
        order = topological_order(L)
        self.L, self.wrt = L, wrt
        self.name = labels(order, L)
        suspects = changes(L)
        self._changed = {x for some in suspects for x in some}
        self._warning = changed_lines(suspects, self.name.__getitem__, L)
        self.sentences: list[Sentence] = []
        self.total = {L: 1.0}
        self._why: dict[Value, str] = {}  # why a gradient is 0
        self._steepest: dict[Value, Contribution] = {}  # the largest local derivative on the way to a value
        arrived: dict[Value, list[Contribution]] = {}
        for c in contributions(L):
            if is_constant(c.parent):
                continue
            arrived.setdefault(c.parent, []).append(c)
            self.total[c.parent] = self.total.get(c.parent, 0.0) + c.product
            self._note(c)
            self.sentences.append(self._sentence(c))
        self.verdicts = [
            (x, why) for x in (leaves(L) if wrt is None else [wrt]) if (why := self._verdict(x, arrived))
        ]

    def __iter__(self) -> Iterator[Sentence]:
        return iter(self.sentences)

    def __len__(self) -> int:
        return len(self.sentences)

    def _note(self, c: Contribution) -> None:
        """Remember for the parent what could make its gradient 0 or huge."""
        if c.product == 0.0:
            self._why.setdefault(c.parent, self._remark(c) if c.upstream else self._why.get(c.node, ""))
        before = self._steepest.get(c.node)
        steepest = c if before is None or abs(c.local) >= abs(before.local) else before
        if c.parent not in self._steepest or abs(steepest.local) > abs(self._steepest[c.parent].local):
            self._steepest[c.parent] = steepest

    def _sentence(self, c: Contribution) -> Sentence:
        parent, node = self.name[c.parent], self.name[c.node]
        product = f"{number_text(c.upstream)} · {number_text(c.local)} = {number_text(c.product)}"
        total = self.total[c.parent]
        now = "" if total == c.product else f"; its gradient is now {number_text(total)}"
        remark = self._remark(c)
        ending = f": {remark}" if remark else ""
        text = f"{parent} receives {product} from {node} = {self._formula(c.node)}{now}{ending}"
        return Sentence(c, total, remark, text)

    def _remark(self, c: Contribution) -> str:
        """Why what arrives is 0, tiny or huge."""
        operation = c.node.operation
        if c.upstream == 0.0 or operation is None:
            return f"nothing arrives at {self.name[c.node]}"
        at, slope = self._at(c.parent), number_text(c.local)
        if operation.name in ("sigmoid", "tanh") and abs(c.local) < SATURATED:
            return f"{operation.name} is saturated{at}, its slope is {slope}"
        if abs(c.local) >= HUGE:
            return f"a steep place, the local derivative is {slope}"
        if c.product and c.local:
            return ""
        if operation.name == "relu":
            return f"relu is off{at}"
        if operation.gate and any(c.node.local_derivatives):
            return f"{operation.name} chose another operand"
        other = self._partner(c.node, c.parent)
        if other is not None and other.data == 0.0:
            dropped = ", the unit was dropped" if MASK.fullmatch(other.name or "") else ""
            return f"it is multiplied by {self.name[other]}{'' if is_constant(other) else ' = 0'}{dropped}"
        return f"{operation.name} is flat{at}"

    def _at(self, x: Value) -> str:
        """Where a function was taken; not known where x has another number now."""
        return "" if x in self._changed else f" at {number_text(x.data)}"

    def _partner(self, node: Value, parent: Value) -> Value | None:
        """What the parent is multiplied by in this node: in a product the first factor that is 0."""
        operation, operands = node.operation.name if node.operation else "", node.parents
        if operation in ("mul", "product"):
            return next((x for x in operands if x is not parent and x.data == 0.0), None)
        n, i = len(operands) // 2, operands.index(parent)
        return operands[(i + n) % (2 * n)] if operation in ("dot", "affine") and i < 2 * n else None

    def _verdict(self, x: Value, arrived: dict[Value, list[Contribution]]) -> str:
        if x not in self.name:
            return "no path leads there"
        total = self.total.get(x, 0.0)
        if total != total:
            c = self._steepest[x]
            return f"∞ · 0 is not a number: {self._formula(c.node)} has no finite derivative{self._at(c.parent)}"
        if total == 0.0:
            cancel = any(c.product for c in arrived.get(x, ()))
            return "its contributions cancel" if cancel else self._why.get(x, "")
        if abs(total) < SATURATED and (tiny := self._tiny(x, arrived)):
            return tiny
        if abs(total) >= HUGE:
            c = self._steepest[x]
            if abs(c.local) < HUGE:
                return "many factors above 1 multiplied, none of them huge"
            return (
                f"the largest factor is ∂{self.name[c.node]}/∂{self.name[c.parent]} = {number_text(c.local)} "
                f"of {self.name[c.node]} = {self._formula(c.node)}"
            )
        return ""

    def _tiny(self, x: Value, arrived: dict[Value, list[Contribution]]) -> str:
        """The first saturated step on the way that carries most to x."""
        while x in arrived:
            c = max(arrived[x], key=lambda c: abs(c.product))
            remark = self._remark(c)
            if "saturated" in remark:
                return remark
            x = c.node
        return ""

    def _formula(self, node: Value) -> str:
        """The node as its operation on its operands."""
        many = len(node.parents)
        operands = [self.name[parent] for parent in (node.parents[:3] if many > 6 else node.parents)]
        symbol = node.operation.symbol if node.operation else ""
        if len(operands) == 2 and len(symbol) == 1:
            return f"{operands[0]} {symbol} {operands[1]}"
        if many > 6:
            operands.append(f"… {many - 3} more")
        return operands[0] if symbol == "=" else f"{symbol}({', '.join(operands)})"

    def __str__(self) -> str:
        f = self.name[self.L]
        told = [s for s in self.sentences if self.wrt is None or s.contribution.parent is self.wrt]
        lines = [*self._warning]
        lines += [f"the backward pass starts at {f}: ∂{f}/∂{f} = 1"] if self.wrt is None else []
        lines += [f"{i}. {sentence.text}" for i, sentence in enumerate(told[:SHOWN], start=1)]
        if len(told) > SHOWN:
            lines.append(f"… {len(told) - SHOWN} more; narrate(L, wrt=…) tells what arrives at one value")
        for x, why in self.verdicts[:MOST_VERDICTS]:
            name = self.name.get(x) or text_name(x.name or "the value")
            lines.append(f"∂{f}/∂{name} = {number_text(self.total.get(x, 0.0))}: {why}")
        if len(self.verdicts) > MOST_VERDICTS:
            lines.append(f"… {len(self.verdicts) - MOST_VERDICTS} more gradients that are 0, tiny or huge")
        return "\n".join(paragraphs(lines, 3))
