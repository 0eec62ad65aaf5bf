"""Derivatives that can be differentiated again: both modes, with the table's rules run on Values, not on floats."""

from collections import defaultdict
from collections.abc import Iterable
from math import isfinite
from typing import Any

from autograd import primitives
from autograd.errors import DomainError, broken_rule, situation
from autograd.graph import sweep, topological_order
from autograd.modes import collector_paused, faults_wait, holding, recording
from autograd.number_systems import values
from autograd.operands import number_of
from autograd.staleness import refuse_changed
from autograd.table import Primitive
from autograd.text import shown
from autograd.value import Operand, Value, apply, constant


@recording
def grad(f: Value, inputs: Value | Iterable[Value]) -> Any:
    """∂f/∂x for every x of ``inputs``, each a Value with a graph of its own; touches no ``grad``.

    inputs   a list of Values, or one Value, whose derivative is then returned alone; any node of the graph, and what
             f does not depend on has the derivative 0

    Raises ValueError where a value has changed since f was computed, DomainError where a derivative is not finite.

    >>> x = Value(2.0, "x")
    >>> slope = grad(x**3, x)
    >>> curvature = grad(slope, x)
    >>> slope.data, curvature.data
    (12.0, 12.0)
    """
    if not isinstance(f, Value) and isinstance(f, Iterable):
        raise TypeError("grad of several Values: it differentiates one; jacobian takes a list of outputs")
    [f], wanted = _listed("grad", f), _listed("grad", inputs)
    order = topological_order(f)
    refuse_changed(f, order)
    slopes: dict[Value, Value] = {}
    infinite: list[Value] = []  # the nodes whose local derivatives are not finite, and take part

    def carry(node: Value, arriving: list[Value]) -> list[tuple[Value, Any, list[Value]]]:
        slopes[node] = upstream = arriving[0] if len(arriving) == 1 else apply(primitives.sum, *arriving)
        edges: list[tuple[Value, Any, list[Value]]] = []
        if node.operation is not None and node.parents:
            _, local_derivatives = node.operation.rule(values, *_operands(node))
            for parent, local in zip(node.parents, local_derivatives):
                if isinstance(local, Value) or local != 0.0:
                    product = carried(upstream, local, node.operation)
                    if isfinite(upstream.data) and not isfinite(product.data):
                        infinite.append(node)
                    edges.append((parent, local, [product]))
        return edges

    with collector_paused(), holding(faults_wait, True):  # an infinity on the way does no harm where a gate is shut
        for _ in sweep(order, defaultdict(list, {f: [constant(1.0)]}), carry):
            pass
    return _returned(slopes, wanted, infinite, isinstance(inputs, Value))


@recording
def jvp(outputs: Value | Iterable[Value], inputs: Value | Iterable[Value], direction: Any) -> Any:
    """J v: how fast each output changes where the inputs move along ``direction``, in one sweep forward.

    direction   a number for each input, of any kind; one number for one Value

    Returns a Value for one output, else a list. Raises as ``grad`` does.

    >>> x, y = Value(2.0), Value(3.0)
    >>> jvp(x * y, [x, y], [1.0, 10.0]).data
    23.0
    """
    results, moved = _listed("jvp", outputs), _listed("jvp", inputs)
    given: dict[Value, list[Value]] = {}
    for x, rate in zip(moved, _numbers("jvp", direction, moved, "direction", "inputs")):
        given.setdefault(x, []).append(rate)
    rates: dict[Value, Value] = {}
    shut: set[Value] = set()  # the nodes that do not move, since they are not meant to, or behind a shut gate
    infinite: list[Value] = []
    with holding(faults_wait, True):
        for output in results:
            order = topological_order(output)
            refuse_changed(output, order)
            for node in order:
                moving = [i for i, x in enumerate(node.parents) if x in rates]
                if node in rates or not (moving or node in given):
                    continue
                terms = list(given.get(node, []))
                still = [rate.data == 0.0 for rate in terms]
                if moving and node.operation is not None:
                    _, local_derivatives = node.operation.rule(values, *_operands(node))
                    for i in moving:
                        x, local, gate = node.parents[i], local_derivatives[i], node.operation.gate
                        still.append(x in shut or (gate and number_of(local) == 0.0))
                        if gate:
                            terms.append(values.gated(local, rates[x]))
                        else:
                            terms.append(values.times(local, rates[x]) if x in shut else rates[x] * local)
                rates[node] = terms[0] if len(terms) == 1 else apply(primitives.sum, *terms)
                if all(still):
                    shut.add(node)
                if not isfinite(rates[node].data):
                    infinite.append(node)
    return _returned(rates, results, infinite, isinstance(outputs, Value))


