"""Files that are either whole or not there: written beside their place, then renamed."""

from __future__ import annotations

import atexit
import contextlib
import errno
import functools
import hashlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastdepth.console import tell
from fastdepth.errors import InputError, OutputError, UsageError, quoted
from fastdepth.streams import write

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows, which removes no file that is open
    fcntl = None

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


MOST = 2**30
"""Bytes of a file that is read whole, unless its reader knows better."""

_MORE = 2**20

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def check_regular(path: str | Path, error: type[InputError], mend: str = "") -> os.stat_result:
    """See that a path leads to a regular file, before it is opened: a pipe would wait for ever.

    Args:
        path: what is to be read.
        error: what is raised.
        mend: what to do about a missing file, beside checking the path.

    Returns:
        What the disk says of the file: size, time, number.

    Raises:
        InputError: ``error``; there is nothing, something else, or nothing that can be called so.
    """
    try:
        found = os.stat(path)  # noqa: PTH116 (quick, and a str may hold what no path does)
    except (FileNotFoundError, NotADirectoryError):
        raise error(f"{path} does not exist; check the path{mend}") from None
    except OSError as fault:
        raise error(f"{path} cannot be read: {fault.strerror}; check it") from None
    except ValueError:  # NUL, or characters that the file system does not have
        raise error(f"{str(path)!r} cannot be a path; check it") from None
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "something else")
        raise error(f"{path} is {kind}, not a file; give a regular file")
    return found


def read_bytes(path: str | Path, error: type[InputError], most: int = MOST) -> bytes:
    """All bytes of a regular file of bounded size.

    Args:
        path: what is read.
        error: what is raised.
        most: greatest size [bytes].

    Raises:
        InputError: ``error``; see :func:`check_regular`, or the file is larger than ``most``.
    """
    size = check_regular(path, error).st_size
    try:
        with open(path, "rb") as stream:  # noqa: PTH123
            content = stream.read(size + 1) if size <= most else b""
            while size < len(content) <= most and (more := stream.read(_MORE)):
                content += more  # files of /proc are longer than they say
    except OSError as fault:
        raise error(f"{path} cannot be read: {fault.strerror}; check it") from None
    except MemoryError:
        raise error(f"{path} does not fit into memory; it has {size} bytes") from None
    if max(size, len(content)) > most:
        raise error(f"{path} is larger than {most} bytes; is it the right file?")
    return content


def check_inside(
    base: Path,
    names: Iterable[str],
    origin: Path,
    error: type[InputError],
    *,
    absolute: bool = False,
) -> None:
    """Refuse what the text of a manifest or list leads to outside of its folder.

    By the names alone: a link in the folder that leads out of it is its owner's doing.

    Args:
        base: the folder.
        names: what is named, relative to the folder or absolute.
        origin: where.
        error: what is raised.
        absolute: absolute paths may lead out, ``..`` may not.

    Raises:
        InputError: ``error``; an absolute path or ``..`` leads out.
    """
    folder = os.path.abspath(base)  # noqa: PTH100 (links stay)
    for name in names:
        if _leads_out(folder, name) and not (absolute and _is_absolute(name)):
            raise error(
                f"{origin} names {quoted(name)}, which is outside of {base}; copy it there, or "
                "read it all the same with --follow-outside"
            )


def _leads_out(folder: str, name: str) -> bool:
    """Whether a name, relative to the absolute path of a folder or absolute, is outside of it."""
    if ".." not in name and not _is_absolute(name):
        return False
    path = os.path.normpath(os.path.join(folder, name))  # noqa: PTH118 (quick)
    return path != folder and not path.startswith(os.path.join(folder, ""))  # noqa: PTH118


