"""Writes formulas in LLVM's assembly language: the third writer beside those for pages and for text.

A formula's *row* is a list of operands. Where their number is known, its entries are written one after the other;
where it is a number at run time, what reduces the row becomes a loop.
"""

import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from math import inf

from autograd.number_systems.expressions import FORMS, LISTS, REDUCTIONS, ROW_FORMS, Formula, Operand, operations

TWO = ("pow", "atan2", "hypot")  # functions of the C library of two numbers; the others take one
LIBRARY = (
    "exp", "expm1", "log", "log1p", "log2", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh",
    "erf", "erfc", *TWO,
)  # fmt: skip
INTRINSICS = {"abs": "llvm.fabs.f64", "floor": "llvm.floor.f64", "root": "llvm.sqrt.f64"}
SIGNS = {"+": "fadd", "-": "fsub", "*": "fmul", "/": "fdiv"}
COMPARISONS = {"<": "olt", "<=": "ole", ">": "ogt", ">=": "oge", "===": "oeq", "!==": "une"}
FOLDS = {  # how a reduction takes one more entry, and what it begins with
    "total": ("fadd reassoc double {}, {}", 0.0), "norm": ("call double @hypot(double {}, double {})", 0.0),
    "largest": ("larger", -inf), "smallest": ("smaller", inf),
}  # fmt: skip


