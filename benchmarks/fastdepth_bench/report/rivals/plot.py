"""Plot of ``fastdepth-bench rivals``: d1 under one alignment against frames/s here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fastdepth.extras import require
from fastdepth.files import make_folder
from fastdepth.metrics import ALIGNMENTS
from fastdepth_bench.report.columns import D1, FPS
from fastdepth_bench.report.labels import place_labels
from fastdepth_bench.report.plots import (
    BLUE,
    FONTS,
    VERMILION,
    WIDTH,
    add_footer,
    axis,
    plain_ticks,
    save,
)
from fastdepth_bench.report.rivals.tables import scored
from fastdepth_bench.report.select import SUFFIXES, Reports, data_line, good, threads_of
from fastdepth_bench.results.file import Report
from fastdepth_bench.results.rivals import NYU, RIVALS, Rival, is_part, rival_of
from fastdepth_bench.results.row import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

USUAL = "affine-disparity"
"""The alignment that most rivals have a figure under."""


@dataclass(frozen=True)
class Point:
    """A network in the plot.

    Attributes:
        name: network and input.
        fps: measured here [1/s].
        span: its 95 % interval; None where there is none.
        d1: published, or measured here.
        here: whether it was measured here.
    """

    name: str
    fps: float
    span: tuple[float, float] | None
    d1: float
    here: bool


def alignment_of(report: Report) -> str:
    """The alignment under which fastdepth's own networks were scored; the only one of a plot."""
    own = (row.alignment for row in report.rows if rival_of(row) is None)
    return next(own, USUAL)


def points(report: Report) -> list[Point]:
    """Networks whose d1 is known under the alignment, at the very input that was timed."""
    alignment = alignment_of(report)
    return [point for row in good(report.rows) for point in _points(row, alignment)]


def _points(row: Row, alignment: str) -> list[Point]:
    rival, name = rival_of(row), f"{row.name} {row.size}"
    assert row.fps is not None
    found = []
    if scored(row) and row.alignment == alignment:
        found.append(Point(name, row.fps, row.fps_interval, D1.value(row), True))
    if rival and not is_part(row):
        found += [
            Point(name, row.fps, row.fps_interval, score.d1, False)
            for score in rival.drawn(alignment)
            if score.size == row.size
        ]
    return found


def undrawn(report: Report, rivals: Sequence[Rival] = ()) -> list[str]:
    """Networks that are not in the plot, each with the reason."""
    alignment = alignment_of(report)
    found: dict[str, list[str]] = {}
    for row in good(report.rows):
        name, rival = f"{row.name} {row.size}", rival_of(row)
        if _points(row, alignment):
            continue
        if rival is None:
            reason = "no d1 measured on photographs: give --data nyu:PATH"
        elif is_part(row):
            reason = "not the whole network"
        else:
            reason = f"no d1 found under {alignment} on {NYU} at that input"
        found.setdefault(reason, []).append(name)
    timed = [rival_of(row) for row in good(report.rows)]
    rest = [rival.name for rival in rivals or RIVALS.values() if rival not in timed]
    if rest:
        found["not timed"] = rest
    return [f"{', '.join(names)} ({reason})" for reason, names in found.items()]


def plot_rivals(
    report: Report,
    path: Path,
    suffixes: Sequence[str] = (".png", ".svg"),
    rivals: Sequence[Rival] = (),
) -> list[Path]:
    """Draw d1 against frames/s, and list below what is not drawn.

    Args:
        report: what was measured.
        path: of the image; its suffix is replaced.
        suffixes: of the files that are written.
        rivals: those that were asked for; all if empty.

    Returns:
        The files; none where there is no point.

    Raises:
        MissingExtraError: matplotlib is not installed.
        OutputError: an image cannot be written.
    """
    matplotlib = require("matplotlib", "bench")
    from matplotlib.figure import Figure

    found = points(report)
    if not found:
        return []
    make_folder(path.parent)
    with matplotlib.rc_context({**FONTS, "svg.hashsalt": "fastdepth", "text.parse_math": False}):
        figure = Figure((WIDTH, 6.2), layout="constrained")
        add_footer(figure, _footer(report, found, rivals))
        _draw(figure, found, alignment_of(report))
        return save(figure, path, suffixes)


def plot_committed(reports: Reports, checkout: Path) -> list[Path]:
    """Draw the plots of the committed results below ``docs`` of a checkout, as PNG.

    Raises:
        MissingExtraError: matplotlib is not installed.
        OutputError: an image cannot be written.
    """
    end, folder = SUFFIXES["rivals"], checkout / "docs" / "rivals"
    return [
        written
        for path, report in reports.items()
        if path.name.endswith(end)
        for written in plot_rivals(report, folder / f"{path.name.removesuffix(end)}.png", (".png",))
    ]


def _footer(report: Report, found: Sequence[Point], rivals: Sequence[Rival]) -> str:
    """Where frames/s were measured, of what each d1 is, and what is not drawn."""
    row, environment = good(report.rows)[0], report.environment
    own = [each for each in good(report.rows) if scored(each) and rival_of(each) is None]
    here = f" Measured here: {data_line(own[0])}" if own else ""
    printed = (
        f" Published: {NYU}, each by its source's own protocol and with other training, so that no "
        "height says which network is better."
    ) * any(not point.here for point in found)
    rest = undrawn(report, rivals)
    return "\n".join(
        [
            f"frames/s: {environment.machine}; {row.target} {row.precision}, {row.device}, "
            f"{threads_of(row)}; fastdepth {environment.fastdepth}, {environment.date[:10]}.",
            f"d1 after {ALIGNMENTS[alignment_of(report)].describe()}.{printed}{here}",
            *([f"Not drawn: {'; '.join(rest)}."] if rest else []),
        ]
    )


def _draw(figure: Figure, found: Sequence[Point], alignment: str) -> None:
    axes = figure.subplots()
    for here, colour, marker, label in (
        (False, BLUE, "o", "d1 as published by others"),
        (True, VERMILION, "s", "d1 measured here"),
    ):
        own = [point for point in found if point.here == here]
        if own:
            places = [point.fps for point in own], [point.d1 for point in own]
            axes.scatter(*places, s=70, c=colour, marker=marker, label=label, zorder=3)
        for point in own:
            if point.span:
                axes.plot(point.span, [point.d1] * 2, color=colour, lw=1.4, zorder=2)
    axes.set_xscale("log")
    _limit(axes, found)
    plain_ticks(axes, axes.get_xlim())
    axes.set_xlabel(axis(FPS, "log scale, more is better"))
    axes.set_ylabel(f"{D1.title}, alignment {alignment}")
    axes.set_title("Published d1 against frames/s on this machine")
    axes.grid(which="both", lw=0.5, alpha=0.35)
    figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize=10)
    places = [point.fps for point in found], [point.d1 for point in found]
    place_labels(figure, axes, places, [point.name for point in found])


def _limit(axes: Axes, found: Sequence[Point]) -> None:
    """Room for names beside the points, also beside a single one."""
    ends = [end for point in found for end in (point.fps, *(point.span or ()))]
    axes.set_xlim(min(ends) / 1.6, max(ends) * 1.6)
    worst, best = (f(point.d1 for point in found) for f in (min, max))
    room = max(0.02, 0.2 * (best - worst))
    axes.set_ylim(worst - room, min(1.0, best + room))
