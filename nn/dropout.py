"""Dropout: a random mask on each unit in training, so that no network leans on single units.

It needs no rule of its own. Each unit is multiplied by its mask, a leaf: the unit's local derivative is the mask's
number, so a dropped unit passes no gradient back.
"""

from collections.abc import Callable
from random import Random

from autograd.value import Value
from nn.module import Module, flatten, index_name
from nn.validation import generator, in_range


class Dropout(Module):
    """Training: each unit is 0 with probability p, and a_j / (1 − p) otherwise. Evaluation: the identity.

    a_j m_j with a mask m_j of 0 or 1/(1 − p), drawn for every unit of every example, so that the mean over the masks
    is a_j: "inverted" dropout, which leaves evaluation alone. At p = 1 every mask is 0, without a division.

    p       probability of dropping, from 0 to 1
    rng     draws one ``rng.random()`` for each mask: a seed or a ``random.Random``; without one, a fresh generator
    masks   the mask leaves of the latest training pass, in the order they were drawn, each with its sampler:
            ``{m¹_1: sample, m¹_2: sample, …}``

    Raises ValueError for a p outside [0, 1].
    Source: Srivastava et al. 2014, whose p is that of keeping, and who scale the weights for evaluation instead.

    >>> dropout = Dropout(0.5, rng=0)
    >>> [a.data for a in dropout([1.0, 1.0, 1.0])]
    [2.0, 2.0, 0.0]
    >>> [a.data for a in dropout.eval()([1.0, 1.0, 1.0])]
    [1.0, 1.0, 1.0]
    """

    def __init__(self, p: float = 0.5, rng: Random | int | None = None) -> None:
        self.p = in_range("p", p, at_least=0.0, at_most=1.0, what="the probability of dropping a unit")
        self.rng = generator(rng)
        self.layer: int | None = None
        self.masks: dict[Value, Callable[[], float]] = {}

    def number(self, layer: int | None) -> None:
        """Name the masks after their layer l: ``m¹_2``."""
        self.layer = layer

    def sample(self) -> float:
        """One mask: 0 with probability p, else 1/(1 − p)."""
        return 0.0 if self.rng.random() < self.p else 1.0 / (1.0 - self.p)  # at p = 1 always 0: random() is below 1

    def forward(self, x: list[Value]) -> list[Value]:
        return self.forward_batch([x])[0]

    def forward_batch(self, X: list[list[Value]]) -> list[list[Value]]:
        if not self.training:
            return X
        masks = [[Value(self.sample(), index_name("m", self.layer, j)) for j in range(len(x))] for x in X]
        self.masks = dict.fromkeys(flatten(masks), self.sample)
        return [[x_j * m_j for x_j, m_j in zip(*pair)] for pair in zip(X, masks)]

    def __repr__(self) -> str:
        return f"Dropout({self.p:g})"
