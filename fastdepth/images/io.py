"""Images from and to disk: whatever the file holds, the program sees (H, W, 3) uint8 RGB."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fastdepth.errors import ImageError
from fastdepth.files import read_bytes, write_bytes
from fastdepth.images import jpeg, png
from fastdepth.images.whole import (
    PLAIN_PNM,
    as_damaged,
    avif_orientation,
    check_other,
    check_white,
    is_avif,
    was_decoded,
)
from fastdepth.size import Size

SMALLEST_SIDE = 16
"""Shortest side [px] of an image that can be meant as one."""

LARGEST_SIDE = 65_535
"""Longest side [px]; JPEG stores no more."""

MAX_PIXELS = 64 * 2**20
"""Most pixels of an image, unless the reader is told otherwise: what telephones make, just."""

_ROWS = 64

_BYTES_A_PIXEL, _FEW = 16, 2**20
"""More bytes than any file has; and pixels beside which metadata may be the larger part."""


def read_image(
    path: str | Path, *, upright: bool = True, max_pixels: int = MAX_PIXELS
) -> NDArray[np.uint8]:
    """Read an image, turned upright as its EXIF orientation says.

    Grey is repeated to three channels, alpha is dropped (not blended), 16 bits are scaled to 8.

    Args:
        path: the file.
        upright: False leaves the pixels as they are stored, for they lie on depth stored so.
        max_pixels: images of more are refused by their header, before memory is spent.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ImageError: the file is missing, no image, damaged, too small or too large.
    """
    content = _read(path, max_pixels)
    return image_from(content, path, upright=upright, max_pixels=max_pixels)


def image_from(
    content: bytes, name: str | Path, *, upright: bool = True, max_pixels: int = MAX_PIXELS
) -> NDArray[np.uint8]:
    """Read an image as :func:`read_image` does, from a file's bytes.

    Args:
        content: what the file holds.
        name: what errors call it.
        upright: False leaves the pixels as they are stored.
        max_pixels: images of more are refused.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ImageError: the bytes are no image, damaged, too small or too large.
    """
    check = partial(check_size, name, max_pixels)
    try:
        if _is_jpeg(content):
            parsed = jpeg.parse(content, name)
            check(parsed.size)
            return parsed.pixels(name, upright=upright)
        check_white(content, name)
        by_boxes = is_avif(content)  # of its turns OpenCV knows nothing, and EXIF's do not count
        turn = 0 if upright and not by_boxes else cv2.IMREAD_IGNORE_ORIENTATION
        flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | turn
        pixels = _as_uint8(name, _decode(content, flags, name, check))
        image = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
        return jpeg.turned(image, avif_orientation(content)) if upright and by_boxes else image
    except MemoryError:
        raise ImageError(f"{name} does not fit into memory; make it smaller") from None


def decode(path: str | Path, flags: int, *, max_pixels: int = MAX_PIXELS) -> NDArray[Any]:
    """Decode an image file with OpenCV's flags, but accept none that is damaged.

    Returns:
        Pixels as OpenCV gives them: (H, W) or (H, W, 3) BGR, in the file's dtype.

    Raises:
        ImageError: the file is missing, no image, damaged or too large.
    """
    content = _read(path, max_pixels)
    check = partial(_check_pixels, path, max_pixels)
    try:
        if _is_jpeg(content):
            parsed = jpeg.parse(content, path)
            check(parsed.size)
            parsed.pixels(path, upright=False)  # raises where it is damaged
        return _decode(content, flags, path, check)
    except MemoryError:
        raise ImageError(f"{path} does not fit into memory; make it smaller") from None


def _is_jpeg(content: bytes) -> bool:
    return content.startswith(jpeg.START)


def _decode(content: bytes, flags: int, name: str | Path, check_size: Any) -> NDArray[Any]:
    """Decode by OpenCV what is whole and of a size that ``check_size`` lets pass."""
    if not content:
        raise ImageError(f"{name} is empty; copy it again")
    if content.startswith(png.START[:4]):
        content = png.parse(content, name, check_size)
    elif not _is_jpeg(content):
        check_other(content, name, check_size)
        if content.startswith(PLAIN_PNM):
            content += b"\n"  # without which OpenCV misses the end of the last number
    try:
        with QUIET():
            pixels = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error as error:
        if error.code == cv2.Error.STS_NO_MEM:
            raise MemoryError from None
        raise as_damaged(name, f"OpenCV {cv2.__version__} cannot decode it") from None
    if pixels is None and was_decoded(content):
        raise ImageError(f"{name} is of a kind that OpenCV does not read; save it as PNG")
    if pixels is None:
        raise as_damaged(name, f"OpenCV {cv2.__version__} cannot decode it")
    return pixels


# OpenCV 4 has it in the one place, 5 in the other.
_SET_LEVEL: Any = getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel


class _Quiet:
    """A context in which OpenCV logs nothing, in whatever thread; the level is put back after."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._level = 0

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            if not self._inside:
                self._level = _SET_LEVEL(0)
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if not self._inside:
                    _SET_LEVEL(self._level)


