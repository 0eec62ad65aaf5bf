"""Defines the exercises on gradients: the chain rule at a node, the backward pass, back propagation in a network."""

from collections.abc import Callable, Iterable, KeysView, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, islice
from math import exp, log, prod
from random import Random
from typing import Any

from autograd import Value, draw, explain, named
from autograd.drawing import Drawing
from autograd.drawing.layered import placed
from autograd.graph import topological_order
from autograd.notation import labels
from autograd.parser import Definitions
from autograd.text import counted
from nn import MLP, half_squared_error
from nn.data import one_hot
from nn.lecture.exercises.exercise import MOST_NUMBERS, Exercise, Problem, explained, is_listed, tried
from nn.lecture.exercises.guard import NoAnswer
from nn.lecture.exercises.lazy_numpy import np

Numbers = list[float]
Matrix = list[list[float]]


def sigmoid(z: Any) -> Any:
    """Return 1/(1 + e⁻ᶻ) for a number or an array."""
    return 1.0 / (1.0 + (exp(-z) if isinstance(z, float) else np.exp(-z)))


class Derivations(list[Any]):
    """Explanations, shown one below the other."""

    def __str__(self) -> str:
        return "\n\n".join(map(str, self))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return "".join(explanation._repr_html_() for explanation in self)


def slopes(before: str, z: str = "z", a: str = "a", g: str = "g") -> tuple[Any, ...]:
    """Return rows of mistakes for the slope of a = σ(z); ``before`` says what the slope multiplies."""
    rows: tuple[tuple[str, Callable[[Any, Any], Any], str], ...] = (
        ("forgot {g}′", lambda z, a: z * 0.0 + 1.0,
         "{before}To get from {a} back to {z}, multiply by the slope {right}."),
        ("{g} for {g}′", lambda z, a: a, "You multiplied by σ({z}) = {a}. The chain rule needs its slope, {right}."),
        ("the slope of tanh", lambda z, a: 1.0 - a * a, "1 − {a}² is the slope of tanh; that of σ is {right}."),
        ("σ′({a}) for σ′({z})", lambda z, a: sigmoid(a) * (1.0 - sigmoid(a)),
         "{a} is already σ({z}), so σ({a})(1 − σ({a})) applies σ twice: σ′({z}) = {right}."),
        ("{z} for {a} in σ′", lambda z, a: z * (1.0 - z), "σ′({z}) = {right}, with {a} where you have {z}."),
        ("one factor of the slope", lambda z, a: 1.0 - a, "σ′({z}) = {right}: the factor {a} is missing."),
        ("1 + a for 1 − a", lambda z, a: a * (1.0 + a), "σ′({z}) = {right}: it approaches 0 as {a} approaches 1."),
        ("a² for the slope", lambda z, a: a * a, "σ′({z}) = {right}: a product of {a} and 1 − {a}."),
        ("1 − a² for the slope, times a", lambda z, a: a * (1.0 - a * a), "σ′({z}) = {right}, without a square."),
        ("the slope twice", lambda z, a: (a * (1.0 - a)) ** 2, "You multiplied by {right} twice: once is enough."),
        ("divided by the slope", lambda z, a: 1.0 / (a * (1.0 - a)), "Multiply by the slope {right}, do not divide."),
        ("{z} for the slope", lambda z, a: z, "{z} is the argument of σ; the chain rule needs the slope, {right}."),
        ("the slope of relu", lambda z, a: (z > 0.0) * 1.0, "That is the slope of relu; that of σ is {right}."),
    )  # fmt: skip
    names = {"before": before, "z": z, "a": a, "g": g, "right": f"{a}(1 − {a})"}
    return tuple((name.format(**names), {"slope": slope}, text.format(**names)) for name, slope, text in rows)


def _paths(
    one: bool = False, combine: Callable[[Sequence[int]], int] = sum, upstream: bool = True, local: bool = True,
    zero: int = 0, partners: bool = False,
    outer: Callable[[int, int, int], tuple[int, int, int]] = lambda x, y, z: (y * z, x * z, x * y),
) -> Callable[[Problem], list[int]]:  # fmt: skip
    """Compute ∂f/∂r and ∂f/∂s for f = xyz, x = r, y = rs, z = s, path by path; each option makes a mistake."""

    def answer(p: Problem) -> list[int]:
        r, s = p["r"], p["s"]
        given = outer(r, r * s, s) if upstream else (1, 1, 1)
        inner = (1, r if partners else s, zero), (zero, s if partners else r, 1)
        shares = [[g * (l if local else bool(l)) for g, l in zip(given, ls) if l] for ls in inner]
        return [combine(share[:1] if one else share) for share in shares]

    return answer


XYZ = Exercise(
    "xyz", "f = xyz at your own point", notebook="01-the-chain-rule.ipynb",
    question=lambda p: (
        f"$f = xyz$ with $x = r$, $y = rs$, $z = s$, at $r = {p['r']}$, $s = {p['s']}$. By hand, with the chain "
        r"rule: what are $\frac{\partial f}{\partial r}$ and $\frac{\partial f}{\partial s}$? Answer with two "
        "numbers, `[∂f/∂r, ∂f/∂s]`."),
    make=lambda rng: dict(zip("rs", rng.sample(range(2, 10), 2))),
    calculation=_paths, mistakes=(
        ("one path only", {"one": True},
         "r and s each reach f on two paths, but your number includes only one of them: add both contributions."),
        ("forgot the upstream", {"upstream": False},
         "∂x/∂r and ∂y/∂r say how x and y change with r; multiply them by ∂f/∂x and ∂f/∂y."),
        ("multiplied the paths", {"combine": prod}, "Multiply along a path, but add over the paths."),
        ("forgot the local derivatives", {"local": False},
         "∂f/∂y says how f changes with y; multiply it by ∂y/∂r = s for r, and by ∂y/∂s = r for s."),
        ("a path that does not exist", {"zero": 1},
         "x does not depend on s, nor z on r: these derivatives are 0. Only two paths lead to r, and two to s."),
        ("∂y/∂r and ∂y/∂s swapped", {"partners": True},
         "y = rs: with s held fixed, y changes s times as fast as r."),
        ("each operand's own number", {"outer": lambda x, y, z: (x, y, z)},
         "∂f/∂x is the product of the other two, yz: hold y and z fixed and increase x by 1."),
        ("sum for product", {"outer": lambda x, y, z: (y + z, x + z, x + y)},
         "The other two factors of a product are multiplied: ∂f/∂x = yz."),
        ("the wrong two factors", {"outer": lambda x, y, z: (x * y, y * z, x * z)},
         "∂f/∂x = yz leaves out x; for y leave out y, and for z leave out z."),
        ("the exponent kept", lambda p: [2 * (p["r"] * p["s"]) ** 2] * 2,
         "Overall, f = r²s². The derivative of r² is 2r: the exponent decreases by one."),
        ("the other variable forgotten", lambda p: [2 * p["r"], 2 * p["s"]],
         "Overall, f = r²s². With s held fixed, s² is a constant factor, which stays."),
        ("the other variable without its square", lambda p: [2 * p["r"] * p["s"]] * 2,
         "yz = rs·s contains s twice, and xy = r·rs contains r twice."),
        ("the value of f", lambda p: [(p["r"] * p["s"]) ** 2] * 2,
         "This is f itself; the question asks how fast f changes.")),
    hints=("x and y contain r; y and z contain s. Draw the graph and count the paths.",
           r"$\frac{\partial f}{\partial s} = \frac{\partial f}{\partial x}\frac{\partial x}{\partial s} + "
           r"\frac{\partial f}{\partial y}\frac{\partial y}{\partial s} + \frac{\partial f}{\partial "
           r"z}\frac{\partial z}{\partial s}$, and $x$ does not depend on $s$.",
           r"$\frac{\partial f}{\partial x} = yz$, $\frac{\partial f}{\partial y} = xz$, $\frac{\partial f}{\partial "
           "z} = xy$; substitute $x = r$, $y = rs$, $z = s$, and then the numbers."),
    derivation=lambda p: Derivations(explained("f = x*y*z; x = r; y = r*s; z = s", wrt, **p) for wrt in "rs"),
)  # fmt: skip


