"""Where a function is mapped over pictures: in this process, in a pool of processes, or with Ray.

All three take the pictures as they come, keep but a few under way, and yield each when it is done.
Where a process dies, what was under way is tried again, each picture alone; one that then ends its
process twice is named, and the rest go on. So a function that renames its files into place and
leaves finished ones as they are writes each file exactly once.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import cv2

from fastdepth.errors import FastDepthError, UsageError
from fastdepth.extras import require
from fastdepth.pictures import Picture

Function = Callable[[Picture], str]
"""What is mapped: can be pickled, answers with what is wrong with the picture, else with ""."""

Done = tuple[Picture, str]
"""A picture and what the function answered."""

Engine = Callable[[Function, Iterable[Picture], "Workers"], Iterator[Done]]
"""``engine(function, pictures, workers)``; a FastDepthError that the function raises ends it."""

Chunk = list[Picture]
Answers = list[str] | FastDepthError
Submit = Callable[[Chunk], "Future[Answers]"]

RAY_CHUNK = 16  # pictures a task, for Ray spends about a millisecond on each task


@dataclass(frozen=True)
class Workers:
    """The processes of an engine.

    Attributes:
        count: how many.
        threads: CPU threads of each.
        died: called with each picture that was under way when a process died, before another try.
    """

    count: int = 1
    threads: int = 1
    died: Callable[[Picture], None] = lambda picture: None


def map_here(function: Function, pictures: Iterable[Picture], _: Workers) -> Iterator[Done]:
    """Map in this process, one picture after the other."""
    for picture in pictures:
        yield picture, function(picture)


def map_processes(
    function: Function, pictures: Iterable[Picture], workers: Workers
) -> Iterator[Done]:
    """Map in a pool of processes, with at most two pictures a process under way."""

    @contextmanager
    def pool(count: int) -> Iterator[Submit]:
        context = multiprocessing.get_context("spawn")  # threads do not survive a fork
        executor = ProcessPoolExecutor(count, context, _begin_worker, (workers.threads,))
        try:
            if count == 1:  # as it is after a death: was it the picture, or can none be started?
                _check_start(executor)
            yield lambda chunk: executor.submit(_answer, function, chunk)
        finally:
            executor.shutdown(cancel_futures=True)

    yield from _map(pool, (BrokenProcessPool,), _chunks(pictures, 1), 2 * workers.count, workers)


def map_ray(function: Function, pictures: Iterable[Picture], workers: Workers) -> Iterator[Done]:
    """Map with Ray, in tasks of a few pictures.

    The cluster is that of ``$RAY_ADDRESS``, whose machines must see the same files; without it Ray
    is started on this machine, and ended.

    Raises:
        MissingExtraError: Ray is not installed.
    """
    ray = require("ray", "ray")
    quiet = {"log_to_driver": False, "logging_level": "ERROR", "include_dashboard": False}
    ours = not ray.is_initialized()
    if ours and os.environ.get("RAY_ADDRESS"):
        ray.init(log_to_driver=False, logging_level="ERROR")
    elif ours:
        ray.init("local", num_cpus=workers.count * workers.threads, **quiet)
    task = ray.remote(num_cpus=workers.threads, max_retries=0)(_answer_ray)

    def submit(chunk: Chunk) -> Future[Answers]:
        asked = task.remote(function, workers.threads, str(Path.cwd()), chunk)
        future: Future[Answers] = asked.future()
        return future

    errors = ray.exceptions
    lost = (errors.WorkerCrashedError, errors.NodeDiedError, errors.OutOfMemoryError)
    chunks = _chunks(pictures, RAY_CHUNK)
    try:
        yield from _map(lambda _: nullcontext(submit), lost, chunks, workers.count, workers)
    finally:
        if ours:
            ray.shutdown()


ENGINES: dict[str, Engine] = {"here": map_here, "process": map_processes, "ray": map_ray}
"""Engines by the names that users give them."""


def usable_cores() -> int:
    """Logical cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _chunks(pictures: Iterable[Picture], count: int) -> Iterator[Chunk]:
    """Pictures in lists of ``count``, the last one shorter; taken only when asked for."""
    taken = iter(pictures)
    return iter(lambda: list(itertools.islice(taken, count)), [])


def _map(
    pool: Callable[[int], AbstractContextManager[Submit]],
    lost: tuple[type[Exception], ...],
    chunks: Iterator[Chunk],
    under_way: int,
    workers: Workers,
) -> Iterator[Done]:
    """Map all chunks; those that a dead process left are tried again picture by picture.

    Args:
        pool: opens a pool of so many processes, to which chunks are submitted.
        lost: what a future raises whose process died.
        chunks: the pictures.
        under_way: most chunks submitted and not yet done.
        workers: the processes.
    """
    while unsure := (yield from _until_death(pool(workers.count), lost, chunks, under_way)):
        for picture in unsure:
            workers.died(picture)
        alone, tried = deque(unsure), set()
        while killers := (yield from _until_death(pool(1), lost, _popped(alone), 1)):
            (picture,) = killers
            workers.died(picture)
            if picture in tried:
                yield picture, f"{picture} ended its process twice; does the memory suffice?"
            else:
                tried.add(picture)
                alone.appendleft(picture)


def _popped(pictures: deque[Picture]) -> Iterator[Chunk]:
    """Pictures one by one, from the left, until there are none."""
    while pictures:
        yield [pictures.popleft()]


def _until_death(
    pool: AbstractContextManager[Submit],
    lost: tuple[type[Exception], ...],
    chunks: Iterator[Chunk],
    under_way: int,
) -> Generator[Done, None, list[Picture]]:
    """Map chunks until there are no more, or until a process dies.

    Returns:
        The pictures that were under way in a process that died; any may have been the cause.
    """
    unsure: list[Picture] = []
    waiting: dict[Future[Answers], Chunk] = {}
    with pool as submit:
        while True:
            room = 0 if unsure else under_way - len(waiting)
            for chunk in itertools.islice(chunks, room):
                try:
                    waiting[submit(chunk)] = chunk
                except lost:  # a pool takes nothing more once a process of it died
                    unsure += chunk
                    break
            if not waiting:
                return unsure
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                chunk = waiting.pop(future)
                try:
                    answers = future.result()
                except lost:
                    unsure += chunk
                    continue
                if isinstance(answers, FastDepthError):
                    raise answers
                yield from zip(chunk, answers, strict=True)


def _answer(function: Function, chunk: Chunk) -> Answers:
    """What a process does with a chunk. Errors are returned: Ray would wrap those raised."""
    try:
        return [function(picture) for picture in chunk]
    except FastDepthError as error:
        return error


def _answer_ray(function: Function, threads: int, folder: str, chunk: Chunk) -> Answers:
    """The same in a process of Ray's: paths are relative to the folder of the one that asked."""
    os.chdir(folder)
    cv2.setNumThreads(threads)
    return _answer(function, chunk)


def _check_start(executor: ProcessPoolExecutor) -> None:
    """Raise UsageError where no process can be started, whatever it should do."""
    try:
        executor.submit(os.getpid).result()
    except BrokenProcessPool:
        raise UsageError(
            "processes end before they begin; in a script call this below "
            "if __name__ == '__main__', or take the engine here"
        ) from None


def _begin_worker(threads: int) -> None:
    """Prepare a process of the pool: it leaves interrupts to its parent, and dies with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(threads)
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    """End this process when the one that made it ends, even where that was killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
