"""How long an inference takes, by the clock, on pictures that differ.

Rules: one inference after the other (MLPerf's SingleStream); warm-up by time until the median
stands still; every measured inference counts, none is clipped; the median gives the speed, and
the tail is printed beside it. Every answer is looked at, after the clock has stopped.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fastdepth.errors import ParityError, UsageError

if TYPE_CHECKING:
    from fastdepth_bench.runners import Batch, DepthBatch, Infers, Runner

MINIMUM_N = 20
"""Least number of measured inferences, however slow they are."""

WINDOW = 5
"""Inferences in each of the two medians that warm-up compares."""

STABLE = 0.03
"""Warm-up ends when two medians in succession differ by less than this share."""

LEAST_WARM_UP = 0.1
"""Warm-up lasts at least this share of the measurement, for clocks to rise, and at most all."""


@dataclass(frozen=True)
class WarmUp:
    """What came before the measurement.

    Attributes:
        n: inferences.
        seconds: how long it took [s].
        stable: whether the median stood still before time was up.
    """

    n: int
    seconds: float
    stable: bool


@dataclass(frozen=True)
class Timing:
    """Latency of one inference in [ms], over ``n`` of them, none left out.

    Attributes:
        p50: median.
        p90: 90th percentile.
        p99: 99th percentile; with less than 100 inferences it lies near the slowest.
        minimum: fastest.
        maximum: slowest.
        iqr: distance of the quartiles.
        cv: coefficient of variation, standard deviation by mean; a ratio.
        n: inferences measured.
        batch: pictures per inference.
        warm_up: what came before.
    """

    p50: float
    p90: float
    p99: float
    minimum: float
    maximum: float
    iqr: float
    cv: float
    n: int
    batch: int
    warm_up: WarmUp

    @property
    def fps(self) -> float:
        """Pictures per second at the median latency."""
        return 1000 * self.batch / self.p50


def measure(
    runner: Infers, batches: Sequence[Batch], *, seconds: float, minimum_n: int = MINIMUM_N
) -> Timing:
    """Warm up, then time for at least so many seconds and at least so many inferences.

    Args:
        runner: entered already.
        batches: at least two that differ, each (B, H, W, 3) uint8; taken in turns.
        seconds: least length of the measurement, and greatest of the warm-up [s].
        minimum_n: least number of inferences.

    Raises:
        UsageError: the batches are all the same, or of a single value.
        ParityError: an answer is not a depth map: NaN, infinite, or of another shape or type.
    """
    check_batches(batches)
    turns = itertools.cycle(batches)
    warm = warm_up(runner, turns, seconds)
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < minimum_n or time.perf_counter() < end:
        times.append(timed(runner, next(turns)))
    return summarise(times, batch=len(batches[0]), warm=warm)


def measure_copies(runner: Runner, batches: Sequence[Batch], n: int = 5 * MINIMUM_N) -> float:
    """Median time of the host's copies of one inference alone [ms], on a GPU."""
    times = []
    for batch in itertools.islice(itertools.cycle(batches), n):
        start = time.perf_counter()
        runner.copy(batch)
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times))


def timed(runner: Infers, batch: Batch) -> float:
    """Time of one inference [s]; its answer is checked once the clock has stopped.

    Raises:
        ParityError: the answer is not a depth map.
    """
    start = time.perf_counter()
    depth = runner.infer(batch)
    seconds = time.perf_counter() - start
    check_depth(depth, batch)
    return seconds


def warm_up(runner: Infers, turns: Iterable[Batch], limit: float) -> WarmUp:
    """Run until the median stands still, at most about ``limit`` seconds, at least twice."""
    times: list[float] = []
    start = time.perf_counter()
    stable = False
    for batch in turns:
        times.append(timed(runner, batch))
        elapsed = time.perf_counter() - start
        stable = elapsed >= LEAST_WARM_UP * limit and _stands_still(times)
        if stable or (elapsed >= limit and len(times) > 1):
            break
    return WarmUp(len(times), time.perf_counter() - start, stable)


def summarise(times: Sequence[float], *, batch: int, warm: WarmUp) -> Timing:
    """Statistics of all times [s], in [ms]; percentiles are interpolated linearly."""
    latency = 1000 * np.asarray(times, np.float64)
    low, p50, high, p90, p99 = np.percentile(latency, (25, 50, 75, 90, 99)).tolist()
    return Timing(
        p50=p50,
        p90=p90,
        p99=p99,
        minimum=float(latency.min()),
        maximum=float(latency.max()),
        iqr=high - low,
        cv=float(latency.std() / latency.mean()),
        n=len(latency),
        batch=batch,
        warm_up=warm,
    )


def _stands_still(times: Sequence[float]) -> bool:
    if len(times) < 2 * WINDOW:
        return False
    before = float(np.median(times[-2 * WINDOW : -WINDOW]))
    now = float(np.median(times[-WINDOW:]))
    return abs(now - before) <= STABLE * before


def check_batches(batches: Sequence[Batch]) -> None:
    """Refuse inputs that a cache or a shortcut for constants could answer faster.

    Raises:
        UsageError: the batches are all the same, or one is of a single value.
    """
    alike = all(np.array_equal(batches[0], other) for other in batches[1:])
    if alike or any(batch.min() == batch.max() for batch in batches):
        raise UsageError("timing needs at least two different pictures, none of a single colour")


def check_depth(depth: DepthBatch, batch: Batch) -> None:
    """Refuse what is no depth map of these pictures.

    Raises:
        ParityError: NaN, infinite, or of another shape or type.
    """
    expected = (len(batch), 1, *batch.shape[1:3])
    if depth.shape != expected or depth.dtype != np.float32:
        raise ParityError(
            f"the runner answered {depth.dtype} {depth.shape}, not float32 {expected}; not timed"
        )
    wrong = depth.size - int(np.count_nonzero(np.isfinite(depth)))
    if wrong:
        raise ParityError(f"depth is NaN or infinite at {wrong} of {depth.size} pixels; not timed")
