"""Defines the exercises on training: steps of SGD, momentum and Adam, dropout, PCA, batch normalisation."""

from collections.abc import Callable, Sequence
from math import copysign, hypot, sqrt
from random import Random
from statistics import fmean, pvariance, variance
from typing import Any

from autograd import Value, explain, named
from nn.batch_norm import BatchNorm
from nn.lecture.exercises.exercise import BY_HAND, LAST_DIGIT, Exercise, Problem, explained, latex_matrix, tried
from nn.lecture.exercises.lazy_numpy import Array, np

Numbers = list[float]
TRAINING, DROPPING, PREPROCESSING, NORMALISING = (
    "04-training.ipynb", "06-dropout.ipynb", "07-preprocessing.ipynb", "08-batch-normalisation.ipynb",
)  # fmt: skip


def _steps(
    share: float = 1.0 / 3.0, rate: float = -1.0, keep: bool = False, again: bool = True, fresh_w: bool = False,
    error: Callable[[float], float] = lambda e: e, by_x: bool = True, moved: Sequence[float] = (1.0, 1.0),
    of_means: bool = False, b_share: float | None = None, batches: Sequence[Sequence[int]] = ((0, 1, 2), (0, 1, 2)),
    b_by_x: bool = False, changes: bool = False,
) -> Callable[[Problem], Numbers]:  # fmt: skip
    """Compute w and b after two steps; each option makes a mistake."""

    def answer(p: Problem) -> Numbers:
        w, b, dw, db = p["w"], p["b"], 0.0, 0.0
        eta = p["eta"] if abs(rate) == 1.0 else 1.0
        for batch in batches:
            x, y = [p["x"][i] for i in batch], [p["y"][i] for i in batch]
            if of_means:
                x, y = [fmean(x)] * len(x), [fmean(y)] * len(y)
            at = (w, b) if again else (p["w"], p["b"])
            if not keep:
                dw = db = 0.0
            errors = [error(at[0] * x_i + at[1] - y_i) for x_i, y_i in zip(x, y)]
            dw += share * sum(e * (x_i if by_x else 1.0) for e, x_i in zip(errors, x))
            w += copysign(eta, rate) * moved[0] * dw
            if fresh_w:
                errors = [error(w * x_i + b - y_i) for x_i, y_i in zip(x, y)]
            shares = [e * x_i for e, x_i in zip(errors, x)] if b_by_x else errors
            db += (share if b_share is None else b_share) * sum(shares)
            b += copysign(eta, rate) * moved[1] * db
        return [w - p["w"], b - p["b"]] if changes else [w, b]

    return answer


def _thirds(p: Problem) -> str:
    """Write the loss of the three examples as a definition."""
    terms = " + ".join(f"0.5*(w*{x} + b - {y})**2" for x, y in zip(p["x"], p["y"]))
    return f"L = ({terms})/3"


