"""What the page is given as data: the epochs, the frames as whole numbers on scales, and what had to be left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd.errors import clipped, text_name
from nn.activations import Sigmoid
from nn.data import Dataset
from nn.evaluation import Task
from nn.training import EpochRecord, Training
from nn.watching.frames import STEPS, Frame, Grid, frames, layers_of
from nn.watching.shrinking import digits, evenly, quantised, rows_and_columns

Array = NDArray[np.float64]

MOST_FRAMES, MOST_EPOCHS, MOST_POINTS = 100, 1000, 500
MOST_WEIGHTS, MOST_ACTIVATIONS = 400_000, 200_000  # numbers of all frames together: two megabytes, and one
MOST_UNITS = 64  # that are shown side by side
MOST_NAME = 30  # characters of a class or a feature


def told(training: Training, history: Sequence[Any], count: int) -> dict[str, Any]:
    """Everything that the page shows, with ``count`` training examples traced."""
    chosen = evenly(len(history), MOST_FRAMES)
    examples = _of_each_class(training.training, count)
    grid, data = None, training.validation or training.training
    if len(training.training.X[0]) == 2:
        grid = Grid.around([*training.training.X, *(training.validation.X if training.validation else [])])
    film = list(frames(training, history, chosen, examples, grid.points if grid else data.X))
    shown = evenly(len(training.records), MOST_EPOCHS)
    return {
        "epochs": len(training.records),
        "curves": {
            "epochs": [training.records[i].epoch for i in shown],
            "training": [digits(training.records[i].loss) for i in shown],
            "validation": [digits(training.records[i].validation_loss) for i in shown],
        },
        "frames": [_record(training.records[i]) for i in chosen],
        "classes": _named(training.training.classes),
        "map": _map(training, film, grid) if grid else _confusion(training, film, data),
        "examples": _examples(training.task, examples, film),
        "layers": [_layer(l, film) for l in range(len(film[0].layers))],
    }


def _named(names: Sequence[str]) -> list[str]:
    """The names as the page shows them: on one line, and short."""
    return [clipped(text_name(name), MOST_NAME) for name in names]


def _record(record: EpochRecord) -> dict[str, Any]:
    shown = ("loss", "accuracy", "validation_loss", "validation_accuracy")
    return {"epoch": record.epoch, **{name: digits(getattr(record, name)) for name in shown}}


def _of_each_class(data: Dataset, count: int) -> Dataset:
    """The first example of every class, then the second of each, and so on."""
    rank: dict[Any, int] = {}
    places = []
    for i, y in enumerate(data.y):
        rank[y] = rank.get(y, -1) + 1
        places.append((rank[y], y, i))
    return data.take([i for _, _, i in sorted(places)[:count]])


# ---- what is learned ----------------------------------------------------------------------------------------------


def _map(training: Training, film: Sequence[Frame], grid: Grid) -> dict[str, Any]:
    data, features = training.training, training.training.features
    points = evenly(len(data.y), MOST_POINTS)
    return {
        # the output between both classes: 0 for a logit or a score, ½ where a sigmoid comes last
        **_heights(film, 0.5 if isinstance(layers_of(training.model)[-1], Sigmoid) else 0.0),
        "low": grid.low,
        "high": grid.high,
        "steps": STEPS,
        "features": _named(features[:2]) if len(features) >= 2 else ["x₁", "x₂"],
        "points": [[*(digits(x) for x in data.X[i]), training.task.label_of(data.y[i])] for i in points],
        "examples": len(data.y),
    }


def _heights(film: Sequence[Frame], level: float) -> dict[str, Any]:
    """One unit: how far above the level. Two: how far the second leads. More: which of them leads, and how far."""
    units = len(film[0].outputs)
    if units == 1:
        return {"kind": "height", "level": level, "heights": quantised([f.outputs[0] - level for f in film])}
    if units == 2:
        return {"kind": "lead", "heights": quantised([f.outputs[1] - f.outputs[0] for f in film])}
    ordered = [np.sort(f.outputs, axis=0) for f in film]
    return {
        "kind": "classes",
        "winners": [np.argmax(f.outputs, axis=0).tolist() for f in film],
        "heights": quantised([top[-1] - top[-2] for top in ordered]),
    }


def _confusion(training: Training, film: Sequence[Frame], data: Dataset) -> dict[str, Any]:
    task = training.task
    truth = [task.label_of(y) for y in data.y]
    n = max(len(data.classes), len(film[0].outputs), 2, max(truth) + 1)
    names = _named(data.classes) + [str(i) for i in range(len(data.classes), n)]
    counts = []
    for frame in film:
        units = frame.outputs
        found = np.array([task.decide(column) for column in units.T.tolist()])
        counts.append(np.bincount(np.asarray(truth) * n + found, minlength=n * n).tolist())
    return {
        "kind": "confusion",
        "data": "validation" if training.validation else "training",
        "names": names,
        "counts": counts,
        "examples": len(truth),
    }


# ---- the layers ---------------------------------------------------------------------------------------------------


def _examples(task: Task, examples: Dataset, film: Sequence[Frame]) -> dict[str, Any]:
    columns = evenly(len(examples.X[0]), 1024)
    return {
        "X": quantised([np.array(x)[columns] for x in examples.X]),
        "features": len(examples.X[0]),
        "labels": [task.label_of(y) for y in examples.y],
        "predicted": [frame.predicted for frame in film],
    }


def _layer(l: int, film: Sequence[Frame]) -> dict[str, Any]:
    layers = [frame.layers[l] for frame in film]
    to, from_ = layers[0].W.shape
    share = len(film) * len(film[0].layers)
    rows, columns = rows_and_columns(to, from_, max(4, MOST_WEIGHTS // share))
    units = layers[0].a.shape[1]  # what a layer of the user's own makes of z may be of another width
    most = min(MOST_UNITS, max(4, MOST_ACTIVATIONS // (2 * share * len(layers[0].a))))
    a_units, delta_units = evenly(units, most), evenly(to, most)
    norms = [np.linalg.norm(layer.delta, axis=1) for layer in layers]
    return {
        "to": to,
        "from": from_,
        "rows": rows,
        "columns": columns,
        "W": quantised([layer.W[np.ix_(rows, columns)] for layer in layers]),
        "b": quantised([layer.b[rows] for layer in layers]),
        "units": units,
        "a_units": a_units,
        "a": quantised([layer.a[:, a_units] for layer in layers]),
        "delta_units": delta_units,
        # δ shrinks by orders of magnitude while a run succeeds: each epoch has a scale of its own
        "delta": quantised([layer.delta[:, delta_units] for layer in layers], together=False),
        "norms": [[digits(float(norm)) for norm in every] for every in norms],
        "norm": [digits(float(np.sqrt(np.mean(every**2)))) for every in norms],
    }
