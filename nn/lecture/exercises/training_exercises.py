"""Exercises on training: two steps of SGD, dropout, batch normalisation and its evaluation, PCA's first axis."""

from collections.abc import Callable, Sequence
from math import atan2, copysign, cos, hypot, pi, sin, sqrt
from random import Random
from statistics import fmean, pvariance, variance
from typing import Any

from autograd import Value, explain, named
from nn.batch_norm import BatchNorm
from nn.lecture.exercises.exercise import BY_HAND, Exercise, Problem, explained, mistakes, tried

Numbers = list[float]


def _steps(
    share: float = 0.5, sign: float = -1.0, keep: bool = False, upstream: bool = True, fresh_w: bool = False,
    batches: Sequence[Sequence[int]] = ((0, 1), (0, 1)),
) -> Callable[[Problem], Numbers]:  # fmt: skip
    """w and b after two steps; each option makes a mistake."""

    def answer(p: Problem) -> Numbers:
        w, b, dw, db = p["w"], p["b"], 0.0, 0.0
        for batch in batches:
            x, y = [p["x"][i] for i in batch], [p["y"][i] for i in batch]
            if not keep:
                dw = db = 0.0
            errors = [w * x_i + b - y_i if upstream else 1.0 for x_i, y_i in zip(x, y)]
            dw += share * sum(e * x_i for e, x_i in zip(errors, x))
            w += sign * p["eta"] * dw
            if fresh_w:
                errors = [w * x_i + b - y_i for x_i, y_i in zip(x, y)]
            db += share * sum(errors)
            b += sign * p["eta"] * db
        return [w, b]

    return answer


SGD = Exercise(
    "sgd", "Two steps by hand",
    question=lambda p: (
        f"One unit, ŷ = wx + b, starts with w = {p['w']:g}, b = {p['b']:g}. The two examples are x = {p['x'][0]:g}, "
        f"y = {p['y'][0]:g}, and x = {p['x'][1]:g}, y = {p['y'][1]:g}. L is the mean over both of ½(ŷ − y)². Take "
        f"two steps on both examples with η = {p['eta']:g}. Answer `[w, b]`."),
    make=lambda rng: {
        "w": rng.randint(-3, 3) / 2.0, "b": rng.randint(-3, 3) / 2.0, "eta": rng.choice([0.1, 0.2]),
        "x": [float(k) for k in rng.sample([-2, -1, 1, 2, 3], 2)], "y": [float(rng.randint(-3, 3)) for _ in range(2)],
    },
    right=_steps(),
    mistakes=mistakes(
        ("sum for mean", _steps(share=1.0),
         "L is the mean of the two losses: average their derivatives instead of adding them."),
        ("uphill", _steps(sign=1.0), "The gradient points to where L grows; a step goes against it: w − η ∂L/∂w."),
        ("stale gradients", _steps(keep=True),
         "The second step still included the gradient of the first: set the gradient to 0 before each step."),
        ("forgot the upstream", _steps(upstream=False),
         "∂ŷ/∂w = x is only the local derivative: multiply by ∂L/∂ŷ = ŷ − y."),
        ("one step only", _steps(batches=[(0, 1)]),
         "That is the result of the first step; the second starts there and computes ŷ again."),
        ("one example for each step", _steps(share=1.0, batches=[(0,), (1,)]),
         "That is SGD with one example at a time; here each step uses the mean over both examples."),
        ("b after the new w", _steps(fresh_w=True),
         "Compute both derivatives at the same point, before either number changes.")),
    hints=("For one example ∂L/∂w = (ŷ − y) x and ∂L/∂b = ŷ − y. Average over the two.",
           "Compute both derivatives first, then change both w and b.",
           "For the second step compute ŷ again with the new w and b."),
    derivation=lambda p: explained(
        "L = 0.5*(0.5*(w*{x[0]} + b - {y[0]})**2 + 0.5*(w*{x[1]} + b - {y[1]})**2)".format(**p),
        "w", w=p["w"], b=p["b"]),
)  # fmt: skip


def _masks(rng: Random) -> Problem:
    cases = []
    for n, training in ((3, True), (4, True), (3, False)):
        keep = [True, False, *(rng.random() < 0.5 for _ in range(n - 2))]
        a = [k / 10.0 for k in rng.sample(range(1, 10), n)]
        cases.append((a, keep, rng.choice([0.2, 0.25, 0.4, 0.75]), training))
    return {"cases": cases}


