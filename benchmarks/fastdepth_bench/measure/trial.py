"""What one process measures of a row: :func:`examine` once, :func:`attempt` at every restart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fastdepth.images.collection import ImageList
from fastdepth.metrics import Scores
from fastdepth_bench.case import SERVER, Case
from fastdepth_bench.machine.energy import EnergyMeter
from fastdepth_bench.machine.memory import GpuMemory, peak_resident_bytes
from fastdepth_bench.measure.accuracy import Samples, Yardstick, measure_accuracy, timing_batches
from fastdepth_bench.measure.guards import check_complete
from fastdepth_bench.measure.interleaved import TurnTaker, take_turns
from fastdepth_bench.measure.isolate import Say
from fastdepth_bench.measure.offline import (
    Opened,
    Throughput,
    for_a_while,
    offline,
    offline_images,
)
from fastdepth_bench.measure.scenarios import Queries, server
from fastdepth_bench.measure.timing import (
    Pass,
    measure,
    measure_decoding,
    measure_parts,
    resized,
)
from fastdepth_bench.results.figures import WarmUp
from fastdepth_bench.runners.opening import open_runner

if TYPE_CHECKING:
    from fastdepth_bench.runners.protocol import Batch
    from fastdepth_export.cost import GraphCost


@dataclass(frozen=True)
class Examined:
    """What does not change from one restart to the next.

    Attributes:
        cost: parameters, multiply-adds and bytes of what is timed.
        depth: (B, 1, H, W) float32 [m], the answer to the first timed images.
        scores: accuracy by yardstick; none for random weights.
    """

    cost: GraphCost
    depth: NDArray[np.float32]
    scores: Mapping[Yardstick, Scores]


@dataclass(frozen=True)
class Parts:
    """Median times of what stands beside the three stages of a pass [s]; None on the CPU.

    Attributes:
        decode: a frame from JPEG in memory; no part of a pass.
        copy_in: images to a device of its own memory.
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
        joules: energy of the passes, without the warm-up [J]; None where it cannot be read.
        rounds: passes of this row and of the one that it is compared with, in turns.
        queries: what came in by itself; None but in the scenario ``server``.
        from_disk: what was read from disk; None where nothing was.
    """

    passes: tuple[Pass, ...]
    warm_up: WarmUp
    seconds: float
    parts: Parts
    peak_resident: int | None = None
    peak_gpu: int | None = None
    joules: float | None = None
    rounds: tuple[tuple[Pass, Pass], ...] = ()
    queries: Queries | None = None
    from_disk: Throughput | None = None


def first_answer(say: Say, case: Case, frames: Batch) -> None:
    """Open a file, count its cost and infer once, and say so at each step.

    Args:
        say: told what is done; a caller that hears nothing for long may give up.
        case: what is measured.
        frames: (B, H, W, 3) uint8.

    Raises:
        FastDepthError: it cannot be loaded or run.
    """
    say(f"{case}: loading")
    with open_runner(case) as runner:
        say(f"{case}: counting")
        runner.cost()
        say(f"{case}: a first inference")
        runner.infer(resized(frames, case.size))


def examine(
    say: Say,
    case: Case,
    frames: Sequence[Batch],
    samples: Samples,
    yardsticks: Sequence[Yardstick],
    *,
    edges: bool = False,
) -> Examined:
    """Export the file unless it is there; count its cost, test its honesty, score its depth.

    Args:
        say: told what is done.
        case: what is measured.
        frames: those to be timed.
        samples: images with depth.
        yardsticks: rules of the accuracy, which differ in their alignment alone.
        edges: whether accuracy is of boundaries, too.

    Raises:
        FastDepthError: it cannot be exported, loaded or run, or data cannot be read.
    """
    say(f"{case}: loading")
    with open_runner(case) as runner:
        cost = runner.cost()
        batches = [resized(frame, case.size) for frame in frames]
        depth = runner.infer(batches[0])
        check_complete(runner, batches, synchronise=_synchronise(case.device))
        scores: Mapping[Yardstick, Scores] = {}
        if case.trained:
            scores = measure_accuracy(
                runner,
                samples,
                yardsticks,
                case.size,
                lambda index: say(f"{case}: accuracy {index + 1}/{len(samples)}"),
                edges=edges,
            )
    return Examined(cost, depth, scores)


def _synchronise(device: str) -> Callable[[], object] | None:
    """What waits for all work of a device; None on the CPU."""
    if device == "cpu":
        return None
    import torch

    return partial(torch.cuda.synchronize, device)


def attempt(
    say: Say,
    case: Case,
    frames: Sequence[Batch],
    against: Case | None,
    *,
    seconds: float,
    minimum_n: int,
    warm_up_limit: float | None = None,
    images: ImageList | None = None,
    other_first: bool = False,
) -> Trial:
    """Time a row, then in turns with the one that it is compared with.

    Args:
        say: told what is done.
        case: what is measured.
        frames: (B, H, W, 3) uint8, taken in turns.
        against: what it is compared with.
        seconds: least length of each of the two measurements [s].
        minimum_n: least number of passes, and of rounds.
        warm_up_limit: greatest length of a warm-up [s]; as long as the measurement if absent.
        images: read these from disk as well, for so many seconds.
        other_first: open the other before the row: which comes first can decide what memory it
            gets, and by that a per cent or two. The row's own memory is then not read.

    Raises:
        FastDepthError: one of the two cannot be loaded or run, or answers with something else than
            depth.
    """
    say(f"{case}: timing")
    with ExitStack() as stack:
        if other_first and against is not None:
            other = stack.enter_context(open_runner(against))
        with GpuMemory(case.device) as gpu:
            runner = stack.enter_context(open_runner(case))
            runner.infer(resized(frames[0], case.size))
        energy = EnergyMeter(case.device)
        measured = measure(
            runner,
            frames,
            case.size,
            seconds=seconds,
            minimum_n=minimum_n,
            warm_up_limit=warm_up_limit,
            meter=energy,
        )
        alone = not (other_first and against is not None)
        peak = peak_resident_bytes() if alone else None
        device = runner.on_device()
        batches = [resized(frame, case.size) for frame in frames]
        parts = Parts(measure_decoding(frames), *(measure_parts(device, batches) if device else ()))
        queries = from_disk = None
        if case.scenario == SERVER:
            say(f"{case}: queries")
            queries = server(runner, batches, case.rate, seconds=seconds, minimum_n=minimum_n)
        if images:
            say(f"{case}: from disk")
            some = for_a_while(images, seconds)
            from_disk = offline_images(
                runner, some, case.batch, size=case.size, threads=case.threads
            )
        rounds: tuple[tuple[Pass, Pass], ...] = ()
        if against is not None:
            say(f"{case}: in turns with {against.name}")
            if alone:
                other = stack.enter_context(open_runner(against))
            pair = TurnTaker(runner, case.size), TurnTaker(other, against.size)
            rounds = take_turns(
                *pair,
                frames,
                seconds=2 * seconds,
                minimum_n=minimum_n,
                warm_up_limit=warm_up_limit,
            )
    return Trial(
        measured.passes,
        measured.warm_up,
        measured.seconds,
        parts,
        peak_resident=peak,
        peak_gpu=gpu.peak_bytes if alone else None,
        joules=energy.joules,
        rounds=rounds,
        queries=queries,
        from_disk=from_disk,
    )


def find_batch(say: Say, case: Case, samples: Samples, *, seconds: float) -> int:
    """The batch of the greatest throughput, for the scenario ``offline``.

    Raises:
        FastDepthError: not even single images can be inferred.
    """
    say(f"{case}: searching the best batch")

    @contextmanager
    def opened(batch: int) -> Iterator[Opened]:
        with open_runner(replace(case, batch=batch)) as runner:
            yield runner, timing_batches(samples, case.size, batch)

    return offline(opened, seconds=seconds).batch
