"""Tests of dropout (D1, D3) and batch normalisation (D7, D9) against slides, closed forms and PyTorch."""

import math
from itertools import product
from random import Random
from statistics import fmean, pvariance

import pytest
from conftest import REFERENCES

from autograd import Value, affine, gradcheck, sigmoid
from autograd.graph import leaves
from nn import (
    MLP,
    SGD,
    BatchNorm,
    Dropout,
    Linear,
    ReLU,
    Sequential,
    Tanh,
    Training,
    batch_norm,
    binary_cross_entropy,
    calibrate,
    cross_entropy,
    half_squared_error,
    matrix_form,
)
from nn.checkpoint import load, save
from nn.data import moons
from nn.diagram import trace_diagram
from nn.evaluation import evaluate, outputs_of
from nn.losses import mean_loss
from nn.optim import clip_value, cosine

# the same sums in another order than PyTorch's; x̂ divides by deviations down to 0.01, which magnifies their rounding
close = lambda x: pytest.approx(x, rel=1e-10, abs=1e-12)  # noqa: E731
exact = lambda x: pytest.approx(x, rel=1e-12, abs=1e-12)  # noqa: E731


def data(nodes):
    return [node.data for node in nodes]


def grads(nodes):
    return [node.grad for node in nodes]


class Scripted(Random):
    """A generator whose ``random()`` is told beforehand: keep (True) or drop (False)."""

    def __init__(self, kept):
        super().__init__()
        self.script = [0.999 if keep else 0.0 for keep in kept]

    def random(self):
        return self.script.pop(0)


def weighted_sum(nodes, upstream):
    return affine(upstream, nodes, 0.0)


# ---- D1: dropout ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", REFERENCES["dropout"], ids=lambda case: f"p={case['p']} {case['training']}")
def test_d1_forward_and_backward_are_pytorchs_with_its_mask(case):
    layer = Dropout(case["p"], rng=Scripted(case["kept"] if case["training"] else []))
    x = list(map(Value, case["x"]))
    y = layer.train(case["training"])(x)
    weighted_sum(y, case["upstream"]).backward()
    assert data(y) == exact(case["y"])
    assert grads(x) == exact(case["dx"])


def test_d1_a_dropped_unit_passes_nothing_back_and_its_weights_learn_nothing():
    model = MLP(2, [3, 1], activation="tanh", dropout=0.5, rng=Random(0))
    model.net.layers[2].rng = Scripted([True, False, True])
    half_squared_error(model([0.5, -1.0]), 1.0).backward()
    first, last = model.net.layers[0], model.net.layers[3]
    for j, dropped in enumerate([False, True, False]):
        into = [*grads(first.W[j]), first.b[j].grad, last.W[0][j].grad]
        assert all((grad == 0.0) == dropped for grad in into)


def test_d1_about_a_share_p_is_dropped_and_the_others_are_scaled_so_that_the_mean_stays():
    y = data(Dropout(0.3, rng=Random(0))([1.0] * 20_000))
    assert set(y) == {0.0, 1.0 / 0.7}
    # 20,000 draws: the standard error of the share is √(.3 · .7/20,000) = .0032; five of them
    assert abs(y.count(0.0) / 20_000 - 0.3) < 0.017
    assert abs(fmean(y) - 1.0) < 0.017 / 0.7


def test_d1_masks_differ_between_examples_and_passes_and_a_seed_repeats_them():
    def run(seed):
        layer = Dropout(0.5, rng=Random(seed))
        return [[data(x) for x in layer.batch([[1.0] * 20] * 2)] for _ in range(2)]

    [[a, b], [c, d]] = run(1)
    assert len({tuple(x) for x in (a, b, c, d)}) == 4
    assert run(1) == run(1) != run(2)
    assert data(Dropout(0.5)([1.0] * 60)) != data(Dropout(0.5)([1.0] * 60))  # without rng, a fresh generator


