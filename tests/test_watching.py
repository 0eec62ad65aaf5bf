"""The page on which a run passes by: its numbers against other computations, what it leaves alone, its looks."""

import json
import math
import re
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from conftest import serious

from autograd.colours import DARK, LIGHT
from nn import (
    MLP,
    SGD,
    BatchNorm,
    Dropout,
    Linear,
    Module,
    ReLU,
    Sequential,
    Sigmoid,
    Tanh,
    Training,
    accuracy,
    back_propagate,
    binary_cross_entropy,
    confusion_matrix,
    cross_entropy,
    half_squared_error,
    hinge,
    mean_squared_error,
    watch,
)
from nn.data import Dataset, moons
from nn.diagnostics import Diagnosis
from nn.records import EpochRecord
from nn.watching.frames import LEVELS, evenly, outputs_at, quantised

FOUR_DIGITS = 5e-4  # the rounding of a number to four digits, relative


def run(model, loss, data, validation=None, epochs=4, rate=0.3):
    """A training that has run, and the states after its epochs."""
    training = Training(
        model, loss, SGD(model.parameters(), rate), data, validation, epochs=epochs, rng=Random(2), progress=False
    )
    return training, [model.state_dict() for _ in training]


def moons_run(epochs=5):
    model = MLP(2, [6, 5, 1], activation="tanh", rng=Random(0))
    return run(model, binary_cross_entropy, moons(24, rng=Random(1)), moons(16, rng=Random(3)), epochs)


def blobs(n=30, features=4, classes=3):
    """Examples of several classes with more numbers than can be drawn in a plane."""
    rng = Random(4)
    y = [i % classes for i in range(n)]
    X = [[rng.gauss(2.0 * (label == k), 1.0) for k in range(features)] for label in y]
    return Dataset(X, y, ["red", "green", "blue"][:classes], [f"x{i}" for i in range(features)])


def untrained(model, loss, data, states):
    """Epochs that nobody had to train: made-up records, states that were handed in."""
    training = Training(model, loss, SGD(model.parameters(), 0.1), data, epochs=len(states))
    training.records = [
        EpochRecord(i + 1, 1.0 / (i + 1), 0.5, math.nan, math.nan, i, i, 1.0, 0.1) for i in range(len(states))
    ]
    return training


def moved(model, count):
    """States of the model's shape, each with other numbers."""
    rng, states = Random(7), []
    for _ in range(count):
        for p in model.parameters():
            p.data = rng.gauss(0.0, 1.0)
        states.append(model.state_dict())
    return states


def film_of(film):
    """What the page was told, read from the page as it stands."""
    [text] = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', film.page, re.DOTALL)
    return json.loads(text)


def test_a_layer_without_a_bias_is_shown_with_a_bias_of_0():
    model = Sequential(Linear(2, 3, rng=0, bias=False), Tanh(), Linear(3, 1, rng=1))
    states = moved(model, 2)
    told = film_of(watch(untrained(model, binary_cross_entropy, moons(4, rng=0), states), states))
    assert told["layers"][0]["b"]["numbers"] == [[0, 0, 0], [0, 0, 0]]
    assert told["layers"][1]["b"]["numbers"] != [[0], [0]] and "layers.0.b" not in states[0]


def numbers(told, frame):
    """The numbers of a frame, and how far rounding may have moved them."""
    step = told["steps"][frame]
    return step * np.array(told["numbers"][frame]), 0.51 * step  # half a step, and the products' rounding


def matrices(state, layers):
    """[None, W¹, …] and [None, b¹, …] of an MLP's state, for the matrix algorithm."""
    paths = [f"net.layers.{i}" for i in layers]
    return [None, *(state[f"{p}.W"] for p in paths)], [None, *(state[f"{p}.b"] for p in paths)]


# ---- numbers ----------------------------------------------------------------------------------------------------


def test_heights_on_the_grid_are_the_models_outputs_with_the_weights_of_then():
    training, history = moons_run()
    told = film_of(watch(training, history))["map"]
    assert told["kind"] == "height" and told["level"] == 0
    steps = told["steps"]
    for frame, state in enumerate(history):
        training.model.load_state_dict(state)
        heights, slack = numbers(told["heights"], frame)
        for row, column in [(0, 0), (3, 40), (20, 17), (40, 40)]:
            share = np.array([column, row]) / (steps - 1)
            x = np.array(told["low"]) + share * (np.array(told["high"]) - np.array(told["low"]))
            assert abs(heights[row * steps + column] - training.model(x.tolist()).data) <= slack
    columns = np.array(training.training.X + training.validation.X)
    assert (np.array(told["low"]) < columns.min(0)).all() and (np.array(told["high"]) > columns.max(0)).all()


