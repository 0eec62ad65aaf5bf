"""Tests of what outputs mean: eight kinds of tasks on both engines, with metrics compared with scikit-learn."""

import copy
import functools
from math import isnan, nan, sin
from random import Random

import numpy as np
import pandas
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, r2_score, root_mean_squared_error

import nn
from autograd import Value, relu, softmax
from nn import MLP, SGD, BatchNorm, Dataset, Dropout, Linear, Module, ReLU, Sequential, Tanh, Training, outputs_are
from nn.data import moons, split
from nn.evaluation import Task, evaluate, outputs_at

ENGINES = ["eager", "replay"]
POINTS = moons(60, noise=0.3, rng=Random(3))


def with_targets(change):
    return POINTS._replace(y=[change(y) for y in POINTS.y], classes=())


@outputs_are("probabilities")
def brier(a, y):
    return (y - a) * (y - a)


@outputs_are("logits")
def logistic(z, y):
    return nn.binary_cross_entropy(z, 0.5 + 0.5 * y)


def undeclared(factor, z, y):
    return factor * nn.binary_cross_entropy(z, y)


@outputs_are("scores")
def squared_hinge(z, y):
    return relu(1.0 - (2.0 * y - 1.0) * z) ** 2


ONE_HOT = with_targets(lambda y: [1.0 - y, float(y)])
SINE = Dataset([[i / 10.0] for i in range(-30, 30)], [sin(i / 10.0) + 0.3 * (i % 3) for i in range(-30, 30)])
PAIRS = Dataset(SINE.X, [[y, 3.0 - 2.0 * y * y] for y in SINE.y])

# model, loss, data, the labels of the targets, and how a user would decide from the numbers
CLASSIFICATIONS = {
    "the slides' net": ({"n_units": [4, 1], "activation": "tanh", "output": "sigmoid"}, nn.half_squared_error, POINTS,
                        POINTS.y, lambda a: int(a > 0.5)),
    "a linear unit": ({"n_units": [4, 1]}, nn.mean_squared_error, POINTS, POINTS.y, lambda a: int(a > 0.5)),
    "tanh, −1 and +1": ({"n_units": [4, 1], "output": "tanh"}, nn.half_squared_error,
                        with_targets(lambda y: 2 * y - 1), [2 * y - 1 for y in POINTS.y],
                        lambda a: 1 if a > 0.0 else -1),
    "hinge": ({"n_units": [4, 1]}, nn.hinge, with_targets(lambda y: 2 * y - 1), [2 * y - 1 for y in POINTS.y],
              lambda z: 1 if z > 0.0 else -1),
    "cross-entropy": ({"n_units": [4, 2]}, nn.cross_entropy, POINTS, POINTS.y, lambda *z: int(z[1] > z[0])),
    "BCE": ({"n_units": [4, 1]}, nn.binary_cross_entropy, POINTS, POINTS.y, lambda z: int(z > 0.0)),
    "soft BCE": ({"n_units": [4, 1]}, nn.binary_cross_entropy, with_targets(lambda y: 0.95 if y else 0.05), POINTS.y,
                 lambda z: int(z > 0.0)),
    "soft shares": ({"n_units": [4, 2]}, nn.cross_entropy, with_targets(lambda y: [0.3, 0.7] if y else [0.8, 0.2]),
                    POINTS.y, lambda *z: int(z[1] > z[0])),
    "one-hot of .1 and .9": ({"n_units": [4, 2], "output": "sigmoid"}, nn.half_squared_error,
                             with_targets(lambda y: [0.1, 0.9] if y else [0.9, 0.1]), POINTS.y,
                             lambda *a: int(a[1] > a[0])),
    "one-hot ½ Σ": ({"n_units": [4, 2], "output": "sigmoid"}, nn.half_squared_error, ONE_HOT, POINTS.y,
                    lambda *a: int(a[1] > a[0])),
    "a loss of one's own": ({"n_units": [4, 1], "output": "sigmoid"}, brier, POINTS,
                            POINTS.y, lambda a: int(a > 0.5)),
    "logits for −1 and +1": ({"n_units": [4, 1]}, logistic, with_targets(lambda y: 2 * y - 1),
                             [2 * y - 1 for y in POINTS.y], lambda z: 1 if z > 0.0 else -1),
    "scores for 0 and 1": ({"n_units": [4, 1]}, squared_hinge, POINTS, POINTS.y, lambda z: int(z > 0.0)),
    "a partial that says it": ({"n_units": [4, 1]}, outputs_are("logits")(functools.partial(undeclared, 2.0)), POINTS,
                               POINTS.y, lambda z: int(z > 0.0)),
    "a partial of ours": ({"n_units": [4, 1]}, functools.partial(nn.half_squared_error), POINTS, POINTS.y,
                          lambda a: int(a > 0.5)),
}  # fmt: skip
REGRESSIONS = {
    "one number": (nn.half_squared_error, SINE, 1),
    "two numbers": (nn.mean_squared_error, PAIRS, 2),
    "in units": (nn.half_squared_error, SINE._replace(units=(50.0, 12.5)), 1),
}


