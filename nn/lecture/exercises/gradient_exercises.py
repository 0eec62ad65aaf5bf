"""Exercises on gradients: the chain rule at a node, the backward pass, and back propagation through a network."""

from collections.abc import Callable, Sequence
from functools import partial
from math import exp
from random import Random
from typing import Any

from autograd import Value, affine, draw, explain, named
from autograd.graph import topological_order
from autograd.notation import labels
from autograd.parser import Definitions
from nn import MLP, Trace, cross_entropy, half_squared_error
from nn.data import one_hot
from nn.lecture.exercises.exercise import Exercise, Problem, explained, mistakes, tried
from nn.losses import mean_loss

Numbers = list[float]
Matrix = list[list[float]]


XYZ = Exercise(
    "xyz", "f = xyz at your own point",
    question=lambda p: (
        f"f = xyz with x = r, y = rs, z = s, at r = {p['r']}, s = {p['s']}. By hand, with the chain rule: "
        "what are ∂f/∂r and ∂f/∂s? Answer `[∂f/∂r, ∂f/∂s]`."),
    make=lambda rng: {"r": rng.randint(2, 6), "s": rng.randint(2, 6)},
    right=lambda p: [2 * p["r"] * p["s"] ** 2, 2 * p["r"] ** 2 * p["s"]],
    mistakes=mistakes(
        ("assigned instead of added", lambda p: [p["r"] * p["s"] ** 2, p["r"] ** 2 * p["s"]],
         "r and s reach f on two paths each, and your number has only one of them: add the shares."),
        ("forgot the upstream", lambda p: [1 + p["s"], p["r"] + 1],
         "∂x/∂r and ∂y/∂r say how x and y change with r; multiply each by how f changes with x and y."),
        ("multiplied the paths", lambda p: [p["r"] ** 2 * p["s"] ** 4, p["r"] ** 4 * p["s"] ** 2],
         "Multiply along a path, but add over the paths."),
        ("r and s in each other's place", lambda p: [2 * p["r"] ** 2 * p["s"], 2 * p["r"] * p["s"] ** 2],
         "Both numbers are right, but in the wrong order.")),
    hints=("r is in x and in y, s is in y and in z. Draw the graph and count the paths.",
           "∂f/∂s = ∂f/∂x ∂x/∂s + ∂f/∂y ∂y/∂s + ∂f/∂z ∂z/∂s, and x does not depend on s.",
           "∂f/∂x = yz, ∂f/∂y = xz, ∂f/∂z = xy; substitute x = r, y = rs, z = s, and then the numbers."),
    derivation=lambda p: explained("f = x*y*z; x = r; y = r*s; z = s", "s", **p),
)  # fmt: skip


MUL = Exercise(
    "mul", "The local derivatives of ×",
    question=lambda p: (
        "A node for x·y needs its value and its local derivatives. Write `mul(x, y)`, on plain floats, which returns "
        "`value, (∂/∂x, ∂/∂y)`."),
    make=lambda rng: {"cases": [(float(rng.randint(2, 9)), -rng.randint(2, 9) / 2.0), (0.0, 3.0), (-1.5, -0.5)]},
    right=lambda x, y: (x * y, (y, x)),
    mistakes=mistakes(
        ("each operand's own number", lambda x, y: (x * y, (x, y)),
         "Hold y fixed and increase x by 1: the product increases by y, the other operand."),
        ("the rule of +", lambda x, y: (x * y, (1.0, 1.0)), "The local derivatives 1 and 1 belong to x + y."),
        ("the value once more", lambda x, y: (x * y, (x * y, x * y)),
         "The derivative says how fast xy changes, not how large it is."),
        ("both moved at once", lambda x, y: (x * y, (x + y, x + y)),
         "d(xy) = y dx + x dy changes both operands; a local derivative changes one and holds the other fixed.")),
    hints=("Hold y fixed. What kind of function of x is x·y then, and what is its slope?",
           "y is a constant factor in ∂(xy)/∂x.",
           "return x * y, (y, …)"),
    derivation=lambda p: explained("f = x*y", "x", x=p["cases"][0][0], y=p["cases"][0][1]),
    **tried(lambda x, y: f"at x = {x:g}, y = {y:g}", lambda x, y: ("the value", "∂/∂x", "∂/∂y")),
)  # fmt: skip


