"""Points lie where the camera saw them, and a PLY file gives them back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastdepth import Intrinsics, to_points
from fastdepth.errors import UsageError
from fastdepth.images.points import write_ply
from fastdepth.size import Size

CAMERA = Intrinsics(fx=100.0, fy=50.0, cx=2.0, cy=1.0)


def read_ply(path: Path) -> tuple[list[str], np.ndarray]:
    """Header lines and vertices, read without the code under test."""
    header, _, body = path.read_bytes().partition(b"end_header\n")
    layout = [(name, "<f4") for name in "xyz"] + [(name, "u1") for name in "rgb"]
    return header.decode().splitlines(), np.frombuffer(body, np.dtype(layout))


def test_points_project_back_onto_their_pixels() -> None:
    depth = np.random.default_rng(0).uniform(1, 5, (7, 9)).astype(np.float32)
    x, y, z = np.moveaxis(to_points(depth, CAMERA), -1, 0)
    rows, columns = np.mgrid[:7, :9]
    np.testing.assert_allclose(CAMERA.fx * x / z + CAMERA.cx, columns, atol=1e-4)
    np.testing.assert_allclose(CAMERA.fy * y / z + CAMERA.cy, rows, atol=1e-4)
    np.testing.assert_array_equal(z, depth)


def test_x_is_right_y_is_down() -> None:
    points = to_points(np.full((3, 5), 2.0), CAMERA)
    assert points.dtype == np.float32
    assert points[1, 2].tolist() == [0, 0, 2]
    assert points[1, 4, 0] == pytest.approx(2 * 2 / 100)
    assert points[2, 2, 1] == pytest.approx(2 * 1 / 50)


@pytest.mark.parametrize("invalid", [np.nan, np.inf, 0.0, -1.0])
def test_invalid_depth_is_nan_and_left_out_of_the_file(tmp_path: Path, invalid: float) -> None:
    depth = np.array([[1.0, invalid], [2.0, 3.0]], np.float32)
    points = to_points(depth, CAMERA)
    assert np.isnan(points[0, 1]).all()
    colours = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert write_ply(tmp_path / "a.ply", points, colours) == 3
    header, vertices = read_ply(tmp_path / "a.ply")
    assert header[:2] == ["ply", "format binary_little_endian 1.0"]
    assert "element vertex 3" in header
    assert vertices["z"].tolist() == [1, 2, 3]
    assert vertices["r"].tolist() == [0, 6, 9]
    np.testing.assert_array_equal(vertices["x"], points[[0, 1, 1], [0, 0, 1], 0])


def test_a_cloud_of_nothing_is_a_whole_file(tmp_path: Path) -> None:
    points = to_points(np.zeros((2, 2)), Intrinsics.training_camera(Size(2, 2)))
    assert write_ply(tmp_path / "a.ply", points, np.zeros((2, 2, 3), np.uint8)) == 0
    header, vertices = read_ply(tmp_path / "a.ply")
    assert "element vertex 0" in header
    assert len(vertices) == 0


def test_arrays_that_do_not_belong_together(tmp_path: Path) -> None:
    points = np.zeros((2, 2, 3), np.float32)
    for colours in np.zeros((2, 3, 3), np.uint8), np.zeros((2, 2, 3), np.float32):
        with pytest.raises(UsageError, match="do not belong together"):
            write_ply(tmp_path / "a.ply", points, colours)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"give \(H, W\)"):
        to_points(points, CAMERA)
    assert list(tmp_path.iterdir()) == []