def trained(model, loss, data, engine, **options):
    training = Training(model, loss, SGD(model.parameters(), 0.1), data, data, epochs=2, batch_size=7, rng=Random(2),
                        progress=False, engine=engine, **options)  # fmt: skip
    return training, list(training)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("task", CLASSIFICATIONS)
def test_the_accuracy_of_each_kind_of_classification_is_scikit_learns(task, engine):
    options, loss, data, labels, decide = CLASSIFICATIONS[task]
    model = MLP(len(data.X[0]), rng=Random(1), **options)
    training, records = trained(model, loss, data, engine)
    outputs = [model(x) for x in data.X]
    found = [decide(*(z.data for z in (a if isinstance(a, list) else [a]))) for a in outputs]
    expected = accuracy_score(labels, found)
    assert 0.0 < expected < 1.0, "a task on which nothing can be told apart"
    assert records[-1].validation_accuracy == pytest.approx(expected, abs=1e-12)
    assert nn.accuracy(model, data) == pytest.approx(expected, abs=1e-12)
    assert nn.accuracy(copy.deepcopy(model), data, loss) == pytest.approx(expected, abs=1e-12)
    assert nn.predict(model, data.X) == found
    assert nn.confusion_matrix(model, data) == confusion_matrix(labels, found).tolist()
    assert isnan(records[-1].rmse) and isnan(records[-1].validation_r2)
    assert training.engine == engine


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("task", REGRESSIONS)
def test_the_metrics_of_each_kind_of_regression_are_scikit_learns_in_the_targets_units(task, engine):
    loss, data, units = REGRESSIONS[task]
    model = MLP(1, [4, units], activation="tanh", rng=Random(1))
    _, records = trained(model, loss, data, engine)
    mean, deviation = data.units
    found = nn.predict(model, data.X)
    outputs = [[z.data for z in (a if isinstance(a, list) else [a])] for a in map(model, data.X)]
    assert found == [
        [mean + deviation * a for a in row] if units > 1 else mean + deviation * row[0] for row in outputs
    ]
    y = [[mean + deviation * y_j for y_j in row] if units > 1 else mean + deviation * row for row in data.y]
    r2, rmse = r2_score(y, found), root_mean_squared_error(y, found)
    assert (records[-1].validation_r2, records[-1].validation_rmse) == pytest.approx(
        (r2, rmse), abs=1e-12 * deviation
    )
    assert (nn.r2(model, data), nn.rmse(model, data)) == pytest.approx((r2, rmse), abs=1e-12 * deviation)
    assert isnan(records[-1].accuracy) and isnan(records[-1].validation_accuracy)


