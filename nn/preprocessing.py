"""Preprocesses inputs with statistics of the training data alone: centring, scaling, PCA, whitening, one-hot coding.

∂L/∂w is δ times an input: where all inputs are positive, all weights of a unit are pushed the same way, and where one
input is a thousand times another, so are its derivatives. All this happens before the first node is made, so nothing
here knows a Value. Examples are rows, lists of numbers or a NumPy array; lists of floats come back.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from functools import reduce
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nn.data import Split, examples_of, one_hot
from nn.validation import SuggestsNames, in_range, whole

Array = NDArray[np.float64]
Rows = list[list[float]]


class Preprocessor(SuggestsNames, ABC):
    """Learns from training data with ``fit``, then maps any data with ``transform``, and back.

    All raise ValueError for rows that are ragged, of another width or not finite, and RuntimeError before ``fit``. A
    ``fit`` or ``load_state_dict`` that fails changes nothing.

    A subclass learns arrays, attributes with names that end in ``_``. It lists them in ``shapes`` with a letter for
    each length; the first has length n, the width of a row.
    """

    kind: ClassVar[str] = ""  # its name on the command line and in a state
    shapes: ClassVar[dict[str, str]]
    mark: ClassVar[str] = ""  # after the name of a feature

    @abstractmethod
    def learn(self, X: Array) -> None:
        """Set the attributes of ``shapes`` from X, of shape (m, n) with m ≥ 1 and finite."""

    @abstractmethod
    def forward(self, X: Array) -> Array:
        """``transform`` on an array."""

    @abstractmethod
    def backward(self, Z: Array) -> Array:
        """``inverse_transform`` on an array."""

    def fit(self, X: ArrayLike) -> Self:
        """Learn from the rows of X, the training data; returns self."""
        rows, fitted = np.array(examples_of(X)), deepcopy(self)
        if not len(rows):
            raise ValueError(f"{self!r} cannot learn from no examples: it needs at least one")
        with np.errstate(all="ignore"):  # an overflow shows in the result
            fitted.learn(rows)
        state = fitted.state_dict()
        if too_large := [name for name, learned in state.items() if not np.isfinite(learned).all()]:
            raise ValueError(f"{self!r} cannot learn from numbers whose {too_large[0]} overflows: scale them down")
        self.load_state_dict(state)
        return self

    def transform(self, X: ArrayLike) -> Rows:
        """Map each row to what the model will see."""
        return self._checked(self.forward, X, self._width())

    def inverse_transform(self, X: ArrayLike) -> Rows:
        """Map each transformed row back, up to what was left out."""
        return self._checked(self.backward, X, len(self.names([""] * self._width())))

    def fit_transform(self, X: ArrayLike) -> Rows:
        """``fit(X)``, then ``transform(X)``."""
        return self.fit(X).transform(X)

    def names(self, features: Sequence[str]) -> list[str]:
        """The names of the numbers of a transformed row, given those of an original row."""
        return [feature + self.mark for feature in features]

    def state_dict(self) -> dict[str, Any]:
        """What was learned, as floats in lists, by name. RuntimeError before ``fit``."""
        self._width()
        return {name: getattr(self, name).tolist() for name in self.shapes}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take what was learned from a ``state_dict``, of lists or arrays. ValueError where it does not fit."""
        if set(state) != set(self.shapes):
            raise ValueError(f"{self!r} needs {', '.join(self.shapes)}: the state has {', '.join(state) or 'none'}")
        arrays = {name: np.array(state[name], dtype=np.float64) for name in self.shapes}
        lengths: dict[str, int] = {}
        for (name, array), letters in zip(arrays.items(), self.shapes.values()):
            expected = [lengths.setdefault(letter, length) for letter, length in zip(letters, array.shape)]
            if array.ndim != len(letters) or [*array.shape] != expected or not np.isfinite(array).all():
                raise ValueError(f"{name} of the shape {array.shape} does not fit {self!r}, or is not finite")
        vars(self).update(arrays)

    def _width(self) -> int:
        """How many numbers a row has; 0 where any will do."""
        first = next(iter(self.shapes))
        if first not in vars(self):
            raise RuntimeError(f"{self!r} has learned nothing yet: call fit with the training data first")
        return len(getattr(self, first))

    def _checked(self, function: Callable[[Array], Array], X: ArrayLike, width: int) -> Rows:
        rows = examples_of(X)
        if not rows:
            return []
        if width and len(rows[0]) != width:
            remedy = f"it needs {width}, as when it was fitted; for one example give [x]"
            raise ValueError(f"{self!r} got rows of {len(rows[0])} numbers: {remedy}")
        with np.errstate(all="ignore"):
            result = function(np.array(rows))
        if len(too_large := np.argwhere(~np.isfinite(result))):
            i, k = too_large[0] + 1
            raise ValueError(f"{self!r} makes a number beyond the largest float, 1.8e308, of row {i}, column {k}")
        mapped: Rows = result.tolist()
        return mapped

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Affine(Preprocessor, ABC):
    """z = V (x − mean) / s, without what a subclass does not learn."""

    mean_: Array  # of each feature
    components_: Array | None = None  # V, of shape (k, n)

    def scale(self) -> Array | float:
        """s, which each number of a transformed row is divided by."""
        return 1.0

    def learn(self, X: Array) -> None:
        self.mean_ = X.mean(axis=0)

    def forward(self, X: Array) -> Array:
        centred = X - self.mean_
        return (centred if self.components_ is None else centred @ self.components_.T) / self.scale()

    def backward(self, Z: Array) -> Array:
        turned = Z * self.scale()
        return (turned if self.components_ is None else turned @ self.components_) + self.mean_


