"""Simulates the differences on Windows: files open elsewhere, locks, closed pipes, ``spawn`` and encodings."""

import ast
import errno
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import ROOT, python

from autograd import Value, check_engine, engine_checks, files
from autograd.files import write_whole
from nn.__main__ import main
from nn.cli import runs

SOURCES = [*(ROOT / "autograd").rglob("*.py"), *(ROOT / "nn").rglob("*.py"), ROOT / "run.py"]
SOURCES += [*(ROOT / "notebooks").rglob("*.py"), *(ROOT / "docs").glob("*.py"), ROOT / "tests/conftest.py"]


class Like:
    """A module in which some names mean something else."""

    def __init__(self, module, **names):
        self.module = module
        vars(self).update(names)

    def __getattr__(self, name):
        return getattr(self.module, name)


# ---- files ---------------------------------------------------------------------------------------------------------


class Replace:
    """``os.replace``, refused so many times, as while a virus scanner has the old file open."""

    def __init__(self, refusals, error=PermissionError):
        self.refusals, self.error, self.calls = refusals, error, 0

    def __call__(self, new, path):
        self.calls += 1
        if self.calls <= self.refusals:
            raise self.error(errno.EACCES, "Access is denied", str(new), 5, str(path))
        os.replace(new, path)


@pytest.fixture
def pauses(monkeypatch):
    slept = []
    monkeypatch.setattr(files, "sleep", slept.append)
    return slept


@pytest.mark.parametrize("refusals", range(len(files.PAUSES) + 1))
def test_a_file_that_another_program_has_open_for_a_moment_is_replaced(tmp_path, monkeypatch, pauses, refusals):
    monkeypatch.setattr(files, "os", Like(os, name="nt", replace=Replace(refusals)))
    path = tmp_path / "page.html"
    path.write_bytes(b"old")
    write_whole(path, b"new")
    assert path.read_bytes() == b"new" and pauses == list(files.PAUSES[:refusals])


@pytest.mark.parametrize(
    ("system", "error", "calls"),
    [("nt", PermissionError, len(files.PAUSES) + 1), ("nt", IsADirectoryError, 1), ("posix", PermissionError, 1)],
)
def test_one_that_stays_open_is_named_and_kept(tmp_path, monkeypatch, pauses, system, error, calls):
    replace = Replace(100, error)
    monkeypatch.setattr(files, "os", Like(os, name=system, replace=replace))
    path = tmp_path / "page.html"
    path.write_bytes(b"old")
    with pytest.raises(PermissionError, match="Access is denied") as raised:
        write_whole(path, b"new")
    assert (raised.value.filename, replace.calls) == (str(path), calls)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("file", "folder"), [("a .csv", "a"), ("b...csv", "b"), (" . .csv", "table")])
def test_the_folder_of_a_run_has_a_name_that_windows_keeps(
    tmp_path, monkeypatch, capsys, blank_pictures, file, folder
):
    """It drops spaces and points at the end of a name."""
    pytest.importorskip("pandas", reason="pandas reads tables: pip install 'chainrule[tables]'")
    monkeypatch.chdir(tmp_path)
    Path(file).write_text("x,y\n" + "1,a\n2,b\n" * 20, encoding="utf-8")
    main([file, "--target", "y", "--epochs", "1", "--hidden", "2"])
    assert [path.name for path in Path("runs").iterdir()] == [folder]


# ---- the lock of a run ---------------------------------------------------------------------------------------------


