"""Records a situation of the lab: the plans that its page runs, with their rules as loops of JavaScript.

Examples that do not interact have the same graph. The graph of one example is therefore the plan of all, and each
instruction is a loop over *lanes*, one per example; parameters and constants are *shared* by all lanes. Batch
normalisation mixes the examples in training, so there the graph of a whole mini-batch is a plan with one lane.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from inspect import signature
from itertools import count, groupby
from random import Random
from typing import Any

import numpy as np

from autograd.graph import topological_order
from autograd.modes import collector_paused
from autograd.number_systems import expressions, javascript
from autograd.number_systems.expressions import letters
from autograd.number_systems.javascript_loops import Loops, update_loop
from autograd.primitives import identity, sigmoid, tanh
from autograd.table import CONSTANT, Primitive, is_constant
from autograd.text import clipped, counted, text_name
from autograd.value import Value
from nn import losses
from nn.activations import BY_NAME as ACTIVATIONS, Activation
from nn.batch_norm import BatchNorm, Normalised
from nn.data import Dataset, count_batches, one_hot
from nn.diagnostics import unchanged
from nn.dropout import Dropout
from nn.evaluation import CLASSIFICATION, Task
from nn.layers import MLP, Linear, Sequential
from nn.losses import Loss, mean_loss, to_feed, units_of
from nn.module import beneath, evaluating, flatten, index_name, lift, numbers
from nn.optim import OPTIMIZERS, SGD, Optimizer
from nn.replaying import update_formulas
from nn.training import Training
from nn.validation import optional, whole

LARGEST = 1e100  # products of such numbers stay finite
LEVERS = ("batch", "freeze", "kill", "points", "predict", "rate", "saturate", "weights")
MOST_NAME = 30  # characters in the name of a class or a feature
MOST_TERMS = 60_000  # weights times examples of one graph: half a megabyte


class Situation:
    """A model, its data and its training, for a page on which all of their numbers can change.

    loss, optimizer   by default the loss that suits the targets, and SGD
    batch_size   None for all examples at once
    rng          determines the order of the examples: a seed or a ``Random``
    title, question, look, answer, levers   the texts of a lesson, and the controls that it offers
    until        the epoch at which Run pauses, or 0
    python       lines that create ``model``, ``data``, ``loss``, ``optimizer`` and ``rng``

    Recording does not change the model, its modes, statistics, gradients or generators. Raises ValueError or
    TypeError for anything that the page cannot run.

    >>> from nn.data import moons
    >>> situation = Situation(MLP(2, [3, 1], rng=0), moons(10, rng=1), rng=2)
    >>> situation.json["parameters"][:3], situation.json["loss"]
    (['w¹_11', 'w¹_12', 'w¹_21'], 'binary_cross_entropy')
    """

    def __init__(
        self, model: MLP | Sequential, data: Dataset, loss: Loss | None = None, optimizer: Optimizer | None = None,
        *, title: str = "", question: str = "", look: str = "", answer: str = "", levers: Sequence[str] = (),
        until: int = 0, batch_size: int | None = None, rng: Random | int | None = None, python: str = "",
    ) -> None:  # fmt: skip
        _check_model(model, data)
        loss = loss or _fitting(model, data)
        if loss not in losses.LOSSES:
            known = ", ".join(losses.BY_NAME)
            raise ValueError(f"loss = {clipped(repr(loss), 60)}: it must be one of nn's functions, {known}")
        optimizer = SGD(model.parameters(), 0.1) if optimizer is None else optimizer
        if type(optimizer) not in OPTIMIZERS.values():
            what = f"optimizer = {clipped(repr(optimizer), 60)}"
            raise TypeError(f"{what}: it must be one of nn's optimisers, such as SGD(model.parameters(), 0.1)")
        if isinstance(levers, str) or (unknown := sorted({*levers} - {*LEVERS})):
            what = repr(levers) if isinstance(levers, str) else ", ".join(map(repr, unknown))
            raise ValueError(f"levers = {what}: it must be a list of names from {', '.join(LEVERS)}")
        if type(until) is not int or until < 0:
            raise ValueError(f"until = {until!r}: it must be a whole number, the epoch at which Run pauses, or 0")
        batch_size = optional(whole, "batch_size", batch_size)
        task, size = model.task, len(data.y) if batch_size is None else batch_size
        try:
            self.training = Training(model, loss, optimizer, data, batch_size=size, rng=rng)
            self.task = self.training.task
        finally:
            model.task = task
        for drawn in self.training.generators().values():
            if type(drawn) is not Random:
                raise TypeError(f"the lab needs Python's generator, Random(seed), not a {type(drawn).__name__}")
        words = {"title": title, "question": question, "look": look, "answer": answer, "python": python}
        if wrong := [name for name, text in words.items() if not isinstance(text, str)]:
            raise TypeError(f"{wrong[0]} = {words[wrong[0]]!r}: it must be text")
        self.words: dict[str, Any] = dict(words)
        self.words |= {"levers": list(levers), "until": until}
        self.words["python"] = python or _setup(self.training, layers_of(model))

    @cached_property
    def _recording(self) -> _Recording:
        return _Recording(self.training, self.task)

    @property
    def json(self) -> dict[str, Any]:
        """The initial state of the page, ready for JSON."""
        return {**self.words, **self._recording.json}

    @property
    def kernels(self) -> dict[str, str]:
        """The rules that the plans call and the optimiser's update, in JavaScript, by name."""
        return self._recording.kernels


