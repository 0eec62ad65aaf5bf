"""Tests of ``adopt``: it reads the graphs of other scalar engines into Values, or names the reason why it cannot."""

import math
import random
from dataclasses import dataclass, field
from enum import Enum
from importlib import import_module
from inspect import signature
from itertools import pairwise
from math import inf, nan

import numpy as np
import pytest
from test_scale import steps_of

import autograd
from autograd import (
    Value,
    adopt,
    clamp,
    detect_anomaly,
    draw,
    explain,
    gradcheck,
    leaky_relu,
    mean,
    narrate,
    paths,
    record,
    walk,
)
from autograd.adopting.readings import Adopted, Opaque
from autograd.graph import topological_order

ENGINES = [
    "closures", "context", "dataclass_nodes", "dict_edges", "functions", "javaish", "linked", "other_names", "sets",
    "slots_classes", "stored_locals",
]  # fmt: skip
OPERATIONS = {
    "LeakyReLU": lambda z: leaky_relu(z, 0.01),
    "LeakyRelu": lambda z: leaky_relu(z, 0.1),
    "MEAN": lambda *x: mean(x),
    "clamp": lambda x: clamp(x, -1.5, 1.5),
}
OPAQUE = {"stored_locals", "dict_edges"}  # the engines that keep the local derivatives of an average of several


def foreign_graph(use, seed):
    """A random graph of an engine of the folder ``engines`` after its backward pass: its last node."""
    rng = random.Random(seed)
    pool = [use["leaf"](rng.uniform(-2.0, 2.0)) for _ in range(rng.randint(2, 4))]
    for _ in range(rng.randint(3, 20)):
        operation = use["ops"][rng.choice(sorted(use["ops"]))]
        node = operation(*[rng.choice(pool[-6:]) for _ in signature(operation).parameters])
        if abs(use["data"](node)) < 50.0:
            pool.append(node)
    use["backward"](pool[-1])
    return pool[-1]


def check_engine(name, seeds):
    """Adopt the graphs of these seeds; returns the Values, and the refusals."""
    use, adopted, refusals = import_module(f"engines.{name}").USE, [], []
    for seed in seeds:
        root = foreign_graph(use, seed)
        try:
            f = adopt(root, operations=OPERATIONS)
        except ValueError as error:
            refusals.append(str(error))
            continue
        f = f if f.grad else adopt(root, operations=OPERATIONS, compare=False)
        adopted.append(f)
        for node in topological_order(f):
            if isinstance(node, Adopted):
                theirs = use["grad"](node.origin)
                assert node.data == use["data"](node.origin)
                if getattr(node.origin, "requires_grad", True):  # context.py leaves constants out
                    assert node.grad == pytest.approx(theirs, rel=1e-12, abs=1e-12)
            assert name in OPAQUE or not isinstance(node.operation, Opaque)
    return adopted, refusals


@pytest.mark.parametrize("name", ENGINES)
def test_random_graphs_of_engines_written_blind_are_adopted_with_all_their_gradients(name):
    adopted, refusals = check_engine(name, range(200))
    assert len(adopted) >= 185
    for said in refusals:  # a tie, where a derivative is a choice; or x − y of equal numbers in a set
        assert "is at a kink, where the derivative is a choice" in said or "do not show which operand of" in said


@pytest.mark.slow
@pytest.mark.parametrize("name", ENGINES)
def test_many_random_graphs_of_engines_written_blind_are_adopted_with_all_their_gradients(name):
    adopted, _ = check_engine(name, range(200, 5000))
    assert len(adopted) >= 4500


