"""The command ``fastdepth-bench compare``: what is worse or better between two results files.

- **Speed**, where both rows have an interval over restarts of the process: the two do not overlap.
  Elsewhere: the medians of the latency differ by more than 5 % and by more than the sum of the
  rows' notches, 1.57 IQR / sqrt(n), outside of which two medians differ at about the 95 % level
  (McGill, Tukey, Larsen, "Variations of box plots", The American Statistician 32, 1978).
- **Accuracy**, which has no noise on one list of samples: d1, d2 or d3 lower by more than
  ``tolerance``, an error or a metric of edges worse by more than ``error_tolerance`` of itself,
  more pixels that are not finite.
- **Bytes** of the file: more than 1 % more.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Annotated, Any

import tyro

from fastdepth.console import print_table, run_command, say
from fastdepth.documents import MOST
from fastdepth.errors import UsageError
from fastdepth.metrics import ALL_METRICS, METRICS
from fastdepth.ranges import check_ranges, real
from fastdepth_bench.report.cells import Column
from fastdepth_bench.report.columns import D1, FPS, MB, SCORES, X_OLD
from fastdepth_bench.report.render import NOTHING
from fastdepth_bench.report.select import Step, names
from fastdepth_bench.results.file import Report, read_report
from fastdepth_bench.results.row import OFFLINE, Row

DESCRIPTION = """Compare two results files: what got faster, slower or less accurate beyond noise.

Exit status 1 where anything got worse, failed or is missing, for use in CI.

Examples:

  fastdepth-bench compare old.json new.json

  fastdepth-bench compare old.json new.json --tolerance 0.01

  fastdepth-bench compare laptop.json server.json --other-machine

In CI, on the machine that measured baseline.json:

  fastdepth-bench --weights mine.safetensors --data nyu:PATH --json new.json &&
      fastdepth-bench compare baseline.json new.json
"""

PROG = "fastdepth-bench compare"

Tolerance = Annotated[float, real(0, 1, below=True)]

LEAST_CHANGE = 0.05
"""Share of the latency below which medians of single runs are taken to be equal."""

LEAST_GROWTH = 0.01
"""Share of the bytes below which files are taken to be of one size."""


@dataclass(frozen=True)
class Limits:
    """From where on a change counts.

    Attributes:
        tolerance: of d1, d2 and d3, absolute.
        error_tolerance: of errors and of metrics of edges, as a share of the old one: F1 of
            boundaries is .03 where d1 is .77.
        speed: whether speeds are compared at all.
    """

    tolerance: Tolerance = 0.005
    error_tolerance: Tolerance = 0.02
    speed: bool = True


@dataclass(frozen=True)
class Command:
    """Options of ``fastdepth-bench compare``."""

    old: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OLD")]
    """Results file to compare with."""

    new: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="NEW")]
    """Results file to judge."""

    tolerance: Tolerance = Limits.tolerance
    """d1, d2 or d3 may be lower by so much."""

    error_tolerance: Tolerance = Limits.error_tolerance
    """AbsRel, RMSE and the other errors, and metrics of edges, may be worse by this share of
    themselves."""

    other_machine: bool = False
    """Compare files of different machines: accuracy and bytes alone, not speed."""


@dataclass(frozen=True)
class Comparison:
    """One row of the old file, the new file, or both.

    Attributes:
        old: the row before; None where it is new.
        new: the row now; None where it is missing.
        worse: what got worse beyond noise, each a word and its figures.
        better: what got better beyond noise.
    """

    old: Row | None
    new: Row | None
    worse: tuple[tuple[str, str], ...] = ()
    better: tuple[tuple[str, str], ...] = ()

    @property
    def row(self) -> Row:
        """The row that names it."""
        row = self.new or self.old
        assert row is not None  # one of the two is always there
        return row

    @property
    def step(self) -> Step | None:
        """The row now beside the row before, where there are both."""
        return Step(self.new, self.old) if self.new and self.old else None

    @property
    def words(self) -> str:
        """What became of the row, in a few words that do not break."""
        words = [word for word, _ in (*self.worse, *self.better)]
        quiet = "new" if self.old is None else "still fails" if self.row.error else "same"
        return ", ".join(word.replace(" ", "\xa0") for word in words or [quiet])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        0; 1 where something is worse; 2 for what the user can mend.
    """
    return run_command(Command, _body, prog=PROG, description=DESCRIPTION, arguments=arguments)


