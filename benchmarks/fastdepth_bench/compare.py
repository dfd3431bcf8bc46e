"""The command ``fastdepth-bench compare``: what is worse or better between two results files.

What counts as beyond noise:

- **Speed**, where both rows have an interval over restarts of the process: the two do not overlap.
  Elsewhere: the medians of the latency differ by more than 5 % and by more than the sum of the
  rows' notches, 1.57 IQR / sqrt(n), outside of which two medians differ at about the 95 % level
  (McGill, Tukey, Larsen, "Variations of box plots", The American Statistician 32, 1978).
- **Accuracy**, which has no noise on one list of samples: a threshold accuracy lower by more than
  ``tolerance``, an error larger by more than ``error_tolerance`` of itself, more pixels that are
  not finite.
- **Bytes** of the file: more than 1 % more.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Annotated, Any

import tyro

from fastdepth.console import print_table, run_command
from fastdepth.errors import UsageError
from fastdepth_bench.environment import Environment
from fastdepth_bench.reading import (
    OFFLINE,
    YARDSTICK,
    Row,
    is_folding,
    machine,
    read_results,
    scenario,
    short_names,
)
from fastdepth_bench.table import busy_lines

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

LEAST_CHANGE = 0.05
"""Share of the latency below which medians of single runs are taken to be equal."""

LEAST_GROWTH = 0.01
"""Share of the bytes below which files are taken to be of one size."""

HIGHER_IS_BETTER = ("d1", "d2", "d3")
LOWER_IS_BETTER = ("abs_rel", "sq_rel", "rmse", "rmse_log", "log10", "silog", "mae", "mse")

IDENTITY = (
    "variant",
    "weights",
    "runtime",
    "precision",
    "device",
    "untrained",
    *YARDSTICK,
)
"""Keys that two rows share when they measure the same thing."""


@dataclass(frozen=True)
class Command:
    """Options of ``fastdepth-bench compare``."""

    old: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OLD")]
    """Results file to compare with."""

    new: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="NEW")]
    """Results file to judge."""

    tolerance: float = 0.005
    """d1, d2 or d3 may be lower by so much."""

    error_tolerance: float = 0.02
    """AbsRel, RMSE and the other errors may be larger by this share of themselves."""

    other_machine: bool = False
    """Compare files of different machines: accuracy and bytes alone, not speed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        0; 1 where something is worse; 2 for what the user can mend.
    """
    return run_command(Command, _body, prog=PROG, description=DESCRIPTION, arguments=arguments)


def _body(command: Command) -> int:
    for name in ("tolerance", "error_tolerance"):
        if not 0 <= getattr(command, name) < 1:
            option = name.replace("_", "-")
            raise UsageError(f"--{option} {getattr(command, name):g} must be 0 to below 1")
    reports = [read_results(path) for path in (command.old, command.new)]
    for path, report in zip((command.old, command.new), reports, strict=True):
        if is_folding(report):
            raise UsageError(f"{path} is of the folding benchmark; give files of fastdepth-bench")
    machines = [machine(report) for report in reports]
    if machines[0] != machines[1] and not command.other_machine:
        raise UsageError(
            f"measured on different machines ({machines[0]} and {machines[1]}), so speeds do not "
            "compare; add --other-machine to compare accuracy and bytes alone"
        )
    limits = Limits(command.tolerance, command.error_tolerance, not command.other_machine)
    comparisons = compare(reports[0], reports[1], limits)
    _print(comparisons, limits)
    for path, report in zip((command.old, command.new), reports, strict=True):
        for line in busy_lines(Environment.from_dict(report["environment"])):
            sys.stdout.write(f"{path}: {line}\n")
    sys.stdout.write(f"{verdict(comparisons)}\n")
    return int(any(each.worse for each in comparisons))


@dataclass(frozen=True)
class Limits:
    """From where on a change counts.

    Attributes:
        tolerance: of d1, d2 and d3, absolute.
        error_tolerance: of the errors, as a share of the old one.
        speed: whether speeds are compared at all.
    """

    tolerance: float = 0.005
    error_tolerance: float = 0.02
    speed: bool = True


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


Finding = tuple[bool, str, str]
"""Whether it is for the worse, a word for it, and its figures."""


def compare(
    old: Mapping[str, Any], new: Mapping[str, Any], limits: Limits = Limits()
) -> list[Comparison]:
    """Compare every row of two parsed results files.

    Args:
        old: as ``result.schema.json`` describes it.
        new: the same.
        limits: from where on a change counts.

    Returns:
        Rows in the order of the old file, then those that are new.
    """
    before, now = (_by_identity(report["rows"], limits.speed) for report in (old, new))
    return [
        _compared(before.get(key), now.get(key), limits) for key in dict.fromkeys([*before, *now])
    ]


def _by_identity(rows: Sequence[Row], speed: bool) -> dict[tuple[Any, ...], Row]:
    """Rows by what they measure; where several measure the same, by their order as well.

    Threads change speeds alone, so without these rows with any number of them are the same.
    """
    seen: Counter[tuple[Any, ...]] = Counter()
    found = {}
    for row in rows:
        queries = row.get("queries") or {}
        key = (
            *(row[name] for name in IDENTITY),
            *row["size"],
            row["threads"] if speed else None,
            row.get("fold", True),
            scenario(row),
            None if scenario(row) == OFFLINE else row["batch"],  # the run found that one itself
            queries.get("rate"),
            queries.get("samples"),
        )
        seen[key] += 1
        found[(*key, seen[key])] = row
    return found


def _compared(old: Row | None, new: Row | None, limits: Limits) -> Comparison:
    findings: list[Finding] = []
    if new is None:
        findings.append((True, "missing", "not in the new file"))
    elif old is None:
        findings += [(True, "fails", new["error"])] if new["error"] else []
    elif new["error"]:
        findings += [] if old["error"] else [(True, "fails", new["error"])]
    elif old["error"]:
        findings.append((False, "works", f"failed before: {old['error']}"))
    else:
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
    before, now = old["fps"], new["fps"]
    span, new_span = old.get("fps_interval"), new.get("fps_interval")
    if span and new_span:
        (low, high), (new_low, new_high) = span, new_span
        beyond = new_low > high or new_high < low
        how = f"intervals {low:.2f} to {high:.2f} and {new_low:.2f} to {new_high:.2f}"
    else:
        noise = max(LEAST_CHANGE, _notch(old) + _notch(new) * before / now)
        beyond = abs(before / now - 1) > noise
        how = f"noise {100 * noise:.1f} %"
    if beyond:
        worse = now < before
        figures = f"{before:.2f} -> {now:.2f} frames/s, {_percent(now / before)}; {how}"
        yield worse, "slower" if worse else "faster", figures


def _notch(row: Row) -> float:
    """Half the notch of McGill et al. about the median latency, as a share of it."""
    latency = row["latency_ms"]
    return float(1.57 * latency["iqr"] / math.sqrt(row["n"]) / latency["p50"])


def _overload(old: Row, new: Row) -> Iterator[Finding]:
    """Whether a server began or ceased to keep up with its queries."""
    before, now = ((row.get("queries") or {}).get("overloaded", False) for row in (old, new))
    if bool(before) != bool(now):
        yield bool(now), "overloaded" if now else "keeps up", "at the same rate of queries"


def _accuracy(old: Row, new: Row, limits: Limits) -> Iterator[Finding]:
    """Metrics that left their tolerance."""
    before, now = old["metrics"], new["metrics"]
    if not before or not now:
        if before:
            yield True, "unscored", "accuracy is no longer measured"
        return
    if now["nonfinite"] > before["nonfinite"]:
        yield True, "not finite", f"{before['nonfinite']} -> {now['nonfinite']} pixels"
    changed = [
        (now[name] < before[name], name)
        for name in HIGHER_IS_BETTER
        if abs(now[name] - before[name]) > limits.tolerance
    ]
    changed += [
        (now[name] > before[name], name)
        for name in LOWER_IS_BETTER
        if abs(now[name] - before[name]) > limits.error_tolerance * before[name]
    ]
    for worse, word in ((True, "less accurate"), (False, "more accurate")):
        names = [name for bad, name in changed if bad is worse]
        if names:
            yield worse, word, ", ".join(f"{n} {before[n]:.4f} -> {now[n]:.4f}" for n in names)


def _bytes(old: Row, new: Row) -> Iterator[Finding]:
    before, now = old["bytes"], new["bytes"]
    if abs(now - before) > LEAST_GROWTH * before:
        worse = now > before
        figures = f"{before / 1e6:.2f} -> {now / 1e6:.2f} MB, {_percent(now / before)}"
        yield worse, "larger" if worse else "smaller", figures


def _percent(ratio: float) -> str:
    return f"{100 * (ratio - 1):+.1f} %"


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
    columns = {title: cell for title, cell in _COLUMNS.items() if limits.speed or title in _QUIET}
    names = short_names([each.row for each in comparisons])
    lines = [
        (str(number), name, *(cell(each) or "-" for cell in columns.values()), _words(each))
        for number, name, each in zip(count(1), names, comparisons, strict=False)
    ]
    print_table(("#", "row", *columns, "verdict"), lines)
    for number, name, each in zip(count(1), names, comparisons, strict=False):
        for word, figures in (*each.worse, *each.better):
            sys.stdout.write(f"#{number} {name}: {word}: {figures}\n")


def _words(each: Comparison) -> str:
    """What became of a row, in a few words that do not break."""
    words = [word for word, _ in (*each.worse, *each.better)]
    quiet = "new" if each.old is None else "still fails" if each.row["error"] else "same"
    return ", ".join(word.replace(" ", "\xa0") for word in words or [quiet])


def _now(key: str, show: Callable[[Any], str]) -> Callable[[Comparison], str]:
    """A figure of the new row, empty where there is none."""
    return lambda each: "" if each.new is None or not each.new[key] else show(each.new[key])


def _ratio(each: Comparison) -> str:
    """How many times faster it is now: 0.83x is slower."""
    before, now = (row and row["fps"] for row in (each.old, each.new))
    return f"{now / before:.2f}x" if before and now else ""


_COLUMNS: Mapping[str, Callable[[Comparison], str]] = {
    "frames/s": _now("fps", lambda fps: f"{fps:.2f}"),
    "speed": _ratio,
    "d1": _now("metrics", lambda metrics: f"{metrics['d1']:.3f}"),
    "MB": _now("bytes", lambda size: f"{size / 1e6:.1f}"),
}
_QUIET = ("d1", "MB")
"""Columns of what no machine changes."""
