"""Records a situation of the lab: the plans that its page runs, and their rules as loops of JavaScript.

Examples that do not meet in a graph pass through it alike. So the graph of one example is the plan of all, and each
instruction is a loop over *lanes*, one for each example; parameters and constants are *shared* by all lanes. Batch
normalisation in training mixes the examples: then the graph of a whole mini-batch is a plan with one lane.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from functools import cached_property, partial
from inspect import signature
from itertools import chain, groupby
from random import Random
from typing import Any

import numpy as np

from autograd.graph import topological_order
from autograd.modes import collector_paused
from autograd.number_systems import expressions, javascript
from autograd.number_systems.expressions import Formula, Operand, letters, operations
from autograd.primitives import identity, sigmoid, tanh
from autograd.table import CONSTANT, Primitive, is_constant
from autograd.text import counted
from autograd.value import Value
from nn.activations import BY_NAME as ACTIVATIONS, Activation
from nn.batch_norm import BatchNorm, Normalised
from nn.data import Dataset, count_batches, one_hot
from nn.diagnostics import unchanged
from nn.dropout import Dropout
from nn.evaluation import CLASSIFICATION, Task
from nn.layers import MLP, Linear, Sequential
from nn.losses import (
    BY_NAME,
    Loss,
    binary_cross_entropy,
    cross_entropy,
    half_squared_error,
    hinge,
    mean_loss,
    to_feed,
    units_of,
)
from nn.module import beneath, evaluating, flatten, index_name, lift, numbers
from nn.optim import SGD, Optimizer
from nn.training import Training

MOST_TERMS = 60_000  # weights times examples of one graph: half a megabyte
AT_ONCE = 16  # operands whose gradients one loop adds to
ARGUMENTS = (
    "(V, G, S, D, I, p, n)"  # values and gradients of lanes, of what is shared, slots, where they begin, lanes
)


class Situation:
    """A model, its data and how it is trained, for a page on which all of its numbers may change.

    batch_size   None for all examples at once
    rng          decides the order of the examples: a seed or a ``Random``
    title, question, look, answer, levers   what a lesson says, and the controls that it leaves
    python       the lines that make ``model``, ``data``, ``loss``, ``optimizer`` and ``rng``

    Without loss and optimiser, the loss that suits the targets, and SGD. Recording leaves the model, its modes,
    statistics, gradients and generators as they were. Raises ValueError or TypeError for what a page cannot run.

    >>> from nn import MLP
    >>> from nn.data import moons
    >>> situation = Situation(MLP(2, [3, 1], rng=0), moons(10, rng=1), rng=2)
    >>> situation.json["parameters"][:3], situation.json["loss"]
    (['w¹_11', 'w¹_12', 'w¹_21'], 'binary_cross_entropy')
    """

    def __init__(
        self, model: MLP | Sequential, data: Dataset, loss: Loss | None = None, optimizer: Optimizer | None = None,
        *, title: str = "", question: str = "", look: str = "", answer: str = "", levers: Sequence[str] = (),
        batch_size: int | None = None, rng: Random | int | None = None, python: str = "",
    ) -> None:  # fmt: skip
        if not isinstance(model, (MLP, Sequential)):
            raise TypeError(f"the lab of {model!r}: it traces an MLP or a Sequential")
        loss = loss or fitting(model, data)
        optimizer = optimizer or SGD(model.parameters(), 0.1)
        task, size = model.task, len(data.y) if batch_size is None else batch_size
        try:
            self.training = Training(model, loss, optimizer, data, batch_size=size, rng=rng)
            self.task = self.training.task
        finally:
            model.task = task
        self.words = {"title": title, "question": question, "look": look, "answer": answer, "levers": list(levers)}
        self.words["python"] = python or setup(self.training)
        strangers = [m for m in model.submodules().values() if type(m).__module__.split(".")[0] != "nn"]
        if strangers or loss not in BY_NAME.values() or type(optimizer).__module__ != "nn.optim":
            whose = f"{strangers[0]!r}" if strangers else f"{getattr(loss, '__name__', loss)} or {optimizer!r}"
            raise ValueError(f"the lab records decisions once, and {whose} is not of nn: take nn's own")

    @cached_property
    def _recording(self) -> _Recording:
        return _Recording(self.training, self.task)

    @property
    def json(self) -> dict[str, Any]:
        """Everything that the page starts from, ready for JSON."""
        return {**self.words, **self._recording.json}

    @property
    def kernels(self) -> dict[str, str]:
        """The rules that the plans call, and the optimiser's update, by name as JavaScript."""
        return self._recording.kernels


