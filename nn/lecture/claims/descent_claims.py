"""Claims about the way down: progress before the whole set is seen, noise, rates that decay, and zigzag."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations, pairwise
from math import dist, fsum
from statistics import fmean, pvariance
from typing import Any

from autograd.functions import mean
from autograd.value import Value
from nn.data import batches, moons
from nn.evaluation import evaluate
from nn.init import zero
from nn.layers import MLP, Linear
from nn.lecture.claims.trials import Judgement, Result, claim, curves, generator, gradient, spread
from nn.losses import binary_cross_entropy, half_squared_error
from nn.optim import SGD, Schedule, exponential, inverse_time
from nn.plots import GREY, finish, style
from nn.preprocessing import ZeroCenter
from nn.training import Training

SIZES = (1, 10, 100)
RATES = (0.03, 0.1, 0.3, 1.0, 3.0)
N, M = 3, 10  # inputs of a neuron; examples of a mini-batch

Steps = list[tuple[float, ...]]  # (w₁, w₂) after each step


def progress(seed: int = 0) -> Result:
    """C2: one example, a mini-batch and the whole batch, compared by the gradients that they cost."""
    found = [min((_descend(seed, size, rate), rate) for rate in RATES) for size in SIZES]
    whole, *every = _gradients(seed)
    difference = max(abs(fmean(column) - g) for column, g in zip(zip(*every), whole))
    evaluations = list(range(0, 5 * SIZES[-1] + 1, 10))
    return progress_result(evaluations, [losses for (_, losses), _ in found], [rate for _, rate in found], difference)


@claim("C2", "Small batches make progress before the whole training set has been seen")
def progress_result(
    evaluations: list[int], losses: list[list[float]], rates: list[float], difference: float
) -> Judgement:
    """Training loss after so many gradient evaluations, for each batch size at the best of its learning rates.

    evaluations   0, 10, 20, …; losses and rates have one row and one number for each batch size in SIZES
    difference    largest, between the mean of the examples' gradients and the gradient of the mean loss
    """
    half, once = (evaluations.index(n) for n in (SIZES[-1] // 2, SIZES[-1]))
    one, some, whole = losses
    start, seen, end = whole[0], [l[once] for l in losses], [l[-1] for l in losses]
    xlabel = "gradient evaluations (examples differentiated)"
    labels = [f"batches of {size}, η = {rate:g}" for size, rate in zip(SIZES, rates)]

    def mark_one_epoch(axes: Any) -> None:
        axes.axvline(SIZES[-1], color=GREY, linewidth=0.8)
        axes.text(SIZES[-1] + 3, axes.get_ylim()[1] * 0.97, "every example seen once", fontsize="small", va="top")

    return (
        f"loss of 2-8-1 on 100 moons over {evaluations[-1]} gradient evaluations, batches of "
        f"{', '.join(map(str, SIZES))}, each at the best of {len(RATES)} rates",
        {
            f"after half the set the loss went from {start:.3f} to {one[half]:.3f} (1), {some[half]:.3f} (10), "
            f"{whole[half]:.3f} (all)": max(one[half], some[half]) < 0.9 * start <= whole[half],
            f"after the set it is {seen[0]:.3f}, {seen[1]:.3f}, {seen[2]:.3f} (after {evaluations[-1]} evaluations "
            f"{end[0]:.3f}, {end[1]:.3f}, {end[2]:.3f})": max(seen[:2]) < seen[2],
            f"the mean of the gradients is the gradient of the mean, to {difference:.0e}": difference < 1e-12,
        },
        curves(evaluations, labels, losses, xlabel, "training loss", mark_one_epoch, ylim=(0, None)),
    )


def _moons_training(seed: int, size: int, rate: float) -> Training:
    model = MLP(2, [8, 1], activation="tanh", rng=generator(seed, "weights"))
    data = moons(SIZES[-1], rng=generator(seed, "moons"))
    optimizer = SGD(model.parameters(), rate)
    return Training(model, binary_cross_entropy, optimizer, data, batch_size=size, progress=False, engine="eager")


def _gradients(seed: int) -> list[list[float]]:
    """Of the mean loss of all examples, and of the loss of each."""
    training = _moons_training(seed, 1, 1.0)
    X, y, *_ = training.training
    examples = [(X, y), *(([x], [y_i]) for x, y_i in zip(X, y))]
    return [gradient(training.model, training.loss, *some) for some in examples]


def _descend(seed: int, size: int, rate: float, epochs: int = 5) -> tuple[float, list[float]]:
    """The mean of the losses, and the losses after 0, 10, 20, … gradient evaluations."""
    training, rng = _moons_training(seed, size, rate), generator(seed, "order")

    def loss() -> float:
        return evaluate(training.model, training.loss, training.training)[0]

    losses = [loss()]
    for _ in range(epochs):
        for batch in batches(SIZES[-1], size, rng):
            X, y, *_ = training.training.take(batch)
            evaluated = training.optimizer.steps * size % 10
            losses += [losses[-1]] * ((size - 1) // 10)  # nothing moves while a large batch is being evaluated
            training.step(X, y)
            if (evaluated + size) % 10 == 0:
                losses.append(loss())
    return fmean(losses), losses


def settling(seed: int = 0) -> Result:
    """C6: two examples, met in turn; nothing in it is random."""
    rates: list[float | Schedule] = [0.5, 0.05, inverse_time(1.0, 1.0), exponential(0.5, 0.5)]
    constant, smaller, inverse, hasty = map(_two_examples, rates)
    return settling_result(constant, smaller, inverse, hasty, batch=_two_examples(1.0, batch=True))


@claim("C6", "SGD never settles at a constant rate, and does with rates that decay")
def settling_result(
    constant: list[float], smaller: list[float], inverse: list[float], hasty: list[float], batch: list[float]
) -> Judgement:
    """w after each step on f_i = ½(w − x_i)² with the data 0, 2 in this order, whose optimum is 1.

    constant, smaller   η = .5 and .05;  inverse: η_t = 1/t;  hasty: η_t = .5 · .5ᵗ;  batch: both at once, η = 1
    """
    low, high = sorted(constant[-2:])
    swing, less = high - low, spread(smaller[-2:])
    slow_end, hasty_end = (abs(path[-1] - 1.0) for path in (inverse, hasty))
    labels = ("η = .5", "η = .05", "η = 1/t", "η = .5·.5ᵗ", "whole batch")
    paths = [path[:61] for path in (constant, smaller, inverse, hasty, batch)]

    def mark(axes: Any) -> None:
        axes.axhline(1.0, color=GREY, linewidth=0.8)

    return (
        "w on ½(w − x)², x = 0, 2, 0, 2, … (optimum 1): rates .5, .05, 1/t, .5·.5ᵗ, whole batch",
        {
            f"at η = .5 w still swings by {swing:.3f}, {low:.3f} ↔ {high:.3f}": swing > 0.1,
            f"at η = .05 by {less:.3f}, less but not nothing": 0.01 < less < swing,
            f"with η = 1/t it ends {slow_end:.1g} from the optimum": slow_end < 1e-6,
            f"with η = .5·.5ᵗ, which decays as well, it ends {hasty_end:.2f} from the optimum": hasty_end < 1e-6,
        },
        curves(range(61), labels, paths, "step", "w (the optimum is 1)", mark),
    )


def _two_examples(rate: float | Schedule, batch: bool = False, steps: int = 200) -> list[float]:
    w, x = Value(3.0, "w"), (0.0, 2.0)
    examples = [x if batch else x[t % 2 : t % 2 + 1] for t in range(steps)]
    return [w for (w,) in _path([w], rate, (mean([0.5 * (w - x_i) ** 2 for x_i in x]) for x in examples))]


def _path(parameters: list[Value], rate: float | Schedule, losses: Iterable[Value]) -> list[tuple[float, ...]]:
    """The parameters before SGD and after each step down a loss, which is computed when its turn comes."""
    optimizer, path = SGD(parameters, rate), [tuple(p.data for p in parameters)]
    for loss in losses:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        path.append(tuple(p.data for p in parameters))
    return path


def batch_noise(seed: int = 0) -> Result:
    """C7: all batches of four numbers, and random ones of a network's data."""
    w, means, variances = Value(0.0, "w"), [], []
    for m in (1, 2, 3, 4):
        gradients = []
        for batch in combinations((0.0, 1.0, 2.0, 3.0), m):
            w.grad = 0.0
            mean([0.5 * (w - x) ** 2 for x in batch]).backward()
            gradients.append(w.grad)
        means.append(fmean(gradients))
        variances.append(pvariance(gradients))
    rng, sizes = generator(seed, "batches"), [1, 2, 5, 10, 20, 50]
    _, *every = _gradients(seed)  # a batch's gradient is the mean of these (C2)
    noise = []
    for m in sizes:
        chosen = [next(batches(SIZES[-1], m, rng)) for _ in range(200)]
        found = [[fmean(column) for column in zip(*(every[i] for i in batch))] for batch in chosen]
        noise.append(fsum(pvariance(column) for column in zip(*found)))
    return batch_noise_result(means, variances, sizes, noise)


