"""Derivatives that can be differentiated again: the backward pass with the rules run on Values, not on floats."""

from __future__ import annotations

from collections.abc import Sequence

from autograd.errors import DomainError, called
from autograd.functions import sum
from autograd.graph import topological_order
from autograd.number_systems import values
from autograd.value import Value, constant


def grad(f: Value, inputs: Sequence[Value]) -> list[Value]:
    """∂f/∂x for every x of ``inputs``, each a Value with a graph of its own; touches no ``grad``.

    The graph is differentiated at its present ``data``. An input may be any node; f need not depend on it.

    >>> x = Value(2.0, "x")
    >>> [slope] = grad(x**3, [x])
    >>> [curvature] = grad(slope, [x])
    >>> slope.data, curvature.data
    (12.0, 12.0)
    """
    flow: dict[Value, list[Value]] = {f: [constant(1.0)]}  # what arrives at each node, still to be added up
    total: dict[Value, Value] = {}
    for node in reversed(topological_order(f)):
        if node not in flow:
            continue
        arriving = flow.pop(node)
        total[node] = upstream = arriving[0] if len(arriving) == 1 else sum(arriving)
        if node.operation is None or not node.parents:
            continue
        operands = [x if x.operation is None or x.parents else x.data for x in node.parents]  # constants as floats
        try:
            _, local_derivatives = node.operation.rule(values, *operands)
        except DomainError as error:
            at = ", ".join(f"{called(x.name, 'an operand')} = {x.data!r}" for x in node.parents[:6])
            raise DomainError(f"no finite derivative of {node.operation.name} at {at}: {error}") from None
        for parent, local in zip(node.parents, local_derivatives):
            if isinstance(local, Value) or local != 0.0:
                flow.setdefault(parent, []).append(upstream * local)
    return [total[x] if x in total else constant(0.0) for x in inputs]


def jacobian(outputs: Sequence[Value], inputs: Sequence[Value]) -> list[list[Value]]:
    """J with J[i][j] = ∂outputs[i]/∂inputs[j], one backward pass for each output.

    >>> x, y = Value(2.0), Value(3.0)
    >>> [[entry.data for entry in row] for row in jacobian([x * y, x + y], [x, y])]
    [[3.0, 2.0], [1.0, 1.0]]
    """
    return [grad(output, inputs) for output in outputs]


def hessian(f: Value, inputs: Sequence[Value]) -> list[list[Value]]:
    """H with H[i][j] = ∂²f/∂inputs[i]∂inputs[j]; symmetric where f is smooth.

    >>> x, y = Value(2.0), Value(3.0)
    >>> [[entry.data for entry in row] for row in hessian(x * x * y, [x, y])]
    [[6.0, 4.0], [4.0, 0.0]]
    """
    return jacobian(grad(f, inputs), inputs)
