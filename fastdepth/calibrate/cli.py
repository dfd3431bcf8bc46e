"""The command ``fastdepth-calibrate``: metres of one camera and its room, kept in the file."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from numpy.typing import NDArray

from fastdepth.calibrate.correction import Correction, Stored
from fastdepth.calibrate.decide import Found, decide
from fastdepth.calibrate.gather import Gathered
from fastdepth.calibrate.network import open_network, write_copy
from fastdepth.calibrate.points import Place, parse_known_distances, read_points
from fastdepth.console import print_table, progress, run_command, say, tell
from fastdepth.data import Sample, open_source
from fastdepth.errors import UsageError
from fastdepth.files import check_no_input
from fastdepth.images.collection import ImageFile, open_images
from fastdepth.images.io import MAX_PIXELS
from fastdepth.ranges import FocalLength, Quantity, Threads, TimeLimit, check_needed
from fastdepth.runtime.answer import TIME_LIMIT
from fastdepth.runtime.third_party import OptionNames, ThirdPartyFile
from fastdepth.size import Size

PROG = "fastdepth-calibrate"

ENDING = ".calibrated"

DESCRIPTION = """Correct a depth file for your camera and room, by distances that you know.

It finds the factor (or factor and slope in log depth) by which the file is persistently wrong,
tries it on frames that it was not fitted on, and writes a copy, MODEL.calibrated.onnx, which
fastdepth.load and fastdepth-predict correct by themselves. MODEL is not touched. Where a
correction would not help, it says why and writes nothing.

Distances by a tape measure, along the optical axis, of pixels of a camera that does not move:

  fastdepth-calibrate mnv2-64-dws.onnx photos --known-distance 120,300,2.5 --known-distance ...

Points of many images, a line each: image,row,column,metres. Images lie beside the file:

  fastdepth-calibrate mnv2-64-dws.onnx --points points.csv

Images with depth, of which half is fitted to and half is held out:

  fastdepth-calibrate mnv2-64-dws.onnx --data nyu:PATH --output kitchen.onnx

A file of another program; say what it wants and answers with:

  fastdepth-calibrate other.onnx --points points.csv --normalise imagenet --answer disparity
