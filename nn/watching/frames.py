"""The data of the page: what each frame of a run shows, computed with its weights and stored as scaled integers."""

from collections.abc import Iterator, Sequence
from math import isfinite, sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autograd.graph import topological_order
from autograd.modes import collector_paused
from autograd.number_systems import arrays
from autograd.text import clipped, text_name
from autograd.value import Value
from nn.data import Dataset
from nn.diagnostics import linear_layers, traced, unchanged
from nn.evaluation import CLASSIFICATION, Task, numbers_of, outputs_of
from nn.losses import units_of
from nn.module import Module, evaluating, flatten, numbers
from nn.training import Training

Array = NDArray[np.float64]

STEPS = 41  # points of the grid along each side
MOST_FRAMES, MOST_EPOCHS, MOST_POINTS = 100, 1000, 500
MOST_WEIGHTS, MOST_ACTIVATIONS = 400_000, 200_000  # numbers of all frames together: two megabytes, and one
MOST_UNITS = 64  # that are shown side by side
MOST_NAME = 30  # characters of a class or a feature
METRICS = ("loss", "accuracy", "rmse", "validation_loss", "validation_accuracy", "validation_rmse")
LEVELS = 9999  # of a quantised number: what is largest on its scale has four digits


def told(training: Training, history: Sequence[Any], count: int) -> dict[str, Any]:
    """Everything that the page shows, with ``count`` training examples one by one."""
    task, data, held = training.task, training.training, training.validation
    is_classification, width = task.kind == CLASSIFICATION, len(data.X[0])
    learned = _fit if not is_classification else _areas if width == 2 else _confusion
    has_grid = learned is _areas or (learned is _fit and width == 1)
    bounds = around([*data.X, *(held.X if held else [])]) if has_grid else None
    seen = held if held and not bounds else data
    chosen, shown = evenly(len(history), MOST_FRAMES), evenly(len(history), MOST_EPOCHS)
    sample = task.sample(data)
    film = list(frames(training, history, chosen, sample, grid_between(*bounds) if bounds else seen.X))
    records, curve = ([training.records[i] for i in places] for places in (chosen, shown))
    units = len(film[0].outputs)
    names = task.names(data, units) if is_classification else [f"output {k + 1}" for k in range(units)]
    about = {"data": "validation" if seen is held else "training", "examples": len(seen.y), "steps": STEPS}
    return {
        "epochs": len(training.records),
        "curves": {
            "epochs": [r.epoch for r in curve],
            "training": [digits(r.loss) for r in curve],
            "validation": [digits(r.validation_loss) for r in curve],
        },
        "frames": [{"epoch": r.epoch} | {name: digits(getattr(r, name)) for name in METRICS} for r in records],
        "classes": _named(names),
        "map": learned(task, seen, film, bounds) | about,
        "examples": _examples(task, sample.take(range(min(count, len(sample.y)))), film),
        "sample": len(sample.y),
        "layers": [_layer(l, film, count) for l in range(len(film[0].layers))],
    }


def _named(names: Sequence[str]) -> list[str]:
    """The names as the page shows them: on one line, and short."""
    return [clipped(text_name(name), MOST_NAME) for name in names]


class Frame(NamedTuple):
    """The model after an epoch."""

    layers: list[list[Array]]  # of l = 1 … L: W and b; aˡ and δˡ of the examples, one row for each
    examples: list[list[float]]  # the output units of each of the examples
    outputs: Array  # on the grid, or for the data of the confusion matrix or the fit: a row for each output unit


def around(X: Any) -> tuple[Array, Array]:
    """The least and the largest number of each column, with a margin of an eighth on each side."""
    low, high = np.min(X, axis=0), np.max(X, axis=0)
    margin = np.where(high > low, (high - low) / 8.0, 1.0)
    return low - margin, high + margin


def grid_between(low: Array, high: Array) -> Any:
    """STEPS points along each side of a line or a plane, row by row from below."""
    ticks = low + (high - low) * np.arange(STEPS)[:, None] / (STEPS - 1)
    return np.stack(np.meshgrid(*ticks.T), axis=-1).reshape(-1, len(low)).tolist()


