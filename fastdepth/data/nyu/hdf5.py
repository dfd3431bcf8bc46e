"""HDF5 files that nobody vouches for: datasets that are what they say, in bounded memory.

A file of a few kilobytes may lead to other files (links, external storage, virtual datasets),
unpack to gigabytes, or hold groups, references and types where numbers are expected. All of that is
found before anything is read.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastdepth.errors import DataError, FastDepthError
from fastdepth.extras import require
from fastdepth.files import check_regular

LARGEST = 2**28
"""Bytes of a chunk, which HDF5 unpacks as a whole."""

INFLATION = 1032
"""Times its size that deflated data have at most."""

MOST_CHUNKS = 2**14
"""Chunks that one entry along the first axis is in; HDF5 keeps some hundred bytes of each."""

DEFLATE, SHUFFLE, CHECKSUM = 1, 2, 3
"""Numbers of the filters that MATLAB writes, in HDF5's registry."""


@contextmanager
def told(where: object, mend: str) -> Iterator[None]:
    """Tell whatever h5py and HDF5 raise inside as a DataError; they have no type of their own.

    Raises:
        DataError: anything at all was raised.
    """
    try:
        yield
    except FastDepthError:
        raise
    except Exception as fault:
        reason = " ".join(str(fault).split())[:100] or type(fault).__name__
        raise DataError(f"{where} is damaged: {reason}; {mend}") from None


def open_file(path: Path, mend: str) -> Any:
    """Open an HDF5 file for reading.

    Raises:
        DataError: it is no regular file, truncated or not HDF5.
        MissingExtraError: h5py is not installed.
    """
    h5py = require("h5py", "train")
    check_regular(path, DataError)
    try:
        return h5py.File(path, "r")
    except Exception:
        raise DataError(f"{path} is truncated or not a MATLAB v7.3 file; {mend}") from None


def dataset_of(file: Any, name: str, mend: str, *, follow_outside: bool) -> Any:
    """The dataset of this name in the root of a file.

    Args:
        file: open.
        name: of the dataset, which is there.
        mend: end of messages.
        follow_outside: it may be a link and lie in other files.

    Raises:
        DataError: it is a link, or no dataset; see :func:`check_dataset`.
    """
    from h5py import h5l

    where = f"{file.filename}: {name}"
    link = file.id.links.get_info(name.encode())
    if link.type != h5l.TYPE_HARD and not follow_outside:
        raise DataError(f"{where} is a link; {mend}, or follow it with --follow-outside")
    return check_dataset(file[name], where, mend, follow_outside=follow_outside)


def check_dataset(found: Any, where: str, mend: str, *, follow_outside: bool) -> Any:
    """The dataset, once it is known to be one that can be read in bounded memory.

    Raises:
        DataError: it is a group or a type, lies in other files, or is packed as MATLAB does not.
    """
    from h5py import Dataset

    if not isinstance(found, Dataset):
        raise DataError(f"{where} is no dataset; {mend}")
    elsewhere = found.is_virtual or found.id.get_create_plist().get_external_count()
    if elsewhere and not follow_outside:
        raise DataError(f"{where} lies in other files; {mend}, or read them with --follow-outside")
    filters = _filters(found)
    if filters not in _parts((SHUFFLE, DEFLATE, CHECKSUM)):
        raise DataError(f"{where} is packed by the filters {filters}; {mend}")
    if found.chunks is None:
        return found
    sides = zip(found.shape[1:], found.chunks[1:], strict=True)
    if math.prod(-(-side // chunk) for side, chunk in sides) > MOST_CHUNKS:
        raise DataError(f"{where} has the chunks {found.chunks}, too small; {mend}")
    if chunk_bytes(found) > LARGEST:
        raise DataError(f"{where} has the chunks {found.chunks}, too large; {mend}")
    return found


def read_small(dataset: Any) -> Any:
    """All of a dataset that is too small to need a look at its chunks.

    Raises:
        ValueError: so much of it is stored that it is not.
    """
    stored = dataset.id.get_storage_size()
    if stored * INFLATION > LARGEST:
        raise ValueError(f"{stored} bytes are stored where some letters should be")
    return dataset[()]


def _parts(whole: tuple[int, ...]) -> list[list[int]]:
    """All ways to leave some out."""
    parts: list[list[int]] = [[]]
    for each in whole:
        parts += [[*part, each] for part in parts]
    return parts


def chunk_bytes(dataset: Any) -> int:
    """Bytes of a whole chunk, unpacked."""
    return int(math.prod(dataset.chunks) * dataset.dtype.itemsize)


class Unpacking:
    """The chunks of a dataset that might unpack to more than they say, until they were looked at.

    HDF5 unpacks a chunk to its end, whatever size is declared.
    """

    def __init__(self, dataset: Any) -> None:
        """List them by what is stored of each."""
        self._dataset = dataset
        self._offsets: dict[int, list[tuple[int, ...]]] = {}
        if dataset.chunks is None or DEFLATE not in _filters(dataset):
            return

        def note(chunk: Any) -> None:
            if chunk.size * INFLATION > LARGEST:
                self._offsets.setdefault(chunk.chunk_offset[0], []).append(chunk.chunk_offset)

        dataset.id.chunk_iter(note)

    def check(self, number: int) -> None:
        """Look at the chunks of one entry along the first axis.

        Raises:
            ValueError: one unpacks to more than it says.
        """
        if not self._offsets:
            return
        first = number - number % self._dataset.chunks[0]
        most = chunk_bytes(self._dataset)
        for offset in self._offsets.get(first, []):
            _, packed = self._dataset.id.read_direct_chunk(offset)
            unpacking = zlib.decompressobj()
            unpacking.decompress(packed, most + 4)  # with the checksum
            if unpacking.unconsumed_tail or not unpacking.eof:
                raise ValueError(f"a chunk unpacks to more than {most} bytes")
        self._offsets.pop(first, None)


def _filters(dataset: Any) -> list[int]:
    created = dataset.id.get_create_plist()
    return [created.get_filter(number)[0] for number in range(created.get_nfilters())]
