"""Distance points through a clip: those of earlier frames are followed while they can be.

::

    track = PointTrack()
    for frame in frames:
        depth = model(frame, points=track.update(frame, known_now_or_none))
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from fastdepth.anchors.observe import LEVELS, MOST
from fastdepth.anchors.points import DistancePoints, Points, as_points
from fastdepth.arguments import checked
from fastdepth.errors import UsageError
from fastdepth.runtime.arrays import check_image
from fastdepth.size import Size

RETURN = 1.0
"""A point is lost when it is followed there and back, and comes this far from its place [px]."""

Floats = NDArray[np.float64]


class PointTrack:
    """Points of a clip's earlier frames at their places in the latest one.

    They are followed by sparse optical flow (pyramidal Lucas-Kanade, as OpenCV has it), forth and
    back. Nothing is assumed of the camera's motion: a point keeps its depth, and may have come
    nearer or gone further by ``drift`` a frame.

    Args:
        drift: what a frame adds to the standard deviation of a point, as a share of its depth.
        doubt: a point is given up when its standard deviation is this share of its depth.

    Raises:
        UsageError: a number cannot be.
    """

    @checked
    def __init__(self, *, drift: float = 0.005, doubt: float = 0.5) -> None:
        if not (0 <= drift < 1 and 0 < doubt < 1):
            raise UsageError(f"drift {drift} and doubt {doubt} must be shares, 0 to 1")
        self.drift = drift
        self.doubt = doubt
        self._grey: NDArray[np.uint8] | None = None
        self._points = DistancePoints.of([])
        self._age = np.zeros(0)

    @checked
    def update(self, image: NDArray[np.uint8], points: Points | None = None) -> DistancePoints:
        """Take in the next frame.

        Args:
            image: (H, W, 3) uint8 RGB; a frame of another size begins anew.
            points: distances that are known in it, see
                :func:`fastdepth.anchors.points.as_points`; they replace followed ones near them.

        Returns:
            Points of this frame: those given and those followed, with standard deviations that
            have grown with their age. At most 256 are followed, the latest first.

        Raises:
            ImageError: ``image`` is something else.
            UsageError: ``points`` are none of this image.
        """
        check_image(image)
        size = Size(*image.shape[:2])
        given = DistancePoints.of([], size) if points is None else as_points(points, size)
        grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
        if self._grey is None or self._grey.shape != grey.shape:
            self._points, self._age = DistancePoints.of([], size), np.zeros(0)
        elif len(self._points):
            self._follow(self._grey, grey)
        self._grey = grey
        self._take(given, size)
        return self._doubted()

    def _follow(self, before: NDArray[np.uint8], now: NDArray[np.uint8]) -> None:
        """Move the points to their places in a new frame; drop those that are lost or too old."""
        places = np.stack([self._points.columns, self._points.rows], axis=1).astype(np.float32)
        moved, found = _flow(before, now, places)
        back, returned = _flow(now, before, moved)
        height, width = now.shape
        kept = found & returned & (np.hypot(*(back - places).T) < RETURN)
        kept &= ((moved >= 0) & (moved <= (width - 1, height - 1))).all(axis=1)
        columns, rows = np.where(kept[:, None], moved, places).astype(np.float64).T
        old = self._points
        self._points = DistancePoints(rows, columns, old.depth, old.std, old.size, old.extent)
        self._age = self._age + 1
        kept &= self._doubted().std < self.doubt * old.depth
        self._points, self._age = self._points.where(kept), self._age[kept]

    def _take(self, given: DistancePoints, size: Size) -> None:
        """Add points of the latest frame in place of those that were followed to near them."""
        if not len(given):
            return
        near = np.maximum(0.01 * max(size), given.extent / 2)
        apart = np.maximum(
            abs(np.subtract.outer(self._points.rows, given.rows)),
            abs(np.subtract.outer(self._points.columns, given.columns)),
        )
        kept = (apart > near).all(axis=1)
        self._points = given.joined(self._points.where(kept))
        self._age = np.append(np.zeros(len(given)), self._age[kept])
        followed = np.arange(len(self._age)) < max(MOST, len(given))
        self._points, self._age = self._points.where(followed), self._age[followed]

    def _doubted(self) -> DistancePoints:
        """The points with what their age adds to their standard deviations."""
        points, drift = self._points, self.drift * self._age
        own = np.where(np.isnan(points.std), LEVELS[0] * points.depth, points.std)
        std = np.where(drift > 0, np.hypot(own, drift * points.depth), points.std)
        places = (points.rows, points.columns, points.depth)
        return DistancePoints(*places, std, points.size, points.extent)


def _flow(
    first: NDArray[np.uint8], second: NDArray[np.uint8], places: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Where places (N, 2) of column and row are in a second grey image, and which were found."""
    moved, found, _ = cv2.calcOpticalFlowPyrLK(
        first, second, places, np.empty_like(places), winSize=(21, 21), maxLevel=3
    )
    return np.asarray(moved, np.float32), np.asarray(found, np.uint8).reshape(-1) == 1
