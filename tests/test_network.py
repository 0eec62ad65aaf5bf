"""Tests of the network's parts: composition, losses, initial weights, data, optimisers, training and checkpoints."""

import builtins
import inspect
import json
import math
import multiprocessing
import pickle
import struct
import sys
import zipfile
from collections import Counter, deque
from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from dataclasses import dataclass
from io import BytesIO, StringIO
from random import Random
from statistics import fmean, pstdev
from types import MappingProxyType, SimpleNamespace

import mpmath
import numpy as np
import pytest
from conftest import python
from safetensors.numpy import load_file, save as to_bytes

import nn
from autograd import DomainError, Value, clamp, gradcheck, leaky_relu, mean, no_grad, softmax, tanh, where
from nn import MLP, SGD, Adam, Training, binary_cross_entropy, cross_entropy, half_squared_error, hinge
from nn.__main__ import main
from nn.checkpoint import load, load_preprocessing, save
from nn.cli.csv_tables import read_split
from nn.data import (
    BUNDLED,
    BY_NAME,
    Dataset,
    batches,
    circles,
    diabetes,
    digits,
    iris,
    moons,
    sine,
    spirals,
    split,
    xor,
)  # fmt: skip
from nn.diagram import model_diagram, trace_diagram
from nn.evaluation import evaluate
from nn.init import BY_NAME as INITIALIZERS, he_normal, he_uniform, xavier_normal, xavier_uniform
from nn.losses import mean_loss, mean_squared_error
from nn.module import Module, evaluating, flatten
from nn.optim import Optimizer
from nn.validation import NAMES, ChecksKeywords

# ---- what is composed of the table's entries ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "at", "value"),
    [
        (lambda x, y: where(x > 1.0, x * y, x + y), [2.0, 5.0], 10.0),
        (lambda x, y: where(x > 1.0, x * y, x + y), [0.5, 5.0], 5.5),
        (lambda x: clamp(x, -1.0, 2.0), [1.5], 1.5),
        (lambda x: clamp(x, -1.0, 2.0), [-3.0], -1.0),
        (lambda x: clamp(x, -1.0, 2.0), [7.0], 2.0),
        (lambda x, low, high: clamp(x, low, high), [7.0, -1.0, 2.0], 2.0),
        (leaky_relu, [3.0], 3.0),
        (leaky_relu, [-3.0], -0.03),
        (lambda z: leaky_relu(z, slope=0.25), [-3.0], -0.75),
        (lambda *x: mean(x), [1.0, 2.0, 6.0], 3.0),
        (lambda *z: softmax(z)[0], [1.0, 3.0, -2.0], math.exp(1) / (math.exp(1) + math.exp(3) + math.exp(-2))),
        (lambda *z: softmax(z)[2], [1.0, 3.0, -2.0], math.exp(-2) / (math.exp(1) + math.exp(3) + math.exp(-2))),
    ],
)
def test_compositions_equal_their_closed_forms_and_their_slopes(f, at, value):
    assert f(*map(Value, at)).data == pytest.approx(value, rel=1e-15)
    assert gradcheck(f, at)


@pytest.mark.parametrize(
    ("f", "at", "slope"),
    [(lambda x: clamp(x, -1.0, 2.0), 2.0, 0.5), (lambda x: clamp(x, -1.0, 2.0), -1.0, 0.5), (leaky_relu, 0.0, 0.01)],
)
def test_the_documented_slope_at_a_kink(f, at, slope):
    x = Value(at)
    f(x).backward()
    assert x.grad == slope


def test_softmax_sums_to_1_and_survives_large_logits():
    p = [p_j.data for p_j in softmax([Value(1000.0), Value(998.0), Value(-1000.0)])]
    assert p == pytest.approx([1 / (1 + math.exp(-2)), 1 / (1 + math.exp(2)), 0.0], rel=1e-12)


# ---- losses ---------------------------------------------------------------------------------------------------

ONE, TWO = [Value(0.5)], [Value(0.5), Value(-1.0)]


@pytest.mark.parametrize(
    ("loss", "output", "target", "words"),
    [
        (cross_entropy, TWO, 2, "labels 0 … 1"),
        (cross_entropy, TWO, -1, "labels 0 … 1"),
        (cross_entropy, TWO, 0.5, "labels 0 … 1"),
        (binary_cross_entropy, ONE, 1.5, "from 0 to 1"),
        (binary_cross_entropy, ONE, -1, "from 0 to 1"),
        (binary_cross_entropy, ONE, math.nan, "from 0 to 1"),
        (binary_cross_entropy, TWO, 1, "use cross_entropy"),
        (hinge, ONE, 0, "−1 or \\+1"),
        (hinge, TWO, 1, "needs one"),
        (half_squared_error, TWO, [1.0], "2 output units, but 1 targets"),
        (half_squared_error, ONE, [1.0, 0.0], "1 output units, but 2 targets"),
        (mean_squared_error, TWO, 1.0, "2 output units, but 1 targets"),
    ],
)
def test_losses_refuse_targets_that_do_not_fit(loss, output, target, words):
    with pytest.raises(ValueError, match=words):
        loss(output, target)


LOGITS = [
    ([1e8, 1e8 - 20.0], 0),
    ([-1e8, -1e8 - 20.0, -1e8 - 21.0], 0),
    ([1e8 - 20.0, 1e8, 1e8 - 21.0], 2),
    ([50.0, 0.0, -3.0], [1.0, 0.0, 0.0]),
    ([1e8, 1e8 - 20.0, -1e8], [0.75, 0.25, 0.0]),
    ([1e8 - 20.0, 1e8], [0.0625, 0.9375]),
    ([50.0, 0.0], [1.0 - 2.0**-40, 2.0**-40]),
    ([1e6, 1e6 - 3.0, 0.5], 2),
    ([1e6, 0.25, 1e6 - 3.0], [0.25, 0.5, 0.25]),
    ([-700.0, 30.0, 1e-3, 0.0], [0.125, 0.5, 0.125, 0.25]),
]


@pytest.mark.parametrize(("z", "target"), LOGITS)
def test_cross_entropy_and_its_gradient_are_those_of_mpmath_where_logits_are_large_or_sure(z, target):
    units = [Value(z_k) for z_k in z]
    loss = cross_entropy(units, target)
    loss.backward()
    shares = target if isinstance(target, list) else [float(k == target) for k in range(len(z))]
    with mpmath.workdps(60):
        weights = [mpmath.exp(mpmath.mpf(z_k) - max(z)) for z_k in z]
        p = [w / mpmath.fsum(weights) for w in weights]
        assert loss.data == pytest.approx(float(-mpmath.fdot(shares, map(mpmath.log, p))), rel=2e-14, abs=0.0)
        # p − t loses what the two have in common, and no more: the true share of the largest is 1 − Σ of the others
        expected = [float(p_k - t_k) for p_k, t_k in zip(p, shares)]
    assert [z_k.grad for z_k in units] == pytest.approx(
        expected, rel=2e-14 if max(shares) == 1.0 else 1e-9, abs=1e-300
    )


def test_the_shares_of_a_target_may_be_an_array():
    z = [Value(0.5), Value(-1.0), Value(2.0)]
    assert cross_entropy(z, np.array([0.0, 0.0, 1.0])).data == cross_entropy(z, 2).data
    assert mean_squared_error(z, np.zeros(3)).data == mean_squared_error(z, [0.0] * 3).data


