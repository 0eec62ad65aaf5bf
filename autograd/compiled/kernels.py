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
from typing import NamedTuple

from autograd.compiled.assembly import Function
from autograd.graph import topological_order
from autograd.number_systems import expressions
from autograd.number_systems.expressions import Formula, Operand, letters
from autograd.table import TABLE_MODULE, Primitive

SIGNATURE = (
    "define void @{name}(ptr noalias %values, ptr noalias %gradients, ptr noalias %index, i64 %out, i64 %count)"
)
MOST_LETTERS = 8  # of more operands, those of a node are a row
PASSED = "ptr %values, ptr %gradients, ptr %index, i64 %out, i64 %count"
HELPERS = "declare void @chainrule_columns(ptr, ptr, ptr, i64, i64, ptr, i64, i64, i64, i64)\n"
ONE_BY_ONE, BY_COLUMNS, BY_ROWS = "one by one", "by columns", "by rows"


class Shape(NamedTuple):
    """What a kernel is written for."""

    entry: Primitive
    arity: int  # of a row, 0: its length is known at run time
    constants: tuple[float | None, ...]  # the operands that are written into it
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


def has_rows(entry: Primitive) -> bool:
    """Whether the rule treats its operands alike, so that a row can stand for them."""
    if not entry.variadic or entry.__module__ != TABLE_MODULE:  # a stranger's may count them
        return False
    value = _run(entry, _row_letters(entry)).value
    return not (isinstance(value, Formula) and value.is_row)


def _row_letters(entry: Primitive) -> list[Formula]:
    """A dot's are two rows, an affine's two rows and b."""
    rows = [Formula(f"row{i}", is_row=True) for i in range(entry.step)]
    return rows + letters(entry.least - entry.step)


def written(shape: Shape, name: str) -> tuple[str, set[str]]:
    """The two loops in assembly language, and what they call. TypeError for a rule that formulas cannot run."""
    entry, arity, constants, layout = shape
    given = [x if c is None else c for x, c in zip(letters(arity), constants or [None] * arity)]
    rule = _run(entry, _row_letters(entry) if layout == BY_ROWS else given)
    write = _by_columns if layout == BY_COLUMNS else _in_turn
    parts = [
        part
        for suffix in "fb"
        for part in write(rule, SIGNATURE.format(name=f"{name}_{suffix}"), suffix == "b", layout == BY_ROWS)
    ]
    return HELPERS + "".join(part.text() for part in parts), set().union(*(part.called for part in parts))


def _in_turn(rule: _Rule, header: str, backward: bool, rows: bool) -> Iterator[Function]:
    """One node after the other. With ``rows``, what stands before the slots is a row's length."""
    code = Function(header)
    n = code.index("%index", 0) if rows else "0"
    scalars = [x for x in rule.operands if not x.is_row]
    before = code(f"mul i64 {n}, {len(rule.operands) - len(scalars)}")  # the slots of the rows come first
    width = code(f"add i64 {before}, {len(scalars)}")
    first = code.at("%index", int(rows), "i32")
    with code.loop("%count") as i:
        slots = code.at(first, code(f"mul i64 {i}, {width}"), "i32")
        slot: dict[Formula, Callable[[int | str], str]] = {}
        for j, x in enumerate(scalars):
            place = code.index(slots, code(f"add i64 {before}, {j}"))
            slot[x] = lambda k, place=place: place  # type: ignore[misc]
            code.letters[x] = code.load("%values", place)
        for j, x in enumerate(x for x in rule.operands if x.is_row):
            row = code.at(slots, code(f"mul i64 {n}, {j}"), "i32")
            slot[x] = lambda k, row=row: code.index(row, k)  # type: ignore[misc]
            code.rows[x] = n, lambda k, x=x: code.load("%values", slot[x](k))  # type: ignore[misc]
        out = code(f"add i64 {i}, %out")
        if backward:
            upstream = code.load("%gradients", out)
            if isinstance(rule.value, Formula) and rule.value.operands:
                code.know(rule.value, code.load("%values", out))
            code.compute(expressions.operations([local for _, local in rule.given]))
            for x, local in rule.given:
                with code.loop(n if x.is_row else 1) as k:
                    code.add_to("%gradients", slot[x](k), code.share(upstream, local, k))
        else:
            code.store(code.number(rule.value), "%values", out)
    yield code


def _by_columns(rule: _Rule, header: str, backward: bool, rows: bool) -> Iterator[Function]:
    """A loop on arrays, which the machine calls for each chunk; of ``read`` and ``given``, bit j is for operand j."""
    computed = {x: local for x, local in rule.given if isinstance(local, Formula) or local != 1.0} if backward else {}
    results: list[Operand] = list(computed.values()) if backward else [rule.value]
    known = rule.value if backward and isinstance(rule.value, Formula) and rule.value.operands else None
    read = set(topological_order(Formula("", *results), without=[] if known is None else [known]))  # type: ignore
    name = header.partition("@")[2].partition("(")[0]
    arrays = [x.name for x in rule.operands if x in read]
    # a function of its own, whose parameters LLVM takes for different arrays
    names = [*arrays, "v", "upstream", *(f"d{x.name}" for x in computed)]
    typed = ", ".join(f"ptr noalias %{x}" for x in names)
    body = Function(f"define internal void @{name}_body({typed}, i64 %n) noinline")
    with body.loop("%n") as i:
        body.letters |= {x: body.load(f"%{x.name}", i) for x in rule.operands if x in read}
        if known is not None:
            body.know(known, body.load("%v", i))
        upstream = body.load("%upstream", i) if backward else ""
        for x, local in computed.items():
            body.store(body.share(upstream, local), f"%d{x.name}", i)
        if not backward:
            body.store(body.number(rule.value), "%v", i)
    yield body
    call = Function(f"define internal void @{name}_call(ptr %arrays, ptr %shares, ptr %v, ptr %upstream, i64 %n)")
    place = {x: j for j, x in enumerate(rule.operands)}
    passed = [call.load("%arrays", place[x], "ptr") for x in rule.operands if x in read]
    shares = [call.load("%shares", place[x], "ptr") for x in computed]
    call.do(f"call void @{name}_body({', '.join(f'ptr {x}' for x in [*passed, '%v', '%upstream', *shares])}, i64 %n)")
    yield call
    code = Function(header)
    given = [x for x, _ in rule.given] if backward else []
    bits = ", ".join(f"i64 {sum(1 << place[x] for x in some)}" for some in (read & {*place}, given, computed))
    code.do(f"call void @chainrule_columns({PASSED}, ptr @{name}_call, i64 {len(place)}, {bits})")
    yield code
