"""Whether what a run writes is what it reads."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from fastdepth.images.collection import ImageList, is_listed, is_set


class Inputs:
    """The images of a run that it could write over: few of them, so that all can be kept.

    Args:
        images: what is read.
        output: folder to which is written; folders below it as well.
        endings: ends of the names of what is written.
        models: files that are read beside the images.
    """

    def __init__(
        self,
        images: ImageList,
        output: Path,
        endings: Iterable[str],
        models: Iterable[Path] = (),
    ) -> None:
        ends = tuple(endings)
        self._files: set[str] = set()
        self._folders: list[str] = []
        inside = os.path.join(os.path.realpath(output), "")  # noqa: PTH118
        for path in images.sources:
            if os.path.isdir(path):  # noqa: PTH112
                folder = os.path.join(os.path.realpath(path), "")  # noqa: PTH118
                self._folders += [folder] if folder.startswith(inside) else []
            elif is_listed(path):
                self._add(below for below in images.listed(path) if below.name.endswith(ends))
            elif not is_set(path):
                self._add([path])
        self._add(models)

    def _add(self, paths: Iterable[Path]) -> None:
        for path in paths:
            self._files |= {_place(path), os.path.realpath(path)}

    def hold(self, path: Path) -> bool:
        """Whether what is to be written is an image or model, or lies in a folder of images."""
        if not (self._files or self._folders):
            return False
        place = _place(path)
        return place in self._files or place.startswith(tuple(self._folders))


def _place(path: Path) -> str:
    """Where a name stands, which may be that of a link."""
    return os.path.join(os.path.realpath(path.parent), path.name)  # noqa: PTH118