@pytest.mark.parametrize("leaf", [False, True])
@pytest.mark.parametrize("z", [40.0, -40.0, 1e8, -1e8, 700.0, 0.25])
@pytest.mark.parametrize("y", [0, 1, True, 0.75, 1.0 - 2.0**-40, 2.0**-40])
def test_binary_cross_entropy_and_its_gradient_are_those_of_mpmath(z, y, leaf):
    logit = Value(z)
    loss = binary_cross_entropy(logit, Value(y) if leaf else y)
    loss.backward()
    with mpmath.workdps(400):
        p = 1 / (1 + mpmath.exp(-mpmath.mpf(z)))
        q = 1 / (1 + mpmath.exp(mpmath.mpf(z)))  # 1 − p, where that would be 0
        assert loss.data == pytest.approx(float(-y * mpmath.log(p) - (1 - y) * mpmath.log(q)), rel=1e-14, abs=1e-300)
        assert logit.grad == pytest.approx(float((1 - y) * p - y * q), rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("engine", ["eager", "replay"])
@pytest.mark.parametrize(
    ("units", "loss", "right", "target"),
    [
        (3, cross_entropy, 2.061153620314381e-9 + 7.582560422162385e-10, 0),  # of e⁻²⁰ and e⁻²¹
        (1, binary_cross_entropy, 2.061153620314381e-9, 1),
    ],
)
def test_training_reports_the_loss_of_sure_examples_to_the_last_digits(engine, units, loss, right, target):
    model = nn.Sequential(nn.Linear(1, units, rng=Random(0)))
    for w, x in zip(model.parameters(), [20.0, 0.0, -1.0] if units == 3 else [20.0]):
        w.data = x
    data = Dataset([[1.0]] * 8, [target] * 8, [str(k) for k in range(max(units, 2))], ["x"])
    still = SGD(model.parameters(), 1e-300)
    [record] = Training(model, loss, still, data, data, epochs=1, batch_size=4, engine=engine, progress=False)
    assert record.loss == pytest.approx(right, rel=1e-9, abs=0.0)
    assert record.validation_loss == pytest.approx(right, rel=1e-9, abs=0.0)


@pytest.mark.parametrize(
    ("units", "loss", "targets"),
    [
        (1, binary_cross_entropy, [0, 1, 1, 0]),
        (1, binary_cross_entropy, [0.05, 0.95, 1, 0]),
        (3, cross_entropy, [2, 0, 1, 1]),
        (3, cross_entropy, [[0.0, 0.25, 0.75], [1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.1, 0.2, 0.7]]),
    ],
)
def test_labels_and_shares_train_alike_by_both_engines(units, loss, targets):
    data = Dataset(moons(24, rng=Random(0)).X, targets * 6, ["0", "1", "2"], ["x", "y"])
    records = []
    for engine in ("eager", "replay"):
        model = MLP(2, [6, units], activation="tanh", rng=Random(1))
        run = Training(
            model, loss, SGD(model.parameters(), 0.5), data, data, epochs=3, batch_size=5, rng=Random(2),
            progress=False, engine=engine,
        )  # fmt: skip
        records.append([[r.loss, r.accuracy, r.validation_loss, r.gradient_norm] for r in run])
    assert records[1] == [pytest.approx(record, rel=1e-10) for record in records[0]]


def test_labels_that_become_shares_between_epochs_are_followed_by_a_replay():
    hard = moons(20, rng=Random(0))
    soft = hard._replace(y=[0.1 + 0.8 * y for y in hard.y])
    losses = []
    for engine in ("eager", "replay"):
        model = MLP(2, [6, 1], activation="tanh", rng=Random(1))
        run = Training(
            model, binary_cross_entropy, SGD(model.parameters(), 0.5), hard, epochs=3, rng=Random(2),
            progress=False, engine=engine,
        )  # fmt: skip
        for record, data in zip(run, (soft, hard, hard)):
            losses.append(record.loss)
            run.training = data
    assert losses[3:] == pytest.approx(losses[:3], rel=1e-10)


@pytest.mark.parametrize(("outputs", "targets"), [([ONE], [1, 0]), ([ONE, ONE], [1]), ([], [])])
def test_a_mini_batch_needs_a_target_for_each_output(outputs, targets):
    with pytest.raises(ValueError, match=f"{len(outputs)} outputs and {len(targets)} targets"):
        mean_loss(hinge, outputs, targets)


def test_means_are_the_same_whether_or_not_the_interpreters_sum_compensates(monkeypatch, tmp_path):
    (tmp_path / "tenths.csv").write_text("x,kind\n" + "0.1,a\n0.1,b\n" * 8)

    def compensated(x, start=0):  # as from Python 3.12 on
        terms = [*x, start]
        return math.fsum(terms) if any(isinstance(term, float) for term in terms) else plain(terms)

    plain = builtins.sum
    monkeypatch.setattr(builtins, "sum", compensated)
    parts, schema = read_split(tmp_path / "tenths.csv", "kind", Random(0), "mean", [])
    assert len(parts.training.y) == 10
    assert schema.columns[0].fill == 0.1


# ---- names from elsewhere -------------------------------------------------------------------------------------

NET = MLP(2, [3, 1], batch_norm=True, rng=Random(0))
POINTS = moons(10, rng=Random(0))


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda: SGD(NET.parameters(), lr=0.1), "SGD has no lr: it is called learning_rate"),
        (lambda: Adam(NET.parameters(), eps=1e-9), "Adam has no eps: it is called epsilon"),
        (lambda: Adam(params=NET.parameters()), "Adam has no params: it is called parameters"),
        (lambda: Adam(NET.parameters(), beta1=0.8), "Adam has no beta1: pass both as betas"),
        (lambda: nn.RMSprop(NET.parameters(), rho=0.9), "RMSprop has no rho: it is called alpha"),
        (lambda: nn.Linear(in_features=2, out_features=1), "Linear has no in_features: it is called n_in"),
        (lambda: nn.Linear(2, units=1), "Linear has no units: it is called n_out"),
        (lambda: MLP(2, [1], bias=False), r"MLP has no bias: pass it to Linear: Linear\(2, 1, bias=False\)"),
        (lambda: MLP(2, units=[1]), "MLP has no units: it is called n_units"),
        (lambda: MLP(nin=2, nouts=[1]), "MLP has no nin: it is called n_in"),
        (lambda: nn.BatchNorm(num_features=3), "BatchNorm has no num_features: it is called n"),
        (lambda: nn.LeakyReLU(negative_slope=0.1), "LeakyReLU has no negative_slope: it is called slope"),
        (lambda: nn.ReLU(inplace=True), "ReLU takes no arguments"),
        (lambda: nn.ReLU(0.1), "ReLU takes no arguments"),
        (lambda: nn.Dropout(rate=0.5), "Dropout has no rate: it is called p"),
        (lambda: Training(NET, loss_fn=hinge), "Training has no loss_fn: it is called loss"),
        (lambda: Training(NET, hinge, n_epochs=3), "Training has no n_epochs: it is called epochs"),
        (lambda: nn.clip_norm(NET.parameters(), max_norm=1.0), "clip_norm has no max_norm: it is called largest"),
        (lambda: cross_entropy(TWO, 1, reduction="mean"), "cross_entropy has no reduction: nn.losses.mean_loss"),
        (lambda: cross_entropy(input=TWO, target=1), "cross_entropy has no input: it is called z"),
        (lambda: mean_squared_error(y_pred=TWO, y_true=0), "mean_squared_error has no y_pred"),
        (lambda: nn.PCA(n_components=2), "PCA has no n_components: it is called components"),
        (lambda: nn.Standardize(with_mean=True), "Standardize takes no arguments"),
        (lambda: moons(n_samples=10), "moons has no n_samples: it is called n"),
        (lambda: Training(NET, hinge, None, POINTS, lr=0.1), "Training has no lr: pass it to the optimiser"),
        (lambda: split(POINTS, random_state=0), "split has no random_state: it is called rng"),
        (lambda: SGD(NET.parameters(), rate_of_learning=0.1), "unexpected keyword argument 'rate_of_learning'"),
    ],
)
def test_an_argument_of_another_library_is_answered_with_our_name_for_it(write, words):
    with pytest.raises(TypeError, match=words):
        write()


@pytest.mark.parametrize(
    ("thing", "name", "words"),
    [
        (NET, "cuda", "MLP has no cuda: all numbers are Python floats on the CPU"),
        (NET, "fit", "MLP has no fit: iterate over nn.Training"),
        (NET, "weights", "MLP has no weights: it is called parameters"),
        (NET, "modules", "MLP has no modules: it is called submodules"),
        (NET.net.layers[0], "weight", "Linear has no weight: it is called W"),
        (NET.net.layers[0], "bias", "Linear has no bias: it is called b"),
        (NET.net.layers[1], "running_mean", "BatchNorm has no running_mean: it is called mu_"),
        (SGD(NET.parameters(), 0.1), "param_groups", "SGD has no param_groups: it is called groups"),
        (SGD(NET.parameters(), 0.1), "lr", "SGD has no lr: it is called learning_rate"),
        (Training(NET, hinge, SGD(NET.parameters(), 0.1), POINTS._replace(y=[1] * 10)), "history", "called records"),
        (nn, "CrossEntropyLoss", "nn has no CrossEntropyLoss: it is called cross_entropy"),
        (nn, "Dense", "nn has no Dense: it is called Linear"),
        (nn, "Parameter", "nn has no Parameter: use autograd.Value"),
        (nn, "ModuleList", "nn has no ModuleList: assign a plain list or dict to an attribute"),
        (nn, "BCELoss", "nn has no BCELoss: use binary_cross_entropy, which expects logits"),
        (nn, "Conv2d", r"nn has no Conv2d: subclass nn\.Module"),
        (nn, "DataLoader", r"nn has no DataLoader: nn\.Training takes an nn\.Dataset"),
        (nn, "Softmax", r"nn has no Softmax: use autograd\.softmax"),
        (nn, "StepLR", r"nn has no StepLR: pass a schedule such as nn\.optim\.step"),
        (NET, "register_forward_hook", r"MLP has no register_forward_hook: model\.trace\(x\) returns all z"),
        (NET, "requires_grad_", "MLP has no requires_grad_: it is called freeze"),
        (NET, "nothing", "MLP has no nothing$"),
        (nn, "nothing", "nn has no nothing$"),
    ],
)
def test_an_attribute_of_another_library_is_answered_with_our_name_for_it(thing, name, words):
    with pytest.raises(AttributeError, match=words):
        getattr(thing, name)
    assert not hasattr(thing, name)


