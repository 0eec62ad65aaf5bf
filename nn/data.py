"""Data sets as plain lists of numbers: loads scikit-learn's, generates toy data, and splits and batches them.

Numbers become nodes only when a model reads them, so this module does not use Values.
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
    """Examples and their targets, which the constructor converts to plain lists and validates.

    X          the numbers of each example: lists, an array or a DataFrame; a flat sequence is a single feature
    y          the target of each example: a label, a number or a list of numbers; strings become labels
    classes    names of the classes; by default the strings in y, sorted or in the order of a pandas categorical
    features   names of the numbers in an example; by default the columns of a DataFrame
    units      (mean, deviation) of a standardised target: mean + deviation · y is in the original units

    Raises ValueError and TypeError as ``check`` does, and ValueError for a string that is not in ``classes``.

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
                    raise TypeError(f"example {i}, counted from 1, has the target {t!r}: all targets must be strings")
            kind: Any = getattr(y, "dtype", None)
            ordered = [*map(str, kind.categories)] if getattr(kind, "ordered", False) else []
            classes = classes or ordered or sorted(set(targets))
            if unknown := sorted(set(targets) - set(classes)):
                raise ValueError(
                    f"y contains the unknown class {unknown[0]!r}: the classes are {', '.join(map(repr, classes))}"
                )
            targets = [classes.index(t) for t in targets]
        features = [*map(str, features if len(features) else getattr(X, "columns", ()))]
        if features and rows and len(features) != len(rows[0]):
            found = f"{len(features)} feature names for examples of {len(rows[0])} features"
            raise ValueError(f"{found}: pass one name per feature, or none")
        units = in_range("mean", units[0]), in_range("deviation", units[1], above=0.0)
        return cls._make([rows, targets, classes, features, units]).check()

    @classmethod
    def from_frame(cls, frame: Any, target: str, features: Sequence[str] | None = None) -> Self:
        """Create a data set from a pandas DataFrame; columns of strings become one-hot, as in ``colour=red``.

        target     the column to predict; strings and categories are classes, numbers remain as they are
        features   the columns to learn from; by default all others

        Raises ValueError for a missing or duplicate column, and for a missing value, whose row and column it names.
        """
        names = [name for name in frame.columns if name != target] if features is None else list(features)
        columns: dict[str, list[Any]] = {}
        for name in (target, *names):
            if list(frame.columns).count(name) != 1:
                raise ValueError(f"column {name!r} must occur once in the columns {list(frame.columns)}")
            if (is_missing := frame[name].isna()).any():
                row, remedy = is_missing.argmax() + 1, "fill it in or drop the row"
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
        """Raise ValueError if a class has a different label in ``classes``, those of the training data."""
        for label, name in enumerate(self.classes):
            if name in classes and name not in classes[label : label + 1]:
                found = f"{name!r} has the label {label} here, but {classes.index(name)} in the training data"
                raise ValueError(f"{found}: pass the same classes to both")

    def take(self, indices: Sequence[int]) -> Dataset:
        """Return the examples with these indices, in this order."""
        return self._replace(X=[self.X[i] for i in indices], y=[self.y[i] for i in indices])

    def check(self, role: str = "") -> Self:
        """Return the data with all numbers as floats, except for labels.

        Raises ValueError or TypeError for empty data, missing or surplus targets, rows of different lengths, and
        numbers that are not finite.
        """
        if not self.X or len(self.X) != len(self.y):
            found = f"{len(self.X)} {role}examples and {len(self.y)} targets"
            raise ValueError(f"{found}: pass one target per example, and at least one example")
        several, y, n = isinstance(self.y[0], list), self.y.copy(), len(self.classes)
        for i, t in enumerate(y):
            example = f"{role}example {i + 1}, counted from 1,"
            if isinstance(t, list) != several:
                found = f"{example} has the target {t!r}, but the first has {self.y[0]!r}"
                raise TypeError(f"{found}: all targets must be numbers, or all lists")
            if several:
                y[i] = _floats(t, len(self.y[0]), example, "at position {} of its target")
            elif type(t) is not int:  # a shortcut for the most common type
                y[i] = int(t) if isinstance(t, SupportsIndex) else _floats([t], 1, example, "as its target")[0]
            if n and not several and not (-1 if n == 2 else 0) <= y[i] < n:
                raise ValueError(f"{example} has the unknown label {t!r}: {n} classes have the labels 0 … {n - 1}")
        return self._replace(X=check_rows(self.X, f"{role}example", self.features), y=y)


