"""Optimisers: what a step does with the gradients, each update written once for a float and for an array of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from math import isfinite
from typing import Any

from autograd.value import Value


class Optimizer(ABC):
    """Moves parameters against their gradients.

    Raises ValueError for no parameters, one that is given twice, or a learning rate that is not positive and finite.
    """

    def __init__(self, parameters: Iterable[Value], learning_rate: float) -> None:
        self.parameters = list(parameters)
        if not self.parameters:
            raise ValueError("an optimiser without parameters has nothing to do: pass model.parameters()")
        if any(not isinstance(p, Value) for p in self.parameters):
            raise TypeError("an optimiser moves Values: pass model.parameters()")
        if len(set(self.parameters)) < len(self.parameters):
            raise ValueError("a parameter is given twice, and would be moved twice: pass each once")
        self.learning_rate = in_range("learning_rate", learning_rate, above=0.0)
        self.steps = 0
        self.states = [self.first_state()] * len(self.parameters)

    @abstractmethod
    def first_state(self) -> tuple[float, ...]:
        """What is remembered about a parameter before its first step."""

    @abstractmethod
    def update(self, w: Any, gradient: Any, state: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
        """The new number and the new state of a parameter: arithmetic alone, so floats and arrays both fit."""

    def step(self) -> None:
        """Move every parameter once; if one cannot be, none is."""
        self.steps += 1
        moved = [self.update(p.data, p.grad, state) for p, state in zip(self.parameters, self.states)]
        for p, (w, _) in zip(self.parameters, moved):
            p.data = w
        self.states = [state for _, state in moved]

    def zero_grad(self) -> None:
        """Set every gradient to 0."""
        for p in self.parameters:
            p.grad = 0.0


class SGD(Optimizer):
    """w ← w − η v with v ← momentum · v + ∂L/∂w + weight_decay · w; without the two, w ← w − η ∂L/∂w.

    >>> w = Value(1.0)
    >>> (w * w).backward()
    >>> SGD([w], learning_rate=0.25).step()
    >>> w.data
    0.5
    """

    def __init__(
        self, parameters: Iterable[Value], learning_rate: float, momentum: float = 0.0, weight_decay: float = 0.0
    ) -> None:
        self.momentum = in_range("momentum", momentum, at_least=0.0, below=1.0)
        self.weight_decay = in_range("weight_decay", weight_decay, at_least=0.0)
        super().__init__(parameters, learning_rate)

    def first_state(self) -> tuple[float, ...]:
        return (0.0,) if self.momentum else ()

    def update(self, w: Any, gradient: Any, state: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
        if self.weight_decay:
            gradient = gradient + self.weight_decay * w
        if not self.momentum:
            return w - self.learning_rate * gradient, ()
        v = self.momentum * state[0] + gradient
        return w - self.learning_rate * v, (v,)


class Adam(Optimizer):
    """w ← w − η m̂ / (√v̂ + ε), with running means m of the gradient and v of its square, unbiased by 1 − βᵗ.

    ``weight_decay`` adds weight_decay · w to the gradient. Source: Kingma & Ba 2015, Algorithm 1.
    """

    def __init__(
        self,
        parameters: Iterable[Value],
        learning_rate: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        if len(betas) != 2:
            raise ValueError(f"betas = {betas!r}: Adam needs two, for the mean of the gradient and of its square")
        self.betas = tuple(in_range("beta", beta, at_least=0.0, below=1.0) for beta in betas)
        self.epsilon = in_range("epsilon", epsilon, above=0.0)
        self.weight_decay = in_range("weight_decay", weight_decay, at_least=0.0)
        super().__init__(parameters, learning_rate)

    def first_state(self) -> tuple[float, ...]:
        return (0.0, 0.0)

    def update(self, w: Any, gradient: Any, state: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
        beta1, beta2 = self.betas
        if self.weight_decay:
            gradient = gradient + self.weight_decay * w
        m = beta1 * state[0] + (1.0 - beta1) * gradient
        v = beta2 * state[1] + (1.0 - beta2) * gradient * gradient
        m_hat = m / (1.0 - beta1**self.steps)
        v_hat = v / (1.0 - beta2**self.steps)
        return w - self.learning_rate * m_hat / (v_hat**0.5 + self.epsilon), (m, v)


def in_range(
    name: str, number: float, above: float | None = None, at_least: float | None = None, below: float | None = None
) -> float:
    """The number, if it is finite and within the bounds; ValueError names it and the bounds."""
    fits = (
        isfinite(number)
        and (above is None or number > above)
        and (at_least is None or number >= at_least)
        and (below is None or number < below)
    )
    if not fits:
        bounds = [
            f"{sign} {bound:g}" for sign, bound in ((">", above), ("≥", at_least), ("<", below)) if bound is not None
        ]
        raise ValueError(f"{name} = {number!r}: it needs to be finite and {' and '.join(bounds)}")
    return float(number)