def program(situations: Sequence[Situation]) -> str:
    """Return the JavaScript source of an object with all kernels of these situations."""
    kernels = {name: source for situation in situations for name, source in situation.kernels.items()}
    entries = ",\n".join(f"{json.dumps(name)}: {source}" for name, source in kernels.items())
    return f"(() => {{\n{javascript.PRELUDE}return {{\n{entries}\n}};\n}})()"


def layers_of(model: MLP | Sequential) -> list[Any]:
    """Return the layers in order."""
    return (model.net if isinstance(model, MLP) else model).flat()


def _check_model(model: MLP | Sequential, data: Dataset) -> None:
    """Raise TypeError or ValueError for a model that the plans cannot represent, or numbers that are too large."""
    if not isinstance(model, (MLP, Sequential)):
        raise TypeError(f"model = {clipped(repr(model), 60)}: it must be an MLP or a Sequential")
    if not isinstance(data, Dataset):
        raise TypeError(f"data must be an nn.data.Dataset, not {type(data).__name__}")
    base = MLP if isinstance(model, MLP) else Sequential
    parts = ("forward", "forward_batch", "trace_batch")
    strangers = [type(model).__name__] if any(getattr(type(model), x) is not getattr(base, x) for x in parts) else []
    strangers += [type(m).__name__ for m in model.submodules().values() if type(m).__module__.split(".")[0] != "nn"]
    known = (Linear, Activation, BatchNorm, Dropout)
    strangers += [type(layer).__name__ for layer in layers_of(model) if not isinstance(layer, known)]
    if strangers:
        what = f"the model contains {strangers[0]}, which the lab does not support"
        raise ValueError(f"{what}: it must be a sequence of nn's Linear, activations, BatchNorm and Dropout")
    found = [("a target", y) for y in flatten([units_of(y) for y in data.y])]
    found += [("data.X", x) for x in flatten(data.X)]
    found += [(name, p.data) for name, p in model.named_parameters().items()]
    for name, x in found:
        if not abs(x) <= LARGEST:
            raise ValueError(f"{name} contains {x!r}: numbers must be from −1e100 to 1e100, so standardise the data")


def _fitting(model: MLP | Sequential, data: Dataset) -> Loss:
    """Return the loss that suits the outputs and the targets."""
    with evaluating(model), collector_paused():
        units = units_of(model.batch([lift(data.X[0])])[0])
    labels = {y for target in data.y for y in units_of(target)}
    if beneath(units[0]).operation in (sigmoid, tanh) or any(y != int(y) for y in labels):
        return losses.half_squared_error
    if len(units) > 1:
        return losses.cross_entropy
    known = ((losses.binary_cross_entropy, {0, 1}), (losses.hinge, {-1, 1}))
    return next((loss for loss, some in known if labels <= some), losses.half_squared_error)


