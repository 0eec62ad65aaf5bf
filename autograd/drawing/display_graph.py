"""The display graph: a copy of the nodes and edges to draw, which can be changed without touching the original.

Each step takes a display graph and returns one: ``unfolded`` splits a z into × and +, ``folded`` keeps only inputs
and named values, ``highlighted`` marks the paths that carry a derivative. Edges are in the order of the forward pass,
those into a node before those out of it, so that every step is a single sweep over them.
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

MOST_PATHS, MOST_EDGES = 64, 2_000  # up to these limits, paths are listed; beyond, they are only counted
LISTED_PATHS = 6
MOST_FOLDED = 2_000_000  # products that folding may take, which can grow with the square of the number of inputs

K = TypeVar("K")
T = TypeVar("T")


@dataclass(eq=False, slots=True)
class DisplayNode:
    """A value, a product inside an unfolded z, or a group of nodes."""

    name: str  # as displayed; "" for a product inside a z
    data: float = 0.0
    grad: float | None = None  # None for a constant, and for all nodes before the backward pass
    value: Value | None = None  # None for a product or a group
    formula: str = ""  # of a product, or of a z that was split into products
    members: list[DisplayNode] = field(default_factory=list)  # of a group
    rows: list[tuple[str, str, str]] | None = None  # of a group's box, cached when it is first drawn
    index: int | None = None  # of the value, in the graph's topological order


@dataclass(eq=False, slots=True)
class Edge:
    """An edge from an operand to a node that is computed from it."""

    tail: DisplayNode
    head: DisplayNode
    local: float  # ∂head/∂tail
    name: str = ""  # "6:0" for the first operand of node 6
    given: float = 0.0  # ∂f/∂head
    product: float = 0.0  # ∂f/∂head · ∂head/∂tail, which the backward pass carries
    share: float | None = None  # of ∂f/∂s, summed over all paths through this edge; None if there are none
    count: int = 1  # the number of edges between two groups that it represents
    closed: bool = False  # the head is a gate that has not chosen the tail: nothing passes, not even an infinity

    def carries(self, upstream: float) -> float:
        """Return the contribution that passes back to the tail, as in ``graph.carried``."""
        return 0.0 if self.closed or not upstream else upstream * self.local


@dataclass
class Display:
    """Nodes and edges in forward order, and the sentences below the picture."""

    root: DisplayNode
    outputs: list[DisplayNode]
    nodes: list[DisplayNode]
    edges: list[Edge]
    names: dict[Value, str]
    hidden: set[Value] = field(default_factory=set)
    captions: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    source: DisplayNode | None = None  # the s whose paths are highlighted

    def into(self) -> dict[DisplayNode, list[Edge]]:
        """Return the edges into each node that has operands."""
        return grouped((edge.head, edge) for edge in self.edges)

    def node_of(self, value: Value) -> DisplayNode:
        """Return the node that shows a value. Raises ValueError if there is none."""
        if found := next((node for node in self.nodes if node.value is value), None):
            return found
        name, root = called(value.name, repr(value)), called(self.root.name, "f")
        raise ValueError(f"{name} is not in the graph of {root}: {root} was not computed from {name}")


def grouped(pairs: Iterable[tuple[K, T]]) -> dict[K, list[T]]:
    """Group the second parts of pairs by the first, in order.

    >>> grouped([("x", 1), ("y", 2), ("x", 3)])
    {'x': [1, 3], 'y': [2]}
    """
    found: dict[K, list[T]] = {}
    for key, thing in pairs:
        found.setdefault(key, []).append(thing)
    return found


def ordered(roots: Sequence[Value]) -> list[Value]:
    """Return all nodes that the roots were computed from, operands first."""
    order = topological_order(roots[0])
    for root in roots[1:]:
        order += topological_order(root, without=set(order))
    return order


def display(roots: Sequence[Value], order: Sequence[Value]) -> Display:
    """Return the whole graph of the roots, with one node for each value."""
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
            edges.append(Edge(node_of[parent], node, local, f"{node.index}:{k}", closed=gate and not local))
    warnings = [line for root in roots for line in changed_lines(changes(root, order), names.__getitem__, root)]
    outputs = [node_of[root] for root in roots]
    return Display(outputs[-1], outputs, list(node_of.values()), edges, names, warnings=warnings)


def without_constants(shown: Display) -> Display:
    """Remove constants, which the formulas that use them show as numbers."""
    gone = {n for n in shown.nodes if n.value is not None and is_constant(n.value) and n not in shown.outputs}
    nodes, edges = [n for n in shown.nodes if n not in gone], [e for e in shown.edges if e.tail not in gone]
    return replace(shown, nodes=nodes, edges=edges)


def unfolded(shown: Display, chosen: Collection[Value] | None) -> Display:
    """Split the chosen z (None: all) into products and a sum. Raises ValueError if one is not affine or dot."""
    for z in chosen or ():
        if shown.node_of(z) and z.operation not in (affine, dot):
            raise ValueError(
                f"{shown.names[z]} cannot be unfolded: only affine and dot nodes can, such as a layer's z"
            )
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
    """Return the products w_k a_k of z = Σ w_k a_k + b, and the edges into and out of them."""
    n = len(into) // 2
    weights, activations, bias = into[:n], into[n : 2 * n], into[2 * n :]
    products = []
    edges: list[Edge] = []
    for w, a in zip(weights, activations):
        # ∂z/∂w_k is the recorded a_k, and ∂z/∂a_k is w_k; ∂z/∂(w_k a_k) = 1, so the product has the gradient of z
        part = DisplayNode("", w.local * a.local, z.grad, formula=f"{clip(w.tail.name)} · {clip(a.tail.name)}")
        products.append(part)
        edges += (replace(w, head=part), replace(a, head=part))
    z.formula = "Σ w a" + (f" + {clip(bias[0].tail.name)}" if bias else "")
    return products, edges + [Edge(part, z, 1.0) for part in products] + bias


def folded(shown: Display, keep: Value | None) -> Display:
    """Keep only inputs and named values; an edge between them carries the sum over all paths through removed nodes.

    Constants are removed too, because they do not vary. ``keep`` is kept, named or not. Raises ValueError if
    this takes more than two million products.
    """
    kept = {shown.root}
    for node in shown.nodes:
        x = node.value
        if x is None or x is keep or x.name is not None or not (x.parents or is_constant(x)):
            kept.add(node)
    # for each node, one combined edge from every kept node that leads to it
    through: dict[DisplayNode, dict[DisplayNode, Edge]] = {node: {} for node in shown.nodes}
    edges: list[Edge] = []
    products = 0
    for edge in shown.edges:
        if edge.tail in kept and edge.head in kept:
            edges.append(edge)
            continue
        sources = {edge.tail: Edge(edge.tail, edge.tail, 1.0)} if edge.tail in kept else through[edge.tail]
        products += len(sources)
        if products > MOST_FOLDED:
            raise ValueError(
                f"folding {len(shown.nodes):,} nodes takes more than {MOST_FOLDED:,} products: name "
                "intermediate values, or use draw(f, collapse=True)"
            )
        for source, before in sources.items():
            closed = before.closed or edge.closed
            step = Edge(source, edge.head, 0.0 if closed else before.local * edge.local, closed=closed)
            known = through[edge.head].setdefault(source, step)
            if known is not step:
                known.local += step.local
                known.closed = known.closed and closed
            elif edge.head in kept:
                edges.append(step)
    hidden = {node.value for node in through if node not in kept and node.value is not None}
    return replace(shown, nodes=[node for node in shown.nodes if node in kept], edges=edges, hidden=hidden)


def highlighted(shown: Display, s: Value) -> Display:
    """Compute for each edge on a path from s its product and its share of ∂f/∂s; list the paths in the captions.

    share = ∂f/∂head · ∂head/∂tail · ∂tail/∂s, all from the local derivatives that the graph recorded.
    """
    source, root = shown.node_of(s), shown.root
    tangent, paths = {source: 1.0}, {source: 1.0}  # of each node: ∂node/∂s, and the number of paths from s
    for edge in shown.edges:
        if edge.tail in paths:
            forward = tangent[edge.tail] * edge.local if tangent[edge.tail] and edge.local else 0.0
            tangent[edge.head] = tangent.get(edge.head, 0.0) + forward
            paths[edge.head] = paths.get(edge.head, 0.0) + paths[edge.tail]
    into, upstream = shown.into(), defaultdict(float, {root: 1.0})

    def carry(node: DisplayNode, arriving: float) -> list[tuple[DisplayNode, Edge, float]]:
        return [(edge.tail, edge, edge.carries(arriving)) for edge in into.get(node, [])]

    for node, carried in sweep(shown.nodes, upstream, carry):
        for tail, edge, passing in carried:
            edge.given, edge.product = upstream[node], passing
            if tail in paths:
                edge.share = passing * tangent[tail] if passing and tangent[tail] else 0.0
    count = paths[root]
    many = counted(int(count), "path") if count < 1e12 else "more than 10¹² paths"
    slope = derivative(clip(root.name), clip(source.name))
    shown.captions.append(f"{slope} = {number_text(upstream[source])}, over {many}")
    rounding = 1e-12 * max((abs(edge.share) for edge in shown.edges if edge.share), default=0.0)  # paths may cancel
    if source.grad is not None and not isclose(source.grad, upstream[source], rel_tol=1e-9, abs_tol=rounding):
        name = clip(source.name)
        shown.captions.append(f"{name}.grad is {number_text(source.grad)}: it includes another backward pass")
    if count <= MOST_PATHS and len(shown.edges) <= MOST_EDGES:
        shown.captions += _path_lines(shown, source)
    return replace(shown, source=source)


def _path_lines(shown: Display, source: DisplayNode) -> list[str]:
    """Return each path from f back to s with its product, the largest first."""
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
    lines = [text + (f", {len(results)} times" if len(results) > 1 else "") for text, results in alike.items()]
    rest = [result for results in list(alike.values())[LISTED_PATHS:] for result in results]
    return lines[:LISTED_PATHS] + ([f"… and {len(rest)} more, summing to {number_text(sum(rest))}"] if rest else [])


def _path(source: DisplayNode, path: list[Edge], result: float) -> str:
    """Write ``f → y → s:  3 · 4 = 12``: names and factors in the order of the backward pass."""
    names = [*(clip(edge.head.name or "×") for edge in reversed(path)), clip(source.name)]
    factors = [("({})" if edge.local < 0.0 else "{}").format(number_text(edge.local, 4)) for edge in reversed(path)]
    if len(path) > 8:
        names, factors = [*names[:4], "…", *names[-3:]], [f"{len(path)} factors"]
    equals = f" = {number_text(result, 4)}" if len(path) > 1 else ""
    return f"{' → '.join(names)}:  {' · '.join(factors)}{equals}"


def clip(name: str, most: int = 14) -> str:
    """Shorten a name for a picture, and isolate right-to-left text so that numbers beside it keep their order."""
    short = clipped(name, most)
    return f"\u2068{short}\u2069" if any(bidirectional(c) in ("R", "AL") for c in short) else short