def test_d1_evaluation_is_the_identity_and_draws_nothing():
    layer = Dropout(0.5, rng=Scripted([]))
    x = [Value(1.0), Value(-2.0)]
    assert layer.eval()(x) == x


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan, math.inf, -math.inf])
def test_d1_a_p_that_is_no_probability_is_refused(p):
    for make in (lambda: Dropout(p), lambda: MLP(2, [3, 1], dropout=p), lambda: MLP(2, [1], dropout=p)):
        with pytest.raises(ValueError, match=f"p = {p}: .* must be finite, ≥ 0 and ≤ 1"):
            make()


def test_d1_a_p_that_is_no_number_is_a_type_error():
    with pytest.raises(TypeError, match="p = 'half': the probability of dropping a unit must be a number"):
        Dropout("half")


def test_d1_at_p_1_everything_is_dropped_without_a_division():
    layer = Dropout(1.0, rng=Random(0))
    x = [Value(1e308), Value(-3.0)]
    y = layer(x)
    weighted_sum(y, [1.0, 1.0]).backward()
    assert (data(y), grads(x)) == ([0.0, 0.0], [0.0, 0.0])


def test_d1_at_p_0_nothing_is_dropped_not_even_by_a_draw_of_0():
    assert data(Dropout(0.0, rng=Scripted([False]))([3.0])) == [3.0]


def test_d1_half_the_units_are_dropped_unless_another_share_is_asked_for():
    assert Dropout().p == 0.5


def test_a_mask_is_a_named_leaf_with_a_local_derivative_and_a_sampler():
    model = Sequential(Linear(1, 2, rng=Random(0)), ReLU(), Linear(2, 3, rng=Random(1)), Dropout(0.5, rng=Random(2)))
    dropout = model.layers[3]
    X = [[1.0], [2.0]]
    outputs = model.batch(X)
    masks = list(dropout.masks)
    assert [mask.name for mask in masks] == ["m²_1", "m²_2", "m²_3"] * 2
    assert {mask.data for mask in masks} == {0.0, 2.0}
    assert all(mask in leaves(y) for mask, y in zip(masks, [y for row in outputs for y in row]))
    for y, mask in zip(outputs[0], masks):
        z, m = y.parents
        assert m is mask
        assert dict(y.edges)[z] == mask.data
    [sampler] = set(dropout.masks.values())
    assert {sampler() for _ in range(30)} == {0.0, 2.0}
    assert not any(mask in model.parameters() for mask in masks)
    assert set(model.state_dict()) == {"layers.0.W", "layers.0.b", "layers.2.W", "layers.2.b"}


def test_masks_of_an_earlier_pass_are_let_go():
    dropout = Dropout(0.5, rng=Random(0))
    dropout([1.0] * 5)
    before = set(dropout.masks)
    dropout.batch([[1.0], [2.0]])
    assert len(dropout.masks) == 2 and not before & set(dropout.masks)


# ---- D3: an ensemble ------------------------------------------------------------------------------------------

MASKS = list(product([False, True], repeat=3))


def masked_outputs():
    """w = [1, 2, 3], x = [1, −1, 2], p = ½: the linear unit for every mask of its inputs."""
    outputs = []
    for kept in MASKS:
        unit = Sequential(Dropout(0.5, rng=Scripted(kept)), Linear(3, 1))
        unit.load_state_dict({"layers.1.W": [[1.0, 2.0, 3.0]], "layers.1.b": [0.0]})
        outputs += unit([1.0, -1.0, 2.0])
    return outputs, unit.eval()([1.0, -1.0, 2.0])[0]


def test_d3_the_mean_over_all_masks_is_the_output_in_evaluation():
    outputs, evaluated = masked_outputs()
    assert data(outputs) == [0.0, 12.0, -4.0, 8.0, 2.0, 14.0, -2.0, 10.0]
    assert fmean(data(outputs)) == evaluated.data == 5.0


