from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastdepth.data.furnished.placing import Box, empty_room
from fastdepth.data.furnished.surfaces import vector
from fastdepth.data.furnished.views import (
    FOCAL_PER_WIDTH,
    aim,
    bare_depth,
    is_worth_a_frame,
    propose,
    stands_clear,
)
from fastdepth.size import Size

SIZE = Size(30, 40)
ROOM = empty_room("office", (4.0, 2.5, 6.0))


def view(pitch=0.0, roll=0.0, focal=0.8):
    return aim(vector([1, 1.2, 1]), vector([1, 0, 5]), pitch, roll, focal)


def test_axes_are_right_down_forward():
    right, down, forward = view().axes.T
    assert forward.tolist() == pytest.approx([0, 0, 1])
    assert down.tolist() == pytest.approx([0, -1, 0])
    assert np.cross(right, down).tolist() == pytest.approx(forward.tolist())


@given(st.floats(-1, 1), st.floats(-0.3, 0.3))
def test_axes_are_a_rotation(pitch, roll):
    axes = view(pitch, roll).axes
    assert np.allclose(axes.T @ axes, np.eye(3))
    assert np.linalg.det(axes) == pytest.approx(1)
    assert axes[1, 2] == pytest.approx(np.sin(pitch))


def test_rays_are_one_long_along_the_axis():
    camera = view(-0.2, 0.05)
    rays = camera.rays(SIZE)
    assert rays.shape == (30, 40, 3)
    assert np.allclose(rays @ camera.axes[:, 2].astype(np.float32), 1, atol=1e-5)
    across = np.linalg.norm(rays[15, -1] - rays[15, 0])
    assert across == pytest.approx(39 / 40 / 0.8, rel=1e-4)  # of pixels' centres


def test_the_bare_room_is_as_deep_as_it_is_long():
    depth = bare_depth(view(), ROOM, SIZE)
    assert depth.dtype == np.float32
    assert depth[15, 20] == pytest.approx(5, rel=1e-3)
    assert depth.max() == pytest.approx(5, rel=1e-3)
    foot = depth[-1, 20]  # the floor, 1.2 m below
    assert foot == pytest.approx(1.2 / (14.5 / 32), rel=1e-3)


def test_proposals_are_inside_and_of_many_lenses():
    rng = np.random.default_rng(0)
    views = [propose(rng, ROOM) for _ in range(100)]
    for each in views:
        assert ((each.position > 0) & (each.position < ROOM.size)).all()
        assert FOCAL_PER_WIDTH[0] <= each.focal <= FOCAL_PER_WIDTH[1]
        assert (bare_depth(each, ROOM, SIZE) > 0).all()
    assert np.std([each.focal for each in views]) > 0.08


def test_a_camera_is_not_inside_furniture():
    room = empty_room("office", (4.0, 2.5, 6.0))
    assert stands_clear(view(), room)
    room.boxes.append(Box((0.5, 0, 0.5), (1.1, 2, 1.1)))
    assert not stands_clear(view(), room)


def test_walls_voids_and_cupboards_are_no_frames():
    bare = bare_depth(view(), ROOM, SIZE)
    assert not is_worth_a_frame(bare, bare)
    assert not is_worth_a_frame(np.full_like(bare, 0.3), bare)
    assert not is_worth_a_frame(np.zeros_like(bare), bare)
    seen = bare.copy()
    for left in range(4, 40, 8):  # posts, each with a background between
        seen[5:, left : left + 4] = np.minimum(seen[5:, left : left + 4], 1.6)
    assert is_worth_a_frame(seen, bare)
