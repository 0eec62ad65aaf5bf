"""Computes the lecture's matrices δ aᵀ and Wᵀ δ ⊙ g′(z) from a trace, and compares them with the nodes' ``grad``.

The ``affine`` node of z_j already has its row of W and aˡ⁻¹ as local derivatives, and the nodes from z_j to a_j have
g′(z_j). This module reads these numbers and multiplies matrices.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from autograd.contributions import gradients
from autograd.graph import carried
from autograd.mathml import math, typeset
from autograd.notation import number_text
from autograd.number_systems import floats
from autograd.text import called
from autograd.value import Value
from nn.diagram import unit_of
from nn.matrix_writing import Block, Equations, Section, as_html, as_latex, as_text, shortened
from nn.module import Trace, flatten, index_name, numbers

Array = NDArray[np.float64]


class Difference(NamedTuple):
    """The largest difference between a matrix and its scalars; ``explained`` if it is within rounding."""

    size: float
    explained: bool
    node: Value
    matrix: float
    scalar: float


@dataclass(frozen=True, eq=False)
class LayerMatrices:
    """The results of the matrix formulas for layer l, and the corresponding numbers of the nodes."""

    l: int
    z: Array  # data of the nodes
    a: Array
    W: Array  # of shape (to, from), at the time of the forward pass
    slope: Array | None  # g′(z) at the time of the forward pass; None if g mixes units
    upstream: Array  # (Wˡ⁺¹)ᵀ δˡ⁺¹, or ∇ₐ L at the output
    delta_from_above: Array | None  # upstream ⊙ g′(z); None if g mixes units, or if the loss reads z instead of a
    delta: Array  # δˡ, the z.grad of the nodes
    dW: Array  # δˡ (aˡ⁻¹)ᵀ
    db: Array  # δˡ; without a bias, db and b_grad are empty
    W_grad: Array  # w.grad of the nodes
    b_grad: Array  # b.grad of the nodes
    differences: tuple[Difference, ...]  # the largest of delta, if it was computed, and of dW and db
    is_output: bool

    @property
    def largest_difference(self) -> float:
        """The largest difference between matrices and scalars in this layer."""
        return max(difference.size for difference in self.differences)


@dataclass(frozen=True, eq=False, repr=False)
class MatrixForm:
    """The result of ``matrix_form``, which prints as text and is displayed as HTML or LaTeX in a notebook.

    a0       the input
    layers   {1: LayerMatrices, …, L: LayerMatrices}
    notes    sentences on anything unusual, such as differences beyond rounding and their likely cause
    """

    a0: Array
    layers: dict[int, LayerMatrices]
    notes: list[str]

    @property
    def largest_difference(self) -> float:
        """The largest difference between matrices and scalars in all layers."""
        return max(layer.largest_difference for layer in self.layers.values())

    def _parts(self) -> tuple[str, list[Section], list[str]]:
        """Return the title, a section for each layer from the last to the first, and the closing sentences."""
        sizes = [str(len(units)) for units in (self.a0, *(layer.z for layer in self.layers.values()))]
        explained = all(difference.explained for layer in self.layers.values() for difference in layer.differences)
        reason = " (rounding)" if self.largest_difference and explained else ""
        flow = " ← ".join(shortened([*(index_name("δ", l) for l in self.layers), "L"], 11, "…"))
        return (
            f"Back propagation in matrices: {' → '.join(shortened(sizes, 11, '…'))} units, {flow}",
            [_section(layer) for layer in reversed(self.layers.values())],
            [
                f"Matrices and scalars: largest difference {number_text(self.largest_difference, 2)}{reason}.",
                *self.notes,
            ],
        )

    def __str__(self) -> str:
        return as_text(*self._parts())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        title, *_ = self._parts()
        before = {1: self.a0} | {l + 1: layer.a for l, layer in self.layers.items()}
        layers = [_equations(layer, before[l]) for l, layer in reversed(self.layers.items())]
        sizes, _, flow = title.rpartition(", ")
        return as_html(f"{sizes} {math(typeset(flow))}", layers, self.notes, str(self))

    def _repr_latex_(self) -> str:
        return as_latex(*self._parts())


def matrix_form(trace: Trace) -> MatrixForm:
    """Return the backward pass of one example as the lecture's matrices, compared with the scalars of the nodes.

    For l = L … 1, it compares δˡ = (Wˡ⁺¹)ᵀ δˡ⁺¹ ⊙ g′(zˡ) with z.grad, ∂L/∂Wˡ = δˡ (aˡ⁻¹)ᵀ with w.grad, and ∂L/∂bˡ =
    δˡ with b.grad; at the output δᴸ = ∇ₐ L ⊙ g′(zᴸ), where ∇ₐ L is a.grad. Each formula uses the δ of the nodes, so
    that a difference appears in the layer where it arises.

    trace    the result of ``model.trace(x)``, after ``loss.backward()``

    Raises RuntimeError before the backward pass, TypeError if it is not a trace, and ValueError for a z that Linear
    did not compute. A difference is not an error, because w.grad adds up over backward passes; see ``notes``.
    Source: Rumelhart, Hinton & Williams 1986; Nielsen 2015, chapter 2.

    >>> from nn import MLP, half_squared_error
    >>> model = MLP(1, [1, 1], activation="linear")
    >>> model.load_state_dict({"net.layers.0.W": [[2.0]], "net.layers.0.b": [0.0],
    ...                        "net.layers.1.W": [[3.0]], "net.layers.1.b": [1.0]})
    >>> trace = model.trace([1.0])
    >>> half_squared_error(trace.output, 5.0).backward()
    >>> form = matrix_form(trace)
    >>> form.layers[1].delta, form.layers[1].dW, form.largest_difference
    (array([6.]), array([[6.]]), 0.0)
    """
    if not isinstance(trace, Trace):
        raise TypeError(f"matrix_form needs the result of model.trace(x), not {type(trace).__name__}")
    delta = [np.array(layer) for layer in trace.delta]  # raises RuntimeError before the backward pass
    if len(trace.z) < 2:
        raise ValueError("the trace contains no Linear layer: trace the Sequential or MLP that contains one")
    units = [[unit_of(z_j) for z_j in layer] for layer in trace.z]
    expected = _expected_gradients(delta, units)
    with np.errstate(all="ignore"):  # an infinite number is shown as infinite
        layers = {l: _read_layer(l, trace, delta, units, expected) for l in range(1, len(units))}
        notes = [*_stale(units), *_other_deltas(layers), *_other_gradients(layers), *_shared(units)]
    return MatrixForm(np.array(numbers(trace.a[0])), layers, notes)


def _parameters(layer: list[Value]) -> list[Value]:
    """Return w₁ … wₙ and, if there is one, b of each unit."""
    n = len(layer[0].parents) // 2
    return [parameter for unit in layer for parameter in unit.parents[:n] + unit.parents[2 * n :]]


def _grad(nodes: list[Value]) -> Array:
    return np.array([node.grad for node in nodes])


def _expected_gradients(delta: list[Array], units: list[list[Value]]) -> dict[Value, tuple[float, float]]:
    """Return the gradient that one backward pass gives each w and b: the sum of δ_j a_k or δ_j over its units.

    The second number is the sum of the absolute values, which bounds the rounding error.
    """
    expected: dict[Value, tuple[float, float]] = {}
    for delta_j, unit in zip(np.concatenate(delta).tolist(), flatten(units)):
        for parent, _, product in carried(unit, delta_j):
            total, size = expected.get(parent, (0.0, 0.0))
            expected[parent] = total + product, size + abs(product)
    return expected


def _weights(layer: list[Value]) -> tuple[Array, Array]:
    """Return W and aˡ⁻¹ at the time of the forward pass: the local derivatives with respect to each a and w."""
    local, n = np.array([unit.local_derivatives for unit in layer]), len(layer[0].parents) // 2
    return local[:, n : 2 * n], local[0, :n]


def _read_layer(
    l: int, trace: Trace, deltas: list[Array], units: list[list[Value]], expected: dict[Value, tuple[float, float]]
) -> LayerMatrices:
    z, a, delta, is_output = trace.z[l], trace.a[l], deltas[l], l == len(units) - 1
    W_above, delta_above = (np.eye(len(a)), _grad(a)) if is_output else (_weights(units[l + 1])[0], deltas[l + 1])
    upstream, slope, delta_from_above = W_above.T @ delta_above, _slope(z, a), None
    differences = []
    if slope is not None and (not is_output or upstream.any() or not delta.any()):
        delta_from_above = upstream * slope
        terms = np.abs(W_above).T @ np.abs(delta_above) * np.abs(slope)
        differences.append(_difference(z, delta_from_above, terms))
    parameters = _parameters(units[l])
    differences.append(_difference(parameters, *np.array([expected[node] for node in parameters]).T))
    W, a_before = _weights(units[l])
    W_grad, b_grad = np.split(_grad(parameters).reshape(len(z), -1), [W.shape[1]], axis=1)
    return LayerMatrices(
        l=l, is_output=is_output, z=np.array(numbers(z)), a=np.array(numbers(a)), W=W, slope=slope, upstream=upstream,
        delta_from_above=delta_from_above, delta=delta, dW=np.outer(delta, a_before), W_grad=W_grad,
        db=delta if b_grad.size else np.empty(0), b_grad=b_grad.ravel(), differences=tuple(differences),
    )  # fmt: skip


def _slope(z: list[Value], a: list[Value]) -> Array | None:
    """Return g′(z_j) = ∂a_j/∂z_j from the nodes between them, or None if an a_j depends on another unit's z."""
    if len(a) != len(z):
        return None
    layer, slopes = set(z), []
    for z_j, a_j in zip(z, a):
        grad = gradients(a_j, without=layer)
        if not layer & grad.keys() <= {z_j}:
            return None
        slopes.append(grad.get(z_j, 0.0))
    return np.array(slopes)


