"""Tests that any container of examples is converted to plain numbers, by position, and checked once."""

import copy
import math
import pickle
from random import Random

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from nn import MLP, SGD, Training, mean_squared_error
from nn.data import Dataset, moons

ROWS, TARGETS = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [0.5, 1.5, 2.5]
SHUFFLED = [2, 0, 1]  # an index that is another order
RIGHT = Dataset(ROWS, TARGETS)


# ---- what is taken --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "X",
    [
        tuple(map(tuple, ROWS)),
        [range(1, 3), range(3, 5), range(5, 7)],
        (iter(x) for x in ROWS),
        np.array(ROWS),
        np.array(ROWS, dtype=np.float32),
        np.array(ROWS, dtype=np.uint8),
        np.array(ROWS, dtype=object),
        [np.array(x) for x in ROWS],
        pd.DataFrame(ROWS),
        pd.DataFrame(ROWS, index=SHUFFLED),
        pd.DataFrame({"a": [1, 3, 5], "b": [2.0, 4.0, 6.0]}, index=SHUFFLED),
        pd.DataFrame(ROWS, dtype="Int64"),
    ],
)
def test_examples_of_any_kind_become_lists_of_floats(X):
    data = Dataset(X, TARGETS)
    assert data.X == ROWS and {type(x) for row in data.X for x in row} == {float}
    assert {type(row) for row in data.X} == {list}


@pytest.mark.parametrize(
    "y",
    [
        tuple(TARGETS),
        np.array(TARGETS),
        np.array(TARGETS, dtype=np.float32),
        np.array(TARGETS)[:, None],
        [np.float64(y) for y in TARGETS],
        [np.array(y) for y in TARGETS],
        pd.Series(TARGETS, index=SHUFFLED),
        pd.DataFrame({"price": TARGETS}, index=SHUFFLED),
    ],
)
def test_targets_of_any_kind_are_taken_by_position(y):
    data = Dataset(ROWS, y)
    assert data == RIGHT and {type(t) for t in data.y} == {float}


@pytest.mark.parametrize(
    "y",
    [[0, 1, 1], (False, True, True), np.array([0, 1, 1], np.int8), np.array([[0], [1], [1]]), np.array([0, 1, 1]) > 0,
     pd.Series([0, 1, 1], index=SHUFFLED), pd.Series([0, 1, 1], dtype="Int64")],
)  # fmt: skip
def test_labels_become_ints(y):
    data = Dataset(ROWS, y)
    assert data.y == [0, 1, 1] and {type(t) for t in data.y} == {int}


@pytest.mark.parametrize(
    "y", [["dog", "cat", "dog"], np.array(["dog", "cat", "dog"]), pd.Series(["dog", "cat", "dog"], index=SHUFFLED),
          pd.Series(["dog", "cat", "dog"], dtype="category"), pd.DataFrame({"kind": ["dog", "cat", "dog"]})],
)  # fmt: skip
def test_texts_become_labels_of_classes_in_sorted_order(y):
    data = Dataset(ROWS, y)
    assert (data.y, data.classes) == ([1, 0, 1], ["cat", "dog"])
    assert Dataset(ROWS, y, classes=["dog", "cat"]).y == [0, 1, 0]
    with pytest.raises(ValueError, match="y contains the unknown class 'dog': the classes are 'cat', 'bird'"):
        Dataset(ROWS, y, classes=["cat", "bird"])


def test_targets_of_several_numbers_are_lists_of_floats():
    one_hot = pd.get_dummies(pd.Series(["a", "b", "a"]))
    assert Dataset(ROWS, one_hot).y == [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]
    assert Dataset(ROWS, np.array(ROWS, np.float32)).y == ROWS


def test_one_column_is_one_feature():
    for column in ([1, 2, 3], np.array([1, 2, 3]), pd.Series([1, 2, 3], index=SHUFFLED)):
        assert Dataset(column, TARGETS).X == [[1.0], [2.0], [3.0]]


def test_the_columns_of_a_frame_name_the_features_unless_they_are_given():
    frame = pd.DataFrame(ROWS, columns=["size", "age"])
    assert Dataset(frame, TARGETS).features == ["size", "age"]
    assert Dataset(frame, TARGETS, features=["a", "b"]).features == ["a", "b"]
    assert (RIGHT.features, RIGHT.classes, RIGHT.units) == ([], [], (0.0, 1.0))


