"""Sums of products are found whatever they were written as: ``affine(w, a, b)``, ``dot(w, a) + b``, ``sum(w*x) + b``.

An addition that only another addition uses is a part of it; so is a product, and one dot product. The whole tree
becomes one sum Σ w_k a_k + Σ s_i, and what was inside it needs no number of its own.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from autograd import primitives
from autograd.replay.flat_graph import Bools, Flat, Ints, Ragged

PLAIN, PRODUCT, SUM, FUSED = 0, 1, 2, -1


class Fused(NamedTuple):
    """Which nodes remain, and as what."""

    kind: Ints  # of each node: PLAIN (its own rule), PRODUCT (Σ w a + Σ s), SUM (Σ s), FUSED (part of another)
    products: Ints  # the PRODUCT nodes, in order
    w: Ragged  # their factors, and what is added to the products of these
    a: Ragged
    singles: Ragged
    sums: Ints  # the SUM nodes, in order
    terms: Ragged  # what they add up


def fuse(flat: Flat, is_weight: Bools) -> Fused:
    """Find the sums; of two factors the one that is a weight becomes w, else the one that was written first."""
    size, start, parents, arity = len(flat.nodes), flat.parents.start, flat.parents.items, flat.parents.arity
    owner = np.repeat(np.arange(size), arity)  # the node whose operand each entry of ``parents`` is
    adds, muls = flat.made_by(primitives.add, primitives.sum), flat.made_by(primitives.mul)
    dots = flat.made_by(primitives.dot, primitives.affine)
    consumer = np.full(size, -1)
    consumer[parents] = owner
    alone = (np.bincount(parents, minlength=size) == 1) & adds[consumer]  # used once, by an addition
    inner = adds & alone
    root = _follow(np.where(inner, consumer, np.arange(size)))
    of = root[consumer]  # the sum that a node of ``alone`` belongs to
    inside = dots & alone
    inside &= np.bincount(of[inside], minlength=size)[of] == 1  # two layers that are added stay two layers
    factor = muls & alone

    # how many products each sum would have, times how many sums have as many: small scalar tails stay as they are
    number = np.bincount(of[factor], minlength=size)
    number += np.bincount(of[inside], weights=arity[inside] // 2, minlength=size).astype(np.int64)
    is_product = (number >= 2) & (number * np.bincount(number)[number] >= 8)
    inside &= is_product[of]
    factor &= is_product[of]
    terms = np.bincount(root[owner[adds[owner] & ~inner[parents]]], minlength=size)
    is_sum = ~is_product & (terms >= 3)
    inner &= is_product[root] | is_sum[root]

    kind = np.where(is_sum, SUM, np.where(is_product | (dots & ~inside), PRODUCT, PLAIN))
    kind[inner | inside | factor] = FUSED

    edge = np.flatnonzero(adds[owner] & ~inner[parents])
    home, term = root[owner[edge]], parents[edge]
    nonzero = ~(flat.is_constant[term] & (flat.data[term] == 0.0))  # Python's sum() starts from 0
    single = ~factor[term] & ~inside[term] & nonzero
    pairs = edge[factor[term]]
    left, right = parents[start[parents[pairs]]], parents[start[parents[pairs]] + 1]
    dot_nodes = np.flatnonzero(dots & (kind != FUSED) | inside)
    n = arity[dot_nodes] // 2
    first = np.repeat(start[dot_nodes] + n - np.cumsum(n), n) + np.arange(n.sum())  # the place of each w
    affine = dot_nodes[arity[dot_nodes] % 2 == 1]
    home_of = np.where(inside, of, np.arange(size))
    products = np.flatnonzero(kind == PRODUCT)
    pair_home = np.concatenate([root[owner[pairs]], np.repeat(home_of[dot_nodes], n)])
    w, a = np.concatenate([left, parents[first]]), np.concatenate([right, parents[first + np.repeat(n, n)]])
    turned = is_weight[a] & ~is_weight[w]
    w, a = np.where(turned, a, w), np.where(turned, w, a)
    in_product = single & is_product[home]
    single_home = np.concatenate([home[in_product], home_of[affine]])
    singles = np.concatenate([term[in_product], parents[start[affine + 1] - 1]])
    sums = np.flatnonzero(is_sum)
    in_sum = single & is_sum[home]
    return Fused(
        kind, products, _ragged(products, pair_home, w), _ragged(products, pair_home, a),
        _ragged(products, single_home, singles), sums, _ragged(sums, home[in_sum], term[in_sum]),
    )  # fmt: skip


def _follow(up: Ints) -> Ints:
    """Each node's last on the way up: the way is halved until nothing changes."""
    while True:
        further = up[up]
        if np.array_equal(further, up):
            return up
        up = further


def _ragged(homes: Ints, home: Ints, items: Ints) -> Ragged:
    """The items of each home, in the order in which they come."""
    place = np.searchsorted(homes, home)
    return Ragged.of(np.bincount(place, minlength=len(homes)), items[np.argsort(place, kind="stable")])
