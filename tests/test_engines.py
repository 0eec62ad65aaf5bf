"""Tests that eager and replayed training take the same steps, and that each reports which engine it is."""

import copy
import json
import math
from random import Random

import pytest

import nn.replaying as replaying
from autograd import DomainError, Value, relu, softplus
from nn import (
    MLP,
    SGD,
    Adam,
    BatchNorm,
    Dropout,
    Linear,
    ReLU,
    RMSprop,
    Sequential,
    Tanh,
    binary_cross_entropy,
    cross_entropy,
    half_squared_error,
    hinge,
    mean_squared_error,
)
from nn.__main__ import main
from nn.data import Dataset, digits, iris, moons, split
from nn.module import Module
from nn.optim import Optimizer, by_epoch, cosine
from nn.training import Training, evaluate

MOONS = split(moons(120, rng=Random(3)), rng=Random(4))
IRIS = split(iris(), rng=Random(5))


def trained(make, engine, data=MOONS, loss=binary_cross_entropy, optimizer=SGD, rate=0.1, epochs=3, **options):
    model = make(Random(0))
    training = Training(
        model, loss, optimizer(model.parameters(), rate), data.training, data.validation, epochs=epochs,
        rng=Random(1), progress=False, engine=engine, **options,
    )  # fmt: skip
    return model, training, list(training)


def numbers(model, training, records):
    """Everything that a training leaves behind, as one list."""
    rows = [x for record in records for x in record if x == x]
    kept = [x for buffer in model.buffers().values() for x in buffer]
    state = [x for row in training.optimizer.states for x in row]
    gradient = [p.grad for p in training.optimizer.parameters]
    return [*rows, *kept, *state, *(p.data for p in model.parameters()), *gradient]


def small(**options):
    return lambda rng: MLP(2, [8, 8, 1], rng=rng, **options)


CASES = {
    "sgd": (small(), {}),
    "tanh": (small(activation="tanh"), {}),
    "momentum": (small(), {"optimizer": lambda p, rate: SGD(p, rate, momentum=0.9, nesterov=True)}),
    "adam": (small(), {"optimizer": Adam, "rate": 0.01}),
    "rmsprop and decay": (small(), {"optimizer": lambda p, rate: RMSprop(p, 0.01, weight_decay=0.01)}),
    "schedule": (small(), {"optimizer": SGD, "rate": by_epoch(cosine(0.3, 3), 8)}),
    "penalties": (small(), {"l1": 0.01, "l2": 0.02}),
    "clipping": (small(), {"clip_norm": 0.2, "clip_value": 0.05}),
    "dropout": (small(dropout=0.3), {}),
    "batch normalisation": (small(batch_norm=True), {}),
    # not with Adam: a bias before a BatchNorm has the gradient 0, and Adam would scale its rounding up to a step
    "all of it": (small(batch_norm=True, dropout=0.2, activation="sigmoid"), {"l2": 0.01, "clip_norm": 1.0}),
    "last batch smaller": (small(), {"batch_size": 7}),
    "one batch": (small(), {"batch_size": 1000, "epochs": 25}),
    "hinge": (small(), {"loss": hinge, "data": None}),
    "mean squared error": (small(), {"loss": mean_squared_error}),
    "half squared error": (small(output="sigmoid"), {"loss": half_squared_error}),
    "three classes": (lambda rng: MLP(4, [8, 3], rng=rng), {"data": IRIS, "loss": cross_entropy, "rate": 0.02}),
    "no hidden layer": (lambda rng: MLP(4, [3], rng=rng), {"data": IRIS, "loss": cross_entropy, "rate": 0.02}),
}


@pytest.mark.parametrize("case", CASES)
def test_both_engines_train_alike(case):
    make, options = CASES[case]
    options = dict(options)
    if options.get("loss") is hinge:  # its targets are −1 and +1
        options["data"] = MOONS._replace(
            training=MOONS.training._replace(y=[2 * label - 1 for label in MOONS.training.y]),
            validation=MOONS.validation._replace(y=[2 * label - 1 for label in MOONS.validation.y]),
        )
    eager = trained(make, "eager", **options)
    replayed = trained(make, "replay", **options)
    assert (eager[1].engine, replayed[1].engine) == ("eager", "replay")
    # the order of additions differs; some tens of steps of it, away from kinks
    assert numbers(*replayed) == pytest.approx(numbers(*eager), rel=1e-9, abs=1e-11)
    assert [r.accuracy for r in replayed[2]] == [r.accuracy for r in eager[2]]


