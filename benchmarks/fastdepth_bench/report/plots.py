"""Plots of results: speed against accuracy, latencies, stages; each as PNG and SVG.

Rows of different machines, devices, threads, data or protocols never share a plot: each such group
has plots of its own, and its footer says which. Colours are those of Okabe and Ito ("Color
universal design", 2008), which people with any colour vision tell apart; markers and hatches say
the same once more.
"""

from __future__ import annotations

import math
import re
import textwrap
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastdepth.errors import UsageError
from fastdepth.extras import require
from fastdepth.files import make_folder, replacing
from fastdepth.streams import in_a_line
from fastdepth_bench.report.cells import Column
from fastdepth_bench.report.columns import D1, FPS, P50, P99
from fastdepth_bench.report.labels import place_labels
from fastdepth_bench.report.select import data_line, names, threads_of
from fastdepth_bench.results.environment import Environment
from fastdepth_bench.results.figures import Latency, Stages
from fastdepth_bench.results.file import Report
from fastdepth_bench.results.row import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, PINK = "#0072b2", "#e69f00", "#009e73", "#cc79a7"
VERMILION, SKY, GREY = "#d55e00", "#56b4e9", "#555555"

STYLES = (
    (BLUE, "o"),
    (VERMILION, "s"),
    (GREEN, "^"),
    (PINK, "D"),
    (ORANGE, "v"),
    (SKY, "P"),
    ("#000000", "X"),
)
"""Colours and markers of runtimes; further runtimes begin anew."""

STAGES = {
    "decode": (GREY, "", "decode"),
    "preprocess": (SKY, "//", "preprocess"),
    "copy_in": (GREEN, "..", "copy in"),
    "inference": (BLUE, "", "inference"),
    "copy_out": (ORANGE, "xx", "copy out"),
    "postprocess": (VERMILION, "\\\\", "postprocess"),
}
"""Colour, hatch and name of the stages of an inference, in their order."""

WIDTH = 8.6
"""Of every plot [inches]; with ``DPI`` a little more than a README is wide."""

DPI = 110

MOST_ROWS = 100
"""Rows of a plot; with more nobody reads their names, and the image is too high to be drawn."""

LONGEST = 120
"""Characters of a name in a plot."""

FONTS = {"font.size": 11, "axes.titlesize": 13, "axes.labelsize": 12, "figure.titlesize": 14}

Group = Sequence[Row]
Draw = Callable[["Figure", Group], bool]


def plot(reports: Sequence[Report], folder: str | Path) -> list[Path]:
    """Draw all plots for which there are figures.

    Args:
        reports: whose rows with figures are drawn.
        folder: where the images go; it is made where it is missing.

    Returns:
        The files, ``PLOT.MACHINE.DATA.DEVICE.png`` and ``.svg``.

    Raises:
        MissingExtraError: matplotlib is not installed.
        OutputError: an image cannot be written.
    """
    matplotlib = require("matplotlib", "bench")
    from matplotlib.figure import Figure

    make_folder(folder)
    written = []
    settings = {
        **FONTS,
        "svg.hashsalt": "fastdepth",
        "hatch.linewidth": 0.6,
        "text.parse_math": False,  # a dollar in a name is no formula
    }
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of glyphs that the font lacks
        for name, (text, rows) in grouped(reports).items():
            for kind, draw in _PLOTS.items():
                figure = Figure(layout="constrained")
                add_footer(figure, text)
                if draw(figure, rows):
                    written += save(figure, Path(folder) / f"{kind}.{name}.png")
    return written


