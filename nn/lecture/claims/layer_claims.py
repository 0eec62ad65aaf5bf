"""Tests the claims about dropout, which trains an ensemble, and batch normalisation, which eases training."""

from functools import partial
from itertools import product
from math import log, prod
from random import Random
from statistics import fmean, pstdev
from typing import Any

from autograd import no_grad
from autograd.number_systems import floats
from nn import MLP, Dataset, Dropout, Linear, Sequential, binary_cross_entropy, calibrate
from nn.data import moons
from nn.diagnostics import linear_layers
from nn.evaluation import numbers_of, outputs_of
from nn.init import Matrix, xavier_uniform
from nn.lecture.claims.trials import Numbers, Result, curves, fit, gradient, loss_of, means, spread, trained
from nn.module import flatten
from nn.optim import gradient_norm
from nn.plots import style

UNITS = 12
GROUPS = ("without dropout", "with dropout, p = .5", "without, stopped at the same loss")
SCALES = (0.01, 0.1, 1.0, 10.0, 100.0)
RATES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
LEARNED = log(2.0) / 2.0  # a network with less than half the loss of guessing has learned
LABELS = ("without", "with batch normalisation")
KINDS = {"plain": (0.0, False), "dropout": (0.5, False), "batch norm": (0.0, True), "both": (0.5, True)}


def redundancy(seed: int = 0) -> Result:
    """D2: remove each hidden unit in turn."""
    losses, groups = zip(*(zip(*networks) for networks in three_groups(seed)))
    loss, loss_dropped, _ = map(fmean, losses)
    rise, rise_dropped, rise_stopped = (fmean(map(fmean, networks)) for networks in groups)
    worst, worst_dropped, worst_stopped = (fmean(rises[0] for rises in networks) for networks in groups)
    is_less = rise_dropped < 0.9 * rise_stopped and worst_dropped < 0.9 * worst_stopped
    xlabel, ylabel = "hidden unit removed, from the most important one", "increase of the training loss (mean)"
    return Result(
        "D2", "Dropout forces a redundant representation: no unit is indispensable",
        f"increase of the loss when each of {UNITS} hidden relus is removed, moons; {len(groups[0])} networks "
        f"per group: p = 0 (loss {loss:.3f}), p = .5 (loss {loss_dropped:.3f}), p = 0 stopped at the loss of p = .5",
        {
            f"mean increase {rise:.3f} without, {rise_dropped:.3f} with dropout": rise_dropped < 0.9 * rise,
            f"for the most important unit {worst:.3f}, {worst_dropped:.3f}": worst_dropped < 0.9 * worst,
            f"at the same loss {rise_stopped:.3f} and {worst_stopped:.3f} without dropout": is_less,
        },
        dict(zip(GROUPS, map(means, groups))),
        curves(range(1, UNITS + 1), xlabel, ylabel),
    )  # fmt: skip


def three_groups(seed: int) -> list[list[tuple[float, Numbers]]]:
    """Train three networks for each of the GROUPS; return their training losses and the results of ``missed``."""
    data, sizes = moons(80, rng=Random(f"{seed} moons")), [UNITS, 1]
    plain, dropped = (
        [trained(seed, k, data, sizes, 0.03, 40, 10, adam=True, dropout=p)[0] for k in range(3)] for p in (0.0, 0.5)
    )
    stopped = []
    for k, other in enumerate(dropped):
        model, order = MLP(2, sizes, rng=Random(f"{seed} weights {k}")), Random(f"{seed} order {k}")
        for _ in range(200):
            if loss_of(model, data) <= loss_of(other, data):
                break
            fit(model, data, 0.01, 1, 10, order, adam=True)
        stopped.append(model)
    return [[(loss_of(model, data), missed(model, data)) for model in group] for group in (plain, dropped, stopped)]


def missed(model: MLP, data: Dataset) -> Numbers:
    """Return the increase of the loss for each hidden unit when it is removed, the largest first."""
    whole, rises = loss_of(model, data), []
    for w in linear_layers(model)[-1].W[0]:
        old, w.data = w.data, 0.0
        rises.append(loss_of(model, data) - whole)
        w.data = old
    return sorted(rises, reverse=True)


