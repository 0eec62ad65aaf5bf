"""The claims for batch normalisation: less shift, less dependence on scale, higher rates, σ usable, less dropout."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import Any, ClassVar

from autograd.value import no_grad
from nn.activations import Sigmoid, Tanh
from nn.claims.fitting import fit, generator, mean
from nn.claims.result import Check, Result, bars, finish, style
from nn.data import moons
from nn.init import Matrix, xavier_uniform
from nn.layers import MLP, Linear
from nn.losses import binary_cross_entropy, mean_loss
from nn.module import evaluating, flatten, lift
from nn.normalisation import BatchNorm, calibrate
from nn.optim import gradient_norm
from nn.training import evaluate

SCALES = (0.01, 0.1, 1.0, 10.0, 100.0)
RATES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
LEARNED = log(2.0) / 2.0  # a loss that says that a network has learned: half of what guessing costs
WITHOUT, WITH = "without", "with batch normalisation"


@dataclass(frozen=True)
class Shift(Result):
    """How far the inputs of the last hidden activation have moved since the start, by epoch, with and without it.

    moved   |μ − μ₀| / σ₀ for the mean and deviation of a unit over the training data, mean over the units
    """

    statement: ClassVar[str] = "Batch normalisation reduces internal covariate shift"
    row: ClassVar[str] = "D8"
    moved: tuple[list[float], list[float]]

    def measured(self) -> str:
        return f"drift of what the second tanh layer reads, in first deviations, {len(self.moved[0]) - 1} epochs"

    def checks(self) -> list[Check]:
        plain, normalised = (max(moved) for moved in self.moved)
        return [Check(f"largest drift {plain:.2f} without, {normalised:.2f} with it", normalised < 0.5 * plain)]

    def draw(self, axes: Any) -> None:
        for k, (moved, label) in enumerate(zip(self.moved, (WITHOUT, WITH))):
            axes.plot(range(len(moved)), moved, **style(k), label=label)
        finish(axes, "epoch", "drift of the units' means, |μ − μ₀| / σ₀")


def shift(seed: int = 0) -> Shift:
    """D8: where the distribution that the last hidden layer reads goes while the layers below learn."""
    data, found = moons(80, rng=generator(seed, "moons")), []
    for batch_norm in (False, True):
        model = MLP(2, [6, 6, 1], "tanh", batch_norm=batch_norm, rng=generator(seed, "weights"))
        rng, columns = generator(seed, "order"), [_read_by_last(model, data.X)]
        for _ in range(12):
            fit(model, data, 0.3, 1, 10, rng)
            columns.append(_read_by_last(model, data.X))
        first = [(mean(z), mean([(x - mean(z)) ** 2 for x in z]) ** 0.5) for z in columns[0]]
        found.append([mean([abs(mean(z) - m) / s for z, (m, s) in zip(units, first)]) for units in columns])
    return Shift((found[0], found[1]))


def _read_by_last(model: MLP, X: list[list[float]]) -> list[list[float]]:
    """The inputs of the last hidden activation, one list for each unit."""
    layers = model.net.layers
    if any(isinstance(layer, BatchNorm) for layer in layers):
        calibrate(model, X)  # training takes the batch's statistics, and does not notice
    last = max(i for i, layer in enumerate(layers) if isinstance(layer, (Tanh, Sigmoid)))
    with evaluating(model), no_grad():
        values = [lift(x) for x in X]
        for layer in layers[:last]:
            values = layer.forward_batch(values)
    return [[x.data for x in unit] for unit in zip(*values)]


@dataclass(frozen=True)
class Scale(Result):
    """What the size of the first weights does, with and without batch normalisation.

    ratio     ‖∂L/∂W‖ for 10 W over that for W: (without, with)
    output    largest change of an output for 10 W, likewise
    bias      largest |∂L/∂b| of a bias before it
    losses    final training loss for first weights of SCALES times Xavier's, means of three networks: (without, with)
    """

    statement: ClassVar[str] = (
        "Batch normalisation makes gradients depend less on the scale of weights and of first weights"
    )
    row: ClassVar[str] = "D8"
    ratio: tuple[float, float]
    output: tuple[float, float]
    bias: float
    losses: tuple[list[float], list[float]]

    def measured(self) -> str:
        return (
            f"∂L/∂W¹ for W¹ and 10 W¹; loss of 2-6-6-1 on moons after 8 epochs, hidden W from {len(SCALES)} scales, "
            "means of 3"
        )

    def checks(self) -> list[Check]:
        worst, spreads = [max(losses) for losses in self.losses], [max(l) - min(l) for l in self.losses]
        return [
            Check(
                f"10 W¹ gives {self.ratio[1]:.4f} of the gradient ({self.ratio[0]:.2f} without)",
                abs(10.0 * self.ratio[1] - 1.0) < 0.01,
            ),
            Check(f"and moves outputs by {self.output[1]:.0e} ({self.output[0]:.1f})", self.output[1] < 1e-3),
            Check(f"a bias before it has a gradient of at most {self.bias:.0e}", self.bias < 1e-12),
            Check(
                f"losses from all scales: worst {worst[1]:.2f}, spread {spreads[1]:.2f}; without {worst[0]:.2f}, "
                f"{spreads[0]:.2f}",
                spreads[1] < 0.5 * spreads[0],
            ),
        ]

    def draw(self, axes: Any) -> None:
        for k, (losses, label) in enumerate(zip(self.losses, (WITHOUT, WITH))):
            axes.plot(SCALES, losses, **style(k), label=label)
        axes.set(xscale="log", ylim=(0, None))
        finish(axes, "size of the first weights, times Xavier's", "training loss after 8 epochs")


def scale(seed: int = 0) -> Scale:
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
    losses: list[list[float]] = []
    for batch_norm in (False, True):
        losses.append([])
        for factor in SCALES:

            def init(n_in: int, n_out: int, rng: Any, factor: float = factor) -> Matrix:
                size = factor if n_out > 1 else 1.0  # nothing normalises what the output layer makes
                return [[size * w for w in row] for row in xavier_uniform(n_in, n_out, rng)]

            ends = []
            for k in range(3):
                rng = generator(seed, "weights", k)
                model = MLP(2, [6, 6, 1], "tanh", init=init, batch_norm=batch_norm, rng=rng)
                ends.append(fit(model, data, 0.3, 8, 10, generator(seed, "order", k))[-1])
            losses[-1].append(mean(ends))
    return Scale((ratios[0], ratios[1]), (outputs[0], outputs[1]), bias, (losses[0], losses[1]))


@dataclass(frozen=True)
class HigherRates(Result):
    """The final training loss at each learning rate of RATES, means of three networks: (without, with)."""

    statement: ClassVar[str] = "Batch normalisation allows higher learning rates"
    row: ClassVar[str] = "D8"
    losses: tuple[list[float], list[float]]

    def measured(self) -> str:
        return f"loss of 2-6-6-6-1 (relu) on moons after 12 epochs at {len(RATES)} rates of SGD, means of 3"

    def checks(self) -> list[Check]:
        highest = [max((r for r, l in zip(RATES, ls) if l < LEARNED), default=0.0) for ls in self.losses]
        return [
            Check(
                f"highest rate that ends below {LEARNED:.2f}: {highest[1]:g} with, {highest[0]:g} without it",
                highest[1] > highest[0],
            )
        ]

    def draw(self, axes: Any) -> None:
        for k, (losses, label) in enumerate(zip(self.losses, (WITHOUT, WITH))):
            axes.plot(RATES, losses, **style(k), label=label)
        axes.axhline(LEARNED, color="#666666", linewidth=0.8)
        axes.text(RATES[-1], LEARNED, "learned below this", fontsize="small", va="bottom", ha="right")
        axes.set(xscale="log", yscale="log")
        finish(axes, "learning rate η of SGD", "training loss after 12 epochs (at most 10)")


def higher_rates(seed: int = 0) -> HigherRates:
    """D8: the same networks and orders of the examples, six rates."""
    data = moons(60, rng=generator(seed, "moons"))
    losses: list[list[float]] = []
    for batch_norm in (False, True):
        losses.append([])
        for rate in RATES:
            ends = []
            for k in range(3):
                model = MLP(2, [6, 6, 6, 1], batch_norm=batch_norm, rng=generator(seed, "weights", k))
                ends.append(fit(model, data, rate, 12, 20, generator(seed, "order", k))[-1])
            losses[-1].append(mean(ends))
    return HigherRates((losses[0], losses[1]))


@dataclass(frozen=True)
class Saturating(Result):
    """Four hidden layers of σ: the training loss by epoch, mean of three networks: (without, with)."""

    statement: ClassVar[str] = "Batch normalisation allows the use of saturating nonlinearities"
    row: ClassVar[str] = "D8"
    losses: tuple[list[float], list[float]]

    def measured(self) -> str:
        return (
            f"training loss of 2-6-6-6-6-1 with σ over {len(self.losses[0])} epochs of moons, SGD, η = 1, means of 3"
        )

    def checks(self) -> list[Check]:
        plain, normalised = (losses[-1] for losses in self.losses)
        found = f"it ends at {normalised:.3f} with, {plain:.3f} without it"
        return [Check(found, normalised < LEARNED and normalised < 0.5 * plain)]

    def draw(self, axes: Any) -> None:
        for k, (losses, label) in enumerate(zip(self.losses, (WITHOUT, WITH))):
            axes.plot(range(1, len(losses) + 1), losses, **style(k), label=label)
        axes.set(ylim=(0, None))
        finish(axes, "epoch", "training loss")


def saturating(seed: int = 0) -> Saturating:
    """D8: a deep network of sigmoids, whose δ fades by at least a factor of 4 a layer."""
    data, losses = moons(80, rng=generator(seed, "moons")), []
    for batch_norm in (False, True):
        curves = []
        for k in range(3):
            rng = generator(seed, "weights", k)
            model = MLP(2, [6, 6, 6, 6, 1], "sigmoid", batch_norm=batch_norm, rng=rng)
            curves.append(fit(model, data, 1.0, 25, 10, generator(seed, "order", k)))
        losses.append([mean(column) for column in zip(*curves)])
    return Saturating((losses[0], losses[1]))


@dataclass(frozen=True)
class LessDropout(Result):
    """Losses on training and on held-back data for four networks: plain, dropout, batch normalisation, both."""

    statement: ClassVar[str] = "Batch normalisation may reduce the need for dropout"
    row: ClassVar[str] = "D8"
    names: list[str]
    training: list[float]
    held_back: list[float]

    def measured(self) -> str:
        return "loss of 2-16-1 on 30 noisy moons and on 300 held back, dropout .5, batch normalisation, means of 4"

    def checks(self) -> list[Check]:
        plain, dropout, normalised, both = self.held_back
        return [
            Check(
                f"held-back loss {plain:.2f} plain, {dropout:.2f} dropout, {normalised:.2f} batch normalisation",
                normalised < plain and normalised <= 1.05 * dropout,
            ),
            Check(f"dropout alone saves {plain - dropout:+.2f} of the plain loss", dropout < plain - 0.01),
            Check(
                f"dropout saves {plain - dropout:+.2f} without, {normalised - both:+.2f} with it",
                normalised - both < 0.5 * (plain - dropout),
            ),
        ]

    def draw(self, axes: Any) -> None:
        bars(axes, self.names, [("training", self.training), ("held back", self.held_back)])
        finish(axes, "", "loss at the end")


def less_dropout(seed: int = 0) -> LessDropout:
    """D8: few noisy examples, which a network learns by heart, and three ways to keep it from that."""
    unseen = moons(300, 0.3, generator(seed, "held back"))
    kinds = {"plain": (0.0, False), "dropout": (0.5, False), "batch norm": (0.0, True), "both": (0.5, True)}
    training, held_back = [], []
    for p, batch_norm in kinds.values():
        losses = []
        for k in range(4):
            data = moons(30, 0.3, generator(seed, "training", k))
            rng = generator(seed, "weights", k)
            model = MLP(2, [16, 1], dropout=p, batch_norm=batch_norm, rng=rng)
            fit(model, data, 0.03, 50, 10, generator(seed, "order", k), adam=True)
            if batch_norm:
                calibrate(model, data.X)
            losses.append([evaluate(model, binary_cross_entropy, part)[0] for part in (data, unseen)])
        training.append(mean([l[0] for l in losses]))
        held_back.append(mean([l[1] for l in losses]))
    return LessDropout(list(kinds), training, held_back)
