"""Tests of part C of the lecture: stopping, initial weights, unstable gradients, SGD noise, schedules, optimisers."""

import json
import math
import re
from collections import Counter
from functools import partial
from itertools import combinations
from random import Random
from statistics import fmean, pstdev, pvariance

import numpy as np
import pytest
from conftest import REFERENCES

import nn
from autograd import DomainError, Value, gradcheck
from nn import (
    MLP,
    SGD,
    Adam,
    Linear,
    Sequential,
    Training,
    binary_cross_entropy,
    half_squared_error,
    init as first_weights,
    l1_penalty,
    l2_penalty,
)
from nn.checkpoint import load_training, save, save_training
from nn.data import Dataset, batches, breast_cancer, count_batches, moons, split, wine
from nn.evaluation import evaluate
from nn.layers import weights
from nn.losses import mean_loss
from nn.module import Module
from nn.optim import (
    OPTIMIZERS,
    AdamW,
    RMSprop,
    by_epoch,
    clip_norm,
    clip_value,
    constant,
    cosine,
    exponential,
    gradient_norm,
    inverse_time,
    linear,
    step,
    warm_up,
)

close = lambda x: pytest.approx(x, rel=1e-12, abs=1e-14)  # noqa: E731


def data(nodes):
    return [node.data for node in nodes]


def on_moons(epochs=4, rate=0.1, validation=True, model=None, optimizer=None, **options):
    points = split(moons(30, 0.3, Random(0)), rng=Random(0))
    model = model or MLP(2, [4, 1], activation="tanh", rng=Random(1))
    return Training(
        model, binary_cross_entropy, optimizer or SGD(model.parameters(), rate), points.training,
        points.validation if validation else None, epochs=epochs, **{"batch_size": 4, "rng": Random(2), **options},
    )  # fmt: skip


# ---- C2: progress before the whole set ------------------------------------------------------------------------


def test_c2_one_epoch_of_small_batches_is_further_than_one_of_the_whole_set_for_as_many_gradients():
    ends = {}
    for size in (1, 6, 18):
        [*_, last] = training = on_moons(epochs=3, batch_size=size)
        ends[size] = (
            last.gradient_evaluations,
            last.updates,
            evaluate(training.model, binary_cross_entropy, training.training)[0],
        )
    assert [ends[size][:2] for size in (1, 6, 18)] == [(54, 54), (54, 9), (54, 3)]
    assert ends[1][2] < ends[6][2] < ends[18][2]


# ---- C3: when do we stop? -------------------------------------------------------------------------------------


def test_c3_a_loss_tolerance_stops_at_the_first_epoch_that_meets_it():
    losses = [record.loss for record in on_moons(epochs=6)]
    tolerance = losses[3]
    assert [loss <= tolerance for loss in losses[:4]] == [False, False, False, True]
    training = on_moons(epochs=6, loss_tolerance=tolerance)
    assert [record.loss for record in training] == losses[:4]
    assert training.stopped == (
        f"after 4 epochs: the training loss {tolerance:.3g} is at most the loss_tolerance {tolerance:g}"
    )


def test_c3_a_gradient_tolerance_stops_batch_descent_where_the_gradient_is_that_small():
    # ½(w − 3)²: from 0 with η = ½ the gradient w − 3 halves each epoch: 3, 1.5, .75, .375
    training = Training(
        *one_weight(0.0, 0.5, [3.0]), epochs=50, batch_size=1, gradient_tolerance=0.4,
    )  # fmt: skip
    assert [record.gradient_norm for record in training] == close([3.0, 1.5, 0.75, 0.375])
    assert "norm 0.375 is at most the gradient_tolerance 0.4" in training.stopped


def one_weight(start, rate, targets, y=None):
    """Model, loss, optimiser and data of f_i = ½(w − x_i)²: the weight itself is the output, whatever the input."""

    class Weight(Module):
        def __init__(self):
            self.w = Value(start, "w")

        def forward(self, x):
            return [+self.w]

    def loss(output, label):
        return half_squared_error(output, targets[label])

    model = Weight()
    examples = Dataset([[0.0]] * len(targets), list(range(len(targets))), ["x"] * len(targets), ["nothing"])
    return model, loss, SGD(model.parameters(), rate), examples


def test_the_gradients_norm_is_that_of_the_whole_set_where_a_batch_is_the_whole_set():
    training = on_moons(epochs=1, batch_size=18)
    reference = on_moons().model
    mean_loss(binary_cross_entropy, reference.batch(training.training.X), training.training.y).backward()
    [record] = training
    assert record.gradient_norm == close(math.sqrt(sum(p.grad**2 for p in reference.parameters())))


def test_the_gradients_norm_is_of_the_mean_over_batches_weighted_by_their_sizes():
    # at η = 1e-300 the weight stands still: batches of 2 and 1 about 0, 0, 3 have the mean gradient −1 in any order
    training = Training(*one_weight(0.0, 1e-300, [0.0, 0.0, 3.0]), epochs=1, batch_size=2, rng=Random(0))
    assert next(iter(training)).gradient_norm == close(1.0)


def test_c3_patience_waits_so_many_epochs_for_a_new_low_and_puts_the_best_weights_back():
    training = on_moons(rate=2.0, epochs=30, patience=3)
    states = {record.epoch: training.model.state_dict() for record in training}
    losses = [record.validation_loss for record in training.records]
    best = losses.index(min(losses)) + 1
    assert len(losses) == best + 3 < 30
    assert training.stopped == (
        f"after {best + 3} epochs: no lower validation loss for 3 epochs (patience); the best epoch was {best}"
    )
    assert training.model.state_dict() == states[best] != states[best + 3]


def test_c3_with_patience_the_best_weights_are_back_too_where_the_epochs_end_first():
    training = on_moons(rate=2.0, epochs=5, patience=20)
    states = [training.model.state_dict() for _ in training]
    losses = [record.validation_loss for record in training.records]
    assert losses.index(min(losses)) == 1  # not the last epoch, or this would show nothing
    assert training.stopped == "after 5 epochs"
    assert training.model.state_dict() == states[1]


def test_c3_without_patience_the_last_weights_stay():
    training = on_moons(rate=2.0, epochs=5)
    states = [training.model.state_dict() for _ in training]
    assert training.model.state_dict() == states[-1]


def test_what_has_stopped_goes_on_when_more_epochs_are_asked_for():
    training = on_moons(epochs=2)
    assert [record.epoch for record in training] == [1, 2]
    assert list(training) == []
    training.epochs = 4
    assert [record.epoch for record in training] == [3, 4]
    assert training.records == list(on_moons(epochs=4))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"patience": 0}, "patience = 0"),
        ({"patience": 3, "validation": False}, "requires validation data"),
        ({"loss_tolerance": -0.1}, "loss_tolerance = -0.1"),
        ({"loss_tolerance": math.nan}, "loss_tolerance = nan"),
        ({"gradient_tolerance": math.inf}, "gradient_tolerance = inf"),
        ({"l1": -1.0}, "l1 = -1.0"),
        ({"l2": math.nan}, "l2 = nan"),
        ({"clip_norm": 0.0}, "clip_norm = 0.0"),
        ({"clip_value": -1.0}, "clip_value = -1.0"),
        ({"epochs": math.nan}, "epochs = nan"),  # which no number of epochs would reach
        ({"epochs": 2.5}, "epochs = 2.5"),
        ({"batch_size": math.inf}, "batch_size = inf"),
        ({"patience": math.nan}, "patience = nan"),
    ],
)
def test_training_refuses_options_that_cannot_be_meant(options, words):
    with pytest.raises(ValueError, match=words):
        on_moons(**options)