@pytest.mark.parametrize(("task", "accuracy"), [("the slides' net", 0.8), ("a linear unit", 0.8)])
def test_a_squared_error_on_labels_learns_the_moons(task, accuracy):
    options, loss, _, _, _ = CLASSIFICATIONS[task]
    parts = split(moons(200, rng=Random(0)), rng=Random(0))
    model = MLP(2, rng=Random(0), **options)
    training = Training(model, loss, SGD(model.parameters(), 0.3), parts.training, parts.validation, epochs=40,
                        rng=Random(0), progress=False)  # fmt: skip
    assert [*training][-1].validation_accuracy > accuracy


def test_labels_with_a_unit_for_all_are_decided_by_the_nearest():
    data = Dataset([[0.0], [1.0], [2.0]] * 2, [0, 1, 2] * 2, ["none", "some", "many"])
    model = MLP(1, [1])
    model.load_state_dict({"net.layers.0.W": [[0.7]], "net.layers.0.b": [0.0]})  # 0, 0.7, 1.4
    assert nn.predict(trained_not(model, data), data.X[:3]) == [0, 1, 1]
    assert nn.confusion_matrix(model, data) == [[2, 0, 0], [0, 2, 0], [0, 2, 0]]


def trained_not(model, data):
    Training(model, nn.half_squared_error, SGD(model.parameters(), 0.1), data)
    return model


@pytest.mark.parametrize("engine", ENGINES)
def test_a_loss_that_does_not_say_what_outputs_are_gets_no_metric(engine):
    def silent(a, y):
        return (y - a) * (y - a)

    model = MLP(2, [1], rng=Random(0))
    _, records = trained(model, silent, POINTS, engine)
    assert all(isnan(x) for x in (records[-1].accuracy, records[-1].rmse, records[-1].validation_accuracy))
    with pytest.raises(ValueError, match=r"does not declare its outputs: add @nn\.outputs_are"):
        nn.accuracy(model, POINTS)
    assert nn.accuracy(model, POINTS, nn.mean_squared_error) > 0.0


def test_a_metric_of_another_task_is_refused_and_names_the_right_one():
    model = MLP(1, [1], rng=Random(0))
    trained(model, nn.half_squared_error, SINE, "eager")
    with pytest.raises(ValueError, match="is a regression: use rmse or r2"):
        nn.accuracy(model, SINE)
    with pytest.raises(ValueError, match="is a classification: use accuracy or confusion_matrix"):
        nn.rmse(model, Dataset(SINE.X[:2], [0, 1]), nn.half_squared_error)
    with pytest.raises(
        ValueError, match=r"unknown kind of outputs 'logit': choose one of logits, probabilities, scores"
    ):
        outputs_are("logit")


@pytest.mark.parametrize("engine", ["auto", "replay"])
@pytest.mark.parametrize("loss", [lambda a, y: Value((a.data - y) ** 2), lambda a, y: (a.data - y) ** 2])
def test_a_loss_that_no_parameter_moves_is_refused_before_training(loss, engine):
    model = MLP(2, [1])
    with pytest.raises(
        ValueError, match=r"which depends on no parameter: compute the loss from Values, without \.data"
    ):
        Training(model, loss, SGD(model.parameters(), 0.1), POINTS, engine=engine)


class Softmax(Module):
    def __init__(self, units):
        self.inside = MLP(2, [units], rng=Random(0))

    def forward(self, x):
        return softmax(self.inside(x))


@pytest.mark.parametrize("engine", ["auto", "replay"])
@pytest.mark.parametrize(
    ("model", "loss", "words"),
    [
        (MLP(2, [3, 1], output="sigmoid"), nn.binary_cross_entropy, "needs logits, but the model ends with σ"),
        (MLP(2, [3, 1], output="sigmoid"), functools.partial(nn.binary_cross_entropy), "cross_entropy needs logits"),
        (MLP(2, [3, 2], output="sigmoid"), nn.cross_entropy, "needs logits, but the model ends with σ"),
        (MLP(2, [3, 1], output="relu"), nn.binary_cross_entropy, "needs logits, but the model ends with relu"),
        (MLP(2, [3, 1], output="sigmoid"), nn.hinge, "needs scores of either sign, but the model ends with σ"),
        (Softmax(2), nn.cross_entropy, "needs logits, but the model ends with softmax"),
    ],
)
def test_outputs_that_a_loss_does_not_take_are_refused_before_training(model, loss, words, engine):
    before = model.state_dict()
    data = with_targets(lambda y: 2 * y - 1) if loss is nn.hinge else POINTS
    with pytest.raises(ValueError, match=words):
        Training(model, loss, SGD(model.parameters(), 0.1), data, engine=engine)
    assert model.state_dict() == before


