"""Saves and loads models and training runs as safetensors files.

A file contains the parameters of a model and its statistics; the next forward pass builds the graph again. Files are
written atomically and contain a checksum of their other bytes, which is verified on loading.
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
    """Write the parameters and statistics of a model as float64 arrays, named as in ``state_dict``.

    preprocessing   a fitted preprocessor to save with the weights, which are useless without it

    A temporary file is written, synced and renamed; an existing file stays intact until it is replaced.
    """
    _write(path, model.state_dict(), metadata, preprocessing)


def load(model: Module, path: File, part: str = "") -> None:
    """Set the parameters and statistics of a model from a file; see ``load_preprocessing`` for the preprocessing.

    part   ``BEST`` loads those of the best epoch from a file written by ``save_training``

    Raises FileNotFoundError, or ValueError if the file is damaged, is not in the safetensors format or does not match
    the model, which is then left unchanged.
    """
    with _reading(path) as (arrays, _):
        state = _below(part, arrays)
        model.load_state_dict({name: a for name, a in state.items() if not name.startswith(PREPROCESSING)})


def load_metadata(path: File, checked: bool = False) -> dict[str, str]:
    """Return a file's metadata. Raises the errors of ``load``, and ValueError if ``checked`` without a checksum."""
    with _reading(path, checked) as (_, metadata):
        return metadata


def load_preprocessing(path: File) -> Pipeline | None:
    """Return the fitted preprocessing saved with the weights, or None. Raises the same errors as ``load``."""
    with _reading(path) as (arrays, _):
        state = _below(PREPROCESSING, arrays)
        return from_state(state) if state else None


def save_training(
    training: Training, path: File, metadata: Metadata = None, preprocessing: Preprocessor | None = None,
    records: bool = True,
) -> None:  # fmt: skip
    """Write everything that the next epoch depends on, so that training resumes bit for bit.

    records   whether to include the records, which make the file grow with every epoch
    """
    state = training.state_dict(records)
    tensors = _under(MODEL, state.pop("model"))
    if state["best"]:
        tensors |= _under(BEST, state["best"].pop("model"))
    tensors |= {f"{OPTIMIZER}{i:06}": rows for i, rows in enumerate(state["optimizer"].pop("states"))}
    _write(path, tensors, {**(metadata or {}), "training": json.dumps(state)}, preprocessing)


def load_training(training: Training, path: File, records: Sequence[EpochRecord] | None = None) -> None:
    """Restore a training run, with the same model, data and options, from a file.

    records   the records of the epochs so far, if the file was written without them

    Raises the same errors as ``load``, and then changes nothing.
    """
    with _reading(path, checked=True) as (arrays, metadata):
        try:
            state = {**json.loads(metadata["training"]), "model": _below(MODEL, arrays)}
            state["optimizer"]["states"] = [rows for _, rows in sorted(_below(OPTIMIZER, arrays).items())]
            if state["best"]:
                state["best"]["model"] = _below(BEST, arrays)
        except (KeyError, ValueError, TypeError) as error:
            raise ValueError(f"this is not a training checkpoint: {type(error).__name__} {error}") from None
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
    """Return the bytes with another checksum; in all other metadata the quotes are escaped and cannot match."""
    return content.replace(f'"{CHECKSUM}":"{old}"'.encode(), f'"{CHECKSUM}":"{new}"'.encode(), 1)


@contextmanager
def _reading(path: File, checked: bool = False) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """Yield the arrays and the metadata of a file; ValueErrors and TypeErrors inside the block name the file."""
    from safetensors import SafetensorError
    from safetensors.numpy import load as from_bytes

    content = Path(path).read_bytes()
    try:
        arrays = from_bytes(content)
    except (SafetensorError, KeyError) as error:  # KeyError: a dtype that NumPy does not have
        raise ValueError(f"{path} is not a complete safetensors file of float64: {error}") from None
    metadata = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")]).get("__metadata__", {})
    found = metadata.pop(CHECKSUM, None)  # missing in files written by other programs
    if found and sha256(_with_checksum(content, found, UNKNOWN)).hexdigest() != found:
        raise ValueError(f"{path} is damaged: its checksum does not match its content; restore it from a copy")
    if checked and not found:
        raise ValueError(f"{path} has no checksum, perhaps because an earlier version wrote it: train again")
    for name, array in arrays.items():
        if array.dtype.kind != "f":
            raise ValueError(f"{path}: {name} has dtype {array.dtype}: it must be float64")
    try:
        yield arrays, metadata
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from None
