"""Draw furnished rooms onto the disk: ``fastdepth-train rooms --furnished``.

A folder of frames and a manifest, which is written anew after every room: what stands there can be
trained from, and what is not there is drawn when the command is called again.
"""

from __future__ import annotations

import csv
import io
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fastdepth.console import progress
from fastdepth.data.furnished.catalogue import Furniture, credits_text, read_catalogue
from fastdepth.data.furnished.layout import compose
from fastdepth.data.furnished.models import Models
from fastdepth.data.furnished.roles import cast_roles
from fastdepth.data.furnished.tracer import TracedRoom, furnish, start
from fastdepth.data.furnished.views import (
    PROBE,
    View,
    bare_depth,
    is_worth_a_frame,
    propose,
    stands_clear,
)
from fastdepth.data.furnished.wavefront import Array
from fastdepth.data.nyu.manifest import FURNISHED
from fastdepth.data.rooms.shading import photograph
from fastdepth.data.sample import Depth, Image
from fastdepth.errors import DataError, DeviceError, UsageError
from fastdepth.files import write_bytes, write_text
from fastdepth.images.io import to_millimetres, write_png
from fastdepth.lock import locked
from fastdepth.size import Size

TEST_SHARE = 20
"""One room in so many is for testing."""

TRIES_A_VIEW = 30
ROOMS_A_PROCESS = 25
"""Processes end then and others begin, so that no memory piles up."""

MANIFEST, CREDITS_FILE = "manifest.csv", "CREDITS.txt"


@dataclass(frozen=True)
class Frame:
    """A line of the manifest.

    Attributes:
        image: JPEG file.
        depth: PNG file of millimetres.
        split: ``train`` or ``test``; validation is parted off train by the scene's name.
        scene: the room.
        focal: focal length [px]; the principal point is the centre.
        kind: of the room.
    """

    image: str
    depth: str
    split: str
    scene: str
    focal: str
    kind: str


@dataclass(frozen=True)
class Job:
    """What is to be drawn.

    Attributes:
        folder: takes the frames.
        furniture: folder of the libraries.
        size: of the frames.
        views: frames a room.
        samples: light paths a pixel.
    """

    folder: Path
    furniture: Path
    size: Size = Size(240, 320)
    views: int = 4
    samples: int = 6


def draw_furnished(job: Job, first_seed: int, count: int, workers: int) -> Path:
    """Draw rooms by their seeds; rooms that the manifest names already stay as they are.

    Args:
        job: what and where to.
        first_seed: of the first room.
        count: number of rooms.
        workers: processes that draw.

    Returns:
        The manifest.

    Raises:
        UsageError: a number that cannot be.
        MissingExtraError: the renderer is missing.
        DataError: the furniture is missing, or a manifest that stands there is none of ours.
        OutputError: the folder cannot be written.
        DeviceError: a process that draws was ended.
    """
    if min(count, job.views, job.samples) < 1 or first_seed < 0:
        raise UsageError("--count, --views and --samples are 1 or more, --first-seed 0 or more")
    start()
    catalogue = read_catalogue(job.furniture)
    with locked(job.folder):
        manifest = job.folder / MANIFEST
        frames = read_frames(manifest)
        write_text(job.folder / CREDITS_FILE, credits_text(catalogue))
        _draw_missing(job, frames, range(first_seed, first_seed + count), workers)
    return manifest


def _draw_missing(job: Job, frames: list[Frame], asked: range, workers: int) -> None:
    """Draw the rooms that no frame of the manifest is of."""
    done = {frame.scene for frame in frames}
    seeds = [seed for seed in asked if scene_name(seed) not in done]
    with progress("rooms", len(asked)) as advance:
        advance(len(asked) - len(seeds))
        for drawn in _draw_rooms(seeds, job, workers):
            frames += drawn
            write_frames(job.folder / MANIFEST, frames)
            advance(1, note=f"{len(frames)} frames")