def rows_of(name: str, data: Any) -> list[list[Any]]:
    """Return data from lists, NumPy, pandas or PyTorch as rows; a single number becomes a row of one column."""
    return [row if isinstance(row, list) else [row] for row in _listed(name, data)]


def examples_of(X: Any) -> list[list[float]]:
    """Return the examples in lists, arrays or a DataFrame as rows of floats. Raises the errors of ``check_rows``."""
    return check_rows(rows_of("X", X), "example")


def check_rows(rows: Sequence[list[Any]], called: str, columns: Sequence[str] = ()) -> list[list[float]]:
    """Return the rows as floats. Raises ValueError or TypeError unless they are finite and of equal length."""
    return [
        _floats(row, len(rows[0]), f"{called} {i}, counted from 1,", "at position {}", columns)
        for i, row in enumerate(rows, 1)
    ]


def one_hot(label: Any, classes: int | Sequence[Any]) -> list[float]:
    """Return 1 for the class with this label and 0 for the others.

    classes   number of classes with the labels 0, 1, …; or a list of labels, where an unknown label gives zeros

    Raises ValueError for a label outside 0 … classes − 1.

    >>> one_hot(1, classes=3), one_hot("red", ["blue", "red"])
    ([0.0, 1.0, 0.0], [0.0, 1.0])
    """
    if isinstance(classes, int):
        if label not in range(classes):
            raise ValueError(f"label {label!r} is out of range: {classes} classes have the labels 0 … {classes - 1}")
        classes = range(classes)
    return [float(label == name) for name in classes]


def _listed(name: str, data: Any) -> list[Any]:
    """Return the entries as plain lists, strings and numbers. Raises TypeError for dates and for scalars."""
    for method in ("toarray", "to_numpy", "tolist"):
        if getattr(getattr(data, "dtype", None), "kind", "") in ("m", "M"):
            raise TypeError(
                f"{name} contains {data.dtype}: convert dates to numbers, such as days since the first one"
            )
        data = getattr(data, method, lambda data=data: data)()
    if isinstance(data, (str, bytes)) or not isinstance(data, Iterable):
        raise TypeError(f"{name} = {data!r}: it must be a list, an array or a DataFrame")
    entries = [getattr(entry, "tolist", lambda entry=entry: entry)() for entry in data]
    is_several = [isinstance(x, Iterable) and not isinstance(x, (str, bytes)) for x in entries]
    return [list(entry) if several else entry for entry, several in zip(entries, is_several)]


def _floats(x: list[Any], n: int, example: str, place: str, names: Sequence[str] = ()) -> list[float]:
    """Return the n numbers of an example as floats. Raises unless there are n, all of them finite."""
    if len(x) != n or not n:
        raise ValueError(
            f"{example} has {len(x)} numbers, but the first has {n}: all must have the same length, at least 1"
        )
    if {*map(type, x)} == {float} and isfinite(sum(x)):  # a shortcut: the loop below dominated short runs
        return x
    for k, x_k in enumerate(x, 1):
        where = place.format(f"{k} ({names[k - 1]})" if k <= len(names) else k)
        if not isinstance(x_k, SupportsFloat):
            raise TypeError(f"{example} has {short(x_k)} {where}: it must be a number")
        with suppress(OverflowError):  # for 10 ** 400
            if isfinite(x_k):
                continue
        raise ValueError(f"{example} has {short(x_k)} {where}: it must be finite; correct it or drop the example")
    return [*map(float, x)]


class Split(NamedTuple):
    """Training data to fit the weights, validation data to choose between models, and test data to report."""

    training: Dataset
    validation: Dataset
    test: Dataset


