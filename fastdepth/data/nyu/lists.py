"""NYU Depth V2 as scene folders: the list files of AdaBins and BTS, or pairs found by number."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from fastdepth.camera import TRAINING_FOCAL_LENGTH
from fastdepth.data.nyu.files import (
    RAW,
    FilePairs,
    Pair,
    files_of,
    listed,
    make_pairs,
)
from fastdepth.data.nyu.text import LARGEST, decode_text, lines_of, read_text
from fastdepth.errors import DataError, quoted
from fastdepth.files import check_inside, read_bytes

FOCAL_TOLERANCE = 0.01
"""The lists say 518.8579 px; the networks are told 519."""

SUFFIXES = (".jpg", ".jpeg", ".png")
"""Of a listed image."""

_LISTS_IMAGES = re.compile(
    rb"\.(?:jpe?g|png)[ \t,;|][^\r\n]*(?:\.(?:jpe?g|png)|\bNone\b)", re.IGNORECASE
)
"""Two image files on a line, or one without depth: the text is meant as a list of pairs."""


def read_lists(folder: Path, split: str, *, follow_outside: bool = False) -> FilePairs:
    """Pairs named by a list file of AdaBins or BTS, or else found by their numbers.

    A list is sought in the folder, beside it and in their sub-folders of lists; its lines are
    ``IMAGE DEPTH FOCAL``, with the depth ``None`` where an image has none. The scene is the name
    of the image's folder. The focal length is compared with the Kinect's and not used: all of
    NYU Depth V2 was recorded by one camera, so metres need no rescaling.

    A text without a line of two image files is another kind of text, which is passed over. A list
    that leads out of the folder, by an absolute path or by ``..``, is refused unless
    ``follow_outside``.

    Raises:
        DataError: there are no pairs, a list is malformed or of another camera, or files are
            missing.
    """
    unresolved = None
    for path in _list_files(folder, split):
        content = read_bytes(path, DataError, LARGEST)
        if not _LISTS_IMAGES.search(content.replace(b"\0", b"")):  # of UTF-16 the letters are left
            continue
        pairs = _parse_list(decode_text(content, path), path)
        base = _base_of(pairs, (folder,), split)
        # A list beside the folder may belong to other data.
        if base is not None or (unresolved is None and path.is_relative_to(folder)):
            unresolved = path, pairs, base or folder
        if base is not None:
            break
    if unresolved:
        path, pairs, base = unresolved
        if not follow_outside:
            check_inside(base, files_of(pairs), path, DataError)
        return FilePairs(base, _with_scenes(base, pairs), split, RAW, path)
    base, pairs = _numbered_pairs(folder, split)
    return FilePairs(base, _with_scenes(base, pairs), split, RAW, folder)


def read_list(path: Path, split: str, *, follow_outside: bool = False) -> FilePairs:
    """Pairs of the one list file that was asked for, where a folder holds several.

    The images are sought in its folder and in the one above, as in :func:`read_lists`. Whoever
    names the list itself means the absolute paths in it, too; ``..`` is refused unless
    ``follow_outside``.

    Raises:
        DataError: as for :func:`read_lists`, or the list is of the other half of the set.
    """
    other = "train" if split == "test" else "test"
    if _is_of(path, other) and not _is_of(path, split):
        raise DataError(f"{path} lists {other} images; for {split} give their list or the folder")
    pairs = _parse_list(read_text(path), path)
    places = (path.absolute().parent, path.absolute().parent.parent)
    base = _base_of(pairs, places, split) or places[0]
    if not follow_outside:
        check_inside(base, files_of(pairs), path, DataError, absolute=True)
    return FilePairs(base, _with_scenes(base, pairs), split, RAW, path)


def _list_files(folder: Path, split: str) -> Iterator[Path]:
    """Text files whose name has the word train or test; those named after NYU come first."""
    for place in (folder, folder.absolute().parent):
        for sub in ("", "splits", "train_test_inputs"):
            found = [path for path in (place / sub).glob("*.txt") if _is_of(path, split)]
            found = [path for path in found if not path.is_dir()]
            yield from sorted(found, key=lambda path: ("nyu" not in path.name.lower(), path.name))


def _is_of(path: Path, split: str) -> bool:
    """Whether a list's name has the word of a split: not ``latest`` for ``test``."""
    return re.search(rf"(?<![a-z]){split}(?![a-z])", path.stem, re.IGNORECASE) is not None


def _parse_list(text: str, path: Path) -> list[Pair]:
    """Image and depth of each line, of no scene yet; DataError with the line that has neither."""
    pairs: list[Pair] = []
    known: set[str] = set()
    for number, line in enumerate(lines_of(text, path), start=1):
        fields = line.split()
        if not fields:
            continue
        if not 2 <= len(fields) <= 3 or not fields[0].lower().endswith(SUFFIXES):
            raise DataError(
                f"{path} line {number} is not 'IMAGE DEPTH FOCAL', separated by spaces; correct "
                "the line, or name files with spaces in a manifest.csv"
            )
        if len(fields) > 2 and fields[2] not in known:
            _check_focal(fields[2], f"{path} line {number}")
            known.add(fields[2])
        if fields[1] != "None":
            pairs.append(Pair(fields[0], fields[1], ""))
    return make_pairs(pairs)


def _check_focal(text: str, where: str) -> None:
    """Raise DataError unless a line's focal length [px] is that of NYU Depth V2's Kinect."""
    try:
        focal = float(text)
    except ValueError:
        raise DataError(f"{where}: {quoted(text)} is no focal length; correct the line") from None
    if not abs(focal / TRAINING_FOCAL_LENGTH - 1) <= FOCAL_TOLERANCE:  # NaN is none, either
        raise DataError(
            f"{where} has the focal length {focal:g} px, NYU Depth V2 {TRAINING_FOCAL_LENGTH:g} px "
            "everywhere; give its own lists, metres of another camera would be learnt wrong"
        )


def _base_of(pairs: Sequence[Pair], places: Sequence[Path], split: str) -> Path | None:
    """The folder to which a list's names are relative, if any of its images is there."""
    for place in places:
        for base in (place, *_split_folders(place, split)):
            if any(listed(base, (pair.image for pair in pairs))):
                return base
    return None


def _with_scenes(base: Path, pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs of a list; images without a folder of their own are of the base's scene."""
    scenes = (pair.image.rpartition("/")[0].rpartition("/")[2] or base.name for pair in pairs)
    return [
        pair._replace(scene=sys.intern(scene)) for pair, scene in zip(pairs, scenes, strict=True)
    ]


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
    found: list[Pair] = []
    for base in bases[:1]:
        for place, _, files in os.walk(base):
            scene, names = Path(place).relative_to(base), frozenset(files)
            for name in files:
                depth = f"sync_depth_{name.removeprefix('rgb_').removesuffix('.jpg')}.png"
                if name.startswith("rgb_") and name.endswith(".jpg") and depth in names:
                    found.append(Pair((scene / name).as_posix(), (scene / depth).as_posix(), ""))
    base = bases[0] if bases else folder
    return base, sorted(found, key=lambda pair: pair.image.split("/"))
