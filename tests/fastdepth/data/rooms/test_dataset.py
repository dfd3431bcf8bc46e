"""The rooms are deterministic, and their depth is exact."""

import subprocess
import sys

import numpy as np
import pytest

from fastdepth.camera import TRAINING_FOCAL_LENGTH, TRAINING_WIDTH
from fastdepth.data.rooms.dataset import Rooms, _scene_and_camera, render_room
from fastdepth.data.rooms.raycast import Kind, Scene, Shape, cast, look
from fastdepth.data.rooms.textures import Material
from fastdepth.size import Size

SMALL = Size(60, 80)
GRAY = Material("plain", (0.5, 0.5, 0.5))


def shape(kind: Kind, centre: tuple[float, ...], half: tuple[float, ...]) -> Shape:
    return Shape(kind, np.array(centre), np.array(half), np.eye(3), GRAY)


def scene_with(*shapes: Shape) -> Scene:
    """A room 6 x 4 x 3 m with one corner at the origin."""
    shell = shape("box", (3, 2, 1.5), (3, 2, 1.5))
    return Scene(shell, [GRAY] * 6, shapes, [], np.ones(3))


def test_same_seed_gives_the_same_image() -> None:
    first, second = render_room(3, SMALL), render_room(3, SMALL)
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.depth, second.depth)


def test_different_seeds_differ() -> None:
    assert not np.array_equal(render_room(3, SMALL).depth, render_room(4, SMALL).depth)


@pytest.mark.parametrize("seed", range(6))
def test_every_pixel_has_a_depth_in_range(seed: int) -> None:
    sample = render_room(seed, SMALL)
    assert sample.image.shape == (60, 80, 3) and sample.image.dtype == np.uint8
    assert sample.depth.shape == (60, 80) and sample.depth.dtype == np.float32
    assert sample.depth.min() >= 0.5 and sample.depth.max() <= 10
    assert sample.image.std() > 15


@pytest.mark.parametrize("size", [Size(2, 2), Size(33, 47), Size(64, 64)])
def test_any_size(size: Size) -> None:
    sample = render_room(0, size)
    assert sample.depth.shape == size and sample.image.shape == (*size, 3)


def test_geometry_does_not_depend_on_the_size() -> None:
    coarse = render_room(5, SMALL).depth
    fine = render_room(5, Size(120, 160)).depth
    # A coarse pixel's centre lies amid four fine ones, and on a plane 1 / depth is linear in them.
    inverse = (1 / fine).reshape(60, 2, 80, 2).mean(axis=(1, 3))
    agree = np.abs(1 / inverse - coarse) < 1e-3 * coarse
    assert agree.mean() > 0.8


def test_a_wall_faced_squarely_has_one_depth() -> None:
    view = cast(scene_with(), look((3, 2, 1.5), 0, 0, 0), Size(48, 64))
    # The wall x = 6 is 3 m ahead and 4 m x 3 m large, so it fills the middle of the image.
    assert np.allclose(view.depth[10:38, 16:48], 3, atol=1e-5)
    # The floor is 1.5 m below: y = 1.5 / depth in the lowest row.
    focal_length = TRAINING_FOCAL_LENGTH * 64 / TRAINING_WIDTH
    assert view.depth[47, 32] == pytest.approx(min(3, 1.5 * focal_length / 23.5), abs=1e-5)


@pytest.mark.parametrize(("kind", "depth"), [("box", 2.0), ("ellipsoid", 2.0), ("cylinder", 2.0)])
def test_front_of_a_shape(kind: Kind, depth: float) -> None:
    thing = shape(kind, (3.5, 2, 1.5), (0.5, 0.4, 0.3))
    view = cast(scene_with(thing), look((1, 2, 1.5), 0, 0, 0), Size(49, 65))
    assert view.depth[24, 32] == pytest.approx(depth, abs=1e-4)
    assert view.index[24, 32] == 0
    assert view.index[0, 0] == -1


def test_a_ball_agrees_with_the_formula() -> None:
    ball = shape("ellipsoid", (3, 2, 1.5), (0.5, 0.5, 0.5))
    view = cast(scene_with(ball), look((1, 2, 1.5), 0, 0, 0), Size(49, 65))
    focal_length = TRAINING_FOCAL_LENGTH * 65 / TRAINING_WIDTH
    square = 1 + (10 / focal_length) ** 2  # of the ray (10 px to the right, 0, 1)
    expected = (2 - np.sqrt(4 - square * (4 - 0.25))) / square
    assert view.depth[24, 42] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_floor_and_walls_are_where_they_should_be(seed: int) -> None:
    """Back-projected with the intrinsics, every pixel of a bare room lies on its planes."""
    scene, camera = _scene_and_camera(seed)
    view = cast(scene, camera, Size(120, 160))
    assert np.array_equal(view.depth, render_room(seed, Size(120, 160)).depth)
    focal_length = 519 * 160 / 640
    v, u = np.nonzero(view.index == -1)
    z = view.depth[v, u].astype(np.float64)
    points = np.stack([(u - 79.5) / focal_length * z, (v - 59.5) / focal_length * z, z], axis=1)
    world = points @ camera.axes.T + camera.position
    room = 2 * scene.shell.half
    residual = np.minimum(np.abs(world), np.abs(world - room)).min(axis=1)
    assert residual.max() < 1e-4
    assert (world > -1e-4).all() and (world < room + 1e-4).all()


def test_rooms_are_a_sequence() -> None:
    rooms = Rooms(count=3, seed=7, size=Size(24, 32))
    assert len(rooms) == 3 and rooms.name == "rooms"
    assert rooms.names == ["rooms/00007", "rooms/00008", "rooms/00009"]
    assert rooms[1].name == rooms[1].scene == "rooms/00008"
    assert np.array_equal(rooms[-1].image, rooms[2].image)
    assert len(list(rooms)) == 3  # type: ignore[call-overload]
    for index in (3, -4):
        with pytest.raises(IndexError):
            rooms[index]


def test_torch_is_not_imported() -> None:
    code = "import sys, fastdepth.data.rooms.dataset; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
