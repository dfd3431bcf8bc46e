"""NYU Depth V2 as image files beside depth files, named in a ``manifest.csv``."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import cv2
import numpy as np

from fastdepth.data.sample import Depth, Image
from fastdepth.errors import DataError, ImageError
from fastdepth.images.io import decode, read_image

INPAINTED, RAW = "in-painted", "raw with holes"

PLAUSIBLE = (0.05, 20.0)
"""[m]; depth wholly outside is in another unit: the Kinect measures 0.5 to 10 m."""


class Layout(Protocol):
    """Images with depth, of the training or of the test half."""

    split: str
    depth_kind: str
    names: list[str]
    scenes: list[str]

    def read(self, index: int) -> tuple[Image, Depth]:
        """Image (H, W, 3) uint8 RGB and depth (h, w) float32 [m], 0 = not measured."""
        ...


class Pair(NamedTuple):
    """An image file and its depth file, relative to one folder, and the scene they are of."""

    image: str
    depth: str
    scene: str


class FilePairs:
    """Image files, each with a PNG of uint16 depth in millimetres.

    Holds names, no pixels: tens of thousands of frames take a few megabytes.
    """

    def __init__(
        self, base: Path, pairs: Sequence[Pair], split: str, depth_kind: str, origin: Path
    ) -> None:
        """See that there are pairs below the base and that all their files exist; open none.

        Raises:
            DataError: there are none, or files are missing.
        """
        if not pairs:
            raise DataError(
                f"{origin} holds no {split} pairs; give the folder of {split} images with depth: "
                "a manifest.csv, list files, or rgb_*.jpg beside sync_depth_*.png"
            )
        _check_exist(base, pairs, origin)
        self.split, self.depth_kind, self._base, self._pairs = split, depth_kind, base, list(pairs)
        self.names = [os.path.splitext(pair.image)[0] for pair in pairs]  # noqa: PTH122 (quick)
        self.scenes = [pair.scene for pair in pairs]

    def read(self, index: int) -> tuple[Image, Depth]:
        """Image (H, W, 3) uint8 RGB and depth (h, w) float32 [m], 0 = hole."""
        pair = self._pairs[index]
        return read_image(self._base / pair.image), read_depth(self._base / pair.depth)


def read_depth(path: Path) -> Depth:
    """Read a depth PNG.

    Returns:
        (h, w) float32 [m], 0 where the file has a hole.

    Raises:
        DataError: it cannot be read, or is not uint16 millimetres.
    """
    try:
        stored = decode(path, cv2.IMREAD_UNCHANGED)
    except ImageError as error:
        raise DataError(f"depth cannot be read: {error}") from None
    if stored.dtype != np.uint16 or stored.ndim != 2:
        raise DataError(
            f"{path} holds {stored.dtype} values of shape {stored.shape}; "
            "depth must be millimetres stored as a uint16 grey PNG"
        )
    return check_unit(stored.astype(np.float32) / np.float32(1000), path)


def check_unit(depth: Depth, origin: object) -> Depth:
    """Return the depth [m], or raise DataError where all of it is implausibly far or near."""
    valid = depth[depth > 0]
    if valid.size and (valid.min() > PLAUSIBLE[1] or valid.max() < PLAUSIBLE[0]):
        raise DataError(
            f"{origin}: depth reads as {valid.min():.4g} to {valid.max():.4g} m, so its unit is "
            "wrong; PNG depth must be millimetres stored as uint16, .mat depth metres"
        )
    return depth


def _check_exist(base: Path, pairs: Sequence[Pair], origin: Path) -> None:
    """Raise DataError naming the first missing file and how many there are."""
    files = [file for pair in pairs for file in (pair.image, pair.depth)]
    there = zip(files, listed(base, files), strict=True)
    missing = [file for file, known in there if not known and not (base / file).exists()]
    if missing:
        raise DataError(
            f"{origin} names {len(missing)} missing files of {len(files)}, first "
            f"{base / missing[0]}; copy them there or correct the list"
        )


def listed(base: Path, files: Iterable[str]) -> Iterator[bool]:
    """Whether the folders below the base list each of the files.

    A folder is read once, where asking for each of 100,000 files takes seconds on a disk and
    minutes on a network drive.
    """
    folders: dict[str, frozenset[str]] = {}
    for file in files:
        folder, _, name = file.rpartition("/")
        if folder not in folders:
            place = base / folder
            folders[folder] = frozenset(os.listdir(place) if place.is_dir() else ())  # noqa: PTH208
        yield name in folders[folder]


def read_manifest(path: Path, split: str) -> FilePairs:
    """Pairs of a ``manifest.csv`` with the columns image, depth, split and scene.

    Raises:
        DataError: a column is missing, there are no pairs, or files are missing.
    """
    with path.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        lacking = {"image", "depth", "split", "scene"}.difference(reader.fieldnames or ())
        if lacking:
            raise DataError(f"{path} lacks columns: {', '.join(sorted(lacking))}; add them")
        rows = [row for row in reader if row["split"] == split]
    pairs = [pair(row["image"], row["depth"], row["scene"]) for row in rows]
    return FilePairs(path.parent, pairs, split, INPAINTED, path)


def pair(image: str, depth: str, scene: str) -> Pair:
    """A pair by names relative to the base, with or without a slash in front."""
    return Pair(image.lstrip("/"), depth.lstrip("/"), sys.intern(scene))
