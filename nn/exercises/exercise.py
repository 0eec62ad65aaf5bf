"""An exercise: numbers made from a seed, the right answer, and the known mistakes as answers of their own.

A mistake is written down as the wrong calculation that it is. Its numbers are compared with the student's, so that
the diagnosis says which thought went astray, and not only that one did.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from math import isfinite
from random import Random
from typing import Any

Problem = dict[str, Any]
BY_HAND, BY_CODE = 2e-3, 1e-9  # how near, of the largest number, an answer on paper and one by code have to be


@dataclass(frozen=True)
class Mistake:
    """A way to go wrong.

    name       in a few words
    sentence   what to think again
    answer     what it answers to a problem: numbers, or a function
    """

    name: str
    sentence: str
    answer: Callable[[Problem], Any]


@dataclass(frozen=True)
class Exercise:
    """A question with its answer, its mistakes and its hints.

    name         for ``course.ask``
    title        in a line
    question     the text for a problem, in Markdown
    make         a problem from a generator
    right        its answer: a list of numbers, or a function
    mistakes     the known ones
    hints        three, each says more
    derivation   what is shown after success
    numbers      of a function, what it gives on all cases; None: the answer is the numbers
    cases        of a function, what the places in ``numbers`` are, in words
    picture      of a function's failure at such a place, something that a notebook shows
    """

    name: str
    title: str
    question: Callable[[Problem], str]
    make: Callable[[Random], Problem]
    right: Callable[[Problem], Any]
    mistakes: tuple[Mistake, ...]
    hints: tuple[str, str, str]
    derivation: Callable[[Problem], Any]
    numbers: Callable[[Problem, Any], list[float]] | None = None
    cases: Callable[[Problem], list[str]] | None = None
    picture: Callable[[Problem, int], Any] | None = None

    @property
    def is_code(self) -> bool:
        """Whether the answer is a function."""
        return self.numbers is not None

    @property
    def tolerance(self) -> float:
        """How near an answer needs to be, of its largest number."""
        return BY_CODE if self.is_code else BY_HAND

    def problem(self, student: str) -> Problem:
        """The student's own: numbers for which the right answer and all mistakes differ from each other."""
        rng = Random(f"{self.name} of {student}")
        for _ in range(1000):
            problem = self.make(rng)
            if self._tells_apart(problem):
                return problem
        raise RuntimeError(f"exercise {self.name!r}: 1,000 problems, and mistakes give equal numbers in each")

    def measure(self, problem: Problem, answer: Any) -> list[float]:
        """The numbers of an answer. Raises whatever the student's code raises."""
        return self.numbers(problem, answer) if self.numbers is not None else flat(answer)

    def check(self, problem: Problem, answer: Any) -> Verdict:
        """What is to be said about an answer; never raises."""
        expected = self.measure(problem, self.right(problem))
        try:
            found = self.measure(problem, answer)
        except NotImplementedError:
            return Verdict(False, None, "Not answered yet.")
        except Exception as error:
            return Verdict(False, None, f"{self._subject} raised {type(error).__name__}: {error}")
        if len(found) != len(expected):
            return Verdict(
                False, None, f"{self._subject} gave {len(found)} numbers, and {len(expected)} are asked for."
            )
        if not all(map(isfinite, found)):
            return Verdict(
                False, None, f"{self._subject} gave {_first_not_finite(found)}: every number is finite here."
            )
        if self._near(found, expected):
            return Verdict(True, None, "Right.", self.derivation(problem))
        for mistake in self.rank(problem, found):
            return self._wrong(problem, found, expected, mistake)
        return self._wrong(problem, found, expected, None)

    def rank(self, problem: Problem, found: Sequence[float]) -> list[Mistake]:
        """The known mistakes that give these numbers, the nearest first."""
        near: list[tuple[float, int, Mistake]] = []
        for mistake in self.mistakes:
            numbers = self.measure(problem, mistake.answer(problem))
            if self._near(found, numbers):
                near.append((_distance(found, numbers), len(near), mistake))
        return [mistake for _, _, mistake in sorted(near)]

    @property
    def _subject(self) -> str:
        return "Your function" if self.is_code else "Your answer"

    def _near(self, found: Sequence[float], numbers: Sequence[float]) -> bool:
        largest = max((abs(x) for x in numbers), default=0.0) or 1.0
        return len(found) == len(numbers) and _distance(found, numbers) <= self.tolerance * largest

    def _tells_apart(self, problem: Problem) -> bool:
        answers = [self.measure(problem, self.right(problem))]
        answers += [self.measure(problem, mistake.answer(problem)) for mistake in self.mistakes]
        return not any(
            self._near(a, b) or self._near(b, a) or _distance(a, b) <= 4 * self.tolerance * max(map(abs, [*a, *b]))
            for i, a in enumerate(answers)
            for b in answers[:i]
            if len(a) == len(b)
        )

    def _wrong(
        self, problem: Problem, found: Sequence[float], expected: Sequence[float], mistake: Mistake | None
    ) -> Verdict:
        place = next(i for i, (a, b) in enumerate(zip(found, expected)) if not self._near([a], [b]))
        case = self.cases(problem)[place] if self.cases else ""
        told = f" First at {case}: {found[place]:.6g} instead of {expected[place]:.6g}." if case else ""
        picture = self.picture(problem, place) if self.picture else None
        if mistake is None:
            return Verdict(False, None, f"Not yet, and it is none of the known mistakes.{told}", picture)
        return Verdict(False, mistake, f"Not yet. This looks like: {mistake.name}. {mistake.sentence}{told}", picture)


@dataclass(frozen=True)
class Verdict:
    """True for a right answer. A notebook shows the text, and below it the derivation or the smallest failure."""

    right: bool
    mistake: Mistake | None
    text: str
    shown: Any = field(default=None, compare=False)

    def __bool__(self) -> bool:
        return self.right

    def __str__(self) -> str:
        shown = "" if self.shown is None else f"\n{self.shown}"
        return f"{'✓' if self.right else '✗'} {self.text}{shown}"

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        colour = "#009E73" if self.right else "#D55E00"
        text = f"<p><b style='color:{colour}'>{'✓' if self.right else '✗'}</b> {escape(self.text)}</p>"
        if self.shown is None:
            return text
        to_html = getattr(self.shown, "_repr_html_", None)
        return text + (to_html() if to_html else f"<pre>{escape(str(self.shown))}</pre>")


def flat(answer: Any) -> list[float]:
    """The numbers of an answer: of a number, of lists in lists, of Values or arrays. TypeError for anything else."""
    if hasattr(answer, "tolist"):
        answer = answer.tolist()
    if isinstance(answer, (list, tuple)):
        return [x for row in answer for x in flat(row)]
    if answer is None or answer is ...:
        raise NotImplementedError
    if isinstance(answer, (str, bytes)):
        raise TypeError(f"{answer!r} is text: give numbers")
    return [float(answer)]


def _distance(a: Sequence[float], b: Sequence[float]) -> float:
    return max((abs(x - y) for x, y in zip(a, b)), default=0.0)


def _first_not_finite(numbers: Sequence[float]) -> float:
    return next(x for x in numbers if not isfinite(x))
