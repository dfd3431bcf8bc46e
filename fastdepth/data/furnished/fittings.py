"""What is fixed to a room: floor, walls, skirting, windows, curtains, pictures, lights."""

from __future__ import annotations

import numpy as np

from fastdepth.data.furnished.finishes import (
    CLOTHS,
    FLOORS,
    Finish,
    book_spines,
    draw_finish,
    outdoors,
    painting,
    recolour,
    tint,
)
from fastdepth.data.furnished.placing import Room, Wall
from fastdepth.data.furnished.surfaces import (
    Lamp,
    cuboid,
    curtain,
    hang,
    patch,
    vector,
)
from fastdepth.data.furnished.wavefront import Array

Rng = np.random.Generator


def shell(rng: Rng, room: Room, walls: dict[Finish, float]) -> None:
    """Floor, ceiling and four walls, one of them perhaps in another finish; skirting boards."""
    width, height, length = room.size
    x, y, z = vector([width, 0, 0]), vector([0, height, 0]), vector([0, 0, length])
    origin = vector([0, 0, 0])
    room.surfaces.append(patch(origin, z, x, draw_finish(rng, FLOORS), rng.uniform(0.7, 2.2)))
    white = np.full(3, rng.uniform(0.5, 0.88), np.float32)
    room.surfaces.append(patch(y, x, z, white * rng.uniform(0.92, 1, 3).astype(np.float32)))
    usual = draw_finish(rng, walls)
    odd = draw_finish(rng, walls) if rng.random() < 0.3 else usual
    repeat, odd_wall = rng.uniform(0.8, 2.5), int(rng.integers(4))
    for number, wall in enumerate(room.walls):
        finish = odd if number == odd_wall else usual
        room.surfaces.append(patch(wall.corner, wall.along * wall.length, y, finish, repeat))
    if rng.random() < 0.65:
        _skirting(rng, room)


def _skirting(rng: Rng, room: Room) -> None:
    """A board along the foot of every wall."""
    high, colour = rng.uniform(0.05, 0.16), tint(rng, 0.15, 0.85, 0.15)
    for wall in room.walls:
        across = wall.along * wall.length
        up, thick = vector([0, high, 0]), 0.015 * wall.normal
        room.surfaces.append(patch(wall.corner + thick, across, up, colour))
        room.surfaces.append(patch(wall.corner + up, across, thick, colour))


def window(rng: Rng, room: Room, brightness: float) -> None:
    """A window in some wall: panes that shine, a frame, a sill, perhaps curtains."""
    wall = room.walls[int(rng.integers(4))]
    width = min(rng.uniform(0.6, 2.2), wall.length - 0.5)
    height = rng.uniform(0.7, 1.5)
    sill = min(rng.uniform(0.7, 1.1), room.size[1] - height - 0.15)
    start = rng.uniform(0.2, wall.length - width - 0.2)
    if not wall.is_free(start - 0.1, start + width + 0.1):
        return
    wall.taken.append((start - 0.1, start + width + 0.1))
    view = (outdoors(rng) * brightness).astype(np.float32)
    panes = int(rng.integers(1, 4))
    _panes(room, wall, (start, sill, width, height), view, panes)
    _frame(rng, room, wall, (start, sill, width, height), panes)
    if rng.random() < 0.5:
        _curtains(rng, room, wall, (start, sill, width, height))


Opening = tuple[float, float, float, float]
"""Start along the wall, sill's height, width, height [m]."""


def _panes(room: Room, wall: Wall, opening: Opening, view: Array, panes: int) -> None:
    """What is seen through the window, cut into panes."""
    start, sill, width, height = opening
    side, columns = width / panes, view.shape[1] // panes
    for number in range(panes):
        part = np.ascontiguousarray(view[:, number * columns : (number + 1) * columns])
        corner = wall.point(start + number * side, sill, 0.012)
        room.lamps.append(Lamp(corner, wall.along * side, vector([0, height, 0]), part))


def _frame(rng: Rng, room: Room, wall: Wall, opening: Opening, panes: int) -> None:
    """Beams around and between the panes, and a sill."""
    start, sill, width, height = opening
    beam, colour = rng.uniform(0.04, 0.09), tint(rng, 0.2, 0.88, 0.15)
    full, tall = width + 2 * beam, height + 2 * beam
    between = [start + number * width / panes - beam / 2 for number in range(1, panes)]
    uprights = [(at, sill - beam, beam, tall) for at in (start - beam, *between, start + width)]
    bars = [(start - beam, sill - beam, full, beam), (start - beam, sill + height, full, beam)]
    if rng.random() < 0.4:
        bars.append((start - beam, sill + rng.uniform(0.3, 0.7) * height, full, 0.6 * beam))
    for left, low, wide, high in (*uprights, *bars):
        centre = wall.point(left + wide / 2, low, 0.02)
        room.surfaces += cuboid(centre, (wide, high, 0.04), wall.yaw, colour)
    board = wall.point(start + width / 2, sill - beam - 0.03, 0.06)
    room.surfaces += cuboid(board, (full + 0.1, 0.03, rng.uniform(0.1, 0.2)), wall.yaw, colour)