def _body(command: Command) -> int:
    reports = {path: read_report(path) for path in (command.old, command.new)}
    old, new = reports[command.old], reports[command.new]
    machines = old.environment.machine, new.environment.machine
    if machines[0] != machines[1] and not command.other_machine:
        raise UsageError(
            f"measured on different machines ({machines[0]} and {machines[1]}), so speeds do not "
            "compare; add --other-machine to compare accuracy and bytes alone"
        )
    limits = Limits(command.tolerance, command.error_tolerance, not command.other_machine)
    comparisons = compare(old, new, limits)
    _print(comparisons, limits)
    for path, report in reports.items():
        if report.environment.busy:
            say(f"{path}: {report.environment.busy_line}")
    say(verdict(comparisons))
    return int(any(each.worse for each in comparisons))


def verdict(comparisons: Sequence[Comparison]) -> str:
    """One line: whether anything is worse, and how many rows are what."""
    counts = Counter(word for each in comparisons for word, _ in (*each.worse, *each.better))
    said = [f"{number} {word}" for word, number in counts.items()]
    worse = sum(bool(each.worse) for each in comparisons)
    rows = f"{len(comparisons)} row" + ("s" if len(comparisons) != 1 else "")
    tail = f": {', '.join(said)}" if said else ", none changed beyond noise"
    return f"REGRESSION in {worse} of {rows}{tail}" if worse else f"no regression in {rows}{tail}"


def _print(comparisons: Sequence[Comparison], limits: Limits) -> None:
    """A line a row as it is now, then what changed in words."""
    quiet: list[Column[Comparison]] = [column.of(_new) for column in (D1, MB)]
    speed = [FPS.of(_new), X_OLD.of(lambda each: each.step)]
    columns = [*speed, *quiet] if limits.speed else quiet
    found = list(
        zip(count(1), names([each.row for each in comparisons]), comparisons, strict=False)
    )
    lines = [
        (str(number), name, *(column.text(each) or NOTHING for column in columns), each.words)
        for number, name, each in found
    ]
    print_table(("#", "row", *(column.title for column in columns), "verdict"), lines)
    for number, name, each in found:
        for word, figures in (*each.worse, *each.better):
            say(f"#{number} {name}: {word}: {figures}")


def _new(each: Comparison) -> Row | None:
    return each.new


Finding = tuple[bool, str, str]
"""Whether it is for the worse, a word for it, and its figures."""


def compare(old: Report, new: Report, limits: Limits = Limits()) -> list[Comparison]:
    """Compare every row of two results files.

    Args:
        old: the file to compare with.
        new: the file to judge.
        limits: from where on a change counts.

    Returns:
        Rows in the order of the old file, then those that are new.

    Raises:
        UsageError: no row of the one has an alignment of the other.
    """
    check_ranges(limits)
    _check_alignments(old, new)
    before, now = (_by_identity(report.rows, limits.speed) for report in (old, new))
    return [
        _compared(before.get(key), now.get(key), limits) for key in dict.fromkeys([*before, *now])
    ]


def _check_alignments(old: Report, new: Report) -> None:
    """Refuse files whose scores were fitted to the truth in ways that do not compare."""
    before, now = ({row.alignment for row in report.rows} for report in (old, new))
    if before.isdisjoint(now):
        raise UsageError(
            f"scored under different alignments ({', '.join(sorted(before))[:MOST]} and "
            f"{', '.join(sorted(now))[:MOST]}), which do not compare; measure both with the same "
            "--align"
        )


def _by_identity(rows: Sequence[Row], speed: bool) -> dict[tuple[Any, ...], Row]:
    """Rows by what they measure; where several measure the same, by their order as well.

    Threads change speeds alone, so without these rows with any number of them are the same.
    """
    seen: Counter[tuple[Any, ...]] = Counter()
    found = {}
    for row in rows:
        key = (
            *(row.name, row.weights, row.target, row.device, row.untrained, row.size),
            *row.yardstick,
            row.threads if speed else None,
            row.scenario,
            None if row.scenario == OFFLINE else row.batch,  # the run found that one itself
            row.queries and (row.queries.rate, row.queries.samples),
        )
        seen[key] += 1
        found[(*key, seen[key])] = row
    return found


