"""Diagnoses a training run from the δ, weights and units of each layer, and suggests what to change.

δˡ is the ``grad`` of the nodes of zˡ, and g′ is the local derivative of the nodes of aˡ, so the graph of a few
examples shows vanishing and exploding gradients, and dead and saturated units. Causes are reported before their
effects; for instance, inputs that are not scaled saturate units, and dead units slow down learning.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise, zip_longest
from math import hypot, inf, isnan, nan, sqrt
from operator import itemgetter
from statistics import fmean, median
from typing import Any, NamedTuple

from autograd.functions import sum as sum_of_values
from autograd.modes import collector_paused
from autograd.number_systems import floats
from autograd.value import Value
from nn.data import Dataset
from nn.dropout import Dropout
from nn.evaluation import REGRESSION, Task, evaluate
from nn.layers import MLP, Linear, Sequential
from nn.losses import Loss, mean_loss, units_of
from nn.module import Module, Trace, beneath, evaluating, flatten
from nn.records import EpochRecord, Metrics
from nn.training import Training
from nn.validation import whole

VANISHED, EXPLODED = 1e-3, 1e2
MOST_DEAD, MOST_SATURATED, MOST_ALIKE, FIRST_SATURATED = 0.4, 0.5, 0.5, 0.15
OVERFITTED = 1.5
ENOUGH = 500  # number of examples to decide whether a relu is off for all
Layers = Sequence["LayerRecord"]


class LayerRecord(NamedTuple):
    """Measurements of a layer after an epoch, on a sample of m training examples in evaluation mode."""

    layer: int
    delta: float  # √(1/m Σ ‖δˡ‖²) over the examples, each with its own loss
    change: float  # ‖ΔW‖ / ‖W‖, with the change of W over the epoch and W before it
    dead: float  # fraction of units that are off for every example, such as a relu below 0; else 0
    saturated: float  # fraction of units and examples with g′ below 1 % of its maximum, for σ and tanh; else 0
    alike: float = 0.0  # fraction of units whose weights and bias equal those of another unit to three digits
    units: int = 0


class Verdict(NamedTuple):
    """A finding, the number that indicates it, and a sentence with evidence and remedy."""

    name: str
    number: float
    sentence: str

    def __str__(self) -> str:
        return f"{self.name}: {self.sentence}"


class Score(NamedTuple):
    """The accuracy or R² of a model on some data, and that of a constant guess."""

    data: str
    reached: float
    guess: float  # score of the most frequent class or the mean of the training data
    luck: float  # margin by which a guess may be better by chance
    always: str  # the guess in words

    @property
    def skill(self) -> float:
        """The score rescaled to 0 for the guess and 1 for no error."""
        return (self.reached - self.guess) / (1.0 - self.guess) if self.guess < 1.0 else float(self.reached == 1.0)

    def __str__(self) -> str:
        sign, form = ("R² ", "z.2f") if self.always == "the mean" else ("", ".1%")
        guess = f"{self.guess:{form}} by always predicting {self.always}"
        return f"{sign}{self.reached:{form}} on {self.data} data, {guess}"


class Facts(NamedTuple):
    """Facts about a run in addition to the records of its epochs."""

    start: Layers = ()  # the layers before the first epoch
    loss: float = nan  # loss of the sample before the first epoch; infinite if it overflows
    silence: float = nan  # loss of outputs that are all 0
    inputs: tuple[str, float] = ("", nan)  # range in words and root mean square of the largest input
    targets: tuple[str, float] = ("", nan)  # the same for the targets of a regression
    dropout: float = 0.0
    scores: Sequence[Score] = ()  # training data first
    examples: int = 0  # number of examples for which dead relus were counted
    overflow_epoch: int = 0  # epoch in which numbers overflowed, or 0


UNKNOWN = Facts()


class Diagnosis:
    """Measures an MLP or a Sequential after each epoch of its training; create it before the first epoch.

    examples   number of training examples to measure, selected by ``task.sample``

    Weights, gradients, statistics and generators do not change.

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
            raise TypeError(f"cannot diagnose {training.model!r}: the model must be an MLP or a Sequential")
        self.training, self.model = training, training.model
        self.sample = training.task.sample(training.training, whole("examples", examples))
        self.records: list[list[LayerRecord]] = []
        self._before = self._weights()
        self._facts = UNKNOWN
        if not self.model.buffers():  # a BatchNorm has not learned its statistics yet
            self._facts = Facts(loss=inf)
            with suppress(ArithmeticError):
                self._facts = Facts(*self._measured(self.sample))

    def measure(self) -> list[LayerRecord]:
        """Measure the layers and append the measurements to ``records``; return them."""
        self.records.append(self._measured(self.sample)[0])
        self.forget()
        return self.records[-1]

    def forget(self) -> None:
        """Measure the next change of W from the current weights, for instance after loading them."""
        self._before = self._weights()

    def verdicts(self, test: Dataset | None = None) -> list[Verdict]:
        """Return the findings about the run so far, causes first, or a single verdict "healthy".

        test   test data, whose score is also considered

        Raises ValueError before the end of the first epoch, unless numbers overflowed in it.
        """
        training, data, records, task = self.training, self.training.training, self.records, self.training.task
        names = [*map(repr, data.features)] or [f"input {k}" for k in range(1, len(data.X[0]) + 1)]
        y = [number for target in data.y for number in units_of(target)]
        some, scores = task.sample(data, ENOUGH), []
        with suppress(ArithmeticError):
            if records and any(layer.dead for layer in records[-1]):
                pairs = zip(records[-1], self._measured(some)[0])
                records = [*records[:-1], [old._replace(dead=new.dead, units=new.units) for old, new in pairs]]
            parts = {"training": data, "validation": training.validation, "test": test}
            scores = [self._score(name, part) for name, part in parts.items() if part and task.kind]
        return judge(training.records, records, self._facts._replace(
            inputs=max(map(_scale, names, zip(*data.X)), key=itemgetter(1)),
            targets=_scale("the target", y) if task.kind == REGRESSION else UNKNOWN.targets,
            dropout=max((m.p for m in self.model.submodules().values() if isinstance(m, Dropout)), default=0.0),
            scores=scores, examples=len(some.y),
            overflow_epoch=len(training.records) + 1 if training.stopped.startswith("by an error") else 0,
        ))  # fmt: skip

    def _score(self, part: str, data: Dataset) -> Score:
        task = self.training.task
        _, metrics = evaluate(self.model, self.training.loss, data, task)
        guess, guessed = constant_guess(task, self.training.training, data)
        if task.kind == REGRESSION:
            return Score(part, metrics.r2, guessed.r2, 0.05, "the mean")
        p = guessed.accuracy
        luck = 1.64 * sqrt(p * (1.0 - p) / len(data.y))  # exceeded by 5 % of guesses
        return Score(part, metrics.accuracy, p, luck, repr(guess))

    def _measured(self, data: Dataset) -> tuple[list[LayerRecord], float, float]:
        """Return the layers' measurements on these examples, their loss, and the loss of outputs that are all 0."""
        traces, loss = traced(self.model, self.training.loss, data)
        m, layers, silence = len(traces), [], nan
        for l, (layer, old, new) in enumerate(zip(linear_layers(self.model), self._before, self._weights()), 1):
            delta = hypot(*[d for trace in traces for d in trace.delta[l]]) / sqrt(m)
            moved, size = hypot(*[b - a for a, b in zip(old, new)]), hypot(*old)
            change = moved / size if size else float(moved > 0.0)
            A = [[beneath(a_j) for a_j in trace.a[l]] for trace in traces]
            dead = fmean(all(_is_flat(a, "off", 0.0) for a in unit) for unit in zip(*A))
            flat = [_is_flat(a, "saturated", 0.01) for a in flatten(A)]
            biases = layer.b or [Value(0.0)] * layer.n_out
            units = Counter(tuple(f"{w.data:.3g}" for w in (*row, b)) for row, b in zip(layer.W, biases))
            alike = sum(times for times in units.values() if times > 1) / layer.n_out
            layers.append(LayerRecord(l, delta, change, dead, fmean(flat), alike, layer.n_out))
        with suppress(ArithmeticError, ValueError):  # a user's loss may be undefined for outputs of 0
            output = traces[0].output
            silent = Value(0.0) if isinstance(output, Value) else [Value(0.0) for _ in output]
            silence = mean_loss(self.training.loss, [silent] * m, data.y).data
        return layers, loss, silence

    def _weights(self) -> list[list[float]]:
        return [[w.data for w in flatten(layer.W)] for layer in linear_layers(self.model)]


