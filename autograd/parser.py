"""Parses definitions such as ``f = x*y; x = r`` and builds their graph.

The parser accepts names, numbers, + − * / **, signs, and calls of the table's functions. Python parses the text, with
placeholders for names such as w²_13 that it would reject, but it evaluates nothing: the table's rules do.
"""

import ast
import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from copy import deepcopy
from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter
from keyword import iskeyword
from typing import Any
from unicodedata import normalize

from autograd import primitives
from autograd.errors import DomainError
from autograd.functions import leaky_relu, mean, named, norm, std
from autograd.modes import no_grad
from autograd.table import TABLE
from autograd.text import called
from autograd.value import Value

MOST_CHARACTERS = 10_000  # several hundred definitions, which take less than a second
MOST_OPERATIONS = 100  # per statement; Python's parser is recursive, and each operation may nest one level deeper
LONGEST_WORD = 50  # characters, so that errors and explanations stay readable

Function = Callable[..., Value]
COMPOSED: dict[str, Function] = {
    "leaky_relu": leaky_relu, "mean": lambda *x: mean(x), "norm": lambda *x: norm(x), "std": lambda *x: std(x),
}  # fmt: skip
CONSTANTS = {"pi": math.pi, "π": math.pi, "e": math.e}  # unless the text or the inputs define them
SYNONYMS = {"sigma": "sigmoid", "sigm": "sigmoid", "logistic": "sigmoid", "swish": "silu", "step": "heaviside"}
LETTERS = "zuvqphk"  # name the steps of a formula, outermost first
OPERATIONS: dict[type[ast.AST], Function] = {
    ast.Add: primitives.add, ast.Sub: primitives.sub, ast.Mult: primitives.mul, ast.Div: primitives.div,
    ast.Pow: lambda x, p: (primitives.pow if isinstance(p, Value) else primitives.power)(x, p),
    ast.UAdd: primitives.identity, ast.USub: primitives.neg,
}  # fmt: skip
STRUCTURE = (ast.BinOp, ast.UnaryOp, ast.Call, ast.Name, ast.Load, ast.Constant)

PRINTED = str.maketrans("−×·÷", "-**/")  # signs in printed formulas
ABOVE = "⁰¹²³⁴⁵⁶⁷⁸⁹"
INDEXED = rf"[^\W\d_{ABOVE}]+[{ABOVE}]+(?:_\d+(?:,\d+)*|[₀-₉]+)"  # z¹_1, w²_1,12 and, as in drawings, z¹₁
PRIMES = "′″‴"  # distinguish values of the same name
WORD = re.compile(
    r"(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)|(?P<function>[^\W\d]\w*(?=\s*\())"
    rf"|(?P<name>(?:{INDEXED}(?!\w)|[^\W\d]\w*)(?:[{PRIMES}]\d*)?)|(?P<open>\()|(?P<close>\))"
    r"|(?P<operation>\*\*?|[-+]|/(?!/))|(?P<comma>,)|(?P<equals>=)|(?P<alien>//|\S)"
)
NAMES = ("name", "function")
STARTS, ENDS = ("number", "open", *NAMES), ("number", "name", "close")  # kinds of words that start or end an operand
Word = re.Match[str]


def functions() -> dict[str, Function]:
    """Return the functions that a text can call, by name and by symbol, from the current table."""
    signs = {entry.symbol: entry for entry in TABLE.values() if entry.symbol.isidentifier()}
    return {**signs, **TABLE, **COMPOSED, "ln": primitives.log}


class ExpressionError(ValueError):
    """Raised for a text that cannot be parsed, and for numbers that do not match its inputs.

    line, column   the position in the text, from 1; None if the error is not in the text

    >>> Definitions("2x")
    Traceback (most recent call last):
        ...
    autograd.parser.ExpressionError: column 2: write 2*x for a product
    """

    def __init__(self, message: str, text: str = "", position: int | None = None) -> None:
        self.line = self.column = None
        if position is not None:
            self.line = text.count("\n", 0, position) + 1
            self.column = position - text.rfind("\n", 0, position)
            line = f"line {self.line}, " if "\n" in text.strip() else ""
            message = f"{line}column {self.column}: {message}"
        super().__init__(message)


