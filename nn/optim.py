"""Optimisers, gradient clipping and learning-rate schedules.

Each update rule is written once, as arithmetic that works on floats and arrays. A schedule is a function from the
number of steps already taken to a learning rate: ``SGD(parameters, linear(1.0, 0.1, steps=100))``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from inspect import signature
from itertools import chain, islice
from math import cos, hypot, inf, isfinite, pi
from typing import Any

from autograd.errors import DomainError
from autograd.value import Value
from nn.validation import ChecksKeywords, ForeignName, checks_keywords, in_range, whole

Schedule = Callable[[int], float]
Parameters = Iterable[Value] | Iterable[Mapping[str, Any]]

FIND_IT = "run both passes inside `with autograd.detect_anomaly():` to find where it arose"
_set = object.__setattr__  # skips the checks of Optimizer, which would slow down every step


class Optimizer(ChecksKeywords, ABC):
    """Base class of optimisers. A subclass implements ``first_state`` and ``update``.

    parameters      Values, or groups: dicts with "parameters" and options that override those passed here
    learning_rate   η, or a schedule, a function of the steps already taken; the attribute is η of the first group
    steps           number of steps taken
    groups          one optimiser of this class per group; without groups, only this optimiser

    A new value of ``learning_rate`` takes effect at the next step. Raises ValueError if there are no parameters, if
    one is repeated, if the learning rate is not positive and finite, or if it is set although there is a schedule.

    >>> body, head = Value(1.0), Value(1.0)
    >>> sgd = SGD([{"parameters": [body]}, {"parameters": [head], "learning_rate": 0.25}], learning_rate=0.5)
    >>> (body * head).backward()
    >>> sgd.step()
    >>> body.data, head.data
    (0.5, 0.75)
    """

    lr, param_groups, params = ForeignName(), ForeignName(), ForeignName()
    schedule: Schedule | None = None
    _groups: Sequence[Optimizer] = ()

    def __init__(self, parameters: Parameters, learning_rate: float | Schedule) -> None:
        given: list[Any] = list(parameters) if isinstance(parameters, Iterable) else [parameters]
        rate = learning_rate(0) if callable(learning_rate) else in_range("learning_rate", learning_rate, above=0.0)
        self.learning_rate = rate
        if any(isinstance(group, Mapping) for group in given):
            options = {name: getattr(self, name) for name in [*signature(type(self)).parameters][2:]}
            options["learning_rate"] = learning_rate
            groups: list[Optimizer] = []
            for i, group in enumerate(given):
                try:
                    groups += type(self)(**{**options, **group}).groups
                except (TypeError, ValueError) as error:
                    raise type(error)(f"group {i}: {error}") from None
            self._groups, given = groups, [p for group in groups for p in group.parameters]
        if not given:
            raise ValueError("the optimiser got no parameters: pass model.parameters()")
        if any(not isinstance(p, Value) for p in given):
            raise TypeError(f"an optimiser updates Values, not {given[0]!r}: pass model.parameters()")
        if computed := [p for p in given if p.parents]:
            raise ValueError(f"an optimiser updates leaves, but {computed[0]!r} is computed: pass model.parameters()")
        if len(set(given)) < len(given):
            raise ValueError("a parameter appears twice, and would be updated twice: pass each parameter once")
        self.parameters: list[Value] = given
        self.steps = 0
        self.schedule = learning_rate if callable(learning_rate) else None
        if not self._groups:
            self.states = [self.first_state()] * len(given)

    def __setattr__(self, name: str, new: Any) -> None:
        """Validate the learning rate and the schedule, and refuse options that the groups override."""
        if self._groups and name in vars(self) and name in ("schedule", *signature(type(self)).parameters):
            raise ValueError(f"each group has its own {name}: set it in `for group in optimizer.groups`")
        if name == "learning_rate":
            if self.schedule is not None:
                remedy = "set optimizer.schedule, or set it to None first"
                raise ValueError(f"learning_rate = {new!r} would be overwritten by the schedule: {remedy}")
            new = in_range(name, new, at_least=0.0)
        elif name == "schedule" and not (new is None or callable(new)):
            raise TypeError(f"schedule = {new!r}: it must be a function of the steps already taken, or None")
        _set(self, name, new)
        if name != "states" and len(self.first_state()) != len(getattr(self, "states", [self.first_state()])[0]):
            self.states = [self.first_state()] * len(self.parameters)  # for instance, momentum was set later

    @property
    def groups(self) -> Sequence[Optimizer]:
        """One optimiser per group of parameters; without groups, only this optimiser."""
        return self._groups or (self,)

    @abstractmethod
    def first_state(self) -> tuple[float, ...]:
        """Return the state of a parameter before its first step."""

    @abstractmethod
    def update(self, w: Any, gradient: Any, state: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
        """Return the new number and the new state of a parameter.

        Use only arithmetic, which works on floats and arrays. ``steps`` includes the current step.
        """

    @property
    def progress(self) -> tuple[int, list[float]]:
        """The steps taken and the learning rate of each group."""
        return self.steps, [group.learning_rate for group in self.groups]

    @progress.setter
    def progress(self, progress: tuple[int, Sequence[float]]) -> None:
        steps, rates = progress
        for group, rate in zip((self, *self._groups), (rates[0], *rates)):
            _set(group, "steps", steps)
            _set(group, "learning_rate", rate)

    def begin_step(self) -> None:
        """Increment ``steps`` and take the learning rate from the schedule, before ``update`` is called.

        Raises ValueError, and changes nothing, if the rate is negative or not finite.
        """
        if self._groups:
            self.progress = self.steps + 1, [group._next_rate() for group in self._groups]
        else:  # equivalent, but several times faster
            _set(self, "learning_rate", self._next_rate())
            _set(self, "steps", self.steps + 1)

    def _next_rate(self) -> float:
        try:
            rate = self.learning_rate if self.schedule is None else self.schedule(self.steps)
        except OverflowError:  # such as 2 ** 2000.0
            rate = inf
        if type(rate) is not float or not 0.0 <= rate < inf:  # formatting the message takes longer than a step
            rate = in_range(f"learning_rate after {self.steps} steps", rate, at_least=0.0)
        return rate

    def step(self) -> None:
        """Update every parameter. Raises DomainError, and updates none, if one would not be finite."""
        groups, before = self.groups, self.progress
        try:
            self.begin_step()
            moved = [g.update(p.data, p.grad, state) for g in groups for p, state in zip(g.parameters, g.states)]
            numbers, states = zip(*moved)
            if not all(map(isfinite, chain(numbers, *states))):
                self._refuse(numbers, states)
        except BaseException:
            self.progress = before
            raise
        for p, w in zip(self.parameters, numbers):
            p.data = w
        rest = iter(states)
        for group in groups:
            _set(group, "states", list(islice(rest, len(group.parameters))))

    def _refuse(self, numbers: Sequence[float], states: Sequence[tuple[float, ...]]) -> None:
        rates = (group.learning_rate for group in self.groups for _ in group.parameters)
        for p, rate, w, state in zip(self.parameters, rates, numbers, states):
            if not all(map(isfinite, (w, *state))):
                remedy = f"try a learning rate below {rate!r}, or clip the gradients" if isfinite(p.grad) else FIND_IT
                raise DomainError(
                    f"{p.name or 'a parameter'} = {p.data!r} with the gradient {p.grad!r} would become {w!r} with "
                    f"the state {state!r}, so no parameter was updated: {remedy}"
                )

    def zero_grad(self) -> None:
        """Set every gradient to 0."""
        for p in self.parameters:
            p.grad = 0.0

    def state_dict(self) -> dict[str, Any]:
        """Return the class, the steps, and for each group its learning rate and its states, one row per parameter."""
        return {
            "class": type(self).__name__,
            "steps": self.steps,
            "learning_rate": [group.learning_rate for group in self.groups],
            "states": [[list(row) for row in group.states] for group in self.groups],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a ``state_dict``. Raises ValueError or TypeError, and changes nothing, if it does not match."""
        name, saved = type(self).__name__, state.get("class", "an optimiser of an earlier version")
        if saved != name:
            raise ValueError(f"the state belongs to {saved}, but this is {name}: create the optimiser that was saved")
        steps, *rates = (in_range("a number", x, at_least=0.0) for x in (state["steps"], *state["learning_rate"]))
        states = [[tuple(in_range("a number", x) for x in row) for row in rows] for rows in state["states"]]
        widths = [[len(group.first_state())] * len(group.parameters) for group in self.groups]
        if [[*map(len, rows)] for rows in states] != widths or len(rates) != len(widths):
            raise ValueError(
                f"the state belongs to groups of {[*map(len, states)]} parameters, but this {name} has groups of "
                f"{[*map(len, widths)]} with {[row[0] for row in widths]} numbers per state: create it with the same "
                "groups, options and model"
            )
        self.progress = int(steps), rates
        for group, rows in zip(self.groups, states):
            group.states = rows


