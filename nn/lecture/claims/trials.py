"""The result of an experiment, with its verdict and its picture, and the seeded training that experiments share."""

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
WORST = 10.0  # counts for a loss that is worse or not finite, so that means and pictures stay finite


@dataclass(frozen=True)
class Result:
    """What one experiment found."""

    row: str  # of the lecture: C for training, D for dropout, preprocessing and batch normalisation
    statement: str  # the claim in words
    measured: str  # what was measured, on what
    checks: dict[str, bool]  # each part of the claim, in words with its number, and whether it holds
    numbers: dict[str, Any]  # what the picture shows, by label
    draw: Draw = field(compare=False, repr=False)

    @property
    def word(self) -> str:
        """``borne out``, ``partly borne out`` or ``not borne out``."""
        holds = self.checks.values()
        return "borne out" if all(holds) else "partly borne out" if any(holds) else "not borne out"

    @property
    def verdict(self) -> str:
        """The word with its numbers; what does not hold comes first."""
        holds, fails = ("; ".join(part for part, so in self.checks.items() if so == said) for said in (True, False))
        return f"{self.word}: " + ". As said: ".join(filter(None, [fails and f"not as said: {fails}", holds]))

    def plot(self, where: str | os.PathLike[str] | Any) -> None:
        """Write a PNG to a path, or draw on matplotlib's axes. ImportError says what to install without it."""
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
    """A function that draws numbers over x, the k-th line in the style look(k), and straight lines by label."""

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
    """Train by SGD or Adam and return the loss of each epoch: WORST from the epoch in which a number overflows."""
    optimizer = (Adam if adam else SGD)(model.parameters(), rate)
    # node by node, so that the order of additions, and with it the last digit of a claim, is the same everywhere
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
    """The k-th network of these layers, whose weights and order the seed decides, and the loss of each epoch."""
    model = MLP(2, sizes, rng=Random(f"{seed} weights {k}"), **options)
    return model, fit(model, data, rate, epochs, batch_size, Random(f"{seed} order {k}"), adam)


def loss_of(model: Module, data: Dataset) -> float:
    """The mean loss on these data, in evaluation mode."""
    return evaluate(model, binary_cross_entropy, data)[0]


def gradient(model: Module, loss: Loss, X: list[Numbers], y: list[Any]) -> Numbers:
    """The gradient of the mean loss of these examples, one number for each parameter."""
    model.zero_grad()
    mean_loss(loss, model.batch(X), y).backward()
    return [p.grad for p in model.parameters()]


def spread(numbers: Sequence[float]) -> float:
    """The largest less the smallest."""
    return max(numbers) - min(numbers)


def means(rows: Iterable[Sequence[float]]) -> Numbers:
    """The mean of each column."""
    return [fmean(column) for column in zip(*rows)]
