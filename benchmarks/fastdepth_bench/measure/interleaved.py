"""Compare how long two files take: in one run, in turns, A B A B.

A machine's speed drifts with its clocks, its heat and its other work. Runners that take turns on
the same image share whatever happens, so the ratio of their medians holds where that of two
separate runs does not.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastdepth.size import Size
from fastdepth_bench.measure.inputs import fresh
from fastdepth_bench.measure.timing import (
    LEAST_WARM_UP,
    MINIMUM_N,
    Pass,
    resized,
    timed_pass,
    warm_up,
)

if TYPE_CHECKING:
    from fastdepth_bench.runners.protocol import Batch, Infers


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
