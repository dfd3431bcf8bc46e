"""Images of any number, one after the other: files, folders, tar shards and lists.

::

    for image in open_images(["photos"]):
        print(image.name)
        image = image.read()  # (H, W, 3) uint8 RGB

Nothing is kept but the names of the folder that is being walked, so a million images need no more
memory than a few. The order is the same at every run, and so are the names. A :class:`Image` is
small and can be sent to another process, which reads it from where it lies.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import posixpath
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from fastdepth.errors import ImageError, UsageError
from fastdepth.files import check_inside, check_regular
from fastdepth.images.io import MAX_PIXELS, image_from, most_bytes, read_image
from fastdepth.images.listing import lines
from fastdepth.images.shard import members

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
"""What is taken for an image in folders and shards; a file that is named itself may be any."""

SHARD, LIST = ".tar", ".txt"

OUTSIDE = "outside"
"""Stands before the names of listed images that do not lie below the list's folder."""


@dataclass(frozen=True)
class ImageFile:
    """Where an image lies, and what it is called.

    Attributes:
        name: unique and always the same: the path below the folder or list (``a/b.jpg``), and the
            path in a tar shard below the shard's own (``shard-0.tar/b.jpg``).
        stem: start of the names of files made from it, as unique: the name without .jpg. Other
            suffixes stay, for b.jpg and b.png may lie side by side. An image that is named itself
            has the stem of its file.
        path: the file that holds it.
        member: its name in the shard; empty where the file is the image.
        span: offset and length [bytes] in the shard.
        problem: why there is none to read.
    """

    name: str
    stem: str
    path: Path
    member: str = ""
    span: tuple[int, int] = (0, 0)
    problem: str = ""

    def __str__(self) -> str:
        return f"{self.path}/{self.member}" if self.member else str(self.path)

    def read(self, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
        """Read it, as :func:`fastdepth.images.io.read_image` does.

        Args:
            max_pixels: it is refused where it has more.

        Returns:
            (H, W, 3) uint8 RGB.

        Raises:
            ImageError: it cannot be read.
        """
        if self.problem:
            raise ImageError(self.problem)
        if not self.member:
            return read_image(self.path, max_pixels=max_pixels)
        check_regular(self.path, ImageError)
        if self.span[1] > most_bytes(max_pixels):
            raise ImageError(f"{self} has {self.span[1]} bytes, too large; is it an image?")
        try:
            with self.path.open("rb") as stream:
                stream.seek(self.span[0])
                content = stream.read(self.span[1])
        except OSError as error:
            raise ImageError(f"{self} cannot be read: {error.strerror}; check it") from None
        return image_from(content, str(self), max_pixels=max_pixels)


@dataclass(frozen=True)
class ImageList:
    """Images of one or several sources; each iteration begins anew. See :func:`open_images`."""

    sources: tuple[Path, ...]
    leave_out: Path | None = None
    follow_outside: bool = False

    def __iter__(self) -> Iterator[ImageFile]:
        alone = len(self.sources) == 1
        for path, name in zip(self.sources, unique_names(self.sources), strict=True):
            if not is_set(path):
                yield ImageFile(name + path.suffix, name, path)
            elif is_shard(path):
                yield from _shard(path, path.name if alone else name + path.suffix)
            elif is_listed(path):
                yield from self._listed(path, "" if alone else name)
            else:
                yield from self._walk(path, "" if alone else name)

    def _open(self, path: Path, name: str) -> Iterator[ImageFile]:
        """Images of whatever lies at the path, their names below ``name``."""
        if path.suffix.lower() in SUFFIXES:  # most are, so ask the disk of none of these
            yield _named(name, path)
        elif is_shard(path):
            yield from _shard(path, name)
        elif _is_folder(path):
            yield from self._walk(path, name)
        else:
            yield _named(name, path)

    def _walk(self, top: Path, name: str) -> Iterator[ImageFile]:
        """Images and shards of a folder in the order of their names, then of those below."""
        # No recursion, for folders may be deeper than a stack.
        waiting = [(top, "" if name == "." else name)]
        while waiting:
            folder, name = waiting.pop()
            try:
                files, folders = _names(folder)
            except OSError as error:
                problem = f"{folder} cannot be read: {error.strerror}; check it"
                yield ImageFile(f"{name}/", f"{name}/", folder, problem=problem)
                continue
            for file in files:
                yield from self._open(folder / file, posixpath.join(name, file))
            for below in reversed(folders):
                if self.leave_out is None or (folder / below).resolve() != self.leave_out:
                    waiting.append((folder / below, posixpath.join(name, below)))

    def listed(self, path: Path) -> Iterator[Path]:
        """What the lines of a list lead to; none where it cannot be read."""
        with contextlib.suppress(ImageError):
            for line in lines(path):
                yield path.parent / line

    def _listed(self, path: Path, name: str) -> Iterator[ImageFile]:
        """What a list names: a path a line, relative to the list."""
        try:
            for line in lines(path):
                below = posixpath.normpath(posixpath.join(name, _below(line, path.parent)))
                if problem := self._outside(line, path):
                    yield ImageFile(below, below, path.parent / line, problem=problem)
                else:
                    yield from self._open(path.parent / line, below)
        except ImageError as error:
            yield ImageFile(name or path.name, name or path.name, path, problem=str(error))

    def _outside(self, line: str, path: Path) -> str:
        """Why a line is not followed: it leads out of the list's folder; nothing if it may."""
        if self.follow_outside:
            return ""
        try:
            check_inside(path.parent, [line], path, ImageError)
        except ImageError as error:
            return str(error)
        return ""


def open_images(
    paths: str | Path | Sequence[str | Path],
    *,
    leave_out: Path | None = None,
    follow_outside: bool = False,
) -> ImageList:
    """Images to be read one after the other, of a million as of one.

    Args:
        paths: one or several of these. An image. A folder, of which all images and tar shards
            are taken, also those of folders below; hidden ones and links to folders are not. A tar
            shard as WebDataset names them (.tar, not compressed), of which the images are read
            where they lie. A list (.txt) of these three, one path a line, relative to the list.
            Names of several sources begin with the name of each.
        leave_out: a folder that is not walked, such as that of the output.
        follow_outside: read also what a list names outside of its own folder; without it such a
            line is an image that cannot be read.

    Raises:
        UsageError: there are no paths, a folder or list does not exist, or it is the one to be
            left out.
    """
    sources = [paths] if isinstance(paths, str | Path) else paths
    found = tuple(map(Path, sources))
    if not found:
        raise UsageError("no images given; name files, folders, .tar shards or .txt lists")
    for path in found:
        if is_set(path) and not os.path.exists(path):  # noqa: PTH110
            raise UsageError(f"{path} does not exist; check the path")
        same = leave_out is not None and os.path.realpath(path) == os.path.realpath(leave_out)
        if same and _is_folder(path):
            raise UsageError(f"{path} holds the images; write to another folder")
    return ImageList(found, None if leave_out is None else leave_out.resolve(), follow_outside)


def is_set(path: Path) -> bool:
    """Whether a path stands for any number of images: a folder, a tar shard or a list."""
    return path.suffix.lower() in (SHARD, LIST) or _is_folder(path)


def is_shard(path: Path) -> bool:
    """Whether a path is a tar shard, by its name."""
    return path.suffix.lower() == SHARD and not _is_folder(path)


def is_listed(path: Path) -> bool:
    """Whether a path is a list, by its name."""
    return path.suffix.lower() == LIST and not _is_folder(path)


def _is_folder(path: Path) -> bool:
    """Whether there is a folder; Path.is_dir would raise for names that none can have."""
    return os.path.isdir(path)  # noqa: PTH112


def unique_names(paths: Sequence[Path]) -> list[str]:
    """One name for each path: its stem; where stems are the same, with the folder before it.

    ``a/1.jpg b/1.jpg`` become ``a_1 b_1``. More folders follow until the name is free, then
    numbers.
    """
    stems = Counter(path.stem.casefold() for path in paths)  # some disks do not tell A from a
    taken: set[str] = set()
    names = []
    for path in paths:
        alone = stems[path.stem.casefold()] == 1
        free = (name for name in _candidates(path, alone) if name.casefold() not in taken)
        names.append(next(free))
        taken.add(names[-1].casefold())
    return names


def _candidates(path: Path, alone: bool) -> Iterator[str]:
    """Names for a path, the best first: stem, folder_stem, folder_folder_stem, ... then numbers."""
    folders = path.absolute().parent.parts[1:]
    if alone or not folders:
        yield path.stem
    for first in reversed(range(len(folders))):
        yield "_".join([*folders[first:], path.stem])
    for number in itertools.count(2):
        yield f"{'_'.join([*folders[-1:], path.stem])}_{number}"


def _named(name: str, path: Path, member: str = "", span: tuple[int, int] = (0, 0)) -> ImageFile:
    """An image of a set. Its stem lacks .jpg, unless b.png.jpg would become as b.png is."""
    short, suffix = posixpath.splitext(name)
    drop = suffix == ".jpg" and not short.lower().endswith(SUFFIXES)
    return ImageFile(name, short if drop else name, path, member, span)


def _names(folder: Path) -> tuple[list[str], list[str]]:
    """Names of a folder's images and shards, and of the folders in it, sorted."""
    files, folders = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            elif entry.name.lower().endswith((*SUFFIXES, SHARD)):
                files.append(entry.name)
    return sorted(files), sorted(folders)


def _shard(path: Path, name: str) -> Iterator[ImageFile]:
    """Images of a tar file in their order."""
    try:
        for below, member, span in members(path, SUFFIXES):
            yield _named(f"{name}/{below}", path, member, span)
    except ImageError as error:
        yield ImageFile(f"{name}/", f"{name}/", path, problem=str(error))


def _below(line: str, folder: Path) -> str:
    """A listed path as a name: relative to the list, but for what does not lie below that."""
    path = os.path.normpath(folder.absolute() / line)
    relative = PurePath(os.path.relpath(path, folder.absolute()))
    if relative.parts[:1] in ((os.pardir,), (OUTSIDE,)):
        relative = PurePath(OUTSIDE, *PurePath(path).parts[1:])
    return relative.as_posix()