@pytest.mark.parametrize("name", ENGINES)
def test_every_reader_works_on_an_adopted_graph(name):
    graphs, _ = check_engine(name, range(5))
    for f in graphs:
        nodes = topological_order(f)
        x = nodes[0]
        if f is x or any(isinstance(node.operation, Opaque) for node in nodes):
            continue
        explanation = str(explain(f, wrt=x))
        assert "✗" not in explanation and "✓" in explanation
        assert draw(f).svg and walk(f) and str(narrate(f)) and str(paths(f, x))
        with detect_anomaly():
            f.backward()
        assert record(f)() == pytest.approx(f.data, rel=1e-12)
        for node, slope in zip((x,), autograd.grad(f, [x])):
            node.grad = 0.0
            f.backward()
            assert slope.data == pytest.approx(node.grad, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("engine", "operation", "label"),
    [
        ("closures", "leaky_relu", "LeakyReLU"),
        ("javaish", "leakyRelu", "LeakyRelu"),
        ("dataclass_nodes", "mean3", "MEAN"),
    ],
)
def test_an_operation_that_the_table_lacks_is_refused_by_name_and_the_remedy_works(engine, operation, label):
    use = import_module(f"engines.{engine}").USE
    x = use["leaf"](0.75)
    y = use["ops"][operation](*[x] * len(signature(use["ops"][operation]).parameters))
    with pytest.raises(
        ValueError, match=rf"= 0.75 from .*labelled '{label}': the table has no .*operations={{'{label}'"
    ):
        adopt(y)
    assert adopt(y, operations=OPERATIONS).data == 0.75
    with pytest.raises(ValueError, match=rf"operations\['{label}'\] gives Value"):
        adopt(y, operations={label: lambda *x: x[0] + 1.0})


def test_a_tape_of_indices_is_refused_by_name():
    use = import_module("engines.tape").USE
    with pytest.raises(
        TypeError, match=r"\(Var\) has no parents under a usual name \(an index into a tape is not a node\)"
    ):
        adopt(use["leaf"](1.0) * use["leaf"](2.0))


# ---- an engine like micrograd, written here -----------------------------------------------------------------------


class Scalar:
    """micrograd in small: parents in a set, closures, and a label."""

    def __init__(self, data, children=(), op="", label=None):
        self.data, self.grad, self.label = data, 0, label
        self._prev, self._op, self._backward = set(children), op, lambda: None

    def made(self, data, op, *edges):
        out = Scalar(data, [x for x, _ in edges], op)

        def _backward():
            for x, local in edges:
                x.grad += local * out.grad

        out._backward = _backward
        return out

    def __add__(self, other):
        other = other if isinstance(other, Scalar) else Scalar(other)
        return self.made(self.data + other.data, "+", (self, 1.0), (other, 1.0))

    def __mul__(self, other):
        other = other if isinstance(other, Scalar) else Scalar(other)
        return self.made(self.data * other.data, "*", (self, other.data), (other, self.data))

    def __pow__(self, p):
        return self.made(self.data**p, f"**{p}", (self, p * self.data ** (p - 1)))

    def relu(self):
        return self.made(max(0.0, self.data), "ReLU", (self, float(self.data > 0.0)))

    def __sub__(self, other):
        return self + other * -1.0

    def backward(self):
        for x in (order := self.order()):
            x.grad = x.grad if not x._prev else 0
        self.grad = 1
        for x in reversed(order):
            x._backward()

    def order(self):
        order, seen, stack = [], set(), [(self, False)]
        while stack:
            x, is_done = stack.pop()
            if is_done:
                order.append(x)
            elif x not in seen:
                seen.add(x)
                stack += [(x, True), *((p, False) for p in x._prev)]
        return order

    __radd__, __rmul__ = __add__, __mul__


def test_a_square_in_a_set_is_read_as_a_product_of_one_value_with_itself():
    x = Scalar(3.0, label="x")
    f = adopt(x * x + x)
    f.backward()
    square, twin = sorted(f.parents, key=lambda node: -node.data)
    assert square.parents == (twin, twin) and twin.grad == 7.0
    assert (twin.name, twin.origin) == ("x", x)


def regression():
    w, b = Scalar(0.5, label="w"), Scalar(0.0, label="b")
    points = [(Scalar(0.5 * i), Scalar(1.5 * i - 1.0)) for i in range(-3, 4)]
    return w, b, points


def squared_error(w, b, points):
    return sum(((w * x + b).relu() - y) ** 2 for x, y in points) * (1.0 / len(points))


