"""Draw rooms once onto the disk: ``fastdepth-train rooms --output DIR``.

A room takes half a second to draw and some milliseconds to read, so a training of many epochs
draws them first and reads them as ``nyu:DIR``.
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

import cv2

from fastdepth.console import progress, run_command, tell
from fastdepth.data.rooms.dataset import ROOM_SIZE, SPLITS, open_rooms, render_room
from fastdepth.errors import DataError, UsageError
from fastdepth.files import read_bytes, remove_leftovers, write_bytes, write_text
from fastdepth.images.io import to_millimetres, write_png
from fastdepth.lock import locked
from fastdepth.ranges import Quantity, Threads, check_ranges
from fastdepth.size import MAX_SIDE, Size

PROG = "fastdepth-train rooms"
HEADER = "image,depth,split,scene"

DESCRIPTION = """Draw rooms of the training split onto the disk, to train from often.

Examples:

  fastdepth-train rooms --count 4000 --output rooms

  fastdepth-train --variant unet128-dws --data nyu:PATH --data nyu:rooms --output runs/mixed
"""


@dataclass(frozen=True)
class Drawing:
    """Options of ``fastdepth-train rooms``.

    Attributes:
        output: folder for images, depths and manifest.csv; what is drawn there already stays.
        count: number of rooms.
        size: WIDTHxHEIGHT of the images.
        workers: processes that draw.
    """

    output: Path
    count: Quantity = 2000
    size: str = str(ROOM_SIZE)
    workers: Threads = 2


def draw(options: Drawing) -> Path:
    """Draw the rooms; returns the manifest, which is written last.

    Raises:
        UsageError: a count, size or number of workers that cannot be, or a folder that holds other
            data or in which another process draws.
        OutputError: the folder cannot be written.
    """
    check_ranges(options)
    size = Size.parse(options.size)
    if max(size) > MAX_SIDE:
        raise UsageError(f"size {size}: sides must be at most {MAX_SIDE} px")
    count = len(open_rooms(str(options.count), "train"))  # checks it
    seeds = range(SPLITS["train"][0], SPLITS["train"][0] + count)
    manifest = options.output / "manifest.csv"
    with locked(options.output):
        _check_manifest(manifest)
        remove_leftovers(options.output)
        _draw_all([seed for seed in seeds if not _is_drawn(options.output, seed, size)], options)
        lines = [f"{seed}.jpg,{seed}.png,train,room{seed}" for seed in seeds]
        write_text(manifest, "\n".join([HEADER, *lines]) + "\n")
    return manifest


def _check_manifest(path: Path) -> None:
    """See that a manifest that would be replaced is one of drawn rooms."""
    if not os.path.lexists(path):
        return
    header, *lines = read_bytes(path, DataError).decode(errors="replace").splitlines() or [""]
    if header != HEADER or not all(
        re.fullmatch(r"(\d+)\.jpg,\1\.png,train,room\1", x) for x in lines
    ):
        raise UsageError(f"{path} is of other data; give another --output")


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
    size = Size.parse(options.size)
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
