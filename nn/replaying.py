"""Training on arrays: the loss of a mini-batch is recorded once for each of its sizes, and fed from then on.

What differs from step to step is a leaf of the graph: the examples, their targets (one-hot where they choose a unit)
and the masks of dropout. Parameters live in arrays for an epoch, and are back in their Values when it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import inf
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd.number_systems.arrays import Array
from autograd.replay import Program
from autograd.replay.program import remaining_leaves
from autograd.replay.recording import run_nearby, run_watched
from autograd.replay.training import training as training_on_arrays
from autograd.value import Value, collector_paused
from nn.data import Dataset
from nn.faults import failing_example, naming_example, refuse_infinite
from nn.losses import BY_NAME, Loss, mean_loss, to_feed
from nn.module import Module, evaluating, flatten
from nn.normalisation import BatchNorm, Normalised
from nn.optim import clip_norm, clip_value
from nn.regularisation import Dropout
from nn.training import check_targets, label_of, outputs_of

if TYPE_CHECKING:
    from nn.training import Training

Step = Callable[[Sequence[int]], tuple[float, int]]
LARGEST_CHUNK = 100  # examples that are evaluated at once: a graph of all of them could be large


def why_not(training: Training) -> str | None:
    """Why a training that is free to choose is left to the eager engine, or None.

    Layers and losses of one's own may decide by numbers; what they decide, a replay would repeat for ever.
    """
    if training.loss not in BY_NAME.values():
        return f"the loss {getattr(training.loss, '__name__', training.loss)!r} is none of nn.losses"
    for module in (training.model, *training.model.submodules().values()):
        if type(module).__module__.split(".")[0] != "nn":
            return f"{type(module).__name__} is none of nn's layers"
    return None


class Replay:
    """A training's steps as programs.

    engine    of the programs: "auto" lets the graph of a whole mini-batch decide
    chosen    the engine that it is, and ``reason``, why in words

    Raises ValueError for what cannot be recorded.
    """

    def __init__(self, training: Training, engine: str) -> None:
        self.training, self.engine = training, engine
        model, optimizer = training.model, training.optimizer
        self.structure = structure(training)
        moved = set(optimizer.parameters)
        self.still = [p for p in model.parameters() if p not in moved]
        self.norms = [m for m in (model, *model.submodules().values()) if isinstance(m, BatchNorm)]
        self.dropouts = [m for m in (model, *model.submodules().values()) if isinstance(m, Dropout)]
        self.examples = _Examples(training, training.training, "training data")
        # in evaluation the statistics of a BatchNorm are constants, which change from epoch to epoch
        replayed = training.validation if not self.norms else None
        self.validation = _Examples(training, replayed, "validation data") if replayed else None
        self.steps: dict[tuple[int, Loss], _Recorded] = {}
        self.evaluations: dict[tuple[int, Loss], _Recorded] = {}
        first = self._for_step(range(min(training.batch_size, len(self.examples.y))))
        self.chosen, self.reason = first.program.engine, first.program.reason

    def _for_step(self, batch: Sequence[int]) -> _Recorded:
        key = len(batch), self.examples.loss
        if key not in self.steps:
            self.steps[key] = _Recorded(self, self.examples, batch, self.engine)
        return self.steps[key]

    @contextmanager
    def epoch(self) -> Iterator[tuple[Step, Array]]:
        """Inside, ``step(batch)`` is one update; ``gradient`` adds up m times the gradient of each batch of m.

        On the way out, whatever was raised, the optimiser's parameters, their gradients and its memory are back
        where they belong, as they were after the last step that was done.
        """
        training = self.training
        gradient: Array = np.zeros(len(training.optimizer.parameters))
        latest: list[_Recorded] = []

        def program_for(feeds: Sequence[Any]) -> Program:
            return latest[0].program

        def change(given: Array) -> None:
            refuse_infinite(latest[0].program.loss)
            gradient[:] += len(latest[0].y) * given
            self._clip(given)

        with training_on_arrays(training.optimizer, program_for) as run:

            def step(batch: Sequence[int]) -> tuple[float, int]:
                latest[:] = [self._for_step(batch)]
                return latest[0].step(batch, run, change)

            yield step, gradient

    def _clip(self, gradient: Array) -> None:
        """What ``nn.optim`` does to the gradients of Values, for an array of them."""
        training = self.training
        if training.clip_value is not None:
            if np.isnan(gradient).any():
                clip_value(_as_parameters(gradient), training.clip_value)  # says what is wrong
            np.clip(gradient, -training.clip_value, training.clip_value, out=gradient)
        if training.clip_norm is not None:
            norm = float(np.linalg.norm(gradient))
            if norm == inf or norm != norm:
                values = _as_parameters(gradient)
                clip_norm(values, training.clip_norm)  # without overflow on the way; or says what is wrong
                gradient[:] = [p.grad for p in values]
            elif norm > training.clip_norm:
                gradient *= training.clip_norm / norm

    def evaluate(self) -> tuple[float, float]:
        """Mean loss and accuracy on the validation data, as ``nn.training.evaluate`` gives them."""
        data = self.validation
        assert data is not None
        n, total, right = len(data.y), 0.0, 0
        with evaluating(self.training.model):
            for start in range(0, n, LARGEST_CHUNK):
                batch = range(start, min(start + LARGEST_CHUNK, n))
                key = len(batch), data.loss
                if key not in self.evaluations:
                    self.evaluations[key] = _Recorded(self, data, batch, "replay")
                loss, good = self.evaluations[key].evaluate(batch)
                total += loss * len(batch)
                right += good
        return total / n, right / n


def structure(training: Training) -> list[Any]:
    """What a program depends on and no feed brings: it is recorded anew when this is another."""
    modules = {"": training.model, **training.model.submodules()}
    return [
        training.loss, training.l1, training.l2, list(training.optimizer.parameters),
        [(path, type(module), _described(module)) for path, module in modules.items()],
    ]  # fmt: skip


def _described(module: Module) -> dict[str, Any]:
    """A module's options, and which leaves are its parameters; not what it learns without a gradient."""
    found: dict[str, Any] = {}
    for name, thing in vars(module).items():
        if isinstance(thing, (list, tuple, Value)) and not name.endswith("_"):
            found[name] = flatten(thing)
        elif isinstance(thing, (int, float, str)) and name != "training":
            found[name] = thing
    return found


