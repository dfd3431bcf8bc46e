"""Fit the prior of a network's errors on images whose depth is known."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from fastdepth.anchors.covariance import covariance
from fastdepth.anchors.grid import Grid
from fastdepth.anchors.observe import FLOOR, Observations, observe
from fastdepth.anchors.points import DistancePoints
from fastdepth.anchors.prior import DEFAULT, AnchorPrior
from fastdepth.errors import DataError
from fastdepth.preprocess import resize_nearest
from fastdepth.size import Size

PER_IMAGE = 64
"""Pixels of an image that are looked at; 16 do not tell what colour is worth."""

DRAWS = 2
"""Times that so many are drawn of an image, each by itself."""

FEWEST = 8
"""Images below which a prior would be one room's."""

ONES = AnchorPrior(length=1, log_length=1, colour_length=1)
"""Under which features are in their own units."""

FINEST = 0.03
"""Relative step at which the search ends."""

Floats = NDArray[np.float64]
Map = NDArray[np.float32]
Image = NDArray[np.uint8]


def fit_prior(images: Iterable[tuple[Image, Map, Map]], seed: int = 0) -> AnchorPrior:
    """The prior under which the errors of predicted depth are most likely.

    By marginal likelihood (Rasmussen & Williams, "Gaussian processes for machine learning", 2006,
    5.4.1), at random pixels of each image. On images that the network was trained on it would
    come out too sure; give others.

    Args:
        images: each (., ., 3) uint8 RGB, with predicted depth (H, W) and true depth (h, w), both
            float32 [m]; where the truth is 0 nothing is known.
        seed: of the choice of pixels.

    Raises:
        DataError: there are too few images with depth.
    """
    generator = np.random.default_rng(seed)
    drawn = (_samples(*each, generator) for each in images)
    usable = [each for each in drawn if each]
    if len(usable) < FEWEST:
        few = f"{len(usable)} images with depth are too few to fit a prior"
        raise DataError(f"{few}; give {FEWEST} or more")

    def cost(logs: Floats) -> float:
        prior = _prior(logs)
        return -sum(_log_likelihood(sample, prior) for each in usable for sample in each)

    return _prior(_search(cost, np.log(list(asdict(DEFAULT).values()))))


def _prior(logs: Floats) -> AnchorPrior:
    """The prior of the logarithms of its numbers, kept within what they may be."""
    numbers = [float(f"{value:.3g}") for value in np.exp(logs)]
    scale, local = (min(max(value, 1e-3), 3.0) for value in numbers[:2])
    lengths = (min(max(value, 1e-3), 1e3) for value in numbers[2:])
    return AnchorPrior(scale, local, *lengths)


def _samples(
    image: Image, predicted: Map, truth: Map, generator: np.random.Generator
) -> list[Observations]:
    """Random pixels of known depth, as points; none where there are too few."""
    size = Size(*predicted.shape)
    known = resize_nearest(truth, size)
    places = np.argwhere(np.isfinite(known) & (known > 0))
    if len(places) < PER_IMAGE:
        return []
    grid = Grid.over(size)
    colours = grid.colours(image)

    def draw() -> Observations:
        some = places[generator.choice(len(places), PER_IMAGE, replace=False)]
        depth = known[some[:, 0], some[:, 1]]
        points = DistancePoints.of(np.column_stack([some, depth]), size)
        return observe(predicted, points, colours, grid, ONES)

    return [draw() for _ in range(DRAWS)]


def _log_likelihood(seen: Observations, prior: AnchorPrior) -> float:
    """ln of the density of the errors of an image."""
    lengths = np.array([prior.length] * 2 + [prior.log_length] + [prior.colour_length] * 3)
    pixels = seen.features / lengths
    noise = np.diag(seen.edge**2 + FLOOR**2)
    factor = np.linalg.cholesky(covariance(pixels, pixels, prior) + noise)
    whitened = np.linalg.solve(factor, seen.error)
    return -0.5 * float(whitened @ whitened) - float(np.log(np.diag(factor)).sum())


def _search(cost: Callable[[Floats], float], start: Floats) -> Floats:
    """Where a cost of (K,) is least, by compass search: one number up or down, smaller steps."""
    best, least, step = start, cost(start), 0.4
    while step > FINEST:
        around = [best + way * step * unit for unit in np.eye(len(start)) for way in (-1, 1)]
        costs = [cost(each) for each in around]
        nearest = int(np.argmin(costs))
        if costs[nearest] < least:
            best, least = around[nearest], costs[nearest]
        else:
            step /= 2
    return best