def _product(
    value: Callable[[float, float], float] = lambda x, y: x * y,
    local: Callable[[float, float], tuple[float, float]] = lambda x, y: (y, x),
) -> Callable[[float, float], Any]:
    return lambda x, y: (value(x, y), local(x, y))


MUL = Exercise(
    "mul", "The local derivatives of ×", notebook="01-the-chain-rule.ipynb",
    question=lambda p: (
        r"A node for $x \cdot y$ needs its value and its local derivatives. Write `mul(x, y)`, which takes plain "
        "floats and returns `value, (∂/∂x, ∂/∂y)`."),
    make=lambda rng: {"cases": [(float(rng.randint(2, 9)), -rng.randint(2, 9) / 2.0), (0.0, 3.0), (-1.5, -0.5)]},
    calculation=_product, mistakes=(
        ("each operand's own number", {"local": lambda x, y: (x, y)},
         "Hold y fixed and increase x by 1: the product increases by y, the other operand."),
        ("the rule of +", {"local": lambda x, y: (1.0, 1.0)}, "The local derivatives 1 and 1 belong to x + y."),
        ("the value once more", {"local": lambda x, y: (x * y, x * y)},
         "The derivative says how fast xy changes, not how large it is."),
        ("both moved at once", {"local": lambda x, y: (x + y, x + y)},
         "d(xy) = y dx + x dy changes both operands; a local derivative changes one and holds the other fixed."),
        ("the rule of ÷", {"local": lambda x, y: (1.0 / y, -x / (y * y))}, "1/y and −x/y² belong to x / y."),
        ("the rule of −", {"local": lambda x, y: (1.0, -1.0)}, "1 and −1 belong to x − y."),
        ("taken as constants", {"local": lambda x, y: (0.0, 0.0)},
         "Only the other operand is held fixed: the product does change with x, by y for each step of 1."),
        ("the other operand squared", {"local": lambda x, y: (y * y, x * x)}, "∂(xy)/∂x is y: nothing is squared."),
        ("the power rule", {"local": lambda x, y: (2.0 * x, 2.0 * y)},
         "2x belongs to x·x; here the other factor is y, which is held fixed."),
        ("x + y for x · y", {"value": lambda x, y: x + y}, "Your value is a sum, but the node is a product."),
        ("times the value", {"local": lambda x, y: (x * y * y, x * y * x)},
         "The other operand is already the local derivative: do not multiply it by the value.")),
    hints=(r"Hold $y$ fixed. What kind of function of $x$ is $x \cdot y$ then, and what is its slope?",
           r"$y$ is a constant factor in $\frac{\partial (xy)}{\partial x}$.",
           "`return x * y, (y, …)`"),
    derivation=lambda p: Derivations(explained("f = x*y", wrt, **dict(zip("xy", p["cases"][0]))) for wrt in "xy"),
    **tried(lambda x, y: f"at x = {x:g}, y = {y:g}", lambda x, y: ("the value", ("∂/∂x", "∂/∂y"))),
)  # fmt: skip


def _kinked(
    value: Callable[[float], float] = lambda z: max(0.0, z),
    slope: Callable[[float], float] = lambda z: 1.0 if z > 0.0 else 0.0,
) -> Callable[[float], Any]:
    return lambda z: (value(z), (slope(z),))


RELU = Exercise(
    "relu", "relu and its kink", notebook="02-back-propagation.ipynb",
    question=lambda p: (
        r"Write `my_relu(z)`, which returns `value, (derivative,)`: $g(z) = \max(0, z)$ and $g'(z)$. At the kink, $z "
        "= 0$, use the convention of this course and of most libraries: $g'(0) = 0$."),
    make=lambda rng: {"cases": [(rng.randint(3, 9) / 2.0,), (-rng.randint(3, 9) / 2.0,), (0.0,), (0.25,), (-0.25,)]},
    calculation=_kinked, mistakes=(
        ("g for g′", {"slope": lambda z: max(0.0, z)},
         "You returned relu itself as its derivative, but its slope is 1 wherever it rises."),
        ("the other side at the kink", {"slope": lambda z: 1.0 if z >= 0 else 0.0},
         "At 0 every number from 0 to 1 is a subgradient; the convention is 0."),
        ("½ at the kink", {"slope": lambda z: (z > 0) / 2.0 + (z >= 0) / 2.0},
         "You took the mean of both sides, as a step function does; the convention here is 0."),
        ("a slope where relu is flat", {"slope": lambda z: 1.0},
         "Left of 0 relu is constant, so its derivative is 0."),
        ("the slope of |z|", {"slope": lambda z: (z > 0) - (z < 0) * 1.0},
         "The slope −1 left of 0 belongs to |z|, but relu is flat left of 0."),
        ("z for g′", {"slope": lambda z: z}, "You returned z itself; the slope is 1 right of 0 and 0 left of it."),
        ("flat everywhere", {"slope": lambda z: 0.0},
         "Right of 0 relu is z itself, which rises by 1 for each step of 1."),
        ("the sides swapped", {"slope": lambda z: 1.0 if z < 0 else 0.0},
         "relu is flat left of 0 and rises right of it."),
        ("the slope of σ", {"slope": lambda z: sigmoid(z) * (1.0 - sigmoid(z))},
         "σ(z)(1 − σ(z)) is the slope of σ; relu consists of two straight lines."),
        ("1 only for z ≥ 1", {"slope": lambda z: 1.0 if z >= 1.0 else 0.0},
         "relu rises for every z above 0, including those between 0 and 1."),
        *(("a leak",
           {"value": lambda z, leak=leak: max(leak * z, z), "slope": lambda z, leak=leak: 1.0 if z > 0.0 else leak},
           "A slope left of 0 belongs to leaky relu: relu is 0, and flat, left of 0.") for leak in (0.01, 0.1, 0.2)),
        ("−z for z", {"value": lambda z: max(0.0, -z), "slope": lambda z: -1.0 if z < 0.0 else 0.0},
         "Your function is flat right of 0 and falls left of it, but relu rises right of 0."),
        ("z for max(0, z)", {"value": lambda z: z}, "Left of 0 the value is 0: max(0, z)."),
        ("|z| for max(0, z)", {"value": abs}, "Left of 0 the value is 0, not −z."),
        ("min for max", {"value": lambda z: min(0.0, z)}, "relu takes the larger of 0 and z: max(0, z)."),
        ("a step for max(0, z)", {"value": lambda z: float(z > 0.0)},
         "0 and 1 are the slopes; the value is max(0, z).")),
    hints=(r"Draw $\max(0, z)$. What is its slope to the right of 0, and to the left?",
           "It is 1 on the right, 0 on the left, and given by the convention at 0.",
           "The derivative is `1.0 if z > 0 else …`"),
    derivation=lambda p: explained("a = relu(z)", "z", z=p["cases"][0][0]),
    **tried(lambda z: f"at z = {z:g}", lambda z: ("the value", ("the derivative",))),
)  # fmt: skip


# the graphs on which an answer runs, the smallest first
GRAPHS = {
    "a product": "f = x*y",
    "a chain": "f = sin(exp(a*0.5))",
    "x + x": "f = s + s",
    "a diamond": "f = q*r; q = b*2; r = exp(b*0.25)",
    # h feeds f directly and also through p and q, so it must wait for both contributions before it passes on its
    # grad; it is nearer to f than q is, so a level-by-level walk reaches it too early
    "a short and a long path": "f = h*t + sin(p); p = tanh(q); q = h*0.5; h = w*w",
}


PARSED = {graph: Definitions(text) for graph, text in GRAPHS.items()}