def _difference(nodes: list[Value], matrix: Array, terms: Array) -> Difference:
    """Return the largest difference between a matrix and its nodes' grad; up to 1e-12 of ``terms`` is rounding."""
    scalars = _grad(nodes) + 0.0  # −0.0 marks a z that no backward pass has reached
    same = (matrix == scalars) | (np.isnan(matrix) & np.isnan(scalars))
    sizes = np.where(same, 0.0, np.nan_to_num(np.abs(matrix - scalars), nan=np.inf, posinf=np.inf))
    # the relative rounding error of a sum of n products is at most n · 1.1e-16, so 1e-12 covers n = 9000
    unexplained = ~(sizes <= 1e-12 * terms + np.finfo(float).tiny)
    i = int(np.argmax(np.where(unexplained, sizes, -1.0)))
    return Difference(float(sizes.max()), not unexplained.any(), nodes[i], float(matrix[i]), float(scalars[i]))


def _stale(units: list[list[Value]]) -> Iterator[str]:
    # staleness.changes would take minutes if all 784 weights and the bias of a unit had changed
    changed: dict[Value, None] = {}
    for unit in flatten(units):
        n = len(unit.parents) // 2
        then = unit.local_derivatives[n : 2 * n] + unit.local_derivatives[:n]  # w₁ … wₙ and a₁ … aₙ
        pairs = zip(unit.parents, then)
        changed.update((node, None) for node, number in pairs if node.data is not number and node.data != number)
        b = unit.parents[2 * n :]
        z_now, _ = unit.operation.rule(floats, *then, *(node.data for node in b))
        if z_now != unit.data and z_now == z_now:
            changed.update(dict.fromkeys(b))
    if changed:
        names = _name(next(iter(changed))) + (f" and {len(changed) - 1} more" if len(changed) > 1 else "")
        remedy = "run the forward pass again. W and g′(z) show the old numbers."
        yield f"{names} changed since L was computed: {remedy}"


