"""Frames of a video, and the way of their pixels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fastdepth.data.rooms.dataset import render_room
from fastdepth.errors import ImageError
from fastdepth.size import Size
from fastdepth_bench.visual.motion import count_frames, find_motion, read_video

WIDE = render_room(3, Size(144, 200)).image


def view(left):
    """A part of a room, (120, 160, 3), that begins at a column."""
    return np.ascontiguousarray(WIDE[8:128, left : left + 160])


def test_a_frame_lies_where_the_camera_turned_it():
    motion = find_motion(view(8), view(12))  # the image moves four pixels to the left
    way = motion.origin - np.dstack(np.meshgrid(np.arange(160), np.arange(120)))
    assert np.median(way[..., 0][motion.visible]) == pytest.approx(4, abs=0.2)
    assert np.median(way[..., 1][motion.visible]) == pytest.approx(0, abs=0.2)


def test_values_are_carried_to_their_new_places():
    motion = find_motion(view(8), view(12))
    ramp = np.tile(np.arange(160, dtype=np.float32), (120, 1))
    moved = motion.carry(ramp) - ramp
    assert np.abs(moved[motion.visible] - 4).mean() < 0.3


def test_what_was_out_of_sight_does_not_count():
    motion = find_motion(view(8), view(12))
    assert not motion.visible[:, 157:].any()
    assert motion.visible[:, 8:150].mean() > 0.9


def test_a_still_does_not_move():
    motion = find_motion(view(8), view(8))
    assert motion.visible.all()
    values = np.random.default_rng(0).random((120, 160), np.float32)
    np.testing.assert_allclose(motion.carry(values), values, atol=1e-2)


def test_frames_are_rgb_in_their_order(tmp_path):
    path = tmp_path / "video.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 30, (64, 48))
    for level in (10, 100, 200):
        writer.write(np.full((48, 64, 3), (0, 0, level), np.uint8))  # BGR
    writer.release()
    frames = list(read_video(path))
    assert count_frames(path) == len(frames) == 3
    assert [frame[..., 0].mean() for frame in frames] == pytest.approx([10, 100, 200], abs=6)
    assert frames[2][..., 2].max() < 20
    assert len(list(read_video(path, 2))) == 2


def test_no_video(tmp_path):
    path = tmp_path / "video.mp4"
    with pytest.raises(ImageError, match="does not exist; check the path"):
        read_video(path)
    with pytest.raises(ImageError, match="/dev/null is a device, not a file"):
        read_video("/dev/null")
    path.write_bytes(b"no video at all" * 100)
    with pytest.raises(ImageError, match="no video that OpenCV reads"):
        read_video(path)
