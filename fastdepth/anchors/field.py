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

import numpy as np
from numpy.typing import NDArray

from fastdepth.anchors.covariance import NEAREST, covariance, features
from fastdepth.anchors.grid import Grid
from fastdepth.anchors.observe import Observations, observe, weigh
from fastdepth.anchors.points import Points, as_points
from fastdepth.anchors.prior import DEFAULT, AnchorPrior
from fastdepth.arguments import checked
from fastdepth.errors import UsageError
from fastdepth.runtime.arrays import check_out
from fastdepth.size import Size

Map = NDArray[np.float32]
Image = NDArray[np.uint8]


@checked
def anchored(
    depth: Map,
    points: Points,
    image: Image | None = None,
    *,
    prior: AnchorPrior | None = None,
    out: Map | None = None,
) -> Map:
    """Depth that knows some distances.

    Args:
        depth: (H, W) float32 predicted depth [m], above 0.
        points: in pixels of ``depth``, see :func:`fastdepth.anchors.points.as_points`.
        image: (H, W, 3) uint8 RGB that the depth is of; None does without its colours.
        prior: of the network; None takes the default.
        out: (H, W) float32 array to write into; may be ``depth``.

    Returns:
        (H, W) float32 depth [m], in ``out`` or else in a new array.

    Raises:
        UsageError: a point is outside the image, or the points are not in metres.
    """
    if out is not None:
        check_out(out, depth.shape)
    return ErrorField(depth, points, image, prior).correct(depth, out)


@checked
def anchored_with_std(
    depth: Map,
    std: Map,
    points: Points,
    image: Image | None = None,
    *,
    prior: AnchorPrior | None = None,
) -> tuple[Map, Map]:
    """Depth that knows some distances, and its standard deviation, which is less where they are.

    Args:
        depth: (H, W) float32 predicted depth [m], above 0.
        std: (H, W) float32 its standard deviation [m].
        points: in pixels of ``depth``, see :func:`fastdepth.anchors.points.as_points`.
        image: (H, W, 3) uint8 RGB that the depth is of; None does without its colours.
        prior: of the network; None takes the default.

    Returns:
        Both (H, W) float32 [m], new arrays. The standard deviation is what share of ``std`` the
        points leave of the process's own.

    Raises:
        UsageError: a point is outside the image, or the points are not in metres.
    """
    field = ErrorField(depth, points, image, prior)
    corrected = field.correct(depth)
    left = field.log_std() / np.float32(field.prior.total_sd)
    lifted = corrected / np.maximum(depth, np.float32(NEAREST))
    return corrected, (std * left * lifted).astype(np.float32, copy=False)


class ErrorField:
    """What points say of a network's error everywhere in an image.

    Attributes:
        prior: of the network.
        observed: what the points say of the error where they are, after many were gathered.
        noise: (N,) standard deviation of each that it was given [ln depth]; large for outliers.

    Args:
        depth: (H, W) float32 predicted depth [m], above 0.
        points: in pixels of ``depth``, see :func:`fastdepth.anchors.points.as_points`.
        image: (H, W, 3) uint8 RGB that the depth is of; None does without its colours.
        prior: of the network; None takes the default.

    Raises:
        UsageError: a point is outside the image, or the points are not in metres.
    """

    def __init__(
        self,
        depth: Map,
        points: Points,
        image: Image | None = None,
        prior: AnchorPrior | None = None,
    ) -> None:
        if depth.ndim != 2 or not depth.size or depth.dtype.kind != "f":
            raise UsageError(f"depth is {depth.dtype} {depth.shape}; give float32 (H, W) in metres")
        if image is not None and getattr(image, "shape", None) != (*depth.shape, 3):
            raise UsageError(f"image is {np.shape(image)} and depth {depth.shape}; give its own")
        self.prior = prior or DEFAULT
        self._grid = Grid.over(Size(*depth.shape))
        self._colours = self._grid.colours(image)
        self._depth = self._grid.mean(depth)
        known = as_points(points, Size(*depth.shape))
        self.observed: Observations = observe(depth, known, self._colours, self._grid, self.prior)
        own = covariance(self.observed.features, self.observed.features, self.prior)
        self.noise = weigh(own, self.observed)
        self._inverse = np.linalg.inv(own + np.diag(self.noise**2))
        self._weights = self._inverse @ self.observed.error
        self._at_points = own @ self._weights

    @functools.cached_property
    def _shared(self) -> NDArray[np.float32]:
        """(M, N) covariance of the error at the nodes and at the observations."""
        nodes = features(self._grid.places(), self._depth, self._colours, self.prior)
        return covariance(nodes, self.observed.features.astype(np.float32), self.prior)

    def correct(self, depth: Map, out: Map | None = None) -> Map:
        """Depth (H, W) [m] without the expected error, in ``out`` or else in a new array."""
        if not len(self.noise):
            return np.multiply(depth, np.float32(1), out=out)
        factors = np.exp(self._shared @ self._weights.astype(np.float32))
        factors = self._grid.bend(factors, self.observed.place, np.exp(self._at_points))
        large = self._grid.spread(factors)
        corrected: Map = np.multiply(depth, large, out=large if out is None else out)
        return corrected

    def log_std(self) -> Map:
        """Standard deviation (H, W) of what is left of the error [ln depth]."""
        known = ((self._shared @ self._inverse.astype(np.float32)) * self._shared).sum(axis=1)
        left = np.maximum(self.prior.total_sd**2 - known, 0)
        return self._grid.spread(np.sqrt(left).astype(np.float32))
