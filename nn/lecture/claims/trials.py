"""What the experiments share: seeded training, and the result, a verdict that its numbers decide and a picture."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import wraps
from inspect import signature
from math import inf, isfinite
from pathlib import Path
from random import Random
from typing import Any, ParamSpec

from nn.data import Dataset
from nn.losses import Loss, binary_cross_entropy, mean_loss
from nn.module import Module
from nn.optim import SGD, Adam
from nn.plots import finish, new_figure, style, write_png
from nn.training import Training

P = ParamSpec("P")
Draw = Callable[[Any], None]  # on matplotlib's axes
Judgement = tuple[str, dict[str, bool], Draw]  # what was measured; each part of the claim in words, and if it holds
WORST = 10.0  # a loss that is worse, or not a number at all, counts as this, so that means and pictures stay finite


@dataclass(frozen=True)
class Result:
    """What one experiment found.

    row         of the lecture: C for training, D for dropout, preprocessing and batch normalisation
    statement   the claim in words
    measured    what was measured, on what
    checks      the parts of the claim: what was found, in words with its number, and whether it is as said
    draw        draws the numbers on matplotlib's axes
    numbers     by name; each can be read as an attribute too: ``result.losses``
    """

    row: str
    statement: str
    measured: str
    checks: dict[str, bool]
    draw: Draw = field(compare=False, repr=False)
    numbers: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        try:
            return vars(self)["numbers"][name]
        except KeyError:
            raise AttributeError(f"the result has no {name!r}") from None

    @property
    def word(self) -> str:
        """``borne out``, ``partly borne out`` or ``not borne out``."""
        holds = self.checks.values()
        return "borne out" if all(holds) else "partly borne out" if any(holds) else "not borne out"

    @property
    def verdict(self) -> str:
        """The word with its numbers; what does not hold comes first."""
        holds, fails = (
            "; ".join(found for found, is_so in self.checks.items() if is_so == said) for said in (True, False)
        )
        return f"{self.word}: " + ". As said: ".join(filter(None, [fails and f"not as said: {fails}", holds]))

    def plot(self, where: str | os.PathLike[str] | Any) -> None:
        """Write a PNG to a path, or draw on matplotlib's axes. ImportError says what to install without it."""
        if not isinstance(where, (str, os.PathLike)):
            self.draw(where)
            return
        figure = new_figure(7.6, 4.8, dpi=110)
        axes = figure.subplots()
        self.draw(axes)
        axes.set_title(f"{self.row}  {self.statement}\n{self.word}", fontsize="medium", wrap=True)
        write_png(figure, Path(where))


def claim(row: str, statement: str) -> Callable[[Callable[P, Judgement]], Callable[P, Result]]:
    """Decorate a function of an experiment's numbers that judges them, so that it returns the whole ``Result``."""

    def decorate(judge: Callable[P, Judgement]) -> Callable[P, Result]:
        @wraps(judge)
        def result(*args: P.args, **kwargs: P.kwargs) -> Result:
            numbers = signature(judge).bind(*args, **kwargs).arguments
            return Result(row, statement, *judge(*args, **kwargs), numbers)

        return result

    return decorate


def curves(
    x: Sequence[float], labels: Sequence[str], series: Sequence[Sequence[float]], xlabel: str, ylabel: str,
    more: Draw = lambda axes: None, **settings: Any,
) -> Draw:  # fmt: skip
    """A function that draws a labelled line for each of the series over x.

    more       draws what else belongs to the picture
    settings   of the axes
    """

    def draw(axes: Any) -> None:
        step = max(1, len(x) // 10)
        for k, (label, y) in enumerate(zip(labels, series)):  # markers aside of those of a line that it may cover
            axes.plot(x[: len(y)], y, **style(k, markevery=(k % step, step)), label=label)
        more(axes)
        finish(axes, xlabel, ylabel, **settings)

    return draw


# ---- training: seeded, in silence, and with an end also for a run that blows up ---------------------------------


def generator(seed: int, *words: object) -> Random:
    """A generator of its own for each purpose: ``generator(0, "order")``."""
    return Random(" ".join(map(str, (seed, *words))))


def fit(
    model: Module, data: Dataset, rate: float, epochs: int, batch_size: int, rng: Random, adam: bool = False
) -> list[float]:
    """The training loss of each epoch, by SGD or Adam; WORST from where it blew up."""
    loss, optimizer = binary_cross_entropy, (Adam if adam else SGD)(model.parameters(), rate)
    # node by node: the order of its additions, and so the last digit of what a claim says, is the same everywhere
    training = Training(
        model, loss, optimizer, data, epochs=epochs, batch_size=batch_size, rng=rng, progress=False, engine="eager"
    )
    losses: list[float] = []
    try:
        losses.extend(record.loss for record in training)
    except ArithmeticError:  # where a number of the graph or a weight would not be finite
        losses.append(inf)
    losses += [losses[-1]] * (epochs - len(losses))
    return [min(l, WORST) if isfinite(l) else WORST for l in losses]


def gradient(model: Module, loss: Loss, X: list[list[float]], y: list[Any]) -> list[float]:
    """The gradient of the mean loss of these examples, one number for each parameter."""
    model.zero_grad()
    mean_loss(loss, model.batch(X), y).backward()
    return [p.grad for p in model.parameters()]


def spread(numbers: Sequence[float]) -> float:
    """The largest less the smallest."""
    return max(numbers) - min(numbers)
