"""Answers the Try-it page: explains an expression, runs a cell, asks and checks an exercise.

It runs in Pyodide. Each answer is a series of items, which the page shows in their order as they arrive.
"""

import ast
import builtins
import io
import json
import linecache
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from importlib import import_module
from importlib.abc import MetaPathFinder
from time import monotonic
from types import ModuleType
from typing import Any, NoReturn

CELL = "cell"  # the name of the file that a cell is, in tracebacks and in the library's messages
MOST_PRINTED, MOST_SHOWN = 100_000, 50  # characters, and other outputs, of one run
MOST_EXPLAINED = 4  # inputs, unless they are named
WAIT = 0.05  # seconds for which printed text is collected
REPRESENTATIONS = (("_repr_html_", "html"), ("_repr_markdown_", "markdown"), ("_repr_svg_", "html"),
                   ("_repr_latex_", "markdown"))  # fmt: skip
NO_NUMPY = (
    'NumPy is not available on this page. Training works without it if engine="eager"; '
    "for arrays, record and plots, install chainrule on your computer."
)
PREPARED = ["mpmath", "sympy.core", "sympy.polys", "sympy", "autograd.explanation.illustrated", "autograd.walking"]
IMPORTED = "from math import exp\nfrom autograd import Value, maximum, named\n"  # as in the exercises' notebook


class Page:
    """Sends items to the page; text that is printed in quick succession becomes one item."""

    def __init__(self, send: Callable[[str], object]) -> None:
        self.send = send
        self.stream, self.waiting, self.since = "stdout", "", monotonic() - WAIT  # the first line is sent at once
        self.characters, self.outputs = MOST_PRINTED, MOST_SHOWN

    def write(self, stream: str, text: str) -> None:
        """Print, as far as the limit allows."""
        if self.characters <= 0:
            return
        if stream != self.stream:
            self.flush()
            self.stream = stream
        if len(text) > self.characters:
            text = f"{text[: self.characters]}\n… Only the first {MOST_PRINTED:,} characters are shown.\n"
            self.characters = 0
        self.characters -= len(text)
        self.waiting += text
        passed = monotonic() - self.since
        if passed > WAIT and (text.endswith("\n") or passed > 1.0):
            self.flush()

    def flush(self) -> None:
        """Send what was printed."""
        text, self.waiting, self.since = self.waiting, "", monotonic()
        if text:
            self.send(json.dumps({"kind": self.stream, "text": text}))

    def show(self, kind: str, **parts: Any) -> None:
        """Send one item."""
        self.flush()
        self.send(json.dumps({"kind": kind, **parts}))

    def display(self, *things: Any) -> None:
        """Show each thing as a notebook does: as HTML, Markdown, SVG, LaTeX or text."""
        for thing in things:
            self.outputs -= 1
            if self.outputs >= 0:
                kind, content = represented(thing)
                self.show(kind, text=content[: 20 * MOST_PRINTED])
            elif self.outputs == -1:
                self.show("result", text=f"Only the first {MOST_SHOWN} outputs are shown.")


class Stream(io.TextIOBase):
    """What a cell sees as its stdout or stderr."""

    def __init__(self, page: Page, name: str) -> None:
        self.page, self.stream = page, name

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.page.write(self.stream, text)
        return len(text)


class Unavailable(ModuleNotFoundError):
    """Raised for a package that this page does not have."""


