"""Writes the table's formulas in MathML, as templates that the page fills in.

A formula is one of the table's rules, run on expressions and written as a template. ``{1}`` is a placeholder for the
first operand, ``{(1)}`` one that puts brackets around a negative number, ``{v}`` one for the node itself, and
``{=2}`` one for the number 2. The page fills in names or numbers.
"""

from collections.abc import Callable, Sequence
from typing import Any

from autograd.mathml import FRACTION, bracketed
from autograd.notation import MINUS, function_text
from autograd.number_systems.javascript import Formula, number, operations

Operand = Formula | float

MOST_SHOWN = 6  # terms, factors or arguments; of more, the first three and the last two
MOST_OPERATIONS, MOST_DEPTH, MOST_MARKUP = 10_000, 50, 3_000  # of a formula that is shown
FORMS = {
    "/": FRACTION,
    "exp": "<msup><mi>e</mi><mrow>{}</mrow></msup>",
    "sqrt": "<msqrt>{}</msqrt>",
    "abs": "<mrow><mo>|</mo>{}<mo>|</mo></mrow>",
    "floor": "<mrow><mo>⌊</mo>{}<mo>⌋</mo></mrow>",
}
COMPARED = {"greater": "&gt;", ">": "&gt;", "<": "&lt;", ">=": "≥", "<=": "≤", "===": "=", "!==": "≠"}
SUM, PRODUCT, ATOM = range(3)  # how tightly a formula binds


def template(formula: Operand, value: Operand | None = None) -> str:
    """The formula with placeholders for its operands; empty if it is too long to read.

    value   the rule's formula for the node's value; inside the formula, it becomes the node's placeholder

    >>> from autograd.number_systems.javascript import letters
    >>> x, y = letters(2)
    >>> template(x * y)
    '<mrow>{1}<mo>·</mo>{(2)}</mrow>'
    """
    size, depth = _extent(formula)
    written = Template(formula, value).whole(formula) if size <= MOST_OPERATIONS and depth <= MOST_DEPTH else ""
    return written if len(written) <= MOST_MARKUP else ""


def _extent(formula: Operand) -> tuple[int, int]:
    """The number of operations with each use written out, and their depth, to which a chain adds one level."""
    extent: dict[Formula, tuple[int, int]] = {}
    for e in operations([formula]):
        size, depth = 1, 0
        for x in e.parents:
            chained = x.name == e.name == "*" or ({x.name, e.name} <= {"+", "-"} and x is e.operands[0])
            size += extent[x][0]
            depth = max(depth, extent[x][1] + (not chained))
        extent[e] = size, depth
    return extent[formula] if isinstance(formula, Formula) else (1, 0)


