"""Whether image files other than JPEG and PNG are whole, and how large they say that they are.

The kinds are those of which the header can be read before memory is spent on pixels.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import io
import re
import warnings
import zlib
from collections.abc import Callable
from importlib import import_module
from typing import Any

from fastdepth.errors import ImageError
from fastdepth.size import Size

_HEADER = 2**12
"""Bytes of a PNM in which its header must end, comments and all."""

_PART = 2**20
"""Bytes that are decompressed at once."""


def as_damaged(name: object, reason: str) -> ImageError:
    """The error about a file that is an image, but not as it was written."""
    return ImageError(f"{name} is damaged: {reason}; copy it again")


def as_truncated(name: object) -> ImageError:
    """The error about an image that stops early."""
    return as_damaged(name, "truncated, or a length in it is wrong")


def check_other(content: bytes, name: object, check_size: Callable[[Size], object]) -> None:
    """See that a file that is neither JPEG nor PNG is an image, and as whole as can be told.

    Args:
        content: what the file holds.
        name: what errors call it.
        check_size: raises where the size is none to be read.

    Raises:
        ImageError: it is no image, a video, or damaged.
    """
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        check_size(_webp_size(content, name))
        return
    for magics, plugin in _PLUGINS:
        if content.startswith(magics) or (content[4:8] == b"ftyp" and content[8:12] in magics):
            _check_by_pillow(content, name, plugin, check_size)
            return
    raise ImageError(_what_else(content, name))


_PLUGINS = (
    ((b"II*\0", b"MM\0*", b"II+\0"), "TiffImagePlugin.TiffImageFile"),
    ((b"BM",), "BmpImagePlugin.BmpImageFile"),
    ((b"GIF87a", b"GIF89a"), "GifImagePlugin.GifImageFile"),
    ((b"P1", b"P2", b"P3", b"P4", b"P5", b"P6"), "PpmImagePlugin.PpmImageFile"),
    ((b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"), "Jpeg2KImagePlugin.Jpeg2KImageFile"),
    ((b"avif", b"avis"), "AvifImagePlugin.AvifImageFile"),
    ((b"\x59\xa6\x6a\x95",), "SunImagePlugin.SunImageFile"),
)
"""How files begin, and who reads their header. Not by Image.open, which warns of large ones."""

PLAIN_PNM = (b"P1", b"P2", b"P3")
"""How PNM files of written numbers begin."""

_WHITE = re.compile(rb"P[2356](?:\s|#[^\n]*\n)+(?:\d+(?:\s|#[^\n]*\n)+){2}0*(\d+)")
"""Header of a PNM file up to the number that white is."""

_DECODED = ("Tiff", "Jpeg2K")
"""Kinds of which OpenCV takes what its decoder could not read for pixels."""


def _check_by_pillow(
    content: bytes, name: object, plugin: str, check_size: Callable[[Size], object]
) -> None:
    """Have Pillow read the header, and all of those of which OpenCV accepts damaged ones."""
    module, kind = plugin.split(".")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd metadata
        try:
            image = getattr(import_module(f"PIL.{module}"), kind)(io.BytesIO(content))
        except Exception as fault:  # Pillow raises whatever its parts do
            if "unknown pixel mode" in str(fault):
                raise ImageError(
                    f"{name} is damaged or of an unusual kind; save it as PNG"
                ) from None
            raise as_damaged(name, "its header cannot be read") from None
        check_size(Size(image.height, image.width))
        try:
            if kind.startswith("Bmp") and image.info.get("compression") in _RUNS:
                runs = memoryview(content)[image.tile[0].offset :]
                _check_runs(runs, image.size, _RUNS[image.info["compression"]], name)
            if kind.startswith("Tiff"):
                _hush_libtiff()
                _check_deflated(image.tag_v2, content)
            if kind.startswith(_DECODED):
                image.load()
        except (ImageError, MemoryError):
            raise
        except Exception:
            raise as_damaged(name, "it cannot be decoded") from None


def was_decoded(content: bytes) -> bool:
    """Whether a file is of a kind that :func:`check_other` lets pass only if Pillow decodes it."""
    begins = (magics for magics, plugin in _PLUGINS if plugin.startswith(_DECODED))
    return any(content.startswith(magics) for magics in begins)


def check_white(content: bytes, name: object) -> None:
    """Raise ImageError for a PNM whose white is no whole byte or two: OpenCV reads it as dark."""
    header = _WHITE.match(content[:_HEADER])
    if header and header[1] not in (b"255", b"65535"):
        white = header[1].decode()
        raise ImageError(f"{name} has {white[:9]} for white, not 255 or 65535; save it as PNG")


def is_avif(content: bytes) -> bool:
    """Whether a file begins as AVIF does."""
    return content[4:8] == b"ftyp" and content[8:12] in (b"avif", b"avis")


def avif_orientation(content: bytes) -> int:
    """By EXIF's numbers how an AVIF that could be decoded is turned, 1 where it is not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = import_module("PIL.AvifImagePlugin").AvifImageFile(io.BytesIO(content))
            orientation = found.getexif().get(0x0112, 1)
        except Exception:  # of the metadata; the pixels do not depend on it
            return 1
    return orientation if isinstance(orientation, int) else 1


