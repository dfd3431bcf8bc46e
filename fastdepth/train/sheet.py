"""Pictures of a training: a few held-out samples, drawn at every validation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from fastdepth.colour import DEFAULT_RANGE, INVALID_COLOUR, bar, colourise, scale_bar, sheet
from fastdepth.data import Source, Subset
from fastdepth.errors import UsageError
from fastdepth.images import write_png
from fastdepth.models.network import DepthNetwork
from fastdepth.preprocess import resize, resize_nearest
from fastdepth.size import Size
from fastdepth.train.validation import predict_sample

ROWS = 4
"""Samples on a sheet."""

WIDTH = 320
"""Width of each picture on the sheet [px]."""

WORST = 1.25**3
"""Ratio of the darkest error colour: beyond it a pixel counts in none of d1, d2 and d3."""

_MARGIN = 8  # [px] between rows


def write_sheets(
    network: DepthNetwork, source: Source, size: Size, output: Path, epoch: int
) -> NDArray[np.uint8]:
    """Draw ``output/sheet.png``, the latest, and keep it as ``output/sheets/EPOCH.png``.

    Args:
        network: is put into evaluation mode.
        source: held-out samples; up to :data:`ROWS` of them, evenly spread and always the same.
        size: network input.
        output: folder of the run.
        epoch: epochs done.

    Returns:
        The sheet (H, W, 3) uint8 RGB.

    Raises:
        DataError, ImageError: a sample cannot be read.
        OutputError: a file could not be written.
    """
    subset = Subset(source, ROWS)
    samples = [subset[index] for index in range(len(subset))]
    depths = [_predict(network, sample.image, size) for sample in samples]
    pictures, truths = [sample.image for sample in samples], [sample.depth for sample in samples]
    drawn = make_sheet(pictures, truths, depths)
    for path in (output / "sheets" / f"{epoch:04d}.png", output / "sheet.png"):
        write_png(path, drawn)
    return drawn


@torch.inference_mode()
def _predict(network: DepthNetwork, image: NDArray[np.uint8], size: Size) -> NDArray[np.float32]:
    """Depth (H, W) float32 [m] of a picture, H x W the network input's size."""
    network.eval()
    depth, _ = predict_sample(network, image, size)
    return np.asarray(depth[0, 0].float().cpu().numpy())


def make_sheet(
    pictures: Sequence[NDArray[np.uint8]],
    truths: Sequence[NDArray[np.float32]],
    depths: Sequence[NDArray[np.float32]],
) -> NDArray[np.uint8]:
    """A row per sample: picture, truth and prediction on one scale in metres, and error.

    The scale of a row spans its truth, so it is the same at every epoch. The error is the ratio
    max(p/g, g/p) of prediction and truth, whose thresholds 1.25, 1.25^2, 1.25^3 are those of d1,
    d2 and d3. What has no truth is neutral.

    Args:
        pictures: (H, W, 3) uint8 RGB each.
        truths: (h, w) float32 [m] each, 0 where nothing was measured; any size.
        depths: (h, w) float32 [m] each, the predictions; any size.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        UsageError: no pictures, or not as many truths and predictions.
    """
    if not pictures or not len(pictures) == len(truths) == len(depths):
        raise UsageError(
            f"{len(pictures)} pictures, {len(truths)} truths and {len(depths)} predictions; "
            "give as many of each, one at least"
        )
    rows = [_row(*sample) for sample in zip(pictures, truths, depths, strict=True)]
    width = max(row.shape[1] for row in rows)
    return np.vstack([_on_paper(row, width) for row in rows])


def _row(
    picture: NDArray[np.uint8], truth: NDArray[np.float32], depth: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """One sample, all columns at one size."""
    size = Size(max(1, round(WIDTH * picture.shape[0] / picture.shape[1])), WIDTH)
    truth, depth = resize_nearest(truth, size), resize(depth, size)
    near, far = _range(truth)
    ratio = _ratio(depth, truth)
    known = ratio[~np.isnan(ratio)]
    median = f", median x {np.median(known):.2f}" if known.size else ""
    ticks = {f"x {1.25**k:.3g}": 1 - k / 3 for k in range(4)}
    columns = [
        resize(picture, size),
        colourise(truth, near, far),
        scale_bar(colourise(depth, near, far), near, far),
        bar(
            _colour_error(ratio), ticks, lambda n: _colour_error(np.geomspace(WORST, 1, n)[:, None])
        ),
    ]
    return sheet(columns, ["picture", "truth", "prediction, same scale", f"error (ratio){median}"])


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
    picture: NDArray[np.uint8] = np.asarray(cv2.cvtColor(mapped, cv2.COLOR_BGR2RGB), np.uint8)
    picture[~known] = INVALID_COLOUR
    return picture


def _on_paper(row: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """The row with white around it, so wide as the widest."""
    right = width - row.shape[1] + _MARGIN
    sides = ((_MARGIN // 2, _MARGIN // 2), (_MARGIN, right), (0, 0))
    return np.pad(row, sides, constant_values=255)
