"""The machine that runs a list of instructions, as LLVM IR; independent of the table.

An instruction is four numbers: the kernel, the position of its operands' slots in ``index``, the first slot of its
results, and their number. The forward pass runs the list from the beginning, the backward pass from the end.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import Structure, c_int64, c_void_p
from typing import Any, ClassVar

from autograd.compiled.assembly import Function, Int
from autograd.compiled.kernels import ARRAYS, COLUMNS, MOST_LETTERS, RESULTS

CHUNK = 256  # numbers of an operand that are gathered at once
WIDTHS = (16, 8, 4, 2, 1)  # columns of a tile
LARGE = 4_000_000  # multiplications; with at least this many, BLAS, which blocks matrices for the cache, is faster
DECLARATIONS = """\
@chainrule_blas = global ptr null
declare i32 @llvm.smax.i32(i32, i32)
declare i64 @llvm.smin.i64(i64, i64)
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
""" + "".join(f"declare <{n} x double> @llvm.fmuladd.v{n}f64({', '.join([f'<{n} x double>'] * 3)})\n" for n in WIDTHS)
# of a product Z = A Wᵀ + Σ s, in ``index``: its sizes, and for each matrix the first slot and the distance of rows
PRODUCT = ("c", "r", "n", "w", "w_row", "a", "a_row", "wants_w", "wants_a", "room", "singles")


class Step(Structure):
    """The data of both passes, and a list of updates."""

    _fields_: ClassVar[list[tuple[str, Any]]] = [
        ("forward", c_void_p), ("forwards", c_int64), ("forward_table", c_void_p), ("backward", c_void_p),
        ("backwards", c_int64), ("backward_table", c_void_p), ("values", c_void_p), ("gradients", c_void_p),
        ("index", c_void_p), ("slots", c_int64), ("constants", c_int64), ("changing", c_int64),
        ("parameters", c_int64), ("root", c_int64), ("updates", c_void_p), ("groups", c_int64),
    ]  # fmt: skip


class Update(Structure):
    """The numbers of a group: its parameters, then their states; ``moved`` is space for the new numbers."""

    _fields_: ClassVar[list[tuple[str, Any]]] = [
        ("update", c_void_p), ("first", c_int64), ("parameters", c_int64), ("numbers", c_void_p), ("moved", c_void_p),
        ("options", c_void_p), ("size", c_int64),
    ]  # fmt: skip


def machine() -> str:
    """Return the source that is the same for every program."""
    product = (_product("f"), _product("b"))
    return "".join(code.text() for code in (_run(), _columns(), _multiply(), *product, _finite(), _levels(), _step()))


def _run() -> Function:
    code = Function("chainrule_run", ["instructions", "table", *ARRAYS], ["first", "step", "count"])
    (instructions, table, values, gradients, index), (first, step, count) = code.pointers, code.numbers
    with code.loop(count) as i:
        instruction = code.at(instructions, (first + i * step) * 4, "i32")
        kernel, begin, out, n = (code.index(instruction, k) for k in range(4))
        function = code.load(table, kernel, "ptr")
        code.call(f"{function}", values, gradients, code.at(index, begin, "i32"), out, n)
    return code


def _columns() -> Function:
    """Write a function that runs a loop in chunks: it gathers the operands, and adds the contributions to gradients.

    Bit j of ``read``, ``given`` and ``computed`` is set if the loop reads operand j, if it has a gradient, and if its
    contribution is computed; other contributions are the upstream gradient.
    """
    code = Function("chainrule_columns", [*ARRAYS, "body"], [*RESULTS, *COLUMNS])
    (values, gradients, index, body), (out, count, arity, read, given, computed) = code.pointers, code.numbers
    rooms, rooms_back = (code.reserve(f"[{MOST_LETTERS * CHUNK} x double]") for _ in range(2))
    arrays, shares = (code.reserve(f"[{MOST_LETTERS} x ptr]") for _ in range(2))

    def bit(mask: Int, j: Int) -> str:
        return code(f"trunc i64 {code(f'lshr i64 {mask}, {j}')} to i1")

    def column(j: Int, c: Int) -> tuple[str, Int, str]:
        """Return the address of the column's slots, its first slot, and whether its slots are consecutive."""
        head = code.index(index, j)
        return code.at(index, arity + count * j + c, "i32"), head + c, head >= 0

    with code.loop(count, step=CHUNK) as c:
        n = Int(code, code(f"call i64 @llvm.smin.i64(i64 {count - c}, i64 {CHUNK})"))
        v, upstream = code.at(values, out + c), code.at(gradients, out + c)
        with code.loop(arity) as j:
            room = code.at(rooms, j * CHUNK)
            code.put(code.at(rooms_back, j * CHUNK), code.at(shares, j, "ptr"), "ptr")
            slots, first, follow = column(j, c)
            array = code(f"select i1 {follow}, ptr {code.at(values, first)}, ptr {room}")
            code.put(array, code.at(arrays, j, "ptr"), "ptr")
            with code.when(bit(read, j)), code.when(follow, False), code.loop(n) as i:
                code.store(code.load(values, code.index(slots, i)), room, i)
        code.call(f"{body}", arrays, shares, v, upstream, n)
        with code.loop(arity) as j, code.when(bit(given, j)):
            slots, first, follow = column(j, c)
            share = code(f"select i1 {bit(computed, j)}, ptr {code.load(shares, j, 'ptr')}, ptr {upstream}")
            with code.when(follow), code.loop(n) as i:
                code.add_to(code.at(gradients, first), i, code.load(share, i))
            with code.when(follow, False), code.loop(n) as i:
                code.add_to(gradients, code.index(slots, i), code.load(share, i))
    return code


