"""Results as tables for a terminal: one per yardstick, so that unlike figures never share one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from fastdepth_bench.accuracy import Yardstick
from fastdepth_bench.environment import Environment
from fastdepth_bench.result import Report, Result

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

NOTHING = "-"
"""Stands where nothing was measured; a note below says why."""

Numbered = tuple[int, Result]
"""A row with its number, by which notes and the halves of a split table refer to it."""


@dataclass(frozen=True)
class Column:
    """A column: its heading, and what it prints of a row, empty where it was not measured."""

    heading: str
    text: Callable[[Result], str]
    justify: str = "right"


def print_report(report: Report, console: Console) -> None:
    """Print every row, and below them what is needed to read and to repeat them."""
    numbered = list(zip(count(1), report.rows, strict=False))
    for yardstick in dict.fromkeys(row.yardstick for row in report.rows):
        group = [(number, row) for number, row in numbered if row.yardstick == yardstick]
        for table in _tables(group, yardstick, console):
            console.print(table)
            console.print()
        print_lines(console, [yardstick.describe(), *_notes(group)])
        console.print()
    print_lines(console, _environment_lines(report.environment, report.rows))


def _tables(rows: Sequence[Numbered], yardstick: Yardstick, console: Console) -> list[Table]:
    """One table where the terminal is wide enough, else speed above accuracy."""
    identity, accuracy = _identity_columns(), _accuracy_columns(yardstick)
    whole = _table(rows, [*identity, *_SPEED, *_COST, *accuracy])
    if _width(whole, console) <= console.width:
        return [whole]
    halves = [*identity, *_SPEED], [identity[0], *_COST, *accuracy]
    return [_fitting(_table(rows, half), console) for half in halves]


def _width(table: Table, console: Console) -> int:
    """Columns that a table needs, however wide the terminal is."""
    from rich.measure import Measurement

    return Measurement.get(console, console.options.update(max_width=1000), table).maximum


def _fitting(table: Table, console: Console) -> Table:
    """The table, drawn closer if it is too wide."""
    if _width(table, console) > console.width:
        table.padding = 0
    return table


def _table(rows: Sequence[Numbered], columns: Sequence[Column]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1), collapse_padding=True)
    table.add_column("#", justify="right", no_wrap=True)
    for column in columns:
        table.add_column(
            column.heading,
            justify="left" if column.justify == "left" else "right",
            vertical="bottom",
            no_wrap=True,
        )
    for number, row in rows:
        cells = [column.text(row) or NOTHING for column in columns]
        table.add_row(str(number), *cells, style="red" if row.error else None)
    return table


def _identity_columns() -> list[Column]:
    return [
        Column("variant", lambda row: row.case.variant, "left"),
        Column("runtime", lambda row: row.case.runtime, "left"),
        Column("precision", lambda row: row.case.precision, "left"),
        Column("size", lambda row: str(row.case.size), "left"),
    ]


def _latency(name: str) -> Callable[[Result], str]:
    return lambda row: _short(getattr(row.timing, name)) if row.timing else ""


_SPEED = [
    Column("frames\n/s", lambda row: _short(row.timing.fps) if row.timing else ""),
    Column("p50\nms", _latency("p50")),
    Column("p90\nms", _latency("p90")),
    Column("p99\nms", _latency("p99")),
]

_COST = [
    Column("MB", lambda row: _short(row.cost.bytes / 1e6) if row.cost else ""),
    Column("params\nM", lambda row: _short(row.cost.params / 1e6) if row.cost else ""),
    Column("GMAC", lambda row: _short(row.cost.macs / 1e9) if row.cost else ""),
]


def _accuracy_columns(yardstick: Yardstick) -> list[Column]:
    """Headed by the data's name, so that no column can be taken for another data set's."""

    def score(name: str) -> Callable[[Result], str]:
        return lambda row: f"{getattr(row.scores, name):.3f}" if row.scores else ""

    named = {"d1": "d1", "d2": "d2", "d3": "d3", "abs_rel": "AbsRel", "rmse": "RMSE\xa0m"}
    data = yardstick.data.replace(" ", "\n")
    columns = [Column(f"{data}\n{heading}", score(name)) for name, heading in named.items()]
    return [*columns, Column(f"{data}\nd1-torch", _difference)]


def _difference(row: Result) -> str:
    return "" if row.d1_minus_torch is None else signed(row.d1_minus_torch)


def signed(value: float) -> str:
    """Four decimals with a sign; what rounds to nothing is +0.0000."""
    return f"{round(value, 4) + 0.0:+.4f}"


def _short(value: float) -> str:
    """Three digits or more: 2.41, 24.1, 241."""
    return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f}"


def _notes(rows: Iterable[Numbered]) -> list[str]:
    """What the rows' figures alone do not tell; rows of which the same is true share a line."""
    numbers: dict[str, list[str]] = {}
    for number, row in rows:
        for remark in _remarks(row):
            numbers.setdefault(remark, []).append(f"#{number}")
    return [f"{' '.join(found)} {remark}" for remark, found in numbers.items()]


def _remarks(row: Result) -> Iterator[str]:
    if row.error:
        yield f"failed: {row.error}"
        return
    if row.case.trained:
        yield f"weights {row.case.weights_name}, hash {row.case.weights_hash}"
    else:
        yield "untrained: random weights, so accuracy is left empty"
    if row.timing and not row.timing.warm_up.stable:
        yield "unsteady: the median still moved when warm-up ended"
    if row.scores and row.scores.nonfinite:
        yield f"NaN or infinite at {row.scores.nonfinite} of {row.scores.pixels} pixels"


def _environment_lines(environment: Environment, rows: Iterable[Result]) -> list[str]:
    threads = sorted({row.case.threads for row in rows})
    batches = sorted({row.case.batch for row in rows})
    devices = dict.fromkeys(row.case.device for row in rows)
    lines = [
        f"device {', '.join(devices)}; threads {', '.join(map(str, threads))}; "
        f"batch {', '.join(map(str, batches))}; frames/s at the median latency, network input "
        "in host memory to depth in host memory; MB of 10^6 bytes",
        environment.describe(),
    ]
    return [*lines, *busy_lines(environment)]


def busy_lines(environment: Environment) -> list[str]:
    """A line of warning where other processes were at work; else nothing."""
    if not environment.busy:
        return []
    load = environment.other_load
    used = "" if load is None else f": other processes used {load:.1f} cores"
    return [f"BUSY MACHINE{used}; times may be too long; repeat when it is idle"]


def print_lines(console: Console, lines: Iterable[str]) -> None:
    """Plain text: no markup or colours guessed from a user's file names."""
    for line in lines:
        console.print(line, markup=False, highlight=False)
