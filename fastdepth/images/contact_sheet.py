"""Contact sheets: images, their truth, and what networks predict, each with its error."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from fastdepth.errors import UsageError
from fastdepth.images.colour import DEFAULT_RANGE, INVALID_COLOUR, bar, colourise, scale_bar, sheet
from fastdepth.preprocess import resize, resize_nearest
from fastdepth.size import Size

WIDTH = 320
"""Width of each image on the sheet [px]."""

WORST = 1.25**3
"""Ratio of the darkest error colour: beyond it a pixel counts in none of d1, d2 and d3."""

_MARGIN = 8  # [px] between rows


@dataclass(frozen=True)
class SheetRow:
    """An image on a sheet.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        truth: (h, w) float32 [m], 0 where nothing was measured; any size.
        depths: (h, w) float32 [m] each, predictions by the name of their network; any size.
        captions: what stands below the predictions, by the same names.
        caption: what stands below the image.
    """

    image: NDArray[np.uint8]
    truth: NDArray[np.float32]
    depths: Mapping[str, NDArray[np.float32]]
    captions: Mapping[str, str] = field(default_factory=dict)
    caption: str = ""


def make_sheet(rows: Sequence[SheetRow], width: int = WIDTH) -> NDArray[np.uint8]:
    """Image and truth, then of each network the prediction on the truth's scale, and its error.

    The scale of a row spans its truth, so it is the same for all networks. The error is the ratio
    max(p/g, g/p) of prediction and truth, whose thresholds 1.25, 1.25^2, 1.25^3 are those of d1,
    d2 and d3. What has no truth is neutral.

    Args:
        rows: one at least.
        width: of each image [px].

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        UsageError: no rows, or images too narrow to see.
    """
    if not rows or width < 32:
        raise UsageError(f"{len(rows)} rows {width} px wide make no sheet; give 1 or more of 32 px")
    drawn = [_draw(row, width) for row in rows]
    widest = max(row.shape[1] for row in drawn)
    return np.vstack([_on_paper(row, widest) for row in drawn])


def _draw(row: SheetRow, width: int) -> NDArray[np.uint8]:
    """One row, all columns at one size."""
    size = Size(max(1, round(width * row.image.shape[0] / row.image.shape[1])), width)
    truth = resize_nearest(row.truth, size)
    near, far = _range(truth)
    columns = [resize(row.image, size), colourise(truth, near, far)]
    titles, captions = ["image", "truth"], [row.caption, ""]
    for name, predicted in row.depths.items():
        depth = resize(predicted, size)
        ratio = _ratio(depth, truth)
        known = ratio[~np.isnan(ratio)]
        median = f", median x {np.median(known):.2f}" if known.size else ""
        columns += [scale_bar(colourise(depth, near, far), near, far), _with_bar(ratio)]
        titles += [f"{name}, same scale", f"error (ratio){median}"]
        captions += [row.captions.get(name, ""), ""]
    return sheet(columns, titles, captions if any(captions) else ())


def _with_bar(ratio: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The error in colour, with a bar that names the thresholds."""
    ticks = {f"x {1.25**k:.3g}": 1 - k / 3 for k in range(4)}
    return bar(
        _colour_error(ratio), ticks, lambda n: _colour_error(np.geomspace(WORST, 1, n)[:, None])
    )


def _range(truth: NDArray[np.float32]) -> tuple[float, float]:
    """Least and greatest measured depth [m], rounded outwards to what reads well beside a bar."""
    valid = truth[np.isfinite(truth) & (truth > 0)]
    if not valid.size:
        return DEFAULT_RANGE
    near = max(0.1, math.floor(10 * float(valid.min())) / 10)
    return near, max(near + 0.1, math.ceil(10 * float(valid.max())) / 10)


def _ratio(depth: NDArray[np.float32], truth: NDArray[np.float32]) -> NDArray[np.float32]:
    """max(p/g, g/p) per pixel; infinite where the prediction is no distance, NaN without truth."""
    answered = np.isfinite(depth) & (depth > 0)
    known = np.isfinite(truth) & (truth > 0)
    p, g = np.where(answered, depth, 1), np.where(known, truth, 1)
    ratio = np.where(answered, np.maximum(p / g, g / p), np.inf)
    return np.where(known, ratio, np.nan).astype(np.float32)


def _colour_error(ratio: NDArray[np.floating]) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB: white at ratio 1, through yellow and red to black at ``WORST``."""
    known = ~np.isnan(ratio)
    share = np.log(np.clip(np.where(known, ratio, 1), 1, WORST)) / math.log(WORST)
    mapped = cv2.applyColorMap(np.rint(255 * (1 - share)).astype(np.uint8), cv2.COLORMAP_HOT)
    image: NDArray[np.uint8] = np.asarray(cv2.cvtColor(mapped, cv2.COLOR_BGR2RGB), np.uint8)
    image[~known] = INVALID_COLOUR
    return image


def _on_paper(row: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """The row with white around it, so wide as the widest."""
    right = width - row.shape[1] + _MARGIN
    sides = ((_MARGIN // 2, _MARGIN // 2), (_MARGIN, right), (0, 0))
    return np.pad(row, sides, constant_values=255)