def test_a_training_loop_of_theirs_goes_on_with_our_program_inside():
    w, b, points = regression()
    for _ in range(10):
        loss = squared_error(w, b, points)
        w.grad = b.grad = 0
        loss.backward()
        w.data -= 0.1 * w.grad
        b.data -= 0.1 * b.grad
    w2, b2, points = regression()
    program = record(adopt(squared_error(w2, b2, points)), parameters=[w2, b2])
    for _ in range(10):
        program()
        program.write_back([w2, b2])
        w2.data -= 0.1 * w2.grad
        b2.data -= 0.1 * b2.grad
    assert (w2.data, b2.data) == pytest.approx((w.data, b.data), rel=1e-12)
    program()
    program.write_back()
    final = squared_error(w2, b2, points)
    assert program.root.origin.data == pytest.approx(final.data, rel=1e-12)
    assert {p.origin for p in program.parameters} == {w2, b2}


def test_what_our_optimiser_changes_is_written_back_into_their_nodes():
    from nn import SGD

    w, b, points = regression()
    twin, ours = adopt(squared_error(w, b, points), w)
    program = record(twin, parameters=[w, b])
    before = program()
    optimizer = SGD(program.parameters, 0.1)
    for p in program.parameters:
        p.grad = program.gradient(p)
    optimizer.step()
    program.write_back([w, b])
    assert w.data == ours.data != 0.5
    assert program() < before
    assert program.loss == pytest.approx(squared_error(w, b, points).data)


def test_inputs_of_a_program_may_be_given_as_their_nodes():
    w, b, points = regression()
    loss = squared_error(w, b, points)
    x, y = [x for x, _ in points], [y for _, y in points]
    program = record(adopt(loss), inputs=[x, y], parameters=[w, b])
    feeds = [[0.25 * i for i in range(7)], [1.0] * 7]
    fresh = squared_error(w, b, [(Scalar(u), Scalar(v)) for u, v in zip(*feeds)])
    assert program(feeds) == pytest.approx(fresh.data)
    fresh.backward()
    assert program.gradient(w) == pytest.approx(w.grad)


def test_writing_back_is_refused_for_graphs_and_nodes_that_were_not_adopted():
    x = Value(2.0)
    with pytest.raises(ValueError, match="was not adopted"):
        record(x * x).write_back()
    w, b, points = regression()
    program = record(adopt(squared_error(w, b, points)))
    program()
    with pytest.raises(ValueError, match="is not in the recorded graph"):
        program.write_back([Scalar(1.0)])


@pytest.mark.parametrize("changed", ["w", "b"])
def test_numbers_that_changed_since_the_forward_pass_are_refused_with_the_remedy(changed):
    w, b, points = regression()
    loss = squared_error(w, b, points)
    {"w": w, "b": b}[changed].data += 0.25
    with pytest.raises(ValueError, match=r"parents changed after the forward pass, run that pass again first"):
        adopt(loss)


def test_numbers_that_changed_are_refused_without_labels_too():
    w, x = Bare(0.5), Bare(2.0)
    product, total = w * x, w + x
    w.data -= 0.25
    for f in (product, total):
        with pytest.raises(
            ValueError, match=r"a sum or a product, which does not give this number .*run that pass again first"
        ):
            adopt(f * f)


def test_a_number_that_their_nodes_do_not_take_is_named():
    @dataclass(frozen=True)
    class Frozen:
        data: float
        grad: float = 0.0
        parents: tuple = ()
        op: str = ""

    x = Frozen(2.0)
    program = record(adopt(Frozen(4.0, 0.0, (x, x), "*")))
    program()
    with pytest.raises(TypeError, match="write_back: the data of a Frozen cannot be set"):
        program.write_back()


def test_a_node_without_a_gradient_gets_its_number_alone():
    class Forward:
        def __init__(self, value, inputs=(), op=None):
            self.value, self.inputs, self.op = value, inputs, op

    x = Forward(2.0)
    f = Forward(4.0, (x, x), "mul")
    program = record(adopt(f), parameters=[x])
    x.value = 3.0
    program()
    program.write_back()
    assert f.value == 9.0 and not hasattr(f, "grad")


