"""Replays training: records the loss once per batch size, and feeds it the examples of each step.

Everything that differs between steps is a leaf of the graph: the examples, their targets (one-hot for labels
of several units) and the dropout masks. During an epoch, parameters, gradients and the state of the optimiser are
stored in arrays; they are written back to their Values when the epoch ends or something reads them.
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

UPDATES_TO_PAY = 20  # recording takes as long as several eager steps
COMPARED = 2  # mini-batches to compare with engine="replay"; the second reveals changes from step to step
LARGEST_CHUNK = 100  # number of examples that are evaluated together, to bound the size of the graph


@contextmanager
def training_on(program: Program, optimizer: Optimizer) -> Iterator[Callable[..., float]]:
    """Train a recorded program with ``step(feeds)``, which runs it, updates the parameters and returns the loss.

    The returned loss is the one before the update. Parameters, gradients and the state of the optimiser are written
    back when the block ends, even after an error. Inside the block, ``to_values`` and other programs with these
    parameters use their current numbers, and also write them to ``data``. ``step(feeds, program=other)`` runs another
    program, recorded for feeds of a different shape.

    optimizer    an optimiser from ``nn.optim`` with the parameters of the program in the same order

    Raises ValueError for other parameters, and DomainError as the ``step`` of the optimiser does.

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
    """The parameters and states of an optimiser as arrays, which are shared by several programs.

    A program keeps the parameters of its latest run, so that its numbers can be read after the update.
    """

    def __init__(self, program: Program, optimizer: Optimizer) -> None:
        self.program, self.optimizer = program, optimizer
        self.latest: Program | None = None  # the program that ran last
        self.is_ahead = False  # whether the arrays have newer numbers than the Values
        self.numbers: list[Array] = []  # per group, a row of parameters and a row for each number of their states
        self.compiled: dict[Program, Any] = {}  # compiled steps with the optimiser options that they contain

    def step(
        self, feeds: Sequence[Any] = (), change: Callable[[Array], None] | None = None,
        program: Program | None = None, looks: bool = False,
    ) -> float:  # fmt: skip
        """Perform one update. Raises DomainError, and updates nothing, if a parameter would not be finite.

        change   modifies the array of gradients in place before the update, for instance to clip it
        looks    whether ``change`` only reads the gradients, so that it may be called after the update
        """
        program, optimizer = program or self.program, self.optimizer
        if program is not self.latest and program.parameters != optimizer.parameters:
            raise ValueError(
                f"the optimiser's {len(optimizer.parameters)} parameters must be the {len(program.parameters)} "
                "recorded ones, in the same order: record with parameters=optimizer.parameters"
            )
        program.take(feeds)
        program.read_others()
        rows = [1 + len(group.first_state()) for group in optimizer.groups]
        if self.is_ahead and rows != [*map(len, self.numbers)]:  # for instance, momentum was set
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
            optimizer.progress = before  # repeat the step below, whose error names what is not finite
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
            self.is_ahead = True  # so that the gradients are written back
            self.write_back(optimizer.parameters)
            optimizer.step()  # raises the error that names the parameter
        for numbers, new in zip(self.numbers, moved):
            numbers[:] = new
        self.is_ahead = True
        return loss

    def _read(self) -> None:
        """Read the Values into the arrays, in place if possible, because compiled steps refer to the arrays."""
        bring_up_to_date(self.optimizer.parameters)  # another training run may have newer numbers
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
        """Return both passes and the update as one function, or None if the program or optimiser is not compiled."""
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
        """Write all numbers to their Values if these leaves include a parameter; the next step reads them again."""
        if not self.is_ahead or set(leaves).isdisjoint(self.optimizer.parameters):
            return
        assert self.latest is not None
        gradients = iter(self.latest.gradient_array.tolist())
        for group, numbers in zip(self.optimizer.groups, self.numbers):
            w, *columns = numbers.tolist()
            for p, x, gradient in zip(group.parameters, w, gradients):
                p._data, p.grad = x, gradient  # no conversion needed
            if columns and len(columns) == len(group.first_state()):
                group.states = list(zip(*columns))
        self.is_ahead = False


@cache
def _options_of(kind: type[Optimizer]) -> list[str]:
    """Return the options that are constants of a compiled update, unlike the learning rate and the steps."""
    return [name for name in signature(kind).parameters if name not in ("parameters", "learning_rate")]


_loops: dict[Any, int] = {}  # addresses of compiled updates by class and options


def _update_loop(group: Optimizer, options: list[Any]) -> int:
    """Return the address of the compiled update of a group, which takes the learning rate and the steps."""
    from autograd.compiled.training_step import update_loop

    key = type(group), *options
    if key not in _loops:
        results, given, [w, gradient, *state] = update_formulas(group)
        _loops[key] = update_loop(results, [w, *state, gradient], given)
    return _loops[key]


