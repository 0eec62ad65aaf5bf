"""Replays training: records the loss once for each size of a mini-batch, and feeds it the examples of each step.

All that differs from step to step is a leaf of the graph: the examples, their targets (one-hot if they choose a unit)
and the masks of dropout. Parameters, gradients and the optimiser's memory are arrays during an epoch, or until
something reads them, and in their Values when it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import copy, deepcopy
from functools import cache, partial
from inspect import signature
from math import fsum, hypot, inf, isclose
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd.errors import DomainError
from autograd.functions import dot
from autograd.modes import collector_paused, no_grad
from autograd.number_systems.arrays import Array
from autograd.number_systems.expressions import Formula, Operand, letters
from autograd.operands import data_of
from autograd.replay.buffers import is_finite
from autograd.replay.program import Program, bring_up_to_date, holders
from autograd.value import Value
from nn.batch_norm import BatchNorm, Normalised
from nn.data import Dataset
from nn.dropout import Dropout
from nn.evaluation import CLASSIFICATION, REGRESSION, check_targets, outputs_of
from nn.failures import failing_example, naming_example, refuse_infinite
from nn.losses import BY_NAME, Loss, mean_loss, to_feed, units_of
from nn.module import Module, evaluating, flatten
from nn.optim import Optimizer, refuse_nan, shortening
from nn.records import Metrics

if TYPE_CHECKING:
    from nn.training import Step, Training

UPDATES_TO_PAY = 20  # recording takes the time of some eager steps
COMPARED = 2  # mini-batches of a training that insists on replay: what differs from run to run shows in the second
LARGEST_CHUNK = 100  # examples that are evaluated at once: a graph of all of them could be large


@contextmanager
def training_on(program: Program, optimizer: Optimizer) -> Iterator[Callable[..., float]]:
    """Train a recorded program: ``step(feeds)`` runs it, moves each parameter and returns the loss before the update.

    Parameters, gradients and the optimiser's memory are written back when the block ends, however it ends. Inside it,
    other programs on these parameters and ``to_values`` see their present numbers; ``data`` is up to date after one
    of those has run. ``step(feeds, program=other)`` runs another program, recorded for feeds of another shape.

    optimizer    one of ``nn.optim`` over the program's parameters, in the same order

    Raises ValueError for other parameters, DomainError as the optimiser's own ``step`` does.

    >>> from autograd import record
    >>> from nn import SGD
    >>> w, x = Value(2.0, "w"), Value(1.0, "x")
    >>> program = record((w * x) ** 2, inputs=[x], parameters=[w])
    >>> with training_on(program, SGD([w], 0.25)) as step:
    ...     step([1.0]), step([1.0])
    (4.0, 1.0)
    >>> w.data
    0.5
    """
    arrays = _Arrays(program, optimizer)
    holders.append(arrays.write_back)
    try:
        yield arrays.step
    finally:
        holders.remove(arrays.write_back)
        arrays.write_back(optimizer.parameters)


class _Arrays:
    """The numbers that are handed from program to program.

    A program keeps the parameters that it ran with until it runs again: its numbers can be read after a step too.
    """

    def __init__(self, program: Program, optimizer: Optimizer) -> None:
        self.program, self.optimizer = program, optimizer
        self.latest: Program | None = None  # the one that ran last
        self.is_ahead = False  # whether the arrays hold newer numbers than the Values
        self.numbers: list[Array] = []  # for each group its parameters, then a row for each number of a state
        self.compiled: dict[Program, Any] = {}  # the steps that are one call, with the options that they are for

    def step(
        self, feeds: Sequence[Any] = (), change: Callable[[Array], None] | None = None,
        program: Program | None = None, looks: bool = False,
    ) -> float:  # fmt: skip
        """One update; DomainError, with no parameter moved, where one would not be finite.

        change   edits the array of gradients in place before the parameters move, as clipping does
        looks    whether ``change`` only reads the gradients; it may then run after the update
        """
        program, optimizer = program or self.program, self.optimizer
        if program is not self.latest and program.parameters != optimizer.parameters:
            raise ValueError(
                f"the optimiser moves {len(optimizer.parameters)} parameters and {len(program.parameters)} were "
                "recorded, or in another order: record with parameters=optimizer.parameters"
            )
        program.take(feeds)
        program.read_others()
        rows = [1 + len(group.first_state()) for group in optimizer.groups]
        if self.is_ahead and rows != [*map(len, self.numbers)]:  # for example, momentum was set
            self.write_back(optimizer.parameters)
        if not self.is_ahead:
            self._read()
        before = optimizer.progress
        if (change is None or looks) and (at_once := self._compiled_step(program)):
            optimizer.begin_step()
            if at_once(*((group.learning_rate, group.steps) for group in optimizer.groups)):
                self.latest, self.is_ahead, loss = program, True, program.has_run()
                if change is not None:
                    change(program.gradient_array)
                return loss
            optimizer.progress = before  # and once more below, where what is not finite is named
        np.concatenate([numbers[0] for numbers in self.numbers], out=program.parameter_array)
        with np.errstate(all="ignore"):
            loss = program.run()
            self.latest = program
            if change is not None:
                change(program.gradient_array)
            optimizer.begin_step()
            moved = self._moved(program.gradient_array)
            finite = all(is_finite(numbers.ravel()) for numbers in moved)
        if not finite:
            optimizer.progress = before
            self.is_ahead = True  # with this step's gradients
            self.write_back(optimizer.parameters)
            optimizer.step()  # raises the error that names the parameter
        for numbers, new in zip(self.numbers, moved):
            numbers[:] = new
        self.is_ahead = True
        return loss

    def _read(self) -> None:
        """Read the Values; the arrays keep their places, which compiled steps know."""
        bring_up_to_date(self.optimizer.parameters)  # another training may hold them
        new = [np.array([[*map(data_of, g.parameters)], *zip(*g.states)]) for g in self.optimizer.groups]
        if [x.shape for x in new] != [x.shape for x in self.numbers]:
            self.numbers, self.compiled = new, {}
        for numbers, x in zip(self.numbers, new):
            numbers[:] = x

    def _moved(self, gradient: Array) -> list[Array]:
        moved, first = [], 0
        for group, (w, *state) in zip(self.optimizer.groups, self.numbers):
            new, states = group.update(w, gradient[first : first + len(w)], tuple(state))
            moved.append(np.array([new, *states]))
            first += len(w)
        return moved

    def _compiled_step(self, program: Program) -> Any:
        """Both passes and the update as one call, where the program is compiled and the optimiser is ours."""
        if program.engine != "compiled" or not _is_ours(self.optimizer):
            return None
        options = [[getattr(g, name) for name in _options_of(type(g))] for g in self.optimizer.groups]
        known, step = self.compiled.get(program, (None, None))
        if options != known:
            from autograd.compiled.training_step import training_step  # imports llvmlite

            plan: Any = program.plan
            loops = [_update_loop(g, own) for g, own in zip(self.optimizer.groups, options)]
            step = training_step(plan, loops, self.numbers)
            self.compiled[program] = options, step
        return step

    def write_back(self, leaves: Collection[Value]) -> None:
        """Where some of these leaves are ours: all numbers to their Values, which the next step reads again."""
        if not self.is_ahead or set(leaves).isdisjoint(self.optimizer.parameters):
            return
        assert self.latest is not None
        gradients = iter(self.latest.gradient_array.tolist())
        for group, numbers in zip(self.optimizer.groups, self.numbers):
            w, *columns = numbers.tolist()
            for p, x, gradient in zip(group.parameters, w, gradients):
                p._data, p.grad = x, gradient  # floats already
            if columns and len(columns) == len(group.first_state()):
                group.states = list(zip(*columns))
        self.is_ahead = False


@cache
def _options_of(kind: type[Optimizer]) -> list[str]:
    """What is written into a compiled update; the learning rate and the number of steps are given to each call."""
    return [name for name in signature(kind).parameters if name not in ("parameters", "learning_rate")]


_loops: dict[Any, int] = {}  # where updates begin, by class and options


def _update_loop(group: Optimizer, options: list[Any]) -> int:
    """The address of the group's update, for every learning rate and number of steps."""
    from autograd.compiled.training_step import update_loop

    key = type(group), *options
    if key not in _loops:
        results, given, [w, gradient, *state] = update_formulas(group)
        _loops[key] = update_loop(results, [w, *state, gradient], given)
    return _loops[key]


