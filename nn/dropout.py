"""Dropout, which multiplies each unit by a random mask in training mode, so that units do not co-adapt.

The mask is a leaf, and the local derivative of the product with respect to the unit is the mask's number, so no
gradient flows back through a dropped unit.
"""

from collections.abc import Callable
from random import Random

from autograd.value import Value
from nn.module import Module, flatten, index_name
from nn.validation import generator, in_range


class Dropout(Module):
    """In training mode, set each unit to 0 with probability p, else to a_j / (1 − p); in evaluation mode, do nothing.

    The output is a_j m_j with a mask m_j of 0 or 1/(1 − p), drawn for every unit of every example. Its mean over the
    masks is a_j ("inverted" dropout), so evaluation mode needs no scaling. For p = 1 every mask is 0.

    p       probability of dropping a unit, from 0 to 1
    rng     a seed, a ``random.Random`` that draws one number per mask, or None for a randomly seeded generator
    masks   the mask leaves of the latest pass in training mode, in the order they were drawn, each with its sampler:
            ``{m¹_1: sample, m¹_2: sample, …}``

    Raises ValueError for a p outside [0, 1].
    Source: Srivastava et al. 2014, where p is the probability of keeping a unit, and evaluation scales the weights.

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
        """Draw a mask: 0 with probability p, else 1/(1 − p)."""
        return 0.0 if self.rng.random() < self.p else 1.0 / (1.0 - self.p)  # never divides by 0: random() < 1

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