def test_a_model_that_no_training_knows_is_read_by_its_last_layer():
    weights = {"net.layers.0.W": [[1.0, 0.0]], "net.layers.0.b": [0.0]}
    data = Dataset([[-1.0, 0.0], [0.2, 0.0], [0.9, 0.0], [2.0, 0.0]], [0, 0, 1, 1])
    for output, expected in (("linear", 0.75), ("sigmoid", 0.75), ("tanh", 1.0)):  # cut at 0, ½ and nearest label
        model = MLP(2, [1], output=output)
        model.load_state_dict(weights)
        assert nn.accuracy(model, data) == expected
        assert [y == found for y, found in zip(data.y, nn.predict(model, data.X))].count(True) == 4 * expected
    model = MLP(2, [1])
    model.load_state_dict(weights)
    assert nn.rmse(model, Dataset([[1.0, 0.0], [2.0, 0.0]], [1.5, 2.0])) == 0.125**0.5


def test_a_regression_that_was_loaded_predicts_numbers_by_its_loss():
    for units in (1, 2):
        model = MLP(1, [3, units], rng=Random(0))
        outputs = [[a.data for a in (z if isinstance(z, list) else [z])] for z in map(model, SINE.X)]
        expected = outputs if units == 2 else [a for [a] in outputs]
        assert nn.predict(model, SINE.X, loss=nn.half_squared_error) == expected
    assert {*nn.predict(MLP(2, [1]), POINTS.X, loss=nn.binary_cross_entropy)} <= {0, 1}


def test_predictions_take_what_a_dataset_takes():
    model, frame = MLP(2, [3, 1], rng=Random(0)), pandas.DataFrame(POINTS.X, index=range(60, 0, -1))
    expected = nn.predict(model, POINTS.X)
    assert nn.predict(model, frame) == nn.predict(model, frame.to_numpy()) == expected
    assert nn.predict(MLP(1, [1], rng=Random(0)), frame[0]) == nn.predict(MLP(1, [1], rng=Random(0)), frame[[0]])
    with pytest.raises(ValueError, match="example 2, counted from 1, has nan at position 1"):
        nn.predict(model, [[0.0, 1.0], [nan, 1.0]])
    for measure in (nn.accuracy, nn.r2, nn.confusion_matrix):
        with pytest.raises(TypeError, match=r"the data must be an nn\.Dataset, not list"):
            measure(model, POINTS.X)


@pytest.mark.parametrize("engine", ENGINES)
def test_classes_that_other_data_number_otherwise_are_refused(engine):
    pets, dogs = Dataset([0, 1, 2, 3], ["cat", "cat", "dog", "dog"]), Dataset([2.5, 3.5], ["dog", "dog"])
    words = "'dog' has the label 0 here, but 1 in the training data: pass the same classes"
    with pytest.raises(ValueError, match=words):
        trained_on(pets, dogs, engine)
    training = trained_on(pets, pets, engine)
    list(training)
    for measure in (nn.accuracy, nn.confusion_matrix, nn.plots.confusion):
        with pytest.raises(ValueError, match=words):
            measure(training.model, dogs)
    training.validation = dogs
    training.epochs = 5
    with pytest.raises(ValueError, match=words):
        list(training)
    assert nn.accuracy(training.model, Dataset([2.5, 3.5], ["dog", "dog"], ["cat", "dog"])) >= 0.0


