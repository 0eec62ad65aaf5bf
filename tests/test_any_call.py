"""Tests public functions, operators and methods on operands of every kind: the right number, or an error of ours.

Each call is made twice, the second time on plain floats. If all operands are of accepted kinds, both calls give the
same numbers and local derivatives, or an error of the same class. If an operand is of another kind, the call raises
TypeError or ValueError with a message about it.
"""

import operator
from collections import deque
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from random import Random
from traceback import extract_tb
from typing import Any, NamedTuple

import numpy as np
import pandas
import pytest

import autograd
from autograd import Value, functions, named
from autograd.table import CONSTANT, TABLE

OURS = (TypeError, ValueError)
ENGINE = str(Path(autograd.__file__).parent)
NUMBERS = [-2.5, -1.0, -0.5, 0.0, 0.25, 0.5, 1.0, 2.0, 3.0]
DTYPES = {np.dtype(code).name: np.dtype(code) for code in "?bhilqBHILQefdg"}


# ---- one operand -------------------------------------------------------------------------------------------------


class Weight(Value):
    """A Value of somebody's own."""


class Measured:
    """A number of somebody's own, which only says what it is as a float."""

    def __init__(self, x):
        self.x = x

    def __float__(self):
        return self.x


class Asked:
    """An operand of somebody's own that wants to be asked: it knows what a Value times it is."""

    def answer(self, other):
        return "answered"

    __radd__ = __rsub__ = __rmul__ = __rtruediv__ = __rpow__ = answer


def of_dtype(dtype):
    return lambda x: dtype.type(abs(x) if dtype.kind == "u" else x)


ACCEPTED = {
    "float": float,
    "int": round,
    "bool": lambda x: x > 0.0,
    "Fraction": Fraction,
    "Decimal": Decimal,
    "Value": Value,
    "a named Value": lambda x: Value(x, "x"),
    "a computed Value": lambda x: Value(x) * 1.0,
    "a Value of a subclass": Weight,
    "what has __float__": Measured,
    "a 0-d array": np.array,
    "a 0-d array of an int": lambda x: np.array(round(x)),
    "a 0-d array of a Fraction": lambda x: np.array(Fraction(x), dtype=object),
    **{f"NumPy's {name}": of_dtype(dtype) for name, dtype in DTYPES.items()},
}

REFUSED = {
    "None": lambda x: None,
    "text": str,
    "bytes": lambda x: b"1",
    "complex": complex,
    "NumPy's complex64": np.complex64,
    "NumPy's complex128": np.complex128,
    "NumPy's str": lambda x: np.str_("1"),
    "NumPy's bytes": lambda x: np.bytes_(b"1"),
    "NumPy's datetime64": lambda x: np.datetime64(1, "s"),
    "NumPy's timedelta64": lambda x: np.timedelta64(1, "s"),
    "a 0-d array of text": lambda x: np.array("1"),
    "a 0-d array of complex": lambda x: np.array(1j),
    "a 0-d array of None": lambda x: np.array(None),
    "a 0-d array of text as an object": lambda x: np.array("1", dtype=object),
    "dict": lambda x: {x: x},
    "set": lambda x: {x},
    "object": lambda x: object(),
    "a class": lambda x: float,
    "a function": lambda x: abs,
    "what wants to be asked": lambda x: Asked(),
    "a whole number beyond the floats": lambda x: 10**400,
    "a Fraction beyond the floats": lambda x: Fraction(10**400),
    "a signalling NaN": lambda x: Decimal("sNaN"),
}


class Given(NamedTuple):
    """An operand, and what stands for it in the second call: a float or a list of floats, None if it is refused."""

    kind: str
    thing: Any
    plain: Any


def plain(thing):
    return thing.data if isinstance(thing, Value) else float(thing)


def one(rng, values=True, alone=True):
    """One operand. Without ``values`` a Value is refused; what holds one number is refused, but for ``alone``."""
    x = rng.choice(NUMBERS)
    chance = rng.random()
    if chance < 0.04 and alone:
        kind = rng.choice(list(HOLDERS))
        return Given(f"{kind} of one", HOLDERS[kind]([x]), None)
    if chance < 0.15:
        kind = rng.choice(list(REFUSED))
        return Given(kind, REFUSED[kind](x), None)
    kind = rng.choice(list(ACCEPTED)) if chance < 0.8 else "Value"
    thing = ACCEPTED[kind](x)
    return Given(kind, thing, plain(thing) if values or not isinstance(thing, Value) else None)


# ---- several -----------------------------------------------------------------------------------------------------


class Labelled:
    """What a pandas Series is to a reader: numbers in order, which it looks up by labels and not by position."""

    dtype = np.dtype(float)

    def __init__(self, x):
        self.x = x
        self.shape = (len(x),)

    def __len__(self):
        return len(self.x)

    def __iter__(self):
        return iter(self.x)

    def __getitem__(self, label):
        raise KeyError(label)


def itself(x):
    return x


def of_objects(x):
    array = np.empty(len(x), dtype=object)
    for i, x_i in enumerate(x):
        array[i] = x_i
    return array


