"""Writes names, numbers and aligned formulas in MathML, which browsers typeset without fonts or libraries."""

import re
from collections.abc import Iterable, Sequence
from html import escape

from autograd.colours import custom_properties
from autograd.notation import HAT, MINUS, indexed, number_text
from autograd.text import GREEK, clipped

LETTER_OF = {name: letter for letter, name in GREEK.items()}
# groups: an element with text, or a tag; its name; an opening bracket; a closing one; another sign; a space after it
PARTS = re.compile(r"(<(m[ino]|mtext)\b[^>]*>[^<]*</\2>|<[^>]+>)|([(\[])|([)\]])|\s+|(.)(\s?)")
LETTER = r"[^\W\d_⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉ᵀ]+[⁰¹²³⁴⁵⁶⁷⁸⁹]*′?"
# ∂L/∂W, (W)ᵀ, z.grad, W or Wᵀ, a number, the gradient at the output
MATRICES = re.compile(rf"∂L/∂({LETTER})|\(({LETTER})\)ᵀ|(\w\.grad)|({LETTER})ᵀ?|\d+|∇ₐ L")
NABLA = "<msub><mi>∇</mi><mi>a</mi></msub><mi>L</mi>"
FRACTION = "<mfrac><mrow>{}</mrow><mrow>{}</mrow></mfrac>"
SCOPE = ".formulas"
# an untrusted notebook drops <style> and MathML, so it shows the plain text instead of the hidden part
# (`hidden` has a value because JupyterLab drops an attribute without one)
CSS = """
.formulas { color: var(--ink); background: var(--paper); font: 14px/1.5 system-ui, sans-serif; padding: .5em .8em }
.formulas > pre { display: none } .formulas > [hidden] { display: block !important }
.formulas math { font: 1.3em "STIX Two Math", "Cambria Math", "Latin Modern Math", "DejaVu Math TeX Gyre", math }
.formulas p { margin: .4em 0 } .formulas p.quiet { color: var(--quiet); font-size: .92em }
.formulas h1 { font-size: 1.1em; margin: 0 } .formulas p.title { margin-top: .9em; font-weight: 600 }
.formulas .lines, .formulas .scrolls { overflow-x: auto } .formulas .lines math { text-indent: 0; padding: .1em 0 }
.formulas .lines { display: grid; grid-template-columns: max-content minmax(12em, 1fr); align-items: baseline;
  gap: .45em .4em; padding: .2em 0 }
.formulas .lines > :nth-child(odd) { text-align: right }
.formulas .lines > :nth-child(even) { padding-left: 1.6em; text-indent: -1.6em }
.formulas .tick { margin-right: 1.5em; display: inline-block }
.formulas math :is(.upstream, .gradient, .product, .result) { color: var(--grad) }
.formulas math :is(.local, .value) { color: var(--value) } .formulas math .result { font-weight: bold }
.formulas math .quiet { color: var(--quiet); font: .7em system-ui, sans-serif; margin-left: 2em }
.formulas math .zero, .formulas math .zero * { color: var(--quiet) }
"""


def name(label: str) -> str:
    """Return a node's name, typeset as in the lecture.

    >>> name("w²_13")
    '<msubsup><mi>w</mi><mn>13</mn><mn>2</mn></msubsup>'
    >>> name("<b>")
    '<mtext>&lt;b&gt;</mtext>'
    >>> name("σ_2²")
    '<msubsup><mi>σ</mi><mn>2</mn><mn>2</mn></msubsup>'
    >>> name("x̂")
    '<mover accent="true"><mi>x</mi><mo stretchy="false">^</mo></mover>'
    >>> name("σ¹_2²").replace(name("σ¹_2"), "σ¹₂")
    '<msup><mrow><mo>(</mo>σ¹₂<mo>)</mo></mrow><mn>2</mn></msup>'
    """
    if not (parts := indexed(label)):
        return f"<mi>{escape(label)}</mi>" if len(label) == 1 else f"<mtext>{escape(clipped(label))}</mtext>"
    letter, above, below, primes = parts
    if letter.endswith("²") and above:
        at = label.rindex("²")
        return f"<msup>{bracketed(name(label[:at] + label[at + 1 :]))}<mn>2</mn></msup>"
    letter, above = (letter[:-1], "2") if letter.endswith("²") else (letter, above)
    plain = letter.replace(HAT, "")
    base = f"<mi>{escape(clipped(LETTER_OF.get(plain, plain)))}</mi>"
    base = f'<mover accent="true">{base}<mo stretchy="false">^</mo></mover>' if HAT in letter else base
    raised = (f"<mn>{above}</mn>" if above else "") + (f"<mo>{primes}</mo>" if primes else "")
    raised = f"<mrow>{raised}</mrow>" if above and primes else raised
    lowered = below and (f"<mn>{below}</mn>" if below[0].isdigit() else f"<mi>{escape(clipped(below))}</mi>")
    marked, tag = (base + lowered + raised), ("msub" if lowered else "m") + ("sup" if raised else "")
    return f"<{tag}>{marked}</{tag}>" if lowered or raised else base


