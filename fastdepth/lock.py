"""A folder that one process alone writes to.

The lock is the kernel's: it goes with the process, however that ends.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fastdepth.errors import OutputError, UsageError
from fastdepth.files import make_folder

NAME = ".lock"


@contextmanager
def locked(folder: str | Path) -> Iterator[None]:
    """Within, no other process of fastdepth's writes to a folder, which is made if it is missing.

    A file ``.lock`` stands in it meanwhile; a killed process leaves it behind, and it locks nothing
    then. Where the file system knows no locks there is none.

    Raises:
        UsageError: another process is at it.
        OutputError: the folder cannot be written.
    """
    path = make_folder(folder) / NAME
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
    except OSError as error:
        raise OutputError(f"cannot write to {folder}: {error.strerror or error}") from None
    try:
        if not _take(handle) or not _is_still(path, handle):
            raise UsageError(
                f"another run is writing to {folder}; wait for its end or give another --output"
            )
        try:
            yield
        finally:
            with suppress(OSError):  # the folder may be gone
                path.unlink()
    finally:
        os.close(handle)


def _take(handle: int) -> bool:
    """Lock an open file unless another process has; whether it is ours now."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # a network's file system may have no locks
        return True
    return True


def _is_still(path: Path, handle: int) -> bool:
    """Whether a path leads to an open file: the process before may have removed it since."""
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except OSError:
        return False
