"""Finds the matrix products among sums Σ_k w_k a_k: rows w and rows a of which each w meets each a exactly once.

A row is a list of nodes; equal lists are the same row.
"""

from collections import defaultdict
from itertools import count, pairwise
from typing import NamedTuple

import numpy as np

from autograd.replay.flat_graph import Ints
from autograd.replay.sums import Fused


class Rows(NamedTuple):
    """The distinct rows, and for each product the numbers of its row w and its row a."""

    content: list[Ints]
    w: Ints
    a: Ints


class ProductGrid(NamedTuple):
    """Products in blocks; in each block, every one of c rows of a meets every one of r rows of w."""

    nodes: Ints  # (blocks, c, r): the product nodes
    w: Ints  # (blocks, r, n): the nodes of the rows
    a: Ints  # (blocks, c, n)
    singles: Ints  # (number, blocks, c, r): the terms added to each product


def find_rows(fused: Fused) -> Rows:
    """Number the rows: lists of the same nodes in the same order get one number."""
    number_of: dict[bytes, int] = defaultdict(count().__next__)
    w, a = (
        [number_of[side.items[i:j].tobytes()] for i, j in pairwise(side.start.tolist())]
        for side in (fused.w, fused.a)
    )
    content = [np.frombuffer(row, fused.w.items.dtype) for row in number_of]
    return Rows(content, np.array(w, dtype=np.int64), np.array(a, dtype=np.int64))


def find_grids(fused: Fused, rows: Rows, members: Ints) -> tuple[list[ProductGrid], Ints]:
    """Return the grids of products with equally many pairs and singles, and the products that are in no grid.

    Rows w that meet the same rows a form a grid. A product of two rows that have met before is left over.
    """
    met: dict[int, dict[int, int]] = {}  # for each w, its product with each a
    left_over = []
    for product, w, a in zip(members.tolist(), rows.w[members].tolist(), rows.a[members].tolist()):
        if met.setdefault(w, {}).setdefault(a, product) != product:
            left_over.append(product)
    classes: dict[frozenset[int], list[int]] = {}  # for each set of rows a, the rows w that meet it
    for w, products in met.items():
        classes.setdefault(frozenset(products), []).append(w)
    shapes: dict[tuple[int, int, int], list[tuple[list[int], list[int]]]] = {}
    for number, (a_rows, w_rows) in enumerate(classes.items()):
        c, r = len(a_rows), len(w_rows)
        # dot products of one shape are blocks of one grid; matrices are separate grids
        apart = number if c > 1 and r > 1 else 0
        shapes.setdefault((c, r, apart), []).append((sorted(a_rows), sorted(w_rows)))
    grids = []
    for _, same in sorted(shapes.items()):
        place = np.array([[[met[w][a] for w in w_rows] for a in a_rows] for a_rows, w_rows in same])
        a_of, w_of = (np.array(side) for side in zip(*same))
        grids.append(make_grid(fused, rows, place, w_of, a_of))
    return grids, np.array(left_over, dtype=np.int64)


def make_grid(fused: Fused, rows: Rows, members: Ints, w: Ints, a: Ints) -> ProductGrid:
    """Return the grid of some products, given the numbers of its rows."""
    singles = np.moveaxis(fused.singles.table(members), -1, 0)
    W, A = (np.stack([rows.content[i] for i in side.ravel()]).reshape(*side.shape, -1) for side in (w, a))
    return ProductGrid(fused.products[members], W, A, singles)
