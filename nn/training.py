"""The training loop: forward, backward, update, for every example once an epoch, in a fresh random order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, nan
from random import Random
from typing import Any, NamedTuple

from autograd.value import Value, collector_paused, no_grad
from nn.data import Dataset, batches
from nn.losses import Loss, mean_loss
from nn.module import Module
from nn.optim import Optimizer


class EpochRecord(NamedTuple):
    """One epoch in numbers.

    loss, accuracy                          over the training examples, as each batch was met
    validation_loss, validation_accuracy    after the epoch; NaN without validation data
    gradient_evaluations                    examples that have been differentiated since the start
    updates                                 steps of the optimiser since the start
    """

    epoch: int
    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float
    gradient_evaluations: int
    updates: int


class Training:
    """Mini-batch training as an iterator of epoch records; ``stopped`` says why it ended.

    batch_size    1 is stochastic gradient descent, len(training.y) is batch gradient descent
    validation    data that steers: the weights of the epoch with the lowest validation loss are kept in ``best``
    rng           decides the order of the examples; without one, a fresh generator
    progress      show a bar on a terminal

    Raises ValueError for no examples, no epochs or a batch size below 1.

    >>> from nn import MLP, SGD, binary_cross_entropy
    >>> from nn.data import moons
    >>> model = MLP(2, [4, 1], rng=Random(0))
    >>> training = Training(model, binary_cross_entropy, SGD(model.parameters(), learning_rate=0.5),
    ...                     moons(20, rng=Random(1)), epochs=3, batch_size=5, rng=Random(2))
    >>> [record.gradient_evaluations for record in training], training.stopped
    ([20, 40, 60], 'after 3 epochs, as many as asked for')
    """

    def __init__(
        self,
        model: Module,
        loss: Loss,
        optimizer: Optimizer,
        training: Dataset,
        validation: Dataset | None = None,
        *,
        epochs: int = 50,
        batch_size: int = 10,
        rng: Random | None = None,
        progress: bool = True,
    ) -> None:
        if not training.X or len(training.X) != len(training.y):
            raise ValueError(
                f"{len(training.X)} examples and {len(training.y)} labels: it needs as many, at least one"
            )
        for name, number in (("epochs", epochs), ("batch_size", batch_size)):
            if number < 1:
                raise ValueError(f"{name} = {number}: it needs to be at least 1")
        self.model, self.loss, self.optimizer = model, loss, optimizer
        self.training, self.validation = training, validation
        self.epochs, self.batch_size = epochs, batch_size
        self.rng, self.progress = rng or Random(), progress
        self.records: list[EpochRecord] = []
        self.best: tuple[EpochRecord, dict[str, Any]] | None = None
        self.stopped = "not started"

    def __iter__(self) -> Iterator[EpochRecord]:
        from tqdm import tqdm

        total = self.epochs * ceil(len(self.training.y) / self.batch_size)
        with tqdm(total=total, unit="update", leave=False, disable=None if self.progress else True) as bar:
            for epoch in range(1, self.epochs + 1):
                self.stopped = f"by the caller, in epoch {epoch}"
                try:
                    record = self._epoch(epoch, bar)
                except ArithmeticError as error:
                    self.stopped = f"by an error in epoch {epoch}: {error}"
                    raise
                self.records.append(record)
                if self.validation and (not self.best or record.validation_loss < self.best[0].validation_loss):
                    self.best = record, self.model.state_dict()
                bar.set_postfix(
                    epoch=epoch, loss=f"{record.loss:.4f}", validation=f"{record.validation_accuracy:.1%}"
                )
                if epoch == self.epochs:
                    self.stopped = f"after {epoch} epochs, as many as asked for"
                yield record

    def restore_best(self) -> EpochRecord | None:
        """Put the weights of the best epoch back; returns its record, None without validation data."""
        if self.best is None:
            return None
        self.model.load_state_dict(self.best[1])
        return self.best[0]

    def step(self, X: Sequence[Sequence[float]], y: Sequence[Any]) -> tuple[float, int]:
        """One update on one mini-batch; returns its mean loss and how many of its examples were right."""
        with collector_paused():
            outputs = self.model.batch(X)
            loss = mean_loss(self.loss, outputs, y)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            return loss.data, count_right(outputs, y)

    def _epoch(self, epoch: int, bar: Any) -> EpochRecord:
        self.model.train()
        n, total_loss, right, updates = len(self.training.y), 0.0, 0, 0
        for batch in batches(n, self.batch_size, self.rng):
            X, y, *_ = self.training.take(batch)
            loss, good = self.step(X, y)
            total_loss += loss * len(batch)
            right += good
            updates += 1
            bar.update()
        loss, share = evaluate(self.model, self.loss, self.validation) if self.validation else (nan, nan)
        return EpochRecord(epoch, total_loss / n, right / n, loss, share, epoch * n, epoch * updates)


def outputs_of(model: Module, X: Sequence[Sequence[float]]) -> list[Any]:
    """The outputs for each example, in evaluation mode and without a graph; the model's mode stays as it was."""
    was_training = model.training
    model.eval()
    try:
        with no_grad(), collector_paused():
            return model.batch(X)
    finally:
        model.train(was_training)


def evaluate(model: Module, loss: Loss, data: Dataset) -> tuple[float, float]:
    """Mean loss and accuracy on data, in evaluation mode and without a graph."""
    outputs = outputs_of(model, data.X)
    with no_grad():
        return mean_loss(loss, outputs, data.y).data, count_right(outputs, data.y) / len(data.y)


def accuracy(model: Module, data: Dataset) -> float:
    """The share of examples whose label the model predicts, in evaluation mode."""
    return count_right(outputs_of(model, data.X), data.y) / len(data.y)


def predict(output: Any) -> int:
    """The label that an output stands for: its largest unit; for one unit, 1 if it is above 0, else 0."""
    units = [output] if isinstance(output, Value) else output
    if len(units) == 1:
        return int(units[0].data > 0.0)
    return max(range(len(units)), key=lambda j: float(units[j].data))


def count_right(outputs: Sequence[Any], y: Sequence[Any]) -> int:
    """How many outputs stand for their label; a label of −1 counts as 0, as for the hinge loss."""
    return sum(predict(output) == max(label, 0) for output, label in zip(outputs, y))
