"""The machine that runs a list of instructions, in LLVM's assembly language; it knows no function of the table.

An instruction is four numbers: which kernel, where its operands' slots begin in ``index``, the first slot of its
results, and how many there are. The forward pass runs the list from its beginning, the backward pass from its end.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from autograd.compiled.assembly import Function
from autograd.compiled.kernels import MOST_LETTERS, SIGNATURE

DECLARATIONS = """\
declare i32 @llvm.smax.i32(i32, i32)
declare i64 @llvm.smin.i64(i64, i64)
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
""" + "".join(
    f"declare <{n} x double> @llvm.fmuladd.v{n}f64(<{n} x double>, <{n} x double>, <{n} x double>)\n"
    for n in (1, 2, 4, 8, 16)
)
CHUNK = 256  # numbers of an operand that are gathered at once
# of a product Z = A Wᵀ + Σ s, in ``index``: its sizes, and for each matrix its first slot and its rows' distance
PRODUCT = ("c", "r", "n", "w", "w_row", "a", "a_row", "wants_w", "wants_a", "room", "singles")

# what a step of training needs, as addresses and numbers: both passes, then a list of updates
STEP = (
    "forward", "forwards", "forward_table", "backward", "backwards", "backward_table", "values", "gradients", "index",
    "slots", "constants", "changing", "parameters", "root", "updates", "groups",
)  # fmt: skip
# numbers: the parameters, then their states, one after the other; ``moved`` is room for the new ones
UPDATE = ("update", "first", "parameters", "numbers", "moved", "options", "size")


def machine() -> str:
    """The source of all that is the same for every program."""
    parts = (_run(), _columns(), _multiply(), *_product(), _finite(), _levels(), _step())
    return "".join(part.text() for part in parts)


def _run() -> Function:
    pointers = ", ".join(f"ptr %{name}" for name in ("instructions", "table", "values", "gradients", "index"))
    code = Function(f"define void @chainrule_run({pointers}, i64 %first, i64 %step, i64 %count)")
    with code.loop("%count") as i:
        place = code(f"add i64 %first, {code(f'mul i64 {i}, %step')}")
        instruction = code.at("%instructions", code(f"mul i64 {place}, 4"), "i32")
        kernel, begin, out, count = (code.index(instruction, k) for k in range(4))
        function = code(f"load ptr, ptr {code.at('%table', kernel, 'ptr')}")
        slots = code.at("%index", begin, "i32")
        code.do(f"call void {function}(ptr %values, ptr %gradients, ptr {slots}, i64 {out}, i64 {count})")
    return code


def _columns() -> Function:
    """Runs a loop on arrays in chunks: gathers the operands that it reads, and adds what it gives to gradients.

    Bit j of ``read``, ``given`` and ``computed`` is for operand j: of what is given, the rest is upstream as it is.
    """
    masks = ", ".join(f"i64 %{name}" for name in ("arity", "read", "given", "computed"))
    parameters = "ptr %values, ptr %gradients, ptr %index, i64 %out, i64 %count"
    code = Function(f"define void @chainrule_columns({parameters}, ptr %body, {masks})")
    rooms = [code.reserve(f"[{MOST_LETTERS * CHUNK} x double]") for _ in range(2)]
    arrays, shares = (code.reserve(f"[{MOST_LETTERS} x ptr]") for _ in range(2))

    def bit(mask: str, j: str) -> str:
        return code(f"trunc i64 {code(f'lshr i64 {mask}, {j}')} to i1")

    def column(j: str, c: str) -> tuple[str, str, str]:
        """Where the column's slots begin, its head, and whether its numbers lie one after the other."""
        before = code(f"add i64 {code(f'mul i64 %count, {j}')}, %arity")
        head = code.index("%index", j)
        return code.at("%index", code(f"add i64 {before}, {c}"), "i32"), head, code(f"icmp sge i64 {head}, 0")

    with code.loop("%count", step=CHUNK) as c:
        n = code(f"call i64 @llvm.smin.i64(i64 {code(f'sub i64 %count, {c}')}, i64 {CHUNK})")
        out = code(f"add i64 %out, {c}")
        with code.loop("%arity") as j:
            room, share = (code.at(room, code(f"mul i64 {j}, {CHUNK}")) for room in rooms)
            code.do(f"store ptr {share}, ptr {code.at(shares, j, 'ptr')}")
            slots, head, follow = column(j, c)
            dense = code.at("%values", code(f"add i64 {head}, {c}"))
            code.do(
                f"store ptr {code(f'select i1 {follow}, ptr {dense}, ptr {room}')}, ptr {code.at(arrays, j, 'ptr')}"
            )
            copied = code(f"and i1 {bit('%read', j)}, {code(f'xor i1 {follow}, true')}")
            with code.when(copied), code.loop(n) as i:
                code.store(code.load("%values", code.index(slots, i)), room, i)
        upstream = code.at("%gradients", out)
        code.do(
            f"call void %body(ptr {arrays}, ptr {shares}, ptr {code.at('%values', out)}, ptr {upstream}, i64 {n})"
        )
        with code.loop("%arity") as j, code.when(bit("%given", j)):
            slots, head, follow = column(j, c)
            share = code.load(shares, j, "ptr")
            share = code(f"select i1 {bit('%computed', j)}, ptr {share}, ptr {upstream}")
            dense = code.at("%gradients", code(f"add i64 {head}, {c}"))
            with code.when(follow), code.loop(n) as i:
                code.add_to(dense, i, code.load(share, i))
            with code.when(code(f"xor i1 {follow}, true")), code.loop(n) as i:
                code.add_to("%gradients", code.index(slots, i), code.load(share, i))
    return code