def frames(
    training: Training, history: Sequence[Any], chosen: Sequence[int], examples: Dataset, points: Any
) -> Iterator[Frame]:
    """A frame for each chosen state, with outputs at ``points`` and traces of ``examples``."""
    model: Any = training.model  # an MLP or a Sequential
    with unchanged(model):
        for place in chosen:
            try:
                model.load_state_dict(history[place])
                traces, _ = traced(model, training.loss, examples)
                deltas, layers = [trace.delta for trace in traces], []
                for l, linear in enumerate(linear_layers(model), 1):
                    b = numbers(linear.b) or [0.0] * linear.n_out  # without a bias
                    rows = [numbers(trace.a[l]) for trace in traces], [delta[l] for delta in deltas]
                    layers.append([*map(np.array, (numbers(linear.W), b, *rows))])
                yield Frame(layers, numbers_of(trace.output for trace in traces), outputs_at(model, points))
            except (ValueError, TypeError) as error:
                which = f"history[{place}], of epoch {training.records[place].epoch}, cannot be shown: {error}"
                remedy = "append model.state_dict() of the same model after each record"
                raise ValueError(f"{which}; {remedy}") from error


def outputs_at(model: Module, X: Sequence[Sequence[float]]) -> Array:
    """What the model makes of each example in evaluation mode: one row for each output unit, one column for each x.

    Layers of this package do the same with every example, so that the first one's graph stands for all; a module of
    the user's own may look at its numbers and decide.
    """
    modules = (model, *model.submodules().values())
    if not all(type(module).__module__.startswith("nn.") for module in modules):
        return np.asarray(numbers_of(outputs_of(model, X))).T
    columns = np.asarray(X, float).T
    inputs = [Value(float(column[0])) for column in columns]
    found: dict[Value, Array | float] = dict(zip(inputs, columns))
    with evaluating(model), collector_paused(), np.errstate(all="ignore"):
        units = units_of(model(inputs))
        for unit in units:
            for node in topological_order(unit, without=found):
                found[node] = node.data
                if node.operation and node.parents:  # a leaf keeps its number
                    found[node], _ = node.operation.rule(arrays, *(found[parent] for parent in node.parents))
    return np.stack([np.broadcast_to(np.asarray(found[unit]), columns.shape[1:]) for unit in units])


def _areas(task: Task, data: Dataset, film: Sequence[Frame], bounds: Any) -> dict[str, Any]:
    """Of two classes, how far the second leads; of more, which of them leads, and how far."""
    leads = [np.array([task.leads(units) for units in frame.outputs.T.tolist()]) for frame in film]
    points = [[*map(digits, data.X[i]), task.label_of(data.y[i])] for i in evenly(len(data.y), MOST_POINTS)]
    features = _named(data.features[:2] or ["x₁", "x₂"])
    told = {"points": points, "features": features, "low": bounds[0].tolist(), "high": bounds[1].tolist()}
    if leads[0].shape[1] > 2:
        told |= {"kind": "classes", "winners": [lead.argmax(axis=1).tolist() for lead in leads]}
        return {**told, "heights": quantised([lead.max(axis=1) for lead in leads])}
    told |= {"kind": "height", "level": task.cuts[0]} if len(film[0].outputs) == 1 else {"kind": "lead"}
    return {**told, "heights": quantised([lead[:, 1] for lead in leads])}


def _fit(task: Task, data: Dataset, film: Sequence[Frame], bounds: Any) -> dict[str, Any]:
    """In the target's units: over one input the curves; of more, what is predicted for each example."""
    tables = [data.y, *(frame.outputs.T.tolist() for frame in film)]
    Y, *outputs = (np.array([task.in_units(row) for row in rows]) for rows in tables)
    k, places = min(Y.shape[1], outputs[0].shape[1]), evenly(len(Y), MOST_POINTS)
    points = [[data.X[i][0] if bounds else y, y, unit] for i in places for unit, y in enumerate(Y[i, :k].tolist())]
    [low], [high] = (side.tolist() for side in around(Y.reshape(-1, 1)))
    told: dict[str, Any] = {"kind": "fit", "points": points}
    if bounds:
        told |= {"curves": quantised([a.T for a in outputs]), "features": [*_named(data.features[:1] or ["x"]), "y"]}
        return {**told, "low": [*bounds[0], low], "high": [*bounds[1], high]}
    told |= {"predicted": quantised([a[places, :k] for a in outputs]), "features": ["true", "predicted"]}
    return {**told, "low": [low, low], "high": [high, high]}


