"""Tests that verdicts agree with a run's numbers, on healthy runs and on runs with one planted problem."""

import math
import re
from functools import partial
from random import Random
from statistics import fmean

import pytest
from sklearn.metrics import r2_score

import nn
from autograd.table import REAL, TABLE, primitive
from nn.__main__ import main
from nn.data import Dataset, circles, moons, xor
from nn.diagnostics import Diagnosis, Facts, LayerRecord, Score, judge
from nn.records import EpochRecord


def diagnosed(data, units=(8, 1), rate=0.03, epochs=15, loss=nn.binary_cross_entropy, scale=1.0, bias=0.0,
              validation=None, **options):  # fmt: skip
    """A diagnosis of a run of Adam; ``scale`` and ``bias`` are what the hidden layers begin with."""
    model = nn.MLP(len(data.X[0]), list(units), rng=Random(1), **options)
    for layer in [module for module in model.net.layers if isinstance(module, nn.Linear)][:-1]:
        for w in [w for row in layer.W for w in row]:
            w.data *= scale
        for b in layer.b:
            b.data += bias
    training = nn.Training(model, loss, nn.Adam(model.parameters(), rate), data, validation, epochs=epochs,
                           batch_size=10, rng=Random(2), progress=False)  # fmt: skip
    diagnosis = Diagnosis(training)
    for _ in training:
        diagnosis.measure()
    return diagnosis


def names(diagnosis, test=None):
    return [verdict.name for verdict in diagnosis.verdicts(test)]


def told(diagnosis, test=None):
    return str(diagnosis.verdicts(test)[0])


def scaled(data, *factors):
    return data._replace(X=[[x_k * factor for x_k, factor in zip(x, factors)] for x in data.X])


# ---- causes are named, and named first ----------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
@pytest.mark.parametrize("factors", [(1.0, 1000.0), (200.0, 200.0)])
def test_inputs_that_are_not_scaled_are_the_cause_of_what_follows_from_them(activation, factors):
    data = scaled(moons(60, rng=Random(0)), *factors)._replace(features=["width", "income"])
    first, *_ = diagnosed(data, activation=activation).verdicts()
    assert first.name == "inputs not scaled"
    k = max((0, 1), key=lambda k: sum(x[k] ** 2 for x in data.X))
    column = [x[k] for x in data.X]
    assert f"{data.features[k]!r} ranges from {min(column):.4g} to {max(column):.4g}" in first.sentence
    assert first.number == pytest.approx(math.sqrt(sum(x * x for x in column) / len(column)))


def test_large_inputs_that_batch_normalisation_scales_are_no_fault():
    data = scaled(moons(60, rng=Random(0)), 100.0, 100.0)
    assert "inputs not scaled" not in names(diagnosed(data, batch_norm=True, activation="leaky_relu", rate=0.01))


def test_inputs_so_small_that_nothing_is_learned_from_them_are_not_scaled():
    assert names(diagnosed(scaled(circles(60, rng=Random(0)), 1e-4, 1e-4)))[0] == "inputs not scaled"


@pytest.mark.parametrize(("p", "share"), [(1.0, "100%"), (0.95, "95%"), (0.8, "80%")])
def test_dropout_that_leaves_too_few_units_is_named(p, share):
    first, *_ = diagnosed(moons(60, rng=Random(0)), dropout=p).verdicts()
    assert (first.name, first.number) == ("dropout too strong", p)
    assert f"{share} of the hidden units" in first.sentence


@pytest.mark.parametrize("bias", [-5.0, -100.0])
def test_relus_that_were_off_before_the_first_epoch_are_not_blamed_on_the_learning_rate(bias):
    first, *_ = diagnosed(moons(60, rng=Random(0)), bias=bias).verdicts()
    assert first.name == "dead units"
    assert "8 of 8 relus in layer 1 are off for all 60 training examples: use other initial" in first.sentence


@pytest.mark.parametrize("scale", [5.0, 50.0])
def test_first_weights_that_saturate_are_named_before_what_the_loss_does(scale):
    assert names(diagnosed(moons(60, rng=Random(0)), activation="tanh", scale=scale))[0] == "saturated units"