def _draw_rooms(seeds: Sequence[int], job: Job, workers: int) -> Iterator[list[Frame]]:
    """The frames of every room, as rooms are finished.

    Processes are begun anew for every batch: the executor's own ``max_tasks_per_child`` stops for
    good in Python 3.11.
    """
    context = multiprocessing.get_context("spawn")
    step = workers * ROOMS_A_PROCESS
    for batch in (seeds[first : first + step] for first in range(0, len(seeds), step)):
        pool = ProcessPoolExecutor(workers, context)
        try:
            for room in as_completed([pool.submit(draw_room, seed, job) for seed in batch]):
                yield room.result()
        except BrokenProcessPool:
            raise DeviceError(
                "the renderer was ended from outside or by too little memory; the same command "
                "goes on where it stopped, with fewer --workers if it was memory"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)  # after an interrupt, no room but those begun


def scene_name(seed: int) -> str:
    """The name of a seed's room."""
    return f"{FURNISHED}{seed:06d}"


def split_of(seed: int) -> str:
    """The half of the data that a room belongs to, by its seed alone."""
    return "test" if seed % TEST_SHARE == 0 else "train"


def read_frames(manifest: Path) -> list[Frame]:
    """What a manifest of furnished rooms names; nothing where there is none.

    Raises:
        DataError: it is another manifest.
    """
    if not manifest.exists():
        return []
    names = [field.name for field in fields(Frame)]
    with manifest.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        if list(reader.fieldnames or ()) != names:
            raise DataError(f"{manifest} is not of furnished rooms; give another folder")
        return [Frame(**row) for row in reader]


def write_frames(manifest: Path, frames: Sequence[Frame]) -> None:
    """Write the manifest, sorted by name.

    Raises:
        OutputError: it cannot be written.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Frame)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(frame) for frame in sorted(frames, key=lambda each: each.image))
    write_text(manifest, text.getvalue())


@cache
def _studio(furniture: Path) -> tuple[Any, Models, dict[str, list[Furniture]]]:
    """The renderer, the models and their roles, once a process."""
    cv2.setNumThreads(1)
    return start(), Models(furniture), cast_roles(read_catalogue(furniture))


def draw_room(seed: int, job: Job) -> list[Frame]:
    """Draw the frames of one room; a room without a view worth a frame has none."""
    mitsuba, models, cast = _studio(job.furniture)
    room = compose(seed, cast)
    rng = np.random.default_rng([seed, 1])
    surfaces = [*room.surfaces, *furnish(rng, models, room.placed)]
    traced = TracedRoom(mitsuba, surfaces, room.lamps)
    frames: list[Frame] = []
    for attempt in range(TRIES_A_VIEW * job.views):
        if len(frames) == job.views:
            break
        view = propose(rng, room)
        seen = traced.depth(view, PROBE) if stands_clear(view, room) else None
        if seen is not None and is_worth_a_frame(seen, bare_depth(view, room, PROBE)):
            light = traced.radiance(view, job.size, job.samples, seed + (attempt << 20))
            name = f"{seed:06d}-{len(frames)}"
            _write(job.folder / name, develop(light, rng), traced.depth(view, job.size))
            frames.append(_frame(name, seed, view, job.size, room.kind))
    traced.close()
    return frames


def develop(light: Array, rng: np.random.Generator) -> Image:
    """The photograph of linear light (H, W, 3): lamps and windows are over-exposed."""
    brightest = 2.5 * np.percentile(light, 90) + 1e-6
    return photograph(np.minimum(light + 1e-6, brightest), rng)


def _write(base: Path, image: Image, depth: Depth) -> None:
    """Write image and depth beside each other."""
    _, jpeg = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
    write_bytes(base.with_suffix(".jpg"), jpeg.tobytes())
    write_png(base.with_suffix(".png"), to_millimetres(depth))


def _frame(name: str, seed: int, view: View, size: Size, kind: str) -> Frame:
    focal = f"{view.focal * size.width:.2f}"
    return Frame(f"{name}.jpg", f"{name}.png", split_of(seed), scene_name(seed), focal, kind)