def _setup(training: Training, layers: Sequence[Any]) -> str:
    """Write lines of Python that create the current generators, model, data, loss and optimiser.

    If this is impossible, return a comment that explains why.
    """
    data, optimizer, model = training.training, training.optimizer, training.model
    modules = [model, *model.submodules().values()]
    flat = [w for layer in layers for w in flatten([*layer.tensors().values()])]
    apart = any(m.kept if not model.training else not m.training for m in modules)
    for reason, applies in (
        ("a part of the model is frozen or in evaluation mode", any(m.frozen for m in modules) or apart),
        ("the optimiser does not update all weights in their order", optimizer.parameters != model.parameters()),
        ("weights are used twice", len({*map(id, layers)}) < len(layers) or len({*flat}) < len(flat)),
    ):
        if applies:
            return f'# No Python lines are available because {reason}: pass python="…" to the Situation.'
    names = {rng: f"rng{k or ''}" for k, rng in enumerate(dict.fromkeys(training.generators().values()))}
    seeds = {Random(seed).getstate(): seed for seed in range(100)}
    tensors = [(i, at, x) for i, m in enumerate(layers) for at, x in {**m.tensors(), **m.buffers()}.items()]
    make: list[str] = []
    for thing in (*layers, optimizer):
        others = ("arguments", "keywords", "init", "parameters", "rng", "bias")
        known = [name for name in signature(type(thing)).parameters if name not in others]
        options = ["model.parameters()"] if thing is optimizer else []
        options += [f"{name}={getattr(thing, name)!r}" for name in known]
        options += [f"rng={names[thing.rng]}"] if isinstance(thing, Dropout) else []
        options += ["bias=False"] if isinstance(thing, Linear) and not thing.b else []
        make.append(f"nn.{type(thing).__name__}({', '.join(options)})")
    return "\n".join([
        "from random import Random\n\nimport nn\n",
        *(f"{name} = Random({seeds[rng.getstate()]})" if rng.getstate() in seeds
          else f"{name} = Random()\n{name}.setstate({rng.getstate()!r})" for rng, name in names.items()),
        f"model = nn.Sequential({', '.join(make[:-1])})",
        f"model.load_state_dict({ {f'layers.{i}.{at}': numbers(x) for i, at, x in tensors} !r})",
        f"data = nn.Dataset{tuple(data)!r}",
        f"loss = nn.{getattr(training.loss, '__name__', '')}",
        f"optimizer = {make[-1]}",
        *([f"optimizer.load_state_dict({optimizer.state_dict()!r})"] if optimizer.steps else []),
    ])  # fmt: skip


