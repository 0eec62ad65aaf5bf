"""Weights in a file: safetensors, written whole or not at all, and checked before a single number is changed."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from nn.module import Module


def save(model: Module, path: str | os.PathLike[str], metadata: dict[str, str] | None = None) -> None:
    """Write the model's parameters as float64 arrays named as in ``state_dict``.

    The file is written beside its place, synced and renamed: an older one stays whole until then.
    """
    import numpy as np
    from safetensors.numpy import save as to_bytes

    arrays = {name: np.array(numbers, dtype=np.float64) for name, numbers in model.state_dict().items()}
    write_whole(Path(path), to_bytes(arrays, metadata))


def load(model: Module, path: str | os.PathLike[str]) -> None:
    """Set the model's parameters from a file.

    Raises FileNotFoundError, or ValueError where the file is no safetensors file or does not fit the model, which
    then keeps its numbers.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load as from_bytes

    try:
        arrays = from_bytes(Path(path).read_bytes())
    except SafetensorError as error:
        raise ValueError(f"{path} is no whole safetensors file: {error}") from None
    except KeyError as error:
        raise ValueError(f"{path} has numbers of the type {error}, which NumPy does not read: save float64") from None
    try:
        model.load_state_dict(arrays)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from None


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
