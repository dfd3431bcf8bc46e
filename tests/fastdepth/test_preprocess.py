from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastdepth.preprocess import resize, resize_nearest
from fastdepth.size import Size

SIDES = st.integers(16, 90)


@given(SIDES, SIDES, SIDES, SIDES, st.floats(0.5, 10))
def test_a_flat_wall_keeps_its_metres_at_any_size(height, width, new_height, new_width, metres):
    depth = np.full((height, width), metres, np.float32)
    resized = resize(depth, Size(new_height, new_width))
    assert resized.shape == (new_height, new_width)
    assert resized.dtype == np.float32
    np.testing.assert_allclose(resized, metres, rtol=1e-6)


def test_down_is_the_mean_of_areas():
    image = np.arange(16, dtype=np.float32).reshape(4, 4)
    np.testing.assert_allclose(resize(image, Size(2, 2)), [[2.5, 4.5], [10.5, 12.5]])


def test_up_is_bilinear():
    row = np.array([[0, 1]] * 2, np.float32)
    np.testing.assert_allclose(resize(row, Size(2, 4))[0], [0, 0.25, 0.75, 1])


def test_one_side_may_shrink_while_the_other_grows():
    image = np.zeros((40, 20, 3), np.uint8)
    image[::2] = 255  # rows that alias unless they are averaged
    resized = resize(image, Size(20, 40))
    assert resized.shape == (20, 40, 3)
    assert set(np.unique(resized)) <= {127, 128}


def test_the_same_size_is_the_same_image():
    image = np.zeros((16, 16, 3), np.uint8)
    assert resize(image, Size(16, 16)) is image


@pytest.mark.parametrize("size", [Size(5, 7), Size(33, 50)])
def test_nearest_never_invents_a_depth(size):
    depth = np.array([[0, 3], [5, 8]], np.float32).repeat(8, 0).repeat(8, 1)
    resized = resize_nearest(depth, size)
    assert resized.shape == size
    assert set(np.unique(resized)) <= {0, 3, 5, 8}