def _confusion(task: Task, data: Dataset, film: Sequence[Frame], bounds: Any) -> dict[str, Any]:
    matrices = [task.confusion(data, frame.outputs.T.tolist()) for frame in film]
    names = _named(task.names(data, len(matrices[0])))
    return {"kind": "confusion", "names": names, "counts": [*map(flatten, matrices)]}


def _examples(task: Task, examples: Dataset, film: Sequence[Frame]) -> dict[str, Any]:
    """Their inputs, and what is true and predicted: the class, or the numbers in the target's units."""
    columns, m = evenly(len(examples.X[0]), 1024), len(examples.y)

    def read(numbers: Any) -> Any:
        return [*map(digits, task.in_units(numbers))]

    true, predicted = (task.label_of, task.decide) if task.kind == CLASSIFICATION else (read, read)
    return {
        "X": quantised([np.array(x)[columns] for x in examples.X]),
        "features": len(examples.X[0]),
        "labels": [*map(true, examples.y)],
        "predicted": [[*map(predicted, frame.examples[:m])] for frame in film],
    }


def _layer(l: int, film: Sequence[Frame], count: int) -> dict[str, Any]:
    """What layer l holds: a and δ of the first ``count`` examples, ‖δ‖ over the whole sample."""
    all_W, all_b, all_a, all_delta = zip(*(frame.layers[l] for frame in film))  # by frame
    to, from_ = all_W[0].shape
    share = len(film) * len(film[0].layers)
    most = max(4, MOST_WEIGHTS // share)  # weights of a frame: evenly chosen rows and columns
    wide = min(from_, max(2, int(sqrt(most * from_ / to))))
    rows, columns = evenly(to, max(2, most // wide)), evenly(from_, wide)
    units = all_a[0].shape[1]  # what a layer of the user's own makes of z may be of another width
    most = min(MOST_UNITS, max(4, MOST_ACTIVATIONS // (2 * share * count)))
    a_units, delta_units = evenly(units, most), evenly(to, most)
    norms = [np.linalg.norm(delta, axis=1) for delta in all_delta]
    return {
        "to": to, "from": from_, "rows": rows, "columns": columns,
        "W": quantised([W[np.ix_(rows, columns)] for W in all_W]),
        "b": quantised([b[rows] for b in all_b]),
        "units": units, "a_units": a_units,
        "a": quantised([a[:count, a_units] for a in all_a]),
        "delta_units": delta_units,
        # δ shrinks by orders of magnitude while a run succeeds: each epoch has steps of its own
        "delta": quantised([delta[:count, delta_units] for delta in all_delta], together=False),
        "norms": [[digits(norm) for norm in every[:count].tolist()] for every in norms],
        "norm": [digits(float(np.sqrt(np.mean(every**2)))) for every in norms],
    }  # fmt: skip


def evenly(n: int, most: int) -> list[int]:
    """At most that many of the places 0 … n − 1, at even distances; the first and the last are among them.

    >>> evenly(10, 4), evenly(3, 4), evenly(5, 1)
    ([0, 3, 6, 9], [0, 1, 2], [0])
    """
    return [round(place) for place in np.linspace(0, n - 1, min(n, most)).tolist()]


def digits(x: float) -> float | None:
    """The number to four digits; None, JSON's null, for NaN and the infinities.

    >>> digits(0.123456), digits(float("nan"))
    (0.1235, None)
    """
    return float(f"{x:.4g}") if isfinite(x) else None


def quantised(frames: Sequence[Array], *, together: bool = True) -> dict[str, Any]:
    """Numbers as whole numbers from −9999 to 9999, times a ``step`` for each frame, or one for all ``together``.

    The error is at most half a step: 1/20,000 of the largest number on the scale. ∞ counts as the largest float.

    >>> quantised([np.array([0.5, -1.0])])
    {'steps': [0.00010001], 'numbers': [[5000, -9999]]}
    """
    finite = [np.nan_to_num(np.ravel(frame)) for frame in frames]
    sizes = [float(np.max(np.abs(frame), initial=0.0)) for frame in finite]
    steps = [float(f"{(max(sizes) if together else size) / LEVELS:.6g}") for size in sizes]
    numbers = [np.rint(frame / (step or 1.0)).astype(int).tolist() for frame, step in zip(finite, steps)]
    return {"steps": steps, "numbers": numbers}