def test_d3_through_sigma_the_normalised_geometric_mean_is_the_output_in_evaluation_and_the_mean_is_not():
    outputs, evaluated = masked_outputs()
    a = data(map(sigmoid, outputs))
    assert fmean(a) == exact(0.6896998107825366)
    yes, no = math.prod(a) ** (1 / 8), math.prod(1.0 - a_i for a_i in a) ** (1 / 8)
    assert yes / (yes + no) == exact(sigmoid(evaluated).data)
    assert sigmoid(evaluated).data == exact(0.9933071490756142)


# ---- D7: batch batch_norm, Algorithm 1 ---------------------------------------------------------------------


def d7():
    """The lecture's example: x = 1, 2, 3, 4, γ = 2, β = ½, upstream [1, 0, 0, 0]."""
    layer = BatchNorm(1, epsilon=1e-5)
    layer.load_state_dict({**layer.state_dict(), "gamma": [2.0], "beta": [0.5]})
    x = [Value(float(i)) for i in (1, 2, 3, 4)]
    y = [y for [y] in layer.batch([[x_i] for x_i in x])]
    y[0].backward()
    return layer, x, y


def check_d7():
    layer, x, y = d7()
    assert data(y) == exact([-2.1832708399378538, -0.394423613312618, 1.394423613312618, 3.1832708399378538])
    assert grads(x) == exact([0.5366606077860684, -0.7155367440505952, -0.17888686926202277, 0.3577630055265496])
    assert (layer.gamma[0].grad, layer.beta[0].grad) == exact((-1.3416354199689269, 1.0))


def test_d7_the_slides_numbers_forward_and_backward():
    check_d7()


def test_d7_the_gradient_for_a_mini_batch_sums_to_0():
    _, x, _ = d7()
    assert math.fsum(grads(x)) == exact(0.0)  # moving all x moves no y


def papers_backward(x, upstream, gamma, epsilon):
    """∂L/∂x, ∂L/∂γ, ∂L/∂β by the six formulas of section 3 of the paper."""
    m, mu, sigma2 = len(x), fmean(x), pvariance(x)
    std = math.sqrt(sigma2 + epsilon)
    x_hat = [(x_i - mu) / std for x_i in x]
    d_x_hat = [g * gamma for g in upstream]
    d_sigma2 = sum(d * (x_i - mu) for d, x_i in zip(d_x_hat, x)) * -0.5 * std**-3
    d_mu = -sum(d_x_hat) / std + d_sigma2 * sum(-2.0 * (x_i - mu) for x_i in x) / m
    d_x = [d / std + d_sigma2 * 2.0 * (x_i - mu) / m + d_mu / m for d, x_i in zip(d_x_hat, x)]
    return d_x, sum(g * h for g, h in zip(upstream, x_hat)), sum(upstream)


def check_papers_formulas():
    rng = Random(8)
    for m in (2, 3, 7):
        layer = BatchNorm(2, epsilon=1e-3)
        gamma = [rng.gauss(0, 1), rng.gauss(0, 1)]
        layer.load_state_dict({**layer.state_dict(), "gamma": gamma, "beta": [0.3, -0.7]})
        X = [[Value(rng.gauss(2, 3)), Value(rng.gauss(-1, 0.5))] for _ in range(m)]
        upstream = [[rng.gauss(0, 1), rng.gauss(0, 1)] for _ in range(m)]
        Y = layer.batch(X)
        weighted_sum([y for row in Y for y in row], [g for row in upstream for g in row]).backward()
        for k in range(2):
            x, g = [row[k] for row in X], [row[k] for row in upstream]
            d_x, d_gamma, d_beta = papers_backward(data(x), g, gamma[k], 1e-3)
            assert grads(x) == exact(d_x)
            assert (layer.gamma[k].grad, layer.beta[k].grad) == exact((d_gamma, d_beta))


def test_d7_the_backward_pass_is_the_papers_six_formulas():
    check_papers_formulas()