@claim("C7", "Mini-batches reduce the noise of the gradient")
def batch_noise_result(means: list[float], variances: list[float], sizes: list[int], noise: list[float]) -> Judgement:
    """The gradient's variance over mini-batches of m examples.

    means, variances   over all batches of the data 0, 1, 2, 3 on ½(w − x)² at w = 0, for m = 1 … 4
    sizes, noise       for a network, m and the variances of all derivatives added up, over 200 random batches
    """
    ratio = noise[0] / noise[sizes.index(10)]
    is_falling = all(more > less for more, less in pairwise(variances))

    def draw(axes: Any) -> None:
        n = SIZES[-1]
        theory = [noise[0] / m * (n - m) / (n - 1) for m in sizes]
        axes.plot(sizes, noise, **style(0), label="2-8-1 on 100 moons, 200 batches")
        axes.plot(sizes, theory, color=GREY, linestyle=":", label="from m = 1 by σ²/m · (N − m)/(N − 1)")
        axes.plot([1, 2, 3], variances[:3], **style(1), label="½(w − x)² on 0, 1, 2, 3 (0 at m = 4)")
        finish(axes, "batch size m", "variance of the gradient", xscale="log", yscale="log")

    return (
        "variance of ∂L/∂w over all batches of 0, 1, 2, 3; of the gradient of 2-8-1 on 100 moons, 200 batches",
        {
            f"variance {', '.join(f'{v:.3f}' for v in variances)} for m = 1 … 4": is_falling,
            f"the mean stays {means[0]:g}, to {spread(means):.0e}": spread(means) < 1e-12,
            f"in the network ten examples have {ratio:.1f} times less noise than one (11 by arithmetic)": ratio > 5.0,
        },
        draw,
    )