def bracketed(written: str, brackets: str = "()") -> str:
    """Return the formula in brackets."""
    return f"<mrow><mo>{brackets[0]}</mo>{written}<mo>{brackets[1]}</mo></mrow>"


def number(x: float) -> str:
    """Return a number in MathML, for use in ``math``."""
    mantissa, _, exponent = re.sub(r"[^−e]+", r"<mn>\g<0></mn>", number_text(x)).partition("e")
    return f"{mantissa}·<msup><mn>10</mn><mrow>{exponent}</mrow></msup>" if exponent else mantissa


def typeset(text: str) -> str:
    """Return a formula with matrices, such as δ¹ = (W²)ᵀ δ², for use in ``math``, with each part in its colour."""

    def element(part: re.Match[str]) -> str:
        below, inner, plain, letter = part.groups()
        if plain or part[0].isdigit():
            return f"<mtext>{plain}</mtext>" if plain else f'<mspace width=".25em"/><mn>{part[0]}</mn>'
        written = name(below or inner or letter) if part[0] != "∇ₐ L" else NABLA
        written = FRACTION.format("<mi>∂</mi><mi>L</mi>", f"<mi>∂</mi>{written}") if below else written
        written = f'<mo stretchy="false">(</mo>{written}<mo stretchy="false">)</mo>' if inner else written
        if part[0][-1] == "ᵀ":
            written = f'<msup><mrow>{written}</mrow><mi mathvariant="normal">T</mi></msup>'
        role = "gradient" if below or part[0].strip("(")[0] in "δ∇" else "value"
        return f'<mstyle class="{role}">{written}</mstyle>'

    return MATRICES.sub(element, text)


def math(formula: str) -> str:
    """Return a formula as an HTML element; signs and brackets between its parts become operators.

    >>> math("−<mi>x</mi>")
    '<math displaystyle="true"><mo form="prefix">−</mo><mi>x</mi></math>'
    """
    stretchy = f'stretchy="{"true" if "<mfrac" in formula else "false"}"'

    def operator(part: re.Match[str]) -> str:
        element, _, opening, closing, sign, space = part.groups()
        if opening or closing:  # in an <mrow>, because brackets stretch to the height of their row
            bracket = f"<mo {stretchy}>{opening or closing}</mo>"
            return f"<mrow>{bracket}<mrow>" if opening else f"</mrow>{bracket}</mrow>"
        form = f' form="{"infix" if space else "prefix"}"' if sign in ("+", MINUS) else ""
        form += ' lspace="0" rspace="0"' if sign == "|" else ""
        return element or (f"<mo{form}>{escape(sign)}</mo>" if sign else "")

    return f'<math displaystyle="true">{PARTS.sub(operator, formula)}</math>'


def aligned(lines: Iterable[tuple[str, Sequence[str]]], label: str) -> str:
    """Return lines aligned between their left and right sides; a line may break between pieces of the right side."""
    pairs = [(math(left) if left else "", " ".join(map(math, pieces))) for left, pieces in lines]
    rows = "".join(f"<div>{left}</div><div>{right}</div>" for left, right in pairs)
    return f'<div class="lines" role="group" tabindex="0" aria-label="{escape(label)}">{rows}</div>'


def framed(body: str, plain: str, css: str = "") -> str:
    """Return the HTML for a notebook: the body in the pictures' colours, with plain text for untrusted notebooks."""
    style = custom_properties(SCOPE) + CSS + css
    text, shown = f"<pre>{escape(plain)}</pre>", f'<div hidden="hidden">{body}</div>'
    return f'<div class="formulas"><style>{style}</style>{text}{shown}</div>'
