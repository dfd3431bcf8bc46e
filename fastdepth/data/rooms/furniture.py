"""Furniture made of boxes, cylinders and ellipsoids.

Every piece stands in its own frame [m]: x from -width/2 to width/2, y from 0 at its back (the wall)
to `depth` at its front, z from the floor up.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fastdepth.data.rooms.raycast import Kind, Shape
from fastdepth.data.rooms.textures import Colour, Material

Span = tuple[float, float]


@dataclass(frozen=True)
class Style:
    """The materials of one room."""

    wood: Material
    dark: Material
    paint: Material
    fabric: Material
    cover: Material
    metal: Material


@dataclass
class Piece:
    """Shapes in a common frame which take `width` x `depth` of the floor and are `height` high."""

    width: float
    depth: float
    height: float
    shapes: list[Shape] = field(default_factory=list)

    def add(
        self,
        kind: Kind,
        x: Span,
        y: Span,
        z: Span,
        material: Material,
        tilt: float = 0,
        yaw: float = 0,
    ) -> None:
        """Add a shape which fills the box x, y, z, then tilt it backwards and turn it [rad]."""
        low, high = np.array([x, y, z]).T
        rotation = turn_z(yaw) @ turn_x(tilt)
        self.shapes.append(Shape(kind, (low + high) / 2, (high - low) / 2, rotation, material))

    def box(
        self, x: Span, y: Span, z: Span, material: Material, tilt: float = 0, yaw: float = 0
    ) -> None:
        """Add a box."""
        self.add("box", x, y, z, material, tilt, yaw)

    def ball(self, x: Span, y: Span, z: Span, material: Material, tilt: float = 0) -> None:
        """Add an ellipsoid."""
        self.add("ellipsoid", x, y, z, material, tilt)

    def rod(self, x: float, y: float, radius: float, z: Span, material: Material) -> None:
        """Add an upright cylinder."""
        self.add("cylinder", (x - radius, x + radius), (y - radius, y + radius), z, material)

    def put(self, other: "Piece", x: float, y: float, z: float = 0, yaw: float = 0) -> None:
        """Add the shapes of `other`, its origin at (x, y, z), turned by `yaw` [rad]."""
        self.shapes += other.placed(x, y, z, yaw)

    def placed(self, x: float, y: float, z: float, yaw: float) -> list[Shape]:
        """The shapes with this piece's origin at (x, y, z), turned by `yaw` [rad]."""
        turn, origin = turn_z(yaw), np.array([x, y, z])
        return [
            Shape(s.kind, turn @ s.centre + origin, s.half, turn @ s.rotation, s.material)
            for s in self.shapes
        ]


def turn_z(angle: float) -> NDArray[np.float64]:
    """Rotation (3, 3) about the upright axis [rad]."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])


def turn_x(angle: float) -> NDArray[np.float64]:
    """Rotation (3, 3) about the x axis [rad]."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1.0, 0, 0], [0, c, -s], [0, s, c]])


def legs(piece: Piece, x: float, y: Span, height: float, thick: float, material: Material) -> None:
    """Four legs at the corners of the rectangle -x..x, y."""
    for left in (-x, x - thick):
        for front in (y[0], y[1] - thick):
            piece.box((left, left + thick), (front, front + thick), (0, height), material)


def any_colour(rng: np.random.Generator, saturation: float = 0.5) -> Colour:
    """A random colour, sRGB in [0, 1]."""
    # Homes are full of greys, browns and blues; pure green and purple are rare.
    grey, warmth, tint = rng.uniform(0.15, 0.85), rng.normal(0.15, 0.6), rng.normal(-0.05, 0.25)
    hue = np.array([warmth, tint, -warmth])
    red, green, blue = np.clip(grey + 0.5 * saturation * hue, 0.04, 0.92)
    return float(red), float(green), float(blue)


def plain(rng: np.random.Generator, colour: Colour | None = None) -> Material:
    """A smooth material of that colour, or of any."""
    return Material("plain", colour or any_colour(rng), shift=rng.uniform(0, 9))


