"""Evaluates models: interprets their outputs as classes or numbers, and measures accuracy, RMSE and R².

The loss declares what its outputs are (``nn.losses.outputs_are``), and the data show whether the targets are labels.
Both determine the ``Task``, on which accuracy, predictions, records, plots and pages are based.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise, zip_longest
from math import fsum, inf, nan, sqrt
from typing import Any

from autograd.graph import topological_order
from autograd.modes import collector_paused, no_grad
from autograd.operands import data_of
from autograd.primitives import exp, relu, sigmoid, tanh
from autograd.value import Value
from nn.data import Dataset, examples_of
from nn.losses import BY_NAME, OUTPUTS, Loss, mean_loss, outputs_are, units_of, without_options
from nn.module import Module, beneath, evaluating, lift
from nn.records import Metrics, progress_bar
from nn.validation import checks_keywords

AT_ONCE = 1000  # number of examples that are evaluated together, to bound memory
CLASSIFICATION, REGRESSION = "classification", "regression"


@dataclass(frozen=True, slots=True)  # a __dict__ would be searched for parameters every epoch
class Task:
    """How the outputs of a model are interpreted, given the loss and the targets.

    >>> from nn import half_squared_error
    >>> task = Task.of(half_squared_error, Dataset([[1.0], [2.0]], [-1, 1]), units=1)
    >>> task.kind, task.cuts, task.decide([-0.2]), task.prediction([-0.2])
    ('classification', (0.0,), 0, -1)
    """

    kind: str  # CLASSIFICATION, REGRESSION, or "" for a loss that does not declare its outputs
    labels: tuple[Any, ...] = ()  # the possible targets of a single output unit, in order; () for one unit per class
    cuts: tuple[float, ...] = ()  # decision thresholds of a single output unit: 0 for a logit, ½ for a probability
    units: tuple[float, float] = (0.0, 1.0)  # (mean, deviation) of the targets before standardisation
    classes: tuple[str, ...] = ()  # names of the classes in the training data

    @classmethod
    def of(cls, loss: Loss | str, data: Dataset, units: int) -> Task:
        """Return the task for a loss, or a kind of outputs, with these targets. Raises ValueError for others."""
        outputs = loss if isinstance(loss, str) else getattr(without_options(loss), "outputs", "")
        if not outputs:
            return cls("")
        outputs_are(outputs)  # validate the kind
        labels = _labels(data, units) if outputs == "numbers" else OUTPUTS[outputs]
        if labels is None:
            return cls(REGRESSION, units=data.units)
        if units > 1:
            return cls(CLASSIFICATION)
        cuts = (0.0,) if outputs == "logits" else _between(labels)
        if outputs != "numbers" and (low := [y for y in data.y if y in (-1, 0)]):  # the lower label in the targets
            labels = int(min(low)), 1
        return cls(CLASSIFICATION, labels, cuts)

    def decide(self, units: Sequence[float]) -> int:
        """Return the index of the class that the outputs of one example predict."""
        return bisect_left(self.cuts, units[0]) if len(units) == 1 else units.index(max(units))

    def leads(self, units: Sequence[float]) -> list[float]:
        """Return the margin of each class over the others, which is positive for the one that ``decide`` returns."""
        if len(units) == 1:
            edges = (-inf, *self.cuts, inf)
            return [min(units[0] - low, high - units[0]) for low, high in pairwise(edges)]
        second, first = sorted(units)[-2:]
        return [z_k - (second if z_k == first else first) for z_k in units]

    def label_of(self, target: Any) -> int:
        """Return the index of a target's class: that of the nearest label, or of the largest probability."""
        probabilities = units_of(target)
        if len(probabilities) > 1:
            return probabilities.index(max(probabilities))
        return bisect_left(_between(self.labels), probabilities[0]) if self.labels else int(probabilities[0])

    def prediction(self, units: Sequence[float]) -> Any:
        """Return the prediction from the outputs of one example: a label, or numbers in the units of the target."""
        if self.kind == CLASSIFICATION:
            k = self.decide(units)
            return self.labels[k] if self.labels else k
        numbers = self.in_units(units)
        return numbers[0] if len(numbers) == 1 else numbers

    def in_units(self, numbers: Any) -> list[float]:
        """Convert the outputs or the target of one example to the original units of the target."""
        mean, deviation = self.units
        return [mean + deviation * a for a in units_of(numbers)]

    def names(self, data: Dataset, n: int) -> list[str]:
        """Return the names of the n classes; a class without a name is called by its label, such as −1 or +1."""
        labels = [f"{k:+}" if k and -1 in self.labels else str(k) for k in self.labels or range(n)]
        return [*data.classes, *(label.replace("-", "−") for label in labels[len(data.classes) :])]

    def sample(self, data: Dataset, most: int = 50) -> Dataset:
        """Select at most ``most`` examples, alternating between classes, or evenly spaced in a regression."""
        n = len(data.y)
        if self.kind != CLASSIFICATION:
            return data.take([i * n // min(most, n) for i in range(min(most, n))])
        labels = [*map(self.label_of, data.y)]
        turns = zip_longest(*([i for i in range(n) if labels[i] == k] for k in sorted({*labels})))
        return data.take([i for turn in turns for i in turn if i is not None][:most])

    def confusion(self, data: Dataset, outputs: Sequence[Sequence[float]]) -> list[list[int]]:
        """Count the examples of each class (row) by predicted class (column)."""
        truth = [*map(self.label_of, data.y)]
        n = max(len(data.classes), len(self.labels) or len(outputs[0]), 1 + max(truth))
        counts = Counter(zip(truth, map(self.decide, outputs)))
        return [[counts[y, k] for k in range(n)] for y in range(n)]

    def tally(self, outputs: Sequence[Sequence[float]], targets: Sequence[Any]) -> list[float]:
        """Return the number of correct predictions, or Σ (y − a)² per unit, both of which add up over batches."""
        if self.kind == CLASSIFICATION:
            return [sum(self.decide(a) == self.label_of(y) for a, y in zip(outputs, targets, strict=True))]
        if self.kind == REGRESSION:
            columns = zip(zip(*map(units_of, targets)), zip(*outputs))
            return [fsum((y - a) ** 2 for y, a in zip(*column, strict=True)) for column in columns]
        return [0.0]

    def metrics(self, tally: Sequence[float], targets: Sequence[Any]) -> Metrics:
        """Return the metrics from the tally over all of these targets."""
        n = len(targets)
        if self.kind == CLASSIFICATION:
            return Metrics(accuracy=tally[0] / n)
        if self.kind == REGRESSION:
            columns = zip(*map(units_of, targets))
            rmse = [abs(self.units[1]) * sqrt(error / n) for error in tally]
            return Metrics(rmse=fsum(rmse) / len(rmse), r2=fsum(map(_r2, tally, columns)) / len(rmse))
        return Metrics()


def _labels(data: Dataset, units: int) -> tuple[Any, ...] | None:
    """Return the labels of numeric targets: 0/1, −1/+1, or one per class of the data; None for other numbers.

    For several units, return () if the rows are one-hot: one entry is larger, and the others are equal.
    """
    if units > 1:
        rows = [list(y) for y in data.y if isinstance(y, Iterable)]
        low, high = min(map(min, rows), default=0), max(map(max, rows), default=0)
        one_hot = all(row.count(high) == 1 and row.count(low) == len(row) - 1 for row in rows)
        return () if data.classes or (one_hot and -1 <= low < high <= 1) else None
    values = {y for target in data.y for y in units_of(target)}
    for labels in ((0, 1), (-1, 1)):
        if values <= set(labels) and len(data.classes) in (0, 2) and data.units == (0.0, 1.0):
            return labels
    return tuple(range(len(data.classes))) or None


def _between(labels: Sequence[float]) -> tuple[float, ...]:
    return tuple((a + b) / 2.0 for a, b in pairwise(labels))


def _r2(error: float, y: Sequence[float]) -> float:
    if len(y) < 2:
        return nan
    mean = fsum(y) / len(y)
    spread = fsum((y_i - mean) ** 2 for y_i in y)
    return 1.0 - error / spread if spread else float(error == 0.0)  # as in scikit-learn


# ---- evaluation of a model on data ---------------------------------------------------------------------------------


def outputs_of(model: Module, X: Sequence[Sequence[float]]) -> list[Any]:
    """Return the outputs for each example in evaluation mode, without a graph; restore the modes of the model."""
    parts: Iterable[int] = range(0, max(len(X), 1), AT_ONCE)
    if len(X) > AT_ONCE:
        parts = progress_bar(parts, desc="evaluation", delay=2)  # shown after 2 s
    with evaluating(model), no_grad(), collector_paused():
        return [output for k in parts for output in model.batch(X[k : k + AT_ONCE])]


def outputs_at(model: Module, X: Sequence[Sequence[float]]) -> Any:
    """Return an array of the outputs for many examples in evaluation mode, with a row for each unit.

    The layers of this package build the same graph for every example, so the rules of the first example's graph are
    applied to arrays. A user's module may build different graphs, so it is called for every example.
    """
    import numpy as np

    from autograd.number_systems import arrays

    modules = (model, *model.submodules().values())
    if not all(type(module).__module__.startswith("nn.") for module in modules):
        return np.asarray(numbers_of(outputs_of(model, X))).T
    columns = np.asarray(X, float).T
    inputs = [Value(float(column[0])) for column in columns]
    found: dict[Value, Any] = dict(zip(inputs, columns))
    with evaluating(model), collector_paused(), np.errstate(all="ignore"):
        units = units_of(model(inputs))
        for unit in units:
            for node in topological_order(unit, without=found):
                found[node] = node.data
                if node.operation and node.parents:
                    found[node], _ = node.operation.rule(arrays, *(found[parent] for parent in node.parents))
    return np.stack([np.broadcast_to(np.asarray(found[unit]), columns.shape[1:]) for unit in units])


def numbers_of(outputs: Iterable[Any]) -> list[list[float]]:
    """Return the output units of each example as floats."""
    return [[*map(data_of, units_of(output))] for output in outputs]


def task_of(model: Module, data: Dataset, loss: Loss | None = None) -> Task:
    """Return the task of a model, from the given loss, the loss used in training, or else its last operation.

    A model that ends with σ returns probabilities, and one that ends with tanh returns numbers; any other returns
    logits, or numbers if the targets are not labels.
    """
    if not isinstance(data, Dataset):
        raise TypeError(f"the data must be an nn.Dataset, not {type(data).__name__}")
    data.agree(model.task.classes if model.task else ())
    if loss is None and model.task is not None:
        known: Task = replace(model.task, units=data.units)
        return known
    with evaluating(model), collector_paused():
        units = units_of(model.batch([lift(data.X[0])])[0])
    if loss is not None:
        return Task.of(loss, data, len(units))
    last = beneath(units[0]).operation
    whole = all(y == int(y) for y in data.y if not isinstance(y, Iterable))
    is_number = last is tanh or (_labels(data, len(units)) is None and not (whole and len(units) > 1))
    kind = "probabilities" if last is sigmoid else "numbers" if is_number else "logits"
    return Task.of(kind, data, len(units))


def evaluate(model: Module, loss: Loss, data: Dataset, task: Task | None = None) -> tuple[float, Metrics]:
    """Return the mean loss and the metrics on data, in evaluation mode and without a graph."""
    outputs = outputs_of(model, data.X)
    with no_grad():
        mean = mean_loss(loss, outputs, data.y).data
    numbers = numbers_of(outputs)
    task = task or Task.of(loss, data, len(numbers[0]))
    return mean, task.metrics(task.tally(numbers, data.y), data.y)


@checks_keywords
def accuracy(model: Module, data: Dataset, loss: Loss | None = None) -> float:
    """Return the fraction of examples whose class the model predicts correctly, in evaluation mode.

    loss    determines the meaning of the outputs; by default the loss used in training, or else the last operation

    Raises ValueError for a regression, and for a loss that does not declare its outputs.
    """
    return _measured(model, data, loss, CLASSIFICATION).accuracy


@checks_keywords
def rmse(model: Module, data: Dataset, loss: Loss | None = None) -> float:
    """Return √(1/n Σ (y − a)²) in the units of the target. Raises ValueError for a classification."""
    return _measured(model, data, loss, REGRESSION).rmse


@checks_keywords
def r2(model: Module, data: Dataset, loss: Loss | None = None) -> float:
    """Return R² = 1 − Σ (y − a)² / Σ (y − ȳ)². Raises ValueError for a classification."""
    return _measured(model, data, loss, REGRESSION).r2


@checks_keywords
def predict(model: Module, X: Any, loss: Loss | None = None) -> list[Any]:
    """Return the prediction for each example: a label, or a number in the units of the target.

    X      examples, as for ``Dataset``
    loss   determines the meaning of the outputs of a model that no Training has trained; squared errors mean numbers

    Raises ValueError or TypeError for examples that differ in length or contain anything but finite numbers.
    """
    X = examples_of(X)
    if not X:
        return []
    task = model.task or task_of(model, Dataset(X[:1], [0.5 if loss else 0]), loss)
    return [task.prediction(units) for units in numbers_of(outputs_of(model, X))]


@checks_keywords
def confusion_matrix(model: Module, data: Dataset, loss: Loss | None = None) -> list[list[int]]:
    """Count the examples of each class (row) by predicted class (column). Raises the same errors as ``accuracy``."""
    return task_for(CLASSIFICATION, model, data, loss).confusion(data, numbers_of(outputs_of(model, data.X)))


def _measured(model: Module, data: Dataset, loss: Loss | None, kind: str) -> Metrics:
    task = task_for(kind, model, data, loss)
    return task.metrics(task.tally(numbers_of(outputs_of(model, data.X)), data.y), data.y)


def task_for(kind: str, model: Module, data: Dataset, loss: Loss | None = None) -> Task:
    """Return the task of a model. Raises ValueError if it is of another kind."""
    task = task_of(model, data, loss)
    if not task.kind:
        remedy = "add @nn.outputs_are(…) to it, or pass a loss that does"
        raise ValueError(f"the loss of {model!r} does not declare its outputs: {remedy}")
    if task.kind != kind:
        metrics = "accuracy or confusion_matrix" if kind == REGRESSION else "rmse or r2"
        figures = "boundary or confusion" if kind == REGRESSION else "fit or residuals"
        raise ValueError(f"the task of {model!r} is a {task.kind}: use {metrics}, and plots.{figures}")
    return task


# ---- validation before training -----------------------------------------------------------------------------------


def check_targets(model: Module, loss: Loss, data: Dataset, insist: bool = False) -> int:
    """Check that the loss accepts the outputs of the model and all targets; return the number of output units.

    insist   also try a user's loss on the targets, although it may be undefined for the outputs of initial weights
    """
    itself = without_options(loss)
    kind, name = getattr(itself, "outputs", ""), getattr(itself, "__name__", "the loss")
    try:
        with evaluating(model), collector_paused():
            [output] = model.batch([lift(data.X[0])])
            units, root = units_of(output), loss(output, data.y[0])
    except ArithmeticError:  # the weights are too large; training reports this
        return 1
    last = beneath(units[0]).operation
    if last is not None and kind in ("logits", "scores") and (last is sigmoid or (last is relu and len(units) == 1)):
        needed = "logits" if kind == "logits" else "scores of either sign"
        remedy = 'use output="linear", or half_squared_error'
        raise ValueError(f"{name} needs {needed}, but the model ends with {last.symbol}: {remedy}")
    if kind == "logits" and last is exp and len(units) > 1 and abs(sum(map(data_of, units)) - 1.0) < 1e-9:
        raise ValueError(f"{name} needs logits, but the model ends with softmax: remove the softmax")
    if not isinstance(root, Value) or set(model.parameters()).isdisjoint(topological_order(root)):
        rule = "compute the loss from Values, without .data"
        raise ValueError(f"{name} returned {root!r}, which depends on no parameter: {rule}")
    if insist or itself in BY_NAME.values():
        with no_grad():
            for target in {tuple(y) if isinstance(y, Iterable) else y: y for y in data.y}.values():
                with suppress(ArithmeticError):
                    loss(output, target)
    return len(units)
