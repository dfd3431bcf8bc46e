"""What every exported file is once it was opened: it answers with depth, or with an error.

Each format's class adds how its runtime opens a file and answers one inference.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastdepth.metadata import ModelMetadata
from fastdepth.runtime.answer import check_answer
from fastdepth.runtime.arrays import check_batch
from fastdepth.runtime.opening import check_threads


class Opened(ABC):
    """An exported file that was opened for the CPU.

    Attributes:
        metadata: what the file says of itself.
        path: the file, or of several the one that the others lie beside.
    """

    def __init__(self, path: Path, metadata: ModelMetadata, threads: int | None) -> None:
        """Keep what every file has, before its runtime sees it.

        Raises:
            UsageError: no CPU has so many threads.
        """
        check_threads(threads)
        self.path, self.metadata = path, metadata

    def infer(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Depth (B, 1, H, W) float32 [m] of images (B, H, W, 3) uint8 RGB.

        Raises:
            ImageError: they are of another size or kind.
            ModelFileError: the file fails, or answers with something else than depth of that size
                in the range that its metadata have.
        """
        check_batch(batch, self.metadata.sizes)
        shape = (len(batch), 1, *batch.shape[1:3])
        return check_answer(self.compute(batch), shape, self.metadata.depth_range, self.path)

    def compute(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What the runtime answers to images, whatever it is, as many at once as the file takes.

        An export is verified by it, which has more to say of what is wrong.

        Raises:
            ModelFileError: the runtime fails.
        """
        count = self.metadata.batch or len(batch)
        parts = [self.answer(batch[first : first + count]) for first in range(0, len(batch), count)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    @abstractmethod
    def answer(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What one inference answers: an array of its own, which the next leaves alone.

        Raises:
            ModelFileError: the runtime fails.
        """
