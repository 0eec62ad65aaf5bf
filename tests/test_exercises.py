"""Tests of the exercises: right answers are accepted, and known mistakes are recognised from their numbers."""

import itertools
import random
import signal
import sys
import threading
from dataclasses import replace
from math import inf, nan

import numpy as np
import pytest
from conftest import printed

from autograd import Value, named
from autograd.graph import topological_order
from nn.lecture.exercises import EXERCISES, Course, guard
from nn.lecture.exercises.exercise import apart, flat
from nn.lecture.exercises.gradient_exercises import BACKWARD

on_each = pytest.mark.parametrize("name", EXERCISES)
STUDENTS = [f"student {i}" for i in range(20)]


def test_there_are_about_twenty_and_many_are_code():
    assert 18 <= len(EXERCISES) <= 20
    assert sum(exercise.is_code for exercise in EXERCISES.values()) >= 8


def test_the_mistakes_that_students_make_are_known():
    known = {mistake.name for exercise in EXERCISES.values() for mistake in exercise.mistakes}
    assert known >= {
        "assigned instead of added", "stale gradients", "no topological order", "W for Wᵀ", "g for g′",
        "forgot the upstream", "sum for mean", "unscaled", "batch statistics at test time", "1/(m − 1) for 1/m",
    }  # fmt: skip


@pytest.mark.slow
def test_a_planted_mistake_comes_first_in_a_thousand_cases():
    # one without an answer is recognised by what a function does, not by its numbers
    plans = [
        (exercise, mistake) for exercise in EXERCISES.values() for mistake in exercise.mistakes if mistake.answer
    ]
    rng = random.Random(0)
    first = cases = 0
    while cases < 1000:
        for exercise, mistake in plans:
            student = f"{rng.random()}"
            problem = exercise.problem(student)
            answer = exercise.answer(problem, mistake.answer)
            if not exercise.is_code:  # as somebody writes it down
                answer = [float(f"{x:.4g}") for x in flat(answer)]
            found = exercise.rank(problem, exercise.numbers(problem, answer))
            first += bool(found) and found[0] is mistake
            cases += 1
    assert first >= 0.95 * cases


@on_each
@pytest.mark.parametrize("student", STUDENTS)
def test_a_right_answer_is_right_and_never_blamed(name, student):
    course, exercise = Course(student), EXERCISES[name]
    problem = course.problem(name)
    right = exercise.answer(problem, exercise.right)
    answers = [right]
    if not exercise.is_code:
        answers += [[float(f"{x:.4g}") for x in right], tuple(right), np.array(right), [Value(x) for x in right]]
    for answer in answers:
        verdict = course.check(name, answer)
        assert verdict and verdict.mistake is None
    assert str(verdict).startswith("✓ Right.")  # whose explanation takes long and is the same for each of them


@on_each
def test_what_is_shown_after_success_is_explained_and_checked(name):
    course = Course("ada")
    exercise = EXERCISES[name]
    shown = str(course.check(name, exercise.answer(course.problem(name), exercise.right)).shown)
    if name == "order":  # has no derivative
        assert shown == "<Graph of f: 8 nodes>"
        return
    assert any(line.startswith(("∂", "δ")) for line in shown.splitlines())
    assert "✓ backward" in shown and "✗" not in shown


@on_each
def test_numbers_are_ones_own_and_stay(name):
    asked = {str(Course(student).ask(name)) for student in STUDENTS}
    problems = {repr(Course(student).problem(name)) for student in STUDENTS}
    assert len(problems) > 5
    assert len(asked) > 5 or EXERCISES[name].is_code
    assert Course("ada").problem(name) == Course("ada").problem(name)


@on_each
def test_three_hints_each_another_and_then_the_last_again(name):
    course = Course("ada")
    hints = [str(course.hint(name)) for _ in range(4)]
    assert [hint[:11] for hint in hints] == ["Hint 1 of 3", "Hint 2 of 3", "Hint 3 of 3", "Hint 3 of 3"]
    assert len(set(hints)) == 3


