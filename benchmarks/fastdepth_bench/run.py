"""Measure every case, one after the other, and go on when one fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from fastdepth.console import Advance
from fastdepth.errors import FastDepthError
from fastdepth_bench.accuracy import (
    Samples,
    Yardstick,
    load_samples,
    measure_accuracy,
    timing_batches,
)
from fastdepth_bench.environment import EnvironmentRecorder
from fastdepth_bench.options import Options
from fastdepth_bench.result import Report, Result, compare_with_torch
from fastdepth_bench.targets import Case, open_runner
from fastdepth_bench.timing import measure, measure_copies


def _silent(steps: int = 1, note: str = "") -> None:
    """Advance no progress bar."""


def run(options: Options | None = None, advance: Advance = _silent) -> Report:
    """Measure all rows that the options ask for.

    Args:
        options: None takes the defaults.
        advance: moves a progress bar of :func:`steps` steps.

    Returns:
        The rows in the order of :meth:`Options.cases`; one that failed says why in ``error``.

    Raises:
        FastDepthError: an option that cannot work, or data that cannot be read; never for a
            single row.
    """
    options = options or Options()
    options.check()
    source = options.open_data()
    yardstick = Yardstick.of(source, options.protocol, flip=options.flip, split=options.split)
    recorder = EnvironmentRecorder()
    samples = load_samples(source, _counting(advance, f"reading {options.data}", len(source)))
    advance()
    rows = []
    for case in options.cases():
        rows.append(measure_case(case, samples, yardstick, options.seconds, advance))
        advance()
    return Report(recorder.finish(), compare_with_torch(rows))


def steps(options: Options) -> int:
    """Steps of the progress bar: one for the data and one a row."""
    return 1 + len(options.cases())


def measure_case(
    case: Case,
    samples: Samples,
    yardstick: Yardstick,
    seconds: float,
    advance: Advance = _silent,
) -> Result:
    """Measure one row: cost, then latency, then accuracy, all of the same runner.

    A row that fails anywhere keeps none of its figures. Only an interrupt gets through.
    """
    row = Result(case, yardstick)
    try:
        advance(0, f"{case}: loading")
        with open_runner(case) as runner:
            cost = runner.cost()
            advance(0, f"{case}: timing")
            batches = timing_batches(samples, case.size, case.batch)
            timing = measure(runner, batches, seconds=seconds)
            copies = None if case.device == "cpu" else measure_copies(runner, batches)
            depth = runner.infer(batches[0])
            scores = None
            if case.trained:
                said = _counting(advance, f"{case}: accuracy", len(samples))
                scores = measure_accuracy(runner, samples, yardstick, case.size, said)
        return replace(
            row, cost=cost, timing=timing, host_copies=copies, depth=depth, scores=scores
        )
    except Exception as error:  # whatever a runtime throws must not cost the other rows
        return replace(row, error=_reason(error))


def _counting(advance: Advance, what: str, total: int) -> Callable[[int], None]:
    """A function that notes beside the progress bar which of so many has its turn."""
    return lambda index: advance(0, f"{what} {index + 1}/{total}")


def _reason(error: Exception) -> str:
    """An exception in one line; its type too where it is none of fastdepth's own."""
    message = " ".join(str(error).split())
    return message if isinstance(error, FastDepthError) else f"{type(error).__name__}: {message}"
