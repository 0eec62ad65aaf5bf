"""Runs a recorded loss again with other numbers, by the steps of its plan.

The graph is kept, so that the value and gradient of each scalar can be read, and ``to_values`` can write them back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cached_property
from itertools import chain, product, zip_longest
from math import isclose, isfinite
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd import primitives
from autograd.adopting.readings import Adopted, Opaque
from autograd.errors import DomainError, situation
from autograd.graph import sweep, topological_order
from autograd.modes import collector_paused
from autograd.number_systems import floats
from autograd.number_systems.arrays import Array
from autograd.operands import data_of
from autograd.replay.buffers import is_finite
from autograd.replay.flat_graph import Flat, Ints, flatten
from autograd.replay.schedule import Plan
from autograd.replay.summary import LayerFormulas, as_html, as_latex, as_text, find_layers
from autograd.table import Primitive, is_constant
from autograd.text import called, counted
from autograd.value import Value

if TYPE_CHECKING:
    from autograd.compiled.planning import CompiledPlan

EPSILON = 2.0**-52
ENGINES = ("auto", "compiled", "replay", "eager")
EDGES_TO_COMPILE = 500  # with fewer, loading kernels takes longer than they save
# Arrays may contain newer numbers than the ``data`` of some leaves. The owner of such arrays adds a function here,
# which is called with the leaves that are about to be read; if it owns any of them, it writes its numbers back.
holders: list[Callable[[Collection[Value]], None]] = []


def bring_up_to_date(leaves: Collection[Value]) -> None:
    """Write the newest numbers of these leaves into their ``data``, wherever they are stored."""
    for write_back in tuple(holders):  # other threads add and remove functions
        write_back(leaves)


class Program:
    """A recorded graph; ``record`` returns it and documents the arguments.

    engine    "compiled", "replay" or "eager"
    reason    why this engine was chosen
    loss      the loss of the latest run
    """

    def __init__(
        self, loss: Value, inputs: Sequence[Any] = (), parameters: Sequence[Value] | None = None, engine: str = "auto"
    ) -> None:
        if engine not in ENGINES:
            raise ValueError(f"engine {engine!r}: choose one of {', '.join(ENGINES)}")
        _check_loss("record", loss)
        if is_constant(loss):
            remedy = "compute it from leaves, outside no_grad()"
            raise ValueError(f"the loss {loss!r} is a constant without a graph: {remedy}")
        order = topological_order(loss)
        self.root, self.loss, self.twins = loss, loss.data, _twins_in(order)
        tensors = [inputs] if isinstance(self._ours(inputs), Value) else inputs
        read = [self._entries(tensor, f"inputs[{i}]") for i, tensor in enumerate(tensors)]
        self.inputs = [some for some, _ in read]
        fed = set(chain(*self.inputs))
        self.parameters = (
            [x for x in order if x.operation is None and x not in fed]
            if parameters is None
            else [*map(self._ours, parameters)]
        )
        _check_leaves([*chain(*self.inputs)], self.parameters)
        with collector_paused():
            self.flat = flat = flatten(loss, chain(self.parameters, *self.inputs), order)
            parameters_at, *inputs_at = map(flat.place_of.of, (self.parameters, *self.inputs))
            self.plan = plan = _planned(flat, parameters_at, inputs_at, engine)
        self.engine, self.reason = plan.engine, plan.reason
        self._has_run = self._is_late_done = False
        self._known: tuple[list[float], list[float]] | None = None  # of all nodes, once one without a slot was read
        memory = self.memory = plan.memory
        self._values, self._gradients = memory.value_at, memory.gradient_at
        self.others = [flat.nodes[i] for i in plan.others.tolist()]  # neither inputs nor parameters
        self.leaves = set(chain(self.parameters, self.others, *self.inputs))
        self._adopted = [x for x in (*self.parameters, *self.others) if isinstance(x, Adopted)]
        numbers = memory.values[memory.constants : plan.first_computed]  # of the leaves
        ends = np.cumsum([*map(len, (self.parameters, *self.inputs))])
        self.parameter_array, *arrays, self._other_array = np.split(numbers, ends)
        self.gradient_array: Array = memory.gradients[memory.constants :][: len(self.parameters)]
        self._input_arrays = [array.reshape(shape) for array, (_, shape) in zip(arrays, read)]
        self._changing: Array = memory.values[memory.constants : memory.used]  # fed or computed

    def __call__(self, feeds: Sequence[Any] = ()) -> float:
        """Run forward and backward with these numbers for the inputs and the present ``data`` of all other leaves.

        feeds   numbers for each input, in its shape; without feeds, the inputs keep their latest numbers

        Returns the loss. Raises ValueError for feeds of other shapes, and DomainError as the eager engine does.
        """
        self.take(feeds)
        self._read_leaves()
        with np.errstate(all="ignore"):
            return self.run()

    def _read_leaves(self) -> None:
        self._read_origins()
        bring_up_to_date(self.leaves)
        self.parameter_array[:] = [*map(data_of, self.parameters)]
        self.read_others()

    def read_others(self) -> None:
        """Read the present numbers of the leaves that are neither inputs nor parameters."""
        if self.others:
            self._other_array[:] = [*map(data_of, self.others)]

    def run(self) -> float:
        """Run forward and backward with the numbers in the arrays, inside the caller's ``np.errstate``.

        If a number is not finite, the graph itself runs instead: it names the node at fault, or follows IEEE 754.
        """
        if self.engine == "eager":
            return self.run_in_graph()
        if not isinstance(self.plan, Plan):
            return self.has_run() if self.plan.run() else self.run_in_graph()
        self._known = None
        for step in self.plan.forward:
            step()
        if not is_finite(self._changing):
            return self.run_in_graph()
        self._gradients[self.plan.root] = 1.0
        for step in self.plan.backward:
            step()
        if not is_finite(self.gradient_array):
            return self.run_in_graph()
        return self.has_run()

    def has_run(self) -> float:
        """Note that both passes have run on the arrays, and return the loss."""
        self._known = None
        self._is_late_done = False
        self._has_run = True
        self.loss = self._values[self.plan.root]
        return self.loss

    def feed(self, feeds: Sequence[Any]) -> None:
        """Give the inputs new numbers. Raises ValueError for other shapes, without changing anything."""
        if self._has_run and not self._is_late_done:
            self._run_late()  # the gradients of the latest run can be read until the next one
        self.take(feeds)

    def take(self, feeds: Sequence[Any]) -> None:
        """Like ``feed``, but just before a run, without computing the late gradients of the previous run."""
        if not len(feeds):
            return
        if len(feeds) != len(self._input_arrays):
            raise ValueError(f"{len(feeds)} feeds for {len(self._input_arrays)} inputs: give one feed for each input")
        new = [*map(_numbers, feeds)]
        for i, (array, feed) in enumerate(zip(self._input_arrays, new)):
            if feed.shape != array.shape:
                raise ValueError(
                    f"feeds[{i}] has the shape {feed.shape}, but inputs[{i}] was recorded with {array.shape}: "
                    "record a loss of this shape too"
                )
        for array, feed in zip(self._input_arrays, new):
            np.copyto(array, feed)

    def run_in_graph(self) -> float:
        """Run the nodes themselves on floats, forward and backward. Raises DomainError naming the node at fault."""
        self._known = None
        nodes, memory = self.flat.nodes, self.memory
        for leaf, x in zip(chain(self.parameters, *self.inputs), memory.values[memory.constants :].tolist()):
            leaf.data = x
        with collector_paused():
            for node in nodes:
                node.grad = 0.0
            computed = [(node, node.operation) for node in nodes if node.operation and node.parents]
            for node, operation in computed:
                node.data, local = operation.rule(floats, *[x.data for x in node.parents])
                if len(local) == 2:
                    node._dx, node._dy = local
                else:  # one is stored as a number, more than two as a tuple
                    node._dx = local if local[1:] else local[0]
                if node.data - node.data != 0.0:
                    operation.check_fault(node)
            if not isfinite(self.root.data):  # an infinite local derivative in a recorded derivative met no gate
                for node, operation in computed:
                    if not isfinite(node.data):
                        Primitive.check_fault(operation, node)
            self.root.backward()
        owners = [nodes[i] for i in self.plan.node_at.tolist()]
        memory.values[: len(owners)] = [*map(data_of, owners)]
        memory.gradients[: len(owners)] = [node.grad for node in owners]
        self._has_run = self._is_late_done = True
        self.loss = self.root.data
        return self.loss

    def value(self, node: Value) -> float:
        """Return the number of any node of the graph in the latest run; run the program if it has not run yet."""
        i = self._place(node)
        if not self._has_run:
            self()
        slot = int(self.memory.slot[i])
        return self._values[slot] if slot >= 0 else self._everything()[0][i]

    def gradient(self, node: Value) -> float:
        """Return ∂L/∂node in the latest run, for a leaf or any other node of the graph."""
        i = self._place(node)
        if not self._has_run:
            raise RuntimeError("no gradient yet: the program has not run; call it first")
        if not self._is_late_done:
            self._run_late()
        slot = int(self.memory.slot[i])
        return self._gradients[slot] if slot >= self.memory.constants else self._everything()[1][i]

    def reader(self, nodes: Sequence[Value]) -> Callable[[], Array]:
        """Return a function that returns the numbers of these nodes in the latest run as an array."""
        slots, values = self.memory.slot[[*map(self._place, nodes)]], self.memory.values
        if (slots >= 0).all():
            return lambda: values[slots]
        return lambda: np.array([*map(self.value, nodes)])

    def compare(self, loss: Value) -> bool:
        """Check the program against the same loss, built again from the same leaves at their present numbers.

        Runs the program at the present numbers of all leaves, inputs included, and returns True if each node agrees
        with the fresh graph up to rounding. Raises ValueError naming the first node that does not: it depends on a
        decision made, or on a number read from ``.data``, when the loss was recorded.

        >>> from autograd import record
        >>> x = Value(2.0, "x")
        >>> def f(x):
        ...     return 3.0 * x if x > 0.0 else 5.0 * x
        >>> program = record(f(x), inputs=[x])
        >>> program.compare(f(x))
        True
        >>> x.data = -2.0
        >>> program.compare(f(x))
        Traceback (most recent call last):
            ...
        ValueError: the constant = 3.0 in the program, but the constant = 5.0 in the fresh graph: a replay keeps ...
        """
        _check_loss("compare", loss)
        for some, array in zip(self.inputs, self._input_arrays):
            array[...] = np.reshape([*map(data_of, some)], array.shape)
        number_of: Callable[[Value], float] = self.value
        fault: DomainError | None = None
        try:
            self()
        except DomainError as error:  # in the graph, as far as it could be computed
            fault, number_of = error, attrgetter("data")
        check_same(self.root, number_of, loss)
        if fault:
            raise fault
        return True

    @cached_property
    def _arrays(self) -> Plan:
        """The plan that texts describe: a plan for arrays, which finds the same matrices as a compiled plan."""
        if isinstance(self.plan, Plan):
            return self.plan
        parameters, *inputs = map(self.flat.place_of.of, (self.parameters, *self.inputs))
        plan = Plan(self.flat, parameters, inputs, "replay")
        plan.engine, plan.reason = self.engine, self.reason
        return plan

    @property
    def layers(self) -> list[LayerFormulas]:
        """The matrix products with rows of parameters, first to last, in the lecture's letters."""
        return find_layers(self._arrays)

    def __str__(self) -> str:
        return as_text(self._arrays)

    def __repr__(self) -> str:
        return (
            f"Program({self.engine}: {counted(len(self.parameters), 'parameter')}, "
            f"{counted(sum(map(len, self.inputs)), 'input')}, {counted(len(self.flat.nodes), 'node')}; "
            "print it to see its matrices)"
        )

    def _repr_html_(self) -> str:
        return as_html(self._arrays)

    def _repr_latex_(self) -> str:
        return as_latex(self._arrays)

    def write_back(self, nodes: Iterable[Any] | None = None) -> None:
        """Write the latest numbers and gradients into the nodes of the engine from which the graph was adopted.

        nodes    the nodes to write, such as a model's parameters; by default, the whole graph, which takes longer

        A training loop in that engine can continue from there: each call of the program reads the leaves that have
        changed.
        """
        if not self.twins:
            raise ValueError(
                "write_back: this graph was not adopted from another engine; call to_values() to write the results "
                "of the latest run into it"
            )
        self._read_origins()
        bring_up_to_date(self.leaves)
        for x in self.twins.values() if nodes is None else map(self._ours, nodes):
            gradient = self.gradient(x)  # raises ValueError for a node that is not in the graph
            x.known = x.data if x in self.leaves else self.value(x)
            for kind, number in (("data", x.known), ("grad", gradient)):
                try:
                    if word := x.engine.word(kind, x.origin):
                        setattr(x.origin, word, number)  # type: ignore[arg-type]
                except (AttributeError, TypeError) as error:
                    name = type(x.origin).__name__
                    raise TypeError(f"write_back: the {kind} of a {name} cannot be set: {error}") from None

    def _read_origins(self) -> None:
        """Read the numbers of leaves that have changed in the engine from which the graph was adopted."""
        origins = [leaf.origin for leaf in self._adopted]
        for leaf, number in zip(self._adopted, self._adopted[0].engine.column("data", origins) if origins else ()):
            if number != leaf.known:
                leaf.data = leaf.known = floats.number(number)

    def _entries(self, tensor: Any, where: str) -> tuple[list[Value], tuple[int, ...]]:
        """Return the Values in nested lists, and their shape. Raises TypeError or ValueError if there is none."""
        tensor = self._ours(tensor)
        if isinstance(tensor, Value):
            return [tensor], ()
        if not isinstance(tensor, Sequence):
            raise TypeError(f"inputs contain {tensor!r}: an input must be a Value, or a list of inputs")
        rows = [self._entries(row, where) for row in tensor]
        shapes = {shape for _, shape in rows}
        if len(shapes) > 1:
            raise ValueError(f"{where} has rows of different shapes {sorted(shapes)}: give them as separate inputs")
        return [leaf for row, _ in rows for leaf in row], (len(rows), *(shapes.pop() if shapes else ()))

    def _ours(self, node: Any) -> Any:
        """Return the Value for a node of the engine from which the graph was adopted, and anything else unchanged."""
        return self.twins.get(id(node), node)

    def _place(self, node: Value) -> int:
        node = self._ours(node)
        if node not in self.flat.place_of:
            raise ValueError(f"{node!r} is not in the recorded graph")
        return self.flat.place_of[node]

    def _run_late(self) -> None:
        """Run the backward steps that no parameter needed, or the graph itself if a gradient is not finite."""
        self._is_late_done, self._known = True, None
        with np.errstate(all="ignore"):
            for step in self.plan.late:
                step()
            finite = is_finite(self.memory.gradients)
        if not finite:  # 0 · ∞ is 0 only in the graph
            present = [*map(data_of, self.parameters)]
            self.run_in_graph()
            for p, x in zip(self.parameters, present):  # which may have changed since that run
                p.data = x

    def _everything(self) -> tuple[list[float], list[float]]:
        """Return the numbers and gradients of all nodes in the latest run; rules compute nodes without a slot."""
        if self._known is None:
            nodes, slots, constants = self.flat.nodes, self.memory.slot.tolist(), self.memory.constants
            values = [self._values[slot] if slot >= 0 else node.data for node, slot in zip(nodes, slots)]
            gradients = [self._gradients[slot] if slot >= constants else 0.0 for slot in slots]
            place_of = dict(zip(nodes, range(len(nodes))))  # also of equal constants
            rules: dict[int, tuple[list[int], tuple[float, ...]]] = {}
            for i, node in enumerate(nodes):
                if node.operation and node.parents:
                    operands = [place_of[x] for x in node.parents]
                    value, local_derivatives = node.operation.rule(floats, *[values[k] for k in operands])
                    values[i] = value if slots[i] < 0 else values[i]
                    rules[i] = operands, local_derivatives

            def carry(i: int, upstream: float) -> list[tuple[int, float, float]]:
                read, locals_ = rules.get(i, ([], ()))
                return [(k, dx, upstream * dx) for k, dx in zip(read, locals_) if upstream and slots[k] < constants]

            total = dict(enumerate(gradients))
            for _ in sweep(range(len(nodes)), total, carry):
                pass
            self._known = values, list(total.values())
        return self._known

    def to_values(self) -> None:
        """Write every number of the latest run into the graph: data, local derivatives and grads.

        Afterwards, explain, draw and walk show the replayed numbers. Each leaf's ``grad`` is then from this run only.
        Parameters that have changed since the run, for example in an update, keep their present numbers.
        """
        self._read_leaves()
        self.run_in_graph()


