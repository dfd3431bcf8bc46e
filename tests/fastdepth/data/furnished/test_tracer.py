"""What the renderer draws is what the project's own geometry says; skipped where it is not."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_furniture import write_libraries

from fastdepth.data import open_source
from fastdepth.data.furnished import to_disk, tracer
from fastdepth.data.furnished.catalogue import read_catalogue
from fastdepth.data.furnished.models import Models
from fastdepth.data.furnished.placing import Placed, empty_room
from fastdepth.data.furnished.surfaces import GLOSSY, Lamp, Surface, cuboid, patch, vector
from fastdepth.data.furnished.to_disk import read_frames
from fastdepth.data.furnished.tracer import TracedRoom, furnish
from fastdepth.data.furnished.views import aim, bare_depth
from fastdepth.data.rooms.to_disk import Drawing, draw
from fastdepth.errors import MissingExtraError
from fastdepth.size import Size

SIZE = Size(24, 32)
ROOM = empty_room("office", (4.0, 2.5, 6.0))
WHITE = np.full(3, 0.7, np.float32)
RED = np.array([0.8, 0.02, 0.02], np.float32)


@pytest.fixture(scope="module")
def mitsuba():
    for package in ("mitsuba", "pyoidn"):
        pytest.importorskip(package)
    try:
        return tracer.start()
    except MissingExtraError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def walls():
    """An empty room as surfaces, with one light below its ceiling."""
    width, height, length = ROOM.size
    x, z = vector([width, 0, 0]), vector([0, 0, length])
    up, origin = vector([0, height, 0]), vector([0, 0, 0])
    sides = [patch(each.corner, each.along * each.length, up, WHITE) for each in ROOM.walls]
    light = Lamp(vector([1.5, 2.49, 2.5]), x / 4, z / 6, 3 * np.ones(3, np.float32))
    return [patch(origin, z, x, WHITE), patch(up, x, z, WHITE), *sides], light


@pytest.fixture(scope="module")
def camera():
    return aim(vector([1.0, 1.2, 1.0]), vector([2.0, 0, 5.0]), -0.1, 0.03, 0.8)


def test_depth_is_that_of_the_geometry(mitsuba, walls, camera):
    traced = TracedRoom(mitsuba, walls[0], [walls[1]])
    light_is_lower = 0.02  # [m]
    expected = bare_depth(camera, ROOM, SIZE)
    assert np.allclose(traced.depth(camera, SIZE), expected, rtol=1e-4, atol=light_is_lower)
    below = expected > 0
    below[:12] = False
    assert np.allclose(traced.depth(camera, SIZE)[below], expected[below], rtol=1e-4)


def test_image_and_depth_are_of_one_camera(mitsuba, walls, camera):
    """A red box covers the same pixels in both, off the centre and to one side."""
    box = cuboid(vector([1.4, 0, 2.6]), (0.5, 0.8, 0.5), 0.3, RED)
    traced = TracedRoom(mitsuba, [*walls[0], *box], [walls[1]])
    near = traced.depth(camera, SIZE) < bare_depth(camera, ROOM, SIZE) - 0.05
    light = traced.radiance(camera, SIZE, samples=16, seed=0)
    red = light[..., 0] > 2.5 * light[..., 1]
    assert 20 < near.sum() < 300
    assert (red == near).mean() > 0.96
    assert (red & near).sum() > 0.8 * near.sum()


def test_textures_stand_upright(mitsuba, walls, camera):
    """The first row of an image is the upper one on a wall."""
    image = np.full((8, 8, 3), 0.05, np.float32)
    image[:4] = 0.8
    wall = ROOM.walls[1]
    poster = patch(wall.point(1, 0.5, 0.05), 2 * wall.along, vector([0, 1.4, 0]), image)
    lower = aim(vector([2, 1.2, 1]), vector([2, 0, 5]), 0.0, 0.0, 0.8)
    light = TracedRoom(mitsuba, [*walls[0], poster], [walls[1]]).radiance(lower, SIZE, 16, 0)
    assert light[11, 16].mean() > 3 * light[13, 16].mean()


def test_furniture_is_coloured_and_stands_where_it_was_put(mitsuba, tmp_path, monkeypatch):
    monkeypatch.setenv("FASTDEPTH_CACHE", str(tmp_path / "cache"))
    folder = write_libraries(tmp_path / "furniture")
    sofa = read_catalogue(folder)[0]
    placed = [Placed(sofa, (2.0, 0.0, 3.0), np.pi / 2)]
    surfaces = list(furnish(np.random.default_rng(0), Models(folder), placed))
    assert [surface.colour.ndim for surface in surfaces] == [1, 3]
    corners = np.concatenate([surface.corners for surface in surfaces])
    width, height, depth = sofa.size
    assert np.ptp(corners, axis=(0, 1)).tolist() == pytest.approx([depth, height, width], rel=1e-4)
    assert corners[..., 1].min() == pytest.approx(0, abs=1e-5)


def test_no_light_is_no_error(mitsuba, walls, camera):
    shine = [Surface(each.corners, each.colour, roughness=GLOSSY) for each in walls[0]]
    light = TracedRoom(mitsuba, shine, []).radiance(camera, SIZE, 1, 0)
    assert np.isfinite(light).all()


def test_rooms_go_on_where_they_stopped(mitsuba, tmp_path, monkeypatch):
    monkeypatch.setenv("FASTDEPTH_CACHE", str(tmp_path / "cache"))
    furniture = write_libraries(tmp_path / "furniture")
    common = {"furnished": True, "furniture": furniture, "size": "32x24", "workers": 1}
    options = {**common, "output": tmp_path / "out", "views": 1, "samples": 1, "first_seed": 2}
    first = read_frames(draw(Drawing(**options, count=1)))
    assert [frame.scene for frame in first] == ["furnished-000002"]
    stamp = (tmp_path / "out" / first[0].depth).stat().st_mtime_ns
    monkeypatch.setattr(to_disk, "ROOMS_A_PROCESS", 1)  # a new process a room
    more = read_frames(draw(Drawing(**options, count=3)))
    assert more[:1] == first
    assert {frame.scene for frame in more} == {f"furnished-{seed:06d}" for seed in (2, 3, 4)}
    assert (tmp_path / "out" / first[0].depth).stat().st_mtime_ns == stamp
    assert "A. Joiner" in (tmp_path / "out" / "CREDITS.txt").read_text()
    assert len(open_source(f"nyu:{tmp_path / 'out'}", "all-train")) == 3
