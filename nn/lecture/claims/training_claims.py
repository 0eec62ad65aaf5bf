"""Tests the claims about training: initial weights, gradients, mini-batches, learning rates, architecture, inputs."""

from collections.abc import Iterable
from functools import partial
from itertools import combinations, pairwise
from math import dist, fsum, hypot
from random import Random
from statistics import fmean, median, pvariance
from typing import Any

from autograd import Value, mean
from autograd.colours import LIGHT
from nn import MLP, SGD, Linear, Training, ZeroCenter, accuracy, binary_cross_entropy, half_squared_error
from nn.data import batches, moons, spirals, xor
from nn.init import Initializer, constant, normal, xavier_uniform, zero
from nn.lecture.claims.trials import Numbers, Result, curves, fit, gradient, loss_of, means, spread, trained
from nn.module import flatten
from nn.optim import Schedule, exponential, inverse_time
from nn.plots import finish, style

SIZES = (1, 10, 100)  # of the mini-batches of C2
ALL = SIZES[-1]  # the number of examples
RATES = (0.03, 0.1, 0.3, 1.0, 3.0)
STARTS: list[Initializer] = [zero, partial(constant, value=0.1), xavier_uniform]
BATCHES = (1, 2, 5, 10, 20, 50)  # sizes of the mini-batches of C7
WIDTHS, DEPTHS = (2, 4, 12), (1, 2, 3)
N, M = 3, 10  # inputs of a neuron; examples of a mini-batch

Path = list[tuple[float, ...]]  # the parameters before the first step and after each
Signs = tuple[int, ...]


def progress(seed: int = 0) -> Result:
    """C2: compare one example, a mini-batch and the whole batch at an equal number of gradient evaluations."""
    found = [min((descend(seed, size, rate), rate) for rate in RATES) for size in SIZES]
    losses = [losses for (_, losses), _ in found]
    whole_gradient, *gradients = example_gradients(seed)
    difference = max(abs(a - b) for a, b in zip(means(gradients), whole_gradient))
    start, half, seen, end = ([row[i] for row in losses] for i in (0, 5, 10, 50))  # of 10 evaluations each
    evaluations, xlabel = range(0, 5 * ALL + 1, 10), "gradient evaluations (examples differentiated)"
    return Result(
        "C2", "Small batches make progress before the whole training set has been seen",
        f"loss of a 2-8-1 network on 100 moons over {evaluations[-1]} gradient evaluations, batches of "
        f"{', '.join(map(str, SIZES))}, each at the best of {len(RATES)} rates",
        {
            f"after half of the set, the loss fell from {start[2]:.3f} to {half[0]:.3f} (1), {half[1]:.3f} (10), "
            f"{half[2]:.3f} (all)": max(half[:2]) < 0.9 * start[2] <= half[2],
            f"after the set, it is {seen[0]:.3f}, {seen[1]:.3f}, {seen[2]:.3f} (after {evaluations[-1]} evaluations "
            f"{end[0]:.3f}, {end[1]:.3f}, {end[2]:.3f})": max(seen[:2]) < seen[2],
            f"the mean of the gradients is the gradient of the mean, to within {difference:.0e}": difference < 1e-12,
        },
        {f"batches of {size}, η = {rate:g}": row for size, (_, rate), row in zip(SIZES, found, losses)},
        curves(evaluations, xlabel, "training loss", vertical={"every example seen once": ALL}, ylim=(0, None)),
    )  # fmt: skip


def moons_training(seed: int, size: int, rate: float) -> Training:
    """Prepare the training of a 2-8-1 network on 100 moons with SGD and mini-batches of this size."""
    data, model = moons(ALL, rng=Random(f"{seed} moons")), MLP(2, [8, 1], "tanh", rng=Random(f"{seed} weights"))
    sgd = SGD(model.parameters(), rate)
    return Training(model, binary_cross_entropy, sgd, data, batch_size=size, progress=False, engine="eager")


def example_gradients(seed: int) -> list[Numbers]:
    """Return the gradient of the mean loss over all examples, then that of each example's loss."""
    training = moons_training(seed, 1, 1.0)
    X, y, *_ = training.training
    examples = [(X, y), *(([x], [y_i]) for x, y_i in zip(X, y))]
    return [gradient(training.model, training.loss, *some) for some in examples]


