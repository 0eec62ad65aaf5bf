"""Writes formulas as LLVM IR.

A *row* in a formula is a list of operands. If its length is known, its entries are written one after the other; if it
is known only at run time, reductions of the row become loops.
"""

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial, partialmethod, reduce
from itertools import count
from math import inf
from typing import Any

from autograd.number_systems.expressions import FORMS, LISTS, REDUCTIONS, ROW_FORMS, Formula, Operand, operations

BINARY = ("pow", "atan2", "hypot")  # functions of the C library with two arguments; the others have one
LIBM = (
    "exp", "expm1", "log", "log1p", "log2", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh",
    "erf", "erfc", *BINARY,
)  # fmt: skip
INTRINSICS = {"abs": "llvm.fabs.f64", "floor": "llvm.floor.f64", "root": "llvm.sqrt.f64"}
SIGNS = {"+": "fadd", "-": "fsub", "*": "fmul", "/": "fdiv"}
COMPARISONS = {"<": "olt", "<=": "ole", ">": "ogt", ">=": "oge", "===": "oeq", "!==": "une"}
# how a reduction combines its result with an entry, and its initial result
FOLDS = {"total": ("+", 0.0), "norm": ("distance", 0.0), "largest": ("larger", -inf), "smallest": ("smaller", inf)}
POWERS = (1.0, 2.0, 3.0, 4.0)  # exponents that become multiplications


class Int:
    """An i64 register of a function; arithmetic on it appends instructions to that function.

    >>> code = Function("f", ["x"], ["n"])
    >>> [n] = code.numbers
    >>> print(n * 2 + 1, code.lines)
    %v1 ['%v0 = mul i64 %n, 2', '%v1 = add i64 %v0, 1']
    """

    def __init__(self, code: "Function", name: str) -> None:
        self.code, self.name = code, name

    def __str__(self) -> str:
        return self.name

    def _with(self, operation: str, other: "Int | int") -> "Int":
        return Int(self.code, self.code(f"{operation} i64 {self}, {other}"))

    __add__, __sub__ = partialmethod(_with, "add"), partialmethod(_with, "sub")
    __mul__, __and__, __lshift__ = (
        partialmethod(_with, "mul"),
        partialmethod(_with, "and"),
        partialmethod(_with, "shl"),
    )

    def _compared(self, sign: str, other: "Int | int") -> str:
        return self.code(f"icmp {sign} i64 {self}, {other}")

    __ge__, __lt__ = partialmethod(_compared, "sge"), partialmethod(_compared, "slt")


