"""Guards against a runner that answers before its work is done, or with another image's depth.

What counts is the answer as it lies there when ``infer`` returns. :func:`check_complete` looks
at it at once and again later, asks in another order, and watches what the process and the device
still do. A cache of answers is no business of this module: it finds nothing, for no two inputs of
a run are equal, see :func:`fastdepth_bench.measure.inputs.fresh`.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fastdepth.errors import ParityError
from fastdepth_bench.measure.inputs import check_inputs
from fastdepth_bench.measure.timing import check_depth

if TYPE_CHECKING:
    from fastdepth_bench.runners.protocol import Batch, DepthBatch, Infers

IMAGES = 3
"""Inputs that are asked for in both orders."""

PAUSE = 0.1
"""Least wait for work that goes on after the answer; else twice the latency [s]."""

QUIET, WINDOW = 0.1, 0.02
"""A process is quiet when it uses less than this share of a core in a window [s]."""

LONGEST = 5.0
"""A process that is not quiet after so long is not waited for [s]."""

BURST_SECONDS, BURST_N = 0.1, 100
"""Length of a burst of inferences [s], and their greatest number; there are at least three."""

SHARE = 0.25
"""CPU time that a burst may use after its last answer, by that until then."""

SLACK = 0.05
"""CPU time that is never held against a runner [s]: the threads of a pool spin for a moment."""

DEVICE_SHARE, DEVICE_SLACK = 0.1, 1e-4
"""What a device may still need after an answer: a share of the latency, and a time [s]."""


def check_complete(
    runner: Infers,
    batches: Sequence[Batch],
    *,
    synchronise: Callable[[], object] | None = None,
) -> None:
    """Refuse a runner that is not done when it returns; takes about a second, off the clock.

    1. An answer is an array in host memory, equal to itself after a wait of twice the latency and
       until the process is quiet.
    2. Different images have different answers, and each has its own again when images come
       in the opposite order with pauses instead of back to back: an answer handed back one
       inference late belongs to another image.
    3. The CPU time used after the last answer of a burst does not grow with the burst. Threads
       of ONNX Runtime, PyTorch and OpenVINO spin for up to some tenths of a second after an
       inference, for as long after one as after a hundred; work put off grows with their number.
    4. On a device, synchronising after the answer takes next to no time.

    Args:
        runner: entered and warm.
        batches: at least two, each (B, H, W, 3) uint8; the first three are used and must differ.
        synchronise: waits for all work of the device, such as ``torch.cuda.synchronize``; None
            on a CPU.

    Raises:
        UsageError: the batches are all the same, or an image is of a single colour.
        ParityError: the runner is not done when it returns, in one line that says by which sign.
    """
    chosen = batches[:IMAGES]
    check_inputs(chosen)
    rushed = [np.array(_infer(runner, batch)) for batch in chosen]
    _settle(0)
    slow, afterwards = [], []
    for batch in reversed(chosen):
        depth, after = _answer_and_wait(runner, batch)
        slow.append(depth)
        afterwards.append(after)
    _check_own(rushed, slow[::-1])
    _check_burst(runner, chosen, max(afterwards))
    if synchronise is not None:
        _check_device(runner, chosen, synchronise)


def _infer(runner: Infers, batch: Batch) -> DepthBatch:
    """The answer, which is a depth map now, not an object that becomes one when it is read."""
    depth = runner.infer(batch)
    if type(depth) is not np.ndarray:
        raise ParityError(
            f"the runner answered a {type(depth).__name__}, not an array in host memory; not timed"
        )
    check_depth(depth, batch)
    return depth


def _answer_and_wait(runner: Infers, batch: Batch) -> tuple[DepthBatch, float]:
    """The answer as it was on return, and the CPU time used after it [s].

    Raises:
        ParityError: the answer has changed since.
    """
    start = time.perf_counter()
    depth = runner.infer(batch)
    latency = time.perf_counter() - start
    kept = np.array(depth)
    after = _settle(2 * latency)
    changed = np.count_nonzero(kept != depth)
    if changed:
        raise ParityError(
            f"depth changed at {changed} of {kept.size} pixels after infer had returned: "
            "the runner answers before its work is done; not timed"
        )
    return kept, after


def _settle(least: float) -> float:
    """Wait until the process is quiet; CPU time that it has used until then [s]."""
    cpu, start = time.process_time(), time.perf_counter()
    time.sleep(max(least, PAUSE))
    while time.perf_counter() - start < LONGEST:
        before, since = time.process_time(), time.perf_counter()
        time.sleep(WINDOW)
        if time.process_time() - before < QUIET * (time.perf_counter() - since):
            break
    return time.process_time() - cpu


def _check_own(rushed: Sequence[DepthBatch], slow: Sequence[DepthBatch]) -> None:
    """Raise unless answers differ and each is nearest to that of the same image before."""
    if all(np.array_equal(rushed[0], other) for other in rushed[1:]):
        raise ParityError("the runner answers different images with the same depth; not timed")
    for own, depth in enumerate(slow):
        distances = [float(np.abs(depth - other).mean()) for other in rushed]
        if distances[own] > min(distances):
            raise ParityError(
                "the depth of an image depends on which came before it: "
                "the runner hands back an answer that is not of this image; not timed"
            )


def _check_burst(runner: Infers, batches: Sequence[Batch], alone: float) -> None:
    """Raise if CPU time after a burst exceeds that after a single answer by what grows with it.

    Args:
        runner: see :func:`check_complete`.
        batches: taken in turns.
        alone: CPU time used after a single answer [s].
    """
    cpu, start = time.process_time(), time.perf_counter()
    for n, batch in enumerate(itertools.cycle(batches)):
        enough = n >= BURST_N or time.perf_counter() - start >= BURST_SECONDS
        if n >= len(batches) and enough:
            break
        runner.infer(batch)
    during = time.process_time() - cpu
    after = _settle(0)
    if after > 2 * alone + SHARE * during + SLACK:
        raise ParityError(
            f"the process used {after:.2f} s of CPU time after the last of {n} answers and "
            f"{during:.2f} s until then: the runner answers before its work is done; not timed"
        )


def _check_device(
    runner: Infers, batches: Sequence[Batch], synchronise: Callable[[], object]
) -> None:
    """Raise if a device is still at work after an answer, by the median of some."""
    latencies, waits = [], []
    synchronise()
    for batch in itertools.islice(itertools.cycle(batches), 3 * len(batches)):
        start = time.perf_counter()
        runner.infer(batch)
        answered = time.perf_counter()
        synchronise()
        latencies.append(answered - start)
        waits.append(time.perf_counter() - answered)
    latency, wait = float(np.median(latencies)), float(np.median(waits))
    if wait > DEVICE_SHARE * (latency + wait) + DEVICE_SLACK:
        raise ParityError(
            f"the device was at work for {1000 * wait:.2f} ms after infer had returned, "
            f"which took {1000 * latency:.2f} ms; not timed"
        )