def fitting(model: MLP | Sequential, data: Dataset) -> Loss:
    """The loss that suits the outputs and the targets."""
    with evaluating(model), collector_paused():
        units = units_of(model.batch([lift(data.X[0])])[0])
    labels = {y for target in data.y for y in units_of(target)}
    if beneath(units[0]).operation in (sigmoid, tanh) or any(y != int(y) for y in labels):
        return half_squared_error
    if len(units) > 1:
        return cross_entropy
    return binary_cross_entropy if labels <= {0, 1} else hinge if labels <= {-1, 1} else half_squared_error


def layers_of(model: MLP | Sequential) -> list[Any]:
    """The layers, one after the other."""
    return (model.net if isinstance(model, MLP) else model).flat()


def program(situations: Sequence[Situation]) -> str:
    """The source of an object with all kernels of these situations."""
    kernels = dict(chain.from_iterable(situation.kernels.items() for situation in situations))
    entries = ",\n".join(f"{_quoted(name)}: {source}" for name, source in kernels.items())
    return f"(() => {{\n{javascript.PRELUDE}return {{\n{entries}\n}};\n}})()"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def setup(training: Training) -> str:
    """Lines of Python that make the model, the data, the loss, the optimiser and the generators as they are now."""
    data, optimizer, layers = training.training, training.optimizer, layers_of(training.model)  # type: ignore[arg-type]
    generators = list(dict.fromkeys(training.generators().values()))
    state = {
        f"layers.{i}.{path}": numbers(x)
        for i, layer in enumerate(layers)
        for path, x in {**layer.tensors(), **layer.buffers()}.items()
    }
    made = [
        f"nn.{type(layer).__name__}({', '.join(_options(layer, 'init'))})".replace(
            "RNG", f"generators[{generators.index(layer.rng)}]" if isinstance(layer, Dropout) else ""
        )
        for layer in layers
    ]
    options = ", ".join(_options(optimizer, "parameters"))
    return "\n".join([
        "from random import Random", "", "import nn", "",
        f"generators = [Random() for _ in range({len(generators)})]",
        *(f"generators[{i}].setstate({rng.getstate()!r})" for i, rng in enumerate(generators)),
        f"rng = generators[{generators.index(training.rng)}]",
        f"model = nn.Sequential({', '.join(made)})",
        f"model.load_state_dict({state!r})",
        f"data = nn.Dataset{data[:3] + (data.features, data.units)!r}",
        f"loss = nn.{getattr(training.loss, '__name__', '')}",
        f"optimizer = nn.{type(optimizer).__name__}(model.parameters(), {options})",
        *([f"optimizer.load_state_dict({optimizer.state_dict()!r})"] if optimizer.steps else []),
    ])  # fmt: skip


def _options(thing: Any, *without: str) -> list[str]:
    """The arguments of a constructor, as the object has them."""
    names = [name for name in signature(type(thing)).parameters if name not in (*without, "arguments", "keywords")]
    if isinstance(thing, Linear):
        return [f"{thing.n_in}, {thing.n_out}", *([] if thing.b else ["bias=False"])]
    return [f"{name}={'RNG' if name == 'rng' else repr(getattr(thing, name))}" for name in names]


# ---- kernels ------------------------------------------------------------------------------------------------------