class Script(Random):
    """Replays bits: a Dropout with p = .5 keeps the units whose bit is 1."""

    def __init__(self, bits: tuple[int, ...]) -> None:
        super().__init__(0)
        self.bits = list(bits)

    def random(self) -> float:
        """Return the next bit as 0.25 or 0.75."""
        return 0.75 if self.bits.pop(0) else 0.25


def ensemble(seed: int = 0) -> Result:
    """D3: evaluate every possible mask, applied by the package's own Dropout."""
    outputs, evaluated = one_unit()
    on, off = (prod(floats.sigmoid(sign * z) ** (1 / len(outputs)) for z in outputs) for sign in (1.0, -1.0))
    middle, arithmetic, geometric = fmean(outputs), fmean(map(floats.sigmoid, outputs)), on / (on + off)
    members, average, whole = thinned(seed)
    sigma, typical = floats.sigmoid(evaluated), fmean(members)
    losses = {"mean of the members' losses": typical, "of their mean output": average, "evaluation pass": whole}
    is_mean, is_geometric = abs(middle - evaluated) < 1e-12, abs(geometric - sigma) < 1e-12
    return Result(
        "D3", "Dropout trains a large ensemble, and evaluation is its mean",
        "all 8 masks of one unit, before and after σ; all 64 thinned 2-6-1 networks on 60 moons",
        {
            f"mean of masks {middle:g}, evaluation {evaluated:g}": is_mean,
            f"normalised geometric mean after σ {geometric:.6f}, evaluation {sigma:.6f}": is_geometric,
            f"arithmetic mean after σ {arithmetic:.4f}": abs(arithmetic - sigma) < 0.05,
            f"loss of the evaluation pass {whole:.3f}, of the members' mean output {average:.3f}, of a typical "
            f"member {typical:.3f}": whole < typical,
        },
        {"64 members": sorted(members)} | {f"{label}: {loss:.3f}": [loss] * 64 for label, loss in losses.items()},
        curves(range(1, 65), "thinned network, in order of its loss", "training loss"),
    )  # fmt: skip


def one_unit() -> tuple[Numbers, float]:
    """Return the outputs of a linear unit with the masks 000, 001, … 111, and its output in evaluation mode."""
    unit, x = Linear(3, 1), [1.0, -1.0, 2.0]
    unit.load_state_dict({"W": [[1.0, 2.0, 3.0]], "b": [0.0]})
    masked = [Sequential(Dropout(0.5, Script(bits)), unit) for bits in product((0, 1), repeat=3)]
    return [model(x)[0].data for model in masked], Sequential(Dropout(0.5), unit).eval()(x)[0].data


def thinned(seed: int, units: int = 6) -> tuple[Numbers, float, float]:
    """Return the losses of every thinned network, of their mean output (after σ), and of the evaluation pass."""
    data = moons(60, rng=Random(f"{seed} moons"))
    model = MLP(2, [units, 1], rng=Random(f"{seed} weights"), activation="tanh", dropout=0.5)
    fit(model, data, 0.03, 30, 10, Random(f"{seed} order"), adam=True)
    (dropout,) = (layer for layer in model.net.layers if isinstance(layer, Dropout))
    model.train()
    right = []  # for each thinned network, the probability that it assigns to the true class of each example
    with no_grad():
        for bits in product((0, 1), repeat=units):
            dropout.rng = Script(bits * len(data.y))
            ones = [floats.sigmoid(z.data) for z in model.batch(data.X)]
            right.append([p if y else 1.0 - p for p, y in zip(ones, data.y)])
    *losses, of_mean = (fmean(-log(max(p, 1e-300)) for p in row) for row in [*right, means(right)])
    return losses, of_mean, loss_of(model, data)


def shift(seed: int = 0) -> Result:
    """D8: measure how the inputs of the last hidden activation drift while the layers below it learn."""
    moved = [drift(seed, batch_norm) for batch_norm in (False, True)]
    (plain, normalised), epochs = map(max, moved), range(len(moved[0]))
    return Result(
        "D8", "Batch normalisation reduces internal covariate shift",
        f"drift of the second tanh layer's inputs, in initial standard deviations, {epochs[-1]} epochs",
        {f"largest drift {plain:.2f} without, {normalised:.2f} with normalisation": normalised < 0.5 * plain},
        dict(zip(LABELS, moved)),
        curves(epochs, "epoch", "drift of the units' means, |μ − μ₀| / σ₀"),
    )  # fmt: skip


