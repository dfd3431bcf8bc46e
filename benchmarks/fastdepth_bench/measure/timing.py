"""How long a frame takes, by the clock, on images that differ.

Rules: one frame after the other (MLPerf's SingleStream); warm-up by time until the median
stands still; every measured inference counts, none is clipped; the median gives the speed, and
the tail is printed beside it. Every answer is looked at, after the clock has stopped.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from fastdepth.errors import ParityError
from fastdepth.preprocess import resize
from fastdepth.size import Size
from fastdepth_bench.measure.inputs import fresh
from fastdepth_bench.results.figures import Latency, WarmUp

if TYPE_CHECKING:
    from fastdepth_bench.runners.protocol import Batch, DepthBatch, Infers, OnDevice

MINIMUM_N = 20
"""Least number of measured inferences, however slow they are."""

WINDOW = 5
"""Inferences in each of the two medians that warm-up compares."""

STABLE = 0.03
"""Warm-up ends when two medians in succession differ by less than this share."""

LEAST_WARM_UP = 0.1
"""Warm-up lasts at least this share of the measurement, for clocks to rise, and at most all."""

NOISY = 0.15
"""Coefficient of variation above which a row is marked as noisy."""


@dataclass(frozen=True)
class Timing:
    """Latency over ``n`` measurements, none left out.

    Attributes:
        latency: their distribution; with less than 100 of them p99 lies near the slowest.
        cv: coefficient of variation, standard deviation by mean; a ratio.
        n: measurements.
        batch: images in each.
        warm_up: what came before.
    """

    latency: Latency
    cv: float
    n: int
    batch: int
    warm_up: WarmUp

    @property
    def fps(self) -> float:
        """Images per second at the median latency."""
        return 1000 * self.batch / self.latency.p50

    @property
    def noisy(self) -> bool:
        """Whether times vary by so much that the median says little of a single one."""
        return self.cv > NOISY


@dataclass(frozen=True)
class Pass:
    """Times of one pass from frames of a camera to depth at their size [s].

    Attributes:
        preprocess: frames to the network's input.
        inference: images in host memory to depth in host memory.
        postprocess: depth back to the size of the frames.
    """

    preprocess: float
    inference: float
    postprocess: float

    @property
    def end_to_end(self) -> float:
        """All of it [s]."""
        return self.preprocess + self.inference + self.postprocess


@dataclass(frozen=True)
class Timed:
    """What one process measured of a runner.

    Attributes:
        passes: all of them, in their order.
        warm_up: what came before.
        seconds: from the first to the end of the last, checks of the answers included [s].
    """

    passes: tuple[Pass, ...]
    warm_up: WarmUp
    seconds: float


def measure(
    runner: Infers,
    frames: Sequence[Batch],
    size: Size,
    *,
    seconds: float,
    minimum_n: int = MINIMUM_N,
    warm_up_limit: float | None = None,
    meter: AbstractContextManager[object] | None = None,
) -> Timed:
    """Warm up, then time passes for at least so many seconds and at least so many of them.

    Args:
        runner: entered already.
        frames: at least two that differ, each (B, H, W, 3) uint8 of a camera; taken in turns.
        size: network input.
        seconds: least length of the measurement [s].
        minimum_n: least number of passes.
        warm_up_limit: greatest length of the warm-up [s]; as long as the measurement if absent.
        meter: entered after the warm-up and left after the last pass.

    Raises:
        UsageError: the frames are all the same, or of a single value.
        ParityError: an answer is not a depth map: NaN, infinite, or of another shape or type.
    """
    turns = fresh(frames)
    batches = (resized(frame, size) for frame in turns)
    warm = warm_up(runner, batches, warm_up_limit or seconds, least=LEAST_WARM_UP * seconds)
    passes: list[Pass] = []
    with meter or nullcontext():
        start = time.perf_counter()
        while len(passes) < minimum_n or time.perf_counter() < start + seconds:
            passes.append(timed_pass(runner, next(turns), size))
        elapsed = time.perf_counter() - start
    return Timed(tuple(passes), warm, elapsed)


def timed_pass(runner: Infers, frames: Batch, size: Size) -> Pass:
    """Times of one pass; its answer is checked once the clock has stopped.

    Args:
        runner: entered already.
        frames: (B, H, W, 3) uint8.
        size: network input.

    Raises:
        ParityError: the answer is not a depth map.
    """
    camera = Size(*frames.shape[1:3])
    start = time.perf_counter()
    batch = resized(frames, size)
    ready = time.perf_counter()
    depth = runner.infer(batch)
    answered = time.perf_counter()
    check_depth(depth, batch)
    returned = time.perf_counter()
    for single in depth:
        resize(single[0], camera)
    end = time.perf_counter()
    return Pass(ready - start, answered - ready, end - returned)


def resized(frames: Batch, size: Size) -> Batch:
    """Frames (B, H, W, 3) uint8 at the size of a network's input."""
    if frames.shape[1:3] == size:
        return np.ascontiguousarray(frames)
    return np.stack([resize(frame, size) for frame in frames])


def measure_parts(
    runner: OnDevice, batches: Sequence[Batch], n: int = MINIMUM_N
) -> tuple[float, float, float]:
    """Median times of copy in, computation and copy out [s], each waited for apart."""
    times = []
    for batch in itertools.islice(itertools.cycle(batches), n):
        marks = [time.perf_counter()]
        for part in (lambda batch=batch: runner.copy_in(batch), runner.compute, runner.copy_out):
            part()
            marks.append(time.perf_counter())
        times.append(np.diff(marks))
    copy_in, compute, copy_out = np.median(times, axis=0).tolist()
    return copy_in, compute, copy_out


def measure_decoding(frames: Sequence[Batch], n: int = MINIMUM_N) -> float:
    """Median time in which a frame is decoded from JPEG of quality 95 in memory [s]."""
    images = [frame for batch in frames for frame in batch]
    files = [cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 95])[1] for frame in images]
    times = []
    for file in itertools.islice(itertools.cycle(files), n):
        start = time.perf_counter()
        cv2.imdecode(file, cv2.IMREAD_COLOR_RGB)
        times.append(time.perf_counter() - start)
    return float(np.median(times))


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


def warm_up(
    runner: Infers, turns: Iterable[Batch], limit: float, *, least: float | None = None
) -> WarmUp:
    """Run until the median stands still, at least twice.

    Args:
        runner: entered already.
        turns: images, one after the other.
        limit: about the greatest length [s].
        least: least length [s]; ``LEAST_WARM_UP`` of the limit if absent.
    """
    least = LEAST_WARM_UP * limit if least is None else least
    times: list[float] = []
    start = time.perf_counter()
    stable = False
    for batch in turns:
        times.append(timed(runner, batch))
        elapsed = time.perf_counter() - start
        stable = elapsed >= least and _stands_still(times)
        if stable or (elapsed >= limit and len(times) > 1):
            break
    return WarmUp(len(times), time.perf_counter() - start, stable)


def summarise(times: Sequence[float], *, batch: int, warm: WarmUp) -> Timing:
    """Statistics of all times [s], in [ms]; percentiles are interpolated linearly."""
    latency = 1000 * np.asarray(times, np.float64)
    shares = (25, 50, 75, 90, 95, 99)
    low, p50, high, p90, p95, p99 = np.percentile(latency, shares).tolist()
    return Timing(
        Latency(
            p50=p50,
            p90=p90,
            p95=p95,
            p99=p99,
            min=float(latency.min()),
            max=float(latency.max()),
            iqr=high - low,
        ),
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


def check_depth(depth: DepthBatch, batch: Batch) -> None:
    """Refuse what is no depth map of these images.

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