@on_each
def test_what_is_no_answer_is_said_to_be_none(name):
    course, exercise = Course("ada"), EXERCISES[name]

    def unsolved(*arguments):
        raise NotImplementedError

    def broken(*arguments):
        return 1 / 0

    if exercise.is_code:
        wrong = {unsolved: "Not answered yet", broken: "raised ZeroDivisionError", 3: "raised TypeError"}
        if name == "order":  # whose answer is a list of nodes
            wrong |= {lambda root: None: "returned nothing", lambda root: 3: "a value of type int"}
        elif name != "backward":  # which writes its answer into the nodes
            wrong |= {
                lambda *arguments: None: "returned nothing",
                lambda *arguments: [1.0] * 99: "returned 99 numbers",
            }
            wrong |= {lambda *arguments: {"a": 1.0}: "a value of type dict"}
    else:
        wrong = {
            None: "Not answered yet",
            ...: "Not answered yet",
            "two": "contains the text 'two'",
            (1.0,) * 9: "gave 9",
        }
        wrong |= {
            (1.0,): "gave 1 number: it must give",
            1j: "a value of type complex",
            10**400: "a value of type int",
        }
        wrong |= {(nan,) * len(exercise.right(course.problem(name))): "gave nan"}
        wrong |= {(inf,) * len(exercise.right(course.problem(name))): "gave inf"}
    for answer, said in wrong.items():
        verdict = course.check(name, answer)
        assert not verdict and verdict.mistake is None
        assert said in str(verdict)


@pytest.mark.parametrize("name", [name for name, exercise in EXERCISES.items() if not exercise.is_code])
def test_an_unknown_mistake_is_not_guessed_at(name):
    course = Course("ada")
    right = EXERCISES[name].right(course.problem(name))
    verdict = course.check(name, [1.37 * x + 0.31 for x in right])
    assert verdict.mistake is None and "not one of the known mistakes" in str(verdict)


