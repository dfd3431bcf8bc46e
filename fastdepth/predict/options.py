"""Options of ``fastdepth-predict``, and the files that it writes of an image."""

from __future__ import annotations

import functools
import itertools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from fastdepth.anchors.files import check_points
from fastdepth.camera import check_focal
from fastdepth.data.source import DataOptions
from fastdepth.errors import UsageError, look_up
from fastdepth.files import remove_leftovers_of
from fastdepth.images.collection import ImageFile, is_set
from fastdepth.images.colour import DEFAULT_RANGE, check_range
from fastdepth.images.io import MAX_PIXELS
from fastdepth.images.overlap import Inputs
from fastdepth.images.parallel import ENGINES, Workers, usable_cores
from fastdepth.ranges import FocalLength, Quantity, Threads, TimeLimit, real
from fastdepth.runtime.answer import TIME_LIMIT
from fastdepth.runtime.ready import find_model
from fastdepth.runtime.session import provider_name
from fastdepth.video.sources import RATE

PROG = "fastdepth-predict"

Rate = Annotated[float, real(0, 1000, above=True)]
"""Frames a second."""

Metres = Annotated[float, real(0, 1_000_000, above=True)]

FOR_IMAGES = ("npy", "ply", "points", "engine", "workers", "compare")
"""Options that mean nothing where frames are predicted, by their fields."""

FOR_CLIPS = ("side_by_side", "depth16", "smooth", "live", "window", "fit_range", "rate")
"""Options that mean nothing where images are."""

ENDINGS = ("_depth.png", "_colour.png", "_depth.npy", "_points.ply", "_compare.png")
"""How the names of written files end."""


