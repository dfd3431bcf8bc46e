"""Where distances are known: kinds of points, drawn from the truth of an image and its noise."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from fastdepth.anchors.points import DistancePoints
from fastdepth.camera import Intrinsics
from fastdepth.data import Sample
from fastdepth.size import Size

Mask = NDArray[np.bool_]
Draw = Callable[[Generator, Sample, Mask, float], DistancePoints]
"""From a generator, an image with depth, the pixels whose depth counts, and the noise of a distance
as a share of it, to points."""

MOST = 4096
"""Random points of an image."""

CLUSTERED, CLUSTER = 16, 1 / 5
"""Number of clustered points, and the side of the square that holds them [image widths]."""

CORNERS, QUALITY, APART = 64, 0.01, 10
"""Of OpenCV's ``goodFeaturesToTrack``: number, quality level, least distance [px]."""

ZONES, FIELD_OF_VIEW = 8, 45.0
"""Zones along a side of the simulated ToF sensor, and the angle between opposite sides [deg]."""

REACH, TOF_NOISE = 3.5, 0.04
"""Farthest distance of the sensor [m], and the noise of a zone as a share of its distance."""


@dataclass(frozen=True)
class Kind:
    """One way in which distances are known.

    Attributes:
        name: in JSON and tables.
        draw: makes points of an image.
        number: of random points; None of the other kinds.
    """

    name: str
    draw: Draw
    number: int | None = None


def kinds(numbers: Iterable[int]) -> list[Kind]:
    """All of them, random points in these numbers first."""
    return [*(Kind(f"{n} random", partial(_random, n), n) for n in numbers), *OTHERS]


def _random(
    count: int, generator: Generator, sample: Sample, valid: Mask, noise: float
) -> DistancePoints:
    """So many pixels, all equally likely; all there are where there are fewer."""
    where = np.flatnonzero(valid)
    return _known(generator, sample, _some(generator, where, count), noise)


def _clustered(generator: Generator, sample: Sample, valid: Mask, noise: float) -> DistancePoints:
    """Random pixels of a square around a random one."""
    half = round(CLUSTER * valid.shape[1] / 2)
    near = np.zeros_like(valid)
    for middle in _some(generator, np.flatnonzero(valid), 1):  # none where nothing counts
        row, column = divmod(int(middle), valid.shape[1])
        square = np.s_[max(0, row - half) : row + half, max(0, column - half) : column + half]
        near[square] = valid[square]
    return _random(CLUSTERED, generator, sample, near, noise)


def _corners(generator: Generator, sample: Sample, valid: Mask, noise: float) -> DistancePoints:
    """What a SLAM system follows: corners of the image."""
    grey = cv2.cvtColor(np.ascontiguousarray(sample.image), cv2.COLOR_RGB2GRAY)
    grey = cv2.resize(grey, valid.shape[::-1])  # an image may be larger than its depth
    found = cv2.goodFeaturesToTrack(grey, CORNERS, QUALITY, APART, mask=valid.astype(np.uint8))
    places = np.zeros((0, 2)) if found is None else np.rint(found.reshape(-1, 2))
    columns, rows = places.astype(np.intp).T
    return _known(generator, sample, rows * valid.shape[1] + columns, noise)


def _tape(generator: Generator, sample: Sample, valid: Mask, noise: float) -> DistancePoints:
    """One distance, to something in the middle third of the image."""
    middle = np.zeros_like(valid)
    height, width = valid.shape
    middle[height // 3 : -(height // 3), width // 3 : -(width // 3)] = True
    return _random(1, generator, sample, valid & middle, noise)


def _tof(generator: Generator, sample: Sample, valid: Mask, noise: float) -> DistancePoints:
    """A sensor of 8x8 zones beside the camera; each gives the mean of what is in it.

    Zones of which less than half counts, and those beyond ``REACH``, give nothing.
    """
    size = Size(*valid.shape)
    camera = Intrinsics.training_camera(size)
    half = camera.fx * math.tan(math.radians(FIELD_OF_VIEW / 2))
    along = half * np.linspace(-1, 1, ZONES + 1) + 0.5
    rows = np.clip(np.rint(camera.cy + along), 0, size.height).astype(int)
    columns = np.clip(np.rint(camera.cx + along), 0, size.width).astype(int)
    zones = np.zeros((ZONES, ZONES))
    for row, column in np.ndindex(zones.shape):
        zone = np.s_[rows[row] : rows[row + 1], columns[column] : columns[column + 1]]
        known = valid[zone]
        if 2 * np.count_nonzero(known) > known.size:
            zones[row, column] = sample.depth[zone][known].mean()
    zones *= np.exp(TOF_NOISE * generator.standard_normal(zones.shape))
    return DistancePoints.from_tof(
        zones, size, field_of_view=FIELD_OF_VIEW, reach=(0.0, REACH), noise=TOF_NOISE
    )


AT_CORNERS = Kind("corners", _corners)

OTHERS = (
    Kind("tape measure", _tape),
    Kind("8x8 ToF", _tof),
    Kind(f"{CLUSTERED} clustered", _clustered),
    AT_CORNERS,
)
"""Kinds that are no random points. One entry more is one line more in every table."""

MEANING = (
    f"Tape measure: one distance in the middle third. 8x8 ToF: zones of a sensor of "
    f"{FIELD_OF_VIEW:g} degrees, to {REACH:g} m, with {100 * TOF_NOISE:g} % noise. Clustered: in "
    f"a square of a fifth of the width. Corners: at most {CORNERS} of goodFeaturesToTrack."
)
"""What the names of kinds do not say."""


def _some(generator: Generator, where: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """So many of these, none twice."""
    return generator.choice(where, min(count, len(where)), replace=False)


def _known(
    generator: Generator, sample: Sample, where: NDArray[np.intp], noise: float
) -> DistancePoints:
    """Points at these pixels, by number, whose noise nobody tells the estimator."""
    rows, columns = np.divmod(where, sample.depth.shape[1])
    depth = sample.depth[rows, columns] * np.exp(noise * generator.standard_normal(len(where)))
    return DistancePoints.of(np.stack([rows, columns, depth], axis=1))