def _is_flat(a: Value, word: str, fraction: float) -> bool:
    """Return whether the flat part of g is called ``word``, and g′ is at most this fraction of g′(0)."""
    g = a.operation
    return bool(g and g.flat == word and abs(a.local_derivatives[0]) <= fraction * g.rule(floats, 0.0)[1][0])


def constant_guess(task: Task, training: Dataset, data: Dataset) -> tuple[Any, Metrics]:
    """Return the mean or the most frequent class of the training data, and its metrics as a prediction for data."""
    if task.kind == REGRESSION:
        mean = [fmean(column) for column in zip(*map(units_of, training.y))]
        return mean, task.metrics(task.tally([mean] * len(data.y), data.y), data.y)
    k, _ = max(Counter(map(task.label_of, training.y)).items(), key=lambda pair: (pair[1], -pair[0]))
    always = training.classes[k] if training.classes else task.labels[k] if task.labels else k
    return always, task.metrics([sum(task.label_of(y) == k for y in data.y)], data.y)


def linear_layers(model: MLP | Sequential) -> list[Linear]:
    """Return the layers 1 … L of a trace."""
    return [layer for layer in (model.net if isinstance(model, MLP) else model).flat() if isinstance(layer, Linear)]


def traced(model: MLP | Sequential, loss: Loss, examples: Dataset) -> tuple[list[Trace], float]:
    """Return traces of the examples after the backward pass, in evaluation mode, and the mean of the losses."""
    with unchanged(model), evaluating(model), collector_paused():
        traces = model.trace_batch(examples.X)
        # in evaluation mode the examples are independent, so the δ of each is that of its own loss
        total = sum_of_values([loss(trace.output, y) for trace, y in zip(traces, examples.y)])
        total.backward()
    return traces, total.data / len(traces)


