"""Sources of frames by what they are called: a clip, a camera's number, an address, images."""

from __future__ import annotations

import os
import re
from pathlib import Path

from fastdepth.errors import ImageError, UsageError
from fastdepth.images.collection import SUFFIXES as IMAGE_SUFFIXES
from fastdepth.images.io import MAX_PIXELS
from fastdepth.video.camera import Camera
from fastdepth.video.decoding import open_address, open_clip, without_password
from fastdepth.video.frames import Faults, Source
from fastdepth.video.sequence import ImageSequence, is_pattern

SUFFIXES = (
    ".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg",
    ".mts", ".ogv", ".ts", ".webm", ".wmv",
)  # fmt: skip
"""What is taken for a clip in folders; a file that is named itself may be any."""

RATE = 30.0
"""Frames a second of image sequences, which do not say."""

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)

MOST_CAMERAS = 100
"""More than a machine has."""


def is_camera(source: str) -> bool:
    """Whether a text is the number of a camera, and no file is called so."""
    return source.isascii() and source.isdigit() and not os.path.lexists(source)


def is_address(source: str) -> bool:
    """Whether a text is an address: ``rtsp://``, ``http://`` ..."""
    return bool(_ADDRESS.match(source))


def is_clip(source: str | Path) -> bool:
    """Whether a path is a clip, by its name."""
    return Path(source).suffix.lower() in SUFFIXES and not os.path.isdir(source)  # noqa: PTH112


def shown(source: str | Path | int) -> str:
    """What messages call a source; an address without its password."""
    name = str(source)
    if is_camera(name):
        return f"camera {name}"
    return without_password(name) if is_address(name) else name


def open_source(
    source: str | Path | int,
    faults: Faults | None = None,
    *,
    rate: float = RATE,
    max_pixels: int = MAX_PIXELS,
) -> Source:
    """Open what has frames.

    Args:
        source: a video file; the number of a camera; an address (``rtsp://``, ``http://`` ...); a
            folder of images, which are taken in the order of their names, numbers as numbers; or a
            pattern of image files (``frames/%06d.png``, ``frames/*.jpg``).
        faults: is told of frames that cannot be used.
        rate: frames a second of images.
        max_pixels: frames of more are refused.

    Raises:
        UsageError: it can be no source.
        ImageError: it is missing, or holds no frames.
        DeviceError: there is no such camera.
        MissingExtraError: PyAV, which decodes clips and addresses, is not installed.
    """
    faults = Faults() if faults is None else faults
    name = str(source)
    if isinstance(source, int) or (isinstance(source, str) and is_camera(source)):
        return Camera(_camera_number(source), faults, max_pixels)
    if isinstance(source, str) and is_address(source):
        return open_address(source, faults, max_pixels)
    if not name or "\0" in name:
        raise UsageError(f"{name!r} is no source of frames; give a file, a camera or an address")
    single = Path(name).suffix.lower() in IMAGE_SUFFIXES and os.path.lexists(name)
    if os.path.isdir(name) or single or is_pattern(name):  # noqa: PTH112
        return ImageSequence(name, rate, faults, max_pixels)
    return open_clip(Path(name), faults, max_pixels)


def _camera_number(source: int | str) -> int:
    """The number of a camera.

    Raises:
        UsageError: no machine has so many.
    """
    number = int(source) if len(str(source)) < 10 else -1
    if isinstance(source, bool) or not 0 <= number < MOST_CAMERAS:
        raise UsageError(f"{source} is no camera; they are numbered from 0")
    return number


def clips_in(folder: str | Path) -> list[Path]:
    """Clips that lie directly in a folder, by their names; none where it holds images as well.

    Raises:
        ImageError: it cannot be read.
    """
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208
    except OSError as error:
        raise ImageError(f"{folder} cannot be read: {error.strerror}; check it") from None
    shown = [name for name in names if not name.startswith(".")]
    if any(name.lower().endswith(IMAGE_SUFFIXES) for name in shown):
        return []
    return [Path(folder) / name for name in shown if is_clip(Path(folder) / name)]
