"""Tests of derivations marked line by line: right ones in many notations, planted slips, and hostile texts."""

import re
from random import Random

import pytest
import sympy
from sympy.parsing.sympy_parser import (
    convert_xor,
    implicit_multiplication_application,
    parse_expr,
    split_symbols,
    standard_transformations,
)

from autograd import Value, explain, log, named, relu
from autograd.errors import DomainError
from autograd.explanation.formula_writer import TEXT
from autograd.parser import Definitions
from nn import MLP, half_squared_error
from nn.lecture import mark

SLIDE = "f = x*y*z; x = r; y = r*s; z = s"
CRUX = "f = r**2*s**2; r = 2*u; s = u**2"
NEURON = "L = (y-a)**2/2; a = sigmoid(z); z = w*x + b"
CHAIN = "L = (a - y)**2; a = tanh(z); z = w*h + c; h = relu(u); u = v*x + b"
PRODUCT = "f = u*v; u = t**2; v = 3*t"
SUM = "f = a*b + c; a = x**2; b = sin(x); c = exp(y)"
READ = (*standard_transformations, split_symbols, implicit_multiplication_application, convert_xor)
LETTERS = {x: sympy.Symbol(x) for x in "rstxyzf"} | {"e": sympy.E}
RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")


def network():
    """The lecture's."""
    model = MLP(2, [3, 2], activation="sigmoid", output="sigmoid")
    numbers = ([[0.1, 0.2], [0.3, -0.4], [-0.5, 0.6]], [0.01, -0.02, 0.03])
    numbers += ([[0.7, -0.8, 0.9], [-0.1, 0.2, -0.3]], [0.05, -0.05])
    model.load_state_dict(
        dict(zip(("net.layers.0.W", "net.layers.0.b", "net.layers.2.W", "net.layers.2.b"), numbers))
    )
    trace = model.trace([0.5, -1.0])
    return trace, named(L=half_squared_error(trace.output, [1.0, 0.0]))


TRACE, LOSS = network()
MODELS = MLP(2, [3, 2, 2], activation="tanh", output="sigmoid", rng=1), MLP(2, [3, 1], output="sigmoid", rng=1)
DEEP, SINGLE = (
    named(L=half_squared_error(m.trace([0.5, -1.0]).output, y)) for m, y in zip(MODELS, ([1.0, 0.0], 1.0))
)


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
        symbolic = [line for line in lines[:-1] if "[" not in line]
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
    """Whether both have the same numbers at five points."""
    rng = Random(5)
    f = sympy.lambdify([LETTERS[x] for x in "rst"], (a, b), "math", cse=True)
    for _ in range(5):
        x, y = f(*(rng.uniform(0.4, 1.9) for _ in "rst"))
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


@pytest.mark.parametrize("count", [25, pytest.param(200, marks=pytest.mark.slow)])
def test_right_derivations_are_right(count):
    rng, blamed = Random(1), []
    for _ in range(count):
        text, wrt, lines, _, truth = problem(rng)
        simpler = rng.choice((sympy.expand, sympy.factor, sympy.together))(truth)
        given = typed_out(rng, wrt, [*lines, str(simpler)])
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


LOCAL = ("wrong local derivative", "definition substituted wrongly")
EXPECTED = {
    "sign": ("sign",),
    "exponent": ("exponent", "extra factor", "factor missing", "wrong name", *LOCAL),
    "factor": ("factor 2", "term missing", "path forgotten", "extra term", *LOCAL),
    "name": ("wrong name", "exponent", "factor missing", "extra factor", *LOCAL),
    "function": ("wrong local derivative", "sign"),
    "drop": ("factor missing", "exponent", "inner derivative forgotten", "factor 2", "factor 3", "sign", *LOCAL),
    "product": ("product for sum", "sum for product", "factor missing"),
    "term": ("term missing", "path forgotten", "factor 2"),
    "too many": ("extra term", "factor 2", "wrong local derivative", "term missing"),
}


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


@pytest.mark.parametrize("count", [25, pytest.param(500, marks=pytest.mark.slow)])
def test_planted_slips_are_found(count):
    rng, lines, named_rightly, others = Random(2), 0, 0, []
    for _ in range(count):
        text, given, line, kind = planted(rng)
        marking = mark(given, text)
        lines += marking.line == line
        named_rightly += marking.line == line and marking.slip in EXPECTED[kind]
        if marking.line != line or marking.slip not in EXPECTED[kind]:
            others.append(f"{kind}, line {line}; {text}\n{marking}")
    assert lines >= 0.98 * count, "\n\n".join(others)
    assert named_rightly >= 0.85 * count, "\n\n".join(others)


