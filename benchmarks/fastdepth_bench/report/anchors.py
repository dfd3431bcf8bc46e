"""Tables of ``fastdepth-bench anchors``: a line a kind of points, a column an estimator."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from fastdepth.metrics import METRICS
from fastdepth_bench.report.cells import Column, fixed, text_of
from fastdepth_bench.report.render import escaped, markdown_table
from fastdepth_bench.results.anchors import END, AnchorRow, AnchorStudy, ClipRow, ClipStudy, Studies
from fastdepth_bench.results.file import FOLDER

Line = dict[str, AnchorRow]
"""The rows of a kind of points, by estimator."""

TABLES = ("d1", "rmse")
"""Metrics that have a table."""


def lines(study: AnchorStudy) -> list[Line]:
    """The rows of each kind of points."""
    return [{row.estimator: row for row in study.rows if row.kind == kind} for kind in study.kinds]


def columns(study: AnchorStudy, metric: str, spans: bool = False) -> list[Column[Line]]:
    """The kind of points, then a metric of every estimator, with its interval if ``spans``."""

    def of(name: str) -> Column[Line]:
        show = fixed(METRICS[metric].digits)
        span = partial(_part, name, f"{metric}_interval") if spans else lambda _: None
        return Column(name, partial(_part, name, metric), show, interval=span)

    return [text_of("points", _kind), *map(of, study.estimators)]


def _kind(line: Line) -> str:
    return next(iter(line.values())).kind


def _part(estimator: str, attribute: str, line: Line) -> Any:
    return getattr(line[estimator], attribute) if estimator in line else None


def cells(study: AnchorStudy) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of a table of d1 for the terminal."""
    shown = columns(study, "d1")
    if study.interval:
        held = partial(_part, study.estimators[0], "coverage")
        shown.append(Column(f"in its {100 * study.interval:g} % interval", held, fixed(3)))
    rows = [[column.text(line) or "-" for column in shown] for line in lines(study)]
    return [column.title for column in shown], rows


def _has_interval(study: AnchorStudy, estimator: str) -> bool:
    return any(row.coverage is not None for row in study.rows if row.estimator == estimator)


def _held_by(estimators: list[str]) -> list[Column[Line]]:
    """The kind of points, then how often the interval of each estimator holds the truth."""
    held = (Column(name, partial(_part, name, "coverage"), fixed(3)) for name in estimators)
    return [text_of("points", _kind), *held]


def clip_columns() -> list[Column[ClipRow]]:
    """In which frames distances are known, and how much depth flickers then."""
    return [
        text_of("distances known in", lambda row: row.known),
        Column("flicker %", lambda row: row.flicker, fixed(2)),
    ]


def clip_cells(clip: ClipStudy) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of a table of flicker for the terminal."""
    shown = clip_columns()
    rows = [[column.text(row) for column in shown] for row in clip.rows]
    return [column.title for column in shown], rows


def spread(study: AnchorStudy) -> str:
    """How certain the figures of d1 are, in a sentence."""
    by_draw = max((max(row.d1_draws) - min(row.d1_draws)) for row in study.rows)
    both = max((row.d1_interval[1] - row.d1_interval[0]) / 2 for row in study.rows)
    return (
        f"From draw to draw d1 differs by {by_draw:.3f} at most; with other images too, 95 % "
        f"intervals reach {both:.3f} to either side at most, and move all estimators together"
    )


def study_markdown(study: AnchorStudy, meanings: str = "") -> str:
    """A study as Markdown: tables of d1 and RMSE, and what they are of.

    Args:
        study: what is shown.
        meanings: of kinds and estimators, in sentences.
    """
    parts = [*_accuracy(study), *_beside(study)]
    said = [study.describe(), spread(study), f"Measured on {study.environment.describe()}"]
    parts.append(escaped(". ".join(said) + "."))
    return "\n\n".join([*parts, *([escaped(meanings)] if meanings else [])])


def _accuracy(study: AnchorStudy) -> list[str]:
    """Tables of d1 and RMSE."""
    parts: list[str] = []
    for metric in TABLES:
        entry = METRICS[metric]
        better = "more" if entry.higher_is_better else "less"
        heading = f"{entry.heading} [{entry.unit}]" if entry.unit else entry.heading
        table = markdown_table(columns(study, metric), lines(study))
        parts += [f"{heading}, {better} is better:", table]
    return parts


def _beside(study: AnchorStudy) -> list[str]:
    """Tables of what intervals hold, and of flicker, where they were measured."""
    parts: list[str] = []
    if study.interval:
        held = [name for name in study.estimators if _has_interval(study, name)]
        heading = f"Share of pixels whose truth the interval for {100 * study.interval:g} % holds:"
        parts += [heading, markdown_table(_held_by(held), lines(study))]
    if study.clip:
        heading = escaped(f"Flicker of anchored depth, less is better; {study.clip.describe()}:")
        parts += [heading, markdown_table(clip_columns(), study.clip.rows)]
    return parts


def whole(studies: Studies) -> dict[Path, AnchorStudy]:
    """Of each network the study of most samples, which its accuracy is shown of."""
    most: dict[str, int] = {}
    for study in studies.values():
        most[study.variant] = max(study.samples, most.get(study.variant, 0))
    return {p: study for p, study in studies.items() if study.samples == most[study.variant]}


def anchors_section(studies: Studies) -> str:
    """The generated part of ``docs/anchors.md``.

    Of studies of fewer samples than another of the same network it shows what stands beside
    accuracy alone.
    """
    none = (
        f"Not measured yet; it will be by `fastdepth-bench anchors --variant mnv2-64-dws --data "
        f"nyu:PATH --json {FOLDER.as_posix()}/MACHINE{END}`."
    )
    found = [
        f"![d1 against the number of points, {study.variant}]({image_name(path)})\n\n"
        f"{study_markdown(study)}"
        for path, study in whole(studies).items()
    ]
    for study in (study for path, study in studies.items() if path not in whole(studies)):
        found += [*_beside(study), escaped(f"{study.describe()}.")]
    return "\n\n".join(found) or none


def image_name(results: Path) -> str:
    """Name of the plot of a results file, below ``docs``."""
    return f"anchors/{results.name.removesuffix(END)}.png"
