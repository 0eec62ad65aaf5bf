"""Slips that can be made in every exercise: a sign, a factor, numbers in each other's place.

They change the numbers of an answer and know nothing of the calculation, so they apply to the right answer and to an
exercise's own mistakes alike.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations, permutations
from typing import Any

Numbers = Sequence[float]
Block = list[list[int]]  # the places of a matrix's numbers in an answer; a vector is a matrix of one row
Case = list[Block]
MOST_PARTS = 4  # of an answer up to which every order is tried
MOST_ORDERS = 3  # numbers in an answer up to which every order is tried


@dataclass(frozen=True)
class GenericSlip:
    """A change of an answer's numbers."""

    name: str
    sentence: str
    change: Callable[[Numbers], list[float]]
    whole: bool = True  # it applies to the whole answer, not to one number of it


def layout(answers: Sequence[Any]) -> list[Case]:
    """Where the numbers of each case are, as blocks: a matrix, a vector, a number beside others."""
    cases, count = [], 0
    for answer in answers:
        case: Case = []
        for block in _blocks(answer):
            rows = [list(range(start, start + len(block[0]))) for start in _starts(count, block)]
            case.append(rows)
            count += sum(map(len, block))
        cases.append(case)
    return cases


def _starts(count: int, block: list[list[Any]]) -> list[int]:
    return [count + i * len(block[0]) for i in range(len(block))]


def _blocks(answer: Any) -> list[list[list[Any]]]:
    answer = answer.tolist() if hasattr(answer, "tolist") else answer
    if not isinstance(answer, list | tuple):
        return [[[answer]]]
    if not answer:
        return []
    are_lists = [isinstance(row, list | tuple) for row in answer]
    if not any(are_lists):
        return [[list(answer)]]
    flat = all(are_lists) and all(not isinstance(x, list | tuple) for row in answer for x in row)
    if flat and len(answer) > 1 and len({len(row) for row in answer}) == 1:
        return [[list(row) for row in answer]]
    return [block for row in answer for block in _blocks(row)]


def scaled(factor: float, places: Sequence[int] | None = None) -> Callable[[Numbers], list[float]]:
    """The numbers in these places, or in all, times a factor."""
    chosen = None if places is None else set(places)
    return lambda x: [x_i * factor if chosen is None or i in chosen else x_i for i, x_i in enumerate(x)]


def ordered(source: Sequence[int]) -> Callable[[Numbers], list[float]]:
    """Place i gets what belongs to place ``source[i]``."""
    return lambda x: [x[i] for i in source]


def _sizes(x: Numbers) -> list[float]:
    return [abs(x_i) for x_i in x]


def generic(cases: Sequence[Case], examples: Sequence[int] | None = None) -> Iterator[GenericSlip]:
    """The slips that an answer of this layout allows.

    examples   of each case, where the answer is a mean over a mini-batch
    """
    yield GenericSlip(
        "the sign", "Every number has the right size and the wrong sign: follow the minus signs.", scaled(-1.0)
    )
    yield GenericSlip(
        "a factor of 2", "Every number is twice the right one: where does a 2, or a ½, belong?", scaled(2.0)
    )
    yield GenericSlip(
        "a factor of ½", "Every number is half the right one: where does a ½, or a 2, belong?", scaled(0.5)
    )
    count = sum(len(row) for case in cases for block in case for row in block)
    for n in (3, 4):
        if len(cases) == 1 and n == count:
            yield GenericSlip(
                f"a factor of 1/{n}", f"You divided by {n}: is there a mean in the question?", scaled(1.0 / n)
            )
    yield GenericSlip("nothing but zeros", "Every number is 0: what was to be added up?", scaled(0.0))
    if count > MOST_ORDERS:
        yield GenericSlip(
            "without signs", "The sizes are right, but every number is positive: keep the signs.", _sizes
        )
    yield from _orders(cases)
    yield from _of_a_mean(cases, examples)
    for words, places in _selections(cases):
        yield GenericSlip(f"the sign of {words}",
                          f"Look at {words} again: a minus sign is missing, or is one too many.",
                   scaled(-1.0, places), False)  # fmt: skip
    for words, places in _selections(cases, most=1):
        yield GenericSlip(f"a factor of 2 in {words}", f"Look at {words} again: it is twice what it should be.",
                   scaled(2.0, places), False)  # fmt: skip
        yield GenericSlip(f"a factor of ½ in {words}", f"Look at {words} again: it is half of what it should be.",
                   scaled(0.5, places), False)  # fmt: skip


