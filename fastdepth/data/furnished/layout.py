"""Compose a room: its kind, size, fittings, furniture, clutter and light, all from a seed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from fastdepth.data.furnished.catalogue import Furniture
from fastdepth.data.furnished.finishes import BOXES, CLOTHS, draw_finish, tint
from fastdepth.data.furnished.fittings import (
    ceiling_lights,
    picture,
    rug,
    shell,
    warmth,
    window,
)
from fastdepth.data.furnished.kinds import KINDS, Count, Kind
from fastdepth.data.furnished.placing import (
    Box,
    Room,
    Size3,
    box_at,
    empty_room,
    stand_along,
    stand_free,
)
from fastdepth.data.furnished.surfaces import Lamp, cuboid, cushion, vector

Rng = np.random.Generator
Cast = Mapping[str, Sequence[Furniture]]

LOW_ENOUGH = 1.35  # [m]; things stand on what is no higher
BESIDE = 0.12  # [m] between a chair and its table
LAMP_OFF = 0.85  # share of a lamp's height at which its bulb is


def compose(seed: int, cast: Cast) -> Room:
    """The room of a seed.

    Args:
        seed: decides everything.
        cast: furniture by role, :func:`fastdepth.data.furnished.roles.cast_roles`.
    """
    rng = np.random.default_rng([seed, 0])
    shares = np.array([kind.share for kind in KINDS.values()])
    name = list(KINDS)[rng.choice(len(KINDS), p=shares / shares.sum())]
    kind = KINDS[name]
    size = (rng.uniform(*kind.width), rng.uniform(2.3, 3.0), rng.uniform(*kind.length))
    room = empty_room(name, size)
    shell(rng, room, kind.walls)
    _openings(rng, room, kind, cast)
    _furnish(rng, room, kind, cast)
    _decorate(rng, room, kind, cast)
    return room


def _number(rng: Rng, count: Count) -> int:
    return int(rng.integers(count[0], count[1] + 1))


def _pick(rng: Rng, cast: Cast, role: str) -> Furniture:
    return cast[role][int(rng.integers(len(cast[role])))]


def _openings(rng: Rng, room: Room, kind: Kind, cast: Cast) -> None:
    """A door, windows by day or by night, and lights that go with them."""
    if rng.random() < 0.75:
        door = _pick(rng, cast, "door")
        if found := stand_along(rng, room, door.size, off=0.0):
            room.put(door, found[0], found[1].yaw)
    by_day = rng.random() < 0.65
    brightness = math.exp(rng.uniform(-0.3, 2.5)) if by_day else rng.uniform(0.02, 0.3)
    for _ in range(_number(rng, kind.windows)):
        window(rng, room, brightness)
    seen_day = by_day and any(lamp.radiance.ndim == 3 for lamp in room.lamps)
    power = rng.uniform(0.03, 0.2) if seen_day and rng.random() < 0.5 else rng.uniform(0.15, 0.7)
    ceiling_lights(rng, room, _number(rng, (3, 6) if room.kind == "classroom" else (1, 3)), power)


def _furnish(rng: Rng, room: Room, kind: Kind, cast: Cast) -> None:
    """The large pieces, and what belongs at and on each."""
    for role, count in kind.along.items():
        for _ in range(_number(rng, count)):
            _add(rng, room, kind, cast, role, _along)
    for role, count in kind.free.items():
        for _ in range(_number(rng, count)):
            _add(rng, room, kind, cast, role, _free)
    for _ in range(_number(rng, (0, 3))):
        _plain_box(rng, room, cast)


Place = Callable[[Rng, Room, Furniture], Box | None]


def _along(rng: Rng, room: Room, piece: Furniture) -> Box | None:
    high = piece.elevation if piece.elevation > 0.12 else 0.0
    found = stand_along(rng, room, piece.size, high, 0.0 if high else None)
    if found is None:
        return None
    at, wall, box = found
    room.put(piece, at, wall.yaw)
    return box


def _free(rng: Rng, room: Room, piece: Furniture) -> Box | None:
    found = stand_free(rng, room, piece.size)
    if found is None:
        return None
    at, yaw, box = found
    room.put(piece, at, yaw)
    return box


def _add(rng: Rng, room: Room, kind: Kind, cast: Cast, role: str, place: Place) -> None:
    """Place a piece of a role, if there is room for it, and what goes with it."""
    box = place(rng, room, _pick(rng, cast, role))
    if box is None:
        return
    if role == "table" or (role == "desk" and rng.random() < 0.6):
        _chairs(rng, room, cast, box, _number(rng, kind.chairs))
    if role in ("table", "desk", "nightstand", "shelf", "base unit") and box.top < LOW_ENOUGH:
        _load(rng, room, cast, box, role)
    if role in ("bed", "sofa") and rng.random() < 0.6:
        _cushions(rng, room, box)
    if role == "floor lamp":
        _bulb(rng, room, box)


def _chairs(rng: Rng, room: Room, cast: Cast, table: Box, count: int) -> None:
    """Chairs of one model about a table, more or less turned to it."""
    chair = _pick(rng, cast, "chair")
    width, height, depth = chair.size
    off = BESIDE + depth / 2
    (x0, _, z0), (x1, _, z1) = table.low, table.high
    for _ in range(count):
        x, z, pull = rng.uniform(x0, x1), rng.uniform(z0, z1), rng.normal(0, 0.12)
        places = [
            (x, z0 - off - pull, 0.0),
            (x, z1 + off + pull, math.pi),
            (x0 - off - pull, z, math.pi / 2),
            (x1 + off + pull, z, -math.pi / 2),
        ]
        x, z, yaw = places[int(rng.integers(4))]
        box = box_at((x, 0, z), (max(width, depth), height, max(width, depth)), 0.0)
        if room.holds(box) and not any(
            box.meets(other, -0.04) for other in room.boxes if other is not table
        ):
            room.put(chair, (x, 0, z), yaw + rng.normal(0, 0.25))
            room.boxes.append(box)


def _load(rng: Rng, room: Room, cast: Cast, box: Box, role: str) -> None:
    """Things on a table, desk or cupboard; a lamp or a screen now and then."""
    things = [_pick(rng, cast, "thing") for _ in range(_number(rng, (1, 8)))]
    if role == "desk" and rng.random() < 0.75:
        things.insert(0, _pick(rng, cast, "screen"))
    if rng.random() < (0.6 if role == "nightstand" else 0.2):
        lamp = _pick(rng, cast, "table lamp")
        if placed := _on_top(rng, room, box, lamp):
            _bulb(rng, room, placed)
    for thing in things:
        _on_top(rng, room, box, thing)
    for _ in range(_number(rng, (0, 4))):
        size = (rng.uniform(0.08, 0.32), rng.uniform(0.015, 0.3), rng.uniform(0.08, 0.3))
        spot = _spot(rng, box, size)
        if spot is not None:
            yaw = rng.uniform(-0.4, 0.4) if rng.random() < 0.5 else rng.uniform(-3, 3)
            room.surfaces += cuboid(vector(spot), size, yaw, draw_finish(rng, BOXES))


def _spot(rng: Rng, box: Box, size: Size3) -> tuple[float, float, float] | None:
    """A place for a thing on top of a box; None where it would stick out."""
    half = max(size[0], size[2]) / 2 + 0.02
    (x0, _, z0), (x1, top, z1) = box.low, box.high
    (left, right), (back, front) = (x0 + half, x1 - half), (z0 + half, z1 - half)
    if right < left or front < back:  # not by their difference, which rounding may make positive
        return None
    return rng.uniform(left, right), top + 0.002, rng.uniform(back, front)


def _on_top(rng: Rng, room: Room, box: Box, thing: Furniture) -> Box | None:
    """Put a thing on top of a box, if it fits."""
    spot = _spot(rng, box, thing.size)
    if spot is None or spot[1] + thing.size[1] > room.size[1]:
        return None
    return room.put(thing, spot, rng.uniform(-math.pi, math.pi))


def _cushions(rng: Rng, room: Room, box: Box) -> None:
    """Pillows on a bed or sofa."""
    colour = draw_finish(rng, CLOTHS)
    (x0, _, z0), (x1, top, z1) = box.low, box.high
    for _ in range(_number(rng, (1, 4))):
        size = (rng.uniform(0.35, 0.65), rng.uniform(0.1, 0.18), rng.uniform(0.3, 0.45))
        x = rng.uniform(x0 + 0.25, max(x0 + 0.26, x1 - 0.25))
        z = rng.uniform(z0 + 0.25, max(z0 + 0.26, z1 - 0.25))
        y = min(top, 0.8) * rng.uniform(0.62, 0.85)
        room.surfaces.append(cushion(vector([x, y, z]), size, rng.uniform(-3, 3), colour))


def _bulb(rng: Rng, room: Room, lamp: Box) -> None:
    """Two small squares inside a lamp's shade, one that shines up and one down, if it is on."""
    if rng.random() < 0.4:
        return
    centre, radiance = lamp.centre, warmth(rng) * np.float32(rng.uniform(6, 30))
    centre[1] = lamp.low[1] + LAMP_OFF * (lamp.top - lamp.low[1])
    corner = centre - vector([0.04, 0, 0.04])
    x, z = vector([0.08, 0, 0]), vector([0, 0, 0.08])
    room.lamps += [Lamp(corner, x, z, radiance), Lamp(corner, z, x, radiance)]


