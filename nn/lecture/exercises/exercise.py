"""Defines an exercise: its numbers, its right answer, and the mistakes that explain a wrong one.

An exercise is a calculation with switches: with none set it is right, and each of its own mistakes sets some.
A wrong answer is compared with these mistakes, then with slips that can happen anywhere (``generic_slips``), then
with pairs of both. The first level that explains every number decides; if two mistakes on it explain the numbers
equally well, the feedback names both.
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
from math import floor, inf, isfinite, log10
from random import Random
from typing import Any

from autograd import explain
from autograd.operands import NOT_LISTS, number_of
from autograd.parser import Definitions
from autograd.text import clipped, counted, printable, text_name
from nn.lecture.exercises.generic_slips import GenericSlip, generic, layout
from nn.lecture.exercises.guard import NoAnswer, guarded, raised

Problem = dict[str, Any]
Explained = tuple[float, "Mistake"]  # the remaining error in tolerances, and the mistake
BY_HAND, BY_CODE = 2e-3, 1e-5  # tolerances for answers by hand and by code, relative to the number
LAST_DIGIT = 5.1e-5  # an answer with four decimals is off by up to half a unit in the last one
SMALL = 0.03  # numbers below this fraction of the largest one are compared as if they were that large
NEARLY = 2e-2  # an answer on paper within this tolerance was rounded too early
APART = 4.0  # the answers to a problem differ by at least this many tolerances
MOST_TRIES = 1_000  # problems from which one is chosen
MOST_NUMBERS = 10_000  # in an answer
MOST_FACTOR = 5  # largest numerator and denominator of a common factor
MOST_EITHER = 2  # explanations that the feedback gives
MOST_PLACES = 5  # answers with up to this many numbers may contain a different mistake in each
CODE = re.compile("`([^`]+)`")


def flat(answer: Any) -> list[float]:
    """Return the numbers in a number, nested lists, Values, arrays or a table. Raises NoAnswer for other answers."""
    return leaves(nested(answer, []))


def nested(answer: Any, seen: list[None]) -> Any:
    """Return the numbers of an answer in nested lists of its shape; ``seen`` limits their count."""
    seen.append(None)
    if type(answer) is float:
        return answer
    size = getattr(answer, "size", 0)
    if len(seen) > MOST_NUMBERS or (isinstance(size, int) and size > MOST_NUMBERS):
        raise NoAnswer(f"has more than {MOST_NUMBERS:,} numbers")
    for convert in ("to_numpy", "tolist"):  # iterating over a pandas table would give the names of its columns
        if hasattr(answer, convert):
            answer = getattr(answer, convert)()
    if answer is None or answer is ...:
        raise NotImplementedError
    if isinstance(answer, (str, bytes)):
        raise NoAnswer(f"contains the text {clipped(text_name(repr(answer)), 60)}: it must contain numbers")
    if is_listed(answer):
        return [nested(row, seen) for row in answer]
    try:
        return number_of(answer)
    except (TypeError, ValueError, OverflowError):
        raise NoAnswer(f"contains a value of type {type(answer).__name__}: it must contain numbers") from None


def is_listed(answer: Any) -> bool:
    """Return whether this is a list or behaves like one, but is not a mapping, a set or text."""
    is_sequence = hasattr(answer, "__getitem__") and hasattr(answer, "__len__") and not isinstance(answer, type)
    return (isinstance(answer, Iterable) or is_sequence) and not isinstance(answer, NOT_LISTS)


def leaves(tree: Any) -> list[Any]:
    """Return the items of nested lists in one list."""
    return [leaf for row in tree for leaf in leaves(row)] if isinstance(tree, list | tuple) else [tree]


def fits(given: Any, names: Any) -> bool:
    """Return whether numbers have the shape of these names. A vector may be a row or a column of a matrix."""
    if isinstance(names, str):
        return len(leaves(given)) == 1
    if not isinstance(given, list) or all(isinstance(name, str) for name in names):
        return isinstance(given, list) and len(leaves(given)) == len(names)
    return len(given) == len(names) and all(map(fits, given, names))


def on_paper(problem: Problem, answer: Any) -> list[float]:
    """Return the numbers of an answer that is not a function."""
    return flat(answer)


def tried(describe: Callable[..., str], places: Callable[..., Sequence[Any]]) -> dict[str, Any]:
    """Return the fields of an exercise whose answer is a function.

    describe   describes a case, that is, the function's arguments, as in "at x = 2"
    places     names each number of the answer, in lists or tuples of the answer's shape
    """

    def returned(function: Callable[..., Any], case: Sequence[Any]) -> Any:
        try:
            given = function(*deepcopy(case))  # the function may change its arguments
            tree = given if given is None else nested(given, [])
        except (NotImplementedError, RecursionError):
            raise
        except NoAnswer as error:
            raise NoAnswer(f"{error} ({describe(*case)})") from error
        except Exception as error:
            raise NoAnswer(f"{raised(error)} ({describe(*case)})") from error
        if tree is None:
            raise NoAnswer(f"returned nothing ({describe(*case)}): it needs a `return`")
        return tree

    def numbers(problem: Problem, function: Callable[..., Any]) -> list[float]:
        found = []
        for case in problem["cases"]:
            given, names = leaves(returned(function, case)), leaves(places(*case))
            if len(given) != len(names):
                count = f"{counted(len(given), 'number')} {describe(*case)}"
                raise NoAnswer(f"returned {count}: it must return {len(names)}, from {names[0]} to {names[-1]}")
            found += given
        return found

    def shaped(problem: Problem, function: Callable[..., Any]) -> None:
        for case in problem["cases"]:
            if not fits(returned(function, case), names := places(*case)):
                shape = str(names).replace("'", "").replace(",)", "]").translate(str.maketrans("()", "[]"))
                message = f"returned the right numbers in the wrong shape ({describe(*case)}): it must return {shape}"
                raise NoAnswer(message)

    def cases(problem: Problem) -> list[str]:
        return [f"{place} {describe(*case)}" for case in problem["cases"] for place in leaves(places(*case))]

    def blocks(problem: Problem, right: Callable[..., Any]) -> list[Any]:
        return [right(*deepcopy(case)) for case in problem["cases"]]

    return {"numbers": numbers, "shaped": shaped, "cases": cases, "blocks": blocks}


def latex_matrix(rows: Iterable[Iterable[float]]) -> str:
    """Write a matrix in LaTeX."""
    lines = r" \\ ".join(" & ".join(f"{x:g}" for x in row) for row in rows)
    return rf"\begin{{pmatrix}} {lines} \end{{pmatrix}}"


def explained(text: str, wrt: str, **numbers: float) -> Any:
    """Explain the derivative of the first of these definitions with respect to a name, at these numbers."""
    definitions = Definitions(text)
    nodes = definitions.at(**numbers)
    return explain(nodes[definitions.name], wrt=nodes[wrt])


@dataclass(frozen=True)
class Mistake:
    """A mistake found in an answer. An exercise's own mistakes also have the rule that produces them."""

    name: str
    sentence: str  # what to reconsider
    answer: Callable[..., Any] | None = None  # as Exercise.right
    recognises: Callable[[Problem, Sequence[float]], bool] | None = None  # the same mistake with different numbers
    switches: Mapping[str, Any] | None = None  # of the exercise's calculation