def _selections(cases: Sequence[Case], most: int = 3) -> Iterator[tuple[str, list[int]]]:
    """Some numbers of each case, with their names: one alone, up to ``most`` of few, a block among others."""
    flat = [[i for block in case for row in block for i in row] for case in cases]
    longest = max(map(len, flat), default=0)
    together = most if longest <= 4 else 1
    for size in range(1, min(together, longest - 1) + 1):
        for chosen in combinations(range(min(longest, 12)), size):
            words = " and ".join(str(k + 1) for k in chosen)
            yield f"number{'s' * (size > 1)} {words}", [c[k] for c in flat for k in chosen if k < len(c)]
    blocks = max(map(len, cases), default=0)
    for b in range(blocks if blocks > 1 else 0):
        places = [i for case in cases if b < len(case) for row in case[b] for i in row]
        if any(b < len(case) and sum(map(len, case[b])) > 1 for case in cases):
            yield f"part {b + 1} of the answer", places


def _orders(cases: Sequence[Case]) -> Iterator[GenericSlip]:
    flat = [[i for block in case for row in block for i in row] for case in cases]
    count = sum(map(len, flat))
    lengths = {len(case) for case in flat}
    found: list[tuple[str, list[int]]] = []
    if any(len(block) > 1 and len(block[0]) > 1 for case in cases for block in case):
        found.append(("transposed", _each(cases, lambda block: [i for column in zip(*block) for i in column])))
        found.append(("rows exchanged", _each(cases, lambda block: [i for row in block[::-1] for i in row])))
        found.append(("columns exchanged", _each(cases, lambda block: [i for row in block for i in row[::-1]])))
    elif len(lengths) == 1 and max(lengths) <= MOST_ORDERS:
        for turn in permutations(range(*lengths)):
            found.append(("exchanged", [case[k] for case in flat for k in turn]))
    else:
        for cut in (0, 1, -1):  # from the end, or turned by one place
            found.append(("exchanged", [i for c in flat for i in (c[cut:] + c[:cut] if cut else c[::-1])]))
        if len(lengths) == 1 and len(flat) == 1:
            for i, j in combinations(range(min(count, 8)), 2):
                found.append(("exchanged", [{i: j, j: i}.get(k, k) for k in range(count)]))
    parts = {tuple(sum(map(len, block)) for block in case) for case in cases}
    if len(parts) == 1 and 2 < len(*parts) <= MOST_PARTS:
        for turn in permutations(range(len(*parts))):
            blocks = [case[k] for case in cases for k in turn]
            found.append(("the parts exchanged", [i for block in blocks for row in block for i in row]))
    sentences = {
        "the parts exchanged": "The parts of the answer are right, but not in the order of the question.",
        "transposed": "The numbers are right, but rows and columns have changed places.",
        "exchanged": "The numbers are right, but they stand in each other's places.",
        "rows exchanged": "The rows are right, but they stand in each other's places.",
        "columns exchanged": "The columns are right, but they stand in each other's places.",
    }
    for name, order in found:
        if order != list(range(count)):
            yield GenericSlip(name, sentences[name], ordered(order))


def _each(cases: Sequence[Case], turn: Callable[[Block], list[int]]) -> list[int]:
    return [i for case in cases for block in case for i in turn(block)]


def _of_a_mean(cases: Sequence[Case], examples: Sequence[int] | None) -> Iterator[GenericSlip]:
    if examples is None:
        return
    sizes = [m for m, case in zip(examples, cases) for block in case for row in block for _ in row]
    rows: tuple[tuple[str, str, Callable[[int], float]], ...] = (
        ("sum for mean", "This is the sum over the examples: L is their mean, so divide by their number m.",
         lambda m: m),
        ("1/(m − 1) for 1/m", "You divided by m − 1; a mean over m examples divides by m.",
         lambda m: m / (m - 1.0) if m > 1 else 1.0),
        ("multiplied by m", "You multiplied by the number of examples m; their mean is the sum divided by m.",
         lambda m: float(m * m)),
        ("divided by m twice", "You divided by the number of examples m once too often.", lambda m: 1.0 / m),
    )  # fmt: skip
    for name, sentence, factor in rows:
        factors = [factor(m) for m in sizes]
        yield GenericSlip(name, sentence, partial(_times, factors))


def _times(factors: Numbers, x: Numbers) -> list[float]:
    return [factor * x_i for factor, x_i in zip(factors, x)]