@pytest.mark.parametrize("case", REFERENCES["batch_norm"], ids=["defaults", "options"])
def test_ten_batches_and_an_evaluation_are_pytorchs_forward_backward_and_running_statistics(case):
    renamed = {"eps": "epsilon"}
    layer = BatchNorm(3, **{renamed.get(name, name): value for name, value in case["options"].items()})
    layer.load_state_dict({**layer.state_dict(), "gamma": case["gamma"], "beta": case["beta"]})
    assert [batch["training"] for batch in case["batches"]] == [True] * 10 + [False]
    for batch in case["batches"]:
        layer.train(batch["training"]).zero_grad()
        X = [list(map(Value, x)) for x in batch["x"]]
        Y = layer.batch(X)
        weighted_sum([y for row in Y for y in row], [g for row in batch["upstream"] for g in row]).backward()
        assert [data(y) for y in Y] == [close(y) for y in batch["y"]]
        assert [grads(x) for x in X] == [close(d) for d in batch["dx"]]
        assert grads(layer.gamma) == close(batch["dgamma"])
        assert grads(layer.beta) == close(batch["dbeta"])
        assert layer.mu_ == close(batch["running_mean"])
        assert layer.sigma2_ == close(batch["running_var"])


def check_gradcheck():
    layer = BatchNorm(2)

    def loss(g1, g2, b1, b2, *x):
        layer.gamma, layer.beta = [g1, g2], [b1, b2]
        Y = layer.batch([x[:2], x[2:4], x[4:]])
        return weighted_sum([y for row in Y for y in row], [1.0, -2.0, 0.5, 0.3, 2.0, -0.7])

    return gradcheck(loss, [1.5, -0.5, 0.1, 0.2, 0.3, -1.0, 2.0, 0.7, -0.4, 3.0])


def test_gradcheck_through_mean_and_variance():
    assert check_gradcheck()


