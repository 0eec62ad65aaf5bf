"""Saves and loads the engine that students write in the first notebook, and contains its finished form.

Notebook 1 builds ``Value`` step by step: each cell defines ``class Value(Value)`` with one more method. ``save``
collects the methods of all steps in one class and writes it to a file. ``load`` returns this class to notebooks 2 and
4, or the finished one below if the file is missing, incomplete or wrong.
"""
# mypy: disable-error-code="no-untyped-def,no-untyped-call"

import dis
import math
from collections.abc import Iterator
from inspect import getsource, isfunction, ismodule
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import dedent, indent
from types import CodeType, FunctionType
from typing import Any

from autograd.engine_checks import EngineVerdict, check_engine, class_in, is_blank
from autograd.files import write_whole
from autograd.text import text_name


class Value:
    """The finished engine: a number that remembers the numbers that it was computed from."""

    def __init__(self, data, parents=(), local_derivatives=()):
        self.data = data
        self.grad = 0.0
        self.parents = parents
        self.local_derivatives = local_derivatives

    def __repr__(self):
        return f"Value({self.data:g}, grad={self.grad:g})"

    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data + other.data, (self, other), (1.0, 1.0))

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    def backward(self):
        """Compute the gradients of all nodes that this one was computed from, users before their parents."""
        order, stack = {}, [self]  # a dict because it keeps the order of its keys and finds them quickly
        while stack:
            missing = [parent for parent in stack[-1].parents if parent not in order]
            if missing:
                stack += missing
            else:
                order[stack.pop()] = True
        for node in order:
            node.grad = 0.0
        self.grad = 1.0
        for node in reversed(order):
            for parent, local in zip(node.parents, node.local_derivatives):
                parent.grad += node.grad * local

    def __pow__(self, exponent):
        return Value(self.data**exponent, (self,), (exponent * self.data ** (exponent - 1),))

    def exp(self):
        """Return e to the power of this number, which is its own derivative."""
        e = math.exp(self.data)
        return Value(e, (self,), (e,))

    def relu(self):
        """Return this number if it is positive, otherwise 0."""
        return Value(max(self.data, 0.0), (self,), (1.0 if self.data > 0 else 0.0,))

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + -other

    def __truediv__(self, other):
        return self * other**-1

    def __radd__(self, other):
        return self + other

    def __rmul__(self, other):
        return self * other

    def __rsub__(self, other):
        return -self + other

    def __rtruediv__(self, other):
        return self**-1 * other


def save(engine: type, file: str = "my_engine.py") -> None:
    """Write the methods of a class and its bases to a file as one class, and print its length.

    Nothing is written, and an older file is kept, if a method is blank or wrong, if the source cannot be read, or if
    the class is or inherits from the library's own Value.
    """
    if any(base.__module__.partition(".")[0] == "autograd" for base in engine.__mro__):
        print("Not saved: this class is the library's Value. Run the cells of your own engine again, from step 1.")
        return
    if lacking := _lacks(engine):
        print(f"Your engine is not saved yet. It still lacks {lacking}.")
        return
    try:
        source = _text_of(engine)
    except OSError:
        print("Not saved: Python cannot show the source of this class. Define it in a notebook cell or in a file.")
        return
    with TemporaryDirectory() as folder:
        trial = Path(folder, Path(file).name)
        trial.write_text(source, encoding="utf-8")
        verdict = check_engine(trial)
    if not _is_usable(verdict):
        print(f"Your engine is not saved yet because the file would be wrong:\n\n{verdict}")
        return
    write_whole(Path(file), source.encode())
    print(f"{text_name(file)} now contains your engine, {len(source.splitlines())} lines in one class.")
    print(f"Checked again as a file: {_in_words(verdict)}.")


