"""Tests the feedback on students' wrong answers, written only from the questions.

A name is a part of the feedback. Names separated by | are equally good, and " and " joins two mistakes made at once.
"""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from nn.lecture.exercises import EXERCISES, Course
from nn.lecture.exercises.exercise import on_paper

STUDENTS = ("ada", "mara", "student 7")


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-np.asarray(z)))


class Seen:
    """What the question of *bias* or *hidden* shows."""

    def __init__(self, p):
        W1, b1, W2, b2, x, y = (np.array(p[k]) for k in ("W1", "b1", "W2", "b2", "x", "y"))
        self.z1 = W1 @ x + b1
        self.a1 = sigmoid(self.z1).round(4)
        self.z = (W2 @ sigmoid(self.z1) + b2).round(4)
        self.a, self.y, self.W = sigmoid(self.z).round(4), y, W2
        a = sigmoid(W2 @ sigmoid(self.z1) + b2)
        self.d = ((a - y) * a * (1 - a)).round(4)

    @property
    def slope(self):
        return self.a * (1 - self.a)

    @property
    def slope1(self):
        return self.a1 * (1 - self.a1)


def xyz(rule):
    return lambda p: rule(p["r"], p["s"])


def output(rule):
    return lambda p: rule(Seen(p))


def hidden(rule):
    return lambda p: np.asarray(rule(Seen(p)))[[0, 2]]


def gate(rule):
    def answer(p):
        a, q = round(float(sigmoid(p["h"])), 4), p["x"] + p["y"]
        return rule(p["x"], p["y"], p["z"], p["w"], p["h"], p["g"], q, q * p["z"], a)

    return answer


def by_code(function):
    return lambda p: function


XYZ: list[tuple[str, Any]] = [
    ("one path only", lambda r, s: [r * s * s, r * r * s]),
    ("one path only", lambda r, s: [r * s * s, 2 * r * r * s]),
    ("one path only", lambda r, s: [2 * r * s * s, r * r * s]),
    ("sign", lambda r, s: [-2 * r * s * s, -2 * r * r * s]),
    ("sign of number 2", lambda r, s: [2 * r * s * s, -2 * r * r * s]),
    ("swapped", lambda r, s: [2 * r * r * s, 2 * r * s * s]),
    ("factor of 2", lambda r, s: [4 * r * s * s, 4 * r * r * s]),
    ("the value of f", lambda r, s: [r * r * s * s] * 2),
    ("the exponent kept", lambda r, s: [2 * r * r * s * s] * 2),
    ("multiplied the paths", lambda r, s: [r * s * s * r * s * s, r * r * s * r * r * s]),
    ("forgot the upstream", lambda r, s: [1 + s, r + 1]),
    ("forgot the local", lambda r, s: [r * s * s + r * s, r * s + r * r * s]),
    ("does not exist", lambda r, s: [2 * r * s * s + r * r * s, r * s * s + 2 * r * r * s]),
    ("other variable forgotten", lambda r, s: [2 * r, 2 * s]),
    ("without its square", lambda r, s: [2 * r * s, 2 * r * s]),
    ("swapped", lambda r, s: [r * s * s + r * s * r, r * s * s + r * r * s]),
    ("operand", lambda r, s: [r + r * s * s, r * s * r + s]),
    ("sum for product", lambda r, s: [(r * s + s) + (r + s) * s, (r + s) * r + (r + r * s)]),
    ("one path only and the sign|sign and one path", lambda r, s: [-r * s * s, -r * r * s]),
    ("one path only and swapped|one path only and r and s", lambda r, s: [r * r * s, r * s * s]),
]
MUL = [
    ("operand's own", lambda x, y: (x * y, (x, y))),
    ("rule of +", lambda x, y: (x * y, (1, 1))),
    ("value once more", lambda x, y: (x * y, (x * y, x * y))),
    ("both moved", lambda x, y: (x * y, (x + y, x + y))),
    ("x + y for x", lambda x, y: (x + y, (y, x))),
    ("sign", lambda x, y: (x * y, (-y, -x))),
    ("sign", lambda x, y: (x * y, (y, -x))),
    ("sign", lambda x, y: (-x * y, (-y, -x))),
    ("operand's own", lambda x, y: (x * y, (y, y))),
    ("operand's own", lambda x, y: (x * y, (x, x))),
    ("constants", lambda x, y: (x * y, (0, 0))),
    ("rule of −", lambda x, y: (x * y, (1, -1))),
    ("power rule", lambda x, y: (x * y, (2 * x, 2 * y))),
    ("x + y for x · y and the rule of +", lambda x, y: (x + y, (1, 1))),
    ("swapped", lambda x, y: ((y, x), x * y)),
]
RELU = [
    ("g for g", lambda z: (max(0, z), (max(0, z),))),
    ("at the kink", lambda z: (max(0, z), (1 if z >= 0 else 0,))),
    ("½ at the kink", lambda z: (max(0, z), (np.heaviside(z, 0.5),))),
    ("flat", lambda z: (max(0, z), (1,))),
    ("|z|", lambda z: (max(0, z), (np.sign(z),))),
    ("z for g", lambda z: (max(0, z), (z,))),
    ("flat everywhere", lambda z: (max(0, z), (0,))),
    ("|z| for max", lambda z: (abs(z), (z > 0,))),
    ("z for max", lambda z: (z, (z > 0,))),
    ("min for max", lambda z: (min(0, z), (z > 0,))),
    ("swapped", lambda z: (max(0, z), (z < 0,))),
    ("leak", lambda z: (max(0.01 * z, z), (1 if z > 0 else 0.01,))),
    ("leak", lambda z: (max(0, z), (1 if z > 0 else 0.01,))),
    ("sign", lambda z: (max(0, z), (-1 if z > 0 else 0,))),
    ("slope of σ", lambda z: (max(0, z), (sigmoid(z) * (1 - sigmoid(z)),))),
    ("step", lambda z: (z > 0, (z > 0,))),
    ("swapped", lambda z: (z > 0, (max(0, z),))),
    ("|z| for max(0, z) and the slope of |z|", lambda z: (abs(z), (np.sign(z),))),
]