def _graphs(p: Problem) -> dict[str, list[Value]]:
    """Return the nodes of every graph, the root last."""
    numbers: Problem = dict.fromkeys("xatw", p["u"]) | dict.fromkeys("ysb", p["v"])
    roots = {graph: d.at(**{name: numbers[name] for name in d.inputs})["f"] for graph, d in PARSED.items()}
    return {graph: topological_order(root) for graph, root in roots.items()}


def _node_names(p: Problem) -> list[str]:
    """Name every number of an answer as the drawing does."""
    return [f"{graph}, node {name}" for graph, nodes in _graphs(p).items() for name in labels(nodes).values()]


def _run_backward(p: Problem, backward: Callable[[Value], object]) -> list[float]:
    graphs = _graphs(p).values()
    for nodes in graphs:
        for node in nodes:
            node.grad = 0.5  # as left by an earlier pass
        backward(nodes[-1])
    return [float(node.grad) for nodes in graphs for node in nodes]


def _marked(root: Value, nodes: Sequence[Value], caption: str) -> Any:
    """Draw the graph with a frame around some of its nodes."""
    drawing, order = draw(root), topological_order(root)
    figure, chosen = drawing.figure, {order.index(node) for node in nodes}
    for box in figure.boxes:
        box.lit = any(cell.node in chosen for cell in box.cells)
    figure.captions += [caption] if caption else []
    return Drawing(figure, placed(figure))


def _graph_at(p: Problem, place: int) -> Any:
    root, node = [(nodes[-1], node) for nodes in _graphs(p).values() for node in nodes][place]
    root.backward()
    return _marked(root, [node], "the right gradients; the framed node is the first from the root whose grad differs")


def _nearest_to_the_root(p: Problem, places: Sequence[int]) -> int:
    """Return the wrong number of the smallest graph that the backward pass reaches first."""
    starts = [*accumulate(map(len, _graphs(p).values()))]
    return max(place for place in places if place < next(end for end in starts if places[0] < end))


def _reached(root: Value, before: bool = True, again: bool = False, step: int = 1) -> list[Value]:
    """List every node when recursion reaches it, or when it leaves it; ``again`` repeats nodes seen before."""
    seen: set[Value] = set()

    def visit(node: Value) -> list[Value]:
        if node in seen and not again:
            return []
        seen.add(node)
        below = [x for parent in node.parents[::step] for x in visit(parent)]
        return [node, *below] if before else [*below, node]

    return visit(root)


def _level_by_level(root: Value, step: int = 1) -> list[Value]:
    """List a node each time it is reached, breadth first; ``step=-1`` begins with the last parent."""
    order = [root]
    for node in order:
        order += node.parents[::step]
    return order


def _backward(
    assign: bool = False, stale: Callable[[Value], bool] = lambda node: False, start: float = 1.0, sign: float = 1.0,
    share: Callable[[Value, Value, float], float] = lambda node, parent, local: node.grad * local,
    pairs: Callable[[Value], Iterable[tuple[Value, float]]] = lambda node: zip(node.parents, node.local_derivatives),
    order: Callable[[Value], list[Value]] = lambda root: topological_order(root)[::-1], added: bool = False,
) -> Callable[[Value], None]:  # fmt: skip
    """Return a backward pass, which is right without options; each option makes a mistake."""

    def backward(root: Value) -> None:
        for node in order(root):
            node.grad = node.grad if stale(node) else 0.0
        root.grad = 0.5 + start if added else start
        for node in order(root):
            for parent, local in pairs(node):
                part = sign * share(node, parent, local)
                parent.grad = part if assign else parent.grad + part

    return backward


def _first_share(root: Value) -> None:
    """Give each node only the first contribution."""
    given = {root}
    for node in topological_order(root):
        node.grad = 0.0
    root.grad = 1.0
    for node in topological_order(root)[::-1]:
        for parent, local in zip(node.parents, node.local_derivatives):
            if parent not in given:
                parent.grad = node.grad * local
            given.add(parent)


def _one_level(root: Value) -> None:
    _backward(pairs=lambda node: zip(node.parents, node.local_derivatives) if node is root else ())(root)


def _in_every_call(root: Value) -> None:
    """Run a recursive pass in which each call sets its node's grad to 1."""
    root.grad = 1.0
    for parent, local in zip(root.parents, root.local_derivatives):
        parent.grad += root.grad * local
        _in_every_call(parent)


ONCE = "A node passed on its whole grad each time it was reached: visit every node once, after all its users."
UNSORTED = "A node passed on its grad before the grad was complete: handle every user of a node before the node."

BACKWARD = Exercise(
    "backward", "The backward pass", notebook="01-the-chain-rule.ipynb",
    question=lambda p: (
        r"Write `backward(root)`, which sets `node.grad` to $\frac{\partial\,\text{root}}{\partial\,\text{node}}$ "
        "for the root and every node that it was computed from, overwriting any earlier `grad`. A node has "
        "`parents`, `local_derivatives` (one for each parent) and `grad`. You may use `topological_order(root)` from "
        "`autograd.graph`. The check runs your function on a product, a chain, $x + x$, a diamond, and a graph with "
        "a short and a long path, and draws the smallest graph on which it fails."),
    make=lambda rng: {"u": rng.randint(5, 15) / 10.0, "v": -rng.randint(5, 15) / 10.0},
    calculation=_backward, mistakes=(
        ("assigned instead of added", {"assign": True},
         "A node that is used twice receives two contributions; `=` keeps only the last, `+=` adds them."),
        ("assigned instead of added", _first_share,
         "A node that is used twice receives two contributions, but yours keeps only the first: `+=` adds them."),
        ("stale gradients", {"stale": lambda node: True},
         "The grad of an earlier pass is still included: set every node's grad to 0 first."),
        *(("no topological order", {"order": partial(_reached, step=step)}, UNSORTED) for step in (1, -1)),
        ("forgot the upstream", {"share": lambda node, parent, local: local},
         "A parent's contribution is node.grad times the local derivative, not only the local derivative."),
        ("forgot the local derivative", {"share": lambda node, parent, local: node.grad},
         "A parent's contribution is node.grad times the local derivative, not only node.grad."),
        ("added upstream and local", {"share": lambda node, parent, local: node.grad + local},
         "The chain rule multiplies along a path: node.grad times the local derivative."),
        ("data for grad", {"share": lambda node, parent, local: node.data * local},
         "Multiply the local derivative by `node.grad`, which says how the root changes with the node, not by data."),
        ("times the parent's data", {"share": lambda node, parent, local: node.grad * parent.data},
         "The local derivative is given for each parent: it is not the parent's data."),
        ("times the parent's data too", {"share": lambda node, parent, local: node.grad * local * parent.data},
         "A contribution is node.grad times the local derivative, which already includes the parent's data."),
        ("divided among the parents", {"share": lambda node, parent, local: node.grad * local / len(node.parents)},
         "Each parent receives all of node.grad times its local derivative: nothing is divided."),
        ("subtracted instead of added", {"sign": -1.0}, "Contributions are added: `+=`, not `-=`."),
        ("the local derivatives swapped", {"pairs": lambda node: zip(node.parents, node.local_derivatives[::-1])},
         "local_derivatives[i] belongs to parents[i]; you paired them in the opposite order."),
        ("one entry for each parent", {"pairs": lambda node: dict(zip(node.parents, node.local_derivatives)).items()},
         "In x + x both parents are the same node, which a dict or a set keeps once: loop over the pairs instead."),
        ("the first local derivative for every parent",
         {"pairs": lambda node: ((parent, node.local_derivatives[0]) for parent in node.parents)},
         "Each parent has its own local derivative: loop over both lists together."),
        ("the first parent only", {"pairs": lambda node: [*zip(node.parents, node.local_derivatives)][:1]},
         "Only the first parent received a contribution: loop over all of them."),
        ("the last parent only", {"pairs": lambda node: [*zip(node.parents, node.local_derivatives)][-1:]},
         "Only the last parent received a contribution: loop over all of them."),
        ("no 1 at the root", {"start": 0.0}, "∂root/∂root = 1: without it everything is 0."),
        ("the old grad of the root", {"added": True},
         "The root's grad from an earlier pass is still included: set it to 1 instead of adding 1."),
        ("the root's data for 1", lambda root: _backward(start=root.data)(root),
         "∂root/∂root = 1, whatever the root's data is."),
        ("1 in every call", _in_every_call,
         "Each recursive call sets its node's grad to 1 again: only the root's grad is 1, and it is set once."),
        *(("a node passed on more than once", {"order": partial(_reached, again=True, step=step)}, ONCE)
          for step in (1, -1)),
        ("one level only", _one_level,
         "Only the root passed on its grad: its parents must pass on theirs in turn."),
        *(("stale gradients in the inputs", {"stale": is_input},
           "The interior nodes start from 0, but the inputs keep the grad of an earlier pass: set theirs to 0 too. "
           "(`Value.backward` adds to its inputs on purpose; here the passes are independent.)")
          for is_input in (lambda node: node.operation is None, lambda node: not node.parents)),
        ("the list from the wrong end", {"order": topological_order},
         "Only the root had a grad when it was visited: walk the list from the end, users before their parents."),
        ("nothing written", lambda root: None,
         "Every grad is unchanged: write the answer into each `node.grad` instead of returning it.")),
    hints=("Which nodes must have their complete grad before a node may pass its grad on?",
           "List the nodes so that parents come first; walk that list from the end.",
           "Zero all grads, `root.grad = 1.0`, then for each node: `parent.grad += node.grad * local`."),
    derivation=lambda p: explained(GRAPHS["a diamond"], "b", b=p["v"]),
    numbers=_run_backward, cases=_node_names, picture=_graph_at, first=_nearest_to_the_root, generic=False,
)  # fmt: skip