def _multiply() -> Function:
    """C[i, j] += Σ_k A[i, k] B[k, j], in tiles of four rows and sixteen columns, whose sums stay in registers.

    The rows of C and B lie closely; A's entries are ``a_row`` and ``a_column`` apart.
    """
    code = Function(
        "define void @chainrule_multiply(ptr noalias %C, i64 %c_row, ptr noalias %A, i64 %a_row, i64 %a_column, "
        "ptr noalias %B, i64 %b_row, i64 %m, i64 %n, i64 %p)"
    )
    whole = code("and i64 %m, -4")
    for rows, first, last in ((4, "0", whole), (1, whole, "%m")):
        with code.loop(last, first, rows) as i:
            done = "0"
            for columns in (16, 8, 4, 2, 1):
                end = code(f"and i64 %n, {-columns}")
                with code.loop(end, done, columns) as j:
                    _tile(code, rows, columns, i, j)
                done = end
    return code


def _tile(code: Function, rows: int, columns: int, i: str, j: str) -> None:
    kind = f"<{columns} x double>"
    sums = [code.reserve(kind) for _ in range(rows)]
    lines = [code(f"add i64 {i}, {r}") for r in range(rows)]
    for room in sums:
        code.do(f"store {kind} zeroinitializer, ptr {room}")
    with code.loop("%p") as k:
        b = code(f"add i64 {code(f'mul i64 {k}, %b_row')}, {j}")
        B = code(f"load {kind}, ptr {code.at('%B', b)}, align 8")
        for line, room in zip(lines, sums):
            place = code(f"add i64 {code(f'mul i64 {line}, %a_row')}, {code(f'mul i64 {k}, %a_column')}")
            one = code(f"insertelement {kind} poison, double {code.load('%A', place)}, i64 0")
            a = code(f"shufflevector {kind} {one}, {kind} poison, <{columns} x i32> zeroinitializer")
            old = code(f"load {kind}, ptr {room}")
            new = code(f"call {kind} @llvm.fmuladd.v{columns}f64({kind} {a}, {kind} {B}, {kind} {old})")
            code.do(f"store {kind} {new}, ptr {room}")
    for line, room in zip(lines, sums):
        place = code.at("%C", code(f"add i64 {code(f'mul i64 {line}, %c_row')}, {j}"))
        total = code(f"fadd {kind} {code(f'load {kind}, ptr {place}, align 8')}, {code(f'load {kind}, ptr {room}')}")
        code.do(f"store {kind} {total}, ptr {place}, align 8")


