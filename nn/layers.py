"""The layers Linear, Sequential and MLP, with one node for each z_j of zˡ = Wˡ aˡ⁻¹ + bˡ.

The parents of z_j are its row of W, aˡ⁻¹ and b_j. Its local derivative with respect to w_jk is a_k, and with respect
to a_k it is w_jk; multiplied by δ_j and summed, these give the matrices δ aᵀ and Wᵀ δ.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from math import isfinite
from random import Random
from typing import Any

from autograd.operands import data_of
from autograd.primitives import affine, dot
from autograd.value import Value, node_of
from nn.activations import BY_NAME, Identity, activation as make_activation
from nn.batch_norm import BatchNorm
from nn.dropout import Dropout
from nn.init import Initializer, he_normal, initializer, xavier_uniform
from nn.module import Example, Module, Trace, flatten, index_name, lift, name_all, shape
from nn.validation import generator, whole


class Linear(Module):
    """z_j = Σ_k w_jk a_k + b_j, as one ``affine`` node per unit j, so that δ_j is the ``grad`` of that node.

    n_in, n_out   number of inputs and number of units; W has shape (n_out, n_in)
    init          initial weights: a function of (n_in, n_out, rng), or its name in ``nn.init``; biases start at 0
    rng           a seed, a ``random.Random``, or None for a randomly seeded generator
    bias          if False, b is empty, and z_j = Σ_k w_jk a_k is a ``dot`` node

    Raises ValueError if a number of units is not a positive integer, if the initial weights have the wrong shape or
    are not finite, or if an example has the wrong length.

    >>> layer = Linear(2, 1)
    >>> layer.load_state_dict({"W": [[3.0, 4.0]], "b": [0.5]})
    >>> [z.data for z in layer([1.0, 2.0])]
    [11.5]
    """

    def __init__(
        self, n_in: int, n_out: int, init: Initializer | str = xavier_uniform, rng: Random | int | None = None,
        bias: bool = True,
    ) -> None:  # fmt: skip
        self.n_in = n_in = whole("n_in", n_in)
        self.n_out = n_out = whole("n_out", n_out)
        if not isinstance(bias, bool):
            raise TypeError(f"bias = {bias!r}: it must be True or False")
        W = initializer(init)(n_in, n_out, generator(rng))
        if shape(W) != (n_out, n_in):
            raise ValueError(f"init returned weights of shape {shape(W)}: W must have shape {(n_out, n_in)}")
        if not all(map(isfinite, flatten(W))):
            raise ValueError("init returned weights that are not finite: training needs finite numbers")
        self.W = [[Value(w) for w in row] for row in W]
        self.b = [Value(0.0) for _ in range(n_out if bias else 0)]
        self.number(None)

    def number(self, layer: int | None) -> None:
        """Name the parameters after their layer l: ``w²_13``, ``b²_1``."""
        for j, b in enumerate(self.b):
            b.name = index_name("b", layer, j)
        for j, row in enumerate(self.W):
            for k, w in enumerate(row):
                w.name = index_name("w", layer, j, k)

    def forward(self, x: list[Value]) -> list[Value]:
        return self.forward_batch([x])[0]

    def forward_batch(self, X: list[list[Value]]) -> list[list[Value]]:
        # read the data of W and b once per mini-batch, and the data of x once for all units
        biases: list[list[Value]] = [[b] for b in self.b] or [[]] * self.n_out
        units = [(w, b, [*map(data_of, w)], [*map(data_of, b)]) for w, b in zip(self.W, biases)]
        Z, rule = [], affine if self.b else dot
        for x in X:
            if len(x) != self.n_in:
                raise ValueError(f"{self!r} got an example of length {len(x)}: it expects {self.n_in} numbers")
            a = [*map(data_of, x)]
            Z.append([node_of(rule, (*w, *x, *b), [*w_data, *a, *b_data]) for w, b, w_data, b_data in units])
        return Z

    def __repr__(self) -> str:
        return f"Linear({self.n_in}, {self.n_out}{'' if self.b else ', bias=False'})"


class Sequential(Module):
    """Applies modules in order; they are passed as separate arguments or as one list.

    ``model[0]`` is a layer, and ``model[:2]`` a Sequential that shares its layers with the model. Each layer
    processes a whole mini-batch before the next. Raises TypeError if a layer is not a Module.

    >>> from nn import ReLU
    >>> model = Sequential(Linear(2, 3, rng=0), ReLU(), Linear(3, 1, rng=1))
    >>> len(model.parameters()), list(model.named_parameters())[:3]
    (13, ['w¹_11', 'w¹_12', 'w¹_21'])
    >>> len(model), model[0], model[1:]
    (3, Linear(2, 3), Sequential(ReLU(), Linear(3, 1)))
    """

    def __init__(self, *layers: Module | Iterable[Module]) -> None:
        one = len(layers) == 1 and isinstance(layers[0], Iterable) and not isinstance(layers[0], (Module, str))
        listed: Any = layers[0] if one else layers
        self.layers: list[Module] = list(listed)
        for i, layer in enumerate(self.layers, 1):
            if not isinstance(layer, Module):
                name = layer if isinstance(layer, str) else getattr(layer, "__name__", "")
                g = layer if isinstance(layer, type) and issubclass(layer, Module) else BY_NAME.get(name)
                remedy = f": use {g.__name__}()" if g else ""
                raise TypeError(f"layer {i} is {name or repr(layer)}, which is not a Module{remedy}")
        l = 0
        for layer in self.flat():
            if isinstance(layer, (Linear, BatchNorm, Dropout)):  # they name their scalars after the layer l
                l += isinstance(layer, Linear)
                layer.number(l)

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Module]:
        return iter(self.layers)

    def __getitem__(self, place: int | slice) -> Module:
        if not isinstance(place, slice):
            return self.layers[place]
        part = Sequential()  # empty at first, so that no layer is renamed
        part.layers, part.training, part.frozen = self.layers[place], self.training, self.frozen
        return part

    def flat(self) -> list[Module]:
        """Return the layers, with each nested Sequential replaced by its layers."""
        return [one for layer in self for one in (layer.flat() if isinstance(layer, Sequential) else [layer])]

    def forward(self, x: list[Value]) -> list[Value]:
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def forward_batch(self, X: list[list[Value]]) -> list[list[Value]]:
        for layer in self.layers:
            X = layer.forward_batch(X)
        return X

    def trace(self, x: Example) -> Trace:
        """Apply the model to one example, and name and keep every z and a.

        z is the output of a Linear, before any BatchNorm; a is the input of the next Linear, after any Dropout.
        """
        return self.trace_batch([x])[0]

    def trace_batch(self, X: Sequence[Example]) -> list[Trace]:
        """Return the trace of each example in a mini-batch; a BatchNorm in training mode joins them in one graph.

        >>> model = Sequential(Linear(1, 1), BatchNorm(1))
        >>> model.load_state_dict({**model.state_dict(), "layers.0.W": [[0.001]]})
        >>> first, second = model.trace_batch([[1.0], [2.0]])
        >>> first.output[0].backward()
        >>> [round(trace.delta[1][0]) for trace in (first, second)]  # through μ and σ² of both
        [152, -152]
        """
        values = [[+x_i if x_i.parents else Value(x_i.data) for x_i in lift(x)] for x in X]
        # a⁰ is the input of the first Linear; if another layer comes first, the input of the model is called x
        if not any(isinstance(layer, Linear) for layer in self.flat()[:1]):
            values = [name_all("x", None, x) for x in values]
        Z: list[list[list[Value]]] = [[[] for _ in X]]
        A: list[list[list[Value]]] = []
        for layer in self.flat():
            if isinstance(layer, Linear):
                A.append([name_all("a", len(A), a) for a in values])
                values = [name_all("z", len(Z), z) for z in layer.forward_batch(A[-1])]
                Z.append(values)
            else:
                values = layer.forward_batch(values)
        A.append([name_all("a", len(A), a) for a in values])
        return [Trace([*z], [*a], a[-1]) for z, a in zip(zip(*Z), zip(*A))]


class MLP(Module):
    """A multilayer perceptron, as in micrograd: ``MLP(2, [16, 16, 1])`` maps 2 numbers to one Value.

    n_in          length of an example
    n_units       number of units of each layer; a single output unit is returned as a Value, several as a list
    activation    activation of the hidden layers: relu, tanh, sigmoid or another name in ``nn.activations.BY_NAME``
    output        activation of the last layer
    init          initialiser or its name in ``nn.init``; by default he_normal for relu, else xavier_uniform
    rng           a seed, a ``random.Random`` for initial weights and dropout, or None for a randomly seeded one
    dropout       probability of dropping a hidden unit, in a Dropout after each hidden activation
    batch_norm    whether to insert a BatchNorm before each hidden activation

    >>> model = MLP(2, [3, 2], activation="sigmoid", output="sigmoid", rng=0)
    >>> len(model([0.5, -1.0])), len(model.parameters())
    (2, 17)
    >>> MLP(2, [3, 1], dropout=0.5, batch_norm=True).net
    Sequential(Linear(2, 3), BatchNorm(3), ReLU(), Dropout(0.5), Linear(3, 1))
    """

    def __init__(
        self, n_in: int, n_units: Sequence[int], activation: str = "relu", output: str = "linear",
        init: Initializer | str | None = None, rng: Random | int | None = None, dropout: float = 0.0,
        batch_norm: bool = False,
    ) -> None:  # fmt: skip
        if isinstance(n_units, int) or not n_units:
            raise ValueError(
                f"n_units = {n_units!r}: an MLP needs a list with an output layer, as in MLP(2, [16, 1])"
            )
        rng = generator(rng)
        make_activation(activation)  # validate the name, and p below, even without a hidden layer
        dropout = Dropout(dropout).p
        if init is None:
            init = he_normal if "relu" in activation else xavier_uniform
        self.sizes = [whole("n_in", n_in), *(whole("n_units", n) for n in n_units)]
        layers: list[Module] = []
        for size, n in pairwise(self.sizes[:-1]):
            layers.append(Linear(size, n, init, rng))
            layers += [BatchNorm(n)] if batch_norm else []
            layers.append(make_activation(activation))
            layers += [Dropout(dropout, rng)] if dropout != 0.0 else []
        layers += [Linear(self.sizes[-2], self.sizes[-1], init, rng), make_activation(output)]
        self.net = Sequential(*(g for g in layers if not isinstance(g, Identity)))  # a = z needs no node

    def forward(self, x: list[Value]) -> Any:
        return self._unwrap(self.net.forward(x))

    def forward_batch(self, X: list[list[Value]]) -> list[Any]:
        return [self._unwrap(a) for a in self.net.forward_batch(X)]

    def trace(self, x: Example) -> Trace:
        """Apply the model to one example, and name and keep every z and a; see ``Sequential.trace``."""
        return self.trace_batch([x])[0]

    def trace_batch(self, X: Sequence[Example]) -> list[Trace]:
        """Return the trace of each example of a mini-batch; see ``Sequential.trace_batch``."""
        traces = self.net.trace_batch(X)
        for trace in traces:
            trace.output = self._unwrap(trace.output)
        return traces

    def _unwrap(self, a: list[Value]) -> Any:
        return a[0] if len(a) == 1 else a

    def __repr__(self) -> str:
        return f"MLP({self.sizes[0]}, {self.sizes[1:]})"


def weights(model: Module) -> list[Value]:
    """Return the parameters to penalise: the ``penalised`` parameters of each module that is not frozen.

    >>> len(weights(MLP(2, [3, 1])))  # every w, but no bias
    9
    """
    modules = (model, *model.submodules().values())
    return list(dict.fromkeys(w for module in modules if not module.frozen for w in module.penalised()))