class Definitions:
    """Definitions in any order, separated by ``;`` or newlines. The first is the function to differentiate.

    text        ``"f = x*y; x = r; y = r*s"``; a first statement without a name is called f
    name        the first name that is defined
    inputs      the names that are used but not defined, in the order of the text
    constants   the values of e and pi, if used but not defined; they are optional inputs
    unused      the names that are defined but not used by the first definition, even indirectly

    Raises an ExpressionError that states the position and the remedy.

    >>> definitions = Definitions("f = x*y*z; x = r; y = r*s; z = s")
    >>> definitions.name, definitions.inputs
    ('f', ('r', 's'))
    >>> nodes = definitions.at(r=2.0, s=3.0)
    >>> nodes["f"].backward()
    >>> list(nodes), nodes["s"].grad
    (['r', 's', 'x', 'y', 'z', 'f'], 24.0)
    """

    def __init__(self, text: str) -> None:
        if len(text) > MOST_CHARACTERS:
            raise ExpressionError(f"the text has {len(text)} characters: use at most {MOST_CHARACTERS}")
        self._text = re.sub(r"[^\S\n]", " ", text.translate(PRINTED))
        self._functions = functions()
        self._starts: dict[str, int] = {}  # the position of each definition in the text
        self._trees: dict[str, ast.expr] = {}
        self._places: dict[ast.AST, int] = {}  # the position of each part of a tree in the text
        self._uses: dict[str, dict[str, int]] = {}  # the names in each definition, and where each is first used
        for line in re.finditer(r"[^;\n]+", self._text):
            if words := list(WORD.finditer(self._text, line.start(), line.end())):
                self._define(words)
        if not self._uses:
            raise self._error("nothing to compute: write an expression, as in f = x*y", 0)
        self.name = next(iter(self._uses))
        self._used = {name: place for names in reversed(self._uses.values()) for name, place in names.items()}
        free = sorted(self._used.keys() - self._uses.keys(), key=self._used.__getitem__)
        self.inputs = tuple(name for name in free if name not in CONSTANTS)
        self.constants = {name: CONSTANTS[name] for name in free if name in CONSTANTS}
        for name in self.inputs:
            if name in TABLE or name in COMPOSED:  # σ may be an input as well
                raise self._error(f"{name} is a function: write {name}(…)", self._used[name])
        try:
            order = [*TopologicalSorter(self._uses).static_order()]
        except CycleError as error:
            circle = error.args[1][::-1]
            start = min(self._starts[name] for name in circle)
            raise self._error(f"circular definition: {some(circle, ' needs ')}", start) from None
        self._order = [name for name in order if name in self._uses]  # each after the names in its definition
        reached = {self.name}
        for name in reversed(self._order):
            reached.update(self._uses[name] if name in reached else ())
        self.unused = tuple(name for name in self._uses if name not in reached)

    def _define(self, words: list[Word]) -> None:
        """Check each word of a statement, and store its definition."""
        is_named = [word.lastgroup for word in words[:2]] == ["name", "equals"]
        name, body = (words[0][0], words[2:]) if is_named else ("f", words)
        for before, word in [(None, words[0]), *zip([None, *body], body)]:
            if complaint := self._complaint(word, before):
                raise self._error(complaint, word.start())
        if self._trees and not is_named:
            raise self._error("only the first statement may omit its name: write y = …", words[0].start())
        if sum(word.lastgroup in ("operation", "open") for word in body) > MOST_OPERATIONS:
            many = f"more than {MOST_OPERATIONS} operations in one expression"
            raise self._error(f"{many}: split it by naming intermediate results", words[0].start())
        if name in self._uses:
            raise self._error(f"{name} is defined twice", words[0].start())
        self._starts[name], self._trees[name] = words[0].start(), self._tree(body, words[-1].end())
        self._uses[name] = {}
        for word in body:
            if word.lastgroup == "name":
                self._uses[name].setdefault(word[0], word.start())

    def at(self, /, **numbers: float) -> dict[str, Value]:
        """Build the graph for these inputs; return its named nodes, inputs first, each node after its parents.

        Raises ExpressionError for an input that is missing, unused, not finite or defined by the text, and for
        operands that a function does not accept; DomainError for operands outside a function's domain.

        >>> Definitions("log(x**2)").at(x=-1.0)["f"].data
        0.0
        """
        for name, number in numbers.items():
            if name in self._starts:
                raise self._error(f"{name} is defined here: leave out {name}=…", self._starts[name])
            if name not in self.inputs and name not in self.constants:
                unused = f"{called(name, repr(name))} is given, but not used{meant(name, self.inputs)}"
                raise ExpressionError(f"{unused}; the inputs are {some(self.inputs) or 'none'}")
            if not math.isfinite(number):
                raise ExpressionError(f"{name} = {number!r}: give a finite number")
        for name in self.inputs:
            if name not in numbers:
                missing = some([f"{x}=…" for x in self.inputs if x not in numbers], " ")
                similar = meant(name, [*self._starts, *numbers])
                raise self._error(f"{name} is not defined{similar}: give {missing}", self._used[name])
        nodes = {name: Value(numbers[name], name) for name in (*self.inputs, *self.constants) if name in numbers}
        for name in self._order:
            nodes[name] = named(**{name: self._value(self._trees[name], nodes)})
        return nodes

    def in_steps(self) -> str:
        """Return the only definition with its inner parts named, so that the chain rule multiplies along them.

        Empty if there are several definitions, or no inner part that depends on an input.

        >>> Definitions("a = sigmoid(w*x + b)").in_steps()
        'a = sigmoid(z); z = w*x + b'
        """
        if len(self._trees) > 1:
            return ""
        steps = Steps(self.inputs, (letter for letter in LETTERS if letter not in (self.name, *self._used)))
        whole = steps.visit(deepcopy(self._trees[self.name]))
        definitions = {self.name: whole, **{letter: steps.found[letter] for letter in steps.letter_of.values()}}
        written = "; ".join(f"{name} = {ast.unparse(tree)}" for name, tree in definitions.items())
        return re.sub(r" (\*\*?|/) ", r"\1", written) if steps.found else ""

    def _tree(self, body: list[Word], end: int) -> ast.expr:
        """Return Python's syntax tree of the words, after checking that every part is allowed."""
        start = body[0].start() if body else end
        # placeholders have the same length as the names, so that positions do not change
        source = WORD.sub(
            lambda word: "x" * len(word[0]) if word.lastgroup in NAMES else word[0], self._text[start:end]
        )
        try:
            tree = ast.parse(source, mode="eval").body
        except SyntaxError as error:
            place = start + error.offset - 1 if error.offset else end  # 0 means the end
            bracket = "'" in error.msg and error.msg  # Python says '(' was never closed, unmatched ')'
            raise self._error(bracket or "expected a name, a number or ( here", place) from None
        for part in ast.walk(tree):
            # a part without a position is inside a part that was seen before
            self._places[part] = place = start + getattr(part, "col_offset", 0)
            if not isinstance(part, (*STRUCTURE, *OPERATIONS)):
                raise self._error("unexpected comma or star: a value belongs here", place)
            if isinstance(part, ast.Name):
                part.id = self._text[place : place + len(part.id)]
        return tree

    def _complaint(self, word: Word, before: Word | None) -> str:
        """Return the fault of a word, alone or in combination with the word before it; empty if there is no fault."""
        kind, text, is_word = word.lastgroup, word[0], word.lastgroup in NAMES
        bare = re.sub(rf"[{ABOVE}₀-₉{PRIMES},]", "", text) if kind == "name" else text
        if len(text) > LONGEST_WORD:
            return f"{text[:9]}… is longer than {LONGEST_WORD} characters"
        if set(text) & {"^", *ABOVE} and not re.fullmatch(rf"{INDEXED}(?:[{PRIMES}]\d*)?", text):
            return "write ** for a power"
        if kind == "equals":
            return "write a single name before =, as in y = 2*x"
        if kind == "alien" or (is_word and not bare.isidentifier()):
            return f"{text!r} is not allowed in an expression"
        if kind == "number" and text.isdigit() and text != (plain := text.lstrip("0") or "0"):
            return f"write {plain}, without leading zeros"
        if kind == "number" and not math.isfinite(float(text)):
            return "this number exceeds the largest float, 1.8e308"
        if is_word and iskeyword(text):
            return f"{text} is a Python keyword: choose another name"
        if bare != (plain := normalize("NFKC", bare)):  # Python treats both as the same name
            return f"{text} has a simpler spelling: write {plain}"
        if before and before.lastgroup in ENDS and kind in STARTS:
            is_call = before[0] in self._functions
            return f"write {before[0]}(…)" if is_call else f"write {before[0]}*{text} for a product"
        if kind == "function" and text not in self._functions:
            known = sorted({*TABLE, *COMPOSED})
            similar = f" (did you mean {SYNONYMS[text]}?)" if text in SYNONYMS else meant(text, known)
            advice = f"write {text}*(…) for a product, {text} = … for a definition"
            return f"unknown function {text}{similar}: {advice}" + (
                "" if similar else f"; functions are {', '.join(known)}"
            )
        return ""

    def _value(self, tree: ast.AST, nodes: dict[str, Value]) -> Value | float:
        """Evaluate a syntax tree to a node, or to a number if it has no names."""
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
                raise self._error("this is not allowed in an expression", self._places[tree])
        operands = [self._value(part, nodes) for part in parts]
        try:
            if any(isinstance(x, Value) for x in operands):
                return function(*operands)
            with no_grad():  # 1/3 is a number, computed by the table's rule
                return function(*operands).data
        except (TypeError, ValueError) as error:  # operands that the function does not accept, or outside its domain
            placed = self._error(str(error), self._places[tree])
            raise (DomainError(str(placed)) if isinstance(error, DomainError) else placed) from None

    def _error(self, message: str, position: int) -> ExpressionError:
        return ExpressionError(message, self._text, position)


