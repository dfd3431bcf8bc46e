"""JPEG files: their parts, whether they are whole, their pixels.

A JPEG has no checksum. What tells a damaged one from a whole one is that its coded data ends just
where its last block does, and libjpeg-turbo says so; OpenCV and Pillow do not ask.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from fastdepth.errors import ImageError
from fastdepth.images.whole import as_damaged, as_truncated
from fastdepth.size import Size

START, END = b"\xff\xd8", b"\xff\xd9"

MOST_SCANS = 100
"""Passes over the pixels; a progressive JPEG has ten, and each costs the time of a whole image."""

_EXIF = b"Exif\0\0"
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_READ_FRAMES = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}  # Huffman and arithmetic; no lossless ones
_PROGRESSIVE = {0xC2, 0xCA}
_SEQUENTIAL = b"\0\x3f\0"
"""End of the head of a scan that brings all bits of all 64 coefficients."""
_NONE = 16
_SCAN, _APP0, _APP1, _ADOBE, _COMMENT = 0xDA, 0xE0, 0xE1, 0xEE, 0xFE
_NO_COLOURS = {*range(_APP1, 0xF0), _COMMENT} - {_ADOBE}

# Stored bytes 0xFF are escaped in a scan, so a marker there is a marker.
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")

_PADDING = re.compile(rb"\0*(?:\xff+(?=\xff))?")

# Upright from each EXIF orientation: transposed first or not, then flipped as OpenCV counts.
_TURNS: dict[int, tuple[bool, int | None]] = {
    2: (False, 1),
    3: (False, -1),
    4: (False, 0),
    5: (True, None),
    6: (True, 1),
    7: (True, -1),
    8: (True, 0),
}


@dataclass(frozen=True)
class Jpeg:
    """The parts of a JPEG file.

    Attributes:
        size: as stored.
        channels: 1, 3 or, in CMYK, 4.
        coded: the file without metadata and without what stands behind its end.
        exif: the first block of it, else empty.
    """

    size: Size
    channels: int
    coded: bytes
    exif: bytes

    def pixels(self, name: object, *, upright: bool) -> NDArray[np.uint8]:
        """Decode all of it.

        Args:
            name: what errors call it.
            upright: turned as the EXIF orientation says.

        Returns:
            (H, W, 3) uint8 RGB.

        Raises:
            ImageError: it is damaged, or of a kind that is not read.
        """
        stored = _decode(self.coded, name, self.channels)
        if not (upright and self.exif):
            return stored
        return turned(stored, _orientation(self.exif))


def turned(stored: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Stored pixels turned upright by EXIF's number; one that it does not have turns nothing."""
    transposed, flip = _TURNS.get(orientation, (False, None))
    pixels = cv2.transpose(stored) if transposed else stored
    return (pixels if flip is None else cv2.flip(pixels, flip)).astype(np.uint8, copy=False)


def parse(content: bytes, name: object) -> Jpeg:
    """Take a JPEG file apart.

    Args:
        content: begins with :data:`START`.
        name: what errors call it.

    Raises:
        ImageError: it is truncated, damaged, or of a kind that is not read.
    """
    frame, kept, exif, scans = None, [START], b"", 0
    for marker, body, whole in _parts(content, name):
        if marker in _FRAMES:
            if frame is not None:
                raise as_damaged(name, "more than one frame")
            frame = _Frame(marker, body, name)
        elif marker == _SCAN:
            scans += 1
            if frame is None or scans > MOST_SCANS:
                raise as_damaged(name, f"no frame, or more than {MOST_SCANS} scans")
            whole = frame.scan(body, whole)
        elif marker == _APP1 and body.startswith(_EXIF):
            exif = exif or body
        if _has_colours(marker, body):
            kept.append(whole)
    if frame is None or not frame.is_complete:
        raise as_damaged(name, "it ends before its last scan")
    return Jpeg(frame.size, len(frame.rough), b"".join([*kept, END]), exif)


