"""The training loop: forward pass, backward pass and update, for every example once per epoch in random order.

The root of each step's graph is the mean loss of a mini-batch. ``backward`` computes the derivative with respect to
every parameter, and the optimiser updates them. The graph is built for each step, or recorded once and replayed.
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
    """Trains a model on mini-batches as an iterator of epoch records; ``stopped`` is the reason why it ended.

    batch_size            1 for stochastic gradient descent, len(training.y) for batch gradient descent; if the model
                          has a BatchNorm, a single leftover example joins the previous batch
    validation            held-out data; ``best`` keeps the weights of the epoch with the lowest validation loss
    rng                   a seed or a ``Random`` for the order of the examples, or None for a randomly seeded one
    progress              whether to show a progress bar on a terminal or in a notebook
    weights               weight ≥ 0 of each training example in the loss, rescaled to mean 1; metrics ignore it

    epochs                maximum number of epochs
    loss_tolerance        stop when the training loss of an epoch is at most this
    gradient_tolerance    stop when the ``gradient_norm`` of an epoch is at most this
    patience              stop when the validation loss has not improved for this many epochs; the weights of the best
                          epoch are restored when the loop ends, including by a break or an error

    l1, l2                λ of the penalties λ Σ |w| and ½ λ Σ w² over every W, which are added to each batch's loss
    clip_norm             largest norm of the gradient, as one vector
    clip_value            largest |∂L/∂w| of each parameter

    engine                the engine for the steps; all agree up to rounding. The attributes ``engine`` and ``reason``
                          state which one runs and why
      "eager"             build the graph of each mini-batch node by node
      "replay"            record one graph per batch size and run it as matrix products; compare the first two batches
                          with new graphs, and raise ValueError if the graph of a layer or loss depends on its numbers
      "auto"              replay if there is enough work, and if layers, loss and optimiser are from ``nn``

    The loss declares the meaning of the outputs (``nn.losses.outputs_are``), and the targets decide whether this is a
    regression; ``training.task`` and ``model.task`` combine both. Modules in evaluation mode, set by ``eval`` or
    ``freeze``, stay in it during training; afterwards the whole model is in evaluation mode. Iterating again
    continues the run. If a loss, a gradient or a weight would not be finite, an ArithmeticError names the
    example, the operation and its operands, and the step changes nothing.
    Raises ValueError before the first step for invalid examples (``Dataset.check``), targets that the loss rejects,
    options out of range, patience without validation data, and an optimiser for another model; and before an epoch if
    the optimiser contains frozen parameters.

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
            raise ValueError(f"unknown engine {engine!r}: choose one of {', '.join(ENGINES)}")
        if not hasattr(optimizer, "parameters"):
            raise TypeError(
                f"the optimiser {shown(optimizer)} has no parameters: call Training(model, loss, optimizer, data)"
            )
        if set(model.parameters()).isdisjoint(optimizer.parameters):
            of = f"the {len(model.parameters())} parameters of {model!r}"
            raise ValueError(f"the optimiser does not contain any of {of}: create it with model.parameters()")
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
            raise ValueError(f"patience = {patience} requires validation data: pass validation")
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
        self._gradient = [0.0] * len(optimizer.parameters)  # sum of this epoch's gradients over the examples
        self.scaled = self._scaled_weights()  # updated by choose_engine
        model.task = self.task
        self._last: dict[str, Any] | None = None  # the weights to continue from, if the best ones were restored
        self._replay: Replay | None = None
        self._structure: list[Any] | None = None  # the structure for which the engine was chosen

    @property
    def updates_per_epoch(self) -> int:
        """The number of optimiser steps per epoch, ⌈N/m⌉ for N examples and batch size m."""
        return count_batches(len(self.training.y), self.batch_size, self.least_batch)

    @property
    def task(self) -> Task:
        """How the outputs are interpreted, given the loss and the targets."""
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
                    if record.validation_loss < lowest:  # False for NaN, which means no validation data
                        self.best = record, self.model.state_dict()
                    self.stopped = self._reason_to_stop() or self.stopped
                    bar.clear()  # the caller may print
                    yield record
            self.stopped = reason
        finally:
            if self.patience is not None and self.best:
                self._last = self.model.state_dict()
                self.restore_best()
            self.model.eval()

    def _data(self) -> Iterator[tuple[str, Dataset]]:
        """Yield the training and the validation data with their roles. Raises TypeError unless they are Datasets."""
        for role, data in (("", self.training), ("validation ", self.validation)):
            if isinstance(data, Dataset):
                data.agree(self.training.classes)
                yield role, data
            elif data is not None or not role:
                raise TypeError(f"the {role}data must be an nn.Dataset, not {type(data).__name__}")

    def _train_mode(self) -> dict[str, Module]:
        """Set training mode for all modules but those set to evaluation mode; return the modules by path."""
        modules = {"": self.model, **self.model.submodules()}
        if self.model.training:  # otherwise eval() was called for the whole model, and ``kept`` is up to date
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
            remedy = "create the optimiser with model.parameters() after freeze()"
            for path, module in {"the model": self.model, **self.model.submodules()}.items():
                if module.frozen and not fixed.isdisjoint(flatten([*module.held().values()])):
                    raise ValueError(f"{path} is frozen, but the optimiser would update its parameters: {remedy}")

    def _scaled_weights(self) -> list[float] | None:
        """Return the weights of the examples, scaled to mean 1. Raises ValueError if they are invalid."""
        if self.weights is None:
            return None
        n = len(self.training.y)
        weights = [in_range("a weight", w, at_least=0.0) for [w] in rows_of("weights", self.weights)]
        if len(weights) != n or not any(weights):
            raise ValueError(
                f"{len(weights)} weights for {n} examples: pass one weight per example, and not only zeros"
            )
        total = fsum(weights)
        return [w * n / total for w in weights]

    def restore_best(self) -> EpochRecord | None:
        """Restore the weights of the best epoch; return its record, or None without validation data."""
        if self.best is None:
            return None
        self.model.load_state_dict(self.best[1])
        return self.best[0]

    def _latest(self) -> dict[str, Any]:
        """Return the weights to continue from: those of the model, unless the best ones were restored."""
        now = self.model.state_dict()
        return self._last if self._last is not None and self.best and now == self.best[1] else now

    def choose_engine(self) -> str:
        """Record the first mini-batch if that pays off, and return the engine to use, "eager" or "replay".

        Generators and statistics do not change. Raises ValueError if engine="replay" was requested but is impossible.
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
        """Perform one update on a mini-batch; return its mean loss and its ``task.tally``.

        places   indices of the examples in the training data, for their weights and for error messages

        Raises ArithmeticError, naming the example and the node, if a number is not finite. An error leaves weights,
        statistics and the state of the optimiser unchanged.
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
        """Return everything that the next epoch depends on, as numbers, strings, lists and dicts that JSON preserves.

        records   whether to include the records; if not, add them under "records" before ``load_state_dict``
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
        """Restore a ``state_dict``, from which training continues bit for bit.

        Raises ValueError, and changes nothing, if the state does not match the model, data and options.
        """
        before = self.state_dict()
        try:
            self._load(state)
        except Exception as error:
            self._load(before)
            if isinstance(error, ValueError):
                raise
            raise ValueError(f"this is not a training state: {type(error).__name__} {error}") from error

    def _load(self, state: Mapping[str, Any]) -> None:
        # use one NaN object throughout, so that records read from a file equal those that were written
        records = [EpochRecord._make(nan if x != x else x for x in record) for record in state["records"]]
        epochs = range(1, len(records) + 1)
        if [record.epoch for record in records] != [*epochs]:
            raise ValueError("the records in the state must belong to the epochs 1, 2, …")
        generators, saved, best = self.generators(), state["generators"], state["best"]
        if set(saved) != set(generators):
            found = f"the state has the generators {', '.join(saved)}, but this run has {', '.join(generators)}"
            raise ValueError(f"{found}: use the same model")
        if best is not None:
            if best["epoch"] not in epochs:
                raise ValueError(
                    f"the best epoch in the state is {best['epoch']}, but the state has only {len(records)} epochs"
                )
            self.model.load_state_dict(best["model"])  # raises if it does not match
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        for name, rng in generators.items():
            try:
                version, numbers, gauss = saved[name]
                rng.setstate((version, tuple(numbers), gauss))
            except (TypeError, ValueError) as error:
                raise ValueError(f"the state of the generator {name!r} is invalid: {error}") from None
        self.records = records
        self.best = (records[best["epoch"] - 1], best["model"]) if best is not None else None

    def generators(self) -> dict[str, Random]:
        """Return the random generators for the order of the examples and for each Dropout's masks, by name."""
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
            small = f"the gradient norm {last.gradient_norm:.3g} is at most"
            return f"{after}: {small} the gradient_tolerance {self.gradient_tolerance:g}"
        best = self.best[0].epoch if self.best else 0
        if self.patience is not None and last.epoch - best >= self.patience:
            waited = f"no lower validation loss for {counted(self.patience, 'epoch')} (patience)"
            return f"{after}: {waited}; the best epoch was {best}"
        return after if last.epoch >= self.epochs else None

    def with_penalties(self, loss: Value) -> Value:
        """Return the loss of a mini-batch plus the l1 and l2 penalties."""
        for penalty, strength in ((l1_penalty, self.l1), (l2_penalty, self.l2)):
            if strength:
                loss = loss + penalty(penalised(self.model), strength)
        return loss

    def _epoch(self, epoch: int, bar: Any) -> EpochRecord:
        for role, data in self._data():
            if not len(data.X) == len(data.y) > 0 or len({*map(len, data.X)}) > 1:
                data.check(role)  # individual numbers are not checked here: a step names the node of a NaN
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