def clutter(piece: Piece, rng: np.random.Generator, x: Span, y: Span, z: float, count: int) -> None:
    """Put `count` small things on the rectangle x, y at height z."""
    if x[1] - x[0] < 0.14 or y[1] - y[0] < 0.12:
        return
    for _ in range(count):
        cx, cy = rng.uniform(x[0] + 0.07, x[1] - 0.07), rng.uniform(y[0] + 0.06, y[1] - 0.06)
        kind = rng.integers(6)
        if kind <= 1:  # a pile of books or papers
            level = z
            for _ in range(rng.integers(1, 5)):
                w, d, h = rng.uniform(0.07, 0.12), rng.uniform(0.06, 0.09), rng.uniform(0.01, 0.04)
                span = (cx - w, cx + w), (cy - d, cy + d), (level, level + h)
                piece.box(*span, plain(rng), yaw=rng.uniform(-0.4, 0.4))
                level += h
        elif kind == 2:  # a cup or a tin
            piece.rod(cx, cy, rng.uniform(0.03, 0.05), (z, z + rng.uniform(0.08, 0.14)), plain(rng))
        elif kind == 3:  # a bottle
            radius, h = rng.uniform(0.03, 0.045), rng.uniform(0.14, 0.22)
            material = plain(rng)
            piece.rod(cx, cy, radius, (z, z + h), material)
            piece.rod(cx, cy, radius * 0.4, (z + h, z + 1.4 * h), material)
        elif kind == 4:  # a box
            w, h = rng.uniform(0.05, 0.12), rng.uniform(0.06, 0.2)
            piece.box(
                (cx - w, cx + w),
                (cy - 0.05, cy + 0.05),
                (z, z + h),
                plain(rng),
                yaw=rng.uniform(-1, 1),
            )
        else:  # a ball, a fruit, a bag
            r = rng.uniform(0.03, 0.09)
            piece.ball((cx - r, cx + r), (cy - r, cy + r), (z, z + 1.6 * r), plain(rng))


def table(
    rng: np.random.Generator, style: Style, width: float, depth: float, height: float
) -> Piece:
    """A top on four legs, with clutter."""
    piece = Piece(width, depth, height)
    x, thick = width / 2, rng.uniform(0.04, 0.07)
    piece.box((-x, x), (0, depth), (height - 0.04, height), style.wood)
    piece.box(
        (-x + 0.06, x - 0.06), (0.06, depth - 0.06), (height - 0.11, height - 0.04), style.wood
    )
    legs(piece, x - 0.02, (0.02, depth - 0.02), height - 0.04, thick, style.wood)
    clutter(piece, rng, (-x, x), (0, depth), height, int(rng.integers(2, 8)))
    return piece


def chair(rng: np.random.Generator, style: Style) -> Piece:
    """Seat, back and legs; it faces +y."""
    piece = Piece(0.46, 0.5, 0.95)
    material = style.dark if rng.random() < 0.5 else style.wood
    seat = style.fabric if rng.random() < 0.5 else material
    legs(piece, 0.22, (0.02, 0.46), 0.43, 0.035, material)
    piece.box((-0.23, 0.23), (0, 0.48), (0.43, 0.48), seat)
    for x in (-0.22, 0.18):
        piece.box((x, x + 0.04), (0, 0.035), (0.48, 0.95), material)
    if rng.random() < 0.5:
        piece.box((-0.2, 0.2), (0.0, 0.03), (0.62, 0.95), seat)
    else:
        for x in (-0.13, -0.05, 0.03, 0.11):
            piece.box((x, x + 0.02), (0.005, 0.025), (0.48, 0.88), material)
        piece.box((-0.2, 0.2), (0.0, 0.03), (0.86, 0.95), material)
    return piece


def office_chair(rng: np.random.Generator, style: Style) -> Piece:
    """A swivel chair on a star base; it faces +y."""
    piece = Piece(0.6, 0.6, 1.05)
    cloth = Material("fabric", (0.1, 0.1, 0.12)) if rng.random() < 0.7 else style.fabric
    for k in range(5):
        angle = k * 2 * np.pi / 5
        x, y = 0.15 * np.cos(angle), 0.3 + 0.15 * np.sin(angle)
        piece.box((x - 0.16, x + 0.16), (y - 0.02, y + 0.02), (0.05, 0.09), style.metal, yaw=angle)
    piece.rod(0, 0.3, 0.03, (0.05, 0.43), style.metal)
    piece.box((-0.24, 0.24), (0.06, 0.54), (0.43, 0.51), cloth)
    piece.box((-0.22, 0.22), (0.0, 0.07), (0.56, 1.05), cloth, tilt=0.12)
    for x in (-0.27, 0.23):
        piece.box((x, x + 0.04), (0.15, 0.42), (0.64, 0.67), style.metal)
        piece.box((x, x + 0.04), (0.26, 0.3), (0.48, 0.64), style.metal)
    return piece


