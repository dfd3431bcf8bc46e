"""Where a function is mapped over images: in this process, in a pool of processes, or with Ray.

All three take the images as they come, never many ahead, and yield each when it is done.
Where a process dies, what was under way is tried again; an image that ends its process twice is
named, and the rest go on. So a function that renames its files into place and leaves finished ones
as they are writes each file exactly once.
"""

from __future__ import annotations

import itertools
import logging
import math
import multiprocessing
import os
import pickle
import signal
import threading
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from fastdepth.errors import FastDepthError, UsageError
from fastdepth.extras import require
from fastdepth.images.collection import ImageFile

Function = Callable[[ImageFile], str]
"""What is mapped: can be pickled, answers with what is wrong with the image, else with ""."""

Done = tuple[ImageFile, str]
"""An image and what the function answered."""

Engine = Callable[[Function, Iterable[ImageFile], "Workers"], Iterator[Done]]
"""``engine(function, images, workers)``; a FastDepthError that the function raises ends it."""

Submit = Callable[[ImageFile], "Future[str]"]

TRIES = 2  # deaths of a process after which the image that it had under way is given up

RAY_CHUNK = 16  # images a task, for Ray Data spends milliseconds on each task
RAY_WINDOW = 64  # tasks a process in one dataset, for its images must all be named beforehand


@dataclass(frozen=True)
class Workers:
    """The processes of an engine.

    Attributes:
        count: how many.
        threads: CPU threads of each.
        died: called with each image that was under way when a process died, before another try.
            Ray calls it in the process that tries next.
    """

    count: int = 1
    threads: int = 1
    died: Callable[[ImageFile], None] = lambda image: None


def map_here(function: Function, images: Iterable[ImageFile], _: Workers) -> Iterator[Done]:
    """Map in this process, one image after the other."""
    for image in images:
        yield image, function(image)


def map_processes(
    function: Function, images: Iterable[ImageFile], workers: Workers
) -> Iterator[Done]:
    """Map in a pool of processes, with at most two images a process under way."""

    @contextmanager
    def pool(count: int) -> Iterator[Submit]:
        context = multiprocessing.get_context("spawn")  # threads do not survive a fork
        executor = ProcessPoolExecutor(count, context, _begin_worker, (workers.threads,))
        try:
            if count == 1:  # as it is after a death: was it the image, or can none be started?
                _check_start(executor)
            yield lambda image: executor.submit(function, image)
        finally:
            executor.shutdown(cancel_futures=True)

    yield from _map(pool, iter(images), workers)


def map_ray(function: Function, images: Iterable[ImageFile], workers: Workers) -> Iterator[Done]:
    """Map with Ray Data, which tries again what a process that died leaves.

    The cluster is that of ``$RAY_ADDRESS``, whose machines must see the same files; without it Ray
    is started on this machine, and ended.

    Raises:
        MissingExtraError: Ray is not installed, or not with what Ray Data needs.
    """
    ray = require("ray", "ray")
    for needed in "pyarrow", "pandas":
        require(needed, "ray")
    data = require("ray.data", "ray")
    ours = not ray.is_initialized()
    if ours:
        _start_ray(ray, workers)
        data.DataContext.get_current().enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    tries = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(_Tries).remote()
    given = function, workers, str(Path.cwd()), tries
    taken = iter(images)
    try:
        while window := list(itertools.islice(taken, RAY_CHUNK * RAY_WINDOW * workers.count)):
            blocks = math.ceil(len(window) / RAY_CHUNK)
            rows = [pickle.dumps(image) for image in window]  # its tables hold no other objects
            done = data.from_items(rows, override_num_blocks=blocks).map_batches(
                _answer_ray,
                batch_size=None,
                compute=data.TaskPoolStrategy(workers.count),
                num_cpus=workers.threads,
                fn_args=given,
            )
            for row in done.iter_rows():
                image, answer = pickle.loads(row["done"])
                if isinstance(answer, FastDepthError):
                    raise answer
                yield image, answer
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