def _other_deltas(layers: dict[int, LayerMatrices]) -> Iterator[str]:
    for l, layer in layers.items():
        z, a, delta = (index_name(letter, l) for letter in "zaδ")
        difference = layer.differences[0]
        matrix, scalar = number_text(difference.matrix), number_text(difference.scalar)
        if layer.delta_from_above is None:
            reason = f"the loss does not read {a}" if layer.slope is not None else f"each {a} depends on several {z}"
            yield f"{delta} is read from the nodes and not computed as a product with g′({z}): {reason}."
        elif not difference.explained:
            yield (
                f"The grad of {_name(difference.node)} is {scalar}, but {_upstream_formula(layer)} ⊙ g′({z}) is "
                f"{matrix}: the loss also depends on this layer along another path (it may read its z or a), or a "
                "grad was changed after backward()."
            )


def _other_gradients(layers: dict[int, LayerMatrices]) -> Iterator[str]:
    worst = max((layer.differences[-1] for layer in layers.values()), key=lambda d: (not d.explained, d.size))
    if worst.explained:
        return
    matrix, scalar = number_text(worst.matrix), number_text(worst.scalar)
    matrices = np.concatenate([np.append(layer.dW, layer.db) for layer in layers.values()])
    scalars = np.concatenate([np.append(layer.W_grad, layer.b_grad) for layer in layers.values()])
    largest = int(np.argmax(np.abs(matrices)))
    times = float(np.round(scalars[largest] / matrices[largest]))
    if not scalars.any():
        yield "Every w.grad and b.grad is 0: zero_grad() has run since backward()."
    elif times >= 2.0 and np.allclose(scalars, times * matrices, rtol=1e-9, atol=0.0):
        yield (
            f"w.grad and b.grad are {times:.0f} times δ aᵀ and δ: backward() has probably run {times:.0f} times, and "
            "gradients of parameters add up. Call zero_grad() before each backward()."
        )
    else:
        yield (
            f"The grad of {_name(worst.node)} is {scalar}, but the matrix has {matrix}. Likely causes: an earlier "
            "backward() without zero_grad(), a loss that reads the parameter directly (a penalty), or a grad "
            "changed by hand."
        )


