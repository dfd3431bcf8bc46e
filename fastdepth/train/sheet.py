"""Pictures of a training: a few held-out samples, drawn at every validation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from fastdepth.contact_sheet import Row, make_sheet
from fastdepth.data import Source, Subset
from fastdepth.images import write_png
from fastdepth.models.network import DepthNetwork
from fastdepth.size import Size
from fastdepth.train.validation import predict_sample

ROWS = 4
"""Samples on a sheet."""


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
    drawn = make_sheet(
        [
            Row(s.image, s.depth, {"prediction": _predict(network, s.image, size)})
            for s in (subset[index] for index in range(len(subset)))
        ]
    )
    for path in (output / "sheets" / f"{epoch:04d}.png", output / "sheet.png"):
        write_png(path, drawn)
    return drawn


@torch.inference_mode()
def _predict(network: DepthNetwork, image: NDArray[np.uint8], size: Size) -> NDArray[np.float32]:
    """Depth (H, W) float32 [m] of a picture, H x W the network input's size."""
    network.eval()
    depth, _ = predict_sample(network, image, size)
    return np.asarray(depth[0, 0].float().cpu().numpy())
