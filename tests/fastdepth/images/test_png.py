"""PNG files whose checksums fit and that are yet not what they say, and all kinds that are."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from itertools import pairwise

import cv2
import numpy as np
import pytest

from fastdepth.errors import ImageError
from fastdepth.images.io import image_from

PIXELS = cv2.GaussianBlur(
    np.random.default_rng(0).integers(0, 256, (24, 40, 3), np.uint8), (5, 5), 0
)
HEADER = {"width": 40, "height": 24, "bits": 8, "colour": 2, "interlaced": 0}
PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2))


def part(kind: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)


def header(**said: int) -> bytes:
    width, height, bits, colour, interlaced = {**HEADER, **said}.values()
    return part(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced))


def rows(pixels: np.ndarray, number: int = 0) -> bytes:
    """Rows (h, ...) as they stand in a PNG, with the number of a filter in front."""
    return b"".join(bytes([number]) + row.tobytes() for row in pixels)


def file(*parts: bytes) -> bytes:
    return b"".join([b"\x89PNG\r\n\x1a\n", *parts, part(b"IEND", b"")])


def packed(content: bytes) -> bytes:
    return part(b"IDAT", zlib.compress(content))


def encoded() -> bytes:
    """As OpenCV writes it."""
    return cv2.imencode(".png", PIXELS[..., ::-1])[1].tobytes()


@pytest.mark.parametrize(
    "said",
    [
        *({"height": 17}, {"height": 25}, {"width": 39}, {"width": 41}, {"colour": 0}),
        *({"colour": 6}, {"bits": 16}, {"interlaced": 1}, {"height": 48, "width": 20}),
    ],
    ids=str,
)
def test_a_forged_header_never_crops(said: dict[str, int], capfd: pytest.CaptureFixture) -> None:
    whole = encoded()
    assert whole[8:33] == header()
    with pytest.raises(ImageError, match=r"^a\.png is damaged: its pixels are not as many"):
        image_from(whole[:8] + header(**said) + whole[33:], "a.png")
    assert capfd.readouterr().err == ""


PALETTE = part(b"PLTE", bytes(768))
GREY = rows(PIXELS[..., 0])


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ([header(), packed(rows(PIXELS, 5))], "a filter that there is not"),
        ([header(), packed(rows(PIXELS) + b"\0")], "not as many"),
        ([header(), packed(rows(PIXELS)[:-1])], "not as many"),
        ([header(), part(b"IDAT", zlib.compress(rows(PIXELS))[:-4])], "not as many"),
        ([header(), part(b"IDAT", zlib.compress(rows(PIXELS))[:-4] + b"sums")], "cannot be"),
        ([header(), part(b"IDAT", b"\x78\x9c" + b"\xff" * 99)], "cannot be inflated"),
        ([header()], "not as many"),
        ([packed(rows(PIXELS)), header()], "no header, or several"),
        ([header(), header(), packed(rows(PIXELS))], "no header, or several"),
        ([header(colour=3), packed(GREY)], "no palette"),
        ([header(colour=3), PALETTE, PALETTE, packed(GREY)], "palette makes no sense"),
        ([header(colour=3), packed(GREY), PALETTE], "palette makes no sense"),
        ([header(colour=3), part(b"PLTE", bytes(767)), packed(GREY)], "palette makes no sense"),
        ([header(colour=3), part(b"PLTE", bytes(771)), packed(GREY)], "palette makes no sense"),
        ([], "no header"),
    ],
)
def test_parts_that_fit_their_checksums_and_nothing_else(
    parts: list[bytes], reason: str, capfd: pytest.CaptureFixture
) -> None:
    with pytest.raises(ImageError, match=rf"^a\.png is damaged: .*{reason}"):
        image_from(file(*parts), "a.png")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "parts",
    [
        [header(), part(b"IDAT", zlib.compress(rows(PIXELS)) + b"behind")],
        [header(), part(b"IDAT", b""), packed(rows(PIXELS)), part(b"IDAT", b"behind")],
        [header(), part(b"eXIf", b"MM\0"), packed(rows(PIXELS)), part(b"eXIf", b"II*\0")],
        [header(), part(b"gAMA", b"\0"), PALETTE, packed(rows(PIXELS)), PALETTE],
        [header(), part(b"IDAT", zlib.compress(rows(PIXELS), 0))],
    ],
)
def test_what_decides_no_pixel_is_passed_over(
    parts: list[bytes], capfd: pytest.CaptureFixture
) -> None:
    np.testing.assert_array_equal(image_from(file(*parts), "a.png"), PIXELS)
    assert capfd.readouterr().err == ""


def test_pixels_over_several_parts() -> None:
    stream = zlib.compress(rows(PIXELS))
    cuts = [0, 1, 2, 500, 501, len(stream)]
    parts = [part(b"IDAT", stream[start:end]) for start, end in pairwise(cuts)]
    np.testing.assert_array_equal(image_from(file(header(), *parts), "a.png"), PIXELS)


@pytest.mark.parametrize(("height", "width"), [(24, 40), (17, 19), (16, 33)])
def test_interlaced(height: int, width: int) -> None:
    pixels = PIXELS[:height, :width]
    passes = (pixels[top::down, left::right] for top, left, down, right in PASSES)
    content = b"".join(map(rows, passes)) + rows(pixels[1::2])
    said = header(height=height, width=width, interlaced=1)
    np.testing.assert_array_equal(image_from(file(said, packed(content)), "a.png"), pixels)
    with pytest.raises(ImageError, match="not as many"):
        image_from(file(said, packed(content[:-1])), "a.png")


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("colour", [0, 3])
@pytest.mark.parametrize("width", [16, 17, 23])
def test_less_than_a_byte_a_pixel(bits: int, colour: int, width: int) -> None:
    grey = np.random.default_rng(0).integers(0, 2**bits, (20, width), np.uint8)
    of_bits = np.unpackbits(grey[..., None], axis=-1)[..., -bits:].reshape(20, -1)
    said = header(width=width, height=20, bits=bits, colour=colour)
    scale = 255 // (2**bits - 1)
    colours = b"".join(bytes([255 - value * scale] * 3) for value in range(2**bits))
    palette = [part(b"PLTE", colours)] if colour == 3 else []
    image = image_from(file(said, *palette, packed(rows(np.packbits(of_bits, axis=1)))), "a.png")
    expected = 255 - grey * scale if colour == 3 else grey * scale
    np.testing.assert_array_equal(image, np.repeat(expected[..., None], 3, -1))


@pytest.mark.parametrize(("colour", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
@pytest.mark.parametrize("dtype", [">u1", ">u2"])
def test_alpha_and_sixteen_bits(colour: int, channels: int, dtype: str) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (20, 30, channels))
    factor = 257 if dtype == ">u2" else 1
    said = header(width=30, height=20, bits=8 * np.dtype(dtype).itemsize, colour=colour)
    content = file(said, packed(rows((levels * factor).astype(dtype))))
    expected = levels[..., :3] if channels >= 3 else levels[..., [0, 0, 0]]
    np.testing.assert_array_equal(image_from(content, "a.png"), expected)


def test_pixels_without_end_take_no_memory() -> None:
    endless = file(header(), packed(bytes(2**28)))
    tracemalloc.start()
    with pytest.raises(ImageError, match="not as many"):
        image_from(endless, "a.png")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**21


def test_more_colours_than_bits(capfd: pytest.CaptureFixture) -> None:
    said = header(width=16, height=16, bits=1, colour=3)
    content = file(said, PALETTE, packed(rows(np.zeros((16, 2), np.uint8))))
    assert not image_from(content, "a.png").any()
    assert capfd.readouterr().err == ""
