"""Defines the exercises on networks: σ with cross-entropy, a whole backward pass, batch normalisation backward."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from io import BytesIO
from itertools import accumulate, combinations
from math import sqrt
from random import Random
from time import monotonic
from typing import Any

from autograd import Value, explain, named
from autograd.text import counted
from nn import MLP
from nn.batch_norm import BatchNorm
from nn.data import moons
from nn.lecture.exercises.exercise import (
    BY_HAND,
    LAST_DIGIT,
    Exercise,
    Feedback,
    Mistake,
    Problem,
    explained,
    flat,
    tried,
)
from nn.lecture.exercises.gradient_exercises import sigmoid, slopes, tenths
from nn.lecture.exercises.guard import NoAnswer, guarded
from nn.lecture.exercises.lazy_numpy import Array, np

Numbers = list[float]
Matrix = list[list[float]]


# ---- σ with cross-entropy ------------------------------------------------------------------------------------------


def _each(rule: Callable[[Array, Array, Array], Any]) -> Callable[[Problem], Numbers]:
    def answer(p: Problem) -> Numbers:
        z, y = np.array(p["z"]), np.array(p["y"])
        return [float(x) for x in rule(z, sigmoid(z), y)]

    return answer


def _softmax(z: Array) -> Array:
    return np.array(np.exp(z) / np.exp(z).sum())


def _log_loss(a: Array, y: Array) -> Array:
    return np.array(-(y * np.log(a) + (1.0 - y) * np.log(1.0 - a)))


CROSS_ENTROPY = Exercise(
    "cross_entropy", "δ of σ with cross-entropy",
    question=lambda p: (
        "Three sigmoid units answer three yes-or-no questions about one picture, and several answers may be yes. The "
        "loss is the cross-entropy\n\n"
        r"$$L = -\sum_j \bigl[\, y_j \log a_j + (1 - y_j) \log(1 - a_j) \,\bigr], \qquad a_j = \sigma(z_j).$$"
        "\n\n"
        f"For one example, $z = ({_listed(p['z'])})$ and the targets are $y = ({_listed(p['y'])})$. What is "
        r"$\delta_j = \partial L/\partial z_j$? Answer with three numbers."),
    make=lambda rng: {"z": [2.0 * z for z in tenths(rng, 3)], "y": [1.0, 0.0, 1.0]},
    right=_each(lambda z, a, y: a - y),
    mistakes=(
        ("σ′ once more", lambda z, a, y: (a - y) * a * (1.0 - a),
         "That is δ of the squared error. With cross-entropy ∂L/∂a = (a − y)/(a(1 − a)), and the slope a(1 − a) "
         "cancels."),
        ("stopped at a", lambda z, a, y: (a - y) / (a * (1.0 - a)),
         "That is ∂L/∂a. To get from a back to z, multiply by the slope of σ, a(1 − a)."),
        ("softmax for σ", lambda z, a, y: _softmax(z) - y,
         "Each unit answers its own question, so a = σ(z), not a fraction of a sum over all units."),
        ("only the term of y = 1", lambda z, a, y: -y * (1.0 - a),
         "If y = 0, the second term, −log(1 − a), remains: it has a derivative too."),
        ("only the term of y = 0", lambda z, a, y: (1.0 - y) * a,
         "If y = 1, the first term, −log a, remains: it has a derivative too."),
        ("z for a", lambda z, a, y: z - y, "δ = a − y uses a = σ(z), not z itself."),
        ("forgot the target", lambda z, a, y: a, "δ equals a only if y = 0."),
        ("only σ′", lambda z, a, y: a * (1.0 - a),
         "a(1 − a) says only how a changes with z: multiply by how L changes with a."),
        ("g for g′", lambda z, a, y: (a - y) / (1.0 - a),
         "You multiplied ∂L/∂a by a; to get from a back to z, multiply by the slope of σ, a(1 − a)."),
        ("the slope of tanh", lambda z, a, y: (a - y) * (1.0 - a * a),
         "1 − a² is the slope of tanh, and with cross-entropy the slope of σ cancels: δ = a − y."),
        ("σ′(a) for σ′(z)", lambda z, a, y: (a - y) * sigmoid(a) * (1.0 - sigmoid(a)),
         "a is already σ(z), and with cross-entropy the slope of σ cancels: δ = a − y."),
        ("σ twice", lambda z, a, y: sigmoid(a) - y, "a is already σ(z): δ = a − y, without another σ."),
        ("times z", lambda z, a, y: (a - y) * z, "δ is a − y: z enters it only through a = σ(z)."),
        ("the sign of z", lambda z, a, y: (1.0 - a) - y, "a = 1/(1 + e⁻ᶻ), with a minus sign in the exponent."),
        ("y and 1 − y swapped", lambda z, a, y: a - (1.0 - y), "log a belongs to y = 1, and log(1 − a) to y = 0."),
        ("the loss itself", lambda z, a, y: _log_loss(a, y),
         "These are the three losses; the question asks for their derivatives.")),
    of=_each,
    hints=(r"$\delta_j = \frac{\partial L}{\partial a_j}\,\sigma'(z_j)$, and only the term of unit $j$ depends on "
           "$a_j$.",
           r"$\frac{\partial L}{\partial a} = -\frac{y}{a} + \frac{1 - y}{1 - a} = \frac{a - y}{a(1 - a)}$, and "
           r"$\sigma'(z) = a(1 - a)$. What remains of the product?",
           r"Compute $a_j = 1/(1 + e^{-z_j})$, then $a_j - y_j$."),
    derivation=lambda p: explained(
        "L = -y*log(a) - (1 - y)*log(1 - a); a = sigmoid(z)", "z", z=p["z"][0], y=p["y"][0]),
    notebook="03-from-scalars-to-matrices.ipynb",
)  # fmt: skip


# ---- the capstone: a network's whole backward pass -----------------------------------------------------------------

Gradients = tuple[Any, Any, Any, Any]  # of W1, b1, W2 and b2
Of1 = Callable[[Array], Array]
Of2 = Callable[[Array, Array], Array]
# the training that follows a correct answer
HIDDEN, EXAMPLES, STEPS, RATE, MOMENTUM, SECONDS = 8, 60, 200, 1.0, 0.9, 8.0


def _network(
    sign: float = 1.0, mean: Callable[[int], float] = lambda m: m, mean_of_b: bool = True, rows: bool = False,
    biases: tuple[bool, bool] = (True, True), hidden: Of1 = sigmoid, output: Of1 = sigmoid,
    output_slope: bool = False, slope: Of2 = lambda z, a: a * (1.0 - a), slope_of: int = 0,
    back: Of1 = lambda W: W.T, upstream: bool = True,
    through: bool = True, into_first: Of2 = lambda x, a: x,
    into_second: Callable[[Array, Array, Array], Array] = lambda x, z, a: a, only: int | None = None,
    b_of: Callable[[Array, Array], tuple[Array, Array]] = lambda d1, d2: (d1, d2),
) -> Callable[..., Gradients]:  # fmt: skip
    """Compute ∂L/∂W¹, ∂L/∂b¹, ∂L/∂W², ∂L/∂b² of a 2-layer network; each option makes a mistake."""

    def gradients(W1: Matrix, b1: Numbers, W2: Matrix, b2: Numbers, X: Matrix, Y: Matrix) -> Gradients:
        x, y, V1, V2, m = np.array(X), np.array(Y), np.array(W1), np.array(W2), len(X)
        z1 = x @ (V1 if rows else V1.T) + np.array(b1) * biases[0]
        a1 = hidden(z1)
        z2 = a1 @ (V2 if rows else V2.T) + np.array(b2) * biases[1]
        a2 = output(z2)
        d2 = sign * (a2 - y) * (a2 * (1.0 - a2) if output_slope else 1.0)
        arrived = (d2 if upstream else np.ones_like(d2)) @ back(V2).T
        d1 = (arrived if through else 1.0) * slope(*((z1, a1), (z2, a2))[slope_of])
        if only is not None:
            x, z1, a1, d1, d2 = (rows[[only]] for rows in (x, z1, a1, d1, d2))
        c1, c2 = b_of(d1, d2)
        dW1, dW2 = d1.T @ into_first(x, a1) / mean(m), d2.T @ into_second(x, z1, a1) / mean(m)
        db1, db2 = (c.sum(axis=0) / (mean(m) if mean_of_b else 1) for c in (c1, c2))
        return dW1.tolist(), db1.tolist(), dW2.tolist(), db2.tolist()

    return gradients


def _case(rng: Random, m: int, sizes: tuple[int, int, int]) -> tuple[Any, ...]:
    n, h, k = sizes
    y = [float(rng.random() < 0.5) for _ in range(m * k)]
    if len(set(y)) == 1:
        y[0] = 1.0 - y[0]
    return (
        [tenths(rng, n) for _ in range(h)], tenths(rng, h), [tenths(rng, h) for _ in range(k)], tenths(rng, k),
        [tenths(rng, n) for _ in range(m)], [y[i * k : i * k + k] for i in range(m)],
    )  # fmt: skip


def _explain_first(p: Problem) -> Any:
    W1, b1, W2, b2, [x], [y] = p["cases"][0]
    model = MLP(2, [2, 2], activation="sigmoid")
    model.load_state_dict({"net.layers.0.W": W1, "net.layers.0.b": b1, "net.layers.2.W": W2, "net.layers.2.b": b2})
    trace = model.trace(x)
    losses = [(1.0 + z.exp()).log() - t * z for z, t in zip(trace.z[2], y)]
    return explain(named(L=sum(losses[1:], losses[0])), wrt=trace.z[1][0], through=trace.z[2])


@dataclass(frozen=True)
class Trained:
    """A network that a correct answer has trained on the two moons."""

    losses: Numbers
    right: int
    weights: Mapping[str, Any]
    derivation: Any = field(default=None, repr=False)

    def __str__(self) -> str:
        every = max(1, len(self.losses) // 6)
        few = " ".join(f"{loss:.3f}" for loss in self.losses[::every])
        return f"{self.summary}\nthe loss every {every} steps: {few}\n{self.derivation}"

    @property
    def summary(self) -> str:
        """The training in one sentence."""
        return (
            f"Your function has trained a 2-{HIDDEN}-1 network on {EXAMPLES} points of the two moons: in "
            f"{len(self.losses)} steps the loss fell from {self.losses[0]:.3f} to {self.losses[-1]:.3f}, and "
            f"{self.right} of {EXAMPLES} points are on the right side."
        )

    def _repr_html_(self) -> str:
        try:
            picture = f'<img alt="loss curve and decision boundary" src="data:image/png;base64,{self._png()}">'
        except ImportError:  # matplotlib is not installed
            picture = ""
        return f"<p>{escape(self.summary)}</p>{picture}{self.derivation._repr_html_()}"

    def _png(self) -> str:
        from nn import plots

        figure = plots.new_figure(9.0, 3.4)
        curve, plane = figure.subplots(1, 2)
        curve.plot(self.losses, **plots.style(0, marker=""))
        plots.finish(curve, "step", "mean loss", title="Loss", ylim=(0.0, None))
        model = MLP(2, [HIDDEN, 1], activation="sigmoid")
        model.load_state_dict(self.weights)
        plots.boundary(model, MOONS, plane)
        file = BytesIO()
        figure.savefig(file, format="png")
        return b64encode(file.getvalue()).decode()


MOONS = moons(EXAMPLES, noise=0.1, rng=0)


def _trained(function: Callable[..., Any]) -> Trained:
    """Train with the student's gradients by SGD with momentum. Raises NoAnswer if they do not fit the weights."""
    rng = np.random.default_rng(0)
    weights = [2.0 * rng.normal(size=(HIDDEN, 2)), rng.normal(size=HIDDEN), rng.normal(size=(1, HIDDEN)), np.zeros(1)]
    velocities = [np.zeros(w.shape) for w in weights]
    X, Y = MOONS.X, [[float(y)] for y in MOONS.y]
    losses: Numbers = []
    end = monotonic() + SECONDS
    for step in range(STEPS):
        W1, b1, W2, b2 = weights
        a = sigmoid(sigmoid(np.array(X) @ W1.T + b1) @ W2.T + b2)
        losses.append(float(np.mean(_log_loss(np.clip(a, 1e-12, 1.0 - 1e-12), np.array(Y)))))
        returned = function(*(w.tolist() for w in weights), [row[:] for row in X], [row[:] for row in Y])
        gradients = [np.array(flat(gradient)) for gradient in returned]
        fault, sizes, needed = "", *([x.size for x in arrays] for arrays in (gradients, weights))
        if sizes != needed:
            fault = f"it returned {', '.join(map(str, sizes))} numbers instead of {', '.join(map(str, needed))}"
        elif step == 0:
            right = _network()(*(w.tolist() for w in weights), X, Y)
            pairs = zip(PARTS, gradients, right)
            wrong = [name for name, g, expected in pairs if np.abs(g - np.ravel(expected)).max() > LAST_DIGIT]
            fault = f"its {wrong[0]} is wrong" if wrong else ""
        if fault:
            what = f"is right for two units in each layer, but for a 2-{HIDDEN}-1 network {fault}"
            raise NoAnswer(f"{what}: take the sizes from W1 and W2")
        velocities = [MOMENTUM * v + g.reshape(v.shape) for v, g in zip(velocities, gradients)]
        weights = [w - RATE * v for w, v in zip(weights, velocities)]
        if monotonic() > end:
            break
    W1, b1, W2, b2 = weights
    z = sigmoid(np.array(X) @ W1.T + b1) @ W2.T + b2
    names = ("net.layers.0.W", "net.layers.0.b", "net.layers.2.W", "net.layers.2.b")
    state = {name: w.tolist() for name, w in zip(names, weights)}
    return Trained(losses, int(np.sum((z > 0.0) == (np.array(Y) > 0.5))), state)