@contextmanager
def unchanged(model: Module) -> Iterator[None]:
    """Restore every parameter, gradient and statistic afterwards, including after an error."""
    parameters = [(p, p.data, p.grad) for p in model.parameters()]
    statistics = [(buffer, buffer.copy()) for buffer in model.buffers().values()]
    try:
        yield
    finally:
        for p, data, grad in parameters:  # load_state_dict rejects numbers that are not finite
            p.data, p.grad = data, grad
        for buffer, old in statistics:
            buffer[:] = old


def judge(records: Sequence[EpochRecord], layers: Sequence[Layers], facts: Facts = UNKNOWN) -> list[Verdict]:
    """Return the verdicts on a run, given the records of its epochs and layers and further facts, causes first.

    dropout too strong, … not scaled, identical units   data and settings, which explain all other findings
    vanishing, exploding gradients    δ¹/δᴸ is far from 1 initially or, if that is unknown, while few units are dead
    learning rate too high, too low   depends on the loss and ‖ΔW‖/‖W‖ over the epochs
    dead, saturated units             many relus are off, or many g′ are almost 0; a good score allows more of them
    has not learned                   a constant guess is about as good
    overfitting                       the validation loss rose by half, or the scores differ a lot

    Raises ValueError if there are no epochs.
    """
    if not (records and layers) and not facts.overflow_epoch:
        raise ValueError("a run without epochs cannot be diagnosed: train first")
    layers, losses = layers or [facts.start], [record.loss for record in records] or [facts.loss]
    floor = min(losses[0], facts.silence)  # losses[0] if silence is NaN
    is_poor = (
        facts.overflow_epoch > 0 or losses[-1] > 0.75 * floor or any(score.skill < 0.3 for score in facts.scores)
    )
    found = [*_judge_setting(facts, layers[-1], is_poor)]
    found = found or [*_judge_gradients(layers, facts, is_poor)] or [*_judge_rate(losses, layers, facts, floor)]
    found += _judge_units(layers[-1], facts)
    more = "units, and check the targets" if len(layers[-1]) > 1 else "a hidden layer"
    found += _judge_result(records, facts, "" if found else f": use more epochs or {more}")
    what = f"δ reaches every layer, {_off(layers[-1], facts)}, and the loss changed from {losses[0]:.3g} to"
    reached = "".join(f"; {score}" for score in facts.scores[-1:])
    return found or [Verdict("healthy", losses[-1], f"{what} {losses[-1]:.3g}{reached}")]


