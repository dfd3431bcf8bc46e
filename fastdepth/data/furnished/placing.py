"""Where pieces stand: walls, boxes that must not meet, and the search for a free place."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from fastdepth.data.furnished.catalogue import Furniture
from fastdepth.data.furnished.surfaces import Lamp, Point, Surface, Vector, vector

Size3 = tuple[float, float, float]

TALL = 1.0  # [m]; what is higher than this hides windows, doors and pictures
TRIES = 14
SLACK = 0.01  # [m]


@dataclass(frozen=True)
class Box:
    """What a piece takes up, along the room's axes [m]."""

    low: tuple[float, float, float]
    high: tuple[float, float, float]

    def meets(self, other: Box, gap: float = 0.0) -> bool:
        """Whether two boxes overlap, or come nearer than ``gap`` sideways."""
        gaps = (gap, 0.0, gap)
        sides = zip(self.low, self.high, other.low, other.high, gaps, strict=True)
        return all(a - g < d and c - g < b for a, b, c, d, g in sides)

    @property
    def top(self) -> float:
        """Height of its upper side [m]."""
        return self.high[1]

    @property
    def centre(self) -> Vector:
        """The middle (3,) of it [m]."""
        return (vector(self.low) + vector(self.high)) / 2


def box_at(at: Point, size: Size3, yaw: float) -> Box:
    """The box of a piece (width, height, depth) that stands at ``at`` and is turned by ``yaw``."""
    width, height, depth = size
    c, s = abs(math.cos(yaw)), abs(math.sin(yaw))
    half_x, half_z = (c * width + s * depth) / 2, (s * width + c * depth) / 2
    x, y, z = (float(value) for value in at)
    return Box((x - half_x, y, z - half_z), (x + half_x, y + height, z + half_z))


@dataclass
class Wall:
    """A wall from inside.

    Attributes:
        corner: its lower left end, seen from the room.
        along: unit vector to its other end.
        normal: unit vector into the room.
        length: [m].
        taken: stretches [m] where doors, windows, pictures and tall pieces are.
    """

    corner: Vector
    along: Vector
    normal: Vector
    length: float
    taken: list[tuple[float, float]] = field(default_factory=list)

    @property
    def yaw(self) -> float:
        """How a piece is turned that has its back to the wall [rad]."""
        return math.atan2(self.normal[0], self.normal[2])

    def point(self, at: float, height: float, off: float = 0.0) -> Vector:
        """A point ``at`` [m] along the wall, ``height`` [m] up and ``off`` [m] before it."""
        return self.corner + at * self.along + vector([0, height, 0]) + off * self.normal

    def is_free(self, start: float, end: float) -> bool:
        """Whether nothing hangs or stands on a stretch of it."""
        return not any(start < b and a < end for a, b in self.taken)


@dataclass(frozen=True)
class Placed:
    """A piece of furniture where it stands: its bottom's centre, and its turn [rad]."""

    furniture: Furniture
    at: tuple[float, float, float]
    yaw: float


@dataclass
class Room:
    """A room as it is composed.

    Attributes:
        kind: a key of ``KINDS``.
        size: width (x), height (y) and length (z) [m].
        walls: all four.
        surfaces: what is no furniture.
        lamps: what shines.
        placed: furniture.
        boxes: what it takes up.
    """

    kind: str
    size: Size3
    walls: list[Wall]
    surfaces: list[Surface] = field(default_factory=list)
    lamps: list[Lamp] = field(default_factory=list)
    placed: list[Placed] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)

    def holds(self, box: Box) -> bool:
        """Whether a box is inside."""
        return all(low >= -SLACK for low in box.low) and all(
            high <= side + SLACK for high, side in zip(box.high, self.size, strict=True)
        )

    def has_place(self, box: Box, gap: float = 0.02) -> bool:
        """Whether a box is inside and meets no other."""
        return self.holds(box) and not any(box.meets(other, gap) for other in self.boxes)

    def put(self, furniture: Furniture, at: Point, yaw: float) -> Box:
        """Place a piece, whether or not there is place."""
        x, y, z = (float(value) for value in at)
        self.placed.append(Placed(furniture, (x, y, z), yaw))
        return box_at(at, furniture.size, yaw)


def empty_room(kind: str, size: Size3) -> Room:
    """A room with bare walls."""
    width, _, length = size
    corners = [(0, 0), (width, length), (0, length), (width, 0)]
    along = [(1, 0), (-1, 0), (0, -1), (0, 1)]
    normals = [(0, 1), (0, -1), (1, 0), (-1, 0)]
    walls = [
        Wall(vector([x, 0, z]), vector([a, 0, b]), vector([n, 0, m]), width if a else length)
        for (x, z), (a, b), (n, m) in zip(corners, along, normals, strict=True)
    ]
    return Room(kind, size, walls)


def stand_along(
    rng: np.random.Generator,
    room: Room,
    size: Size3,
    height: float = 0.0,
    off: float | None = None,
) -> tuple[Vector, Wall, Box] | None:
    """Find a place with the back to a wall.

    Args:
        rng: draws it.
        room: the room.
        size: width, height, depth [m] of the piece.
        height: of its bottom [m].
        off: distance from the wall [m]; None for a few centimetres.

    Returns:
        Its bottom's centre, the wall and its box; None where none was found.
    """
    width, tall, depth = size
    for _ in range(TRIES):
        wall = room.walls[int(rng.integers(4))]
        if wall.length < width + 0.1:
            continue
        start = rng.uniform(0.03, wall.length - width - 0.03)
        if rng.random() < 0.3:  # into a corner
            start = 0.04 if rng.random() < 0.5 else wall.length - width - 0.04
        gap = rng.uniform(0.02, 0.12) if off is None else off
        blocks = height + tall > TALL
        at = wall.point(start + width / 2, height, depth / 2 + gap)
        box = box_at(at, size, wall.yaw)
        if (blocks and not wall.is_free(start, start + width)) or not room.has_place(box):
            continue
        room.boxes.append(box)
        if blocks:
            wall.taken.append((start, start + width))
        return at, wall, box
    return None


def stand_free(
    rng: np.random.Generator, room: Room, size: Size3, near: Vector | None = None
) -> tuple[Vector, float, Box] | None:
    """Find a place anywhere on the floor, or about a point.

    Returns:
        Its bottom's centre, its turn [rad] and its box; None where none was found.
    """
    width, _, length = room.size
    for _ in range(TRIES):
        square = rng.random() < 0.6  # people put things parallel to walls
        yaw = math.pi / 2 * int(rng.integers(4)) if square else rng.uniform(-math.pi, math.pi)
        at = vector([rng.uniform(0.2, width - 0.2), 0, rng.uniform(0.2, length - 0.2)])
        if near is not None:
            at = vector([near[0] + rng.normal(0, 0.5), 0, near[2] + rng.normal(0, 0.5)])
        box = box_at(at, size, yaw)
        if room.has_place(box):
            room.boxes.append(box)
            return at, yaw, box
    return None
