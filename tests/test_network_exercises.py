"""Tests of the exercises on training and networks: common mistakes are named, right answers accepted in any form."""

from math import exp

import numpy as np
import pytest

from nn.lecture.exercises import EXERCISES, Course
from nn.lecture.exercises.network_exercises import LINES, Passed

BACKWARD = EXERCISES["batch_norm_backward"]
NAMES = [f"student {i}" for i in range(200)]


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def two_steps(course, weight, bias, eta=None, steps=2):
    """w and b after steps of gradient descent with these functions of x and the errors."""
    p = course.problem("sgd")
    x, y, w, b = np.array(p["x"]), np.array(p["y"]), p["w"], p["b"]
    eta = p["eta"] if eta is None else eta
    for _ in range(steps):
        errors = w * x + b - y
        w, b = w - eta * weight(x, errors), b - eta * bias(x, errors)
    return [round(float(w), 4), round(float(b), 4)]


def with_moments(course, corrected=(True, True), last=None, move=lambda m, v, g: m / v**0.5):
    p = course.problem("adam")
    w = m = v = 0.0
    path = []
    for t, g in enumerate(p["g"], 1):
        m, v = p["beta1"] * m + (1 - p["beta1"]) * g, p["beta2"] * v + (1 - p["beta2"]) * g * g
        scales = [1 - beta ** (last or t) if on else 1.0 for beta, on in zip((p["beta1"], p["beta2"]), corrected)]
        w -= p["eta"] * move(m / scales[0], v / scales[1], g)
        path.append(w)
    return path


def test_time(course, rule):
    p = course.problem("evaluate")
    return rule(np.array(p["x"]), np.array(p["seen"]), p["gamma"], p["beta"])


def of_output(course, rule):
    p = course.problem("cross_entropy")
    z = np.array(p["z"])
    return rule(z, sigmoid(z), np.array(p["y"]))


def eigenvectors(course, standardised=False):
    X = np.array(course.problem("pca")["X"])
    X = (X - X.mean(axis=0)) / (X.std(axis=0) if standardised else 1.0)
    return np.linalg.eigh(X.T @ X)[1]