FAULTS = {
    "no gradient through the variance": ("sqrt", lambda f: lambda x: Value(f(x).data)),
    "no gradient through the mean": ("mean", lambda f: lambda x: Value(f(x).data)),
    "the variance of a sample, 1/(m − 1)": ("dot", lambda f: lambda x, y: f(x, y) * (len(x) / (len(x) - 1))),
    "ε left out": ("sqrt", lambda f: lambda x: f(x - 1e-5)),
    "the root forgotten": ("sqrt", lambda f: lambda x: +x),
    "β left out": ("affine", lambda f: lambda gamma, x, beta: f(gamma, x, 0.0)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_turns_the_slides_numbers_red(fault, monkeypatch):
    name, spoil = FAULTS[fault]
    monkeypatch.setattr(batch_norm, name, spoil(getattr(batch_norm, name)))
    with pytest.raises(AssertionError):
        check_d7()


@pytest.mark.parametrize("fault", list(FAULTS)[:2])
def test_a_gradient_that_is_forgotten_turns_gradcheck_and_the_papers_formulas_red(fault, monkeypatch):
    name, spoil = FAULTS[fault]
    monkeypatch.setattr(batch_norm, name, spoil(getattr(batch_norm, name)))
    with pytest.raises(AssertionError, match="derivative with respect to argument"):
        check_gradcheck()
    with pytest.raises(AssertionError):
        check_papers_formulas()


def test_the_nodes_of_mean_variance_and_x_hat_are_named_after_layer_unit_and_example():
    model = Sequential(Linear(1, 1, rng=Random(0)), Tanh(), Linear(1, 2, rng=Random(1)), BatchNorm(2))
    [[y, _], _] = model.batch([[1.0], [2.0]])
    names = set()
    stack = [y]
    while stack:
        node = stack.pop()
        names.add(node.name)
        stack += node.parents
    assert {"μ²_1", "σ²_1²", "x̂²_11", "γ²_1", "β²_1"} <= names and "μ²_2" not in names
    assert [p.name for p in model.layers[3].parameters()] == ["γ²_1", "γ²_2", "β²_1", "β²_2"]


def test_latest_is_told_the_nodes_of_each_mini_batch_in_training_alone():
    layer, told = BatchNorm(1), []
    layer.latest = told.append
    layer.batch([[1.0], [3.0]])
    layer.eval().batch([[1.0], [3.0]])
    [[unit]] = told
    assert (unit.mu.data, unit.sigma2.data) == (2.0, 1.0)


def test_a_unit_that_is_the_same_for_all_examples_is_beta_and_divides_by_no_zero():
    layer = BatchNorm(1)
    layer.load_state_dict({**layer.state_dict(), "beta": [0.25]})
    assert [y.data for [y] in layer.batch([[7.0], [7.0], [7.0]])] == [0.25] * 3


def untouched(layer, call, words):
    before = layer.state_dict()
    with pytest.raises(ValueError, match=words):
        call()
    assert layer.state_dict() == before


def test_in_training_fewer_than_two_examples_and_other_widths_are_refused_and_statistics_stay():
    layer = BatchNorm(2)
    layer.batch([[1.0, 2.0], [3.0, 5.0]])
    untouched(layer, lambda: layer.batch([[1.0, 2.0]]), "mini-batch of 1 in training mode: .* at least 2")
    untouched(layer, lambda: layer.batch([]), "mini-batch is empty")
    untouched(layer, lambda: layer.batch([[1.0, 2.0], [1.0]]), "example of length 1: it expects 2")
    untouched(layer, lambda: layer.batch([[1.0, 2.0, 3.0]] * 2), "example of length 3: it expects 2")
    untouched(
        layer, lambda: layer([1.0, 2.0]), r"mini-batch of 1 in training mode: .*batch\(X\).* or model\.eval\(\)"
    )
    # 1e200² is no float: the running averages must not become infinite
    untouched(layer, lambda: layer.batch([[1.0, 1e200], [2.0, -1e200]]), "overflow")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"n": 0}, "n = 0"),
        ({"n": 2.5}, "n = 2.5"),
        ({"n": "2"}, "n = '2'"),
        ({"n": 2, "epsilon": 0.0}, "epsilon = 0.0"),
        ({"n": 2, "epsilon": math.nan}, "epsilon = nan"),
        ({"n": 2, "momentum": 1.1}, "momentum = 1.1"),
        ({"n": 2, "momentum": math.nan}, "momentum = nan"),
        ({"n": 2, "momentum": "x"}, "momentum = 'x': the weight of the new batch must be a number"),
    ],
)
def test_batch_norm_refuses_options_that_cannot_work(arguments, words):
    with pytest.raises((ValueError, TypeError), match=words):
        BatchNorm(**arguments)


# ---- D8: identities behind the claims -------------------------------------------------------------------------


def gradients_with_batch_norm(scale):
    model = MLP(2, [3, 1], activation="tanh", batch_norm=True, rng=Random(0))
    linear, bn = model.net.layers[:2]
    bn.epsilon = 1e-12  # with ε = 0 the identity would be exact
    for w in (w for row in linear.W for w in row):
        w.data *= scale
    points = moons(8, rng=Random(1))
    mean_loss(binary_cross_entropy, model.batch(points.X), points.y).backward()
    return [w.grad for row in linear.W for w in row], grads(linear.b)


def test_d8_ten_times_the_weights_have_a_tenth_of_the_gradient_and_a_bias_in_front_has_none():
    once, bias = gradients_with_batch_norm(1.0)
    ten_times, _ = gradients_with_batch_norm(10.0)
    # ε against variances of about 1: 1e-12 of relative error
    assert ten_times == pytest.approx([g / 10.0 for g in once], rel=1e-9)
    assert bias == pytest.approx([0.0] * 3, abs=1e-15)


# ---- D9: evaluation -------------------------------------------------------------------------------------------


def network(seed=0, **options):
    return MLP(2, [4, 3, 1], activation="tanh", batch_norm=True, rng=Random(seed), **options)