def test_a_name_from_elsewhere_is_free_for_a_module_of_ones_own():
    class Scaled(Module):
        def __init__(self, rate, **weights):
            self.rate, self.weight, self.names = rate, Value(2.0), sorted(weights)

        def forward(self, x):
            return [self.rate * self.weight * x_k for x_k in x]

    scaled = Scaled(rate=3.0, bias=1, lr=2)
    assert ([a.data for a in scaled([1.0])], scaled.names) == ([6.0], ["bias", "lr"])


def test_every_answer_is_a_name_of_ours():
    classes = [thing for thing in vars(nn).values() if inspect.isclass(thing) and issubclass(thing, ChecksKeywords)]
    functions = [nn.PCA.__init__, nn.clip_norm, nn.clip_value, nn.data.split, moons, *nn.losses.BY_NAME.values()]
    known = {*nn.__all__, *dir(NET), *dir(NET.net.layers[0]), *dir(NET.net.layers[1]), *dir(Optimizer)}
    for function in (*functions, *(c.__init__ for c in classes), Training.__init__):
        known |= inspect.signature(function).parameters.keys()
    assert {word for words in NAMES.values() for word in words.split()} <= known | {"states", "records"}


# ---- one in another process -----------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", sorted(nn.activations.BY_NAME))
def test_a_model_goes_through_pickle_and_computes_the_same(activation):
    model = MLP(2, [3, 2], activation=activation, dropout=0.5, batch_norm=True, rng=Random(0))
    model.batch([[0.5, -1.0], [1.0, 2.0]])
    copy = pickle.loads(pickle.dumps(model))
    assert type(copy) is MLP and copy.state_dict() == model.state_dict()
    for mode in (True, False):
        model.train(mode)
        copy.train(mode)
        X = [[0.25, -0.5], [2.0, 1.0], [-1.0, 0.0]]
        assert [[a.data for a in row] for row in copy.batch(X)] == [[a.data for a in row] for row in model.batch(X)]


class Applying(Module):
    """A layer that holds an entry of the table, and a loss."""

    def __init__(self):
        self.g, self.loss, self.w = tanh, cross_entropy, Value(2.0)

    def forward(self, x):
        return [self.g(self.w * x_k) for x_k in x]


def test_a_module_that_holds_functions_goes_through_pickle_and_into_a_pool_of_processes():
    model = Applying()
    copy = pickle.loads(pickle.dumps(model))
    assert (copy.g, copy.loss) == (tanh, cross_entropy)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        trained, [a] = pool.submit(one_step, model).result()
    assert (trained.w.data, a) == (1.75, one_step(Applying())[1][0])


def one_step(model):
    """The model after a step against its weight, and what it says then."""
    model.w.data -= 0.25
    return model, [a.data for a in model([0.5])]


def test_an_optimiser_and_a_loss_go_through_pickle():
    model = MLP(2, [3, 1], rng=Random(0))
    cross = pickle.loads(pickle.dumps([model, Adam(model.parameters(), 0.1), binary_cross_entropy]))
    assert cross[1].parameters == cross[0].parameters()  # the copy's, not others
    assert cross[2] is binary_cross_entropy


# ---- first weights --------------------------------------------------------------------------------------------

N_IN, N_OUT = 300, 100
DRAWS = N_IN * N_OUT


@pytest.mark.parametrize(
    ("init", "std", "limit"),
    [
        (xavier_uniform, math.sqrt(2 / (N_IN + N_OUT)), math.sqrt(6 / (N_IN + N_OUT))),
        (xavier_normal, math.sqrt(2 / (N_IN + N_OUT)), None),
        (he_uniform, math.sqrt(2 / N_IN), math.sqrt(6 / N_IN)),
        (he_normal, math.sqrt(2 / N_IN), None),
    ],
)
def test_first_weights_have_the_formulas_moments_and_bounds(init, std, limit):
    W = init(N_IN, N_OUT, Random(0))
    assert (len(W), {len(row) for row in W}) == (N_OUT, {N_IN})
    w = [w_jk for row in W for w_jk in row]
    # five standard errors: std/√n of the mean, std/√2n of a normal standard deviation (a uniform one's is smaller)
    assert abs(fmean(w)) < 5 * std / math.sqrt(DRAWS)
    assert abs(pstdev(w) - std) < 5 * std / math.sqrt(2 * DRAWS)
    if limit is None:
        assert max(map(abs, w)) > 3.5 * std  # which no uniform weight reaches: its limit is √3 std
    else:
        assert 0.999 * limit < max(map(abs, w)) <= limit


@pytest.mark.parametrize(
    ("activation", "init"),
    [("relu", he_normal), ("leaky_relu", he_normal), ("tanh", xavier_uniform), ("sigmoid", xavier_uniform)],
)
def test_mlp_starts_with_the_weights_for_its_activation_and_biases_of_0(activation, init):
    state = MLP(3, [5, 2], activation=activation, rng=Random(7)).state_dict()
    rng = Random(7)
    assert state["net.layers.0.W"] == init(3, 5, rng)
    assert state["net.layers.2.W"] == init(5, 2, rng)
    assert set(state["net.layers.0.b"] + state["net.layers.2.b"]) == {0.0}


def test_an_mlp_takes_first_weights_by_name_or_as_a_function():
    for init in ("normal", INITIALIZERS["normal"]):
        state = MLP(3, [2], init=init, rng=Random(7)).state_dict()
        assert state["net.layers.0.W"] == INITIALIZERS["normal"](3, 2, Random(7))


def test_a_linear_alone_names_its_parameters_without_a_layer():
    assert [p.name for p in nn.Linear(2, 1).parameters()] == ["w_11", "w_12", "b_1"]


def test_a_trace_passes_gradients_to_what_an_example_was_computed_from_and_leaves_its_leaves_alone():
    model = MLP(2, [2, 1], activation="tanh", rng=Random(0))
    x = Value(0.5, "mine")
    trace = model.trace([x, x * x])
    trace.output.backward()
    assert x.name == "mine" and trace.a[0][0].parents == ()
    y = Value(0.25)
    model([0.5, y]).backward()
    assert x.grad == pytest.approx(2.0 * 0.5 * y.grad, rel=1e-12)  # rounding: through x² alone, where ∂x²/∂x = 2x


# ---- data -----------------------------------------------------------------------------------------------------


def on_spiral(x, y, label):
    radius, angle = math.hypot(x, y), math.atan2(y, x)
    off = (angle - 1.5 * math.pi * radius - math.pi * label) / (2 * math.pi)
    return 0.2 <= radius <= 2.0 and abs(off - round(off)) < 1e-12


CURVES = {
    circles: lambda x, y, label: math.isclose(math.hypot(x, y), (0.5, 1.0)[label]),
    moons: lambda x, y, label: (
        y <= 0.5 and math.isclose(math.hypot(x - 1.0, y - 0.5), 1.0)
        if label
        else y >= 0.0 and math.isclose(math.hypot(x, y), 1.0)
    ),
    spirals: on_spiral,
    xor: lambda x, y, label: (x * y < 0.0) == label and max(abs(x), abs(y)) <= 1.0,
}


@pytest.mark.parametrize("make", CURVES)
def test_points_in_the_plane_lie_on_their_curves_in_balanced_classes_and_a_seed_repeats_them(make):
    data = make(301, noise=0.0, rng=Random(4))
    assert all(CURVES[make](*x, label) for x, label in zip(data.X, data.y))
    assert (len(data.X), Counter(data.y)) == (301, {0: 151, 1: 150})
    assert (len(data.classes), len(data.features)) == (2, 2)
    assert make(9, rng=Random(4)) == make(9, rng=Random(4)) != make(9, rng=Random(5))
    assert make(9) != make(9)  # without rng, a fresh generator


@pytest.mark.parametrize("make", CURVES)
def test_noise_is_the_standard_deviation_about_the_curve(make):
    exact, noisy = (make(2000, noise, Random(6)) for noise in (0.0, 0.3))
    moves = [b - a for x, moved in zip(exact.X, noisy.X) for a, b in zip(x, moved)]
    # 4000 numbers: standard errors are 0.3/√4000 of the mean and 0.3/√8000 of the deviation; five of each
    assert abs(fmean(moves)) < 5 * 0.3 / math.sqrt(4000)
    assert abs(pstdev(moves) - 0.3) < 5 * 0.3 / math.sqrt(8000)


