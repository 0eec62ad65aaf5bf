"""The display graph: what is to be drawn, numbers still numbers, as a copy that the original never notices.

Each step takes a display graph and gives one: ``unfolded`` opens a z into × and +, ``folded`` leaves only what has a
name, ``lit`` marks the paths that carry a derivative. Edges stand in the order of the forward pass, those into a node
before those out of it, so that every step is one sweep over them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from math import isclose
from typing import TypeVar
from unicodedata import bidirectional

from autograd.graph import sweep, topological_order
from autograd.notation import derivative, labels, number_text
from autograd.primitives import affine, dot
from autograd.staleness import changed_lines, changes
from autograd.table import is_constant
from autograd.text import called, clipped, counted
from autograd.value import Value

MOST_PATHS, MOST_EDGES = 64, 2_000  # up to here paths are followed one by one; beyond, they are counted
LISTED_PATHS = 6
MOST_FOLDED = 2_000_000  # products that folding may take; many inputs into a deep unnamed graph take their square

K = TypeVar("K")
T = TypeVar("T")


@dataclass(eq=False, slots=True)
class DisplayNode:
    """A value, a product inside an unfolded z, or a group of nodes."""

    name: str  # as texts write it; "" for a product inside a z
    data: float = 0.0
    grad: float | None = None  # None where there is none to show: a constant's, or all before the backward pass
    value: Value | None = None  # None for a product or a group
    formula: str = ""  # what it is computed from, where ``value`` does not tell
    members: list[DisplayNode] = field(default_factory=list)  # of a group
    rows: list[tuple[str, str, str]] | None = None  # of a group, as its box shows them, once it was drawn
    index: int | None = None  # of the value, in the graph's topological order


@dataclass(eq=False, slots=True)
class Edge:
    """From an operand to what is computed from it."""

    tail: DisplayNode
    head: DisplayNode
    local: float  # ∂head/∂tail
    name: str = ""  # "6:0" for the first operand of node 6
    given: float = 0.0  # ∂f/∂head, which the backward pass multiplies
    product: float = 0.0  # what the backward pass carries here: ∂f/∂head · ∂head/∂tail
    share: float | None = None  # of ∂f/∂s, what passes here, summed over all paths; None where no path from s does
    count: int = 1  # how many edges between two groups it stands for
    shut: bool = False  # the head is a gate that has not chosen the tail: nothing passes, not even an infinity

    def carries(self, upstream: float) -> float:
        """What passes back to the tail, as in ``graph.carried``."""
        return 0.0 if self.shut or not upstream else upstream * self.local


@dataclass
class Display:
    """Nodes and edges in forward order, and what is to be said below the picture."""

    root: DisplayNode
    outputs: list[DisplayNode]
    nodes: list[DisplayNode]
    edges: list[Edge]
    names: dict[Value, str]
    hidden: set[Value] = field(default_factory=set)
    captions: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    source: DisplayNode | None = None  # the s whose paths are lit

    def into(self) -> dict[DisplayNode, list[Edge]]:
        """The edges to each node that is computed from others."""
        return grouped((edge.head, edge) for edge in self.edges)

    def node_of(self, value: Value) -> DisplayNode:
        """The node that shows a value. ValueError where none does."""
        if found := next((node for node in self.nodes if node.value is value), None):
            return found
        name, root = called(value.name, repr(value)), called(self.root.name, "f")
        raise ValueError(f"{name} is not in the graph of {root}: {root} was not computed from {name}")


def grouped(pairs: Iterable[tuple[K, T]]) -> dict[K, list[T]]:
    """What stands beside each key, in the order of the pairs.

    >>> grouped([("x", 1), ("y", 2), ("x", 3)])
    {'x': [1, 3], 'y': [2]}
    """
    found: dict[K, list[T]] = {}
    for key, thing in pairs:
        found.setdefault(key, []).append(thing)
    return found


def ordered(roots: Sequence[Value]) -> list[Value]:
    """All that the roots were computed from, operands first."""
    order = topological_order(roots[0])
    for root in roots[1:]:
        order += topological_order(root, without=set(order))
    return order


def display(roots: Sequence[Value], order: Sequence[Value]) -> Display:
    """The whole graph of the roots, one node for each value."""
    names = labels(order, roots[-1])
    ran = any(root.grad != 0.0 for root in roots)
    node_of = {
        x: DisplayNode(names[x], x.data, x.grad if ran and not is_constant(x) else None, x, index=i)
        for i, x in enumerate(order)
    }
    edges = []
    for x, node in node_of.items():
        gate = x.operation is not None and x.operation.gate
        for k, (parent, local) in enumerate(x.edges):
            edges.append(Edge(node_of[parent], node, local, f"{node.index}:{k}", shut=gate and not local))
    warnings = [line for root in roots for line in changed_lines(changes(root, order), names.__getitem__, root)]
    outputs = [node_of[root] for root in roots]
    return Display(outputs[-1], outputs, list(node_of.values()), edges, names, warnings=warnings)


def without_constants(shown: Display) -> Display:
    """No node for a constant: it stands in the formulas that use it."""
    gone = {n for n in shown.nodes if n.value is not None and is_constant(n.value) and n not in shown.outputs}
    nodes, edges = [n for n in shown.nodes if n not in gone], [e for e in shown.edges if e.tail not in gone]
    return replace(shown, nodes=nodes, edges=edges)


def unfolded(shown: Display, chosen: Collection[Value] | None) -> Display:
    """The chosen z (None for all) as products and their sum. ValueError for a node that is not affine or dot."""
    for z in chosen or ():
        if shown.node_of(z) and z.operation not in (affine, dot):
            raise ValueError(f"{shown.names[z]} cannot be unfolded: only affine and dot nodes, a layer's z, can")
    into = shown.into()
    nodes, edges = [], []
    for node in shown.nodes:
        value, inner = node.value, into.get(node, [])
        if value is not None and value.operation in (affine, dot) and (chosen is None or value in chosen):
            products, inner = _products(node, inner)
            nodes += products
        nodes.append(node)
        edges += inner
    return replace(shown, nodes=nodes, edges=edges)


def _products(z: DisplayNode, into: list[Edge]) -> tuple[list[DisplayNode], list[Edge]]:
    """The products w_k a_k of z = Σ w_k a_k + b, and the edges to them and from them."""
    n = len(into) // 2
    weights, activations, bias = into[:n], into[n : 2 * n], into[2 * n :]
    products = []
    edges: list[Edge] = []
    for w, a in zip(weights, activations):
        # ∂z/∂w_k is a_k as it was, and the other way round; ∂z/∂(w_k a_k) = 1, so that the product's grad is z's
        part = DisplayNode("", w.local * a.local, z.grad, formula=f"{clip(w.tail.name)} · {clip(a.tail.name)}")
        products.append(part)
        edges += (replace(w, head=part), replace(a, head=part))
    z.formula = "Σ w a" + (f" + {clip(bias[0].tail.name)}" if bias else "")
    return products, edges + [Edge(part, z, 1.0) for part in products] + bias


def folded(shown: Display, keep: Value | None) -> Display:
    """Inputs and named values only; what lies between is multiplied and added up in the edges.

    Constants go too: nothing that varies passes through them. ``keep`` stays, named or not. ValueError where it takes
    more than two million products.
    """
    staying = {shown.root}
    for node in shown.nodes:
        x = node.value
        if x is None or x is keep or x.name is not None or not (x.parents or is_constant(x)):
            staying.add(node)
    # what leads to each node from those that stay, as if it were one edge
    through: dict[DisplayNode, dict[DisplayNode, Edge]] = {node: {} for node in shown.nodes}
    edges: list[Edge] = []
    products = 0
    for edge in shown.edges:
        if edge.tail in staying and edge.head in staying:
            edges.append(edge)
            continue
        sources = {edge.tail: Edge(edge.tail, edge.tail, 1.0)} if edge.tail in staying else through[edge.tail]
        products += len(sources)
        if products > MOST_FOLDED:
            raise ValueError(
                f"folding {len(shown.nodes):,} nodes takes more than {MOST_FOLDED:,} products: name values on the "
                "way, or see groups with draw(f)"
            )
        for source, before in sources.items():
            shut = before.shut or edge.shut
            step = Edge(source, edge.head, 0.0 if shut else before.local * edge.local, shut=shut)
            known = through[edge.head].setdefault(source, step)
            if known is not step:
                known.local += step.local
                known.shut = known.shut and shut
            elif edge.head in staying:
                edges.append(step)
    hidden = {node.value for node in through if node not in staying and node.value is not None}
    return replace(shown, nodes=[node for node in shown.nodes if node in staying], edges=edges, hidden=hidden)


def lit(shown: Display, s: Value) -> Display:
    """Every edge on a path from s gets its share of ∂f/∂s and its product; the captions tell the paths.

    share = ∂f/∂head · ∂head/∂tail · ∂tail/∂s, each from the local derivatives that the graph recorded.
    """
    source, root = shown.node_of(s), shown.root
    tangent, ways = {source: 1.0}, {source: 1.0}
    for edge in shown.edges:
        if edge.tail in ways:
            forward = tangent[edge.tail] * edge.local if tangent[edge.tail] and edge.local else 0.0
            tangent[edge.head] = tangent.get(edge.head, 0.0) + forward
            ways[edge.head] = ways.get(edge.head, 0.0) + ways[edge.tail]
    into, upstream = shown.into(), defaultdict(float, {root: 1.0})

    def carry(node: DisplayNode, arriving: float) -> list[tuple[DisplayNode, Edge, float]]:
        return [(edge.tail, edge, edge.carries(arriving)) for edge in into.get(node, [])]

    for node, carried in sweep(shown.nodes, upstream, carry):
        for tail, edge, passing in carried:
            edge.given, edge.product = upstream[node], passing
            if tail in ways:
                edge.share = passing * tangent[tail] if passing and tangent[tail] else 0.0
    count = ways[root]
    many = counted(int(count), "path") if count < 1e12 else "more than 10¹² paths"
    slope = derivative(clip(root.name), clip(source.name))
    shown.captions.append(f"{slope} = {number_text(upstream[source])}, over {many}")
    rounding = 1e-12 * max((abs(edge.share) for edge in shown.edges if edge.share), default=0.0)  # where paths cancel
    if source.grad is not None and not isclose(source.grad, upstream[source], rel_tol=1e-9, abs_tol=rounding):
        name = clip(source.name)
        shown.captions.append(f"{name}.grad is {number_text(source.grad)}: it holds another backward pass as well")
    if count <= MOST_PATHS and len(shown.edges) <= MOST_EDGES:
        shown.captions += _told(shown, source)
    return replace(shown, source=source)


def _told(shown: Display, source: DisplayNode) -> list[str]:
    """Each path from f back to s with its product; the largest first."""
    onward = grouped((edge.tail, edge) for edge in shown.edges)
    paths: list[tuple[float, list[Edge]]] = []
    stack: list[tuple[DisplayNode, list[Edge]]] = [(source, [])]
    while stack:
        node, path = stack.pop()
        if node is shown.root and path:
            paths.append((reduce(lambda upstream, edge: edge.carries(upstream), reversed(path), 1.0), path))
        stack += [(edge.head, [*path, edge]) for edge in reversed(onward.get(node, []))]
    paths.sort(key=lambda path: -abs(path[0]))
    alike = grouped((_path(source, path, result), result) for result, path in paths)
    told = [words + (f", {len(results)} times" if len(results) > 1 else "") for words, results in alike.items()]
    rest = [result for results in list(alike.values())[LISTED_PATHS:] for result in results]
    return told[:LISTED_PATHS] + ([f"… and {len(rest)} more, summing to {number_text(sum(rest))}"] if rest else [])


def _path(source: DisplayNode, path: list[Edge], result: float) -> str:
    """``f → y → s:  3 · 4 = 12``: names and factors in the order of the backward pass."""
    names = [*(clip(edge.head.name or "×") for edge in reversed(path)), clip(source.name)]
    factors = [("({})" if edge.local < 0.0 else "{}").format(number_text(edge.local, 4)) for edge in reversed(path)]
    if len(path) > 8:
        names, factors = [*names[:4], "…", *names[-3:]], [f"{len(path)} factors"]
    equals = f" = {number_text(result, 4)}" if len(path) > 1 else ""
    return f"{' → '.join(names)}:  {' · '.join(factors)}{equals}"


def clip(name: str, most: int = 14) -> str:
    """A name as a picture writes it: short, and from right to left without turning the numbers beside it around."""
    short = clipped(name, most)
    return f"\u2068{short}\u2069" if any(bidirectional(c) in ("R", "AL") for c in short) else short
