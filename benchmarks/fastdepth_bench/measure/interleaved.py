"""Compare how long several files take: in one run, in turns, A B A B.

A machine's speed drifts with its clocks, its heat and its other work. Runners that take turns on
the same image share whatever happens, so the ratio of their medians holds where that of two
separate runs does not.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastdepth.size import Size
from fastdepth_bench.measure.bootstrap import Interval, ratio_interval
from fastdepth_bench.measure.inputs import check_inputs, fresh
from fastdepth_bench.measure.timing import (
    LEAST_WARM_UP,
    MINIMUM_N,
    Pass,
    Timing,
    resized,
    summarise,
    timed,
    timed_pass,
    warm_up,
)

if TYPE_CHECKING:
    from fastdepth_bench.runners.protocol import Batch, Infers


@dataclass(frozen=True)
class Interleaved:
    """What several runners took, all in the same rounds.

    Attributes:
        times: of each runner by name, one entry a round [s].
        timings: statistics of each.
    """

    times: Mapping[str, tuple[float, ...]]
    timings: Mapping[str, Timing]

    def ratio(self, slow: str, fast: str) -> Interval:
        """How many times faster ``fast`` is than ``slow``."""
        return ratio_interval([self.times[slow]], [self.times[fast]])


def interleave(
    runners: Mapping[str, Infers],
    batches: Sequence[Batch],
    *,
    seconds: float,
    minimum_n: int = MINIMUM_N,
) -> Interleaved:
    """Warm every runner up, then time them in rounds; in a round all get the same images.

    Args:
        runners: by name, in the order of their turns.
        batches: at least two that differ, each (B, H, W, 3) uint8; one a round.
        seconds: least length of the measurement per runner, and greatest of its warm-up [s].
        minimum_n: least number of rounds.

    Raises:
        UsageError: the batches are all the same, or of a single value.
        ParityError: an answer is not a depth map.
    """
    check_inputs(batches)
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


@dataclass(frozen=True)
class TurnTaker:
    """An entered runner and its network's input."""

    runner: Infers
    size: Size


def take_turns(
    one: TurnTaker,
    other: TurnTaker,
    frames: Sequence[Batch],
    *,
    seconds: float,
    minimum_n: int = MINIMUM_N,
    warm_up_limit: float | None = None,
) -> tuple[tuple[Pass, Pass], ...]:
    """Passes of two runners in rounds, both of the same frames, each at its own input size.

    Args:
        one: has the first turn of every round; warm already.
        other: is warmed up here.
        frames: at least two that differ, each (B, H, W, 3) uint8 of a camera; one a round.
        seconds: least length of all rounds together [s].
        minimum_n: least number of rounds.
        warm_up_limit: greatest length of the warm-up [s]; half the rounds' if absent.

    Raises:
        UsageError: the frames are all the same, or of a single value.
        ParityError: an answer is not a depth map.
    """
    turns = fresh(frames)
    batches = (resized(frame, other.size) for frame in turns)
    warm_up(other.runner, batches, warm_up_limit or seconds / 2, least=LEAST_WARM_UP * seconds / 2)
    rounds: list[tuple[Pass, Pass]] = []
    end = time.perf_counter() + seconds
    while len(rounds) < minimum_n or time.perf_counter() < end:
        frame = next(turns)
        first = timed_pass(one.runner, frame, one.size)
        rounds.append((first, timed_pass(other.runner, frame, other.size)))
    return tuple(rounds)
