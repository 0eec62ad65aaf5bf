"""Exercises that say what went wrong: they compare a wrong answer with the answers that known mistakes give.

Each student gets different numbers, made from the name; an answer is a list of numbers, or code that is run on cases.
"""

from typing import Any

from nn.lecture.exercises import gradient_exercises, training_exercises
from nn.lecture.exercises.exercise import Exercise, Feedback, Mistake

__all__ = ["EXERCISES", "Course", "Exercise", "Feedback", "Mistake"]

EXERCISES = {exercise.name: exercise for exercise in (*gradient_exercises.EXERCISES, *training_exercises.EXERCISES)}


class Text(str):
    """A string that a notebook shows as Markdown."""

    _repr_markdown_ = __repr__ = str.__str__


class Course:
    """The exercises of one student.

    student   any name; the numbers are made from it, so they differ between students

    >>> course = Course("ada")
    >>> print(course.hint("xyz"))
    Hint 1 of 3: r is in x and in y, s is in y and in z. Draw the graph and count the paths.
    >>> problem = course.problem("xyz")
    >>> r, s = problem["r"], problem["s"]
    >>> bool(course.check("xyz", [2 * r * s * s, 2 * r * r * s]))
    True
    >>> print(course.check("xyz", [r * s * s, r * r * s]).mistake.name)
    assigned instead of added
    """

    def __init__(self, student: str) -> None:
        self.student = student
        self._hints: dict[str, int] = {}

    def problem(self, name: str) -> dict[str, Any]:
        """The numbers of an exercise. ValueError for an unknown name."""
        return self._exercise(name).problem(self.student)

    def ask(self, name: str) -> Text:
        """The question, with this student's numbers."""
        exercise = self._exercise(name)
        return Text(f"**{exercise.title}**\n\n{exercise.question(self.problem(name))}")

    def hint(self, name: str) -> Text:
        """The next hint; the third is repeated."""
        exercise = self._exercise(name)
        count = self._hints[name] = min(self._hints.get(name, 0) + 1, len(exercise.hints))
        return Text(f"Hint {count} of {len(exercise.hints)}: {exercise.hints[count - 1]}")

    def check(self, name: str, answer: Any) -> Feedback:
        """The feedback: true for a right answer, else with the known mistake that gives it."""
        return self._exercise(name).check(self.problem(name), answer)

    def _exercise(self, name: str) -> Exercise:
        if name not in EXERCISES:
            raise ValueError(f"unknown exercise {name!r}: choose from {', '.join(EXERCISES)}")
        return EXERCISES[name]
