"""Tests of run.py: its error messages, the commands that it starts, and that it installs only once."""

import ast
import http.server
import importlib.util
import re
import shutil
import socket
import subprocess
import sys
import threading
import tomllib
import urllib.request
import venv
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import ROOT

RUN = ROOT / "run.py"


class Machine:
    """A machine on which nothing is installed or started: it records the commands and answers as it is told."""

    def __init__(self, run, monkeypatch):
        self.run, self.monkeypatch = run, monkeypatch
        self.commands, self.made, self.status, self.pip_fails, self.ensurepip = [], 0, 0, False, True
        monkeypatch.setattr(subprocess, "call", self.call)
        monkeypatch.setattr(subprocess, "Popen", self.start)
        monkeypatch.setattr(venv, "create", self.create)

    def call(self, command, cwd):
        assert cwd == ROOT
        self.commands.append([str(word) for word in command])
        return self.status

    @contextmanager
    def start(self, command, stdout, universal_newlines):
        assert stdout == subprocess.PIPE and universal_newlines
        self.commands.append([str(word) for word in command])
        steps = ["Collecting numpy>=1.26\n", f"Downloading {'numpy' * 100}.whl\n", "Successfully installed numpy\n"]
        yield SimpleNamespace(stdout=steps, returncode=int(self.pip_fails))

    def create(self, folder, with_pip, clear):
        assert (folder, with_pip) == (self.run.VENV, True)
        self.made += 1
        self.run.PYTHON.parent.mkdir(parents=True, exist_ok=clear)
        self.run.PYTHON.touch()
        if not self.ensurepip:  # as Debian's Python fails without python3-venv: the interpreter is there, pip is not
            raise subprocess.CalledProcessError(1, [str(self.run.PYTHON), "-m", "ensurepip", "--upgrade"])

    def main(self, *arguments):
        """Run the command; returns the exit status."""
        self.commands.clear()
        self.monkeypatch.setattr(sys, "argv", ["run.py", *arguments])
        try:
            self.run.main()
        except SystemExit as left:
            return left.code
        return 0