def _multiply() -> Function:
    """Write C[i, j] += Σ_k A[i, k] B[k, j], in tiles of four rows and sixteen columns, whose sums stay in registers.

    The rows of C and B are contiguous; the entries of A are ``a_row`` and ``a_column`` apart.
    """
    sizes = ["c_row", "a_row", "a_column", "b_row", "m", "n", "p"]
    code = Function("chainrule_multiply", ["C", "A", "B"], sizes, noalias=True)
    c_row, a_row, a_column, b_row, m, n, p = code.numbers
    # BLAS needs rows that do not overlap, and contiguous rows or columns in A
    whole_rows, whole_columns = code.all(a_column < 2, a_row >= p), code.all(a_row < 2, a_column >= m)
    blas = code.get("@chainrule_blas", "ptr")
    fits = code.all(code(f"or i1 {whole_rows}, {whole_columns}"), b_row >= n, c_row >= n, m * n * p >= LARGE)
    large = code.all(fits, code(f"icmp ne ptr {blas}, null"))
    with code.when(large):
        _by_blas(code, blas, whole_rows)
    m = code.choose(large, 0, m)
    whole = m & -4
    for rows, first, last in ((4, Int(code, "0"), whole), (1, whole, m)):
        with code.loop(last, first, rows) as i:
            done = Int(code, "0")
            for columns in WIDTHS:
                with code.loop(n & -columns, done, columns) as j:
                    _tile(code, rows, columns, i, j)
                done = n & -columns
    return code


def _by_blas(code: Function, blas: str, whole_rows: str) -> None:
    """Write Cᵀ += Bᵀ Aᵀ, because BLAS stores matrices column by column."""
    (C, A, B), (c_row, a_row, a_column, b_row, m, n, p) = code.pointers, code.numbers
    one, letter, of_a = code.reserve(first="1.0"), code.reserve("i8", str(ord("N"))), code.reserve("i8")
    code.put(code(f"select i1 {whole_rows}, i8 {ord('N')}, i8 {ord('T')}"), of_a, "i8")
    sizes = [code.reserve("i32") for _ in range(6)]
    for x, room in zip((n, m, p, b_row, code.choose(whole_rows, a_row, a_column), c_row), sizes):
        code.put(code(f"trunc i64 {x} to i32"), room, "i32")
    columns, rows, depth, of_b, distance, of_c = sizes
    passed = letter, of_a, columns, rows, depth, one, B, of_b, A, distance, one, C, of_c
    code.call(f"{blas}", *passed)


