"""What a terminal shows: clean lines beside the bar at every width, and readable ASCII where it has no ∂."""

import io
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

import autograd
import nn
from autograd import Value, named
from nn import MLP, half_squared_error

ROOT = Path(__file__).parent.parent
LACKING = {
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
}


def run(*arguments, **environment):
    """What Python wrote to stdout and stderr, as bytes."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run([sys.executable, "-W", "error", *arguments], capture_output=True, env=environment)


# ---- where the encoding lacks a sign -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "in_ascii", "in_cp1252"),
    [
        ("∂f/∂x", b"df/dx", b"df/dx"),
        ("w¹_11", b"w^1_11", b"w\xb9_11"),
        ("x₁₂ + x²⁰", b"x_12 + x^20", b"x_12 + x\xb2^0"),
        ("(W²)ᵀ δ² ⊙ σ′(z)", b"(W^2)^T delta^2 .* sigma'(z)", b"(W\xb2)^T delta\xb2 .* sigma'(z)"),
        (
            "√σ² ≤ 1/√x, Σᵢ √(2)",
            b"sqrt sigma^2 <= 1/sqrt x, sum_i sqrt(2)",
            b"sqrt sigma\xb2 <= 1/sqrt x, sum_i sqrt(2)",
        ),
        ("10⁻³ · ½ …", b"10^-3 * 1/2 ...", b"10^-\xb3 \xb7 \xbd \x85"),
        ("✓ ✗ x̂ é ⚠ \udcff", b"ok wrong xhat \\xe9 \\u26a0 \\udcff", b"ok wrong xhat \xe9 \\u26a0 \\udcff"),
    ],
)
def test_signs_that_an_encoding_lacks_are_written_in_ascii_and_the_others_stay(text, in_ascii, in_cp1252):
    assert text.encode("ascii", "chainrule") == in_ascii
    assert text.encode("cp1252", "chainrule") == in_cp1252


def test_the_error_handler_writes_and_does_not_read():
    with pytest.raises(UnicodeDecodeError):
        b"\xff".decode("ascii", "chainrule")


@pytest.mark.parametrize("environment", LACKING.values(), ids=LACKING)
def test_python_m_autograd_prints_df_dx(environment):
    done = run("-m", "autograd", "f = x*y; x = r; y = r*s", "r=2", "s=3", "--wrt", "r", **environment)
    assert (done.returncode, done.stderr) == (0, b"")
    lines = done.stdout.decode("cp1252").splitlines()
    assert lines[0].replace("…", "...").split() == ["value", "df/d..."]
    assert lines[7].replace("·", "*") == "df/dr = df/dx dx/dr + df/dy dy/dr"
    assert len({line.index("=") for line in lines[7:10]}) == 1
    assert lines[-1].startswith("ok backward 12   ok SymPy 12")
    assert b"\\u" not in done.stdout


@pytest.mark.parametrize("environment", LACKING.values(), ids=LACKING)
def test_errors_and_help_are_readable_too(environment):
    done = run("-m", "autograd", "sigma(x)", "x=1", **environment)
    assert (done.returncode, done.stdout) == (2, b"")
    assert "write sigma*(...) for a product" in done.stderr.decode("cp1252").replace("…", "...")
    done = run("-m", "nn", "--help", **environment)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "penalty on 1/2 w^2" in done.stdout.decode("cp1252").replace("½", "1/2").replace("²", "^2")


SHOW = """
from random import Random
import autograd, nn
from autograd import Value, named
from nn import MLP, half_squared_error
from nn.exercises.exercise import Verdict
w = Value(2.0, "w¹_11")
f = named(L=(w * Value(3.0, "x₁")).sigmoid() + w**2)
f.backward()
trace = MLP(2, [2, 1], activation="sigmoid", rng=Random(0)).trace([1.0, 2.0])
half_squared_error(trace.output, 1.0).backward()
program = autograd.record(f, inputs=[], parameters=[w])
for thing in (f, w, autograd.explain(f, wrt=w), autograd.paths(f, w), autograd.narrate(f), autograd.draw(w),
              autograd.walk(f), program, nn.matrix_form(trace), [w], Verdict(True, None, "δ is right")):
    print(thing)
import sys
sys.displayhook(autograd.explain(f, wrt=w))
"""


def test_what_the_library_prints_is_readable_without_unicode():
    done = run("-c", SHOW.encode("unicode_escape").decode().replace("\\n", "\n"), **LACKING["C"])
    assert (done.returncode, done.stderr) == (0, b"")
    printed = done.stdout.decode("ascii")
    assert "\\u" not in printed and "\\x" not in printed
    for words in (
        "Value(2.0, 'w^1_11', grad=",
        "dL/dw^1_11 = ",
        "w^1_11 -> v",
        "delta^2 = z.grad",
        "ok delta is right",
    ):
        assert words in printed


def test_what_is_printed_stays_unicode_where_stdout_is(monkeypatch):
    x = Value(2.0, "w¹_11")
    f = named(δ=x * x)
    unicode = str(autograd.explain(f, wrt=x)), repr(x)
    assert unicode[0].startswith("∂δ/∂w¹_11 = 2 w¹_11") and unicode[1] == "Value(2.0, 'w¹_11', grad=0.0)"
    monkeypatch.setattr(sys, "stdout", io.StringIO())  # knows no encoding
    assert (str(autograd.explain(f, wrt=x)), repr(x)) == unicode
    monkeypatch.setattr(sys, "stdout", None)  # as under pythonw
    assert repr(x) == unicode[1]
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert repr(x) == "Value(2.0, 'w^1_11', grad=0.0)" and x.name == "w¹_11"


def test_columns_stay_aligned_where_signs_become_longer(monkeypatch):
    trace = MLP(3, [4, 1], activation="sigmoid", rng=Random(1)).trace([1.0, 2.0, 3.0])
    half_squared_error(trace.output, 1.0).backward()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    lines = str(nn.matrix_form(trace)).splitlines()
    labels = next(line for line in lines if "delta^1 = z.grad" in line)
    below = lines[lines.index(labels) + 1]
    assert [i for i, c in enumerate(below) if c == "["] == [labels.index(x.strip()) for x in labels.split("  ") if x]
