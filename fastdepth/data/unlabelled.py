"""Images without depth, for a teacher to answer: ``pictures:PATH``."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from fastdepth.data.sample import Sample
from fastdepth.errors import DataError
from fastdepth.images.collection import open_images


class Unlabelled:
    """Images of a folder, a tar shard or a list: :mod:`fastdepth.images.collection`.

    Attributes:
        name: ``images``.
        names: that of each image, known without reading any.
    """

    name = "pictures"

    def __init__(self, path: str, *, follow_outside: bool = False) -> None:
        """List the images; ``follow_outside`` as for :func:`open_images`.

        Raises:
            DataError: the path does not exist, or holds no image.
        """
        if not os.path.exists(path):  # noqa: PTH110 (no name fails)
            raise DataError(f"{path} does not exist; check the path")
        self._images = list(open_images(path, follow_outside=follow_outside))
        if not self._images:
            raise DataError(f"{path} holds no image; give a folder, a .tar shard or a .txt list")

    @property
    def names(self) -> Sequence[str]:
        """The images' names."""
        return [image.name for image in self._images]

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int, /) -> Sample:
        """An image, with depth 0 everywhere: nothing was measured.

        Raises:
            ImageError: it cannot be read.
        """
        file = self._images[index]
        image = file.read()
        depth = np.zeros(image.shape[:2], np.float32)
        return Sample(image, depth, file.name, file.name)
