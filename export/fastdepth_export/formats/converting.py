"""What formats share: a line for what a converter raises, files that say what was measured, and
opened files that answer with depth or an error.

A file states its own difference to PyTorch, so that it is written twice.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from fastdepth.errors import FastDepthError, ParityError
from fastdepth.metadata import ModelMetadata
from fastdepth.runtime.answer import check_answer
from fastdepth.runtime.arrays import check_batch
from fastdepth.runtime.opening import check_threads

if TYPE_CHECKING:
    from fastdepth_export.verify import Verify

AGAIN = "run fastdepth-export again"
"""What to do about an exported file that is broken."""


class Computes(Protocol):
    """What an export is verified by."""

    def compute(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What is answered to images (B, H, W, 3) uint8 RGB, whatever it is."""
        ...


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


@contextmanager
def converting(variant: str, converter: str) -> Iterator[None]:
    """Within, what a converter raises becomes one line.

    Args:
        variant: name of the network.
        converter: name of the program that converts it.

    Raises:
        ParityError: it cannot; errors of ours, of the disk and of memory stay what they are.
    """
    try:
        yield
    except (FastDepthError, OSError, MemoryError):
        raise
    except Exception as error:  # of torch.export, of any of its passes, or of the converter's
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ParityError(
            f"{converter} cannot convert {variant} ({reason}); nothing was written; "
            "use another format"
        ) from error


def write_verified(
    write: Callable[[ModelMetadata], None],
    opened: Callable[[], Computes],
    metadata: ModelMetadata,
    verify: Verify,
) -> ModelMetadata:
    """Write an export, have it verified, and write it once more with what was measured of it.

    Args:
        write: writes all its files, which say this of themselves.
        opened: opens them.
        metadata: of them, before anything was measured.
        verify: given the opened files, answers with what was measured of them, or raises.

    Returns:
        The metadata with what was measured.
    """
    write(metadata)
    metadata = replace(metadata, **verify(opened().compute))
    write(metadata)
    return metadata


def write_first(
    writes: Iterable[Callable[[ModelMetadata], None]],
    opened: Callable[[], Computes],
    metadata: ModelMetadata,
    verify: Verify,
) -> ModelMetadata:
    """Write the first of several exports that is not refused, as :func:`write_verified` does.

    Args:
        writes: each writes all files of an export; the last alone may be forced.
        opened: opens them.
        metadata: of them, before anything was measured.
        verify: given the opened files, answers with what was measured of them, or raises.

    Returns:
        The metadata with what was measured.
    """
    *others, last = writes
    for write in others:
        with suppress(ParityError):
            return write_verified(write, opened, metadata, partial(verify, force=False))
    return write_verified(last, opened, metadata, verify)
