"""Exercises on back propagation: δ of the output, ∂L/∂b², δ¹ from δ², ∂L/∂W over a mini-batch, softmax."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import exp
from random import Random
from typing import Any

from autograd import Value, affine, explain, named
from autograd.graph import topological_order
from nn.data import one_hot
from nn.layers import MLP
from nn.lecture.exercises.exercise import Exercise, Problem, mistakes, tried
from nn.losses import cross_entropy, half_squared_error, mean_loss
from nn.module import Trace

Numbers = list[float]
Matrix = list[list[float]]


def _tenths(rng: Random, n: int) -> Numbers:
    """n different numbers of one decimal other than 0, which are easy to write down."""
    return [k / 10.0 for k in rng.sample([*range(-9, 0), *range(1, 10)], n)]


def _network(rng: Random) -> Problem:
    """A 2-3-3 network: W² is square, so W and Wᵀ are easily confused."""
    W2 = [_tenths(rng, 3) for _ in range(3)]
    return {
        "W1": [_tenths(rng, 2) for _ in range(3)], "b1": _tenths(rng, 3), "W2": W2, "b2": _tenths(rng, 3),
        "x": _tenths(rng, 2), "y": [float(k) for k in rng.choice([(1, 0, 0), (0, 1, 0), (0, 0, 1)])],
    }  # fmt: skip


def _passed(p: Problem) -> tuple[Value, Trace]:
    model = MLP(2, [3, 3], activation="sigmoid", output="sigmoid")
    model.load_state_dict({f"net.layers.{2 * l}.{letter}": p[f"{letter}{l + 1}"] for l in (0, 1) for letter in "Wb"})
    trace = model.trace(p["x"])
    loss = named(L=half_squared_error(trace.output, p["y"]))
    loss.backward()
    return loss, trace


def _explained(p: Problem, wrt: str, through: Sequence[str] = ()) -> Any:
    loss, _ = _passed(p)
    nodes = {node.name: node for node in topological_order(loss)}
    return explain(loss, wrt=nodes[wrt], through=[nodes[name] for name in through] or None)


def _rounded(numbers: Sequence[float | Value]) -> str:
    return f"({', '.join(f'{x:.4f}' for x in numbers)})"


def _each(rule: Callable[[float, float, float], float]) -> Callable[[Problem], Numbers]:
    def answer(p: Problem) -> Numbers:
        _, trace = _passed(p)
        return [rule(z.data, a.data, y) for z, a, y in zip(trace.z[2], trace.a[2], p["y"])]

    return answer


BIAS = Exercise(
    "bias", "∂L/∂b² of the output layer",
    question=lambda p: (
        "A 2-3-3 network has sigmoids in both layers, and L = ½ Σ_j (y_j − a_j)². An example gave "
        f"z² = {_rounded(_passed(p)[1].z[2])}, a² = {_rounded(_passed(p)[1].a[2])}, and the target is "
        f"y = {tuple(p['y'])}. What is ∂L/∂b²? Answer three numbers."),
    make=_network,
    right=_each(lambda z, a, y: (a - y) * a * (1.0 - a)),
    mistakes=mistakes(
        ("forgot g′", lambda z, a, y: a - y,
         "a − y is ∂L/∂a. To get from a back to z, multiply by the slope of σ, a(1 − a)."),
        ("g for g′", lambda z, a, y: (a - y) * a,
         "You multiplied by σ(z) = a. The chain rule needs its derivative, a(1 − a)."),
        ("twice too large", lambda z, a, y: 2.0 * (a - y) * a * (1.0 - a),
         "The 2 of the square and the ½ before it cancel: ∂L/∂a = a − y."),
        ("the slope of tanh", lambda z, a, y: (a - y) * (1.0 - a * a),
         "1 − a² belongs to tanh; the slope of σ is a(1 − a)."),
        ("the sign of the loss's slope", lambda z, a, y: (y - a) * a * (1.0 - a),
         "L = ½(y − a)² falls as a rises towards y: its derivative is a − y."),
        ("σ′ of a number that is σ already", lambda z, a, y: (a - y) * z * (1.0 - z),
         "σ′(z) = σ(z)(1 − σ(z)) = a(1 − a); your z(1 − z) has z in place of a."),
        ("forgot the upstream", lambda z, a, y: a * (1.0 - a),
         "a(1 − a) says only how a changes with z; multiply by how L changes with a."),
        of=_each),
    hints=("z_j = … + b_j, so what is ∂z_j/∂b_j? And what is ∂L/∂b_j then, in terms of δ?",
           "∂L/∂b² = δ², and δ² = ∇_a L ⊙ σ′(z²).",
           "Compute (a_j − y_j) · a_j (1 − a_j) for each j."),
    derivation=lambda p: _explained(p, "b²_1"),
)  # fmt: skip


def _of_hidden(rule: Callable[[Matrix, Numbers, float, int], float]) -> Callable[[Problem], Numbers]:
    def answer(p: Problem) -> Numbers:
        _, trace = _passed(p)
        return [rule(p["W2"], trace.delta[2], trace.a[1][k].data, k) for k in (0, 2)]

    return answer


def _back(W: Matrix, delta: Numbers, k: int) -> float:
    return sum(delta[j] * W[j][k] for j in range(3))


HIDDEN = Exercise(
    "hidden", "δ¹_1 and δ¹_3",
    question=lambda p: (
        "Take a 2-3-3 network as before, with other numbers. W² has the rows "
        f"{', '.join(str(tuple(row)) for row in p['W2'])}; the example gave "
        f"δ² = {_rounded(_passed(p)[1].delta[2])} and a¹ = {_rounded(_passed(p)[1].a[1])}. "
        "What are δ¹_1 and δ¹_3? Answer `[δ¹_1, δ¹_3]`."),
    make=_network,
    right=_of_hidden(lambda W, delta, a, k: _back(W, delta, k) * a * (1.0 - a)),
    mistakes=mistakes(
        ("W for Wᵀ", lambda W, delta, a, k: sum(W[k][j] * delta[j] for j in range(3)) * a * (1.0 - a),
         "Unit k reaches output j through w_jk: the backward pass sums over column k of W, not over row k."),
        ("g for g′", lambda W, delta, a, k: _back(W, delta, k) * a, "You multiplied by a¹, but σ′ is a(1 − a)."),
        ("forgot g′", lambda W, delta, a, k: _back(W, delta, k),
         "Wᵀ δ is ∂L/∂a¹. To get from a¹ back to z¹, multiply by the slope of σ, a(1 − a)."),
        ("forgot the upstream", lambda W, delta, a, k: sum(W[j][k] for j in range(3)) * a * (1.0 - a),
         "You added the weights of column k without δ²: multiply each w_jk by δ_j."),
        ("assigned instead of added", lambda W, delta, a, k: delta[2] * W[2][k] * a * (1.0 - a),
         "Unit k reaches L through three outputs, and your number has only the last of the three shares."),
        of=_of_hidden),
    hints=("Through which z²_j does z¹_1 reach the loss?",
           "δ¹_k = Σ_j δ²_j w²_jk σ′(z¹_k): it has three terms, down column k.",
           "Compute (δ²_1 w²_1k + δ²_2 w²_2k + δ²_3 w²_3k) · a¹_k (1 − a¹_k)."),
    derivation=lambda p: _explained(p, "z¹_1", ["z²_1", "z²_2", "z²_3"]),
)  # fmt: skip


def _outer(
    scale: Callable[[int], float] = lambda m: 1.0 / m, last: bool = False, upstream: bool = True
) -> Callable[[Matrix, Matrix], Matrix]:
    """δ aᵀ, the mean over the examples; each option makes a mistake."""

    def gradient(D: Matrix, A: Matrix) -> Matrix:
        pairs = [(d if upstream else [1.0] * len(d), a) for d, a in zip(D, A)][-1 if last else 0 :]
        return [
            [scale(len(D)) * sum(d[j] * a[k] for d, a in pairs) for k in range(len(A[0]))] for j in range(len(D[0]))
        ]

    return gradient


def _explain_weight(p: Problem) -> Any:
    """∂L/∂w_11 over a mini-batch of two, as a sum over the z of each example."""
    D, A = p["cases"][2]
    w = [Value(1.0, f"w_1{k}") for k in range(1, len(A[0]) + 1)]
    z = [named(**{f"z_{i}": affine(w, [*map(Value, a)], 0.0)}) for i, a in enumerate(A, 1)]
    deltas = [Value(d[0], f"δ_{i}") for i, d in enumerate(D, 1)]
    return explain(named(L=sum(d * z_i for d, z_i in zip(deltas, z)) * (1.0 / len(z))), wrt=w[0], through=z)


OUTER = Exercise(
    "outer", "∂L/∂W of a mini-batch",
    question=lambda p: (
        "Write `weight_gradient(D, A)`. For each example of the mini-batch, D has a row δ, and A has a row a, the "
        "input of the layer. L is the mean of the examples' losses, and δ is ∂/∂z of one example's loss. Return "
        '∂L/∂W as a list of rows in the shape of W: rows are "to" (δ), columns are "from" (a).'),
    make=lambda rng: {
        "cases": [
            ([_tenths(rng, to) for _ in range(m)], [_tenths(rng, from_) for _ in range(m)])
            for m, to, from_ in ((1, 2, 2), (1, 2, 3), (2, 2, 3), (4, 2, 3))
        ]
    },
    right=_outer(),
    mistakes=mistakes(
        ("sum for mean", _outer(lambda m: 1.0),
         "The loss is the mean over the examples, and so is its gradient: divide by the number of examples."),
        ("the transpose", lambda D, A: list(zip(*_outer()(D, A))),
         "Row j of ∂L/∂W belongs to δ_j, as row j of W does; you computed a δᵀ instead of δ aᵀ."),
        ("assigned instead of added", _outer(last=True),
         "Your answer has only the last example's δ aᵀ: add those of all examples."),
        ("assigned instead of added", _outer(lambda m: 1.0, last=True),
         "Your answer has only the last example's δ aᵀ: add those of all, then divide by the number of examples."),
        ("forgot the upstream", _outer(upstream=False),
         "∂z_j/∂w_jk = a_k is only the local derivative; multiply by δ_j.")),
    hints=("For one example, ∂L/∂w_jk = δ_j a_k. How many numbers is that, and in which shape?",
           "Add up δ_j a_k over the examples and divide by their number.",
           "[[sum(d[j] * a[k] for d, a in zip(D, A)) / len(D) for k in …] for j in …]"),
    derivation=_explain_weight,
    **tried(
        lambda D, A: f"for {len(D)} example{'s' * (len(D) > 1)}",
        lambda D, A: [f"∂L/∂w_{j + 1}{k + 1}" for j in range(len(D[0])) for k in range(len(A[0]))]),
)  # fmt: skip


def _softmax(z: Numbers) -> Numbers:
    powers = [exp(z_k) for z_k in z]
    return [power / sum(powers) for power in powers]


def _share(rule: Callable[[float, float], float], of: Callable[[Numbers], Numbers] = _softmax) -> Any:
    return lambda z, label: [rule(s, t) for s, t in zip(of(z), one_hot(label, len(z)))]


def _explain_softmax(p: Problem) -> Any:
    z, label = p["cases"][1]
    logits = [Value(z_k, f"z_{k}") for k, z_k in enumerate(z, 1)]
    return explain(named(L=mean_loss(cross_entropy, [logits], [label])), wrt=logits[label])


SOFTMAX = Exercise(
    "softmax", "δ of softmax and cross-entropy",
    question=lambda p: (
        "z is a list of *logits*, one for each class. Softmax turns them into shares that add up to 1: "
        "s_k = exp(z_k) / Σ_i exp(z_i). L = −log s_label, where `label` is the index of the true class, counted from "
        "0. Write `delta(z, label)`, which returns ∂L/∂z as a list."),
    make=lambda rng: {"cases": [(_tenths(rng, n), rng.randrange(n)) for n in (2, 3, 4)]},
    right=_share(lambda s, t: s - t),
    mistakes=mistakes(
        ("the sign", _share(lambda s, t: t - s),
         "Raising the label's own logit lowers the loss: its derivative is negative, s − 1."),
        ("softmax alone", _share(lambda s, t: s),
         "s is the derivative of log Σ exp; the term −z_label adds −1 at the label."),
        ("g for g′, unit by unit", _share(lambda s, t: (s - t) * s * (1.0 - s)),
         "s(1 − s) is the slope of one σ; in softmax each logit changes all the shares, which gives s − t in all."),
        ("labels counted from 1", lambda z, label: _share(lambda s, t: s - t)(z, (label - 1) % len(z)),
         "The −1 is one place too early: `label` is 0 for the first class, as in `z[label]`."),
        ("−1 everywhere", _share(lambda s, t: s - 1.0),
         "L = log Σ exp(z) − z_label subtracts only the label's own logit: elsewhere ∂L/∂z is s."),
        ("nothing but the label", _share(lambda s, t: t * (s - 1.0)),
         "Σ exp has the other logits too: raising one takes a share from the label, so ∂L/∂z is s there."),
        ("stopped at s", _share(lambda s, t: -t / s),
         "−1/s is ∂L/∂s. To get from s back to z, multiply by the derivatives of softmax."),
        ("powers that are not shares", _share(lambda s, t: s - t, lambda z: [exp(z_k) for z_k in z]),
         "Divide exp(z) by the sum of all exp(z), so that the shares add up to 1."),
        ("σ for softmax", _share(lambda s, t: s - t, lambda z: [1.0 / (1.0 + exp(-z_k)) for z_k in z]),
         "The classes exclude each other, so the outputs are not separate choices: normalise by their sum.")),
    hints=("L = log Σ_k exp(z_k) − z_label. Differentiate the two parts one by one.",
           "∂/∂z_k of log Σ exp is exp(z_k)/Σ exp, which is s_k.",
           "It is s_k − 1 at the label and s_k elsewhere."),
    derivation=_explain_softmax,
    **tried(
        lambda z, label: f"for {len(z)} logits with the label {label}",
        lambda z, label: [f"∂L/∂z[{k}]" for k in range(len(z))]),
)  # fmt: skip

EXERCISES = (BIAS, HIDDEN, OUTER, SOFTMAX)
