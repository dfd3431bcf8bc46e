"""Draw the curves of a training log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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
from fastdepth.train.validation import predict_sample


def read_log(path: str | Path) -> list[dict[str, Any]]:
    """Lines of a JSONL log in the order of their steps.

    Where a run was resumed from an earlier step, what was logged after that step is superseded.
    """
    lines: list[dict[str, Any]] = []
    for text in Path(path).read_text().splitlines():
        line = json.loads(text)
        if line.get("resumed"):
            lines = [earlier for earlier in lines if earlier["step"] <= line["step"]]
        lines.append(line)
    return lines


def plot_losses(log: Path, path: Path, title: str) -> None:
    """Write training loss, validation loss and validation d1 over epochs as a PNG.

    Raises:
        MissingExtraError: matplotlib is not installed.
        OutputError: the image could not be written.
    """
    require("matplotlib", "train")
    from matplotlib.figure import Figure

    lines = read_log(log)
    training = [(line["epoch"], line["loss"]) for line in lines if "loss" in line]
    validation = [(line["epoch"], line["validation"]) for line in lines if "validation" in line]
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    left = figure.subplots()
    left.plot(*zip(*training, strict=True) if training else ((), ()), color="#0072b2", lw=1)
    left.plot(
        [epoch for epoch, _ in validation],
        [scores["loss"] for _, scores in validation],
        color="#d55e00",
        marker="o",
        ms=3,
    )
    left.set(xlabel="epoch", ylabel="loss", title=title)
    right = left.twinx()
    right.plot(
        [epoch for epoch, _ in validation],
        [scores["d1"] for _, scores in validation],
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