def grouped(reports: Sequence[Report]) -> dict[str, tuple[str, list[Row]]]:
    """Rows that may share a plot, and their footer, by a name for files.

    Args:
        reports: as for :func:`plot`.
    """
    found: dict[tuple[Any, ...], tuple[list[Environment], list[Row]]] = {}
    for report in reports:
        for row in report.rows:
            if row.fps and not row.error:
                key = (report.environment.machine, *row.yardstick, row.device, row.threads)
                environments, rows = found.setdefault(key, ([], []))
                environments.append(report.environment)
                rows.append(row)
    named: dict[str, tuple[str, list[Row]]] = {}
    for (where, data, *_, device, threads), (environments, rows) in found.items():
        if len(rows) > MOST_ROWS:
            raise UsageError(f"{len(rows)} rows for one plot; at most {MOST_ROWS} can be read")
        parts = (where.partition(";")[0], data, f"{device} {threads}")
        name = ".".join(re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-")[:60] for part in parts)
        others = (f"{name}.{number}" for number in count(2))
        free = name if name not in named else next(each for each in others if each not in named)
        named[free] = (footer(rows[0], environments), rows)
    return named


def footer(row: Row, environments: Sequence[Environment]) -> str:
    """Where, when and on what the rows of a plot were measured."""
    learnt = " The networks were trained on these images: no accuracy." * row.learnt
    versions = sorted({each.fastdepth for each in environments})
    days = sorted({each.date[:10] for each in environments})
    when = f"{days[0]} to {days[-1]}" if len(days) > 1 else days[0]
    return (
        f"{environments[0].machine}; {row.device}, {threads_of(row)}; fastdepth "
        f"{', '.join(versions)}, {when}.\n{data_line(row)}{learnt}"
    )


def axis(column: Column[Row], remark: str) -> str:
    """The label of an axis."""
    return f"{column.title} ({remark})"


def add_footer(figure: Figure, text: str) -> None:
    """Write a :func:`footer` below a figure; no line ends between a number and its unit."""
    parts = (_UNIT.sub("\N{NO-BREAK SPACE}", in_a_line(part)) for part in text.split("\n"))
    lines = [line for part in parts for line in textwrap.wrap(part, 120)][:20]
    figure.supxlabel("\n".join(lines), fontsize=9, color=GREY, x=0.01, ha="left")


_UNIT = re.compile(r"(?<=\d) (?=(?:%|[kM]?B|G?Hz|m|mm|ms|s|px)(?!\w))")


METADATA = {".png": {"Software": None}, ".svg": {"Date": None}}
"""What is left out of an image of each kind, so that it is the same bytes whenever it is drawn."""


def save(figure: Figure, path: Path, suffixes: Iterable[str] = METADATA) -> list[Path]:
    """Write a figure in several kinds, to a path whose suffix is replaced."""
    written = []
    for suffix in suffixes:
        place = path.with_name(path.name.removesuffix(path.suffix) + suffix)
        with replacing(place) as temporary:
            figure.savefig(temporary, dpi=DPI, metadata=METADATA[suffix])
        written.append(place)
    return written


def _shown(name: str) -> str:
    """A name from a results file as a plot can show it."""
    line = in_a_line(name)
    return line if len(line) <= LONGEST else f"{line[:LONGEST]} ..."


def pareto_front(rows: Sequence[Row]) -> list[Row]:
    """Rows than which no other is both faster and more accurate, from the fastest on.

    d1 counts to four decimals: runtimes differ by their rounding.
    """
    front: list[Row] = []
    for row in sorted(rows, key=lambda row: (-FPS.value(row), -D1.value(row))):
        if not front or round(D1.value(row) - D1.value(front[-1]), 4) > 0:
            front.append(row)
    return front


def _draw_accuracy(figure: Figure, rows: Group) -> bool:
    """Speed against d1, with the Pareto front; False where no row has scores."""
    rows = [row for row in rows if D1.text(row)]
    if not rows:
        return False
    figure.set_size_inches(WIDTH, 5.4)
    axes = figure.subplots()
    styles = dict(zip(dict.fromkeys(row.target for row in rows), STYLES * len(rows), strict=False))
    for name, (colour, marker) in styles.items():
        own = [row for row in rows if row.target == name]
        axes.scatter(*_places(own), s=70, c=colour, marker=marker, label=_shown(name), zorder=3)
    front = pareto_front(rows)
    axes.plot(*_stairs(front), color=GREY, ls="--", lw=1.3, zorder=1)
    labels = _joined(axes, rows, [*map(_shown, names(rows, "runtime"))])
    axes.scatter(
        *_places(front), s=210, facecolors="none", edgecolors=GREY, lw=1.3, zorder=2,
        label="Pareto front: none is faster and better",
    )  # fmt: skip
    axes.set_xscale("log")
    plain_ticks(axes, _places(rows)[0])
    axes.margins(x=0.12, y=0.16)
    axes.set_xlabel(axis(FPS, "log scale, more is better"))
    axes.set_ylabel(axis(D1, "more is better"))
    axes.set_title("Speed against accuracy" + (" on learnt images" * rows[0].learnt))
    axes.grid(which="both", lw=0.5, alpha=0.35)
    figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize=10)
    place_labels(figure, axes, _places(rows), labels)
    return True


