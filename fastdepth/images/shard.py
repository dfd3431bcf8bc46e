"""The images of a tar file, by its headers, which are not believed."""

from __future__ import annotations

import io
import os
import posixpath
import tarfile
from collections.abc import Iterator
from pathlib import Path

from fastdepth.errors import ImageError
from fastdepth.files import check_regular

MOST_HEADER = 2**20
"""Bytes that the headers of one member may have, long names and all."""

Member = tuple[str, str, tuple[int, int]]
"""Path below the shard, name in the shard, offset and length [bytes]."""


class _Headers(io.BufferedReader):
    """A tar file of which only headers are read, and no more than ``left`` bytes of them."""

    left = MOST_HEADER

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size <= self.left:
            raise tarfile.ReadError("a header is too long")
        self.left -= max(size, 1)  # at the end of the file nothing is read, again and again
        return super().read(size)


def members(path: Path, suffixes: tuple[str, ...]) -> Iterator[Member]:
    """Files of a tar file in their order; only headers are read, and none is kept.

    Args:
        path: the tar file, not compressed.
        suffixes: ends of the names of those that are wanted; hidden ones are not.

    Raises:
        ImageError: it is no tar file, or not a whole one.
    """
    size = check_regular(path, ImageError).st_size
    try:
        with path.open("rb", buffering=0) as raw, _Headers(raw) as stream:
            for member in _walk(stream):
                if member.offset_data + member.size > size:
                    raise tarfile.ReadError(f"it ends within {member.name[:100]!r}")
                hidden = posixpath.basename(member.name).startswith(".")
                if hidden or not member.isreg() or member.issparse():
                    continue
                if member.name.lower().endswith(suffixes):
                    # As below /, so that .. and / do not lead out of the shard.
                    below = posixpath.normpath(f"/{member.name}").lstrip("/")
                    yield below, member.name, (member.offset_data, member.size)
    except Exception as fault:  # tarfile raises whatever its parts do
        reason = str(fault)[:200] or type(fault).__name__
        raise ImageError(
            f"{path} is not a whole tar file ({reason}); copy it again, uncompressed"
        ) from None


def _walk(stream: _Headers) -> Iterator[tarfile.TarInfo]:
    """All members, each behind the one before it."""
    behind = 0
    with tarfile.open(fileobj=stream, mode="r:") as shard:
        while (member := shard.next()) is not None:
            shard.members.clear()  # type: ignore[attr-defined] # it would remember them all
            if member.size < 0 or shard.offset <= behind:
                raise tarfile.ReadError(f"a size at byte {behind} is negative")
            behind = shard.offset
            yield member
            stream.left = MOST_HEADER
        _check_end(stream, shard.offset)


def _check_end(stream: _Headers, offset: int) -> None:
    """Raise ReadError unless the file ends here, for tarfile takes a broken header for the end."""
    stream.seek(0, os.SEEK_END)
    if offset > stream.tell():
        raise tarfile.ReadError("unexpected end of data")
    stream.seek(offset)
    if stream.read(tarfile.BLOCKSIZE).strip(b"\0"):
        raise tarfile.ReadError(f"broken at byte {offset}")
