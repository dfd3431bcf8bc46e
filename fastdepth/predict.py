"""The command ``fastdepth-predict``: depth of image files."""

from __future__ import annotations

import functools
import io
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from numpy.typing import NDArray

from fastdepth.anchors.files import check_points, points_of
from fastdepth.camera import check_focal
from fastdepth.console import Advance, progress, run_command, tell
from fastdepth.data.source import DataOptions
from fastdepth.errors import ImageError, OutputError, UsageError, look_up
from fastdepth.files import ends_all, remove_leftovers_in, remove_leftovers_of, write_bytes
from fastdepth.images.collection import ImageFile, is_set, open_images, unique_names
from fastdepth.images.colour import DEFAULT_RANGE, check_range, colourise, scale_bar, sheet
from fastdepth.images.io import MAX_PIXELS, to_millimetres, write_png
from fastdepth.images.overlap import Inputs
from fastdepth.images.parallel import ENGINES, Workers, usable_cores
from fastdepth.images.points import to_points, write_ply
from fastdepth.images.skipping import UNUSABLE, Skipped, problem_of
from fastdepth.ranges import FocalLength, Quantity, Threads, TimeLimit, real
from fastdepth.runtime.answer import TIME_LIMIT
from fastdepth.runtime.model import DepthModel, load
from fastdepth.runtime.session import provider_name
from fastdepth.size import Size

PROG = "fastdepth-predict"

Metres = Annotated[float, real(0, 1_000_000, above=True)]

MANY = 32
"""Images that are worth the start of a pool, which takes about as long as several of them."""

ENDINGS = ("_depth.png", "_colour.png", "_depth.npy", "_points.ply", "_compare.png")
"""How the names of written files end."""

DESCRIPTION = """Predict the depth of images in metres.

For each image NAME it writes NAME_depth.png (16 bits, millimetres, 0 is none, at most 65.535 m)
and NAME_colour.png (near bright, far dark, with a bar in metres).

Examples:

  fastdepth-predict unet128-dws.onnx photo.jpg --output depth

  fastdepth-predict unet128-dws.onnx photos/*.jpg --output depth --npy --ply --focal 1180

  fastdepth-predict unet128-dws.onnx photo.jpg --output depth --compare effb0-256.onnx unet256.onnx

  fastdepth-predict mnv2-64-dws.onnx photo.jpg --output depth --points tape-measure.csv

Any number of images, one after the other, from a folder, tar shards or a list (.txt, a path a
line). Files are called as the images are: a/b.jpg becomes OUTPUT/a/b_depth.png, and b.jpg in
shard-0.tar OUTPUT/shard-0.tar/b_depth.png. Only .jpg is dropped from names; b.png becomes
b.png_depth.png, so that no two images meet. Names of several sources begin with each one's own.

  fastdepth-predict unet128-dws.onnx photos --output depth

  fastdepth-predict unet128-dws.onnx shards/*.tar --output depth --workers 8

  fastdepth-predict unet128-dws.onnx list.txt --output depth --engine ray --workers 8

The same command again goes on where it was stopped: images of which all files are there are
skipped. To predict them anew, as with another model, give another folder.
"""


@dataclass(frozen=True)
class Options(DataOptions):
    """What to predict, and what to write."""

    model: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="MODEL")]
    """Exported model (.onnx)."""

    images: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="IMAGE ...")]
    """Images (JPEG, PNG, WebP, TIFF, BMP ...), folders, tar shards, lists (.txt)."""

    output: Path
    """Folder to write to; it is made where it is missing."""

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
        """The model, then those to compare it with."""
        return [self.model, *(path for group in self.compare for path in group)]

    @functools.cached_property
    def resumes(self) -> bool:
        """Whether finished images are skipped; single ones are predicted anew."""
        return any(map(is_set, self.images))

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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    return run_command(Options, predict, prog=PROG, description=DESCRIPTION, arguments=arguments)


def predict(options: Options) -> int:
    """Predict all images; one that cannot be read is named on stderr, the rest go on.

    Returns:
        Exit status: 2 where an image could not be read, else 0.

    Raises:
        FastDepthError: a model, a provider, an option or the output folder does not work.
    """
    options.check()
    _check_output(options.output)
    images = open_images(
        options.images, leave_out=options.output, follow_outside=options.follow_outside
    )
    read = [*options.models, *filter(None, [options.points])]
    inputs = Inputs(images, options.output, ENDINGS, read)
    if not options.resumes and any(lost := [options.overwritten(i, inputs) for i in images]):
        raise UsageError(next(filter(None, lost)))
    open_models.cache_clear()  # the files may have changed since
    described = _describe(options, open_models(options)[0])
    tally = Tally()
    with progress("predicting", None if options.resumes else len(options.images)) as advance:
        todo = tally.unfinished(options, images, inputs, advance)
        few = list(itertools.islice(todo, MANY))
        engine, workers = options.engine_for(len(few) == MANY), options.split()
        if engine != "here":
            open_models.cache_clear()  # each process opens its own
            options = replace(options, threads=workers.threads)
        function = functools.partial(predict_image, options)
        for image, problem in ENGINES[engine](function, itertools.chain(few, todo), workers):
            tally.add(image, problem)
            advance(note=image.name)
    if tally.total == 0:
        raise UsageError(f"no images in {' '.join(map(str, options.images))}; check the paths")
    if tally.failed < tally.total:
        line = f"{tally.written} of {tally.total} images written to {options.output}"
        line += f", {tally.skipped} skipped, {tally.failed} failed {described}"
        tell(line)
    return 2 if tally.failed else 0


