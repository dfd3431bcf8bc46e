"""What may be made of a network's depth and some distances: ours, and what it has to beat."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fastdepth.anchors.field import anchored
from fastdepth.anchors.points import DistancePoints
from fastdepth.anchors.prior import AnchorPrior
from fastdepth.data.sample import Depth
from fastdepth.extras import require

Floats = NDArray[np.float64]
Estimate = Callable[[Depth, DistancePoints, AnchorPrior | None], Depth]
"""From predicted depth (H, W) [m], at least one point, and the network's prior, to depth (H, W)
[m] of any range."""

Interpolator = Callable[[Floats], Any]
"""From places (M, 2) [px] to values (M,)."""

STEP = 8
"""Distance of the places at which points are interpolated [px]; bilinear between them."""

FARTHEST_LOG = 9.0
"""Greatest ln of depth that a fitted line may lead to; any is out of range by far."""


@dataclass(frozen=True)
class Estimator:
    """One way to use points.

    Attributes:
        name: in JSON, tables and plots.
        meaning: what it does, in words.
        estimate: does it.
    """

    name: str
    meaning: str
    estimate: Estimate


def _none(depth: Depth, points: DistancePoints, prior: AnchorPrior | None) -> Depth:
    return depth


def _median(depth: Depth, points: DistancePoints, prior: AnchorPrior | None) -> Depth:
    return depth * np.float32(np.median(points.depth / _predicted(depth, points)))


def _log_affine(depth: Depth, points: DistancePoints, prior: AnchorPrior | None) -> Depth:
    if len(points) < 3:
        return _median(depth, points, prior)
    logs = np.log(_predicted(depth, points))
    terms = np.stack([logs, np.ones_like(logs)], axis=1)
    slope, shift = np.linalg.lstsq(terms, np.log(points.depth), rcond=None)[0]
    line = np.float32(slope) * np.log(depth) + np.float32(shift)
    return _exp(line)


def _nearest(depth: Depth, points: DistancePoints, prior: AnchorPrior | None) -> Depth:
    return _spread(_nearest_of(points), depth.shape)


def _nearest_of(points: DistancePoints) -> Interpolator:
    make = require("scipy.interpolate", "bench").NearestNDInterpolator
    nearest: Interpolator = make(_places(points), points.depth)
    return nearest


def _linear(depth: Depth, points: DistancePoints, prior: AnchorPrior | None) -> Depth:
    make = require("scipy.interpolate", "bench").LinearNDInterpolator
    too_few = require("scipy.spatial", "bench").QhullError  # or all on a line
    nearest = _nearest_of(points)
    try:
        inside = make(_places(points), points.depth)
    except too_few:
        return _spread(nearest, depth.shape)

    def both(places: Floats) -> Floats:
        found: Floats = inside(places)
        outside = np.isnan(found)
        found[outside] = nearest(places[outside])
        return found

    return _spread(both, depth.shape)


def _residual(depth: Depth, points: DistancePoints, prior: AnchorPrior | None) -> Depth:
    make = require("scipy.interpolate", "bench").RBFInterpolator
    error = np.log(points.depth / _predicted(depth, points))
    field = _spread(make(_places(points), error, kernel="linear", degree=0), depth.shape)
    return depth * _exp(field)


ESTIMATORS: Mapping[str, Estimator] = MappingProxyType(
    {
        estimator.name: estimator
        for estimator in (
            Estimator("anchored", "what model(image, points=...) answers", anchored),
            Estimator("none", "the network alone", _none),
            Estimator("median", "times the median of the points' ratios", _median),
            Estimator(
                "log-affine",
                "scale and power fitted to the points by least squares in log depth; median below "
                "three points",
                _log_affine,
            ),
            Estimator("nearest", "the distance of the nearest point, no network", _nearest),
            Estimator(
                "linear",
                "scipy's linear interpolation of the points, no network; nearest outside of them",
                _linear,
            ),
            Estimator(
                "residual",
                "scipy's radial basis functions (linear) through the network's log error at the "
                "points",
                _residual,
            ),
        )
    }
)
"""All by name, in the order of tables. One entry more is one column and one line in plots more."""


def _predicted(depth: Depth, points: DistancePoints) -> Floats:
    """Predicted depth (N,) where the points are; its mean over the extent of each."""
    rows, columns = np.rint(_places(points)).astype(np.intp).T
    found: Floats = depth[rows, columns].astype(np.float64)
    for extent in np.unique(points.extent[points.extent > 1]):
        mine, side = points.extent == extent, round(extent)
        found[mine] = cv2.blur(depth, (side, side))[rows[mine], columns[mine]]
    return found


def _places(points: DistancePoints) -> Floats:
    """(N, 2) row and column [px]."""
    return np.stack([points.rows, points.columns], axis=1)


def _exp(logs: Depth) -> Depth:
    """Depth of its logarithm, never infinite."""
    found: Depth = np.exp(np.clip(logs, -FARTHEST_LOG, FARTHEST_LOG))
    return found


def _spread(interpolator: Interpolator, shape: tuple[int, ...]) -> Depth:
    """What an interpolator of places (M, 2) [px] says of a map (H, W)."""
    counts = [max(1, round(side / STEP)) for side in shape]
    along = [
        (np.arange(count) + 0.5) * side / count - 0.5
        for side, count in zip(shape, counts, strict=True)
    ]
    grid = np.stack(np.meshgrid(*along, indexing="ij"), axis=-1).reshape(-1, 2)
    values = np.asarray(interpolator(grid), np.float32).reshape(counts)
    large = cv2.resize(values, shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(large, np.float32)
