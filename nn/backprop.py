"""The lecture's back-propagation algorithm for one example, "for l = L … 1", on NumPy arrays.

It is an independent check of the scalar gradients, so it imports nothing from this project and defines g′ and ∇ₐ L
again. Everywhere else, each derivative is written only once.

Layers are numbered as in the lecture: W[1] belongs to layer 1, W[0] and z[0] are None, and a[0] is the input.
W[l] has shape (to, from); z[l], a[l], b[l] and delta[l] are vectors with one entry per unit.
"""

from collections.abc import Callable, Iterator, Sequence
from math import erfc, pi, sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Layers = Sequence[Any]  # None, or the input for a, followed by one array per layer


class Event(NamedTuple):
    """A result of the backward pass: "δ" of a layer, or its gradients "W, b"."""

    what: str
    layer: int
    arrays: tuple[Array, ...]


class BackPropagation(NamedTuple):
    """The results of both passes for one example.

    loss             L
    z, a             zˡ and aˡ of the forward pass
    delta, dW, db    δˡ = ∂L/∂zˡ, ∂L/∂Wˡ and ∂L/∂bˡ, with the shapes of zˡ, Wˡ and bˡ
    da0              ∂L/∂a⁰ = (W¹)ᵀ δ¹
    events           the results in the order of the backward pass: δᴸ, (W, b)ᴸ, δᴸ⁻¹, …, (W, b)¹
    """

    loss: float
    z: list[Any]
    a: list[Array]
    delta: list[Any]
    dW: list[Any]
    db: list[Any]
    da0: Array
    events: list[Event]


def back_propagate(
    W: Layers, b: Layers, x: ArrayLike, y: Any, g: str | Sequence[str | None] = "sigmoid",
    loss: str = "half_squared_error",
) -> BackPropagation:  # fmt: skip
    """Run the forward and the backward pass for one example.

    W, b    [None, W¹, …, Wᴸ] and [None, b¹, …, bᴸ]
    x, y    the input a⁰, and the target: a vector, a label or a number, depending on the loss
    g       one activation for all layers, or a list with one per layer: [None, "tanh", "linear"]
    loss    name of the loss; cross_entropy and binary_cross_entropy expect logits, so the last layer must be linear

    Raises ValueError for shapes that do not match, an unknown name, or a target that does not suit the loss.
    Source: Rumelhart, Hinton & Williams 1986; Nielsen 2015, chapter 2, equations BP1 to BP4.

    >>> W, b = [None, [[1.0, 2.0]], [[3.0]]], [None, [0.0], [1.0]]
    >>> run = back_propagate(W, b, [1.0, 1.0], [9.0], g="linear")
    >>> run.a[2], run.delta[2], run.delta[1]
    (array([10.]), array([1.]), array([3.]))
    >>> run.dW[1], run.da0
    (array([[3., 3.]]), array([3., 6.]))
    >>> [f"{event.what} of {event.layer}" for event in run.events]
    ['δ of 2', 'W, b of 2', 'δ of 1', 'W, b of 1']
    """
    W, b = _arrays("W", W), _arrays("b", b)
    functions = _activations(g, len(W) - 1)
    z, a = forward(W, b, x, functions)
    if loss not in LOSSES:
        raise ValueError(f"unknown loss {loss!r}: choose one of {', '.join(LOSSES)}")
    target = _target(loss, a[-1], y)
    value, gradient = float(LOSSES[loss].of(a[-1], target)), LOSSES[loss].gradient(a[-1], target)
    events = list(backward(W, z, a, functions, gradient))
    found = {(what, l): arrays for what, l, arrays in events}
    delta = [None, *(found["δ", l][0] for l in range(1, len(W)))]
    dW, db = ([None, *(found["W, b", l][i] for l in range(1, len(W)))] for i in (0, 1))
    return BackPropagation(value, z, a, delta, dW, db, W[1].T @ delta[1], events)