def test_data_in_the_place_of_the_optimiser_is_named_with_the_order_of_the_arguments():
    model = MLP(2, [1])
    with pytest.raises(TypeError, match=r"has no parameters: call Training\(model, loss, optimizer, data\)"):
        Training(model, binary_cross_entropy, moons(4), SGD(model.parameters(), 0.1))


def test_an_optimiser_of_another_model_and_data_that_are_no_dataset_are_refused():
    model, other = MLP(2, [4, 1], rng=Random(0)), MLP(2, [4, 1], rng=Random(0))
    data = moons(20, rng=Random(1))
    with pytest.raises(
        ValueError, match=r"does not contain any of the 17 parameters of MLP\(2, \[4, 1\]\): create it with"
    ):
        Training(model, binary_cross_entropy, SGD(other.parameters(), 0.1), data)
    Training(model, binary_cross_entropy, SGD(model.parameters()[:1], 0.1), data)  # the others are frozen
    for given in ((data.X, data.y), None):
        of = rf"^the data must be an nn\.Dataset, not {type(given).__name__}"
        with pytest.raises(TypeError, match=of):
            Training(model, binary_cross_entropy, SGD(model.parameters(), 0.1), given)


def test_empty_validation_data_is_refused_before_the_first_epoch():
    model = MLP(2, [1])
    with pytest.raises(ValueError, match="0 validation examples"):
        Training(model, binary_cross_entropy, SGD(model.parameters(), 0.1), moons(4), moons(4).take([]))


@pytest.mark.parametrize(
    ("loss", "units", "X", "y", "words"),
    [
        ("binary_cross_entropy", 1, [[0.0, 1.0]] * 3, [0, 1, 2], "target 2"),
        ("binary_cross_entropy", 1, [[0.0, 1.0]] * 3, [0, 1, "1"], "has '1' as its target"),
        (
            "cross_entropy",
            3,
            [[0.0, 1.0]] * 3,
            [0, 1, -1],
            r"label -1 is out of range: 3 output units have the labels 0 … 2",
        ),
        ("cross_entropy", 3, [[0.0, 1.0]] * 3, [0, 1, 3], "label 3"),
        ("cross_entropy", 1, [[0.0, 1.0]] * 3, [0, 1, 1], "cross_entropy got 1 output unit.*binary_cross_entropy"),
        ("hinge", 1, [[0.0, 1.0]] * 3, [1, -1, 0], "hinge got the target 0"),
        ("half_squared_error", 1, [[0.0, 1.0]] * 3, [1.0, -1.0, math.nan], "has nan as its target"),
        ("half_squared_error", 2, [[0.0, 1.0]] * 3, [[1.0]] * 3, "2 output units, but 1 targets"),
        ("half_squared_error", 2, [[0.0, 1.0]] * 3, [[1.0, 0.0]] * 2 + [[1.0]], "has 1 numbers, but the first has 2"),
        ("binary_cross_entropy", 3, [[0.0, 1.0]] * 3, [0, 1, 1], "got 3 output units"),
        (
            "binary_cross_entropy",
            1,
            [[0.0, 1.0], [1.0, 2.0], [1.0]],
            [0, 1, 1],
            "example 3, counted from 1, has 1 numbers",
        ),
        ("binary_cross_entropy", 1, [[0.0]] * 3, [0, 1, 1], "example of length 1: it expects 2"),
        (
            "binary_cross_entropy",
            1,
            [[0.0, 1.0]] * 2 + [[1.0, math.nan]],
            [0, 1, 1],
            "example 3, counted from 1, has nan at position 2",
        ),
        (
            "binary_cross_entropy",
            1,
            [[0.0, 1.0]] * 2 + [[math.inf, 1.0]],
            [0, 1, 1],
            "example 3, counted from 1, has inf at position 1",
        ),
        (
            "binary_cross_entropy",
            1,
            [[0.0, 1.0]] * 2 + [["a", 1.0]],
            [0, 1, 1],
            "example 3, counted from 1, has 'a' at position 1",
        ),
        ("binary_cross_entropy", 1, [[0.0, 1.0]] * 3, [0, 1], "3 examples and 2 targets"),
    ],
)
def test_examples_that_cannot_be_learned_are_refused_before_anything_moves(loss, units, X, y, words):
    model = MLP(2, [units], rng=Random(0))
    loss = nn.losses.BY_NAME[loss]
    good = {"half_squared_error": [1.0] if units == 1 else [[1.0, 0.0]], "hinge": [1]}.get(loss.__name__, [0])
    before = model.state_dict()
    for is_validation in (False, True):
        with pytest.raises((ValueError, TypeError), match=words):
            spoilt = Dataset(X, y)
            parts = [Dataset([[0.0, 1.0]], good), spoilt] if is_validation else [spoilt]
            Training(model, loss, SGD(model.parameters(), 0.1), *parts)
    assert model.state_dict() == before


@pytest.mark.parametrize(("loss", "softmax"), [("half_squared_error", False), ("cross_entropy", True)])
def test_targets_of_several_numbers_train_as_their_labels_do_with_either_engine(loss, softmax):
    data = moons(40, rng=Random(0))
    one_hot = data._replace(y=[[1.0 - y, float(y)] for y in data.y])
    ends = []
    for part, engine in ((one_hot, "eager"), (one_hot, "replay"), (data, "eager")):
        function = nn.losses.BY_NAME[loss]
        if part is data and not softmax:  # a squared error knows no labels

            @nn.outputs_are("numbers")
            def function(a, y):
                return nn.half_squared_error(a, [1.0 - y, float(y)])

        model = MLP(2, [4, 2], rng=Random(1))
        training = Training(model, function, SGD(model.parameters(), 0.1), part, part, epochs=3, rng=Random(2),
                            progress=False, engine=engine)  # fmt: skip
        ends.append([(r.loss, r.accuracy, r.validation_loss, r.validation_accuracy) for r in training])
    for other in ends[1:]:
        # twelve steps, each equal up to the order of its additions
        assert [x for row in other for x in row] == pytest.approx([x for row in ends[0] for x in row], rel=1e-9)


@pytest.mark.parametrize("y", [[0, 2], [0, -1], [0, math.nan], [0]])
def test_a_step_that_fails_leaves_weights_and_statistics_as_they_were(y):
    model = MLP(2, [3, 1], batch_norm=True, dropout=0.2, rng=Random(0))
    training = on_moons(model=model, optimizer=Adam(model.parameters()))
    training.step([[0.0, 1.0], [2.0, 1.0]], [0, 1])
    before = training.state_dict()
    with pytest.raises(ValueError, match=r"target|outputs and"):
        training.step([[0.0, 1.0], [2.0, 1.0]], y)
    after = training.state_dict()
    assert (after["model"], after["optimizer"]) == (before["model"], before["optimizer"])


# ---- resuming -------------------------------------------------------------------------------------------------


def with_everything(optimizer, epochs=6):
    model = MLP(2, [4, 3, 1], rng=Random(1), dropout=0.3, batch_norm=True)
    return on_moons(
        epochs=epochs, model=model, optimizer=OPTIMIZERS[optimizer](model.parameters(), warm_up(cosine(0.1, 24), 4)),
        patience=4, l2=1e-3, clip_norm=1.0,
    )  # fmt: skip


