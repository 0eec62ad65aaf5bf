"""Builds data, network, optimiser and training from a configuration and its seed.

All random numbers come from one generator in a fixed order, so a configuration always builds the same scalars.
Therefore an interrupted run can continue bit for bit, and a finished run can predict.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import fmean, pstdev
from typing import Any

from autograd.text import text_name
from nn.cli.csv_tables import READING, Column, Schema, read_split
from nn.data import BUNDLED, BY_NAME, Dataset, Split, count_batches, split
from nn.diagnostics import Diagnosis
from nn.layers import MLP
from nn.losses import Loss, binary_cross_entropy, cross_entropy, half_squared_error
from nn.optim import OPTIMIZERS, SCHEDULES, Optimizer, Schedule, by_epoch, warm_up
from nn.preprocessing import BY_NAME as PREPROCESSORS, Pipeline, preprocess
from nn.training import Training

Config = dict[str, Any]

FACTORS = {"exponential": 0.95, "step": 0.5, "inverse_time": 0.1}

# defaults; a table typically has columns on different scales, and few examples for many features
TABLE: Config = {
    "hidden": [16, 16], "epochs": 60, "learning_rate": 0.003, "preprocess": [["standardize"]], "l2": 0.01,
    "every": 10, "warm_up": 0,
}  # fmt: skip
MADE = TABLE | {"learning_rate": 0.01, "preprocess": [], "l2": 0.0, "examples": 200, "noise": 0.1}
DEFAULTS = dict.fromkeys(BY_NAME, MADE) | {
    "spirals": MADE | {"epochs": 200},
    "digits": TABLE | {"hidden": [32], "epochs": 30, "preprocess": [], "l2": 0.0},
}
RATES = {"sgd": 0.1, "rmsprop": 0.003}  # learning rates for optimisers that do not work well with adam's
LAB: Config = {"hidden": [8, 8], "activation": "tanh", "optimizer": "sgd"}  # few units, and the slides' optimiser


@dataclass
class Experiment:
    """Everything that is built from a configuration."""

    config: Config  # with all defaults, and with the schema of the data
    data: Split  # after preprocessing
    schema: Schema
    preprocessing: Pipeline  # fitted on the training data; may be empty
    model: MLP
    training: Training
    diagnosis: Diagnosis

    @property
    def title(self) -> str:
        """The name of the data, for titles."""
        return text_name(Path(self.config["data"].removesuffix(".gz")).stem)

    @property
    def network(self) -> str:
        """A short description of the network."""
        extras = [f"dropout {self.config['dropout']:g}"] if self.config["dropout"] else []
        extras += ["batch normalisation"] if self.config["batchnorm"] else []
        return ", ".join([f"{'-'.join(map(str, self.model.sizes))} {self.config['activation']}", *extras])


def build(config: Config) -> Experiment:
    """Build an experiment. Raises ValueError, ImportError or OSError if the configuration cannot be built."""
    defaults = DEFAULTS.get(config["data"], TABLE) | {"factor": FACTORS.get(config["schedule"])}
    defaults["learning_rate"] = RATES.get(config["optimizer"], defaults["learning_rate"])
    config = config | {name: x for name, x in defaults.items() if config[name] is None}
    rng = Random(config["seed"])
    raw, schema = _data(config, rng)
    config["schema"] = {"columns": [list(c) for c in schema.columns], "target": list(schema.target)}
    if schema.target.categories is None:
        raw = Split(*(_standardized(part, raw.training.y) for part in raw))
    config["units"] = list(raw.training.units)
    classes = len(schema.target.categories or [])
    preprocessing = Pipeline(*[PREPROCESSORS[kind](*options) for kind, *options in config["preprocess"]])
    data = preprocess(raw, preprocessing)
    model = network(config, len(data.training.X[0]), classes, rng)
    updates = count_batches(len(data.training.y), config["batch_size"], 2 if config["batchnorm"] else 1)
    steady = config["schedule"] == "constant" and not config["warm_up"]
    rate = config["learning_rate"] if steady else schedule(config, updates)
    training = Training(
        model, loss_of(classes), _optimizer(config, model, rate), data.training, data.validation, rng=rng,
        **{name: config[name] for name in (
            "epochs", "batch_size", "loss_tolerance", "gradient_tolerance", "patience", "l1", "l2", "clip_norm",
            "clip_value", "engine",
        )},
    )  # fmt: skip
    return Experiment(config, data, schema, preprocessing, model, training, Diagnosis(training))


def situation(config: Config, most: int) -> dict[str, Any]:
    """Return the arguments of ``nn.lab`` for a configuration.

    All data are training data: preprocessing is fitted to the examples that the lab shows, at most ``most``.
    """
    defaults = DEFAULTS.get(config["data"], TABLE) | {"learning_rate": None, "examples": most}
    config = config | {name: x for name, x in defaults.items() if config[name] is None}
    rng = Random(config["seed"])
    parts, schema = _data(config, rng)
    whole = parts.training._replace(X=[x for part in parts for x in part.X], y=[y for part in parts for y in part.y])
    data, classes = whole.take(range(min(most, len(whole.y)))), len(schema.target.categories or [])
    if not classes:
        data = _standardized(data, data.y)
    pipeline = Pipeline(*[PREPROCESSORS[kind](*options) for kind, *options in config["preprocess"]])
    data = data._replace(X=pipeline.fit_transform(data.X), features=pipeline.names(data.features))
    model, rate = network(config, len(data.X[0]), classes, rng), config["learning_rate"]
    if rate is None:
        rate = 0.01 if config["optimizer"] != "sgd" else 0.5 if classes else 0.1
    return {
        "model": model, "data": data, "loss": loss_of(classes), "optimizer": _optimizer(config, model, rate),
        "rng": rng, "batch_size": min(config["batch_size"], len(data.y)),
    }  # fmt: skip


def _optimizer(config: Config, model: MLP, rate: float | Schedule) -> Optimizer:
    options = {name: config[name] for name in ("momentum", "nesterov") if config[name]}
    if config["weight_decay"] is not None:
        options["weight_decay"] = config["weight_decay"]
    return OPTIMIZERS[config["optimizer"]](model.parameters(), rate, **options)


def network(config: Config, n_in: int, classes: int, rng: Random | int) -> MLP:
    """Return the network of a configuration, with one output unit for a number or two classes, else one per class."""
    return MLP(
        n_in, [*config["hidden"], classes if classes > 2 else 1], activation=config["activation"],
        init=config["init"], rng=rng, dropout=config["dropout"], batch_norm=config["batchnorm"],
    )  # fmt: skip


def loss_of(classes: int) -> Loss:
    """Return ½ (y − a)² for a number (0 classes), binary cross-entropy for two classes, cross-entropy for more."""
    return {0: half_squared_error, 2: binary_cross_entropy}.get(classes, cross_entropy)


def _standardized(data: Dataset, y: Sequence[float]) -> Dataset:
    """Return the data with targets shifted and scaled by the mean and the standard deviation of y."""
    mean, deviation = fmean(y), pstdev(y) or 1.0
    return data._replace(y=[(t - mean) / deviation for t in data.y], units=(mean, deviation))


def _data(config: Config, rng: Random) -> tuple[Split, Schema]:
    name = config["data"]
    if name in BY_NAME:
        data = BY_NAME[name](config["examples"], config["noise"], rng)
    elif name in BUNDLED:
        data = BUNDLED[name]()
    else:
        digest = hashlib.sha256(Path(name).read_bytes()).hexdigest()
        if config.setdefault("sha256", digest) != digest:
            raise ValueError(
                f"{name} differs from the file that the run started with: restore it, or start a new run"
            )
        options = {option: config[option] for option in (*READING, "categories", "task") if config.get(option)}
        return read_split(name, config["target"], rng, config["missing"], config["ignore"], **options)
    target = Column("class", list(data.classes)) if data.classes else Column("y", None)
    return split(data, rng=rng), Schema([Column(f, None) for f in data.features], target)


def schedule(config: Config, updates: int) -> Schedule:
    """Return the schedule, constant within epochs of ``updates`` steps, after a warm-up that rises at every step."""
    rate, epochs, name = config["learning_rate"], config["epochs"], config["schedule"]
    every, factor, warm = config["every"], config["factor"], config["warm_up"]
    if not 0 <= warm < epochs:
        raise ValueError(f"warm_up = {warm}: it must be at least 0 and less than epochs = {epochs}")
    options: dict[str, list[Any]] = {
        "constant": [], "cosine": [epochs - warm], "exponential": [factor], "inverse_time": [factor],
        "linear": [0.0, epochs - warm], "step": [factor, every],
    }  # fmt: skip
    decaying = by_epoch(SCHEDULES[name](rate, *options[name]), updates)
    return warm_up(decaying, warm * updates) if warm else decaying
