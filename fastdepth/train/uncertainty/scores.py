"""How good an uncertainty is: whether it ranks errors, and whether intervals hold the truth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastdepth.metadata import IntervalFactors
from fastdepth.train.uncertainty.pixels import Pixels

Array = NDArray[np.floating]

KEPT = 0.7
"""Share of the pixels that are kept, the surest, for ``d1_kept``."""

COVERAGE = 0.9
LEAST = 0.8  # of the pixels of an image that its interval is to hold

STEPS = 50  # of the curve of AUSE


@dataclass(frozen=True)
class UncertaintyScores:
    """Scores over the pixels of images; of those with two parts the first is over all pixels.

    Attributes:
        covered: share of the pixels in the interval for ``COVERAGE``.
        images: share of the images with at least ``LEAST`` of their pixels in it.
        spearman: rank correlation of the standard deviation [m] and |error| [m] ...
        spearman_image: ... and its mean over images.
        d1: share of pixels within 1.25 of the truth, all of them ...
        d1_kept: ... of the ``KEPT`` with the least standard deviation of ln depth ...
        d1_kept_image: ... and of those of each image, on the average.
        ause: area between the curves of the mean |error| of ln depth [-] that is left as pixels are
            taken away, the least sure first, and as they are by their true error (Ilg et al., ECCV
            2018).
    """

    covered: float
    images: float
    spearman: float
    spearman_image: float
    d1: float
    d1_kept: float
    d1_kept_image: float
    ause: float


def score(told: Array, pixels: Pixels, factors: Sequence[IntervalFactors]) -> UncertaintyScores:
    """Scores of what was told at pixels.

    Args:
        told: (N, n), standard deviation of ln depth.
        pixels: n of N images.
        factors: for each image.
    """
    error, logs = pixels.error.double().numpy(), pixels.logs.double().numpy()
    metres, wrong = np.exp(logs) * told, np.abs(np.exp(logs) - np.exp(logs - error))
    good = np.abs(error) < math.log(1.25)
    half = np.array([of.at(COVERAGE) for of in factors])[:, None] * told
    held = (np.abs(error) <= half).mean(axis=1)
    pairs = list(zip(metres, wrong, strict=True))
    return UncertaintyScores(
        covered=float(held.mean()),
        images=float((held >= LEAST).mean()),
        spearman=spearman(metres.ravel(), wrong.ravel()),
        spearman_image=float(np.mean([spearman(*pair) for pair in pairs])),
        d1=float(good.mean()),
        d1_kept=_surest(told.ravel(), good.ravel()),
        d1_kept_image=float(np.mean([_surest(*pair) for pair in zip(told, good, strict=True)])),
        ause=ause(told.ravel(), np.abs(error).ravel()),
    )


def spearman(first: Array, second: Array) -> float:
    """Rank correlation of two lists, equal values with their mean rank; 0 where one is constant."""
    one, other = _ranks(first), _ranks(second)
    if not (one.std() and other.std()):
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def _ranks(values: Array) -> Array:
    _, index, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    middles: Array = (ends - counts / 2)[index]
    return middles


def ause(told: Array, error: Array) -> float:
    """Area under the sparsification error: see :class:`UncertaintyScores`; 0 is best."""
    shares = np.linspace(0.02, 1, STEPS)
    counts = np.maximum(1, (shares * error.size).astype(int)) - 1
    steps = np.arange(1, error.size + 1)
    own, best = (
        (np.cumsum(error[np.argsort(by, kind="stable")]) / steps)[counts] for by in (told, error)
    )
    return float((own - best).mean())


def _surest(told: Array, good: NDArray[np.bool_]) -> float:
    kept = np.argsort(told, kind="stable")[: max(1, round(KEPT * told.size))]
    return float(good[kept].mean())