@pytest.mark.parametrize(
    "init", ["zero", "constant", lambda n_in, n_out, rng: [[0.3 + rng.gauss(0, 1e-6)] * n_in] * n_out]
)
def test_units_that_are_alike_but_for_a_millionth_are_alike(init):
    assert names(diagnosed(moons(60, rng=Random(0)), init=init))[0] == "identical units"


@pytest.mark.parametrize("depth", [5, 9])
def test_a_deep_net_of_sigmoids_has_vanishing_gradients_and_not_a_low_learning_rate(depth):
    diagnosis = diagnosed(moons(40, rng=Random(0)), [6] * depth + [1], rate=1e-3, epochs=4, activation="sigmoid")
    assert names(diagnosis)[0] == "vanishing gradients"


@pytest.mark.parametrize("scale", [3.0, 10.0])
def test_first_weights_that_blow_up_are_named_and_not_the_learning_rate(scale):
    diagnosis = diagnosed(moons(40, rng=Random(0)), [8] * 6 + [1], rate=1e-3, epochs=4, scale=scale)
    assert names(diagnosis)[0] == "exploding gradients"


@pytest.mark.parametrize("rate", [1.0, 30.0])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_units_that_a_high_learning_rate_killed_are_named_after_it(rate, activation):
    assert names(diagnosed(moons(60, rng=Random(0)), [16, 16, 1], rate, activation=activation))[0] == (
        "learning rate too high"
    )


def test_a_loss_that_only_fell_from_far_above_the_first_is_said_by_its_numbers_and_no_overfitting():
    diagnosis = diagnosed(moons(60, rng=Random(0)), [16, 1], 1e6, epochs=3, validation=moons(30, rng=Random(1)))
    [verdict, *others] = diagnosis.verdicts()
    assert verdict.name == "learning rate too high"
    assert re.search(r"the loss was 0\.\d+ initially, at most \S+e\+\d+ and finally \S+", verdict.sentence)
    assert "overfitting" not in [other.name for other in others]


@pytest.mark.parametrize("size", [0.1, 0.01])
def test_small_first_weights_that_grow_are_no_high_learning_rate(size):
    def init(n_in, n_out, rng):
        return [[rng.gauss(0.0, size) for _ in range(n_in)] for _ in range(n_out)]

    assert names(diagnosed(moons(60, rng=Random(0)), [16, 1], init=init, epochs=25)) == ["healthy"]


@pytest.mark.parametrize("rate", [1e-4, 1e-6])
def test_weights_that_hardly_move_are_a_low_learning_rate(rate):
    assert names(diagnosed(moons(60, rng=Random(0)), rate=rate))[0] == "learning rate too low"


def test_a_run_that_overflows_in_its_first_epoch_has_a_verdict():
    model = nn.MLP(2, [4, 1], activation="linear", rng=Random(1))
    training = nn.Training(model, nn.half_squared_error, nn.SGD(model.parameters(), 1e200),
                           moons(20, rng=Random(0)), epochs=2, rng=Random(2), progress=False)  # fmt: skip
    diagnosis = Diagnosis(training)
    with pytest.raises(ValueError, match="without epochs"):
        diagnosis.verdicts()
    with pytest.raises(ArithmeticError):
        list(training)
    assert names(diagnosis)[0] == "learning rate too high"
    assert "overflowed in epoch 1" in told(diagnosis)


def test_first_outputs_that_overflow_are_not_blamed_on_the_learning_rate():
    model = nn.MLP(2, [4, 4, 1], activation="linear", init=lambda n, m, rng: [[1e150] * n] * m)
    training = nn.Training(model, nn.half_squared_error, nn.SGD(model.parameters(), 1e-3),
                           moons(20, rng=Random(0)), epochs=2, rng=Random(2), progress=False)  # fmt: skip
    diagnosis = Diagnosis(training)
    with pytest.raises(ArithmeticError):
        list(training)
    assert "smaller initial weights" in told(diagnosis)


# ---- the baseline counts -----------------------------------------------------------------------------------------


