"""An exercise: its numbers, its right answer, and the mistakes that a wrong answer is compared with.

An exercise is one calculation with switches. Without switches it is right; each of its own mistakes turns some of
them, so that the feedback names the step that went wrong. A wrong answer is compared with the exercise's own
mistakes, then with slips that can be made everywhere (``generic_slips``), then with two of either at once. The first
of these that explains every number decides; where two explain them equally well, the feedback gives both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache, cached_property
from html import escape
from itertools import combinations, islice
from math import floor, isfinite, log10
from random import Random
from typing import Any

from autograd import explain
from autograd.operands import NOT_LISTS, number_of
from autograd.parser import Definitions
from autograd.text import clipped, counted, printable, text_name
from nn.lecture.exercises.generic_slips import GenericSlip, generic, layout
from nn.lecture.exercises.guard import NoAnswer, guarded, raised

Problem = dict[str, Any]
BY_HAND, BY_CODE = 2e-3, 1e-5  # tolerances of an answer on paper and of one by code, relative to the number
LAST_DIGIT = 5.1e-5  # what is written down with four decimals is off by up to half of the last
SMALL = 0.03  # of the largest number; what is smaller is compared as if it were as large as this
NEARLY = 2e-2  # an answer on paper within this tolerance was rounded too early
APART = 4.0  # so many tolerances lie between a problem's answers
MOST_TRIES = 1_000  # problems of which one is chosen
MOST_NUMBERS = 10_000  # in an answer
MOST_FACTOR = 5  # of numerator and denominator of a factor that all numbers have in common
MOST_EITHER = 2  # explanations that the feedback gives
MOST_PLACES = 5  # numbers up to which two mistakes are looked for in different ones
CODE = re.compile("`([^`]+)`")


def flat(answer: Any) -> list[float]:
    """The numbers of an answer: of a number, of lists in lists, of Values, arrays or tables. NoAnswer for others."""
    return leaves(nested(answer, []))


def nested(answer: Any, seen: list[None]) -> Any:
    """The numbers of an answer in lists, as they stand. What was seen, numbers and lists, has a limit."""
    seen.append(None)
    if type(answer) is float:
        return answer
    size = getattr(answer, "size", 0)
    if len(seen) > MOST_NUMBERS or (isinstance(size, int) and size > MOST_NUMBERS):
        raise NoAnswer(f"has more than {MOST_NUMBERS:,} numbers")
    for convert in ("to_numpy", "tolist"):  # a table of pandas would list the names of its columns
        if hasattr(answer, convert):
            answer = getattr(answer, convert)()
    if answer is None or answer is ...:
        raise NotImplementedError
    if isinstance(answer, (str, bytes)):
        raise NoAnswer(f"has the text {clipped(text_name(repr(answer)), 60)}: it needs numbers")
    if is_listed(answer):
        return [nested(row, seen) for row in answer]
    try:
        return number_of(answer)
    except (TypeError, ValueError, OverflowError):
        raise NoAnswer(f"has a value of type {type(answer).__name__}: it needs numbers") from None


def is_listed(answer: Any) -> bool:
    """Whether this is a list, or behaves like one, and no mapping, set or text."""
    is_sequence = hasattr(answer, "__getitem__") and hasattr(answer, "__len__") and not isinstance(answer, type)
    return (isinstance(answer, Iterable) or is_sequence) and not isinstance(answer, NOT_LISTS)


def leaves(tree: Any) -> list[Any]:
    """What stands in lists in lists, in one list."""
    return [leaf for row in tree for leaf in leaves(row)] if isinstance(tree, list | tuple) else [tree]


def fits(given: Any, names: Any) -> bool:
    """Whether numbers stand in the shape of these names. A vector may be a row or a column of a matrix."""
    if isinstance(names, str):
        return len(leaves(given)) == 1
    if not isinstance(given, list) or all(isinstance(name, str) for name in names):
        return isinstance(given, list) and len(leaves(given)) == len(names)
    return len(given) == len(names) and all(map(fits, given, names))


def on_paper(problem: Problem, answer: Any) -> list[float]:
    """The numbers of an answer that is not a function."""
    return flat(answer)


def tried(words: Callable[..., str], places: Callable[..., Sequence[Any]]) -> dict[str, Any]:
    """The fields of an exercise whose answer is a function.

    words    describes a case, which is the function's arguments, as "at x = 2"
    places   describes each of its numbers, in lists or tuples that have the shape of the answer
    """

    def returned(function: Callable[..., Any], case: Sequence[Any]) -> Any:
        try:
            given = function(*deepcopy(case))  # which may change its arguments
            tree = given if given is None else nested(given, [])
        except (NotImplementedError, RecursionError):
            raise
        except NoAnswer as error:
            raise NoAnswer(f"{error} ({words(*case)})") from error
        except Exception as error:
            raise NoAnswer(f"{raised(error)} ({words(*case)})") from error
        if tree is None:
            raise NoAnswer(f"returned nothing ({words(*case)}): it needs a `return`")
        return tree

    def numbers(problem: Problem, function: Callable[..., Any]) -> list[float]:
        found = []
        for case in problem["cases"]:
            given, names = leaves(returned(function, case)), leaves(places(*case))
            if len(given) != len(names):
                count = f"{counted(len(given), 'number')} {words(*case)}"
                raise NoAnswer(f"returned {count}: it needs {len(names)}, from {names[0]} to {names[-1]}")
            found += given
        return found

    def shaped(problem: Problem, function: Callable[..., Any]) -> None:
        for case in problem["cases"]:
            if not fits(returned(function, case), names := places(*case)):
                shape = str(names).replace("'", "").replace(",)", "]").translate(str.maketrans("()", "[]"))
                raise NoAnswer(f"returned the right numbers in another shape ({words(*case)}): it needs {shape}")

    def cases(problem: Problem) -> list[str]:
        return [f"{place} {words(*case)}" for case in problem["cases"] for place in leaves(places(*case))]

    def blocks(problem: Problem, right: Callable[..., Any]) -> list[Any]:
        return [right(*deepcopy(case)) for case in problem["cases"]]

    return {"numbers": numbers, "shaped": shaped, "cases": cases, "blocks": blocks}


def latex_matrix(rows: Iterable[Iterable[float]]) -> str:
    """A matrix in LaTeX."""
    lines = r" \\ ".join(" & ".join(f"{x:g}" for x in row) for row in rows)
    return rf"\begin{{pmatrix}} {lines} \end{{pmatrix}}"


def explained(text: str, wrt: str, **numbers: float) -> Any:
    """The derivative of the first of these definitions with respect to a name, at these numbers."""
    definitions = Definitions(text)
    nodes = definitions.at(**numbers)
    return explain(nodes[definitions.name], wrt=nodes[wrt])


@dataclass(frozen=True)
class Mistake:
    """A mistake that an answer shows; one of an exercise's own has the rule by which it answers."""

    name: str
    sentence: str  # what to think about again
    answer: Callable[..., Any] | None = None  # as Exercise.right
    recognises: Callable[[Problem, Sequence[float]], bool] | None = None  # other numbers that are the same mistake
    switches: Mapping[str, Any] | None = None  # of the exercise's calculation, where it has one


