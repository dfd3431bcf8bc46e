"""Rows and columns as tables of a terminal, as Markdown and as CSV."""

from __future__ import annotations

import csv
import io
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

from fastdepth.errors import UsageError
from fastdepth.metrics import ALL_METRICS
from fastdepth.streams import in_a_line
from fastdepth_bench.measure.timing import NOISY, WINDOW
from fastdepth_bench.report.cells import Column
from fastdepth_bench.report.columns import (
    EDGE_F1,
    EDGES,
    INPUT,
    NETWORK,
    RESULTS,
    ROOFLINE,
    RUNTIME,
    SPARE,
    TERMINAL,
    WIDEST,
    Columns,
)
from fastdepth_bench.report.select import circumstances, data_line, groups, names
from fastdepth_bench.results.file import Report
from fastdepth_bench.results.row import Row
from fastdepth_bench.results.schema import attributes

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

T = TypeVar("T")

NOTHING = "-"
"""Stands in a terminal where nothing was measured; a note below says why."""


INEXACT = (
    "A depth camera's edges are not exact, and filling its holes moves them: figures of edges "
    "order networks here, no more."
)
"""Said of edges in truth that was measured."""


def telling(columns: Sequence[Column[T]], entries: Sequence[T]) -> list[Column[T]]:
    """The columns that say something of any of these rows."""
    return [column for column in columns if any(map(column.text, entries))]


def fitting(columns: Columns, rows: Sequence[Row]) -> list[Column[Row]]:
    """The columns that say something of these rows, no more than a screen is wide."""
    shown = telling(columns, rows)
    spare = [column for column in SPARE if column in shown][: max(0, len(shown) - WIDEST)]
    return [column for column in shown if column not in spare]


def legend(columns: Iterable[Column[T]], entries: Sequence[T]) -> list[str]:
    """What must be known of these columns, a line each."""
    meant = ((column.title, column.meaning(entries)) for column in columns)
    return [f"{title}: {meaning}" for title, meaning in meant if meaning]


def doubts(row: Row) -> Iterator[str]:
    """Why a row has no figures, or why they are to be doubted."""
    if row.error:
        yield f"failed: {row.error}"
    if row.warm_up and not row.warm_up.stable:
        few = row.warm_up.n < 2 * WINDOW * (row.restarts or 1)
        moved = "inferences were too few to tell" if few else "the median still moved"
        yield f"unsteady: {moved} when warm-up ended"
    if row.noisy:
        yield f"noisy: times vary by more than {100 * NOISY:.0f} % of their mean"
    if row.queries and row.queries.overloaded:
        yield "overloaded: queries came faster than they can be answered, so the queue only grew"
    if row.metrics and row.metrics.get("nonfinite"):
        wrong, pixels = (int(row.metrics.get(name, 0)) for name in ("nonfinite", "pixels"))
        yield f"NaN or infinite at {wrong} of {pixels} pixels"


def _facts(row: Row) -> Iterator[str]:
    """What the figures alone do not tell."""
    if row.error:
        return
    if row.untrained:
        yield "untrained: random weights, so accuracy is left empty"
    else:
        yield f"weights {row.weights}, hash {row.weights_hash}"
    yield from _roofline(row)
    if row.from_disk:
        disk = row.from_disk
        yield (
            f"from disk, decoded and resized too: {disk.fps:.1f} images/s over {disk.pictures} "
            f"images, {disk.failed} of them unreadable"
        )


def _roofline(row: Row) -> Iterator[str]:
    if row.ceiling:
        macs, moved = row.ceiling.macs_per_second / 1e9, row.ceiling.bytes_per_second / 1e9
        yield (
            f"roofline of {macs:.1f} * 10^9 multiply-adds/s (float32 matrix product) and "
            f"{moved:.1f} GB/s (copy), measured in the same run: {row.ceiling.binds} bind"
        )


def _notes(said: Iterable[tuple[str, Iterable[str]]], joint: str) -> Iterator[str]:
    """Remarks, each after those of whom it is true."""
    everybody = [(who, [*remarks]) for who, remarks in said]
    for remark in dict.fromkeys(remark for _, remarks in everybody for remark in remarks):
        whose = [who for who, remarks in everybody if remark in remarks]
        every = len(whose) == len(everybody) > 1
        yield f"{'all rows' if every else joint.join(whose)}: {remark}"


# terminal


