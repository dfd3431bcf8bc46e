"""Bring a head's answers to scale on scenes that the network has not seen: split conformal.

Angelopoulos, Bates, "A Gentle Introduction to Conformal Prediction and Distribution-Free
Uncertainty Quantification", 2021. The score of a pixel is its |error| of ln depth by the standard
deviation that the head tells; the factor of a coverage is that quantile of the scores. Images count
alike. Were scenes to, which are few and of one image to dozens, the smallest would decide: on
scenes left out intervals for 90 % then held 92 %, not 90 %.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from fastdepth.errors import DataError
from fastdepth.metadata import IntervalFactors
from fastdepth.models.uncertainty import UncertaintyHead
from fastdepth.train.uncertainty.pixels import Pixels

COVERAGES = (0.5, 0.8, 0.9, 0.95)
LEAST = 1e-12  # mean square: of a network without errors

Array = NDArray[np.floating]


@torch.inference_mode()
def spread(head: UncertaintyHead, pixels: Pixels) -> Array:
    """Standard deviation (N, n) of ln depth that a head tells at pixels."""
    told: Array = head.logs(pixels.cues)[:, 0, :, 0].double().exp().numpy()
    return told


@torch.no_grad()
def scale(head: UncertaintyHead, pixels: Pixels) -> None:
    """Let the root mean square of error by standard deviation be 1; changes the head in place."""
    logs = head.unbounded(pixels.cues)[:, 0, :, 0].double()
    square = (pixels.error.double() / logs.exp()).square().mean().clamp(min=LEAST)
    assert head.out.bias is not None
    head.out.bias.add_(math.log(float(square)) / 2)


def calibrate(told: Array, pixels: Pixels) -> IntervalFactors:
    """Factors of intervals by their coverage, from what a head told at pixels.

    Raises:
        DataError: the errors are too few or too alike to tell coverages apart.
    """
    scores = np.abs(pixels.error.double().numpy()) / told
    factors = np.quantile(scores, COVERAGES).round(4)
    if factors[0] <= 0 or (np.diff(factors) <= 0).any():
        raise DataError("the errors on the validation split are too alike; give other --data")
    return IntervalFactors(COVERAGES, tuple(factors.tolist()))


def held_out_factors(told: Array, pixels: Pixels) -> list[IntervalFactors]:
    """Factors for each image, from the images of all other scenes; with one scene, from itself."""
    scenes = np.array(pixels.scenes)
    by_scene = {}
    for scene in set(pixels.scenes):
        others = np.flatnonzero(scenes != scene)
        others = others if len(others) else np.arange(len(scenes))
        by_scene[scene] = calibrate(told[others], pixels.at(torch.from_numpy(others)))
    return [by_scene[scene] for scene in pixels.scenes]