def _planned(flat: Flat, parameters: Ints, inputs: Sequence[Ints], engine: str) -> Plan | CompiledPlan:
    """Return the plan for an engine; "auto" compiles if the extra is installed and the graph is large enough."""
    large, why_not = len(flat.parents.items) >= EDGES_TO_COMPILE, ""
    if engine == "compiled" or (engine == "auto" and large):
        try:
            from autograd.compiled.planning import CompiledPlan  # imports llvmlite

            return CompiledPlan(flat, parameters, inputs)
        except (ImportError, OSError, RuntimeError, TypeError) as error:
            if engine == "compiled":
                cannot = isinstance(error, (TypeError, RuntimeError))
                remedy = "record with engine='auto'" if cannot else "pip install 'chainrule[fast]'"
                raise (TypeError if cannot else ImportError)(f"engine 'compiled': {error}: {remedy}") from None
            why_not = "" if isinstance(error, ImportError) else f"; not compiled: {error}"
    try:
        plan = Plan(flat, parameters, inputs, engine)
    except TypeError as error:  # of a user-defined rule
        if engine != "auto":
            raise
        plan, why_not = Plan(flat, parameters, inputs, "eager"), f"; {error}"
    plan.reason += why_not
    return plan


def _twins_in(order: Sequence[Value]) -> dict[int, Adopted]:
    """Return the Values of an adopted graph by the id of their origin. Raises ValueError for an unknown operation."""
    adopted = [node for node in order if isinstance(node, Adopted)]
    for node in adopted:
        if isinstance(node.operation, Opaque):
            why = "this operation is not in the table, so it cannot be replayed"
            raise ValueError(f"{situation(node)}: {why}; {node.operation.remedy}")
    return {id(node.origin): node for node in adopted}


