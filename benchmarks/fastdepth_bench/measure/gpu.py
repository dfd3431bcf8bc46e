"""Everything that wants a GPU, in one run and one JSON file: ``fastdepth-bench gpu``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fastdepth.console import Advance, progress, run_command, tell
from fastdepth.data import DataOptions
from fastdepth.errors import FastDepthError
from fastdepth.files import write_text
from fastdepth.variants import VARIANTS
from fastdepth_bench.case import REFERENCE
from fastdepth_bench.measure.accuracy import Yardstick
from fastdepth_bench.measure.row import empty_row
from fastdepth_bench.measure.run import run, steps
from fastdepth_bench.options import Options
from fastdepth_bench.results.file import Report
from fastdepth_bench.results.row import Row
from fastdepth_bench.runners.opening import refusal
from fastdepth_export.targets import TARGETS, Target

PROG = "fastdepth-bench gpu"

DESCRIPTION = """Build, check and time all that wants a GPU, into one results file.

PyTorch eager, as a CUDA graph and compiled and, where they are there, ONNX Runtime's CUDA provider
and TensorRT: every variant in every precision. What cannot run gets a row that says why.

Examples:

  fastdepth-bench gpu --data nyu:PATH --output gpu.json

  fastdepth-bench gpu --dry-run
"""

GPU_TARGETS = tuple(target for target in TARGETS.values() if target.runs_on("cuda"))

FULL = Options(
    variant=tuple(VARIANTS),
    precision=tuple(dict.fromkeys(name for target in GPU_TARGETS for name in target.precisions)),
    device="cuda",
    seconds=5.0,
)
"""All that is measured on a GPU."""

DRY = replace(
    FULL,
    variant=("unet-dws",),
    precision=("fp32",),
    size="160x128",
    device="cpu",
    data="rooms:2",
    seconds=0.05,
    restarts=1,
)
"""The same on a CPU, as little as shows that it works: what is of reduced precision is measured on
many more images before it is written."""


def measure_gpu(options: Options, advance: Advance) -> Report:
    """Measure what runs on the device; what cannot run there gets rows that say why.

    Args:
        options: without runtimes.
        advance: moves a progress bar.

    Raises:
        FastDepthError: nothing can be measured; the message is PyTorch's.
    """
    reasons = {target.name: refusal(target, options.device) for target in GPU_TARGETS}
    if reasons[REFERENCE[0]]:
        raise FastDepthError(reasons[REFERENCE[0]])
    able = replace(options, runtime=tuple(name for name, reason in reasons.items() if not reason))
    report = run(able, advance)
    rules = Yardstick.of(
        options.open_data(), options.protocol, flip=options.flip, split=options.split
    )
    asked = replace(options, runtime=REFERENCE[:1], precision=REFERENCE[1:])
    refused = [
        empty_row(replace(case, runtime=name, precision=precision), rules, reason)
        for case in asked.cases()
        for name, reason in reasons.items()
        if reason
        for precision in TARGETS[name].precisions
        if precision in options.precision
    ]
    return Report(report.environment, (*report.rows, *refused))


@dataclass(frozen=True, kw_only=True)
class Command(DataOptions):
    """Options of ``fastdepth-bench gpu``.

    Attributes:
        data: images with depth: rooms, rooms:COUNT or nyu:PATH.
        output: results file.
        dry_run: the same, tiny, on the CPU, in a minute.
    """

    data: str | None = None
    output: Path = Path("gpu.json")
    dry_run: bool = False

    def options(self) -> Options:
        """What is measured."""
        options = replace(DRY if self.dry_run else FULL, follow_outside=self.follow_outside)
        return options if self.data is None else replace(options, data=self.data)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its status is 1 where a row failed that should run here."""
    return run_command(Command, _body, prog=PROG, description=DESCRIPTION, arguments=arguments)


def _body(command: Command) -> int:
    options = command.options()
    with progress(PROG, steps(options)) as advance:
        report = measure_gpu(options, advance)
    write_text(command.output, report.to_json())
    _print_lines(report)
    return int(any(row.error for row in report.rows if not refusal(_target(row), options.device)))


def _target(row: Row) -> Target:
    return TARGETS[row.runtime]


def _print_lines(report: Report) -> None:
    """A line a row; the table of fastdepth-bench needs more room than a log has."""
    for row in report.rows:
        tell(f"{row.name} {row.target} {row.size}: {row.error or _figures(row)}")


def _figures(row: Row) -> str:
    assert row.fps is not None and row.latency_ms is not None
    difference, copies = row.max_difference_to_torch, row.host_copies_ms
    figures = f"{row.fps:.1f} frames/s, p50 {row.latency_ms.p50:.3f} ms"
    figures += "" if copies is None else f", copies {copies:.3f} ms"
    return figures + ("" if difference is None else f", at most {difference:.1e} m from PyTorch")
