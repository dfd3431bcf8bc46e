"""The command ``fastdepth-bench compare``: two results files, for a user's CI."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Annotated, Any

import tyro

from fastdepth.console import print_table, run_command
from fastdepth.errors import UsageError
from fastdepth_bench.report.comparison import Comparison, Limits, compare
from fastdepth_bench.report.terminal import busy_lines
from fastdepth_bench.results.environment import Environment
from fastdepth_bench.results.reading import is_folding, machine, read_results, short_names

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
