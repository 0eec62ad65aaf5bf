"""Diagnostics: what each layer's δ, weights and units say about a run, and what to change.

δˡ is the ``grad`` of the nodes of zˡ, and g′ the local derivative of the nodes of aˡ: what fades, blows up, is dead
or saturated can be read off the graph of a few examples, once an epoch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import hypot, sqrt
from statistics import median
from typing import NamedTuple

from autograd.modes import collector_paused
from autograd.primitives import identity, relu, sigmoid, tanh
from autograd.text import printable
from autograd.value import Value
from nn.layers import MLP, Linear, Sequential
from nn.losses import mean_loss
from nn.module import evaluating, flatten
from nn.training import EpochRecord, Training

STEEPEST = {relu: 1.0, sigmoid: 0.25, tanh: 1.0}  # the largest g′
VANISHED, EXPLODED = 1e-3, 1e3
MOST_DEAD, MOST_SATURATED, MOST_ALIKE = 0.4, 0.5, 0.5
OVERFITTED = 1.5


class LayerRecord(NamedTuple):
    """A layer l after an epoch, over a sample of the training examples, in evaluation mode.

    delta        √(1/m Σ ‖δˡ‖²) over the m examples, each with the loss of its own
    change       ‖W − W before‖ / ‖W before‖ over the epoch
    dead         share of units whose relu is off for every example; 0 for other activations
    saturated    share of units and examples with g′ below a hundredth of its largest, for σ and tanh; else 0
    alike        share of units whose row of W is that of another unit, to nine digits
    """

    layer: int
    delta: float
    change: float
    dead: float
    saturated: float
    alike: float = 0.0


class Verdict(NamedTuple):
    """What is wrong, the number that says so, and what to do about it."""

    name: str
    number: float
    sentence: str

    def __str__(self) -> str:
        return printable(f"{self.name}: {self.sentence}")


class Diagnosis:
    """Measures a training after each of its epochs.

    examples   how many of the training examples are passed through: ``task.sample`` chooses them

    The model must be an MLP or a Sequential. Weights, gradients, statistics and generators stay as they were.

    >>> from random import Random
    >>> from nn import SGD, binary_cross_entropy
    >>> from nn.data import moons
    >>> model = MLP(2, [4, 1], rng=Random(0))
    >>> training = Training(model, binary_cross_entropy, SGD(model.parameters(), 0.1), moons(20, rng=Random(1)),
    ...                     epochs=3, rng=Random(2))
    >>> diagnosis = Diagnosis(training)
    >>> for record in training:
    ...     layers = diagnosis.measure()
    >>> [layer.layer for layer in layers], len(diagnosis.records)
    ([1, 2], 3)
    """

    def __init__(self, training: Training, examples: int = 50) -> None:
        if not isinstance(training.model, (MLP, Sequential)):
            raise TypeError(f"a diagnosis of {training.model!r}: it traces an MLP or a Sequential")
        if examples < 1:
            raise ValueError(f"examples = {examples}: it needs at least 1")
        self.training, self.model = training, training.model
        self.sample = training.task.sample(training.training, examples)
        self.records: list[list[LayerRecord]] = []
        self._before = self._weights()

    def measure(self) -> list[LayerRecord]:
        """The layers as they are now; also kept in ``records``."""
        gradients = [(p, p.grad) for p in self.model.parameters()]
        try:
            with evaluating(self.model), collector_paused():
                traces = self.model.trace_batch(self.sample.X)
                mean_loss(self.training.loss, [trace.output for trace in traces], self.sample.y).backward()
        finally:
            for p, grad in gradients:
                p.grad = grad
        after, m = self._weights(), len(traces)
        layers = []
        for l, (old, new) in enumerate(zip(self._before, after), 1):
            # the mean's 1/m is in every δ
            delta = m * hypot(*[d for trace in traces for d in trace.delta[l]]) / sqrt(m)
            moved, size = hypot(*[b - a for a, b in zip(old, new)]), hypot(*old)
            slopes = [[_slope(a_j) for a_j in trace.a[l]] for trace in traces]
            layers.append(LayerRecord(l, delta, moved / size if size else float(moved > 0.0),
                                      _dead(slopes), _saturated(slopes), _alike(self._layers()[l - 1])))  # fmt: skip
        self._before = after
        self.records.append(layers)
        return layers

    def forget(self) -> None:
        """Measure the next changes from the weights as they are now, after they were loaded."""
        self._before = self._weights()

    def verdicts(self) -> list[Verdict]:
        """What is wrong with the run so far; one that says "healthy" where nothing is."""
        return judge(self.training.records, self.records)

    def _layers(self) -> list[Linear]:
        return [module for module in self.model.submodules().values() if isinstance(module, Linear)]

    def _weights(self) -> list[list[float]]:
        return [[w.data for w in flatten(layer.W)] for layer in self._layers()]


def judge(records: Sequence[EpochRecord], layers: Sequence[Sequence[LayerRecord]]) -> list[Verdict]:
    """The verdicts on a run, from its epochs and its layers' records; ValueError without an epoch.

    vanishing, exploding   the median of δ¹/δᴸ, over the epochs in which no layer is dead, is below 1e-3, above 1e3
    alike                  at the end, more than half of a hidden layer's units have another's weights
    dead, saturated        at the end, more than 40 % of a layer's units, 50 % of their outputs
    learning rate too high the loss ended above where it began, or rose by more than a tenth in a third of the epochs
    learning rate too low  the loss fell by less than 10 % while no W changed by more than 1 % an epoch, though most
                           units are alive and differ
    overfitting            the validation loss ended above 1.5 times its lowest, the training loss below where it was
    """
    if not records or not layers:
        raise ValueError("a run without an epoch has nothing to judge: train it first")
    healthy = f"the loss went from {records[0].loss:.3g} to {records[-1].loss:.3g}"
    return [*_judge_layers(layers), *_judge_rate(records, layers), *_judge_validation(records)] or [
        Verdict("healthy", records[-1].loss, f"δ reaches every layer, units are alive, and {healthy}")
    ]


def _judge_layers(layers: Sequence[Sequence[LayerRecord]]) -> Iterator[Verdict]:
    # where units are dead, they are to blame for what δ does
    ratios = [e[0].delta / e[-1].delta for e in layers if e[-1].delta and max(l.dead for l in e) <= MOST_DEAD]
    ratio = median(ratios) if ratios else 1.0
    if 0.0 < ratio < VANISHED:
        remedy = "use relu or batch normalisation, larger first weights, or fewer layers"
        yield Verdict("vanishing gradients", ratio, f"δ of layer 1 is {ratio:.1e} of the last layer's: {remedy}")
    if ratio > EXPLODED:
        remedy = "use smaller first weights, or clip the gradient"
        yield Verdict("exploding gradients", ratio, f"δ of layer 1 is {ratio:.1e} times the last layer's: {remedy}")
    for l, _, _, dead, saturated, alike in layers[-1]:
        is_alike = alike > MOST_ALIKE and l < len(layers[-1])
        if is_alike:
            what = f"{alike:.0%} of the units of layer {l} have the weights of another, and compute the same"
            yield Verdict("units alike", alike, f"{what}: begin with random weights")
        if dead > MOST_DEAD and not is_alike:
            what = f"{dead:.0%} of the relus of layer {l} are off for every example"
            yield Verdict("dead units", dead, f"{what}: lower the learning rate, or use leaky_relu")
        if saturated > MOST_SATURATED:
            what = f"{saturated:.0%} of the outputs of layer {l} are where g′ is all but 0"
            remedy = "standardise the inputs, use smaller first weights or batch normalisation"
            yield Verdict("saturated units", saturated, f"{what}: {remedy}")


def _judge_rate(records: Sequence[EpochRecord], layers: Sequence[Sequence[LayerRecord]]) -> Iterator[Verdict]:
    losses = [record.loss for record in records]
    if len(losses) < 2:
        return
    first, last = losses[0], losses[-1]
    rose = sum(after > 1.1 * before for before, after in pairwise(losses)) / (len(losses) - 1)
    fell = 1.0 - last / first if first else 0.0
    change = max(layer.change for epoch in layers for layer in epoch)
    is_stuck = any(layer.dead > MOST_DEAD or layer.alike > MOST_ALIKE for layer in layers[-1])
    if last > first or (rose > 1.0 / 3.0 and fell < 0.9):
        what = f"the loss went from {first:.3g} to {last:.3g} and rose in {rose:.0%} of the epochs"
        yield Verdict("learning rate too high", -fell, f"{what}: lower the learning rate, or let it decay")
    elif fell < 0.1 and change < 0.01 and not is_stuck:
        what = f"the loss fell by {fell:.1%}, and no W changed by more than {change:.2%} in an epoch"
        yield Verdict("learning rate too low", change, f"{what}: raise the learning rate")


def _judge_validation(records: Sequence[EpochRecord]) -> Iterator[Verdict]:
    best, last = min(records, key=lambda record: record.validation_loss), records[-1]
    rise = last.validation_loss / best.validation_loss if best.validation_loss > 0.0 else 1.0  # NaN without such data
    if rise > OVERFITTED and last.loss < best.loss:
        what = (
            f"the validation loss was {best.validation_loss:.3g} after epoch {best.epoch} and ended at "
            f"{last.validation_loss:.3g}, while the training loss fell from {best.loss:.3g} to {last.loss:.3g}"
        )
        yield Verdict("overfitting", rise, f"{what}: use more data, dropout, l2 or patience")


def _alike(layer: Linear) -> float:
    units = Counter(tuple(f"{w.data:.8e}" for w in row) for row in layer.W)
    return sum(times for times in units.values() if times > 1) / sum(units.values())


def _slope(a: Value) -> tuple[object, float]:
    """What made a unit's output, beneath identity nodes, and its local derivative g′."""
    while a.operation is identity:
        (a,) = a.parents
    return a.operation, a.local_derivatives[0] if a.operation in STEEPEST else 1.0


def _dead(slopes: Sequence[Sequence[tuple[object, float]]]) -> float:
    units = list(zip(*slopes))
    return sum(all(g is relu and slope == 0.0 for g, slope in unit) for unit in units) / len(units)


def _saturated(slopes: Sequence[Sequence[tuple[object, float]]]) -> float:
    every = [slope for example in slopes for slope in example]
    return sum(g in (sigmoid, tanh) and abs(s) < 0.01 * STEEPEST[g] for g, s in every) / len(every)
