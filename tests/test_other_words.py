"""Tests that micrograd's names work next to ours, so that its notebooks run after changing only the import."""

import pytest

from autograd import Value, draw_dot


def test_label_is_a_second_word_for_name():
    x = Value(2.0, label="x")
    y = x * x
    y.label = "y"
    assert (x.name, x.label, y.name, Value(1.0).label) == ("x", "x", "y", None)
    assert "{ y | data 4.0000 | grad 0.0000 }" in draw_dot(y).source


def test_of_name_and_label_the_name_counts_and_any_other_word_is_still_refused():
    assert Value(2.0, "r", label="s").name == "r"
    with pytest.raises(TypeError, match=r"a Value has no requires_grad: write `with no_grad\(\):`"):
        Value(2.0, label="r", requires_grad=True)
    with pytest.raises(TypeError, match=r"a name must be text, as in Value\(2\.0, 'r'\), not 3"):
        Value(2.0, label=3)


def test_micrograds_words_for_a_node_read_what_ours_say():
    x, y = Value(2.0), Value(3.0)
    z = (x * y + 1).relu()
    assert z._prev == z._children == z.parents and z._local_grads == z.local_derivatives
    assert (z._op, z._prev[0]._op, x._op, z._prev[0]._prev[1]._op) == (z.operation.symbol, "+", "", "")
    with pytest.raises(AttributeError):
        z._op = "+"


def test_backward_of_one_node_is_one_step():
    x, y = Value(2.0), Value(3.0)
    z = x * y
    w = z.tanh()
    w.grad = 1.0
    x._backward()  # an input has no parents
    w._backward()
    assert (z.grad, x.grad) == (w.local_derivatives[0], 0.0)
    z._backward()
    assert (x.grad, y.grad) == (3.0 * z.grad, 2.0 * z.grad)
