"""Writes names and numbers in the lecture's notation, as text and as LaTeX.

A name in the lecture's form (``w²_13``, ``x``, ``mu_1``) is typeset as in the lecture. Any other name is set as plain
text, with LaTeX's special characters escaped.
"""

import re
from collections.abc import Iterable
from itertools import count, groupby
from math import isfinite

from autograd.table import TABLE, is_constant
from autograd.text import GREEK, IN_ASCII, text_name
from autograd.value import Value

MINUS, HAT = "−", "\u0302"
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
LOWERED = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
INDICES = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
INDEXED = re.compile(  # letters, a layer above, an index below, a square, primes
    r"((?:[^\W\d_⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉]\u0302?)+)([⁰¹²³⁴⁵⁶⁷⁸⁹]*)(_?\d[\d,]*|_[A-Za-z\d]+|[₀₁₂₃₄₅₆₇₈₉]+)?(²?)([′″‴]?)"
)

ESCAPED = str.maketrans({c: f"\\{c}" for c in "{}$&#_%"})
SIGNS = {letter: f"\\{name} " for letter, name in GREEK.items()} | {
    "∂": r"\partial ", "∇": r"\nabla ", "⊙": r"\odot ", "·": r"\cdot ", "×": r"\times ", "→": r"\to ", "√": r"\surd ",
    "∞": r"\infty ", "…": r"\dots ", "−": "-", "<": r"\lt ", ">": r"\gt ", "\\": r"\backslash ", "^": r"\hat{}",
    "~": r"\sim ",
}  # fmt: skip
EXPONENTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻ᵀ", "0123456789-T"))
EXPONENTS |= {primes: r"\prime " * number for number, primes in enumerate("′″‴", start=1)}
MATHEMATICAL = {*SIGNS, *EXPONENTS}


def latex_name(name: str) -> str:
    r"""Return the name in LaTeX, for math mode.

    >>> latex_name("w²_13"), latex_name("delta"), latex_name("learning rate"), latex_name("50%")
    ('w^{2}_{13}', '\\delta', '\\text{learning rate}', '\\text{50\\%}')
    >>> print(latex_name("σ_2²"), latex_name("σ¹_2²"), latex_name("x̂¹_23"))
    \sigma^{2}_{2} (\sigma^{1}_{2})^{2} \hat{x}^{1}_{23}
    """
    if not (parts := indexed(name)):
        return latex_text(name)
    letter, above, below, primes = parts
    square, hat = "2" * letter.endswith("²"), HAT in letter
    letter = letter.removesuffix("²").replace(HAT, "")
    letter = GREEK.get(letter, letter)
    is_plain = len(letter) == 1 and letter.isascii()
    base = f"\\{letter}" if letter in GREEK.values() else letter if is_plain else latex_text(letter)
    whole = (rf"\hat{{{base}}}" if hat else base) + (f"^{{{above or square}}}" if above or square else "")
    whole += f"_{{{below}}}" if below else ""
    whole = f"({whole})^{{2}}" if above and square else whole
    return f"{{{whole}}}{IN_ASCII[primes]}" if primes else whole


def indexed(name: str) -> tuple[str, str, str, str] | None:
    """Return the letter, layer, index and primes of a name in the lecture's form; None for any other.

    If a ² follows the index, it is returned with the letter.

    >>> indexed("w²_13"), indexed("v₁"), indexed("σ¹_2²"), indexed("learning rate")
    (('w', '2', '13', ''), ('v', '', '1', ''), ('σ²', '1', '2', ''), None)
    """
    if not (match := INDEXED.fullmatch(name)):
        return None
    letter, above, below, square, primes = match.groups()
    return letter + square, above.translate(SUPERSCRIPTS), (below or "").lstrip("_").translate(INDICES), primes


def lowered(name: str) -> str:
    """Return the name for running text, with its index in Unicode's subscripts if they exist.

    >>> lowered("w²_13"), lowered("w²_16,1"), lowered("σ¹_2²"), lowered("x_n")
    ('w²₁₃', 'w²₁₆,₁', 'σ¹₂²', 'x_n')
    """
    match = INDEXED.fullmatch(name)
    if not match or not (below := (match[3] or "").lstrip("_")).replace(",", "").isdigit():
        return name
    return name[: match.start(3)] + below.translate(LOWERED) + name[match.end(3) :]