def update_formulas(group: Optimizer) -> tuple[list[Operand], list[Formula], list[Formula]]:
    """Return formulas for a parameter's new number and state, with the symbols for (η, t) and for (w, g, state)."""
    symbolic = copy(group)
    learning_rate, steps, w, gradient, *state = letters(4 + len(group.first_state()))
    vars(symbolic).update(learning_rate=learning_rate, steps=steps)
    moved, new = symbolic.update(w, gradient, tuple(state))
    return [moved, *new], [learning_rate, steps], [w, gradient, *state]


# ---- training runs ------------------------------------------------------------------------------------------------


def why_not(training: Training) -> str | None:
    """Return why a ``Training`` with ``engine="auto"`` runs on the eager engine, or None if it does not.

    A user's layer, loss or optimiser may branch on numbers, and a replay would repeat the recorded branch.
    """
    if training.loss not in BY_NAME.values():
        return f"the loss {getattr(training.loss, '__name__', training.loss)!r} is not from nn.losses"
    if not _is_ours(training.optimizer):
        return f"the optimiser {type(training.optimizer).__name__} is not from nn.optim"
    for module in (training.model, *training.model.submodules().values()):
        if not _is_ours(module):
            return f"the layer {type(module).__name__} is not from nn"
    planned = training.epochs * training.updates_per_epoch
    return f"{planned} updates are too few to make recording worthwhile" if planned < UPDATES_TO_PAY else None


def _is_ours(thing: object) -> bool:
    return type(thing).__module__.split(".")[0] == "nn"


class Replay:
    """The recorded programs of a training run.

    engine    "auto" replays if the graph of a mini-batch is large enough; "replay" always replays, and compares the
              first ``COMPARED`` mini-batches with new graphs
    now       the recorded loss of the current mini-batch

    Raises ValueError if the loss cannot be recorded.
    """

    def __init__(self, training: Training, engine: str) -> None:
        self.training, self.engine = training, engine
        modules = dict.fromkeys([training.model, *training.model.submodules().values()])  # each once
        self.norms = [m for m in modules if isinstance(m, BatchNorm)]
        self.dropouts = [m for m in modules if isinstance(m, Dropout)]
        # in evaluation mode the statistics of a BatchNorm are constants of the graph, but change between epochs
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
        """Yield ``step(batch)`` to perform updates; set ``total`` to Σ m ∂L/∂w over the batches of m examples."""
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
        """Clip an array of gradients as ``clip_value`` and ``clip_norm`` clip those of Values."""
        largest, largest_norm = self.training.clip_value, self.training.clip_norm
        if largest is not None:
            refuse_nan(gradient[np.isnan(gradient)].tolist())
            np.clip(gradient, -largest, largest, out=gradient)
        if largest_norm is not None:
            norm = float(np.linalg.norm(gradient))  # its squares may overflow, unlike those of hypot
            gradient *= shortening(norm if norm < inf else hypot(*gradient.tolist()), largest_norm)

    def evaluate(self) -> tuple[float, Metrics]:
        """Return the mean loss and the metrics on the validation data, as ``nn.evaluation.evaluate`` does."""
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
    """Return everything that programs depend on, except feeds; if it changes, they must be recorded again.

    The result contains the lists themselves; ``snapshot`` copies them for a comparison in a later epoch.
    """
    data = [some for some in (training.training, training.validation) if some is not None]
    return [
        training.loss, training.l1, training.l2, training.optimizer, training.optimizer.parameters,
        training.weights is None,
        [(path, module, _described(module)) for path, module in modules.items()],
        [([*map(len, some.X[:1])], np.shape(some.y[:1]), some.features) for some in data],
    ]  # fmt: skip


def snapshot(structure: Any) -> Any:
    """Return a copy of nested lists and tuples."""
    if not isinstance(structure, (list, tuple)):
        return structure
    copied = map(snapshot, structure)
    return list(copied) if isinstance(structure, list) else tuple(copied)


def check_update(optimizer: Optimizer) -> None:
    """Raise ValueError if copies of an optimiser update arrays differently from Values."""
    name = type(optimizer).__name__
    if type(optimizer).step is not Optimizer.step:
        raise ValueError(f"{name} overrides step, which a replay does not call: override update instead")
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
        raise ValueError(f"{name}.update does not work on arrays ({error}): use only arithmetic in it") from error
    by_step, by_arrays = ([p.data for p in copied.parameters] for copied in (eager, replayed))
    if not np.allclose(by_step, by_arrays, rtol=1e-9, atol=0.0):
        raise ValueError(f"{name} updates arrays differently from Values: use only arithmetic in update")


def _described(module: Module) -> list[tuple[str, Any]]:
    """Return a module's mode, options and parameters, and in evaluation mode its statistics."""
    return [
        (name, thing)
        for name, thing in vars(module).items()
        if (isinstance(thing, (list, tuple, Value, int, float, str)) or callable(thing))
        and not (name.endswith("_") and module.training)
    ]


