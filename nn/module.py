"""Defines Module, the base class of layers and networks, which finds parameters and names scalars."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set, ValuesView
from contextlib import contextmanager
from dataclasses import is_dataclass
from functools import lru_cache
from itertools import chain, product
from math import copysign, isfinite
from operator import attrgetter
from reprlib import recursive_repr
from types import FunctionType, MethodType, NoneType, SimpleNamespace
from typing import Any

from autograd.functions import named
from autograd.operands import number_of
from autograd.primitives import identity
from autograd.text import called
from autograd.value import Operand, Value, constant
from nn.validation import SuggestsNames

Example = Sequence[Operand]
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
# names of parameters that are not penalised
OFFSET = re.compile(r"(^|\.)(b|beta|gamma|β|γ|(\w+_)?bias(es)?)\d*(_\w*)?(\.\d+)*$", re.IGNORECASE)
PLAIN = (
    int,
    float,
    bool,
    str,
    bytes,
    NoneType,
    FunctionType,
    MethodType,
)  # types that contain no Value and no module
operation_of = attrgetter("operation")


class Module(SuggestsNames, ABC):
    """Base class of layers and networks, which map one example, a list of numbers or Values, to a list of Values.

    A subclass assigns parameters and submodules to attributes and implements ``forward``. The other methods find them
    in attributes, including nested lists, tuples and dicts, under paths such as ``heads.left.W``. A parameter is a
    leaf Value; nodes that ``forward`` computes and stores are not parameters. Statistics learned from data without a
    gradient are lists of floats in attributes whose names end in ``_``, such as ``mu_``.

    training   whether the module is in training mode (dropout, batch statistics) or in evaluation mode
    frozen     whether ``freeze`` has excluded its parameters from training
    """

    training = True
    frozen = False
    kept = False  # whether it stays in evaluation mode while the rest of the model is trained
    task: Any = None  # how the outputs are interpreted, an nn.evaluation.Task set by Training

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for path, found in search(dict(vars(cls)), cls.__name__, ()).items():
            if is_tensor(found) or isinstance(found, Module):
                raise TypeError(f"{path} would be shared by all instances: assign it in __init__")

    @abstractmethod
    def forward(self, x: list[Value]) -> list[Value]:
        """Return the outputs for one example."""

    def forward_batch(self, X: list[list[Value]]) -> list[list[Value]]:
        """Return the outputs for a mini-batch. Layers that mix examples override this method."""
        return [self.forward(x) for x in X]

    def __call__(self, x: Example) -> Any:
        """Return the outputs for one example. Raises TypeError for a list of examples, which ``batch`` accepts."""
        return self.forward(lift(x))

    def batch(self, X: Sequence[Example]) -> list[Any]:
        """Return the outputs for each example of a mini-batch, computed layer by layer."""
        if not len(X):
            raise ValueError("the mini-batch is empty: it needs at least 1 example")
        return self.forward_batch([lift(x) for x in X])

    def held(self, path: str = "", around: tuple[Any, ...] = ()) -> dict[str, Any]:
        """Return this module's own tensors and buffers and its direct submodules, by path."""
        own: dict[str, Any] = {}
        for attribute, thing in vars(self).items():
            if type(thing) in PLAIN:
                continue
            is_learned = attribute.endswith("_")
            if is_learned and type(thing).__module__ == "numpy":
                raise TypeError(f"{attribute} is an array: statistics learned from data must be a list of floats")
            found = search(thing, f"{path}.{attribute}".lstrip("."), (*around, self))
            own |= {at: x for at, x in found.items() if is_learned or is_tensor(x) or isinstance(x, Module)}
        return own

    def _inside(self) -> list[Module]:
        return [x for x in self.held().values() if isinstance(x, Module)]

    def _parts(self, path: str = "", around: tuple[Any, ...] = ()) -> Iterator[tuple[str, Module, dict[str, Any]]]:
        """Yield this module and its submodules, depth first: the path, the module and the result of ``held``."""
        yield path, self, (own := self.held(path, around))
        for at, module in own.items():
            if isinstance(module, Module):
                yield from module._parts(at, (*around, self))

    def submodules(self) -> dict[str, Module]:
        """Return all modules inside this one by path, such as ``layers.0``.

        Like all methods that search attributes, it raises TypeError or ValueError for an attribute that cannot be
        searched: a set, an iterator, a dict whose keys cannot form a path, or a reference to an enclosing module.
        """
        return {path: module for path, module, _ in self._parts() if path}

    def tensors(self) -> dict[str, Any]:
        """Return the parameters by path, such as ``layers.0.W``, each as a Value or nested lists of Values.

        A list whose entries have equal shapes is one tensor; otherwise each entry is a tensor, such as ``pair.0``.
        """
        return {path: x for _, _, own in self._parts() for path, x in own.items() if is_tensor(x)}

    def buffers(self) -> dict[str, list[float]]:
        """Return the statistics that the modules learn without a gradient, by path, such as ``layers.1.mu_``."""
        found = [pair for _, _, own in self._parts() for pair in own.items()]
        return {path: x for path, x in found if not isinstance(x, Module) and not is_tensor(x)}

    def parameters(self) -> list[Value]:
        """Return every parameter that is not frozen exactly once, in the order of the layers.

        An unnamed parameter is named after its path, such as ``layers.1.scale_2`` for the second entry of ``scale``.
        """
        free, frozen = dict[Value, None](), dict[Value, None]()
        for _, module, own in self._parts():
            for path, tensor in own.items():
                if is_tensor(tensor):
                    leaves = flatten(tensor)
                    (frozen if module.frozen else free).update(dict.fromkeys(leaves))
                    if not all(leaf.name for leaf in leaves):
                        for leaf, place in zip(leaves, _places(path, tensor)):
                            leaf.name = leaf.name or place
        return [leaf for leaf in free if leaf not in frozen]

    def named_parameters(self) -> dict[str, Value]:
        """Return the ``parameters`` by name: w¹₂₁, from input 1 to unit 2 of layer 1, is called ``w¹_21``.

        Parameters that share a name are listed under their paths instead, such as ``hidden.W_21``.
        """
        parameters, tensors, by_name = self.parameters(), self.tensors().items(), dict[str, Value]()
        places = {leaf: at for path, tensor in tensors for leaf, at in zip(flatten(tensor), _places(path, tensor))}
        count = Counter(p.name for p in parameters)
        for p in parameters:
            name = p.name if p.name and count[p.name] == 1 else places[p]
            while name in by_name:
                name += "′"
            by_name[name] = p
        return by_name

    def penalised(self) -> list[Value]:
        """Return the module's own parameters to penalise, by default all but those named b, bias, β or γ."""
        return flatten([x for path, x in self.held().items() if is_tensor(x) and not OFFSET.search(path)])

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to 0, those of frozen layers included."""
        for p in flatten([*self.tensors().values()]):
            p.grad = 0.0

    def train(self, mode: bool = True) -> Module:
        """Set training mode (dropout, batch statistics), or evaluation mode if ``mode`` is False; return the module.

        It calls ``train`` or ``eval`` on the submodules. A frozen module stays in evaluation mode.
        """
        self.training = mode and not self.frozen
        try:
            for module in self._inside():
                if mode:
                    module.train()
                else:
                    module.eval()
        except RecursionError:
            self.submodules()  # raises an error that names the module that contains itself
            raise
        return self

    def eval(self) -> Module:
        """Set evaluation mode; return the module."""
        return self.train(False)

    def freeze(self, frozen: bool = True) -> Module:
        """Exclude this module and its submodules from training, and set evaluation mode; return the module.

        Frozen parameters are in ``state_dict``, but not in ``parameters``: create the optimiser after freezing.

        >>> from nn import Linear, Sequential
        >>> model = Sequential(Linear(2, 1), Linear(1, 1))
        >>> model[0].freeze(), list(model.named_parameters())
        (Linear(2, 1), ['w²_11', 'b²_1'])
        """
        for module in (self, *self.submodules().values()):
            module.frozen, module.kept = frozen, False
        return self.train(not frozen)

    def unfreeze(self) -> Module:
        """Undo ``freeze`` and set training mode; return the module."""
        return self.freeze(False)

    def state_dict(self) -> dict[str, Any]:
        """Return the numbers of every tensor and buffer by path, as lists of floats."""
        return {path: numbers(tensor) for path, tensor in {**self.tensors(), **self.buffers()}.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Set every parameter and buffer from lists or arrays with the same names and shapes.

        Raises ValueError, and changes nothing, if a name is missing or unknown, if a shape differs, or if a number is
        not finite.
        """
        buffers = self.buffers()
        tensors = {**self.tensors(), **buffers}
        differ = _listed("missing", {*tensors} - {*state}) + _listed("unknown", {*state} - {*tensors})
        if differ:
            raise ValueError(f"the state does not match the model: {'; '.join(differ)}")
        updates: dict[str, list[float]] = {}
        for path, tensor in tensors.items():
            new = state[path].tolist() if type(state[path]).__module__ == "numpy" else state[path]
            if shape(new) != shape(tensor):
                raise ValueError(f"{path} has shape {shape(tensor)} in the model but {shape(new)} in the state")
            updates[path] = [number_of(x) for x in flatten(new)]
            if not all(map(isfinite, updates[path])):
                raise ValueError(f"{path} in the state contains a number that is not finite")
        for path, tensor in tensors.items():
            if path in buffers:
                tensor[:] = updates[path]
            else:
                for p, x in zip(flatten(tensor), updates[path]):
                    p.data = x

    @recursive_repr("…")
    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self._inside()))})"


