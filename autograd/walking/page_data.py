"""The data of a page: the nodes of a graph, and as JavaScript the rules of the table that they use.

A rule is written once for each number of operands, not once for each node; only constant exponents become part
of the rule.
The displayed formulas come from the same expressions.
"""

from collections.abc import Sequence
from math import isfinite
from typing import Any

from autograd import mathml
from autograd.errors import DomainError, complaint
from autograd.notation import derivative, labels, lowered
from autograd.number_systems import expressions, floats, javascript
from autograd.staleness import changed_lines, changes
from autograd.table import CONSTANT, Primitive, is_constant
from autograd.text import clipped
from autograd.value import Value
from autograd.walking.templates import template


class GraphData:
    """The values of a graph, given in topological order, as data for the page's JavaScript.

    Raises DomainError if the root is undefined for changed inputs, TypeError for a rule that JavaScript cannot run.
    """

    def __init__(self, order: Sequence[Value]) -> None:
        self.order, root = order, order[-1]
        self.names = labels(self.order, root)
        self.data = _recomputed(self.order)  # an input may have changed since ``root`` was computed
        done = "this page ran the forward pass again."
        self.changed = "".join(changed_lines(changes(root, order), lambda x: _short(self.names[x]), root, done))
        self._index = {x: i for i, x in enumerate(self.order)}
        self._rules: dict[tuple[Primitive, tuple[float | None, ...]], int] = {}
        nodes = [self._node(x, root) for x in self.order]
        rules = [_written(*rule) for rule in self._rules]
        self.json: dict[str, Any] = {"nodes": nodes, "rules": [words for words, _ in rules]}
        # the source of a JavaScript array: for each rule, its function and the tests of its domains
        self.rules = "[\n" + ",\n".join(source for _, source in rules) + "\n]"

    def _node(self, x: Value, root: Value) -> dict[str, Any]:
        label = self.names[x]
        # the number is text, because JSON has neither NaN nor infinities
        node: dict[str, Any] = {"name": _short(label), "data": javascript.number(self.data[x])}
        if is_constant(x):
            return node | {"kind": "constant"}
        short = derivative(self.names[root], label)
        node |= {"markup": mathml.name(label), "gradient": f"∂{_short(self.names[root])}/∂{_short(label)}"}
        if short.startswith("δ"):
            node |= {"gradient": _short(short), "delta": mathml.name(short)}
        if not x.parents:
            return node | {"kind": "input"}
        return node | {"kind": "operation", "rule": self._rule(x), "parents": [self._index[p] for p in x.parents]}

    def _rule(self, x: Value) -> int:
        """Return the index of the node's rule, in order of first use."""
        assert x.operation is not None
        domains = zip(x.parents, x.operation.domains_of(len(x.parents)))
        baked = tuple(p.data if domain is CONSTANT and is_constant(p) else None for p, domain in domains)
        return self._rules.setdefault((x.operation, baked), len(self._rules))


def _written(entry: Primitive, baked: Sequence[float | None]) -> tuple[dict[str, Any], str]:
    """Return the texts of a rule, and its source in JavaScript, with the numbers in ``baked`` as constants."""
    letters = expressions.letters(len(baked))
    operands = [letter if number is None else number for letter, number in zip(letters, baked)]
    try:
        value, locals_ = entry.rule(expressions, *operands)
        source = javascript.function(value, locals_, letters)
    except (TypeError, AttributeError) as error:
        raise TypeError(
            f"primitive {entry.name}: its rule cannot be written in JavaScript ({error}); "
            "use the functions of its number system, such as n.exp instead of math.exp"
        ) from None
    names = [letter.name for letter in letters]
    tests = ", ".join(f"(x1) => {domain.javascript(x='x1')}" for domain in entry.domains)
    joined = " || ".join(entry.joint.javascript(**by_letter) for by_letter in entry.by_letter(names))
    joint = "true" if entry.joint.derivative else joined
    own = names if entry.variadic else list(entry.letters)
    words: dict[str, Any] = {
        "name": entry.name,
        "symbol": entry.symbol,
        "letters": own,
        "conditions": [domain.words(x="{x}") for domain in entry.domains],
        "jointCondition": entry.joint_words(f"{{{x}}}" for x in own),
        "remedy": entry.remedy,
        "gate": entry.gate,
        "value": template(value),
        "locals": [template(local, value) for local in locals_],
    }
    return words, f"{{ apply: {source}, defined: [{tests}], joint: ({', '.join(names)}) => {joint} }}"


def _short(label: str) -> str:
    return clipped(lowered(label))


def _recomputed(order: Sequence[Value]) -> dict[Value, float]:
    """Run the forward pass again on the present inputs. Raises DomainError as the engine does."""
    data: dict[Value, float] = {}
    for x in order:
        data[x] = x.data
        if x.operation is not None and x.parents:
            operands = [data[p] for p in x.parents]
            data[x], _ = x.operation.rule(floats, *operands)
            if not isfinite(data[x]) and all(map(isfinite, operands)):
                raise DomainError(complaint(x, data.__getitem__))
    return data