class Function:
    """Builds a function: calling it appends an operation and returns the register of its result.

    pointers, numbers   names of its parameters
    noalias             whether its pointers never overlap
    internal            whether only its own module calls it
    letters             the name of each letter of the formulas
    rows                for each row's letter, its length and a function that returns the name of an entry
    """

    def __init__(
        self,
        name: str,
        pointers: Sequence[str],
        numbers: Sequence[str] = (),
        noalias: bool = False,
        internal: bool = False,
    ) -> None:
        self.name, self.noalias, self.internal = name, noalias, internal
        self.pointers = [f"%{x}" for x in pointers]
        self.numbers = [Int(self, f"%{x}") for x in numbers]
        self.lines: list[str] = []
        self.block = "entry"
        self.result = "void"
        self.called: set[str] = set()  # functions of the C library
        self.letters: dict[Formula, str] = {}
        self.rows: dict[Formula, tuple[Int | int, Callable[[Any], str]]] = {}
        self._forms: dict[Formula, Operand] = {}  # the formula of each function that is a form
        self._known: dict[tuple[Formula, Any], str] = {}
        self._conditions: set[str] = set()
        self._reserved: list[str] = []
        self._number = count()

    def text(self) -> str:
        """Return the whole function."""
        kind = "ptr noalias" if self.noalias else "ptr"
        parameters = ", ".join([*(f"{kind} {x}" for x in self.pointers), *(f"i64 {n}" for n in self.numbers)])
        body = "\n  ".join([*self._reserved, *self.lines, f"ret {self.result}"])
        linkage, inline = ("internal ", " noinline") if self.internal else ("", "")
        returned = self.result.partition(" ")[0]
        return f"define {linkage}{returned} @{self.name}({parameters}){inline} {{\nentry:\n  {body}\n}}\n"

    def __call__(self, operation: str) -> str:
        name = f"%v{next(self._number)}"
        self.lines.append(f"{name} = {operation}")
        return name

    def emit(self, instruction: str) -> None:
        """Append an instruction without a result."""
        self.lines.append(instruction)

    def call(self, function: str, *arguments: "str | Int | int") -> None:
        """Call a function that takes pointers and integers and returns nothing."""
        typed = (f"ptr {x}" if isinstance(x, str) else f"i64 {x}" for x in arguments)
        self.emit(f"call void {function}({', '.join(typed)})")

    def all(self, first: str, *others: str) -> str:
        """Return whether all conditions are true."""
        return reduce(lambda x, y: self(f"and i1 {x}, {y}"), others, first)

    def choose(self, condition: str, x: Int | int, y: Int | int) -> Int:
        """Return x if the condition is true, else y."""
        return Int(self, self(f"select i1 {condition}, i64 {x}, i64 {y}"))

    def reserve(self, kind: str = "double", first: str = "") -> str:
        """Allocate a stack variable, and initialise it with ``first``, if given."""
        name = f"%v{next(self._number)}"
        self._reserved.append(f"{name} = alloca {kind}, align 64")
        if first:
            self.put(first, name, kind)
        return name

    def get(self, room: str, kind: str = "double") -> str:
        """Read a stack variable, or any other address."""
        return self(f"load {kind}, ptr {room}, align {4 if kind == 'i32' else 8}")

    def put(self, x: str, room: str, kind: str = "double") -> None:
        """Write x to a stack variable, or any other address."""
        self.emit(f"store {kind} {x}, ptr {room}, align {4 if kind == 'i32' else 8}")

    def at(self, array: str, i: Int | int, kind: str = "double") -> str:
        """Return the address of an entry."""
        return self(f"getelementptr {kind}, ptr {array}, i64 {i}")

    def load(self, array: str, i: Int | int, kind: str = "double") -> str:
        """Read an entry of an array."""
        return self.get(self.at(array, i, kind), kind)

    def store(self, x: str, array: str, i: Int | int) -> None:
        """Write array[i] = x."""
        self.put(x, self.at(array, i))

    def add_to(self, array: str, i: Int | int, x: str) -> None:
        """Write array[i] += x."""
        place = self.at(array, i)
        self.put(self(f"fadd double {self.get(place)}, {x}"), place)

    def index(self, array: str, i: Int | int) -> Int:
        """Read an entry of an array of 32-bit integers."""
        return Int(self, self(f"sext i32 {self.load(array, i, 'i32')} to i64"))

    @contextmanager
    def loop(self, end: Int | int, start: Int | int = 0, step: int = 1) -> Iterator[Int]:
        """Loop over i = start, start + step, … while i < end; values computed inside are known only inside."""
        number, before, known = next(self._number), self.block, self._known.copy()
        i = Int(self, f"%i{number}")
        self._begin(f"head{number}", f"br label %head{number}")
        place = len(self.lines)
        self._begin(f"body{number}", f"br i1 {i < end}, label %body{number}, label %done{number}")
        yield i
        following = i + step
        self.lines.insert(place, f"{i} = phi i64 [{start}, %{before}], [{following}, %{self.block}]")
        self._begin(f"done{number}", f"br label %head{number}")
        self._known = known

    @contextmanager
    def when(self, condition: str, is_so: bool = True) -> Iterator[None]:
        """Run the code written inside only if the condition is true, or false without ``is_so``."""
        number, known = next(self._number), self._known.copy()
        blocks = [f"label %then{number}", f"label %after{number}"][:: 1 if is_so else -1]
        self._begin(f"then{number}", f"br i1 {condition}, {', '.join(blocks)}")
        yield
        self._begin(f"after{number}", f"br label %after{number}")
        self._known = known

    def _begin(self, block: str, branch: str) -> None:
        self.lines += [branch, f"{block}:"]
        self.block = block

    # ---- formulas -----------------------------------------------------------------------------------------------

    def know(self, e: Formula, name: str) -> None:
        """Use this register for the formula from here on."""
        self._known[e, None] = name

    def value(self, e: Operand, k: Int | int | None = None) -> str:
        """Write a formula, or entry k of a row; return the name of its value."""
        if not isinstance(e, Formula):
            return "0x" + struct.pack(">d", float(e)).hex()
        key = e, k if e.is_row else None
        if key not in self._known:
            self._known[key] = self._written(e, key[1])
        return self._known[key]

    def compute(self, formulas: Iterable[Formula]) -> None:
        """Write the formulas that are not rows, before a loop or a store."""
        for e in formulas:
            if e.is_row and e.name in ROW_FORMS:
                self.compute(operations([self._row_form(e)]))
            elif not e.is_row and e.name not in LISTS:
                self.value(e)

    def share(self, upstream: str, local: Operand, k: Int | int | None = None) -> str:
        """Write upstream × local derivative."""
        if not isinstance(local, Formula) and local == 1.0:
            return upstream
        return self(f"fmul double {upstream}, {self.number(local, k)}")

    def number(self, e: Operand, k: Int | int | None = None) -> str:
        """Like ``value``, but a condition becomes 1 or 0."""
        name = self.value(e, k)
        return self(f"uitofp i1 {name} to double") if name in self._conditions else name

    def _written(self, e: Formula, k: Int | int | None) -> str:
        name, x = e.name, e.operands
        if e in self.rows:
            return self.rows[e][1](k)
        if not x:
            return self.letters[e]
        if name == "at":
            i, whole = x
            assert isinstance(whole, Formula)
            return self.value(self._row_form(whole), int(float(i)))  # type: ignore[arg-type]
        if name in ROW_FORMS:
            return self.value(self._row_form(e), k)
        if name in FORMS:
            if e not in self._forms:
                self._forms[e] = FORMS[name](*x)
            return self.number(self._forms[e], k)
        if name in REDUCTIONS:
            return self._reduced(name, x[0])
        if name == "where":
            condition = self.value(x[0], k)
            if condition not in self._conditions:
                condition = self(f"fcmp une double {condition}, 0.0")
            return self(f"select i1 {condition}, double {self.number(x[1], k)}, double {self.number(x[2], k)}")
        if name == "power" and not isinstance(x[1], Formula) and x[1] in POWERS:
            base = self.number(x[0], k)
            return reduce(lambda y, _: self(f"fmul double {y}, {base}"), range(int(x[1]) - 1), base)
        operands = [self.number(y, k) for y in x]
        if name in SIGNS:
            return self(f"{SIGNS[name]} double {', '.join(operands)}")
        if name == "negative":
            return self(f"fneg double {operands[0]}")
        if name in COMPARISONS:
            condition = self(f"fcmp {COMPARISONS[name]} double {', '.join(operands)}")
            self._conditions.add(condition)
            return condition
        arguments = ", ".join(f"double {y}" for y in operands)
        if name in INTRINSICS:
            return self(f"call double @{INTRINSICS[name]}({arguments})")
        function = {"power": "pow", "distance": "hypot"}.get(name, name)
        assert function in LIBM
        self.called.add(function)
        return self(f"call double @{function}_({arguments})")

    def _row_form(self, e: Formula) -> Operand:
        """Return the formula of a function of a row, which is either one operand or all operands."""
        if e not in self._forms:
            row = next((x for x in e.parents if x.is_row), None)
            if row is None:
                row = Formula("row", is_row=True)
                self.rows[row] = len(e.operands), lambda k: self.number(e.operands[int(k)], None)
            self._forms[e] = ROW_FORMS[e.name](row)
        return self._forms[e]

    def _reduced(self, name: str, row: Operand) -> str:
        inside = operations([row])
        sizes = [self.rows[e][0] for e in inside if e in self.rows]
        fold, first = FOLDS[name]
        self.compute(inside)
        if isinstance(size := sizes[0], int):
            entries = (self.number(row, k) for k in range(size))
            return reduce(partial(self._folded, fold), entries, self.value(first))
        room = self.reserve(first=self.value(first))
        with self.loop(size) as k:
            self.put(self._folded(fold, self.get(room), self.number(row, k), "reassoc "), room)
        return self.get(room)

    def _folded(self, fold: str, x: str, y: str, flag: str = "") -> str:
        if fold == "+":
            return self(f"fadd {flag}double {x}, {y}")
        a, b = Formula("a"), Formula("b")
        self.letters |= {a: x, b: y}
        return self.value(Formula(fold, a, b))


