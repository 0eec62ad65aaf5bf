"""Tests of terminal output: clean lines next to the progress bar at any width, and readable ASCII without ∂."""

import io
import os
import re
import struct
import subprocess
import sys
from contextlib import suppress
from functools import partial
from random import Random

import nbformat
import pyte
import pytest
from conftest import ROOT, python
from nbclient import NotebookClient

import autograd
import nn
from autograd import Value, named
from nn import MLP, half_squared_error
from nn.__main__ import main
from nn.records import EpochRecord, describe, epoch_line, progress_bar

LACKING = {
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
}


run = partial(python, "-W", "error", encoding=None)


def terminal(columns, *arguments):
    """What Python leaves on a terminal of so many columns, line by line, and all that it wrote there."""
    pty = pytest.importorskip("pty", reason="Windows has no pseudo-terminals that Python can open")
    import fcntl
    import termios

    screen = pyte.Screen(columns, 100)
    stream, written = pyte.ByteStream(screen), b""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 100, columns, 0, 0))
    environment = {name: x for name, x in os.environ.items() if name != "COLUMNS"} | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, *arguments]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        with open(ours, "rb", buffering=0) as file, suppress(OSError):  # as Linux says that the other end is closed
            while some := file.read(65536):
                written += some
                stream.feed(some)
    assert process.returncode == 0, written.decode()
    return "\n".join(line.rstrip() for line in screen.display).strip().split("\n"), written.decode()


# ---- the bar and the lines beside it -------------------------------------------------------------------------------

WIDTHS = pytest.mark.parametrize("columns", [60, 80, 100, 110, 200])
COMMAND = """
import sys
import nn.cli.runs
from nn.__main__ import main
nn.cli.runs.picture = nn.cli.runs.layers_picture = lambda *_: None
main(["moons", "--epochs", "3", "--out", sys.argv[1]])
"""
LOOP = """
from nn import MLP, SGD, Training, binary_cross_entropy
from nn.data import moons
model = MLP(2, [8, 1])
training = Training(model, binary_cross_entropy, SGD(model.parameters(), 0.1), moons(50), epochs=4, batch_size=50)
for record in training:
    print("epoch", record.epoch, "done")
print(training.stopped)
"""


def frames(written, columns):
    """The bars that were drawn, none of which is wider than the terminal."""
    found = [frame for frame in re.split("[\r\n]", written) if "%|" in frame]
    assert max(map(len, found)) <= columns
    return found


@WIDTHS
def test_each_epoch_of_a_run_is_a_clean_line_beside_its_bar(columns, tmp_path):
    lines, written = terminal(columns, "-c", COMMAND, str(tmp_path / "run"))
    epochs = [line for line in lines if line.startswith("epoch ")]
    gap, name = ("   ", "validation loss") if columns >= 80 else ("  ", "validation")
    line = rf"epoch \d{gap}loss \d\.\d{{4}}{gap}{name} \d\.\d{{4}}{gap}accuracy [ \d]\d\d\.\d%"
    assert len(epochs) == 3 and all(re.fullmatch(line, epoch) for epoch in epochs)
    assert not any("%|" in line for line in lines)
    assert any(line.startswith("stopped after 3 epochs; kept epoch 3") for line in lines)
    last = frames(written, columns)[-1]
    assert re.match(r"epoch 3/3 +\d+%\|.+\| 00:\d\d<00:\d\d, loss \d\.\d{4}", last)
    assert (", validation " in last) == (columns >= 80)


@WIDTHS
def test_each_print_of_a_loop_of_ones_own_is_a_clean_line_beside_the_bar(columns):
    lines, written = terminal(columns, "-c", LOOP)
    assert lines == [*(f"epoch {n} done" for n in (1, 2, 3, 4)), "after 4 epochs"]
    assert {frame[:9] for frame in frames(written, columns)} - {"   0%|   "} == {f"epoch {n}/4" for n in (1, 2, 3, 4)}
    assert "nan" not in written and "validation" not in written
    assert "accuracy" in written or columns == 60


def test_a_pipe_gets_lines_and_no_bar(tmp_path):
    done = run("-c", LOOP)
    assert done.stdout.decode().split("\n")[:2] == ["epoch 1 done", "epoch 2 done"] and done.stderr == b""
    done = run("-c", COMMAND, str(tmp_path / "run"))
    assert done.stdout.count(b"\nepoch ") == 3 and b"%|" not in done.stdout and done.stderr == b""


NAN = float("nan")
LABELS = EpochRecord(7, 0.25, 0.9, 0.5, 1.0, 0, 0, 0.0, 0.1)
NUMBERS = EpochRecord(7, 0.25, NAN, 12345.6, NAN, 0, 0, 0.0, 0.1, 10.0, 0.9, 47.311, -0.25)
OWN_LOSS = EpochRecord(7, 0.25, NAN, NAN, NAN, 0, 0, 0.0, 0.1)


