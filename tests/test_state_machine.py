"""Tests Values built, changed, differentiated, zeroed, copied and freed in any order, against a naive model."""

import copy
import inspect
import math
import sys
import textwrap
from collections import Counter

import pytest
from hypothesis import Phase, settings, strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from autograd import Value, maximum, no_grad, product, relu, sin, value as engine

UNARY = {
    "sin": (sin, math.sin, math.cos),
    "relu": (relu, lambda x: max(x, 0.0), lambda x: float(x > 0.0)),
    "−": (lambda x: -x, lambda x: -x, lambda x: -1.0),
    "+": (lambda x: +x, lambda x: x, lambda x: 1.0),
    "²": (lambda x: x**2, lambda x: x * x, lambda x: 2.0 * x),
}
BINARY = {
    "+": (lambda x, y: x + y, lambda x, y: x + y, lambda x, y: (1.0, 1.0)),
    "−": (lambda x, y: x - y, lambda x, y: x - y, lambda x, y: (1.0, -1.0)),
    "×": (lambda x, y: x * y, lambda x, y: x * y, lambda x, y: (y, x)),
    "Π": (lambda x, y: product(x, y), lambda x, y: x * y, lambda x, y: (y, x)),
    "max": (maximum, max, lambda x, y: (0.5, 0.5) if x == y else (float(x > y), float(x < y))),
}
NUMBERS = st.sampled_from([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0])


class Naive:
    """A number, and what it was made of: local derivatives and operands, as they were then."""

    def __init__(self, data, made_of=(), grad=0.0):
        self.data, self.made_of, self.grad = data, made_of, grad

    def slope(self, node, known):
        """∂self/∂node: the sum over all paths, by recursion over what each is made of."""
        if self is node:
            return 1.0
        if id(self) not in known:
            known[id(self)] = math.fsum(local * part.slope(node, known) for part, local in self.made_of)
        return known[id(self)]


def reached(values):
    """Each Naive's Value, for these and all that they were made of."""
    found, stack = {}, list(values.items())
    while stack:
        naive, value = stack.pop()
        found[naive] = value
        stack += [(part, parent) for (part, _), parent in zip(naive.made_of, value.parents) if part not in found]
    return found


class Machine(RuleBasedStateMachine):
    naives = Bundle("naives")  # Hypothesis keeps what it has drawn, so the Values stay out of it

    def __init__(self):
        super().__init__()
        self.values = {}  # by their Naives, until they are freed

    def kept(self, value, naive):
        """Keep both, unless the numbers grow so large that rounding would decide."""
        if not abs(naive.data) < 1e6:
            return multiple()
        self.values[naive] = value
        return naive

    @initialize(target=naives, numbers=st.tuples(NUMBERS, NUMBERS))
    def leaves(self, numbers):
        return multiple(*map(self.leaf, numbers))

    @rule(target=naives, x=NUMBERS)
    def leaf(self, x):
        return self.kept(Value(x), Naive(x))

    @rule(target=naives, name=st.sampled_from(sorted(UNARY)), a=naives)
    def unary(self, name, a):
        of_value, of_number, slope = UNARY[name]
        return self.kept(of_value(self.values[a]), Naive(of_number(a.data), [(a, slope(a.data))]))

    @rule(target=naives, name=st.sampled_from(sorted(BINARY)), a=naives, b=naives)
    def binary(self, name, a, b):
        of_values, of_numbers, slopes = BINARY[name]
        made_of = list(zip((a, b), slopes(a.data, b.data)))
        return self.kept(of_values(self.values[a], self.values[b]), Naive(of_numbers(a.data, b.data), made_of))

    @rule(a=naives, x=NUMBERS)
    def set_data(self, a, x):
        self.values[a].data = a.data = x  # what was computed from it keeps its number and its local derivatives

    @rule(a=naives)
    def backward(self, a):
        self.values[a].backward()
        for node in reached({a: self.values[a]}):
            node.grad = a.slope(node, {}) + (0.0 if node.made_of else node.grad)

    @rule()
    def zero_grad(self):
        for naive, value in reached(self.values).items():
            value.grad = naive.grad = 0.0

    @rule(target=naives, a=naives, duplicate=st.sampled_from([copy.copy, copy.deepcopy]))
    def copy(self, a, duplicate):
        if not a.made_of:
            return self.kept(duplicate(self.values[a]), Naive(a.data, grad=a.grad))
        with pytest.raises(TypeError, match="copy its leaves"):
            duplicate(self.values[a])
        return multiple()

    @rule(a=consumes(naives))
    def free(self, a):
        del self.values[a]

    @rule(a=naives)
    def compute_without_a_graph(self, a):
        with no_grad():
            result = self.values[a] * 2.0 + self.values[a]
        assert result.data == 2.0 * a.data + a.data
        assert result.parents == ()

    @invariant()
    def numbers_are_those_of_the_model(self):
        for naive, value in reached(self.values).items():
            assert value.data == naive.data
            # both add the same terms, in another order; terms may cancel
            assert math.isclose(value.grad, naive.grad, rel_tol=1e-9, abs_tol=1e-6), (value, naive.grad)

    @invariant()
    def nothing_else_holds_a_value(self):
        found = reached(self.values)
        uses = Counter(part for naive in found for part, _ in naive.made_of)
        for naive in found:
            held = sys.getrefcount(found[naive]) - sys.getrefcount(Value(0.0)) - 1  # by ``found``
            assert held == uses[naive] + (naive in self.values), found[naive]

    def teardown(self):
        for naive in list(self.values):  # Hypothesis likes the first of a bundle, and these are leaves without a grad
            self.backward(naive)
            self.copy(naive, copy.copy)
            self.numbers_are_those_of_the_model()


