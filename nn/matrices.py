"""The scalars of a trace as the lecture's matrices: δ aᵀ and (W)ᵀ δ ⊙ g′(z) beside the ``grad`` of the nodes.

The nodes already hold everything: z_j's ``affine`` node has its row of W and aˡ⁻¹ as local derivatives, and the nodes
from z_j to a_j have g′(z_j) as theirs. This file reads them, multiplies matrices, compares and prints.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from textwrap import wrap
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from autograd.contributions import gradients
from autograd.number_systems import floats
from autograd.text import called, printable
from autograd.value import Value
from nn.diagram import unit_of
from nn.module import SUPERSCRIPTS, Trace, flatten

Array = NDArray[np.float64]


class Difference(NamedTuple):
    """Where a matrix is farthest from its scalars; ``explained`` says that rounding alone can do it."""

    size: float
    explained: bool
    node: Value
    matrix: float
    scalar: float


@dataclass(frozen=True, eq=False)
class LayerMatrices:
    """Layer l: what the matrix formulas give, and what the nodes carry.

    z, a               data of the nodes
    W, slope           W, of shape (to, from), and g′(z), as they were when the nodes were computed
    upstream           (Wˡ⁺¹)ᵀ δˡ⁺¹; at the output ∇_a L
    delta_from_above   upstream ⊙ g′(z); None where δ stands as read: g mixes units, or the loss reads z, not a
    delta              δˡ, the z.grad of the nodes
    dW, db             δˡ (aˡ⁻¹)ᵀ and δˡ
    W_grad, b_grad     the w.grad and b.grad of the nodes; without a bias b_grad and db are empty
    differences        of delta, dW and db, each where it is largest
    """

    l: int
    z: Array
    a: Array
    W: Array
    slope: Array | None
    upstream: Array
    delta_from_above: Array | None
    delta: Array
    dW: Array
    db: Array
    W_grad: Array
    b_grad: Array
    differences: tuple[Difference, ...]
    is_output: bool

    @property
    def largest_difference(self) -> float:
        """Between matrices and scalars, in this layer."""
        return max(difference.size for difference in self.differences)


class MatrixForm:
    """What ``matrix_form`` returns: prints as text, shows as HTML or LaTeX in a notebook.

    a0       the input
    layers   {1: LayerMatrices, …, L: LayerMatrices}
    notes    sentences on what is out of the ordinary, above all differences beyond rounding and their likely reason
    """

    def __init__(self, a0: Array, layers: dict[int, LayerMatrices], notes: list[str]) -> None:
        self.a0, self.layers, self.notes = a0, layers, notes

    @property
    def largest_difference(self) -> float:
        """Between matrices and scalars, over all layers."""
        return max(layer.largest_difference for layer in self.layers.values())

    def __str__(self) -> str:
        lines = [self._title(), ""]
        for layer in reversed(self.layers.values()):
            lines += [_heading(layer), *_packed(_vectors(layer)), *_packed(_weights(layer)), ""]
        for sentence in self._sentences():
            lines += wrap(printable(sentence), WIDTH)
        return printable("\n".join(lines))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        parts = [f"<style>{CSS}</style>", _paragraph(self._title())]
        for layer in reversed(self.layers.values()):
            parts.append(_paragraph(_heading(layer)))
            W, dW, W_grad = map(_html_block, _weights(layer))
            parts.append(f"<div>{''.join(map(_html_block, _vectors(layer)))}</div>")
            parts.append(f"<div>{W}<div>{dW}{W_grad}</div></div>")
        parts += map(_paragraph, self._sentences())
        return f'<div class="nn-matrix-form">{"".join(parts)}</div>'

    def _repr_latex_(self) -> str:
        rows = [row for layer in reversed(self.layers.values()) for row in _latex_rows(layer)]
        rows += [rf"\text{{{_latex_text(line)}}}" for s in self._sentences() for line in wrap(s, 80)]
        return "$$\\begin{aligned}\n&" + " \\\\\n&".join(rows) + "\n\\end{aligned}$$"

    def _title(self) -> str:
        sizes = [len(self.a0), *(len(layer.z) for layer in self.layers.values())]
        shown = ["…" if l is None else str(sizes[l]) for l in _edges(len(sizes), 11)]
        return f"Back propagation in matrices: {' → '.join(shown)} units"

    def _sentences(self) -> list[str]:
        largest = self.largest_difference
        explained = all(difference.explained for layer in self.layers.values() for difference in layer.differences)
        reason = " (rounding)" if largest and explained else ""
        return [f"Matrices and scalars: largest difference {largest:.2g}{reason}.", *self.notes]


def matrix_form(trace: Trace) -> MatrixForm:
    """The backward pass of one example as the lecture's matrices, beside the scalars of the nodes.

    For l = L … 1: δˡ = (Wˡ⁺¹)ᵀ δˡ⁺¹ ⊙ g′(zˡ) beside z.grad, ∂L/∂Wˡ = δˡ (aˡ⁻¹)ᵀ beside w.grad, ∂L/∂bˡ = δˡ beside
    b.grad; at the output δᴸ = ∇_a L ⊙ g′(zᴸ), with ∇_a L as the nodes a carry it. Each formula takes the δ that it
    needs from the nodes, so that a difference shows where it arises.

    trace    of ``model.trace(x)``, after ``loss.backward()``

    Raises RuntimeError before the backward pass, TypeError for what is no trace, ValueError where a z is not made by
    ``Linear``. A difference raises nothing: w.grad adds up over backward passes, and ``notes`` says so.
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
        raise TypeError(f"matrix_form of a {type(trace).__name__}: it needs what model.trace(x) returns")
    delta = [np.array(layer) for layer in trace.delta]  # the clear error before the backward pass is here
    if len(trace.z) < 2:
        raise ValueError("matrix_form of a trace without a Linear layer: trace the Sequential or MLP that holds them")
    units = [[unit_of(z_j) for z_j in layer] for layer in trace.z]
    expected = _expected_gradients(delta, units)
    with np.errstate(all="ignore"):  # the engine has seen these numbers: what is infinite shows as infinite
        layers = {l: _read_layer(l, trace, delta, units, expected) for l in range(1, len(units))}
        notes = [*_stale(units), *_as_read(layers), *_other_paths(layers), *_other_gradients(layers), *_shared(units)]
    return MatrixForm(_data(trace.a[0]), layers, notes)