@pytest.mark.parametrize("noise", [-0.1, math.nan, math.inf])
def test_noise_that_is_no_standard_deviation_is_refused(noise):
    with pytest.raises(ValueError, match="noise"):
        moons(10, noise)


def test_the_bundled_data_sets_have_their_published_sizes():
    data = iris()
    assert (len(data.X), len(data.X[0]), Counter(data.y)) == (150, 4, {0: 50, 1: 50, 2: 50})
    assert data.classes == ["setosa", "versicolor", "virginica"]
    data = digits()
    assert (len(data.X), {len(x) for x in data.X}, len(data.classes)) == (1797, {64}, 10)
    assert {pixel * 16 for x in data.X for pixel in x} == set(range(17))
    assert sorted(Counter(data.y).values()) == [174, 177, 178, 179, 180, 181, 181, 182, 182, 183]
    data = diabetes()
    assert (len(data.X), len(data.X[0]), data.classes) == (442, 10, [])
    assert (min(data.y), max(data.y), {type(y) for y in data.y}) == (25.0, 346.0, {float})
    assert data.features[:3] == ["age", "sex", "bmi"] and data.X[0][:3] == [59.0, 2.0, 32.1]
    assert set(BY_NAME) == {"circles", "moons", "sine", "spirals", "xor"}
    assert set(BUNDLED) == {"breast_cancer", "diabetes", "digits", "iris", "wine"}


def test_sine_is_a_noisy_curve_that_a_seed_repeats():
    exact, noisy = (sine(2000, noise, Random(6)) for noise in (0.0, 0.3))
    assert exact.y == [math.sin(x) for [x] in exact.X]
    assert all(-math.pi <= x <= math.pi for [x] in exact.X) and (exact.classes, exact.features) == ([], ["x"])
    # 2000 numbers: standard errors are 0.3/√2000 of the mean and 0.3/√4000 of the deviation; five of each
    moves = [b - math.sin(x) for [x], b in zip(noisy.X, noisy.y)]
    assert abs(fmean(moves)) < 5 * 0.3 / math.sqrt(2000)
    assert abs(pstdev(moves) - 0.3) < 5 * 0.3 / math.sqrt(4000)
    assert sine(5, rng=0) == sine(5, rng=Random(0)) != sine(5, rng=1)
    with pytest.raises(ValueError, match="n = 1: the number of points"):
        sine(1)


@pytest.mark.parametrize("make", [*BY_NAME.values(), lambda rng: split(moons(20, rng=0), rng=rng),
                                  lambda rng: list(batches(9, 4, rng))])  # fmt: skip
def test_an_int_is_a_seed_wherever_data_are_random(make):
    assert make(rng=0) == make(rng=np.int64(0)) == make(rng=Random(0)) != make(rng=1)
    assert make(rng=None) != make(rng=None)
    for wrong in ("0", 0.5, True, np.random.default_rng(0)):
        with pytest.raises(TypeError, match=r"rng = .*: it must be a seed such as 0, a random\.Random, or None"):
            make(rng=wrong)


def test_split_is_stratified_disjoint_complete_and_repeated_by_a_seed():
    y = [0] * 70 + [1] * 23 + [2] * 10
    data = Dataset([[float(i)] for i in range(len(y))], y, ["a", "b", "c"], ["i"])
    parts = split(data, rng=Random(1))
    assert sorted(x for part in parts for x in part.X) == data.X
    assert all(label == y[int(i)] for part in parts for [i], label in zip(part.X, part.y))
    for part, fraction in zip(parts, (0.6, 0.2, 0.2)):
        for label, count in Counter(y).items():
            assert abs(part.y.count(label) - fraction * count) < 1.0
        assert part.y != sorted(part.y)
    assert parts == split(data, rng=Random(1)) != split(data, rng=Random(2))


@pytest.mark.parametrize(
    ("y", "fractions", "sizes"),
    [
        ([i % 10 for i in range(70)], (0.6, 0.2, 0.2), [42, 14, 14]),  # 4.2, 1.4, 1.4 of each class
        ([i % 30 for i in range(90)], (0.5, 0.25, 0.25), [45, 23, 22]),
        ([i % 2 for i in range(10)], (0.7, 0.3, 0.0), [7, 3, 0]),
        ([float(i % 2) for i in range(40)], (0.6, 0.2, 0.2), [24, 8, 8]),
        ([float(i) for i in range(13)], (0.6, 0.2, 0.2), [8, 3, 2]),
        ([[1.0, 0.0], [0.0, 1.0]] * 35, (0.1, 0.2, 0.7), [7, 14, 49]),
        ([[float(i), 0.5] for i in range(20)], (0.6, 0.2, 0.2), [12, 4, 4]),
        (["a", "b", "b", "c", "c", "c", "d"], (0.6, 0.2, 0.2), [4, 2, 1]),
    ],
)
def test_split_gives_every_part_its_size_and_every_class_its_share(y, fractions, sizes):
    for seed in range(10):
        data = Dataset(range(len(y)), y)
        parts = split(data, fractions, rng=seed)
        assert [len(part.y) for part in parts] == sizes
        assert sorted(x for part in parts for x in part.X) == data.X
        for part, fraction in zip(parts, fractions):
            for label in data.y:
                assert abs(part.y.count(label) - fraction * data.y.count(label)) < 1.0


def test_a_class_of_a_single_example_is_trained_on_where_others_have_more():
    y = [0] * 21 + [1] * 9 + [2] * 6 + [3]  # quotas of 12.6, 5.4, 3.6 and 0.6, and of 22.2 in all
    for seed in range(20):
        parts = split(Dataset(range(37), y), rng=seed)
        assert [len(part.y) for part in parts] == [22, 8, 7] and 3 in parts.training.y


def test_which_classes_give_an_example_more_is_random():
    first = [set(split(Dataset(range(30), range(30)), rng=seed).test.y) for seed in range(40)]
    # 6 of 30 each time: a number that is in none of 40 has a chance of 0.8⁴⁰ = 1.3e-4
    assert set().union(*first) == set(range(30)) and len({frozenset(found) for found in first}) == 40


@pytest.mark.parametrize(
    ("n", "fractions", "words"),
    [
        (40, (0.5, 0.2, 0.2), "that sum to 1"),
        (40, (0.5, 0.5), "pass three"),
        (40, (float("nan"), 0.5, 0.5), "that sum to 1"),
        (40, (1.5, -0.25, -0.25), "numbers ≥ 0"),
        (3, (0.6, 0.2, 0.2), "too few for test"),
    ],
)
def test_split_refuses_fractions_and_data_that_leave_a_part_empty(n, fractions, words):
    with pytest.raises(ValueError, match=words):
        split(moons(n), fractions)


@pytest.mark.parametrize(("n", "size", "sizes"), [(7, 3, [3, 3, 1]), (6, 3, [3, 3]), (5, 99, [5]), (3, 1, [1, 1, 1])])
def test_only_the_last_batch_may_be_smaller(n, size, sizes):
    found = list(batches(n, size, Random(0)))
    assert list(map(len, found)) == sizes
    assert sorted(i for batch in found for i in batch) == list(range(n))


# ---- optimisers -----------------------------------------------------------------------------------------------

