"""The training loop: forward, backward and update, for every example once per epoch, in random order.

Each step has the graph of one mini-batch, whose root is its mean loss. ``backward`` multiplies and adds until every
parameter knows its derivative, and the optimiser does the rest. The graph is built for each step, or recorded once
and replayed. The epochs' records decide when to stop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from math import fsum, hypot, inf, nan
from random import Random
from typing import TYPE_CHECKING, Any

from autograd.modes import collector_paused
from autograd.text import counted, shown
from autograd.value import Value
from nn.batch_norm import BatchNorm
from nn.data import Dataset, batches, count_batches, rows_of
from nn.dropout import Dropout
from nn.evaluation import Task, check_targets, evaluate, numbers_of
from nn.failures import failing_example, naming_example, refuse_infinite
from nn.layers import weights as penalised
from nn.losses import Loss, mean_loss
from nn.module import Module, flatten, lift
from nn.optim import Optimizer, clip_norm, clip_value
from nn.penalties import l1_penalty, l2_penalty
from nn.records import EpochRecord, Metrics, describe, progress_bar
from nn.validation import SuggestsNames, generator, in_range, optional, whole

if TYPE_CHECKING:
    from nn.replaying import Replay


ENGINES = ("auto", "eager", "replay")
Step = Callable[[Sequence[int]], tuple[float, list[float]]]


class Training(SuggestsNames):
    """Mini-batch training as an iterator of epoch records; ``stopped`` says why it ended.

    batch_size            1 is stochastic gradient descent, len(training.y) is batch gradient descent; if the model
                          has a BatchNorm, a last batch of one example joins the batch before
    validation            held-out data: ``best`` keeps the weights of the epoch with the lowest validation loss
    rng                   decides the order of the examples: a seed, a ``Random``, or None for a fresh generator
    progress              show a bar, on a terminal or in a notebook
    weights               weight of each training example in the loss, ≥ 0, scaled to the mean 1; metrics ignore it

    epochs                number of epochs after which it stops, unless it stops sooner:
    loss_tolerance        when an epoch's training loss is at most this
    gradient_tolerance    when an epoch's ``gradient_norm`` is at most this
    patience              when the validation loss has not improved for so many epochs; however the loop ends, also by
                          a break or an error, the weights of the best epoch are then restored

    l1, l2                λ of the penalties λ Σ |w| and ½ λ Σ w² over every W, added to each batch's loss
    clip_norm             largest norm of the gradient, as one vector
    clip_value            largest |∂L/∂w|, clipped separately

    engine                takes the steps; ``engine`` and ``reason`` say which one runs, and all agree to rounding
      "eager"             builds the graph of each mini-batch, node by node
      "replay"            records it once per size of a mini-batch and runs it as matrix products; compares the first
                          two with fresh graphs, and raises ValueError if a layer or a loss decides by numbers
      "auto"              replay, if the graph is large enough to pay, and layers, loss and optimiser are from ``nn``

    The loss says what the outputs mean (``nn.losses.outputs_are``), and the targets whether it is a regression; the
    ``task`` of the training and of the model holds both. Afterwards the model is in evaluation mode; parts that were
    in evaluation mode by themselves, by ``eval`` or ``freeze``, stay so during training. Iterating again continues
    where it stopped. If a loss, a gradient or a weight would not be finite, an ArithmeticError names the example, the
    operation and its operands, and that step changes nothing.
    Raises ValueError, before any step, for examples that ``Dataset.check`` refuses, targets that the loss refuses,
    options out of range, patience without validation data, and an optimiser of another model; before an epoch, for an
    optimiser that would move frozen parameters.

    >>> from nn import MLP, SGD, binary_cross_entropy
    >>> from nn.data import moons
    >>> model = MLP(2, [4, 1], rng=Random(0))
    >>> training = Training(model, binary_cross_entropy, SGD(model.parameters(), learning_rate=0.5),
    ...                     moons(20, rng=Random(1)), epochs=3, batch_size=5, rng=Random(2))
    >>> [record.gradient_evaluations for record in training], training.stopped
    ([20, 40, 60], 'after 3 epochs')
    """

    def __init__(
        self, model: Module, loss: Loss, optimizer: Optimizer, training: Dataset, validation: Dataset | None = None,
        *, epochs: int = 50, batch_size: int = 10, rng: Random | int | None = None, progress: bool = True,
        weights: Sequence[float] | None = None,
        loss_tolerance: float | None = None, gradient_tolerance: float | None = None, patience: int | None = None,
        l1: float = 0.0, l2: float = 0.0, clip_norm: float | None = None, clip_value: float | None = None,
        engine: str = "auto",
    ) -> None:  # fmt: skip
        if engine not in ENGINES:
            raise ValueError(f"engine {engine!r}: there are {', '.join(ENGINES)}")
        if not hasattr(optimizer, "parameters"):
            raise TypeError(
                f"the optimiser {shown(optimizer)} has no parameters: write Training(model, loss, optimizer, data)"
            )
        if set(model.parameters()).isdisjoint(optimizer.parameters):
            of = f"the {len(model.parameters())} parameters of {model!r}"
            raise ValueError(f"the optimiser moves none of {of}: make it from model.parameters() of this model")
        self.training, self.validation = training, validation
        for role, data in self._data():
            data.check(role)
            self._units = check_targets(model, loss, data)
        self.epochs, self.batch_size = whole("epochs", epochs), whole("batch_size", batch_size)
        self.loss_tolerance = optional(in_range, "loss_tolerance", loss_tolerance, at_least=0.0)
        self.gradient_tolerance = optional(in_range, "gradient_tolerance", gradient_tolerance, at_least=0.0)
        self.patience = optional(whole, "patience", patience)
        self.l1, self.l2 = in_range("l1", l1, at_least=0.0), in_range("l2", l2, at_least=0.0)
        self.clip_norm = optional(in_range, "clip_norm", clip_norm, above=0.0)
        self.clip_value = optional(in_range, "clip_value", clip_value, above=0.0)
        if patience is not None and validation is None:
            raise ValueError(f"patience = {patience} without validation data: it watches their loss; pass validation")
        mixes = any(isinstance(module, BatchNorm) for module in (model, *model.submodules().values()))
        if mixes and min(self.batch_size, len(training.y)) < 2:
            of = f"{batch_size} of {counted(len(training.y), 'example')}"
            raise ValueError(f"batch_size = {of}: BatchNorm needs mini-batches of at least 2")
        self.model, self.loss, self.optimizer = model, loss, optimizer
        self.least_batch = 2 if mixes else 1
        self.rng, self.progress, self.weights = generator(rng), progress, weights
        self.requested, self.engine, self.reason = engine, "eager", "not started"
        self.records: list[EpochRecord] = []
        self.best: tuple[EpochRecord, dict[str, Any]] | None = None
        self.stopped = "not started"
        self._gradient = [0.0] * len(optimizer.parameters)  # sum of the batches' gradients in this epoch
        self.scaled = self._scaled_weights()  # as of the latest choice of an engine
        model.task = self.task
        self._last: dict[str, Any] | None = None  # the weights to continue from, if the best were restored
        self._replay: Replay | None = None
        self._structure: list[Any] | None = None  # for which the engine was chosen

    @property
    def updates_per_epoch(self) -> int:
        """The number of optimiser steps in an epoch: N, ⌈N/m⌉ or 1."""
        return count_batches(len(self.training.y), self.batch_size, self.least_batch)

    @property
    def task(self) -> Task:
        """What the outputs mean to this loss on these data."""
        return replace(Task.of(self.loss, self.training, self._units), classes=tuple(self.training.classes))

    def __iter__(self) -> Iterator[EpochRecord]:
        if self._last is not None:
            self.model.load_state_dict(self._latest())
            self._last = None
        total, done = (epochs * self.updates_per_epoch for epochs in (self.epochs, len(self.records)))
        try:
            with progress_bar(shown=self.progress, total=total, initial=done) as bar:
                while (reason := self._reason_to_stop()) is None:
                    epoch = len(self.records) + 1
                    self.stopped = f"by the caller, in epoch {epoch}"
                    describe(bar, epoch, self.epochs, self.records)
                    try:
                        record = self._epoch(epoch, bar)
                    except ArithmeticError as error:
                        self.stopped = f"by an error in epoch {epoch}: {error}"
                        raise
                    self.records.append(record)
                    lowest = self.best[0].validation_loss if self.best else inf
                    if record.validation_loss < lowest:  # False for NaN, as without validation data
                        self.best = record, self.model.state_dict()
                    self.stopped = self._reason_to_stop() or self.stopped
                    bar.clear()  # so that the caller can print whole lines
                    yield record
            self.stopped = reason
        finally:
            if self.patience is not None and self.best:
                self._last = self.model.state_dict()
                self.restore_best()
            self.model.eval()

    def _data(self) -> Iterator[tuple[str, Dataset]]:
        """The training and validation data with their names in errors. TypeError for other types than Dataset."""
        for role, data in (("", self.training), ("validation ", self.validation)):
            if isinstance(data, Dataset):
                data.agree(self.training.classes)
                yield role, data
            elif data is not None or not role:
                raise TypeError(f"{role}data of the type {type(data).__name__}: Training takes a nn.data.Dataset")

    def _train_mode(self) -> dict[str, Module]:
        """Put the model in training mode, but no part in evaluation mode by itself; returns the modules by path."""
        modules = {"": self.model, **self.model.submodules()}
        if self.model.training:  # else the whole model was put in evaluation mode, and ``kept`` is up to date
            for module in modules.values():
                module.kept = not module.training
        if not all(module.training or module.kept for module in modules.values()):
            self.model.train()
            for module in modules.values():
                if module.kept:
                    module.eval()
        return modules

    def _check_frozen(self) -> None:
        if fixed := set(self.optimizer.parameters) - set(self.model.parameters()):
            remedy = "make the optimiser from model.parameters() after freeze()"
            for path, module in {"the model": self.model, **self.model.submodules()}.items():
                if module.frozen and not fixed.isdisjoint(flatten([*module.held().values()])):
                    raise ValueError(f"{path} is frozen, and the optimiser would move its parameters: {remedy}")

    def _scaled_weights(self) -> list[float] | None:
        """The weights of the examples, scaled to the mean 1. ValueError if one is negative or the count differs."""
        if self.weights is None:
            return None
        n = len(self.training.y)
        weights = [in_range("a weight", w, at_least=0.0) for [w] in rows_of("weights", self.weights)]
        if len(weights) != n or not any(weights):
            raise ValueError(f"{len(weights)} weights of {n} examples: it needs as many, and one above 0")
        total = fsum(weights)
        return [w * n / total for w in weights]

    def restore_best(self) -> EpochRecord | None:
        """Restore the weights of the best epoch; returns its record, or None without validation data."""
        if self.best is None:
            return None
        self.model.load_state_dict(self.best[1])
        return self.best[0]

    def _latest(self) -> dict[str, Any]:
        """The weights to continue from: the model's, unless they are the restored best ones."""
        now = self.model.state_dict()
        return self._last if self._last is not None and self.best and now == self.best[1] else now

    def choose_engine(self) -> str:
        """Record the first mini-batch, if that pays, and return the engine that will run: "eager" or "replay".

        Generators and statistics do not change. Raises ValueError if engine="replay" was requested and is impossible.
        """
        self.scaled = self._scaled_weights()
        modules = self._train_mode()
        if self.requested == "eager":
            self._check_frozen()
            self.reason = "as requested"
            return self.engine
        from nn.replaying import Replay, snapshot, structure, why_not

        now = structure(self, modules)
        if now == self._structure:
            if self._replay is not None:
                self._replay.follow()
            return self.engine
        self._check_frozen()
        self._replay, self.engine, self.reason = None, "eager", why_not(self) or ""
        if not self.reason or self.requested == "replay":
            try:
                replay = Replay(self, self.requested)
                program = replay.now.program
                self.engine = "eager" if program.engine == "eager" else "replay"
                self.reason = f"{'compiled, ' * (program.engine == 'compiled')}{program.reason}"
                self._replay = replay if self.engine == "replay" else None
            except (ValueError, TypeError, ArithmeticError) as error:
                if self.requested == "replay":
                    raise
                self.reason = f"it cannot be recorded: {error}"
        self._structure = snapshot(now)
        return self.engine

    def step(
        self, X: Sequence[Sequence[float]], y: Sequence[Any], places: Sequence[int] | None = None
    ) -> tuple[float, list[float]]:
        """One update on one mini-batch; returns its mean loss and its ``task.tally``.

        places   the examples' indices in the training data, for errors and weights

        Raises ArithmeticError, naming the example and the node, if a number is not finite. After any error weights,
        statistics and the optimiser's state are as before.
        """
        statistics = [(buffer, buffer.copy()) for buffer in self.model.buffers().values()]
        examples, root, task = [lift(x) for x in X], None, self.model.task or self.task
        weights = [self.scaled[i] for i in places] if self.scaled and places is not None else None
        data, places = ("mini-batch", range(len(X))) if places is None else ("training data", places)
        try:
            with collector_paused(), naming_example(examples, places, data, self.training.features, lambda: root):
                outputs = self.model.batch(examples)
                loss, tally = mean_loss(self.loss, outputs, y, weights), task.tally(numbers_of(outputs), y)
                root = self.with_penalties(loss)
                refuse_infinite(root.data)
                self.optimizer.zero_grad()
                root.backward()
                gradient = [p.grad for p in self.optimizer.parameters]
                if self.clip_value is not None:
                    clip_value(self.optimizer.parameters, self.clip_value)
                if self.clip_norm is not None:
                    clip_norm(self.optimizer.parameters, self.clip_norm)
                self.optimizer.step()
        except BaseException:
            for buffer, old in statistics:
                buffer[:] = old
            raise
        self._gradient[:] = [total + len(y) * g for total, g in zip(self._gradient, gradient)]
        return loss.data, tally

    def state_dict(self, records: bool = True) -> dict[str, Any]:
        """Everything that the next epoch depends on, as numbers, strings, lists and dicts; JSON keeps every bit.

        records   False leaves the records out; put them back under "records" for ``load_state_dict``
        """
        generators = {name: rng.getstate() for name, rng in self.generators().items()}
        return {
            "model": self._latest(),
            "optimizer": self.optimizer.state_dict(),
            **({"records": [list(record) for record in self.records]} if records else {}),
            "best": {"epoch": self.best[0].epoch, "model": self.best[1]} if self.best else None,
            "generators": {
                name: [version, [*numbers], gauss] for name, (version, numbers, gauss) in generators.items()
            },
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a ``state_dict``, to the last bit as if the training had never been interrupted.

        Raises ValueError, and changes nothing, if the state does not fit this training's model, data and options.
        """
        before = self.state_dict()
        try:
            self._load(state)
        except Exception as error:
            self._load(before)
            if isinstance(error, ValueError):
                raise
            raise ValueError(f"this is not the state of a training: {type(error).__name__} {error}") from error

    def _load(self, state: Mapping[str, Any]) -> None:
        # one NaN object for all, so that records from a file equal those that were written
        records = [EpochRecord._make(nan if x != x else x for x in record) for record in state["records"]]
        epochs = range(1, len(records) + 1)
        if [record.epoch for record in records] != [*epochs]:
            raise ValueError("the records of the state are not of the epochs 1, 2, …")
        generators, theirs, best = self.generators(), state["generators"], state["best"]
        if set(theirs) != set(generators):
            ours = f"this training {', '.join(generators)}"
            raise ValueError(f"the state has the generators {', '.join(theirs)}, and {ours}: give it the same model")
        if best is not None:
            if best["epoch"] not in epochs:
                raise ValueError(f"the best epoch of the state is {best['epoch']}, of {len(records)}")
            self.model.load_state_dict(best["model"])  # raises if it does not fit
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        for name, rng in generators.items():
            try:
                version, numbers, gauss = theirs[name]
                rng.setstate((version, tuple(numbers), gauss))
            except (TypeError, ValueError) as error:
                raise ValueError(f"the generator {name!r} does not take its state: {error}") from None
        self.records = records
        self.best = (records[best["epoch"] - 1], best["model"]) if best is not None else None

    def generators(self) -> dict[str, Random]:
        """The generators of the order of the examples and of each Dropout's masks, by name."""
        modules = self.model.submodules().items()
        return {"order": self.rng, **{path: module.rng for path, module in modules if isinstance(module, Dropout)}}

    def _reason_to_stop(self) -> str | None:
        if not self.records:
            return None
        last = self.records[-1]
        after = f"after {counted(last.epoch, 'epoch')}"
        if self.loss_tolerance is not None and last.loss <= self.loss_tolerance:
            return f"{after}: the training loss {last.loss:.3g} is at most the loss_tolerance {self.loss_tolerance:g}"
        if self.gradient_tolerance is not None and last.gradient_norm <= self.gradient_tolerance:
            small = f"the gradient's norm {last.gradient_norm:.3g} is at most"
            return f"{after}: {small} the gradient_tolerance {self.gradient_tolerance:g}"
        best = self.best[0].epoch if self.best else 0
        if self.patience is not None and last.epoch - best >= self.patience:
            waited = f"no lower validation loss for {counted(self.patience, 'epoch')}, the patience"
            return f"{after}: {waited}; best was epoch {best}"
        return after if last.epoch >= self.epochs else None

    def with_penalties(self, loss: Value) -> Value:
        """The loss of a mini-batch plus the l1 and l2 penalties."""
        for penalty, strength in ((l1_penalty, self.l1), (l2_penalty, self.l2)):
            if strength:
                loss = loss + penalty(penalised(self.model), strength)
        return loss

    def _epoch(self, epoch: int, bar: Any) -> EpochRecord:
        for role, data in self._data():
            if not len(data.X) == len(data.y) > 0 or len({*map(len, data.X)}) > 1:
                data.check(role)  # not each number: a step names the node of one that is NaN
        task = self.model.task = self.task
        self.choose_engine()
        n, losses, tallies, updates = len(self.training.y), [], [], self.updates_per_epoch
        gradient = self._gradient = [0.0] * len(self.optimizer.parameters)
        eager: Any = nullcontext(lambda batch: self.step(*self.training.take(batch)[:2], batch))
        with eager if self._replay is None else self._replay.epoch(gradient) as step:
            for batch in batches(n, self.batch_size, self.rng, self.least_batch):
                loss, tally = step(batch)
                losses.append(loss * len(batch))
                tallies.append(tally)
                bar.update()
        metrics = task.metrics([fsum(column) for column in zip(*tallies)], self.training.y)
        validation_loss, validated = self._validate()
        return EpochRecord(
            epoch, sum(losses) / n, metrics.accuracy, validation_loss, validated.accuracy, epoch * n, epoch * updates,
            hypot(*gradient) / n, self.optimizer.learning_rate,
            metrics.rmse, metrics.r2, validated.rmse, validated.r2,
        )  # fmt: skip

    def _validate(self) -> tuple[float, Metrics]:
        if self.validation is None:
            return nan, Metrics()
        try:
            if self._replay is not None and self._replay.evaluates:
                loss, metrics = self._replay.evaluate()
            else:
                loss, metrics = evaluate(self.model, self.loss, self.validation, self.model.task)
            refuse_infinite(loss)
            return loss, metrics
        except ArithmeticError as error:
            raise failing_example(self.model, self.loss, self.validation, "validation data") or error from None