class ZeroCenter(Affine):
    """x − mean: every feature has the mean 0 over the training data.

    >>> ZeroCenter().fit_transform([[2.0, 0.0], [4.0, 2.0], [6.0, 10.0]])
    [[-2.0, -4.0], [0.0, -2.0], [2.0, 6.0]]
    """

    kind = "zero_center"
    shapes = {"mean_": "n"}  # noqa: RUF012  (declared as a class variable above)
    mark = " (centred)"


class Standardize(Affine):
    """(x − mean) / std: every feature has mean 0 and standard deviation 1 over the training data.

    >>> standardize = Standardize().fit([[2.0, 7.0], [4.0, 7.0], [6.0, 7.0]])
    >>> standardize.std_.round(3).tolist(), standardize.transform([[4.0, 8.0]])
    ([1.633, 0.0], [[0.0, 1.0]])
    """

    kind = "standardize"
    shapes = {"mean_": "n", "std_": "n"}  # noqa: RUF012
    mark = " (standardised)"
    std_: Array  # with 1/m; 0 for a feature that is constant, up to rounding: it is only centred

    def learn(self, X: Array) -> None:
        mean = X.mean(axis=0)
        farthest = np.abs(X - mean).max(axis=0)
        unit = np.where(farthest > 0.0, farthest, 1.0)  # the squares of very small numbers would all be 0
        std = unit * np.sqrt((((X - mean) / unit) ** 2).mean(axis=0))
        # the mean of numbers that are equal, or all but equal, is rounded, and their deviation from it is not quite 0
        rounding = 8.0 * np.finfo(np.float64).eps * np.abs(mean)
        is_constant = (X.max(axis=0) == X.min(axis=0)) | (np.isfinite(std) & (std <= rounding))
        self.mean_, self.std_ = np.where(is_constant, X[0], mean), np.where(is_constant, 0.0, std)

    def scale(self) -> Array:
        return np.where(self.std_, self.std_, 1.0)


class PCA(Affine):
    """z = V (x − mean): the data turned so that its features are uncorrelated, the one that varies most first.

    The rows of V are the eigenvectors of the covariance C = 1/m Σ (x − mean)(x − mean)ᵀ.

    components   how many to keep; without it, all n

    >>> pca = PCA().fit([[2.0, 0.0], [4.0, 2.0], [6.0, 10.0]])
    >>> pca.eigenvalues_.round(6).tolist()
    [21.080333, 0.253]
    """

    kind = "pca"
    shapes = {"mean_": "n", "components_": "kn", "eigenvalues_": "k"}  # noqa: RUF012
    components_: Array  # V, of shape (k, n); the first of the largest entries in size of each row is positive
    eigenvalues_: Array  # the variance along each, in falling order

    def __init__(self, components: int | None = None) -> None:
        self.components = None if components is None else whole("components", components)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'' if self.components is None else self.components})"

    def learn(self, X: Array) -> None:
        if self.components is not None and self.components > X.shape[1]:
            raise ValueError(f"components = {self.components}: rows of {X.shape[1]} numbers have at most that many")
        super().learn(X)
        covariance = (X - self.mean_).T @ (X - self.mean_) / len(X)
        if not np.isfinite(covariance).all():
            raise ValueError("the numbers are so large that their covariance overflows: scale them down first")
        eigenvalues, columns = np.linalg.eigh(covariance)
        vectors = columns.T[::-1][: self.components]
        sizes = np.abs(vectors)  # of which rounding makes any one the largest where several are equal
        first = (sizes >= (1.0 - 1e-6) * sizes.max(axis=1, keepdims=True)).argmax(axis=1)
        signs = np.sign(vectors[np.arange(len(vectors)), first])  # eigenvectors have none of their own
        self.components_ = vectors * signs[:, None]
        # rounding makes eigenvalues of 0 a little negative
        self.eigenvalues_ = np.maximum(eigenvalues[::-1][: self.components], 0.0)

    def names(self, features: Sequence[str]) -> list[str]:
        return [f"component {k + 1}" for k in range(len(self.components_))]


