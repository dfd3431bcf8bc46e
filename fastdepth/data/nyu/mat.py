"""NYU Depth V2 as the official ``nyu_depth_v2_labeled.mat``: MATLAB v7.3, which is HDF5.

MATLAB stores columns first, so HDF5 shows every array transposed: ``images`` (N, 3, W, H) uint8,
``depths`` (N, W, H) float32 [m], ``scenes`` (1, N) references to strings of uint16 characters.
"""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastdepth.data.nyu.files import INPAINTED, check_depth
from fastdepth.data.nyu.hdf5 import (
    Unpacking,
    check_dataset,
    dataset_of,
    open_file,
    read_small,
    told,
)
from fastdepth.data.sample import Depth, Image
from fastdepth.errors import DataError, quoted
from fastdepth.images.io import SMALLEST_SIDE

IMAGES = 1449
"""Images of the labelled set."""

MOST_PIXELS = 2**24
"""Pixels of an image; the labelled set's have 640x480."""

LONGEST_NAME = 256
"""Letters of a scene's name."""

FARTHEST = 65.535
"""[m]; what a depth PNG can say. The Kinect measures 10."""

ADVICE = "give nyu_depth_v2_labeled.mat as downloaded"


class MatFile:
    """The training or test half of the labelled set, read image by image."""

    depth_kind = INPAINTED

    def __init__(self, path: Path, split: str, *, follow_outside: bool = False) -> None:
        """Open the file and read the scenes; split is ``train`` or ``test``.

        What lies in other files, by a link, external storage or a virtual dataset, is refused
        unless ``follow_outside``.

        Raises:
            DataError: the file is not the labelled set, is truncated, or leads to other files.
            MissingExtraError: h5py is not installed.
        """
        self.split = split
        self._path = path
        self._follow_outside = follow_outside
        self._handle: tuple[int, Contents] | None = None
        contents = self._contents()
        training = official_training_set()
        count = len(contents.images)
        self._chosen = [i for i in range(count) if (i + 1 in training) == (split == "train")]
        self.names = [f"{split}/{index:05d}" for index in self._chosen]
        with told(path, ADVICE):
            references = read_small(contents.scenes)[0]
            self.scenes = [self._scene(references[index], index) for index in self._chosen]

    def read(self, index: int) -> tuple[Image, Depth]:
        """Image (H, W, 3) uint8 RGB and depth (H, W) float32 [m], 0 = not measured.

        Raises:
            DataError: the file is damaged there, or its depth is none or not in metres.
        """
        contents, number = self._contents(), self._chosen[index]
        where = f"{self._path} image {number + 1}"
        with told(where, "download it again"):
            for each in contents.unpacking:
                each.check(number)
            image, depth = contents.images[number], contents.depths[number]
        metres = np.nan_to_num(depth.T, nan=0.0, posinf=0.0, neginf=0.0)
        least, most = metres.min(), metres.max()
        if least < 0 or most > FARTHEST >= metres[metres > 0].min():  # all beyond: another unit
            raise DataError(f"{where}: no depth is {least:.4g} to {most:.4g} m; download it again")
        pixels = np.ascontiguousarray(image.transpose(2, 1, 0))
        return pixels, check_depth(np.ascontiguousarray(metres, np.float32), where)

    def _contents(self) -> Contents:
        """The open HDF5 file; every process opens its own, since a handle cannot be shared."""
        if self._handle is None or self._handle[0] != os.getpid():
            self._handle = (os.getpid(), _open(self._path, self._follow_outside))
        return self._handle[1]

    def _scene(self, reference: Any, index: int) -> str:
        """A MATLAB string: uint16 characters in a column."""
        contents, where = self._contents(), f"{self._path}: scene {index + 1}"
        if not reference:
            raise DataError(f"{where} leads nowhere; {ADVICE}")
        found = contents.file[reference]
        letters = check_dataset(found, where, ADVICE, follow_outside=self._follow_outside)
        if letters.dtype != np.uint16 or not 0 < letters.size <= LONGEST_NAME:
            raise DataError(f"{where} is {letters.dtype} {letters.shape}, no name; {ADVICE}")
        text: str = read_small(letters).astype("<u2").tobytes().decode("utf-16-le")
        if not text.isprintable():
            raise DataError(f"{where} has the name {quoted(text)}; {ADVICE}")
        return text

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the handle; whoever unpickles opens the file anew."""
        return {**self.__dict__, "_handle": None}


class Contents(NamedTuple):
    """The open file, its three datasets, and what is to be seen of the first two's chunks."""

    file: Any
    images: Any
    depths: Any
    scenes: Any
    unpacking: tuple[Unpacking, Unpacking]


def official_training_set() -> frozenset[int]:
    """The 795 training images of the official split, 1-based; the others of 1449 are for test."""
    text = resources.files("fastdepth.data.nyu").joinpath("official_split.txt").read_text("utf-8")
    numbers: set[int] = set()
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        for part in filter(None, line.split(",")):
            first, _, last = part.partition("-")
            numbers.update(range(int(first), int(last or first) + 1))
    return frozenset(numbers)


def _open(path: Path, follow_outside: bool) -> Contents:
    """Open the file and see that it is the labelled set."""
    file = open_file(path, ADVICE)
    try:
        with told(path, ADVICE):
            return _check(file, path, follow_outside)
    except DataError:
        file.close()
        raise


def _check(file: Any, path: Path, follow_outside: bool) -> Contents:
    """The contents, once they have the names, types and shapes of the labelled set."""
    from h5py import Reference, check_ref_dtype

    names = ("images", "depths", "scenes")
    lacking = {*names}.difference(file)
    if lacking:
        raise DataError(f"{path} has no {', '.join(sorted(lacking))}; {ADVICE}")
    images, depths, scenes = (
        dataset_of(file, name, ADVICE, follow_outside=follow_outside) for name in names
    )
    shapes = images.shape, depths.shape, scenes.shape
    # an empty dataset has no shape at all
    fits = None not in shapes and len(images.shape) == 4 and images.shape[1] == 3
    fits = fits and depths.shape == images.shape[:1] + images.shape[2:]
    if not fits or not 0 < len(images) <= IMAGES or scenes.shape != (1, len(images)):
        shown = "images {}, depths {}, scenes {}".format(*shapes)
        raise DataError(f"{path} has {shown}; {ADVICE}")
    types = {
        "images": images.dtype == np.uint8,
        "depths": depths.dtype.str[1:] in ("f4", "f8"),
        "scenes": check_ref_dtype(scenes.dtype) is Reference,
    }
    if wrong := [name for name, right in types.items() if not right]:
        raise DataError(f"{path} has {wrong[0]} of the type {file[wrong[0]].dtype}; {ADVICE}")
    width, height = images.shape[2:]
    if min(width, height) < SMALLEST_SIDE or width * height > MOST_PIXELS:
        raise DataError(f"{path} has images of {width}x{height} px; {ADVICE}")
    return Contents(file, images, depths, scenes, (Unpacking(images), Unpacking(depths)))
