"""Metrics, and their means over images.

With prediction p and truth g [m] over the valid pixels, and e = ln p - ln g::

    d_k      share of pixels with max(p / g, g / p) < 1.25^k
    abs_rel  mean |p - g| / g             sq_rel    mean (p - g)^2 / g
    mae      mean |p - g|                 mse       mean (p - g)^2
    rmse     sqrt(mse)                    rmse_log  sqrt(mean e^2)
    log10    mean |log10 p - log10 g|     silog     100 sqrt(mean e^2 - (mean e)^2)

After Eigen, Puhrsch, Fergus, "Depth map prediction from a single image using a multi-scale deep
network", NeurIPS 2014; ``silog`` as KITTI prints it. Unless an alignment is asked for nothing is
fitted to the truth: these are metric networks. Metrics of edges are of whole maps and cost as much
as all these together: :mod:`fastdepth.metrics.edges` has their formulas.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastdepth.errors import DataError, UsageError
from fastdepth.metrics.alignments import ALIGNMENTS, DEFAULT_ALIGNMENT, Alignment
from fastdepth.metrics.edges import Edges
from fastdepth.metrics.protocols import DEFAULT_PROTOCOL, PROTOCOLS, Protocol

Array = NDArray[np.floating]
T = TypeVar("T")

_PROTOCOL, _UNALIGNED = PROTOCOLS[DEFAULT_PROTOCOL], ALIGNMENTS[DEFAULT_ALIGNMENT]


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
class Metric(Generic[T]):
    """A figure of accuracy, of pixels (:class:`Compared`) or of whole maps (:class:`Edges`).

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
    function: Callable[[T], float]


def _within(power: int) -> Callable[[Compared], float]:
    return lambda pixels: float(np.mean(pixels.ratio < 1.25**power))