def test_a_net_without_a_hidden_layer_has_not_learned_xor():
    data, test = xor(80, rng=Random(0)), xor(41, rng=Random(1))
    diagnosis = diagnosed(data, [1], validation=xor(40, rng=Random(3)))
    [verdict] = diagnosis.verdicts(test)
    assert verdict.name == "has not learned"
    # the classes of 80 are equally frequent, and the first of the two is always said
    share = test.y.count(diagnosis.training.training.y[0]) / len(test.y)
    reached = nn.accuracy(diagnosis.model, test)
    assert verdict.sentence.startswith(f"{reached:.1%} on test data, {share:.1%} by always predicting 'same signs'")
    assert verdict.sentence.endswith("or a hidden layer")


@pytest.mark.parametrize("seed", range(3))
def test_random_labels_are_never_healthy(seed):
    def noise(seed):
        rng = Random(seed)
        return Dataset([[rng.gauss(0, 1), rng.gauss(0, 1)] for _ in range(60)], [rng.randrange(2) for _ in range(60)])

    diagnosis = diagnosed(noise(seed), [16, 16, 1], epochs=25, validation=noise(seed + 10))
    assert names(diagnosis, noise(seed + 20))[0] in ("has not learned", "overfitting")


def run(loss=0.2, validation=0.3):
    records = [EpochRecord(i, x, 0.5, y, 0.5, i, i, 1.0, 0.1) for i, x, y in ((1, 1.0, 0.5), (2, loss, validation))]
    return records, [[LayerRecord(1, 1.0, 0.1, 0.0, 0.0, 0.0, 4), LayerRecord(2, 1.0, 0.1, 0.0, 0.0, 0.0, 1)]] * 2


def score(data, reached, guess=0.25, n=100):
    luck = 1.64 * math.sqrt(guess * (1 - guess) / n)
    return Score(data, reached, guess, luck, "'blue'")


@pytest.mark.parametrize(
    ("training", "test", "n", "name"),
    [
        (0.90, 0.20, 40, "has not learned"),
        (0.90, 0.25, 40, "has not learned"),
        (0.90, 0.30, 40, "has not learned"),  # 12 of 40: guesses are as lucky every fourth time
        (0.90, 0.40, 400, "overfitting"),  # 160 of 400 are above all guesses, and far from 90 %
        (0.90, 0.80, 40, "healthy"),
        (0.35, 0.34, 4000, "has not learned"),  # above the guess, by hardly anything
    ],
)
def test_what_is_reached_is_compared_with_the_guess_and_with_the_training_data(training, test, n, name):
    facts = Facts(scores=[score("training", training), score("test", test, n=n)])
    [verdict] = judge(*run(), facts)
    assert verdict.name == name
    assert f"{test:.1%} on test data, 25.0% by always predicting 'blue'" in verdict.sentence


def test_a_class_that_is_the_only_one_leaves_nothing_to_learn():
    data = Dataset([[0.2 * i - 2.0] for i in range(20)], [1] * 20)
    assert "has not learned" not in names(diagnosed(data, epochs=20))


@pytest.mark.parametrize(
    ("loss", "units", "label", "always"),
    [
        (nn.binary_cross_entropy, 1, lambda y: y, "0"),
        (nn.hinge, 1, lambda y: 2 * y - 1, "-1"),
        (nn.cross_entropy, 2, lambda y: y, "0"),
        (nn.binary_cross_entropy, 1, lambda y: 0.05 + 0.9 * y, "0"),
        (nn.half_squared_error, 2, lambda y: [1 - y, y], "0"),
    ],
    ids=["bce", "hinge", "cross-entropy", "soft labels", "one-hot"],
)
def test_the_guess_is_the_most_frequent_label_as_the_targets_have_it(loss, units, label, always):
    plain = moons(60, rng=Random(0))
    rows = [i for i in range(60) if plain.y[i] == 0 or i % 4 == 1]
    data = Dataset([plain.X[i] for i in rows], [label(plain.y[i]) for i in rows])
    [verdict] = diagnosed(data, [8, units], loss=loss, epochs=30).verdicts()
    assert verdict.name == "healthy"
    share = sum(plain.y[i] == 0 for i in rows) / len(rows)
    assert verdict.sentence.endswith(f"on training data, {share:.1%} by always predicting {always}")


