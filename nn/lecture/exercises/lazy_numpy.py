"""Imports NumPy when an exercise first uses it, so that the others run without NumPy, as on some web pages."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = ["Array", "np"]

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
else:

    class _NumPy:
        def __getattr__(self, name: str) -> Any:
            return getattr(import_module("numpy"), name)

    np, Array = _NumPy(), Any
