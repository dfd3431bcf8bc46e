"""Furniture which belongs together: a desk with its chair, a sofa with its table."""

import numpy as np

from fastdepth.data.rooms import furniture, storage
from fastdepth.data.rooms.furniture import Piece, Style, any_colour, clutter
from fastdepth.data.rooms.textures import Material


def desk(rng: np.random.Generator, style: Style) -> Piece:
    """A desk with a monitor, a keyboard and a chair in front."""
    width = rng.uniform(1.1, 1.7)
    top = furniture.table(rng, style, width, 0.7, 0.74)
    drawers = storage.cupboard(rng, style, (0.4, 0.55, 0.68), 1, 3)
    top.put(drawers, width / 2 - 0.25, 0.06)
    middle = rng.uniform(-0.25, 0.1)
    top.put(furniture.monitor(rng, rng.uniform(0.42, 0.6)), middle, 0.05, 0.74)
    keys = Material("stripes", (0.12, 0.12, 0.13), (0.2, 0.2, 0.2), 0.1)
    top.box((middle - 0.22, middle + 0.22), (0.42, 0.56), (0.74, 0.765), keys)
    seat = furniture.office_chair(rng, style) if rng.random() < 0.7 else furniture.chair(rng, style)
    top.put(seat, middle - 0.05, 1.25, 0, np.pi + rng.uniform(-0.7, 0.7))
    top.depth = 1.35
    return top


def lounge(rng: np.random.Generator, style: Style) -> Piece:
    """A sofa, a rug and a low table in front."""
    piece = furniture.sofa(rng, style, int(rng.integers(2, 4)))
    low = furniture.table(rng, style, rng.uniform(0.8, 1.2), 0.55, 0.42)
    piece.put(low, rng.uniform(-0.2, 0.2), 1.3)
    rug = Material("rug", any_colour(rng), any_colour(rng), shift=rng.uniform(0, 9))
    piece.box((-1.2, 1.2), (0.8, 2.3), (0, 0.012), rug)
    piece.depth = 1.9
    return piece


def dining(rng: np.random.Generator, style: Style) -> Piece:
    """A table with chairs along both sides."""
    width = rng.uniform(1.1, 1.9)
    piece = Piece(width, 2.0, 0.95)
    piece.put(furniture.table(rng, style, width, 0.85, 0.75), 0, 0.6)
    places = np.linspace(-width / 2, width / 2, 1 + int(width / 0.55))
    for x in (places[:-1] + places[1:]) / 2:
        for y, yaw in ((0.4, 0.0), (1.65, np.pi)):
            if rng.random() < 0.85:
                seat = furniture.chair(rng, style)
                piece.put(seat, x, y + rng.uniform(-0.1, 0.1), 0, yaw + rng.uniform(-0.25, 0.25))
    return piece


def armchair(rng: np.random.Generator, style: Style) -> Piece:
    """A sofa with one seat."""
    return furniture.sofa(rng, style, 1)


def boxes(rng: np.random.Generator, style: Style) -> Piece:
    """A heap of cartons, baskets and bags on the floor."""
    piece, level = Piece(0.6, 0.5, 0.8), 0.0
    for _ in range(rng.integers(1, 4)):
        w, h = rng.uniform(0.15, 0.28), rng.uniform(0.12, 0.35)
        colour = (0.66, 0.5, 0.33) if rng.random() < 0.5 else any_colour(rng)
        carton = Material("fabric", colour, shift=rng.uniform(0, 9))
        piece.box((-w, w), (0.05, 0.45), (level, level + h), carton, yaw=rng.uniform(-0.3, 0.3))
        level += h
    clutter(piece, rng, (-0.2, 0.2), (0.1, 0.4), level, 1)
    return piece


def kitchen_wall(rng: np.random.Generator, style: Style) -> Piece:
    """A kitchen of any length."""
    return storage.kitchen(rng, style, int(rng.integers(3, 5)))