def _judge_setting(facts: Facts, layers: Layers, is_poor: bool) -> Iterator[Verdict]:
    if facts.dropout >= 0.75 or (facts.dropout > 0.5 and is_poor):
        sentence = f"each step drops {facts.dropout:.0%} of the hidden units: use dropout of at most 0.5"
        yield Verdict("dropout too strong", facts.dropout, sentence)
    what, size = facts.inputs
    shows = facts.loss > 3.0 * facts.silence or facts.loss == inf or _is_stuck(facts.start, FIRST_SATURATED)
    if (size > (4.0 if is_poor else 8.0) and shows) or (size < 0.1 and is_poor):
        yield Verdict("inputs not scaled", size, f"{what}: standardise the inputs (nn.Standardize, --standardize)")
    what, size = facts.targets
    if (size > 10.0 and not (facts.scores and facts.scores[0].skill > 0.9)) or (size < 0.1 and is_poor):
        yield Verdict("targets not scaled", size, f"{what}: standardise it, and pass its units to Dataset")
    for layer, first in zip(layers[:-1], facts.start or layers):
        if min(layer.alike, first.alike) > MOST_ALIKE:
            what = f"{layer.alike:.0%} of the units in layer {layer.layer} have the same weights as another unit"
            yield Verdict("identical units", layer.alike, f"{what}: use random initial weights")


def _judge_gradients(layers: Sequence[Layers], facts: Facts, is_poor: bool) -> Iterator[Verdict]:
    # epochs with many dead units are left out, because the dead units explain δ
    epochs = [facts.start] if facts.start else [e for e in layers if e and max(l.dead for l in e) <= MOST_DEAD]
    ratio = median([e[0].delta / e[-1].delta for e in epochs if e[-1].delta] or [1.0])
    if 0.0 < ratio < (0.02 if is_poor else VANISHED):
        remedy = "use relu or batch normalisation, larger initial weights, or fewer layers"
        yield Verdict("vanishing gradients", ratio, f"δ of layer 1 is {ratio:.1e} times the last layer's: {remedy}")
    # saturated units and a large δ have the same cause
    was_saturated = any(layer.saturated > FIRST_SATURATED for layer in facts.start)
    most = EXPLODED / 5.0 if facts.loss > 3.0 * facts.silence else EXPLODED
    if (ratio > most and not was_saturated) or facts.loss == inf:
        what = (
            f"δ of layer 1 is {ratio:.1e} times the last layer's" if facts.start else "the initial outputs overflow"
        )
        yield Verdict("exploding gradients", ratio, f"{what}: use smaller initial weights, or clip the gradient")