SGD = Exercise(
    "sgd", "Two steps by hand",
    question=lambda p: (
        rf"One unit, $\hat y = wx + b$, starts with $w = {p['w']:g}$ and $b = {p['b']:g}$. There are three examples, "
        f"$(x, y) = {', '.join(f'({x:g}, {y:g})' for x, y in zip(p['x'], p['y']))}$, and $L$ is the mean over the "
        r"three of $\tfrac12(\hat y - y)^2$. Take two steps of gradient descent, each on all three examples, with "
        rf"$\eta = {p['eta']:g}$. Answer with `[w, b]` after the second step."),
    make=lambda rng: {
        "w": rng.choice([-3, -2, -1, 1, 2, 3]) / 2.0, "b": rng.choice([-3, -2, -1, 1, 2, 3]) / 2.0,
        "eta": rng.choice([0.1, 0.2]), "x": [float(k) for k in rng.sample([-2, -1, 1, 2, 3], 3)],
        "y": [float(k) for k in rng.sample([-3, -2, -1, 0, 1, 2, 3], 3)],
    },
    calculation=_steps, mistakes=(
        ("sum for mean", {"share": 1.0},
         "L is the mean of the three losses: divide the sum of their derivatives by 3."),
        ("1/(m − 1) for 1/m", {"share": 0.5}, "You divided by m − 1 = 2; the mean over three examples divides by 3."),
        ("sum for mean in w", {"share": 1.0, "b_share": 1.0 / 3.0},
         "You took the mean for b: divide the sum for w by 3 too."),
        ("sum for mean in b", {"b_share": 1.0}, "You took the mean for w: divide the sum for b by 3 too."),
        ("uphill", {"rate": 1.0}, "L grows along the gradient; a step moves against it: w − η ∂L/∂w."),
        ("twice too large", {"error": lambda e: 2.0 * e},
         "The 2 of the square and the ½ before it cancel: the derivative of ½(ŷ − y)² is ŷ − y."),
        ("the ½ left over", {"error": lambda e: 0.5 * e},
         "The square gives a factor 2, which cancels the ½: the derivative of ½(ŷ − y)² is ŷ − y."),
        ("the mean of the squares for the derivative", {"error": lambda e: e * e},
         "You kept the square: the derivative of ½(ŷ − y)² is ŷ − y."),
        ("stale gradients", {"keep": True},
         "Your second step still includes the gradient of the first: start from 0 before each step."),
        ("forgot the upstream", {"error": lambda e: 1.0},
         "∂ŷ/∂w = x is only the local derivative: multiply by ∂L/∂ŷ = ŷ − y."),
        ("forgot the local derivative", {"by_x": False},
         "You moved w by the mean of ŷ − y: for w, multiply each ŷ − y by its x first."),
        ("one step only", {"batches": [(0, 1, 2)]},
         "That is the result of the first step; the second starts from it and computes ŷ again."),
        ("three steps", {"batches": [(0, 1, 2)] * 3}, "That is the result of three steps: stop after the second."),
        ("the first gradient twice", {"again": False},
         "The second step begins at the new w and b: compute ŷ and the gradient again."),
        *(("one example for each step", {"share": 1.0, "batches": [(i % 3,) for i in range(steps)]},
           "That is SGD with one example at a time; here each step uses the mean over all three.")
          for steps in (2, 3, 6)),
        ("the derivative of w for b too", {"b_by_x": True}, "∂ŷ/∂b = 1: for b, the ŷ − y are not multiplied by x."),
        ("the changes of w and b", {"changes": True}, "These are the changes; the question asks for w and b."),
        *(("only one example", {"share": 1.0, "batches": [(i,), (i,)]},
           f"Both steps used only example {i + 1}: take the mean over all three.") for i in range(3)),
        ("the last example is missing", {"batches": [(0, 1), (0, 1)]},
         "Your steps leave out the third example: the sum has three terms."),
        ("the product of the means", {"of_means": True},
         "Multiply ŷ − y by x for each example, and take the mean afterwards, not the product of two means."),
        ("b after the new w", {"fresh_w": True},
         "Compute both derivatives at the same point, before either number changes."),
        ("b unchanged", {"moved": (1.0, 0.0)}, "b is a parameter too: it moves by −η times the mean of ŷ − y."),
        ("w unchanged", {"moved": (0.0, 1.0)}, "w is a parameter too: it moves by −η times the mean of (ŷ − y) x."),
        ("no learning rate", {"rate": -2.0}, "Multiply the gradient by η before you subtract it.")),
    hints=(r"For one example $\partial L/\partial w = (\hat y - y)\,x$ and $\partial L/\partial b = \hat y - y$. "
           "Average over the three.",
           "Compute both derivatives first, then update both $w$ and $b$.",
           r"For the second step, compute the three $\hat y$ again with the new $w$ and $b$."),
    derivation=lambda p: explained(_thirds(p), "w", w=p["w"], b=p["b"]),
    notebook=TRAINING,
)  # fmt: skip


def _with_momentum(
    beta: Callable[[float], float] = lambda b: b, share: Callable[[float], float] = lambda b: 1.0,
    sign: float = -1.0, rate: Callable[[float], float] = lambda eta: eta, again: bool = True, ahead: bool = False,
    changes: bool = False, gradient: Callable[[Problem, float], float] = lambda p, w: p["c"] * (w - p["t"]),
    swapped: bool = False, from_start: bool = False, steps: Sequence[int] = (0, 1), velocities: bool = False,
    at: Callable[[float, float], float] = lambda w, move: w,
) -> Callable[[Problem], Numbers]:  # fmt: skip
    """Compute w after one step and after two; each option makes a mistake."""

    def answer(p: Problem) -> Numbers:
        w, v, path, speeds = p["w"], 0.0, [], []
        eta, b = (p["beta"], p["eta"]) if swapped else (p["eta"], p["beta"])
        for _ in range(max(steps) + 1):
            g = gradient(p, at(w if again else p["w"], rate(eta) * b * v))
            v = beta(b) * v + share(b) * g
            w = (p["w"] if from_start else w) + sign * rate(eta) * (g + b * v if ahead else v)
            path.append(w)
            speeds.append(v)
        path = [path[0] - p["w"], path[1] - path[0]] if changes else speeds if velocities else path
        return [path[i] for i in steps]

    return answer