# ---- reading the graph ----------------------------------------------------------------------------------------


def _parameters(unit: Value) -> tuple[Value, ...]:
    """w₁ … wₙ, and b where there is one."""
    n = len(unit.parents) // 2
    return unit.parents[:n] + unit.parents[2 * n :]


def _row(unit: Value) -> tuple[float, ...]:
    """w₁ … wₙ as numbers: the local derivatives for the a's."""
    n = len(unit.parents) // 2
    return unit.local_derivatives[n : 2 * n]


def _reads(unit: Value) -> tuple[float, ...]:
    """a₁ … aₙ as numbers: the local derivatives for the w's."""
    return unit.local_derivatives[: len(unit.parents) // 2]


def _data(nodes: list[Value]) -> Array:
    return np.array([node.data for node in nodes])


def _grad(nodes: list[Value]) -> Array:
    return np.array([node.grad for node in nodes])


def _expected_gradients(delta: list[Array], units: list[list[Value]]) -> dict[Value, tuple[float, float]]:
    """What the last backward pass adds to each w and b, δ_j a_k and δ_j, summed over the places where it stands.

    Beside the sum stands that of the absolute values, which bounds its rounding.
    """
    expected: dict[Value, tuple[float, float]] = {}
    for delta_l, layer in zip(delta, units):
        for delta_j, unit in zip(delta_l.tolist(), layer):
            for parameter, local in zip(_parameters(unit), (*_reads(unit), 1.0)):
                contribution = delta_j * local if delta_j else 0.0  # as backward has it, an infinite a or not
                total, size = expected.get(parameter, (0.0, 0.0))
                expected[parameter] = total + contribution, size + abs(contribution)
    return expected


def _read_layer(
    l: int, trace: Trace, deltas: list[Array], units: list[list[Value]], expected: dict[Value, tuple[float, float]]
) -> LayerMatrices:
    z, a, delta, is_output = trace.z[l], trace.a[l], deltas[l], l == len(units) - 1
    W_above = np.eye(len(a)) if is_output else np.array([_row(unit) for unit in units[l + 1]])
    delta_above = _grad(a) if is_output else deltas[l + 1]
    upstream, slope = W_above.T @ delta_above, _slope(z, a)
    differences = []
    delta_from_above = None
    if slope is not None and (not is_output or upstream.any() or not delta.any()):
        delta_from_above = upstream * slope
        terms = np.abs(W_above).T @ np.abs(delta_above) * np.abs(slope)
        differences.append(_difference(z, delta_from_above, delta, terms))
    parameters = [_parameters(unit) for unit in units[l]]
    nodes = list(flatten(parameters))
    sums, sizes = np.array([expected[node] for node in nodes]).T
    differences.append(_difference(nodes, sums, _grad(nodes), sizes))
    grads, n = _grad(nodes).reshape(len(z), -1), len(_row(units[l][0]))
    return LayerMatrices(
        l=l, is_output=is_output, z=_data(z), a=_data(a), W=np.array([_row(unit) for unit in units[l]]), slope=slope,
        upstream=upstream, delta_from_above=delta_from_above, delta=delta, differences=tuple(differences),
        dW=np.outer(delta, _reads(units[l][0])), W_grad=grads[:, :n], b_grad=grads[:, n:].ravel(),
        db=np.repeat(delta, grads.shape[1] - n),  # once, or not at all without a bias
    )  # fmt: skip


def _slope(z: list[Value], a: list[Value]) -> Array | None:
    """g′(z_j) = ∂a_j/∂z_j, from the nodes between the two; None where an a_j reads another unit's z."""
    if len(a) != len(z):
        return None
    layer, slopes = set(z), []
    for z_j, a_j in zip(z, a):
        grad = gradients(a_j, without=layer)
        if not layer & grad.keys() <= {z_j}:
            return None
        slopes.append(grad.get(z_j, 0.0))
    return np.array(slopes)


# ---- comparing ------------------------------------------------------------------------------------------------


def _difference(nodes: list[Value], matrix: Array, scalars: Array, terms: Array) -> Difference:
    """The largest difference; explained by rounding where it is below 1e-12 of the terms that were added up."""
    same = (matrix == scalars) | (np.isnan(matrix) & np.isnan(scalars))
    sizes = np.where(same, 0.0, np.nan_to_num(np.abs(matrix - scalars), nan=np.inf, posinf=np.inf))
    # the rounding of a sum of n products is at most n · 1.1e-16 of their sizes: 1e-12 is enough for n = 9000
    unexplained = ~(sizes <= 1e-12 * terms + np.finfo(float).tiny)
    i = int(np.argmax(np.where(unexplained, sizes, -1.0)))
    return Difference(float(sizes.max()), not unexplained.any(), nodes[i], float(matrix[i]), float(scalars[i]))


def _stale(units: list[list[Value]]) -> Iterator[str]:
    changed: dict[Value, None] = {}
    for unit in flatten(units):
        then = (*_row(unit), *_reads(unit))
        pairs = zip(unit.parents, then)
        changed.update((node, None) for node, number in pairs if node.data is not number and node.data != number)
        b = unit.parents[len(then) :]
        z_now, _ = unit.operation.rule(floats, *then, *(node.data for node in b))
        if z_now != unit.data and z_now == z_now:
            changed.update(dict.fromkeys(b))
    if changed:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        yield (
            f"{_name(next(iter(changed)))}{more} changed since L was computed: run the forward pass again. W and "
            "g′(z) are shown as they were."
        )


def _as_read(layers: dict[int, LayerMatrices]) -> Iterator[str]:
    for l, layer in layers.items():
        if layer.delta_from_above is None:
            z, a, delta = (_above(letter, l) for letter in "zaδ")
            reason = f"the loss does not read {a}" if layer.slope is not None else f"each {a} reads several {z}"
            yield f"{delta} is read from the nodes, not computed as a product with g′({z}): {reason}."


def _other_paths(layers: dict[int, LayerMatrices]) -> Iterator[str]:
    for layer in layers.values():
        difference = layer.differences[0]
        if layer.delta_from_above is not None and not difference.explained:
            yield (
                f"The grad of {_name(difference.node)} is {difference.scalar:.6g} where {_delta_formula(layer)} has "
                f"{difference.matrix:.6g}: the loss reaches this layer by another path too (it may read "
                "z or a of the layer itself), or a grad was changed after backward()."
            )


def _other_gradients(layers: dict[int, LayerMatrices]) -> Iterator[str]:
    worst = max((layer.differences[-1] for layer in layers.values()), key=lambda d: (not d.explained, d.size))
    if worst.explained:
        return
    matrix = np.concatenate([np.append(layer.dW, layer.db) for layer in layers.values()])
    scalars = np.concatenate([np.append(layer.W_grad, layer.b_grad) for layer in layers.values()])
    largest = int(np.argmax(np.abs(matrix)))
    times = float(np.round(scalars[largest] / matrix[largest]))
    if not scalars.any():
        yield "Every w.grad and b.grad is 0: zero_grad() has run since backward()."
    elif times >= 2.0 and np.allclose(scalars, times * matrix, rtol=1e-9, atol=0.0):
        yield (
            f"w.grad and b.grad are {times:.0f} times δ aᵀ and δ: backward() has probably run {times:.0f} times, and "
            "gradients of parameters add up. Call zero_grad() before each backward()."
        )
    else:
        yield (
            f"The grad of {_name(worst.node)} is {worst.scalar:.6g} where the matrix has {worst.matrix:.6g}: it "
            "holds something else too. Likely reasons: another backward() without zero_grad() before this one, a "
            "loss that reads the parameter itself (a penalty), or a grad that was changed by hand."
        )


def _shared(units: list[list[Value]]) -> Iterator[str]:
    places = Counter(parameter for unit in flatten(units) for parameter in _parameters(unit))
    [(parameter, most)] = places.most_common(1)
    if most > 1:
        yield f"{_name(parameter)} stands in {most} places: its grad is compared with the sum over all of them."


def _name(node: Value) -> str:
    return called(node.name, "a node without a name")


# ---- printing: the blocks of a layer, and what text, HTML and LaTeX make of them ------------------------------

WIDTH = 100
WIDEST = (WIDTH - 4) // 2  # a matrix, so that two stand side by side after the margin
Block = tuple[str, Array]  # a matrix under its name; a vector is a column


def _above(letter: str, l: int) -> str:
    return letter + str(l).translate(SUPERSCRIPTS)


def _upstream_formula(layer: LayerMatrices) -> str:
    return "∇_a L" if layer.is_output else f"({_above('W', layer.l + 1)})ᵀ {_above('δ', layer.l + 1)}"


def _delta_formula(layer: LayerMatrices) -> str:
    return f"{_upstream_formula(layer)} ⊙ g′({_above('z', layer.l)})"


def _heading(layer: LayerMatrices) -> str:
    z, W, b, delta = (_above(letter, layer.l) for letter in "zWbδ")
    to, from_ = layer.W.shape
    formulas = f"{z} = {W} {_above('a', layer.l - 1)}" + (f" + {b}, ∂L/∂{b} = {delta}" if layer.db.size else "")
    return f"Layer {layer.l}, {from_} → {to} units: {formulas}; largest difference {layer.largest_difference:.2g}"


def _vectors(layer: LayerMatrices) -> list[Block]:
    z, a, delta = (_above(letter, layer.l) for letter in "zaδ")
    vectors = {
        z: layer.z,
        a: layer.a,
        f"g′({z})": layer.slope,
        _upstream_formula(layer): layer.upstream,
        _delta_formula(layer): layer.delta_from_above,
        f"{delta} = z.grad": layer.delta,
        "b.grad": layer.b_grad,
    }
    return [(label, vector[:, None]) for label, vector in vectors.items() if vector is not None and vector.size]


def _weights(layer: LayerMatrices) -> list[Block]:
    W, delta, a_before = _above("W", layer.l), _above("δ", layer.l), _above("a", layer.l - 1)
    return [(W, layer.W), (f"∂L/∂{W} = {delta} ({a_before})ᵀ", layer.dW), ("w.grad", layer.W_grad)]


def _edges(n: int, most: int) -> list[int | None]:
    """The indices to show, at most that many; None for the gap in the middle."""
    edge = (most - 1) // 2
    return list(range(n)) if n <= most else [*range(edge), None, *range(n - edge, n)]


def _cells(matrix: Array, most_columns: int) -> list[list[str]]:
    """The numbers as strings of one format, seven rows at most, with dots for what is left out."""
    rows, columns = _edges(matrix.shape[0], 7), _edges(matrix.shape[1], most_columns)
    shown = matrix[[i for i in rows if i is not None]][:, [k for k in columns if k is not None]]
    sizes = np.abs(shown[np.isfinite(shown) & (shown != 0.0)])
    style = ".6f" if not sizes.size or (sizes.max() < 100.0 and sizes.min() >= 1e-4) else ".3e"
    return [[_cell(matrix, i, k, style) for k in columns] for i in rows]


def _cell(matrix: Array, i: int | None, k: int | None, style: str) -> str:
    if i is None:
        return "⋱" if k is None else "⋮"
    if k is None:
        return "…"
    return f"{matrix[i, k]:{style}}" if matrix[i, k] else "0"  # an exact 0 stands out


def _text_block(block: Block) -> list[str]:
    """The label and, under it, the lines of the matrix, all of one width."""
    label, matrix = block
    for most_columns in (7, 5, 3):
        cells = [list(map(printable, row)) for row in _cells(matrix, most_columns)]
        widths = [max(map(len, column)) for column in zip(*cells)]
        lines = [" ".join(cell.rjust(width) for cell, width in zip(row, widths)) for row in cells]
        if len(lines[0]) + 2 <= WIDEST:
            break
    edges = ["[]"] if len(lines) == 1 else ["⎡⎤", *["⎢⎥"] * (len(lines) - 2), "⎣⎦"]
    lines = [printable(label), *(edge[0] + line + edge[1] for edge, line in zip(edges, lines))]
    width = max(map(len, lines))
    return [line.ljust(width) for line in lines]


def _packed(blocks: list[Block]) -> list[str]:
    """The blocks side by side; where not all of them fit, the first ones go above, so that pairs stay together."""
    bands: list[list[list[str]]] = [[]]
    for lines in map(_text_block, reversed(blocks)):
        if sum(len(right[0]) + 2 for right in bands[0]) + 2 + len(lines[0]) > WIDTH:
            bands.insert(0, [])
        bands[0].insert(0, lines)
    printed = []
    for band in bands:
        height = max(map(len, band))
        padded = [lines + [" " * len(lines[0])] * (height - len(lines)) for lines in band]
        printed += [("  " + "  ".join(line)).rstrip() for line in zip(*padded)]
    return printed


# no colour of its own: text and brackets take the page's, be it light or dark (tables only when told: "quirks mode")
CSS = """
.nn-matrix-form { color: inherit; overflow-x: auto; font-variant-numeric: tabular-nums }
.nn-matrix-form p { margin: .9em 0 .3em }
.nn-matrix-form div { display: flex; flex-wrap: wrap; gap: .4em 1.4em; align-items: flex-start }
.nn-matrix-form figure { margin: 0 }
.nn-matrix-form table { border: solid currentColor; border-width: 0 1.5px; border-radius: .5em;
  border-collapse: separate; border-spacing: 0; margin: .2em 0; background: none;
  color: inherit; font: inherit }
.nn-matrix-form tr { background: none !important }
.nn-matrix-form td { border: 0; padding: .05em .5em; text-align: right; color: inherit; white-space: nowrap }
"""


def _html_block(block: Block) -> str:
    label, matrix = escape(block[0]), block[1]
    rows = "".join(f"<tr>{''.join(f'<td>{x}</td>' for x in row)}</tr>" for row in _cells(matrix, 7))
    return f'<figure><figcaption>{label}</figcaption><table aria-label="{label}">{rows}</table></figure>'


def _paragraph(sentence: str) -> str:
    return f"<p>{escape(sentence)}</p>"


def _latex_rows(layer: LayerMatrices) -> list[str]:
    rows = [rf"\text{{{_latex_text(_heading(layer))}}}"]
    for blocks in _vectors(layer), _weights(layer):
        formulas = [f"{_latex_label(label)} = {_pmatrix(matrix)}" for label, matrix in blocks]
        rows += [r", \quad ".join(formulas[i : i + 3]) for i in range(0, len(formulas), 3)]
    return rows


LATEX_CELLS = {
    "⋮": r"\vdots", "…": r"\cdots", "⋱": r"\ddots", "nan": r"\text{NaN}", "inf": r"\infty", "-inf": r"-\infty",
}  # fmt: skip
LATEX_TEXT = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", **{c: "\\" + c for c in "{}$&#%_"},
}  # fmt: skip
LATEX_MATHS = {  # what KaTeX knows in formulas only: text closes for it and opens again
    "δ": r"\delta ", "∂": r"\partial ", "∇": r"\nabla ", "⊙": r"\odot ", "→": r"\to ", "′": "'", "…": r"\dots ",
    "ᵀ": "^{T}", **{chr(above): f"^{{{chr(digit)}}}" for digit, above in SUPERSCRIPTS.items()},
}  # fmt: skip


def _pmatrix(matrix: Array) -> str:
    rows = (" & ".join(map(_latex_cell, row)) for row in _cells(matrix, 7))
    return r"\begin{pmatrix} " + r" \\ ".join(rows) + r" \end{pmatrix}"


def _latex_cell(cell: str) -> str:
    if cell in LATEX_CELLS:
        return LATEX_CELLS[cell]
    digits, e, exponent = cell.partition("e")
    return rf"{digits} \cdot 10^{{{int(exponent)}}}" if e else digits


def _latex_text(text: str) -> str:
    return "".join(f"}}{LATEX_MATHS[c]}\\text{{" if c in LATEX_MATHS else LATEX_TEXT.get(c, c) for c in text)


def _latex_label(label: str) -> str:
    formula = "".join(LATEX_MATHS.get(c, c) for c in label)
    return re.sub(r"\w\.grad", r"\\texttt{\g<0>}", formula)
