"""Everything that wants a GPU, in one run and one JSON file; ``benchmarks/gpu.sh`` calls it.

It takes Python's own parser of options and nothing else that a bare machine may lack.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fastdepth.console import Advance, progress, tell
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        0; 1 where a row failed that should run here; 2 for what the user can mend.
    """
    parser = argparse.ArgumentParser(prog="gpu.sh", description=__doc__)
    parser.add_argument("--dry-run", action="store_true", help="tiny, on the CPU, in a minute")
    parser.add_argument("--data", help="images with depth: rooms or nyu:PATH")
    parser.add_argument("--output", type=Path, default=Path("gpu.json"), help="results file")
    words = parser.parse_args(arguments)
    options = DRY if words.dry_run else FULL
    if words.data:
        options = replace(options, data=words.data)
    try:
        with progress("gpu.sh", steps(options)) as advance:
            report = measure_gpu(options, advance)
        write_text(words.output, report.to_json())
    except FastDepthError as error:
        tell(f"gpu.sh: {error}")
        return error.exit_status
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


if __name__ == "__main__":
    sys.exit(main())
