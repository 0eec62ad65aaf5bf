"""A run from its first epoch to its last, interrupted and resumed as often as needed."""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from shutil import get_terminal_size
from tempfile import TemporaryDirectory

from autograd.files import append, write_whole
from autograd.text import counted
from nn.batch_norm import calibrate
from nn.checkpoint import load_training, save
from nn.cli import run_files
from nn.cli.experiment import Config, Experiment, build
from nn.cli.report import diagnose, introduce, report, title
from nn.cli.run_files import CHECKPOINT, CONFIG, FILM, HISTORY, PICTURES, RECORDS, STATES, WEIGHTS
from nn.diagnostics import LayerRecord
from nn.records import EpochRecord, epoch_line


def start(config: Config, folder: Path) -> None:
    """Start a run in its folder, where it replaces an older one, and train to the end.

    Raises ValueError if another run is training there, or if files with these names are there without a run: they
    belong to something else.
    """
    taken = [name for name in (RECORDS, CHECKPOINT, WEIGHTS, *PICTURES, FILM, HISTORY) if (folder / name).exists()]
    if (folder / CONFIG).exists():
        run_files.read_config(folder)
    elif taken:
        raise ValueError(f"{folder} holds {taken[0]} without a {CONFIG}: name another folder (--out)")
    experiment = build({**config, "run": token_hex(8)})
    folder.mkdir(parents=True, exist_ok=True)
    with run_files.locked(folder):
        with TemporaryDirectory(prefix=".", suffix=".part", dir=folder) as new:
            run_files.write_config(experiment, Path(new))
            write_whole(Path(new) / RECORDS, b"")
            run_files.write_checkpoint(experiment, Path(new), sha256().hexdigest())
            # the disk has room for the new run: only now remove the old one, of which all files count or none
            if (folder / HISTORY).is_symlink():
                (folder / HISTORY).unlink()  # as with a file, a link is replaced and not followed
            for old in (*map(folder.joinpath, (WEIGHTS, FILM, *PICTURES)), *(folder / HISTORY).glob(STATES)):
                old.unlink(missing_ok=True)
            for name in (RECORDS, CONFIG, CHECKPOINT):
                os.replace(Path(new) / name, folder / name)
        introduce(experiment)
        _train(experiment, folder, b"")


def resume(folder: Path, epochs: int | None = None, data: Path | None = None) -> None:
    """Continue an interrupted run, or extend one to more epochs, as if it had never stopped.

    data   the new path of its table, if that was moved

    The schedules linear and cosine end with the last epoch, so more epochs change them, and a line says so. Raises
    ValueError if the run is training already, if its files are damaged or belong to several runs, for fewer epochs
    than it has had, and what ``read_config`` and ``load_training`` raise.
    """
    run_files.read_config(folder)  # before a lock appears in a folder without a run
    with run_files.locked(folder):
        config = run_files.read_config(folder)
        experiment = _rebuilt(config, folder, epochs, data)
        if (folder / WEIGHTS).exists():
            run_files.read_metadata(config, folder, WEIGHTS)
        lines = run_files.read_records(config, folder)
        records = [json.loads(line) for line in lines]
        experiment.diagnosis.records = [[LayerRecord(**l) for l in record.pop("layers")] for record in records]
        load_training(experiment.training, folder / CHECKPOINT, [EpochRecord(**record) for record in records])
        done, all_epochs = len(records), experiment.config["epochs"]
        if epochs is not None and epochs < done:
            raise ValueError(f"epochs = {epochs}: the run in {folder} has had {done}, and cannot go back")
        experiment.diagnosis.forget()
        run_files.write_config(experiment, folder)
        write_whole(folder / RECORDS, b"".join(lines))
        print(f"{title(experiment)}: going on after epoch {done} of {all_epochs}")
        if config["schedule"] in ("linear", "cosine") and all_epochs != config["epochs"]:
            over = f"{counted(all_epochs, 'epoch')} from here on, and was over {config['epochs']}"
            print(f"schedule: {config['schedule']} is over {over}")
        _train(experiment, folder, b"".join(lines))


def _rebuilt(config: Config, folder: Path, epochs: int | None, data: Path | None) -> Experiment:
    """The run's experiment before its first epoch, with the new number of epochs and path of the table."""
    is_file = "sha256" in config
    if is_file and not (data or Path(config["data"])).is_file():
        raise ValueError(f"{data or config['data']} is not there: python -m nn resume {folder} --data FILE.csv")
    if data is not None and not is_file:
        raise ValueError(f"--data {data}: the run in {folder} learns {config['data']}, which is not a file")
    new = {"epochs": epochs, "data": data and str(data.resolve())}
    with run_files.trusting_config(folder):
        return build(config | {name: x for name, x in new.items() if x is not None})


def _train(experiment: Experiment, folder: Path, written: bytes) -> None:
    """Train to the end. ``written`` is the records so far."""
    training, epochs, checksum = experiment.training, experiment.config["epochs"], sha256(written)
    done = len(training.records)
    print(f"engine: {training.choose_engine()} ({training.reason})")
    try:
        for record in training:
            layers = [layer._asdict() for layer in experiment.diagnosis.measure()]
            line = (json.dumps({**record._asdict(), "layers": layers}) + "\n").encode()
            append(folder / RECORDS, line)
            checksum.update(line)
            if experiment.config["watch"]:
                (folder / HISTORY).mkdir(exist_ok=True)
                save(training.model, folder / HISTORY / f"{record.epoch:06}.safetensors")
            run_files.write_checkpoint(experiment, folder, checksum.hexdigest())
            done = record.epoch
            if record.epoch == 1 or record.epoch % max(1, epochs // 10) == 0:
                print(epoch_line(record, epochs, get_terminal_size((100, 24)).columns), flush=True)
    except ArithmeticError as error:
        diagnose(experiment)
        blew = f"training blew up in epoch {done + 1}: {error} (--learning-rate, --clip-norm)"
        if best := training.restore_best():
            _keep(experiment, folder)
            blew += f"; {folder / WEIGHTS} holds epoch {best.epoch}, the best until then"
        raise ValueError(blew) from None
    except KeyboardInterrupt:
        goes_on = f"it goes on with: python -m nn resume {folder}"
        raise KeyboardInterrupt(f"interrupted after epoch {done}; {goes_on}") from None
    best = training.restore_best()
    print(f"stopped {training.stopped}" + (f"; kept epoch {best.epoch}, best on validation data" if best else ""))
    _keep(experiment, folder)
    report(experiment, folder)


def _keep(experiment: Experiment, folder: Path) -> None:
    """Save the weights, after calibration if the run has that option, and the preprocessing that inputs need."""
    if experiment.config["calibrate"]:
        calibrate(experiment.model, experiment.data.training.X)
        print("batch normalisation: mean and variance of all training data from here on")
    save(experiment.model, folder / WEIGHTS, run_files.origin(experiment), experiment.preprocessing)