MANY = settings(max_examples=60, stateful_step_count=40, deadline=None, derandomize=True)
Machine.TestCase.settings = MANY
TestMachine = Machine.TestCase

FAULTS = {  # what is changed in the source of what
    "a grad is assigned instead of added to": (Value, "backward", "parent.grad += ", "parent.grad = "),
    "the root's own grad is assigned": (Value, "backward", "self.grad += 1.0", "self.grad = 1.0"),
    "interior grads are not started anew": (Value, "backward", "node.grad = 0.0", "pass"),
    "the grads of leaves are started anew": (Value, "backward", "if node.operation is not None", "if True"),
    "the order is that of the forward pass": (Value, "backward", "in reversed(order)", "in order"),
    "the order is depth first": (Value, "backward", "topological_order(self)", "depth_first(self)"),
    "x * x has one parent": (Value, "backward", "in node.edges", "in dict(node.edges).items()"),
    "local derivatives are of the present data": (Value, "backward", "in node.edges", "in edges_now(node)"),
    "the locals of a pair are exchanged": (engine, "binary", "(dx, dy)", "(dy, dx)"),
    "a node is held elsewhere": (engine, "_record", "primitive, None\n", "primitive, None; held.append(node)\n"),
    "a node is not made anew": (engine, "unary", "return ", "return x if primitive is primitives.identity else "),
    "no_grad records": (engine, "_record", "return constant(value) if", "return node if"),
    "a copy is the thing itself": (Value, "__reduce__", "return constant ", "return 'self'  # "),
    "a copy has no grad": (Value, "__reduce__", ', "grad": self.grad', ""),
    "a computed value is copied as a leaf": (Value, "__reduce__", "if self.parents", "if False"),
}


def depth_first(node):
    """As a backward pass would go that follows each path at once."""
    order = [node]
    for parent in node.parents:
        order[:0] = [p for p in depth_first(parent) if p not in order]
    return order


def edges_now(node):
    """As closures would have it that read ``.data`` in the backward pass."""
    if not node.parents:
        return ()
    return zip(node.parents, node.operation.rule(engine.floats, *[x.data for x in node.parents])[1])


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault, monkeypatch):
    home, name, right, wrong = FAULTS[fault]
    source = textwrap.dedent(inspect.getsource(getattr(home, name)))
    assert source.count(right) == 1
    names = {"depth_first": depth_first, "edges_now": edges_now, "held": []}
    for each, thing in names.items():
        monkeypatch.setitem(vars(engine), each, thing)
    planted = {}
    exec(source.replace(right, wrong), vars(engine), planted)
    monkeypatch.setattr(home, name, planted[name])
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        run_state_machine_as_test(Machine, settings=settings(MANY, database=None, phases=[Phase.generate]))