@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
def test_a_run_that_is_resumed_from_its_file_equals_the_uninterrupted_one_to_the_bit(optimizer, tmp_path):
    whole = with_everything(optimizer)
    list(whole)
    interrupted = with_everything(optimizer)
    for record in interrupted:
        if record.epoch == 3:
            break
    save_training(interrupted, tmp_path / "run")
    resumed = with_everything(optimizer)
    resumed.model.load_state_dict({k: np.zeros(np.shape(v)) for k, v in resumed.model.state_dict().items()})
    load_training(resumed, tmp_path / "run")
    assert [record.epoch for record in resumed] == [4, 5, 6]
    assert (resumed.records, resumed.stopped) == (whole.records, whole.stopped)
    assert resumed.model.state_dict() == whole.model.state_dict()
    assert resumed.state_dict() == whole.state_dict()


def test_the_state_of_a_training_goes_through_json():
    training = with_everything("adam")
    next(iter(training))
    state = json.loads(json.dumps(training.state_dict()))
    other = with_everything("adam")
    other.load_state_dict(state)
    assert list(other) == list(training)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda s: s["model"].pop("net.layers.0.W"), "missing net.layers.0.W"),
        (lambda s: s["best"]["model"].update({"net.layers.0.b": [1.0]}), r"\(1,\) in the state"),
        (lambda s: s["best"].update(epoch=9), "best epoch in the state is 9, but the state has only 2"),
        (lambda s: s["best"].update(epoch=0), "best epoch in the state is 0, but the state has only 2"),
        (lambda s: s["optimizer"]["states"][0].pop(), "the state belongs to groups of"),
        (lambda s: s["optimizer"]["states"].append([]), "the state belongs to groups of"),
        (lambda s: s["optimizer"]["states"][0][-1].append(1.0), r"with \[2\] numbers per state"),
        (lambda s: s["optimizer"]["states"][0].append(s["optimizer"]["states"][0].pop(0)[:1]), r"with \[2\]"),
        (lambda s: s["optimizer"]["states"][0][-1].__setitem__(1, math.nan), "a number = nan"),
        (lambda s: s["optimizer"]["states"][0][-1].__setitem__(1, 1j), "TypeError .*1j"),
        (lambda s: s["optimizer"].update(learning_rate=[math.nan]), "nan: .* finite"),
        (lambda s: s["optimizer"].update(learning_rate=[0.1, 0.1]), "the state belongs to groups of"),
        (lambda s: s["optimizer"].update(steps=-1), "-1: .* ≥ 0"),
        (
            lambda s: s["optimizer"].pop("class"),
            "the state belongs to an optimiser of an earlier version, but this is Adam",
        ),
        (lambda s: s["optimizer"].update({"class": "AdamW"}), "the state belongs to AdamW, but this is Adam: create"),
        (lambda s: s["records"].reverse(), "epochs 1, 2"),
        (lambda s: s["records"][0].pop(), "not a training state"),
        (lambda s: s["generators"].pop("order"), "generators"),
        (lambda s: s["generators"]["order"].pop(), "the generator 'order'"),
        (lambda s: s["generators"]["net.layers.3"][1].pop(), "the generator 'net.layers.3'"),
        (lambda s: s.pop("records"), "not a training state: KeyError"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(spoil, words):
    source = with_everything("adam")
    for record in source:
        if record.epoch == 2:
            break
    state, training = json.loads(json.dumps(source.state_dict())), with_everything("adam")
    next(iter(training))
    before = training.state_dict()
    spoil(state)
    with pytest.raises(ValueError, match=words):
        training.load_state_dict(state)
    assert training.state_dict() == before


def test_weights_alone_are_no_checkpoint_of_a_training(tmp_path):
    training = with_everything("sgd")
    save(training.model, tmp_path / "weights")
    with pytest.raises(ValueError, match="weights: this is not a training checkpoint"):
        load_training(training, tmp_path / "weights")


def test_a_bit_flipped_anywhere_in_a_checkpoint_is_refused_by_name(tmp_path):
    source, path = with_everything("adam"), tmp_path / "run"
    next(iter(source))
    save_training(source, path)
    content, training = path.read_bytes(), with_everything("adam")
    before = training.state_dict()
    header = 8 + int.from_bytes(content[:8], "little")
    loss = content.index(repr(source.records[0].loss).encode())
    for place in (*range(300), *range(loss, loss + 20), *range(300, header, 31), *range(header, len(content), 7)):
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 8
        path.write_bytes(flipped)
        with pytest.raises(ValueError, match=re.escape(str(path))):
            load_training(training, path)
    assert training.state_dict() == before
    path.write_bytes(content)
    load_training(training, path)
    assert training.state_dict() == source.state_dict()


def test_a_checkpoint_without_records_is_as_large_after_many_epochs_and_goes_on_with_them(tmp_path):
    path, sizes, training = tmp_path / "run", [], on_moons(epochs=30)
    for _ in training:
        save_training(training, path, records=False)
        sizes.append(path.stat().st_size)
    assert max(sizes) - min(sizes) < 400  # the digits of the generator's state
    other = on_moons(epochs=30)
    with pytest.raises(ValueError, match="not a training state: KeyError 'records'"):
        load_training(other, path)
    load_training(other, path, training.records)
    assert other.state_dict() == training.state_dict()


def test_many_examples_are_evaluated_in_parts_as_each_by_itself(monkeypatch):
    model = MLP(2, [4, 1], batch_norm=True, rng=Random(0))
    X = moons(20, rng=Random(1)).X
    model.batch(X)
    for at_once in (1, 7, 20):
        monkeypatch.setattr(nn.evaluation, "AT_ONCE", at_once)
        outputs = nn.evaluation.outputs_of(model, X)
        assert data(outputs) == [model.eval()(x).data for x in X]
    with pytest.raises(ValueError, match="mini-batch is empty"):
        nn.evaluation.outputs_of(model, [])


def test_a_frozen_module_keeps_its_mode_through_an_evaluation():
    model = MLP(2, [3, 1], dropout=0.5, rng=Random(0))
    dropout = model.net.layers[2]
    dropout.eval()
    evaluate(model, binary_cross_entropy, moons(4, rng=Random(0)))
    assert (model.training, dropout.training) == (True, False)


# ---- C4: how do we initialise? --------------------------------------------------------------------------------


@pytest.mark.parametrize("init", ["zero", "constant"])
def test_c4_units_that_start_the_same_stay_the_same_for_ever(init):
    model = MLP(2, [4, 1], activation="sigmoid", init=init)
    [*_] = on_moons(model=model, epochs=5)
    W = model.state_dict()["net.layers.0.W"]
    assert W[0] != first_weights.initializer(init)(2, 1, Random(0))[0]  # they did learn
    assert all(row == W[0] for row in W)


def test_c4_random_units_differ_from_the_start():
    W = MLP(2, [4, 1], rng=Random(0)).state_dict()["net.layers.0.W"]
    assert len({tuple(row) for row in W}) == 4


N_IN, N_OUT = 300, 100
STD = {
    "uniform": 1 / math.sqrt(3),
    "normal": 1.0,
    "xavier_uniform": math.sqrt(2 / (N_IN + N_OUT)),
    "xavier_normal": math.sqrt(2 / (N_IN + N_OUT)),
    "he_uniform": math.sqrt(2 / N_IN),
    "he_normal": math.sqrt(2 / N_IN),
}


@pytest.mark.parametrize("name", STD)
def test_c4_first_weights_have_the_standard_deviation_of_their_formula_and_of_pytorch(name):
    draws = [w for row in first_weights.initializer(name)(N_IN, N_OUT, Random(0)) for w in row]
    # of n draws the standard error of a deviation is at most σ/√2n, and σ/√n of the mean; five of each
    error = 5 * STD[name] / math.sqrt(2 * len(draws))
    assert abs(pstdev(draws) - STD[name]) < error
    assert abs(REFERENCES["first_weights"]["std"][name] - STD[name]) < error
    assert abs(fmean(draws)) < math.sqrt(2) * error


@pytest.mark.parametrize("name", sorted(REFERENCES["first_weights"]["gains"]))
def test_c4_gains_are_pytorchs_and_scale_every_weight(name):
    gain = first_weights.gain(name)
    assert gain == pytest.approx(REFERENCES["first_weights"]["gains"][name], rel=1e-15)
    for make in (first_weights.xavier_uniform, first_weights.xavier_normal):
        plain, scaled = make(3, 4, Random(0)), make(3, 4, Random(0), gain=gain)
        assert scaled == [close([gain * w for w in row]) for row in plain]
    for make in (first_weights.he_uniform, first_weights.he_normal):
        plain, scaled = make(3, 4, Random(0)), make(3, 4, Random(0), gain=gain)
        assert scaled == [close([gain / math.sqrt(2) * w for w in row]) for row in plain]


def test_c4_he_keeps_the_mean_square_of_relu_layers_and_small_normal_weights_lose_it():
    def last_over_first(init):
        rng, a, squares = Random(3), [Random(4).gauss(0, 1) for _ in range(100)], []
        for _ in range(6):
            z = [sum(w * x for w, x in zip(row, a)) for row in init(100, 100, rng)]
            a = [max(z_j, 0.0) for z_j in z]
            squares.append(fmean(z_j * z_j for z_j in z))
        return squares[-1] / squares[0]

    assert 0.3 < last_over_first(first_weights.he_normal) < 3.0
    # each layer takes 100 · 0.01² / 2 = 1/200 of the mean square
    assert last_over_first(partial(first_weights.normal, std=0.01)) < 200.0**-4


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: first_weights.gain("step"), "activation 'step'"),
        (lambda: first_weights.initializer("orthogonal"), "init 'orthogonal': choose one of constant, he_normal"),
        (lambda: first_weights.uniform(2, 2, Random(0), -1.0), "limit = -1.0"),
        (lambda: first_weights.normal(2, 2, Random(0), math.nan), "std = nan"),
        (lambda: first_weights.he_normal(2, 2, Random(0), gain=math.inf), "gain = inf"),
        (lambda: first_weights.constant(2, 2, Random(0), math.inf), "value = inf"),
        (lambda: MLP(2, [3, 1], init="glorot"), "init 'glorot'"),
        (lambda: Linear(2, 3, init=lambda n_in, n_out, rng: [[0.0] * n_out] * n_in), r"\(2, 3\): W must have"),
        (lambda: Linear(2, 3, init=lambda n_in, n_out, rng: [[0.0], [0.0, 1.0], [0.0]]), "different shapes"),
    ],
)
def test_first_weights_refuse_what_cannot_work(make, words):
    with pytest.raises(ValueError, match=words):
        make()