def _product() -> list[Function]:
    """The kernel of matrix products: Z = A Wᵀ + Σ s, and ∂L/∂W = δᵀ A, ∂L/∂A = δ W, ∂L/∂s = δ."""
    functions = []
    for backward in (False, True):
        code = Function(SIGNATURE.format(name=f"chainrule_product_{'b' if backward else 'f'}"))
        at = {name: code.index("%index", k) for k, name in enumerate(PRODUCT)}
        c, r, n, w_row, a_row = (at[name] for name in ("c", "r", "n", "w_row", "a_row"))
        W, A, Z, delta = (
            code.at("%values", at["w"]),
            code.at("%values", at["a"]),
            code.at("%values", "%out"),
            code.at("%gradients", "%out"),
        )
        if not backward:
            with code.loop(code(f"mul i64 {c}, {r}")) as i:
                code.store(code.value(0.0), Z, i)
        with code.loop(at["singles"]) as s:
            first = code(f"add i64 {code(f'mul i64 {s}, 2')}, {len(PRODUCT)}")
            single, row = code.index("%index", first), code.index("%index", code(f"add i64 {first}, 1"))
            with code.loop(c) as i:
                begin = code(f"add i64 {single}, {code(f'mul i64 {i}, {row}')}")
                of_single, of_z = code.at("%gradients" if backward else "%values", begin), code(f"mul i64 {i}, {r}")
                here = code.at(delta if backward else Z, of_z)
                with code.loop(r) as j:
                    if backward:
                        code.add_to(of_single, j, code.load(here, j))
                    else:
                        code.add_to(here, j, code.load(of_single, j))
        matrix = "ptr {}, i64 {}"
        call = f"call void @chainrule_multiply({matrix}, {matrix}, i64 {{}}, {matrix}, i64 {{}}, i64 {{}}, i64 {{}})"
        if backward:
            for wanted, C, row, arguments in (
                ("wants_w", "w", w_row, (delta, 1, r, A, a_row, r, n, c)),
                ("wants_a", "a", a_row, (delta, r, 1, W, w_row, c, n, r)),
            ):
                with code.when(code(f"icmp ne i64 {at[wanted]}, 0")):
                    code.do(call.format(code.at("%gradients", at[C]), row, *arguments))
        else:
            room = code.at("%values", at["room"])
            few = code(f"icmp slt i64 {c}, 4")
            with code.when(few), code.loop(c) as i, code.loop(r) as j:  # to turn W would take as long
                _dot(code, code.at(A, code(f"mul i64 {i}, {a_row}")), code.at(W, code(f"mul i64 {j}, {w_row}")), n,
                     code.at(Z, code(f"add i64 {code(f'mul i64 {i}, {r}')}, {j}")))  # fmt: skip
            with code.when(code(f"xor i1 {few}, true")):
                with code.loop(r) as j:
                    line = code.at(W, code(f"mul i64 {j}, {w_row}"))
                    with code.loop(n) as k:
                        code.store(code.load(line, k), room, code(f"add i64 {code(f'mul i64 {k}, {r}')}, {j}"))
                code.do(call.format(Z, r, A, a_row, 1, room, r, c, r, n))
        functions.append(code)
    return functions


def _dot(code: Function, x: str, y: str, n: str, into: str) -> None:
    """into += Σ_k x_k y_k"""
    room = code.reserve("double")
    code.do(f"store double 0.0, ptr {room}")
    with code.loop(n) as k:
        term = code(f"fmul contract double {code.load(x, k)}, {code.load(y, k)}")
        code.do(f"store double {code(f'fadd reassoc contract double {code.load(room, 0)}, {term}')}, ptr {room}")
    code.add_to(into, "0", code.load(room, 0))


def _finite() -> Function:
    """Σ (x − x), which is 0 if all x are finite, else NaN."""
    code = Function("define double @chainrule_finite(ptr %x, i64 %n)")
    room = code.reserve("double")
    code.do(f"store double 0.0, ptr {room}")
    with code.loop("%n") as i:
        x = code.load("%x", i)
        total = code(f"fadd reassoc double {code.load(room, 0)}, {code(f'fsub double {x}, {x}')}")
        code.do(f"store double {total}, ptr {room}")
    code.result = f"double {code.load(room, 0)}"
    return code


