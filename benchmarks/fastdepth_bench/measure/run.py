"""Measure every row, each in processes of its own, and go on when one fails."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Concatenate, ParamSpec, TypeVar

from fastdepth.console import Advance, silent
from fastdepth.size import Size
from fastdepth_bench.case import Case
from fastdepth_bench.machine.environment import EnvironmentRecorder
from fastdepth_bench.machine.roofline import Rates, measure_rates
from fastdepth_bench.measure.accuracy import Samples, Yardstick, load_samples, timing_frames
from fastdepth_bench.measure.exactness import Differences, compare_depths, has_reference
from fastdepth_bench.measure.isolate import (
    OVER,
    ProcessError,
    Say,
    in_own_process,
    one_line,
    until,
    within,
)
from fastdepth_bench.measure.pooling import pool
from fastdepth_bench.measure.row import Answered, Figures, compare_with_torch, empty_row, row_of
from fastdepth_bench.measure.timing import MINIMUM_N
from fastdepth_bench.measure.training_speed import training_images_per_second
from fastdepth_bench.measure.trial import (
    Examined,
    Trial,
    attempt,
    examine,
    find_batch,
    first_answer,
)
from fastdepth_bench.options import Options
from fastdepth_bench.results.file import Report
from fastdepth_bench.results.row import OFFLINE

Answer = TypeVar("Answer")
Arguments = ParamSpec("Arguments")


def run(
    options: Options | None = None,
    advance: Advance = silent,
    *,
    isolated: bool = True,
    ends: float | None = None,
) -> Report:
    """Measure all rows that the options ask for.

    Restarts go round all rows, so that what slows the machine for a while slows none alone; with a
    time at which all must end, each row is finished before the next begins.

    Args:
        options: None takes the defaults.
        advance: moves a progress bar of :func:`steps` steps.
        isolated: start a new process for every restart of every row; else all is measured in this
            one, where rows share memory and its peak means nothing. A script that calls this needs
            ``if __name__ == "__main__":``, as all that start processes do.
        ends: by ``time.monotonic`` [s]; rows that are not done by then say so.

    Returns:
        The rows in the order of :meth:`Options.cases`, one for each alignment, which share all but
        their accuracy; one that failed says why in ``error``.

    Raises:
        FastDepthError: an option that cannot work, or data that cannot be read; never for a
            single row.
    """
    options = options or Options()
    options.check()
    source = options.open_data()
    yardstick = Yardstick.of(source, options.protocol, flip=options.flip, split=options.split)
    recorder = EnvironmentRecorder()
    total = len(source)
    samples = load_samples(
        source, lambda index: advance(0, f"reading {options.data} {index + 1}/{total}")
    )
    advance()
    rows = [
        _Measurement(case, options, advance, isolated=isolated, ends=ends)
        for case in options.cases()
    ]
    rates = None
    for together in [rows] if ends is None else [[row] for row in rows]:
        for row in together:
            row.examine(samples, yardstick)
        for _ in range(options.restarts):
            rates = _better(rates, _measure_rates(options, advance, isolated=isolated))
            for row in together:
                row.attempt()
    answered = [each for row in rows for each in row.answered(rates)]
    return Report(recorder.finish(), compare_with_torch(answered))


def steps(options: Options) -> int:
    """Steps of the progress bar: data, and of every row its accuracy and its restarts."""
    return 1 + (1 + options.restarts) * len(options.cases())


def _measure_rates(options: Options, advance: Advance, *, isolated: bool) -> Rates | None:
    """What the machine does at best on the rows' threads; None for a GPU."""
    cases = options.cases()
    if options.device != "cpu" or not cases:
        return None
    threads, seconds = cases[0].threads, min(1.0, options.seconds / 10)

    def say(text: str) -> None:
        advance(0, text)

    if isolated:
        return in_own_process(rates_alone, say, threads, seconds)
    return rates_alone(say, threads, seconds)


def _better(one: Rates | None, other: Rates | None) -> Rates | None:
    """What a machine did at best in two measurements."""
    if one is None or other is None:
        return one or other
    return replace(
        one,
        macs_per_second=max(one.macs_per_second, other.macs_per_second),
        bytes_per_second=max(one.bytes_per_second, other.bytes_per_second),
    )


