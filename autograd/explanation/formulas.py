"""Turns a graph into formulas: runs the table's rules on symbols, and composes the results between named values.

An unnamed value folds into the named value that it feeds. The local derivatives of x y z are therefore yz, xz and xy,
whichever product was computed first. A formula of more than ``LARGEST`` operations is None.
"""

from collections.abc import Collection

import mpmath
import sympy

from autograd.explanation.algebra import LARGEST, number, readable, written
from autograd.explanation.path_sums import edges_between
from autograd.graph import topological_order
from autograd.notation import labels
from autograd.number_systems import symbols
from autograd.number_systems.symbols import Expression
from autograd.table import is_constant
from autograd.value import Value

MOST_OPERANDS = 2000  # on more, running a rule on symbols takes seconds


class Formulas:
    """Symbols and formulas of the values that ``root`` was computed from; values in ``kept`` never fold."""

    def __init__(self, root: Value, kept: Collection[Value] = ()) -> None:
        self.kept = {root, *kept}
        self.order = topological_order(root)
        self._labels = labels(dict.fromkeys([*self.order, *kept]), root)  # numbered as in drawings and narrations
        if is_constant(root):
            self._labels[root] = "f"
        self._values: dict[tuple[Value, bool], Expression] = {}
        self._locals: dict[Value, tuple[Expression, ...]] = {}
        self._nodes: dict[Expression, Value] = {}  # by symbol

    def label(self, node: Value) -> str:
        """Return the node's name, or v₁, v₂ … for a value without a name."""
        return self._labels[node]

    def symbol(self, node: Value) -> Expression:
        """Return the node as an operand: its symbol, or the number of a constant."""
        if is_constant(node):
            return symbols.number(node.data)
        symbol = sympy.Symbol(self.label(node), real=True)
        self._nodes[symbol] = node
        return symbol

    def folds(self, node: Value) -> bool:
        """Return whether the node is an unnamed step on the way to a named value."""
        return not node.name and bool(node.parents) and node not in self.kept

    def operands(self, node: Value) -> list[Value]:
        """Return the named values and inputs that ``node`` was computed from directly, in forward order."""
        found = set(node.parents)
        for x in reversed(self.order):
            found.update(x.parents if x in found and self.folds(x) else ())
        return [x for x in self.order if x in found and not self.folds(x)]

    def value(self, node: Value, in_inputs: bool, most: int = LARGEST) -> Expression | None:
        """Return the node in terms of inputs, or of the named values below it; None beyond ``most`` operations."""
        most -= max(len(node.parents) - 1, 1)  # also bounds the depth of the recursion
        if most < 0 or node.operation is None or not node.parents:
            return None if node.parents else self.symbol(node)
        if (node, in_inputs) not in self._values:
            operands = []
            for x in node.parents:
                operands.append(self.value(x, in_inputs, most) if self._opens(x, in_inputs) else self.symbol(x))
                if operands[-1] is None:  # stop at once: shared operands would be tried repeatedly
                    return None
            found = written(node.operation, *operands)
            self._values[node, in_inputs] = readable(symbols.tidy(found[0])) if found else None
        return self._values[node, in_inputs]

    def in_inputs(self, formula: Expression | None) -> Expression | None:
        """Return the formula in terms of the inputs; None if one of its values is too large."""
        return None if formula is None else self._substituted(formula, in_inputs=True)

    def direct(self, node: Value, operand: Value) -> Expression | None:
        """Return ∂node/∂operand with every other named operand held fixed; None beyond ``LARGEST`` operations."""
        return self.total(node, operand, set(self.operands(node)))

    def total(self, node: Value, wrt: Value, avoiding: Collection[Value] = ()) -> Expression | None:
        """Return ∂node/∂wrt along all paths that avoid ``avoiding``; None beyond ``LARGEST`` operations."""
        edges = edges_between(wrt, node, self.order, avoiding)
        if len(edges) > LARGEST:
            return None
        found: dict[Value, Expression] = {wrt: sympy.S.One}
        for x, i, parent in edges:  # forward: an edge comes after all edges into its operand
            if (local := self.local_formulas(x)) is None:
                return None
            found[x] = found.get(x, sympy.S.Zero) + local[i] * found[parent]
            if readable(found[x]) is None:
                return None
        return readable(self._substituted(symbols.tidy(found.get(node, 0)), in_inputs=False))

    def local_formulas(self, node: Value) -> tuple[Expression, ...] | None:
        """Return ∂node/∂parent for each parent, in the symbols of the parents and of the node itself: a(1 − a)."""
        if node.operation is None or len(node.parents) > MOST_OPERANDS:
            return None
        if node not in self._locals:
            if (found := written(node.operation, *map(self.symbol, node.parents))) is None:
                return None
            value = symbols.tidy(found[0])
            itself = {} if value.is_Atom else {value: self.symbol(node)}
            self._locals[node] = tuple(self._branch(symbols.tidy(local)).xreplace(itself) for local in found[1])
        return self._locals[node]

    def _opens(self, node: Value, in_inputs: bool) -> bool:
        """Return whether a formula in inputs, or in named values, replaces the node's symbol by its formula."""
        return bool(node.parents) if in_inputs else self.folds(node)

    def _substituted(self, formula: Expression, in_inputs: bool) -> Expression | None:
        letters = [letter for letter in formula.free_symbols if self._opens(self._nodes[letter], in_inputs)]
        values = {letter: self.value(self._nodes[letter], in_inputs) for letter in letters}
        return None if None in values.values() else self._branch(formula.xreplace(values))

    def _branch(self, formula: Expression) -> Expression:
        """Return the formula with every ``where`` replaced by the branch that the current numbers choose."""
        at = {letter: mpmath.mpf(self._nodes[letter].data) for letter in formula.free_symbols}
        branches = {}
        for case in formula.atoms(symbols.where):
            condition, x, y = case.args
            is_guard = condition == x and condition.is_Pow  # hypot's guard against 0 / 0
            branches[case] = x if is_guard else case.decided(number(condition, at), x, y)
        return formula.xreplace(branches)