def _run_order(p: Problem, order: Callable[[Value], Any]) -> list[float]:
    """Count, for every node, how often it is listed and how many of its parents come later.

    Two more numbers follow: how many items are not in the graph and, if a parent comes later, whether the list is
    ordered level by level.
    """
    found: list[float] = []
    for graph, nodes in _graphs(p).items():
        listed = order(nodes[-1])
        if listed is None:
            raise NoAnswer(f"returned nothing (on {graph}): it needs a `return`")
        if not is_listed(listed) and not isinstance(listed, KeysView):
            what = f"a value of type {type(listed).__name__} (on {graph})"
            raise NoAnswer(f"returned {what}: it must return a list of nodes")
        places: dict[int, list[int]] = {id(node): [] for node in nodes}
        strangers = 0
        for i, node in enumerate(islice(listed, MOST_NUMBERS)):
            strangers += id(node) not in places
            places.get(id(node), []).append(i)
        for node in nodes:
            own = places[id(node)]
            later = [x for x in {*node.parents} if own and places[id(x)] and places[id(x)][0] > own[0]]
            found += len(own), len(later)
        far = _distances(nodes[-1])
        levels = [far for _, far in sorted((i, far[node]) for node in nodes for i in places[id(node)])]
        late = any(found[1 - 2 * len(nodes) :: 2])
        found += strangers, late * (1 + (levels in (sorted(levels), sorted(levels)[::-1])))
    return found


def _distances(root: Value) -> dict[Value, int]:
    """Return the distance of every node from the root, in edges."""
    found = {root: 0}
    for node in (order := [root]):
        for parent in node.parents:
            if parent not in found:
                found[parent] = found[node] + 1
                order.append(parent)
    return found