def mistakes(
    *rows: tuple[Any, ...],
    of: Callable[[Any], Callable[..., Any]] = lambda rule: rule,
    calculation: Callable[..., Any] | None = None,
) -> tuple[Mistake, ...]:
    """A Mistake for each row of name, rule and sentence, and perhaps a function ``recognises``.

    The rule is a dict of switches of the calculation, which can then be combined with another mistake's; or it is a
    rule of its own, which ``of`` completes.

    >>> def area(slope=1.0, half=True):
    ...     return lambda p: [slope * p["b"] * p["h"] / (2.0 if half else 1.0)]
    >>> rows = mistakes(("forgot the ½", {"half": False}, "A triangle is half of a rectangle."), calculation=area)
    >>> rows[0].answer({"b": 3.0, "h": 4.0})
    [12.0]
    """
    found = []
    for name, rule, sentence, *rest in rows:
        if isinstance(rule, Mapping):
            assert calculation is not None
            recognises = rest[0] if rest else None
            found.append(Mistake(name, sentence, calculation(**rule), recognises, rule))
        else:
            found.append(Mistake(name, sentence, of(rule), *rest))
    return tuple(found)


@dataclass(frozen=True, eq=False)
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
    notebook: str = ""  # the file in which it was taught
    numbers: Callable[[Problem, Any], list[float]] = on_paper
    shaped: Callable[[Problem, Any], None] | None = None  # raises NoAnswer for right numbers in another shape
    # where the answer is a function, ``numbers`` runs it on all cases; these describe a number and draw a wrong one
    cases: Callable[[Problem], list[str]] | None = None
    picture: Callable[[Problem, int], Any] | None = None
    first: Callable[[Problem, Sequence[int]], int] | None = None  # of the places of wrong numbers, if not the lowest
    tell: Callable[[Problem, Sequence[float], int], str] | None = None  # what is wrong with a number, in a sentence
    calculation: Callable[..., Any] | None = None  # gives ``right`` without switches, and own mistakes with them
    blocks: Callable[[Problem, Any], list[Any]] | None = None  # the right answers of the cases, in their shapes
    examples: Callable[[Problem], list[int]] | None = None  # of each case, if the answer is a mean over a mini-batch
    generic: bool = True  # whether the answer's numbers can be changed one by one
    seconds: float = 2.0  # that an answer may take

    @property
    def is_code(self) -> bool:
        """Whether the answer is a function."""
        return self.cases is not None

    def problem(self, student: str) -> Problem:
        """The student's own numbers, for which the right answer and all mistakes differ from each other."""
        return deepcopy(_chosen(self, student))

    def answer(self, problem: Problem, rule: Callable[..., Any]) -> Any:
        """What the right rule or a mistake's answers: numbers for the problem, or the function itself."""
        return rule if self.is_code else rule(problem)

    def check(self, problem: Problem, answer: Any) -> Feedback:
        """The feedback on an answer; never raises, but for a Ctrl-C from the keyboard."""
        expected = self.by(problem, self.right)
        try:
            found = guarded(self.seconds, self.numbers, problem, answer)
            if len(found) != len(expected):
                raise NoAnswer(f"gave {counted(len(found), 'number')}: it needs {len(expected)}")
            for x in found:
                if not isfinite(x):
                    raise NoAnswer(f"gave {x}: every number is finite here")
            is_right = self._error(found, expected) <= 1.0
            if is_right and self.shaped:
                guarded(self.seconds, self.shaped, problem, answer)
        except NotImplementedError:
            return Feedback(False, None, f"Not answered yet.{UNTIL * callable(answer)}")
        except NoAnswer as error:
            said = f"{error}".rstrip(".?")
            end = "?" if f"{error}".endswith("?") else "."
            return Feedback(False, None, f"{'Your function' if self.is_code else 'Your answer'} {said}{end}")
        if is_right:
            return Feedback(True, None, "Right.", lambda: self.derivation(problem))
        return self._wrong(problem, found, expected)

    def rank(self, problem: Problem, found: Sequence[float]) -> list[Mistake]:
        """The explanations of a wrong answer's numbers: equally simple ones, or none."""
        for level in self._levels(problem, found):
            errors: dict[str, tuple[float, Mistake]] = {}
            for error, mistake in level:
                if error <= 1.0 and error < errors.get(mistake.name, (2.0,))[0]:
                    errors[mistake.name] = error, mistake
            if errors:
                closest = min(error for error, _ in errors.values())
                return [mistake for error, mistake in errors.values() if error <= 10.0 * closest + 1e-3][:MOST_EITHER]
        return []

    def by(self, problem: Problem, rule: Callable[..., Any]) -> list[float]:
        """The numbers that a rule gives."""
        return self.numbers(problem, self.answer(problem, rule))

    def _slips(self, problem: Problem) -> list[GenericSlip]:
        if not self.generic:
            return []
        plain = [self.by(problem, self.right)] if self.is_code else [self.right(problem)]
        answers = self.blocks(problem, self.right) if self.blocks else plain
        seen, found = [expected := flat(answers)], []
        for slip in generic(layout(answers), self.examples(problem) if self.examples else None):
            if (numbers := slip.change(expected)) not in seen:  # a number that is 0 has no sign
                seen.append(numbers)
                found.append(slip)
        return found

    def _levels(self, problem: Problem, found: Sequence[float]) -> Iterator[Iterable[tuple[float, Mistake]]]:
        """The explanations with their errors, the simplest first."""
        expected = self.by(problem, self.right)
        own = [(mistake, self.by(problem, mistake.answer)) for mistake in self.mistakes if mistake.answer]
        recognised = [m for m in self.mistakes if m.recognises and m.recognises(problem, found)]
        level = [*((0.0, m) for m in recognised), *((self._error(found, numbers), m) for m, numbers in own)]
        yield level + [(0.0, ROUNDED)] * _has_few_digits(found, expected)
        slips = self._slips(problem)
        in_places = self._places(problem, len(expected))
        if in_places:
            yield [(self._mixed(in_places, found, expected, numbers), m) for m, numbers in own]
        yield [(self._error(found, slip.change(expected)), _named(slip)) for slip in slips]
        if not self.is_code and all(abs(x - y) <= NEARLY * max(map(abs, expected)) for x, y in zip(found, expected)):
            yield [(0.0, ROUNDED)]
        whole = [slip for slip in slips if slip.whole]
        single = [slip for slip in slips if not slip.whole]
        yield ((self._error(found, numbers), m) for m, numbers in self._pairs(problem))
        yield self._changed(found, own, whole)
        if in_places:
            yield ((self._mixed(in_places, found, a, b), _both(m, n)) for (m, a), (n, b) in combinations(own, 2))
        yield self._changed(found, own, single)
        if in_places:
            changed = [(_named(slip), slip.change(expected)) for slip in slips]
            yield ((self._mixed(in_places, found, a, b), _both(m, n)) for m, a in own for n, b in changed)
        as_own = [(_named(slip), slip.change(expected)) for slip in whole]
        yield self._changed(found, as_own, slips)
        yield self._common(found, expected)

    def _changed(
        self, found: Sequence[float], first: Iterable[tuple[Mistake, list[float]]], slips: Sequence[GenericSlip]
    ) -> Iterator[tuple[float, Mistake]]:
        for mistake, numbers in first:
            if len(numbers) == len(found):
                for slip in slips:
                    if slip.name == mistake.name:
                        continue
                    yield self._error(found, slip.change(numbers)), _both(mistake, _named(slip))

    def _pairs(self, problem: Problem) -> Iterator[tuple[Mistake, list[float]]]:
        """Two of the exercise's own mistakes at once."""
        for a, b in combinations(self.mistakes, 2):
            if self.calculation and a.switches and b.switches and a.switches.keys().isdisjoint(b.switches):
                try:
                    yield _both(a, b), self.by(problem, self.calculation(**a.switches, **b.switches))
                except (NoAnswer, ArithmeticError, ValueError, LookupError):
                    continue  # the second mistake makes the first impossible

    def _common(self, found: Sequence[float], expected: Sequence[float]) -> Iterator[tuple[float, Mistake]]:
        """A simple factor that all numbers have in common."""
        k = max(range(len(expected)), key=lambda i: abs(expected[i]))
        factor = Fraction(found[k] / (expected[k] or 1.0)).limit_denominator(MOST_FACTOR)
        if len(found) > 1 and 0 < abs(factor) <= MOST_FACTOR:
            text = f"Every number is {factor} times the right one: which factor is missing, or is one too many?"
            yield self._error(found, [float(factor) * x for x in expected]), Mistake(f"a factor of {factor}", text)

    def _error(self, found: Sequence[float], numbers: Sequence[float]) -> float:
        """How far the numbers are from each other, in tolerances."""
        return max(self._errors(found, numbers), default=0.0) if len(found) == len(numbers) else float("inf")

    def _is_near(self, a: Sequence[float], b: Sequence[float]) -> bool:
        """Whether two answers of a problem are too close to each other."""
        least = SMALL * max(map(abs, b), default=0.0)
        return len(a) == len(b) and all(
            abs(x - y) < APART * (self._relative * max(abs(y), least) + LAST_DIGIT) for x, y in zip(a, b)
        )

    def _errors(self, found: Sequence[float], numbers: Sequence[float]) -> list[float]:
        least = SMALL * min(max(map(abs, found), default=0.0), max(map(abs, numbers), default=0.0))
        return [abs(x - y) / (self._relative * max(abs(y), least) + LAST_DIGIT) for x, y in zip(found, numbers)]

    @property
    def _relative(self) -> float:
        return BY_CODE if self.is_code else BY_HAND

    def _places(self, problem: Problem, count: int) -> list[list[int]]:
        """The numbers of an answer that one mistake can have alone: each by hand, each place of all cases by code."""
        cases = len(problem["cases"]) if self.is_code and self.generic else 1
        size = count // cases
        alike = self.blocks is None or all(len(flat(x)) == size for x in self.blocks(problem, self.right))
        if not self.generic or not alike or not 1 < size <= MOST_PLACES:
            return []
        return [[*range(k, count, size)] for k in range(size)]

    def _mixed(
        self, places: Sequence[Sequence[int]], found: Sequence[float], a: Sequence[float], b: Sequence[float]
    ) -> float:
        """The error if each place is that of a or that of b."""
        if not len(found) == len(a) == len(b):
            return float("inf")
        both = self._errors(found, a), self._errors(found, b)
        return max(min(max(errors[i] for i in place) for errors in both) for place in places)

    def _wrong(self, problem: Problem, found: Sequence[float], expected: Sequence[float]) -> Feedback:
        errors, detail, picture = self._errors(found, expected), "", None
        if self.cases:
            places = [i for i, error in enumerate(errors) if error > 1.0]
            place = self.first(problem, places) if self.first else places[0]
            if self.tell:
                detail = self.tell(problem, found, place)
            else:
                a, b = apart(found[place], expected[place])
                detail = f" First at {self.cases(problem)[place]}: {a} instead of {b}."
            if self.picture:
                draws = self.picture
                picture = lambda: draws(problem, place)  # noqa: E731
        elif good := [str(i + 1) for i, error in enumerate(errors) if error <= 1.0]:
            detail = f" Right already: number{'s' * (len(good) > 1)} {' and '.join(good)}."
        ranked = self.rank(problem, found)
        if ranked == [ROUNDED]:
            return Feedback(False, None, f"Nearly: {ROUNDED.name}. {ROUNDED.sentence}")
        if not ranked:
            return Feedback(False, None, f"Not yet, and it is not one of the known mistakes.{detail}", picture)
        told = ranked[0].name
        if len(ranked) > 1:
            told = f"either {told}, or {ranked[1].name}"
        sentences = " Or: ".join(mistake.sentence for mistake in ranked)
        return Feedback(False, ranked[0], f"Not yet. This looks like: {told}. {sentences}{detail}", picture)

    def agrees(self, problem: Problem, found: Sequence[float]) -> bool:
        """Whether these are the right numbers."""
        return self._error(found, self.by(problem, self.right)) <= 1.0

    def singles(self, problem: Problem) -> list[tuple[str, list[float]]]:
        """The right answer and those with one mistake."""
        expected = self.by(problem, self.right)
        own = [(m.name, self.by(problem, m.answer)) for m in self.mistakes if m.answer]
        return [("", expected), *own, *((slip.name, slip.change(expected)) for slip in self._slips(problem))]

    def _collisions(self, problem: Problem, doubles: bool = True) -> set[tuple[str, str]]:
        """The answers that cannot be told apart; those with two mistakes are compared with the right one only."""
        singles, slips = self.singles(problem), self._slips(problem)
        found = {(m, n) for (m, a), (n, b) in combinations(singles, 2) if m != n and self._is_near(a, b)}
        if self.is_code or not doubles:
            return found
        few = [[round(x, digits) for x in singles[0][1]] for digits in (1, _two_digits(singles[0][1]))]
        if any(x != singles[0][1] and self._error(x, singles[0][1]) <= 1.0 for x in few):
            found.add(("", ROUNDED.name))
        if any(abs(x) < LAST_DIGIT for x in singles[0][1]):
            found.add(("", "nothing"))  # a 0 does not tell what it was made from
        double = [(mistake.name, x) for mistake, x in self._pairs(problem)]
        own = singles[1 : 1 + len(self.mistakes)]
        double += [(f"{name}, {slip.name}", slip.change(x)) for name, x in own for slip in slips]
        return found | {("", name) for name, x in double if self._is_near(x, singles[0][1])}

    def tells_apart(self, problem: Problem) -> bool:
        """Whether all answers that can differ do so for these numbers."""
        return self._collisions(problem) <= self._structural

    @cached_property
    def _structural(self) -> set[tuple[str, str]]:
        """The pairs that are equal whatever the numbers, as half of two equal shares and one share alone."""
        samples = _problems(self, Random(self.name))
        found = self._collisions(next(samples))
        for problem in islice(samples, 3):
            found &= self._collisions(problem)
        return found