def monitor(rng: np.random.Generator, width: float) -> Piece:
    """A screen on a foot; also a television."""
    piece = Piece(width, 0.2, 0.6 * width + 0.1)
    black = Material("plain", (0.04, 0.04, 0.05))
    lit = 0.5 if rng.random() < 0.3 else 0.0
    screen = Material("image", any_colour(rng), any_colour(rng), emission=lit) if lit else black
    x, h = width / 2, 0.58 * width
    piece.box((-0.3 * x, 0.3 * x), (0.02, 0.18), (0, 0.015), black)
    piece.box((-0.04, 0.04), (0.08, 0.11), (0, 0.15), black)
    piece.box((-x, x), (0.1, 0.14), (0.08, 0.08 + h), Material("plain", (0.07, 0.07, 0.08)))
    piece.box((-x + 0.02, x - 0.02), (0.1, 0.143), (0.1, 0.06 + h), screen)
    return piece


def bed(rng: np.random.Generator, style: Style) -> Piece:
    """Base, mattress, blanket, pillows and headboard; the head is at the wall."""
    width = rng.choice([0.95, 1.4, 1.6])
    piece = Piece(width, 2.05, 1.0)
    x, top = width / 2, rng.uniform(0.45, 0.62)
    sheet = Material("fabric", (0.85, 0.84, 0.8))
    piece.box((-x, x), (0, 0.05), (0, rng.uniform(0.8, 1.15)), style.wood)
    piece.box((-x, x), (0.05, 2.05), (0.1, top - 0.22), style.wood)
    legs(piece, x, (0.05, 2.05), 0.12, 0.07, style.dark)
    piece.box((-x + 0.02, x - 0.02), (0.05, 2.02), (top - 0.22, top), sheet)
    piece.box((-x - 0.02, x + 0.02), (0.62, 2.07), (top - 0.26, top + 0.03), style.cover)
    piece.box((-x - 0.021, x + 0.021), (0.6, 0.85), (top - 0.25, top + 0.04), sheet)
    for left in np.linspace(-x, x, 1 + round(width / 0.75))[:-1]:
        case = style.fabric if rng.random() < 0.4 else sheet
        piece.ball(
            (left + 0.05, left + 0.65), (0.1, 0.5), (top - 0.04, top + 0.16), case, tilt=0.25
        )
    for _ in range(rng.integers(0, 6)):  # laundry, toys
        a, b, r = rng.uniform(-x + 0.2, x - 0.2), rng.uniform(0.9, 1.8), rng.uniform(0.08, 0.28)
        thing = Material("fabric", any_colour(rng), shift=rng.uniform(0, 9))
        piece.ball(
            (a - r, a + r), (b - 0.7 * r, b + 0.7 * r), (top - 0.03, top + 0.03 + 0.4 * r), thing
        )
    return piece


def sofa(rng: np.random.Generator, style: Style, seats: int) -> Piece:
    """Seat cushions, back cushions, arms and pillows."""
    width = 0.68 * seats + 0.36
    piece = Piece(width, 0.92, 0.9)
    x, cloth = width / 2, style.fabric
    piece.box((-x, x), (0, 0.22), (0.06, 0.78), cloth)
    piece.box((-x, x), (0, 0.88), (0.06, 0.3), cloth)
    for left in (-x, x - 0.18):
        piece.box((left, left + 0.18), (0, 0.9), (0.06, 0.56), cloth)
        piece.ball((left - 0.03, left + 0.21), (-0.05, 0.97), (0.48, 0.66), cloth)
    for seat in range(seats):
        left = -x + 0.18 + 0.68 * seat
        piece.box((left + 0.005, left + 0.675), (0.2, 0.92), (0.3, 0.43), cloth)
        piece.ball((left + 0.01, left + 0.67), (0.2, 0.9), (0.36, 0.47), cloth)
        piece.box((left + 0.01, left + 0.67), (0.16, 0.34), (0.42, 0.84), cloth, tilt=0.15)
        if rng.random() < 0.6:
            middle = left + rng.uniform(0.2, 0.5)
            span = (middle - 0.23, middle + 0.23), (0.34, 0.5), (0.42, 0.84)
            piece.ball(*span, style.cover if rng.random() < 0.6 else plain(rng), tilt=0.3)
    return piece
