"""A Value knows its parents and its local derivatives; ``backward`` multiplies and adds."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Any, SupportsFloat

from autograd import primitives
from autograd.graph import topological_order
from autograd.number_systems import floats
from autograd.primitives import CONSTANT_NUMBER, Primitive


def reflected(primitive: Primitive) -> Callable[[Any, Operand], Value]:
    """2 * x asks x, which gives mul(2, x)."""
    return lambda self, other: binary(primitive, other, self)


class Value:
    """A number and where it came from.

    data        the number
    grad        ∂L/∂(this value), once ``L.backward()`` has run
    operation   the primitive that made it; None for an input
    name        what texts and drawings call it

    >>> x, y = Value(3.0), Value(4.0)
    >>> (x * y).backward()
    >>> x.grad, y.grad
    (4.0, 3.0)
    """

    # one or two parents sit in the node itself, more in tuples: without those a scalar graph takes a quarter less
    # memory, and a third less time where the cycle collector runs, which would have to visit each tuple
    __slots__ = ("_dx", "_dy", "_x", "_y", "data", "grad", "name", "operation")
    __array_ufunc__ = None  # np.float64(2) * Value(3) asks Value, not NumPy

    def __init__(self, data: Operand, name: str | None = None) -> None:
        self.data: float = data if data.__class__ is float else floats.number(data)
        self.grad = 0.0
        self._x: Any = ()
        self._dx: Any = ()
        self._y = self._dy = None
        self.operation: Primitive | None = None
        if name is not None and not isinstance(name, str):
            raise TypeError(f"a name of {name!r}: it needs text, as Value(2.0, 'r')")
        self.name = name

    @property
    def parents(self) -> tuple[Value, ...]:
        """The values that it was computed from."""
        x, y = self._x, self._y
        return (x, y) if y is not None else x if x.__class__ is tuple else (x,)

    @property
    def local_derivatives(self) -> tuple[float, ...]:
        """∂(this value)/∂(parent), one for each parent."""
        dx, dy = self._dx, self._dy
        return (dx, dy) if dy is not None else dx if dx.__class__ is tuple else (dx,)

    @property
    def edges(self) -> Iterable[tuple[Value, float]]:
        """(parent, local derivative) for each parent."""
        if self._dy is not None:  # said apart, it makes the backward pass a fifth faster
            return (self._x, self._dx), (self._y, self._dy)
        return zip(self.parents, self.local_derivatives)

    def backward(self) -> None:
        """∂L/∂parent += ∂L/∂node · ∂node/∂parent, from this value (L) back; leaves add to the grad they have."""
        with collector_paused():
            order = topological_order(self)
            for node in order:
                if node.operation is not None:
                    node.grad = 0.0
            self.grad += 1.0  # ∂L/∂L
            for node in reversed(order):
                upstream = node.grad
                if upstream:  # nothing from upstream is nothing, even times an infinite local derivative
                    for parent, local in node.edges:
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

    def __neg__(self) -> Value:
        return apply(primitives.neg, self)

    def __pos__(self) -> Value:
        return apply(primitives.identity, self)

    def __abs__(self) -> Value:
        return apply(primitives.abs, self)

    def exp(self) -> Value:
        return apply(primitives.exp, self)

    def tanh(self) -> Value:
        return apply(primitives.tanh, self)

    def relu(self) -> Value:
        return apply(primitives.relu, self)

    def __lt__(self, other: Operand) -> bool:  # comparisons look at data; equality stays identity
        return self.data < Value(other).data

    def __le__(self, other: Operand) -> bool:
        return self.data <= Value(other).data

    def __gt__(self, other: Operand) -> bool:
        return self.data > Value(other).data

    def __ge__(self, other: Operand) -> bool:
        return self.data >= Value(other).data

    def __float__(self) -> float:
        return self.data

    def __bool__(self) -> bool:
        return self.data != 0.0

    def __reduce__(self) -> Any:
        if self.parents:  # copied by recursion, a deep graph would not fit on any stack
            raise TypeError(f"{self!r} was computed: copy its leaves and compute again; state_dict() keeps a model")
        return Value, (self.data, self.name), (None, {"grad": self.grad})

    def __repr__(self) -> str:
        return f"Value({self.data!r}{f', {self.name!r}' if self.name else ''}, grad={self.grad!r})"


Operand = Value | SupportsFloat
_new: Any = object.__new__
_not_recording: set[int] = set()  # the threads that are inside no_grad


def apply(primitive: Primitive, *operands: Operand) -> Value:
    """Run a rule on floats and record what it returns; DomainError where finite operands give no finite value."""
    nodes = tuple([x if x.__class__ is Value else constant(x) for x in operands])
    return node_of(primitive, nodes, [x.data for x in nodes])


def node_of(primitive: Primitive, parents: tuple[Any, ...], data: list[float]) -> Value:
    """``apply`` for operands that are Values, and whose data the caller has at hand."""
    value, local_derivatives = primitive.rule(floats, *data)
    if len(parents) > 2:
        return _record(primitive, value, parents, local_derivatives)
    return _record(primitive, value, parents[0], local_derivatives[0], *parents[1:], *local_derivatives[1:])


def binary(primitive: Primitive, x: Any, y: Any) -> Value:
    """``apply`` for two operands, a third faster: most of a scalar graph is made here."""
    x = x if x.__class__ is Value else constant(x)
    y = y if y.__class__ is Value else constant(y)
    value, (dx, dy) = primitive.rule(floats, x.data, y.data)
    return _record(primitive, value, x, dx, y, dy)


def _record(primitive: Primitive, value: float, x: Any, dx: Any, y: Any = None, dy: Any = None) -> Value:
    node: Value = _new(Value)
    node.data, node.grad = value, 0.0
    node._x, node._dx, node._y, node._dy = x, dx, y, dy
    node.operation = primitive
    node.name = None
    if value - value != 0.0:  # infinite or NaN
        primitive.check_fault(node)
    return constant(value) if _not_recording and get_ident() in _not_recording else node


Primitive.record = staticmethod(apply)


def constant(number: Operand) -> Value:
    """A number in an expression: a leaf that is no input."""
    node = Value(number)
    node.operation = CONSTANT_NUMBER
    return node


@contextmanager
def no_grad() -> Iterator[None]:
    """Inside, this thread's operations compute numbers and record no graph. Nests."""
    thread = get_ident()
    outermost = thread not in _not_recording
    _not_recording.add(thread)
    try:
        yield
    finally:
        if outermost:
            _not_recording.discard(thread)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Inside, Python's cycle collector rests: a graph has no cycles to find. Nests; restores what was."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
