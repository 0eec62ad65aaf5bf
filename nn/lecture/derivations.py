"""Marks a derivation line by line: finds the first line that does not follow, a counterexample and the likely slip.

The input is a student's lines and their subject: definitions, a value with its graph, or a network's trace, whose
loss is ½ Σ_j (y_j − a_j)². ``parts_of`` splits the lines at = into *chains*: a chain starts with ∂f/∂s, and each
further part is compared with the one before. ``handwriting`` returns every reading of a part. ``worlds`` provides a
dozen points at which the engine computes every named value and derivative, without a second calculus. Two
formulas are equal if they agree at every point in at least one reading. ``slip_search`` finds the one change that
would make a wrong part true. A part that follows from a wrong one is not marked as wrong again.

>>> marking = mark('''
... ∂f/∂s = ∂f/∂x ∂x/∂s + ∂f/∂y ∂y/∂s + ∂f/∂z ∂z/∂s
...       = yz·0 + xz·r + xy·1
...       = rs²·0 + rs·r − r²s·1
... ''', "f = x*y*z; x = r; y = r*s; z = s")
>>> marking.line, marking.slip, bool(marking)
(3, 'sign', False)
>>> print(marking)
✓ 1  ∂f/∂s = ∂f/∂x ∂x/∂s + ∂f/∂y ∂y/∂s + ∂f/∂z ∂z/∂s
✓ 2        = yz·0 + xz·r + xy·1
✗ 3        = rs²·0 + rs·r − r²s·1
Line 3 does not follow: at r = 2, s = 3, yz·0 + xz·r + xy·1 = 24, but rs²·0 + rs·r − r²s·1 = 0.
Likely slip: sign. The sign of −r²s·1 is wrong.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise, product
from typing import Any, NamedTuple

from autograd import mathml
from autograd.explanation.wrapping import html_line
from autograd.notation import number_text
from autograd.parser import MOST_CHARACTERS
from autograd.text import clipped, printable
from nn.lecture.handwriting import INDICES, LETTERS, Reader, Tree, Typed, Unreadable, show, typed
from nn.lecture.slip_search import SlipSearch, atoms, places, substitute
from nn.lecture.worlds import Number, World

MOST_READINGS, MOST_SHOWN, LONGEST_LINE, MOST_LINES = 24, 4, 1000, 100
REMARK = re.compile(  # text beside formulas
    r"(?<!\\)[#%].*|//.*|←.*|[✓✔✗□■∎]|[.,]?\s*\b(?:QED|qed)\b|[.,]\s*$|\$\$"
    r"|[,.]?\s*\b(?:since|because|by the|using|as claimed|which|(?:where|with)(?!.*=))\b.*$"
)
ORDINAL = re.compile(r"\s*(?:\d+[.)]|\(\d+\))\s+(?=\S)")
ASIDE = re.compile(r"[(\[]\s*([A-Za-z]{2,}(?:\s+[A-Za-z]+)*|[A-Za-z](?:\s+[A-Za-z]+)+)\s*[)\]]")  # (chain rule)
SENTENCE = re.compile(r"\s*([✓✗–] |\[∂.*\]:|.*[A-Za-z]{3,}.*:\s*$)")  # including those that ``explain`` prints
THEN = re.compile(  # separators between statements
    r"⇒|⟹|=>|\\Rightarrow|\\implies|→|∴|(?<!\\);|(?<!\\),\s+(?![^(]*\))(?=[^,]*=)|\b(?i:so|therefore|hence|thus|and|then|let|now|put|where|with)\b[:,]?"
)
DERIVATIVE = re.compile(r"[∂d][^\s+*]*\s*/\s*[∂d][^\s+*]*|δ[^\s+*]*")
COLON = re.compile(r"^(\s*[∂d][^\s/:]*\s*/\s*[∂d][^\s:]*\s*):(?!\s*=)(?=.*\S)")
Chain = list[tuple[Tree, str]]  # right formulas, as they were typed


class Counterexample(NamedTuple):
    """Numbers for which a line differs from the one before."""

    at: dict[str, float]
    before: float
    here: float


@dataclass
class Part:
    """The text between two equals signs."""

    line: int
    raw: str
    shown: str
    text: Typed
    starts: bool  # whether it starts a chain
    reading: Tree | None = None

    def __str__(self) -> str:
        return show(self.reading) if self.reading and "\\" in self.raw else self.shown


@dataclass
class Marking:
    """The result of ``mark``: true if every line is right. Lines are counted from 1, without blank ones.

    line, slip       the first wrong line and the name of the likely slip; None if every line is right
    counterexample   numbers for which the line fails: ``at``, ``before`` and ``here``
    verdicts         by line: ✓ right, ✗ wrong, → follows from a wrong line, – not judged
    """

    text: str
    line: int | None = None
    slip: str | None = None
    counterexample: Counterexample | None = None
    verdicts: dict[int, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list, repr=False)
    parts: list[Part] = field(default_factory=list, repr=False)

    def __bool__(self) -> bool:
        return self.line is None

    def _numbered(self) -> list[tuple[int, str, str]]:
        return [(i, self.verdicts.get(i, "–" if self.line else " "), line) for i, line in enumerate(self.lines, 1)]

    def __str__(self) -> str:
        indent = min((len(line) - len(line.lstrip()) for line in self.lines), default=0)
        lines = [f"{sign} {i}  {line[indent:]}" for i, sign, line in self._numbered()]
        return printable("\n".join([*lines, self.text]))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = ""
        for i, sign, line in self._numbered():
            here = [p for p in self.parts if p.line == i]
            formulas = ["= " * (not p.starts) + show(p.reading, html=True) for p in here if p.reading]
            formula = f"<code>{escape(line.strip())}</code>"
            if here and len(formulas) == len(here):
                formula = mathml.math(" ".join(formulas))
            wrong = ' style="color: var(--grad); font-weight: bold"' if sign == "✗" else ""
            rows += f"<div{wrong}>{sign} {i}</div><div>{formula}</div>"
        text = "".join(f"<p>{html_line(line)}</p>" for line in self.text.split("\n"))
        text = f"<pre>{escape(self.text)}</pre>" if "\n    " in self.text else text
        body = f'<div class="lines" role="group" tabindex="0" aria-label="The lines">{rows}</div>{text}'
        return mathml.framed(body, str(self), ".formulas div > pre { display: block; margin: .4em 0 }")


def mark(text: str, where: Any, asked: str | None = None, **numbers: float) -> Marking:
    """Mark the lines of a derivation: compare each part between two equals signs with the one before.

    text      the lines as on paper, such as ``δ¹_2 = δ²_1 w²_12 σ'(z¹_2) + …``; text after a # is ignored
    where     their subject: definitions, a Value with its graph, or the trace of a network
    asked     the derivative that the question asks for, such as ``"∂f/∂s"``: one of the lines must begin with it
    numbers   values of the inputs, if the lines substitute them into definitions

    Never raises an error for ``text``. Raises ExpressionError, TypeError and ValueError for invalid ``where``,
    ``asked`` and ``numbers``.
    """
    if not isinstance(text, str) or len(text) > MOST_CHARACTERS:
        most = f"at most {MOST_CHARACTERS} characters of "
        return Marking(f"Write your lines as {most * isinstance(text, str)}text, in quotes.", 1, "unreadable")
    has_targets = not isinstance(where, str) and re.search(r"(?<![^\W\d_])[yt](?![^\W\d_])", text)
    found = []  # y_j may denote any number, or the graph's own
    for vary in (True, False) if has_targets else (False,):
        world = World(where, numbers, vary)
        found.append(_for_all_indices(text, world, asked))
        if found[-1]:
            return found[-1]
    return max(found, key=lambda marking: marking.line or 0)


def parts_of(text: str, reader: Reader) -> tuple[list[Part], list[str]]:
    """Split the text into parts and lines. Raises Unreadable for too many or too long lines."""
    found: list[Part] = []
    text = re.sub(r"\\(?:begin|end)\{\w+\*?\}(?:\{\w+\})?", "", text)
    lines = [line.rstrip() for line in re.split(r"\n|\\\\", text) if line.strip()]
    if len(lines) > MOST_LINES:
        raise Unreadable(f"there are {len(lines)} lines: mark at most {MOST_LINES} at once")

    def blank(m: re.Match[str]) -> str:
        return " " * len(m[0])

    awaits = ""  # "=" or "sign", if the previous line ended with = or with an operation
    for number, raw in enumerate(lines, 1):
        if len(raw) > LONGEST_LINE:
            raise Unreadable(f"line {number} has {len(raw)} characters: write at most {LONGEST_LINE}")
        line = COLON.sub(r"\1=", REMARK.sub(blank, raw))
        line = ORDINAL.sub(blank, line, 1) if ORDINAL.match(line) and re.match(r"\s*\(?1[.)]", lines[0]) else line
        line = ASIDE.sub(lambda m: m[0] if all(map(reader.is_word, m[1].split())) else blank(m), line)
        words = [w for w in re.findall(r"(?<![\\\w])[A-Za-z]{3,}(?![\w(])", line) if not reader.is_word(w)]
        if not line.strip() or SENTENCE.match(raw) or (len(words) > 1 and not re.search("[=≈]", line)):
            continue
        start = 0
        for end, after in [*(m.span() for m in THEN.finditer(line)), (len(line), 0)]:
            whole, start = typed(" " * start + line[start:end]), after
            depth, cuts = 0, [-1]
            for i, c in enumerate(whole.text):
                depth += (c in "([") - (c in ")]")
                cuts += [i] if c in "=≈≃≅" and depth <= 0 else []
            pieces = [whole.part(i + 1, j) for i, j in zip(cuts, [*cuts[1:], len(whole.text)])]
            stops = [*(whole.places[i] for i in cuts[1:]), end]
            for i, piece in enumerate(pieces):
                stripped = piece.text.strip(" :")
                if not stripped:
                    continue
                at = piece.text.index(stripped)
                piece = piece.part(at, at + len(stripped))
                shown = " ".join(line[piece.places[0] : stops[i]].strip(" :&$").split())
                if i == 0 and found and found[-1].line < number and (stripped[0] in "+-*/" or awaits == "sign"):
                    last = found[-1]
                    shift = len(last.raw) + 1
                    joined = (*last.text.places, shift - 1, *(x + shift for x in piece.places))
                    last.text, last.raw = Typed(f"{last.text.text} {piece.text}", joined), f"{last.raw} {raw}"
                    last.shown += f" {shown}"
                else:
                    begins = i == 0 and len(pieces) > 1 and (not awaits or bool(DERIVATIVE.fullmatch(stripped)))
                    found.append(Part(number, raw, shown, piece, begins or (not found and i == 0)))
                awaits = "sign" if stripped[-1] in "+-*/" else ""
            awaits = "=" if len(pieces) > 1 and not pieces[-1].text.strip() else awaits
    return found, lines


def _for_all_indices(text: str, world: World, asked: str | None) -> Marking:
    """Mark lines such as δ¹_k = … for each k; return the first marking with a wrong line."""
    leaf: Tree | None = ("name", world.leaves[0]) if len(world.leaves) == 1 else None
    reader = Reader(world.words, {}, leaf, world.activations)

    def letters(line: str) -> set[str]:
        plain = typed(re.sub(r"(?m)(?<!\\)[#%].*", "", line)).text
        return {*re.sub(r"[\d,]", "", "".join(re.findall(INDICES, plain)))} | {*"l" * ("^(l" in plain)}

    free = sorted(letters(text) - {*re.findall(rf"Σ\s*_?\s*\(?\s*([{LETTERS}])", typed(text).text)})
    found = None
    for values in product("123456789", repeat=min(len(free), 3)):
        bound = dict(zip(free, values))
        try:
            marking = _judge(text, world, reader.bound(bound), asked, strict=bool(free))
        except Unreadable:  # the left side does not exist for these indices
            continue
        if free and not marking:
            before = [part for part in marking.parts if part.line <= (marking.line or 0)]
            start = max((i for i, part in enumerate(before) if part.starts), default=0)
            used = letters("\n".join(part.raw for part in before[start:]))
            if where := ", ".join(f"{letter} = {value}" for letter, value in bound.items() if letter in used):
                marking.text = f"For {where}, {marking.text[:1].lower()}{marking.text[1:]}"
            return marking
        found = marking
    return found or _judge(text, world, reader.bound(dict.fromkeys(free, "1")), asked)


def _judge(text: str, world: World, reader: Reader, asked: str | None, strict: bool = False) -> Marking:
    """Return the marking for one choice of indices; ``strict`` raises Unreadable if the left side does not exist."""
    marking = Marking("Every line is right.", lines=[text.strip()])

    def refuse(line: int, words: str, slip: str = "unreadable") -> Marking:
        if marking.line is None:
            marking.line, marking.slip, marking.text = line, slip, words
        return marking

    goal: Tree | None = ("d", ("name", world.root), reader.only, "total") if reader.only else None
    try:
        goal = reader.readings(typed(asked))[0] if asked else goal
    except Unreadable as error:
        raise ValueError(f"mark: asked={asked!r}: {error}") from None
    try:
        marking.parts, marking.lines = parts_of(text, reader)
    except Unreadable as error:
        return refuse(1, f"This cannot be read: {error}.")
    parts, verdicts = marking.parts, marking.verdicts
    if not parts:
        return refuse(1, "There is no formula: begin with ∂f/∂s = …")
    mine: list[Part] = []  # the student's own abbreviations, such as u = x²; they may use each other
    for part, value, after in [*zip(parts, parts[1:], [*parts[2:], None])] * 2:
        name = re.fullmatch(r"[^\W\d_]\w*", part.text.text)
        if part.starts and name and not reader.is_word(name[0]):
            with suppress(Unreadable):
                words = {**reader.words, name[0]: reader.readings(value.text)[0]}
                reader = Reader(words, reader.letters, reader.only, reader.activations)
                if after and not after.starts:  # u = ∂L/∂z = …
                    value.starts = part is parts[0] or after.line == value.line
                mine += [part] if value.starts else [part, value]
                verdicts[part.line] = "✓"
    parts = [part for part in parts if part not in mine] or parts
    chain: Chain = []
    truth: list[list[Number]] = []  # of the chain's left side
    current: list[list[Number]] = []  # of the part before
    wrong: dict[Tree, list[list[Number]]] = {}  # the ends of earlier chains with this left side
    blamed = False  # whether this chain has a wrong part
    met_goal = not asked
    compared = is_new = False
    if re.match(r"\s*&?\s*[=≈]", text):
        if not goal:
            return refuse(1, "The derivative is not named: begin with ∂f/∂s = …")
        parts[0].starts, met_goal = False, True
        chain, truth = [(goal, show(goal))], [world.numbers(goal)]
        current = truth
    last = max((i for i, part in enumerate(parts) if part.starts), default=0)
    for i, part in enumerate(parts):
        try:
            readings = reader.readings(part.text)
        except Unreadable as error:
            if strict and (part.starts or "l" in reader.letters):
                raise
            verdicts[part.line] = "–" if error.slip == "unreadable" and verdicts.get(part.line) != "✗" else "✗"
            caret = " " * (error.place - len(part.raw) + len(part.raw.lstrip()))
            what = f"Line {part.line} {'cannot be read' if error.slip == 'unreadable' else 'is wrong'}"
            return refuse(part.line, f"{what}: {error}\n    {part.raw.strip()}\n    {caret}^", error.slip)
        trees = [variant for tree in readings for variant in _variants(tree, world)][:MOST_READINGS]
        part.reading = trees[0]
        if part.starts and (not chain or trees[0][0] in ("d", "name") or any(x[0] == "d" for x in atoms(trees[0]))):
            trees = (
                trees[:1] if i == last and trees[0][0] == "d" else trees
            )  # in the last chain ∂f/∂s means all paths
            chain, truth = [(trees[0], str(part))], [world.numbers(t) for t in trees]
            current, blamed = truth + wrong.get(trees[0], []), False
            met_goal |= bool(goal and world.agree(goal, truth[0]))
            verdicts.setdefault(part.line, "✓")
            continue
        if not chain:
            return refuse(part.line, f"Line {part.line} does not name its derivative: begin with ∂f/∂s = …")
        compared = True
        is_new |= chain[0][0] not in trees
        target = next((n for n in current + truth for t in trees if world.agree(t, n)), None)
        right = next((t for t in trees if target and world.agree(t, target)), None)
        if right := right or _with_numbers(world, trees, chain):
            part.reading = right
            if target is None or any(world.agree(right, n) for n in truth):
                verdicts.setdefault(part.line, "✓")
                chain.append((right, str(part)))
            elif verdicts.get(part.line) != "✗":
                verdicts[part.line] = "→"
            current = [target] if target else current
            continue
        if marking.line is None:
            blamed = True
            _blame(marking, world, part, trees, chain)
        verdicts[part.line] = "✗" if blamed else "–"
        current = [world.numbers(t) for t in trees]
        wrong.setdefault(chain[0][0], []).extend(current)
    notes = {"→": "follows from the wrong line", "–": "may use the wrong line"}
    for sign, note in notes.items() if not marking else ():
        if sign in verdicts.values():
            marking.text += f"\nA line marked {sign} {note} and is not counted as wrong."
    unfinished = [part for part, after in pairwise([*parts, parts[0]]) if part.starts and after.starts]
    if unfinished or not compared:
        line = (unfinished or parts)[0].line
        refuse(
            line, f"There is nothing to compare{f' with line {line}' * compared} yet: continue with = …", "unfinished"
        )
    if compared and not is_new:
        refuse(parts[-1].line, "There is no new formula yet: continue with = …", "unfinished")
    if not met_goal:
        refuse(1, f"Every step follows, but the question asks for {asked}: begin with it.", "another derivative")
    return marking


def _variants(tree: Tree, world: World) -> list[Tree]:
    """Return the tree and, if different, the trees in which a ∂f/∂x holds the other named values fixed."""
    found = [tree]
    for d in list(dict.fromkeys(x.tree for x in places(tree) if x.tree[0] == "d" and len(x.tree) == 4))[:4]:
        direct = (*d[:3], "direct")
        if d[1][0] == "name" and not world.agree(d, world.numbers(direct)):
            found += [substitute(t, (d, direct)) for t in found]
    return found


def _with_numbers(world: World, trees: Sequence[Tree], chain: Chain) -> Tree | None:
    """Return the tree that follows, up to rounding, once some names are replaced by the graph's own numbers."""
    here = world.own or world.points[0]

    def rounding(tree: Tree, fixed: Mapping[Tree, float]) -> float:
        """Return how much the formula changes if each decimal number changes by half a unit in its last digit."""
        at, total = here.number(tree, fixed), 0.0
        for literal in {x.tree for x in places(tree) if x.tree[0] == "num" and "." in x.tree[2]}:
            mantissa, _, power = literal[2].lower().partition("e")
            half = 0.51 * 10.0 ** (int(power or 0) - len(mantissa.partition(".")[2]))
            moved = here.number(substitute(tree, (literal, ("num", literal[1] + half, ""))), fixed)
            total += abs(moved[0] - at[0]) if moved and at else 0.0
        return total

    for tree, (old, _) in product(trees, chain[::-1]):
        gone = atoms(old) - atoms(tree)
        if any(x.tree[0] == "num" for x in places(tree)) and (world.own if gone else not atoms(old)):
            fixed = {x: number[0] for x in gone if (number := here.number(x))}
            if world.agree(tree, world.numbers(old, fixed), rounding(tree, {}) + rounding(old, fixed)):
                return tree
    return None


