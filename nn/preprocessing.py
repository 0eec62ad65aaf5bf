"""Preprocesses inputs: centring, scaling, PCA, whitening and one-hot encoding, fitted on the training data only.

∂L/∂w is δ times an input: if all inputs are positive, the derivatives of a unit have the same sign for all weights,
and if one input is a thousand times larger than another, so is its derivative. Preprocessing takes place before any
node is created, so this module does not use Values. It accepts rows as lists or NumPy arrays, and returns lists of
floats.
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
    """Base class of preprocessors, which learn from the training data with ``fit`` and then ``transform`` any data.

    All methods raise ValueError for rows that have different or wrong lengths or are not finite, and RuntimeError if
    called before ``fit``. If ``fit`` or ``load_state_dict`` fails, it changes nothing.

    A subclass learns arrays as attributes whose names end in ``_``. Its ``shapes`` maps each name to a letter per
    dimension; the first array has the length n of a row.
    """

    kind: ClassVar[str] = ""  # name on the command line and in a state
    shapes: ClassVar[dict[str, str]]
    mark: ClassVar[str] = ""  # suffix for the names of features

    @abstractmethod
    def learn(self, X: Array) -> None:
        """Set the attributes in ``shapes`` from a finite X of shape (m, n) with m ≥ 1."""

    @abstractmethod
    def forward(self, X: Array) -> Array:
        """Transform an array."""

    @abstractmethod
    def backward(self, Z: Array) -> Array:
        """Invert ``forward`` for an array."""

    def fit(self, X: ArrayLike) -> Self:
        """Learn from the rows of X, the training data; return self."""
        rows, fitted = np.array(examples_of(X)), deepcopy(self)
        if not len(rows):
            raise ValueError(f"{self!r} got no examples: it needs at least one")
        with np.errstate(all="ignore"):  # the result is checked for overflow
            fitted.learn(rows)
        state = fitted.state_dict()
        if too_large := [name for name, learned in state.items() if not np.isfinite(learned).all()]:
            raise ValueError(f"{self!r} got numbers so large that {too_large[0]} overflows: scale them down")
        self.load_state_dict(state)
        return self

    def transform(self, X: ArrayLike) -> Rows:
        """Transform each row into inputs for the model."""
        return self._checked(self.forward, X, self._width())

    def inverse_transform(self, X: ArrayLike) -> Rows:
        """Map each transformed row back to the original features; dropped components cannot be recovered."""
        return self._checked(self.backward, X, len(self.names([""] * self._width())))

    def fit_transform(self, X: ArrayLike) -> Rows:
        """Fit to X, and return X transformed."""
        return self.fit(X).transform(X)

    def names(self, features: Sequence[str]) -> list[str]:
        """Return the feature names of a transformed row, given the names of the original features."""
        return [feature + self.mark for feature in features]

    def state_dict(self) -> dict[str, Any]:
        """Return the learned arrays by name, as lists of floats. Raises RuntimeError before ``fit``."""
        self._width()
        return {name: getattr(self, name).tolist() for name in self.shapes}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a ``state_dict`` of lists or arrays. Raises ValueError if it does not match this preprocessor."""
        if set(state) != set(self.shapes):
            raise ValueError(
                f"the state has {', '.join(state) or 'no entries'}, but {self!r} needs {', '.join(self.shapes)}"
            )
        arrays = {name: np.array(state[name], dtype=np.float64) for name in self.shapes}
        lengths: dict[str, int] = {}
        for (name, array), letters in zip(arrays.items(), self.shapes.values()):
            expected = [lengths.setdefault(letter, length) for letter, length in zip(letters, array.shape)]
            if array.ndim != len(letters) or [*array.shape] != expected:
                raise ValueError(f"{name} in the state has shape {array.shape}, which does not match {self!r}")
            if not np.isfinite(array).all():
                raise ValueError(f"{name} in the state contains a number that is not finite")
        vars(self).update(arrays)

    def _width(self) -> int:
        """Return the expected length of a row, or 0 for any length."""
        first = next(iter(self.shapes))
        if first not in vars(self):
            raise RuntimeError(f"{self!r} is not fitted: call fit with the training data first")
        return len(getattr(self, first))

    def _checked(self, function: Callable[[Array], Array], X: ArrayLike, width: int) -> Rows:
        rows = examples_of(X)
        if not rows:
            return []
        if width and len(rows[0]) != width:
            remedy = f"it was fitted to rows of length {width}; pass [x] for a single example"
            raise ValueError(f"{self!r} got rows of length {len(rows[0])}: {remedy}")
        with np.errstate(all="ignore"):
            result = function(np.array(rows))
        if len(too_large := np.argwhere(~np.isfinite(result))):
            i, k = too_large[0] + 1
            raise ValueError(f"{self!r} overflows in row {i}, column {k}: the largest float is 1.8e308")
        mapped: Rows = result.tolist()
        return mapped

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Affine(Preprocessor, ABC):
    """z = V (x − mean) / s, where V and s default to 1."""

    mean_: Array  # mean of each feature
    components_: Array | None = None  # V, of shape (k, n)

    def scale(self) -> Array | float:
        """Return s, the divisor of each number in a transformed row."""
        return 1.0

    def learn(self, X: Array) -> None:
        self.mean_ = X.mean(axis=0)

    def forward(self, X: Array) -> Array:
        centred = X - self.mean_
        return (centred if self.components_ is None else centred @ self.components_.T) / self.scale()

    def backward(self, Z: Array) -> Array:
        scaled = Z * self.scale()
        return (scaled if self.components_ is None else scaled @ self.components_) + self.mean_