def array_of(dtype):
    return lambda x: np.array([abs(x_i) if dtype.kind == "u" else x_i for x_i in x]).astype(dtype)


ANYTHING = {
    "list": list,
    "tuple": tuple,
    "an iterator": iter,
    "a generator": lambda x: (x_i for x_i in x),
    "a map": lambda x: map(itself, x),
    "deque": deque,
    "the values of a dict": lambda x: dict(enumerate(x)).values(),
    "an array of objects": of_objects,
    "a series": Labelled,
}
ARRAYS = {f"an array of {name}": array_of(dtype) for name, dtype in DTYPES.items()}
ARRAYS["pandas' Series"] = lambda x: pandas.Series(x, index=range(len(x), 0, -1))
HOLDERS = {**ANYTHING, **ARRAYS}
NO_LISTS = {
    "a 2-d array": lambda x: np.ones((2, 2)),
    "an array of complex": lambda x: np.ones(2) * 1j,
    "an array of text": lambda x: np.array(["1", "2"]),
    "a list in a list": lambda x: [x],
}


def several(rng, count):
    chance = rng.random()
    if chance < 0.08:
        kind = rng.choice(list(NO_LISTS))
        return Given(kind, NO_LISTS[kind]([1.0, 2.0]), None)
    if chance < 0.4:
        kind = rng.choice(list(ARRAYS))
        array = ARRAYS[kind]([rng.choice(NUMBERS) for _ in range(count)])
        return Given(kind, array, [float(x) for x in array])
    kind = rng.choice(list(ANYTHING))
    operands = [one(rng) for _ in range(count)]
    holds = ", ".join(sorted({x.kind for x in operands if x.plain is None}))
    held = ANYTHING[kind]([x.thing for x in operands])
    return Given(f"{kind} with {holds}", held, None) if holds else Given(kind, held, [x.plain for x in operands])


# ---- calls -------------------------------------------------------------------------------------------------------


class Call(NamedTuple):
    name: str
    function: Any
    given: list[Given]


FIXED = [name for name, entry in TABLE.items() if not entry.variadic]
UNARY = [name for name in FIXED if len(TABLE[name].letters) == 1 and hasattr(Value, name)]
N_ARY = [name for name, entry in TABLE.items() if entry.variadic]
OF_A_LIST = ["mean", "std", "norm", "softmax", "log_softmax"]
OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]
COMPARISONS = [operator.lt, operator.le, operator.gt, operator.ge]
SIGNS = [operator.neg, operator.pos, operator.abs]


def with_fixed_operands(rng):
    name = rng.choice(FIXED)
    return Call(name, TABLE[name], [one(rng, values=domain is not CONSTANT) for domain in TABLE[name].domains])


def one_by_one(rng):
    name = rng.choice(N_ARY)
    return Call(name, TABLE[name], [one(rng, alone=False) for _ in range(rng.randint(0, 5))])


def in_lists(rng):
    name = rng.choice(N_ARY)
    entry, count = TABLE[name], rng.randint(0, 3)
    lists = [several(rng, count if rng.random() < 0.95 else 2) for _ in range(entry.step)]
    return Call(name, entry, [*lists, *(one(rng, alone=False) for _ in range(entry.least - entry.step))])


def of_a_list(rng):
    name = rng.choice(OF_A_LIST)
    number = one(rng, alone=False)._replace(plain=None)
    return Call(name, getattr(functions, name), [number if rng.random() < 0.1 else several(rng, rng.randint(0, 4))])


def leaky_relu(rng):
    return Call("leaky_relu", functions.leaky_relu, [one(rng), one(rng)])


def naming(rng):
    return Call("named", lambda x: [named(x=x).data], [one(rng)])


def making(rng):
    return Call("Value", Value, [one(rng, values=False)])


def assign(number):
    w = Value(7.0)
    try:
        w.data = number
    except (TypeError, ValueError):
        assert w.data == 7.0  # nothing has changed
        raise
    return w


def assigning(rng):
    return Call("data", assign, [one(rng, values=False)])


def a_method(rng):
    x = rng.choice(NUMBERS)
    make = rng.choice([Value, Weight])
    if rng.random() < 0.1:
        do = rng.choice(SIGNS)
        return Call(do.__name__, do, [Given("Value", make(x), Value(x))])
    name = rng.choice(UNARY)
    return Call(f".{name}()", lambda value: getattr(value, name)(), [Given("Value", make(x), Value(x))])


def an_operator(rng):
    do = rng.choice(OPERATORS + COMPARISONS)
    value = Value(rng.choice(NUMBERS))
    chance = rng.random()
    if chance < 0.15:
        kind = rng.choice([*ARRAYS, "an array of objects"])
        numbers = [rng.choice(NUMBERS) for _ in range(rng.randint(1, 3))]
        if kind in ARRAYS:
            array = ARRAYS[kind](numbers)
            other = Given(kind, array, [float(x) for x in array])
        else:
            things = [rng.choice([float, round, Fraction, Value, Weight])(x) for x in numbers]
            other = Given(kind, of_objects(things), [x if isinstance(x, Value) else float(x) for x in things])
    elif chance < 0.2:
        kind = rng.choice([kind for kind in ANYTHING if kind != "an array of objects"])
        other = Given(kind, ANYTHING[kind]([1.0, 2.0]), None)
    else:
        other = one(rng, alone=False)
        if isinstance(other.thing, Value):  # x ** y of a Value is another function than that of a number
            other = other._replace(plain=other.thing)
    given = [Given("Value", value, value), other]
    return Call(do.__name__, do, given if rng.random() < 0.5 else given[::-1])