@dataclass(frozen=True, eq=False)
class Exercise:
    """A question with its answer, its mistakes and its hints.

    The answer is ``right``, or ``calculation()``. A mistake is given as a row of its name, its rule, a sentence and,
    optionally, ``recognises``. The rule is a dict of switches of the calculation, which combines with other mistakes'
    switches, or a function like ``right``.

    >>> def area(slope=1.0, half=True):
    ...     return lambda p: [slope * p["b"] * p["h"] / (2.0 if half else 1.0)]
    >>> rows = [("forgot the ½", {"half": False}, "A triangle is half of a rectangle.")]
    >>> triangle = Exercise("triangle", "Area", str, lambda rng: {}, rows, ("", "", ""), str, calculation=area)
    >>> triangle.mistakes[0].answer({"b": 3.0, "h": 4.0})
    [12.0]
    """

    name: str  # for ``course.ask``
    title: str
    question: Callable[[Problem], str]  # the text for a problem, in Markdown
    make: Callable[[Random], Problem]
    mistakes: Sequence[Any]  # rows; here they become instances of Mistake
    hints: tuple[str, str, str]  # each more specific than the one before
    derivation: Callable[[Problem], Any]  # shown after success
    right: Callable[..., Any] = None  # type: ignore[assignment]  # returns the numbers, or is itself the function to write
    calculation: Callable[..., Any] | None = None  # returns ``right`` without switches, and own mistakes with them
    of: Callable[[Any], Callable[..., Any]] | None = None  # converts the function in a row into a rule
    notebook: str = ""  # the file in which it was taught
    numbers: Callable[[Problem, Any], list[float]] = on_paper
    shaped: Callable[[Problem, Any], None] | None = None  # raises NoAnswer for right numbers in another shape
    # if the answer is a function, ``numbers`` runs it on all cases; these describe each number and draw a wrong one
    cases: Callable[[Problem], list[str]] | None = None
    picture: Callable[[Problem, int], Any] | None = None
    first: Callable[[Problem, Sequence[int]], int] | None = (
        None  # chooses which wrong number to show, if not the first
    )
    describe: Callable[[Problem, Sequence[float], int], str] | None = None  # describes what is wrong with a number
    blocks: Callable[[Problem, Any], list[Any]] | None = None  # the right answers to the cases, in their shapes
    examples: Callable[[Problem], list[int]] | None = None  # in each case, if the answer is a mean over a mini-batch
    generic: bool = True  # whether the answer's numbers can be changed one by one
    seconds: float = 2.0  # that an answer may take

    def __post_init__(self) -> None:
        if self.right is None:
            assert self.calculation is not None
            object.__setattr__(self, "right", self.calculation())
        object.__setattr__(self, "mistakes", tuple(map(self._mistake, self.mistakes)))

    def _mistake(self, row: Any) -> Mistake:
        if isinstance(row, Mistake):
            return row
        name, rule, sentence, recognises = (*row, None)[:4]
        if isinstance(rule, Mapping):
            assert self.calculation is not None
            return Mistake(name, sentence, self.calculation(**rule), recognises, rule)
        return Mistake(name, sentence, self.of(rule) if self.of else rule, recognises)

    @property
    def is_code(self) -> bool:
        """Whether the answer is a function."""
        return self.cases is not None

    def problem(self, student: str) -> Problem:
        """Return the student's own numbers, for which the right answer and all mistakes differ from each other."""
        return deepcopy(_chosen(self, student))

    def answer(self, problem: Problem, rule: Callable[..., Any]) -> Any:
        """Return the answer that a rule, right or wrong, gives: numbers for the problem, or the function itself."""
        return rule if self.is_code else rule(problem)

    def check(self, problem: Problem, answer: Any) -> Feedback:
        """Return the feedback on an answer. Raises nothing except KeyboardInterrupt for a Ctrl-C."""
        expected = self.by(problem, self.right)
        try:
            found = guarded(self.seconds, self.numbers, problem, answer)
            if len(found) != len(expected):
                raise NoAnswer(f"gave {counted(len(found), 'number')}: it must give {len(expected)}")
            for x in found:
                if not isfinite(x):
                    raise NoAnswer(f"gave {x}: every number must be finite")
            is_right = self._error(found, expected) <= 1.0
            if is_right and self.shaped:
                guarded(self.seconds, self.shaped, problem, answer)
        except NotImplementedError:
            return Feedback(False, None, f"Not answered yet.{UNTIL * callable(answer)}")
        except NoAnswer as error:
            subject, message = "Your function" if self.is_code else "Your answer", f"{error}".rstrip(".")
            return Feedback(False, None, f"{subject} {message}{'' if message.endswith('?') else '.'}")
        if is_right:
            return Feedback(True, None, "Right.", lambda: self.derivation(problem))
        return self._wrong(problem, found, expected)

    def rank(self, problem: Problem, found: Sequence[float]) -> list[Mistake]:
        """Return the simplest explanations of a wrong answer's numbers, or an empty list."""
        for level in self._levels(problem, found):
            errors: dict[str, Explained] = {}
            for error, mistake in level:
                if error <= 1.0 and error < errors.get(mistake.name, (2.0,))[0]:
                    errors[mistake.name] = error, mistake
            if errors:
                closest = min(error for error, _ in errors.values())
                return [mistake for error, mistake in errors.values() if error <= 10.0 * closest + 1e-3][:MOST_EITHER]
        return []

    def by(self, problem: Problem, rule: Callable[..., Any]) -> list[float]:
        """Return the numbers that a rule gives."""
        return self.numbers(problem, self.answer(problem, rule))

    def _slips(self, problem: Problem) -> list[GenericSlip]:
        if not self.generic:
            return []
        plain = [self.by(problem, self.right)] if self.is_code else [self.right(problem)]
        answers = self.blocks(problem, self.right) if self.blocks else plain
        seen, found = [expected := flat(answers)], []
        for slip in generic(layout(answers), self.examples(problem) if self.examples else None):
            if (numbers := slip.change(expected)) not in seen:  # the sign of a 0 cannot be wrong
                seen.append(numbers)
                found.append(slip)
        return found

    def _own(self, problem: Problem) -> list[tuple[Mistake, list[float]]]:
        return [(m, self.by(problem, m.answer)) for m in self.mistakes if m.answer]

    def _levels(self, problem: Problem, found: Sequence[float]) -> Iterator[Iterable[Explained]]:
        """Yield explanations with their errors, the simplest level first."""
        expected, own, slips = self.by(problem, self.right), self._own(problem), self._slips(problem)
        recognised = [(0.0, m) for m in self.mistakes if m.recognises and m.recognises(problem, found)]
        by_numbers = [(self._error(found, numbers), m) for m, numbers in own]
        yield recognised + by_numbers + [(0.0, ROUNDED)] * _has_few_digits(found, expected)
        places = self._places(problem, len(expected))
        yield ((self._mixed(places, found, expected, numbers), m) for m, numbers in own)
        yield ((self._error(found, slip.change(expected)), _named(slip)) for slip in slips)
        if not self.is_code and all(abs(x - y) <= NEARLY * max(map(abs, expected)) for x, y in zip(found, expected)):
            yield [(0.0, ROUNDED)]
        whole, single = ([slip for slip in slips if slip.whole is is_whole] for is_whole in (True, False))
        changed = [(_named(slip), slip.change(expected)) for slip in slips]
        yield ((self._error(found, numbers), m) for m, numbers in self._pairs(problem))
        yield self._changed(found, own, whole)
        yield ((self._mixed(places, found, a, b), _both(m, n)) for (m, a), (n, b) in combinations(own, 2))
        yield self._changed(found, own, single)
        yield ((self._mixed(places, found, a, b), _both(m, n)) for m, a in own for n, b in changed)
        yield self._changed(found, changed[: len(whole)], slips)
        yield self._common(found, expected)

    def _changed(
        self, found: Sequence[float], first: Iterable[tuple[Mistake, list[float]]], slips: Sequence[GenericSlip]
    ) -> Iterator[Explained]:
        """Yield a mistake together with a slip in its numbers."""
        for mistake, numbers in first:
            for slip in slips if len(numbers) == len(found) else ():
                if slip.name != mistake.name:
                    yield self._error(found, slip.change(numbers)), _both(mistake, _named(slip))

    def _pairs(self, problem: Problem) -> Iterator[tuple[Mistake, list[float]]]:
        """Yield two of the exercise's own mistakes at once."""
        for a, b in combinations(self.mistakes, 2):
            if self.calculation and a.switches and b.switches and a.switches.keys().isdisjoint(b.switches):
                # the second mistake may make the first impossible
                with suppress(NoAnswer, ArithmeticError, ValueError, LookupError):
                    yield _both(a, b), self.by(problem, self.calculation(**a.switches, **b.switches))

    def _common(self, found: Sequence[float], expected: Sequence[float]) -> Iterator[Explained]:
        """Yield a simple factor that all numbers share."""
        k = max(range(len(expected)), key=lambda i: abs(expected[i]))
        factor = Fraction(found[k] / (expected[k] or 1.0)).limit_denominator(MOST_FACTOR)
        if len(found) > 1 and 0 < abs(factor) <= MOST_FACTOR:
            text = f"Every number is {factor} times the right one: is a factor missing, or is there one too many?"
            yield self._error(found, [float(factor) * x for x in expected]), Mistake(f"a factor of {factor}", text)

    def _error(self, found: Sequence[float], numbers: Sequence[float]) -> float:
        """Return the largest difference, in tolerances."""
        return max(self._errors(found, numbers), default=0.0) if len(found) == len(numbers) else inf

    def _is_near(self, a: Sequence[float], b: Sequence[float]) -> bool:
        """Return whether two answers to a problem are too close to each other."""
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
        """Return the parts of an answer that a mistake can affect separately.

        By hand these are its numbers; by code, each place of the answer in all cases. The list is empty if there is
        only one part, or too many.
        """
        cases = len(problem["cases"]) if self.is_code and self.generic else 1
        size = count // cases
        alike = self.blocks is None or all(len(flat(x)) == size for x in self.blocks(problem, self.right))
        if not self.generic or not alike or not 1 < size <= MOST_PLACES:
            return []
        return [[*range(k, count, size)] for k in range(size)]

    def _mixed(
        self, places: Sequence[Sequence[int]], found: Sequence[float], a: Sequence[float], b: Sequence[float]
    ) -> float:
        """Return the error if each place comes from a or from b."""
        if not places or not len(found) == len(a) == len(b):
            return inf
        both = self._errors(found, a), self._errors(found, b)
        return max(min(max(errors[i] for i in place) for errors in both) for place in places)

    def _wrong(self, problem: Problem, found: Sequence[float], expected: Sequence[float]) -> Feedback:
        errors, detail, show = self._errors(found, expected), "", None
        if self.cases:
            places = [i for i, error in enumerate(errors) if error > 1.0]
            place = self.first(problem, places) if self.first else places[0]
            if self.describe:
                detail = self.describe(problem, found, place)
            else:
                a, b = apart(found[place], expected[place])
                detail = f" First at {self.cases(problem)[place]}: {a} instead of {b}."
            if draw := self.picture:
                show = lambda: draw(problem, place)  # noqa: E731
        elif good := [str(i + 1) for i, error in enumerate(errors) if error <= 1.0]:
            detail = f" Already right: number{'s' * (len(good) > 1)} {' and '.join(good)}."
        ranked = self.rank(problem, found)
        if ranked == [ROUNDED]:
            return Feedback(False, None, f"Nearly: {ROUNDED.name}. {ROUNDED.sentence}")
        if not ranked:
            return Feedback(False, None, f"Not yet, and it is not one of the known mistakes.{detail}", show)
        name = ranked[0].name if len(ranked) == 1 else f"either {ranked[0].name}, or {ranked[1].name}"
        sentences = " Or: ".join(mistake.sentence for mistake in ranked)
        return Feedback(False, ranked[0], f"Not yet. This looks like: {name}. {sentences}{detail}", show)

    def agrees(self, problem: Problem, found: Sequence[float]) -> bool:
        """Return whether these are the right numbers."""
        return self._error(found, self.by(problem, self.right)) <= 1.0

    def singles(self, problem: Problem) -> list[tuple[str, list[float]]]:
        """Return the right answer and the answers with one mistake, each preceded by the mistake's name."""
        expected = self.by(problem, self.right)
        own = [(m.name, numbers) for m, numbers in self._own(problem)]
        return [("", expected), *own, *((slip.name, slip.change(expected)) for slip in self._slips(problem))]

    def _collisions(self, problem: Problem, doubles: bool = True) -> set[tuple[str, str]]:
        """Return the pairs of answers that cannot be distinguished.

        Answers with two mistakes are compared only with the right one.
        """
        singles, slips = self.singles(problem), self._slips(problem)
        found = {(m, n) for (m, a), (n, b) in combinations(singles, 2) if m != n and self._is_near(a, b)}
        if self.is_code or not doubles:
            return found
        expected = singles[0][1]
        few = [[round(x, digits) for x in expected] for digits in (1, _two_digits(expected))]
        if any(x != expected and self._error(x, expected) <= 1.0 for x in few):
            found.add(("", ROUNDED.name))
        if any(abs(x) < LAST_DIGIT for x in expected):
            found.add(("", "nothing"))  # a 0 does not show how it was computed
        double = [(mistake.name, x) for mistake, x in self._pairs(problem)]
        own = singles[1 : 1 + len(self.mistakes)]
        double += [(f"{name}, {slip.name}", slip.change(x)) for name, x in own for slip in slips]
        return found | {("", name) for name, x in double if self._is_near(x, expected)}

    def tells_apart(self, problem: Problem) -> bool:
        """Return whether these numbers distinguish all answers that any numbers can distinguish."""
        return self._collisions(problem) <= self._structural

    @cached_property
    def _structural(self) -> set[tuple[str, str]]:
        """The pairs that are equal for all numbers, such as half the sum of two equal terms and one of the terms."""
        samples = _problems(self, Random(self.name))
        found = self._collisions(next(samples))
        for problem in islice(samples, 3):
            found &= self._collisions(problem)
        return found


