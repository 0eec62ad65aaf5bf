"""Exchanges parameters, statistics and gradients with PyTorch, as NumPy arrays that follow its names and layouts.

``layers.0.W``, nested lists of leaves here, is the tensor ``0.weight`` in PyTorch, of the same shape (to, from).
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.layers import MLP, Sequential
from nn.module import Module, flatten, shape

LEAVES = {
    "W": "weight", "b": "bias", "gamma": "weight", "beta": "bias", "mu_": "running_mean", "sigma2_": "running_var",
}  # fmt: skip
COUNTER = "num_batches_tracked"  # a buffer of PyTorch's BatchNorm1d, which is only read if momentum is None


def numpy_state(model: Module) -> dict[str, Any]:
    """Return the parameters and statistics of a model, named as in the ``state_dict`` of the same network in PyTorch.

    A Sequential or an MLP corresponds to a ``torch.nn.Sequential`` of the same layers; your own modules keep their
    attribute paths. ``net.load_state_dict({k: torch.from_numpy(a) for k, a in numpy_state(model).items()})`` loads
    them into PyTorch. Raises ValueError if two would have the same name.

    >>> from nn import BatchNorm, Linear
    >>> {name: array.shape for name, array in numpy_state(Sequential(BatchNorm(3), Linear(3, 2))).items()
    ...  if name.endswith(("weight", "bias"))}
    {'0.weight': (3,), '0.bias': (3,), '1.weight': (2, 3), '1.bias': (2,)}
    """
    state = model.state_dict()
    arrays = {name: np.array(state[path]) for name, path in _paths(model).items()}
    counters = {name.replace("running_var", COUNTER): np.array(0) for name in arrays if "running_var" in name}
    return arrays | counters


def numpy_gradients(model: Module) -> dict[str, NDArray[np.float64]]:
    """Return ∂L/∂w of every parameter after ``backward``, with names and shapes as in ``numpy_state``.

    Those of frozen layers add up until ``model.zero_grad()``: an optimiser clears only its own parameters.

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
    """Set every parameter and statistic from arrays or tensors with PyTorch's names and shapes, of any real dtype.

    Raises ValueError or TypeError, and changes nothing, if a name is missing or unknown, if a shape differs, or if a
    number is not finite; ``num_batches_tracked`` may be missing.

    >>> model = MLP(1, [1])
    >>> load_numpy_state(model, {"0.weight": np.float32([[0.5]]), "0.bias": [2.0]})
    >>> model([3.0]).data
    3.5
    """
    paths, state = _paths(model), {}
    for name, array in arrays.items():
        if hasattr(array, "detach"):  # a PyTorch tensor
            array = array.detach().cpu().double()
        state[paths.get(name, name)] = array = np.asarray(array)
        if array.dtype.kind not in "fiu":
            raise TypeError(f"{name} has dtype {array.dtype}: it must contain real numbers")
        if name.rpartition(".")[2] == COUNTER:
            del state[name]
    try:
        model.load_state_dict(state)
    except ValueError as error:
        names = {path: name for name, path in paths.items()}
        raise ValueError(re.sub(r"[\w.]+", lambda word: names.get(word[0], word[0]), str(error))) from None


def _paths(model: Module) -> dict[str, str]:
    """Map PyTorch's name for each array to our path."""
    modules = [("", model), *((f"{path}.", module) for path, module in model.submodules().items())]
    # in PyTorch the list of a Sequential's layers is not part of their paths
    unnamed = {path + "layers" for path, module in modules if isinstance(module, Sequential)}
    unnamed |= {path + "net" for path, module in modules if isinstance(module, MLP)}
    paths: dict[str, str] = {}
    for path in model.state_dict():
        *above, leaf = path.split(".")
        names = [word for i, word in enumerate(above) if ".".join(above[: i + 1]) not in unnamed]
        name = ".".join([*names, LEAVES.get(leaf, leaf)])
        if paths.setdefault(name, path) != path:
            raise ValueError(f"{paths[name]} and {path} would both be called {name}: rename one of the attributes")
    return paths
