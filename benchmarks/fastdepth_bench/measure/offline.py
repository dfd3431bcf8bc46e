"""MLPerf's Offline: everything is there from the start, and only throughput counts.

MLPerf sends one query of at least 24,576 samples and leaves the batch to the system. Here the best
batch is searched first, on images in memory, and then measured; or a folder is read from disk.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from fastdepth.errors import DataError, ImageError, ParityError, UsageError
from fastdepth.preprocess import resize
from fastdepth.size import Size
from fastdepth_bench.measure.scenarios import Queries, back_to_back
from fastdepth_bench.measure.timing import timed

if TYPE_CHECKING:
    from fastdepth_bench.runners.protocol import Batch, Infers

Opened = tuple["Infers", Sequence["Batch"]]
"""A runner for batches of some size, and such batches for it."""

CANDIDATES = tuple(2**power for power in range(11))
"""Batches that are tried, in this order: 1, 2, 4 ... 1024."""

GROWTH = 0.02
"""A larger batch takes the place of the best when it is faster by this share, else noise would."""

CHANCES = 2
"""The search ends after so many batches in succession that did not."""

GLANCE, LEAST = 0.2, 5
"""Each batch is tried for this share of the measurement and for so many inferences at least."""


@dataclass(frozen=True)
class Offline:
    """Throughput with the best batch that was found.

    Attributes:
        queries: measurement of the best batch; each query is a batch.
        tried: images per second of each batch, in the order of the search.
        ended: why the search went no further.
    """

    queries: Queries
    tried: Mapping[int, float]
    ended: str

    @property
    def batch(self) -> int:
        """The best batch."""
        return self.queries.timing.batch


def offline(
    open_batch: Callable[[int], AbstractContextManager[Opened]],
    candidates: Iterable[int] = CANDIDATES,
    *,
    seconds: float,
) -> Offline:
    """Search the batch of the greatest throughput, then measure it.

    The search ends when throughput has stopped growing, or with a batch that cannot be run, for
    lack of memory as a rule. A wrong answer is no such end.

    Args:
        open_batch: opens a runner for a batch, and makes two batches or more that differ.
        candidates: batches to try, growing.
        seconds: least length of the measurement [s].

    Raises:
        ParityError: an answer is not a depth map.
        Exception: whatever the smallest batch raises.
    """
    tried: dict[int, float] = {}
    ended, best, missed = "no larger batch was to be tried", 0, 0
    for batch in candidates:
        try:
            with open_batch(batch) as (runner, batches):
                found = back_to_back(runner, batches, seconds=GLANCE * seconds, minimum_n=LEAST)
        except ParityError:
            raise
        except Exception as error:  # each runtime has one of its own for a lack of memory
            if not best:
                raise
            ended = f"batch {batch} failed: {' '.join(str(error).split()) or type(error).__name__}"
            break
        tried[batch] = found.fps
        if not best or found.fps > (1 + GROWTH) * tried[best]:
            best, missed = batch, 0
        else:
            missed += 1
        if missed == CHANCES:
            ended = f"{CHANCES} batches in succession gained less than {GROWTH:.0%}"
            break
    if not best:
        raise UsageError("no batch to try; give one or more")
    with open_batch(best) as (runner, batches):
        return Offline(back_to_back(runner, batches, seconds=seconds), tried, ended)


class Readable(Protocol):
    """An image that lies somewhere, such as a :class:`fastdepth.images.collection.ImageFile`."""

    def read(self) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB of any size; ImageError where it cannot be read."""
        ...


@dataclass(frozen=True)
class Throughput:
    """How fast a folder was read and inferred.

    Attributes:
        images: number of images inferred.
        failed: number of images that could not be read.
        first_failure: why the first of these could not; empty where all could.
        seconds: wall-clock time from the first file to the last answer [s].
        inference_seconds: share of it in which the runner was at work; the rest it waited.
        batch: images per inference.
    """

    images: int
    failed: int
    first_failure: str
    seconds: float
    inference_seconds: float
    batch: int

    @property
    def fps(self) -> float:
        """Images per second by the wall clock; decoding and resizing are in it."""
        return self.images / self.seconds


def offline_images(
    runner: Infers, images: Iterable[Readable], batch: int, *, size: Size, threads: int = 2
) -> Throughput:
    """Throughput over images on disk: decoded, resized and inferred, each once.

    Images are read by a few threads ahead of the runner, two batches at most, so that memory
    does not grow with their number. The last batch is filled up with its own images, for a
    runner may take but one size; these do not count twice.

    Args:
        runner: entered and warm.
        images: gone through once.
        batch: images per inference.
        size: network input; images are resized to it.
        threads: that read.

    Raises:
        DataError: there are no images, or none can be read.
        ParityError: an answer is not a depth map.
    """
    counted, failures, at_work = 0, 0, 0.0
    first_failure = ""
    waiting: list[NDArray[np.uint8]] = []
    start = time.perf_counter()

    def infer() -> float:
        return timed(runner, np.stack([waiting[n % len(waiting)] for n in range(batch)]))

    for found in _read_ahead(images, size, threads, ahead=2 * batch + threads):
        if isinstance(found, ImageError):
            failures += 1
            first_failure = first_failure or str(found)
            continue
        waiting.append(found)
        counted += 1
        if len(waiting) == batch:
            at_work += infer()
            waiting.clear()
    if waiting:
        at_work += infer()
    if not counted:
        raise DataError(first_failure or "there are no images to infer; check the path")
    seconds = time.perf_counter() - start
    return Throughput(counted, failures, first_failure, seconds, at_work, batch)


def for_a_while(images: Iterable[Readable], seconds: float) -> Iterator[Readable]:
    """The first images, as many as are asked for within so many seconds; at least one."""
    end = time.perf_counter() + seconds
    for image in images:
        yield image
        if time.perf_counter() >= end:
            return


def _read_ahead(
    images: Iterable[Readable], size: Size, threads: int, ahead: int
) -> Iterator[NDArray[np.uint8] | ImageError]:
    """Images at the network's input size, in order; at most so many read and not yet taken."""

    def read(image: Readable) -> NDArray[np.uint8] | ImageError:
        try:
            return resize(image.read(), size)
        except ImageError as error:
            return error

    coming = iter(images)
    with ThreadPoolExecutor(threads) as pool:
        under_way = deque(pool.submit(read, image) for image in itertools.islice(coming, ahead))
        try:
            while under_way:
                yield under_way.popleft().result()
                under_way.extend(pool.submit(read, p) for p in itertools.islice(coming, 1))
        finally:
            for future in under_way:
                future.cancel()
