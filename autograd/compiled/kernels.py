"""Kernels: an entry of the table as two loops over nodes, one for their values, one that adds to their gradients.

A kernel runs the entry's rule once, on letters. The forward loop writes the value; the backward loop computes each
local derivative from the operands and the value, so that none is stored, and adds upstream × local to each operand's
gradient. All kernels have one signature: ``values``, ``gradients``, where the operands' slots begin in ``index``, the
first slot of the results, and the number of results.

one by one   the operands of each node one after the other; any number of nodes
by columns   all first operands, then all second ones …, in chunks that a processor takes in vectors. Before them
             stands for each column its first slot, where its slots follow each other, else −1.
by rows      of many operands: their number, then as one by one. What the rule does with each of them is a loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from typing import Any, NamedTuple

from autograd.compiled.assembly import Function, Int
from autograd.graph import topological_order
from autograd.number_systems import expressions
from autograd.number_systems.expressions import ROW_FORMS, Formula, Operand, letters
from autograd.table import TABLE_MODULE, Primitive

ARRAYS, RESULTS = ("values", "gradients", "index"), ("out", "count")  # the parameters of each
COLUMNS = ("arity", "read", "given", "computed")
MOST_WRITTEN = 100  # operands of a rule that does not take rows
MOST_LETTERS = 16  # of more operands, those of a node are a row
HELPERS = "declare void @chainrule_columns(ptr, ptr, ptr, ptr, i64, i64, i64, i64, i64, i64)\n"
ONE_BY_ONE, BY_COLUMNS, BY_ROWS = "one by one", "by columns", "by rows"
ALONE = "one by one, where no vector computes the same entry"


class Shape(NamedTuple):
    """What a kernel is written for."""

    entry: Primitive
    arity: int  # of a row, 0: its length is known at run time
    constants: tuple[str | None, ...]  # the operands that are written into it, as hexadecimal floats
    layout: str


class _Rule(NamedTuple):
    """What a rule returned for letters."""

    operands: list[Formula]
    value: Operand
    given: list[tuple[Formula, Operand]]  # the operands that get a gradient, with their local derivatives


def _run(entry: Primitive, operands: Sequence[Formula | float]) -> _Rule:
    try:
        value, locals_ = entry.rule(expressions, *operands)
    except Exception as error:  # whatever a rule does with a number that a formula cannot
        raise TypeError(
            f"primitive {entry.name}: its rule cannot be compiled ({error}); "
            "write it with the functions of its number system, n.exp for math.exp"
        ) from None
    edges = [(x, local) for x, local in zip(operands, locals_, strict=True) if isinstance(x, Formula)]
    given = [(x, local) for x, local in edges if isinstance(local, Formula) or local != 0.0]
    return _Rule([x for x, _ in edges], value, given)


@cache
def has_rows(entry: Primitive) -> bool:
    """Whether the rule treats its operands alike, so that a row can stand for them."""
    if not entry.variadic or entry.__module__ != TABLE_MODULE:  # a user's rule may depend on their number
        return False
    value = _run_on_rows(entry).value
    return not (isinstance(value, Formula) and value.is_row)


def _run_on_rows(entry: Primitive) -> _Rule:
    """A rule run on a row; a maximum of one row alone is that row, and means its largest entry."""
    rows = [Formula(f"row{i}", is_row=True) for i in range(entry.step)]  # two of a dot, and of an affine beside b
    rule = _run(entry, rows + letters(entry.least - entry.step))
    is_alone = rule.value is rule.operands[0] and entry.name in ROW_FORMS
    return rule._replace(value=Formula(entry.name, *rule.operands)) if is_alone else rule


def written(shape: Shape, name: str) -> tuple[str, set[str]]:
    """The two loops as LLVM IR, and what they call. TypeError for a rule that formulas cannot run."""
    entry, arity, constants, layout = shape
    given = [x if c is None else float.fromhex(c) for x, c in zip(letters(arity), constants or [None] * arity)]
    rule = _run_on_rows(entry) if layout == BY_ROWS else _run(entry, given)
    if arity > MOST_WRITTEN:
        raise TypeError(f"{entry.name} of {arity} operands is too long to be written one by one")
    write = _by_columns if layout == BY_COLUMNS else partial(_in_turn, has_length=layout == BY_ROWS)
    parts = [*write(rule, f"{name}_f", backward=False), *write(rule, f"{name}_b", backward=True)]
    return HELPERS + "".join(part.text() for part in parts), set().union(*(part.called for part in parts))


def _in_turn(rule: _Rule, name: str, backward: bool, has_length: bool) -> Iterator[Function]:
    """One node after the other. Of rows, the first number of ``index`` is their length."""
    code = Function(name, ARRAYS, RESULTS, noalias=True)
    (values, gradients, index), (out, count) = code.pointers, code.numbers
    n = code.index(index, 0) if has_length else Int(code, "0")
    rows, scalars = ([x for x in rule.operands if x.is_row == is_row] for is_row in (True, False))
    width = n * len(rows) + len(scalars)  # the slots of the rows come first
    with code.loop(count) as i:
        slots = code.at(index, i * width + int(has_length), "i32")
        slot: dict[Formula, Callable[[Any], Int]] = {}
        for j, x in enumerate(scalars):
            place = code.index(slots, n * len(rows) + j)
            slot[x] = partial(_same, place)
            code.letters[x] = code.load(values, place)
        for j, x in enumerate(rows):
            row = code.at(slots, n * j, "i32")
            slot[x] = partial(code.index, row)
            code.rows[x] = n, lambda k, x=x: code.load(values, slot[x](k))  # type: ignore[misc]
        if backward:
            upstream = code.load(gradients, out + i)
            if isinstance(rule.value, Formula) and rule.value.operands:
                code.know(rule.value, code.load(values, out + i))
            code.compute(expressions.operations([local for _, local in rule.given]))
            for x, local in rule.given:
                with code.loop(n if x.is_row else 1) as k:
                    code.add_to(gradients, slot[x](k), code.share(upstream, local, k))
        else:
            code.compute(expressions.operations([rule.value]))
            code.store(code.number(rule.value), values, out + i)
    yield code


def _same(place: Int, _: Any) -> Int:
    return place


def _by_columns(rule: _Rule, name: str, backward: bool) -> Iterator[Function]:
    """A loop on arrays, which the machine calls for each chunk; of ``read`` and ``given``, bit j is for operand j."""
    place = {x: j for j, x in enumerate(rule.operands)}
    given = [x for x, _ in rule.given] if backward else []
    computed = {x: local for x, local in rule.given if isinstance(local, Formula) or local != 1.0} if backward else {}
    results: list[Operand] = list(computed.values()) if backward else [rule.value]
    known = rule.value if backward and isinstance(rule.value, Formula) and rule.value.operands else None
    reached: Any = topological_order(Formula("", *results), without=[] if known is None else [known])
    read = {x: f"%{x.name}" for x in reached if x in place}
    # a function of its own, whose parameters LLVM takes for different arrays
    to = {x: f"%d{x.name}" for x in computed}
    names = [x[1:] for x in (*read.values(), *to.values())]
    body = Function(f"{name}_body", [*names, "v", "upstream"], ["n"], noalias=True, internal=True)
    with body.loop(body.numbers[0]) as i:
        body.letters |= {x: body.load(array, i) for x, array in read.items()}
        if known is not None:
            body.know(known, body.load("%v", i))
        upstream = body.load("%upstream", i) if backward else ""
        body.compute(e for e in reached if e.name)
        for x, local in computed.items():
            body.store(body.share(upstream, local), to[x], i)
        if not backward:
            body.store(body.number(rule.value), "%v", i)
    yield body
    call = Function(f"{name}_call", ["arrays", "shares", "v", "upstream"], ["n"])
    passed = [
        call.load(f"%{side}", place[x], "ptr") for side, some in (("arrays", read), ("shares", to)) for x in some
    ]
    call.call(f"@{name}_body", *passed, "%v", "%upstream", *call.numbers)
    yield call
    code = Function(name, ARRAYS, RESULTS)
    bits = (sum(1 << place[x] for x in some) for some in (read, given, computed))
    code.call("@chainrule_columns", *code.pointers, f"@{name}_call", *code.numbers, len(place), *bits)
    yield code