class Steps(ast.NodeTransformer):
    """Replaces the inner parts of a formula by letters: operands of calls and powers, sums and calls in products.

    letter_of   the letter of each part, by its text; outer parts come before the parts inside them
    found       the formula of each letter
    """

    def __init__(self, inputs: Collection[str], letters: Iterator[str]) -> None:
        self.inputs, self.letters = inputs, letters
        self.letter_of: dict[str, str] = {}
        self.found: dict[str, ast.AST] = {}

    def visit_Call(self, tree: ast.Call) -> ast.AST:
        """Name the operands."""
        tree.args = [self._named(part) for part in tree.args]
        return tree

    def visit_BinOp(self, tree: ast.BinOp) -> ast.AST:
        """Name the operands of a power, and the sums and calls in a product."""
        if isinstance(tree.op, ast.Pow):
            tree.left, tree.right = self._named(tree.left), self._named(tree.right)
        elif isinstance(tree.op, ast.Mult | ast.Div):
            tree.left, tree.right = self._factor(tree.left), self._factor(tree.right)
        else:
            self.generic_visit(tree)
        return tree

    def _factor(self, part: ast.expr) -> Any:
        is_sum = isinstance(part, ast.BinOp) and isinstance(part.op, ast.Add | ast.Sub)
        return self._named(part) if is_sum or isinstance(part, ast.Call) else self.visit(part)

    def _named(self, part: ast.expr) -> Any:
        depends = any(isinstance(x, ast.Name) and x.id in self.inputs for x in ast.walk(part))
        if not depends or isinstance(part, ast.Name):
            return part
        text = ast.unparse(part)
        if text not in self.letter_of:
            if not (letter := next(self.letters, "")):
                return self.visit(part)
            self.letter_of[text] = letter
            self.found[letter] = self.visit(part)
        return ast.Name(self.letter_of[text])


def meant(name: str, among: Iterable[str]) -> str:
    """Return a hint at the most similar name; empty if no name is similar.

    >>> meant("maximun", ["minimum", "maximum"])
    ' (did you mean maximum?)'
    """
    similar = get_close_matches(name[:LONGEST_WORD], list(among), 1)
    return f" (did you mean {similar[0]}?)" if similar else ""


def some(names: Sequence[str], between: str = ", ") -> str:
    """Return the first eight names on one line."""
    return between.join([*names[:8], *(["…"] if len(names) > 8 else [])])
