"""Batch normalisation, of which only the forward pass, Algorithm 1, is implemented.

The paper derives six gradients by hand. Here the mean and the variance of a mini-batch are nodes that depend on all
examples, and ``backward`` computes the gradients through both.
"""

from collections.abc import Callable, Sequence
from functools import partial
from math import isfinite
from typing import Any, NamedTuple

from autograd.anomaly import first_anomaly
from autograd.functions import affine, dot, mean, sqrt
from autograd.modes import collector_paused, no_grad
from autograd.value import Value
from nn.module import Example, Module, evaluating, index_name
from nn.validation import in_range, whole


class Normalised(NamedTuple):
    """The outputs y_i of one unit for a mini-batch, and the nodes of μ and σ²."""

    y: list[Value]
    mu: Value
    sigma2: Value


class BatchNorm(Module):
    """Normalise each unit over the mini-batch, then scale and shift.

    y_i = γ x̂_i + β,  x̂_i = (x_i − μ) / √(σ² + ε), where μ and σ² are the mean and the 1/m variance of the mini-batch
    in training mode, and ``mu_`` and ``sigma2_`` in evaluation mode, which also accepts a single example.

    n          number of units, each with a γ, initially 1, and a β, initially 0
    epsilon    ε > 0, which prevents a division by zero if a unit has the same value for all examples
    momentum   weight of the newest mini-batch in the running averages: mu_ ← (1 − momentum) mu_ + momentum μ,
               starting at 0, and likewise sigma2_ with the unbiased variance σ² m/(m − 1), starting at 1;
               ``calibrate`` computes both from the training data instead
    latest     a callback that receives the nodes of each mini-batch in training mode, or None

    For unit 2 of layer 1, the nodes of μ and σ² are named ``μ¹_2`` and ``σ¹_2²``, and x̂_3 is named ``x̂¹_23``.
    Raises ValueError, and leaves mu_ and sigma2_ unchanged, if an example has the wrong length or, in training mode,
    if there are fewer than two examples.
    Source: Ioffe & Szegedy 2015, Algorithms 1 and 2, with PyTorch's running averages.

    >>> bn = BatchNorm(1)
    >>> [round(y.data, 3) for [y] in bn.batch([[1.0], [2.0], [3.0]])]
    [-1.225, 0.0, 1.225]
    >>> round(bn.mu_[0], 3), round(bn.sigma2_[0], 3)
    (0.2, 1.0)
    """

    def __init__(self, n: int, epsilon: float = 1e-5, momentum: float = 0.1) -> None:
        self.n = n = whole("n", n)
        self.epsilon = in_range("epsilon", epsilon, above=0.0)
        self.momentum = in_range("momentum", momentum, at_least=0.0, at_most=1.0, what="the weight of the new batch")
        self.gamma = [Value(1.0) for _ in range(n)]
        self.beta = [Value(0.0) for _ in range(n)]
        self.mu_, self.sigma2_ = [0.0] * n, [1.0] * n
        self.latest: Callable[[list[Normalised]], object] | None = None
        self.number(None)

    def number(self, layer: int | None) -> None:
        """Name the parameters after the layer l that they normalise: ``γ¹_2``, ``β¹_2``."""
        self.layer = layer
        for k, (gamma, beta) in enumerate(zip(self.gamma, self.beta)):
            gamma.name, beta.name = index_name("γ", layer, k), index_name("β", layer, k)

    def forward(self, x: list[Value]) -> list[Value]:
        return self.forward_batch([x])[0]

    def forward_batch(self, X: list[list[Value]]) -> list[list[Value]]:
        for x in X:
            if len(x) != self.n:
                raise ValueError(f"{self!r} got an example of length {len(x)}: it expects {self.n} numbers")
        if self.training and len(X) < 2:
            remedy = "call model.batch(X) with more examples, or model.eval() first"
            why = "the variance needs at least 2 examples"
            raise ValueError(f"{self!r} got a mini-batch of {len(X)} in training mode: {why}; {remedy}")
        if not self.training:
            # with the learned statistics, the examples are independent
            units = list(zip(self.mu_, ((v + self.epsilon) ** 0.5 for v in self.sigma2_), self.gamma, self.beta))
            return [[affine(gamma, (x_k - m) / s, beta) for x_k, (m, s, gamma, beta) in zip(x, units)] for x in X]
        columns = [self._algorithm_1(k, [x[k] for x in X]) for k in range(self.n)]
        if self.latest is not None:
            self.latest(columns)
        for k, column in enumerate(columns, 1):
            # σ² depends on μ, so it is finite only if both are
            anomaly = None if isfinite(column.sigma2.data) else first_anomaly(column.sigma2)
            if anomaly:  # names the node at which the overflow began
                statistics = f"mean {column.mu.data!r} and variance {column.sigma2.data!r}"
                anomaly.args = (f"{self!r}: unit {k} has {statistics}: {anomaly}",)
                raise anomaly
        self.average([column.mu.data for column in columns], [column.sigma2.data for column in columns], len(X))
        return [list(y) for y in zip(*(column.y for column in columns))]

    def average(self, mu: Sequence[float], sigma2: Sequence[float], m: int) -> None:
        """Update the running averages with the statistics of a mini-batch of m examples.

        Raises ValueError, and changes nothing, if they are not finite: a running average would never recover.
        """
        for k, statistics in enumerate(zip(mu, sigma2), 1):
            if not all(map(isfinite, statistics)):
                has = f"unit {k} has the mean and variance {statistics} over the mini-batch"
                raise ValueError(f"{self!r}: {has}: its inputs must be finite and not too large")
        self.mu_[:], self.sigma2_[:] = self.averaged(mu, sigma2, m)

    def averaged(self, mu: Sequence[Any], sigma2: Sequence[Any], m: int) -> tuple[list[Any], list[Any]]:
        """Return the running averages after a mini-batch of m examples; the statistics may be Values."""
        old, new, unbiased = 1.0 - self.momentum, self.momentum, m / (m - 1)
        return (
            [old * average + new * mu_k for average, mu_k in zip(self.mu_, mu)],
            [old * average + new * unbiased * v for average, v in zip(self.sigma2_, sigma2)],
        )

    def _algorithm_1(self, k: int, x: list[Value]) -> Normalised:
        """Normalise unit k for all examples of the mini-batch."""
        mu = mean(x)
        difference = [x_i - mu for x_i in x]
        sigma2 = dot(difference, difference) * (1.0 / len(x))
        mu.name, sigma2.name = index_name("μ", self.layer, k), index_name("σ", self.layer, k) + "²"
        std = sqrt(sigma2 + self.epsilon)
        x_hat = [d_i / std for d_i in difference]
        for i, node in enumerate(x_hat):
            node.name = index_name("x̂", self.layer, k, i)
        return Normalised([affine(self.gamma[k], x_i, self.beta[k]) for x_i in x_hat], mu, sigma2)

    def __repr__(self) -> str:
        return f"BatchNorm({self.n})"