W = Value(1.0, "w")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: SGD([], 0.1), "model.parameters"),
        (lambda: SGD([W, Value(2.0), W], 0.1), "appears twice"),
        (lambda: SGD([W, 2.0 * W], 0.1), "updates leaves, but .* is computed"),
        (lambda: SGD([W], 0.0), "learning_rate = 0.0"),
        (lambda: SGD([W], -0.1), "learning_rate = -0.1"),
        (lambda: Adam([W], math.nan), "learning_rate = nan"),
        (lambda: Adam([W], math.inf), "learning_rate = inf"),
        (lambda: SGD([W], 0.1, momentum=1.0), "momentum = 1.0"),
        (lambda: SGD([W], 0.1, momentum=-0.5), "momentum = -0.5"),
        (lambda: SGD([W], 0.1, weight_decay=-1.0), "weight_decay = -1.0"),
        (lambda: Adam([W], weight_decay=-1.0), "weight_decay = -1.0"),
        (lambda: Adam([W], betas=(0.9, 1.0)), "beta = 1.0"),
        (lambda: Adam([W], betas=(-0.1, 0.9)), "beta = -0.1"),
        (lambda: Adam([W], epsilon=0.0), "epsilon = 0.0"),
    ],
)
def test_optimisers_refuse_what_cannot_work(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_an_optimiser_moves_values_and_nothing_else():
    with pytest.raises(TypeError, match="updates Values"):
        SGD([W, 1.0], 0.1)


def test_a_step_that_fails_for_one_parameter_moves_none():
    class FailsAt2(Optimizer):
        def first_state(self):
            return ()

        def update(self, w, gradient, state):
            return 1.0 / (2.0 - w), ()

    parameters = [Value(1.5), Value(2.0)]
    with pytest.raises(ZeroDivisionError):
        FailsAt2(parameters, 0.1).step()
    assert [p.data for p in parameters] == [1.5, 2.0]


# ---- training -------------------------------------------------------------------------------------------------


def on_moons(rate=0.1, epochs=4, validation=True, **options):
    points = split(moons(30, 0.3, Random(0)), rng=Random(0))
    model = MLP(2, [4, 1], activation="tanh", rng=Random(1))
    return Training(
        model, binary_cross_entropy, SGD(model.parameters(), rate), points.training,
        points.validation if validation else None, epochs=epochs, batch_size=4, rng=Random(2), **options,
    )  # fmt: skip


def test_the_weights_of_the_best_epoch_come_back():
    training = on_moons(rate=2.0, epochs=5)
    states = {record: training.model.state_dict() for record in training}
    best = min(states, key=lambda record: record.validation_loss)
    assert best.epoch == 2  # neither the first nor the last, or keeping those would pass
    assert training.restore_best() == best
    assert training.model.state_dict() == states[best]
    loss, metrics = evaluate(training.model, binary_cross_entropy, training.validation)
    assert (loss, metrics.accuracy) == (best.validation_loss, best.validation_accuracy)


def test_without_validation_data_there_is_no_best_epoch_to_restore():
    training = on_moons(validation=False)
    [*_, last] = training
    assert math.isnan(last.validation_loss)
    weights = training.model.state_dict()
    assert training.restore_best() is None
    assert training.model.state_dict() == weights


def test_training_says_why_it_stopped():
    training = on_moons(epochs=2)
    assert training.stopped == "not started"
    for _ in training:
        break
    assert training.stopped == "by the caller, in epoch 1"
    for _ in training:
        pass
    assert training.stopped == "after 2 epochs"


def test_training_that_blew_up_does_not_blame_the_caller():
    training = on_moons()
    for p in training.model.parameters():
        p.data = 1e308
    with pytest.raises(DomainError):
        list(training)
    assert "by the caller" not in training.stopped


def test_training_repeats_to_the_bit_with_its_seeds():
    assert list(on_moons()) == list(on_moons())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epochs": 0}, "epochs = 0"),
        ({"batch_size": 0}, "batch_size = 0"),
        ({"training": moons(2).take([])}, "0 examples"),
        ({"training": moons(2)._replace(y=[1])}, "2 examples and 1 targets"),
    ],
)
def test_training_refuses_what_it_cannot_run(change, words):
    model = MLP(2, [1])
    arguments = {"training": moons(4), "epochs": 1, "batch_size": 2} | change
    with pytest.raises(ValueError, match=words):
        Training(model, binary_cross_entropy, SGD(model.parameters(), 0.1), **arguments)


@pytest.mark.parametrize(
    ("terminal", "progress", "shows"), [(True, True, True), (False, True, False), (True, False, False)]
)
def test_the_progress_bar_shows_on_a_terminal_alone(monkeypatch, terminal, progress, shows):
    stderr = StringIO()
    stderr.isatty = lambda: terminal
    monkeypatch.setattr(sys, "stderr", stderr)
    list(on_moons(epochs=1, progress=progress))
    assert ("epoch 1/1 " in stderr.getvalue(), stderr.getvalue() != "") == (shows, shows)


# ---- checkpoints ----------------------------------------------------------------------------------------------


@pytest.fixture
def model():
    return MLP(2, [3, 2], activation="tanh", rng=Random(0))


def test_saved_weights_come_back_to_the_bit_and_older_ones_are_replaced(model, tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_text("an older file")
    model.parameters()[0].data, model.parameters()[1].data = 0.1 + 0.2, 5e-324
    save(model, path, {"config": "{}"})
    other = MLP(2, [3, 2], activation="tanh", rng=Random(1))
    assert other.state_dict() != model.state_dict()
    load(other, path)
    assert other.state_dict() == model.state_dict()
    assert other([0.5, -1.0])[1].data == model([0.5, -1.0])[1].data
    assert {name: array.tolist() for name, array in load_file(path).items()} == model.state_dict()
    assert list(tmp_path.iterdir()) == [path]


def refused(model, path, words):
    before = model.state_dict()
    with pytest.raises(ValueError, match=words) as error:
        load(model, path)
    assert str(path) in str(error.value)
    assert model.state_dict() == before


def foreign_files():
    archive, arrays = BytesIO(), BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("weights", "1 2 3")
    np.savez(arrays, W=np.ones(3))
    return {
        "a picture": b"\x89PNG\r\n\x1a\n" + bytes(200),
        "a pickle": pickle.dumps({"W": [1.0, 2.0]}),
        "an archive": archive.getvalue(),
        "NumPy's": arrays.getvalue(),
        "text": b"x,y\n1,2\n" * 20,
        "JSON": b'{"net.layers.0.W": [1, 2]}',
        "a header that is no object": struct.pack("<Q", 4) + b"null",
        **{f"a header of {size} bytes": struct.pack("<Q", size) + bytes(100) for size in (10**8, 2**63, 2**64 - 1)},
    }


@pytest.mark.parametrize("content", foreign_files().values(), ids=foreign_files())
def test_a_foreign_file_is_refused(model, tmp_path, content):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(content)
    refused(model, path, "not a complete safetensors file")


def saved_bytes(model, path):
    """The bytes of a file with a model and a fitted preprocessing, and where its header ends."""
    save(model, path, {"config": "{}"}, nn.Pipeline(nn.Standardize(), nn.PCA()).fit(moons(20, rng=Random(0)).X))
    content = path.read_bytes()
    return content, 8 + int.from_bytes(content[:8], "little")


def test_a_file_cut_at_any_byte_or_with_one_more_is_refused(model, tmp_path):
    path = tmp_path / "weights.safetensors"
    content, header = saved_bytes(model, path)
    for length in {*range(80), *range(80, len(content), 29), header, len(content) - 1}:
        path.write_bytes(content[:length])
        refused(model, path, "not a complete safetensors file")
    path.write_bytes(content + b"\0")
    refused(model, path, "not a complete safetensors file")


def test_a_bit_flipped_in_a_header_is_refused_or_changes_no_number(model, tmp_path):
    path = tmp_path / "weights.safetensors"
    content, header = saved_bytes(model, path)
    saved, scaling, loaded = model.state_dict(), load_preprocessing(path).state_dict(), 0
    bits = [*range(64), *Random(0).sample(range(64, 8 * header), 500)]
    for bit in bits:
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        other = MLP(2, [3, 2], activation="tanh", rng=Random(1))
        before = other.state_dict()
        try:
            learned = load_preprocessing(path)
            load(other, path)
        except ValueError as error:
            assert str(path) in str(error) and "\n" not in str(error)
            assert other.state_dict() == before
        else:  # as in the metadata, of which neither reads anything
            loaded += 1
            assert (other.state_dict(), learned.state_dict()) == (saved, scaling)
    assert loaded < len(bits) / 10


def test_a_bit_flipped_in_a_weight_is_refused_by_the_checksum(model, tmp_path):
    path = tmp_path / "weights.safetensors"
    content, header = saved_bytes(model, path)
    for bit in range(8 * header, 8 * len(content), 37):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        refused(model, path, "is damaged: its checksum does not match")


def test_a_file_without_a_checksum_as_of_another_program_is_loaded(model, tmp_path):
    path, state = tmp_path / "weights.safetensors", model.state_dict()
    path.write_bytes(to_bytes({name: np.array(numbers) for name, numbers in state.items()}))
    other = MLP(2, [3, 2], activation="tanh", rng=Random(1))
    load(other, path)
    assert other.state_dict() == state


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a | {"net.layers.0.W": a["net.layers.0.W"].T.copy()}, r"\(3, 2\) in the model but \(2, 3\)"),
        (lambda a: a | {"net.layers.2.b": a["net.layers.2.b"][:1]}, r"\(2,\) in the model but \(1,\)"),
        (lambda a: {k: v for k, v in a.items() if k != "net.layers.2.b"}, "missing net.layers.2.b"),
        (lambda a: a | {"net.layers.9.W": a["net.layers.0.W"]}, "unknown net.layers.9.W"),
        (lambda a: a | {f"../{i}": a["net.layers.2.b"] for i in range(1000)}, "unknown ../0, .* and 995 more"),
        (lambda a: a | {"net.layers.2.b": a["net.layers.2.b"].astype(int)}, "2.b has dtype int64"),
        (lambda a: a | {"net.layers.2.b": a["net.layers.2.b"] > 0.0}, "2.b has dtype bool"),
        (lambda a: a | {"net.layers.2.b": a["net.layers.2.b"] + math.nan}, "net.layers.2.b .* not finite"),
        (lambda a: a | {"net.layers.2.W": a["net.layers.2.W"] - math.inf}, "net.layers.2.W .* not finite"),
    ],
    ids=["transposed", "short", "missing", "unknown", "a thousand unknown", "whole", "bool", "NaN", "infinite"],
)
def test_a_file_that_does_not_fit_is_refused_and_changes_nothing(model, tmp_path, change, words):
    path = tmp_path / "weights.safetensors"
    other = MLP(2, [3, 2], rng=Random(1))
    save(other, path)
    path.write_bytes(to_bytes(change(load_file(path))))
    refused(model, path, words)


