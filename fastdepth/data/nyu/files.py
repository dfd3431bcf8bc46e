"""NYU Depth V2 as image files beside depth files: pairs by name, and what makes one."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import cv2
import numpy as np

from fastdepth.camera import Intrinsics
from fastdepth.data.sample import Depth, Image
from fastdepth.errors import DataError, ImageError, quoted
from fastdepth.images.io import decode, read_image
from fastdepth.size import Size

INPAINTED, RAW, DRAWN = "in-painted", "raw with holes", "drawn, exact"

PLAUSIBLE = (0.05, 20.0)
"""[m]; depth wholly outside is in another unit: the Kinect measures 0.5 to 10 m."""

SMALLEST_DEPTH = 8
"""Shortest side [px] of depth that can be meant as an image's."""


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
    """An image file and its depth file, relative to one folder or absolute, and their scene.

    ``focal`` is the image's focal length [px at its own size]; 0 is the training camera's.
    """

    image: str
    depth: str
    scene: str
    focal: float = 0.0


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
        """Image (H, W, 3) uint8 RGB and depth (h, w) float32 [m], 0 = hole; see :func:`read_pair`.

        Depth of another camera is what the training camera would have seen so, which is what
        networks answer with: less by the quotient of the focal lengths (:mod:`fastdepth.camera`).

        Raises:
            ImageError, DataError: see there.
        """
        pair = self._pairs[index]
        image, depth = read_pair(self._base / pair.image, self._base / pair.depth)
        if pair.focal:
            trained = Intrinsics.training_camera(Size(*image.shape[:2])).fx
            depth *= np.float32(trained / pair.focal)
        return image, depth


def read_pair(image_path: Path, depth_path: Path) -> tuple[Image, Depth]:
    """Read an image and its depth so that they lie on each other: both as they are stored.

    An EXIF orientation is applied to neither, for depth has none or was never turned by it.

    Returns:
        Image (H, W, 3) uint8 RGB and depth (h, w) float32 [m], 0 where the file has a hole; h x w
        is H x W by one factor, but for rounding.

    Raises:
        ImageError: the image cannot be read.
        DataError: the depth cannot be read, is not uint16 millimetres, holds none, or covers
            another part than the image, as another aspect ratio tells.
    """
    image, depth = read_image(image_path, upright=False), read_depth(depth_path)
    size, of_depth = Size(*image.shape[:2]), Size(*depth.shape)
    if not is_scaled(size, of_depth):
        raise DataError(
            f"{depth_path} is {of_depth} px and its image {image_path} {size} px, of another "
            "shape, so that they do not lie on each other; cut or turn them alike"
        )
    return image, depth


def is_scaled(size: Size, to: Size) -> bool:
    """Whether one factor brings both sides to another size, rounded to the nearest, up or down."""
    for up in (0.5, 0, 1):  # what a side was rounded up by, at most
        least = max((new - up) / old for old, new in zip(size, to, strict=True))
        most = min((new - up + 1) / old for old, new in zip(size, to, strict=True))
        if least < most:
            return True
    return False


def read_depth(path: Path) -> Depth:
    """Read a depth PNG.

    Returns:
        (h, w) float32 [m], 0 where the file has a hole.

    Raises:
        DataError: it cannot be read, is not uint16 millimetres, or holds no depth.
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
    return check_depth(stored.astype(np.float32) / np.float32(1000), path)


def check_depth(depth: Depth, origin: object) -> Depth:
    """Return the depth [m], or raise DataError where it can be none.

    That is less than a few pixels, no pixel that was measured, or all of them implausibly far or
    near.
    """
    height, width = depth.shape
    if min(depth.shape) < SMALLEST_DEPTH:
        raise DataError(
            f"{origin}: depth is {width}x{height} px, too small; both sides must be "
            f"{SMALLEST_DEPTH} or more"
        )
    valid = depth[depth > 0]
    if not valid.size:
        raise DataError(f"{origin}: depth is 0 everywhere, nothing was measured; leave it out")
    if valid.min() > PLAUSIBLE[1] or valid.max() < PLAUSIBLE[0]:
        raise DataError(
            f"{origin}: depth reads as {valid.min():.4g} to {valid.max():.4g} m, so its unit is "
            "wrong; PNG depth must be millimetres stored as uint16, .mat depth metres"
        )
    return depth


def files_of(pairs: Iterable[Pair]) -> Iterator[str]:
    """The files that pairs name: of each its image, then its depth."""
    return (file for pair in pairs for file in (pair.image, pair.depth))


def _check_exist(base: Path, pairs: Sequence[Pair], origin: Path) -> None:
    """Raise DataError naming the first missing file and how many there are."""
    files = list(files_of(pairs))
    there = zip(files, listed(base, files), strict=True)
    missing = [file for file, known in there if not known and not os.path.exists(base / file)]  # noqa: PTH110 (no name fails)
    if missing:
        raise DataError(
            f"{origin} names {len(missing)} missing files of {len(files)}, first "
            f"{quoted(missing[0])} in {base}; copy them there or correct the list"
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
            folders[folder] = _names_in(base / folder)
        yield name in folders[folder]


def _names_in(folder: Path) -> frozenset[str]:
    """Names of what lies in a folder; none where there is no such folder."""
    try:
        return frozenset(os.listdir(folder))  # noqa: PTH208
    except OSError:
        return frozenset()


def make_pairs(named: Iterable[Pair]) -> list[Pair]:
    """Pairs of which each file is named as it is to be sought.

    That is by its absolute path where there is such a file; any other slash in front is dropped:
    the lists of AdaBins and BTS begin every name with one and mean the folder of the data.
    """
    pairs = list(named)
    rooted = [name for pair in pairs for name in pair[:2] if name.startswith("/")]
    there = listed(Path("/"), (name.lstrip("/") for name in rooted))
    absolute = {name for name, known in zip(rooted, there, strict=True) if known}

    def located(name: str) -> str:
        return name if name in absolute else name.lstrip("/")

    return [
        Pair(located(image), located(depth), sys.intern(scene), focal)
        for image, depth, scene, focal in pairs
    ]