def test_a_dataset_has_numbers_of_its_own_and_survives_copies():
    X, y = copy.deepcopy(ROWS), TARGETS.copy()
    data = Dataset(X, y)
    X[0][0], y[0] = 7.0, 7.0
    assert data == RIGHT == pickle.loads(pickle.dumps(data)) == copy.deepcopy(data)
    assert type(copy.deepcopy(data)) is Dataset


def test_a_shuffled_series_trains_as_its_list_does():
    data = moons(48, rng=Random(0))
    index = list(range(48))
    Random(1).shuffle(index)
    records = []
    for X, y in ((data.X, data.y), (pd.DataFrame(data.X, index=index), pd.Series(data.y, index=index))):
        model = MLP(2, [4, 1], rng=Random(2))
        run = Training(
            model, mean_squared_error, SGD(model.parameters(), 0.1), Dataset(X, y), epochs=2, rng=Random(3)
        )
        records.append([record.loss for record in run])
    assert records[0] == records[1]


# ---- what is refused ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("X", "y", "words"),
    [
        ([], [], "0 examples and 0 targets"),
        (ROWS, TARGETS[:2], "3 examples and 2 targets: pass one"),
        ([[1.0], [1.0, 2.0]], [0, 1], "example 2, counted from 1, has 2 numbers, but the first has 1"),
        ([[1.0, math.nan]], [0], "example 1, counted from 1, has nan at position 2: .*finite; correct it or drop"),
        (np.array([[1.0, -np.inf]]), [0], "has -inf at position 2"),
        ([[1.0], [10**400]], [0, 1], "example 2, counted from 1, has 10{9}.*0 at position 1"),
        ([[1.0, "2"]], [0], "example 1, counted from 1, has '2' at position 2: it must be a number"),
        ([[None, 2.0]], [0], "has None at position 1"),
        ([[1.0, 1j]], [0], "has 1j at position 2"),
        ([[[1.0], [2.0]]], [0], r"has \[1.0\] at position 1"),
        (pd.DataFrame({"a": [1.0, 2.0], "b": [1.0, None]}), [0, 1], r"example 2.* has nan at position 2 \(b\)"),
        (pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}), [0, 1], r"example 1.* has 'x' at position 2 \(b\)"),
        (pd.DataFrame({"day": pd.to_datetime(["2024-02-29"])}), [0], "datetime64.*days since the first one"),
        (pd.DataFrame({"a": [1], "day": pd.to_datetime(["2024-02-29"])}), [0], r"at position 2 \(day\)"),
        ([[1.0]], [np.array(0.5j)], "has 0.5j as its target"),
        (None, [0], "X = None: it must be a list, an array or a DataFrame"),
        (ROWS, "abc", "y = 'abc'"),
        (ROWS, [0.5, math.nan, 1.0], "example 2, counted from 1, has nan as its target"),
        (ROWS, ["a", "b", None], "example 3, counted from 1, has the target None: all targets must be strings"),
        (ROWS, [[1.0, 0.0], [0.0], [1.0, 0.0]], "example 2, counted from 1, has 1 numbers, but the first has 2"),
        (ROWS, [[1.0, 0.0], 1.0, [1.0, 0.0]], "has the target 1.0, but the first"),
        (ROWS, [[1.0, 0.0], [0.0, math.inf], [1.0, 0.0]], "example 2.*has inf at position 2 of its target"),
    ],
)
def test_what_no_network_learns_from_is_refused_and_its_place_named(X, y, words):
    with pytest.raises((ValueError, TypeError), match=words) as caught:
        Dataset(X, y)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("units", [(0.0, 0.0), (math.nan, 1.0), (0.0, -2.0)])
def test_units_are_a_finite_mean_and_a_positive_deviation(units):
    with pytest.raises(ValueError, match=r"mean = |deviation = "):
        Dataset(ROWS, TARGETS, units=units)


def test_large_finite_numbers_are_no_infinity():
    assert Dataset([[1e308, 1e308]], [1e308]).X == [[1e308, 1e308]]


def test_taking_examples_checks_nothing_again(monkeypatch):
    data = moons(10, rng=Random(0))
    monkeypatch.setattr(Dataset, "check", None)
    assert all(x is data.X[i] for x, i in zip(data.take([3, 1]).X, [3, 1], strict=True))


# ---- a DataFrame with its target ------------------------------------------------------------------------------

