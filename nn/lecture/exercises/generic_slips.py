"""Generates slips that can happen in every exercise: a wrong sign, a missing factor, swapped numbers.

A slip changes the numbers of an answer independently of the calculation. It therefore applies both to the right
answer and to an exercise's own mistakes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations, permutations
from typing import Any

Numbers = Sequence[float]
Block = list[list[int]]  # the positions of a matrix's numbers in an answer; a vector is a matrix with one row
Case = list[Block]
MOST_PARTS = 4  # answers with up to this many parts are tried in every order
MOST_ORDERS = 3  # answers with up to this many numbers are tried in every order


@dataclass(frozen=True)
class GenericSlip:
    """A change of an answer's numbers."""

    name: str
    sentence: str
    change: Callable[[Numbers], list[float]]
    whole: bool = True  # whether it applies to the whole answer instead of some of its numbers


def layout(answers: Sequence[Any]) -> list[Case]:
    """Return the positions of each case's numbers, as blocks: matrices, vectors and scalars."""
    cases, count = [], 0
    for answer in answers:
        case: Case = []
        for block in _blocks(answer):
            case.append([[*range(start := count + i * len(row), start + len(row))] for i, row in enumerate(block)])
            count += sum(map(len, block))
        cases.append(case)
    return cases


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
    """Return a function that multiplies the numbers at these positions, or all numbers, by a factor."""
    chosen = None if places is None else set(places)
    return lambda x: [x_i * factor if chosen is None or i in chosen else x_i for i, x_i in enumerate(x)]


def ordered(source: Sequence[int]) -> Callable[[Numbers], list[float]]:
    """Return a function that moves the number at position ``source[i]`` to position i."""
    return lambda x: [x[i] for i in source]


def generic(cases: Sequence[Case], examples: Sequence[int] | None = None) -> Iterator[GenericSlip]:
    """Yield the slips that an answer of this layout allows.

    examples   the number of examples in each case, if the answer is a mean over a mini-batch
    """
    count = sum(len(row) for case in cases for block in case for row in block)
    yield GenericSlip(
        "the sign", "Every number has the right size but the wrong sign: follow the minus signs.", scaled(-1.0)
    )
    for name, size, factor in (("2", "twice", 2.0), ("½", "half", 0.5)):
        text = f"Every number is {size} the right one: where does a 2, or a ½, belong?"
        yield GenericSlip(f"a factor of {name}", text, scaled(factor))
    if len(cases) == 1 and count in (3, 4):
        text = f"You divided by {count}: is there a mean in the question?"
        yield GenericSlip(f"a factor of 1/{count}", text, scaled(1.0 / count))
    yield GenericSlip("nothing but zeros", "Every number is 0: which terms should be added?", scaled(0.0))
    if count > MOST_ORDERS:
        text = "The sizes are right, but every number is positive: keep the signs."
        yield GenericSlip("without signs", text, lambda x: [*map(abs, x)])
    yield from _orders(cases)
    yield from _of_a_mean(cases, examples)
    for words, places in _selections(cases):
        text = f"Look at {words} again: a minus sign is missing, or there is one too many."
        yield GenericSlip(f"the sign of {words}", text, scaled(-1.0, places), False)
    for words, places in _selections(cases, most=1):
        for name, size, factor in (("2", "twice", 2.0), ("½", "half of", 0.5)):
            text = f"Look at {words} again: it is {size} what it should be."
            yield GenericSlip(f"a factor of {name} in {words}", text, scaled(factor, places), False)


def _selections(cases: Sequence[Case], most: int = 3) -> Iterator[tuple[str, list[int]]]:
    """Yield a name and positions in each case: of one number, of up to ``most`` in a short answer, of one block."""
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
        found.append(("rows swapped", _each(cases, lambda block: [i for row in block[::-1] for i in row])))
        found.append(("columns swapped", _each(cases, lambda block: [i for row in block for i in row[::-1]])))
    elif len(lengths) == 1 and max(lengths) <= MOST_ORDERS:
        for permutation in permutations(range(*lengths)):
            found.append(("swapped", [case[k] for case in flat for k in permutation]))
    else:
        for cut in (0, 1, -1):  # reversed, or rotated by one place
            found.append(("swapped", [i for c in flat for i in (c[cut:] + c[:cut] if cut else c[::-1])]))
        if len(lengths) == 1 and len(flat) == 1:
            for i, j in combinations(range(min(count, 8)), 2):
                found.append(("swapped", [{i: j, j: i}.get(k, k) for k in range(count)]))
    parts = {tuple(sum(map(len, block)) for block in case) for case in cases}
    if len(parts) == 1 and 2 < len(*parts) <= MOST_PARTS:
        for permutation in permutations(range(len(*parts))):
            blocks = [case[k] for case in cases for k in permutation]
            found.append(("the parts swapped", [i for block in blocks for row in block for i in row]))
    sentences = {
        "the parts swapped": "The parts of the answer are right, but not in the order of the question.",
        "transposed": "The numbers are right, but rows and columns are swapped.",
        "swapped": "The numbers are right, but in the wrong order.",
        "rows swapped": "The rows are right, but in the wrong order.",
        "columns swapped": "The columns are right, but in the wrong order.",
    }
    for name, order in found:
        if order != list(range(count)):
            yield GenericSlip(name, sentences[name], ordered(order))


def _each(cases: Sequence[Case], reorder: Callable[[Block], list[int]]) -> list[int]:
    return [i for case in cases for block in case for i in reorder(block)]


def _of_a_mean(cases: Sequence[Case], examples: Sequence[int] | None) -> Iterator[GenericSlip]:
    if examples is None:
        return
    sizes = [m for m, case in zip(examples, cases) for block in case for row in block for _ in row]
    rows: tuple[tuple[str, str, Callable[[int], float]], ...] = (
        ("sum for mean", "This is the sum over the examples; L is the mean: divide by their number m.", lambda m: m),
        ("1/(m − 1) for 1/m", "You divided by m − 1; a mean over m examples divides by m.",
         lambda m: m / (m - 1.0) if m > 1 else 1.0),
        ("multiplied by m", "You multiplied by the number of examples m; their mean is the sum divided by m.",
         lambda m: float(m * m)),
        ("divided by m twice", "You divided by the number of examples m one time too many.", lambda m: 1.0 / m),
    )  # fmt: skip
    for name, sentence, factor in rows:
        yield GenericSlip(name, sentence, partial(_times, [factor(m) for m in sizes]))


def _times(factors: Numbers, x: Numbers) -> list[float]:
    return [factor * x_i for factor, x_i in zip(factors, x)]
