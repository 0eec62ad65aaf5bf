"""Loads, makes and splits data sets, as plain lists of numbers: the lecture's toy sets and those of scikit-learn.

Nothing here knows a Value: a number becomes a node's parent only when a model takes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import accumulate, combinations
from math import cos, dist, floor, isfinite, pi, sin
from operator import sub
from random import Random
from reprlib import repr as short
from typing import Any, NamedTuple, Self, SupportsFloat, SupportsIndex

from nn.validation import checks_keywords, generator, in_range


class _Fields(NamedTuple):
    X: list[list[float]]
    y: list[Any]
    classes: list[str]
    features: list[str]
    units: tuple[float, float]


class Dataset(_Fields):
    """Examples and their targets; the constructor turns them into plain lists and checks them.

    X          the numbers of each example: lists, an array, a DataFrame; one column alone is one feature
    y          the target of each: a label, a number, or a list of numbers; texts become labels of ``classes``
    classes    their names; without them, the texts of y in sorted order, or in that of pandas' ordered categories
    features   the names of the numbers of an example; without them, those of a DataFrame's columns
    units      (mean, deviation) of a target that was standardised: mean + deviation · y is in its own units

    Raises ValueError and TypeError as ``check``, and ValueError for a text that is not in ``classes``.

    >>> data = Dataset([[0.5, 1], [1.5, 2]], ["dog", "cat"])
    >>> data.X, data.y, data.classes
    ([[0.5, 1.0], [1.5, 2.0]], [1, 0], ['cat', 'dog'])
    """

    __slots__ = ()

    def __new__(
        cls, X: Any, y: Any, classes: Sequence[str] = (), features: Sequence[str] = (),
        units: tuple[float, float] = (0.0, 1.0),
    ) -> Self:  # fmt: skip
        rows, targets, classes = rows_of("X", X), _listed("y", y), [*map(str, classes)]
        if all(isinstance(t, list) and len(t) == 1 for t in targets):  # a column
            targets = [t for [t] in targets]
        if targets and isinstance(targets[0], str):
            for i, t in enumerate(targets, 1):
                if not isinstance(t, str):
                    raise TypeError(f"example {i}, counted from 1, has the target {t!r} among texts")
            kind: Any = getattr(y, "dtype", None)
            ordered = [*map(str, kind.categories)] if getattr(kind, "ordered", False) else []
            classes = classes or ordered or sorted(set(targets))
            if unknown := sorted(set(targets) - set(classes)):
                raise ValueError(f"y holds the class {unknown[0]!r}: classes has {', '.join(map(repr, classes))}")
            targets = [classes.index(t) for t in targets]
        features = [*map(str, features if len(features) else getattr(X, "columns", ()))]
        if features and rows and len(features) != len(rows[0]):
            raise ValueError(f"{len(rows[0])} numbers of an example and {len(features)} features: name each, or none")
        units = in_range("mean", units[0]), in_range("deviation", units[1], above=0.0)
        return cls._make([rows, targets, classes, features, units]).check()

    @classmethod
    def from_frame(cls, frame: Any, target: str, features: Sequence[str] | None = None) -> Self:
        """The examples of a pandas DataFrame: numbers as they are, texts and categories one-hot, ``colour=red``.

        target     the column to learn: texts or categories are classes, numbers are taken as they are
        features   the columns to learn from; without them, all others

        Raises ValueError for a column that is not there or a missing value, and says where.
        """
        names = [name for name in frame.columns if name != target] if features is None else list(features)
        columns: dict[str, list[Any]] = {}
        for name in (target, *names):
            if list(frame.columns).count(name) != 1:
                raise ValueError(f"column {name!r}: the frame needs to have it once, and has {list(frame.columns)}")
            if (is_missing := frame[name].isna()).any():
                row, remedy = is_missing.argmax() + 1, "fill it in or leave the row out"
                raise ValueError(f"row {row}, counted from 1, has no value in column {name!r}: {remedy}")
            series = frame[name]
            series = series.cat.rename_categories(str) if series.dtype == "category" else series.astype(object)
            if name == target:
                y = series
            elif all(isinstance(cell, str) for cell in series):
                columns |= {f"{name}={text}": [*map(float, series == text)] for text in sorted(set(series))}
            else:
                columns[str(name)] = list(series)
        return cls(list(zip(*columns.values())) or [()] * len(y), y, features=list(columns))

    def agree(self, classes: Sequence[str]) -> None:
        """ValueError for a class that has another label among these."""
        for label, name in enumerate(self.classes):
            if name in classes and name not in classes[label : label + 1]:
                there = f"{classes.index(name)} of the training data"
                raise ValueError(f"{name!r} is the label {label} here and {there}: give both the same classes")

    def take(self, indices: Sequence[int]) -> Dataset:
        """The examples at these places, in this order."""
        return self._replace(X=[self.X[i] for i in indices], y=[self.y[i] for i in indices])

    def check(self, role: str = "") -> Self:
        """The data with floats for all numbers but labels. Raises ValueError or TypeError, which counts from 1.

        Refuses empty data, missing or surplus targets, rows of different widths, and numbers that are not finite.
        """
        if not self.X or len(self.X) != len(self.y):
            raise ValueError(f"{len(self.X)} {role}examples and {len(self.y)} labels: it needs as many, at least one")
        several, y, n = isinstance(self.y[0], list), self.y.copy(), len(self.classes)
        for i, t in enumerate(y):
            example = f"{role}example {i + 1}, counted from 1,"
            if isinstance(t, list) != several:
                raise TypeError(f"{example} has the target {t!r} and the first {self.y[0]!r}: all need to be alike")
            if several:
                y[i] = _floats(t, len(self.y[0]), example, "in place {} of its target")
            elif type(t) is not int:  # the protocol takes much longer
                y[i] = int(t) if isinstance(t, SupportsIndex) else _floats([t], 1, example, "as its target")[0]
            if n and not several and not (-1 if n == 2 else 0) <= y[i] < n:
                raise ValueError(f"{example} has the target {t!r}: of {n} classes, labels count from 0")
        return self._replace(X=check_rows(self.X, f"{role}example", self.features), y=y)


def rows_of(name: str, data: Any) -> list[list[Any]]:
    """Rows of lists, NumPy, pandas or PyTorch, by position; a single number is a row of one column."""
    return [row if isinstance(row, list) else [row] for row in _listed(name, data)]


def examples_of(X: Any) -> list[list[float]]:
    """The examples of lists, arrays or a DataFrame as rows of floats. Raises as ``check_rows``."""
    return check_rows(rows_of("X", X), "example")


def check_rows(rows: Sequence[list[Any]], called: str, columns: Sequence[str] = ()) -> list[list[float]]:
    """The rows as floats. ValueError or TypeError where the widths differ or an entry is not a finite number."""
    return [
        _floats(row, len(rows[0]), f"{called} {i}, counted from 1,", "in place {}", columns)
        for i, row in enumerate(rows, 1)
    ]


def one_hot(label: Any, classes: int | Sequence[Any]) -> list[float]:
    """1 for the class that the label names, 0 for the others.

    classes   how many there are, for labels from 0; or a list of them, where another label gives 0 for each

    Raises ValueError for a label that is not one of so many.

    >>> one_hot(1, classes=3), one_hot("red", ["blue", "red"])
    ([0.0, 1.0, 0.0], [0.0, 1.0])
    """
    if isinstance(classes, int):
        if label not in range(classes):
            raise ValueError(f"label {label!r}: {classes} classes take the labels 0 … {classes - 1}")
        classes = range(classes)
    return [float(label == name) for name in classes]


def _listed(name: str, data: Any) -> list[Any]:
    """Entries as plain lists, texts and numbers; TypeError for dates, and for data without entries."""
    for method in ("toarray", "to_numpy", "tolist"):
        if getattr(getattr(data, "dtype", None), "kind", "") in ("m", "M"):
            raise TypeError(f"{name} holds {data.dtype}: it needs numbers, such as the days since a first date")
        data = getattr(data, method, lambda data=data: data)()
    if isinstance(data, (str, bytes)) or not isinstance(data, Iterable):
        raise TypeError(f"{name} = {data!r}: it needs a list, an array or a DataFrame")
    entries = [getattr(entry, "tolist", lambda entry=entry: entry)() for entry in data]
    is_several = [isinstance(x, Iterable) and not isinstance(x, (str, bytes)) for x in entries]
    return [list(entry) if several else entry for entry, several in zip(entries, is_several)]


def _floats(x: list[Any], n: int, example: str, place: str, names: Sequence[str] = ()) -> list[float]:
    """The n numbers of an example as floats; raises for fewer, for more, and for one that is not finite."""
    if len(x) != n or not n:
        raise ValueError(f"{example} has {len(x)} numbers and the first {n}: all need as many, at least one")
    if {*map(type, x)} == {float} and isfinite(sum(x)):  # a shortcut: most of the time of a short run was here
        return x
    for k, x_k in enumerate(x, 1):
        where = place.format(f"{k} ({names[k - 1]})" if k <= len(names) else k)
        if not isinstance(x_k, SupportsFloat):
            raise TypeError(f"{example} holds {short(x_k)} {where}: it needs a number")
        with suppress(OverflowError):  # as of 10 ** 400
            if isfinite(x_k):
                continue
        raise ValueError(f"{example} holds {short(x_k)} {where}: every number needs to be finite; mend it or leave "
                         "the example out")  # fmt: skip
    return [*map(float, x)]


class Split(NamedTuple):
    """Training data moves the weights, validation data steers, test data is only reported."""

    training: Dataset
    validation: Dataset
    test: Dataset


@checks_keywords
def moons(n: int = 200, noise: float = 0.1, rng: Random | int | None = None) -> Dataset:
    """Two half circles of radius 1 that reach into each other; labels 0 (upper) and 1 (lower).

    >>> data = moons(4, noise=0.0, rng=Random(0))
    >>> data.y
    [0, 1, 0, 1]
    """
    rng = _checked(n, noise, rng)
    angles = [rng.uniform(0.0, pi) for _ in range(n)]
    points = [(1.0 - cos(t), 0.5 - sin(t)) if i % 2 else (cos(t), sin(t)) for i, t in enumerate(angles)]
    return _moved(points, noise, rng, ["upper", "lower"])


@checks_keywords
def circles(n: int = 200, noise: float = 0.1, rng: Random | int | None = None) -> Dataset:
    """A circle of radius ½ (label 0) inside one of radius 1 (label 1)."""
    rng = _checked(n, noise, rng)
    polar = [((0.5, 1.0)[i % 2], rng.uniform(0.0, 2.0 * pi)) for i in range(n)]
    return _moved([(r * cos(t), r * sin(t)) for r, t in polar], noise, rng, ["inner", "outer"])


@checks_keywords
def xor(n: int = 200, noise: float = 0.1, rng: Random | int | None = None) -> Dataset:
    """The square [−1, 1]² in quarters; label 1 where the two numbers have different signs."""
    rng = _checked(n, noise, rng)
    drawn = [(rng.uniform(0.0, 1.0), rng.uniform(0.0, 1.0), rng.choice((-1.0, 1.0))) for _ in range(n)]
    points = [(sign * x, sign * y * (-1.0 if i % 2 else 1.0)) for i, (x, y, sign) in enumerate(drawn)]
    return _moved(points, noise, rng, ["same signs", "different signs"])


@checks_keywords
def spirals(n: int = 200, noise: float = 0.1, rng: Random | int | None = None) -> Dataset:
    """Two arms that wind once and a half around the origin, one turned by half a circle."""
    rng = _checked(n, noise, rng)
    radii = [2.0 * rng.uniform(0.1, 1.0) for _ in range(n)]
    polar = [(r, 1.5 * pi * r + pi * (i % 2)) for i, r in enumerate(radii)]
    return _moved([(r * cos(t), r * sin(t)) for r, t in polar], noise, rng, ["first arm", "second arm"])


@checks_keywords
def sine(n: int = 200, noise: float = 0.1, rng: Random | int | None = None) -> Dataset:
    """A curve to fit: y = sin(x) plus normal noise, at random x from −π to π."""
    rng = _checked(n, noise, rng)
    X = [rng.uniform(-pi, pi) for _ in range(n)]
    return Dataset(X, [sin(x) + rng.gauss(0.0, noise) for x in X], features=["x"])


def _moved(points: list[tuple[float, float]], noise: float, rng: Random, classes: list[str]) -> Dataset:
    """Points in the plane, the classes in turn, each moved by normal noise of that standard deviation."""
    X = [[x + rng.gauss(0.0, noise), y + rng.gauss(0.0, noise)] for x, y in points]
    return Dataset(X, [i % 2 for i in range(len(X))], classes, ["x₁", "x₂"])


def _checked(n: int, noise: float, rng: Random | int | None) -> Random:
    """The generator, after a check of the other arguments."""
    in_range("n", n, at_least=2.0, what="the number of points")
    in_range("noise", noise, at_least=0.0)
    return generator(rng)


def digits() -> Dataset:
    """1,797 handwritten digits of 8 × 8 pixels, scaled from 0 … 16 to 0 … 1. Source: UCI, by scikit-learn."""
    data = _bundled("load_digits")
    return data._replace(X=[[pixel / 16.0 for pixel in row] for row in data.X])


def iris() -> Dataset:
    """150 flowers of three species by four lengths, in centimetres. Source: Fisher 1936, by scikit-learn."""
    return _bundled("load_iris")


def breast_cancer() -> Dataset:
    """569 tumours, malignant (0) or benign (1), by 30 measures of their cells' nuclei, of very different sizes.

    Source: Street, Wolberg & Mangasarian 1993 (UCI, Wisconsin diagnostic), by scikit-learn.
    """
    return _bundled("load_breast_cancer")


def wine() -> Dataset:
    """178 wines from three growers by 13 chemical measures, of very different sizes.

    Source: Forina et al. 1988 (UCI), by scikit-learn.
    """
    return _bundled("load_wine")


def diabetes() -> Dataset:
    """442 patients by ten measures; the target is how far diabetes has progressed in a year, from 25 to 346.

    Source: Efron, Hastie, Johnstone & Tibshirani 2004, by scikit-learn.
    """
    return _bundled("load_diabetes", scaled=False)


def _bundled(loader: str, **options: bool) -> Dataset:
    try:
        from sklearn import datasets
    except ImportError:
        raise ImportError("this data set comes with scikit-learn: pip install 'chainrule[datasets]'") from None
    bunch = getattr(datasets, loader)(**options)
    classes, features = map(str, bunch.get("target_names", ())), map(str, bunch.feature_names)
    return Dataset(bunch.data, bunch.target, list(classes), list(features))


@checks_keywords
def split(
    data: Dataset, fractions: tuple[float, float, float] = (0.6, 0.2, 0.2), rng: Random | int | None = None
) -> Split:
    """Training, validation and test data at random, each class in the same proportions (stratified).

    The sizes are the fractions of all examples, and of each class to less than one example, rounded by the largest
    remainder. Targets that are numbers, and no labels, are split at random. A seed repeats a split.
    Raises ValueError if the fractions do not sum to 1, or a part would be left without any example.

    >>> parts = split(moons(100, rng=Random(0)), rng=Random(0))
    >>> [(len(part.y), sum(part.y)) for part in parts]
    [(60, 30), (20, 10), (20, 10)]
    """
    if len(fractions) != 3 or not (min(fractions) >= 0.0 and abs(sum(fractions) - 1.0) <= 1e-9):
        raise ValueError(f"fractions {fractions}: it needs three, at least 0 and of sum 1")
    rng = generator(rng)
    members: dict[Any, list[int]] = {}
    are_labels = len(data.classes) > 0 or all(y in (-1, 0, 1) for y in data.y)
    for i, y in enumerate(data.y):
        kind = None if isinstance(y, float) and not are_labels else tuple(y) if isinstance(y, list) else y
        members.setdefault(kind, []).append(i)
    classes = [found for _, found in sorted(members.items())]
    parts: tuple[list[int], list[int], list[int]] = ([], [], [])
    for found, counts in zip(classes, _counts([*map(len, classes)], fractions, rng)):
        rng.shuffle(found)
        for part, end, count in zip(parts, accumulate(counts), counts):
            part += found[end - count : end]
    for name, fraction, part in zip(Split._fields, fractions, parts):
        rng.shuffle(part)
        if fraction and not part:
            raise ValueError(f"{len(data.y)} examples leave none for {name}: it needs more data or other fractions")
    return Split(*(data.take(part) for part in parts))


def _counts(sizes: Sequence[int], fractions: Sequence[float], rng: Random) -> list[list[int]]:
    """How many of each class go to each part: its quota, size · fraction, rounded up or down.

    A part's total is its own quota, rounded by the largest remainder. Where the classes do not add up to it, they are
    rounded in turn, the smallest first and equal ones at random, each as near to its quotas as the parts allow: none
    of them gets a whole example more or less than what it is due. One rounding always keeps to that, which gives to
    those that are due most, and after the last class all parts are due 0.
    """
    # of 0.7 · 10 and the like, no digit is left that would round 7 up
    *quotas, all_quotas = ([round(n * fraction, 9) for fraction in fractions] for n in (*sizes, sum(sizes)))
    counts, totals = [_roundings(quota)[0] for quota in quotas], _roundings(all_quotas)[0]
    if [*map(sum, zip(*counts))] == totals:
        return counts
    due = [total - quota for total, quota in zip(totals, all_quotas)]
    order = list(range(len(sizes)))
    rng.shuffle(order)
    for c in sorted(order, key=sizes.__getitem__):
        due = [d + quota for d, quota in zip(due, quotas[c])]
        # 1 up to the rounding of the quotas
        counts[c] = min(_roundings(quotas[c]), key=lambda found: max(1.0 - 1e-6, *map(abs, map(sub, due, found))))
        due = [*map(sub, due, counts[c])]
    return counts


def _roundings(quotas: list[float]) -> list[list[int]]:
    """The quotas rounded up or down to the same sum, in every way, the nearest first."""
    low = [*map(floor, quotas)]
    ups = combinations([p for p in range(3) if quotas[p] > low[p]], round(sum(quotas)) - sum(low))
    found = [[n + (p in up) for p, n in enumerate(low)] for up in ups]
    return sorted(found, key=lambda counts: round(dist(counts, quotas), 9))


def batches(n: int, size: int, rng: Random | int | None = None, least: int = 1) -> Iterator[list[int]]:
    """The numbers 0 … n − 1 in a fresh random order, ``size`` at a time; the last batch may be smaller.

    least   what is left over joins the batch before, where it would be a smaller batch than this

    >>> [sorted(batch) for batch in batches(5, 5, Random(0))]
    [[0, 1, 2, 3, 4]]
    >>> [len(batch) for batch in batches(7, 3, Random(0), least=2)]
    [3, 4]
    """
    order = list(range(n))
    count = count_batches(n, size, least)
    generator(rng).shuffle(order)
    for i in range(count):
        yield order[i * size :] if i == count - 1 else order[i * size : (i + 1) * size]


def count_batches(n: int, size: int, least: int = 1) -> int:
    """How many batches those are: ⌈n/size⌉, and one less where what is left over joins the batch before."""
    if size < 1:
        raise ValueError(f"batch_size = {size}: it needs to be at least 1")
    return max(n // size + (n % size >= least and n % size > 0), min(n, 1))


BY_NAME: dict[str, Callable[..., Dataset]] = {f.__name__: f for f in (circles, moons, sine, spirals, xor)}
BUNDLED: dict[str, Callable[[], Dataset]] = {f.__name__: f for f in (breast_cancer, diabetes, digits, iris, wine)}
