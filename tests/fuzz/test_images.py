from __future__ import annotations

import io
import zlib

import cv2
import numpy as np
import pytest
from hostile import Family, damaged
from hypothesis import strategies as st
from PIL import Image

from fastdepth.images.io import MAX_PIXELS, SMALLEST_SIDE, image_from, read_image

NOISE = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
PIXELS = cv2.GaussianBlur(NOISE, (5, 5), 0)
PROGRESSIVE = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
RESTARTS = [cv2.IMWRITE_JPEG_RST_INTERVAL, 5]


def by_opencv(suffix, pixels=PIXELS, options=()):
    return cv2.imencode(suffix, pixels, list(options))[1].tobytes()


def by_pillow(kind, **options):
    stream = io.BytesIO()
    Image.fromarray(PIXELS).save(stream, kind, **options)
    return stream.getvalue()


JPEGS = [by_opencv(".jpg", options=each) for each in ((), PROGRESSIVE, RESTARTS)]
PNGS = [by_opencv(".png"), by_opencv(".png", PIXELS.astype(np.uint16) * 257)]
COMPRESSIONS = "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", None
OTHERS = [
    *(by_pillow("TIFF", compression=each) for each in COMPRESSIONS),
    *(by_pillow(kind) for kind in ("BMP", "GIF", "JPEG2000", "PPM", "WEBP", "AVIF")),
    by_pillow("WEBP", lossless=True),
]
WHOLE = [image_from(content, "whole") for content in [*JPEGS, *PNGS]]


def read(data, folder):
    (folder / "a.img").write_bytes(data)
    image = read_image(folder / "a.img")
    height, width, channels = image.shape
    assert channels == 3 and image.dtype == np.uint8
    assert min(height, width) >= SMALLEST_SIDE and height * width <= MAX_PIXELS
    return image


def read_same(data, folder):
    image = read(data, folder)
    assert any(np.array_equal(image, whole) for whole in WHOLE), "other pixels, without a word"


@st.composite
def lost_middles(draw):
    """JPEGs of which a good part of the coded data is lost, zeroed, or cut and ended again.

    There is no checksum, so that a small part may be lost unseen; each of these is seen.
    """
    whole = draw(st.sampled_from(JPEGS))
    scan = whole.index(b"\xff\xda") + 16
    lost = len(whole) // 4
    start = draw(st.integers(scan, len(whole) - lost - 16))
    filling = draw(st.sampled_from(["cut", "lost", "zeroed"]))
    if filling == "cut":
        return whole[:start] + b"\xff\xd9" + draw(st.binary(max_size=64))
    zeros = bytes(lost if filling == "zeroed" else 0)
    return whole[:start] + zeros + whole[start + lost :]


@st.composite
def forged(draw):
    """PNGs of another height or width than their pixels, and checksums that fit."""
    whole = draw(st.sampled_from(PNGS))
    near = st.integers(-90, 90).filter(bool).map(lambda more: more % 2**32)
    at, side = draw(st.sampled_from([(16, 128), (20, 96)]))
    forgery = (side + draw(st.one_of(near, st.integers(0, 2**31)))) % 2**32
    header = whole[12:at] + forgery.to_bytes(4, "big") + whole[at + 4 : 29]
    return whole[:12] + header + zlib.crc32(header).to_bytes(4, "big") + whole[33:]


@pytest.mark.thorough
@pytest.mark.parametrize(
    "family",
    [
        Family("images", damaged([*JPEGS, *PNGS, *OTHERS]), read),
        Family("images-jpeg", lost_middles(), read_same),
        Family("images-png", damaged(PNGS), read_same),
        Family("images-png-forged", forged(), read_same),
    ],
    ids=lambda family: family.name,
)
def test_images(try_to_break, family):
    try_to_break(family)
