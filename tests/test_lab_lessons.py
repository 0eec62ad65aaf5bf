"""Tests of the lab's lessons: each answer agrees with the numbers after the steps that the lesson proposes."""

import json
import re
from itertools import pairwise
from math import hypot
from random import Random

import pytest

from nn import accuracy
from nn.data import batches
from nn.diagnostics import linear_layers, traced
from nn.evaluation import evaluate
from nn.laboratory.lessons import lessons
from nn.losses import mean_loss
from nn.module import numbers


def lesson(title):
    """A fresh situation, its training and its model."""
    [situation] = [one for one in lessons() if one.words["title"] == title]
    situation.training.progress = False
    return situation, situation.training, situation.training.model


def runs(training, *epochs):
    """Trains, and passes once after each of these epochs."""
    training.epochs = epochs[-1]
    for record in training:
        if record.epoch in epochs:
            yield record.epoch


def gradients(training, size, count):
    """The gradients by name for each of the first updates, with mini-batches of this size."""
    data, model, rng = training.training, training.model, Random()
    rng.setstate(training.rng.getstate())
    order = [batch for _ in range(count) for batch in batches(len(data.y), size, rng)]
    for batch in order[:count]:
        part = data.take(batch)
        training.optimizer.zero_grad()
        mean_loss(training.loss, model.batch(part.X), part.y).backward()
        yield {name: p.grad for name, p in model.named_parameters().items()}
        training.optimizer.step()


def score(training):
    return accuracy(training.model, training.training)


def killed(training):
    """The accuracy without each hidden unit in turn."""
    found, row = [], linear_layers(training.model)[-1].W[0]
    for w in row:
        old, w.data = w.data, 0.0
        found.append(score(training))
        w.data = old
    return found


def maps(training):
    """How many maps the hidden units show on a grid that differ by more than a quarter of their range somewhere."""
    grid = [[x / 4.0, y / 4.0] for x in range(-6, 11) for y in range(-4, 7)]
    different = []
    for column in zip(*(numbers(trace.a[1]) for trace in training.model.trace_batch(grid))):
        if all(max(abs(a - b) for a, b in zip(column, other)) > 0.5 for other in different):
            different.append(column)
    return len(different)


# ---- what all lessons are -----------------------------------------------------------------------------------------


def test_there_are_eight_lessons_and_their_words_are_few():
    words = [situation.words for situation in lessons()]
    assert len({told["title"].split(" / ")[0] for told in words}) == 8
    for told in words:
        assert len(told["title"].split(" / ")[0].split()) <= 5
        assert 5 < len(told["question"].split()) <= 25 and told["question"].endswith("?")
        assert 10 < len(told["look"].split()) <= 45 and told["answer"].endswith(".")
        pause = re.findall(r"epoch (\d+)", told["look"])
        assert pause[:1] == ([str(told["until"])] if told["until"] else [])
        assert {*told["levers"]} <= {"batch", "points", "weights", "freeze", "kill", "saturate", "predict"}


def test_units_and_points_are_few_and_all_lessons_together_are_small():
    described = [situation.json for situation in lessons()]
    assert all(len(layer["W"]) <= 8 for one in described for layer in one["layers"])
    assert all(len(one["points"]) <= 100 for one in described)
    assert len(json.dumps(described)) < 400_000


@pytest.mark.parametrize("title", [situation.words["title"] for situation in lessons()])
def test_the_python_of_a_lesson_makes_its_model_its_data_and_its_generators(title):
    situation, training, model = lesson(title)
    made = {}
    exec(situation.words["python"], made)
    assert made["model"].state_dict() == model.state_dict() and repr(made["model"]) == repr(model)
    assert made["data"] == training.training and made["loss"] is training.loss
    assert made["optimizer"].state_dict() == training.optimizer.state_dict()
    assert made["rng"].getstate() == training.rng.getstate()


# ---- one by one ---------------------------------------------------------------------------------------------------


def test_one_neurons_first_update_changes_w11_four_times_as_much_as_w12():
    _, training, _ = lesson("One neuron")
    assert score(training) < 0.5
    [first] = gradients(training, 1, 1)
    assert first["w¹_11"] / first["w¹_12"] == pytest.approx(4.0) and first["w¹_11"] == pytest.approx(
        2.0 * first["b¹_1"]
    )
    _, training, _ = lesson("One neuron")
    assert [score(training) for _ in runs(training, 2, 20, 100)] == [1.0, 1.0, 1.0]


def test_the_slides_first_output_unit_sends_more_to_the_second_hidden_unit():
    situation, training, model = lesson("The slides' 2-3-2 network")
    trace = model.trace(training.training.X[0])
    training.loss(trace.output, training.training.y[0]).backward()
    a = trace.a[1][1].data
    shares = [trace.delta[2][j] * model.net[2].W[j][1].data * a * (1.0 - a) for j in range(2)]
    assert shares == pytest.approx([0.02149404073763791, 0.00564368485257405], abs=1e-12)
    assert trace.delta[1][1] == pytest.approx(sum(shares))
    products = [trace.delta[2][j] * model.net[2].W[j][1].data for j in range(2)]
    told = [float(x) for x in re.findall(r"0\.\d+", situation.words["answer"])]
    assert told == [round(x, 4) for x in products] + [round(a * (1.0 - a), 3), round(sum(shares), 4)]
    training.optimizer.zero_grad()
    for _ in runs(training, 1):  # one example: an epoch is an update
        assert evaluate(model, training.loss, training.training)[0] == pytest.approx(0.19926718446802955, abs=1e-12)


