"""``Value``: a node whose operators build the graph, and whose ``backward`` applies the chain rule."""

from __future__ import annotations

from collections.abc import Callable
from operator import ge, gt, le, lt
from typing import Any, NoReturn, SupportsFloat

from autograd import primitives
from autograd.errors import MICROGRAD, REPLACEMENTS, Elsewhere, name_among
from autograd.graph import topological_order
from autograd.modes import collector_paused, entered, faults_wait, no_grad
from autograd.node import Node
from autograd.number_systems import floats
from autograd.operands import number_of, plain, stranger
from autograd.table import CONSTANT_NUMBER, Primitive, recorder
from autograd.text import printable


def reflected(primitive: Primitive) -> Callable[[Any, Operand], Value]:
    """Return a reflected operator: Python evaluates 2 * x as x.__rmul__(2), which returns mul(2, x)."""
    return lambda self, other: binary(primitive, other, self)


def method(primitive: Primitive) -> Callable[[Any], Value]:
    """Return an entry of the table as a method: x.tanh() is tanh(x)."""

    def run(self: Any) -> Value:
        return unary(primitive, self)

    run.__name__ = run.__qualname__ = primitive.name
    run.__doc__ = (primitive.__doc__ or "").partition("\n")[0]
    return run


def comparison(compares: Callable[[float, float], bool]) -> Callable[[Any, Operand], Any]:
    """Return a comparison of numbers, such as x < y; == still compares identity."""

    def compare(self: Value, other: Operand) -> Any:
        try:
            return compares(self._data, number_of(other))
        except TypeError:
            return stranger(other)

    return compare


class Value(Node):
    """A number and where it came from.

    data        the number; assignment converts it to float, or raises TypeError
    grad        ∂L/∂(this value), once ``L.backward()`` has run
    operation   the primitive that computed it; None for an input
    name        its label in texts and drawings

    >>> x, y = Value(3.0), Value(4.0)
    >>> (x * y).backward()
    >>> x.grad, y.grad
    (4.0, 3.0)
    """

    __slots__ = ()
    operation: Primitive | None
    vars().update({name: Elsewhere(name) for name in REPLACEMENTS} | MICROGRAD)  # __getattr__ would be slower

    def __init__(self, data: SupportsFloat, name: str | None = None, **elsewhere: Any) -> None:
        self._data = data if data.__class__ is float else plain(data)
        self.grad = 0.0
        self._x = self._dx = ()
        self._y = self._dy = self.operation = None
        if elsewhere:
            name = name_among(name, **elsewhere)
        if name is not None and not isinstance(name, str):
            raise TypeError(f"a name must be text, as in Value(2.0, 'r'), not {name!r}")
        self.name = name

    @property
    def data(self) -> float:
        """The number. Values computed from it keep their old numbers until they are computed again."""
        return self._data

    @data.setter
    def data(self, number: SupportsFloat) -> None:
        self._data = number if number.__class__ is float else plain(number)

    def backward(self) -> None:
        """Run the backward pass from this value, L: ∂L/∂parent += ∂L/∂node · ∂node/∂parent. Leaves accumulate."""
        with collector_paused():
            order = topological_order(self)
            for node in order:
                if node.operation is not None:
                    node.grad = 0.0
                elif node.grad.__class__ is not float:
                    node.grad = plain(node.grad)  # None or float32 in a leaf would corrupt the sum
            self.grad += 1.0  # ∂L/∂L
            for node in reversed(order):
                upstream = node.grad
                if upstream:  # an upstream of 0 contributes 0, even if the local derivative is infinite
                    for parent, local in node.edges if upstream - upstream == 0.0 else node.open_edges:
                        parent.grad += upstream * local

    def __add__(self, other: Operand) -> Value:
        return binary(primitives.add, self, other)

    def __sub__(self, other: Operand) -> Value:
        return binary(primitives.sub, self, other)

    def __mul__(self, other: Operand) -> Value:
        return binary(primitives.mul, self, other)

    def __truediv__(self, other: Operand) -> Value:
        return binary(primitives.div, self, other)

    def __pow__(self, other: Operand) -> Value:
        return binary(primitives.pow if isinstance(other, Value) else primitives.power, self, other)

    __radd__ = reflected(primitives.add)
    __rsub__ = reflected(primitives.sub)
    __rmul__ = reflected(primitives.mul)
    __rtruediv__ = reflected(primitives.div)
    __rpow__ = reflected(primitives.pow)

    __neg__ = method(primitives.neg)
    __pos__ = method(primitives.identity)
    __abs__ = abs = method(primitives.abs)
    acos = method(primitives.acos)
    asin = method(primitives.asin)
    atan = method(primitives.atan)
    cos = method(primitives.cos)
    cosh = method(primitives.cosh)
    detach = method(primitives.detach)
    elu = method(primitives.elu)
    erf = method(primitives.erf)
    erfc = method(primitives.erfc)
    exp = method(primitives.exp)
    expm1 = method(primitives.expm1)
    floor = method(primitives.floor)
    gelu = method(primitives.gelu)
    log = method(primitives.log)
    log1p = method(primitives.log1p)
    log2 = method(primitives.log2)
    log_sigmoid = method(primitives.log_sigmoid)
    relu = method(primitives.relu)
    sigmoid = method(primitives.sigmoid)
    sign = method(primitives.sign)
    silu = method(primitives.silu)
    sin = method(primitives.sin)
    sinh = method(primitives.sinh)
    softplus = method(primitives.softplus)
    sqrt = method(primitives.sqrt)
    tan = method(primitives.tan)
    tanh = method(primitives.tanh)

    __lt__, __le__, __gt__, __ge__ = comparison(lt), comparison(le), comparison(gt), comparison(ge)

    def __bool__(self) -> bool:
        return self._data != 0.0

    def __float__(self, digits: int | None = None) -> NoReturn:
        raise TypeError(
            f"{self!r} would leave the graph: math.exp, float, int and round record no node; write x.data for the "
            "number, or autograd.exp(x) to stay in the graph"
        )

    __round__ = __int__ = __complex__ = __trunc__ = __floor__ = __ceil__ = __float__

    def __format__(self, spec: str) -> str:
        return format(self._data, spec) if spec else str(self)

    def __reduce__(self) -> Any:
        if self.parents:  # a recursive copy of a deep graph would overflow the stack
            raise TypeError(f"{self!r} was computed: copy its leaves and recompute it; state_dict() saves a model")
        return constant if self.operation else Value, (self._data,), (None, {"name": self.name, "grad": self.grad})

    def __repr__(self) -> str:
        return f"Value({self._data!r}{f', {printable(repr(self.name))}' if self.name else ''}, grad={self.grad!r})"


