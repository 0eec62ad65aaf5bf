"""Reads formulas as students type them: 2r²s, yz·0, (a − y)a(1 − a), δ¹_2, σ'(z), cos x²·2x, ½, e⁻ᶻ, Σ_j, LaTeX.

``typed`` converts a text to one spelling and keeps the original position of every character, for the caret below an
error. A ``Reader`` parses this spelling into trees. A tree is a tuple that starts with its kind:

    ("num", 0.5, "0.5")   ("name", "w²_12")   ("+", term, …)   ("-", x)   ("inv", x)   ("^", x, p)
    ("*", factor, …)                  factors side by side, as in yz; ("·", factor, …) with a sign between them
    ("call", "σ", 1, z)               σ′(z): the function, the number of primes, the arguments
    ("d", f, x, "total")              ∂f/∂x over all paths; "direct" if the other named values are held fixed

Handwritten mathematics has no grammar: some people read sin 2x as sin(2x), others as (sin 2)x. A reader therefore has
*habits*, and ``readings`` returns the trees of all combinations of habits.

>>> reader = Reader({"r": ("name", "r"), "s": ("name", "s")})
>>> [show(tree) for tree in reader.readings(typed("2r²s·1 − sin rs"))]
['2r²s·1 − sin(r)s', '2r²s·1 − sin(rs)']
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple
from unicodedata import decomposition, normalize, numeric

from autograd import mathml
from autograd.notation import MINUS, RAISED, function_text, number_text, unnamed
from autograd.parser import CONSTANTS, functions
from autograd.text import GREEK

Tree = tuple[Any, ...]
Habits = tuple[bool, ...]  # whether sin 2x is sin(2x), 1/2x is 1/(2x), Σ includes terms after +, e^2x is e^(2x)
NO_HABITS: Habits = (False, False, False, False)
ALIASES = {
    **dict.fromkeys(("sigmoid", "sigma", "logistic", "sig", "S"), "σ"), **dict.fromkeys(("ReLU", "RELU"), "relu"),
    "√": "sqrt", "arctan": "atan", "arcsin": "asin", "arccos": "acos", "sgn": "sign",
    "sec": "cos", "csc": "sin", "cot": "tan", "sech": "cosh", "csch": "sinh",
}  # fmt: skip
RECIPROCALS = ("sec", "csc", "cot", "sech", "csch")
ABOVE = {c: chr(int(decomposition(c).split()[-1], 16)) for c in "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿⁱʲᵏᵃᵇᶜᵈᵉᶠᵍʰˡᵐᵒᵖʳˢᵗᵘᵛʷˣʸᶻᴸ"}
BELOW = {c: chr(int(decomposition(c).split()[-1], 16)) for c in "₀₁₂₃₄₅₆₇₈₉ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ"}
LETTERS = "ijkmnpq"  # used as indices
INDICES = rf"(?<![\s_])_([{LETTERS}\d,]*[{LETTERS}][{LETTERS}\d,]*)"
MATRICES = re.compile(r"∇|\bgrad\b|ᵀ|\^\(?[T⊤]|W|@")
VECTOR = re.compile(r"(?:[∂d]\s*\w+\s*/\s*[∂d]\s*)?(?:δ|delta|[zabxy])\^\(?[\dL]+\)?(?![\w^])")
D = r"\s*(?:\\mathrm\s*)?\(?[∂d]"


def _indices(m: re.Match[str]) -> str:
    """Write _12 for _{1,2} and _{1 2}; keep _1,12."""
    parts = re.split(r"[,\s]+", m[1].strip())
    return "_" + ("" if all(len(x) == 1 for x in parts) else ",").join(parts)


def _fraction(m: re.Match[str]) -> str:
    is_d = re.match(D, m[1]) and re.match(D, m[2])
    return f" {m[1]}/{m[2]} " if is_d else f"(({m[1].strip('{}')})/({m[2].strip('{}')}))"


SPELLINGS: tuple[tuple[str, Any], ...] = (
    (r"[−–—‒‐﹣－]", "-"), (r"[×∗·⋅•∙⊙⋆]", "*"), (r"[÷∕⁄]", "/"), (r"\*\*", "^"), (r"∑", "Σ"), (r"[ℒ𝓛]", "L"),
    (r"\\(?:left|right|[bB]igg?[lr]?|displaystyle|limits|q?quad)(?![A-Za-z])|\\[][,;!: ()]|[&$~]", " "),
    (r"\\(?:mathrm|text)\s*\{\s*d\s*\}", "d"),
    (r"\\(?:text|mathrm|mathcal|mathbf|boldsymbol|operatorname|mathit)\b", ""),
    (r"\\[dt]frac", r"\\frac"), (r"\\(?:cdot|times|odot|ast)(?![A-Za-z])", "*"), (r"\\partial(?![A-Za-z])", "∂"),
    (r"\\sum(?![A-Za-z])", "Σ"), (r"\\prime(?![A-Za-z])", "′"), (r"\\sqrt(?![A-Za-z])", "√"),
    (r"≡|\\(?:approx|to|equiv)\b", "="), (r"\\(?!frac)([A-Za-z]+)", lambda m: m[1]),
    (r"\^\s*[({]?\s*(?:′|')+\s*[)}]?|['’‘`´ʹ]", "′"), (r"″", "′′"),
    (f"[{''.join(ABOVE)}]+", lambda m: f"^({''.join(ABOVE[c] for c in m[0])})".replace(MINUS, "-")),
    (f"[{''.join(BELOW)}]+", lambda m: "_" + "".join(BELOW[c] for c in m[0])),
    (r"(?<=\\frac)\s+|(?<=\})\s+(?=\{)", ""), (r"\\frac(\d)(\d)", r"\\frac{\1}{\2}"),
    *(  # from the inside out: braces outside fractions, then fractions without braces inside
        pair for _ in range(6)
        for pair in ((r"(?<!\\frac)(?<!\})\{([^{}]*)\}", r"(\1)"), (r"\\frac\{([^{}]*)\}\{([^{}]*)\}", _fraction))
    ),
    (r"[{]", "("), (r"[}]", ")"),
    (r"_\s*\(\s*([\w, ]+?)\s*\)", _indices), (r"_(\d(?:,\d)+)(?!\d)", _indices),
    (rf"Σ\s*_?\s*([{LETTERS}])\s*=\s*(\d+)", r"Σ_(\1=\2)"), (r"\^\s*\(\s*[(\[]\s*(\w+)\s*[)\]]\s*\)", r"^(\1)"),
    (r"\^\s*\[\s*(\w+)\s*\]", r"^(\1)"), (r"(?<![_\d,.])(\d+),(\d+)(?![\d,]*\))", r"\1.\2"),
    (r"\^\s*(\d+|[Ll])(?=_)", r"^(\1)"), (rf"(_[{LETTERS}\d,]+)\^\s*(\d+|[Ll])", r"\1^(\2)"),
    (r"\^\s*\(\s*(\w+)\s*\)", r"^(\1)"),
    (r"∂\s*_\s*\(?([^\W_]+(?:\^\(\w+\))?(?:_\d+)?)\)?\s*([^\W\d_](?:\^\(\w+\))?(?:_\d+)?)", r"∂\2/∂\1"),  # ∂_x f
)  # fmt: skip


class Typed(NamedTuple):
    """A text in one spelling, with the position of each character in the original text."""

    text: str
    places: tuple[int, ...]

    def part(self, start: int, end: int | None = None) -> "Typed":
        """Return the slice from start to end."""
        return Typed(self.text[start:end], self.places[start:end])

    def sub(self, pattern: str, by: Any) -> "Typed":
        """Replace matches as ``re.sub`` does; a replacement has the position at which its match began."""
        text, places, last = "", [], 0
        for m in re.finditer(pattern, self.text):
            new = by(m) if callable(by) else m.expand(by)
            text += self.text[last : m.start()] + new
            places += [*self.places[last : m.start()], *[self.places[m.start()]] * len(new)]
            last = m.end()
        return Typed(text + self.text[last:], (*places, *self.places[last:])) if last else self


class Unreadable(ValueError):
    """Raised for text that cannot be read; gives the position and a remedy. ``slip`` is the name of a known slip."""

    def __init__(self, message: str, place: int = 0, slip: str = "unreadable") -> None:
        super().__init__(message)
        self.place, self.slip = place, slip


@lru_cache(1000)
def typed(line: str) -> Typed:
    """Convert a line to one spelling."""
    plain = [normalize("NFKC", c)[:1] if decomposition(c).startswith("<font>") else c for c in line]
    found = Typed("".join(plain), tuple(range(len(line))))
    for pattern, by in SPELLINGS:
        found = found.sub(pattern, by)
    return found


def spellings(name: str) -> Iterator[str]:
    """Yield the spellings of a name, after ``typed``: w²_12, w_12², w2_12; x_1 and x1; delta for δ."""
    yield (plain := typed(name).text)
    if m := re.fullmatch(r"(\D+?)\^\((\w+)\)_([\d,]+)", plain):
        yield from (f"{m[1]}_{m[3]}^({m[2]})", f"{m[1]}{m[2]}_{m[3]}")
    elif m := re.fullmatch(r"(\D+?)_([\d,]+)", plain):
        yield m[1] + m[2]
    if plain[0] in GREEK:
        yield from spellings(GREEK[plain[0]] + plain[1:])


class Reader:
    """Reads formulas made of these words, spelled as ``spellings`` yields them.

    letters      the values of index letters, as in {"k": "2"}
    only         the input, if there is only one: f′ is the derivative with respect to it
    activations  the function that the slides' g denotes, by the name of its z
    """

    def __init__(
        self, words: Mapping[str, Tree], letters: Mapping[str, str] | None = None, only: Tree | None = None,
        activations: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.words, self.letters, self.only = dict(words), dict(letters or {}), only
        self.activations = activations or {}
        self.calls = {**{name: name for name in functions()}, **ALIASES, "g": "σ"}
        self._text, self._at, self._habits = "", 0, NO_HABITS
        self._places: tuple[int, ...] = ()
        known = sorted({*words, *self.calls, *CONSTANTS}, key=len, reverse=True)
        self._word = re.compile("|".join(map(re.escape, known)))
        names = "|".join(re.escape(name) for name in known if name in words) or "(?!)"
        self._partial = re.compile(
            rf"[∂d]\s*(?:(?P<of>{names})(?:\((?:[^\W\d]\s*,?\s*)+\))?|(?P<open>\((?=.*\)\s*/\s*[∂d])))?\s*"
            rf"(?P<over>/\s*[∂d]\s*(?P<wrt>{names})(?![\d_]))?"
        )

    def bound(self, letters: Mapping[str, str]) -> "Reader":
        """Return this reader with other indices, without compiling the words again."""
        other = Reader.__new__(Reader)
        other.__dict__ = self.__dict__ | {"letters": dict(letters)}
        return other

    def is_word(self, word: str) -> bool:
        """Return whether a word is a name, a function, or several names side by side."""
        while m := self._word.match(word):
            word = word[m.end() :]
        return not word or bool(re.fullmatch("[∂d]", word))

    def readings(self, part: Typed) -> list[Tree]:
        """Return every tree that the text may mean, the likeliest first. Raises Unreadable if there is none."""
        trees: dict[Tree, None] = {}
        errors = []
        for habits in product((False, True), repeat=4):
            try:
                self._begin(part, habits)
                tree = self._sum()
                if c := self._peek():
                    raise self._error("this bracket was never opened" if c in ")]" else self._alien())
                trees.setdefault(tree)
            except (Unreadable, RecursionError) as error:
                errors.append(error)
        if not trees:
            known = isinstance(errors[0], Unreadable)
            raise errors[0] if known else Unreadable("too many nested brackets")
        return list(trees)

    def _begin(self, part: Typed, habits: Habits) -> None:
        def index(m: re.Match[str]) -> str:
            parts = [self.letters.get(x, x) for x in re.findall(r"\d+|[a-z]", m[1])]
            return "_" + ("" if "," not in m[1] and all(len(x) == 1 for x in parts) else ",").join(parts)

        layer = int(self.letters.get("l", 0))
        part = part.sub(r"\^\(l\s*([+-]\s*\d)?\)", lambda m: f"^({layer + int((m[1] or '0').replace(' ', ''))})")
        bound = part.sub(INDICES, index)
        self._text, self._places, self._at, self._habits = bound.text, bound.places, 0, habits

    def _error(self, message: str, at: int | None = None, slip: str = "unreadable") -> Unreadable:
        ends = [*self._places, (self._places or (0,))[-1] + 1]
        return Unreadable(message, ends[min(self._at if at is None else at, len(ends) - 1)], slip)

    def _alien(self) -> str:
        """Return the message for a symbol that cannot start an operand."""
        word = re.compile(r"\.\.\.|[^\W\d]\w*(?:\^\(\w+\))?(?:_\w+)?|.").match(self._text, self._at)
        name = re.sub(r"\^\((\d+)\)", lambda m: m[1].translate(RAISED), word[0]) if word else ""
        if name in ("…", "..."):
            return "… is ambiguous: write out every term"
        layer = m[1] if (m := re.search(r"(?:δ|delta|W)\^\(?(\d)", self._text)) else ""
        units = list(dict.fromkeys(show(x) for t, x in self.words.items() if t.startswith(f"δ^({layer}")))
        unit = units[-1 if len(units) < 2 else 1] if units else ""
        if MATRICES.search(self._text) or (unit and VECTOR.match(self._text, self._at)):
            one_unit = f"the line for one unit, {unit} = …" if unit else "one line for each, as in ∂f/∂x = …"
            return f"mark cannot judge vectors and matrices: write {one_unit}"
        if name[:1].isalpha():
            known = {x[1] for x in self.words.values() if x[0] == "name"} - {*map(unnamed, range(99))}
            alike = sorted(known, key=lambda x: (x.partition("_")[2] != name.partition("_")[2], len(x), x))
            shown = ", ".join(alike[:10]) + " …" * (len(alike) > 10)
            return f"{name} is not defined: the names are {shown}; put comments after a #"
        return f"{name} has no meaning here: write + − · / ^ ( ) between names and numbers"

    def _peek(self) -> str:
        while (c := self._text[self._at : self._at + 1]).isspace():
            self._at += 1
        return c

    def _take(self, *signs: str) -> str:
        c = self._peek()
        self._at += c in signs
        return c if c in signs else ""

    def _match(self, pattern: str) -> re.Match[str] | None:
        return re.compile(pattern).match(self._text, self._at)

    def _starts(self) -> bool:
        c = self._peek()
        return c != "" and (c.isalnum() or c in "(√∂Σ[.½⅓¼¾" or self._word.match(self._text, self._at) is not None)

    def _sum(self) -> Tree:
        terms = [self._term()]
        while self._peek() in ("+", "-"):
            terms.append(self._term())
        return one("+", terms)

    def _term(self) -> Tree:
        is_negative = False
        while c := self._take("+", "-"):
            is_negative ^= c == "-"
        factors = [self._run()]
        while c := self._take("*", "/"):
            if c == "*":
                factors.append(self._run())
            else:
                factors.append(("inv", self._run() if self._habits[1] else self._factor()))
                factors += [self._run()] if self._starts() else []
        tree = one("·", factors)
        return ("-", tree) if is_negative else tree

    def _run(self) -> Tree:
        """Parse factors side by side."""
        if self._take("-"):
            return ("-", self._run())
        factors = [self._factor()]
        while self._starts():
            if self._peek().isdigit() and factors[-1][0] == "num":
                raise self._error("two numbers are adjacent: write · between them")
            factors.append(self._factor())
        return one("*", factors)

    def _factor(self) -> Tree:
        sign = self._take("-", "+")
        tree = self._base()
        while self._take("^"):
            if self._peek() == "(":
                power = self._bracketed()
            else:
                power, more = self._factor(), []
                while self._habits[3] and self._text[self._at : self._at + 1].isalnum() and self._starts():
                    more.append(self._base())
                power = one("*", [power, *more])
            tree = ("^", tree, power)
        return ("-", tree) if sign == "-" else tree

    def _bracketed(self, ends: str = ")]") -> Tree:
        start = self._at
        self._at += 1
        tree = self._sum()
        if c := self._take("<", ">"):
            self._take("=")
            tree = ("call", "greater", 0, *((tree, self._sum())[:: 1 if c == ">" else -1]))
        if not self._take(*ends):
            raise self._error(self._alien()) if self._peek() else self._error("this bracket is never closed", start)
        return tree

    def _base(self) -> Tree:
        c, start = self._peek(), self._at
        if m := self._match(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"):
            self._at = m.end()
            return ("num", float(m[0]), m[0])
        if c in ("(", "["):
            tree = self._bracketed()
            while self.only and self._take("′"):  # (sin x²)′
                tree = ("d", tree, self.only, "total")
            return tree
        if c == "|":
            return ("call", "abs", 0, self._bracketed("|"))
        if self._take(*"½⅓¼¾⅔⅛"):
            return ("num", numeric(c), c)
        if c == "Σ":
            return self._series()
        if (m := self._partial.match(self._text, start)) and (m["over"] or m["open"]):
            return self._derivative(m)
        if m := self._word.match(self._text, start):
            after = self._text[m.end() :]
            if not (m[0][-1].isdigit() and after[:1].isdigit()) and not re.match(r"(\^\(\w+\))?_\w", after):
                is_call = m[0] in self.calls and (m[0] not in self.words or re.match(r"\s*′*\s*\(", after))
                self._at = m.end()
                return self._call(m[0], start) if is_call else self._name(m[0], start)
        raise self._unknown() if c else self._error("a name, a number or a bracket is missing at the end")

    def _derivative(self, m: re.Match[str]) -> Tree:
        start, of = self._at, self.words.get(m["of"])
        if m["open"]:
            self._at = m.end() - 1 if not m["over"] else self._text.index("(", start)
            of = self._bracketed()
            over = self._match(r"\s*/\s*[∂d]\s*")
            word = self._word.match(self._text, over.end()) if over else None
            if not word or word[0] not in self.words:
                raise self._error("this derivative lacks its variable: write it as in ∂(xy)/∂x")
            self._at, wrt = word.end(), self.words[word[0]]
        else:
            self._at, wrt = m.end(), self.words[m["wrt"]]
            of = of or self._term()  # d/dx sin x
        if wrt[0] == "name":
            return ("d", of, wrt, "total")
        if not self.only:
            raise self._error("the variable of a derivative must be a defined name, as in ∂f/∂s", start)
        return ("·", ("d", of, self.only, "total"), ("inv", ("d", wrt, self.only, "total")))  # the student's u = x²

    def _unknown(self) -> Unreadable:
        """Return the error for an unknown name; w²_31 for w²_13 is a known slip."""
        if m := self._match(r"([^\W\d]+)(?:\^\((\d+)\))?_(\d+)(?!\w)"):
            name, stem = f"{m[1]}{(m[2] or '').translate(RAISED)}_", m[0][: -len(m[3])]
            if stem + m[3][::-1] in self.words:
                message = f"there is no {name}{m[3]}: the first index is the unit to which the weight leads"
                return self._error(f"{message}. Did you mean {name}{m[3][::-1]}?", slip="transposed weight")
            layers = [t for t in self.words if re.fullmatch(rf"{m[1]}\^\(\d+\)_{m[3]}", t)]
            if not m[2] and layers:
                meant = " or ".join(re.sub(r"\^\((\d+)\)", lambda m: m[1].translate(RAISED), t) for t in layers)
                return self._error(f"the layer of {m[1]}_{m[3]} is missing: write {meant}")
            if any(word.startswith(stem) for word in self.words):
                return self._error(f"there is no {name}{m[3]}: one of its indices is wrong", slip="wrong index")
        is_derivative = self._match(r"[∂d]\s*[^\W\d].*/\s*[∂d]")
        if is_derivative and not MATRICES.search(self._text) and not self._match(VECTOR.pattern):
            return self._error("a derivative must have the form ∂f/∂x with defined names")
        return self._error(self._alien())

    def _name(self, word: str, start: int) -> Tree:
        if word not in self.words:
            return ("const", word)
        tree = self.words[word]
        primes = len(m[0]) if (m := self._match("′+")) else 0
        self._at += primes
        given = self._match(r"\(\s*(\w+(?:\s*,\s*\w+)*)\s*\)")  # f(r, s) and f(x) name the value f
        names = re.split(r"\s*,\s*", given[1]) if given else []
        if given and all(x in self.words for x in names) and (primes or len(names) > 1 or word == "f"):
            self._at = given.end()
        wrt = self.words[names[0]] if primes and len(names) == 1 and names[0] in self.words else self.only
        if primes and (primes > 1 or not wrt or wrt[0] != "name"):
            raise self._error(f"a prime does not name the variable: write ∂{word}/∂x", start)
        return ("d", tree, wrt, "total") if primes else tree

    def _call(self, word: str, start: int) -> Tree:
        primes, power, name = 0, None, self.calls[word]
        while self._take("′"):
            primes += 1
        if primes > 1:
            raise self._error("second derivatives cannot be marked", start)
        if self._take("^"):  # sin²x
            power = self._bracketed() if self._peek() == "(" else self._base()
        if not self._starts() and self._peek() != "|":
            raise self._error(f"{word}{'′' * primes} lacks its argument: write {word}{'′' * primes}(…)", start)
        args = [self._bracketed("),") if (is_open := self._peek() == "(") else self._factor()]
        while self._text[self._at - 1] == "," if is_open else self._habits[0] and self._starts():
            self._at -= is_open  # _bracketed expects to be at a bracket
            args.append(self._bracketed("),") if is_open else self._factor())
        args = args if is_open else [one("*", args)]
        if word == "g":
            name = self.activations.get(args[0][-1], name)
        tree: Tree = ("call", name, primes, *args)
        tree = ("inv", tree) if word in RECIPROCALS else tree
        return ("^", tree, power) if power else tree

    def _series(self) -> Tree:
        """Parse Σ_j and the terms that follow, for every j for which the names exist."""
        m = self._match(rf"Σ\s*_?\s*\(?\s*([{LETTERS}])\s*(?:=\s*(\d+))?\s*\)?\s*(?:\^\s*\(?\s*(\d+)\s*\)?)?")
        if not m:
            raise self._error("the sum has no index: write Σ_j")
        rest, ends = Typed(self._text, self._places).part(m.end()), self._at
        terms: list[Tree] = []
        for value in range(int(m[2] or 1), int(m[3] or 99) + 1):
            inner = self.bound({**self.letters, m[1]: str(value)})
            inner._begin(rest, self._habits)
            try:
                term = inner._sum() if self._habits[2] else inner._term()
            except Unreadable:
                if not terms:
                    raise
                break
            if terms and term == terms[-1]:
                raise self._error(f"{m[1]} does not occur after Σ_{m[1]}")
            terms.append(term)
            ends = len(self._text) - (len(inner._text) - inner._at)
        self._at = ends
        return one("+", terms)


def one(kind: str, parts: list[Tree]) -> Tree:
    """Return the parts as one tree of this kind; a single part is returned unchanged."""
    return parts[0] if len(parts) == 1 else (kind, *parts)


def show(tree: Tree, html: bool = False, within: int = 0) -> str:
    """Write a tree as ``explain`` writes formulas, in text or MathML; ``within`` is the precedence around it."""
    kind, *parts = tree

    def put(text: str, binds: int = 3) -> str:
        return text if binds >= within else mathml.bracketed(text) if html else f"({text})"

    if kind == "num":
        return mathml.number(parts[0]) if html else parts[1] if len(parts[1]) < 12 else number_text(parts[0])
    if kind in ("name", "const"):
        return mathml.name(parts[0]) if html else str(parts[0])
    if kind == "+":
        terms = [(MINUS, x[1]) if x[0] == "-" else ("+", x) for x in parts[1:]]
        return put("".join([show(parts[0], html, 1), *(f" {c} {show(x, html, 1)}" for c, x in terms)]), 0)
    if kind == "-":
        return put(MINUS + show(parts[0], html, 1), 1)
    if kind in ("·", "inv"):
        parts = [tree] if kind == "inv" else parts
        factors = [("/" if x[0] == "inv" else "·") + show(x[1] if x[0] == "inv" else x, html, 2) for x in parts]
        return put("1" * (parts[0][0] == "inv") + "".join(factors).removeprefix("·"), 1)
    if kind == "*":
        factors = [show(x, html, 3) for x in parts]
        text = factors[0]
        for before, x, factor in zip(factors, factors[1:], parts[1:]):
            near = html or x[0] == "(" or not re.search(r"[_∂]|\w\(.*\)$", before + "," + x)
            text += "·" + x if factor[0] == "num" else x if near else " " + x
        return put(text, 2)
    if kind == "^":
        base, power = show(parts[0], html, 4), show(parts[1], html)
        if html:
            return f"<msup><mrow>{base}</mrow><mrow>{power}</mrow></msup>"
        base = f"({base})" if set(base) & set(ABOVE) and base[0] != "(" else base
        whole = re.fullmatch(r"-?\d+", raised := power.replace(MINUS, "-"))
        return put(base + (raised.translate(RAISED) if whole else f"^{power}" if power.isalnum() else f"^({power})"))
    if kind == "d":
        z = re.fullmatch(r"z([⁰¹²³⁴⁵⁶⁷⁸⁹]+_[\d,]+)", parts[1][1])
        if z and len(parts) > 3:
            return show(("name", "δ" + z[1]), html)
        f, x, mark = show(parts[0], html, 3), show(parts[1], html), "<mi>∂</mi>" if html else "∂"
        return mathml.FRACTION.format(mark + f, mark + x) if html else f"∂{f}/∂{x}"
    if parts[0] == "greater":
        return f"[{show(parts[2], html)} > {show(parts[3], html)}]"
    inside = ", ".join(show(x, html) for x in parts[2:])
    name = "abs" if parts[0] == "abs" else function_text(parts[0])
    return f"<mi>{name}</mi>{'<mo>′</mo>' * parts[1]}({inside})" if html else f"{name}{'′' * parts[1]}({inside})"