def test_without_hidden_units_the_moons_stay_at_90_percent_and_with_four_they_are_parted():
    _, training, _ = lesson("Why hidden layers / no hidden unit")
    assert [score(training) for _ in runs(training, 60, 100, 150)] == [0.9, 0.9, 0.9]
    _, training, _ = lesson("Why hidden layers / four units")
    assert [score(training) for _ in runs(training, 60, 100, 150)] == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("title", "low", "high"),
    [("Vanishing gradients / ten sigmoids", 3.95, 4.3), ("Vanishing gradients / with tanh", 1.0, 1.3)],
)
def test_delta_is_divided_by_4_in_each_sigmoid_and_hardly_by_tanh(title, low, high):
    _, training, model = lesson(title)
    traces, _ = traced(model, training.loss, training.training)
    for trace in traces:
        sizes = [abs(delta) for [delta] in trace.delta[1:]]
        assert len(sizes) == 10
        factors = [after / before for before, after in pairwise(sizes)]
        assert low <= min(factors) and max(factors) <= high
        if trace is traces[0]:  # what is shown first
            assert max(factors) == pytest.approx(4.0 if low > 2.0 else 1.1, abs=0.1)
        if low > 2.0:
            assert 2.5e5 < sizes[-1] / sizes[0] < 2.9e5


def test_ten_sigmoids_learn_nothing_and_tanh_learns_the_same_points():
    _, training, model = lesson("Vanishing gradients / ten sigmoids")
    assert score(training) == 0.5
    before = numbers(model.net[0].W)
    for _ in runs(training, 20, 60):
        assert score(training) == 0.5 and evaluate(model, training.loss, training.training)[0] > 0.12
    [row], [old] = numbers(model.net[0].W), before
    assert max(abs(w - w_old) for w, w_old in zip(row, old)) < 1e-3
    _, training, _ = lesson("Vanishing gradients / with tanh")
    assert [score(training) for _ in runs(training, 20, 60)] == [1.0, 1.0]


def test_equal_weights_stay_equal_and_random_ones_part_the_moons():
    _, training, model = lesson("Symmetry of equal weights / equal weights")
    [first] = gradients(training, 10, 1)
    assert len({first[f"w¹_{j}1"] for j in range(1, 5)}) == 1 and first["w¹_11"] != 0.0
    _, training, model = lesson("Symmetry of equal weights / equal weights")
    for _ in runs(training, 100, 150):
        assert maps(training) == 1 and score(training) == 0.9
        assert len({tuple(row) for row in numbers(model.net[0].W)}) == 1
    _, training, _ = lesson("Symmetry of equal weights / random weights")
    for _ in runs(training, 100, 150):
        assert maps(training) == 4 and score(training) == 1.0


def test_without_dropout_one_dead_unit_costs_a_quarter_and_with_it_a_thirtieth():
    _, training, _ = lesson("Dropout's redundancy / no dropout")
    for _ in runs(training, 200, 202, 250):
        assert score(training) == 1.0 and round(100 * min(killed(training))) == 73
    _, training, _ = lesson("Dropout's redundancy / dropout, p = 0.3")
    for _ in runs(training, 200, 202, 250):
        assert score(training) > 0.96 and round(100 * min(killed(training))) == 93


def test_positive_inputs_never_move_the_two_weights_in_opposite_directions():
    opposite = {}
    for name in ("positive", "zero-centred"):
        _, training, _ = lesson(f"All-positive inputs / {name}")
        opposite[name] = [g["w¹_11"] * g["w¹_12"] < 0.0 for g in gradients(training, 1, 3)]
        assert all(g["w¹_11"] * g["w¹_12"] != 0.0 for g in gradients(training, 1, 3))
    assert sum(opposite["positive"]) == 0 and sum(opposite["zero-centred"]) == 2
    _, training, _ = lesson("All-positive inputs / positive")
    assert any(g["w¹_11"] * g["w¹_12"] < 0.0 for g in gradients(training, 4, 5))  # δ of both signs


def test_batch_normalisation_learns_through_sigmoids_and_its_biases_have_no_gradient():
    losses, sizes = {}, {}
    for name in ("no batch norm", "batch norm"):
        _, training, model = lesson(f"Batch normalisation / {name}")
        start = evaluate(model, training.loss, training.training)[0]
        found = []
        for _ in runs(training, 100, 110):
            found.append(evaluate(model, training.loss, training.training)[0])
            traces, _ = traced(model, training.loss, training.task.sample(training.training))
            sizes[name] = hypot(*(delta for trace in traces for delta in trace.delta[1]))
        losses[name] = [start, *found]
    assert losses["no batch norm"][1:] == pytest.approx([0.12, 0.12], abs=0.005) and losses["no batch norm"][0] < 0.14
    assert losses["batch norm"][1:] == pytest.approx([0.01, 0.01], abs=0.005)  # in between up to 0.02
    for name, is_zero in (("batch norm", True), ("no batch norm", False)):
        _, training, _ = lesson(f"Batch normalisation / {name}")
        [first] = gradients(training, 20, 1)
        biases = [abs(first[f"b{l}_{j}"]) for l in "¹²³" for j in range(1, 5)]
        assert (max(biases) < 1e-15) == is_zero
    assert sizes["batch norm"] > 20.0 * sizes["no batch norm"]