def test_weights_activations_and_delta_are_those_of_the_matrix_algorithm():
    training, history = moons_run()
    told = film_of(watch(training, history, examples=4))
    X = [numbers(told["examples"]["X"], i)[0].tolist() for i in range(4)]
    labels = told["examples"]["labels"]
    assert sorted(labels) == [0, 0, 1, 1]
    exact = [min(training.training.X, key=lambda x: math.dist(x, shown)) for shown in X]
    pairs = [*zip(exact, labels), *((x, y) for x, y in zip(*training.training[:2]) if x not in exact)]
    assert told["sample"] == len(pairs) == 24
    for frame, state in enumerate(history):
        W, b = matrices(state, [0, 2, 4])
        passes = [
            back_propagate(W, b, x, [y], g=[None, "tanh", "tanh", "linear"], loss="binary_cross_entropy")
            for x, y in pairs
        ]
        for l, layer in enumerate(told["layers"], 1):
            expected = {
                "W": W[l], "b": b[l], "a": [p.a[l] for p in passes[:4]], "delta": [p.delta[l] for p in passes[:4]],
            }  # fmt: skip
            for name, array in expected.items():
                shown, slack = numbers(layer[name], frame)
                assert np.abs(shown - np.ravel(array)).max() <= slack, (name, l, frame)
            norms = [float(np.linalg.norm(p.delta[l])) for p in passes]
            assert layer["norms"][frame] == pytest.approx(norms[:4], rel=FOUR_DIGITS)
            assert layer["norm"][frame] == pytest.approx(math.sqrt(sum(n * n for n in norms) / 24), rel=FOUR_DIGITS)


def test_records_and_curves_are_the_trainings_to_four_digits():
    training, history = moons_run()
    told = film_of(watch(training, history))
    for shown, record in zip(told["frames"], training.records, strict=True):
        assert shown["epoch"] == record.epoch
        for name in ("loss", "accuracy", "validation_loss", "validation_accuracy"):
            assert shown[name] == pytest.approx(getattr(record, name), rel=FOUR_DIGITS)
    assert told["curves"]["training"] == [frame["loss"] for frame in told["frames"]]


def test_confusion_counts_every_validation_example_by_truth_and_prediction():
    model = MLP(4, [5, 3], rng=Random(0))
    training, history = run(model, cross_entropy, blobs(), blobs(45))
    told = film_of(watch(training, history))["map"]
    assert told["kind"] == "confusion" and told["data"] == "validation" and told["names"] == ["red", "green", "blue"]
    for frame, state in enumerate(history):
        model.load_state_dict(state)
        expected = [0] * 9
        for x, y in zip(training.validation.X, training.validation.y):
            expected[3 * y + max(range(3), key=lambda j: model(x)[j].data)] += 1
        assert told["counts"][frame] == expected


def test_without_validation_data_the_confusion_is_of_the_training_data():
    training, history = run(MLP(4, [3], rng=Random(0)), cross_entropy, blobs(), epochs=1)
    told = film_of(watch(training, history))
    assert told["map"]["data"] == "training" and sum(told["map"]["counts"][0]) == 30
    assert told["curves"]["validation"] == [None] and told["frames"][0]["validation_loss"] is None


def test_of_two_outputs_the_lead_is_drawn_and_of_three_the_winner():
    for units, kind in ((2, "lead"), (3, "classes")):
        model = MLP(2, [4, units], activation="tanh", rng=Random(1))
        training, history = run(model, cross_entropy, blobs(30, 2, units), epochs=2)
        told = film_of(watch(training, history))["map"]
        assert told["kind"] == kind
        model.load_state_dict(history[1])
        heights, slack = numbers(told["heights"], 1)
        for column in (0, 25, 40):
            x = [a + (b - a) * s for a, b, s in zip(told["low"], told["high"], (column / 40, 0.5))]
            out = [unit.data for unit in model(x)]
            place = 20 * 41 + column
            if units == 2:
                assert abs(heights[place] - (out[1] - out[0])) <= slack
            else:
                first, second = sorted(out)[:-3:-1]
                assert told["winners"][1][place] == out.index(first)
                assert abs(heights[place] - (first - second)) <= slack


def test_after_a_sigmoid_the_boundary_is_at_one_half():
    model = Sequential(Linear(2, 1, rng=Random(0)), Sigmoid())
    training, history = run(model, half_squared_error, moons(10, rng=Random(0)), epochs=1)
    told = film_of(watch(training, history))["map"]
    heights, slack = numbers(told["heights"], 0)
    assert told["level"] == 0.5 and abs(heights[0] + 0.5 - model(told["low"])[0].data) <= slack