MOMENTUM = Exercise(
    "momentum", "Two steps with momentum",
    question=lambda p: (
        r"SGD with momentum keeps a velocity $v$, which starts at 0. With the gradient $g = \partial L/\partial w$ "
        "at the current $w$, each step is\n\n"
        r"$$v \leftarrow \beta v + g, \qquad w \leftarrow w - \eta v.$$"
        "\n\n"
        rf"Take two steps on $L(w) = \tfrac12 \cdot {p['c']:g}\,(w - {p['t']:g})^2$ from $w = {p['w']:g}$, with "
        rf"$\eta = {p['eta']:g}$ and $\beta = {p['beta']:g}$. Answer with $w$ after each step, `[w after 1, w after "
        "2]`."),
    make=lambda rng: {
        "w": float(rng.choice([-3, -2, -1, 5, 6, 7])), "t": float(rng.randint(1, 4)),
        "c": rng.choice([3.0, 4.0, 5.0]),
        "eta": rng.choice([0.05, 0.1, 0.2]), "beta": rng.choice([0.6, 0.7, 0.8, 0.9])},
    calculation=_with_momentum, mistakes=(
        ("no momentum", {"beta": lambda b: 0.0},
         "That is plain gradient descent: the second step also moves along β times the first velocity."),
        ("1 − β before the gradient", {"share": lambda b: 1.0 - b},
         "You took a running mean, βv + (1 − β)g, as Adam does; here g enters v in full."),
        ("1 − β for β", {"beta": lambda b: 1.0 - b}, "v keeps the fraction β of its old value, not 1 − β."),
        ("forgot β", {"beta": lambda b: 1.0}, "The old velocity decays: multiply it by β before g is added."),
        ("β on the gradient", {"beta": lambda b: 1.0, "share": lambda b: b},
         "β multiplies the old velocity, not the new gradient."),
        ("β on both", {"share": lambda b: b}, "β multiplies only the old velocity; g enters v in full."),
        ("the velocity subtracted", {"beta": lambda b: -b},
         "The velocity continues in its old direction: v is βv *plus* g."),
        ("uphill", {"sign": 1.0}, "L grows along v: subtract ηv."),
        ("the first gradient twice", {"again": False},
         "The second step needs the gradient at the new w: compute c(w − t) again."),
        ("no learning rate", {"rate": lambda eta: 1.0}, "Multiply v by η before you subtract it."),
        ("η twice", {"rate": lambda eta: eta * eta}, "Multiply by η once, in w − ηv."),
        *(("Nesterov's step", rule,
           "That is Nesterov's variant, which looks ahead along βv; here w moves by −ηv.")
          for rule in ({"ahead": True}, {"at": lambda w, move: w - move})),
        ("β and η swapped", {"swapped": True}, "β multiplies the old velocity, and η the step of w."),
        ("the second step from the start", {"from_start": True}, "The second step begins where the first one ended."),
        ("w after steps 2 and 3", {"steps": (1, 2)}, "These are w after steps 2 and 3: answer after steps 1 and 2."),
        ("the velocities", {"velocities": True}, "These are the two v; the question asks for w after each step."),
        ("the changes of w", {"changes": True}, "These are the changes of w; the question asks for w after each."),
        ("twice too large", {"gradient": lambda p, w: 2.0 * p["c"] * (w - p["t"])},
         "The 2 of the square cancels the ½: g = c(w − t)."),
        ("the ½ left over", {"gradient": lambda p, w: 0.5 * p["c"] * (w - p["t"])},
         "The square gives a factor 2, which cancels the ½: g = c(w − t)."),
        ("the loss for its gradient", {"gradient": lambda p, w: 0.5 * p["c"] * (w - p["t"]) ** 2},
         "You used L itself; a step uses its derivative, c(w − t)."),
        ("forgot the inner factor", {"gradient": lambda p, w: w - p["t"]},
         "The factor in front of the square stays in the derivative: g = c(w − t)."),
        ("forgot where the minimum is", {"gradient": lambda p, w: p["c"] * w},
         "The derivative of (w − t)² is 2(w − t): at w = t the gradient is 0.")),
    hints=(r"The gradient is $c\,(w - t)$, with $c$ and $t$ taken from the question.",
           r"In the first step $v = g$ because $v$ was 0. Then compute $g$ again, at the new $w$.",
           r"In the second step $v = \beta \cdot (\text{first } v) + (\text{new } g)$, and $w$ moves by $-\eta v$."),
    derivation=lambda p: explained("L = 0.5*{c}*(w - {t})**2".format(**p), "w", w=p["w"]),
    notebook=TRAINING,
)  # fmt: skip


def _adam(
    betas: Callable[[float, float], tuple[float, float]] = lambda b1, b2: (b1, b2),
    corrected: tuple[bool, bool] = (True, True),
    counted: Callable[[int], int] = lambda t: t, shares: bool = True, root: bool = True, sign: float = -1.0,
    first: bool = True, second: bool = True, kept: bool = True, rate: Callable[[float], float] = lambda eta: eta,
    from_start: bool = False, corrected_stay: bool = False, multiplied: bool = False, first_gradient: bool = False,
    square: Callable[[float, float], float] = lambda g, m: g * g,
) -> Callable[[Problem], Numbers]:  # fmt: skip
    """Compute w after one step and after two; each option makes a mistake."""

    def answer(p: Problem) -> Numbers:
        (beta1, beta2), w, m, v, path = betas(p["beta1"], p["beta2"]), 0.0, 0.0, 0.0, []
        for t, g in enumerate(p["g"], 1):
            g = p["g"][0] if first_gradient else g
            m = beta1 * m * kept + (1.0 - beta1 if shares else 1.0) * g
            v = beta2 * v * kept + (1.0 - beta2 if shares else 1.0) * square(g, m)
            scales = [
                1.0 - beta ** counted(t) if on else 1.0 for beta, on in zip(betas(p["beta1"], p["beta2"]), corrected)
            ]
            m_hat, v_hat = (m * scales[0], v * scales[1]) if multiplied else (m / scales[0], v / scales[1])
            if corrected_stay:
                m, v = m_hat, v_hat
            direction = (m_hat if first else g) / ((sqrt(v_hat) if root else v_hat) if second else 1.0)
            w = (0.0 if from_start else w) + sign * rate(p["eta"]) * direction
            path.append(w)
        return path

    return answer