# ---- C5: unstable gradients -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("w", "b", "ratio"), [(1.0, -0.5, 3.814697265625e-06), (8.0, -4.0, 512.0)])
def test_c5_ten_sigmoid_layers_of_one_unit_shrink_or_blow_up_delta(w, b, ratio):
    model = MLP(1, [1] * 10, activation="sigmoid", output="sigmoid")
    model.load_state_dict({path: [[w]] if path.endswith("W") else [b] for path in model.state_dict()})
    trace = model.trace([0.5])
    trace.output.backward()
    assert [a.data for [a] in trace.a] == [0.5] * 11
    assert trace.delta[1][0] / trace.delta[10][0] == ratio == (w / 4) ** 9


# ---- C6: SGD's noise ------------------------------------------------------------------------------------------


def descend(rate, epochs, batch=1):
    """SGD on ½(w − x)² for x = 0, then 2, from w = 5: w after every update."""
    w = Value(5.0, "w")
    optimizer, path = SGD([w], rate), []
    for _ in range(epochs):
        for xs in ([0.0], [2.0]) if batch == 1 else ([0.0, 2.0],):
            optimizer.zero_grad()
            mean_loss(half_squared_error, [[w]] * len(xs), xs).backward()
            optimizer.step()
            path.append(w.data)
    return path


def test_c6_at_a_constant_rate_sgd_cycles_around_the_optimum():
    path = descend(0.5, epochs=40)
    assert path[-4:] == close([2 / 3, 4 / 3, 2 / 3, 4 / 3])


def test_c6_at_the_rate_1_over_t_it_is_at_the_optimum_after_every_epoch():
    path = descend(inverse_time(1.0, decay=1.0), epochs=50)
    assert path[1::2] == close([1.0] * 50)
    # between epochs it is off by less and less: the mean of 0, 2, 0, 2 … 0
    assert path[0::2] == close([(t - 1) / t for t in range(1, 100, 2)])


def test_c6_batch_descent_at_the_rate_1_arrives_in_one_step():
    assert descend(1.0, epochs=1, batch=2) == [1.0]


# ---- C7: mini-batch noise -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("m", "variance"), [(1, 1.25), (2, 0.4166666666666667), (3, 0.1388888888888889), (4, 0.0)])
def test_c7_the_variance_of_the_gradient_over_all_batches_of_m(m, variance):
    gradients = []
    for batch in combinations([0.0, 1.0, 2.0, 3.0], m):
        w = Value(0.0)
        mean_loss(half_squared_error, [[w]] * m, batch).backward()
        gradients.append(w.grad)
    assert fmean(gradients) == close(-1.5)
    assert pvariance(gradients) == close(variance)
    # the variance of a sample of m from N without replacement: σ²/m · (N − m)/(N − 1)
    assert variance == close(1.25 / m * (4 - m) / 3)


@pytest.mark.parametrize(
    ("n", "size", "least", "sizes"),
    [
        (7, 3, 2, [3, 4]),
        (8, 3, 2, [3, 3, 2]),
        (7, 3, 1, [3, 3, 1]),
        (6, 3, 2, [3, 3]),
        (1, 3, 2, [1]),
        (2, 5, 2, [2]),
        (3, 1, 2, [1, 1, 1]),
    ],
)
def test_what_is_left_over_joins_the_batch_before_where_it_would_be_too_small(n, size, least, sizes):
    found = list(batches(n, size, Random(0), least))
    assert list(map(len, found)) == sizes
    assert sorted(i for batch in found for i in batch) == list(range(n))
    assert count_batches(n, size, least) == len(sizes)


# ---- C8: decaying rates ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (linear(1.0, 0.1, steps=100), {0: 1.0, 50: 0.55, 99: 0.109, 100: 0.1, 5000: 0.1}),
        (inverse_time(0.5, decay=0.1), {0: 0.5, 10: 0.25, 90: 0.05}),
        (exponential(0.8, factor=0.5), {0: 0.8, 1: 0.4, 10: 0.8 / 1024}),
        (step(1.0, factor=0.1, every=30), {0: 1.0, 29: 1.0, 30: 0.1, 59: 0.1, 60: 0.01}),
        (cosine(1.0, steps=100, end=0.2), {0: 1.0, 25: 0.6 + 0.4 / math.sqrt(2), 50: 0.6, 100: 0.2, 101: 0.2}),
        (constant(0.3), {0: 0.3, 1000: 0.3}),
        (warm_up(exponential(0.8, 0.5), steps=4), {0: 0.2, 1: 0.4, 2: 0.6, 3: 0.8, 4: 0.8, 5: 0.4}),
        (by_epoch(linear(1.0, 0.0, steps=4), updates=10), {0: 1.0, 9: 1.0, 10: 0.75, 39: 0.25, 40: 0.0}),
    ],
)
def test_c8_schedules_have_the_lectures_numbers(schedule, expected):
    assert {t: schedule(t) for t in expected} == {t: close(rate) for t, rate in expected.items()}


