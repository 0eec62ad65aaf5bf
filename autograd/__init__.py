"""A scalar reverse-mode autodiff engine, and the readers that explain, draw, walk and replay its graphs.

A node knows its parents and its local derivatives; the backward pass multiplies and adds.

>>> from autograd import Value, named
>>> r, s = Value(2.0, "r"), Value(3.0, "s")
>>> x, y, z = named(x=r, y=r * s, z=s)
>>> f = named(f=x * y * z)
>>> f.backward()
>>> r.grad, s.grad
(36.0, 24.0)

The import loads only the engine; everything else is loaded on first use.
"""

from __future__ import annotations

import builtins
from importlib import import_module
from typing import TYPE_CHECKING, Any

from autograd.modes import collector_paused as collector_paused, no_grad as no_grad
from autograd.table import primitive as primitive
from autograd.value import Value as Value

if TYPE_CHECKING:
    from autograd.adopting.readings import adopt as adopt
    from autograd.anomaly import detect_anomaly as detect_anomaly
    from autograd.checking import GradientError as GradientError, gradcheck as gradcheck
    from autograd.drawing import draw as draw, draw_dot as draw_dot
    from autograd.engine_checks import check_engine as check_engine
    from autograd.errors import AnomalyError as AnomalyError, DomainError as DomainError
    from autograd.explanation import explain as explain
    from autograd.explanation.narration import narrate as narrate
    from autograd.explanation.path_sums import paths as paths
    from autograd.functions import *  # noqa: F403
    from autograd.functions import Function
    from autograd.higher_order import *  # noqa: F403
    from autograd.replay import record as record
    from autograd.walking import walk as walk

__version__ = "0.2.0"  # of the distribution, which pyproject.toml reads here

_HOMES = {
    "AnomalyError": "errors", "DomainError": "errors", "GradientError": "checking", "adopt": "adopting.readings",
    "check_engine": "engine_checks", "detect_anomaly": "anomaly", "draw": "drawing", "draw_dot": "drawing",
    "explain": "explanation", "gradcheck": "checking", "narrate": "explanation.narration",
    "paths": "explanation.path_sums", "record": "replay", "walk": "walking",
    **dict.fromkeys(("grad", "hessian", "hvp", "jacobian", "jvp", "vjp"), "higher_order"),
}  # fmt: skip


def __getattr__(name: str) -> Function:
    """Load a reader or a function on Values on first use."""
    if name == "__all__":  # ``from autograd import *`` must not shadow Python's sum, abs and pow
        functions = _names_of(import_module("autograd.functions"))
        public = {"Value", "collector_paused", "no_grad", "primitive", *_HOMES, *functions}
        return sorted(public - set(dir(builtins)))  # type: ignore[return-value]
    if not name.startswith("_"):
        home = import_module(f"autograd.{_HOMES.get(name, 'functions')}")
        if name in _HOMES or name in _names_of(home):
            return getattr(home, name)  # type: ignore[no-any-return]
    raise AttributeError(f"module 'autograd' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*_HOMES, *_names_of(import_module("autograd.functions")), *globals()})


def _names_of(functions: Any) -> set[str]:
    """Return the names that the module defines or takes from the table; names that it merely imports are left out."""
    return {
        name for name, f in vars(functions).items()
        if (getattr(f, "__module__", "") == functions.__name__ or name in functions.TABLE) and name[0] != "_"
    }  # fmt: skip