# ---- wrong gradients, named with their causes ---------------------------------------------------------------------


def overwritten(x, y):
    f = x * y + x
    f.backward()
    x.grad = 1.0


def not_cleared(x, y):
    for _ in range(2):
        (f := x * y + x).backward()
    return f


def forgotten(x, y):
    (f := x * y + x).backward()
    x.grad = 0
    return f


def wrong_derivative(x, y):
    f = (x * y).relu() * 2.0
    f.backward()
    y.grad *= 1.25
    return f


def wrong_order(x, y):
    f = (x * y + x) * x
    f.backward()
    x.grad = 0.875
    return f


def on_a_kink(x, y):
    f = (x - x).relu() * y
    f.backward()
    next(iter(f._prev - {y})).grad = y.data
    for relu in f._prev - {y}:
        for z in relu._prev:
            z.grad = y.data
    return f


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (not_cleared, r"it is 2 times as large; was it not reset to 0 before a second backward pass\?"),
        (forgotten, "no contribution has arrived, or it was reset to 0 afterwards"),
        (wrong_derivative, r"is the derivative of the operation that uses it right\?"),
        (wrong_order, r"does every operation that uses it add its contribution before it passes its gradient on\?"),
        (on_a_kink, "relu at z = 0.0 is at a kink, where the derivative is a choice"),
    ],
)
def test_a_gradient_that_differs_is_named_with_the_usual_cause(fault, cause):
    f = fault(Scalar(2.0, label="x"), Scalar(3.0, label="y"))
    with pytest.raises(
        ValueError, match=r"adopt: the gradient of .* in that engine, but .* by the chain rule: " + cause
    ) as error:
        adopt(f)
    assert "adopt(…, compare=False) skips the comparison" in str(error.value)
    assert adopt(f, compare=False).grad == 0.0


def test_unnamed_leaves_are_numbers_of_the_expression_on_request():
    from engines.stored_locals import Value as Node

    x = Node(3.0)
    f = 1 / (1 + (-x).exp())
    assert "v₁" in str(explain(*adopt(f=f, x=x)))
    assert "exp(x)/(exp(x) + 1)²" in str(explain(*adopt(f=f, x=x, numbers=True)))


def test_a_contribution_that_overwrites_the_others_is_named():
    x, y = Scalar(2.0, label="x"), Scalar(3.0, label="y")
    f = x * y + x
    f.backward()
    x.grad = 3.0
    with pytest.raises(
        ValueError,
        match=r"gradient of x = 2.0 is 3.0 in that engine, but 4.0 .*: only one of 2 contributions is left",
    ):
        adopt(f)


def test_gradients_that_were_set_to_0_for_the_next_step_are_not_compared():
    w, b, points = regression()
    loss = squared_error(w, b, points)
    loss.backward()
    for x in loss.order():
        x.grad = x.grad if x._prev else 0
    assert adopt(loss, w)[1].grad != 0.0


# ---- no labels: the numbers decide, or nothing does ---------------------------------------------------------------


class Bare:
    """The engine of a well-known small GPT: numbers, children and local derivatives; nothing else."""

    __slots__ = ("_children", "_local_grads", "data", "grad")

    def __init__(self, data, children=(), local_grads=()):
        self.data, self.grad, self._children, self._local_grads = data, 0, children, local_grads

    def __add__(self, other):
        other = other if isinstance(other, Bare) else Bare(other)
        return Bare(self.data + other.data, (self, other), (1, 1))

    def __mul__(self, other):
        other = other if isinstance(other, Bare) else Bare(other)
        return Bare(self.data * other.data, (self, other), (other.data, self.data))

    def __pow__(self, p):
        return Bare(self.data**p, (self,), (p * self.data ** (p - 1),))

    def log(self):
        return Bare(math.log(self.data), (self,), (1 / self.data,))

    def exp(self):
        return Bare(math.exp(self.data), (self,), (math.exp(self.data),))

    def relu(self):
        return Bare(max(0, self.data), (self,), (float(self.data > 0),))

    __radd__, __rmul__ = __add__, __mul__