def _is_absolute(name: str) -> bool:
    """Whether a name begins at a root or names a drive."""
    return os.path.isabs(name) or bool(os.path.splitdrive(name)[0])  # noqa: PTH117 (quick)


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; move it there when the block ends well.

    Where anything fails, the temporary file is removed and what stood at ``path`` stays whole. Its
    name has the same length for every path, and it is locked until then, so that what a killed
    process left can be told from what another one is writing.

    Raises:
        OutputError: the folder is missing, read-only or full, or there can be no such file.
    """
    path = Path(path)
    _check_place(path)
    make_folder(path.parent)
    temporary = handle = None
    try:
        handle, temporary = _make_temporary(path)
        yield temporary
        _keep(temporary, path)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        if handle is not None and fcntl is not None:
            os.close(handle)


def _make_temporary(path: Path) -> tuple[int, Path]:
    """An empty file beside ``path``, open and locked."""
    suffix = path.suffix if len(path.suffix.encode()) <= _LONGEST_SUFFIX else ""
    for attempt in range(_ATTEMPTS):
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=_prefix(path), suffix=suffix)
        if fcntl is None:
            os.close(handle)
            return handle, Path(name)
        with contextlib.suppress(OSError):  # some network disks have no locks
            fcntl.flock(handle, fcntl.LOCK_SH)
        if os.fstat(handle).st_nlink or attempt == _ATTEMPTS - 1:
            break
        os.close(handle)  # who removes leftovers was here between the file and its lock
    return handle, Path(name)


_ATTEMPTS = 10
"""At a temporary file; some disks say of every file that no folder has it."""


def ends_all(error: OutputError) -> bool:
    """Whether no other file can be written either: the disk is full, read-only or broken."""
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in _OF_THE_DISK


_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE)

_LONGEST_SUFFIX = 16
"""Bytes; writers of arrays and weights look at the suffix."""


def _prefix(path: Path) -> str:
    """How the temporary files of a path begin."""
    name = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:8]
    return f".fastdepth-{name}-"


def _check_place(path: Path) -> None:
    """Raise OutputError where a file of this name would replace what is none, or cannot be."""
    try:
        found = os.stat(path)  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error
    except ValueError:  # NUL, or characters that the file system does not have
        raise OutputError(f"cannot write {str(path)!r}: no file can be called so") from None
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "something else")
        raise OutputError(f"cannot write {path}: it is {kind}; give a file name")


class _TriedError(Exception):
    """Ends an attempt to write before anything is replaced."""


def check_output(path: str | Path) -> None:
    """Raise OutputError before minutes are spent, where :func:`replacing` would; write nothing."""
    made = [folder for folder in Path(path).parents if not folder.exists()]
    with contextlib.suppress(_TriedError), replacing(path):
        raise _TriedError
    for folder in made:
        folder.rmdir()


def check_no_input(name: str | Path | None, inputs: Iterable[str | Path | None]) -> None:
    """Refuse to write over what is read; ``-`` and None are no files.

    Raises:
        UsageError: the output is one of the inputs.
    """
    for each in inputs:
        same = False
        with contextlib.suppress(OSError, ValueError):  # one of them is not there
            same = bool(name and each) and os.path.samefile(str(name), str(each))  # noqa: PTH121
        if same:
            raise UsageError(f"{name} is an input and would be written over; give another output")


@contextmanager
def output(name: str | None) -> Iterator[Callable[[str], object]]:
    """What writes a text where it was asked to: a file that takes the place of ``name`` at the end.

    The file is made now, so that it fails now, and what killed processes left of it is removed;
    ``-`` is stdout, and None is nowhere.

    Yields:
        A function that takes the text.

    Raises:
        OutputError: there can be no such file.
    """
    if name is None or name == "-":
        yield functools.partial(write, "stdout") if name else len
        return
    remove_leftovers_of(Path(name))
    with replacing(name) as temporary:
        yield functools.partial(temporary.write_text, encoding="utf-8")


def remove_leftovers(folder: str | Path) -> None:
    """Remove what killed processes left, in a folder and below it, of attempts to write files."""
    for place, _, names in os.walk(folder):
        _remove_dead(Path(place), names, _TEMPORARY)


def remove_leftovers_in(folder: Path) -> None:
    """Remove what killed processes left in a folder, but not below it."""
    with contextlib.suppress(OSError):
        _remove_dead(folder, os.listdir(folder), _TEMPORARY)  # noqa: PTH208


def remove_leftovers_of(path: Path) -> None:
    """Remove what killed processes left of attempts to write this one file."""
    with contextlib.suppress(OSError):
        own = re.compile(re.escape(_prefix(path)) + ".*")
        _remove_dead(path.parent, os.listdir(path.parent), own)  # noqa: PTH208


_TEMPORARY = re.compile(r"\.fastdepth-[0-9a-f]{8}-[a-z0-9_]{8}(\.[^.]*)?")


def _remove_dead(folder: Path, names: Iterable[str], pattern: re.Pattern[str]) -> None:
    """Remove temporary files of :func:`replacing` that no living process has locked."""
    for name in filter(pattern.fullmatch, names):
        with contextlib.suppress(OSError):
            if fcntl is None:
                (folder / name).unlink()
                continue
            with (folder / name).open("rb") as stream:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                (folder / name).unlink()  # while no other process can lock it


def make_folder(path: str | Path) -> Path:
    """Make a folder and those above it, unless they are there.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {path}: {error.strerror or error}") from error
    except ValueError:
        raise OutputError(f"cannot make the folder {str(path)!r}: none can be called so") from None
    return Path(path)


def _keep(temporary: Path, path: Path) -> None:
    """Flush to the disk, give the usual permissions and rename into place."""
    with temporary.open("rb") as stream:
        os.fsync(stream.fileno())  # a full disk is found here, before the old file is gone
    mask = os.umask(0)
    os.umask(mask)
    temporary.chmod(0o666 & ~mask)
    temporary.replace(path)


def write_bytes(path: str | Path, content: bytes | memoryview) -> None:
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
