"""Tests of both command lines: one-line errors with exit status 2, Ctrl-C, broken pipes, and the shared parser."""

import os
import re
import subprocess
import sys

import pytest
from conftest import ROOT, python

import autograd
from autograd.command_line import OneLineParser, command_line


def left_with(error, program="python -m nn predict", hint=""):
    with pytest.raises(SystemExit) as left, command_line(program, hint):
        raise error
    return left.value.code


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("epochs = 0"), "nn: epochs = 0"),
        (ZeroDivisionError("a\nb"), r"nn: a\nb"),
        (ImportError("pip install x"), "nn: pip install x"),
        (FileNotFoundError(2, "No such file or directory", "x.csv"), "nn: x.csv: No such file or directory"),
        (OSError("no room"), "nn: no room"),
    ],
)
def test_an_error_is_one_line_and_status_2(error, line, capsys):
    assert left_with(error) == 2
    assert capsys.readouterr() == ("", f"{line}\n")


def test_a_hint_is_added_to_an_error(capsys):
    assert left_with(ValueError("epochs = 0"), hint="(--help)") == 2
    assert capsys.readouterr().err == "nn: epochs = 0 (--help)\n"


def test_a_fault_of_ours_keeps_its_traceback():
    with pytest.raises(KeyError), command_line("python -m nn"):
        raise KeyError("no user can cause this")


@pytest.mark.parametrize("words", ["", "interrupted after epoch 3"])
def test_ctrl_c_is_one_line_and_status_130(words, capsys):
    assert left_with(KeyboardInterrupt(*filter(None, [words])), "python release.py") == 130
    assert capsys.readouterr().err == f"\nrelease: {words or 'interrupted'}\n"


@pytest.mark.parametrize("words", [["nn", "claims", "--list"], ["autograd", "x*y", "x=1", "y=2"]])
def test_a_closed_pipe_is_status_1_without_a_word(words):
    read, write = os.pipe()
    os.close(read)
    command, environment = [sys.executable, "-m", *words], {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, env=environment)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")


def test_an_argument_that_cannot_be_read_is_one_line_and_names_the_help(refused):
    parser = OneLineParser(prog="python -m nn resume")
    parser.add_argument("--epochs", type=int)
    line = "nn: argument --epochs: invalid int value: 'x' (python -m nn resume --help)"
    assert refused(parser.parse_args, "--epochs", "x") == line


@pytest.mark.parametrize("package", ["autograd", "nn"])
def test_the_version_is_that_of_the_distribution(package):
    assert python("-m", package, "--version").stdout == f"chainrule {autograd.__version__}\n"


def test_every_program_here_uses_the_one_parser():
    folders = ("autograd", "nn", "benchmarks", "docs", "notebooks")
    sources = {path for folder in folders for path in (ROOT / folder).rglob("*.py") if ".venv" not in str(path)}
    assert sources
    assert not [
        path
        for path in sources
        if re.search(r"= argparse\.ArgumentParser\(|optparse|getopt", path.read_text("utf-8"))
    ]
