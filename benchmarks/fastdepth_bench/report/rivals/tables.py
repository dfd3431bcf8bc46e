"""Tables of ``fastdepth-bench rivals``: how fast each is here, what is printed of its accuracy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from fastdepth.published import AlignedScore
from fastdepth_bench.report.cells import Column, text_of
from fastdepth_bench.report.columns import (
    D1,
    FPS,
    GMAC,
    INPUT,
    MB,
    NETWORK,
    PARAMS,
    TIMES,
    WHOLE_FPS,
)
from fastdepth_bench.report.render import (
    doubts,
    escaped,
    legend,
    markdown_table,
    measured_on,
    telling,
)
from fastdepth_bench.report.select import SUFFIXES, Reports, good, threads_of
from fastdepth_bench.results.file import FOLDER, Report
from fastdepth_bench.results.rivals import RIVALS, Rival, is_part, rival_of
from fastdepth_bench.results.row import Row

T = TypeVar("T")

SPEED: Sequence[Column[Row]] = (NETWORK, INPUT, PARAMS, GMAC, MB, FPS, WHOLE_FPS, TIMES)

NARROW: Sequence[Sequence[Column[Row]]] = (
    (NETWORK, INPUT, FPS, TIMES),
    (NETWORK, INPUT, WHOLE_FPS, PARAMS, GMAC, MB),
)
"""The same in two tables, for terminals of less than :data:`WIDE` columns."""

WIDE = 120

NONE: Mapping[str, str] = MappingProxyType({})

WARNING = (
    "Every d1 is of its own protocol, alignment, data and training: no two of different lines "
    "compare, and none says that one network is better than another."
)
"""What tables and plot say of accuracy."""


@dataclass(frozen=True)
class Line:
    """Accuracy of a network: as somebody prints it, as it was measured here, or not found.

    Attributes:
        name: of the network.
        printed: by others.
        row: measured here.
    """

    name: str
    printed: AlignedScore | None = None
    row: Row | None = None

    @property
    def d1(self) -> str:
        """The figure."""
        if self.row:
            return D1.text(self.row)
        return D1.show(self.printed.d1) if self.printed else "not found"

    @property
    def data(self) -> str:
        """Whose images."""
        if self.row:
            return f"{self.row.data}, {self.row.samples} images"
        return self.printed.data if self.printed else ""

    @property
    def alignment(self) -> str:
        """What was fitted to the truth."""
        either = self.row or self.printed
        return either.alignment if either else ""

    @property
    def size(self) -> str:
        """The network's input."""
        either = self.row or self.printed
        return str(either.size or "not said") if either else ""

    @property
    def rules(self) -> str:
        """Protocol, and what the network was trained on."""
        if self.row:
            return self.row.protocol_description
        return self.printed.differs if self.printed else ""

    @property
    def source(self) -> str:
        """Where it is printed."""
        if self.row:
            return "measured here"
        return self.printed.source if self.printed else ""


ACCURACY: Sequence[Column[Line]] = (
    text_of("network", lambda line: line.name),
    Column("d1", lambda line: line.d1, str),
    text_of("alignment", lambda line: line.alignment),
    text_of("data", lambda line: line.data),
    text_of("input", lambda line: line.size),
    text_of("protocol; training", lambda line: line.rules),
    text_of("printed in", lambda line: line.source),
)


def noted(found: Sequence[Line]) -> tuple[Sequence[Column[Line]], list[str]]:
    """Columns for a terminal, in which what is long is a number, and the notes of these numbers."""
    said = (f"{line.source}: {line.rules}" for line in found if line.source)
    numbers = {note: number for number, note in enumerate(dict.fromkeys(said), 1)}
    note: Column[Line] = text_of("note", lambda line: numbers.get(f"{line.source}: {line.rules}"))
    return (*ACCURACY[:-2], note), [f"note {number}: {text}" for text, number in numbers.items()]


def scored(row: Row) -> bool:
    """Whether a row's d1 is of photographs that its network did not learn."""
    return bool(row.metrics) and not row.drawn and not row.learnt


def lines(report: Report, rivals: Iterable[Rival] = RIVALS.values()) -> list[Line]:
    """Accuracy of the rivals, then of what was measured here."""
    printed = [
        line
        for rival in rivals
        for line in [Line(score.network, score) for score in rival.scores] or [Line(rival.name)]
    ]
    return printed + [Line(row.name, row=row) for row in good(report.rows) if scored(row)]


def remarks(
    report: Report, rivals: Iterable[Rival] = RIVALS.values(), failed: Mapping[str, str] = NONE
) -> list[str]:
    """What must be known of each rival: whether it was timed, and where its weights are had.

    Args:
        report: what was measured.
        rivals: those that were asked for.
        failed: why one could not be timed, by name.
    """
    said = []
    for rival in rivals:
        tried = [row for row in report.rows if rival_of(row) == rival]
        timed = good(tried)
        reason = "" if timed and not any(map(is_part, timed)) else rival.untimed
        if not timed and (tried or not reason):
            reason = "not timed"  # a line below says why
        reason = failed.get(rival.name, reason)
        said.append(
            f"{rival.name}: {rival.title}; weights: {rival.weights}" + f"; {reason}" * bool(reason)
        )
    said += [f"{row.name} {row.size}: {doubt}" for row in report.rows for doubt in doubts(row)]
    return said


def cells(columns: Sequence[Column[T]], entries: Sequence[T]) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of a table for the terminal."""
    shown = telling(columns, entries)
    rows = [[column.text(entry) or "-" for column in shown] for entry in entries]
    return [column.title for column in shown], rows


def rivals_markdown(
    report: Report, rivals: Sequence[Rival] = (), failed: Mapping[str, str] = NONE
) -> str:
    """Both tables as Markdown, with what is needed to read and to repeat them.

    Args:
        report: what was measured.
        rivals: those that were asked for; all if empty.
        failed: why one could not be timed, by name.
    """
    rivals = rivals or tuple(RIVALS.values())
    rows = good(report.rows)
    parts = []
    if rows:
        shown = telling(SPEED, rows)
        meant = ". ".join(legend(shown, rows))
        parts += [markdown_table(shown, rows), escaped(f"{conditions(report)} {meant}.")]
    parts += [markdown_table(telling(ACCURACY, found := lines(report, rivals)), found)]
    parts.append(escaped(WARNING))
    parts.append("\n".join(f"- {escaped(line)}" for line in remarks(report, rivals, failed)))
    return "\n\n".join([*parts, measured_on(report)])


def conditions(report: Report) -> str:
    """Under what the speeds of a report were taken, in one line."""
    rows = good(report.rows)
    first, random = rows[0], any(row.untrained for row in rows)
    return (
        f"{first.target}, {first.precision}, {first.device}, {threads_of(first)}, batch 1; "
        f"networks in turns, restarts: {first.restarts}."
        + " Random weights of others: speed alone."
        * random
    )


def rivals_section(reports: Reports) -> str:
    """The generated part of ``docs/rivals.md``."""
    end = SUFFIXES["rivals"]
    found = []
    for path, report in reports.items():
        if path.name.endswith(end):
            image = f"![published d1 against frames/s](rivals/{path.name.removesuffix(end)}.png)"
            found += [image, rivals_markdown(report)]
    return "\n\n".join(found) or (
        f"Not measured yet; it will be by `fastdepth-bench rivals --data nyu:PATH --json "
        f"{FOLDER.as_posix()}/MACHINE{end}`."
    )
