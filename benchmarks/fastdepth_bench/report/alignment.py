"""Our networks under each alignment, beside what projects print under the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from fastdepth.metrics import ALIGNMENTS
from fastdepth.published import ALIGNED_SCORES, AlignedScore
from fastdepth_bench.report.cells import Column, as_reported, text_of
from fastdepth_bench.report.columns import ABS_REL, D1, NETWORK, PARAMS
from fastdepth_bench.report.render import escaped, markdown_table, measured_on
from fastdepth_bench.report.select import SUFFIXES, Reports, data_line, good, meant_for
from fastdepth_bench.results.file import FOLDER, Report
from fastdepth_bench.results.row import Row

ByAlignment = Mapping[str, Row]
"""The rows of a network by their alignment."""


@dataclass(frozen=True)
class Entry:
    """A line of a table of one alignment: a network measured here, or one of a project's.

    Attributes:
        row: what was measured; None of a project's.
        reported: what a project prints; None of what was measured.
    """

    row: Row | None = None
    reported: AlignedScore | None = None


def _here(entry: Entry) -> Row | None:
    return entry.row


def _reported(entry: Entry) -> AlignedScore | None:
    return entry.reported


def _either(column: Column[Row], name: str) -> Column[Entry]:
    """What is known of both alike; ``name`` is that of the reported attribute."""

    def text(entry: Entry) -> str:
        if entry.row is None:
            known = getattr(entry.reported, name)
            return known if column.words else as_reported(known)
        return column.text(entry.row)

    return Column(column.heading, text, str, column.unit, words=column.words)


def _as_printed(column: Column[Row], name: str) -> Column[Entry]:
    found = Column[AlignedScore](column.heading, lambda score: getattr(score, name), column.show)
    return found.of(_reported, "reported")


BESIDE: Sequence[Column[Entry]] = (
    _either(NETWORK, "network"),
    _either(PARAMS, "params"),
    D1.of(_here, "here"),
    ABS_REL.of(_here, "here"),
    _as_printed(D1, "d1"),
    _as_printed(ABS_REL, "abs_rel"),
    text_of("reported in", lambda entry: entry.reported and entry.reported.source),
    text_of("what differs", lambda entry: entry.reported and entry.reported.differs),
)
"""Of one alignment: measured and reported stand in columns of their own."""


def _first(rows: ByAlignment) -> Row:
    return next(iter(rows.values()))


def _under(name: str, rows: ByAlignment) -> Row | None:
    return rows.get(name)


OURS: Sequence[Column[ByAlignment]] = (
    replace(NETWORK.of(_first), words=True),
    PARAMS.of(_first),
    *(
        replace(D1.of(partial(_under, name)), heading=f"{D1.heading}, {name}")
        for name in ALIGNMENTS
    ),
)
"""Of networks measured here: a column an alignment."""


def alignment_section(reports: Reports) -> str:
    """Everything that was measured for it, or what measures it."""
    found = [part for report in meant_for(reports, "alignment") for part in _tables(report)]
    return "\n\n".join(found) or (
        f"No results are committed yet; `--align {','.join(ALIGNMENTS)} --json "
        f"{FOLDER.as_posix()}/MACHINE{SUFFIXES['alignment']}` adds some."
    )


def _tables(report: Report) -> Iterator[str]:
    """Our networks under all alignments, then each beside what is printed under it."""
    networks: dict[str, dict[str, Row]] = {}
    for row in good(report.rows):
        if row.alignment in ALIGNMENTS:
            networks.setdefault(row.name, {})[row.alignment] = row
    if not networks:
        return
    yield markdown_table(OURS, networks.values())
    first = _first(next(iter(networks.values())))
    yield escaped(f"{D1.heading} under each alignment: {_under_all(first)}")
    for name in ALIGNMENTS:
        rows = [rows[name] for rows in networks.values() if name in rows]
        printed = [score for score in ALIGNED_SCORES if score.alignment == name]
        if rows and printed:
            yield markdown_table(BESIDE, [*map(Entry, rows), *(Entry(None, s) for s in printed)])
            yield escaped(data_line(rows[0]))
    yield measured_on(report)


def _under_all(first: Row) -> str:
    """What a row was scored on, with every alignment by name and in words."""
    told = f"alignment {ALIGNMENTS[first.alignment].describe()}"
    every = ", ".join(alignment.describe() for alignment in ALIGNMENTS.values())
    return data_line(first).replace(told, f"alignment as the column says: {every}", 1)
