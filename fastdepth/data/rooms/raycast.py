"""Ray casting of boxes, ellipsoids and cylinders with numpy: exact metric depth.

World coordinates are metres with z up. Every shape is convex, and an affine map takes it to a
unit shape around the origin (the cube [-1, 1]^3, the unit ball, the cylinder of radius 1 and
|z| <= 1). A line meets a convex shape in one interval of its parameter; everything here, visible
surfaces and shadows alike, is a question about that interval.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fastdepth.camera import Intrinsics
from fastdepth.data.rooms.textures import Array, Material
from fastdepth.size import Size

Kind = Literal["box", "ellipsoid", "cylinder"]
Vector = tuple[float, float, float]

UNIT_CORNERS = np.array(list(product((-1.0, 1.0), repeat=3)))
EDGES = [(i, j) for i, j in product(range(8), repeat=2) if i < j and (i ^ j).bit_count() == 1]
NEAR_PLANE = 0.2  # [m] clip for projected bounding rectangles; visible surfaces are farther away


@dataclass(frozen=True, eq=False)
class Shape:
    """One convex shape: `centre` (3,) [m], `half` extents (3,) [m], `rotation` (3, 3) to world."""

    kind: Kind
    centre: NDArray[np.float64]
    half: NDArray[np.float64]
    rotation: NDArray[np.float64]
    material: Material

    @property
    def to_unit(self) -> NDArray[np.float64]:
        """Matrix (3, 3) which takes world directions to those around the unit shape."""
        return self.rotation.T / self.half[:, None]

    def corners(self) -> NDArray[np.float64]:
        """Corners (8, 3) of the oriented bounding box [m]."""
        return self.centre + (UNIT_CORNERS * self.half) @ self.rotation.T


@dataclass(frozen=True, eq=False)
class Light:
    """A lamp or a window: a parallelogram `centre` +- `side1` +- `side2` (3,) [m] which shines
    with `colour` (3,), linear light at 1 m."""

    centre: NDArray[np.float64]
    side1: NDArray[np.float64]
    side2: NDArray[np.float64]
    colour: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Scene:
    """A room. `shell` is the box whose inside the camera sees; `finishes` are the materials of
    its faces -x, +x, -y, +y, floor, ceiling; `ambient` (3,) is the light from everywhere."""

    shell: Shape
    finishes: Sequence[Material]
    shapes: Sequence[Shape]
    lights: Sequence[Light]
    ambient: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera: `position` (3,) [m]; columns of `axes` (3, 3) are right, down, forward."""

    position: NDArray[np.float64]
    axes: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class View:
    """What each pixel sees: `depth` (H, W) float32 [m] along the optical axis, `index` (H, W)
    int16 of the shape, -1 for the walls, floor and ceiling of the room."""

    depth: Array
    index: NDArray[np.int16]


def look(position: Vector, yaw: float, pitch: float, roll: float) -> Camera:
    """A camera at `position` [m] which looks along `yaw`, tilted downwards by `pitch` [rad]."""
    forward = np.array([np.cos(pitch) * np.cos(yaw), np.cos(pitch) * np.sin(yaw), -np.sin(pitch)])
    right = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
    down = np.cross(forward, right)
    rolled = np.cos(roll) * right + np.sin(roll) * down
    return Camera(np.array(position), np.stack([rolled, np.cross(forward, rolled), forward], 1))


def pixel_rays(size: Size) -> tuple[Array, Array]:
    """x (1, W) and y (H, 1) of the rays (x, y, 1) through the pixel centres, camera axes."""
    pinhole = Intrinsics.training_camera(size)
    x = (np.arange(size.width) - pinhole.cx) / pinhole.fx
    y = (np.arange(size.height) - pinhole.cy) / pinhole.fy
    return x[None].astype(np.float32), y[:, None].astype(np.float32)


def _slab(origin: Array, direction: Array) -> tuple[Array, Array]:
    inverse = 1 / (direction + np.float32(1e-12))  # never exactly zero
    middle, reach = -origin * inverse, np.abs(inverse)
    return middle - reach, middle + reach