@pytest.mark.parametrize(("dtype", "size"), [("BF16", 2), ("C64", 8)])
def test_a_file_of_numbers_that_are_no_floats_here_is_refused(tmp_path, dtype, size):
    path = tmp_path / "weights.safetensors"
    W = {"dtype": dtype, "shape": [1, 1], "data_offsets": [0, size]}
    b = {"dtype": dtype, "shape": [1], "data_offsets": [size, 2 * size]}
    header = json.dumps({"W": W, "b": b}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(2 * size))
    refused(nn.Linear(1, 1), path, "weights.safetensors")


def test_no_file_is_the_systems_own_error(model, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load(model, tmp_path / "nowhere.safetensors")


# ---- the command line -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("", "DATA"),
        ("moons --bogus 1", "--bogus"),
        ("moons --epochs two", "--epochs"),
        ("moons --batch-size 0", "batch_size = 0"),
        ("moons --activation step", "leaky_relu"),
        ("moons --optimizer sgd --momentum 1", "momentum = 1"),
        ("moons --weight-decay -1", "weight_decay = -1"),
        ("moons --learning-rate nan", "learning_rate = nan"),
        ("moons --examples 3", "3 examples"),
        ("moons --noise -1", "noise = -1"),
        ("moons --out taken --epochs 1", "taken"),
    ],
)
def test_what_cannot_work_is_one_line_and_status_2_and_leaves_nothing(tmp_path, monkeypatch, refused, options, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").touch()
    line = refused(main, *options.split(), prints=True)
    assert line.startswith("nn: ") and words in line
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "taken"]


def test_a_run_writes_picture_and_weights_where_it_was_asked_to_and_nothing_else(tmp_path):
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    elsewhere.mkdir()
    options = ["moons", "--epochs", "2", "--examples", "30", "--hidden", "2", "--out", str(out)]
    done = python("-m", "nn", *options, cwd=elsewhere)
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")} == {
        "elsewhere",
        "out",
        *(f"out/{name}" for name in ("checkpoint.safetensors", "config.json", "layers.png", "picture.png")),
        *(f"out/{name}" for name in ("records.jsonl", "weights.safetensors")),
    }
    assert (out / "picture.png").read_bytes().startswith(b"\x89PNG")
    load(MLP(2, [2, 1]), out / "weights.safetensors")
    assert "18 / 6 / 6 examples" in done.stdout and "2-2-1 relu, 9 parameters" in done.stdout
    assert "stopped after 2 epochs" in done.stdout


def test_without_matplotlib_the_weights_are_written_and_the_remedy_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    main(["xor", "--epochs", "1", "--examples", "20", "--hidden", "2", "--out", str(tmp_path)])
    assert "no picture: plots need matplotlib: pip install 'chainrule[plot]'" in capsys.readouterr().out
    assert "weights.safetensors" in {path.name for path in tmp_path.iterdir()}
    assert not list(tmp_path.glob("*.png"))


def test_without_scikit_learn_its_data_sets_say_what_to_install(monkeypatch, refused):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert "pip install 'chainrule[datasets]'" in refused(main, "iris")


# ---- modules --------------------------------------------------------------------------------------------------


def test_evaluation_mode_reaches_every_module_and_is_restored_by_evaluate():
    modes = []

    class Watcher(Module):
        def forward(self, x):
            modes.append(self.training)
            return x

    model = nn.Sequential(nn.Linear(2, 1, rng=Random(0)), nn.Sequential(Watcher()))
    evaluate(model, binary_cross_entropy, moons(2, rng=Random(0)))
    model([0.0, 1.0])
    model.eval()([0.0, 1.0])
    assert modes == [False, False, True, False]


class Own(Module):
    """A module with the given attributes, which maps an example to itself."""

    def __init__(self, **attributes):
        vars(self).update(attributes)

    def forward(self, x):
        return x


def linear(n_in=1, n_out=1, **options):
    return nn.Linear(n_in, n_out, rng=0, **options)


@dataclass
class Gates:
    update: Module


@pytest.mark.parametrize(
    ("attributes", "paths"),
    [
        ({"heads": {"left": linear(), "right": linear()}}, ["heads.left", "heads.right"]),
        ({"blocks": [[linear()], (linear(), nn.Tanh())]}, ["blocks.0.0", "blocks.1.0", "blocks.1.1"]),
        ({"by_depth": {1: [linear()], 2: {"skip": linear()}}}, ["by_depth.1.0", "by_depth.2.skip"]),
        ({"queue": deque([linear()]), "view": MappingProxyType({"a": linear()})}, ["queue.0", "view.a"]),
        ({"inner": Own(deep=({"a": linear()},))}, ["inner", "inner.deep.0.a"]),
        ({"spaces": [SimpleNamespace(a=linear())], "gates": Gates(linear())}, ["spaces.0.a", "gates.update"]),
    ],
)
def test_modules_in_lists_tuples_and_dicts_are_trained_saved_and_switched(attributes, paths, tmp_path):
    model = Own(**attributes)
    linears = [path for path in paths if isinstance(model.submodules()[path], nn.Linear)]
    assert list(model.submodules()) == paths
    assert set(model.state_dict()) == {f"{path}.{name}" for path in linears for name in "Wb"}
    assert len(model.parameters()) == len(set(model.named_parameters())) == 2 * len(linears)
    model.eval()
    assert not any(module.training for module in model.submodules().values())
    save(model, tmp_path / "w")
    before = model.state_dict()
    for p in model.parameters():
        p.data += 1.0
    load(model, tmp_path / "w")
    assert model.state_dict() == before


@pytest.mark.parametrize(
    ("attributes", "state"),
    [
        ({"w": Value(2.0)}, {"w": 2.0}),
        ({"W": ([Value(1.0)], [Value(2.0)])}, {"W": [[1.0], [2.0]]}),
        ({"W": np.array([[Value(1.0), Value(2.0)]])}, {"W": [[1.0, 2.0]]}),
        ({"parts": {"W": [Value(1.0)], "b": Value(0.5)}}, {"parts.W": [1.0], "parts.b": 0.5}),
        ({"ragged": [[Value(1.0)], [Value(2.0), Value(3.0)]]}, {"ragged.0": [1.0], "ragged.1": [2.0, 3.0]}),
        ({"mixed": [Value(1.0), 5.0, None, "text", Value(2.0)]}, {"mixed.0": 1.0, "mixed.4": 2.0}),
        ({"cube": [[[Value(1.0)], [Value(2.0)]]]}, {"cube": [[[1.0], [2.0]]]}),
    ],
)
def test_values_at_any_depth_are_parameters_and_lists_of_one_shape_one_tensor(attributes, state):
    model = Own(**attributes)
    assert model.state_dict() == state
    doubled = {path: (2.0 * np.array(numbers)).tolist() for path, numbers in state.items()}
    model.load_state_dict(doubled)
    assert model.state_dict() == doubled
    assert len(model.parameters()) == sum(np.size(numbers) for numbers in state.values())


def test_what_forward_computes_and_keeps_is_no_parameter_in_either_mode_nor_in_a_copy():
    class Keeping(Module):
        def __init__(self):
            self.w = Value(0.5)

        def forward(self, x):
            self.hidden = [self.w * x_k for x_k in x]
            self.seen = {"x": x, "pair": (x[0], self.hidden[0]), "rows": [[self.hidden[0]]]}
            return [z.tanh() for z in self.hidden]

    model = Keeping()
    model([1.0, 2.0])
    assert (list(model.state_dict()), model.parameters()) == (["w"], [model.w])
    with no_grad():
        model([1.0, 2.0])
    assert (list(model.state_dict()), model.parameters()) == (["w"], [model.w])
    assert list(deepcopy(model).state_dict()) == ["w"]