HOUSES = pd.DataFrame(
    {
        "size": [80, 120, 95],
        "colour": ["red", "blue", "red"],
        "garden": [True, False, True],
        "rooms": pd.Categorical([3, 5, 3]),
        "price": [1.5, 2.5, 3.5],
    },
    index=[5, 4, 3],
)


def test_a_frame_becomes_examples_with_texts_and_categories_one_hot():
    data = Dataset.from_frame(HOUSES, target="price")
    assert data.features == ["size", "colour=blue", "colour=red", "garden", "rooms=3", "rooms=5"]
    assert data.X[:2] == [[80.0, 0.0, 1.0, 1.0, 1.0, 0.0], [120.0, 1.0, 0.0, 0.0, 0.0, 1.0]]
    assert (data.y, data.classes) == ([1.5, 2.5, 3.5], [])


def test_the_target_of_a_frame_may_be_text_or_categories():
    data = Dataset.from_frame(HOUSES, "colour", features=["size", "garden"])
    assert (data.y, data.classes, data.features) == ([1, 0, 1], ["blue", "red"], ["size", "garden"])
    assert Dataset.from_frame(HOUSES, "rooms").classes == ["3", "5"]
    assert Dataset.from_frame(HOUSES, "garden").y == [1, 0, 1]


@pytest.mark.parametrize(
    ("frame", "target", "words"),
    [
        (HOUSES, "cost", "column 'cost' must occur once in .*'price'"),
        (HOUSES.assign(size=[80, None, 95]), "price", "row 2, counted from 1, has no value in column 'size'"),
        (HOUSES.assign(colour=["red", "red", None]), "price", "row 3, .* has no value in column 'colour'"),
        (HOUSES.assign(price=[None, 1.0, 2.0]), "price", "row 1, counted from 1, has no value in column 'price'"),
        (HOUSES.assign(size=[80, "large", 95]), "price", r"example 2, .* has 'large' at position 1 \(size\)"),
        (HOUSES.assign(size=pd.to_datetime(["2024-02-29"] * 3)), "price", r"has Timestamp.* at position 1 \(size\)"),
        (pd.concat([HOUSES, HOUSES], axis=1), "price", "must occur once"),
        (HOUSES[["price"]], "price", "has 0 numbers"),
    ],
)  # fmt: skip
def test_a_frame_is_refused_by_row_and_column(frame, target, words):
    with pytest.raises((ValueError, TypeError), match=words):
        Dataset.from_frame(frame, target)


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA])
def test_a_missing_target_among_texts_is_the_one_that_is_named(missing):
    with pytest.raises(TypeError, match=r"example 3, counted from 1, has the target .*: all targets must be strings"):
        Dataset([1, 2, 3, 4], pd.Series(["a", "b", missing, "a"], dtype=object))


def test_labels_are_those_of_the_classes():
    for y, classes in (([1, 2, 3], "abc"), ([1, 2, 1], "ab"), ([0, -1, 1], "abc"), ([0.5, 2.5, 0], "ab")):
        with pytest.raises(
            ValueError,
            match=rf"has the unknown label .*: {len(classes)} classes have the labels 0 … {len(classes) - 1}",
        ):
            Dataset([1, 2, 3], y, list(classes))
    assert Dataset([1, 2, 3], [-1, 1, 1], ["a", "b"]).y == [-1, 1, 1]


def test_ordered_categories_keep_their_order():
    sizes = pd.Categorical(["large", "small", "medium"], ["small", "medium", "large"], ordered=True)
    frame = pd.DataFrame({"x": [1, 2, 3], "size": sizes}, index=[2, 1, 0])
    for data in (Dataset([1, 2, 3], sizes), Dataset([1, 2, 3], frame["size"]), Dataset.from_frame(frame, "size")):
        assert (data.y, data.classes) == ([2, 0, 1], ["small", "medium", "large"])


def test_each_input_has_a_name_or_none_has():
    with pytest.raises(ValueError, match="1 feature names for examples of 2 features"):
        Dataset([[1, 2]], [0], features=["x"])
    assert Dataset([[1, 2]], [0], [10], [3, 4])[2:4] == (["10"], ["3", "4"])


def test_sparse_matrices_are_read_as_arrays():
    for kind in (scipy.sparse.csr_matrix, scipy.sparse.coo_matrix, scipy.sparse.csc_array):
        assert Dataset(kind([[0, 2], [3, 0]]), [0, 1]).X == [[0.0, 2.0], [3.0, 0.0]]
