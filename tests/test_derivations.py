"""Derivations marked line by line: right ones in many notations, planted slips, hostile texts."""

import re
from random import Random

import numpy as np
import pytest
import sympy
from sympy.parsing.sympy_parser import (
    convert_xor,
    implicit_multiplication_application,
    parse_expr,
    split_symbols,
    standard_transformations,
)

from autograd import Value, explain, named
from autograd.errors import DomainError
from autograd.explanation.formula_writer import TEXT
from autograd.parser import Definitions
from nn import MLP, half_squared_error
from nn.lecture import mark

SLIDE = "f = x*y*z; x = r; y = r*s; z = s"
READ = (*standard_transformations, split_symbols, implicit_multiplication_application, convert_xor)
LETTERS = {x: sympy.Symbol(x) for x in "rstxyzf"} | {"e": sympy.E}
RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")


def network(outputs=2):
    model = MLP(2, [3, outputs], activation="sigmoid", output="sigmoid", rng=3)
    trace = model.trace([0.5, -1.0])
    return trace, named(L=half_squared_error(trace.output, [1.0, 0.0][:outputs]))


TRACE, LOSS = network()


# ---- a generator that shares nothing with the reader: SymPy reads its lines -----------------------------------


def definitions(rng):
    """Two or three values of r and s (and t), and an f of them."""
    leaves = "rst"[: rng.choice((2, 2, 3))]
    made, text = list(leaves), []
    for name in "xyz"[: rng.choice((2, 3, 3))]:
        a, b = rng.choice(made), rng.choice(leaves)
        shape = rng.choice(
            (
                "{a}*{b}",
                "{a} + {b}",
                "{a}**2",
                "sin({a})",
                "exp({a})",
                "{a}**3",
                "2*{a} - {b}",
                "{a}",
                "cos({a}*{b})",
                "tanh({a})",
            )
        )
        text.append(f"{name} = {shape.format(a=a, b=b)}")
        made.append(name)
    inner = [x for x in made if x not in leaves]
    f = rng.choice(
        (
            "*".join(inner),
            " + ".join(f"{x}*{rng.choice(leaves)}" for x in inner),
            f"{inner[0]}**2*{inner[1]}",
            f"sin({inner[0]})*{inner[1]}",
            f"{inner[0]}*exp({inner[1]})",
        )
    )
    return f"f = {f}; " + "; ".join(text), leaves


def expression(text):
    """What SymPy reads, for the notation of our explanations."""
    text = re.sub(r"([⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+)", lambda m: f"**({m[1].translate(RAISED)})", text)
    text = re.sub(r"e\^\(", "exp(", text.replace("−", "-").replace("·", "*"))
    text = re.sub(r"e\*\*\((\w+)\)|e\^(\w)", lambda m: f"exp({m[1] or m[2]})", text)
    return parse_expr(text, local_dict=LETTERS, transformations=READ)


def problem(rng):
    """Definitions, the leaf, and the lines of ``explain``, which SymPy has read."""
    while True:
        text, leaves = definitions(rng)
        try:
            parsed = Definitions(text)
            wrt = rng.choice([x for x in leaves if x in parsed.inputs] or "r")
            nodes = parsed.at(**{x: rng.choice((0.5, 2.0, 1.5, 3.0)) for x in parsed.inputs})
            told = explain(nodes["f"], wrt=nodes[wrt])
        except (ValueError, DomainError, KeyError):
            continue
        lines = [" ".join(pieces) for pieces in told.lines(TEXT)]
        symbolic = [line for line in lines[:-1] if "[" not in line and "written" not in line]
        if len(symbolic) < 3 or any("∂" in line for line in symbolic[1:]) or told.value == 0.0:
            continue
        rules = {x: expression(v) for x, v in (part.split(" = ") for part in text.split("; ")[1:])}
        try:
            read = [in_leaves(expression(line), rules) for line in symbolic[1:]]
        except Exception:  # what SymPy cannot read is no fault of ours
            continue
        if all(same(read[0], x) for x in read[1:]):
            return text, wrt, symbolic, rules, read[0]


def in_leaves(e, rules):
    for _ in rules:
        e = e.subs({sympy.Symbol(x): v for x, v in rules.items()})
    return e


def same(a, b):
    rng = np.random.default_rng(1)
    for _ in range(4):
        at = {LETTERS[x]: rng.uniform(0.4, 1.9) for x in "rst"}
        x, y = (complex(sympy.N(e.subs(at))) for e in (a, b))
        if abs(x - y) > 1e-9 * max(1.0, abs(x), abs(y)):
            return False
    return True