def unary(x, y, slope):
    return Bare(y, (x,), (slope,))


def softmax_loss(logits, target):
    most = max(x.data for x in logits)
    exps = [(x + -most).exp() for x in logits]
    return (exps[target] * sum(exps) ** -1).log() * -1


def entries(f):
    return [node.operation.name for node in topological_order(f) if node.parents]


def test_a_small_gpt_without_labels_is_read_from_numbers_and_local_derivatives():
    rng = random.Random(0)
    x = [Bare(rng.gauss(0.0, 1.0)) for _ in range(6)]
    w = [[Bare(rng.gauss(0.0, 0.5)) for _ in x] for _ in range(6)]
    scale = (sum(x_i * x_i for x_i in x) * (1 / 6) + 1e-5) ** -0.5
    hidden = [sum(w_i * (x_i * scale) for w_i, x_i in zip(row, x)).relu() for row in w]
    assert {h.data > 0 for h in hidden} == {False, True}
    loss = softmax_loss([sum(w_i * h for w_i, h in zip(row, hidden)) for row in w], 2)
    f = adopt(loss)
    # exp at 0 is no proof, as 0 + 1 is 1 too; other nodes prove it
    assert set(entries(f)) == {"add", "mul", "power", "relu", "exp", "log"}
    assert [node.parents[1].data for node in topological_order(f) if node.operation is autograd.power] == [-0.5, -1.0]
    assert record(f)() == pytest.approx(loss.data, rel=1e-12)


def test_an_open_relu_is_known_by_another_relu_that_is_shut():
    x, y = Bare(0.7), Bare(-0.3)
    assert entries(adopt(x.relu() + y.relu())).count("relu") == 2
    assert entries(adopt(x.relu() * x)) == ["opaque", "mul"]  # |x|, elu, and x itself give 0.7 and 1 too


@pytest.mark.parametrize(
    ("x", "y", "slope"),
    [
        (0.7, 0.7, 1.0),  # x, |x|, elu, relu
        (2.4, 2.0, 1.0),  # a rounding that lets the derivative pass
        (2.4, 1.0, 0.0),  # a step
        (2.4, 2.0, 0.0),  # floor, or another rounding
        (0.0, 0.0, 0.0),  # x², relu
        (0.0, 1.0, 1.0),  # exp, x + 1
        (1.0, 0.0, 1.0),  # log, x − 1
        (0.0, 0.0, 0.5),  # silu, x/2
        (-0.7, 0.7, -1.0),  # −x, |x|
        (30.0, 1.0, 0.0),  # tanh, erf, a step
    ],
)
def test_what_several_operations_give_at_this_point_is_taken_for_none_of_them(x, y, slope):
    assert entries(adopt(unary(Bare(x), y, slope))) == ["opaque"]


def test_a_relu_is_not_taken_for_one_where_another_operation_is_unknown():
    shut, leaky = Bare(-0.3).relu(), unary(Bare(-0.5), -0.05, 0.1)
    f = adopt(shut + leaky + unary(Bare(0.7), 0.7, 1.0))
    assert "relu" not in entries(f)


def test_an_absolute_value_is_not_taken_for_a_relu():
    shut, positive, negative = Bare(-0.3).relu(), unary(Bare(0.7), 0.7, 1.0), unary(Bare(-0.7), 0.7, -1.0)
    assert entries(adopt(shut + positive + negative)).count("opaque") == 3


def test_an_unknown_operation_with_stored_local_derivatives_is_opaque_and_every_reader_says_what_it_knows():
    x = Bare(2.0)
    f, twin = adopt(unary(x * x, 0.8, 0.04) * x, x)  # x/(1 + |x|) at 4
    f.backward()
    assert twin.grad == pytest.approx(0.8 + 2.0 * 0.04 * 4.0)
    explanation = str(explain(f, wrt=twin))
    assert "✓ backward" in explanation and "SymPy not checked" in explanation and "✗" not in explanation
    assert draw(f).svg and str(narrate(f)) and str(paths(f, twin))
    with detect_anomaly():
        f.backward()
    remedy = r"define it with adopt\(…, operation=a function that labels a node\)"
    for read, error in ((record, ValueError), (walk, TypeError), (lambda f: autograd.grad(f, [twin]), TypeError)):
        with pytest.raises(error, match=remedy):
            read(f)


