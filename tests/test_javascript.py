"""Tests that the JavaScript generated from the table, run in Node.js, agrees with the engine."""

import itertools
import json
import math
import shutil
import subprocess
import sys
from functools import partial

import pytest

from autograd.number_systems import expressions, floats, javascript
from autograd.table import REAL, TABLE, primitive

SPECIAL = [0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan]
HUGE = [1e308, -1e308, 1e200, -1e200, 745.0, -745.5, 710.0, -709.0, 36.7, -36.7]
TINY = [5e-324, -5e-324, 2.3e-308, 1e-200, -1e-16, 1e-9]
ORDINARY = [0.5, -0.5, 2.0, 3.0, -2.0, -3.0, 1 / 3, -1.7, 2.25, 10.0, -7.0, 1e6 + 0.25]
ALL = SPECIAL + HUGE + TINY + ORDINARY
FEW = [0.0, -0.0, 1.0, -1.0, math.inf, math.nan, 1e200, -1e-16, 1 / 3, -2.0, 710.0]

HARNESS = r"""
const thaw = (text) => JSON.parse(text, (_, x) => (typeof x === "string" && x[0] === "#" ? Number(x.slice(1)) : x));
const freeze = (result) => JSON.stringify(result, (_, x) => (typeof x === "number"
  ? (Object.is(x, -0) ? "#-0" : `#${x}`) : x));
let input = "";
process.stdin.on("data", (part) => (input += part)).on("end", () => {
  const cases = thaw(input);
  console.log(freeze(cases.map(({ source, points }) => {
    const run = new Function(`${PRELUDE}; return ${source}`)();
    return points.map((point) => run(...point));
  })));
});
"""


