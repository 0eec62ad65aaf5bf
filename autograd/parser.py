"""Text becomes a graph: each name a node that knows its parents, each operation an entry of the table.

An allow-list over Python's syntax tree: names, numbers, + − * / **, signs, and calls of the table's functions. Python
parses the text, with placeholders for names such as w²_13 that it would refuse, and computes nothing of it: numbers
are floats, and operations run their rules.
"""

from __future__ import annotations

import ast
import math
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter
from itertools import accumulate
from keyword import iskeyword
from unicodedata import normalize

from autograd import primitives
from autograd.errors import DomainError
from autograd.functions import leaky_relu, mean, named, norm, std
from autograd.modes import no_grad
from autograd.table import TABLE
from autograd.text import called
from autograd.value import Value

MOST_CHARACTERS = 10_000  # some hundred definitions, read within a second; a larger graph is written in Python
MOST_OPERATIONS = 100  # of one statement: each may deepen its tree by a level, and Python's parser is recursive
LONGEST_WORD = 50  # characters, so that errors and explanations stay readable

Function = Callable[..., Value]
COMPOSED: dict[str, Function] = {
    "leaky_relu": leaky_relu,
    "mean": lambda *x: mean(x),
    "norm": lambda *x: norm(x),
    "std": lambda *x: std(x),
}
CONSTANTS = {"pi": math.pi, "π": math.pi, "e": math.e}  # unless the text or the inputs say otherwise
OPERATIONS: dict[type[ast.AST], Function] = {
    ast.Add: primitives.add,
    ast.Sub: primitives.sub,
    ast.Mult: primitives.mul,
    ast.Div: primitives.div,
    ast.Pow: lambda x, p: (primitives.pow if isinstance(p, Value) else primitives.power)(x, p),
    ast.UAdd: primitives.identity,
    ast.USub: primitives.neg,
}
STRUCTURE = (ast.BinOp, ast.UnaryOp, ast.Call, ast.Name, ast.Load, ast.Constant)

PRINTED = str.maketrans("−×·÷", "-**/")  # the signs that formulas are printed with
ABOVE = "⁰¹²³⁴⁵⁶⁷⁸⁹"
INDEXED = rf"[^\W\d_{ABOVE}]+[{ABOVE}]+(?:_\d+(?:,\d+)*|[₀-₉]+)"  # z¹_1, w²_1,12 and, as drawings have it, z¹₁
PRIMES = "′″‴"  # by which two values of one name are told apart
WORD = re.compile(
    r"(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)|(?P<function>[^\W\d]\w*(?=\s*\())"
    rf"|(?P<name>(?:{INDEXED}(?!\w)|[^\W\d]\w*)(?:[{PRIMES}]\d*)?)|(?P<open>\()|(?P<close>\))"
    r"|(?P<operation>\*\*?|[-+]|/(?!/))|(?P<comma>,)|(?P<equals>=)|(?P<alien>//|\S)"
)
STARTS, ENDS = ("number", "name", "function", "open"), ("number", "name", "close")  # of an operand
Word = re.Match[str]


def functions() -> dict[str, Function]:
    """What can be called, by name and by the sign that formulas are printed with: the table as it is now."""
    signs = {entry.symbol: entry for entry in TABLE.values() if entry.symbol.isidentifier()}
    return {**signs, **TABLE, **COMPOSED, "ln": primitives.log}


class ExpressionError(ValueError):
    """Text that is not an expression, or numbers that do not fit its inputs.

    line, column   where in the text, from 1; None where no place in the text is at fault

    >>> Expression("2x")
    Traceback (most recent call last):
        ...
    autograd.parser.ExpressionError: column 2: write 2*x for a product
    """

    def __init__(self, message: str, text: str = "", position: int | None = None) -> None:
        self.line: int | None = None
        self.column: int | None = None
        if position is not None:
            self.line = text.count("\n", 0, position) + 1
            self.column = position - text.rfind("\n", 0, position)
            line = f"line {self.line}, " if "\n" in text.strip() else ""
            message = f"{line}column {self.column}: {message}"
        super().__init__(message)


