"""Saves and loads models and trainings as safetensors files, written atomically and checked before they are used.

A file keeps the leaves of a model, its weights and biases, and statistics learned without a gradient; the next
forward pass builds the graph on top. Each file holds the checksum of all its other bytes.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from autograd.files import write_whole
from nn.module import Module
from nn.preprocessing import Pipeline, Preprocessor, from_state
from nn.records import EpochRecord
from nn.training import Training

File = str | PathLike[str]
Metadata = Mapping[str, str] | None
PREPROCESSING, MODEL, BEST, OPTIMIZER = "preprocessing.", "model.", "best.", "optimizer."
CHECKSUM, UNKNOWN = "sha256", "0" * 64  # a placeholder while the checksum is computed


def save(model: Module, path: File, metadata: Metadata = None, preprocessing: Preprocessor | None = None) -> None:
    """Write the model's parameters and statistics as float64 arrays named as in ``state_dict``.

    preprocessing   fitted on the training data, and saved beside the weights, which are useless without it

    The file is written to a temporary one, synced and renamed, so that an older file stays whole until then.
    """
    _write(path, model.state_dict(), metadata, preprocessing)


def load(model: Module, path: File, part: str = "") -> None:
    """Set the model's parameters and statistics from a file; ``load_preprocessing`` reads what was saved beside them.

    part   ``BEST`` takes those of the best epoch from a file that ``save_training`` wrote

    Raises FileNotFoundError, or ValueError where the file is damaged, not in the safetensors format or does not fit
    the model, which then keeps its numbers.
    """
    with _reading(path) as (arrays, _):
        state = _below(part, arrays)
        model.load_state_dict({name: a for name, a in state.items() if not name.startswith(PREPROCESSING)})


def load_metadata(path: File, checked: bool = False) -> dict[str, str]:
    """The metadata of a file. Raises as ``load``; with ``checked``, also ValueError for a missing checksum."""
    with _reading(path, checked) as (_, metadata):
        return metadata


def load_preprocessing(path: File) -> Pipeline | None:
    """The fitted preprocessing that was saved beside the weights; None if there was none. Raises as ``load``."""
    with _reading(path) as (arrays, _):
        state = _below(PREPROCESSING, arrays)
        return from_state(state) if state else None


def save_training(
    training: Training, path: File, metadata: Metadata = None, preprocessing: Preprocessor | None = None,
    records: bool = True,
) -> None:  # fmt: skip
    """Write all that the next epoch depends on into one file, so that a training resumes to the last bit.

    records   False leaves them out, so that the file does not grow with the epochs
    """
    state = training.state_dict(records)
    tensors = _under(MODEL, state.pop("model"))
    if state["best"]:
        tensors |= _under(BEST, state["best"].pop("model"))
    tensors |= {f"{OPTIMIZER}{i:06}": rows for i, rows in enumerate(state["optimizer"].pop("states"))}
    _write(path, tensors, {**(metadata or {}), "training": json.dumps(state)}, preprocessing)


def load_training(training: Training, path: File, records: Sequence[EpochRecord] | None = None) -> None:
    """Resume a training with the same model, data and options from a file.

    records   of the epochs so far, where the file was written without them

    Raises as ``load``, and changes nothing then.
    """
    with _reading(path, checked=True) as (arrays, metadata):
        try:
            state = {**json.loads(metadata["training"]), "model": _below(MODEL, arrays)}
            state["optimizer"]["states"] = [rows for _, rows in sorted(_below(OPTIMIZER, arrays).items())]
            if state["best"]:
                state["best"]["model"] = _below(BEST, arrays)
        except (KeyError, ValueError, TypeError) as error:
            raise ValueError(f"not a checkpoint of a training: {type(error).__name__} {error}") from None
        training.load_state_dict(state if records is None else {**state, "records": records})


def _under(part: str, state: Mapping[str, Any]) -> dict[str, Any]:
    return {part + name: numbers for name, numbers in state.items()}


def _below(part: str, arrays: Mapping[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(part): a.tolist() for name, a in arrays.items() if name.startswith(part)}


def _write(path: File, state: dict[str, Any], metadata: Metadata, preprocessing: Preprocessor | None) -> None:
    from safetensors.numpy import save as to_bytes

    steps = [] if preprocessing is None else [preprocessing]
    tensors = state | _under(PREPROCESSING, Pipeline(*steps).state_dict())
    arrays = {name: np.array(numbers, dtype=np.float64) for name, numbers in tensors.items()}
    content = to_bytes(arrays, {**(metadata or {}), CHECKSUM: UNKNOWN})
    write_whole(Path(path), _with_checksum(content, UNKNOWN, sha256(content).hexdigest()))


def _with_checksum(content: bytes, old: str, new: str) -> bytes:
    """The bytes with another checksum in their metadata, where quotes are escaped in all other texts."""
    return content.replace(f'"{CHECKSUM}":"{old}"'.encode(), f'"{CHECKSUM}":"{new}"'.encode(), 1)


@contextmanager
def _reading(path: File, checked: bool = False) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """The arrays of a file and its metadata; an error inside the block names the file."""
    from safetensors import SafetensorError
    from safetensors.numpy import load as from_bytes

    content = Path(path).read_bytes()
    try:
        arrays = from_bytes(content)
    except (SafetensorError, KeyError) as error:  # of a type that NumPy does not have
        raise ValueError(f"{path} is not a complete safetensors file of float64: {error}") from None
    metadata = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")]).get("__metadata__", {})
    found = metadata.pop(CHECKSUM, None)  # other programs write none
    if found and sha256(_with_checksum(content, found, UNKNOWN)).hexdigest() != found:
        raise ValueError(f"{path} is damaged: its checksum differs from the one it was written with; use a copy")
    if checked and not found:
        raise ValueError(f"{path} has no checksum, as those of earlier versions: train once more")
    for name, array in arrays.items():
        if array.dtype.kind != "f":
            raise ValueError(f"{path}: {name} has numbers of the type {array.dtype}: save float64")
    try:
        yield arrays, metadata
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from None