@pytest.fixture
def windows_locks(monkeypatch):
    """A byte that one descriptor locks, and files that cannot be removed while they are open."""
    if not Path("/proc/self/fd").exists():
        pytest.skip("which files are open is read from Linux's /proc")
    locked = {}

    def is_open(file):
        return any(link.resolve() == file.resolve() for link in Path("/proc/self/fd").iterdir() if link.exists())

    def locking(descriptor, mode, count):
        identity = os.fstat(descriptor).st_ino
        assert (mode, count) == (2, 1)
        holder = Path(f"/proc/self/fd/{locked.get(identity)}")
        if locked.get(identity) != descriptor and holder.exists() and holder.stat().st_ino == identity:
            raise PermissionError(errno.EACCES, "Permission denied")
        locked[identity] = descriptor

    unlink = Path.unlink

    def remove(path, missing_ok=False):
        if path.exists() and is_open(path):
            raise PermissionError(errno.EACCES, "The process cannot access the file", str(path), 32)
        unlink(path, missing_ok)

    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(LK_NBLCK=2, locking=locking))
    monkeypatch.setattr(runs, "sys", Like(sys, platform="win32"))
    monkeypatch.setattr(runs, "os", Like(os, name="nt"))
    monkeypatch.setattr(Path, "unlink", remove)


def test_a_second_run_is_kept_out_and_the_lock_removed_at_the_end(windows_locks, tmp_path):
    lock = tmp_path / runs.LOCK
    with runs._locked(tmp_path):
        with pytest.raises(ValueError, match="is in use by another run"), runs._locked(tmp_path):
            pass
        assert lock.exists()  # the refused one has not removed it
    assert not lock.exists()
    with runs._locked(tmp_path):
        assert lock.exists()


def test_a_run_trains_resumes_and_leaves_no_lock(windows_locks, tmp_path, blank_pictures, capsys):
    main(["moons", "--examples", "20", "--hidden", "2", "--epochs", "1", "--out", str(tmp_path)])
    main(["resume", str(tmp_path), "--epochs", "2"])
    assert not (tmp_path / runs.LOCK).exists()
    assert {path.name for path in tmp_path.iterdir()} == {*runs.KEPT, *runs.PICTURES}


# ---- pipes and processes -------------------------------------------------------------------------------------------

WINDOWS = """
import errno, os, sys
sys.path.insert(0, {tests!r})
from test_windows import Like
from autograd import command_line, engine_checks
"""


@pytest.mark.parametrize(
    ("system", "arguments", "status", "said"),
    [
        ("nt", "errno.EINVAL, 'Invalid argument'", 1, ""),  # the C library's name for a pipe that nobody reads
        ("nt", "errno.EINVAL, 'Invalid argument', 'a?.csv'", 2, "nn: a?.csv: Invalid argument\n"),
        ("nt", "errno.ENOSPC, 'No space left on device'", 2, "nn: [Errno 28] No space left on device\n"),
        ("posix", "errno.EINVAL, 'Invalid argument'", 2, "nn: [Errno 22] Invalid argument\n"),
        ("posix", "errno.EPIPE, 'Broken pipe'", 1, ""),
    ],
)
def test_a_closed_pipe_is_status_1_without_a_word(system, arguments, status, said):
    code = WINDOWS.format(tests=str(ROOT / "tests")) + (
        f"command_line.os = Like(os, name={system!r})\n"
        f"with command_line.command_line('python -m nn'):\n    raise OSError({arguments})"
    )
    done = python("-c", code)
    assert (done.returncode, done.stderr) == (status, said)


ENGINE = (ROOT / "nn/lecture/own_engine.py").read_text(encoding="utf-8")


@pytest.fixture
def spawning(monkeypatch):
    monkeypatch.setattr(engine_checks, "sys", Like(sys, platform="win32"))


def test_a_file_is_graded_in_a_spawned_process_and_a_class_in_a_thread(spawning, tmp_path):
    path = tmp_path / "engine.py"
    path.write_text(ENGINE, encoding="utf-8")
    assert str(check_engine(path, timeout=60.0)) == str(check_engine(path))
    assert check_engine(Value, timeout=60.0)
    path.write_text("import time\ntime.sleep(60)", encoding="utf-8")
    assert check_engine(path, timeout=0.2).bugs == ["endless"]


@pytest.mark.parametrize("system", ["win32", sys.platform])
def test_an_engine_that_ends_its_process_is_not_called_endless(monkeypatch, tmp_path, system):
    monkeypatch.setattr(engine_checks, "sys", Like(sys, platform=system))
    path = tmp_path / "engine.py"
    path.write_text("import os\nos._exit(0)", encoding="utf-8")
    verdict = check_engine(path, timeout=60.0)
    assert verdict.bugs == ["exits"] and "It ended the whole process." in str(verdict)