def test_digits_train_alike():
    data = split(digits(), rng=Random(0))
    data = data._replace(training=data.training.take(range(100)), validation=data.validation.take(range(130)))
    runs = [
        trained(lambda rng: MLP(64, [32, 10], activation="tanh", rng=rng), engine, data, cross_entropy, Adam, 0.003)
        for engine in ("eager", "auto")
    ]
    assert runs[1][1].engine == "replay"
    assert numbers(*runs[1]) == pytest.approx(numbers(*runs[0]), rel=1e-9, abs=1e-11)


def test_generators_are_where_the_eager_engine_leaves_them():
    eager, replayed = (trained(small(dropout=0.5), engine)[1] for engine in ("eager", "replay"))
    assert [rng.getstate() for rng in replayed.generators().values()] == [
        rng.getstate() for rng in eager.generators().values()
    ]


def test_choosing_the_engine_moves_nothing():
    model = small(dropout=0.5, batch_norm=True)(Random(0))
    training = Training(model, binary_cross_entropy, SGD(model.parameters(), 0.1), MOONS.training, rng=Random(1))
    before = json.dumps(training.state_dict())
    assert training.choose_engine() == "replay"
    assert json.dumps(training.state_dict()) == before


def test_a_training_that_goes_on_elsewhere_comes_to_the_same_bits():
    whole_model, whole, _ = trained(small(dropout=0.2, batch_norm=True), "auto", epochs=4, optimizer=Adam)
    model = small(dropout=0.2, batch_norm=True)(Random(0))

    def training_of(model):
        return Training(
            model, binary_cross_entropy, Adam(model.parameters(), 0.1), MOONS.training, MOONS.validation, epochs=4,
            rng=Random(1), progress=False,
        )  # fmt: skip

    first = training_of(model)
    for record in first:
        if record.epoch == 2:
            break
    state = json.loads(json.dumps(first.state_dict()))
    other = small(dropout=0.2, batch_norm=True)(Random(0))
    second = training_of(other)
    second.load_state_dict(state)
    assert len(list(second)) == 2
    assert (whole.engine, first.engine, second.engine) == ("replay",) * 3
    assert json.dumps(second.state_dict()) == json.dumps(whole.state_dict())
    assert [p.data for p in other.parameters()] == [p.data for p in whole_model.parameters()]


def test_parameters_are_in_their_values_at_every_record():
    model = small()(Random(0))
    training = Training(
        model, binary_cross_entropy, SGD(model.parameters(), 0.1), MOONS.training, MOONS.training, epochs=3,
        rng=Random(1), progress=False,
    )  # fmt: skip
    for record in training:
        assert training.engine == "replay"
        loss, metrics = evaluate(model, binary_cross_entropy, MOONS.training)
        # replayed sums have another order
        assert (record.validation_loss, record.validation_accuracy) == pytest.approx(
            (loss, metrics.accuracy), rel=1e-12
        )
        assert any(p.grad for p in model.parameters())


def test_what_the_caller_changes_between_epochs_counts():
    """Weights set by hand, a penalty and a frozen layer: each of them changes both engines alike."""

    def run(engine):
        model = small()(Random(0))
        training = Training(
            model, binary_cross_entropy, SGD(model.parameters(), 0.1), MOONS.training, epochs=4, rng=Random(1),
            progress=False, engine=engine,
        )  # fmt: skip
        for record in training:
            if record.epoch == 1:
                model.parameters()[0].data = 0.75
            if record.epoch == 2:
                training.l2 = 0.05
            if record.epoch == 3:
                training.optimizer = SGD(model.parameters()[10:], 0.05)
        return numbers(model, training, training.records)

    assert run("replay") == pytest.approx(run("eager"), rel=1e-10)


def test_parameters_that_are_not_trained_are_read_as_they_are_now():
    def run(engine):
        model = small()(Random(0))
        frozen = model.parameters()[:5]
        training = Training(
            model, binary_cross_entropy, SGD(model.parameters()[5:], 0.1), MOONS.training, epochs=2, rng=Random(1),
            progress=False, engine=engine,
        )  # fmt: skip
        for _ in training:
            for p in frozen:
                p.data += 0.125
        return numbers(model, training, training.records)

    assert run("replay") == pytest.approx(run("eager"), rel=1e-10)