NATURAL = [  # an exercise, a part of the mistake's name, and a wrong answer made from the question alone
    ("sgd", "sum for mean", lambda c: two_steps(c, lambda x, e: sum(e * x), lambda x, e: sum(e))),
    ("sgd", "twice", lambda c: two_steps(c, lambda x, e: 2 * np.mean(e * x), lambda x, e: 2 * np.mean(e))),
    ("sgd", "½", lambda c: two_steps(c, lambda x, e: np.mean(e * x) / 2, lambda x, e: np.mean(e) / 2)),
    ("sgd", "uphill", lambda c: two_steps(c, lambda x, e: -np.mean(e * x), lambda x, e: -np.mean(e))),
    ("sgd", "one step", lambda c: two_steps(c, lambda x, e: np.mean(e * x), lambda x, e: np.mean(e), steps=1)),
    ("sgd", "three steps", lambda c: two_steps(c, lambda x, e: np.mean(e * x), lambda x, e: np.mean(e), steps=3)),
    ("sgd", "learning rate", lambda c: two_steps(c, lambda x, e: np.mean(e * x), lambda x, e: np.mean(e), eta=1.0)),
    ("sgd", "local derivative", lambda c: two_steps(c, lambda x, e: np.mean(e), lambda x, e: np.mean(e))),
    ("sgd", "upstream", lambda c: two_steps(c, lambda x, e: np.mean(x), lambda x, e: 1.0)),
    ("sgd", "b unchanged", lambda c: two_steps(c, lambda x, e: np.mean(e * x), lambda x, e: 0.0)),
    ("sgd", "product of the means",
     lambda c: two_steps(c, lambda x, e: np.mean(e) * np.mean(x), lambda x, e: np.mean(e))),
    ("sgd", "swapped", lambda c: two_steps(c, lambda x, e: np.mean(e * x), lambda x, e: np.mean(e))[::-1]),
    ("sgd", "one example", lambda c: two_steps(c, lambda x, e: e[0] * x[0], lambda x, e: e[0])),
    ("adam", "no bias correction", lambda c: with_moments(c, (False, False))),
    ("adam", "m not corrected", lambda c: with_moments(c, (False, True))),
    ("adam", "v not corrected", lambda c: with_moments(c, (True, False))),
    ("adam", "t = 1", lambda c: with_moments(c, last=1)),
    ("adam", "no root", lambda c: with_moments(c, move=lambda m, v, g: m / v)),
    ("adam", "nothing but m", lambda c: with_moments(c, move=lambda m, v, g: m)),
    ("adam", "nothing but v", lambda c: with_moments(c, move=lambda m, v, g: g / v**0.5)),
    ("adam", "plain", lambda c: with_moments(c, move=lambda m, v, g: g)),
    ("adam", "uphill", lambda c: with_moments(c, move=lambda m, v, g: -m / v**0.5)),
    ("cross_entropy", "once more", lambda c: of_output(c, lambda z, a, y: (a - y) * a * (1 - a))),
    ("cross_entropy", "sign", lambda c: of_output(c, lambda z, a, y: y - a)),
    ("cross_entropy", "stopped", lambda c: of_output(c, lambda z, a, y: -y / a + (1 - y) / (1 - a))),
    ("cross_entropy", "softmax", lambda c: of_output(c, lambda z, a, y: np.exp(z) / np.exp(z).sum() - y)),
    ("cross_entropy", "y = 1", lambda c: of_output(c, lambda z, a, y: -y * (1 - a))),
    ("cross_entropy", "z for a", lambda c: of_output(c, lambda z, a, y: z - y)),
    ("cross_entropy", "1/3", lambda c: of_output(c, lambda z, a, y: (a - y) / 3)),
    ("cross_entropy", "the loss", lambda c: of_output(c, lambda z, a, y: -(y * np.log(a) + (1 - y) * np.log(1 - a)))),
    ("evaluate", "batch statistics", lambda c: test_time(c, lambda x, s, g, b: g * (x - x.mean()) / x.std() + b)),
    ("evaluate", "m − 1", lambda c: test_time(c, lambda x, s, g, b: g * (x - s.mean()) / s.std(ddof=1) + b)),
    ("evaluate", "swapped", lambda c: test_time(c, lambda x, s, g, b: b * (x - s.mean()) / s.std() + g)),
    ("evaluate", "root", lambda c: test_time(c, lambda x, s, g, b: g * (x - s.mean()) / s.var() + b)),
    ("evaluate", "test batch's mean", lambda c: test_time(c, lambda x, s, g, b: g * (x - x.mean()) / s.std() + b)),
    ("evaluate", "β before", lambda c: test_time(c, lambda x, s, g, b: g * ((x - s.mean()) / s.std() + b))),
    ("pca", "a row of V", lambda c: eigenvectors(c)[-1]),
    ("pca", "a row of V", lambda c: eigenvectors(c)[0] * np.sign(eigenvectors(c)[0, 0])),
    ("pca", "least variance", lambda c: eigenvectors(c)[:, 0]),
    ("pca", "standardised", lambda c: eigenvectors(c, standardised=True)[:, -1]),
    ("pca", "eigenvalues", lambda c: np.linalg.eigvalsh(np.cov(np.transpose(c.problem("pca")["X"])))[::-1]),
]  # fmt: skip
test_time.__test__ = False


@pytest.mark.parametrize("name, said, answer", NATURAL)
def test_a_natural_wrong_answer_is_named(name, said, answer):
    for student in NAMES[:5]:
        verdict = Course(student).check(name, answer(Course(student)))
        assert not verdict and said in verdict.mistake.name


# ---- batch normalisation backward ----------------------------------------------------------------------------------


def lines_of(problem):
    return {line.name: line.right(problem) for line in LINES}


@pytest.mark.parametrize("student", NAMES[:3])
def test_each_mistake_of_a_line_is_named_with_its_line(student):
    problem = BACKWARD.problem(student)
    for line in LINES:
        for mistake in line.mistakes:
            verdict = BACKWARD.check(problem, lines_of(problem) | {line.name: mistake.answer(problem)})
            assert f"The first line to look at is {line.name}," in verdict.text
            assert verdict.mistake.name == mistake.name
            assert verdict.share == 5 / 6


