"""Points through a clip: they stay on what they were measured on, and are doubted more and more."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fastdepth.anchors.tracked import PointTrack
from fastdepth.errors import UsageError

POINTS = [[60, 80, 2.0, 0.02], [30, 40, 3.0, 0.03], [90, 120, 1.5, 0.02]]


@pytest.fixture
def scene():
    """Something with texture, larger than a frame."""
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3)).astype(np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 2) * 2


def frame(scene, number):
    """A camera that moves 2 px right and 1 px down a frame."""
    return np.ascontiguousarray(scene[10 + number : 130 + number, 10 + 2 * number :][:, :160])


def test_points_stay_where_they_were_measured(scene):
    track = PointTrack()
    track.update(frame(scene, 0), POINTS)
    for number in range(1, 11):
        points = track.update(frame(scene, number))
    assert sorted(points.depth) == [1.5, 2.0, 3.0]
    for (row, column, depth, _), place in zip(POINTS, points.rows, strict=True):
        assert place == pytest.approx(row - 10, abs=0.5)
        index = int(np.argmin(abs(points.depth - depth)))
        assert points.columns[index] == pytest.approx(column - 20, abs=0.5)


def test_doubt_grows_with_age_until_a_point_is_given_up(scene):
    track = PointTrack(drift=0.1, doubt=0.35)
    found = [track.update(frame(scene, 0), POINTS)]
    found += [track.update(frame(scene, 0)) for _ in range(5)]
    share = [float(np.max(points.std / points.depth)) for points in found if len(points)]
    assert share == sorted(share)
    assert share[0] < 0.02 < 0.1 < share[1]
    assert [len(points) for points in found] == [3, 3, 3, 3, 0, 0]


def test_what_leaves_the_image_is_lost(scene):
    track = PointTrack()
    track.update(frame(scene, 0), [[60, 3, 2.0]])
    for number in range(1, 6):
        points = track.update(frame(scene, number))
    assert len(points) == 0


def test_another_scene_takes_little_along(scene):
    track = PointTrack()
    given = np.random.default_rng(0).uniform([10, 10, 1], [110, 150, 4], (40, 3))
    track.update(frame(scene, 0), given)
    other = 255 - frame(scene, 60)[::-1, ::-1].copy()
    assert len(track.update(other)) < 10


def test_new_points_replace_old_ones_near_them(scene):
    track = PointTrack()
    track.update(frame(scene, 0), POINTS)
    points = track.update(frame(scene, 0), [[60, 81, 2.2, 0.01]])
    assert sorted(points.depth) == [1.5, 2.2, 3.0]
    assert points.std[points.depth == 2.2] == 0.01


def test_a_frame_of_another_size_begins_anew(scene):
    track = PointTrack()
    track.update(frame(scene, 0), POINTS)
    assert len(track.update(scene)) == 0


def test_points_of_unknown_deviation_get_one_when_they_are_old(scene):
    track = PointTrack()
    assert np.isnan(track.update(frame(scene, 0), [[60, 80, 2.0]]).std).all()
    assert track.update(frame(scene, 0)).std[0] > 0.04


@pytest.mark.parametrize("numbers", [{"drift": -1}, {"doubt": 0}, {"doubt": float("nan")}])
def test_shares(numbers):
    with pytest.raises(UsageError):
        PointTrack(**numbers)