def update_formulas(group: Optimizer) -> tuple[list[Operand], list[Formula], list[Formula]]:
    """A parameter's new number and state as formulas, of the letters of η and t, and of w, ∂L/∂w and its state."""
    twin = copy(group)
    learning_rate, steps, w, gradient, *state = letters(4 + len(group.first_state()))
    vars(twin).update(learning_rate=learning_rate, steps=steps)
    moved, new = twin.update(w, gradient, tuple(state))
    return [moved, *new], [learning_rate, steps], [w, gradient, *state]


# ---- a training ---------------------------------------------------------------------------------------------------


def why_not(training: Training) -> str | None:
    """Why a training with ``engine="auto"`` runs on the eager engine, or None.

    Layers, losses and optimisers that are not ours may decide by numbers; a replay would repeat that decision.
    """
    if training.loss not in BY_NAME.values():
        return f"the loss {getattr(training.loss, '__name__', training.loss)!r} is not one of nn.losses"
    if not _is_ours(training.optimizer):
        return f"the optimiser {type(training.optimizer).__name__} is not one of nn.optim"
    for module in (training.model, *training.model.submodules().values()):
        if not _is_ours(module):
            return f"{type(module).__name__} is not one of nn's layers"
    planned = training.epochs * training.updates_per_epoch
    return f"{planned} updates are too few to pay for recording" if planned < UPDATES_TO_PAY else None


