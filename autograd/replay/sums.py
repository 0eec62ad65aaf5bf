"""Finds sums of products, however they are written: ``affine(w, a, b)``, ``dot(w, a) + b``, ``sum(w*a) + b``.

The rules are in the theory of operation of this package, in the same order.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from autograd import primitives
from autograd.replay.flat_graph import Bools, Flat, Ints, Ragged

PLAIN, PRODUCT, SUM, FUSED = 0, 1, 2, -1


class Fused(NamedTuple):
    """Which nodes remain, and as what."""

    kind: Ints  # for each node: PLAIN (its own rule), PRODUCT (Σ w a + Σ s), SUM (Σ s), FUSED (part of another node)
    products: Ints  # the PRODUCT nodes in order, and for each of them:
    w: Ragged  # the first factor of each pair
    a: Ragged  # the second factors
    singles: Ragged  # what is added to the products of pairs
    sums: Ints  # the SUM nodes in order
    terms: Ragged  # the terms of each


class _Trees(NamedTuple):
    """The trees of additions, before it is known which of them become one node."""

    top: Ints  # for each node that is in a tree the addition at its top, for others the node itself
    inner: Bools  # which nodes are additions below a top
    factor: Bools  # which are multiplications in a tree
    inside: Bools  # which are the only dot product in a tree
    term: Ints  # the terms of all trees: the operands of their additions that are not inner additions
    home: Ints  # for each term, the top of its tree


def fuse(flat: Flat, is_weight: Bools) -> Fused:
    """Make one node of every sum that is worth it; a factor that is a weight becomes the w of its pair."""
    trees = _find_trees(flat)
    kind = _kinds(flat, trees)
    home, w, a = _pairs(flat, kind, trees)
    swapped = is_weight[a] & ~is_weight[w]
    w, a = np.where(swapped, a, w), np.where(swapped, w, a)
    home_of_single, single = _singles(flat, kind, trees)
    products, sums = np.flatnonzero(kind == PRODUCT), np.flatnonzero(kind == SUM)
    return Fused(
        kind, products, _lists(products, home, w), _lists(products, home, a),
        _lists(products, home_of_single, single), sums, _lists(sums, home_of_single, single),
    )  # fmt: skip


def _find_trees(flat: Flat) -> _Trees:
    """Rules 1 and 2: what belongs to which sum."""
    size, operands = len(flat.nodes), flat.parents.items
    adds = flat.made_by(primitives.add, primitives.sum)
    reader = np.repeat(np.arange(size), flat.parents.arity)  # for each place in ``operands``, the node that reads it
    # a node that is read once, and by an addition, is in the tree of that addition
    only_reader = np.full(size, -1)
    only_reader[operands] = reader
    in_tree = (np.bincount(operands, minlength=size) == 1) & adds[only_reader]
    top = _last(np.where(in_tree, only_reader, np.arange(size)))
    inner = adds & in_tree
    dots = flat.made_by(primitives.dot, primitives.affine) & in_tree
    only_dot = np.bincount(top[dots], minlength=size)[top] == 1
    place = np.flatnonzero(adds[reader] & ~inner[operands])  # where an addition reads something else
    factor = flat.made_by(primitives.mul) & in_tree
    return _Trees(top, inner, factor, dots & only_dot, operands[place], top[reader[place]])


def _kinds(flat: Flat, trees: _Trees) -> Ints:
    """Rules 3 to 5: what each node remains as."""
    size, top = len(flat.nodes), trees.top
    # pairs (w, a) of each tree: one for each multiplication, n for a dot product of 2n operands or 2n + 1
    pairs = np.bincount(top[trees.factor], minlength=size)
    pairs += np.bincount(np.repeat(top[trees.inside], flat.parents.arity[trees.inside] // 2), minlength=size)
    trees_like_it = np.bincount(pairs)[pairs]  # how many trees have as many pairs
    is_product = (pairs >= 2) & (pairs * trees_like_it >= 8)
    is_sum = ~is_product & (np.bincount(trees.home, minlength=size) >= 3)
    in_product = (trees.factor | trees.inside) & is_product[top]
    dots = flat.made_by(primitives.dot, primitives.affine)
    kind = np.where(is_sum, SUM, np.where(is_product | dots, PRODUCT, PLAIN))
    kind[in_product | (trees.inner & (is_product | is_sum)[top])] = FUSED
    return kind


def _pairs(flat: Flat, kind: Ints, trees: _Trees) -> tuple[Ints, Ints, Ints]:
    """The pairs of all PRODUCT nodes, those of multiplications first: home, first and second factor."""
    start, operands = flat.parents.start, flat.parents.items
    times = trees.term[trees.factor[trees.term] & (kind[trees.term] == FUSED)]  # multiplications, in order of use
    dots = np.flatnonzero(flat.made_by(primitives.dot, primitives.affine))
    # the operands of dot i are w₁…wₙ a₁…aₙ from start[i] on: the places start[i], …, start[i] + n − 1, end to end
    n = flat.parents.arity[dots] // 2
    before = np.cumsum(n) - n  # how many pairs the dots before it have
    place_of_w = np.repeat(start[dots] - before, n) + np.arange(n.sum())
    home = np.concatenate([times, np.repeat(dots, n)])
    w = np.concatenate([operands[start[times]], operands[place_of_w]])
    a = np.concatenate([operands[start[times] + 1], operands[place_of_w + np.repeat(n, n)]])
    return np.where(kind[home] == FUSED, trees.top[home], home), w, a


def _singles(flat: Flat, kind: Ints, trees: _Trees) -> tuple[Ints, Ints]:
    """What SUM and PRODUCT nodes add as it is: terms that remain and are not the number 0, then the b of affine."""
    term = trees.term
    is_zero = flat.is_constant[term] & (flat.data[term] == 0.0)  # Python's sum() starts from 0
    kept = (kind[term] != FUSED) & ~is_zero
    affine = np.flatnonzero(flat.made_by(primitives.affine))
    b = flat.parents.items[flat.parents.start[affine + 1] - 1]  # the last operand
    home_of_b = np.where(kind[affine] == FUSED, trees.top[affine], affine)
    return np.concatenate([trees.home[kept], home_of_b]), np.concatenate([term[kept], b])


def _last(following: Ints) -> Ints:
    """The end of each node's chain; each round follows twice as many links."""
    while True:
        further = following[following]
        if np.array_equal(further, following):
            return following
        following = further


def _lists(homes: Ints, home: Ints, items: Ints) -> Ragged:
    """For each of ``homes``, the items with this home in their order; items with other homes are left out."""
    is_one = np.isin(home, homes)
    place = np.searchsorted(homes, home[is_one])
    return Ragged.of(np.bincount(place, minlength=len(homes)), items[is_one][np.argsort(place, kind="stable")])