def _curtains(rng: Rng, room: Room, wall: Wall, opening: Opening) -> None:
    """A cloth on either side, down to the floor or to the sill."""
    start, sill, width, height = opening
    colour = draw_finish(rng, CLOTHS)
    top = min(sill + height + rng.uniform(0.05, 0.25), room.size[1] - 0.02)
    drop = top - (0.03 if rng.random() < 0.6 else max(sill - 0.15, 0.03))
    for left in (True, False):
        broad = min(rng.uniform(0.2, 0.25 + 0.3 * width), width / 2)
        at = start - 0.15 if left else start + width + 0.15 - broad
        at = min(max(at, 0.01), wall.length - broad - 0.01)
        folds = int(rng.integers(2, 8))
        points = curtain(wall.point(at, top, 0.03), wall.along * broad, drop, wall.normal, folds)
        room.surfaces.append(hang(points, colour))


def picture(rng: Rng, room: Room) -> None:
    """A framed picture on a free stretch of wall; sometimes a shelf of books instead."""
    wall = room.walls[int(rng.integers(4))]
    width, height = rng.uniform(0.2, 1.1), rng.uniform(0.25, 0.85)
    start = rng.uniform(0.1, max(0.11, wall.length - width - 0.1))
    low = rng.uniform(1.1, 1.6)
    end = start + width
    if (
        end > wall.length - 0.05
        or low + height > room.size[1] - 0.1
        or not wall.is_free(start, end)
    ):
        return
    wall.taken.append((start, end))
    if rng.random() < 0.2:
        _book_shelf(rng, room, wall, (start, low, width, height))
        return
    edge = rng.uniform(0.005, 0.05)
    centre = wall.point(start + width / 2, low, 0.0125)
    room.surfaces += cuboid(centre, (width, height, 0.025), wall.yaw, tint(rng, 0.02, 0.6))
    corner = wall.point(start + edge, low + edge, 0.027)
    inner = wall.along * (width - 2 * edge), vector([0, height - 2 * edge, 0])
    room.surfaces.append(patch(corner, *inner, painting(rng)))


def _book_shelf(rng: Rng, room: Room, wall: Wall, opening: Opening) -> None:
    """A board on the wall with a row of books."""
    start, low, width, _ = opening
    deep, centre = rng.uniform(0.18, 0.3), start + width / 2
    colour = tint(rng, 0.05, 0.7)
    board = wall.point(centre, low, deep / 2 + 0.005)
    room.surfaces += cuboid(board, (width, 0.025, deep), wall.yaw, colour)
    books = wall.point(centre, low + 0.025, 0.45 * deep)
    size = (width * rng.uniform(0.5, 0.95), rng.uniform(0.18, 0.3), 0.8 * deep)
    room.surfaces += cuboid(books, size, wall.yaw, book_spines(rng))


def rug(rng: Rng, room: Room) -> None:
    """A rug on the floor."""
    width, _, length = room.size
    across, along = rng.uniform(0.8, min(2.8, width - 0.4)), rng.uniform(0.8, min(3, length - 0.4))
    x, z = rng.uniform(0.1, width - across - 0.1), rng.uniform(0.1, length - along - 0.1)
    centre = vector([x + across / 2, 0, z + along / 2])
    cloth = recolour(rng, draw_finish(rng, CLOTHS))
    room.surfaces += cuboid(centre, (across, rng.uniform(0.006, 0.02), along), 0.0, cloth)


def warmth(rng: Rng) -> Array:
    """The colour (3,) of a lamp, from daylight to candle."""
    warm = rng.uniform(0, 0.85)
    return np.array([1, 0.95 - 0.35 * warm, 0.9 - 0.62 * warm], np.float32)


def ceiling_lights(rng: Rng, room: Room, count: int, power: float) -> None:
    """Panels below the ceiling that share a power, in one colour."""
    width, height, length = room.size
    colour = warmth(rng)
    for _ in range(count):
        a, b = rng.uniform(0.12, 0.6, 2)
        x, z = rng.uniform(0.3, width - 0.3 - a), rng.uniform(0.3, length - 0.3 - b)
        radiance = colour * np.float32(power * width * length / (count * a * b))
        corner = vector([x, height - 0.02, z])
        room.lamps.append(Lamp(corner, vector([a, 0, 0]), vector([0, 0, b]), radiance))
