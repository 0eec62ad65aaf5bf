"""Exercises on the chain rule: f = xyz, the local derivatives of ×, relu's kink, and the backward pass itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from autograd import Value, draw
from autograd.graph import topological_order
from autograd.notation import labels
from autograd.parser import Definitions
from nn.lecture.exercises.exercise import Exercise, Problem, explained, mistakes, tried

XYZ = Exercise(
    "xyz", "f = xyz at your own point",
    question=lambda p: (
        f"f = xyz with x = r, y = rs, z = s, at r = {p['r']}, s = {p['s']}. By hand, with the chain rule: "
        "what are ∂f/∂r and ∂f/∂s? Answer `[∂f/∂r, ∂f/∂s]`."),
    make=lambda rng: {"r": rng.randint(2, 6), "s": rng.randint(2, 6)},
    right=lambda p: [2 * p["r"] * p["s"] ** 2, 2 * p["r"] ** 2 * p["s"]],
    mistakes=mistakes(
        ("assigned instead of added", lambda p: [p["r"] * p["s"] ** 2, p["r"] ** 2 * p["s"]],
         "r and s reach f on two paths each, and your number has only one of them: add the shares."),
        ("forgot the upstream", lambda p: [1 + p["s"], p["r"] + 1],
         "∂x/∂r and ∂y/∂r say how x and y change with r; multiply each by how f changes with x and y."),
        ("multiplied the paths", lambda p: [p["r"] ** 2 * p["s"] ** 4, p["r"] ** 4 * p["s"] ** 2],
         "Multiply along a path, but add over the paths."),
        ("r and s in each other's place", lambda p: [2 * p["r"] ** 2 * p["s"], 2 * p["r"] * p["s"] ** 2],
         "Both numbers are right, but in the wrong order.")),
    hints=("r is in x and in y, s is in y and in z. Draw the graph and count the paths.",
           "∂f/∂s = ∂f/∂x ∂x/∂s + ∂f/∂y ∂y/∂s + ∂f/∂z ∂z/∂s, and x does not depend on s.",
           "∂f/∂x = yz, ∂f/∂y = xz, ∂f/∂z = xy; substitute x = r, y = rs, z = s, and then the numbers."),
    derivation=lambda p: explained("f = x*y*z; x = r; y = r*s; z = s", "s", **p),
)  # fmt: skip


MUL = Exercise(
    "mul", "The local derivatives of ×",
    question=lambda p: (
        "A node for x·y needs its value and its local derivatives. Write `mul(x, y)`, on plain floats, which returns "
        "`value, (∂/∂x, ∂/∂y)`."),
    make=lambda rng: {"cases": [(float(rng.randint(2, 9)), -rng.randint(2, 9) / 2.0), (0.0, 3.0), (-1.5, -0.5)]},
    right=lambda x, y: (x * y, (y, x)),
    mistakes=mistakes(
        ("each operand's own number", lambda x, y: (x * y, (x, y)),
         "Hold y fixed and increase x by 1: the product increases by y, the other operand."),
        ("the rule of +", lambda x, y: (x * y, (1.0, 1.0)), "The local derivatives 1 and 1 belong to x + y."),
        ("the value once more", lambda x, y: (x * y, (x * y, x * y)),
         "The derivative says how fast xy changes, not how large it is."),
        ("both moved at once", lambda x, y: (x * y, (x + y, x + y)),
         "d(xy) = y dx + x dy changes both operands; a local derivative changes one and holds the other fixed.")),
    hints=("Hold y fixed. What kind of function of x is x·y then, and what is its slope?",
           "y is a constant factor in ∂(xy)/∂x.",
           "return x * y, (y, …)"),
    derivation=lambda p: explained("f = x*y", "x", x=p["cases"][0][0], y=p["cases"][0][1]),
    **tried(lambda x, y: f"at x = {x:g}, y = {y:g}", lambda x, y: ("the value", "∂/∂x", "∂/∂y")),
)  # fmt: skip


RELU = Exercise(
    "relu", "relu, with its kink",
    question=lambda p: (
        "Write `my_relu(z)`, which returns `value, (derivative,)`: max(0, z) and g′(z). At the kink, z = 0, use the "
        "convention of this course and of most libraries: g′(0) = 0."),
    make=lambda rng: {"cases": [(rng.randint(3, 9) / 2.0,), (-rng.randint(3, 9) / 2.0,), (0.0,)]},
    right=lambda z: (max(0.0, z), (1.0 if z > 0 else 0.0,)),
    mistakes=mistakes(
        ("g for g′", lambda z: (max(0.0, z), (max(0.0, z),)),
         "You returned relu itself as its derivative, but its slope is 1 wherever it rises."),
        ("the other side at the kink", lambda z: (max(0.0, z), (1.0 if z >= 0 else 0.0,)),
         "At 0 every number from 0 to 1 is a subgradient; the convention is 0."),
        ("½ at the kink", lambda z: (max(0.0, z), ((z > 0) / 2.0 + (z >= 0) / 2.0,)),
         "You took the mean of both sides, as a step function does; the convention here is 0."),
        ("a slope where relu is flat", lambda z: (max(0.0, z), (1.0,)),
         "Left of 0 relu is constant: its derivative is 0 there."),
        ("the slope of |z|", lambda z: (max(0.0, z), ((z > 0) - (z < 0) * 1.0,)),
         "The slope −1 left of 0 belongs to |z|; relu is flat there.")),
    hints=("Draw max(0, z). What is its slope right of 0, and left of it?",
           "It is 1 on the right, 0 on the left, and given by the convention at 0.",
           "The derivative is 1.0 if z > 0 else …"),
    derivation=lambda p: explained("a = relu(z)", "z", z=p["cases"][0][0]),
    **tried(lambda z: f"at z = {z:g}", lambda z: ("the value", "∂/∂z")),
)  # fmt: skip


# the graphs on which an answer runs, the smallest first
GRAPHS = {
    "a product": "f = x*y",
    "a chain": "f = sin(exp(a*0.5))",
    "x + x": "f = s + s",
    "a diamond": "f = q*r; q = b*2; r = exp(b*0.25)",
    # h feeds f directly and also through p, so it must wait for both shares before it passes on its grad
    "a short and a long path": "f = h*t + sin(p); p = tanh(h); h = w*w",
}


def _nodes(p: Problem) -> list[tuple[str, Value, Value]]:
    """The graph's name, its root and a node, for every node of every graph."""
    numbers: Problem = dict.fromkeys("xatw", p["u"]) | dict.fromkeys("ysb", p["v"])
    parsed = {graph: Definitions(text) for graph, text in GRAPHS.items()}
    roots = {graph: d.at(**{name: numbers[name] for name in d.inputs})["f"] for graph, d in parsed.items()}
    return [(graph, root, node) for graph, root in roots.items() for node in topological_order(root)]


