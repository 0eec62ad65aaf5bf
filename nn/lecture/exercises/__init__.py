"""Provides exercises that diagnose a wrong answer by comparing it with the answers that known mistakes produce.

Each student has different numbers, made from the name. An answer is a list of numbers, or a function that is run on
several cases.
"""

from __future__ import annotations

import sys
from contextlib import redirect_stderr
from dataclasses import replace
from html import escape
from typing import Any
from warnings import catch_warnings, simplefilter

from nn.lecture.exercises import gradient_exercises, network_exercises, training_exercises
from nn.lecture.exercises.exercise import Exercise, Feedback, Mistake

__all__ = ["EXERCISES", "Course", "Exercise", "Feedback", "Grade", "Mistake"]

ORDER = (
    "xyz", "mul", "order", "backward", "gates", "relu", "bias", "hidden", "outer", "softmax", "cross_entropy", "sgd",
    "momentum", "adam", "capstone", "dropout", "pca", "batch_norm", "batch_norm_backward", "evaluate",
)  # fmt: skip
EXERCISES: dict[str, Exercise] = {
    exercise.name: exercise
    for exercise in sorted(
        (*gradient_exercises.EXERCISES, *training_exercises.EXERCISES, *network_exercises.EXERCISES),
        key=lambda exercise: ORDER.index(exercise.name),
    )
}


class Text(str):
    """A string that a notebook shows as Markdown."""

    _repr_markdown_ = __repr__ = str.__str__


class Grade(float):
    """The points for an answer. A notebook shows the feedback; nbgrader reads the number."""

    feedback: Feedback
    most: float

    def __new__(cls, feedback: Feedback, most: float) -> Grade:
        share = getattr(feedback, "share", float(feedback.right))  # an answer in several lines may be partly right
        grade = super().__new__(cls, round(most * share, 2))
        grade.feedback, grade.most = feedback, most
        return grade

    def __str__(self) -> str:
        return f"{self.feedback}\nPoints: {self:g} of {self.most:g}"

    def _repr_html_(self) -> str:
        return f"{self.feedback._repr_html_()}<p>Points: {self:g} of {self.most:g}</p>"


class Course:
    """The exercises of one student.

    student   any name; the numbers are made from it, so they differ between students
    text_of   the name whose numbers appear in the text around this course, if any

    >>> course = Course("ada")
    >>> print(course.hint("xyz"))
    Hint 1 of 3: x and y contain r; y and z contain s. Draw the graph and count the paths.
    >>> problem = course.problem("xyz")
    >>> r, s = problem["r"], problem["s"]
    >>> bool(course.check("xyz", [2 * r * s * s, 2 * r * r * s]))
    True
    >>> print(course.check("xyz", [r * s * s, r * r * s]).mistake.name)
    one path only
    >>> course.grade("xyz", [2 * r * s * s, 2 * r * r * s], points=2)
    2.0
    """

    def __init__(self, student: str, text_of: str = "") -> None:
        self.student = student
        self.text_of = text_of
        self._hints: dict[str, int] = {}

    def problem(self, name: str) -> dict[str, Any]:
        """Return the numbers of an exercise. Raises ValueError for an unknown name."""
        return self._exercise(name).problem(self.student)

    def ask(self, name: str) -> Text:
        """Return the question with this student's numbers."""
        exercise = self._exercise(name)
        return Text(f"**{exercise.title}**\n\n{exercise.question(self.problem(name))}")

    def hint(self, name: str) -> Text:
        """Return the next hint; the third is repeated."""
        exercise = self._exercise(name)
        count = self._hints[name] = min(self._hints.get(name, 0) + 1, len(exercise.hints))
        return Text(f"Hint {count} of {len(exercise.hints)}: {exercise.hints[count - 1]}")

    def check(self, name: str, answer: Any) -> Feedback:
        """Return the feedback: true for a correct answer, otherwise with the known mistake that explains it."""
        exercise = self._exercise(name)
        feedback = exercise.check(exercise.problem(self.student), answer)
        if feedback or exercise.is_code or not self._other_numbers:
            return feedback
        return replace(feedback, text=f'{feedback.text} {self._other_numbers} `course.ask("{name}")` shows yours.')

    def grade(self, name: str, answer: Any, points: float = 1.0) -> Grade:
        """Return the points for an answer, shown with the feedback. Output to stderr is sent to stdout."""
        # nbgrader gives no points for a cell that wrote to stderr
        with catch_warnings(), redirect_stderr(sys.stdout):
            simplefilter("ignore")
            return Grade(self.check(name, answer), points)

    @property
    def _other_numbers(self) -> str:
        """A warning if the text has another student's numbers, otherwise an empty string."""
        if not self.text_of or self.text_of == self.student:
            return ""
        return f"The text of this file has the numbers of {self.text_of}, but the check expects {self.student}'s."

    def __repr__(self) -> str:
        warning = self._other_numbers and (
            f' {self._other_numbers} course.ask("xyz") shows a question with your numbers; '
            f"release.py --student {self.student!r} makes a file with them."
        )
        return f"The exercises of {self.student}, {len(EXERCISES)} in all.{warning}"

    def _repr_html_(self) -> str:
        return f"<p>{'<b>Attention.</b> ' * bool(self._other_numbers)}{escape(repr(self))}</p>"

    def _exercise(self, name: str) -> Exercise:
        if name not in EXERCISES:
            raise ValueError(f"unknown exercise {name!r}: choose from {', '.join(EXERCISES)}")
        return EXERCISES[name]