class Whiten(PCA):
    """z = V (x − mean) / √λ: the data turned as by PCA, and each direction scaled to variance 1.

    components   how many to keep; without it, all n
    floor        a λ below floor · λ₁ counts as that much: it is noise, and is not blown up to the size of the rest

    >>> z = Whiten().fit_transform([[2.0, 0.0], [4.0, 2.0], [6.0, 10.0]])
    >>> (np.array(z).T @ np.array(z) / 3).round(9).tolist()
    [[1.0, -0.0], [-0.0, 1.0]]
    """

    kind = "whiten"
    shapes = {**PCA.shapes, "scales_": "k"}  # noqa: RUF012
    scales_: Array  # what each direction is divided by: √max(λ, floor · λ₁), and 1 where that is 0

    def __init__(self, components: int | None = None, floor: float = 1e-5) -> None:
        super().__init__(components)
        self.floor = in_range("floor", floor, at_least=0.0, at_most=1.0, what="a share of the largest eigenvalue")

    def learn(self, X: Array) -> None:
        super().learn(X)
        scales = np.sqrt(np.maximum(self.eigenvalues_, self.floor * self.eigenvalues_[0]))
        self.scales_ = np.where(scales > 0.0, scales, 1.0)

    def scale(self) -> Array:
        return self.scales_


class OneHot(Preprocessor):
    """A feature that names a category becomes one feature for each category: 1 for its own, 0 for the others.

    columns   which features, counted from 0; the others stay as they are

    ``transform`` raises ValueError, which says where, for a category that the training data did not have.
    ``inverse_transform`` takes the largest of a category's features.

    >>> OneHot(columns=[1]).fit_transform([[0.5, 3.0], [0.7, 1.0], [0.9, 3.0]])
    [[0.5, 0.0, 1.0], [0.7, 1.0, 0.0], [0.9, 0.0, 1.0]]
    """

    kind = "one_hot"
    shapes = {"sizes_": "n", "values_": "c"}  # noqa: RUF012
    sizes_: Array  # how many categories each feature has; 0 for one that stays as it is
    values_: Array  # the categories, feature by feature, in rising order

    def __init__(self, columns: Sequence[int] = ()) -> None:
        if len(set(columns)) < len(columns) or any(column < 0 for column in columns):
            raise ValueError(f"columns = {list(columns)}: each is given once, and counted from 0")
        self.columns = list(columns)

    def learn(self, X: Array) -> None:
        if max(self.columns, default=0) >= X.shape[1]:
            raise ValueError(f"columns = {self.columns}: rows of {X.shape[1]} numbers have 0 … {X.shape[1] - 1}")
        categories = [np.unique(X[:, k]) if k in self.columns else np.empty(0) for k in range(X.shape[1])]
        self.sizes_, self.values_ = np.array([*map(len, categories)], dtype=float), np.concatenate(categories)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        sizes, count = np.array(state.get("sizes_", [])), np.size(state.get("values_", []))
        if sizes.sum() != count or (sizes < 0).any() or (sizes % 1 != 0).any():
            raise ValueError(f"sizes_ of the state do not add up to its {count} values_")
        super().load_state_dict(state)

    def forward(self, X: Array) -> Array:
        blocks = []
        for k, found in enumerate(self._categories()):
            if found and not (known := np.isin(X[:, k], found)).all():
                i, learned = known.argmin(), ", ".join(f"{c:g}" for c in found)
                raise ValueError(f"row {i + 1}, column {k + 1} is {X[i, k]:g}: the training data had {learned} there")
            blocks.append(np.array([one_hot(x, found) for x in X[:, k]]) if found else X[:, [k]])
        return np.hstack(blocks)

    def backward(self, Z: Array) -> Array:
        categories = self._categories()
        blocks = np.split(Z, np.cumsum([len(found) or 1 for found in categories])[:-1], axis=1)
        columns = [np.take(found, z.argmax(axis=1)) if found else z for found, z in zip(categories, blocks)]
        return np.column_stack(columns)

    def names(self, features: Sequence[str]) -> list[str]:
        every = zip(features, self._categories())
        return [name for feature, found in every for name in ([f"{feature}={c:g}" for c in found] or [feature])]

    def _categories(self) -> list[list[float]]:
        return [block.tolist() for block in np.split(self.values_, np.cumsum(self.sizes_.astype(int))[:-1])]


