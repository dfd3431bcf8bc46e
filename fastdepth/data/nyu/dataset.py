"""NYU Depth V2, from whichever of its three common layouts is on the disk.

* the official ``nyu_depth_v2_labeled.mat`` with its official split;
* scene folders of ``rgb_*.jpg`` and ``sync_depth_*.png``, with the list files that AdaBins and
  BTS publish or without;
* a folder with ``manifest.csv`` (columns image, depth, split, scene).

Silberman, Hoiem, Kohli, Fergus, "Indoor segmentation and support inference from RGBD images",
ECCV 2012: cite it wherever results are printed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from fastdepth.data.nyu.files import Layout
from fastdepth.data.nyu.lists import read_list, read_lists
from fastdepth.data.nyu.manifest import read_manifest
from fastdepth.data.nyu.mat import MatFile
from fastdepth.data.sample import Sample
from fastdepth.data.splits import check_split, has_scene
from fastdepth.errors import DataError
from fastdepth.files import check_regular

MAT_NAME = "nyu_depth_v2_labeled.mat"


class NyuDepth:
    """One split of NYU Depth V2, read from the disk sample by sample.

    Safe to pickle and to share with worker processes: it holds names, not pixels.

    Attributes:
        name: ``nyu``.
        split: one of :mod:`fastdepth.data.splits`.
        depth_kind: ``in-painted``, ``raw with holes`` or ``drawn, exact``; to be printed with every
            result.
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
        split: one of :mod:`fastdepth.data.splits`.
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
    half = "test" if check_split(split) == "test" else "train"
    layout = _find_layout(Path(path), half, follow_outside)
    belongs = {scene: has_scene(split, scene) for scene in set(layout.scenes)}
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