ADAM = Exercise(
    "adam", "Adam's first two steps",
    question=lambda p: (
        "Adam keeps a running mean $m$ of the gradient and another, $v$, of its square. Both start at 0. Step $t = "
        r"1, 2, \dots$ with the gradient $g$ "
        "is\n\n"
        r"$$m \leftarrow \beta_1 m + (1 - \beta_1)\,g, \qquad v \leftarrow \beta_2 v + (1 - \beta_2)\,g^2,$$"
        "\n\n"
        r"$$\hat m = \frac{m}{1 - \beta_1^t}, \qquad \hat v = \frac{v}{1 - \beta_2^t}, \qquad w \leftarrow w - "
        r"\eta\,\frac{\hat m}{\sqrt{\hat v}}$$"
        "\n\n"
        rf"(Adam's $\varepsilon$ is negligible here). Take $\beta_1 = {p['beta1']:g}$, $\beta_2 = {p['beta2']:g}$ "
        rf"and $\eta = {p['eta']:g}$. A weight starts at $w = 0$; its gradient is ${p['g'][0]:g}$ in the first step "
        f"and ${p['g'][1]:g}$ in the second. Answer with `[w after 1, w after 2]`."),
    make=lambda rng: {
        "beta1": rng.choice([0.5, 0.7, 0.8, 0.9]), "beta2": rng.choice([0.6, 0.75, 0.85, 0.95]),
        "eta": rng.choice([0.1, 0.2, 0.5]),
        "g": [float(k) for k in rng.choice([
            (a, b) for a in range(1, 6) for b in range(-5, 6) if abs(b) > 1 and a != abs(b)])]},
    calculation=_adam, mistakes=(
        ("no bias correction", {"corrected": (False, False)},
         "m and v start at 0, so at first they are too small: divide by 1 − β₁ᵗ and 1 − β₂ᵗ."),
        ("m not corrected", {"corrected": (False, True)}, "v̂ is right; divide m by 1 − β₁ᵗ too."),
        ("v not corrected", {"corrected": (True, False)}, "m̂ is right; divide v by 1 − β₂ᵗ too."),
        ("t too large by 1", {"counted": lambda t: t + 1}, "t is 1 in the first step and 2 in the second."),
        ("g not squared", {"square": lambda g, m: abs(g)}, "v is the running mean of g², not of g."),
        ("m² for g²", {"square": lambda g, m: m * m},
         "v is the running mean of g², the square of the gradient itself."),
        ("t = 1 in both steps", {"counted": lambda t: 1},
         "The correction depends on t: in the second step divide by 1 − β₁² and 1 − β₂²."),
        ("multiplied for divided", {"multiplied": True}, "m̂ and v̂ are m and v *divided* by 1 − βᵗ."),
        ("the corrected ones kept", {"corrected_stay": True},
         "m̂ and v̂ are for this step only: the next step continues from the uncorrected m and v."),
        ("uphill", {"sign": 1.0}, "A step moves against the gradient: subtract η m̂/√v̂."),
        ("no root", {"root": False}, "v̂ is a mean of squares: divide by its square root."),
        ("β₁ and β₂ swapped", {"betas": lambda b1, b2: (b2, b1)},
         "β₁ belongs to m, the mean of the gradient, and β₂ to v, the mean of its square."),
        ("β for 1 − β", {"betas": lambda b1, b2: (1.0 - b1, 1.0 - b2)},
         "The old m has the weight β₁, and the new g has the weight 1 − β₁; the same holds for v."),
        ("no 1 − β before the gradient", {"shares": False},
         "m and v are means, so the new term has the weight 1 − β: yours are sums."),
        ("nothing but v", {"first": False}, "You divided g itself; Adam moves along the mean m̂."),
        ("nothing but m", {"second": False}, "Your step is η m̂: divide it by √v̂."),
        ("plain gradient descent", {"first": False, "second": False},
         "That is w − ηg; Adam divides the mean of the gradient by the root of the mean square."),
        ("forgot the first step's m and v", {"kept": False},
         "In the second step m and v are still those of the first: β₁m and β₂v are not 0."),
        ("the first gradient twice", {"first_gradient": True}, "The second step has its own gradient."),
        ("only the second step", {"from_start": True},
         "Your second number is only the change in the second step: add it to w after the first."),
        ("no learning rate", {"rate": lambda eta: 1.0}, "Multiply m̂/√v̂ by η before you subtract it.")),
    hints=(r"First step: $m = (1 - \beta_1)\,g$, so what is $\hat m$? And $\hat v$?",
           r"Whatever $g$ is, the first step has the length $\eta$ because $\hat m = g$ and $\hat v = g^2$.",
           r"Second step: continue from the uncorrected $m$ and $v$; divide by $1 - \beta_1^2$ and $1 - "
           r"\beta_2^2$."),
    derivation=lambda p: explained(
        "w = -η*m/sqrt(v); m = (β*(1 - β)*g + (1 - β)*h)/(1 - β**2)", "h",
        η=p["eta"], β=p["beta1"], g=p["g"][0], h=p["g"][1],
        v=(p["beta2"] * p["g"][0] ** 2 + p["g"][1] ** 2) / (1.0 + p["beta2"])),
    notebook=TRAINING,
)  # fmt: skip