def topological(root):
    order, seen = [], set()

    def visit(node):
        if node not in seen:
            seen.add(node)
            for parent in node.parents:
                visit(parent)
            order.append(node)

    visit(root)
    return order


def backward(
    update: Callable[[Any, Any, float], float], order=lambda root: topological(root)[::-1], zero=topological, seed=1.0
):
    def run(root):
        for node in zero(root):
            node.grad = 0.0
        root.grad = seed
        for node in order(root):
            for parent, local in zip(node.parents, node.local_derivatives):
                parent.grad = update(parent, node, local)

    return run


def add(parent, node, local):
    return parent.grad + node.grad * local


def recursive(root):
    for node in topological(root):
        node.grad = 0.0
    root.grad = 1.0

    def visit(node):
        for parent, local in zip(node.parents, node.local_derivatives):
            parent.grad += node.grad * local
            visit(parent)

    visit(root)


def seen_recursive(root):
    for node in topological(root):
        node.grad = 0.0
    root.grad, seen = 1.0, set()

    def visit(node):
        if node in seen:
            return
        seen.add(node)
        for parent, local in zip(node.parents, node.local_derivatives):
            parent.grad += node.grad * local
        for parent in node.parents:
            visit(parent)

    visit(root)


def queue(root):
    for node in topological(root):
        node.grad = 0.0
    root.grad, waiting, seen = 1.0, [root], {root}
    while waiting:
        node = waiting.pop(0)
        for parent, local in zip(node.parents, node.local_derivatives):
            parent.grad += node.grad * local
            if parent not in seen:
                seen.add(parent)
                waiting.append(parent)


def by_dict(root):
    for node in topological(root):
        node.grad = 0.0
    root.grad = 1.0
    for node in topological(root)[::-1]:
        for parent, local in dict(zip(node.parents, node.local_derivatives)).items():
            parent.grad += node.grad * local


def swapped(root):
    for node in topological(root):
        node.grad = 0.0
    root.grad = 1.0
    for node in topological(root)[::-1]:
        for parent, local in zip(node.parents, reversed(node.local_derivatives)):
            parent.grad += node.grad * local


def first_only(root):
    for node in topological(root):
        node.grad = 0.0
    root.grad = 1.0
    for node in topological(root)[::-1]:
        if node.parents:
            node.parents[0].grad += node.grad * node.local_derivatives[0]