def _kept(a: float, k: bool, p: float) -> float:
    return a / (1.0 - p) if k else 0.0


def _dropped(
    train: Callable[[float, bool, float], float], evaluate: Callable[[float, bool, float], float] = lambda a, k, p: a
) -> Callable[[Numbers, Sequence[bool], float, bool], Numbers]:
    return lambda a, keep, p, training: [(train if training else evaluate)(a_j, k_j, p) for a_j, k_j in zip(a, keep)]


DROPOUT = Exercise(
    "dropout", "Dropout",
    question=lambda p: (
        "Write `dropout(a, keep, p, training)`. The list a has the units' activations, and keep has True or False "
        "for each, where False has the probability p. In training, scale what is kept so that its mean over all "
        "masks is a; in evaluation, leave a unchanged. Return a list."),
    make=_masks,
    right=_dropped(_kept),
    mistakes=mistakes(
        ("unscaled", _dropped(lambda a, k, p: a if k else 0.0),
         "A share p of the units is missing, so the next layer receives less than in evaluation: divide by 1 − p."),
        ("1/p for 1/(1 − p)", _dropped(lambda a, k, p: a / p if k else 0.0),
         "p is the probability of dropping a unit; a unit is kept with the probability 1 − p."),
        ("multiplied for divided", _dropped(lambda a, k, p: a * (1.0 - p) if k else 0.0),
         "Fewer units are active, so each needs to be larger: divide by 1 − p."),
        ("scaled by what came", lambda a, keep, p, training: (
            [a_j * k_j * len(keep) / sum(keep) for a_j, k_j in zip(a, keep)] if training else a),
         "You divided by the share that this mask keeps; the mean share over all masks is 1 − p."),
        ("scaled at test time instead", _dropped(lambda a, k, p: a if k else 0.0, lambda a, k, p: a * (1.0 - p)),
         "The original paper on dropout scales at test time; here training divides by 1 − p, and evaluation leaves a "
         "unchanged."),
        ("training and evaluation exchanged", _dropped(lambda a, k, p: a, _kept),
         "Use the mask where `training` is True, and return a unchanged where it is False."),
        ("the wrong ones dropped", _dropped(lambda a, k, p: 0.0 if k else a / (1.0 - p)),
         "keep is True for the units that stay."),
        ("dropped at test time", _dropped(_kept, _kept), "In evaluation every unit is active: ignore the mask."),
        ("scaled a second time", _dropped(_kept, lambda a, k, p: a * (1.0 - p)),
         "The division in training already compensates for it: evaluation leaves a unchanged.")),
    hints=("The mean of a unit is (1 − p) · (its kept value) + p · 0. Which kept value makes the mean a?",
           "In training a unit is a/(1 − p) or 0, in evaluation it is a.",
           "Return a if not training, else [a_j / (1 - p) if k else 0.0 for …]."),
    derivation=lambda p: explained(
        "h = a_1*m_1", "a_1", a_1=p["cases"][0][0][0], m_1=1.0 / (1.0 - p["cases"][0][2])),
    **tried(
        lambda a, keep, p, training: f"in {'training' if training else 'evaluation'} with p = {p:g}",
        lambda a, *rest: [f"unit {j + 1}" for j in range(len(a))]),
)  # fmt: skip


def _normalised(
    spread: Callable[[Numbers], float] = pvariance, root: Callable[[float, float], float] = lambda v, e: sqrt(v + e),
    centred: bool = True, line: Callable[[float, float, float], float] = lambda hat, gamma, beta: gamma * hat + beta,
) -> Callable[..., Numbers]:  # fmt: skip
    """Batch normalisation by the statistics of x or of the data seen; each option makes a mistake."""

    def norm(x: Numbers, gamma: float, beta: float, epsilon: float, seen: Numbers | None = None) -> Numbers:
        mu, v = fmean(seen or x) if centred else 0.0, spread(seen or x)
        return [line((x_i - mu) / root(v, epsilon), gamma, beta) for x_i in x]

    return norm


