"""A claim about inputs: where all are positive, all weights of a neuron move the same way, and zigzag."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import hypot
from typing import Any, ClassVar

from autograd.number_systems import floats
from nn.claims.fitting import generator, mean
from nn.claims.result import Check, Result, finish, style
from nn.data import batches
from nn.init import zero
from nn.layers import Linear
from nn.losses import half_squared_error
from nn.losses import mean_loss as mean_loss_of
from nn.optim import SGD

N, M = 3, 10  # inputs of the neuron; examples of a mini-batch


@dataclass(frozen=True)
class AllPositive(Result):
    """The signs of ∂L/∂w_k of one neuron, and the way of two weights through training.

    positive, centred   how many of the 2³ sign patterns one example gave, for inputs in [0, 1] and zero-centred
    against_delta       examples of which a derivative has not the sign of δ
    mixed               share of mini-batches of positive inputs whose derivatives differ in sign
    zigzag, straight    (w₁, w₂) after each of the steps of SGD with positive and with centred inputs
    """

    statement: ClassVar[str] = "If all inputs are positive, the gradients on w are all positive or all negative"
    row: ClassVar[str] = "D4"
    positive: int
    centred: int
    against_delta: int
    mixed: float
    zigzag: list[tuple[float, float]]
    straight: list[tuple[float, float]]

    def measured(self) -> str:
        return (
            f"signs of ∂L/∂w of a neuron of {N} inputs, 200 examples, batches of {M}; SGD from (0, 0) to (1, −1): "
            f"{len(self.zigzag) - 1} steps"
        )

    def checks(self) -> list[Check]:
        ways = [length(path) / max(distance(path), 1e-12) for path in (self.zigzag, self.straight)]
        return [
            Check(
                f"one example: {self.positive} of {2**N} patterns, {self.against_delta} against the sign of δ",
                self.positive == 2 and self.against_delta == 0,
            ),
            Check(f"zero-centred: {self.centred} patterns", self.centred > 2),
            Check(
                f"way / straight line {ways[0]:.1f} for positive, {ways[1]:.1f} for centred inputs",
                ways[0] > 1.2 * ways[1],
            ),
            Check(f"{self.mixed:.0%} of batches of {M} (mixed δ) have both signs", self.mixed == 0.0),
        ]

    def draw(self, axes: Any) -> None:
        for k, (path, label) in enumerate(((self.zigzag, "positive inputs"), (self.straight, "zero-centred inputs"))):
            axes.plot(*zip(*path), **style(k, linewidth=1), label=label)
        axes.plot([1.0], [-1.0], "*", color="black", markersize=14, label="what is to be learned")
        axes.set_aspect("equal", adjustable="datalim")
        finish(axes, "w₁", "w₂")


def length(path: list[tuple[float, float]]) -> float:
    """The way that was gone."""
    return floats.sum(hypot(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(path))


def distance(path: list[tuple[float, float]]) -> float:
    """From the start to the end in a straight line."""
    return hypot(path[-1][0] - path[0][0], path[-1][1] - path[0][1])


def all_positive(seed: int = 0) -> AllPositive:
    """D4: one neuron, the same examples as they are and zero-centred."""
    rng = generator(seed, "inputs")
    X = [[rng.uniform(0.0, 1.0) for _ in range(N)] for _ in range(200)]
    y = [x[0] - x[1] + rng.gauss(0.0, 0.1) for x in X]
    neuron = Linear(N, 1, init=zero)  # δ = −y, of either sign
    signs = [_signs(neuron, [x], [t]) for x, t in zip(X, y)]
    centred = {_signs(neuron, [x], [t])[:N] for x, t in zip(_centred(X), y)}
    in_batches = [_signs(neuron, [X[i] for i in b], [y[i] for i in b]) for b in batches(200, M, rng)]
    return AllPositive(
        len({s[:N] for s in signs}),
        len(centred),
        sum(any(sign != s[N] for sign in s[:N]) for s in signs),
        mean([float(len(set(s[:N])) > 1) for s in in_batches]),
        _path(seed, False),
        _path(seed, True),
    )


def _centred(X: list[list[float]]) -> list[list[float]]:
    means = [mean(column) for column in zip(*X)]
    return [[x_k - m for x_k, m in zip(x, means)] for x in X]


def _signs(neuron: Linear, X: list[list[float]], y: list[float]) -> tuple[int, ...]:
    """Of ∂L/∂w_1 …, and last of ∂L/∂b, which for one example is δ."""
    neuron.zero_grad()
    mean_loss_of(half_squared_error, neuron.batch(X), y).backward()
    return tuple((p.grad > 0.0) - (p.grad < 0.0) for p in (*neuron.W[0], *neuron.b))


def _path(seed: int, centre: bool) -> list[tuple[float, float]]:
    """(w₁, w₂) while a neuron learns x₁ − x₂, one example at a time."""
    rng = generator(seed, "path")
    X = [[rng.uniform(0.0, 2.0) for _ in range(2)] for _ in range(60)]
    y = [x[0] - x[1] for x in X]
    X = _centred(X) if centre else X
    neuron = Linear(2, 1)
    neuron.load_state_dict({"W": [[0.0, 0.0]], "b": [0.0]})
    optimizer, path = SGD(neuron.parameters(), 0.3), [(0.0, 0.0)]
    for x, t in zip(X, y):
        optimizer.zero_grad()
        half_squared_error(neuron(x), t).backward()
        optimizer.step()
        path.append((neuron.W[0][0].data, neuron.W[0][1].data))
    return path