def test_a_step_that_blows_up_names_the_same_and_leaves_the_same_parameters():
    def run(engine):
        model = MLP(2, [8, 1], activation="relu", rng=Random(0))
        training = Training(
            model, mean_squared_error, SGD(model.parameters(), 1e60), MOONS.training, epochs=30, rng=Random(1),
            progress=False, engine=engine,
        )  # fmt: skip
        with pytest.raises(DomainError) as caught:
            list(training)
        return str(caught.value), training.stopped, [p.data for p in model.parameters()], training.optimizer.steps

    eager, replayed = run("eager"), run("replay")
    assert replayed[0].split("=")[0] == eager[0].split("=")[0]
    assert replayed[1].split(":")[0] == eager[1].split(":")[0]
    assert replayed[2] == pytest.approx(eager[2], rel=1e-9)
    assert replayed[3] == eager[3]


class Doubling(Module):
    """A layer of one's own: it decides nothing."""

    def forward(self, x):
        return [2.0 * x_j for x_j in x]


class Deciding(Module):
    """A layer whose graph depends on the numbers."""

    def forward(self, x):
        return [x_j if x_j.data > 0 else 0.1 * x_j for x_j in x]


class Noisy(Module):
    """A layer that draws numbers of its own."""

    rng = Random(0)

    def forward(self, x):
        return [x_j + self.rng.random() for x_j in x]


def own(layer):
    return lambda rng: Sequential(Linear(2, 8, rng=rng), layer, ReLU(), Linear(8, 1, rng=rng))


def test_layers_of_ones_own_are_left_to_the_eager_engine_unless_replay_insists():
    _, training, free = trained(own(Doubling()), "auto")
    assert training.engine == "eager" and training.reason == "the layer Doubling is not from nn"
    _, training, insisted = trained(own(Doubling()), "replay")
    assert training.engine == "replay"
    assert [r.loss for r in insisted] == pytest.approx([r.loss for r in free], rel=1e-10)


class Counting(Module):
    """A layer that is another one after a while."""

    calls = 0

    def forward(self, x):
        self.calls += 1
        return [relu(x_j) if self.calls > 25 else -x_j for x_j in x]


@pytest.mark.parametrize(
    ("layer", "said"), [(Deciding(), "the program, but"), (Noisy(), "the constant = 0."), (Counting(), "neg at x = ")]
)
def test_replay_insisted_on_compares_two_mini_batches_and_names_what_differs(layer, said):
    make = own(layer)
    model = make(Random(0))
    optimizer = SGD(model.parameters(), 0.1)
    training = Training(
        model, binary_cross_entropy, optimizer, MOONS.training, engine="replay", rng=Random(1), progress=False
    )
    before = model.state_dict()
    with pytest.raises(ValueError, match=r"in the program, but .* in the fresh graph: a replay keeps") as caught:
        list(training)
    assert said in str(caught.value)
    assert optimizer.steps < 2 and (optimizer.steps or model.state_dict() == before)


def test_a_loss_of_ones_own():
    def squared_hinge(z, y):
        return relu(1.0 - (2.0 * y - 1.0) * z) ** 2

    _, training, free = trained(small(), "auto", loss=squared_hinge)
    assert training.engine == "eager" and "squared_hinge" in training.reason
    _, training, insisted = trained(small(), "replay", loss=squared_hinge)
    assert training.engine == "replay"
    assert [r.loss for r in insisted] == pytest.approx([r.loss for r in free], rel=1e-10)


def test_replay_insisted_on_refuses_a_loss_that_decides_by_what_a_leaf_never_is():
    def logistic(z, y):
        return softplus(-z if y == 1 else z)

    with pytest.raises(ValueError, match=r"the loss for the target 1 is .* if a replay feeds it as a Value"):
        trained(small(), "replay", loss=logistic)
    assert trained(small(), "auto", loss=logistic)[1].engine == "eager"