FORMS = [
    *[with_fixed_operands] * 4, one_by_one, in_lists, of_a_list, leaky_relu, naming, making, assigning, a_method,
    *[an_operator] * 4,
]  # fmt: skip


# ---- what is right -----------------------------------------------------------------------------------------------


def numbers_of(result):
    """A result as text to compare it by; every number in it has to be a float."""
    if isinstance(result, Value):
        numbers = (result.data, *result.local_derivatives)
        assert all(type(x) is float for x in numbers), f"{numbers!r} are not all floats"
        return repr(numbers)
    if isinstance(result, pandas.Series):  # which computes element by element, as an array of objects does
        result = result.to_numpy()
    if isinstance(result, (list, np.ndarray)):
        return [numbers_of(x) for x in (result.ravel() if isinstance(result, np.ndarray) else result)]
    if isinstance(result, (bool, np.bool_)):
        return bool(result)
    assert type(result) in (float, str), f"{result!r} is no result"
    return repr(result)


def outcome(function, operands):
    """The numbers, or the error; Python's own Fraction ** x raises an OverflowError before x is asked."""
    try:
        with np.errstate(all="ignore"):  # NumPy warns where 0 ** Value(-1.0) in an array raises
            return numbers_of(function(*operands))
    except (TypeError, ValueError, OverflowError) as error:
        return error


def expected_of(call):
    """The outcome on plain floats. An operator takes an array apart."""
    operands = [x.plain for x in call.given]
    if call.function not in OPERATORS + COMPARISONS or not any(isinstance(x, list) for x in operands):
        return outcome(call.function, operands)
    [array] = [x for x in operands if isinstance(x, list)]
    found = [outcome(call.function, [x_i if x is array else x for x in operands]) for x_i in array]
    return next((x for x in found if isinstance(x, Exception)), found)


def is_named(error, call):
    """Whether it is an error of ours in one line; where Python or NumPy refuses an operator, theirs."""
    last = extract_tb(error.__traceback__)[-1]
    ours = last.filename.startswith(ENGINE) and last.line.startswith("raise") and isinstance(error, OURS)
    theirs = call.function in OPERATORS + COMPARISONS and not last.filename.startswith(ENGINE)
    return bool(str(error)) and "\n" not in str(error) and (ours or theirs)


def complaint(call):
    """What is wrong with the outcome of a call; None where nothing is."""
    try:
        found = outcome(call.function, [x.thing for x in call.given])
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if call.function in OPERATORS and isinstance(call.given[1].thing, Asked):
        return None if found == repr("answered") else f"{found!r}, and Asked was not asked"
    if any(x.plain is None for x in call.given):
        if not isinstance(found, Exception):
            return f"accepted: {found}"
        return None if is_named(found, call) else f"not named: {found!r}"
    expected = expected_of(call)
    if isinstance(expected, Exception) and isinstance(found, Exception):
        return None if type(found) is type(expected) else f"{found!r} instead of {expected!r}"
    return None if found == expected else f"{found!r} instead of {expected!r}"


def check(count, seed):
    """The complaints about so many random calls, with how often each kind of operand and each function took part."""
    rng, complaints, used, accepted = Random(seed), {}, set(), 0
    for _ in range(count):
        call = rng.choice(FORMS)(rng)
        used |= {call.name, *(x.kind for x in call.given)}
        accepted += all(x.plain is not None for x in call.given)
        if words := complaint(call):
            complaints[f"{call.name}({', '.join(x.kind for x in call.given)})"] = words
    return complaints, used, accepted / count


def test_10000_random_calls_give_the_right_number_or_a_named_error():
    complaints, used, accepted = check(10_000, 0)
    assert complaints == {}
    assert accepted > 0.5
    assert used >= {*ACCEPTED, *REFUSED, *HOLDERS, *NO_LISTS, *TABLE, *OF_A_LIST, *(f".{name}()" for name in UNARY)}


@pytest.mark.slow
def test_300000_random_calls_give_the_right_number_or_a_named_error():
    assert check(300_000, 1)[0] == {}


# NumPy calls the operands' method of this name; but for sign it compares, and for floor it wants an int
OF_NUMPY = [
    name for name in UNARY
    if getattr(getattr(np, name, None), "__name__", "") == name and name not in ("sign", "floor")
]  # fmt: skip


@pytest.mark.parametrize("name", OF_NUMPY)
def test_numpys_function_of_the_same_name_runs_on_an_array_of_values(name):
    x = [0.25, 0.5, 0.75]
    found = getattr(np, name)(of_objects([Value(x_i) for x_i in x]))
    assert numbers_of(found) == numbers_of([TABLE[name](x_i) for x_i in x])
