"""Exercises that recognise known mistakes: a wrong answer is compared with what each mistake would give.

Every student has numbers of their own, made from their name; an answer is numbers, or code that is run on cases.
"""

from __future__ import annotations

from nn.lecture.exercises.course import Course
from nn.lecture.exercises.exercise import Exercise, Mistake, Verdict

__all__ = ["Course", "Exercise", "Mistake", "Verdict"]
