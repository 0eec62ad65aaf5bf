"""What every layer and network is: a map of one example, the parameters that are Values, and their state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import copysign, isfinite
from typing import TYPE_CHECKING, Any

from autograd.errors import called
from autograd.functions import named
from autograd.value import Operand, Value, constant, number_of
from nn.arguments import Answering

if TYPE_CHECKING:
    from autograd.drawing.neurons import Diagram

Example = Sequence[Operand]
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


class Module(Answering, ABC):
    """A map from one example, a list of numbers or Values, to a list of Values.

    A subclass assigns its parameters (a Value, or lists of Values) and its submodules to attributes and writes
    ``forward``; everything else finds them there. Numbers that it learns from data without a gradient are lists of
    floats in attributes whose names end in ``_``, as ``mu_``.
    """

    training = True
    frozen = False  # whether its parameters stay as they are
    kept = False  # whether it stays in evaluation mode while the model around it trains
    task: Any = None  # what the outputs mean (nn.evaluation.Task), known to the Training that it was trained by

    @abstractmethod
    def forward(self, x: list[Value]) -> list[Value]:
        """The outputs for one example."""

    def forward_batch(self, X: list[list[Value]]) -> list[list[Value]]:
        """The outputs for a mini-batch; only a layer that mixes examples writes its own."""
        return [self.forward(x) for x in X]

    def __call__(self, x: Example) -> Any:
        """The outputs for one example. TypeError for a list of examples: that is ``batch``."""
        return self.forward(lift(x))

    def batch(self, X: Sequence[Example]) -> list[Any]:
        """The outputs for each example of a mini-batch, computed layer by layer."""
        if not len(X):
            raise ValueError("a mini-batch of 0 examples: it needs at least 1")
        return self.forward_batch([lift(x) for x in X])

    def submodules(self) -> dict[str, Module]:
        """The modules inside this one, by their path: ``layers.0``."""
        found: dict[str, Module] = {}
        for attribute, thing in vars(self).items():
            many = isinstance(thing, (list, tuple))
            for i, module in enumerate(thing if many else [thing]):
                if isinstance(module, Module):
                    path = f"{attribute}.{i}" if many else attribute
                    found[path] = module
                    found.update({f"{path}.{below}": m for below, m in module.submodules().items()})
        return found

    def tensors(self) -> dict[str, Any]:
        """The parameters as the modules hold them, a Value or lists of Values, by path: ``layers.0.W``."""
        found: dict[str, Any] = {}
        for path, module in {"": self, **self.submodules()}.items():
            for attribute, thing in vars(module).items():
                if all(isinstance(leaf, Value) for leaf in flatten(thing)) and thing != []:
                    found[f"{path}.{attribute}".lstrip(".")] = thing
        return found

    def buffers(self) -> dict[str, list[float]]:
        """What the modules learn from data without a gradient, by path: ``layers.1.mu_``."""
        return {
            f"{path}.{attribute}".lstrip("."): thing
            for path, module in {"": self, **self.submodules()}.items()
            for attribute, thing in vars(module).items()
            if attribute.endswith("_")
        }

    def parameters(self) -> list[Value]:
        """Every weight and bias, in the order of the layers; each once."""
        return list(dict.fromkeys(leaf for tensor in self.tensors().values() for leaf in flatten(tensor)))

    def named_parameters(self) -> dict[str, Value]:
        """Every weight and bias by name: w¹₂₁ is written ``w¹_21``, from unit 1 to unit 2 of layer 1."""
        return {p.name or f"parameter {i}": p for i, p in enumerate(self.parameters())}

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to 0."""
        for p in self.parameters():
            p.grad = 0.0

    def train(self, mode: bool = True) -> Module:
        """Training behaviour (dropout, batch statistics) on, or with False off; returns the module."""
        for module in (self, *self.submodules().values()):
            module.training = mode
        return self

    def eval(self) -> Module:
        """Evaluation behaviour; returns the module."""
        return self.train(False)

    def state_dict(self) -> dict[str, Any]:
        """The numbers of every tensor and buffer, as floats in lists of its shape."""
        return {path: numbers(tensor) for path, tensor in {**self.tensors(), **self.buffers()}.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Set every parameter and buffer from lists or arrays of the same names and shapes.

        Raises ValueError, and changes nothing, where a name is missing or unknown, a shape differs or a number is
        not finite.
        """
        buffers = self.buffers()
        tensors = {**self.tensors(), **buffers}
        if set(state) != set(tensors):
            missing, unknown = sorted(set(tensors) - set(state)), sorted(set(state) - set(tensors))
            raise ValueError(
                "the state does not fit the model: "
                + "; ".join(
                    f"{word} {', '.join(called(name, repr(name)) for name in names[:5])}"
                    + (f" and {len(names) - 5} more" if len(names) > 5 else "")
                    for word, names in (("missing", missing), ("unknown", unknown))
                    if names
                )
            )
        updates: dict[str, list[float]] = {}
        for path, tensor in tensors.items():
            new = state[path].tolist() if type(state[path]).__module__ == "numpy" else state[path]
            if shape(new) != shape(tensor):
                raise ValueError(f"{path} has the shape {shape(tensor)} in the model and {shape(new)} in the state")
            updates[path] = [number_of(x) for x in flatten(new)]
            if not all(map(isfinite, updates[path])):
                raise ValueError(f"{path} has a number in the state that is not finite")
        for path, tensor in tensors.items():
            if path in buffers:
                tensor[:] = updates[path]
            else:
                for p, x in zip(flatten(tensor), updates[path]):
                    p.data = x

    def diagram(self) -> Diagram:
        """The units and weights of the Linear layers, for ``autograd.draw``."""
        from nn.diagram import model_diagram  # knows layers, which know this file

        return model_diagram(self)

    def __repr__(self) -> str:
        inside = ", ".join(map(repr, self.submodules().values()))
        return f"{type(self).__name__}({inside})"


@contextmanager
def evaluating(model: Module) -> Iterator[None]:
    """Inside, the model and every module in it are in evaluation mode; afterwards each is in its own again."""
    modes = [(module, module.training) for module in (model, *model.submodules().values())]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


class Trace:
    """The scalars of one example on their way through a network, under the lecture's names.

    z[l], a[l]   lists of Values for the layers l = 1 … L; a[0] is the input and z[0] is empty
    delta[l]     δˡ = ∂L/∂zˡ as floats, after ``loss.backward()``
    output       what the model returned, ready for a loss
    """

    def __init__(self, z: list[list[Value]], a: list[list[Value]], output: Any) -> None:
        self.z, self.a, self.output = z, a, output
        for layer in z:
            for z_j in layer:
                z_j.grad = -0.0  # a backward pass starts from +0.0, so −0.0 says that none has come here

    @property
    def delta(self) -> list[list[float]]:
        """δˡ for every layer, of the same shape as z. Raises RuntimeError before the backward pass."""
        # a z that the loss does not use keeps its mark, and its δ is 0
        every = [z_j.grad for layer in self.z for z_j in layer]
        if every and all(grad == 0.0 and copysign(1.0, grad) < 0.0 for grad in every):
            raise RuntimeError(
                "δ = ∂L/∂z is not known yet: compute a loss from trace.output and call loss.backward() first"
            )
        return [[z_j.grad + 0.0 for z_j in layer] for layer in self.z]

    def diagram(self) -> Diagram:
        """The units that the example passed through, with their numbers, for ``autograd.draw``."""
        from nn.diagram import trace_diagram

        return trace_diagram(self)


def lift(x: Example) -> list[Value]:
    """One example as Values: plain numbers become constants."""
    if isinstance(x, (str, bytes)) or (not isinstance(x, Sequence) and type(x).__module__ != "numpy"):
        raise TypeError(f"a model maps one example, a list of numbers, not {x!r}")
    if any(isinstance(x_i, (str, bytes)) for x_i in x):
        raise TypeError(f"a model maps one example, a list of numbers, not of text: {x!r}")
    if any((not isinstance(x_i, Value) and isinstance(x_i, Sequence)) or getattr(x_i, "shape", ()) for x_i in x):
        raise TypeError("a model maps one example, a list of numbers; for a list of examples call model.batch(X)")
    return [x_i if isinstance(x_i, Value) else constant(x_i) for x_i in x]


def index_name(letter: str, layer: int | None, *indices: int) -> str:
    """The lecture's name of a scalar, counted from 1: ``w²_13``; with a comma from 10 on: ``w²_1,13``."""
    above = "" if layer is None else str(layer).translate(SUPERSCRIPTS)
    below = ("" if all(i < 9 for i in indices) else ",").join(str(i + 1) for i in indices)
    return f"{letter}{above}_{below}"


def name_all(letter: str, layer: int | None, nodes: list[Value]) -> list[Value]:
    """The nodes named letterˡ₁ … letterˡₙ (identity nodes where they had a name)."""
    return [named(**{index_name(letter, layer, j): node}) for j, node in enumerate(nodes)]


def flatten(tensor: Any) -> list[Any]:
    """The entries of lists in lists, row by row."""
    if not isinstance(tensor, (list, tuple)):
        return [tensor]
    entries: list[Any] = []
    for row in tensor:
        if isinstance(row, (list, tuple)):
            entries += flatten(row)
        else:
            entries.append(row)
    return entries


def numbers(tensor: Any) -> Any:
    """The same lists with every Value's ``data`` in its place."""
    return [numbers(row) for row in tensor] if isinstance(tensor, (list, tuple)) else number_of(tensor)


def shape(tensor: Any) -> tuple[int, ...]:
    """(rows, columns, …) of lists in lists; ValueError where they are ragged."""
    if not isinstance(tensor, (list, tuple)):
        return ()
    inner = {shape(row) for row in tensor}
    if len(inner) > 1:
        raise ValueError(f"rows of different shapes {sorted(inner)}: every row needs as many numbers as the first")
    return (len(tensor), *(inner.pop() if inner else ()))