QUIET = _Quiet()


def write_png(path: str | Path, array: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
    """Write a PNG file, whole or not at all.

    Args:
        path: where to; what stands there is replaced.
        array: (H, W, 3) uint8 RGB, or (H, W) uint16 grey such as depth in millimetres.

    Raises:
        ImageError: the array is neither.
        OutputError: the file could not be written.
    """
    if array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3:
        pixels = cv2.cvtColor(array, cv2.COLOR_RGB2BGR)
    elif array.dtype == np.uint16 and array.ndim == 2:
        pixels = array
    else:
        raise ImageError(
            f"cannot write {array.dtype} of shape {array.shape} as PNG; "
            "give (H, W, 3) uint8 RGB or (H, W) uint16"
        )
    try:
        _, encoded = cv2.imencode(".png", pixels)
    except cv2.error as error:
        raise ImageError(f"cannot encode shape {array.shape} as PNG: {error.err}") from None
    write_bytes(path, encoded.tobytes())


def _read(path: str | Path, max_pixels: int) -> bytes:
    """The file's bytes, of no more than such an image can have."""
    return read_bytes(path, ImageError, most_bytes(max_pixels))


def most_bytes(max_pixels: int) -> int:
    """No image file of so many pixels has more bytes."""
    return _BYTES_A_PIXEL * max(max_pixels, _FEW)


def check_size(name: str | Path, max_pixels: int, size: Size) -> None:
    """Raise ImageError for an image too small or too large to work on."""
    if min(size) < SMALLEST_SIDE:
        raise ImageError(
            f"{name} is {size} px, too small; both sides must be {SMALLEST_SIDE} or more"
        )
    if max(size) > LARGEST_SIDE:
        raise ImageError(f"{name} is {size} px, too large; make both sides {LARGEST_SIDE} or less")
    _check_pixels(name, max_pixels, size)


def _check_pixels(name: str | Path, max_pixels: int, size: Size) -> None:
    """Raise ImageError for an image that would take too much memory."""
    if size.height * size.width > max_pixels:
        raise ImageError(
            f"{name} is {size} px, too large; make it smaller than {max_pixels} pixels, "
            "or give --max-pixels"
        )


def _as_uint8(path: str | Path, pixels: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Scale 16 bits to 8, rounded: 65535 = 257 * 255."""
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint8, copy=False)
    if pixels.dtype == np.uint16:
        scaled = np.empty(pixels.shape, np.uint8)
        for row in range(0, len(pixels), _ROWS):  # not all at once in four bytes each
            rows = slice(row, row + _ROWS)
            scaled[rows] = (pixels[rows].astype(np.uint32) + 128) // 257
        return scaled
    raise ImageError(f"{path} holds {pixels.dtype} pixels; save it with 8 or 16 bits a channel")


def to_millimetres(depth: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Depth [m] as it stands in a 16-bit PNG [mm]: invalid is 0, at most 65.535 m."""
    valid = np.nan_to_num(depth, nan=0.0, posinf=0.0, neginf=0.0)
    millimetres: NDArray[np.uint16] = np.clip(np.rint(valid * 1e3), 0, 65_535).astype(np.uint16)
    return millimetres