@checks_keywords
def moons(n: int = 200, noise: float = 0.1, rng: Random | int | None = None) -> Dataset:
    """Return two interleaving half circles of radius 1 with the labels 0 (upper) and 1 (lower).

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
    """Return a circle of radius ½ (label 0) inside a circle of radius 1 (label 1)."""
    rng = _checked(n, noise, rng)
    polar = [((0.5, 1.0)[i % 2], rng.uniform(0.0, 2.0 * pi)) for i in range(n)]
    return _moved([(r * cos(t), r * sin(t)) for r, t in polar], noise, rng, ["inner", "outer"])


@checks_keywords
def xor(n: int = 200, noise: float = 0.1, rng: Random | int | None = None) -> Dataset:
    """Return points in the square [−1, 1]² with the label 1 where the coordinates have different signs, else 0."""
    rng = _checked(n, noise, rng)
    drawn = [(rng.uniform(0.0, 1.0), rng.uniform(0.0, 1.0), rng.choice((-1.0, 1.0))) for _ in range(n)]
    points = [(sign * x, sign * y * (-1.0 if i % 2 else 1.0)) for i, (x, y, sign) in enumerate(drawn)]
    return _moved(points, noise, rng, ["same signs", "different signs"])


@checks_keywords
def spirals(n: int = 200, noise: float = 0.1, rng: Random | int | None = None) -> Dataset:
    """Return two spiral arms, rotated by 180° from each other, with one and a half turns around the origin."""
    rng = _checked(n, noise, rng)
    radii = [2.0 * rng.uniform(0.1, 1.0) for _ in range(n)]
    polar = [(r, 1.5 * pi * r + pi * (i % 2)) for i, r in enumerate(radii)]
    return _moved([(r * cos(t), r * sin(t)) for r, t in polar], noise, rng, ["first arm", "second arm"])


@checks_keywords
def sine(n: int = 200, noise: float = 0.1, rng: Random | int | None = None) -> Dataset:
    """Return a regression problem: y = sin(x) plus normal noise, for random x from −π to π."""
    rng = _checked(n, noise, rng)
    X = [rng.uniform(-pi, pi) for _ in range(n)]
    return Dataset(X, [sin(x) + rng.gauss(0.0, noise) for x in X], features=["x"])


def _moved(points: list[tuple[float, float]], noise: float, rng: Random, classes: list[str]) -> Dataset:
    """Return points in the plane with alternating classes, after adding normal noise."""
    X = [[x + rng.gauss(0.0, noise), y + rng.gauss(0.0, noise)] for x, y in points]
    return Dataset(X, [i % 2 for i in range(len(X))], classes, ["x₁", "x₂"])


def _checked(n: int, noise: float, rng: Random | int | None) -> Random:
    """Return the generator after validating the other arguments."""
    in_range("n", n, at_least=2.0, what="the number of points")
    in_range("noise", noise, at_least=0.0)
    return generator(rng)


def digits() -> Dataset:
    """Load 1,797 handwritten digits of 8 × 8 pixels, scaled from 0 … 16 to 0 … 1. Source: UCI, from scikit-learn."""
    data = _bundled("load_digits")
    return data._replace(X=[[pixel / 16.0 for pixel in row] for row in data.X])


def iris() -> Dataset:
    """Load four lengths in centimetres of 150 irises of three species. Source: Fisher 1936, from scikit-learn."""
    return _bundled("load_iris")


def breast_cancer() -> Dataset:
    """Load 30 measurements, on very different scales, of cell nuclei from 569 malignant (0) or benign (1) tumours.

    Source: Street, Wolberg & Mangasarian 1993 (UCI, Wisconsin diagnostic), from scikit-learn.
    """
    return _bundled("load_breast_cancer")


def wine() -> Dataset:
    """Load 13 chemical measurements, on very different scales, of 178 wines from three growers.

    Source: Forina et al. 1988 (UCI), from scikit-learn.
    """
    return _bundled("load_wine")


def diabetes() -> Dataset:
    """Load ten measurements of 442 patients; the target is the progression of diabetes in one year, from 25 to 346.

    Source: Efron, Hastie, Johnstone & Tibshirani 2004, from scikit-learn.
    """
    return _bundled("load_diabetes", scaled=False)


def _bundled(loader: str, **options: bool) -> Dataset:
    try:
        from sklearn import datasets
    except ImportError:
        raise ImportError("this data set needs scikit-learn: pip install 'chainrule[datasets]'") from None
    bunch = getattr(datasets, loader)(**options)
    classes, features = map(str, bunch.get("target_names", ())), map(str, bunch.feature_names)
    return Dataset(bunch.data, bunch.target, list(classes), list(features))


@checks_keywords
def split(
    data: Dataset, fractions: tuple[float, float, float] = (0.6, 0.2, 0.2), rng: Random | int | None = None
) -> Split:
    """Split data at random into training, validation and test data, stratified by class.

    The sizes are rounded by the largest remainder, and each class deviates from its fractions by less than one
    example. Numeric targets are not stratified. Raises ValueError if the fractions do not sum to 1, and if a part
    would be empty.

    >>> parts = split(moons(100, rng=Random(0)), rng=Random(0))
    >>> [(len(part.y), sum(part.y)) for part in parts]
    [(60, 30), (20, 10), (20, 10)]
    """
    if len(fractions) != 3 or not (min(fractions) >= 0.0 and abs(sum(fractions) - 1.0) <= 1e-9):
        raise ValueError(f"fractions {fractions}: pass three numbers ≥ 0 that sum to 1")
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
            raise ValueError(
                f"{len(data.y)} examples are too few for {name} data: use more examples, or different fractions"
            )
    return Split(*(data.take(part) for part in parts))


def _counts(sizes: Sequence[int], fractions: Sequence[float], rng: Random) -> list[list[int]]:
    """Return for each class how many of its examples go to each part: its quotas size · fraction, rounded up or down.

    The total of a part is its quota of all examples, rounded by the largest remainder. If rounding each class
    independently does not give these totals, the classes are rounded one after another, the smallest first and equal
    ones in random order. Each rounding keeps every part within one example of the sum of its quotas so far; rounding
    up the parts that are furthest behind always achieves this, and after the last class the totals are met.
    """
    # rounded, so that 0.7 · 10 is 7 and not slightly more
    *quotas, all_quotas = ([round(n * fraction, 9) for fraction in fractions] for n in (*sizes, sum(sizes)))
    counts, totals = [_roundings(quota)[0] for quota in quotas], _roundings(all_quotas)[0]
    if [*map(sum, zip(*counts))] == totals:
        return counts
    due = [total - quota for total, quota in zip(totals, all_quotas)]
    order = list(range(len(sizes)))
    rng.shuffle(order)
    for c in sorted(order, key=sizes.__getitem__):
        due = [d + quota for d, quota in zip(due, quotas[c])]
        # differences below 1 are equally good, up to the rounding of the quotas
        counts[c] = min(_roundings(quotas[c]), key=lambda found: max(1.0 - 1e-6, *map(abs, map(sub, due, found))))
        due = [*map(sub, due, counts[c])]
    return counts


def _roundings(quotas: list[float]) -> list[list[int]]:
    """Return all ways to round the quotas up or down that keep their sum, nearest first."""
    low = [*map(floor, quotas)]
    ups = combinations([p for p in range(3) if quotas[p] > low[p]], round(sum(quotas)) - sum(low))
    found = [[n + (p in up) for p, n in enumerate(low)] for up in ups]
    return sorted(found, key=lambda counts: round(dist(counts, quotas), 9))


def batches(n: int, size: int, rng: Random | int | None = None, least: int = 1) -> Iterator[list[int]]:
    """Yield the numbers 0 … n − 1 in random order, in batches of ``size``, of which the last may be smaller.

    least   if fewer examples than this are left over, they join the previous batch

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
    """Return the number of batches: ⌈n/size⌉, or one less if the leftover joins the previous batch."""
    if size < 1:
        raise ValueError(f"batch_size = {size}: it must be at least 1")
    return max(n // size + (n % size >= least and n % size > 0), min(n, 1))


BY_NAME: dict[str, Callable[..., Dataset]] = {f.__name__: f for f in (circles, moons, sine, spirals, xor)}
BUNDLED: dict[str, Callable[[], Dataset]] = {f.__name__: f for f in (breast_cancer, diabetes, digits, iris, wine)}
