"""The command ``fastdepth-calibrate``: metres of one camera and its room, kept in the file."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import tyro

from fastdepth.calibrate.correction import Correction, Stored
from fastdepth.calibrate.decide import Found, decide
from fastdepth.calibrate.fit import FEWEST
from fastdepth.calibrate.gather import Gathered, most_of_each
from fastdepth.calibrate.known_distances import Place, parse_known_distances, read_known_distances
from fastdepth.calibrate.network import open_network, write_copy
from fastdepth.console import print_table, progress, run_command, say, tell
from fastdepth.data import open_source
from fastdepth.errors import UsageError
from fastdepth.files import check_no_input
from fastdepth.images.collection import ImageFile, open_images
from fastdepth.images.io import MAX_PIXELS
from fastdepth.images.skipping import Skipped
from fastdepth.ranges import FocalLength, Quantity, Threads, TimeLimit, check_needed
from fastdepth.runtime.answer import TIME_LIMIT
from fastdepth.runtime.ready import find_model
from fastdepth.runtime.third_party import OptionNames, ThirdPartyFile
from fastdepth.size import Size

PROG = "fastdepth-calibrate"

ENDING = ".calibrated"

DESCRIPTION = """Correct a depth file for your camera and room, by distances that you know.

It finds the factor (or factor and slope in log depth) by which the file is persistently wrong,
tries it on frames that it was not fitted on, and writes a copy, MODEL.calibrated.onnx, which
fastdepth.load and fastdepth-predict correct by themselves. MODEL is not touched. Where a
correction would not help, it says why and writes nothing. Images that cannot be used are named
and left out; the exit status then is 2.

Distances by a tape measure, along the optical axis, of pixels of a camera that does not move:

  fastdepth-calibrate mnv2-64-dws photos --known-distance 120,300,2.5 --known-distance ...

Points of many images, a line each: image,row,column,metres. Images lie beside the file:

  fastdepth-calibrate mnv2-64-dws --points points.csv

Images with depth, of which half is fitted to and half is held out:

  fastdepth-calibrate mnv2-64-dws --data nyu:PATH --output kitchen.onnx

A file of another program; say what it wants and answers with:

  fastdepth-calibrate other.onnx --points points.csv --normalise imagenet --answer disparity
"""


_IMAGES = tyro.conf.arg(metavar="IMAGE ...")


@dataclass(frozen=True)
class Options:
    """What is calibrated, and by what."""

    model: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="MODEL")]
    """Depth file (.onnx) of any program, or a network that comes ready: mnv2-64-dws."""

    images: Annotated[tyro.conf.Positional[tuple[Path, ...]], _IMAGES] = ()
    """For --known-distance: images of the camera, folders, tar shards or lists (.txt)."""

    known_distance: tuple[str, ...] = ()
    """ROW,COLUMN,METRES of a pixel (from 0) in all images of a fixed camera; give six or more, far
    apart."""

    points: Path | None = None
    """CSV file of image,row,column,metres; images are relative to it."""

    data: str | None = None
    """Images with depth: nyu:PATH, rooms or rooms:COUNT."""

    split: str = "test"
    """Part of the data: test, validation, train, all-train or fold-1 to fold-5."""

    limit: Quantity | None = None
    """So many images of the data, evenly spread; all if absent."""

    follow_outside: bool = False
    """Read also what --points, --data or a list of images name outside of their folder."""

    focal: FocalLength | None = None
    """Focal length [px in the image], if you also give it when you predict."""

    output: Path | None = None
    """File to write; MODEL.calibrated.onnx beside MODEL if absent, or here if MODEL is a name."""

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
        own = find_model(self.model)
        folder = own.parent if own == self.model else Path()
        return self.output or folder / f"{own.stem.removesuffix(ENDING)}{ENDING}.onnx"

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
        check_no_input(self.target, (find_model(self.model), self.points, *self.images))
        known = {(row, column) for row, column, _ in parse_known_distances(self.known_distance)}
        if 0 < len(known) < FEWEST:
            raise UsageError(
                f"known distances of {len(known)} pixel(s) are too few to see whether a correction "
                f"helps; give {FEWEST} or more, far apart"
            )

    def file(self) -> ThirdPartyFile:
        """The model, with what was said of it."""
        size = Size.parse(self.input_size) if self.input_size else None
        names = OptionNames(output="--answer")
        path = find_model(self.model)
        return ThirdPartyFile(path, size, self.normalise or "", self.answer or "", names)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    return run_command(Options, calibrate, prog=PROG, description=DESCRIPTION, arguments=arguments)


def calibrate(options: Options) -> int:
    """Calibrate a file, print what it gains, and write the copy.

    An image that cannot be used is named on stderr, the rest go on.

    Returns:
        Exit status: 2 where an image could not be used, else 0.

    Raises:
        FastDepthError: the model, an option, or what is given besides images does not work, or a
            correction would not help.
    """
    options.check()
    network = open_network(options.file(), options.threads, options.time_limit)
    inputs, skipped = list(_inputs(options)), Skipped(PROG)
    if not inputs:
        raise UsageError(f"no images in {' '.join(map(str, options.images))}; check the paths")
    fixed = bool(options.known_distance)
    gathered = Gathered(network, options.focal, fixed=fixed, most=most_of_each(len(inputs)))
    with progress("predicting", len(inputs)) as advance:
        for name, add in inputs:
            with skipped.unusable(name):
                add(gathered)
            advance(note=str(name))
    if gathered.image is None:
        return 2
    if skipped.count:
        tell(f"{skipped.count} of {len(inputs)} images cannot be used and are left out")
    seen = gathered.observations()
    found = decide(network.kind, seen, halves=options.data is not None)
    write_copy(network, found.stored, options.target, gathered.image)
    _print(found, seen.what)
    replaced = "; its correction takes the place of the one that was there"
    last = f"{options.target} written{replaced if network.current else ''}"
    tell(f"{last}; {options.model} is as it was")
    return 2 if skipped.count else 0


def _inputs(options: Options) -> Iterator[tuple[object, Callable[[Gathered], None]]]:
    """Images by name, each with what reads and gathers it."""
    follow, most = options.follow_outside, options.max_pixels
    if options.data is not None:
        source = open_source(
            options.data, options.split, limit=options.limit, look=False, follow_outside=follow
        )
        for index, name in enumerate(source.names):
            yield name, partial(Gathered.add_sample, source=source, index=index)
        return
    given: Iterable[tuple[ImageFile, Sequence[Place]]]
    if options.points:
        read = read_known_distances(options.points, follow_outside=follow)
        given = ((ImageFile(str(path), path.stem, path), found) for path, found in read.items())
    else:
        known = parse_known_distances(options.known_distance)
        given = ((file, known) for file in open_images(options.images, follow_outside=follow))
    for file, places in given:
        yield file, partial(Gathered.add_places, file=file, places=places, max_pixels=most)


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
        sign, offset = "-" if stored.offset < 0 else "+", abs(stored.offset)
        end = f" {sign} {offset:.4g}" if offset else ""
        return f"depth = 1 / ({stored.scale:.4g} * disparity{end})"
    factor = math.exp(stored.shift)
    power = "" if stored.slope == 1 else f" ^ {stored.slope:.3f}"
    return f"depth = {factor:.3f} * (the network's depth){power}"