def test_the_remedy_for_an_opaque_operation_works():
    x = Bare(2.0)
    theirs = unary(x, 2.0 / 3.0, 1.0 / 9.0)
    operations = {"softsign": lambda x: x / (1.0 + abs(x))}
    f, twin = adopt(theirs, x, operation=lambda node: "softsign" if node is theirs else "", operations=operations)
    program = record(f, inputs=[x])
    assert program([4.0]) == pytest.approx(0.8)
    assert gradcheck(lambda x: x / (1.0 + abs(x)), [twin.data])


def test_nothing_is_guessed_without_label_and_local_derivatives():
    class Mute:
        def __init__(self, data, parents=()):
            self.data, self.grad, self.parents = data, 0.0, parents

    x, y = Mute(3.0), Mute(1.0)
    with pytest.raises(
        ValueError,
        match=r"the node stores no local derivatives; define it with adopt\(…, operation=a function that labels",
    ):
        adopt(Mute(2.0, (x, y)))  # x − y, or their mean
    assert entries(adopt(Mute(2.0, (x, y)), operation=lambda node: "-" if node.parents else "")) == ["sub"]


# ---- labels, containers, numbers ----------------------------------------------------------------------------------


@dataclass
class Record:
    """A node that cannot be hashed, with words that any test may fill."""

    data: object
    op: object = None
    parents: object = ()
    params: tuple = ()
    grad: object = None
    local_grads: tuple = field(default_factory=tuple)


class Op(Enum):
    MUL = 1


class MulBackward:
    pass


def times():
    """A function that stands for an operation."""


@pytest.mark.parametrize(
    "label", ["*", "mul", "Mul", "MulBackward0", "__mul__", "torch.mul", Op.MUL, MulBackward, MulBackward(), times]
)
def test_an_operation_may_be_text_an_enum_a_class_or_a_function(label):
    x, y = Record(2.0), Record(3.0)
    assert entries(adopt(Record(6.0, label, [x, y]))) == ["mul"]


@pytest.mark.parametrize(
    ("label", "y", "entry"),
    [
        ("**2", 2.25, "power"),
        ("^2", 2.25, "power"),
        ("pow(2)", 2.25, "power"),
        ("square", 2.25, "power"),
        ("log2", math.log2(1.5), "log2"),
        ("NegBackward", -1.5, "neg"),
        ("tanh", math.tanh(1.5), "tanh"),
    ],
)
def test_a_number_in_a_label_is_an_exponent_and_nothing_else(label, y, entry):
    assert entries(adopt(Record(y, label, [Record(1.5)]))) == [entry]
    with pytest.raises(ValueError, match="labelled 'relu6'"):
        adopt(Record(1.5, "relu6", [Record(1.5)]))


def test_a_label_that_the_numbers_contradict_is_refused():
    with pytest.raises(
        ValueError, match=r"= 5.0 from x1 = 2.0, x2 = 3.0, labelled '\*': mul does not give this number"
    ):
        adopt(Record(5.0, "*", [Record(2.0), Record(3.0)]))
    with pytest.raises(ValueError, match=r"tanh does not give this number and its local derivatives"):
        adopt(Record(math.tanh(0.5), "tanh", [Record(0.5)], local_grads=(0.25,)))


@pytest.mark.parametrize(
    ("label", "y", "params", "slope", "constant"),
    [
        ("+", 7.0, (), 1.0, 5.0),
        ("-", -3.0, (), 1.0, 5.0),
        ("-", 3.0, (), -1.0, 5.0),
        ("*", 6.0, (), 3.0, 3.0),
        ("/", 0.5, (), 0.25, 4.0),
        ("/", 2.0, (), -1.0, 4.0),
        ("pow", 8.0, (), 12.0, 3.0),
        ("pow", 8.0, (3,), None, 3.0),
    ],
)
def test_a_constant_that_is_no_node_is_found(label, y, params, slope, constant):
    f = adopt(Record(y, label, [Record(2.0)], params, local_grads=() if slope is None else (slope,)))
    assert constant in [x.data for x in f.parents]
    assert record(f)() == y