@recording
def vjp(outputs: Value | Iterable[Value], inputs: Value | Iterable[Value], weights: Any) -> Any:
    """uᵀ J: the derivative of Σ uᵢ outputᵢ for each input, in one sweep backward.

    weights   a number uᵢ for each output; one number for one Value

    >>> x, y = Value(2.0), Value(3.0)
    >>> [slope.data for slope in vjp([x * y, x + y], [x, y], [1.0, 10.0])]
    [13.0, 12.0]
    """
    results = _listed("vjp", outputs)
    u = _numbers("vjp", weights, results, "weights", "outputs")
    return grad(apply(primitives.sum, *[weight * output for weight, output in zip(u, results)]), inputs)


@recording
def hvp(f: Value, inputs: Value | Iterable[Value], direction: Any) -> Any:
    """H v for the Hessian H of f: forward mode on the gradient, without the matrix.

    >>> x, y = Value(2.0), Value(3.0)
    >>> [entry.data for entry in hvp(x * x * y, [x, y], [1.0, 0.0])]
    [6.0, 4.0]
    """
    inputs = inputs if isinstance(inputs, Value) else _listed("hvp", inputs)
    return jvp(grad(f, inputs), inputs, direction)


@recording
def jacobian(outputs: Value | Iterable[Value], inputs: Value | Iterable[Value]) -> Any:
    """J with J[i][j] = ∂outputs[i]/∂inputs[j], one backward pass for each output; one Value instead of a list is no
    row, or no column.

    >>> x, y = Value(2.0), Value(3.0)
    >>> [[entry.data for entry in row] for row in jacobian([x * y, x + y], [x, y])]
    [[3.0, 2.0], [1.0, 1.0]]
    """
    inputs = inputs if isinstance(inputs, Value) else _listed("jacobian", inputs)
    if isinstance(outputs, Value):
        return grad(outputs, inputs)
    return [grad(output, inputs) for output in _listed("jacobian", outputs)]


@recording
def hessian(f: Value, inputs: Value | Iterable[Value]) -> Any:
    """H with H[i][j] = ∂²f/∂inputs[i]∂inputs[j]; symmetric where f is smooth. For one Value, its second derivative.

    >>> x, y = Value(2.0), Value(3.0)
    >>> [[entry.data for entry in row] for row in hessian(x * x * y, [x, y])]
    [[6.0, 4.0], [4.0, 0.0]]
    """
    inputs = inputs if isinstance(inputs, Value) else _listed("hessian", inputs)
    return jacobian(grad(f, inputs), inputs)


def carried(upstream: Value, local: Any, entry: Primitive) -> Value:
    """upstream · local as a node, by the two rules of ``graph.carried``: right where it is run again, too."""
    if entry.gate:
        return values.gated(local, upstream)
    has_infinite = isinstance(entry, values.Lenient) or entry.derivative_domains != entry.domains
    if has_infinite or not isfinite(number_of(local)):
        return values.times(local, upstream)
    return upstream * local  # type: ignore[no-any-return]


def _operands(node: Value) -> list[Operand]:
    """The node's operands for a rule: constants as floats."""
    return [x if x.operation is None or x.parents else x.data for x in node.parents]


def _listed(function: str, nodes: Any) -> list[Value]:
    found = [nodes] if isinstance(nodes, Value) else list(nodes) if isinstance(nodes, Iterable) else [nodes]
    for node in found:
        if not isinstance(node, Value):
            remedy = "; give the Value that it computes, as in grad(f(x), x)" if callable(node) else ""
            raise TypeError(f"{function} of {shown(node)}: it takes Values, one or in a list{remedy}")
    return found


def _numbers(function: str, numbers: Any, nodes: list[Value], role: str, of: str) -> list[Value]:
    given = list(numbers) if isinstance(numbers, Iterable) and getattr(numbers, "shape", None) != () else [numbers]
    if len(given) != len(nodes):
        raise ValueError(f"{function}: {len(given)} numbers as {role} for {len(nodes)} {of}; give one for each")
    return [constant(x) for x in given]


def _returned(found: dict[Value, Value], wanted: list[Value], infinite: list[Value], is_alone: bool) -> Any:
    """What a caller gets; DomainError, which names the first node of ``infinite``, where it is not finite."""
    results = [found[x] if x in found else constant(0.0) for x in wanted]
    if infinite and not all(isfinite(x.data) for x in results):
        first = infinite[0]
        is_overflow = all(isfinite(x.data) for x in first.parents)
        needs = broken_rule(first, derivative=True) or (
            "overflow beyond the largest float, 1.8e308" if is_overflow else "needs finite operands"
        )
        raise DomainError(f"no finite derivative of {situation(first)}: {needs}", first)
    return results[0] if is_alone else results