def _judge_rate(losses: list[float], layers: Sequence[Layers], facts: Facts, floor: float) -> Iterator[Verdict]:
    first, last, half, most = losses[0], losses[-1], losses[len(losses) // 2], max(losses)
    rose = sum(after > 1.1 * before for before, after in pairwise(losses)) / max(len(losses) - 1, 1)
    changes = [max((layer.change for layer in epoch), default=0.0) for epoch in layers]
    change, late = max(changes), median(changes[max(len(changes) // 2, 3) :] or [0.0])
    limit = 1.5 * max(facts.loss, facts.silence) / max(1.0 - facts.dropout, 0.25)  # dropout adds noise
    is_high = last > max(1.1 * first, 0.1 * floor) or most > limit
    is_high = is_high or (last > 0.5 * first and (rose > 1.0 / 3.0 or (rose > 0.0 and late > 0.2)))
    is_tiny = abs(facts.loss - facts.silence) < 0.05 * facts.silence  # tiny initial weights may more than double
    is_stuck, was_stuck = _is_stuck(layers[-1], MOST_SATURATED), _is_stuck(facts.start, FIRST_SATURATED)
    is_slow = change < 0.01 or (change < 0.04 and half - last > 0.35 * (first - half) > 0.0)
    is_slow |= changes[-1] < 0.02 and last > facts.silence and losses == sorted(losses, reverse=True)
    if facts.overflow_epoch or ((is_high or (change > 2.5 and is_stuck and not is_tiny)) and not was_stuck):
        what = f"numbers overflowed in epoch {facts.overflow_epoch}, " if facts.overflow_epoch else ""
        what += f"the loss was {first if isnan(facts.loss) else facts.loss:.3g} initially, at most {most:.3g} and "
        what += f"finally {last:.3g}" + f", and rose in {rose:.0%} of the epochs" * (rose > 0.0)
        yield Verdict("learning rate too high", most, f"{what}: use a lower or a decaying learning rate")
    elif is_slow and not (is_stuck or was_stuck) and last > 0.6 * floor and len(losses) > 1:
        what = f"the loss fell by {1.0 - last / first:.1%}, and no W changed by more than {change:.2%} in an epoch"
        yield Verdict("learning rate too low", change, f"{what}: use a higher learning rate")


def _judge_units(layers: Layers, facts: Facts) -> Iterator[Verdict]:
    skills = [score.skill for score in facts.scores] or [0.0]
    most_dead = 0.45 if skills[0] > 0.5 else MOST_DEAD
    for layer, start in zip_longest(layers, facts.start):
        if layer.dead > most_dead and layer.alike <= MOST_ALIKE:
            was_dead = start is not None and start.dead > MOST_DEAD
            remedy = "use other initial weights or biases" if was_dead else "use a lower learning rate"
            yield Verdict("dead units", layer.dead, f"{_off([layer], facts)}: {remedy}, or leaky_relu")
        was_saturated = start is not None and start.saturated > FIRST_SATURATED
        is_saturated = layer.saturated > MOST_SATURATED and layer is not layers[-1] and min(skills) <= 0.5
        if is_saturated or (was_saturated and fmean(skills) <= 0.9):
            what = f"for {layer.saturated:.0%} of the outputs of layer {layer.layer}, g′ is almost 0"
            remedy = "standardise the inputs, or use smaller initial weights or batch normalisation"
            yield Verdict("saturated units", layer.saturated, f"{what}: {remedy}")


def _judge_result(records: Sequence[EpochRecord], facts: Facts, remedy: str) -> Iterator[Verdict]:
    seen = facts.scores[1:] or facts.scores
    is_lucky = all(s.reached <= s.guess + s.luck and s.skill < 1.0 for s in seen)
    if seen and (is_lucky or max(facts.scores[0].skill, fmean(s.skill for s in seen)) < 0.3):
        learned = f"; {facts.scores[0]}: check the targets, or use more data"
        remedy = learned if facts.scores[0].skill > 0.5 else remedy
        yield Verdict("has not learned", seen[-1].skill, f"{seen[-1]}{remedy}")
        return
    if not records:
        return
    best, last = min(records, key=lambda record: record.validation_loss), records[-1]
    # NaN without validation data
    rise = last.validation_loss / best.validation_loss if best.validation_loss > 0.0 else 1.0
    is_small = last.validation_loss - best.validation_loss <= 0.3 * facts.silence
    gap = facts.scores[0].skill - fmean(score.skill for score in seen) if seen else 0.0
    remedy = "use more data, dropout, l2 or patience"
    if rise > OVERFITTED and last.loss < min(best.loss, facts.silence) and not is_small:
        what = f"the validation loss rose from {best.validation_loss:.3g} after epoch {best.epoch} to "
        what += f"{last.validation_loss:.3g}, while the training loss fell from {best.loss:.3g} to {last.loss:.3g}"
        yield Verdict("overfitting", rise, f"{what}: {remedy}")
    elif gap > 0.25 and facts.scores[0].reached - seen[-1].reached > seen[-1].luck:
        yield Verdict("overfitting", gap, f"{facts.scores[0]}; {seen[-1]}: {remedy}")


def _off(layers: Layers, facts: Facts) -> str:
    off = {layer: round(layer.dead * layer.units) for layer in layers if layer.dead}
    if not off:
        return "no unit is dead"
    what = ", ".join(f"{n} of {layer.units} relus in layer {layer.layer}" for layer, n in off.items())
    return f"{what} {'is' if [*off.values()] == [1] else 'are'} off for all {facts.examples} training examples"


def _is_stuck(layers: Layers, saturated: float) -> bool:
    return any(layer.dead > MOST_DEAD or layer.saturated > saturated for layer in layers)


def _scale(name: str, numbers: Sequence[float]) -> tuple[str, float]:
    return f"{name} ranges from {min(numbers):.4g} to {max(numbers):.4g}", hypot(*numbers) / sqrt(len(numbers))
