"""NumPy, imported when an exercise first needs it: where there is none, as on some pages, the others work."""

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