def kernel(entry: Primitive, codes: Sequence[str | float]) -> str:
    """A rule as ``[forward, backward, locals, name, symbol, codes, factors]``, run on letters.

    codes   of each operand: L of lanes and S shared, in small letters without a gradient; a number is written in
    """
    x = letters(len(codes))
    of = {letter: code for letter, code in zip(x, codes) if isinstance(code, str)}
    operands = [letter if letter in of else code for letter, code in zip(x, codes)]
    try:
        value, locals_ = entry.rule(expressions, *operands)
    except (TypeError, AttributeError) as error:
        raise TypeError(f"primitive {entry.name}: its rule cannot be written in JavaScript ({error})") from None
    place = {letter: f"p + {k}" for k, letter in enumerate(of, 1)}
    forward = _loop(of, place, [value], {}, lambda r: [f"V[o + i] = {r[0]};"])
    known = {value: "v"} if isinstance(value, Formula) and value.operands else {}
    given = [(z, local) for z, local in zip(x, locals_) if of.get(z, "") in ("L", "S")]
    given = [(z, local) for z, local in given if isinstance(local, Formula) or local != 0.0]
    if entry.factors == "pairs":  # what is read for one of a pair serves the other
        half = len(x) // 2
        place_of = {z: (k % half, k) for k, z in enumerate(x)}
        given.sort(key=lambda pair: place_of[pair[0]])
    backward = []
    for first in range(0, len(given), AT_ONCE):
        some = given[first : first + AT_ONCE]

        def added(results: list[str], some: Any = some) -> list[str]:
            shares = ["u" if r == "1" else f"u * {r}" for r in results]
            return [
                f"{f'G[i{z.name} + i]' if of[z] == 'L' else f'd{z.name}'} += {s};" for (z, _), s in zip(some, shares)
            ]

        shared = [z for z, _ in some if of[z] == "S"]
        start = "".join(f"let d{z.name} = 0; " for z in shared)
        end = "".join(f" D[I[{place[z]}]] += d{z.name};" for z in shared)
        targets = [z for z, _ in some if of[z] == "L"]
        loop = _loop(of, place, [local for _, local in some], known, added, targets, "const u = G[o + i];")
        backward.append(f"{{ {start}{loop}{end} }}")
    free = [z for z in x if z in of]
    locals_source = javascript.function(value, locals_, free)
    codes_source = ", ".join(f'"{c}"' if isinstance(c, str) else javascript.number(c) for c in codes)
    return (
        f"[{ARGUMENTS} => {{ const o = I[p]; {forward} }},\n"
        f"{ARGUMENTS} => {{ const o = I[p]; {' '.join(backward)} }},\n"
        f"{locals_source}, {_quoted(entry.name)}, {_quoted(entry.symbol)}, [{codes_source}], {_quoted(entry.factors)}]"
    )


def _loop(
    of: Any, place: Any, results: list[Operand], known: Any, ending: Any, targets: Sequence[Formula] = (),
    first: str = "",
) -> str:  # fmt: skip
    """A loop over the lanes that computes the results and ends with what ``ending`` says about their names."""
    read = dict.fromkeys(z for z in operations(results, known) if not z.operands)
    body, names = javascript.statements(results, known)
    body = [*body, *ending(names)]
    if re.search(r"\bv\b", " ".join(body)):
        body.insert(0, "const v = V[o + i];")
    body[:0] = [first, *(f"const {z.name} = V[i{z.name} + i];" for z in read if of[z] in "Ll")]
    start = [f"const {z.name} = S[I[{place[z]}]];" for z in read if of[z] in "Ss"]
    start += [f"const i{z.name} = I[{place[z]}];" for z in of if (z in read and of[z] in "Ll") or z in {*targets}]
    return f"{' '.join(start)} for (let i = 0; i < n; i++) {{ {' '.join(filter(None, body))} }}"


