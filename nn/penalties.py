"""L1 and L2 penalties: Values that pull weights towards 0 when they are added to a loss."""

from collections.abc import Iterable

from autograd.functions import abs, dot, sum
from autograd.value import Value
from nn.validation import in_range


def l1_penalty(weights: Iterable[Value], strength: float) -> Value:
    """λ Σ |w| with λ = ``strength``; each w is pulled towards 0 by λ sign w, whatever its size.

    Raises ValueError if the strength is negative or not finite, or if there are no weights.

    >>> l1_penalty([Value(3.0), Value(-4.0)], 0.5).data
    3.5
    """
    strength = in_range("strength", strength, at_least=0.0)
    return strength * sum([abs(w) for w in _some(weights)])


def l2_penalty(weights: Iterable[Value], strength: float) -> Value:
    """½ λ Σ w² with λ = ``strength``; each w is pulled towards 0 by λ w, as by SGD's ``weight_decay`` λ.

    Raises ValueError if the strength is negative or not finite, or if there are no weights.

    >>> l2_penalty([Value(3.0), Value(-4.0)], 0.5).data
    6.25
    """
    strength, w = in_range("strength", strength, at_least=0.0), _some(weights)
    return 0.5 * strength * dot(w, w)


def _some(weights: Iterable[Value]) -> list[Value]:
    found = list(weights)
    if not found:
        raise ValueError("a penalty without weights: pass nn.layers.weights(model)")
    return found