class SGD(Optimizer):
    """w ← w − η v with v ← momentum · v + g and g = ∂L/∂w + weight_decay · w; by default, w ← w − η ∂L/∂w.

    nesterov   use w ← w − η (g + momentum · v) instead, which looks one step ahead

    Source: Sutskever et al. 2013 for Nesterov momentum, in PyTorch's form.

    >>> w = Value(1.0)
    >>> (w * w).backward()
    >>> SGD([w], learning_rate=0.25).step()
    >>> w.data
    0.5
    """

    def __init__(
        self, parameters: Parameters, learning_rate: float | Schedule, momentum: float = 0.0,
        weight_decay: float = 0.0, nesterov: bool = False,
    ) -> None:  # fmt: skip
        self.momentum = in_range("momentum", momentum, at_least=0.0, below=1.0)
        self.weight_decay = in_range("weight_decay", weight_decay, at_least=0.0)
        if nesterov and not momentum:
            raise ValueError("nesterov requires momentum, which is 0.0: set a positive momentum, such as 0.9")
        self.nesterov = nesterov
        super().__init__(parameters, learning_rate)

    def first_state(self) -> tuple[float, ...]:
        return (0.0,) if self.momentum else ()

    def update(self, w: Any, gradient: Any, state: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
        if self.weight_decay:
            gradient = gradient + self.weight_decay * w
        if not self.momentum:
            return w - self.learning_rate * gradient, ()
        v = self.momentum * state[0] + gradient
        return w - self.learning_rate * (gradient + self.momentum * v if self.nesterov else v), (v,)


class RMSprop(Optimizer):
    """w ← w − η g / (√v + ε) with the running mean v ← α v + (1 − α) g² of the squared gradient g.

    momentum       w ← w − η u with u ← momentum · u + g / (√v + ε)
    weight_decay   adds weight_decay · w to the gradient

    Source: Tieleman & Hinton 2012, lecture 6.5, with ε outside the root, as in PyTorch.
    """

    def __init__(
        self, parameters: Parameters, learning_rate: float | Schedule = 1e-2, alpha: float = 0.99,
        epsilon: float = 1e-8, weight_decay: float = 0.0, momentum: float = 0.0,
    ) -> None:  # fmt: skip
        self.alpha = in_range("alpha", alpha, at_least=0.0, below=1.0)
        self.epsilon = in_range("epsilon", epsilon, above=0.0)
        self.weight_decay = in_range("weight_decay", weight_decay, at_least=0.0)
        self.momentum = in_range("momentum", momentum, at_least=0.0, below=1.0)
        super().__init__(parameters, learning_rate)

    def first_state(self) -> tuple[float, ...]:
        return (0.0, 0.0)

    def update(self, w: Any, gradient: Any, state: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
        if self.weight_decay:
            gradient = gradient + self.weight_decay * w
        v = self.alpha * state[0] + (1.0 - self.alpha) * gradient * gradient
        u = self.momentum * state[1] + gradient / (v**0.5 + self.epsilon)
        return w - self.learning_rate * u, (v, u)


class Adam(Optimizer):
    """w ← w − η m̂ / (√v̂ + ε) with m̂ = m/(1 − β₁ᵗ) and v̂ = v/(1 − β₂ᵗ).

    m, v           running means of the gradient g and of g²: m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g²
    weight_decay   adds weight_decay · w to the gradient

    Source: Kingma & Ba 2015, Algorithm 1.
    """

    def __init__(
        self, parameters: Parameters, learning_rate: float | Schedule = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999), epsilon: float = 1e-8, weight_decay: float = 0.0,
    ) -> None:  # fmt: skip
        if len(betas) != 2:
            raise ValueError(f"betas = {betas!r}: Adam needs two, for the means of the gradient and of its square")
        self.betas = tuple(in_range("beta", beta, at_least=0.0, below=1.0) for beta in betas)
        self.epsilon = in_range("epsilon", epsilon, above=0.0)
        self.weight_decay = in_range("weight_decay", weight_decay, at_least=0.0)
        super().__init__(parameters, learning_rate)

    def first_state(self) -> tuple[float, ...]:
        return (0.0, 0.0)

    def update(self, w: Any, gradient: Any, state: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
        return self.adapted(w, gradient + self.weight_decay * w if self.weight_decay else gradient, state)

    def adapted(self, w: Any, gradient: Any, state: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
        """Return w − η m̂ / (√v̂ + ε) and the new (m, v)."""
        beta1, beta2 = self.betas
        m = beta1 * state[0] + (1.0 - beta1) * gradient
        v = beta2 * state[1] + (1.0 - beta2) * gradient * gradient
        m_hat = m / (1.0 - beta1**self.steps)
        v_hat = v / (1.0 - beta2**self.steps)
        return w - self.learning_rate * (m_hat / (v_hat**0.5 + self.epsilon)), (m, v)


class AdamW(Adam):
    """Adam with decoupled weight decay: w ← w − η weight_decay · w − η m̂ / (√v̂ + ε).

    In Adam the decay passes through m and v, so that large gradients weaken it.
    Source: Loshchilov & Hutter 2019, Algorithm 2, with PyTorch's scaling.
    """

    def __init__(
        self, parameters: Parameters, learning_rate: float | Schedule = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999), epsilon: float = 1e-8, weight_decay: float = 0.01,
    ) -> None:  # fmt: skip
        super().__init__(parameters, learning_rate, betas, epsilon, weight_decay)

    def update(self, w: Any, gradient: Any, state: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
        return self.adapted(w - self.learning_rate * (self.weight_decay * w), gradient, state)


# ---- clipping: between the backward pass and the step -----------------------------------------------------------


def gradient_norm(parameters: Iterable[Value]) -> float:
    """Return √ Σ (∂L/∂w)² over the parameters, without intermediate overflow.

    >>> w, b = Value(1.0), Value(1.0)
    >>> (3.0 * w + 4.0 * b).backward()
    >>> gradient_norm([w, b])
    5.0
    """
    return hypot(*[p.grad for p in parameters])


@checks_keywords
def clip_norm(parameters: Iterable[Value], largest: float) -> float:
    """Scale the gradient, as one vector, to the norm ``largest`` if it is longer; return its original norm.

    Raises ValueError if ``largest`` is not positive and finite, and DomainError if the gradient is not finite; both
    leave the gradient unchanged. Source: Pascanu, Mikolov & Bengio 2013.

    >>> w, b = Value(1.0), Value(1.0)
    >>> (3.0 * w + 4.0 * b).backward()
    >>> clip_norm([w, b], largest=1.0), w.grad, b.grad
    (5.0, 0.6000000000000001, 0.8)
    """
    in_range("largest norm", largest, above=0.0)
    parameters = list(parameters)
    norm = gradient_norm(parameters)
    factor = shortening(norm, largest)
    for p in parameters:
        p.grad *= factor
    return norm


def shortening(norm: float, largest: float) -> float:
    """Return the factor by which ``clip_norm`` scales a gradient. Raises DomainError if its norm is not finite."""
    if not isfinite(norm):
        raise DomainError(f"the gradient's norm is {norm!r}, which clipping cannot fix: {FIND_IT}")
    return largest / norm if norm > largest else 1.0


@checks_keywords
def clip_value(parameters: Iterable[Value], largest: float) -> None:
    """Clip every ∂L/∂w to [−largest, largest], which may change the direction of the gradient.

    Raises ValueError if ``largest`` is not positive and finite, and DomainError for NaN; both leave it unchanged.

    >>> w = Value(1.0)
    >>> (3.0 * w).backward()
    >>> clip_value([w], largest=1.0)
    >>> w.grad
    1.0
    """
    in_range("largest value", largest, above=0.0)
    parameters = list(parameters)
    refuse_nan(p.grad for p in parameters)
    for p in parameters:
        p.grad = min(max(p.grad, -largest), largest)


def refuse_nan(gradients: Iterable[float]) -> None:
    """Raise DomainError if a gradient is NaN."""
    if any(g != g for g in gradients):
        raise DomainError(f"a gradient is NaN, which clipping cannot fix: {FIND_IT}")


# ---- schedules: the learning rate η after t steps -----------------------------------------------------------------


def constant(rate: float) -> Schedule:
    """η = rate."""
    rate = in_range("rate", rate, above=0.0)
    return lambda t: rate


def linear(start: float, end: float, steps: int) -> Schedule:
    """η = start + (end − start) t/steps, and ``end`` from t = steps on.

    >>> [round(linear(1.0, 0.1, steps=100)(t), 12) for t in (0, 50, 99)]
    [1.0, 0.55, 0.109]
    """
    start, end = in_range("start", start, at_least=0.0), in_range("end", end, at_least=0.0)
    steps = whole("steps", steps)
    return lambda t: start + (end - start) * min(t / steps, 1.0)


def inverse_time(start: float, decay: float) -> Schedule:
    """η = start / (1 + decay · t), which is 1, 1/2, 1/3, … for start = decay = 1.

    It satisfies Σ η = ∞ and Σ η² < ∞, the conditions for SGD to converge. Source: Robbins & Monro 1951.

    >>> [round(inverse_time(0.5, decay=0.1)(t), 12) for t in (0, 10, 90)]
    [0.5, 0.25, 0.05]
    """
    start, decay = in_range("start", start, above=0.0), in_range("decay", decay, at_least=0.0)
    return lambda t: start / (1.0 + decay * t)


def exponential(start: float, factor: float) -> Schedule:
    """η = start · factorᵗ.

    >>> [exponential(1.0, factor=0.5)(t) for t in (0, 1, 2)]
    [1.0, 0.5, 0.25]
    """
    start, factor = in_range("start", start, above=0.0), in_range("factor", factor, above=0.0)
    return lambda t: start * factor**t


def step(start: float, factor: float, every: int) -> Schedule:
    """η = start · factor^⌊t/every⌋.

    >>> [step(1.0, factor=0.5, every=10)(t) for t in (0, 9, 10, 20)]
    [1.0, 1.0, 0.5, 0.25]
    """
    return by_epoch(exponential(start, factor), whole("every", every))


def cosine(start: float, steps: int, end: float = 0.0) -> Schedule:
    """η = end + ½ (start − end) (1 + cos(π t/steps)), and ``end`` from t = steps on.

    Source: Loshchilov & Hutter 2017, equation 5.

    >>> [round(cosine(1.0, steps=100)(t), 12) for t in (0, 50, 100, 101)]
    [1.0, 0.5, 0.0, 0.0]
    """
    start, end = in_range("start", start, at_least=0.0), in_range("end", end, at_least=0.0)
    angle = linear(0.0, pi, steps)
    return lambda t: end + 0.5 * (start - end) * (1.0 + cos(angle(t)))


def warm_up(schedule: Schedule, steps: int) -> Schedule:
    """η rises linearly to the first rate of the schedule over ``steps`` steps; then the schedule starts.

    >>> warmed = warm_up(constant(1.0), steps=4)
    >>> [warmed(t) for t in (0, 1, 3, 4)]
    [0.25, 0.5, 1.0, 1.0]
    """
    steps = whole("steps", steps)
    return lambda t: schedule(0) * (t + 1) / steps if t < steps else schedule(t - steps)


def by_epoch(schedule: Schedule, updates: int) -> Schedule:
    """η = schedule(⌊t/updates⌋): apply a schedule per epoch of ``updates`` steps, ⌈N/m⌉ for N examples.

    >>> halved = by_epoch(exponential(1.0, 0.5), updates=3)
    >>> [halved(t) for t in (0, 2, 3, 6)]
    [1.0, 1.0, 0.5, 0.25]
    """
    updates = whole("updates", updates)
    return lambda t: schedule(t // updates)


OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {"adam": Adam, "adamw": AdamW, "rmsprop": RMSprop, "sgd": SGD}
SCHEDULES: dict[str, Callable[..., Schedule]] = {
    make.__name__: make for make in (constant, cosine, exponential, inverse_time, linear, step)
}