PARTS = ("dW1", "db1", "dW2", "db2")


def _names(name: str, numbers: Any) -> Any:
    return [_names(f"{name}[{i}]", x) for i, x in enumerate(numbers)] if isinstance(numbers, list) else name


class Capstone(Exercise):
    """An exercise after which the student's function trains a network."""

    def check(self, problem: Problem, answer: Any) -> Feedback:
        """Return the feedback, which shows the training after a correct answer."""
        feedback = super().check(problem, answer)
        if not feedback:
            return feedback
        try:
            trained = guarded(4.0 * SECONDS, _trained, answer)
            return replace(feedback, show=lambda: replace(trained, derivation=feedback.shown))
        except NoAnswer as error:
            return Feedback(False, None, f"Your function {error}.")
        except NotImplementedError:
            return Feedback(False, None, "Not answered yet.")


CAPSTONE = Capstone(
    "capstone", "A network's whole backward pass",
    question=lambda p: (
        "Write `gradients(W1, b1, W2, b2, X, Y)` for a two-layer network from scratch: no `Value`, no engine. "
        "All six arguments are lists; matrices are lists of rows (use `np.array(W1)` if you like). Each row of `X` "
        "is an example, and each row of `Y` contains its targets. For one example $x$\n\n"
        r"$$z^1 = W^1 x + b^1, \quad a^1 = \sigma(z^1), \quad z^2 = W^2 a^1 + b^2, \quad a^2 = \sigma(z^2),$$"
        "\n\n"
        r"and its loss is the cross-entropy $-\sum_j [\,y_j \log a^2_j + (1 - y_j) \log(1 - a^2_j)\,]$. $L$ is the "
        "mean over the examples. Return `dW1, db1, dW2, db2`, each with the shape of its parameter. If they are "
        "right, the check trains a network on the two moons with your function."),
    make=lambda rng: {"cases": [_case(rng, m, (2, 2, 2)) for m in (1, 3)]},
    calculation=_network, mistakes=(
        ("W for Wᵀ", {"back": lambda W: W},
         "On the way back unit k collects the terms of column k of W²: multiply by W²ᵀ."),
        *(("W² left out", {"back": back}, "δ² comes back along the weights: multiply by W²ᵀ.")
          for back in (lambda W: np.eye(2), lambda W: np.ones((2, 2)))),
        *slopes("W²ᵀ δ² is ∂L/∂a¹. ", "z¹", "a¹"),
        ("the slope of the output layer", {"slope_of": 1}, "You used a²(1 − a²); δ¹ needs a¹(1 − a¹)."),
        ("σ′ once more in the output", {"output_slope": True},
         "With cross-entropy the slope of the output units cancels: δ² = a² − y."),
        ("sum for mean in the biases", {"mean_of_b": False},
         "You divide dW¹ and dW² by the number of examples, but not db¹ and db²."),
        ("forgot the upstream", {"upstream": False},
         "Your δ¹ includes the weights W² and the slope, but not δ²: multiply each weight by its δ²_j."),
        ("forgot W²ᵀ δ²", {"through": False}, "δ¹ is more than the slope a¹(1 − a¹): multiply by W²ᵀ δ²."),
        *((name, {"biases": biases}, "Your forward pass omits a bias: z = W a + b.") for name, biases in (
            ("forgot the biases", (False, False)), ("forgot b¹", (False, True)), ("forgot b²", (True, False)))),
        ("W transposed in the forward pass", {"rows": True}, "Row j of W belongs to unit j: z = W x, not Wᵀ x."),
        ("no σ in the hidden layer", {"hidden": lambda z: z, "slope": lambda z, a: sigmoid(z) * (1.0 - sigmoid(z))},
         "The hidden layer passes on a¹ = σ(z¹), not z¹."),
        ("no σ in the hidden layer", {"hidden": lambda z: z}, "The hidden layer passes on a¹ = σ(z¹), not z¹."),
        ("no σ in the output", {"output": lambda z: z}, "The output is a² = σ(z²): δ² = a² − y, not z² − y."),
        ("softmax for σ", {"output": lambda z: np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)},
         "The outputs are independent sigmoid units: no output depends on the z of another."),
        ("z¹ for a¹ in dW²", {"into_second": lambda x, z, a: z}, "dW² is δ² a¹ᵀ: layer 2 reads a¹, not z¹."),
        ("x for a¹ in dW²", {"into_second": lambda x, z, a: x}, "dW² is δ² a¹ᵀ: layer 2 reads a¹, not x."),
        ("a¹ for x in dW¹", {"into_first": lambda x, a: a}, "dW¹ is δ¹ xᵀ: layer 1 reads x, not a¹."),
        *((f"only the {word} example", {"only": i},
           f"Add up δ aᵀ of all examples and divide by their number; yours includes only the {word} one.")
          for i, word in ((0, "first"), (-1, "last"))),
        ("δ¹ and δ² swapped in the biases", {"b_of": lambda d1, d2: (d2, d1)},
         "db¹ is the mean of δ¹, and db² that of δ².")),
    hints=(r"Forward first, for one example: $z^1$, $a^1$, $z^2$, $a^2$. Keep them; then $\delta^2 = a^2 - y$.",
           r"$\delta^1 = (W^{2\mathsf T} \delta^2) \odot a^1 (1 - a^1)$, and $\partial L/\partial b^l$ is the mean "
           r"of $\delta^l$ over the examples.",
           r"$\partial L/\partial W^2$ is the mean of $\delta^2\,a^{1\mathsf T}$, and $\partial L/\partial W^1$ that "
           r"of $\delta^1\,x^{\mathsf T}$."),
    derivation=_explain_first,
    notebook="04-training.ipynb",
    examples=lambda p: [len(case[4]) for case in p["cases"]],
    **tried(
        lambda W1, b1, W2, b2, X, Y: f"for {len(X)} example{'s' * (len(X) > 1)}",
        lambda W1, b1, W2, b2, X, Y: [_names(name, w) for name, w in zip(PARTS, (W1, b1, W2, b2))]),
)  # fmt: skip


