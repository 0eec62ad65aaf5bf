"""Claims about the network before its first step: equal units, fading and growing δ, width and depth."""

from __future__ import annotations

from functools import partial
from math import hypot
from statistics import fmean, median
from typing import Any

from nn.data import spirals, xor
from nn.evaluation import accuracy
from nn.init import Initializer, constant, normal
from nn.layers import MLP
from nn.lecture.claims.trials import Judgement, Result, claim, curves, fit, generator, spread
from nn.losses import half_squared_error
from nn.module import flatten
from nn.plots import finish, style

WIDTHS, DEPTHS = (2, 4, 12), (1, 2, 3)
HIDDEN = "net.layers.0.W"  # W¹ in an MLP's state


def zero_start(seed: int = 0) -> Result:
    """C4: the same network on xor, which one unit cannot learn, from equal and from random first weights."""
    data, found = xor(80, noise=0.05, rng=generator(seed, "xor")), []
    for init in ("zero", partial(constant, value=0.1), "xavier_uniform"):
        model = MLP(2, [6, 1], activation="sigmoid", init=init, rng=generator(seed, "weights"))
        weights, rng = [model.state_dict()[HIDDEN]], generator(seed, "order")
        for _ in range(30):
            fit(model, data, 0.05, 1, 10, rng, adam=True)
            weights.append(model.state_dict()[HIDDEN])
        apart = [max(map(spread, zip(*W))) for W in weights]
        moved = max(abs(w - old) for w, old in zip(flatten(weights[-1]), flatten(weights[0])))
        found.append((apart, moved, accuracy(model, data)))
    return zero_start_result(["all 0", "all .1", "Xavier, random"], *map(list, zip(*found)))


@claim("C4", "Units that start alike (zero initialisation) never part")
def zero_start_result(
    starts: list[str], apart: list[list[float]], moved: list[float], accuracy: list[float]
) -> Judgement:
    """How far apart the hidden units' weights are, and what was learned, from three kinds of first weights.

    starts      their names; apart has for each the largest difference within a column of W¹ by epoch
    moved       largest change of a hidden weight;  accuracy: on the training data at the end
    """
    (zero, same, xavier), equal = map(max, apart), max(accuracy[:2])
    is_so = xavier > 0.0 and accuracy[2] > equal + 0.1
    epochs, ylabel = range(len(apart[0])), "largest difference between hidden units' weights"
    labels = [f"{start}: {share:.0%} right" for start, share in zip(starts, accuracy)]
    return (
        f"rows of W¹ of 2-6-1 (σ) over {epochs[-1]} epochs of xor: first weights 0, .1, Xavier's",
        {
            f"from 0 they are at most {zero:g} apart, though they move by {moved[0]:.2f}": zero == 0.0,
            f"from .1 at most {same:g}, moving by {moved[1]:.2f}": same == 0.0,
            f"Xavier's random ones are {xavier:.2f} apart and reach {accuracy[2]:.0%}, equal ones {equal:.0%}": is_so,
        },
        curves(epochs, labels, apart, "epoch", ylabel),
    )


def unstable(seed: int = 0) -> Result:
    """C5: the size of δ on its way back through ten layers."""
    chains: list[list[float]] = []
    for w, b in ((1.0, -0.5), (8.0, -4.0)):
        model = MLP(1, [1] * 10, activation="sigmoid", output="sigmoid")
        model.load_state_dict({path: [[w]] if path.endswith("W") else [b] for path in model.state_dict()})
        chains.append(_ratios(model, [0.5]))
    chains += [
        _medians(seed, *kind) for kind in (("sigmoid", "xavier_normal"), ("relu", normal), ("relu", "he_normal"))
    ]
    return unstable_result(*chains)


@claim("C5", "Gradients are unstable: from layer to layer they vanish or explode")
def unstable_result(
    vanishing: list[float], exploding: list[float], sigmoid: list[float], large: list[float], he: list[float]
) -> Judgement:
    """δˡ over δᴸ for the layers 1 … L = 10.

    vanishing, exploding   one sigmoid unit a layer, at a = .5: w = 1, b = −.5 and w = 8, b = −4
    sigmoid, large, he     ten layers of 10 units, median of 5 networks and 5 inputs: σ from Xavier's weights, relu
                           from normal ones of standard deviation 1, relu from He's
    """
    layers, series = range(1, 11), (vanishing, exploding, sigmoid, large, he)
    labels = ("1 σ unit, w = 1", "1 σ unit, w = 8", "10 σ units, Xavier", "10 relus, N(0, 1)", "10 relus, He")
    return (
        "δ¹/δ¹⁰ of ten sigmoid layers of one unit; of ten layers of 10 units, at the start, medians",
        {
            f"one unit, w = 1: {vanishing[0]:.2e}": vanishing[0] < 0.01,
            f"one unit, w = 8: {exploding[0]:.0f}": exploding[0] > 100.0,
            f"ten σ units, Xavier: {sigmoid[0]:.1e}": sigmoid[0] < 0.01,
            f"ten relus, N(0, 1): {large[0]:.0f}": large[0] > 100.0,
            f"ten relus with He's weights keep it: {he[0]:.2f}": 0.1 < he[0] < 10.0,
        },
        curves(layers, labels, series, "layer l", "‖δˡ‖ / ‖δ¹⁰‖", yscale="log", xticks=layers),
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


def architecture(seed: int = 0) -> Result:
    """C9: one task, nine architectures, as many updates for each."""
    data, unseen = (spirals(n, noise=0.05, rng=generator(seed, part)) for part, n in (("train", 100), ("test", 200)))

    def shares(depth: int, width: int) -> list[float]:
        found = []
        for k in range(2):
            model = MLP(2, [width] * depth + [1], rng=generator(seed, "weights", k))
            fit(model, data, 0.03, 25, 10, generator(seed, "order", k), adam=True)
            found.append((accuracy(model, data), accuracy(model, unseen)))
        return [fmean(column) for column in zip(*found)]

    rows = [zip(*(shares(depth, width) for width in WIDTHS)) for depth in DEPTHS]
    training, held_back = ([list(row) for row in table] for table in zip(*rows))
    return architecture_result(training, held_back)


@claim("C9", "Model architecture decides: wider and deeper networks learn more")
def architecture_result(training: list[list[float]], held_back: list[list[float]]) -> Judgement:
    """Accuracy by depth (row, DEPTHS) and width (column, WIDTHS), each a mean over two networks."""
    checks = {}
    for by in ("width", "depth"):
        for word, shares in (("training", training), ("held-back", held_back)):
            columns = list(zip(*shares)) if by == "width" else [row[1:] for row in shares]
            first, last = fmean(columns[0]), fmean(columns[-1])
            checks[f"{by}: {word} {first:.0%} → {last:.0%}"] = last > first + 0.03

    def draw(axes: Any) -> None:
        for k, depth in enumerate(DEPTHS):
            layers = f"{depth} hidden layer" + "s" * (depth > 1)
            axes.plot(WIDTHS, training[k], **style(k, markerfacecolor="white"), label=f"{layers}, training")
            axes.plot(WIDTHS, held_back[k], **style(k, linestyle="-", linewidth=2.5), label=f"{layers}, held back")
        finish(axes, "units in each hidden layer", "accuracy", xticks=WIDTHS, ylim=(0.4, 1.03))

    return (
        f"accuracy on 100 training and 200 held-back points of two spirals, {'/'.join(map(str, DEPTHS))} hidden "
        f"layers of {'/'.join(map(str, WIDTHS))} relus, means of 2",
        checks,
        draw,
    )
