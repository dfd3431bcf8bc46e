"""NYU Depth V2 as picture files beside depth files, listed in one of three ways."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import cv2
import numpy as np

from fastdepth.data.sample import Depth, Image
from fastdepth.errors import DataError, ImageError
from fastdepth.images import decode, read_image

INPAINTED, RAW = "in-painted", "raw with holes"

PLAUSIBLE = (0.05, 20.0)
"""[m]; depth wholly outside is in another unit: the Kinect measures 0.5 to 10 m."""


class Layout(Protocol):
    """Pictures with depth, of the training or of the test half."""

    split: str
    depth_kind: str
    names: list[str]
    scenes: list[str]

    def read(self, index: int) -> tuple[Image, Depth]:
        """Picture (H, W, 3) uint8 RGB and depth (h, w) float32 [m], 0 = not measured."""
        ...


class Pair(NamedTuple):
    """A picture file and its depth file."""

    image: Path
    depth: Path
    name: str
    scene: str


class FilePairs:
    """Picture files, each with a PNG of uint16 depth in millimetres."""

    def __init__(self, pairs: Sequence[Pair], split: str, depth_kind: str, origin: Path) -> None:
        """See that there are pairs and that all their files exist; open none of them.

        Raises:
            DataError: there are none, or files are missing.
        """
        if not pairs:
            raise DataError(
                f"{origin} holds no {split} pairs; give the folder of {split} pictures with depth: "
                "a manifest.csv, list files, or rgb_*.jpg beside sync_depth_*.png"
            )
        _check_exist(pairs, origin)
        self.split, self.depth_kind, self._pairs = split, depth_kind, list(pairs)
        self.names = [pair.name for pair in pairs]
        self.scenes = [pair.scene for pair in pairs]

    def read(self, index: int) -> tuple[Image, Depth]:
        """Picture (H, W, 3) uint8 RGB and depth (h, w) float32 [m], 0 = hole."""
        pair = self._pairs[index]
        return read_image(pair.image), read_depth(pair.depth)


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


def _check_exist(pairs: Sequence[Pair], origin: Path) -> None:
    """Raise DataError naming the first missing file and how many there are."""
    files = [file for pair in pairs for file in (pair.image, pair.depth)]
    missing = [file for file in files if not os.path.exists(file)]  # noqa: PTH110 (quick: 50,000)
    if missing:
        raise DataError(
            f"{origin} names {len(missing)} missing files of {len(files)}, first {missing[0]}; "
            "copy them there or correct the list"
        )


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
    pairs = [_pair(path.parent, row["image"], row["depth"], row["scene"]) for row in rows]
    return FilePairs(pairs, split, INPAINTED, path)


def read_lists(folder: Path, split: str) -> FilePairs:
    """Pairs named by a list file of AdaBins or BTS, or else found by their numbers.

    A list is sought in the folder, beside it and in their sub-folders of lists; its lines are
    ``IMAGE DEPTH FOCAL``, with the depth ``None`` where a picture has none. The scene is the name
    of the picture's folder.

    Raises:
        DataError: there are no pairs, a list is malformed or files are missing.
    """
    unresolved = None
    for path in _list_files(folder, split):
        lines = _parse_list(path)
        base = _base_of(lines, folder, split)
        if base is not None:
            return FilePairs([_pair(base, *line) for line in lines], split, RAW, path)
        if lines and path.is_relative_to(folder):  # a list beside it may belong to other data
            unresolved = unresolved or (path, lines)
    if unresolved:
        path, lines = unresolved
        return FilePairs([_pair(folder, *line) for line in lines], split, RAW, path)
    return FilePairs(_numbered_pairs(folder, split), split, RAW, folder)


def _pair(base: Path, image: str, depth: str, scene: str | None = None) -> Pair:
    """A pair by names relative to the base, with or without a slash in front."""
    image, depth = image.lstrip("/"), depth.lstrip("/")
    picture = base / image
    return Pair(
        picture, base / depth, str(Path(image).with_suffix("")), scene or picture.parent.name
    )


def _list_files(folder: Path, split: str) -> Iterator[Path]:
    """Text files whose name has the word train or test; those named after NYU come first."""
    word = re.compile(rf"(?<![a-z]){split}(?![a-z])", re.IGNORECASE)
    for place in (folder, folder.absolute().parent):
        for sub in ("", "splits", "train_test_inputs"):
            found = [path for path in (place / sub).glob("*.txt") if word.search(path.stem)]
            yield from sorted(found, key=lambda path: ("nyu" not in path.name.lower(), path.name))


def _parse_list(path: Path) -> list[tuple[str, str]]:
    """Image and depth of each line; nothing where the file is another kind of text."""
    pairs: list[tuple[str, str]] = []
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
        fields = line.split()
        if not fields:
            continue
        if len(fields) < 2 or not fields[0].lower().endswith((".jpg", ".jpeg", ".png")):
            if not pairs:
                return []
            raise DataError(f"{path} line {number} is not 'IMAGE DEPTH FOCAL'; correct the line")
        pairs.append((fields[0], fields[1]))
    return [pair for pair in pairs if pair[1] != "None"]


def _base_of(lines: Sequence[tuple[str, str]], folder: Path, split: str) -> Path | None:
    """The folder to which a list's names are relative, if any of them exists."""
    for base in (folder, *_split_folders(folder, split)):
        if any((base / image.lstrip("/")).exists() for image, _ in lines):
            return base
    return None


def _split_folders(folder: Path, split: str) -> list[Path]:
    """Where the AdaBins, BTS and plain layouts keep the pictures of a split."""
    names = [split, f"official_splits/{split}"] + (["sync"] if split == "train" else [])
    return [folder / name for name in names if (folder / name).is_dir()]


def _numbered_pairs(folder: Path, split: str) -> list[Pair]:
    """``rgb_N.jpg`` with ``sync_depth_N.png``, below the split's folder.

    A folder that is not parted into train and test is taken whole for whichever is asked.
    """
    bases = _split_folders(folder, split)
    if not bases and not _split_folders(folder, "test" if split == "train" else "train"):
        bases = [folder]
    pairs: list[Pair] = []
    for base in bases[:1]:
        for image in sorted(base.rglob("rgb_*.jpg")):
            depth = image.with_name(f"sync_depth_{image.stem.removeprefix('rgb_')}.png")
            if depth.exists():
                pairs.append(
                    _pair(base, str(image.relative_to(base)), str(depth.relative_to(base)))
                )
    return pairs
