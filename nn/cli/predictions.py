"""Predicts the rows of a table with the network of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import exp, isnan
from pathlib import Path
from random import Random
from typing import Any

from autograd.command_line import warn
from autograd.text import counted
from nn.checkpoint import BEST, load, load_preprocessing
from nn.cli.csv_tables import READING, Column, Schema, read_table
from nn.cli.experiment import Config, loss_of, network
from nn.cli.run_files import CHECKPOINT, WEIGHTS, read_config, read_metadata, trusting_config
from nn.data import Dataset
from nn.evaluation import REGRESSION, Task, numbers_of, outputs_of, to_digits


def predictions(folder: Path, path: Path, reading: Mapping[str, Any]) -> tuple[str, str]:
    """The rows of a table with the run's predictions, as CSV, and how good these are where targets are known.

    reading   how the table is written, as for ``read_table``; what is missing is as in training

    Columns are found by name. ``prediction`` and, for classes, ``probability`` are added, with the table's own
    separator and decimal mark. Categories that training did not have are reported on stderr.
    """
    config = read_config(folder)
    with trusting_config(folder):
        columns, target = config["schema"]["columns"], config["schema"]["target"]
        schema = Schema([Column(*column) for column in columns], Column(*target))
        units = config.get("units", (0.0, 1.0))
    source, part = _weights(config, folder)
    preprocessing = load_preprocessing(source)
    table = read_table(path, **{name: reading[name] or config.get(name) for name in READING})
    if twice := [name for name in ("prediction", "probability") if name in table.written.columns]:
        raise ValueError(f"{path} has a column {twice[0]!r}, as one is added: give it another name")
    X, unknown = schema.examples(table)
    X = preprocessing.transform(X) if preprocessing else X
    classes = schema.target.categories or []
    with trusting_config(folder):
        model = network(config, len(X[0]), len(classes), Random(0))
    load(model, source, part)
    outputs, loss = outputs_of(model, X), loss_of(len(classes))
    numbers = numbers_of(outputs)
    task = Task(REGRESSION, units=units)
    if classes:
        task = Task.of(loss, Dataset([[0.0]], [0], classes), len(numbers[0]))
        labels = [task.decide(row) for row in numbers]
        added: dict[str, list[Any]] = {"prediction": [classes[label] for label in labels]}
        added["probability"] = [exp(-loss(output, label).data) for output, label in zip(outputs, labels)]
    else:
        added = {"prediction": [task.prediction(row) for row in numbers]}
    text = table.written.assign(**added).to_csv(
        sep=table.sep, decimal=table.decimal, float_format="%.4f" if classes else to_digits, index=False,
        lineterminator="\n",
    )  # fmt: skip
    for sentence in unknown:
        warn(sentence)
    mean, deviation = units
    return text, _measured(task, numbers, [(y - mean) / deviation for y in schema.targets(table)])


def _weights(config: Config, folder: Path) -> tuple[Path, str]:
    """The file, and the part of it, with the weights of the best epoch; those of a run that has not ended as well."""
    if (folder / WEIGHTS).exists():
        read_metadata(config, folder, WEIGHTS)
        return folder / WEIGHTS, ""
    best = json.loads(read_metadata(config, folder, CHECKPOINT)["training"])["best"]
    if best is None:
        raise ValueError(f"{folder} has no weights yet: python -m nn resume {folder}")
    warn(f"the run has not ended: the weights are those of epoch {best['epoch']}, the best so far")
    return folder / CHECKPOINT, BEST


def _measured(task: Task, numbers: list[list[float]], targets: list[float]) -> str:
    """The metrics over the rows whose target is known; empty without any."""
    known = [(row, y) for row, y in zip(numbers, targets) if not isnan(y)]
    if not known:
        return ""
    found, y = zip(*known)
    others = f"; {len(numbers) - len(y)} more without a known target" if len(numbers) > len(y) else ""
    measured = ", ".join(f"{name}: {x}" for name, x in task.metrics(task.tally(found, y), y).texts().items())
    return f"{measured} of {counted(len(y), 'row')}{others}"
