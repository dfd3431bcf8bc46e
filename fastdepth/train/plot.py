"""Draw the curves of a training log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fastdepth.extras import require
from fastdepth.files import replacing


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
        OutputError: the picture could not be written.
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
