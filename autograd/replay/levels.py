"""What does not wait for each other runs at once: a node's level is one above the highest of what it needs."""

from __future__ import annotations

import numpy as np

from autograd.replay.flattening import Flat, Ints
from autograd.replay.fusing import FUSED, PRODUCT, SUM, Fused
from autograd.replay.products import Rows


def find_levels(flat: Flat, fused: Fused, rows: Rows) -> Ints:
    """The level of each node that remains; leaves are at 0.

    A row is looked at once, however many products it is in: that is what makes this short for networks.
    """
    level = [0] * len(flat.nodes)
    row_level: dict[int, int] = {}
    product_at = dict(zip(fused.products.tolist(), range(len(fused.products))))
    sum_at = dict(zip(fused.sums.tolist(), range(len(fused.sums))))
    w, a, kind = rows.w.tolist(), rows.a.tolist(), fused.kind.tolist()
    start, parents = flat.start.tolist(), flat.parents.tolist()
    single_start, singles = fused.singles.start.tolist(), fused.singles.items.tolist()
    term_start, terms = fused.terms.start.tolist(), fused.terms.items.tolist()
    for node in np.flatnonzero((fused.kind != FUSED) & (flat.arity > 0)).tolist():
        if kind[node] == PRODUCT:
            i = product_at[node]
            for row in (w[i], a[i]):
                if row not in row_level:
                    row_level[row] = max([level[p] for p in rows.content[row].tolist()])
            below = max(row_level[w[i]], row_level[a[i]])
            for p in singles[single_start[i] : single_start[i + 1]]:
                below = max(below, level[p])
        elif kind[node] == SUM:
            i = sum_at[node]
            below = max([level[p] for p in terms[term_start[i] : term_start[i + 1]]], default=0)
        else:
            below = max([level[p] for p in parents[start[node] : start[node + 1]]])
        level[node] = below + 1
    return np.array(level)