def _problems(exercise: Exercise, rng: Random) -> Iterator[Problem]:
    """Yield problems for which every rule has an answer."""
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


UNTIL = " If you have written the function, delete its last line, `raise NotImplementedError`."
ROUNDED = Mistake("rounded too early", "Keep four digits in every step and in the answer.")


def _two_digits(numbers: Sequence[float]) -> int:
    """Return the number of decimals with which the largest number has two digits."""
    return 1 - floor(log10(max(map(abs, numbers), default=0.0) or 1.0))


def _has_few_digits(found: Sequence[float], expected: Sequence[float]) -> bool:
    """Return whether these are the right numbers, rounded to few digits."""
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
    return Mistake(f"two mistakes at once, {a.name} and {b.name}", f"{a.sentence} And: {b.sentence}")


def apart(a: float, b: float) -> tuple[str, str]:
    """Write two numbers with as many digits as are needed to distinguish them."""
    for digits in range(6, 18):
        texts = f"{a:.{digits}g}", f"{b:.{digits}g}"
        if texts[0] != texts[1]:
            break
    return texts


@dataclass(frozen=True)
class Feedback:
    """True for a correct answer. A notebook shows the text, and below it the derivation or the smallest failure."""

    right: bool
    mistake: Mistake | None
    text: str
    show: Callable[[], Any] | None = field(default=None, compare=False)

    @cached_property
    def shown(self) -> Any:
        """The derivation or the failure, made on first use because this takes a while."""
        return self.show and self.show()

    def __bool__(self) -> bool:
        return self.right

    def __str__(self) -> str:
        shown = "" if self.shown is None else f"\n{self.shown}"
        return printable(f"{'✓' if self.right else '✗'} {self.text}{shown}")

    __repr__ = __str__

    def _repr_html_(self) -> str:
        text = CODE.sub(r"<code>\1</code>", escape(self.text))
        html = f"<p><b>{'✓' if self.right else '✗'}</b> {text}</p>"
        if self.shown is None:
            return html
        to_html = getattr(self.shown, "_repr_html_", None)
        return html + (to_html() if to_html else f"<pre>{escape(str(self.shown))}</pre>")