DELTA = "δ²_1 w²_1{k} σ′(z¹_{k}) + δ²_2 w²_2{k} σ′(z¹_{k})"
NETWORK_SLIPS = [
    ("w²_1{k}", "w²_{k}1", "transposed weight"), ("w²_2{k}", "w²_{k}2", "transposed weight"),
    ("δ²_2", "δ²_1", "wrong index"), ("δ²_1", "δ¹_1", "wrong index"), ("w²_1{k}", "w¹_1{n}", "wrong index"),
    ("σ′(z¹_{k})", "σ′(z²_1)", "wrong index"), ("σ′(z¹_{k})", "σ′(z¹_{n})", "wrong index"),
    ("w²_2{k}", "w²_2{n}", "wrong index"), (" + ", " − ", "sign"), ("σ′(z¹_{k})", "a¹_{k}(1 + a¹_{k})", "sign"),
    (" + δ²_2 w²_2{k} σ′(z¹_{k})", "", "path forgotten"), ("δ²_1 w²_1{k} σ′(z¹_{k}) + ", "", "path forgotten"),
    ("w²_2{k} σ′(z¹_{k})", "w²_2{k}", "slope forgotten"), ("σ′(z¹_{k})", "σ(z¹_{k})", "slope forgotten"),
    ("σ′(z¹_{k})", "a¹_{k}", "slope forgotten"), ("σ′(z¹_{k})", "a¹_{k}(1 − a¹_{k})²", "exponent"),
    ("δ²_1 ", "", "upstream forgotten"), ("w²_1{k} ", "", "weight forgotten"),
    ("σ′(z¹_{k})", "σ′(a¹_{k})", "a for z in σ′"), (" + ", " · ", "product for sum"),
    (" σ′(z¹_{k}) + ", " + σ′(z¹_{k}) + ", "sum for product"),
    ("δ²_1", "2 δ²_1", "factor 2"), ("δ²_1", "½ δ²_1", "factor 2"),
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
    assert tried >= 120
    assert lines == tried
    assert named_rightly >= 0.85 * tried


# ---- written by hand, in the notations that people type ------------------------------------------------------

RIGHT = [
    ("∂f/∂s = yz·0 + xz·r + xy·1 = rs²·0 + rs·r + r²s·1 = 2r²s", SLIDE),
    ("df/ds = 2 r^2 s", SLIDE),
    ("d f / d s = 2 r**2 s", SLIDE),
    ("∂f/∂s = ∂f/∂y·∂y/∂s + ∂f/∂z·∂z/∂s\n=x z r + x y\n=2*r*r*s", SLIDE),
    ("f(r,s) = r·rs·s = r²s² ⇒ ∂f/∂s = 2r²s ✓", SLIDE),
    ("f = r·rs·s = r²s²\nso ∂f/∂s = 2r²s", SLIDE),
    ("∂f/∂x = yz\n∂f/∂y = xz\n∂f/∂z = xy\n∂x/∂s = 0, ∂y/∂s = r, ∂z/∂s = 1\n∂f/∂s = yz·0+xz·r+xy·1 = 2r²s", SLIDE),
    ("∂f/∂x = yz; ∂x/∂s = 0; ∂f/∂y = xz; ∂y/∂s = r\n∂f/∂s = yz*0 + xz*r + xy*1", SLIDE),
    (
        r"\begin{aligned}\frac{\partial f}{\partial s} &= \frac{\partial f}{\partial x}\frac{\partial x}{\partial s}"
        r" + \frac{\partial f}{\partial y}\frac{\partial y}{\partial s}"
        r" + \frac{\partial f}{\partial z}\frac{\partial z}{\partial s}"
        r"\\ &= yz \cdot 0 + xz\cdot r + xy \cdot 1\\ &= 2r^{2}s\end{aligned}",
        SLIDE,
    ),
    ("By the chain rule:\n∂f/∂s = ∂f/∂x ∂x/∂s + ∂f/∂y ∂y/∂s + ∂f/∂z ∂z/∂s\nNow plug in the"
     " definitions\n= yz·0 + xz·r + xy·1, since x = r does not contain s\n= 2r²s.", SLIDE),
    ("1. ∂f/∂s = xz·r + xy\n2. = 2r²s", SLIDE),
    ("∂f/∂s = 2r²s = 2·2²·3 = 24", SLIDE, {"r": 2, "s": 3}),
    ("∂f/∂s = yz·0 + xz·r + xy·1 = 18·0 + 6·2 + 12·1 = 24", SLIDE, {"r": 2, "s": 3}),
    ("∂f/∂s = r²s + r²s = r²(s+s) = 2sr²", SLIDE),
    ("∂f/∂s = 2f/s", SLIDE),
    ("∂f/∂r = yz + xzs = rs² + rs·s = 2rs^2", SLIDE),
    ("d/ds(r²s²) = 2r²s", SLIDE),
    ("∂/∂s (r² s²) = r²·2s", SLIDE),
    ("d/dx sin(x²) = cos(x²)·2x", "f = sin(x**2)"),
    ("df/dx = df/du · du/dx = cos(u) · 2x = 2x cos(x²) = 2x cos x²", "f = sin(u); u = x**2"),
    ("Let u = x²\ndf/du = cos(u), du/dx = 2x\ndf/dx = df/du du/dx = 2x·cos(x^2)", "f = sin(x**2)"),
    ("f'(x) = cos(x²) * 2x", "f = sin(x**2)"),
    ("f' = 2x cos x²", "f = sin(x**2)"),
    ("u = x^2; u' = 2x; f' = cos(u) u' = 2x cos(x^2)", "f = sin(x**2)"),
    ("∂a/∂z = σ(z)(1 − σ(z)) = a(1−a) = σ'(z) = e⁻ᶻ/(1+e⁻ᶻ)²", "a = sigmoid(z)"),
    ("da/dz = e^-z/(1+e^-z)^2 = e^{-z}/(1+e^{-z})^2 = 1/(1+e^(-z)) · (1 − 1/(1+exp(-z)))", "a = 1/(1+exp(-z))"),
    ("da/dz = 1 − a² = 1 - tanh²(z) = 1 - tanh(z)^2 = sech²(z) = tanh'(z)", "a = tanh(z)"),
    ("dL/dw = dL/da da/dz dz/dw = (a − y)·a(1 − a)·x = (a-y)a(1-a)x", "L = 0.5*(a-y)**2; a = sigmoid(z);"
     " z = w*x + b"),
    ("∂L/∂w = ∂L/∂a · ∂a/∂z · ∂z/∂w\n = (a - y) · σ'(z) · x", "L = (y-a)**2/2; a = sigmoid(z); z = w*x + b"),
    ("∂L/∂b = (a-y) σ′(z) · 1 = −(y−a)a(1−a)", "L = (y-a)**2/2; a = sigmoid(z); z = w*x + b"),
    ("dL/dw = 2(a−y)·x = 2x(wx+b−y)", "L = (a-y)**2; a = w*x + b"),
    ("dL/dp = −y/p + (1−y)/(1−p) = (p−y)/(p(1−p))", "L = -(y*log(p)+(1-y)*log(1-p))"),
    ("dL/dz = (−y/p + (1−y)/(1−p))·p(1−p) = p − y", "L = -(y*log(p)+(1-y)*log(1-p)); p = sigmoid(z)"),
    ("∂f/∂x = 1/(2√x) = ½x^(-1/2) = 1/(2 sqrt(x)) = 00.5/√x", "f = sqrt(x)"),
    ("df/dx = 1/x", "f = log(x)"),
    ("df/dx = 1/(x ln 10)", "f = log(x)/log(10)"),
    ("df/dx = e^x = eˣ = exp x", "f = exp(x)"),
    ("df/dx = 2e^2x = 2e^{2x} = 2exp(2x)", "f = exp(2*x)"),
    ("df/dx = relu'(wx)·w = [wx > 0] w", "f = relu(w*x)"),
    ("df/dx = 3x^2 + 2x = x(3x+2)", "f = x**3 + x**2 + 1"),
    ("df/dx = (1·y − 0)/y² = 1/y", "f = x/y"),
    ("df/dy = -x/y^2 = −x y⁻²", "f = x/y"),
    ("df/dx = y x^(y-1) ; df/dy = x^y ln x", "f = x**y"),
    ("df/dx = sec²x = 1/cos²x = 1 + tan²x", "f = tan(x)"),
    ("df/dx = |x|/x = sign(x)", "f = abs(x)"),
    ("dg/dv = 1 + 1 = 2", "g = v + v"),
    ("df/dx = y + x·2x = x² + 2x² = 3x²", "f = x*y; y = x**2"),
    ("df/dx = ∂f/∂x + ∂f/∂y dy/dx = y + x·2x = 3x²", "f = x*y; y = x**2"),
    ("∂f/∂x = ∂f/∂x + ∂f/∂y ∂y/∂x = y + x·2x", "f = x*y; y = x**2"),
    ("∂f/∂u = ∂f/∂r·2 + ∂f/∂s·2u = 4u⁵·2 + 8u⁴·2u = 24u⁵", "f = x*y*z; x = r; y = r*s; z = s; r = 2*u; s = u**2"),
    ("df/du = (2rs²)(2) + (2r²s)(2u) = 24u^5", "f = x*y*z; x = r; y = r*s; z = s; r = 2*u; s = u**2"),
    ("δ¹_2 = δ²_1 w²_12 σ'(z¹_2) + δ²_2 w²_22 σ'(z¹_2)", LOSS),
    ("δ_2^1 = δ_1^2 w_{12}^2 σ'(z_2^1) + δ_2^2 w_{22}^2 σ'(z_2^1)", LOSS),
    (r"\delta_2^1 = \frac{\partial \mathcal{L}}{\partial z_2^1} = \delta_1^2 \frac{\partial"
     r" z_1^2}{\partial z_2^1} + \delta_2^2 \frac{\partial z_2^2}{\partial z_2^1}", LOSS),
    (r"\delta_2^1 = \delta_1^2 w_{12}^2 g'(z_2^1) + \delta_2^2 w_{22}^2 g'(z_2^1) = (\delta_1^2 w_{12}^2"
     r" + \delta_2^2 w_{22}^2)\cdot g'(z_2^1)", LOSS),
    (r"\delta^{1}_{2} = \left(\delta^{2}_{1} w^{2}_{12} + \delta^{2}_{2} w^{2}_{22}\right)"
     r" \sigma'\!\left(z^{1}_{2}\right)", LOSS),
    (r"\delta_k^1 = \sum_j \delta_j^2 w_{jk}^2 \sigma'(z_k^1)", LOSS),
    (r"\delta_k^{1} = \sum_{j=1}^{2} \delta_j^{2} w_{jk}^{2} \sigma^\prime(z_k^{1})", LOSS),
    ("δ¹_k = (Σ_j δ²_j w²_jk) a¹_k (1 − a¹_k)", LOSS),
    ("δ¹₂ = δ²₁ w²₁₂ σ'(z¹₂) + δ²₂w²₂₂σ'(z¹₂)", LOSS),
    ("delta1_2 = delta2_1*w2_12*sigma'(z1_2) + delta2_2*w2_22*sigma'(z1_2)", LOSS),
    ("delta^1_2 = (delta^2_1 * w^2_12 + delta^2_2 * w^2_22) * a^1_2 * (1 - a^1_2)", LOSS),
    ("∂L/∂z¹_2 = ∂L/∂z²_1 · ∂z²_1/∂a¹_2 · ∂a¹_2/∂z¹_2 + ∂L/∂z²_2 · ∂z²_2/∂a¹_2 · ∂a¹_2/∂z¹_2 ="
     " δ²_1·w²_12·σ'(z¹_2) + δ²_2·w²_22·σ'(z¹_2)", LOSS),
    ("dL/dz1_2 = dL/dz2_1 dz2_1/dz1_2 + dL/dz2_2 dz2_2/dz1_2", LOSS),
    ("∂L/∂a¹_2 = δ²_1 w²_12 + δ²_2 w²_22\nδ¹_2 = ∂L/∂a¹_2 · σ′(z¹_2)", LOSS),
    ("δ²_1 = ∂L/∂a²_1 · ∂a²_1/∂z²_1 = (a²_1 − y_1)·a²_1(1 − a²_1)", LOSS),
    ("δ²_1 = (a²_1 − 1) a²_1 (1 − a²_1) = (0.537 − 1)·0.537·(1−0.537) = -0.115", LOSS),
    ("δ^L_j = (a^L_j − y_j) σ'(z^L_j)", LOSS),
    ("δᴸ_1 = (aᴸ_1 − y_1) σ′(zᴸ_1)", LOSS),
    ("∂L/∂w²_12 = δ²_1 a¹_2 = (a²_1 − y_1) σ'(z²_1) a¹_2", LOSS),
    ("∂L/∂w¹_jk = δ¹_j a⁰_k", LOSS),
    ("∂L/∂b²_j = δ²_j", LOSS),
    ("z²_i = w²_i1 a¹_1 + w²_i2 a¹_2 + w²_i3 a¹_3 + b²_i\n∂z²_i/∂z¹_2 = w²_i2 σ'(z¹_2)", LOSS),
    ("∂z²_1/∂z¹_2 = w²_12 g'(z¹_2)", TRACE),
    ("L = ½ Σ_j (y_j − a²_j)²", LOSS),
    ("L = 1/2 ((y_1−a²_1)² + (y_2−a²_2)²)", LOSS),
    ("∂L/∂a²_1 = a²_1 − y_1 = −(y_1 − a²_1)", LOSS),
    ("δ¹_2 = -0.1152·(-0.8)·0.2332 + 0.1210·0.2·0.2332 = 0.0271", LOSS),
    ("δ¹_2 ≈ 0.0215 + 0.0056 ≈ 0.027", LOSS),
    ("∂f/∂s\n  = xz·r + xy\n  = 2r²s", SLIDE),
    ("∂f/∂s =\n  xz·r + xy\n  = 2r²s", SLIDE),
    ("∂f/∂s = yz·0 \n + xz·r \n + xy·1\n = 2r²s", SLIDE),
    ("∂f/∂s = yz·0 + xz·r + xy·1\n 2r²s", SLIDE),
    (r"$$\frac{df}{ds} = 2r^2s$$", SLIDE),
    (r"$\dfrac{\mathrm{d}f}{\mathrm{d}s} = 2 r^{2} s$", SLIDE),
    ("= yz·0 + xz·r + xy·1 = 2r²s", SLIDE, {"asked": "∂f/∂s"}),
    ("∂f/∂s = [∂f/∂x · ∂x/∂s] + [∂f/∂y · ∂y/∂s] + [∂f/∂z · ∂z/∂s]", SLIDE),
    ("∂f/∂s = (∂f/∂x)(∂x/∂s) + (∂f/∂y)(∂y/∂s) + (∂f/∂z)(∂z/∂s)", SLIDE),
    ("∂f/∂s: = 2r²s", SLIDE),
    ("(1) ∂f/∂s = xz·r + xy\n(2)       = 2r²s", SLIDE),
    ("∂f/∂s = xz r + xy = r s r + r r s = 2 r r s", SLIDE),
    ("∂f/∂s = x z ∂y/∂s + x y ∂z/∂s", SLIDE),
    ("a = wx+b → dL/dw = 2(a-y)x", "L = (a-y)**2; a = w*x + b"),
    ("df/ds = 2⋅r²⋅s", SLIDE),
    ("∂f/∂s = 2.0 r² s = 2r^{2}s^{1}", SLIDE),
    ("∂h/∂t = -sin(t²)·2t = −2t sin t²", "h = cos(t**2)"),
    ("dy/dx = -e^(-x²/2)·x = −x e^{−x²/2} = -x exp(-x²/2)", "y = exp(-x**2/2)"),
    ("dy/dx = (cos x · x − sin x)/x² = (x cos x - sin x)/x^2", "y = sin(x)/x"),
    ("dy/dx = 2 sin x cos x = sin 2x", "y = sin(x)**2"),
    ("dL/da = a - t", "L = 1/2*(t - a)**2"),
    ("∂f/∂s = (y z)(0) + (x z)(r) + (x y)(1) (chain rule) [simplify]\n2 (r r) s", SLIDE),
    ("∂f/∂s = xz·r + xy\n = (2) r² s", SLIDE),
    ("1) ∂f/∂s = xz·r + xy\n2) = 2r²s", SLIDE),
    ("f_s = f_x x_s + f_y y_s + f_z z_s = yz·0 + xz·r + xy·1", SLIDE),
    ("w^{[2]}_{12} = w²_12\n∂L/∂w^{[2]}_{12} = δ^{[2]}_1 a^{[1]}_2", LOSS),
    ("δ^[1]_2 = δ^[2]_1 w^[2]_12 g'(z^[1]_2) + δ^[2]_2 w^[2]_22 g'(z^[1]_2)", LOSS),
    ("df/dx = 0,5·2x = x", "f = 0.5*x**2"),
    ("d(sin(x²))/dx = cos(x²)·d(x²)/dx = cos(x²)·2x", "f = sin(x**2)"),
    ("d/dx [sin(x²)] = cos(x²)·2x", "f = sin(x**2)"),
    ("(sin x²)' = cos x² · (x²)' = 2x cos x²", "f = sin(x**2)"),
    ("f'(x) = cos(u)·u' where u = x²\n = 2x cos(x²)", "f = sin(x**2)"),
    ("∂f/∂s=yz(0)+xz(r)+xy(1)", SLIDE),
    ("f = xyz ⟹ f_x = yz", SLIDE),
    ("dx/ds = 0 (x has no s)\n∂f/∂s = 2r²s [simplify it]\n = 2r^2s // done", SLIDE),
    ("∂f/∂s = 2r²s, QED", SLIDE),
    ("δ^l_j = (Σ_k δ^{l+1}_k w^{l+1}_kj) σ'(z^l_j)", LOSS),
    ("δˡ_k = Σ_j δˡ⁺¹_j wˡ⁺¹_jk σ′(zˡ_k)", LOSS),
    ("∂L/∂wˡ_jk = δˡ_j aˡ⁻¹_k", LOSS),
    ("∂L/∂w^L_jk = δ^L_j a^{L-1}_k", LOSS),
    (r"\delta^{l}_k = \sum_j \delta^{l+1}_j w^{l+1}_{jk} g'(z^l_k)", DEEP),
    ("δ²_1 = δ³_1 w³_11 (1 − (a²_1)²) + δ³_2 w³_21 (1 − (a²_1)²)", DEEP),
    ("δ³_1 = (a³_1 − y_1) a³_1(1 − a³_1)", DEEP),
    ("δ²_1 = (a²_1 − y) a²_1 (1 − a²_1)", SINGLE),
    ("δ²_1 = (a²_1 − 1) a²_1 (1 − a²_1)", SINGLE),
    ("δ¹_2 = δ²_1 w²_12 relu'(z¹_2) = δ²_1 w²_12 [z¹_2 > 0]", SINGLE),
    ("δ¹_2 = δ²_1 w²_12 g'(z¹_2)", SINGLE),
    ("dL/dw = dL/dz dz/dw, dz/dw = x", "L = (y-a)**2/2; a = sigmoid(z); z = w*x + b"),
    ("∂L/∂w = (∂L/∂a)(∂a/∂z)(∂z/∂w) = -(y-a)·a·(1-a)·x", "L = (y-a)**2/2; a = sigmoid(z); z = w*x + b"),
    ("dL/dw = -(y - a) * sigmoid(z) * (1 - sigmoid(z)) * x", "L = (y-a)**2/2; a = sigmoid(z); z = w*x + b"),
    ("dL/dw = -(y - σ(wx+b)) σ'(wx + b) x", "L = (y-a)**2/2; a = sigmoid(z); z = w*x + b"),
    ("∂L/∂w = 1/2 · 2(y − a)·(−1)·σ'(z)·x", "L = (y-a)**2/2; a = sigmoid(z); z = w*x + b"),
    ("∂L/∂w_1 = δ x_1; δ = (a - y) σ'(z)", "L = (y-a)**2/2; a = sigmoid(z); z = w_1*x_1 + w_2*x_2 + b"),
    ("∂L/∂w1 = (a - y) σ'(z) x1", "L = (y-a)**2/2; a = sigmoid(z); z = w_1*x_1 + w_2*x_2 + b"),
    ("∂L/∂w₁ = (a - y) σ'(z) x₁", "L = (y-a)**2/2; a = sigmoid(z); z = w_1*x_1 + w_2*x_2 + b"),
    ("∂L/∂w_i = (a − y) σ'(z) x_i", "L = (y-a)**2/2; a = sigmoid(z); z = w_1*x_1 + w_2*x_2 + b"),
    ("dp_1/dz_1 = p_1(1 − p_1)\ndp_1/dz_2 = −p_1 p_2", "p_1 = exp(z_1)/(exp(z_1)+exp(z_2)); p_2 ="
     " exp(z_2)/(exp(z_1)+exp(z_2))"),
    ("∂L/∂z_1 = p_1 − 1", "L = -log(p_1); p_1 = exp(z_1)/(exp(z_1)+exp(z_2))"),
    ("∂m/∂x_1 = 1/3", "m = (x_1 + x_2 + x_3)/3"),
    ("∂f/∂s = r²·2s = 2 r² s .", SLIDE),
    (r"$\partial f / \partial s = 2 r^2 s$", SLIDE),
    ("∂f/∂s=∂f/∂x*∂x/∂s+∂f/∂y*∂y/∂s+∂f/∂z*∂z/∂s=y*z*0+x*z*r+x*y*1=2*r**2*s", SLIDE),
    ("df/ds = df/dx*dx/ds + df/dy*dy/ds + df/dz*dz/ds", SLIDE),
    ("d f/d s = (d f/d x)(d x/d s) + (df/dy)(dy/ds) + (df/dz)(dz/ds)", SLIDE),
    ("∂f/∂s = 2 * r * r * s", SLIDE),
    ("∂a/∂z = 1/(1+e^-z) - 1/(1+e^-z)^2", "a = sigmoid(z)"),
    ("da/dz = (1+e^{-z})^{-2} e^{-z}", "a = sigmoid(z)"),
    (r"\frac{da}{dz} = \frac{e^{-z}}{(1+e^{-z})^2} = \frac{1}{1+e^{-z}}\cdot\frac{e^{-z}}{1+e^{-z}} ="
     r" \sigma(z)(1-\sigma(z))", "a = sigmoid(z)"),
    ("∂f/∂x = [x > y]", "f = max(x, y)"),
    ("df/dx = x^x (ln x + 1)", "f = x**x"),
    ("df/dx = -2/(x^3) = -2x^-3 = −2x⁻³", "f = 1/x**2"),
    ("df/dx = 1/(2√(x+1))", "f = sqrt(x+1)"),
    ("df/dx = (e^x − e^{-x})/2", "f = cosh(x)"),
    ("df/dx = 4(2x+1)", "f = (2*x+1)**2"),
    ("df/dx = 2(2x+1)(2) = 8x + 4", "f = (2*x+1)**2"),
    ("∂L/∂w¹_21 = δ¹_2 x_1", TRACE),
    ("∂L/∂w¹_21 = δ¹_2 x₁", LOSS),
    ("δ²_1 = (ŷ_1 − y_1) σ'(z²_1)", LOSS),
    ("δ²_1 = (ŷ − y) σ'(z²_1)", SINGLE),
    ("∂L/∂w¹_jk = δ¹_j x_k", LOSS),
    ("z¹_1 = w¹_11 x_1 + w¹_12 x_2 + b¹_1\n∂z¹_1/∂w¹_12 = x_2", TRACE),
    ("$$\\frac{\\partial f}{\\partial r} = yz + xz\\,s\n= 2 r s^2$$", SLIDE),
    (r"\[ \frac{df}{dr} = yz\;+ xz\!s = 2\,r\,s^{2} \]", SLIDE),
    ("∂f/∂s: 2r²s", SLIDE),
    ("df/ds : xz·r + xy = 2r²s", SLIDE),
    ("∂_s f = 2r²s", SLIDE),
    ("∂ₛf = 2r²s", SLIDE),
    (r"\partial_{s} f = \partial_y f \partial_s y + \partial_z f = 2r^2s", SLIDE),
    ("∂_{z^1_2} L = δ¹_2 = ∂_{z²_1}L w²_12 σ'(z¹_2) + δ²_2 w²_22 σ'(z¹_2)", LOSS),
    ("df/dr = f_x x_r + f_y y_r + f_z z_r", SLIDE),
    ("f'(r) = 2rs²", SLIDE),
    ("L'(w) = L'(a) a'(z) x = (a − y) σ'(z) x", NEURON),
    ("d1_2 = (d2_1*w2_12 + d2_2*w2_22)*a1_2*(1-a1_2)", LOSS),
    ("d^1_k = Σ_j d^2_j w^2_jk σ'(z^1_k)", LOSS),
    ("∂L/∂w = δ x with δ = (a − y) a (1 − a)", NEURON),
    ("∂f/∂s = 2 r r s ≡ 2r²s", SLIDE),
]  # fmt: skip

WRONG = [
    ("∂f/∂s = yz·0 + xz·r + xy·1 = rs²·0 + rs·r − r²s·1", SLIDE, 1, "sign"),
    ("∂f/∂s = ∂f/∂y ∂y/∂s", SLIDE, 1, "path forgotten"),
    ("∂f/∂s = yz·1 + xz·r + xy·1", SLIDE, 1, "wrong local derivative"),
    ("∂f/∂s = yz·0 + xz·s + xy·1", SLIDE, 1, "wrong name"),
    ("∂f/∂s = yz·0 + xz·r + xy·1\n= rs·s·0 + r·s·r + r·s·1", SLIDE, 2, "exponent"),
    ("∂f/∂s = yz·0 + xz·r + xy·1\n= r²s + r²s\n= 2r²s\n= 2·2·3 = 12", SLIDE, 4, "arithmetic", {"r": 2, "s": 3}),
    ("∂f/∂s = xz·r + xy\n= 2rs²", SLIDE, 2, "definition substituted wrongly"),
    ("∂f/∂s = xz·r + xy\n= r⁴s²", SLIDE, 2, "product for sum"),
    ("∂f/∂s = ∂f/∂x + ∂x/∂s + ∂f/∂y + ∂y/∂s + ∂f/∂z + ∂z/∂s", SLIDE, 1, "sum for product"),
    ("∂f/∂s = ∂f/∂x ∂x/∂s · ∂f/∂y ∂y/∂s · ∂f/∂z ∂z/∂s", SLIDE, 1, "product for sum"),
    ("∂f/∂s = ∂f/∂x ∂x/∂r + ∂f/∂y ∂y/∂r + ∂f/∂z ∂z/∂r", SLIDE, 1, "wrong name"),
    ("∂f/∂r = 2r²s", SLIDE, 1, "another derivative"),
    ("∂f/∂s = ∂x/∂s + ∂y/∂s + ∂z/∂s", SLIDE, 1, "upstream forgotten"),
    ("∂f/∂s = ∂f/∂x + ∂f/∂y + ∂f/∂z", SLIDE, 1, "inner derivative forgotten"),
    ("df/dx = cos(2x)", "f = sin(x**2)", 1, "inner derivative inside"),
    ("df/dx = cos(x²)", "f = sin(x**2)", 1, "inner derivative forgotten"),
    ("df/dx = -cos(x²)·2x", "f = sin(x**2)", 1, "sign"),
    ("df/dx = sin(x²)·2x", "f = sin(x**2)", 1, "wrong local derivative"),
    ("df/dx = cos(x²)·2", "f = sin(x**2)", 1, "exponent"),
    ("df/dx = sin(x)", "f = cos(x)", 1, "sign"),
    ("df/dx = cos(x)", "f = cos(x)", 1, "wrong local derivative"),
    ("df/dx = x e^(x-1)", "f = exp(x)", 1, "power rule"),
    ("df/dx = e^x²", "f = exp(x**2)", 1, "inner derivative forgotten"),
    ("df/dx = ln x", "f = log(x)", 1, "wrong local derivative"),
    ("df/dx = 1/x", "f = log(x**3)", 1, "wrong local derivative"),
    ("df/dx = 3x³", "f = x**3", 1, "exponent"),
    ("df/dx = x²", "f = x**3", 1, "factor 3"),
    ("df/dx = 2x³", "f = x**3", 1, "unknown"),
    ("df/dx = 1/√x", "f = sqrt(x)", 1, "factor 2"),
    ("df/dx = −1/y²", "f = x/y", 1, "unknown"),
    ("df/dy = x/y²", "f = x/y", 1, "sign"),
    ("df/dx = y", "f = x*y; y = x**2", 1, "path forgotten"),
    ("df/dx = y + x·x", "f = x*y; y = x**2", 1, "factor 2"),
    ("da/dz = a(1 + a)", "a = sigmoid(z)", 1, "sign"),
    ("da/dz = a(a − 1)", "a = sigmoid(z)", 1, "sign"),
    ("da/dz = 1 − a²", "a = sigmoid(z)", 1, "wrong local derivative"),
    ("da/dz = a(1 − a)", "a = tanh(z)", 1, "wrong local derivative"),
    ("da/dz = 1 − a", "a = tanh(z)", 1, "exponent"),
    ("da/dz = z(1 − z)", "a = sigmoid(z)", 1, "z for a"),
    ("da/dz = σ(z)(1 − z)", "a = sigmoid(z)", 1, "z for a"),
    ("da/dz = σ'(a)", "a = sigmoid(z)", 1, "a for z in σ′"),
    ("dL/dw = (y − a) σ′(z) x", "L = (y-a)**2/2; a = sigmoid(z); z = w*x + b", 1, "sign"),
    ("dL/dw = 2(a − y) σ′(z) x", "L = (y-a)**2/2; a = sigmoid(z); z = w*x + b", 1, "factor 2"),
    ("dL/dw = (a − y) x", "L = (y-a)**2/2; a = sigmoid(z); z = w*x + b", 1, "slope forgotten"),
    ("dL/dw = (a − y) σ′(z)", "L = (y-a)**2/2; a = sigmoid(z); z = w*x + b", 1, "inner derivative forgotten"),
    ("dL/dw = σ′(z) x", "L = (y-a)**2/2; a = sigmoid(z); z = w*x + b", 1, "upstream forgotten"),
    ("dL/dw = (a − y) σ′(z) w", "L = (y-a)**2/2; a = sigmoid(z); z = w*x + b", 1, "wrong name"),
    ("dL/dw = (a-y)² σ′(z) x", "L = (y-a)**2/2; a = sigmoid(z); z = w*x + b", 1, "exponent"),
    ("δ¹_2 = (δ²_1 w²_21 + δ²_2 w²_22) σ'(z¹_2)", LOSS, 1, "transposed weight"),
    ("δ¹_2 = Σ_j δ²_j w²_2j σ'(z¹_2)", LOSS, 1, "transposed weight"),
    ("δ¹_1 = (δ²_1 w²_11 + δ²_2 w²_12) σ'(z¹_1)", LOSS, 1, "transposed weight"),
    ("δ¹_2 = (δ²_1 w²_12 + δ²_2 w²_22)", LOSS, 1, "slope forgotten"),
    ("δ¹_2 = (δ²_1 w²_12 + δ²_2 w²_22) σ(z¹_2)", LOSS, 1, "slope forgotten"),
    ("δ¹_2 = (δ²_1 w²_12 + δ²_2 w²_22) a¹_2", LOSS, 1, "slope forgotten"),
    ("δ¹_2 = (δ²_1 w²_12 + δ²_2 w²_22) (1 − a¹_2)", LOSS, 1, "slope forgotten"),
    ("δ¹_2 = (δ²_1 w²_12 + δ²_2 w²_22) a²_2(1 − a²_2)", LOSS, 1, "wrong index"),
    ("δ¹_2 = (δ²_1 w²_12 + δ²_2 w²_22) z¹_2(1 − z¹_2)", LOSS, 1, "z for a"),
    ("δ¹_2 = (δ²_1 w²_12) σ'(z¹_2)", LOSS, 1, "path forgotten"),
    ("δ¹_2 = δ²_1 w²_12 + δ²_2 w²_22 σ'(z¹_2)", LOSS, 1, "slope forgotten"),
    ("δ¹_2 = (w²_12 + w²_22) σ'(z¹_2)", LOSS, 1, "upstream forgotten"),
    ("δ¹_2 = (δ²_1 + δ²_2) σ'(z¹_2)", LOSS, 1, "weight forgotten"),
    ("δ²_1 = (a²_1 − y_1)", LOSS, 1, "slope forgotten"),
    ("δ²_1 = (a²_1 − y_2) σ'(z²_1)", LOSS, 1, "wrong index"),
    ("δ²_1 = (a²_1 − y_1) σ'(a²_1)", LOSS, 1, "a for z in σ′"),
    ("δ²_1 = 2(a²_1 − y_1) σ'(z²_1)", LOSS, 1, "factor 2"),
    ("∂L/∂w²_12 = δ²_2 a¹_1", LOSS, 1, "wrong index"),
    ("∂L/∂w²_12 = δ²_1 a¹_1", LOSS, 1, "wrong index"),
    ("∂L/∂w²_12 = δ²_1 z¹_2", LOSS, 1, "z for a"),
    ("∂L/∂w²_12 = δ²_1", LOSS, 1, "inner derivative forgotten"),
    ("∂L/∂w²_jk = δ²_k a¹_j", LOSS, 1, "wrong index"),
    ("∂L/∂b²_1 = 1", LOSS, 1, "upstream forgotten"),
    ("∂L/∂b²_1 = 0", LOSS, 1, "dependence forgotten"),
    ("∂z²_1/∂z¹_2 = w²_21 σ'(z¹_2)", LOSS, 1, "transposed weight"),
    ("∂z²_1/∂z¹_2 = w²_12", LOSS, 1, "slope forgotten"),
    ("∂z²_1/∂z¹_2 = a¹_2", LOSS, 1, "another derivative"),
    ("L = ½ Σ_j (y_j − a²_j)", LOSS, 1, "a term"),
    ("δ¹_2 = 0.0271 + 0.0056 = 0.0327", LOSS, 1, "a term"),
    ("∂f/∂s = xz·r + xy\n= r²s + r²s\n= 2r²s\n= 2·4·3 = 24\n= 25", SLIDE, 5, "arithmetic", {"r": 2, "s": 3}),
    ("∂f/∂s = 0 + xz·r + xy·1\n      = rs·r + r·rs\n      = r²s + r²s²", SLIDE, 3, "exponent"),
    ("df/du = 2rs²·2 + 2r²s·u", "f = r**2*s**2; r = 2*u; s = u**2", 1, "factor 2"),
    ("df/du = 2rs² + 2r²s", "f = r**2*s**2; r = 2*u; s = u**2", 1, "inner derivative forgotten"),
    ("df/du = ∂f/∂r ∂r/∂u", "f = r**2*s**2; r = 2*u; s = u**2", 1, "path forgotten"),
    ("df/du = (∂f/∂r)(2) + (∂f/∂s)(2u) = 2rs²·2 + 2r²s·2u = 2·2u·u⁴·2 + 2·2u²·u²·2u", "f = r**2*s**2; r"
     " = 2*u; s = u**2", 1, "factor 2"),
    ("dL/dv = dL/da da/dz dz/dh dh/du du/dv\n = 2(a-y)(1-a²)·w·relu(u)·x", CHAIN, 2, "slope forgotten"),
    ("dL/dv = dL/da da/dz dz/dh dh/du du/dv\n = 2(a-y)(1-a²)·h·relu'(u)·x", CHAIN, 2, "wrong name"),
    ("dL/dv = 2(a-y)(1-a²)·w·x", CHAIN, 1, "slope forgotten"),
    ("dL/dv = 2(a-y)(1-a²)·relu'(u)·x", CHAIN, 1, "weight forgotten"),
    ("dL/dv = 2(a-y)·w·relu'(u)·x", CHAIN, 1, "slope forgotten"),
    ("dL/dv = (a-y)(1-a²)·w·relu'(u)·x", CHAIN, 1, "factor 2"),
    ("dL/dv = 2(y-a)(1-a²)·w·relu'(u)·x", CHAIN, 1, "sign"),
    ("dL/dv = 2(a-y)(1+a²)·w·relu'(u)·x", CHAIN, 1, "sign"),
    ("dL/dv = 2(a-y)a(1-a)·w·relu'(u)·x", CHAIN, 1, "wrong local derivative"),
    ("dL/dv = 2(a-y)(1-a²)·w·relu'(u)·v", CHAIN, 1, "wrong name"),
    ("df/dx = ∂f/∂a ∂a/∂x + ∂f/∂b ∂b/∂x\n = b·2x + a·cos x\n = 2x sin x + x²"
     " sin x", SUM, 3, "wrong local derivative"),
    ("df/dx = b·2x + a·cos x\n = 2x sin x + x cos x", SUM, 2, "exponent"),
    ("df/dx = b·2x − a·cos x", SUM, 1, "sign"),
    ("df/dx = b·2x + a·cos x + e^y", SUM, 1, "extra term"),
    ("df/dx = b·x + a·cos x", SUM, 1, "factor 2"),
    ("df/dx = a·2x + b·cos x", SUM, 1, "wrong name"),
    ("df/dx = 2x sin x + x² cos x = x(2 sin x + cos x)", SUM, 1, "exponent"),
    ("df/dx = 2x sin x + x² cos x = x²(2 sin x + cos x)", SUM, 1, "exponent"),
    ("df/dy = e^x", SUM, 1, "wrong name"),
    ("dL/dw = (a − y) · a(1 − a) · x\n = (a − y)(a − a²)x\n = (a² − a³ − ya − ya²) x", NEURON, 3, "sign"),
    ("dL/dw = (a − y) · a(1 − a) · x\n = (a − y)(a − a²)x\n = (a² − a³ − ya) x", NEURON, 3, "term missing"),
    ("dL/dw = (a − y) · a(1 − a) · x\n = (a − y)(1 − a²)x", NEURON, 2, "wrong local derivative"),
    ("dL/db = (a − y) · a(1 − a) · b", NEURON, 1, "extra factor"),
    ("dL/dx = (a − y) · a(1 − a) · x", NEURON, 1, "wrong name"),
    ("L = ½(y − a)²\ndL/da = y − a", NEURON, 2, "sign"),
    ("dL/da = a − y\nda/dz = a(1 − a)\ndz/dw = w\ndL/dw = (a − y)a(1 − a)w", NEURON, 3, "wrong name"),
    ("dL/da = a − y\nda/dz = a(1 − a)\ndz/dw = x\ndL/dw = (a − y) + a(1 − a) + x", NEURON, 4, "sum for product"),
    ("dL/da = y − a\nda/dz = a(1 − a)\ndz/dw = x\ndL/dw = (y − a)a(1 − a)x", NEURON, 1, "sign"),
    ("∂f/∂r = yz·1 + xz·s + xy·1 = 2rs² + r²s", SLIDE, 1, "wrong local derivative"),
    ("∂f/∂r = yz·1 + xz·s\n = rs·s + rs·s\n = 2r²s", SLIDE, 3, "another derivative"),
    ("∂f/∂r = yz·1 + xz·s\n = rs·s + rs·s\n = r²s⁴", SLIDE, 3, "product for sum"),
    ("∂f/∂r = yz·1 + xz·s\n = s·s + rs·s", SLIDE, 2, "definition substituted wrongly"),
    ("∂f/∂r = yz·1 + xz·s\n = rs·r + rs·s", SLIDE, 2, "definition substituted wrongly"),
    ("∂f/∂s = yz·0 + xz·r + xy·1\n = yz + xz·r + xy", SLIDE, 2, "extra term"),
    ("∂f/∂s = yz·0 + xz·r + xy·1\n = xz·r + x·1", SLIDE, 2, "upstream forgotten"),
    ("∂f/∂s = xz·r + xy\n = r(xz + xy)", SLIDE, 2, "extra factor"),
    ("∂f/∂s = xz·r + xy\n = x(zr − y)", SLIDE, 2, "sign"),
    ("∂f/∂u = ∂f/∂r ∂r/∂u + ∂f/∂s ∂s/∂u\n = 2rs²·2 + 2r²s·2u\n = 4·2u·u⁴ + 4·2u²·u²·u\n = 8u⁵ +"
     " 8u⁵", CRUX, 3, "factor 2"),
    ("∂f/∂u = 2rs² + 2r²s·2u", CRUX, 1, "factor 2"),
    ("∂f/∂u = 8u⁵ + 16u⁵\n = 24u¹⁰", CRUX, 2, "exponent"),
    ("δ¹_1 = δ²_1 w²_11 σ'(z¹_1) + δ²_2 w²_21 σ'(z¹_2)", LOSS, 1, "wrong index"),
    ("δ¹_1 = δ²_1 w¹_11 σ'(z¹_1) + δ²_2 w¹_21 σ'(z¹_1)", LOSS, 1, "wrong index"),
    ("δ¹_1 = δ²_1 w²_11 σ'(z²_1) + δ²_2 w²_21 σ'(z²_2)", LOSS, 1, "wrong index"),
    ("δ¹_1 = δ¹_1 w²_11 σ'(z¹_1) + δ¹_2 w²_21 σ'(z¹_1)", LOSS, 1, "wrong index"),
    ("δ¹_1 = δ²_1 w²_11 a¹_1 + δ²_2 w²_21 a¹_1", LOSS, 1, "slope forgotten"),
    ("δ¹_1 = δ²_1 w²_11 (1 − a¹_1²) + δ²_2 w²_21 (1 − a¹_1²)", LOSS, 1, "wrong local derivative"),
    ("δ¹_1 = (δ²_1 w²_11 + δ²_2 w²_21) + σ'(z¹_1)", LOSS, 1, "sum for product"),
    ("δ¹_1 = (δ²_1 + w²_11 + δ²_2 + w²_21) σ'(z¹_1)", LOSS, 1, "sum for product"),
    ("δ¹_1 = (δ²_1 w²_11)(δ²_2 w²_21) σ'(z¹_1)", LOSS, 1, "product for sum"),
    ("δ¹_1 = −(δ²_1 w²_11 + δ²_2 w²_21) σ'(z¹_1)", LOSS, 1, "sign"),
    ("δ¹_1 = ½(δ²_1 w²_11 + δ²_2 w²_21) σ'(z¹_1)", LOSS, 1, "factor 2"),
    ("δ¹_k = Σ_j δ²_j w²_jk", LOSS, 1, "slope forgotten"),
    ("δ¹_k = Σ_j w²_jk σ′(z¹_k)", LOSS, 1, "upstream forgotten"),
    ("δ¹_k = Σ_j δ²_j σ′(z¹_k)", LOSS, 1, "weight forgotten"),
    ("δ¹_k = Σ_j δ²_j w²_jk σ′(z²_j)", LOSS, 1, "wrong index"),
    ("δ¹_k = Σ_j δ²_k w²_jk σ′(z¹_k)", LOSS, 1, "wrong index"),
    ("δ¹_k = Σ_j δ²_j w¹_jk σ′(z¹_k)", LOSS, 1, "wrong index"),
    ("δ²_j = (y_j − a²_j) a²_j (1 − a²_j)", LOSS, 1, "sign"),
    ("δ²_j = (a²_j − y_j) a²_j", LOSS, 1, "slope forgotten"),
    ("δ²_j = (a²_j − y_j) (1 − a²_j²)", LOSS, 1, "wrong local derivative"),
    ("δ²_j = (z²_j − y_j) σ′(z²_j)", LOSS, 1, "z for a"),
    ("∂L/∂w¹_12 = δ¹_1 a⁰_1", LOSS, 1, "wrong index"),
    ("∂L/∂w¹_12 = δ²_1 a⁰_2", LOSS, 1, "wrong index"),
    ("∂L/∂w¹_12 = δ¹_1 a¹_2", LOSS, 1, "wrong index"),
    ("∂L/∂w¹_12 = δ¹_1 + a⁰_2", LOSS, 1, "sum for product"),
    ("∂L/∂b¹_1 = δ¹_1 b¹_1", LOSS, 1, "extra factor"),
    ("∂f/∂r = ∂f/∂x·∂x/∂r + ∂f/∂y·∂y/∂r + ∂f/∂z·∂z/∂r\n= yz·1 + xz·r + xy·0", SLIDE, 2, "wrong local derivative"),
    ("∂f/∂s = xz·∂y/∂s + xy·∂z/∂s\n= xz·s + xy·1", SLIDE, 2, "wrong local derivative"),
    ("∂L/∂w = ∂L/∂a·∂a/∂z·∂z/∂w\n= (a − y)·a(1 − a)·w", NEURON, 2, "wrong local derivative"),
    ("df/dr = y z + x z s\n= x z + x z s", SLIDE, 2, "wrong name"),
    ("df/dr = x z + x z s", SLIDE, 1, "wrong name"),
    ("∂f/∂r = yz + xzs\n= rs·s + r·s·r", SLIDE, 2, "wrong name"),
    ("df/dx = (1+x − x)/(1+x)", "f = x/(1 + x)", 1, "exponent"),
    ("df/dy = −x/y", "f = x/y", 1, "exponent"),
    ("df/dx = 1 − tanh(x)", "f = tanh(x)", 1, "exponent"),
    ("∂f/∂t = v·2t + u·3\n= 3t·2t + t²·3\n= 6t² + 3t² = 9t⁴", PRODUCT, 3, "exponent"),
    ("df/dx = 1/(2√x)\n= ½ x^(1/2)", "f = sqrt(x)", 2, "exponent"),
    ("∂f/∂s = 2r²s\n= 2r²s + s", SLIDE, 2, "extra term"),
    ("df/dx = 4x³ + 2x³ = 6x⁶", "f = x**4 + x**4/2", 1, "exponent"),
    ("∂L/∂b¹_2 = 0", TRACE, 1, "dependence forgotten"),
    ("df/dx = 1/(1+x²)", "f = log(1 + x**2)", 1, "inner derivative forgotten"),
    ("df/dx = 1/(2√(1 + x²))", "f = sqrt(1 + x**2)", 1, "inner derivative forgotten"),
    ("df/dx = e^{2x}", "f = exp(x**2)", 1, "inner derivative inside"),
    ("df/dx = e^(−sin(x))", "f = exp(cos(x))", 1, "inner derivative inside"),
    ("df/dx = sin x² + x cos(2x)", "f = x*u; u = sin(x**2)", 1, "inner derivative inside"),
    ("df/dx = x² e^(x²−1)", "f = exp(x**2)", 1, "power rule"),
    ("df/dx = 2x·x² e^(x²−1)", "f = exp(u); u = x**2", 1, "power rule"),
    ("df/dx = x 2^(x−1)", "f = 2**x", 1, "power rule"),
    ("df/dx = 2x(1 + x²)", "f = log(1 + x**2)", 1, "wrong local derivative"),
    ("∂f/∂r = r²s²", SLIDE, 1, "not differentiated"),
    ("∂f/∂t = 2t · 3", PRODUCT, 1, "product of derivatives"),
    ("df/dx = cos(x)/(2x)", "f = sin(x)/x**2", 1, "product of derivatives"),
    ("δ¹_3 = δ²_1 w²_13 δ²_2 w²_23 σ'(z¹_3)", TRACE, 1, "product for sum"),
    ("df/dr = (rs)s + (rs)s\n= 2s + 2(rs)", SLIDE, 2, "sum for product"),
    ("df/dx = 2x/(1 + x²)\n= 2x/1 + 2x/x²", "f = log(1 + x**2)", 2, "split sum"),
    ("df/dx = 1/√(x + y)\n= 1/√x + 1/√y", "f = 2*sqrt(x + y)", 2, "split sum"),
    ("δ¹_2 = (a²_1 w²_12 + a²_2 w²_22) σ'(z¹_2)", TRACE, 1, "a for δ"),
    ("∂L/∂w¹_21 = a¹_2 x_1", TRACE, 1, "a for δ"),
    ("∂L/∂w¹_21 = δ¹_1 x_2", TRACE, 1, "wrong index"),
    ("∂L/∂w = ∂L/∂a·∂a/∂z·∂z/∂w\n= (a − y)·a(1 + a)·x", NEURON, 2, "sign"),
    ("∂f/∂s = xzr + xy\n= 0", SLIDE, 2, "numbers"),
    ("df/dx = 1/√(x² + 1)", "f = sqrt(x**2 + 1)", 1, "factor missing"),
    ("df/dx = 3(x+1)²\n= 3x² + 3", "f = (x+1)**3", 2, "split sum"),
]  # fmt: skip


@pytest.mark.parametrize("text, where, numbers", [(*row, {})[:3] for row in RIGHT])
def test_what_people_write_is_right(text, where, numbers):
    found = mark(text, where, **numbers)
    assert found, found
    assert (found.line, found.slip, found.counterexample) == (None, None, None)


@pytest.mark.parametrize("text, where, line, slip, numbers", [(*row, {})[:5] for row in WRONG])
def test_what_people_get_wrong_is_named(text, where, line, slip, numbers):
    found = mark(text, where, **numbers)
    assert (found.line, found.slip) == (line, slip), found
    assert abs(found.counterexample.before - found.counterexample.here) > 1e-7
    assert "Traceback" not in str(found)


# ---- verdicts --------------------------------------------------------------------------------------------------


def test_the_brackets_of_blame():
    """Lines that follow from a wrong one are not blamed, nor is a return to the truth."""
    found = mark("∂f/∂s = yz·0 + xz·r + xy·1\n = rs·r − r²s\n = 0\n = 0·r", SLIDE)
    assert (found.line, found.verdicts) == (2, {1: "✓", 2: "✗", 3: "→", 4: "→"})
    found = mark("∂f/∂s = yz·0 + xz·r + xy·1\n = rs·r − r²s\n = 2r²s", SLIDE)
    assert (found.line, found.verdicts) == (2, {1: "✓", 2: "✗", 3: "✓"})
    found = mark("∂f/∂s = yz\n∂f/∂s = yz\n = rs²\n∂f/∂r = 2rs²", SLIDE)
    assert (found.line, found.verdicts) == (1, {1: "✗", 2: "→", 3: "→", 4: "✓"})


def test_the_question():
    assert mark("= yz·0 + xz·r + xy", SLIDE, asked="∂f/∂s")
    found = mark("= yz·0 + xz·r + xy", SLIDE)
    assert found.slip == "unreadable" and "begin with" in found.text
    found = mark("∂f/∂r = 2rs²", SLIDE, asked="∂f/∂s")
    assert found.slip == "another derivative" and "the question asks for" in found.text
    with pytest.raises(ValueError, match="asked"):
        mark("∂f/∂r = 2rs²", SLIDE, asked="∂f/∂q")
    with pytest.raises(TypeError, match="mark takes definitions, such as"):
        mark("∂f/∂r = 2rs²", 3)


def test_an_abbreviation_may_begin_the_derivation():
    where = "L = (a - y)**2/2; a = sigmoid(z); z = w*x + b"
    assert mark("δ = ∂L/∂z = (a − y) σ'(z)\n∂L/∂w = δ x", where)
    assert mark("u = ∂L/∂a = a − y\n∂L/∂z = u σ'(z)", where)
    found = mark("δ = ∂L/∂z = (a − y) σ(z)\n∂L/∂w = δ x", where)
    assert found.line == 1 and found.slip == "slope forgotten"


def test_a_square_without_its_upstream_is_named_so():
    where = "L = (a - y)**2/2; a = sigmoid(z); z = w*x + b"
    for line in ("∂L/∂w = σ'(z) x", "∂L/∂z = a(1 − a)"):
        assert mark(line, where).slip == "upstream forgotten"


def test_an_unfinished_line_is_not_right():
    for text, line in (("∂f/∂s =", 1), ("∂f/∂s = 2r²s\n∂f/∂r =", 2), ("∂f/∂r = \n∂f/∂s = 2r²s", 1)):
        found = mark(text, SLIDE)
        assert (found.line, found.slip) == (line, "unfinished") and "continue with" in found.text, found


def test_no_agreement_by_accident():
    """At one point, or where every number is 0, formulas agree that are not equal."""
    r, s = Value(2.0, "r"), Value(2.0, "s")
    f = named(f=r * s)
    assert not mark("∂f/∂r = r", f)
    assert not mark("∂f/∂r = 3", f) and not mark("∂f/∂r = s²/2", f)
    assert not mark("∂f/∂s = r^(10^10)", SLIDE)
    assert not mark("∂f/∂w = 0", "f = relu(w)") and mark("∂f/∂w = 0", named(f=relu(Value(-1.0, "w") * 1.0)))
    assert mark("∂f/∂r = s = 2", f)


def test_no_disagreement_by_accident():
    """Domains, kinks, cancellation."""
    x = Value(0.0, "x")
    assert mark("∂f/∂x = relu′(x) = [x > 0] = ½(1 + |x|/x)", named(f=relu(x)))
    assert mark("∂f/∂x = 2x = 2·√x·√x", "f = x**2")
    assert mark("∂f/∂x = 1/x = x/x²", named(f=log(Value(0.5, "x"))))
    assert mark("∂f/∂x = e^x = (e^(x + 9) − e^9·e^x) + exp(x)", "f = exp(x)")
    assert mark("∂f/∂x = 1/√(1 − x²)", "f = asin(x)")


HOSTILE = [
    "",
    " \n\n",
    "=",
    "= =",
    "∂",
    "∂f/",
    "∂f/∂",
    "∂f/∂q = 1",
    "∂f/∂s",
    "∂f/∂s =",
    "∂f/∂s = = 2",
    "∂f/∂s = )",
    "∂f/∂s = ((",
    "∂f/∂s = " + "(" * 400 + "r" + ")" * 400,
    "∂f/∂s = " + "−" * 900 + "r",
    "∂f/∂s = 9^9^9^9^9",
    "∂f/∂s = 1/0",
    "∂f/∂s = log(-1)",
    "∂f/∂s = Σ",
    "∂f/∂s = Σ_j r",
    "∂f/∂s = Σ_{j=1}^{99999999} r",
    r"∂f/∂s = \frac",
    r"∂f/∂s = \frac{",
    r"∂f/∂s = \frac{1}{",
    "∂f/∂s = __import__('os').system('x')",
    "∂f/∂s = exit()",
    "∂f/∂s = σ′",
    "∂f/∂s = σ''(r)",
    "∂f/∂s = max()",
    "∂f/∂s = 1 2",
    "∂f/∂s = \x00",
    "∂f/∂s = 🙂",
    "#",
    "✓",
    "⇒",
    ";;;",
    "∂f/∂s = |r",
    "∂f/∂s = ||",
    "∂f/∂s = r!",
    "<script>alert(1)</script>",
    "∂f/∂k_j = r",
    "∂L/∂w²_ijkmnpq = 0",
    "∂f/∂s = x_1",
    "∂²f/∂s² = 2r²",
    "∂f/∂2 = 1",
    "∂()/∂s = 0",
    "∂f/∂s = r^",
    "∂f/∂s = r_{",
    r"∂f/∂s = \begin{x",
    "x" * 9999,
    "x" * 999,
    "∂f/∂s = " + "r+" * 450 + "r",
    "∂f/∂s\n" * 200,
    "∂f/∂s = nan",
    "∂f/∂s = 1e999",
    "u = u + 1",
    "u = v\nv = u",
    "∂f/∂s = 2r²s + …",
    None,
    3,
    ["∂f/∂s"],
    b"x",
]


@pytest.mark.parametrize("where", [SLIDE, LOSS, TRACE], ids=["text", "loss", "trace"])
def test_hostile_texts_end_in_a_sentence(where):
    for text in HOSTILE:
        found = mark(text, where)
        assert not found and found.line and found.slip and found.text, text
        assert str(found) and "<script>" not in found._repr_html_()


@pytest.mark.parametrize("count", [50, pytest.param(300, marks=pytest.mark.slow)])
def test_scrambled_texts_end_in_a_sentence(count):
    rng, signs = Random(6), "rsxyzf∂d/=+-−·*^_()[]{}\\²¹ΣδσW12 ,;'′#\n|√½e.…✓"
    starts = (
        "∂f/∂s = yz·0 + xz·r\n = rs²·0 + r²s·1",
        r"\frac{\partial f}{\partial s} = \left(x y\right)^{1}",
        "δ¹_2 = Σ_j δ²_j w²_j2",
    )
    for _ in range(count):
        text = list(rng.choice(starts))
        for _ in range(rng.randrange(1, 8)):
            text[rng.randrange(len(text))] = rng.choice(signs)
        found = mark("".join(text), rng.choice((SLIDE, SLIDE, LOSS)))
        assert found.text and str(found) and found._repr_html_()


def test_a_caret_stands_below_what_cannot_be_read():
    for text, sign in (
        ("∂f/∂s = 2r²s\n   = r @ s", "@"),
        (r"\frac{df}{ds} = r^{2} ? s", "?"),
        ("  ∂f/∂s = x² ∙ q", "q"),
    ):
        found = mark(text, SLIDE)
        _, line, caret = found.text.split("\n")
        assert line[caret.index("^")] == sign


def test_a_notebook_shows_formulas():
    shown = mark("∂f/∂s = xz·r + xy\n = r²s − r²s  # <b>", SLIDE)._repr_html_()
    assert shown.count("<math") == 2 and "<mfrac>" in shown and "sign" in shown and "✗ 2" in shown
    assert "<b>" not in shown.replace("&lt;b&gt;", "")


def test_lines_that_are_not_formulas():
    text = "By the chain rule:\n\n∂f/∂s = xz·r + xy  # (two paths)\nNow plug in x and y\n = 2r²s ✓"
    found = mark(text, SLIDE)
    assert found and list(found.verdicts) == [2, 4]


@pytest.mark.parametrize("line, where, words", [
    ("δ² = (a² − y) ⊙ σ'(z²)", LOSS, "vectors and matrices: write the line for one unit, δ²_2 = …"),
    ("δ¹ = (W²)ᵀ δ² ⊙ σ'(z¹)", TRACE, "write the line for one unit, δ¹_2 = …"),
    (r"\delta^1 = (W^2)^T \delta^2 \odot \sigma'(z^1)", TRACE, "write the line for one unit, δ¹_2 = …"),
    ("∂L/∂W² = δ² (a¹)ᵀ", TRACE, "write the line for one unit"),
    ("∂L/∂b¹ = δ¹", TRACE, "write the line for one unit"),
    ("δ² = (a² − y) ⊙ σ'(z²)", SINGLE, "write the line for one unit, δ²_1 = …"),
    ("δ^L = (a^L − y) ⊙ σ'(z^L)", TRACE, "write the line for one unit"),
    ("∇f = (2rs², 2r²s)", SLIDE, "write one line for each"),
    ("grad s = 2r²s", SLIDE, "write one line for each"),
    ("δ¹_2 = (δ_1 w_12 + δ_2 w_22) σ'(z_2)", TRACE, "the layer of δ_1 is missing: write δ¹_1 or δ²_1"),
    ("∂L/∂w¹_21 = δ¹_2 q_1", TRACE, "the names are"),
    ("∂f/∂r = __import__('os')", SLIDE, "line 1 cannot be read: __import__ has no meaning"),
    ("∂f/∂r = ∂f/∂r", SLIDE, "no new formula"),
    ("df/dx = e^{2x}", "f = exp(x**2)", "but e^{2x} = "),
    ("df/dx = 24x^{10} = 24x^{11}", "f = 24*x**11/11", "but 24x^{11} = "),
    ("∂L/∂w = (a − y) x", NEURON, "at y = 0.2, w = 0.3, x = 0.5, b = 0.4"),
    ("df/dx = 1", "f = x/(1 + x)", "mark(…, x=2)"),
    ("∂L/∂b¹_2 = 0", TRACE, "It is not 0: L depends on b¹_2, through z¹_2."),
])  # fmt: skip
def test_a_remedy_is_said(line, where, words):
    found = mark(line, where)
    assert not found and words.lower() in found.text.lower(), found


def test_the_indices_of_the_line_are_said():
    lines = "δ¹_k = Σ_j δ²_j w²_jk σ'(z¹_k)\nδ¹_2 = (δ²_1 w²_21 + δ²_2 w²_22) σ'(z¹_2)"
    assert mark(lines, TRACE).text.startswith("Line 2 is not δ¹_2")
    assert mark("δ¹_k = Σ_j δ²_j w²_jk", TRACE).text.startswith("For k = 1, line 1 is not δ¹_1")