@dataclass(frozen=True)
class Options(DataOptions):
    """What to predict, and what to write."""

    model: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="MODEL")]
    """Exported model (.onnx), or a network that comes ready: mnv2-64-dws, mnv2-64-dws:int8."""

    images: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="IMAGE ...")]
    """Images (JPEG, PNG, WebP, TIFF, BMP ...), folders, tar shards, lists (.txt). Or what has
    frames: clips, folders of clips, a camera's number, addresses (rtsp://, http:// ...); and
    folders and patterns of images ('frames/%%06d.png') where the output is a clip."""

    output: Path
    """Folder to write to; it is made where it is missing. Of a single clip, camera or address also
    a file: .mp4, .mov, .mkv or .webm."""

    npy: bool = False
    """Write NAME_depth.npy as well: (H, W) float32 [m]."""

    ply: bool = False
    """Write NAME_points.ply as well: coloured points [m]."""

    focal: FocalLength | None = None
    """Focal length of the camera [px in the image]; without it the training camera's."""

    points: Path | None = None
    """Distances that are known: a file for all images, or a folder with one for each, NAME.csv
    (lines ROW,COLUMN,METRES or ROW,COLUMN,METRES,STD) or NAME.png (16 bits, millimetres, 0 is
    none, of any size). The depth is anchored at them."""

    provider: str = "cpu"
    """Where the model runs: cpu, cuda or tensorrt."""

    threads: Threads | None = None
    """Threads on the CPU, of each worker; without it all cores, split among the workers."""

    engine: str | None = None
    """here (this process), process (a pool of them) or ray. Without it: here for fewer than 32
    images and on a GPU, else process; process as well where workers are given."""

    workers: Threads | None = None
    """Processes of the engine; without it one a core, divided by the threads, and one on a GPU."""

    size: str | None = None
    """Network input, WIDTHxHEIGHT, of models with several; without it each image's best."""

    max_pixels: Quantity = MAX_PIXELS
    """Most pixels of an image; larger ones are refused before memory is spent on them."""

    time_limit: TimeLimit = TIME_LIMIT
    """For one inference; a model that takes longer is stopped, as one that never ends is [s]."""

    vmin: Metres = DEFAULT_RANGE[0]
    """Distance of the brightest colour [m]."""

    vmax: Metres = DEFAULT_RANGE[1]
    """Distance of the darkest colour [m]."""

    # A tuple in a tuple, so that both --compare A B and --compare A --compare B work.
    compare: Annotated[tuple[tuple[Path, ...], ...], tyro.conf.arg(metavar="MODEL ...")] = ()
    """More models; NAME_compare.png shows the image and all models side by side."""

    side_by_side: bool = False
    """Of clips: the image on the left of the depth."""

    depth16: bool = False
    """Of clips: write NAME_depth.mkv as well, depth without loss (FFV1, 16 bits, millimetres)."""

    smooth: bool = False
    """Of clips: filter depth along the motion of the image; it flickers less and is that of some
    time ago, 80 ms on average at most."""

    live: bool = False
    """Of clips, cameras and addresses: drop frames that are older than the latest where the model
    is too slow for them; they are counted."""

    window: bool = False
    """Of clips: show the frames in a window as they come; q closes it and ends."""

    fit_range: bool = False
    """Of clips: take the ends of the colours from a first pass over the clip."""

    rate: Rate = RATE
    """Frames a second of clips that are made of images."""

    def check(self) -> None:
        """Raise UsageError for what cannot work, before any model is loaded."""
        check_range(self.vmin, self.vmax)
        if self.focal is not None:
            check_focal(self.focal)
        if not self.images:
            raise UsageError("no images given; name one or more after the model")
        if not all(self.compare):
            raise UsageError("--compare names no model; leave it out, or give one after it")
        if self.engine is not None:
            look_up("engine", self.engine, ENGINES)
        if self.points is not None:
            check_points(self.points, self.output)
        if self.workers is not None and self.engine == "here":
            raise UsageError("--workers is for --engine process or --engine ray; leave one out")
        if self.engine == "ray" and provider_name(self.provider) != "cpu":
            raise UsageError("--engine ray runs on the CPU; use --engine process for a GPU")

    @property
    def models(self) -> list[Path]:
        """The files of the model, then of those to compare it with."""
        return [*map(find_model, (self.model, *(path for group in self.compare for path in group)))]

    @functools.cached_property
    def resumes(self) -> bool:
        """Whether finished images are skipped; single ones are predicted anew."""
        return any(map(is_set, map(Path, self.images)))

    def engine_for(self, many: bool) -> str:
        """The engine that was asked for, or else the default for many images or few."""
        pool = self.workers or (many and provider_name(self.provider) == "cpu")
        return self.engine or ("process" if pool else "here")

    def split(self) -> Workers:
        """Processes and threads that share the cores."""
        cores = usable_cores()
        alone = provider_name(self.provider) != "cpu"
        count = self.workers or (1 if alone else max(1, cores // (self.threads or 1)))
        return Workers(count, self.threads or max(1, cores // count), self.clean)

    def clean(self, image: ImageFile) -> None:
        """Remove what a process that died left of an image's files."""
        for path in self.files(image).values():
            remove_leftovers_of(path)

    def files(self, image: ImageFile) -> dict[str, Path]:
        """The files to be written of an image, by what they hold."""
        kinds = {"depth": ".png", "colour": ".png"}
        kinds |= {"npy": ".npy"} if self.npy else {}
        kinds |= {"points": ".ply"} if self.ply else {}
        kinds |= {"compare": ".png"} if len(self.models) > 1 else {}
        return {
            kind: self.output / f"{image.stem}_{kind.replace('npy', 'depth')}{suffix}"
            for kind, suffix in kinds.items()
        }

    def is_finished(self, image: ImageFile) -> bool:
        """Whether all files of an image are there and need not be written again."""
        paths = self.files(image).values()
        return self.resumes and all(map(os.path.exists, paths))

    def overwritten(self, image: ImageFile, inputs: Inputs) -> str:
        """Which image or model would be lost if this one's files were written; nothing if none."""
        lost = filter(inputs.hold, self.files(image).values())
        return "".join(
            f"{image}: {path} is an input or in a folder of images; give another --output"
            for path in itertools.islice(lost, 1)
        )
