"""Claims about dropout: that no unit is indispensable any more, and that it trains an ensemble."""

from __future__ import annotations

from itertools import product
from math import log, prod
from random import Random
from statistics import fmean
from typing import Any

from autograd.modes import no_grad
from autograd.number_systems import floats
from nn.data import Dataset, moons
from nn.dropout import Dropout
from nn.layers import MLP, Linear, Sequential
from nn.lecture.claims.trials import Numbers, Result, curves, fit, generator, loss_of, means, network, trained
from nn.plots import finish, style

UNITS = 12
GROUPS = ("without dropout", "with dropout, p = .5", "without, stopped at the same loss")


def redundancy(seed: int = 0) -> Result:
    """D2: each hidden unit is cut off in turn."""
    found = three_groups(seed)
    loss, loss_dropped, _ = (fmean(whole for whole, _ in networks) for networks in found)
    groups = [[rises for _, rises in networks] for networks in found]
    rise, rise_dropped, rise_stopped = (fmean(map(fmean, networks)) for networks in groups)
    worst, worst_dropped, worst_stopped = (fmean(rises[0] for rises in networks) for networks in groups)
    is_less = rise_dropped < 0.9 * rise_stopped and worst_dropped < 0.9 * worst_stopped
    xlabel, ylabel = "hidden unit removed, from the one that is missed most", "rise of the training loss (mean)"
    return Result(
        "D2",
        "Dropout forces a redundant representation: no unit is indispensable",
        f"rise of the loss when each of {UNITS} hidden relus is removed in turn, moons, {len(groups[0])} networks "
        f"each, p = 0 and .5 (whole: {loss:.3f}, {loss_dropped:.3f}), and p = 0 stopped at the latter's loss",
        {
            f"mean rise {rise:.3f} without, {rise_dropped:.3f} with it": rise_dropped < 0.9 * rise,
            f"rise for the unit missed most {worst:.3f}, {worst_dropped:.3f}": worst_dropped < 0.9 * worst,
            f"at the same loss {rise_stopped:.3f} and {worst_stopped:.3f} without it": is_less,
        },
        dict(zip(GROUPS, map(means, groups))),
        curves(range(1, UNITS + 1), xlabel, ylabel),
    )


def three_groups(seed: int) -> list[list[tuple[float, Numbers]]]:
    """Three networks of each of the GROUPS: the training loss, and its rises as ``missed`` gives them."""
    data, sizes = moons(80, rng=generator(seed, "moons")), [UNITS, 1]
    groups = [
        [trained(seed, k, data, sizes, 0.03, 40, 10, adam=True, dropout=p)[0] for k in range(3)] for p in (0.0, 0.5)
    ]
    groups.append([])
    for k, dropped in enumerate(groups[1]):
        model, order, enough = network(seed, sizes, k), generator(seed, "order", k), loss_of(dropped, data)
        for _ in range(200):
            if loss_of(model, data) <= enough:
                break
            fit(model, data, 0.01, 1, 10, order, adam=True)
        groups[2].append(model)
    return [[(loss_of(model, data), missed(model, data)) for model in models] for models in groups]


def missed(model: MLP, data: Dataset) -> Numbers:
    """By how much the loss rises when one hidden unit is removed, the unit that is missed most first."""
    whole, last, rises = loss_of(model, data), model.net.layers[-1], []
    assert isinstance(last, Linear)
    for w in last.W[0]:
        old, w.data = w.data, 0.0
        rises.append(loss_of(model, data) - whole)
        w.data = old
    return sorted(rises, reverse=True)


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
    outputs, evaluated = one_unit()
    on, off = (prod(floats.sigmoid(sign * z) ** (1 / len(outputs)) for z in outputs) for sign in (1.0, -1.0))
    middle, arithmetic, geometric = fmean(outputs), fmean(map(floats.sigmoid, outputs)), on / (on + off)
    members, average, whole = thinned(seed)
    sigma, typical = floats.sigmoid(evaluated), fmean(members)
    is_mean, is_geometric = abs(middle - evaluated) < 1e-12, abs(geometric - sigma) < 1e-12

    return Result(
        "D3",
        "Dropout trains a large ensemble, and evaluation is its mean",
        "all 8 masks of one unit, before and after σ; all 64 thinned networks of 2-6-1 on 60 moons",
        {
            f"mean of masks {middle:g}, evaluation {evaluated:g}": is_mean,
            f"normalised geometric mean after σ {geometric:.6f}, evaluation {sigma:.6f}": is_geometric,
            f"arithmetic mean after σ {arithmetic:.4f}": abs(arithmetic - sigma) < 0.05,
            f"loss of the evaluation pass {whole:.3f}, of the members' mean {average:.3f}, of a member "
            f"{typical:.3f}": whole < typical,
        },
        {
            "64 members": members,
            "mean of the members' losses": [typical],
            "loss of their mean output": [average],
            "loss of the evaluation pass": [whole],
        },
        draw_members,
    )


def draw_members(axes: Any, numbers: dict[str, Numbers]) -> None:
    """A histogram of the members' losses, and a vertical line for each of the single losses."""
    (label, members), *losses = numbers.items()
    axes.hist(members, bins=16, color=style(0)["color"], hatch="//", edgecolor="white", label=label)
    for k, (label, [x]) in enumerate(losses):
        colour = ("black", style(1)["color"], style(2)["color"])[k]
        axes.axvline(x, color=colour, linewidth=2.5, linestyle=("-", "--", ":")[k], label=f"{label}: {x:.3f}")
    finish(axes, "training loss of a thinned network", "how many of the 64")


def one_unit() -> tuple[Numbers, float]:
    """The outputs of a linear unit under the masks 000, 001, … 111, and its output in evaluation."""
    unit, x = Linear(3, 1), [1.0, -1.0, 2.0]
    unit.load_state_dict({"W": [[1.0, 2.0, 3.0]], "b": [0.0]})
    masked = [Sequential(Dropout(0.5, Script(bits)), unit) for bits in product((0, 1), repeat=3)]
    return [model(x)[0].data for model in masked], Sequential(Dropout(0.5), unit).eval()(x)[0].data


def thinned(seed: int, units: int = 6) -> tuple[Numbers, float, float]:
    """The losses of every thinned network, of their mean output (after σ), and of the evaluation pass."""
    data = moons(60, rng=generator(seed, "moons"))
    model = network(seed, [units, 1], activation="tanh", dropout=0.5)
    fit(model, data, 0.03, 30, 10, generator(seed, "order"), adam=True)
    (dropout,) = (layer for layer in model.net.layers if isinstance(layer, Dropout))
    model.train()
    right = []  # for each thinned network, the probability that it gives the true class of each example
    with no_grad():
        for bits in product((0, 1), repeat=units):
            dropout.rng = Script(bits * len(data.y))
            ones = [floats.sigmoid(z.data) for z in model.batch(data.X)]
            right.append([p if y else 1.0 - p for p, y in zip(ones, data.y)])
    return [*map(_loss, right)], _loss(means(right)), loss_of(model, data)


def _loss(right: Numbers) -> float:
    return fmean([-log(max(p, 1e-300)) for p in right])