def trained_on(data, validation, engine):
    model = MLP(1, [3, 1], activation="tanh", rng=Random(0))
    return Training(model, nn.binary_cross_entropy, SGD(model.parameters(), 0.5), data, validation, epochs=2,
                    rng=Random(1), progress=False, engine=engine)  # fmt: skip


def test_weights_may_be_a_column():
    losses = []
    for weights in ([1.0] * 30 + [2.0] * 30, pandas.DataFrame({"w": [1.0] * 30 + [2.0] * 30})):
        _, [*_, last] = trained(MLP(2, [1], rng=Random(0)), nn.binary_cross_entropy, POINTS, "eager", weights=weights)
        losses.append(last.loss)
    assert losses[0] == losses[1]


def test_r2_of_targets_that_do_not_vary_is_scikit_learns():
    task = Task.of(nn.half_squared_error, Dataset([[0.0], [1.0]], [2.5, 2.5]), 1)
    assert task.metrics(task.tally([[2.5], [2.5]], [2.5, 2.5]), [2.5, 2.5]).r2 == r2_score([2.5, 2.5], [2.5, 2.5])
    assert task.metrics(task.tally([[2.0], [2.5]], [2.5, 2.5]), [2.5, 2.5]).r2 == r2_score([2.5, 2.5], [2.0, 2.5])


# ---- example weights ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("loss", [nn.binary_cross_entropy, nn.half_squared_error])
def test_whole_weights_do_what_repeated_examples_do(engine, loss):
    counts = [1 + i % 3 for i in range(12)]
    few = POINTS.take(range(12))
    repeated = few.take([i for i, count in enumerate(counts) for _ in range(count)])
    ends = []
    for data, weights in ((few, counts), (repeated, None)):
        model = MLP(2, [3, 1], activation="tanh", rng=Random(1))
        training = Training(model, loss, SGD(model.parameters(), 0.5), data, epochs=4, batch_size=len(data.y),
                            rng=Random(2), progress=False, engine=engine, weights=weights)  # fmt: skip
        losses = [record.loss for record in training]
        ends.append([*losses, *(p.data for p in model.parameters())])
    assert ends[0] == pytest.approx(ends[1], rel=1e-12)  # sums of another order


@pytest.mark.parametrize("engine", ENGINES)
def test_weights_that_change_between_epochs_are_followed(engine):
    model = MLP(2, [3, 1], activation="tanh", rng=Random(1))
    weights = [1.0] * 30 + [0.0] * 30
    training = Training(model, nn.binary_cross_entropy, SGD(model.parameters(), 0.5), POINTS, epochs=3, rng=Random(2),
                        progress=False, engine=engine, weights=weights)  # fmt: skip
    losses = []
    for record in training:
        losses.append(record.loss)
        weights[:] = [5.0 if record.epoch == 1 else 0.0] * 30 + [1.0] * 30
    other = MLP(2, [3, 1], activation="tanh", rng=Random(1))
    eager = Training(other, nn.binary_cross_entropy, SGD(other.parameters(), 0.5), POINTS, epochs=3, rng=Random(2),
                     progress=False, engine="eager", weights=[1.0] * 30 + [0.0] * 30)  # fmt: skip
    for record, loss in zip(eager, losses):
        assert record.loss == pytest.approx(loss, rel=1e-12)
        eager.weights = [5.0 if record.epoch == 1 else 0.0] * 30 + [1.0] * 30


@pytest.mark.parametrize(
    "weights", [[1.0] * 59, [-1.0] + [1.0] * 59, [0.0] * 60, [nan] + [1.0] * 59, ["1"] * 60, 2.0]
)
def test_weights_that_are_none_are_refused_before_training(weights):
    model = MLP(2, [1])
    with pytest.raises((ValueError, TypeError), match="weight"):
        Training(model, nn.binary_cross_entropy, SGD(model.parameters(), 0.1), POINTS, weights=weights)


def test_evaluate_gives_the_loss_and_the_metrics():
    model = MLP(2, [1], rng=Random(0))
    loss, metrics = evaluate(model, nn.binary_cross_entropy, POINTS)
    mean = sum(nn.binary_cross_entropy(model(x), y).data for x, y in zip(POINTS.X, POINTS.y)) / 60
    assert (loss, metrics.accuracy) == pytest.approx((mean, nn.accuracy(model, POINTS)), rel=1e-12)