class Expression:
    """Definitions in any order, separated by ``;`` or newlines; the first is what is differentiated.

    text        ``"f = x*y; x = r; y = r*s"``; a first statement without a name is called f
    name        the name of the first
    inputs      the names that the text uses and does not define, in its order
    constants   those of them that are e or pi, and so need no number, with theirs
    unused      the names that it defines, and that the first does not depend on

    Raises ExpressionError, which says where, and what to write instead.

    >>> expression = Expression("f = x*y*z; x = r; y = r*s; z = s")
    >>> expression.name, expression.inputs
    ('f', ('r', 's'))
    >>> nodes = expression.at(r=2.0, s=3.0)
    >>> nodes["f"].backward()
    >>> list(nodes), nodes["s"].grad
    (['r', 's', 'x', 'y', 'z', 'f'], 24.0)
    """

    def __init__(self, text: str) -> None:
        if len(text) > MOST_CHARACTERS:
            raise ExpressionError(f"{len(text)} characters are too many: at most {MOST_CHARACTERS} are read")
        self._text = text.translate(PRINTED)
        self._functions = functions()
        self._starts: dict[str, int] = {}  # of each definition in the text
        self._trees: dict[str, ast.expr] = {}
        self._places: dict[ast.AST, int] = {}  # of each part of a tree in the text
        needs: dict[str, dict[str, int]] = {}  # the names that a definition uses, and where first
        for line in re.finditer(r"[^;\n]+", self._text):
            if words := list(WORD.finditer(self._text, line.start(), line.end())):
                name, body = self._name_and_body(words)
                if name in needs:
                    raise self._error(f"{name} is defined twice", words[0].start())
                self._starts[name], self._trees[name] = words[0].start(), self._tree(body, words[-1].end())
                needs[name] = {}
                for word in body:
                    if word.lastgroup == "name":
                        needs[name].setdefault(word[0], word.start())
        if not needs:
            raise self._error("nothing to compute: write an expression, as in f = x*y", 0)
        self.name = next(iter(needs))
        self._used = {name: place for uses in reversed(needs.values()) for name, place in uses.items()}
        free = sorted(self._used.keys() - needs.keys(), key=self._used.__getitem__)
        self.inputs = tuple(name for name in free if name not in CONSTANTS)
        self.constants = {name: CONSTANTS[name] for name in free if name in CONSTANTS}
        for name in self.inputs:
            if name in TABLE or name in COMPOSED:  # σ may be an input as well
                raise self._error(f"{name} is a function: write {name}(…)", self._used[name])
        try:
            self._order = [name for name in TopologicalSorter(needs).static_order() if name in needs]
        except CycleError as error:
            circle = error.args[1][::-1]
            start = min(self._starts[name] for name in circle)
            raise self._error(f"defined in a circle: {some(circle, ' needs ')}", start) from None
        reached = {self.name}
        for name in reversed(self._order):
            reached.update(needs[name] if name in reached else ())
        self.unused = tuple(name for name in needs if name not in reached)

    def at(self, /, **numbers: float) -> dict[str, Value]:
        """The graph for these inputs: every node that has a name; inputs first, parents before what needs them.

        Raises ExpressionError for an input that is missing, not used, defined by the text or not finite, and for
        operands that a function does not take; DomainError where a function has no value.

        >>> Expression("log(x**2)").at(x=-1.0)["f"].data
        0.0
        """
        for name, number in numbers.items():
            if name in self._starts:
                raise self._error(f"{name} is defined here: leave out {name}=…", self._starts[name])
            if name not in self.inputs and name not in self.constants:
                inputs = some(self.inputs) or "none"
                raise ExpressionError(
                    f"{called(name, repr(name))} is given, but not used{meant(name, self.inputs)}; the inputs are "
                    f"{inputs}"
                )
            if not math.isfinite(number):
                raise ExpressionError(f"{name} = {number!r}: give a finite number")
        for name in self.inputs:
            if name not in numbers:
                missing = some([f"{x}=…" for x in self.inputs if x not in numbers], " ")
                similar = meant(name, [*self._starts, *numbers])
                raise self._error(f"{name} is not defined{similar}: give {missing}", self._used[name])
        nodes = {name: Value(numbers[name], name) for name in [*self.inputs, *self.constants] if name in numbers}
        for name in self._order:
            nodes[name] = named(**{name: self._value(self._trees[name], nodes)})
        return nodes

    def _name_and_body(self, words: list[Word]) -> tuple[str, list[Word]]:
        """A statement taken apart at its =, and every word of it looked at."""
        is_named = [word.lastgroup for word in words[:2]] == ["name", "equals"]
        name, body = (words[0][0], words[2:]) if is_named else ("f", words)
        for before, word in [(None, words[0]), *zip([None, *body], body)]:
            if complaint := self._complaint(word, before):
                raise self._error(complaint, word.start())
        if self._trees and not is_named:
            raise self._error("only the first statement may go without a name: write y = …", words[0].start())
        if sum(word.lastgroup in ("operation", "open") for word in body) > MOST_OPERATIONS:
            raise self._error(f"more than {MOST_OPERATIONS} operations: give names to the parts", words[0].start())
        return name, body

    def _tree(self, body: list[Word], end: int) -> ast.expr:
        """What Python's parser makes of the words, once each part is on the allow-list."""
        spelled = [f"n{i}" if word.lastgroup in ("name", "function") else word[0] for i, word in enumerate(body)]
        starts = [*accumulate((len(word) + 1 for word in spelled), initial=0)]  # of each word, and the end
        places = [*(word.start() for word in body), end]
        try:
            tree = ast.parse(" ".join(spelled), mode="eval").body
        except SyntaxError as error:
            place = places[bisect_right(starts, error.offset - 1) - 1] if error.offset else end  # 0 is the end
            bracket = "'" in error.msg and error.msg  # Python says '(' was never closed, unmatched ')'
            raise self._error(bracket or "a name, a number or ( is missing here", place) from None
        for part in ast.walk(tree):
            # a part without a place of its own stands inside one that was seen before
            self._places[part] = places[bisect_right(starts, getattr(part, "col_offset", 0)) - 1]
            if not isinstance(part, (*STRUCTURE, *OPERATIONS)):
                raise self._error("a comma or a star stands where only a value can", self._places[part])
            if isinstance(part, ast.Name):
                part.id = body[int(part.id[1:])][0]
        return tree

    def _complaint(self, word: Word, before: Word | None) -> str:
        """What is wrong with a word, alone and right behind the one before."""
        kind, text = word.lastgroup, word[0]
        is_word = kind in ("name", "function")
        bare = re.sub(rf"[{ABOVE}₀-₉{PRIMES},]", "", text) if kind == "name" else text
        if len(text) > LONGEST_WORD:
            return f"{text[:9]}… is longer than {LONGEST_WORD} characters"
        if set(text) & {"^", *ABOVE} and not re.fullmatch(rf"{INDEXED}(?:[{PRIMES}]\d*)?", text):
            return "write ** for a power"
        if kind == "equals":
            return "write one name before one =, as in y = 2*x"
        if kind == "alien" or (is_word and not bare.isidentifier()):
            return f"{text!r} is not part of an expression"
        if kind == "number" and text.isdigit() and text != (plain := text.lstrip("0") or "0"):
            return f"write {plain}, without the zeros in front"
        if kind == "number" and not math.isfinite(float(text)):
            return "a number beyond the largest float, 1.8e308"
        if is_word and iskeyword(text):
            return f"{text} is a word of Python's own: choose another name"
        if bare != (plain := normalize("NFKC", bare)):  # to Python both are one name
            return f"{text} has a plainer spelling: write {plain}"
        if before and before.lastgroup in ENDS and kind in STARTS:
            is_call = before[0] in self._functions
            return f"write {before[0]}(…)" if is_call else f"write {before[0]}*{text} for a product"
        if kind == "function" and text not in self._functions:
            known = sorted({*TABLE, *COMPOSED})
            advice = f"write {text}*(…) for a product, {text} = … for a definition"
            return f"there is no function {text}{meant(text, known)}: {advice}; functions are {', '.join(known)}"
        return ""

    def _value(self, tree: ast.AST, nodes: dict[str, Value]) -> Value | float:
        """What a syntax tree computes, parts first: a node, or a number where it has no names."""
        function: Function
        match tree:
            case ast.Name(id=name):
                return nodes[name] if name in nodes else CONSTANTS[name]
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.Call(func=ast.Name(id=name), args=parts):
                function = self._functions[name]
            case ast.BinOp(left=left, op=op, right=right):
                function, parts = OPERATIONS[type(op)], [left, right]
            case ast.UnaryOp(op=op, operand=operand):
                function, parts = OPERATIONS[type(op)], [operand]
            case _:
                raise self._error("no part of an expression", self._places[tree])
        operands = [self._value(part, nodes) for part in parts]
        try:
            if any(isinstance(x, Value) for x in operands):
                return function(*operands)
            with no_grad():  # 1/3 is a number too, found by the table's rule
                return function(*operands).data
        except DomainError as error:
            at = self._error(str(error), self._places[tree])
            raise DomainError(str(at)) from None
        except (TypeError, ValueError) as error:  # not the operands that the function takes
            raise self._error(str(error), self._places[tree]) from None

    def _error(self, message: str, position: int) -> ExpressionError:
        return ExpressionError(message, self._text, position)


def meant(name: str, among: Iterable[str]) -> str:
    """A question about the most similar of the names; empty where none is similar.

    >>> meant("maximun", ["minimum", "maximum"])
    ' (did you mean maximum?)'
    """
    similar = get_close_matches(name[:LONGEST_WORD], list(among), 1)
    return f" (did you mean {similar[0]}?)" if similar else ""


def some(names: Sequence[str], between: str = ", ") -> str:
    """The names in one line, however many there are."""
    return between.join([*names[:8], *(["…"] if len(names) > 8 else [])])