def _run_backward(p: Problem, backward: Callable[[Value], object]) -> list[float]:
    nodes = _nodes(p)
    for _, _, node in nodes:
        node.grad = 0.5  # stands for the result of an earlier pass
    for root in dict.fromkeys(root for _, root, _ in nodes):
        backward(root)
    return [node.grad for _, _, node in nodes]


def _graph_at(p: Problem, place: int) -> Any:
    _, root, _ = _nodes(p)[place]
    root.backward()
    return draw(root)


def _along_every_path(node: Value, step: int = 1) -> list[Value]:
    """A node once for each time that it is reached, by way of the first parent first or of the last."""
    return [node, *(below for parent in node.parents[::step] for below in _along_every_path(parent, step))]


def _backward(
    assign: bool = False, stale: Callable[[Value], bool] = lambda node: False, upstream: bool = True,
    start: float = 1.0, order: Callable[[Value], list[Value]] = lambda root: topological_order(root)[::-1],
) -> Callable[[Value], None]:  # fmt: skip
    """The backward pass, which is right without options; each option makes a mistake."""

    def backward(root: Value) -> None:
        for node in order(root):
            node.grad = node.grad if stale(node) else 0.0
        root.grad = start
        for node in order(root):
            for parent, local in zip(node.parents, node.local_derivatives):
                share = (node.grad if upstream else 1.0) * local
                parent.grad = share if assign else parent.grad + share

    return backward


BACKWARD = Exercise(
    "backward", "The backward pass",
    question=lambda p: (
        "Write `backward(root)`, which sets `node.grad` to ∂root/∂node for every node below, whatever it was "
        "before. A node has `parents`, `local_derivatives` (one for each parent) and `grad`. The check runs it on a "
        "product, a chain, x + x, a diamond, and a graph with a short and a long path, and draws the smallest that "
        "fails."),
    make=lambda rng: {"u": rng.randint(5, 15) / 10.0, "v": -rng.randint(5, 15) / 10.0},
    right=_backward(),
    mistakes=mistakes(
        ("assigned instead of added", _backward(assign=True),
         "A node that is used twice gets two shares; `=` keeps only the last, `+=` adds them."),
        ("stale gradients", _backward(stale=lambda node: True),
         "The grad of an earlier pass is still included: set every node's grad to 0 first."),
        ("no topological order", _backward(order=lambda root: [*dict.fromkeys(_along_every_path(root))]),
         "A node passed on its grad before the grad was complete: handle every user of a node before the node."),
        ("forgot the upstream", _backward(upstream=False),
         "A parent's share is node.grad times the local derivative, not the local derivative alone."),
        ("no 1 at the root", _backward(start=0.0), "∂root/∂root = 1: without it everything is 0."),
        *(("a node passed on more than once", _backward(order=order),
           "A node passed on its whole grad each time it was reached: visit every node once, after all its users.")
          for order in (_along_every_path, partial(_along_every_path, step=-1))),
        *(("stale gradients in the inputs", _backward(stale=is_input),
           "The interior nodes start from 0, but the inputs keep the grad of an earlier pass: set theirs to 0 too. "
           "(`Value.backward` adds to its inputs on purpose; here each pass stands alone.)")
          for is_input in (lambda node: node.operation is None, lambda node: not node.parents)),
        ("the list from the wrong end", _backward(order=topological_order),
         "Only the root had a grad when it was visited: walk the list from its end, users before their parents."),
        ("nothing written", lambda root: None,
         "Every grad is unchanged: write the answer into each `node.grad` instead of returning it.")),
    hints=("Which nodes need their complete grad before a node may pass on its own?",
           "List the nodes so that parents come first; walk that list from its end.",
           "Zero all grads, root.grad = 1.0, then for each node: parent.grad += node.grad * local."),
    derivation=lambda p: explained(GRAPHS["a diamond"], "b", b=p["v"]),
    numbers=_run_backward,
    # called as in the drawing
    cases=lambda p: [f"{graph}, node {labels(topological_order(root))[node]}" for graph, root, node in _nodes(p)],
    picture=_graph_at,
)  # fmt: skip

EXERCISES = (XYZ, MUL, RELU, BACKWARD)