class Function:
    """The body of a function; each operation's result gets a new name, which it returns.

    letters   what each letter of the formulas is called
    rows      for each row's letter, its length and a function that gives the name of an entry
    """

    def __init__(self, header: str) -> None:
        self.header = header
        self.lines: list[str] = []
        self.block = "entry"
        self.result = "void"
        self.called: set[str] = set()  # functions of the C library
        self.letters: dict[Formula, str] = {}
        self.rows: dict[Formula, tuple[int | str, Callable[[int | str], str]]] = {}
        self._forms: dict[Formula, Operand] = {}  # what stands for a function that is a form
        self._known: dict[tuple[Formula, int | str | None], str] = {}
        self._conditions: set[str] = set()
        self._reserved: list[str] = []
        self._number = count()

    def __call__(self, operation: str) -> str:
        name = f"%v{next(self._number)}"
        self.lines.append(f"{name} = {operation}")
        return name

    def do(self, instruction: str) -> None:
        self.lines.append(instruction)

    def reserve(self, kind: str) -> str:
        """Room on the stack, for one thing of a type."""
        name = f"%v{next(self._number)}"
        self._reserved.append(f"{name} = alloca {kind}, align 64")
        return name

    def text(self) -> str:
        """The whole function."""
        body = "\n  ".join([*self._reserved, *self.lines, f"ret {self.result}"])
        return f"{self.header} {{\nentry:\n  {body}\n}}\n"

    def at(self, array: str, i: int | str, kind: str = "double") -> str:
        """The address of an entry."""
        return self(f"getelementptr {kind}, ptr {array}, i64 {i}")

    def load(self, array: str, i: int | str, kind: str = "double") -> str:
        return self(f"load {kind}, ptr {self.at(array, i, kind)}, align {4 if kind == 'i32' else 8}")

    def store(self, x: str, array: str, i: int | str, kind: str = "double") -> None:
        self.do(f"store {kind} {x}, ptr {self.at(array, i)}, align 8")

    def add_to(self, array: str, i: str, x: str) -> None:
        """array[i] += x"""
        place = self.at(array, i)
        old = self(f"load double, ptr {place}")
        self.do(f"store double {self(f'fadd double {old}, {x}')}, ptr {place}")

    def index(self, array: str, i: int | str) -> str:
        """An entry of an array of 32-bit integers."""
        return self(f"sext i32 {self.load(array, i, 'i32')} to i64")

    @contextmanager
    def loop(self, end: int | str, start: int | str = 0, step: int = 1) -> Iterator[str]:
        """For i = start, start + step, … while i < end; what is computed inside is known inside only."""
        number, before, known = next(self._number), self.block, self._known.copy()
        i = f"%i{number}"
        self.do(f"br label %head{number}")
        self._begin(f"head{number}")
        place = len(self.lines)
        inside = self(f"icmp slt i64 {i}, {end}")
        self.do(f"br i1 {inside}, label %body{number}, label %done{number}")
        self._begin(f"body{number}")
        yield i
        following = self(f"add i64 {i}, {step}")
        self.lines.insert(place, f"{i} = phi i64 [{start}, %{before}], [{following}, %{self.block}]")
        self.do(f"br label %head{number}")
        self._begin(f"done{number}")
        self._known = known

    @contextmanager
    def when(self, condition: str) -> Iterator[None]:
        number, known = next(self._number), self._known.copy()
        self.do(f"br i1 {condition}, label %then{number}, label %after{number}")
        self._begin(f"then{number}")
        yield
        self.do(f"br label %after{number}")
        self._begin(f"after{number}")
        self._known = known

    def _begin(self, block: str) -> None:
        self.lines.append(f"{block}:")
        self.block = block

    # ---- formulas -----------------------------------------------------------------------------------------------

    def know(self, e: Formula, name: str) -> None:
        """From here on, the formula's value is under this name."""
        self._known[e, None] = name

    def value(self, e: Operand, k: int | str | None = None) -> str:
        """Write a formula, of a row its entry k; returns the name of its value."""
        if not isinstance(e, Formula):
            return "0x" + struct.pack(">d", float(e)).hex()
        key = e, k if e.is_row else None
        if key not in self._known:
            self._known[key] = self._written(e, key[1])
        return self._known[key]

    def compute(self, formulas: Iterable[Formula]) -> None:
        """Write what is not a row, before a loop or a store."""
        for e in formulas:
            if e.is_row and e.name in ROW_FORMS:
                self.compute(operations([self._row_form(e)]))
            elif not e.is_row and e.name not in LISTS:
                self.value(e)

    def share(self, upstream: str, local: Operand, k: int | str | None = None) -> str:
        """upstream × local derivative"""
        if not isinstance(local, Formula) and local == 1.0:
            return upstream
        return self(f"fmul double {upstream}, {self.number(local, k)}")

    def number(self, e: Operand, k: int | str | None = None) -> str:
        """``value`` as a number: of a condition, 1 or 0."""
        name = self.value(e, k)
        return self(f"uitofp i1 {name} to double") if name in self._conditions else name

    def _written(self, e: Formula, k: int | str | None) -> str:
        name, x = e.name, e.operands
        if e in self.rows:
            return self.rows[e][1](k)  # type: ignore[arg-type]
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
        function = "pow" if name == "power" else name
        assert function in LIBRARY
        self.called.add(function)
        # a constant whole exponent may become multiplications
        return self(f"call {'reassoc afn ' if function == 'pow' else ''}double @{function}({arguments})")

    def _row_form(self, e: Formula) -> Operand:
        """The formula of a function of a row, which is one operand, or of operands one by one."""
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
            entries = [self.number(row, k) for k in range(size)]
            total = entries[0]
            for entry in entries[1:]:
                total = self._folded(fold, total, entry)
            return total
        room = self.reserve("double")
        self.do(f"store double {self.value(first)}, ptr {room}")
        with self.loop(size) as k:
            entry = self.number(row, k)
            self.do(f"store double {self._folded(fold, self(f'load double, ptr {room}'), entry)}, ptr {room}")
        return self(f"load double, ptr {room}")

    def _folded(self, fold: str, x: str, y: str) -> str:
        if fold not in FORMS:
            if "hypot" in fold:
                self.called.add("hypot")
            return self(fold.format(x, y))
        a, b = Formula("a"), Formula("b")
        self.letters |= {a: x, b: y}
        return self.value(Formula(fold, a, b))


def declarations(called: set[str], vectors: bool) -> str:
    """What a module says of the functions that it calls; ``vectors``: whether the C library has them for 4 and 8."""
    lines = [f"declare double @{name}(double)" for name in INTRINSICS.values()]
    used = []
    for f in sorted(called):
        n = 2 if f in TWO else 1
        variants = []
        for letter, width in (("d", 4), ("e", 8)) if vectors else ():
            signature = f"N{width}{'v' * n}_{f}"
            used.append(f"ptr @_ZGV{letter}{signature}")
            kind = f"<{width} x double>"
            lines.append(f"declare {kind} @_ZGV{letter}{signature}({', '.join([kind] * n)})")
            variants.append(f"_ZGV_LLVM_{signature}(_ZGV{letter}{signature})")
        attribute = f'"vector-function-abi-variant"="{",".join(variants)}"' if variants else ""
        parameters = ", ".join(["double"] * n)
        lines.append(f"declare double @{f}({parameters}) nounwind willreturn memory(none) {attribute}")
    if used:  # so that they are not removed before they are called
        kept = f"[{len(used)} x ptr] [{', '.join(used)}]"
        lines.append(f'@llvm.compiler.used = appending global {kept}, section "llvm.metadata"')
    return "\n".join(lines) + "\n"
