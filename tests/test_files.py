"""Files are written whole or not at all: a kill at any step, a full disk, a folder that cannot be written to."""

import errno
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from autograd import files
from autograd.files import write_whole
from nn import MLP
from nn.checkpoint import load, save

ROOT = Path(__file__).parent.parent

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
    done = subprocess.run(
        [sys.executable, "-c", KILLED, path, step], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 9
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


def test_a_folder_that_cannot_be_written_to_is_the_systems_own_error(tmp_path, monkeypatch):
    def forbidden(*arguments, **options):
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path))

    path = tmp_path / "weights.safetensors"
    model = MLP(2, [1], rng=Random(0))
    save(model, path)
    before = path.read_bytes()
    monkeypatch.setattr(files, "open", forbidden, raising=False)  # a superuser may write anywhere
    with pytest.raises(PermissionError, match="Permission denied"):
        save(MLP(2, [1], rng=Random(1)), path)
    assert path.read_bytes() == before
    load(model, path)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        save(MLP(2, [1]), tmp_path / "nowhere" / "weights.safetensors")
