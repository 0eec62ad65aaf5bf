"""Tests of models in PyTorch's names and layouts, against stored state dicts and PyTorch if it is installed."""

import runpy
from importlib.util import find_spec
from random import Random

import numpy as np
import pytest
from conftest import REFERENCES, ROOT

import nn
from autograd import Value, sigmoid, tanh
from nn.losses import mean_loss

STATES = REFERENCES["states"]
if find_spec("torch"):  # the stored numbers, and those that PyTorch gives now
    present = runpy.run_path(str(ROOT / "tests/references/make_references.py"))["states"]()
    STATES |= {f"{name}, now": case for name, case in present.items()}


class Forked(nn.Module):
    def __init__(self):
        self.encoder = nn.Sequential(nn.Linear(3, 4), nn.Tanh())
        self.blocks = [nn.Linear(4, 4), nn.Linear(4, 4)]
        self.norm = nn.BatchNorm(4)
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        a = self.encoder(x)
        left, right = self.norm(self.blocks[0](a)), self.blocks[1](a)
        return self.head([l + sigmoid(r) for l, r in zip(left, right)])


class Scaled(nn.Module):
    """Parameters of its own, a scalar and a matrix, under names of the lecture and of its own."""

    def __init__(self):
        self.scale, self.W = Value(2.0), [[Value(1.0), Value(2.0)]]
        self.gate = nn.MLP(2, [3, 1])

    def forward(self, x):
        [row] = self.W
        return [self.scale * tanh(row[0] * x[0] + row[1] * x[1]) + self.gate(x)]


NETWORKS = {
    "sequential": [
        lambda: nn.Sequential(nn.Linear(3, 4), nn.BatchNorm(4), nn.ReLU(), nn.Linear(4, 2)),
        lambda: nn.MLP(3, [4, 2], batch_norm=True),
    ],
    "nested": [
        lambda: nn.Sequential(nn.Sequential(nn.Linear(3, 4), nn.Tanh()), nn.Linear(4, 2), nn.Sigmoid()),
        lambda: nn.Sequential(
            nn.MLP(3, [4], output="tanh"), nn.MLP(4, [2], output="sigmoid").net.layers[0], nn.Sigmoid()
        ),
    ],
    "forked": [Forked],
}
CASES = [(name, make) for name in STATES for make in NETWORKS[name.split(",")[0]]]


@pytest.mark.parametrize(("name", "make"), CASES)
def test_a_state_of_pytorch_gives_its_outputs_and_its_gradients(name, make):
    case, model = STATES[name], make()
    dtype = np.float32 if "float32" in name else np.float64
    nn.load_numpy_state(model, {key: np.array(numbers, dtype) for key, numbers in case["state"].items()})
    model.eval()
    outputs = model.batch(case["X"])
    mean_loss(nn.cross_entropy, outputs, case["y"]).backward()
    # PyTorch computed a float32 net in float32: 1.2e-7 for each of a few additions
    near = {"rtol": 1e-5, "atol": 1e-6} if dtype == np.float32 else {"rtol": 1e-12, "atol": 1e-14}
    np.testing.assert_allclose([[a.data for a in output] for output in outputs], case["outputs"], **near)
    gradients = nn.numpy_gradients(model)
    assert list(gradients) == list(case["gradients"])
    for key, expected in case["gradients"].items():
        np.testing.assert_allclose(gradients[key], expected, **near)


@pytest.mark.parametrize(("name", "make"), CASES)
def test_a_state_goes_back_under_the_same_names_to_the_last_bit(name, make):
    case, model = STATES[name], make()
    nn.load_numpy_state(model, case["state"])
    state = nn.numpy_state(model)
    assert set(state) == set(case["state"])
    counters = [key for key in state if key.endswith("num_batches_tracked")]
    assert {key: a.tolist() for key, a in state.items() if key not in counters} == {
        key: numbers for key, numbers in case["state"].items() if key not in counters
    }
    assert all(state[key].dtype == np.int64 and state[key].shape == () for key in counters)