def test_d9_evaluation_of_one_example_works_and_two_are_identical():
    model, points = network(dropout=0.5), moons(12, rng=Random(1))
    model.batch(points.X)
    model.eval()
    first = [model(x).data for x in points.X]
    assert [model(x).data for x in points.X] == first == data(model.batch(points.X))
    assert len(set(first)) == 12


def test_d9_calibrated_evaluation_of_the_training_data_is_training_on_them_as_one_batch():
    model, points = network(), moons(20, rng=Random(1))
    in_training = data(model.batch(points.X))
    calibrate(model, points.X)
    assert data(outputs_of(model, points.X)) == exact(in_training)


def test_d9_calibration_takes_mean_and_1_over_m_variance_of_what_each_layer_sees():
    model, points = network(dropout=0.5), moons(20, rng=Random(1))
    calibrate(model, points.X)
    first, second = model.net.layers[1], model.net.layers[5]
    traces = model.eval().trace_batch(points.X)
    for l, layer in ((1, first), (2, second)):
        columns = list(zip(*(data(trace.z[l]) for trace in traces)))
        assert layer.mu_ == exact(list(map(fmean, columns)))
        assert layer.sigma2_ == exact(list(map(pvariance, columns)))


def test_calibration_restores_every_mode_and_needs_something_to_calibrate():
    model, points = network(dropout=0.5), moons(20, rng=Random(1))
    model.net.layers[5].eval()
    modes = [module.training for module in (model, *model.submodules().values())]
    calibrate(model, points.X)
    assert [module.training for module in (model, *model.submodules().values())] == modes
    assert len(set(modes)) == 2
    with pytest.raises(ValueError, match="needs a BatchNorm"):
        calibrate(MLP(2, [3, 1]), points.X)


@pytest.mark.parametrize("X", [[], [[1.0, 2.0]], [[1.0, 2.0], [3.0]], [[1.0, 2.0, 3.0]] * 2])
def test_a_calibration_that_fails_changes_nothing(X):
    model = network()
    model.batch(moons(5, rng=Random(0)).X)
    untouched(model, lambda: calibrate(model, X), "at least [12]|expects 2")
    assert all(module.training for module in model.submodules().values())
    assert all(m.latest is None for m in model.submodules().values() if isinstance(m, BatchNorm))


def test_statistics_that_are_not_finite_are_refused_and_never_averaged():
    bn = BatchNorm(1)
    bn.batch([[1.0], [3.0]])
    before = bn.mu_.copy(), bn.sigma2_.copy()
    with pytest.raises(ValueError, match="unit 1 has mean nan and variance nan: "):
        bn.batch([[1.0], [math.nan]])
    with pytest.raises(ValueError, match="unit 1 has mean nan and variance nan: "):
        calibrate(bn, [[1.0], [math.nan]])
    assert (bn.mu_, bn.sigma2_) == before


def test_the_unit_whose_statistics_are_not_finite_is_named():
    with pytest.raises(ValueError, match="unit 2 has mean nan and variance nan: "):
        BatchNorm(3).batch([[1.0, 2.0, 3.0], [1.0, math.nan, 3.0]])
    with pytest.raises(ValueError, match=r"unit 2 has the mean and variance \(0\.0, inf\)"):
        BatchNorm(3).average([0.0] * 3, [1.0, math.inf, 1.0], 2)


def test_a_momentum_of_0_never_learns_and_of_1_never_remembers():
    for momentum, mu, sigma2 in ((0.0, 0.0, 1.0), (1.0, 4.0, 2.0)):
        bn = BatchNorm(1, momentum=momentum)
        bn.batch([[3.0], [5.0]])  # mean 4, unbiased variance 2
        assert (bn.mu_, bn.sigma2_) == ([mu], [sigma2])


def test_a_calibration_that_fails_at_the_second_layer_leaves_the_first_as_it_was():
    model = Sequential(Linear(1, 1, rng=Random(0)), BatchNorm(1), Linear(2, 1, rng=Random(0)), BatchNorm(1))
    untouched(model, lambda: calibrate(model, [[1.0], [5.0]]), "it expects 2")