class Adagrad(Optimizer):
    """An optimiser of one's own: its arithmetic takes arrays, as those of nn.optim."""

    def first_state(self):
        return (0.0,)

    def update(self, w, gradient, state):
        total = state[0] + gradient * gradient
        return w - self.learning_rate * gradient / (total**0.5 + 1e-8), (total,)


class OnFloats(Adagrad):
    """The same on floats alone."""

    def update(self, w, gradient, state):
        total = state[0] + gradient * gradient
        return w - self.learning_rate * gradient / (math.sqrt(total) + 1e-8), (total,)


class Branching(Adagrad):
    """It decides for each parameter."""

    def update(self, w, gradient, state):
        return (w - self.learning_rate if gradient > 0.0 else w + self.learning_rate), state


class CallingTwice(Adagrad):
    """Its step is more than its updates."""

    def step(self):
        super().step()
        super().step()


class Projecting(Adagrad):
    """Its step differs from its updates for large weights alone, which no comparison of the first steps meets."""

    def step(self):
        super().step()
        for p in self.parameters:
            p.data = min(max(p.data, -1e3), 1e3)


class LongMemory(Optimizer):
    """It remembers four numbers, and reads how many steps there were."""

    def first_state(self):
        return (0.0, 0.0, 0.0, 1.0)

    def update(self, w, gradient, state):
        a, b, c, d = state
        d = d * 0.9 + 0.1 * gradient * gradient
        return w - self.learning_rate / self.steps**0.5 * (gradient + a / d**0.5), (b, c, 0.1 * gradient, d)


class Own(Adam):
    """One of nn's, made outside of nn, whose update decides by the step."""

    def update(self, w, gradient, state):
        return super().update(w, gradient if self.steps > 3 else 0.5 * gradient, state)


class OwnSigns(Adam):
    """One of nn's, made outside of nn, whose update decides by the numbers."""

    def update(self, w, gradient, state):
        if gradient > 0.0:
            gradient = 2.0 * gradient
        return super().update(w, gradient, state)


class CountingCalls(Adagrad):
    """Its update remembers how often it was called."""

    calls = 0

    def update(self, w, gradient, state):
        self.calls += 1
        return w - self.learning_rate * gradient / self.calls, state


OWN = [Adagrad, OnFloats, Branching, CallingTwice, Projecting, LongMemory, Own, OwnSigns, CountingCalls]


@pytest.mark.parametrize("optimizer", OWN)
def test_an_optimiser_of_ones_own_is_left_to_the_eager_engine_which_says_so(optimizer):
    _, training, free = trained(small(), "auto", optimizer=optimizer)
    assert training.engine == "eager"
    assert training.reason == f"the optimiser {optimizer.__name__} is not from nn.optim"
    assert len(free) == 3 and all(math.isfinite(r.loss) for r in free)


@pytest.mark.parametrize("optimizer", [Adagrad, LongMemory, Own])
def test_replay_insisted_on_takes_an_optimiser_of_ones_own_that_moves_arrays_alike(optimizer):
    free, insisted = (
        trained(small(activation="tanh"), engine, optimizer=optimizer, rate=0.01) for engine in ("auto", "replay")
    )
    assert insisted[1].engine == "replay"
    assert numbers(*insisted) == pytest.approx(numbers(*free), rel=1e-9, abs=1e-11)


@pytest.mark.parametrize(
    ("optimizer", "said"),
    [
        (OnFloats, r"OnFloats\.update does not work on arrays \(.*\): use only arithmetic"),
        (Branching, r"Branching\.update does not work on arrays"),
        (OwnSigns, r"OwnSigns\.update does not work on arrays"),
        (CallingTwice, "CallingTwice overrides step, which a replay does not call: override update instead"),
        (Projecting, "Projecting overrides step"),
        (CountingCalls, "CountingCalls updates arrays differently from Values"),
    ],
)
def test_replay_insisted_on_refuses_an_optimiser_that_moves_arrays_otherwise(optimizer, said):
    model = small()(Random(0))
    own = optimizer(model.parameters(), 0.1)
    training = Training(
        model, binary_cross_entropy, own, MOONS.training, engine="replay", rng=Random(1), progress=False
    )
    before = model.state_dict(), own.state_dict(), dict(vars(own))
    with pytest.raises(ValueError, match=said):
        list(training)
    assert (model.state_dict(), own.state_dict(), dict(vars(own))) == before