class Pipeline(Preprocessor):
    """Preprocessors one after the other; each is fitted on what those before make of the training data.

    >>> pipeline = Pipeline(Standardize(), PCA(components=1)).fit([[1.0, 2.0], [3.0, 4.0]])
    >>> pipeline.transform([[3.0, 4.0]])[0][0] == -pipeline.transform([[1.0, 2.0]])[0][0]
    True
    >>> [[round(x, 12) for x in row] for row in pipeline.inverse_transform(pipeline.transform([[1.0, 2.0]]))]
    [[1.0, 2.0]]
    """

    def __init__(self, *steps: Preprocessor) -> None:
        self.steps: list[Preprocessor] = []
        for step in steps:
            if not isinstance(step, Preprocessor):
                raise TypeError(f"a pipeline of {step!r}: it takes preprocessors, as Standardize()")
            self.steps += step.steps if isinstance(step, Pipeline) else [step]

    def learn(self, X: Array) -> None:
        for step in self.steps:
            step.learn(X)
            X = step.forward(X)

    def forward(self, X: Array) -> Array:
        return reduce(lambda rows, step: np.array(step.transform(rows)), self.steps, X)

    def backward(self, Z: Array) -> Array:
        return reduce(lambda rows, step: np.array(step.inverse_transform(rows)), reversed(self.steps), Z)

    def names(self, features: Sequence[str]) -> list[str]:
        return reduce(lambda names, step: step.names(names), self.steps, list(features))

    def state_dict(self) -> dict[str, Any]:
        """What each step learned, under its place and kind: ``0.standardize.mean_``."""
        return {f"{i}.{s.kind}.{name}": x for i, s in enumerate(self.steps) for name, x in s.state_dict().items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        names = [f"{i}.{step.kind}" for i, step in enumerate(self.steps)]
        found = dict.fromkeys(path.rpartition(".")[0] or path for path in state)
        if found.keys() != set(names):
            raise ValueError(f"the state has the steps {', '.join(found)}: {self!r} needs {', '.join(names)}")
        for steps in (deepcopy(self.steps), self.steps):  # where one does not fit, none of them changes
            for name, step in zip(names, steps):
                step.load_state_dict({p.rpartition(".")[2]: x for p, x in state.items() if p.startswith(f"{name}.")})

    def _width(self) -> int:
        return self.steps[0]._width() if self.steps else 0

    def __repr__(self) -> str:
        return f"Pipeline({', '.join(map(repr, self.steps))})"


BY_NAME: dict[str, Callable[..., Preprocessor]] = {
    step.kind: step for step in (OneHot, PCA, Standardize, Whiten, ZeroCenter)
}


def from_state(state: Mapping[str, Any]) -> Pipeline:
    """The fitted pipeline whose ``state_dict`` this is. Raises ValueError for any other state.

    >>> fitted = Pipeline(Standardize()).fit([[1.0], [3.0]])
    >>> from_state(fitted.state_dict()).transform([[3.0]])
    [[1.0]]
    """
    places = {path.rpartition(".")[0].partition(".")[::2] for path in state}  # of 0.standardize.mean_, the first two
    kinds = sorted((int(place), kind) for place, kind in places if place.isdecimal() and kind in BY_NAME)
    pipeline = Pipeline(*(BY_NAME[kind]() for _, kind in kinds))
    pipeline.load_state_dict(state)
    return pipeline


def preprocess(data: Split, preprocessor: Preprocessor) -> Split:
    """Fit on the training part alone, and transform all three: nothing is learned from validation and test data.

    >>> from nn.data import Dataset
    >>> part = Dataset([[1.0], [3.0]], [0, 1], ["a", "b"], ["x"])
    >>> preprocess(Split(part, part, part.take([1])), Standardize()).test.X
    [[1.0]]
    """
    preprocessor.fit(data.training.X)
    names = preprocessor.names(data.training.features)
    return Split(*(part._replace(X=preprocessor.transform(part.X), features=names) for part in data))