def _listed(word: str, names: Set[str]) -> list[str]:
    """Return a list with one string, the word and the first five names, or an empty list if there are no names."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return [f"{word} {', '.join(called(n, repr(n)) for n in sorted(names)[:5])}{more}"] if names else []


def search(thing: Any, path: str, around: tuple[Any, ...]) -> dict[str, Any]:
    """Return the modules, tensors and lists of numbers in an attribute, by path; ``around`` lists its containers."""
    is_list = isinstance(thing, (list, tuple))
    if is_list and _is_matrix(thing):  # the common case
        return {path: thing}
    if any(thing is outer for outer in around):
        name = type(thing).__name__
        raise ValueError(f"{path} refers to the {name} that contains it: store a weakref.ref to a module instead")
    if isinstance(thing, Module) or (isinstance(thing, Value) and thing.operation is None):
        return {path: thing}
    if type(thing).__module__ == "numpy" and str(getattr(thing, "dtype", "")) == "object":
        return search(thing.tolist(), path, around)
    if isinstance(thing, SimpleNamespace) or (is_dataclass(thing) and not isinstance(thing, type)):
        return search(getattr(thing, "__dict__", {}), path, around)
    is_set, found = isinstance(thing, (Set, ValuesView)), dict[str, Any]()
    if is_list or is_set or (isinstance(thing, (Mapping, Sequence)) and not isinstance(thing, (str, bytes, range))):
        entries = thing if isinstance(thing, Mapping) else dict(enumerate(thing))
        kinds = set(map(type, entries.values()))
        if isinstance(thing, list) and thing and all(issubclass(kind, (int, float)) for kind in kinds):
            return {path: thing}
        for key, entry in () if all(issubclass(kind, PLAIN) for kind in kinds) else entries.items():
            below = search(entry, f"{path}.{key}", (*around, thing))
            if below and (not isinstance(key, (str, int)) or "." in str(key) or found.keys() & below.keys()):
                raise TypeError(
                    f"{path} has the key {key!r}: keys of modules and parameters must be integers or strings without "
                    "dots, and no two may form the same path"
                )
            found |= below
    if (found and is_set) or isinstance(thing, Iterator):
        raise TypeError(f"{path} is a {type(thing).__name__}, which is not searched for parameters: use a list")
    # tensors of equal shape form one tensor
    if is_list and list(found) == [f"{path}.{i}" for i in range(len(thing))] and all(map(is_tensor, found.values())):
        return {path: thing} if len(set(map(shape, found.values()))) == 1 else found
    return found


def _is_matrix(thing: Sequence[Any]) -> bool:
    """Return whether these are leaves, or rows of leaves of equal length; ``search`` finds all other tensors."""
    kinds = set(map(type, thing))
    if kinds == {list} and len(set(map(len, thing))) == 1:
        thing = [*chain.from_iterable(thing)]
        kinds = set(map(type, thing))
    return kinds == {Value} and set(map(operation_of, thing)) == {None}


def is_tensor(thing: Any) -> bool:
    """Return whether something that ``search`` found is a parameter or nested lists of parameters."""
    while isinstance(thing, (list, tuple)):
        thing = thing[0]
    return isinstance(thing, Value)


def _places(path: str, tensor: Any) -> list[str]:
    """Return the names of a tensor's entries: its path with indices counted from 1, such as ``W_11``."""
    return [index_name(path, None, *indices) for indices in product(*map(range, shape(tensor)))]


