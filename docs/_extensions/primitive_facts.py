"""Derives the contents of a card from an entry of the table: formulas, domains, and kinks with their subgradients."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from inspect import getdoc
from itertools import combinations, product
from math import isclose, isfinite, isnan
from operator import eq, ne

import sympy
from curves import operand_letters

from autograd.explanation.algebra import written
from autograd.explanation.formula_writer import LATEX
from autograd.kinks import is_kink, sides
from autograd.notation import lowered, number_text
from autograd.number_systems import floats, symbols
from autograd.number_systems.symbols import Expression
from autograd.table import ANYWHERE, CONSTANT, REAL, TABLE, Primitive
from autograd.value import Value, apply

ARITHMETIC, POWERS = "Arithmetic", "Powers, exponentials and error functions"
TRIGONOMETRIC, ACTIVATIONS = "Trigonometric and hyperbolic functions", "Activations"
GATES, SEVERAL, OTHERS = "Steps and gates", "Several operands", "Others"
GROUPS = {
    ARITHMETIC: ("identity", "neg", "add", "sub", "mul", "div", "abs"),
    POWERS: ("exp", "expm1", "log", "log1p", "log2", "sqrt", "power", "pow", "erf", "erfc"),
    TRIGONOMETRIC: ("sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh"),
    ACTIVATIONS: ("sigmoid", "tanh", "relu", "softplus", "log_sigmoid", "elu", "silu", "gelu"),
    GATES: (),
    SEVERAL: (),
    OTHERS: (),
}
PI = sympy.Symbol("π", positive=True)  # the formula writer knows π by this name
GRID = (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0)
SMALL_GRID = (-1.0, 0.0, 1.0)  # for more than three operands
SLIDES = LATEX._replace(
    call=lambda function, arguments: f"e^{{{arguments}}}" if function == "exp" else LATEX.call(function, arguments)
)
Test = Callable[[Sequence[float]], bool]


def groups() -> dict[str, list[Primitive]]:
    """Return the entries by group, in the order of the table; an entry in no group is grouped by its kind."""
    found: dict[str, list[Primitive]] = {group: [] for group in GROUPS}
    for entry in TABLE.values():
        named = (group for group, names in GROUPS.items() if entry.name in names)
        kind = SEVERAL if entry.variadic else GATES if entry.gate else OTHERS
        found[next(named, kind)].append(entry)
    return {group: entries for group, entries in found.items() if entries}


# ---- formulas -------------------------------------------------------------------------------------------------


def formulas(entry: Primitive) -> list[Expression]:
    """Return the value and the local derivatives as symbols, or an empty list if the rule cannot run on symbols."""
    letters = operand_letters(entry)
    if (found := written(entry, *(sympy.Symbol(letter, real=True) for letter in letters))) is None:
        return []
    tidy = [closed(_without_guards(symbols.tidy(part), entry)) for part in (found[0], *found[1])]
    return [flattened(part) for part in tidy]


def latex_lines(entry: Primitive) -> list[str]:
    """Return f = … and each ∂f/∂x = … in LaTeX; a derivative that contains the value is written with f."""
    if not (found := formulas(entry)):
        return []
    (value, *slopes), f = found, sympy.Symbol("f", real=True)
    itself = {} if value.is_Atom or value in slopes else {value: f, 1 / value: 1 / f}
    spelled = value.xreplace({part: part.formula(*part.args) for part in value.atoms(symbols.Spelled)})
    lines = [f"f &= {SLIDES(value)}" + (f" = {SLIDES(spelled)}" if spelled != value else "")]
    letters = operand_letters(entry)
    for letter, domain, slope in zip(letters, entry.domains_of(len(letters)), slopes):
        if domain is not CONSTANT:
            lines.append(f"{SLIDES.partial('f', letter, False)} &= {SLIDES(slope.xreplace(itself))}")
    return lines


def _without_guards(expression: Expression, entry: Primitive) -> Expression:
    """Return the expression without any ``where`` that only guards an argument; a gate keeps its ``where``."""
    guards = {} if entry.gate else {case: case.args[1] for case in expression.atoms(symbols.where)}
    return _without_guards(expression.xreplace(guards), entry) if guards else expression


def flattened(expression: Expression) -> Expression:
    """Merge nested maxima into one."""
    for kind in (symbols.maximum, symbols.minimum):
        expression = expression.replace(
            lambda e, kind=kind: isinstance(e, kind) and isinstance(e.args[0], kind),
            lambda e, kind=kind: kind(*e.args[0].args, *e.args[1:]),
        )
    return expression


def closed(expression: Expression) -> Expression:
    """Return the expression with exact numbers for floats: 2/√π for 1.128…, 1/log 2 for 1.4427…"""
    return expression.xreplace({x: _closed_number(float(x)) for x in expression.atoms(sympy.Float)})


def _closed_number(x: float) -> Expression:
    if (ratio := _ratio(x * float(sympy.log(2)))) is not None:
        return ratio / sympy.log(2)
    for power in (0, -1, 1):
        if (ratio := _ratio(x * x / float(sympy.pi) ** power)) is not None:
            root = sympy.sqrt(ratio * PI**power)
            return root if x > 0.0 else -root
    return sympy.Float(x)


def _ratio(x: float) -> Expression | None:
    """Return the fraction of small integers that equals x up to rounding."""
    ratio = sympy.Rational(x).limit_denominator(16)
    return ratio if ratio and isclose(float(ratio), x, rel_tol=1e-14) else None


# ---- domains --------------------------------------------------------------------------------------------------


def domain_words(entry: Primitive, derivative: bool = False) -> str:
    """Return the conditions under which the value, or the local derivatives, exist."""
    names = ["each operand"] if entry.variadic else list(entry.letters)
    said = []
    for name, domain in zip(names, entry.derivative_domains if derivative else entry.domains):
        if domain is not REAL:
            said.append(f"{name} is a constant" if domain is CONSTANT else domain.words(x=name))
    if entry.joint is not ANYWHERE and (derivative or not entry.joint.derivative):
        said.append(entry.joint_words(names))
    return "; ".join(said) or "everywhere"


# ---- kinks ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kinks:
    """The kinks or jumps of an entry, and the derivatives that its rule takes there at an example."""

    places: str
    taken: str


def kinks(entry: Primitive) -> Kinks | None:
    """Return the kinks of an entry, found by trying a grid of operands, or None."""
    letters = ["x_1", "x_2"] if entry.variadic and entry.factors != "pairs" else operand_letters(entry)
    movers = [None if d is CONSTANT else i for i, d in enumerate(entry.domains_of(len(letters)))]
    grid = [
        at for at in product(GRID if len(letters) <= 3 else SMALL_GRID, repeat=len(letters)) if entry.defined_at(*at)
    ]
    found = {at for at in grid if is_kink(entry, at, movers)}
    if not found:
        return None
    names = [
        lowered(letter.replace("x_", f"{entry.letters[0]}_") if entry.variadic else letter) for letter in letters
    ]
    places = next(
        (words for words, test in _conditions(names) if found == {at for at in grid if test(at)}),
        f"such as {', '.join(f'{name} = {number_text(x)}' for name, x in zip(names, min(found)))}",
    )
    sloped = [at for at in found if entry.defined_at(*at, derivative=True)]
    example = min(sloped or found, key=lambda at: (-len(set(at)), sum(x < 0.0 for x in at), [*map(abs, at)]))
    return Kinks(places, _taken(entry, example, names))


def _taken(entry: Primitive, at: Sequence[float], names: Sequence[str]) -> str:
    """Describe the derivatives that the rule takes at a kink, and for one operand the slopes on both sides."""
    _, slopes = entry.rule(floats, *at)
    moving = [i for i, domain in enumerate(entry.domains_of(len(at))) if domain is not CONSTANT]
    where = ", ".join(f"{name} = {number_text(x)}" for name, x in zip(names, at))
    taken = listing([slopes[i] for i in moving])
    if len(moving) > 1:
        return f"at {where} the derivatives are {taken}"
    x = Value(at[moving[0]])
    left, right = sides(apply(entry, *[x if i in moving else number for i, number in enumerate(at)]), x)
    if isnan(left) or isnan(right):
        return f"the value jumps at {where}, where the derivative is {taken}"
    return f"at {where} the slopes are {number_text(left)} and {number_text(right)}, and the derivative is {taken}"


def _conditions(names: Sequence[str]) -> Iterator[tuple[str, Test]]:
    """Return conditions on the operands, simplest first, as text and as a test."""
    tests: dict[str, Callable[[float], bool]] = {
        "{} = 0": lambda x: x == 0.0, "every whole {}": lambda x: x % 1.0 == 0.0, "{} < 0": lambda x: x < 0.0,
        "{} ≤ 0": lambda x: x <= 0.0, "|{}| = 1": lambda x: abs(x) == 1.0,
    }  # fmt: skip
    atoms = [(words.format(name), _one(i, test)) for i, name in enumerate(names) for words, test in tests.items()]
    for i, j in combinations(range(len(names)), 2):
        atoms += [(f"{names[i]} = {names[j]}", _two(i, j, eq)), (f"{names[i]} ≠ {names[j]}", _two(i, j, ne))]
    yield from atoms
    yield " = ".join(names) + " = 0", lambda at: not any(at)
    yield from ((f"{a} and {b}", _joined(all, s, t)) for (a, s), (b, t) in combinations(atoms, 2))
    yield from ((f"{a} or {b}", _joined(any, s, t)) for (a, s), (b, t) in combinations(atoms, 2))


def _one(i: int, test: Callable[[float], bool]) -> Test:
    return lambda at: test(at[i])


def _two(i: int, j: int, test: Callable[[float, float], bool]) -> Test:
    return lambda at: test(at[i], at[j])


def _joined(how: Callable[[Iterable[bool]], bool], *tests: Test) -> Test:
    return lambda at: how([test(at) for test in tests])


# ---- the rest -------------------------------------------------------------------------------------------------


def listing(numbers: Iterable[float]) -> str:
    """Return the numbers as in a sentence: 0, 0.5 and 1."""
    *others, last = [number_text(x, 4) for x in numbers]
    return f"{', '.join(others)} and {last}" if others else last


def summary(entry: Primitive) -> str:
    """Return the first paragraph of the docstring."""
    return " ".join((getdoc(entry.rule) or "").partition("\n\n")[0].split())


def worked_example(entry: Primitive, at: Sequence[float]) -> str:
    """Return an example with its derivatives: product(1, 2, 0.5) = 1, derivatives 1, 0.5 and 2."""
    value, slopes = entry.rule(floats, *at)
    moving = [slope for slope, domain in zip(slopes, entry.domains_of(len(at))) if domain is not CONSTANT]
    derivatives = f"derivative{'s' * (len(moving) > 1)} {listing(moving)}"
    assert isfinite(value)
    return f"{entry.name}({', '.join(map(number_text, at))}) = {number_text(value, 4)}, {derivatives}"