# ---- batch normalisation backward, line by line --------------------------------------------------------------------


class Passed:
    """The forward pass of batch normalisation over a mini-batch, with the right derivatives."""

    def __init__(self, p: Problem) -> None:
        self.x, self.dy, self.gamma, self.epsilon = np.array(p["x"]), np.array(p["dy"]), p["gamma"], p["epsilon"]
        self.m, self.mu, self.var = len(self.x), self.x.mean(), self.x.var()
        self.root = sqrt(self.var + self.epsilon)
        self.centred = self.x - self.mu
        self.hat = self.centred / self.root
        self.y = self.gamma * self.hat + p["beta"]
        self.dhat = self.gamma * self.dy
        self.dvar = float((self.dhat * self.centred).sum() * -0.5 * self.root**-3)
        self.dmu = float(-self.dhat.sum() / self.root)
        self.dx = self.dhat / self.root + self.dvar * 2.0 * self.centred / self.m + self.dmu / self.m


def _numbers(rule: Callable[[Passed], Any]) -> Callable[[Problem], Numbers]:
    return lambda p: [float(x) for x in np.ravel(rule(Passed(p)))]


def _paths(
    direct: Callable[[Passed], Any] = lambda b: b.dhat / b.root,
    var: Callable[[Passed], Any] = lambda b: b.dvar * 2.0 * b.centred / b.m,
    mu: Callable[[Passed], Any] = lambda b: b.dmu / b.m,
) -> Callable[[Problem], Numbers]:
    """Compute ∂L/∂x as the sum over three paths; each option makes a mistake."""
    return _numbers(lambda b: direct(b) + var(b) + mu(b))