SAME_AS_PYTORCH = {
    "constant": constant(0.4),
    "linear": linear(0.4, 0.04, steps=20),
    "exponential": exponential(0.4, factor=0.9),
    "step": step(0.4, factor=0.5, every=7),
    "cosine": cosine(0.4, steps=25, end=0.05),
    "warm-up": warm_up(exponential(0.4, factor=0.9), steps=5),
}


@pytest.mark.parametrize("name", sorted(REFERENCES["schedules"]))
def test_c8_schedules_are_pytorchs(name):
    w = Value(1.0)
    optimizer, rates = SGD([w], SAME_AS_PYTORCH[name]), []
    for _ in range(25):
        optimizer.step()
        rates.append(optimizer.learning_rate)
    assert rates == close(REFERENCES["schedules"][name])


def test_c8_a_step_moves_by_the_rate_of_its_schedule():
    w = Value(0.0)
    optimizer, path = SGD([w], step(1.0, factor=0.5, every=2)), []
    for _ in range(4):
        w.grad = -1.0
        optimizer.step()
        path.append(w.data)
    assert path == [1.0, 2.0, 2.5, 3.0]


def test_c8_the_record_of_an_epoch_has_the_rate_of_its_last_step():
    model = MLP(2, [4, 1], rng=Random(1))
    optimizer = SGD(model.parameters(), by_epoch(exponential(0.4, 0.5), updates=5))
    training = on_moons(model=model, optimizer=optimizer, epochs=3)
    assert training.updates_per_epoch == 5  # 18 examples, 4 at a time
    assert [record.learning_rate for record in training] == [0.4, 0.2, 0.1]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: constant(0.0), "rate = 0.0"),
        (lambda: linear(math.nan, 0.1, 10), "start = nan"),
        (lambda: linear(1.0, -0.1, 10), "end = -0.1"),
        (lambda: linear(1.0, 0.1, 0), "steps = 0"),
        (lambda: cosine(1.0, 2.5), "steps = 2.5"),
        (lambda: inverse_time(1.0, -1.0), "decay = -1.0"),
        (lambda: exponential(1.0, 0.0), "factor = 0.0"),
        (lambda: step(1.0, 0.5, every=0), "every = 0"),
        (lambda: warm_up(constant(1.0), 0), "steps = 0"),
        (lambda: by_epoch(constant(1.0), -3), "updates = -3"),
        (lambda: SGD([Value(1.0)], lambda t: -0.1), "learning_rate = -0.1"),
    ],
)
def test_schedules_refuse_what_is_no_learning_rate(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize("rate", [-0.1, math.nan, math.inf])
def test_a_rate_that_goes_bad_on_the_way_is_refused_and_nothing_is_moved(rate):
    w = Value(1.0)
    w.grad = 1.0
    optimizer = SGD([w], lambda t: 0.1 if t < 1 else rate, momentum=0.5)
    optimizer.step()
    before = w.data, optimizer.state_dict()
    with pytest.raises(ValueError, match=f"learning_rate after 1 steps = {rate}"):
        optimizer.step()
    assert (w.data, optimizer.state_dict()) == before


def test_a_rate_that_grows_beyond_the_floats_is_refused_as_one():
    w = Value(1.0)
    optimizer = SGD([w], exponential(1.0, factor=2.0))
    optimizer.steps = 2000
    with pytest.raises(ValueError, match="learning_rate after 2000 steps = inf"):
        optimizer.step()
    assert w.data == 1.0 and optimizer.steps == 2000


@pytest.mark.parametrize("rate", [-0.1, math.nan, math.inf, "0.1", None, 1j])
def test_a_rate_that_is_set_by_hand_is_validated_at_once_and_the_old_one_stays(rate):
    optimizer = SGD([Value(1.0)], 0.1)
    with pytest.raises((ValueError, TypeError), match=f"^learning_rate = {rate!r}: it must be"):
        optimizer.learning_rate = rate
    assert optimizer.learning_rate == 0.1


@pytest.mark.parametrize("engine", ["eager", "replay"])
def test_a_rate_that_is_set_by_hand_counts_from_the_next_step_on(engine):
    training = on_moons(engine=engine, progress=False)
    for rate, record in zip([0.1, 0.4, 0.0], training):
        assert record.learning_rate == rate
        training.optimizer.learning_rate = {0.1: 0.4, 0.4: 0.0}.get(rate, 0.1)
    before = data(training.model.parameters())
    assert training.records[1].loss < training.records[0].loss
    training.optimizer.learning_rate = 0
    next(iter(training))
    assert data(training.model.parameters()) == before


@pytest.mark.parametrize("schedule", [lambda: constant(0.1), lambda: by_epoch(cosine(0.2, 5), 3)])
def test_a_rate_that_is_set_by_hand_beside_a_schedule_is_an_error_that_says_so(schedule):
    w = Value(1.0)
    optimizer = Adam([w], schedule())
    with pytest.raises(ValueError, match=r"learning_rate = 0.01 would be overwritten .*: set optimizer\.schedule"):
        optimizer.learning_rate = 0.01
    optimizer.schedule = None
    optimizer.learning_rate = 0.01
    w.grad = 1.0
    optimizer.step()
    assert w.data == pytest.approx(0.99, abs=1e-9)  # a first step of Adam has the length of its learning rate
    optimizer.schedule = constant(0.5)
    optimizer.step()
    assert optimizer.learning_rate == 0.5


def test_a_schedule_that_is_no_function_is_refused_where_it_is_set():
    optimizer = SGD([Value(1.0)], constant(0.1))
    with pytest.raises(TypeError, match=r"schedule = 0\.5: it must be a function"):
        optimizer.schedule = 0.5
    with pytest.raises(AttributeError, match="SGD has no lr: it is called learning_rate"):
        optimizer.lr = 0.5


@pytest.mark.parametrize("make", [SGD, partial(SGD, momentum=0.9), Adam, AdamW, RMSprop])
@pytest.mark.parametrize("engine", ["eager", "replay"])
def test_a_schedule_that_starts_at_0_warms_up_from_there(make, engine):
    model = MLP(2, [4, 1], activation="tanh", rng=Random(1))
    before = data(model.parameters())
    training = on_moons(
        model=model, optimizer=make(model.parameters(), by_epoch(linear(0.0, 0.1, steps=2), 5)), epochs=3,
        progress=False, engine=engine,
    )  # fmt: skip
    epochs = iter(training)
    assert next(epochs).learning_rate == 0.0 and data(model.parameters()) == before
    assert [record.learning_rate for record in epochs] == [0.05, 0.1] and data(model.parameters()) != before


def test_schedules_that_start_at_0_have_the_rates_of_their_formulas():
    assert [linear(0.0, 0.1, steps=4)(t) for t in (0, 1, 4, 9)] == close([0.0, 0.025, 0.1, 0.1])
    assert [cosine(0.0, steps=2, end=0.1)(t) for t in (0, 1, 2)] == close([0.0, 0.05, 0.1])
    assert SGD([Value(1.0)], lambda t: 0.1 * t).learning_rate == 0.0


# ---- optimisers -----------------------------------------------------------------------------------------------

EVERY_OPTIMIZER = {
    "sgd": lambda p: SGD(p, 0.1),
    "momentum": lambda p: SGD(p, 0.1, momentum=0.9),
    "nesterov": lambda p: SGD(p, 0.1, momentum=0.9, weight_decay=0.01, nesterov=True),
    "rmsprop": lambda p: RMSprop(p, 0.05, momentum=0.3, weight_decay=0.01),
    "adam": lambda p: Adam(p, 0.1, weight_decay=0.01),
    "adamw": lambda p: AdamW(p, 0.1),
}


@pytest.mark.parametrize("name", EVERY_OPTIMIZER)
def test_the_same_update_moves_arrays_as_it_moves_values(name):
    rng = Random(5)
    parameters = [Value(rng.gauss(0, 1)) for _ in range(6)]
    optimizer, on_arrays = EVERY_OPTIMIZER[name](parameters), EVERY_OPTIMIZER[name]([Value(0.0)])
    w = np.array(data(parameters))
    state = tuple(np.full(6, number) for number in on_arrays.first_state())
    for _ in range(5):
        gradient = np.array([rng.gauss(0, 1) for _ in range(6)])
        for p, g in zip(parameters, gradient.tolist()):
            p.grad = g
        optimizer.step()
        on_arrays.begin_step()
        w, state = on_arrays.update(w, gradient, state)
        # NumPy may round ** otherwise by one unit in the last place
        assert data(parameters) == pytest.approx(w.tolist(), rel=1e-14)
        assert optimizer.states == [pytest.approx(row, rel=1e-14) for row in zip(*state)] or not state


def test_adamw_decays_a_weight_whose_gradient_is_0_and_adam_hides_decay_behind_a_large_gradient():
    def end(make, gradient):
        w = Value(1.0)
        optimizer = make([w], 0.1, weight_decay=0.5)
        w.grad = gradient
        optimizer.step()
        return w.data

    assert end(AdamW, 0.0) == close(1.0 - 0.1 * 0.5)
    # a first Adam step is η · sign g, whatever the size: decay does not show at all
    assert end(Adam, 1e6) == pytest.approx(1.0 - 0.1, abs=1e-9)
    assert end(AdamW, 1e6) == pytest.approx(1.0 - 0.1 * 0.5 - 0.1, abs=1e-9)


@pytest.mark.parametrize("name", EVERY_OPTIMIZER)
@pytest.mark.parametrize("gradient", [math.nan, math.inf, 1e308])
def test_a_gradient_that_would_leave_the_floats_moves_nothing(name, gradient):
    parameters = [Value(1.0, "u"), Value(2.0, "v")]
    optimizer = EVERY_OPTIMIZER[name](parameters)
    optimizer.learning_rate = 1e3
    for p in parameters:
        p.grad = 0.5
    optimizer.step()
    before = data(parameters), optimizer.state_dict()
    parameters[1].grad = gradient
    with pytest.raises(DomainError, match=r"^v = .* no parameter was updated"):
        optimizer.step()
    assert (data(parameters), optimizer.state_dict()) == before


def remembering(optimizer, steps=3):
    """The optimiser after some steps, so that its state is not the first one."""
    for k in range(steps):
        for i, p in enumerate(optimizer.parameters):
            p.grad = 0.3 * k - 0.2 * i + 0.1
        optimizer.step()
    return optimizer


STATES = {  # those that remember as many numbers, and those that do not
    "RMSprop": lambda p: RMSprop(p, 0.1),
    "Adam": lambda p: Adam(p, 0.1),
    "AdamW": lambda p: AdamW(p, 0.1),
    "SGD": lambda p: SGD(p, 0.1, momentum=0.9),
}


@pytest.mark.parametrize("source", STATES)
@pytest.mark.parametrize("target", STATES)
def test_an_optimisers_state_goes_into_its_own_class_alone(source, target):
    state = remembering(STATES[source]([Value(1.0), Value(2.0)])).state_dict()
    optimizer = remembering(STATES[target]([Value(1.0), Value(2.0)]), 1)
    before = optimizer.state_dict()
    if source == target:
        optimizer.load_state_dict(json.loads(json.dumps(state)))
        assert optimizer.state_dict() == state
    else:
        with pytest.raises(ValueError, match=f"^the state belongs to {source}, but this is {target}: create"):
            optimizer.load_state_dict(state)
        assert optimizer.state_dict() == before


@pytest.mark.parametrize(("saved", "given"), [(0.9, 0.0), (0.0, 0.9)])
def test_the_state_of_an_sgd_with_momentum_is_not_that_of_one_without(saved, given):
    state = remembering(SGD([Value(1.0)], 0.1, momentum=saved)).state_dict()
    with pytest.raises(ValueError, match=r"with \[[01]\] numbers per state: create it with the same groups"):
        SGD([Value(1.0)], 0.1, momentum=given).load_state_dict(state)


@pytest.mark.parametrize("number", [1j, np.complex128(1 + 2j), math.nan, math.inf, "1", None])
@pytest.mark.parametrize("where", ["states", "steps", "learning_rate"])
def test_only_finite_real_numbers_get_into_an_optimisers_state(number, where):
    optimizer = remembering(Adam([Value(1.0)], 0.1))
    before = optimizer.state_dict()
    spoilt = {"states": [[[0.5, number]]], "steps": number, "learning_rate": [number]}
    with pytest.raises((ValueError, TypeError)):
        optimizer.load_state_dict({**before, where: spoilt[where]})
    assert optimizer.state_dict() == before


def test_a_checkpoint_of_another_optimiser_is_refused_by_name(tmp_path):
    source, target = with_everything("adam"), with_everything("rmsprop")
    next(iter(source))
    save_training(source, tmp_path / "run")
    before = target.state_dict()
    with pytest.raises(ValueError, match="the state belongs to Adam, but this is RMSprop: create the optimiser"):
        load_training(target, tmp_path / "run")
    assert target.state_dict() == before


# ---- groups of parameters -------------------------------------------------------------------------------------

GROUPED = {
    "rates": (SGD, {"learning_rate": 0.02}, {}, {"learning_rate": 0.1, "momentum": 0.9}),
    "momentum in one": (SGD, {}, {"momentum": 0.9, "nesterov": True}, {"learning_rate": 0.1}),
    "decay and schedule": (AdamW, {"weight_decay": 0.0}, {"learning_rate": linear(0.0, 0.1, 9)}, {}),
    "betas": (Adam, {"betas": [0.5, 0.9]}, {"epsilon": 1e-3, "learning_rate": 0.05}, {"weight_decay": 0.01}),
    "alpha": (RMSprop, {"alpha": 0.5, "momentum": 0.3}, {"learning_rate": 0.03}, {}),
}


def in_groups(case, parameters):
    """The optimiser of a case with two groups; and one for each of them, which says the same without groups."""
    make, body, head, shared = GROUPED[case]
    halves = parameters[:5], parameters[5:]
    groups = [{"parameters": half, **options} for half, options in zip(halves, (body, head))]
    return make(groups, **shared), [make(half, **{**shared, **own}) for half, own in zip(halves, (body, head))]


@pytest.mark.parametrize("case", GROUPED)
def test_each_group_moves_as_by_an_optimiser_of_its_own(case):
    ours, theirs = ([Value(0.3 * i - 1.0) for i in range(9)] for _ in range(2))
    remembering(in_groups(case, ours)[0], 5)
    for i, p in enumerate(theirs):
        p.name = str(i)
    _, singles = in_groups(case, theirs)
    for k in range(5):
        for i, p in enumerate(theirs):
            p.grad = 0.3 * k - 0.2 * i + 0.1
        for optimizer in singles:
            optimizer.step()
    assert data(ours) == data(theirs)


@pytest.mark.parametrize("case", GROUPED)
def test_groups_train_alike_by_both_engines_and_record_the_rate_of_the_first(case):
    ends = []
    for engine in ("eager", "replay"):
        model = MLP(2, [4, 1], activation="tanh", rng=Random(1))
        optimizer, singles = in_groups(case, model.parameters())
        training = on_moons(model=model, optimizer=optimizer, progress=False, engine=engine)
        records = list(training)
        rates = [record.learning_rate for record in records]
        assert training.engine == engine and rates[-1] == optimizer.groups[0].learning_rate
        assert optimizer.learning_rate == singles[0].learning_rate
        memory = [x for group in optimizer.groups for row in group.states for x in row]
        ends.append([x for r in records for x in r if x == x] + data(model.parameters()) + memory)
    assert ends[1] == pytest.approx(ends[0], rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("case", GROUPED)
@pytest.mark.parametrize("engine", ["eager", "replay"])
def test_a_training_with_groups_is_resumed_to_the_bit(case, engine, tmp_path):
    def training():
        model = MLP(2, [4, 1], activation="tanh", rng=Random(1))
        optimizer, _ = in_groups(case, model.parameters())
        return on_moons(model=model, optimizer=optimizer, progress=False, engine=engine)

    whole, interrupted, resumed = training(), training(), training()
    list(whole)
    for _ in zip(range(2), interrupted):
        pass
    save_training(interrupted, tmp_path / "run")
    load_training(resumed, tmp_path / "run")
    list(resumed)
    assert resumed.state_dict() == whole.state_dict()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda v, w: SGD([{"params": [v]}], 0.1), "^group 0: SGD has no params: it is called parameters"),
        (
            lambda v, w: SGD([{"parameters": [v], "lr": 1.0}], 0.1),
            "^group 0: SGD has no lr: it is called learning_rate",
        ),
        (lambda v, w: SGD([{"parameters": [v]}, {"parameters": [w], "betas": (0, 0)}], 0.1), "^group 1: .*'betas'"),
        (lambda v, w: SGD([{"learning_rate": 0.1}], 0.1), "^group 0: .*'parameters'"),
        (lambda v, w: SGD([{"parameters": [v]}, w], 0.1), "^group 1: 'Value' object is not a mapping"),
        (lambda v, w: SGD([w, {"parameters": [v]}], 0.1), "^group 0: 'Value' object is not a mapping"),
        (lambda v, w: SGD([{"parameters": []}], 0.1), "^group 0: the optimiser got no parameters"),
        (lambda v, w: SGD([{"parameters": [v]}, {"parameters": [w, v]}], 0.1), "a parameter appears twice"),
        (lambda v, w: SGD([{"parameters": [v], "learning_rate": -1.0}], 0.1), "^group 0: learning_rate = -1.0"),
        (lambda v, w: Adam([{"parameters": [v], "betas": (0.9, 1.0)}], 0.1), "^group 0: beta = 1.0"),
        (lambda v, w: SGD([{"parameters": [v], "momentum": 0.0}], 0.1, 0.9, nesterov=True), "^group 0: nesterov"),
        (lambda v, w: SGD({"parameters": [v]}, 0.1), "updates Values, not 'parameters'"),
    ],
)
def test_groups_that_cannot_work_are_named(make, words):
    with pytest.raises((ValueError, TypeError), match=words):
        make(Value(1.0, "v"), Value(1.0, "w"))