def notation(rng, line):
    """The line as somebody else would type it."""
    choice = rng.randrange(6)
    if choice == 1:
        line = (
            re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda m: "^" + m[0].translate(RAISED), line).replace("−", "-").replace("·", "*")
        )
    elif choice == 2:
        line = (
            re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda m: "**" + m[0].translate(RAISED), line)
            .replace("·", " * ")
            .replace("−", "–")
        )
    elif choice == 3:
        line = re.sub(r"∂(\w)/∂(\w)", r"\\frac{\\partial \1}{\\partial \2}", line).replace("·", r" \cdot ")
        line = re.sub("(?<![⁰¹²³⁴⁵⁶⁷⁸⁹])²", "^{2}", line)
    elif choice == 4:
        line = line.replace("·", " × ").replace("∂", "d")
    elif choice == 5:
        line = (
            re.sub(r"(?<=[a-z])(?=[a-z²](?![a-z(]))", " ", line)
            if not re.search("sin|cos|exp|tan|∂|d", line)
            else line
        )
    return line


def typed_out(rng, wrt, lines, apart=False):
    """The lines below each other, or some of them on one line."""
    text = f"∂f/∂{wrt} = {notation(rng, lines[0])}"
    for line in lines[1:]:
        text += ("\n   " if apart or rng.random() < 0.8 else " ") + f"= {notation(rng, line)}"
    return rng.choice(("", "\n")) + text + rng.choice(("", "  # chain rule", " ✓", "\n"))


def test_right_derivations_are_right():
    rng, blamed = Random(1), []
    for _ in range(150):
        text, wrt, lines, rules, truth = problem(rng)
        simpler = [str(sympy.expand(truth)), str(sympy.factor(truth)), str(truth)]
        given = typed_out(rng, wrt, [*lines, rng.choice(simpler)])
        marking = mark(given, text)
        if not marking:
            blamed.append((text, given, str(marking)))
    assert not blamed, "\n\n".join("\n".join(x) for x in blamed[:5]) + f"\n{len(blamed)}"


def test_explanations_are_right():
    """Of the network: every δ and ∂L/∂w, as text and as LaTeX."""
    targets = [*TRACE.z[2], *TRACE.z[1]]
    for wrt in targets:
        for through in (None, TRACE.z[2], TRACE.a[2]):
            if wrt in TRACE.z[1] or through is None:
                told = explain(LOSS, wrt=wrt, through=through)
                assert (found := mark(str(told), LOSS)), found
                assert (found := mark(told.latex(), LOSS)), found
    assert len(targets) == 5


def slipped(rng, term, names):
    """A term with a slip, and what the slip is called."""
    kinds = ["sign", "exponent", "factor", "name", "function", "drop", "product"]
    rng.shuffle(kinds)
    for kind in kinds:
        if kind == "sign":
            return kind, f"−({term})" if "+" in term or "−" in term else f"−{term}"
        if kind == "exponent" and (m := re.search("[²³]", term)):
            return kind, term[: m.start()] + rng.choice({"²": ["³", ""], "³": ["²", "⁴"]}[m[0]]) + term[m.end() :]
        if kind == "factor":
            return kind, rng.choice(("2·", "½·")) + term
        if kind == "name" and len(names) > 1 and (m := list(re.finditer(r"(?<![a-z(])[rstxyz](?![a-z(])", term))):
            m = rng.choice(m)
            return kind, term[: m.start()] + rng.choice([x for x in names if x != m[0]]) + term[m.end() :]
        if kind == "function" and (m := re.search(r"\b(sin|cos)\(", term)):
            return kind, term[: m.start(1)] + {"sin": "cos", "cos": "sin"}[m[1]] + term[m.end(1) :]
        if kind == "drop" and term.count("·") == 1 and (parts := term.split("·"))[1] not in ("0", "1"):
            return kind, parts[0]
        if kind == "product" and term.count("·") == 1 and "(" not in term:
            return kind, "(" + term.replace("·", " + ") + ")"
    return "sign", f"−{term}"


EXPECTED = {
    "sign": ("sign",), "exponent": ("exponent", "definition substituted wrongly", "factor too many", "factor missing", "wrong name"),
    "factor": ("factor 2", "term missing", "wrong local derivative", "path forgotten", "term too many"),
    "name": ("wrong name", "definition substituted wrongly", "exponent", "factor missing", "wrong local derivative", "factor too many"),
    "function": ("wrong local derivative", "sign"),
    "drop": ("factor missing", "exponent", "slope forgotten", "upstream forgotten", "inner derivative forgotten", "factor 2", "factor 3",
             "wrong local derivative", "definition substituted wrongly", "term missing", "sign"),
    "product": ("product for sum", "sum for product", "factor missing"),
    "term": ("term missing", "path forgotten", "factor 2"),
    "too many": ("term too many", "factor 2", "wrong local derivative", "term missing"),
}  # fmt: skip