def _line(name: str, symbol: str, right: Any, *rows: tuple[Any, ...], calculation: Any = None) -> Exercise:
    """Define one line: its right numbers, and mistakes in it that assume all earlier lines to be right."""
    return Exercise(
        name, symbol, lambda p: symbol, _batch, rows, ("", "", ""), lambda p: None,
        right=right and _numbers(right), calculation=calculation, of=_numbers)  # fmt: skip


def _summed(letter: str, users: str, terms: Callable[[Passed], Any], later: str = "") -> tuple[tuple[Any, ...], ...]:
    """Return the mistakes in a sum over the examples."""
    return (
        ("not summed", terms, f"{letter} is one number, used by every {users}: add the terms of all examples."),
        ("mean for sum", lambda b: terms(b).mean(),
         f"{letter} affects every {users}: add the terms, without 1/m{later}."),
    )  # fmt: skip


def _batch(rng: Random) -> Problem:
    """Draw numbers for which γ is not a factor of 2 or ½, and no sum is 0."""
    dy = [0.0]
    while abs(sum(dy)) < 2.0:
        dy = [float(k) for k in rng.sample([-4, -3, -2, -1, 1, 2, 3, 4, 5], 4)]
    return {
        "x": [float(k) for k in rng.sample(range(-5, 8), 4)], "dy": dy, "gamma": rng.choice([1.5, 2.5, 3.0]),
        "beta": rng.choice([-1.0, 0.25, 1.2]), "epsilon": rng.choice([0.5, 1.0, 2.0]),
    }  # fmt: skip