def descend(seed: int, size: int, rate: float) -> tuple[float, Numbers]:
    """Return the mean of the losses after 0, 10, 20, … gradient evaluations in five epochs, and these losses."""
    training, rng = moons_training(seed, size, rate), Random(f"{seed} order")
    losses = [loss_of(training.model, training.training)]
    for _ in range(5):
        for batch in batches(ALL, size, rng):  # step by step, because the losses are measured within an epoch
            losses += [losses[-1]] * ((size - 1) // 10)  # the weights are fixed while a large batch is evaluated
            training.step(*training.training.take(batch)[:2])
            if training.optimizer.steps * size % 10 == 0:
                losses.append(loss_of(training.model, training.training))
    return fmean(losses), losses


def zero_start(seed: int = 0) -> Result:
    """C4: train the same network on xor, which one unit cannot learn, from equal and from random initial weights."""
    apart, moved, right = (list(found) for found in zip(*(learn_xor(seed, init) for init in STARTS)))
    (none, same, xavier), equal, epochs = map(max, apart), max(right[:2]), range(len(apart[0]))
    learns = xavier > 0.0 and right[2] > equal + 0.1
    labels = (f"{start}: {share:.0%} right" for start, share in zip(("all 0", "all .1", "Xavier, random"), right))
    return Result(
        "C4", "Units with equal initial weights (zero initialisation) stay equal",
        f"rows of W¹ of a 2-6-1 σ network over {epochs[-1]} epochs on xor: initial weights 0, .1, Xavier's",
        {
            f"from 0 they differ by at most {none:g}, although they change by {moved[0]:.2f}": none == 0.0,
            f"from .1 by at most {same:g}, while changing by {moved[1]:.2f}": same == 0.0,
            f"Xavier's random ones differ by {xavier:.2f} and reach {right[2]:.0%}, equal ones {equal:.0%}": learns,
        },
        dict(zip(labels, apart)),
        curves(epochs, "epoch", "largest difference between hidden units' weights"),
    )  # fmt: skip


def learn_xor(seed: int, init: Initializer) -> tuple[Numbers, float, float]:
    """Return the largest difference in a column of W¹ by epoch, its weights' largest change, and the accuracy."""
    data, order = xor(80, noise=0.05, rng=Random(f"{seed} xor")), Random(f"{seed} order")
    model = MLP(2, [6, 1], rng=Random(f"{seed} weights"), activation="sigmoid", init=init)
    weights = [model.state_dict()["net.layers.0.W"]]
    for _ in range(30):
        fit(model, data, 0.05, 1, 10, order, adam=True)
        weights.append(model.state_dict()["net.layers.0.W"])
    moved = max(abs(w - old) for w, old in zip(flatten(weights[-1]), flatten(weights[0])))
    return [max(map(spread, zip(*W))) for W in weights], moved, accuracy(model, data)


def unstable(seed: int = 0) -> Result:
    """C5: measure δ on its way back through ten layers."""
    vanishing, exploding, layers = chain(1.0, -0.5), chain(8.0, -4.0), range(1, 11)
    sigmoid = ten_units(seed, "sigmoid", "xavier_normal")
    large, he = ten_units(seed, "relu", normal), ten_units(seed, "relu", "he_normal")
    labels = ("1 σ unit, w = 1", "1 σ unit, w = 8", "10 σ units, Xavier", "10 relus, N(0, 1)", "10 relus, He")
    return Result(
        "C5", "Gradients are unstable: from layer to layer they vanish or explode",
        "δ¹/δ¹⁰ of ten sigmoid layers of one unit, and of ten untrained layers of 10 units (medians)",
        {
            f"one unit, w = 1: {vanishing[0]:.2e}": vanishing[0] < 0.01,
            f"one unit, w = 8: {exploding[0]:.0f}": exploding[0] > 100.0,
            f"ten σ units, Xavier: {sigmoid[0]:.1e}": sigmoid[0] < 0.01,
            f"ten relus, N(0, 1): {large[0]:.0f}": large[0] > 100.0,
            f"ten relus, He's weights, where δ keeps its size: {he[0]:.2f}": 0.1 < he[0] < 10.0,
        },
        dict(zip(labels, (vanishing, exploding, sigmoid, large, he))),
        curves(layers, "layer l", "‖δˡ‖ / ‖δ¹⁰‖", partial(style, token="grad"), yscale="log", xticks=layers),
    )  # fmt: skip


def chain(w: float, b: float) -> Numbers:
    """Return δˡ over δ¹⁰ for ten layers of one sigmoid unit with these weights, at a = .5."""
    model = MLP(1, [1] * 10, activation="sigmoid", output="sigmoid")
    model.load_state_dict({path: [[w]] if path.endswith("W") else [b] for path in model.state_dict()})
    return _ratios(model, [0.5])


def ten_units(seed: int, activation: str, init: Initializer | str) -> Numbers:
    """Return ‖δˡ‖ over ‖δ¹⁰‖ for ten untrained layers of 10 units: medians of 5 networks and 5 inputs."""
    rng, found = Random(f"{seed} {activation}"), []
    for _ in range(5):
        model = MLP(10, [10] * 10, activation=activation, output=activation, init=init, rng=rng)
        for _ in range(5):
            x = [rng.gauss(0.0, 1.0) for _ in range(10)]
            if any(a.data for a in model(x)):  # if all relus of a layer are off, every δ is 0
                found.append(_ratios(model, x))
    return [median(column) for column in zip(*found)]


def _ratios(model: MLP, x: Numbers) -> Numbers:
    trace = model.trace(x)
    half_squared_error(trace.output, [0.0] * model.sizes[-1]).backward()
    sizes = [hypot(*delta) for delta in trace.delta[1:]]
    return [size / sizes[-1] for size in sizes]


def settling(seed: int = 0) -> Result:
    """C6: alternate between two examples, without randomness."""
    fixed, smaller = two_examples(0.5), two_examples(0.05)
    inverse, hasty = two_examples(inverse_time(1.0, 1.0)), two_examples(exponential(0.5, 0.5))
    paths = (fixed, smaller, inverse, hasty, two_examples(1.0, batch=True))
    (low, high), less = sorted(fixed[-2:]), spread(smaller[-2:])
    swing, slow_end, hasty_end = high - low, abs(inverse[-1] - 1.0), abs(hasty[-1] - 1.0)
    return Result(
        "C6", "SGD converges with a decaying learning rate, but not with a constant one",
        "w on ½(w − x)², x = 0, 2, 0, 2, … (optimum 1): rates .5, .05, 1/t, .5·.5ᵗ, whole batch",
        {
            f"at η = .5, w still oscillates by {swing:.3f}, {low:.3f} ↔ {high:.3f}": swing > 0.1,
            f"at η = .05 by {less:.3f}, which is less but not 0": 0.01 < less < swing,
            f"with η = 1/t, w ends {slow_end:.1g} from the optimum": slow_end < 1e-6,
            f"with η = .5·.5ᵗ, which also decays, w ends {hasty_end:.2f} from the optimum": hasty_end < 1e-6,
        },
        dict(zip(("η = .5", "η = .05", "η = 1/t", "η = .5·.5ᵗ", "whole batch"), (path[:61] for path in paths))),
        curves(range(61), "step", "w", horizontal={"optimum": 1.0}),
    )  # fmt: skip


def two_examples(rate: float | Schedule, batch: bool = False) -> Numbers:
    """Return w before the first step and after each, on f_i = ½(w − x_i)², x = 0, 2, 0, 2, … or both at once."""
    w, x = Value(3.0, "w"), (0.0, 2.0)
    examples = [x if batch else x[t % 2 : t % 2 + 1] for t in range(200)]
    return [w for (w,) in path_of([w], rate, (mean([0.5 * (w - x_i) ** 2 for x_i in x]) for x in examples))]


def path_of(parameters: list[Value], rate: float | Schedule, losses: Iterable[Value]) -> Path:
    """Return the parameters before the first step of SGD and after each; each loss is computed before its step."""
    optimizer, path = SGD(parameters, rate), [tuple(p.data for p in parameters)]
    for loss in losses:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        path.append(tuple(p.data for p in parameters))
    return path


def batch_noise(seed: int = 0) -> Result:
    """C7: measure all batches of four numbers, and random batches of a network's data."""
    averages, variances = zip(*map(four_numbers, (1, 2, 3, 4)))
    noise, is_falling = network_noise(seed), all(more > less for more, less in pairwise(variances))
    ratio, theory = noise[0] / noise[BATCHES.index(10)], [noise[0] / m * (ALL - m) / (ALL - 1) for m in BATCHES]

    def draw(axes: Any, numbers: dict[str, Numbers]) -> None:
        for look, (label, y) in zip((style(0, "grad"), {"color": LIGHT["edge"]}, style(1, "grad")), numbers.items()):
            axes.plot(BATCHES if len(y) > 3 else (1, 2, 3), y, **look, label=label)
        finish(axes, "batch size m", "variance of the gradient", xscale="log", yscale="log")

    return Result(
        "C7", "Mini-batches reduce the noise of the gradient",
        "variance of ∂L/∂w over all batches of 0, 1, 2, 3; of a 2-8-1 network's gradient, 200 batches of 100 moons",
        {
            f"variance {', '.join(f'{v:.3f}' for v in variances)} for m = 1 … 4": is_falling,
            f"the mean stays {averages[0]:g} to within {spread(averages):.0e}": spread(averages) < 1e-12,
            f"in the network, one example has {ratio:.1f} times the variance of ten (11 in theory)": ratio > 5.0,
        },
        {
            "2-8-1 on 100 moons, 200 batches": noise,
            "from m = 1 by σ²/m · (N − m)/(N − 1)": theory,
            "½(w − x)² on 0, 1, 2, 3 (0 at m = 4)": list(variances[:3]),
        },
        draw,
    )  # fmt: skip


def four_numbers(m: int) -> tuple[float, float]:
    """Return the mean and variance of ∂/∂w ½(w − x)² at w = 0, over all batches of m of the numbers 0, 1, 2, 3."""
    w, gradients = Value(0.0, "w"), []
    for batch in combinations((0.0, 1.0, 2.0, 3.0), m):
        w.grad = 0.0
        mean([0.5 * (w - x) ** 2 for x in batch]).backward()
        gradients.append(w.grad)
    return fmean(gradients), pvariance(gradients)


def network_noise(seed: int) -> Numbers:
    """Return, for each size in BATCHES, the sum of the derivatives' variances over 200 random mini-batches."""
    rng, (_, *gradients) = Random(f"{seed} batches"), example_gradients(seed)
    noise = []
    for m in BATCHES:
        chosen = [next(batches(ALL, m, rng)) for _ in range(200)]
        found = [means([gradients[i] for i in batch]) for batch in chosen]  # a batch's gradient is this mean (C2)
        noise.append(fsum(map(pvariance, zip(*found))))
    return noise


def architecture(seed: int = 0) -> Result:
    """C9: train nine architectures on one task, each with the same number of updates."""
    table = [[mean_accuracies(seed, depth, width) for width in WIDTHS] for depth in DEPTHS]
    parts = {name: [[cell[i] for cell in row] for row in table] for i, name in enumerate(("training", "held-out"))}
    layers = [f"{depth} hidden layer" + "s" * (depth > 1) for depth in DEPTHS]
    checks = {}
    for by in ("width", "depth"):
        for name, rows in parts.items():
            columns = list(zip(*rows)) if by == "width" else [row[1:] for row in rows]
            first, last = fmean(columns[0]), fmean(columns[-1])
            checks[f"{by}: {name} {first:.0%} → {last:.0%}"] = last > first + 0.03

    return Result(
        "C9", "Model architecture decides: wider and deeper networks learn more",
        f"accuracy on 100 training and 200 held-out points of two spirals, {'/'.join(map(str, DEPTHS))} hidden "
        f"layers of {'/'.join(map(str, WIDTHS))} relus, mean of 2 runs",
        checks,
        {f"{layers[i]}, {name}": rows[i] for i in range(len(DEPTHS)) for name, rows in parts.items()},
        curves(
            WIDTHS, "units in each hidden layer", "accuracy", xticks=WIDTHS, ylim=(0.4, 1.03),
            look=lambda k: style(k // 2, linewidth=2.5 if k % 2 else 1.0),
        ),
    )  # fmt: skip


def mean_accuracies(seed: int, depth: int, width: int) -> Numbers:
    """Return the accuracy on training and on held-out data, averaged over two networks."""
    data, unseen = spirals(100, 0.05, Random(f"{seed} train")), spirals(200, 0.05, Random(f"{seed} test"))
    models = [trained(seed, k, data, [width] * depth + [1], 0.03, 25, 10, adam=True)[0] for k in range(2)]
    return means([accuracy(model, part) for part in (data, unseen)] for model in models)


def all_positive(seed: int = 0) -> Result:
    """D4: compare one neuron on the same examples, raw and zero-centred."""
    single, centred, in_batches = sign_patterns(seed)
    positive, others = len({s[:N] for s in single}), len({s[:N] for s in centred})
    against, mixed = sum({*s[:N]} != {s[N]} for s in single), fmean(len({*s[:N]}) > 1 for s in in_batches)
    is_with_delta = positive == 2 and against == 0
    zigzag, straight = zigzag_path(seed, centre=False), zigzag_path(seed, centre=True)
    detour, direct = (fsum(map(dist, p, p[1:])) / max(dist(p[0], p[-1]), 1e-12) for p in (zigzag, straight))

    def draw(axes: Any, numbers: dict[str, Path]) -> None:
        for k, (label, path) in enumerate(numbers.items()):
            axes.plot(*zip(*path), **style(k, linewidth=1), label=label)
        axes.plot([1.0], [-1.0], "*", color=LIGHT["ink"], markersize=14, label="target")
        axes.set_aspect("equal", adjustable="datalim")
        finish(axes, "w₁", "w₂")

    return Result(
        "D4", "If all inputs are positive, the gradients on w are all positive or all negative",
        f"signs of ∂L/∂w of a neuron with {N} inputs, 200 examples, batches of {M}; SGD from (0, 0) to (1, −1): "
        f"{len(zigzag) - 1} steps",
        {
            f"one example: {positive} of {2**N} patterns, {against} against the sign of δ": is_with_delta,
            f"zero-centred: {others} patterns": others > 2,
            f"path / straight line {detour:.1f} for positive, {direct:.1f} for centred inputs": detour > 1.2 * direct,
            f"{mixed:.0%} of batches of {M} (δ of both signs) have gradients of both signs": mixed == 0.0,
        },
        {"positive inputs": zigzag, "zero-centred inputs": straight},
        draw,
    )  # fmt: skip


def sign_patterns(seed: int) -> tuple[list[Signs], list[Signs], list[Signs]]:
    """Return the signs of ∂L/∂w_k and ∂L/∂b for positive examples, zero-centred ones, and positive mini-batches."""
    rng, neuron = Random(f"{seed} inputs"), Linear(N, 1, init=zero)  # δ = ∂L/∂b = −y, of either sign
    X = [[rng.uniform(0.0, 1.0) for _ in range(N)] for _ in range(200)]
    y = [x[0] - x[1] + rng.gauss(0.0, 0.1) for x in X]

    def signs(X: list[Numbers], y: Numbers) -> Signs:
        return tuple((g > 0.0) - (g < 0.0) for g in gradient(neuron, half_squared_error, X, y))

    single = [signs([x], [t]) for x, t in zip(X, y)]
    centred = [signs([x], [t]) for x, t in zip(ZeroCenter().fit_transform(X), y)]
    mini_batches = [signs([X[i] for i in batch], [y[i] for i in batch]) for batch in batches(200, M, rng)]
    return single, centred, mini_batches


def zigzag_path(seed: int, centre: bool) -> Path:
    """Return the path of (w₁, w₂) while a neuron learns x₁ − x₂ from inputs in [0, 2], one example at a time."""
    rng, neuron = Random(f"{seed} path"), Linear(2, 1, init=zero)
    X = [[rng.uniform(0.0, 2.0) for _ in range(2)] for _ in range(60)]
    y = [x[0] - x[1] for x in X]
    X = ZeroCenter().fit_transform(X) if centre else X
    losses = (half_squared_error(neuron(x), t) for x, t in zip(X, y))
    return [step[:2] for step in path_of(neuron.parameters(), 0.3, losses)]
