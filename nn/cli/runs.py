"""A run is a folder: what was asked for, what each epoch measured, the weights, the plots, and a checkpoint.

    config.json              everything that the run depends on
    records.jsonl            a line for each epoch: losses, accuracies, and each layer's δ, changes and stuck units
    checkpoint.safetensors   all scalars that the next epoch depends on, and the weights of the best epoch
    weights.safetensors      the weights of the best epoch on validation data, with the fitted preprocessing
    picture.png, layers.png  loss with decision boundary or confusion matrix; the layers by epoch
    history/, watch.html     with --watch the weights after each epoch, and the page on which the run passes by

After every epoch a line is added to the records, and the checkpoint, which knows their checksum, is written whole:
a run that is interrupted or killed goes on from there, and each epoch writes as much as the first. The files name
their run, so that those of two are never mixed; a lock, which ends with its process, keeps a second run out.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from math import exp, fsum, isnan
from pathlib import Path
from random import Random
from secrets import token_hex
from shutil import get_terminal_size
from tempfile import TemporaryDirectory
from typing import Any

from autograd.files import append, write_whole
from autograd.text import counted, text_name
from nn.batch_norm import calibrate
from nn.checkpoint import BEST, load, load_metadata, load_preprocessing, load_training, save, save_training
from nn.cli.csv_tables import READING, Column, Schema, read_table
from nn.cli.experiment import Config, Experiment, build, loss_of, network
from nn.data import Dataset, Split
from nn.diagnostics import LayerRecord
from nn.evaluation import REGRESSION, Task, evaluate, numbers_of, outputs_of, to_digits
from nn.plots import layers_picture, picture
from nn.records import EpochRecord, epoch_line

KEPT = "config.json", "records.jsonl", "checkpoint.safetensors", "weights.safetensors"
CONFIG, RECORDS, CHECKPOINT, WEIGHTS = KEPT
PICTURES, FILM, LOCK = ("picture.png", "layers.png"), "watch.html", ".chainrule.lock"
HISTORY, STATES = "history", "*.safetensors"


def start(config: Config, folder: Path) -> None:
    """Begin a run in its folder, where it takes the place of an older one, and train to the end.

    Raises ValueError for a folder in which another run is training, and one with files of these names that are not
    of a run: somebody needs them.
    """
    taken = [name for name in (RECORDS, CHECKPOINT, WEIGHTS, *PICTURES, FILM, HISTORY) if (folder / name).exists()]
    if (folder / CONFIG).exists():
        read_config(folder)
    elif taken:
        raise ValueError(f"{folder} holds {taken[0]} and no {CONFIG}, so no run: name another folder (--out)")
    experiment = build({**config, "run": token_hex(8)})
    folder.mkdir(parents=True, exist_ok=True)
    with _alone_in(folder):
        with TemporaryDirectory(prefix=".", suffix=".part", dir=folder) as new:
            _write_config(experiment, Path(new))
            write_whole(Path(new) / RECORDS, b"")
            _save_training(experiment, Path(new), sha256().hexdigest())
            # there is room for the new run: only now the old one goes, whose files go on together or not at all
            if (folder / HISTORY).is_symlink():
                (folder / HISTORY).unlink()  # as with a file, a link is replaced and not followed
            for old in (*map(folder.joinpath, (WEIGHTS, FILM, *PICTURES)), *(folder / HISTORY).glob(STATES)):
                old.unlink(missing_ok=True)
            for name in (RECORDS, CONFIG, CHECKPOINT):
                os.replace(Path(new) / name, folder / name)
        _introduce(experiment)
        _train(experiment, folder, b"")


def _introduce(experiment: Experiment) -> None:
    """Say what was read and built."""
    if "sha256" in experiment.config:
        print(f"{text_name(Path(experiment.config['data']).name)}: {experiment.schema}")
        for name in experiment.schema.counting:
            told = f"{text_name(name)} goes up by 1 from row to row: if it only counts them, leave it out"
            print(f"{told} (--ignore {name!r})" if name else "the first column has no name, and is left out")
    if experiment.schema.target.categories is None:
        mean, deviation = experiment.data.training.units
        print(f"regression: the target is standardised, {to_digits(mean)} ± {to_digits(deviation)} in the training "
              "data; RMSE and predictions are in its own units")  # fmt: skip
    parts = " / ".join(str(len(part.y)) for part in experiment.data)
    print(f"{_title(experiment)}: {parts} examples to train, validate and test")
    for label, name in enumerate(experiment.data.training.classes):
        counts = dict(zip(("train", "validate", "test"), (part.y.count(label) for part in experiment.data)))
        if absent := " or ".join(role for role, count in counts.items() if not count):
            print(f"class {name!r} has only {counted(sum(counts.values()), 'example')}: none to {absent}")
    if experiment.preprocessing.steps:
        print(f"preprocessing: {experiment.preprocessing!r}, fitted on the training data")
    print(f"network: {experiment.network}, {len(experiment.model.parameters())} parameters, each a scalar node")


def resume(folder: Path, epochs: int | None = None, data: Path | None = None) -> None:
    """Go on with an interrupted run, or to more epochs, as if it had never stopped.

    data   where its table is now, if it was moved

    The schedules linear and cosine end with the last epoch: over more epochs they are others, and a line says so.
    Raises ValueError for a folder in which a run is training, one whose files are damaged or of several runs, fewer
    epochs than it has had, and as ``read_config`` and ``load_training``.
    """
    read_config(folder)  # what is not a run gets no lock either
    with _alone_in(folder):
        config = read_config(folder)
        if "sha256" in config and not (data or Path(config["data"])).is_file():
            raise ValueError(f"{data or config['data']} is not there: python -m nn resume {folder} --data FILE.csv")
        if data is not None and "sha256" not in config:
            raise ValueError(f"--data {data}: the run in {folder} learns {config['data']}, which is not a file")
        with _believing(folder):
            new = {"epochs": epochs, "data": data and str(data.resolve())}
            experiment = build(config | {name: x for name, x in new.items() if x is not None})
        if (folder / WEIGHTS).exists():
            _metadata(config, folder, WEIGHTS)
        lines = _read_records(config, folder)
        records = [json.loads(line) for line in lines]
        experiment.diagnosis.records = [[LayerRecord(**l) for l in record.pop("layers")] for record in records]
        load_training(experiment.training, folder / CHECKPOINT, [EpochRecord(**record) for record in records])
        done = len(records)
        if epochs is not None and epochs < done:
            raise ValueError(f"epochs = {epochs}: the run in {folder} has had {done}, and cannot go back")
        experiment.diagnosis.forget()
        _write_config(experiment, folder)
        write_whole(folder / RECORDS, b"".join(lines))
        print(f"{_title(experiment)}: going on after epoch {done} of {experiment.config['epochs']}")
        if config["schedule"] in ("linear", "cosine") and experiment.config["epochs"] != config["epochs"]:
            over = f"{counted(experiment.config['epochs'], 'epoch')} from here on, and was over {config['epochs']}"
            print(f"schedule: {config['schedule']} is over {over}")
        _train(experiment, folder, b"".join(lines))


def predictions(folder: Path, path: Path, reading: Mapping[str, Any]) -> tuple[str, str]:
    """The rows of a table with what the run's network predicts, as CSV, and how good that is where it is known.

    reading   how the table is written, as for ``read_table``; what is left out is as in training

    The columns are found by name; ``prediction`` and, for classes, ``probability`` are added, with the separator and
    the decimal mark of the table. What the network cannot know is said on stderr.
    """
    config = read_config(folder)
    with _believing(folder):
        columns, target = config["schema"]["columns"], config["schema"]["target"]
        schema = Schema([Column(*column) for column in columns], Column(*target))
    source, part = (WEIGHTS, "") if (folder / WEIGHTS).exists() else (CHECKPOINT, BEST)
    metadata = _metadata(config, folder, source)
    if source == CHECKPOINT:
        best = json.loads(metadata["training"])["best"]
        if best is None:
            raise ValueError(f"{folder} has no weights yet: python -m nn resume {folder}")
        warn(f"the run has not ended: the weights are those of epoch {best['epoch']}, the best so far")
    preprocessing = load_preprocessing(folder / source)
    table = read_table(path, **{name: reading[name] or config.get(name) for name in READING})
    if twice := [name for name in ("prediction", "probability") if name in table.written.columns]:
        raise ValueError(f"{path} has a column {twice[0]!r}, as one is added: give it another name")
    X, unknown = schema.examples(table)
    X = preprocessing.transform(X) if preprocessing else X
    classes = schema.target.categories or []
    with _believing(folder):
        model = network(config, len(X[0]), len(classes), Random(0))
        mean, deviation = config.get("units", (0.0, 1.0))
    load(model, folder / source, part)
    outputs, loss = outputs_of(model, X), loss_of(len(classes))
    numbers = numbers_of(outputs)
    if classes:
        task = Task.of(loss, Dataset([[0.0]], [0], classes), len(numbers[0]))
        labels = [task.decide(units) for units in numbers]
        added: dict[str, list[Any]] = {"prediction": [classes[label] for label in labels]}
        added["probability"] = [exp(-loss(output, label).data) for output, label in zip(outputs, labels)]
    else:
        task = Task(REGRESSION, units=(mean, deviation))
        added = {"prediction": [task.prediction(units) for units in numbers]}
    number = "%.4f" if classes else to_digits
    text = table.written.assign(**added).to_csv(
        sep=table.sep, decimal=table.decimal, float_format=number, index=False, lineterminator="\n"
    )
    for sentence in unknown:
        warn(sentence)
    known = [(units, (y - mean) / deviation) for units, y in zip(numbers, schema.targets(table)) if not isnan(y)]
    if not known:
        return text, ""
    found, y = zip(*known)
    others = f"; {len(numbers) - len(y)} more without a known target" if len(numbers) > len(y) else ""
    measured = ", ".join(f"{name}: {x}" for name, x in task.metrics(task.tally(found, y), y).texts().items())
    return text, f"{measured} of {counted(len(y), 'row')}{others}"


def read_config(folder: Path) -> Config:
    """The configuration of a run. ValueError for a folder that holds none."""
    try:
        with _believing(folder):
            config: Config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
            config["schema"]
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"{folder} holds no run: there is no {CONFIG} in it") from None
    return config


@contextmanager
def _believing(folder: Path) -> Iterator[None]:
    """Inside, the configuration is taken at its word; ValueError names the file where it cannot be."""
    unlike = KeyError, TypeError, AttributeError, IndexError, json.JSONDecodeError, UnicodeDecodeError
    try:
        yield
    except unlike as error:
        raise ValueError(f"{folder / CONFIG} is not as a run wrote it: {type(error).__name__} {error}") from None


def _train(experiment: Experiment, folder: Path, written: bytes) -> None:
    """Train to the end, with the records that were written so far."""
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
            _save_training(experiment, folder, checksum.hexdigest())
            done = record.epoch
            if record.epoch == 1 or record.epoch % max(1, epochs // 10) == 0:
                print(epoch_line(record, epochs, get_terminal_size((100, 24)).columns), flush=True)
    except ArithmeticError as error:
        for verdict in experiment.diagnosis.verdicts(experiment.data.test):
            print(f"diagnosis: {verdict}")
        blew = f"training blew up in epoch {done + 1}: {error} (--learning-rate, --clip-norm)"
        if best := training.restore_best():
            _keep(experiment, folder)
            blew += f"; {folder / WEIGHTS} holds epoch {best.epoch}, the best until then"
        raise ValueError(blew) from None
    except KeyboardInterrupt:
        goes_on = f"it goes on with: python -m nn resume {folder}"
        raise KeyboardInterrupt(f"interrupted after epoch {done}; {goes_on}") from None
    _report(experiment, folder)


def _keep(experiment: Experiment, folder: Path) -> None:
    """Save the weights as they are, with all that predictions need."""
    if experiment.config["calibrate"]:
        calibrate(experiment.model, experiment.data.training.X)
        print("batch normalisation: mean and variance of all training data from here on")
    save(experiment.model, folder / WEIGHTS, _origin(experiment), experiment.preprocessing)


def _save_training(experiment: Experiment, folder: Path, records: str) -> None:
    """Write the checkpoint, with the checksum of the records."""
    done = str(len(experiment.training.records))
    metadata = {**_origin(experiment), "epochs": done, "records": records}
    save_training(experiment.training, folder / CHECKPOINT, metadata, experiment.preprocessing, records=False)


def _report(experiment: Experiment, folder: Path) -> None:
    training, model, data = experiment.training, experiment.model, experiment.data
    best = training.restore_best()
    print(f"stopped {training.stopped}" + (f"; kept epoch {best.epoch}, best on validation data" if best else ""))
    _keep(experiment, folder)
    measured = [evaluate(model, training.loss, part, training.task)[1].texts() for part in data]
    for name in measured[0]:
        print(f"{name}: " + ", ".join(f"{role} {part[name]}" for role, part in zip(Split._fields, measured)))
    if training.task.kind == REGRESSION:
        always, tally = f"{to_digits(data.training.units[0])}, the mean", [fsum(y * y for y in data.test.y)]
    else:
        label, _ = max(Counter(data.training.y).items(), key=lambda pair: (pair[1], -pair[0]))
        always, tally = f"{data.training.classes[label]!r}, the most frequent class", [data.test.y.count(label)]
    [(name, number), *_] = training.task.metrics(tally, data.test.y).texts().items()
    print(f"for comparison: always {always}: test {f'{name} {number}'.removeprefix('accuracy ')}")
    for verdict in experiment.diagnosis.verdicts(data.test):
        print(f"diagnosis: {verdict}")
    print(f"weights: {text_name(str(folder / WEIGHTS))}")
    if experiment.config["watch"]:
        _film(experiment, folder)
        print(f"film: {text_name(str(folder / FILM))}")
    name = f"{_title(experiment)}, {experiment.network}"
    title = f"{name}: test {' '.join(next(iter(measured[-1].items())))}"
    try:
        picture(folder / PICTURES[0], model, data, training.records, title, experiment.schema.target.name)
        layers_picture(folder / PICTURES[1], experiment.diagnosis.records, f"{name}: the layers")
        print("pictures: " + ", ".join(text_name(str(folder / name)) for name in PICTURES))
    except ImportError as error:
        print(f"no picture: {error}")


def _film(experiment: Experiment, folder: Path) -> None:
    """The page on which the whole run passes by, from the weights that each of its epochs left."""
    from nn.watching import watch

    model, kept, history = experiment.model, experiment.model.state_dict(), []
    for path in sorted((folder / HISTORY).glob(STATES))[: len(experiment.training.records)]:
        load(model, path)
        history.append(model.state_dict())
    model.load_state_dict(kept)
    write_whole(folder / FILM, watch(experiment.training, history).page.encode())


def _title(experiment: Experiment) -> str:
    return text_name(Path(experiment.config["data"].removesuffix(".gz")).stem)


def _write_config(experiment: Experiment, folder: Path) -> None:
    text = json.dumps(experiment.config, indent=2, ensure_ascii=False)
    write_whole(folder / CONFIG, text.encode(errors="backslashreplace"))  # half a surrogate, as JSON's own \udcff


def _read_records(config: Config, folder: Path) -> list[bytes]:
    """The lines of the epochs that the checkpoint knows: one more may be there, or a part of it."""
    metadata = _metadata(config, folder, CHECKPOINT)
    lines = (folder / RECORDS).read_bytes().splitlines(keepends=True)[: int(metadata["epochs"])]
    if sha256(b"".join(lines)).hexdigest() != metadata["records"]:
        known = f"the records of the {counted(int(metadata['epochs']), 'epoch')} that {CHECKPOINT} knows"
        raise ValueError(f"{folder / RECORDS} does not begin with {known}: bring it back, or begin the run again")
    return lines


def _origin(experiment: Experiment) -> dict[str, str]:
    """What each file says of the run that wrote it."""
    return {"config": json.dumps(experiment.config), "run": experiment.config["run"]}


def _metadata(config: Config, folder: Path, name: str) -> dict[str, str]:
    """What a file says of its run. ValueError for one of another run or of other settings."""
    metadata = load_metadata(folder / name, checked=name == CHECKPOINT)
    if metadata.get("run") != config.get("run"):  # files of earlier versions name no run
        raise ValueError(f"{folder} holds {CONFIG} of one run and {name} of another: begin the run again")
    for setting, then in json.loads(metadata.get("config", "{}")).items():
        if setting not in ("epochs", "data") and config.get(setting, then) != then:  # `resume` may change these
            now = f"{folder / CONFIG} has {setting} = {config[setting]!r}, and {name} was trained with {then!r}"
            raise ValueError(f"{now}: set it back, or begin a new run")
    return metadata


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Inside, no other process or thread trains in the folder; ValueError where one does.

    The system ends the lock with its process, however that ends. Where it has no locks, a line says so.
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
            warn(f"{folder} cannot be locked, {error}: begin no second run in it")
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


def warn(message: str) -> None:
    """A line beside the results, which may be going into a file."""
    print("\n".join(map(text_name, message.split("\n"))), file=sys.stderr)
