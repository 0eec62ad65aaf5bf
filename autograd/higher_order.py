"""Derivatives that can be differentiated again: forward and reverse mode with the table's rules run on Values."""

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
from autograd.text import counted, shown
from autograd.value import Operand, Value, apply, constant


@recording
def grad(f: Value, inputs: Value | Iterable[Value]) -> Any:
    """Return ∂f/∂x for each x in ``inputs``, as Values that can be differentiated again. Changes no ``grad``.

    inputs   a list of Values, or one Value for one derivative; any node of the graph is allowed, and the derivative
             with respect to a value that f does not depend on is 0

    Raises ValueError if a value has changed since f was computed, DomainError if a derivative is not finite.

    >>> x = Value(2.0, "x")
    >>> slope = grad(x**3, x)
    >>> curvature = grad(slope, x)
    >>> slope.data, curvature.data
    (12.0, 12.0)
    """
    if not isinstance(f, Value) and isinstance(f, Iterable):
        raise TypeError("grad differentiates one Value, not a list of them; jacobian takes a list of outputs")
    [f], wanted = _listed("grad", f), _listed("grad", inputs)
    order = topological_order(f)
    refuse_changed(f, order)
    slopes: dict[Value, Value] = {}
    infinite: list[Value] = []  # nodes whose local derivatives are not finite and are used

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

    with collector_paused(), holding(faults_wait, True):  # an infinity does no harm if a closed gate stops it
        for _ in sweep(order, defaultdict(list, {f: [constant(1.0)]}), carry):
            pass
    return _returned(slopes, wanted, infinite, isinstance(inputs, Value))


@recording
def jvp(outputs: Value | Iterable[Value], inputs: Value | Iterable[Value], direction: Any) -> Any:
    """Return J v, the rate of change of each output as the inputs move along ``direction``, in one forward sweep.

    direction   one number per input: a list, or a number if ``inputs`` is one Value

    Returns a Value for one output, else a list. Raises the same errors as ``grad``.

    >>> x, y = Value(2.0), Value(3.0)
    >>> jvp(x * y, [x, y], [1.0, 10.0]).data
    23.0
    """
    results, moved = _listed("jvp", outputs), _listed("jvp", inputs)
    given: dict[Value, list[Value]] = {}
    for x, rate in zip(moved, _numbers("jvp", direction, moved, "direction", "input")):
        given.setdefault(x, []).append(rate)
    rates: dict[Value, Value] = {}
    unmoved: set[Value] = set()  # nodes that do not move, because their rate is 0 or a closed gate stops it
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
                        still.append(x in unmoved or (gate and number_of(local) == 0.0))
                        if gate:
                            terms.append(values.gated(local, rates[x]))
                        else:
                            terms.append(values.times(local, rates[x]) if x in unmoved else rates[x] * local)
                rates[node] = terms[0] if len(terms) == 1 else apply(primitives.sum, *terms)
                if all(still):
                    unmoved.add(node)
                if not isfinite(rates[node].data):
                    infinite.append(node)
    return _returned(rates, results, infinite, isinstance(outputs, Value))


@recording
def vjp(outputs: Value | Iterable[Value], inputs: Value | Iterable[Value], weights: Any) -> Any:
    """Return uᵀ J, the derivative of Σ uᵢ outputᵢ with respect to each input, in one backward sweep.

    weights   one number uᵢ per output: a list, or a number if ``outputs`` is one Value

    >>> x, y = Value(2.0), Value(3.0)
    >>> [slope.data for slope in vjp([x * y, x + y], [x, y], [1.0, 10.0])]
    [13.0, 12.0]
    """
    results = _listed("vjp", outputs)
    u = _numbers("vjp", weights, results, "weights", "output")
    return grad(apply(primitives.sum, *[weight * output for weight, output in zip(u, results)]), inputs)


@recording
def hvp(f: Value, inputs: Value | Iterable[Value], direction: Any) -> Any:
    """Return H v for the Hessian H of f, by forward mode over the gradient; H itself is not computed.

    >>> x, y = Value(2.0), Value(3.0)
    >>> [entry.data for entry in hvp(x * x * y, [x, y], [1.0, 0.0])]
    [6.0, 4.0]
    """
    inputs = inputs if isinstance(inputs, Value) else _listed("hvp", inputs)
    return jvp(grad(f, inputs), inputs, direction)


@recording
def jacobian(outputs: Value | Iterable[Value], inputs: Value | Iterable[Value]) -> Any:
    """Return J with J[i][j] = ∂outputs[i]/∂inputs[j], one backward pass per output.

    A single Value instead of a list drops that dimension of J.

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
    """Return H with H[i][j] = ∂²f/∂inputs[i]∂inputs[j], symmetric if f is smooth; for one Value, ∂²f/∂x².

    >>> x, y = Value(2.0), Value(3.0)
    >>> [[entry.data for entry in row] for row in hessian(x * x * y, [x, y])]
    [[6.0, 4.0], [4.0, 0.0]]
    """
    inputs = inputs if isinstance(inputs, Value) else _listed("hessian", inputs)
    return jacobian(grad(f, inputs), inputs)


def carried(upstream: Value, local: Any, entry: Primitive) -> Value:
    """Return upstream · local as a node, following the rules of ``graph.carried``, as a replay does."""
    if entry.gate:
        return values.gated(local, upstream)
    has_infinite = isinstance(entry, values.Lenient) or entry.derivative_domains != entry.domains
    if has_infinite or not isfinite(number_of(local)):
        return values.times(local, upstream)
    return upstream * local  # type: ignore[no-any-return]


def _operands(node: Value) -> list[Operand]:
    """Return the node's operands for a rule, with constants as floats."""
    return [x if x.operation is None or x.parents else x.data for x in node.parents]


def _listed(function: str, nodes: Any) -> list[Value]:
    found = [nodes] if isinstance(nodes, Value) else list(nodes) if isinstance(nodes, Iterable) else [nodes]
    for node in found:
        if not isinstance(node, Value):
            remedy = "; pass the Value that it returns, as in grad(f(x), x)" if callable(node) else ""
            raise TypeError(f"{function} takes a Value or a list of Values, not {shown(node)}{remedy}")
    return found


def _numbers(function: str, numbers: Any, nodes: list[Value], role: str, of: str) -> list[Value]:
    given = list(numbers) if isinstance(numbers, Iterable) and getattr(numbers, "shape", None) != () else [numbers]
    if len(given) != len(nodes):
        has = f"{counted(len(given), 'number')} for {counted(len(nodes), of)}"
        raise ValueError(f"{function}: {role} has {has}; give one for each {of}")
    return [constant(x) for x in given]


def _returned(found: dict[Value, Value], wanted: list[Value], infinite: list[Value], is_alone: bool) -> Any:
    """Return the derivatives of ``wanted``. Raises DomainError if one is not finite."""
    results = [found[x] if x in found else constant(0.0) for x in wanted]
    if infinite and not all(isfinite(x.data) for x in results):
        first = infinite[0]
        is_overflow = all(isfinite(x.data) for x in first.parents)
        needs = broken_rule(first, derivative=True) or (
            "overflow beyond the largest float, 1.8e308" if is_overflow else "needs finite operands"
        )
        raise DomainError(f"no finite derivative of {situation(first)}: {needs}", first)
    return results[0] if is_alone else results
