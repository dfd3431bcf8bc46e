"""Composes a furnished room: its size, materials, windows, furniture and lamps."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fastdepth.data.rooms import furniture, storage
from fastdepth.data.rooms import furniture_sets as sets
from fastdepth.data.rooms.furniture import Piece, Style, any_colour, plain
from fastdepth.data.rooms.raycast import Light, Scene, Shape
from fastdepth.data.rooms.textures import Colour, Material
from fastdepth.data.rooms.wall_fittings import WOODS, door, painting, wall_shelf, window

Maker = Callable[[np.random.Generator, Style], Piece]

WALLS: list[Colour] = [
    (0.88, 0.86, 0.8),
    (0.85, 0.8, 0.68),
    (0.8, 0.8, 0.79),
    (0.72, 0.76, 0.78),
    (0.75, 0.79, 0.7),
    (0.82, 0.74, 0.62),
    (0.76, 0.73, 0.8),
    (0.9, 0.88, 0.86),
    (0.62, 0.66, 0.64),
    (0.84, 0.72, 0.66),
]


@dataclass
class Plan:
    """A room under construction: `size` (x, y, z) [m], what stands where on the floor, and what
    covers which part of the four walls (south, east, north, west)."""

    size: tuple[float, float, float]
    shapes: list[Shape] = field(default_factory=list)
    floor: list[tuple[float, float, float, float]] = field(default_factory=list)
    walls: list[list[tuple[float, float, float, float]]] = field(
        default_factory=lambda: [[], [], [], []]
    )

    def length(self, wall: int) -> float:
        """Length of a wall [m]."""
        return self.size[wall % 2]

    def on_wall(self, wall: int, along: float, out: float) -> tuple[float, float]:
        """Floor position (x, y) `along` a wall and `out` from it [m]."""
        x, y, _ = self.size
        corner = [(0, 0), (x, 0), (x, y), (0, y)][wall]
        turn = furniture.turn_z(wall * np.pi / 2)
        dx, dy, _ = turn @ (along, out, 0.0)
        return corner[0] + dx, corner[1] + dy

    def stand(self, rng: np.random.Generator, piece: Piece) -> bool:
        """Place a piece with its back to a wall where there is room for it."""
        for _ in range(12):
            wall = int(rng.integers(4))
            low, high = piece.width / 2 + 0.03, self.length(wall) - piece.width / 2 - 0.03
            if low > high:
                continue
            along = rng.choice([low, high, rng.uniform(low, high), rng.uniform(low, high)])
            if self.put(piece, wall, along, 0.03, 0):
                return True
        return False

    def put(self, piece: Piece, wall: int, along: float, out: float, bottom: float) -> bool:
        """Place a piece there, unless it would stand in another one or cover a window."""
        corners = [
            self.on_wall(wall, along + s * piece.width / 2, out + t * piece.depth)
            for s in (-1, 1)
            for t in (0, 1)
        ]
        (x0, y0), (x1, y1) = np.min(corners, axis=0), np.max(corners, axis=0)
        if x0 < 0 or y0 < 0 or x1 > self.size[0] or y1 > self.size[1]:
            return False
        span = (along - piece.width / 2, along + piece.width / 2, bottom, bottom + piece.height)
        if any(_overlap(span, other) for other in self.walls[wall]):
            return False
        if bottom == 0:
            if any(_overlap((x0, x1, y0, y1), other) for other in self.floor):
                return False
            self.floor.append((x0, x1, y0, y1))
        self.walls[wall].append(span)
        self.shapes += piece.placed(*self.on_wall(wall, along, out), bottom, wall * np.pi / 2)
        return True


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[1] and b[0] < a[1] and a[2] < b[3] and b[2] < a[3]


def _style(rng: np.random.Generator) -> Style:
    wood = WOODS[rng.integers(len(WOODS))]
    dark = WOODS[rng.integers(2, 5)]
    cover = str(rng.choice(["fabric", "stripes", "plaid", "pattern"]))
    saturation = rng.choice([0.25, 0.5, 0.9])
    return Style(
        wood=Material("wood", *wood, shift=rng.uniform(0, 9)),
        dark=Material("wood", *dark, shift=rng.uniform(0, 9)),
        paint=Material("plain", (0.9, 0.89, 0.86)),
        fabric=Material("fabric", any_colour(rng, saturation), shift=rng.uniform(0, 9)),
        cover=Material(
            cover, any_colour(rng), any_colour(rng, saturation), shift=rng.uniform(0, 1)
        ),
        metal=Material("plain", (0.6, 0.59, 0.57) if rng.random() < 0.6 else (0.15, 0.14, 0.13)),
    )


def _floor(rng: np.random.Generator, kitchen: bool) -> Material:
    kind = rng.random() + (0.35 if kitchen else 0)
    shift = rng.uniform(0, 9)
    if kind < 0.45:
        beige = WALLS[rng.integers(len(WALLS))]
        dim = rng.uniform(0.55, 0.85)
        return Material("carpet", (beige[0] * dim, beige[1] * dim, beige[2] * dim), shift=shift)
    if kind < 0.85:
        return Material("planks", *WOODS[rng.integers(5)], scale=rng.uniform(0.6, 1.3), shift=shift)
    bright = rng.uniform(0.5, 0.8)
    tile = (bright, bright * 0.95, bright * 0.86)
    return Material("tiles", tile, (0.45, 0.42, 0.38), rng.uniform(0.8, 1.5), shift)


def _finishes(rng: np.random.Generator, kitchen: bool) -> list[Material]:
    """Materials of the faces -x, +x, -y, +y, floor and ceiling."""
    colour = WALLS[rng.integers(len(WALLS))]
    paint = Material("plain", colour, shift=rng.uniform(0, 9))
    walls = [paint] * 4
    other = rng.random()
    if other < 0.12:
        walls[rng.integers(4)] = plain(rng, any_colour(rng, 0.6))
    elif other < 0.2:
        walls[rng.integers(4)] = Material("bricks", (0.6, 0.34, 0.26), (0.72, 0.68, 0.62))
    elif other < 0.32:
        paper = (colour[0] * 0.9, colour[1] * 0.9, colour[2] * 0.88)
        walls = [Material("stripes", colour, paper, rng.uniform(0.6, 2))] * 4
    return [*walls, _floor(rng, kitchen), Material("plain", (0.9, 0.89, 0.87))]


ROOMS: dict[str, tuple[Maker, ...]] = {
    "bedroom": (
        furniture.bed,
        storage.wardrobe,
        storage.nightstand,
        storage.dresser,
        sets.desk,
        storage.nightstand,
        storage.bookshelf,
        furniture.chair,
        sets.boxes,
    ),
    "living room": (
        sets.lounge,
        storage.television,
        storage.bookshelf,
        sets.armchair,
        storage.floor_lamp,
        storage.plant,
        storage.dresser,
        sets.armchair,
        sets.boxes,
    ),
    "kitchen": (
        sets.kitchen_wall,
        sets.dining,
        storage.dresser,
        furniture.chair,
        storage.plant,
        sets.boxes,
    ),
    "office": (
        sets.desk,
        sets.desk,
        storage.bookshelf,
        storage.wardrobe,
        storage.dresser,
        storage.plant,
        furniture.office_chair,
        storage.bookshelf,
        sets.boxes,
    ),
    "dining room": (
        sets.dining,
        storage.dresser,
        storage.bookshelf,
        storage.plant,
        storage.floor_lamp,
        storage.wardrobe,
        sets.armchair,
    ),
}


def _hang(rng: np.random.Generator, plan: Plan, piece: Piece, bottom: float) -> int | None:
    """Put a piece on some wall; which, and None if there was no place."""
    for _ in range(8):
        wall = int(rng.integers(4))
        along = rng.uniform(
            piece.width / 2, max(piece.width / 2, plan.length(wall) - piece.width / 2)
        )
        if plan.put(piece, wall, along, 0.0, bottom):
            return wall
    return None


def _skirting(plan: Plan, material: Material) -> None:
    for wall in range(4):
        length = plan.length(wall)
        board = Piece(length, 0.015, 0.09)
        board.box((-length / 2, length / 2), (0, 0.015), (0, 0.09), material)
        plan.shapes += board.placed(*plan.on_wall(wall, length / 2, 0), 0, wall * np.pi / 2)


def _daylight(plan: Plan, piece: Piece, start: int, strength: float) -> Light:
    """Light from the window whose shapes are at `start` in the plan."""
    pane = plan.shapes[start]
    inward = pane.rotation[:, 1]
    return Light(
        centre=pane.centre + 0.15 * inward,
        side1=pane.rotation[:, 0] * pane.half[0],
        side2=pane.rotation[:, 2] * pane.half[2],
        colour=strength * np.array([0.9, 1.0, 1.12]),
    )


def compose(rng: np.random.Generator) -> Scene:
    """A random furnished room."""
    kind = str(rng.choice(list(ROOMS)))
    size = (rng.uniform(3.2, 5.6), rng.uniform(3.0, 5.2), rng.uniform(2.35, 2.9))
    plan, style = Plan(size), _style(rng)
    lights: list[Light] = []
    plan.stand(rng, ROOMS[kind][0](rng, style))  # the largest piece needs the most room
    _hang(rng, plan, door(rng), 0)
    for _ in range(int(rng.integers(1, 3))):
        start, piece = len(plan.shapes), window(rng)
        if _hang(rng, plan, piece, rng.uniform(0.85, 1.0)) is not None:
            lights.append(_daylight(plan, piece, start, rng.uniform(0.5, 3)))
    for maker in ROOMS[kind][1:]:
        plan.stand(rng, maker(rng, style))
    for _ in range(int(rng.integers(3, 8))):
        piece = painting(rng) if rng.random() < 0.8 else wall_shelf(rng, style)
        _hang(rng, plan, piece, rng.uniform(1.3, 1.6))
    _skirting(plan, Material("plain", (0.88, 0.87, 0.84)))
    lights += _ceiling_lamps(rng, plan)
    half = np.array(size) / 2
    shell = Shape("box", half, half, np.eye(3), style.paint)
    ambient = rng.uniform(0.2, 0.4) * np.array([1.0, 0.97, 0.92])
    return Scene(shell, _finishes(rng, kind == "kitchen"), plan.shapes, lights, ambient)


def _ceiling_lamps(rng: np.random.Generator, plan: Plan) -> Sequence[Light]:
    """One or two lamps below the ceiling: shining discs and the light that they give."""
    lights: list[Light] = []
    warm = np.array([1.0, rng.uniform(0.8, 0.96), rng.uniform(0.55, 0.9)])
    count = int(rng.integers(1, 3))
    for k in range(count):
        x = plan.size[0] * ((k + 0.5) / count + rng.uniform(-0.1, 0.1))
        y, z = plan.size[1] * rng.uniform(0.35, 0.65), plan.size[2]
        lamp = Piece(0.4, 0.4, 0.1)
        glow = Material("plain", (1.0, 0.97, 0.9), emission=2.5)
        lamp.rod(0, 0, 0.17, (-0.08, 0), glow)
        plan.shapes += lamp.placed(x, y, z, 0)
        reach = rng.uniform(0.15, 0.35)
        centre: NDArray[np.float64] = np.array([x, y, z - 0.2])
        side1, side2 = np.array([reach, 0, 0]), np.array([0, reach, 0])
        lights.append(Light(centre, side1, side2, rng.uniform(1.5, 3.5) * warm / count))
    return lights