def calibrate(model: Module, X: Sequence[Example]) -> None:
    """Set the statistics of every BatchNorm that is not frozen to the mean and 1/m variance over X.

    X passes once through the model as one mini-batch, without a graph and with all other layers in evaluation mode,
    so that each BatchNorm reads the outputs of calibrated layers.

    Raises ValueError for a model without BatchNorm and for fewer than two examples; after an error the statistics are
    unchanged. The modes of the modules never change.

    >>> bn = BatchNorm(1).eval()
    >>> calibrate(bn, [[1.0], [2.0], [6.0]])
    >>> bn.mu_, round(bn.sigma2_[0], 12)
    ([3.0], 4.666666666667)
    """
    modules = (model, *model.submodules().values())
    layers = [module for module in modules if isinstance(module, BatchNorm) and not module.frozen]
    if not layers:
        raise ValueError(f"{model!r} has nothing to calibrate: it needs a BatchNorm that is not frozen")
    before = [(layer, layer.latest, layer.mu_.copy(), layer.sigma2_.copy()) for layer in layers]
    latest: dict[BatchNorm, list[Normalised]] = {}
    try:
        with evaluating(model), no_grad(), collector_paused():
            for layer in layers:
                layer.training, layer.latest = True, partial(latest.__setitem__, layer)
            model.batch(X)
    finally:
        for layer, hook, mu, sigma2 in before:
            layer.latest, layer.mu_[:], layer.sigma2_[:] = hook, mu, sigma2
    for layer, columns in latest.items():
        layer.mu_[:], layer.sigma2_[:] = zip(*((unit.mu.data, unit.sigma2.data) for unit in columns))