def _masks(rng: Random) -> Problem:
    cases = []
    for n, training in ((3, True), (4, True), (3, False)):
        keep = [True, False, *(rng.random() < 0.5 for _ in range(n - 2))]
        a = [k / 10.0 for k in rng.sample(range(1, 10), n)]
        cases.append((a, keep, rng.choice([0.2, 0.25, 0.4, 0.75]), training))
    return {"cases": cases}


def _dropped(
    scale: Callable[[float], float] = lambda p: 1.0 / (1.0 - p), mask: Callable[[bool], bool] = lambda k: k,
    later: Callable[[float], float] = lambda p: 1.0, masks_later: bool = False, swapped: bool = False,
    share: Callable[[Sequence[bool]], float] = lambda keep: 1.0,
) -> Callable[[Numbers, Sequence[bool], float, bool], Numbers]:  # fmt: skip
    """Return dropout that scales in training or later; each option makes a mistake."""

    def dropout(a: Numbers, keep: Sequence[bool], p: float, training: bool) -> Numbers:
        training = training is not swapped
        factor = scale(p) * share(keep) if training or masks_later else later(p)
        return [a_j * factor * (mask(k) if training or masks_later else 1.0) for a_j, k in zip(a, keep)]

    return dropout


def _has_own_mask(p: Problem, found: Sequence[float]) -> bool:
    """Return whether the only fault is that units are kept or dropped contrary to the mask."""
    units = [(x, k, q, on) for x, keep, q, on in p["cases"] for x, k in zip(x, keep)]
    pairs = [(y, x / (1.0 - q) if on else x, on) for y, (x, k, q, on) in zip(found, units)]
    return all(abs(y - x) <= LAST_DIGIT or (on and y == 0.0) for y, x, on in pairs)


DROPOUT = Exercise(
    "dropout", "Dropout",
    question=lambda p: (
        "Write `dropout(a, keep, p, training)`. The list `a` contains the units' activations, and `keep` contains "
        "True or False for each; False has the probability `p`. In training, scale the units that are kept so that "
        "the mean over all masks is `a`; in evaluation mode, leave `a` unchanged. Return a list."),
    make=_masks,
    calculation=_dropped, mistakes=(
        ("unscaled", {"scale": lambda p: 1.0},
         "A fraction p of the units is 0, so the next layer receives less than in evaluation mode: divide by 1 − p."),
        ("1/p for 1/(1 − p)", {"scale": lambda p: 1.0 / p},
         "p is the probability of dropping a unit; a unit is kept with the probability 1 − p."),
        *((f"multiplied by {words}", {"scale": scale},
           "Fewer units are active, so each must be larger: divide by 1 − p.")
          for words, scale in (("1 − p", lambda p: 1.0 - p), ("p", lambda p: p), ("1 + p", lambda p: 1.0 + p))),
        ("scaled by this mask", {"scale": lambda p: 1.0, "share": lambda keep: len(keep) / sum(keep)},
         "You divided by the fraction that this mask keeps; its mean over all masks is 1 − p."),
        ("no mask", {"mask": lambda k: True},
         "You scaled every unit and dropped none: if keep is False, the unit is 0."),
        ("scaled at test time instead", {"scale": lambda p: 1.0, "later": lambda p: 1.0 - p},
         "The original paper scales at test time; here training divides by 1 − p, and evaluation changes nothing."),
        ("training and evaluation swapped", {"swapped": True},
         "Use the mask if `training` is True, and return a unchanged if it is False."),
        ("the wrong units dropped", {"mask": lambda k: not k}, "keep is True for the units that stay."),
        ("dropped at test time", {"masks_later": True}, "In evaluation mode every unit is active: ignore the mask."),
        ("scaled a second time", {"later": lambda p: 1.0 - p},
         "The division in training already compensates for dropout: evaluation returns a unchanged."),
        ("scaled up at test time", {"later": lambda p: 1.0 / (1.0 - p)},
         "Nothing is missing in evaluation mode, so nothing needs to be larger: return a unchanged."),
        ("another mask", None, "Use the mask in `keep` instead of drawing your own, so that everyone drops the same "
                               "units.", _has_own_mask)),
    hints=(r"The mean of a unit is $(1 - p) \cdot (\text{its kept value}) + p \cdot 0$. Which kept value makes it "
           "$a$?",
           r"In training a unit is $a/(1 - p)$ or 0; in evaluation mode it is $a$.",
           "Return `a` if not `training`, else `[a_j / (1 - p) if k else 0.0 for …]`."),
    derivation=lambda p: explained(
        "h = a_1*m_1", "a_1", a_1=p["cases"][0][0][0], m_1=1.0 / (1.0 - p["cases"][0][2])),
    notebook=DROPPING,
    **tried(
        lambda a, keep, p, training: f"in {'training' if training else 'evaluation'} mode with p = {p:g}",
        lambda a, *rest: [f"unit {j + 1}" for j in range(len(a))]),
)  # fmt: skip


def _axes(X: Any, centred: bool = True, standardised: bool = False) -> Array:
    """Return the eigenvectors of the covariance matrix as rows, by descending eigenvalue."""
    points = np.array(X, dtype=float)
    if centred:
        points -= points.mean(axis=0)
    if standardised:
        points /= points.std(axis=0)
    return np.array(np.linalg.eigh(points.T @ points)[1].T[::-1])