def forward(W: Layers, b: Layers, x: ArrayLike, g: Layers) -> tuple[list[Any], list[Array]]:
    """Return zˡ = Wˡ aˡ⁻¹ + bˡ and aˡ = gˡ(zˡ) for l = 1 … L. Raises ValueError if shapes do not match."""
    if len(W) != len(b):
        raise ValueError(f"W has {len(W) - 1} layers, but b has {len(b) - 1}: both need the same number of layers")
    z, a = [None], [np.asarray(x, float)]
    for l in range(1, len(W)):
        _check_shapes(l, W[l], b[l], a[l - 1])
        z.append(W[l] @ a[l - 1] + b[l])
        a.append(g[l].of(z[l]))
    return z, a


def backward(W: Layers, z: Layers, a: Layers, g: Layers, gradient: Array) -> Iterator[Event]:
    """Run the loop on the slide, starting from ``gradient`` = ∇ₐ L at the output, and yield each result.

    δᴸ = ∇ₐ L ⊙ g′(zᴸ); then for l = L … 1: ∂L/∂Wˡ = δˡ (aˡ⁻¹)ᵀ, ∂L/∂bˡ = δˡ, δˡ⁻¹ = (Wˡ)ᵀ δˡ ⊙ g′(zˡ⁻¹).
    """
    L = len(W) - 1
    delta = gradient * g[L].slope(z[L])
    yield Event("δ", L, (delta,))
    for l in range(L, 0, -1):
        yield Event("W, b", l, (np.outer(delta, a[l - 1]), delta))
        if l > 1:  # there is no z⁰ for δ⁰
            delta = (W[l].T @ delta) * g[l - 1].slope(z[l - 1])
            yield Event("δ", l - 1, (delta,))


def sigmoid(z: Array) -> Array:
    """Return σ(z) = 1/(1 + e⁻ᶻ) elementwise, without overflow.

    >>> sigmoid(np.array([-1000.0, 0.0]))
    array([0. , 0.5])
    """
    e = np.exp(-np.abs(z))
    return np.asarray(np.where(z >= 0.0, 1.0, e) / (1.0 + e))


def normal_cdf(z: Array) -> Array:
    """Return the standard normal CDF, Φ(z) = ½ erfc(−z/√2), elementwise.

    >>> normal_cdf(np.array([-1000.0, 0.0]))
    array([0. , 0.5])
    """
    return np.array([0.5 * erfc(-x / sqrt(2.0)) for x in z.flat]).reshape(z.shape)


class ActivationFunction(NamedTuple):
    """g and its derivative g′, both elementwise."""

    of: Callable[[Array], Array]
    slope: Callable[[Array], Array]


ACTIVATIONS = {
    "elu": ActivationFunction(
        lambda z: np.where(z > 0.0, z, np.expm1(np.minimum(z, 0.0))), lambda z: np.exp(np.minimum(z, 0.0))
    ),
    "gelu": ActivationFunction(
        lambda z: z * normal_cdf(z), lambda z: normal_cdf(z) + z * np.exp(-z * z / 2.0) / sqrt(2.0 * pi)
    ),
    "leaky_relu": ActivationFunction(
        lambda z: np.where(z > 0.0, z, 0.01 * z), lambda z: np.where(z > 0.0, 1.0, 0.01)
    ),
    "linear": ActivationFunction(lambda z: z, np.ones_like),
    "log_sigmoid": ActivationFunction(lambda z: -np.logaddexp(0.0, -z), lambda z: sigmoid(-z)),
    "relu": ActivationFunction(lambda z: np.where(z > 0.0, z, 0.0), lambda z: np.where(z > 0.0, 1.0, 0.0)),
    "sigmoid": ActivationFunction(sigmoid, lambda z: sigmoid(z) * (1.0 - sigmoid(z))),
    "silu": ActivationFunction(lambda z: z * sigmoid(z), lambda z: sigmoid(z) * (1.0 + z * (1.0 - sigmoid(z)))),
    "softplus": ActivationFunction(lambda z: np.logaddexp(0.0, z), sigmoid),
    "tanh": ActivationFunction(np.tanh, lambda z: 1.0 - np.tanh(z) ** 2),
}