def print_report(report: Report, console: Console) -> None:
    """Print every row, and below them what is needed to read and to repeat them."""
    numbered = list(zip(count(1), report.rows, strict=False))
    for rows in groups(report.rows):
        group = [(number, row) for number, row in numbered if any(row is each for each in rows)]
        for table in _tables(group, console):
            console.print(table)
            console.print()
        said = ((f"#{number}", [*doubts(row), *_facts(row)]) for number, row in group)
        lines = [data_line(rows[0]), circumstances(rows), *_notes(said, " "), ""]
        print_lines(console, lines)
    columns = telling([column for part in (*TERMINAL, EDGES) for column in part], report.rows)
    print_lines(console, legend(columns, report.rows))
    machine, busy = report.environment.describe(), report.environment.busy_line
    print_lines(console, filter(None, (machine, busy)))


def print_lines(console: Console, lines: Iterable[str]) -> None:
    """Plain text: no markup or colours guessed from a user's file names."""
    for line in lines:
        console.print(in_a_line(line), markup=False, highlight=False)


def _tables(rows: Sequence[tuple[int, Row]], console: Console) -> list[Table]:
    """One table where the terminal is wide enough, else as few as it takes, one below the other."""
    said = [telling(part, [row for _, row in rows]) for part in TERMINAL]
    parts: list[Sequence[Column[Row]]] = [said[0]]
    for group in filter(None, said[1:]):
        wider = [*parts[-1], *group]
        if _width(_table(rows, wider), console) <= console.width or parts[-1] == said[0]:
            parts[-1] = wider
        else:
            parts.append([NETWORK, *group])
    if any(EDGE_F1.text(row) for _, row in rows):
        parts.append([column for column in EDGES if column is not RUNTIME])  # "#" tells it
    tables = [_table(rows, part) for part in parts]
    for table in tables:
        if _width(table, console) > console.width:
            table.padding = 0
    return tables


def _width(table: Table, console: Console) -> int:
    """Columns of text that a table needs, however wide the terminal is."""
    from rich.measure import Measurement

    return Measurement.get(console, console.options.update(max_width=1000), table).maximum


def _table(rows: Sequence[tuple[int, Row]], columns: Columns) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1), collapse_padding=True)
    table.add_column("#", justify="right", no_wrap=True)
    lines = [[column.text(row) or NOTHING for column in columns] for _, row in rows]
    for column, cells in zip(columns, zip(*lines, strict=True), strict=True):
        justify: Any = "left" if column.words else "right"
        title = _narrow(column.title, max(map(len, cells)))
        table.add_column(title, justify=justify, vertical="bottom", no_wrap=True)
    for (number, row), line in zip(rows, lines, strict=True):
        table.add_row(str(number), *map(Text, line), style="red" if row.error else None)
    return table


def _narrow(title: str, width: int) -> str:
    """A heading in lines that are no wider than its column, or than its longest word."""
    words = title.replace(" - ", " -\xa0")
    return "\n".join(textwrap.wrap(words, max(width, *map(len, words.split(" ")))))


# Markdown


def markdown_table(columns: Sequence[Column[T]], entries: Iterable[T]) -> str:
    """A Markdown table; words stand to the left, numbers to the right."""
    rule = ["---" if column.words else "---:" for column in columns]
    titles = [column.title for column in columns]
    rows = ([escaped(column.text(entry), column.code) for column in columns] for entry in entries)
    return "\n".join(f"| {' | '.join(line)} |" for line in (titles, rule, *rows))


_MARKDOWN = str.maketrans({"\\": r"\\", "`": r"\`", "|": r"\|"})


def escaped(text: str, code: bool = False) -> str:
    """Text of results as Markdown that shows it: no HTML, link, code or further cell.

    Args:
        text: of a cell or a paragraph.
        code: whether it is Markdown of ours already, without a cell's end in it.
    """
    line = in_a_line(text)
    shown = line.replace("|", r"\|") if code else line.translate(_MARKDOWN)
    return shown if code else re.sub(r"<(?=[^\s\d])", "&lt;", shown).replace("](", r"]\(")


def to_markdown(report: Report, columns: Columns = RESULTS) -> str:
    """Tables of a report, one per data set and protocol, each with what is needed to repeat it.

    Args:
        report: whose rows are shown.
        columns: of which those that say something are shown, eight at most.

    Returns:
        Markdown that ends in what the columns mean.
    """
    return "\n\n".join(sections([report], columns)) + "\n"