def _blame(marking: Marking, world: World, part: Part, trees: Sequence[Tree], chain: Chain) -> None:
    """Set the line, the counterexample and the slip."""
    (before, shown), tree, start = chain[-1], trees[0], chain[0][0]
    marking.line = part.line
    what = f"Line {part.line} does not follow"
    if len(chain) == 1 and start[0] == "d":
        what = f"Line {part.line} is not {show(start)}"
    ending = (
        "." if any(world.numbers(tree)) else f": {part} is undefined at points where the previous line is defined."
    )
    differ = []
    for at in world.points:
        x, y = at.number(before), at.number(tree)
        if x and y and abs(x[0] - y[0]) > 1e-6 * max(x[1], y[1]):
            small, large = sorted((abs(x[0]), abs(y[0])))
            is_readable = at is world.own or (large < 1e5 and (small == 0.0 or small > max(0.001, large / 1e4)))
            differ.append((not is_readable, at, x, y))
    for _, at, x, y in sorted(differ, key=lambda found: found[0])[:1]:
        names: list[Tree] = [("name", v) for v in world.leaves]
        if len(names) > MOST_SHOWN:
            names = sorted((atoms(before) | atoms(tree)) - {start}, key=show)
        values = {show(v): number[0] for v in names if (number := at.number(v))}
        marking.counterexample = Counterexample(values, x[0], y[0])
        listed = ", ".join(f"{v} = {number_text(z)}" for v, z in values.items() if v not in (shown, str(part)))
        ending = f": at {listed}, " if 0 < len(values) <= 6 else ": "
        ending += f"{clipped(shown, 60)} = {number_text(x[0])}, but {clipped(str(part), 60)} = {number_text(y[0])}."
    search = SlipSearch(world, [t for t, _ in chain])
    slip = next((slip for t in trees[:4] if (slip := search.find(t))), None)
    marking.slip, advice = "unknown", "This is not a common slip: compare the two lines term by term."
    if slip:
        marking.slip, advice = slip.name, f"Likely slip: {slip.name}. {slip}"
    elif not atoms(tree) and (world.own or not atoms(before)):
        marking.slip, advice = "arithmetic", "Likely slip: arithmetic. Compute the numbers again."
    elif not atoms(tree):
        given = ", ".join(f"{x}={i}" for i, x in enumerate(world.leaves[:3], 2))
        advice = f"It contains only numbers: write a formula, or pass numbers for the inputs, as in mark(…, {given})."
        marking.slip = "numbers"
    marking.text = f"{what}{ending}\n{advice}"
