"""Claims about batch normalisation: less shift, less dependence on scale, higher rates, σ usable, less dropout."""

from __future__ import annotations

from math import log
from random import Random
from statistics import fmean, pstdev
from typing import Any

from nn.batch_norm import calibrate
from nn.data import moons
from nn.evaluation import numbers_of, outputs_of
from nn.init import Matrix, xavier_uniform
from nn.layers import Linear
from nn.lecture.claims.trials import Result, curves, fit, generator, gradient, loss_of, means, network, trained
from nn.losses import binary_cross_entropy
from nn.module import flatten
from nn.optim import gradient_norm
from nn.plots import style

SCALES = (0.01, 0.1, 1.0, 10.0, 100.0)
RATES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
LEARNED = log(2.0) / 2.0  # a network with less than half the loss of guessing has learned
LABELS = ("without", "with batch normalisation")
KINDS = {"plain": (0.0, False), "dropout": (0.5, False), "batch norm": (0.0, True), "both": (0.5, True)}


def shift(seed: int = 0) -> Result:
    """D8: where the distribution that the last hidden layer reads goes while the layers below learn."""
    moved = [drift(seed, batch_norm) for batch_norm in (False, True)]
    (plain, normalised), epochs = map(max, moved), range(len(moved[0]))
    return Result(
        "D8",
        "Batch normalisation reduces internal covariate shift",
        f"drift of what the second tanh layer reads, in first deviations, {epochs[-1]} epochs",
        {f"largest drift {plain:.2f} without, {normalised:.2f} with it": normalised < 0.5 * plain},
        dict(zip(LABELS, moved)),
        curves(epochs, "epoch", "drift of the units' means, |μ − μ₀| / σ₀"),
    )


def drift(seed: int, batch_norm: bool) -> list[float]:
    """|μ − μ₀| / σ₀ by epoch for the inputs of the last hidden activation: mean over the units."""
    data, order = moons(80, rng=generator(seed, "moons")), generator(seed, "order")
    model = network(seed, [6, 6, 1], activation="tanh", batch_norm=batch_norm)
    below, columns = model.net[:-2], []  # without this activation and the output layer
    for epoch in range(13):
        if epoch:
            fit(model, data, 0.3, 1, 10, order)
        if batch_norm:
            calibrate(model, data.X)  # training reads the mini-batches' statistics, so it does not change
        columns.append([*zip(*numbers_of(outputs_of(below, data.X)))])
    first = [(fmean(z), pstdev(z)) for z in columns[0]]
    return [fmean([abs(fmean(z) - mu) / sigma for z, (mu, sigma) in zip(units, first)]) for units in columns]


def scale(seed: int = 0) -> Result:
    """D8: the same weights ten times as large, and training from weights of very different sizes."""
    (ratio, output, _), (ratio_with, output_with, bias) = (times_ten(seed, b) for b in (False, True))
    losses = [[scaled_loss(seed, factor, b) for factor in SCALES] for b in (False, True)]
    (plain, apart), (normalised, together) = ((max(row), max(row) - min(row)) for row in losses)
    is_tenth = abs(10.0 * ratio_with - 1.0) < 0.01
    xlabel, ylabel = "size of the first weights, times Xavier's", "training loss after 8 epochs"
    return Result(
        "D8",
        "Batch normalisation makes gradients depend less on the scale of weights and of first weights",
        f"∂L/∂W¹ for W¹ and 10 W¹; loss of 2-6-6-1 on moons after 8 epochs, hidden W from {len(SCALES)} scales, "
        "means of 3",
        {
            f"10 W¹ gives {ratio_with:.4f} of the gradient ({ratio:.2f} without)": is_tenth,
            f"and moves outputs by {output_with:.0e} ({output:.1f})": output_with < 1e-3,
            f"a bias before it has a gradient of at most {bias:.0e}": bias < 1e-12,
            f"losses from all scales: worst {normalised:.2f}, spread {together:.2f}; without {plain:.2f}, "
            f"{apart:.2f}": together < 0.5 * apart,
        },
        dict(zip(LABELS, losses)),
        curves(SCALES, xlabel, ylabel, xscale="log", ylim=(0, None)),
    )


def times_ten(seed: int, batch_norm: bool) -> tuple[float, float, float]:
    """‖∂L/∂W¹‖ for 10 W¹ over that for W¹, the largest change of an output for 10 W¹, and the largest |∂L/∂b¹|."""
    data = moons(60, rng=generator(seed, "moons"))
    model = network(seed, [6, 6, 1], activation="tanh", batch_norm=batch_norm)
    first, sizes, outputs = model.net.layers[0], [], []
    assert isinstance(first, Linear)
    for factor in (1.0, 10.0):
        for w in flatten(first.W):
            w.data *= factor
        gradient(model, binary_cross_entropy, data.X, data.y)
        sizes.append(gradient_norm(flatten(first.W)))
        outputs.append([z.data for z in model.batch(data.X)])
    change = max(abs(a - b) for a, b in zip(*outputs))
    return sizes[1] / sizes[0], change, max(abs(b.grad) for b in first.b)


