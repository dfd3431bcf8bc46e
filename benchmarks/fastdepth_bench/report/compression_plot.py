"""Plots of :mod:`fastdepth_bench.report.compression`: of each lever, speed and bytes against d1."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fastdepth.extras import require
from fastdepth.files import make_folder
from fastdepth_bench.report.cells import Column
from fastdepth_bench.report.columns import D1, FPS, MB
from fastdepth_bench.report.compression import LEVERS, PLOTS, comparisons, scored
from fastdepth_bench.report.labels import place_labels
from fastdepth_bench.report.plots import FONTS, GREY, STYLES, WIDTH, add_footer, axis, footer, save
from fastdepth_bench.report.select import Reports, Step, names
from fastdepth_bench.results.row import Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEAST_SPAN = 0.04
"""Of d1 that an axis shows, so that rounding does not look like a loss."""

LEAST_SHARE = 0.4
"""Of its middle that a horizontal axis shows, so that noise does not look like a gain."""

Series = Sequence[Sequence[Step]]

PANELS: tuple[tuple[Column[Row], str], ...] = ((FPS, "more is better"), (MB, "less is better"))
"""Horizontal axes, left and right."""


def plot_study(reports: Reports, checkout: Path) -> list[Path]:
    """Draw every lever where d1 was measured, one image a results file.

    Args:
        reports: results files by their paths.
        checkout: below it, the images go to ``docs/compression``.

    Returns:
        The files, ``LEVER.MACHINE.png``.

    Raises:
        MissingExtraError: matplotlib is not installed.
        OutputError: an image cannot be written.
    """
    matplotlib = require("matplotlib", "bench")
    from matplotlib.figure import Figure

    folder, written = checkout / PLOTS, []
    make_folder(folder)
    with matplotlib.rc_context(FONTS):
        for lever in LEVERS.values():
            for results, series in comparisons(lever, reports):
                if scored(series):
                    figure = Figure((WIDTH, 4.5), layout="constrained")
                    environment = reports[results].environment
                    add_footer(figure, footer(series[0][0].base, [environment]))
                    _draw(figure, scored(series), lever.name)
                    path = folder / f"{lever.stem(results)}.png"
                    written += save(figure, path, (".png",))
    return written


def _draw(figure: Figure, series: Series, title: str) -> None:
    """Both panels, each series a line from its base on."""
    both = figure.subplots(1, 2, sharey=True)
    bases = names([steps[0].base for steps in series])
    for axes, (abscissa, better) in zip(both, PANELS, strict=True):
        for steps, base, (colour, marker) in zip(series, bases, STYLES * len(series), strict=False):
            x, y = _places(steps, abscissa)
            axes.plot(x, y, color=colour, marker=marker, ms=8, lw=1.3, label=base)
            axes.plot(x[0], y[0], ls="", marker="o", ms=15, mfc="none", color=GREY)
        axes.set_xlabel(axis(abscissa, better))
        axes.margins(x=0.25, y=0.25)
        axes.set_xlim(_widened(axes.get_xlim(), LEAST_SHARE * sum(axes.get_xlim()) / 2))
        axes.grid(lw=0.5, alpha=0.35)
    both[0].set_ylabel(axis(D1, "more is better"))
    both[0].set_ylim(_widened(both[0].get_ylim(), LEAST_SPAN))
    handles = both[0].get_legend_handles_labels()
    figure.legend(
        *handles, loc="outside upper center", ncols=3, frameon=False, fontsize=10,
        title=f"{title}: from the ringed base on", title_fontsize=13,
    )  # fmt: skip
    steps = [step for each in series for step in each]
    labels = [name for each in series for name in _changing(each)]
    for axes, (abscissa, _) in zip(both, PANELS, strict=True):
        place_labels(figure, axes, _places(steps, abscissa), labels)


def _places(steps: Sequence[Step], abscissa: Column[Row]) -> tuple[list[float], list[float]]:
    return [abscissa.value(step.row) for step in steps], [D1.value(step.row) for step in steps]


def _changing(steps: Sequence[Step]) -> list[str]:
    """What the lever changes in the rows of a series."""
    rows = [step.row for step in steps]
    for said in ([row.name for row in rows], [row.precision for row in rows]):
        if len(set(said)) > 1:
            return said
    return [row.weights.removesuffix(".safetensors") for row in rows]


def _widened(limits: tuple[float, float], span: float) -> tuple[float, float]:
    """Limits of an axis, as far apart as the span at least."""
    low, high = limits
    lacking = max(0.0, span - (high - low)) / 2
    return low - lacking, high + lacking
