from __future__ import annotations

import io

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


@pytest.mark.thorough
@pytest.mark.parametrize(
    "family",
    [
        Family("images", damaged([*JPEGS, *PNGS, *OTHERS]), read),
        Family("images-jpeg", lost_middles(), read_same),
        Family("images-png", damaged(PNGS), read_same),
    ],
    ids=lambda family: family.name,
)
def test_images(try_to_break, family):
    try_to_break(family)