def _node_in_order(p: Problem, place: int) -> tuple[str, Value | None, list[Value]]:
    """Return the graph that a number belongs to, its node if it has one, and all nodes."""
    for graph, nodes in _graphs(p).items():
        if place < 2 * len(nodes) + 2:
            return graph, nodes[place // 2] if place < 2 * len(nodes) else None, nodes
        place -= 2 * len(nodes) + 2
    raise IndexError(place)


def _describe_order(p: Problem, found: Sequence[float], place: int) -> str:
    graph, node, nodes = _node_in_order(p, place)
    if node is None:
        return f" First on {graph}: the list contains {counted(int(found[place]), 'item')} from outside the graph."
    name, times = labels(nodes)[node], int(found[place])
    what = "one of its parents comes later"
    if _run_order(p, topological_order)[place]:  # this number is how often the node is listed
        what = f"it is listed {times} times" if times else "it is missing"
    return f" First on {graph}, node {name}: {what}."


def _draw_order(p: Problem, place: int) -> Any:
    _, node, nodes = _node_in_order(p, place)
    return _marked(nodes[-1], [node] if node else [], "the frame marks the first wrong node" if node else "")


def _down(root: Value, place: int) -> list[Value]:
    """Follow one parent of each node; the root comes last."""
    return [*(_down(root.parents[place], place) if root.parents else []), root]


def _is_kept(p: Problem, found: Sequence[float]) -> bool:
    """Return whether the only fault is foreign items in the lists of the later graphs."""
    strangers = [end - 2 for end in accumulate(2 * len(nodes) + 2 for nodes in _graphs(p).values())]
    right = _run_order(p, topological_order)
    return {i for i, (x, y) in enumerate(zip(found, right)) if x != y} <= {*strangers[1:]}


ORDER = Exercise(
    "order", "A topological order", notebook="01-the-chain-rule.ipynb",
    question=lambda p: (
        "Write `my_order(root)`, which returns a list of the root and every node that it was computed from, each "
        "once, and each after all its `parents`. Any such order is accepted. The check runs your function on a "
        "product, a chain, $x + x$, a diamond, and a graph with a short and a long path."),
    make=lambda rng: {"u": rng.randint(5, 15) / 10.0, "v": -rng.randint(5, 15) / 10.0},
    right=topological_order,
    mistakes=(
        ("the empty list", lambda root: [], "The list is empty: append each node to it."),
        ("only the root", lambda root: [root],
         "Only the root is listed: visit its parents, their parents, and so on."),
        *(("one level only", rule,
           "Only the root and its parents are listed: visit the parents' parents too, and so on.")
          for rule in (lambda root: [*dict.fromkeys(root.parents), root], lambda root: [root, *root.parents],
                       lambda root: [root, *dict.fromkeys(root.parents)], lambda root: [*root.parents, root])),
        *((f"the {word} parent only", partial(_down, place=place),
           "You visited only one parent of each node: visit all of them.")
          for place, word in ((0, "first"), (-1, "last"))),
        ("a list kept from one call to the next", None,
         "The list still contains the nodes of an earlier call: make a new one in each call, not as a default.",
         _is_kept),
        ("the root missing", lambda root: topological_order(root)[:-1],
         "The root is a node of the graph too: it comes last."),
        ("the leaves missing", lambda root: [node for node in topological_order(root) if node.parents],
         "Nodes without parents belong in the list too: they come before every node that uses them."),
        ("only the leaves", lambda root: [node for node in topological_order(root) if not node.parents],
         "Only the nodes without parents are listed: append a node after its parents, whether it has any or not."),
        ("reversed", lambda root: topological_order(root)[::-1],
         "Your list begins at the root, as the backward pass does; here each node comes after its parents."),
        ("reversed, without the root", lambda root: topological_order(root)[-2::-1],
         "Your list has users before their parents, and the root is missing."),
        ("nodes listed twice", partial(_reached, before=False, again=True),
         "A node that is used twice is listed twice: remember which nodes you have seen."),
        *(("breadth first", rule,
           "Sorting by the distance from the root is not enough: in the graph with a short and a long path, a node "
           "is near the root but has a user that is farther away.")
          for step in (1, -1) for rule in (
              lambda root, step=step: [*dict.fromkeys(_level_by_level(root, step))],
              lambda root, step=step: [*dict.fromkeys(_level_by_level(root, step))][::-1])),
        *(("breadth first, nodes listed twice", partial(_level_by_level, step=step),
           "Walking level by level lists a node each time it is reached, and too early: append it once, after its "
           "parents.") for step in (1, -1)),
        *(("listed on the way down", rule,
           "You listed a node when you came to it: append it after the calls for its parents.")
          for step in (1, -1) for rule in (
              partial(_reached, step=step), lambda root, step=step: _reached(root, step=step)[::-1])),
        *(("listed on the way down, and twice", partial(_reached, again=True, step=step),
           "You listed a node each time you came to it: append it once, after the calls for its parents.")
          for step in (1, -1)),
        ("the numbers for the nodes", lambda root: [node.data for node in topological_order(root)],
         "The list does not contain the graph's nodes: append the node itself.")),
    hints=("Use recursion: what must be in the list before a node may be appended?",
           "Visit the node's parents first, then append the node; keep a set of the nodes you have seen.",
           "`def visit(node): if node not in seen: seen.add(node); for parent in node.parents: …; "
           "order.append(node)`"),
    derivation=lambda p: draw([*_graphs(p).values()][-1][-1]),
    numbers=_run_order, cases=lambda p: [], picture=_draw_order, describe=_describe_order, generic=False,
)  # fmt: skip


GATES_SLIPS = (
    *(("the operands not swapped", {"own": own},
       f"× passes back the upstream gradient times the *other* operand{at}.")
      for own, at in (("Lp", ""), ("L", ": at L, m receives it times a"), ("p", ": at p, z receives it times q"))),
    ("max for both", {"loser": lambda g, p, w: g}, "Only the larger operand affects m: the smaller one receives 0."),
    ("max to the smaller one", {"loser": lambda g, p, w: g, "winner": lambda g, p, w: 0.0},
     "m = p because p is larger: p receives the whole gradient, and w receives 0."),
    ("max in halves", {"loser": lambda g, p, w: g / 2.0, "winner": lambda g, p, w: g / 2.0},
     "max selects: the larger operand receives the whole gradient, not half of it."),
    ("max as a factor", {"winner": lambda g, p, w: g * p}, "max has slope 1 for the larger operand, not p."),
    ("max as a product", {"winner": lambda g, p, w: g * w, "loser": lambda g, p, w: g * p},
     "max is not ×: its slope is 1 for the larger operand and 0 for the other."),
    ("+ in halves", {"add": lambda g, x, y: g / 2.0}, "+ passes the whole gradient to each operand."),
    ("+ as a factor", {"add": lambda g, x, y: g * x}, "+ has the local derivative 1, not x."),
    ("+ as ×", {"add": lambda g, x, y: g * y}, "+ has the local derivative 1: swapping operands belongs to ×."),
    *slopes("", "h", g="σ"),
    ("1 at L", {"start": True},
     "L is not the root: it receives a gradient from upstream, which multiplies all the others."),
    ("× as +", {"other": lambda g, x: g}, "× multiplies the gradient by the other operand; + passes it on."),
    ("the other operand of L forgotten", {"forgotten": True},
     "L = m·a is a product too: m receives the upstream gradient times a, and a receives it times m."),
    ("x for q", {"q": lambda x, y: x}, "z is multiplied by all of q = x + y: it receives the gradient times q."),
    ("y for q", {"q": lambda x, y: y}, "z is multiplied by all of q = x + y: it receives the gradient times q."),
    ("w for m", {"m": min}, "m is the larger of p and w: a receives the gradient times m = p."),
    ("h for a", {"a": lambda h: h}, "m is multiplied by a = σ(h), not by h: it receives the gradient times a."),
    ("forgot the upstream", {"local": True},
     "These are local derivatives: multiply each by the gradient that arrives at the node."),
)  # fmt: skip


def _gates(
    own: str = "", start: bool = False, local: bool = False,
    winner: Callable[[float, float, float], float] = lambda g, p, w: g,
    loser: Callable[[float, float, float], float] = lambda g, p, w: 0.0,
    add: Callable[[float, float, float], float] = lambda g, x, y: g,
    slope: Callable[[float, float], float] = lambda h, a: a * (1.0 - a),
    other: Callable[[float, float], float] = lambda g, x: g * x,
    forgotten: bool = False, q: Callable[[float, float], float] = lambda x, y: x + y,
    m: Callable[[float, float], float] = max, a: Callable[[float], float] = sigmoid,
) -> Callable[[Problem], Numbers]:  # fmt: skip
    """Compute the gradients of L = max(p, w)·σ(h), p = (x + y)·z; each option makes a mistake."""

    def answer(p: Problem) -> Numbers:
        def times(g: float, mine: float, others: float) -> float:
            return other(1.0 if local else g, mine if "p" in own else others)

        x, y, z, w, out, g = p["x"], p["y"], p["z"], p["w"], sigmoid(p["h"]), 1.0 if start or local else p["g"]
        product = (x + y) * z
        at_m, at_a = m(product, w), a(p["h"])
        if "L" in own:
            at_m, at_a = at_a, at_m
        to_m, to_a = (g if forgotten else other(g, x) for x in (at_a, at_m))
        to_p, to_w = winner(1.0 if local else to_m, product, w), loser(to_m, product, w)
        to_q, to_z = times(to_p, x + y, z), times(to_p, z, q(x, y))
        return [add(1.0 if local else to_q, x, y), to_z, to_w, slope(p["h"], out) * (1.0 if local else to_a)]

    return answer


def _explain_gates(p: Problem) -> Any:
    return explained("f = {g}*L; L = m*a; m = max(p, w); p = q*z; q = x + y; a = sigmoid(h)".format(**p), "z",
                     **{name: p[name] for name in "xyzwh"})  # fmt: skip


GATES = Exercise(
    "gates", "What +, ×, max and σ pass back", notebook="02-back-propagation.ipynb",
    question=lambda p: (
        rf"$q = x + y$, $p = q \cdot z$, $m = \max(p, w)$, $a = \sigma(h)$, $L = m \cdot a$, with $x = {p['x']:g}$, "
        f"$y = {p['y']:g}$, $z = {p['z']:g}$, $w = {p['w']:g}$, $h = {p['h']:g}$. The forward pass gave $q = "
        f"{p['x'] + p['y']:g}$, $p = {(p['x'] + p['y']) * p['z']:g}$, $m = {(p['x'] + p['y']) * p['z']:g}$, $a = "
        f"{sigmoid(p['h']):.4f}$. $L$ is a node inside a larger graph with the output $f$: the gradient that "
        rf"arrives at $L$ from upstream is $\partial f/\partial L = {p['g']:g}$. Walk back from $L$ by "
        "hand: which gradients arrive at $x$, $z$, $w$ and $h$? Answer with four numbers, in this order."),
    make=lambda rng: {
        "x": rng.choice([-4.0, -3.0, 3.0, 5.0]), "y": rng.choice([6.0, 7.0, 8.0, 9.0]),
        "z": rng.choice([1.5, 2.5, 3.5]), "w": rng.choice([-3.0, -2.0, 2.0]),
        "h": rng.choice([-1.5, -0.5, 0.5, 1.5]), "g": rng.choice([-3.0, 3.0, 5.0]),
    },
    calculation=_gates,
    mistakes=GATES_SLIPS,
    hints=("Begin at $L$ with the gradient from upstream, and proceed node by node: $L$, then $m$ and $a$, then the "
           "nodes that they were computed from.",
           r"$+$ passes the gradient on, $\times$ multiplies it by the other operand, $\max$ passes it only to the "
           r"larger operand, $\sigma$ multiplies it by $a(1 - a)$.",
           r"$m$ receives (upstream) $\cdot\, a$, and so does $p$; $z$ then receives this times $q$, and $x$ "
           "receives it times $z$."),
    derivation=_explain_gates,
)  # fmt: skip


def tenths(rng: Random, n: int) -> Numbers:
    """Draw n different numbers with one decimal, none of them 0, which are easy to write down."""
    return [k / 10.0 for k in rng.sample([*range(-9, 0), *range(1, 10)], n)]


def _network(rng: Random) -> Problem:
    """Make a 2-3-3 network: W² is square, so W and Wᵀ are easily confused."""
    W2 = [tenths(rng, 3) for _ in range(3)]
    return {
        "W1": [tenths(rng, 2) for _ in range(3)], "b1": tenths(rng, 3), "W2": W2, "b2": tenths(rng, 3),
        "x": tenths(rng, 2), "y": [0.0, 1.0, 0.0],
    }  # fmt: skip


@dataclass(frozen=True)
class Pass:
    """The numbers of a forward and a backward pass, by layer."""

    z: tuple[Numbers, Numbers]
    a: tuple[Numbers, Numbers]
    delta: Numbers  # of the output layer


def _passed(p: Problem) -> Pass:
    inputs, z, a = p["x"], [], []
    for W, b in ((p["W1"], p["b1"]), (p["W2"], p["b2"])):
        z.append([sum(w * x for w, x in zip(row, inputs)) + b_j for row, b_j in zip(W, b)])
        a.append(inputs := [sigmoid(z_j) for z_j in z[-1]])
    delta = [(a_j - y_j) * a_j * (1.0 - a_j) for a_j, y_j in zip(a[1], p["y"])]
    return Pass((z[0], z[1]), (a[0], a[1]), delta)


def _explained(p: Problem, wrt: Sequence[str], through: Sequence[str] = ()) -> Any:
    """Explain ∂L/∂wrt for one or more nodes of the network."""
    model = MLP(2, [3, 3], activation="sigmoid", output="sigmoid")
    model.load_state_dict({f"net.layers.{2 * l}.{letter}": p[f"{letter}{l + 1}"] for l in (0, 1) for letter in "Wb"})
    loss = named(L=half_squared_error(model.trace(p["x"]).output, p["y"]))
    loss.backward()
    nodes = {node.name: node for node in topological_order(loss)}
    return Derivations(explain(loss, wrt=nodes[w], through=[nodes[t] for t in through] or None) for w in wrt)


def _hidden_network(rng: Random) -> Problem:
    """Make a network whose δ¹ are large enough to compare their digits."""
    while min(map(abs, _behind()(p := _network(rng)))) < 0.01:
        pass
    return p


def _rounded(numbers: Sequence[float]) -> str:
    return f"({', '.join(f'{x:.4f}' for x in numbers)})"


def _output(
    error: Callable[[float, float, float], float] = lambda z, a, y: a - y,
    slope: Callable[[float, float], float] = lambda z, a: a * (1.0 - a),
    of: Callable[[Numbers, Pass], Numbers] = lambda d, p: d,
) -> Callable[[Problem], Numbers]:  # fmt: skip
    """Compute δ of the output layer; each option makes a mistake."""

    def answer(p: Problem) -> Numbers:
        passed = _passed(p)
        return of([error(z, a, y) * slope(z, a) for z, a, y in zip(passed.z[1], passed.a[1], p["y"])], passed)

    return answer


BIAS = Exercise(
    "bias", "∂L/∂b² of the output layer", notebook="02-back-propagation.ipynb",
    question=lambda p: (
        r"A 2-3-3 network has sigmoids in both layers, and $L = \frac12 \sum_j (y_j - a^2_j)^2$, where the 2 in "
        "$a^2_j$ denotes the layer and the last 2 is an exponent. For one example "
        f"$z^2 = {_rounded(_passed(p).z[1])}$, $a^2 = {_rounded(_passed(p).a[1])}$, "
        f"and the target is $y = ({', '.join(f'{y:g}' for y in p['y'])})$. What "
        r"is $\frac{\partial L}{\partial b^2}$? Answer with three numbers, to four decimals."),
    make=_network,
    calculation=_output, mistakes=(
        *slopes("a − y is ∂L/∂a. "),
        ("forgot the upstream", {"error": lambda z, a, y: 1.0},
         "a(1 − a) says only how a changes with z; multiply by how L changes with a."),
        ("the loss for its slope", {"error": lambda z, a, y: 0.5 * (a - y) ** 2},
         "½(a − y)² is the loss; its derivative with respect to a is a − y."),
        ("the square kept", {"error": lambda z, a, y: (a - y) ** 2},
         "The derivative of ½(y − a)² is a − y, without a square."),
        ("z for a in the loss", {"error": lambda z, a, y: z - y},
         "The loss compares the output a with y: a − y, not z − y."),
        ("forgot the target", {"error": lambda z, a, y: a}, "∂L/∂a = a − y: the target y is missing."),
        ("a + y for a − y", {"error": lambda z, a, y: a + y}, "∂L/∂a = a − y, which is 0 if the output is right."),
        ("the derivative of cross-entropy",
         {"error": lambda z, a, y: (a - y) / (a * (1.0 - a)), "slope": lambda z, a: 1.0},
         "(a − y)/(a(1 − a)) is the derivative of cross-entropy; that of ½(y − a)² is a − y."),
        ("the sum of all three", {"of": lambda d, p: [sum(d)] * 3},
         "b²_j reaches L only through z²_j: the three derivatives are not added."),
        ("times a¹, as for a weight", {"of": lambda d, p: [x * a for x, a in zip(d, p.a[0])]},
         "∂z_j/∂b_j = 1: a¹ belongs to the derivatives of the weights.")),
    hints=(r"$z_j = \ldots + b_j$, so what is $\frac{\partial z_j}{\partial b_j}$? And what is $\frac{\partial "
           r"L}{\partial b_j}$ then, in terms of $\delta$?",
           r"$\frac{\partial L}{\partial b^2} = \delta^2$, and $\delta^2_j = \frac{\partial L}{\partial a_j}\,"
           r"\sigma'(z^2_j)$.",
           r"Compute $(a_j - y_j) \cdot a_j (1 - a_j)$ for each $j$."),
    derivation=lambda p: _explained(p, ["b²_1"]),
)  # fmt: skip


def _behind(
    transposed: bool = False, slope: Callable[[float, float], float] = lambda z, a: a * (1.0 - a),
    delta: Callable[[Numbers, int], Numbers] = lambda d, k: d,
    terms: Callable[[int], Iterable[int]] = lambda k: range(3),
    weights: Callable[[float], float] = lambda w: w, units: Sequence[int] = (0, 2),
    combine: Callable[[Iterable[float]], float] = sum, slope_of: str = "k",
) -> Callable[[Problem], Numbers]:  # fmt: skip
    """Compute δ of two hidden units; each option makes a mistake."""

    def answer(p: Problem) -> Numbers:
        passed, W, found = _passed(p), p["W2"], []
        for k in units:
            layer, by_j = int("2" in slope_of), "j" in slope_of
            slopes_of = [slope(z, a) for z, a in zip(passed.z[layer], passed.a[layer])]
            given = [x * slopes_of[j] if by_j else x for j, x in enumerate(delta(passed.delta, k))]
            shares = (given[j] * weights(W[k][j] if transposed else W[j][k]) for j in terms(k))
            found.append(combine(shares) * (1.0 if by_j else slopes_of[k]))
        return found

    return answer


HIDDEN = Exercise(
    "hidden", "δ¹_1 and δ¹_3", notebook="02-back-propagation.ipynb",
    question=lambda p: (
        "Take a 2-3-3 network as before, with different numbers. $W^2$ has the rows "
        rf"{', '.join(f'${tuple(row)}$' for row in p['W2'])}; for one example, $\delta^2 = "
        rf"{_rounded(_passed(p).delta)}$ and $a^1 = {_rounded(_passed(p).a[0])}$. What are $\delta^1_1$ and "
        r"$\delta^1_3$? Answer with two numbers, `[δ¹_1, δ¹_3]`, to four decimals."),
    make=_hidden_network,
    calculation=_behind, mistakes=(
        ("W for Wᵀ", {"transposed": True},
         "Unit k reaches output j through w_jk: the backward pass sums over column k of W, not over row k."),
        *slopes("Wᵀ δ is ∂L/∂a¹. "),
        ("forgot the upstream", {"delta": lambda d, k: [1.0] * 3},
         "You added the weights of column k without δ²: multiply each w_jk by δ_j."),
        ("forgot W", {"weights": lambda w: 1.0},
         "δ²_j comes back along the edge w_jk: multiply each δ_j by its weight."),
        *((f"the {word} term only", {"terms": lambda k, j=j: [j]},
           f"Unit k reaches L through three outputs, but your number includes only the {word} of the three terms.")
          for j, word in enumerate(("first", "middle", "last"))),
        *((f"the {word} term missing", {"terms": lambda k, j=j: {0, 1, 2} - {j}},
           f"There are three terms, one for each output, but the {word} one is missing: add it.")
          for j, word in enumerate(("first", "middle", "last"))),
        ("only j = k", {"terms": lambda k: [k]},
         "Unit k reaches every output, not only the one with its own number: add the terms of all three j."),
        ("δ_k for every δ_j", {"delta": lambda d, k: [d[k]] * 3},
         "Each weight w_jk of column k has its own δ_j: δ_1 w_1k + δ_2 w_2k + δ_3 w_3k."),
        ("the δ of all outputs added first", {"delta": lambda d, k: [sum(d)] * 3},
         "Multiply each δ_j by its own w_jk, then add: the sum of products is not the product of sums."),
        ("δ in the opposite order", {"delta": lambda d, k: d[::-1]},
         "δ_1 belongs to w_1k, δ_2 to w_2k, δ_3 to w_3k."),
        ("the mean for the sum", {"combine": lambda shares: sum(shares) / 3.0},
         "The terms of the three outputs are added, not averaged."),
        ("the slope of unit j for that of unit k", {"slope_of": "j"},
         "All three terms meet at unit k: multiply their sum by the slope of this unit, a_k(1 − a_k)."),
        *(("the slope of the output layer", {"slope_of": of},
           "δ² already includes the slope of σ in layer 2; here you need that of layer 1, a¹(1 − a¹).")
          for of in ("2j", "2k")),
        *((f"units {' and '.join(str(k + 1) for k in units)}", {"units": units},
           "The question is about units 1 and 3; in Python they have the indices 0 and 2.")
          for units in ((0, 1), (1, 2)))),
    hints=(r"Through which $z^2_j$ does $z^1_1$ reach the loss?",
           r"$\delta^1_k = \sum_j \delta^2_j w^2_{jk} \sigma'(z^1_k)$: it has three terms, down column $k$.",
           r"Compute $(\delta^2_1 w^2_{1k} + \delta^2_2 w^2_{2k} + \delta^2_3 w^2_{3k}) \cdot a^1_k (1 - a^1_k)$."),
    derivation=lambda p: _explained(p, ["z¹_1", "z¹_3"], ["z²_1", "z²_2", "z²_3"]),
)  # fmt: skip


def _outer(
    alias: bool = False, scale: Callable[[int, int], float] = lambda m, n: 1.0 / m, chosen: slice = slice(None),
    delta: Callable[[Numbers], Numbers] = lambda d: d, inputs: Callable[[Numbers], Numbers] = lambda a: a,
    mixed: bool = False,
) -> Callable[[Matrix, Matrix], Matrix]:  # fmt: skip
    """Compute δ aᵀ, the mean over the examples; each option makes a mistake."""

    def gradient(D: Matrix, A: Matrix) -> Matrix:
        factor = scale(len(D), len(D[0]))
        D, A = [delta(d) for d in D[chosen]], [inputs(a) for a in A[chosen]]
        if mixed:
            D, A = [[sum(column) for column in zip(*D)]], [[sum(column) for column in zip(*A)]]
        rows = [[factor * sum(d[j] * a[k] for d, a in zip(D, A)) for k in range(len(A[0]))] for j in range(len(D[0]))]
        return [[sum(column) for column in zip(*rows)]] * len(rows) if alias else rows

    return gradient


def _explain_weight(p: Problem) -> Any:
    """Explain ∂L/∂w_11 over a mini-batch of three, as a sum over the z of each example."""
    D, A = next(case for case in p["cases"] if len(case[0]) == 3)
    z = [f"z_{i} = w_11*a_{i}1 + w_12*a_{i}2" for i in (1, 2, 3)]
    inputs = {f"a_{i}{k}": a[k - 1] for i, a in enumerate(A, 1) for k in (1, 2)}
    deltas = {f"δ_{i}": delta[0] for i, delta in enumerate(D, 1)}
    mean = " + ".join(f"δ_{i}*z_{i}" for i in (1, 2, 3))
    return explained(f"L = ({mean})/3; {'; '.join(z)}", "w_11", w_11=1.0, w_12=1.0, **inputs, **deltas)


OUTER = Exercise(
    "outer", "∂L/∂W of a mini-batch", notebook="03-from-scalars-to-matrices.ipynb",
    question=lambda p: (
        r"Write `weight_gradient(D, A)`. Both arguments are lists of rows (use `np.array(D)` if you prefer "
        r"matrices). For each example in the mini-batch, `D` has a row $\delta$, and `A` has a row $a$, the input of "
        r"the layer. $L$ is the mean of the examples' losses, and $\delta$ is $\frac{\partial}{\partial z}$ of one "
        r"example's loss. Return $\frac{\partial L}{\partial W}$ as a list of rows with the shape of $W$: rows are "
        r'"to" ($\delta$), columns are "from" ($a$).'),
    make=lambda rng: {
        "cases": [
            ([tenths(rng, to) for _ in range(m)], [tenths(rng, from_) for _ in range(m)])
            for m, to, from_ in ((3, 2, 2), (2, 2, 3), (4, 3, 2))
        ]
    },
    calculation=_outer, examples=lambda p: [len(D) for D, _ in p["cases"]],
    mistakes=(
        ("divided by the number of units", {"scale": lambda m, n: 1.0 / n},
         "Divide by the number of examples, len(D); len(D[0]) is the number of units."),
        ("divided by the examples and the units", {"scale": lambda m, n: 1.0 / (m * n)},
         "Only the examples are averaged: divide by their number, not also by the number of units."),
        *((f"the {word} example only", {"chosen": chosen},
           f"Your answer includes only the {word} example's δ aᵀ: add those of all examples.")
          for word, chosen in (("last", slice(-1, None)), ("first", slice(1)))),
        *((f"the {word} example missing", {"chosen": chosen},
           f"The {word} example does not contribute to your answer: does the loop begin and end in the right place?")
          for word, chosen in (("last", slice(None, -1)), ("first", slice(1, None)))),
        ("forgot the upstream", {"delta": lambda d: [1.0] * len(d)},
         "∂z_j/∂w_jk = a_k is only the local derivative; multiply by δ_j."),
        ("all rows are one list", {"alias": True},
         "`[[0.0] * n] * m` repeats the same row m times, so changing one changes all: make a list for each row."),
        ("forgot the input", {"inputs": lambda a: [1.0] * len(a)},
         "δ_j is ∂L/∂b_j; for a weight, multiply it by the input that the weight multiplies, a_k."),
        ("the product of the means", {"mixed": True, "scale": lambda m, n: 1.0 / m**2},
         "Multiply δ and a of the same example, then average: the mean of products is not the product of means."),
        ("the product of the sums", {"mixed": True, "scale": lambda m, n: 1.0},
         "Multiply δ and a of the same example, then average: the sum of products is not the product of sums."),
        ("one slope too many", {"inputs": lambda a: [x * (1.0 - x) for x in a]},
         "δ is ∂/∂z, which already includes the slope of the activation: multiply it only by a."),
        ("one slope too many", {"delta": lambda d: [x * (1.0 - x) for x in d]},
         "δ is ∂/∂z, which already includes the slope of the activation.")),
    hints=(r"For one example, $\frac{\partial L}{\partial w_{jk}} = \delta_j a_k$. How many numbers is that, and in "
           "what shape?",
           r"Add up $\delta_j a_k$ over the examples and divide by their number.",
           "`[[sum(d[j] * a[k] for d, a in zip(D, A)) / len(D) for k in …] for j in …]`"),
    derivation=_explain_weight,
    **tried(
        lambda D, A: f"for {len(D)} examples",
        lambda D, A: [[f"∂L/∂w_{j + 1}{k + 1}" for k in range(len(A[0]))] for j in range(len(D[0]))]),
)  # fmt: skip


def _softmax(z: Numbers) -> Numbers:
    powers = [exp(z_k) for z_k in z]
    return [power / sum(powers) for power in powers]


def _delta(
    rule: Callable[[float, float], float] = lambda s, t: s - t, of: Callable[[Numbers], Numbers] = _softmax,
    at: Callable[[int, int], int] = lambda label, n: label,
    factor: Callable[[Numbers, int], float] = lambda s, label: 1.0,
) -> Callable[[Numbers, int], Numbers]:  # fmt: skip
    """Compute ∂L/∂z of softmax and cross-entropy; each option makes a mistake."""

    def delta(z: Numbers, label: int) -> Numbers:
        s, n = of(z), len(z)
        return [factor(s, label) * rule(s_k, t_k) for s_k, t_k in zip(s, one_hot(at(label, n) % n, n))]

    return delta


def _explain_softmax(p: Problem) -> Any:
    z, label = p["cases"][1]
    names = [f"z_{k}" for k in range(1, len(z) + 1)]
    total = " + ".join(f"exp({name})" for name in names)
    return explained(f"L = log(S) - {names[label]}; S = {total}", names[label], **dict(zip(names, z)))


SOFTMAX = Exercise(
    "softmax", "δ of softmax and cross-entropy", notebook="03-from-scalars-to-matrices.ipynb",
    question=lambda p: (
        "`z` is a list of *logits*, one for each class. Softmax turns them into probabilities that add up to 1: "
        r"$s_k = \exp(z_k) / \sum_i \exp(z_i)$. $L = -\log s_\text{label}$, where `label` is the index of the true "
        r"class, counted from 0. Write `delta(z, label)`, which returns $\frac{\partial L}{\partial z}$ as a list."),
    make=lambda rng: {"cases": [
        (tenths(rng, n), label) for n, label in ((2, 1), (3, 0), (4, 2), (3, 1), (4, 3))]},
    calculation=_delta, mistakes=(
        ("0 at the label", {"rule": lambda s, t: s * (1.0 - t)},
         "At the label ∂L/∂z is s − 1: the −1 comes from −z_label, and s from log Σ exp."),
        ("only softmax", {"rule": lambda s, t: s},
         "s is the derivative of log Σ exp; the term −z_label adds −1 at the label."),
        ("g for g′, unit by unit", {"rule": lambda s, t: (s - t) * s * (1.0 - s)},
         "s(1 − s) is the slope of one σ; in softmax each logit changes all s, and together they give s − t."),
        ("the slope of one probability", {"rule": lambda s, t: s * (1.0 - s)},
         "s(1 − s) is how a probability changes with its own logit; ∂L/∂z includes the loss too, and is s − t."),
        *(("labels miscounted", {"at": lambda label, n, by=by: label + by},
           "The −1 is off by one place: `label` is 0 for the first class, as in `z[label]`.") for by in (-1, 1)),
        *((f"the {word} class for the label", {"at": lambda label, n, place=place: place},
           f"The −1 belongs at the index `label`, not at the {word}.")
          for place, word in ((0, "first"), (-1, "last"))),
        ("the largest logit for the label", lambda z, label: _delta()(z, z.index(max(z))),
         "The −1 belongs to the true class, `label`, even if another class has the largest probability."),
        ("the label's number subtracted", lambda z, label: [s_k - label for s_k in _softmax(z)],
         "`label` is an index: subtract 1 at this index and 0 elsewhere."),
        ("−1 everywhere", {"rule": lambda s, t: s - 1.0},
         "L = log Σ exp(z) − z_label subtracts only the label's own logit: elsewhere ∂L/∂z is s."),
        ("+1 for −1", {"rule": lambda s, t: s + t}, "L has −z_label, so its derivative is s − 1 at the label."),
        ("nothing but the label", {"rule": lambda s, t: t * (s - 1.0)},
         "Σ exp contains the other logits too: raising one lowers the label's probability, so its ∂L/∂z is s."),
        ("only the −1", {"rule": lambda s, t: -t}, "log Σ exp(z) depends on every logit too: its derivative is s."),
        *(("stopped at s", {"rule": lambda s, t, of=of: -of(t) / s},
           "−1/s is ∂L/∂s. To get from s back to z, multiply by the derivatives of softmax.")
          for of in (float, lambda t: 1.0)),
        *(("the loss for its slope", {"rule": lambda s, t, of=of: -of(t) * log(s)},
           "−log s is the loss; the question is how it changes with each logit.") for of in (float, lambda t: 1.0)),
        ("0 and 1 of the label swapped", {"rule": lambda s, t: s - (1.0 - t)},
         "Subtract 1 at the label and 0 everywhere else: you did the opposite."),
        ("log s for s", {"rule": lambda s, t: log(s) - t},
         "The derivative of log Σ exp(z) is s, without a logarithm."),
        ("forgot the logarithm", {"factor": lambda s, label: s[label]},
         "This is how −s_label changes; L = −log s_label, so divide by s_label."),
        ("the mean over the classes", {"factor": lambda s, label: 1.0 / len(s)},
         "L is one loss, not a mean over the classes: nothing is divided by their number."),
        ("powers that do not add up to 1", {"of": lambda z: [exp(z_k) for z_k in z]},
         "Divide exp(z) by the sum of all exp(z), so that the results add up to 1."),
        ("z for softmax", {"of": lambda z: z}, "z − t uses the logits themselves: apply softmax to them first."),
        ("z normalised without exp", {"of": lambda z: [z_k / sum(z) for z_k in z]},
         "Softmax divides exp(z_k) by the sum of all exp(z_i): take exp first."),
        ("exp of the negative logits", {"of": lambda z: _softmax([-z_k for z_k in z])},
         "The largest logit has the largest probability: exp(z_k), not exp(−z_k)."),
        ("divided by the largest", {"of": lambda z: [exp(z_k - max(z)) for z_k in z]},
         "Subtracting the maximum only avoids overflow: divide by the sum of all powers too."),
        ("the maximum subtracted on one side only",
         {"of": lambda z: [exp(z_k - max(z)) / sum(map(exp, z)) for z_k in z]},
         "Subtract the maximum in every power, including those in the denominator."),
        ("σ for softmax", {"of": lambda z: [sigmoid(z_k) for z_k in z]},
         "The classes exclude each other, so the outputs are not separate choices: normalise by their sum.")),
    hints=(r"$L = \log \sum_k \exp(z_k) - z_\text{label}$. Differentiate the two parts separately.",
           r"$\frac{\partial}{\partial z_k} \log \sum_i \exp(z_i) = \exp(z_k) / \sum_i \exp(z_i)$, which is $s_k$.",
           "It is $s_k - 1$ at the label and $s_k$ elsewhere."),
    derivation=_explain_softmax,
    **tried(
        lambda z, label: f"for {len(z)} logits with the label {label}",
        lambda z, label: [f"∂L/∂z[{k}]" for k in range(len(z))]),
)  # fmt: skip

EXERCISES = (XYZ, MUL, ORDER, BACKWARD, GATES, RELU, BIAS, HIDDEN, OUTER, SOFTMAX)