def one_level(root):
    for node in topological(root):
        node.grad = 0.0
    root.grad = 1.0
    for parent, local in zip(root.parents, root.local_derivatives):
        parent.grad += root.grad * local


BACKWARD = [
    ("assigned", backward(lambda parent, node, local: node.grad * local)),
    ("stale", backward(add, zero=lambda root: [])),
    ("stale gradients in the inputs", backward(add, zero=lambda root: [n for n in topological(root) if n.parents])),
    ("forgot the upstream", backward(lambda parent, node, local: parent.grad + local)),
    ("forgot the local", backward(lambda parent, node, local: parent.grad + node.grad)),
    ("subtracted", backward(lambda parent, node, local: parent.grad - node.grad * local)),
    ("added upstream and local", backward(lambda parent, node, local: parent.grad + node.grad + local)),
    ("data for grad", backward(lambda parent, node, local: parent.grad + node.data * local)),
    ("wrong end", backward(add, order=topological)),
    ("no 1 at the root", backward(add, seed=0.0)),
    ("root's data", lambda root: backward(add, seed=root.data)(root)),
    ("more than once", recursive),
    ("no topological order", seen_recursive),
    ("no topological order", queue),
    ("one entry", by_dict),
    ("swapped", swapped),
    ("first parent only", first_only),
    ("one level", one_level),
    ("nothing written", lambda root: topological(root)),
    ("assigned instead of added and stale|assigned", backward(
        lambda parent, node, local: node.grad * local, zero=lambda root: [])),
    ("forgot the upstream", backward(lambda parent, node, local: local)),
]  # fmt: skip


def preorder(root):
    order, seen = [], set()

    def visit(node):
        if node not in seen:
            seen.add(node)
            order.append(node)
            for parent in node.parents:
                visit(parent)

    visit(root)
    return order


def breadth(root):
    order = [root]
    for node in order:
        order.extend(parent for parent in node.parents if parent not in order)
    return order


def twice(root):
    return [x for parent in root.parents for x in twice(parent)] + [root]


