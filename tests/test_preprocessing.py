"""Tests of preprocessing (D4–D6): fitted on training data, applied to any, inverted, and saved with the weights."""

import math
from itertools import product
from random import Random

import numpy as np
import pytest
from conftest import printed
from sklearn import decomposition
from sklearn.preprocessing import StandardScaler

from nn import MLP, SGD, Linear, Training, cross_entropy, half_squared_error
from nn.checkpoint import load, load_preprocessing, save
from nn.data import Dataset, Split, breast_cancer, one_hot, split, wine
from nn.losses import mean_loss
from nn.preprocessing import BY_NAME, PCA, OneHot, Pipeline, Standardize, Whiten, ZeroCenter, from_state, preprocess

X = [[2.0, 0.0], [4.0, 2.0], [6.0, 10.0]]
exact = lambda x: pytest.approx(x, rel=1e-12, abs=1e-12)  # noqa: E731
EVERY = {
    "zero_center": ZeroCenter,
    "standardize": Standardize,
    "pca": PCA,
    "whiten": Whiten,
    "one_hot": lambda: OneHot([1]),
    "pipeline": lambda: Pipeline(Standardize(), Whiten()),
}
on_every = pytest.mark.parametrize("make", EVERY.values(), ids=list(EVERY))


def blob(m=40, seed=0):
    """m points of 4 correlated features of very different sizes."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(m, 4)) @ rng.normal(size=(4, 4)) * [1.0, 100.0, 0.01, 5.0] + [0.0, 3.0, -7.0, 50.0]


def covariance(rows):
    return np.cov(np.array(rows).T, bias=True)


def equal_rows(ours, theirs, tolerance=1e-10):
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


# ---- D4: all-positive inputs ----------------------------------------------------------------------------------


def weight_gradients(layer, examples, targets):
    layer.zero_grad()
    mean_loss(half_squared_error, layer.batch(examples), targets).backward()
    return [[w.grad for w in row] for row in layer.W]


def signs(row):
    return tuple(math.copysign(1.0, x) for x in row)


def test_d4_with_positive_inputs_all_weights_of_a_unit_are_pushed_the_way_of_its_delta():
    rng, layer = Random(0), Linear(4, 3, rng=Random(1))
    patterns = set()
    for _ in range(50):
        x = [rng.uniform(0.1, 2.0) for _ in range(4)]
        patterns |= {signs(row) for row in weight_gradients(layer, [x], [[rng.gauss(0, 2) for _ in range(3)]])}
    assert patterns == {(1.0,) * 4, (-1.0,) * 4}  # 2 of 2⁴


def test_d4_zero_centred_inputs_push_every_way():
    rng, layer = Random(0), Linear(4, 3, rng=Random(1))
    inputs = ZeroCenter().fit_transform([[rng.uniform(0.1, 2.0) for _ in range(4)] for _ in range(100)])
    patterns = set()
    for x in inputs:
        patterns |= {signs(row) for row in weight_gradients(layer, [x], [[rng.gauss(0, 2) for _ in range(3)]])}
    assert patterns == set(product((1.0, -1.0), repeat=4))


def test_d4_a_batch_whose_deltas_differ_in_sign_breaks_the_rule_and_one_whose_agree_does_not():
    layer = Linear(2, 1)
    layer.load_state_dict({"W": [[0.0, 0.0]], "b": [0.0]})  # δ = −target
    examples = [[1.0, 2.0], [2.0, 1.0]]
    assert len(set(signs(weight_gradients(layer, examples, [[1.0], [2.0]])[0]))) == 1
    assert weight_gradients(layer, examples, [[1.0], [-1.0]]) == [[0.5, -0.5]]


# ---- D5: zero-centre, normalise -------------------------------------------------------------------------------


def test_d5_mean_and_standard_deviation_of_the_slides_example():
    standardize = Standardize().fit(X)
    assert standardize.mean_.tolist() == [4.0, 4.0]
    assert standardize.std_.tolist() == exact([1.632993161855452, 4.320493798938574])
    z = np.array(standardize.transform(X))
    assert z.mean(axis=0) == exact(0.0)
    assert z.std(axis=0) == exact(1.0)
    assert ZeroCenter().fit_transform(X) == [[-2.0, -4.0], [0.0, -2.0], [2.0, 6.0]]


def test_d5_other_data_are_transformed_by_the_statistics_of_the_training_data():
    standardize = Standardize().fit(X)
    [z] = standardize.transform([[4.0, 4.0 + 4.320493798938574]])
    assert z == exact([0.0, 1.0])
    assert standardize.mean_.tolist() == [4.0, 4.0]


@pytest.mark.parametrize("constant", [0.0, 7.0, 0.1, 1e-300, -1e300])
def test_d5_a_constant_column_is_centred_and_not_divided_by_zero(constant):
    rows = [[constant, float(i)] for i in range(10)]  # the mean of ten times 0.1 is not 0.1
    standardize = Standardize().fit(rows)
    assert standardize.std_[0] == 0.0
    assert [z[0] for z in standardize.transform(rows)] == [0.0] * 10
    assert standardize.transform([[constant + 2.0, 0.0]])[0][0] == (constant + 2.0) - constant
    assert standardize.inverse_transform(standardize.transform(rows)) == [exact(row) for row in rows]


def test_d5_standardising_is_scikit_learns():
    rows = blob()
    equal_rows(Standardize().fit_transform(rows), StandardScaler().fit_transform(rows))


# ---- D6: PCA, whitening ---------------------------------------------------------------------------------------


def test_d6_eigenvalues_of_the_slides_example_and_a_diagonal_covariance():
    pca = PCA().fit(X)
    assert pca.eigenvalues_.tolist() == exact([21.080332901208877, 0.25300043212446033])
    equal_rows(covariance(pca.transform(X)), np.diag(pca.eigenvalues_), 1e-12)


def test_d6_whitened_data_have_the_identity_as_covariance():
    equal_rows(covariance(Whiten().fit_transform(X)), np.eye(2), 1e-12)
    # the smallest of four eigenvalues is 1e-10 of the largest: with the floor at 0 it is brought to 1 as well
    equal_rows(covariance(Whiten(floor=0.0).fit_transform(blob())), np.eye(4), 1e-5)
    equal_rows(covariance(Pipeline(Standardize(), Whiten()).fit_transform(blob())), np.eye(4), 1e-10)


@pytest.mark.parametrize(
    "rows", [blob(), np.array(wine().X), blob(3)], ids=["blob", "wine", "fewer rows than columns"]
)
def test_d6_components_are_scikit_learns_up_to_sign(rows):
    rows = np.array(Standardize().fit_transform(rows))
    ours, theirs = PCA().fit(rows), decomposition.PCA().fit(rows)
    k = min(len(theirs.components_), len(rows) - 1)  # beyond the rank any direction will do
    # scikit-learn's variances are those of a sample, 1/(m − 1)
    equal_rows(ours.eigenvalues_[:k], theirs.explained_variance_[:k] * (len(rows) - 1) / len(rows))
    equal_rows(np.abs(np.sum(ours.components_[:k] * theirs.components_[:k], axis=1)), np.ones(k))
    equal_rows(ours.components_ @ ours.components_.T, np.eye(len(ours.components_)))
    assert (ours.components_[np.arange(len(ours.components_)), np.abs(ours.components_).argmax(axis=1)] > 0.0).all()


@pytest.mark.parametrize("slope", [1.0, -1.0])
@pytest.mark.parametrize("make", [PCA, Whiten])
def test_d6_components_have_one_sign_in_whatever_order_the_rows_come(make, slope):
    rng = np.random.default_rng(0)
    x = rng.normal(size=30)
    rows = Standardize().fit_transform(np.column_stack([x, slope * x + rng.normal(size=30)]))
    for _ in range(40):  # the entries of both components are ±√½, up to rounding
        rng.shuffle(rows)
        components = make().fit(rows).components_
        equal_rows(components, np.array([[1.0, slope], [1.0, -slope]]) / math.sqrt(2.0))


def test_d6_of_three_equal_entries_the_first_is_positive():
    rng = np.random.default_rng(1)
    common = np.array([[1.0, -1.0, -1.0]]) * rng.normal(size=(60, 1))
    rows = np.concatenate([common + e for e in 0.1 * np.vstack([np.eye(3), -np.eye(3)])])  # alike in all directions
    first = [PCA().fit(rng.permutation(rows)).components_[0] for _ in range(20)]
    equal_rows(first, [[3**-0.5, -(3**-0.5), -(3**-0.5)]] * 20)


def test_d6_whitening_is_scikit_learns_up_to_sign_and_its_variance():
    rows = np.array(Standardize().fit_transform(wine().X))
    theirs = decomposition.PCA(whiten=True).fit_transform(rows) * math.sqrt(len(rows) / (len(rows) - 1))
    equal_rows(np.abs(Whiten().fit_transform(rows)), np.abs(theirs), 1e-8)


def test_d6_fewer_components_keep_the_directions_that_vary_most():
    rows = blob()
    kept = PCA(components=2).fit(rows)
    back = np.array(kept.inverse_transform(kept.transform(rows)))
    # what is lost is the variance along the directions that were left out
    lost = float(((rows - back) ** 2).sum(axis=1).mean())
    assert lost == pytest.approx(float(PCA().fit(rows).eigenvalues_[2:].sum()), rel=1e-6)
    assert kept.names(["a", "b", "c", "d"]) == ["component 1", "component 2"]


def test_d6_a_direction_without_variation_is_not_blown_up():
    line = [[t, 2.0 * t] for t in (0.0, 1.0, 2.0, 4.0)]
    whiten = Whiten(floor=1e-4).fit(line)
    assert whiten.scales_[1] == exact(0.01 * whiten.scales_[0])
    [z] = whiten.transform([[0.0, 1e-3]])
    assert abs(z[1]) < 0.05
    assert all(abs(row[1]) < 1e-10 for row in whiten.transform(line))
    for floor in (0.0, 1e-5):
        assert Whiten(floor=floor).fit_transform([[3.0, 1.0]] * 4) == [[0.0, 0.0]] * 4


# ---- one-hot --------------------------------------------------------------------------------------------------


def test_one_hot_puts_the_categories_in_the_place_of_their_feature():
    rows = [[2.0, 0.5, -1.0], [7.0, 0.6, -1.0], [2.0, 0.7, 3.0]]
    encode = OneHot(columns=[2, 0]).fit(rows)
    assert encode.transform(rows) == [[1.0, 0.0, 0.5, 1.0, 0.0], [0.0, 1.0, 0.6, 1.0, 0.0], [1.0, 0.0, 0.7, 0.0, 1.0]]
    assert encode.inverse_transform(encode.transform(rows)) == rows
    assert encode.inverse_transform([[0.2, 0.7, 0.5, 0.4, 0.3]]) == [[7.0, 0.5, -1.0]]
    assert encode.names(["colour", "size", "shape"]) == ["colour=2", "colour=7", "size", "shape=-1", "shape=3"]


def test_a_category_that_was_not_learned_is_refused_with_its_place():
    with pytest.raises(ValueError, match="row 2, column 1 is 3: in training, this column has only 1, 2"):
        OneHot([0]).fit([[1.0], [2.0]]).transform([[1.0], [3.0]])


def test_one_hot_knows_classes_by_number_or_by_name():
    assert [one_hot(name, ["a", "b"]) for name in "abc"] == [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]


@pytest.mark.parametrize("label", [3, -1, 0.5, math.nan])
def test_a_label_that_is_no_class_is_refused(label):
    assert [one_hot(k, 3) for k in range(3)] == np.eye(3).tolist()
    with pytest.raises(ValueError, match="3 classes have the labels 0 … 2"):
        one_hot(label, 3)


# ---- every preprocessor ---------------------------------------------------------------------------------------


@on_every
def test_what_was_transformed_comes_back(make):
    rows = [[2.0, 0.0], [4.0, 2.0], [6.0, 10.0], [1.0, 2.0]]
    preprocessor = make().fit(rows)
    assert preprocessor.inverse_transform(preprocessor.transform(rows)) == [exact(row) for row in rows]


@on_every
def test_lists_and_arrays_of_examples_give_lists_of_floats(make):
    preprocessor = make().fit(np.array(X))
    assert preprocessor.transform(np.array(X)) == preprocessor.transform(X) == make().fit_transform(X)
    assert {type(x) for row in preprocessor.transform(X) for x in row} == {float}
    assert preprocessor.transform([]) == []
    assert len(preprocessor.names(["a", "b"])) == len(preprocessor.transform(X)[0])


@on_every
def test_before_it_is_fitted_the_remedy_is_said(make):
    for call in (make().transform, make().inverse_transform):
        with pytest.raises(RuntimeError, match="call fit with the training data first"):
            call(X)
    with pytest.raises(RuntimeError, match="call fit"):
        make().state_dict()


BAD_ROWS = [
    ([[1.0, 2.0], [3.0]], "example 2, counted from 1, has 1 numbers, but the first has 2"),
    ([[1.0, 2.0], [3.0, math.nan]], "example 2, counted from 1, has nan at position 2"),
    ([[1.0, 2.0], [None, 3.0]], "example 2, counted from 1, has None at position 1"),
    ([[math.inf, 2.0], [3.0, 4.0]], "example 1, counted from 1, has inf at position 1"),
    ([[1.0, 2.0], [3.0, "x"]], "example 2, counted from 1, has 'x' at position 2: it must be a number"),
    (np.array([[1.0, "x"]], dtype=object), "example 1, counted from 1, has 'x' at position 2: it must be a number"),
    ([[1.0, 2.0], [3.0, [4.0]]], r"example 2, counted from 1, has \[4.0\] at position 2: it must be a number"),
    (np.zeros((2, 2, 2)), r"has \[0.0, 0.0\] at position 1: it must be a number"),
    (5.0, "X = 5.0: it must be a list, an array or a DataFrame"),
]


@on_every
@pytest.mark.parametrize(("rows", "words"), BAD_ROWS)
def test_rows_that_are_no_matrix_are_refused_with_their_place_and_nothing_is_learned(make, rows, words):
    preprocessor = make().fit(X)
    before = preprocessor.state_dict()
    for call in (preprocessor.fit, preprocessor.transform, preprocessor.inverse_transform):
        with pytest.raises((ValueError, TypeError), match=words):
            call(rows)
    assert preprocessor.state_dict() == before


@on_every
def test_rows_of_another_width_and_no_rows_to_learn_from_are_refused(make):
    preprocessor = make().fit(X)
    with pytest.raises(ValueError, match=r"rows of length 3: it was fitted to rows of length 2"):
        preprocessor.transform([[1.0, 2.0, 3.0]])
    for column in ([[1.0]], [1.0, 2.0], np.zeros(3)):
        with pytest.raises(ValueError, match=r"rows of length 1: it was fitted to .*; pass \[x\] for a single"):
            preprocessor.inverse_transform(column)
    with pytest.raises(ValueError, match="at least one"):
        preprocessor.fit([])


@pytest.mark.parametrize("make", [ZeroCenter, Standardize, PCA, Whiten])
def test_numbers_that_overflow_are_refused_and_nothing_is_learned(make):
    preprocessor = make().fit(X)
    before = preprocessor.state_dict()
    with pytest.raises(ValueError, match="scale them down"):
        preprocessor.fit([[1.7e308, 1.0], [1.7e308, 2.0], [-1.7e308, 2.0]])
    assert preprocessor.state_dict() == before
    with pytest.raises(ValueError, match=r"overflows in row 2, column [12]: the largest float is 1\.8e308"):
        make().fit([[-1.7e308, 1.0]]).transform([[0.0, 0.0], [1.7e308, 0.0]])


def test_numbers_whose_squares_are_no_floats_are_standardised_all_the_same():
    for size in (1e-200, 1e200):
        rows = [[-size], [0.0], [size]]
        assert Standardize().fit_transform(rows) == [exact([x]) for x in (-math.sqrt(1.5), 0.0, math.sqrt(1.5))]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: PCA(0), "components = 0"),
        (lambda: PCA(3).fit(X), "components = 3: it must be at most 2"),
        (lambda: Whiten(-1), "components = -1"),
        (lambda: Whiten(floor=-0.1), "floor = -0.1"),
        (lambda: Whiten(floor=math.nan), "floor = nan"),
        (lambda: OneHot([0, 0]), "they must be distinct"),
        (lambda: OneHot([-1]), "counted from 0"),
        (lambda: OneHot([2]).fit(X), "they must be in 0 … 1"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


# ---- pipelines ------------------------------------------------------------------------------------------------


def test_a_pipeline_fits_each_step_on_what_those_before_it_make_of_the_data():
    rows = blob()
    pipeline = Pipeline(OneHot(), Standardize(), PCA(components=3)).fit(rows)
    alone = Standardize().fit_transform(rows)
    assert pipeline.transform(rows) == PCA(components=3).fit(alone).transform(alone)
    assert pipeline.names(["a", "b", "c", "d"]) == ["component 1", "component 2", "component 3"]


def test_a_pipeline_that_fails_at_its_second_step_leaves_the_first_as_it_was():
    pipeline = Pipeline(Standardize(), OneHot([1])).fit([[1.0, 5.0], [2.0, 6.0]])
    before = pipeline.state_dict()
    with pytest.raises(ValueError, match="columns"):
        pipeline.fit([[1.0], [2.0]])
    assert pipeline.state_dict() == before


def test_an_empty_pipeline_is_the_identity_and_pipelines_of_pipelines_are_flat():
    assert Pipeline().fit(X).transform(X) == X == Pipeline().inverse_transform(X)
    assert repr(Pipeline(ZeroCenter(), Pipeline(PCA(3), Whiten()))) == "Pipeline(ZeroCenter(), PCA(3), Whiten())"
    with pytest.raises(TypeError, match="takes preprocessors"):
        Pipeline(Standardize)


# ---- states and files -----------------------------------------------------------------------------------------


@on_every
def test_a_state_goes_into_another_one_to_the_bit(make):
    fitted, other = make().fit(X), make()
    other.load_state_dict(fitted.state_dict())
    assert other.state_dict() == fitted.state_dict()
    assert other.transform(X) == fitted.transform(X)


def test_a_pipeline_is_made_anew_from_its_state():
    pipeline = Pipeline(OneHot([1]), Standardize(), Whiten(components=2, floor=0.1)).fit(X)
    assert from_state(pipeline.state_dict()).transform(X) == pipeline.transform(X)
    assert {type(step) for step in Pipeline(*(EVERY[name]() for name in BY_NAME)).steps} == set(BY_NAME.values())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"0.standardize.std_": [1.0]}, "std_ in the state has shape"),
        ({"0.standardize.mean_": [[0.0, 0.0]]}, "mean_ in the state has shape"),
        ({"0.standardize.mean_": [0.0, math.nan]}, "not finite"),
        ({"0.standardize.scale_": [0.0, 1.0]}, "needs mean_, std_"),
        ({"3.pca.mean_": [1.0]}, "steps 0.standardize, 1.pca, 3.pca, but .* needs 0.standardize, 1.pca"),
        ({"1.zero_center.mean_": [1.0]}, "steps 0.standardize, 1.pca, 1.zero_center, but .* needs 0.standardize, 1."),
        ({"1.pca.components_": [[1.0, 2.0]]}, "components_|eigenvalues_"),
        ({"weights": [0.0, 1.0]}, "steps 0.standardize, 1.pca, weights, but"),
        ({"0.center.mean_": [0.0, 1.0]}, "steps 0.standardize, 1.pca, 0.center, but"),
        ({"x.pca.mean_": [0.0, 1.0]}, "steps 0.standardize, 1.pca, x.pca, but"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(change, words):
    pipeline = Pipeline(Standardize(), PCA()).fit(X)
    before = pipeline.state_dict()
    for call in (pipeline.load_state_dict, from_state):
        with pytest.raises(ValueError, match=words):
            call({**before, **change})
    assert pipeline.state_dict() == before


def test_a_state_of_other_steps_and_sizes_that_do_not_add_up_are_refused():
    with pytest.raises(ValueError, match=r"steps 0.standardize, but Pipeline\(PCA\(\)\) needs 0.pca"):
        Pipeline(PCA()).load_state_dict(Pipeline(Standardize()).fit(X).state_dict())
    for sizes in ([0.0, 3.0], [-1.0, 3.0], [0.5, 1.5]):
        with pytest.raises(ValueError, match="must add up to 2"):
            OneHot().load_state_dict({"sizes_": sizes, "values_": [1.0, 2.0]})


def test_preprocessing_is_saved_beside_the_weights_and_the_weights_load_without_it(tmp_path):
    path, model, other = tmp_path / "weights", MLP(2, [3, 1], rng=Random(0)), MLP(2, [3, 1], rng=Random(1))
    pipeline = Pipeline(OneHot(), Standardize(), Whiten()).fit(X)
    save(model, path, {"config": "{}"}, preprocessing=pipeline)
    load(other, path)
    assert other.state_dict() == model.state_dict()
    found = load_preprocessing(path)
    assert found.transform(X) == pipeline.transform(X)
    save(model, path, preprocessing=Standardize().fit(X))
    assert repr(load_preprocessing(path)) == "Pipeline(Standardize())"
    save(model, path)
    assert load_preprocessing(path) is None


def test_preprocessing_that_is_not_fitted_is_not_saved(tmp_path):
    with pytest.raises(RuntimeError, match="call fit"):
        save(MLP(2, [1]), tmp_path / "weights", preprocessing=Standardize())
    assert not list(tmp_path.iterdir())


def test_a_file_with_preprocessing_that_is_none_is_named(tmp_path):
    path, pipeline = tmp_path / "weights", Pipeline(Standardize()).fit(X)
    pipeline.steps[0].mean_ = np.zeros(3)
    save(MLP(2, [1]), path, preprocessing=pipeline)
    with pytest.raises(ValueError, match="weights: std_ in the state has shape"):
        load_preprocessing(path)


# ---- data -----------------------------------------------------------------------------------------------------


def test_nothing_is_learned_from_validation_and_test_data():
    data = split(wine(), rng=Random(0))
    spoilt = Split(data.training, *(part._replace(X=[[1e6] * 13 for _ in part.X]) for part in data[1:]))
    standardize, other = Standardize(), Standardize()
    done = preprocess(data, standardize)
    preprocess(spoilt, other)
    assert standardize.state_dict() == other.state_dict()
    assert np.mean(done.training.X, axis=0) == exact(0.0)
    assert np.abs(np.mean(done.test.X, axis=0)).max() > 0.01
    assert done.training.y == data.training.y and len(done.test.features) == len(data.test.features)


def test_the_names_of_the_features_follow_what_was_done_to_them():
    part = Dataset([[1.0, 0.5], [2.0, 0.6]], [0, 1], ["no", "yes"], ["kind", "size"])
    data = Split(part, part, part)
    assert preprocess(data, OneHot([0])).training.features == ["kind=1", "kind=2", "size"]
    assert preprocess(data, Standardize()).test.features == ["kind (standardised)", "size (standardised)"]
    assert preprocess(data, ZeroCenter()).test.features == ["kind (centred)", "size (centred)"]


def test_standardised_wine_is_learned_in_a_few_epochs_and_raw_wine_is_not():
    shares = {}
    for name, preprocessor in (("raw", Pipeline()), ("standardised", Standardize())):
        data = preprocess(split(wine(), rng=Random(0)), preprocessor)
        model = MLP(13, [8, 3], activation="tanh", rng=Random(1))
        optimizer = SGD(model.parameters(), 0.1)
        *_, last = Training(model, cross_entropy, optimizer, data.training, data.validation, epochs=6, rng=Random(2))
        shares[name] = last.validation_accuracy
    assert shares["raw"] < 0.6 and shares["standardised"] > 0.9


def test_breast_cancer_measures_differ_in_size_ten_thousandfold_until_they_are_standardised():
    rows = breast_cancer().X
    spread = np.std(rows, axis=0)
    assert spread.max() / spread.min() > 1e4
    assert np.std(Standardize().fit_transform(rows), axis=0) == exact(1.0)


def test_nn_loads_no_numpy_until_preprocessing_is_asked_for():
    before, after = printed(
        "import sys, nn; print('numpy' in sys.modules); nn.Standardize; print('numpy' in sys.modules)"
    ).split()
    assert (before, after) == ("False", "True")
