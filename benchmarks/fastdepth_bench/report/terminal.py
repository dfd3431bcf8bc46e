"""Results as tables for a terminal: one per yardstick, so that unlike figures never share one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from fastdepth_bench.case import PLAIN, SERVER, SINGLE_STREAM
from fastdepth_bench.measure.accuracy import Yardstick
from fastdepth_bench.measure.bootstrap import Interval
from fastdepth_bench.measure.pooling import Pooled, Versus
from fastdepth_bench.measure.timing import NOISY
from fastdepth_bench.results.environment import Environment
from fastdepth_bench.results.result import Report, Result

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
    """One table where the terminal is wide enough, else as few as it takes, one below the other."""
    identity = _identity_columns(row for _, row in rows)
    versus = _versus_columns(row for _, row in rows)
    parts: list[list[Column]] = []
    for group in (_SPEED, [*_END_TO_END, *versus], _COST, _accuracy_columns(yardstick)):
        wider = [*parts[-1], *group] if parts else [*identity, *group]
        if not parts or _width(_table(rows, wider), console) <= console.width:
            parts[-1:] = [wider]
        else:
            parts.append([identity[0], *group])
    return [_fitting(_table(rows, part), console) for part in parts]


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


def _identity_columns(rows: Iterable[Result]) -> list[Column]:
    """What a row is; its scenario where not all are of the usual one."""
    columns = [
        Column("variant", lambda row: row.case.name, "left"),
        Column("runtime", lambda row: row.case.runtime, "left"),
        Column("precision", lambda row: row.case.precision, "left"),
        Column("size", lambda row: str(row.case.size), "left"),
    ]
    if any(row.case.scenario != SINGLE_STREAM for row in rows):
        columns.append(Column("scenario", _scenario, "left"))
    return columns


def _scenario(row: Result) -> str:
    """The scenario, and the images of a query or the queries per second that decide it."""
    case, rate = row.case, row.case.rate
    if case.scenario == SERVER:
        return case.scenario if rate is None else f"{case.scenario} {_short(rate)}/s"
    return case.scenario if case.batch == 1 else f"{case.scenario} x{case.batch}"


def _latency(name: str) -> Callable[[Result], str]:
    return lambda row: _short(getattr(row.timing, name)) if row.timing else ""


def _interval(pooled: Pooled | None) -> str:
    """Between which frames/s the inference's lie."""
    return "" if pooled is None else f"[{_short(pooled.fps.low)}, {_short(pooled.fps.high)}]"


_SPEED = [
    Column("inference\nframes/s", lambda row: _short(row.pooled.fps.value) if row.pooled else ""),
    Column("95 %", lambda row: _interval(row.pooled), "left"),
    Column("p50\nms", _latency("p50")),
    Column("p99\nms", _latency("p99")),
]

_END_TO_END = [
    Column(
        "end to end\nframes/s",
        lambda row: _short(row.pooled.end_to_end_fps.value) if row.pooled else "",
    )
]

_COST = [
    Column("file\nMB", lambda row: _short(row.cost.bytes / 1e6) if row.cost else ""),
    Column("memory\nMB", lambda row: _memory(row)),
    Column("params\nM", lambda row: _short(row.cost.params / 1e6) if row.cost else ""),
    Column("GMAC", lambda row: _short(row.cost.macs / 1e9) if row.cost else ""),
    Column("of\nceiling", lambda row: _share(row)),
]


def _memory(row: Result) -> str:
    """Peak resident set; on a GPU its memory."""
    if row.pooled is None:
        return ""
    peak = row.pooled.peak_gpu if row.case.device != "cpu" else row.pooled.peak_resident
    return "" if peak is None else _short(peak / 1e6)


def _share(row: Result) -> str:
    if row.ceiling is None or row.pooled is None:
        return ""
    return f"{100 * row.ceiling.share(row.pooled.stages.inference):.0f} %"


def _versus_columns(rows: Iterable[Result]) -> list[Column]:
    """How many times faster than the other; none where no row was compared."""
    found = dict.fromkeys(row.against.name for row in rows if row.against)
    names = [name for name in found if f"{name}{PLAIN}" not in found]  # in PyTorch always plain
    if not names:
        return []

    def column(heading: str, of: Callable[[Versus], Interval]) -> Column:
        def text(row: Result) -> str:
            versus = row.pooled and row.pooled.versus
            if not versus:
                return ""
            ratio = of(versus)
            return f"{ratio.value:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]"

        return Column(heading, text)

    name = " ".join(names)
    return [
        column(f"times as fast as\n{name}\ninference", lambda versus: versus.inference),
        column("\n\nend to end", lambda versus: versus.end_to_end),
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
    if row.ceiling and row.pooled:
        yield f"ceiling: {row.ceiling.binds} bind"
    if row.timing and not row.timing.warm_up.stable:
        yield "unsteady: the median still moved when warm-up ended"
    if row.timing and row.timing.noisy:
        yield f"noisy: times vary by more than {NOISY:.0%} of their mean"
    if row.pooled and row.pooled.queries and row.pooled.queries.overloaded:
        yield "overloaded: queries came faster than they can be answered, so the queue only grew"
    if row.pooled and row.pooled.from_disk:
        disk = row.pooled.from_disk
        yield (
            f"from disk, decoded and resized too: {_short(disk.fps)} images/s over "
            f"{disk.images} images, {disk.failed} of them unreadable"
        )
    if row.scores and row.scores.nonfinite:
        yield f"NaN or infinite at {row.scores.nonfinite} of {row.scores.pixels} pixels"


def _environment_lines(environment: Environment, rows: Sequence[Result]) -> list[str]:
    threads = sorted({row.case.threads for row in rows})
    batches = sorted({row.case.batch for row in rows})
    devices = dict.fromkeys(row.case.device for row in rows)
    return [
        *_legend(rows),
        f"device {', '.join(devices)}; threads {', '.join(map(str, threads))}; "
        f"batch {', '.join(map(str, batches))}; MB of 10^6 bytes",
        environment.describe(),
        *busy_lines(environment),
    ]


def _legend(rows: Sequence[Result]) -> Iterator[str]:
    """What the headings mean, as far as the rows need it."""
    measured = next((row for row in rows if row.pooled), None)
    if measured is None or measured.pooled is None:
        return
    restarts = measured.pooled.restarts
    frame = f", a frame of {measured.frame_size}" if measured.frame_size else ""
    yield (
        "inference: image in host memory to depth in host memory; end to end: from the camera's "
        f"frame to depth at its size{frame}; frames/s at the median; 95 %: the interval in which "
        f"the median lies over {restarts} restart{'s' * (restarts > 1)} of the process"
    )
    if any(row.pooled and row.pooled.versus for row in rows):
        yield (
            "times as fast: both timed in turns, frame by frame, in the same processes; ratio of "
            "the medians and its 95 % interval"
        )
    yield "memory: greatest resident set of the row's own process, with Python and its libraries"
    if measured.rates is not None:
        yield f"of ceiling: least time by p50; the least time is {measured.rates.describe()}"


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