def _unit(u: Any) -> Numbers:
    """Return the vector of length 1 along u whose first number is not negative."""
    length = copysign(hypot(*u), u[0]) or 1.0
    return [float(u_k) / length for u_k in u]


def _axis(p: Problem, k: int = 0, **options: bool) -> Numbers:
    return _unit(_axes(p["X"], **options)[k])


def _principal(k: int = 0, **options: bool) -> Callable[[Problem], Numbers]:
    """Compute the first axis; each option makes a mistake."""
    return lambda p: _axis(p, k, **options)


def _farthest(p: Problem) -> Numbers:
    """Return the direction between the two points that are farthest apart."""
    return _unit(max((np.subtract(x, y) for x in p["X"] for y in p["X"]), key=lambda d: hypot(*d)))


def _slip(name: str, sentence: str, **switches: Any) -> tuple[Any, ...]:
    """Return a mistake's row for a wrong axis of any length and sign."""
    return name, switches, sentence, lambda p, found: _along(_principal(**switches)(p), found)


def _along(u: Sequence[float], found: Sequence[float]) -> bool:
    """Return whether a vector of any length and sign lies along u."""
    length = hypot(*found)
    return length > 0.0 and hypot(*np.cross(u, found)) <= 2.0 * BY_HAND * length


def _is_row(p: Problem, found: Sequence[float], **options: bool) -> bool:
    """Return whether this is, up to signs, a row of V, whose columns are the axes in either order."""
    rows = [np.abs(row)[::step] for row in _axes(p["X"], **options).T for step in (1, -1)]
    return any(np.abs(np.abs(found) - row).max() <= 2.0 * BY_HAND for row in rows)


def _are_eigenvalues(p: Problem, found: Sequence[float]) -> bool:
    """Return whether these are the covariance's eigenvalues, with 1/m, 1/(m − 1) or no factor, in any order."""
    values = np.linalg.eigvalsh(np.cov(np.transpose(p["X"])))
    scales = (1.0, 0.8, 4.0)
    return any(np.abs(np.sort(found) - c * values).max() <= 2.0 * BY_HAND * c * values[-1] for c in scales)


def _points(rng: Random) -> Problem:
    """Draw five points with a clear first axis that no row of V resembles."""
    while True:
        p: Problem = {"X": [[float(rng.randint(-3, 9)) for _ in range(3)] for _ in range(5)]}
        X = np.array(p["X"])
        values, u = np.linalg.eigvalsh(np.cov(X.T)), _axis(p)
        others = (_axis(p, 1), _axis(p, 2), _axis(p, standardised=True), _axis(p, centred=False))
        is_clear = (
            values[0] > 0.5
            and values[2] > 1.6 * values[1] > 2.5 * values[0]
            and min(map(abs, u)) > 0.15
            and min(u) < 0.0
        )
        if is_clear and not any(_is_row(p, axis) for axis in (u, *others)):
            return p


def _explain_axis(p: Problem) -> Any:
    """Explain the variance along the first axis, rotated by θ towards the second: it is largest at θ = 0."""
    values = np.linalg.eigvalsh(np.cov(np.transpose(p["X"]), bias=True))
    return explained("V = λ_1*cos(θ)**2 + λ_2*sin(θ)**2", "θ", θ=0.0, λ_1=values[2], λ_2=values[1])