def _dot(a: Sequence[Array], b: Sequence[Array]) -> Array:
    total = a[0] * b[0]
    for a_k, b_k in zip(a[1:], b[1:], strict=True):
        total = total + a_k * b_k
    return total


def _ball(origin: Sequence[Array], direction: Sequence[Array]) -> tuple[Array, Array]:
    """The unit ball, and with two coordinates the unit disc or an endless cylinder."""
    a = _dot(direction, direction) + np.float32(1e-12)  # never exactly zero
    b, c = _dot(origin, direction), _dot(origin, origin) - np.float32(1)
    discriminant = b * b - a * c
    root = np.sqrt(np.maximum(discriminant, 0))
    near: Array = np.where(discriminant < 0, np.float32(np.inf), (-b - root) / a)
    return near, (root - b) / a


def interval(
    kind: Kind, origin: Sequence[Array], direction: Sequence[Array]
) -> tuple[Array, Array]:
    """Where the lines origin + t * direction are inside the unit shape: from t = near to far.

    A line which misses the shape has near > far.
    """
    if kind == "ellipsoid":
        return _ball(origin, direction)
    near, far = _slab(origin[2], direction[2])
    if kind == "cylinder":
        parts = [_ball(origin[:2], direction[:2])]
    else:
        parts = [_slab(origin[0], direction[0]), _slab(origin[1], direction[1])]
    for part_near, part_far in parts:
        near, far = np.maximum(near, part_near), np.minimum(far, part_far)
    return near, far


def _pixel_rectangle(shape: Shape, camera: Camera, size: Size) -> tuple[slice, slice] | None:
    """Rows and columns which contain the projection of `shape`, None if it is out of view."""
    corners = (shape.corners() - camera.position) @ camera.axes
    z = corners[:, 2]
    points = corners[z >= NEAR_PLANE]
    if len(points) == 0:
        return None
    if len(points) < 8:  # the near plane cuts the box: add the points where it cuts the edges
        cuts = [
            corners[i] + (NEAR_PLANE - z[i]) / (z[j] - z[i]) * (corners[j] - corners[i])
            for i, j in EDGES
            if (z[i] < NEAR_PLANE) != (z[j] < NEAR_PLANE)
        ]
        points = np.concatenate([points, cuts])
    pinhole = Intrinsics.training_camera(size)
    xy = points[:, :2] / points[:, 2:] * (pinhole.fx, pinhole.fy)
    centre = np.array([pinhole.cx, pinhole.cy])
    limits = (size.width, size.height)
    low = np.clip(np.floor(xy.min(axis=0) + centre), 0, limits).astype(int)
    high = np.clip(np.ceil(xy.max(axis=0) + centre) + 1, 0, limits).astype(int)
    if (low >= high).any():
        return None
    return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))


def unit_rays(shape: Shape, camera: Camera, x: Array, y: Array) -> tuple[list[Array], list[Array]]:
    """Origin and directions of the camera's rays (x, y, 1) around the unit shape."""
    to_unit = shape.to_unit
    origin = (to_unit @ (camera.position - shape.centre)).astype(np.float32)
    # x is a row and y a column, so each direction costs one addition per pixel.
    matrix = (to_unit @ camera.axes).astype(np.float32)
    return list(origin), [m[0] * x + (m[1] * y + m[2]) for m in matrix]


def cast(scene: Scene, camera: Camera, size: Size) -> View:
    """The first surface along the ray through every pixel's centre."""
    x, y = pixel_rays(size)
    depth = interval("box", *unit_rays(scene.shell, camera, x, y))[1]
    index = np.full(size, -1, np.int16)
    for i, shape in enumerate(scene.shapes):
        rectangle = _pixel_rectangle(shape, camera, size)
        if rectangle is None:
            continue
        rows, columns = rectangle
        near, far = interval(shape.kind, *unit_rays(shape, camera, x[:, columns], y[rows]))
        # The camera ray is (x, y, 1), so its parameter is the depth itself.
        first = (near < far) & (near > 0) & (near < depth[rectangle])
        np.copyto(depth[rectangle], near, where=first)
        index[rectangle][first] = i
    return View(depth, index)