def test_a_constant_that_nothing_tells_is_refused():
    with pytest.raises(
        ValueError, match=r"add does not give this number .*except with a constant that is not stored"
    ):
        adopt(Record(7.0, "+", [Record(2.0)]))


def test_the_order_of_operands_in_a_set_is_found_or_refused():
    class InSet(Record):
        __hash__ = object.__hash__

    x, y = InSet(2.0), InSet(3.0)
    f, twin = adopt(InSet(-1.0, "-", {x, y}), x)
    assert f.parents[0] is twin
    with pytest.raises(ValueError, match="its numbers do not show which operand of sub is which"):
        adopt(InSet(0.0, "-", {x, InSet(2.0)}))
    with pytest.raises(ValueError, match="its numbers do not show which operand of mul is which"):
        adopt(InSet(9.0, "*", {y}, (3.0,)))  # 3 · 3 or 3 x


def test_a_product_of_0_in_a_dict_may_be_of_one_value_with_itself_or_with_a_constant():
    use = import_module("engines.dict_edges").USE
    x = use["leaf"](0.0)
    for y in (x * x, x * 0.0):
        with pytest.raises(ValueError, match="its numbers do not show which operand of mul is which"):
            adopt(y)


def test_bounds_that_only_a_closure_keeps_are_found():
    use = import_module("engines.sets").USE
    x = use["leaf"](0.5)
    assert record(adopt(use["ops"]["clamp"](x)), inputs=[x])([4.0]) == 1.5


def test_bounds_that_several_numbers_may_be_are_refused():
    with pytest.raises(ValueError, match="its numbers do not show which operand of clamp is which"):
        adopt(Record(0.5, "clamp", [Record(0.5)], params=(-1.0, 1.0, 2.0)))


def test_the_number_of_an_enum_is_no_constant():
    use = import_module("engines.dataclass_nodes").USE
    f = adopt(use["ops"]["pow3"](use["leaf"](1.0)))
    assert [node.data for node in f.parents] == [1.0, 3.0]


@pytest.mark.parametrize("number", [3, np.float64(3.0), np.float32(3.0), np.int64(3), True + 2])
def test_numbers_of_any_kind_become_floats(number):
    f = adopt(Record(number * number, "*", [x := Record(number), x]))
    assert (f.data, type(f.data), type(f.parents[0].data)) == (9.0, float, float)


@pytest.mark.parametrize(("x", "y"), [(inf, inf), (-inf, -inf), (nan, nan)])
def test_numbers_that_are_not_finite_are_adopted(x, y):
    f = adopt(Record(y, "+", [Record(x), Record(1.0)]))
    assert f.data == y or (y != y and f.data != f.data)
    with pytest.raises(ValueError, match="add does not give"):
        adopt(Record(2.0, "+", [Record(x), Record(1.0)]))


def test_a_leaf_alone_is_adopted():
    assert adopt(Scalar(3.0, label="x")).name == "x"
    assert adopt(Record(3.0)).data == 3.0


@pytest.mark.parametrize("what", [3.0, "loss", None, [1.0], Value(2.0), {}])
def test_what_is_no_node_of_another_engine_is_refused(what):
    with pytest.raises(TypeError, match="give a node of another engine"):
        adopt(what)
    with pytest.raises(TypeError, match="has no data under a usual name"):
        adopt(object.__new__(type("Empty", (), {"__module__": "theirs"})))


def test_words_of_an_engine_can_be_said():
    class Knoten:
        def __init__(self, zahl, eltern=(), art=""):
            self.zahl, self.steigung, self.eltern, self.art, self.twin = zahl, 0.0, eltern, art, self

    x = Knoten(2.0)
    with pytest.raises(TypeError, match=r"\(Knoten\) has no data under a usual name.*adopt\(…, data='its name'\)"):
        adopt(Knoten(4.0, (x, x), "mul"))
    words = {"data": "zahl", "grad": "steigung", "parents": lambda node: node.eltern, "operation": "art"}
    assert entries(adopt(Knoten(4.0, (x, x), "mul"), **words)) == ["mul"]