def _plain_box(rng: Rng, room: Room, cast: Cast) -> None:
    """A box of any size against a wall: a chest, a heater, a cupboard without a name."""
    size = (rng.uniform(0.3, 1.5), rng.uniform(0.3, 2.1), rng.uniform(0.25, 0.65))
    found = stand_along(rng, room, size)
    if found is None:
        return
    at, wall, box = found
    room.surfaces += cuboid(at, size, wall.yaw, draw_finish(rng, BOXES))
    if box.top < LOW_ENOUGH:
        _load(rng, room, cast, box, "shelf")


def _decorate(rng: Rng, room: Room, kind: Kind, cast: Cast) -> None:
    """Pictures, a rug, hanging lamps, and what lies about on the floor."""
    for role, share in (("hanging", 0.4), ("curtain", 0.1)):
        if rng.random() < share:
            _along(rng, room, _pick(rng, cast, role))
    for _ in range(_number(rng, (2, 7))):
        picture(rng, room)
    if rng.random() < 0.4:
        rug(rng, room)
    if rng.random() < 0.5:
        _hanging_lamp(rng, room, cast)
    for _ in range(_number(rng, kind.clutter)):
        _on_the_floor(rng, room, cast)


def _hanging_lamp(rng: Rng, room: Room, cast: Cast) -> None:
    """A lamp or a fan about the middle of the ceiling."""
    lamp = _pick(rng, cast, "ceiling lamp")
    width, height, length = room.size
    x, z = width / 2 + rng.normal(0, 0.3), length / 2 + rng.normal(0, 0.3)
    if lamp.size[1] < height - 1.7:
        room.put(lamp, (x, height - lamp.size[1], z), rng.uniform(-3, 3))


def _on_the_floor(rng: Rng, room: Room, cast: Cast) -> None:
    """A thing or a box that was left on the floor."""
    thing = _pick(rng, cast, "thing")
    is_box = rng.random() < 0.3
    size = (rng.uniform(0.15, 0.5), rng.uniform(0.05, 0.5), rng.uniform(0.15, 0.5))
    found = stand_free(rng, room, size if is_box else thing.size)
    if found is None:
        return
    at, yaw, _ = found
    if is_box:
        colour = draw_finish(rng, BOXES) if rng.random() < 0.6 else tint(rng)
        room.surfaces += cuboid(at, size, yaw, colour)
    else:
        room.put(thing, at, yaw)
