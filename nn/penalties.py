"""L1 and L2 penalties, which are added to a loss to pull weights towards 0."""

from collections.abc import Iterable

from autograd.functions import abs, dot, sum
from autograd.value import Value
from nn.validation import in_range


def l1_penalty(weights: Iterable[Value], strength: float) -> Value:
    """Return λ Σ |w| with λ = ``strength``, whose derivative with respect to w is λ sign w.

    Raises ValueError if the strength is negative or not finite, or if there are no weights.

    >>> l1_penalty([Value(3.0), Value(-4.0)], 0.5).data
    3.5
    """
    strength = in_range("strength", strength, at_least=0.0)
    return strength * sum([abs(w) for w in _not_empty(weights)])


def l2_penalty(weights: Iterable[Value], strength: float) -> Value:
    """Return ½ λ Σ w² with λ = ``strength``, whose derivative λ w is what SGD adds for ``weight_decay`` = λ.

    Raises ValueError if the strength is negative or not finite, or if there are no weights.

    >>> l2_penalty([Value(3.0), Value(-4.0)], 0.5).data
    6.25
    """
    strength, w = in_range("strength", strength, at_least=0.0), _not_empty(weights)
    return 0.5 * strength * dot(w, w)


def _not_empty(weights: Iterable[Value]) -> list[Value]:
    weights = list(weights)
    if not weights:
        raise ValueError("the penalty got no weights: pass nn.layers.weights(model)")
    return weights
