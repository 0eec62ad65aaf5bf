"""Tests of the lecture's statements, one for each slide, with the numbers of its examples."""

import math
from random import Random

import pytest
from slides import A1, A2, DELTA1, DELTA2, NET, Z1, Z2

from autograd import Value, named, sin
from nn import MLP, SGD, Training, binary_cross_entropy, half_squared_error
from nn.data import batches, moons
from nn.losses import mean_loss

approx = lambda x: pytest.approx(x, abs=1e-12)  # noqa: E731


@pytest.fixture
def net():
    model = MLP(2, [3, 2], activation="sigmoid", output="sigmoid", rng=Random(0))
    model.load_state_dict(NET)
    return model


@pytest.fixture
def run(net):
    trace = net.trace([0.5, -1.0])
    loss = half_squared_error(trace.output, [1.0, 0.0])
    loss.backward()
    return net, trace, loss


def data(nodes):
    return [node.data for node in nodes]


def grads(nodes):
    return [node.grad for node in nodes]


def test_a1_nutshell_one_sgd_step_is_the_formula_to_the_bit(run):
    net, _, _ = run
    expected = [w.data - 0.5 * w.grad for w in net.parameters()]
    SGD(net.parameters(), learning_rate=0.5).step()
    assert data(net.parameters()) == expected


def test_a2_challenge_every_weight_and_bias_has_a_derivative_by_name(run):
    named_parameters = run[0].named_parameters()
    assert len(named_parameters) == 17
    assert all(p.grad != 0.0 for p in named_parameters.values())
    assert {"w¹_11", "w²_23", "b¹_3", "b²_2"} <= set(named_parameters)


@pytest.mark.parametrize(("at", "slope"), [(1.5, -1.8845208681682175), (math.sqrt(math.pi), -3.5449077018110318)])
def test_a3_baby_chain_rule_sin_of_x_squared(at, slope):
    x = Value(at)
    square = x * x
    f = sin(square)
    f.backward()
    assert x.grad == approx(slope)
    assert f.local_derivatives == (pytest.approx(math.cos(at * at)),)


def f_equals_xyz(r, s):
    x, y, z = named(x=r, y=r * s, z=s)
    return x, y, z, named(f=x * y * z)


def test_a4_adult_chain_rule_sums_over_x_y_z():
    r, s = Value(2.0, "r"), Value(3.0, "s")
    x, y, z, f = f_equals_xyz(r, s)
    f.backward()
    assert s.grad == x.grad * 0.0 + y.grad * y.local_derivatives[1] + z.grad * z.local_derivatives[0]
    assert (x.parents, y.parents, z.parents) == ((r,), (r, s), (s,))


def test_a5_slide_f_equals_xyz_df_ds_is_2_r_squared_s():
    r, s = Value(2.0, "r"), Value(3.0, "s")
    *_, f = f_equals_xyz(r, s)
    f.backward()
    assert (f.data, s.grad, r.grad) == (36.0, 24.0, 36.0)


@pytest.mark.parametrize(("at", "slope"), [(1.0, 24.0), (2.0, 768.0)])
def test_a6_r_and_s_depend_on_u(at, slope):
    u = Value(at, "u")
    r, s = named(r=2 * u, s=u**2)
    *_, f = f_equals_xyz(r, s)
    f.backward()
    assert (f.data, u.grad) == (4 * at**6, slope)
    assert u.grad == r.grad * 2 + s.grad * 2 * at


def test_b1_notation_z_and_a_by_name(run):
    _, trace, loss = run
    assert data(trace.z[1]) == approx(Z1)
    assert data(trace.a[1]) == approx(A1)
    assert data(trace.z[2]) == approx(Z2)
    assert data(trace.a[2]) == approx(A2)
    assert loss.data == approx(0.22464627067545853)
    assert [z.name for z in trace.z[2]] == ["z²_1", "z²_2"]


def test_b2_delta_is_the_grad_of_z_and_an_error_before_backward(net, run):
    with pytest.raises(RuntimeError, match="backward"):
        _ = net.trace([0.5, -1.0]).delta
    assert [len(d) for d in run[1].delta] == [0, 3, 2]


def test_b3_output_layer_delta(run):
    assert run[1].delta[2] == approx(DELTA2)
    assert [(a - y) * a * (1 - a) for a, y in zip(A2, [1, 0])] == approx(DELTA2)


def test_b4_every_weight_touches_one_delta(run):
    net, trace, _ = run
    from autograd.graph import topological_order

    w = net.net.layers[2].W
    assert not set(w[0]) & set(topological_order(trace.z[2][1]))


def test_b5_outer_product_delta_a(run):
    for row, d in zip(run[0].net.layers[2].W, DELTA2):
        assert grads(row) == approx([d * a for a in A1])


def test_b6_bias_gradient_is_delta(run):
    assert grads(run[0].net.layers[2].b) == approx(DELTA2)


def test_b7_b8_delta_of_the_hidden_layer(run):
    assert run[1].delta[1] == approx(DELTA1)
    assert approx(DELTA1[1]) == 0.02149404073763791 + 0.00564368485257405


def test_b9_layer_1(run):
    layer = run[0].net.layers[0]
    assert grads(layer.W[0]) == approx([-0.01153534603593663, 0.02307069207187325])
    assert grads(layer.b) == approx(DELTA1)


def test_c1_every_example_once_an_epoch_in_a_fresh_order_that_a_seed_repeats():
    rng, again = Random(3), Random(3)
    epochs = [[i for batch in batches(10, 3, rng) for i in batch] for _ in range(3)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert epochs == [[i for batch in batches(10, 3, again) for i in batch] for _ in range(3)]


def test_c2_gradient_of_the_mean_is_the_mean_of_the_gradients():
    model, points = MLP(2, [3, 1], rng=Random(0)), moons(7, rng=Random(1))
    mean_loss(binary_cross_entropy, model.batch(points.X), points.y).backward()
    together = grads(model.parameters())
    model.zero_grad()
    for x, y in zip(points.X, points.y):
        binary_cross_entropy(model(x), y).backward()
    assert [g / 7 for g in grads(model.parameters())] == approx(together)


@pytest.mark.parametrize(("size", "updates"), [(1, 7), (3, 3), (7, 1)])
def test_c2_updates_per_epoch(size, updates):
    model, points = MLP(2, [3, 1], rng=Random(0)), moons(7, rng=Random(1))
    training = Training(
        model, binary_cross_entropy, SGD(model.parameters(), 0.1), points, epochs=1, batch_size=size, rng=Random(2)
    )
    [record] = training
    assert (record.updates, record.gradient_evaluations) == (updates, 7)