def _stairs(front: Sequence[Row]) -> tuple[list[float], list[float]]:
    """The line below and left of which everything is slower or worse than a row of the front."""
    fps, d1 = _places(front)
    return [x for x in fps for _ in range(2)][1:], [y for y in d1 for _ in range(2)][:-1]


def _joined(axes: Axes, rows: Sequence[Row], called: Sequence[str]) -> list[str]:
    """Join what one network reaches in several runtimes; leave the name of its fastest alone."""
    for name in set(called):
        own = [row for row, each in zip(rows, called, strict=True) if each == name]
        own.sort(key=FPS.value)
        axes.plot(*_places(own), color="#999999", lw=1, ls=":", zorder=1)
    fastest = {
        name: max(FPS.value(row) for row, each in zip(rows, called, strict=True) if each == name)
        for name in called
    }
    return [
        name if FPS.value(row) == fastest[name] else ""
        for row, name in zip(rows, called, strict=True)
    ]


def _places(rows: Sequence[Row]) -> tuple[list[float], list[float]]:
    return [FPS.value(row) for row in rows], [D1.value(row) for row in rows]


def plain_ticks(axes: Axes, values: Sequence[float]) -> None:
    """Ticks of a logarithmic axis at 1, 2 and 5, written as plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    wide = max(values) / min(values) > 300
    axes.xaxis.set_major_locator(LogLocator(subs=(1,) if wide else (1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _draw_latencies(figure: Figure, rows: Group) -> bool:
    """Boxes of every row's latency, and below each that of end to end where it was measured."""
    rows = sorted((row for row in rows if row.latency_ms), key=P50.value)
    if not rows:
        return False
    whole = any(row.end_to_end_ms for row in rows)
    figure.set_size_inches(WIDTH, 2.3 + len(rows) * (0.62 if whole else 0.45))
    axes = figure.subplots()
    for at, row in enumerate(rows):
        if row.latency_ms:
            _box(axes, row.latency_ms, at - (0.18 if row.end_to_end_ms else 0), BLUE, "")
        if row.end_to_end_ms:
            _box(axes, row.end_to_end_ms, at + 0.18, VERMILION, "///")
    _name_rows(axes, rows)
    drawn = [each for row in rows for each in (row.latency_ms, row.end_to_end_ms) if each]
    longest, shortest = max(each.max for each in drawn), min(each.min for each in drawn)
    if longest > 15 * shortest:
        axes.set_xscale("log")
        plain_ticks(axes, [shortest, longest])
        axes.set_xlabel("latency [ms] (log scale, less is better)")
    else:
        axes.set_xlim(left=0)
        axes.set_xlabel("latency [ms] (less is better)")
    axes.set_title("Latency")
    axes.grid(axis="x", lw=0.5, alpha=0.35)
    _explain_boxes(figure, whole)
    return True