# ---- data that change -----------------------------------------------------------------------------------------

OTHER = split(moons(150, noise=0.3, rng=Random(13)), rng=Random(14))


def label_turned(training):
    training.training.y[:20] = [1 - label for label in training.training.y[:20]]


def example_moved(training):
    for x in training.training.X[::3]:
        x[0] += 0.5


CHANGES = {
    "other training data": lambda t: setattr(t, "training", OTHER.training),
    "fewer": lambda t: setattr(t, "training", t.training.take(range(25))),
    "in another order": lambda t: setattr(t, "training", t.training.take(range(len(t.training.y))[::-1])),
    "labels in place": label_turned,
    "all labels": lambda t: setattr(t, "training", t.training._replace(y=[1 - y for y in t.training.y])),
    "numbers in place": example_moved,
    "one number in place": lambda t: t.training.X[0].__setitem__(0, 5.0),
    "one number in place, whole": lambda t: t.training.X[0].__setitem__(0, 5),
    "an example in place": lambda t: t.training.X.__setitem__(3, [2.0, -2.0]),
    "more in place": lambda t: (t.training.X.extend(OTHER.test.X), t.training.y.extend(OTHER.test.y)),
    "other validation data": lambda t: setattr(t, "validation", OTHER.validation),
    "no validation data": lambda t: setattr(t, "validation", None),
    "validation data in place": lambda t: t.validation.y.__setitem__(0, 1 - t.validation.y[0]),
    "a validation example in place": lambda t: t.validation.X[0].__setitem__(1, -3.0),
    "weights": lambda t: setattr(t, "weights", [1.0 + i % 3 for i in range(len(t.training.y))]),
}


def changed(engine, changes, make=None, loss=binary_cross_entropy, data=None, **options):
    """Records and all else of a training to which each of the changes is made, after epoch 1, 2, …"""
    model = (make or small(activation="tanh"))(Random(0))
    training = Training(
        model, loss, SGD(model.parameters(), 0.1), *copy.deepcopy((data or MOONS)[:2]), epochs=len(changes) + 2,
        rng=Random(1), progress=False, engine=engine, **options,
    )  # fmt: skip
    for record in training:
        if record.epoch <= len(changes):
            changes[record.epoch - 1](training)
    assert training.engine == engine
    return numbers(model, training, training.records)


@pytest.mark.parametrize("change", CHANGES)
def test_data_that_change_between_epochs_are_followed_by_every_engine(change):
    eager, replayed = (changed(engine, [CHANGES[change]]) for engine in ("eager", "replay"))
    assert replayed == pytest.approx(eager, rel=1e-12, abs=1e-12)
    assert eager != changed("eager", [lambda t: None])


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.weights.__setitem__(0, 7.0),
        lambda t: setattr(t, "weights", [2.0 + i % 2 for i in range(len(t.training.y))]),
        lambda t: setattr(t, "weights", None),
    ],
)
def test_weights_of_examples_that_change_between_epochs_are_followed_by_every_engine(change):
    def run(engine, change):
        return changed(engine, [change], weights=[1.0 + i % 3 for i in range(len(MOONS.training.y))])

    eager = run("eager", change)
    assert run("replay", change) == pytest.approx(eager, rel=1e-12, abs=1e-12)
    assert eager != run("eager", lambda t: None)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.training.y[0].__setitem__(slice(None), [0.0, 0.25, 0.75]),
        lambda t: t.training.y.__setitem__(4, [1.0, 0.0, 0.0]),
        lambda t: t.validation.y[1].__setitem__(slice(None), [0.0, 0.25, 0.75]),
    ],
)
def test_targets_of_several_numbers_that_change_in_place_are_followed_by_every_engine(change):
    soft = [
        part._replace(y=[[0.1 + 0.7 * (k == label) for k in range(3)] for label in part.y])
        for part in (IRIS.training, IRIS.validation)
    ]
    make = lambda rng: MLP(4, [8, 3], activation="tanh", rng=rng)  # noqa: E731
    eager, replayed = (changed(engine, [change], make, cross_entropy, soft) for engine in ("eager", "replay"))
    assert replayed == pytest.approx(eager, rel=1e-12, abs=1e-12)
    assert eager != changed("eager", [lambda t: None], make, cross_entropy, soft)