ORDER = [
    ("reversed", lambda root: topological(root)[::-1]),
    ("breadth first", breadth),
    ("breadth first", lambda root: breadth(root)[::-1]),
    ("on the way down", preorder),
    ("on the way down", lambda root: preorder(root)[::-1]),
    ("listed twice", twice),
    ("root missing", lambda root: topological(root)[:-1]),
    ("leaves missing", lambda root: [n for n in topological(root) if n.parents]),
    ("only the leaves", lambda root: [n for n in topological(root) if not n.parents]),
    ("only the root", lambda root: [root]),
    ("empty", lambda root: []),
    ("one level", lambda root: [*dict.fromkeys(root.parents), root]),
    ("numbers", lambda root: [n.data for n in topological(root)]),
]
GATES = [
    ("not swapped", lambda x, y, z, w, h, g, q, p, a: [g * p * q, g * p * z, 0, g * a * a * (1 - a)]),
    ("max for both", lambda x, y, z, w, h, g, q, p, a: [g * a * z, g * a * q, g * a, g * p * a * (1 - a)]),
    ("smaller", lambda x, y, z, w, h, g, q, p, a: [0, 0, g * a, g * p * a * (1 - a)]),
    ("max in halves", lambda x, y, z, w, h, g, q, p, a: [
        g * a * z / 2, g * a * q / 2, g * a / 2, g * p * a * (1 - a)]),
    ("+ in halves", lambda x, y, z, w, h, g, q, p, a: [g * a * z / 2, g * a * q, 0, g * p * a * (1 - a)]),
    ("+ as a factor", lambda x, y, z, w, h, g, q, p, a: [g * a * z * x, g * a * q, 0, g * p * a * (1 - a)]),
    ("forgot σ′", lambda x, y, z, w, h, g, q, p, a: [g * a * z, g * a * q, 0, g * p]),
    ("σ for σ′", lambda x, y, z, w, h, g, q, p, a: [g * a * z, g * a * q, 0, g * p * a]),
    ("h for a", lambda x, y, z, w, h, g, q, p, a: [g * a * z, g * a * q, 0, g * p * h * (1 - h)]),
    ("σ′(a) for", lambda x, y, z, w, h, g, q, p, a: [
        g * a * z, g * a * q, 0, g * p * sigmoid(a) * (1 - sigmoid(a))]),
    ("1 at L", lambda x, y, z, w, h, g, q, p, a: [a * z, a * q, 0, p * a * (1 - a)]),
    ("forgot the upstream", lambda x, y, z, w, h, g, q, p, a: [1, q, 0, a * (1 - a)]),
    ("sign", lambda x, y, z, w, h, g, q, p, a: [-g * a * z, -g * a * q, 0, -g * p * a * (1 - a)]),
    ("sign of number 4", lambda x, y, z, w, h, g, q, p, a: [g * a * z, g * a * q, 0, -g * p * a * (1 - a)]),
    ("swapped", lambda x, y, z, w, h, g, q, p, a: [g * a * q, g * a * z, 0, g * p * a * (1 - a)]),
    ("tanh", lambda x, y, z, w, h, g, q, p, a: [g * a * z, g * a * q, 0, g * p * (1 - a * a)]),
    ("max for both and forgot σ′|forgot σ′ and max for both", lambda x, y, z, w, h, g, q, p, a: [
        g * a * z, g * a * q, g * a, g * p]),
]  # fmt: skip
BIAS = [
    ("forgot g′", lambda s: s.a - s.y),
    ("g for g′", lambda s: (s.a - s.y) * s.a),
    ("z for a in σ′", lambda s: (s.a - s.y) * s.z * (1 - s.z)),
    ("σ′(a) for", lambda s: (s.a - s.y) * sigmoid(s.a) * (1 - sigmoid(s.a))),
    ("tanh", lambda s: (s.a - s.y) * (1 - s.a**2)),
    ("sign", lambda s: (s.y - s.a) * s.slope),
    ("twice", lambda s: 2 * (s.a - s.y) * s.slope),
    ("half", lambda s: 0.5 * (s.a - s.y) * s.slope),
    ("forgot the upstream", lambda s: s.slope),
    ("loss for its slope", lambda s: 0.5 * (s.a - s.y) ** 2 * s.slope),
    ("the square kept", lambda s: (s.a - s.y) ** 2 * s.slope),
    ("z for a in the loss", lambda s: (s.z - s.y) * s.slope),
    ("forgot the target", lambda s: s.a * s.slope),
    ("sign of number 2", lambda s: abs(s.a - s.y) * s.slope),
    ("one factor of the slope", lambda s: (s.a - s.y) * (1 - s.a)),
    ("factor of 1/3", lambda s: (s.a - s.y) * s.slope / 3),
    ("sum", lambda s: [((s.a - s.y) * s.slope).sum()] * 3),
    ("swapped", lambda s: ((s.a - s.y) * s.slope)[::-1]),
    ("sign of number 2", lambda s: (s.a - s.y) * s.slope * [1, -1, 1]),
    ("forgot g′ and the sign", lambda s: s.y - s.a),
    ("forgot g′ and twice|forgot g′ and a factor of 2", lambda s: 2 * (s.a - s.y)),
    ("slope twice", lambda s: (s.a - s.y) * s.slope**2),
    ("divided by the slope", lambda s: (s.a - s.y) / s.slope),
    ("g for g′ and the sign", lambda s: (s.y - s.a) * s.a),
    ("tanh and the sign", lambda s: (s.y - s.a) * (1 - s.a**2)),
    ("Nearly", lambda s: ((s.a - s.y) * s.slope).round(2)),
]
HIDDEN = [
    ("W for Wᵀ", lambda s: s.W @ s.d * s.slope1),
    ("forgot g′", lambda s: s.W.T @ s.d),
    ("g for g′", lambda s: s.W.T @ s.d * s.a1),
    ("tanh", lambda s: s.W.T @ s.d * (1 - s.a1**2)),
    ("σ′(a) for", lambda s: s.W.T @ s.d * sigmoid(s.a1) * (1 - sigmoid(s.a1))),
    ("forgot the upstream", lambda s: s.W.sum(0) * s.slope1),
    ("forgot W", lambda s: s.d.sum() * s.slope1),
    ("last term only", lambda s: s.d[2] * s.W[2] * s.slope1),
    ("first term only", lambda s: s.d[0] * s.W[0] * s.slope1),
    ("only j = k", lambda s: s.d * np.diag(s.W) * s.slope1),
    ("sign", lambda s: -s.W.T @ s.d * s.slope1),
    ("swapped", lambda s: (s.W.T @ s.d * s.slope1)[::-1]),
    ("mean", lambda s: s.W.T @ s.d * s.slope1 / 3),
    ("W for Wᵀ and forgot g′", lambda s: s.W @ s.d),
    ("W for Wᵀ and g for g′", lambda s: s.W @ s.d * s.a1),
    ("W for Wᵀ and the sign", lambda s: -s.W @ s.d * s.slope1),
    ("factor of 2", lambda s: 2 * s.W.T @ s.d * s.slope1),
    ("unit j", lambda s: s.W.T @ (s.d * s.slope1)),
    ("units 1 and 2", lambda s: (s.W.T @ s.d * s.slope1)[[0, 2, 1]]),
    ("units 2 and 3", lambda s: (s.W.T @ s.d * s.slope1)[[1, 0, 2]]),
    ("one factor of the slope", lambda s: s.W.T @ s.d * (1 - s.a1)),
    ("sign of number 1", lambda s: s.W.T @ s.d * s.slope1 * [-1, 1, 1]),
    ("forgot g′ and the sign", lambda s: -s.W.T @ s.d),
    ("opposite", lambda s: s.W.T @ s.d[::-1] * s.slope1),
    ("δ_k for every", lambda s: s.W.sum(0) * s.d * s.slope1),
    ("last term missing", lambda s: s.W[:2].T @ s.d[:2] * s.slope1),
]
OUTER = [
    ("sum for mean", lambda D, A: np.array(D).T @ np.array(A)),
    ("transpose", lambda D, A: np.array(A).T @ np.array(D) / len(D)),
    ("transpose and sum|sum for mean and the transpose", lambda D, A: np.array(A).T @ np.array(D)),
    ("1/(m − 1)", lambda D, A: np.array(D).T @ np.array(A) / (len(D) - 1)),
    ("sign", lambda D, A: -np.array(D).T @ np.array(A) / len(D)),
    ("last example only", lambda D, A: np.outer(D[-1], A[-1])),
    ("first example only", lambda D, A: np.outer(D[0], A[0])),
    ("last example only", lambda D, A: np.outer(D[-1], A[-1]) / len(D)),
    ("product of the means", lambda D, A: np.outer(np.mean(D, 0), np.mean(A, 0))),
    ("product of the sums", lambda D, A: np.outer(np.sum(D, 0), np.sum(A, 0))),
    ("factor of 2", lambda D, A: 2 * np.array(D).T @ np.array(A) / len(D)),
    ("factor of ½", lambda D, A: np.array(D).T @ np.array(A) / len(D) / 2),
    ("m twice", lambda D, A: np.array(D).T @ np.array(A) / len(D) ** 2),
    ("number of units", lambda D, A: np.array(D).T @ np.array(A) / len(D[0])),
    ("forgot the upstream", lambda D, A: np.ones_like(D).T @ np.array(A) / len(D)),
    ("forgot the input", lambda D, A: np.array(D).T @ np.ones_like(A) / len(D)),
    ("first example missing", lambda D, A: np.array(D[1:]).T @ np.array(A[1:]) / len(D)),
    ("transpose and the sign", lambda D, A: -np.array(A).T @ np.array(D) / len(D)),
]


