"""Claims about the network before its first step: equal units, fading and growing δ, width and depth."""

from __future__ import annotations

from functools import partial
from math import hypot
from statistics import fmean, median
from typing import Any

from nn.data import spirals, xor
from nn.evaluation import accuracy
from nn.init import Initializer, constant, normal, xavier_uniform, zero
from nn.layers import MLP
from nn.lecture.claims.trials import Numbers, Result, curves, fit, generator, means, network, spread, trained
from nn.losses import half_squared_error
from nn.module import flatten
from nn.plots import style

STARTS: dict[str, Initializer] = {
    "all 0": zero,
    "all .1": partial(constant, value=0.1),
    "Xavier, random": xavier_uniform,
}
WIDTHS, DEPTHS = (2, 4, 12), (1, 2, 3)


def zero_start(seed: int = 0) -> Result:
    """C4: the same network on xor, which one unit cannot learn, from equal and from random first weights."""
    apart, moved, right = (list(found) for found in zip(*(learn_xor(seed, init) for init in STARTS.values())))
    (none, same, xavier), equal, epochs = map(max, apart), max(right[:2]), range(len(apart[0]))
    learns = xavier > 0.0 and right[2] > equal + 0.1
    labels = (f"{start}: {share:.0%} right" for start, share in zip(STARTS, right))
    return Result(
        "C4",
        "Units that start alike (zero initialisation) never part",
        f"rows of W¹ of 2-6-1 (σ) over {epochs[-1]} epochs of xor: first weights 0, .1, Xavier's",
        {
            f"from 0 they are at most {none:g} apart, though they move by {moved[0]:.2f}": none == 0.0,
            f"from .1 at most {same:g}, moving by {moved[1]:.2f}": same == 0.0,
            f"Xavier's random ones are {xavier:.2f} apart and reach {right[2]:.0%}, equal ones {equal:.0%}": learns,
        },
        dict(zip(labels, apart)),
        curves(epochs, "epoch", "largest difference between hidden units' weights"),
    )


def learn_xor(seed: int, init: Initializer) -> tuple[Numbers, float, float]:
    """The largest difference within a column of W¹ by epoch, the largest change of a weight in it, the accuracy."""
    data, order = xor(80, noise=0.05, rng=generator(seed, "xor")), generator(seed, "order")
    model = network(seed, [6, 1], activation="sigmoid", init=init)
    weights = [model.state_dict()["net.layers.0.W"]]
    for _ in range(30):
        fit(model, data, 0.05, 1, 10, order, adam=True)
        weights.append(model.state_dict()["net.layers.0.W"])
    moved = max(abs(w - old) for w, old in zip(flatten(weights[-1]), flatten(weights[0])))
    return [max(map(spread, zip(*W))) for W in weights], moved, accuracy(model, data)


def unstable(seed: int = 0) -> Result:
    """C5: the size of δ on its way back through ten layers."""
    vanishing, exploding, layers = chain(1.0, -0.5), chain(8.0, -4.0), range(1, 11)
    sigmoid = ten_units(seed, "sigmoid", "xavier_normal")
    large, he = ten_units(seed, "relu", normal), ten_units(seed, "relu", "he_normal")
    labels = ("1 σ unit, w = 1", "1 σ unit, w = 8", "10 σ units, Xavier", "10 relus, N(0, 1)", "10 relus, He")
    return Result(
        "C5",
        "Gradients are unstable: from layer to layer they vanish or explode",
        "δ¹/δ¹⁰ of ten sigmoid layers of one unit; of ten layers of 10 units, at the start, medians",
        {
            f"one unit, w = 1: {vanishing[0]:.2e}": vanishing[0] < 0.01,
            f"one unit, w = 8: {exploding[0]:.0f}": exploding[0] > 100.0,
            f"ten σ units, Xavier: {sigmoid[0]:.1e}": sigmoid[0] < 0.01,
            f"ten relus, N(0, 1): {large[0]:.0f}": large[0] > 100.0,
            f"ten relus with He's weights keep it: {he[0]:.2f}": 0.1 < he[0] < 10.0,
        },
        dict(zip(labels, (vanishing, exploding, sigmoid, large, he))),
        curves(layers, "layer l", "‖δˡ‖ / ‖δ¹⁰‖", yscale="log", xticks=layers),
    )


def chain(w: float, b: float) -> Numbers:
    """δˡ over δ¹⁰ for ten layers of one sigmoid unit with these weights, at a = .5."""
    model = MLP(1, [1] * 10, activation="sigmoid", output="sigmoid")
    model.load_state_dict({path: [[w]] if path.endswith("W") else [b] for path in model.state_dict()})
    return _ratios(model, [0.5])


def ten_units(seed: int, activation: str, init: Initializer | str) -> Numbers:
    """‖δˡ‖ over ‖δ¹⁰‖ for ten layers of 10 units at the start: medians of 5 networks and 5 inputs."""
    rng, found = generator(seed, activation), []
    for _ in range(5):
        model = MLP(10, [10] * 10, activation=activation, output=activation, init=init, rng=rng)
        for _ in range(5):
            x = [rng.gauss(0.0, 1.0) for _ in range(10)]
            if any(a.data for a in model(x)):  # where all relus of a layer are off, there is no δ to compare
                found.append(_ratios(model, x))
    return [median(column) for column in zip(*found)]


def _ratios(model: MLP, x: Numbers) -> Numbers:
    trace = model.trace(x)
    half_squared_error(trace.output, [0.0] * model.sizes[-1]).backward()
    sizes = [hypot(*delta) for delta in trace.delta[1:]]
    return [size / sizes[-1] for size in sizes]


def architecture(seed: int = 0) -> Result:
    """C9: one task, nine architectures, as many updates for each."""
    table = [[shares(seed, depth, width) for width in WIDTHS] for depth in DEPTHS]
    parts = {name: [[cell[i] for cell in row] for row in table] for i, name in enumerate(("training", "held back"))}
    layers = [f"{depth} hidden layer" + "s" * (depth > 1) for depth in DEPTHS]
    checks = {}
    for by in ("width", "depth"):
        for name, rows in parts.items():
            columns = list(zip(*rows)) if by == "width" else [row[1:] for row in rows]
            first, last = fmean(columns[0]), fmean(columns[-1])
            checks[f"{by}: {name.replace(' ', '-')} {first:.0%} → {last:.0%}"] = last > first + 0.03

    def look(k: int) -> dict[str, Any]:
        return style(k // 2, linestyle="-", linewidth=2.5) if k % 2 else style(k // 2, markerfacecolor="white")

    return Result(
        "C9",
        "Model architecture decides: wider and deeper networks learn more",
        f"accuracy on 100 training and 200 held-back points of two spirals, {'/'.join(map(str, DEPTHS))} hidden "
        f"layers of {'/'.join(map(str, WIDTHS))} relus, means of 2",
        checks,
        {f"{layers[i]}, {name}": rows[i] for i in range(len(DEPTHS)) for name, rows in parts.items()},
        curves(WIDTHS, "units in each hidden layer", "accuracy", look, xticks=WIDTHS, ylim=(0.4, 1.03)),
    )


def shares(seed: int, depth: int, width: int) -> Numbers:
    """The accuracy on training and on held-back data, means of two networks."""
    data, unseen = (spirals(n, noise=0.05, rng=generator(seed, part)) for part, n in (("train", 100), ("test", 200)))
    models = [trained(seed, k, data, [width] * depth + [1], 0.03, 25, 10, adam=True)[0] for k in range(2)]
    return means([accuracy(model, part) for part in (data, unseen)] for model in models)
