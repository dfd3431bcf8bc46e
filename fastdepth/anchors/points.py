"""Distances that a user knows: tape measure, ToF sensor, LiDAR, points of a SLAM system."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastdepth.arguments import check_type, checked
from fastdepth.camera import TRAINING_FOCAL_LENGTH, TRAINING_WIDTH, Intrinsics
from fastdepth.errors import UsageError
from fastdepth.size import Size

MOST = 2**22
"""Points at most: those of a dense map of 2048x2048."""

SMALLEST_MAP = 8
"""Rows and columns from which an array is a sparse map and no table of points."""

RIGID = 1e-3
"""By how much the products of a pose's axes may differ from those of a rotation."""

MILLIMETRES = 100
"""No sensor of a few zones sees so far [m]."""

FORM = "give rows of row [px], column [px], depth [m] and, if known, standard deviation [m]"

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class DistancePoints:
    """Depth that is known at some places of an image.

    Made by :meth:`of`, :meth:`from_picture`, :meth:`project` or :meth:`from_tof`. The centre of the
    first pixel is row 0, column 0; places may lie between pixels.

    Attributes:
        rows: (N,) float64 [px].
        columns: (N,) float64 [px].
        depth: (N,) float64 along the optical axis [m].
        std: (N,) float64 standard deviation of ``depth`` [m]; NaN where it is not known.
        size: of the image, where it is known; None takes any that holds all points.
        extent: (N,) float64 side of the square that a point's depth is the mean of [px]; a pixel
            where it is left out.
    """

    rows: Floats
    columns: Floats
    depth: Floats
    std: Floats
    size: Size | None = None
    extent: Floats = field(default_factory=lambda: np.ones(0))

    def __post_init__(self) -> None:
        """Refuse what cannot be depth at places.

        Raises:
            UsageError: says which point, and what to give.
        """
        if np.size(self.extent) == 0:
            object.__setattr__(self, "extent", np.ones(np.shape(self.depth)))
        check_type("size", self.size, Size | None)
        for name in ("rows", "columns", "depth", "std", "extent"):
            object.__setattr__(self, name, _numbers(getattr(self, name)))
        arrays = (self.rows, self.columns, self.depth, self.std, self.extent)
        lengths = {np.shape(each) for each in arrays}
        if len(lengths) > 1 or any(len(shape) != 1 for shape in lengths):
            raise UsageError(f"points have the shapes {lengths}; {FORM}")
        if len(self.depth) > MOST:
            raise UsageError(f"{len(self.depth)} points; give at most {MOST}")
        place = np.isfinite(self.rows) & np.isfinite(self.columns)
        self._refuse(~place, "lies at no pixel", "give rows and columns in the image")
        with np.errstate(invalid="ignore"):
            known = np.isfinite(self.depth) & (self.depth > 0)
            self._refuse(~known, "has no depth above 0 m", "leave it out, or give metres")
            bad = ~np.isnan(self.std) & ~((self.std > 0) & (self.std < math.inf))
        wide = ~((self.extent > 0) & (self.extent < math.inf))
        self._refuse(wide, "has no extent above 0 px", "give 1 for a pixel")
        self._refuse(bad, "has no standard deviation above 0 m", "give NaN where it is not known")
        if self.size is not None:
            self.check_inside(self.size)

    def __len__(self) -> int:
        return len(self.depth)

    def check_inside(self, size: Size) -> None:
        """Raise UsageError where a point is outside an image or all are of one of another size."""
        if self.size not in (None, size):
            raise UsageError(f"points are of an image of {self.size}, and this one is {size}")
        rows, columns = self.rows, self.columns
        inside = (rows >= -0.5) & (rows <= size.height - 0.5)
        inside &= (columns >= -0.5) & (columns <= size.width - 0.5)
        self._refuse(~inside, f"is outside the image of {size}", "rows come first, then columns")

    def _refuse(self, bad: NDArray[np.bool_], what: str, mend: str) -> None:
        """Raise UsageError that names the first of the bad points."""
        for index in np.flatnonzero(bad)[:1]:
            values = f"row {self.rows[index]:g}, column {self.columns[index]:g}"
            values += f", depth {self.depth[index]:g}, std {self.std[index]:g}"
            raise UsageError(f"point {index} ({values}) {what}; {mend}")

    @classmethod
    @checked
    def of(cls, points: ArrayLike, size: Size | None = None) -> DistancePoints:
        """Points as rows of numbers.

        Args:
            points: (N, 3) of row [px], column [px], depth [m], or (N, 4) with a standard deviation
                [m] as well, NaN where it is not known.
            size: of the image, to refuse points outside at once.

        Raises:
            UsageError: ``points`` is something else, or has a point that cannot be.
        """
        array = _numbers(points)
        if array.size == 0:
            array = array.reshape(0, 3)
        if array.ndim != 2 or array.shape[1] not in (3, 4):
            raise UsageError(f"points have the shape {array.shape}; {FORM}")
        unknown = np.full(len(array), math.nan)
        std = array[:, 3].copy() if array.shape[1] == 4 else unknown
        rows, columns, depth = array[:, :3].T.copy()
        return cls(rows, columns, depth, std, size)

    @classmethod
    @checked
    def from_picture(
        cls, picture: ArrayLike, size: Size, std: float | ArrayLike | None = None
    ) -> DistancePoints:
        """Points of a sparse map of depth, of which each pixel may hold a distance.

        Args:
            picture: (h, w) [m] of any size, spread over the whole image; 0, NaN and infinity are
                nothing.
            size: of the image.
            std: standard deviation [m], one for all or (h, w); None where it is not known.

        Raises:
            UsageError: it is no such map.
        """
        sparse = _numbers(picture)
        if sparse.ndim != 2 or sparse.size == 0:
            raise UsageError(f"sparse depth has the shape {sparse.shape}; give (h, w) in metres")
        deviations = np.full(sparse.shape, math.nan)
        if std is not None:
            try:
                deviations = np.broadcast_to(_numbers(std), sparse.shape)
            except ValueError:
                raise UsageError(f"std has another shape than depth {sparse.shape}") from None
        found = np.nonzero(np.isfinite(sparse) & (sparse != 0))
        step_down, step_right = (size[axis] / sparse.shape[axis] for axis in (0, 1))
        return cls(
            (found[0] + 0.5) * step_down - 0.5,
            (found[1] + 0.5) * step_right - 0.5,
            sparse[found],
            np.asarray(deviations[found], np.float64),
            size,
            np.full(len(found[0]), max(1.0, math.sqrt(step_down * step_right))),
        )

    @classmethod
    @checked
    def project(
        cls,
        points: ArrayLike,
        intrinsics: Intrinsics,
        pose: ArrayLike,
        size: Size,
        std: float | None = None,
    ) -> DistancePoints:
        """Points in space, seen through a camera; what is behind it or out of sight is left out.

        Of several at one pixel the nearest stays, which hides the others.

        Args:
            points: (N, 3) [m], in the frame that ``pose`` is from.
            intrinsics: the camera, in pixels of the image.
            pose: (4, 4) from that frame to the camera's: x right, y down, z forward [m]. The
                inverse of the camera's pose in the world, which SLAM systems report.
            size: of the image.
            std: standard deviation of depth [m]; None where it is not known.

        Raises:
            UsageError: an array has another shape or holds no numbers, or the pose has a scale.
        """
        space, matrix = _numbers(points), _numbers(pose)
        if space.ndim != 2 or space.shape[1] != 3:
            raise UsageError(f"points in space have the shape {space.shape}; give (N, 3) in metres")
        if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
            raise UsageError(f"pose has the shape {matrix.shape}; give a finite (4, 4) matrix")
        turn = matrix[:3, :3]
        if np.abs(turn @ turn.T - np.eye(3)).max() > RIGID or np.linalg.det(turn) < 0:
            raise UsageError("pose turns by no rotation; give one without scale or mirror")
        if not (0 < intrinsics.fx < math.inf and 0 < intrinsics.fy < math.inf):
            raise UsageError(f"{intrinsics} is no camera; give focal lengths above 0 px")
        seen = space[np.isfinite(space).all(axis=1)] @ turn.T + matrix[:3, 3]
        seen = seen[seen[:, 2] > 0]
        columns = intrinsics.fx * seen[:, 0] / seen[:, 2] + intrinsics.cx
        rows = intrinsics.fy * seen[:, 1] / seen[:, 2] + intrinsics.cy
        inside = (abs(rows - (size.height - 1) / 2) < size.height / 2) & (
            abs(columns - (size.width - 1) / 2) < size.width / 2
        )
        rows, columns, depth = rows[inside], columns[inside], seen[inside, 2]
        nearest = np.argsort(depth, kind="stable")
        pixels = np.rint(rows) * size.width + np.rint(columns)
        kept = nearest[np.unique(pixels[nearest], return_index=True)[1]]
        deviation = np.full(len(kept), math.nan if std is None else std)
        return cls(rows[kept], columns[kept], depth[kept], deviation, size)

    @classmethod
    @checked
    def from_tof(
        cls,
        distances: ArrayLike,
        size: Size,
        *,
        field_of_view: float = 45.0,
        focal: float | None = None,
        rotation: int = 0,
        flip: bool = False,
        reach: tuple[float, float] = (0.02, 4.0),
        status: ArrayLike | None = None,
        valid: Collection[int] = (5, 6, 9),
        noise: float = 0.04,
    ) -> DistancePoints:
        """Points of a ToF sensor of few zones, such as VL53L5CX, that looks along with the camera.

        Args:
            distances: (n, n) along the optical axis [m], usually 8x8 or 4x4; divide what a sensor
                gives in millimetres by 1000. 0, NaN and what is out of ``reach`` is nothing.
            size: of the image.
            field_of_view: between opposite sides of the zones, not corners [deg].
            focal: focal length of the camera [px in the image]; None is that of the training
                camera, whose frame of 4:3 holds the whole image.
            rotation: quarter turns that bring the zones upright, anticlockwise [deg]: 0 to 270.
            flip: whether left and right are exchanged, before they are turned.
            reach: least and greatest distance that is believed [m].
            status: (n, n) code of each zone; None believes all.
            valid: codes of zones that are believed; as ST documents them for VL53L5CX.
            noise: standard deviation as a share of the distance.

        Raises:
            UsageError: an argument that cannot work.
        """
        zones = _zones(distances, rotation, flip)
        least, most = reach
        if not 0 <= least < most:
            raise UsageError(f"reach {reach} must be two distances, the nearer first [m]")
        known = np.isfinite(zones) & (zones > least) & (zones < most)
        if not known.any() and np.nanmax(zones, initial=0) > MILLIMETRES:
            raise UsageError("distances are in millimetres; divide them by 1000")
        if status is not None:
            codes = _zones(status, rotation, flip)
            if codes.shape != zones.shape:
                raise UsageError(f"status is {codes.shape} and distances {zones.shape}")
            known &= np.isin(codes, list(valid))
        if not 0 < field_of_view < 180 or not 0 < noise < 1:
            raise UsageError(f"field of view {field_of_view}, noise {noise}: give 0 to 180, 0 to 1")
        if focal is None:
            frame = max(size.width, size.height * 4 / 3)  # a portrait image is padded to it
            focal = TRAINING_FOCAL_LENGTH * frame / TRAINING_WIDTH
        camera = Intrinsics.from_focal(focal, size)
        half = camera.fx * math.tan(math.radians(field_of_view / 2))
        along = half * ((2 * np.arange(len(zones)) + 1) / len(zones) - 1)
        rows, columns = np.meshgrid(camera.cy + along, camera.cx + along, indexing="ij")
        known &= (rows >= 0) & (rows <= size.height - 1)
        known &= (columns >= 0) & (columns <= size.width - 1)
        depth = zones[known]
        extent = np.full(len(depth), max(1.0, 2 * half / len(zones)))
        return cls(rows[known], columns[known], depth, noise * depth, size, extent)

    def where(self, kept: NDArray[np.bool_]) -> DistancePoints:
        """Those of the points that a mask (N,) names."""
        place = (self.rows[kept], self.columns[kept])
        return DistancePoints(
            *place, self.depth[kept], self.std[kept], self.size, self.extent[kept]
        )

    def joined(self, others: DistancePoints) -> DistancePoints:
        """These points and others of the same image."""
        names = ("rows", "columns", "depth", "std")
        both = {name: np.append(getattr(self, name), getattr(others, name)) for name in names}
        extent = np.append(self.extent, others.extent)
        return DistancePoints(**both, size=self.size or others.size, extent=extent)


