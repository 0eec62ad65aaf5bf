"""Describes a program as text, HTML and LaTeX: the matrices found in its scalars, in the lecture's letters.

A layer is a matrix product whose rows w are parameters. Its letters come from the names of its nodes if those agree
(w²_13, w²_21 and so on give W²); if not, layers are numbered.
"""

import re
from collections import Counter
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import numpy as np

from autograd import mathml
from autograd.notation import INDEXED, RAISED, SUPERSCRIPTS, function_text, latex_signs
from autograd.primitives import identity
from autograd.replay.flat_graph import Ints
from autograd.replay.operations import Elementwise, Group, Product, Tape
from autograd.replay.schedule import FEW, Plan
from autograd.text import counted, printable

ABOVE = "".join(map(chr, SUPERSCRIPTS))
Steps = tuple[Elementwise, ...] | None


class LayerFormulas(NamedTuple):
    """One layer Z = W A + b of the graph: Z and δ have a row for each unit and a column for each example."""

    letters: dict[str, str]  # of "W", "A", "Z", "δ", and "b" if there is one
    shapes: dict[str, tuple[int, ...]]  # A has a row for each example if it is an input, else a column
    activation: str  # the only operation between this Z and the next A, or at the end; "" if there are several
    forward: str  # Z¹ = W¹ A⁰ᵀ + b¹; with "+ …" if other terms are added
    delta: str  # δ¹ = (W²)ᵀ δ² ⊙ relu′(Z¹) if only the next layers use Z; at the end ∂L/∂A² ⊙ σ′(Z²); or ∂L/∂Z¹
    gradients: tuple[str, ...]  # ∂L/∂W¹ = δ¹ A⁰, and ∂L/∂b¹; with "+ …" if, for example, a penalty uses W or b too


class _Found(NamedTuple):
    """A layer's group, its letters, and the origin of its A."""

    group: Product
    letters: dict[str, str]
    source: int | None  # the index of the layer from which A was computed; None for an input
    steps: Steps  # between them, each with one operand; None if A is not all of Z in its order
    bias: Ints | None  # the slots of b: a parameter for each unit, the same in every example


def find_layers(plan: Plan) -> list[LayerFormulas]:
    """Return the layers of a plan, first to last."""
    found = _find(plan)
    return [_layer(plan, found, place) for place in range(len(found))]


def _transposed(letter: str) -> str:
    return f"({letter})ᵀ" if letter[-1] in ABOVE[1:] else f"{letter}ᵀ"


def _find(plan: Plan) -> list[_Found]:
    maker: dict[int, Group] = {int(plan.memory.tensor[group.out.flat[0]]): group for group in plan.groups}
    products = [g for g in plan.groups if isinstance(g, Product) and g.blocks == 1 and g.nodes.size > 1]
    layers = [g for g in products if _are_parameters(plan, g.columns[0])]
    found: list[_Found] = []
    letter_of: dict[object, str] = {}  # of each Z, and of parameters, which several layers may use

    def letter(owner: object, wanted: str, number: int) -> str:
        """Return the owner's letter: the wanted one, or if it is taken, one with the first free number."""
        while owner not in letter_of:
            if wanted not in letter_of.values():
                letter_of[owner] = wanted
            wanted, number = wanted.rstrip(ABOVE) + str(number).translate(RAISED), number + 1
        return letter_of[owner]

    for i, group in enumerate(layers):
        source, steps = _way_back(maker, layers, group)
        number, weights, bias = str(i + 1).translate(RAISED), group.columns[0], _bias(plan, group)
        W = letter((weights.tobytes(), group.n), _common_letter(plan, weights, True) or f"W{number}", i + 1)
        Z = letter(group, "Z" + ("".join(c for c in W if c in ABOVE) or number), i + 1)
        letters = {"W": W, "Z": Z, "δ": f"δ{Z[1:]}"}
        if source is None:
            letters["A"] = _common_letter(plan, group.columns[1], True) or ("A⁰" if i == 0 else f"X{number}")
        else:
            letters["A"] = "A" + found[source].letters["Z"][1:]
        if bias is not None:
            wanted = _common_letter(plan, bias, False) or f"b{Z[1:]}"
            letters["b"] = letter((bias.tobytes(), group.r), wanted, i + 1)
        found.append(_Found(group, letters, source, steps, bias))
    return found


def _are_parameters(plan: Plan, slots: Ints) -> bool:
    return slots.min() in plan.parameters and slots.max() in plan.parameters