IN_DX = " (it comes later, in dx)"
LINES = (
    _line("dxhat", "∂L/∂x̂", lambda b: b.dhat,
        ("forgot γ", lambda b: b.dy, "y = γ x̂ + β, so ∂y/∂x̂ is γ: multiply dy by it."),
        ("divided by γ", lambda b: b.dy / b.gamma, "y = γ x̂ + β, so ∂y/∂x̂ is γ: multiply dy by it."),
        ("only γ", lambda b: np.full(b.m, b.gamma), "γ is only the local derivative: multiply it by dy."),
        ("x̂ for dy", lambda b: b.gamma * b.hat, "Multiply γ by dy, the gradient from above, not by x̂.")),
    _line("dvar", "∂L/∂σ²", lambda b: b.dvar,
        ("the power −½", lambda b: -0.5 * (b.dhat * b.centred).sum() / b.root,
         "Differentiating lowers the power by one: from −½ to −3/2."),
        ("the power −1", lambda b: -0.5 * (b.dhat * b.centred).sum() / b.root**2,
         "Differentiating lowers the power by one: from −½ to −3/2."),
        ("the power 3/2", lambda b: -0.5 * (b.dhat * b.centred).sum() * b.root**3, "The power is −3/2, not 3/2."),
        ("forgot ε", lambda b: -0.5 * (b.dhat * b.centred).sum() * b.var**-1.5,
         "x̂ has σ² + ε under the root, and so does its derivative."),
        ("1/(m − 1) for 1/m", lambda b: -0.5 * (b.dhat * b.centred).sum() * (b.x.var(ddof=1) + b.epsilon) ** -1.5,
         "σ² is a mean over m examples: divide by m, not by m − 1."),
        *_summed("σ²", "x̂", lambda b: -0.5 * b.dhat * b.centred * b.root**-3, IN_DX),
        ("dy for dx̂", lambda b: b.dvar / b.gamma, "Start from dx̂, the line above, which includes γ."),
        ("x for x − μ", lambda b: -0.5 * (b.dhat * b.x).sum() * b.root**-3, "The numerator of x̂ is x − μ, not x."),
        ("x̂ for x − μ", lambda b: -0.5 * (b.dhat * b.hat).sum() * b.root**-3,
         "x̂ is already divided by the root: use either (x − μ)(σ² + ε)^(−3/2) or x̂(σ² + ε)^(−1).")),
    _line("dmu", "∂L/∂μ", lambda b: b.dmu,
        *_summed("μ", "x̂", lambda b: -b.dhat / b.root, IN_DX),
        ("forgot the root", lambda b: -b.dhat.sum(), "∂x̂/∂μ = −1/√(σ² + ε): divide by the root."),
        ("the variance for its root", lambda b: -b.dhat.sum() / b.root**2,
         "∂x̂/∂μ = −1/√(σ² + ε): divide by the root."),
        ("forgot ε", lambda b: -b.dhat.sum() / sqrt(b.var), "∂x̂/∂μ = −1/√(σ² + ε): ε is added to σ²."),
        ("dy for dx̂", lambda b: b.dmu / b.gamma, "Start from dx̂, which includes γ."),
        ("forgot the upstream", lambda b: -b.m / b.root, "Multiply −1/√(σ² + ε) by the sum of dx̂."),
        ("x for x − μ", lambda b: b.dmu - 2.0 * b.dvar * b.x.sum() / b.m,
         "The path through σ² gives dσ² · (−2/m) Σ (x − μ), and this sum is 0."),
        ("∂σ²/∂μ for each example", lambda b: b.dmu - 2.0 * b.dvar * b.centred / b.m,
         "The path through σ² needs the sum of −2(x − μ)/m over all examples, and this sum is 0.")),
    _line("dx", "∂L/∂x", None,
        ("only the direct path", {"var": lambda b: 0.0, "mu": lambda b: 0.0},
         "x also affects μ and σ², and through them every y: add all three paths."),
        ("the path through σ² is missing", {"var": lambda b: 0.0}, "x affects σ² too: add dσ² · 2(x − μ)/m."),
        ("the path through μ is missing", {"mu": lambda b: 0.0}, "x affects μ too: add dμ/m."),
        ("the direct path is missing", {"direct": lambda b: 0.0}, "x affects its own x̂ directly: add dx̂/√(σ² + ε)."),
        ("forgot 1/m for σ²", {"var": lambda b: b.dvar * 2.0 * b.centred},
         "σ² is a mean of squares: ∂σ²/∂x = 2(x − μ)/m."),
        ("forgot 1/m for μ", {"mu": lambda b: b.dmu}, "μ is a mean: ∂μ/∂x = 1/m."),
        ("forgot the 2", {"var": lambda b: b.dvar * b.centred / b.m}, "The square gives a 2: ∂σ²/∂x = 2(x − μ)/m."),
        ("x for x − μ", {"var": lambda b: b.dvar * 2.0 * b.x / b.m}, "∂σ²/∂x = 2(x − μ)/m: the mean is subtracted."),
        ("x̂ for x − μ", {"var": lambda b: b.dvar * 2.0 * b.hat / b.m},
         "∂σ²/∂x = 2(x − μ)/m: x − μ is not divided by the root."),
        ("forgot the root", {"direct": lambda b: b.dhat}, "∂x̂/∂x along the direct path is 1/√(σ² + ε)."),
        ("dy for dx̂", {"direct": lambda b: b.dy / b.root}, "The direct path starts from dx̂, which includes γ."),
        ("the sign of dμ", {"mu": lambda b: -b.dmu / b.m}, "dμ already includes the minus sign: add dμ/m."),
        ("the sign of dσ²", {"var": lambda b: -b.dvar * 2.0 * b.centred / b.m},
         "dσ² already includes the minus sign: add dσ² · 2(x − μ)/m."), calculation=_paths),
    _line("dgamma", "∂L/∂γ", lambda b: (b.dy * b.hat).sum(),
        *_summed("γ", "y", lambda b: b.dy * b.hat),
        ("y for x̂", lambda b: (b.dy * b.y).sum(), "∂y/∂γ = x̂, the number that γ multiplies."),
        ("x for x̂", lambda b: (b.dy * b.x).sum(), "∂y/∂γ = x̂, the normalised x."),
        ("x − μ for x̂", lambda b: (b.dy * b.centred).sum(), "∂y/∂γ = x̂, which is also divided by the root."),
        ("dx̂ for dy", lambda b: (b.dhat * b.hat).sum(), "γ is applied after x̂: start from dy, not from dx̂."),
        ("forgot the local derivative", lambda b: b.dy.sum(), "∂y/∂γ = x̂: multiply each dy by its x̂."),
        ("one example only", lambda b: b.dy[-1] * b.hat[-1], "Add up the terms of all examples.")),
    _line("dbeta", "∂L/∂β", lambda b: b.dy.sum(),
        *_summed("β", "y", lambda b: b.dy),
        ("dx̂ for dy", lambda b: b.dhat.sum(), "β is added last: start from dy, without γ."),
        ("times x̂", lambda b: (b.dy * b.hat).sum(), "∂y/∂β = 1; x̂ belongs to γ."),
        ("forgot the upstream", lambda b: float(b.m), "∂y/∂β = 1 is only the local derivative: multiply it by dy.")),
)  # fmt: skip