@pytest.mark.parametrize("case", GROUPED)
def test_one_group_is_all_of_the_parameters_with_its_options(case):
    make, body, _, shared = GROUPED[case]

    def end(engine, optimizer):
        model = MLP(2, [4, 1], activation="tanh", rng=Random(1))
        list(on_moons(model=model, optimizer=optimizer(model.parameters()), progress=False, engine=engine))
        return data(model.parameters())

    expected = end("eager", lambda parameters: make(parameters, **{**shared, **body}))
    for engine in ("eager", "replay"):
        found = end(engine, lambda parameters: make([{"parameters": parameters, **body}], **shared))
        assert found == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_what_is_set_on_an_optimiser_with_groups_is_not_lost():
    v, w = Value(1.0), Value(1.0)
    sgd = SGD([{"parameters": [v]}, {"parameters": [w], "learning_rate": 0.5}], learning_rate=0.25, momentum=0.5)
    for name, number in (("learning_rate", 0.1), ("momentum", 0.0), ("schedule", constant(0.1)), ("nesterov", True)):
        with pytest.raises(ValueError, match=f"each group has its own {name}: set it in `for group in optimizer"):
            setattr(sgd, name, number)
    for group in sgd.groups:
        group.learning_rate *= 0.5
    remembering(sgd, 1)
    assert (v.data, w.data) == close((1.0 - 0.125 * 0.1, 1.0 + 0.25 * 0.1))


