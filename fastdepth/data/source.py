"""Depth data by name: ``nyu:PATH`` on the disk, or ``rooms`` drawn on the fly.

``pictures:PATH`` has none, and is for training with a teacher.

Every source is a sequence of :class:`~fastdepth.data.sample.Sample`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fastdepth.data.sample import Sample
from fastdepth.data.splits import check_split
from fastdepth.errors import UnknownNameError, UsageError
from fastdepth.size import Size


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """Options of every command that reads what other files name.

    Attributes:
        follow_outside: read also what a manifest, a list or a .mat file names outside of its own
            folder; do so for data whose origin you trust.
    """

    follow_outside: bool = False


class Source(Protocol):
    """A sequence of samples.

    Attributes:
        name: short name such as ``nyu``.
        names: one stable name a sample, known without reading any.
    """

    name: str

    @property
    def names(self) -> Sequence[str]:
        """One stable name a sample."""
        ...

    def __len__(self) -> int:
        """Number of samples."""
        ...

    def __getitem__(self, index: int, /) -> Sample:
        """One sample; negative indices count from the end, IndexError past either end."""
        ...


class Subset:
    """An evenly spread part of a source: first and last sample, and steps between."""

    def __init__(self, source: Source, limit: int) -> None:
        """Take ``limit`` samples, or all where there are fewer.

        Raises:
            UsageError: the limit is not positive.
        """
        if limit < 1:
            raise UsageError(f"limit {limit} leaves no sample; give 1 or more")
        count = min(limit, len(source))
        chosen = np.linspace(0, len(source) - 1, count).round().astype(int)
        self.name = source.name
        self.names = [source.names[index] for index in chosen]
        self._source = source
        self._chosen: list[int] = chosen.tolist()

    def __len__(self) -> int:
        """Number of samples taken."""
        return len(self._chosen)

    def __iter__(self) -> Iterator[Sample]:
        """The samples taken, in their order."""
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int, /) -> Sample:
        """One of the samples taken."""
        return self._source[self._chosen[index]]

    def __getattr__(self, attribute: str) -> object:
        """What else the source tells of itself: ``split``, ``depth_kind``."""
        if attribute.startswith("_"):  # not yet unpickled
            raise AttributeError(attribute)
        return getattr(self._source, attribute)


def open_source(
    spec: str,
    split: str = "test",
    *,
    limit: int | None = None,
    size: Size | None = None,
    look: bool = True,
    follow_outside: bool = False,
) -> Source:
    """Open depth data by name.

    Args:
        spec: ``nyu:PATH``, ``rooms``, ``rooms:COUNT`` or ``pictures:PATH``.
        split: one of :mod:`fastdepth.data.splits`.
        limit: take so many samples, evenly spread and the same at every call; None for all.
        size: size of drawn images, 640x480 if None; images from the disk keep their own.
        look: read the first sample to see that the data are what they should be; False for those
            who cope with samples that cannot be read.
        follow_outside: read also what a manifest, a list or an HDF5 file names outside of its
            folder; see :func:`fastdepth.data.nyu.dataset.open_nyu` and
            :func:`fastdepth.images.collection.open_images`.

    Raises:
        UnknownNameError: there is no such source or split.
        UsageError: the count or the limit cannot be, or images without depth are asked for
            anything but training.
        DataError: the data at PATH cannot be used.
    """
    scheme, colon, argument = spec.partition(":")
    source: Source
    if scheme == "nyu" and argument:
        from fastdepth.data.nyu.dataset import open_nyu

        source = open_nyu(argument, split, look=look, follow_outside=follow_outside)
    elif scheme == "rooms" and bool(colon) == bool(argument):
        from fastdepth.data.rooms.dataset import ROOM_SIZE, open_rooms

        source = open_rooms(argument, split, size or ROOM_SIZE)
    elif scheme == "pictures" and argument:
        from fastdepth.data.unlabelled import Unlabelled

        if check_split(split) != "train":
            raise UsageError(f"{spec} has no depth to compare with; give nyu:PATH or rooms")
        source = Unlabelled(argument, follow_outside=follow_outside)
    else:
        known = ["nyu:PATH", "rooms", "rooms:COUNT", "pictures:PATH"]
        raise UnknownNameError("data source", spec, known)
    return source if limit is None else Subset(source, limit)


def has_depth(spec: str) -> bool:
    """Whether the samples of a source, named as for :func:`open_source`, have depth."""
    return not spec.startswith("pictures:")


def sample_list_hash(source: Source) -> str:
    """First 12 hexadecimal digits of the SHA-256 of the sample names, one a line.

    Printed with every figure: equal hashes were measured on the same samples.
    """
    names = "\n".join(source.names).encode(errors="surrogateescape")  # as the disk has them
    return hashlib.sha256(names).hexdigest()[:12]