def test_running_statistics_are_saved_with_the_weights_and_are_no_parameters(tmp_path):
    model, other = network(), network(seed=1)
    model.batch(moons(12, rng=Random(1)).X)
    save(model, tmp_path / "weights")
    load(other, tmp_path / "weights")
    assert other.state_dict() == model.state_dict()
    assert other.net.layers[1].mu_ == model.net.layers[1].mu_ != [0.0] * 4
    assert other.eval()([0.5, 1.0]).data == model.eval()([0.5, 1.0]).data
    assert set(model.buffers()) == {f"net.layers.{i}.{name}" for i in (1, 4) for name in ("mu_", "sigma2_")}
    # 2·4 + 4 and 4·3 + 3 and 3 + 1 of the Linears, 2·4 and 2·3 of γ and β
    assert len(model.parameters()) == 31 + 14 == len(model.named_parameters())


def test_the_statistics_of_the_best_epoch_come_back_with_its_weights():
    model, points = network(), moons(30, 0.3, rng=Random(1))
    training = Training(
        model, binary_cross_entropy, SGD(model.parameters(), 1.0), points, moons(20, 0.3, rng=Random(2)),
        epochs=6, batch_size=5, rng=Random(3),
    )  # fmt: skip
    states = [model.state_dict() for _ in training]
    best = training.restore_best()
    assert best.epoch < 6
    assert model.state_dict() == states[best.epoch - 1]
    assert evaluate(model, binary_cross_entropy, training.validation)[0] == best.validation_loss


def test_a_last_batch_of_one_example_joins_the_one_before_and_batches_of_one_are_refused_beforehand():
    model, points = network(), moons(11, rng=Random(0))
    training = Training(model, binary_cross_entropy, SGD(model.parameters(), 0.1), points, batch_size=5, epochs=1)
    [record] = training
    assert (record.updates, record.gradient_evaluations) == (2, 11)
    for options in ({"batch_size": 1}, {"training": points.take([0])}):
        with pytest.raises(ValueError, match="mini-batches of at least 2"):
            Training(model, binary_cross_entropy, SGD(model.parameters(), 0.1), **{"training": points, **options})


def test_a_whole_run_with_batch_norm_nesterov_a_schedule_and_clipping_is_pytorchs():
    case = REFERENCES["normalised_run"]
    model = Sequential(Linear(2, 4), BatchNorm(4), Tanh(), Linear(4, 3))
    names = {"weight": "W", "bias": "b"}
    paths = {name: f"layers.{name[0]}.{names[name[2:]]}" for name in case["start"]}
    paths |= {"1.weight": "layers.1.gamma", "1.bias": "layers.1.beta"}
    model.load_state_dict({**model.state_dict(), **{paths[name]: x for name, x in case["start"].items()}})
    optimizer = SGD(model.parameters(), cosine(0.1, 12), momentum=0.9, weight_decay=0.05, nesterov=True)
    losses = []
    for X, y in case["batches"]:
        loss = mean_loss(cross_entropy, model.batch(X), y)
        optimizer.zero_grad()
        loss.backward()
        clip_value(optimizer.parameters, 0.2)
        optimizer.step()
        losses.append(loss.data)
    assert losses == close(case["losses"])
    state = model.state_dict()
    for name, end in case["end"].items():
        rows = end if isinstance(end[0], list) else [end]
        ours = state[paths[name]]
        assert (ours if isinstance(ours[0], list) else [ours]) == [close(row) for row in rows]
    assert state["layers.1.mu_"] == close(case["running_mean"])
    assert state["layers.1.sigma2_"] == close(case["running_var"])
    assert data(model.eval()(case["x"])) == close(case["output"])


# ---- both in networks -----------------------------------------------------------------------------------------


