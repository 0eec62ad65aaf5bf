"""Writes files atomically: whatever happens on the way, a file is there whole or not at all."""

import errno
import os
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from time import sleep

PAUSES = (0.01, 0.05, 0.1, 0.2, 0.4)  # seconds


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside its place, sync and rename it: an older one stays whole until then.

    A link is replaced and not followed; a target that is not a file, as a pipe or /dev/null, is written to directly.
    Raises OSError, which names ``path``, and leaves nothing beside it then.
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
        except BaseException:  # Ctrl-C too; it may come when the file has its name already
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from None


def replace(new: Path, path: Path) -> None:
    """Rename a file to ``path``. Raises OSError, which names ``path``.

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
    """Add to a file's end, synced; where it fails the file is as it was, and a kill leaves at most a part of it.

    Raises OSError, which names ``path``.
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