# mistakes that are made in training and in evaluation
NORM_SLIPS = (
    ("1/(m − 1) for 1/m", _normalised(spread=variance),
     "That is the unbiased estimate; here the variance is 1/m times the sum of squares, in training and evaluation."),
    ("the variance for its root", _normalised(root=lambda v, e: v + e),
     "x̂ needs a standard deviation of 1: divide by √(σ² + ε)."),
    ("forgot γ and β", _normalised(line=lambda hat, gamma, beta: hat), "x̂ is not yet the output: y = γ x̂ + β."),
    ("forgot β", _normalised(line=lambda hat, gamma, beta: gamma * hat), "y = γ x̂ + β: the mean of y is β."),
    ("forgot γ", _normalised(line=lambda hat, gamma, beta: hat + beta), "y = γ x̂ + β: γ scales x̂."),
)  # fmt: skip


def _explain_norm(p: Problem) -> Any:
    x, gamma, beta, epsilon = p["cases"][1]
    layer = BatchNorm(1, epsilon)
    layer.load_state_dict({"gamma": [gamma], "beta": [beta], "mu_": [0.0], "sigma2_": [1.0]})
    leaves = [Value(x_i, f"x_{i}") for i, x_i in enumerate(x, 1)]
    y = [row[0] for row in layer.batch([[leaf] for leaf in leaves])]
    return explain(named(y_1=y[0]), wrt=leaves[0])


BATCH_NORM = Exercise(
    "batch_norm", "Batch normalisation",
    question=lambda p: (
        "Write `batch_norm(x, gamma, beta, epsilon)` for one unit over a mini-batch, as in the paper's Algorithm 1: "
        "mean, variance with 1/m, x̂ = (x − μ)/√(σ² + ε), y = γ x̂ + β. Return the list of y."),
    make=lambda rng: {"cases": [
        ([k / 2.0 for k in rng.sample(range(-9, 10), m)], rng.choice([0.5, 2.0, 3.0]), rng.choice([-1.0, 0.5, 2.0]),
         epsilon) for m, epsilon in ((2, 1e-5), (4, 0.5), (5, 0.1))]},
    right=_normalised(),
    mistakes=mistakes(
        *NORM_SLIPS,
        ("γ and β exchanged", _normalised(line=lambda hat, gamma, beta: beta * hat + gamma),
         "γ is the factor, β is added."),
        ("β before γ", _normalised(line=lambda hat, gamma, beta: gamma * (hat + beta)),
         "Scale first, then shift: γ x̂ + β, not γ (x̂ + β)."),
        ("forgot ε", _normalised(root=lambda v, e: sqrt(v)), "ε is added to the variance, inside the root."),
        ("sum for mean", _normalised(spread=lambda x: len(x) * pvariance(x)),
         "The variance is the *mean* of the squares, 1/m times their sum."),
        ("ε outside of the root", _normalised(root=lambda v, e: sqrt(v) + e),
         "√σ² + ε is not √(σ² + ε): ε is added to the variance."),
        ("not centred", _normalised(centred=False), "Subtract the mini-batch's mean before you divide.")),
    hints=("Compute μ, σ², x̂ and y, in this order.",
           "σ² = 1/m Σ (x_i − μ)², and ε is added to it, inside the root.",
           "[gamma * (x_i - mu) / (var + epsilon) ** 0.5 + beta for x_i in x]"),
    derivation=_explain_norm,
    **tried(
        lambda x, gamma, beta, epsilon: f"for {len(x)} examples with ε = {epsilon:g}",
        lambda x, *rest: [f"y_{i + 1}" for i in range(len(x))]),
)  # fmt: skip


def _evaluated(norm: Callable[..., Numbers]) -> Callable[[Problem], Numbers]:
    return lambda p: norm(p["x"], p["gamma"], p["beta"], 0.0, p["seen"])