def test_parents_that_only_a_closure_keeps_are_refused():
    class Closed:
        def __init__(self, data, backward=None):
            self.data, self.grad, self.backward = data, 0.0, backward

    x = Closed(2.0)
    with pytest.raises(TypeError, match=r"\(Closed\) has no parents under a usual name"):
        adopt(Closed(4.0, lambda: x.grad))


def test_nodes_without_a_class_in_common_are_read():
    leaf = type("Leaf", (), {"__module__": "theirs", "value": 2.0, "grad": 0.0})()
    square = type("Mul", (), {"__module__": "theirs", "value": 4.0, "grad": 0.0})()
    square.left = square.right = leaf
    with pytest.raises(ValueError, match=r"the table has no such operation.*operation=a function that labels a node"):
        adopt(square)
    assert entries(adopt(square, operation=lambda node: type(node).__name__)) == ["mul"]


def test_a_word_of_another_kind_is_refused():
    with pytest.raises(TypeError, match=r"adopt\(date='data'\): this is not a node; other keywords are data, grad"):
        adopt(Scalar(1.0), date="data")


def test_a_function_of_several_values_in_a_set_is_refused():
    x, y = Scalar(2.0), Scalar(2.0)
    f = Scalar(4.0, (x, y), "mulexp")
    with pytest.raises(ValueError, match="its parents are in a set, so their order is unknown to operations"):
        adopt(f, operations={"mulexp": lambda x, y: x * y})


def test_an_exponent_beside_the_same_number_of_the_operand_is_refused():
    use = import_module("engines.context").USE
    with pytest.raises(ValueError, match="its numbers do not show which operand of power is which"):
        adopt(use["ops"]["pow3"](use["leaf"](1.0)))
    assert entries(adopt(use["ops"]["pow3"](use["leaf"](2.0)))) == ["power"]


def test_a_circle_is_refused():
    x = Scalar(1.0)
    y = x + 1.0
    x._prev = {y}
    with pytest.raises(ValueError, match="is its own ancestor"):
        adopt(y)


def test_adopting_takes_steps_in_proportion_to_the_nodes():
    def chain(n):
        x = Scalar(1.0)
        for k in range(n):
            x = x + 0.5 if k % 2 else (x * 0.5).relu()
        x.backward()
        return x

    steps_of(lambda: adopt(chain(20)))
    graphs = [chain(n) for n in (200, 400, 600)]
    once, twice, thrice = [steps_of(lambda graph=graph: adopt(graph)) for graph in graphs]
    assert thrice - twice == pytest.approx(twice - once, rel=0.02)


@pytest.mark.slow
def test_a_chain_of_a_million_nodes_is_adopted():
    x = Scalar(1.0)
    for _ in range(500_000):
        x = x + 0.5
    f = adopt(x)
    assert len(topological_order(f)) == 1_000_001


def test_an_operation_that_lost_its_parents_is_refused():
    with pytest.raises(ValueError, match=r"= 2.7.*, labelled 'exp', has no parents: does it store them\?"):
        adopt(Record(math.e * 2.0, "*", [Record(math.e, "exp"), Record(2.0)]))


def test_a_word_that_leads_nowhere_is_refused():
    with pytest.raises(TypeError, match=r"adopt\(…, parents='made_from'\): .* has no made_from"):
        adopt(Scalar(1.0), parents="made_from")


def test_operands_in_a_set_keep_the_order_in_which_they_were_written():
    class Closed(Scalar):
        def __mul__(self, other):
            out = Closed(self.data * other.data, (self, other), "*")

            def _backward():
                self.grad += other.data * out.grad
                other.grad += self.data * out.grad

            out._backward = _backward
            return out

    nodes = [Closed(float(k)) for k in range(1, 40)]
    for x, y in pairwise(nodes):
        assert [node.origin for node in adopt(x * y).parents] == [x, y]