def _compared(old: Row | None, new: Row | None, limits: Limits) -> Comparison:
    findings: list[Finding] = []
    if new is None:
        findings.append((True, "missing", "not in the new file"))
    elif new.error:
        findings += [] if old and old.error else [(True, "fails", new.error)]
    elif old and old.error:
        findings.append((False, "works", f"failed before: {old.error}"))
    elif old:
        findings += [*_accuracy(old, new, limits), *_bytes(old, new)]
        if limits.speed:
            findings += [*_speed(old, new), *_overload(old, new)]
    worse, better = (
        tuple((word, figures) for bad, word, figures in findings if bad is side)
        for side in (True, False)
    )
    return Comparison(old, new, worse, better)


def _speed(old: Row, new: Row) -> Iterator[Finding]:
    """Faster or slower, where that is beyond noise."""
    before, now, span, new_span = old.fps, new.fps, old.fps_interval, new.fps_interval
    if before and not now:
        yield True, "untimed", "speed is no longer measured"
    if not before or not now:
        return
    if span and new_span:
        beyond = new_span[0] > span[1] or new_span[1] < span[0]
        how = "the intervals do not overlap"
    else:
        noise = max(LEAST_CHANGE, _notch(old) + _notch(new) * before / now)
        beyond, how = abs(before / now - 1) > noise, f"noise {100 * noise:.1f} %"
    if beyond:
        yield (
            now < before,
            "slower" if now < before else "faster",
            f"{_change(FPS, old, new)}; {how}",
        )


def _notch(row: Row) -> float:
    """Half the notch of McGill et al. about the median latency, as a share of it."""
    if not row.latency_ms or not row.n:
        return 0.0
    return 1.57 * row.latency_ms.iqr / math.sqrt(row.n) / row.latency_ms.p50


def _overload(old: Row, new: Row) -> Iterator[Finding]:
    """Whether a server began or ceased to keep up with its queries."""
    before, now = (bool(row.queries and row.queries.overloaded) for row in (old, new))
    if before != now:
        yield now, "overloaded" if now else "keeps up", "at the same rate of queries"


def _accuracy(old: Row, new: Row, limits: Limits) -> Iterator[Finding]:
    """Metrics that left their tolerance."""
    before, now = old.metrics, new.metrics
    if not before or not now:
        if before:
            yield True, "unscored", "accuracy is no longer measured"
        return
    lost = [SCORES[name].title for name in ALL_METRICS if name in before and name not in now]
    if lost:
        yield True, "unscored", f"no longer measured: {', '.join(lost)}"
    wrong = [int(metrics.get("nonfinite", 0)) for metrics in (before, now)]
    if wrong[1] > wrong[0]:
        yield True, "not finite", f"{wrong[0]} -> {wrong[1]} pixels"
    changed: dict[bool, list[str]] = {True: [], False: []}
    for name, metric in ALL_METRICS.items():
        if name in before and name in now:
            more = now[name] - before[name]
            allowed = limits.error_tolerance * before[name]
            if metric.higher_is_better and name in METRICS:
                allowed = limits.tolerance
            if abs(more) > allowed:
                figures = f"{SCORES[name].title} {before[name]:.4f} -> {now[name]:.4f}"
                changed[(more < 0) is metric.higher_is_better].append(figures)
    for worse, word in ((True, "less accurate"), (False, "more accurate")):
        if changed[worse]:
            yield worse, word, ", ".join(changed[worse])


def _bytes(old: Row, new: Row) -> Iterator[Finding]:
    before, now = old.bytes, new.bytes
    if before and not now:
        yield True, "no size", "bytes of the file are no longer known"
    if before and now and abs(now - before) > LEAST_GROWTH * before:
        yield now > before, "larger" if now > before else "smaller", _change(MB, old, new)


def _change(column: Column[Row], old: Row, new: Row) -> str:
    """A figure then and now: ``10.0 [9.80, 10.2] -> 7.69 frames/s, -23.1 %``."""
    share = 100 * (column.value(new) / column.value(old) - 1)
    return (
        f"{column.text(old)} -> {column.text(new)} {column.unit or column.heading}, {share:+.1f} %"
    )