def _is_ours(thing: object) -> bool:
    return type(thing).__module__.split(".")[0] == "nn"


class Replay:
    """The steps of a training as programs.

    engine    "auto" decides by the graph of a whole mini-batch; "replay" insists, and compares each of the first
              ``COMPARED`` mini-batches with a fresh graph
    now       the recorded loss of the present mini-batch

    Raises ValueError for what cannot be recorded.
    """

    def __init__(self, training: Training, engine: str) -> None:
        self.training, self.engine = training, engine
        modules = dict.fromkeys([training.model, *training.model.submodules().values()])  # each once
        self.norms = [m for m in modules if isinstance(m, BatchNorm)]
        self.dropouts = [m for m in modules if isinstance(m, Dropout)]
        # in evaluation the statistics of a BatchNorm are constants, which change from epoch to epoch
        self.evaluates = not self.norms
        self.to_compare = COMPARED if engine == "replay" else 0
        if self.to_compare and not _is_ours(training.optimizer):
            check_update(training.optimizer)
        self.examples = _Examples("training data")
        self.validation = _Examples("validation data")
        self.follow()
        self.recorded: dict[tuple[_Examples, int, Loss], _Recorded] = {}
        self.now = self._recorded(self.examples, range(min(training.batch_size, len(self.examples.y))))

    def follow(self) -> None:
        """Read the data again if they have changed."""
        training = self.training
        self.examples.follow(training, training.training, training.scaled)
        if training.validation is not None and self.evaluates:
            self.validation.follow(training, training.validation)

    def _recorded(self, data: _Examples, batch: Sequence[int]) -> _Recorded:
        key = data, len(batch), data.loss
        if key not in self.recorded:
            self.recorded[key] = _Recorded(self, data, batch)
        return self.recorded[key]

    @contextmanager
    def epoch(self, total: list[float]) -> Iterator[Step]:
        """Inside, ``step(batch)`` is one update; afterwards ``total`` is Σ m ∂L/∂w over the batches of m examples."""
        added: Array = np.zeros(len(total))

        def change(gradient: Array) -> None:
            refuse_infinite(self.now.program.loss)
            added[:] += len(self.now.y) * gradient
            self._clip(gradient)

        with training_on(self.now.program, self.training.optimizer) as run:

            def step(batch: Sequence[int]) -> tuple[float, list[float]]:
                self.now = self._recorded(self.examples, batch)
                return self.now.step(batch, run, change)

            yield step
        total[:] = added.tolist()

    def _clip(self, gradient: Array) -> None:
        """Clip an array of gradients, as ``nn.optim`` clips those of Values."""
        most, longest = self.training.clip_value, self.training.clip_norm
        if most is not None:
            refuse_nan(gradient[np.isnan(gradient)].tolist())
            np.clip(gradient, -most, most, out=gradient)
        if longest is not None:
            norm = float(np.linalg.norm(gradient))  # whose squares may overflow
            gradient *= shortening(norm if norm < inf else hypot(*gradient.tolist()), longest)

    def evaluate(self) -> tuple[float, Metrics]:
        """Mean loss and metrics on the validation data, as ``nn.evaluation.evaluate`` returns them."""
        data, task = self.validation, self.training.model.task
        n, total, tallies = len(data.y), 0.0, []
        with evaluating(self.training.model):
            for start in range(0, n, LARGEST_CHUNK):
                batch = range(start, min(start + LARGEST_CHUNK, n))
                loss, tally = self._recorded(data, batch).evaluate(batch)
                total += loss * len(batch)
                tallies.append(tally)
        return total / n, task.metrics([fsum(column) for column in zip(*tallies)], data.given.y)