class NumPyFinder(MetaPathFinder):
    """Explains why NumPy cannot be imported here, also to code that tries."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        """Raise Unavailable for NumPy."""
        if name == "numpy":
            raise Unavailable(NO_NUMPY, name=name)


def represented(thing: Any) -> tuple[str, str]:
    """The kind of item that shows a thing, and its content."""
    for method, kind in REPRESENTATIONS:
        if not isinstance(thing, type) and callable(represent := getattr(thing, method, None)):
            content = represent()
            if isinstance(content, str):
                return kind, content
    return "result", repr(thing)


def serve(request: str, send: Callable[[str], object]) -> None:
    """Answer one request, a JSON object whose ``task`` is the name of a function here."""
    parts = json.loads(request)
    page = Page(send)
    TASKS[parts.pop("task")](page, **parts)
    page.flush()


def prepare() -> bool:
    """Import the next module that an explanation needs. Return False if all are imported."""
    if PREPARED:
        import_module(PREPARED.pop(0))
    return bool(PREPARED)


def expression(page: Page, text: str, inputs: str, wrt: str) -> None:
    """Explain the derivatives of an expression, and walk through its passes.

    inputs   "r=2 s=3"
    wrt      names; empty for the first few inputs
    """
    try:
        _expression(page, text, inputs, wrt.replace(",", " ").split())
    except (ValueError, ArithmeticError, TypeError) as error:
        page.show("error", text=str(error))


def _expression(page: Page, text: str, inputs: str, wrt: list[str]) -> None:
    from autograd import explain, walk
    from autograd.graph import topological_order
    from autograd.parser import Definitions, meant, some

    definitions = Definitions(text)
    nodes = definitions.at(**numbers(inputs))
    f = nodes[definitions.name]
    f.backward()
    leaves = [name for name, node in nodes.items() if not node.parents and node is not f]
    wanted = wrt or leaves[:MOST_EXPLAINED]
    for name in wanted:
        if name not in nodes:
            raise ValueError(
                f"{name} is not a name in the expression{meant(name, nodes)}: choose from {some([*nodes])}"
            )
        explanation = explain(f, wrt=nodes[name])
        call, html = f"explain({definitions.name}, wrt={name})", explanation._repr_html_()
        with suppress(ValueError):  # the graph may be too large for a picture
            html = explanation.with_picture()._repr_html_()
            call += ".with_picture()"
        has_terms = any(term.node is not nodes[name] for term in explanation.terms)
        derivative = str(explanation).partition(" = ")[0]
        page.show("caption", text=f"The {'chain rule for' if has_terms else 'derivative'} {derivative}", code=call)
        page.show("html", text=html, title=f"The derivative of {definitions.name} with respect to {name}")
    if not wrt and len(leaves) > MOST_EXPLAINED:
        page.show("note", text=f"These are the first {MOST_EXPLAINED} of {len(leaves)} inputs.")
    if definitions.unused:
        page.show("note", text=f"{definitions.name} comes first and does not use {some(definitions.unused)}.")
    if steps := definitions.in_steps():
        named = Definitions(steps).at(**numbers(inputs))
        inner = [node for name, node in named.items() if name not in nodes]
        if any(named.get(name) in topological_order(node) for name in wanted for node in inner):
            page.show("steps", text=steps, several=len(inner) > 1)
    walkthrough = walk(f)
    page.show("caption", text="Step through both passes", code=f"walk({definitions.name})")
    page.show("page", text=walkthrough.page, title=walkthrough.title)


def numbers(inputs: str) -> dict[str, float]:
    """Read "r=2 s=pi/6" as numbers by name. Raises ValueError."""
    from autograd.__main__ import numbers

    words = re.sub(r"\s*=\s*", "=", inputs).replace(",", " ").replace(";", " ").split()
    for word in words:
        if not re.fullmatch(r"[^=]+=[^=]+", word):
            raise ValueError(f"{word!r} is not an input: write NAME=NUMBER, as in r=2 or r=pi/6")
    return numbers("f", words)


def cell(page: Page, code: str) -> None:
    """Run a cell, and display its last line if that is an expression."""
    with running(page, code) as namespace:
        value = run(code, namespace)
        if value is not None:
            page.display(value)


def ask(page: Page, exercise: str, student: str) -> None:
    """Show an exercise with the student's own numbers, and its hints."""
    from nn.lecture.exercises import EXERCISES, Course

    course = Course(student)
    hints = [course.hint(exercise) for _ in EXERCISES[exercise].hints]
    page.show("question", text=course.ask(exercise), hints=hints)


