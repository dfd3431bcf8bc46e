"""What hangs on walls or is let into them: windows, doors, paintings, shelves."""

import numpy as np

from fastdepth.data.rooms.furniture import Piece, Style, any_colour, clutter, plain
from fastdepth.data.rooms.textures import Colour, Material

WOODS: list[tuple[Colour, Colour]] = [
    ((0.78, 0.6, 0.38), (0.62, 0.43, 0.24)),  # oak
    ((0.88, 0.74, 0.52), (0.76, 0.57, 0.34)),  # pine
    ((0.5, 0.3, 0.17), (0.33, 0.18, 0.1)),  # walnut
    ((0.56, 0.34, 0.22), (0.42, 0.23, 0.14)),  # cherry
    ((0.3, 0.2, 0.14), (0.18, 0.11, 0.08)),  # wenge
    ((0.88, 0.87, 0.84), (0.82, 0.8, 0.77)),  # painted white
]


def window(rng: np.random.Generator) -> Piece:
    """A bright pane in a frame with a sill, sometimes with blinds or curtains."""
    width, height = rng.uniform(0.8, 1.8), rng.uniform(0.9, 1.35)
    piece = Piece(width + 0.16, 0.05, height + 0.1)
    white, x = Material("plain", (0.9, 0.9, 0.88)), width / 2
    view = Material("outdoors", (0.85, 0.92, 1.0), (0.5, 0.56, 0.44), 1, rng.uniform(0, 9), 2.2)
    if rng.random() < 0.4:
        view = Material("blinds", (0.93, 0.92, 0.88), emission=rng.uniform(0.2, 1.2))
    piece.box((-x, x), (0, 0.01), (0.05, height), view)
    for z in (0.02, height):
        piece.box((-x - 0.06, x + 0.06), (0, 0.045), (z, z + 0.06), white)
    for left in (-x - 0.06, x):
        piece.box((left, left + 0.06), (0, 0.045), (0.02, height), white)
    for left in np.linspace(-x, x, 2 + int(width > 1.1))[1:-1]:
        piece.box((left - 0.025, left + 0.025), (0, 0.03), (0.05, height), white)
    piece.box((-x, x), (0, 0.03), (height / 2, height / 2 + 0.035), white)
    piece.box((-x - 0.1, x + 0.1), (0, 0.13), (0, 0.03), white)
    if rng.random() < 0.35:
        cloth = Material("stripes", any_colour(rng, 0.3), any_colour(rng, 0.3), 0.6)
        for left in (-x - 0.25, x - 0.1):
            piece.box((left, left + 0.35), (0.06, 0.12), (-0.5, height + 0.15), cloth)
    return piece


def door(rng: np.random.Generator) -> Piece:
    """A door leaf with panels, its frame and a handle."""
    piece = Piece(1.02, 0.06, 2.12)
    colour, color2 = WOODS[rng.choice([0, 1, 2, 5, 5])]
    leaf, frame = Material("wood", colour, color2), Material("plain", (0.88, 0.87, 0.84))
    piece.box((-0.42, 0.42), (0, 0.03), (0.01, 2.03), leaf)
    panel = Material("panel", colour, color2)
    for left in (-0.33, 0.04):
        for z in ((0.2, 0.9), (1.05, 1.9)):
            piece.box((left, left + 0.29), (0, 0.036), z, panel)
    for left in (-0.5, 0.42):
        piece.box((left, left + 0.08), (0, 0.05), (0, 2.03), frame)
    piece.box((-0.5, 0.5), (0, 0.05), (2.03, 2.11), frame)
    piece.box((0.3, 0.4), (0.03, 0.08), (1.0, 1.025), Material("plain", (0.75, 0.68, 0.5)))
    return piece


def painting(rng: np.random.Generator) -> Piece:
    """A framed painting, or a small shelf's worth of poster."""
    width, height = rng.uniform(0.25, 0.9), rng.uniform(0.3, 0.75)
    piece, x = Piece(width, 0.03, height), width / 2
    frame = plain(rng, WOODS[rng.integers(6)][1] if rng.random() < 0.6 else (0.06, 0.06, 0.06))
    art = Material("image", any_colour(rng, 0.8), any_colour(rng, 0.8), shift=rng.uniform(0, 9))
    piece.box((-x, x), (0, 0.025), (0, height), frame)
    piece.box((-x + 0.025, x - 0.025), (0, 0.027), (0.025, height - 0.025), art)
    return piece


def wall_shelf(rng: np.random.Generator, style: Style) -> Piece:
    """A board on the wall with books and small things."""
    width = rng.uniform(0.7, 1.5)
    piece, x = Piece(width, 0.24, 0.32), width / 2
    piece.box((-x, x), (0, 0.22), (0, 0.03), style.wood)
    books = Material("spines", (0, 0, 0), shift=rng.uniform(0, 99))
    piece.box((-x + 0.04, rng.uniform(-0.1, 0.2)), (0.02, 0.19), (0.03, 0.27), books)
    clutter(piece, rng, (0.2, x), (0.04, 0.2), 0.03, 2)
    return piece