def softmax(z):
    e = np.exp(np.array(z) - max(z))
    return e / e.sum()


def hot(z, label):
    return np.eye(len(z))[label]


SOFTMAX = [
    ("the sign", lambda z, label: hot(z, label) - softmax(z)),
    ("only softmax", lambda z, label: softmax(z)),
    ("unit by unit", lambda z, label: (softmax(z) - hot(z, label)) * softmax(z) * (1 - softmax(z))),
    ("−1 everywhere", lambda z, label: softmax(z) - 1),
    ("nothing but the label", lambda z, label: (softmax(z) - 1) * hot(z, label)),
    ("stopped at s", lambda z, label: -hot(z, label) / softmax(z)),
    ("σ for softmax", lambda z, label: sigmoid(z) - hot(z, label)),
    ("not add up to 1", lambda z, label: np.exp(z) - hot(z, label)),
    ("z for softmax", lambda z, label: np.array(z) - hot(z, label)),
    ("forgot the logarithm", lambda z, label: softmax(z)[label] * (softmax(z) - hot(z, label))),
    ("mean over the classes", lambda z, label: (softmax(z) - hot(z, label)) / len(z)),
    ("squared|factor of 2", lambda z, label: 2 * (softmax(z) - hot(z, label))),
    ("miscounted", lambda z, label: softmax(z) - hot(z, label - 1)),
    ("slope of one probability", lambda z, label: softmax(z) * (1 - softmax(z))),
    ("the loss for its slope", lambda z, label: -np.log(softmax(z))),
    ("number subtracted", lambda z, label: softmax(z) - label),
    ("+1 for −1", lambda z, label: softmax(z) + hot(z, label)),
    ("largest logit", lambda z, label: softmax(z) - hot(z, int(np.argmax(z)))),
    ("only softmax and the sign|sign", lambda z, label: -softmax(z)),
    ("divided by the largest", lambda z, label: np.exp(np.array(z) - max(z)) - hot(z, label)),
]
TABLE = [
    *(("xyz", name, xyz(rule)) for name, rule in XYZ),
    *(("mul", name, by_code(rule)) for name, rule in MUL),
    *(("order", name, by_code(rule)) for name, rule in ORDER),
    *(("backward", name, by_code(rule)) for name, rule in BACKWARD),
    *(("gates", name, gate(rule)) for name, rule in GATES),
    *(("relu", name, by_code(rule)) for name, rule in RELU),
    *(("bias", name, output(rule)) for name, rule in BIAS),
    *(("hidden", name, hidden(rule)) for name, rule in HIDDEN),
    *(("outer", name, by_code(rule)) for name, rule in OUTER),
    *(("softmax", name, by_code(rule)) for name, rule in SOFTMAX),
]


