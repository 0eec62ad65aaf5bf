"""Values built, mutated, differentiated and zeroed in any order, against a naive model of trees."""

import math

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from autograd import Value, maximum, no_grad, product, relu, sin

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

    def __init__(self, data, made_of=()):
        self.data, self.made_of, self.grad = data, made_of, 0.0

    def slope(self, leaf, known):
        """∂self/∂leaf: the sum over all paths, by recursion over what each is made of."""
        if self is leaf:
            return 1.0
        if id(self) not in known:
            known[id(self)] = math.fsum(local * part.slope(leaf, known) for part, local in self.made_of)
        return known[id(self)]


class Machine(RuleBasedStateMachine):
    pairs = Bundle("pairs")

    def __init__(self):
        super().__init__()
        self.leaves = []

    @rule(target=pairs, x=NUMBERS)
    def leaf(self, x):
        pair = Value(x), Naive(x)
        self.leaves.append(pair)
        return pair

    @rule(target=pairs, name=st.sampled_from(sorted(UNARY)), pair=pairs)
    def unary(self, name, pair):
        of_value, of_number, slope = UNARY[name]
        value, naive = pair
        return self.bounded(of_value(value), Naive(of_number(naive.data), [(naive, slope(naive.data))]))

    @rule(target=pairs, name=st.sampled_from(sorted(BINARY)), first=pairs, second=pairs)
    def binary(self, name, first, second):
        of_value, of_numbers, slopes = BINARY[name]
        (x, a), (y, b) = first, second
        made_of = list(zip((a, b), slopes(a.data, b.data)))
        return self.bounded(of_value(x, y), Naive(of_numbers(a.data, b.data), made_of))

    def bounded(self, value, naive):
        """The pair, unless its numbers grow so large that rounding would decide."""
        return (value, naive) if abs(naive.data) < 1e6 else multiple()

    @rule(pair=pairs, x=NUMBERS)
    def set_data(self, pair, x):
        if pair in self.leaves:  # what was computed from it keeps its numbers and its local derivatives
            pair[0].data = pair[1].data = x

    @rule(pair=pairs)
    def backward(self, pair):
        value, naive = pair
        value.backward()
        for _, leaf in self.leaves:
            leaf.grad += naive.slope(leaf, {})

    @rule()
    def zero_grad(self):
        for value, naive in self.leaves:
            value.grad = naive.grad = 0.0

    @rule(pair=pairs)
    def compute_without_a_graph(self, pair):
        value, naive = pair
        with no_grad():
            result = value * 2.0 + value
        assert result.data == 2.0 * naive.data + naive.data
        assert result.parents == ()

    @invariant()
    def numbers_are_those_of_the_model(self):
        for value, naive in self.leaves:
            assert value.data == naive.data
            # both add the same terms, in another order; terms may cancel
            assert math.isclose(value.grad, naive.grad, rel_tol=1e-9, abs_tol=1e-6), (value, naive.grad)


Machine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None, derandomize=True)
TestMachine = Machine.TestCase