def _check_output(folder: Path) -> None:
    """Raise OutputError where nothing can be written, before each image is told so."""
    place = os.path.realpath(folder)
    while not os.path.lexists(place):
        place = os.path.dirname(place)  # noqa: PTH120
    if not os.path.isdir(place):  # noqa: PTH112
        raise OutputError(f"cannot write to {folder}: {place} is not a folder; give another")
    if not os.access(place, os.W_OK | os.X_OK):
        raise OutputError(f"cannot write to {folder}: no permission in {place}; give another")


@dataclass
class Tally:
    """What became of the images."""

    written: int = 0
    skipped: int = 0
    left_out: Skipped = field(default_factory=lambda: Skipped(PROG))
    under_way: set[str] = field(default_factory=set)
    tidied: set[Path] = field(default_factory=set)

    @property
    def failed(self) -> int:
        """Images of which nothing is written."""
        return self.left_out.count

    @property
    def total(self) -> int:
        """Images that are settled."""
        return self.written + self.skipped + self.failed

    def unfinished(
        self, options: Options, images: Iterable[ImageFile], inputs: Inputs, advance: Advance
    ) -> Iterator[ImageFile]:
        """Images that are still to be predicted; finished and repeated ones are skipped.

        Of those that would be written over others nothing is written.
        """
        for image in images:
            if image.name in self.under_way or options.is_finished(image):
                self.skipped += 1
                advance()
            elif lost := options.overwritten(image, inputs):
                self.left_out.add(lost)
                advance()
            else:
                self.under_way.add(image.name)
                self.tidy(options.files(image).values())
                yield image

    def add(self, image: ImageFile, problem: str) -> None:
        """Count an image that an engine is done with, and tell its problem."""
        self.under_way.remove(image.name)
        if problem:
            self.left_out.add(problem)
        else:
            self.written += 1

    def tidy(self, paths: Iterable[Path]) -> None:
        """Remove what killed runs left in the folders of these files, once a folder."""
        for folder in {path.parent for path in paths} - self.tidied:
            remove_leftovers_in(folder)
            self.tidied.add(folder)


@functools.lru_cache(maxsize=1)
def open_models(options: Options) -> list[DepthModel]:
    """The model and those to compare it with; opened once in a process."""
    size = None if options.size is None else Size.parse(options.size)
    return [
        load(
            path,
            provider=options.provider,
            threads=options.threads,
            size=size,
            time_limit=options.time_limit,
        )
        for path in options.models
    ]


def predict_image(options: Options, file: ImageFile) -> str:
    """Predict one image and write all its files, unless they are there.

    Returns:
        What is wrong with the image or its files; nothing where they are written.

    Raises:
        OutputError: no file can be written, such as on a full disk; what stood there is whole.
    """
    if options.is_finished(file):  # by a process that died before it could say so
        return ""
    try:
        image = file.read(options.max_pixels)
        write_files(options, file, image)
    except UNUSABLE as error:
        return problem_of(error, file)
    except UsageError as error:  # points in another unit; all else was checked before
        if options.points is None:
            raise
        return f"{file}: {error}"
    except OutputError as error:
        if ends_all(error):
            raise
        return str(error)
    return ""


def write_files(options: Options, file: ImageFile, image: NDArray[np.uint8]) -> None:
    """Predict an image (H, W, 3) uint8 RGB and write all files of the image.

    Raises:
        ImageError: the image cannot be used, or has no depth.
        DataError: its points cannot be read.
        OutputError: a file could not be written; what stood there before is whole.
    """
    models, files = open_models(options), options.files(file)
    known = points_of(options.points, file.stem, Size(*image.shape[:2]))
    depth = models[0](image, focal=options.focal, points=known)
    if not (depth > 0).any():
        raise ImageError(f"{file}: {options.model} answers with no depth above 0 m; is it trained?")
    colours = colourise(depth, options.vmin, options.vmax)
    write_png(files["depth"], to_millimetres(depth))
    write_png(files["colour"], scale_bar(colours, options.vmin, options.vmax))
    if options.npy:
        content = io.BytesIO()
        np.save(content, depth)
        write_bytes(files["npy"], content.getbuffer())
    if options.ply:
        camera = models[0].camera(Size(*depth.shape), options.focal)
        write_ply(files["points"], to_points(depth, camera), image)
    if len(models) > 1:
        others = (model(image, focal=options.focal, points=known) for model in models[1:])
        columns = [image, colours, *(colourise(d, options.vmin, options.vmax) for d in others)]
        columns[-1] = scale_bar(columns[-1], options.vmin, options.vmax)
        titles = unique_names(options.models)
        write_png(files["compare"], sheet(columns, [file.stem, *titles]))


def _describe(options: Options, model: DepthModel) -> str:
    """End of the last line: by what the depth was predicted."""
    line = f"({model.metadata.variant} on {model.provider})"
    if not model.metadata.trained:
        line += f"; {options.model} has untrained weights, its depth means nothing"
    return line