def _bias(plan: Plan, group: Product) -> Ints | None:
    """Return the slots of b, if exactly one term has a parameter for each unit, the same in every example."""
    terms = [column.reshape(group.c, group.r) for column in group.columns[2:]]
    shared = [slots[0] for slots in terms if _are_parameters(plan, slots) and (slots == slots[0]).all()]
    found = [slots for slots in shared if np.unique(slots).size == group.r]
    return found[0] if len(found) == 1 else None


def _way_back(maker: dict[int, Group], layers: list[Product], group: Product) -> tuple[int | None, Steps]:
    """Trace a layer's A back through elementwise operations; return source and steps of ``_Found``."""
    between: list[Elementwise] = []
    tensor_of, is_exact, wanted = group.memory.tensor, True, group.columns[1]
    while (tensor := int(tensor_of[wanted.flat[0]])) in maker:
        before = maker[tensor]
        is_exact &= np.array_equal(wanted.ravel(), before.out.ravel())
        if before in layers:
            is_exact &= group.n == before.r
            return layers.index(before), tuple(reversed(between)) if is_exact else None
        if not isinstance(before, Elementwise):
            break
        between.append(before)
        is_exact &= len(before.columns) == 1
        wanted = max(before.columns, key=lambda column: int(tensor_of[column.flat[0]]))
    return None, None


def _common_letter(plan: Plan, slots: Ints, matrix: bool) -> str:
    """Return the common letter of the names of these leaves, capital for a matrix, or "" if there is none."""
    names = {plan.flat.nodes[i].name or "" for i in plan.node_at[slots.ravel()].tolist()}
    matches = map(INDEXED.fullmatch, names)
    (letter, above), *others = {match.group(1, 2) if match and match[3] else ("", "") for match in matches}
    return "" if others else (letter.upper() if matrix and len(letter) == 1 else letter) + above


def _behind(plan: Plan, found: list[_Found], place: int) -> tuple[list[_Found], Steps]:
    """Return the layers that use this one, and the operations between; without such layers, the only reader of Z."""
    if users := [user for user in found if user.source == place]:
        between = {user.steps for user in users}
        return users, between.pop() if len(between) == 1 else None
    Z = np.sort(found[place].group.out, axis=None)
    readers = [g for g in plan.groups if isinstance(g, Elementwise) and [c.size for c in g.columns] == [Z.size]]
    only = [g for g in readers if np.array_equal(Z, np.sort(g.columns[0], axis=None)) and (_uses(plan)[Z] == 1).all()]
    return [], tuple(only) or None


def _uses(plan: Plan) -> Ints:
    """Return how many times each slot is an operand."""
    return np.bincount(plan.flat.parents.items, minlength=len(plan.flat.nodes))[plan.node_at]


def _layer(plan: Plan, found: list[_Found], place: int) -> LayerFormulas:
    (group, letters, source, _, bias), uses = found[place], _uses(plan)
    Z, W, A, delta = (letters[key] for key in "ZWAδ")
    shapes: dict[str, tuple[int, ...]] = {"W": (group.r, group.n), "A": (group.n, group.c)}
    shapes |= dict.fromkeys("Zδ", (group.r, group.c))
    columns, rows = A, _transposed(A)
    if source is None:  # the examples of an input are its rows
        shapes["A"], columns, rows = (group.c, group.n), rows, columns

    def gradient(key: str, factor: str, leaves: Ints) -> str:
        once = (uses[np.unique(leaves)] == group.c).all()  # by each example
        return f"∂L/∂{letters[key]} = {delta} {factor}" + ("" if once else " + …")

    terms, gradients = [f"{Z} = {W} {columns}"], [gradient("W", rows, group.columns[0])]
    if bias is not None:
        shapes["b"] = (group.r,)
        terms.append(letters["b"])
        gradients.append(gradient("b", "1", bias))
    terms += ["…"] * (len(group.columns) > 1 + len(terms))
    users, steps = _behind(plan, found, place)
    changing = [step.operation.name for step in steps or () if step.operation is not identity]
    activation, upstream = "".join(changing), f"∂L/∂{Z}"
    if steps is None or len(changing) > 1:
        activation = ""
    elif not users or _are_only_used_by(users, [group, *steps], uses):
        sums = [f"{_transposed(user.letters['W'])} {user.letters['δ']}" for user in users]
        sums = sums or [f"∂L/∂A{Z[1:]}" if activation else upstream]
        upstream = f"({' + '.join(sums)})" if len(sums) > 1 else sums[0]
        if activation:
            upstream += f" ⊙ {function_text(activation)}′({Z})"
    return LayerFormulas(letters, shapes, activation, " + ".join(terms), f"{delta} = {upstream}", tuple(gradients))