METRICS: Mapping[str, Metric[Compared]] = MappingProxyType(
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

_OF_EDGES: tuple[Metric[Edges], ...] = (
    Metric("edge_f1", "edge F1", "", 4, True, lambda edges: edges.f1),
    Metric("dbe_accuracy", "DBE accuracy", "px", 2, False, lambda edges: edges.errors[0]),
    Metric("dbe_completeness", "DBE completeness", "px", 2, False, lambda edges: edges.errors[1]),
)

EDGE_METRICS: Mapping[str, Metric[Edges]] = MappingProxyType(
    {metric.name: metric for metric in _OF_EDGES}
)
"""What :class:`Scores` hold as well where :meth:`Evaluation.add_edges` was told of maps."""

ALL_METRICS: Mapping[str, Metric[Any]] = MappingProxyType({**METRICS, **EDGE_METRICS})
"""All that a results file may hold."""


@dataclass(frozen=True)
class Scores:
    """Accuracy of one image, or the mean over images; each metric is an attribute too.

    Attributes:
        values: by the names of ``METRICS``, and of ``EDGE_METRICS`` where they were measured.
        pixels: valid ones; over several images their sum.
        nonfinite: those of them at which the prediction was NaN or infinite; likewise.
    """

    values: Mapping[str, float]
    pixels: int
    nonfinite: int

    def __getattr__(self, name: str) -> float:
        if name != "values" and name in self.values:  # which is not there while it is unpickled
            return self.values[name]
        raise AttributeError(f"scores have no {name}; they have {', '.join(METRICS)}")

    def as_dict(self) -> dict[str, float]:
        """All by name in the order of the tables, then ``pixels`` and ``nonfinite``."""
        return {**self.values, "pixels": self.pixels, "nonfinite": self.nonfinite}


class Evaluation:
    """Means over images, each image counting the same.

    Attributes:
        protocol: the rules.
        alignment: what is fitted to the truth of each image.
        images: number of images scored.
        skipped: number of images without a valid pixel, which are not scored.
    """

    def __init__(self, protocol: Protocol = _PROTOCOL, alignment: Alignment = _UNALIGNED) -> None:
        """Start with no image."""
        self.protocol, self.alignment = protocol, alignment
        self.images = 0
        self.skipped = 0
        self._sums = dict.fromkeys(METRICS, 0.0)
        self._edges: dict[str, list[float]] = {name: [] for name in EDGE_METRICS}
        self._pixels = self._nonfinite = 0

    def add(self, prediction: Array, truth: Array) -> Scores | None:
        """Score one image as :func:`evaluate_image` does and count it in."""
        return self.add_pixels(*valid_pixels(prediction, truth, self.protocol))

    def add_pixels(self, prediction: Array, truth: Array) -> Scores | None:
        """The same, of what :func:`valid_pixels` found under the evaluation's protocol."""
        scores = _score(prediction, truth, self.protocol, self.alignment)
        if scores is None:
            self.skipped += 1
            return None
        self.images += 1
        for name, value in scores.values.items():
            self._sums[name] += value
        self._pixels += scores.pixels
        self._nonfinite += scores.nonfinite
        return scores

    def add_edges(self, prediction: Array, truth: Array) -> None:
        """Count in the boundaries of one image, aligned as a whole; see ``EDGE_METRICS``.

        An image without boundaries takes no part in their means.

        Args:
            prediction: (h, w) float [m]; resized bilinearly to the truth's size.
            truth: (H, W) float [m]; 0 or NaN where nothing was measured.

        Raises:
            UsageError: an array is not two-dimensional or is empty.
        """
        aligned = align_image(prediction, truth, self.protocol, self.alignment)
        edges = Edges(aligned, truth, self.protocol.valid(truth))
        for name, metric in EDGE_METRICS.items():
            self._edges[name].append(metric.function(edges))

    def scores(self) -> Scores:
        """Means so far; ``pixels`` and ``nonfinite`` are sums.

        Metrics of edges are there if any image with an edge was told of.

        Raises:
            DataError: no image with a valid pixel was added.
        """
        if not self.images:
            raise DataError(
                f"none of {self.skipped} images has a pixel that counts under protocol "
                f"{self.protocol.name}; check the depth's unit and range"
            )
        means = {name: value / self.images for name, value in self._sums.items()}
        for name, values in self._edges.items():
            if not np.isnan(values).all():
                means[name] = float(np.nanmean(values))
        return Scores(means, self._pixels, self._nonfinite)


def evaluate_image(
    prediction: Array,
    truth: Array,
    protocol: Protocol = _PROTOCOL,
    alignment: Alignment = _UNALIGNED,
) -> Scores | None:
    """Score one depth map.

    A prediction that is NaN or infinite counts as wrong: it takes the protocol's worst value,
    which misses d1 to d3 too.

    Args:
        prediction: (h, w) float [m] of the whole image; resized bilinearly to the truth's size.
        truth: (H, W) float [m]; 0 or NaN where nothing was measured.
        protocol: the rules.
        alignment: what is fitted to the truth first.

    Returns:
        The scores, or None where no pixel is valid.

    Raises:
        UsageError: an array is not two-dimensional or is empty.
    """
    return _score(*valid_pixels(prediction, truth, protocol), protocol, alignment)


def valid_pixels(prediction: Array, truth: Array, protocol: Protocol) -> tuple[Array, Array]:
    """Prediction and truth of one image where the protocol counts: found once for all alignments.

    Args:
        prediction: (h, w) float [m].
        truth: (H, W) float [m].
        protocol: the rules.

    Returns:
        Both (n,) float64 [m]; n is 0 where no pixel is valid.

    Raises:
        UsageError: an array is not two-dimensional or is empty.
    """
    _check_maps(prediction, truth)
    prediction, truth = protocol.at_truth(prediction, truth)
    valid = protocol.valid(truth)
    return prediction[valid], truth[valid]


def align_image(prediction: Array, truth: Array, protocol: Protocol, alignment: Alignment) -> Array:
    """One depth map as it is scored: aligned at the truth's size, and clipped.

    Args:
        prediction: (h, w) float [m].
        truth: (H, W) float [m].
        protocol: the rules; one with a view of its own is fitted over the whole image here.
        alignment: what is fitted to the truth.

    Returns:
        (H, W) float64 [m]; NaN and infinity stay.

    Raises:
        UsageError: an array is not two-dimensional or is empty.
    """
    _check_maps(prediction, truth)
    prediction, truth = replace(protocol, view=False).at_truth(prediction, truth)
    aligned = alignment(prediction, truth, protocol.valid(truth), protocol.worst[1])
    return np.where(np.isfinite(prediction), np.clip(aligned, *protocol.clip), prediction)


def _check_maps(prediction: Array, truth: Array) -> None:
    for name, array in (("prediction", prediction), ("truth", truth)):
        if array.ndim != 2 or not array.size:
            raise UsageError(f"{name} has shape {array.shape}; give a depth map (H, W)")


def _score(raw: Array, truth: Array, protocol: Protocol, alignment: Alignment) -> Scores | None:
    """Scores over valid pixels, both (n,) [m]; None where there is none."""
    if not truth.size:
        return None
    finite = np.isfinite(raw)
    aligned = alignment(raw, truth, np.ones(raw.shape, bool), protocol.worst[1])
    low, high = protocol.worst
    worst = np.where(truth / low > high / truth, low, high)
    prediction = np.where(finite, np.clip(aligned, *protocol.clip), worst)
    pixels = Compared(prediction, truth)
    return Scores(
        {name: metric.function(pixels) for name, metric in METRICS.items()},
        pixels=int(truth.size),
        nonfinite=int(truth.size - np.count_nonzero(finite)),
    )


def _mean(values: Array) -> float:
    return float(np.mean(values))
