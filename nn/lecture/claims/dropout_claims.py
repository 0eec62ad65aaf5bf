"""Claims about dropout: that no unit is indispensable any more, and that it trains an ensemble."""

from __future__ import annotations

from itertools import product
from math import log, prod
from random import Random
from statistics import fmean
from typing import Any

from autograd.modes import no_grad
from autograd.number_systems import floats
from nn.data import moons
from nn.dropout import Dropout
from nn.evaluation import evaluate
from nn.layers import MLP, Linear, Sequential
from nn.lecture.claims.trials import Judgement, Result, claim, curves, fit, generator
from nn.losses import binary_cross_entropy
from nn.plots import finish, style

UNITS = 12
Rises = list[list[float]]  # of the loss: for each network one for each unit, from the unit that is missed most down


def redundancy(seed: int = 0) -> Result:
    """D2: each hidden unit is cut off in turn."""
    data = moons(80, rng=generator(seed, "moons"))

    def network(k: int, p: float) -> tuple[MLP, Random]:
        return MLP(2, [UNITS, 1], dropout=p, rng=generator(seed, "weights", k)), generator(seed, "order", k)

    def loss_of(model: MLP) -> float:
        return evaluate(model, binary_cross_entropy, data)[0]

    def rises(model: MLP) -> list[float]:
        whole, last, found = loss_of(model), model.net.layers[-1], []
        assert isinstance(last, Linear)
        for w in last.W[0]:
            old, w.data = w.data, 0.0
            found.append(loss_of(model) - whole)
            w.data = old
        return sorted(found, reverse=True)

    groups: list[list[MLP]] = [[], [], []]
    for k in range(3):
        for p, group in zip((0.0, 0.5), groups):
            model, order = network(k, p)
            fit(model, data, 0.03, 40, 10, order, adam=True)
            group.append(model)
        enough = loss_of(groups[1][k])
        model, order = network(k, 0.0)
        for _ in range(200):
            if loss_of(model) <= enough:
                break
            fit(model, data, 0.01, 1, 10, order, adam=True)
        groups[2].append(model)
    without, dropped, stopped = ([rises(model) for model in group] for group in groups)
    losses = [fmean([loss_of(model) for model in group]) for group in groups[:2]]
    return redundancy_result(without, dropped, stopped, *losses)


@claim("D2", "Dropout forces a redundant representation: no unit is indispensable")
def redundancy_result(
    without: Rises, dropped: Rises, stopped: Rises, loss_without: float, loss_dropped: float
) -> Judgement:
    """By how much the training loss rises when one hidden unit is removed, for networks with and without dropout.

    stopped                    without dropout, of networks that were stopped at the loss of those with it: a worse
                               network could be one that has less to lose
    loss_without, loss_dropped the networks' losses with all units, means
    """
    groups = (without, dropped, stopped)
    rise, rise_dropped, rise_stopped = (fmean([fmean(rises) for rises in networks]) for networks in groups)
    worst, worst_dropped, worst_stopped = (fmean([rises[0] for rises in networks]) for networks in groups)
    is_less = rise_dropped < 0.9 * rise_stopped and worst_dropped < 0.9 * worst_stopped
    labels = ("without dropout", "with dropout, p = .5", "without, stopped at the same loss")
    xlabel = "hidden unit removed, from the one that is missed most"
    means = [[fmean(column) for column in zip(*networks)] for networks in groups]
    return (
        f"rise of the loss when each of {UNITS} hidden relus is removed in turn, moons, {len(without)} networks "
        f"each, p = 0 and .5 (whole: {loss_without:.3f}, {loss_dropped:.3f}), and p = 0 stopped at the latter's loss",
        {
            f"mean rise {rise:.3f} without, {rise_dropped:.3f} with it": rise_dropped < 0.9 * rise,
            f"rise for the unit missed most {worst:.3f}, {worst_dropped:.3f}": worst_dropped < 0.9 * worst,
            f"at the same loss {rise_stopped:.3f} and {worst_stopped:.3f} without it": is_less,
        },
        curves(range(1, UNITS + 1), labels, means, xlabel, "rise of the training loss (mean)"),
    )


class Script(Random):
    """Replays bits: a Dropout of p = .5 keeps the units whose bit is 1."""

    def __init__(self, bits: tuple[int, ...]) -> None:
        super().__init__(0)
        self.bits = list(bits)

    def random(self) -> float:
        """The next bit, as 0.25 or 0.75."""
        return 0.75 if self.bits.pop(0) else 0.25