Operand = Value | SupportsFloat
_new: Any = object.__new__  # instrument.py replaces this, __init__ and backward inside detect_anomaly()


@recorder
def apply(primitive: Primitive, *operands: Operand) -> Value:
    """Run a rule on floats and record a node. Raises DomainError if finite operands give no finite value."""
    nodes = tuple([x if x.__class__ is Value else constant(x) for x in operands])
    return node_of(primitive, nodes, [x._data for x in nodes])


def node_of(primitive: Primitive, parents: tuple[Any, ...], data: list[float]) -> Value:
    """Like ``apply``, for operands that are Values and whose data the caller has already read."""
    value, local_derivatives = primitive.rule(floats, *data)
    if len(parents) > 2:
        return _record(primitive, value, parents, local_derivatives)
    return _record(primitive, value, parents[0], local_derivatives[0], *parents[1:], *local_derivatives[1:])


def unary(primitive: Primitive, x: Value) -> Value:
    """Like ``apply``, for one operand that is a Value, in half the time."""
    value, (dx,) = primitive.rule(floats, x._data)
    return _record(primitive, value, x, dx)


def binary(primitive: Primitive, x: Any, y: Any) -> Value:
    """Like ``apply``, for two operands, a third faster: it creates most nodes of a scalar graph."""
    try:
        x = x if x.__class__ is Value else constant(x)
        y = y if y.__class__ is Value else constant(y)
    except TypeError:
        return stranger(y if isinstance(x, Value) else x)  # type: ignore[no-any-return]
    value, (dx, dy) = primitive.rule(floats, x._data, y._data)
    return _record(primitive, value, x, dx, y, dy)


def _record(primitive: Primitive, value: float, x: Any, dx: Any, y: Any = None, dy: Any = None) -> Value:
    node: Value = _new(Value)
    node._data, node.grad = value, 0.0
    node._x, node._dx, node._y, node._dy = x, dx, y, dy
    node.operation, node.name = primitive, None
    if value - value != 0.0 and not faults_wait.get():  # infinite or NaN
        primitive.check_fault(node)
    return constant(value) if entered and no_grad.depth.get() else node


def constant(number: Operand) -> Value:
    """Return a number of an expression as a node: a leaf that is not an input."""
    if isinstance(number, Value):  # of a subclass
        return number
    node = Value(number)
    node.operation = CONSTANT_NUMBER
    return node
