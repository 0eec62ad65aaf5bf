"""Where every row of weights meets every row of activations once, the many sums Σ_k w_k a_k are one matrix product.

Rows are lists of nodes; equal lists are one row. Nothing about layers is known here: a full cross product is found
as such, by looking which rows meet which.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from autograd.replay.flattening import Ints
from autograd.replay.fusing import Fused

Words = NDArray[np.uint64]


class Rows(NamedTuple):
    """The different rows, and which of them each product has as its w and as its a."""

    content: list[Ints]
    w: Ints
    a: Ints


class Grid(NamedTuple):
    """Products that make blocks of c rows of a by r rows of w."""

    nodes: Ints  # (blocks, c, r): the product nodes
    w: Ints  # (blocks, r, n): the nodes of their rows
    a: Ints  # (blocks, c, n)
    singles: Ints  # (number, blocks, c, r): what is added to each


def find_rows(fused: Fused, size: int) -> Rows:
    """Number the rows: equal ones, by content and order, get the same number."""
    k, count = len(fused.products), fused.w.arity
    if not k:
        return Rows([], fused.products, fused.products)
    words = _words(size)
    position = np.arange(len(fused.w.items)) - np.repeat(fused.w.start[:-1], count)
    times = _words(int(count.max()) + 1)[position] | np.uint64(1)
    hashes = np.concatenate([np.add.reduceat(words[row.items] * times, row.start[:-1]) for row in (fused.w, fused.a)])
    hashes += np.tile(count, 2).astype(np.uint64)
    _, first, number = np.unique(hashes, return_index=True, return_inverse=True)
    items, starts = (fused.w.items, fused.a.items), fused.w.start
    content = [items[i >= k][starts[i % k] : starts[i % k + 1]] for i in first.tolist()]
    w, a = number[:k], number[k:]
    longest = np.array([len(row) for row in content])
    offset = np.cumsum(longest) - longest
    flat = np.concatenate(content)
    for side, which in zip(items, (w, a)):  # equal hashes are almost surely equal rows; here it is made sure
        if not np.array_equal(flat[np.repeat(offset[which], count) + position], side):
            raise ArithmeticError("two different rows have the same hash")
    return Rows(content, w, a)


def find_grids(fused: Fused, rows: Rows, members: Ints) -> tuple[list[Grid], Ints]:
    """The grids among some products of equal length and equally many singles, and those that are in none.

    A w belongs with the others that meet the same rows of a. What is left over met the same row twice.
    """
    # numbered from 0 among themselves: a product must not cost as much as there are rows in the whole graph
    (w_rows, w), (a_rows, a) = (np.unique(some[members], return_inverse=True) for some in (rows.w, rows.a))
    _, first = np.unique(w * len(a_rows) + a, return_index=True)
    again = np.ones(len(members), dtype=bool)
    again[first] = False
    left_over, members, w, a = members[again], members[~again], w[~again], a[~again]
    words = _words(len(a_rows))
    met = np.zeros(len(w_rows), dtype=np.uint64)
    np.add.at(met, w, words[a])
    _, which = np.unique(met[w], return_inverse=True)  # w that meet the same a are of one class
    order = np.lexsort((w, a, which))
    which, members, w, a = which[order], members[order], w[order], a[order]
    start = np.flatnonzero(np.diff(which, prepend=-1))
    size = np.diff(np.append(start, len(which)))
    _, first = np.unique(w, return_index=True)
    r = np.bincount(which[first])
    shapes = np.stack([size // r, r], axis=1)
    grids = []
    for c, r_ in np.unique(shapes, axis=0).tolist():
        classes = np.flatnonzero((shapes == (c, r_)).all(axis=1))
        together = [classes] if c == 1 or r_ == 1 else list(classes[:, None])  # matrices stay apart
        for some in together:
            place = (start[some][:, None] + np.arange(c * r_)).reshape(len(some), c, r_)
            grids.append(_grid(fused, rows, members[place], w_rows[w[place[:, 0, :]]], a_rows[a[place[:, :, 0]]]))
    return grids, left_over


def one_by_one(fused: Fused, rows: Rows, members: Ints) -> Grid:
    """Products that meet nobody else: each a block of its own."""
    return _grid(fused, rows, members[:, None, None], rows.w[members][:, None], rows.a[members][:, None])


def _grid(fused: Fused, rows: Rows, members: Ints, w: Ints, a: Ints) -> Grid:
    s = int(fused.singles.arity[members.flat[0]])
    singles = [fused.singles.items[fused.singles.start[members] + i] for i in range(s)]
    return Grid(
        fused.products[members], _content(rows, w), _content(rows, a), np.array(singles).reshape(s, *members.shape)
    )


def _content(rows: Rows, numbers: Ints) -> Ints:
    return np.stack([rows.content[i] for i in numbers.ravel()]).reshape(*numbers.shape, -1)


def _words(size: int) -> Words:
    """Random 64-bit words, the same in every run."""
    return np.random.default_rng(20).integers(0, 2**64, size, dtype=np.uint64)