def test_one_output_for_three_labels_has_an_area_for_each():
    data = blobs(30, 2, 3)
    model = MLP(2, [4, 1], activation="tanh", rng=Random(1))
    training, history = run(model, mean_squared_error, data, epochs=20, rate=0.05)
    told = film_of(watch(training, history))["map"]
    assert told["kind"] == "classes"
    heights, slack = numbers(told["heights"], 19)
    model.load_state_dict(history[19])
    for place in range(0, 41 * 41, 97):
        x = [a + (b - a) * k / 40 for a, b, k in zip(told["low"], told["high"], (place % 41, place // 41))]
        output = model(x).data
        winner = min(range(3), key=lambda label: abs(output - label))
        assert told["winners"][19][place] == winner
        distance = min(abs(output - edge) for edge in (0.5, 1.5) if abs(edge - winner) == 0.5)
        assert abs(heights[place] - distance) <= slack


@pytest.mark.parametrize(
    ("loss", "units", "target", "names"),
    [
        (hinge, 1, lambda k: 2 * k - 1, ["−1", "+1"]),
        (binary_cross_entropy, 1, lambda k: 0.05 + 0.9 * k, ["0", "1"]),
        (mean_squared_error, 1, lambda k: k, ["0", "1"]),
        (half_squared_error, 2, lambda k: [1.0 - k, float(k)], ["0", "1"]),
        (cross_entropy, 2, lambda k: [0.9 - 0.8 * k, 0.1 + 0.8 * k], ["0", "1"]),
    ],
)
def test_the_confusion_reads_every_kind_of_label_as_the_task_does(loss, units, target, names):
    plain = blobs(40, 4, 2)
    data = Dataset(plain.X, [target(y) for y in plain.y])
    model = MLP(4, [3, units], activation="tanh", rng=Random(0))
    training, history = run(model, loss, data, epochs=3, rate=0.05)
    told = film_of(watch(training, history))
    assert told["map"]["names"] == told["classes"] == names
    assert told["examples"]["labels"] == [0, 1, 0, 1, 0, 1]
    shown = training.task.sample(data).take(range(6))
    for frame, state in enumerate(history):
        model.load_state_dict(state)
        assert told["map"]["counts"][frame] == [n for row in confusion_matrix(model, data) for n in row]
        right = [a == b for a, b in zip(told["examples"]["predicted"][frame], told["examples"]["labels"])]
        assert sum(right) / 6 == accuracy(model, shown)


def sine(n=30, outputs=1, units=(250.0, 40.0)):
    rng = Random(5)
    X = [[rng.uniform(-3.0, 3.0)] for _ in range(n)]
    y = [math.sin(x) for (x,) in X]
    return Dataset(X, y if outputs == 1 else [[a, -a] for a in y], features=["width"], units=units)


@pytest.mark.parametrize("outputs", [1, 2])
def test_a_regression_over_one_input_is_a_curve_for_each_output_in_the_targets_units(outputs):
    data, model = sine(outputs=outputs), MLP(1, [4, outputs], activation="tanh", rng=Random(0))
    training, history = run(model, mean_squared_error, data, sine(9, outputs), epochs=3, rate=0.05)
    told = film_of(watch(training, history))
    fit = told["map"]
    assert fit["kind"] == "fit" and fit["data"] == "training" and fit["features"] == ["width", "y"]
    rows = [y if outputs == 2 else [y] for y in data.y]
    expected = [[x, 250.0 + 40.0 * y, k] for [x], row in zip(data.X, rows) for k, y in enumerate(row)]
    assert np.allclose(fit["points"], expected, rtol=1e-12)
    for frame, state in enumerate(history):
        model.load_state_dict(state)
        shown, slack = numbers(fit["curves"], frame)
        for column in (0, 13, 40):
            x = fit["low"][0] + (fit["high"][0] - fit["low"][0]) * column / 40
            units = model([x]) if outputs == 2 else [model([x])]
            for k, unit in enumerate(units):
                assert abs(shown[41 * k + column] - (250.0 + 40.0 * unit.data)) <= slack
        record = training.records[frame]
        assert told["frames"][frame]["rmse"] == pytest.approx(record.rmse, rel=FOUR_DIGITS)
        assert told["frames"][frame]["validation_rmse"] == pytest.approx(record.validation_rmse, rel=FOUR_DIGITS)
        assert told["frames"][frame]["accuracy"] is None


def numbers_in_the_plane(n=20):
    rng = Random(6)
    X = [[rng.gauss(0.0, 1.0), rng.gauss(0.0, 1.0)] for _ in range(n)]
    return Dataset(X, [a - b for a, b in X], units=(10.0, 2.0))


def test_a_regression_over_several_inputs_is_predicted_against_true():
    data, held, model = numbers_in_the_plane(), numbers_in_the_plane(15), MLP(2, [3, 1], rng=Random(0))
    training, history = run(model, half_squared_error, data, held, epochs=2, rate=0.05)
    told = film_of(watch(training, history))
    fit = told["map"]
    assert fit["kind"] == "fit" and fit["data"] == "validation" and fit["examples"] == 15
    assert [true for true, _, _ in fit["points"]] == pytest.approx([10.0 + 2.0 * y for y in held.y])
    for frame, state in enumerate(history):
        model.load_state_dict(state)
        shown, slack = numbers(fit["predicted"], frame)
        assert np.abs(shown - [10.0 + 2.0 * model(x).data for x in held.X]).max() <= slack
    examples = training.task.sample(data).take(range(6))
    assert told["examples"]["labels"] == [[pytest.approx(10.0 + 2.0 * y, rel=FOUR_DIGITS)] for y in examples.y]
    last = [[pytest.approx(10.0 + 2.0 * model(x).data, rel=FOUR_DIGITS)] for x in examples.X]
    assert told["examples"]["predicted"][-1] == last


def test_outputs_of_a_loss_that_does_not_say_what_they_are_stand_against_the_targets():
    training, history = run(MLP(2, [1], rng=Random(0)), lambda a, y: abs(a - y), numbers_in_the_plane(), epochs=1)
    told = film_of(watch(training, history))
    assert told["map"]["kind"] == "fit" and told["frames"][0]["rmse"] is told["frames"][0]["accuracy"] is None


@pytest.mark.parametrize("kind", ["moons", "blobs", "sine", "plane"])
def test_delta_is_measured_on_the_examples_that_the_diagnosis_takes(kind):
    loss, data, model = {
        "moons": (binary_cross_entropy, moons(70, rng=Random(1)), MLP(2, [4, 1], rng=Random(0))),
        "blobs": (cross_entropy, blobs(90), MLP(4, [5, 3], activation="tanh", rng=Random(0))),
        "sine": (mean_squared_error, sine(80), MLP(1, [4, 1], activation="tanh", rng=Random(0))),
        "plane": (half_squared_error, numbers_in_the_plane(60), MLP(2, [3, 1], rng=Random(0))),
    }[kind]
    training = Training(model, loss, SGD(model.parameters(), 0.05), data, epochs=2, rng=0, progress=False)
    diagnosis, history = Diagnosis(training), []
    for _ in training:
        diagnosis.measure()
        history.append(model.state_dict())
    told = film_of(watch(training, history, examples=3))
    assert told["sample"] == 50 and len(told["examples"]["labels"]) == 3
    for l, layer in enumerate(told["layers"]):
        assert layer["norm"] == [pytest.approx(epoch[l].delta, rel=FOUR_DIGITS) for epoch in diagnosis.records]


@pytest.mark.parametrize(
    "nest", [lambda a, g, b: [Sequential(a, g), b], lambda a, g, b: [a, Sequential(g, Sequential(b))]]
)
def test_layers_of_an_inner_sequential_are_numbered_traced_and_diagnosed_as_in_a_flat_one(nest):
    data, found = moons(12, rng=0), []
    for arranged in (nest, lambda *layers: layers):
        model = Sequential(*arranged(Linear(2, 3, rng=0), Tanh(), Linear(3, 1, rng=1)))
        training = Training(model, binary_cross_entropy, SGD(model.parameters(), 0.1), data, epochs=2, rng=0)
        diagnosis, history = Diagnosis(training), []
        for _ in training:
            diagnosis.measure()
            history.append(model.state_dict())
        layers = film_of(watch(training, history))["layers"]
        names = [z.name for layer in model.trace(data.X[0]).z for z in layer]
        found.append((diagnosis.records, layers, names, list(model.named_parameters())))
    assert found[0] == found[1]
    assert found[0][2] == ["z¹_1", "z¹_2", "z¹_3", "z²_1"] and found[0][3][-1] == "b²_1"


def test_hinge_labels_of_minus_one_stand_for_class_0():
    data = moons(10, rng=Random(0))
    data = data._replace(y=[2 * y - 1 for y in data.y])
    training, history = run(MLP(2, [1], rng=Random(0)), hinge, data, epochs=1)
    told = film_of(watch(training, history))
    assert {point[2] for point in told["map"]["points"]} == {0, 1}
    assert set(told["examples"]["labels"]) == {0, 1}


class Gate(Module):
    """A module that looks at its number and decides, which one example's graph cannot show for all."""

    def forward(self, x):
        return [x_i if x_i.data > 0.0 else -2.0 * x_i for x_i in x]


@pytest.mark.parametrize("last", [Gate, Tanh, ReLU, lambda: Dropout(0.5), lambda: BatchNorm(3)])
def test_outputs_at_many_points_are_those_of_each_example(last):
    model = Sequential(Linear(2, 3, rng=Random(0)), last())
    for buffer in model.buffers().values():
        buffer[:] = [0.5, 2.0, 0.1]
    X = [[Random(i).uniform(-2.0, 2.0), Random(-i - 1).uniform(-2.0, 2.0)] for i in range(20)]
    found = outputs_at(model, X)
    assert model.training
    model.eval()
    expected = [[unit.data for unit in model(x)] for x in X]
    # NumPy's tanh is off from C's by a unit in the last place
    assert np.allclose(found, np.transpose(expected), rtol=1e-14, atol=0.0)


def test_of_many_epochs_100_are_shown_evenly_with_the_first_and_the_last():
    model = MLP(2, [1], rng=Random(0))
    states = moved(model, 250)
    told = film_of(watch(untrained(model, binary_cross_entropy, moons(4, rng=Random(0)), states), states))
    epochs = [frame["epoch"] for frame in told["frames"]]
    assert len(epochs) == 100 and epochs[0] == 1 and epochs[-1] == 250 and told["epochs"] == 250
    assert {b - a for a, b in pairwise(epochs)} == {2, 3}
    # the frame of an epoch has that epoch's weights
    assert numbers(told["layers"][0]["W"], 41)[0][0] == pytest.approx(
        states[epochs[41] - 1]["net.layers.0.W"][0][0], abs=numbers(told["layers"][0]["W"], 41)[1]
    )


def test_even_choices_are_rising_and_quantised_numbers_keep_four_digits():
    for n in (1, 2, 7, 100, 101, 1000):
        chosen = evenly(n, 100)
        assert len(chosen) == min(n, 100) and chosen[0] == 0 and chosen[-1] == n - 1
        assert all(a < b for a, b in pairwise(chosen))
    frames = [np.array([0.3, -1e-3, 0.0]), np.array([-7.0, 2.0, 1e-9])]
    together, apart = quantised(frames), quantised(frames, together=False)
    assert together["steps"][0] == together["steps"][1] and apart["steps"][0] < apart["steps"][1]
    for told in (together, apart):
        for i, frame in enumerate(frames):
            shown, slack = numbers(told, i)
            assert np.abs(shown - frame).max() <= slack
            assert max(map(abs, told["numbers"][i])) <= LEVELS
    assert quantised([np.zeros(2)]) == {"steps": [0.0], "numbers": [[0, 0]]}


# ---- what is left alone -----------------------------------------------------------------------------------------


def everything(training):
    model = training.model
    return (
        repr(training.state_dict()),
        [p.grad for p in model.parameters()],
        [module.training for module in (model, *model.submodules().values())],
        repr(masks_of(model)),
    )


def masks_of(model):
    return [list(dropout.masks) for dropout in model.submodules().values() if isinstance(dropout, Dropout)]


def test_model_gradients_statistics_modes_and_generators_stay_to_the_last_bit():
    model = MLP(2, [4, 1], dropout=0.3, batch_norm=True, rng=Random(0))
    training, history = run(model, binary_cross_entropy, moons(12, rng=Random(1)))
    model.net.layers[0].training = False  # one module in another mode than the rest
    model.parameters()[0].grad = -0.0
    before, states = everything(training), repr(history)
    film = watch(training, history)
    assert everything(training) == before and repr(history) == states
    history[2] = {**history[2], "net.layers.0.b": [0.0]}
    with pytest.raises(ValueError, match=r"history\[2\]"):
        watch(training, history)
    assert everything(training) == before
    history[2] = history[1]
    assert film_of(film)["layers"][0]["norm"] != film_of(watch(training, history))["layers"][0]["norm"]


def test_a_model_that_has_blown_up_since_keeps_even_its_nan():
    training, history = run(MLP(2, [1], rng=Random(0)), binary_cross_entropy, moons(6, rng=Random(0)))
    p = training.model.parameters()[0]
    p.data = math.nan
    watch(training, history)
    assert math.isnan(p.data)


def test_wrong_histories_are_refused_with_value_rule_and_remedy():
    training, history = moons_run(2)
    with pytest.raises(ValueError, match=r"history is empty: append model.state_dict\(\) after each record"):
        watch(training, [])
    with pytest.raises(ValueError, match=r"3 states and the training 2 records: it needs one state for each"):
        watch(training, [*history, history[0]])
    other = MLP(2, [3, 1]).state_dict()
    with pytest.raises(ValueError, match=r"history\[1\], of epoch 2, cannot be shown: .*append model.state_dict\(\)"):
        watch(training, [history[0], other])
    with pytest.raises(ValueError, match=r"history\[0\], of epoch 1.*layers.0.b has a number .* not finite"):
        watch(training, [{**history[0], "net.layers.0.b": [math.nan] * 6}, history[1]])
    with pytest.raises(ValueError, match=r"history\[0\]"):
        watch(training, [None, None])
    with pytest.raises(ValueError, match="examples = 0: it needs to be from 1 to 20"):
        watch(training, history, examples=0)
    with pytest.raises(TypeError, match="watch takes the Training that has run, not MLP"):
        watch(training.model, history)
    training.model = Gate()
    with pytest.raises(TypeError, match=r"watch of Gate\(\): it traces an MLP or a Sequential"):
        watch(training, history)


# ---- the page ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_pages_are_small_enough():
    model = MLP(2, [16, 16, 1], rng=Random(0))
    states = moved(model, 60)
    film = watch(untrained(model, binary_cross_entropy, moons(200, rng=Random(0)), states), states)
    assert len(film.page.encode()) < 2_000_000
    model = MLP(64, [32, 10], rng=Random(0))
    states = moved(model, 30)
    film = watch(untrained(model, cross_entropy, blobs(30, 64), states), states)
    assert len(film.page.encode()) < 5_000_000
    assert all(len(layer["rows"]) == layer["to"] for layer in film_of(film)["layers"])


@pytest.mark.slow
def test_a_huge_matrix_is_shown_by_evenly_chosen_rows_and_columns():
    model = MLP(300, [100, 3], rng=Random(0))
    states = moved(model, 1) * 40
    film = watch(untrained(model, cross_entropy, blobs(3, 300), states), states, examples=1)
    layer = film_of(film)["layers"][0]
    assert len(film.page.encode()) < 5_000_000
    assert len(layer["rows"]) * len(layer["columns"]) <= 5000 and layer["columns"][-1] == 299
    shown, slack = numbers(layer["W"], 39)
    W = np.array(states[0]["net.layers.0.W"])[np.ix_(layer["rows"], layer["columns"])]
    assert np.abs(shown - W.ravel()).max() <= slack


HOSTILE = ["</script><script>alert(1)</script>", "{{id}}<b>", "\ud800\u202e" + "x" * 10_000]


def hostile():
    data = blobs(9, 2)._replace(classes=HOSTILE, features=HOSTILE[:2])
    return watch(*run(MLP(2, [3], rng=Random(0)), cross_entropy, data, epochs=1))


def test_hostile_names_cannot_leave_the_data_of_the_page():
    film = hostile()
    assert film.page.count("<script") == film.page.count("</script>") == 2
    classes = film_of(film)["classes"]
    assert classes[:2] == [f"{HOSTILE[0][:29]}…", HOSTILE[1]]
    assert classes[2] == r"\ud800\u202e" + "x" * 17 + "…"  # nothing turns the words beside it around


def test_the_page_needs_nothing_else_and_two_films_share_no_id(tmp_path):
    training, history = moons_run(2)
    films = [watch(training, history), watch(training, history[::-1])]
    for film in films:
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", film.page)
    first, second = ({*re.findall(r'\bid="([^"]+)"', film.page)} for film in films)
    assert len(first) > 10 and not first & second
    assert films[0].save(tmp_path / "watch.html").read_text(encoding="utf-8") == films[0].page
    with pytest.raises(ValueError, match=r"watch.png: a film is saved as .html"):
        films[0].save(tmp_path / "watch.png")


def test_in_a_notebook_the_page_is_in_a_sandboxed_frame_over_an_image():
    film = watch(*moons_run(2))
    shown = film._repr_html_()
    assert '<iframe sandbox="allow-scripts"' in shown and 'src="data:image/svg+xml;base64,' in shown
    assert "<!DOCTYPE" not in shown and "&lt;!DOCTYPE html&gt;" in shown
    assert repr(film) == "<film of MLP(2, [6, 5, 1]): 2 frames of 2 epochs>"


# ---- in Chromium ------------------------------------------------------------------------------------------------


@pytest.fixture
def opened(visit, tmp_path):
    """Opens a film."""
    return lambda film, **options: visit(film.save(tmp_path / "film.html"), **options)


@pytest.fixture(scope="module")
def moons_film():
    training, history = moons_run(8)
    return training, history, watch(training, history)


@pytest.fixture(scope="module")
def blobs_film():
    return watch(
        *run(MLP(64, [8, 3], rng=Random(0)), cross_entropy, blobs(30, 64), blobs(30, 64), epochs=3, rate=0.05)
    )


@pytest.fixture(scope="module")
def films(moons_film, blobs_film):
    """A film of each kind."""
    over_one = run(
        MLP(1, [4, 2], activation="tanh", rng=Random(0)), mean_squared_error, sine(30, 2), sine(9, 2), 6, 0.05
    )
    over_two = run(MLP(2, [3, 1], rng=Random(0)), mean_squared_error, numbers_in_the_plane(), epochs=3, rate=0.05)
    return {"moons": moons_film[2], "blobs": blobs_film, "sine": watch(*over_one), "plane": watch(*over_two)}


def part(page, name):
    return page.locator(f"[id$='-{name}']")


def scrub(page, frame):
    part(page, "scrubber").evaluate(
        "(field, frame) => { field.value = frame; field.dispatchEvent(new Event('input')); }", frame
    )


def shown_loss(page):
    """(epoch, loss, validation loss) that the page says."""
    words = part(page, "summary").inner_text().replace("−", "-")
    epoch, loss, validation = re.search(r"epoch (\d+): loss (\S+),.*validation loss (\S+),", words).groups()
    return int(epoch), float(loss), float(validation)


def loss_of(record):
    return record.epoch, float(f"{record.loss:.4g}"), float(f"{record.validation_loss:.4g}")


@pytest.mark.browser
def test_scrubbing_shows_the_loss_of_that_epochs_record(opened, moons_film):
    training, _, film = moons_film
    page = opened(film)
    for frame in (0, 5, 7, 2):
        scrub(page, frame)
        assert shown_loss(page) == loss_of(training.records[frame])
        assert part(page, "scrubber").get_attribute("aria-valuetext") == f"epoch {frame + 1} of 8"
        assert f"training {float(f'{training.records[frame].loss:.4g}'):g}" in part(page, "losses").inner_text()


@pytest.mark.browser
def test_buttons_and_arrow_keys_step_and_play_runs_to_the_end(opened, moons_film):
    page = opened(moons_film[2])
    epochs = []
    for press in ("ArrowRight", "ArrowRight", "ArrowLeft", "End", "ArrowRight", "Home", "ArrowLeft"):
        page.keyboard.press(press)
        epochs.append(shown_loss(page)[0])
    assert epochs == [2, 3, 2, 8, 8, 1, 1]
    part(page, "next").click()
    part(page, "next").click()
    part(page, "back").click()
    assert shown_loss(page)[0] == 2
    part(page, "play").click()
    assert part(page, "play").inner_text() == "Pause" and part(page, "summary").get_attribute("aria-live") == "off"
    page.locator("[id$='-play']", has_text="Play").wait_for()
    assert shown_loss(page)[0] == 8 and part(page, "summary").get_attribute("aria-live") == "polite"
    part(page, "play").click()  # from the end it begins again
    assert shown_loss(page)[0] < 8
    part(page, "play").click()
    assert part(page, "play").inner_text() == "Play"


@pytest.mark.browser
def test_the_scrubber_is_reached_and_moved_by_keys_alone(opened, moons_film):
    page = opened(moons_film[2])
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.type") == "range":
            break
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert shown_loss(page)[0] == 3


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_side_of_the_boundary_has_its_sign_as_a_colour(opened, moons_film, scheme):
    training, history, film = moons_film
    page = opened(film, scheme=scheme)
    told, paper = film_of(film)["map"], bytes.fromhex({"light": LIGHT, "dark": DARK}[scheme]["paper"][1:])
    canvas = page.locator("canvas.plane")
    for frame in (0, 7):
        scrub(page, frame)
        training.model.load_state_dict(history[frame])
        found = []
        for across, up in [(0.02, 0.98), (0.98, 0.02), (0.02, 0.02), (0.98, 0.98)]:
            x = [a + (b - a) * s for a, b, s in zip(told["low"], told["high"], (across, up))]
            # the plane leaves 8 pixels at three sides, and below it 24 for its words besides
            red, green, *_ = canvas.evaluate(
                """(canvas, [across, up]) => {
                  const ratio = window.devicePixelRatio;
                  const [w, h] = [canvas.width / ratio - 16, canvas.height / ratio - 32];
                  const copy = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
                  copy.drawImage(canvas, -(8 + across * w) * ratio, -(8 + (1 - up) * h) * ratio);
                  return [...copy.getImageData(0, 0, 1, 1).data];
                }""",
                [across, up],
            )
            output = training.model(x).data
            found.append((output > 0.0, red - green > paper[0] - paper[1]))  # purple for +, green for −
        assert {a for a, _ in found} == {True, False} and all(a == b for a, b in found)
    training.model.load_state_dict(history[-1])


@pytest.mark.browser
@pytest.mark.parametrize("kind", ["sine", "plane"])
def test_a_regression_is_told_in_rmse_and_its_picture_changes_with_the_epoch(opened, films, kind):
    page = opened(films[kind])
    frames, seen = film_of(films[kind])["frames"], []
    for frame in (0, len(frames) - 1):
        scrub(page, frame)
        words = part(page, "summary").inner_text()
        rmse = [float(x) for x in re.findall(r"RMSE ([\d.]+)", words)]
        validation = frames[frame]["validation_rmse"]
        assert rmse == [x for x in (frames[frame]["rmse"], validation) if x is not None] and "accuracy" not in words
        seen.append(page.locator("canvas.plane").evaluate("canvas => canvas.toDataURL()"))
    assert seen[0] != seen[1]
    examples = page.locator(".examples li").all_inner_texts()
    assert len(examples) == 6 and all("✓" not in text and "✗" not in text for text in examples)
    first = film_of(films[kind])["examples"]["predicted"][-1][0]
    assert f"predicted {', '.join(f'{x:g}' for x in first)}" in examples[0].replace("−", "-")
    names = ["output 1", "output 2"] if kind == "sine" else []
    assert part(page, "map").locator(".legend span").all_inner_texts() == names


@pytest.mark.browser
def test_the_curve_of_a_regression_passes_where_the_model_predicts(opened):
    training, history = run(MLP(1, [1], rng=Random(0)), mean_squared_error, sine(), epochs=2, rate=0.2)
    film = watch(training, history)
    page = opened(film)
    fit = film_of(film)["map"]
    ink = page.locator("canvas.plane").evaluate(
        """canvas => {
          const ratio = window.devicePixelRatio;
          const [w, h] = [canvas.width / ratio - 16, canvas.height / ratio - 32];
          const copy = new OffscreenCanvas(canvas.width, canvas.height);
          const context = copy.getContext("2d", { willReadFrequently: true });
          context.drawImage(canvas, 0, 0);
          return [0.01, 0.99].map((across) => {
            const column = context.getImageData(Math.round((8 + across * w) * ratio), 0, 1, canvas.height).data;
            const rows = Array.from({ length: Math.floor((8 + h) * ratio) }, (_, y) => y);
            const dark = rows.filter((y) => column[4 * y] < 90 && column[4 * y + 3] === 255);
            return 1 - (dark.reduce((sum, y) => sum + y, 0) / dark.length / ratio - 8) / h;
          });
        }"""
    )
    training.model.load_state_dict(history[0])
    for across, up in zip((0.01, 0.99), ink):
        x = fit["low"][0] + across * (fit["high"][0] - fit["low"][0])
        y = 250.0 + 40.0 * training.model([x]).data
        expected = (y - fit["low"][1]) / (fit["high"][1] - fit["low"][1])
        assert abs(up - expected) < 0.02  # a few pixels, as the line is wide


@pytest.mark.browser
def test_pointing_at_a_weight_tells_its_number_and_its_neighbours(opened, moons_film):
    _, history, film = moons_film
    page = opened(film)
    scrub(page, 4)
    section = page.locator(".layer").nth(1)
    canvas = section.locator("canvas").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    W = history[4]["net.layers.2.W"]
    rows, columns = len(W), len(W[0])
    cells = [(0, 0), (2, 5), (4, 1)]
    for i, k in cells:
        page.mouse.move(box["x"] + (k + 0.5) * box["width"] / columns, box["y"] + (i + 0.5) * box["height"] / rows)
        words = section.locator(".readout").inner_text().replace("−", "-")
        name, number = words.split(": ")
        assert name == f"w² to unit {i + 1} from {k + 1}"
        largest = max(abs(w) for state in history for row in state["net.layers.2.W"] for w in row)
        assert float(number) == pytest.approx(W[i][k], rel=FOUR_DIGITS, abs=largest / LEVELS)
    scrub(page, 0)  # it stays, with the number of then
    assert section.locator(".readout").inner_text() != words


@pytest.mark.browser
def test_the_weights_of_a_unit_that_sees_an_image_are_an_image(opened, blobs_film):
    page = opened(blobs_film)
    section, W = page.locator(".layer").first, film_of(blobs_film)["layers"][0]["W"]
    images = section.locator("canvas[aria-label^='W¹ of unit']")
    boxes = images.evaluate_all("all => all.map((x) => [x.clientWidth, x.clientHeight])")
    assert len(boxes) == 8 and all(width == height > 16 for width, height in boxes)
    images.nth(5).scroll_into_view_if_needed()
    box = images.nth(5).bounding_box()
    page.mouse.move(box["x"] + 2.5 / 8 * box["width"], box["y"] + 6.5 / 8 * box["height"])  # row 7, column 3
    name, number = section.locator(".readout").inner_text().replace("−", "-").split(": ")
    assert name == "w¹ to unit 6 from 51"
    assert float(number) == pytest.approx(W["steps"][0] * W["numbers"][0][5 * 64 + 50], rel=FOUR_DIGITS)


@pytest.mark.browser
def test_delta_has_one_scale_for_all_layers_and_epochs(opened, moons_film):
    page, layers = opened(moons_film[2]), film_of(moons_film[2])["layers"]
    largest = max(step for layer in layers for step in layer["delta"]["steps"]) * LEVELS
    most = f"{float(f'{largest:.4g}'):g}"
    for frame in (0, 7):
        scrub(page, frame)
        captions = page.locator("figcaption", has_text="∂L/∂z").all_inner_texts()
        assert len(captions) == 3 and all(f"from −{most} to +{most}" in caption for caption in captions)


@pytest.mark.browser
def test_the_confusion_matrix_is_shown_as_a_table(opened, blobs_film):
    page = opened(blobs_film)
    scrub(page, 2)
    counts = film_of(blobs_film)["map"]["counts"][2]

    cells = page.locator(".confusion tr:not(:first-of-type) td").all_inner_texts()
    assert [int(text or 0) for text in cells] == counts


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 860, 1920])
@pytest.mark.parametrize("kind", ["moons", "blobs", "sine", "plane"])
def test_nothing_is_wider_than_the_screen(opened, films, kind, width):
    page = opened(films[kind], width=width)
    for _ in range(2):
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        right = page.locator("canvas, svg").evaluate_all("all => all.map((x) => x.getBoundingClientRect().right)")
        assert max(right) <= width
        part(page, "large").click()


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize("kind", ["moons", "blobs", "sine", "plane"])
def test_axe_finds_nothing_serious(opened, films, kind, width):
    page = opened(films[kind], width=width)
    assert serious(page) == []
    page.emulate_media(color_scheme="dark")
    assert serious(page, ["color-contrast"]) == []  # nothing but colours is different there


@pytest.mark.browser
def test_a_click_on_a_curve_goes_to_the_epoch_there(opened, moons_film):
    page = opened(moons_film[2])
    for chart in ("losses", "norms"):
        box = part(page, chart).locator("svg").first.bounding_box()
        page.mouse.click(box["x"] + box["width"] - 14, box["y"] + 60)  # where the curves end
        assert shown_loss(page)[0] == 8
        page.mouse.click(box["x"] + 54, box["y"] + 60)  # where they begin
        assert shown_loss(page)[0] == 1


@pytest.mark.browser
def test_in_a_notebooks_sandbox_the_page_runs_too(opened, moons_film, tmp_path):
    training, _, film = moons_film
    page = opened(film)
    (tmp_path / "notebook.html").write_text(f"<!DOCTYPE html>{film._repr_html_()}", encoding="utf-8")
    page.goto((tmp_path / "notebook.html").as_uri())
    inside = page.frame_locator("iframe")
    inside.locator("[id$='-next']").click()
    assert f"loss {float(f'{training.records[1].loss:.4g}'):g}" in inside.locator("[id$='-summary']").inner_text()


@pytest.mark.browser
def test_hostile_names_are_shown_and_nothing_runs(opened):
    page = opened(hostile())
    assert "</script>" in page.locator(".examples").inner_text()
    assert page.locator("b").count() == 0 and page.locator("script").count() == 2
