"""Training runs stored in folders, which can be interrupted and resumed, with their reports and predictions.

    config.json              everything that the run depends on
    records.jsonl            one line per epoch: losses, metrics, and the measurements of each layer
    checkpoint.safetensors   all numbers that the next epoch depends on, and the weights of the best epoch
    weights.safetensors      the weights of the best epoch on validation data, with the fitted preprocessing
    picture.png, layers.png  loss with decision boundary, confusion matrix or fit; the layers by epoch

The checkpoint is written atomically after every epoch and contains the checksum of the records so far, so that a
killed run can continue from it. Every file contains the identifier of its run. A lock, which ends with the process,
prevents a second run in the same folder.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from math import exp, isnan
from pathlib import Path
from secrets import token_hex
from shutil import get_terminal_size
from tempfile import TemporaryDirectory
from typing import Any

from autograd.command_line import warn
from autograd.files import append, replace, write_whole
from autograd.text import counted, text_name
from nn.batch_norm import calibrate
from nn.checkpoint import BEST, load, load_metadata, load_preprocessing, load_training, save, save_training
from nn.cli.csv_tables import READING, Column, Schema, read_table
from nn.cli.experiment import Config, Experiment, build, loss_of, network
from nn.data import Dataset, Split
from nn.diagnostics import LayerRecord, constant_guess
from nn.evaluation import REGRESSION, Task, evaluate, numbers_of, outputs_of
from nn.plots import layers_picture, picture
from nn.records import EpochRecord, epoch_line, to_digits

KEPT = "config.json", "records.jsonl", "checkpoint.safetensors", "weights.safetensors"
CONFIG, RECORDS, CHECKPOINT, WEIGHTS = KEPT
PICTURES, LOCK = ("picture.png", "layers.png"), ".chainrule.lock"


def start(config: Config, folder: Path) -> None:
    """Start a run in a folder, replacing any older run in it, and train to the end.

    Raises ValueError if another run is training there, or if files with these names do not belong to a run.
    """
    taken = [name for name in (RECORDS, CHECKPOINT, WEIGHTS, *PICTURES) if (folder / name).exists()]
    if (folder / CONFIG).exists():
        read_config(folder)
    elif taken:
        raise ValueError(f"{folder} contains {taken[0]} without a {CONFIG}: choose another folder (--out)")
    experiment = build({**config, "run": token_hex(8)})
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        with TemporaryDirectory(prefix=".", suffix=".part", dir=folder) as new:
            _write_config(experiment, Path(new))
            write_whole(Path(new) / RECORDS, b"")
            write_checkpoint(experiment, Path(new), sha256().hexdigest())
            # the new files fit on the disk: now remove those of the old run, which are only valid together
            for old in map(folder.joinpath, (WEIGHTS, *PICTURES)):
                old.unlink(missing_ok=True)
            for name in (RECORDS, CONFIG, CHECKPOINT):
                replace(Path(new) / name, folder / name)
        _introduce(experiment)
        _train(experiment, folder, b"")


def resume(folder: Path, epochs: int | None = None, data: Path | None = None) -> None:
    """Continue an interrupted run, or extend one to more epochs, as if it had not been interrupted.

    data   the new path of the table, if it has moved

    Raises the errors of ``load_training``, and ValueError if the run is already training, if its files are damaged or
    belong to different runs, or if it has already run for more than ``epochs`` epochs.
    """
    read_config(folder)  # raises before a lock is created in a folder without a run
    with _locked(folder):
        config = read_config(folder)
        is_file = "sha256" in config
        if is_file and not (data or Path(config["data"])).is_file():
            missing = data or config["data"]
            raise ValueError(f"{missing} does not exist: run python -m nn resume {folder} --data FILE.csv")
        if data is not None and not is_file:
            raise ValueError(
                f"--data {data}: the data of the run in {folder} are {config['data']}, not a file; leave out --data"
            )
        new = {"epochs": epochs, "data": data and str(data.resolve())}
        with _trusting_config(folder):
            experiment = build(config | {name: x for name, x in new.items() if x is not None})
        if (folder / WEIGHTS).exists():
            _read_metadata(config, folder, WEIGHTS)
        metadata = _read_metadata(config, folder, CHECKPOINT)
        done = int(metadata["epochs"])
        lines = (folder / RECORDS).read_bytes().splitlines(keepends=True)[:done]  # another line may be incomplete
        if sha256(b"".join(lines)).hexdigest() != metadata["records"]:
            known = f"the records of the {counted(done, 'epoch')} in {CHECKPOINT}"
            raise ValueError(f"{folder / RECORDS} does not match {known}: restore it, or start the run again")
        records = [json.loads(line) for line in lines]
        experiment.diagnosis.records = [[LayerRecord(**l) for l in record.pop("layers")] for record in records]
        load_training(experiment.training, folder / CHECKPOINT, [EpochRecord(**record) for record in records])
        all_epochs = experiment.config["epochs"]
        if epochs is not None and epochs < done:
            raise ValueError(
                f"epochs = {epochs}: {folder} already has {counted(done, 'epoch')}; pass at least {done}"
            )
        experiment.diagnosis.forget()
        _write_config(experiment, folder)
        write_whole(folder / RECORDS, b"".join(lines))
        print(f"{experiment.title}: continuing after epoch {done} of {all_epochs}")
        # the length of these schedules is the number of epochs
        if config["schedule"] in ("linear", "cosine") and all_epochs != config["epochs"]:
            change = f"now takes {counted(all_epochs, 'epoch')} instead of {config['epochs']}"
            print(f"schedule: {config['schedule']} {change}")
        _train(experiment, folder, b"".join(lines))


def _train(experiment: Experiment, folder: Path, written: bytes) -> None:
    """Train to the end. ``written`` contains the records so far."""
    training, epochs, checksum = experiment.training, experiment.config["epochs"], sha256(written)
    done = len(training.records)
    print(f"engine: {training.choose_engine()} ({training.reason})")
    try:
        for record in training:
            layers = [layer._asdict() for layer in experiment.diagnosis.measure()]
            line = (json.dumps({**record._asdict(), "layers": layers}) + "\n").encode()
            append(folder / RECORDS, line)
            checksum.update(line)
            write_checkpoint(experiment, folder, checksum.hexdigest())
            done = record.epoch
            if record.epoch == 1 or record.epoch % max(1, epochs // 10) == 0:
                print(epoch_line(record, epochs, get_terminal_size((100, 24)).columns), flush=True)
    except ArithmeticError as error:
        for verdict in experiment.diagnosis.verdicts(experiment.data.test):
            print(f"diagnosis: {verdict}")
        failure = f"training failed in epoch {done + 1}: {error} (--learning-rate, --clip-norm)"
        if best := training.restore_best():
            _save_weights(experiment, folder)
            failure += f"; {folder / WEIGHTS} contains epoch {best.epoch}, the best so far"
        raise ValueError(failure) from None
    except KeyboardInterrupt:
        message = f"interrupted after epoch {done}; to continue, run: python -m nn resume {folder}"
        raise KeyboardInterrupt(message) from None
    best = training.restore_best()
    print(f"stopped {training.stopped}" + (f"; kept epoch {best.epoch}, best on validation data" if best else ""))
    _save_weights(experiment, folder)
    _report(experiment, folder)


def _introduce(experiment: Experiment) -> None:
    schema, data = experiment.schema, experiment.data
    if "sha256" in experiment.config:
        print(f"{text_name(Path(experiment.config['data']).name)}: {schema}")
        for name in schema.counting:
            hint = f"{text_name(name)} increases by 1 from row to row: if it only numbers the rows, leave it out"
            print(f"{hint} (--ignore {name!r})" if name else "the first column has no name and is left out")
    if schema.target.categories is None:
        mean, deviation = map(to_digits, data.training.units)
        scale = f"{mean} ± {deviation} in the training data; RMSE and predictions are in the original units"
        print(f"regression: the target is standardised, {scale}")
    parts = " / ".join(str(len(part.y)) for part in data)
    print(f"{experiment.title}: {parts} examples for training, validation and test")
    for label, name in enumerate(data.training.classes):
        counts = dict(zip(Split._fields, (part.y.count(label) for part in data)))
        if absent := " or ".join(role for role, count in counts.items() if not count):
            found = f"class {name!r} has only {counted(sum(counts.values()), 'example')}"
            print(f"{found}, which is not enough for {absent}")
    if experiment.preprocessing.steps:
        print(f"preprocessing: {experiment.preprocessing!r}, fitted to the training data")
    print(f"network: {experiment.network}, {len(experiment.model.parameters())} parameters, each a scalar node")


def _report(experiment: Experiment, folder: Path) -> None:
    model, data, training = experiment.model, experiment.data, experiment.training
    measured = [evaluate(model, training.loss, part, training.task)[1].texts() for part in data]
    for name in measured[0]:
        print(f"{name}: " + ", ".join(f"{role} {part[name]}" for role, part in zip(Split._fields, measured)))
    guess, guessed = constant_guess(training.task, data.training, data.test)
    is_mean = training.task.kind == REGRESSION
    always = f"{to_digits(data.training.units[0])}, the mean" if is_mean else f"{guess!r}, the most frequent class"
    [(name, number), *_] = guessed.texts().items()
    print(f"baseline, always predicting {always}: test {f'{name} {number}'.removeprefix('accuracy ')}")
    for verdict in experiment.diagnosis.verdicts(experiment.data.test):
        print(f"diagnosis: {verdict}")
    print(f"weights: {text_name(str(folder / WEIGHTS))}")
    name, reached = f"{experiment.title}, {experiment.network}", " ".join(next(iter(measured[-1].items())))
    run, layers = (folder / name for name in PICTURES)
    try:
        picture(run, model, data, training.records, f"{name}: test {reached}", experiment.schema.target.name)
        layers_picture(layers, experiment.diagnosis.records, f"{name}: the layers")
        print(f"pictures: {text_name(str(run))}, {text_name(str(layers))}")
    except ImportError as error:
        print(f"no picture: {error}")


def predictions(folder: Path, path: Path, reading: Mapping[str, Any]) -> tuple[str, str]:
    """Return the rows of a table with the predictions of a run, as CSV, and the metrics if targets are known.

    reading   options for ``read_table``; an option that is None is the same as in training

    The added columns are ``prediction`` and, for classes, ``probability``, in the format of the table. Categories not
    seen in training are reported on stderr.
    """
    config = read_config(folder)
    with _trusting_config(folder):
        columns, target = config["schema"]["columns"], config["schema"]["target"]
        schema = Schema([Column(*column) for column in columns], Column(*target))
        mean, deviation = units = config.get("units", (0.0, 1.0))
    source, part = _best_weights(config, folder)
    preprocessing = load_preprocessing(source)
    table = read_table(path, **{name: reading[name] or config.get(name) for name in READING})
    if twice := [name for name in ("prediction", "probability") if name in table.written.columns]:
        raise ValueError(f"{path} already has a column {twice[0]!r}: rename it")
    X, unknown = schema.examples(table)
    X = preprocessing.transform(X) if preprocessing else X
    classes = schema.target.categories or []
    with _trusting_config(folder):
        model = network(config, len(X[0]), len(classes), 0)
    load(model, source, part)
    outputs, loss = outputs_of(model, X), loss_of(len(classes))
    numbers = numbers_of(outputs)
    task = Task(REGRESSION, units=units)
    if classes:
        task = Task.of(loss, Dataset([[0.0]], [0], classes), len(numbers[0]))
    predicted = [task.prediction(row) for row in numbers]
    added = {"prediction": [classes[label] for label in predicted] if classes else predicted}
    if classes:
        added["probability"] = [exp(-loss(output, label).data) for output, label in zip(outputs, predicted)]
    text = table.written.assign(**added).to_csv(
        sep=table.sep, decimal=table.decimal, float_format="%.4f" if classes else to_digits, index=False,
        lineterminator="\n",
    )  # fmt: skip
    for sentence in unknown:
        warn(sentence)
    known = [(row, (y - mean) / deviation) for row, y in zip(numbers, schema.targets(table)) if not isnan(y)]
    if not known:
        return text, ""
    found, y = zip(*known)
    others = f"; {counted(len(numbers) - len(y), 'row')} without a known target" if len(numbers) > len(y) else ""
    measured = ", ".join(f"{name}: {x}" for name, x in task.metrics(task.tally(found, y), y).texts().items())
    return text, f"{measured} on {counted(len(y), 'row')}{others}"


def _best_weights(config: Config, folder: Path) -> tuple[Path, str]:
    """Return the file with the weights of the best epoch, even for an unfinished run, and their part of the file."""
    if (folder / WEIGHTS).exists():
        _read_metadata(config, folder, WEIGHTS)
        return folder / WEIGHTS, ""
    best = json.loads(_read_metadata(config, folder, CHECKPOINT)["training"])["best"]
    if best is None:
        raise ValueError(f"{folder} has no weights yet: run python -m nn resume {folder}")
    warn(f"the run is not finished: using the weights of epoch {best['epoch']}, the best so far")
    return folder / CHECKPOINT, BEST


def read_config(folder: Path) -> Config:
    """Return the configuration of a run. Raises ValueError for a folder without a run."""
    try:
        with _trusting_config(folder):
            config: Config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
            config["schema"]
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"{folder} contains no run: it has no {CONFIG}; pass the folder of a run") from None
    return config


@contextmanager
def _trusting_config(folder: Path) -> Iterator[None]:
    """Convert errors caused by an invalid configuration to a ValueError that names its file."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, IndexError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{folder / CONFIG} is not valid: {type(error).__name__} {error}; restore it, or start a new run"
        ) from None