def scaled_loss(seed: int, factor: float, batch_norm: bool) -> float:
    """The final training loss for first hidden weights of this factor times Xavier's."""

    def init(n_in: int, n_out: int, rng: Random) -> Matrix:
        size = factor if n_out > 1 else 1.0  # nothing normalises what the output layer makes
        return [[size * w for w in row] for row in xavier_uniform(n_in, n_out, rng)]

    options = {"activation": "tanh", "init": init, "batch_norm": batch_norm}
    return mean_losses(seed, 60, [6, 6, 1], 0.3, 8, 10, **options)[-1]


def mean_losses(
    seed: int, n: int, sizes: list[int], rate: float, epochs: int, batch_size: int, **options: Any
) -> list[float]:
    """The training loss of each epoch on n moons, mean of three networks."""
    data = moons(n, rng=generator(seed, "moons"))
    return means(trained(seed, k, data, sizes, rate, epochs, batch_size, **options)[1] for k in range(3))


def higher_rates(seed: int = 0) -> Result:
    """D8: the same networks and orders of the examples, six rates."""
    runs = [
        [mean_losses(seed, 60, [6, 6, 6, 1], rate, 12, 20, batch_norm=b) for rate in RATES] for b in (False, True)
    ]
    losses = [[run[-1] for run in row] for row in runs]
    low, high = (max((rate for rate, loss in zip(RATES, row) if loss < LEARNED), default=0.0) for row in losses)
    xlabel, ylabel = "learning rate η of SGD", "training loss after 12 epochs (at most 10)"
    return Result(
        "D8",
        "Batch normalisation allows higher learning rates",
        f"loss of 2-6-6-6-1 (relu) on moons after 12 epochs at {len(RATES)} rates of SGD, means of 3",
        {f"highest rate that ends below {LEARNED:.2f}: {high:g} with, {low:g} without it": high > low},
        dict(zip(LABELS, losses)),
        curves(RATES, xlabel, ylabel, horizontal={"learned below this": LEARNED}, xscale="log", yscale="log"),
    )


def saturating(seed: int = 0) -> Result:
    """D8: a deep network of sigmoids, whose δ fades by at least a factor of 4 a layer."""
    sizes = [6, 6, 6, 6, 1]
    losses = [mean_losses(seed, 80, sizes, 1.0, 25, 10, activation="sigmoid", batch_norm=b) for b in (False, True)]
    (plain, normalised), epochs = (curve[-1] for curve in losses), range(1, len(losses[0]) + 1)
    return Result(
        "D8",
        "Batch normalisation allows the use of saturating nonlinearities",
        f"training loss of 2-6-6-6-6-1 with σ over {epochs[-1]} epochs of moons, SGD, η = 1, means of 3",
        {f"it ends at {normalised:.3f} with, {plain:.3f} without it": normalised < min(LEARNED, 0.5 * plain)},
        dict(zip(LABELS, losses)),
        curves(epochs, "epoch", "training loss", ylim=(0, None)),
    )


def less_dropout(seed: int = 0) -> Result:
    """D8: few noisy examples, which a network learns by heart, and three ways to keep it from that."""
    training, held_back = map(list, zip(*(few_examples(seed, *kind) for kind in KINDS.values())))
    plain, dropout, normalised, both = held_back
    saved, saved_with, is_low = (
        plain - dropout,
        normalised - both,
        normalised < plain and normalised <= 1.05 * dropout,
    )
    return Result(
        "D8",
        "Batch normalisation may reduce the need for dropout",
        "loss of 2-16-1 on 30 noisy moons and on 300 held back, dropout .5, batch normalisation, means of 4",
        {
            f"held-back loss {plain:.2f} plain, {dropout:.2f} dropout, {normalised:.2f} batch normalisation": is_low,
            f"dropout alone saves {saved:+.2f} of the plain loss": dropout < plain - 0.01,
            f"dropout saves {saved:+.2f} without, {saved_with:+.2f} with it": saved_with < 0.5 * saved,
        },
        {"training": training, "held back": held_back},
        curves(
            list(KINDS), "", "loss at the end", lambda k: style(k, linestyle="none", markersize=9), ylim=(0, None)
        ),
    )


def few_examples(seed: int, p: float, batch_norm: bool) -> list[float]:
    """The loss on 30 noisy training examples and on 300 held back, means of four networks."""
    unseen, losses = moons(300, 0.3, generator(seed, "held back")), []
    for k in range(4):
        data = moons(30, 0.3, generator(seed, "training", k))
        model, _ = trained(seed, k, data, [16, 1], 0.03, 50, 10, adam=True, dropout=p, batch_norm=batch_norm)
        if batch_norm:
            calibrate(model, data.X)
        losses.append([loss_of(model, part) for part in (data, unseen)])
    return means(losses)