def load(file: str = "my_engine.py") -> Any:
    """Return the class in a file if it is complete and correct, otherwise the finished one; print which, and why.

    >>> Value = load("no_engine.py")
    There is no no_engine.py here yet, so this notebook uses the finished engine of notebook 1.
    >>> a = Value(3.0)
    >>> (a * a + 1).backward()
    >>> a
    Value(3, grad=6)
    """
    name = text_name(file)
    try:
        engine = class_in(file)
        lacking, verdict = _lacks(engine), check_engine(engine)
        problem = f"{name} still lacks {lacking}" if lacking else ""
        if not problem and not _is_usable(verdict):
            problem = f"{name} is incorrect ({verdict.bugs[0]})"
    except (Exception, SystemExit) as error:
        problem = f"{name} cannot be read ({type(error).__name__})"
    if not Path(file).exists():
        problem = f"There is no {name} here yet"
    if problem:
        print(f"{problem}, so this notebook uses the finished engine of notebook 1.")
        return Value
    length = len(Path(file).read_text(encoding="utf-8").splitlines())
    print(f"This notebook uses your own engine: {name}, {length} lines, {_in_words(verdict)}.")
    return engine


def _is_usable(verdict: EngineVerdict) -> bool:
    return bool(verdict) or verdict.bugs == ["depth"]  # no notebook computes a chain deep enough to matter


def _in_words(verdict: EngineVerdict) -> str:
    return str(verdict) if verdict else "correct up to a depth of about 1,000 operations"


def _lacks(engine: type) -> str:
    """List, as text, the methods of the finished engine that a class lacks or whose body is blank."""
    lacking = []
    for name in (name for name, ours in vars(Value).items() if isfunction(ours) and name != "__repr__"):
        method = getattr(engine, name, None)
        if not callable(method) or method is getattr(object, name, None) or is_blank(method):
            lacking.append(name)
    return ", ".join(lacking)


def _text_of(engine: type) -> str:
    """Return the source of a class and its bases as one class, after the imports and functions that it uses."""
    members: dict[str, Any] = {}
    for cls in reversed(engine.__mro__[:-1]):
        members |= vars(cls)
    above, body = dict[str, str](), list[str]()
    for name, member in members.items():
        function = getattr(member, "fget", getattr(member, "__func__", member))  # a property, a static method
        if isfunction(function):
            is_alias = function.__name__ != name and function.__name__ in members
            body.append(f"{name} = {function.__name__}\n" if is_alias else _source(function))
            above |= dict(_needed(function, {engine.__name__}))
        elif isinstance(member, (int, float, str)) and name[:2] != "__":
            body.append(f"{name} = {member!r}\n")
    imports = "".join(sorted(f"{line}\n" for line in above.values() if "\n" not in line))
    others = [text for text in above.values() if "\n" in text]
    whole = f"class {engine.__name__}:\n" + indent("\n".join(body), "    ")
    return '"""The engine that I wrote in notebook 1."""\n\n' + "\n\n".join(filter(None, [imports, *others, whole]))


def _source(function: FunctionType) -> str:
    """Return a function's source. Raises OSError for one made from a string: Python 3.13 may return other source."""
    if function.__code__.co_filename == "<string>":
        raise OSError("made from a string")
    return dedent(getsource(function))


def _needed(function: FunctionType, seen: set[str]) -> Iterator[tuple[str, str]]:
    """Yield the names that a function reads from its module, each with the line or the source that defines it."""
    for name in _globals_in(function.__code__):
        if name in seen or name not in function.__globals__:
            continue
        seen.add(name)
        thing = function.__globals__[name]
        home = getattr(thing, "__module__", None)
        if ismodule(thing):
            short = f" as {name}" if name != thing.__name__ else ""
            yield name, f"import {thing.__name__}{short}"
        elif isfunction(thing) and thing.__globals__ is function.__globals__:
            yield from _needed(thing, seen)
            yield name, _source(thing)
        elif callable(thing) and home and home != function.__module__:
            yield name, f"from {home} import {name}"
        elif isinstance(thing, (int, float, str)):
            yield name, f"{name} = {thing!r}"


def _globals_in(code: CodeType) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            yield instruction.argval
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _globals_in(inner)
