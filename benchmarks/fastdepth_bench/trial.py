"""What one process measures of a row: :func:`examine` once, :func:`attempt` at every restart."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fastdepth.metrics import Scores
from fastdepth_bench.accuracy import Samples, Yardstick, measure_accuracy
from fastdepth_bench.energy import EnergyMeter
from fastdepth_bench.interleaved import Contestant, take_turns
from fastdepth_bench.memory import GpuMemory, peak_resident_bytes
from fastdepth_bench.own_process import Say
from fastdepth_bench.targets import Case, open_runner
from fastdepth_bench.timing import (
    Pass,
    WarmUp,
    measure,
    measure_decoding,
    measure_parts,
    resized,
)

if TYPE_CHECKING:
    from fastdepth_bench.runners import Batch
    from fastdepth_export.cost import GraphCost


@dataclass(frozen=True)
class Examined:
    """What does not change from one restart to the next.

    Attributes:
        cost: parameters, multiply-adds and bytes of what is timed.
        depth: (B, 1, H, W) float32 [m], the answer to the first timed pictures.
        scores: accuracy; None for random weights.
    """

    cost: GraphCost
    depth: NDArray[np.float32]
    scores: Scores | None


@dataclass(frozen=True)
class Parts:
    """Median times of what stands beside the three stages of a pass [s]; None on the CPU.

    Attributes:
        decode: a frame from JPEG in memory; no part of a pass.
        copy_in: pictures to a device of its own memory.
        compute: the computation there.
        copy_out: depth back to the host.
    """

    decode: float
    copy_in: float | None = None
    compute: float | None = None
    copy_out: float | None = None


@dataclass(frozen=True)
class Trial:
    """What one process measured.

    Attributes:
        passes: of frames in turns, one after the other.
        warm_up: what came before.
        seconds: length of the measurement by the clock on the wall [s].
        parts: other stages.
        peak_resident: greatest resident set of the process until then [bytes]; None where unknown.
        peak_gpu: greatest memory of the process on its GPU [bytes]; None without one.
        joules: energy of the measurement [J]; None where it cannot be read.
        rounds: passes of this row and of the one that it is compared with, in turns.
    """

    passes: tuple[Pass, ...]
    warm_up: WarmUp
    seconds: float
    parts: Parts
    peak_resident: int | None = None
    peak_gpu: int | None = None
    joules: float | None = None
    rounds: tuple[tuple[Pass, Pass], ...] = ()


def examine(
    say: Say, case: Case, frames: Sequence[Batch], samples: Samples, yardstick: Yardstick
) -> Examined:
    """Export the file unless it is there, then count its cost and measure its accuracy.

    Args:
        say: told what is done.
        case: what is measured.
        frames: those to be timed.
        samples: pictures with depth.
        yardstick: rules of the accuracy.

    Raises:
        FastDepthError: it cannot be exported, loaded or run, or data cannot be read.
    """
    say(f"{case}: loading")
    with open_runner(case) as runner:
        cost = runner.cost()
        depth = runner.infer(resized(frames[0], case.size))
        scores = None
        if case.trained:
            scores = measure_accuracy(
                runner,
                samples,
                yardstick,
                case.size,
                lambda index: say(f"{case}: accuracy {index + 1}/{len(samples)}"),
            )
    return Examined(cost, depth, scores)


def open_alone(say: Say, case: Case) -> None:
    """Export a case's file unless it is there, and see that it opens."""
    say(f"{case}: loading")
    with open_runner(case):
        pass


def attempt(
    say: Say,
    case: Case,
    frames: Sequence[Batch],
    against: Case | None,
    *,
    seconds: float,
    minimum_n: int,
) -> Trial:
    """Time a row, then in turns with the one that it is compared with.

    Memory is read before the other is opened.

    Args:
        say: told what is done.
        case: what is measured.
        frames: (B, H, W, 3) uint8, taken in turns.
        against: what it is compared with.
        seconds: least length of each of the two measurements [s].
        minimum_n: least number of passes, and of rounds.

    Raises:
        FastDepthError: one of the two cannot be loaded or run, or answers with something else than
            depth.
    """
    say(f"{case}: timing")
    with ExitStack() as stack:
        with GpuMemory(case.device) as gpu:
            runner = stack.enter_context(open_runner(case))
            runner.infer(resized(frames[0], case.size))
        with EnergyMeter(case.device) as energy:
            measured = measure(runner, frames, case.size, seconds=seconds, minimum_n=minimum_n)
        peak = peak_resident_bytes()
        device = runner.on_device()
        batches = [resized(frame, case.size) for frame in frames]
        parts = Parts(measure_decoding(frames), *(measure_parts(device, batches) if device else ()))
        rounds: tuple[tuple[Pass, Pass], ...] = ()
        if against is not None:
            say(f"{case}: in turns with {against.name}")
            with open_runner(against) as other:
                pair = Contestant(runner, case.size), Contestant(other, against.size)
                rounds = take_turns(*pair, frames, seconds=2 * seconds, minimum_n=minimum_n)
    return Trial(
        measured.passes,
        measured.warm_up,
        measured.seconds,
        parts,
        peak_resident=peak,
        peak_gpu=gpu.peak_bytes,
        joules=energy.joules,
        rounds=rounds,
    )
