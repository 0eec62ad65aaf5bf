"""Writes the table's formulas in MathML, as templates that the page fills in.

A formula is one of the table's rules, run on expressions and written as a template. ``{1}`` is a placeholder for the
first operand, ``{(1)}`` one that puts a negative number in brackets, ``{v}`` one for the node itself, and ``{=2}``
contains the number 2. The page fills in names or numbers.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from autograd.mathml import FRACTION, bracketed
from autograd.notation import MINUS, function_text
from autograd.number_systems.expressions import Formula, operations
from autograd.number_systems.javascript import number

Operand = Formula | float

MOST_SHOWN = 6  # terms, factors or arguments; of a longer list, the first three and the last two
MOST_OPERATIONS, MOST_DEPTH, MOST_MARKUP = 10_000, 50, 3_000  # of a displayed formula
MOST_WHOLE = 2_000  # characters of its markup, including the parts that a click shows
FORMS = {
    "/": FRACTION,
    "exp": "<msup><mi>e</mi><mrow>{}</mrow></msup>",
    "sqrt": "<msqrt>{}</msqrt>",
    "abs": "<mrow><mo>|</mo>{}<mo>|</mo></mrow>",
    "floor": "<mrow><mo>⌊</mo>{}<mo>⌋</mo></mrow>",
}
COMPARED = {"greater": "&gt;", ">": "&gt;", "<": "&lt;", ">=": "≥", "<=": "≤", "===": "=", "!==": "≠"}
SUMS, PRODUCTS = ("+", "-", "sum"), ("*", "times")
SUM, PRODUCT, ATOM = range(3)  # how tightly a formula binds
NODE = Formula("xv")  # a letter like x1, for the node itself


def template(formula: Operand, value: Operand | None = None) -> str:
    """Return the formula with placeholders for its operands, or "" if it is too long to read.

    value   the rule's formula for the node's value; inside the formula, it becomes the node's placeholder

    >>> from autograd.number_systems.expressions import letters
    >>> x, y = letters(2)
    >>> template(x * y)
    '<mrow>{1}<mo>·</mo>{(2)}</mrow>'
    """
    plain, size, depth = _plain(formula, value)
    written = _whole(plain) if size <= MOST_OPERATIONS and depth <= MOST_DEPTH else ""
    short = written
    while "\2" in short:  # the parts hidden behind ⋯
        short = re.sub("\2[^\2\3]*\3", "", short)
    if len(written) > MOST_WHOLE:
        written = short
    return written.replace("\2", '<mrow class="rest">').replace("\3", "</mrow>") if len(short) <= MOST_MARKUP else ""


def _plain(formula: Operand, value: Operand | None) -> tuple[Operand, int, int]:
    """Return the formula without guards, and with ``NODE`` for the node's value unless this is an operand.

    Also return the number of operations, counting every use, and their depth, to which a chain adds one level.
    """
    plain: dict[Operand, tuple[Operand, int, int]] = {}
    for e in operations([formula]):
        size, depth = 1, 0
        for x in e.parents:
            chained = x.name == e.name == "*" or ({x.name, e.name} <= {"+", "-"} and x is e.operands[0])
            size += plain[x][1]
            depth = max(depth, plain[x][2] + (not chained))
        operands = [plain[x][0] if isinstance(x, Formula) else x for x in map(_unguarded, e.operands)]
        plain[e] = NODE if e is value and operands else Formula(e.name, *operands), size, depth
    return plain[formula] if isinstance(formula, Formula) else (formula, 1, 0)


def _unguarded(e: Operand) -> Operand:
    """Remove guards such as ``where(x, …, 1)``, which keeps x = 0 away from a power or a logarithm."""
    while isinstance(e, Formula) and e.name == "where":
        condition, x, y = e.operands
        is_letter = isinstance(condition, Formula) and not condition.operands
        is_guard = (is_letter or condition is x) and (not isinstance(y, Formula) or y.name == "where")
        if not is_guard or not isinstance(x, Formula):
            break
        e = x
    return e


def _whole(e: Operand) -> str:
    """Write the formula without brackets."""
    return _written(e)[0]


def _held(e: Operand, least: int) -> str:
    """Write the formula next to others, in brackets if it binds less tightly than ``least``."""
    if isinstance(e, Formula) and not e.operands:
        return f"{{({e.name[1:]})}}"
    written, binding = _written(e)
    return written if binding >= least else bracketed(written)


def _written(e: Operand) -> tuple[str, int]:
    """Write the formula; also return how tightly it binds."""
    if not isinstance(e, Formula):
        return f"{{={number(e)}}}", SUM if e < 0.0 else ATOM
    if not e.operands:
        return f"{{{e.name[1:]}}}", ATOM
    if e.name in SUMS:
        terms: list[tuple[str, Operand]] = []
        first: Operand = e
        while isinstance(first, Formula) and first.name in SUMS:
            sign = MINUS if first.name == "-" else "+"
            first, *others = first.operands
            terms = [*((sign, x) for x in others), *terms]
        dots = "<mo>+</mo><mo>⋯</mo>"
        shown = _elided(terms, lambda term: f"<mo>{term[0]}</mo>{_held(term[1], PRODUCT)}", "", dots)
        return f"<mrow>{_whole(first)}{shown}</mrow>", SUM
    if e.name in PRODUCTS:
        return _product(e)
    if e.name == "negative":
        return f'<mrow><mo form="prefix">{MINUS}</mo>{_held(e.operands[0], PRODUCT)}</mrow>', SUM
    return _call(e.name, e.operands), ATOM


def _product(e: Formula) -> tuple[str, int]:
    """Write the factors other than 1, and a² for a · a."""
    factors: list[Any] = []
    stack: list[Operand] = [e]
    while stack:
        x = stack.pop()
        if isinstance(x, Formula) and x.name in PRODUCTS:
            stack += x.operands[::-1]
        elif isinstance(x, Formula) or x != 1.0:
            factors.append(x)
    if all(isinstance(x, Formula) and x.name[1:].isdigit() for x in factors):  # suffix products are in reverse order
        factors.sort(key=lambda x: int(x.name[1:]))
    if len(factors) < 2:
        return _written(factors[0] if factors else 1.0)
    first, *others = factors
    if len(factors) == 2 and first is others[0]:
        return f"<msup>{_held(first, ATOM)}<mn>2</mn></msup>", ATOM
    leading = _held(first, PRODUCT) if isinstance(first, Formula) and first.operands else _whole(first)
    return f"<mrow>{leading}<mo>·</mo>{_elided(others, lambda x: _held(x, ATOM), '<mo>·</mo>')}</mrow>", PRODUCT


def _call(function: str, x: Sequence[Any]) -> str:
    """Write a function in its own notation, or by its name."""
    if function in FORMS:
        return FORMS[function].format(*map(_whole, x))
    if function in COMPARED:  # Iverson brackets: 1 if it is true, else 0
        return bracketed(f"{_whole(x[0])}<mo>{COMPARED[function]}</mo>{_held(x[1], SUM)}", "[]")
    match function:
        case "power" | "pow":
            base = _held(x[0], ATOM)
            is_bare = not isinstance(x[1], Formula) and x[1] == 1.0
            return base if is_bare else f"<msup><mrow>{base}</mrow><mrow>{_whole(x[1])}</mrow></msup>"
        case "heaviside":
            is_difference = isinstance(x[0], Formula) and x[0].name == "-"
            return _call("greater", x[0].operands if is_difference else [x[0], 0.0])
        case "at":
            return _part(int(x[0]), x[1])
        case "logsumexp":
            return f"<mrow><mi>log</mi>{bracketed(_powers(x))}</mrow>"
        case "hypot":
            squares = _elided(x, lambda y: f"<msup>{_held(y, ATOM)}<mn>2</mn></msup>", "<mo>+</mo>")
            return f"<msqrt>{squares}</msqrt>"
    return f"<mrow><mi>{function_text(function)}</mi>{bracketed(_elided(x, _whole, '<mo>,</mo>'))}</mrow>"


def _part(i: int, whole: Formula) -> str:
    """Write one entry of a softmax, or of the shares of a maximum: the condition under which an operand is chosen."""
    x: list[Any] = list(whole.operands)
    if whole.name == "softmax":
        return FORMS["/"].format(_call("exp", [x[i]]), _powers(x))
    sign = "&gt;"
    if all(isinstance(y, Formula) and y.name == "negative" for y in x):  # in a minimum
        x, sign = [y.operands[0] for y in x], "&lt;"
    others = _elided(x[:i] + x[i + 1 :], _whole, "<mo>,</mo>")
    return bracketed(f"{_whole(x[i])}<mo>{sign}</mo>{others}", "[]")


def _powers(z: Sequence[Operand]) -> str:
    """Write the sum of eᶻ."""
    return _elided(z, lambda z_j: _call("exp", [z_j]), "<mo>+</mo>")


def _elided(things: Sequence[Any], write: Callable[[Any], str], sign: str, dots: str = "<mo>⋯</mo>") -> str:
    """Write things with the sign between them; in a long list, a click on the dots shows those in the middle."""
    written = [*map(write, things)]
    if len(written) <= MOST_SHOWN:
        return sign.join(written)
    rest = "".join(sign + thing for thing in written[3:-2])
    more = f'<mrow class="more" tabindex="0" role="button">{sign}{dots}</mrow>'
    return f"{sign.join(written[:3])}\2{rest}\3{more}{sign}{sign.join(written[-2:])}"