def _are_only_used_by(users: list[_Found], groups: Sequence[Group], uses: Ints) -> bool:
    """Return whether each group's results are used only by the next group, and the last group's by these layers."""
    expected = [*[1] * (len(groups) - 1), sum(user.group.r for user in users)]
    return all((uses[group.out] == n).all() for group, n in zip(groups, expected))


def as_text(plan: Plan) -> str:
    """Return the program as text: the layers forward and back, the other operations, and the counts."""
    head, forward, backward, rest = _parts(plan)
    width = max([len(printable(formula)) for formula, sizes in forward + backward if sizes], default=0)
    rows = [f"  {printable(formula):{width}}   {sizes}".rstrip() for formula, sizes in forward + backward]
    rows.insert(len(forward), "back")
    return printable("\n".join([head, *(rows if forward else ()), *rest]))


def as_html(plan: Plan) -> str:
    """Return the program as HTML, with the formulas in MathML."""
    head, forward, backward, rest = _parts(plan)
    paragraph = '<p class="{}">{}</p>'.format
    parts = [paragraph("quiet", escape(head))]
    for title, rows in (("Forward", forward), ("Backward", backward)) if forward else ():
        lines = []
        for formulas, sizes in rows:
            first, *others = map(mathml.typeset, formulas.split(",  "))
            left, _, right = first.partition(" = ")
            quiet = [f'<mtext class="quiet">{escape(sizes)}</mtext>'] if sizes else []
            lines.append((left, [f"= {right}", *(f'<mspace width="1em"/>{other}' for other in others), *quiet]))
        parts += [paragraph("title", title), mathml.aligned(lines, title)]
    return mathml.framed("".join([*parts, *(paragraph("quiet", escape(line)) for line in rest)]), as_text(plan))


Rows = list[tuple[str, str]]  # formulas and the sizes of their matrices


def _parts(plan: Plan) -> tuple[str, Rows, Rows, list[str]]:
    """Return the first line, both passes, and the last lines."""
    layers, found, flat, memory = find_layers(plan), _find(plan), plan.flat, plan.memory
    compiled = plan.engine == "compiled"  # its loops are not these steps
    steps = f"; {counted(len(plan.forward), 'step')} forward, {len(plan.backward)} back"
    forward, backward = Rows(), Rows()
    rest = {group: None for group in plan.groups if group not in {some.group for some in found}}
    for place, layer in enumerate(layers):
        size = {key: f"{layer.letters[key]} {'×'.join(map(str, shape))}" for key, shape in layer.shapes.items()}
        forward.append((layer.forward, ", ".join(size[key] for key in ("W", "A", "Z"))))
        Z = layer.letters["Z"]
        forward += [(f"A{Z[1:]} = {function_text(layer.activation)}({Z})", "")] if layer.activation else []
        source = ", from the operations below" if layer.delta.endswith(f"= ∂L/∂{Z}") else ""
        backward[:0] = [(layer.delta, size["δ"] + source), (",  ".join(layer.gradients), "")]
        for step in _behind(plan, found, place)[1] or () if layer.activation else ():
            rest.pop(step, None)
    computed, kept = int((flat.parents.arity > 0).sum()), memory.used - plan.first_computed
    single = f"one by one, because {FEW} or fewer equal operations of a level are no faster as an array"
    lines = []
    ways = [("as arrays, outside the layers", [False]), (single, [True])]
    for way, on_tape in [("as loops, outside the layers", [False, True])] if compiled else ways:
        counts = sum((group.counts for group in rest if isinstance(group, Tape) in on_tape), Counter[str]())
        lines += [f"{way}: {', '.join(f'{n:,} {name}' for name, n in counts.items())}"] if counts else []
    leaves = f"{counted(len(plan.parameters), 'parameter')}, {counted(sum(map(len, plan.inputs)), 'input')}"
    fused = f"{kept:,} of them stored, {computed - kept:,} fused into others"
    lines.append(f"{leaves}; {counted(computed, 'operation')}, {fused}")
    return f"{plan.engine}: {plan.reason}{'' if compiled or not plan.groups else steps}", forward, backward, lines


def as_latex(plan: Plan) -> str:
    """Return the layers as one aligned formula."""
    _, forward, backward, _ = _parts(plan)
    lines = [line for formulas, _ in forward + backward for line in formulas.split(",  ")]
    if not lines:
        return r"$\text{no matrix product}$"
    signs = latex_signs(re.sub(r"(\w+)ᵀ", r"(\1)ᵀ", "\n".join(lines)))
    body = r" \\ ".join(line.replace(" = ", " &= ", 1) for line in signs.split("\n"))
    return rf"$\displaystyle \begin{{aligned}} {body} \end{{aligned}}$"