"""


_IMAGES = tyro.conf.arg(metavar="IMAGE ...")


@dataclass(frozen=True)
class Options:
    """What is calibrated, and by what."""

    model: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="MODEL")]
    """Depth file (.onnx) of any program."""

    images: Annotated[tyro.conf.Positional[tuple[Path, ...]], _IMAGES] = ()
    """For --known-distance: images of the camera, folders, tar shards or lists (.txt)."""

    known_distance: tuple[str, ...] = ()
    """ROW,COLUMN,METRES of a pixel (from 0) in all images of a fixed camera; give six or more."""

    points: Path | None = None
    """CSV file of image,row,column,metres; images are relative to it."""

    data: str | None = None
    """Images with depth: nyu:PATH, rooms or rooms:COUNT."""

    split: str = "test"
    """Part of the data: test, validation, train, all-train or fold-1 to fold-5."""

    limit: Quantity | None = None
    """So many images of the data, evenly spread; all if absent."""

    follow_outside: bool = False
    """Read also what --points or --data name outside of their folder."""

    focal: FocalLength | None = None
    """Focal length [px in the image], if you also give it when you predict."""

    output: Path | None = None
    """File to write; MODEL.calibrated.onnx beside MODEL if absent."""

    input_size: str | None = None
    """Network input of a file by another program, WIDTHxHEIGHT, where it leaves that open."""

    normalise: str | None = None
    """What such a file wants of pixels: imagenet, half, unit (0 to 1) or raw (0 to 255)."""

    answer: str | None = None
    """What such a file answers with: metres or disparity."""

    threads: Threads | None = None
    """Threads on the CPU; all cores if absent."""

    max_pixels: Quantity = MAX_PIXELS
    """Most pixels of an image."""

    time_limit: TimeLimit = TIME_LIMIT
    """For one inference [s]."""

    @property
    def target(self) -> Path:
        """The file that is written."""
        stem = self.model.stem.removesuffix(ENDING)
        return self.output or self.model.with_name(f"{stem}{ENDING}.onnx")

    def check(self) -> None:
        """Raise UsageError for what cannot work, before any work."""
        ways = [self.data is not None, self.points is not None, bool(self.known_distance)]
        if sum(ways) != 1:
            raise UsageError("give one of --known-distance, --points and --data")
        if self.known_distance and not self.images:
            raise UsageError("--known-distance needs images of the camera; name them after MODEL")
        if self.images and not self.known_distance:
            raise UsageError("images are for --known-distance; leave them out, or add that")
        check_needed(self, self.data, "--data; add that", "split", "limit")
        if self.target.suffix.lower() != ".onnx":
            raise UsageError(f"output {self.target} is no .onnx file; end its name in .onnx")
        check_no_input(self.target, (self.model, self.points, *self.images))
        parse_known_distances(self.known_distance)

    def file(self) -> ThirdPartyFile:
        """The model, with what was said of it."""
        size = Size.parse(self.input_size) if self.input_size else None
        names = OptionNames(output="--answer")
        return ThirdPartyFile(self.model, size, self.normalise or "", self.answer or "", names)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    return run_command(Options, calibrate, prog=PROG, description=DESCRIPTION, arguments=arguments)


def calibrate(options: Options) -> None:
    """Calibrate a file, print what it gains, and write the copy.

    Raises:
        FastDepthError: something cannot be read or written, or a correction would not help.
    """
    options.check()
    network = open_network(options.file(), options.threads, options.time_limit)
    gathered = Gathered(network, options.focal)
    for image, name, places in _with_places(options):
        gathered.add_places(image, name, places)
    for sample in _samples(options):
        gathered.add_sample(sample)
    if gathered.image is None:
        raise UsageError(f"no images in {' '.join(map(str, options.images))}; check the paths")
    seen = gathered.observations(fixed=bool(options.known_distance))
    found = decide(network.kind, seen, halves=options.data is not None)
    write_copy(network, found.stored, options.target, gathered.image)
    _print(found, seen.what)
    replaced = "; its correction takes the place of the one that was there"
    last = f"{options.target} written{replaced if network.current else ''}"
    tell(f"{last}; {options.model} is as it was")


def _with_places(options: Options) -> Iterator[tuple[NDArray[np.uint8], str, Sequence[Place]]]:
    """Images with known distances, and their names."""
    given: list[tuple[ImageFile, Sequence[Place]]] = []
    if options.known_distance:
        places = parse_known_distances(options.known_distance)
        given = [(image, places) for image in open_images(options.images)]
    elif options.points:
        read = read_points(options.points, follow_outside=options.follow_outside)
        given = [(ImageFile(str(path), path.stem, path), found) for path, found in read.items()]
    with progress("predicting", len(given), shown=bool(given)) as advance:
        for image, found in given:
            yield image.read(options.max_pixels), str(image), found
            advance(note=image.name)


def _samples(options: Options) -> Iterator[Sample]:
    """Images with depth."""
    if options.data is None:
        return
    follow = options.follow_outside
    source = open_source(options.data, options.split, limit=options.limit, follow_outside=follow)
    with progress("predicting", len(source)) as advance:
        for index in range(len(source)):
            yield source[index]
            advance()


def _print(found: Found, what: str) -> None:
    """What was found, and what it gains."""
    d1, abs_rel = found.scores.d1, found.scores.abs_rel
    rows = [
        [name, *(f"{scores[:, column].mean():.3f}" for scores in (d1, abs_rel))]
        for column, name in enumerate(("before", "after"))
    ]
    print_table([f"{len(d1)} held-out {what}", "d1", "AbsRel"], rows)
    metric, gain, error = found.scores.gain
    say(f"{metric} is better by {gain:.3f} (standard error {error:.3f})")
    rests = found.stored.evidence
    fitted = f" of {rests.images} images, {rests.points} points" if rests else ""
    say(f"{found.form.name}{fitted}: {_formula(found.stored)}")


def _formula(stored: Stored) -> str:
    """A correction for reading."""
    if not isinstance(stored, Correction):
        return f"depth = 1 / ({stored.scale:.4g} * disparity + {stored.offset:.4g})"
    factor = math.exp(stored.shift)
    power = "" if stored.slope == 1 else f" ^ {stored.slope:.3f}"
    return f"depth = {factor:.3f} * (the network's depth){power}"