BROKEN = {
    "a target less": (lambda t: t.training.y.pop(), "72 examples and 71 targets"),
    "no examples": (lambda t: (t.training.X.clear(), t.training.y.clear()), "0 examples and 0 targets"),
    "a longer example": (lambda t: t.training.X[3].append(1.0), "example 4, counted from 1, has 3 numbers"),
    "a shorter one": (lambda t: t.validation.X[1].pop(), "validation example 2, counted from 1, has 1 numbers"),
    "text": (lambda t: t.training.X[0].__setitem__(0, "a"), "contains text"),
    "no dataset": (lambda t: setattr(t, "training", [[1.0], [2.0]]), "the data must be an nn.Dataset, not list"),
    "too few weights": (lambda t: setattr(t, "weights", [1.0, 2.0]), "2 weights for 72 examples"),
}


@pytest.mark.parametrize("change", BROKEN)
@pytest.mark.parametrize("engine", ["eager", "replay"])
def test_data_that_break_between_epochs_are_refused_by_every_engine_with_the_same_words(change, engine):
    make, words = BROKEN[change]
    with pytest.raises((ValueError, TypeError), match=f"^.*{words}"):
        changed(engine, [make])


# ---- options that change ----------------------------------------------------------------------------------------


def module(training, kind):
    return next(m for m in training.model.submodules().values() if isinstance(m, kind))


OPTIONS = {
    "dropout.p": lambda t: setattr(module(t, Dropout), "p", 0.5),
    "bn.epsilon": lambda t: setattr(module(t, BatchNorm), "epsilon", 0.1),
    "bn.momentum": lambda t: setattr(module(t, BatchNorm), "momentum", 0.5),
    "l1": lambda t: setattr(t, "l1", 0.03),
    "l2": lambda t: setattr(t, "l2", 0.05),
    "clip_norm": lambda t: setattr(t, "clip_norm", 0.05),
    "clip_value": lambda t: setattr(t, "clip_value", 0.01),
    "batch_size": lambda t: setattr(t, "batch_size", 6),
    "loss": lambda t: setattr(t, "loss", hinge),
    "learning_rate": lambda t: setattr(t.optimizer, "learning_rate", 0.5),
    "momentum": lambda t: setattr(t.optimizer, "momentum", 0.5),
    "weight_decay": lambda t: setattr(t.optimizer, "weight_decay", 0.25),
    "optimiser": lambda t: setattr(t, "optimizer", SGD(t.model.parameters(), 0.2, momentum=0.9)),
    "dropout in evaluation": lambda t: module(t, Dropout).eval(),
    "order": lambda t: setattr(t, "rng", Random(8)),
}


@pytest.mark.parametrize("change", OPTIONS)
def test_options_that_change_between_epochs_are_followed_by_every_engine(change):
    make = small(activation="tanh", dropout=0.2, batch_norm=True)
    data = [
        part._replace(y=[2 * label - 1 for label in part.y] if change == "loss" else part.y) for part in MOONS[:2]
    ]
    loss = half_squared_error if change == "loss" else binary_cross_entropy
    eager, replayed = (changed(engine, [OPTIONS[change]], make, loss, data) for engine in ("eager", "replay"))
    assert replayed == pytest.approx(eager, rel=1e-11, abs=1e-12)
    assert eager != changed("eager", [lambda t: None], make, loss, data)


def test_momentum_that_is_set_and_taken_away_starts_afresh_with_every_engine():
    steps = [lambda t, m=m: setattr(t.optimizer, "momentum", m) for m in (0.9, 0.0, 0.5)]
    eager, replayed = (changed(engine, steps) for engine in ("eager", "replay"))
    assert replayed == pytest.approx(eager, rel=1e-12, abs=1e-12)


FROZEN = {
    "in place": lambda bn: bn.mu_.__setitem__(0, 0.5),
    "as lists": lambda bn: (setattr(bn, "mu_", [0.5] * bn.n), setattr(bn, "sigma2_", [2.0] * bn.n)),
    "from a state": lambda bn: bn.load_state_dict({**bn.state_dict(), "sigma2_": [4.0] * bn.n}),
}


