"""An image and its depth lie on each other or are refused, whatever their files are."""

from __future__ import annotations

import math
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pairs_on_disk import (
    depth_of,
    encoded,
    image_of,
    lie_on_each_other,
    with_orientation,
)

from fastdepth.data.nyu.files import is_scaled, read_pair
from fastdepth.errors import DataError, ImageError
from fastdepth.images.io import read_image
from fastdepth.size import Size


@pytest.fixture
def write(tmp_path):
    """Write an image and its depth, of which either may be other bytes; returns both paths."""

    def both(image=None, depth=None):
        paths = tmp_path / "a.jpg", tmp_path / "a.png"
        usual = encoded(image_of(48, 64), ".jpg"), encoded(depth_of(48, 64))
        for path, given_bytes, bytes_ in zip(paths, (image, depth), usual, strict=True):
            path.write_bytes(bytes_ if given_bytes is None else given_bytes)
        return paths

    return both


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_orientation_turns_neither_image_nor_depth(write, orientation):
    paths = write(with_orientation(encoded(image_of(48, 64), ".jpg"), orientation))
    image, depth = read_pair(*paths)
    assert image.shape == (48, 64, 3) and lie_on_each_other(image, depth)
    upright = (64, 48, 3) if orientation > 4 else (48, 64, 3)
    assert read_image(paths[0]).shape == upright  # an image without depth is turned


@pytest.mark.parametrize("size", [(48, 64), (24, 32), (96, 128), (12, 16), (9, 12), (31, 41)])
def test_depth_of_the_same_shape(write, size):
    image, depth = read_pair(*write(depth=encoded(depth_of(*size))))
    assert depth.shape == size and lie_on_each_other(image, depth)


@pytest.mark.parametrize("size", [(64, 48), (48, 32), (48, 62), (46, 64), (20, 32), (12, 20)])
def test_depth_of_another_shape_names_both(write, size):
    image, depth = write(depth=encoded(depth_of(*size)))
    height, width = size
    expected = f"{depth} is {width}x{height} px and its image {image} 64x48 px, of another shape"
    with pytest.raises(DataError, match=expected):
        read_pair(image, depth)


@given(
    st.integers(16, 5000),
    st.integers(16, 5000),
    st.floats(0.05, 3),
    st.sampled_from((round, math.floor, math.ceil)),
)
def test_whatever_is_scaled_by_one_factor_is_of_one_shape(height, width, factor, rounded):
    size, to = Size(height, width), Size(rounded(height * factor), rounded(width * factor))
    assert is_scaled(size, to) and is_scaled(size, size)
    cut = math.floor(to.width * (1 - 2 / to.height)) - 2  # by more than both sides' rounding
    assert cut < 1 or not is_scaled(size, Size(to.height, cut))


@pytest.mark.parametrize(
    ("depth", "message"),
    [
        (encoded(np.ones((1, 1), np.uint16)), "is 1x1 px, too small; both sides must be 8"),
        (encoded(np.zeros((48, 64), np.uint16)), "is 0 everywhere, nothing was measured"),
        (encoded(np.full((48, 64), 20_001, np.uint16)), "its unit is wrong"),
        (encoded(np.full((48, 64), 200, np.uint8)), "holds uint8 values"),
        (encoded(np.full((48, 64, 3), 200, np.uint16)), r"uint16 values of shape \(48, 64, 3\)"),
        (encoded(np.full((48, 64, 4), 200, np.uint16)), r"uint16 values of shape \(48, 64, 4\)"),
        (encoded(np.ones((48, 64), np.float32), ".tiff"), "holds float32 values"),
        (encoded(np.full((48, 64), -5, np.int16), ".tiff"), "holds int16 values"),
        (b"", "is empty"),
        (encoded(depth_of(48, 64))[:-30], "truncated|damaged"),
        (b"no image", "is not an image"),
    ],
)
def test_depth_that_is_none(write, depth, message):
    with pytest.raises(DataError, match=rf"a\.png.*({message})"):
        read_pair(*write(depth=depth))


def test_an_image_that_is_none(write):
    with pytest.raises(ImageError, match=r"a\.jpg"):
        read_pair(*write(image=b"none"))


def test_depth_with_an_orientation_stays_as_it_is(write):
    """PNG files can have EXIF, too."""
    turned = encoded(depth_of(48, 64))
    exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0" + bytes(4)
    chunk = b"eXIf" + exif
    where = 8 + 25  # behind the header
    turned = (
        turned[:where]
        + len(exif).to_bytes(4, "big")
        + chunk
        + zlib.crc32(chunk).to_bytes(4, "big")
        + turned[where:]
    )
    assert cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_ANYDEPTH).shape == (64, 48)
    assert lie_on_each_other(*read_pair(*write(depth=turned)))