def sections(reports: Sequence[Report], columns: Columns) -> list[str]:
    """Paragraphs of :func:`to_markdown` for several reports, with one legend at the end."""
    parts, used, above = [], dict[str, Column[Row]](), None
    for report in reports:
        for rows in groups(report.rows):
            shown = fitting(columns, rows)
            parts += [markdown_table(shown, rows), caption(rows, shown, above)]
            above = rows[0]
            edges = [row for row in rows if EDGE_F1.text(row)]
            if edges and EDGE_F1 not in shown:
                parts += [markdown_table(EDGES, edges), caption(edges, EDGES, above)]
                shown = [*shown, *EDGES]
            used |= {column.title: column for column in shown}
        parts.append(measured_on(report))
    meant = legend(used.values(), [row for report in reports for row in report.rows])
    return [*parts, *([escaped(". ".join(meant) + ".")] if meant else [])]


def caption(
    rows: Sequence[Row], columns: Sequence[Column[Any]] = (), above: Row | None = None
) -> str:
    """What rows of one table have in common, and which of them are to be doubted.

    Args:
        rows: of one yardstick, device and number of threads.
        columns: that the table has, and so need not be told.
        above: a row of the table before, whose data need not be told again.
    """
    same = above is not None and above.yardstick == rows[0].yardstick
    data = "Data and protocol as above." if same else data_line(rows[0])
    sizes = {f"Input {row.size}." for row in rows}
    size = [*sizes] if len(sizes) == 1 and INPUT not in columns else []
    extra = _roofline if ROOFLINE in columns else lambda _: ()
    said = zip(names(rows), ([*extra(row), *doubts(row)] for row in rows), strict=True)
    notes = (f"{note}." for note in _notes(said, ", "))
    blurred = [INEXACT] if EDGE_F1 in columns and not rows[0].drawn else []
    return escaped(" ".join([data, circumstances(rows), *size, *blurred, *notes]))


def measured_on(report: Report) -> str:
    """The machine of a report, and a warning where it was busy."""
    busy = report.environment.busy_line
    return escaped(f"Measured on {report.environment.describe()}." + f" {busy}." * bool(busy))


def marks(section: str) -> tuple[str, str]:
    """The lines between which a section of a page is generated."""
    return f"<!-- {section}: begin -->", f"<!-- {section}: end -->"


def between(page: str, section: str, content: str, name: str) -> str:
    """A page with this content in a section.

    Raises:
        UsageError: it has no such section; the message calls it by its name.
    """
    begin, end = marks(section)
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise UsageError(f"{name} lacks the lines {begin} and {end}")
    return f"{before}{begin}\n\n{content.strip()}\n\n{end}{after}"


# CSV


def to_csv(reports: Mapping[str, Report]) -> str:
    """All rows of results files: the file's path, the row's figures, then the machine's.

    Args:
        reports: by the paths of their files; "" for one that is not yet a file.

    Returns:
        CSV with a line of headings, ``latency_ms.p50 [ms]``; a figure that a row lacks is empty.
    """
    lines = [
        {
            **({"file": _line(name)} if name else {}),
            **dict(_scalars("", row)),
            **dict(_scalars("environment", report.environment)),
        }
        for name, report in reports.items()
        for row in report.rows
    ]
    headings = list(dict.fromkeys(heading for line in lines for heading in line))
    headings.sort(key=lambda heading: heading.startswith("environment."))  # stable: machine last
    stream = io.StringIO()
    writer = csv.DictWriter(stream, headings, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return stream.getvalue()


def _scalars(path: str, value: Any, unit: str = "") -> Iterator[tuple[str, Any]]:
    """Scalars below a value by path and unit; None is left out."""
    if is_dataclass(value) and not isinstance(value, type):
        units = {name: unit for name, (_, unit) in attributes(type(value)).items()}
        parts = [(field.name, getattr(value, field.name)) for field in fields(value)]
    elif isinstance(value, dict):
        units = {name: metric.unit for name, metric in ALL_METRICS.items()}
        parts = list(value.items())
    elif isinstance(value, tuple) and (hasattr(value, "_fields") or path.endswith("_interval")):
        units, parts = {}, list(zip(getattr(value, "_fields", ("low", "high")), value, strict=True))
    elif value is not None:
        scalar = "; ".join(map(str, value)) if isinstance(value, tuple) else value
        yield _line(f"{path} [{unit}]" if unit else path), _line(scalar)
        return
    else:
        return
    for name, part in parts:
        yield from _scalars(f"{path}.{name}".lstrip("."), part, units.get(name) or unit)


FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
"""What a spreadsheet takes for the begin of a formula; wide ones too."""


def _line(value: Any) -> Any:
    """Text in one line, with an apostrophe before what a spreadsheet would calculate."""
    if not isinstance(value, str):
        return value
    line = in_a_line(value)
    return f"'{line}" if line.startswith(FORMULA) else line