def declarations(called: set[str], width: int) -> str:
    """Declare the functions that a module calls: those on ``width`` numbers at once, or on one if it is 0.

    In vectors, the call for a single number uses the vector function too, so that equal operands have equal results
    even if the last few numbers of a loop do not fill a vector.
    """
    lines = [f"declare double @{name}(double)" for name in INTRINSICS.values()]
    kind, used = f"<{width} x double>", []
    for f in sorted(called):
        arguments = ("%x", "%y") if f in BINARY else ("%x",)
        typed = ", ".join(f"double {x}" for x in arguments)
        attributes, body = "alwaysinline", f"  %r = call double @{f}({typed})\n"
        if width:
            variant = f"N{width}{'v' * len(arguments)}_{f}"
            vector = f"_ZGV{'e' if width == 8 else 'd'}{variant}"
            attributes = f'noinline "vector-function-abi-variant"="_ZGV_LLVM_{variant}_({vector})"'
            body = "".join(
                f"  {x}1 = insertelement {kind} poison, double {x}, i64 0\n"
                f"  {x}2 = shufflevector {kind} {x}1, {kind} poison, <{width} x i32> zeroinitializer\n"
                for x in arguments
            )
            body += f"  %v = call {kind} @{vector}({', '.join(f'{kind} {x}2' for x in arguments)})\n"
            body += f"  %r = extractelement {kind} %v, i64 0\n"
            lines.append(
                f"declare {kind} @{vector}({', '.join([kind] * len(arguments))}) nounwind willreturn memory(none)"
            )
            used.append(f"ptr @{vector}")
        else:
            lines.append(f"declare double @{f}({typed}) nounwind willreturn memory(none)")
        pure = "nounwind willreturn memory(none)"
        lines.append(f"define internal double @{f}_({typed}) {pure} {attributes} {{\n{body}  ret double %r\n}}")
    if used:  # prevents their removal before the calls appear
        kept = f"[{len(used)} x ptr] [{', '.join(used)}]"
        lines.append(f'@llvm.compiler.used = appending global {kept}, section "llvm.metadata"')
    return "\n".join(lines) + "\n"