class ZeroCenter(Affine):
    """x − mean, which gives every feature the mean 0 over the training data.

    >>> ZeroCenter().fit_transform([[2.0, 0.0], [4.0, 2.0], [6.0, 10.0]])
    [[-2.0, -4.0], [0.0, -2.0], [2.0, 6.0]]
    """

    kind = "zero_center"
    shapes = {"mean_": "n"}  # noqa: RUF012  (declared as a class variable above)
    mark = " (centred)"


class Standardize(Affine):
    """(x − mean) / std, which gives every feature mean 0 and standard deviation 1 over the training data.

    >>> standardize = Standardize().fit([[2.0, 7.0], [4.0, 7.0], [6.0, 7.0]])
    >>> standardize.std_.round(3).tolist(), standardize.transform([[4.0, 8.0]])
    ([1.633, 0.0], [[0.0, 1.0]])
    """

    kind = "standardize"
    shapes = {"mean_": "n", "std_": "n"}  # noqa: RUF012
    mark = " (standardised)"
    std_: Array  # with 1/m; 0 for a feature that is constant up to rounding, which is only centred

    def learn(self, X: Array) -> None:
        mean = X.mean(axis=0)
        farthest = np.abs(X - mean).max(axis=0)
        unit = np.where(
            farthest > 0.0, farthest, 1.0
        )  # without it, squares of very small numbers would underflow to 0
        std = unit * np.sqrt((((X - mean) / unit) ** 2).mean(axis=0))
        # the mean of nearly equal numbers is rounded, so their deviation from it is not exactly 0
        rounding = 8.0 * np.finfo(np.float64).eps * np.abs(mean)
        is_constant = (X.max(axis=0) == X.min(axis=0)) | (np.isfinite(std) & (std <= rounding))
        self.mean_, self.std_ = np.where(is_constant, X[0], mean), np.where(is_constant, 0.0, std)

    def scale(self) -> Array:
        return np.where(self.std_, self.std_, 1.0)


class PCA(Affine):
    """z = V (x − mean): rotate the data so that its features are uncorrelated and sorted by decreasing variance.

    The rows of V are the eigenvectors of the covariance C = 1/m Σ (x − mean)(x − mean)ᵀ.

    components   number of components to keep; by default all n

    >>> pca = PCA().fit([[2.0, 0.0], [4.0, 2.0], [6.0, 10.0]])
    >>> pca.eigenvalues_.round(6).tolist()
    [21.080333, 0.253]
    """

    kind = "pca"
    shapes = {"mean_": "n", "components_": "kn", "eigenvalues_": "k"}  # noqa: RUF012
    components_: Array  # V, of shape (k, n); the first entry of largest absolute value in each row is positive
    eigenvalues_: Array  # variance of each component, in decreasing order

    def __init__(self, components: int | None = None) -> None:
        self.components = None if components is None else whole("components", components)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'' if self.components is None else self.components})"

    def learn(self, X: Array) -> None:
        if self.components is not None and self.components > X.shape[1]:
            raise ValueError(f"components = {self.components}: it must be at most {X.shape[1]}, the length of a row")
        super().learn(X)
        covariance = (X - self.mean_).T @ (X - self.mean_) / len(X)
        if not np.isfinite(covariance).all():
            raise ValueError("the numbers are so large that their covariance overflows: scale them down first")
        eigenvalues, columns = np.linalg.eigh(covariance)
        vectors = columns.T[::-1][: self.components]
        sizes = np.abs(vectors)
        # if several entries are equally large, rounding must not decide which one is the first
        first = (sizes >= (1.0 - 1e-6) * sizes.max(axis=1, keepdims=True)).argmax(axis=1)
        signs = np.sign(vectors[np.arange(len(vectors)), first])  # the sign of an eigenvector is arbitrary
        self.components_ = vectors * signs[:, None]
        # rounding can make an eigenvalue of 0 slightly negative
        self.eigenvalues_ = np.maximum(eigenvalues[::-1][: self.components], 0.0)

    def names(self, features: Sequence[str]) -> list[str]:
        return [f"component {k + 1}" for k in range(len(self.components_))]


