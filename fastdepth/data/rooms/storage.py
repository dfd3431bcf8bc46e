"""Cupboards, shelves, kitchens, lamps and plants. See `furniture` for their frame."""

import numpy as np

from fastdepth.data.rooms.furniture import Piece, Style, any_colour, clutter, monitor, plain
from fastdepth.data.rooms.textures import Material


def _front(style: Style, white: bool) -> Material:
    """The doors of a cupboard: painted or wooden."""
    if white:
        return Material("panel", (0.86, 0.85, 0.82), (0.82, 0.8, 0.77))
    return Material("panel", style.wood.colour, style.wood.color2, shift=style.wood.shift)


def cupboard(
    rng: np.random.Generator,
    style: Style,
    size: tuple[float, float, float],
    columns: int,
    rows: int,
    bottom: float = 0.08,
    white: bool = False,
) -> Piece:
    """A body of `size` (width, depth, height) with columns x rows of doors, each with a handle."""
    width, depth, height = size
    piece = Piece(width, depth, height)
    front = _front(style, white)
    body = Material("wood", front.colour, front.color2, shift=front.shift)
    piece.box((-width / 2, width / 2), (0, depth - 0.02), (bottom, height), body)
    xs, zs = np.linspace(-width / 2, width / 2, columns + 1), np.linspace(bottom, height, rows + 1)
    for i in range(columns):
        for j in range(rows):
            x, z = (xs[i] + 0.004, xs[i + 1] - 0.004), (zs[j] + 0.004, zs[j + 1] - 0.004)
            piece.box(x, (depth - 0.02, depth), z, front)
            if z[1] - z[0] > x[1] - x[0]:  # a door: an upright handle on the inner side
                at = x[1] - 0.06 if i % 2 == 0 else x[0] + 0.06
                low = z[0] + (0.4 if height > 1.4 else 0.55) * (z[1] - z[0])
                piece.box(
                    (at - 0.008, at + 0.008), (depth, depth + 0.03), (low, low + 0.12), style.metal
                )
            else:
                at, low = (x[0] + x[1]) / 2, (z[0] + z[1]) / 2
                piece.box(
                    (at - 0.06, at + 0.06), (depth, depth + 0.03), (low, low + 0.016), style.metal
                )
    return piece


def wardrobe(rng: np.random.Generator, style: Style) -> Piece:
    """A tall cupboard with two or three doors."""
    doors = int(rng.integers(2, 4))
    size = (0.5 * doors, 0.58, rng.uniform(1.8, 2.15))
    return cupboard(rng, style, size, doors, 1, white=rng.random() < 0.3)


def dresser(rng: np.random.Generator, style: Style) -> Piece:
    """A chest of drawers with things on it."""
    size = (rng.uniform(0.8, 1.4), 0.48, rng.uniform(0.75, 1.1))
    piece = cupboard(rng, style, size, int(rng.integers(1, 3)), int(rng.integers(3, 5)))
    clutter(piece, rng, (-size[0] / 2, size[0] / 2), (0, 0.48), size[2], int(rng.integers(2, 7)))
    if rng.random() < 0.4:
        piece.put(desk_lamp(rng), size[0] / 2 - 0.2, 0.2, size[2])
    return piece


def nightstand(rng: np.random.Generator, style: Style) -> Piece:
    """A small chest with a lamp."""
    piece = cupboard(rng, style, (0.45, 0.4, 0.55), 1, 2)
    piece.put(desk_lamp(rng), 0, 0.18, 0.55)
    clutter(piece, rng, (-0.22, 0.22), (0.2, 0.4), 0.55, 1)
    return piece


def bookshelf(rng: np.random.Generator, style: Style) -> Piece:
    """Sides, back and boards, with rows of books and other things between."""
    width, height, boards = rng.uniform(0.7, 1.3), rng.uniform(1.2, 2.1), int(rng.integers(4, 7))
    piece = Piece(width, 0.32, height)
    wood = style.wood if rng.random() < 0.6 else style.dark
    x = width / 2
    piece.box((-x, x), (0, 0.015), (0, height), wood)
    for left in (-x, x - 0.025):
        piece.box((left, left + 0.025), (0, 0.32), (0, height), wood)
    levels = np.linspace(0.06, height - 0.025, boards)
    for z in levels:
        piece.box((-x, x), (0, 0.32), (z, z + 0.025), wood)
    room = levels[1] - levels[0] - 0.03
    for z in levels[:-1] + 0.025:
        left = -x + 0.03
        while left < x - 0.15:
            right = min(left + rng.uniform(0.12, 0.4), x - 0.03)
            if rng.random() < 0.75:
                books = Material("spines", (0, 0, 0), shift=rng.uniform(0, 99))
                top = z + room * rng.uniform(0.55, 0.92)
                piece.box((left, right), (0.03, rng.uniform(0.2, 0.29)), (z, top), books)
            elif rng.random() < 0.5:
                clutter(piece, rng, (left, right), (0.05, 0.28), z, 1)
            left = right + rng.choice([0, 0.01, 0.06])
    return piece


def television(rng: np.random.Generator, style: Style) -> Piece:
    """A low cabinet with a television on it."""
    piece = cupboard(rng, style, (rng.uniform(1.2, 1.7), 0.42, 0.5), 3, 1)
    piece.put(monitor(rng, rng.uniform(0.8, 1.15)), 0, 0.1, 0.5)
    clutter(piece, rng, (-0.6, -0.35), (0.15, 0.4), 0.5, 1)
    return piece