def _check_loss(what: str, loss: object) -> None:
    """Raise TypeError for a loss that is not a Value."""
    if callable(loss):
        f = getattr(loss, "__name__", type(loss).__name__)
        raise TypeError(
            f"{what} takes a loss, not the function {f}: call it on leaves and {what} the result, {f}(x); for "
            "several shapes, record one program for each and keep them in a dict"
        )
    if not isinstance(loss, Value):
        raise TypeError(f"{what} takes a loss, a Value computed from leaves, not {loss!r}")


def _check_leaves(fed: Sequence[Value], parameters: Sequence[Value]) -> None:
    """Raise TypeError or ValueError for nodes that cannot be inputs or parameters."""
    met: set[Value] = set()
    for role, leaf in chain(product(["input"], fed), product(["parameter"], parameters)):
        if not isinstance(leaf, Value):
            raise TypeError(f"{role} {leaf!r} is neither a Value nor a node from which the loss was adopted")
        if leaf.operation is not None:
            made = "is a constant" if is_constant(leaf) else f"was made by {leaf.operation.name}"
            raise ValueError(f"{role} {leaf!r} {made}: only leaves, such as Value(2.0), can be inputs or parameters")
        if leaf in met:
            raise ValueError(f"{role} {leaf!r} is given twice: pass each leaf only once")
        met.add(leaf)


