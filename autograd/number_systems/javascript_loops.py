"""Writes rules in JavaScript as loops over arrays, for pages that train.

A rule's loops run over *lanes*: an operand has one number per lane, or one number that all lanes share.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from autograd.number_systems.expressions import Formula, Operand, operations
from autograd.number_systems.javascript import statements

AT_ONCE = 8  # operands whose gradients one loop updates
# values and gradients by slot; those of shared operands; slots, starting at p; number of lanes
PARAMETERS = "(V, G, S, D, I, p, n)"


class Loops(NamedTuple):
    """The loops of a rule that was run on letters.

    codes   for each operand, L if it has lanes or S if it is shared; l or s if it receives no gradient
    """

    value: Operand
    local_derivatives: Sequence[Operand]
    operands: Sequence[Formula]
    codes: Sequence[str]

    def forward(self) -> str:
        """Return the loop that computes the values."""
        loop = self._loop([self.value], {}, lambda names: [f"V[o + i] = {names[0]};"])
        return f"{PARAMETERS} => {{ const o = I[p]; {loop} }}"

    def backward(self) -> str:
        """Return the loops that add upstream · local derivative to the gradient of each operand."""
        edges = zip(self.operands, self.codes, self.local_derivatives)
        given = [(x, code, d) for x, code, d in edges if code in "LS" and (isinstance(d, Formula) or d != 0.0)]
        loops = [self._adding(given[first : first + AT_ONCE]) for first in range(0, len(given), AT_ONCE)]
        return f"{PARAMETERS} => {{ const o = I[p]; {' '.join(loops)} }}"

    def _adding(self, edges: Sequence[tuple[Formula, str, Operand]]) -> str:
        """Return one loop for these operands; for a shared operand it sums over the lanes first."""
        known = {self.value: "v"} if isinstance(self.value, Formula) and self.value.operands else {}
        to = [f"G[i{x.name} + i]" if code == "L" else f"d{x.name}" for x, code, _ in edges]
        shared = [x for x, code, _ in edges if code == "S"]

        def add(names: list[str]) -> list[str]:
            return [f"{z} += {'u' if name == '1' else f'u * {name}'};" for z, name in zip(to, names)]

        targets = frozenset(x for x, code, _ in edges if code == "L")
        loop = self._loop([d for *_, d in edges], known, add, targets, "const u = G[o + i];")
        before = "".join(f"let d{x.name} = 0; " for x in shared)
        return f"{{ {before}{loop}{''.join(f' D[{self._slot(x)}] += d{x.name};' for x in shared)} }}"

    def _slot(self, x: Formula) -> str:
        return f"I[p + {x.name[1:]}]"

    def _loop(
        self, results: Sequence[Operand], known: dict[Formula, str], end: Callable[[list[str]], list[str]],
        targets: frozenset[Formula] = frozenset(), first: str = "",
    ) -> str:  # fmt: skip
        body, names = statements(results, known)
        body += end(names)
        letters = {x for x in operations(results, known) if not x.operands}
        lanes = [x for x, code in zip(self.operands, self.codes) if x in letters and code in "Ll"]
        if re.search(r"\bv\b", " ".join(body)):
            body.insert(0, "const v = V[o + i];")
        body[:0] = [first, *(f"const {x.name} = V[i{x.name} + i];" for x in lanes)]
        start = [f"const i{x.name} = {self._slot(x)};" for x in self.operands if x in {*lanes, *targets}]
        start += [f"const {x.name} = S[{self._slot(x)}];" for x in self.operands if x in letters.difference(lanes)]
        return f"{' '.join(start)} for (let i = 0; i < n; i++) {{ {' '.join(filter(None, body))} }}"


def update_loop(results: Sequence[Operand], options: Sequence[Formula], numbers: Sequence[Formula]) -> str:
    """Return a loop over parameters: of the letters ``numbers``, the first is in S, the second in D, the rest in M.

    The results are written to N. Terms that depend only on the options, such as 1 − βᵗ, are computed before the loop.
    """
    inside, outside = set(numbers), list[Formula]()
    for e in operations(results):
        if e.operands and inside.isdisjoint(e.parents):
            outside.append(e)
        elif e.operands:
            inside.add(e)
    before, names = statements(outside)
    known = {e: f"c{k}" for k, e in enumerate(outside)}
    before += [f"const {known[e]} = {name};" for e, name in zip(outside, names)]
    body, found = statements(results, known)
    w, gradient, *state = numbers
    read = [f"const {w.name} = S[i];", f"const {gradient.name} = D[i];"]
    read += [f"const {x.name} = M[{len(state)} * i + {k}];" for k, x in enumerate(state)]
    write = [f"N[{len(results)} * i + {k}] = {name};" for k, name in enumerate(found)]
    loop = f"for (let i = 0; i < n; i++) {{ {' '.join([*read, *body, *write])} }}"
    return f"(S, D, M, N, {', '.join(x.name for x in options)}, n) => {{ {' '.join([*before, loop])} }}"
