"""Anchored depth: a network's depth, corrected by a few distances.

The error of a network, ln(true depth) - ln(predicted depth), is a Gaussian process over place and
predicted depth (kriging; Rasmussen & Williams, "Gaussian processes for machine learning", 2006),
whose covariance is an :class:`~fastdepth.anchors.prior.AnchorPrior`. Points observe it; how much
each counts is the business of :mod:`fastdepth.anchors.observe`.

Few points are shrunk by the prior, crowded ones count little more than one, and where no point is
near only the error of the whole image is mended.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fastdepth.anchors.covariance import covariance
from fastdepth.anchors.observe import Observations, observe, weigh
from fastdepth.anchors.points import DistancePoints
from fastdepth.anchors.prior import DEFAULT, AnchorPrior
from fastdepth.size import Size

NODES = 4800
"""Places at which the error is computed, 80x60; between them it is interpolated."""

BENDS = 12
"""Steps by which the interpolation is brought through the points."""

Map = NDArray[np.float32]


def anchored(
    depth: Map, points: DistancePoints, prior: AnchorPrior | None = None, out: Map | None = None
) -> Map:
    """Depth that knows some distances.

    Args:
        depth: (H, W) float32 predicted depth [m], above 0.
        points: in pixels of ``depth``.
        prior: of the network; None takes the default.
        out: (H, W) float32 array to write into; may be ``depth``.

    Returns:
        (H, W) float32 depth [m], in ``out`` or else in a new array.

    Raises:
        UsageError: a point is outside the image, or the points are not in metres.
    """
    return ErrorField(depth, points, prior).correct(depth, out)


def anchored_with_std(
    depth: Map, std: Map, points: DistancePoints, prior: AnchorPrior | None = None
) -> tuple[Map, Map]:
    """Depth that knows some distances, and its standard deviation, which is less where they are.

    Args:
        depth: (H, W) float32 predicted depth [m], above 0.
        std: (H, W) float32 its standard deviation [m].
        points: in pixels of ``depth``.
        prior: of the network; None takes the default.

    Returns:
        Both (H, W) float32 [m], new arrays. The standard deviation is what share of ``std`` the
        points leave of the process's own.

    Raises:
        UsageError: a point is outside the image, or the points are not in metres.
    """
    field = ErrorField(depth, points, prior)
    corrected = field.correct(depth)
    return corrected, std * (corrected / depth) * (field.log_std() / field.prior.total_sd)


@dataclass(frozen=True)
class _Grid:
    """Nodes spread evenly over an image."""

    image: Size
    nodes: Size

    @classmethod
    def over(cls, image: Size) -> _Grid:
        """About ``NODES`` of them, in the shape of the image; each pixel of a small image."""
        step = max(1.0, math.sqrt(image.height * image.width / NODES))
        return cls(image, Size(*(max(1, round(side / step)) for side in image)))

    def places(self) -> NDArray[np.float32]:
        """(M, 2) row and column of each node [longer sides of the image]."""
        along = [
            ((np.arange(count) + 0.5) * (side / count) - 0.5) / max(self.image)
            for side, count in zip(self.image, self.nodes, strict=True)
        ]
        grid = np.meshgrid(*along, indexing="ij")
        return np.stack(grid, axis=-1).reshape(-1, 2).astype(np.float32)

    def mean(self, values: Map) -> NDArray[np.float32]:
        """(M,) means of a map (H, W) around the nodes."""
        small = cv2.resize(values, self.nodes[::-1], interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.float32).reshape(-1)

    def spread(self, values: NDArray[np.float32]) -> Map:
        """(H, W) of values (M,) at the nodes, bilinear."""
        grid = values.reshape(self.nodes)
        large = cv2.resize(grid, self.image[::-1], interpolation=cv2.INTER_LINEAR)
        return np.asarray(large, np.float32)

    def bend(
        self, values: NDArray[np.float32], place: NDArray[np.float64], wanted: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """Values (M,) changed least so that bilinear interpolation gives what is wanted.

        Args:
            values: at the nodes.
            place: (N, 2) row and column [longer sides of the image].
            wanted: (N,) there.
        """
        index, share = self._corners(place)
        flat, many = index.reshape(-1), len(values)

        def put(amounts: NDArray[np.float64]) -> NDArray[np.float64]:
            amount = (share * amounts[:, None]).reshape(-1)
            return np.bincount(flat, amount, many).astype(np.float64)

        # conjugate gradients of W W^T x = missing, whose least change is W^T x
        left = wanted - (values[index] * share).sum(axis=1)
        change, along, size = np.zeros(many), left, left @ left
        for _ in range(BENDS):
            if size < 1e-12:
                break
            step = put(along)
            length = size / max(step @ step, 1e-300)
            change += length * step
            left = left - length * (step[index] * share).sum(axis=1)
            size, before = left @ left, size
            along = left + size / before * along
        return np.asarray(values + change, np.float32)

    def _corners(self, place: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """(N, 4) numbers of the nodes around places (N, 2), and their shares in interpolation."""
        indices, shares = [], []
        for axis, (side, count) in enumerate(zip(self.image, self.nodes, strict=True)):
            at = (place[:, axis] * max(self.image) + 0.5) * (count / side) - 0.5
            at = np.clip(at, 0, count - 1)
            low = np.minimum(at.astype(np.intp), max(count - 2, 0))
            part = at - low
            indices.append(np.stack([low, np.minimum(low + 1, count - 1)], axis=1))
            shares.append(np.stack([1 - part, part], axis=1))
        index = indices[0][:, :, None] * self.nodes.width + indices[1][:, None, :]
        share = shares[0][:, :, None] * shares[1][:, None, :]
        return index.reshape(-1, 4), share.reshape(-1, 4)


class ErrorField:
    """What points say of a network's error everywhere in an image.

    Attributes:
        prior: of the network.
        observed: what the points say of the error where they are, after many were gathered.
        noise: (N,) standard deviation of each that it was given [ln depth]; large for outliers.

    Args:
        depth: (H, W) float32 predicted depth [m], above 0.
        points: in pixels of ``depth``.
        prior: of the network; None takes the default.

    Raises:
        UsageError: a point is outside the image, or the points are not in metres.
    """

    def __init__(self, depth: Map, points: DistancePoints, prior: AnchorPrior | None) -> None:
        self.prior = prior or DEFAULT
        self.observed: Observations = observe(depth, points)
        self._grid = _Grid.over(Size(*depth.shape))
        self._logs = np.log(self._grid.mean(depth))
        place, log = self.observed.place, self.observed.log
        own = covariance(place, log, place, log, self.prior)
        self.noise = weigh(own, self.observed)
        self._inverse = np.linalg.inv(own + np.diag(self.noise**2))
        self._weights = self._inverse @ self.observed.error
        self._at_points = own @ self._weights

    @functools.cached_property
    def _shared(self) -> NDArray[np.float32]:
        """(M, N) covariance of the error at the nodes and at the observations."""
        place, log = self.observed.place.astype(np.float32), self.observed.log.astype(np.float32)
        return covariance(self._grid.places(), self._logs, place, log, self.prior)

    def correct(self, depth: Map, out: Map | None = None) -> Map:
        """Depth (H, W) [m] without the expected error, in ``out`` or else in a new array."""
        if not len(self.noise):
            return np.multiply(depth, np.float32(1), out=out)
        factors = np.exp(self._shared @ self._weights.astype(np.float32))
        factors = self._grid.bend(factors, self.observed.place, np.exp(self._at_points))
        corrected: Map = np.multiply(depth, self._grid.spread(factors), out=out)
        return corrected

    def log_std(self) -> Map:
        """Standard deviation (H, W) of what is left of the error [ln depth]."""
        known = ((self._shared @ self._inverse.astype(np.float32)) * self._shared).sum(axis=1)
        left = np.maximum(self.prior.total_sd**2 - known, 0)
        return self._grid.spread(np.sqrt(left).astype(np.float32))
