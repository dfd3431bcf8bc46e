"""Fits of a prediction to the truth of its image, before it is scored.

Networks that answer with relative depth can be scored no other way, and many publications score
metric ones so too. Such a figure has seen the truth: it compares with figures under the same
alignment alone. With prediction p and truth g [m] over the pixels that count, s and t fitted anew
for each image::

    none              p                        median            s p, s = median g / median p
    affine            s p + t                  log-affine        exp(s ln p + t)
    affine-disparity  1 / (s / p + t)

All but the median by least squares, in closed form in float64, in the space that the fit is linear
in: depth, its logarithm, its inverse. s may be negative. Where nothing tells s, in a flat
prediction or at a single pixel, s is 0 and all of the image is the truth's mean in that space.

Order: fit first, then the protocol's clip. What the fit takes out of the range comes back to its
end by that: an inverse depth of zero and less to the far end, as in MiDaS, a depth of zero and less
to the near end. A prediction that is no finite number takes no part in a fit and stays a counted
miss. One of zero and less has neither median scale, logarithm nor inverse, so that it takes no part
in those and stays at the near end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from fastdepth.errors import look_up

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]

Fit = Callable[[Array, Array, Mask, float], Array]
"""From prediction (n,), truth (n,) [m], the pixels (n,) to fit on, at least one, and the greatest
depth [m], to the aligned prediction (n,) [m]."""

FARTHEST = 10.0
"""Greatest depth [m] of indoor data sets."""


@dataclass(frozen=True)
class Alignment:
    """What is fitted to the truth of each image; called, it fits.

    Attributes:
        name: its name in ``ALIGNMENTS``.
        summary: what is fitted, in words for captions; empty where nothing is.
        source: who introduced it, or prints figures under it.
        fit: the fit, of finite predictions; None leaves them as they are.
        positive: whether it is of predictions above zero alone.
    """

    name: str
    summary: str
    source: str
    fit: Fit | None = None
    positive: bool = False

    def __call__(
        self, prediction: Array, truth: Array, valid: Mask, farthest: float = FARTHEST
    ) -> Array:
        """Align the prediction of an image.

        Args:
            prediction: float, of any shape; [m] unless the alignment knows neither scale nor shift.
            truth: the same shape [m]; anything where not valid.
            valid: the same shape, the pixels that count, where truth is above zero.
            farthest: greatest depth [m], where a fitted logarithm or inverse leads beyond it.

        Returns:
            The same shape, float64 [m], not clipped; as it was where the prediction is no finite
            number, or is zero and less while the alignment is of positive ones, and everywhere
            where no pixel is left to fit on.
        """
        aligned = prediction.astype(np.float64)
        if self.fit is None:
            return aligned
        known = np.isfinite(aligned)
        if self.positive:
            known &= aligned > 0
        if (known & valid).any():
            given = aligned[known]
            aligned[known] = self.fit(
                given, truth[known].astype(np.float64), valid[known], farthest
            )
        return aligned

    def describe(self) -> str:
        """Its name, and what is fitted after whom, in one line without a semicolon."""
        how = f" ({self.summary}, fitted to each image's truth, {self.source})"
        return self.name + how * bool(self.summary)


def _line(x: Array, y: Array, valid: Mask) -> Array:
    """The line through ``y`` over ``x`` by least squares over the valid pixels, at all ``x``."""
    fitted, wanted = x[valid], y[valid]
    mean = fitted.mean()
    centred = fitted - mean
    spread = float(np.mean(centred**2))
    scale = float(np.mean(centred * (wanted - wanted.mean()))) / spread if spread else 0.0
    line: Array = scale * (x - mean) + wanted.mean()
    return line


def _at(function: Callable[[Array], Array], truth: Array, valid: Mask) -> Array:
    """A function of the truth where it is valid, and so above zero; 0 elsewhere."""
    found = np.zeros_like(truth)
    found[valid] = function(truth[valid])
    return found


def _median(p: Array, g: Array, valid: Mask, farthest: float) -> Array:
    scaled: Array = p * (np.median(g[valid]) / np.median(p[valid]))
    return scaled


def _affine(p: Array, g: Array, valid: Mask, farthest: float) -> Array:
    return _line(p, g, valid)


def _log_affine(p: Array, g: Array, valid: Mask, farthest: float) -> Array:
    logs = _line(np.log(p), _at(np.log, g, valid), valid)
    depth: Array = np.exp(np.minimum(logs, math.log(farthest)))
    return depth


def _disparity(p: Array, g: Array, valid: Mask, farthest: float) -> Array:
    inverse = _line(p, _at(np.reciprocal, g, valid), valid)
    depth: Array = 1 / np.maximum(inverse, 1 / farthest)
    return depth


def _affine_disparity(p: Array, g: Array, valid: Mask, farthest: float) -> Array:
    return _disparity(1 / p, g, valid, farthest)


DEFAULT_ALIGNMENT = "none"

ALIGNMENTS: Mapping[str, Alignment] = MappingProxyType(
    {
        alignment.name: alignment
        for alignment in (
            Alignment(DEFAULT_ALIGNMENT, "", ""),
            Alignment(
                "median", "scale by the medians", "Zhou et al., CVPR 2017", _median, positive=True
            ),
            Alignment("affine", "scale and shift of depth", "Ke et al., CVPR 2024", _affine),
            Alignment(
                "log-affine",
                "scale and shift of log depth",
                "as Ultralytics YOLO26 and GTR print it",
                _log_affine,
                positive=True,
            ),
            Alignment(
                "affine-disparity",
                "scale and shift of inverse depth",
                "Ranftl et al., TPAMI 2020",
                _affine_disparity,
                positive=True,
            ),
        )
    }
)
"""All by name. ``none``: metres as they are. ``median``: SfM-Learner. ``affine``: Marigold.
``affine-disparity``: MiDaS. One entry more is one ``--align`` more."""

OF_DISPARITY = replace(ALIGNMENTS["affine-disparity"], fit=_disparity, positive=False)
"""That of predictions that are disparity themselves, of any unit, larger is nearer: the one way to
score them."""


def get_alignment(name: str, *, disparity: bool = False) -> Alignment:
    """Look an alignment up.

    Args:
        name: a name of ``ALIGNMENTS``.
        disparity: whether what it aligns is disparity.

    Raises:
        UnknownNameError: there is none of that name, or none of disparity; the message lists all.
    """
    known = {OF_DISPARITY.name: OF_DISPARITY} if disparity else ALIGNMENTS
    return look_up("alignment", name, known)
