"""Files that are either whole or not there: written beside their place, then renamed."""

from __future__ import annotations

import atexit
import glob
import hashlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fastdepth.console import tell
from fastdepth.errors import OutputError

CACHE = "FASTDEPTH_CACHE"
"""Environment variable that names the folder of the cache."""


def cache_folder() -> Path:
    """``$FASTDEPTH_CACHE``, else ``$XDG_CACHE_HOME/fastdepth``, else ``~/.cache/fastdepth``.

    Where there is no such home, or none that can be written, a temporary folder serves this process
    and those that it starts, which find it in ``$FASTDEPTH_CACHE``; a line on stderr says so.
    """
    if own := os.environ.get(CACHE):
        return Path(own).expanduser()
    folder = _usual_cache()
    if folder and _can_write(folder):
        return folder
    temporary = tempfile.mkdtemp(prefix="fastdepth-")
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    os.environ[CACHE] = temporary
    tell(
        f"fastdepth: cannot write {folder or 'a home folder'}, so what is exported is kept for "
        f"this run alone; name a folder in {CACHE} to keep it"
    )
    return Path(temporary)


def _usual_cache() -> Path | None:
    """Where the cache lies unless something is said; None for a user without a home."""
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "fastdepth"
    except RuntimeError:
        return None


def _can_write(folder: Path) -> bool:
    """Whether files can be made in a folder, which is made where it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; move it there when the block ends well.

    Where anything fails, the temporary file is removed and what stood at ``path`` stays whole.

    Raises:
        OutputError: the folder is missing, read-only or full.
    """
    path = Path(path)
    if path.is_dir():
        raise OutputError(f"cannot write {path}: it is a folder; give a file name")
    temporary = None
    make_folder(path.parent)
    try:
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix
        )
        os.close(handle)
        temporary = Path(name)
        yield temporary
        _keep(temporary, path)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@contextmanager
def output(name: str | None) -> Iterator[Callable[[str], object]]:
    """What writes a text where it was asked to: a file that takes the place of ``name`` at the end.

    The file is made now, so that it fails now; ``-`` is stdout, and None is nowhere.

    Yields:
        A function that takes the text.

    Raises:
        OutputError: there can be no such file.
    """
    if name is None or name == "-":
        yield sys.stdout.write if name else len
        return
    with replacing(name) as temporary:
        yield temporary.write_text


def remove_leftovers(folder: str | Path) -> None:
    """Remove what killed processes left, in a folder and below it, of attempts to write files."""
    for path in Path(folder).rglob(".*"):
        if re.fullmatch(r"\..+(\.[^.]+)\.[a-z0-9_]{8}\1", path.name):  # as replacing() names them
            path.unlink(missing_ok=True)


def remove_leftovers_of(path: Path) -> None:
    """Remove what killed processes left of attempts to write this one file."""
    for left in path.parent.glob(glob.escape(f".{path.name}.") + "????????" + path.suffix):
        left.unlink(missing_ok=True)


def make_folder(path: str | Path) -> Path:
    """Make a folder and those above it, unless they are there.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {path}: {error.strerror or error}") from None
    return Path(path)


def _keep(temporary: Path, path: Path) -> None:
    """Flush to the disk, give the usual permissions and rename into place."""
    with temporary.open("rb") as stream:
        os.fsync(stream.fileno())  # a full disk is found here, before the old file is gone
    mask = os.umask(0)
    os.umask(mask)
    temporary.chmod(0o666 & ~mask)
    temporary.replace(path)


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a whole file or leave what stood there.

    Raises:
        OutputError: it could not be written.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: str | Path, content: str) -> None:
    """Write a whole UTF-8 text file or leave what stood there.

    Raises:
        OutputError: it could not be written.
    """
    write_bytes(path, content.encode())