Points: TypeAlias = DistancePoints | ArrayLike
"""What a user gives as points; see :func:`as_points`."""


def as_points(points: Points, size: Size) -> DistancePoints:
    """What a user gives as points of an image of this size.

    Args:
        points: points; (N, 3) or (N, 4) as :meth:`DistancePoints.of` takes them; or a sparse map of
            depth [m] of any size from 8x8, see :meth:`DistancePoints.from_picture`.
        size: of the image.

    Raises:
        UsageError: it is something else, or a point is outside the image.
    """
    if not isinstance(points, DistancePoints):
        array = _numbers(points)
        many = array.ndim == 2 and min(array.shape) >= SMALLEST_MAP
        points = DistancePoints.from_picture(array, size) if many else DistancePoints.of(array)
    points.check_inside(size)
    return points


def _numbers(values: Any) -> Floats:
    """An array of numbers of what a user gives."""
    try:
        if (
            isinstance(values, np.ndarray)
            and values.dtype == np.float64
            and type(values) is np.ndarray
        ):
            return values
        array = np.ma.asarray(values) if np.ma.isMaskedArray(values) else np.asarray(values)
        if array.size and array.dtype.kind not in "iuf":
            raise TypeError
        return np.asarray(np.ma.filled(array.astype(np.float64), math.nan))
    except (TypeError, ValueError):
        raise UsageError(f"points are no array of numbers; {FORM}") from None


def _zones(values: ArrayLike, rotation: int, flip: bool) -> Floats:
    """Zones (n, n) of a sensor, upright."""
    zones = _numbers(values)
    if zones.ndim != 2 or zones.shape[0] != zones.shape[1] or zones.size == 0:
        raise UsageError(f"zones have the shape {zones.shape}; give (n, n), as 8x8 or 4x4")
    if rotation not in (0, 90, 180, 270):
        raise UsageError(f"rotation is {rotation!r}; give 0, 90, 180 or 270 degrees")
    return np.rot90(zones[:, ::-1] if flip else zones, rotation // 90)
