"""Covariance of a network's error at two sets of places in an image."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fastdepth.anchors.prior import AnchorPrior

Number = TypeVar("Number", np.float32, np.float64)


def covariance(
    place: NDArray[Number],
    log: NDArray[Number],
    other_place: NDArray[Number],
    other_log: NDArray[Number],
    prior: AnchorPrior,
) -> NDArray[Number]:
    """Covariance (M, N) of ln(true depth) - ln(predicted depth).

    Args:
        place: (M, 2) row and column [longer sides of the image].
        log: (M,) ln of predicted depth.
        other_place: (N, 2), as ``place``.
        other_log: (N,), as ``log``.
        prior: whose covariance it is.
    """
    squares = (place**2).sum(axis=1)[:, None] + (other_place**2).sum(axis=1)
    squares -= 2 * (place @ other_place.T)  # |a - b|^2 without an array of (M, N, 2)
    np.maximum(squares, 0, out=squares)
    exponent = np.sqrt(squares, out=squares)
    exponent *= -1 / prior.length
    apart = np.subtract.outer(log, other_log)
    np.abs(apart, out=apart)
    apart *= 1 / prior.log_length
    exponent -= apart
    shared: NDArray[Number] = np.exp(exponent, out=exponent)
    shared *= prior.local_sd**2
    shared += prior.scale_sd**2
    return shared