@pytest.mark.parametrize(
    ("record", "width", "line"),
    [
        (LABELS, 100, "epoch   7   loss 0.2500   validation loss 0.5000   accuracy 100.0%"),
        (LABELS, 60, "epoch   7  loss 0.2500  validation 0.5000  accuracy 100.0%"),
        (NUMBERS, 100, "epoch   7   loss 0.2500   validation loss 1.23e+04   RMSE  47.31   R² -0.250"),
        (NUMBERS, 60, "epoch   7  validation 1.23e+04  RMSE  47.31  R² -0.250"),
        (LABELS._replace(validation_loss=NAN), 80, "epoch   7   loss 0.2500   accuracy  90.0%"),
        (OWN_LOSS, 80, "epoch   7   loss 0.2500"),
    ],
)
def test_an_epochs_line_has_the_metrics_of_its_task_and_fits(record, width, line):
    assert epoch_line(record, 100, width) == line and len(line) <= width


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (LABELS, ", loss 0.2500, validation accuracy 100.0%"),
        (NUMBERS, ", loss 0.2500, validation RMSE 47.31"),
        (NUMBERS._replace(validation_loss=NAN), ", loss 0.2500, RMSE 10"),
        (OWN_LOSS, ", loss 0.2500"),
    ],
)
def test_the_bar_says_what_the_last_epoch_measured(record, words):
    with progress_bar(total=10, file=io.StringIO(), ncols=100, dynamic_ncols=False, disable=False) as bar:
        describe(bar, 8, 10, [record])
        assert str(bar).startswith("epoch 8/10   0%|") and str(bar).endswith(words)


def test_a_notebook_shows_the_bar_without_widgets_and_prints_clean_lines_beside_it(monkeypatch):
    monkeypatch.setenv("TQDM_MININTERVAL", "0")  # every update is shown, however fast the machine
    [cell] = cells = [nbformat.v4.new_code_cell(LOOP)]
    client = NotebookClient(nbformat.v4.new_notebook(cells=cells), timeout=60, resources={"metadata": {"path": ROOT}})
    with client.setup_kernel():
        client.execute_cell(cell, 0)
    assert {output.name for output in cell.outputs} == {"stdout"}
    text = "".join(output.text for output in cell.outputs)
    assert "\repoch 1/4  25%|" in text and "%" not in text.rpartition("4 done")[2]
    for n in (1, 2, 3, 4):  # the bar is overwritten before a line is printed
        bar, blank, line = re.split("\r+", text.partition(f" {n} done")[0])[-3:]
        assert bar.startswith(f"epoch {n}/4") and not blank.strip() and len(blank) >= len(bar) and line == "epoch"


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
def test_claims_are_readable_too(environment):
    done = run("-m", "nn", "claims", "unstable", **environment)
    assert (done.returncode, done.stderr) == (0, b"")
    lines = done.stdout.decode("cp1252").splitlines()
    assert lines[1] == lines[-1] and set(lines[1]) == {"-", " "}
    assert "delta" in lines[2] and max(map(len, lines)) <= 100


@pytest.mark.parametrize("environment", LACKING.values(), ids=LACKING)
def test_errors_and_help_are_readable_too(environment):
    done = run("-m", "autograd", "sigma(x)", "x=1", **environment)
    assert (done.returncode, done.stdout) == (2, b"")
    assert "write sigma*(...) for a product" in done.stderr.decode("cp1252").replace("…", "...")
    done = run("-m", "nn", "--help", **environment)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "penalty 1/2 w^2" in done.stdout.decode("cp1252").replace("½", "1/2").replace("²", "^2")


SHOW = """
from random import Random
import autograd, nn
from autograd import Value, named
from nn import MLP, half_squared_error
from nn.lecture.exercises.exercise import Feedback
w = Value(2.0, "w¹_11")
f = named(L=(w * Value(3.0, "x₁")).sigmoid() + w**2)
f.backward()
trace = MLP(2, [2, 1], activation="sigmoid", rng=Random(0)).trace([1.0, 2.0])
half_squared_error(trace.output, 1.0).backward()
program = autograd.record(f, inputs=[], parameters=[w])
other = Value(1.0, "δ")
for thing in (f, w, autograd.explain(f, wrt=w), autograd.explain(f, wrt=other), autograd.paths(f, w),
              autograd.paths(f, other), autograd.narrate(f), autograd.draw(w), autograd.walk(f), program,
              nn.matrix_form(trace), [w], Feedback(True, None, "δ is right"), (w * w).operation):
    print(thing)
try:
    autograd.log(Value(0.0, "σ²"))
except ValueError as error:
    print(error)
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
        "<primitive mul *>",
        "log at sigma^2 = 0.0: needs sigma^2 > 0",
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


def test_counts_of_one_are_singular(tmp_path, refused):
    x = Value(2.0, "x")
    square = named(f=x * x)
    assert repr(autograd.walk(square)).endswith(": 2 nodes>")
    assert str(autograd.paths(named(f=x.exp()), x)).startswith("1 path from x to f over 1 edge, summing to ")
    assert "1 parameter, 0 inputs, 2 nodes;" in repr(autograd.record(square, inputs=[], parameters=[x]))
    (tmp_path / "one.csv").write_text("x,y\n1,a\n2,a\n3,a\n")
    assert "has 1 different value, a: a classification needs 2" in refused(
        main, tmp_path / "one.csv", "--target", "y"
    )