def _shared(units: list[list[Value]]) -> Iterator[str]:
    [(parameter, most)] = Counter(w for layer in units[1:] for w in _parameters(layer)).most_common(1)
    if most > 1:
        yield f"{_name(parameter)} is used in {most} places: its grad is compared with the sum over all of them."


def _name(node: Value) -> str:
    return called(node.name, "an unnamed node")


def _upstream_formula(layer: LayerMatrices) -> str:
    return "∇ₐ L" if layer.is_output else f"({index_name('W', layer.l + 1)})ᵀ {index_name('δ', layer.l + 1)}"


def _sizes(layer: LayerMatrices) -> str:
    return f"Layer {layer.l}, {layer.W.shape[1]} → {layer.W.shape[0]} units"


def _largest(layer: LayerMatrices) -> str:
    return f"largest difference {number_text(layer.largest_difference, 2)}"


def _section(layer: LayerMatrices) -> Section:
    """Return the heading of a layer, its vectors, and W with the two gradients to compare."""
    z, a, W, b, delta = (index_name(letter, layer.l) for letter in "zaWbδ")
    a_before, upstream = index_name("a", layer.l - 1), _upstream_formula(layer)
    formulas = f"{z} = {W} {a_before}" + (f" + {b}, ∂L/∂{b} = {delta}" if layer.db.size else "")
    vectors = {
        z: layer.z, a: layer.a, f"g′({z})": layer.slope, upstream: layer.upstream,
        f"{upstream} ⊙ g′({z})": layer.delta_from_above, f"{delta} = z.grad": layer.delta, "b.grad": layer.b_grad,
    }  # fmt: skip
    weights = {W: layer.W, f"∂L/∂{W} = {delta} ({a_before})ᵀ": layer.dW, "w.grad": layer.W_grad}
    return (
        f"{_sizes(layer)}: {formulas}; {_largest(layer)}",
        [Block(label, v) for label, v in vectors.items() if v is not None and v.size],
        [*map(Block, weights, weights.values())],
    )


def _equations(layer: LayerMatrices, a_before: Array) -> Equations:
    """Return the heading of a layer, both passes as equations, and the comparison with the scalars of the nodes."""
    z, a, W, b, delta = (index_name(letter, layer.l) for letter in "zaWbδ")
    before, upstream, bias = index_name("a", layer.l - 1), _upstream_formula(layer), f" + {b}" * bool(layer.db.size)
    value, gradient = partial(_matrix, role="value"), partial(_matrix, role="gradient")
    from_above = (delta, "z.grad", "", gradient(layer.delta))
    if layer.slope is not None and layer.delta_from_above is not None:
        factors = f"{gradient(layer.upstream)} ⊙ {value(layer.slope)}"
        from_above = (delta, f"{upstream} ⊙ g′({z})", factors, gradient(layer.delta_from_above))
    agrees = all(difference.explained for difference in layer.differences)
    read = {} if agrees else {"z.grad": layer.delta, "w.grad": layer.W_grad, "b.grad": layer.b_grad}
    rows = [
        (z, f"{W} {before}{bias}", value(layer.W) + value(a_before) + typeset(bias), value(layer.z)),
        (a, f"g({z})", "", value(layer.a)),
        from_above,
        (f"∂L/∂{W}", f"{delta} ({before})ᵀ", gradient(layer.delta) + value(a_before[None]), gradient(layer.dW)),
        *([(f"∂L/∂{b}", delta, "", "")] if bias else []),
        *((label, "", "", _matrix(numbers)) for label, numbers in read.items() if numbers.size),
    ]
    lines = [(typeset(left), [f"= {x}" for x in (typeset(right), *others) if x]) for left, right, *others in rows]
    source = "L" if layer.is_output else f"layer {layer.l + 1}"
    check = (
        f"{'✓ agrees' if agrees else '✗ disagrees'} with z.grad, w.grad and b.grad of the nodes: {_largest(layer)}"
    )
    return f"{_sizes(layer)}, its gradients from {source}", lines, check


def _matrix(numbers: Array, role: str = "") -> str:
    return Block("", numbers).mathml(role)
