"""Writes formulas as the slides do, r²s, a(1 − a), [z > 0], in text, in LaTeX or in MathML."""

from collections.abc import Callable
from html import escape
from math import inf
from typing import Any, NamedTuple

import sympy

from autograd import mathml, notation
from autograd.number_systems import symbols
from autograd.number_systems.symbols import Expression

IN_LATEX = {name: f"\\{name}" for name in ("sin", "cos", "tan", "tanh", "sinh", "cosh", "exp", "log", "max", "min")}
IN_LATEX |= {"σ": r"\sigma", "logΣexp": r"\log\!\sum\exp"}
UNINDEXED = dict.fromkeys(notation.INDICES)  # v₁ is read as one letter: v₁²
ADDITION, PRODUCT, POWER, ATOM = range(4)  # how tightly a formula binds


class Notation(NamedTuple):
    """A notation for formulas; called on an expression, it writes the expression."""

    minus: str
    times: str  # between the two factors of a term of the chain rule
    apart: str  # between the factors of a product
    juxtaposed: str  # between the factors of a product if both are short
    braces: bool  # whether root, power and ratio enclose their arguments, which then need no brackets
    root: str
    power: str
    ratio: str
    name: Callable[[str], str]
    number: Callable[[float], str]
    words: Callable[[str], str]
    call: Callable[[str, str], str]

    def partial(self, f: str, x: str, delta: bool) -> str:
        """Return ∂f/∂x; with ``delta``, δ if x is a z of the lecture."""
        if delta and (short := notation.derivative(f, x)).startswith("δ"):
            return self.name(short)
        return self.ratio.format(*(self.name("∂") + self.name(name) for name in (f, x)))

    def __call__(self, expression: Expression) -> str:
        """Return the whole expression."""
        return self.write(expression)[0]

    def write(self, e: Expression) -> tuple[str, int]:
        """Return the expression, and how tightly it binds."""
        if e.is_Symbol:
            return self.name(e.name), ATOM
        if e.is_Add:
            steps = list(e.atoms(symbols.heaviside))
            if len(steps) == 1 and e == 2 * steps[0] - 1:  # the slope of |x|
                return self.call("sign", self(steps[0].args[0])), ATOM
            return self.addition(e), ADDITION
        if e is sympy.E:
            return self.name("e"), ATOM
        if e.is_Mul or ((e.is_Number or (e.is_Pow and e.exp.is_number)) and sympy.fraction(e)[1] != 1):
            return self.product(e)
        if e.is_Number or e is sympy.zoo:
            return self.number(inf if e is sympy.zoo else float(e)), ATOM
        if e.is_Pow:
            if e.exp == sympy.S.Half:
                return self.root.format(self.part(e.base, ATOM)), POWER
            if e.exp.is_Integer and not self.braces:
                return self.bracketed(e.base, ATOM) + str(e.exp).translate(notation.RAISED), POWER
            return self.power.format(self.bracketed(e.base, ATOM), self.part(e.exp, ATOM)), POWER
        if isinstance(e, sympy.exp):
            return self.call("exp", self(e.args[0])), ATOM
        if isinstance(e, symbols.heaviside):
            return f"[{self.comparison(e.args[0])}]", ATOM
        if isinstance(e, (symbols.abs, sympy.Abs)):  # SymPy turns √x² into its own Abs
            return f"|{self(e.args[0])}|", ATOM
        return self.call(notation.function_text(e.func.__name__), ", ".join(self(x) for x in e.args)), ATOM

    def comparison(self, difference: Expression) -> str:
        """Return the condition that the difference is positive: x > y for x − y."""
        terms = sympy.Add.make_args(difference)
        less = [*filter(_is_negative, terms)]
        if len(terms) != 2 or len(less) != 1:
            return f"{self(difference)} > {self.number(0.0)}"
        return f"{self(difference - less[0])} > {self(-less[0])}"

    def bracketed(self, e: Expression, least: int) -> str:
        """Return the expression, in brackets if it binds less tightly than ``least``."""
        written, binding = self.write(e)
        fits = binding >= least and not (least == ATOM and e.is_Symbol and len(e.name.translate(UNINDEXED)) > 1)
        return written if fits and not written.startswith(self.minus) else f"({written})"

    def part(self, e: Expression, least: int) -> str:
        """Return the expression as an argument, which needs brackets only in a notation without braces."""
        return self(e) if self.braces else self.bracketed(e, least)

    def addition(self, e: Expression) -> str:
        """Return the terms with their signs, a positive one first: 1 − a."""
        written, terms = "", e.as_ordered_terms()
        first = next((term for term in terms if not _is_negative(term)), None)
        for term in sorted(terms, key=lambda term: term is not first):
            sign, part = ("+", term) if not _is_negative(term) else (self.minus, -term)
            written += (f" {sign} " if written else sign.strip("+")) + self.bracketed(part, PRODUCT)
        return written

    def product(self, e: Expression) -> tuple[str, int]:
        """Return the factors (number, weights, other symbols, functions, sums); a quotient for a fraction."""
        sign = self.minus * _is_negative(e)
        above, below = sympy.fraction(-e if sign else e)
        if below != 1:
            return sign + self.ratio.format(self.part(above, PRODUCT), self.part(below, POWER)), PRODUCT
        written, short = "", True
        for part in sorted(sympy.Mul.make_args(above), key=_rank):
            right = self.bracketed(part, POWER)
            tight = right.startswith("(") or (short and _is_short(part))
            written += ("" if not written else self.juxtaposed if tight else self.apart) + right
            short = _is_short(part)
        return sign + written, PRODUCT


def _is_negative(e: Expression) -> bool:
    return bool(e.could_extract_minus_sign())


def _latex_call(function: str, arguments: str) -> str:
    name = IN_LATEX.get(function, rf"\operatorname{{{function}}}")
    return rf"{name}\left({arguments}\right)"


def _mathml_call(function: str, arguments: str) -> str:
    if function == "exp":
        return f"<msup><mi>e</mi><mrow>{arguments}</mrow></msup>"
    return f"<mi>{escape(function)}</mi>({arguments})"


TEXT = Notation(
    notation.MINUS, "·", " ", "", False, "√{}", "{}^{}", "{}/{}",
    str, notation.number_text, str, "{}({})".format,
)  # fmt: skip
LATEX = Notation(
    "-", r" \cdot ", r" \, ", " ", True, r"\sqrt{{{}}}", "{{{}}}^{{{}}}", r"\frac{{{}}}{{{}}}",
    notation.latex_name, notation.number_latex, notation.latex_text, _latex_call,
)  # fmt: skip
MATHML = Notation(
    notation.MINUS, "·", '<mspace width=".2em"/>', "", True, "<msqrt>{}</msqrt>",
    "<msup><mrow>{}</mrow><mrow>{}</mrow></msup>", mathml.FRACTION,
    mathml.name, mathml.number, lambda words: f"<mtext>{escape(words)}\xa0</mtext>", _mathml_call,
)  # fmt: skip


def _is_short(e: Expression) -> bool:
    """Return whether the factor is an integer, a letter or a power of a letter; these are juxtaposed, as in 2r²s."""
    base, exponent = e.as_base_exp()
    return bool(e.is_Integer or (base.is_Symbol and len(base.name) == 1 and exponent.is_Integer))


def _rank(e: Any) -> tuple[int, str]:
    base = e.base if e.is_Pow else e
    if e.is_Number:
        return 0, ""
    if base.is_Symbol:
        return (1 if base.name.startswith("w") else 2), base.name
    return (4 if base.is_Add else 3), str(e)