def structure(training: Training, modules: dict[str, Module]) -> list[Any]:
    """What a program depends on and is not fed: if it changes, the program is recorded again.

    It refers to the present lists; ``snapshot`` copies them, to compare with those of a later epoch.
    """
    data = [some for some in (training.training, training.validation) if some is not None]
    return [
        training.loss, training.l1, training.l2, training.optimizer, training.optimizer.parameters,
        training.weights is None,
        [(path, module, _described(module)) for path, module in modules.items()],
        [([*map(len, some.X[:1])], np.shape(some.y[:1]), some.features) for some in data],
    ]  # fmt: skip


def snapshot(structure: Any) -> Any:
    """The same with every list copied, at any depth."""
    if not isinstance(structure, (list, tuple)):
        return structure
    copied = map(snapshot, structure)
    return list(copied) if isinstance(structure, list) else tuple(copied)


def check_update(optimizer: Optimizer) -> None:
    """ValueError if an optimiser moves arrays differently from Values. Works on copies of it."""
    name = type(optimizer).__name__
    if type(optimizer).step is not Optimizer.step:
        raise ValueError(f"{name} has a step of its own, which a replay does not call: write update instead")
    gradients = [0.25 * (i % 7) - 0.8 for i in range(len(optimizer.parameters))]
    eager, replayed = deepcopy(optimizer), deepcopy(optimizer)
    program = Program(dot(gradients, replayed.parameters), [], replayed.parameters, "replay")
    try:
        with training_on(program, replayed) as step:
            for _ in range(COMPARED):
                step()
                for p, g in zip(eager.parameters, gradients):
                    p.grad = g
                eager.step()
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{name}.update does not take arrays ({error}): write it as arithmetic alone") from error
    by_step, by_arrays = ([p.data for p in twin.parameters] for twin in (eager, replayed))
    if not np.allclose(by_step, by_arrays, rtol=1e-9, atol=0.0):
        raise ValueError(f"{name} moves arrays otherwise than Values: let update be arithmetic alone")


def _described(module: Module) -> list[tuple[str, Any]]:
    """A module's mode, its options, which leaves are its parameters, and in evaluation mode what it has learned."""
    return [
        (name, thing)
        for name, thing in vars(module).items()
        if (isinstance(thing, (list, tuple, Value, int, float, str)) or callable(thing))
        and not (name.endswith("_") and module.training)
    ]