class _Recording:
    """The plans and kernels of a training."""

    def __init__(self, training: Training, task: Task) -> None:
        self.training, self.task, self.data = training, task, training.training
        self.model: Any = training.model
        optimizer = training.optimizer
        if len(optimizer.groups) > 1 or optimizer.schedule is not None:
            what = "a schedule" if optimizer.schedule is not None else "groups of parameters"
            raise ValueError(f"the lab has one learning rate, set by hand: create the optimiser without {what}")
        [group] = optimizer.groups
        self.called = {p: name for name, p in self.model.named_parameters().items()}
        self.parameters = list(dict.fromkeys([*group.parameters, *flatten([*self.model.tensors().values()])]))
        self.shared: dict[Any, int] = {p: k for k, p in enumerate(self.parameters)}
        self.numbers = [p.data for p in self.parameters]
        self.statistics: list[str] = []  # names
        self.constants: dict[str, int] = {}
        self.kernels: dict[str, str] = {}
        self.used: dict[str, int] = {}  # the number by which the plans call a kernel
        self.plans: list[dict[str, Any]] = []
        with self._kept(), collector_paused():
            training._train_mode()
            plans = self._record()
        states = dict(zip(group.parameters, group.states))
        every_state = [list(states.get(p, group.first_state())) for p in self.parameters]
        update = f"{type(group).__name__}{[getattr(group, x) for x in [*signature(type(group)).parameters][2:]]}"
        self.kernels[update] = update_loop(*update_formulas(group))
        generators = list(dict.fromkeys(training.generators().values()))
        features = self.data.features or [f"x{'₁₂₃₄₅₆₇₈₉'[k : k + 1] or k + 1}" for k in range(len(self.data.X[0]))]
        sample = task.sample(self.data._replace(X=[[float(i)] for i in range(len(self.data.y))])).X
        self.json: dict[str, Any] = {
            "loss": getattr(training.loss, "__name__", ""),
            "optimizer": {
                "name": type(group).__name__, "kernel": update, "rate": group.learning_rate, "steps": group.steps,
                "width": len(group.first_state()), "state": flatten(every_state),
            },
            "task": {
                "kind": task.kind, "cuts": list(task.cuts), "units": list(task.units),
                "classes": _named(task.names(self.data, len(self.targets)) if self.targets else []),
                "outputs": getattr(training.loss, "outputs", ""),
            },
            "features": _named(features), **_view(self.data, task),
            "points": [{"x": x, "y": self._y(y)} for x, y in zip(self.data.X, self.data.y)],
            "targets": self.targets, "labels": self.labels, "fixed": self.mixes,
            "batch_size": training.batch_size, "least": training.least_batch, "sample": [int(i) for [i] in sample],
            "parameters": [self.called.get(p, p.name or "") for p in self.parameters],
            "shared": self.numbers, "statistics": self.statistics, "moves": len(group.parameters),
            "frozen": [*range(len(group.parameters), len(self.parameters))],
            "layers": self._layers(), "kernels": list(self.used), "plans": self.plans, "evaluation": 0,
            "training": plans, "generators": [list(rng.getstate()[1]) for rng in generators],
            "order": generators.index(training.rng),
            "dropouts": [{"p": d.p, "generator": generators.index(d.rng)} for d in self.dropouts],
        }  # fmt: skip

    @contextmanager
    def _kept(self) -> Iterator[None]:
        """Restore modes, statistics, gradients, generators and masks on exit."""
        modules = [self.model, *self.model.submodules().values()]
        kept = [(m, name, getattr(m, name)) for m in modules for name in ("training", "kept", "masks", "latest")
                if name in ("training", "kept") or name in vars(m)]  # fmt: skip
        states = [(rng, rng.getstate()) for rng in set(self.training.generators().values())]
        try:
            with unchanged(self.model):
                yield
        finally:
            for module, name, old in kept:
                vars(module)[name] = old
            for rng, state in states:
                rng.setstate(state)

    def _record(self) -> dict[int, int]:
        """Record the plans; return the training plan for each size of a mini-batch, with the key 0 for all sizes."""
        modules = list(dict.fromkeys(self.model.submodules().values()))
        self.norms = [m for m in modules if isinstance(m, BatchNorm)]
        self.dropouts = [m for m in modules if isinstance(m, Dropout) and m.training]
        self.mixes = any(norm.training for norm in self.norms)
        for norm in self.norms:
            buffers: Any = (("μ", "", norm.mu_), ("σ", "²", norm.sigma2_))
            for letter, square, buffer in buffers:
                names = [index_name(letter, norm.layer, k) + square for k in range(norm.n)]
                buffer[:] = [*map(self._statistic, buffer, names)]
        self._targets()
        with evaluating(self.model):
            self._plan(1)
        n, size = len(self.data.y), self.training.batch_size
        if not self.mixes:
            return {0: self._plan(1) if self.dropouts else 0}
        last = n - (count_batches(n, size, self.training.least_batch) - 1) * size
        return {m: self._plan(m) for m in sorted({last, min(size, n)})}

    def _statistic(self, x: float, name: str) -> Value:
        leaf = Value(x)
        self.shared[leaf] = len(self.numbers)
        self.numbers.append(x)
        self.statistics.append(name)
        return leaf

    def _targets(self) -> None:
        """Set the numbers that are fed for each label; None if the targets are numbers."""
        y, task, loss = self.data.y, self.task, self.training.loss
        with evaluating(self.model):
            [output] = self.model.batch(self.data.X[:1])
        self.loss, fed = to_feed(loss, y, output)
        self.fed = [[*map(float, units_of(row))] for row in fed]
        self.is_one = not isinstance(fed[0], (list, tuple))
        self.targets: list[list[float]] | None = None
        self.labels: list[Any] | None = None  # as the data have them
        if task.kind != CLASSIFICATION:
            return
        places, units = [*map(task.label_of, y)], len(units_of(output))
        fed_for, label_for = dict(zip(places, self.fed)), dict(zip(places, y))
        if any(fed_for[k] != row for k, row in zip(places, self.fed)):
            raise ValueError(
                "the targets are class probabilities: pass one class label per example, or regression targets"
            )
        for k in {*range(len(task.labels) or units)} - {*places}:
            label_for[k] = task.labels[k] if task.labels else one_hot(k, units) if isinstance(y[0], list) else k
            [fed_for[k]] = [[*map(float, units_of(row))] for row in to_feed(loss, [label_for[k]], output)[1]]
        self.targets, self.labels = ([x for _, x in sorted(found.items())] for found in (fed_for, label_for))

    def _y(self, y: Any) -> Any:
        return self.task.label_of(y) if self.targets else [*map(float, y)] if isinstance(y, list) else float(y)

    def _layers(self) -> list[dict[str, Any]]:
        names = {g: name for name, g in ACTIVATIONS.items() if name != "linear"}
        layers: list[dict[str, Any]] = []
        for layer in layers_of(self.model):
            if isinstance(layer, Linear):
                W, b = [[self.shared[w] for w in row] for row in layer.W], [self.shared[x] for x in layer.b]
                layers.append({"W": W, "b": b, "gamma": [], "beta": [], "g": "", "flat": "", "p": 0.0})
            elif layers and isinstance(layer, BatchNorm):
                layers[-1] |= {name: [self.shared[x] for x in getattr(layer, name)] for name in ("gamma", "beta")}
            elif layers and isinstance(layer, Dropout):
                layers[-1]["p"] = layer.p
            elif layers and isinstance(layer, Activation):
                flat = getattr(layer, "primitive", identity).flat
                layers[-1] |= {"g": names.get(type(layer), ""), "flat": flat}
        if not layers:
            raise ValueError(f"the lab cannot show {self.model!r}: it has no Linear layer")
        return layers

    def _plan(self, m: int) -> int:
        """Record the first m examples in the model's current mode and return the plan's index; m = 1 serves all."""
        if (terms := m * len(self.parameters)) > MOST_TERMS:
            what = f"{len(self.parameters):,} weights and {counted(m, 'example')} in one graph"
            remedy = "use fewer units or, with batch normalisation, a smaller batch_size"
            raise ValueError(f"{what} make {terms:,} terms, but a page runs at most {MOST_TERMS:,}: {remedy}")
        X = [[Value(x) for x in row] for row in self.data.X[:m]]
        Y = [[Value(y, "y" if self.is_one else index_name("y", None, k)) for k, y in enumerate(row)]
             for row in self.fed[:m]]  # fmt: skip
        columns: list[tuple[BatchNorm, list[Normalised]]] = []
        old = [(norm, norm.mu_.copy(), norm.sigma2_.copy()) for norm in self.norms]
        for norm in self.norms:
            norm.latest = partial(lambda norm, found: columns.append((norm, found)), norm)
        traces = self.model.trace_batch([[+x for x in row] for row in X])
        each = [self.loss(trace.output, y[0] if self.is_one else y) for trace, y in zip(traces, Y)]
        root = each[0] if m == 1 else mean_loss(lambda loss, _: loss, each, each)
        for norm, mu, sigma2 in old:
            norm.mu_[:], norm.sigma2_[:] = mu, sigma2
        averages: list[tuple[int, Value]] = []
        for norm, units in columns:
            new = norm.averaged([unit.mu for unit in units], [unit.sigma2 for unit in units], m)
            averages += zip([self.shared[x] for x in (*norm.mu_, *norm.sigma2_)], flatten([*new]))
        masks = [list(d.masks) if d.training else [] for d in self.dropouts]
        slots = {leaf: k for k, leaf in enumerate(flatten([X, Y, masks]))}
        outputs = flatten([units_of(trace.output) for trace in traces])
        order: list[Value] = []
        for node in (*outputs, root, *(node for _, node in averages)):
            order += topological_order(node, without=order)
        plan = self._instructions(order, slots, outputs[-1])
        self.plans.append(plan | {
            "lanes": m == 1, "masks": [[slots[x] for x in some] for some in masks],
            "traces": [
                {
                    "x": [slots[x_k] for x_k in x], "y": [slots[y_k] for y_k in y], "loss": slots[loss],
                    "z": [[slots[z_j] for z_j in z] for z in trace.z[1:]],
                    "a": [[slots[a_j] for a_j in a] for a in trace.a],
                    "output": [slots[a_j] for a_j in units_of(trace.output)],
                }
                for x, y, trace, loss in zip(X, Y, traces, each)
            ],
            "root": slots[root], "averages": [[place, slots[node]] for place, node in averages],
        })  # fmt: skip
        return len(self.plans) - 1

    def _instructions(self, order: Sequence[Value], slots: dict[Any, int], output: Value) -> dict[str, Any]:
        """Return the kernel, slot and operands' slots of each operation of a graph; fills ``slots``."""
        readers, wanted = Counter(x for node in order for x in node.parents), set(self.parameters)
        kernels, index, for_outputs, free = list[int](), list[int](), 0, count(len(slots))
        for node in order:
            if is_constant(node):
                self.shared[node] = self._constant(node.data)
            elif node.operation is None:
                if node not in slots and node not in self.shared:
                    what = f"the loss of {self.model!r} depends on a leaf that is neither a parameter nor an input"
                    raise ValueError(f"{what}: use each Dropout only once")
            else:
                if not wanted.isdisjoint(node.parents):
                    wanted.add(node)
                [x, *_] = node.parents
                is_new = node.name and x.name and x in wanted  # z and a of a unit without an activation
                if node.operation is identity and x in slots and not is_new and readers[x] == 1:
                    slots[node] = slots[x]  # another name of the same number
                else:
                    slots[node] = next(free)
                    index.append(slots[node])
                    kernels.append(self._operation(node, slots, wanted, index))
            if node is output:
                for_outputs = len(kernels)
        names = [[slots[x], x.name] for x in order if x in slots and x.name]
        return {"slots": next(free), "kernels": kernels, "index": index, "forOutputs": for_outputs, "names": names}

    def _operation(self, node: Value, slots: dict[Any, int], wanted: set[Value], index: list[int]) -> int:
        """Return the number of the node's kernel; append the positions of its operands."""
        entry: Any = node.operation
        codes: list[str | float] = []
        for x, domain in zip(node.parents, entry.domains_of(len(node.parents))):
            if domain is CONSTANT and is_constant(x):
                codes.append(x.data)
                continue
            code = "L" if x in slots else "S"
            codes.append(code if x in wanted else code.lower())
            index.append(slots[x] if x in slots else self.shared[x])
        runs = [(code, len([*some])) for code, some in groupby(codes)]
        name = f"{entry.name} {' '.join(f'{n}{code}' if n > 1 else str(code) for code, n in runs)}"
        if name not in self.kernels:
            self.kernels[name] = _kernel(entry, codes)
        return self.used.setdefault(name, len(self.used))

    def _constant(self, x: float) -> int:
        """Return the position of a constant among the shared numbers; equal constants share it."""
        if repr(x) not in self.constants:
            self.constants[repr(x)] = len(self.numbers)
            self.numbers.append(x)
        return self.constants[repr(x)]