def test_the_first_wrong_line_is_named_and_all_are_compared():
    problem = BACKWARD.problem("ada")
    b = Passed(problem)
    given = lines_of(problem) | {"dmu": -b.dmu, "dx": None, "dbeta": [float(f"{b.dy.sum() * 1.0001:.6g}")]}
    verdict = BACKWARD.check(problem, given)
    assert "is dmu" in verdict.text and verdict.mistake.name == "the sign"
    table = str(verdict.shown).splitlines()
    assert table[0] == "✓ dxhat  exact" and table[3] == "… dx     not answered yet"
    assert table[2].startswith("✗ dmu    largest difference") and table[5].startswith("✓ dbeta  approximate")


@pytest.mark.parametrize("student", NAMES[:3])
def test_right_lines_are_right_in_every_form(student):
    problem = BACKWARD.problem(student)
    lines = lines_of(problem)
    forms = (
        lines, list(lines.values()), [np.array(x) for x in lines.values()], tuple(x for x in lines.values()),
        [x if len(x) > 1 else x[0] for x in lines.values()], [v for x in lines.values() for v in x],
        {name: (v for v in x) for name, x in lines.items()}, [np.array(x)[:, None] for x in lines.values()],
        [[float(f"{v:.4f}") for v in x] for x in lines.values()], iter(lines.values()),
    )  # fmt: skip
    for form in forms:
        assert BACKWARD.check(problem, form)


# ---- the capstone --------------------------------------------------------------------------------------------------


def by_arrays(W1, b1, W2, b2, X, Y):
    W1, b1, W2, b2, X, Y = map(np.array, (W1, b1, W2, b2, X, Y))
    A1 = sigmoid(X @ W1.T + b1)
    D2 = (sigmoid(A1 @ W2.T + b2) - Y) / len(X)
    D1 = D2 @ W2 * A1 * (1 - A1)
    return D1.T @ X, D1.sum(axis=0), D2.T @ A1, D2.sum(axis=0)


def by_loops(W1, b1, W2, b2, X, Y):
    def layer(W, b, a):
        return [1 / (1 + exp(-sum(w * v for w, v in zip(row, a)) - b_j)) for row, b_j in zip(W, b)]

    dW1, dW2 = ([[0.0] * len(W[0]) for _ in W] for W in (W1, W2))
    db1, db2 = [0.0] * len(b1), [0.0] * len(b2)
    for x, y in zip(X, Y):
        a1 = layer(W1, b1, x)
        d2 = [(a - t) / len(X) for a, t in zip(layer(W2, b2, a1), y)]
        d1 = [sum(d2[j] * W2[j][k] for j in range(len(d2))) * a * (1 - a) for k, a in enumerate(a1)]
        for dW, db, d, a in ((dW1, db1, d1, x), (dW2, db2, d2, a1)):
            for j, d_j in enumerate(d):
                db[j] += d_j
                for k, a_k in enumerate(a):
                    dW[j][k] += d_j * a_k
    return [dW1, db1, dW2, db2]


def as_columns(*arguments):
    dW1, db1, dW2, db2 = by_arrays(*arguments)
    return dW1.tolist(), db1[:, None], dW2, db2[None, :]


@pytest.mark.parametrize("function", [by_arrays, by_loops, as_columns])
def test_a_right_capstone_trains_a_network(function):
    verdict = Course("ada").check("capstone", function)
    assert verdict and "60 of 60 points are on the right side" in str(verdict)
    assert verdict.shown.losses[-1] < 0.05 < verdict.shown.losses[0]
    assert 'alt="loss curve and decision boundary"' in verdict._repr_html_()


def test_a_capstone_for_two_units_only_is_said_to_be_one():
    def small(*arguments):
        dW1, db1, dW2, db2 = by_arrays(*arguments)
        return dW1[:2], db1[:2], dW2, db2

    verdict = Course("ada").check("capstone", small)
    assert not verdict and "instead of 16, 8, 8, 1: take the sizes from W1 and W2" in verdict.text