def all_positive(seed: int = 0) -> Result:
    """D4: one neuron, the same examples as they are and zero-centred."""
    rng = generator(seed, "inputs")
    X = [[rng.uniform(0.0, 1.0) for _ in range(N)] for _ in range(200)]
    y = [x[0] - x[1] + rng.gauss(0.0, 0.1) for x in X]
    neuron = Linear(N, 1, init=zero)  # δ = −y, of either sign
    signs = [_signs(neuron, [x], [t]) for x, t in zip(X, y)]
    centred = {_signs(neuron, [x], [t])[:N] for x, t in zip(ZeroCenter().fit_transform(X), y)}
    in_batches = [_signs(neuron, [X[i] for i in b], [y[i] for i in b]) for b in batches(200, M, rng)]
    return all_positive_result(
        positive=len({s[:N] for s in signs}),
        centred=len(centred),
        against_delta=sum(any(sign != s[N] for sign in s[:N]) for s in signs),
        mixed=fmean([float(len(set(s[:N])) > 1) for s in in_batches]),
        zigzag=[step[:2] for step in _neuron(seed, False)],
        straight=[step[:2] for step in _neuron(seed, True)],
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
        fsum(map(dist, path, path[1:])) / max(dist(path[0], path[-1]), 1e-12) for path in (zigzag, straight)
    )
    is_with_delta, is_longer = positive == 2 and against_delta == 0, detour > 1.2 * centred_detour

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
            f"one example: {positive} of {2**N} patterns, {against_delta} against the sign of δ": is_with_delta,
            f"zero-centred: {centred} patterns": centred > 2,
            f"way / straight line {detour:.1f} for positive, {centred_detour:.1f} for centred inputs": is_longer,
            f"{mixed:.0%} of batches of {M} (mixed δ) have both signs": mixed == 0.0,
        },
        draw,
    )


def _signs(neuron: Linear, X: list[list[float]], y: list[float]) -> tuple[int, ...]:
    """Of ∂L/∂w_1 …, and last of ∂L/∂b, which for one example is δ."""
    return tuple((g > 0.0) - (g < 0.0) for g in gradient(neuron, half_squared_error, X, y))


def _neuron(seed: int, centre: bool) -> list[tuple[float, ...]]:
    """(w₁, w₂, b) while a neuron learns x₁ − x₂, one example at a time."""
    rng = generator(seed, "path")
    X = [[rng.uniform(0.0, 2.0) for _ in range(2)] for _ in range(60)]
    y = [x[0] - x[1] for x in X]
    X = ZeroCenter().fit_transform(X) if centre else X
    neuron = Linear(2, 1, init=zero)
    return _path(neuron.parameters(), 0.3, (half_squared_error(neuron(x), t) for x, t in zip(X, y)))
