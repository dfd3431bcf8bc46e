"""The command ``fastdepth-bench profile``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from fastdepth.console import print_table, progress, run_command, say
from fastdepth.errors import UsageError
from fastdepth.files import check_no_input, output
from fastdepth.images.parallel import usable_cores
from fastdepth.ranges import Threads, TimeLimit, check_needed, real
from fastdepth.runtime.answer import TIME_LIMIT
from fastdepth.runtime.ready import find_model
from fastdepth.size import Size
from fastdepth_bench.machine.roofline import measure_rates
from fastdepth_bench.profile.operators import Group, Profile

DESCRIPTION = """Where the time of a file goes, operator by operator.

Multiply-adds, bytes, time and share of each operator's own roofline: the least time in which this
machine could do its float32 multiply-adds or move its bytes, whichever takes longer. Both rates are
measured first. In 8 bits or bfloat16, and out of a cache, an operator can exceed that: its share is
then above 100 %. Operators are grouped by their kind, the one that takes longest first; ONNX
Runtime and OpenVINO join some of a file's, so that names are theirs. Profiling itself takes time.
Let nothing else run meanwhile: rates that were measured too low also make shares above 100 %.

Examples:

  fastdepth-bench profile mnv2-64-dws.onnx

  fastdepth-bench profile mnv2-64-dws.xml --threads 1 --json profile.json

  fastdepth-bench profile theirs.onnx --input-size 256x256 --each
"""

PROG = "fastdepth-bench profile"

HEADINGS = ("operators", "count", "MMAC", "MB", "ms", "of the time", "of its roofline")

SMALL = 1e-3
"""Kinds of operators that take a lesser share of the time are one line of the table."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """Options of ``fastdepth-bench profile``.

    Attributes:
        file: .onnx file of any network, .xml by fastdepth-export, or the name of one that comes
            ready, mnv2-64-dws.
        threads: CPU threads; all that this process may use if absent.
        seconds: run the file for so long [s], three times at least.
        each: list every operator, not the groups.
        input_size: of an .onnx file that leaves it open, WIDTHxHEIGHT.
        json: file for all figures of all operators; - for stdout, without the table.
        time_limit: for an inference of an .onnx file; one that takes longer is stopped [s].
    """

    file: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")]
    threads: Threads | None = None
    seconds: Annotated[float, real(0, 3600, above=True)] = 5.0
    each: bool = False
    input_size: str | None = None
    json: str | None = None
    time_limit: TimeLimit = TIME_LIMIT


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    return run_command(Command, _body, prog=PROG, description=DESCRIPTION, arguments=arguments)


def _body(command: Command) -> None:
    check_no_input(command.json, [command.file])
    with output(command.json) as write:
        with progress(PROG, None):
            found = profile(command)
        write(found.to_json())
    if command.json != "-":
        print_table(HEADINGS, cells(found, each=command.each))
        for line in notes(found):
            say(line)


def profile(command: Command) -> Profile:
    """Measure the machine, then the file.

    Raises:
        FastDepthError: the file cannot be read or run, or an option cannot work.
    """
    path, threads = command.file, command.threads or usable_cores()
    if threads > usable_cores():
        raise UsageError(f"threads {threads} must be 1 to {usable_cores()}, the cores there are")
    size = Size.parse(command.input_size) if command.input_size else None
    if path.suffix == ".xml":
        check_needed(command, False, "a .onnx file; leave it out", "input_size", "time_limit")
        from fastdepth_bench.profile.openvino_profile import profile_openvino

        timed = profile_openvino(path, threads, command.seconds)
    else:
        from fastdepth_bench.profile.onnx_profile import profile_onnx

        path = find_model(path)
        timed = profile_onnx(path, threads, command.seconds, size, command.time_limit)
    rates = measure_rates(threads, min(1.0, command.seconds / 3))
    return Profile(**vars(timed), file=path.name, rates=rates)


def cells(found: Profile, *, each: bool = False) -> list[tuple[str, ...]]:
    """Rows of the table under :data:`HEADINGS`, the longest first, and the total."""
    total = found.total()
    if each:
        alone = [Group.of(f"{o.name} {o.kind}", [o], found.rates) for o in found.operators]
        groups = sorted(alone, key=lambda group: -group.seconds)
    else:
        groups = found.groups()
        small = {group.kind for group in groups if group.seconds < SMALL * total.seconds}
        small = small if len(small) > 1 else set()
        rest = [each for each in found.operators if each.kind in small]
        groups = [group for group in groups if group.kind not in small]
        groups += [Group.of(f"{len(small)} other kinds", rest, found.rates)] if rest else []
    return [_cells(group, total) for group in (*groups, total)]


def _cells(group: Group, total: Group) -> tuple[str, ...]:
    of_time = group.seconds / total.seconds if total.seconds else 0.0
    return (
        group.kind,
        str(group.count),
        f"{group.macs / 1e6:.1f}" if group.macs else "-",
        f"{group.bytes / 1e6:.2f}",
        f"{1000 * group.seconds:.3f}",
        f"{100 * of_time:.1f} %",
        f"{100 * group.share:.0f} %" if group.least else "-",
    )


def notes(found: Profile) -> list[str]:
    """What the figures are of."""
    rates = found.rates
    return [
        f"{found.file}: {found.runtime}, {rates.threads} thread(s), medians of "
        f"{found.inferences} inferences; profiled, one takes "
        f"{1000 * found.whole:.2f} ms.",
        f"roofline of each operator: the larger of its multiply-adds over "
        f"{rates.macs_per_second / 1e9:.1f} GMAC/s (float32) and its bytes over "
        f"{rates.bytes_per_second / 1e9:.1f} GB/s, both measured now on as many threads.",
    ]
