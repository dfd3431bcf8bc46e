"""What may be made of a network's depth and some distances: ours, and what it has to beat."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fastdepth.anchors.field import anchored, anchored_with_std
from fastdepth.anchors.points import DistancePoints
from fastdepth.anchors.prior import AnchorPrior
from fastdepth.data.sample import Depth, Image
from fastdepth.extras import require

Floats = NDArray[np.float64]

Interpolator = Callable[[Floats], Any]
"""From places (M, 2) [px] to values (M,)."""

STEP = 8
"""Distance of the places at which points are interpolated [px]; bilinear between them."""

FARTHEST_LOG = 9.0
"""Greatest ln of depth that a fitted line may lead to; any is out of range by far."""


@dataclass(frozen=True)
class Prediction:
    """What a network says of an image.

    Attributes:
        depth: (H, W) float32 [m], above 0.
        image: (H, W, 3) uint8 RGB.
        prior: of the network; None where it has none of its own.
        std: (H, W) float32 standard deviation of the depth [m]; None where none is calibrated.
    """

    depth: Depth
    image: Image
    prior: AnchorPrior | None = None
    std: Depth | None = None


Estimate = Callable[[Prediction, DistancePoints], Depth]
"""From a prediction and at least one point to depth (H, W) [m] of any range."""

Deviate = Callable[[Prediction, DistancePoints], Depth]
"""From a prediction with ``std`` and at least one point to the standard deviation (H, W) [m]."""


@dataclass(frozen=True)
class Estimator:
    """One way to use points.

    Attributes:
        name: in JSON, tables and plots.
        meaning: what it does, in words.
        estimate: does it.
        deviate: how far the answer may be off; None where it does not say.
    """

    name: str
    meaning: str
    estimate: Estimate
    deviate: Deviate | None = None


def _anchored(network: Prediction, points: DistancePoints) -> Depth:
    return anchored(network.depth, points, network.image, prior=network.prior)


def _anchored_std(network: Prediction, points: DistancePoints) -> Depth:
    own = _std(network, points)
    return anchored_with_std(network.depth, own, points, network.image, prior=network.prior)[1]


def _none(network: Prediction, points: DistancePoints) -> Depth:
    return network.depth


def _std(network: Prediction, points: DistancePoints) -> Depth:
    assert network.std is not None, "asked of a network that does not say"
    return network.std


def _median(network: Prediction, points: DistancePoints) -> Depth:
    return network.depth * np.float32(np.median(points.depth / _predicted(network.depth, points)))


def _log_affine(network: Prediction, points: DistancePoints) -> Depth:
    if len(points) < 3:
        return _median(network, points)
    logs = np.log(_predicted(network.depth, points))
    terms = np.stack([logs, np.ones_like(logs)], axis=1)
    slope, shift = np.linalg.lstsq(terms, np.log(points.depth), rcond=None)[0]
    line = np.float32(slope) * np.log(network.depth) + np.float32(shift)
    return _exp(line)


def _nearest(network: Prediction, points: DistancePoints) -> Depth:
    return _spread(_nearest_of(points), network.depth.shape)


def _nearest_of(points: DistancePoints) -> Interpolator:
    make = require("scipy.interpolate", "bench").NearestNDInterpolator
    nearest: Interpolator = make(_places(points), points.depth)
    return nearest


def _linear(network: Prediction, points: DistancePoints) -> Depth:
    make = require("scipy.interpolate", "bench").LinearNDInterpolator
    too_few = require("scipy.spatial", "bench").QhullError  # or all on a line
    nearest = _nearest_of(points)
    try:
        inside = make(_places(points), points.depth)
    except too_few:
        return _spread(nearest, network.depth.shape)

    def both(places: Floats) -> Floats:
        found: Floats = inside(places)
        outside = np.isnan(found)
        found[outside] = nearest(places[outside])
        return found

    return _spread(both, network.depth.shape)


def _residual(network: Prediction, points: DistancePoints) -> Depth:
    make = require("scipy.interpolate", "bench").RBFInterpolator
    error = np.log(points.depth / _predicted(network.depth, points))
    field = _spread(make(_places(points), error, kernel="linear", degree=0), network.depth.shape)
    return network.depth * _exp(field)


ESTIMATORS: Mapping[str, Estimator] = MappingProxyType(
    {
        estimator.name: estimator
        for estimator in (
            Estimator(
                "anchored", "what model(image, points=...) answers", _anchored, _anchored_std
            ),
            Estimator("none", "the network alone", _none, _std),
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