def test_the_table_is_long():
    assert len(TABLE) + len(MORE) >= 200


@pytest.mark.parametrize("student", STUDENTS)
@pytest.mark.parametrize(("exercise", "name", "rule"), TABLE, ids=[f"{e}: {name}" for e, name, _ in TABLE])
def test_a_natural_wrong_answer_is_called_by_its_name(exercise, name, rule, student):
    course = Course(student)
    feedback = course.check(exercise, rule(course.problem(exercise)))
    assert not feedback
    said = feedback.text.split("First at")[0]
    assert any(all(part in said for part in words.split(" and ")) for words in name.split("|")), feedback.text


# ---- right answers in unusual forms -------------------------------------------------------------------------------


def forms(numbers):
    """Ways of writing down a list of numbers."""
    numbers = [float(x) for x in numbers]
    return [
        numbers, tuple(numbers), np.array(numbers), np.array(numbers, "float32"), np.array(numbers)[:, None],
        [[x] for x in numbers], [np.float64(x) for x in numbers], [np.array(x) for x in numbers],
        [Fraction(x).limit_denominator(10**6) for x in numbers], iter(numbers), (x for x in numbers),
        dict(enumerate(numbers)).values(), map(float, numbers), [round(x, 4) for x in numbers],
        [float(f"{x:.5g}") for x in numbers], [numbers], np.array([numbers]),
    ]  # fmt: skip


@pytest.mark.parametrize("exercise", [name for name, exercise in EXERCISES.items() if exercise.numbers is on_paper])
@pytest.mark.parametrize("student", [f"student {i}" for i in range(8)])
def test_a_right_answer_in_any_form_is_right(exercise, student):
    course = Course(student)
    right = EXERCISES[exercise].right(course.problem(exercise))
    for form in forms(np.ravel(right)):
        feedback = course.check(exercise, form)
        assert feedback, (form, feedback.text)


def kahn(root):
    waiting = {node: len(set(node.parents)) for node in topological(root)}
    order = [node for node, count in waiting.items() if not count]
    for node in order:
        for user in waiting:
            if node in user.parents:
                waiting[user] -= 1
                order += [user] * (waiting[user] == 0)
    return order


def other_way_round(root):
    order, seen = [], set()

    def visit(node):
        if id(node) not in seen:
            seen.add(id(node))
            for parent in reversed(node.parents):
                visit(parent)
            order.append(node)

    visit(root)
    return tuple(order)


class Own:
    """A list of somebody's own, without __iter__."""

    def __init__(self, numbers):
        self.numbers = list(numbers)

    def __len__(self):
        return len(self.numbers)

    def __getitem__(self, i):
        return self.numbers[i]