def _kernel(entry: Primitive, codes: Sequence[str | float]) -> str:
    """Write a rule as ``[forward, backward, locals, name, symbol, codes, factors]``; codes include literals."""
    free = letters(sum(isinstance(code, str) for code in codes))
    turn = iter(free)
    operands = [next(turn) if isinstance(code, str) else code for code in codes]
    value, every = entry.rule(expressions, *operands)
    locals_ = [d for d, code in zip(every, codes) if isinstance(code, str)]
    loops = Loops(value, locals_, free, [code for code in codes if isinstance(code, str)])
    words = [json.dumps(x, ensure_ascii=False) for x in (entry.name, entry.symbol, list(codes), entry.factors)]
    parts = [loops.forward(), loops.backward(), javascript.function(value, locals_, free), *words]
    return "[" + ",\n".join(parts) + "]"


def _named(names: Sequence[str]) -> list[str]:
    """Return the names as the page shows them: short and on one line."""
    return [clipped(text_name(name), MOST_NAME) for name in names]


def _view(data: Dataset, task: Task) -> dict[str, Any]:
    """Return the plane's limits, with a margin of an eighth, and for three or more features their components."""
    X, components = np.array(data.X), None
    if X.shape[1] > 2:
        mean = X.mean(axis=0)
        axes = np.linalg.svd(X - mean, full_matrices=False)[2][:2]
        X, components = (X - mean) @ axes.T, {"mean": mean.tolist(), "axes": axes.tolist()}
    elif X.shape[1] == 1:
        y = [units_of(task.label_of(y) if task.kind == CLASSIFICATION else y) for y in data.y]
        X = np.array([[x, end] for [x], row in zip(data.X, y) for end in row])
    low, high = X.min(axis=0), X.max(axis=0)
    margin = np.where(high > low, (high - low) / 8.0, 1.0)
    return {"low": (low - margin).tolist(), "high": (high + margin).tolist(), "components": components}