def test_a_guess_that_is_always_right_is_not_reached_by_a_model_that_errs():
    plain = moons(60, rng=Random(0))
    rare = diagnosed(plain.take([i for i in range(60) if plain.y[i] or i < 3]), [8, 1], epochs=1)
    rare.model.net[-1].b[0].data = rare.model.net[-1].b[0].data - 20.0
    ones = plain.take(range(1, 60, 2))
    sentence = "has not learned: 0.0% on test data, 100.0% by always predicting 'lower'"
    assert (
        sentence in [str(verdict)[: len(sentence)] for verdict in rare.verdicts(ones)]
        and nn.accuracy(rare.model, ones) == 0.0
    )


def regression(shift=0.0, size=1.0, noise=0.0, n=60, seed=0):
    rng = Random(seed)
    X = [[rng.uniform(-2, 2)] for _ in range(n)]
    return Dataset(X, [shift + size * (math.sin(2 * x) * (1 - noise) + noise * rng.gauss(0, 1)) for [x] in X])


def test_a_regression_is_measured_against_the_mean():
    test = regression(seed=1)
    test = test.take([i for i, y in enumerate(test.y) if y > 0.0])
    good = diagnosed(regression(), [16, 1], loss=nn.half_squared_error, epochs=40)
    always = r2_score(test.y, [fmean(regression().y)] * len(test.y))
    reached = f"R² {nn.r2(good.model, test):.2f} on test data, {always:.2f} by always predicting the mean"
    assert always < -0.2
    assert told(good, test).startswith("healthy: ") and told(good, test).endswith(reached)
    noise = regression(noise=1.0), regression(noise=1.0, seed=5)
    assert names(diagnosed(noise[0], [4, 1], loss=nn.half_squared_error, validation=noise[1]))[0] == "has not learned"


@pytest.mark.parametrize(("shift", "size"), [(200.0, 80.0), (0.0, 5000.0), (0.0, 1e-3)])
def test_targets_that_are_not_scaled_are_named(shift, size):
    data = regression(shift, size)
    first, *_ = diagnosed(data, loss=nn.mean_squared_error).verdicts()
    assert first.name == "targets not scaled"
    assert f"from {min(data.y):.4g} to {max(data.y):.4g}" in first.sentence


def judged(losses, changes, facts, start=(0.0, 0.0), last=(0.0, 0.0)):
    """The names for two layers, the first with these shares of dead and saturated units."""

    def layers(change, dead, saturated):
        return [LayerRecord(1, 1.0, change, dead, saturated, 0.0, 8), LayerRecord(2, 1.0, change, 0.0, 0.0, 0.0, 1)]

    records = [EpochRecord(i, x, 0.5, math.nan, math.nan, i, i, 1.0, 0.1) for i, x in enumerate(losses, 1)]
    facts = facts._replace(start=layers(0.0, *start))
    return [verdict.name for verdict in judge(records, [layers(change, *last) for change in changes], facts)]


@pytest.mark.parametrize(
    ("size", "reached", "names"),
    [(30.0, 0.95, ["healthy"]), (30.0, 0.6, ["targets not scaled"]), (1e4, 0.4, ["targets not scaled"]),
     (5.0, 0.6, ["healthy"]), (0.01, 0.6, ["healthy"])],
)  # fmt: skip
def test_large_targets_are_a_fault_until_nearly_all_of_them_is_learned(size, reached, names):
    scores = [Score("training", reached, 0.0, 0.05, "the mean")]
    facts = Facts(loss=1.0, silence=1.0, targets=("the target ranges from 1 to 2", size), scores=scores)
    assert judged((0.9, 0.5, 0.3), [0.1] * 3, facts) == names