def _map(
    pool: Callable[[int], AbstractContextManager[Submit]],
    images: Iterator[ImageFile],
    workers: Workers,
) -> Iterator[Done]:
    """Map all images; those that a dead process left are tried again one by one.

    Args:
        pool: opens a pool of so many processes, to which images are submitted.
        images: what is mapped; at most two a process are under way.
        workers: the processes.
    """
    while unsure := (yield from _until_death(pool(workers.count), images, 2 * workers.count)):
        for image in unsure:
            workers.died(image)
        alone, died = deque(unsure), Counter[ImageFile]()
        while killers := (yield from _until_death(pool(1), _popped(alone), 1)):
            (image,) = killers
            workers.died(image)
            died[image] += 1
            if died[image] == TRIES:
                yield image, _ended(image)
            else:
                alone.appendleft(image)


def _popped(images: deque[ImageFile]) -> Iterator[ImageFile]:
    """Images from the left, until there are none."""
    while images:
        yield images.popleft()


def _until_death(
    pool: AbstractContextManager[Submit], images: Iterator[ImageFile], under_way: int
) -> Generator[Done, None, list[ImageFile]]:
    """Map images until there are no more, or until a process dies.

    Returns:
        The images that were under way when a process died; any may have been the cause.
    """
    unsure: list[ImageFile] = []
    waiting: dict[Future[str], ImageFile] = {}
    with pool as submit:
        while True:
            room = 0 if unsure else under_way - len(waiting)
            for image in itertools.islice(images, room):
                try:
                    waiting[submit(image)] = image
                except BrokenProcessPool:  # it takes nothing more once a process of it died
                    unsure.append(image)
                    break
            if not waiting:
                return unsure
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                image = waiting.pop(future)
                try:
                    answer = future.result()
                except BrokenProcessPool:
                    unsure.append(image)
                    continue
                yield image, answer


def _ended(image: ImageFile) -> str:
    """What is wrong with an image of which no process survives."""
    return f"{image} ended its process twice; does the memory suffice?"


def _start_ray(ray: Any, workers: Workers) -> None:
    """Connect to the cluster that the user named, else start Ray here."""
    if os.environ.get("RAY_ADDRESS"):
        ray.init(log_to_driver=False, logging_level="ERROR")
    else:
        cores = workers.count * workers.threads
        quiet = {"log_to_driver": False, "logging_level": "ERROR", "include_dashboard": False}
        ray.init("local", num_cpus=cores, **quiet)


class _Tries:
    """An actor of Ray's: how often images were begun that are not yet done."""

    def __init__(self) -> None:
        self.begun: Counter[str] = Counter()

    def begin(self, name: str) -> int:
        """Count one more try of the image; returns how many there are now."""
        self.begun[name] += 1
        return self.begun[name]

    def end(self, name: str) -> None:
        """Forget an image that is done."""
        self.begun.pop(name, None)


def _answer_ray(
    batch: dict[str, Any], function: Function, workers: Workers, folder: str, tries: Any
) -> dict[str, list[bytes]]:
    """What a process of Ray's does with some images, from their beginning after each death.

    Paths are relative to the folder of the process that asked.
    """
    ray = require("ray", "ray")
    os.chdir(folder)
    cv2.setNumThreads(workers.threads)
    done: list[tuple[ImageFile, str | FastDepthError]] = []
    for image in map(pickle.loads, batch["item"]):
        begun = ray.get(tries.begin.remote(image.name))
        if begun > 1:
            workers.died(image)
        try:
            done.append((image, _ended(image) if begun > TRIES else function(image)))
        except FastDepthError as error:  # raised it would come wrapped
            done.append((image, error))
            break
        tries.end.remote(image.name)
    return {"done": [pickle.dumps(pair) for pair in done]}


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