def checked(name, rule):
    """The feedback on the right answer, numbers or a function, changed by a rule."""
    course, exercise = Course("ada"), EXERCISES[name]
    problem = course.problem(name)
    return course.check(name, rule(exercise.right if exercise.is_code else exercise.right(problem), problem))


@pytest.mark.parametrize("form", [Own, np.longdouble, np.array, tuple, iter, lambda x: np.array(x)[:, None]])
@pytest.mark.parametrize("name", [name for name, exercise in EXERCISES.items() if not exercise.is_code])
def test_right_numbers_are_right_in_any_list(name, form):
    assert checked(name, lambda right, p: form(right))


def test_right_numbers_in_another_shape_are_called_so():
    for name, function, shape in (
        ("mul", lambda x, y: (x * y, y, x), "[the value, [∂/∂x, ∂/∂y]]"),
        ("relu", lambda z: (max(0, z), z > 0), "[the value, [the derivative]]"),
        ("outer", lambda D, A: (np.array(D).T @ np.array(A) / len(D)).ravel(), "[[∂L/∂w_11, ∂L/∂w_12], [∂L/∂w_21"),
    ):  # fmt: skip
        feedback = Course("ada").check(name, function)
        assert not feedback and "the wrong shape (" in feedback.text and shape in feedback.text


@pytest.mark.parametrize("name", ["outer", "softmax", "dropout", "batch_norm", "capstone"])
def test_four_digits_are_enough_in_code_too(name):
    def rounded(*arguments):
        right = EXERCISES[name].right(*arguments)
        return [np.round(x, 4) for x in right]

    assert Course("ada").check(name, rounded)


@pytest.mark.parametrize("name", ["evaluate", "pca", "hidden", "sgd"])
def test_two_digits_are_never_enough(name):
    for i in range(40):
        course = Course(f"name {i}")
        right = EXERCISES[name].right(course.problem(name))
        digits = 1 - int(np.floor(np.log10(max(map(abs, right)))))
        few = [round(x, digits) for x in right]
        assert few == right or not course.check(name, few)


def test_what_may_be_rounded_or_wrong_is_called_both():
    course = Course("ada")
    adam = EXERCISES["adam"]
    for i in range(200):
        course = Course(f"name {i}")
        problem = course.problem("adam")
        few = [round(x, 1) for x in adam.right(problem)]
        feedback = course.check("adam", few)
        assert feedback or "ounded too early" in feedback.text


def down(root):
    return ([*down(root.parents[0])] if root.parents else []) + [root]


def in_every_call(root):
    root.grad = 1.0
    for parent, local in zip(root.parents, root.local_derivatives):
        parent.grad += root.grad * local
        in_every_call(parent)


def one_row(D, A):
    rows = [[0.0] * len(A[0])] * len(D[0])
    for d, a in zip(D, A):
        for j, d_j in enumerate(d):
            for k, a_k in enumerate(a):
                rows[j][k] += d_j * a_k / len(D)
    return rows


def sgd(w, b, eta, x, y, share, steps=2):
    x, y = np.array(x), np.array(y)
    for _ in range(steps):
        e = w * x + b - y
        w, b = w - eta * share * sum(e * x), b - eta * share * sum(e)
    return [w, b]


def own_at_L(x, y, z, w, h, g):
    m, a = (x + y) * z, sigmoid(h)
    return [g * m * z, g * m * (x + y), 0.0, g * a * a * (1 - a)]