def _write_config(experiment: Experiment, folder: Path) -> None:
    """Write the configuration, with lone surrogates, which UTF-8 cannot encode, as JSON escapes such as \\udcff."""
    text = json.dumps(experiment.config, indent=2, ensure_ascii=False)
    write_whole(folder / CONFIG, text.encode(errors="backslashreplace"))


def write_checkpoint(experiment: Experiment, folder: Path, records: str) -> None:
    """Write the training state and the checksum of the records so far."""
    metadata = {**_origin(experiment), "epochs": str(len(experiment.training.records)), "records": records}
    save_training(experiment.training, folder / CHECKPOINT, metadata, experiment.preprocessing, records=False)


def _save_weights(experiment: Experiment, folder: Path) -> None:
    """Save the weights, after calibration if requested, and the fitted preprocessing."""
    if experiment.config["calibrate"]:
        calibrate(experiment.model, experiment.data.training.X)
        print("batch normalisation: calibrated with the mean and variance of all training data")
    save(experiment.model, folder / WEIGHTS, _origin(experiment), experiment.preprocessing)


def _origin(experiment: Experiment) -> dict[str, str]:
    """Return the metadata that identifies the run to which a file belongs."""
    return {"config": json.dumps(experiment.config), "run": experiment.config["run"]}


