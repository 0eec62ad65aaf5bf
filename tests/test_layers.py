"""Tests that apply to every layer of nn: one line in LAYERS runs all of them on a new layer."""

import inspect

import pytest

import nn
from autograd import Value, record
from nn.activations import BY_NAME
from nn.module import flatten

LAYERS = {
    "BatchNorm": lambda: nn.BatchNorm(3),
    "Dropout": lambda: nn.Dropout(0.5, rng=0),
    "Linear": lambda: nn.Linear(3, 2, rng=0),
    "MLP": lambda: nn.MLP(3, [4, 2], activation="tanh", rng=0),
    "Sequential": lambda: nn.Sequential(nn.Linear(3, 4, rng=0), nn.SiLU(), nn.Linear(4, 2, rng=1)),
    **{activation.__name__: activation for activation in BY_NAME.values()},
}
X = [[0.3, -1.2, 0.7], [1.1, 0.4, -0.6]]  # two examples of three numbers, which every layer above reads

on_every_layer = pytest.mark.parametrize("name", sorted(LAYERS))


def values():
    return [[Value(x_k) for x_k in x] for x in X]


def total(layer, examples):
    """One number of which every output is a part, each with a weight of its own."""
    return sum((k + 1.5) * y for k, y in enumerate(flatten(layer.batch(examples))))


def test_every_public_layer_is_tested_here():
    public = {
        name for name in nn.__all__ if inspect.isclass(made := getattr(nn, name)) and issubclass(made, nn.Module)
    }
    assert public - {"Module"} == set(LAYERS)


@on_every_layer
def test_gradients_of_inputs_and_parameters_are_central_differences(name):
    layer, examples, step = LAYERS[name]().eval(), values(), 1e-5
    total(layer, examples).backward()
    for leaf in [*flatten(examples), *layer.parameters()]:
        there, ends = leaf.data, []
        for sign in (1.0, -1.0):
            leaf.data = there + sign * step
            ends.append(total(layer, examples).data)
        leaf.data = there
        assert leaf.grad == pytest.approx((ends[0] - ends[1]) / (2.0 * step), rel=1e-7, abs=1e-7)


@on_every_layer
def test_in_evaluation_a_mini_batch_gives_what_its_examples_give_alone(name):
    layer = LAYERS[name]().eval()
    together = [y.data for y in flatten(layer.batch(X))]
    assert together == [y.data for x in X for y in flatten(layer(x))]


@on_every_layer
def test_a_state_carries_over_every_number_that_the_outputs_depend_on(name):
    trained, fresh = LAYERS[name](), LAYERS[name]()
    for k, p in enumerate(trained.parameters()):
        p.data += 0.1 * (k + 1)
    trained.batch(X)  # what is learned from the data without a gradient moves
    fresh.load_state_dict(trained.state_dict())
    assert total(fresh.eval(), X).data == total(trained.eval(), X).data


@on_every_layer
def test_a_replay_gives_the_numbers_of_the_eager_engine(name):
    layer, examples = LAYERS[name]().eval(), values()
    loss = total(layer, examples)
    loss.backward()
    leaves = [*flatten(examples), *layer.parameters()]
    program = record(loss, inputs=[examples], parameters=layer.parameters(), engine="replay")
    assert program([X]) == pytest.approx(loss.data, rel=1e-12)
    assert [program.gradient(leaf) for leaf in leaves] == pytest.approx([leaf.grad for leaf in leaves], rel=1e-12)