def test_numbers_text_arrays_and_functions_in_attributes_are_left_alone_and_buffers_are_lists():
    model = Own(
        lambda_=0.1, name_="net", shape_=(2.0, 3.0), mu_=[0.5, 1], cov_=[[1.0, 0.0], [0.0, 2.0]], sizes=[1.0, 2.0],
        table=np.zeros((2, 2)), g=tanh, many=range(10**12), rng=Random(0), nothing=None, empty=[], sets={1, "a"},
    )  # fmt: skip
    assert model.state_dict() == {"mu_": [0.5, 1.0], "cov_.0": [1.0, 0.0], "cov_.1": [0.0, 2.0]}
    model.load_state_dict({"mu_": [3.0, 4.0], "cov_.0": [5.0, 6.0], "cov_.1": [7.0, 8.0]})
    assert (model.mu_, model.cov_, model.lambda_) == ([3.0, 4.0], [[5.0, 6.0], [7.0, 8.0]], 0.1)


def referring_back():
    model = Own(child=Own())
    model.child.parents = {"first": model}
    return model


def inside_itself():
    endless = [Value(1.0)]
    endless.append(endless)
    return Own(endless=endless)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Own(layers={linear()}), "layers is a set, which is not searched for parameters: use a list"),
        (lambda: Own(deep=[{"w": frozenset([Value(1.0)])}]), "deep.0.w is a frozenset, which"),
        (lambda: Own(layers=(linear() for _ in "ab")), "layers is a generator, which"),
        (lambda: Own(layers=map(nn.Tanh, [])), "layers is a map, which"),
        (lambda: Own(layers=iter([linear()])), "layers is a list_iterator, which"),
        (lambda: Own(mu_=np.zeros(3)), "mu_ is an array: statistics learned from data must be a list"),
        (lambda: Own(layers={"a": linear()}.values()), "layers is a dict_values, which"),
        (lambda: Own(heads={0.5: linear()}), "heads has the key 0.5: keys of modules and parameters must be"),
        (lambda: Own(heads={"a.b": Value(1.0)}), "heads has the key 'a.b': "),
        (lambda: Own(heads={1: linear(), "1": linear()}), "heads has the key '1': .* no two may form the same path"),
        (referring_back, "refers to the Own that contains it: .* weakref"),
        (inside_itself, "endless.1 refers to the list that contains it"),
    ],
)
def test_what_cannot_be_searched_is_named_with_its_remedy(make, words):
    model = make()
    for search in (model.parameters, model.state_dict, model.train, model.eval, model.freeze, model.zero_grad):
        with pytest.raises((TypeError, ValueError), match=words):
            search()


@pytest.mark.parametrize("shared", [linear(), [Value(1.0)], {"a": linear()}])
def test_a_module_or_parameter_of_a_class_is_refused_where_the_class_is_made(shared):
    with pytest.raises(TypeError, match=r"Shared\.inner.* shared by all instances: assign it in __init__"):
        type("Shared", (Own,), {"inner": shared})
    assert type("Plain", (Own,), {"sizes": [1, 2], "rng": Random(0)})().state_dict() == {}


def test_a_layer_used_twice_is_two_paths_and_each_parameter_once():
    shared = linear()
    model = nn.Sequential(shared, nn.Tanh(), shared)
    assert (list(model.state_dict()), model.parameters()) == (
        ["layers.0.W", "layers.0.b", "layers.2.W", "layers.2.b"], [shared.W[0][0], shared.b[0]],
    )  # fmt: skip


def test_what_an_attribute_is_replaced_by_counts_at_once():
    model = Own(layers=[linear()])
    assert len(model.parameters()) == 2
    model.layers.append(linear(2))
    model.scale = Value(1.0)
    assert len(model.parameters()) == 6
    del model.layers[0]
    assert list(model.state_dict()) == ["scale", "layers.0.W", "layers.0.b"]


def test_parameters_of_ones_own_are_named_by_their_paths_and_every_name_is_one():
    model = nn.Sequential(linear(2, 2), Own(scale=[Value(1.0), Value(2.0)], shift=Value(0.0), mine=Value(3.0, "m")))
    assert list(model.named_parameters())[6:] == ["layers.1.scale_1", "layers.1.scale_2", "layers.1.shift", "m"]
    assert [p.name for p in model.parameters()] == list(model.named_parameters())
    two = Own(
        hidden=linear(2), out=linear(), other=Value(0.0, "w_11"), W_1=Value(1.0), W=[Value(2.0)], d={"k": Value(0.0)},
    )  # fmt: skip
    assert list(two.named_parameters()) == [
        "other", "W_1", "W_1′", "d.k", "hidden.W_11", "w_12", "hidden.b_1", "out.W_11", "out.b_1",
    ]  # fmt: skip
    assert list(two.named_parameters().values()) == two.parameters()


# ---- modes and freezing ---------------------------------------------------------------------------------------


def test_an_overriding_train_or_eval_of_a_module_inside_is_called():
    class Fixed(Own):
        def train(self, mode=True):
            super().train(mode)
            self.bn.eval()
            return self

    class Counting(Own):
        evaluated = 0

        def eval(self):
            self.evaluated += 1
            return super().eval()

    fixed, counting = Fixed(bn=nn.BatchNorm(1), drop=nn.Dropout()), Counting()
    model = nn.Sequential(nn.Sequential(fixed), Own(inner={"a": counting}))
    model.eval().train()
    assert (fixed.training, fixed.bn.training, fixed.drop.training) == (True, False, True)
    assert (counting.evaluated, counting.training) == (1, True)
    with evaluating(model):
        assert not any(module.training for module in model.submodules().values())
    assert (fixed.training, fixed.bn.training, fixed.drop.training, counting.training) == (True, False, True, True)


def test_a_frozen_module_keeps_its_numbers_leaves_the_parameters_and_stays_in_evaluation():
    model = MLP(2, [3, 2, 1], batch_norm=True, dropout=0.5, rng=0)
    state, count = model.state_dict(), len(model.parameters())
    body = nn.Sequential.freeze(model.net[:4])
    model.train()
    assert [layer.training for layer in model.net] == [False] * 4 + [True] * 5
    assert list(model.state_dict()) == list(state)
    assert list(model.named_parameters())[:2] == ["w²_11", "w²_12"]
    assert len(model.parameters()) == count - 15  # 2·3 + 3 and 3 + 3
    [] = set(nn.layers.weights(model)) & set(flatten([*body.tensors().values()]))
    model.batch([[0.0, 1.0], [2.0, -1.0]])
    assert model.net[1].mu_ == [0.0] * 3 and model.net[5].mu_ != [0.0] * 2
    assert body.unfreeze() is body
    assert all(module.training for module in model.submodules().values())
    assert len(model.parameters()) == count


def test_the_head_of_a_frozen_model_can_be_trained_alone_and_a_tied_weight_stays_frozen():
    model = nn.Sequential(linear(2, 2), linear(2, 1))
    model.freeze()
    assert model.parameters() == []
    model[1].unfreeze()
    model.train()
    assert (model.training, model[0].training, model[1].training) == (False, False, True)
    assert model.parameters() == [*model[1].W[0], *model[1].b]
    shared = Value(1.0)
    tied = Own(a=Own(w=shared), b=Own(w=shared, v=Value(2.0)))
    tied.a.freeze()
    assert tied.parameters() == [tied.b.v]


@pytest.mark.parametrize("part", [linear(2, 2), Own(weights={"w": [Value(1.0)]}), Own(W=np.array([[Value(1.0)]]))])
def test_an_optimiser_from_before_a_freeze_is_refused(part):
    model = nn.Sequential(part, linear(2))
    optimizer = SGD(model.parameters(), 0.1)
    part.freeze()
    with pytest.raises(
        ValueError, match=r"layers\.0 is frozen, .* create the optimiser with model\.parameters\(\) after"
    ):
        list(Training(model, lambda z, y: binary_cross_entropy(z[0], y), optimizer, POINTS, epochs=1, progress=False))


def test_unfreezing_after_a_training_lets_the_statistics_move_in_the_next_one():
    model, data = MLP(2, [3, 1], batch_norm=True, rng=0), moons(20, rng=0)
    for layer in model.net[:2]:
        layer.freeze()
    moved = []
    for _ in range(2):
        list(Training(model, binary_cross_entropy, SGD(model.parameters(), 0.1), data, epochs=1, progress=False))
        moved.append(model.net[1].mu_ != [0.0] * 3)
        model.net[:2].unfreeze()
    assert moved == [False, True]


# ---- sequences, biases, seeds, penalties ----------------------------------------------------------------------


