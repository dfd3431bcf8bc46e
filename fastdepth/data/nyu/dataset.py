"""NYU Depth V2, from whichever of its three common layouts is on the disk.

* the official ``nyu_depth_v2_labeled.mat`` with its official split;
* scene folders of ``rgb_*.jpg`` and ``sync_depth_*.png``, with the list files that AdaBins and
  BTS publish or without;
* a folder with ``manifest.csv`` (columns image, depth, split, scene).

Silberman, Hoiem, Kohli, Fergus, "Indoor segmentation and support inference from RGBD images",
ECCV 2012: cite it wherever results are printed.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from fastdepth.data.nyu.files import Layout
from fastdepth.data.nyu.lists import read_list, read_lists
from fastdepth.data.nyu.manifest import read_manifest
from fastdepth.data.nyu.mat import MatFile
from fastdepth.data.sample import Sample
from fastdepth.errors import DataError, UnknownNameError
from fastdepth.files import check_regular

SPLITS = ("train", "validation", "test", "all-train")
"""``train`` and ``validation`` part the scenes of ``all-train``."""

MAT_NAME = "nyu_depth_v2_labeled.mat"

VALIDATION_SHARE = 10
"""One scene in so many is for validation."""


class NyuDepth:
    """One split of NYU Depth V2, read from the disk sample by sample.

    Safe to pickle and to share with worker processes: it holds names, not pixels.

    Attributes:
        name: ``nyu``.
        split: one of ``SPLITS``.
        depth_kind: ``in-painted`` or ``raw with holes``; to be printed with every result.
        names: one stable name a sample.
        scenes: one scene a sample.
    """

    name = "nyu"

    def __init__(self, layout: Layout, split: str, chosen: Sequence[int]) -> None:
        """Take the chosen samples of a layout; use :func:`open_nyu`, which checks them."""
        self.split = split
        self.depth_kind = layout.depth_kind
        self.names = [layout.names[index] for index in chosen]
        self.scenes = [layout.scenes[index] for index in chosen]
        self._layout = layout
        self._chosen = list(chosen)

    def __len__(self) -> int:
        """Number of samples."""
        return len(self._chosen)

    def __iter__(self) -> Iterator[Sample]:
        """The samples in their order, each read when its turn comes."""
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Sample:
        """Read a sample; a negative index counts from the end.

        Raises:
            IndexError: there is no such sample.
            ImageError: its image cannot be read.
            DataError: its depth cannot be read or is in the wrong unit.
        """
        inner = self._chosen[index]
        image, depth = self._layout.read(inner)
        return Sample(image, depth, self._layout.names[inner], self._layout.scenes[inner])


def open_nyu(
    path: str | Path, split: str = "test", *, look: bool = True, follow_outside: bool = False
) -> NyuDepth:
    """Open one split and read its first sample to see that the data are what they should be.

    Args:
        path: the ``.mat`` file, a list file, or the folder of any of the three layouts.
        split: one of ``SPLITS``.
        look: read the first sample; False for those who cope with samples that cannot be read.
        follow_outside: read also what a manifest, a list or an HDF5 file names outside of its
            folder. Without it that is refused, but for the absolute paths of a list that ``path``
            names itself. It is about what these files say: a symbolic link in the folder is
            followed in any case, for it is the work of whoever laid out the folder.

    Raises:
        UnknownNameError: there is no such split.
        DataError: the path is missing, holds no such data, names files that are missing, or leads
            out of its folder.
        ImageError: the first image cannot be read.
        MissingExtraError: h5py is needed and not installed.
    """
    if split not in SPLITS:
        raise UnknownNameError("split", split, SPLITS)
    layout = _find_layout(Path(path), "test" if split == "test" else "train", follow_outside)
    belongs = {scene: _belongs(scene, split) for scene in set(layout.scenes)}
    chosen = [index for index, scene in enumerate(layout.scenes) if belongs[scene]]
    if not chosen:
        raise DataError(
            f"{path} has {len(layout.scenes)} {layout.split} images and none of their scenes "
            f"falls into {split!r}; give more scenes or another split"
        )
    source = NyuDepth(layout, split, chosen)
    if look:
        source[0]
    return source


def is_validation_scene(scene: str) -> bool:
    """Whether a training scene is held out for validation; decided by its name alone.

    ``kitchen_0028a`` and ``kitchen_0028b`` are two parts of one recording and stay together.
    """
    place = re.sub(r"(?<=\d)[a-z]$", "", scene)
    digest = hashlib.sha256(place.encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:4], "big") % VALIDATION_SHARE == 0


def _belongs(scene: str, split: str) -> bool:
    """Whether images of this scene, all of the right half of the set, are in this split."""
    if split in ("test", "all-train"):
        return True
    return is_validation_scene(scene) == (split == "validation")


def _find_layout(path: Path, split: str, follow_outside: bool) -> Layout:
    """Recognise the layout by what is at the path; split is ``train`` or ``test``."""
    mat, manifest = path / MAT_NAME, path / "manifest.csv"
    if not os.path.isdir(path):  # noqa: PTH112 (no name fails)
        check_regular(path, DataError, "; give the folder or .mat file of NYU Depth V2")
        if path.suffix == ".mat":
            return MatFile(path, split, follow_outside=follow_outside)
        if path.suffix == ".txt":
            return read_list(path, split, follow_outside=follow_outside)
        raise DataError(f"{path} is not a folder; give the folder it is in, a list, or {MAT_NAME}")
    if os.path.lexists(mat):
        return MatFile(mat, split, follow_outside=follow_outside)
    if os.path.lexists(manifest):
        return read_manifest(manifest, split, follow_outside=follow_outside)
    return read_lists(path, split, follow_outside=follow_outside)