RELU = Exercise(
    "relu", "relu, with its kink",
    question=lambda p: (
        "Write `my_relu(z)`, which returns `value, (derivative,)`: max(0, z) and g′(z). At the kink, z = 0, use the "
        "convention of this course and of most libraries: g′(0) = 0."),
    make=lambda rng: {"cases": [(rng.randint(3, 9) / 2.0,), (-rng.randint(3, 9) / 2.0,), (0.0,)]},
    right=lambda z: (max(0.0, z), (1.0 if z > 0 else 0.0,)),
    mistakes=mistakes(
        ("g for g′", lambda z: (max(0.0, z), (max(0.0, z),)),
         "You returned relu itself as its derivative, but its slope is 1 wherever it rises."),
        ("the other side at the kink", lambda z: (max(0.0, z), (1.0 if z >= 0 else 0.0,)),
         "At 0 every number from 0 to 1 is a subgradient; the convention is 0."),
        ("½ at the kink", lambda z: (max(0.0, z), ((z > 0) / 2.0 + (z >= 0) / 2.0,)),
         "You took the mean of both sides, as a step function does; the convention here is 0."),
        ("a slope where relu is flat", lambda z: (max(0.0, z), (1.0,)),
         "Left of 0 relu is constant: its derivative is 0 there."),
        ("the slope of |z|", lambda z: (max(0.0, z), ((z > 0) - (z < 0) * 1.0,)),
         "The slope −1 left of 0 belongs to |z|; relu is flat there.")),
    hints=("Draw max(0, z). What is its slope right of 0, and left of it?",
           "It is 1 on the right, 0 on the left, and given by the convention at 0.",
           "The derivative is 1.0 if z > 0 else …"),
    derivation=lambda p: explained("a = relu(z)", "z", z=p["cases"][0][0]),
    **tried(lambda z: f"at z = {z:g}", lambda z: ("the value", "∂/∂z")),
)  # fmt: skip


# the graphs on which an answer runs, the smallest first
GRAPHS = {
    "a product": "f = x*y",
    "a chain": "f = sin(exp(a*0.5))",
    "x + x": "f = s + s",
    "a diamond": "f = q*r; q = b*2; r = exp(b*0.25)",
    # h feeds f directly and also through p, so it must wait for both shares before it passes on its grad
    "a short and a long path": "f = h*t + sin(p); p = tanh(h); h = w*w",
}


def _graphs(p: Problem) -> dict[str, list[Value]]:
    """The nodes of every graph, the root last."""
    numbers: Problem = dict.fromkeys("xatw", p["u"]) | dict.fromkeys("ysb", p["v"])
    parsed = {graph: Definitions(text) for graph, text in GRAPHS.items()}
    roots = {graph: d.at(**{name: numbers[name] for name in d.inputs})["f"] for graph, d in parsed.items()}
    return {graph: topological_order(root) for graph, root in roots.items()}


def _run_backward(p: Problem, backward: Callable[[Value], object]) -> list[float]:
    graphs = _graphs(p).values()
    for nodes in graphs:
        for node in nodes:
            node.grad = 0.5  # stands for the result of an earlier pass
        backward(nodes[-1])
    return [node.grad for nodes in graphs for node in nodes]


def _graph_at(p: Problem, place: int) -> Any:
    root = [nodes[-1] for nodes in _graphs(p).values() for _ in nodes][place]
    root.backward()
    return draw(root)


def _along_every_path(node: Value, step: int = 1) -> list[Value]:
    """A node once for each time that it is reached, by way of the first parent first or of the last."""
    return [node, *(below for parent in node.parents[::step] for below in _along_every_path(parent, step))]