def update(optimizer: Optimizer) -> str:
    """The optimiser's update as a loop over parameters; N gets for each its new number and state.

    What depends on no parameter, as 1 − βᵗ, stands before the loop.
    """
    twin = copy(optimizer)
    width = len(optimizer.first_state())
    rate, steps, w, gradient, *state = letters(4 + width)
    vars(twin).update(learning_rate=rate, steps=steps)
    moved, new = twin.update(w, gradient, tuple(state))
    inside, outside = {w, gradient, *state}, []
    for e in operations([moved, *new]):
        if e.operands and not inside.isdisjoint(e.parents):
            inside.add(e)
        elif e.operands:
            outside.append(e)
    before, names = javascript.statements(outside)
    known = {e: f"c{k}" for k, e in enumerate(outside)}
    before += [f"const {known[e]} = {name};" for e, name in zip(outside, names)]
    body, results = javascript.statements([moved, *new], known)
    read = [f"const {w.name} = S[i], {gradient.name} = D[i];"]
    read += [f"const {z.name} = M[{width} * i + {k}];" for k, z in enumerate(state)]
    write = [f"N[{width + 1} * i + {k}] = {r};" for k, r in enumerate(results)]
    loop = " ".join([*read, *body, *write])
    return f"(S, D, M, N, {rate.name}, {steps.name}, n) => {{ {' '.join(before)} for (let i = 0; i < n; i++) {{ {loop} }} }}"


# ---- plans --------------------------------------------------------------------------------------------------------