class _Examples:
    """A dataset, which is ``called`` so, as arrays: an index of a mini-batch gives its feeds."""

    def __init__(self, training: Training, data: Dataset, called: str) -> None:
        self.X: Array = np.array(data.X, dtype=np.float64)
        self.called, self.features = called, data.features
        try:
            check_targets(training.model, training.loss, data)  # leaves are not
            [output] = outputs_of(training.model, data.X[:1])
        except ArithmeticError as error:
            raise failing_example(training.model, training.loss, data, called) or error from None
        self.y: Array = np.array([label_of(target) for target in data.y], dtype=np.float64)
        self.loss, targets = to_feed(training.loss, data.y, output)
        self.targets: Array = np.array(targets, dtype=np.float64)


class _Recorded:
    """The loss of m examples as a program, in the mode that the model is in."""

    def __init__(self, replay: Replay, data: _Examples, batch: Sequence[int], engine: str) -> None:
        training, model = replay.training, replay.training.model
        self.replay, self.data = replay, data
        self.y = data.y[list(batch)]
        self.averaged: list[tuple[BatchNorm, list[Normalised]]] = []
        learns = model.training
        X = [[Value(x) for x in row] for row in data.X[list(batch)].tolist()]
        targets = _leaves(data.targets[list(batch)].tolist())
        made: dict[str, Any] = {}

        def run() -> Value:
            made.clear()
            with _rewound(training, self._latest_of(made)):
                made["outputs"] = model.batch(X)
                made["loss"] = mean_loss(data.loss, made["outputs"], targets)
                return training.with_penalties(made["loss"]) if learns else made["loss"]

        self.X = X
        with collector_paused(), naming_example(X, batch, data.called):
            if why_not(training) is None:
                loss = run()
            else:
                loss, lines = run_watched(run, may_draw=True)  # masks, which are fed anew
                first = dict(made)
                leaves = [*flatten(X), *model.parameters()]
                run_nearby(run, {leaf: leaf.data for leaf in leaves}, loss, lines, may_draw=True)
                made = first
        self.masks = [(d, list(d.masks)) for d in replay.dropouts if learns and d.masks]
        self.averaged = made.get("normalised", [])
        moved = training.optimizer.parameters
        self.held = replay.still if learns else [*replay.still, *moved]
        inputs: list[Any] = [X, targets, *(masks for _, masks in self.masks), *([self.held] if self.held else [])]
        parameters = moved if learns else []
        if set(remaining_leaves(loss, inputs)) - set(parameters):
            raise ValueError(
                f"the loss of {model!r} depends on leaves that are neither parameters nor fed anew, as those of a "
                "layer that makes Values of its own, or of a Dropout that is used twice: train with engine='eager'"
            )
        self.program = Program(loss, inputs, parameters, engine, again=None if self.masks else run)
        outputs = [unit for output in made["outputs"] for unit in ([output] if isinstance(output, Value) else output)]
        self.outputs = self.program.reader(outputs)
        self.units = len(outputs) // len(batch)
        # with penalties the root is more than the loss that is reported
        self.loss = None if made["loss"] is loss else self.program.reader([made["loss"]])
        self.statistics = [
            (norm, self.program.reader([c.mu for c in columns]), self.program.reader([c.sigma2 for c in columns]))
            for norm, columns in self.averaged
        ]

    def _latest_of(self, made: dict[str, Any]) -> dict[BatchNorm, Callable[[list[Normalised]], object]]:
        found = made.setdefault("normalised", [])

        def keep(norm: BatchNorm) -> Callable[[list[Normalised]], object]:
            return lambda columns: found.append((norm, columns))

        return {norm: keep(norm) for norm in self.replay.norms}

    def _feeds(self, batch: Sequence[int]) -> list[Any]:
        index = np.asarray(batch)
        self.y = self.data.y[index]
        masks = [[dropout.sample() for _ in masks] for dropout, masks in self.masks]
        held = [[p.data for p in self.held]] if self.held else []
        return [self.data.X[index], self.data.targets[index], *masks, *held]

    def step(
        self, batch: Sequence[int], run: Callable[..., float], change: Callable[[Array], None]
    ) -> tuple[float, int]:
        """One update with these examples; the loss before, and how many were right."""
        with naming_example(self.X, batch, self.data.called, self.data.features, self._graph):
            loss = run(self._feeds(batch), change)
        for norm, mu, sigma2 in self.statistics:
            norm.average(mu().tolist(), sigma2().tolist(), len(batch))
        return self._result(loss)

    def _graph(self) -> Value:
        self.program.to_values()
        return self.program.root

    def evaluate(self, batch: Sequence[int]) -> tuple[float, int]:
        """The loss of these examples, and how many are right."""
        return self._result(self.program(self._feeds(batch)))

    def _result(self, loss: float) -> tuple[float, int]:
        outputs = self.outputs()
        if self.units == 1:
            right = (outputs > 0.0) == self.y
        else:
            right = outputs.reshape(-1, self.units).argmax(axis=1) == self.y
        return loss if self.loss is None else float(self.loss()[0]), int(np.count_nonzero(right))


@contextmanager
def _rewound(training: Training, latest: dict[BatchNorm, Callable[[list[Normalised]], object]]) -> Iterator[None]:
    """Inside, BatchNorms tell of their nodes; afterwards generators and statistics are as they were before."""
    generators: set[Random] = set(training.generators().values())
    states = [(rng, rng.getstate()) for rng in generators]
    statistics = [(buffer, buffer.copy()) for buffer in training.model.buffers().values()]
    before = {norm: norm.latest for norm in latest}
    try:
        for norm, told in latest.items():
            norm.latest = told
        yield
    finally:
        for norm, told in before.items():
            norm.latest = told
        for rng, state in states:
            rng.setstate(state)
        for buffer, old in statistics:
            buffer[:] = old


def _leaves(numbers: Any) -> Any:
    return [_leaves(row) for row in numbers] if isinstance(numbers, list) else Value(numbers)


def _as_parameters(gradient: Array) -> list[Value]:
    values = [Value(0.0) for _ in gradient]
    for p, g in zip(values, gradient.tolist()):
        p.grad = g
    return values