def _problems(exercise: Exercise, rng: Random) -> Iterator[Problem]:
    """Problems in which every rule has an answer."""
    for _ in range(MOST_TRIES):
        problem = exercise.make(rng)
        with suppress(NoAnswer, ArithmeticError, ValueError):
            exercise.singles(problem)
            yield problem


@cache
def _chosen(exercise: Exercise, student: str) -> Problem:
    for problem in _problems(exercise, Random(f"{exercise.name} of {student}")):
        if all(exercise._collisions(problem, doubles) <= exercise._structural for doubles in (False, True)):
            return problem
    raise RuntimeError(f"exercise {exercise.name!r}: mistakes give equal numbers in each of {MOST_TRIES:,} problems")


UNTIL = " If you have written it, delete its last line, `raise NotImplementedError`."
ROUNDED = Mistake("rounded too early", "Keep four digits, on the way and at the end.")


def _two_digits(numbers: Sequence[float]) -> int:
    """The decimals with which the largest number has two digits."""
    return 1 - floor(log10(max(map(abs, numbers), default=0.0) or 1.0))


def _has_few_digits(found: Sequence[float], expected: Sequence[float]) -> bool:
    """Whether these are the right numbers with few digits."""
    if len(found) != len(expected) or not any(expected):
        return False
    return any(
        all(abs(x - y) <= 0.51 * 10.0**-digits and abs(x - round(x, digits)) < 1e-9 for x, y in zip(found, expected))
        for digits in range(max(0, _two_digits(expected) - 1), 6)
    )


