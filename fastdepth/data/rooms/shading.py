"""Colours of a ray-cast room: textures, soft shadows, corner darkening, and the camera's sensor.

Light varies slowly, so it is computed on every second row and column. Each of 4 x 4 neighbouring
points there sends its shadow ray to another spot of the lamp; averaging over 4 x 4 points of the
same face then gives soft shadows with one ray per point.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from fastdepth.data.rooms.raycast import Camera, Light, Scene, Shape, View, interval, pixel_rays
from fastdepth.data.rooms.surfaces import Surfaces
from fastdepth.data.rooms.textures import Array
from fastdepth.size import Size

PATTERN = 4  # side of the repeated block of sample positions
BLOCK_SHAPES = 8  # most shapes which share one bounding box in shadow tests
BLOCK_SIDE = 2.5  # [m] longest side of such a box, unless one shape is longer
AMBIENT_REACH = 0.9  # [m] how far a surface darkens its surroundings
LIFT = 0.004  # [m] shadow rays start off the surface, or rounding would shadow it by itself


@dataclass(frozen=True, eq=False)
class Block:
    """Neighbouring shapes and the box around them: `centre` and `half` (3, 1) float32 [m]."""

    shapes: list[Shape]
    centre: Array
    half: Array


def make_blocks(shapes: Sequence[Shape]) -> list[Block]:
    """Group consecutive shapes, which are mostly parts of one piece of furniture."""
    blocks: list[Block] = []
    members: list[Shape] = []
    low = high = np.zeros(3)
    for shape in shapes:
        corners = shape.corners()
        low_with = np.minimum(low, corners.min(axis=0)) if members else corners.min(axis=0)
        high_with = np.maximum(high, corners.max(axis=0)) if members else corners.max(axis=0)
        if members and (len(members) == BLOCK_SHAPES or (high_with - low_with).max() > BLOCK_SIDE):
            blocks.append(_block(members, low, high))
            members, low_with, high_with = [], corners.min(axis=0), corners.max(axis=0)
        members, low, high = [*members, shape], low_with, high_with
    return [*blocks, _block(members, low, high)] if members else blocks


def _block(shapes: list[Shape], low: NDArray[np.float64], high: NDArray[np.float64]) -> Block:
    centre, half = (low + high) / 2, (high - low) / 2 + 1e-3
    return Block(shapes, centre.astype(np.float32)[:, None], half.astype(np.float32)[:, None])


def first_hit(blocks: Sequence[Block], points: Array, rays: Array) -> Array:
    """The parameter t (N,) in [0, 1] of the first hit of points + t * rays, both (3, N); 1 where
    nothing is hit."""
    hit = np.ones(points.shape[1], np.float32)
    for block in blocks:
        start = (points - block.centre) / block.half
        near, far = interval("box", list(start), list(rays / block.half))
        chosen = np.flatnonzero((near < far) & (near < 1) & (far > 0))
        if len(chosen) == 0:
            continue
        some_points, some_rays, some_hit = points[:, chosen], rays[:, chosen], hit[chosen]
        for shape in block.shapes:
            to_unit = shape.to_unit.astype(np.float32)
            offset = some_points - shape.centre.astype(np.float32)[:, None]
            near, far = interval(shape.kind, list(to_unit @ offset), list(to_unit @ some_rays))
            blocked = (near < far) & (far > 0)
            np.minimum(some_hit, np.maximum(near, 0), out=some_hit, where=blocked)
        hit[chosen] = some_hit
    return hit


@cache
def _sphere_pattern() -> Array:
    """PATTERN**2 unit vectors spread evenly over the sphere (Fibonacci), (3, PATTERN**2)."""
    k = np.arange(PATTERN**2) + 0.5
    z, angle = 1 - 2 * k / PATTERN**2, k * np.pi * (3 - 5**0.5)
    radius = np.sqrt(1 - z * z)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), z]).astype(np.float32)


def _light_on(
    light: Light, blocks: Sequence[Block], points: Array, normals: Array, cell: NDArray[np.intp]
) -> Array:
    """Light (N, 3) which arrives at `points` from one lamp; `cell` (N,) chooses the spot."""
    sides = np.stack([light.side1, light.side2], axis=1).astype(np.float32)
    spots = (np.stack(np.divmod(cell, PATTERN)) + 0.5) * (2 / PATTERN) - 1
    rays = light.centre.astype(np.float32)[:, None] + sides @ spots.astype(np.float32) - points
    square = (rays * rays).sum(axis=0)
    cosine = np.maximum((rays * normals).sum(axis=0), 0) / np.sqrt(square)
    lit = np.flatnonzero(cosine > 0)
    cosine[lit] *= first_hit(blocks, points[:, lit], rays[:, lit]) >= 1
    strength: Array = cosine / (square + 0.4)
    return strength[:, None] * light.colour.astype(np.float32)


def _openness(
    shell: Shape, blocks: Sequence[Block], points: Array, normals: Array, cell: NDArray[np.intp]
) -> Array:
    """How little of the surroundings is near, (N,) in [0, 1]: ambient occlusion."""
    rays = normals + 0.95 * _sphere_pattern()[:, cell]  # cosine-distributed around the normal
    rays *= AMBIENT_REACH / np.linalg.norm(rays, axis=0)
    hit = first_hit(blocks, points, rays)
    origin = (points - shell.centre.astype(np.float32)[:, None]) / shell.half[:, None]
    far = interval("box", list(origin), list(rays / shell.half[:, None]))[1]
    # A wall sends some light back, so it darkens a corner less than furniture does.
    return np.minimum(hit, 0.45 + 0.55 * np.minimum(far, 1)).astype(np.float32)


def _smooth(light: Array, face: NDArray[np.int32]) -> Array:
    """Mean of `light` (H, W, C) over PATTERN x PATTERN pixels of the same `face` (H, W)."""
    height, width = face.shape
    before, after = PATTERN // 2, PATTERN - 1 - PATTERN // 2
    margin = ((before, after), (before, after))
    padded_face = np.pad(face, margin, constant_values=-99)
    padded = np.pad(light, (*margin, (0, 0)))
    total, weight = np.zeros_like(light), np.zeros((height, width, 1), np.float32)
    for i in range(PATTERN):
        for j in range(PATTERN):
            window = slice(i, i + height), slice(j, j + width)
            same = (padded_face[window] == face)[..., None].astype(np.float32)
            total += same * padded[window]
            weight += same
    mean: Array = total / weight
    return mean


def _enlarge(light: Array, coarse_face: NDArray[np.int32], face: NDArray[np.int32]) -> Array:
    """Bilinear interpolation to twice the size which does not mix faces, (H, W, C)."""
    rows, columns = np.arange(face.shape[0]), np.arange(face.shape[1])
    total = np.zeros((*face.shape, light.shape[2]), np.float32)
    weight = np.zeros((*face.shape, 1), np.float32)
    for i in range(2):
        row = np.minimum(rows // 2 + i, light.shape[0] - 1)
        row_weight = np.where(rows % 2 == 1, 0.5, 1 - i)[:, None]
        for j in range(2):
            column = np.minimum(columns // 2 + j, light.shape[1] - 1)
            near = np.where(columns % 2 == 1, 0.5, 1 - j) * row_weight
            same = coarse_face[row][:, column] == face
            # A thin object may have no coarse pixel of its own: then all four count a little.
            w = ((near + 1e-3) * (same + 1e-4)).astype(np.float32)[..., None]
            total += w * light[row][:, column]
            weight += w
    enlarged: Array = total / weight
    return enlarged


def shade(scene: Scene, camera: Camera, view: View, surfaces: Surfaces) -> Array:
    """Radiance (H, W, 3) float32, linear, in arbitrary units."""
    size = Size(*view.depth.shape)
    x, y = pixel_rays(size)
    face = surfaces.face.reshape(size)
    coarse = (slice(None, None, 2), slice(None, None, 2))
    z = view.depth[coarse]
    rays = np.stack([x[:, ::2] * z, y[::2] * z, z]).reshape(3, -1)
    normals = np.ascontiguousarray(surfaces.normal.reshape(*size, 3)[coarse].reshape(-1, 3).T)
    points = camera.axes.astype(np.float32) @ rays + camera.position.astype(np.float32)[:, None]
    points += LIFT * normals
    rows, columns = np.indices(z.shape)
    # A stride of 5 in the pattern keeps neighbouring samples apart.
    cell = ((rows % PATTERN) * PATTERN + columns % PATTERN).ravel() * 5 % PATTERN**2
    blocks = make_blocks(scene.shapes)
    # The bright floor and walls light up what faces down, the ceiling above all.
    ambient = _openness(scene.shell, blocks, points, normals, cell) * (0.9 - 0.3 * normals[2])
    light = ambient[:, None] * scene.ambient.astype(np.float32)
    for lamp in scene.lights:
        light += _light_on(lamp, blocks, points, normals, cell)
    light = _smooth(light.reshape(*z.shape, 3), face[coarse])
    light = _enlarge(light, face[coarse], face)
    colour = surfaces.colour.reshape(*size, 3)
    radiance: Array = colour * (light + surfaces.emission.reshape(*size, 1))
    return radiance


def photograph(radiance: Array, rng: np.random.Generator) -> NDArray[np.uint8]:
    """What a cheap camera makes of it: exposure, colour cast, vignetting, blur and noise.

    Args:
        radiance: (H, W, 3) float32, linear.
        rng: draws the exposure and the noise.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    height, width = radiance.shape[:2]
    mean = rng.uniform(0.37, 0.58)  # of the finished image, in [0, 1]
    cast = np.array([rng.uniform(0.97, 1.12), 1.0, rng.uniform(0.85, 1.08)], np.float32)
    sigma = rng.uniform(0.4, 0.9) * width / 640
    noise = rng.uniform(0.008, 0.02)
    encoded = (radiance * cast) ** np.float32(1 / 2.2)
    encoded *= mean / encoded.mean()
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    encoded *= (1 - 0.08 * (x * x + y * y)).astype(np.float32)[..., None]
    # An S-curve: deeper shadows, and highlights which saturate gently.
    encoded = np.minimum(encoded, 1)
    encoded = 0.2 * encoded + 0.8 * encoded * encoded * (3 - 2 * encoded)
    encoded += 0.15 * (encoded.mean(axis=2, keepdims=True) - encoded)  # it made colours gaudy
    if sigma > 0.2:
        encoded = cv2.GaussianBlur(encoded, (0, 0), sigma).astype(np.float32)
    encoded += noise * rng.standard_normal(encoded.shape, np.float32)
    image: NDArray[np.uint8] = (np.clip(encoded, 0, 1) * 255 + 0.5).astype(np.uint8)
    return image
