"""The matrix form that was found in the scalars, in the lecture's letters: do you see δ and W lurking?

A layer is a matrix product whose rows w are parameters. Its letters come from the names of the nodes, where those
agree (w²_13 and its like make W²), else the layers are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from autograd.notation import INDEXED, SUPERSCRIPTS, latex_name
from autograd.replay.flattening import Ints
from autograd.replay.groups import Elementwise, Group, ManyOperands, Product

if TYPE_CHECKING:
    from autograd.replay.planning import Plan

UP = {digit: above for above, digit in SUPERSCRIPTS.items()}
ABOVE = set(map(chr, UP.values()))


class Layer(NamedTuple):
    """One layer Z = W A + b of the graph: Z and δ have a row for each unit and a column for each example.

    letters      of "W", "A", "Z", "δ", and "b" where there is one
    shapes       of the same; A has a row for each example where it is an input, a column where it is computed
    activation   the operation that makes the next layer's A of this Z alone; "" where there is none or are several
    forward      Z¹ = W¹ A⁰ᵀ + b¹
    delta        δ¹ = (W²)ᵀ δ² ⊙ relu′(Z¹), where all that uses Z is the next layers; else δ¹ = ∂L/∂Z¹
    gradients    ∂L/∂W¹ = δ¹ A⁰, and ∂L/∂b¹; with "+ …" where something else uses them too, as a penalty does
    """

    letters: dict[str, str]
    shapes: dict[str, tuple[int, ...]]
    activation: str
    forward: str
    delta: str
    gradients: tuple[str, ...]


class Text:
    """Formulas on one line."""

    times, more = " ⊙ ", "…"

    def name(self, letter: str) -> str:
        """W²."""
        return letter

    def transposed(self, letter: str) -> str:
        """A⁰ᵀ, and (W²)ᵀ where the letter has a number that is no 0."""
        return f"({letter})ᵀ" if letter[-1] in ABOVE - {"⁰"} else f"{letter}ᵀ"

    def partial(self, letter: str) -> str:
        """∂L/∂W²."""
        return f"∂L/∂{letter}"

    def slope(self, g: str, letter: str) -> str:
        """g′(Z¹)."""
        return f"{g}′({letter})"

    def applied(self, g: str, letter: str) -> str:
        """g(Z¹)."""
        return f"{g}({letter})"


class Latex(Text):
    """Formulas for a notebook."""

    times, more = r" \odot ", r"\dots"

    def name(self, letter: str) -> str:
        return latex_name(letter)

    def transposed(self, letter: str) -> str:
        return rf"\left({latex_name(letter)}\right)^{{\top}}"

    def partial(self, letter: str) -> str:
        return rf"\frac{{\partial L}}{{\partial {latex_name(letter)}}}"

    def slope(self, g: str, letter: str) -> str:
        return rf"{latex_name(g)}'\left({latex_name(letter)}\right)"

    def applied(self, g: str, letter: str) -> str:
        return rf"{latex_name(g)}\left({latex_name(letter)}\right)"


class _Found(NamedTuple):
    """A layer's group, what it was called, and where its A comes from: a layer's place and the groups after it."""

    group: Product
    letters: dict[str, str]
    source: int | None
    between: tuple[Group, ...]


def find_layers(plan: Plan, writer: Text | None = None) -> list[Layer]:
    """The layers of a plan, first to last, written by ``writer``."""
    writer = writer or Text()
    found = _find(plan)
    uses = np.bincount(plan.flat.parents, minlength=len(plan.flat.nodes))
    of_slot = np.zeros(len(plan.flat.nodes), dtype=np.int64)
    known = plan.memory.slot >= 0
    of_slot[plan.memory.slot[known]] = uses[known]
    return [_layer(found, place, writer, of_slot) for place in range(len(found))]


def _find(plan: Plan) -> list[_Found]:
    memory = plan.memory
    maker: dict[int, Group] = {int(memory.tensor[group.out.flat[0]]): group for group in plan.groups}
    parameters = range(memory.constants, memory.constants + len(plan.parameters))
    products = [g for g in plan.groups if isinstance(g, Product) and g.blocks == 1 and g.nodes.size > 1]
    layers = [g for g in products if g.columns[0].min() in parameters and g.columns[0].max() in parameters]
    place = {group: i for i, group in enumerate(layers)}
    found: list[_Found] = []
    for i, group in enumerate(layers):
        between: list[Group] = []
        tensor, source = int(memory.tensor[group.columns[1].flat[0]]), None
        while tensor in maker:  # back through what happens to each unit for itself
            before = maker[tensor]
            if before in place:
                source = place[before]
                break
            if not isinstance(before, Elementwise) or before.operation is None:
                break
            between.append(before)
            tensor = max(int(memory.tensor[c.flat[0]]) for c in before.columns)
        number = str(i + 1).translate(UP)
        W = _letter(plan, group.columns[0], True) or f"W{number}"
        above = "".join(c for c in W if c in ABOVE) or number
        letters = {"W": W, "Z": f"Z{above}", "δ": f"δ{above}"}
        if source is None:
            letters["A"] = _letter(plan, group.columns[1], True) or ("A⁰" if i == 0 else f"A{number}")
        else:
            letters["A"] = "A" + found[source].letters["Z"][1:]
        if len(group.columns) == 3:
            letters["b"] = _letter(plan, group.columns[2], False) or f"b{above}"
        found.append(_Found(group, letters, source, tuple(reversed(between))))
    return found


def _letter(plan: Plan, slots: Ints, matrix: bool) -> str:
    """The letter that the names of these leaves have in common, large for a matrix; "" if they have none."""
    memory = plan.memory
    places = {int(slot): node for node, slot in enumerate(memory.slot.tolist()) if slot >= 0}
    names = {plan.flat.nodes[places[slot]].name for slot in set(slots.ravel().tolist())}
    matches = [INDEXED.fullmatch(name) if name else None for name in names]
    common = {match.group(1, 2) if match and match[3] else ("", "") for match in matches}
    letter, above = common.pop()
    if common:
        return ""
    return (letter.upper() if matrix and len(letter) == 1 else letter) + above


def _layer(found: list[_Found], place: int, writer: Text, uses: Ints) -> Layer:
    group, letters, source, _ = found[place]
    Z, W, A, delta = (letters[key] for key in ("Z", "W", "A", "δ"))
    rows = source is None  # the examples of an input are its rows
    shapes: dict[str, tuple[int, ...]] = {
        "W": (group.r, group.n),
        "A": (group.c, group.n) if rows else (group.n, group.c),
    }
    shapes |= {"Z": (group.r, group.c), "δ": (group.r, group.c)}
    forward = f"{writer.name(Z)} = {writer.name(W)} {writer.transposed(A) if rows else writer.name(A)}"
    other = writer.name(A) if rows else writer.transposed(A)
    gradients = [
        f"{writer.partial(W)} = {writer.name(delta)} {other}{_rest_of(uses, group.columns[0], group.c, writer)}"
    ]
    if "b" in letters:
        shapes["b"] = (group.r,)
        forward += f" + {writer.name(letters['b'])}"
        more = _rest_of(uses, group.columns[2], group.c, writer)
        gradients.append(f"{writer.partial(letters['b'])} = {writer.name(delta)} 1{more}")
    users = [user for user in found if user.source == place]
    activations = {user.between for user in users}
    [between] = activations if len(activations) == 1 else [()]
    operations = [step.operation.name for step in between if step.operation is not None]
    activation = "".join(name for name in operations if name != "identity")
    is_one = len(operations) - operations.count("identity") <= 1
    activation = activation if is_one else ""
    if users and len(activations) == 1 and is_one and _only_used_by(uses, group, between, users):
        sums = " + ".join(f"{writer.transposed(u.letters['W'])} {writer.name(u.letters['δ'])}" for u in users)
        sums = f"({sums})" if len(users) > 1 else sums
        delta_line = f"{writer.name(delta)} = {sums}"
        if activation:
            delta_line += writer.times + writer.slope(activation, Z)
    else:
        delta_line = f"{writer.name(delta)} = {writer.partial(Z)}"
    return Layer(letters, shapes, activation, forward, delta_line, tuple(gradients))


def _rest_of(uses: Ints, leaves: Ints, examples: int, writer: Text) -> str:
    """What stands for the other uses of a parameter that each example uses once."""
    return "" if (uses[np.unique(leaves)] == examples).all() else f" + {writer.more}"


def _only_used_by(uses: Ints, group: Product, between: tuple[Group, ...], users: list[_Found]) -> bool:
    """Whether what the group computes goes through these steps into these layers, and nowhere else."""
    *inner, last = [group, *between]
    once = all((uses[step.out] == 1).all() for step in inner)
    return once and bool((uses[last.out] == sum(user.group.r for user in users)).all())


def tell(plan: Plan) -> str:
    """The program as text: the layers forward and backward, what else there is, and the counts."""
    layers, flat, memory = find_layers(plan), plan.flat, plan.memory
    steps = f"; {len(plan.forward)} steps forward, {len(plan.backward)} back" if plan.groups else ""
    lines = [f"{plan.engine}: {plan.reason}{steps}"]
    width = max([len(layer.forward) for layer in layers], default=0)
    for layer in layers:
        sizes = ", ".join(f"{layer.letters[key]} {_size(layer.shapes[key])}" for key in ("W", "A", "Z"))
        lines.append(f"  {layer.forward:{width}}   {sizes}")
        if layer.activation:
            lines.append(f"  A{layer.letters['Z'][1:]} = {layer.activation}({layer.letters['Z']})")
    if layers:
        lines.append("back")
    for layer in reversed(layers):
        lines += [f"  {layer.delta}", f"  {',  '.join(layer.gradients)}"]
    rest = _rest(plan)
    lines += [f"beside the layers: {rest}"] if rest else []
    computed = int((flat.arity > 0).sum())
    kept = memory.used - plan.first_computed
    lines.append(
        f"{len(plan.parameters):,} parameters, {sum(len(some) for some in plan.inputs):,} inputs; "
        f"{computed:,} operations, {kept:,} of them with a number of their own, {computed - kept:,} fused away"
    )
    return "\n".join(lines)


def _rest(plan: Plan) -> str:
    layers = {id(some.group) for some in _find(plan)}
    counts: Counter[str] = Counter()
    for group in plan.groups:
        if id(group) in layers:
            continue
        if isinstance(group, Product):
            what = f"Σ of {group.n} products"
        elif isinstance(group, ManyOperands) and group.operation is not None:
            what = f"{group.operation.symbol} of {group.columns[0].shape[0]}"
        else:
            what = group.operation.name if group.operation is not None else ""
        counts[what] += int(group.nodes.size)
    return ", ".join(f"{count:,} {what}" for what, count in counts.items())


def tell_latex(plan: Plan) -> str:
    """The layers as one aligned formula."""
    lines: list[str] = []
    layers = find_layers(plan, Latex())
    for layer in layers:
        lines.append(layer.forward)
        if layer.activation:
            a = latex_name(f"A{layer.letters['Z'][1:]}")
            lines.append(f"{a} = {Latex().applied(layer.activation, layer.letters['Z'])}")
    for layer in reversed(layers):
        lines += [layer.delta, *layer.gradients]
    if not lines:
        return r"$\text{no matrix product}$"
    body = r" \\ ".join(line.replace(" = ", " &= ", 1) for line in lines)
    return rf"$\displaystyle \begin{{aligned}} {body} \end{{aligned}}$"


def tell_html(plan: Plan) -> str:
    """The text for a notebook."""
    return f'<pre style="line-height:1.4">{escape(tell(plan))}</pre>'


def _size(shape: Iterable[int]) -> str:
    return "×".join(map(str, shape))
