"""Protocols: which pixels of an image count, and how predictions are brought to them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from fastdepth.errors import UsageError, look_up
from fastdepth.metrics.alignments import ALIGNMENTS, DEFAULT_ALIGNMENT, Alignment

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]

_UNALIGNED = ALIGNMENTS[DEFAULT_ALIGNMENT]


@dataclass(frozen=True)
class Protocol:
    """Rules by which predictions are compared with the truth.

    Attributes:
        name: its name in ``PROTOCOLS``.
        crop: first row, end row, first column, end column of the pixels that count, in an image
            of 480x640 and in proportion in others; None for all.
        truth_range: [m]; a pixel counts where the truth lies strictly between.
        clip: [m]; predictions are clipped to it.
        worst: [m]; a prediction that is no finite number is replaced by the end of this range
            that is farther in ratio from the truth.
        flip: what published figures do about the mirrored image.
        view: compare in the 224x224 view of the image that FastDepth sees.
        averaging: what the mean is taken over.
    """

    name: str
    crop: tuple[int, int, int, int] | None
    truth_range: tuple[float, float]
    clip: tuple[float, float]
    worst: tuple[float, float]
    flip: str
    view: bool = False
    averaging: str = "per image, then over images"

    def describe(self, flip: bool = False, alignment: Alignment = _UNALIGNED) -> str:
        """One line to print with every figure; ``flip``: the mirrored image was used too."""
        crop = "rows {}:{}, columns {}:{} of 480x640".format(*self.crop) if self.crop else "none"
        if self.view:
            crop = "centre 228x304 of 250x333, resized to 224x224"
        low, high = self.truth_range
        span = f"{low:g} < g < {high:g} m" if high < math.inf else f"g > {low:g} m"
        used = "mean of image and mirror" if flip else "no"
        return (
            f"protocol {self.name}; alignment {alignment.describe()}; crop {crop}; range {span}; "
            f"flip {used} (published: {self.flip}); averaging {self.averaging}"
        )

    def valid(self, truth: Array) -> Mask:
        """Pixels that count: (H, W) bool from the truth (H, W) [m] alone, never the prediction."""
        low, high = self.truth_range
        mask = np.zeros(truth.shape, bool)
        mask[self._window(*truth.shape)] = True
        return mask & (truth > low) & (truth < high)  # NaN and infinity are between no limits

    def at_truth(self, prediction: Array, truth: Array) -> tuple[Array, Array]:
        """A prediction (h, w) at the size of its truth (H, W), and both as the protocol sees them.

        Raises:
            UsageError: an image too narrow for the protocol's view.
        """
        truth = truth.astype(np.float64)
        prediction = _bilinear(prediction.astype(np.float64), *truth.shape)
        if self.view:
            return _fastdepth_view(prediction), _fastdepth_view(truth)
        return prediction, truth

    def _window(self, height: int, width: int) -> tuple[slice, slice]:
        """The crop in an image of this size: the pixels whose centres lie inside."""
        top, bottom, left, right = self.crop or (0, 480, 0, 640)
        rows = (math.ceil(edge * height / 480 - 0.5) for edge in (top, bottom))
        columns = (math.ceil(edge * width / 640 - 0.5) for edge in (left, right))
        return slice(*rows), slice(*columns)


_KINECT = (1e-3, 10.0)

PROTOCOLS: Mapping[str, Protocol] = MappingProxyType(
    {
        protocol.name: protocol
        for protocol in (
            Protocol(
                "eigen", (45, 471, 41, 601), _KINECT, _KINECT, _KINECT, "mean of image and mirror"
            ),
            Protocol(
                "densedepth",
                (20, 460, 24, 616),
                (0.1, 10.0),
                (0.1, 10.0),
                (0.1, 10.0),
                "DenseDepth mean of image and mirror, GuideDepth with and without",
            ),
            # Predictions count as they are; only zero and less, which have no ratio, become 1 mm.
            Protocol(
                "fastdepth", None, (0.0, math.inf), (1e-3, math.inf), _KINECT, "no", view=True
            ),
        )
    }
)
"""``eigen``: AdaBins, BTS, NeWCRFs, ZoeDepth. ``densedepth``: DenseDepth, GuideDepth.
``fastdepth``: FastDepth. Figures of different protocols cannot be compared."""

DEFAULT_PROTOCOL = "eigen"


def get_protocol(name: str) -> Protocol:
    """Look a protocol up.

    Raises:
        UnknownNameError: there is none of that name; the message lists all.
    """
    return look_up("protocol", name, PROTOCOLS)


def _bilinear(values: Array, height: int, width: int) -> Array:
    """Resize (h, w) to (height, width), pixel centres at half (``align_corners=False``).

    NaN and infinity spread to the pixels that they have a part in.
    """
    for length in (height, width):  # rows, then columns as rows of the transpose
        count = len(values)
        if count != length:
            at = np.clip((np.arange(length) + 0.5) * count / length - 0.5, 0, count - 1)
            below = at.astype(int)
            above = np.minimum(below + 1, count - 1)
            part = (at - below)[:, None]
            with np.errstate(invalid="ignore"):
                values = values[below] * (1 - part) + values[above] * part
        values = values.T
    return values


def _fastdepth_view(values: Array) -> Array:
    """Height to 250, centre 228x304, then 224x224; nearest pixels, so that no depths are mixed.

    As FastDepth's evaluation does (Wofk et al., ICRA 2019).
    """
    width = values.shape[1] * 250 // values.shape[0]
    if width < 304:
        raise UsageError("protocol fastdepth needs images of at least 4:3; choose eigen")
    small = _nearest(values, 250, width)
    top, left = round((250 - 228) / 2), round((width - 304) / 2)
    return _nearest(small[top : top + 228, left : left + 304], 224, 224)


def _nearest(values: Array, height: int, width: int) -> Array:
    """Resize (h, w) to (height, width) by taking the pixel under each new centre."""
    rows = ((np.arange(height) + 0.5) * values.shape[0] / height).astype(int)
    columns = ((np.arange(width) + 0.5) * values.shape[1] / width).astype(int)
    return values[np.ix_(rows, columns)]
