"""Replay: records a graph of scalars once and runs it again as a short list of array operations.

Theory of operation
-------------------
The input is the loss at the end of a graph. The output is a ``Program``, which computes the loss and its gradients
for other numbers in the leaves. No step knows what a layer is: matrices are found from the factors of products.

1. ``flat_graph`` numbers the nodes, operands first, from left to right. Arrays: ``parents`` (the operands of each
   node), ``code`` (its operation), ``data``. Equal constants have separate numbers, but ``parents`` uses the first.
2. ``sums`` fuses each sum that is large enough into one node (``fuse``):
   a. An *addition* is a node made by + or ``sum``, not by −. A node that is used exactly once in the whole graph, and
      by an addition, is *inside* the tree of that addition. The *terms* of a tree are the operands of its additions,
      except for the additions inside it.
   b. A multiplication inside a tree is one *pair* (w, a). A ``dot`` of w₁ … wₙ, a₁ … aₙ or an ``affine`` inside a
      tree is n pairs. If a tree contains two or more of these, they remain nodes: two added layers stay two layers.
   c. Let a tree have n pairs, and let k trees of the graph have n pairs. If n ≥ 2 and n·k ≥ 8, the top of the tree
      becomes a PRODUCT Σ w a + Σ s, and its pairs and the additions inside are FUSED, that is, part of it. A ``dot``
      or ``affine`` that is not FUSED is always a PRODUCT, however small.
   d. The top of any other tree with at least three terms, including zeros, becomes a SUM Σ s, and the additions
      inside are FUSED. Other nodes, such as a multiplication in a SUM or a single +, are PLAIN and keep their rule.
   e. In a pair, w is the parameter; if both factors are parameters, or neither, w is the first one. Pairs of
      multiplications come first. The singles s, also those of a SUM, are the terms that are neither FUSED nor 0, in
      the order in which the additions read them, followed by the b of ``affine``.
3. ``schedule`` gives each remaining node a *level*: 0 for leaves, else one more than the highest level of its
   operands. Nodes of one level, operation and number of operands form a *group*. The w of a PRODUCT are a *row*, as
   are its a; rows of w that meet the same rows of a form a *grid*, which is one matrix product (``matmuls``). Groups
   that are too small for an array are put on a *tape*, which runs their rules on floats one by one.
4. ``buffers`` gives each remaining node a *slot* in the arrays ``values`` and ``gradients``: first constants, then
   parameters, inputs, other leaves, and groups. Operands in equally spaced slots are a view; others are gathered.
5. ``operations`` turns each group into forward and backward steps; ``program`` feeds the inputs and runs the steps.

Worked by hand for z = w₁x₁ + w₂x₂ + b: the nodes are 0 w₁, 1 x₁, 2 w₁x₁, 3 w₂, 4 x₂, 5 w₂x₂, 6 the first +, 7 b, 8 z.
Nodes 2, 5, 6 and 7 are inside the tree of 8; its terms are 2, 5 and 7. With n = 2 and k = 1, n·k < 8, so node 8 is
not a PRODUCT (1) but a SUM (2). Node 6 is FUSED (−1), and all others are PLAIN (0).

>>> from autograd import tanh
>>> w, b, x = [Value(2.0), Value(3.0)], Value(1.0), [Value(4.0), Value(5.0)]
>>> program = record(w[0] * x[0] + w[1] * x[1] + b, inputs=[x], engine="replay")
>>> list(program.flat.parents)
[[], [], [0, 1], [], [], [3, 4], [2, 5], [], [6, 7]]
>>> program.plan.fused.kind.tolist(), list(program.plan.fused.terms)
([0, 0, 0, 0, 0, 0, -1, 0, 2], [[2, 5, 7]])

With four examples, n = 2 and k = 4 give 8, so each z is a PRODUCT. One row [w₁ w₂] meets four rows of inputs: this is
one matrix product. Slot 0 is the 0 of Python's ``sum``, slots 1 to 3 are w and b, and slots 4 to 11 are X.

>>> X = [[Value(1.0), Value(2.0)] for _ in range(4)]
>>> loss = sum(tanh(w[0] * x[0] + w[1] * x[1] + b) for x in X)
>>> program = record(loss, inputs=[X], parameters=[*w, b], engine="replay")
>>> list(program.plan.fused.w), list(program.plan.fused.a)
([[1, 4], [1, 4], [1, 4], [1, 4]], [[2, 5], [12, 14], [20, 22], [28, 30]])
>>> product, elementwise, tape = program.plan.groups
>>> product.out.tolist(), [operand.tolist() for operand in product.columns]
([12, 13, 14, 15], [[[[1, 2]]], [[[4, 5], [6, 7], [8, 9], [10, 11]]], [3, 3, 3, 3]])
>>> elementwise.out.tolist(), tape.out.tolist()
([16, 17, 18, 19], [20])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from autograd.value import Value

if TYPE_CHECKING:
    from autograd.replay.program import Program


def record(
    loss: Value, inputs: Sequence[Any] = (), parameters: Sequence[Value] | None = None, engine: str = "auto"
) -> Program:
    """Record the graph of a loss, so that it can run again with other numbers at the speed of arrays.

    A graph contains computations, not decisions. Each run feeds the inputs, and reads the present numbers of the
    parameters and all other leaves; constants, decisions (``if x > 0``) and numbers taken from ``.data`` stay as they
    were recorded. ``program.compare(loss)`` checks a program against a freshly built graph. A program stores the
    numbers of its latest run, so only one thread at a time may call it.

    loss         a Value computed from leaves; if its shape varies, keep one program per shape in a dict
    inputs       leaves, or (nested) lists of leaves, to which each run gives numbers
    parameters   leaves whose gradients are needed; by default, all leaves that are not inputs
    engine       "compiled" runs loops in machine code (extra ``fast``), "replay" operations on arrays, "eager" the
                 nodes themselves. "auto" chooses compiled loops if the extra is installed and the graph has several
                 hundred edges; else arrays, or the nodes themselves if groups are too small for arrays to be faster

    Raises TypeError for a loss that is not a Value, and ValueError for inputs and parameters that are not leaves or
    are given twice. "compiled" raises ImportError without the extra, and TypeError for a rule that cannot be
    compiled.

    >>> w, x, y = Value(2.0, "w"), Value(3.0, "x"), Value(5.0, "y")
    >>> program = record((w * x - y) ** 2, inputs=[x, y], parameters=[w])
    >>> program([4.0, 6.0]), program.gradient(w)
    (4.0, 16.0)
    """
    from autograd.replay.program import Program  # imports NumPy

    return Program(loss, inputs, parameters, engine)
