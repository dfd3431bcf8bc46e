"""Draw the curves of a training log."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from fastdepth.data import Source, Subset
from fastdepth.extras import require
from fastdepth.files import replacing
from fastdepth.images.contact_sheet import SheetRow, make_sheet
from fastdepth.images.io import write_png
from fastdepth.models.network import DepthNetwork
from fastdepth.size import Size
from fastdepth.train.log import read_log
from fastdepth.train.validation import predict_sample


def plot_losses(log: Path, path: Path, title: str) -> None:
    """Write training loss, validation loss and validation d1 over epochs as a PNG.

    Raises:
        InputError: the log is damaged.
        MissingExtraError: matplotlib is not installed.
        OutputError: the image could not be written.
    """
    require("matplotlib", "train")
    from matplotlib.figure import Figure

    lines = [line for line in read_log(log) if "epoch" in line]
    training = [(line["epoch"], _drawn(line["loss"])) for line in lines if "loss" in line]
    validation = [(line["epoch"], line["validation"]) for line in lines if "validation" in line]
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    left = figure.subplots()
    left.plot(*zip(*training, strict=True) if training else ((), ()), color="#0072b2", lw=1)
    left.plot(
        [epoch for epoch, _ in validation],
        [_drawn(scores.get("loss")) for _, scores in validation],
        color="#d55e00",
        marker="o",
        ms=3,
    )
    left.set(xlabel="epoch", ylabel="loss", title=title)
    right = left.twinx()
    right.plot(
        [epoch for epoch, _ in validation],
        [_drawn(scores.get("d1")) for _, scores in validation],
        color="#009e73",
        ls="--",
        marker="s",
        ms=3,
    )
    right.set(ylabel="validation d1", ylim=(0, 1))
    labels = ("training loss", "validation loss", "validation d1 (right)")
    figure.legend([*left.lines, *right.lines], labels, loc="outside lower center", ncols=3)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110)


def _drawn(figure: float | None) -> float:
    """A figure, or a gap in the curve where it is missing or off any scale."""
    return figure if figure is not None and abs(figure) < 1e30 else math.nan


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
            SheetRow(s.image, s.depth, {"prediction": _predict(network, s.image, size)})
            for s in (subset[index] for index in range(len(subset)))
        ]
    )
    for path in (output / "sheets" / f"{epoch:04d}.png", output / "sheet.png"):
        write_png(path, drawn)
    return drawn


@torch.inference_mode()
def _predict(network: DepthNetwork, image: NDArray[np.uint8], size: Size) -> NDArray[np.float32]:
    """Depth (H, W) float32 [m] of an image, H x W the network input's size."""
    network.eval()
    depth, _ = predict_sample(network, image, size)
    return np.asarray(depth[0, 0].float().cpu().numpy())