def _levels() -> Function:
    """For each node, 1 + the highest level of its operands, 0 if it has none; ``wanted`` is handed on from these."""
    code = Function("define void @chainrule_levels(ptr %start, ptr %items, ptr %level, ptr %wanted, i64 %n)")
    highest, wants = code.reserve("i32"), code.reserve("i32")
    with code.loop("%n") as node:
        begin, end = code.index("%start", node), code.index("%start", code(f"add i64 {node}, 1"))
        code.do(f"store i32 0, ptr {highest}")
        code.do(f"store i32 {code.load('%wanted', node, 'i32')}, ptr {wants}")
        with code.loop(end, begin) as k:
            operand = code.index("%items", k)
            above = code(f"add i32 {code.load('%level', operand, 'i32')}, 1")
            larger = code(f"call i32 @llvm.smax.i32(i32 {above}, i32 {code(f'load i32, ptr {highest}')})")
            code.do(f"store i32 {larger}, ptr {highest}")
            either = code(f"or i32 {code.load('%wanted', operand, 'i32')}, {code(f'load i32, ptr {wants}')}")
            code.do(f"store i32 {either}, ptr {wants}")
        for room, array in ((highest, "%level"), (wants, "%wanted")):
            code.do(f"store i32 {code(f'load i32, ptr {room}')}, ptr {code.at(array, node, 'i32')}")
    return code


def _step() -> Function:
    """Both passes and the update; 0 if all numbers are finite, else 1, and no parameter has moved."""
    code = Function("define i64 @chainrule_step(ptr %step)")
    names = ("forward", "forward_table", "backward", "backward_table", "values", "gradients", "index", "updates")

    def fields(array: str, layout: tuple[str, ...], pointers: Iterable[str]) -> dict[str, str]:
        return {x: code.load(array, k, "ptr" if x in pointers else "i64") for k, x in enumerate(layout)}

    def copy(to: str, source: str, n: str) -> None:
        code.do(f"call void @llvm.memcpy.p0.p0.i64(ptr {to}, ptr {source}, i64 {code(f'shl i64 {n}, 3')}, i1 false)")

    def finite(array: str, n: str) -> str:
        return code(f"fcmp oeq double {code(f'call double @chainrule_finite(ptr {array}, i64 {n})')}, 0.0")

    at = fields("%step", STEP, names)
    run = (
        "call void @chainrule_run(ptr {}, ptr {}, ptr {values}, ptr {gradients}, ptr {index}, i64 {}, i64 {}, i64 {})"
    )

    @contextmanager
    def groups() -> Iterator[dict[str, str]]:
        with code.loop(at["groups"]) as i:
            place = code.at(at["updates"], code(f"mul i64 {i}, {len(UPDATE)}"), "i64")
            yield fields(place, UPDATE, ("update", "numbers", "moved", "options"))

    status, sound = code.reserve("i64"), code.reserve("i1")
    code.do(f"store i64 1, ptr {status}")
    with groups() as group:
        copy(code.at(at["values"], group["first"]), group["numbers"], group["parameters"])
    code.do(run.format(at["forward"], at["forward_table"], 0, 1, at["forwards"], **at))
    with code.when(finite(code.at(at["values"], at["constants"]), at["changing"])):
        size = code(f"shl i64 {at['slots']}, 3")
        code.do(f"call void @llvm.memset.p0.i64(ptr {at['gradients']}, i8 0, i64 {size}, i1 false)")
        code.store("1.0", at["gradients"], at["root"])
        last = code(f"sub i64 {at['backwards']}, 1")
        code.do(run.format(at["backward"], at["backward_table"], last, -1, at["backwards"], **at))
        given = code.at(at["gradients"], at["constants"])
        code.do(f"store i1 {finite(given, at['parameters'])}, ptr {sound}")
        with groups() as group:
            gradient = code.at(at["gradients"], group["first"])
            arguments = ", ".join(f"ptr {x}" for x in (group["numbers"], gradient, group["moved"], group["options"]))
            code.do(f"call void {group['update']}({arguments}, i64 {group['parameters']})")
            both = code(f"and i1 {finite(group['moved'], group['size'])}, {code(f'load i1, ptr {sound}')}")
            code.do(f"store i1 {both}, ptr {sound}")
        with code.when(code(f"load i1, ptr {sound}")):
            with groups() as group:
                copy(group["numbers"], group["moved"], group["size"])
            code.do(f"store i64 0, ptr {status}")
    code.result = f"i64 {code(f'load i64, ptr {status}')}"
    return code
