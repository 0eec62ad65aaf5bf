"""Finds sums of products, however they are written: ``affine(w, a, b)``, ``dot(w, a) + b``, ``sum(w*a) + b``.

The docstring of the package states rules a to e.
"""

from typing import NamedTuple

import numpy as np

from autograd import primitives
from autograd.replay.flat_graph import Bools, Flat, Ints, Ragged

PLAIN, PRODUCT, SUM, FUSED = 0, 1, 2, -1


class Fused(NamedTuple):
    """The nodes that remain, and their kinds."""

    kind: Ints  # for each node: PLAIN (its own rule), PRODUCT (Σ w a + Σ s), SUM (Σ s), FUSED (part of another node)
    products: Ints  # the PRODUCT nodes in order, and for each of them:
    w: Ragged  # the first factor of each pair
    a: Ragged  # the second factors
    singles: Ragged  # the terms added to the products of pairs
    sums: Ints  # the SUM nodes in order
    terms: Ragged  # the singles of each: its terms without the constant 0


class _Trees(NamedTuple):
    """The trees of additions, and which of them become one node."""

    kind: Ints
    part_of: Ints  # for each FUSED node the top of its tree, for others the node itself
    term: Ints  # the terms of all trees
    home: Ints  # for each term, the top of its tree


def fuse(flat: Flat, is_weight: Bools) -> Fused:
    """Fuse each sum that is large enough into one node. If one factor of a pair is a weight, it becomes w."""
    trees = _find_trees(flat)
    home, w, a = _pairs(flat, trees)
    swapped = is_weight[a] & ~is_weight[w]
    if swapped.any():
        w, a = np.where(swapped, a, w), np.where(swapped, w, a)
    home_of_single, single = _singles(flat, trees)
    products, sums = np.flatnonzero(trees.kind == PRODUCT), np.flatnonzero(trees.kind == SUM)
    return Fused(
        trees.kind, products, _lists(products, home, w), _lists(products, home, a),
        _lists(products, home_of_single, single), sums, _lists(sums, home_of_single, single),
    )  # fmt: skip


def _find_trees(flat: Flat) -> _Trees:
    # rules a and b: the nodes inside each tree
    size, operands = len(flat.nodes), flat.parents.items
    adds = flat.made_by(primitives.add, primitives.sum)
    reader = np.repeat(np.arange(size), flat.parents.arity)  # for each place in ``operands``, the node that reads it
    only_reader = np.full(size, -1)  # correct, and used, only for nodes that are read once
    only_reader[operands] = reader
    inside = (np.bincount(operands, minlength=size) == 1) & adds[only_reader]
    top = np.where(inside, only_reader, np.arange(size))
    while not np.array_equal(further := top[top], top):  # each round follows twice as many links
        top = further
    additions, multiplications = adds & inside, flat.made_by(primitives.mul) & inside
    every_dot = flat.made_by(primitives.dot, primitives.affine)
    dots = every_dot & inside
    dots &= np.bincount(top[dots], minlength=size)[top] == 1  # the only one in its tree
    places = np.flatnonzero(adds[reader] & ~additions[operands])  # where an addition reads a term
    term, home = operands[places], top[reader[places]]
    # rules c and d: what each node becomes
    # pairs of each tree: one for a multiplication, n for a dot of 2n operands or an affine of 2n + 1
    pairs = np.bincount(top[multiplications], minlength=size)
    pairs += np.bincount(np.repeat(top[dots], flat.parents.arity[dots] // 2), minlength=size)
    trees_with_as_many = np.bincount(pairs)[pairs]
    is_product = (pairs >= 2) & (pairs * trees_with_as_many >= 8)
    is_sum = ~is_product & (np.bincount(home, minlength=size) >= 3)
    kind = np.where(is_sum, SUM, np.where(is_product | every_dot, PRODUCT, PLAIN))
    kind[(multiplications | dots) & is_product[top]] = FUSED
    kind[additions & (is_product | is_sum)[top]] = FUSED
    return _Trees(kind, np.where(kind == FUSED, top, np.arange(size)), term, home)


def _pairs(flat: Flat, trees: _Trees) -> tuple[Ints, Ints, Ints]:
    """Return the node, first and second factor of the pairs of all PRODUCT nodes, multiplications first."""
    start, operands = flat.parents.start, flat.parents.items
    times = trees.term[(flat.made_by(primitives.mul) & (trees.kind == FUSED))[trees.term]]
    dots = np.flatnonzero(flat.made_by(primitives.dot, primitives.affine))
    # the operands of dot i are w₁…wₙ a₁…aₙ from start[i] on: the places start[i], …, start[i] + n − 1, end to end
    n = flat.parents.arity[dots] // 2
    before = np.cumsum(n) - n  # how many pairs the dots before it have
    place_of_w = np.repeat(start[dots] - before, n) + np.arange(n.sum())
    home = trees.part_of[np.concatenate([times, np.repeat(dots, n)])]
    w = np.concatenate([operands[start[times]], operands[place_of_w]])
    a = np.concatenate([operands[start[times] + 1], operands[place_of_w + np.repeat(n, n)]])
    return home, w, a


def _singles(flat: Flat, trees: _Trees) -> tuple[Ints, Ints]:
    """Return the node and the term of all singles: first the terms that remain, then each b of affine."""
    term = trees.term
    is_zero = flat.is_constant[term] & (flat.data[term] == 0.0)  # Python's sum() starts from 0
    kept = (trees.kind[term] != FUSED) & ~is_zero
    affine = np.flatnonzero(flat.made_by(primitives.affine))
    b = flat.parents.items[flat.parents.start[affine + 1] - 1]  # the last operand
    return np.concatenate([trees.home[kept], trees.part_of[affine]]), np.concatenate([term[kept], b])


def _lists(homes: Ints, home: Ints, items: Ints) -> Ragged:
    """Return for each of ``homes`` the items with this home, in order; items with other homes are left out."""
    number = np.full(1 + max(home.max(initial=-1), homes.max(initial=-1)), -1, np.int32)
    number[homes] = np.arange(len(homes))
    place = number[home]
    kept = place >= 0
    place, items = place[kept], items[kept]
    if (np.diff(place) < 0).any():  # items from dots are already in order
        items = items[np.argsort(place, kind="stable")]
    return Ragged(np.bincount(place, minlength=len(homes)), items)
