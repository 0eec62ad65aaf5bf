"""Claims about the network before its first step: equal units, fading and growing δ, width and depth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import hypot
from statistics import median
from typing import Any, ClassVar

from nn.claims.fitting import fit, generator, mean, spread
from nn.claims.result import Check, Result, finish, style
from nn.data import spirals, xor
from nn.init import Initializer, constant, normal
from nn.layers import MLP, Linear
from nn.losses import half_squared_error
from nn.training import accuracy

WIDTHS, DEPTHS = (2, 4, 12), (1, 2, 3)


@dataclass(frozen=True)
class ZeroStart(Result):
    """How far apart the hidden units' weights are, and what was learned, from three kinds of first weights.

    starts      their names; apart has for each the largest difference within a column of W¹ by epoch
    moved       largest change of a hidden weight;  accuracy: on the training data at the end
    """

    statement: ClassVar[str] = "Units that start alike (zero initialisation) never part"
    row: ClassVar[str] = "C4"
    starts: list[str]
    apart: list[list[float]]
    moved: list[float]
    accuracy: list[float]

    def measured(self) -> str:
        return f"rows of W¹ of 2-6-1 (σ) over {len(self.apart[0]) - 1} epochs of xor: first weights 0, .1, Xavier's"

    def checks(self) -> list[Check]:
        zero, same, xavier = (max(apart) for apart in self.apart)
        return [
            Check(f"from 0 they are at most {zero:g} apart, though they move by {self.moved[0]:.2f}", zero == 0.0),
            Check(f"from .1 at most {same:g}, moving by {self.moved[1]:.2f}", same == 0.0),
            Check(
                f"Xavier's random ones are {xavier:.2f} apart and reach {self.accuracy[2]:.0%}, equal ones "
                f"{max(self.accuracy[:2]):.0%}",
                xavier > 0.0 and self.accuracy[2] > max(self.accuracy[:2]) + 0.1,
            ),
        ]

    def draw(self, axes: Any) -> None:
        for k, (start, apart, share) in enumerate(zip(self.starts, self.apart, self.accuracy)):
            axes.plot(range(len(apart)), apart, **style(k, markevery=(k, 5)), label=f"{start}: {share:.0%} right")
        finish(axes, "epoch", "largest difference between hidden units' weights")


def zero_start(seed: int = 0) -> ZeroStart:
    """C4: the same network on xor, which one unit cannot learn, from equal and from random first weights."""
    data, found = xor(80, noise=0.05, rng=generator(seed, "xor")), []
    for init in ("zero", partial(constant, value=0.1), "xavier_uniform"):
        model = MLP(2, [6, 1], activation="sigmoid", init=init, rng=generator(seed, "weights"))
        first, rng = _hidden(model), generator(seed, "order")
        apart = [_apart(first)]
        for _ in range(30):
            fit(model, data, 0.05, 1, 10, rng, adam=True)
            apart.append(_apart(_hidden(model)))
        moved = max(abs(w - old) for row, before in zip(_hidden(model), first) for w, old in zip(row, before))
        found.append((apart, moved, accuracy(model, data)))
    apart_s, moved_s, shares = map(list, zip(*found))
    return ZeroStart(["all 0", "all .1", "Xavier, random"], apart_s, moved_s, shares)


def _hidden(model: MLP) -> list[list[float]]:
    layer = model.net.layers[0]
    assert isinstance(layer, Linear)
    return [[w.data for w in row] for row in layer.W]


def _apart(W: list[list[float]]) -> float:
    return max(spread(column) for column in zip(*W))


@dataclass(frozen=True)
class Unstable(Result):
    """δˡ over δᴸ for the layers 1 … L = 10.

    vanishing, exploding   one sigmoid unit a layer, at a = .5: w = 1, b = −.5 and w = 8, b = −4
    sigmoid, large, he     ten layers of 10 units, median of 5 networks and 5 inputs: σ from Xavier's weights, relu
                           from normal ones of standard deviation 1, relu from He's
    """

    statement: ClassVar[str] = "Gradients are unstable: from layer to layer they vanish or explode"
    row: ClassVar[str] = "C5"
    vanishing: list[float]
    exploding: list[float]
    sigmoid: list[float]
    large: list[float]
    he: list[float]

    def measured(self) -> str:
        return "δ¹/δ¹⁰ of ten sigmoid layers of one unit; of ten layers of 10 units, at the start, medians"

    def checks(self) -> list[Check]:
        return [
            Check(f"one unit, w = 1: {self.vanishing[0]:.2e}", self.vanishing[0] < 0.01),
            Check(f"one unit, w = 8: {self.exploding[0]:.0f}", self.exploding[0] > 100.0),
            Check(f"ten σ units, Xavier: {self.sigmoid[0]:.1e}", self.sigmoid[0] < 0.01),
            Check(f"ten relus, N(0, 1): {self.large[0]:.0f}", self.large[0] > 100.0),
            Check(f"ten relus with He's weights keep it: {self.he[0]:.2f}", 0.1 < self.he[0] < 10.0),
        ]

    def draw(self, axes: Any) -> None:
        labels = ("1 σ unit, w = 1", "1 σ unit, w = 8", "10 σ units, Xavier", "10 relus, N(0, 1)", "10 relus, He")
        curves = (self.vanishing, self.exploding, self.sigmoid, self.large, self.he)
        for k, (curve, label) in enumerate(zip(curves, labels)):
            axes.plot(range(1, 11), curve, **style(k), label=label)
        axes.set(yscale="log", xticks=range(1, 11))
        finish(axes, "layer l", "‖δˡ‖ / ‖δ¹⁰‖")


def unstable(seed: int = 0) -> Unstable:
    """C5: the size of δ on its way back through ten layers."""
    chains: list[list[float]] = []
    for w, b in ((1.0, -0.5), (8.0, -4.0)):
        model = MLP(1, [1] * 10, activation="sigmoid", output="sigmoid")
        model.load_state_dict({path: [[w]] if path.endswith("W") else [b] for path in model.state_dict()})
        chains.append(_ratios(model, [0.5]))
    sigmoid = _medians(seed, "sigmoid", "xavier_normal")
    return Unstable(
        chains[0], chains[1], sigmoid, _medians(seed, "relu", normal), _medians(seed, "relu", "he_normal")
    )


def _ratios(model: MLP, x: list[float]) -> list[float]:
    trace = model.trace(x)
    half_squared_error(trace.output, [0.0] * model.sizes[-1]).backward()
    sizes = [hypot(*delta) for delta in trace.delta[1:]]
    return [size / sizes[-1] for size in sizes]


def _medians(seed: int, activation: str, init: Initializer | str) -> list[float]:
    rng, found = generator(seed, activation), []
    for _ in range(5):
        model = MLP(10, [10] * 10, activation=activation, output=activation, init=init, rng=rng)
        for _ in range(5):
            x = [rng.gauss(0.0, 1.0) for _ in range(10)]
            if any(a.data for a in model(x)):  # all relus of a layer may be off; then there is no δ to compare
                found.append(_ratios(model, x))
    return [median(column) for column in zip(*found)]


@dataclass(frozen=True)
class Architecture(Result):
    """Accuracy by depth (row, DEPTHS) and width (column, WIDTHS), each a mean over two networks."""

    statement: ClassVar[str] = "Model architecture decides: wider and deeper networks learn more"
    row: ClassVar[str] = "C9"
    training: list[list[float]]
    held_back: list[list[float]]

    def measured(self) -> str:
        return (
            f"accuracy on 100 training and 200 held-back points of two spirals, {'/'.join(map(str, DEPTHS))} hidden "
            f"layers of {'/'.join(map(str, WIDTHS))} relus, means of 2"
        )

    def checks(self) -> list[Check]:
        def change(word: str, shares: list[list[float]], by: str) -> Check:
            first, last = (
                (mean([r[0] for r in shares]), mean([r[-1] for r in shares])) if by == "width"
                else (mean(shares[0][1:]), mean(shares[-1][1:]))
            )  # fmt: skip
            return Check(f"{by}: {word} {first:.0%} → {last:.0%}", last > first + 0.03)

        parts = (("training", self.training), ("held-back", self.held_back))
        return [change(word, shares, by) for by in ("width", "depth") for word, shares in parts]

    def draw(self, axes: Any) -> None:
        for k, depth in enumerate(DEPTHS):
            layers = f"{depth} hidden layer" + "s" * (depth > 1)
            axes.plot(WIDTHS, self.training[k], **style(k, markerfacecolor="white"), label=f"{layers}, training")
            options = style(k, linestyle="-", linewidth=2.5)
            axes.plot(WIDTHS, self.held_back[k], **options, label=f"{layers}, held back")
        axes.set(xticks=WIDTHS, ylim=(0.4, 1.03))
        finish(axes, "units in each hidden layer", "accuracy")


def architecture(seed: int = 0) -> Architecture:
    """C9: one task, nine architectures, as many updates for each."""
    data, unseen = (spirals(n, noise=0.05, rng=generator(seed, part)) for part, n in (("train", 100), ("test", 200)))
    training, held_back = [], []
    for depth in DEPTHS:
        rows: tuple[list[float], list[float]] = ([], [])
        for width in WIDTHS:
            shares = []
            for k in range(2):
                model = MLP(2, [width] * depth + [1], rng=generator(seed, "weights", k))
                fit(model, data, 0.03, 25, 10, generator(seed, "order", k), adam=True)
                shares.append((accuracy(model, data), accuracy(model, unseen)))
            for row, column in zip(rows, zip(*shares)):
                row.append(mean(column))
        training.append(rows[0])
        held_back.append(rows[1])
    return Architecture(training, held_back)