STYLES = {
    "mul": [
        lambda x, y: [x * y, [y, x]], lambda x, y: (x * y, np.array([y, x])),
        lambda x, y: (np.float64(x * y), (k for k in (y, x))),
    ],
    "relu": [lambda z: (max(0, z), (z > 0,)), lambda z: (np.maximum(0, z), np.where([z > 0], 1, 0))],
    "outer": [
        lambda D, A: np.array(D).T @ np.array(A) / len(D),
        lambda D, A: np.mean([np.outer(d, a) for d, a in zip(D, A)], axis=0),
    ],
    "softmax": [
        lambda z, label: np.exp(z) / np.exp(z).sum() - np.eye(len(z))[label],
        lambda z, label: tuple(np.exp(z_k) / np.exp(z).sum() - (k == label) for k, z_k in enumerate(z)),
    ],
    "dropout": [
        lambda a, keep, p, training: np.array(a) * keep / (1 - p) if training else np.array(a),
        lambda a, keep, p, training: map(lambda a_j, k: a_j * k / (1 - p) if training else a_j, a, keep),
    ],
    "batch_norm": [
        lambda x, gamma, beta, epsilon: gamma * (np.array(x) - np.mean(x)) / np.sqrt(np.var(x) + epsilon) + beta,
        lambda x, gamma, beta, epsilon: (gamma * (v - np.mean(x)) / (np.var(x) + epsilon) ** 0.5 + beta for v in x),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", STYLES)
def test_another_style_is_right_too(name):
    for student in STUDENTS[:5]:
        for answer in STYLES[name]:
            assert Course(student).check(name, answer)


def test_a_mistake_in_one_number_only_is_told_and_what_is_right_is_said_to_be():
    course = Course("ada")
    r, s = course.problem("xyz")["r"], course.problem("xyz")["s"]
    verdict = course.check("xyz", [r * s * s, 2 * r * r * s])
    assert verdict.mistake.name == "one path only" and "Already right: number 2." in verdict.text


def test_what_was_rounded_on_the_way_is_told_from_what_is_wrong():
    course = Course("ada")
    right = EXERCISES["sgd"].right(course.problem("sgd"))
    verdict = course.check("sgd", [x + 0.01 * max(map(abs, right)) for x in right])
    assert not verdict and verdict.mistake is None and verdict.text.startswith("Nearly: rounded too early.")


def test_an_axis_of_any_length_or_sign_is_told_from_the_right_one():
    course = Course("ada")
    u = np.array(EXERCISES["pca"].right(course.problem("pca")))
    assert course.check("pca", -u).mistake.name == "the opposite direction"
    assert course.check("pca", -7.0 * u).mistake.name == "not of length 1"
    vectors = np.linalg.eigh(np.cov(np.transpose(course.problem("pca")["X"])))[1]
    assert course.check("pca", -2.0 * vectors[:, 1]).mistake.name == "the second axis"
    assert course.check("pca", vectors[:, 0]).mistake.name == "the axis of least variance"
    assert course.check("pca", vectors[-1]).mistake.name == "a row of V"


def test_a_function_that_breaks_is_told_where():
    verdict = Course("ada").check("relu", lambda z: (max(0.0, z), (max(0.0, z) / z,)))
    assert verdict.text == "Your function raised ZeroDivisionError: float division by zero (at z = 0)."


# ---- the backward pass -------------------------------------------------------------------------------------------


def test_the_smallest_graph_that_fails_is_drawn():
    course = Course("ada")
    smallest = {
        "forgot the upstream": "a chain", "assigned instead of added": "x + x", "stale gradients": "a product",
        "no topological order": "a short and a long path", "no 1 at the root": "a product",
        "a node passed on more than once": "a short and a long path", "stale gradients in the inputs": "a product",
        "the list from the wrong end": "a chain", "nothing written": "a product",
        "one entry for each parent": "x + x",
        "one level only": "a chain",
    }  # fmt: skip
    for mistake in EXERCISES["backward"].mistakes:
        verdict = course.check("backward", mistake.answer)
        assert mistake.name in verdict.text
        assert f"First at {smallest.get(mistake.name, 'a product')}" in verdict.text
        assert "<img" in verdict._repr_html_() or "<svg" in verdict._repr_html_()


def test_the_node_at_fault_is_framed_in_the_drawing():
    verdict = Course("ada").check("backward", lambda root: None)
    assert [box.key for box in verdict.shown.figure.boxes if box.lit] == ["f"]  # the first one on the way back
    verdict = Course("ada").check("order", lambda root: topological_order(root)[1:])
    assert [box.key for box in verdict.shown.figure.boxes if box.lit] == ["x"]
    assert verdict.text.endswith("First on a product, node x: it is missing.")


def test_a_backward_of_the_students_own_is_accepted():
    def backward(root):
        order, seen = [], set()

        def visit(node):
            if node not in seen:
                seen.add(node)
                for parent in node.parents:
                    visit(parent)
                order.append(node)

        visit(root)
        for node in order:
            node.grad = 0.0
        root.grad = 1.0
        while order:
            node = order.pop()
            for i in range(len(node.parents)):
                node.parents[i].grad += node.local_derivatives[i] * node.grad

    assert Course("ada").check("backward", backward)


def test_the_backward_that_is_taken_for_right_agrees_with_the_engine():
    x, y = Value(0.5, "x"), Value(-1.5, "y")
    f = named(f=(x * y + x) ** 2)
    BACKWARD.right(f)
    found = [node.grad for node in topological_order(f)]
    x.grad = y.grad = 0.0
    f.backward()
    assert found == [node.grad for node in topological_order(f)]


def test_a_backward_that_loses_a_node_is_told_so_and_nothing_else_breaks():
    def backward(root):
        root.grad = 1.0
        root.missing.grad = 2.0

    verdict = Course("ada").check("backward", backward)
    assert "raised AttributeError" in str(verdict)


# ---- the rest ----------------------------------------------------------------------------------------------------


def test_an_exercise_that_is_none_is_refused():
    with pytest.raises(ValueError, match="unknown exercise 'xy': choose from xyz, mul"):
        Course("ada").ask("xy")


def test_a_function_cannot_change_the_cases_that_it_is_given():
    course = Course("ada")
    before = repr(course.problem("batch_norm"))

    def greedy(x, gamma, beta, epsilon):
        x.clear()
        return []

    assert "returned 0 numbers" in str(course.check("batch_norm", greedy))
    assert repr(course.problem("batch_norm")) == before


class Hostile:
    def __getattr__(self, name):
        raise ZeroDivisionError(name)

    __repr__ = __str__ = __getattr__


class Endless:
    def tolist(self):
        while True:
            pass


class Unreadable(Exception):
    def __str__(self):
        raise KeyError


def loops(*arguments):
    while True:
        pass


def insists(*arguments):
    while True:
        try:  # noqa: SIM105
            loops()
        except:  # noqa: E722
            pass


def recurses(*arguments):
    return recurses(*arguments)


def leaves(*arguments):
    sys.exit("good-bye")


def interrupts(*arguments):
    raise KeyboardInterrupt


def raises(*arguments):
    raise Unreadable


def prints(*arguments):
    while True:
        print("x" * 1000)


def counts(*arguments):
    return itertools.count()


def yields_nothing(*arguments):
    return iter(lambda: [], 0)


def has_itself(*arguments):
    numbers = []
    numbers.append(numbers)
    return numbers


@pytest.mark.parametrize(("answer", "said"), [
    (loops, "did not end within"), (insists, "did not end within"), (prints, "did not end within"),
    (yields_nothing, "more than 10,000 numbers"), (recurses, "indefinitely"), (has_itself, "indefinitely"),
    (leaves, "raised SystemExit: good-bye"), (interrupts, "raised KeyboardInterrupt"), (raises, "raised Unreadable"),
    (counts, "more than 10,000 numbers"), (lambda z: np.zeros(10**7), "more than 10,000 numbers"),
    (lambda z: Hostile(), "raised ZeroDivisionError"), (lambda z: Endless(), "did not end within"),
    (lambda z: "9" * 10**6, "contains the text '999"),
])  # fmt: skip
def test_whatever_an_answer_does_ends_in_one_short_sentence(answer, said, capsys):
    relu = replace(EXERCISES["relu"], seconds=0.3)
    before = sys.gettrace(), threading.active_count()
    verdict = relu.check(relu.problem("ada"), answer)
    assert not verdict and said in verdict.text and len(verdict.text) < 300 and "\n" not in verdict.text
    assert (sys.gettrace(), threading.active_count()) == before
    assert len(capsys.readouterr().out) < 3000


def test_a_loop_without_an_end_is_stopped_in_a_thread_and_where_there_are_no_threads(monkeypatch):
    said = []
    relu = replace(EXERCISES["relu"], seconds=0.3)
    thread = threading.Thread(target=lambda: said.append(relu.check(relu.problem("ada"), loops).text))
    thread.start()
    thread.join()

    def no_thread(*arguments):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(guard, "_watch", no_thread)
    said.append(relu.check(relu.problem("ada"), loops).text)
    assert all("did not end within 0.3 seconds" in text for text in said) and len(said) == 2


def test_a_ctrl_c_from_the_keyboard_still_works():
    relu = replace(EXERCISES["relu"], seconds=20.0)

    def interrupted(*arguments):
        threading.Timer(0.3, signal.raise_signal, [signal.SIGINT]).start()  # it comes while the loop runs
        loops()

    with pytest.raises(KeyboardInterrupt):
        relu.check(relu.problem("ada"), interrupted)


@on_each
@pytest.mark.parametrize("names", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_no_wrong_variant_is_right_for_any_name(name, names):
    exercise = EXERCISES[name]
    for i in range(5 if exercise.is_code else names):
        problem = exercise.problem(f"name {i}")
        for wrong, numbers in exercise.singles(problem)[1:]:
            assert not exercise.agrees(problem, numbers), (i, wrong)


@pytest.mark.parametrize("name", EXERCISES)
def test_own_mistakes_differ_from_each_other(name):
    exercise = EXERCISES[name]
    own = {"", *(mistake.name for mistake in exercise.mistakes)}
    alike = {frozenset(pair) for pair in exercise._structural if own.issuperset(pair)}
    assert alike <= {
        frozenset(("the list from the wrong end", "one level only")),  # only the root passes something on
        frozenset(("divided by the slope", "the derivative of cross-entropy")),  # (a − y)/(a(1 − a)) is both
    }


def test_numbers_that_look_alike_are_written_with_more_digits():
    assert apart(-3.0, -3.0000001) == ("-3", "-3.0000001")
    assert apart(1.0, 2.0) == ("1", "2")


def test_of_two_equally_simple_explanations_both_are_given():
    verdict = Course("ada").check("backward", EXERCISES["backward"].mistakes[-2].answer)
    assert "either" in verdict.text and "one level only" in verdict.text


def test_what_is_rounded_by_code_is_nearly_right():
    verdict = Course("ada").check(
        "softmax", lambda z, label: [round(x, 3) for x in EXERCISES["softmax"].right(z, label)]
    )
    assert not verdict and verdict.text.startswith("Nearly: rounded too early.")


def test_hostile_names_and_texts_are_escaped_in_html():
    verdict = Course("<script>").check("xyz", "<script>alert(1)</script>")
    assert "<script>" not in verdict._repr_html_()


def test_numbers_are_the_same_in_another_process():
    code = "from nn.lecture.exercises import Course; print(Course('ada').problem('hidden'))"
    assert printed(code).strip() == repr(Course("ada").problem("hidden"))