def drift(seed: int, batch_norm: bool) -> Numbers:
    """Return |μ − μ₀| / σ₀ of the last hidden activation's inputs, by epoch, as the mean over the units."""
    data, order = moons(80, rng=Random(f"{seed} moons")), Random(f"{seed} order")
    model = MLP(2, [6, 6, 1], rng=Random(f"{seed} weights"), activation="tanh", batch_norm=batch_norm)
    below, columns = model.net[:-2], []  # without this activation and the output layer
    for epoch in range(13):
        if epoch:
            fit(model, data, 0.3, 1, 10, order)
        if batch_norm:
            calibrate(model, data.X)  # this does not affect training, which uses the mini-batches' statistics
        columns.append([*zip(*numbers_of(outputs_of(below, data.X)))])
    first = [(fmean(z), pstdev(z)) for z in columns[0]]
    return [fmean([abs(fmean(z) - mu) / sigma for z, (mu, sigma) in zip(units, first)]) for units in columns]


def scale(seed: int = 0) -> Result:
    """D8: multiply the weights by ten, and train from initial weights of very different sizes."""
    (ratio, output, _), (ratio_with, output_with, bias) = (times_ten(seed, b) for b in (False, True))
    losses = [[scaled_loss(seed, factor, b) for factor in SCALES] for b in (False, True)]
    (plain, apart), (normalised, together) = ((max(row), spread(row)) for row in losses)
    is_tenth = abs(10.0 * ratio_with - 1.0) < 0.01
    xlabel, ylabel = "scale of the initial weights, relative to Xavier's", "training loss after 8 epochs"
    return Result(
        "D8", "Batch normalisation makes gradients depend less on the scale of weights and their initial values",
        "∂L/∂W¹ for W¹ and 10 W¹; loss of a 2-6-6-1 network on moons after 8 epochs, hidden W initialised at "
        f"{len(SCALES)} scales, mean of 3 runs",
        {
            f"10 W¹ has {ratio_with:.4f} times the gradient ({ratio:.2f} without normalisation)": is_tenth,
            f"and changes outputs by {output_with:.0e} ({output:.1f})": output_with < 1e-3,
            f"a bias before normalisation has a gradient of at most {bias:.0e}": bias < 1e-12,
            f"losses from all scales: worst {normalised:.2f}, spread {together:.2f}; without {plain:.2f}, "
            f"{apart:.2f}": together < 0.5 * apart,
        },
        dict(zip(LABELS, losses)),
        curves(SCALES, xlabel, ylabel, xscale="log", ylim=(0, None)),
    )  # fmt: skip


def times_ten(seed: int, batch_norm: bool) -> tuple[float, float, float]:
    """Return ‖∂L/∂W¹‖ for 10 W¹ over that for W¹, the largest change of an output, and the largest |∂L/∂b¹|."""
    data = moons(60, rng=Random(f"{seed} moons"))
    model = MLP(2, [6, 6, 1], rng=Random(f"{seed} weights"), activation="tanh", batch_norm=batch_norm)
    first, sizes, outputs = linear_layers(model)[0], [], []
    for factor in (1.0, 10.0):
        for w in flatten(first.W):
            w.data *= factor
        gradient(model, binary_cross_entropy, data.X, data.y)
        sizes.append(gradient_norm(flatten(first.W)))
        outputs.append([z.data for z in model.batch(data.X)])
    change = max(abs(a - b) for a, b in zip(*outputs))
    return sizes[1] / sizes[0], change, max(abs(b.grad) for b in first.b)


def scaled_loss(seed: int, factor: float, batch_norm: bool) -> float:
    """Return the final training loss for initial hidden weights of this factor times Xavier's."""

    def init(n_in: int, n_out: int, rng: Random) -> Matrix:
        size = factor if n_out > 1 else 1.0  # the output layer is not normalised
        return [[size * w for w in row] for row in xavier_uniform(n_in, n_out, rng)]

    return mean_losses(seed, 60, [6, 6, 1], 0.3, 8, 10, activation="tanh", init=init, batch_norm=batch_norm)[-1]


