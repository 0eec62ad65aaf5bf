"""Numbers in a file: safetensors, written whole or not at all, and checked before a single one is changed.

What is kept of a model are its leaves, weights and biases, and what it has learned without a gradient; the graph on
top is made anew by the next forward pass.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograd.files import write_whole
from nn.module import Module
from nn.training import Training

if TYPE_CHECKING:  # it needs NumPy
    from nn.preprocessing import Pipeline, Preprocessor

PREPROCESSING = "preprocessing."


def save(
    model: Module,
    path: str | os.PathLike[str],
    metadata: dict[str, str] | None = None,
    preprocessing: Preprocessor | None = None,
) -> None:
    """Write the model's parameters and statistics as float64 arrays named as in ``state_dict``.

    preprocessing   what was fitted on the training data, saved beside them: the weights mean nothing without it

    The file is written beside its place, synced and renamed: an older one stays whole until then.
    """
    state = model.state_dict()
    if preprocessing is not None:
        from nn.preprocessing import Pipeline

        state |= {PREPROCESSING + name: learned for name, learned in Pipeline(preprocessing).state_dict().items()}
    _write(path, state, metadata)


def load(model: Module, path: str | os.PathLike[str]) -> None:
    """Set the model's parameters and statistics from a file; ``load_preprocessing`` reads what was saved beside them.

    Raises FileNotFoundError, or ValueError where the file is no safetensors file or does not fit the model, which
    then keeps its numbers.
    """
    arrays, _ = _read(path)
    try:
        model.load_state_dict({name: a for name, a in arrays.items() if not name.startswith(PREPROCESSING)})
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from None


def load_preprocessing(path: str | os.PathLike[str]) -> Pipeline | None:
    """The fitted preprocessing that was saved beside the weights, as a pipeline; None where there is none.

    Raises FileNotFoundError, or ValueError where the file is no safetensors file or the preprocessing is none.
    """
    from nn.preprocessing import from_state

    arrays, _ = _read(path)
    state = {name.removeprefix(PREPROCESSING): a for name, a in arrays.items() if name.startswith(PREPROCESSING)}
    try:
        return from_state(state) if state else None
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from None


def save_training(training: Training, path: str | os.PathLike[str]) -> None:
    """Write all that the next epoch depends on into one file: what is interrupted now can go on to the last bit."""
    state = training.state_dict()
    model, optimizer, best = state.pop("model"), state["optimizer"], state["best"]
    tensors = {f"model.{name}": numbers for name, numbers in model.items()}
    if best:
        tensors |= {f"best.{name}": numbers for name, numbers in best.pop("model").items()}
    tensors["optimizer.states"] = optimizer.pop("states")
    _write(path, tensors, {"training": json.dumps(state)})


def load_training(training: Training, path: str | os.PathLike[str]) -> None:
    """Let a training with the same model, data and options go on from a file.

    Raises FileNotFoundError, or ValueError where the file does not fit, and changes nothing then.
    """
    arrays, metadata = _read(path)
    try:
        state = json.loads(metadata["training"])
        parts: dict[str, dict[str, Any]] = {"model": {}, "best": {}, "optimizer": {}}
        for name, array in arrays.items():
            part, _, below = name.partition(".")
            parts[part][below] = array.tolist()
        state["model"] = parts["model"]
        state["optimizer"] |= parts["optimizer"]
        if state["best"]:
            state["best"]["model"] = parts["best"]
    except (KeyError, ValueError, TypeError) as error:
        raise ValueError(f"{path} is no checkpoint of a training: {type(error).__name__} {error}") from None
    try:
        training.load_state_dict(state)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _write(path: str | os.PathLike[str], tensors: Mapping[str, Any], metadata: dict[str, str] | None) -> None:
    import numpy as np
    from safetensors.numpy import save as to_bytes

    arrays = {name: np.array(numbers, dtype=np.float64) for name, numbers in tensors.items()}
    write_whole(Path(path), to_bytes(arrays, metadata))


def _read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The arrays of a file and its metadata."""
    from safetensors import SafetensorError
    from safetensors.numpy import load as from_bytes

    content = Path(path).read_bytes()
    try:
        arrays = from_bytes(content)
    except SafetensorError as error:
        raise ValueError(f"{path} is no whole safetensors file: {error}") from None
    except KeyError as error:
        raise ValueError(f"{path} has numbers of the type {error}, which NumPy does not read: save float64") from None
    for name, array in arrays.items():
        if array.dtype.kind != "f":
            raise ValueError(f"{path}: {name} has numbers of the type {array.dtype}: save float64")
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return arrays, header.get("__metadata__", {})
