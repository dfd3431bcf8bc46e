"""Plot of ``fastdepth-bench anchors``: d1 against the number of random points."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fastdepth.extras import require
from fastdepth.files import make_folder
from fastdepth_bench.report.anchors import image_name, whole
from fastdepth_bench.report.columns import D1
from fastdepth_bench.report.plots import FONTS, GREY, STYLES, WIDTH, add_footer, axis, save
from fastdepth_bench.results.anchors import AnchorRow, AnchorStudy, Studies

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NETWORK = "none"
"""The estimator that no point changes: a line across."""


def plot_studies(studies: Studies, checkout: Path) -> list[Path]:
    """Draw the plots of the committed studies below ``docs`` of a checkout, as PNG.

    Raises:
        MissingExtraError: matplotlib is not installed.
        OutputError: an image cannot be written.
    """
    return [
        written
        for path, study in whole(studies).items()
        for written in plot_study(study, checkout / "docs" / image_name(path), suffixes=(".png",))
    ]


def plot_study(
    study: AnchorStudy, path: Path, suffixes: Sequence[str] = (".png", ".svg")
) -> list[Path]:
    """Draw d1 of every estimator against the number of random points.

    Args:
        study: of two numbers of random points at least.
        path: of the image; its suffix is replaced.
        suffixes: of the files that are written.

    Returns:
        The files; none where there are fewer numbers.

    Raises:
        MissingExtraError: matplotlib is not installed.
        OutputError: an image cannot be written.
    """
    matplotlib = require("matplotlib", "bench")
    from matplotlib.figure import Figure

    rows = [row for row in study.rows if row.number]
    if len({row.number for row in rows}) < 2:
        return []
    make_folder(path.parent)
    with matplotlib.rc_context({**FONTS, "svg.hashsalt": "fastdepth", "text.parse_math": False}):
        figure = Figure((WIDTH, 5.2), layout="constrained")
        bands = "bands are 95 % intervals over draws and images"
        add_footer(figure, f"{study.environment.machine}; {study.describe()}; {bands}.")
        _draw(figure, study, rows)
        return save(figure, path, suffixes)


def _draw(figure: Figure, study: AnchorStudy, rows: Sequence[AnchorRow]) -> None:
    axes = figure.subplots()
    styles = iter(STYLES)
    for name in study.estimators:
        own = [row for row in rows if row.estimator == name]
        own.sort(key=lambda row: row.number or 0)
        colour, marker = (GREY, "") if name == NETWORK else next(styles, (GREY, "o"))
        _line(axes, own, name, colour, marker)
    numbers = sorted({row.number or 0 for row in rows})
    axes.set_xscale("log")
    axes.set_xticks(numbers, [str(number) for number in numbers])
    axes.minorticks_off()
    axes.set_xlabel("random points in an image (log scale)")
    axes.set_ylabel(axis(D1, "more is better"))
    axes.set_title(f"{study.variant} with a few known distances")
    axes.grid(lw=0.5, alpha=0.35)
    figure.legend(
        loc="outside right upper", frameon=False, fontsize=10, title="estimator",
        alignment="left",
    )  # fmt: skip


def _line(axes: Axes, own: Sequence[AnchorRow], name: str, colour: str, marker: str) -> None:
    """An estimator's d1, with its interval as a band."""
    x, y = [row.number or 0 for row in own], [row.d1 for row in own]
    low, high = zip(*(row.d1_interval for row in own), strict=True)
    first = name == "anchored"
    dashes = "--" if name == NETWORK else "-"
    axes.fill_between(x, low, high, color=colour, alpha=0.13, lw=0)
    axes.plot(x, y, color=colour, marker=marker, ls=dashes, lw=2.4 if first else 1.4, label=name)