def desk_lamp(rng: np.random.Generator) -> Piece:
    """Foot, stem and a shining shade."""
    piece = Piece(0.3, 0.3, 0.5)
    shade = Material("fabric", (0.9, 0.8, 0.62), emission=rng.choice([0.1, 1.2]))
    piece.rod(0, 0, 0.07, (0, 0.02), Material("plain", (0.2, 0.18, 0.15)))
    piece.ball((-0.06, 0.06), (-0.06, 0.06), (0.02, 0.2), plain(rng))
    piece.rod(0, 0, 0.012, (0.1, 0.32), Material("plain", (0.6, 0.5, 0.3)))
    piece.rod(0, 0, 0.14, (0.27, 0.47), shade)
    return piece


def floor_lamp(rng: np.random.Generator, style: Style) -> Piece:
    """A standing lamp."""
    piece = Piece(0.4, 0.4, 1.65)
    shade = Material("fabric", (0.92, 0.85, 0.7), emission=rng.choice([0.15, 1.5]))
    piece.rod(0, 0.2, 0.14, (0, 0.03), style.metal)
    piece.rod(0, 0.2, 0.014, (0, 1.4), style.metal)
    piece.rod(0, 0.2, 0.19, (1.35, 1.65), shade)
    return piece


def plant(rng: np.random.Generator, style: Style) -> Piece:
    """A pot with leaves."""
    height = rng.uniform(0.7, 1.4)
    piece = Piece(0.5, 0.5, height)
    piece.rod(0, 0.25, 0.15, (0, 0.3), plain(rng))
    piece.rod(0, 0.25, 0.02, (0.3, 0.6 * height), Material("plain", (0.3, 0.22, 0.12)))
    for _ in range(14):
        green = (rng.uniform(0.1, 0.25), rng.uniform(0.3, 0.45), rng.uniform(0.08, 0.2))
        x, y = rng.normal(0, 0.12), 0.25 + rng.normal(0, 0.08)
        z, r = rng.uniform(0.4, 0.95) * height, rng.uniform(0.06, 0.13)
        leaf = Material("pattern", green, any_colour(rng, 0.1), shift=rng.uniform(0, 9))
        leaf = Material("fabric", green) if rng.random() < 0.9 else leaf
        piece.add(
            "ellipsoid",
            (x - r, x + r),
            (y - 0.4 * r, y + 0.4 * r),
            (z - 0.02, z + 0.02),
            leaf,
            tilt=rng.uniform(-0.8, 0.8),
            yaw=rng.uniform(0, 3),
        )
    return piece


def kitchen(rng: np.random.Generator, style: Style, modules: int) -> Piece:
    """Base units with a worktop, wall units, a stove and a refrigerator at one end."""
    width = 0.6 * modules + 0.75
    piece = Piece(width, 0.66, 2.1)
    white = bool(rng.random() < 0.4)
    steel = Material("plain", (0.62, 0.62, 0.62) if rng.random() < 0.5 else (0.85, 0.85, 0.83))
    stone = Material("pattern", any_colour(rng, 0.15), any_colour(rng, 0.15), 0.15)
    middle, run = -0.375, 0.6 * modules
    piece.put(cupboard(rng, style, (run, 0.58, 0.86), modules, 1, 0.1, white), middle, 0)
    piece.box((middle - run / 2, middle + run / 2), (0, 0.62), (0.86, 0.9), stone)
    piece.put(cupboard(rng, style, (run, 0.34, 2.1), modules, 1, 1.42, white), middle, 0)
    tiles = Material("tiles", (0.8, 0.78, 0.72), (0.6, 0.58, 0.55), 0.35)
    piece.box((middle - run / 2, middle + run / 2), (0, 0.01), (0.9, 1.42), tiles)
    stove = middle - run / 2 + 0.6 * int(rng.integers(1, modules)) + 0.3
    black = Material("plain", (0.05, 0.05, 0.06))
    piece.box((stove - 0.3, stove + 0.3), (0, 0.63), (0.02, 0.91), steel)
    piece.box((stove - 0.22, stove + 0.22), (0.6, 0.635), (0.3, 0.65), black)
    piece.box((stove - 0.24, stove + 0.24), (0.62, 0.67), (0.72, 0.74), style.metal)
    for dx in (-0.14, 0.14):
        for y in (0.17, 0.45):
            piece.rod(stove + dx, y, 0.09, (0.91, 0.925), black)
    piece.rod(stove + 0.14, 0.45, 0.1, (0.925, 1.05), plain(rng))
    x = width / 2 - 0.72
    for z in ((0.05, 1.15), (1.16, 1.75)):
        piece.box((x, x + 0.7), (0, 0.66), z, steel)
        piece.box((x + 0.04, x + 0.06), (0.66, 0.7), (z[0] + 0.15, z[1] - 0.15), style.metal)
    clutter(piece, rng, (-width / 2, stove - 0.3), (0.15, 0.55), 0.9, int(rng.integers(2, 5)))
    clutter(piece, rng, (stove + 0.3, x), (0.15, 0.55), 0.9, int(rng.integers(1, 5)))
    return piece
