"""Pictures without depth, for a teacher to label: ``pictures:PATH``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fastdepth.data.sample import Sample
from fastdepth.errors import DataError
from fastdepth.pictures import open_pictures


class Unlabelled:
    """Pictures of a folder, a tar shard or a list; see :func:`fastdepth.pictures.open_pictures`.

    Attributes:
        name: ``pictures``.
        names: that of each picture, known without reading any.
    """

    name = "pictures"

    def __init__(self, path: str) -> None:
        """List the pictures.

        Raises:
            DataError: the path does not exist, or holds no picture.
        """
        if not Path(path).exists():
            raise DataError(f"{path} does not exist; check the path")
        self._pictures = list(open_pictures(path))
        if not self._pictures:
            raise DataError(f"{path} holds no picture; give a folder, a .tar shard or a .txt list")

    @property
    def names(self) -> Sequence[str]:
        """The pictures' names."""
        return [picture.name for picture in self._pictures]

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int, /) -> Sample:
        """A picture, with depth 0 everywhere: nothing was measured.

        Raises:
            ImageError: it cannot be read.
        """
        picture = self._pictures[index]
        image = picture.read()
        depth = np.zeros(image.shape[:2], np.float32)
        return Sample(image, depth, picture.name, picture.name)