def node(cases):
    """What each JavaScript function gives at each of its points, all in one process; numbers travel as text."""
    executable = shutil.which("node")
    if not executable:
        pytest.skip("there is no node on PATH, in which the generated JavaScript is tested: apt-get install nodejs")
    asked = [{"source": source, "points": [list(map(frozen, at)) for at in points]} for source, points in cases]
    script = f"const PRELUDE = {json.dumps(javascript.PRELUDE)};\n{HARNESS}"
    run = subprocess.run([executable, "-e", script], input=json.dumps(asked), capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return thawed(json.loads(run.stdout))


def frozen(x):
    return "#" + repr(x).replace("inf", "Infinity").replace("nan", "NaN")


def thawed(x):
    if isinstance(x, list):
        return [thawed(part) for part in x]
    return float(x[1:].replace("Infinity", "inf")) if isinstance(x, str) else x


def operand_count(entry):
    return entry.least + entry.step if entry.variadic else len(entry.letters)


def grid(count):
    """Every special, huge, tiny and ordinary number, alone and in pairs; fewer of them in longer rows."""
    if count <= 2:
        return list(itertools.product(ALL, repeat=count))
    if count == 3:
        return list(itertools.product(FEW, repeat=3))
    rolled = [
        tuple(ALL[(i + k * step) % len(ALL)] for k in range(count)) for step in (1, 3, 7) for i in range(len(ALL))
    ]
    return rolled + [(x,) * count for x in ALL]


def source_of(entry, rule=None, count=None):
    x = expressions.letters(count or operand_count(entry))
    return javascript.function(*(rule or entry.rule)(expressions, *x), x)


def agrees(name, at, x, y):
    """Equal to four units in the last place.

    The four operations and √ round alike everywhere; exp, log, sin, cos, tanh and powers are each library's own and
    differ by a unit. What is computed from those keeps that error, relative to what it was subtracted from: 1 − a²
    near a = 1, z − value in the softmax. Python's ``sum`` carries the digits that are lost from 3.12 on.
    """
    if x != x or y != y or math.isinf(x) or math.isinf(y):
        return x == y or (x != x and y != y)
    scale = max(abs(x), abs(y))
    if name == "tanh":
        scale = 1.0
    elif name == "logsumexp":
        scale *= max([1.0, *(abs(z) for z in at if math.isfinite(z))])
    elif name in ("sum", "dot", "affine"):
        half = len(at) // 2
        scale = max([scale, *map(abs, at if name == "sum" else [w * a for w, a in zip(at, at[half:])])])
    close = abs(x - y) <= 4.0 * sys.float_info.epsilon * scale + 5e-324
    return close and (x != 0.0 or math.copysign(1.0, x) == math.copysign(1.0, y))


def disagreement(name, results):
    """The first point at which what JavaScript gave is not what the engine gives; None where there is none."""
    entry = TABLE[name]
    for at, (value, locals_) in zip(grid(operand_count(entry)), results, strict=True):
        expected, expected_locals = entry.rule(floats, *at)
        for x, y in zip((value, *locals_), (expected, *expected_locals), strict=True):
            if not agrees(name, at, x, y):
                return f"{name} at {at}: JavaScript {x!r}, Python {y!r}"
    return None


@pytest.fixture(scope="module")
def results():
    """Every entry of the table at every point of its grid, from one node process."""
    return dict(zip(TABLE, node([(source_of(e), grid(operand_count(e))) for e in TABLE.values()])))


@pytest.mark.parametrize("name", TABLE)
def test_value_and_local_derivatives_equal_the_engine(name, results):
    assert disagreement(name, results[name]) is None


FAULTS = {"times 1.01": lambda x: 1.01 * x, "negated": lambda x: 0.0 - x, "shifted": lambda x: x + 1e-6}


def planted(rule, i, fault):
    """The rule with one of its results spoilt: the value at 0, then the local derivatives."""

    def faulty(n, *operands):
        value, locals_ = rule(n, *operands)
        value, *locals_ = (FAULTS[fault](x) if k == i else x for k, x in enumerate((value, *locals_)))
        return value, locals_

    return faulty


@pytest.mark.slow
def test_a_fault_planted_in_any_value_or_local_derivative_is_seen():
    spoilt = [
        (name, i, fault, source_of(entry, planted(entry.rule, i, fault)))
        for name, entry in TABLE.items()
        for i in range(1 + operand_count(entry))
        for fault in FAULTS
    ]
    given = node([(source, grid(operand_count(TABLE[name]))) for name, _, _, source in spoilt])
    unseen = [
        (name, i, fault) for (name, i, fault, _), result in zip(spoilt, given) if disagreement(name, result) is None
    ]
    # a local derivative that is 0 by its nature stays 0 when it is multiplied
    flat = [("sign", 1), ("floor", 1), ("detach", 1), ("power", 2), ("where", 1)]
    flat += [(name, i) for name in ("heaviside", "greater") for i in (1, 2)]
    assert sorted(unseen) == sorted((n, i, f) for n, i in flat for f in ("times 1.01", "negated"))


def conditions():
    """Each domain of the table and each joint condition: its words, test, source, and how many operands it takes."""
    found = {}
    for domain in {d for entry in TABLE.values() for d in (*entry.domains, *entry.derivative_domains)}:
        found[domain.words(x="x")] = (partial(holds_alone, domain), f"(x1) => {domain.javascript(x='x1')}", 1)
    for entry in TABLE.values():
        count = operand_count(entry)
        letters = [f"x{i + 1}" for i in range(count)]
        test = " || ".join(entry.joint.javascript(**by_letter) for by_letter in entry.by_letter(letters))
        found[entry.joint_words(entry.letters)] = (entry.joined_at, f"({', '.join(letters)}) => {test}", count)
    return found


def holds_alone(domain, x):
    return domain.contains(x=x)


def test_each_domain_is_the_same_test_in_javascript_as_on_floats():
    finite = [x for x in ALL if math.isfinite(x)]
    found = conditions()
    points = [list(itertools.product(finite if count < 3 else FEW, repeat=count)) for _, _, count in found.values()]
    given = node([(source, at) for (_, source, _), at in zip(found.values(), points)])
    assert len(found) > 12
    for (words, (test, _, _)), result, at in zip(found.items(), given, points):
        assert result == [test(*operands) for operands in at], words


@pytest.fixture
def cosh():
    """A stranger's primitive, in one place."""

    @primitive("cosh", REAL)
    def cosh_of_a_stranger(n, x):
        """(eˣ + e⁻ˣ)/2; derivative (eˣ − e⁻ˣ)/2."""
        up, down = n.exp(x), n.exp(-x)
        return 0.5 * (up + down), (0.5 * (up - down),)

    yield cosh_of_a_stranger
    del TABLE["cosh_of_a_stranger"]


def test_a_primitive_that_a_stranger_registers_is_written_in_javascript(cosh):
    assert (
        source_of(cosh)
        == "(x1) => { const t1 = exp(x1); const t2 = negative(x1); const t3 = exp(t2); const t4 = t1 + t3; "
        "const t5 = 0.5 * t4; const t6 = t1 - t3; const t7 = 0.5 * t6; return [t5, [t7]]; }"
    )
    [[[value, [local]]]] = node([(source_of(cosh), [(1.5,)])])
    assert math.isclose(value, math.cosh(1.5), rel_tol=1e-15)
    assert math.isclose(local, math.sinh(1.5), rel_tol=1e-15)


def test_a_constant_exponent_is_written_into_the_rule():
    [x] = expressions.letters(1)
    assert javascript.function(*TABLE["power"].rule(expressions, x, 3.0), [x]) == (
        "(x1) => { const t1 = power(x1, 3); const t2 = power(x1, 2); const t3 = 3 * t2; return [t1, [t3, 0]]; }"
    )


def test_operations_are_computed_in_pythons_order():
    x, y, z = expressions.letters(3)
    written = [
        lambda x, y, z: x - (y - z), lambda x, y, z: x / (y * z), lambda x, y, z: x * (y / z),
        lambda x, y, z: -x.__neg__(),
        lambda x, y, z: -(x + y) * z, lambda x, y, z: -2.0 * x - -3.0, lambda x, y, z: x + (y + z),
        lambda x, y, z: (x + y) / -z, lambda x, y, z: 1.0 - (-1.0 - x), lambda x, y, z: x / y + (x - y) * (y - z),
    ]  # fmt: skip
    points = [(0.1, 0.2, 0.3), (-1.7, 1e16, 3.0), (7.0, -2.0, 1e-9)]
    given = node([(javascript.function(f(x, y, z), [], [x, y, z]), points) for f in written])
    assert given == [[[f(*point), []] for point in points] for f in written]


def test_many_operands_make_source_that_grows_with_their_number():
    for name in ("product", "logsumexp", "affine", "maximum", "minimum", "hypot"):
        assert len(source_of(TABLE[name], count=1001)) < 100_000
    ones = (1.0,) * 1001
    [[[value, locals_]]] = node([(source_of(TABLE["product"], count=1001), [ones])])
    assert value == 1.0 and locals_ == list(ones)


def test_a_rule_that_branches_is_refused_with_the_remedy():
    with pytest.raises(TypeError, match=r"a rule cannot branch on x1 > 0: write n\.where"):
        [x] = expressions.letters(1)
        max(x, 0.0) if x > 0.0 else x


def test_a_comparison_decides_where():
    x, y = expressions.letters(2)
    comparisons = [x > y, x < 2.0, x >= y, x <= y, x == y, x != y]
    source = javascript.function(0.0, [expressions.where(c, 1.0, -1.0) for c in comparisons], [x, y])
    [[[_, at_1_and_2], [_, at_3_and_3]]] = node([(source, [(1.0, 2.0), (3.0, 3.0)])])
    assert at_1_and_2 == [-1, 1, -1, 1, -1, 1]
    assert at_3_and_3 == [-1, -1, 1, 1, 1, -1]


def test_no_source_can_close_a_script_element():
    sources = [javascript.PRELUDE, *map(source_of, TABLE.values())]
    assert not any(text in source for source in sources for text in ("</", "<!--", "<script"))