def test_new_examples_are_predicted_from_a_frame_as_from_its_rows():
    pandas = pytest.importorskip("pandas")
    rows = [[0.5, -1.0], [1.5, 2.0]]
    model = nn.MLP(2, [1], rng=0)
    assert nn.predict(model, pandas.DataFrame(rows, columns=["a", "b"])) == nn.predict(model, rows)
    line = nn.MLP(1, [1], rng=0)
    assert nn.predict(line, pandas.Series([0.5, 1.5])) == nn.predict(line, [[0.5], [1.5]])


def test_outputs_may_carry_names():
    class Named(Module):
        def __init__(self):
            self.w = Value(1.0)

        def forward(self, x):
            return [+(self.w * x[0]).sigmoid()]

    model = Named()
    with pytest.raises(ValueError, match="ends with σ"):
        Training(model, nn.binary_cross_entropy, SGD(model.parameters(), 0.1), POINTS)


# ---- what a training leaves behind --------------------------------------------------------------------------------


def overfitting(**options):
    """A training whose validation loss is lowest in an epoch that is neither the first nor the last."""
    model = MLP(2, [4, 1], rng=Random(1))
    parts = split(moons(60, noise=0.3, rng=Random(3)), rng=Random(3))
    return Training(model, nn.binary_cross_entropy, SGD(model.parameters(), 2.0), parts.training, parts.validation,
                    epochs=8, patience=20, rng=Random(2), progress=False, **options)  # fmt: skip


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("end", ["to its end", "a break", "an error of the caller", "a closed iterator"])
def test_the_best_weights_come_back_whatever_ends_the_loop(end, engine):
    training, states = overfitting(engine=engine), {}
    iterator = iter(training)
    try:
        for record in iterator:
            states[record.epoch] = training.model.state_dict()
            if record.epoch == 6 and end == "a break":
                break
            if record.epoch == 6 and end == "an error of the caller":
                raise KeyError
            if record.epoch == 6 and end == "a closed iterator":
                iterator.close()
    except KeyError:
        pass
    del iterator  # a break leaves it to be freed
    best = training.best[0].epoch
    assert 1 < best < max(states)
    assert training.model.state_dict() == states[best] != states[max(states)]
    assert not training.model.training


@pytest.mark.parametrize("engine", ENGINES)
def test_a_training_that_was_broken_off_goes_on_from_its_last_weights(engine):
    whole, broken = overfitting(engine=engine), overfitting(engine=engine)
    list(whole)
    for record in broken:
        if record.epoch == 1:
            break
    for _ in broken:
        assert broken.state_dict()["model"] == broken.model.state_dict()
    assert broken.records == whole.records and broken.state_dict() == whole.state_dict()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_batch_norm_in_evaluation_mode_keeps_its_statistics_while_the_rest_trains(engine):
    def train(model, epochs):
        training = Training(model, nn.binary_cross_entropy, SGD(model.parameters(), 0.5), POINTS, POINTS,
                            rng=Random(2), epochs=epochs, progress=False, engine=engine)  # fmt: skip
        losses = [record.loss for record in training]
        assert not any(module.training for module in model.submodules().values()) and not model.training
        return losses

    model = MLP(2, [4, 1], batch_norm=True, rng=Random(1))
    bn = model.net.layers[1]
    train(model, 1)
    model.train()
    bn.eval()
    statistics, loss = (bn.mu_.copy(), bn.sigma2_.copy()), train(model, 2)
    assert (bn.mu_, bn.sigma2_) == statistics
    train(model, 1)  # and in the training after that
    assert (bn.mu_, bn.sigma2_) == statistics
    bn.train()
    model.train()
    train(model, 1)
    assert (bn.mu_, bn.sigma2_) != statistics and loss[1] < loss[0]


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