def _read_metadata(config: Config, folder: Path, name: str) -> dict[str, str]:
    """Return the metadata of a file. Raises ValueError if it belongs to another run or to different settings."""
    metadata = load_metadata(folder / name, checked=name == CHECKPOINT)
    if metadata.get("run") != config.get("run"):  # both None in files from earlier versions
        raise ValueError(f"{folder} contains {CONFIG} from one run but {name} from another: start the run again")
    for setting, then in json.loads(metadata.get("config", "{}")).items():
        if setting not in ("epochs", "data") and config.get(setting, then) != then:  # `resume` may change these
            found = f"{folder / CONFIG} has {setting} = {config[setting]!r}, but {name} was trained with {then!r}"
            raise ValueError(f"{found}: restore the setting, or start a new run")
    return metadata


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Prevent other runs in the folder. Raises ValueError if one is already training there."""
    path = folder / LOCK
    windows = os.name == "nt"
    try:
        with open(path, "ab") as file:
            try:
                _lock(file.fileno())
                if not windows and not os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
                    raise FileNotFoundError  # a run that has just ended removed the lock
            except (BlockingIOError, PermissionError, FileNotFoundError):
                remedy = "wait for it to finish, or choose another folder (--out)"
                raise ValueError(f"{folder} is in use by another run: {remedy}") from None
            except (OSError, ImportError) as error:
                warn(f"{folder} cannot be locked, {error}: do not start another run in it")
            try:
                yield
            finally:
                if not windows:  # while locked, the file cannot belong to another run
                    _remove(path)
    finally:
        if windows:  # Windows cannot remove an open file
            _remove(path)


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


def _lock(file: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