EVALUATE = Exercise(
    "evaluate", "Batch normalisation at test time",
    question=lambda p: (
        f"A unit saw the values {', '.join(f'{x:g}' for x in p['seen'])} on the whole training data; γ = "
        f"{p['gamma']:g}, β = {p['beta']:g}, and ε is too small to matter. A batch of two test examples has the "
        f"values {p['x'][0]:g} and {p['x'][1]:g}. What does batch normalisation return for them in evaluation, with "
        "the training data's mean and its 1/m variance? Answer two numbers."),
    make=lambda rng: {
        "seen": [float(k) for k in rng.sample(range(-6, 7), 4)], "x": [float(k) for k in rng.sample(range(-6, 7), 2)],
        "gamma": rng.choice([0.5, 2.0, 3.0]), "beta": rng.choice([-1.0, 0.5, 2.0]),
    },
    right=_evaluated(_normalised()),
    mistakes=mistakes(
        *NORM_SLIPS,
        ("batch statistics at test time", lambda *numbers: _normalised()(*numbers[:4]),
         "You normalised the test examples by their own mean and variance: then the output for one depends on the "
         "other."),
        ("statistics of all six", lambda *numbers: _normalised()(*numbers[:4], numbers[4] + numbers[0]),
         "You included the test examples: use the statistics of the training data alone."),
        of=_evaluated),
    hints=("Whose mean and variance are used in evaluation?",
           "μ and σ² come from the four training values alone.",
           "Compute γ (x − μ)/σ + β for each x."),
    # a straight line in x with the slope γ/σ
    derivation=lambda p: explained(
        "y = γ*((x - μ)/σ) + β", "x", x=p["x"][0], γ=p["gamma"], β=p["beta"],
        μ=fmean(p["seen"]), σ=sqrt(pvariance(p["seen"]))),
)  # fmt: skip


def _covariance(X: list[Numbers], centred: bool = True) -> tuple[float, float, float]:
    A, B = ([x - fmean(column) if centred else x for x in column] for column in zip(*X))
    return fmean([a * a for a in A]), fmean([a * b for a, b in zip(A, B)]), fmean([b * b for b in B])


def _angle(X: list[Numbers], centred: bool = True) -> float:
    aa, ab, bb = _covariance(X, centred)
    return 0.5 * atan2(2.0 * ab, aa - bb)


def _unit(u: Sequence[float]) -> Numbers:
    """The vector of length 1 along u whose first number is not negative."""
    length = copysign(hypot(*u), u[0]) or 1.0
    return [u_k / length for u_k in u]


def _axis(p: Problem, centred: bool = True, turned: float = 0.0) -> Numbers:
    theta = _angle(p["X"], centred) + turned
    return _unit([cos(theta), sin(theta)])


def _along(u: Numbers, found: Sequence[float]) -> bool:
    """Whether a vector of any length and sign lies along u."""
    length = hypot(*found)
    return length > 0.0 and abs(found[0] * u[1] - found[1] * u[0]) <= 2.0 * BY_HAND * length


def _explain_axis(p: Problem) -> Any:
    """The variance along a direction, as a function of its angle: at the axis its derivative is 0."""
    aa, ab, bb = _covariance(p["X"])
    V = f"V = {aa}*u**2 + 2*{ab}*u*v + {bb}*v**2; u = cos(θ); v = sin(θ)"
    return explained(V, "θ", θ=_angle(p["X"]))


PCA = Exercise(
    "pca", "PCA's first axis",
    question=lambda p: (
        f"Four points: {', '.join(f'({x:g}, {y:g})' for x, y in p['X'])}. In which direction do they vary most? "
        "Answer PCA's first axis as a vector of length 1 whose first number is positive."),
    make=lambda rng: {"X": [[float(rng.randint(-2, 8)), float(rng.randint(-2, 8))] for _ in range(4)]},
    right=_axis,
    mistakes=mistakes(
        ("not centred", lambda p: _axis(p, centred=False),
         "Your direction points from the origin to the points, not along them: subtract the mean first."),
        ("the second axis", lambda p: _axis(p, turned=pi / 2.0),
         "This is the direction of least variance: take the eigenvector of the larger eigenvalue.",
         lambda p, found: _along(_axis(p, turned=pi / 2.0), found)),
        ("turned round", lambda p: [-u for u in _axis(p)],
         "This is the axis with the opposite sign: change both signs, so that the first number is positive."),
        ("not of length 1", lambda p: [u / _axis(p)[0] for u in _axis(p)],
         "The direction is right: divide by its length, and make the first number positive.",
         lambda p, found: abs(hypot(*found) - 1.0) > BY_HAND and _along(_axis(p), found)),
        ("the farthest point", lambda p: _unit(max(p["X"], key=lambda x: hypot(*x))),
         "This vector points to the point farthest away; the axis depends on the covariance of all points.")),
    hints=("Subtract the mean, then compute the covariance matrix, 1/m Σ x xᵀ.",
           "Its eigenvalues are the variances along its eigenvectors; numpy.linalg.eigh gives both.",
           "Take the eigenvector of the largest eigenvalue, and change its sign if its first number is negative."),
    derivation=_explain_axis,
)  # fmt: skip

EXERCISES = (SGD, DROPOUT, BATCH_NORM, EVALUATE, PCA)