def _numbers(feed: Any) -> Array:
    """Return a feed as an array. Raises TypeError for None and text, which NumPy would convert to numbers."""
    if type(feed) is np.ndarray and feed.dtype == np.float64:
        return feed
    array = np.asarray(feed)
    if array.dtype.kind not in "biuf":
        array = np.reshape([*map(floats.number, array.ravel().tolist())], array.shape)
    return array.astype(np.float64, copy=False)


# ---- comparison with a fresh graph --------------------------------------------------------------------------------


def check_same(root: Value, number_of: Callable[[Value], float], fresh: Value) -> None:
    """Raise ValueError naming the first node of the recorded graph that differs from the fresh one.

    number_of   returns the program's number of a recorded node

    Two nodes are the same if the same operation made them from the same operands and their numbers agree up to
    rounding: each of n terms rounds once, and local derivatives propagate the rounding errors of the operands.
    """
    twin: dict[Value, Value] = {}  # for each fresh node, the recorded one
    off: dict[Value, float] = {}
    for node, other in zip_longest(topological_order(root), topological_order(fresh)):
        if node is not None and other is not None and node.operation is other.operation:
            twin[other], off[other] = node, _rounding(other, [off[p] for p in other.parents])
            if node.parents == tuple(map(twin.get, other.parents)):
                number, expected = number_of(node), other.data
                both_nan = number != number and expected != expected
                if both_nan or isclose(number, expected, rel_tol=0.0, abs_tol=off[other]):
                    continue
        raise ValueError(
            f"{_named(node, number_of)} in the program, but {_named(other, lambda x: x.data)} in the fresh graph: "
            "a replay keeps decisions and numbers read from .data. Decide inside the graph (greater, where, "
            "maximum), make the number a leaf, or record each graph"
        )


def _rounding(node: Value, off: list[float]) -> float:
    """Return how far apart two computations of a node may be if its operands are off by ``off``."""
    passes = node.operation is primitives.detach  # which passes the value, but no gradient
    edges = [(1.0 if passes else abs(local), abs(x.data), error) for (x, local), error in zip(node.edges, off)]
    terms = sum(local * x for local, x, _ in edges if isfinite(local))
    own = EPSILON * (8 + len(edges)) * (abs(node.data) + terms) if edges else 0.0
    return own + sum(local * error for local, _, error in edges if error)


def _named(node: Value | None, number_of: Callable[[Value], float]) -> str:
    """Describe a node, as in ``L = mul at w = 2.0, x = 3.0, which is 6.0``."""
    if node is None:
        return "no further node"
    number = number_of(node)
    if node.operation is None or not node.parents:
        return f"{'the constant' if is_constant(node) else called(node.name, 'a leaf')} = {number!r}"
    name = f"{called(node.name, '')} = " if node.name else ""
    return f"{name}{situation(node, number_of)}, which is {number!r},"
