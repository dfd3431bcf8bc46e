"""PNG files: their parts, whether they are whole, and whether their pixels are as many as they say.

Every part has a checksum. Where one was made to fit a header that lies, the pixels inflate to
another length than it promises; libpng crops them and writes a line to stderr. So they are inflated
here, once, and libpng is given them as they are.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

from fastdepth.images.whole import as_damaged, as_truncated
from fastdepth.size import Size

START = b"\x89PNG\r\n\x1a\n"

_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
"""Bits by a PNG's kind of colour."""

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}

_PALETTE = 3
"""The kind of colour whose pixels are numbers of colours."""

_PASSES = (
    *((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4)),
    *((2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)),
)
"""Of an interlaced image: first row and column, and steps between."""

_FILTERS = 5

_EXIF = (b"II*\0", b"MM\0*")


class _Header(NamedTuple):
    """What a PNG says of itself, in its order."""

    width: int
    height: int
    bits: int
    colour: int
    packing: int
    filtering: int
    interlaced: int

    @property
    def is_sound(self) -> bool:
        """Whether there can be such an image."""
        known = (self.packing, self.filtering) == (0, 0) and self.interlaced < 2
        return known and self.bits in _DEPTHS.get(self.colour, ()) and min(self[:2]) > 0

    def passes(self) -> Iterator[tuple[int, int]]:
        """Of each pass over the pixels its rows, and the bytes of a row with its filter."""
        bits = self.bits * _CHANNELS[self.colour]
        for top, left, down, right in _PASSES if self.interlaced else ((0, 0, 1, 1),):
            rows, columns = -((top - self.height) // down), -((left - self.width) // right)
            if rows > 0 and columns > 0:
                yield rows, 1 + (columns * bits + 7) // 8


def parse(content: bytes, name: object, check_size: Callable[[Size], object]) -> bytes:
    """The same image as a PNG that is not compressed and has nothing but what decides its pixels.

    Args:
        content: begins with the first four bytes of :data:`START`.
        name: what errors call it.
        check_size: raises where the size is none to be read, before memory is spent.

    Raises:
        ImageError: it is truncated, a checksum is wrong, or it is not what its header says.
    """
    if not content.startswith(START):  # as where ends of lines were translated
        raise as_damaged(name, "its first bytes are wrong")
    header: _Header | None = None
    colours, exif, packed = b"", b"", []
    for kind, body in _parts(content, name):
        if header is None or kind == b"IHDR":
            header = _read_header(kind, body, name, first=header is None)
        elif kind == b"IDAT":
            packed.append(body)
        elif kind == b"PLTE" and header.colour == _PALETTE:
            if colours or packed or not 0 < len(body) <= 768 or len(body) % 3:
                raise as_damaged(name, "its palette makes no sense")
            colours = _part(kind, bytes(body))
        elif kind == b"eXIf" and bytes(body[:4]) in _EXIF and len(body) > 4:
            exif = exif or _part(kind, bytes(body))
    if header is None or (header.colour == _PALETTE and not colours):
        raise as_damaged(name, "it has no palette")
    check_size(Size(header.height, header.width))
    pixels = zlib.compress(_inflate(b"".join(packed), header, name), 0)
    first = _part(b"IHDR", struct.pack(">IIBBBBB", *header))
    return b"".join([START, first, colours, exif, _part(b"IDAT", pixels), _part(b"IEND", b"")])


def _parts(content: bytes, name: object) -> Iterator[tuple[bytes, memoryview]]:
    """Kind and body of each part, up to the last."""
    view, offset, kind = memoryview(content), len(START), b""
    while kind != b"IEND":
        if len(content) < offset + 12:
            raise as_truncated(name)
        end = offset + 12 + int.from_bytes(view[offset : offset + 4], "big")
        kind = content[offset + 4 : offset + 8]
        if end > len(content):
            raise as_truncated(name)
        if zlib.crc32(view[offset + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
            raise as_damaged(name, "a checksum in it is wrong")
        yield kind, view[offset + 8 : end - 4]
        offset = end


def _part(kind: bytes, body: bytes) -> bytes:
    """A part with its length and checksum."""
    checksum = zlib.crc32(body, zlib.crc32(kind))
    return b"".join([len(body).to_bytes(4, "big"), kind, body, checksum.to_bytes(4, "big")])


def _read_header(kind: bytes, body: memoryview, name: object, *, first: bool) -> _Header:
    """The one header, which comes first."""
    if kind != b"IHDR" or len(body) != 13 or not first:
        raise as_damaged(name, "it has no header, or several")
    header = _Header(*struct.unpack(">IIBBBBB", body))
    if not header.is_sound:
        raise as_damaged(name, "its header makes no sense")
    return header


def _inflate(packed: bytes, header: _Header, name: object) -> bytes:
    """The rows of all passes, as many as the header promises, each behind its filter's number."""
    length, end = sum(rows * row for rows, row in header.passes()), 0
    stream = zlib.decompressobj()
    try:
        pixels = stream.decompress(packed, length + 1)
    except zlib.error:
        raise as_damaged(name, "its pixels cannot be inflated") from None
    if len(pixels) != length or not stream.eof:
        raise as_damaged(name, "its pixels are not as many as its header says")
    for rows, row in header.passes():
        start, end = end, end + rows * row
        if max(pixels[start:end:row]) >= _FILTERS:
            raise as_damaged(name, "it has a filter that there is not")
    return pixels