@dataclass(frozen=True)
class ComparedLines:
    """A table that compares each line of an answer with the right one."""

    rows: Sequence[tuple[str, str, str]]  # the mark, the line, the comparison
    below: Any = None

    def __str__(self) -> str:
        lines = [f"{mark} {line:<6} {text}" for mark, line, text in self.rows]
        return "\n".join(lines + [str(self.below)] * bool(self.below))

    def _repr_html_(self) -> str:
        cells = "".join(
            "<tr>" + "".join(f'<td style="text-align:left">{escape(cell)}</td>' for cell in row) + "</tr>"
            for row in self.rows
        )
        return f"<table>{cells}</table>{self.below._repr_html_() if self.below else ''}"


def _explain_batch_norm(p: Problem) -> Any:
    layer = BatchNorm(1, p["epsilon"])
    layer.load_state_dict({"gamma": [p["gamma"]], "beta": [p["beta"]], "mu_": [0.0], "sigma2_": [1.0]})
    leaves = [Value(x_i, f"x_{i}") for i, x_i in enumerate(p["x"], 1)]
    y = [row[0] for row in layer.batch([[leaf] for leaf in leaves])]
    return explain(named(L=sum(d * y_i for d, y_i in zip(p["dy"], y))), wrt=leaves[0])


@dataclass(frozen=True)
class PartlyRight(Feedback):
    """Feedback on an answer that is only partly right."""

    share: float = 0.0

    __repr__ = Feedback.__str__