PCA = Exercise(
    "pca", "PCA's first axis",
    question=lambda p: (
        "Five points with three features each are the rows of\n\n"
        f"$$X = {latex_matrix(p['X'])}.$$"
        "\n\n"
        "In which direction do they vary most? Answer with PCA's first axis, without standardising, as a vector of "
        'length 1 whose first number is positive. `numpy.linalg.eigh` may help; `course.problem("pca")["X"]` '
        "contains the points."),
    make=_points,
    calculation=_principal, mistakes=(
        _slip("not centred", "Your direction points from the origin to the points: subtract the mean first.",
              centred=False),
        _slip("the second axis", "This is the eigenvector of the middle eigenvalue: take that of the largest.", k=1),
        _slip("the axis of least variance",
              "This belongs to the smallest eigenvalue, which `eigh` returns first: take that of the largest.", k=2),
        _slip("standardised first", "You divided each feature by its standard deviation, which is PCA of the "
                                    "correlations. Only centre the points here.", standardised=True),
        ("a row of V", lambda p: _unit(_axes(p["X"])[:, 0]),
         "The eigenvectors are the *columns* of the matrix that `eigh` returns, as `vectors[:, -1]`; you took a row.",
         _is_row),
        ("a row of V, standardised first", lambda p: _unit(_axes(p["X"], standardised=True)[:, 0]),
         "The eigenvectors are the *columns* of the matrix that `eigh` returns. Also, do not standardise here.",
         lambda p, found: _is_row(p, found, standardised=True)),
        ("the opposite direction", lambda p: [-u for u in _axis(p)],
         "This is the axis with the opposite sign: change all signs to make the first number positive."),
        ("not of length 1", lambda p: [u / _axis(p)[0] for u in _axis(p)],
         "The direction is right: divide by its length, and make the first number positive.",
         lambda p, found: abs(hypot(*found) - 1.0) > BY_HAND and _along(_axis(p), found)),
        ("the eigenvalues", lambda p: [float(x) for x in np.linalg.eigvalsh(np.cov(np.transpose(p["X"]), bias=True))],
         "These are variances along the axes; the question asks for the first axis itself, an eigenvector.",
         _are_eigenvalues),
        ("the mean", lambda p: _unit(np.mean(p["X"], axis=0)),
         "This vector points to the mean of the points; the axis describes how they vary around it."),
        ("the farthest point", lambda p: _unit(max(p["X"], key=lambda x: hypot(*x))),
         "This vector points to the farthest point; the axis depends on the covariance of all points."),
        ("between the two points farthest apart", _farthest, "The axis depends on all points, not only on two."),
        ("the feature with the largest variance",
         lambda p: [*map(float, np.var(p["X"], 0) == np.var(p["X"], 0).max())],
         "This is one feature; the points vary most along a combination of all three."),
        ("in reverse order", lambda p: _axis(p)[::-1], "The numbers are right, but in reverse order."),
        ("without signs", lambda p: [abs(u) for u in _axis(p)],
         "The sizes are right: keep the signs; only the first number must be positive.")),
    hints=(r"Subtract the mean of each feature, then compute the covariance matrix, $\tfrac1m \sum x\,x^{\mathsf "
           "T}$.",
           "Its eigenvalues are the variances along its eigenvectors; `numpy.linalg.eigh` returns both, in ascending "
           "order, and the eigenvectors as columns.",
           "Take the last column, and change its sign if its first number is negative."),
    derivation=_explain_axis,
    notebook=PREPROCESSING,
    generic=False,
)  # fmt: skip


def _normalised(
    spread: Callable[[Numbers], float] = pvariance, root: Callable[[float, float], float] = lambda v, e: sqrt(v + e),
    centre: Callable[[Numbers], float] = fmean,
    line: Callable[[float, float, float], float] = lambda hat, gamma, beta: gamma * hat + beta,
) -> Callable[..., Numbers]:  # fmt: skip
    """Return batch normalisation with the statistics of x or of the data seen; each option makes a mistake."""

    def norm(x: Numbers, gamma: float, beta: float, epsilon: float, seen: Numbers | None = None) -> Numbers:
        mu, v = centre(seen or x), spread(seen or x)
        return [line((x_i - mu) / root(v, epsilon), gamma, beta) for x_i in x]

    return norm


# mistakes in training and in evaluation mode
NORM_SLIPS = (
    ("1/(m − 1) for 1/m", {"spread": variance},
     "That is the unbiased estimate; here the variance is 1/m times the sum of squares, in both modes."),
    ("the mean of the squares", {"spread": lambda x: fmean(x_i * x_i for x_i in x)},
     "The variance is the mean of (x − μ)²: subtract the mean before you square."),
    ("the mean absolute deviation", {"spread": lambda x: fmean(abs(x_i - fmean(x)) for x_i in x) ** 2},
     "The variance is the mean of the squares (x − μ)², not of |x − μ|."),
    ("scaled to the range 0 to 1", {"centre": min, "spread": lambda x: (max(x) - min(x)) ** 2},
     "x̂ must have mean 0 and standard deviation 1: yours ranges from 0 to 1."),
    ("the variance for its root", {"root": lambda v, e: v + e},
     "x̂ must have a standard deviation of 1: divide by √(σ² + ε)."),
    ("sum for mean", {"spread": lambda x: len(x) * pvariance(x)},
     "The variance is the mean of the squares, 1/m times their sum."),
    ("forgot γ and β", {"line": lambda hat, gamma, beta: hat}, "x̂ is not yet the output: y = γ x̂ + β."),
    ("forgot β", {"line": lambda hat, gamma, beta: gamma * hat}, "y = γ x̂ + β: the mean of y is β."),
    ("forgot γ", {"line": lambda hat, gamma, beta: hat + beta}, "y = γ x̂ + β: γ scales x̂."),
    ("γ and β swapped", {"line": lambda hat, gamma, beta: beta * hat + gamma}, "γ is the factor, β is added."),
    ("β before γ", {"line": lambda hat, gamma, beta: gamma * (hat + beta)},
     "Scale first, then shift: γ x̂ + β, not γ (x̂ + β)."),
    ("the sign of x̂", {"line": lambda hat, gamma, beta: beta - gamma * hat}, "x̂ = (x − μ)/√(σ² + ε), not (μ − x)."),
    ("β subtracted", {"line": lambda hat, gamma, beta: gamma * hat - beta}, "y = γ x̂ + β: β is added."),
    ("not centred", {"centre": lambda x: 0.0}, "Subtract the mean before you divide."),
    ("not divided", {"root": lambda v, e: 1.0}, "After subtracting the mean, divide by √(σ² + ε)."),
    ("multiplied for divided", {"root": lambda v, e: 1.0 / sqrt(v + e)},
     "x̂ must have a standard deviation of 1: *divide* by √(σ² + ε)."),
)  # fmt: skip
GAMMAS, BETAS = (0.5, 2.0, 3.0), (-1.0, 0.25, 1.5)


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
        "Write `batch_norm(x, gamma, beta, epsilon)` for one unit over a mini-batch of $m$ examples, as in the "
        "paper's Algorithm 1:\n\n"
        r"$$\mu = \frac1m \sum_i x_i, \quad \sigma^2 = \frac1m \sum_i (x_i - \mu)^2, \quad \hat x_i = \frac{x_i - "
        r"\mu}{\sqrt{\sigma^2 + \varepsilon}}, \quad y_i = \gamma\,\hat x_i + \beta.$$"
        "\n\n"
        "Return a list of the $y_i$."),
    make=lambda rng: {"cases": [
        ([k / 2.0 for k in rng.sample(range(-9, 10), m)], rng.choice(GAMMAS), rng.choice(BETAS), epsilon)
        for m, epsilon in ((2, 1e-5), (4, 0.5), (5, 0.1))]},
    calculation=_normalised, mistakes=(
        *NORM_SLIPS,
        ("forgot ε", {"root": lambda v, e: sqrt(v)}, "ε is added to the variance, inside the root."),
        ("ε subtracted", {"root": lambda v, e: sqrt(abs(v - e))}, "ε is added to the variance."),
        ("ε outside the root", {"root": lambda v, e: sqrt(v) + e},
         "√σ² + ε is not √(σ² + ε): ε is added to the variance.")),
    hints=(r"Compute $\mu$, $\sigma^2$, $\hat x$ and $y$, in this order.",
           r"$\sigma^2 = \frac1m \sum (x_i - \mu)^2$, and $\varepsilon$ is added to it, inside the root.",
           "`[gamma * (x_i - mu) / (var + epsilon) ** 0.5 + beta for x_i in x]`"),
    derivation=_explain_norm,
    notebook=NORMALISING,
    **tried(
        lambda x, gamma, beta, epsilon: f"for {len(x)} examples with ε = {epsilon:g}",
        lambda x, *rest: [f"y_{i + 1}" for i in range(len(x))]),
)  # fmt: skip


