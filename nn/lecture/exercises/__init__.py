"""Exercises that say what went wrong: they compare a wrong answer with the answers that known mistakes give.

Each student gets different numbers, made from the name; an answer is a list of numbers, or code that is run on cases.
"""

from __future__ import annotations

from nn.lecture.exercises.course import Course
from nn.lecture.exercises.exercise import Exercise, Feedback, Mistake

__all__ = ["Course", "Exercise", "Feedback", "Mistake"]
