"""Compiles kernels, keeps them in the user's cache folder, and loads them; each is compiled once.

A file of the cache begins with a checksum of the rest, and its name has one of all that the code depends on: the
source, the processor, LLVM's version. What does not fit is compiled again; a folder that cannot be written is left.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from ctypes import PYFUNCTYPE, c_char_p, c_void_p, py_object, pythonapi
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
from platformdirs import user_cache_path

from autograd.compiled.assembly import declarations
from autograd.compiled.kernels import Shape, written
from autograd.compiled.machine import DECLARATIONS, machine
from autograd.files import write_whole

VECTOR_LIBRARY = "libmvec.so.1"  # glibc's functions on several numbers at once, from 2.35 on


class _Compiler:
    """LLVM for this processor."""

    def __init__(self) -> None:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        self.cpu, self.features = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
        self.engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), self.target())
        has = self.features.split(",")
        self.width = 8 if "+avx512f" in has else 4 if "+avx2" in has else 0
        try:
            llvm.load_library_permanently(VECTOR_LIBRARY)
        except RuntimeError:
            self.width = 0
        if not llvm.address_of_symbol("_ZGVdN4v_tanh"):
            self.width = 0

    def target(self) -> Any:
        return llvm.Target.from_default_triple().create_target_machine(self.cpu, self.features, opt=2, jit=True)

    def code(self, name: str, source: str, called: set[str]) -> tuple[str, bytes]:
        """What stands for ``{name}`` in a module's source, and its code, compiled or from the cache."""
        text = declarations(called, self.width) + source
        key = sha256(f"{llvm.llvm_version_info} {self.cpu} {self.features}\n{text}".encode()).hexdigest()[:24]
        unique = f"{name if name.isascii() and name.isidentifier() else 'rule'}_{key}"
        code = _read(unique)
        if code is None:
            code = self._compiled(text.replace("{name}", unique))
            _keep(unique, code)
        return unique, code

    def _compiled(self, text: str) -> bytes:
        module, target = llvm.parse_assembly(text, llvm.create_context()), self.target()
        options = llvm.create_pipeline_tuning_options(speed_level=2)
        options.loop_vectorization = True
        options.loop_interleaving = options.loop_unrolling = False  # loops are short, and four times the code is not
        builder = llvm.create_pass_builder(target, options)
        builder.getModulePassManager().run(module, builder)
        code: bytes = target.emit_object(module)
        return code

    def load(self, code: bytes) -> None:
        """Make the functions of a module callable."""
        self.engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        self.engine.finalize_object()


@cache
def compiler() -> _Compiler:
    """The one compiler of this process, with the machine loaded."""
    made = _Compiler()
    made.load(made.code("machine", DECLARATIONS + machine(), set())[1])
    llvm.add_symbol("chainrule_columns", made.engine.get_function_address("chainrule_columns"))
    return made


@cache
def address(name: str) -> int:
    """Where a function begins that was loaded."""
    return int(compiler().engine.get_function_address(name))


def function(source: str, called: set[str]) -> int:
    """Where a module's only function begins, which is called ``{name}`` in its source."""
    name, code = compiler().code("function", source, called)
    if name not in _loaded:
        compiler().load(code)
        _loaded.add(name)
    return address(name)


_loaded: set[str] = set()  # single functions
_kernels: dict[Shape, tuple[int, int]] = {}


def kernels(shapes: Sequence[Shape]) -> list[tuple[int, int]]:
    """Where the loops of kernels begin, forward and backward. TypeError for a rule that formulas cannot run."""
    new = [shape for shape in dict.fromkeys(shapes) if shape not in _kernels]
    if new:
        sources = [(shape.entry.name, *written(shape, "{name}")) for shape in new]
        with ThreadPoolExecutor() as pool:  # LLVM works beside Python
            found = [*pool.map(lambda source: compiler().code(*source), sources)]
        for shape, (name, code) in zip(new, found):
            compiler().load(code)
            _kernels[shape] = address(f"{name}_f"), address(f"{name}_b")
    return [_kernels[shape] for shape in shapes]


@cache
def find_blas() -> None:
    """Let the machine multiply large matrices by SciPy's BLAS, where that is installed."""
    with suppress(ImportError):
        from scipy.linalg import cython_blas

        capsule = cython_blas.__pyx_capi__["dgemm"]
        name = PYFUNCTYPE(c_char_p, py_object)(("PyCapsule_GetName", pythonapi))(capsule)
        place = PYFUNCTYPE(c_void_p, py_object, c_char_p)(("PyCapsule_GetPointer", pythonapi))(capsule, name)
        c_void_p.from_address(compiler().engine.get_global_value_address("chainrule_blas")).value = place


def _folder() -> Path:
    given = os.environ.get("CHAINRULE_CACHE")
    return Path(given) if given else user_cache_path("chainrule", appauthor=False)


def _read(name: str) -> bytes | None:
    with suppress(OSError):
        content = (_folder() / f"{name}.o").read_bytes()
        if sha256(content[32:]).digest() == content[:32]:
            return content[32:]
    return None


def _keep(name: str, code: bytes) -> None:
    with suppress(OSError):
        _folder().mkdir(parents=True, exist_ok=True)
        write_whole(_folder() / f"{name}.o", sha256(code).digest() + code)