@pytest.mark.parametrize(
    ("losses", "names"),
    [
        ((1.0, 0.7, 0.69, 0.7, 0.69, 0.69), ["healthy"]),
        ((1.0, 0.7, 0.69, 0.9, 0.69, 0.69), ["learning rate too high"]),
    ],
)
def test_small_weights_that_move_by_much_of_themselves_do_no_harm_while_the_loss_is_steady(losses, names):
    assert judged(losses, [0.4] * 6, Facts(loss=1.0, silence=0.7)) == names


@pytest.mark.parametrize(
    ("losses", "late", "names"),
    [
        ((1.6, 0.9, 0.7, 0.6, 0.55, 0.52), 0.01, ["learning rate too low"]),
        ((1.6, 0.9, 0.7, 0.6, 0.55, 0.48), 0.01, ["healthy"]),  # below that of outputs which are all 0
        ((1.6, 0.9, 0.7, 0.6, 0.61, 0.52), 0.01, ["healthy"]),
        ((1.6, 0.9, 0.7, 0.6, 0.55, 0.52), 0.05, ["healthy"]),
    ],
)
def test_a_rate_that_does_not_even_take_the_first_outputs_back_is_too_low(losses, late, names):
    assert judged(losses, [0.05, 0.05, 0.04, 0.03, late, late], Facts(loss=1.7, silence=0.5)) == names


@pytest.mark.parametrize(("reached", "names"), [(0.96, ["healthy"]), (0.8, ["saturated units"])])
def test_units_that_were_saturated_at_first_are_a_fault_until_nearly_all_is_learned(reached, names):
    facts = Facts(loss=1.4, silence=1.1, scores=[score("training", reached), score("test", reached)])
    assert judged((1.2, 0.4, 0.1), [0.1] * 3, facts, start=(0.0, 0.5), last=(0.0, 0.3)) == names


def test_a_loss_of_ones_own_has_no_baseline_and_keeps_the_other_verdicts():
    def distance(a, y):
        return abs(a - y)

    data = moons(60, rng=Random(0))
    assert "always" not in told(diagnosed(data, loss=distance)) and names(diagnosed(data, loss=distance)) == [
        "healthy"
    ]
    assert names(diagnosed(data, loss=distance, rate=1e-6))[0] == "learning rate too low"


def test_a_loss_that_is_not_defined_where_nothing_is_said_is_no_error():
    def logarithmic(a, y):
        return -(a if y else 1.0 - a).log()

    assert names(diagnosed(moons(40, rng=Random(0)), loss=logarithmic, output="sigmoid", epochs=20)) == ["healthy"]


# ---- units that are off -------------------------------------------------------------------------------------------


def with_units_off(count, last=0.0):
    """A net of 8 relus, of which as many are off for every example, but for the last one if that is large."""
    data = moons(80, rng=Random(0))
    data = data._replace(X=[*data.X[:-1], [last, last]])
    model = nn.MLP(2, [8, 1], rng=Random(1))
    for row, b in zip(model.net.layers[0].W[:count], model.net.layers[0].b):
        row[0].data, row[1].data, b.data = 1.0, 1.0, -30.0
    training = nn.Training(model, nn.binary_cross_entropy, nn.Adam(model.parameters(), 0.03), data, epochs=12,
                           rng=Random(2), progress=False)  # fmt: skip
    diagnosis = Diagnosis(training)
    for _ in training:
        diagnosis.measure()
    return diagnosis


@pytest.mark.parametrize("count", [1, 3])
def test_a_few_dead_units_are_counted_beside_healthy(count):
    assert names(with_units_off(count)) == ["healthy"]
    assert f"{count} of 8 relus in layer 1 {'is' if count == 1 else 'are'} off for all 80 training examples" in told(
        with_units_off(count)
    )


def test_a_relu_that_one_example_beyond_the_sample_switches_on_is_alive():
    diagnosis = with_units_off(2, last=20.0)
    assert "no unit is dead" in told(diagnosis) and "are off" not in told(diagnosis)


def test_verdicts_change_nothing():
    diagnosis = with_units_off(2)
    model = diagnosis.model
    before = model.state_dict(), [p.grad for p in model.parameters()], [*map(list, diagnosis.records)]
    assert told(diagnosis, moons(10, rng=Random(4))) == told(diagnosis, moons(10, rng=Random(4)))
    assert (model.state_dict(), [p.grad for p in model.parameters()], diagnosis.records) == before