def check(page: Page, code: str, exercise: str, student: str, answer: str, stub: str) -> None:
    """Run a cell, and check the answer: the name that the stub defines, or else the value of the last line."""
    from nn.lecture.exercises import Course

    with running(page, code) as namespace:
        exec(IMPORTED, namespace)
        namespace["course"] = course = Course(student)
        value = run(code, namespace)
        if answer in namespace:
            if value is not None:
                page.display(value)
            value = namespace[answer]
        elif value is None:
            [form] = re.findall(rf"^(?:def )?{answer}\b.*", stub, re.MULTILINE)
            form = form.replace("None", "…")
            page.show("feedback", right=False, text=f"The answer is missing. Write into the answer box: `{form}`")
            return
        feedback = course.check(exercise, value)
        page.show("feedback", right=feedback.right, text=feedback.text)
        if feedback.shown is not None:
            page.display(feedback.shown)


TASKS: dict[str, Callable[..., None]] = {"expression": expression, "cell": cell, "ask": ask, "check": check}


@contextmanager
def running(page: Page, code: str) -> Iterator[dict[str, Any]]:
    """A module to run a cell in: what it prints goes to the page, and so does an error."""
    module = ModuleType("__main__")
    before, keyboard = sys.modules.get("__main__"), builtins.input
    sys.modules["__main__"], builtins.input = module, without_keyboard
    linecache.cache[CELL] = len(code), None, code.splitlines(keepends=True), CELL
    namespace = module.__dict__
    namespace["display"] = page.display
    try:
        with redirect_stdout(Stream(page, "stdout")), redirect_stderr(Stream(page, "stderr")):
            yield namespace
    except BaseException as error:
        page.show("error", **described(error))
    finally:
        builtins.input = keyboard
        if before is not None:
            sys.modules["__main__"] = before


def run(code: str, namespace: dict[str, Any]) -> Any:
    """Run the code, and return the value of its last line, None if that is not an expression."""
    tree = ast.parse(code, CELL)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, CELL, "exec", dont_inherit=True), namespace)
    if isinstance(last, ast.Expr):
        return eval(compile(ast.Expression(last.value), CELL, "eval", dont_inherit=True), namespace)
    return None


def without_keyboard(prompt: object = "") -> NoReturn:
    """Python's ``input`` here."""
    raise RuntimeError("input() cannot ask on this page: write the text into the code")


def described(error: BaseException) -> dict[str, Any]:
    """An error for the page: its last line, the line of the cell that led to it, and the traceback from there."""
    trace = error.__traceback__
    while trace and trace.tb_frame.f_code.co_filename != CELL:
        trace = trace.tb_next
    lines = [number for frame, number in traceback.walk_tb(trace) if frame.f_code.co_filename == CELL]
    if isinstance(error, SyntaxError) and error.filename == CELL and error.lineno:
        lines.append(error.lineno)
    if trace or lines:
        error = error.with_traceback(trace)
    written = traceback.format_exception_only(error)  # a SyntaxError begins with its line, others end with notes
    text = written[-1 if isinstance(error, SyntaxError) else 0].strip()
    text = re.sub(r"\A(\w+\.)+(?=\w+(:|\Z))", "", text)  # autograd.errors.DomainError is a DomainError
    if isinstance(error, Unavailable):
        text = str(error)
    elif isinstance(error, ModuleNotFoundError) or (isinstance(error, ImportError) and "pip install" in text):
        text = f"{text.splitlines()[0]}. Packages cannot be installed on this page."  # the rest says how to
    if isinstance(error, SystemExit):
        text = "The code ended the program, with exit() or SystemExit."
    line = lines[-1] if lines else None
    code = linecache.getline(CELL, line).strip() if line else ""
    return {"text": text, "line": line, "code": code, "trace": "".join(traceback.format_exception(error))}


def install() -> None:
    """Prepare Pyodide's Python."""
    sys.meta_path.insert(0, NumPyFinder())
    sys.dont_write_bytecode = True
