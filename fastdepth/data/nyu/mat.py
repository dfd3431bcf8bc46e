"""NYU Depth V2 as the official ``nyu_depth_v2_labeled.mat``: MATLAB v7.3, which is HDF5.

MATLAB stores columns first, so HDF5 shows every array transposed: ``images`` (N, 3, W, H) uint8,
``depths`` (N, W, H) float32 [m], ``scenes`` (1, N) references to strings of uint16 characters.
"""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from fastdepth.data.nyu.files import INPAINTED, check_unit
from fastdepth.data.sample import Depth, Image
from fastdepth.errors import DataError
from fastdepth.extras import require

IMAGES = 1449
"""Images of the labelled set."""


class MatFile:
    """The training or test half of the labelled set, read image by image."""

    depth_kind = INPAINTED

    def __init__(self, path: Path, split: str) -> None:
        """Open the file and read the scenes; split is ``train`` or ``test``.

        Raises:
            DataError: the file is not the labelled set, or is truncated.
            MissingExtraError: h5py is not installed.
        """
        self.split = split
        self._path = path
        self._handle: tuple[int, Any] | None = None
        file = self._file()
        training = official_training_set()
        count = len(file["images"])
        self._chosen = [i for i in range(count) if (i + 1 in training) == (split == "train")]
        self.names = [f"{split}/{index:05d}" for index in self._chosen]
        self.scenes = [_text(file, file["scenes"][0, index]) for index in self._chosen]

    def read(self, index: int) -> tuple[Image, Depth]:
        """Image (H, W, 3) uint8 RGB and depth (H, W) float32 [m], 0 = not measured.

        Raises:
            DataError: the file is damaged there, or its depth is not in metres.
        """
        file, number = self._file(), self._chosen[index]
        try:
            image, depth = file["images"][number], file["depths"][number]
        except OSError as error:
            raise DataError(
                f"{self._path} is damaged at image {number + 1}: {error}; download it again"
            ) from None
        metres = np.nan_to_num(depth.T.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
        where = f"{self._path} image {number + 1}"
        return np.ascontiguousarray(image.transpose(2, 1, 0)), check_unit(metres, where)

    def _file(self) -> Any:
        """The open HDF5 file; every process opens its own, since a handle cannot be shared."""
        if self._handle is None or self._handle[0] != os.getpid():
            self._handle = (os.getpid(), _open(self._path))
        return self._handle[1]

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the handle; whoever unpickles opens the file anew."""
        return {**self.__dict__, "_handle": None}


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


def _open(path: Path) -> Any:
    """Open the file and see that it is the labelled set."""
    h5py = require("h5py", "train")
    advice = "give nyu_depth_v2_labeled.mat as downloaded"
    try:
        file = h5py.File(path, "r")
    except OSError:
        raise DataError(f"{path} is truncated or not a MATLAB v7.3 file; {advice}") from None
    lacking = {"images", "depths", "scenes"}.difference(file)
    if lacking:
        file.close()
        raise DataError(f"{path} has no {', '.join(sorted(lacking))}; {advice}")
    images, depths, scenes = file["images"].shape, file["depths"].shape, file["scenes"].shape
    fits = len(images) == 4 and images[1] == 3 and depths == images[:1] + images[2:]
    if not fits or images[0] > IMAGES or scenes != (1, images[0]):
        file.close()
        raise DataError(f"{path} has images {images}, depths {depths}, scenes {scenes}; {advice}")
    return file


def _text(file: Any, reference: Any) -> str:
    """A MATLAB string: uint16 characters in a column."""
    return "".join(map(chr, np.asarray(file[reference]).ravel()))
