"""What distance points say of a network's error, and how much each of them counts.

The variance of an observation is the sum of

* its distance's: as it is given; else the level of ``LEVELS`` under which the points predict each
  other best (leave-one-out; Rasmussen & Williams, "Gaussian processes for machine learning", 2006,
  5.4.2);
* its place's: where predicted depth varies around a point, it may lie beyond an edge;
* an outlier's: each is one with a probability that the others say, again leaving it out, and counts
  as much less.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastdepth.anchors.covariance import NEAREST, features
from fastdepth.anchors.grid import Grid
from fastdepth.anchors.points import DistancePoints
from fastdepth.anchors.prior import AnchorPrior
from fastdepth.errors import UsageError

LEVELS = (0.02, 0.1)
"""Noise that points of unknown standard deviation may have, as shares of their distance."""

FLOOR = 0.005
"""Noise of every point as a share of its distance: that of the truth that priors are fitted on."""

OUTLIERS = 0.1
"""Share of points that are expected to be wrong ..."""

OUTLIER_SD = 0.5
"""... by so much or more: standard deviation [ln depth]."""

ROUNDS = 3
"""Times that outliers and noise are looked at again."""

JUDGES = 32
"""Observations by which a noise that is not known is found."""

MOST = 256
"""Observations that the process takes; more points are gathered in as many cells."""

TAKEN = 8192
"""Points that are looked at; of more so many, chosen by their own numbers."""

MIXER = np.uint64(0x9E3779B97F4A7C15)
"""Odd number whose multiples are spread evenly: 2^64 by the golden ratio."""

EDGE = 0.3
"""Noise of a point per standard deviation of predicted ln depth around it."""

WINDOW = 1 / 71
"""Side of the square around a point in which edges are looked for [longer sides of the image]."""

TAPS = 5
"""Pixels along a side of that square that are read."""

LARGEST = 100.0
"""Noise as a share of distance, beyond which a point says nothing anyway."""

WRONG_UNIT = 50
"""Points that are so many times further than the image is are not in metres."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Observations:
    """What points say of the error of predicted depth.

    Attributes:
        place: (N, 2) row and column [longer sides of the image].
        features: (N, 6) of the pixels, see :func:`fastdepth.anchors.covariance.features`.
        error: (N,) ln of the points' depth less that of the predicted one.
        noise: (N,) standard deviation of ``error`` by the points' own; NaN where it is not known.
        edge: (N,) standard deviation by edges around them.
        share: (N,) variance of what was gathered into one, as a share of one point's.
    """

    place: Floats
    features: Floats
    error: Floats
    noise: Floats
    edge: Floats
    share: Floats

    def variances(self, level: float) -> Floats:
        """Variance (N,) of each that is no outlier, where an unknown noise is ``level``."""
        noise = np.where(np.isnan(self.noise), level, self.noise)
        variances: Floats = noise**2 * self.share + self.edge**2 + FLOOR**2
        return variances


