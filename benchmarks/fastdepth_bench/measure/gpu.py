"""Everything that wants a GPU, in one run and one JSON file: ``fastdepth-bench gpu``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fastdepth.console import Advance, progress, run_command, tell
from fastdepth.data import DataOptions
from fastdepth.errors import FastDepthError
from fastdepth.files import write_text
from fastdepth.variants import VARIANTS
from fastdepth_bench.case import REFERENCE, Case
from fastdepth_bench.measure.accuracy import Yardstick
from fastdepth_bench.measure.isolate import OVER
from fastdepth_bench.measure.proofs import prove
from fastdepth_bench.measure.row import empty_row
from fastdepth_bench.measure.run import run, steps
from fastdepth_bench.options import Options
from fastdepth_bench.results.file import Report
from fastdepth_bench.results.row import Row
from fastdepth_bench.runners.opening import refusal
from fastdepth_export.targets import TARGETS

PROG = "fastdepth-bench gpu"

DESCRIPTION = """Build, check and time all that wants a GPU, into one results file.

PyTorch eager, as a CUDA graph and compiled and, where they are there, ONNX Runtime's CUDA provider
and TensorRT: every variant in every precision. What cannot run gets a row that says why. Before it
come proofs of a minute or two: that the provider opens, that fp32 is fp32, that an engine's answers
stay what they are, that int8 builds, and that one variant goes through everything.

Examples:

  fastdepth-bench gpu --data nyu:PATH --output gpu.json

  fastdepth-bench gpu --quick

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

QUICK = replace(
    FULL, variant=("mnv2-64-dws", "unet128-dws"), data="rooms:8", seconds=1.0, restarts=1
)
"""What fits ten minutes; rows that do not say so."""

QUICK_SECONDS = 560.0
"""After so long nothing is begun or goes on, and the results file is written [s]."""

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


def measure_gpu(options: Options, advance: Advance, ends: float | None = None) -> Report:
    """Measure what runs on the device; what cannot run there gets rows that say why.

    Args:
        options: without runtimes.
        advance: moves a progress bar.
        ends: by ``time.monotonic`` [s]; rows that are not done by then say so.

    Raises:
        FastDepthError: nothing can be measured; the message is PyTorch's.
    """
    reasons = {target.name: refusal(target, options.device) for target in GPU_TARGETS}
    _check(reasons[REFERENCE[0]])
    runtimes = [name for name, reason in reasons.items() if not reason]
    runtimes.sort(key=lambda name: name == SLOWEST)  # where time is short the others have theirs
    able = replace(options, runtime=tuple(runtimes))
    report = run(able, advance, ends=ends)
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


SLOWEST = "torch-compile"
"""The runtime that takes longest before its first answer: it tries kernels for minutes."""


@dataclass(frozen=True, kw_only=True)
class Command(DataOptions):
    """Options of ``fastdepth-bench gpu``.

    Attributes:
        data: images with depth: rooms, rooms:COUNT or nyu:PATH.
        output: results file.
        quick: two variants, in less than ten minutes.
        dry_run: the same as without, tiny, on the CPU, in a minute.
    """

    data: str | None = None
    output: Path = Path("gpu.json")
    quick: bool = False
    dry_run: bool = False

    def options(self) -> Options:
        """What is measured."""
        usual = DRY if self.dry_run else QUICK if self.quick else FULL
        options = replace(usual, follow_outside=self.follow_outside)
        return options if self.data is None else replace(options, data=self.data)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its status is 1 where a proof or a row failed that should run here."""
    return run_command(Command, _body, prog=PROG, description=DESCRIPTION, arguments=arguments)


def _body(command: Command) -> int:
    options = command.options()
    options.open_data()  # or proofs would be made for nothing
    _check(refusal(TARGETS[REFERENCE[0]], options.device))
    ends = time.monotonic() + QUICK_SECONDS if command.quick else None
    first = replace(
        options,
        variant=options.variant[:1],
        seconds=min(1.0, options.seconds),
        restarts=1,
    )
    with progress(PROG, None) as advance:
        (case,) = replace(first, runtime=REFERENCE[:1], precision=REFERENCE[1:]).cases()
        failed = _prove(case, advance, ends)
    with progress(PROG, steps(first)) as advance:
        report = measure_gpu(first, advance, ends)
    _print_lines(report)
    write_text(command.output, report.to_json())
    failed |= _fails(report, options.device)
    whole = (first.seconds, first.restarts) == (options.seconds, options.restarts)
    rest = replace(options, variant=options.variant[1:]) if whole else options
    if rest.variant:
        with progress(PROG, steps(rest)) as advance:
            others = measure_gpu(rest, advance, ends)
        _print_lines(others)
        failed |= _fails(others, options.device)
        report = Report(others.environment, (*(report.rows if whole else ()), *others.rows))
        write_text(command.output, report.to_json())
    return int(failed)


def _check(reason: str) -> None:
    """Raise FastDepthError if there is a reason why PyTorch, the others' yardstick, cannot run."""
    if reason:
        raise FastDepthError(reason)


def _prove(case: Case, advance: Advance, ends: float | None) -> bool:
    """Try the proofs and say what came of each; whether one failed."""
    failed = False
    for proof in prove(case, lambda text: advance(0, text), ends=ends):
        tell(str(proof))
        failed |= bool(proof.problem)
    return failed


def _fails(report: Report, device: str) -> bool:
    """Whether a row failed whose runtime works here, and not for want of time."""
    failed = {row.runtime for row in report.rows if row.error not in (None, OVER)}
    return any(not refusal(TARGETS[name], device) for name in failed)


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
