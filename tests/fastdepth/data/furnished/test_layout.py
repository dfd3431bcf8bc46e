from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from tiny_furniture import write_libraries

from fastdepth.data.furnished.catalogue import read_catalogue
from fastdepth.data.furnished.kinds import KINDS
from fastdepth.data.furnished.layout import _spot, compose
from fastdepth.data.furnished.placing import Box, box_at, empty_room, stand_along, stand_free
from fastdepth.data.furnished.roles import ROLES, cast_roles
from fastdepth.data.furnished.surfaces import curtain, patch, turn, vector

SEEDS = range(12)


@pytest.fixture(scope="module")
def cast(tmp_path_factory):
    return cast_roles(read_catalogue(write_libraries(tmp_path_factory.mktemp("furniture"))))


@pytest.fixture(scope="module")
def rooms(cast):
    return [compose(seed, cast) for seed in SEEDS]


def test_kinds_name_roles_and_share_everything():
    named = {role for kind in KINDS.values() for role in (*kind.along, *kind.free)}
    assert named <= set(ROLES)
    assert len(KINDS) == 7
    assert sum(kind.share for kind in KINDS.values()) == pytest.approx(1)


def test_a_seed_is_a_room(cast, rooms):
    again = compose(3, cast)
    assert (again.kind, again.size, again.placed) == (
        rooms[3].kind,
        rooms[3].size,
        rooms[3].placed,
    )
    for one, other in zip(again.surfaces, rooms[3].surfaces, strict=True):
        assert np.array_equal(one.corners, other.corners)
        assert np.array_equal(one.colour, other.colour)
    assert compose(4, cast).placed != again.placed


def test_rooms_are_furnished_and_lit(rooms):
    for room in rooms:
        assert len(room.placed) > 3
        assert room.lamps
    assert len({room.kind for room in rooms}) > 3


def test_what_stands_in_a_room_is_inside_it(rooms):
    for room in rooms:
        assert all(room.holds(box) for box in room.boxes)


def test_pieces_do_not_stand_in_each_other():
    rng = np.random.default_rng(0)
    room = empty_room("office", (4.0, 2.5, 5.0))
    for _ in range(40):
        size = tuple(rng.uniform(0.2, 1.2, 3))
        stand_along(rng, room, size) if rng.random() < 0.5 else stand_free(rng, room, size)
    assert len(room.boxes) > 8
    assert not any(one.meets(other) for one, other in combinations(room.boxes, 2))


def test_surfaces_are_of_real_reflectances_and_lamps_of_real_light(rooms):
    for room in rooms:
        for surface in room.surfaces:
            assert np.isfinite(surface.corners).all()
            assert 0 <= surface.colour.min() <= surface.colour.max() <= 0.95
            assert (surface.uv is not None) == (surface.colour.ndim == 3)
        for lamp in room.lamps:
            assert (lamp.radiance >= 0).all()


def test_lamps_shine_into_the_room(rooms):
    for room in rooms:
        for lamp in room.lamps:
            normal = np.cross(lamp.across, lamp.up)
            middle = lamp.corner + (lamp.across + lamp.up) / 2
            ahead = middle + 0.05 * normal / np.linalg.norm(normal)
            assert ((ahead > 0) & (ahead < room.size)).all()


def test_the_floor_reaches_every_wall(rooms):
    for room in rooms:
        floor = room.surfaces[0].corners
        assert floor[..., 1].max() == 0
        assert floor.max((0, 1))[[0, 2]].tolist() == pytest.approx([room.size[0], room.size[2]])


@pytest.mark.parametrize("yaw", [0, np.pi / 2, 0.7])
def test_a_box_covers_what_is_turned(yaw):
    size = (2.0, 1.0, 0.5)
    corners = np.array([[x, 0, z] for x in (-1, 1) for z in (-0.25, 0.25)]) @ turn(yaw).T
    box = box_at((3, 0, 4), size, yaw)
    assert box.high[0] == pytest.approx(3 + corners[:, 0].max())
    assert box.low[2] == pytest.approx(4 + corners[:, 2].min())
    assert box.top == 1


def test_the_front_of_a_piece_by_a_wall_looks_into_the_room():
    room = empty_room("office", (4.0, 2.5, 5.0))
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(40):
        room.boxes.clear()
        at, wall, _ = stand_along(rng, room, (1.0, 0.5, 0.4))
        front = at + turn(wall.yaw) @ vector([0, 0, 0.5])
        centre = vector([2.0, 0, 2.5])
        assert abs((front - centre) @ wall.normal) < abs((at - centre) @ wall.normal)
        seen.add(tuple(wall.normal))
    assert len(seen) == 4


def test_what_is_taken_stays_free():
    room = empty_room("office", (2.0, 2.5, 2.0))
    for wall in room.walls:
        wall.taken.append((0.0, 2.0))
    rng = np.random.default_rng(0)
    assert stand_along(rng, room, (0.5, 2.0, 0.4)) is None
    assert stand_along(rng, room, (0.5, 0.6, 0.4)) is not None


def test_boxes_meet_by_their_gap():
    one, other = Box((0, 0, 0), (1, 1, 1)), Box((1.1, 0, 0), (2, 1, 1))
    assert not one.meets(other)
    assert one.meets(other, gap=0.2)
    assert not one.meets(Box((0, 1, 0), (1, 2, 1)), gap=0.2)  # on top of it


def test_textures_repeat_by_metres():
    image = np.full((2, 2, 3), 0.5, np.float32)
    wall = patch(vector([0, 0, 0]), vector([4, 0, 0]), vector([0, 2, 0]), image, repeat=0.5)
    assert wall.uv.max((0, 1)).tolist() == [8, 4]


def test_curtains_hang_before_their_wall():
    points = curtain(vector([0, 2, 0]), vector([1, 0, 0]), 1.5, vector([0, 0, 1]), 3)
    assert points[..., 2].min() > 0.05
    assert np.ptp(points[..., 1]) == pytest.approx(1.5)


@pytest.mark.parametrize(("left", "half"), [(0.436, 0.471), (-0.142, 0.45), (0.5, 0.25)])
def test_a_thing_as_broad_as_what_it_stands_on(left, half):
    """Rounding may make such a place a little less than nothing wide."""
    size = (2 * (half - 0.02), 0.1, 0.05)
    box = Box((left, 0.0, -1.0), (left + 2 * half, 0.7, 1.0))
    spot = _spot(np.random.default_rng(0), box, size)
    assert spot is None or spot[0] == pytest.approx(left + half)
