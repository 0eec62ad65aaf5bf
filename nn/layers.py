"""Layers: zˡ = Wˡ aˡ⁻¹ + bˡ with one node for each zⱼ, and networks that pass examples through them in order."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from autograd.primitives import affine
from autograd.value import Value, node_of
from nn.activations import Identity
from nn.activations import activation as make_activation
from nn.init import Initializer, he_normal, xavier_uniform
from nn.module import Example, Module, Trace, index_name, lift, name_all


class Linear(Module):
    """z_j = Σ_k w_jk a_k + b_j: one ``affine`` node for each unit j, so that δ_j is the ``grad`` of one node.

    n_in, n_out   units that the layer reads and makes; W has the shape (n_out, n_in): rows are "to"
    init          first weights, a function of (n_in, n_out, rng); biases start at 0
    rng           a ``random.Random``; without one, a fresh generator

    Raises ValueError for a layer without units, or an example of another width.

    >>> layer = Linear(2, 1)
    >>> layer.load_state_dict({"W": [[3.0, 4.0]], "b": [0.5]})
    >>> [z.data for z in layer([1.0, 2.0])]
    [11.5]
    """

    def __init__(self, n_in: int, n_out: int, init: Initializer = xavier_uniform, rng: Random | None = None) -> None:
        if n_in < 1 or n_out < 1:
            raise ValueError(f"a layer from {n_in} to {n_out} units: it needs at least one of each")
        self.n_in, self.n_out = n_in, n_out
        self.W = [[Value(w) for w in row] for row in init(n_in, n_out, rng or Random())]
        self.b = [Value(0.0) for _ in range(n_out)]
        self.number(None)

    def number(self, layer: int | None) -> None:
        """Name the parameters after their layer l: ``w²_13``, ``b²_1``."""
        for j, (row, b) in enumerate(zip(self.W, self.b)):
            b.name = index_name("b", layer, j)
            for k, w in enumerate(row):
                w.name = index_name("w", layer, j, k)

    def forward(self, x: list[Value]) -> list[Value]:
        return self.forward_batch([x])[0]

    def forward_batch(self, X: list[list[Value]]) -> list[list[Value]]:
        # the numbers of W and b are read once for the mini-batch, those of x once for all units
        units = [(w, b, [w_k.data for w_k in w], b.data) for w, b in zip(self.W, self.b)]
        Z = []
        for x in X:
            if len(x) != self.n_in:
                raise ValueError(f"{self!r} got an example of {len(x)} numbers: it needs {self.n_in}")
            a = [x_k.data for x_k in x]
            Z.append([node_of(affine, (*w, *x, b), [*w_data, *a, b_data]) for w, b, w_data, b_data in units])
        return Z

    def __repr__(self) -> str:
        return f"Linear({self.n_in}, {self.n_out})"


class Sequential(Module):
    """Modules one after the other; a mini-batch passes each of them as a whole.

    >>> from random import Random
    >>> from nn import ReLU
    >>> model = Sequential(Linear(2, 3, rng=Random(0)), ReLU(), Linear(3, 1, rng=Random(1)))
    >>> len(model.parameters()), list(model.named_parameters())[:3]
    (13, ['w¹_11', 'w¹_12', 'w¹_21'])
    """

    def __init__(self, *layers: Module) -> None:
        self.layers = list(layers)
        for l, linear in enumerate((m for m in self.layers if isinstance(m, Linear)), start=1):
            linear.number(l)

    def forward(self, x: list[Value]) -> list[Value]:
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def forward_batch(self, X: list[list[Value]]) -> list[list[Value]]:
        for layer in self.layers:
            X = layer.forward_batch(X)
        return X

    def trace(self, x: Example) -> Trace:
        """Pass one example, naming and keeping every z and a on the way."""
        a = [name_all("a", 0, [+x_i if x_i.parents else Value(x_i.data) for x_i in lift(x)])]
        z: list[list[Value]] = [[]]
        values = a[0]
        for layer in self.layers:
            values = layer.forward(values)
            if isinstance(layer, Linear):
                if len(a) < len(z):  # two linear layers in a row: a = z
                    a.append(name_all("a", len(a), z[-1]))
                z.append(name_all("z", len(z), values))
                values = z[-1]
            else:
                a[len(z) - 1 :] = [name_all("a", len(z) - 1, values)]
                values = a[-1]
        if len(a) < len(z):
            a.append(name_all("a", len(a), values))
        return Trace(z, a, a[-1])


class MLP(Module):
    """A multilayer perceptron, as micrograd's: ``MLP(2, [16, 16, 1])`` reads 2 numbers and returns one Value.

    n_in          numbers of an example
    n_units       units of each layer, the output last; with one output unit the Value itself is returned
    activation    of the hidden layers: relu, tanh, sigmoid, softplus, leaky_relu, linear
    output        of the last layer, likewise
    init          first weights; He's for relu, Xavier's for the others
    rng           a ``random.Random``; without one, a fresh generator

    >>> from random import Random
    >>> model = MLP(2, [3, 2], activation="sigmoid", output="sigmoid", rng=Random(0))
    >>> len(model([0.5, -1.0])), len(model.parameters())
    (2, 17)
    """

    def __init__(
        self,
        n_in: int,
        n_units: Sequence[int],
        activation: str = "relu",
        output: str = "linear",
        init: Initializer | None = None,
        rng: Random | None = None,
    ) -> None:
        if not n_units:
            raise ValueError("an MLP needs at least its output layer: MLP(2, [16, 16, 1])")
        rng = rng or Random()
        init = init or (he_normal if "relu" in activation else xavier_uniform)
        self.sizes = [n_in, *n_units]
        last = len(n_units)
        layers: list[Module] = []
        for l in range(1, last + 1):
            layers.append(Linear(self.sizes[l - 1], self.sizes[l], init, rng))
            g = make_activation(output if l == last else activation)
            if not isinstance(g, Identity):  # a = z needs no node
                layers.append(g)
        self.net = Sequential(*layers)

    def forward(self, x: list[Value]) -> Any:
        return self._unwrap(self.net.forward(x))

    def forward_batch(self, X: list[list[Value]]) -> list[Any]:
        return [self._unwrap(a) for a in self.net.forward_batch(X)]

    def trace(self, x: Example) -> Trace:
        """Pass one example, naming and keeping every z and a on the way.

        >>> model = MLP(1, [1], output="sigmoid")
        >>> model.load_state_dict({"net.layers.0.W": [[2.0]], "net.layers.0.b": [0.0]})
        >>> trace = model.trace([0.0])
        >>> trace.output.backward()
        >>> trace.z[1][0].name, trace.delta[1]
        ('z¹_1', [0.25])
        """
        trace = self.net.trace(x)
        trace.output = self._unwrap(trace.output)
        return trace

    def _unwrap(self, a: list[Value]) -> Any:
        return a[0] if len(a) == 1 else a

    def __repr__(self) -> str:
        return f"MLP({self.sizes[0]}, {self.sizes[1:]})"