def rates_alone(say: Say, threads: int, seconds: float) -> Rates:
    """The machine's rates, each measured for so many seconds."""
    say("this machine's rates")
    return measure_rates(threads, seconds)


class _Measurement:
    """A row while it is measured; once something fails it keeps the reason and does no more."""

    def __init__(
        self,
        case: Case,
        options: Options,
        advance: Advance,
        *,
        isolated: bool,
        ends: float | None,
    ) -> None:
        self.case, self.against, self._ends = case, options.against_of(case), ends
        self._options, self._advance, self._isolated = options, advance, isolated
        self._examined: Examined | None = None
        self._trials: list[Trial] = []
        self._differences = Differences()
        self._training: float | None = None
        self._error = ""

    def examine(self, samples: Samples, yardstick: Yardstick) -> None:
        """Export, count, measure accuracy, and compare depth with the other's and float64's."""

        yardstick = replace(yardstick, disparity=not self.case.in_metres)
        self._yardsticks = tuple(
            replace(yardstick, alignment=name) for name in self._options.alignments_of(self.case)
        )

        def work() -> None:
            self._check_that_files_answer(samples)
            if self.case.scenario == OFFLINE:
                found = self._do(find_batch, self.case, samples, seconds=self._options.seconds / 5)
                self.case = replace(self.case, batch=found)
                if self.against is not None:
                    self.against = replace(self.against, batch=found)
            self._frames = timing_frames(samples, self.case.batch)
            self._examined = self._do(
                examine,
                self.case,
                self._frames,
                samples,
                self._yardsticks,
                edges=self._options.edges,
            )
            if self._options.training and self.case.model is None:
                self._training = self._do(
                    training_images_per_second,
                    self.case.variant,
                    self.case.device,
                    self.case.threads,
                    seconds=self._options.seconds,
                )
            if self._options.against and has_reference(self.case, self.against):
                self._differences = self._do(compare_depths, self.case, self.against, samples)

        self._step(work)

    def _check_that_files_answer(self, samples: Samples) -> None:
        """Stop a file from elsewhere that does not end: its process is killed.

        One without weights was exported here, of a library's network.
        """
        for case in (self.case, self.against):
            if self._isolated and case is not None and case.model and case.trained:
                frames = timing_frames(samples, case.batch)
                within(self._options.time_limit, first_answer, self._say, case, frames[0])

    def attempt(self) -> None:
        """Time once more, for the share of one restart."""
        restarts = self._options.restarts

        def work() -> None:
            trial = self._do(
                attempt,
                self.case,
                self._frames,
                self.against,
                seconds=self._options.seconds / restarts,
                minimum_n=-(-MINIMUM_N // restarts),
                warm_up_limit=self._options.seconds,
                images=self._options.open_pictures() if self.case.scenario == OFFLINE else None,
                other_first=len(self._trials) % 2 == 1,
            )
            self._trials.append(trial)
            if trial.queries:  # which every restart is asked at the same rate
                self.case = replace(self.case, rate=trial.queries.rate)

        self._step(work)

    def answered(self, rates: Rates | None) -> list[Answered]:
        """What was found, by alignment; what failed anywhere keeps none of its figures."""
        if self._error or self._examined is None:
            return [Answered(empty_row(self.case, each, self._error)) for each in self._yardsticks]
        figures = Figures(
            self._examined,
            pool(self._trials, self.case.batch),
            Size(*self._frames[0].shape[1:3]),
            against=self.against,
            differences=self._differences,
            rates=rates,
            training=self._training,
        )
        depth = self._examined.depth
        return [Answered(row_of(self.case, each, figures), depth) for each in self._yardsticks]

    def _step(self, work: Callable[[], None]) -> None:
        if not self._error:
            try:
                if self._ends is not None and time.monotonic() >= self._ends:
                    raise ProcessError(OVER)
                work()
            except Exception as error:  # whatever a runtime throws must not cost the other rows
                self._error = one_line(error)
        self._advance()

    def _do(
        self,
        work: Callable[Concatenate[Say, Arguments], Answer],
        *arguments: Arguments.args,
        **options: Arguments.kwargs,
    ) -> Answer:
        if self._isolated:
            return until(self._ends, work, self._say, *arguments, **options)
        return work(self._say, *arguments, **options)

    def _say(self, text: str) -> None:
        self._advance(0, text)
