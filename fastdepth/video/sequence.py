"""A sequence of images as a clip: a folder of them, or the files of a pattern."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from pathlib import Path

from fastdepth.errors import ImageError
from fastdepth.images.collection import SUFFIXES
from fastdepth.images.io import read_image
from fastdepth.images.skipping import UNUSABLE, problem_of
from fastdepth.video.frames import Faults, Still

_NUMBER = re.compile(r"%(?:0?(\d{1,2}))?d")


def is_pattern(name: str) -> bool:
    """Whether a text stands for files by ``%d``, ``%06d``, ``*`` or ``?``, and is none itself."""
    return bool(_NUMBER.search(name) or set("*?") & set(name)) and not os.path.lexists(name)


class ImageSequence:
    """Images in the order of their names, numbers in them as numbers; see :class:`Source`.

    Args:
        name: a folder, of which images directly in it are taken, or a pattern, or an image.
        rate: frames a second.
        faults: is told of images that cannot be used.
        max_pixels: images of more are refused.

    Raises:
        ImageError: there are no images.
    """

    live = False

    def __init__(self, name: str, rate: float, faults: Faults, max_pixels: int) -> None:
        self.name = name
        self.rate = rate
        self._faults = faults
        self._max_pixels = max_pixels
        self._paths = sorted(_paths(name), key=_by_numbers)
        self.count: int | None = len(self._paths)
        if not self._paths:
            raise ImageError(f"{name} leads to no images; check it, or name a clip or a folder")

    def __iter__(self) -> Iterator[Still]:
        found = 0
        for number, path in enumerate(self._paths):
            try:
                image = read_image(path, max_pixels=self._max_pixels)
            except UNUSABLE as error:
                self._faults.add(f"frame {number} is skipped: {problem_of(error, path)}")
                continue
            found += 1
            yield Still(image, number / self.rate, number)
        if not found:
            raise ImageError(f"{self.name} has no image that can be used; check it")


def _paths(name: str) -> list[Path]:
    """The files that a folder, a pattern or a path stands for."""
    if os.path.isdir(name):  # noqa: PTH112
        return [path for path in _listed(Path(name)) if path.suffix.lower() in SUFFIXES]
    if os.path.lexists(name):
        return [Path(name)]
    if not _NUMBER.search(name):
        return [Path(path) for path in glob.glob(name)]  # noqa: PTH207 (absolute ones too)
    folder, last = os.path.split(name)
    parts = _NUMBER.split(last)  # texts and widths in turns
    texts, widths = parts[::2], parts[1::2]
    digits = [rf"\d{{{width},}}" if width else r"\d+" for width in widths]
    places = [*digits, ""]
    whole = "".join(re.escape(text) + place for text, place in zip(texts, places, strict=True))
    return [path for path in _listed(Path(folder)) if re.fullmatch(whole, path.name)]


def _listed(folder: Path) -> list[Path]:
    """What lies in a folder, hidden files aside.

    Raises:
        ImageError: it cannot be read.
    """
    try:
        return [path for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError as error:
        raise ImageError(f"{folder} cannot be read: {error.strerror}; check it") from None


def _by_numbers(path: Path) -> tuple[list[tuple[int, int, str]], str]:
    """A key by which 9.png comes before 10.png."""
    parts = re.split(r"([0-9]{1,18})", str(path))
    key = [(1, int(part), "") if odd % 2 else (0, 0, part) for odd, part in enumerate(parts)]
    return key, str(path)