def test_a_script_without_a_main_guard_is_told_what_it_lacks(tmp_path):
    (tmp_path / "engine.py").write_text(ENGINE, encoding="utf-8")
    script = tmp_path / "script.py"
    check = "print(engine_checks.check_engine('engine.py', timeout=60.0))"
    start = WINDOWS.format(tests=str(ROOT / "tests")) + "engine_checks.sys = Like(sys, platform='win32')\n"
    script.write_text(start + check, encoding="utf-8")
    done = python(script, cwd=tmp_path)
    assert done.returncode == 1 and 'put the call below `if __name__ == "__main__":`' in done.stderr
    script.write_text(f"{start}if __name__ == '__main__':\n    {check}", encoding="utf-8")
    assert python(script, cwd=tmp_path).stdout.startswith("right in all ")


# ---- compiled code -------------------------------------------------------------------------------------------------

COMPILED = (
    WINDOWS
    + """
from ctypes import CDLL
import llvmlite.binding as llvm
from autograd import Value, hypot, record
from autograd.compiled import library

have = llvm.address_of_symbol
llvm.address_of_symbol = lambda name: 0 if name in {missing} else 1 if name == "__chkstk" else have(name)
llvm.add_symbol = lambda name, address: added.append((name, address)) or setattr(llvm, "address_of_symbol", have_all)
have_all = lambda name: have(name) or 1
added, mathematics = [], CDLL(None)
library.os = Like(os, name={system!r})
library.CDLL = lambda name: Like(mathematics, _hypot=mathematics.hypot)
x = Value(3.0)
for engine in ("auto", "compiled"):
    try:
        y = x
        for i in range(400):
            y = hypot(y, 4.0) - y * 0.5
        program = record(y, inputs=[x], engine=engine)
        print(program.engine, program([3.0]) == y.data, [name for name, address in added if address])
    except Exception as error:
        print(type(error).__name__, error)
"""
)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the C library of Linux stands in for Microsoft's")
@pytest.mark.parametrize(
    ("system", "missing", "said"),
    [
        ("nt", ["hypot"], ["compiled True ['hypot', 'chainrule_columns']"] * 2),
        ("posix", ["erf"], ["TypeError engine 'compiled': the C library has no erf: record with engine='auto'"]),
    ],
)
def test_code_that_calls_what_the_process_lacks_is_not_loaded(system, missing, said, tmp_path):
    pytest.importorskip("llvmlite", reason="the compiled engine is an extra: pip install 'chainrule[fast]'")
    code = COMPILED.format(tests=str(ROOT / "tests"), missing=missing, system=system)
    done = python("-c", code, CHAINRULE_CACHE=str(tmp_path))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[-len(said) :] == said and (system == "nt" or not lines[0].startswith("compiled"))


# ---- encodings -----------------------------------------------------------------------------------------------------


def without_encoding(source):
    """The lines that read or write text in the encoding of the system, which is cp1252 on Windows."""
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call):
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
            mode = given.get("mode", ast.unparse(call.args[1]) if len(call.args) > 1 else "'r'")
            text = (name == "open" and isinstance(call.func, ast.Name) and "b" not in mode) or (
                name in ("read_text", "write_text", "NamedTemporaryFile")
            )
            text |= name in ("run", "Popen", "check_output") and given.get("text") == "True"
            if text and "encoding" not in given:
                yield call.lineno


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_text_file_names_its_encoding(path):
    assert not [*without_encoding(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize(
    "source", ["open('a')", "open('a', 'w')", "p.read_text()", "p.write_text('ä')", "run(['a'], text=True)"]
)
def test_a_missing_encoding_is_seen(source):
    assert [*without_encoding(source)] == [1]
    assert not [*without_encoding("open('a', 'rb'); open('a', encoding='utf-8'); p.read_bytes(); run(['a'])")]