@pytest.mark.parametrize(
    "make",
    [
        *(make for every in NETWORKS.values() for make in every),
        Scaled,
        lambda: nn.Linear(2, 3),
        lambda: nn.BatchNorm(2),
        lambda: nn.MLP(2, [3, 1], dropout=0.5),
        lambda: nn.Sequential(nn.Sequential(), nn.ReLU(), nn.Linear(1, 1)),
    ],
)
def test_a_round_trip_is_exact(make):
    model, other, rng = make(), make(), Random(0)
    for p in model.parameters():
        p.data = rng.gauss(0.0, 1.0)
    for buffer in model.buffers().values():
        buffer[:] = [rng.random() for _ in buffer]
    nn.load_numpy_state(other, nn.numpy_state(model))
    assert other.state_dict() == model.state_dict()
    assert set(nn.numpy_gradients(model)) <= set(nn.numpy_state(model))


def test_names_of_ones_own_stay_and_those_of_the_lecture_become_pytorchs():
    assert list(nn.numpy_state(Scaled())) == [
        "scale", "weight", "gate.0.weight", "gate.0.bias", "gate.2.weight", "gate.2.bias",
    ]  # fmt: skip
    assert list(nn.numpy_state(nn.BatchNorm(1))) == [
        "weight", "bias", "running_mean", "running_var", "num_batches_tracked",
    ]  # fmt: skip
    twice = Scaled()
    twice.weight = Value(0.0)
    with pytest.raises(ValueError, match="W and weight would both be called weight"):
        nn.numpy_state(twice)


class Tensor:
    """What a tensor of PyTorch that requires gradients lets others do with it."""

    def __init__(self, numbers, is_detached=False):
        self.numbers, self.is_detached = numbers, is_detached

    def detach(self):
        return Tensor(self.numbers, True)

    def cpu(self):
        return self

    def double(self):
        return self

    def __array__(self, dtype=None, copy=None):
        assert self.is_detached, "Can't call numpy() on Tensor that requires grad"
        return np.array(self.numbers, dtype)


def test_tensors_are_taken_without_pytorch():
    model = nn.Linear(2, 1)
    nn.load_numpy_state(model, {"weight": Tensor([[3.0, 4.0]]), "bias": Tensor([0.5])})
    assert model.state_dict() == {"W": [[3.0, 4.0]], "b": [0.5]}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"2.weight": np.zeros((3, 1))}, r"2.weight has shape \(1, 3\) in the model but \(3, 1\) in the state"),
        ({"0.bias": np.zeros(4)}, r"0.bias has shape \(3,\) in the model but \(4,\) in the state"),
        ({"0.bias": [0.0, np.nan, 1.0]}, "0.bias in the state contains a number that is not finite"),
        ({"0.bias": ["1", "2", "3"]}, "0.bias has dtype <U1: it must contain real numbers"),
        ({"0.bias": np.zeros(3, complex)}, "0.bias has dtype complex128"),
        ({"0.bias": None}, "0.bias has dtype object"),
        ({"layers.0.bias": np.zeros(3)}, "unknown layers.0.bias"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_by_name_and_nothing_changes(change, words):
    model = nn.MLP(2, [3, 1])
    before, state = model.state_dict(), nn.numpy_state(nn.MLP(2, [3, 1]))
    with pytest.raises((ValueError, TypeError), match=words) as caught:
        nn.load_numpy_state(model, state | change)
    assert model.state_dict() == before and "\n" not in str(caught.value)


def test_a_name_that_is_missing_is_said_and_a_counter_may_be():
    model = nn.MLP(2, [3, 1], batch_norm=True)
    state = nn.numpy_state(model)
    del state["1.num_batches_tracked"]
    nn.load_numpy_state(model, state)
    del state["1.running_var"]
    with pytest.raises(ValueError, match=r"missing 1\.running_var"):
        nn.load_numpy_state(model, state)


def test_zero_grad_of_a_model_clears_frozen_layers_too():
    model = nn.Sequential(nn.Linear(2, 3, rng=0), nn.Tanh(), nn.Linear(3, 1, rng=1))
    model[0].freeze()
    gradients = []
    for _ in range(3):
        model.zero_grad()
        model([1.0, 2.0])[0].backward()
        gradients.append(nn.numpy_gradients(model)["0.weight"])
    assert np.any(gradients[0])
    assert np.array_equal(gradients, [gradients[0]] * 3)
