"""Occlusion boundaries: whether depth jumps where the truth does, and how far off.

Both figures are of prediction p and truth g at the truth's own size, over the pixels that count.
Both see ratios of depth alone, so that a factor of scale changes neither.

``edge_f1``: the scale-invariant boundary F1 of Depth Pro (Bochkovskii et al., ICLR 2025, section
"Boundary metrics"). A pixel i is behind its neighbour j in one of the four directions, across a
boundary at threshold t, where ``p_i / p_j > t``, and likewise in g. With P and R the precision and
recall of p's boundaries among g's, pixel by pixel, each the mean over the directions::

    F1(t) = 2 P R / (P + R)        edge_f1 = sum_t t F1(t) / sum_t t, t = 1.05 ... 1.25 in 10 steps

So in their evaluation. One thing differs: what neither p nor g has a boundary in, a direction or a
threshold, is left out here and is 0 there, where even a perfect prediction stays below 1.

``dbe_accuracy``, ``dbe_completeness``: the depth boundary error of iBims-1 (Koch et al., ECCV
Workshops 2018) [px]. With edge pixels E(p) and E(g) and the Euclidean distance to the nearest of
them, D(p) and D(g)::

    accuracy      mean of D(g) over the pixels of E(p) with D(g) < 10
    completeness  mean of min(D(p), 10) over the pixels of E(g)

Both are 10 where the prediction has no edge within 10 px of a true one. What is an edge differs:
theirs are drawn by hand in the image, and found in the depth by Canny after scaling it to 0 to 1.
Here both are found by Canny in the logarithm of depth, smoothed by the same sigma of sqrt(2) px,
with hysteresis between the slopes that a step by a factor of 1.05 and of 1.1 has after that. True
edges are thus occlusion boundaries, no contours of texture; figures do not compare with
iBims-1's own.

A pixel that does not count, for one because nothing was measured there, makes no boundary, and no
edge within 5 px. A prediction that is no finite number above zero makes no boundary either.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]

Logs = tuple[Array, Mask]
"""ln of depth (H, W) float32, and where (H, W) it is known."""

THRESHOLDS = np.linspace(1.05, 1.25, 10)
"""Ratios of neighbouring depths, each its own weight."""

FARTHEST = 10.0
"""Distance between edges [px] beyond which they have nothing to do with each other."""

_LOGS = np.log(THRESHOLDS)

HYSTERESIS = 1.05, 1.1
"""Steps of depth, as factors, that go on with an edge and that begin one."""

_SIGMA = math.sqrt(2)
_RADIUS = 4  # of the Gaussian [px], near three sigma
_REACH = _RADIUS + 1  # and the Sobel filter's own
_FIXED_POINT = 8192  # of slopes in OpenCV's 16 bits, so that 4 ln/px is the steepest


@dataclass(frozen=True)
class Edges:
    """Boundaries of a prediction beside the true ones; figures are NaN where there are none.

    Attributes:
        prediction: (H, W) float [m].
        truth: (H, W) float [m]; 0 or NaN where nothing was measured.
        valid: (H, W) bool, the pixels that count; no more than have a depth in the truth.
    """

    prediction: Array
    truth: Array
    valid: Mask

    @cached_property
    def f1(self) -> float:
        """``edge_f1``, in 0 to 1; NaN where neither has a boundary at any threshold."""
        found = np.stack([*self._matches()])
        both, predicted, true = found.transpose(1, 0, 2)  # each (directions, thresholds)
        precision, recall = _over_directions(both, predicted, true)
        some = (predicted + true).any(axis=0)
        if not some.any():
            return math.nan
        total = np.maximum(precision + recall, 1e-12)
        f1 = np.where(some, 2 * precision * recall / total, 0)
        return float(np.average(f1, weights=THRESHOLDS * some))

    @cached_property
    def errors(self) -> tuple[float, float]:
        """``dbe_accuracy`` and ``dbe_completeness``, in 0 to 10 px; NaN without a true edge."""
        predicted, true = (_edges(*logs) for logs in self._logs)
        if not true.any():
            return math.nan, math.nan
        to_true, to_predicted = _distance(true), _distance(predicted)
        near = to_true[predicted & (to_true < FARTHEST)]
        if not near.size:
            return FARTHEST, FARTHEST
        return float(near.mean()), float(np.minimum(to_predicted[true], FARTHEST).mean())

    def _matches(self) -> Iterator[NDArray[np.int64]]:
        """Numbers of boundaries in each of the four directions."""
        for p, g in zip(*(_steps(*logs) for logs in self._logs), strict=True):
            some = np.flatnonzero(np.maximum(np.abs(p), np.abs(g)) > _LOGS[0])
            yield _matches(p[some], g[some])
            yield _matches(-p[some], -g[some])

    @cached_property
    def _logs(self) -> tuple[Logs, Logs]:
        """Of prediction and truth."""
        return _log(self.prediction, self.valid), _log(self.truth, self.valid)


def _log(depth: Array, valid: Mask) -> Logs:
    known = valid & np.isfinite(depth) & (depth > 0)
    return np.log(np.where(known, depth, 1).astype(np.float32)), known


def _steps(logs: Array, known: Mask) -> list[Array]:
    """ln of the ratio to the neighbour, (n,) to the left and (m,) above; 0 where one is unknown."""
    across = (logs[:, 1:] - logs[:, :-1]) * (known[:, 1:] & known[:, :-1])
    down = (logs[1:] - logs[:-1]) * (known[1:] & known[:-1])
    return [across.ravel(), down.ravel()]


def _matches(predicted: Array, true: Array) -> NDArray[np.int64]:
    """Numbers (3, thresholds) of boundaries in one direction: of both, predicted, true."""
    # how many thresholds each step is above; both are above so many as the lesser is
    p, g = (np.searchsorted(_LOGS, steps) for steps in (predicted, true))
    counts = [np.bincount(levels, minlength=len(_LOGS) + 1) for levels in (np.minimum(p, g), p, g)]
    return np.array([np.cumsum(count[::-1])[::-1][1:] for count in counts])


def _over_directions(both: Array, predicted: Array, true: Array) -> tuple[Array, Array]:
    """Precision and recall by threshold, over the directions in which either has a boundary."""
    directions = np.maximum(np.count_nonzero(predicted + true, axis=0), 1)
    precision, recall = (
        (both / np.maximum(count, 1)).sum(axis=0) / directions for count in (predicted, true)
    )
    return precision, recall


def _edges(logs: Array, known: Mask) -> Mask:
    """Edge pixels by Canny; none within reach of an unknown pixel."""
    kernel = (2 * _RADIUS + 1,) * 2
    smooth = cv2.GaussianBlur(logs, kernel, _SIGMA, borderType=cv2.BORDER_REPLICATE)
    window = np.ones((2 * _REACH + 1,) * 2, np.uint8)
    inside = cv2.erode(known.astype(np.uint8), window)
    slopes = (
        cv2.Sobel(smooth, cv2.CV_32F, *axis, scale=_FIXED_POINT / 8) for axis in ((1, 0), (0, 1))
    )
    limit = np.iinfo(np.int16).max
    x, y = (np.clip(slope * inside, -limit, limit).astype(np.int16) for slope in slopes)
    low, high = (_slope_of_step(t) * _FIXED_POINT for t in HYSTERESIS)
    found: Mask = cv2.Canny(x, y, low, high, L2gradient=True) > 0
    return found


def _slope_of_step(ratio: float) -> float:
    """The steepest slope [ln/px] of a step by this ratio, after the Gaussian and the Sobel filter.

    That one averages the slopes to either side of a pixel, so that half of the step's height is
    the weight of two neighbouring pixels under the Gaussian.
    """
    weights = cv2.getGaussianKernel(2 * _RADIUS + 1, _SIGMA).ravel()
    return math.log(ratio) * float(weights[_RADIUS] + weights[_RADIUS + 1]) / 2


def _distance(edges: Mask) -> Array:
    """(H, W) Euclidean distance to the nearest edge pixel [px]; infinite where there is none."""
    if not edges.any():
        return np.full(edges.shape, np.inf)
    free = (~edges).astype(np.uint8)
    return np.asarray(cv2.distanceTransform(free, cv2.DIST_L2, cv2.DIST_MASK_PRECISE), float)
