"""Provides the result of an experiment, with its verdict and its picture, and the training that experiments share."""

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any

from autograd.colours import LIGHT
from nn import MLP, SGD, Adam, Dataset, Module, Training, binary_cross_entropy
from nn.evaluation import evaluate
from nn.losses import Loss, mean_loss
from nn.plots import finish, new_figure, style, write_png

Numbers = list[float]
Draw = Callable[[Any, dict[str, Any]], object]  # draws numbers by label on matplotlib's axes
WORST = 10.0  # replaces a loss that is larger or not finite, so that means and pictures stay finite


@dataclass(frozen=True)
class Result:
    """The result of one experiment."""

    row: str  # of the lecture: C for training, D for dropout, preprocessing and batch normalisation
    statement: str  # the claim in words
    measured: str  # the quantities and the data
    checks: dict[str, bool]  # each part of the claim, in words with its number, and whether it is true
    numbers: dict[str, Any]  # shown in the picture, by label
    draw: Draw = field(compare=False, repr=False)

    @property
    def word(self) -> str:
        """``borne out``, ``partly borne out`` or ``not borne out``."""
        checks = self.checks.values()
        return "borne out" if all(checks) else "partly borne out" if any(checks) else "not borne out"

    @property
    def verdict(self) -> str:
        """The word with the measured numbers; contradicted parts come first."""
        true, false = ("; ".join(part for part, is_so in self.checks.items() if is_so == x) for x in (True, False))
        return f"{self.word}: " + ". Confirmed: ".join(filter(None, [false and f"contradicted: {false}", true]))

    def plot(self, where: str | os.PathLike[str] | Any) -> None:
        """Write a PNG to a path, or draw on matplotlib's axes. Raises ImportError if matplotlib is not installed."""
        if not isinstance(where, (str, os.PathLike)):
            self.draw(where, self.numbers)
            return
        figure = new_figure(7.6, 4.8, dpi=110)
        axes = figure.subplots()
        self.draw(axes, self.numbers)
        axes.set_title(f"{self.row}  {self.statement}\n{self.word}", fontsize="medium", wrap=True)
        write_png(figure, Path(where))


def curves(
    x: Sequence[Any], xlabel: str, ylabel: str, look: Callable[[int], dict[str, Any]] = style,
    vertical: dict[str, float] | None = None, horizontal: dict[str, float] | None = None, **settings: Any,
) -> Draw:  # fmt: skip
    """Return a function that draws numbers over x, the k-th line in the style look(k), and straight lines."""

    def draw(axes: Any, numbers: dict[str, Numbers]) -> None:
        step = max(1, len(x) // 10)
        for k, (label, y) in enumerate(numbers.items()):  # shifted markers stay visible where lines coincide
            axes.plot(x[: len(y)], y, **look(k), markevery=(k % step, step), label=label)
        for line, places in ((axes.axvline, vertical), (axes.axhline, horizontal)):
            for label, place in (places or {}).items():
                line(place, color=LIGHT["edge"], linewidth=0.8, label=label)
        finish(axes, xlabel, ylabel, **settings)

    return draw


def fit(
    model: Module, data: Dataset, rate: float, epochs: int, batch_size: int, rng: Random, adam: bool = False
) -> Numbers:
    """Train with SGD or Adam and return the loss of each epoch, WORST from the first epoch with an overflow."""
    optimizer = (Adam if adam else SGD)(model.parameters(), rate)
    # node by node, so that the order of additions, and hence the last digit of a result, is the same on every machine
    training = Training(
        model, binary_cross_entropy, optimizer, data,
        epochs=epochs, batch_size=batch_size, rng=rng, progress=False, engine="eager",
    )  # fmt: skip
    with suppress(ArithmeticError):
        list(training)
    losses = [min(WORST, record.loss) for record in training.records]
    return losses + [WORST] * (epochs - len(losses))


def trained(
    seed: int, k: int, data: Dataset, sizes: list[int], rate: float, epochs: int, batch_size: int,
    adam: bool = False, **options: Any,
) -> tuple[MLP, Numbers]:  # fmt: skip
    """Train the k-th network with these layers, seeded; return it and the loss of each epoch."""
    model = MLP(2, sizes, rng=Random(f"{seed} weights {k}"), **options)
    return model, fit(model, data, rate, epochs, batch_size, Random(f"{seed} order {k}"), adam)


def loss_of(model: Module, data: Dataset) -> float:
    """Return the mean loss on these data, in evaluation mode."""
    return evaluate(model, binary_cross_entropy, data)[0]


def gradient(model: Module, loss: Loss, X: list[Numbers], y: list[Any]) -> Numbers:
    """Return the gradient of the mean loss over these examples, one number per parameter."""
    model.zero_grad()
    mean_loss(loss, model.batch(X), y).backward()
    return [p.grad for p in model.parameters()]


def spread(numbers: Sequence[float]) -> float:
    """Return the largest number minus the smallest."""
    return max(numbers) - min(numbers)


def means(rows: Iterable[Sequence[float]]) -> Numbers:
    """Return the mean of each column."""
    return [fmean(column) for column in zip(*rows)]