@contextmanager
def evaluating(model: Module) -> Iterator[None]:
    """Set evaluation mode for the model and its submodules, and restore the mode of each afterwards."""
    modes = [(module, module.training) for module in (model, *model.submodules().values())]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


class Trace:
    """The scalars of one example in a network, named as in the lecture.

    z[l], a[l]   lists of Values for the layers l = 1 … L; a[0] is the input and z[0] is empty
    delta[l]     δˡ = ∂L/∂zˡ as floats, available after ``loss.backward()``
    output       the output of the model, from which to compute the loss
    """

    def __init__(self, z: list[list[Value]], a: list[list[Value]], output: Any) -> None:
        self.z, self.a, self.output = z, a, output
        for layer in z:
            for z_j in layer:
                z_j.grad = -0.0  # a backward pass starts from +0.0, so −0.0 marks a z that it has not reached

    @property
    def delta(self) -> list[list[float]]:
        """δˡ of every layer, of the same shape as z. Raises RuntimeError before the backward pass."""
        # a z that the loss does not depend on keeps its −0.0, and its δ is 0
        grads = [z_j.grad for layer in self.z for z_j in layer]
        if grads and all(grad == 0.0 and copysign(1.0, grad) < 0.0 for grad in grads):
            raise RuntimeError(
                "δ = ∂L/∂z is not known yet: compute a loss from trace.output and call loss.backward()"
            )
        return [[z_j.grad + 0.0 for z_j in layer] for layer in self.z]


