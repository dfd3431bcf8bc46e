"""Covariance of a network's error at two sets of pixels, by what the pixels have in common."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fastdepth.anchors.prior import AnchorPrior

Number = TypeVar("Number", np.float32, np.float64)

NEAREST = 1e-6
"""Depth that no prediction is below; some networks answer 0 [m]."""


def features(
    place: NDArray[Number], depth: NDArray[Number], colour: NDArray[Number], prior: AnchorPrior
) -> NDArray[Number]:
    """(N, 6) of N pixels: place, ln of predicted depth and colour, each in lengths of the prior.

    Args:
        place: (N, 2) row and column [longer sides of the image].
        depth: (N,) predicted [m].
        colour: (N, 3) CIE L*a*b*, L* 0 to 1.
        prior: of the network.
    """
    log = np.log(np.maximum(depth, NEAREST))[:, None]
    parts = place / prior.length, log / prior.log_length, colour / prior.colour_length
    return np.concatenate(parts, axis=1).astype(place.dtype, copy=False)


def covariance(
    first: NDArray[Number], second: NDArray[Number], prior: AnchorPrior
) -> NDArray[Number]:
    """Covariance (M, N) of ln(true depth) - ln(predicted depth) at pixels of M and N features."""
    if len(second):
        middle = second.mean(axis=0)  # small numbers lose least in what follows
        first, second = first - middle, second - middle
    # |a|^2 + |b|^2 - 2 a b in one product, without an array of (M, N, 6)
    left = np.column_stack([first * -2, (first**2).sum(axis=1), np.ones_like(first[:, 0])])
    right = np.column_stack([second, np.ones_like(second[:, 0]), (second**2).sum(axis=1)])
    squares = left @ right.T
    np.maximum(squares, 0, out=squares)
    apart = np.sqrt(squares, out=squares)
    np.negative(apart, out=apart)
    shared: NDArray[Number] = np.exp(apart, out=apart)
    shared *= prior.local_sd**2
    shared += prior.scale_sd**2
    return shared
