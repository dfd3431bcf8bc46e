"""Compare how long several files take: in one run, in turns, A B A B.

A machine's speed drifts with its clocks, its heat and its other work. Runners that take turns on
the same picture share whatever happens, so the ratio of their medians holds where that of two
separate runs does not.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fastdepth_bench.timing import (
    MINIMUM_N,
    Timing,
    check_batches,
    summarise,
    timed,
    warm_up,
)

if TYPE_CHECKING:
    from fastdepth_bench.runners import Batch, Infers

DRAWS = 5000
"""Bootstrap samples of a ratio."""

CONFIDENCE = 95
"""Of a ratio's interval [%]."""


@dataclass(frozen=True)
class Ratio:
    """A ratio of two medians and the interval in which it lies with ``CONFIDENCE``."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Interleaved:
    """What several runners took, all in the same rounds.

    Attributes:
        times: of each runner by name, one entry a round [s].
        timings: statistics of each.
    """

    times: Mapping[str, tuple[float, ...]]
    timings: Mapping[str, Timing]

    def ratio(self, slow: str, fast: str) -> Ratio:
        """How many times faster ``fast`` is than ``slow``."""
        return ratio_of_medians(self.times[slow], self.times[fast])


def interleave(
    runners: Mapping[str, Infers],
    batches: Sequence[Batch],
    *,
    seconds: float,
    minimum_n: int = MINIMUM_N,
) -> Interleaved:
    """Warm every runner up, then time them in rounds; in a round all get the same pictures.

    Args:
        runners: by name, in the order of their turns.
        batches: at least two that differ, each (B, H, W, 3) uint8; one a round.
        seconds: least length of the measurement per runner, and greatest of its warm-up [s].
        minimum_n: least number of rounds.

    Raises:
        UsageError: the batches are all the same, or of a single value.
        ParityError: an answer is not a depth map.
    """
    check_batches(batches)
    warm = {name: warm_up(r, itertools.cycle(batches), seconds) for name, r in runners.items()}
    times: dict[str, list[float]] = {name: [] for name in runners}
    end = time.perf_counter() + seconds * len(runners)
    for done, batch in enumerate(itertools.cycle(batches)):
        if done >= minimum_n and time.perf_counter() >= end:
            break
        for name, runner in runners.items():
            times[name].append(timed(runner, batch))
    timings = {n: summarise(t, batch=len(batches[0]), warm=warm[n]) for n, t in times.items()}
    return Interleaved({name: tuple(found) for name, found in times.items()}, timings)


def ratio_of_medians(
    slow: Sequence[float], fast: Sequence[float], *, draws: int = DRAWS, seed: int = 0
) -> Ratio:
    """Median of ``slow`` by median of ``fast``, with a percentile bootstrap interval.

    Rounds are drawn with replacement, both times of a round together, so that what slowed a whole
    round cancels (Efron, Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13).

    Args:
        slow: times, one a round [s].
        fast: times in the same rounds [s].
        draws: bootstrap samples.
        seed: of the generator; equal times give equal intervals.
    """
    pairs = np.array([slow, fast], np.float64)
    rounds = np.random.default_rng(seed).integers(pairs.shape[1], size=(draws, pairs.shape[1]))
    drawn = np.median(pairs[:, rounds], axis=2)
    tail = (100 - CONFIDENCE) / 2
    low, high = np.percentile(drawn[0] / drawn[1], (tail, 100 - tail)).tolist()
    value = float(np.median(pairs[0]) / np.median(pairs[1]))
    return Ratio(value, low, high)