def lift(x: Example) -> list[Value]:
    """Return one example as Values, with plain numbers as constants."""
    if isinstance(x, (str, bytes)) or (not isinstance(x, Sequence) and type(x).__module__ != "numpy"):
        raise TypeError(f"a model takes one example, a list of numbers, not {x!r}")
    if any(isinstance(x_i, (str, bytes)) for x_i in x):
        raise TypeError(f"a model takes one example, a list of numbers, but {x!r} contains text")
    if any((not isinstance(x_i, Value) and isinstance(x_i, Sequence)) or getattr(x_i, "shape", ()) for x_i in x):
        raise TypeError("a model takes one example, a list of numbers, not a list of examples: call model.batch(X)")
    return [x_i if isinstance(x_i, Value) else constant(x_i) for x_i in x]


@lru_cache(10_000)  # every mini-batch uses the same names
def index_name(letter: str, layer: int | None, *indices: int) -> str:
    """Return the lecture's name for a scalar, with indices from 1: ``w²_13``, or ``w²_1,13`` if an index is ≥ 10."""
    above = "" if layer is None else str(layer).translate(SUPERSCRIPTS)
    below = ("" if all(i < 9 for i in indices) else ",").join(str(i + 1) for i in indices)
    return f"{letter}{above}_{below}" if indices else f"{letter}{above}"


def name_all(letter: str, layer: int | None, nodes: list[Value]) -> list[Value]:
    """Name the nodes letterˡ₁ … letterˡₙ and return them; an identity node replaces one that already has a name."""
    return [named(**{index_name(letter, layer, j): node}) for j, node in enumerate(nodes)]


def beneath(node: Value) -> Value:
    """Return the node beneath any identity nodes, which only rename it."""
    while node.operation is identity and node.parents:
        (node,) = node.parents
    return node


def flatten(tensor: Any) -> list[Any]:
    """Return the entries of nested lists, row by row."""
    if not isinstance(tensor, (list, tuple)):
        return [tensor]
    if any(issubclass(kind, (list, tuple)) for kind in set(map(type, tensor))):
        return [x for row in tensor for x in flatten(row)]
    return list(tensor)


def numbers(tensor: Any) -> Any:
    """Return nested lists with every Value replaced by its data."""
    return [numbers(row) for row in tensor] if isinstance(tensor, (list, tuple)) else number_of(tensor)


def shape(tensor: Any) -> tuple[int, ...]:
    """Return the shape (rows, columns, …) of nested lists. Raises ValueError if they are ragged."""
    if not isinstance(tensor, (list, tuple)):
        return ()
    nested = any(issubclass(kind, (list, tuple)) for kind in set(map(type, tensor)))
    inner = {shape(row) for row in tensor} if nested else {()}
    if len(inner) > 1:
        raise ValueError(f"rows have different shapes {sorted(inner)}: all rows must have the same length")
    return (len(tensor), *inner.pop())
