"""The command ``fastdepth-predict``: depth of picture files."""

from __future__ import annotations

import itertools
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from numpy.typing import NDArray

from fastdepth.camera import Intrinsics, check_focal
from fastdepth.colour import DEFAULT_RANGE, check_range, colourise, scale_bar, sheet
from fastdepth.console import progress, run_command
from fastdepth.errors import ImageError, UsageError
from fastdepth.files import replacing
from fastdepth.images import read_image, write_png
from fastdepth.points import to_points, write_ply
from fastdepth.runtime import DepthModel, load
from fastdepth.size import Size

PROG = "fastdepth-predict"

DESCRIPTION = """Predict the depth of pictures in metres.

For each picture NAME it writes NAME_depth.png (16 bits, millimetres, 0 is none, at most 65.535 m)
and NAME_colour.png (near bright, far dark, with a bar in metres).

Examples:

  fastdepth-predict unet128-dws.onnx photo.jpg --output depth

  fastdepth-predict unet128-dws.onnx photos/*.jpg --output depth --npy --ply --focal 1180

  fastdepth-predict unet128-dws.onnx photo.jpg --output depth --compare effb0-256.onnx unet256.onnx
"""


@dataclass(frozen=True)
class Prediction:
    """What to predict, and what to write."""

    model: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="MODEL")]
    """Exported model (.onnx)."""

    images: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="IMAGE ...")]
    """Pictures: JPEG, PNG and what else OpenCV reads."""

    output: Path
    """Folder to write to; it is made where it is missing."""

    npy: bool = False
    """Write NAME_depth.npy as well: (H, W) float32 [m]."""

    ply: bool = False
    """Write NAME_points.ply as well: coloured points [m]."""

    focal: float | None = None
    """Focal length of the camera [px in the picture]; without it the training camera's."""

    provider: str = "cpu"
    """Where the model runs: cpu, cuda or tensorrt."""

    threads: int | None = None
    """Threads on the CPU; without it all cores."""

    size: str | None = None
    """Network input, WIDTHxHEIGHT, of models with several; without it each picture's best."""

    vmin: float = DEFAULT_RANGE[0]
    """Distance of the brightest colour [m]."""

    vmax: float = DEFAULT_RANGE[1]
    """Distance of the darkest colour [m]."""

    # A tuple in a tuple, so that both --compare A B and --compare A --compare B work.
    compare: Annotated[tuple[tuple[Path, ...], ...], tyro.conf.arg(metavar="MODEL ...")] = ()
    """More models; NAME_compare.png shows the picture and all models side by side."""

    def check(self) -> None:
        """Raise UsageError for what cannot work, before any model is loaded."""
        check_range(self.vmin, self.vmax)
        if self.focal is not None:
            check_focal(self.focal)
        if not self.images:
            raise UsageError("no pictures given; name one or more after the model")

    @property
    def models(self) -> list[Path]:
        """The model, then those to compare it with."""
        return [self.model, *(path for group in self.compare for path in group)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    return run_command(Prediction, predict, prog=PROG, description=DESCRIPTION, arguments=arguments)


def predict(options: Prediction) -> int:
    """Predict all pictures; one that cannot be read is named on stderr, the rest go on.

    Returns:
        Exit status: 2 where a picture could not be read, else 0.

    Raises:
        FastDepthError: a model, a provider, an option or the output folder does not work.
    """
    options.check()
    paths = options.models
    titles = unique_names(paths)
    size = None if options.size is None else Size.parse(options.size)
    models = [
        load(path, provider=options.provider, threads=options.threads, size=size) for path in paths
    ]
    names = unique_names(options.images)
    failed = 0
    with progress("predicting", len(names)) as advance:
        for path, name in zip(options.images, names, strict=True):
            try:
                predict_one(options, models, titles, path, name)
            except ImageError as error:
                print(f"{PROG}: {' '.join(str(error).split())}", file=sys.stderr)
                failed += 1
            advance(note=path.name)
    if failed < len(names):
        print(_summary(options, models[0], len(names) - failed), file=sys.stderr)
    return 2 if failed else 0


def predict_one(
    options: Prediction, models: Sequence[DepthModel], titles: Sequence[str], path: Path, name: str
) -> None:
    """Predict one picture and write all its files.

    Args:
        options: what to write and where.
        models: the model, then those to compare it with.
        titles: what stands above each model in the sheet.
        path: the picture.
        name: start of the names of the files.

    Raises:
        ImageError: the picture cannot be read.
        OutputError: a file could not be written; what stood there before is whole.
    """
    image = read_image(path)
    depth = models[0](image, focal=options.focal)
    start = options.output / name
    picture = colourise(depth, options.vmin, options.vmax)
    write_png(f"{start}_depth.png", to_millimetres(depth))
    write_png(f"{start}_colour.png", scale_bar(picture, options.vmin, options.vmax))
    if options.npy:
        with replacing(f"{start}_depth.npy") as temporary:
            np.save(temporary, depth)
    if options.ply:
        focal = options.focal or models[0].training_focal(Size(*depth.shape))
        camera = Intrinsics.from_focal(focal, Size(*depth.shape))
        write_ply(f"{start}_points.ply", to_points(depth, camera), image)
    if len(models) > 1:
        others = (model(image, focal=options.focal) for model in models[1:])
        columns = [image, picture, *(colourise(d, options.vmin, options.vmax) for d in others)]
        columns[-1] = scale_bar(columns[-1], options.vmin, options.vmax)
        write_png(f"{start}_compare.png", sheet(columns, [name, *titles]))


def to_millimetres(depth: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Depth [m] as it stands in a 16-bit PNG [mm]: invalid is 0, at most 65.535 m."""
    valid = np.nan_to_num(depth, nan=0.0, posinf=0.0, neginf=0.0)
    millimetres: NDArray[np.uint16] = np.clip(np.rint(valid * 1e3), 0, 65_535).astype(np.uint16)
    return millimetres


def unique_names(paths: Sequence[Path]) -> list[str]:
    """One name for each path: its stem; where stems are the same, with the folder before it.

    ``a/1.jpg b/1.jpg`` become ``a_1 b_1``. More folders follow until the name is free, then
    numbers.
    """
    stems = Counter(path.stem.casefold() for path in paths)  # some disks do not tell A from a
    taken: set[str] = set()
    names = []
    for path in paths:
        alone = stems[path.stem.casefold()] == 1
        free = (name for name in _candidates(path, alone) if name.casefold() not in taken)
        names.append(next(free))
        taken.add(names[-1].casefold())
    return names


def _candidates(path: Path, alone: bool) -> Iterator[str]:
    """Names for a path, the best first: stem, folder_stem, folder_folder_stem, ... then numbers."""
    folders = path.absolute().parent.parts[1:]
    if alone or not folders:
        yield path.stem
    for first in reversed(range(len(folders))):
        yield "_".join([*folders[first:], path.stem])
    for number in itertools.count(2):
        yield f"{'_'.join([*folders[-1:], path.stem])}_{number}"


def _summary(options: Prediction, model: DepthModel, written: int) -> str:
    """The last line: what was done, where and how."""
    line = f"{written} of {len(options.images)} pictures written to {options.output}"
    line += f" ({model.metadata.variant} on {model.provider})"
    if not model.metadata.trained:
        line += f"; {options.model} has untrained weights, its depth means nothing"
    return line