def _tile(code: Function, rows: int, columns: int, i: Int, j: Int) -> None:
    (C, A, B), (c_row, a_row, a_column, b_row, _, _, p) = code.pointers, code.numbers
    kind = f"<{columns} x double>"
    sums = [code.reserve(kind, "zeroinitializer") for _ in range(rows)]
    with code.loop(p) as k:
        b = code.get(code.at(B, b_row * k + j), kind)
        for r, total in enumerate(sums):
            one = code(f"insertelement {kind} poison, double {code.load(A, (i + r) * a_row + a_column * k)}, i64 0")
            a = code(f"shufflevector {kind} {one}, {kind} poison, <{columns} x i32> zeroinitializer")
            terms = f"{kind} {a}, {kind} {b}, {kind} {code.get(total, kind)}"
            code.put(code(f"call {kind} @llvm.fmuladd.v{columns}f64({terms})"), total, kind)
    for r, total in enumerate(sums):
        place = code.at(C, (i + r) * c_row + j)
        code.put(code(f"fadd {kind} {code.get(place, kind)}, {code.get(total, kind)}"), place, kind)


def _product(direction: str) -> Function:
    """Write the kernel of matrix products: Z = A Wᵀ + Σ s, and ∂L/∂W = δᵀ A, ∂L/∂A = δ W, ∂L/∂s = δ."""
    code = Function(f"chainrule_product_{direction}", ARRAYS, RESULTS)
    (values, gradients, index), (out, _) = code.pointers, code.numbers
    c, r, n, w, w_row, a, a_row, wants_w, wants_a, turned, singles = (
        code.index(index, k) for k in range(len(PRODUCT))
    )
    W, A, Z, delta = code.at(values, w), code.at(values, a), code.at(values, out), code.at(gradients, out)
    backward = direction == "b"

    def multiply(C: str, c_row: Int, A: str, a_row: Int | int, a_column: Int | int, B: str, *sizes: Int) -> None:
        code.call("@chainrule_multiply", C, A, B, c_row, a_row, a_column, *sizes)

    if not backward:
        with code.loop(c * r) as i:
            code.store("0.0", Z, i)
    with code.loop(singles) as s:
        first, row = (code.index(index, s * 2 + len(PRODUCT) + k) for k in range(2))
        with code.loop(c) as i, code.loop(r) as j:
            if backward:
                code.add_to(gradients, first + row * i + j, code.load(delta, i * r + j))
            else:
                code.add_to(Z, i * r + j, code.load(values, first + row * i + j))
    if backward:
        with code.when(wants_w >= 1):
            multiply(code.at(gradients, w), w_row, delta, 1, r, A, a_row, r, n, c)
        with code.when(wants_a >= 1):
            multiply(code.at(gradients, a), a_row, delta, r, 1, W, w_row, c, n, r)
        return code
    few = c < 4  # transposing W would take as long as the product
    with code.when(few), code.loop(c) as i, code.loop(r) as j:
        total = code.reserve(first="0.0")
        with code.loop(n) as k:
            term = code(f"fmul contract double {code.load(A, i * a_row + k)}, {code.load(W, j * w_row + k)}")
            code.put(code(f"fadd reassoc contract double {code.get(total)}, {term}"), total)
        code.add_to(Z, i * r + j, code.get(total))
    with code.when(few, False):
        room = code.at(values, turned)
        with code.loop(r) as j, code.loop(n) as k:
            code.store(code.load(W, j * w_row + k), room, k * r + j)
        multiply(Z, r, A, a_row, 1, room, r, c, r, n)
    return code


