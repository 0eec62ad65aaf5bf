"""Training as the experiments do it: seeded, in silence, and with an end also for a run that blows up."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isfinite
from random import Random

from nn.data import Dataset
from nn.losses import binary_cross_entropy
from nn.module import Module
from nn.optim import SGD, Adam
from nn.training import Training

WORST = 10.0  # a loss that is worse, or not a number at all, counts as this, so that means and pictures stay finite


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


def gradient(training: Training, indices: Sequence[int]) -> list[float]:
    """The gradient of the mean loss of these examples, one number for each parameter; nothing is moved."""
    X, y, *_ = training.training.take(indices)
    before = training.model.state_dict()
    training.step(X, y)
    training.model.load_state_dict(before)
    return [p.grad for p in training.optimizer.parameters]


def spread(numbers: Sequence[float]) -> float:
    """The largest less the smallest."""
    return max(numbers) - min(numbers)
