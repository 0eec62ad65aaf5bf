"""Compiles kernels, caches them in the user's cache folder, and loads them; each is compiled only once.

A cache file begins with a checksum of the rest, and its name contains a hash of everything on which the code depends.
A file that fails the check is compiled again. If the folder cannot be written, nothing is cached.
"""

import os
from contextlib import suppress
from ctypes import CDLL, PYFUNCTYPE, c_char_p, c_void_p, cast, py_object, pythonapi
from functools import cache
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from threading import RLock
from typing import Any

import llvmlite.binding as llvm
from platformdirs import user_cache_path

from autograd.compiled.assembly import LIBM, declarations
from autograd.compiled.kernels import ALONE, Shape, written
from autograd.compiled.machine import DECLARATIONS, machine
from autograd.table import TABLE_MODULE

LOCK = RLock()  # the process has one engine, which is not thread-safe
SETTINGS = "speed 2, vectors"  # of ``_compiled``; part of the hash in each file's name
VECTOR_LIBRARY = "libmvec.so.1"  # glibc's functions on several numbers at once, from 2.35 on


class _Compiler:
    """LLVM for this processor."""

    def __init__(self) -> None:
        if not hasattr(llvm, "create_pass_builder"):
            raise ImportError("llvmlite is older than 0.46")
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        self.loaded: set[str] = set()
        self.cpu, self.features = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
        self.engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), self.target())
        _provide_functions()
        has = self.features.split(",")
        self.host = f"{SETTINGS} {llvm.llvm_version_info} {llvm.get_process_triple()} {self.cpu} {self.features}"
        self.width = 8 if "+avx512f" in has else 4 if "+avx2" in has else 0
        try:
            llvm.load_library_permanently(VECTOR_LIBRARY)
        except RuntimeError:
            self.width = 0
        if not llvm.address_of_symbol("_ZGVdN4v_tanh"):
            self.width = 0

    def target(self) -> Any:
        return llvm.Target.from_default_triple().create_target_machine(self.cpu, self.features, opt=2, jit=True)

    def described(self, name: str, source: str, called: set[str], width: int) -> tuple[str, str]:
        """Return a name for a module, with a hash of its text and of this processor, and the text."""
        text = declarations(called, width) + source
        key = sha256(f"{self.host}\n{text}".encode()).hexdigest()[:24]
        return f"{name if name.isascii() and name.isidentifier() else 'rule'}_{key}", text

    def _compiled(self, text: str) -> bytes:
        module, target = llvm.parse_assembly(text), self.target()
        options = llvm.create_pipeline_tuning_options(speed_level=2)
        options.loop_vectorization = True
        options.loop_interleaving = options.loop_unrolling = False  # loops are short; unrolled code is not
        builder = llvm.create_pass_builder(target, options)
        builder.getModulePassManager().run(module, builder)
        code: bytes = target.emit_object(module)
        return code

    def load(self, name: str, text: str) -> None:
        """Make the functions of a module callable, compiled or from the cache."""
        code = _read(name)
        if code is None:
            code = self._compiled(text.replace("{name}", name))
            _keep(name, code)
        self.engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        self.engine.finalize_object()
        self.loaded.add(name)


def _provide_functions() -> None:
    """Raise RuntimeError for a function that the code calls and this process lacks; LLVM would abort."""
    if os.name == "nt" and not llvm.address_of_symbol("hypot"):  # Microsoft's C library calls it _hypot
        llvm.add_symbol("hypot", cast(CDLL("ucrtbase")._hypot, c_void_p).value)
    called = (*LIBM, "memcpy", "memset", *["__chkstk"] * (os.name == "nt"))
    if missing := [name for name in called if not llvm.address_of_symbol(name)]:
        raise RuntimeError(f"the C library has no {', '.join(missing)}")


@cache
def compiler() -> _Compiler:
    """Return the only compiler of this process, with the machine loaded."""
    made = _Compiler()
    made.load(*made.described("machine", DECLARATIONS + machine(), set(), 0))
    llvm.add_symbol("chainrule_columns", made.engine.get_function_address("chainrule_columns"))
    return made


def address(name: str) -> int:
    """Return the address of a loaded function."""
    with LOCK:
        return int(compiler().engine.get_function_address(name))


def loaded(name: str, source: str, called: set[str], in_vectors: bool = True) -> str:
    """Load a module once, and return its unique name, which replaces ``{name}`` in its source."""
    with LOCK:
        made = compiler()
        unique, text = made.described(name, source, called, made.width * in_vectors)
        if unique not in made.loaded:
            made.load(unique, text)
        return unique


def kernel(shape: Shape) -> tuple[int, int]:
    """Return the addresses of a kernel's loops, forward and backward. Raises TypeError if it cannot be compiled."""
    own = shape.entry.__module__ != TABLE_MODULE  # variables that a user-defined rule reads may have changed
    name = loaded(shape.entry.name, *(written if own else _written)(shape, "{name}"), shape.layout != ALONE)
    return address(f"{name}_f"), address(f"{name}_b")


_written = cache(written)


@cache
def find_blas() -> None:
    """Let the machine multiply large matrices with SciPy's BLAS, if it is installed."""
    with suppress(ImportError):
        from scipy.linalg import cython_blas

        capsule = cython_blas.__pyx_capi__["dgemm"]
        name = PYFUNCTYPE(c_char_p, py_object)(("PyCapsule_GetName", pythonapi))(capsule)
        place = PYFUNCTYPE(c_void_p, py_object, c_char_p)(("PyCapsule_GetPointer", pythonapi))(capsule, name)
        c_void_p.from_address(compiler().engine.get_global_value_address("chainrule_blas")).value = place


def _folder() -> Path:
    given = os.environ.get("CHAINRULE_CACHE")
    return Path(given).expanduser() if given else user_cache_path("chainrule", appauthor=False)


def _read(name: str) -> bytes | None:
    with suppress(OSError):
        content = (_folder() / f"{name}.o").read_bytes()
        if sha256(content[32:]).digest() == content[:32]:
            return content[32:]
    return None


def _keep(name: str, code: bytes) -> None:
    with suppress(OSError):
        _folder().mkdir(mode=0o700, parents=True, exist_ok=True)  # private, because its files are executed
        part = _folder() / f".{token_hex(8)}.part"  # renamed once complete; because of the checksum, without a sync
        try:
            part.write_bytes(sha256(code).digest() + code)
            os.replace(part, _folder() / f"{name}.o")
        finally:
            part.unlink(missing_ok=True)