def _backward(
    assign: bool = False, stale: Callable[[Value], bool] = lambda node: False, upstream: bool = True,
    start: float = 1.0, order: Callable[[Value], list[Value]] = lambda root: topological_order(root)[::-1],
) -> Callable[[Value], None]:  # fmt: skip
    """The backward pass, which is right without options; each option makes a mistake."""

    def backward(root: Value) -> None:
        for node in order(root):
            node.grad = node.grad if stale(node) else 0.0
        root.grad = start
        for node in order(root):
            for parent, local in zip(node.parents, node.local_derivatives):
                share = (node.grad if upstream else 1.0) * local
                parent.grad = share if assign else parent.grad + share

    return backward


BACKWARD = Exercise(
    "backward", "The backward pass",
    question=lambda p: (
        "Write `backward(root)`, which sets `node.grad` to ∂root/∂node for every node below, whatever it was "
        "before. A node has `parents`, `local_derivatives` (one for each parent) and `grad`. The check runs it on a "
        "product, a chain, x + x, a diamond, and a graph with a short and a long path, and draws the smallest that "
        "fails."),
    make=lambda rng: {"u": rng.randint(5, 15) / 10.0, "v": -rng.randint(5, 15) / 10.0},
    right=_backward(),
    mistakes=mistakes(
        ("assigned instead of added", _backward(assign=True),
         "A node that is used twice gets two shares; `=` keeps only the last, `+=` adds them."),
        ("stale gradients", _backward(stale=lambda node: True),
         "The grad of an earlier pass is still included: set every node's grad to 0 first."),
        ("no topological order", _backward(order=lambda root: [*dict.fromkeys(_along_every_path(root))]),
         "A node passed on its grad before the grad was complete: handle every user of a node before the node."),
        ("forgot the upstream", _backward(upstream=False),
         "A parent's share is node.grad times the local derivative, not the local derivative alone."),
        ("no 1 at the root", _backward(start=0.0), "∂root/∂root = 1: without it everything is 0."),
        *(("a node passed on more than once", _backward(order=order),
           "A node passed on its whole grad each time it was reached: visit every node once, after all its users.")
          for order in (_along_every_path, partial(_along_every_path, step=-1))),
        *(("stale gradients in the inputs", _backward(stale=is_input),
           "The interior nodes start from 0, but the inputs keep the grad of an earlier pass: set theirs to 0 too. "
           "(`Value.backward` adds to its inputs on purpose; here each pass stands alone.)")
          for is_input in (lambda node: node.operation is None, lambda node: not node.parents)),
        ("the list from the wrong end", _backward(order=topological_order),
         "Only the root had a grad when it was visited: walk the list from its end, users before their parents."),
        ("nothing written", lambda root: None,
         "Every grad is unchanged: write the answer into each `node.grad` instead of returning it.")),
    hints=("Which nodes need their complete grad before a node may pass on its own?",
           "List the nodes so that parents come first; walk that list from its end.",
           "Zero all grads, root.grad = 1.0, then for each node: parent.grad += node.grad * local."),
    derivation=lambda p: explained(GRAPHS["a diamond"], "b", b=p["v"]),
    numbers=_run_backward,
    # called as in the drawing
    cases=lambda p: [
        f"{graph}, node {name}" for graph, nodes in _graphs(p).items() for name in labels(nodes).values()],
    picture=_graph_at, generic=False,
)  # fmt: skip


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
           "∂L/∂b² = δ², and δ² = ∇ₐ L ⊙ σ′(z²).",
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
        factor = scale(len(D))
        if last:
            D, A = D[-1:], A[-1:]
        if not upstream:
            D = [[1.0] * len(delta) for delta in D]
        rows, columns = range(len(D[0])), range(len(A[0]))
        return [[factor * sum(delta[j] * a[k] for delta, a in zip(D, A)) for k in columns] for j in rows]

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

EXERCISES = (XYZ, MUL, RELU, BACKWARD, BIAS, HIDDEN, OUTER, SOFTMAX)
