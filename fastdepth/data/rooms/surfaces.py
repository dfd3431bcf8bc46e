"""Which colour and orientation the surface has that each pixel of a ray-cast view shows."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from fastdepth.data.rooms.raycast import Camera, Scene, Shape, View, pixel_rays, unit_rays
from fastdepth.data.rooms.textures import Array, Face, surface_colour
from fastdepth.size import Size


@dataclass(frozen=True, eq=False)
class Surfaces:
    """What each of N pixels shows: `colour` and `normal` (N, 3) float32 (linear reflectance, unit
    vector), `emission` (N, 1) float32, `face` (N,) int32, one number for each flat face."""

    colour: Array
    normal: Array
    emission: Array
    face: NDArray[np.int32]


def _face_of(shape: Shape, point: Array) -> tuple[Array, NDArray[np.intp], Face]:
    """Normals (3, N) in the shape's axes, face numbers (N,) and positions on the faces of the
    points (3, N) on the unit shape."""
    half = shape.half.astype(np.float32)[:, None] * np.ones_like(point)
    metric, distance = point * half, np.abs(point)
    if shape.kind == "ellipsoid":
        face = Face(metric[0], metric[1] + metric[2], half[0], half[2])
        return point / half, np.zeros(point.shape[1], np.intp), face
    if shape.kind == "cylinder":
        side = np.hypot(point[0], point[1]) > distance[2]
        around = np.arctan2(point[1], point[0]) * half[0]
        normal = np.where([side, side, ~side], point / half, np.float32(0))
        face = Face(
            np.where(side, around, metric[0]), np.where(side, metric[2], metric[1]), *half[:2]
        )
        return normal, side.astype(np.intp), face
    axis, each = np.argmax(distance, axis=0), np.arange(point.shape[1])
    sign = np.sign(point[axis, each])
    normal = np.zeros_like(point)
    normal[axis, each] = sign
    # v points up on the four sides; u, v are x, y on the top and the bottom.
    u, v = np.array([1, 0, 0])[axis], np.array([2, 2, 1])[axis]
    face = Face(metric[u, each], metric[v, each], half[u, each], half[v, each])
    return normal, 2 * axis + (sign > 0), face


def find_surfaces(scene: Scene, camera: Camera, view: View) -> Surfaces:
    """Colour and orientation of what every pixel of `view` sees, pixels in row-major order."""
    size = Size(*view.depth.shape)
    x, y = pixel_rays(size)
    count = size.height * size.width
    colour, normal = np.empty((count, 3), np.float32), np.empty((count, 3), np.float32)
    emission, faces = np.zeros((count, 1), np.float32), np.empty(count, np.int32)
    depth, index = view.depth.ravel(), view.index.ravel()
    order = np.argsort(index, kind="stable")
    starts = np.searchsorted(index[order], np.arange(-1, len(scene.shapes) + 1))
    for i, (start, end) in enumerate(pairwise(starts), start=-1):
        if start == end:
            continue
        pixels = order[start:end]
        shape = scene.shapes[i] if i >= 0 else scene.shell
        rows, columns = np.divmod(pixels, size.width)
        origin, direction = unit_rays(shape, camera, x[0, columns], y[rows, 0])
        t = depth[pixels]
        point = np.stack([o + d * t for o, d in zip(origin, direction, strict=True)])
        local, number, face = _face_of(shape, point)
        local = local / np.linalg.norm(local, axis=0)
        normal[pixels] = local.T @ shape.rotation.T.astype(np.float32)
        faces[pixels] = 8 * i + number
        if i >= 0:
            colour[pixels] = surface_colour(shape.material, face)
            emission[pixels] = shape.material.emission
            continue
        normal[pixels] *= -1  # the room is seen from inside
        for side, finish in enumerate(scene.finishes):
            on_side = number == side
            colour[pixels[on_side]] = surface_colour(finish, face[on_side])
    return Surfaces(colour, normal, emission, faces)