@pytest.fixture
def machine(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("run", RUN)
    run = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(run)
    run.VENV, run.PYTHON = tmp_path / ".venv", tmp_path / ".venv" / run.PYTHON.relative_to(run.VENV)
    monkeypatch.chdir(tmp_path)
    return Machine(run, monkeypatch)


def one_line(capsys):
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("run.py: ")
    return line


@pytest.mark.parametrize("arguments", [[], ["deploy"], ["--help"], [""]])
def test_a_command_that_is_missing_or_unknown_is_one_line_and_status_2(tmp_path, arguments):
    done = subprocess.run([sys.executable, RUN, *arguments], capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    commands = "demo | docs [--serve] | notebooks [jupyter lab options] | test [pytest options]"
    assert done.stderr == f"run.py: usage: python3 run.py {commands}\n"


def test_too_old_a_python_is_one_line_and_status_2(tmp_path):
    code = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
sys.argv, sys.version_info, sys.version = ["run.py", "demo"], (3, 10, 14, "final", 0), "3.10.14 (main)"
import run
run.install = run.subprocess.call = None  # nothing may get so far
run.main()
"""
    done = subprocess.run([sys.executable, "-B", "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "run.py: Python 3.11 or newer is needed, but this is 3.10.14: try python3.12 run.py\n"


def test_an_older_python_can_read_the_file_that_refuses_it():
    ast.parse(RUN.read_text(encoding="utf-8"), feature_version=(3, 7))


def test_without_the_module_venv_the_remedy_is_said(machine, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "venv", None)
    assert machine.main("demo") == 2
    assert "install python3-venv" in one_line(capsys)
    assert machine.commands == []


def test_without_ensurepip_the_remedy_is_said(machine, capsys):
    machine.ensurepip = False
    assert machine.main("test") == 2
    assert "install python3-venv" in one_line(capsys)
    assert machine.commands == []


def test_the_remedy_for_a_missing_ensurepip_works(machine):
    machine.ensurepip = False
    machine.main("test")
    machine.ensurepip = True
    assert machine.main("test") == 0
    assert machine.made == 2


def test_an_installation_that_fails_is_said_and_tried_again(machine, capsys):
    machine.pip_fails = True
    assert machine.main("demo") == 2
    assert "the installation failed" in one_line(capsys)
    machine.pip_fails = False
    assert machine.main("demo") == 0
    assert "pip" in machine.commands[0]
    assert machine.made == 1


def test_installing_and_collecting_are_announced_in_one_line_each(machine, capsys):
    machine.main("test")
    installs, collects = capsys.readouterr().out.splitlines()
    assert installs.startswith(f"installing into {machine.run.VENV}: once") and collects.startswith("collecting")
    machine.main("test")
    assert capsys.readouterr().out.splitlines() == [collects]


def test_a_terminal_shows_each_step_of_the_installation_in_place(machine, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    machine.main("test")
    first, rest = capsys.readouterr().out.split("\n", 1)
    *steps, last = filter(None, rest.split("\r"))
    assert first.startswith("installing") and last.startswith("collecting")
    assert [step.split()[:1] for step in steps] == [["Collecting"], ["Downloading"], ["Successfully"], []]
    assert {len(step) for step in steps} == {39}  # each covers the one before


def test_test_installs_its_extras_once_and_passes_options_and_status_on(machine):
    machine.status = 3
    python = str(machine.run.PYTHON)
    assert machine.main("test", "-k", "slide") == 3
    install, tests = machine.commands
    assert install[:4] == [python, "-m", "pip", "install"]
    assert install[-2:] == ["--editable", f"{ROOT}[test]"]
    shared = ["--numprocesses", "auto", "--dist", "worksteal"]
    assert tests == [python, "-m", "pytest", *shared, "-k", "slide"]
    assert machine.main("test") == 3
    assert machine.commands == [[python, "-m", "pytest", *shared]]
    assert machine.made == 1


def test_demo_trains_on_digits_and_moons_and_stops_at_the_first_that_fails(machine):
    python = str(machine.run.PYTHON)
    assert machine.main("demo") == 0
    install, *runs = machine.commands
    assert install[-1] == f"{ROOT}[datasets,plot]"
    assert runs == [[python, "-m", "nn", "digits"], [python, "-m", "nn", "moons"]]
    machine.status = 1
    assert machine.main("demo") == 1
    assert machine.commands == [[python, "-m", "nn", "digits"]]


def test_notebooks_opens_jupyterlab_on_them_and_passes_options_on(machine):
    assert machine.main("notebooks", "--no-browser") == 0
    pip, start = machine.commands
    assert pip[-1] == f"{ROOT}[notebooks]"
    assert start == [str(machine.run.PYTHON), "-m", "jupyterlab", "notebooks", "--no-browser"]


def test_docs_builds_the_site_with_warnings_as_errors_and_says_where_it_is(machine, capsys, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(machine.run, "has_packages", lambda: False)
    assert machine.main("docs") == 0
    pip, npm, sphinx = machine.commands
    assert pip[-1] == f"{ROOT}[docs]"
    assert npm[:4] == ["/usr/bin/npm", "install", "--prefix", str(ROOT / "tests" / "web")]
    site = str(ROOT / "docs" / "_build" / "html")
    assert sphinx == [
        str(machine.run.PYTHON), "-m", "sphinx", "-W", "--keep-going", "-q", str(ROOT / "docs"), site,
    ]  # fmt: skip
    *_, begins, ends = capsys.readouterr().out.splitlines()
    assert begins.startswith("building the site") and ends.startswith(f"the site is in {site}")
    monkeypatch.setattr(machine.run, "has_packages", lambda: True)
    assert machine.main("docs") == 0
    assert machine.commands == [sphinx]


def test_what_keeps_the_site_from_being_built_is_one_line_and_status_2(machine, capsys, monkeypatch):
    assert machine.main("docs", "--port") == 2
    assert one_line(capsys).endswith("docs takes only the option --serve, not --port")
    monkeypatch.setattr(machine.run, "has_packages", lambda: False)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert machine.main("docs") == 2
    assert "install nodejs and npm" in one_line(capsys)
    monkeypatch.setattr(shutil, "which", lambda name: name)
    machine.status = 1
    assert machine.main("docs") == 2
    assert "npm could not install" in one_line(capsys)
    monkeypatch.setattr(machine.run, "has_packages", lambda: True)
    assert machine.main("docs") == 2
    assert "the site has warnings" in one_line(capsys)


def test_docs_serve_gives_the_files_to_this_machine_alone_on_a_free_port(machine, capsys, tmp_path, monkeypatch):
    (tmp_path / "index.html").write_text("the site")
    monkeypatch.setattr(machine.run, "SITE", tmp_path)
    monkeypatch.setattr(machine.run, "has_packages", lambda: True)
    served = []

    def ask(server):
        served.append(server.server_address)
        threading.Thread(target=server.handle_request, daemon=True).start()
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/") as answer:
            served.append(answer.read())

    monkeypatch.setattr(http.server.ThreadingHTTPServer, "serve_forever", ask)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        machine.run.serve(tmp_path, port)
    (host, other), text = served
    assert host == "127.0.0.1" and other != port and text == b"the site"
    said = capsys.readouterr()
    assert said.out == f"the site is at http://127.0.0.1:{other}/ until Ctrl-C\n" and said.err == ""
    machine.main("docs", "--serve")
    assert served[-1] == b"the site"


def test_another_pyproject_or_other_extras_install_anew_in_the_same_environment(machine, tmp_path, monkeypatch):
    machine.main("demo")
    assert machine.main("test") == 0
    assert machine.commands[0][-1] == f"{ROOT}[test]"
    (tmp_path / "pyproject.toml").write_text("[project]")
    monkeypatch.setattr(machine.run, "ROOT", tmp_path)
    machine.run.install("test")
    assert machine.commands[-1][-1] == f"{tmp_path}[test]"
    assert machine.made == 1


def test_the_environment_stands_beside_run_py_wherever_it_is_called_from(tmp_path):
    code = "import runpy, sys; print(runpy.run_path(sys.argv[1])['PYTHON'])"
    done = subprocess.run([sys.executable, "-c", code, RUN], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert Path(done.stdout.strip()).is_relative_to(ROOT / ".venv")


def test_every_extra_that_a_message_or_the_readme_names_exists(machine):
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    sources = [path for package in ("autograd", "nn") for path in (ROOT / package).rglob("*.py")]
    texts = "".join(
        path.read_text(encoding="utf-8") for path in [*sources, ROOT / "README.md", ROOT / "pyproject.toml"]
    )
    named = re.findall(r"chainrule\[([\w,]+)\]", texts) + re.findall(r"extra `(\w+)`", texts)
    named = {name for names in [*named, *machine.run.EXTRAS.values()] for name in names.split(",")}
    assert {"datasets", "plot", "render", "tables"} <= named <= set(extras)