def mean_losses(
    seed: int, n: int, sizes: list[int], rate: float, epochs: int, batch_size: int, **options: Any
) -> Numbers:
    """Return the training loss of each epoch on n moons, averaged over three networks."""
    data = moons(n, rng=Random(f"{seed} moons"))
    return means(trained(seed, k, data, sizes, rate, epochs, batch_size, **options)[1] for k in range(3))


def higher_rates(seed: int = 0) -> Result:
    """D8: train the same networks, with the examples in the same order, at six rates."""
    sizes = [6, 6, 6, 1]
    losses = [[mean_losses(seed, 60, sizes, rate, 12, 20, batch_norm=b)[-1] for rate in RATES] for b in (False, True)]
    low, high = (max((rate for rate, loss in zip(RATES, row) if loss < LEARNED), default=0.0) for row in losses)
    xlabel, ylabel = "learning rate η of SGD", "training loss after 12 epochs (at most 10)"
    return Result(
        "D8", "Batch normalisation allows higher learning rates",
        f"loss of a 2-6-6-6-1 relu network on moons after 12 epochs of SGD at {len(RATES)} rates, mean of 3 runs",
        {f"highest rate with a loss below {LEARNED:.2f}: {high:g} with, {low:g} without normalisation": high > low},
        dict(zip(LABELS, losses)),
        curves(RATES, xlabel, ylabel, horizontal={"half the loss of guessing": LEARNED}, xscale="log", yscale="log"),
    )  # fmt: skip


def saturating(seed: int = 0) -> Result:
    """D8: train a deep network of sigmoids, whose δ shrinks by a factor of at least 4 per layer."""
    sizes = [6, 6, 6, 6, 1]
    losses = [mean_losses(seed, 80, sizes, 1.0, 25, 10, activation="sigmoid", batch_norm=b) for b in (False, True)]
    (plain, normalised), epochs = (curve[-1] for curve in losses), range(1, len(losses[0]) + 1)
    return Result(
        "D8", "Batch normalisation allows the use of saturating nonlinearities",
        f"training loss of a 2-6-6-6-6-1 σ network on moons over {epochs[-1]} epochs of SGD, η = 1, mean of 3 runs",
        {f"final loss {normalised:.3f} with, {plain:.3f} without it": normalised < min(LEARNED, 0.5 * plain)},
        dict(zip(LABELS, losses)),
        curves(epochs, "epoch", "training loss", ylim=(0, None)),
    )  # fmt: skip


def less_dropout(seed: int = 0) -> Result:
    """D8: train on a few noisy examples, which a network memorises, with and without three remedies."""
    training, held_out = map(list, zip(*(few_examples(seed, *kind) for kind in KINDS.values())))
    plain, dropout, normalised, both = held_out
    saved, saved_with = plain - dropout, normalised - both
    is_low = normalised < plain and normalised <= 1.05 * dropout
    return Result(
        "D8", "Batch normalisation may reduce the need for dropout",
        "loss of a 2-16-1 network on 30 noisy moons and 300 held-out ones, dropout .5, batch norm, mean of 4 runs",
        {
            f"held-out loss {plain:.2f} plain, {dropout:.2f} dropout, {normalised:.2f} batch normalisation": is_low,
            f"dropout without normalisation lowers the loss by {saved:.2f}": dropout < plain - 0.01,
            f"dropout with normalisation lowers it by {saved_with:.2f}": saved_with < 0.5 * saved,
        },
        {"training": training, "held out": held_out},
        curves(list(KINDS), "", "loss at the end", partial(style, linestyle="none", markersize=9), ylim=(0, None)),
    )  # fmt: skip


def few_examples(seed: int, p: float, batch_norm: bool) -> Numbers:
    """Return the loss on 30 noisy training examples and 300 held-out ones, averaged over four networks."""
    unseen, losses = moons(300, 0.3, Random(f"{seed} held back")), []
    for k in range(4):
        data = moons(30, 0.3, Random(f"{seed} training {k}"))
        model, _ = trained(seed, k, data, [16, 1], 0.03, 50, 10, adam=True, dropout=p, batch_norm=batch_norm)
        if batch_norm:
            calibrate(model, data.X)
        losses.append([loss_of(model, part) for part in (data, unseen)])
    return means(losses)
