"""The claims for batch normalisation: less shift, less dependence on scale, higher rates, σ usable, less dropout."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from random import Random
from statistics import fmean, pstdev
from typing import Any

from nn.batch_norm import BatchNorm, calibrate
from nn.data import Dataset, moons
from nn.evaluation import evaluate, numbers_of, outputs_of
from nn.init import Matrix, xavier_uniform
from nn.layers import MLP, Linear
from nn.lecture.claims.trials import Judgement, Result, claim, curves, fit, generator, spread
from nn.losses import binary_cross_entropy, mean_loss
from nn.module import flatten
from nn.optim import gradient_norm
from nn.plots import GREY, finish, style

SCALES = (0.01, 0.1, 1.0, 10.0, 100.0)
RATES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
LEARNED = log(2.0) / 2.0  # a loss that says that a network has learned: half of what guessing costs
LABELS = ("without", "with batch normalisation")

Both = Sequence[list[float]]  # for the networks without, and for those with batch normalisation


def shift(seed: int = 0) -> Result:
    """D8: where the distribution that the last hidden layer reads goes while the layers below learn."""
    data, found = moons(80, rng=generator(seed, "moons")), []
    for batch_norm in (False, True):
        model = MLP(2, [6, 6, 1], "tanh", batch_norm=batch_norm, rng=generator(seed, "weights"))
        rng, columns = generator(seed, "order"), [_read_by_last(model, data.X)]
        for _ in range(12):
            fit(model, data, 0.3, 1, 10, rng)
            columns.append(_read_by_last(model, data.X))
        first = [(fmean(z), pstdev(z)) for z in columns[0]]
        found.append([fmean([abs(fmean(z) - m) / s for z, (m, s) in zip(units, first)]) for units in columns])
    return shift_result(found)


@claim("D8", "Batch normalisation reduces internal covariate shift")
def shift_result(moved: Both) -> Judgement:
    """How far the inputs of the last hidden activation have moved since the start, by epoch.

    moved   |μ − μ₀| / σ₀ for the mean and deviation of a unit over the training data, mean over the units
    """
    (plain, normalised), epochs = map(max, moved), range(len(moved[0]))
    return (
        f"drift of what the second tanh layer reads, in first deviations, {epochs[-1]} epochs",
        {f"largest drift {plain:.2f} without, {normalised:.2f} with it": normalised < 0.5 * plain},
        curves(epochs, LABELS, moved, "epoch", "drift of the units' means, |μ − μ₀| / σ₀"),
    )


def _read_by_last(model: MLP, X: list[list[float]]) -> list[list[float]]:
    """The inputs of the last hidden activation, one list for each unit."""
    if any(isinstance(layer, BatchNorm) for layer in model.net):
        calibrate(model, X)  # training takes the batch's statistics, and does not notice
    below = model.net[:-2]  # without this activation and the output layer
    return [list(unit) for unit in zip(*numbers_of(outputs_of(below, X)))]


def scale(seed: int = 0) -> Result:
    """D8: the same weights ten times as large, and training from weights of very different sizes."""
    data = moons(60, rng=generator(seed, "moons"))
    ratios, outputs, bias = [], [], 0.0
    for batch_norm in (False, True):
        model = MLP(2, [6, 6, 1], "tanh", batch_norm=batch_norm, rng=generator(seed, "weights"))
        first = model.net.layers[0]
        assert isinstance(first, Linear)
        sizes, seen = [], []
        for factor in (1.0, 10.0):
            for w in flatten(first.W):
                w.data *= factor
            model.zero_grad()
            z = model.batch(data.X)
            mean_loss(binary_cross_entropy, z, data.y).backward()
            sizes.append(gradient_norm(flatten(first.W)))
            seen.append([z_i.data for z_i in z])
        ratios.append(sizes[1] / sizes[0])
        outputs.append(max(abs(a - b) for a, b in zip(*seen)))
        bias = max(abs(b.grad) for b in first.b)  # of the last: the one with batch normalisation

    def final_loss(factor: float, batch_norm: bool) -> float:
        def init(n_in: int, n_out: int, rng: Random) -> Matrix:
            size = factor if n_out > 1 else 1.0  # nothing normalises what the output layer makes
            return [[size * w for w in row] for row in xavier_uniform(n_in, n_out, rng)]

        return _losses(seed, data, 0.3, 8, 10, [6, 6, 1], activation="tanh", init=init, batch_norm=batch_norm)[-1]

    losses = [[final_loss(factor, batch_norm) for factor in SCALES] for batch_norm in (False, True)]
    return scale_result(ratios, outputs, bias, losses)


@claim("D8", "Batch normalisation makes gradients depend less on the scale of weights and of first weights")
def scale_result(ratio: Sequence[float], output: Sequence[float], bias: float, losses: Both) -> Judgement:
    """What the size of the first weights does, without and with batch normalisation.

    ratio     ‖∂L/∂W‖ for 10 W over that for W
    output    largest change of an output for 10 W
    bias      largest |∂L/∂b| of a bias before batch normalisation
    losses    final training loss for first weights of SCALES times Xavier's, means of three networks
    """
    (plain, normalised), (apart, together) = map(max, losses), map(spread, losses)
    xlabel, ylabel = "size of the first weights, times Xavier's", "training loss after 8 epochs"
    return (
        f"∂L/∂W¹ for W¹ and 10 W¹; loss of 2-6-6-1 on moons after 8 epochs, hidden W from {len(SCALES)} scales, "
        "means of 3",
        {
            f"10 W¹ gives {ratio[1]:.4f} of the gradient ({ratio[0]:.2f} without)": abs(10.0 * ratio[1] - 1.0) < 0.01,
            f"and moves outputs by {output[1]:.0e} ({output[0]:.1f})": output[1] < 1e-3,
            f"a bias before it has a gradient of at most {bias:.0e}": bias < 1e-12,
            f"losses from all scales: worst {normalised:.2f}, spread {together:.2f}; without {plain:.2f}, "
            f"{apart:.2f}": together < 0.5 * apart,
        },
        curves(SCALES, LABELS, losses, xlabel, ylabel, xscale="log", ylim=(0, None)),
    )


def _losses(
    seed: int, data: Dataset, rate: float, epochs: int, batch_size: int, sizes: list[int], **options: Any
) -> list[float]:
    """The training loss of each epoch, mean of three networks."""
    found = []
    for k in range(3):
        model = MLP(2, sizes, rng=generator(seed, "weights", k), **options)
        found.append(fit(model, data, rate, epochs, batch_size, generator(seed, "order", k)))
    return [fmean(column) for column in zip(*found)]


def higher_rates(seed: int = 0) -> Result:
    """D8: the same networks and orders of the examples, six rates."""
    data, sizes = moons(60, rng=generator(seed, "moons")), [6, 6, 6, 1]
    return higher_rates_result(
        [[_losses(seed, data, rate, 12, 20, sizes, batch_norm=b)[-1] for rate in RATES] for b in (False, True)]
    )


@claim("D8", "Batch normalisation allows higher learning rates")
def higher_rates_result(losses: Both) -> Judgement:
    """The final training loss at each learning rate of RATES, means of three networks."""
    low, high = (max((r for r, l in zip(RATES, ls) if l < LEARNED), default=0.0) for ls in losses)

    def draw_threshold(axes: Any) -> None:
        axes.axhline(LEARNED, color=GREY, linewidth=0.8)
        axes.text(RATES[-1], LEARNED, "learned below this", fontsize="small", va="bottom", ha="right")

    xlabel, ylabel = "learning rate η of SGD", "training loss after 12 epochs (at most 10)"
    return (
        f"loss of 2-6-6-6-1 (relu) on moons after 12 epochs at {len(RATES)} rates of SGD, means of 3",
        {f"highest rate that ends below {LEARNED:.2f}: {high:g} with, {low:g} without it": high > low},
        curves(RATES, LABELS, losses, xlabel, ylabel, more=draw_threshold, xscale="log", yscale="log"),
    )


def saturating(seed: int = 0) -> Result:
    """D8: a deep network of sigmoids, whose δ fades by at least a factor of 4 a layer."""
    data, sizes = moons(80, rng=generator(seed, "moons")), [6, 6, 6, 6, 1]
    return saturating_result(
        [_losses(seed, data, 1.0, 25, 10, sizes, activation="sigmoid", batch_norm=b) for b in (False, True)]
    )


@claim("D8", "Batch normalisation allows the use of saturating nonlinearities")
def saturating_result(losses: Both) -> Judgement:
    """Four hidden layers of σ: the training loss by epoch, mean of three networks."""
    (plain, normalised), epochs = (curve[-1] for curve in losses), range(1, len(losses[0]) + 1)
    has_learned = normalised < LEARNED and normalised < 0.5 * plain
    return (
        f"training loss of 2-6-6-6-6-1 with σ over {epochs[-1]} epochs of moons, SGD, η = 1, means of 3",
        {f"it ends at {normalised:.3f} with, {plain:.3f} without it": has_learned},
        curves(epochs, LABELS, losses, "epoch", "training loss", ylim=(0, None)),
    )


def less_dropout(seed: int = 0) -> Result:
    """D8: few noisy examples, which a network learns by heart, and three ways to keep it from that."""
    unseen = moons(300, 0.3, generator(seed, "held back"))
    kinds = {"plain": (0.0, False), "dropout": (0.5, False), "batch norm": (0.0, True), "both": (0.5, True)}
    means = []
    for p, batch_norm in kinds.values():
        losses = []
        for k in range(4):
            data = moons(30, 0.3, generator(seed, "training", k))
            model = MLP(2, [16, 1], dropout=p, batch_norm=batch_norm, rng=generator(seed, "weights", k))
            fit(model, data, 0.03, 50, 10, generator(seed, "order", k), adam=True)
            if batch_norm:
                calibrate(model, data.X)
            losses.append([evaluate(model, binary_cross_entropy, part)[0] for part in (data, unseen)])
        means.append([fmean(column) for column in zip(*losses)])
    return less_dropout_result(list(kinds), *map(list, zip(*means)))


@claim("D8", "Batch normalisation may reduce the need for dropout")
def less_dropout_result(names: list[str], training: list[float], held_back: list[float]) -> Judgement:
    """Losses on training and on held-back data for four networks: plain, dropout, batch normalisation, both."""
    plain, dropout, normalised, both = held_back
    saved, saved_with = plain - dropout, normalised - both
    is_less = normalised < plain and normalised <= 1.05 * dropout

    def draw(axes: Any) -> None:
        for k, (losses, label) in enumerate(((training, "training"), (held_back, "held back"))):
            axes.plot(names, losses, **style(k, linestyle="none", markersize=9), label=label)
        finish(axes, "", "loss at the end", ylim=(0, None))

    return (
        "loss of 2-16-1 on 30 noisy moons and on 300 held back, dropout .5, batch normalisation, means of 4",
        {
            f"held-back loss {plain:.2f} plain, {dropout:.2f} dropout, {normalised:.2f} batch normalisation": is_less,
            f"dropout alone saves {saved:+.2f} of the plain loss": dropout < plain - 0.01,
            f"dropout saves {saved:+.2f} without, {saved_with:+.2f} with it": saved_with < 0.5 * saved,
        },
        draw,
    )