def _finite() -> Function:
    """Write a function that computes Σ (x − x), which is 0 if all x are finite, else NaN."""
    code = Function("chainrule_finite", ["x"], ["n"])
    [array], [n] = code.pointers, code.numbers
    total = code.reserve(first="0.0")
    with code.loop(n) as i:
        x = code.load(array, i)
        code.put(code(f"fadd reassoc double {code.get(total)}, {code(f'fsub double {x}, {x}')}"), total)
    code.result = f"double {code.get(total)}"
    return code


def _levels() -> Function:
    """Write a function for each node's level (0, or one more than its highest operand's) and whether it is wanted."""
    code = Function("chainrule_levels", ["start", "items", "level", "wanted"], ["n"])
    (start, items, level, wanted), [n] = code.pointers, code.numbers
    highest, wants = code.reserve("i32"), code.reserve("i32")
    with code.loop(n) as node:
        code.put("0", highest, "i32")
        code.put(code.load(wanted, node, "i32"), wants, "i32")
        with code.loop(code.index(start, node + 1), code.index(start, node)) as k:
            operand = code.index(items, k)
            above = code(f"add i32 {code.load(level, operand, 'i32')}, 1")
            code.put(code(f"call i32 @llvm.smax.i32(i32 {above}, i32 {code.get(highest, 'i32')})"), highest, "i32")
            code.put(code(f"or i32 {code.load(wanted, operand, 'i32')}, {code.get(wants, 'i32')}"), wants, "i32")
        for room, array in ((highest, level), (wants, wanted)):
            code.put(code.get(room, "i32"), code.at(array, node, "i32"), "i32")
    return code


def _step() -> Function:
    """Write a function for both passes and the update; if a number is not finite, it returns 1 and moves nothing."""
    code = Function("chainrule_step", ["step"])

    def fields(place: str, layout: type[Structure]) -> dict[str, Any]:
        loaded = {}
        for k, (name, kind) in enumerate(layout._fields_):  # type: ignore[misc]
            is_number = kind is c_int64
            x = code.load(place, k, "i64" if is_number else "ptr")
            loaded[name] = Int(code, x) if is_number else x
        return loaded

    def copy(to: str, source: str, n: Int) -> None:
        code.emit(f"call void @llvm.memcpy.p0.p0.i64(ptr {to}, ptr {source}, i64 {n << 3}, i1 false)")

    def finite(array: str, n: Int) -> str:
        return code(f"fcmp oeq double {code(f'call double @chainrule_finite(ptr {array}, i64 {n})')}, 0.0")

    @contextmanager
    def groups() -> Iterator[dict[str, Any]]:
        with code.loop(at["groups"]) as i:
            yield fields(code.at(at["updates"], i * len(Update._fields_), "i64"), Update)

    at = fields("%step", Step)
    values, gradients, constants = at["values"], at["gradients"], at["constants"]
    numbers = values, gradients, at["index"]
    status, sound = code.reserve("i64", "1"), code.reserve("i1")
    with groups() as group:
        copy(code.at(values, group["first"]), group["numbers"], group["parameters"])
    code.call("@chainrule_run", at["forward"], at["forward_table"], *numbers, 0, 1, at["forwards"])
    with code.when(finite(code.at(values, constants), at["changing"])):
        code.emit(f"call void @llvm.memset.p0.i64(ptr {gradients}, i8 0, i64 {at['slots'] << 3}, i1 false)")
        code.store("1.0", gradients, at["root"])
        back = at["backward"], at["backward_table"], *numbers, at["backwards"] - 1, -1, at["backwards"]
        code.call("@chainrule_run", *back)
        code.put(finite(code.at(gradients, constants), at["parameters"]), sound, "i1")
        with groups() as group:
            passed = group["numbers"], code.at(gradients, group["first"]), group["moved"], group["options"]
            code.call(f"{group['update']}", *passed, group["parameters"])
            code.put(code(f"and i1 {finite(group['moved'], group['size'])}, {code.get(sound, 'i1')}"), sound, "i1")
        with code.when(code.get(sound, "i1")):
            with groups() as group:
                copy(group["numbers"], group["moved"], group["size"])
            code.put("0", status, "i64")
    code.result = f"i64 {code.get(status, 'i64')}"
    return code