def _evaluated(norm: Callable[..., Numbers]) -> Callable[[Problem], Numbers]:
    return lambda p: norm(p["x"], p["gamma"], p["beta"], 0.0, p["seen"])


def _later(**switches: Any) -> Callable[[Problem], Numbers]:
    return _evaluated(_normalised(**switches))


def _by(mean: Callable[..., Numbers], spread: Callable[..., Numbers]) -> Callable[..., Numbers]:
    """Normalise with the mean and the variance of the data that these functions choose from x and the data seen."""

    def norm(x: Numbers, gamma: float, beta: float, epsilon: float, seen: Numbers) -> Numbers:
        mu, sigma = fmean(mean(x, seen)), sqrt(pvariance(spread(x, seen)))
        return [gamma * (x_i - mu) / sigma + beta for x_i in x]

    return norm


EVALUATE = Exercise(
    "evaluate", "Batch normalisation at test time",
    question=lambda p: (
        rf"A unit saw the values ${', '.join(f'{x:g}' for x in p['seen'])}$ on the whole training data; $\gamma = "
        rf"{p['gamma']:g}$, $\beta = {p['beta']:g}$, and $\varepsilon$ is negligible. A batch of two test examples "
        f"has the values ${p['x'][0]:g}$ and ${p['x'][1]:g}$. What does batch normalisation return for them in "
        "evaluation mode, with the training data's mean and variance (with $1/m$)? Answer with two numbers."),
    make=lambda rng: {
        "seen": [float(k) for k in rng.sample(range(-6, 7), 4)], "x": [float(k) for k in rng.sample(range(-6, 7), 2)],
        "gamma": rng.choice(GAMMAS), "beta": rng.choice(BETAS),
    },
    calculation=_later, mistakes=(
        *NORM_SLIPS,
        ("batch statistics at test time", _by(lambda x, seen: x, lambda x, seen: x),
         "You normalised the test examples by their own mean and variance: the output for one depends on the other."),
        ("the test batch's mean", _by(lambda x, seen: x, lambda x, seen: seen),
         "The variance is the training data's, but you subtracted the mean of the test batch."),
        ("the test batch's variance", _by(lambda x, seen: seen, lambda x, seen: x),
         "The mean is the training data's, but you divided by the standard deviation of the test batch."),
        ("statistics of all six", _by(lambda x, seen: x + seen, lambda x, seen: x + seen),
         "You included the test examples: use only the statistics of the training data.")),
    of=_evaluated,
    hints=("Whose mean and variance are used in evaluation mode?",
           r"$\mu$ and $\sigma^2$ come only from the four training values.",
           r"Compute $\gamma\,(x - \mu)/\sigma + \beta$ for each $x$."),
    # a straight line in x with the slope γ/σ
    derivation=lambda p: explained(
        "y = γ*((x - μ)/σ) + β", "x", x=p["x"][0], γ=p["gamma"], β=p["beta"],
        μ=fmean(p["seen"]), σ=sqrt(pvariance(p["seen"]))),
    notebook=NORMALISING,
)  # fmt: skip

EXERCISES = (SGD, MOMENTUM, ADAM, DROPOUT, PCA, BATCH_NORM, EVALUATE)