class _Examples:
    """A dataset as arrays, from which the feeds of a mini-batch are taken; errors call it ``called``."""

    def __init__(self, called: str) -> None:
        self.called = called
        self._read: list[Any] = []

    def follow(self, training: Training, data: Dataset, weights: list[float] | None = None) -> None:
        """Read the data if they have changed since they were read."""
        self.given, self.weights = data, None if weights is None else np.array(weights)
        task = self.task = training.model.task
        self.cuts = np.array(task.cuts)
        with suppress(ValueError):  # arrays have no single truth value: read them again
            if [data.X, data.y, task] == self._read:
                return
        try:
            check_targets(training.model, training.loss, data, insist=True)  # leaves are not checked
            [output] = outputs_of(training.model, data.X[:1])
        except ArithmeticError as error:
            raise failing_example(training.model, training.loss, data, self.called) or error from None
        self.X: Array = np.array(data.X, dtype=np.float64)
        labels = [task.label_of(y) for y in data.y] if task.kind == CLASSIFICATION else []
        self.y: Array = np.array(labels or data.y, dtype=np.float64).reshape(len(data.y), -1)
        self.loss, targets = to_feed(training.loss, data.y, output)
        if training.loss not in BY_NAME.values():
            _check_fed(training.loss, output, data.y)
        self.targets: Array = np.array(targets, dtype=np.float64)
        self.features, self._read = data.features, [list(map(copy, data.X)), list(map(copy, data.y)), task]

    def rows(self, batch: Sequence[int]) -> list[Array]:
        """The inputs, the targets and, if there are any, the weights of these examples."""
        index = np.asarray(batch)
        return [self.X[index], self.targets[index], *([] if self.weights is None else [self.weights[index]])]


def _check_fed(loss: Loss, output: Any, targets: Sequence[Any]) -> None:
    """ValueError if a loss treats numbers and leaves differently, as with ``y == 1``, which no leaf equals."""
    for y in {str(y): y for y in targets}.values():
        with no_grad(), suppress(ArithmeticError):
            number, fed = loss(output, y), loss(output, _leaves(y))
            both_nan = number.data != number.data and fed.data != fed.data  # which the step reports
            if not both_nan and not isclose(number.data, fed.data, rel_tol=1e-9, abs_tol=1e-12):
                raise ValueError(
                    f"the loss of the target {y!r} is {number.data!r}, and {fed.data!r} where a replay feeds it as a "
                    "Value: decide inside the graph (greater, where, maximum), or train with engine='eager'"
                )


def _recorded(root: Value, inputs: Sequence[Any], parameters: Sequence[Value], engine: str) -> Program:
    """The program of a loss; one that has to be replayed is compiled where it can be."""
    if engine == "replay":
        with suppress(ImportError, TypeError):
            return Program(root, inputs, parameters, "compiled")
    return Program(root, inputs, parameters, engine)