class Loss(NamedTuple):
    """L(a, y) and its gradient ∇ₐ L(a, y), for the outputs a of one example."""

    of: Callable[[Array, Any], Any]
    gradient: Callable[[Array, Any], Array]


def softmax(a: Array) -> Array:
    """Return eᵃʲ / Σₖ eᵃᵏ for each unit j.

    >>> softmax(np.array([1000.0, 1000.0]))
    array([0.5, 0.5])
    """
    e = np.exp(a - a.max())
    return np.asarray(e / e.sum())


LOSSES = {
    "binary_cross_entropy": Loss(lambda a, y: np.logaddexp(0.0, a[0]) - y * a[0], lambda a, y: sigmoid(a) - y),
    "cross_entropy": Loss(
        lambda a, y: a.max() + np.log(np.exp(a - a.max()).sum()) - a[y],
        lambda a, y: softmax(a) - (np.arange(len(a)) == y),
    ),
    "half_squared_error": Loss(lambda a, y: ((y - a) ** 2).sum() / 2.0, lambda a, y: a - y),
    "hinge": Loss(lambda a, y: max(0.0, 1.0 - y * a[0]), lambda a, y: np.where(1.0 - y * a > 0.0, -y, 0.0)),
    "mean_squared_error": Loss(lambda a, y: ((y - a) ** 2).mean(), lambda a, y: 2.0 * (a - y) / len(a)),
}


def _arrays(letter: str, layers: Layers) -> list[Any]:
    if len(layers) < 2 or layers[0] is not None:
        raise ValueError(f"{letter} has {len(layers)} entries: it must be a list [None, {letter}1, …]")
    return [None, *(np.asarray(layer, float) for layer in layers[1:])]


def _check_shapes(l: int, W: Array, b: Array, a: Array) -> None:
    # NumPy checks the shapes in W a, but would broadcast a b of the wrong shape
    if W.ndim != 2 or a.shape != W.shape[1:] or b.shape != W.shape[:1]:
        raise ValueError(
            f"W{l} has shape {W.shape}, b{l} {b.shape} and a{l - 1} {a.shape}: z = W a + b needs (to, from), "
            "(to,) and (from,); is W transposed?"
        )


def _activations(g: str | Sequence[str | None], L: int) -> list[Any]:
    names = [None, *[g] * L] if isinstance(g, str) else list(g)
    if len(names) != L + 1 or names[0] is not None:
        raise ValueError(f"g = {g!r} does not match {L} layers: pass a name, or None followed by a name per layer")
    for name in names[1:]:
        if name not in ACTIVATIONS:
            raise ValueError(f"unknown activation {name!r}: choose one of {', '.join(ACTIVATIONS)}")
    return [None, *(ACTIVATIONS[name] for name in names if name is not None)]


def _target(loss: str, a: Array, y: Any) -> Any:
    """Return y as the loss expects it. Raises ValueError if NumPy would broadcast it or index from the end."""
    if loss == "cross_entropy":
        if y not in range(len(a)):
            raise ValueError(f"label {y!r} is out of range: {len(a)} output units have the labels 0 … {len(a) - 1}")
        return int(y)
    target = np.atleast_1d(np.asarray(y, float))
    if loss in ("binary_cross_entropy", "hinge") and a.shape != (1,):
        raise ValueError(f"{loss} got {len(a)} output units: it needs one; use cross_entropy for several classes")
    if target.shape != a.shape:
        raise ValueError(
            f"{loss} got outputs of shape {a.shape}, but targets of shape {target.shape}: the shapes must match"
        )
    return target.item() if target.size == 1 else target