def test_an_mlp_has_batch_norm_before_and_dropout_after_each_hidden_activation():
    model = MLP(2, [4, 3, 1], dropout=0.5, batch_norm=True, output="sigmoid")
    assert repr(model.net) == (
        "Sequential(Linear(2, 4), BatchNorm(4), ReLU(), Dropout(0.5), "
        "Linear(4, 3), BatchNorm(3), ReLU(), Dropout(0.5), Linear(3, 1), Sigmoid())"
    )
    assert repr(MLP(2, [4, 1]).net) == "Sequential(Linear(2, 4), ReLU(), Linear(4, 1))"


def test_in_a_trace_z_is_what_linear_returns_and_a_what_the_next_one_reads():
    model = network(dropout=0.5)
    model.batch(moons(10, rng=Random(0)).X)
    model.eval()
    for layer in model.net.layers:
        layer.training = isinstance(layer, Dropout)  # masks at work, statistics at rest
    model.net.layers[3].rng = Scripted([True, False, True, True])
    trace = model.trace([0.5, -1.0])
    binary_cross_entropy(trace.output, 1).backward()
    first, bn = model.net.layers[:2]
    z = [sum(w.data * x for w, x in zip(row, [0.5, -1.0])) + b.data for row, b in zip(first.W, first.b)]
    assert data(trace.z[1]) == exact(z)
    normalised = [(z_k - m) / math.sqrt(v + 1e-5) for z_k, m, v in zip(z, bn.mu_, bn.sigma2_)]
    assert data(trace.a[1]) == exact([math.tanh(y) * mask for y, mask in zip(normalised, [2.0, 0.0, 2.0, 2.0])])
    assert [a.name for a in trace.a[1]] == ["a¹_1", "a¹_2", "a¹_3", "a¹_4"]
    assert [z.name for z in trace.z[2]] == ["z²_1", "z²_2", "z²_3"]
    assert trace.delta[1][1] == 0.0 != trace.delta[1][0]
    second = model.net.layers[4]
    assert [w.grad for w in second.W[0]] == exact([trace.delta[2][0] * a for a in data(trace.a[1])])
    form = matrix_form(trace)
    assert form.largest_difference < 1e-12 and form.notes == []
    assert [unit.dropped for unit in trace_diagram(trace).layers[1]] == [False, True, False, False]


def test_an_evaluated_dropout_adds_no_second_node_of_the_same_name_to_a_trace():
    model = MLP(2, [2, 1], activation="tanh", dropout=0.5, rng=Random(0)).eval()
    trace = model.trace([0.5, -1.0])
    [a] = {a.name: a for a in trace.a[1][:1]}.values()
    assert a.operation.name == "tanh"


def test_what_comes_before_the_first_linear_is_named_x_and_what_it_reads_a0():
    model = Sequential(Dropout(0.5, rng=Scripted([True, False])), Linear(2, 1, rng=Random(0)))
    trace = model.trace([3.0, 4.0])
    assert data(trace.a[0]) == [6.0, 0.0]
    assert [a.name for a in trace.a[0]] == ["a⁰_1", "a⁰_2"]
    assert [[p.name for p in a.parents] for a in trace.a[0]] == [["x_1", "m⁰_1"], ["x_2", "m⁰_2"]]


def test_a_training_batch_is_traced_as_one_graph_and_one_example_alone_is_not():
    model = network()
    with pytest.raises(ValueError, match="mini-batch of 1 in training"):
        model.trace([0.5, -1.0])
    X, y = [[0.5, -1.0], [1.0, 2.0], [-1.0, 0.5]], [1, 0, 1]
    traces = model.trace_batch(X)
    mean_loss(binary_cross_entropy, [trace.output for trace in traces], y).backward()
    for k in range(4):  # moving z of all examples moves nothing: their δ sum to 0
        deltas = [trace.delta[1][k] for trace in traces]
        assert math.fsum(deltas) == exact(0.0)
        assert max(map(abs, deltas)) > 1e-3