def ensemble(seed: int = 0) -> Result:
    """D3: every mask there is, drawn by the package's own Dropout."""
    unit, outputs = Linear(3, 1), []
    unit.load_state_dict({"W": [[1.0, 2.0, 3.0]], "b": [0.0]})
    x = [1.0, -1.0, 2.0]
    for bits in product((0, 1), repeat=3):
        outputs.append(Sequential(Dropout(0.5, Script(bits)), unit)(x)[0].data)
    evaluated = Sequential(Dropout(0.5), unit).eval()(x)[0].data
    on, off = ([floats.sigmoid(sign * z) ** (1 / 8) for z in outputs] for sign in (1.0, -1.0))
    geometric = prod(on) / (prod(on) + prod(off))
    arithmetic = fmean([floats.sigmoid(z) for z in outputs])
    return ensemble_result(outputs, evaluated, arithmetic, geometric, floats.sigmoid(evaluated), *_thinned(seed))


@claim("D3", "Dropout trains a large ensemble, and evaluation is its mean")
def ensemble_result(
    outputs: list[float], evaluated: float, arithmetic: float, geometric: float, sigma: float,
    members: list[float], average: float, whole: float,
) -> Judgement:  # fmt: skip
    """All masks of one linear unit, and of a trained network, beside the one evaluation pass.

    outputs, evaluated      w = [1, 2, 3], x = [1, −1, 2], p = .5, masks 000, 001, … 111
    arithmetic, geometric   means of σ(outputs), the second normalised; sigma: σ(evaluated)
    members, average, whole losses: of each of the 2⁶ thinned networks, of their mean output, of the evaluation pass
    """
    middle, typical, is_geometric = fmean(outputs), fmean(members), abs(geometric - sigma) < 1e-12
    losses = ((typical, "mean of the members' losses"), (average, "loss of their mean output"))

    def draw(axes: Any) -> None:
        axes.hist(members, bins=16, color=style(0)["color"], hatch="//", edgecolor="white", label="64 members")
        for k, (x, label) in enumerate((*losses, (whole, "loss of the evaluation pass"))):
            colour = ("black", style(1)["color"], style(2)["color"])[k]
            axes.axvline(x, color=colour, linewidth=2.5, linestyle=("-", "--", ":")[k], label=f"{label}: {x:.3f}")
        finish(axes, "training loss of a thinned network", "how many of the 64")

    return (
        "all 8 masks of one unit, before and after σ; all 64 thinned networks of 2-6-1 on 60 moons",
        {
            f"mean of masks {middle:g}, evaluation {evaluated:g}": abs(middle - evaluated) < 1e-12,
            f"normalised geometric mean after σ {geometric:.6f}, evaluation {sigma:.6f}": is_geometric,
            f"arithmetic mean after σ {arithmetic:.4f}": abs(arithmetic - sigma) < 0.05,
            f"loss of the evaluation pass {whole:.3f}, of the members' mean {average:.3f}, of a member "
            f"{typical:.3f}": whole < typical,
        },
        draw,
    )


def _thinned(seed: int, units: int = 6) -> tuple[list[float], float, float]:
    """The losses of every thinned network, of their mean output (after σ), and of the evaluation pass."""
    data = moons(60, rng=generator(seed, "moons"))
    model = MLP(2, [units, 1], activation="tanh", dropout=0.5, rng=generator(seed, "weights"))
    fit(model, data, 0.03, 30, 10, generator(seed, "order"), adam=True)
    (dropout,) = (layer for layer in model.net.layers if isinstance(layer, Dropout))
    model.train()
    probabilities = []
    with no_grad():
        for bits in product((0, 1), repeat=units):
            dropout.rng = Script(bits * len(data.y))
            probabilities.append([floats.sigmoid(z.data) for z in model.batch(data.X)])
    right = [[p if y else 1.0 - p for p, y in zip(row, data.y)] for row in probabilities]
    members = [_loss(row) for row in right]
    average = _loss([fmean(column) for column in zip(*right)])
    return members, average, evaluate(model, binary_cross_entropy, data)[0]


def _loss(right: list[float]) -> float:
    return fmean([-log(max(p, 1e-300)) for p in right])