@dataclass(frozen=True, eq=False)
class LineByLine(Exercise):
    """An exercise whose answer has several lines, each based on earlier ones; the first wrong line is diagnosed."""

    lines: tuple[Exercise, ...] = ()

    def problem(self, student: str) -> Problem:
        """Return numbers for which the right answer and the mistakes of each line differ."""
        rng = Random(f"{self.name} of {student}")
        problems = (self.make(rng) for _ in range(1000))
        return next(problem for problem in problems if all(line.tells_apart(problem) for line in self.lines))

    def check(self, problem: Problem, answer: Any) -> Feedback:
        """Return the feedback on the first wrong line, above a table of all lines."""
        try:
            sizes = [len(line.right(problem)) for line in self.lines]
            given = guarded(self.seconds, _lines_of, answer, [line.name for line in self.lines], sizes)
        except (NoAnswer, NotImplementedError) as error:
            text = f"Your answer {error}." if isinstance(error, NoAnswer) else "Not answered yet."
            return Feedback(False, None, text)
        verdicts = [_judged(line, problem, x) for line, x in zip(self.lines, given)]
        rows = [_compared(line, problem, x, v) for line, x, v in zip(self.lines, given, verdicts)]
        share = sum(map(bool, verdicts)) / len(verdicts)
        wrong = next((i for i, verdict in enumerate(verdicts) if not verdict), None)
        if wrong is None:
            return Feedback(True, None, "Right.", lambda: ComparedLines(rows, self.derivation(problem)))
        if all(x is None or x is ... for x in given):
            return Feedback(False, None, "Not answered yet.")
        for a, b in combinations(range(len(given)), 2):
            swapped = [given[{a: b, b: a}.get(i, i)] for i in range(len(given))]
            if all(isinstance(x, list) and line.agrees(problem, x) for line, x in zip(self.lines, swapped)):
                text = f"{self.lines[a].name} and {self.lines[b].name} are swapped."
                mistake: Mistake | None = Mistake("swapped", text)
                return PartlyRight(False, mistake, f"Not yet. {text}", lambda: ComparedLines(rows), share)
        line, verdict = self.lines[wrong], verdicts[wrong]
        text = f"The first line to look at is {line.name}, {line.title}. {verdict.text}"
        return PartlyRight(False, verdict.mistake, text, lambda: ComparedLines(rows), share)


def _lines_of(answer: Any, names: Sequence[str], sizes: Sequence[int]) -> list[Any]:
    """Return the answer to each line: from a dict by name, otherwise in the order of the question."""
    if answer is None or answer is ...:
        raise NotImplementedError
    if isinstance(answer, Mapping):
        if unknown := [name for name in answer if name not in names]:
            raise NoAnswer(f"contains an unknown line {unknown[0]!r}: the lines are {', '.join(names)}")
        return [_kept(answer.get(name)) for name in names]
    needed = f"it must contain the lines {', '.join(names)}"
    if isinstance(answer, (str, bytes)):
        raise NoAnswer(f"contains the text {answer!r:.60}: {needed}")
    try:
        lines = list(answer)
    except TypeError:
        raise NoAnswer(f"contains a value of type {type(answer).__name__}: {needed}") from None
    if len(lines) != len(names) and len(numbers := flat(lines)) == sum(sizes):  # all numbers in one list
        lines = [numbers[end - size : end] for end, size in zip(accumulate(sizes), sizes)]
    if len(lines) != len(names):
        raise NoAnswer(f"gave {counted(len(lines), 'number')}: it must give {len(names)} lines, {', '.join(names)}")
    return [*map(_kept, lines)]


