"""Tests that files are written whole or not at all: a kill at any step, a full disk, a read-only folder."""

import errno
import json
import os
from io import FileIO

import pytest
from conftest import ROOT, python

from autograd import files
from autograd.files import append, write_whole
from nn import MLP
from nn.checkpoint import save

KILLED = """
import os, sys
from pathlib import Path
from autograd import files
from autograd.files import write_whole
step = sys.argv[2]

def die(*arguments, **options):
    os._exit(9)

if step == "before":
    files.open = die
elif step == "open":
    files.open = lambda *arguments: (open(*arguments), die())
elif step == "write":
    class Half:
        def __init__(self, file): self.file = file
        def __enter__(self): return self
        def __exit__(self, *error): pass
        def write(self, content):
            self.file.write(content[: len(content) // 2]); self.file.flush(); die()
    files.open = lambda *arguments: Half(open(*arguments))
elif step == "after":
    replace = os.replace
    os.replace = lambda *arguments: (replace(*arguments), die())
else:
    setattr(os, step, die)
write_whole(Path(sys.argv[1]), b"new " * 1000)
"""


@pytest.mark.parametrize("step", ["before", "open", "write", "fsync", "replace", "after"])
def test_a_kill_at_any_step_of_a_write_leaves_the_old_file_or_the_new_one_whole(tmp_path, step):
    path = tmp_path / "weights"
    path.write_bytes(b"old")
    assert python("-c", KILLED, path, step, cwd=tmp_path).returncode == 9
    assert path.read_bytes() == (b"new " * 1000 if step == "after" else b"old")


def full(*arguments, **options):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("step", ["open", "fsync", "replace"])
def test_a_full_disk_keeps_the_old_file_and_leaves_nothing_beside_it(tmp_path, monkeypatch, step):
    path = tmp_path / "weights"
    path.write_bytes(b"old")
    monkeypatch.setattr(files if step == "open" else os, step, full, raising=False)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("fault", ["write", "fsync"])
def test_adding_to_a_file_on_a_full_disk_leaves_it_as_it_was(tmp_path, monkeypatch, fault):
    path = tmp_path / "records"
    append(path, b"first\n")
    if fault == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    else:
        monkeypatch.setattr(files, "open", lambda *names, **options: Half(path), raising=False)
    with pytest.raises(OSError, match="No space left") as raised:
        append(path, b"second\n")
    assert raised.value.filename == str(path)
    monkeypatch.undo()
    assert path.read_bytes() == b"first\n"
    append(path, b"third\n")
    assert path.read_bytes() == b"first\nthird\n"


class Half(FileIO):
    """A file of which the disk takes half."""

    def __init__(self, path):
        super().__init__(path, "ab")

    def write(self, content):
        return super().write(content[: len(content) // 2])


WRITERS = """
import contextlib, io, json, os, resource, sys
from pathlib import Path
from random import Random

from autograd import Value, draw, walk
from autograd.__main__ import main as autograd_main
from nn import MLP, SGD, Training, binary_cross_entropy
from nn.__main__ import main
from nn.checkpoint import save, save_training
from nn.lecture.claims import run
from nn.data import moons
from release import main as release

folder = Path("folder")
x = Value(2.0, "x")
f = x * x
f.backward()
data = moons(20, rng=Random(0))
model = MLP(2, [2, 1], rng=Random(0))
training = Training(model, binary_cross_entropy, SGD(model.parameters(), 0.1), data, data, epochs=1, progress=False)
list(training)
(claim,) = run(["batch-noise"], 0)
Path("source.ipynb").write_text(json.dumps({"cells": [], "filler": "x" * 200}))
SMALL = ["moons", "--examples", "20", "--hidden", "2", "--epochs"]

library = {
    "weights.safetensors": lambda path: save(model, path),
    "training.safetensors": lambda path: save_training(training, path),
    "claim.png": claim.plot,
    "walk.html": walk(f).save,
    **{"drawing" + end: draw(f).save for end in (".svg", ".html", ".md", ".dot", ".png", ".pdf")},
}
commands = {
    "release.ipynb": lambda path: release(["source.ipynb", str(path)]),
    "page.html": lambda path: autograd_main(["x*x", "x=2", "--html", str(path)]),
    "run": lambda path: main([*SMALL, "1", "--out", str(path)]),
    "longer": lambda path: main(["resume", str(path), "--epochs", "3"]),
    "lab.html": lambda path: main(["lab", "moons", "--save", str(path)]),
    "claims": lambda path: main(["claims", "batch-noise", "--out", str(path)]),
    "predicted.csv": lambda path: main(["predict", str(folder / "run"), "new.csv", "--out", str(path)]),
}

def outcome(write, path):
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
            write(path)
    except OSError as error:
        return str(error)
    except SystemExit as left:
        lines = [line for line in said.getvalue().splitlines() if line and "\\r" not in line]
        assert len(lines) == 1 or not left.code, lines
        return lines[0] if left.code == 2 else ""
    return ""

def files():
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

folder.mkdir()
main([*SMALL, "1", "--out", str(folder / "longer")])
Path("new.csv").write_text("x₁,x₂\\n" + "0.5,0.25\\n" * 20, encoding="utf-8")
for name, write in (library | commands).items():
    if name != "longer":
        assert outcome(write, folder / name) == "", name
before = files()
assert all(len(content) > 64 for path, content in before.items()), before
paths = [folder, *folder.rglob("*")]
said = {}
for fault in ("full", "read-only"):
    if fault == "full":
        resource.setrlimit(resource.RLIMIT_FSIZE, (64, resource.RLIM_INFINITY))
    else:
        for path in paths:
            path.chmod(0o555 if path.is_dir() else 0o444)
        if os.geteuid() == 0:
            Path.cwd().chmod(0o755)
            os.seteuid(65534)  # whom the folder's rights bind
    said[fault] = {name: outcome(write, folder / name) for name, write in (library | commands).items()}
    os.seteuid(os.getuid())
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert files() == before, fault
    assert [folder, *folder.rglob("*")] == paths, fault
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """What each writer says to each fault."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "notebooks" / "exercises")])
    done = python("-c", WRITERS, cwd=tmp_path_factory.mktemp("writers"), PYTHONPATH=path)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow  # every writer runs three times
@pytest.mark.parametrize(("fault", "words"), [("full", "File too large"), ("read-only", "Permission denied")])
def test_every_writer_leaves_the_old_files_and_says_in_one_line_why(answers, fault, words):
    assert len(answers[fault]) == 17
    for name, said in answers[fault].items():
        assert words in said and name in said, (name, said)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        save(MLP(2, [1]), tmp_path / "nowhere" / "weights.safetensors")