class _Recorded:
    """The loss of m examples as a program, in the present mode of the model."""

    def __init__(self, replay: Replay, data: _Examples, batch: Sequence[int]) -> None:
        training, model = replay.training, replay.training.model
        self.replay, self.data = replay, data
        self.learns = model.training
        self.leaves = [_leaves(numbers.tolist()) for numbers in data.rows(batch)]
        self.X = self.leaves[0]
        with collector_paused(), naming_example(self.X, batch, data.called, data.features):
            root, loss, outputs, normalised = self._build()
        self.masks = [(d, list(d.masks)) for d in replay.dropouts if d.training and d.masks]
        inputs = [*self.leaves, *(masks for _, masks in self.masks)]
        parameters = training.optimizer.parameters if self.learns else []
        self.program = _recorded(root, inputs, parameters, replay.engine if self.learns else "replay")
        if set(self.program.others) - set(flatten([*model.tensors().values()])):
            raise ValueError(
                f"the loss of {model!r} depends on leaves that are neither parameters nor fed, as those of a layer "
                "that makes Values of its own, or of a Dropout that is used twice: train with engine='eager'"
            )
        units = [unit for output in outputs for unit in units_of(output)]
        self.outputs = self.program.reader(units)
        self.units = len(units) // len(batch)
        self.loss = self.program.reader([loss])  # without penalties, which the root includes
        self.statistics = [
            (norm, self.program.reader([*(c.mu for c in columns), *(c.sigma2 for c in columns)]))
            for norm, columns in normalised
        ]

    def _build(self) -> tuple[Value, Value, list[Any], list[tuple[BatchNorm, list[Normalised]]]]:
        """Build the graph as the eager engine does; random generators and statistics end where they were.

        Returns the root, the loss without penalties, the outputs, and each BatchNorm with its nodes of statistics.
        """
        training = self.replay.training
        bring_up_to_date(training.optimizer.parameters)
        states = [(rng, rng.getstate()) for rng in set(training.generators().values())]
        statistics = [(buffer, buffer.copy()) for buffer in training.model.buffers().values()]
        normalised: list[tuple[BatchNorm, list[Normalised]]] = []
        try:
            for norm in self.replay.norms:
                norm.latest = partial(lambda norm, columns: normalised.append((norm, columns)), norm)
            outputs = training.model.batch(self.X)
            loss = mean_loss(self.data.loss, outputs, *self.leaves[1:])
            return training.with_penalties(loss) if self.learns else loss, loss, outputs, normalised
        finally:
            for norm in self.replay.norms:
                norm.latest = None
            for rng, state in states:
                rng.setstate(state)
            for buffer, old in statistics:
                buffer[:] = old

    def _build_again(self, batch: Sequence[int]) -> Value:
        """Build the root for other examples, and copy their dropout masks to the recorded ones."""
        for leaves, numbers in zip(self.leaves, self.data.rows(batch)):
            for leaf, x in zip(flatten(leaves), numbers.ravel().tolist()):
                leaf.data = x
        with collector_paused():
            root, *_ = self._build()
        for dropout, masks in self.masks:
            for mask, drawn in zip(masks, dropout.masks):
                mask.data = drawn.data
        return root

    def _feeds(self, batch: Sequence[int]) -> list[Any]:
        self.y = self.data.y[np.asarray(batch)]
        return [*self.data.rows(batch), *([dropout.sample() for _ in masks] for dropout, masks in self.masks)]

    def step(
        self, batch: Sequence[int], run: Callable[..., float], change: Callable[[Array], None]
    ) -> tuple[float, list[float]]:
        """One update with these examples; returns the loss before it and the tally."""
        with naming_example(self.X, batch, self.data.called, graph=self._graph):
            if self.replay.to_compare:
                self.replay.to_compare -= 1
                self.program.compare(self._build_again(batch))
            try:
                clips = (self.replay.training.clip_value, self.replay.training.clip_norm) != (None, None)
                run(self._feeds(batch), change, self.program, not clips)
            except DomainError:
                if not self.masks:
                    self._build_again(batch)  # of several faults, this raises the one that the eager engine raises
                raise
        for norm, read in self.statistics:
            mu, sigma2 = read().reshape(2, -1).tolist()
            norm.average(mu, sigma2, len(batch))
        return self._result()

    def _graph(self) -> Value:
        self.program.to_values()
        return self.program.root

    def evaluate(self, batch: Sequence[int]) -> tuple[float, list[float]]:
        """The loss of these examples and the tally."""
        self.program(self._feeds(batch))
        return self._result()

    def _result(self) -> tuple[float, list[float]]:
        """The loss of the latest run, and what ``Task.tally`` returns for its outputs."""
        [loss], outputs, kind = self.loss().tolist(), self.outputs(), self.data.task.kind
        if kind == REGRESSION:
            return loss, ((self.y - outputs.reshape(self.y.shape)) ** 2).sum(axis=0).tolist()
        one = self.units == 1
        found = self.data.cuts.searchsorted(outputs) if one else outputs.reshape(-1, self.units).argmax(axis=1)
        return loss, [float(np.count_nonzero(found == self.y[:, 0])) if kind else 0.0]


def _leaves(numbers: Any) -> Any:
    return [_leaves(row) for row in numbers] if isinstance(numbers, list) else Value(numbers)