@pytest.mark.parametrize("change", FROZEN)
def test_changed_statistics_of_a_frozen_batch_norm_are_followed_by_every_engine(change):
    def run(engine, change):
        make = small(activation="tanh", batch_norm=True)

        def freezing(rng):
            model = make(rng)
            next(m for m in model.submodules().values() if isinstance(m, BatchNorm)).eval()
            return model

        return changed(engine, [lambda t: change(module(t, BatchNorm))], freezing)

    eager = run("eager", FROZEN[change])
    assert run("replay", FROZEN[change]) == pytest.approx(eager, rel=1e-11, abs=1e-12)
    assert eager != run("eager", lambda bn: None)


def test_a_batch_norm_that_is_put_into_evaluation_mode_on_the_way_stays_there_with_every_engine():
    def run(engine):
        seen, model = [], small(activation="tanh", batch_norm=True)(Random(0))
        bn = next(m for m in model.submodules().values() if isinstance(m, BatchNorm))
        training = Training(
            model, binary_cross_entropy, SGD(model.parameters(), 0.1), *MOONS[:2], epochs=4, rng=Random(1),
            progress=False, engine=engine,
        )  # fmt: skip
        for record in training:
            seen.append(bn.mu_[0])
            if record.epoch in (1, 3):
                bn.train(record.epoch == 3)
        return seen, numbers(model, training, training.records)

    eager, replayed = run("eager"), run("replay")
    assert replayed[1] == pytest.approx(eager[1], rel=1e-11, abs=1e-12)
    first, second, third, fourth = eager[0]
    assert first == second == third != fourth


def test_choosing_the_engine_keeps_a_frozen_batch_norm_frozen():
    model = small(batch_norm=True)(Random(0))
    bn = next(m for m in model.submodules().values() if isinstance(m, BatchNorm)).eval()
    training = Training(
        model, binary_cross_entropy, SGD(model.parameters(), 0.1), MOONS.training, epochs=3, progress=False
    )
    training.choose_engine()
    list(training)
    assert bn.mu_ == [0.0] * 8


def test_validation_data_that_come_later_are_followed():
    def run(engine):
        model = small()(Random(0))
        training = Training(
            model, binary_cross_entropy, SGD(model.parameters(), 0.1), MOONS.training, epochs=3, rng=Random(1),
            progress=False, engine=engine,
        )  # fmt: skip
        for _ in training:
            training.validation = MOONS.validation
        return [record.validation_loss for record in training.records[1:]]

    assert run("replay") == pytest.approx(run("eager"), rel=1e-9)


def test_targets_of_another_width_are_recorded_as_they_are_now():
    def run(engine):
        model = MLP(4, [8, 3], rng=Random(0))
        training = Training(
            model, cross_entropy, SGD(model.parameters(), 0.02), IRIS.training, epochs=4, rng=Random(1),
            progress=False, engine=engine,
        )  # fmt: skip
        for record in training:
            if record.epoch == 2:
                shares = [[0.1 + 0.7 * (k == label) for k in range(3)] for label in IRIS.training.y]
                training.training = IRIS.training._replace(y=shares)
        return numbers(model, training, training.records)

    assert run("replay") == pytest.approx(run("eager"), rel=1e-9)


def test_a_layer_that_is_replaced_is_followed():
    """By another object of the same options: its parameters, and the generator of its masks."""

    def run(engine):
        model = small(dropout=0.5)(Random(0))
        training = Training(
            model, binary_cross_entropy, SGD(model.parameters(), 0.1), MOONS.training, epochs=4, rng=Random(1),
            progress=False, engine=engine,
        )  # fmt: skip
        for record in training:
            if record.epoch == 2:
                [place] = [i for i, m in enumerate(model.net.layers) if isinstance(m, Dropout)][:1]
                model.net.layers[place] = Dropout(0.5, Random(5))
            if record.epoch == 3:
                training.optimizer = Adagrad(model.parameters(), 0.1)
        return numbers(model, training, training.records)

    assert run("replay") == pytest.approx(run("eager"), rel=1e-9)


def test_a_dropout_that_is_used_twice_is_not_replayed_with_frozen_masks():
    def twice(rng):
        dropout = Dropout(0.5, rng)
        return Sequential(Linear(2, 8, rng=rng), dropout, Tanh(), dropout, Linear(8, 1, rng=rng))

    _, training, _ = trained(twice, "auto")
    assert training.engine == "eager" and "used twice" in training.reason
    with pytest.raises(ValueError, match="used twice"):
        trained(twice, "replay")