def test_a_sequential_takes_a_list_and_has_indices_slices_a_length_and_an_order():
    layers = [linear(2, 3), nn.ReLU(), linear(3, 1)]
    for model in (nn.Sequential(*layers), nn.Sequential(layers), nn.Sequential(layer for layer in layers)):
        assert list(model) == model.layers == layers and len(model) == 3
        assert (model[0], model[-1]) == (layers[0], layers[2])
    tail = model[1:]
    assert isinstance(tail, nn.Sequential) and tail.layers == layers[1:] and len(model[:0]) == 0
    assert layers[2].W[0][0].name == "w²_11"  # a part renames nothing
    with pytest.raises(IndexError):
        model[3]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: nn.Sequential(linear(), nn.ReLU), r"layer 2 is ReLU, which is not a Module: use ReLU\(\)"),
        (lambda: nn.Sequential([nn.Dropout]), r"layer 1 is Dropout, which is not a Module: use Dropout\(\)"),
        (lambda: nn.Sequential(tanh, linear()), r"layer 1 is tanh, which is not a Module: use Tanh\(\)"),
        (lambda: nn.Sequential("relu"), r"layer 1 is relu, which is not a Module: use ReLU\(\)"),
        (lambda: nn.Sequential(linear(), len), "layer 2 is len, which is not a Module$"),
        (lambda: nn.Sequential([linear(), [linear()]]), r"layer 2 is \[Linear\(1, 1\)\], which is not a Module$"),
        (lambda: nn.Sequential(None), "layer 1 is None, which is not a Module$"),
        (lambda: nn.Linear(2, 1, bias=0.5), "bias = 0.5: it must be True or False"),
        (lambda: nn.Linear(2, 1, False), "init False: choose one of"),
    ],
)
def test_what_is_no_layer_is_named_with_what_to_write(make, words):
    with pytest.raises((TypeError, ValueError), match=words):
        make()


@pytest.mark.parametrize("engine", ["eager", "replay"])
@pytest.mark.parametrize("width", [1, 3])
def test_a_linear_without_a_bias_trains_as_one_whose_bias_is_held_at_0(engine, width):
    ends = []
    for bias in (True, False):
        model = nn.Sequential(linear(2, width, bias=bias), nn.Tanh(), linear(width, 1, bias=bias))
        assert (repr(model[0]), "layers.0.b" in model.state_dict()) == (
            f"Linear(2, {width}{'' if bias else ', bias=False'})", bias,
        )  # fmt: skip
        moved = [p for layer in model[::2] for row in layer.W for p in row]
        data = moons(12, rng=Random(0))
        run = Training(
            model, lambda z, y: binary_cross_entropy(z[0], y), SGD(moved, 0.5), data, epochs=3, batch_size=4, rng=1,
            progress=False, engine=engine,
        )  # fmt: skip
        ends.append([[record.loss for record in run], [p.data for p in moved]])
    assert ends[1] == [pytest.approx(part, rel=1e-12) for part in ends[0]]


@pytest.mark.parametrize("units", [1, 2])
def test_a_layer_without_a_bias_is_traced_drawn_and_shown_as_matrices(units):
    model = nn.Sequential(linear(1, units, bias=False), nn.Tanh(), linear(units, 1))
    trace = model.trace([0.5])
    half_squared_error(trace.output[0], 1.0).backward()
    form = nn.matrix_form(trace)
    assert form.largest_difference < 1e-15 and form.notes == []
    assert (form.layers[1].b_grad.size, form.layers[1].db.size, form.layers[2].b_grad.size) == (0, 0, 1)
    assert "z¹ = W¹ a⁰; " in str(form) and "z² = W² a¹ + b²" in str(form)
    latex = form._repr_latex_()
    assert "b}^{1}" not in latex and "b}^{2}" in latex and "W¹ a⁰;" in form._repr_html_()
    assert [len(layer) for layer in trace_diagram(trace).layers] == [
        len(layer) for layer in model_diagram(model).layers
    ]
    model[0].W[0][0].data += 1.0
    [note] = nn.matrix_form(trace).notes
    assert note.startswith("w¹_11 changed since L was computed")


@pytest.mark.parametrize(
    "make",
    [
        lambda rng: nn.Linear(2, 3, rng=rng).state_dict(),
        lambda rng: MLP(2, [3, 1], rng=rng, dropout=0.5).state_dict(),
        lambda rng: [a.data for a in nn.Dropout(0.5, rng)([1.0] * 20)],
        *(lambda rng, init=init: init(2, 3, rng) for init in (xavier_uniform, he_normal, INITIALIZERS["uniform"])),
    ],
)
def test_a_seed_is_an_int_or_a_random_and_nothing_else(make):
    assert make(0) == make(Random(0)) == make(np.int64(0)) != make(1)
    assert make(None) != make(None)
    for rng in ("0", 0.5, True, np.random.default_rng(0)):
        with pytest.raises(TypeError, match=r"rng = .*: it must be a seed such as 0, a random\.Random, or None"):
            make(rng)


@pytest.mark.parametrize(
    ("attributes", "pulled"),
    [
        ({"scale": [Value(2.0)], "bias": Value(3.0)}, 1),
        ({"W1": [[Value(2.0)]], "b1": [Value(3.0)], "W_out": Value(1.0), "b_out": Value(5.0)}, 2),
        ({"parts": {"W": Value(2.0), "b": Value(3.0)}, "hidden_bias": Value(1.0), "gamma": Value(1.0)}, 1),
        ({"ragged": [[Value(1.0)], [Value(2.0), Value(3.0)]], "b": [Value(1.0), [Value(1.0)]], "β": Value(1.0)}, 3),
        ({"deep": {"layers": [linear(2, 3), nn.BatchNorm(3)]}, "blend": Value(1.0), "basis": [Value(1.0)]}, 8),
    ],
)
def test_a_penalty_reaches_every_layer_and_no_offset(attributes, pulled):
    assert len(nn.layers.weights(Own(**attributes))) == pulled


def test_a_layer_of_ones_own_says_what_a_penalty_pulls_and_l2_moves_it():
    class Slope(Own):
        def penalised(self):
            return []

    model = nn.Sequential(Own(scale=Value(2.0)), Slope(slope=Value(0.25)))
    assert nn.layers.weights(model) == [model[0].scale]
    model = nn.Sequential(linear(2, 1), Own(factor=[Value(2.0)]))
    run = Training(
        model, lambda z, y: binary_cross_entropy(z[0], y), SGD(model.parameters(), 0.1), moons(4, rng=0), epochs=1,
        batch_size=4, l2=0.5, progress=False,
    )  # fmt: skip
    list(run)
    assert model[1].factor[0].data == pytest.approx(2.0 - 0.1 * 0.5 * 2.0, rel=1e-15)


@pytest.mark.parametrize("x", [3.0, "12", [[1.0, 2.0]], [1.0, 2.0, 3.0]])
def test_a_model_maps_one_example_of_its_width(model, x):
    with pytest.raises((TypeError, ValueError), match=r"list of numbers|model\.batch|expects 2"):
        model(x)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: MLP(2, [1], activation="foo"), "activation 'foo': choose one of"),
        (lambda: MLP(2, 3), "n_units = 3: an MLP needs"),
        (lambda: MLP(2, []), r"n_units = \[\]: an MLP needs"),
        (lambda: MLP(2, [1]).batch([]), "mini-batch is empty"),
        (lambda: MLP(2, [1]).batch([[1.0, 2.0], [1.0]]), "example of length 1: it expects 2"),
        (lambda: MLP(2, [1])(["a", "b"]), "contains text"),
        (lambda: nn.Linear(0, 1), "n_in = 0: it must be a positive integer"),
        (lambda: nn.Linear(1, 0), "n_out = 0: it must be"),
        (lambda: nn.Linear(2, 1, init=lambda n_in, n_out, rng: [[1.0, math.nan]]), "not finite"),
        (lambda: nn.Linear(2, 1, init=lambda n_in, n_out, rng: [[1.0], [2.0]]), r"shape \(2, 1\): W .* \(1, 2\)"),
        (lambda: nn.LeakyReLU(math.inf), "slope = inf: it must be finite"),
        (lambda: model_diagram(nn.ReLU()), "no Linear layer"),
        (lambda: model_diagram(nn.Sequential(nn.Linear(1, 2), nn.Linear(3, 1))), "cannot follow"),
    ],
)
def test_what_makes_no_network_or_no_batch_is_named(make, words):
    with pytest.raises((TypeError, ValueError), match=words):
        make()


@pytest.mark.parametrize("units", [2.5, "2", None])
def test_units_that_are_no_whole_number_are_named(units):
    with pytest.raises((TypeError, ValueError), match=r"n_units = .*: it must be a positive integer"):
        MLP(2, [units])
    with pytest.raises((TypeError, ValueError), match=r"n_out = .*: it must be a positive integer"):
        nn.Linear(2, units)
