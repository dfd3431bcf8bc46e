"""What a room is made of before any renderer sees it: coloured or textured triangles and lamps.

The room's frame [m]: x and z along the floor from a corner, y up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastdepth.data.furnished.wavefront import Array

Vector = NDArray[np.float64]

Point = Sequence[float] | Vector
"""Three numbers."""

SMOOTH, SATIN, GLOSSY = 0.85, 0.45, 0.2
"""Roughnesses."""


@dataclass(frozen=True, eq=False)
class Surface:
    """Triangles of one finish.

    Attributes:
        corners: (N, 3, 3) float32 [m].
        colour: (3,) of the whole, or texture (H, W, 3); linear light in [0, 1].
        uv: (N, 3, 2) float32 where the colour is a texture.
        normals: (N, 3, 3) float32 where the shading is smooth; None for flat.
        roughness: 1 is matte.
    """

    corners: Array
    colour: Array
    uv: Array | None = None
    normals: Array | None = None
    roughness: float = SMOOTH


@dataclass(frozen=True, eq=False)
class Lamp:
    """A rectangle that shines to the side from which ``across`` to ``up`` turns leftwards.

    It is given by its corner and two sides (3,) [m].

    Attributes:
        radiance: (3,), or an image (H, W, 3) of it, its first row along the far side of ``up``.
    """

    corner: Vector
    across: Vector
    up: Vector
    radiance: Array


def vector(values: Sequence[float]) -> Vector:
    """Three numbers as float64."""
    return np.array(values, np.float64)


SQUARE = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
HALVES = np.array([[0, 1, 2], [0, 2, 3]])


def square_corners(corner: Vector, across: Vector, up: Vector) -> Array:
    """The two triangles (2, 3, 3) of a rectangle."""
    points = corner + SQUARE[:, :1] * across + SQUARE[:, 1:] * up
    corners: Array = points[HALVES].astype(np.float32)
    return corners


def patch(
    corner: Vector, across: Vector, up: Vector, colour: Array, repeat: float = 0.0
) -> Surface:
    """A rectangle; its texture, where it has one, once, or once every ``repeat`` metres."""
    corners = square_corners(corner, across, up)
    if colour.ndim == 1:
        return Surface(corners, colour)
    sides = np.array([np.linalg.norm(across), np.linalg.norm(up)], np.float32)
    uv = SQUARE * (sides / repeat if repeat else 1)
    return Surface(corners, colour, uv[HALVES].astype(np.float32))


def turn(yaw: float) -> Vector:
    """Rotation (3, 3) about the y axis [rad]; yaw 0 leaves a front that looks to +z."""
    c, s = np.cos(yaw), np.sin(yaw)
    return np.array([[c, 0, s], [0, 1.0, 0], [-s, 0, c]])


def cuboid(centre: Vector, size: Sequence[float], yaw: float, colour: Array) -> list[Surface]:
    """A box on its bottom's centre: four sides and the top."""
    width, height, depth = size
    across, _, along = turn(yaw).T
    across, along, up = across * width, along * depth, vector([0, height, 0])
    corner = centre - across / 2 - along / 2
    return [
        patch(corner, across, up, colour),
        patch(corner + along, across, up, colour),
        patch(corner, along, up, colour),
        patch(corner + across, along, up, colour),
        patch(corner + up, across, along, colour),
    ]


def cushion(centre: Vector, size: Sequence[float], yaw: float, colour: Array) -> Surface:
    """A pillow around its centre: an ellipsoid with corners."""
    theta, phi = np.meshgrid(np.linspace(0, np.pi, 9), np.linspace(0, 2 * np.pi, 25))
    c, s = np.cos(phi), np.sin(phi)
    ring = np.sqrt(np.sin(theta))
    x, z = np.sign(c) * np.abs(c) ** 0.5 * ring, np.sign(s) * np.abs(s) ** 0.5 * ring
    points = np.stack([x, np.cos(theta), z], -1) * np.array(size) / 2
    return _sheet(points @ turn(yaw).T + centre, colour)


def curtain(corner: Vector, across: Vector, drop: float, normal: Vector, folds: int) -> Array:
    """The points (50, 2, 3) of a wavy sheet: along its top, and below it."""
    step = np.linspace(0, 1, 50)[:, None]
    top = corner + step * across + (0.09 + 0.035 * np.sin(step * 2 * np.pi * folds)) * normal
    return np.stack([top, top - vector([0, drop, 0])], axis=1).astype(np.float32)


def hang(points: Array, colour: Array) -> Surface:
    """The surface of a curtain's points."""
    return _sheet(points.astype(np.float64), colour)


def _sheet(points: Vector, colour: Array) -> Surface:
    """The surface over a grid (H, W, 3) of points."""
    h, w = points.shape[:2]
    index = np.arange(h * w).reshape(h, w)
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    triangles = np.stack([np.stack([a, b, c], -1), np.stack([a, c, d], -1)]).reshape(-1, 3)
    uv = np.stack(np.meshgrid(np.linspace(0, 1, h), np.linspace(0, 1, w), indexing="ij"), -1)
    corners = points.reshape(-1, 3)[triangles].astype(np.float32)
    return Surface(corners, colour, uv.reshape(-1, 2)[triangles].astype(np.float32))