def planted(rng):
    """Definitions, lines with one slip, its line, its kind."""
    while True:
        text, wrt, lines, rules, truth = problem(rng)
        at = rng.randrange(1, len(lines))
        terms = re.split(r" (?=[+−] )", lines[at])
        i = rng.randrange(len(terms))
        sign, term = (terms[i][0], terms[i][2:]) if terms[i][0] in "+−" and terms[i][1:2] == " " else ("", terms[i])
        if len(terms) > 1 and rng.random() < 0.2:
            kind, new = "term", terms[:i] + terms[i + 1 :]
        elif rng.random() < 0.08:
            kind, new = "too many", [*terms, f"+ {wrt}"]
        else:
            kind, worse = slipped(rng, term, [x for x in "rst" if x in Definitions(text).inputs])
            if sign and worse[0] == "−":
                sign, worse = {"+": "−", "−": "+"}[sign], worse[1:]
            new = [*terms[:i], f"{sign} {worse}".strip(), *terms[i + 1 :]]
        wrong = " ".join(new).removeprefix("+ ")
        try:
            e = in_leaves(expression(wrong), rules)
            if same(e, truth):
                continue
        except Exception:
            continue
        after = rng.choice(([str(sympy.expand(e))], lines[at + 1 :], []))
        return text, typed_out(rng, wrt, [*lines[:at], wrong, *after], apart=True), at + 1, kind


def test_planted_slips_are_found():
    rng, lines, named_rightly, others = Random(2), 0, 0, []
    for _ in range(380):
        text, given, line, kind = planted(rng)
        marking = mark(given, text)
        lines += marking.line == line
        named_rightly += marking.line == line and marking.slip in EXPECTED[kind]
        if marking.line != line or marking.slip not in EXPECTED[kind]:
            others.append(f"{kind}, line {line}; {text}\n{marking}")
    print(lines, named_rightly, "\n\n".join(others))
    assert lines >= 0.98 * 380, "\n\n".join(others)
    assert named_rightly >= 0.85 * 380


DELTA = "δ²_1 w²_1{k} σ′(z¹_{k}) + δ²_2 w²_2{k} σ′(z¹_{k})"
NETWORK_SLIPS = [
    ("w²_1{k}", "w²_{k}1", "transposed weight"), ("w²_2{k}", "w²_{k}2", "transposed weight"),
    ("δ²_2", "δ²_1", "wrong index"), ("δ²_1", "δ¹_1", "wrong index"), ("w²_1{k}", "w¹_1{n}", "wrong index"),
    (" + ", " − ", "sign"), (" + δ²_2 w²_2{k} σ′(z¹_{k})", "", "path forgotten"), ("δ²_1 w²_1{k} σ′(z¹_{k}) + ", "", "path forgotten"),
    ("w²_2{k} σ′(z¹_{k})", "w²_2{k}", "slope forgotten"), ("δ²_1 ", "", "upstream forgotten"), ("w²_1{k} ", "", "weight forgotten"),
    ("σ′(z¹_{k})", "σ′(a¹_{k})", "a for z in σ′"), ("σ′(z¹_{k})", "σ(z¹_{k})", "slope forgotten"),
    ("σ′(z¹_{k})", "a¹_{k}(1 + a¹_{k})", "sign"), ("σ′(z¹_{k})", "a¹_{k}", "slope forgotten"), (" σ′(z¹_{k}) + ", " + σ′(z¹_{k}) + ", "sum for product"),
    (" + ", " · ", "product for sum"), ("δ²_1", "2 δ²_1", "factor 2"), ("δ²_1", "½ δ²_1", "factor 2"),
    ("σ′(z¹_{k})", "σ′(z²_1)", "wrong index"), ("σ′(z¹_{k})", "a¹_{k}(1 − a¹_{k})²", "exponent"),
    ("σ′(z¹_{k})", "σ′(z¹_{n})", "wrong index"), ("w²_2{k}", "w²_2{n}", "wrong index"),
]  # fmt: skip


def test_slips_in_the_network_are_named():
    """The slides' δ lines for each k, with y as a letter or a number, from the loss and from the trace."""
    rng, tried, lines, named_rightly, others = Random(4), 0, 0, 0, []
    for where in (LOSS, TRACE):
        for k in (1, 2, 3):
            for old, new, slip in NETWORK_SLIPS:
                n = k % 2 + 1
                line = DELTA.format(k=k).replace(old.format(k=k, n=n), new.format(k=k, n=n), 1)
                if line == DELTA.format(k=k) or (slip == "transposed weight" and str(k) in old):
                    continue
                right = [f"(δ²_1 w²_1{k} + δ²_2 w²_2{k}) a¹_{k}(1 − a¹_{k})"]
                before = [f"∂L/∂z²_1 ∂z²_1/∂z¹_{k} + ∂L/∂z²_2 ∂z²_2/∂z¹_{k}"][: rng.randrange(2)]
                given = f"δ¹_{k} = " + "\n = ".join([*before, line, *right[: rng.randrange(2)]])
                if rng.random() < 0.4:
                    given = given.replace("′", "'").replace("²_", "^2_").replace("¹_", "^1_")
                marking = mark(given, where)
                tried += 1
                lines += marking.line == len(before) + 1
                is_named = marking.slip == slip or (
                    slip == "path forgotten" and before and marking.slip == "term missing"
                )
                named_rightly += marking.line == len(before) + 1 and is_named
                if not is_named:
                    others.append(f"{slip}\n{marking}")
    print(tried, lines, named_rightly, "\n\n".join(others))
    assert tried >= 120
    assert lines == tried
    assert named_rightly >= 0.85 * tried
