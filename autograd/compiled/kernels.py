"""Kernels: an entry of the table as two loops over nodes, one that computes values and one that adds to gradients.

To write a kernel, the entry's rule runs once, on letters. The forward loop writes the value; the backward loop
computes each local derivative from the operands and the value, so that none is stored, and adds upstream × local to
each operand's gradient. All kernels have the same signature: ``values``, ``gradients``, the position of the operands'
slots in ``index``, the first slot of the results, and the number of results. ``index`` has one of three layouts:

one by one   the operands of the first node, then those of the second, …; for any number of nodes
by columns   all first operands, then all second operands, …, for chunks that are computed in vectors. Before them is
             one number for each column: its first slot if its slots are consecutive, else −1
by rows      for many operands: their number, then the operands one by one. The rule loops over them
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

ARRAYS, RESULTS = ("values", "gradients", "index"), ("out", "count")  # the parameters of each kernel
COLUMNS = ("arity", "read", "given", "computed")
MOST_WRITTEN = 100  # operands of a rule that does not take rows
MOST_LETTERS = 16  # operands of a node; more of them are a row
HELPERS = "declare void @chainrule_columns(ptr, ptr, ptr, ptr, i64, i64, i64, i64, i64, i64)\n"
ONE_BY_ONE, BY_COLUMNS, BY_ROWS = "one by one", "by columns", "by rows"
ALONE = "one by one, if no vector computes the same entry"


class Shape(NamedTuple):
    """The entry, operands and layout for which a kernel is written."""

    entry: Primitive
    arity: int  # 0 for a row, whose length is known only at run time
    constants: tuple[str | None, ...]  # the constant operands, as hexadecimal floats
    layout: str


class _Rule(NamedTuple):
    """The result of a rule for letters."""

    operands: list[Formula]
    value: Operand
    given: list[tuple[Formula, Operand]]  # the operands with a gradient, and their local derivatives


def _run(entry: Primitive, operands: Sequence[Formula | float]) -> _Rule:
    try:
        value, locals_ = entry.rule(expressions, *operands)
    except Exception as error:  # a rule may do anything with a number that a formula does not support
        raise TypeError(
            f"primitive {entry.name}: its rule cannot be compiled ({error}); "
            "use the functions of its number system, such as n.exp instead of math.exp"
        ) from None
    edges = [(x, local) for x, local in zip(operands, locals_, strict=True) if isinstance(x, Formula)]
    given = [(x, local) for x, local in edges if isinstance(local, Formula) or local != 0.0]
    return _Rule([x for x, _ in edges], value, given)


@cache
def has_rows(entry: Primitive) -> bool:
    """Return whether the rule treats its operands alike, so that a row can represent them."""
    if not entry.variadic or entry.__module__ != TABLE_MODULE:  # a user's rule may depend on their number
        return False
    value = _run_on_rows(entry).value
    return not (isinstance(value, Formula) and value.is_row)


def _run_on_rows(entry: Primitive) -> _Rule:
    """Run a rule on rows. A maximum that returns its only row means the largest entry of that row."""
    rows = [Formula(f"row{i}", is_row=True) for i in range(entry.step)]  # two for a dot, and for an affine before b
    rule = _run(entry, rows + letters(entry.least - entry.step))
    is_alone = rule.value is rule.operands[0] and entry.name in ROW_FORMS
    return rule._replace(value=Formula(entry.name, *rule.operands)) if is_alone else rule


def written(shape: Shape, name: str) -> tuple[str, set[str]]:
    """Return the two loops as LLVM IR, and the functions they call. Raises TypeError if the rule rejects formulas."""
    entry, arity, constants, layout = shape
    given = [x if c is None else float.fromhex(c) for x, c in zip(letters(arity), constants or [None] * arity)]
    rule = _run_on_rows(entry) if layout == BY_ROWS else _run(entry, given)
    if arity > MOST_WRITTEN:
        raise TypeError(f"{entry.name} has {arity} operands, more than the {MOST_WRITTEN} that can be compiled")
    write = _by_columns if layout == BY_COLUMNS else partial(_in_turn, has_length=layout == BY_ROWS)
    parts = [*write(rule, f"{name}_f", backward=False), *write(rule, f"{name}_b", backward=True)]
    return HELPERS + "".join(part.text() for part in parts), set().union(*(part.called for part in parts))


def _in_turn(rule: _Rule, name: str, backward: bool, has_length: bool) -> Iterator[Function]:
    """Write a loop over nodes. For rows, the first number of ``index`` is their length."""
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
    """Write a loop on arrays, which the machine calls for each chunk."""
    place = {x: j for j, x in enumerate(rule.operands)}
    given = [x for x, _ in rule.given] if backward else []
    computed = {x: local for x, local in rule.given if isinstance(local, Formula) or local != 1.0} if backward else {}
    results: list[Operand] = list(computed.values()) if backward else [rule.value]
    known = rule.value if backward and isinstance(rule.value, Formula) and rule.value.operands else None
    reached: Any = topological_order(Formula("", *results), without=[] if known is None else [known])
    read = {x: f"%{x.name}" for x in reached if x in place}
    # a separate function, because LLVM then knows that these arrays do not overlap
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
