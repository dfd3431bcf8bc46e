"""NYU Depth V2 as scene folders: the list files of AdaBins and BTS, or pairs found by number."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from fastdepth.camera import TRAINING_FOCAL_LENGTH
from fastdepth.data.nyu.files import RAW, FilePairs, Pair, listed, pair
from fastdepth.errors import DataError

FOCAL_TOLERANCE = 0.01
"""The lists say 518.8579 px; the networks are told 519."""


class Line(NamedTuple):
    """Image and depth of a line, as it names them."""

    image: str
    depth: str


def read_lists(folder: Path, split: str) -> FilePairs:
    """Pairs named by a list file of AdaBins or BTS, or else found by their numbers.

    A list is sought in the folder, beside it and in their sub-folders of lists; its lines are
    ``IMAGE DEPTH FOCAL``, with the depth ``None`` where an image has none. The scene is the name
    of the image's folder. The focal length is compared with the Kinect's and not used: all of
    NYU Depth V2 was recorded by one camera, so metres need no rescaling.

    Raises:
        DataError: there are no pairs, a list is malformed or of another camera, or files are
            missing.
    """
    unresolved = None
    for path in _list_files(folder, split):
        lines = _parse_list(path)
        base = _base_of(lines, (folder,), split)
        if base is not None:
            return FilePairs(base, _pairs(base, lines), split, RAW, path)
        if lines and path.is_relative_to(folder):  # a list beside it may belong to other data
            unresolved = unresolved or (path, lines)
    if unresolved:
        path, lines = unresolved
        return FilePairs(folder, _pairs(folder, lines), split, RAW, path)
    base, pairs = _numbered_pairs(folder, split)
    return FilePairs(base, pairs, split, RAW, folder)


def read_list(path: Path, split: str) -> FilePairs:
    """Pairs of the one list file that was asked for, where a folder holds several.

    The images are sought in its folder and in the one above, as in :func:`read_lists`.

    Raises:
        DataError: as for :func:`read_lists`, or the list is of the other half of the set.
    """
    other = "train" if split == "test" else "test"
    if _is_of(path, other) and not _is_of(path, split):
        raise DataError(f"{path} lists {other} images; for {split} give their list or the folder")
    lines = _parse_list(path)
    places = (path.absolute().parent, path.absolute().parent.parent)
    base = _base_of(lines, places, split) or places[0]
    return FilePairs(base, _pairs(base, lines), split, RAW, path)


def _pairs(base: Path, lines: Sequence[Line]) -> list[Pair]:
    """The pairs of a list; images without a folder of their own are of the base's scene."""
    return [
        pair(image, depth, image.rpartition("/")[0].rpartition("/")[2] or base.name)
        for image, depth in lines
    ]


def _list_files(folder: Path, split: str) -> Iterator[Path]:
    """Text files whose name has the word train or test; those named after NYU come first."""
    for place in (folder, folder.absolute().parent):
        for sub in ("", "splits", "train_test_inputs"):
            found = [path for path in (place / sub).glob("*.txt") if _is_of(path, split)]
            yield from sorted(found, key=lambda path: ("nyu" not in path.name.lower(), path.name))


def _is_of(path: Path, split: str) -> bool:
    """Whether a list's name has the word of a split: not ``latest`` for ``test``."""
    return re.search(rf"(?<![a-z]){split}(?![a-z])", path.stem, re.IGNORECASE) is not None


def _parse_list(path: Path) -> list[Line]:
    """Image and depth of each line; nothing where the file is another kind of text."""
    lines: list[Line] = []
    known: set[str] = set()
    for number, text in enumerate(path.read_text(errors="replace").splitlines(), start=1):
        fields = text.split()
        if not fields:
            continue
        if len(fields) < 2 or not fields[0].lower().endswith((".jpg", ".jpeg", ".png")):
            if not lines:
                return []
            raise DataError(f"{path} line {number} is not 'IMAGE DEPTH FOCAL'; correct the line")
        if len(fields) > 2 and fields[2] not in known:
            _check_focal(fields[2], f"{path} line {number}")
            known.add(fields[2])
        if fields[1] != "None":
            lines.append(Line(fields[0], fields[1]))
    return lines


def _check_focal(text: str, where: str) -> None:
    """Raise DataError unless a line's focal length [px] is that of NYU Depth V2's Kinect."""
    try:
        focal = float(text)
    except ValueError:
        raise DataError(f"{where}: {text!r} is no focal length; correct the line") from None
    if abs(focal / TRAINING_FOCAL_LENGTH - 1) > FOCAL_TOLERANCE:
        raise DataError(
            f"{where} has the focal length {focal:g} px, NYU Depth V2 {TRAINING_FOCAL_LENGTH:g} px "
            "everywhere; give its own lists, metres of another camera would be learnt wrong"
        )


def _base_of(lines: Sequence[Line], places: Sequence[Path], split: str) -> Path | None:
    """The folder to which a list's names are relative, if any of its images is there."""
    images = [image.lstrip("/") for image, _ in lines]
    for place in places:
        for base in (place, *_split_folders(place, split)):
            if any(listed(base, images)):
                return base
    return None


def _split_folders(folder: Path, split: str) -> list[Path]:
    """Where the AdaBins, BTS and plain layouts keep the images of a split."""
    names = [split, f"official_splits/{split}"] + (["sync"] if split == "train" else [])
    return [folder / name for name in names if (folder / name).is_dir()]


def _numbered_pairs(folder: Path, split: str) -> tuple[Path, list[Pair]]:
    """The split's folder, and every ``rgb_N.jpg`` with ``sync_depth_N.png`` below it.

    A folder that is not parted into train and test is taken whole for whichever is asked.
    """
    bases = _split_folders(folder, split)
    if not bases and not _split_folders(folder, "test" if split == "train" else "train"):
        bases = [folder]
    found: list[Line] = []
    for base in bases[:1]:
        for place, _, files in os.walk(base):
            scene, names = Path(place).relative_to(base), frozenset(files)
            for name in files:
                depth = f"sync_depth_{name.removeprefix('rgb_').removesuffix('.jpg')}.png"
                if name.startswith("rgb_") and name.endswith(".jpg") and depth in names:
                    found.append(Line((scene / name).as_posix(), (scene / depth).as_posix()))
    base = bases[0] if bases else folder
    return base, _pairs(base, sorted(found, key=lambda line: line.image.split("/")))