@functools.cache
def _hush_libtiff() -> None:
    """Keep Pillow's libtiff from writing to stderr; Windows has it inside of Pillow."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(import_module("PIL._imaging").__file__).TIFFSetErrorHandler(None)


def _check_deflated(tags: Any, content: bytes) -> None:
    """Raise ValueError or zlib.error where a checksum is wrong, for libtiff does not look.

    Args:
        tags: of a TIFF file, by number.
        content: the file.
    """
    compression, strips, tiles = 259, (273, 279), (324, 325)
    if tags.get(compression) not in (8, 32_946):
        return
    offsets, counts = (tags.get(tag) for tag in (strips if strips[0] in tags else tiles))
    for offset, count in zip(offsets, counts, strict=True):
        stream = zlib.decompressobj()
        part = content[offset : offset + count]
        while part and not stream.eof:
            stream.decompress(part, _PART)
            part = stream.unconsumed_tail
        if not stream.eof:
            raise ValueError("truncated")


_RUNS = {1: 1, 2: 2}
"""Pixels in a byte of a BMP by its kind of run-length code."""

_MOST_RUNS = 2**24
"""Bytes of these that are looked at, which takes seconds."""


def _check_runs(runs: memoryview, size: tuple[int, int], pixels: int, name: object) -> None:
    """See that the runs of a BMP fill its rows, each to the end.

    Where a part was lost or zeroed they do not, and the decoders go on elsewhere.

    Args:
        runs: from the first one on.
        size: width and height.
        pixels: how many a byte holds.
        name: what errors call it.

    Raises:
        ImageError: there are too many.
        ValueError, IndexError: they do not.
    """
    if len(runs) > _MOST_RUNS:
        raise ImageError(f"{name} has more run-length codes than are read; save it as PNG")
    width, height = size
    at = row = column = 0
    skipped = False
    while at + 1 < len(runs) and (pair := (runs[at], runs[at + 1])) != (0, 1):
        at += 2
        if pair == (0, 0):  # end of a row
            if column != width and not skipped:
                raise ValueError("a row is too short")
            row, column, skipped = row + 1, 0, False
        elif pair == (0, 2):  # right and on, nothing is drawn
            right, on = runs[at], runs[at + 1]
            if not right + on:
                raise ValueError("it goes nowhere")
            at, row, column, skipped = at + 2, row + on, column + right, True
        elif pair[0] == 0:  # so many pixels, in whole pairs of bytes
            at, column = at + 2 * -(-pair[1] // (2 * pixels)), column + pair[1]
        else:
            column += pair[0]
        if column > width or row > height or (row == height and column):
            raise ValueError("pixels lie outside")
    if (row, column) not in ((height - 1, width), (height, 0)) and not skipped:
        raise ValueError("rows are missing")


def _webp_size(content: bytes, name: object) -> Size:
    """Size by the header of a WebP; Pillow would already make room for the pixels."""
    kind, body = content[12:16], content[20:30]
    if len(body) == 10 and kind == b"VP8X":
        width, height = (int.from_bytes(body[i : i + 3], "little") + 1 for i in (4, 7))
    elif len(body) == 10 and kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif len(body) == 10 and kind == b"VP8 ":
        width, height = (int.from_bytes(body[i : i + 2], "little") & 0x3FFF for i in (6, 8))
    else:
        raise as_damaged(name, "its header makes no sense")
    return Size(height, width)


_VIDEOS = (
    b"\x1a\x45\xdf\xa3",
    b"FLV\1",
    b"OggS",
    b"\0\0\1\xba",
    b"\0\0\1\xb3",
    b"\x30\x26\xb2\x75",
)
_STILLS = (b"heic", b"heix", b"mif1", b"msf1", b"hevc")


def _what_else(content: bytes, name: object) -> str:
    """What a file is that is no image, and how to make images of it."""
    brand = content[8:12] if content[4:8] == b"ftyp" else b""
    if brand in _STILLS:
        return f"{name} is a HEIF image, which is not read; save it as JPEG or PNG"
    if content.startswith(b"MM\0+"):  # Pillow knows the little-endian ones alone
        return f"{name} is a big-endian BigTIFF, which is not read; save it as PNG"
    boxes = content[4:8] in (b"moov", b"mdat")
    stream = content[:1] == content[188:189] == content[376:377] == b"G"  # MPEG-TS
    riff = content[:4] == b"RIFF" and content[8:12] == b"AVI "
    if brand or boxes or stream or riff or content.startswith(_VIDEOS):
        return (
            f"{name} is a video; make images of its frames and give their folder: "
            f"ffmpeg -i VIDEO frames/%06d.png"
        )
    return f"{name} is not an image that is read; give a JPEG or PNG file"
