"""A claim about inputs: where all are positive, all weights of a neuron move the same way, and zigzag."""

from __future__ import annotations

from math import dist
from typing import Any

from autograd.number_systems import floats
from nn.claims.fitting import generator, mean
from nn.claims.result import Judgement, Result, claim
from nn.data import batches
from nn.init import zero
from nn.layers import Linear
from nn.losses import half_squared_error, mean_loss
from nn.optim import SGD
from nn.plots import finish, style

N, M = 3, 10  # inputs of the neuron; examples of a mini-batch
Steps = list[tuple[float, float]]  # (w₁, w₂) after each step


def all_positive(seed: int = 0) -> Result:
    """D4: one neuron, the same examples as they are and zero-centred."""
    rng = generator(seed, "inputs")
    X = [[rng.uniform(0.0, 1.0) for _ in range(N)] for _ in range(200)]
    y = [x[0] - x[1] + rng.gauss(0.0, 0.1) for x in X]
    neuron = Linear(N, 1, init=zero)  # δ = −y, of either sign
    signs = [_signs(neuron, [x], [t]) for x, t in zip(X, y)]
    centred = {_signs(neuron, [x], [t])[:N] for x, t in zip(_centred(X), y)}
    in_batches = [_signs(neuron, [X[i] for i in b], [y[i] for i in b]) for b in batches(200, M, rng)]
    return all_positive_result(
        positive=len({s[:N] for s in signs}),
        centred=len(centred),
        against_delta=sum(any(sign != s[N] for sign in s[:N]) for s in signs),
        mixed=mean([float(len(set(s[:N])) > 1) for s in in_batches]),
        zigzag=_path(seed, False),
        straight=_path(seed, True),
    )


@claim("D4", "If all inputs are positive, the gradients on w are all positive or all negative")
def all_positive_result(
    positive: int, centred: int, against_delta: int, mixed: float, zigzag: Steps, straight: Steps
) -> Judgement:
    """The signs of ∂L/∂w_k of one neuron, and the path of two weights through training.

    positive, centred   how many of the 2³ sign patterns one example gave, for inputs in [0, 1] and zero-centred
    against_delta       examples of which a derivative has not the sign of δ
    mixed               share of mini-batches of positive inputs whose derivatives differ in sign
    zigzag, straight    (w₁, w₂) after each of the steps of SGD with positive and with centred inputs
    """
    detour, centred_detour = (
        floats.sum(map(dist, path, path[1:])) / max(dist(path[0], path[-1]), 1e-12) for path in (zigzag, straight)
    )

    def draw(axes: Any) -> None:
        for k, (path, label) in enumerate(((zigzag, "positive inputs"), (straight, "zero-centred inputs"))):
            axes.plot(*zip(*path), **style(k, linewidth=1), label=label)
        axes.plot([1.0], [-1.0], "*", color="black", markersize=14, label="what is to be learned")
        axes.set_aspect("equal", adjustable="datalim")
        finish(axes, "w₁", "w₂")

    return (
        f"signs of ∂L/∂w of a neuron of {N} inputs, 200 examples, batches of {M}; SGD from (0, 0) to (1, −1): "
        f"{len(zigzag) - 1} steps",
        {
            f"one example: {positive} of {2**N} patterns, {against_delta} against the sign of δ": (
                positive == 2 and against_delta == 0
            ),
            f"zero-centred: {centred} patterns": centred > 2,
            f"way / straight line {detour:.1f} for positive, {centred_detour:.1f} for centred inputs": (
                detour > 1.2 * centred_detour
            ),
            f"{mixed:.0%} of batches of {M} (mixed δ) have both signs": mixed == 0.0,
        },
        draw,
    )


def _centred(X: list[list[float]]) -> list[list[float]]:
    means = [mean(column) for column in zip(*X)]
    return [[x_k - m for x_k, m in zip(x, means)] for x in X]


def _signs(neuron: Linear, X: list[list[float]], y: list[float]) -> tuple[int, ...]:
    """Of ∂L/∂w_1 …, and last of ∂L/∂b, which for one example is δ."""
    neuron.zero_grad()
    mean_loss(half_squared_error, neuron.batch(X), y).backward()
    return tuple((p.grad > 0.0) - (p.grad < 0.0) for p in (*neuron.W[0], *neuron.b))


def _path(seed: int, centre: bool) -> Steps:
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
