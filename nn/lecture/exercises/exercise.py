"""An exercise: its numbers, its right answer, and the known mistakes, which are compared with a wrong answer.

A mistake is a calculation, the right one with one change, so that the feedback names the step that went wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from html import escape
from itertools import permutations
from math import isfinite
from random import Random
from typing import Any

from autograd import explain
from autograd.operands import number_of
from autograd.parser import Definitions
from autograd.text import clipped, counted, printable, text_name

Problem = dict[str, Any]
BY_HAND, BY_CODE = 2e-3, 1e-9  # tolerances of an answer on paper and of one by code, relative to the largest number
NEARLY = 2e-2  # an answer on paper within this tolerance was rounded too early
MOST_WORDS = 300  # characters of an error that the student's code raised


class NoAnswer(Exception):
    """The answer cannot be compared: the message continues "Your function" or "Your answer"."""


def flat(answer: Any) -> list[float]:
    """The numbers of an answer: of a number, of lists in lists, of Values or arrays. NoAnswer for anything else."""
    if hasattr(answer, "tolist"):
        answer = answer.tolist()
    if isinstance(answer, (list, tuple, Iterator)):
        return [x for row in answer for x in flat(row)]
    if answer is None or answer is ...:
        raise NotImplementedError
    if isinstance(answer, (str, bytes)):
        raise NoAnswer(f"has the text {answer!r}: it needs numbers")
    try:
        return [number_of(answer)]
    except (TypeError, ValueError, OverflowError):
        raise NoAnswer(f"has a value of type {type(answer).__name__}: it needs numbers") from None


def on_paper(problem: Problem, answer: Any) -> list[float]:
    """The numbers of an answer that is not a function."""
    return flat(answer)


def tried(words: Callable[..., str], places: Callable[..., Sequence[str]]) -> dict[str, Any]:
    """The fields ``numbers`` and ``cases`` of an exercise whose answer is a function; a case is its arguments.

    words    describes a case, as "at x = 2"
    places   describes each of its numbers
    """

    def numbers(problem: Problem, function: Callable[..., Any]) -> list[float]:
        found = []
        for case in problem["cases"]:
            try:
                returned = function(*deepcopy(case))  # which may change its arguments
            except NotImplementedError:
                raise
            except Exception as error:
                raise NoAnswer(f"{_raised(error)} ({words(*case)})") from error
            if returned is None:
                raise NoAnswer(f"returned nothing ({words(*case)}): it needs a `return`")
            given, names = flat(returned), places(*case)
            if len(given) != len(names):
                count = f"{counted(len(given), 'number')} {words(*case)}"
                raise NoAnswer(f"returned {count}: it needs {len(names)}, from {names[0]} to {names[-1]}")
            found += given
        return found

    def cases(problem: Problem) -> list[str]:
        return [f"{place} {words(*case)}" for case in problem["cases"] for place in places(*case)]

    return {"numbers": numbers, "cases": cases}


def explained(text: str, wrt: str, **numbers: float) -> Any:
    """The derivative of the first of these definitions with respect to a name, at these numbers."""
    definitions = Definitions(text)
    nodes = definitions.at(**numbers)
    return explain(nodes[definitions.name], wrt=nodes[wrt])


@dataclass(frozen=True)
class Mistake:
    """A known mistake."""

    name: str
    sentence: str  # what to think about again
    answer: Callable[..., Any]  # the rule by which it answers, as in Exercise.right
    recognises: Callable[[Problem, Sequence[float]], bool] | None = None  # other numbers that are the same mistake


def mistakes(
    *rows: tuple[Any, ...], of: Callable[[Any], Callable[[Problem], Any]] = lambda rule: rule
) -> tuple[Mistake, ...]:
    """A Mistake for each row of name, rule and sentence; ``of`` completes each rule."""
    return tuple(Mistake(name, sentence, of(rule), *rest) for name, rule, sentence, *rest in rows)


@dataclass(frozen=True)
class Exercise:
    """A question with its answer, its mistakes and its hints."""

    name: str  # for ``course.ask``
    title: str
    question: Callable[[Problem], str]  # the text for a problem, in Markdown
    make: Callable[[Random], Problem]
    right: Callable[..., Any]  # gives the numbers for a problem, or is the function that the question asks to write
    mistakes: tuple[Mistake, ...]
    hints: tuple[str, str, str]  # each says more
    derivation: Callable[[Problem], Any]  # is shown after success
    numbers: Callable[[Problem, Any], list[float]] = on_paper
    # where the answer is a function, ``numbers`` runs it on all cases; these describe a number and draw a wrong one
    cases: Callable[[Problem], list[str]] | None = None
    picture: Callable[[Problem, int], Any] | None = None

    @property
    def is_code(self) -> bool:
        """Whether the answer is a function."""
        return self.cases is not None

    @property
    def tolerance(self) -> float:
        """How near an answer needs to be, relative to its largest number."""
        return BY_CODE if self.is_code else BY_HAND

    def problem(self, student: str) -> Problem:
        """The student's own numbers, for which the right answer and all mistakes differ from each other."""
        rng = Random(f"{self.name} of {student}")
        for _ in range(1000):
            problem = self.make(rng)
            rules = [self.right, *(mistake.answer for mistake in self.mistakes)]
            answers = [self._by(problem, rule) for rule in rules]
            if not any(self._near(a, b, 4 * self.tolerance) for a, b in permutations(answers, 2)):
                return problem
        raise RuntimeError(f"exercise {self.name!r}: mistakes give equal numbers in each of 1,000 problems")

    def answer(self, problem: Problem, rule: Callable[..., Any]) -> Any:
        """What the right rule or a mistake's answers: numbers for the problem, or the function itself."""
        return rule if self.is_code else rule(problem)

    def check(self, problem: Problem, answer: Any) -> Feedback:
        """The feedback on an answer; never raises."""
        expected = self._by(problem, self.right)
        try:
            found = self.numbers(problem, answer)
            if len(found) != len(expected):
                raise NoAnswer(f"gave {counted(len(found), 'number')}: it needs {len(expected)}")
            for x in found:
                if not isfinite(x):
                    raise NoAnswer(f"gave {x}: every number is finite here")
        except NotImplementedError:
            return Feedback(False, None, "Not answered yet.")
        except Exception as error:
            said = f"{error}." if isinstance(error, NoAnswer) else _raised(error)
            return Feedback(False, None, f"{'Your function' if self.is_code else 'Your answer'} {said}")
        if self._near(found, expected):
            return Feedback(True, None, "Right.", self.derivation(problem))
        return self._wrong(problem, found, expected)

    def rank(self, problem: Problem, found: Sequence[float]) -> list[Mistake]:
        """The known mistakes that give these numbers, then those that give some of them."""
        near: list[Mistake] = []
        partly: list[Mistake] = []
        expected = self._by(problem, self.right)
        for mistake in self.mistakes:
            numbers = self._by(problem, mistake.answer)
            # in these places a number is the right one or the mistake's, as when it was made in one place only
            either = self._agreeing(found, expected) | self._agreeing(found, numbers)
            if self._near(found, numbers) or (mistake.recognises and mistake.recognises(problem, found)):
                near.append(mistake)
            elif not self.is_code and len(found) == len(expected) == len(numbers) == len(either):
                partly.append(mistake)
        return near + partly  # the answers of a problem lie too far apart for two mistakes to give these numbers

    def _by(self, problem: Problem, rule: Callable[..., Any]) -> list[float]:
        return self.numbers(problem, self.answer(problem, rule))

    def _agreeing(self, found: Sequence[float], numbers: Sequence[float], within: float = 0.0) -> set[int]:
        """The places where both agree to within the tolerance, or to within another one."""
        most = (within or self.tolerance) * (max(map(abs, numbers), default=0.0) or 1.0)
        return {i for i, (x, y) in enumerate(zip(found, numbers)) if abs(x - y) <= most}

    def _near(self, found: Sequence[float], numbers: Sequence[float], within: float = 0.0) -> bool:
        return len(found) == len(numbers) == len(self._agreeing(found, numbers, within))

    def _wrong(self, problem: Problem, found: Sequence[float], expected: Sequence[float]) -> Feedback:
        detail, picture = "", None
        if self.cases:
            place = next(i for i, (a, b) in enumerate(zip(found, expected)) if not self._near([a], [b]))
            detail = f" First at {self.cases(problem)[place]}: {found[place]:.6g} instead of {expected[place]:.6g}."
            if self.picture:
                picture = self.picture(problem, place)
                detail += " The drawing has the right ones."
        elif good := [str(i + 1) for i in sorted(self._agreeing(found, expected))]:
            detail = f" Right already: number{'s' * (len(good) > 1)} {' and '.join(good)}."
        if ranked := self.rank(problem, found):
            text = f"Not yet. This looks like: {ranked[0].name}. {ranked[0].sentence}{detail}"
            return Feedback(False, ranked[0], text, picture)
        if not self.is_code and self._near(found, expected, NEARLY):
            return Feedback(False, None, "Nearly. Was something rounded on the way? Four digits are enough.")
        return Feedback(False, None, f"Not yet, and it is not one of the known mistakes.{detail}", picture)


@dataclass(frozen=True)
class Feedback:
    """True for a right answer. A notebook shows the text, and below it the derivation or the smallest failure."""

    right: bool
    mistake: Mistake | None
    text: str
    shown: Any = field(default=None, compare=False)

    def __bool__(self) -> bool:
        return self.right

    def __str__(self) -> str:
        shown = "" if self.shown is None else f"\n{self.shown}"
        return printable(f"{'✓' if self.right else '✗'} {self.text}{shown}")

    __repr__ = __str__

    def _repr_html_(self) -> str:
        said = re.sub("`([^`]+)`", r"<code>\1</code>", escape(self.text))
        text = f"<p><b>{'✓' if self.right else '✗'}</b> {said}</p>"
        if self.shown is None:
            return text
        to_html = getattr(self.shown, "_repr_html_", None)
        return text + (to_html() if to_html else f"<pre>{escape(str(self.shown))}</pre>")


def _raised(error: Exception) -> str:
    """What the student's code raised, on one line."""
    return f"raised {type(error).__name__}: {clipped(text_name(str(error)), MOST_WORDS)}"