def _kept(x: Any) -> Any:
    """Return a line's numbers as a list, because a generator can be read only once; other objects as they are."""
    try:
        return x if x is None or x is ... else flat(x)
    except (NoAnswer, NotImplementedError):
        return x


def _judged(line: Exercise, problem: Problem, given: Any) -> Feedback:
    """Return the feedback on a line, which may be too long because a sum was forgotten."""
    expected = line.right(problem)
    for mistake in line.mistakes if isinstance(given, list) and len(given) != len(expected) else ():
        numbers = mistake.answer(problem)
        errors = [abs(x - y) for x, y in zip(given, numbers)]
        if len(numbers) == len(given) and max(errors) <= BY_HAND * max(map(abs, numbers)):
            return Feedback(False, mistake, f"Not yet. This looks like: {mistake.name}. {mistake.sentence}")
    return line.check(problem, given)


def _compared(line: Exercise, p: Problem, given: Any, verdict: Feedback) -> tuple[str, str, str]:
    expected = line.right(p)
    if given is None or given is ...:
        return "…", line.name, "not answered yet"
    if not isinstance(given, list) or len(given) != len(expected):
        count = f"{len(given)} numbers" if isinstance(given, list) else "no numbers"
        return "✗", line.name, f"{count} instead of {len(expected)}"
    most = max(abs(x - y) for x, y in zip(given, expected))
    if not verdict:
        return "✗", line.name, f"largest difference {most:.4g}"
    return "✓", line.name, f"approximate, largest difference {most:.1e}" if most else "exact"


BATCH_NORM_BACKWARD = LineByLine(
    "batch_norm_backward", "Batch normalisation backward, line by line",
    question=lambda p: (
        rf"The forward pass of batch normalisation for one unit, over the mini-batch $x = ({_listed(p['x'])})$ with "
        rf"$\gamma = {p['gamma']:g}$, $\beta = {p['beta']:g}$ and $\varepsilon = {p['epsilon']:g}$ (large enough to "
        "be visible), gave"
        "\n\n"
        rf"$$\mu = {Passed(p).mu:g}, \quad \sigma^2 = {Passed(p).var:g}, \quad \hat x = "
        rf"({_listed(Passed(p).hat, '.4f')}), \quad y = ({_listed(Passed(p).y, '.4f')}).$$"
        "\n\n"
        rf"The layers above pass back $\partial L/\partial y = ({_listed(p['dy'])})$, `dy`. Do the backward pass "
        r"line by line, as in the paper: `dxhat` ($\partial L/\partial \hat x$, four numbers), `dvar` "
        r"($\partial L/\partial \sigma^2$), `dmu` ($\partial L/\partial \mu$), `dx` ($\partial L/\partial x$, four "
        "numbers), `dgamma` and `dbeta`. Each line may use earlier lines. Compute them on paper or with NumPy, and "
        "leave None for those that you have not computed yet: the check compares line by line."),
    make=_batch,
    right=lambda p: [x for line in LINES for x in line.right(p)],
    mistakes=(),
    hints=(r"Forward, $\hat x_i = (x_i - \mu)(\sigma^2 + \varepsilon)^{-1/2}$ and $y_i = \gamma \hat x_i + \beta$. "
           r"$\mu$, $\sigma^2$, $\gamma$ and $\beta$ are used by all four examples: what does that mean on the way "
           "back?",
           r"$\partial L/\partial \sigma^2 = \sum_i \frac{\partial L}{\partial \hat x_i} (x_i - \mu) \cdot "
           r"(-\tfrac12)(\sigma^2 + \varepsilon)^{-3/2}$ and $\partial L/\partial \mu = -\sum_i \frac{\partial "
           r"L}{\partial \hat x_i} (\sigma^2 + \varepsilon)^{-1/2}$, because $\sum (x_i - \mu) = 0$.",
           r"$x_i$ has three paths to $L$: $\frac{\partial L}{\partial x_i} = \frac{\partial L}{\partial \hat x_i} "
           r"(\sigma^2 + \varepsilon)^{-1/2} + \frac{\partial L}{\partial \sigma^2} \frac{2(x_i - \mu)}{m} + "
           r"\frac{\partial L}{\partial \mu} \frac1m$."),
    derivation=_explain_batch_norm,
    notebook="08-batch-normalisation.ipynb",
    lines=LINES,
)  # fmt: skip


def _listed(numbers: Any, form: str = "g") -> str:
    return ", ".join(f"{x:{form}}" for x in numbers)


EXERCISES = (CROSS_ENTROPY, CAPSTONE, BATCH_NORM_BACKWARD)
