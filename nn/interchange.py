"""A model's numbers as NumPy arrays, under PyTorch's names and layouts, and back.

A parameter is a leaf here and an entry of a tensor there: ``layers.0.W``, rows "to", is ``0.weight``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.layers import MLP, Sequential
from nn.module import Module, flatten, shape
from nn.normalisation import BatchNorm

LEAVES = {
    "W": "weight", "b": "bias", "gamma": "weight", "beta": "bias", "mu_": "running_mean", "sigma2_": "running_var",
}  # fmt: skip
WITHOUT_A_NAME = (("layers", Sequential), ("net", MLP))  # in PyTorch
COUNTER = "num_batches_tracked"  # which PyTorch's BatchNorm1d keeps, and only reads where momentum is None


def numpy_state(model: Module) -> dict[str, Any]:
    """The parameters and statistics of a model, as ``state_dict`` of the same network in PyTorch would name them.

    A Sequential or an MLP is a ``torch.nn.Sequential`` of the same layers; in a module of your own the path of
    attributes stays. ``net.load_state_dict({k: torch.from_numpy(a) for k, a in numpy_state(model).items()})``
    passes them on. Raises ValueError where two would have the same name.

    >>> from nn import BatchNorm, Linear
    >>> {name: array.shape for name, array in numpy_state(Sequential(BatchNorm(3), Linear(3, 2))).items()
    ...  if name.endswith(("weight", "bias"))}
    {'0.weight': (3,), '0.bias': (3,), '1.weight': (2, 3), '1.bias': (2,)}
    """
    state = model.state_dict()
    return {name: np.array(state[path] if path else 0) for name, path in _paths(model).items()}


def numpy_gradients(model: Module) -> dict[str, NDArray[np.float64]]:
    """∂L/∂w of every parameter after ``backward``, named and laid out as in ``numpy_state``.

    >>> model = MLP(2, [1])
    >>> model([3.0, 4.0]).backward()
    >>> numpy_gradients(model)["0.weight"].tolist()
    [[3.0, 4.0]]
    """
    tensors = model.tensors()
    return {
        name: np.array([p.grad for p in flatten(tensors[path])]).reshape(shape(tensors[path]))
        for name, path in _paths(model).items()
        if path in tensors
    }


def load_numpy_state(model: Module, arrays: Mapping[str, Any]) -> None:
    """Set every parameter and statistic from arrays or tensors of PyTorch's names and shapes, of any float type.

    Raises ValueError or TypeError, and changes nothing, where a name is missing or unknown, a shape differs or a
    number is not finite; ``num_batches_tracked`` may be missing.

    >>> model = MLP(1, [1])
    >>> load_numpy_state(model, {"0.weight": np.float32([[0.5]]), "0.bias": [2.0]})
    >>> model([3.0]).data
    3.5
    """
    own, state = model.state_dict(), {}
    paths = {name: path for name, path in _paths(model).items() if path}
    given = {name: array for name, array in arrays.items() if name.rpartition(".")[2] != COUNTER}
    if wrong := [name for name in (*paths, *given) if (name in paths) != (name in given)]:
        which = "missing" if wrong[0] in paths else "unknown"
        raise ValueError(
            f"{wrong[0]} is {which}: the model needs {', '.join(paths)}; the arrays are {', '.join(given)}"
        )
    for name, path in paths.items():
        tensor = given[name]
        if hasattr(tensor, "detach"):  # PyTorch's
            tensor = tensor.detach().cpu().double()
        array, needed = np.asarray(tensor), np.shape(own[path])
        if array.dtype.kind not in "fiu":
            raise TypeError(f"{name} holds {array.dtype}: it needs real numbers")
        if array.shape != needed:
            raise ValueError(
                f"{name} has the shape {array.shape}: the model needs {needed}, a row for each unit that it computes"
            )
        if not np.isfinite(array).all():
            raise ValueError(f"{name} holds {array[~np.isfinite(array)][0]}: every number needs to be finite")
        state[path] = array.astype(np.float64)
    model.load_state_dict(state)


def _paths(model: Module) -> dict[str, str]:
    """Our path of each array by PyTorch's name, in PyTorch's order; "" for a counter, which we do not keep."""
    modules = {"": model, **model.submodules()}
    places, found = list(modules), []
    for path in (*model.tensors(), *model.buffers()):
        names, here, owner = [], "", ""
        for word in path.split("."):
            here = f"{here}.{word}".lstrip(".")
            if (word, True) not in ((w, isinstance(modules[owner], kind)) for w, kind in WITHOUT_A_NAME):
                names.append(word)
            owner = here if here in modules else owner
        *above, leaf = names
        found.append((places.index(owner), ".".join([*above, LEAVES.get(leaf, leaf)]), path))
        if leaf == "sigma2_" and isinstance(modules[owner], BatchNorm):
            found.append((places.index(owner), ".".join([*above, COUNTER]), ""))
    paths: dict[str, str] = {}
    for _, name, path in sorted(found, key=lambda entry: entry[0]):
        if paths.setdefault(name, path) != path:
            raise ValueError(f"{paths[name]} and {path} would both be called {name}: rename one of the attributes")
    return paths