def _named(slip: GenericSlip) -> Mistake:
    return Mistake(slip.name, slip.sentence)


def _both(a: Mistake, b: Mistake) -> Mistake:
    a, b = sorted((a, b), key=lambda mistake: mistake.name)
    return Mistake(f"two things at once, {a.name} and {b.name}", f"{a.sentence} And: {b.sentence}")


def apart(a: float, b: float) -> tuple[str, str]:
    """Both numbers with as many digits as it takes to tell them from each other."""
    for digits in range(6, 18):
        texts = f"{a:.{digits}g}", f"{b:.{digits}g}"
        if texts[0] != texts[1]:
            break
    return texts


@dataclass(frozen=True)
class Feedback:
    """True for a right answer. A notebook shows the text, and below it the derivation or the smallest failure."""

    right: bool
    mistake: Mistake | None
    text: str
    show: Callable[[], Any] | None = field(default=None, compare=False)

    @cached_property
    def shown(self) -> Any:
        """The derivation or the failure, which takes its time and is made when it is looked at."""
        return self.show and self.show()

    def __bool__(self) -> bool:
        return self.right

    def __str__(self) -> str:
        shown = "" if self.shown is None else f"\n{self.shown}"
        return printable(f"{'✓' if self.right else '✗'} {self.text}{shown}")

    __repr__ = __str__

    def _repr_html_(self) -> str:
        said = CODE.sub(r"<code>\1</code>", escape(self.text))
        text = f"<p><b>{'✓' if self.right else '✗'}</b> {said}</p>"
        if self.shown is None:
            return text
        to_html = getattr(self.shown, "_repr_html_", None)
        return text + (to_html() if to_html else f"<pre>{escape(str(self.shown))}</pre>")