class Whiten(PCA):
    """z = V (x − mean) / √λ: rotate the data as PCA does, and scale each component to variance 1.

    components   number of components to keep; by default all n
    floor        lower bound of every λ, relative to the largest, so that noise is not amplified

    >>> z = Whiten().fit_transform([[2.0, 0.0], [4.0, 2.0], [6.0, 10.0]])
    >>> (np.array(z).T @ np.array(z) / 3).round(9).tolist()
    [[1.0, -0.0], [-0.0, 1.0]]
    """

    kind = "whiten"
    shapes = {**PCA.shapes, "scales_": "k"}  # noqa: RUF012
    scales_: Array  # divisor of each component: √max(λ, floor · λ₁), or 1 if that is 0

    def __init__(self, components: int | None = None, floor: float = 1e-5) -> None:
        super().__init__(components)
        self.floor = in_range("floor", floor, at_least=0.0, at_most=1.0, what="a fraction of the largest eigenvalue")

    def learn(self, X: Array) -> None:
        super().learn(X)
        scales = np.sqrt(np.maximum(self.eigenvalues_, self.floor * self.eigenvalues_[0]))
        self.scales_ = np.where(scales > 0.0, scales, 1.0)

    def scale(self) -> Array:
        return self.scales_


class OneHot(Preprocessor):
    """Replaces each categorical feature with one feature per category: 1 for the category of the example, else 0.

    columns   indices of the categorical features, counted from 0; other features do not change

    ``transform`` raises ValueError for a category that is not in the training data; the message locates it.
    ``inverse_transform`` returns the category whose feature is largest.

    >>> OneHot(columns=[1]).fit_transform([[0.5, 3.0], [0.7, 1.0], [0.9, 3.0]])
    [[0.5, 0.0, 1.0], [0.7, 1.0, 0.0], [0.9, 0.0, 1.0]]
    """

    kind = "one_hot"
    shapes = {"sizes_": "n", "values_": "c"}  # noqa: RUF012
    sizes_: Array  # number of categories per feature; 0 for one that does not change
    values_: Array  # categories of all features, in ascending order for each

    def __init__(self, columns: Sequence[int] = ()) -> None:
        if len(set(columns)) < len(columns) or any(column < 0 for column in columns):
            raise ValueError(f"columns = {list(columns)}: they must be distinct, and counted from 0")
        self.columns = list(columns)

    def learn(self, X: Array) -> None:
        if max(self.columns, default=0) >= X.shape[1]:
            raise ValueError(f"columns = {self.columns}: they must be in 0 … {X.shape[1] - 1}")
        categories = [np.unique(X[:, k]) if k in self.columns else np.empty(0) for k in range(X.shape[1])]
        self.sizes_, self.values_ = np.array([*map(len, categories)], dtype=float), np.concatenate(categories)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        sizes, count = np.array(state.get("sizes_", [])), np.size(state.get("values_", []))
        if sizes.sum() != count or (sizes < 0).any() or (sizes % 1 != 0).any():
            raise ValueError(f"sizes_ in the state must add up to {count}, the number of its values_")
        super().load_state_dict(state)

    def forward(self, X: Array) -> Array:
        blocks = []
        for k, found in enumerate(self._categories()):
            if found and not (known := np.isin(X[:, k], found)).all():
                i, learned = known.argmin(), ", ".join(f"{c:g}" for c in found)
                raise ValueError(
                    f"row {i + 1}, column {k + 1} is {X[i, k]:g}: in training, this column has only {learned}"
                )
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
    """Applies preprocessors in order; each is fitted to the training data as transformed by the previous ones.

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
                raise TypeError(
                    f"{step!r} is not a preprocessor: a Pipeline takes preprocessors, such as Standardize()"
                )
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
        """Return the learned arrays of each step by index, kind and name, such as ``0.standardize.mean_``."""
        return {f"{i}.{s.kind}.{name}": x for i, s in enumerate(self.steps) for name, x in s.state_dict().items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        names = [f"{i}.{step.kind}" for i, step in enumerate(self.steps)]
        found = dict.fromkeys(path.rpartition(".")[0] or path for path in state)
        if found.keys() != set(names):
            raise ValueError(f"the state has the steps {', '.join(found)}, but {self!r} needs {', '.join(names)}")
        for steps in (deepcopy(self.steps), self.steps):  # try it on copies first
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
    """Return the fitted pipeline that has this ``state_dict``. Raises ValueError for any other state.

    >>> fitted = Pipeline(Standardize()).fit([[1.0], [3.0]])
    >>> from_state(fitted.state_dict()).transform([[3.0]])
    [[1.0]]
    """
    places = {path.rpartition(".")[0].partition(".")[::2] for path in state}  # ("0", "standardize"), …
    kinds = sorted((int(place), kind) for place, kind in places if place.isdecimal() and kind in BY_NAME)
    pipeline = Pipeline(*(BY_NAME[kind]() for _, kind in kinds))
    pipeline.load_state_dict(state)
    return pipeline


def preprocess(data: Split, preprocessor: Preprocessor) -> Split:
    """Fit a preprocessor to the training data, and transform training, validation and test data with it.

    >>> from nn.data import Dataset
    >>> part = Dataset([[1.0], [3.0]], [0, 1], ["a", "b"], ["x"])
    >>> preprocess(Split(part, part, part.take([1])), Standardize()).test.X
    [[1.0]]
    """
    preprocessor.fit(data.training.X)
    names = preprocessor.names(data.training.features)
    return Split(*(part._replace(X=preprocessor.transform(part.X), features=names) for part in data))
