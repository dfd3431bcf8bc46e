"""MLPerf Inference's scenarios beside SingleStream: how queries come in, and what is reported.

The words are those of MLPerf's rules (github.com/mlcommons/inference_policies): a sample is a
image, a query is the samples that are sent together, latency runs from the time for which a
query was scheduled to its answer, and percentiles are of queries, not of samples.

- SingleStream: :func:`fastdepth_bench.measure.timing.measure`.
- MultiStream: as SingleStream, but a query is a frame of each of N cameras. MLPerf has N = 8.
- Server, :func:`server`: queries of one sample arrive by a Poisson process at a given rate.
- Offline, :mod:`fastdepth_bench.measure.offline`: everything is there from the start.

These are no MLPerf results. MLPerf asks for 600 s a run, searches the greatest rate at which
Server meets a bound on its 99th percentile, and estimates percentiles with a margin for short
runs (early stopping); here ``seconds`` says how long, the rate is given, and percentiles are
those of the sample. MLPerf repeats samples at random, here no two inputs of a run are equal.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fastdepth.errors import UsageError
from fastdepth_bench.measure.inputs import fresh
from fastdepth_bench.measure.timing import MINIMUM_N, WINDOW, Timing, summarise, timed, warm_up

if TYPE_CHECKING:
    from fastdepth_bench.runners.protocol import Batch, Infers

LOAD = 0.8
"""Rate of Server where none is given, as a share of the single-stream speed after warm-up."""

PATIENCE = 2
"""Server gives up on a backlog after so many times the length of its schedule."""

SPIN = 0.001
"""The last bit of a wait is not slept, for sleep may end late [s]."""


@dataclass(frozen=True)
class Queries:
    """What a scenario measured.

    Attributes:
        timing: latency of a query [ms], waiting included; ``n`` queries of ``batch`` samples.
        times: latency of each query [s], in the order in which they were sent.
        achieved_rate: queries answered per second; the benchmark's own work between two queries
            does not count.
        rate: at which queries were sent [1/s]; None where the next follows upon an answer.
        overloaded: whether the runner cannot keep up with the rate, so that the queue grows for
            as long as the run lasts and latencies say more of its length than of the runner;
            None without a rate. See :func:`server`.
    """

    timing: Timing
    times: tuple[float, ...]
    achieved_rate: float
    rate: float | None = None
    overloaded: bool | None = None

    @property
    def fps(self) -> float:
        """Images answered per second."""
        return self.achieved_rate * self.timing.batch


def back_to_back(
    runner: Infers, batches: Sequence[Batch], *, seconds: float, minimum_n: int = MINIMUM_N
) -> Queries:
    """Send a batch as soon as the last one is answered, after a warm-up.

    Args:
        runner: entered already.
        batches: as for :func:`fastdepth_bench.measure.inputs.fresh`; each is a query.
        seconds: least length of the measurement, and greatest of the warm-up [s].
        minimum_n: least number of queries.

    Raises:
        UsageError: the batches are all the same, or an image is of a single colour.
        ParityError: an answer is not a depth map.
    """
    turns = fresh(batches)
    warm = warm_up(runner, turns, seconds)
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < minimum_n or time.perf_counter() < end:
        times.append(timed(runner, next(turns)))
    timing = summarise(times, batch=len(batches[0]), warm=warm)
    return Queries(timing, tuple(times), achieved_rate=len(times) / sum(times))


def server(
    runner: Infers,
    batches: Sequence[Batch],
    rate: float | None = None,
    *,
    seconds: float,
    seed: int = 0,
    minimum_n: int = MINIMUM_N,
) -> Queries:
    """MLPerf's Server: queries arrive by themselves, wait in a queue and are answered in turn.

    Gaps between arrivals are exponential. First in, first out, one at a time. Latency runs from
    the scheduled arrival to the answer, as in MLPerf's LoadGen: waiting behind others counts,
    and so does whatever makes the system start late, a thread that overslept for example. While
    the benchmark looks at an answer and makes the next image, the schedule stands still.

    The queue is stable if and only if the rate times the mean time of an inference is less than
    one (Loynes, "The stability of a queue with non-independent inter-arrival and service times",
    1962). ``overloaded`` says that it was not, by the inferences of this very run: unlike a
    comparison of rates offered and achieved, it does not depend on how the last arrivals fell.
    A run whose backlog lasts ``PATIENCE`` times the schedule is cut short, and queries not
    answered by then count with the time that they have waited.

    Args:
        runner: entered already.
        batches: as for :func:`fastdepth_bench.measure.inputs.fresh`; each is a query.
        rate: queries per second; None takes ``LOAD`` times the single-stream speed.
        seconds: mean length of the schedule, and greatest of the warm-up [s].
        seed: of the arrivals.
        minimum_n: least number of queries.

    Raises:
        UsageError: the rate is not positive, the batches are all the same, or an image is of a
            single colour.
        ParityError: an answer is not a depth map.
    """
    if rate is not None and not 0 < rate < math.inf:
        raise UsageError(f"a rate of {rate} queries/s; give a positive number")
    turns = fresh(batches)
    warm = warm_up(runner, turns, seconds)
    if rate is None:
        alone = [timed(runner, next(turns)) for _ in range(2 * WINDOW)]
        rate = LOAD / float(np.median(alone))
    n = max(minimum_n, round(rate * seconds))
    arrivals = np.random.default_rng(seed).exponential(1 / rate, n).cumsum().tolist()
    times, busy = _serve(runner, turns, arrivals, patience=PATIENCE * max(seconds, arrivals[-1]))
    last = len(busy) - 1
    return Queries(
        summarise(times, batch=len(batches[0]), warm=warm),
        tuple(times),
        achieved_rate=len(busy) / (arrivals[last] + times[last]),
        rate=rate,
        overloaded=rate * float(np.mean(busy)) >= 1,
    )


def _serve(
    runner: Infers, turns: Iterator[Batch], arrivals: Sequence[float], *, patience: float
) -> tuple[list[float], list[float]]:
    """Latency of every query and time of every inference [s]; fewer of these if cut short."""
    times: list[float] = []
    busy: list[float] = []
    batch = next(turns)
    start = time.perf_counter()
    for arrival in arrivals:
        wait_until(start + arrival)
        sent = time.perf_counter()
        busy.append(timed(runner, batch))
        answered = sent + busy[-1]
        times.append(answered - (start + arrival))
        if answered - start > patience:
            times += [answered - start - late for late in arrivals[len(times) :]]
            break
        batch = next(turns)
        start += time.perf_counter() - answered
    return times, busy


def wait_until(instant: float) -> None:
    """Return at an instant of ``time.perf_counter`` [s], or at once if it is past; never before.

    Sleeps, so that the machine is as idle as it would be, and looks at the clock at the end.
    """
    while (left := instant - time.perf_counter()) > 0:
        time.sleep(max(left - SPIN, 0))
