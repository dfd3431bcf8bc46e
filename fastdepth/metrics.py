"""How accurate a depth map is, under a protocol that is named with every figure.

With prediction p and truth g [m] over the valid pixels, and e = ln p - ln g::

    d_k      share of pixels with max(p / g, g / p) < 1.25^k
    abs_rel  mean |p - g| / g             sq_rel    mean (p - g)^2 / g
    mae      mean |p - g|                 mse       mean (p - g)^2
    rmse     sqrt(mse)                    rmse_log  sqrt(mean e^2)
    log10    mean |log10 p - log10 g|     silog     100 sqrt(mean e^2 - (mean e)^2)

After Eigen, Puhrsch, Fergus, "Depth map prediction from a single image using a multi-scale deep
network", NeurIPS 2014; ``silog`` as KITTI prints it. Nothing is scaled to the truth's median:
these are metric networks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from fastdepth.errors import DataError, UsageError, look_up

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]


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

    def describe(self, flip: bool = False) -> str:
        """One line to print with every figure; ``flip``: the mirrored image was used too."""
        crop = "rows {}:{}, columns {}:{} of 480x640".format(*self.crop) if self.crop else "none"
        if self.view:
            crop = "centre 228x304 of 250x333, resized to 224x224"
        low, high = self.truth_range
        span = f"{low:g} < g < {high:g} m" if high < math.inf else f"g > {low:g} m"
        used = "mean of image and mirror" if flip else "no"
        return (
            f"protocol {self.name}; crop {crop}; range {span}; "
            f"flip {used} (published: {self.flip}); averaging {self.averaging}"
        )

    def valid(self, truth: Array) -> Mask:
        """Pixels that count: (H, W) bool from the truth (H, W) [m] alone, never the prediction."""
        low, high = self.truth_range
        mask = np.zeros(truth.shape, bool)
        mask[self._window(*truth.shape)] = True
        return mask & (truth > low) & (truth < high)  # NaN and infinity are between no limits

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


@dataclass(frozen=True)
class Compared:
    """Prediction and truth over the valid pixels of an image, and what formulas share.

    Attributes:
        prediction: (n,) [m], finite and clipped.
        truth: (n,) [m].
    """

    prediction: Array
    truth: Array

    @cached_property
    def ratio(self) -> Array:
        """(n,), the larger of p / g and g / p."""
        return np.maximum(self.prediction / self.truth, self.truth / self.prediction)

    @cached_property
    def error(self) -> Array:
        """(n,) p - g [m]."""
        return self.prediction - self.truth

    @cached_property
    def logs(self) -> Array:
        """(n,) ln p - ln g."""
        return np.log(self.prediction) - np.log(self.truth)

    @cached_property
    def mse(self) -> float:
        """Mean of the squared error [m^2]."""
        return float(np.mean(self.error**2))


@dataclass(frozen=True)
class Metric:
    """A figure of accuracy.

    Attributes:
        name: its key in JSON.
        heading: the field's name of it, for tables.
        unit: of the figure; empty of a ratio.
        digits: decimals in tables.
        higher_is_better: else less is.
        function: the figure of an image.
    """

    name: str
    heading: str
    unit: str
    digits: int
    higher_is_better: bool
    function: Callable[[Compared], float]


def _within(power: int) -> Callable[[Compared], float]:
    return lambda pixels: float(np.mean(pixels.ratio < 1.25**power))


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            Metric("d1", "d1", "", 3, True, _within(1)),
            Metric("d2", "d2", "", 3, True, _within(2)),
            Metric("d3", "d3", "", 3, True, _within(3)),
            Metric("abs_rel", "AbsRel", "", 3, False, lambda x: _mean(np.abs(x.error) / x.truth)),
            Metric("sq_rel", "SqRel", "m", 3, False, lambda x: _mean(x.error**2 / x.truth)),
            Metric("rmse", "RMSE", "m", 3, False, lambda x: math.sqrt(x.mse)),
            Metric("rmse_log", "RMSElog", "", 3, False, lambda x: math.sqrt(_mean(x.logs**2))),
            Metric("log10", "log10", "", 3, False, lambda x: _mean(np.abs(x.logs)) / math.log(10)),
            # the same as the formula, without its cancellation
            Metric("silog", "SILog", "ln/100", 2, False, lambda x: 100 * float(np.std(x.logs))),
            Metric("mae", "MAE", "m", 3, False, lambda x: _mean(np.abs(x.error))),
            Metric("mse", "MSE", "m^2", 3, False, lambda x: x.mse),
        )
    }
)
"""All that :class:`Scores` hold, in the order in which they are printed; formulas at the top of
the module. One entry more is one metric more in JSON, its schema, CSV and ``compare``."""


@dataclass(frozen=True)
class Scores:
    """Accuracy of one image, or the mean over images; each metric is an attribute too.

    Attributes:
        values: by the names of ``METRICS``.
        pixels: valid ones; over several images their sum.
        nonfinite: those of them at which the prediction was NaN or infinite; likewise.
    """

    values: Mapping[str, float]
    pixels: int
    nonfinite: int

    def __getattr__(self, name: str) -> float:
        if name in METRICS:
            return self.values[name]
        raise AttributeError(f"scores have no {name}; they have {', '.join(METRICS)}")

    def as_dict(self) -> dict[str, float]:
        """All by name in the order of ``METRICS``, then ``pixels`` and ``nonfinite``."""
        return {**self.values, "pixels": self.pixels, "nonfinite": self.nonfinite}


class Evaluation:
    """Means over images, each image counting the same.

    Attributes:
        protocol: the rules.
        images: number of images scored.
        skipped: number of images without a valid pixel, which are not scored.
    """

    def __init__(self, protocol: Protocol = PROTOCOLS[DEFAULT_PROTOCOL]) -> None:
        """Start with no image."""
        self.protocol = protocol
        self.images = 0
        self.skipped = 0
        self._sums = dict.fromkeys(METRICS, 0.0)
        self._pixels = self._nonfinite = 0

    def add(self, prediction: Array, truth: Array) -> Scores | None:
        """Score one image as :func:`evaluate_image` does and count it in."""
        scores = evaluate_image(prediction, truth, self.protocol)
        if scores is None:
            self.skipped += 1
            return None
        self.images += 1
        for name, value in scores.values.items():
            self._sums[name] += value
        self._pixels += scores.pixels
        self._nonfinite += scores.nonfinite
        return scores

    def scores(self) -> Scores:
        """Means so far; ``pixels`` and ``nonfinite`` are sums.

        Raises:
            DataError: no image with a valid pixel was added.
        """
        if not self.images:
            raise DataError(
                f"none of {self.skipped} images has a pixel that counts under protocol "
                f"{self.protocol.name}; check the depth's unit and range"
            )
        means = {name: value / self.images for name, value in self._sums.items()}
        return Scores(means, self._pixels, self._nonfinite)


def evaluate_image(
    prediction: Array, truth: Array, protocol: Protocol = PROTOCOLS[DEFAULT_PROTOCOL]
) -> Scores | None:
    """Score one depth map.

    A prediction that is NaN or infinite counts as wrong: it takes the protocol's worst value,
    which misses d1 to d3 too.

    Args:
        prediction: (h, w) float [m] of the whole image; resized bilinearly to the truth's size.
        truth: (H, W) float [m]; 0 or NaN where nothing was measured.
        protocol: the rules.

    Returns:
        The scores, or None where no pixel is valid.

    Raises:
        UsageError: an array is not two-dimensional or is empty.
    """
    for name, array in (("prediction", prediction), ("truth", truth)):
        if array.ndim != 2 or not array.size:
            raise UsageError(f"{name} has shape {array.shape}; give a depth map (H, W)")
    truth = truth.astype(np.float64)
    prediction = _bilinear(prediction.astype(np.float64), *truth.shape)
    if protocol.view:
        prediction, truth = _fastdepth_view(prediction), _fastdepth_view(truth)
    valid = protocol.valid(truth)
    if not valid.any():
        return None
    return _score(prediction[valid], truth[valid], protocol)


def _score(raw: Array, truth: Array, protocol: Protocol) -> Scores:
    """Scores over valid pixels, both (n,) [m]."""
    finite = np.isfinite(raw)
    low, high = protocol.worst
    worst = np.where(truth / low > high / truth, low, high)
    prediction = np.where(finite, np.clip(raw, *protocol.clip), worst)
    pixels = Compared(prediction, truth)
    return Scores(
        {name: metric.function(pixels) for name, metric in METRICS.items()},
        pixels=int(truth.size),
        nonfinite=int(truth.size - np.count_nonzero(finite)),
    )


def _mean(values: Array) -> float:
    return float(np.mean(values))


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
