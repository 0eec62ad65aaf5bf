"""Writes files atomically: an interrupted write never leaves a partial file under its name."""

import errno
import os
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from time import sleep

PAUSES = (0.01, 0.05, 0.1, 0.2, 0.4)  # seconds


def write_whole(path: Path, content: bytes) -> None:
    """Write a temporary file beside ``path``, sync it and rename it; an older file stays intact until then.

    A link is replaced, not followed. A target that is not a file, such as a pipe or /dev/null, is written directly.
    On failure, removes the temporary file and raises an OSError that names ``path``.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
        temporary = path.with_name(f".{token_hex(8)}.part")
        try:
            with open(temporary, "xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            replace(temporary, path)
        except BaseException:  # including Ctrl-C, which may arrive after the rename
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from None


def replace(new: Path, path: Path) -> None:
    """Rename a file to ``path``. On failure, raises an OSError that names ``path``.

    Windows refuses this while another program has ``path`` open. Virus scanners, indexers and previews open files
    briefly, so the call is repeated for less than a second.
    """
    for pause in (*PAUSES, 0.0) if os.name == "nt" else (0.0,):
        try:
            os.replace(new, path)
            return
        except OSError as error:
            if pause == 0.0 or not isinstance(error, PermissionError):
                raise OSError(error.errno, error.strerror or str(error), str(path)) from None
        sleep(pause)


def append(path: Path, content: bytes) -> None:
    """Append to a file and sync it.

    On failure, restores the file and raises an OSError that names ``path``. A killed process may leave part of the
    content.
    """
    try:
        with open(path, "ab", buffering=0) as file:
            end = file.tell()
            try:
                if file.write(content) < len(content):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(file.fileno())
            except BaseException:
                file.truncate(end)
                raise
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from None
