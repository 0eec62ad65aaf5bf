"""Writes a derivative as a sum over paths, and counts the paths; their number is why back propagation exists."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from decimal import Decimal
from itertools import islice
from typing import NamedTuple

from autograd.contributions import gradients
from autograd.explanation.wrapping import TextResult, check_values, paragraphs
from autograd.graph import carried, topological_order
from autograd.notation import labels, number_text
from autograd.staleness import changed_lines, changes
from autograd.text import counted, printable, text_name
from autograd.value import Value

MOST = 1000  # paths that are listed by default
SHOWN = 10  # paths in the text
LONGEST = 8  # nodes; the middle of a longer path is left out


class Path(NamedTuple):
    """One path from s to f."""

    nodes: tuple[Value, ...]  # from s to f
    local_derivatives: tuple[float, ...]  # of its edges, in the same order
    product: float  # of the local derivatives, multiplied from f to s as in the backward pass


def paths(f: Value, s: Value, most: int = MOST) -> Paths:
    """Return every path from s to f with the product of its local derivatives; the products add up to ∂f/∂s.

    The number of paths grows exponentially with the depth of the graph; the number of edges does not, which is why
    back propagation exists. If there are more than ``most`` paths, they are counted but not listed. Raises TypeError
    for an argument that is not a Value.

    >>> r, s = Value(2.0, "r"), Value(3.0, "s")
    >>> print(paths(r * s + s, s))
    2 paths from s to f over 3 edges, summing to 3
      s → v₁ → f   2 · 1 = 2
      s → f        1 = 1
    One backward sweep gives every derivative in 4 multiplications. Forward sweeps, one per input (2),
          take 5 in all.
    """
    check_values("paths", f=f, s=s)
    return Paths(f, s, most)


class Paths(TextResult):
    """The result of ``paths``: iterates over each ``Path``, and prints as text.

    count     the number of paths, computed without listing them
    edges     the number of edges on the paths, and thus of products in a backward pass
    value     the sum of the products of all paths
    """

    def __init__(self, f: Value, s: Value, most: int) -> None:
        self.f, self.s, self.most = f, s, most
        self.order = topological_order(f)
        edges = edges_between(s, f, self.order)
        self._counts = Counter({s: 1})  # how many paths lead from s to each value
        for node, _, parent in edges:
            self._counts[node] += self._counts[parent]
        self.count, self.edges = self._counts[f], len(edges)
        self.value = gradients(f, order=self.order).get(s, 0.0)

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Path]:
        """List the paths, in the order of the operands. Raises ValueError if there are more than ``most``."""
        if self.count > self.most:
            raise ValueError(
                f"there are {_counted(self.count)} paths over {self.edges} edges: more than most = {self.most}; "
                "list more with paths(f, s, most=…)"
            )
        nodes: list[Value] = []  # the path from f to the current node
        locals_: list[float] = []  # the local derivatives of its edges
        stack = [(0, self.f, 1.0, 1.0)] if self.count else []
        while stack:
            depth, node, local, product = stack.pop()
            nodes[depth:], locals_[depth:] = [node], [local]
            if node is self.s:
                yield Path(tuple(reversed(nodes)), tuple(reversed(locals_[1:])), product)
            else:
                edges = [edge for edge in carried(node, product) if edge[0] in self._counts]
                stack += [(depth + 1, *edge) for edge in reversed(edges)]

    @property
    def sweeps(self) -> tuple[int, int, int]:
        """(inputs, multiplications in one backward sweep, multiplications in one forward sweep per input)."""
        inputs = [node for node in self.order if node.operation is None]
        reached = defaultdict(
            int, {x: 1 << i for i, x in enumerate(inputs)}
        )  # one bit per input that a node depends on
        uses = Counter(parent for node in self.order for parent in node.parents)
        backward, forward = uses.total(), 0
        for node in self.order:
            for parent in node.parents:
                forward += reached[parent].bit_count()
                reached[node] |= reached[parent]
                uses[parent] -= 1
                if not uses[parent]:  # the bits of all nodes of a deep graph would not fit in memory
                    del reached[parent]
        return len(inputs), backward, forward

    def __str__(self) -> str:
        name = labels(self.order, self.f)
        s, f = name.get(self.s) or text_name(self.s.name or "the value"), name[self.f]
        if not self.count:
            return printable(f"no path leads from {s} to {f}: ∂{f}/∂{s} = 0")
        many = "1 path" if self.count == 1 else f"{_counted(self.count)} paths"
        rest = f"  the backward pass adds them all up with {self.edges} products, one per edge"
        inputs, backward, forward = self.sweeps
        lines = [
            *changed_lines(changes(self.f, self.order), name.__getitem__, self.f),
            f"{many} from {s} to {f} over {counted(self.edges, 'edge')}, summing to {number_text(self.value)}",
            *(self._listed(name) if self.count <= self.most else [rest]),
            f"One backward sweep gives every derivative in {counted(backward, 'multiplication')}. "
            f"Forward sweeps, one per input ({inputs}), take {forward} in all.",
        ]
        return "\n".join(paragraphs(lines, 6))

    def _listed(self, name: dict[Value, str]) -> list[str]:
        """Return the first paths with their products, in columns."""
        shown = list(islice(self, SHOWN))
        chains = [printable(_joined(" → ", [name[node] for node in path.nodes])) for path in shown]
        width, lines = max(map(len, chains)), []
        for chain, path in zip(chains, shown):
            factors = _joined(" · ", map(number_text, path.local_derivatives))
            lines.append(f"  {chain:{width}}   {factors} = {number_text(path.product)}")
        if self.count > SHOWN:
            rest = self.value - sum(path.product for path in shown)
            lines.append(f"  … {self.count - SHOWN} more, summing to {number_text(rest)}")
        return lines


def _joined(between: str, parts: Iterable[str]) -> str:
    """Join the parts; if there are many, leave out the middle ones."""
    many = [*parts]
    return between.join(many if len(many) <= LONGEST else [*many[:3], f"… {len(many) - 6} more …", *many[-3:]])


def _counted(count: int) -> str:
    """Return the number; a very large one as a power of ten."""
    if count < 10**12:
        return str(count)
    return f"{Decimal(count):.3e}".replace("e+", " · 10^")


def edges_between(
    s: Value, f: Value, order: Iterable[Value], avoiding: Collection[Value] = ()
) -> list[tuple[Value, int, Value]]:
    """Return the edges (value, index of operand, operand) of the paths from s to f, in forward order.

    order      ``topological_order(f)``
    avoiding   values through which no path may lead
    """
    reached, edges = {s}, []
    for x in order:
        into = [(x, i, parent) for i, parent in enumerate(x.parents) if parent in reached]
        edges += into
        if into and x not in avoiding:
            reached.add(x)
    needed, kept = {f}, []
    for edge in reversed(edges):
        if edge[0] in needed:
            needed.add(edge[2])
            kept.append(edge)
    return kept[::-1]
