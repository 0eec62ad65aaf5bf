"""The files in a run's folder: writing them, reading them back, and keeping those of two runs apart.

    config.json              everything that the run depends on
    records.jsonl            a line for each epoch: losses, accuracies, and each layer's δ, changes and stuck units
    checkpoint.safetensors   all scalars that the next epoch depends on, and the weights of the best epoch
    weights.safetensors      the weights of the best epoch on validation data, with the fitted preprocessing
    picture.png, layers.png  loss with decision boundary or confusion matrix; the layers by epoch
    history/, watch.html     with --watch: the weights after each epoch, and the page that plays the run

The checkpoint is written whole after every epoch and holds the checksum of the records up to it, so a run that is
killed continues from there. All files name their run. A lock, which ends with its process, keeps a second run out.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from autograd.command_line import warn
from autograd.files import write_whole
from autograd.text import counted
from nn.checkpoint import load_metadata, save_training
from nn.cli.experiment import Config, Experiment

KEPT = "config.json", "records.jsonl", "checkpoint.safetensors", "weights.safetensors"
CONFIG, RECORDS, CHECKPOINT, WEIGHTS = KEPT
PICTURES, FILM, LOCK = ("picture.png", "layers.png"), "watch.html", ".chainrule.lock"
HISTORY, STATES = "history", "*.safetensors"


def read_config(folder: Path) -> Config:
    """The configuration of a run. Raises ValueError for a folder that holds no run."""
    try:
        with trusting_config(folder):
            config: Config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
            config["schema"]
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"{folder} holds no run: there is no {CONFIG} in it") from None
    return config


@contextmanager
def trusting_config(folder: Path) -> Iterator[None]:
    """Turns the errors of code that uses a configuration unchecked into a ValueError that names its file."""
    unlike = KeyError, TypeError, AttributeError, IndexError, json.JSONDecodeError, UnicodeDecodeError
    try:
        yield
    except unlike as error:
        raise ValueError(f"{folder / CONFIG} is not as a run wrote it: {type(error).__name__} {error}") from None


def write_config(experiment: Experiment, folder: Path) -> None:
    """Write the configuration; half of a surrogate pair, which UTF-8 lacks, as JSON's own \\udcff."""
    text = json.dumps(experiment.config, indent=2, ensure_ascii=False)
    write_whole(folder / CONFIG, text.encode(errors="backslashreplace"))


def write_checkpoint(experiment: Experiment, folder: Path, records: str) -> None:
    """Write the state of the training, with the checksum of the records so far."""
    done = str(len(experiment.training.records))
    metadata = {**origin(experiment), "epochs": done, "records": records}
    save_training(experiment.training, folder / CHECKPOINT, metadata, experiment.preprocessing, records=False)


def read_records(config: Config, folder: Path) -> list[bytes]:
    """The lines of the epochs in the checkpoint; the file may hold one more, or a part of one."""
    metadata = read_metadata(config, folder, CHECKPOINT)
    lines = (folder / RECORDS).read_bytes().splitlines(keepends=True)[: int(metadata["epochs"])]
    if sha256(b"".join(lines)).hexdigest() != metadata["records"]:
        known = f"the records of the {counted(int(metadata['epochs']), 'epoch')} in {CHECKPOINT}"
        raise ValueError(f"{folder / RECORDS} does not begin with {known}: restore it, or start the run again")
    return lines


def read_metadata(config: Config, folder: Path, name: str) -> dict[str, str]:
    """What a file says about its run. Raises ValueError if it belongs to another run or to other settings."""
    metadata = load_metadata(folder / name, checked=name == CHECKPOINT)
    if metadata.get("run") != config.get("run"):  # files of earlier versions name no run
        raise ValueError(f"{folder} holds {CONFIG} of one run and {name} of another: start the run again")
    for setting, then in json.loads(metadata.get("config", "{}")).items():
        if setting not in ("epochs", "data") and config.get(setting, then) != then:  # `resume` may change these
            now = f"{folder / CONFIG} has {setting} = {config[setting]!r}, and {name} was trained with {then!r}"
            raise ValueError(f"{now}: set it back, or start a new run")
    return metadata


def origin(experiment: Experiment) -> dict[str, str]:
    """The metadata by which a file names its run."""
    return {"config": json.dumps(experiment.config), "run": experiment.config["run"]}


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps other processes and threads from training in the folder. Raises ValueError where one does already.

    The operating system drops the lock when the process ends. Where it has no locks, a warning says so.
    """
    path = folder / LOCK
    with open(path, "ab") as file:
        try:
            _lock(file.fileno())
            if not os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
                raise FileNotFoundError  # by a run that has just ended
        except (BlockingIOError, PermissionError, FileNotFoundError):
            raise ValueError(f"{folder} is in use by another run: wait for it, or name another (--out)") from None
        except (OSError, ImportError) as error:
            warn(f"{folder} cannot be locked, {error}: start no second run in it")
        try:
            yield
        finally:
            with suppress(OSError):  # Windows keeps what is open
                path.unlink()


def _lock(file: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