def observe(
    depth: NDArray[np.float32],
    points: DistancePoints,
    colours: NDArray[np.float32],
    grid: Grid,
    prior: AnchorPrior,
) -> Observations:
    """Compare points with predicted depth.

    Args:
        depth: (H, W) float32 predicted depth [m], above 0.
        points: in pixels of ``depth``, all of them inside.
        colours: (M, 3) of the image around the nodes of ``grid``.
        grid: over the image.
        prior: of the network.

    Returns:
        At most ``MOST``. More points are gathered in cells of a grid of 16x16 over the rectangle
        that holds them, of each cell the one of median error, with the noise of a median.

    Raises:
        UsageError: the points are not in metres.
    """
    some = _some(points) if len(points) > MOST else np.s_[:]
    place = np.stack([points.rows[some], points.columns[some]], axis=1)
    known, std = points.depth[some], points.std[some]
    extent = points.extent[some]
    logs = _logs_around(depth, place, extent)
    centre = np.where(extent > 1, logs.mean(axis=1), logs[:, TAPS * TAPS // 2])
    error = np.log(known) - centre
    if len(error) and np.median(error) > math.log(WRONG_UNIT):
        times = math.exp(float(np.median(error)))
        raise UsageError(f"points are {times:.3g} times as far as the image; give them in metres")
    place /= max(depth.shape)
    edge = EDGE * logs.std(axis=1)
    colour = colours[grid.nearest(place)].astype(np.float64)
    what = features(place, np.exp(centre), colour, prior)
    with np.errstate(over="ignore"):
        noise = np.minimum(std / known, LARGEST)
    seen = Observations(place, what, error, noise, edge, np.ones(len(error)))
    return _gathered(seen) if len(error) > MOST else seen


def _some(points: DistancePoints) -> NDArray[np.intp]:
    """At most ``TAKEN`` of the points, the same in the same order in whatever order they come.

    They are ordered by a hash of their numbers, as by chance; those of equal numbers are one.
    """
    mark = np.zeros(len(points), np.uint64)
    for numbers in (points.rows, points.columns, points.depth, points.std, points.extent):
        mark = (mark ^ np.ascontiguousarray(numbers).view(np.uint64)) * MIXER
        mark ^= mark >> np.uint64(32)
    first: NDArray[np.intp] = np.arange(len(mark))
    if len(mark) > TAKEN:
        first = np.argpartition(mark, TAKEN)[:TAKEN]
    return first[np.argsort(mark[first])]


def _logs_around(depth: NDArray[np.float32], place: Floats, extent: Floats) -> Floats:
    """ln of depth (N, TAPS^2) in a square around each place (N, 2) [px]."""
    side = np.maximum(WINDOW * max(depth.shape), extent)
    offsets = side[:, None] * np.linspace(-0.5, 0.5, TAPS)
    rows, columns = (
        np.clip(np.rint(place[:, axis, None] + offsets), 0, depth.shape[axis] - 1).astype(np.intp)
        for axis in (0, 1)
    )
    around = depth[rows[:, :, None], columns[:, None, :]].astype(np.float64)
    logs: Floats = np.log(np.maximum(around, NEAREST)).reshape(len(place), TAPS * TAPS)
    return logs


def _gathered(seen: Observations) -> Observations:
    """One observation for each cell of a grid that has some."""
    side = math.isqrt(MOST)
    least, most = seen.place.min(axis=0), seen.place.max(axis=0)
    part = (seen.place - least) / np.maximum(most - least, 1e-9)
    row, column = np.minimum(part * side, side - 1).astype(np.intp).T
    cell = row * side + column
    order = np.lexsort((seen.error, cell))
    _, first, count = np.unique(cell[order], return_index=True, return_counts=True)
    median = order[first + count // 2]
    share = np.clip(math.pi / 2 / count, 1 / 16, 1)  # of the variance of a mean; errors have more
    return Observations(
        seen.place[median],
        seen.features[median],
        seen.error[median],
        seen.noise[median],
        seen.edge[median],
        share,
    )


def weigh(covariance: Floats, seen: Observations) -> Floats:
    """Standard deviation (N,) of each observation, outliers among them.

    Args:
        covariance: (N, N) of the error at the observations, without noise.
        seen: them.
    """
    own = noise = seen.variances(LEVELS[0])
    for number in range(ROUNDS):
        noise = _leave_one_out(covariance, seen.error, own, noise)[1]
        if number == 0 and np.isnan(seen.noise).any():
            own = seen.variances(_level(covariance, seen, noise))
    return np.sqrt(noise)


def _level(covariance: Floats, seen: Observations, noise: Floats) -> float:
    """Of ``LEVELS`` that under which some of the observations predict each other best."""
    some = np.lexsort(seen.place.T)[:: math.ceil(len(noise) / JUDGES)]  # in whatever order given
    part, error, excess = (
        covariance[np.ix_(some, some)],
        seen.error[some],
        noise - seen.variances(LEVELS[0]),
    )

    def score(level: float) -> float:
        own = seen.variances(level)
        return _leave_one_out(part, error, own[some], (own + excess)[some])[0]

    return max(LEVELS, key=score)


def _leave_one_out(
    covariance: Floats, error: Floats, own: Floats, noise: Floats
) -> tuple[float, Floats]:
    """How well observations are predicted by the others, and what each of them counts then.

    An outlier is off by ``OUTLIER_SD``, or by as much as it is seen to be: one that is far off
    says nothing.

    Args:
        covariance: (N, N) of the error, without noise.
        error: (N,) as observed.
        own: (N,) variance of each that is no outlier.
        noise: (N,) variance of each, as far as is known which are outliers.

    Returns:
        Sum of ln likelihood, and the variance (N,) whose inverse is what is expected of the inverse
        of an outlier's or its own.
    """
    inverse = np.linalg.inv(covariance + np.diag(noise))
    variance = 1 / np.diag(inverse)
    miss = (inverse @ error) * variance
    around = np.maximum(variance - noise, 0)
    wrong = own + np.maximum(OUTLIER_SD**2, miss**2)
    fits = (1 - OUTLIERS) * _normal(miss, around + own)
    total = fits + OUTLIERS * _normal(miss, around + wrong)
    inlier = fits / total
    return float(np.log(total).sum()), 1 / (inlier / own + (1 - inlier) / wrong)


def _normal(value: Floats, variance: Floats) -> Floats:
    """Density of a normal distribution around 0."""
    density: Floats = np.exp(-0.5 * value**2 / variance) / np.sqrt(2 * math.pi * variance)
    return density