# ---- from the command line ----------------------------------------------------------------------------------------


slow = partial(pytest.param, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("arguments", "first", "words"),
    [
        (["wine", "--raw", "--epochs", "8"], "inputs not scaled", "'proline' ranges from"),
        slow(["xor", "--hidden", "--epochs", "20"], "has not learned", "or a hidden layer"),
        slow(["moons", "--dropout", "1", "--epochs", "5"], "dropout too strong", "100% of the hidden units"),
        slow(["moons", "--learning-rate", "1e-5", "--epochs", "5"], "learning rate too low", "use a higher"),
        (["moons", "--epochs", "15"], "healthy", "by always predicting 'upper'"),
    ],
)
def test_the_first_line_of_the_diagnosis_agrees_with_the_numbers_above_it(arguments, first, words, capsys, tmp_path):
    main([*arguments, "--out", str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    said = [line for line in lines if line.startswith("diagnosis: ")]
    assert said[0].startswith(f"diagnosis: {first}: ") and words in said[0]
    for line in said:
        if "on test data" in line:
            [reached] = [line.split("test ")[-1] for line in lines if line.startswith("accuracy: ")]
            [guess] = [line.split("test ")[-1] for line in lines if line.startswith("baseline, ")]
            assert f"{reached} on test data, {guess} by always" in line


def test_a_run_that_blows_up_is_diagnosed_too(capsys, tmp_path):
    with pytest.raises(SystemExit):
        main(["wine", "--raw", "--optimizer", "sgd", "--learning-rate", "1e60", "--out", str(tmp_path)])
    assert "diagnosis: inputs not scaled: 'proline'" in capsys.readouterr().out


@pytest.mark.parametrize(("like", "bias", "found"), [("relu", -9.0, (1.0, 0.0)), ("tanh", 9.0, (0.0, 1.0))])
def test_units_of_an_operation_of_ones_own_are_dead_or_saturated_as_its_entry_says(like, bias, found):
    def own(n, z):
        return TABLE[like].rule(n, z)

    class Own(nn.Module):
        def forward(self, x):
            return [TABLE["own"](z) for z in x]

    primitive("own", REAL, flat=TABLE[like].flat)(own)
    try:
        model = nn.Sequential([nn.Linear(2, 3, rng=Random(0)), Own(), nn.Linear(3, 1, rng=Random(0))])
        for b in model[0].b:
            b.data = bias
        training = nn.Training(model, nn.binary_cross_entropy, nn.SGD(model.parameters(), 1e-9),
                               moons(20, rng=Random(0)), epochs=1, progress=False, engine="eager")  # fmt: skip
        diagnosis = Diagnosis(training)
        list(training)
        first, _ = diagnosis.measure()
    finally:
        del TABLE["own"]
    assert (first.dead, first.saturated) == found


@pytest.mark.parametrize(
    "nest", [lambda a, g, b: [nn.Sequential(a, g), b], lambda a, g, b: [a, nn.Sequential(g, nn.Sequential(b))]]
)
def test_layers_of_an_inner_sequential_are_numbered_traced_and_diagnosed_as_in_a_flat_one(nest):
    data, found = moons(12, rng=0), []
    for arranged in (nest, lambda *layers: layers):
        model = nn.Sequential(*arranged(nn.Linear(2, 3, rng=0), nn.Tanh(), nn.Linear(3, 1, rng=1)))
        training = nn.Training(model, nn.binary_cross_entropy, nn.SGD(model.parameters(), 0.1), data, epochs=2, rng=0)
        diagnosis = Diagnosis(training)
        for _ in training:
            diagnosis.measure()
        names = [z.name for layer in model.trace(data.X[0]).z for z in layer]
        found.append((diagnosis.records, names, list(model.named_parameters())))
    assert found[0] == found[1]
    assert found[0][1] == ["z¹_1", "z¹_2", "z¹_3", "z²_1"] and found[0][2][-1] == "b²_1"