def latex_text(words: str) -> str:
    r"""Return words in LaTeX, for use inside a formula.

    Mathematical signs are placed outside ``\text``, which cannot set them. A minus sign is placed in braces, so that
    LaTeX adds no space around it.

    >>> print(latex_text("50% of ∂L/∂w²"))
    \text{50\% of }\partial \text{L/}\partial \text{w}^{2}
    """
    runs = [(is_sign, "".join(run)) for is_sign, run in groupby(text_name(words), MATHEMATICAL.__contains__)]
    return "".join(
        "{-}".join(map(latex_signs, run.split(MINUS))) if is_sign else rf"\text{{{run.translate(ESCAPED)}}}"
        for is_sign, run in runs
    )


def latex_signs(formula: str) -> str:
    r"""Return a formula with its mathematical signs in LaTeX; letters and digits stay unchanged.

    >>> print(latex_signs("δ¹⁰ ⊙ Wᵀ"))
    \delta ^{10} \odot  W^{T}
    """
    signs = "".join(SIGNS.get(c, c) for c in formula)
    exponents = f"[{''.join(EXPONENTS)}]+"
    return re.sub(exponents, lambda run: f"^{{{''.join(EXPONENTS[c] for c in run[0])}}}", signs)


def number_text(x: float, digits: int = 6) -> str:
    """Return a number as text, with a true minus sign: whole numbers without a point, others with six digits.

    >>> number_text(12.0), number_text(-0.00312345678), number_text(1e-9)
    ('12', '−0.00312346', '1e−9')
    """
    if not isfinite(x):
        return "NaN" if x != x else f"{MINUS if x < 0.0 else ''}∞"
    whole = x == x // 1.0 and abs(x) < 1e15
    written = str(int(x)) if whole else re.sub(r"e([+-])0*", r"e\1", f"{x:.{digits}g}").replace("e+", "e")
    return written.replace("-", MINUS)


def number_latex(x: float) -> str:
    r"""Return ``number_text(x)`` in LaTeX.

    >>> number_latex(-1e-9)
    '-1 \\cdot 10^{-9}'
    """
    mantissa, _, exponent = number_text(x).replace(MINUS, "-").partition("e")
    mantissa = mantissa.replace("∞", r"\infty").replace("NaN", r"\text{NaN}")
    return rf"{mantissa} \cdot 10^{{{exponent}}}" if exponent else mantissa


def symbol(node: Value) -> str:
    """Return the symbol of the node's operation, such as × or σ; empty for an input."""
    return node.operation.symbol if node.operation else ""


def function_text(name: str) -> str:
    """Return a function as formulas write it: the table's symbol, such as σ for ``sigmoid``, or else its name."""
    return TABLE[name].symbol if name in TABLE else name


def labels(nodes: Iterable[Value], root: Value | None = None) -> dict[Value, str]:
    """Return a label for each node: its name, its number if it is a constant, or else v₁, v₂ …

    A ``root`` without a name is called f. Names need not be unique: a second value named x is called x′, a third x″.

    >>> x, other = Value(1.0, "x"), Value(2.0, "x")
    >>> list(labels([x, other, x * other]).values())
    ['x', 'x′', 'v₁']
    """
    found: dict[Value, str] = {}
    taken = {text_name(node.name) for node in nodes if node.name}
    shown = taken | {*map(lowered, taken)}
    unused = (name for i in count(1) if (name := unnamed(i)) not in shown)
    met: dict[str, int] = {}
    for node in nodes:
        if is_constant(node):
            found[node] = number_text(node.data)
        elif node is root and not node.name and "f" not in taken:
            found[node] = "f"
        elif node.name:
            name = text_name(node.name)
            before = met.get(name, 0)
            while before and name + prime(before) in taken:  # the name of another value
                before += 1
            found[node], met[name] = name + prime(before), before + 1
        else:
            found[node] = next(unused)
    return found


def unnamed(number: int) -> str:
    """Return the label of a value without a name: v₁, v₂ …"""
    return f"v{str(number).translate(LOWERED)}"


def prime(number: int) -> str:
    """Return ′, ″ or ‴, and from four on ′4, ′5 …"""
    return ("", "′", "″", "‴")[number] if number < 4 else f"′{number}"


def derivative(f: str, x: str) -> str:
    """Return ∂f/∂x, or the lecture's δˡ_j for the derivative with respect to zˡ_j.

    >>> derivative("f", "x"), derivative("L", "z²_1")
    ('∂f/∂x', 'δ²_1')
    """
    is_z = re.fullmatch(r"z[⁰¹²³⁴⁵⁶⁷⁸⁹]+_[\d,]+", x)
    return f"δ{x[1:]}" if is_z else f"∂{f}/∂{x}"
