"""Writes the rules of the table as JavaScript functions, for pages.

``PRELUDE`` defines the functions that the rules call, with the results of ``floats``; no rule is hand-written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import SupportsFloat

from autograd.number_systems.expressions import FORMS, ROW_FORMS, Formula, Operand, letters, operations

_ELEMENTARY = """\
const { abs, exp, expm1, floor, log, log1p, log2, sqrt: root } = Math;
const { acos, asin, atan, atan2, cos, cosh, sin, sinh, tan } = Math;
const negative = (x) => -x;
const where = (condition, x, y) => (Number(condition) !== 0 ? x : y);
const at = (i, list) => list[i];
const total = (x) => x.reduce((sum, term) => sum + term, 0);
const largest = (x) => x.reduce(larger);
const smallest = (x) => x.reduce(smaller);
const norm = (x) => Math.hypot(...x);
// by IEEE 754, 1 to any power is 1, and so is (−1) to ±∞; Math.pow returns NaN
const power = (x, p) => (x === 1 || (x === -1 && abs(p) === Infinity) ? 1 : Math.pow(x, p));
// (e²ˣ − 1)/(e²ˣ + 1) in a third of the time of Math.tanh: e²ˣ = 2ᵏ eʳ, and eʳ = 1 + 2r/d as in fdlibm's exp
const twos = Float64Array.from({ length: 129 }, (_, i) => 2 ** (i - 64));
const tanh = (x) => {
  const y = Math.max(-44, Math.min(44, 2 * x));
  const k = floor(1.4426950408889634 * y + 0.5);
  const r = y - 0.6931471803691238 * k - 1.9082149292705877e-10 * k, t = r * r;
  const series = 4.1381367970572385e-8 * t - 1.6533902205465252e-6;
  const rest = (series * t + 6.613756321437934e-5) * t - 2.7777777777015593e-3;
  const d = 2 - r + t * (0.16666666666666602 + t * rest);
  const power2 = twos[k + 64], s = 2 * r * power2;
  return x === 0 ? x : ((power2 - 1) * d + s) / ((power2 + 1) * d + s);
};
// x² is split in two, because exp would magnify its rounding error
const bell = (x) => {
  const high = Math.fround(x);
  return x > 30 ? 0 : (exp(-high * high) * exp((high - x) * (high + x))) / sqrt(Math.PI);
};
// a series of positive terms for erf near 0, a continued fraction for erfc elsewhere
const erf = (x) => {
  if (x < 0) return -erf(-x);
  if (x >= 0.6) return 1 - erfc(x);
  let term = 2 * x, total = term;
  for (let n = 1; term > 1e-17 * total; n++) total += term *= (2 * x * x) / (2 * n + 1);
  return bell(x) * total;
};
const erfc = (x) => {
  if (x < 0) return 2 - erfc(-x);
  if (x < 0.6) return 1 - erf(x);
  let below = x;
  for (let n = 600; n > 0; n--) below = x + n / 2 / below;
  return x === Infinity ? 0 : bell(x) / below;
};
"""


def function(value: Operand, local_derivatives: Sequence[Operand], operands: Sequence[Formula]) -> str:
    """Return the result of a rule as the source of ``(x1, x2) => [value, [local derivatives]]``.

    >>> from autograd.number_systems.expressions import sigmoid
    >>> x, y = letters(2)
    >>> function(x, (1.0,), [x])
    '(x1) => { return [x1, [1]]; }'
    >>> a = sigmoid(x)
    >>> function(a, [a * (1.0 - a)], [x])
    '(x1) => { const t1 = sigmoid(x1); const t2 = 1 - t1; const t3 = t1 * t2; return [t1, [t3]]; }'
    """
    lines, (result, *locals_) = statements([value, *local_derivatives])
    body = " ".join([*lines, f"return [{result}, [{', '.join(locals_)}]];"])
    return f"({', '.join(x.name for x in operands)}) => {{ {body} }}"


def statements(results: Sequence[Operand], known: Mapping[Formula, str] = {}) -> tuple[list[str], list[str]]:
    """Return the statements that compute the results, and the names of the results.

    Each operation is one statement, which keeps Python's order of evaluation without brackets and computes shared
    operands once.

    known   the names of formulas that are already computed
    """
    names = dict(known)
    written = []
    for e in operations(results, known):
        if e.operands:
            source = _source(e, names)
            if e.is_row:
                row = next(names.get(x, x.name) for x in e.parents if x.is_row)
                source = f"{row}.map((_, i) => {source})"
            names[e] = f"t{len(names) + 1}"
            written.append(f"const {names[e]} = {source};")
    return written, [_named(x, names) for x in results]


def _source(e: Formula, names: Mapping[Formula, str]) -> str:
    """Return the source of one operation on named operands; for a row, on its entry i."""
    operands = [
        _named(x, names) + ("[i]" if e.is_row and isinstance(x, Formula) and x.is_row else "") for x in e.operands
    ]
    if e.name == "sum" and not any(x.is_row for x in e.parents):
        return _tree(["0", *operands])
    return f"{e.name}({', '.join(operands)})" if e.name.isidentifier() else f" {e.name} ".join(operands)


def _tree(terms: Sequence[str]) -> str:
    half = len(terms) // 2
    return " + ".join(terms) if len(terms) <= 4 else f"({_tree(terms[:half])}) + ({_tree(terms[half:])})"


def _named(x: Operand, names: Mapping[Formula, str]) -> str:
    return names.get(x, x.name) if isinstance(x, Formula) else number(x)


def number(x: SupportsFloat) -> str:
    """Return a number in JavaScript's notation."""
    return repr(float(x)).removesuffix(".0").replace("inf", "Infinity").replace("nan", "NaN")


def _prelude() -> str:
    lines = [_ELEMENTARY]
    for name, form in FORMS.items():
        x = letters(form.__code__.co_argcount)
        body, [result] = statements([form(*x)])
        lines.append(f"const {name} = ({', '.join(map(repr, x))}) => {{ {' '.join(body)} return {result}; }};\n")
    for name, form in ROW_FORMS.items():
        body, [result] = statements([form(Formula("x", is_row=True))])
        lines.append(f"const {name} = (...x) => {{ {' '.join(body)} return {result}; }};\n")
    return "".join(lines)


PRELUDE = _prelude()