def test_without_groups_an_optimiser_is_its_own_group():
    sgd = SGD([Value(1.0)], 0.5)
    for group in sgd.groups:
        group.learning_rate = 0.25
    assert sgd.learning_rate == 0.25


def test_the_state_of_other_groups_is_refused_and_changes_nothing():
    parameters = [Value(float(i)) for i in range(4)]
    halves = SGD([{"parameters": parameters[:2]}, {"parameters": parameters[2:]}], 0.1)
    before = halves.state_dict()
    for other in (
        SGD(parameters, 0.1), SGD([{"parameters": parameters[:1]}, {"parameters": parameters[1:]}], 0.1),
        SGD([{"parameters": parameters[:2], "momentum": 0.5}, {"parameters": parameters[2:]}], 0.1),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="create it with the same groups, options and model"):
            halves.load_state_dict(other.state_dict())
    assert halves.state_dict() == before


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (lambda t: 0.1 if t < 1 else -0.1, "learning_rate after 1 steps = -0.1"),
        (1e200, r"^w = .* no parameter was updated: try a learning rate below 1e\+200"),
    ],
)
def test_a_step_that_one_group_cannot_take_moves_none(rate, words):
    v, w = Value(1.0, "v"), Value(1.0, "w")
    sgd = SGD([{"parameters": [v]}, {"parameters": [w], "learning_rate": rate}], 0.1, momentum=0.9)
    sgd.step()
    v.grad, w.grad = 1.0, 1e200
    before = data([v, w]), sgd.state_dict(), [group.steps for group in sgd.groups]
    with pytest.raises(ValueError, match=words):
        sgd.step()
    assert (data([v, w]), sgd.state_dict(), [group.steps for group in sgd.groups]) == before


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: SGD(p, 0.1, nesterov=True), "nesterov requires momentum, which is 0.0"),
        (lambda p: RMSprop(p, alpha=1.0), "alpha = 1.0"),
        (lambda p: RMSprop(p, epsilon=0.0), "epsilon = 0.0"),
        (lambda p: RMSprop(p, momentum=-0.1), "momentum = -0.1"),
        (lambda p: RMSprop(p, -1.0), "learning_rate = -1.0"),
        (lambda p: AdamW(p, weight_decay=-1.0), "weight_decay = -1.0"),
        (lambda p: AdamW(p, betas=(0.9,)), "needs two"),
    ],
)
def test_optimisers_refuse_what_cannot_work(make, words):
    with pytest.raises(ValueError, match=words):
        make([Value(1.0)])


