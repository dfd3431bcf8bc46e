"""Distance points: what is taken, what is refused, and where sensors' readings land."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastdepth.anchors.points import DistancePoints, as_points
from fastdepth.camera import Intrinsics
from fastdepth.errors import UsageError
from fastdepth.images.points import to_points
from fastdepth.size import Size

SIZE = Size(480, 640)


def test_rows_of_numbers():
    points = DistancePoints.of([[10, 20, 1.5], [11.5, 21, 2]], SIZE)
    assert len(points) == 2
    assert points.columns.tolist() == [20, 21]
    assert np.isnan(points.std).all()
    assert DistancePoints.of(np.array([[1, 2, 3, 0.1]])).std.tolist() == [0.1]
    assert len(DistancePoints.of([])) == 0


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([1, 2, 3], "shape"),
        ([[1, 2]], "shape"),
        ([[1, 2, 3, 4, 5]], "shape"),
        ([["a", "b", "c"]], "no array of numbers"),
        ("text", "no array of numbers"),
        ([[1, 2], [3]], "no array of numbers"),
        (None, "points"),
        ([[1, 2, 0]], "no depth above 0"),
        ([[1, 2, -1]], "no depth above 0"),
        ([[1, 2, math.nan]], "no depth above 0"),
        ([[1, 2, math.inf]], "no depth above 0"),
        ([[math.nan, 2, 1]], "at no pixel"),
        ([[1, 2, 3, 0]], "no standard deviation"),
        ([[1, 2, 3, math.inf]], "no standard deviation"),
        ([[480, 2, 3]], "outside the image of 640x480"),
        ([[-1, 2, 3]], "outside"),
        ([[20, 640, 3]], "rows come first"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(points, message):
    with pytest.raises(UsageError, match=message) as caught:
        DistancePoints.of(points, SIZE)
    assert "\n" not in str(caught.value)


@given(st.integers(1, 40), st.integers(5, 40))
def test_a_sparse_picture_of_any_size_covers_the_image(height, width):
    points = DistancePoints.from_picture(np.full((height, width), 2.0), SIZE)
    assert len(points) == height * width
    assert points.rows.mean() == pytest.approx(239.5)
    assert points.columns.mean() == pytest.approx(319.5)
    assert points.rows.min() >= -0.5


def test_nothing_in_a_picture_is_nothing():
    sparse = np.zeros(SIZE)
    sparse[5, 7], sparse[6, 7], sparse[7, 7] = 2.0, math.nan, math.inf
    points = DistancePoints.from_picture(sparse, SIZE, std=0.1)
    assert (points.rows.tolist(), points.columns.tolist()) == ([5], [7])
    assert points.std.tolist() == [0.1]
    assert points.extent.tolist() == [1]


@pytest.mark.parametrize("picture", [np.zeros(5), np.zeros((0, 4)), np.full((4, 5), -1.0)])
def test_no_picture(picture):
    with pytest.raises(UsageError):
        DistancePoints.from_picture(picture, SIZE)


def test_std_of_another_shape():
    with pytest.raises(UsageError, match="another shape"):
        DistancePoints.from_picture(np.ones((4, 5)), SIZE, std=np.ones((5, 4)))


def test_points_in_space_land_where_they_were_seen():
    camera = Intrinsics(500, 510, 300, 250)
    depth = np.random.default_rng(0).uniform(1, 5, SIZE).astype(np.float32)
    seen = to_points(depth, camera)[::40, ::40].reshape(-1, 3).astype(float)
    angle = 0.3
    pose = np.eye(4)
    pose[:2, :2] = [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    pose[:3, 3] = 0.1, -0.2, 0.3
    world = (seen - pose[:3, 3]) @ pose[:3, :3]
    points = DistancePoints.project(world, camera, pose, SIZE, std=0.02)
    rows, columns = np.rint(points.rows).astype(int), np.rint(points.columns).astype(int)
    assert len(points) == len(seen)
    assert points.depth == pytest.approx(depth[rows, columns], rel=1e-5)


def test_what_is_behind_outside_or_hidden_is_left_out():
    camera = Intrinsics.training_camera(SIZE)
    world = [[0, 0, 2], [0, 0, 3], [0, 0, -2], [9, 0, 1], [math.nan, 0, 1]]
    points = DistancePoints.project(world, camera, np.eye(4), SIZE)
    assert points.depth.tolist() == [2]


@pytest.mark.parametrize(("space", "pose"), [(np.ones(3), np.eye(4)), (np.ones((2, 3)), np.eye(3))])
def test_no_pose(space, pose):
    with pytest.raises(UsageError):
        DistancePoints.project(space, Intrinsics.training_camera(SIZE), pose, SIZE)


def test_zones_of_a_sensor_look_where_they_should():
    zones = np.arange(1, 65).reshape(8, 8) / 20
    points = DistancePoints.from_tof(zones, SIZE, field_of_view=40, focal=500)
    half = 500 * math.tan(math.radians(20))
    assert len(points) == 64
    assert points.rows[0] == pytest.approx(239.5 - half * 7 / 8)
    assert points.extent[0] == pytest.approx(2 * half / 8)
    assert points.std == pytest.approx(0.04 * points.depth)


def test_zones_are_turned_upright():
    upright = np.arange(1, 17).reshape(4, 4) / 10
    for rotation in (0, 90, 180, 270):
        for flip in (False, True):
            stored = np.rot90(upright, -rotation // 90)
            stored = stored[:, ::-1] if flip else stored
            points = DistancePoints.from_tof(stored, SIZE, rotation=rotation, flip=flip)
            assert points.depth.tolist() == upright.reshape(-1).tolist()


def test_zones_that_say_nothing_are_left_out():
    zones, status = np.full((4, 4), 1.0), np.full((4, 4), 5)
    zones[0, 0], zones[0, 1], zones[0, 2], status[3, 3] = 0, math.nan, 9.0, 255
    points = DistancePoints.from_tof(zones, SIZE, status=status)
    assert len(points) == 12


@pytest.mark.parametrize(
    "arguments",
    [
        {"distances": np.ones((4, 8))},
        {"rotation": 45},
        {"field_of_view": 0},
        {"field_of_view": 180},
        {"noise": 0},
        {"focal": -1},
        {"status": np.ones((8, 8))},
    ],
    ids=str,
)
def test_no_sensor(arguments):
    with pytest.raises(UsageError):
        DistancePoints.from_tof(**{"distances": np.ones((4, 4)), "size": SIZE, **arguments})


def test_what_a_user_gives():
    assert len(as_points([[1, 2, 3]], SIZE)) == 1
    assert len(as_points(np.ones((8, 8)), SIZE)) == 64
    given = DistancePoints.of([[1, 2, 3]])
    assert as_points(given, SIZE) is given
    with pytest.raises(UsageError, match="of an image of 640x480"):
        as_points(DistancePoints.of([[1, 2, 3]], SIZE), Size(481, 640))


def test_a_narrow_table_is_no_sparse_map():
    with pytest.raises(UsageError, match="shape"):
        as_points([[1, 2, 3, 4, 5]], Size(48, 64))
    assert len(as_points(np.full((8, 8), 2.0), Size(48, 64))) == 64


def test_masked_distances_are_not_known():
    masked = np.ma.array(np.full((8, 8), 2.0), mask=np.eye(8, dtype=bool))
    assert len(DistancePoints.from_picture(masked, Size(48, 64))) == 56
    with pytest.raises(UsageError, match="no depth above 0"):
        as_points(np.ma.array([[5, 5, 2.0]], mask=[[0, 0, 1]]), Size(48, 64))


@pytest.mark.parametrize("points", [[["5", "5", "2"]], np.ones((2, 3), bool), [[1j, 1, 1]]])
def test_what_is_no_number_is_no_distance(points):
    with pytest.raises(UsageError, match="no array of numbers"):
        DistancePoints.of(points)


@pytest.mark.parametrize("pose", [3 * np.eye(4), np.diag([1, 1, -1, 1]), np.zeros((4, 4))])
def test_a_pose_neither_scales_nor_mirrors(pose):
    camera = Intrinsics(100, 100, 32, 24)
    with pytest.raises(UsageError, match="pose turns by no rotation"):
        DistancePoints.project([[0, 0, 1]], camera, pose, Size(48, 64))


def test_zones_in_millimetres_are_told():
    with pytest.raises(UsageError, match="in millimetres; divide them by 1000"):
        DistancePoints.from_tof(np.full((8, 8), 1500), Size(48, 64))
    with pytest.raises(UsageError, match="reach"):
        DistancePoints.from_tof(np.full((8, 8), 1.5), Size(48, 64), reach=(3, 1))


def test_zones_of_a_portrait_image_are_those_of_the_frame_that_it_is_padded_to():
    upright = DistancePoints.from_tof(np.full((8, 8), 1.5), Size(640, 480))
    assert np.ptp(upright.rows) == pytest.approx(
        7 / 8 * 2 * 519 / 640 * 640 * 4 / 3 * np.tan(np.radians(22.5))
    )