def _explain_boxes(figure: Figure, whole: bool) -> None:
    """The legend of latencies."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    keys: list[Any] = [
        Line2D([], [], color="black", lw=2.2, ls="", marker="|", ms=14, mew=2.2, label=P50.heading),
        Line2D([], [], color=GREY, lw=9, label="to p90"),
        Line2D([], [], color=GREY, lw=4, label=f"to {P99.heading}"),
        Line2D([], [], color=GREY, lw=1.4, marker="|", ms=6, label="least to greatest"),
    ]
    if whole:
        keys.append(Patch(color=BLUE, label="network alone"))
        keys.append(Patch(facecolor="white", edgecolor=VERMILION, hatch="///", label="end to end"))
    figure.legend(
        handles=keys, loc="outside upper center", ncols=6, frameon=False, fontsize=10,
        columnspacing=1.2, handletextpad=0.6,
    )  # fmt: skip


def _box(axes: Axes, found: Latency, at: float, colour: str, hatch: str) -> None:
    """A distribution by its percentiles, lying at a height."""
    axes.plot([found.min, found.max], [at, at], color=colour, lw=1.4, zorder=2)
    for end in (found.min, found.max):
        axes.plot([end] * 2, [at - 0.06, at + 0.06], color=colour, lw=1.4, zorder=2)
    style: dict[str, Any] = {"edgecolor": colour, "lw": 1.2, "hatch": hatch}
    fill = "white" if hatch else colour
    spans = ((found.p90, found.p99, 0.14), (found.p50, found.p90, 0.3))
    for low, high, height in spans:
        axes.barh(at, high - low, height, low, facecolor=fill, zorder=3, **style)
    axes.plot([found.p50] * 2, [at - 0.17, at + 0.17], color="black", lw=2.2, zorder=4)


def _name_rows(axes: Axes, rows: Sequence[Row]) -> None:
    """Rows from above downwards, by name."""
    axes.set_yticks(range(len(rows)), _wrapped(map(_shown, names(rows))), fontsize=10)
    axes.set_ylim(len(rows) - 0.4, -0.6)


def _wrapped(called: Iterable[str]) -> list[str]:
    return ["\n".join(textwrap.wrap(name, 36, break_on_hyphens=False)) for name in called]


def _draw_stages(figure: Figure, rows: Group) -> bool:
    """A bar a row, of its stages one after the other; False where no row has them.

    Where one row takes many times as long as another, bars are shares of the whole instead.
    """
    found = [(_total(row.stages_ms), row, row.stages_ms) for row in rows if row.stages_ms]
    found.sort(key=lambda each: each[0])
    totals, rows, stages = ([*each] for each in zip(*found, strict=True)) if found else ([], [], [])
    if not rows:
        return False
    shares = totals[-1] > 6 * totals[0]
    figure.set_size_inches(WIDTH, 2.5 + 0.48 * len(rows))
    axes = figure.subplots()
    ends = [0.0] * len(rows)
    for stage, (colour, hatch, name) in STAGES.items():
        lengths = [getattr(each, stage) or 0.0 for each in stages]
        if shares:
            lengths = [100 * each / total for each, total in zip(lengths, totals, strict=True)]
        if any(lengths):
            style: dict[str, Any] = {"color": colour, "hatch": hatch, "edgecolor": "white"}
            axes.barh(range(len(rows)), lengths, 0.62, ends, label=name, lw=0, **style)
        ends = [end + length for end, length in zip(ends, lengths, strict=True)]
    for at, (end, total) in enumerate(zip(ends, totals, strict=True)):
        text = f"{total:.{0 if total >= 100 else 1}f} ms"
        axes.annotate(text, (end, at), (5, 0), textcoords="offset points", va="center")
    _name_rows(axes, rows)
    axes.set_xlim(0, 1.16 * max(ends))
    unit = "%, of the sum beside" if shares else "ms, less is better"
    axes.set_xlabel(f"medians of the stages [{unit}]")
    axes.set_title("Stages, from a camera's image to depth")
    axes.grid(axis="x", lw=0.5, alpha=0.35)
    axes.set_axisbelow(True)
    figure.legend(loc="outside upper center", ncols=6, frameon=False, fontsize=10)
    return True


def _total(stages: Stages) -> float:
    return math.fsum(value or 0.0 for value in asdict(stages).values())


_PLOTS: Mapping[str, Draw] = {
    "speed-accuracy": _draw_accuracy,
    "latency": _draw_latencies,
    "stages": _draw_stages,
}