# ---- clipping -------------------------------------------------------------------------------------------------


def with_grads(grads):
    parameters = [Value(0.0) for _ in grads]
    for p, g in zip(parameters, grads):
        p.grad = g
    return parameters


@pytest.mark.parametrize("largest", [0.5, 2.0, 100.0])
def test_clipping_is_pytorchs(largest):
    case = REFERENCES["clipping"]
    parameters = with_grads(case["grads"])
    norm = clip_norm(parameters, largest)
    assert norm == close(math.sqrt(sum(g * g for g in case["grads"])))
    # PyTorch divides by ‖g‖ + 1e-6, so that what it calls a norm of 2 is a little less
    factor = (norm + 1e-6) / norm if norm > largest else 1.0
    assert [p.grad for p in parameters] == close([factor * g for g in case["norm"][str(largest)]])
    assert gradient_norm(parameters) == close(min(norm, largest))
    parameters = with_grads(case["grads"])
    clip_value(parameters, largest)
    assert [p.grad for p in parameters] == case["value"][str(largest)]


def test_clipping_by_norm_survives_gradients_whose_squares_overflow():
    parameters = with_grads([3e200, -4e200])
    assert clip_norm(parameters, 10.0) == close(5e200)
    assert [p.grad for p in parameters] == close([6.0, -8.0])


@pytest.mark.parametrize(
    ("clip", "grads", "largest", "error", "words"),
    [
        (clip_norm, [1.0, 2.0], 0.0, ValueError, "largest norm = 0.0"),
        (clip_norm, [1.0, 2.0], math.nan, ValueError, "largest norm = nan"),
        (clip_value, [1.0, 2.0], -1.0, ValueError, "largest value = -1.0"),
        (clip_norm, [5.0, math.inf], 1.0, DomainError, "norm is inf"),
        (clip_norm, [5.0, math.nan], 1.0, DomainError, "norm is nan"),
        (clip_value, [5.0, math.nan], 1.0, DomainError, "is NaN"),
    ],
)
def test_clipping_that_cannot_be_done_changes_nothing(clip, grads, largest, error, words):
    parameters = with_grads(grads)
    with pytest.raises(error, match=words):
        clip(parameters, largest)
    assert repr([p.grad for p in parameters]) == repr(grads)


def test_training_clips_before_it_steps():
    # ½(w − 3)² at w = 0 has the gradient −3
    for options, end in (({}, 3.0), ({"clip_norm": 0.5}, 0.5), ({"clip_value": 0.25}, 0.25)):
        model, *rest = one_weight(0.0, 1.0, [3.0])
        [record] = Training(model, *rest, epochs=1, batch_size=1, **options)
        assert (model.w.data, record.gradient_norm) == (end, 3.0)


# ---- penalties ------------------------------------------------------------------------------------------------


def test_penalties_are_their_formulas_and_pull_by_their_derivatives():
    w = [0.5, -2.0, 3.0]
    assert l1_penalty(map(Value, w), 0.3).data == close(0.3 * 5.5)
    assert l2_penalty(map(Value, w), 0.3).data == close(0.15 * 13.25)
    for penalty, pulls in ((l1_penalty, [0.3, -0.3, 0.3]), (l2_penalty, [0.15, -0.6, 0.9])):
        leaves = list(map(Value, w))
        penalty(leaves, 0.3).backward()
        assert [leaf.grad for leaf in leaves] == close(pulls)
        assert gradcheck(lambda *x, penalty=penalty: penalty(x, 0.3), w)


@pytest.mark.parametrize("penalty", [l1_penalty, l2_penalty])
def test_a_penalty_of_strength_0_is_0(penalty):
    assert penalty([Value(3.0)], 0.0).data == 0.0


def test_an_l1_penalty_leaves_a_weight_of_0_where_it_is():
    w = Value(0.0)
    l1_penalty([w], 1.0).backward()
    assert w.grad == 0.0


@pytest.mark.parametrize("penalty", [l1_penalty, l2_penalty])
@pytest.mark.parametrize(("w", "strength"), [([1.0], -0.1), ([1.0], math.nan), ([1.0], math.inf), ([], 0.1)])
def test_penalties_refuse_what_cannot_be_meant(penalty, w, strength):
    with pytest.raises(ValueError, match=r"strength|got no weights"):
        penalty(map(Value, w), strength)


def test_an_l2_penalty_is_sgds_weight_decay_on_every_w_and_spares_biases():
    models = [MLP(2, [3, 1], activation="tanh", rng=Random(0)) for _ in range(2)]
    [penalised, decayed] = models
    biases = [p for p in decayed.parameters() if p not in set(weights(decayed))]
    points = moons(6, rng=Random(1))
    training = Training(penalised, binary_cross_entropy, SGD(penalised.parameters(), 0.3), points, l2=0.2)
    loss, _ = training.step(points.X, points.y)
    mean = mean_loss(binary_cross_entropy, decayed.batch(points.X), points.y)
    mean.backward()
    SGD(weights(decayed), 0.3, weight_decay=0.2).step()
    SGD(biases, 0.3).step()
    assert data(penalised.parameters()) == close(data(decayed.parameters()))
    assert loss == mean.data  # the loss that is recorded is the data's alone
    assert len(weights(decayed)) == 9


def test_l1_drives_weights_that_do_not_matter_to_0_and_l2_only_makes_them_small():
    # y depends on the first of three inputs alone
    rng = Random(4)
    X = [[rng.gauss(0, 1) for _ in range(3)] for _ in range(40)]
    y = [int(x[0] > 0) for x in X]
    ends = {}
    for option in ({}, {"l1": 0.1}, {"l2": 0.1}):
        model = MLP(3, [1], rng=Random(0))
        examples = Dataset(X, y, ["no", "yes"], ["a", "b", "c"])
        optimizer = SGD(model.parameters(), linear(0.5, 0.001, 60))
        list(Training(model, binary_cross_entropy, optimizer, examples, epochs=60, batch_size=40, **option))
        ends[next(iter(option), "none")] = [abs(w.data) for w in weights(model)]
    assert ends["l1"][0] > 0.5 and max(ends["l1"][1:]) < 0.01
    assert 0.01 < max(ends["l2"][1:]) < max(ends["none"][1:])


# ---- data -----------------------------------------------------------------------------------------------------


def test_breast_cancer_and_wine_have_their_published_sizes():
    tumours, wines = breast_cancer(), wine()
    assert (len(tumours.X), {len(x) for x in tumours.X}, Counter(tumours.y)) == (569, {30}, {0: 212, 1: 357})
    assert (len(wines.X), {len(x) for x in wines.X}, Counter(wines.y)) == (178, {13}, {0: 59, 1: 71, 2: 48})
    assert tumours.classes == ["malignant", "benign"]
    assert (tumours.features[0], wines.features[0]) == ("mean radius", "alcohol")
    assert {type(x) for part in (tumours, wines) for x in (*part.features, *part.classes)} == {str}
    assert {type(x) for part in (tumours, wines) for row in part.X for x in row} == {float}


def test_a_sequential_counts_weights_that_are_shared_once():
    layer = Linear(2, 2, rng=Random(0))
    assert len(weights(Sequential(layer, layer))) == 4