class _Examples:
    """A data set as arrays, from which mini-batches are fed; errors refer to it as ``called``."""

    def __init__(self, called: str) -> None:
        self.called = called
        self._read: list[Any] = []

    def follow(self, training: Training, data: Dataset, weights: list[float] | None = None) -> None:
        """Read the data if they have changed since the last call."""
        self.given, self.weights = data, None if weights is None else np.array(weights)
        task = self.task = training.model.task
        self.cuts = np.array(task.cuts)
        with suppress(ValueError):  # arrays cannot be compared like lists, and are read again
            if [data.X, data.y, task] == self._read:
                return
        try:
            check_targets(training.model, training.loss, data, insist=True)  # losses do not check leaves
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
        """Return the inputs, the targets and, if there are any, the weights of these examples."""
        index = np.asarray(batch)
        return [self.X[index], self.targets[index], *([] if self.weights is None else [self.weights[index]])]


def _check_fed(loss: Loss, output: Any, targets: Sequence[Any]) -> None:
    """Raise ValueError if a loss treats numbers and leaves differently, for instance with ``if y == 1``."""
    for y in {str(y): y for y in targets}.values():
        with no_grad(), suppress(ArithmeticError):
            number, fed = loss(output, y), loss(output, _leaves(y))
            both_nan = number.data != number.data and fed.data != fed.data  # the step raises this error
            if not both_nan and not isclose(number.data, fed.data, rel_tol=1e-9, abs_tol=1e-12):
                raise ValueError(
                    f"the loss for the target {y!r} is {number.data!r}, but {fed.data!r} if a replay feeds it as a "
                    "Value: use greater, where or maximum instead of if, or train with engine='eager'"
                )


def _recorded(root: Value, inputs: Sequence[Any], parameters: Sequence[Value], engine: str) -> Program:
    """Record a loss; with engine="replay", compile it if possible."""
    if engine == "replay":
        with suppress(ImportError, TypeError):
            return Program(root, inputs, parameters, "compiled")
    return Program(root, inputs, parameters, engine)


class _Recorded:
    """The loss of m examples as a program, recorded in the current mode of the model."""

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
                f"the loss of {model!r} depends on leaves that are neither parameters nor fed, such as Values that a "
                "layer creates, or the masks of a Dropout that is used twice: train with engine='eager'"
            )
        units = [unit for output in outputs for unit in units_of(output)]
        self.outputs = self.program.reader(units)
        self.units = len(units) // len(batch)
        self.loss = self.program.reader([loss])  # without penalties, unlike the root
        self.statistics = [
            (norm, self.program.reader([*(c.mu for c in columns), *(c.sigma2 for c in columns)]))
            for norm, columns in normalised
        ]

    def _build(self) -> tuple[Value, Value, list[Any], list[tuple[BatchNorm, list[Normalised]]]]:
        """Build the graph as the eager engine does, and restore random generators and statistics.

        Return the root, the loss without penalties, the outputs, and each BatchNorm with the nodes of its statistics.
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
        """Build the graph for other examples, and copy its dropout masks to the recorded leaves; return the root."""
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
        """Perform an update with these examples; return the loss before the update and the tally."""
        with naming_example(self.X, batch, self.data.called, graph=self._graph):
            if self.replay.to_compare:
                self.replay.to_compare -= 1
                self.program.compare(self._build_again(batch))
            try:
                clips = (self.replay.training.clip_value, self.replay.training.clip_norm) != (None, None)
                run(self._feeds(batch), change, self.program, not clips)
            except DomainError:
                if not self.masks:
                    self._build_again(batch)  # if there are several errors, raise that of the eager engine
                raise
        for norm, read in self.statistics:
            mu, sigma2 = read().reshape(2, -1).tolist()
            norm.average(mu, sigma2, len(batch))
        return self._result()

    def _graph(self) -> Value:
        self.program.to_values()
        return self.program.root

    def evaluate(self, batch: Sequence[int]) -> tuple[float, list[float]]:
        """Return the loss of these examples and the tally."""
        self.program(self._feeds(batch))
        return self._result()

    def _result(self) -> tuple[float, list[float]]:
        """Return the loss of the latest run and the ``Task.tally`` of its outputs."""
        [loss], outputs, kind = self.loss().tolist(), self.outputs(), self.data.task.kind
        if kind == REGRESSION:
            return loss, ((self.y - outputs.reshape(self.y.shape)) ** 2).sum(axis=0).tolist()
        one = self.units == 1
        found = self.data.cuts.searchsorted(outputs) if one else outputs.reshape(-1, self.units).argmax(axis=1)
        return loss, [float(np.count_nonzero(found == self.y[:, 0])) if kind else 0.0]


def _leaves(numbers: Any) -> Any:
    return [_leaves(row) for row in numbers] if isinstance(numbers, list) else Value(numbers)
