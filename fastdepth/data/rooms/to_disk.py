"""Draw rooms once onto the disk: ``fastdepth-train rooms --output DIR``.

A room takes half a second to draw and some milliseconds to read, so a training of many epochs
draws them first and reads them as ``nyu:DIR``.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2

from fastdepth.console import progress, run_command, tell
from fastdepth.data.rooms.dataset import ROOM_SIZE, SPLITS, open_rooms, render_room
from fastdepth.errors import UsageError
from fastdepth.files import make_folder, write_bytes, write_text
from fastdepth.images.io import to_millimetres, write_png
from fastdepth.size import Size

PROG = "fastdepth-train rooms"

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
    count: int = 2000
    size: str = str(ROOM_SIZE)
    workers: int = 2


def draw(options: Drawing) -> Path:
    """Draw the rooms; returns the manifest, which is written last.

    Raises:
        UsageError: a count, size or number of workers that cannot be.
        OutputError: the folder cannot be written.
    """
    if options.workers < 1:
        raise UsageError(f"{options.workers} workers draw nothing; give 1 or more")
    size = Size.parse(options.size)
    count = len(open_rooms(str(options.count), "train"))  # checks it
    folder = make_folder(options.output)
    seeds = range(SPLITS["train"][0], SPLITS["train"][0] + count)
    context = multiprocessing.get_context("spawn")  # forked OpenCV threads can hang
    with (
        progress("rooms", count) as advance,
        ProcessPoolExecutor(options.workers, context) as pool,
    ):
        for done in [pool.submit(_draw_one, seed, size, folder) for seed in seeds]:
            done.result()
            advance(1)
    lines = [f"{seed}.jpg,{seed}.png,train,room{seed}" for seed in seeds]
    manifest = folder / "manifest.csv"
    write_text(manifest, "\n".join(["image,depth,split,scene", *lines]) + "\n")
    return manifest


def _draw_one(seed: int, size: Size, folder: Path) -> None:
    """Write image and depth; the depth comes last and tells that both are there."""
    depth = folder / f"{seed}.png"
    if depth.exists():
        return
    cv2.setNumThreads(1)
    room = render_room(seed, size)
    _, jpeg = cv2.imencode(".jpg", room.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
    write_bytes(folder / f"{seed}.jpg", jpeg.tobytes())
    write_png(depth, to_millimetres(room.depth))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    return run_command(Drawing, _run, prog=PROG, description=DESCRIPTION, arguments=arguments)


def _run(options: Drawing) -> None:
    tell(f"wrote {draw(options)}")