def test_few_updates_are_left_to_the_eager_engine():
    _, training, _ = trained(small(), "auto", epochs=1)
    assert training.engine == "eager" and "8 updates are too few" in training.reason


def test_tiny_networks_are_left_to_the_eager_engine():
    _, training, _ = trained(lambda rng: MLP(2, [1], rng=rng), "auto", batch_size=1)
    assert training.engine == "eager" and "too many for arrays to be faster" in training.reason


def test_bad_labels_are_named_by_either_engine():
    data = Dataset([[0.0, 1.0]] * 40, [0, 1] * 19 + [0, 7], features=["x", "y"])  # with classes, it would refuse
    for engine in ("auto", "replay"):
        model = MLP(2, [8, 3], rng=Random(0))
        with pytest.raises(ValueError, match="label 7"):
            Training(model, cross_entropy, SGD(model.parameters(), 0.1), data, epochs=9, engine=engine)

        def of_ones_own(z, label):  # which is not asked beforehand, as it may not be defined for any outputs
            return cross_entropy(z, label)

        training = Training(
            model, of_ones_own, SGD(model.parameters(), 0.1), data, epochs=9, rng=Random(0), engine=engine,
            progress=False,
        )  # fmt: skip
        with pytest.raises(ValueError, match="label 7"):
            list(training)


def test_an_unknown_engine_is_refused():
    with pytest.raises(ValueError, match="engine 'fast': choose one of auto, eager, replay"):
        trained(small(), "fast")


def test_targets_may_be_leaves_and_numbers_are_checked():
    z = [Value(0.5), Value(-1.0), Value(2.0)]
    t = [Value(0.0), Value(0.0), Value(1.0)]
    assert cross_entropy(z, t).data == pytest.approx(cross_entropy(z, 2).data, rel=1e-15)
    assert hinge(z[0], Value(-1.0)).data == 1.5
    for loss, output, target in (
        (cross_entropy, z, [0.5, 0.5, 0.5]),
        (cross_entropy, z, [1.0, 0.0]),
        (cross_entropy, z, t[:2]),
        (cross_entropy, z, [2.0, -1.0, 0.0]),
        (cross_entropy, z, [float("nan"), 0.0, 1.0]),
        (binary_cross_entropy, z[0], 2.0),
        (hinge, z[0], 0.0),
    ):
        with pytest.raises(ValueError):
            loss(output, target)


def test_masks_that_stay_the_same_are_seen(monkeypatch):
    original, kept = replaying._Recorded._feeds, {}

    def frozen(self, batch):
        feeds = original(self, batch)
        if self.masks:
            feeds[2:3] = [kept.setdefault(len(batch), feeds[2])]
        return feeds

    monkeypatch.setattr(replaying._Recorded, "_feeds", frozen)
    with pytest.raises(AssertionError):
        test_both_engines_train_alike("dropout")


def test_statistics_that_stay_the_same_are_seen(monkeypatch):
    monkeypatch.setattr(BatchNorm, "average", lambda self, mu, sigma2, m: None)
    model, training, _ = trained(small(batch_norm=True), "replay")
    assert training.engine == "replay"
    assert model.buffers()["net.layers.1.mu_"] == [0.0] * 8
    monkeypatch.undo()
    model, _, _ = trained(small(batch_norm=True), "replay")
    assert all(mu != 0.0 for mu in model.buffers()["net.layers.1.mu_"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "engine: replay ("),
        (["--engine", "eager"], "engine: eager (as requested)"),
        (
            ["--epochs", "1", "--batch-size", "40"],
            "engine: eager (3 updates are too few to make recording worthwhile)",
        ),
    ],
)
def test_the_command_line_says_which_engine_runs(blank_pictures, arguments, said, tmp_path, capsys):
    main(["moons", "--examples", "200", "--epochs", "2", "--out", str(tmp_path / "run"), *arguments])
    assert said in capsys.readouterr().out


def test_an_unknown_engine_is_one_line_on_the_command_line(refused):
    assert "invalid choice: 'fast'" in refused(main, "moons", "--engine", "fast")