MORE = [  # exercise, its name for the slip, the answer from the right one and the problem
    ("momentum", "velocities", lambda right, p: (
        (p["w"] - right[0]) / p["eta"], (right[0] - right[1]) / p["eta"])),
    ("sgd", "changes", lambda right, p: (right[0] - p["w"], right[1] - p["b"])),
    ("pca", "reverse order", lambda right, p: right[::-1]),
    ("pca", "without signs", lambda right, p: np.abs(right)),
    ("pca", "feature with the largest", lambda right, p: np.eye(3)[np.var(p["X"], axis=0).argmax()]),
    ("cross_entropy", "σ twice", lambda right, p: sigmoid(sigmoid(p["z"])) - p["y"]),
    ("cross_entropy", "times z", lambda right, p: np.array(right) * p["z"]),
    ("gates", "operands not swapped", lambda right, p: own_at_L(**p)),
    ("batch_norm_backward", "dgamma and dbeta are swapped", lambda right, p: [
        *right[:10], right[11], right[10]]),
    ("hidden", "slope of the output layer", lambda right, p: [
        right[i] / Seen(p).slope1[k] * Seen(p).slope[k] for i, k in enumerate((0, 2))]),
    ("batch_norm", "from 0 to 1", lambda right, p: lambda x, gamma, beta, epsilon: [
        gamma * (v - min(x)) / ((max(x) - min(x)) ** 2 + epsilon) ** 0.5 + beta for v in x]),
    ("batch_norm", "mean of the squares", lambda right, p: lambda x, gamma, beta, epsilon: (
        gamma * (np.array(x) - np.mean(x)) / (np.mean(np.square(x)) + epsilon) ** 0.5 + beta)),
    ("capstone", "parts swapped", lambda right, p: lambda *a: [right(*a)[i] for i in (2, 3, 0, 1)]),
    ("dropout", "another mask", lambda right, p: lambda a, keep, q, training: (
        right(a, [True] * (len(a) - 1) + [not keep[-1]], q, training))),
    ("order", "kept from one call", lambda right, p: lambda root, order=[]: order.extend(topological(root)) or order),
    ("order", "first parent only", lambda right, p: down),
    ("softmax", "one side only", lambda right, p: lambda z, label: (
        np.exp(np.array(z) - max(z)) / np.exp(z).sum() - hot(z, label))),
    ("backward", "1 in every call", lambda right, p: in_every_call),
    ("outer", "all rows are one list", lambda right, p: one_row),
    ("evaluate", "the sign of x̂", lambda right, p: [2 * p["beta"] - y for y in right]),
    ("sgd", "m − 1", lambda right, p: sgd(**p, share=0.5)),
    ("sgd", "one step only", lambda right, p: sgd(**p, share=1.0, steps=1)),
    ("relu", "leak", lambda right, p: lambda z: (max(0.1 * z, z), (z > 0,))),
]  # fmt: skip


@pytest.mark.parametrize(("name", "said", "rule"), MORE, ids=[f"{name}: {said}" for name, said, _ in MORE])
def test_more_natural_wrong_answers_are_called_by_their_names(name, said, rule):
    feedback = checked(name, rule)
    assert not feedback and said in feedback.text, feedback.text


RIGHT = [
    ("order", kahn), ("order", other_way_round), ("order", lambda root: iter(topological(root))),
    ("order", lambda root: dict.fromkeys(topological(root)).keys()),
    ("backward", backward(add)), ("backward", backward(add, order=lambda root: reversed(kahn(root)))),
    ("mul", lambda x, y: (np.float32(x) * np.float32(y), np.array([y, x]))),
    ("mul", lambda *operands: (operands[0] * operands[1], operands[::-1])),
    ("relu", lambda z: (z * (z > 0), ((z > 0) * 1,))), ("relu", lambda z: (z if z > 0 else 0, [z > 0])),
    ("relu", lambda z: ((z + abs(z)) / 2, (int(z > 0),))),
    ("outer", lambda D, A: np.einsum("ij,ik->jk", D, A) / len(A)),
    ("outer", lambda D, A: sum(np.outer(d, a) for d, a in zip(D, A)) / len(D)),
    ("outer", lambda D, A: [list(row) for row in np.mean([np.outer(d, a) for d, a in zip(D, A)], axis=0)]),
    ("softmax", lambda z, label: softmax(z) - hot(z, label)),
    ("softmax", lambda z, label: (softmax(np.array(z, "float32")) - hot(z, label)).tolist()),
    ("softmax", lambda z, label: [
        (np.log(np.sum(np.exp(z + 1e-5 * e))) - np.log(np.sum(np.exp(z - 1e-5 * e)))) / 2e-5 - e[label]
        for e in np.eye(len(z))]),
]  # fmt: skip


@pytest.mark.parametrize("student", STUDENTS)
@pytest.mark.parametrize(("exercise", "function"), RIGHT)
def test_a_right_function_of_another_style_is_right(exercise, function, student):
    feedback = Course(student).check(exercise, function)
    assert feedback, feedback.text