class _Recording:
    """The plans of a training, and its kernels."""

    def __init__(self, training: Training, task: Task) -> None:
        self.training, self.task, self.model = training, task, training.model
        self.data, optimizer = training.training, training.optimizer
        if len(optimizer.groups) > 1 or optimizer.schedule is not None:
            what = "a schedule" if optimizer.schedule is not None else "groups of parameters"
            raise ValueError(
                f"the lab has one learning rate that is moved by hand: make the optimiser without {what}"
            )
        [group] = optimizer.groups
        named = self.model.named_parameters()
        every = dict.fromkeys([*group.parameters, *flatten([*self.model.tensors().values()])])
        called = {p: name for name, p in named.items()}
        self.parameters = list(every)
        self.shared: dict[Any, int] = {p: k for k, p in enumerate(every)}
        self.numbers = [p.data for p in every]
        self.constants: dict[str, int] = {}
        self.statistics: list[str] = []
        self.kernels: dict[str, str] = {}
        self.kernel_names: dict[str, int] = {}
        self.plans: list[dict[str, Any]] = []
        modules = list(dict.fromkeys(self.model.submodules().values()))
        with self._kept(), collector_paused():
            training._train_mode()
            self.norms = [m for m in modules if isinstance(m, BatchNorm)]
            for norm in self.norms:
                for letter, square, buffer in (("μ", "", norm.mu_), ("σ", "²", norm.sigma2_)):
                    names = [index_name(letter, norm.layer, k) + square for k in range(norm.n)]
                    buffer[:] = [self._leaf(x, name) for x, name in zip(buffer, names)]
            self.dropouts = [m for m in modules if isinstance(m, Dropout) and m.training]
            self.mixes = any(norm.training for norm in self.norms)
            self._targets()
            with evaluating(self.model):
                self._plan(1)
            evaluation, plans = 0, {}
            n, size, least = len(self.data.y), training.batch_size, training.least_batch
            if self.mixes:
                count = count_batches(n, size, least)
                for m in sorted({n - (count - 1) * size, min(size, n)}):
                    plans[m] = self._plan(m)
            else:
                plans[0] = self._plan(1) if self.dropouts or self.norms else evaluation
        generators = training.generators()
        distinct = list(dict.fromkeys(generators.values()))
        update_name = f"{type(group).__name__}{[getattr(group, x) for x in [*signature(type(group)).parameters][2:]]}"
        self.kernels[update_name] = update(group)
        low, high, components = _view(self.data, task)
        features = self.data.features or [
            f"x{'₁₂₃₄₅₆₇₈₉'[k] if k < 9 else k + 1}" for k in range(len(self.data.X[0]))
        ]
        free = set(group.parameters)
        moved = dict(zip(group.parameters, group.states))
        states = [moved.get(p, group.first_state()) for p in every]
        sample = task.sample(self.data._replace(X=[[float(i)] for i in range(n)])).X
        self.json: dict[str, Any] = {
            "loss": getattr(training.loss, "__name__", str(training.loss)),
            "optimizer": {
                "name": type(group).__name__, "kernel": update_name, "rate": group.learning_rate, "steps": group.steps,
                "width": len(group.first_state()), "state": flatten([list(state) for state in states]),
            },
            "task": {
                "kind": task.kind, "cuts": list(task.cuts), "units": list(task.units),
                "classes": task.names(self.data, len(self.targets or [])) if self.targets else [],
                "outputs": getattr(training.loss, "outputs", ""),
            },
            "features": list(features), "low": low, "high": high, "components": components,
            "points": [{"x": x, "y": self._y(y)} for x, y in zip(self.data.X, self.data.y)],
            "targets": self.targets, "labels": self.labels, "fixed": self.mixes,
            "batch_size": size, "least": least, "sample": [int(i) for [i] in sample],
            "parameters": [called.get(p, p.name or "") for p in every], "shared": self.numbers,
            "statistics": self.statistics, "moves": len(free),
            "frozen": [k for k, p in enumerate(every) if p not in free],
            "layers": self._layers(), "kernels": list(self.kernel_names), "plans": self.plans,
            "evaluation": evaluation, "training": plans,
            "generators": [list(rng.getstate()[1]) for rng in distinct], "order": distinct.index(training.rng),
            "dropouts": [{"p": d.p, "generator": distinct.index(d.rng)} for d in self.dropouts],
        }  # fmt: skip

    @contextmanager
    def _kept(self) -> Iterator[None]:
        """Modes, statistics, gradients, generators and masks end where they were."""
        modules = [self.model, *self.model.submodules().values()]
        modes = [(m, m.training, m.kept) for m in modules]
        states = [(rng, rng.getstate()) for rng in set(self.training.generators().values())]
        masks = [(m, m.masks) for m in modules if isinstance(m, Dropout)]
        hooks = [(m, m.latest) for m in modules if isinstance(m, BatchNorm)]
        try:
            with unchanged(self.model):
                yield
        finally:
            for module, training, kept in modes:
                module.training, module.kept = training, kept
            for rng, state in states:
                rng.setstate(state)
            for dropout, old in masks:
                dropout.masks = old
            for norm, hook in hooks:
                norm.latest = hook

    def _leaf(self, x: float, name: str) -> Value:
        """A statistic, which all lanes share."""
        leaf = Value(x)
        self.statistics.append(name)
        self.shared[leaf] = len(self.numbers)
        self.numbers.append(float(x))
        return leaf

    def _targets(self) -> None:
        """What is fed for each label; None where the targets are numbers."""
        y, task, loss = self.data.y, self.task, self.training.loss
        with evaluating(self.model):
            [output] = self.model.batch(self.data.X[:1])
        self.loss, fed = to_feed(loss, y, output)
        self.fed = [[float(t) for t in units_of(row)] for row in fed]
        self.is_one = not isinstance(fed[0], (list, tuple))
        self.targets: list[list[float]] | None = None
        self.labels: list[Any] | None = None  # as the data have them
        if task.kind != CLASSIFICATION:
            return
        places, units = [*map(task.label_of, y)], len(units_of(output))
        fed_for, label_for = dict(zip(places, self.fed)), dict(zip(places, y))
        if any(fed_for[k] != row for k, row in zip(places, self.fed)):
            raise ValueError("targets that are shares: the lab takes a label for each example, or numbers to predict")
        for k in range(len(task.labels) or units):
            if k not in fed_for:
                label_for[k] = task.labels[k] if task.labels else one_hot(k, units) if isinstance(y[0], list) else k
                [fed_for[k]] = [[*map(float, units_of(row))] for row in to_feed(loss, [label_for[k]], output)[1]]
        self.targets, self.labels = ([x for _, x in sorted(found.items())] for found in (fed_for, label_for))

    def _y(self, y: Any) -> Any:
        return self.task.label_of(y) if self.targets else [*map(float, y)] if isinstance(y, list) else float(y)

    def _layers(self) -> list[dict[str, Any]]:
        names = {g: "" if name == "linear" else name for name, g in ACTIVATIONS.items()}
        layers: list[dict[str, Any]] = []
        for layer in layers_of(self.model):
            if isinstance(layer, Linear):
                W = [[self.shared[w] for w in row] for row in layer.W]
                b = [self.shared[x] for x in layer.b]
                layers.append({"W": W, "b": b, "gamma": [], "beta": [], "g": "", "p": 0.0})
            elif layers and isinstance(layer, BatchNorm):
                layers[-1] |= {name: [self.shared[x] for x in getattr(layer, name)] for name in ("gamma", "beta")}
            elif layers and isinstance(layer, Dropout):
                layers[-1]["p"] = layer.p
            elif layers and isinstance(layer, Activation):
                layers[-1]["g"] = names.get(type(layer), "")
        if not layers:
            raise ValueError(f"the lab of {self.model!r}: it has no Linear layer")
        return layers

    def _plan(self, m: int) -> int:
        """Record the first m examples in the model's present mode; of one example, a plan for all. Returns its place."""
        if (terms := m * len(self.parameters)) > MOST_TERMS:
            what = f"{len(self.parameters):,} weights and {counted(m, 'example')} in one graph"
            remedy = "take fewer units or, with batch normalisation, a smaller batch_size"
            raise ValueError(f"{what} make {terms:,} terms, and a page runs at most {MOST_TERMS:,}: {remedy}")
        X = [[Value(x) for x in row] for row in self.data.X[:m]]
        Y: list[Any] = [
            [Value(y, "y" if self.is_one else index_name("y", None, k)) for k, y in enumerate(row)]
            for row in self.fed[:m]
        ]
        columns: list[tuple[BatchNorm, list[Normalised]]] = []
        kept = [(buffer, buffer.copy()) for norm in self.norms for buffer in (norm.mu_, norm.sigma2_)]
        for norm in self.norms:
            norm.latest = partial(lambda norm, found: columns.append((norm, found)), norm)
        traces = self.model.trace_batch([[+x for x in row] for row in X])  # type: ignore[union-attr]
        outputs = [trace.output for trace in traces]
        losses = [self.loss(a, y[0] if self.is_one else y) for a, y in zip(outputs, Y)]
        root = losses[0] if m == 1 else mean_loss(lambda loss, _: loss, losses, losses)
        for buffer, old in kept:
            buffer[:] = old
        averages: list[tuple[int, Value]] = []
        for norm, units in columns:
            old = [*norm.mu_, *norm.sigma2_]
            new = norm.averaged([unit.mu for unit in units], [unit.sigma2 for unit in units], m)
            averages += [(self.shared[a], b) for a, b in zip(old, flatten([*new]))]
        masks = [list(d.masks) if d.training else [] for d in self.dropouts]
        order: list[Value] = []
        counts = []
        for ends in (flatten([units_of(a) for a in outputs]), [*losses, root], [node for _, node in averages]):
            for node in ends:
                order += topological_order(node, without=order)
            counts.append(len(order))
        slots = {leaf: k for k, leaf in enumerate(flatten([X, Y, masks]))}
        plan = self._instructions(order, slots, counts)
        of = [slots[node] for node in (*losses, root)]
        plan |= {
            "examples": m, "lanes": m == 1, "masks": [[slots[x] for x in some] for some in masks],
            "traces": [
                {
                    "x": [slots[x_k] for x_k in x], "y": [slots[y_k] for y_k in y], "loss": loss,
                    "z": [[slots[z_j] for z_j in z] for z in trace.z[1:]],
                    "a": [[slots[a_j] for a_j in a] for a in trace.a],
                    "output": [slots[a_j] for a_j in units_of(trace.output)],
                }
                for x, y, trace, loss in zip(X, Y, traces, of)
            ],
            "root": of[-1], "averages": [[place, slots[node]] for place, node in averages],
        }  # fmt: skip
        self.plans.append(plan)
        return len(self.plans) - 1

    def _instructions(self, order: Sequence[Value], slots: dict[Any, int], counts: list[int]) -> dict[str, Any]:
        """The operations of a graph: for each its kernel, its slot and those of its operands; fills ``slots``."""
        readers = Counter(x for node in order for x in node.parents)
        wanted = set(self.parameters)
        codes, index, ends = [], list[int](), []
        for k, node in enumerate(order):
            if k in counts:
                ends += [len(codes)] * counts.count(k)
            if not node.parents:
                if is_constant(node):
                    self.shared.setdefault(node, self._constant(node.data))
                elif node not in slots and node not in self.shared:
                    raise ValueError(
                        f"the loss of {self.model!r} depends on a leaf that is neither a parameter nor fed, as of a "
                        "layer that makes Values of its own: the lab cannot run it"
                    )
                continue
            if not wanted.isdisjoint(node.parents):
                wanted.add(node)
            [first, *_] = node.parents
            is_new = node.name and first.name and first in wanted  # z and a of a unit without an activation
            if node.operation is identity and first in slots and not is_new and readers[first] == 1:
                slots[node] = slots[first]  # another name of the same number
                continue
            code: list[str | float] = []
            read = [slots.setdefault(node, max(slots.values()) + 1)]
            domains = node.operation.domains_of(len(node.parents))
            for x, domain in zip(node.parents, domains):
                if domain is CONSTANT and is_constant(x):
                    code.append(x.data)
                    continue
                letter = "L" if x in slots else "S"
                code.append(letter if x in wanted else letter.lower())
                read.append(slots[x] if x in slots else self.shared[x])
            codes.append(self._kernel(node.operation, code))
            index += read
        ends += [len(codes)] * (3 - len(ends))
        names = {slots[x]: x.name for x in order if x in slots and x.name}
        return {
            "slots": max(slots.values()) + 1,
            "kernels": codes,
            "index": index,
            "forOutputs": ends[0],
            "names": [[slot, name] for slot, name in names.items()],
        }

    def _constant(self, x: float) -> int:
        """The place of a constant among the shared numbers; equal ones are one."""
        key = repr(x)
        if key not in self.constants:
            self.constants[key] = len(self.numbers)
            self.numbers.append(x)
        return self.constants[key]

    def _kernel(self, entry: Primitive, codes: Sequence[str | float]) -> int:
        runs = [(code, len([*some])) for code, some in groupby(codes)]
        name = f"{entry.name} {' '.join(f'{n}{code}' if n > 1 else str(code) for code, n in runs)}"
        if name not in self.kernels:
            self.kernels[name] = kernel(entry, codes)
        return self.kernel_names.setdefault(name, len(self.kernel_names))


def _view(data: Dataset, task: Task) -> tuple[list[float], list[float], dict[str, Any] | None]:
    """The plane's lower and upper ends, with a margin of an eighth, and the components of more than two features."""
    X, components = np.array(data.X), None
    if X.shape[1] > 2:
        mean = X.mean(axis=0)
        axes = np.linalg.svd(X - mean, full_matrices=False)[2][:2]
        X, components = (X - mean) @ axes.T, {"mean": mean.tolist(), "axes": axes.tolist()}
    if X.shape[1] == 1:
        y = [task.label_of(y) if task.kind == CLASSIFICATION else units_of(y) for y in data.y]
        rows = np.array(y, dtype=np.float64).reshape(len(data.y), -1)
        X = np.column_stack([X, rows.min(axis=1), rows.max(axis=1)])
        X = np.array([[*X.min(axis=0)[:2]], [X[:, 0].max(), X[:, 2].max()]])
    low, high = X.min(axis=0), X.max(axis=0)
    margin = np.where(high > low, (high - low) / 8.0, 1.0)
    return (low - margin).tolist(), (high + margin).tolist(), components
