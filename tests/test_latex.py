"""Tests that KaTeX, which renders formulas in notebooks, accepts every LaTeX formula that the package writes."""

import json
import shutil
import subprocess
from random import Random

import pytest
from conftest import WEB
from random_graphs import random_graph

from autograd import Value, explain, named
from autograd.notation import EXPONENTS, SIGNS, latex_name, latex_signs, latex_text, number_latex
from autograd.table import CONDITION, CONSTANT, TABLE
from nn import MLP, half_squared_error, matrix_form


def katex(formulas):
    """KaTeX's complaint about each formula, empty where it renders."""
    if not (shutil.which("node") and (WEB / "node_modules" / "katex").exists()):
        pytest.skip("KaTeX is not installed: npm install --prefix tests/web")
    done = subprocess.run(
        ["node", WEB / "katex.js"], input=json.dumps(formulas), capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def explained(name):
    entry = TABLE[name]
    count = entry.least + entry.step if entry.variadic else len(entry.letters)
    operands = [
        1.0 if domain in (CONSTANT, CONDITION) else Value(0.5 + 0.25 * i, f"x{i}")
        for i, domain in enumerate(entry.domains_of(count))
    ]
    return [explain(entry(*operands), wrt=x).latex() for x in operands if isinstance(x, Value)]


def test_katex_refuses_what_is_broken():
    assert katex([r"\frac{1}{2}", r"\frac{1"])[0] == "" and katex([r"\frac{1"])[0]


def test_katex_accepts_the_derivatives_of_every_primitive():
    formulas = {name: explained(name) for name in TABLE}
    complaints = katex([formula for several in formulas.values() for formula in several])
    assert set(complaints) == {""}


def test_katex_accepts_f_equals_xyz_and_random_graphs():
    r, s = Value(2.0, "r"), Value(3.0, "s")
    x, y, z = named(x=r, y=r * s, z=s)
    formulas = [explain(x * y * z, wrt=s).latex()]
    for seed in range(60):
        f, inputs = random_graph(seed)
        formulas.append(explain(f, wrt=inputs[0]).latex())
    assert set(katex(formulas)) == {""}


def test_katex_accepts_a_matrix_form():
    trace = MLP(2, [3, 2], activation="tanh", rng=Random(0)).trace([0.5, -1.0])
    half_squared_error(trace.output, [1.0, 0.0]).backward()
    assert katex([matrix_form(trace)._repr_latex_().strip("$\n")]) == [""]


def test_katex_accepts_every_number():
    numbers = (0.0, -1.5, 1e-300, 1e300, float("inf"), -float("inf"), float("nan"))
    assert set(katex([number_latex(x) for x in numbers])) == {""}


def test_katex_accepts_every_sign_alone_in_pairs_and_between_words():
    signs = [*SIGNS, *EXPONENTS, *"{}$&#%_"]
    words = [
        *signs,
        *(f"word{sign}word" for sign in signs),
        *(first + second for first in "²′_\\" for second in signs),
    ]
    formulas = [write(word) for word in words for write in (latex_text, latex_name)]
    formulas += [latex_signs(word) for word in ("δ¹⁰ ⊙ Wᵀ", "W²ᵀ", "g″(z) → ∞", "x⁻¹ < y′²")]
    assert set(katex(formulas)) == {""}


def test_a_run_of_raised_signs_is_one_exponent():
    assert latex_signs("W¹⁰ᵀ") == "W^{10T}" and latex_text("10⁻³") == r"\text{10}^{-3}"


def test_a_minus_among_words_is_a_sign_and_has_the_spaces_of_the_words():
    assert latex_text("the slope is −2 to the left") == r"\text{the slope is }{-}\text{2 to the left}"
    assert latex_signs("x − 1") == "x - 1"
