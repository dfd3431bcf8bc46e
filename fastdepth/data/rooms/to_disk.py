"""Draw rooms once onto the disk: ``fastdepth-train rooms --output DIR``.

A room takes half a second to draw and some milliseconds to read, so a training of many epochs
draws them first and reads them as ``nyu:DIR``. Furnished rooms, which take seconds a frame, there
are in no other way.
"""

from __future__ import annotations

import multiprocessing
import os
import re
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cv2

from fastdepth.console import progress, run_command, tell
from fastdepth.data.furnished.catalogue import FURNITURE
from fastdepth.data.rooms.dataset import ROOM_SIZE, SPLITS, open_rooms, render_room
from fastdepth.errors import DataError, UsageError
from fastdepth.files import read_bytes, remove_leftovers, write_bytes, write_text
from fastdepth.images.io import SMALLEST_SIDE, to_millimetres, write_png
from fastdepth.lock import locked
from fastdepth.ranges import Quantity, Seed, Threads, check_needed, check_ranges, whole
from fastdepth.size import MAX_SIDE, Size

PROG = "fastdepth-train rooms"
HEADER = "image,depth,split,scene"

FIRST_SEED = SPLITS["train"][0]

DESCRIPTION = """Draw rooms onto the disk, to train from often; what is drawn there already stays.

Examples:

  fastdepth-train rooms --count 4000 --output rooms

  fastdepth-train rooms --furnished --count 1250 --output furnished

  fastdepth-train --variant unet128-dws --data nyu:PATH --data nyu:rooms --output runs/mixed
"""


@dataclass(frozen=True)
class Drawing:
    """Options of ``fastdepth-train rooms``.

    Attributes:
        output: folder for images, depths and manifest.csv; what is drawn there already stays.
        count: number of rooms.
        size: WIDTHxHEIGHT of the images; 640x480, of furnished rooms 320x240 if not given.
        workers: processes that draw.
        first_seed: number of the first room; the same number is the same room.
        furnished: path-traced rooms of real furniture, seconds a frame, with a test split; needs
            the extra render and the furniture.
        furniture: folder of the furniture (.sh3f), where the system's package has it if not given.
        views: frames of each furnished room.
        samples: light paths a pixel of furnished rooms; fewer are quicker and smear.
    """

    output: Path
    count: Quantity = 2000
    size: str | None = None
    workers: Threads = 2
    first_seed: Seed = FIRST_SEED
    furnished: bool = False
    furniture: Path = FURNITURE
    views: Annotated[int, whole(1, 100)] = 4
    samples: Annotated[int, whole(1, 10_000)] = 6

    @property
    def image_size(self) -> Size:
        """Of drawn rooms."""
        return Size.parse(self.size or str(ROOM_SIZE))


def draw(options: Drawing) -> Path:
    """Draw the rooms; returns the manifest.

    Raises:
        UsageError: a count, size or number of workers that cannot be, or a folder that holds other
            data or in which another process draws.
        OutputError: the folder cannot be written.
        MissingExtraError: furnished rooms without the renderer.
        DataError: furnished rooms without furniture.
    """
    check_ranges(options)
    traced = "views", "samples", "furniture"
    check_needed(options, options.furnished, "--furnished; add that", *traced)
    size = options.image_size
    if not SMALLEST_SIDE <= min(size) <= max(size) <= MAX_SIDE:
        raise UsageError(f"size {size}: sides must be {SMALLEST_SIDE} to {MAX_SIDE} px")
    count = len(open_rooms(str(options.count), "train"))  # checks it
    if options.furnished:
        return _draw_furnished(options)
    if options.first_seed < FIRST_SEED:
        raise UsageError(f"rooms below {FIRST_SEED} are for validation and test; begin there")
    seeds = range(options.first_seed, options.first_seed + count)
    manifest = options.output / "manifest.csv"
    with locked(options.output):
        known = _read_manifest(manifest)
        remove_leftovers(options.output)
        _draw_all([seed for seed in seeds if not _is_drawn(options.output, seed, size)], options)
        lines = [f"{x}.jpg,{x}.png,train,room{x}" for x in sorted({*known, *seeds})]
        write_text(manifest, "\n".join([HEADER, *lines]) + "\n")
    return manifest


def _read_manifest(path: Path) -> list[int]:
    """The rooms that were drawn before; UsageError where the manifest is of other data."""
    if not os.path.lexists(path):
        return []
    header, *lines = read_bytes(path, DataError).decode(errors="replace").splitlines() or [""]
    found = [re.fullmatch(r"(\d{1,9})\.jpg,\1\.png,train,room\1", line, re.ASCII) for line in lines]
    rooms = [int(each[1]) for each in found if each]
    if header != HEADER or len(rooms) < len(lines):
        raise UsageError(f"{path} is of other data; give another --output")
    return rooms


def _is_drawn(folder: Path, seed: int, size: Size) -> bool:
    """Whether image and depth of a room are there; the depth is written last.

    Raises:
        UsageError: they are, at another size.
    """
    image, depth = folder / f"{seed}.jpg", folder / f"{seed}.png"
    if not (image.exists() and depth.exists()):
        return False
    header = read_bytes(depth, DataError)[:24]  # its width and height are the last 8 bytes
    there = Size(int.from_bytes(header[20:]), int.from_bytes(header[16:20]))
    if there != size:
        raise UsageError(f"{depth} is {there}, not {size}; give --size {there} or another --output")
    return True


def _draw_all(seeds: Sequence[int], options: Drawing) -> None:
    """Draw rooms in several processes; after an error no further one is begun.

    Raises:
        UsageError: one of them died.
        OutputError: the folder cannot be written.
    """
    context = multiprocessing.get_context("spawn")  # forked OpenCV threads can hang
    size = options.image_size
    pool = ProcessPoolExecutor(options.workers, context)
    try:
        with progress("rooms", len(seeds)) as advance:
            for done in [pool.submit(_draw_one, seed, size, options.output) for seed in seeds]:
                done.result()
                advance(1)
    except (BrokenProcessPool, MemoryError):
        raise UsageError(
            "a process that draws died, perhaps for lack of memory; take fewer --workers, or a "
            "lesser --size"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _draw_furnished(options: Drawing) -> Path:
    """Draw furnished rooms; the renderer is imported for them alone."""
    from fastdepth.data.furnished.to_disk import Job, draw_furnished

    size = Size.parse(options.size) if options.size else Job.size
    job = Job(options.output, options.furniture, size, options.views, options.samples)
    return draw_furnished(job, options.first_seed, options.count, options.workers)


def _draw_one(seed: int, size: Size, folder: Path) -> None:
    """Write image and depth; the depth comes last and tells that both are there."""
    cv2.setNumThreads(1)
    room = render_room(seed, size)
    _, jpeg = cv2.imencode(".jpg", room.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
    write_bytes(folder / f"{seed}.jpg", jpeg.tobytes())
    write_png(folder / f"{seed}.png", to_millimetres(room.depth))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    return run_command(Drawing, _run, prog=PROG, description=DESCRIPTION, arguments=arguments)


def _run(options: Drawing) -> None:
    tell(f"wrote {draw(options)}")
