"""Images from and to disk: whatever the file holds, the program sees (H, W, 3) uint8 RGB."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fastdepth.errors import ImageError
from fastdepth.files import write_bytes

SMALLEST_SIDE = 16
"""Shortest side [px] of an image that can be meant as one."""

LARGEST_SIDE = 65_535
"""Longest side [px]; JPEG stores no more."""

_JPEG_START, _PNG_START = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, b"\xff\xd9"


def read_image(path: str | Path) -> NDArray[np.uint8]:
    """Read an image, turned upright as its EXIF orientation says.

    Grey is repeated to three channels, alpha is dropped (not blended), 16 bits are scaled to 8.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ImageError: the file is missing, no image, truncated, too small or too large.
    """
    return image_from(_read(Path(path)), path)


def image_from(content: bytes, name: str | Path) -> NDArray[np.uint8]:
    """Read an image as :func:`read_image` does, from a file's bytes.

    Args:
        content: what the file holds.
        name: what errors call it.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ImageError: the bytes are no image, truncated, too small or too large.
    """
    pixels = _decode(content, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH, name)
    _check_size(name, pixels.shape[1], pixels.shape[0])
    return cv2.cvtColor(_as_uint8(name, pixels), cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def decode(path: str | Path, flags: int) -> NDArray[Any]:
    """Decode an image file with OpenCV's flags, but accept no file that stops early.

    Returns:
        Pixels as OpenCV gives them: (H, W) or (H, W, 3) BGR, in the file's dtype.

    Raises:
        ImageError: the file is missing, no image or truncated.
    """
    return _decode(_read(Path(path)), flags, path)


def _decode(content: bytes, flags: int, path: str | Path) -> NDArray[Any]:
    """Decode an image file's bytes; ``path`` is what errors call it."""
    if not content:
        raise ImageError(f"{path} is empty; copy it again")
    if _is_truncated(content):
        raise ImageError(f"{path} is truncated: the end of the image is missing; copy it again")
    try:
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error as error:
        raise ImageError(f"{path} cannot be decoded, at most 2^30 px: {error.err}") from None
    if pixels is None:
        raise ImageError(f"{path} is not an image that OpenCV reads; give a JPEG or PNG file")
    return pixels


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


def _read(path: Path) -> bytes:
    """The file's bytes; ImageError where it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ImageError(f"{path} does not exist; check the path") from None
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror}; check it") from None


def _is_truncated(content: bytes) -> bool:
    """Whether a JPEG or PNG stops early; OpenCV would fill the rest of a JPEG with grey."""
    if content.startswith(_PNG_START):
        return b"IEND" not in content
    if content.startswith(_JPEG_START):
        # Stored bytes 0xFF are escaped in the scan, so a marker there is a marker.
        return _END_OF_IMAGE not in content[_scan_start(content) :]
    return False


def _scan_start(content: bytes) -> int:
    """Offset of a JPEG's first scan: past the metadata, whose thumbnail has an end of its own."""
    offset = 2
    while offset + 4 <= len(content) and content[offset] == 0xFF:
        if content[offset + 1] == _START_OF_SCAN:
            return offset
        if content[offset + 1] == 0xFF:  # a fill byte may stand before a marker
            offset += 1
            continue
        offset += 2 + int.from_bytes(content[offset + 2 : offset + 4], "big")
    return min(offset, len(content))


def _check_size(path: str | Path, width: int, height: int) -> None:
    """Raise ImageError for an image too small or too large to work on."""
    if min(width, height) < SMALLEST_SIDE:
        raise ImageError(
            f"{path} is {width}x{height} px, too small; both sides must be {SMALLEST_SIDE} or more"
        )
    if max(width, height) > LARGEST_SIDE:
        raise ImageError(
            f"{path} is {width}x{height} px, too large; make both sides {LARGEST_SIDE} or less"
        )


def _as_uint8(path: str | Path, pixels: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Scale 16 bits to 8, rounded: 65535 = 257 * 255."""
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint8, copy=False)
    if pixels.dtype == np.uint16:
        return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    raise ImageError(f"{path} holds {pixels.dtype} pixels; save it with 8 or 16 bits a channel")


def to_millimetres(depth: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Depth [m] as it stands in a 16-bit PNG [mm]: invalid is 0, at most 65.535 m."""
    valid = np.nan_to_num(depth, nan=0.0, posinf=0.0, neginf=0.0)
    millimetres: NDArray[np.uint16] = np.clip(np.rint(valid * 1e3), 0, 65_535).astype(np.uint16)
    return millimetres
