"""Depth of image files: each is read, predicted and written, here or in several processes."""

from __future__ import annotations

import functools
import io
import itertools
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastdepth.anchors.files import points_of
from fastdepth.console import Advance, progress, tell
from fastdepth.errors import ImageError, OutputError, UsageError
from fastdepth.files import ends_all, remove_leftovers_in, write_bytes
from fastdepth.images.collection import ImageFile, open_images, unique_names
from fastdepth.images.colour import colourise, scale_bar, sheet
from fastdepth.images.io import to_millimetres, write_png
from fastdepth.images.overlap import Inputs
from fastdepth.images.parallel import ENGINES
from fastdepth.images.points import to_points, write_ply
from fastdepth.images.skipping import UNUSABLE, Skipped, problem_of
from fastdepth.predict.options import ENDINGS, PROG, Options
from fastdepth.runtime.model import DepthModel, load
from fastdepth.size import Size

MANY = 32
"""Images that are worth the start of a pool, which takes about as long as several of them."""


def predict(options: Options) -> int:
    """Predict all images; one that cannot be read is named on stderr, the rest go on.

    Returns:
        Exit status: 2 where an image could not be read, else 0.

    Raises:
        FastDepthError: a model, a provider, an option or the output folder does not work.
    """
    options.check()
    check_output(options.output)
    images = open_images(
        options.images, leave_out=options.output, follow_outside=options.follow_outside
    )
    read = [*options.models, *filter(None, [options.points])]
    inputs = Inputs(images, options.output, ENDINGS, read)
    if not options.resumes and any(lost := [options.overwritten(i, inputs) for i in images]):
        raise UsageError(next(filter(None, lost)))
    open_models.cache_clear()  # the files may have changed since
    described = describe(options, open_models(options)[0])
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


def check_output(folder: Path) -> None:
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


def describe(options: Options, model: DepthModel) -> str:
    """End of the last line: by what the depth was predicted."""
    line = f"({model.metadata.variant} on {model.provider})"
    if not model.metadata.trained:
        line += f"; {options.model} has untrained weights, its depth means nothing"
    return line
