"""Writes names and numbers in the lecture's notation, as text and as LaTeX.

A name that looks like the lecture's (``w²_13``, ``x``, ``mu_1``) is typeset as the lecture does. Any other name is
set as plain words, in which every character is escaped that LaTeX would read as a command.
"""

import re
from collections.abc import Iterable
from itertools import count, groupby
from math import isfinite

from autograd.table import TABLE, is_constant
from autograd.text import GREEK, IN_ASCII, text_name
from autograd.value import Value

MINUS = "−"
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
LOWERED = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
INDEXED = re.compile(r"([^\W\d_⁰¹²³⁴⁵⁶⁷⁸⁹]+)([⁰¹²³⁴⁵⁶⁷⁸⁹]*)(_?\d[\d,]*|_[A-Za-z\d]+)?([′″‴]?)")

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
    r"""The name in LaTeX's mathematics.

    >>> latex_name("w²_13"), latex_name("delta"), latex_name("learning rate"), latex_name("50%")
    ('w^{2}_{13}', '\\delta', '\\text{learning rate}', '\\text{50\\%}')
    """
    match = INDEXED.fullmatch(name)
    if not match:
        return latex_text(name)
    letter, above, below, primes = match.groups()
    letter = GREEK.get(letter, letter)
    plain = len(letter) == 1 and letter.isascii()
    base = f"\\{letter}" if letter in GREEK.values() else letter if plain else latex_text(letter)
    above = f"^{{{above.translate(SUPERSCRIPTS)}}}" if above else ""
    below = f"_{{{below.lstrip('_')}}}" if below else ""
    return f"{{{base}{above}{below}}}{IN_ASCII[primes]}" if primes else base + above + below


def latex_text(words: str) -> str:
    r"""Words inside a formula. Mathematical signs stand outside of ``\text``, which cannot set them. A minus
    stands in braces, where LaTeX puts no space around it: the words have their own.

    >>> print(latex_text("50% of ∂L/∂w²"))
    \text{50\% of }\partial \text{L/}\partial \text{w}^{2}
    """
    runs = [(is_sign, "".join(run)) for is_sign, run in groupby(text_name(words), MATHEMATICAL.__contains__)]
    return "".join(
        "{-}".join(map(latex_signs, run.split(MINUS))) if is_sign else rf"\text{{{run.translate(ESCAPED)}}}"
        for is_sign, run in runs
    )


def latex_signs(formula: str) -> str:
    r"""A formula with its mathematical signs in LaTeX; letters and digits stay as they are.

    >>> print(latex_signs("δ¹⁰ ⊙ Wᵀ"))
    \delta ^{10} \odot  W^{T}
    """
    signs = "".join(SIGNS.get(c, c) for c in formula)
    exponents = f"[{''.join(EXPONENTS)}]+"
    return re.sub(exponents, lambda run: f"^{{{''.join(EXPONENTS[c] for c in run[0])}}}", signs)


def number_text(x: float, digits: int = 6) -> str:
    """A number as people read it: whole numbers without a point, six digits of others, a true minus sign.

    >>> number_text(12.0), number_text(-0.00312345678), number_text(1e-9)
    ('12', '−0.00312346', '1e−9')
    """
    if not isfinite(x):
        return "NaN" if x != x else f"{MINUS if x < 0.0 else ''}∞"
    whole = x == x // 1.0 and abs(x) < 1e15
    written = str(int(x)) if whole else re.sub(r"e([+-])0*", r"e\1", f"{x:.{digits}g}").replace("e+", "e")
    return written.replace("-", MINUS)


def number_latex(x: float, digits: int = 6) -> str:
    r"""The same in LaTeX.

    >>> number_latex(-1e-9)
    '-1 \\cdot 10^{-9}'
    """
    mantissa, _, exponent = number_text(x, digits).replace(MINUS, "-").partition("e")
    mantissa = mantissa.replace("∞", r"\infty").replace("NaN", r"\text{NaN}")
    return rf"{mantissa} \cdot 10^{{{exponent}}}" if exponent else mantissa


def symbol(node: Value) -> str:
    """The sign of the node's operation, as × or σ; empty for an input."""
    return node.operation.symbol if node.operation else ""


def function_text(name: str) -> str:
    """How a formula writes a function: with the sign of the table's operation of that name, σ for ``sigmoid``."""
    return TABLE[name].symbol if name in TABLE else name


def labels(nodes: Iterable[Value], root: Value | None = None) -> dict[Value, str]:
    """What to call each node: its name, ``v1`` … where it has none, its number where it is a constant.

    A ``root`` without a name is f.

    Names are labels, not keys: the second value that is called x is written x′, the third x″.

    >>> x, other = Value(1.0, "x"), Value(2.0, "x")
    >>> list(labels([x, other, x * other]).values())
    ['x', 'x′', 'v1']
    """
    found: dict[Value, str] = {}
    taken = {text_name(node.name) for node in nodes if node.name}
    unused = (f"v{i}" for i in count(1) if f"v{i}" not in taken)
    met: dict[str, int] = {}
    for node in nodes:
        if is_constant(node):
            found[node] = number_text(node.data)
        elif node is root and not node.name and "f" not in taken:
            found[node] = "f"
        elif node.name:
            name = text_name(node.name)
            before = met.get(name, 0)
            while before and name + prime(before) in taken:  # another value's own name
                before += 1
            found[node], met[name] = name + prime(before), before + 1
        else:
            found[node] = next(unused)
    return found


def prime(number: int) -> str:
    """′, ″, ‴, and from four on ′4, ′5."""
    return ("", "′", "″", "‴")[number] if number < 4 else f"′{number}"


def derivative(f: str, x: str) -> str:
    """∂f/∂x, and δˡ_j for the derivative with respect to zˡ_j, as the lecture calls it.

    >>> derivative("f", "x"), derivative("L", "z²_1")
    ('∂f/∂x', 'δ²_1')
    """
    is_z = re.fullmatch(r"z[⁰¹²³⁴⁵⁶⁷⁸⁹]+_[\d,]+", x)
    return f"δ{x[1:]}" if is_z else f"∂{f}/∂{x}"