class Template:
    """Writes one formula; ``value`` inside it becomes the placeholder of the node itself."""

    def __init__(self, formula: Operand, value: Operand | None) -> None:
        self.formula = formula
        # a rule that returns its operand, as the identity does, has no value of its own
        self.value = value if isinstance(value, Formula) and value.operands else None

    def whole(self, e: Operand) -> str:
        """The formula by itself, without brackets."""
        return self.written(e)[0]

    def held(self, e: Operand, least: int) -> str:
        """The formula next to others, in brackets if it binds less tightly than ``least``."""
        e = unguarded(e)
        if isinstance(e, Formula) and (e is self.value or not e.operands):
            return "{(v)}" if e is self.value else f"{{({e.name[1:]})}}"
        written, binding = self.written(e)
        return written if binding >= least else bracketed(written)

    def written(self, e: Operand) -> tuple[str, int]:
        """The formula, and how tightly it binds."""
        e = e if e is self.formula else unguarded(e)
        if not isinstance(e, Formula):
            return f"{{={number(e)}}}", SUM if e < 0.0 else ATOM
        if e is self.value:
            return "{v}", ATOM
        if not e.operands:
            return f"{{{e.name[1:]}}}", ATOM
        if e.name in ("+", "-", "sum"):
            return self.sum(e), SUM
        if e.name in ("*", "times"):
            return self.product(e)
        if e.name == "negative":
            return f'<mrow><mo form="prefix">{MINUS}</mo>{self.held(e.operands[0], PRODUCT)}</mrow>', SUM
        return self.call(e.name, e.operands), ATOM

    def sum(self, e: Formula) -> str:
        """The terms with their signs."""
        terms: list[tuple[str, Operand]] = []
        first: Operand = e
        while isinstance(first, Formula) and first.name in ("+", "-", "sum") and first is not self.value:
            sign = MINUS if first.name == "-" else "+"
            first, *others = first.operands
            terms = [*((sign, x) for x in others), *terms]
        dots = "<mo>+</mo><mo>⋯</mo>"
        shown = elided(terms, lambda term: f"<mo>{term[0]}</mo>{self.held(term[1], PRODUCT)}", "", dots)
        return f"<mrow>{self.whole(first)}{shown}</mrow>"

    def product(self, e: Formula) -> tuple[str, int]:
        """The factors without ones; a² for a · a."""
        factors: list[Operand] = []
        stack: list[Operand] = [e]
        while stack:
            x = stack.pop()
            if isinstance(x, Formula) and x.name in ("*", "times") and x is not self.value:
                stack += x.operands[::-1]
            elif isinstance(x, Formula) or x != 1.0:
                factors.append(x)
        letters = [x for x in factors if isinstance(x, Formula) and not x.operands]
        if len(letters) == len(factors):  # suffix products come from the back
            factors = [*sorted(letters, key=lambda x: int(x.name[1:]))]
        if len(factors) < 2:
            return self.written(factors[0] if factors else 1.0)
        if len(factors) == 2 and factors[0] is factors[1]:
            return f"<msup>{self.held(factors[0], ATOM)}<mn>2</mn></msup>", ATOM
        leading = factors[0]
        bare = not isinstance(leading, Formula) or leading is self.value or not leading.operands
        first = self.whole(leading) if bare else self.held(leading, PRODUCT)
        others = elided(factors[1:], lambda x: self.held(x, ATOM), "<mo>·</mo>")
        return f"<mrow>{first}<mo>·</mo>{others}</mrow>", PRODUCT

    def call(self, function: str, x: Sequence[Operand]) -> str:
        """A function in its own notation, or by its name."""
        if function in FORMS:
            return FORMS[function].format(*map(self.whole, x))
        if function in ("power", "pow"):
            exponent = x[1]
            if not isinstance(exponent, Formula) and exponent == 1.0:
                return self.held(x[0], ATOM)
            return f"<msup><mrow>{self.held(x[0], ATOM)}</mrow><mrow>{self.whole(exponent)}</mrow></msup>"
        if function == "heaviside":
            e = x[0]
            if isinstance(e, Formula) and e.name == "-" and e is not self.value:
                return self.call("greater", e.operands)
            return self.call("greater", [e, 0.0])
        if function in COMPARED:  # Iverson's brackets: 1 where it is true, else 0
            return bracketed(f"{self.whole(x[0])}<mo>{COMPARED[function]}</mo>{self.held(x[1], SUM)}", "[]")
        if function == "at":
            return self.part(int(x[0]), x[1])  # type: ignore[arg-type]
        if function == "logsumexp":
            return f"<mrow><mi>log</mi>{bracketed(self.powers(x))}</mrow>"
        if function == "hypot":
            squares = elided(x, lambda y: f"<msup>{self.held(y, ATOM)}<mn>2</mn></msup>", "<mo>+</mo>")
            return f"<msqrt>{squares}</msqrt>"
        arguments = elided(x, self.whole, "<mo>,</mo>")
        return f"<mrow><mi>{function_text(function)}</mi>{bracketed(arguments)}</mrow>"

    def part(self, i: int, whole: Formula) -> str:
        """One entry of a softmax, or of shares in a maximum: the condition under which an operand is chosen."""
        x = list(whole.operands)
        if whole.name == "softmax":
            return FORMS["/"].format(self.call("exp", [x[i]]), self.powers(x))
        sign = "&gt;"
        if all(isinstance(y, Formula) and y.name == "negative" for y in x):  # in a minimum
            x, sign = [y.operands[0] for y in x if isinstance(y, Formula)], "&lt;"
        others = elided(x[:i] + x[i + 1 :], self.whole, "<mo>,</mo>")
        return bracketed(f"{self.whole(x[i])}<mo>{sign}</mo>{others}", "[]")

    def powers(self, z: Sequence[Operand]) -> str:
        """The sum of eᶻ."""
        return elided(z, lambda z_j: self.call("exp", [z_j]), "<mo>+</mo>")


def unguarded(e: Operand) -> Operand:
    """The formula without guards such as ``where(x, …, 1)``, which keeps x = 0 away from a power or a logarithm."""
    while isinstance(e, Formula) and e.name == "where":
        condition, x, y = e.operands
        is_letter = isinstance(condition, Formula) and not condition.operands
        is_guard = (is_letter or condition is x) and (not isinstance(y, Formula) or y.name == "where")
        if not is_guard or not isinstance(x, Formula):
            break
        e = x
    return e


def elided(things: Sequence[Any], write: Callable[[Any], str], sign: str, dots: str = "<mo>⋯</mo>") -> str:
    """All things written, with the sign between them; of many, the first three, dots and the last two."""
    is_short = len(things) <= MOST_SHOWN
    return sign.join(map(write, things) if is_short else [*map(write, things[:3]), dots, *map(write, things[-2:])])