def _parts(content: bytes, name: object) -> Iterator[tuple[int, bytes, bytes]]:
    """Marker, body, and all bytes of each part up to the end marker, coded data with its scan."""
    offset = len(START)
    while True:
        padding = _PADDING.match(content, offset)
        start = padding.end() if padding else offset
        marker, length = content[start + 1 : start + 2], content[start + 2 : start + 4]
        if not marker:
            raise as_truncated(name)
        if content[start] != 0xFF:
            raise as_damaged(name, f"no marker at byte {start}")
        if marker == END[1:]:
            return
        offset = start + 2 + int.from_bytes(length, "big")
        if not start + 4 <= offset <= len(content):
            raise as_truncated(name)
        body = content[start + 4 : offset]
        if marker[0] == _SCAN:
            after = _AFTER_SCAN.search(content, offset)
            if after is None:
                raise as_truncated(name)
            offset = after.start()
        yield marker[0], body, content[start:offset]


class _Frame:
    """What the start of a frame says, and which bits of its coefficients have come.

    Attributes:
        size: of the image.
        rough: by the number of each component, how many bits each of its 64 coefficients lacks.
    """

    def __init__(self, marker: int, body: bytes, name: object) -> None:
        sound = len(body) >= 6 and len(body) == 6 + 3 * body[5]
        if not sound:
            raise as_damaged(name, "its header makes no sense")
        if marker not in _READ_FRAMES or body[0] != 8 or body[5] not in (1, 3, 4):
            raise ImageError(
                f"{name} is a JPEG with {body[0]} bits and {body[5]} channels, of kind "
                f"{marker:X}; save it as an ordinary JPEG or as PNG"
            )
        self.size = Size(int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big"))
        if min(self.size) == 0:
            raise as_damaged(name, "no height or width")
        self._progressive = marker in _PROGRESSIVE
        self.rough = {number: [_NONE] * 64 for number in body[6::3]}

    def scan(self, body: bytes, whole: bytes) -> bytes:
        """Note what a scan brings; returns all its bytes, odd ones of no meaning put right."""
        end = 1 + 2 * body[0] if body else 0
        numbers, rest = body[1:end:2], body[end:]
        if not self._progressive and len(rest) == 3:  # some write anything here
            at = 4 + end
            rest, whole = _SEQUENTIAL, whole[:at] + _SEQUENTIAL + whole[at + 3 :]
        if len(rest) == 3:
            first, last, bits = rest
            for number in numbers:
                self.rough.get(number, [])[first : last + 1] = [bits & 15] * (last + 1 - first)
        return whole

    @property
    def is_complete(self) -> bool:
        """Whether all bits came; a file that ends between two scans decodes without complaint."""
        return not any(bit for bits in self.rough.values() for bit in bits)


def _has_colours(marker: int, body: bytes) -> bool:
    """Whether pixels depend on a part; libjpeg complains of what is odd in the others."""
    if marker == _APP0:
        return body.startswith(b"JFIF\0\1")
    return marker not in _NO_COLOURS


def _decode(coded: bytes, name: object, channels: int) -> NDArray[np.uint8]:
    """RGB of a bare JPEG, or ImageError where libjpeg-turbo has anything to complain of."""
    try:
        return _strict(coded, channels)
    except ValueError as fault:
        reason = str(fault)
    if "subsampling" in reason:  # TurboJPEG does not know every kind; OpenCV asks for no name
        return _by_opencv(coded, name)
    bare = coded[: -len(END)].rstrip(b"\0")
    if len(bare) < len(coded) - len(END):  # some cameras fill the last block of memory
        with_escape = bare + b"\0" if bare.endswith(b"\xff") else bare
        try:
            return _strict(with_escape + END, channels)
        except ValueError:
            pass
    raise as_damaged(name, reason.removeprefix("Corrupt JPEG data: "))


def _strict(coded: bytes, channels: int) -> NDArray[np.uint8]:
    """Decode; ValueError where anything is wrong with the data."""
    if channels == 4:
        simplejpeg.decode_jpeg(coded, "CMYK")
        return _by_opencv(coded, "")
    pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(coded, "RGB")
    return pixels


def _by_opencv(coded: bytes, name: object) -> NDArray[np.uint8]:
    pixels = cv2.imdecode(np.frombuffer(coded, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise as_damaged(name, "it cannot be decoded")
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def _orientation(exif: bytes) -> int:
    """1 to 8; 1, upright, where the block does not say or makes no sense."""
    tags = Image.Exif()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what it cannot read
            tags.load(exif)
            found = tags.get(0x0112, 1)
    except Exception:  # Pillow raises whatever its parts do; the pixels do not depend on it
        return 1
    return found if isinstance(found, int) else 1
